/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IVF index: the recall of its searches, over metrics and kinds of components, while rows come
 * and go, under filters, and after it was loaded. What every kind promises is in index_test.c.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drawn.h"
#include "harness.h"
#include "saved.h"
#include "vectors/half.h"
#include "vectors/index_pvt.h"
#include "vectors/vectors.h"

enum { ROWS = 12000, CHUNKS = ROWS / SL_ROWS_A_CHUNK + 1, DIM = 48, LATENT = 10, K = 10 };
enum { QUERIES = 60, STRIDE = 192 };

/* ---- rows ------------------------------------------------------------------------------- */

FIXTURE(ivf)
{
	uint8_t *chunks[CHUNKS];
	struct sl_rows rows;
	struct sl_index *index;
	struct sl_scratch *scratch;
	float turn[LATENT][DIM];
	uint8_t queries[QUERIES][STRIDE];
};

FIXTURE_VARIANT(ivf)
{
	enum sl_metric metric;
	enum sl_component component;
};

FIXTURE_VARIANT_ADD(ivf, l2_f32){SL_METRIC_L2, SL_F32};
FIXTURE_VARIANT_ADD(ivf, l2_f16){SL_METRIC_L2, SL_F16};
FIXTURE_VARIANT_ADD(ivf, l2_i8){SL_METRIC_L2, SL_I8};
FIXTURE_VARIANT_ADD(ivf, dot_f32){SL_METRIC_DOT, SL_F32};
FIXTURE_VARIANT_ADD(ivf, cosine_f32){SL_METRIC_COSINE, SL_F32};
FIXTURE_VARIANT_ADD(ivf, manhattan_f32){SL_METRIC_MANHATTAN, SL_F32};
FIXTURE_VARIANT_ADD(ivf, hamming_bits){SL_METRIC_HAMMING, SL_BITS};

/* Of a variance of 1, as the scale of bytes supposes. */
static double normal(void)
{
	return sqrt(3) * (double)drawn_normal();
}

static void put(enum sl_component component, void *vector, uint32_t i, float f)
{
	uint8_t *bits = vector;

	switch (component) {
	case SL_F32:
		((float *)vector)[i] = f;
		break;
	case SL_F16:
		((uint16_t *)vector)[i] = sl_float_half(f);
		break;
	case SL_I8:
		((int8_t *)vector)[i] = (int8_t)fmaxf(-128, fminf(127, f * 20));
		break;
	default:
		bits[i / 8] |= (uint8_t)((f > 0) << i % 8);
	}
}

/* Points that vary along few directions, and a little in all. */
static void make_vector(FIXTURE_DATA(ivf) * self, void *vector)
{
	double at[LATENT];

	memset(vector, 0, sl_vector_bytes(self->rows.component, DIM));
	for (int l = 0; l < LATENT; l++)
		at[l] = normal();
	for (uint32_t i = 0; i < DIM; i++) {
		double f = 0.1 * normal();

		for (int l = 0; l < LATENT; l++)
			f += at[l] * (double)self->turn[l][i];
		put(self->rows.component, vector, i, (float)f);
	}
}

static void *row_of(FIXTURE_DATA(ivf) * self, uint32_t row)
{
	return self->chunks[row / SL_ROWS_A_CHUNK] + row % SL_ROWS_A_CHUNK * STRIDE;
}

static const struct sl_index_conf conf = {.kind = SL_INDEX_IVF, .train_rows = 2000, .seed = 3};

FIXTURE_SETUP(ivf)
{
	for (int c = 0; c < CHUNKS; c++) {
		self->chunks[c] = aligned_alloc(SL_ROW_ALIGN, SL_ROWS_A_CHUNK * STRIDE);
		ASSERT_TRUE(self->chunks[c] != NULL);
	}
	self->rows = (struct sl_rows){
		.chunks = (const uint8_t *const *)self->chunks,
		.stride = STRIDE,
		.dim = DIM,
		.component = variant->component,
		.metric = variant->metric,
	};
	for (int l = 0; l < LATENT; l++)
		for (int i = 0; i < DIM; i++)
			self->turn[l][i] = (float)normal();
	for (uint32_t row = 0; row < ROWS; row++)
		make_vector(self, row_of(self, row));
	for (int q = 0; q < QUERIES; q++)
		make_vector(self, self->queries[q]);
	ASSERT_EQ(0, sl_index_new(&conf, &self->rows, &self->index));
	ASSERT_EQ(0, sl_scratch_new(&self->scratch));
}

FIXTURE_TEARDOWN(ivf)
{
	sl_index_free(self->index);
	sl_scratch_free(self->scratch);
	for (int c = 0; c < CHUNKS; c++)
		free(self->chunks[c]);
}

static void add(FIXTURE_DATA(ivf) * self, uint32_t from, uint32_t to)
{
	for (uint32_t row = from; row < to; row++)
		ASSERT_EQ(0, sl_index_add(self->index, row));
}

static void work(FIXTURE_DATA(ivf) * self)
{
	int more;

	while ((more = sl_index_step(self->index, SL_SEC)) > 0)
		;
	ASSERT_EQ(0, more);
}

/* Of the nearest rows the part that is found, by searches that differ in @query from default. */
static double recall(FIXTURE_DATA(ivf) * self, struct sl_query query)
{
	uint32_t found = 0, wanted = 0;

	query.k = K;
	for (int q = 0; q < QUERIES; q++) {
		struct sl_hit exact[K], hits[K];
		int n;

		query.vector = self->queries[q];
		query.exact = true;
		n = sl_index_search(self->index, &query, exact, self->scratch);
		query.exact = false;
		ASSERT_EQ(n, sl_index_search(self->index, &query, hits, self->scratch));
		for (int i = 0; i < n; i++)
			found += hits[i].distance <= exact[n - 1].distance;
		wanted += (uint32_t)n;
	}
	return (double)found / wanted;
}

/* ---- tests ------------------------------------------------------------------------------ */

/* The floors are far below what is seen, about 0.99. */
TEST_F(ivf, most_of_the_nearest_are_found)
{
	add(self, 0, ROWS);
	EXPECT_TRUE(recall(self, (struct sl_query){.effort = 1}) == 1);
	work(self);
	EXPECT_TRUE(recall(self, (struct sl_query){.effort = 1}) < 1);
	EXPECT_TRUE(recall(self, (struct sl_query){.effort = 64}) > 0.9);
}

TEST_F(ivf, rows_come_while_it_is_trained)
{
	add(self, 0, 3000);
	for (uint32_t row = 3000; row < ROWS; row++) {
		ASSERT_EQ(0, sl_index_add(self->index, row));
		ASSERT_TRUE(sl_index_step(self->index, 30 * SL_USEC) >= 0);
		if (row % 3 == 0)
			ASSERT_EQ(0, sl_index_remove(self->index, row - 3000));
	}
	work(self);
	EXPECT_TRUE(recall(self, (struct sl_query){.effort = 64}) > 0.9);
}

TEST_F(ivf, recall_stays_when_all_rows_are_replaced)
{
	add(self, 0, ROWS / 2);
	work(self);
	for (uint32_t row = 0; row < ROWS / 2; row++) {
		ASSERT_EQ(0, sl_index_add(self->index, row + ROWS / 2));
		ASSERT_EQ(0, sl_index_remove(self->index, row));
	}
	work(self);
	ASSERT_EQ(ROWS / 2, sl_index_count(self->index));
	EXPECT_TRUE(recall(self, (struct sl_query){.effort = 64}) > 0.9);
}

/* Rows of quite another kind: the axes and lists of those before are of no use to them. */
TEST_F(ivf, rows_that_differ_from_all_before_train_it_again)
{
	struct sl_query few = {.effort = 8};
	double before;

	add(self, 0, ROWS / 2);
	work(self);
	before = recall(self, few);
	for (int l = 0; l < LATENT; l++)
		for (int i = 0; i < DIM; i++)
			self->turn[l][i] = (float)normal();
	for (uint32_t row = ROWS / 2; row < ROWS; row++)
		make_vector(self, row_of(self, row));
	for (int q = 0; q < QUERIES; q++)
		make_vector(self, self->queries[q]);
	for (uint32_t row = 0; row < ROWS / 2; row++) {
		ASSERT_EQ(0, sl_index_add(self->index, row + ROWS / 2));
		ASSERT_EQ(0, sl_index_remove(self->index, row));
	}
	work(self);
	if (!EXPECT_TRUE(recall(self, few) > before - 0.05))
		TH_LOG("%f, before: %f", recall(self, few), before);
}

TEST_F(ivf, more_effort_finds_more)
{
	static const uint32_t nearest[] = {8, 64, 1000};
	double seen[SL_ARRAY_SIZE(nearest)];

	EXPECT_EQ(0, sl_index_effort(self->index, 64));
	add(self, 0, ROWS);
	work(self);
	EXPECT_EQ(0, sl_index_effort(self->index, 0));
	EXPECT_TRUE(sl_index_effort(self->index, 1) > 0);
	for (size_t i = 0; i < SL_ARRAY_SIZE(nearest); i++) {
		uint32_t effort = sl_index_effort(self->index, nearest[i]);

		seen[i] = recall(self, (struct sl_query){.effort = effort});
	}
	EXPECT_TRUE(seen[0] < seen[2]);
	EXPECT_TRUE(seen[1] >= seen[0] && seen[1] <= seen[2]);
	EXPECT_TRUE(seen[1] == recall(self, (struct sl_query){0}));
}

TEST_F(ivf, recall_stays_under_filters)
{
	static const uint32_t one_of[] = {1, 2, 10, 100, 1000};
	static uint64_t allowed[ROWS / 64 + 1];

	add(self, 0, ROWS);
	work(self);
	for (size_t i = 0; i < SL_ARRAY_SIZE(one_of); i++) {
		struct sl_query q = {.effort = 40, .allowed = allowed, .allowed_rows = ROWS};

		memset(allowed, 0, sizeof(allowed));
		for (uint32_t row = 0; row < ROWS; row += one_of[i], q.allowed_n++)
			allowed[row / 64] |= UINT64_C(1) << row % 64;
		if (!EXPECT_TRUE(recall(self, q) > 0.95))
			TH_LOG("one of %u: %f", one_of[i], recall(self, q));
	}
}

static float along(FIXTURE_DATA(ivf) * self, const void *vector)
{
	float x[DIM], sum = 0;

	index_floats(&self->rows, vector, x);
	for (uint32_t i = 0; i < DIM; i++)
		sum += x[i] * self->turn[0][i];
	return sum;
}

/* What is allowed is all on one side, and queries are on the other. */
TEST_F(ivf, recall_stays_where_all_allowed_are_far)
{
	static const uint32_t one_of[] = {2, 5, 10, 100, 1000};
	static uint64_t allowed[ROWS / 64 + 1];
	static float sorted[ROWS];

	add(self, 0, ROWS);
	work(self);
	for (uint32_t row = 0; row < ROWS; row++)
		sorted[row] = along(self, row_of(self, row));
	qsort(sorted, ROWS, sizeof(sorted[0]), drawn_order);
	for (int q = 0; q < QUERIES; q++)
		while (along(self, self->queries[q]) > sorted[ROWS / 2])
			make_vector(self, self->queries[q]);
	for (size_t i = 0; i < SL_ARRAY_SIZE(one_of); i++) {
		struct sl_query q = {.effort = 40, .allowed = allowed, .allowed_rows = ROWS};

		memset(allowed, 0, sizeof(allowed));
		for (uint32_t row = 0; row < ROWS; row++) {
			if (along(self, row_of(self, row)) < sorted[ROWS - ROWS / one_of[i]])
				continue;
			allowed[row / 64] |= UINT64_C(1) << row % 64;
			q.allowed_n++;
		}
		if (!EXPECT_TRUE(recall(self, q) > 0.9))
			TH_LOG("one of %u: %f", one_of[i], recall(self, q));
	}
}

/* ---- rows that leave -------------------------------------------------------------------- */

/* Long ones, each of which is here only while it is added: all chunks are one. */
enum { WIDE = 1024, WIDE_ROWS = 9000, WIDE_TRAIN = 1000, WIDE_CHUNKS = WIDE_ROWS / 1024 + 1 };

struct wide {
	uint8_t *chunk;
	const uint8_t *chunks[WIDE_CHUNKS];
	uint64_t here[WIDE_CHUNKS * SL_ROWS_A_CHUNK / 64];
	struct sl_rows rows;
	struct sl_index *index;
	struct sl_scratch *scratch;
};

static void wide_vector(uint32_t row, float *ret_x)
{
	uint64_t h = row;

	for (uint32_t i = 0; i < WIDE; i++) {
		h = sl_mix64(h + 1);
		ret_x[i] = (float)(h % 1024) / 1024;
	}
}

static void wide_add(struct wide *w, uint32_t row, bool stays)
{
	float *x = (float *)(w->chunk + (size_t)(row % SL_ROWS_A_CHUNK) * w->rows.stride);

	wide_vector(row, x);
	w->here[row / 64] |= UINT64_C(1) << row % 64;
	ASSERT_EQ(0, sl_index_add(w->index, row));
	if (!stays)
		w->here[row / 64] = 0;
}

static void wide_init(struct wide *w)
{
	const struct sl_index_conf wide_conf = {.kind = SL_INDEX_IVF,
						.quantiser = SL_QUANTISER_RABITQ,
						.quantiser_bits = 8,
						.train_rows = WIDE_TRAIN,
						.rescore = WIDE_ROWS};

	*w = (struct wide){.rows = {.chunks = w->chunks,
				    .stride = WIDE * sizeof(float),
				    .partial = true,
				    .here = w->here,
				    .dim = WIDE,
				    .component = SL_F32,
				    .metric = SL_METRIC_L2}};
	w->chunk = aligned_alloc(SL_ROW_ALIGN, SL_ROWS_A_CHUNK * w->rows.stride);
	ASSERT_TRUE(w->chunk != NULL);
	for (uint32_t i = 0; i < WIDE_CHUNKS; i++)
		w->chunks[i] = w->chunk;
	ASSERT_EQ(0, sl_index_new(&wide_conf, &w->rows, &w->index));
	ASSERT_EQ(0, sl_scratch_new(&w->scratch));
}

static void wide_done(struct wide *w)
{
	sl_index_free(w->index);
	sl_scratch_free(w->scratch);
	free(w->chunk);
}

/* The nearest to the vector of a row by the codes of all. */
static void wide_nearest(struct wide *w, struct sl_hit *ret_hits)
{
	_Alignas(SL_ROW_ALIGN) float x[WIDE];
	struct sl_query q = {.vector = x, .k = K, .oversampling = 1};

	wide_vector(7, x);
	ASSERT_EQ(K, sl_index_candidates(w->index, &q, ret_hits, w->scratch));
}

/* Steps until there is nothing to do. Return: the most bytes meanwhile. */
static uint64_t wide_work(struct wide *w)
{
	uint64_t most = sl_index_bytes(w->index);

	while (sl_index_step(w->index, SL_USEC) > 0)
		most = sl_max(most, sl_index_bytes(w->index));
	return most;
}

/* Codes are nearly all that is in memory of such rows: there are no others of them meanwhile, nor
 * any of what codes stand for instead of vectors. */
TEST(rows_that_left_keep_their_codes_when_it_is_trained_again)
{
	static struct wide w;
	struct sl_hit before[K], after[K];
	uint32_t effort;
	uint64_t bytes;

	wide_init(&w);
	for (uint32_t row = 0; row < WIDE_TRAIN; row++)
		wide_add(&w, row, true);
	wide_work(&w);
	ASSERT_FALSE(sl_index_needs_rows(w.index));
	memset(w.here, 0, sizeof(w.here));
	for (uint32_t row = WIDE_TRAIN; row < WIDE_ROWS; row++)
		wide_add(&w, row, false);
	wide_nearest(&w, before);
	effort = sl_index_effort(w.index, 64);
	bytes = sl_index_bytes(w.index);
	EXPECT_LT(wide_work(&w), bytes + (uint64_t)WIDE_ROWS * WIDE / 2);
	EXPECT_LT(effort, sl_index_effort(w.index, 64));
	wide_nearest(&w, after);
	for (int i = 0; i < K; i++) {
		EXPECT_EQ(before[i].row, after[i].row);
		EXPECT_TRUE(before[i].distance == after[i].distance);
	}
	wide_done(&w);
}

/* ---- keeping ---------------------------------------------------------------------------- */

TEST_F(ivf, what_is_loaded_gives_the_same_answers)
{
	struct bytes b;
	struct sl_index *again;

	add(self, 0, ROWS / 2);
	work(self);
	b = saved(self->index);
	ASSERT_EQ(0, sl_index_load(&conf, &self->rows, read_bytes, &b, &again));
	EXPECT_EQ(b.n, b.at);
	for (int q = 0; q < QUERIES; q++) {
		struct sl_query query = {.vector = self->queries[q], .k = K, .effort = 5};
		struct sl_hit a[K], c[K];

		ASSERT_EQ(K, sl_index_search(self->index, &query, a, self->scratch));
		ASSERT_EQ(K, sl_index_search(again, &query, c, self->scratch));
		for (int i = 0; i < K; i++)
			EXPECT_EQ(a[i].row, c[i].row);
	}
	sl_index_free(self->index);
	self->index = again;
	add(self, ROWS / 2, ROWS);
	work(self);
	EXPECT_TRUE(recall(self, (struct sl_query){.effort = 64}) > 0.9);
	free(b.p);
}

TEST_HARNESS_MAIN
