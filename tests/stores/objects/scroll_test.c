/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists by key and by value, page by page; counts; frequent values.
 *
 * Order of parts: by key; by value; frequent values.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <sluice/util.h>

#include "objects_kit.h"

#define RUN(k, body) ASSERT_EQ(0, ok_run(k, body))

static uint64_t key_of(const struct objects_hit *hit)
{
	uint64_t key;

	memcpy(&key, hit->key.key, sizeof(key));
	return key;
}

static const struct sl_operand yes = {.type = SL_VALUE_BOOLEAN, .boolean = true};
static const struct sl_filter even = {
	.kind = SL_FILTER_MATCH, .path = "even", .operands = &yes, .operand_n = 1};

/* ---- by key ------------------------------------------------------------------------------- */

/* Lists all of "c" in pages. Return: how many; their keys rise by @step. */
static uint32_t pages(struct ok *k, const struct sl_filter *filter, uint32_t limit, uint64_t step)
{
	struct sl_objects_scroll s = {.filter = filter, .limit = limit, .with_objects = true};
	struct objects_list list;
	uint64_t next = 0;
	uint32_t n = 0;

	do {
		ASSERT_EQ(0, objects_scroll(k->o, "c", &s, &list, SL_NEVER));
		for (uint32_t i = 0; i < list.n; i++, next += step) {
			EXPECT_EQ(next, key_of(&list.hits[i]));
			ASSERT_NE(NULL, list.hits[i].object);
		}
		n += list.n;
		s.from = list.next;
		objects_list_done(&list);
	} while (s.from.kind != SL_KEY_NONE);
	return n;
}

static int by_key(struct ok *k)
{
	struct sl_objects_scroll s = {.limit = 3, .skip = 10};
	struct objects_list list;

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_FLAT));
	/* Not in their order. */
	ASSERT_EQ(0, ok_put(k, "c", 300, 700, 0));
	ASSERT_EQ(0, ok_put(k, "c", 0, 300, 0));
	EXPECT_EQ(1000, pages(k, NULL, 7, 1));
	EXPECT_EQ(1000, pages(k, NULL, 1000, 1));
	EXPECT_EQ(1000, pages(k, NULL, 999, 1));
	EXPECT_EQ(500, pages(k, &even, 33, 2));
	EXPECT_EQ(500, pages(k, &even, 1000, 2));
	ASSERT_EQ(0, objects_scroll(k->o, "c", &s, &list, SL_NEVER));
	ASSERT_EQ(3, list.n);
	EXPECT_EQ(10, key_of(&list.hits[0]));
	EXPECT_EQ(NULL, list.hits[0].object);
	objects_list_done(&list);
	s = (struct sl_objects_scroll){.limit = 5, .from = objects_key_integer(990), .after = true};
	ASSERT_EQ(0, objects_scroll(k->o, "c", &s, &list, SL_NEVER));
	ASSERT_EQ(5, list.n);
	EXPECT_EQ(991, key_of(&list.hits[0]));
	objects_list_done(&list);
	s.limit = SL_OBJECTS_LIMIT_MAX + 1;
	EXPECT_EQ(-EINVAL, objects_scroll(k->o, "c", &s, &list, SL_NEVER));
	return ok_close(k);
}

TEST(pages_are_in_the_order_of_keys)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, by_key);
}

/* ---- by value ----------------------------------------------------------------------------- */

static void check_values(struct ok *k, bool falling)
{
	const struct sl_operand from = {.type = SL_VALUE_INTEGER, .integer = 150};
	const struct sl_objects_scroll s = {
		.filter = &even,
		.limit = 10,
		.skip = 1,
		.order_by = "n",
		.descending = falling,
		.order_from = &from,
		.with_objects = true,
	};
	struct objects_list list;

	ASSERT_EQ(0, objects_scroll(k->o, "c", &s, &list, SL_NEVER));
	ASSERT_EQ(10, list.n);
	for (uint32_t i = 0; i < list.n; i++) {
		int64_t n = sl_value_integer(
			sl_value_find(sl_object_properties(list.hits[i].object), "n"));

		EXPECT_EQ(falling ? 148 - 2 * (int64_t)i : 152 + 2 * (int64_t)i, n);
	}
	objects_list_done(&list);
}

static int by_value(struct ok *k)
{
	static const struct sl_payload_conf index = {.path = "n", .type = SL_PAYLOAD_INTEGER};
	struct sl_objects_conf conf;
	struct objects_view *view;
	char why[200];

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_FLAT));
	/* Keys fall as numbers rise. */
	for (uint64_t key = 0; key < 300; key++)
		ASSERT_EQ(0, ok_put(k, "c", key, 1, 299 - 2 * (int64_t)key));
	check_values(k, false);
	check_values(k, true);
	view = objects_view(k->o);
	conf = objects_view_find(view, "c")->conf;
	conf.indexes = &index;
	conf.indexes_n = 1;
	ASSERT_EQ(0, objects_change(k->o, "c", 0, &conf, why, sizeof(why), SL_NEVER));
	objects_view_release(view);
	check_values(k, false);
	check_values(k, true);
	return ok_close(k);
}

TEST(lists_are_in_the_order_of_values)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, by_value);
}

/* ---- frequent values ---------------------------------------------------------------------- */

static void check_facet(struct ok *k)
{
	struct sl_objects_facet *facets;
	uint32_t n;

	ASSERT_EQ(0, objects_facet(k->o, "c", NULL, "even", 10, &facets, &n, SL_NEVER));
	ASSERT_EQ(2, n);
	EXPECT_TRUE(facets[0].value.boolean);
	EXPECT_EQ(51, facets[0].n);
	EXPECT_EQ(50, facets[1].n);
	free(facets);
	ASSERT_EQ(0, objects_facet(k->o, "c", &even, "n", 3, &facets, &n, SL_NEVER));
	ASSERT_EQ(3, n);
	EXPECT_EQ(0, facets[0].value.integer);
	EXPECT_EQ(1, facets[0].n);
	EXPECT_EQ(4, facets[2].value.integer);
	free(facets);
	ASSERT_EQ(0, objects_facet(k->o, "c", NULL, "none", 3, &facets, &n, SL_NEVER));
	EXPECT_EQ(0, n);
	free(facets);
}

static int facets_of(struct ok *k)
{
	static const struct sl_payload_conf indexes[] = {
		{.path = "even", .type = SL_PAYLOAD_BOOLEAN},
		{.path = "n", .type = SL_PAYLOAD_INTEGER},
	};
	struct sl_objects_conf conf;
	struct objects_view *view;
	char why[200];

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_FLAT));
	ASSERT_EQ(0, ok_put(k, "c", 0, 101, 0));
	check_facet(k);
	view = objects_view(k->o);
	conf = objects_view_find(view, "c")->conf;
	conf.indexes = indexes;
	conf.indexes_n = 2;
	ASSERT_EQ(0, objects_change(k->o, "c", 0, &conf, why, sizeof(why), SL_NEVER));
	objects_view_release(view);
	check_facet(k);
	return ok_close(k);
}

TEST(frequent_values_come_first)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, facets_of);
}

TEST_HARNESS_MAIN
