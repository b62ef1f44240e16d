/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building and changing objects, against a model of names and values; what a builder refuses.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "vectors/object_pvt.h"

FIXTURE(build)
{
	struct sl_object_builder *b;
	uint8_t *bytes; /* of the last object */
	size_t n;
};

FIXTURE_SETUP(build)
{
	ASSERT_EQ(0, sl_object_builder_new(&self->b));
	self->bytes = NULL;
}

FIXTURE_TEARDOWN(build)
{
	sl_object_builder_free(self->b);
	free(self->bytes);
}

/* Builds, and loads what was built into the builder again. */
static const struct sl_object *build(FIXTURE_DATA(build) * self)
{
	const struct sl_object *o;
	uint8_t *before = self->bytes;

	ASSERT_EQ(0, sl_object_build_bytes(self->b, &self->n));
	self->bytes = malloc(self->n);
	ASSERT_TRUE(self->bytes != NULL);
	ASSERT_EQ(-ENOSPC, sl_object_build(self->b, self->bytes, self->n - 1));
	ASSERT_EQ(0, sl_object_build(self->b, self->bytes, self->n));
	ASSERT_EQ(0, sl_object_open(self->bytes, self->n, &o));
	sl_object_builder_reset(self->b);
	ASSERT_EQ(0, sl_object_load(self->b, o));
	free(before);
	return o;
}

/* ---- the model: values under two levels of names ---------------------------------------- */

#define NAMES 12u
#define ABSENT INT64_MIN

/* @inner counts if @is_map. */
struct model {
	int64_t value[NAMES];
	bool is_map[NAMES];
	int64_t inner[NAMES][NAMES];
};

static const char *const names[NAMES] = {"",   "a",   "b", "ab", "z",	"\xc3\xbc",
					 "aa", "aaa", "B", "0",	 "key", "kez"};

static void expect_inner(const struct sl_value *map, const int64_t *inner)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < NAMES; i++) {
		const struct sl_value *v = sl_value_get(map, names[i], strlen(names[i]));

		ASSERT_EQ(inner[i] != ABSENT, v != NULL);
		if (v)
			ASSERT_EQ(inner[i], sl_value_integer(v));
		n += v != NULL;
	}
	ASSERT_EQ(n, sl_value_count(map));
}

static void expect_model(const struct sl_object *o, const struct model *m)
{
	const struct sl_value *root = sl_object_properties(o);
	uint32_t n = 0;

	for (uint32_t i = 0; i < NAMES; i++) {
		const struct sl_value *v = sl_value_get(root, names[i], strlen(names[i]));

		ASSERT_EQ(m->is_map[i] || m->value[i] != ABSENT, v != NULL);
		if (m->is_map[i])
			expect_inner(v, m->inner[i]);
		else if (v)
			ASSERT_EQ(m->value[i], sl_value_integer(v));
		n += v != NULL;
	}
	ASSERT_EQ(n, sl_value_count(root));
}

static void put_map(struct sl_object_builder *b, struct model *m, uint32_t i)
{
	uint32_t in;

	ASSERT_EQ(0, sl_object_put_map(b, 0, names[i], &in));
	m->is_map[i] = true;
	for (uint32_t j = 0; j < NAMES; j++)
		m->inner[i][j] = ABSENT;
	for (uint32_t n = harness_random() % 20; n; n--) {
		uint32_t j = harness_random() % NAMES;
		int64_t v = (int64_t)(harness_random() >> 1);

		ASSERT_EQ(0, sl_object_put_integer(b, in, names[j], v));
		m->inner[i][j] = v;
	}
}

static void remove_one(struct sl_object_builder *b, struct model *m, uint32_t i)
{
	uint32_t j = harness_random() % NAMES;
	char path[64];

	if (m->is_map[i] && harness_random() % 2) {
		snprintf(path, sizeof(path), "\"%s\".\"%s\"", names[i], names[j]);
		ASSERT_EQ(m->inner[i][j] == ABSENT ? -ENOENT : 0, sl_object_remove(b, path));
		m->inner[i][j] = ABSENT;
		return;
	}
	snprintf(path, sizeof(path), "\"%s\"", names[i]);
	ASSERT_EQ(m->is_map[i] || m->value[i] != ABSENT ? 0 : -ENOENT, sl_object_remove(b, path));
	m->is_map[i] = false;
	m->value[i] = ABSENT;
}

TEST_F(build, changes_agree_with_the_model)
{
	struct model m = {0};

	for (uint32_t i = 0; i < NAMES; i++)
		m.value[i] = ABSENT;
	for (int round = 0; round < 2000; round++) {
		for (uint32_t n = harness_random() % 8; n; n--) {
			uint32_t i = harness_random() % NAMES, what = harness_random() % 16;

			if (what < 6) {
				m.value[i] = (int64_t)(harness_random() >> 1);
				m.is_map[i] = false;
				ASSERT_EQ(0,
					  sl_object_put_integer(self->b, 0, names[i], m.value[i]));
			} else if (what < 10) {
				put_map(self->b, &m, i);
			} else {
				remove_one(self->b, &m, i);
			}
		}
		expect_model(build(self), &m);
	}
	ASSERT_EQ(0, sl_object_remove(self->b, ""));
	EXPECT_EQ(0, sl_value_count(sl_object_properties(build(self))));
}

/* ---- single calls ----------------------------------------------------------------------- */

TEST_F(build, nothing_is_an_object_too)
{
	const struct sl_object *o = build(self);
	const uint8_t *key;

	EXPECT_EQ(sizeof(struct object_header), self->n);
	EXPECT_EQ(SL_KEY_NONE, sl_object_key(o, &key));
	EXPECT_EQ(0, sl_object_vector_count(o));
	EXPECT_EQ(0, sl_object_reference_count(o));
}

TEST_F(build, order_of_putting_makes_no_other_bytes)
{
	struct sl_object_builder *other;
	uint8_t bytes[4096];

	ASSERT_EQ(0, sl_object_builder_new(&other));
	for (uint32_t i = 0; i < NAMES; i++) {
		const char *last = names[NAMES - 1 - i];

		ASSERT_EQ(0, sl_object_put_text(self->b, 0, names[i], names[i], strlen(names[i])));
		ASSERT_EQ(0, sl_object_put_text(other, 0, last, last, strlen(last)));
		ASSERT_EQ(0, sl_object_put_vector(self->b, names[i], SL_VECTOR_I8, names[i], 1));
		ASSERT_EQ(0, sl_object_put_vector(other, last, SL_VECTOR_I8, last, 1));
	}
	build(self);
	ASSERT_EQ(0, sl_object_build(other, bytes, sizeof(bytes)));
	EXPECT_MEMEQ(self->bytes, bytes, self->n);
	sl_object_builder_free(other);
}

TEST_F(build, items_of_lists_are_removed)
{
	static const char text[] =
		"{\"payload\": {\"l\": [1, 2, 3, {\"x\": 4, \"y\": 5}, {\"x\": 6}],"
		" \"m\": {\"l\": [7]}}}";
	const struct sl_value *root;

	ASSERT_EQ(0,
		  sl_object_put_json(self->b, SL_JSON_POINT, text, strlen(text), NULL, 0, NULL, 0));
	EXPECT_EQ(0, sl_object_remove(self->b, "l[1]"));
	EXPECT_EQ(-ENOENT, sl_object_remove(self->b, "l[4]"));
	EXPECT_EQ(0, sl_object_remove(self->b, "l.x"));
	EXPECT_EQ(0, sl_object_remove(self->b, "m.l[]"));
	EXPECT_EQ(-ENOENT, sl_object_remove(self->b, "m.l[].x"));
	EXPECT_EQ(-ENOENT, sl_object_remove(self->b, "m.l.x"));
	EXPECT_EQ(-EINVAL, sl_object_remove(self->b, "l["));
	root = sl_object_properties(build(self));
	EXPECT_EQ(4, sl_value_count(sl_value_find(root, "l")));
	EXPECT_EQ(3, sl_value_integer(sl_value_find(root, "l[1]")));
	EXPECT_NULL(sl_value_find(root, "l.x"));
	EXPECT_EQ(5, sl_value_integer(sl_value_find(root, "l.y")));
	EXPECT_EQ(0, sl_value_count(sl_value_find(root, "m.l")));
	/* what was cut at the end does not keep others from being added */
	ASSERT_EQ(0, sl_object_remove(self->b, "m"));
	ASSERT_EQ(0, sl_object_put_integer(self->b, 0, "n", 1));
	EXPECT_EQ(2, sl_value_count(sl_object_properties(build(self))));
}

TEST_F(build, vectors_are_replaced_and_removed)
{
	static const float a[] = {1, 2}, c[] = {3, 4, 5};
	const struct sl_object *o;
	uint32_t dim;

	ASSERT_EQ(0, sl_object_put_vector(self->b, "a", SL_VECTOR_F32, a, 2));
	ASSERT_EQ(0, sl_object_put_vector(self->b, "c", SL_VECTOR_F32, a, 2));
	ASSERT_EQ(0, sl_object_put_vector(self->b, "a", SL_VECTOR_F32, c, 3));
	EXPECT_EQ(-ENOENT, sl_object_remove_vector(self->b, "b"));
	EXPECT_EQ(0, sl_object_remove_vector(self->b, "c"));
	o = build(self);
	EXPECT_EQ(1, sl_object_vector_count(o));
	EXPECT_MEMEQ(c, sl_object_vector(o, "a", NULL, &dim), sizeof(c));
	EXPECT_EQ(3, dim);
}

TEST_F(build, what_is_not_a_value_is_refused)
{
	static char long_name[SL_OBJECT_NAME_BYTES_MAX + 2];
	float infinite[] = {1, INFINITY}, none[] = {NAN, 1};

	memset(long_name, 'x', sizeof(long_name) - 1);
	EXPECT_EQ(-ERANGE, sl_object_put_number(self->b, 0, "x", NAN));
	EXPECT_EQ(-ERANGE, sl_object_put_number(self->b, 0, "x", -INFINITY));
	EXPECT_EQ(-ERANGE, sl_object_put_date(self->b, 0, "x", INT64_MAX));
	EXPECT_EQ(-ERANGE, sl_object_put_geo(self->b, 0, "x", 90.1, 0));
	EXPECT_EQ(-ERANGE, sl_object_put_geo(self->b, 0, "x", 0, NAN));
	EXPECT_EQ(-EILSEQ, sl_object_put_text(self->b, 0, "x", "\xff", 1));
	EXPECT_EQ(-EILSEQ, sl_object_put_null(self->b, 0, "\xc3"));
	EXPECT_EQ(-EMSGSIZE, sl_object_put_null(self->b, 0, long_name));
	EXPECT_EQ(-ERANGE, sl_object_put_vector(self->b, "", SL_VECTOR_F32, infinite, 2));
	EXPECT_EQ(-ERANGE, sl_object_put_vector(self->b, "", SL_VECTOR_F32, none, 2));
	EXPECT_EQ(-ERANGE, sl_object_put_vector(self->b, "", SL_VECTOR_F16, "\x00\x7c", 1));
	EXPECT_EQ(-ERANGE, sl_object_put_vector(self->b, "", SL_VECTOR_F32, none, 0));
	EXPECT_EQ(-ERANGE,
		  sl_object_put_vector(self->b, "", SL_VECTOR_F32, none, SL_OBJECT_DIM_MAX + 1));
	build(self);
	EXPECT_EQ(sizeof(struct object_header), self->n);
	EXPECT_EQ(0, sl_object_put_null(self->b, 0, long_name + 1));
	build(self);
}

TEST_F(build, depth_has_its_limit)
{
	const struct sl_value *v;
	uint32_t in = 0;

	for (int i = 0; i < SL_OBJECT_DEPTH_MAX; i++)
		ASSERT_EQ(0, sl_object_put_map(self->b, in, "m", &in));
	EXPECT_EQ(-EMSGSIZE, sl_object_put_map(self->b, in, "m", &in));
	EXPECT_EQ(0, sl_object_put_integer(self->b, in, "leaf", 1));
	v = sl_object_properties(build(self));
	for (int i = 0; i < SL_OBJECT_DEPTH_MAX; i++)
		v = sl_value_get(v, "m", 1);
	EXPECT_EQ(1, sl_value_integer(sl_value_get(v, "leaf", 4)));
}

TEST_F(build, more_than_an_object_may_have_is_refused)
{
	size_t half = SL_OBJECT_BYTES_MAX / 2, n = 77;
	uint8_t *blob = calloc(1, half);

	ASSERT_TRUE(blob != NULL);
	ASSERT_EQ(0, sl_object_put_blob(self->b, 0, "a", blob, half));
	ASSERT_EQ(0, sl_object_put_blob(self->b, 0, "b", blob, half));
	EXPECT_EQ(-EFBIG, sl_object_build_bytes(self->b, &n));
	EXPECT_EQ(77, n);
	free(blob);
}

/* References: all of a name go, those of others stay as they were put. */
TEST_F(build, references_are_removed_by_their_name)
{
	const uint8_t uuids[3][SL_OBJECT_UUID_BYTES] = {{1}, {2}, {3}};
	const struct sl_object *o;

	ASSERT_EQ(0, sl_object_put_reference(self->b, "by", "A", uuids[0]));
	ASSERT_EQ(0, sl_object_put_reference(self->b, "of", "A", uuids[1]));
	ASSERT_EQ(0, sl_object_put_reference(self->b, "of", "B", uuids[0]));
	ASSERT_EQ(0, sl_object_put_reference(self->b, "to", "A", uuids[2]));
	build(self);
	EXPECT_EQ(-ENOENT, sl_object_remove_references(self->b, "o"));
	EXPECT_EQ(0, sl_object_remove_references(self->b, "of"));
	EXPECT_EQ(-ENOENT, sl_object_remove_references(self->b, "of"));
	o = build(self);
	ASSERT_EQ(2, sl_object_reference_count(o));
	EXPECT_MEMEQ(uuids[0], sl_object_reference_at(o, 0, NULL, NULL, NULL, NULL), 16);
	EXPECT_MEMEQ(uuids[2], sl_object_reference_at(o, 1, NULL, NULL, NULL, NULL), 16);
}

TEST_HARNESS_MAIN
