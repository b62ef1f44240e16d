/* SPDX-License-Identifier: Apache-2.0 */
/* libsluice's store of objects: searches, by all that they may ask for. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "store_kit.h"
#include "uring/uring.h"

enum { N = 500 };

FIXTURE(searching)
{
	struct sl_objects *o;
	float vector[STORE_DIM];
};

FIXTURE_VARIANT(searching)
{
	int (*create)(struct sl_objects *o, const char *name, enum sl_index_kind kind);
};

FIXTURE_VARIANT_ADD(searching, memory){.create = store_create};
FIXTURE_VARIANT_ADD(searching, disk){.create = store_create_on_disk};

/* Half of the vectors are in the index, the others are looked at. */
FIXTURE_SETUP(searching)
{
	self->o = store_open("durability=none");
	ASSERT_EQ(0, variant->create(self->o, "c", SL_INDEX_HNSW));
	ASSERT_EQ(0, store_put(self->o, "c", 1, N / 2, 0));
	while (sl_objects_work(self->o, 0))
		;
	ASSERT_EQ(0, store_put(self->o, "c", 1 + N / 2, N / 2, 0));
	store_vector(42, self->vector);
}

FIXTURE_TEARDOWN(searching)
{
	EXPECT_EQ(0, sl_objects_close(self->o));
}

static float distance_of(const struct sl_object *object, const float *vector)
{
	const void *other = sl_object_vector(object, "", NULL, NULL);

	return sqrtf(sl_distance(SL_METRIC_L2, SL_F32)(vector, other, STORE_DIM));
}

TEST_F(searching, the_nearest_come_first)
{
	struct sl_objects_query q = {
		.vector = self->vector, .dim = STORE_DIM, .k = 10, .with_objects = true};

	ASSERT_EQ(0, sl_objects_search(self->o, "c", &q, 1));
	ASSERT_EQ(0, q.result);
	ASSERT_EQ(10, q.n);
	EXPECT_EQ(42, store_key(&q.hits[0].key));
	EXPECT_EQ(0, q.hits[0].score);
	for (uint32_t i = 1; i < q.n; i++) {
		float distance = distance_of(q.hits[i].object, self->vector);

		EXPECT_GE(q.hits[i].score, q.hits[i - 1].score);
		EXPECT_LT(fabsf(q.hits[i].score - distance), 1e-3);
	}
	sl_objects_queries_done(&q, 1);
	EXPECT_NULL(q.hits);
	sl_objects_queries_done(&q, 1);
}

TEST_F(searching, a_filter_says_which)
{
	const struct sl_filter high = {
		.kind = SL_FILTER_RANGE,
		.path = "n",
		.range.low = {.type = SL_VALUE_INTEGER, .integer = 400},
	};
	struct sl_objects_query q = {
		.vector = self->vector, .dim = STORE_DIM, .k = 5, .offset = 1, .filter = &high};

	ASSERT_EQ(0, sl_objects_search(self->o, "c", &q, 1));
	ASSERT_EQ(5, q.n);
	for (uint32_t i = 0; i < q.n; i++) {
		EXPECT_GE(store_key(&q.hits[i].key), 400);
		EXPECT_NULL(q.hits[i].object);
	}
	sl_objects_queries_done(&q, 1);
}

TEST_F(searching, what_is_like_an_object_is_not_itself)
{
	struct sl_objects_query q = {.like = sl_objects_key_integer(42), .k = 3, .exact = true};

	ASSERT_EQ(0, sl_objects_search(self->o, "c", &q, 1));
	ASSERT_EQ(3, q.n);
	for (uint32_t i = 0; i < q.n; i++)
		EXPECT_NE(42, store_key(&q.hits[i].key));
	sl_objects_queries_done(&q, 1);
}

/* The vector of the greatest first component is the nearest. */
static float first_component(void *arg, const float *vector, uint32_t dim)
{
	EXPECT_EQ(STORE_DIM, dim);
	++*(uint32_t *)arg;
	return vector[0];
}

TEST_F(searching, weights_are_the_program_s)
{
	uint32_t asked = 0;
	struct sl_objects_query q = {
		.weigh = first_component, .arg = &asked, .k = 4, .bounded = true, .bound = 5};

	ASSERT_EQ(0, sl_objects_search(self->o, "c", &q, 1));
	EXPECT_EQ(N, asked);
	ASSERT_EQ(4, q.n);
	for (uint32_t i = 0; i < q.n; i++) {
		EXPECT_GE(q.hits[i].score, 5);
		EXPECT_LE(q.hits[i].score, i ? q.hits[i - 1].score : 10);
	}
	sl_objects_queries_done(&q, 1);
}

TEST_F(searching, each_query_has_its_own_result)
{
	const float infinite[STORE_DIM] = {INFINITY};
	struct sl_objects_query q[] = {
		{.vector = self->vector, .dim = STORE_DIM, .k = 1},
		{.vector = self->vector, .dim = 3, .k = 1},
		{.vector = infinite, .dim = STORE_DIM, .k = 1},
		{.vector_name = "none", .vector = self->vector, .dim = STORE_DIM, .k = 1},
		{.like = sl_objects_key_integer(12345), .k = 1},
		{.vector = self->vector, .dim = STORE_DIM, .k = 1, .bounded = true, .bound = -1},
	};
	static const enum sl_objects_fault faults[] = {
		SL_OBJECTS_FINE, SL_OBJECTS_WRONG_DIM, SL_OBJECTS_BAD_QUERY,
		SL_OBJECTS_UNKNOWN_VECTOR, SL_OBJECTS_NO_OBJECT, SL_OBJECTS_FINE,
	};

	ASSERT_EQ(0, sl_objects_search(self->o, "c", q, SL_ARRAY_SIZE(q)));
	for (size_t i = 0; i < SL_ARRAY_SIZE(q); i++) {
		EXPECT_EQ(faults[i] ? -EINVAL : 0, q[i].result);
		EXPECT_EQ(faults[i], q[i].fault);
	}
	EXPECT_EQ(1, q[0].n);
	EXPECT_EQ(0, q[5].n);
	sl_objects_queries_done(q, SL_ARRAY_SIZE(q));
	EXPECT_EQ(-ENOENT, sl_objects_search(self->o, "none", q, 1));
	EXPECT_EQ(0, sl_objects_search(self->o, "c", NULL, 0));
}

TEST_HARNESS_MAIN
