/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kinds of indexes share: the table's row, the common part of each, the nearest so far.
 *
 * Order of parts: kinds; the common part; the nearest so far; memory of searches; saving and
 * loading.
 */
#ifndef VECTORS_INDEX_PVT_H
#define VECTORS_INDEX_PVT_H

#include <math.h>

#include <sluice/assert.h>
#include <sluice/util.h>

#include "index.h"

/* ---- kinds ------------------------------------------------------------------------------ */

struct index_out;
struct index_in;

/**
 * struct index_kind - one kind, one file. @index is the first member of the kind's own struct, of
 * @bytes bytes, zeroed but for the common part before @init.
 * @add, @remove: after the common part says that the row is there, before that it is gone.
 * @candidates: of a query that is not exact, as sl_index_candidates(); @candidates_max: how many,
 * at the most. @exact: that they are the hits. @many: NULL: one by one.
 * @effort: as sl_index_effort(), of more than nothing; NULL: it is the kind's own measure.
 * All but @candidates may be NULL: there is nothing to do, nothing to keep, no row is needed.
 */
struct index_kind {
	const char *name;
	size_t bytes;
	int (*init)(struct sl_index *index);
	void (*done)(struct sl_index *index);
	int (*add)(struct sl_index *index, uint32_t row);
	void (*remove)(struct sl_index *index, uint32_t row);
	bool (*needs_rows)(const struct sl_index *index);
	bool exact;
	uint32_t (*effort)(const struct sl_index *index, uint32_t nearest);
	uint32_t (*candidates_max)(const struct sl_index *index, const struct sl_query *query);
	int (*candidates)(struct sl_index *index, const struct sl_query *query,
			  struct sl_hit *ret_hits, struct sl_scratch *scratch);
	int (*many)(struct sl_index *index, const struct sl_query *queries, uint32_t n,
		    struct sl_hit *ret_hits, uint32_t *ret_n, struct sl_scratch *scratch);
	int (*step)(struct sl_index *index, int64_t budget_ns);
	uint64_t (*memory)(const struct sl_index *index);
	int (*save)(const struct sl_index *index, struct index_out *out);
	int (*load)(struct sl_index *index, struct index_in *in);
};

/* What a graph keeps by default: the effort that others' defaults are as much as. */
#define INDEX_NEAREST 64u

extern const struct index_kind index_flat;
extern const struct index_kind index_ivf;
extern const struct index_kind index_hnsw;

/* ---- the common part -------------------------------------------------------------------- */

/**
 * struct sl_index - first member of each kind's own.
 * @distance: of the rows' metric and components. @live: a bit for each row that is found, of
 * @live_words words; @n: how many are set.
 */
struct sl_index {
	const struct index_kind *kind;
	struct sl_index_conf conf;
	const struct sl_rows *rows;
	sl_distance_fn distance;
	uint64_t *live;
	uint32_t live_words, n;
};

static inline bool index_has(const struct sl_index *index, uint32_t row)
{
	return row / 64 < index->live_words && index->live[row / 64] >> row % 64 & 1;
}

/* Rows that a query may give, of those numbered 64 * @word on. */
static inline uint64_t index_candidates(const struct sl_index *index, const struct sl_query *query,
					uint32_t word)
{
	uint64_t bits = index->live[word];

	if (!query->allowed)
		return bits;
	return word < (query->allowed_rows + 63) / 64 ? bits & query->allowed[word] : 0;
}

/* A distance that is no number is the farthest. */
static inline float or_farthest(float d)
{
	return isnan(d) ? INFINITY : d;
}

static inline float index_distance(const struct sl_index *index, const void *vector, uint32_t row)
{
	return or_farthest(index->distance(vector, sl_row(index->rows, row), index->rows->dim));
}

/* Asks for what will be needed soon, at most a page of it. */
static inline void ask_for(const void *p, size_t n)
{
	for (size_t i = 0; i < n && i < 4096; i += 64)
		__builtin_prefetch((const char *)p + i);
}

/* @vector, of @rows, as floats; of length 1 if the metric is the cosine. */
void index_floats(const struct sl_rows *rows, const void *vector, float *ret_x);

/* Looks at all rows, which are in memory. Return: hits. */
int flat_scan(const struct sl_index *index, const struct sl_query *query, struct sl_hit *ret_hits);

/* ---- the nearest so far ----------------------------------------------------------------- */

/* Of the @n hits the farthest is first; each is at least as far as the two at 2i + 1 and 2i + 2. */
struct nearest {
	struct sl_hit *hits;
	uint32_t n, k;
};

static inline bool hit_before(struct sl_hit a, struct sl_hit b)
{
	return a.distance < b.distance || (a.distance == b.distance && a.row < b.row);
}

/* Whether @hit would be kept. */
static inline bool nearest_takes(const struct nearest *t, struct sl_hit hit)
{
	return t->n < t->k || (t->k && hit_before(hit, t->hits[0]));
}

/* Keeps @hit if it is among the k nearest. */
void nearest_put(struct nearest *t, struct sl_hit hit);

/* Sorts them, nearest first, which ends their being a heap. Return: how many. */
uint32_t nearest_sort(struct nearest *t);

/* ---- memory of searches ----------------------------------------------------------------- */

/* @room: of what a kind works with; @found: of candidates. */
struct sl_scratch {
	struct scratch_part {
		uint8_t *p;
		size_t n;
	} room, found;
};

/* At least @n bytes, at a multiple of 64, until the next call. Return: NULL: out of memory. */
void *scratch_room(struct sl_scratch *s, size_t n);

/* ---- saving and loading ----------------------------------------------------------------- */

/* What is written or read goes into a checksum, which ends what is saved. */
int index_write(struct index_out *out, const void *data, size_t n);
int index_read(struct index_in *in, void *ret_data, size_t n);

typedef int (*index_save_fn)(void *what, struct index_out *out);
typedef int (*index_load_fn)(void *what, struct index_in *in);

/* Saves or loads @what by those two, then the checksum; its disagreement is -EBADMSG. */
int index_save_by(index_save_fn save, void *what, sl_write_fn write, void *arg);
int index_load_by(index_load_fn load, void *what, sl_read_fn read, void *arg);

#endif
