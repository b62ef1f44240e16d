// SPDX-License-Identifier: Apache-2.0
/*
 * The default partitioner of Kafka's producers, so that a key that another client wrote goes to
 * the same partition from here.
 *
 * Source: MurmurHash2 by Austin Appleby, in the public domain; the seed is Kafka's.
 */
#include "partitioner.h"

#include <sluice/assert.h>
#include <sluice/bytes.h>

#define SEED UINT32_C(0x9747b28c)
#define MIX UINT32_C(0x5bd1e995)

uint32_t murmur2(const void *p, size_t len)
{
	const uint8_t *at = p;
	uint32_t h = SEED ^ (uint32_t)len;

	for (; len >= 4; at += 4, len -= 4) {
		uint32_t k = sl_load_le32(at) * MIX;

		k ^= k >> 24;
		h = h * MIX ^ k * MIX;
	}
	if (len) {
		for (size_t i = len; i > 0; i--)
			h ^= (uint32_t)at[i - 1] << (8 * (i - 1));
		h *= MIX;
	}
	h ^= h >> 13;
	h *= MIX;
	return h ^ h >> 15;
}

int32_t partition_of_key(const void *key, size_t len, int32_t partitions)
{
	SL_ASSERT(partitions > 0);
	return (int32_t)(murmur2(key, len) & INT32_MAX) % partitions;
}
