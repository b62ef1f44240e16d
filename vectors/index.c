/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Indexes: what all kinds have in common, and the table of kinds.
 *
 * Interface: index.h. A new kind is one file, one value of enum sl_index_kind and one row of
 * `kinds`.
 *
 * A saved index is a header, the bits of its rows, what its kind adds, and the XXH3 of all that,
 * little-endian.
 *
 * Order of parts: kinds; making; changing; vectors as floats; the nearest so far; memory of
 * searches; efforts; in two steps; searching; writing and reading; saving and loading.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "half.h"
#include "index_pvt.h"

/* ---- kinds ------------------------------------------------------------------------------ */

static const struct index_kind *const kinds[SL_INDEX_LAST] = {
	[SL_INDEX_FLAT] = &index_flat,
	[SL_INDEX_IVF] = &index_ivf,
	[SL_INDEX_HNSW] = &index_hnsw,
};

const char *sl_index_name(enum sl_index_kind kind)
{
	SL_ASSERT(kind < SL_INDEX_LAST);
	return kinds[kind]->name;
}

/* ---- making ----------------------------------------------------------------------------- */

int sl_index_new(const struct sl_index_conf *conf, const struct sl_rows *rows,
		 struct sl_index **ret_index)
{
	const struct index_kind *kind;
	struct sl_index *index;
	int err;

	SL_ASSERT(conf->kind < SL_INDEX_LAST);
	SL_ASSERT(rows->dim && rows->dim <= SL_DIM_MAX);
	SL_ASSERT(rows->stride >= sl_vector_bytes(rows->component, rows->dim));
	kind = kinds[conf->kind];
	index = calloc(1, kind->bytes);
	if (!index)
		return -ENOMEM;
	index->kind = kind;
	index->conf = *conf;
	index->rows = rows;
	index->distance = sl_distance(rows->metric, rows->component);
	err = kind->init ? kind->init(index) : 0;
	if (err) {
		free(index);
		return err;
	}
	*ret_index = index;
	return 0;
}

void sl_index_free(struct sl_index *index)
{
	if (!index)
		return;
	if (index->kind->done)
		index->kind->done(index);
	free(index->live);
	free(index);
}

/* ---- changing --------------------------------------------------------------------------- */

/* Twice as many as before, or as many as @row needs. */
static int grow_live(struct sl_index *index, uint32_t row)
{
	uint32_t words = sl_max(row / 64 + 1, sl_min(index->live_words * 2, UINT32_MAX / 64 + 1));
	uint64_t *live;

	if (row / 64 < index->live_words)
		return 0;
	live = realloc(index->live, words * sizeof(*live));
	if (!live)
		return -ENOMEM;
	memset(live + index->live_words, 0, (words - index->live_words) * sizeof(*live));
	index->live = live;
	index->live_words = words;
	return 0;
}

static void flip(struct sl_index *index, uint32_t row)
{
	index->live[row / 64] ^= UINT64_C(1) << row % 64;
}

int sl_index_add(struct sl_index *index, uint32_t row)
{
	int err;

	SL_ASSERT(row != SL_ROW_NONE);
	if (index_has(index, row))
		return -EEXIST;
	err = grow_live(index, row);
	if (err)
		return err;
	flip(index, row);
	index->n++;
	err = index->kind->add ? index->kind->add(index, row) : 0;
	if (err) {
		flip(index, row);
		index->n--;
	}
	return err;
}

int sl_index_remove(struct sl_index *index, uint32_t row)
{
	if (!index_has(index, row))
		return -ENOENT;
	if (index->kind->remove)
		index->kind->remove(index, row);
	flip(index, row);
	index->n--;
	return 0;
}

int sl_index_step(struct sl_index *index, int64_t budget_ns)
{
	return index->kind->step ? index->kind->step(index, budget_ns) : 0;
}

bool sl_index_needs_rows(const struct sl_index *index)
{
	return index->kind->needs_rows && index->kind->needs_rows(index);
}

bool sl_index_has(const struct sl_index *index, uint32_t row)
{
	return index_has(index, row);
}

uint32_t sl_index_count(const struct sl_index *index)
{
	return index->n;
}

uint64_t sl_index_bytes(const struct sl_index *index)
{
	return index->kind->bytes + index->live_words * sizeof(*index->live) +
	       (index->kind->memory ? index->kind->memory(index) : 0);
}

/* ---- vectors as floats ------------------------------------------------------------------ */

static void widen(const struct sl_rows *rows, const void *vector, float *x)
{
	const uint8_t *bits = vector;
	const int8_t *bytes = vector;
	const uint16_t *halves = vector;

	switch (rows->component) {
	case SL_F32:
		memcpy(x, vector, rows->dim * sizeof(float));
		break;
	case SL_F16:
		for (uint32_t i = 0; i < rows->dim; i++)
			x[i] = sl_half_float(halves[i]);
		break;
	case SL_I8:
		for (uint32_t i = 0; i < rows->dim; i++)
			x[i] = bytes[i];
		break;
	default:
		for (uint32_t i = 0; i < rows->dim; i++)
			x[i] = bits[i / 8] >> i % 8 & 1;
	}
}

void index_floats(const struct sl_rows *rows, const void *vector, float *ret_x)
{
	float square;

	widen(rows, vector, ret_x);
	if (rows->metric != SL_METRIC_COSINE)
		return;
	square = -sl_distance(SL_METRIC_DOT, SL_F32)(ret_x, ret_x, rows->dim);
	for (uint32_t i = 0; square > 0 && i < rows->dim; i++)
		ret_x[i] /= sqrtf(square);
}

/* ---- the nearest so far ----------------------------------------------------------------- */

/* @hit takes the place of the first one and sinks to where it belongs. */
static void sink(struct sl_hit *hits, uint32_t n, struct sl_hit hit)
{
	uint32_t i = 0;

	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= n)
			break;
		if (child + 1 < n && hit_before(hits[child], hits[child + 1]))
			child++;
		if (!hit_before(hit, hits[child]))
			break;
		hits[i] = hits[child];
		i = child;
	}
	hits[i] = hit;
}

void nearest_put(struct nearest *t, struct sl_hit hit)
{
	uint32_t i = t->n;

	if (!nearest_takes(t, hit))
		return;
	if (t->n == t->k) {
		sink(t->hits, t->n, hit);
		return;
	}
	for (t->n++; i && hit_before(t->hits[(i - 1) / 2], hit); i = (i - 1) / 2)
		t->hits[i] = t->hits[(i - 1) / 2];
	t->hits[i] = hit;
}

uint32_t nearest_sort(struct nearest *t)
{
	for (uint32_t n = t->n; n > 1; n--) {
		struct sl_hit last = t->hits[n - 1];

		t->hits[n - 1] = t->hits[0];
		sink(t->hits, n - 1, last);
	}
	return t->n;
}

/* ---- memory of searches ----------------------------------------------------------------- */

int sl_scratch_new(struct sl_scratch **ret_scratch)
{
	*ret_scratch = calloc(1, sizeof(**ret_scratch));
	return *ret_scratch ? 0 : -ENOMEM;
}

void sl_scratch_free(struct sl_scratch *scratch)
{
	if (scratch) {
		free(scratch->room.p);
		free(scratch->found.p);
	}
	free(scratch);
}

static void *part_room(struct scratch_part *s, size_t n)
{
	if (n > s->n) {
		size_t room = sl_round_up(sl_max(n, s->n * 2), SL_ROW_ALIGN);
		uint8_t *p = aligned_alloc(SL_ROW_ALIGN, room);

		if (!p)
			return NULL;
		free(s->p);
		s->p = p;
		s->n = room;
	}
	return s->p;
}

void *scratch_room(struct sl_scratch *s, size_t n)
{
	return part_room(&s->room, n);
}

/* ---- efforts ---------------------------------------------------------------------------- */

uint32_t sl_index_effort(const struct sl_index *index, uint32_t nearest)
{
	return nearest && index->kind->effort ? index->kind->effort(index, nearest) : nearest;
}

/* ---- in two steps ----------------------------------------------------------------------- */

uint32_t sl_index_candidates_max(const struct sl_index *index, const struct sl_query *query)
{
	return index->kind->candidates_max(index, query);
}

int sl_index_candidates(struct sl_index *index, const struct sl_query *query,
			struct sl_hit *ret_hits, struct sl_scratch *scratch)
{
	if (!query->k || !index->n)
		return 0;
	return index->kind->candidates(index, query, ret_hits, scratch);
}

/* @hits, sorted, are a heap as well once they are turned round. */
static void turn_round(struct sl_hit *hits, uint32_t n)
{
	for (uint32_t i = 0; i < n / 2; i++) {
		struct sl_hit hit = hits[i];

		hits[i] = hits[n - 1 - i];
		hits[n - 1 - i] = hit;
	}
}

uint32_t sl_index_rescore(const struct sl_index *index, const struct sl_query *query,
			  const struct sl_hit *candidates, const void *const *vectors, uint32_t n,
			  struct sl_hit *hits, uint32_t found)
{
	struct nearest nearest = {hits, found, query->k};

	SL_ASSERT(found <= query->k);
	turn_round(hits, found);
	for (uint32_t i = 0; i < n; i++) {
		float d = index->distance(query->vector, vectors[i], index->rows->dim);

		nearest_put(&nearest, (struct sl_hit){or_farthest(d), candidates[i].row});
	}
	return nearest_sort(&nearest);
}

/* ---- searching -------------------------------------------------------------------------- */

/* The nearest of @n candidates, by their rows. */
static int by_rows(const struct sl_index *index, const struct sl_query *query,
		   const struct sl_hit *candidates, uint32_t n, struct sl_hit *ret_hits)
{
	const struct sl_rows *rows = index->rows;
	size_t bytes = sl_vector_bytes(rows->component, rows->dim);
	struct nearest nearest = {ret_hits, 0, query->k};

	for (uint32_t i = 0; i < n; i++) {
		uint32_t row = candidates[i].row;

		if (i + 1 < n)
			ask_for(sl_row(rows, candidates[i + 1].row), bytes);
		nearest_put(&nearest,
			    (struct sl_hit){index_distance(index, query->vector, row), row});
	}
	return (int)nearest_sort(&nearest);
}

int sl_index_search(struct sl_index *index, const struct sl_query *query, struct sl_hit *ret_hits,
		    struct sl_scratch *scratch)
{
	struct sl_hit *candidates;
	int n;

	if (!query->k || !index->n)
		return 0;
	if (query->exact)
		return flat_scan(index, query, ret_hits);
	if (index->kind->exact)
		return index->kind->candidates(index, query, ret_hits, scratch);
	candidates = part_room(&scratch->found,
			       sl_index_candidates_max(index, query) * sizeof(*candidates));
	if (!candidates)
		return -ENOMEM;
	n = index->kind->candidates(index, query, candidates, scratch);
	if (n > 0 && query->estimates && !sl_index_needs_rows(index)) {
		n = sl_min(n, (int)sl_min(query->k, (uint32_t)INT32_MAX));
		memcpy(ret_hits, candidates, (uint32_t)n * sizeof(*candidates));
		return n;
	}
	return n < 0 ? n : by_rows(index, query, candidates, (uint32_t)n, ret_hits);
}

int sl_index_search_many(struct sl_index *index, const struct sl_query *queries, uint32_t n,
			 struct sl_hit *ret_hits, uint32_t *ret_n, struct sl_scratch *scratch)
{
	if (index->kind->many)
		return index->kind->many(index, queries, n, ret_hits, ret_n, scratch);
	for (uint32_t i = 0; i < n; i++) {
		int hits = sl_index_search(index, &queries[i], ret_hits, scratch);

		if (hits < 0)
			return hits;
		ret_n[i] = (uint32_t)hits;
		ret_hits += queries[i].k;
	}
	return 0;
}

/* ---- writing and reading ---------------------------------------------------------------- */

struct index_out {
	sl_write_fn write;
	void *arg;
	XXH3_state_t *sum;
};

struct index_in {
	sl_read_fn read;
	void *arg;
	XXH3_state_t *sum;
};

int index_write(struct index_out *out, const void *data, size_t n)
{
	XXH3_64bits_update(out->sum, data, n);
	return out->write(out->arg, data, n);
}

int index_read(struct index_in *in, void *ret_data, size_t n)
{
	int err = in->read(in->arg, ret_data, n);

	if (!err)
		XXH3_64bits_update(in->sum, ret_data, n);
	return err;
}

int index_save_by(index_save_fn save, void *what, sl_write_fn write, void *arg)
{
	struct index_out out = {write, arg, XXH3_createState()};
	uint64_t sum;
	int err;

	if (!out.sum)
		return -ENOMEM;
	XXH3_64bits_reset(out.sum);
	err = save(what, &out);
	sum = XXH3_64bits_digest(out.sum);
	XXH3_freeState(out.sum);
	return err ? err : out.write(arg, &sum, sizeof(sum));
}

int index_load_by(index_load_fn load, void *what, sl_read_fn read, void *arg)
{
	struct index_in in = {read, arg, XXH3_createState()};
	uint64_t sum, is;
	int err;

	if (!in.sum)
		return -ENOMEM;
	XXH3_64bits_reset(in.sum);
	err = load(what, &in);
	is = XXH3_64bits_digest(in.sum);
	XXH3_freeState(in.sum);
	if (!err)
		err = in.read(arg, &sum, sizeof(sum));
	return err ? err : sum == is ? 0 : -EBADMSG;
}

/* ---- saving and loading ----------------------------------------------------------------- */

#define MAGIC UINT64_C(0x58444e4943554c53) /* "SLUCINDX" */

enum { FORMAT_VERSION = 1 };

struct header {
	uint64_t magic;
	uint32_t version, kind;
	uint32_t dim, component, metric;
	uint32_t rows; /* that are found */
	uint32_t live_words, zero;
};

static struct header header_of(const struct sl_index *index)
{
	return (struct header){
		.magic = MAGIC,
		.version = FORMAT_VERSION,
		.kind = index->conf.kind,
		.dim = index->rows->dim,
		.component = index->rows->component,
		.metric = index->rows->metric,
		.rows = index->n,
		.live_words = index->live_words,
	};
}

static int save(void *arg, struct index_out *out)
{
	struct sl_index *index = arg;
	struct header h = header_of(index);
	int err;

	err = index_write(out, &h, sizeof(h));
	if (!err)
		err = index_write(out, index->live, index->live_words * sizeof(*index->live));
	if (!err && index->kind->save)
		err = index->kind->save(index, out);
	return err;
}

int sl_index_save(struct sl_index *index, sl_write_fn write, void *arg)
{
	return index_save_by(save, index, write, arg);
}

/* In steps, so that a length that lies does not take its memory at once. */
static int load_live(struct sl_index *index, struct index_in *in, uint32_t words)
{
	enum { STEP_WORDS = 8192 };
	uint64_t n = 0;
	int err = 0;

	while (!err && index->live_words < words) {
		uint32_t at = index->live_words, step = sl_min(words - at, (uint32_t)STEP_WORDS);

		err = grow_live(index, (at + step) * 64 - 1);
		if (!err)
			err = index_read(in, index->live + at, step * sizeof(*index->live));
		index->live_words = at + step;
		for (uint32_t i = at; !err && i < at + step; i++)
			n += (uint64_t)__builtin_popcountll(index->live[i]);
	}
	index->n = (uint32_t)n;
	return err ? err : n > UINT32_MAX ? -EBADMSG : 0;
}

static int load(void *arg, struct index_in *in)
{
	struct sl_index *index = arg;
	struct header h, want;
	int err;

	err = index_read(in, &h, sizeof(h));
	if (err)
		return err;
	want = header_of(index);
	want.rows = h.rows;
	want.live_words = h.live_words;
	if (memcmp(&h, &want, sizeof(h)) || h.live_words > UINT32_MAX / 64)
		return -EBADMSG;
	err = load_live(index, in, h.live_words);
	if (!err && index->n != h.rows)
		err = -EBADMSG;
	if (!err && index->kind->load)
		err = index->kind->load(index, in);
	return err;
}

int sl_index_load(const struct sl_index_conf *conf, const struct sl_rows *rows, sl_read_fn read,
		  void *arg, struct sl_index **ret_index)
{
	struct sl_index *index = NULL;
	int err = sl_index_new(conf, rows, &index);

	if (!err)
		err = index_load_by(load, index, read, arg);
	if (err) {
		sl_index_free(index);
		return err;
	}
	*ret_index = index;
	return 0;
}
