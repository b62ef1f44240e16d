/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IVF index: rows in lists around centroids; a search looks at the lists nearest to the query,
 * estimates distances from 4-bit codes, and those of the best again by the quantiser's codes; the
 * nearest by these are candidates.
 *
 * Interface: index_pvt.h. There is no model until there are enough rows, and another once there are
 * many times more; until it is made rows are looked at one by one, or by the old one.
 *
 * Order of parts: changing; steps; what a search knows; lists; codes; rescoring; searching; the
 * kind.
 */
#include <errno.h>
#include <string.h>

#include "ivf_pvt.h"
#include "pool.h"

enum {
	TRAIN_ROWS = 4096,
	TRAIN_AGAIN = 3, /* times the rows that the model was trained with */
	RESCORE_TIMES = 5, /* the rows that are asked for, and once more for each */
	RESCORE_LISTS = 4,
	EFFORT_MIN = 32,
};

static struct ivf *ivf_of(struct sl_index *index)
{
	return sl_container_of(index, struct ivf, index);
}

/* ---- changing --------------------------------------------------------------------------- */

static void done(struct sl_index *index)
{
	struct ivf *ivf = ivf_of(index);

	ivf_model_free(ivf->model);
	ivf_build_free(ivf->build);
}

static int add(struct sl_index *index, uint32_t row)
{
	struct ivf *ivf = ivf_of(index);
	int err = ivf->model ? ivf_insert(ivf->model, NULL, row) : 0;

	if (err || !ivf->build || !ivf_build_is_past(ivf->build, row))
		return err;
	err = ivf_insert(ivf_build_model(ivf->build), ivf->model, row);
	if (err && ivf->model)
		ivf_remove(ivf->model, row);
	return err;
}

static void remove_row(struct sl_index *index, uint32_t row)
{
	struct ivf *ivf = ivf_of(index);

	ivf->gone++;
	if (ivf->model)
		ivf_remove(ivf->model, row);
	if (ivf->build && ivf_holds(ivf_build_model(ivf->build), row))
		ivf_remove(ivf_build_model(ivf->build), row);
}

static uint64_t memory(const struct sl_index *index)
{
	const struct ivf *ivf = sl_container_of(index, const struct ivf, index);
	const struct ivf_codes *codes = ivf->model ? ivf->model->codes : NULL;
	uint64_t n = codes ? ivf_model_memory(ivf->model) + ivf_codes_memory(codes) : 0;

	return n + (ivf->build ? ivf_build_memory(ivf->build, codes) : 0);
}

/* ---- steps ------------------------------------------------------------------------------ */

/* Also when as many rows have gone as there are: those that are may be others altogether. */
static bool wants_model(const struct ivf *ivf)
{
	uint32_t rows = ivf->index.conf.train_rows ? ivf->index.conf.train_rows : TRAIN_ROWS;

	return ivf->index.n >= rows &&
	       (!ivf->model || ivf->index.n / TRAIN_AGAIN >= ivf->model->trained ||
		ivf->gone >= ivf->index.n);
}

/* Return: 1: more is left; 0; -ENOMEM. */
static int a_little(struct ivf *ivf, int64_t *cost_ns)
{
	int err;

	if (!ivf->build && wants_model(ivf)) {
		err = ivf_build_new(&ivf->index, ivf->model, &ivf->build);
		if (!err)
			ivf->gone = 0;
		return err ? err : 1;
	}
	if (!ivf->build)
		return ivf->model ? ivf_split(ivf->model, cost_ns) : 0;
	err = ivf_build_step(ivf->build, cost_ns);
	if (err > 0)
		return 1;
	if (!err) {
		ivf_model_free(ivf->model);
		ivf->model = ivf_build_take(ivf->build);
	}
	ivf_build_free(ivf->build);
	ivf->build = NULL;
	return err ? err : 1;
}

static int step(struct sl_index *index, int64_t budget_ns)
{
	int64_t cost_ns = 0;
	int more;

	do
		more = a_little(ivf_of(index), &cost_ns);
	while (more > 0 && cost_ns < budget_ns);
	return more;
}

/* ---- what a search knows ---------------------------------------------------------------- */

/**
 * struct looking - one search. @x, @asked: the query as floats and as prepared, @y: on the axes.
 * @scores: of the lists, those of @lists the nearest. @tables: of the codes; a sum of entries times
 * @scale, and @base, is the third term. @pool: the nearest by these, @near: by the quantiser's,
 * or the nearest of the pool where that only copies.
 */
struct looking {
	const struct ivf_model *m;
	const struct sl_query *query;
	float *x, *scores, y[IVF_AXES];
	void *asked;
	struct sl_hit *lists;
	uint32_t lists_n;
	uint8_t *tables;
	float base, scale;
	struct pool pool;
	struct nearest near;
};

static void *carve(uint8_t **at, size_t n)
{
	void *p = *at;

	*at += sl_round_up(n, SL_ROW_ALIGN);
	return p;
}

static int looking_init(struct looking *l, uint32_t lists, uint32_t rescore, uint32_t near,
			struct sl_scratch *scratch)
{
	const struct ivf_model *m = l->m;
	size_t bytes = m->dim * sizeof(float) + m->codes->q->query_bytes +
		       centroids_room(&m->c) * sizeof(float) + IVF_PLACES * SCAN_CODES +
		       ((size_t)lists + near) * sizeof(struct sl_hit) + pool_bytes(rescore);
	uint8_t *at = scratch_room(scratch, bytes + (size_t)7 * SL_ROW_ALIGN);

	if (!at)
		return -ENOMEM;
	l->x = carve(&at, m->dim * sizeof(float));
	l->scores = carve(&at, centroids_room(&m->c) * sizeof(float));
	l->asked = carve(&at, m->codes->q->query_bytes);
	l->lists = carve(&at, lists * sizeof(struct sl_hit));
	l->tables = carve(&at, IVF_PLACES * SCAN_CODES);
	pool_init(&l->pool, m->set, carve(&at, pool_bytes(rescore)), rescore);
	l->near = (struct nearest){carve(&at, near * sizeof(struct sl_hit)), 0, near};
	return 0;
}

/* ---- lists ------------------------------------------------------------------------------ */

/* The nearest @n of them, in their order. */
static void choose_lists(struct looking *l, uint32_t n)
{
	struct nearest nearest = {l->lists, 0, n};

	for (uint32_t i = 0; i < l->m->c.n; i++)
		if (l->scores[i] < (nearest.n < n ? INFINITY : nearest.hits[0].distance))
			nearest_put(&nearest, (struct sl_hit){l->scores[i], i});
	l->lists_n = nearest_sort(&nearest);
}

static void score_lists(struct looking *l)
{
	const struct ivf_model *m = l->m;
	bool dot = m->index->rows->metric == SL_METRIC_DOT;

	index_floats(m->index->rows, l->query->vector, l->x);
	ivf_project(m, l->x, !dot, l->y);
	centroids_scores(m->set, &m->c, l->y, l->scores);
	for (uint32_t i = 0; dot && i < m->c.n; i++)
		l->scores[i] -= m->c.norms[i];
}

/* ---- codes ------------------------------------------------------------------------------ */

/* Tables of floats, each less its lowest entry, as bytes of one scale. */
static void make_tables(struct looking *l)
{
	float t[IVF_PLACES][SCAN_CODES], span = 0;

	l->base = 0;
	for (uint32_t p = 0; p < IVF_PLACES; p++) {
		const float(*book)[SCAN_CODES] = l->m->books[p];
		float low = INFINITY, high = -INFINITY;

		for (uint32_t i = 0; i < SCAN_CODES; i++)
			t[p][i] = -2 * (l->y[p * 2] * book[0][i] + l->y[p * 2 + 1] * book[1][i]);
		for (uint32_t i = 0; i < SCAN_CODES; i++) {
			low = t[p][i] < low ? t[p][i] : low;
			high = t[p][i] > high ? t[p][i] : high;
		}
		for (uint32_t i = 0; i < SCAN_CODES; i++)
			t[p][i] -= low;
		span = high - low > span ? high - low : span;
		l->base += low;
	}
	l->scale = span > 0 && isfinite(span) ? span / 255 : 1;
	for (uint32_t p = 0; p < IVF_PLACES; p++) {
		float by = 1 / l->scale;

		for (uint32_t i = 0; i < SCAN_CODES; i++) {
			float f = t[p][i] * by + 0.5f;

			l->tables[p * SCAN_CODES + i] = (uint8_t)(int)(f < 255 ? f : 255);
		}
	}
}

/* How many of @list may be given, judged by one in @every. */
static double allowed_of(const struct sl_query *q, const struct ivf_list *list, uint32_t every)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < list->n; i += every)
		n += sl_query_allows(q, list->rows[i]);
	return (double)n * list->n / ((list->n + every - 1) / every);
}

static void look_at_block(struct looking *l, const struct ivf_list *list, uint32_t block,
			  float base)
{
	const struct scan_set *set = l->m->set;
	uint16_t sums[SCAN_BLOCK];
	float far[SCAN_BLOCK];
	uint32_t bits, at = block * SCAN_BLOCK;

	set->sums(list->codes + (size_t)block * IVF_BLOCK_BYTES, l->tables, IVF_PLACES, sums);
	bits = set->below(sums, list->more + at, base, l->scale, l->pool.limit, far);
	if (bits)
		pool_reserve(&l->pool, SCAN_BLOCK);
	for (; bits; bits &= bits - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(bits);

		if (at + i < list->n && sl_query_allows(l->query, list->rows[at + i]))
			pool_put(&l->pool, far[i], list->rows[at + i]);
	}
}

static void look_at_list(struct looking *l, uint32_t i)
{
	const struct ivf_list *list = &l->m->lists[i];
	float base = l->base + l->scores[i];

	for (uint32_t block = 0; block * SCAN_BLOCK < list->n; block++)
		look_at_block(l, list, block, base);
}

/* ---- rescoring -------------------------------------------------------------------------- */

static void prepare(struct looking *l)
{
	const struct quantiser *q = l->m->codes->q;

	if (q->kind->symmetric)
		q->kind->encode(q, l->x, l->asked);
	else
		q->kind->prepare(q, l->x, l->asked);
}

/* Some rows, at most 64, by their codes. */
static void look_at_codes(struct looking *l, const uint32_t *rows, uint32_t n)
{
	const struct ivf_model *m = l->m;
	const uint8_t *codes[64];
	float far[64];

	if (!n)
		return;
	for (uint32_t i = 0; i < n; i++)
		codes[i] = ivf_code(m, rows[i]);
	quantiser_distances(m->codes->q, l->asked, codes, n, far);
	for (uint32_t i = 0; i < n; i++)
		nearest_put(&l->near, (struct sl_hit){far[i], rows[i]});
}

/* The nearest of the pool by their codes; what is asked for comes while the last is looked at. */
static void rescore_pool(struct looking *l)
{
	enum { AT_ONCE = 8 };
	uint32_t rows[2][AT_ONCE], n[2] = {0}, now = 0;

	for (uint32_t i = 0; i < l->pool.n; i += AT_ONCE, now ^= 1) {
		n[now] = sl_min(l->pool.n - i, (uint32_t)AT_ONCE);
		for (uint32_t j = 0; j < n[now]; j++) {
			rows[now][j] = l->pool.rows[i + j];
			ask_for(ivf_code(l->m, rows[now][j]), l->m->codes->q->code_bytes);
		}
		look_at_codes(l, rows[now ^ 1], n[now ^ 1]);
	}
	look_at_codes(l, rows[now ^ 1], n[now ^ 1]);
}

/* The nearest of the pool as it says itself. */
static void take_pool(struct looking *l)
{
	for (uint32_t i = 0; i < l->pool.n; i++)
		nearest_put(&l->near, (struct sl_hit){l->pool.far[i], l->pool.rows[i]});
}

/* The nearest, as far as they are. */
static int give(struct looking *l, struct sl_hit *ret_hits)
{
	uint32_t n = nearest_sort(&l->near);
	bool coded = ivf_has_codes(l->m);

	for (uint32_t i = 0; i < n; i++) {
		struct sl_hit hit = l->near.hits[i];

		if (coded)
			hit.distance = quantiser_real(l->m->codes->q, hit.distance);
		ret_hits[i] = hit;
	}
	return (int)n;
}

/* ---- searching -------------------------------------------------------------------------- */

/* So that 99 of 100 are found on the sets of docs/benchmarks.md. */
static uint32_t default_effort(const struct ivf_model *m)
{
	return sl_max((uint32_t)EFFORT_MIN, (uint32_t)(2.5f * sqrtf((float)m->c.n)));
}

static uint32_t effort_of(const struct ivf_model *m, const struct sl_query *q)
{
	return q->effort ? q->effort : default_effort(m);
}

/* As much more, or less, than the default. */
static uint32_t effort(const struct sl_index *index, uint32_t nearest)
{
	const struct ivf_model *m = sl_container_of(index, const struct ivf, index)->model;
	uint64_t lists = m ? (uint64_t)default_effort(m) * nearest / INDEX_NEAREST : 0;

	return m ? (uint32_t)sl_max(sl_min(lists, (uint64_t)m->c.n), (uint64_t)1) : 0;
}

/* The part of the rows that may be given, above 0 to 1. */
static double part_of(const struct ivf_model *m, const struct sl_query *q)
{
	if (!q->allowed || q->allowed_n >= m->index->n)
		return 1;
	return (double)sl_max(q->allowed_n, 1u) / m->index->n;
}

/* So many lists are looked at: more where only some of the rows may be given. */
static double lists_of(const struct ivf_model *m, const struct sl_query *q)
{
	return sl_min(effort_of(m, q) / sqrt(sqrt(part_of(m, q))), (double)m->c.n);
}

/* How many candidates: at least as many as are looked at as rows. */
static uint32_t rescore_of(const struct ivf_model *m, const struct sl_query *q, uint32_t rows)
{
	uint64_t n = m->index->conf.rescore;

	if (!n)
		n = (uint64_t)q->k * (RESCORE_TIMES + effort_of(m, q) / RESCORE_LISTS);
	return (uint32_t)sl_max((uint64_t)rows, sl_min(n, (uint64_t)m->index->n));
}

/* Whether to look at all rows costs no more: of codes, or rows, and of places in lists. */
static bool costs_less(const struct ivf_model *m, const struct sl_query *q, uint32_t rescore)
{
	enum { SCAN_NS = 12, SCAN_BYTES_A_NS = 16, PLACE_NS = 3, CHECK_NS = 1, LIST_NS = 10 };
	const struct sl_rows *rows = m->index->rows;
	size_t bytes = ivf_has_codes(m) ? m->codes->q->code_bytes
					: sl_vector_bytes(rows->component, rows->dim);
	double all = m->index->n, each = SCAN_NS + (double)bytes / SCAN_BYTES_A_NS;
	double lists = lists_of(m, q), place = q->allowed ? PLACE_NS + CHECK_NS : PLACE_NS;

	return all * part_of(m, q) * each <=
	       m->c.n * (double)LIST_NS + all * lists / m->c.n * place + rescore * each;
}

/* Rows need not be here once all of them have codes. */
static bool needs_rows(const struct sl_index *index)
{
	const struct ivf_model *m = sl_container_of(index, const struct ivf, index)->model;

	return !m || !ivf_has_codes(m);
}

/* Where there is but one kind of codes all that these say are near are candidates. */
static uint32_t candidates_max(const struct sl_index *index, const struct sl_query *query)
{
	const struct ivf_model *m = sl_container_of(index, const struct ivf, index)->model;
	uint32_t n = m ? quantiser_candidates(m->codes->q, index, query)
		       : sl_min(query->k, index->n);

	return m && !ivf_has_codes(m) ? rescore_of(m, query, n) : n;
}

/* All rows, by their codes if they have some. */
static int scan(struct sl_index *index, const struct sl_query *query, struct sl_hit *ret_hits,
		struct sl_scratch *scratch)
{
	struct looking l = {.m = ivf_of(index)->model, .query = query};
	struct sl_query all = *query;
	int err;

	all.k = candidates_max(index, query);
	if (needs_rows(index))
		return flat_scan(index, &all, ret_hits);
	err = looking_init(&l, 0, 0, all.k, scratch);
	if (err)
		return err;
	index_floats(index->rows, query->vector, l.x);
	prepare(&l);
	for (uint32_t word = 0; word < index->live_words; word++) {
		uint64_t left = index_candidates(index, query, word);
		uint32_t rows[64], n = 0;

		for (; left; left &= left - 1)
			rows[n++] = word * 64 + (uint32_t)__builtin_ctzll(left);
		look_at_codes(&l, rows, n);
	}
	return give(&l, ret_hits);
}

/**
 * look_at_lists() - the nearest ones: under a filter until as many have been met that may be given
 * as there are in so many lists if it has nothing to do with where rows are; more if that many had
 * few, as what may be given is far from the query then, and in many lists about as far. All are put
 * in order only if those that were chosen do not suffice.
 */
static void look_at_lists(struct looking *l)
{
	const struct ivf_model *m = l->m;
	const struct sl_query *q = l->query;
	enum { FAR_TIMES = 4, COUNTED = 64, EVERY_MAX = 8 };
	double lists = lists_of(m, q), enough = lists * part_of(m, q) * m->index->n / m->c.n;
	uint32_t every = (uint32_t)sl_max(sl_min(enough / COUNTED, (double)EVERY_MAX), 1.0);
	double met = 0;
	bool is_far = false;

	for (uint32_t i = 0; i < m->c.n && (q->allowed ? met < enough : i < (uint32_t)lists); i++) {
		const struct ivf_list *list;

		if (i == l->lists_n)
			choose_lists(l, m->c.n);
		if (i == l->lists_n)
			break;
		list = &m->lists[l->lists[i].row];
		if (i >= lists && !is_far && met < enough / 2) {
			is_far = true;
			enough *= FAR_TIMES;
		}
		met += q->allowed && list->n ? allowed_of(q, list, every) : 0;
		look_at_list(l, l->lists[i].row);
	}
}

static int candidates(struct sl_index *index, const struct sl_query *query, struct sl_hit *ret_hits,
		      struct sl_scratch *scratch)
{
	const struct ivf_model *m = ivf_of(index)->model;
	struct looking l = {.m = m, .query = query};
	uint32_t rescore, first, rows;
	int err;

	if (!m || query->k >= index->n / 8)
		return scan(index, query, ret_hits, scratch);
	rows = candidates_max(index, query);
	rescore = ivf_has_codes(m) ? rescore_of(m, query, rows) : rows;
	if (costs_less(m, query, rescore))
		return scan(index, query, ret_hits, scratch);
	/* under a filter rarely a quarter more is needed */
	first = sl_min((uint32_t)(lists_of(m, query) * (query->allowed ? 1.25 : 1)), m->c.n);
	err = looking_init(&l, query->allowed ? m->c.n : first, rescore, rows, scratch);
	if (err)
		return err;
	score_lists(&l);
	choose_lists(&l, first);
	make_tables(&l);
	look_at_lists(&l);
	/* what may be given lies in other lists, or is not of numbers */
	if (l.pool.n < query->k)
		return scan(index, query, ret_hits, scratch);
	pool_narrow(&l.pool);
	if (ivf_has_codes(m)) {
		prepare(&l);
		rescore_pool(&l);
	} else {
		take_pool(&l);
	}
	return give(&l, ret_hits);
}

/* ---- the kind --------------------------------------------------------------------------- */

const struct index_kind index_ivf = {
	.name = "ivf",
	.bytes = sizeof(struct ivf),
	.done = done,
	.add = add,
	.remove = remove_row,
	.needs_rows = needs_rows,
	.effort = effort,
	.candidates_max = candidates_max,
	.candidates = candidates,
	.step = step,
	.memory = memory,
	.save = ivf_save,
	.load = ivf_load,
};
