/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vectors: the rows of one named vector, and the two indexes over them.
 *
 * Interface: "vectors" of objects_pvt.h. A row that is written goes to the tail, which is looked at
 * as a whole; in the background rows move on to the main index, while there is one.
 * Of vectors that lie on disk those in the tail are in memory, and those of a main index that has
 * no codes of them yet; the others are read where they are needed (far.c).
 * Invariants: a row is in one of the two or in none; its vector stays as it is meanwhile.
 *
 * Order of parts: components; making; memory; rows; moving back; at the start; queries and scores;
 * making anew; moving on.
 */
#include <math.h>
#include <sys/mman.h>

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

static bool can_be_listed(const struct sl_objects_vector *conf)
{
	return (conf->component == SL_F32 || conf->component == SL_F16) &&
	       (conf->metric == SL_METRIC_L2 || conf->metric == SL_METRIC_DOT ||
		conf->metric == SL_METRIC_COSINE);
}

/* Of vectors on disk codes are nearly all that is in memory: half as long as those of bytes, they
 * still tell so well which rows are near that few are read in vain. */
enum { FAR_BITS = 4 };

/* Lists cost less than a graph, to be made and to be searched (docs/benchmarks.md). */
struct sl_index_conf vector_index_conf(const struct sl_objects_vector *conf)
{
	struct sl_index_conf index = conf->index;

	if (!conf->automatic || index.kind != SL_INDEX_HNSW || index.links || index.effort_add ||
	    !can_be_listed(conf))
		return index;
	index.kind = SL_INDEX_IVF;
	index.train_rows = MAIN_FROM_ROWS;
	if (conf->on_disk && index.quantiser == SL_QUANTISER_DEFAULT) {
		index.quantiser = SL_QUANTISER_RABITQ;
		index.quantiser_bits = FAR_BITS;
	}
	return index;
}

/* Whether rows can leave memory: what is left is codes. */
static bool may_be_far(const struct sl_objects_vector *conf)
{
	const struct sl_index_conf index = vector_index_conf(conf);
	enum sl_quantiser q = index.quantiser;

	if (!conf->on_disk || index.kind == SL_INDEX_FLAT || q == SL_QUANTISER_NONE)
		return false;
	return sl_quantiser_can(q == SL_QUANTISER_DEFAULT ? SL_QUANTISER_SQ8 : q, conf->component,
				conf->metric);
}

int vector_new(const struct sl_objects_vector *conf, uint64_t revision, struct vector **ret_vector)
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
		.partial = may_be_far(conf),
		.dim = conf->dim,
		.component = conf->component,
		.metric = is_cosine(v) ? SL_METRIC_DOT : conf->metric,
	};
	sl_slabs_init(&v->slabs, SL_ROWS_A_CHUNK * v->rows.stride);
	rc = sl_index_new(&tail, &v->rows, &v->tail);
	if (rc) {
		free(v);
		return rc;
	}
	*ret_vector = v;
	return 0;
}

/* ---- memory ----------------------------------------------------------------------------- */

/* Of one bit for each row. */
#define CHUNK_BYTES (SL_ROWS_A_CHUNK / 8)

/* More bits in *@p, of @chunks, which are 0. */
static int bits_grow(struct vector *v, uint64_t **p, uint32_t chunks)
{
	uint64_t *bits = realloc(*p, (size_t)chunks * CHUNK_BYTES);

	if (!bits)
		return -ENOMEM;
	memset((uint8_t *)bits + (size_t)v->chunks_n * CHUNK_BYTES, 0,
	       (size_t)(chunks - v->chunks_n) * CHUNK_BYTES);
	*p = bits;
	return 0;
}

/* Of rows that leave again, from the kernel: what malloc() is given back it may keep. */
static void *chunk_map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static size_t chunk_bytes(const struct vector *v)
{
	return SL_ROWS_A_CHUNK * v->rows.stride;
}

/* Not touched before its rows are. */
static int chunk_fill(struct vector *v, uint32_t chunk)
{
	if (v->chunks[chunk])
		return 0;
	v->chunks[chunk] =
		v->rows.partial ? chunk_map(chunk_bytes(v)) : sl_slabs_take(&v->slabs);
	if (!v->chunks[chunk])
		return -ENOMEM;
	v->filled++;
	return 0;
}

static void chunk_empty(struct vector *v, uint32_t chunk)
{
	if (!v->rows.partial || !v->chunks[chunk])
		return;
	munmap(v->chunks[chunk], chunk_bytes(v));
	v->chunks[chunk] = NULL;
	v->filled--;
}

int vector_reserve(struct vector *v, uint64_t n)
{
	uint32_t chunks = (uint32_t)((n + SL_ROWS_A_CHUNK - 1) / SL_ROWS_A_CHUNK);
	uint8_t **at;

	if (chunks <= v->chunks_n)
		return 0;
	at = realloc(v->chunks, chunks * sizeof(*at));
	if (!at)
		return -ENOMEM;
	v->chunks = at;
	v->rows.chunks = (const uint8_t *const *)at;
	memset(at + v->chunks_n, 0, (chunks - v->chunks_n) * sizeof(*at));
	if (bits_grow(v, &v->tail_bits, chunks) || bits_grow(v, &v->has, chunks) ||
	    bits_grow(v, &v->here, chunks))
		return -ENOMEM;
	v->rows.here = v->here;
	for (; v->chunks_n < chunks; v->chunks_n++)
		if (!v->rows.partial && chunk_fill(v, v->chunks_n))
			return -ENOMEM;
	return 0;
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

bool vector_in_main(const struct vector *v, uint32_t row)
{
	return vector_has(v, row) && !bit_get(v, v->tail_bits, row);
}

bool vector_is_here(const struct vector *v, uint32_t row)
{
	return bit_get(v, v->here, row);
}

/* Room for @row, or NULL. */
static void *row_room(struct vector *v, uint32_t row)
{
	if (chunk_fill(v, row / SL_ROWS_A_CHUNK))
		return NULL;
	v->top = sl_max(v->top, row + 1);
	bit_set(v->here, row, true);
	return v->chunks[row / SL_ROWS_A_CHUNK] + row % SL_ROWS_A_CHUNK * v->rows.stride;
}

/* @row need not be in memory any more. */
static void row_leave(struct vector *v, uint32_t row)
{
	uint32_t chunk = row / SL_ROWS_A_CHUNK, words = SL_ROWS_A_CHUNK / 64;
	const uint64_t *here = v->here + (size_t)chunk * words;

	bit_set(v->here, row, false);
	for (uint32_t i = 0; i < words; i++)
		if (here[i])
			return;
	chunk_empty(v, chunk);
}

/* By so many rows codes have learnt what vectors are like. */
#define FAR_FROM_ROWS 4096u

/* Whether @index makes do without rows. */
static bool has_learnt(const struct sl_index *index)
{
	return index && !sl_index_needs_rows(index) && sl_index_count(index) > FAR_FROM_ROWS;
}

static void main_leave(struct vector *v)
{
	for (uint32_t row = 0; row < v->chunks_n * SL_ROWS_A_CHUNK; row++)
		if (vector_in_main(v, row) && vector_is_here(v, row))
			row_leave(v, row);
}

/* Lets rows of the main index go, from the moment on when codes will do. */
static void rows_leave(struct vector *v)
{
	if (v->far || !v->rows.partial || !has_learnt(v->main))
		return;
	v->far = true;
	main_leave(v);
}

void vector_free(struct vector *v)
{
	if (!v)
		return;
	sl_index_free(v->next);
	sl_index_free(v->main);
	sl_index_free(v->tail);
	for (uint32_t i = 0; i < v->chunks_n; i++)
		chunk_empty(v, i);
	sl_slabs_done(&v->slabs);
	free(v->chunks);
	free(v->tail_bits);
	free(v->has);
	free(v->here);
	free(v);
}

/* What was never touched takes nothing. */
uint64_t vector_rows_bytes(const struct vector *v)
{
	uint32_t part = v->top % SL_ROWS_A_CHUNK;
	uint64_t rows = v->top;

	if (v->rows.partial)
		rows = v->filled * (uint64_t)SL_ROWS_A_CHUNK;
	if (v->rows.partial && part && v->chunks[v->top / SL_ROWS_A_CHUNK])
		rows -= SL_ROWS_A_CHUNK - part;
	return rows * v->rows.stride;
}

uint64_t vector_bytes(const struct vector *v)
{
	return vector_rows_bytes(v) + 3 * (uint64_t)v->chunks_n * CHUNK_BYTES +
	       sl_index_bytes(v->tail) + (v->main ? sl_index_bytes(v->main) : 0) +
	       (v->next ? sl_index_bytes(v->next) : 0);
}

uint32_t vector_count(const struct vector *v)
{
	return sl_index_count(v->tail) + (v->main ? sl_index_count(v->main) : 0);
}

/* ---- rows ------------------------------------------------------------------------------- */

/* Whether @o has such a vector, @p of *@ret_dim components. */
static const void *vector_in(const struct vector *v, const struct sl_object *o, bool *ret_same)
{
	enum sl_vector_type type;
	uint32_t dim;
	const void *p = sl_object_vector(o, v->conf->name, &type, &dim);

	if (!p || dim != v->rows.dim)
		return NULL;
	*ret_same = (enum sl_component)type == v->rows.component;
	return *ret_same || type == SL_VECTOR_F32 ? p : NULL;
}

int vector_row(const struct vector *v, const struct sl_object *o, void *ret_row)
{
	size_t n = sl_vector_bytes(v->rows.component, v->rows.dim);
	bool same;
	const void *p = vector_in(v, o, &same);
	float *floats = ret_row;

	if (!p)
		return 0;
	/* Padding is read by nobody, and zero. */
	memset((uint8_t *)ret_row + n, 0, v->rows.stride - n);
	if (same)
		memcpy(ret_row, p, n);
	if (same && !is_cosine(v))
		return 1;
	if (!same) {
		floats = malloc(v->rows.dim * sizeof(*floats));
		if (!floats)
			return -ENOMEM;
		memcpy(floats, p, v->rows.dim * sizeof(*floats));
	}
	if (is_cosine(v))
		vector_normalise(floats, v->rows.dim);
	if (!same) {
		convert(floats, v->rows.dim, v->rows.component, ret_row);
		free(floats);
	}
	return 1;
}

int vector_put(struct vector *v, uint32_t row, const struct sl_object *o)
{
	void *room;
	bool same;
	int rc;

	if (!vector_in(v, o, &same))
		return 0;
	room = row_room(v, row);
	rc = room ? vector_row(v, o, room) : -ENOMEM;
	if (rc < 0)
		row_leave(v, row);
	return rc;
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
	if (bit_get(v, v->tail_bits, row)) {
		tail_remove(v, row);
	} else {
		sl_index_remove(v->main, row);
		if (v->next)
			sl_index_remove(v->next, row);
	}
	bit_set(v->has, row, false);
	row_leave(v, row);
}

void vector_floats(const struct vector *v, const void *row, float *ret_floats)
{
	floats_of(row, v->rows.dim, v->rows.component, ret_floats);
}

/* ---- moving back ------------------------------------------------------------------------ */

int vector_restart(struct vector *v)
{
	SL_ASSERT(!v->far);
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

bool vector_go_far(struct vector *v)
{
	rows_leave(v);
	return v->far;
}

/* What @row was of is lost. */
static uint32_t main_clean(struct vector *v, uint32_t rows, const uint8_t *tail)
{
	uint32_t in_main = 0;

	for (uint32_t row = 0; row < rows; row++) {
		if (vector_has(v, row))
			in_main += !in_tail(tail, row);
		else if (v->main)
			sl_index_remove(v->main, row);
	}
	v->main_most = in_main;
	return in_main;
}

int vector_settle(struct vector *v, uint32_t rows, const uint8_t *tail)
{
	uint32_t in_main = main_clean(v, rows, tail);
	bool same = in_main == (v->main ? sl_index_count(v->main) : 0);

	if (v->far)
		return same ? 0 : -ESTALE;
	for (uint32_t row = 0; row < rows; row++)
		if (vector_has(v, row) && in_tail(tail, row) && vector_add(v, row))
			return -ENOMEM;
	return same ? 0 : vector_restart(v);
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

/* ---- making anew ------------------------------------------------------------------------ */

/* Of a graph that most rows have left little is worth being repaired. */
static bool is_left(const struct vector *v)
{
	return v->main && vector_index_conf(v->conf).kind == SL_INDEX_HNSW &&
	       sl_index_count(v->main) < v->main_most / 2;
}

bool vector_wants_anew(const struct vector *v, uint64_t revision)
{
	return v->far && !v->next && (v->revision != revision || is_left(v));
}

int vector_anew(struct vector *v, uint64_t revision)
{
	const struct sl_index_conf conf = vector_index_conf(v->conf);

	v->next_row = 0;
	v->next_revision = revision;
	v->next_far = false;
	return sl_index_new(&conf, &v->rows, &v->next);
}

uint32_t vector_anew_rows(struct vector *v, uint32_t n, struct sl_hit *ret_rows)
{
	uint32_t got = 0;

	for (; v->next_row < v->chunks_n * SL_ROWS_A_CHUNK && got < n; v->next_row++)
		if (vector_in_main(v, v->next_row))
			ret_rows[got++] = (struct sl_hit){.row = v->next_row};
	return got;
}

int vector_anew_add(struct vector *v, uint32_t row, const void *p)
{
	void *room = row_room(v, row);
	int rc = room ? 0 : -ENOMEM;

	if (!rc) {
		memcpy(room, p, v->rows.stride);
		rc = sl_index_add(v->next, row);
	}
	if (rc || v->next_far)
		row_leave(v, row);
	return rc;
}

int vector_anew_step(struct vector *v, int64_t budget_ns)
{
	int more = sl_index_step(v->next, budget_ns);

	if (!v->next_far && has_learnt(v->next)) {
		v->next_far = true;
		main_leave(v);
	}
	return more;
}

void vector_anew_end(struct vector *v, bool all)
{
	if (all) {
		sl_index_free(v->main);
		v->main = v->next;
		v->main_most = sl_index_count(v->main);
		v->revision = v->next_revision;
		v->far = v->next_far;
	} else {
		sl_index_free(v->next);
		main_leave(v);
	}
	v->next = NULL;
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

int vector_step(struct vector *v, int64_t budget_ns, uint64_t *moved)
{
	const struct sl_index_conf conf = vector_index_conf(v->conf);
	const int64_t until = sl_clock_ns() + budget_ns;
	uint32_t row = 0;
	int more;

	if (v->next)
		return 0;
	if (is_left(v) && !v->far && vector_restart(v))
		return 0;
	if (!v->main && (!wants_main(v) || sl_index_new(&conf, &v->rows, &v->main)))
		return 0;
	while (sl_index_count(v->tail)) {
		row = tail_next(v, row);
		/* Without memory it stays in the tail, where it is found too. */
		if (sl_index_add(v->main, row))
			return 0;
		tail_remove(v, row);
		if (v->far)
			row_leave(v, row);
		v->main_most = sl_max(v->main_most, sl_index_count(v->main));
		++*moved;
		if (sl_clock_ns() >= until)
			return 1;
	}
	more = sl_index_step(v->main, budget_ns);
	rows_leave(v);
	return more == 1;
}
