/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which searches are answered together: a function of what waits, and of nothing else.
 *
 * Interface: batch.h. A search that cannot be answered with the oldest is left out, not waited for:
 * others behind it may still come along.
 */
#include <sluice/assert.h>
#include <sluice/util.h>

#include "batch.h"

/* Bytes of rows that one query is held against in a nanosecond, once they are in the cache. */
enum { BYTES_A_NS = 16 };

static int64_t cost_ns(const struct sl_waiting *w)
{
	return (int64_t)(w->rows * w->row_bytes / BYTES_A_NS);
}

uint32_t sl_batch_take(const struct sl_waiting *waiting, uint32_t n, int64_t limit_ns,
		       uint32_t *ret_which)
{
	const struct sl_waiting *oldest = waiting;
	int64_t left_ns = limit_ns - cost_ns(oldest);
	uint32_t taken = 0;

	SL_ASSERT(n);
	ret_which[taken++] = 0;
	if (!oldest->rows)
		return taken;
	for (uint32_t i = 1; i < n && taken < SL_BATCH_MAX; i++) {
		const struct sl_waiting *w = &waiting[i];

		if (w->index != oldest->index || !w->rows || cost_ns(w) > left_ns)
			continue;
		left_ns -= cost_ns(w);
		ret_which[taken++] = i;
	}
	return taken;
}
