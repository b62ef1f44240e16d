/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RaBitQ (Gao and Long, SIGMOD 2024; with more bits: Gao and others, 2024): a vector's direction
 * from the mean, turned at random, as the nearest point of a grid of 1 to 8 bits a component.
 *
 * Interface: quant.h. With o the direction, v the point of the grid and q the query, both turned,
 * o.q is estimated as v.q / v.o, which is right in the mean; how far it is off has a bound that
 * gets less with the root of the dimension, and by half with each bit. What is kept with a code is
 * |x - mean|^2 and |x - mean| / v.o; a query's components are bytes.
 *
 * A code's bits are in planes: the lowest of all components, then the next.
 *
 * Order of parts: the quantiser; the grid; coding; queries; distances; keeping; the kind.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "quant.h"
#include "rotation.h"

/* ---- the quantiser ---------------------------------------------------------------------- */

/* @y: room for a vector that is turned; @turned: the mean, turned. */
struct rabitq {
	struct quantiser q;
	struct rotation r;
	float *mean, *turned, *y;
	uint8_t *grid;
};

/* Behind the planes of a code. */
struct tail {
	float square, by;
};

/**
 * struct prepared - a query: its components are @scale times bytes, which follow it. @add: what all
 * distances have in common, @sum: that of the components.
 */
struct prepared {
	float scale, add, sum, zero[13];
};

static_assert(sizeof(struct prepared) == SL_ROW_ALIGN, "so that the bytes are aligned");

static const struct rabitq *rabitq_of(const struct quantiser *q)
{
	return sl_container_of(q, const struct rabitq, q);
}

static size_t planes_bytes(const struct rabitq *r)
{
	return (size_t)r->r.n / 8 * r->q.bits;
}

static struct tail tail_of(const struct rabitq *r, const uint8_t *code)
{
	struct tail t;

	memcpy(&t, code + planes_bytes(r), sizeof(t));
	return t;
}

static void done(struct quantiser *q)
{
	struct rabitq *r = (struct rabitq *)q;

	rotation_done(&r->r);
	free(r->mean);
	free(r->turned);
	free(r->y);
	free(r->grid);
}

static int init(struct quantiser *q)
{
	struct rabitq *r = (struct rabitq *)q;
	int err = rotation_init(&r->r, q->dim, q->seed);

	if (err)
		return err;
	q->bits = q->bits ? q->bits : 1;
	r->mean = calloc(q->dim, sizeof(float));
	r->turned = calloc(r->r.n, sizeof(float));
	r->y = malloc(r->r.n * sizeof(float));
	r->grid = malloc(r->r.n);
	if (!r->mean || !r->turned || !r->y || !r->grid)
		return -ENOMEM;
	q->code_bytes = planes_bytes(r) + sizeof(struct tail);
	q->query_bytes = sizeof(struct prepared) + r->r.n;
	q->point_dim = r->r.n;
	return 0;
}

static int train(struct quantiser *q, const struct quantiser *was, const float *x, uint32_t n)
{
	struct rabitq *r = (struct rabitq *)q;
	int changed = quant_mean(x, n, q->dim, r->mean);

	(void)was;
	if (changed)
		rotate(&r->r, r->mean, r->turned);
	return changed;
}

static uint64_t memory(const struct quantiser *q)
{
	const struct rabitq *r = rabitq_of(q);

	return q->dim * sizeof(float) + rotation_memory(&r->r) + r->r.n * (2 * sizeof(float) + 1);
}

/* ---- the grid --------------------------------------------------------------------------- */

/* A component's place on the grid: 0 to 2^bits - 1, for values around zero. */
static uint32_t place_of(float x, float by, float half, float most)
{
	float f = floorf(x * by + half);

	return (uint32_t)(f < 0 ? 0 : f > most ? most : f);
}

/* The places of @y, of steps of 1 / @by. Return: the square of the cosine between both. */
static double place(const struct rabitq *r, const float *y, float by, uint8_t *ret_grid,
		    double *ret_product)
{
	float half = (float)(1u << (r->q.bits - 1)), most = 2 * half - 1;
	double product = 0, square = 0;

	for (uint32_t i = 0; i < r->r.n; i++) {
		uint32_t at = place_of(y[i], by, half, most);
		double v = (double)at - (double)most / 2;

		ret_grid[i] = (uint8_t)at;
		product += v * (double)y[i];
		square += v * v;
	}
	*ret_product = product;
	return product * product / square;
}

/* The step of the grid with which its point's direction is the nearest, of a few. */
static double best_place(const struct rabitq *r, const float *y)
{
	enum { TRIES = 10 };
	float half = (float)(1u << (r->q.bits - 1)), highest = 0, best_by = 1;
	double best = -1, product;

	for (uint32_t i = 0; i < r->r.n; i++)
		highest = sl_max(highest, fabsf(y[i]));
	/* with one bit there are but signs */
	for (uint32_t t = 0; r->q.bits > 1 && highest > 0 && t < TRIES; t++) {
		float by = half / highest * (1 + 0.15f * (float)t);
		double is = place(r, y, by, r->grid, &product);

		if (is > best) {
			best = is;
			best_by = by;
		}
	}
	place(r, y, best_by, r->grid, &product);
	return product;
}

/* ---- coding ----------------------------------------------------------------------------- */

static void encode(const struct quantiser *q, const float *x, uint8_t *ret_code)
{
	const struct rabitq *r = rabitq_of(q);
	struct tail tail = {0};
	double product, square = 0;

	for (uint32_t i = 0; i < q->dim; i++) {
		r->y[i] = x[i] - r->mean[i];
		square += (double)r->y[i] * (double)r->y[i];
	}
	memset(ret_code, 0, q->code_bytes);
	if (!isfinite(square)) {
		/* far from everything */
		tail.square = INFINITY;
		memcpy(ret_code + planes_bytes(r), &tail, sizeof(tail));
		return;
	}
	rotate_in_place(&r->r, r->y);
	product = best_place(r, r->y);
	for (uint32_t i = 0; i < r->r.n; i++)
		for (uint32_t bit = 0; bit < q->bits; bit++)
			ret_code[bit * (r->r.n / 8) + i / 8] |=
				(uint8_t)((r->grid[i] >> bit & 1) << i % 8);
	tail.square = (float)square;
	tail.by = product > 0 ? (float)(square / product) : 0;
	memcpy(ret_code + planes_bytes(r), &tail, sizeof(tail));
}

/* The point of the grid, as long as the projection of the vector on it, less the mean. */
static void point(const struct rabitq *r, const uint8_t *code, float *ret_x)
{
	float middle = (float)((1u << r->q.bits) - 1) / 2;
	double norm = 0, by = (double)tail_of(r, code).by;

	for (uint32_t i = 0; i < r->r.n; i++) {
		uint32_t at = 0;

		for (uint32_t bit = 0; bit < r->q.bits; bit++)
			at |= (code[bit * (r->r.n / 8) + i / 8] >> i % 8 & 1u) << bit;
		ret_x[i] = (float)at - middle;
		norm += (double)ret_x[i] * (double)ret_x[i];
	}
	/* v (v.x) / |v|^2 with v.x = |x|^2 / by */
	by = by > 0 ? (double)tail_of(r, code).square / by / norm : 0;
	for (uint32_t i = 0; i < r->r.n; i++)
		ret_x[i] *= (float)by;
}

static void decode(const struct quantiser *q, const uint8_t *code, float *ret_x)
{
	const struct rabitq *r = rabitq_of(q);

	point(r, code, ret_x);
	for (uint32_t i = 0; i < r->r.n; i++)
		ret_x[i] += r->turned[i];
}

static void restore(const struct quantiser *q, const uint8_t *code, float *ret_x)
{
	const struct rabitq *r = rabitq_of(q);

	decode(q, code, r->y);
	rotate_back(&r->r, r->y, ret_x);
}

/* ---- queries ---------------------------------------------------------------------------- */

static void prepare(const struct quantiser *q, const float *x, void *ret_query)
{
	const struct rabitq *r = rabitq_of(q);
	struct prepared *p = ret_query;
	int8_t *bytes = (int8_t *)(p + 1);
	bool dot = q->metric == SL_METRIC_DOT;
	float highest = 0, by;
	int32_t sum = 0;

	*p = (struct prepared){0};
	for (uint32_t i = 0; i < q->dim; i++) {
		r->y[i] = dot ? x[i] : x[i] - r->mean[i];
		p->add += dot ? -x[i] * r->mean[i] : r->y[i] * r->y[i];
	}
	rotate_in_place(&r->r, r->y);
	for (uint32_t i = 0; i < r->r.n; i++)
		highest = fabsf(r->y[i]) > highest ? fabsf(r->y[i]) : highest;
	by = highest > 0 && isfinite(highest) ? 127 / highest : 0;
	for (uint32_t i = 0; i < r->r.n; i++) {
		float f = r->y[i] * by;

		bytes[i] = (int8_t)(f == f ? (int)(f + (f < 0 ? -0.5f : 0.5f)) : 0);
		sum += bytes[i];
	}
	p->scale = by > 0 ? 1 / by : 0;
	p->sum = (float)sum * (float)((1u << q->bits) - 1) / 2;
}

/* ---- distances -------------------------------------------------------------------------- */

static void distances(const struct quantiser *q, const void *query, const uint8_t *const *codes,
		      uint32_t n, float *ret)
{
	const struct rabitq *r = rabitq_of(q);
	const struct prepared *p = query;
	const int8_t *bytes = (const int8_t *)(p + 1);
	uint32_t plane = r->r.n / 8;
	bool dot = q->metric == SL_METRIC_DOT;

	for (uint32_t i = 0; i < n; i++) {
		struct tail tail = tail_of(r, codes[i]);
		int32_t sum = 0;
		float product;

		for (uint32_t bit = 0; bit < q->bits; bit++)
			sum += r->r.set->picked(codes[i] + bit * plane, bytes, r->r.n) * (1 << bit);
		product = ((float)sum - p->sum) * p->scale * tail.by;
		ret[i] = dot ? p->add - product : p->add + tail.square - 2 * product;
	}
}

/* ---- keeping ---------------------------------------------------------------------------- */

static int save(const struct quantiser *q, struct index_out *out)
{
	return index_write(out, rabitq_of(q)->mean, q->dim * sizeof(float));
}

static int load(struct quantiser *q, struct index_in *in)
{
	struct rabitq *r = (struct rabitq *)q;
	int err = index_read(in, r->mean, q->dim * sizeof(float));

	if (!err)
		rotate(&r->r, r->mean, r->turned);
	return err;
}

/* ---- the kind --------------------------------------------------------------------------- */

const struct quant_kind quant_rabitq = {
	.name = "rabitq",
	.bytes = sizeof(struct rabitq),
	.rough = true,
	.graded = true,
	.times = 6,
	.more = 20,
	.train_rows = 4096,
	.can = quant_products,
	.init = init,
	.done = done,
	.train = train,
	.encode = encode,
	.decode = decode,
	.restore = restore,
	.prepare = prepare,
	.distances = distances,
	.memory = memory,
	.save = save,
	.load = load,
};
