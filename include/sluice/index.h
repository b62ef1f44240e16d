/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index: vectors in memory, and the index that finds the nearest of them. libsluice(3).
 *
 * A vector has the number of its row, which whoever puts it chooses; memory is taken for whole
 * chunks of rows, so that the numbers are best without large gaps. A search gives what was put and
 * not removed. Nothing here waits for anything, or keeps anything but in memory: what is saved goes
 * to the caller's function.
 *
 * Any thread may make any call; for the same vectors one runs at a time.
 *
 * Calls return 0 or a count, or a negative errno.
 *
 * Order of parts: how an index is made; making; changing; searching; keeping.
 */
#ifndef SLUICE_INDEX_H
#define SLUICE_INDEX_H

#include <sluice/distance.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- how an index is made --------------------------------------------------------------- */

enum sl_index_kind {
	SL_INDEX_FLAT, /* looks at all rows: exact */
	SL_INDEX_IVF, /* looks at the lists nearest to the query; its effort: how many */
	SL_INDEX_HNSW, /* walks a graph; its effort: how many nearest it keeps meanwhile */
	SL_INDEX_LAST
};

/* Codes of vectors, by which a search chooses whose rows to look at. */
enum sl_quantiser {
	SL_QUANTISER_DEFAULT, /* SQ8 where it can, else none */
	SL_QUANTISER_NONE, /* vectors as they are */
	SL_QUANTISER_SQ8, /* a byte a component */
	SL_QUANTISER_PQ8, /* a byte for four components, of a book of 256 */
	SL_QUANTISER_PQ4, /* the same, of two books of 16, which is trained and coded faster */
	SL_QUANTISER_BINARY, /* signs, after a random rotation */
	SL_QUANTISER_RABITQ, /* 1 to 8 bits after one, and estimates that are right in the mean */
	SL_QUANTISER_LAST
};

const char *sl_quantiser_name(enum sl_quantiser quantiser);

/* Whether it codes such vectors: floats, but by Hamming; by Manhattan only SQ8. */
bool sl_quantiser_can(enum sl_quantiser quantiser, enum sl_component component,
		      enum sl_metric metric);

/**
 * struct sl_index_conf - how an index is made; zero fields take the defaults of its kind.
 * @seed: of all that is chosen at random, so that the same calls give the same index.
 * IVF: @train_rows: with so many rows a step makes lists, until then all rows are looked at (4096).
 * @lists: how many (the root of the rows). @rescore: candidates whose distance is
 * computed (five for each that is asked for, and one more for every four lists that are looked at).
 * HNSW: @links: of a row, on each level (16; 2 to 64), twice as many at the bottom. @effort_add:
 * how many nearest are kept while linking a new row (128).
 * @quantiser: of IVF's and HNSW's codes; @quantiser_bits: of RaBitQ, for each component (1; to 8).
 */
struct sl_index_conf {
	enum sl_index_kind kind;
	uint64_t seed;
	uint32_t train_rows, lists, rescore;
	uint32_t links, effort_add;
	enum sl_quantiser quantiser;
	uint32_t quantiser_bits;
};

const char *sl_index_name(enum sl_index_kind kind);

/* ---- making ----------------------------------------------------------------------------- */

struct sl_vectors;

/* @dim: 1 to SL_DIM_MAX components each. @index: how they are found. */
struct sl_vectors_conf {
	uint32_t dim;
	enum sl_component component;
	enum sl_metric metric;
	struct sl_index_conf index;
};

/* Return: 0; -EINVAL: no such dimension, kind or metric, or not for the quantiser; -ENOMEM. */
int sl_vectors_new(const struct sl_vectors_conf *conf, struct sl_vectors **ret_vectors);

/* Accepts NULL. */
void sl_vectors_free(struct sl_vectors *vectors);

/* ---- changing --------------------------------------------------------------------------- */

/**
 * sl_vectors_put() - @n vectors, which lie one behind the other at @data, into the rows from @row
 * on, in place of what is there; found from now on.
 * Return: 0; -ERANGE: beyond the last row that can be; -ENOMEM: the first ones may be there.
 */
int sl_vectors_put(struct sl_vectors *vectors, uint32_t row, const void *data, uint32_t n);

/* Return: 0; -ENOENT. */
int sl_vectors_remove(struct sl_vectors *vectors, uint32_t row);

/* Copies the vector of @row. Return: 0; -ENOENT. */
int sl_vectors_get(struct sl_vectors *vectors, uint32_t row, void *ret_vector);

/**
 * sl_vectors_step() - work that makes searches faster or brings memory back, for about @budget_ns:
 * until it says that nothing is left, IVF looks at all rows.
 * Return: 1: more is left; 0; -ENOMEM.
 */
int sl_vectors_step(struct sl_vectors *vectors, int64_t budget_ns);

/* How many there are; bytes that they and their index take. */
uint32_t sl_vectors_count(struct sl_vectors *vectors);
uint64_t sl_vectors_bytes(struct sl_vectors *vectors);

/* ---- searching -------------------------------------------------------------------------- */

/**
 * struct sl_query - what is looked for.
 * @vector: of the rows' kind and dimension. @k: how many. @effort: how hard to look, in the kind's
 *	own measure; 0: its default. @exact: look at all rows, all of which are in memory.
 * @oversampling: so many times @k candidates are held against the query by their rows; 0: what
 *	the quantiser needs. @estimates: the distances are those of the codes, no row is looked at,
 *	unless the index needs rows.
 * @allowed: a bit for each of the rows below @allowed_rows (others are not); NULL: all rows.
 * @allowed_n: how many of the bits are set (sl_vectors_search() counts them if it is 0).
 */
struct sl_query {
	const void *vector;
	uint32_t k;
	uint32_t effort;
	float oversampling;
	bool exact, estimates;
	const uint64_t *allowed;
	uint32_t allowed_rows;
	uint32_t allowed_n;
};

struct sl_hit {
	float distance;
	uint32_t row;
};

/**
 * sl_vectors_search() - the nearest rows, nearest first; of equal distance the lower row first.
 * @ret_hits: room for @query->k. Distances that are not numbers count as infinitely far.
 * Return: hits, fewer than k if there are no more; -ENOMEM.
 */
int sl_vectors_search(struct sl_vectors *vectors, const struct sl_query *query,
		      struct sl_hit *ret_hits);

/**
 * sl_vectors_search_many() - @n searches at once, which may cost less than one after the other.
 * @ret_hits: for each query the room of its k, one behind the other. @ret_n: hits of each.
 * Return: 0; -ENOMEM.
 */
int sl_vectors_search_many(struct sl_vectors *vectors, const struct sl_query *queries, uint32_t n,
			   struct sl_hit *ret_hits, uint32_t *ret_n);

/* ---- keeping ---------------------------------------------------------------------------- */

/* Take and give all @n bytes. Return: 0; -errno, which ends the saving or loading. */
typedef int (*sl_write_fn)(void *arg, const void *data, size_t n);
typedef int (*sl_read_fn)(void *arg, void *ret_data, size_t n);

/* All rows and the index as it is, by calls of @write(@arg). Return: 0; what @write returned. */
int sl_vectors_save(struct sl_vectors *vectors, sl_write_fn write, void *arg);

/**
 * sl_vectors_load() - what was saved, by calls of @read(@arg). Any bytes may come.
 * Return: 0; -EBADMSG: it does not verify, or is of others than @conf says; -EINVAL: as of
 *	   sl_vectors_new(); -ENOMEM; what @read returned.
 */
int sl_vectors_load(const struct sl_vectors_conf *conf, sl_read_fn read, void *arg,
		    struct sl_vectors **ret_vectors);

#ifdef __cplusplus
}
#endif

#endif
