/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HNSW's codes: a quarter of the memory of floats, and a distance that is one of integers.
 *
 * Interface: hnsw_pvt.h. One range serves all components, so that the distance of codes is that of
 * the vectors but for a factor, and rounding; what lies outside the range is taken to its end.
 *
 * Order of parts: which codes; encoding; the range.
 */
#include <string.h>

#include "hnsw_pvt.h"

/* ---- which codes ------------------------------------------------------------------------ */

void hnsw_codes_init(struct hnsw_codes *c, const struct sl_rows *rows)
{
	bool cosine = rows->metric == SL_METRIC_COSINE;

	c->scaled = rows->component == SL_F32 && rows->metric != SL_METRIC_HAMMING;
	c->normal = c->scaled && cosine;
	c->shifted = rows->metric == SL_METRIC_L2 || rows->metric == SL_METRIC_MANHATTAN;
	c->component = c->scaled ? SL_I8 : rows->component;
	c->metric = c->normal ? SL_METRIC_DOT : rows->metric;
	c->stride = sl_round_up(sl_vector_bytes(c->component, rows->dim), SL_ROW_ALIGN);
	/* the zeros that fill up a scaled code change no distance, and need no partial register */
	c->dim = c->scaled ? c->stride : rows->dim;
	c->distance = sl_distance(c->metric, c->component);
	c->low = c->high = 0;
}

/* ---- encoding --------------------------------------------------------------------------- */

/* What makes a vector one of length 1; not so for others than cosine. */
static float factor(const struct hnsw_codes *c, const float *v, uint32_t dim)
{
	double sum = 0;

	if (!c->normal)
		return 1;
	for (uint32_t i = 0; i < dim; i++)
		sum += (double)v[i] * (double)v[i];
	return sum > 0 && isfinite(sum) ? (float)(1 / sqrt(sum)) : 0;
}

/* What is no number becomes the range's middle. */
static int8_t byte_of(float x)
{
	return (int8_t)(x >= 127 ? 127 : x <= -128 ? -128 : x == x ? (int)lrintf(x) : 0);
}

static void scale(const struct hnsw_codes *c, const float *v, uint32_t dim, float f,
		  uint8_t *ret_code)
{
	float width = c->shifted ? c->high - c->low : sl_max(c->high, -c->low);
	float by = (width > 0 ? (c->shifted ? 255 : 127) / width : 0) * f;
	float less = c->shifted ? (width > 0 ? c->low * 255 / width : 0) + 128 : 0;

	for (uint32_t i = 0; i < dim; i++)
		ret_code[i] = (uint8_t)byte_of(v[i] * by - less);
	memset(ret_code + dim, 0, c->stride - dim);
}

void hnsw_encode(const struct hnsw_codes *c, const struct sl_rows *rows, const void *vector,
		 uint8_t *ret_code)
{
	size_t n = sl_vector_bytes(c->component, rows->dim);

	if (c->scaled) {
		scale(c, vector, rows->dim, factor(c, vector, rows->dim), ret_code);
		return;
	}
	memcpy(ret_code, vector, n);
	memset(ret_code + n, 0, c->stride - n);
}

/* ---- the range -------------------------------------------------------------------------- */

static void widen(struct hnsw_codes *c, const float *v, uint32_t dim)
{
	float f = factor(c, v, dim);

	for (uint32_t i = 0; i < dim; i++) {
		float x = v[i] * f;

		if (!isfinite(x))
			continue;
		c->low = sl_min(c->low, x);
		c->high = sl_max(c->high, x);
	}
}

static bool is_here(const struct hnsw *h, uint32_t node)
{
	return hnsw_alive(h, node) && sl_row_is_here(h->index.rows, hnsw_row(h, node));
}

/* The code of a vector that is not here any more, in another range. */
static void convert(const struct hnsw_codes *from, const struct hnsw_codes *to, uint32_t dim,
		    uint8_t *code)
{
	float was = from->shifted ? (from->high - from->low) / 255
				  : sl_max(from->high, -from->low) / 127;

	for (uint32_t i = 0; i < dim; i++) {
		float x = (float)(int8_t)code[i], y;

		x = from->shifted ? (x + 128) * was + from->low : x * was;
		y = to->shifted ? (x - to->low) * 255 / (to->high - to->low) - 128
				: x * 127 / sl_max(to->high, -to->low);
		code[i] = (uint8_t)byte_of(y);
	}
}

void hnsw_calibrate(struct hnsw *h)
{
	enum { SAMPLE = 1024 };
	const struct sl_rows *rows = h->index.rows;
	struct hnsw_codes was = h->codes;
	uint32_t every = h->nodes / SAMPLE + 1;

	if (!h->codes.scaled)
		return;
	for (uint32_t node = 0; node < h->nodes; node += every)
		if (is_here(h, node))
			widen(&h->codes, sl_row(rows, hnsw_row(h, node)), rows->dim);
	if (h->codes.low == was.low && h->codes.high == was.high)
		return;
	for (uint32_t node = 0; node < h->nodes; node++) {
		if (is_here(h, node))
			hnsw_encode(&h->codes, rows, sl_row(rows, hnsw_row(h, node)),
				    hnsw_code(h, node));
		else if (*hnsw_state(h, node) != HNSW_FREE)
			convert(&was, &h->codes, rows->dim, hnsw_code(h, node));
	}
}
