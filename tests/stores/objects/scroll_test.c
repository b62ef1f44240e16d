/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists by key and by value, page by page; counts; frequent values; snapshots that are taken and
 * restored.
 *
 * Order of parts: by key; by value; frequent values; snapshots.
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

	memcpy(&key, hit->key.bytes, sizeof(key));
	return key;
}

static const struct sl_operand yes = {.type = SL_VALUE_BOOLEAN, .boolean = true};
static const struct sl_filter even = {
	.kind = SL_FILTER_MATCH, .path = "even", .operands = &yes, .operand_n = 1};

/* ---- by key ------------------------------------------------------------------------------- */

/* Lists all of "c" in pages. Return: how many; their keys rise by @step. */
static uint32_t pages(struct ok *k, const struct sl_filter *filter, uint32_t limit, uint64_t step)
{
	struct objects_scroll s = {.filter = filter, .limit = limit, .with_objects = true};
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
	struct objects_scroll s = {.limit = 3, .skip = 10};
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
	s = (struct objects_scroll){.limit = 5, .from = objects_key_integer(990), .after = true};
	ASSERT_EQ(0, objects_scroll(k->o, "c", &s, &list, SL_NEVER));
	ASSERT_EQ(5, list.n);
	EXPECT_EQ(991, key_of(&list.hits[0]));
	objects_list_done(&list);
	s.limit = OBJECTS_LIMIT_MAX + 1;
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
	const struct objects_order order = {.path = "n", .descending = falling, .from = &from};
	const struct objects_scroll s = {
		.filter = &even, .limit = 10, .skip = 1, .order = &order, .with_objects = true};
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
	struct objects_collection_conf conf;
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
	struct objects_facet *facets;
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
	struct objects_collection_conf conf;
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

/* ---- snapshots ---------------------------------------------------------------------------- */

static int snapshots(struct ok *k)
{
	struct objects_snapshot one, *list;
	struct sl_extent extent;
	char why[200], path[500];
	uint8_t byte;
	uint32_t n;
	int dir;

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_FLAT));
	ASSERT_EQ(0, ok_put(k, "c", 0, 500, 3));
	ASSERT_EQ(0, objects_snapshot_create(k->o, "c", &one, SL_NEVER));
	ASSERT_EQ(0, objects_snapshot_list(k->o, "c", &list, &n, SL_NEVER));
	ASSERT_EQ(1, n);
	EXPECT_STREQ(one.name, list[0].name);
	EXPECT_EQ(one.bytes, list[0].bytes);
	free(list);
	ASSERT_EQ(0, objects_snapshot_open(k->o, "c", one.name, &extent, SL_NEVER));
	EXPECT_EQ(one.bytes, extent.len);
	sl_file_release(extent.file);
	EXPECT_EQ(-ENOENT, objects_snapshot_open(k->o, "c", "../collection", &extent, SL_NEVER));

	dir = sl_open(k->conf.dir, "objects", O_RDONLY | O_DIRECTORY, 0, SL_NEVER);
	ASSERT_LE(0, dir);
	{
		struct objects_view *view = objects_view(k->o);
		const uint8_t *id = objects_view_find(view, "c")->id;
		int at = 0;

		for (int i = 0; i < SL_OBJECT_UUID_BYTES; i++)
			at += snprintf(path + at, sizeof(path) - (size_t)at, "%02x", id[i]);
		snprintf(path + at, sizeof(path) - (size_t)at, "/snapshots/%s", one.name);
		objects_view_release(view);
	}
	ASSERT_EQ(0, objects_snapshot_restore(k->o, "d", dir, path, why, sizeof(why), SL_NEVER));
	EXPECT_EQ(500, ok_count(k, "d"));
	EXPECT_EQ(10, ok_number(k, "d", 7));
	EXPECT_EQ(7, ok_nearest(k, "d", 10, true));

	/* Any byte that is wrong is noticed before anything is replaced. */
	for (uint64_t pos = 0; pos < one.bytes; pos += one.bytes / 50) {
		int fd = sl_open(dir, path, O_RDWR, 0, SL_NEVER), rc;

		ASSERT_LE(0, fd);
		ASSERT_EQ(0, sl_read_all(fd, &byte, 1, pos, SL_NEVER));
		byte ^= 4;
		ASSERT_EQ(0, sl_write_all(fd, &byte, 1, pos, SL_NEVER));
		rc = objects_snapshot_restore(k->o, "d", dir, path, why, sizeof(why), SL_NEVER);
		if (!EXPECT_EQ(-EBADMSG, rc))
			TH_LOG("at %llu", (unsigned long long)pos);
		byte ^= 4;
		ASSERT_EQ(0, sl_write_all(fd, &byte, 1, pos, SL_NEVER));
		sl_close(fd);
	}
	EXPECT_EQ(500, ok_count(k, "d"));
	EXPECT_EQ(0, objects_snapshot_delete(k->o, "c", one.name, SL_NEVER));
	EXPECT_EQ(-ENOENT, objects_snapshot_delete(k->o, "c", one.name, SL_NEVER));
	sl_close(dir);
	return ok_close(k);
}

TEST(snapshot_gives_back_what_it_was_made_of)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, snapshots);
}

TEST_HARNESS_MAIN
