/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repair of the graph: a pass takes the dead nodes out of it and sees to it that each of the others
 * is reached.
 *
 * Interface: hnsw_pvt.h. First each node that links to a dead one gets links anew, from its own
 * and those of the dead; then nobody links to those that were dead when the pass began, for new
 * links are to the living only, and their numbers are free. Then all is walked from the entry, and
 * what was not reached is linked from near it. Searches, adding and removing may come between any
 * two steps: who dies in a pass is left for the next.
 *
 * Order of parts: linking anew; freeing; reaching; steps.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hnsw_pvt.h"

/* A pass is worth its while with one dead node in so many, or one new one. */
enum { DEAD_PART = 16, NEW_PART = 2, NODES_MIN = 1024 };

/* Nodes from one look at the time to the next. */
enum { BETWEEN_LOOKS = 16 };

/* ---- linking anew ----------------------------------------------------------------------- */

/* Whether @node was dead when this pass began. */
static bool is_old(const struct hnsw *h, uint32_t node)
{
	return *hnsw_state(h, node) == (h->repair.pass & 1 ? HNSW_DEAD_EVEN : HNSW_DEAD_ODD);
}

struct anew {
	struct sl_hit *hits;
	uint32_t n;
};

static void consider(const struct hnsw *h, struct anew *a, uint32_t node, uint32_t other)
{
	if (other == node || !hnsw_alive(h, other))
		return;
	a->hits[a->n++] = (struct sl_hit){hnsw_between(h, node, other), other};
}

static int by_nearness(const void *a, const void *b)
{
	const struct sl_hit *x = a, *y = b;

	return hit_before(*x, *y) ? -1 : hit_before(*y, *x);
}

static void drop_twins(struct anew *a)
{
	uint32_t n = 0;

	qsort(a->hits, a->n, sizeof(a->hits[0]), by_nearness);
	for (uint32_t i = 0; i < a->n; i++)
		if (!n || a->hits[n - 1].row != a->hits[i].row)
			a->hits[n++] = a->hits[i];
	a->n = n;
}

static void relink(struct hnsw *h, uint32_t node, uint32_t level)
{
	const uint32_t *links = hnsw_links(h, node, level);
	uint32_t width = hnsw_width(h, level);
	struct anew a = {h->repair.anew, 0};
	bool dead = false;

	for (uint32_t i = 0; i < width && links[i] != SL_ROW_NONE; i++) {
		const uint32_t *beyond = hnsw_links(h, links[i], level);

		if (hnsw_alive(h, links[i])) {
			consider(h, &a, node, links[i]);
			continue;
		}
		dead = true;
		for (uint32_t j = 0; j < width && beyond[j] != SL_ROW_NONE; j++)
			consider(h, &a, node, beyond[j]);
	}
	if (!dead)
		return;
	drop_twins(&a);
	hnsw_set_links(h, node, level, a.hits, hnsw_choose(h, a.hits, a.n, width));
}

static void relink_levels(struct hnsw *h, uint32_t node)
{
	if (*hnsw_state(h, node) == HNSW_FREE || is_old(h, node))
		return;
	for (uint32_t level = 0; level <= hnsw_level(h, node); level++)
		relink(h, node, level);
}

/* ---- freeing ---------------------------------------------------------------------------- */

/* The entry is one of the highest that live. */
static void choose_entry(struct hnsw *h)
{
	h->entry = SL_ROW_NONE;
	h->level = 0;
	for (uint32_t node = 0; node < h->nodes; node++) {
		uint32_t level = hnsw_level(h, node);

		if (*hnsw_state(h, node) == HNSW_FREE ||
		    (h->entry != SL_ROW_NONE && level <= h->level))
			continue;
		h->entry = node;
		h->level = level;
	}
}

static void release(struct hnsw *h, uint32_t node)
{
	uint32_t **upper = &hnsw_chunk(h, node)->upper[node % HNSW_NODES_A_CHUNK];

	h->upper_bytes -= *upper ? (1 + **upper * h->m) * sizeof(**upper) : 0;
	free(*upper);
	*upper = NULL;
	*hnsw_state(h, node) = HNSW_FREE;
	h->spare[h->spare_n++] = node;
	h->dead--;
}

static void release_old(struct hnsw *h)
{
	for (uint32_t node = h->nodes; node--;)
		if (is_old(h, node))
			release(h, node);
	if (h->entry != SL_ROW_NONE && *hnsw_state(h, h->entry) == HNSW_FREE)
		choose_entry(h);
}

/* ---- reaching --------------------------------------------------------------------------- */

static void reach(struct hnsw_repair *r, uint32_t node)
{
	uint64_t bit = UINT64_C(1) << node % 64;

	/* those that came since the pass began are of the next */
	if (node >= r->nodes || r->reached[node / 64] & bit)
		return;
	r->reached[node / 64] |= bit;
	r->queue[r->queue_n++] = node;
}

static int begin_reach(struct hnsw *h)
{
	struct hnsw_repair *r = &h->repair;

	r->nodes = h->nodes;
	r->queue = malloc(sl_max(r->nodes, 1u) * sizeof(*r->queue));
	r->reached = calloc(r->nodes / 64 + 1, sizeof(*r->reached));
	if (!r->queue || !r->reached) {
		free(r->queue);
		free(r->reached);
		r->queue = NULL;
		r->reached = NULL;
		r->nodes = 0;
		return -ENOMEM;
	}
	r->phase = HNSW_REACH;
	r->at = r->queue_n = 0;
	if (h->entry != SL_ROW_NONE)
		reach(r, h->entry);
	return 0;
}

static void end_reach(struct hnsw_repair *r)
{
	free(r->queue);
	free(r->reached);
	r->queue = NULL;
	r->reached = NULL;
	r->nodes = 0;
	r->phase = HNSW_IDLE;
}

/* Links to @node from the nearest that has room, else from the nearest, for its last. */
static void link_from_near(struct hnsw *h, uint32_t node)
{
	struct hnsw_walk w = {.hits = h->pool, .room = h->ef_add, .asked = hnsw_asked(h, node)};
	uint32_t width = hnsw_width(h, 0), *last = NULL;

	hnsw_descend(h, &w, 0);
	hnsw_walk(h, &w, 0);
	for (uint32_t i = 0; i < w.n; i++) {
		uint32_t *links = hnsw_links(h, w.hits[i].row, 0);

		if (w.hits[i].row == node || !hnsw_alive(h, w.hits[i].row))
			continue;
		last = last ? last : &links[width - 1];
		for (uint32_t j = 0; j < width; j++)
			if (links[j] == node)
				return;
		if (links[width - 1] != SL_ROW_NONE)
			continue;
		for (last = links; *last != SL_ROW_NONE;)
			last++;
		break;
	}
	if (last)
		*last = node;
}

/* Return: whether there was any left. */
static bool reach_more(struct hnsw *h)
{
	struct hnsw_repair *r = &h->repair;

	if (r->queue_n) {
		uint32_t node = r->queue[--r->queue_n];
		const uint32_t *links = hnsw_links(h, node, 0);

		for (uint32_t i = 0; i < 2 * h->m && links[i] != SL_ROW_NONE; i++)
			reach(r, links[i]);
		return true;
	}
	for (; r->at < r->nodes; r->at++) {
		if (!hnsw_alive(h, r->at) || r->reached[r->at / 64] >> r->at % 64 & 1)
			continue;
		link_from_near(h, r->at);
		reach(r, r->at);
		return true;
	}
	return false;
}

/* ---- steps ------------------------------------------------------------------------------ */

static bool is_due(const struct hnsw *h)
{
	uint64_t new = h->added - h->added_before;

	return h->dead * (uint64_t)DEAD_PART > h->nodes ||
	       (new > NODES_MIN &&new *NEW_PART > h->nodes);
}

static int begin(struct hnsw *h)
{
	size_t width = hnsw_width(h, 0);

	if (!h->repair.anew)
		h->repair.anew = malloc(width * width * sizeof(*h->repair.anew));
	if (!h->repair.anew)
		return -ENOMEM;
	h->repair.phase = HNSW_RELINK;
	h->repair.pass++;
	h->repair.at = 0;
	h->added_before = h->added;
	return 0;
}

static int advance(struct hnsw *h)
{
	struct hnsw_repair *r = &h->repair;

	if (r->phase == HNSW_REACH) {
		if (!reach_more(h))
			end_reach(r);
		return 0;
	}
	if (r->at < h->nodes) {
		relink_levels(h, r->at++);
		return 0;
	}
	release_old(h);
	return begin_reach(h);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SL_SEC + t.tv_nsec;
}

int hnsw_step(struct sl_index *index, int64_t budget_ns)
{
	struct hnsw *h = (struct hnsw *)index;
	int64_t end = now() + budget_ns;
	int err = 0;

	if (h->repair.phase == HNSW_IDLE) {
		if (!is_due(h))
			return 0;
		err = begin(h);
	}
	while (!err && h->repair.phase != HNSW_IDLE) {
		for (int i = 0; !err && i < BETWEEN_LOOKS && h->repair.phase != HNSW_IDLE; i++)
			err = advance(h);
		if (now() >= end)
			break;
	}
	return err ? err : h->repair.phase != HNSW_IDLE || is_due(h);
}
