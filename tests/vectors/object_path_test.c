/* SPDX-License-Identifier: Apache-2.0 */
/* Paths: what they find in an object, what they find of many, and what is none. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "vectors/object_pvt.h"

FIXTURE(path)
{
	uint8_t *bytes;
	const struct sl_value *root;
};

FIXTURE_SETUP(path)
{
	static const char text[] =
		"{\"payload\": {\"a\": {\"b\": 1, \"c.d\": 2, \"\": 3},"
		" \"list\": [10, [20, 21], {\"x\": 30}, {\"x\": 31, \"y\": [32]}],"
		" \"maps\": [{\"n\": {\"k\": 1}}, {\"n\": {\"k\": 2}}, {\"n\": [{\"k\": 3}]}]}}";
	const struct sl_object *o;
	struct sl_object_builder *b;
	size_t n;

	ASSERT_EQ(0, sl_object_builder_new(&b));
	ASSERT_EQ(0, sl_object_put_json(b, SL_JSON_POINT, text, strlen(text), NULL, 0, NULL, 0));
	ASSERT_EQ(0, sl_object_build_bytes(b, &n));
	self->bytes = malloc(n);
	ASSERT_TRUE(self->bytes != NULL);
	ASSERT_EQ(0, sl_object_build(b, self->bytes, n));
	ASSERT_EQ(0, sl_object_open(self->bytes, n, &o));
	self->root = sl_object_properties(o);
	sl_object_builder_free(b);
}

FIXTURE_TEARDOWN(path)
{
	free(self->bytes);
}

/* INT64_MIN: nothing was found. */
static int64_t found(const struct sl_value *root, const char *path)
{
	const struct sl_value *v = sl_value_find(root, path);

	return v ? sl_value_integer(v) : INT64_MIN;
}

TEST_F(path, names_and_items_are_found)
{
	EXPECT_EQ(1, found(self->root, "a.b"));
	EXPECT_EQ(2, found(self->root, "a.\"c.d\""));
	EXPECT_EQ(3, found(self->root, "a.\"\""));
	EXPECT_EQ(10, found(self->root, "list[0]"));
	EXPECT_EQ(21, found(self->root, "list[1][1]"));
	EXPECT_EQ(32, found(self->root, "list[3].y[0]"));
	EXPECT_EQ(SL_VALUE_MAP, sl_value_type(sl_value_find(self->root, "a")));
	EXPECT_TRUE(sl_value_find(self->root, "") == self->root);
}

TEST_F(path, what_is_not_there_is_not_found)
{
	static const char *const none[] = {"b",		"a.x",	      "a[0]", "a.b.c", "list[4]",
					   "list[0].x", "list[0][0]", "a[]",  "list.z"};

	for (size_t i = 0; i < SL_ARRAY_SIZE(none); i++)
		if (!EXPECT_NULL(sl_value_find(self->root, none[i])))
			TH_LOG("%s", none[i]);
}

static int add_up(void *arg, const struct sl_value *v)
{
	*(int64_t *)arg = *(int64_t *)arg * 100 + sl_value_integer(v);
	return 0;
}

static int64_t all(const struct sl_value *root, const char *path)
{
	int64_t sum = 0;
	int ret = sl_value_visit(root, path, add_up, &sum);

	return ret ? ret : sum;
}

TEST_F(path, names_reach_into_the_maps_of_lists)
{
	EXPECT_EQ(3031, all(self->root, "list.x"));
	EXPECT_EQ(3031, all(self->root, "list[].x"));
	EXPECT_EQ(10203, all(self->root, "maps.n.k"));
	EXPECT_EQ(10203, all(self->root, "maps[].n.k"));
	EXPECT_EQ(2021, all(self->root, "list[1][]"));
	EXPECT_EQ(0, all(self->root, "list[0][]"));
}

static int stop_at_second(void *arg, const struct sl_value *v)
{
	return ++*(int *)arg == 2 ? 77 : 0;
}

TEST_F(path, visit_ends_when_it_is_told_to)
{
	int n = 0;

	EXPECT_EQ(77, sl_value_visit(self->root, "list[]", stop_at_second, &n));
	EXPECT_EQ(2, n);
}

TEST_F(path, what_is_no_path_is_refused)
{
	static const char *const bad[] = {".",	  ".a",	    "a.",     "a..b",  "a[",
					  "a[x]", "a[1",    "a]",     "a.[0]", "a[0]b",
					  "\"a",  "\"a\"b", "a\"b\"", "a[-1]", "a[1234567890]"};
	int n = 0;

	for (size_t i = 0; i < SL_ARRAY_SIZE(bad); i++) {
		if (!EXPECT_EQ(-EINVAL, sl_value_visit(self->root, bad[i], stop_at_second, &n)))
			TH_LOG("%s", bad[i]);
		EXPECT_NULL(sl_value_find(self->root, bad[i]));
	}
	EXPECT_EQ(0, n);
}

TEST_HARNESS_MAIN
