/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects as they are read: what was put is there, at every address; bytes that are no object, or
 * one that was damaged, are refused; what is accepted is what a builder would have written.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "harness.h"
#include "vectors/object_pvt.h"

static const uint8_t uuid[16] = {0xf8, 0x1d, 0x4f, 0xae, 0x7d, 0xec, 0x11, 0xd0,
				 0xa7, 0x65, 0x00, 0xa0, 0xc9, 0x1e, 0x6b, 0xf6};
static const float floats[] = {1.5f, -2, 0.25f, 3e38f, 0};
static const uint8_t bits[] = {0xff, 0xff};

FIXTURE(object)
{
	struct sl_object_builder *b;
	uint8_t *bytes;
	size_t n;
	const struct sl_object *o;
};

static void put_properties(struct sl_object_builder *b)
{
	uint32_t list, map;

	ASSERT_EQ(0, sl_object_put_text(b, 0, "title",
					"gr\xc3\xbc\xc3\x9f"
					"e",
					7));
	ASSERT_EQ(0, sl_object_put_null(b, 0, "nothing"));
	ASSERT_EQ(0, sl_object_put_boolean(b, 0, "yes", true));
	ASSERT_EQ(0, sl_object_put_integer(b, 0, "count", INT64_MIN));
	ASSERT_EQ(0, sl_object_put_number(b, 0, "price", 1e-300));
	ASSERT_EQ(0, sl_object_put_date(b, 0, "when", -1));
	ASSERT_EQ(0, sl_object_put_uuid(b, 0, "who", uuid));
	ASSERT_EQ(0, sl_object_put_geo(b, 0, "where", -90, 180));
	ASSERT_EQ(0, sl_object_put_blob(b, 0, "blob", "\0\xff", 2));
	ASSERT_EQ(0, sl_object_put_list(b, 0, "list", &list));
	ASSERT_EQ(0, sl_object_put_integer(b, list, NULL, 7));
	ASSERT_EQ(0, sl_object_put_text(b, list, NULL, "", 0));
	ASSERT_EQ(0, sl_object_put_map(b, list, NULL, &map));
	ASSERT_EQ(0, sl_object_put_boolean(b, map, "deep", false));
	ASSERT_EQ(0, sl_object_put_list(b, 0, "empty", &list));
}

FIXTURE_SETUP(object)
{
	struct sl_object_builder *b;

	ASSERT_EQ(0, sl_object_builder_new(&b));
	self->b = b;
	put_properties(b);
	sl_object_put_key_uuid(b, uuid);
	sl_object_put_times(b, 111, 222);
	ASSERT_EQ(0, sl_object_put_vector(b, "text", SL_VECTOR_F32, floats, 5));
	ASSERT_EQ(0, sl_object_put_vector(b, "", SL_VECTOR_BITS, bits, 11));
	ASSERT_EQ(0, sl_object_put_vector(b, "half", SL_VECTOR_F16, "\x00\x3c\x00\xc0", 2));
	ASSERT_EQ(0, sl_object_put_reference(b, "of", "Book", uuid));
	ASSERT_EQ(0, sl_object_put_reference(b, "by", "", uuid));
	ASSERT_EQ(0, sl_object_build_bytes(b, &self->n));
	self->bytes = aligned_alloc(64, sl_round_up(self->n, 64));
	ASSERT_TRUE(self->bytes != NULL);
	ASSERT_EQ(0, sl_object_build(b, self->bytes, self->n));
	ASSERT_EQ(0, sl_object_open(self->bytes, self->n, &self->o));
}

FIXTURE_TEARDOWN(object)
{
	sl_object_builder_free(self->b);
	free(self->bytes);
}

static void set_sum(uint8_t *bytes)
{
	uint32_t n = sl_load_le32(bytes + offsetof(struct object_header, bytes));

	sl_store_le64(bytes + 8, XXH3_64bits(bytes + 16, n - 16));
}

static void expect_properties(const struct sl_object *o)
{
	const struct sl_value *root = sl_object_properties(o), *v;
	double latitude, longitude;
	size_t n;

	EXPECT_EQ(SL_VALUE_MAP, sl_value_type(root));
	EXPECT_EQ(11, sl_value_count(root));
	EXPECT_MEMEQ("gr\xc3\xbc\xc3\x9f"
		     "e",
		     sl_value_text(sl_value_find(root, "title"), &n), 7);
	EXPECT_EQ(7, n);
	EXPECT_EQ(SL_VALUE_NULL, sl_value_type(sl_value_find(root, "nothing")));
	EXPECT_TRUE(sl_value_boolean(sl_value_find(root, "yes")));
	EXPECT_EQ(INT64_MIN, sl_value_integer(sl_value_find(root, "count")));
	EXPECT_EQ(1e-300, sl_value_number(sl_value_find(root, "price")));
	EXPECT_EQ(-1, sl_value_date(sl_value_find(root, "when")));
	EXPECT_MEMEQ(uuid, sl_value_uuid(sl_value_find(root, "who")), 16);
	sl_value_geo(sl_value_find(root, "where"), &latitude, &longitude);
	EXPECT_EQ(-90.0, latitude);
	EXPECT_EQ(180.0, longitude);
	EXPECT_MEMEQ("\0\xff", sl_value_blob(sl_value_find(root, "blob"), &n), 2);
	EXPECT_EQ(2, n);
	v = sl_value_find(root, "list");
	EXPECT_EQ(3, sl_value_count(v));
	EXPECT_EQ(7.0, sl_value_number(sl_value_at(v, 0)));
	sl_value_text(sl_value_at(v, 1), &n);
	EXPECT_EQ(0, n);
	EXPECT_FALSE(sl_value_boolean(sl_value_find(v, "[2].deep")));
	EXPECT_EQ(0, sl_value_count(sl_value_find(root, "empty")));
	EXPECT_NULL(sl_value_get(root, "titl", 4));
}

TEST_F(object, what_was_put_is_read)
{
	const uint8_t *key;

	EXPECT_EQ(self->n, sl_object_bytes(self->o));
	EXPECT_EQ(SL_KEY_UUID, sl_object_key(self->o, &key));
	EXPECT_MEMEQ(uuid, key, 16);
	EXPECT_EQ(111, sl_object_created_ms(self->o));
	EXPECT_EQ(222, sl_object_updated_ms(self->o));
	expect_properties(self->o);
}

TEST_F(object, vectors_are_aligned_and_found)
{
	enum sl_vector_type type;
	const char *name;
	uint32_t dim;
	const uint8_t *v;
	size_t n;

	EXPECT_EQ(3, sl_object_vector_count(self->o));
	for (uint32_t i = 0; i < 3; i++) {
		v = sl_object_vector_at(self->o, i, NULL, NULL, NULL, NULL);
		EXPECT_EQ(0, (uintptr_t)v % SL_OBJECT_ALIGN);
	}
	v = sl_object_vector(self->o, "text", &type, &dim);
	EXPECT_EQ(SL_VECTOR_F32, type);
	EXPECT_EQ(5, dim);
	EXPECT_MEMEQ(floats, v, sizeof(floats));
	v = sl_object_vector_at(self->o, 0, &name, &n, &type, &dim);
	EXPECT_EQ(0, n);
	EXPECT_EQ(SL_VECTOR_BITS, type);
	EXPECT_EQ(11, dim);
	EXPECT_MEMEQ("\xff\x07", v, 2); /* bits behind the last are cut */
	EXPECT_NULL(sl_object_vector(self->o, "tex", NULL, NULL));
	EXPECT_NULL(sl_object_vector(self->o, "texts", NULL, NULL));
}

TEST_F(object, references_are_in_the_order_of_names)
{
	const char *name, *target;
	size_t n, target_n;

	EXPECT_EQ(2, sl_object_reference_count(self->o));
	EXPECT_MEMEQ(uuid, sl_object_reference_at(self->o, 0, &name, &n, &target, &target_n), 16);
	EXPECT_EQ(2, n);
	EXPECT_MEMEQ("by", name, 2);
	EXPECT_EQ(0, target_n);
	sl_object_reference_at(self->o, 1, &name, &n, &target, &target_n);
	EXPECT_MEMEQ("of", name, 2);
	EXPECT_EQ(4, target_n);
	EXPECT_MEMEQ("Book", target, 4);
}

TEST_F(object, it_may_lie_at_any_address)
{
	uint8_t *room = malloc(self->n + 64);

	ASSERT_TRUE(room != NULL);
	for (size_t at = 0; at < 64; at++) {
		const struct sl_object *o;

		memcpy(room + at, self->bytes, self->n);
		ASSERT_EQ(0, sl_object_open(room + at, self->n + 64 - at, &o));
		expect_properties(o);
	}
	free(room);
}

TEST_F(object, every_flipped_bit_is_found)
{
	const struct sl_object *o;

	for (size_t i = 0; i < self->n * 8; i++) {
		self->bytes[i / 8] ^= (uint8_t)(1u << i % 8);
		ASSERT_EQ(-EBADMSG, sl_object_open(self->bytes, self->n, &o));
		self->bytes[i / 8] ^= (uint8_t)(1u << i % 8);
	}
}

TEST_F(object, a_part_of_it_is_none)
{
	const struct sl_object *o;

	for (size_t n = 0; n < self->n; n++)
		ASSERT_EQ(-EBADMSG, sl_object_open(self->bytes, n, &o));
}

/* Building from an accepted object gives its bytes again, but for a newer writer's version. */
static void expect_one_form(struct sl_object_builder *b, const uint8_t *bytes, size_t n)
{
	const struct sl_object *o;
	uint8_t *again;
	size_t again_n;

	if (sl_object_open(bytes, n, &o))
		return;
	sl_object_builder_reset(b);
	ASSERT_EQ(0, sl_object_load(b, o));
	ASSERT_EQ(0, sl_object_build_bytes(b, &again_n));
	ASSERT_EQ(sl_object_bytes(o), again_n);
	again = malloc(again_n);
	ASSERT_TRUE(again != NULL);
	ASSERT_EQ(0, sl_object_build(b, again, again_n));
	ASSERT_MEMEQ(bytes + 24, again + 24, again_n - 24);
	free(again);
}

TEST_F(object, what_lies_under_a_right_sum_is_refused_or_read)
{
	const size_t bytes_at = offsetof(struct object_header, bytes);

	expect_one_form(self->b, self->bytes, self->n);
	for (size_t i = 16 * 8; i < self->n * 8; i++) {
		if (i / 8 >= bytes_at && i / 8 < bytes_at + 4)
			continue;
		self->bytes[i / 8] ^= (uint8_t)(1u << i % 8);
		set_sum(self->bytes);
		expect_one_form(self->b, self->bytes, self->n);
		self->bytes[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	for (int i = 0; i < 20000; i++) {
		uint8_t was[8];
		size_t at = 16 + harness_random() % (self->n - 16 - 8);
		uint64_t word = harness_random() >> harness_random() % 64;

		if (at + 8 > bytes_at && at < bytes_at + 4)
			continue;
		memcpy(was, self->bytes + at, 8);
		sl_store_le64(self->bytes + at, word);
		set_sum(self->bytes);
		expect_one_form(self->b, self->bytes, self->n);
		memcpy(self->bytes + at, was, 8);
	}
}

TEST_F(object, a_newer_reader_is_asked_for)
{
	const struct sl_object *o;

	sl_store_le32(self->bytes + offsetof(struct object_header, version), 2);
	set_sum(self->bytes);
	EXPECT_EQ(0, sl_object_open(self->bytes, self->n, &o));
	sl_store_le32(self->bytes + offsetof(struct object_header, version_min), 2);
	set_sum(self->bytes);
	EXPECT_EQ(-EPROTONOSUPPORT, sl_object_open(self->bytes, self->n, &o));
}

TEST_F(object, comparing_leaves_out_times_only)
{
	uint8_t *other = malloc(self->n);
	const struct sl_object *o;

	ASSERT_TRUE(other != NULL);
	sl_object_put_times(self->b, 333, 444);
	ASSERT_EQ(0, sl_object_build(self->b, other, self->n));
	ASSERT_EQ(0, sl_object_open(other, self->n, &o));
	EXPECT_EQ(0, sl_object_compare(self->o, o));
	sl_object_put_key_integer(self->b, 1);
	ASSERT_EQ(0, sl_object_build(self->b, other, self->n));
	EXPECT_NE(0, sl_object_compare(self->o, o));
	sl_object_put_key_uuid(self->b, uuid);
	ASSERT_EQ(0, sl_object_put_boolean(self->b, 0, "yes", false));
	ASSERT_EQ(0, sl_object_build(self->b, other, self->n));
	EXPECT_GT(0, sl_object_compare(o, self->o));
	EXPECT_LT(0, sl_object_compare(self->o, o));
	free(other);
}

/* The values of the first list are in their order. */
TEST(values_have_an_order)
{
	static const char text[] =
		"{\"payload\": {\"l\": [null, false, true, -9223372036854775808, -1, 0, 0.5, 1,"
		" 1.5, 9007199254740993, 9223372036854775807, 9223372036854775808, 1e300,"
		" \"\", \"a\", \"ab\", \"b\", [], [1], [1, 1], [2], {}, {\"a\": 1}, {\"a\": 2},"
		" {\"b\": 0}], \"same\": [1, 1.0]}}";
	const struct sl_value *list, *same;
	const struct sl_object *o;
	struct sl_object_builder *b;
	uint8_t bytes[4096];

	ASSERT_EQ(0, sl_object_builder_new(&b));
	ASSERT_EQ(0, sl_object_put_json(b, SL_JSON_POINT, text, strlen(text), NULL, 0, NULL, 0));
	ASSERT_EQ(0, sl_object_build(b, bytes, sizeof(bytes)));
	ASSERT_EQ(0, sl_object_open(bytes, sizeof(bytes), &o));
	list = sl_value_find(sl_object_properties(o), "l");
	for (uint32_t i = 0; i < sl_value_count(list); i++)
		for (uint32_t j = 0; j < sl_value_count(list); j++) {
			int order = sl_value_compare(sl_value_at(list, i), sl_value_at(list, j));

			EXPECT_EQ((i > j) - (i < j), (order > 0) - (order < 0));
		}
	same = sl_value_find(sl_object_properties(o), "same");
	EXPECT_EQ(0, sl_value_compare(sl_value_at(same, 0), sl_value_at(same, 1)));
	sl_object_builder_free(b);
}

TEST_HARNESS_MAIN
