/* SPDX-License-Identifier: Apache-2.0 */
/* partitioner: which partition a key belongs to, as Kafka's own producers decide it. */
#ifndef TOOLS_SLUICE_PARTITIONER_H
#define TOOLS_SLUICE_PARTITIONER_H

#include <stddef.h>
#include <stdint.h>

/* MurmurHash2 of 32 bits with the seed that Kafka's clients use. */
uint32_t murmur2(const void *p, size_t len);

/* @partitions > 0. */
int32_t partition_of_key(const void *key, size_t len, int32_t partitions);

#endif
