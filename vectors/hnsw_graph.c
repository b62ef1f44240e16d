/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HNSW's graph: walks to the nearest nodes, and linking a new one (Malkov and Yashunin, 2016).
 *
 * Interface: hnsw_pvt.h. A walk keeps only nodes that may be given; where a link leads to another,
 * removed or not allowed, it looks at that one's links too, as long as there are fewer that may be
 * given than a node has links (Patel and others, ACORN, 2024), so that what is allowed stays
 * reachable however little of all it is.
 *
 * Order of parts: the nearest so far; following links; choosing links; linking.
 */
#include <string.h>

#include "hnsw_pvt.h"

/* ---- the nearest so far ----------------------------------------------------------------- */

static void put(struct hnsw_walk *w, float distance, uint32_t node)
{
	uint32_t low = 0, high = w->n;

	if (w->n == w->room && !(distance < w->hits[w->n - 1].distance))
		return;
	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (w->hits[mid].distance <= distance)
			low = mid + 1;
		else
			high = mid;
	}
	w->n = sl_min(w->n + 1, w->room);
	memmove(&w->hits[low + 1], &w->hits[low], (w->n - 1 - low) * sizeof(*w->hits));
	w->hits[low] = (struct sl_hit){distance, node};
	w->next = sl_min(w->next, low);
}

void hnsw_sort(struct sl_hit *hits, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		struct sl_hit hit = hits[i];
		uint32_t at = i;

		for (; at && hit_before(hit, hits[at - 1]); at--)
			hits[at] = hits[at - 1];
		hits[at] = hit;
	}
}

/* ---- following links -------------------------------------------------------------------- */

bool hnsw_may_give(const struct hnsw *h, const struct sl_query *query, uint32_t node)
{
	uint32_t row = hnsw_row(h, node);

	if (!hnsw_alive(h, node))
		return false;
	return !query || sl_query_allows(query, row);
}

/* Whether this walk has not been at @node before. */
static inline bool visit(struct hnsw *h, uint32_t node)
{
	if (h->visited[node] == h->epoch)
		return false;
	h->visited[node] = h->epoch;
	return true;
}

static void new_epoch(struct hnsw *h)
{
	if (++h->epoch)
		return;
	memset(h->visited, 0, h->chunks_n * HNSW_NODES_A_CHUNK * sizeof(*h->visited));
	h->epoch = 1;
}

static inline void fetch(const struct hnsw *h, uint32_t node)
{
	const uint8_t *code = hnsw_code(h, node);

	for (size_t i = 0; i < h->stride; i += 64)
		__builtin_prefetch(code + i);
}

/**
 * struct batch - what is looked at for one node: its links, and those of its links that may not be
 * given. @met: how many may be given, new or not.
 */
struct batch {
	uint32_t nodes[4 * HNSW_M_MAX];
	uint32_t n, met;
};

/* New nodes among @node's links, of those that may be given if @picky. */
static void gather(struct hnsw *h, const struct hnsw_walk *w, uint32_t node, uint32_t level,
		   bool picky, struct batch *b)
{
	const uint32_t *links = hnsw_links(h, node, level);
	uint32_t width = hnsw_width(h, level);

	for (uint32_t i = 0; i < width && links[i] != SL_ROW_NONE; i++) {
		if (picky && !hnsw_may_give(h, w->query, links[i]))
			continue;
		b->met++;
		if (!visit(h, links[i]))
			continue;
		fetch(h, links[i]);
		b->nodes[b->n++] = links[i];
	}
}

/* The links of those of @node's that may not be given, until there are enough. */
static void gather_beyond(struct hnsw *h, const struct hnsw_walk *w, uint32_t node, uint32_t level,
			  struct batch *b)
{
	const uint32_t *links = hnsw_links(h, node, level);
	uint32_t width = hnsw_width(h, level);

	for (uint32_t i = 0; i < width && links[i] != SL_ROW_NONE && b->met < width; i++)
		if (!hnsw_may_give(h, w->query, links[i]) && visit(h, links[i]))
			gather(h, w, links[i], level, true, b);
}

static void follow(struct hnsw *h, struct hnsw_walk *w, uint32_t node, uint32_t level, bool picky)
{
	struct batch b;
	const uint8_t *codes[SL_ARRAY_SIZE(b.nodes)];
	float distances[SL_ARRAY_SIZE(b.nodes)];

	b.n = b.met = 0;
	gather(h, w, node, level, picky, &b);
	if (picky)
		gather_beyond(h, w, node, level, &b);
	for (uint32_t i = 0; i < b.n; i++)
		codes[i] = hnsw_code(h, b.nodes[i]);
	quantiser_distances(h->q, w->asked, codes, b.n, distances);
	for (uint32_t i = 0; i < b.n; i++)
		put(w, distances[i], b.nodes[i]);
}

void hnsw_walk(struct hnsw *h, struct hnsw_walk *w, uint32_t level)
{
	bool picky = h->dead || (w->query && w->query->allowed);

	new_epoch(h);
	for (uint32_t i = 0; i < w->n; i++)
		visit(h, w->hits[i].row);
	for (w->next = 0; w->next < w->n;) {
		uint32_t node = w->hits[w->next].row;

		if (node & HNSW_FOLLOWED) {
			w->next++;
			continue;
		}
		w->hits[w->next].row |= HNSW_FOLLOWED;
		follow(h, w, node, level, picky);
	}
	for (uint32_t i = 0; i < w->n; i++)
		w->hits[i].row &= ~HNSW_FOLLOWED;
}

/* Goes on to nearer nodes, whether they may be given or not, until there is none. */
static void go_nearer(struct hnsw *h, struct hnsw_walk *w, uint32_t level)
{
	struct sl_hit best = w->hits[0];
	uint32_t from;

	do {
		const uint32_t *links = hnsw_links(h, from = best.row, level);

		for (uint32_t i = 0; i < h->m && links[i] != SL_ROW_NONE; i++)
			fetch(h, links[i]);
		for (uint32_t i = 0; i < h->m && links[i] != SL_ROW_NONE; i++) {
			struct sl_hit hit = {hnsw_distance(h, w->asked, links[i]), links[i]};

			if (hit.distance < best.distance)
				best = hit;
		}
	} while (best.row != from);
	w->hits[0] = best;
}

void hnsw_descend(struct hnsw *h, struct hnsw_walk *w, uint32_t level)
{
	w->hits[0] = (struct sl_hit){hnsw_distance(h, w->asked, h->entry), h->entry};
	w->n = 1;
	for (uint32_t l = h->level; l > level; l--)
		go_nearer(h, w, l);
}

void hnsw_start_from(struct hnsw *h, struct hnsw_walk *w, uint32_t node)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (w->hits[i].row == node)
			return;
	put(w, hnsw_distance(h, w->asked, node), node);
}

/* ---- choosing links --------------------------------------------------------------------- */

uint32_t hnsw_choose(const struct hnsw *h, struct sl_hit *candidates, uint32_t n, uint32_t max)
{
	uint32_t chosen = 0;

	for (uint32_t i = 0; i < n && chosen < max; i++) {
		struct sl_hit c = candidates[i];
		bool leads_on = true;

		for (uint32_t j = 0; j < chosen && leads_on; j++)
			leads_on = !(hnsw_between(h, c.row, candidates[j].row) < c.distance);
		if (leads_on) {
			candidates[i] = candidates[chosen];
			candidates[chosen++] = c;
		}
	}
	return chosen;
}

void hnsw_set_links(struct hnsw *h, uint32_t node, uint32_t level, const struct sl_hit *hits,
		    uint32_t n)
{
	uint32_t *links = hnsw_links(h, node, level), width = hnsw_width(h, level);

	SL_ASSERT(n <= width);
	for (uint32_t i = 0; i < width; i++)
		links[i] = i < n ? hits[i].row : SL_ROW_NONE;
}

/* ---- linking ---------------------------------------------------------------------------- */

/* @from links to @to as well, which may cost it another link. */
static void link_back(struct hnsw *h, uint32_t from, uint32_t to, float distance, uint32_t level)
{
	uint32_t *links = hnsw_links(h, from, level), width = hnsw_width(h, level), n = 0;
	struct sl_hit hits[2 * HNSW_M_MAX + 1];

	for (; n < width && links[n] != SL_ROW_NONE; n++)
		;
	if (n < width) {
		links[n] = to;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		fetch(h, links[i]);
	for (uint32_t i = 0; i < n; i++)
		hits[i] = (struct sl_hit){hnsw_between(h, from, links[i]), links[i]};
	hits[n++] = (struct sl_hit){distance, to};
	hnsw_sort(hits, n);
	hnsw_set_links(h, from, level, hits, hnsw_choose(h, hits, n, width));
}

static void link_level(struct hnsw *h, uint32_t node, struct hnsw_walk *w, uint32_t level)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n; i++)
		if (hnsw_alive(h, w->hits[i].row) && w->hits[i].row != node)
			h->chosen[n++] = w->hits[i];
	/* as far as they are from one another, not from a query */
	for (uint32_t i = 0; h->q->kind->rough && i < n; i++)
		h->chosen[i].distance = hnsw_between(h, node, h->chosen[i].row);
	if (h->q->kind->rough)
		hnsw_sort(h->chosen, n);
	n = hnsw_choose(h, h->chosen, n, h->m);
	hnsw_set_links(h, node, level, h->chosen, n);
	for (uint32_t i = 0; i < n; i++)
		link_back(h, h->chosen[i].row, node, h->chosen[i].distance, level);
}

void hnsw_insert(struct hnsw *h, uint32_t node)
{
	struct hnsw_walk w = {.hits = h->pool, .room = h->ef_add, .asked = hnsw_asked(h, node)};
	uint32_t level = hnsw_level(h, node);

	for (uint32_t l = 0; l <= level; l++)
		hnsw_set_links(h, node, l, NULL, 0);
	if (h->entry == SL_ROW_NONE) {
		h->entry = node;
		h->level = level;
		return;
	}
	hnsw_descend(h, &w, level);
	for (uint32_t l = sl_min(level, h->level) + 1; l--;) {
		hnsw_walk(h, &w, l);
		link_level(h, node, &w, l);
	}
	if (level > h->level) {
		h->entry = node;
		h->level = level;
	}
}
