/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IVF index's model: vectors on their axes, lists of coded rows.
 *
 * Interface: ivf_pvt.h. Each row of the model is in one list, and `places` says where. A list has
 * no holes: the last one takes the place of one that is removed.
 *
 * Order of parts: codes; making; vectors; lists; rows; splitting.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ivf_pvt.h"

/* ---- codes ------------------------------------------------------------------------------ */

static int codes_new(const struct sl_index *index, struct ivf_codes **ret_codes)
{
	struct ivf_codes *codes = calloc(1, sizeof(*codes));
	struct quantiser *q;
	int err = codes ? quantiser_new(&index->conf, index->rows, &q) : -ENOMEM;

	if (err) {
		free(codes);
		return err;
	}
	codes->refs = 1;
	ivf_set_quantiser(codes, q);
	*ret_codes = codes;
	return 0;
}

static void codes_release(struct ivf_codes *codes)
{
	if (!codes || --codes->refs)
		return;
	sl_slabs_done(&codes->slabs);
	free(codes->chunks);
	quantiser_free(codes->q);
	free(codes);
}

void ivf_set_quantiser(struct ivf_codes *codes, struct quantiser *q)
{
	SL_ASSERT(!codes->n && codes->refs == 1);
	quantiser_free(codes->q);
	codes->q = q;
	codes->stride = quantiser_stride(q);
	sl_slabs_init(&codes->slabs, SL_ROWS_A_CHUNK * codes->stride);
}

uint64_t ivf_codes_memory(const struct ivf_codes *codes)
{
	uint64_t n = sizeof(*codes) + codes->n * sizeof(*codes->chunks);

	for (uint32_t i = 0; i < codes->n; i++)
		n += codes->chunks[i] ? SL_ROWS_A_CHUNK * codes->stride : 0;
	return n + quantiser_memory(codes->q);
}

/* ---- making ----------------------------------------------------------------------------- */

int ivf_model_new(const struct sl_index *index, const struct ivf_model *from,
		  struct ivf_model **ret_model)
{
	uint32_t dim = index->rows->dim;
	struct ivf_model *m = calloc(1, sizeof(*m));
	int err = 0;

	if (!m)
		return -ENOMEM;
	m->index = index;
	m->set = scan_set();
	m->dim = dim;
	m->c.dim = IVF_AXES;
	if (from) {
		m->codes = from->codes;
		m->codes->refs++;
	} else {
		err = codes_new(index, &m->codes);
	}
	m->mean = calloc(dim, sizeof(float));
	m->axes = aligned_alloc(64, (size_t)dim * IVF_AXES * sizeof(float));
	m->vector = malloc(dim * sizeof(float));
	if (!err && (!m->mean || !m->axes || !m->vector))
		err = -ENOMEM;
	if (err) {
		ivf_model_free(m);
		return err;
	}
	*ret_model = m;
	return 0;
}

void ivf_model_free(struct ivf_model *m)
{
	if (!m)
		return;
	for (uint32_t i = 0; i < m->c.n; i++) {
		free(m->lists[i].rows);
		free(m->lists[i].more);
		free(m->lists[i].codes);
	}
	codes_release(m->codes);
	free(m->lists);
	free(m->places);
	centroids_done(&m->c);
	free(m->mean);
	free(m->axes);
	free(m->vector);
	free(m->scores);
	free(m);
}

uint64_t ivf_model_memory(const struct ivf_model *m)
{
	uint64_t n = sizeof(*m) + (uint64_t)m->dim * (IVF_AXES + 2) * sizeof(float) +
		     m->lists_room * sizeof(*m->lists) + m->places_n * sizeof(*m->places) +
		     centroids_room(&m->c) * (IVF_AXES + 2) * sizeof(float);

	for (uint32_t i = 0; i < m->c.n; i++)
		n += m->lists[i].room * (sizeof(uint32_t) + sizeof(float) + IVF_PLACES / 2);
	return n;
}

/* ---- vectors ---------------------------------------------------------------------------- */

void ivf_row_floats(const struct sl_index *index, const struct ivf_model *from, uint32_t row,
		    float *ret_x)
{
	if (sl_row_is_here(index->rows, row)) {
		index_floats(index->rows, sl_row(index->rows, row), ret_x);
		return;
	}
	SL_ASSERT(from && ivf_holds(from, row) && ivf_has_codes(from));
	quantiser_decode(from->codes->q, ivf_code(from, row), ret_x);
}

void ivf_axes_are_set(struct ivf_model *m)
{
	memset(m->origin, 0, sizeof(m->origin));
	m->set->multiply(m->origin, m->axes, m->mean, m->dim);
}

void ivf_project(const struct ivf_model *m, const float *x, bool centred, float *ret_y)
{
	for (uint32_t i = 0; i < IVF_AXES; i++)
		ret_y[i] = centred ? -m->origin[i] : 0;
	m->set->multiply(ret_y, m->axes, x, m->dim);
}

/* ---- lists ------------------------------------------------------------------------------ */

static int grow_lists(struct ivf_model *m)
{
	uint32_t room = sl_max(64u, m->lists_room * 2);
	struct ivf_list *lists = realloc(m->lists, room * sizeof(*lists));
	float *scores;

	if (!lists)
		return -ENOMEM;
	m->lists = lists;
	scores = realloc(m->scores, sl_round_up(room, SCAN_PANEL) * sizeof(float));
	if (!scores)
		return -ENOMEM;
	m->scores = scores;
	m->lists_room = room;
	return 0;
}

int ivf_list_add(struct ivf_model *m, const float *centroid)
{
	int err = m->c.n < m->lists_room ? 0 : grow_lists(m);

	if (!err)
		err = centroids_add(&m->c, centroid);
	if (!err)
		m->lists[m->c.n - 1] = (struct ivf_list){.split_at = UINT32_MAX};
	return err;
}

static bool resize(void *pp, size_t n)
{
	void **p = pp, *again = realloc(*p, n);

	if (again)
		*p = again;
	return again;
}

int ivf_list_reserve(struct ivf_list *list, uint32_t n)
{
	uint32_t room =
		(uint32_t)sl_round_up(sl_max(list->n + n, list->n + list->n / 4), SCAN_BLOCK);

	if (list->n + n <= list->room)
		return 0;
	if (!resize(&list->rows, room * sizeof(*list->rows)) ||
	    !resize(&list->more, room * sizeof(*list->more)) ||
	    !resize(&list->codes, (size_t)room / SCAN_BLOCK * IVF_BLOCK_BYTES))
		return -ENOMEM;
	memset(list->codes + (size_t)list->room / SCAN_BLOCK * IVF_BLOCK_BYTES, 0,
	       (size_t)(room - list->room) / SCAN_BLOCK * IVF_BLOCK_BYTES);
	for (uint32_t i = list->room; i < room; i++)
		list->more[i] = INFINITY;
	list->room = room;
	return 0;
}

/* The byte of a block that has the code of row @at at @place, and by how much it is shifted. */
static uint8_t *code_at(const struct ivf_list *list, uint32_t at, uint32_t place, uint32_t *shift)
{
	*shift = at % SCAN_BLOCK / 16 * 4;
	return list->codes + (size_t)(at / SCAN_BLOCK) * IVF_BLOCK_BYTES + place * 16 + at % 16;
}

static void code_set(struct ivf_list *list, uint32_t at, uint32_t place, uint32_t code)
{
	uint32_t shift;
	uint8_t *byte = code_at(list, at, place, &shift);

	*byte = (uint8_t)((*byte & ~(15u << shift)) | code << shift);
}

static uint32_t code_get(const struct ivf_list *list, uint32_t at, uint32_t place)
{
	uint32_t shift;
	const uint8_t *byte = code_at(list, at, place, &shift);

	return (uint32_t)*byte >> shift & 15;
}

/* ---- rows ------------------------------------------------------------------------------- */

static int reserve_place(struct ivf_model *m, uint32_t row)
{
	uint32_t n = sl_max(row + 1, sl_min(m->places_n + m->places_n / 2, UINT32_MAX / 16));

	if (row < m->places_n)
		return 0;
	if (!resize(&m->places, n * sizeof(*m->places)))
		return -ENOMEM;
	memset(m->places + m->places_n, 0xff, (n - m->places_n) * sizeof(*m->places));
	m->places_n = n;
	return 0;
}

int ivf_row_reserve(struct ivf_model *m, uint32_t row)
{
	uint32_t chunk = row / SL_ROWS_A_CHUNK;
	struct ivf_codes *codes = m->codes;
	int err = reserve_place(m, row);

	if (err || !ivf_has_codes(m))
		return err;
	if (chunk >= codes->n) {
		if (!resize(&codes->chunks, (chunk + 1) * sizeof(*codes->chunks)))
			return -ENOMEM;
		memset(codes->chunks + codes->n, 0,
		       (chunk + 1 - codes->n) * sizeof(*codes->chunks));
		codes->n = chunk + 1;
	}
	if (!codes->chunks[chunk])
		codes->chunks[chunk] = sl_slabs_take(&codes->slabs);
	return codes->chunks[chunk] ? 0 : -ENOMEM;
}

/* The code of two components that is nearest to them. */
static uint32_t encode(const struct ivf_model *m, uint32_t place, const float *r)
{
	const float *a = m->books[place][0], *b = m->books[place][1];
	float far[SCAN_CODES];

	for (uint32_t i = 0; i < SCAN_CODES; i++)
		far[i] = (a[i] - r[0]) * (a[i] - r[0]) + (b[i] - r[1]) * (b[i] - r[1]);
	return m->set->lowest(far, SCAN_CODES) % SCAN_CODES;
}

/**
 * put() - at the end of @list, which has room. @y: the projection; @rest: the square of the length
 * of what it left out.
 */
static void put(struct ivf_model *m, uint32_t list, uint32_t row, const float *y, float rest)
{
	struct ivf_list *l = &m->lists[list];
	float c[IVF_AXES], more = rest;
	uint32_t at = l->n++;

	centroids_get(&m->c, list, c);
	for (uint32_t p = 0; p < IVF_PLACES; p++) {
		float r[2] = {y[p * 2] - c[p * 2], y[p * 2 + 1] - c[p * 2 + 1]};
		uint32_t code = encode(m, p, r);

		code_set(l, at, p, code);
		for (uint32_t i = 0; i < 2; i++) {
			float coded = m->books[p][i][code];

			more += coded * (coded + 2 * c[p * 2 + i]);
		}
	}
	l->rows[at] = row;
	l->more[at] = m->index->rows->metric == SL_METRIC_DOT ? 0 : more;
	m->places[row] = (struct ivf_place){list, at};
}

/* The row's vector on the axes. Return: the square of what is left out. */
static float project_row(const struct ivf_model *m, const struct ivf_model *from, uint32_t row,
			 float *ret_y)
{
	float all = 0;

	ivf_row_floats(m->index, from, row, m->vector);
	ivf_project(m, m->vector, true, ret_y);
	all = sl_distance(SL_METRIC_L2, SL_F32)(m->vector, m->mean, m->dim);
	for (uint32_t i = 0; i < IVF_AXES; i++)
		all -= ret_y[i] * ret_y[i];
	return sl_max(all, 0.0f);
}

int ivf_insert(struct ivf_model *m, const struct ivf_model *from, uint32_t row)
{
	float y[IVF_AXES], rest;
	uint32_t list;
	int err = ivf_row_reserve(m, row);

	if (err)
		return err;
	rest = project_row(m, from, row, y);
	list = centroids_nearest(m->set, &m->c, y, m->scores);
	err = ivf_list_reserve(&m->lists[list], 1);
	if (err)
		return err;
	put(m, list, row, y, rest);
	/* A code stays as it is: what it stands for has another one. */
	if (ivf_has_codes(m) && !(from && from->codes == m->codes && ivf_holds(from, row)))
		m->codes->q->kind->encode(m->codes->q, m->vector, ivf_code(m, row));
	return 0;
}

void ivf_remove(struct ivf_model *m, uint32_t row)
{
	struct ivf_place at = m->places[row];
	struct ivf_list *l = &m->lists[at.list];
	uint32_t last = --l->n;

	SL_ASSERT(l->rows[at.at] == row);
	for (uint32_t p = 0; p < IVF_PLACES; p++)
		code_set(l, at.at, p, code_get(l, last, p));
	l->more[at.at] = l->more[last];
	l->rows[at.at] = l->rows[last];
	m->places[l->rows[at.at]].at = at.at;
	l->more[last] = INFINITY;
	m->places[row].list = SL_ROW_NONE;
}

/* ---- splitting -------------------------------------------------------------------------- */

enum { SPLIT_ROUNDS = 6, SPLIT_ROW_NS = 3000 };

/* What a list that is split consists of. */
struct halves {
	uint32_t n;
	uint32_t *rows;
	float *points, *rests;
	struct centroids c;
	struct kmeans km;
};

static void halves_done(struct halves *h)
{
	kmeans_done(&h->km);
	centroids_done(&h->c);
	free(h->rows);
	free(h->points);
	free(h->rests);
}

static int halves_init(struct halves *h, struct ivf_model *m, const struct ivf_list *l)
{
	*h = (struct halves){
		.n = l->n,
		.rows = malloc(l->n * sizeof(*h->rows)),
		.points = malloc(l->n * IVF_AXES * sizeof(float)),
		.rests = malloc(l->n * sizeof(float)),
		.c = {.dim = IVF_AXES},
	};
	if (!h->rows || !h->points || !h->rests)
		return -ENOMEM;
	memcpy(h->rows, l->rows, l->n * sizeof(*h->rows));
	for (uint32_t i = 0; i < l->n; i++)
		h->rests[i] = project_row(m, m, h->rows[i], h->points + (size_t)i * IVF_AXES);
	return kmeans_init(&h->km, &h->c, 2, h->points, h->n, SPLIT_ROUNDS, m->index->conf.seed);
}

/* Both lists have room for all rows. */
static void fill_halves(struct ivf_model *m, struct halves *h, const uint32_t *lists)
{
	float scores[SCAN_PANEL];

	for (uint32_t i = 0; i < h->n; i++) {
		const float *y = h->points + (size_t)i * IVF_AXES;
		uint32_t half = centroids_nearest(m->set, &h->c, y, scores);

		put(m, lists[half], h->rows[i], y, h->rests[i]);
	}
}

static int split(struct ivf_model *m, uint32_t list)
{
	struct halves h;
	float of[2][IVF_AXES];
	uint32_t lists[2] = {list, m->c.n};
	int err = halves_init(&h, m, &m->lists[list]);

	while (!err && kmeans_step(&h.km, h.n))
		;
	if (!err) {
		centroids_get(&h.c, 0, of[0]);
		centroids_get(&h.c, 1, of[1]);
		err = ivf_list_add(m, of[1]);
	}
	if (!err) {
		struct ivf_list *l = &m->lists[list];

		m->lists[lists[1]].split_at = l->split_at;
		err = ivf_list_reserve(&m->lists[lists[1]], h.n);
		if (!err) {
			centroids_set(&m->c, list, of[0]);
			for (uint32_t i = 0; i < l->n; i++)
				l->more[i] = INFINITY;
			l->n = 0;
			fill_halves(m, &h, lists);
			/* rows that are all alike stay together */
			if (!l->n || !m->lists[lists[1]].n)
				l->split_at = m->lists[lists[1]].split_at = h.n * 2;
		}
	}
	halves_done(&h);
	return err;
}

int ivf_split(struct ivf_model *m, int64_t *cost_ns)
{
	for (uint32_t i = 0; i < m->c.n; i++) {
		int err;

		if (m->lists[i].n < m->lists[i].split_at)
			continue;
		*cost_ns += m->lists[i].n * (int64_t)SPLIT_ROW_NS;
		err = split(m, i);
		return err ? err : 1;
	}
	return 0;
}
