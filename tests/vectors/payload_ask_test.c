/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What payload indexes say is what a look at each object says: random filters over random objects,
 * that come and go, with all indexes, some and none.
 */
#include <stdlib.h>

#include <sluice/bytes.h>

#include "filter_random.h"
#include "harness.h"

enum { ROWS = 300 };

FIXTURE(ask)
{
	struct sl_object *objects[ROWS]; /* NULL: the row is free; its key is its row */
	struct sl_payload *p;
};

FIXTURE_VARIANT(ask)
{
	int indexes, tries;
};

FIXTURE_VARIANT_ADD(ask, all_indexes){RANDOM_INDEXES, 4000};
FIXTURE_VARIANT_ADD(ask, some_indexes){4, 1500};
FIXTURE_VARIANT_ADD(ask, no_index){0, 500};

static uint32_t row_of(void *arg, enum sl_key_kind kind, const uint8_t *key)
{
	struct sl_object **objects = arg;
	uint64_t row = sl_load_le64(key);

	return kind == SL_KEY_INTEGER && row < ROWS && objects[row] ? (uint32_t)row : SL_ROW_NONE;
}

static void put(FIXTURE_DATA(ask) * self, uint32_t row)
{
	self->objects[row] = random_object(row);
	ASSERT_EQ(0, sl_payload_add(self->p, row, self->objects[row]));
}

FIXTURE_SETUP(ask)
{
	ASSERT_EQ(0, sl_payload_new(row_of, self->objects, &self->p));
	for (int i = 0; i < variant->indexes; i++) {
		const struct sl_payload_conf *c = &random_indexes[i];

		ASSERT_EQ(0, sl_payload_index_add(self->p, c));
		sl_payload_index_ready(self->p, c->path, c->type);
	}
	for (uint32_t row = 0; row < ROWS; row += 1 + row % 2)
		put(self, row);
}

FIXTURE_TEARDOWN(ask)
{
	sl_payload_free(self->p);
	for (int i = 0; i < ROWS; i++)
		free(self->objects[i]);
}

static void change(FIXTURE_DATA(ask) * self)
{
	uint32_t row = (uint32_t)(harness_random() % ROWS);

	if (!self->objects[row]) {
		put(self, row);
		return;
	}
	ASSERT_EQ(0, sl_payload_remove(self->p, row, self->objects[row]));
	free(self->objects[row]);
	self->objects[row] = NULL;
}

/* Return: whether the answer was exact. */
static bool compare(FIXTURE_DATA(ask) * self, const struct sl_filter *f)
{
	struct sl_estimate e = sl_payload_estimate(self->p, f);
	struct sl_row_set *set;
	uint32_t meant = 0;
	bool exact;

	ASSERT_EQ(0, sl_payload_rows(self->p, f, &set, &exact));
	for (uint32_t row = 0; row < ROWS; row++) {
		bool is = self->objects[row] && sl_filter_matches(f, self->objects[row]);
		bool has = sl_row_set_has(set, row);

		ASSERT_FALSE(has && !self->objects[row]);
		if (exact)
			ASSERT_EQ(is, has);
		else
			ASSERT_TRUE(has || !is);
		meant += is;
	}
	ASSERT_TRUE(e.min <= meant && meant <= e.max);
	ASSERT_TRUE(e.min <= e.expected && e.expected <= e.max);
	sl_row_set_free(set);
	return exact;
}

TEST_F(ask, indexes_agree_with_the_objects)
{
	struct random_filter *r = malloc(sizeof(*r));
	int exact = 0;

	ASSERT_TRUE(r != NULL);
	for (int i = 0; i < variant->tries; i++) {
		const struct sl_filter *f = random_filter(r, ROWS);

		if (i % 4 == 0)
			change(self);
		ASSERT_EQ(0, sl_filter_check(f, NULL, 0));
		exact += compare(self, f);
	}
	if (variant->indexes == RANDOM_INDEXES)
		EXPECT_TRUE(exact > variant->tries / 3);
	free(r);
}

TEST_F(ask, each_condition_is_answered_exactly)
{
	static const uint8_t u[16] = {0, 0, 0, 1, [15] = 10};
	struct sl_operand uuid = {SL_VALUE_UUID};
	const struct sl_filter_key key = {SL_KEY_INTEGER, {4}};
	const struct sl_place corners[] = {{-75, -165}, {75, -165}, {75, 165}, {-75, 165}};
	const struct sl_ring ring = {corners, 4};

	memcpy(uuid.uuid, u, sizeof(u));
	const struct sl_filter *const exact[] = {
		MATCH("k", TEXT("red"), TEXT("x")),
		CONTAINS_ALL("k", TEXT("red"), TEXT("RED")),
		RANGE("k", .low = TEXT("b"), .high = TEXT("s")),
		IN_TEXT(LIKE, "k", "re*", SL_TOKENS_FIELD, true),
		RANGE("f", .low = NUMBER(-1), .high = INTEGER(2)),
		MATCH("f", INTEGER(2)),
		MATCH("b", BOOLEAN(true)),
		RANGE("d", .low = DATE(0)),
		MATCH("u", uuid),
		FILTER(SL_FILTER_BOX, "g", .box = {{45, -65}, {-45, 65}}),
		FILTER(SL_FILTER_BOX, "g", .box = {{45, 65}, {-45, -65}}),
		FILTER(SL_FILTER_RADIUS, "g", .radius = {{1, 2}, 1234567}),
		FILTER(SL_FILTER_POLYGON, "g", .rings = &ring, .ring_n = 1),
		IN_TEXT(WORDS, "t", "red"),
		IN_TEXT(WORDS_ANY, "t", "red green"),
		IN_TEXT(LIKE, "t", "*e*"),
		IN_TEXT(SUBSTRING, "t", "ed"),
		COUNT("k", 1, 2),
		COUNT("i", 0, 0),
		IS_NULL("k"),
		IS_EMPTY("g"),
		FILTER(SL_FILTER_HAS_KEY, .keys = &key, .key_n = 1),
		FILTER(SL_FILTER_HAS_VECTOR, .vector = "image"),
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(exact); i++) {
		const struct sl_filter *none = NONE(exact[i]);
		const struct sl_filter *two =
			FILTER(SL_FILTER_ANY, OF(exact[i], exact[0], exact[5]), .at_least = 2);
		bool is = compare(self, exact[i]) & compare(self, none) & compare(self, two);

		if (!EXPECT_TRUE(is || variant->indexes < RANDOM_INDEXES))
			TH_LOG("condition %zu", i);
	}
}

/* What one index of these rows says; -1 if it is exact, else how many rows it leaves. */
static int left_by(const struct sl_payload_conf *conf, const struct sl_filter *f, int rows,
		   const char *const *points)
{
	struct sl_object *objects[8];
	struct sl_row_set *set;
	struct sl_payload *p;
	bool exact;
	int n;

	ASSERT_EQ(0, sl_payload_new(NULL, NULL, &p));
	ASSERT_EQ(0, sl_payload_index_add(p, conf));
	sl_payload_index_ready(p, conf->path, conf->type);
	for (int i = 0; i < rows; i++) {
		objects[i] = object_of(points[i]);
		ASSERT_EQ(0, sl_payload_add(p, (uint32_t)i, objects[i]));
		free(objects[i]);
	}
	ASSERT_EQ(0, sl_payload_rows(p, f, &set, &exact));
	n = (int)sl_row_set_count(set);
	sl_row_set_free(set);
	sl_payload_free(p);
	return exact ? -1 : n;
}

TEST(phrases_are_left_to_be_looked_at)
{
	static const char *const points[] = {"{\"payload\": {\"t\": \"x green\"}}",
					     "{\"payload\": {\"t\": \"green x\"}}",
					     "{\"payload\": {\"t\": \"green\"}}"};
	const struct sl_payload_conf conf = {"t", SL_PAYLOAD_TEXT};

	EXPECT_EQ(2, left_by(&conf, IN_TEXT(PHRASE, "t", "green x"), 3, points));
	EXPECT_EQ(-1, left_by(&conf, IN_TEXT(WORDS, "t", "green x"), 3, points));
	EXPECT_EQ(-1, left_by(&conf, IN_TEXT(PHRASE, "t", "green"), 3, points));
	EXPECT_EQ(-1, left_by(&conf, IN_TEXT(PHRASE, "t", "green y"), 3, points));
}

TEST(nested_conditions_are_narrowed_by_indexes)
{
	static const char *const points[] = {
		"{\"payload\": {\"n\": [{\"k\": \"a\", \"i\": 1}, {\"k\": \"b\"}]}}",
		"{\"payload\": {\"n\": [{\"k\": \"b\", \"i\": 1}]}}",
		"{\"payload\": {\"n\": {\"k\": \"a\"}}}", "{\"payload\": {}}"};
	const struct sl_filter *a = MATCH("k", TEXT("a"));
	const struct sl_payload_conf list = {"n[].k", SL_PAYLOAD_KEYWORD};
	const struct sl_payload_conf any = {"n.k", SL_PAYLOAD_KEYWORD};
	const struct sl_payload_conf other = {"n[].i", SL_PAYLOAD_KEYWORD};

	EXPECT_EQ(1, left_by(&list, NESTED("n", a), 4, points));
	EXPECT_EQ(1, left_by(&list, NESTED("n[]", a), 4, points));
	EXPECT_EQ(2, left_by(&any, NESTED("n", a), 4, points));
	EXPECT_EQ(4, left_by(&other, NESTED("n", a), 4, points));
	EXPECT_EQ(4, left_by(&list, NESTED("n", NONE(a)), 4, points));
	EXPECT_EQ(-1, left_by(&list, NESTED("n", MATCH("k", TEXT("c"))), 4, points));
}

TEST_HARNESS_MAIN
