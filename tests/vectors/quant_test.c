/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantisers: how far their estimates are off, what a code stands for, and the recall of both kinds
 * of indexes with each of them. That all sets of instructions agree is shown by scan_test.c and
 * distance_test.c; saving and loading by index_test.c.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drawn.h"
#include "harness.h"
#include "vectors/quant.h"
#include "vectors/vectors.h"

/* Sanitizers count each access: fewer rows show the same there. */
#ifdef SL_DEBUG
#define ROWS 1500u
#else
#define ROWS 4000u
#endif
#define CHUNKS (ROWS / SL_ROWS_A_CHUNK + 1)
#define DIM 99u
#define STRIDE 448u
#define CLUSTERS 20u
#define LATENT 12u
#define QUERIES 60u
#define K 10u

/* ---- a clustered set --------------------------------------------------------------------- */

FIXTURE(quant)
{
	uint8_t *chunks[CHUNKS];
	float centres[CLUSTERS][DIM], mix[LATENT][DIM];
	float queries[QUERIES][DIM];
	float mean[DIM];
	struct sl_rows rows;
	struct sl_index_conf conf;
	struct sl_scratch *scratch;
};

/* @off: estimates are off by that of |x - mean| |q - mean| at the most, 9 times of 10. */
FIXTURE_VARIANT(quant)
{
	enum sl_quantiser quantiser;
	uint32_t bits;
	enum sl_metric metric;
	double off;
};

/* RaBitQ with one bit, of D components: 0.75 * 1.9 / root(D - 1) (Gao and Long, theorem 3.2). */
FIXTURE_VARIANT_ADD(quant, none_l2){SL_QUANTISER_NONE, 0, SL_METRIC_L2, 1e-4};
FIXTURE_VARIANT_ADD(quant, sq8_l2){SL_QUANTISER_SQ8, 0, SL_METRIC_L2, 0.02};
FIXTURE_VARIANT_ADD(quant, sq8_dot){SL_QUANTISER_SQ8, 0, SL_METRIC_DOT, 0.02};
FIXTURE_VARIANT_ADD(quant, sq8_cosine){SL_QUANTISER_SQ8, 0, SL_METRIC_COSINE, 0.02};
FIXTURE_VARIANT_ADD(quant, pq8_l2){SL_QUANTISER_PQ8, 0, SL_METRIC_L2, 0.15};
FIXTURE_VARIANT_ADD(quant, pq8_dot){SL_QUANTISER_PQ8, 0, SL_METRIC_DOT, 0.15};
FIXTURE_VARIANT_ADD(quant, pq4_l2){SL_QUANTISER_PQ4, 0, SL_METRIC_L2, 0.2};
FIXTURE_VARIANT_ADD(quant, pq4_cosine){SL_QUANTISER_PQ4, 0, SL_METRIC_COSINE, 0.2};
FIXTURE_VARIANT_ADD(quant, binary_l2){SL_QUANTISER_BINARY, 0, SL_METRIC_L2, 0.35};
FIXTURE_VARIANT_ADD(quant, binary_cosine){SL_QUANTISER_BINARY, 0, SL_METRIC_COSINE, 0.6};
FIXTURE_VARIANT_ADD(quant, rabitq_l2){SL_QUANTISER_RABITQ, 0, SL_METRIC_L2, 0.126};
FIXTURE_VARIANT_ADD(quant, rabitq_dot){SL_QUANTISER_RABITQ, 0, SL_METRIC_DOT, 0.126};
FIXTURE_VARIANT_ADD(quant, rabitq_cosine){SL_QUANTISER_RABITQ, 0, SL_METRIC_COSINE, 0.126};
FIXTURE_VARIANT_ADD(quant, rabitq_2_l2){SL_QUANTISER_RABITQ, 2, SL_METRIC_L2, 0.063};
FIXTURE_VARIANT_ADD(quant, rabitq_4_l2){SL_QUANTISER_RABITQ, 4, SL_METRIC_L2, 0.02};
FIXTURE_VARIANT_ADD(quant, rabitq_8_cosine){SL_QUANTISER_RABITQ, 8, SL_METRIC_COSINE, 0.02};

static void draw(FIXTURE_DATA(quant) * self, float *ret_vector)
{
	const float *centre = self->centres[harness_random() % CLUSTERS];
	float at[LATENT];

	for (uint32_t l = 0; l < LATENT; l++)
		at[l] = drawn_normal();
	for (uint32_t i = 0; i < DIM; i++) {
		ret_vector[i] = centre[i] + drawn_normal() / 10;
		for (uint32_t l = 0; l < LATENT; l++)
			ret_vector[i] += at[l] * self->mix[l][i];
	}
}

static float *vector_of(FIXTURE_DATA(quant) * self, uint32_t row)
{
	return (float *)(void *)(self->chunks[row / SL_ROWS_A_CHUNK] +
				 row % SL_ROWS_A_CHUNK * STRIDE);
}

FIXTURE_SETUP(quant)
{
	float x[DIM];

	for (uint32_t c = 0; c < CHUNKS; c++) {
		self->chunks[c] = aligned_alloc(SL_ROW_ALIGN, SL_ROWS_A_CHUNK * STRIDE);
		ASSERT_TRUE(self->chunks[c] != NULL);
	}
	for (uint32_t c = 0; c < CLUSTERS; c++)
		for (uint32_t i = 0; i < DIM; i++)
			self->centres[c][i] = drawn_normal();
	for (uint32_t l = 0; l < LATENT; l++)
		for (uint32_t i = 0; i < DIM; i++)
			self->mix[l][i] = drawn_normal();
	self->rows = (struct sl_rows){
		.chunks = (const uint8_t *const *)self->chunks,
		.stride = STRIDE,
		.dim = DIM,
		.component = SL_F32,
		.metric = variant->metric,
	};
	for (uint32_t row = 0; row < ROWS; row++) {
		draw(self, vector_of(self, row));
		index_floats(&self->rows, vector_of(self, row), x);
		for (uint32_t i = 0; i < DIM; i++)
			self->mean[i] += x[i] / (float)ROWS;
	}
	for (uint32_t q = 0; q < QUERIES; q++)
		draw(self, self->queries[q]);
	self->conf = (struct sl_index_conf){
		.seed = harness_random(),
		.train_rows = 1000,
		.quantiser = variant->quantiser,
		.quantiser_bits = variant->bits,
	};
	ASSERT_EQ(0, sl_scratch_new(&self->scratch));
}

FIXTURE_TEARDOWN(quant)
{
	sl_scratch_free(self->scratch);
	for (uint32_t c = 0; c < CHUNKS; c++)
		free(self->chunks[c]);
}

/* ---- estimates ---------------------------------------------------------------------------- */

static struct quantiser *trained(FIXTURE_DATA(quant) * self)
{
	float *x = malloc(ROWS * DIM * sizeof(*x));
	struct quantiser *q, *better;
	int is;

	ASSERT_TRUE(x != NULL);
	for (uint32_t row = 0; row < ROWS; row++)
		index_floats(&self->rows, vector_of(self, row), x + row * DIM);
	ASSERT_EQ(0, quantiser_new(&self->conf, &self->rows, &q));
	is = quantiser_train(q, x, ROWS, &better);
	ASSERT_TRUE(is >= 0);
	free(x);
	if (!is)
		return q;
	quantiser_free(q);
	return better;
}

/* The lengths of what two vectors differ from the mean, multiplied. */
static double lengths(FIXTURE_DATA(quant) * self, const float *a, const float *b)
{
	float x[2][DIM];
	double square[2] = {0};

	index_floats(&self->rows, a, x[0]);
	index_floats(&self->rows, b, x[1]);
	for (int v = 0; v < 2; v++)
		for (uint32_t i = 0; i < DIM; i++)
			square[v] += pow((double)(x[v][i] - self->mean[i]), 2);
	return sqrt(square[0] * square[1]);
}

static void *room(size_t n)
{
	void *p = aligned_alloc(SL_ROW_ALIGN, sl_round_up(n, SL_ROW_ALIGN));

	ASSERT_TRUE(p != NULL);
	return p;
}

TEST_F(quant, estimates_are_near_and_right_in_the_mean)
{
	sl_distance_fn distance = sl_distance(variant->metric, SL_F32);
	double by = variant->metric == SL_METRIC_L2 ? 2 : 1, sum = 0, squares = 0;
	struct quantiser *q = trained(self);
	uint8_t *code = room(q->code_bytes);
	void *query = room(q->query_bytes);
	uint32_t n = 0, outside = 0;

	for (uint32_t i = 0; i < QUERIES; i++) {
		quantiser_prepare(q, self->queries[i], query);
		for (uint32_t row = i % 10; row < ROWS; row += 10, n++) {
			const float *v = vector_of(self, row);
			double is, off;

			quantiser_encode(q, v, code);
			is = (double)quantiser_real(q, quantiser_distance(q, query, code));
			off = (is - (double)distance(self->queries[i], v, DIM)) /
			      (by * lengths(self, self->queries[i], v));
			outside += fabs(off) > variant->off;
			sum += off;
			squares += off * off;
		}
	}
	if (!EXPECT_TRUE(outside <= n / 10))
		TH_LOG("%u of %u, of %f", outside, n, sqrt(squares / n));
	/* rows share the rotation's luck, so the mean is not that of n tosses */
	if (variant->quantiser == SL_QUANTISER_RABITQ)
		EXPECT_TRUE(fabs(sum / n) <= 0.1 * variant->off);
	free(code);
	free(query);
	quantiser_free(q);
}

TEST_F(quant, a_code_stands_for_its_vector)
{
	struct quantiser *q = trained(self);
	uint8_t *code = room(q->code_bytes);
	double off = 0, all = 0;

	for (uint32_t row = 0; row < ROWS; row += 7) {
		float x[DIM], is[DIM];

		index_floats(&self->rows, vector_of(self, row), x);
		quantiser_encode(q, vector_of(self, row), code);
		quantiser_decode(q, code, is);
		for (uint32_t i = 0; i < DIM; i++) {
			off += pow((double)(x[i] - is[i]), 2);
			all += pow((double)(x[i] - self->mean[i]), 2);
		}
	}
	/* signs leave 1 - 2 / pi of the square, and the length is kept besides */
	if (!EXPECT_TRUE(off < all * (variant->off > 0.12 ? 0.45 : 0.1)))
		TH_LOG("%f of %f", off, all);
	free(code);
	quantiser_free(q);
}

/* ---- recall ------------------------------------------------------------------------------ */

static double recall(FIXTURE_DATA(quant) * self, struct sl_index *index, struct sl_query query)
{
	uint32_t found = 0;

	query.k = K;
	for (uint32_t q = 0; q < QUERIES; q++) {
		struct sl_hit exact[K], hits[K];

		query.vector = self->queries[q];
		query.exact = true;
		ASSERT_EQ(K, sl_index_search(index, &query, exact, self->scratch));
		query.exact = false;
		ASSERT_EQ(K, sl_index_search(index, &query, hits, self->scratch));
		for (uint32_t i = 0; i < K; i++)
			for (uint32_t j = 0; j < K; j++)
				found += hits[i].row == exact[j].row;
	}
	return (double)found / K / QUERIES;
}

static struct sl_index *indexed(FIXTURE_DATA(quant) * self, enum sl_index_kind kind)
{
	struct sl_index *index;
	int more;

	self->conf.kind = kind;
	ASSERT_EQ(0, sl_index_new(&self->conf, &self->rows, &index));
	for (uint32_t row = 0; row < ROWS; row++)
		ASSERT_EQ(0, sl_index_add(index, row));
	while ((more = sl_index_step(index, SL_SEC)) > 0)
		;
	ASSERT_EQ(0, more);
	return index;
}

static void recall_is_high(FIXTURE_DATA(quant) * self, enum sl_index_kind kind)
{
	struct sl_index *index = indexed(self, kind);
	struct sl_query query = {.effort = 100};
	double by_rows = recall(self, index, query), by_codes;

	if (!EXPECT_TRUE(by_rows >= 0.95))
		TH_LOG("%f", by_rows);
	query.oversampling = 1;
	by_codes = recall(self, index, query);
	query.oversampling = 40;
	EXPECT_TRUE(recall(self, index, query) >= by_codes);
	query.estimates = true;
	EXPECT_TRUE(recall(self, index, query) <= by_rows + 0.05);
	sl_index_free(index);
}

TEST_F(quant, recall_with_ivf)
{
	recall_is_high(self, SL_INDEX_IVF);
}

TEST_F(quant, recall_with_hnsw)
{
	recall_is_high(self, SL_INDEX_HNSW);
}

/* What is given without looking at rows is what codes say, in the metric's own measure. */
TEST_F(quant, estimates_are_given_without_rows)
{
	struct sl_index *index = indexed(self, SL_INDEX_HNSW);
	sl_distance_fn distance = sl_distance(variant->metric, SL_F32);
	struct sl_query query = {.k = K, .effort = 100, .estimates = true};
	double by = variant->metric == SL_METRIC_L2 ? 2 : 1;
	static const uint8_t *none[CHUNKS];
	uint32_t near = 0;

	for (uint32_t q = 0; q < QUERIES; q++) {
		struct sl_hit hits[K];

		query.vector = self->queries[q];
		self->rows.partial = true;
		self->rows.chunks = none;
		ASSERT_EQ(K, sl_index_search(index, &query, hits, self->scratch));
		self->rows.partial = false;
		self->rows.chunks = (const uint8_t *const *)self->chunks;
		for (uint32_t i = 0; i < K; i++) {
			const float *v = vector_of(self, hits[i].row);
			double off =
				(double)hits[i].distance - (double)distance(query.vector, v, DIM);

			near += fabs(off) <=
				2 * variant->off * by * lengths(self, self->queries[q], v);
		}
	}
	EXPECT_TRUE(near >= QUERIES * K * 9 / 10);
	sl_index_free(index);
}

/* ---- few components ------------------------------------------------------------------------ */

/* So many that each code is that of several. */
enum { ON_A_LINE = SL_ROWS_A_CHUNK };

static void nearest_on_a_line(const struct sl_rows *rows, enum sl_index_kind kind)
{
	const struct sl_index_conf conf = {
		.kind = kind, .quantiser = SL_QUANTISER_SQ8, .train_rows = ON_A_LINE / 2};
	struct sl_scratch *scratch;
	struct sl_index *index;

	ASSERT_EQ(0, sl_scratch_new(&scratch));
	ASSERT_EQ(0, sl_index_new(&conf, rows, &index));
	for (uint32_t row = 0; row < ON_A_LINE; row++)
		ASSERT_EQ(0, sl_index_add(index, row));
	while (sl_index_step(index, SL_SEC) > 0)
		;
	for (uint32_t row = 1; row < ON_A_LINE - 1; row += 7) {
		struct sl_query query = {.vector = sl_row(rows, row), .k = 3};
		struct sl_hit hits[3];

		ASSERT_EQ(3, sl_index_search(index, &query, hits, scratch));
		EXPECT_EQ(row, hits[0].row);
		EXPECT_EQ(row - 1, hits[1].row);
		EXPECT_EQ(row + 1, hits[2].row);
	}
	sl_index_free(index);
	sl_scratch_free(scratch);
}

TEST(of_many_with_one_code_the_nearest_are_found)
{
	uint8_t *chunk = aligned_alloc(SL_ROW_ALIGN, (size_t)ON_A_LINE * SL_ROW_ALIGN);
	const struct sl_rows rows = {
		.chunks = (const uint8_t *const *)&chunk,
		.stride = SL_ROW_ALIGN,
		.dim = 2,
		.component = SL_F32,
		.metric = SL_METRIC_L2,
	};

	ASSERT_TRUE(chunk != NULL);
	memset(chunk, 0, (size_t)ON_A_LINE * SL_ROW_ALIGN);
	for (uint32_t row = 0; row < ON_A_LINE; row++)
		*(float *)(void *)(chunk + (size_t)row * SL_ROW_ALIGN) = (float)row;
	nearest_on_a_line(&rows, SL_INDEX_HNSW);
	nearest_on_a_line(&rows, SL_INDEX_IVF);
	free(chunk);
}

/* ---- what cannot be coded ----------------------------------------------------------------- */

TEST(what_cannot_be_coded_is_refused)
{
	struct sl_rows rows = {
		.stride = 64, .dim = 8, .component = SL_BITS, .metric = SL_METRIC_HAMMING};
	struct sl_index_conf conf = {.kind = SL_INDEX_HNSW, .quantiser = SL_QUANTISER_PQ8};
	struct sl_index *index = NULL;

	EXPECT_FALSE(sl_quantiser_can(SL_QUANTISER_PQ8, SL_BITS, SL_METRIC_HAMMING));
	EXPECT_EQ(-EINVAL, sl_index_new(&conf, &rows, &index));
	rows.component = SL_F32;
	rows.metric = SL_METRIC_MANHATTAN;
	EXPECT_EQ(-EINVAL, sl_index_new(&conf, &rows, &index));
	conf.quantiser = SL_QUANTISER_SQ8;
	conf.quantiser_bits = QUANT_BITS_MAX + 1;
	EXPECT_EQ(-EINVAL, sl_index_new(&conf, &rows, &index));
	conf.quantiser_bits = 0;
	EXPECT_TRUE(sl_quantiser_can(SL_QUANTISER_SQ8, SL_F32, SL_METRIC_MANHATTAN));
	ASSERT_EQ(0, sl_index_new(&conf, &rows, &index));
	sl_index_free(index);
}

TEST(quantisers_have_names)
{
	EXPECT_STREQ("default", sl_quantiser_name(SL_QUANTISER_DEFAULT));
	EXPECT_STREQ("none", sl_quantiser_name(SL_QUANTISER_NONE));
	EXPECT_STREQ("rabitq", sl_quantiser_name(SL_QUANTISER_RABITQ));
}

TEST_HARNESS_MAIN
