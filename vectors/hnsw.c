/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HNSW: a graph whose links lead from far to near, searched by walking it.
 *
 * Interface: index_pvt.h. The graph itself is hnsw_graph.c, what walks look at hnsw_codes.c, what
 * makes good for removed rows hnsw_repair.c, keeping hnsw_save.c; they share hnsw_pvt.h.
 *
 * A search walks by codes, and gives the nearest by these as candidates. Where few rows are allowed
 * it looks at the codes of all of these instead. Rows are looked at when they are added only.
 *
 * Order of parts: memory; making; changing; searching; the kind.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hnsw_pvt.h"

enum { M = 16, EF_ADD = 128 };

/* ---- memory ----------------------------------------------------------------------------- */

static void chunk_free(struct hnsw_chunk *chunk)
{
	if (!chunk)
		return;
	for (uint32_t i = 0; i < HNSW_NODES_A_CHUNK; i++)
		free(chunk->upper[i]);
	free(chunk);
}

static struct hnsw_chunk *chunk_new(struct hnsw *h)
{
	struct hnsw_chunk *chunk = calloc(1, sizeof(*chunk));

	if (!chunk)
		return NULL;
	if (!h->codes.chunk_bytes) {
		sl_slabs_init(&h->codes, HNSW_NODES_A_CHUNK * h->stride);
		sl_slabs_init(&h->links, HNSW_NODES_A_CHUNK * 2 * h->m * sizeof(*chunk->links));
	}
	chunk->codes = sl_slabs_take(&h->codes);
	chunk->links = sl_slabs_take(&h->links);
	if (!chunk->codes || !chunk->links) {
		chunk_free(chunk);
		return NULL;
	}
	return chunk;
}

/* Room for twice as many, or @want, in *@p, of @bytes each. Return: how many; 0: out of memory. */
static size_t grow(void *p, size_t n, size_t want, size_t bytes)
{
	size_t room = sl_max(want, n * 2);
	void *was, *is;

	memcpy(&was, p, sizeof(was));
	is = realloc(was, room * bytes);
	if (!is)
		return 0;
	memcpy(p, &is, sizeof(is));
	return room;
}

static int add_chunk(struct hnsw *h)
{
	uint32_t n = h->chunks_n;
	size_t at = (size_t)n * HNSW_NODES_A_CHUNK, room = at + HNSW_NODES_A_CHUNK;

	/* as many spare numbers as nodes, so that giving memory back needs none */
	if (!(n & (n - 1)) && (!grow(&h->chunks, n, 1, sizeof(struct hnsw_chunk *)) ||
			       !grow(&h->visited, at, room, sizeof(*h->visited)) ||
			       !grow(&h->spare, at, room, sizeof(*h->spare))))
		return -ENOMEM;
	memset(h->visited + at, 0, HNSW_NODES_A_CHUNK * sizeof(*h->visited));
	h->chunks[n] = chunk_new(h);
	if (!h->chunks[n])
		return -ENOMEM;
	h->chunks_n++;
	return 0;
}

int hnsw_reserve_nodes(struct hnsw *h, uint32_t nodes)
{
	int err = nodes > HNSW_NODES_MAX ? -ENOMEM : 0;

	while (!err && (uint64_t)h->chunks_n * HNSW_NODES_A_CHUNK < nodes)
		err = add_chunk(h);
	return err;
}

int hnsw_reserve_rows(struct hnsw *h, uint32_t rows)
{
	size_t room;

	if (rows <= h->rows_room)
		return 0;
	room = grow(&h->node_of, sl_min(h->rows_room, UINT32_MAX / 2), rows, sizeof(*h->node_of));
	if (!room)
		return -ENOMEM;
	h->rows_room = (uint32_t)room;
	return 0;
}

static uint64_t memory(const struct sl_index *index)
{
	const struct hnsw *h = (const struct hnsw *)index;
	uint64_t node =
		h->stride + 2 * h->m * sizeof(uint32_t) + sizeof(*h->visited) + sizeof(*h->spare);

	return h->chunks_n * (HNSW_NODES_A_CHUNK * node + sizeof(struct hnsw_chunk)) +
	       h->rows_room * sizeof(*h->node_of) + h->upper_bytes +
	       2 * (h->ef_add + 1) * sizeof(*h->pool) + h->repair.nodes * sizeof(*h->repair.queue) +
	       h->repair.nodes / 8 + hnsw_codes_memory(h);
}

/* ---- making ----------------------------------------------------------------------------- */

static void done(struct sl_index *index)
{
	struct hnsw *h = (struct hnsw *)index;

	for (uint32_t i = 0; i < h->chunks_n; i++)
		chunk_free(h->chunks[i]);
	sl_slabs_done(&h->codes);
	sl_slabs_done(&h->links);
	free(h->chunks);
	free(h->visited);
	free(h->spare);
	free(h->node_of);
	free(h->repair.anew);
	free(h->repair.queue);
	free(h->repair.reached);
	free(h->pool);
	free(h->chosen);
	hnsw_codes_done(h);
}

static int init(struct sl_index *index)
{
	struct hnsw *h = (struct hnsw *)index;
	int err;

	h->m = index->conf.links ? sl_min(sl_max(index->conf.links, 2u), HNSW_M_MAX) : M;
	h->ef_add = index->conf.effort_add ? sl_max(index->conf.effort_add, h->m) : EF_ADD;
	h->entry = SL_ROW_NONE;
	err = hnsw_codes_init(h);
	h->pool = malloc((h->ef_add + 1) * sizeof(*h->pool));
	h->chosen = malloc((h->ef_add + 1) * sizeof(*h->chosen));
	if (!err && (!h->pool || !h->chosen))
		err = -ENOMEM;
	if (err)
		done(index);
	return err;
}

/* ---- changing --------------------------------------------------------------------------- */

/* One of @m nodes is on a level above. */
static uint32_t draw_level(const struct hnsw *h)
{
	uint64_t random = sl_mix64(h->index.conf.seed + h->added * UINT64_C(0x9e3779b97f4a7c15));
	double u = ((double)(random >> 11) + 1) / (double)(UINT64_C(1) << 53);

	return sl_min((uint32_t)(-log(u) / log(h->m)), HNSW_LEVEL_MAX);
}

/* 4, 16, 64, ...: by then the rows may have another range. */
static bool to_calibrate(const struct hnsw *h)
{
	uint32_t n = h->index.n;

	return !(n & (n - 1)) && n & 0x55555555;
}

static int add(struct sl_index *index, uint32_t row)
{
	struct hnsw *h = (struct hnsw *)index;
	uint32_t node = h->spare_n ? h->spare[h->spare_n - 1] : h->nodes;
	uint32_t level = draw_level(h), *upper = NULL;
	size_t bytes = (1 + level * h->m) * sizeof(*upper);

	if (hnsw_reserve_nodes(h, node + 1) || hnsw_reserve_rows(h, row + 1))
		return -ENOMEM;
	if (level) {
		upper = malloc(bytes);
		if (!upper)
			return -ENOMEM;
		upper[0] = level;
		h->upper_bytes += bytes;
	}
	if (h->spare_n)
		h->spare_n--;
	else
		h->nodes++;
	hnsw_chunk(h, node)->upper[node % HNSW_NODES_A_CHUNK] = upper;
	hnsw_chunk(h, node)->rows[node % HNSW_NODES_A_CHUNK] = row;
	*hnsw_state(h, node) = HNSW_LIVE;
	h->node_of[row] = node;
	h->added++;
	if (to_calibrate(h))
		hnsw_calibrate(h);
	quantiser_encode(h->q, sl_row(index->rows, row), hnsw_code(h, node));
	hnsw_insert(h, node);
	return 0;
}

static void remove_row(struct sl_index *index, uint32_t row)
{
	struct hnsw *h = (struct hnsw *)index;

	*hnsw_state(h, h->node_of[row]) = h->repair.pass & 1 ? HNSW_DEAD_ODD : HNSW_DEAD_EVEN;
	h->dead++;
}

/* ---- searching -------------------------------------------------------------------------- */

/* What a search works on: the query as prepared, and so many nearest by code. */
struct looked {
	void *asked;
	struct sl_hit *hits;
};

static struct looked look(struct hnsw *h, const struct sl_query *query, size_t room,
			  struct sl_scratch *scratch)
{
	size_t bytes = sl_round_up(h->q->query_bytes, SL_ROW_ALIGN);
	struct looked l = {scratch_room(scratch, bytes + room * sizeof(struct sl_hit)), NULL};

	if (!l.asked)
		return l;
	l.hits = (struct sl_hit *)(void *)((uint8_t *)l.asked + bytes);
	quantiser_prepare(h->q, query->vector, l.asked);
	return l;
}

static uint32_t candidates_max(const struct sl_index *index, const struct sl_query *query)
{
	return quantiser_candidates(((const struct hnsw *)index)->q, index, query);
}

/* The first of @n nodes, as rows. */
static int give(const struct hnsw *h, const struct sl_query *query, const struct sl_hit *hits,
		uint32_t n, struct sl_hit *ret_hits)
{
	n = sl_min(n, candidates_max(&h->index, query));
	for (uint32_t i = 0; i < n; i++)
		ret_hits[i] = (struct sl_hit){quantiser_real(h->q, hits[i].distance),
					      hnsw_row(h, hits[i].row)};
	return (int)n;
}

/* By the codes of all that is allowed. */
static int scan(struct hnsw *h, const struct sl_query *query, struct sl_hit *ret_hits,
		struct sl_scratch *scratch)
{
	struct nearest nearest = {.k = candidates_max(&h->index, query)};
	struct looked l = look(h, query, nearest.k, scratch);

	if (!l.asked)
		return -ENOMEM;
	nearest.hits = l.hits;
	for (uint32_t word = 0; word < h->index.live_words; word++) {
		uint64_t left = index_candidates(&h->index, query, word);
		const uint8_t *codes[64];
		uint32_t nodes[64], n = 0;
		float far[64];

		for (; left; left &= left - 1, n++) {
			nodes[n] = h->node_of[word * 64 + (uint32_t)__builtin_ctzll(left)];
			codes[n] = hnsw_code(h, nodes[n]);
			ask_for(codes[n], h->q->code_bytes);
		}
		if (n)
			quantiser_distances(h->q, l.asked, codes, n, far);
		for (uint32_t i = 0; i < n; i++)
			nearest_put(&nearest, (struct sl_hit){far[i], nodes[i]});
	}
	return give(h, query, l.hits, nearest_sort(&nearest), ret_hits);
}

/* How many nearest a walk keeps. */
static uint32_t ef_of(const struct sl_index *index, const struct sl_query *query)
{
	uint32_t ef = query->effort ? query->effort : INDEX_NEAREST;

	return sl_min(sl_max(ef, candidates_max(index, query)), index->n);
}

/**
 * costs_less() - whether to look at @may codes, one behind the other, costs less than a walk, which
 * looks at some m nodes for each that it keeps, here and there, and under a filter at more links.
 */
static bool costs_less(const struct hnsw *h, const struct sl_query *query, uint32_t may,
		       uint32_t ef)
{
	enum { SCAN_NS = 6, SCAN_BYTES_A_NS = 20, WALK_NS = 30, WALK_BYTES_A_NS = 8 };
	enum { FILTER_NS = 3000 };
	uint64_t each = SCAN_NS + h->q->code_bytes / SCAN_BYTES_A_NS;
	uint64_t hop = h->m * (WALK_NS + h->q->code_bytes / WALK_BYTES_A_NS);

	return may * each <= ef * (hop + (query->allowed ? FILTER_NS : 0));
}

/* A walk that may give only some begins at a few of these as well, wherever they are. */
static void start_from_allowed(struct hnsw *h, struct hnsw_walk *w)
{
	enum { STARTS = 32 };
	uint32_t words = h->index.live_words, step = words / STARTS + 1;

	for (uint32_t word = 0, next = 0; word < words; word++) {
		uint64_t left = index_candidates(&h->index, w->query, word);

		if (word < next || !left)
			continue;
		hnsw_start_from(h, w, h->node_of[word * 64 + (uint32_t)__builtin_ctzll(left)]);
		next = word + step;
	}
}

/* A walk that keeps @ef. Return: how many of these, which come first now, may be given. */
static uint32_t walk(struct hnsw *h, const struct sl_query *query, const struct looked *l,
		     uint32_t ef, bool picky)
{
	struct hnsw_walk w = {.hits = l->hits, .room = ef, .asked = l->asked};
	uint32_t n = 0;

	hnsw_descend(h, &w, 0);
	if (picky) {
		w.query = query;
		start_from_allowed(h, &w);
	}
	hnsw_walk(h, &w, 0);
	for (uint32_t i = 0; i < w.n; i++)
		if (hnsw_may_give(h, query, w.hits[i].row))
			w.hits[n++] = w.hits[i];
	return n;
}

/* Of those that may be given so many, in as many as there are of all. */
static uint32_t in_all(const struct sl_index *index, uint32_t may, uint32_t n)
{
	return (uint32_t)sl_min((uint64_t)n * index->n / sl_max(may, 1u), (uint64_t)index->n);
}

/**
 * candidates() - where most rows may be given a walk goes as if all might, and keeps more; unless
 * those are elsewhere: then, as where few may be given, it goes by these alone.
 */
static int candidates(struct sl_index *index, const struct sl_query *query, struct sl_hit *ret_hits,
		      struct sl_scratch *scratch)
{
	enum { MOST = 3, FAR_TIMES = 2 };
	struct hnsw *h = (struct hnsw *)index;
	uint32_t ef = ef_of(index, query), n = 0;
	uint32_t may = query->allowed ? sl_min(query->allowed_n, index->n) : index->n;
	bool most = may >= index->n / MOST, filtered = query->allowed;
	struct looked l;

	if (h->entry == SL_ROW_NONE || costs_less(h, query, may, ef))
		return scan(h, query, ret_hits, scratch);
	l = look(h, query, (size_t)ef * MOST * FAR_TIMES + 1, scratch);
	if (!l.asked)
		return -ENOMEM;
	if (most)
		n = walk(h, query, &l, in_all(index, may, ef), false);
	if (filtered && n < ef / 2)
		n = walk(h, query, &l, most ? ef * FAR_TIMES : ef, true);
	if (n < sl_min(query->k, may))
		return scan(h, query, ret_hits, scratch);
	return give(h, query, l.hits, n, ret_hits);
}

/* ---- the kind --------------------------------------------------------------------------- */

const struct index_kind index_hnsw = {
	.name = "hnsw",
	.bytes = sizeof(struct hnsw),
	.init = init,
	.done = done,
	.add = add,
	.remove = remove_row,
	.candidates_max = candidates_max,
	.candidates = candidates,
	.step = hnsw_step,
	.memory = memory,
	.save = hnsw_save,
	.load = hnsw_load,
};
