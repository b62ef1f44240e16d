/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Indexes: what all kinds promise, against a model that looks at every row; what was saved, and
 * what was damaged since.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "saved.h"
#include "vectors/index_pvt.h"
#include "vectors/vectors.h"

#define ROWS 3000u
#define CHUNKS (ROWS / SL_ROWS_A_CHUNK + 1)
#define DIM 19u
#define STRIDE 128u
#define K_MAX 40u

/* ---- an index and its model ------------------------------------------------------------- */

FIXTURE(index)
{
	uint8_t *chunks[CHUNKS];
	struct sl_rows rows;
	struct sl_index *index;
	struct sl_scratch *scratch;
	bool live[ROWS];
	uint32_t n;
	uint32_t wanted, found; /* by searches that need not find all */
};

FIXTURE_VARIANT(index)
{
	struct sl_index_conf conf;
	enum sl_metric metric;
	double recall; /* of searches that are not exact, at the least; 0: they are */
};

FIXTURE_VARIANT_ADD(index, flat_l2){.conf = {.kind = SL_INDEX_FLAT}, .metric = SL_METRIC_L2};
FIXTURE_VARIANT_ADD(index, flat_dot){.conf = {.kind = SL_INDEX_FLAT}, .metric = SL_METRIC_DOT};
FIXTURE_VARIANT_ADD(index, ivf_untrained){.conf = {.kind = SL_INDEX_IVF}, .metric = SL_METRIC_L2};
FIXTURE_VARIANT_ADD(index, ivf_l2){
	.conf = {.kind = SL_INDEX_IVF, .train_rows = 100, .rescore = 100},
	.metric = SL_METRIC_L2,
	.recall = 0.8,
};
FIXTURE_VARIANT_ADD(index, ivf_dot){
	.conf = {.kind = SL_INDEX_IVF, .train_rows = 100, .rescore = 100},
	.metric = SL_METRIC_DOT,
	.recall = 0.8,
};
FIXTURE_VARIANT_ADD(index, hnsw_l2){
	.conf = {.kind = SL_INDEX_HNSW},
	.metric = SL_METRIC_L2,
	.recall = 0.9,
};
FIXTURE_VARIANT_ADD(index, hnsw_dot){
	.conf = {.kind = SL_INDEX_HNSW},
	.metric = SL_METRIC_DOT,
	.recall = 0.9,
};
FIXTURE_VARIANT_ADD(index, hnsw_hamming){
	.conf = {.kind = SL_INDEX_HNSW},
	.metric = SL_METRIC_HAMMING,
	.recall = 0.9,
};

FIXTURE_VARIANT_ADD(index, hnsw_none){
	.conf = {.kind = SL_INDEX_HNSW, .quantiser = SL_QUANTISER_NONE},
	.metric = SL_METRIC_L2,
	.recall = 0.9,
};
FIXTURE_VARIANT_ADD(index, hnsw_pq4){
	.conf = {.kind = SL_INDEX_HNSW, .quantiser = SL_QUANTISER_PQ4},
	.metric = SL_METRIC_L2,
	.recall = 0.8,
};
FIXTURE_VARIANT_ADD(index, hnsw_rabitq){
	.conf = {.kind = SL_INDEX_HNSW, .quantiser = SL_QUANTISER_RABITQ, .quantiser_bits = 3},
	.metric = SL_METRIC_DOT,
	.recall = 0.8,
};
FIXTURE_VARIANT_ADD(index, ivf_pq8){
	.conf = {.kind = SL_INDEX_IVF, .train_rows = 100, .quantiser = SL_QUANTISER_PQ8},
	.metric = SL_METRIC_L2,
	.recall = 0.8,
};
FIXTURE_VARIANT_ADD(index, ivf_binary){
	.conf = {.kind = SL_INDEX_IVF, .train_rows = 100, .quantiser = SL_QUANTISER_BINARY},
	.metric = SL_METRIC_L2,
	.recall = 0.8,
};

static void make_rows(uint8_t **chunks)
{
	for (uint32_t c = 0; c < CHUNKS; c++) {
		chunks[c] = aligned_alloc(SL_ROW_ALIGN, SL_ROWS_A_CHUNK * STRIDE);
		ASSERT_TRUE(chunks[c] != NULL);
		for (uint32_t r = 0; r < SL_ROWS_A_CHUNK; r++) {
			float *v = (float *)(void *)(chunks[c] + r * STRIDE);

			/* few values, so that distances are often the same */
			for (uint32_t i = 0; i < DIM; i++)
				v[i] = (float)(harness_random() % 4);
		}
	}
}

FIXTURE_SETUP(index)
{
	make_rows(self->chunks);
	self->rows = (struct sl_rows){
		.chunks = (const uint8_t *const *)self->chunks,
		.stride = STRIDE,
		.dim = DIM,
		.component = SL_F32,
		.metric = variant->metric,
	};
	memset(self->live, 0, sizeof(self->live));
	self->n = self->wanted = self->found = 0;
	ASSERT_EQ(0, sl_index_new(&variant->conf, &self->rows, &self->index));
	ASSERT_EQ(0, sl_scratch_new(&self->scratch));
}

FIXTURE_TEARDOWN(index)
{
	EXPECT_TRUE(self->found >= variant->recall * self->wanted);
	sl_index_free(self->index);
	sl_scratch_free(self->scratch);
	for (uint32_t c = 0; c < CHUNKS; c++)
		free(self->chunks[c]);
}

/* Adds or removes a row, as it is there or not. */
static void toggle(FIXTURE_DATA(index) * self, uint32_t row)
{
	bool was = self->live[row];

	ASSERT_EQ(was ? -EEXIST : 0, sl_index_add(self->index, row));
	if (was)
		ASSERT_EQ(0, sl_index_remove(self->index, row));
	self->live[row] = !was;
	self->n += was ? UINT32_MAX : 1;
	ASSERT_EQ(self->n, sl_index_count(self->index));
}

static void add_some(FIXTURE_DATA(index) * self, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		toggle(self, (uint32_t)(harness_random() % ROWS));
	while (sl_index_step(self->index, SL_MSEC) > 0)
		;
}

/* ---- searches --------------------------------------------------------------------------- */

struct asked {
	float vector[DIM];
	uint64_t allowed[ROWS / 64 + 1];
	struct sl_query query;
};

/* Every second one allows only some of the rows. */
static void ask(struct asked *a)
{
	memset(a, 0, sizeof(*a));
	for (uint32_t i = 0; i < DIM; i++)
		a->vector[i] = (float)(harness_random() % 4);
	a->query.vector = a->vector;
	a->query.k = (uint32_t)(harness_random() % (K_MAX + 1));
	a->query.effort = 64;
	a->query.exact = harness_random() % 2;
	if (harness_random() % 2)
		return;
	a->query.allowed = a->allowed;
	a->query.allowed_rows = (uint32_t)(harness_random() % ROWS);
	for (uint32_t row = 0; row < a->query.allowed_rows; row++) {
		if (harness_random() % 3)
			continue;
		a->allowed[row / 64] |= UINT64_C(1) << row % 64;
		a->query.allowed_n++;
	}
}

static bool may_give(FIXTURE_DATA(index) * self, const struct asked *a, uint32_t row)
{
	return self->live[row] && (!a->query.allowed || (row < a->query.allowed_rows &&
							 a->allowed[row / 64] >> row % 64 & 1));
}

static int by_nearness(const void *a, const void *b)
{
	const struct sl_hit *x = a, *y = b;

	return hit_before(*x, *y) ? -1 : hit_before(*y, *x);
}

/* Return: how many of @ret_hits there should be. */
static uint32_t expected(FIXTURE_DATA(index) * self, const struct asked *a, struct sl_hit *ret_hits)
{
	static struct sl_hit all[ROWS];
	uint32_t n = 0;

	for (uint32_t row = 0; row < ROWS; row++) {
		float d;

		if (!may_give(self, a, row))
			continue;
		d = sl_distance(self->rows.metric, SL_F32)(a->vector, sl_row(&self->rows, row),
							   DIM);
		all[n++] = (struct sl_hit){d, row};
	}
	qsort(all, n, sizeof(all[0]), by_nearness);
	n = sl_min(n, a->query.k);
	memcpy(ret_hits, all, n * sizeof(all[0]));
	return n;
}

/* What is given may be given, is as far as is said, and comes in order. */
static bool is_sound(FIXTURE_DATA(index) * self, const struct asked *a, const struct sl_hit *hits,
		     uint32_t n)
{
	sl_distance_fn distance = sl_distance(self->rows.metric, SL_F32);

	for (uint32_t i = 0; i < n; i++) {
		if (!EXPECT_TRUE(may_give(self, a, hits[i].row)) ||
		    !EXPECT_TRUE(hits[i].distance ==
				 distance(a->vector, sl_row(&self->rows, hits[i].row), DIM)) ||
		    !EXPECT_TRUE(!i || hit_before(hits[i - 1], hits[i])))
			return false;
	}
	return true;
}

/* An exact search gives what is @expected; another what is as near, mostly. */
static bool is_right(FIXTURE_DATA(index) * self, double recall, const struct asked *a,
		     const struct sl_hit *hits, int n)
{
	struct sl_hit want[K_MAX];
	uint32_t want_n = expected(self, a, want);

	if (!EXPECT_EQ(want_n, n) || !is_sound(self, a, hits, want_n))
		return false;
	if (recall > 0 && !a->query.exact) {
		self->wanted += want_n;
		for (uint32_t i = 0; i < want_n; i++)
			self->found += hits[i].distance <= want[want_n - 1].distance;
		return true;
	}
	for (uint32_t i = 0; i < want_n; i++)
		if (!EXPECT_EQ(want[i].row, hits[i].row))
			return false;
	return true;
}

static bool search_is_right(FIXTURE_DATA(index) * self, double recall)
{
	struct sl_hit hits[K_MAX];
	struct asked a;

	ask(&a);
	return is_right(self, recall, &a, hits,
			sl_index_search(self->index, &a.query, hits, self->scratch));
}

TEST_F(index, what_is_added_is_found_until_it_is_removed)
{
	for (int step = 0; step < 60; step++) {
		add_some(self, 100);
		ASSERT_TRUE(search_is_right(self, variant->recall));
	}
	for (uint32_t row = 0; row < ROWS; row++)
		if (self->live[row])
			toggle(self, row);
	ASSERT_EQ(-ENOENT, sl_index_remove(self->index, 7));
	ASSERT_EQ(-ENOENT, sl_index_remove(self->index, UINT32_MAX - 1));
	ASSERT_TRUE(search_is_right(self, variant->recall));
}

TEST_F(index, many_searches_are_those_of_each)
{
	enum { QUERIES = 9 };
	static struct asked asked[QUERIES];
	struct sl_query queries[QUERIES];
	struct sl_hit hits[QUERIES * K_MAX], *at = hits;
	uint32_t n[QUERIES];

	add_some(self, ROWS);
	for (int q = 0; q < QUERIES; q++) {
		ask(&asked[q]);
		queries[q] = asked[q].query;
	}
	ASSERT_EQ(0, sl_index_search_many(self->index, queries, QUERIES, hits, n, self->scratch));
	for (int q = 0; q < QUERIES; q++) {
		EXPECT_TRUE(is_right(self, variant->recall, &asked[q], at, (int)n[q]));
		at += queries[q].k;
	}
	EXPECT_EQ(0, sl_index_search_many(self->index, queries, 0, hits, n, self->scratch));
}

TEST_F(index, what_is_no_number_is_farthest)
{
	struct sl_hit hits[3];
	struct asked a = {.query = {.k = 3}};

	a.query.vector = a.vector;
	for (uint32_t row = 0; row < 3; row++)
		toggle(self, row);
	/* as none equals another, that is farthest by Hamming's distance, too */
	for (uint32_t i = 0; i < DIM; i++)
		((float *)(void *)self->chunks[0])[STRIDE / sizeof(float) + i] = NAN;
	memcpy(a.vector, sl_row(&self->rows, 2), sizeof(a.vector));
	ASSERT_EQ(3, sl_index_search(self->index, &a.query, hits, self->scratch));
	EXPECT_EQ(1, hits[2].row);
	EXPECT_TRUE(isinf(hits[2].distance) || hits[2].distance == (float)DIM);
}

TEST_F(index, its_memory_is_told)
{
	uint64_t empty = sl_index_bytes(self->index);

	toggle(self, ROWS - 1);
	EXPECT_TRUE(sl_index_bytes(self->index) >= empty + ROWS / 8);
	EXPECT_EQ(0, sl_index_step(self->index, SL_MSEC));
}

/* ---- rows that are not in memory --------------------------------------------------------- */

/* The chunks as they are, and none of them. */
static void rows_leave(FIXTURE_DATA(index) * self, bool leave)
{
	static const uint8_t *none[CHUNKS];

	self->rows.partial = leave;
	self->rows.chunks = leave ? none : (const uint8_t *const *)self->chunks;
}

TEST(row_is_here_by_its_bit_or_its_chunk)
{
	static const uint8_t chunk[64];
	const uint8_t *chunks[] = {chunk, NULL};
	const uint64_t bits[2 * SL_ROWS_A_CHUNK / 64] = {4};
	struct sl_rows rows = {.chunks = chunks, .here = bits};

	EXPECT_TRUE(sl_row_is_here(&rows, 1));
	rows.partial = true;
	EXPECT_FALSE(sl_row_is_here(&rows, 1));
	EXPECT_TRUE(sl_row_is_here(&rows, 2));
	rows.here = NULL;
	EXPECT_TRUE(sl_row_is_here(&rows, 1));
	EXPECT_FALSE(sl_row_is_here(&rows, SL_ROWS_A_CHUNK));
}

/* Searches in two steps, of rows that only the test still has. */
static bool two_steps_are_right(FIXTURE_DATA(index) * self, double recall)
{
	static struct sl_hit candidates[ROWS];
	static const void *vectors[ROWS];
	struct sl_hit hits[K_MAX];
	struct asked a;
	uint32_t half, found;
	int n;

	ask(&a);
	a.query.exact = false;
	ASSERT_TRUE(sl_index_candidates_max(self->index, &a.query) <= ROWS);
	rows_leave(self, true);
	n = sl_index_candidates(self->index, &a.query, candidates, self->scratch);
	rows_leave(self, false);
	ASSERT_TRUE(n >= 0 && (uint32_t)n <= sl_index_candidates_max(self->index, &a.query));
	for (int i = 0; i < n; i++)
		vectors[i] = self->chunks[candidates[i].row / SL_ROWS_A_CHUNK] +
			     candidates[i].row % SL_ROWS_A_CHUNK * STRIDE;
	half = (uint32_t)n / 2;
	found = sl_index_rescore(self->index, &a.query, candidates, vectors, half, hits, 0);
	found = sl_index_rescore(self->index, &a.query, candidates + half, vectors + half,
				 (uint32_t)n - half, hits, found);
	return is_right(self, recall, &a, hits, (int)found);
}

TEST_F(index, rows_may_leave_memory)
{
	add_some(self, 1500);
	if (sl_index_needs_rows(self->index)) {
		/* as those of no codes do, and those that have none yet */
		EXPECT_TRUE(variant->recall == 0);
		return;
	}
	for (uint32_t row = 0; row < ROWS; row += 3)
		toggle(self, row);
	rows_leave(self, true);
	while (sl_index_step(self->index, SL_MSEC) > 0)
		;
	rows_leave(self, false);
	for (int i = 0; i < 100; i++)
		ASSERT_TRUE(two_steps_are_right(self, variant->recall));
}

/* ---- saving and loading ----------------------------------------------------------------- */

TEST_F(index, what_was_saved_is_loaded)
{
	struct bytes b;
	struct sl_index *again;

	add_some(self, ROWS);
	b = saved(self->index);
	ASSERT_EQ(0, sl_index_load(&variant->conf, &self->rows, read_bytes, &b, &again));
	EXPECT_EQ(b.n, b.at);
	sl_index_free(self->index);
	self->index = again;
	for (int i = 0; i < 20; i++)
		ASSERT_TRUE(search_is_right(self, variant->recall));
	add_some(self, 100);
	ASSERT_TRUE(search_is_right(self, variant->recall));
	free(b.p);
}

TEST_F(index, what_changed_since_is_made_again)
{
	enum { CHANGES = 600 };
	static uint32_t rows[CHANGES];
	struct sl_index *again;
	struct bytes b;

	add_some(self, ROWS);
	b = saved(self->index);
	for (uint32_t i = 0; i < CHANGES; i++) {
		rows[i] = (uint32_t)(harness_random() % ROWS);
		toggle(self, rows[i]);
	}
	ASSERT_EQ(0, sl_index_load(&variant->conf, &self->rows, read_bytes, &b, &again));
	for (uint32_t i = 0; i < CHANGES; i++)
		if (sl_index_add(again, rows[i]) == -EEXIST)
			ASSERT_EQ(0, sl_index_remove(again, rows[i]));
	ASSERT_EQ(self->n, sl_index_count(again));
	sl_index_free(self->index);
	self->index = again;
	for (int i = 0; i < 20; i++)
		ASSERT_TRUE(search_is_right(self, variant->recall));
	free(b.p);
}

/* Of what is long only some: each 97th or so. */
static size_t next(size_t n)
{
	return n < 2048 ? 1 : 1 + harness_random() % 192;
}

TEST_F(index, every_flipped_bit_is_noticed)
{
	struct bytes b;

	add_some(self, 200);
	b = saved(self->index);
	for (size_t i = 0; i < b.n * 8; i += next(b.n)) {
		struct sl_index *again = NULL;
		int err;

		b.p[i / 8] ^= (uint8_t)(1 << i % 8);
		b.at = 0;
		err = sl_index_load(&variant->conf, &self->rows, read_bytes, &b, &again);
		ASSERT_TRUE(err == -EBADMSG || err == -ENODATA);
		b.p[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	free(b.p);
}

TEST_F(index, every_missing_byte_is_noticed)
{
	struct sl_index *again = NULL;
	struct bytes b;

	add_some(self, 200);
	b = saved(self->index);
	for (size_t n = b.n, step = 1; n >= step; step = next(b.n)) {
		b.n = n -= step;
		b.at = 0;
		ASSERT_EQ(-ENODATA,
			  sl_index_load(&variant->conf, &self->rows, read_bytes, &b, &again));
	}
	free(b.p);
}

TEST_F(index, a_full_disk_is_told)
{
	uint8_t little[8];
	struct bytes b = {.p = little, .room = sizeof(little)};

	add_some(self, 200);
	EXPECT_EQ(-ENOSPC, sl_index_save(self->index, write_bytes, &b));
}

/* ---- the nearest so far ----------------------------------------------------------------- */

TEST(the_nearest_are_kept)
{
	for (uint32_t k = 0; k <= 70; k++) {
		struct sl_hit all[200], hits[70];
		struct nearest nearest = {.hits = hits, .k = k};

		for (uint32_t i = 0; i < 200; i++) {
			all[i] = (struct sl_hit){(float)(harness_random() % 50), i};
			nearest_put(&nearest, all[i]);
		}
		qsort(all, 200, sizeof(all[0]), by_nearness);
		ASSERT_EQ(k, nearest_sort(&nearest));
		for (uint32_t i = 0; i < k; i++)
			ASSERT_EQ(all[i].row, hits[i].row);
	}
}

TEST(names)
{
	EXPECT_STREQ("flat", sl_index_name(SL_INDEX_FLAT));
	EXPECT_STREQ("ivf", sl_index_name(SL_INDEX_IVF));
	EXPECT_STREQ("hnsw", sl_index_name(SL_INDEX_HNSW));
}

TEST_HARNESS_MAIN
