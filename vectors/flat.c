/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flat index: no structure but the rows, all of which a search looks at.
 *
 * Interface: index_pvt.h. What other kinds do when all rows are to be looked at is here as well.
 * Several queries at once are held against each row while it is in the processor's cache: of floats
 * four against four, so that each register that is loaded is used four times.
 *
 * Order of parts: one query; several; the kind.
 */
#include <errno.h>

#include "index_pvt.h"
#include "scan.h"

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

/* Holds the rows numbered 64 * @word on against a query. */
static void scan_word(const struct sl_index *index, const struct sl_query *query,
		      struct nearest *nearest, uint32_t word)
{
	uint64_t left = index_candidates(index, query, word);

	for (; left; left &= left - 1) {
		uint32_t row = word * 64 + (uint32_t)__builtin_ctzll(left);

		nearest_put(nearest,
			    (struct sl_hit){index_distance(index, query->vector, row), row});
	}
}

typedef void (*square_fn)(const float *const *x, const float *const *y, size_t n, float *ret);

/* What holds several queries against several rows; NULL: nothing does. */
static square_fn square_of(const struct sl_index *index)
{
	if (index->rows->component != SL_F32)
		return NULL;
	switch (index->rows->metric) {
	case SL_METRIC_L2:
		return scan_set()->l2;
	case SL_METRIC_DOT:
		return scan_set()->dot;
	default:
		return NULL;
	}
}

/* Up to SCAN_SQUARE queries with up to as many rows; the last stand for what is not there. */
static void scan_square(const struct sl_index *index, square_fn square,
			const struct sl_query *queries, uint32_t n, struct nearest *nearest,
			const uint32_t *rows, uint32_t rows_n)
{
	const float *x[SCAN_SQUARE], *y[SCAN_SQUARE];
	float far[SCAN_SQUARE * SCAN_SQUARE];

	for (uint32_t i = 0; i < SCAN_SQUARE; i++) {
		x[i] = queries[sl_min(i, n - 1)].vector;
		y[i] = sl_row(index->rows, rows[sl_min(i, rows_n - 1)]);
	}
	square(x, y, index->rows->dim, far);
	for (uint32_t i = 0; i < n * SCAN_SQUARE; i++) {
		if (i % SCAN_SQUARE < rows_n)
			nearest_put(&nearest[i / SCAN_SQUARE],
				    (struct sl_hit){or_farthest(far[i]), rows[i % SCAN_SQUARE]});
	}
}

/* The first @plain queries allow all rows. */
static void scan_words(const struct sl_index *index, const struct sl_query *queries, uint32_t n,
		       uint32_t plain, struct nearest *nearest)
{
	square_fn square = square_of(index);

	for (uint32_t word = 0; word < index->live_words; word++) {
		uint64_t left = index->live[word];
		uint32_t rows[64], rows_n = 0;

		for (; left; left &= left - 1)
			rows[rows_n++] = word * 64 + (uint32_t)__builtin_ctzll(left);
		for (uint32_t r = 0; r < rows_n; r += SCAN_SQUARE)
			for (uint32_t i = 0; i < plain; i += SCAN_SQUARE)
				scan_square(index, square, queries + i,
					    sl_min(plain - i, SCAN_SQUARE), nearest + i, rows + r,
					    sl_min(rows_n - r, SCAN_SQUARE));
		for (uint32_t i = plain; i < n; i++)
			scan_word(index, &queries[i], &nearest[i], word);
	}
}

/* How far hits are as one query alone would have it, which may differ in the last bit. */
static uint32_t settle(const struct sl_index *index, const struct sl_query *query,
		       struct nearest *nearest)
{
	struct nearest again = {.hits = nearest->hits, .k = nearest->k};
	uint32_t n = nearest->n;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t row = nearest->hits[i].row;

		nearest_put(&again,
			    (struct sl_hit){index_distance(index, query->vector, row), row});
	}
	return nearest_sort(&again);
}

/* Those that allow all rows get the first places, and may share squares. Return: how many. */
static uint32_t place_queries(const struct sl_index *index, const struct sl_query *queries,
			      uint32_t n, uint32_t *ret_places)
{
	bool may = square_of(index);
	uint32_t plain = 0, at;

	for (uint32_t i = 0; i < n; i++)
		if (may && !queries[i].allowed)
			ret_places[i] = plain++;
	at = plain;
	for (uint32_t i = 0; i < n; i++)
		if (!may || queries[i].allowed)
			ret_places[i] = at++;
	return plain;
}

static int many(struct sl_index *index, const struct sl_query *queries, uint32_t n,
		struct sl_hit *ret_hits, uint32_t *ret_n, struct sl_scratch *scratch)
{
	struct nearest *nearest = scratch_room(
		scratch, n * (sizeof(*nearest) + sizeof(struct sl_query) + sizeof(uint32_t)));
	struct sl_query *sorted;
	uint32_t *places, plain;

	if (n && !nearest)
		return -ENOMEM;
	sorted = (struct sl_query *)(nearest + n);
	places = (uint32_t *)(sorted + n);
	plain = place_queries(index, queries, n, places);
	for (uint32_t i = 0; i < n; i++) {
		sorted[places[i]] = queries[i];
		nearest[places[i]] = (struct nearest){.hits = ret_hits, .k = queries[i].k};
		ret_hits += queries[i].k;
	}
	scan_words(index, sorted, n, plain, nearest);
	for (uint32_t i = 0; i < n; i++)
		ret_n[i] = places[i] < plain ? settle(index, &queries[i], &nearest[places[i]])
					     : nearest_sort(&nearest[places[i]]);
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
