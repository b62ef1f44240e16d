/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hist: log-linear histograms of times (ns) and sizes (bytes).
 *
 * Each power of two is split into 8 equal buckets, so that a value is known to 12.5 % whatever
 * its size, from 1 to 2^40 (18 minutes, 1 TiB); larger ones count in the last bucket. A bucket
 * holds (lower, upper]: the bounds that Prometheus's `le` means.
 * One writer; anybody may read at any time, through relaxed atomics.
 */
#ifndef DATAPLANE_HIST_H
#define DATAPLANE_HIST_H

#include <stdint.h>

#include <sluice/util.h>

#define SL_HIST_SUB_BITS 3
#define SL_HIST_EXP_MAX 40
#define SL_HIST_BUCKETS ((SL_HIST_EXP_MAX - SL_HIST_SUB_BITS + 1) << SL_HIST_SUB_BITS)

/* Laid out as an array of slots: metric.c holds histograms in one with its counters. */
struct sl_hist {
	uint64_t sum;
	uint64_t max;
	uint64_t buckets[SL_HIST_BUCKETS];
};

#define SL_HIST_SLOTS (sizeof(struct sl_hist) / sizeof(uint64_t))

/* The bucket that @value counts in. */
static inline uint32_t sl_hist_bucket(uint64_t value)
{
	uint64_t v = value - (value != 0);
	uint32_t shift, bucket;

	if (v < UINT64_C(2) << SL_HIST_SUB_BITS)
		return (uint32_t)v;
	shift = 63 - SL_HIST_SUB_BITS - (uint32_t)__builtin_clzll(v);
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

static inline void sl_hist_slot_add(uint64_t *slot, uint64_t n)
{
	__atomic_store_n(slot, __atomic_load_n(slot, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

/* Counts @value. By the one writer. */
static inline void sl_hist_record(struct sl_hist *h, uint64_t value)
{
	sl_hist_slot_add(&h->buckets[sl_hist_bucket(value)], 1);
	sl_hist_slot_add(&h->sum, value);
	if (value > h->max)
		__atomic_store_n(&h->max, value, __ATOMIC_RELAXED);
}

/* Adds what @from counts, which may be written to meanwhile, to @to, which is the caller's. */
void sl_hist_merge(struct sl_hist *to, const struct sl_hist *from);

/* How many values were counted. */
uint64_t sl_hist_count(const struct sl_hist *h);

/* How many of them were at most @bound, a power of two from 1 to 2^40: exact. */
uint64_t sl_hist_count_to(const struct sl_hist *h, uint64_t bound);

/**
 * sl_hist_quantile() - the value below which the share @q (0..1) of all values lies, interpolated
 * within its bucket, never above the largest value seen. Return: 0 if nothing was counted.
 */
uint64_t sl_hist_quantile(const struct sl_hist *h, double q);

#endif
