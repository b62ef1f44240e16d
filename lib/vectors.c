/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsluice's vectors in memory, with an index over them.
 *
 * Interface: <sluice/index.h> from "making" on. The index is of vectors/index.h, which finds rows
 * that somebody else keeps: here they are kept, in chunks that never move. Searches use what is in
 * the index, too, so that there is one lock for all.
 *
 * What is saved: a header, a bit for each row, the vectors of those that are there by rising row,
 * the XXH3 of all that, then the index as it saves itself; little-endian.
 *
 * Order of parts: making; rows; changing; searching; saving; loading.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <xxhash.h>

#include "lib_pvt.h"

#define CHUNK_WORDS (SL_ROWS_A_CHUNK / 64)

/**
 * struct sl_vectors - @bytes: of a vector. @chunks: @chunks_n of them, NULL where no row was ever
 * put; @has: a bit for each of their rows.
 */
struct sl_vectors {
	pthread_mutex_t lock;
	struct sl_rows rows;
	size_t bytes;
	uint8_t **chunks;
	uint64_t *has;
	uint32_t chunks_n;
	struct sl_index *index;
	struct sl_scratch *scratch;
};

/* ---- making ----------------------------------------------------------------------------- */

static bool conf_ok(const struct sl_vectors_conf *conf)
{
	return conf->dim && conf->dim <= SL_DIM_MAX && conf->component < SL_COMPONENT_LAST &&
	       conf->metric < SL_METRIC_LAST && conf->index.kind < SL_INDEX_LAST &&
	       conf->index.quantiser < SL_QUANTISER_LAST;
}

/* All but the index. */
static struct sl_vectors *vectors_new(const struct sl_vectors_conf *conf)
{
	struct sl_vectors *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	pthread_mutex_init(&v->lock, NULL);
	v->bytes = sl_vector_bytes(conf->component, conf->dim);
	v->rows = (struct sl_rows){
		.stride = sl_round_up(v->bytes, SL_ROW_ALIGN),
		.dim = conf->dim,
		.component = conf->component,
		.metric = conf->metric,
	};
	if (sl_scratch_new(&v->scratch)) {
		sl_vectors_free(v);
		return NULL;
	}
	return v;
}

int sl_vectors_new(const struct sl_vectors_conf *conf, struct sl_vectors **ret_vectors)
{
	struct sl_vectors *v;
	int err;

	if (!conf_ok(conf))
		return -EINVAL;
	v = vectors_new(conf);
	if (!v)
		return -ENOMEM;
	err = sl_index_new(&conf->index, &v->rows, &v->index);
	if (err)
		sl_vectors_free(v);
	else
		*ret_vectors = v;
	return err;
}

void sl_vectors_free(struct sl_vectors *v)
{
	if (!v)
		return;
	sl_index_free(v->index);
	sl_scratch_free(v->scratch);
	for (uint32_t i = 0; i < v->chunks_n; i++)
		free(v->chunks[i]);
	free(v->chunks);
	free(v->has);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

/* ---- rows ------------------------------------------------------------------------------- */

static bool has(const struct sl_vectors *v, uint32_t row)
{
	return row / SL_ROWS_A_CHUNK < v->chunks_n && v->has[row / 64] >> row % 64 & 1;
}

static void flip(struct sl_vectors *v, uint32_t row)
{
	v->has[row / 64] ^= UINT64_C(1) << row % 64;
}

static uint8_t *at(const struct sl_vectors *v, uint32_t row)
{
	return v->chunks[row / SL_ROWS_A_CHUNK] + row % SL_ROWS_A_CHUNK * v->rows.stride;
}

/* Those of chunk @c. */
static uint64_t *bits_of(const struct sl_vectors *v, uint32_t c)
{
	return v->has + (size_t)c * CHUNK_WORDS;
}

/* Lists of at least @n chunks. */
static int lists_grow(struct sl_vectors *v, uint32_t n)
{
	uint8_t **chunks;
	uint64_t *bits;

	if (n <= v->chunks_n)
		return 0;
	n = sl_max(n, v->chunks_n + v->chunks_n / 2);
	chunks = realloc(v->chunks, n * sizeof(*chunks));
	if (!chunks)
		return -ENOMEM;
	v->chunks = chunks;
	v->rows.chunks = (const uint8_t *const *)chunks;
	bits = realloc(v->has, (size_t)n * CHUNK_WORDS * sizeof(*bits));
	if (!bits)
		return -ENOMEM;
	v->has = bits;
	memset(chunks + v->chunks_n, 0, (n - v->chunks_n) * sizeof(*chunks));
	memset(bits_of(v, v->chunks_n), 0,
	       (size_t)(n - v->chunks_n) * CHUNK_WORDS * sizeof(*bits));
	v->chunks_n = n;
	return 0;
}

/* Memory for @row. */
static int room_for(struct sl_vectors *v, uint32_t row)
{
	uint32_t i = row / SL_ROWS_A_CHUNK;
	size_t bytes = SL_ROWS_A_CHUNK * v->rows.stride;
	int err = lists_grow(v, i + 1);

	if (err || v->chunks[i])
		return err;
	v->chunks[i] = aligned_alloc(SL_ROW_ALIGN, bytes);
	if (!v->chunks[i])
		return -ENOMEM;
	memset(v->chunks[i], 0, bytes);
	return 0;
}

/* ---- changing --------------------------------------------------------------------------- */

static void forget(struct sl_vectors *v, uint32_t row)
{
	sl_index_remove(v->index, row);
	flip(v, row);
}

static int put(struct sl_vectors *v, uint32_t row, const void *data)
{
	int err = room_for(v, row);

	if (err)
		return err;
	if (has(v, row))
		forget(v, row);
	memcpy(at(v, row), data, v->bytes);
	err = sl_index_add(v->index, row);
	if (!err)
		flip(v, row);
	return err;
}

int sl_vectors_put(struct sl_vectors *v, uint32_t row, const void *data, uint32_t n)
{
	const uint8_t *p = data;
	int err = 0;

	if (n > SL_ROW_NONE - row)
		return -ERANGE;
	pthread_mutex_lock(&v->lock);
	for (uint32_t i = 0; i < n && !err; i++, p += v->bytes)
		err = put(v, row + i, p);
	pthread_mutex_unlock(&v->lock);
	return err;
}

int sl_vectors_remove(struct sl_vectors *v, uint32_t row)
{
	int err = 0;

	pthread_mutex_lock(&v->lock);
	if (has(v, row))
		forget(v, row);
	else
		err = -ENOENT;
	pthread_mutex_unlock(&v->lock);
	return err;
}

int sl_vectors_get(struct sl_vectors *v, uint32_t row, void *ret_vector)
{
	int err = 0;

	pthread_mutex_lock(&v->lock);
	if (has(v, row))
		memcpy(ret_vector, at(v, row), v->bytes);
	else
		err = -ENOENT;
	pthread_mutex_unlock(&v->lock);
	return err;
}

int sl_vectors_step(struct sl_vectors *v, int64_t budget_ns)
{
	int more;

	pthread_mutex_lock(&v->lock);
	more = sl_index_step(v->index, budget_ns);
	pthread_mutex_unlock(&v->lock);
	return more;
}

uint32_t sl_vectors_count(struct sl_vectors *v)
{
	uint32_t n;

	pthread_mutex_lock(&v->lock);
	n = sl_index_count(v->index);
	pthread_mutex_unlock(&v->lock);
	return n;
}

uint64_t sl_vectors_bytes(struct sl_vectors *v)
{
	uint64_t n = sizeof(*v);

	pthread_mutex_lock(&v->lock);
	n += sl_index_bytes(v->index);
	n += (uint64_t)v->chunks_n * (sizeof(*v->chunks) + CHUNK_WORDS * sizeof(*v->has));
	for (uint32_t i = 0; i < v->chunks_n; i++)
		n += v->chunks[i] ? SL_ROWS_A_CHUNK * v->rows.stride : 0;
	pthread_mutex_unlock(&v->lock);
	return n;
}

/* ---- searching -------------------------------------------------------------------------- */

static uint32_t count_bits(const uint64_t *words, uint32_t rows)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < rows / 64; i++)
		n += (uint32_t)__builtin_popcountll(words[i]);
	if (rows % 64)
		n += (uint32_t)__builtin_popcountll(words[rows / 64] << (64 - rows % 64));
	return n;
}

/* As the index wants it. */
static struct sl_query counted(const struct sl_query *query)
{
	struct sl_query q = *query;

	if (q.allowed && !q.allowed_n)
		q.allowed_n = count_bits(q.allowed, q.allowed_rows);
	return q;
}

int sl_vectors_search(struct sl_vectors *v, const struct sl_query *query, struct sl_hit *ret_hits)
{
	struct sl_query q = counted(query);
	int n;

	pthread_mutex_lock(&v->lock);
	n = sl_index_search(v->index, &q, ret_hits, v->scratch);
	pthread_mutex_unlock(&v->lock);
	return n;
}

int sl_vectors_search_many(struct sl_vectors *v, const struct sl_query *queries, uint32_t n,
			   struct sl_hit *ret_hits, uint32_t *ret_n)
{
	struct sl_query *q = malloc(((size_t)n + 1) * sizeof(*q));
	int err;

	if (!q)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		q[i] = counted(&queries[i]);
	pthread_mutex_lock(&v->lock);
	err = sl_index_search_many(v->index, q, n, ret_hits, ret_n, v->scratch);
	pthread_mutex_unlock(&v->lock);
	free(q);
	return err;
}

/* ---- saving ----------------------------------------------------------------------------- */

#define MAGIC UINT64_C(0x5354434556434c53) /* "SLCVECTS" */

enum { FORMAT_VERSION = 1 };

/* @rows: that are there; @chunks: of which @has has the bits. */
struct header {
	uint64_t magic;
	uint32_t version, dim, component, metric;
	uint32_t rows, chunks;
};

static struct header header_of(const struct sl_rows *rows, uint32_t n, uint32_t chunks)
{
	return (struct header){
		.magic = MAGIC,
		.version = FORMAT_VERSION,
		.dim = rows->dim,
		.component = rows->component,
		.metric = rows->metric,
		.rows = n,
		.chunks = chunks,
	};
}

/* What goes through is summed. */
struct stream {
	XXH3_state_t *sum;
	sl_write_fn write;
	sl_read_fn read;
	void *arg;
};

static int out(struct stream *s, const void *data, size_t n)
{
	XXH3_64bits_update(s->sum, data, n);
	return s->write(s->arg, data, n);
}

static int save_rows(const struct sl_vectors *v, struct stream *s)
{
	const struct header h = header_of(&v->rows, sl_index_count(v->index), v->chunks_n);
	uint32_t words = v->chunks_n * CHUNK_WORDS;
	uint64_t sum;
	int err = out(s, &h, sizeof(h));

	if (!err && words)
		err = out(s, v->has, words * sizeof(*v->has));
	for (uint32_t i = 0; i < words && !err; i++)
		for (uint64_t bits = v->has[i]; bits && !err; bits &= bits - 1)
			err = out(s, at(v, i * 64 + (uint32_t)__builtin_ctzll(bits)), v->bytes);
	if (err)
		return err;
	sum = XXH3_64bits_digest(s->sum);
	return s->write(s->arg, &sum, sizeof(sum));
}

int sl_vectors_save(struct sl_vectors *v, sl_write_fn write, void *arg)
{
	struct stream s = {.sum = XXH3_createState(), .write = write, .arg = arg};
	int err;

	if (!s.sum)
		return -ENOMEM;
	XXH3_64bits_reset(s.sum);
	pthread_mutex_lock(&v->lock);
	err = save_rows(v, &s);
	if (!err)
		err = sl_index_save(v->index, write, arg);
	pthread_mutex_unlock(&v->lock);
	XXH3_freeState(s.sum);
	return err;
}

/* ---- loading ---------------------------------------------------------------------------- */

static int in(struct stream *s, void *ret_data, size_t n)
{
	int err = s->read(s->arg, ret_data, n);

	if (!err)
		XXH3_64bits_update(s->sum, ret_data, n);
	return err;
}

/* The bits, a chunk's at a time, so that a length that lies does not take its memory at once. */
static int load_bits(struct sl_vectors *v, struct stream *s, const struct header *h)
{
	uint32_t n = 0;
	int err = 0;

	if (h->chunks > SL_ROW_NONE / SL_ROWS_A_CHUNK + 1)
		return -EBADMSG;
	for (uint32_t c = 0; c < h->chunks && !err; c++) {
		err = lists_grow(v, c + 1);
		if (!err)
			err = in(s, bits_of(v, c), CHUNK_WORDS * sizeof(*v->has));
		if (!err)
			n += count_bits(bits_of(v, c), SL_ROWS_A_CHUNK);
	}
	if (!err && (n != h->rows || has(v, SL_ROW_NONE)))
		err = -EBADMSG;
	return err;
}

static int load_rows(struct sl_vectors *v, struct stream *s)
{
	struct header h, want;
	uint64_t sum;
	int err = in(s, &h, sizeof(h));

	if (err)
		return err;
	want = header_of(&v->rows, h.rows, h.chunks);
	if (memcmp(&h, &want, sizeof(h)))
		return -EBADMSG;
	err = load_bits(v, s, &h);
	for (uint32_t i = 0; i < h.chunks * CHUNK_WORDS && !err; i++) {
		for (uint64_t bits = v->has[i]; bits && !err; bits &= bits - 1) {
			uint32_t row = i * 64 + (uint32_t)__builtin_ctzll(bits);

			err = room_for(v, row);
			if (!err)
				err = in(s, at(v, row), v->bytes);
		}
	}
	if (err)
		return err;
	err = s->read(s->arg, &sum, sizeof(sum));
	return err ? err : sum == XXH3_64bits_digest(s->sum) ? 0 : -EBADMSG;
}

/* Whether the index has the rows that are here. */
static bool index_agrees(struct sl_vectors *v, uint32_t rows)
{
	if (sl_index_count(v->index) != rows)
		return false;
	for (uint32_t i = 0; i < v->chunks_n * CHUNK_WORDS; i++)
		for (uint64_t bits = v->has[i]; bits; bits &= bits - 1)
			if (!sl_index_has(v->index, i * 64 + (uint32_t)__builtin_ctzll(bits)))
				return false;
	return true;
}

static uint32_t rows_of(const struct sl_vectors *v)
{
	return count_bits(v->has, v->chunks_n * SL_ROWS_A_CHUNK);
}

static int load(struct sl_vectors *v, const struct sl_index_conf *conf, struct stream *s)
{
	int err;

	XXH3_64bits_reset(s->sum);
	err = load_rows(v, s);
	if (!err)
		err = sl_index_load(conf, &v->rows, s->read, s->arg, &v->index);
	if (!err && !index_agrees(v, rows_of(v)))
		err = -EBADMSG;
	return err;
}

int sl_vectors_load(const struct sl_vectors_conf *conf, sl_read_fn read, void *arg,
		    struct sl_vectors **ret_vectors)
{
	struct stream s = {.sum = XXH3_createState(), .read = read, .arg = arg};
	struct sl_vectors *v = conf_ok(conf) ? vectors_new(conf) : NULL;
	int err = conf_ok(conf) ? -ENOMEM : -EINVAL;

	if (v && s.sum)
		err = load(v, &conf->index, &s);
	XXH3_freeState(s.sum);
	if (err)
		sl_vectors_free(v);
	else
		*ret_vectors = v;
	return err;
}
