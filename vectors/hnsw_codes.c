/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HNSW's codes: trained as rows come, and made again then; distances between nodes.
 *
 * Interface: hnsw_pvt.h. What is estimated for a query is too rough for choosing links, unless
 * codes are made to be held against each other: rows are then, if they are here, else what codes
 * stand for.
 *
 * Order of parts: making; between nodes; training.
 */
#include <errno.h>
#include <stdlib.h>

#include "hnsw_pvt.h"

/* ---- making ----------------------------------------------------------------------------- */

void hnsw_codes_done(struct hnsw *h)
{
	quantiser_free(h->q);
	free(h->asked);
	free(h->points[0]);
	free(h->points[1]);
}

int hnsw_codes_set(struct hnsw *h, struct quantiser *q)
{
	hnsw_codes_done(h);
	h->q = q;
	h->stride = quantiser_stride(q);
	h->asked = aligned_alloc(SL_ROW_ALIGN, sl_round_up(q->query_bytes, SL_ROW_ALIGN));
	h->points[0] = malloc(q->point_dim * sizeof(float));
	h->points[1] = malloc(q->point_dim * sizeof(float));
	return h->asked && h->points[0] && h->points[1] ? 0 : -ENOMEM;
}

int hnsw_codes_init(struct hnsw *h)
{
	struct quantiser *q;
	int err = quantiser_new(&h->index.conf, h->index.rows, &q);

	return err ? err : hnsw_codes_set(h, q);
}

uint64_t hnsw_codes_memory(const struct hnsw *h)
{
	return quantiser_memory(h->q) + h->q->query_bytes + h->q->point_dim * 2 * sizeof(float);
}

/* ---- between nodes ---------------------------------------------------------------------- */

static bool is_here(const struct hnsw *h, uint32_t node)
{
	return hnsw_alive(h, node) && sl_row_is_here(h->index.rows, hnsw_row(h, node));
}

const void *hnsw_asked(struct hnsw *h, uint32_t node)
{
	if (h->q->kind->symmetric)
		return hnsw_code(h, node);
	if (is_here(h, node)) {
		quantiser_prepare(h->q, sl_row(h->index.rows, hnsw_row(h, node)), h->asked);
		return h->asked;
	}
	quantiser_decode(h->q, hnsw_code(h, node), h->points[0]);
	h->q->kind->prepare(h->q, h->points[0], h->asked);
	return h->asked;
}

static float between_points(const struct hnsw *h, uint32_t a, uint32_t b)
{
	h->q->kind->decode(h->q, hnsw_code(h, a), h->points[0]);
	h->q->kind->decode(h->q, hnsw_code(h, b), h->points[1]);
	return h->q->base +
	       sl_distance(h->q->metric, SL_F32)(h->points[0], h->points[1], h->q->point_dim);
}

float hnsw_between(const struct hnsw *h, uint32_t a, uint32_t b)
{
	const struct sl_rows *rows = h->index.rows;

	if (!h->q->kind->rough)
		return hnsw_distance(h, hnsw_code(h, a), b);
	if (is_here(h, a) && is_here(h, b))
		return index_distance(&h->index, sl_row(rows, hnsw_row(h, a)), hnsw_row(h, b));
	return between_points(h, a, b);
}

/* ---- training --------------------------------------------------------------------------- */

enum { SAMPLE = 1024 };

/* Return: how many vectors of those that are here are at @x, with room for SAMPLE. */
static uint32_t take_sample(const struct hnsw *h, float *x)
{
	const struct sl_rows *rows = h->index.rows;
	uint32_t every = h->nodes / SAMPLE + 1, n = 0;

	for (uint32_t node = 0; node < h->nodes; node += every)
		if (is_here(h, node))
			index_floats(rows, sl_row(rows, hnsw_row(h, node)),
				     x + (size_t)n++ * rows->dim);
	return n;
}

/* All codes are made again, from the rows, else from what they stood for. */
static void code_again(struct hnsw *h, const struct quantiser *q, float *x)
{
	for (uint32_t node = 0; node < h->nodes; node++) {
		if (*hnsw_state(h, node) == HNSW_FREE)
			continue;
		if (is_here(h, node)) {
			quantiser_encode(q, sl_row(h->index.rows, hnsw_row(h, node)),
					 hnsw_code(h, node));
			continue;
		}
		quantiser_decode(h->q, hnsw_code(h, node), x);
		q->kind->encode(q, x, hnsw_code(h, node));
	}
}

void hnsw_calibrate(struct hnsw *h)
{
	struct quantiser *q;
	float *x;

	/* without memory for it codes stay as they are */
	if (h->index.n > h->q->kind->train_rows)
		return;
	x = malloc((size_t)SAMPLE * h->index.rows->dim * sizeof(*x));
	if (!x)
		return;
	if (quantiser_train(h->q, x, take_sample(h, x), &q) > 0) {
		code_again(h, q, x);
		quantiser_free(h->q);
		h->q = q;
	}
	free(x);
}
