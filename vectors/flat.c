/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flat index: no structure but the rows, all of which a search looks at.
 *
 * Interface: index_pvt.h. What other kinds do when all rows are to be looked at is here as well.
 * Several queries at once are held against each row while it is in the processor's cache.
 *
 * Order of parts: one query; several; the kind.
 */
#include <errno.h>

#include "index_pvt.h"

/* ---- one query -------------------------------------------------------------------------- */

int flat_scan(const struct sl_index *index, const struct sl_query *query, struct sl_hit *ret_hits)
{
	const struct sl_rows *rows = index->rows;
	struct nearest nearest = {.hits = ret_hits, .k = query->k};

	for (uint32_t word = 0; word < index->live_words; word++) {
		uint64_t left = index_candidates(index, query, word);

		SL_ASSERT(!left || rows->chunks[word * 64 / SL_ROWS_A_CHUNK]);
		for (; left; left &= left - 1) {
			uint32_t row = word * 64 + (uint32_t)__builtin_ctzll(left);

			nearest_put(&nearest,
				    (struct sl_hit){index_distance(index, query->vector, row),
						    row});
		}
	}
	return (int)nearest_sort(&nearest);
}

static bool needs_rows(const struct sl_index *index)
{
	(void)index;
	return true;
}

static uint32_t candidates_max(const struct sl_index *index, const struct sl_query *query)
{
	return sl_min(query->k, index->n);
}

static int candidates(struct sl_index *index, const struct sl_query *query, struct sl_hit *ret_hits,
		      struct sl_scratch *scratch)
{
	(void)scratch;
	return flat_scan(index, query, ret_hits);
}

/* ---- several ---------------------------------------------------------------------------- */

/* Holds the rows numbered 64 * @word on against every query. */
static void scan_word(const struct sl_index *index, const struct sl_query *queries, uint32_t n,
		      struct nearest *nearest, uint32_t word)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t left = index_candidates(index, &queries[i], word);

		for (; left; left &= left - 1) {
			uint32_t row = word * 64 + (uint32_t)__builtin_ctzll(left);
			float d = index_distance(index, queries[i].vector, row);

			nearest_put(&nearest[i], (struct sl_hit){d, row});
		}
	}
}

static int many(struct sl_index *index, const struct sl_query *queries, uint32_t n,
		struct sl_hit *ret_hits, uint32_t *ret_n, struct sl_scratch *scratch)
{
	struct nearest *nearest = scratch_room(scratch, n * sizeof(*nearest));

	if (n && !nearest)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		nearest[i] = (struct nearest){.hits = ret_hits, .k = queries[i].k};
		ret_hits += queries[i].k;
	}
	for (uint32_t word = 0; word < index->live_words; word++)
		scan_word(index, queries, n, nearest, word);
	for (uint32_t i = 0; i < n; i++)
		ret_n[i] = nearest_sort(&nearest[i]);
	return 0;
}

/* ---- the kind --------------------------------------------------------------------------- */

const struct index_kind index_flat = {
	.name = "flat",
	.bytes = sizeof(struct sl_index),
	.needs_rows = needs_rows,
	.exact = true,
	.candidates_max = candidates_max,
	.candidates = candidates,
	.many = many,
};
