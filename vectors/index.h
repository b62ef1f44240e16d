/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Indexes: which rows of a collection are nearest to a query.
 *
 * A collection keeps the vectors of each of its named vectors as rows, numbered from 0 on; an index
 * keeps what finds them, made as its conf says (sluice/index.h). It belongs to one core, neither
 * parks nor reads, and a search between any two calls gives what was added and not removed.
 *
 * Rows need not stay in memory: a search is made in two steps then, between which the collection
 * reads those that the first step asks for.
 *
 * Order of parts: rows; making; changing; searching; in two steps; keeping.
 */
#ifndef VECTORS_INDEX_H
#define VECTORS_INDEX_H

#include <sluice/index.h>

/* ---- rows ------------------------------------------------------------------------------- */

/* Rows lie in chunks of so many, each row at a multiple of 64 bytes. */
#define SL_ROWS_A_CHUNK 1024u
#define SL_ROW_ALIGN 64u

/* No row. */
#define SL_ROW_NONE UINT32_MAX

/**
 * struct sl_rows - the vectors, kept by the collection.
 * @chunks: of SL_ROWS_A_CHUNK rows each; the list may be moved and grow between two calls, a chunk
 *	may not. @stride: bytes from a row to the next.
 * @partial: rows may not be in memory, those that sl_index_add() is given excepted, and all while
 *	sl_index_needs_rows() says so; their chunk may be NULL. @here: a bit for each that is; NULL:
 *	all whose chunk is.
 */
struct sl_rows {
	const uint8_t *const *chunks;
	size_t stride;
	bool partial;
	const uint64_t *here;
	uint32_t dim;
	enum sl_component component;
	enum sl_metric metric;
};

/* Whether @row is in memory. */
static inline bool sl_row_is_here(const struct sl_rows *rows, uint32_t row)
{
	if (rows->partial && rows->here)
		return rows->here[row / 64] >> row % 64 & 1;
	return !rows->partial || rows->chunks[row / SL_ROWS_A_CHUNK];
}

static inline const void *sl_row(const struct sl_rows *rows, uint32_t row)
{
	return rows->chunks[row / SL_ROWS_A_CHUNK] + row % SL_ROWS_A_CHUNK * rows->stride;
}

/* ---- making ----------------------------------------------------------------------------- */

struct sl_index;

/* @rows outlives the index. Return: 0; -EINVAL: the quantiser cannot code them; -ENOMEM. */
int sl_index_new(const struct sl_index_conf *conf, const struct sl_rows *rows,
		 struct sl_index **ret_index);

/* Accepts NULL. */
void sl_index_free(struct sl_index *index);

/* ---- changing --------------------------------------------------------------------------- */

/**
 * sl_index_add() - @row, whose vector is there and stays as it is until it is removed, is found
 * from now on. Return: 0; -EEXIST; -ENOMEM: nothing was changed.
 */
int sl_index_add(struct sl_index *index, uint32_t row);

/* @row is not found any more; its vector may go. Return: 0; -ENOENT. */
int sl_index_remove(struct sl_index *index, uint32_t row);

/**
 * sl_index_step() - work that makes searches faster or brings memory back, for about @budget_ns.
 * Return: 1: more is left; 0; -ENOMEM.
 */
int sl_index_step(struct sl_index *index, int64_t budget_ns);

/* Whether the index may look at rows by itself, so that all of them have to be in memory. */
bool sl_index_needs_rows(const struct sl_index *index);

/* Whether @row is found; how many are. */
bool sl_index_has(const struct sl_index *index, uint32_t row);
uint32_t sl_index_count(const struct sl_index *index);

/* Memory that the index has taken, without the rows. */
uint64_t sl_index_bytes(const struct sl_index *index);

/* ---- searching -------------------------------------------------------------------------- */

/**
 * sl_index_effort() - an effort that does not depend on the kind, as the effort of this index.
 * @nearest: as a graph would keep so many meanwhile; of more the recall is higher. 0: the default.
 */
uint32_t sl_index_effort(const struct sl_index *index, uint32_t nearest);

/* Whether @query may give @row, so far as it says. */
static inline bool sl_query_allows(const struct sl_query *query, uint32_t row)
{
	return !query->allowed || (row < query->allowed_rows &&
				   query->allowed[row / 64] >> row % 64 & 1);
}

/* Memory of searches, of one core; grows as needed, and is kept. */
struct sl_scratch;

int sl_scratch_new(struct sl_scratch **ret_scratch);
void sl_scratch_free(struct sl_scratch *scratch);

/**
 * sl_index_search() - the nearest rows, nearest first; of equal distance the lower row first.
 * @ret_hits: room for @query->k. Distances that are not numbers count as infinitely far.
 * Return: hits, fewer than k if there are no more; or -ENOMEM.
 */
int sl_index_search(struct sl_index *index, const struct sl_query *query, struct sl_hit *ret_hits,
		    struct sl_scratch *scratch);

/**
 * sl_index_search_many() - @n searches at once, which may cost less than one after the other.
 * @ret_hits: for each query the room of its k, one behind the other. @ret_n: hits of each.
 * Return: 0 or -ENOMEM.
 */
int sl_index_search_many(struct sl_index *index, const struct sl_query *queries, uint32_t n,
			 struct sl_hit *ret_hits, uint32_t *ret_n, struct sl_scratch *scratch);

/* ---- in two steps ----------------------------------------------------------------------- */

/* Candidates of a search that is not exact, at the most. */
uint32_t sl_index_candidates_max(const struct sl_index *index, const struct sl_query *query);

/**
 * sl_index_candidates() - the first step: rows that are worth to be held against the query.
 * @ret_hits: room for sl_index_candidates_max(); the distances are estimates, the nearest first.
 * Return: how many; or -ENOMEM.
 */
int sl_index_candidates(struct sl_index *index, const struct sl_query *query,
			struct sl_hit *ret_hits, struct sl_scratch *scratch);

/**
 * sl_index_rescore() - the second: the nearest of @n candidates, and of what earlier calls found.
 * @candidates: not those whose row was removed since. @vectors: of each of them.
 * @hits: room for @query->k; the first @found are what earlier calls gave.
 * Return: hits, nearest first.
 */
uint32_t sl_index_rescore(const struct sl_index *index, const struct sl_query *query,
			  const struct sl_hit *candidates, const void *const *vectors, uint32_t n,
			  struct sl_hit *hits, uint32_t found);

/* ---- keeping ---------------------------------------------------------------------------- */

/*
 * An index that was lost is the one that was saved and the changes since, made again in their
 * order: no link or code need be logged, as rows are added as fast as they were (HNSW 7,000 rows
 * of 784 components a second, IVF 50,000), and give the same recall. What is saved names rows by
 * their numbers only; a row whose number was used again since is removed and added anew.
 */

/**
 * sl_index_save() - all that the index needs to be as it is, by calls of @write(@arg, data, n),
 * which return 0 or -errno. Return: 0 or what @write returned.
 */
int sl_index_save(struct sl_index *index, sl_write_fn write, void *arg);

/**
 * sl_index_load() - the index that was saved, by calls of @read(@arg, data, n), which fill all n
 * bytes or return -errno. @rows hold what they held. Any bytes may come.
 * Return: 0; -EBADMSG: it does not verify; -ENOMEM; or what @read returned.
 */
int sl_index_load(const struct sl_index_conf *conf, const struct sl_rows *rows, sl_read_fn read,
		  void *arg, struct sl_index **ret_index);

#endif
