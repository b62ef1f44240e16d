/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeping a graph: links and codes are saved and loaded as they are, so that nothing is made again.
 *
 * Interface: hnsw_pvt.h. After a header and the quantiser each node has its state, level and row,
 * and, if it is not free, its links of each level and its code. What is loaded is checked before it
 * is walked: each link leads to a node that is there, and on that level.
 *
 * Order of parts: what is saved; saving; loading; checking.
 */
#include <errno.h>
#include <stdlib.h>

#include "hnsw_pvt.h"

/* ---- what is saved ---------------------------------------------------------------------- */

struct header {
	uint64_t added;
	uint32_t m, nodes, entry, level;
};

struct node {
	uint32_t row;
	uint8_t state, level, zero[2];
};

static_assert(sizeof(struct header) == 24, "as in the format");
static_assert(sizeof(struct node) == 8, "as in the format");

/* ---- saving ----------------------------------------------------------------------------- */

static int save_node(const struct hnsw *h, uint32_t i, struct index_out *out)
{
	struct node node = {
		.row = hnsw_row(h, i),
		.state = *hnsw_state(h, i),
		.level = (uint8_t)hnsw_level(h, i),
	};
	int err = index_write(out, &node, sizeof(node));

	if (err || node.state == HNSW_FREE)
		return err;
	for (uint32_t level = 0; !err && level <= node.level; level++)
		err = index_write(out, hnsw_links(h, i, level),
				  hnsw_width(h, level) * sizeof(uint32_t));
	return err ? err : index_write(out, hnsw_code(h, i), h->q->code_bytes);
}

int hnsw_save(const struct sl_index *index, struct index_out *out)
{
	const struct hnsw *h = (const struct hnsw *)index;
	struct header header = {h->added, h->m, h->nodes, h->entry, h->level};
	int err = index_write(out, &header, sizeof(header));

	if (!err)
		err = quantiser_save(h->q, out);
	for (uint32_t i = 0; !err && i < h->nodes; i++)
		err = save_node(h, i, out);
	return err;
}

/* ---- loading ---------------------------------------------------------------------------- */

static int take_upper(struct hnsw *h, uint32_t i, uint32_t level)
{
	size_t bytes = (1 + level * h->m) * sizeof(uint32_t);
	uint32_t *upper;

	if (!level)
		return 0;
	upper = calloc(1, bytes);
	if (!upper)
		return -ENOMEM;
	upper[0] = level;
	hnsw_chunk(h, i)->upper[i % HNSW_NODES_A_CHUNK] = upper;
	h->upper_bytes += bytes;
	return 0;
}

/* A row has one living node. */
static int take_row(struct hnsw *h, uint32_t i, uint32_t row)
{
	int err;

	if (!index_has(&h->index, row))
		return -EBADMSG;
	err = hnsw_reserve_rows(h, row + 1);
	if (err)
		return err;
	hnsw_chunk(h, i)->rows[i % HNSW_NODES_A_CHUNK] = row;
	h->node_of[row] = i;
	return 0;
}

static int take_node(struct hnsw *h, uint32_t i, const struct node *node)
{
	int err = 0;

	if (node->state >= HNSW_STATE_LAST || node->level > HNSW_LEVEL_MAX)
		return -EBADMSG;
	*hnsw_state(h, i) = node->state;
	if (node->state == HNSW_FREE) {
		h->spare[h->spare_n++] = i;
		return 0;
	}
	if (node->state == HNSW_LIVE)
		err = take_row(h, i, node->row);
	else
		h->dead++;
	return err ? err : take_upper(h, i, node->level);
}

static int load_node(struct hnsw *h, uint32_t i, struct index_in *in)
{
	struct node node;
	int err = index_read(in, &node, sizeof(node));

	if (!err)
		err = hnsw_reserve_nodes(h, i + 1);
	if (!err)
		err = take_node(h, i, &node);
	if (err || node.state == HNSW_FREE)
		return err;
	for (uint32_t level = 0; !err && level <= node.level; level++)
		err = index_read(in, hnsw_links(h, i, level),
				 hnsw_width(h, level) * sizeof(uint32_t));
	return err ? err : index_read(in, hnsw_code(h, i), h->q->code_bytes);
}

/* ---- checking --------------------------------------------------------------------------- */

static bool is_at(const struct hnsw *h, uint32_t node, uint32_t level)
{
	return node < h->nodes && *hnsw_state(h, node) != HNSW_FREE && hnsw_level(h, node) >= level;
}

static bool links_are_right(const struct hnsw *h, uint32_t node)
{
	for (uint32_t level = 0; level <= hnsw_level(h, node); level++) {
		const uint32_t *links = hnsw_links(h, node, level);

		for (uint32_t i = 0; i < hnsw_width(h, level); i++)
			if (links[i] != SL_ROW_NONE && !is_at(h, links[i], level))
				return false;
	}
	return true;
}

static bool is_right(const struct hnsw *h)
{
	uint32_t live = 0;

	if (h->entry == SL_ROW_NONE ? h->nodes != h->spare_n : !is_at(h, h->entry, h->level))
		return false;
	for (uint32_t i = 0; i < h->nodes; i++) {
		if (*hnsw_state(h, i) != HNSW_FREE && !links_are_right(h, i))
			return false;
		if (!hnsw_alive(h, i))
			continue;
		if (h->node_of[hnsw_row(h, i)] != i)
			return false;
		live++;
	}
	return live == h->index.n;
}

static int load_codes(struct hnsw *h, struct index_in *in)
{
	struct quantiser *q;
	int err = quantiser_load(h->index.rows, in, &q);

	return err ? err : hnsw_codes_set(h, q);
}

int hnsw_load(struct sl_index *index, struct index_in *in)
{
	struct hnsw *h = (struct hnsw *)index;
	struct header header;
	int err = index_read(in, &header, sizeof(header));

	if (err)
		return err;
	/* what the graph was made with stays, whatever is wanted of new ones */
	if (header.m < 2 || header.m > HNSW_M_MAX || header.nodes > HNSW_NODES_MAX ||
	    header.level > HNSW_LEVEL_MAX)
		return -EBADMSG;
	h->m = header.m;
	h->added = h->added_before = header.added;
	h->entry = header.entry;
	h->level = header.level;
	err = load_codes(h, in);
	for (uint32_t i = 0; !err && i < header.nodes; i++) {
		err = load_node(h, i, in);
		h->nodes = err ? i : i + 1;
	}
	return err ? err : is_right(h) ? 0 : -EBADMSG;
}
