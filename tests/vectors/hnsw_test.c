/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HNSW: recall against all rows, with filters of any selectivity, while rows go and come, and that
 * the graph reaches all of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drawn.h"
#include "harness.h"
#include "vectors/hnsw_pvt.h"
#include "vectors/vectors.h"

/* Sanitizers count each access: fewer rows show the same there. */
#ifdef SL_DEBUG
#define ROWS 2000u
#else
#define ROWS 6000u
#endif
#define CHUNKS (ROWS / SL_ROWS_A_CHUNK + 1)
#define DIM 48u
#define LATENT 12u
#define STRIDE 192u
#define QUERIES 60u
#define K 10u

static_assert(DIM * sizeof(float) == STRIDE, "a row is all of its stride");

/* ---- a set with few latent dimensions ---------------------------------------------------- */

FIXTURE(hnsw)
{
	uint8_t *chunks[CHUNKS];
	float mix[LATENT][DIM];
	float queries[QUERIES][DIM];
	uint64_t allowed[ROWS / 64 + 1];
	struct sl_rows rows;
	struct sl_index *index;
	struct sl_scratch *scratch;
};

FIXTURE_VARIANT(hnsw)
{
	enum sl_metric metric;
};

FIXTURE_VARIANT_ADD(hnsw, l2){.metric = SL_METRIC_L2};
FIXTURE_VARIANT_ADD(hnsw, cosine){.metric = SL_METRIC_COSINE};
FIXTURE_VARIANT_ADD(hnsw, manhattan){.metric = SL_METRIC_MANHATTAN};

static void draw(FIXTURE_DATA(hnsw) * self, float *ret_vector)
{
	float latent[LATENT];

	for (uint32_t l = 0; l < LATENT; l++)
		latent[l] = drawn_normal();
	for (uint32_t i = 0; i < DIM; i++) {
		ret_vector[i] = drawn_normal() / 20;
		for (uint32_t l = 0; l < LATENT; l++)
			ret_vector[i] += latent[l] * self->mix[l][i];
	}
}

static float *vector_of(FIXTURE_DATA(hnsw) * self, uint32_t row)
{
	return (float *)(void *)(self->chunks[row / SL_ROWS_A_CHUNK] +
				 row % SL_ROWS_A_CHUNK * STRIDE);
}

FIXTURE_SETUP(hnsw)
{
	struct sl_index_conf conf = {.kind = SL_INDEX_HNSW};

	for (uint32_t c = 0; c < CHUNKS; c++) {
		self->chunks[c] = aligned_alloc(SL_ROW_ALIGN, SL_ROWS_A_CHUNK * STRIDE);
		ASSERT_TRUE(self->chunks[c] != NULL);
	}
	for (uint32_t l = 0; l < LATENT; l++)
		for (uint32_t i = 0; i < DIM; i++)
			self->mix[l][i] = drawn_normal();
	for (uint32_t row = 0; row < ROWS; row++)
		draw(self, vector_of(self, row));
	for (uint32_t q = 0; q < QUERIES; q++)
		draw(self, self->queries[q]);
	self->rows = (struct sl_rows){
		.chunks = (const uint8_t *const *)self->chunks,
		.stride = STRIDE,
		.dim = DIM,
		.component = SL_F32,
		.metric = variant->metric,
	};
	ASSERT_EQ(0, sl_index_new(&conf, &self->rows, &self->index));
	ASSERT_EQ(0, sl_scratch_new(&self->scratch));
	for (uint32_t row = 0; row < ROWS; row++)
		ASSERT_EQ(0, sl_index_add(self->index, row));
}

FIXTURE_TEARDOWN(hnsw)
{
	sl_index_free(self->index);
	sl_scratch_free(self->scratch);
	for (uint32_t c = 0; c < CHUNKS; c++)
		free(self->chunks[c]);
}

/* Of a thousand of the exact hits so many are found. */
static uint32_t recall(FIXTURE_DATA(hnsw) * self, struct sl_query query)
{
	uint32_t found = 0, wanted = 0;

	query.k = K;
	for (uint32_t q = 0; q < QUERIES; q++) {
		struct sl_hit exact[K], hits[K];
		int want, n;

		query.vector = self->queries[q];
		query.exact = true;
		want = sl_index_search(self->index, &query, exact, self->scratch);
		query.exact = false;
		n = sl_index_search(self->index, &query, hits, self->scratch);
		ASSERT_EQ(want, n);
		wanted += (uint32_t)want;
		for (int i = 0; i < n; i++)
			found += hits[i].distance <= exact[want - 1].distance;
	}
	return wanted ? found * 1000 / wanted : 1000;
}

TEST_F(hnsw, the_nearest_are_found)
{
	EXPECT_TRUE(recall(self, (struct sl_query){.effort = 64}) >= 980);
	EXPECT_TRUE(recall(self, (struct sl_query){.effort = 200}) >= 995);
}

TEST_F(hnsw, the_nearest_of_those_allowed_are_found)
{
	static const uint32_t one_in[] = {1, 2, 4, 10, 100, 1000};

	for (size_t i = 0; i < SL_ARRAY_SIZE(one_in); i++) {
		struct sl_query query = {.allowed = self->allowed, .allowed_rows = ROWS};

		memset(self->allowed, 0, sizeof(self->allowed));
		for (uint32_t row = 0; row < ROWS; row++) {
			if (harness_random() % one_in[i])
				continue;
			self->allowed[row / 64] |= UINT64_C(1) << row % 64;
			query.allowed_n++;
		}
		/* the first walks, however few there are */
		query.effort = 20;
		EXPECT_TRUE(recall(self, query) >= 900);
		query.effort = 0;
		if (!EXPECT_TRUE(recall(self, query) >= 970))
			TH_LOG("one in %u", one_in[i]);
	}
}

/* Along the first latent dimension, or against it. */
static float along(FIXTURE_DATA(hnsw) * self, const float *vector)
{
	float sum = 0;

	for (uint32_t i = 0; i < DIM; i++)
		sum += vector[i] * self->mix[0][i];
	return sum;
}

/* Allows the one in @one_in that is farthest along; queries are against it then. */
static uint32_t allow_far(FIXTURE_DATA(hnsw) * self, uint32_t one_in)
{
	static float sorted[ROWS];
	uint32_t n = 0;
	float cut;

	for (uint32_t row = 0; row < ROWS; row++)
		sorted[row] = along(self, vector_of(self, row));
	qsort(sorted, ROWS, sizeof(sorted[0]), drawn_order);
	cut = sorted[ROWS - ROWS / one_in];
	memset(self->allowed, 0, sizeof(self->allowed));
	for (uint32_t row = 0; row < ROWS; row++) {
		if (along(self, vector_of(self, row)) < cut)
			continue;
		self->allowed[row / 64] |= UINT64_C(1) << row % 64;
		n++;
	}
	for (uint32_t q = 0; q < QUERIES; q++)
		while (along(self, self->queries[q]) > sorted[ROWS / 2])
			draw(self, self->queries[q]);
	return n;
}

TEST_F(hnsw, the_nearest_are_found_where_all_allowed_are_far)
{
	static const uint32_t one_in[] = {2, 3, 4, 10, 100, 1000};

	for (size_t i = 0; i < SL_ARRAY_SIZE(one_in); i++) {
		struct sl_query query = {.allowed = self->allowed, .allowed_rows = ROWS};

		query.allowed_n = allow_far(self, one_in[i]);
		/* the first walks, mostly, however few there are */
		query.effort = 40;
		if (!EXPECT_TRUE(recall(self, query) >= 900))
			TH_LOG("one in %u: %u", one_in[i], recall(self, query));
		query.effort = 0;
		if (!EXPECT_TRUE(recall(self, query) >= 970))
			TH_LOG("one in %u: %u", one_in[i], recall(self, query));
	}
}

/* ---- rows that go and come --------------------------------------------------------------- */

static uint32_t unreached(FIXTURE_DATA(hnsw) * self)
{
	struct hnsw *h = (struct hnsw *)self->index;
	uint32_t *queue = calloc(h->nodes, sizeof(*queue)), n = 0, left = h->index.n;
	bool *seen = calloc(h->nodes, sizeof(*seen));

	ASSERT_TRUE(queue && seen);
	queue[n++] = h->entry;
	seen[h->entry] = true;
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t *links = hnsw_links(h, queue[i], 0);

		left -= hnsw_alive(h, queue[i]);
		for (uint32_t l = 0; l < hnsw_width(h, 0) && links[l] != SL_ROW_NONE; l++) {
			if (seen[links[l]])
				continue;
			seen[links[l]] = true;
			queue[n++] = links[l];
		}
	}
	free(queue);
	free(seen);
	return left;
}

static void work_off(FIXTURE_DATA(hnsw) * self)
{
	int more;

	while ((more = sl_index_step(self->index, SL_MSEC)) == 1)
		;
	ASSERT_EQ(0, more);
}

TEST_F(hnsw, all_rows_changed_are_found_as_before)
{
	uint32_t before = recall(self, (struct sl_query){.effort = 100});
	uint64_t bytes = sl_index_bytes(self->index);

	for (uint32_t i = 0; i < ROWS; i++) {
		uint32_t row = i * 7 % ROWS;

		ASSERT_EQ(0, sl_index_remove(self->index, row));
		draw(self, vector_of(self, row));
		ASSERT_EQ(0, sl_index_add(self->index, row));
		if (i % 50 == 0)
			ASSERT_TRUE(sl_index_step(self->index, SL_MSEC) >= 0);
	}
	EXPECT_TRUE(recall(self, (struct sl_query){.effort = 100}) + 10 >= before);
	work_off(self);
	EXPECT_TRUE(recall(self, (struct sl_query){.effort = 100}) + 10 >= before);
	EXPECT_EQ(0, unreached(self));
	EXPECT_TRUE(sl_index_bytes(self->index) <= 2 * bytes);
}

TEST_F(hnsw, most_may_go_at_once)
{
	for (uint32_t row = 0; row < ROWS; row++)
		if (row % 10 >= 2)
			ASSERT_EQ(0, sl_index_remove(self->index, row));
	EXPECT_TRUE(recall(self, (struct sl_query){.effort = 40}) >= 950);
	work_off(self);
	EXPECT_TRUE(recall(self, (struct sl_query){.effort = 40}) >= 950);
	EXPECT_EQ(0, unreached(self));
	for (uint32_t row = 0; row < ROWS; row++)
		if (row % 10 < 2)
			ASSERT_EQ(0, sl_index_remove(self->index, row));
	work_off(self);
	ASSERT_EQ(0, sl_index_add(self->index, 3));
	EXPECT_EQ(1000, recall(self, (struct sl_query){.effort = 1}));
}

TEST_HARNESS_MAIN
