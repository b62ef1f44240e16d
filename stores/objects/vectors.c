/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vectors: the rows of one named vector, and the two indexes over them.
 *
 * Interface: "vectors" of objects_pvt.h. A row that is written goes to the tail, which is looked at
 * as a whole; in the background rows move on to the main index, while there is one.
 * Invariants: a row is in one of the two or in none; its vector stays as it is meanwhile.
 *
 * Order of parts: components; making; rows; moving back; at the start; queries and scores; moving
 * on.
 */
#include <math.h>

#include "objects_pvt.h"

/* From so many bytes and rows on what is kept automatically has a main index. */
#define MAIN_FROM_BYTES (4 * SL_MIB)
#define MAIN_FROM_ROWS 1024u

/* ---- components ------------------------------------------------------------------------- */

void vector_normalise(float *p, uint32_t dim)
{
	double sum = 0;

	for (uint32_t i = 0; i < dim; i++)
		sum += (double)p[i] * p[i];
	/* What has that length already stays as it is, to the bit. */
	if (!(sum > 0) || fabs(sum - 1) <= 1e-6)
		return;
	for (uint32_t i = 0; i < dim; i++)
		p[i] = (float)(p[i] / sqrt(sum));
}

/* Writes @from as @component to @to, which has room for it. */
static void convert(const float *from, uint32_t dim, enum sl_component component, void *to)
{
	uint16_t *halves = to;
	int8_t *bytes = to;
	uint8_t *bits = to;

	if (component == SL_F32)
		memcpy(to, from, dim * sizeof(*from));
	if (component == SL_BITS)
		memset(to, 0, sl_vector_bytes(component, dim));
	for (uint32_t i = 0; i < dim && component != SL_F32; i++) {
		if (component == SL_F16)
			halves[i] = sl_float_half(from[i]);
		else if (component == SL_I8)
			bytes[i] = (int8_t)lrintf(fminf(fmaxf(from[i], -128), 127));
		else if (from[i] > 0)
			bits[i / 8] |= (uint8_t)(1u << i % 8);
	}
}

static void floats_of(const void *from, uint32_t dim, enum sl_component component, float *to)
{
	const uint16_t *halves = from;
	const int8_t *bytes = from;
	const uint8_t *bits = from;

	for (uint32_t i = 0; i < dim; i++) {
		if (component == SL_F32)
			to[i] = ((const float *)from)[i];
		else if (component == SL_F16)
			to[i] = sl_half_float(halves[i]);
		else if (component == SL_I8)
			to[i] = bytes[i];
		else
			to[i] = (float)(bits[i / 8] >> i % 8 & 1);
	}
}

static bool is_cosine(const struct vector *v)
{
	return v->conf->metric == SL_METRIC_COSINE;
}

/* ---- making ----------------------------------------------------------------------------- */

static bool can_be_listed(const struct objects_vector_conf *conf)
{
	return (conf->component == SL_F32 || conf->component == SL_F16) &&
	       (conf->metric == SL_METRIC_L2 || conf->metric == SL_METRIC_DOT ||
		conf->metric == SL_METRIC_COSINE);
}

/* Lists cost less than a graph, to be made and to be searched (docs/benchmarks.md). */
struct sl_index_conf vector_index_conf(const struct objects_vector_conf *conf)
{
	struct sl_index_conf index = conf->index;

	if (!conf->automatic || index.kind != SL_INDEX_HNSW || index.links || index.effort_add ||
	    !can_be_listed(conf))
		return index;
	index.kind = SL_INDEX_IVF;
	index.train_rows = MAIN_FROM_ROWS;
	return index;
}

int vector_new(const struct objects_vector_conf *conf, uint64_t revision,
	       struct vector **ret_vector)
{
	const struct sl_index_conf tail = {.kind = SL_INDEX_FLAT};
	struct vector *v = calloc(1, sizeof(*v));
	int rc;

	if (!v)
		return -ENOMEM;
	v->conf = conf;
	v->revision = revision;
	v->rows = (struct sl_rows){
		.stride = sl_round_up(sl_vector_bytes(conf->component, conf->dim), SL_ROW_ALIGN),
		.dim = conf->dim,
		.component = conf->component,
		.metric = is_cosine(v) ? SL_METRIC_DOT : conf->metric,
	};
	rc = sl_index_new(&tail, &v->rows, &v->tail);
	if (rc) {
		free(v);
		return rc;
	}
	*ret_vector = v;
	return 0;
}

void vector_free(struct vector *v)
{
	if (!v)
		return;
	sl_index_free(v->main);
	sl_index_free(v->tail);
	for (uint32_t i = 0; i < v->chunks_n; i++)
		free(v->chunks[i]);
	free(v->chunks);
	free(v->tail_bits);
	free(v->has);
	free(v);
}

/* Of one bit for each row. */
#define CHUNK_BYTES (SL_ROWS_A_CHUNK / 8)

int vector_reserve(struct vector *v, uint64_t n)
{
	uint32_t chunks = (uint32_t)((n + SL_ROWS_A_CHUNK - 1) / SL_ROWS_A_CHUNK);
	uint64_t *bits;
	uint8_t **at;

	if (chunks <= v->chunks_n)
		return 0;
	at = realloc(v->chunks, chunks * sizeof(*at));
	if (!at)
		return -ENOMEM;
	v->chunks = at;
	v->rows.chunks = (const uint8_t *const *)at;
	bits = realloc(v->tail_bits, (size_t)chunks * CHUNK_BYTES);
	if (!bits)
		return -ENOMEM;
	v->tail_bits = bits;
	bits = realloc(v->has, (size_t)chunks * CHUNK_BYTES);
	if (!bits)
		return -ENOMEM;
	v->has = bits;
	while (v->chunks_n < chunks) {
		/* Not touched before its rows are. */
		at[v->chunks_n] = aligned_alloc(SL_ROW_ALIGN, SL_ROWS_A_CHUNK * v->rows.stride);
		if (!at[v->chunks_n])
			return -ENOMEM;
		memset((uint8_t *)v->has + v->chunks_n * CHUNK_BYTES, 0, CHUNK_BYTES);
		memset((uint8_t *)v->tail_bits + v->chunks_n * CHUNK_BYTES, 0, CHUNK_BYTES);
		v->chunks_n++;
	}
	return 0;
}

uint64_t vector_bytes(const struct vector *v)
{
	return v->chunks_n * (uint64_t)SL_ROWS_A_CHUNK * v->rows.stride + sl_index_bytes(v->tail) +
	       (v->main ? sl_index_bytes(v->main) : 0);
}

uint32_t vector_count(const struct vector *v)
{
	return sl_index_count(v->tail) + (v->main ? sl_index_count(v->main) : 0);
}

/* ---- rows ------------------------------------------------------------------------------- */

static void *row_at(struct vector *v, uint32_t row)
{
	return v->chunks[row / SL_ROWS_A_CHUNK] + row % SL_ROWS_A_CHUNK * v->rows.stride;
}

/* Padding is read by nobody, and zero. */
static void row_put(struct vector *v, uint32_t row, const void *p)
{
	size_t n = sl_vector_bytes(v->rows.component, v->rows.dim);
	uint8_t *to = row_at(v, row);

	memcpy(to, p, n);
	memset(to + n, 0, v->rows.stride - n);
}

bool vector_put(struct vector *v, uint32_t row, const struct sl_object *o)
{
	enum sl_vector_type type;
	uint32_t dim;
	const void *p = sl_object_vector(o, v->conf->name, &type, &dim);
	bool same = (enum sl_component)type == v->rows.component;
	float *floats;

	if (!p || dim != v->rows.dim || (!same && type != SL_VECTOR_F32))
		return false;
	if (same)
		row_put(v, row, p);
	if (same && !is_cosine(v))
		return true;
	floats = same ? row_at(v, row) : malloc(dim * sizeof(*floats));
	if (!floats)
		return false;
	memcpy(floats, p, dim * sizeof(*floats));
	if (is_cosine(v))
		vector_normalise(floats, dim);
	if (same)
		return true;
	memset(row_at(v, row), 0, v->rows.stride);
	convert(floats, dim, v->rows.component, row_at(v, row));
	free(floats);
	return true;
}

static void bit_set(uint64_t *bits, uint32_t row, bool on)
{
	if (on)
		bits[row / 64] |= UINT64_C(1) << row % 64;
	else
		bits[row / 64] &= ~(UINT64_C(1) << row % 64);
}

static bool bit_get(const struct vector *v, const uint64_t *bits, uint32_t row)
{
	return row / SL_ROWS_A_CHUNK < v->chunks_n && bits[row / 64] >> row % 64 & 1;
}

bool vector_has(const struct vector *v, uint32_t row)
{
	return bit_get(v, v->has, row);
}

int vector_add(struct vector *v, uint32_t row)
{
	int rc = sl_index_add(v->tail, row);

	if (rc)
		return rc;
	bit_set(v->has, row, true);
	bit_set(v->tail_bits, row, true);
	return 0;
}

static void tail_remove(struct vector *v, uint32_t row)
{
	sl_index_remove(v->tail, row);
	bit_set(v->tail_bits, row, false);
}

void vector_remove(struct vector *v, uint32_t row)
{
	if (!vector_has(v, row))
		return;
	if (bit_get(v, v->tail_bits, row))
		tail_remove(v, row);
	else
		sl_index_remove(v->main, row);
	bit_set(v->has, row, false);
}

void vector_floats(const struct vector *v, uint32_t row, float *ret_floats)
{
	floats_of(sl_row(&v->rows, row), v->rows.dim, v->rows.component, ret_floats);
}

/* ---- moving back ------------------------------------------------------------------------ */

int vector_restart(struct vector *v)
{
	sl_index_free(v->main);
	v->main = NULL;
	v->main_most = 0;
	for (uint32_t row = 0; row < v->chunks_n * SL_ROWS_A_CHUNK; row++)
		if (vector_has(v, row) && !bit_get(v, v->tail_bits, row) && vector_add(v, row))
			return -ENOMEM;
	return 0;
}

/* ---- at the start ----------------------------------------------------------------------- */

void vector_claim(struct vector *v, uint32_t row)
{
	bit_set(v->has, row, true);
}

static bool in_tail(const uint8_t *tail, uint32_t row)
{
	return !tail || sl_load_le64(tail + row / 64 * 8) >> row % 64 & 1;
}

int vector_settle(struct vector *v, uint32_t rows, const uint8_t *tail)
{
	uint32_t in_main = 0;

	for (uint32_t row = 0; row < rows; row++) {
		if (!vector_has(v, row)) {
			/* What it was of is lost. */
			if (v->main)
				sl_index_remove(v->main, row);
		} else if (!in_tail(tail, row)) {
			in_main++;
		} else if (vector_add(v, row)) {
			return -ENOMEM;
		}
	}
	v->main_most = in_main;
	if (in_main == (v->main ? sl_index_count(v->main) : 0))
		return 0;
	return vector_restart(v);
}

/* ---- queries and scores ----------------------------------------------------------------- */

bool vector_query(const struct vector *v, const float *vector, void *ret_query)
{
	uint32_t dim = v->rows.dim;

	for (uint32_t i = 0; i < dim; i++)
		if (!isfinite(vector[i]))
			return false;
	if (is_cosine(v)) {
		float *unit = malloc(dim * sizeof(*unit));

		if (!unit)
			return false;
		memcpy(unit, vector, dim * sizeof(*unit));
		vector_normalise(unit, dim);
		convert(unit, dim, v->rows.component, ret_query);
		free(unit);
	} else {
		convert(vector, dim, v->rows.component, ret_query);
	}
	return true;
}

bool objects_larger_is_nearer(enum sl_metric metric)
{
	return metric == SL_METRIC_COSINE || metric == SL_METRIC_DOT;
}

float vector_score(const struct vector *v, float distance)
{
	switch (v->conf->metric) {
	case SL_METRIC_COSINE:
		return fmaxf(-1, fminf(1, -distance));
	case SL_METRIC_DOT:
		return -distance;
	case SL_METRIC_L2:
		return sqrtf(distance);
	default:
		return distance;
	}
}

/* ---- moving on -------------------------------------------------------------------------- */

static bool wants_main(const struct vector *v)
{
	uint32_t n = sl_index_count(v->tail);

	if (v->conf->index.kind == SL_INDEX_FLAT || n == 0)
		return false;
	return !v->conf->automatic ||
	       (n >= MAIN_FROM_ROWS && n * (uint64_t)v->rows.stride >= MAIN_FROM_BYTES);
}

/* The first row of the tail from @row on; there is one. */
static uint32_t tail_next(const struct vector *v, uint32_t row)
{
	uint32_t word = row / 64;
	uint64_t bits = v->tail_bits[word] & UINT64_MAX << row % 64;

	while (!bits)
		bits = v->tail_bits[++word];
	return word * 64 + (uint32_t)__builtin_ctzll(bits);
}

/* Of a graph that most rows have left little is worth being repaired. */
static bool is_left(const struct vector *v)
{
	return v->main && vector_index_conf(v->conf).kind == SL_INDEX_HNSW &&
	       sl_index_count(v->main) < v->main_most / 2;
}

int vector_step(struct vector *v, int64_t budget_ns, uint64_t *moved)
{
	const struct sl_index_conf conf = vector_index_conf(v->conf);
	const int64_t until = sl_clock_ns() + budget_ns;
	uint32_t row = 0;

	if (is_left(v) && vector_restart(v))
		return 0;
	if (!v->main && (!wants_main(v) || sl_index_new(&conf, &v->rows, &v->main)))
		return 0;
	while (sl_index_count(v->tail)) {
		row = tail_next(v, row);
		/* Without memory it stays in the tail, where it is found too. */
		if (sl_index_add(v->main, row))
			return 0;
		tail_remove(v, row);
		v->main_most = sl_max(v->main_most, sl_index_count(v->main));
		++*moved;
		if (sl_clock_ns() >= until)
			return 1;
	}
	return sl_index_step(v->main, budget_ns) == 1;
}
