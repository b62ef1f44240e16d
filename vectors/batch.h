/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the searches that wait on a core are answered together.
 *
 * Searches that look at all rows share the reading of them (sl_index_search_many()); those that
 * look at few share nothing. Nothing is ever held back for others to come: what waits, waits
 * because the core was busy.
 */
#ifndef VECTORS_BATCH_H
#define VECTORS_BATCH_H

#include "index.h"

/* Queries of one call, at the most. */
#define SL_BATCH_MAX 32u

/**
 * struct sl_waiting - one search. @index: of which index. @rows: so many it will look at, one by
 * one; 0: it follows lists or a graph. @row_bytes: of each.
 */
struct sl_waiting {
	const struct sl_index *index;
	uint64_t rows;
	size_t row_bytes;
};

/**
 * sl_batch_take() - which of @n > 0 waiting searches, the oldest first, are answered now: the
 * oldest, and those that may go with it for about @limit_ns in all.
 * @ret_which: room for SL_BATCH_MAX places in @waiting, in their order. Return: 1..SL_BATCH_MAX.
 */
uint32_t sl_batch_take(const struct sl_waiting *waiting, uint32_t n, int64_t limit_ns,
		       uint32_t *ret_which);

#endif
