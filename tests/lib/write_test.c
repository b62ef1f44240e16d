/* SPDX-License-Identifier: Apache-2.0 */
/* libsluice's store of objects: what becomes of operations. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store_kit.h"
#include "uring/uring.h"

FIXTURE(writing)
{
	struct sl_objects *o;
};

FIXTURE_SETUP(writing)
{
	self->o = store_open("durability=none");
	ASSERT_EQ(0, store_create(self->o, "c", SL_INDEX_FLAT));
	ASSERT_EQ(0, store_put(self->o, "c", 1, 10, 0));
}

FIXTURE_TEARDOWN(writing)
{
	EXPECT_EQ(0, sl_objects_close(self->o));
}

/* Adds @arg to n; what is too large stays. */
static int add(void *arg, const struct sl_object *old, struct sl_object_builder *b)
{
	int64_t n = sl_value_integer(sl_value_find(sl_object_properties(old), "n"));

	if (n > 1000)
		return 1;
	return sl_object_put_integer(b, SL_OBJECT_PROPERTIES, "n", n + *(const int64_t *)arg);
}

TEST_F(writing, each_operation_has_its_own_result)
{
	int64_t five = 5;
	struct sl_object *one = store_object(1, 100), *eleven = store_object(11, 2000);
	struct sl_objects_op ops[] = {
		{.kind = SL_OBJECTS_INSERT, .object = one},
		{.kind = SL_OBJECTS_INSERT, .object = eleven},
		{.kind = SL_OBJECTS_CHANGE, .key = sl_objects_key_integer(2), .change = add,
		 .arg = &five},
		{.kind = SL_OBJECTS_CHANGE, .key = sl_objects_key_integer(11), .change = add,
		 .arg = &five},
		{.kind = SL_OBJECTS_CHANGE, .key = sl_objects_key_integer(99), .change = add,
		 .arg = &five},
		{.kind = SL_OBJECTS_DELETE, .key = sl_objects_key_integer(3)},
		{.kind = SL_OBJECTS_DELETE, .key = sl_objects_key_integer(3)},
		{.kind = SL_OBJECTS_PUT, .object = one},
	};
	static const int results[] = {-EEXIST, 0, 0, 1, -ENOENT, 0, -ENOENT, 0};

	EXPECT_EQ(0, sl_objects_write(self->o, "c", ops, SL_ARRAY_SIZE(ops), false));
	for (size_t i = 0; i < SL_ARRAY_SIZE(ops); i++)
		if (!EXPECT_EQ(results[i], ops[i].result))
			TH_LOG("operation %zu", i);
	EXPECT_GT(ops[7].version, ops[1].version);
	EXPECT_EQ(100, store_number(self->o, "c", 1));
	EXPECT_EQ(7, store_number(self->o, "c", 2));
	EXPECT_EQ(-1, store_number(self->o, "c", 3));
	EXPECT_EQ(2000, store_number(self->o, "c", 11));
	EXPECT_EQ(10, store_count(self->o, "c"));
	free(one);
	free(eleven);
}

TEST_F(writing, what_is_wrong_with_an_object_is_told)
{
	const float three[3] = {1, 2, 3};
	struct sl_object_builder *b;
	struct sl_object *good = store_object(50, 50);
	struct sl_objects_op ops[2] = {{.kind = SL_OBJECTS_PUT, .object = good},
				       {.kind = SL_OBJECTS_PUT}};
	uint8_t bytes[512];
	size_t n;

	ASSERT_EQ(0, sl_object_builder_new(&b));
	sl_object_put_key_integer(b, 51);
	ASSERT_EQ(0, sl_object_put_vector(b, "", SL_VECTOR_F32, three, 3));
	ASSERT_EQ(0, sl_object_build_bytes(b, &n));
	ASSERT_LE(n, sizeof(bytes));
	ASSERT_EQ(0, sl_object_build(b, bytes, n));
	ASSERT_EQ(0, sl_object_open(bytes, n, &ops[1].object));
	EXPECT_EQ(-EINVAL, sl_objects_write(self->o, "c", ops, 2, true));
	EXPECT_EQ(-EINVAL, ops[1].result);
	EXPECT_EQ(SL_OBJECTS_WRONG_DIM, ops[1].fault);
	EXPECT_EQ(3, ops[1].dim);
	EXPECT_EQ(-1, store_number(self->o, "c", 50));
	EXPECT_EQ(0, sl_objects_write(self->o, "c", ops, 2, false));
	EXPECT_EQ(0, ops[0].result);
	EXPECT_EQ(-EINVAL, ops[1].result);
	EXPECT_EQ(50, store_number(self->o, "c", 50));
	EXPECT_EQ(-EINVAL, sl_objects_put(self->o, "c", ops[1].object));
	EXPECT_EQ(-ENOENT, sl_objects_put(self->o, "none", good));
	EXPECT_EQ(-ENOENT, sl_objects_delete(self->o, "c", sl_objects_key_integer(51)));
	sl_object_builder_free(b);
	free(good);
}

TEST_F(writing, no_operation_and_one_of_no_kind_are_refused)
{
	struct sl_objects_op op = {.kind = SL_OBJECTS_OP_LAST};

	EXPECT_EQ(-EINVAL, sl_objects_write(self->o, "c", NULL, 0, false));
	EXPECT_EQ(-EINVAL, sl_objects_write(self->o, "c", &op, 1, false));
	op.kind = SL_OBJECTS_PUT;
	EXPECT_EQ(-EINVAL, sl_objects_write_matching(self->o, "c", NULL, &op, 1, NULL));
	op.object = NULL;
	EXPECT_EQ(0, sl_objects_write(self->o, "c", &op, 1, false));
	EXPECT_EQ(SL_OBJECTS_BAD_OBJECT, op.fault);
}

TEST_F(writing, all_that_match_are_changed_or_deleted)
{
	const struct sl_filter low = {
		.kind = SL_FILTER_RANGE,
		.path = "n",
		.range.high = {.type = SL_VALUE_INTEGER, .integer = 5},
	};
	int64_t hundred = 100;
	struct sl_objects_op op = {.kind = SL_OBJECTS_CHANGE, .change = add, .arg = &hundred};
	uint64_t n;

	EXPECT_EQ(0, sl_objects_write_matching(self->o, "c", &low, &op, 3, &n));
	EXPECT_EQ(3, n);
	EXPECT_EQ(0, sl_objects_write_matching(self->o, "c", &low, &op, 100, &n));
	EXPECT_EQ(2, n);
	EXPECT_EQ(105, store_number(self->o, "c", 5));
	EXPECT_EQ(6, store_number(self->o, "c", 6));
	op.kind = SL_OBJECTS_DELETE;
	EXPECT_EQ(0, sl_objects_write_matching(self->o, "c", NULL, &op, UINT64_MAX, &n));
	EXPECT_EQ(10, n);
	EXPECT_EQ(0, store_count(self->o, "c"));
}

TEST_HARNESS_MAIN
