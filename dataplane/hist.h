/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hist: counting in histograms (<sluice/hist.h>) and reading them.
 *
 * One writer; anybody may read at any time, through relaxed atomics.
 */
#ifndef DATAPLANE_HIST_H
#define DATAPLANE_HIST_H

#include <sluice/hist.h>

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
