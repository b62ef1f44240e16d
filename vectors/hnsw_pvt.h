/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HNSW, shared by its files: the graph's memory, codes, walks, repair.
 *
 * A row that is added gets a node; nodes, not rows, are linked, so that a removed row's number may
 * be used again while its node still leads on to others. A node has a code, which is all that walks
 * look at, by the index's quantiser.
 *
 * Order of parts: nodes; the index; codes; walks; repair; keeping.
 */
#ifndef VECTORS_HNSW_PVT_H
#define VECTORS_HNSW_PVT_H

#include "quant.h"
#include "slabs.h"

/* ---- nodes ------------------------------------------------------------------------------ */

#define HNSW_NODES_A_CHUNK 1024u
#define HNSW_LEVEL_MAX 15u
#define HNSW_M_MAX 64u
/* The top bit of a node's number marks in a walk that its links were followed. */
#define HNSW_NODES_MAX (UINT32_C(1) << 31)

/* A dead one was removed, and others link to it: in the pass before this, or in this (repair). */
enum hnsw_state { HNSW_FREE, HNSW_LIVE, HNSW_DEAD_EVEN, HNSW_DEAD_ODD, HNSW_STATE_LAST };

/**
 * struct hnsw_chunk - HNSW_NODES_A_CHUNK nodes.
 * @links: of level 0, 2 * m for each; fewer end with SL_ROW_NONE. @upper: NULL: level 0 only; else
 * its level, then m links of each level from 1 on. @rows: of those alive.
 */
struct hnsw_chunk {
	uint8_t *codes;
	uint32_t *links;
	uint32_t *upper[HNSW_NODES_A_CHUNK];
	uint32_t rows[HNSW_NODES_A_CHUNK];
	uint8_t states[HNSW_NODES_A_CHUNK];
};

/* ---- the index -------------------------------------------------------------------------- */

enum hnsw_phase { HNSW_IDLE, HNSW_RELINK, HNSW_REACH };

/**
 * struct hnsw_repair - a pass over the graph, in steps.
 * @pass: how many began; its lowest bit says which dead ones are of this. @at: next node.
 * @anew: room for what a node could link to. @queue: nodes that are reached and whose links are to
 * be followed, @queue_n of them.
 */
struct hnsw_repair {
	enum hnsw_phase phase;
	uint32_t pass, at;
	struct sl_hit *anew;
	uint64_t *reached;
	uint32_t *queue;
	uint32_t nodes, queue_n;
};

/**
 * struct hnsw - @codes, @links: of all chunks. @nodes: numbers in use are below that. @node_of: of
 * each row below @rows_room. @spare: free numbers below @nodes, @spare_n. @added: since the
 * beginning, and @added_before: when the last pass began. @visited: the epoch in which a walk came
 * by, of each node.
 * @stride: of codes. @asked: room for a node as a query, @points: for what two codes stand for.
 */
struct hnsw {
	struct sl_index index;
	struct hnsw_chunk **chunks;
	struct sl_slabs codes, links;
	uint32_t chunks_n, nodes;
	uint32_t *node_of;
	uint32_t rows_room;
	uint32_t *spare;
	uint32_t spare_n, dead;
	uint64_t added, added_before, upper_bytes;
	uint32_t m, ef_add, entry, level;
	uint16_t *visited;
	uint16_t epoch;
	struct quantiser *q;
	size_t stride;
	struct hnsw_repair repair;
	struct sl_hit *pool, *chosen;
	void *asked;
	float *points[2];
};

static inline struct hnsw_chunk *hnsw_chunk(const struct hnsw *h, uint32_t node)
{
	return h->chunks[node / HNSW_NODES_A_CHUNK];
}

static inline uint8_t *hnsw_code(const struct hnsw *h, uint32_t node)
{
	return hnsw_chunk(h, node)->codes + node % HNSW_NODES_A_CHUNK * h->stride;
}

static inline uint32_t *hnsw_upper(const struct hnsw *h, uint32_t node)
{
	return hnsw_chunk(h, node)->upper[node % HNSW_NODES_A_CHUNK];
}

static inline uint32_t hnsw_level(const struct hnsw *h, uint32_t node)
{
	const uint32_t *upper = hnsw_upper(h, node);

	return upper ? upper[0] : 0;
}

static inline uint32_t hnsw_width(const struct hnsw *h, uint32_t level)
{
	return level ? h->m : 2 * h->m;
}

static inline uint32_t *hnsw_links(const struct hnsw *h, uint32_t node, uint32_t level)
{
	if (level)
		return hnsw_upper(h, node) + 1 + (level - 1) * h->m;
	return hnsw_chunk(h, node)->links + node % HNSW_NODES_A_CHUNK * 2 * h->m;
}

static inline uint32_t hnsw_row(const struct hnsw *h, uint32_t node)
{
	return hnsw_chunk(h, node)->rows[node % HNSW_NODES_A_CHUNK];
}

static inline uint8_t *hnsw_state(const struct hnsw *h, uint32_t node)
{
	return &hnsw_chunk(h, node)->states[node % HNSW_NODES_A_CHUNK];
}

static inline bool hnsw_alive(const struct hnsw *h, uint32_t node)
{
	return *hnsw_state(h, node) == HNSW_LIVE;
}

/* Room for nodes below @nodes, and for rows below @rows. Return: 0 or -ENOMEM. */
int hnsw_reserve_nodes(struct hnsw *h, uint32_t nodes);
int hnsw_reserve_rows(struct hnsw *h, uint32_t rows);

/* ---- codes ------------------------------------------------------------------------------ */

int hnsw_codes_init(struct hnsw *h);
void hnsw_codes_done(struct hnsw *h);

/* The quantiser, which is the index's from now on, whatever comes of it. Return: 0 or -ENOMEM. */
int hnsw_codes_set(struct hnsw *h, struct quantiser *q);
uint64_t hnsw_codes_memory(const struct hnsw *h);

/* Trains the quantiser with what the rows hold by now, and makes all codes again if it has to. */
void hnsw_calibrate(struct hnsw *h);

static inline float hnsw_distance(const struct hnsw *h, const void *asked, uint32_t node)
{
	return quantiser_distance(h->q, asked, hnsw_code(h, node));
}

/* @node as a query, until the next call. */
const void *hnsw_asked(struct hnsw *h, uint32_t node);

/* How far @a and @b are from one another: by their rows, where codes are not made for that. */
float hnsw_between(const struct hnsw *h, uint32_t a, uint32_t b);

/* ---- walks ------------------------------------------------------------------------------ */

/**
 * struct hnsw_walk - the nearest nodes so far, nearest first; hits hold nodes, not rows.
 * @next: the nearest whose links were not followed. @asked: as prepared. @query: NULL:
 * all that are alive may be given.
 */
struct hnsw_walk {
	struct sl_hit *hits;
	uint32_t n, room, next;
	const void *asked;
	const struct sl_query *query;
};

#define HNSW_FOLLOWED (UINT32_C(1) << 31)

/* Whether a search may give @node. */
bool hnsw_may_give(const struct hnsw *h, const struct sl_query *query, uint32_t node);

/* From the entry down to above @level: @w holds the nearest node there. */
void hnsw_descend(struct hnsw *h, struct hnsw_walk *w, uint32_t level);

/* @node, at least on level 0, is one of those that a walk begins at. */
void hnsw_start_from(struct hnsw *h, struct hnsw_walk *w, uint32_t node);

/* The nearest at @level, from what @w holds on. @ends without HNSW_FOLLOWED. */
void hnsw_walk(struct hnsw *h, struct hnsw_walk *w, uint32_t level);

/**
 * hnsw_choose() - of @n candidates, nearest first, those that lead into different directions.
 * Return: how many, at most @max, are now the first.
 */
uint32_t hnsw_choose(const struct hnsw *h, struct sl_hit *candidates, uint32_t n, uint32_t max);

void hnsw_set_links(struct hnsw *h, uint32_t node, uint32_t level, const struct sl_hit *hits,
		    uint32_t n);

/* Links @node, whose code is there, at its levels. */
void hnsw_insert(struct hnsw *h, uint32_t node);

void hnsw_sort(struct sl_hit *hits, uint32_t n);

/* ---- repair ----------------------------------------------------------------------------- */

int hnsw_step(struct sl_index *index, int64_t budget_ns);

/* ---- keeping ---------------------------------------------------------------------------- */

int hnsw_save(const struct sl_index *index, struct index_out *out);
int hnsw_load(struct sl_index *index, struct index_in *in);

#endif
