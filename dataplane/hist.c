// SPDX-License-Identifier: Apache-2.0
/*
 * hist: reading log-linear histograms. Interface and layout: hist.h.
 *
 * Invariant: the count is the sum of the buckets, so that a snapshot taken while the writer works
 * is consistent in itself (its sum may be one value ahead or behind).
 */
#include <sluice/assert.h>

#include "hist.h"

_Static_assert(sizeof(struct sl_hist) == SL_HIST_SLOTS * sizeof(uint64_t), "an array of slots");

void sl_hist_merge(struct sl_hist *to, const struct sl_hist *from)
{
	uint64_t max = __atomic_load_n(&from->max, __ATOMIC_RELAXED);

	SL_ASSERT(to != from);
	to->sum += __atomic_load_n(&from->sum, __ATOMIC_RELAXED);
	to->max = sl_max(to->max, max);
	for (uint32_t i = 0; i < SL_HIST_BUCKETS; i++)
		to->buckets[i] += __atomic_load_n(&from->buckets[i], __ATOMIC_RELAXED);
}

uint64_t sl_hist_count(const struct sl_hist *h)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < SL_HIST_BUCKETS; i++)
		n += __atomic_load_n(&h->buckets[i], __ATOMIC_RELAXED);
	return n;
}

uint64_t sl_hist_count_to(const struct sl_hist *h, uint64_t bound)
{
	uint64_t n = 0;

	SL_ASSERT(bound && (bound & (bound - 1)) == 0);
	SL_ASSERT(bound <= UINT64_C(1) << SL_HIST_EXP_MAX);
	for (uint32_t i = 0; i < SL_HIST_BUCKETS && sl_hist_upper(i) <= bound; i++)
		n += __atomic_load_n(&h->buckets[i], __ATOMIC_RELAXED);
	return n;
}

uint64_t sl_hist_quantile(const struct sl_hist *h, double q)
{
	uint64_t n = sl_hist_count(h), below = 0;
	double rank = q * (double)n;

	SL_ASSERT(q >= 0 && q <= 1);
	for (uint32_t i = 0; n && i < SL_HIST_BUCKETS; i++) {
		uint64_t here = __atomic_load_n(&h->buckets[i], __ATOMIC_RELAXED);
		uint64_t lower = sl_hist_lower(i), value;

		if (here == 0 || (double)(below + here) < rank) {
			below += here;
			continue;
		}
		value = lower + (uint64_t)((double)(sl_hist_upper(i) - lower) *
					   (rank - (double)below) / (double)here);
		return sl_min(value, __atomic_load_n(&h->max, __ATOMIC_RELAXED));
	}
	return __atomic_load_n(&h->max, __ATOMIC_RELAXED);
}
