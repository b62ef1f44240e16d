/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: what each kind of condition says of one object, and which ones are refused. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "filter_kit.h"
#include "harness.h"

FIXTURE(filter)
{
	struct sl_object *o;
};

/* What Qdrant's documentation has for an example of nested conditions, and a value of each kind. */
FIXTURE_SETUP(filter)
{
	self->o = object_of(
		"{\"id\": 7, \"vector\": {\"image\": [1, 2]}, \"payload\": {"
		"\"colour\": \"red\", \"tags\": [\"a\", \"b\", null], \"amount\": 10,"
		"\"price\": 9.5, \"big\": 9007199254740993, \"rating\": [3, 7, 9, 9],"
		"\"sold\": true, \"nothing\": null, \"none\": [], \"nulls\": [null],"
		"\"lists\": [[1, 2], 3], \"day\": \"2024-02-29T12:00:00Z\","
		"\"id\": \"F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6\","
		"\"at\": {\"lon\": 13.4, \"lat\": 52.5},"
		"\"ways\": [{\"latitude\": 1, \"longitude\": 179.5}, {\"lat\": 3, \"lon\": 4}],"
		"\"text\": [\"The quick brown fox\", \"jumps\"],"
		"\"diet\": [{\"food\": \"leaves\", \"likes\": false},"
		" {\"food\": \"meat\", \"likes\": true, \"where\": [{\"n\": 1}]}],"
		"\"city\": {\"name\": \"Berlin\", \"x.y\": 1}}}");
}

FIXTURE_TEARDOWN(filter)
{
	free(self->o);
}

static bool is(const struct sl_object *o, const struct sl_filter *f)
{
	char why[200] = "";

	EXPECT_EQ(0, sl_filter_check(f, why, sizeof(why)));
	EXPECT_STREQ("", why);
	return sl_filter_matches(f, o);
}

TEST_F(filter, match_is_of_one_type)
{
	EXPECT_TRUE(is(self->o, MATCH("colour", TEXT("red"))));
	EXPECT_TRUE(is(self->o, MATCH("colour", TEXT("blue"), TEXT("red"))));
	EXPECT_FALSE(is(self->o, MATCH("colour", TEXT("re"))));
	EXPECT_FALSE(is(self->o, MATCH("colour", INTEGER(1))));
	EXPECT_TRUE(is(self->o, MATCH("amount", INTEGER(10))));
	EXPECT_TRUE(is(self->o, MATCH("amount", NUMBER(10))));
	EXPECT_FALSE(is(self->o, MATCH("amount", NUMBER(10.5))));
	EXPECT_TRUE(is(self->o, MATCH("price", NUMBER(9.5))));
	EXPECT_FALSE(is(self->o, MATCH("price", INTEGER(9))));
	EXPECT_TRUE(is(self->o, MATCH("big", INTEGER(9007199254740993))));
	EXPECT_FALSE(is(self->o, MATCH("big", NUMBER(9007199254740992.))));
	EXPECT_TRUE(is(self->o, MATCH("sold", BOOLEAN(true))));
	EXPECT_FALSE(is(self->o, MATCH("sold", BOOLEAN(false))));
	EXPECT_FALSE(is(self->o, MATCH("sold", INTEGER(1))));
	EXPECT_FALSE(is(self->o, MATCH("missing", TEXT("red"))));
	EXPECT_FALSE(is(self->o, FILTER(SL_FILTER_MATCH, "colour")));
}

TEST_F(filter, match_finds_one_of_a_list)
{
	EXPECT_TRUE(is(self->o, MATCH("tags", TEXT("b"))));
	EXPECT_TRUE(is(self->o, MATCH("tags[]", TEXT("b"))));
	EXPECT_TRUE(is(self->o, MATCH("tags[1]", TEXT("b"))));
	EXPECT_FALSE(is(self->o, MATCH("tags[0]", TEXT("b"))));
	EXPECT_FALSE(is(self->o, MATCH("tags", TEXT("c"))));
	EXPECT_TRUE(is(self->o, MATCH("lists", INTEGER(3))));
	EXPECT_FALSE(is(self->o, MATCH("lists", INTEGER(2))));
	EXPECT_TRUE(is(self->o, MATCH("lists[]", INTEGER(2))));
	EXPECT_TRUE(is(self->o, MATCH("diet[].food", TEXT("meat"))));
	EXPECT_TRUE(is(self->o, MATCH("city.name", TEXT("Berlin"))));
	EXPECT_TRUE(is(self->o, MATCH("city.\"x.y\"", INTEGER(1))));
}

TEST_F(filter, dates_and_uuids_are_known_in_texts)
{
	static const struct sl_operand uuid = {.type = SL_VALUE_UUID,
					       .uuid = {0xf8, 0x1d, 0x4f, 0xae, 0x7d, 0xec, 0x11,
							0xd0, 0xa7, 0x65, 0, 0xa0, 0xc9, 0x1e, 0x6b,
							0xf6}};
	int64_t noon;

	ASSERT_TRUE(sl_date_parse("2024-02-29T13:00:00+01:00", 25, &noon));
	EXPECT_TRUE(is(self->o, MATCH("id", uuid)));
	EXPECT_FALSE(is(self->o, MATCH("colour", uuid)));
	EXPECT_TRUE(is(self->o, MATCH("day", DATE(noon))));
	EXPECT_TRUE(is(self->o, RANGE("day", .low = DATE(noon), .high = DATE(noon))));
	EXPECT_FALSE(is(self->o, RANGE("day", .low = DATE(noon), .low_open = true)));
	EXPECT_FALSE(is(self->o, RANGE("day", .low = DATE(noon + 1))));
	EXPECT_FALSE(is(self->o, RANGE("colour", .low = DATE(0))));
}

TEST_F(filter, except_holds_for_what_is_there)
{
	EXPECT_FALSE(is(self->o, EXCEPT("colour", TEXT("red"), TEXT("blue"))));
	EXPECT_TRUE(is(self->o, EXCEPT("colour", TEXT("blue"))));
	EXPECT_TRUE(is(self->o, EXCEPT("colour", INTEGER(1))));
	EXPECT_TRUE(is(self->o, EXCEPT("tags", TEXT("a"))));
	EXPECT_FALSE(is(self->o, EXCEPT("tags", TEXT("a"), TEXT("b"))));
	EXPECT_FALSE(is(self->o, EXCEPT("missing", TEXT("a"))));
	EXPECT_FALSE(is(self->o, EXCEPT("nothing", TEXT("a"))));
	EXPECT_TRUE(is(self->o, EXCEPT("city", TEXT("a"))));
}

TEST_F(filter, contains_all_looks_for_each)
{
	EXPECT_TRUE(is(self->o, CONTAINS_ALL("tags", TEXT("b"), TEXT("a"))));
	EXPECT_FALSE(is(self->o, CONTAINS_ALL("tags", TEXT("a"), TEXT("c"))));
	EXPECT_TRUE(is(self->o, CONTAINS_ALL("rating", INTEGER(9), INTEGER(3))));
	EXPECT_TRUE(is(self->o, FILTER(SL_FILTER_CONTAINS_ALL, "missing")));
}

TEST_F(filter, range_is_of_numbers_of_any_type)
{
	EXPECT_TRUE(is(self->o, RANGE("amount", .low = NUMBER(9.5), .high = INTEGER(10))));
	EXPECT_FALSE(is(self->o,
			RANGE("amount", .low = NUMBER(1), .high = INTEGER(10), .high_open = 1)));
	EXPECT_FALSE(is(self->o, RANGE("amount", .low = INTEGER(10), .low_open = true)));
	EXPECT_TRUE(is(self->o, RANGE("price", .low = INTEGER(9), .high = INTEGER(10))));
	EXPECT_TRUE(is(self->o, RANGE("big", .low = NUMBER(9007199254740992.), .low_open = true)));
	EXPECT_TRUE(is(self->o, RANGE("rating", .low = INTEGER(8))));
	EXPECT_TRUE(is(self->o, RANGE("rating", .high = NUMBER(3))));
	EXPECT_FALSE(is(self->o, RANGE("rating", .low = NUMBER(4), .high = NUMBER(6))));
	EXPECT_FALSE(is(self->o, RANGE("colour", .low = NUMBER(-INFINITY))));
	EXPECT_FALSE(is(self->o, RANGE("missing", .low = NUMBER(-INFINITY))));
	EXPECT_TRUE(is(self->o, RANGE("amount", .low_open = true)));
	EXPECT_FALSE(is(self->o, RANGE("colour", .low_open = true)));
	EXPECT_TRUE(is(self->o, RANGE("colour", .low = TEXT("r"), .high = TEXT("s"))));
	EXPECT_FALSE(is(self->o, RANGE("colour", .low = TEXT("red"), .low_open = true)));
	EXPECT_FALSE(is(self->o, RANGE("colour", .high = TEXT("re"))));
}

TEST_F(filter, texts_are_searched_one_by_one)
{
	EXPECT_TRUE(is(self->o, IN_TEXT(WORDS, "text", "FOX quick")));
	EXPECT_FALSE(is(self->o, IN_TEXT(WORDS, "text", "fox jumps")));
	EXPECT_TRUE(is(self->o, IN_TEXT(WORDS_ANY, "text", "dog jumps")));
	EXPECT_TRUE(is(self->o, IN_TEXT(PHRASE, "text", "quick brown")));
	EXPECT_FALSE(is(self->o, IN_TEXT(PHRASE, "text", "brown quick")));
	EXPECT_TRUE(is(self->o, IN_TEXT(SUBSTRING, "text", "ick br")));
	EXPECT_FALSE(is(self->o, IN_TEXT(SUBSTRING, "text", "ICK")));
	EXPECT_TRUE(is(self->o, IN_TEXT(LIKE, "text", "qu*")));
	EXPECT_FALSE(is(self->o, IN_TEXT(LIKE, "text", "qu*", SL_TOKENS_FIELD)));
	EXPECT_FALSE(is(self->o, IN_TEXT(WORDS, "amount", "10")));
}

TEST_F(filter, places_may_be_maps)
{
	EXPECT_TRUE(is(self->o, FILTER(SL_FILTER_RADIUS, "at", .radius = {{52.5, 13.4}, 1})));
	EXPECT_FALSE(is(self->o, FILTER(SL_FILTER_RADIUS, "at", .radius = {{52.5, 13.5}, 6000})));
	EXPECT_TRUE(is(self->o, FILTER(SL_FILTER_RADIUS, "at", .radius = {{52.5, 13.5}, 7000})));
	EXPECT_TRUE(is(self->o, FILTER(SL_FILTER_BOX, "ways", .box = {{4, 3}, {2, 5}})));
	EXPECT_TRUE(is(self->o, FILTER(SL_FILTER_BOX, "ways", .box = {{2, 179}, {0, -179}})));
	EXPECT_FALSE(is(self->o, FILTER(SL_FILTER_BOX, "ways", .box = {{2, 178}, {0, 179}})));
	EXPECT_FALSE(is(self->o, FILTER(SL_FILTER_BOX, "city", .box = {{90, -180}, {-90, 180}})));
}

TEST_F(filter, count_is_of_items)
{
	EXPECT_TRUE(is(self->o, COUNT("rating", 4, 4)));
	EXPECT_FALSE(is(self->o, COUNT("rating", 5, UINT64_MAX)));
	EXPECT_TRUE(is(self->o, COUNT("tags", 3, 3)));
	EXPECT_TRUE(is(self->o, COUNT("colour", 1, 1)));
	EXPECT_TRUE(is(self->o, COUNT("none", 0, 0)));
	EXPECT_TRUE(is(self->o, COUNT("nothing", 0, 0)));
	EXPECT_TRUE(is(self->o, COUNT("missing", 0, 2)));
	EXPECT_FALSE(is(self->o, COUNT("missing", 1, 2)));
	EXPECT_TRUE(is(self->o, COUNT("diet[].where", 1, 1)));
	EXPECT_FALSE(is(self->o, COUNT("diet[].where", 0, 0)));
}

TEST_F(filter, null_and_empty_are_not_the_same)
{
	static const struct {
		const char *path;
		bool null, empty;
	} cases[] = {{"nothing", true, true}, {"none", false, true},	{"nulls", true, false},
		     {"tags", true, false},   {"missing", false, true}, {"colour", false, false},
		     {"city", false, false},  {"diet[].x", false, true}};

	for (size_t i = 0; i < SL_ARRAY_SIZE(cases); i++) {
		EXPECT_EQ(cases[i].null, is(self->o, IS_NULL(cases[i].path)));
		if (!EXPECT_EQ(cases[i].empty, is(self->o, IS_EMPTY(cases[i].path))))
			TH_LOG("%s", cases[i].path);
	}
}

TEST_F(filter, nested_binds_conditions_to_one_map)
{
	const struct sl_filter *meat = MATCH("food", TEXT("meat"));
	const struct sl_filter *leaves = MATCH("food", TEXT("leaves"));
	const struct sl_filter *likes = MATCH("likes", BOOLEAN(true));

	EXPECT_TRUE(is(self->o, NESTED("diet", meat, likes)));
	EXPECT_FALSE(is(self->o, NESTED("diet", leaves, likes)));
	EXPECT_TRUE(is(self->o, ALL(MATCH("diet[].food", TEXT("leaves")),
				    MATCH("diet[].likes", BOOLEAN(true)))));
	EXPECT_TRUE(is(self->o, NESTED("diet", NONE(meat))));
	EXPECT_FALSE(is(self->o, NESTED("diet", NONE(meat, leaves))));
	EXPECT_TRUE(is(self->o, NESTED("diet", meat, NESTED("where", MATCH("n", INTEGER(1))))));
	EXPECT_FALSE(is(self->o, NESTED("diet", leaves, NESTED("where", MATCH("n", INTEGER(1))))));
	EXPECT_TRUE(is(self->o, NESTED("diet", IS_EMPTY("where"))));
	EXPECT_FALSE(is(self->o, NESTED("city", MATCH("name", TEXT("Berlin")))));
	EXPECT_FALSE(is(self->o, NESTED("missing", IS_EMPTY("x"))));
}

TEST_F(filter, keys_and_vectors_are_looked_at)
{
	const struct sl_filter_key keys[] = {{SL_KEY_INTEGER, {8}}, {SL_KEY_INTEGER, {7}}};
	const struct sl_filter_key uuid = {SL_KEY_UUID, {7}};

	EXPECT_TRUE(is(self->o, FILTER(SL_FILTER_HAS_KEY, .keys = keys, .key_n = 2)));
	EXPECT_FALSE(is(self->o, FILTER(SL_FILTER_HAS_KEY, .keys = keys, .key_n = 1)));
	EXPECT_FALSE(is(self->o, FILTER(SL_FILTER_HAS_KEY, .keys = &uuid, .key_n = 1)));
	EXPECT_TRUE(is(self->o, FILTER(SL_FILTER_HAS_VECTOR, .vector = "image")));
	EXPECT_FALSE(is(self->o, FILTER(SL_FILTER_HAS_VECTOR, .vector = "")));
}

TEST_F(filter, filters_are_joined)
{
	const struct sl_filter *yes = MATCH("amount", INTEGER(10));
	const struct sl_filter *no = MATCH("amount", INTEGER(11));

	EXPECT_TRUE(is(self->o, ALL(yes, yes)));
	EXPECT_FALSE(is(self->o, ALL(yes, no)));
	EXPECT_TRUE(is(self->o, ANY(no, yes)));
	EXPECT_FALSE(is(self->o, ANY(no, no)));
	EXPECT_TRUE(is(self->o, NONE(no, no)));
	EXPECT_FALSE(is(self->o, NONE(no, yes)));
	EXPECT_TRUE(is(self->o, FILTER(SL_FILTER_ANY, OF(yes, no, yes), .at_least = 2)));
	EXPECT_FALSE(is(self->o, FILTER(SL_FILTER_ANY, OF(yes, no, yes), .at_least = 3)));
	EXPECT_TRUE(is(self->o, FILTER(SL_FILTER_ALL)));
	EXPECT_FALSE(is(self->o, FILTER(SL_FILTER_ANY)));
	EXPECT_TRUE(is(self->o, FILTER(SL_FILTER_NONE)));
}

static void expect_wrong(const struct sl_filter *f, const char *part)
{
	char why[200] = "";

	EXPECT_EQ(-EINVAL, sl_filter_check(f, NULL, 0));
	EXPECT_EQ(-EINVAL, sl_filter_check(NONE(f), why, sizeof(why)));
	if (!EXPECT_TRUE(strstr(why, part) != NULL))
		TH_LOG("%s", why);
}

TEST(what_cannot_be_asked_is_refused)
{
	static const struct sl_place corners[] = {{0, 0}, {0, 1}, {1, 181}};
	const struct sl_ring line = {corners, 2}, off = {corners, 3};
	struct sl_filter deep[SL_FILTER_DEPTH_MAX + 1] = {{SL_FILTER_IS_NULL, "a"}};
	const struct sl_filter *below[SL_FILTER_DEPTH_MAX];

	expect_wrong(IS_NULL("a..b"), "\"a..b\" is no path");
	expect_wrong(MATCH("p", NUMBER(NAN)), "p: a value to compare with is no number");
	expect_wrong(RANGE("p", .high = NUMBER(NAN)), "p: a value");
	expect_wrong(FILTER(SL_FILTER_RADIUS, "p", .radius = {{91, 0}, 1}), "latitude 91");
	expect_wrong(FILTER(SL_FILTER_RADIUS, "p", .radius = {{1, 0}, -1}), "-1");
	expect_wrong(FILTER(SL_FILTER_RADIUS, "p", .radius = {{1, 0}, NAN}), "radius");
	expect_wrong(FILTER(SL_FILTER_BOX, "p", .box = {{1, 0}, {0, NAN}}), "longitude nan");
	expect_wrong(FILTER(SL_FILTER_POLYGON, "p", .rings = &line, .ring_n = 1), "has 2");
	expect_wrong(FILTER(SL_FILTER_POLYGON, "p", .rings = &off, .ring_n = 1), "181");
	expect_wrong(FILTER(SL_FILTER_POLYGON, "p"), "without corners");
	for (int i = 0; i < SL_FILTER_DEPTH_MAX; i++) {
		below[i] = &deep[i];
		deep[i + 1] = (struct sl_filter){SL_FILTER_NONE, .of = &below[i], .of_n = 1};
	}
	EXPECT_EQ(0, sl_filter_check(&deep[SL_FILTER_DEPTH_MAX - 1], NULL, 0));
	expect_wrong(&deep[SL_FILTER_DEPTH_MAX], "more than 64 filters");
}

TEST_HARNESS_MAIN
