/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects from JSON and to JSON, as points and as Weaviate's objects; types that hints give; what
 * is refused, and what is said about it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "vectors/object.h"
#include "vectors/object_pvt.h"

FIXTURE(json)
{
	struct sl_object_builder *b;
	uint8_t bytes[8192];
	char why[256];
	char *text; /* printed last */
};

FIXTURE_SETUP(json)
{
	ASSERT_EQ(0, sl_object_builder_new(&self->b));
	self->text = NULL;
	self->why[0] = '\0';
}

FIXTURE_TEARDOWN(json)
{
	sl_object_builder_free(self->b);
	free(self->text);
}

static const struct sl_object *build(FIXTURE_DATA(json) * self)
{
	const struct sl_object *o;

	ASSERT_EQ(0, sl_object_build(self->b, self->bytes, sizeof(self->bytes)));
	ASSERT_EQ(0, sl_object_open(self->bytes, sizeof(self->bytes), &o));
	return o;
}

static const char *print(FIXTURE_DATA(json) * self, enum sl_object_json form)
{
	size_t n;

	free(self->text);
	ASSERT_EQ(0, sl_object_to_json(build(self), form, &self->text, &n));
	ASSERT_EQ(strlen(self->text), n);
	return self->text;
}

static int read_hinted(FIXTURE_DATA(json) * self, enum sl_object_json form, const char *text,
		       const struct sl_object_hint *hints, size_t n)
{
	sl_object_builder_reset(self->b);
	return sl_object_put_json(self->b, form, text, strlen(text), hints, n, self->why,
				  sizeof(self->why));
}

static void expect_same(FIXTURE_DATA(json) * self, enum sl_object_json form, const char *text)
{
	ASSERT_EQ(0, read_hinted(self, form, text, NULL, 0));
	EXPECT_STREQ(text, print(self, form));
}

#define UUID "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"

TEST_F(json, points_come_back)
{
	expect_same(self, SL_JSON_POINT, "{\"payload\":{}}");
	expect_same(self, SL_JSON_POINT,
		    "{\"id\":18446744073709551615,\"payload\":{\"a\":null,\"b\":[true,-5,1.5,\"x\","
		    "{}],\"c\":{\"\":\"\\u0000\",\"\xc3\xbc\":[]}},\"vector\":[0.5,-1.0,3.0]}");
	expect_same(self, SL_JSON_POINT,
		    "{\"id\":\"" UUID "\",\"payload\":{},"
		    "\"vector\":{\"image\":[1.0,2.0],\"text\":[0.25]}}");
}

TEST_F(json, objects_come_back)
{
	expect_same(self, SL_JSON_OBJECT,
		    "{\"id\":\"" UUID "\",\"properties\":{\"title\":\"x\",\"of\":[{\"beacon\":"
		    "\"weaviate://localhost/Book/" UUID
		    "\"},{\"beacon\":\"weaviate://localhost/" UUID
		    "\"}]},\"creationTimeUnix\":1,\"lastUpdateTimeUnix\":2,"
		    "\"vector\":[1.0],\"vectors\":{\"v\":[2.0]}}");
	EXPECT_EQ(2, sl_object_reference_count(build(self)));
}

TEST_F(json, integers_that_do_not_fit_are_numbers)
{
	const struct sl_value *root;

	ASSERT_EQ(0, read_hinted(self, SL_JSON_POINT,
				 "{\"payload\": {\"a\": 9223372036854775807,"
				 " \"b\": 9223372036854775808}}",
				 NULL, 0));
	root = sl_object_properties(build(self));
	EXPECT_EQ(INT64_MAX, sl_value_integer(sl_value_find(root, "a")));
	EXPECT_EQ(SL_VALUE_NUMBER, sl_value_type(sl_value_find(root, "b")));
	EXPECT_EQ(0x1p63, sl_value_number(sl_value_find(root, "b")));
}

TEST_F(json, of_equal_names_the_last_counts)
{
	ASSERT_EQ(0,
		  read_hinted(self, SL_JSON_POINT,
			      "{\"payload\": {\"b\": 1, \"a\": {\"x\": 1}, \"b\": 2, \"a\": {}}}",
			      NULL, 0));
	EXPECT_STREQ("{\"payload\":{\"a\":{},\"b\":2}}", print(self, SL_JSON_POINT));
}

static const struct sl_object_hint hints[] = {
	{"when", SL_VALUE_DATE},     {"who", SL_VALUE_UUID},	 {"at.place", SL_VALUE_GEO},
	{"raw", SL_VALUE_BLOB},	     {"price", SL_VALUE_NUMBER}, {"yes", SL_VALUE_BOOLEAN},
	{"count", SL_VALUE_INTEGER}, {"name", SL_VALUE_TEXT},
};

static int read_property(FIXTURE_DATA(json) * self, const char *property)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"properties\": {%s}}", property);
	return read_hinted(self, SL_JSON_OBJECT, text, hints, SL_ARRAY_SIZE(hints));
}

TEST_F(json, hints_give_types)
{
	const struct sl_value *root;

	ASSERT_EQ(0, read_property(self,
				   "\"when\": [\"2024-02-29T12:00:00+01:00\", null],"
				   "\"who\": \"" UUID "\", \"raw\": \"c2x1aWM=\", \"price\": 3,"
				   "\"at\": {\"place\": {\"latitude\": 52.5, \"longitude\": 13}},"
				   "\"yes\": true, \"count\": -1, \"name\": \"n\""));
	root = sl_object_properties(build(self));
	EXPECT_EQ(SL_VALUE_DATE, sl_value_type(sl_value_find(root, "when[0]")));
	EXPECT_EQ(SL_VALUE_NULL, sl_value_type(sl_value_find(root, "when[1]")));
	EXPECT_EQ(SL_VALUE_UUID, sl_value_type(sl_value_find(root, "who")));
	EXPECT_EQ(SL_VALUE_GEO, sl_value_type(sl_value_find(root, "at.place")));
	EXPECT_EQ(SL_VALUE_BLOB, sl_value_type(sl_value_find(root, "raw")));
	EXPECT_EQ(SL_VALUE_NUMBER, sl_value_type(sl_value_find(root, "price")));
	EXPECT_STREQ("{\"properties\":{\"at\":{\"place\":{\"latitude\":52.5,\"longitude\":13.0}},"
		     "\"count\":-1,\"name\":\"n\",\"price\":3.0,\"raw\":\"c2x1aWM=\",\"when\":"
		     "[\"2024-02-29T11:00:00Z\",null],\"who\":\"" UUID "\",\"yes\":true},"
		     "\"creationTimeUnix\":0,\"lastUpdateTimeUnix\":0}",
		     print(self, SL_JSON_OBJECT));
	EXPECT_TRUE(strstr(print(self, SL_JSON_POINT), "{\"lat\":52.5,\"lon\":13.0}") != NULL);
}

TEST_F(json, what_is_not_of_its_type_is_named)
{
	static const struct {
		const char *property, *why;
	} cases[] = {
		{"\"when\": \"yesterday\"", "when: not a date"},
		{"\"when\": [\"2024-01-01\", 5]", "when: not a date"},
		{"\"who\": \"me\"", "who: not a UUID"},
		{"\"at\": {\"place\": {\"lat\": 91, \"lon\": 0}}", "at.place: not a place"},
		{"\"at\": {\"place\": \"here\"}", "at.place: not a place"},
		{"\"raw\": \"c2x1a\"", "raw: not a text in Base64"},
		{"\"price\": \"3\"", "price: not a number"},
		{"\"count\": 1.5", "count: not an integer"},
		{"\"count\": 9223372036854775808", "count: not an integer"},
		{"\"yes\": 1", "yes: not true or false"},
		{"\"name\": {}", "name: not a text"},
		{"\"ref\": [{\"beacon\": \"weaviate://localhost/x\"}]", "ref: \"weaviate://"},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(cases); i++) {
		EXPECT_EQ(-EINVAL, read_property(self, cases[i].property));
		if (!EXPECT_TRUE(!strncmp(cases[i].why, self->why, strlen(cases[i].why))))
			TH_LOG("%s: %s", cases[i].property, self->why);
	}
}

TEST_F(json, bad_points_are_refused_and_told)
{
	static const struct {
		const char *text;
		int err;
		const char *why;
	} cases[] = {
		{"", -EINVAL, "no JSON: "},
		{"{\"id\": 1", -EINVAL, "no JSON: "},
		{"[]", -EINVAL, "not a JSON object"},
		{"{\"id\": -1}", -EINVAL, "id: neither"},
		{"{\"id\": 1.5}", -EINVAL, "id: neither"},
		{"{\"id\": \"x\"}", -EINVAL, "id: neither"},
		{"{\"payload\": []}", -EINVAL, "payload: not a JSON object"},
		{"{\"vector\": 5}", -EINVAL, "vector \"\": not a list"},
		{"{\"vector\": []}", -ERANGE, "vector \"\": 0 numbers"},
		{"{\"vector\": [1, \"2\"]}", -EINVAL, "vector \"\": item 1 is not a number"},
		{"{\"vector\": [1, 2, 1e39]}", -ERANGE, "vector \"\": item 2 is too large"},
		{"{\"vector\": {\"a\": [null]}}", -EINVAL, "vector \"a\": item 0"},
		{"{\"payload\": {\"a\": NaN}}", -EINVAL, "no JSON: "},
		{"{\"payload\": {\"a\": \"\xff\"}}", -EINVAL, "no JSON: "},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(cases); i++) {
		EXPECT_EQ(cases[i].err, read_hinted(self, SL_JSON_POINT, cases[i].text, NULL, 0));
		if (!EXPECT_TRUE(!strncmp(cases[i].why, self->why, strlen(cases[i].why))))
			TH_LOG("%s: %s", cases[i].text, self->why);
		EXPECT_EQ(cases[i].err,
			  sl_object_put_json(self->b, SL_JSON_POINT, cases[i].text,
					     strlen(cases[i].text), NULL, 0, NULL, 0));
	}
}

TEST_F(json, nesting_has_its_limit)
{
	char text[2048] = "{\"payload\":{\"l\":";
	size_t n = strlen(text), depth = SL_OBJECT_DEPTH_MAX + 1;

	memset(text + n, '[', depth);
	memset(text + n + depth, ']', depth);
	memcpy(text + n + 2 * depth, "}}", 3);
	EXPECT_EQ(-EMSGSIZE, read_hinted(self, SL_JSON_POINT, text, NULL, 0));
	EXPECT_STREQ("l: more than 64 lists and maps within one another", self->why);
	/* one pair less */
	memset(text + n + depth - 1, ']', depth - 1);
	memcpy(text + n + 2 * (depth - 1), "}}", 3);
	EXPECT_EQ(0, read_hinted(self, SL_JSON_POINT, text, NULL, 0));
	build(self);
}

static int merge(FIXTURE_DATA(json) * self, const char *path, const char *text)
{
	return sl_object_merge_json(self->b, SL_JSON_POINT, path, text, strlen(text), hints,
				    SL_ARRAY_SIZE(hints), self->why, sizeof(self->why));
}

TEST_F(json, merging_puts_members_and_keeps_others)
{
	ASSERT_EQ(0,
		  read_hinted(self, SL_JSON_POINT,
			      "{\"id\": 1, \"vector\": [1], \"payload\": {\"a\": 1, \"b\": {\"x\":"
			      " 1, \"y\": 2}, \"c\": 3}}",
			      NULL, 0));
	EXPECT_EQ(0, merge(self, "", "{\"a\": {\"new\": 1}, \"d\": 4}"));
	EXPECT_EQ(0, merge(self, "b", "{\"y\": 5, \"z\": 6}"));
	EXPECT_EQ(0, merge(self, "c.deep", "{\"q\": 7}"));
	EXPECT_EQ(0, merge(self, "at", "{\"place\": {\"lat\": 1, \"lon\": 2}}"));
	EXPECT_STREQ("{\"id\":1,\"payload\":{\"a\":{\"new\":1},\"at\":{\"place\":{\"lat\":1.0,"
		     "\"lon\":2.0}},\"b\":{\"x\":1,\"y\":5,\"z\":6},\"c\":{\"deep\":{\"q\":7}},"
		     "\"d\":4},\"vector\":[1.0]}",
		     print(self, SL_JSON_POINT));
	EXPECT_EQ(SL_VALUE_GEO,
		  sl_value_type(sl_value_find(sl_object_properties(build(self)), "at.place")));
	EXPECT_EQ(-EINVAL, merge(self, "", "[]"));
	EXPECT_EQ(-EINVAL, merge(self, "a[0]", "{}"));
	EXPECT_EQ(-EINVAL, merge(self, "a.", "{}"));
}

TEST_F(json, overwriting_leaves_key_and_vectors)
{
	ASSERT_EQ(0, read_hinted(self, SL_JSON_POINT,
				 "{\"id\": 1, \"vector\": [1], \"payload\": {\"a\": 1}}", NULL, 0));
	EXPECT_EQ(0, sl_object_remove(self->b, ""));
	EXPECT_EQ(0, merge(self, "", "{\"z\": 1}"));
	EXPECT_STREQ("{\"id\":1,\"payload\":{\"z\":1},\"vector\":[1.0]}",
		     print(self, SL_JSON_POINT));
}

TEST_F(json, a_parsed_value_is_taken_as_it_is)
{
	static const char text[] = "[{\"id\": 1, \"vector\": [0.1, 2]}, {\"id\": 2}]";
	yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
	yyjson_val *points = yyjson_doc_get_root(doc);
	const float want[] = {0.1f, 2};
	uint32_t dim = 0;

	ASSERT_EQ(0, sl_object_put_json_value(self->b, SL_JSON_POINT, yyjson_arr_get(points, 0),
					      NULL, 0, NULL, 0));
	EXPECT_MEMEQ(want, sl_object_vector(build(self), "", NULL, &dim), sizeof(want));
	EXPECT_EQ(2, dim);
	yyjson_doc_free(doc);
}

TEST_F(json, components_of_all_types_are_written)
{
	ASSERT_EQ(0, sl_object_put_vector(self->b, "f16", SL_VECTOR_F16,
					  "\x00\x3c\x00\xc0\x01\x00\xff\x7b", 4));
	ASSERT_EQ(0, sl_object_put_vector(self->b, "i8", SL_VECTOR_I8, "\x80\x7f", 2));
	ASSERT_EQ(0, sl_object_put_vector(self->b, "bits", SL_VECTOR_BITS, "\x05", 4));
	EXPECT_STREQ("{\"payload\":{},\"vector\":{\"bits\":[1,0,1,0],\"f16\":[1.0,-2.0,"
		     "5.960464477539063e-8,65504.0],\"i8\":[-128,127]}}",
		     print(self, SL_JSON_POINT));
}

TEST_HARNESS_MAIN
