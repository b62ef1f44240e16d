/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hist: the layout of log-linear histograms of times (ns) and sizes (bytes), which cores and
 * programs in the kernel fill alike.
 *
 * Each power of two is split into 8 equal buckets, so that a value is known to 12.5 % whatever
 * its size, from 1 to 2^40 (18 minutes, 1 TiB); larger ones count in the last bucket. A bucket
 * holds (lower, upper]: the bounds that Prometheus's `le` means.
 */
#ifndef SLUICE_HIST_H
#define SLUICE_HIST_H

#include <stdint.h>

#include <sluice/util.h>

#define SL_HIST_SUB_BITS 3
#define SL_HIST_EXP_MAX 40
#define SL_HIST_BUCKETS ((SL_HIST_EXP_MAX - SL_HIST_SUB_BITS + 1) << SL_HIST_SUB_BITS)

/* Laid out as an array of slots: the registry of metrics holds histograms in one with counters. */
struct sl_hist {
	uint64_t sum;
	uint64_t max;
	uint64_t buckets[SL_HIST_BUCKETS];
};

#define SL_HIST_SLOTS (sizeof(struct sl_hist) / sizeof(uint64_t))

/* The number of the highest bit of @v, which is not 0. */
static inline uint32_t sl_hist_highest_bit(uint64_t v)
{
#ifdef __bpf__ /* has no instruction for it, and clang 14 does not end when asked for one */
	uint32_t n = 0;

	for (uint32_t half = 32; half; half /= 2) {
		if (!(v >> half))
			continue;
		v >>= half;
		n += half;
	}
	return n;
#else
	return 63 - (uint32_t)__builtin_clzll(v);
#endif
}

/* The bucket that @value counts in. */
static inline uint32_t sl_hist_bucket(uint64_t value)
{
	uint64_t v = value - (value != 0);
	uint32_t shift, bucket;

	if (v < UINT64_C(2) << SL_HIST_SUB_BITS)
		return (uint32_t)v;
	shift = sl_hist_highest_bit(v) - SL_HIST_SUB_BITS;
	bucket = (shift << SL_HIST_SUB_BITS) + (uint32_t)(v >> shift);
	return sl_min(bucket, (uint32_t)SL_HIST_BUCKETS - 1);
}

/* The largest value that counts in @bucket. */
static inline uint64_t sl_hist_upper(uint32_t bucket)
{
	uint32_t sub = 1u << SL_HIST_SUB_BITS;
	uint32_t shift = bucket < 2 * sub ? 0 : (bucket >> SL_HIST_SUB_BITS) - 1;

	return ((uint64_t)(bucket - (shift << SL_HIST_SUB_BITS)) + 1) << shift;
}

static inline uint64_t sl_hist_lower(uint32_t bucket)
{
	return bucket ? sl_hist_upper(bucket - 1) : 0;
}

#endif
