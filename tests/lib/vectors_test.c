/* SPDX-License-Identifier: Apache-2.0 */
/* libsluice's vectors in memory: every kind of index against looking at all, saved and loaded. */
#include <errno.h>
#include <pthread.h>
#include <sluice/index.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "uring/uring.h"

enum { DIM = 24, N = 3000, K = 10, QUERIES = 20 };

FIXTURE(vectors)
{
	struct sl_vectors_conf conf;
	struct sl_vectors *v;
	float x[N][DIM];
	uint64_t has[N / 64 + 1];
};

FIXTURE_VARIANT(vectors)
{
	enum sl_index_kind kind;
	enum sl_quantiser quantiser;
	enum sl_metric metric;
};

FIXTURE_VARIANT_ADD(vectors, flat){.kind = SL_INDEX_FLAT, .metric = SL_METRIC_MANHATTAN};
FIXTURE_VARIANT_ADD(vectors, ivf){.kind = SL_INDEX_IVF, .metric = SL_METRIC_L2};
FIXTURE_VARIANT_ADD(vectors, hnsw){.kind = SL_INDEX_HNSW, .metric = SL_METRIC_COSINE};
FIXTURE_VARIANT_ADD(vectors, hnsw_rabitq){
	.kind = SL_INDEX_HNSW, .quantiser = SL_QUANTISER_RABITQ, .metric = SL_METRIC_DOT};

static float component(uint64_t i)
{
	return (float)(sl_mix64(i + harness_seed()) % 2000) / 1000 - 1;
}

FIXTURE_SETUP(vectors)
{
	self->conf = (struct sl_vectors_conf){
		.dim = DIM,
		.component = SL_F32,
		.metric = variant->metric,
		.index = {.kind = variant->kind,
			  .quantiser = variant->quantiser,
			  .quantiser_bits = variant->quantiser == SL_QUANTISER_RABITQ ? 4 : 0,
			  .train_rows = 1000,
			  .seed = harness_seed()},
	};
	memset(self->has, 0, sizeof(self->has));
	for (uint64_t i = 0; i < N; i++)
		for (uint64_t d = 0; d < DIM; d++)
			self->x[i][d] = component(i * DIM + d);
	ASSERT_EQ(0, sl_vectors_new(&self->conf, &self->v));
	ASSERT_EQ(0, sl_vectors_put(self->v, 0, self->x, N));
	for (uint32_t i = 0; i < N; i++)
		self->has[i / 64] |= UINT64_C(1) << i % 64;
	while (sl_vectors_step(self->v, 1000000) == 1)
		;
}

FIXTURE_TEARDOWN(vectors)
{
	sl_vectors_free(self->v);
}

/* How many of the K that are nearest by looking at all are found, in QUERIES searches. */
static uint32_t found(FIXTURE_DATA(vectors) *self, struct sl_vectors *v, const uint64_t *allowed)
{
	uint32_t n = 0;

	for (uint64_t i = 0; i < QUERIES; i++) {
		struct sl_hit hits[K], exact[K];
		float vector[DIM];
		struct sl_query q = {.vector = vector, .k = K, .effort = 200, .allowed = allowed,
				     .allowed_rows = allowed ? N : 0};

		for (uint64_t d = 0; d < DIM; d++)
			vector[d] = component((N + i) * DIM + d);
		EXPECT_EQ(K, sl_vectors_search(v, &q, hits));
		q.exact = true;
		EXPECT_EQ(K, sl_vectors_search(self->v, &q, exact));
		for (uint32_t a = 0; a < K; a++) {
			const uint64_t *bits = allowed ? allowed : self->has;

			EXPECT_TRUE(bits[hits[a].row / 64] >> hits[a].row % 64 & 1);
			for (uint32_t b = 0; b < K; b++)
				n += exact[a].row == hits[b].row;
		}
	}
	return n;
}

TEST_F(vectors, what_is_nearest_is_found)
{
	uint32_t count = sl_vectors_count(self->v);

	EXPECT_EQ(N, count);
	EXPECT_GE(sl_vectors_bytes(self->v), N * DIM * sizeof(float));
	EXPECT_GE(found(self, self->v, NULL), K * QUERIES * 9 / 10);
}

TEST_F(vectors, rows_are_replaced_and_removed)
{
	const struct sl_query q = {.vector = self->x[7], .k = 1, .exact = true};
	float vector[DIM];
	struct sl_hit hit;

	for (uint32_t i = 0; i < N; i += 2) {
		EXPECT_EQ(0, sl_vectors_remove(self->v, i));
		self->has[i / 64] ^= UINT64_C(1) << i % 64;
	}
	EXPECT_EQ(-ENOENT, sl_vectors_remove(self->v, 0));
	EXPECT_EQ(-ENOENT, sl_vectors_remove(self->v, 1000000));
	EXPECT_EQ(-ENOENT, sl_vectors_get(self->v, 0, vector));
	EXPECT_EQ(N / 2, sl_vectors_count(self->v));
	EXPECT_GE(found(self, self->v, NULL), K * QUERIES * 8 / 10);
	EXPECT_EQ(0, sl_vectors_put(self->v, 9, self->x[8], 1));
	EXPECT_EQ(0, sl_vectors_get(self->v, 9, vector));
	EXPECT_EQ(0, memcmp(self->x[8], vector, sizeof(vector)));
	EXPECT_EQ(0, sl_vectors_remove(self->v, 7));
	EXPECT_EQ(1, sl_vectors_search(self->v, &q, &hit));
	EXPECT_NE(7, hit.row);
	EXPECT_EQ(N / 2 - 1, sl_vectors_count(self->v));
}

TEST_F(vectors, only_what_is_allowed_is_found)
{
	uint64_t allowed[N / 64 + 1] = {0};

	for (uint32_t i = 0; i < N; i += 3)
		allowed[i / 64] |= UINT64_C(1) << i % 64;
	EXPECT_GE(found(self, self->v, allowed), K * QUERIES * 8 / 10);
}

TEST_F(vectors, many_searches_are_as_one_after_the_other)
{
	struct sl_query q[4];
	struct sl_hit together[4 * K], alone[K];
	uint32_t n[4];

	for (uint32_t i = 0; i < 4; i++)
		q[i] = (struct sl_query){.vector = self->x[i], .k = K};
	ASSERT_EQ(0, sl_vectors_search_many(self->v, q, 4, together, n));
	for (uint32_t i = 0; i < 4; i++) {
		EXPECT_EQ(K, n[i]);
		EXPECT_EQ(K, sl_vectors_search(self->v, &q[i], alone));
		for (uint32_t k = 0; k < K; k++)
			EXPECT_EQ(alone[k].row, together[i * K + k].row);
	}
}

/* ---- keeping ---------------------------------------------------------------------------- */

struct saved {
	uint8_t *p;
	size_t n, at;
};

static int save(void *arg, const void *data, size_t n)
{
	struct saved *s = arg;

	s->p = realloc(s->p, s->n + n + 1);
	ASSERT_NOT_NULL(s->p);
	memcpy(s->p + s->n, data, n);
	s->n += n;
	return 0;
}

static int load(void *arg, void *ret_data, size_t n)
{
	struct saved *s = arg;

	if (n > s->n - s->at)
		return -EBADMSG;
	memcpy(ret_data, s->p + s->at, n);
	s->at += n;
	return 0;
}

TEST_F(vectors, what_was_saved_is_loaded)
{
	struct saved s = {0};
	struct sl_vectors *v;
	float vector[DIM];

	EXPECT_EQ(0, sl_vectors_remove(self->v, 5));
	self->has[0] ^= 1 << 5;
	ASSERT_EQ(0, sl_vectors_save(self->v, save, &s));
	ASSERT_EQ(0, sl_vectors_load(&self->conf, load, &s, &v));
	EXPECT_EQ(s.n, s.at);
	EXPECT_EQ(N - 1, sl_vectors_count(v));
	EXPECT_EQ(-ENOENT, sl_vectors_get(v, 5, vector));
	for (uint32_t i = 6; i < N; i++) {
		EXPECT_EQ(0, sl_vectors_get(v, i, vector));
		EXPECT_EQ(0, memcmp(self->x[i], vector, sizeof(vector)));
	}
	EXPECT_GE(found(self, v, NULL), K * QUERIES * 9 / 10);
	EXPECT_EQ(0, sl_vectors_put(v, 5, self->x[5], 1));
	EXPECT_EQ(N, sl_vectors_count(v));
	sl_vectors_free(v);
	free(s.p);
}

TEST_F(vectors, what_is_damaged_or_of_others_is_not)
{
	struct sl_vectors_conf other = self->conf;
	struct saved s = {0};
	struct sl_vectors *v;

	ASSERT_EQ(0, sl_vectors_save(self->v, save, &s));
	for (size_t at = harness_random() % 997; at < s.n; at += 1 + s.n / 60) {
		s.at = 0;
		s.p[at] ^= 1 << at % 8;
		EXPECT_EQ(-EBADMSG, sl_vectors_load(&self->conf, load, &s, &v));
		s.p[at] ^= 1 << at % 8;
	}
	s.n -= 9;
	s.at = 0;
	EXPECT_EQ(-EBADMSG, sl_vectors_load(&self->conf, load, &s, &v));
	s.n += 9;
	s.at = 0;
	other.dim = DIM - 1;
	EXPECT_EQ(-EBADMSG, sl_vectors_load(&other, load, &s, &v));
	free(s.p);
}

/* The rows of one and the index of another, each of which verifies. */
TEST_F(vectors, rows_and_index_must_be_of_one)
{
	struct saved s = {0}, less = {0};
	struct sl_vectors *v, *few;
	size_t rows;

	ASSERT_EQ(0, sl_vectors_new(&self->conf, &few));
	ASSERT_EQ(0, sl_vectors_put(few, 0, self->x, 10));
	ASSERT_EQ(0, sl_vectors_save(few, save, &less));
	ASSERT_EQ(0, sl_vectors_save(self->v, save, &s));
	/* A header of 32 bytes, a bit for each of 1024 rows, 10 vectors, a sum. */
	rows = 32 + 128 + 10 * sizeof(self->x[0]) + 8;
	less.n = rows;
	rows = 32 + 3 * 128 + N * sizeof(self->x[0]) + 8;
	ASSERT_EQ(0, save(&less, s.p + rows, s.n - rows));
	EXPECT_EQ(-EBADMSG, sl_vectors_load(&self->conf, load, &less, &v));
	sl_vectors_free(few);
	free(s.p);
	free(less.p);
}

/* ---- the edges -------------------------------------------------------------------------- */

TEST(what_cannot_be_is_refused)
{
	struct sl_vectors_conf conf = {.dim = 0, .component = SL_F32};
	struct sl_vectors *v;
	uint8_t bits = 3;

	EXPECT_EQ(-EINVAL, sl_vectors_new(&conf, &v));
	conf.dim = SL_DIM_MAX + 1;
	EXPECT_EQ(-EINVAL, sl_vectors_new(&conf, &v));
	EXPECT_EQ(-EINVAL, sl_vectors_load(&conf, load, NULL, &v));
	conf = (struct sl_vectors_conf){
		.dim = 8, .component = SL_BITS, .metric = SL_METRIC_HAMMING,
		.index = {.kind = SL_INDEX_HNSW, .quantiser = SL_QUANTISER_PQ8}};
	EXPECT_EQ(-EINVAL, sl_vectors_new(&conf, &v));
	conf.index.quantiser = SL_QUANTISER_DEFAULT;
	ASSERT_EQ(0, sl_vectors_new(&conf, &v));
	EXPECT_EQ(-ERANGE, sl_vectors_put(v, UINT32_MAX, &bits, 1));
	EXPECT_EQ(0, sl_vectors_put(v, 70000, &bits, 1));
	EXPECT_EQ(1, sl_vectors_count(v));
	sl_vectors_free(v);
	sl_vectors_free(NULL);
}

struct worker {
	struct sl_vectors *v;
	uint32_t id;
	pthread_t thread;
};

static void *put_and_search(void *arg)
{
	struct worker *w = arg;

	for (uint32_t i = 0; i < 200; i++) {
		uint32_t row = i * 4 + w->id;
		float vector[DIM];
		const struct sl_query q = {.vector = vector, .k = 1, .exact = true};
		struct sl_hit hit;

		for (uint64_t d = 0; d < DIM; d++)
			vector[d] = component(row * DIM + d);
		EXPECT_EQ(0, sl_vectors_put(w->v, row, vector, 1));
		EXPECT_EQ(1, sl_vectors_search(w->v, &q, &hit));
		EXPECT_EQ(row, hit.row);
	}
	return NULL;
}

TEST(any_thread_makes_any_call)
{
	const struct sl_vectors_conf conf = {.dim = DIM, .index = {.kind = SL_INDEX_HNSW}};
	struct worker workers[4];
	struct sl_vectors *v;

	ASSERT_EQ(0, sl_vectors_new(&conf, &v));
	for (uint32_t i = 0; i < 4; i++) {
		workers[i] = (struct worker){.v = v, .id = i};
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, put_and_search, &workers[i]));
	}
	for (uint32_t i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_join(workers[i].thread, NULL));
	EXPECT_EQ(800, sl_vectors_count(v));
	sl_vectors_free(v);
}

TEST_HARNESS_MAIN
