/* SPDX-License-Identifier: Apache-2.0 */
/* Payload indexes are made, filled behind, taken away; rows come and go without a trace. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "filter_random.h"
#include "harness.h"
#include "vectors/payload_pvt.h"

FIXTURE(payload)
{
	struct sl_payload *p;
};

FIXTURE_SETUP(payload)
{
	ASSERT_EQ(0, sl_payload_new(NULL, NULL, &self->p));
}

FIXTURE_TEARDOWN(payload)
{
	sl_payload_free(self->p);
}

static uint32_t count(struct sl_payload *p, const struct sl_filter *f, bool *ret_exact)
{
	struct sl_row_set *set;
	uint32_t n;

	ASSERT_EQ(0, sl_payload_rows(p, f, &set, ret_exact));
	n = sl_row_set_count(set);
	sl_row_set_free(set);
	return n;
}

TEST_F(payload, an_index_is_of_one_path_and_type)
{
	const struct sl_payload_conf k = {"a.k", SL_PAYLOAD_KEYWORD};
	const struct sl_payload_conf t = {"a.k", SL_PAYLOAD_TEXT, {SL_TOKENS_SPACE, true, 2, 9}};
	bool ready = true;

	EXPECT_NULL(sl_payload_index_at(self->p, 0, NULL));
	EXPECT_EQ(0, sl_payload_index_add(self->p, &k));
	EXPECT_EQ(0, sl_payload_index_add(self->p, &t));
	EXPECT_EQ(-EEXIST, sl_payload_index_add(self->p, &k));
	EXPECT_EQ(-EINVAL, sl_payload_index_add(self->p, &(struct sl_payload_conf){"a..k"}));
	EXPECT_EQ(-EINVAL, sl_payload_index_add(self->p, &(struct sl_payload_conf){"a", 99}));
	ASSERT_TRUE(sl_payload_index_at(self->p, 1, &ready) != NULL);
	EXPECT_FALSE(ready);
	EXPECT_EQ(9, sl_payload_index_at(self->p, 1, NULL)->tokeniser.max);
	EXPECT_EQ(-ENOENT, sl_payload_index_remove(self->p, "a", SL_PAYLOAD_KEYWORD));
	EXPECT_EQ(0, sl_payload_index_remove(self->p, "a.k", SL_PAYLOAD_KEYWORD));
	EXPECT_EQ(SL_PAYLOAD_TEXT, sl_payload_index_at(self->p, 0, NULL)->type);
	EXPECT_NULL(sl_payload_index_at(self->p, 1, NULL));
	EXPECT_STREQ("text", sl_payload_type_name(SL_PAYLOAD_TEXT));
}

TEST_F(payload, an_index_is_filled_while_rows_come_and_go)
{
	const struct sl_payload_conf k = {"k", SL_PAYLOAD_KEYWORD};
	struct sl_object *red = object_of("{\"payload\": {\"k\": \"red\"}}");
	struct sl_object *blue = object_of("{\"payload\": {\"k\": \"blue\"}}");
	const struct sl_filter *f = MATCH("k", TEXT("red"));
	bool exact;

	EXPECT_EQ(0, sl_payload_add(self->p, 0, red));
	EXPECT_EQ(0, sl_payload_add(self->p, 1, blue));
	EXPECT_EQ(0, sl_payload_add(self->p, 2, red));
	EXPECT_EQ(-EEXIST, sl_payload_add(self->p, 2, blue));
	EXPECT_EQ(3, count(self->p, f, &exact));
	EXPECT_FALSE(exact);
	ASSERT_EQ(0, sl_payload_index_add(self->p, &k));
	EXPECT_EQ(0, sl_payload_add(self->p, 3, red));
	EXPECT_EQ(0, sl_payload_remove(self->p, 2, red));
	EXPECT_EQ(-ENOENT, sl_payload_remove(self->p, 2, red));
	EXPECT_EQ(3, count(self->p, f, &exact));
	EXPECT_FALSE(exact);
	EXPECT_EQ(0, sl_payload_index_row(self->p, "k", SL_PAYLOAD_KEYWORD, 0, red));
	EXPECT_EQ(0, sl_payload_index_row(self->p, "k", SL_PAYLOAD_KEYWORD, 0, red));
	EXPECT_EQ(0, sl_payload_index_row(self->p, "k", SL_PAYLOAD_KEYWORD, 1, blue));
	EXPECT_EQ(0, sl_payload_index_row(self->p, "k", SL_PAYLOAD_KEYWORD, 3, red));
	sl_payload_index_ready(self->p, "k", SL_PAYLOAD_KEYWORD);
	EXPECT_EQ(2, count(self->p, f, &exact));
	EXPECT_TRUE(exact);
	free(red);
	free(blue);
}

static void add_all(struct sl_payload *p)
{
	for (int i = 0; i < RANDOM_INDEXES; i++) {
		const struct sl_payload_conf *c = &random_indexes[i];

		ASSERT_EQ(0, sl_payload_index_add(p, c));
		sl_payload_index_ready(p, c->path, c->type);
	}
}

TEST_F(payload, rows_that_are_gone_leave_nothing)
{
	struct sl_object *objects[200];
	roaring_bitmap_t **map;
	uint64_t before;

	add_all(self->p);
	before = sl_payload_bytes(self->p);
	for (uint32_t row = 0; row < 200; row++) {
		objects[row] = random_object(row);
		ASSERT_EQ(0, sl_payload_add(self->p, row * 1000, objects[row]));
	}
	EXPECT_TRUE(sl_payload_bytes(self->p) > before + 10000);
	for (uint32_t i = 0; i < 200; i++) {
		uint32_t row = i * 7 % 200;

		ASSERT_EQ(0, sl_payload_remove(self->p, row * 1000, objects[row]));
		free(objects[row]);
	}
	for (uint32_t i = 0; i < self->p->index_n; i++) {
		struct payload_index *x = self->p->indexes[i];

		EXPECT_EQ(0, x->dict.n);
		EXPECT_EQ(0, x->sorted.pairs);
		EXPECT_EQ(0, x->counts.pairs);
		for (uint32_t b = 0; (map = payload_bitmap(x, b)); b++)
			EXPECT_TRUE(roaring_bitmap_is_empty(*map));
	}
	EXPECT_EQ(0, self->p->vectors.n);
	EXPECT_TRUE(roaring_bitmap_is_empty(self->p->rows));
}

TEST(keys_rise_with_their_numbers)
{
	static const double numbers[] = {-INFINITY, -1e300, -2.5, -1,	 -5e-324, 0,
					 5e-324,    1,	    2.5,  1e300, INFINITY};

	for (size_t i = 0; i < SL_ARRAY_SIZE(numbers); i++) {
		EXPECT_TRUE(number_of_key(key_of_number(numbers[i])) == numbers[i]);
		if (i)
			EXPECT_TRUE(key_of_number(numbers[i - 1]) < key_of_number(numbers[i]));
	}
	EXPECT_TRUE(key_of_number(-0.0) == key_of_number(0.0));
	EXPECT_TRUE(key_of_integer(INT64_MIN) == 0);
	EXPECT_EQ(INT64_MAX, integer_of_key(UINT64_MAX));
}

static bool holds(enum sl_payload_type type, struct sl_operand low, bool low_open,
		  struct sl_operand high, bool high_open, uint64_t key)
{
	struct key_bounds b;

	ASSERT_TRUE(key_bounds_of(type, &low, low_open, &high, high_open, &b));
	return key >= b.range.low && key <= b.range.high;
}

TEST(bounds_between_integers_are_those_of_the_next)
{
	const struct sl_operand none = {SL_VALUE_NULL}, half = NUMBER(2.5), two = NUMBER(2);
	const struct sl_operand above = NUMBER(0x1p63), below = NUMBER(-1e19);

	for (int64_t i = 0; i < 5; i++) {
		uint64_t key = key_of_integer(i);

		EXPECT_EQ(i > 2, holds(SL_PAYLOAD_INTEGER, half, true, none, false, key));
		EXPECT_EQ(i > 2, holds(SL_PAYLOAD_INTEGER, half, false, none, false, key));
		EXPECT_EQ(i <= 2, holds(SL_PAYLOAD_INTEGER, none, false, half, true, key));
		EXPECT_EQ(i > 2, holds(SL_PAYLOAD_INTEGER, two, true, none, false, key));
		EXPECT_EQ(i < 2, holds(SL_PAYLOAD_INTEGER, none, false, two, true, key));
		EXPECT_EQ(i == 2, holds(SL_PAYLOAD_INTEGER, two, false, half, false, key));
		EXPECT_TRUE(holds(SL_PAYLOAD_INTEGER, below, true, above, true, key));
		EXPECT_FALSE(holds(SL_PAYLOAD_INTEGER, above, false, none, false, key));
		EXPECT_FALSE(holds(SL_PAYLOAD_INTEGER, none, false, below, false, key));
		EXPECT_FALSE(holds(SL_PAYLOAD_INTEGER, half, false, half, false, key));
	}
}

TEST_HARNESS_MAIN
