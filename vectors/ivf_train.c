/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IVF index's model is made: axes, lists and books of codes from a sample of the rows, then all
 * rows come in.
 *
 * Interface: ivf_pvt.h. It is done in phases, each in small steps, so that a core can search
 * between any two. The axes are found by subspace iteration, which needs no matrix of dim by dim.
 * Of a sampled row that is removed meanwhile the vector is not looked at again. Rows come in by
 * their numbers: one that is added behind where the filling is comes in by itself. Rows that are
 * not here keep their codes, which then are not trained: other ones would be of what these stand
 * for, farther from the vectors, and there would be two of each row meanwhile.
 *
 * Order of parts: the build; the sample; codes; axes; points; lists; books; filling; the phases.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ivf_pvt.h"

/* ---- the build -------------------------------------------------------------------------- */

enum {
	SAMPLE_A_LIST = 64, /* rows */
	SAMPLE_MIN = 16384,
	CODES_ROWS = 4096, /* of the sample */
	AXES_ROWS = 4096, /* of the sample */
	AXES_ROUNDS = 6,
	LIST_ROUNDS = 8,
	BOOK_ROWS = 8192, /* of the sample */
	BOOK_ROUNDS = 10,
	SPLIT_TIMES = 3, /* the rows of a list when all are equal */
};

/**
 * struct ivf_build - @phase, @at: how far it is, in the phase's own measure; @round: of the axes.
 * @old: has codes of rows that are not here. @sample: rows; @points: their vectors on the axes, or
 * of some all of them, @points_bytes. @next: the axes of the next round. @turned: axes one behind
 * the other.
 */
struct ivf_build {
	const struct sl_index *index;
	const struct ivf_model *old;
	struct ivf_model *m;
	uint32_t phase, at, round;
	uint32_t *sample, sample_n;
	uint64_t random;
	double *sums;
	float *next, *turned, *points, *x;
	size_t points_bytes;
	uint32_t points_n, summed;
	struct kmeans km;
};

static bool all_are_here(const struct sl_index *index)
{
	for (uint32_t row = 0; index->rows->partial && row < index->live_words * 64; row++)
		if (index_has(index, row) && !sl_row_is_here(index->rows, row))
			return false;
	return true;
}

int ivf_build_new(const struct sl_index *index, const struct ivf_model *old,
		  struct ivf_build **ret_build)
{
	struct ivf_build *b = calloc(1, sizeof(*b));
	uint32_t dim = index->rows->dim;
	int err;

	if (!b)
		return -ENOMEM;
	b->index = index;
	b->old = old;
	b->random = index->conf.seed;
	b->sums = calloc(dim, sizeof(double));
	b->next = aligned_alloc(64, (size_t)dim * IVF_AXES * sizeof(float));
	b->turned = malloc((size_t)dim * IVF_AXES * sizeof(float));
	b->x = malloc(dim * sizeof(float));
	err = ivf_model_new(index, all_are_here(index) ? NULL : old, &b->m);
	if (err || !b->sums || !b->next || !b->turned || !b->x) {
		ivf_build_free(b);
		return -ENOMEM;
	}
	*ret_build = b;
	return 0;
}

void ivf_build_free(struct ivf_build *b)
{
	if (!b)
		return;
	kmeans_done(&b->km);
	ivf_model_free(b->m);
	free(b->sample);
	free(b->sums);
	free(b->next);
	free(b->turned);
	free(b->points);
	free(b->x);
	free(b);
}

uint64_t ivf_build_memory(const struct ivf_build *b, const struct ivf_codes *codes)
{
	uint64_t n = sizeof(*b) + ivf_model_memory(b->m) + b->points_bytes +
		     b->sample_n * sizeof(*b->sample) +
		     b->m->dim * (sizeof(double) + (2 * IVF_AXES + 1) * sizeof(float));

	return b->m->codes == codes ? n : n + ivf_codes_memory(b->m->codes);
}

struct ivf_model *ivf_build_model(struct ivf_build *b)
{
	return b->m;
}

struct ivf_model *ivf_build_take(struct ivf_build *b)
{
	struct ivf_model *m = b->m;

	b->m = NULL;
	return m;
}

/* ---- the sample ------------------------------------------------------------------------- */

static uint32_t lists_of(const struct sl_index *index)
{
	uint32_t n = index->conf.lists ? index->conf.lists : (uint32_t)sqrt(index->n);

	return sl_max(1u, sl_min(n, index->n));
}

/* Each row with the chance that as many as are wanted are left for as many as are left. */
static int take_sample(struct ivf_build *b, int64_t *cost_ns)
{
	uint32_t left = b->index->n;
	uint32_t want =
		sl_min(left, sl_max((uint32_t)SAMPLE_MIN, lists_of(b->index) * SAMPLE_A_LIST));

	b->sample = malloc(want * sizeof(*b->sample));
	if (!b->sample)
		return -ENOMEM;
	b->m->trained = left;
	for (uint32_t row = 0; left && want; row++) {
		if (!index_has(b->index, row))
			continue;
		if (random_next(&b->random) % left < want) {
			b->sample[b->sample_n++] = row;
			want--;
		}
		left--;
	}
	/* in no order, so that the first of them are a sample as well */
	for (uint32_t i = b->sample_n; i > 1; i--) {
		uint32_t j = (uint32_t)(random_next(&b->random) % i), row = b->sample[i - 1];

		b->sample[i - 1] = b->sample[j];
		b->sample[j] = row;
	}
	*cost_ns += (int64_t)b->index->n * 20;
	return 0;
}

/* The vector of the sample's row @i, into @b->x. Return: whether it is there, and of numbers. */
static bool sampled(struct ivf_build *b, uint32_t i)
{
	float sum = 0;

	if (!index_has(b->index, b->sample[i]))
		return false;
	ivf_row_floats(b->index, b->old, b->sample[i], b->x);
	for (uint32_t j = 0; j < b->m->dim; j++)
		sum += b->x[j] * b->x[j];
	return isfinite(sum);
}

static int find_mean(struct ivf_build *b, int64_t *cost_ns)
{
	struct ivf_model *m = b->m;
	uint32_t until = sl_min(b->at + 64, b->sample_n);

	for (; b->at < until; b->at++) {
		if (!sampled(b, b->at))
			continue;
		b->summed++;
		for (uint32_t i = 0; i < m->dim; i++)
			b->sums[i] += (double)b->x[i];
	}
	*cost_ns += (int64_t)m->dim * 64 * 2;
	if (b->at < b->sample_n)
		return 1;
	for (uint32_t i = 0; b->summed && i < m->dim; i++)
		m->mean[i] = (float)(b->sums[i] / b->summed);
	return 0;
}

/* ---- codes ------------------------------------------------------------------------------ */

/* Room for @n points. */
static int points_new(struct ivf_build *b, uint32_t n, uint32_t dim)
{
	size_t bytes = (size_t)sl_max(n, 1u) * dim * sizeof(float);

	b->points = malloc(bytes);
	b->points_bytes = b->points ? bytes : 0;
	b->points_n = 0;
	return b->points ? 0 : -ENOMEM;
}

static void points_done(struct ivf_build *b)
{
	free(b->points);
	b->points = NULL;
	b->points_n = 0;
	b->points_bytes = 0;
}

/* Some of the sample, as floats, to train the quantiser with, unless there are codes by it. */
static int find_codes(struct ivf_build *b, int64_t *cost_ns)
{
	struct ivf_model *m = b->m;
	uint32_t n = sl_min(b->sample_n, (uint32_t)CODES_ROWS), until = sl_min(b->at + 64, n);
	struct quantiser *q;
	int err;

	if (m->codes->n)
		return 0;
	if (!b->at && points_new(b, n, m->dim))
		return -ENOMEM;
	for (; b->at < until; b->at++)
		if (sampled(b, b->at))
			memcpy(b->points + (size_t)b->points_n++ * m->dim, b->x,
			       m->dim * sizeof(float));
	*cost_ns += (int64_t)m->dim * 64 * 2;
	if (b->at < n)
		return 1;
	err = quantiser_train(m->codes->q, b->points, b->points_n, &q);
	if (err > 0)
		ivf_set_quantiser(m->codes, q);
	points_done(b);
	return sl_min(err, 0);
}

/* ---- axes ------------------------------------------------------------------------------- */

static float *axis_at(float *axes, uint32_t i)
{
	return axes + (size_t)i * IVF_AXES;
}

/* To numbers whose squares are numbers. */
static void scale(float *axis, uint32_t dim)
{
	float most = 0;

	for (uint32_t j = 0; j < dim; j++)
		most = fabsf(axis[j]) > most ? fabsf(axis[j]) : most;
	for (uint32_t j = 0; j < dim; j++)
		axis[j] = most > 0 ? axis[j] / most : 0;
}

/* It is made square to those before it, and of length 1; what is next to nothing then is zero. */
static void square_axis(const struct ivf_build *b, uint32_t a)
{
	const sl_distance_fn less_product = sl_distance(SL_METRIC_DOT, SL_F32);
	uint32_t dim = b->m->dim;
	float *axis = b->turned + (size_t)a * dim, before, square, by;

	scale(axis, dim);
	before = -less_product(axis, axis, dim);
	/* twice, as the first time leaves what rounding did */
	for (uint32_t i = 0; i < 2 * a; i++) {
		const float *other = b->turned + (size_t)(i % a) * dim;
		float along = -less_product(axis, other, dim);

		for (uint32_t j = 0; j < dim; j++)
			axis[j] -= along * other[j];
	}
	square = -less_product(axis, axis, dim);
	by = square > before * 1e-9f && square > 0 ? 1 / sqrtf(square) : 0;
	for (uint32_t j = 0; j < dim; j++)
		axis[j] = by != 0 ? axis[j] * by : 0;
}

static void make_square(struct ivf_build *b, float *axes)
{
	uint32_t dim = b->m->dim;

	for (uint32_t i = 0; i < dim; i++)
		for (uint32_t a = 0; a < IVF_AXES; a++)
			b->turned[(size_t)a * dim + i] = axis_at(axes, i)[a];
	for (uint32_t a = 0; a < IVF_AXES; a++)
		square_axis(b, a);
	for (uint32_t i = 0; i < dim; i++)
		for (uint32_t a = 0; a < IVF_AXES; a++)
			axis_at(axes, i)[a] = b->turned[(size_t)a * dim + i];
}

static void any_axes(struct ivf_build *b)
{
	for (size_t i = 0; i < (size_t)b->m->dim * IVF_AXES; i++)
		b->m->axes[i] = (float)(random_next(&b->random) % 2048) - 1023.5f;
	make_square(b, b->m->axes);
}

/* The first axes, along which rows vary most, share a place of the code with the last ones. */
static void pair_axes(struct ivf_build *b)
{
	for (uint32_t i = 0; i < b->m->dim; i++) {
		float *from = axis_at(b->next, i), *to = axis_at(b->m->axes, i);

		for (uint32_t p = 0; p < IVF_PLACES; p++) {
			to[p * 2] = from[p];
			to[p * 2 + 1] = from[IVF_AXES - 1 - p];
		}
	}
	ivf_axes_are_set(b->m);
}

static int find_axes(struct ivf_build *b, int64_t *cost_ns)
{
	struct ivf_model *m = b->m;
	uint32_t n = sl_min(b->sample_n, (uint32_t)AXES_ROWS), until = sl_min(b->at + 16, n);
	size_t bytes = (size_t)m->dim * IVF_AXES * sizeof(float);

	if (!b->at && !b->round)
		any_axes(b);
	if (!b->at)
		memset(b->next, 0, bytes);
	for (; b->at < until; b->at++) {
		float y[IVF_AXES] = {0};

		if (!sampled(b, b->at))
			continue;
		for (uint32_t i = 0; i < m->dim; i++)
			b->x[i] -= m->mean[i];
		m->set->multiply(y, m->axes, b->x, m->dim);
		m->set->spread(b->next, b->x, y, m->dim);
	}
	*cost_ns += (int64_t)m->dim * 16 * 20;
	if (b->at < n)
		return 1;
	make_square(b, b->next);
	*cost_ns += (int64_t)m->dim * IVF_AXES * IVF_AXES / 2;
	b->at = 0;
	if (++b->round < AXES_ROUNDS) {
		memcpy(m->axes, b->next, bytes);
		return 1;
	}
	pair_axes(b);
	return 0;
}

/* ---- points ----------------------------------------------------------------------------- */

static int find_points(struct ivf_build *b, int64_t *cost_ns)
{
	uint32_t until = sl_min(b->at + 64, b->sample_n);

	if (!b->at && points_new(b, b->sample_n, IVF_AXES))
		return -ENOMEM;
	for (; b->at < until; b->at++)
		if (sampled(b, b->at))
			ivf_project(b->m, b->x, true, b->points + (size_t)b->points_n++ * IVF_AXES);
	*cost_ns += (int64_t)b->m->dim * 64 * 4;
	return b->at < b->sample_n;
}

/* ---- lists ------------------------------------------------------------------------------ */

static int make_lists(struct ivf_build *b, struct centroids *c)
{
	uint32_t split_at = sl_max(SCAN_BLOCK * 2, b->m->trained / c->n * SPLIT_TIMES);
	float centroid[IVF_AXES];

	for (uint32_t i = 0; i < c->n; i++) {
		int err;

		centroids_get(c, i, centroid);
		err = ivf_list_add(b->m, centroid);
		if (err)
			return err;
		b->m->lists[i].split_at = split_at;
	}
	return 0;
}

static int find_lists(struct ivf_build *b, int64_t *cost_ns)
{
	struct centroids *c = b->km.c;
	int err;

	if (!b->points_n)
		return 0;
	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			return -ENOMEM;
		c->dim = IVF_AXES;
		err = kmeans_init(&b->km, c, sl_min(lists_of(b->index), b->points_n), b->points,
				  b->points_n, LIST_ROUNDS, b->random);
		if (err)
			free(c);
		return err ? err : 1;
	}
	*cost_ns += (int64_t)c->n * 64 * 2;
	if (kmeans_step(&b->km, 64))
		return 1;
	err = make_lists(b, c);
	kmeans_done(&b->km);
	centroids_done(c);
	free(c);
	return err;
}

/* ---- books ------------------------------------------------------------------------------ */

/* Points become what they differ from their lists' centroids. */
static int find_rests(struct ivf_build *b, int64_t *cost_ns)
{
	uint32_t n = sl_min(b->points_n, (uint32_t)BOOK_ROWS), until = sl_min(b->at + 64, n);
	float c[IVF_AXES];

	for (; b->at < until; b->at++) {
		float *y = b->points + (size_t)b->at * IVF_AXES;

		centroids_get(&b->m->c, centroids_nearest(b->m->set, &b->m->c, y, b->m->scores), c);
		for (uint32_t i = 0; i < IVF_AXES; i++)
			y[i] -= c[i];
	}
	*cost_ns += (int64_t)b->m->c.n * 64 * 2;
	return b->at < n;
}

static void set_book(struct ivf_model *m, uint32_t place, const struct centroids *c)
{
	for (uint32_t i = 0; i < SCAN_CODES; i++) {
		float code[2];

		/* of few points there are few codes */
		centroids_get(c, i % c->n, code);
		m->books[place][0][i] = code[0];
		m->books[place][1][i] = code[1];
	}
}

static int find_books(struct ivf_build *b, int64_t *cost_ns)
{
	uint32_t n = sl_min(b->points_n, (uint32_t)BOOK_ROWS);
	float *points = malloc((size_t)sl_max(n, 1u) * 2 * sizeof(float));
	struct centroids c = {.dim = 2};
	struct kmeans km = {0};
	int err = points ? 0 : -ENOMEM;

	for (uint32_t i = 0; !err && i < n; i++)
		memcpy(points + (size_t)i * 2, b->points + (size_t)i * IVF_AXES + b->at * 2,
		       2 * sizeof(float));
	if (!err && n)
		err = kmeans_init(&km, &c, sl_min(n, SCAN_CODES), points, n, BOOK_ROUNDS,
				  b->random);
	if (!err && n) {
		while (kmeans_step(&km, n))
			;
		set_book(b->m, b->at, &c);
		kmeans_done(&km);
	}
	centroids_done(&c);
	free(points);
	*cost_ns += (int64_t)n * BOOK_ROUNDS * 20;
	return err ? err : ++b->at < IVF_PLACES;
}

/* ---- filling ---------------------------------------------------------------------------- */

static int fill(struct ivf_build *b, int64_t *cost_ns)
{
	uint32_t end = b->index->live_words * 64;

	points_done(b);
	/* no vector is of numbers: one list, for what comes */
	if (!b->m->c.n) {
		float zero[IVF_AXES] = {0};
		int err = ivf_list_add(b->m, zero);

		if (err)
			return err;
		b->m->lists[0].split_at = SCAN_BLOCK * 2;
	}
	for (uint32_t n = 16; n && b->at < end; b->at++) {
		int err;

		if (!index_has(b->index, b->at))
			continue;
		err = ivf_insert(b->m, b->old, b->at);
		if (err)
			return err;
		n--;
		*cost_ns += b->m->dim * 4 + b->m->c.n * 2 + 1000;
	}
	return b->at < end;
}

/* ---- the phases ------------------------------------------------------------------------- */

/* Return: 1: there is more of it; 0: it is done; -ENOMEM. */
static int (*const phases[])(struct ivf_build *b, int64_t *cost_ns) = {
	take_sample, find_mean,	 find_codes, find_axes, find_points,
	find_lists,  find_rests, find_books, fill,
};

int ivf_build_step(struct ivf_build *b, int64_t *cost_ns)
{
	int err = phases[b->phase](b, cost_ns);

	if (err)
		return err;
	b->at = 0;
	return ++b->phase < SL_ARRAY_SIZE(phases);
}

bool ivf_build_is_past(const struct ivf_build *b, uint32_t row)
{
	return b->phase == SL_ARRAY_SIZE(phases) - 1 && row < b->at;
}
