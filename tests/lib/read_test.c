/* SPDX-License-Identifier: Apache-2.0 */
/* libsluice's store of objects: held objects, lists, counts, frequent values. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store_kit.h"

enum { N = 30 };

FIXTURE(reading)
{
	struct sl_objects *o;
};

FIXTURE_SETUP(reading)
{
	self->o = store_open("durability=none");
	ASSERT_EQ(0, store_create(self->o, "c", SL_INDEX_FLAT));
	ASSERT_EQ(0, store_put(self->o, "c", 1, N, 0));
}

FIXTURE_TEARDOWN(reading)
{
	EXPECT_EQ(0, sl_objects_close(self->o));
}

static int64_t number_of(const struct sl_object *object)
{
	return sl_value_integer(sl_value_find(sl_object_properties(object), "n"));
}

/* ---- held objects ----------------------------------------------------------------------- */

TEST_F(reading, those_that_are_missing_have_no_object)
{
	const uint8_t *uuid = (const uint8_t *)"0123456789abcdef";
	const struct sl_filter_key keys[] = {
		sl_objects_key_integer(7),
		sl_objects_key_integer(1000),
		sl_objects_key_uuid(uuid),
		sl_objects_key_integer(8),
	};
	struct sl_objects_hit hits[4];

	ASSERT_EQ(0, sl_objects_get(self->o, "c", keys, 4, hits));
	EXPECT_EQ(7, number_of(hits[0].object));
	EXPECT_NULL(hits[1].object);
	EXPECT_NULL(hits[2].buffer);
	EXPECT_EQ(8, number_of(hits[3].object));
	EXPECT_GE(hits[3].version, hits[0].version);
	EXPECT_EQ(8, store_key(&hits[3].key));
	sl_objects_release(hits, 4);
	EXPECT_NULL(hits[0].object);
	sl_objects_release(hits, 4);
	EXPECT_EQ(0, sl_objects_get(self->o, "c", NULL, 0, hits));
	EXPECT_EQ(-ENOENT, sl_objects_get(self->o, "none", keys, 4, hits));
}

static void *look_and_release(void *arg)
{
	struct sl_buffer_slice *slice = arg;
	const struct sl_object *object;

	EXPECT_EQ(0, sl_object_open(slice->data, slice->n, &object));
	EXPECT_EQ(7, number_of(object));
	sl_buffer_slice_release(slice);
	return NULL;
}

/* A version that is held stays, also for another thread, and when the store is closed. */
TEST(what_is_held_outlives_its_key_and_the_store)
{
	struct sl_objects *o = store_open("");
	const struct sl_filter_key key = sl_objects_key_integer(7);
	struct sl_buffer_slice slice;
	struct sl_objects_hit hit;
	pthread_t thread;

	ASSERT_EQ(0, store_create(o, "c", SL_INDEX_FLAT));
	ASSERT_EQ(0, store_put(o, "c", 1, 10, 0));
	ASSERT_EQ(0, sl_objects_get(o, "c", &key, 1, &hit));
	EXPECT_EQ(0, (uintptr_t)hit.object % SL_OBJECT_ALIGN);
	EXPECT_EQ(sl_object_bytes(hit.object), sl_buffer_bytes(hit.buffer));
	EXPECT_EQ(1, sl_buffer_count(hit.buffer));
	EXPECT_EQ(0, sl_buffer_slice(hit.buffer, 0, sl_buffer_bytes(hit.buffer), &slice));
	EXPECT_EQ(-ERANGE, sl_buffer_slice(hit.buffer, 1, sl_buffer_bytes(hit.buffer),
					   &(struct sl_buffer_slice){0}));
	EXPECT_EQ(0, store_put(o, "c", 7, 1, 50));
	EXPECT_EQ(57, store_number(o, "c", 7));
	EXPECT_EQ(7, number_of(hit.object));
	sl_objects_release(&hit, 1);
	EXPECT_EQ(0, sl_objects_close(o));
	ASSERT_EQ(0, pthread_create(&thread, NULL, look_and_release, &slice));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_NULL(slice.buffer);
}

/* ---- lists ------------------------------------------------------------------------------ */

TEST_F(reading, lists_go_on_where_they_ended)
{
	struct sl_objects_scroll scroll = {.limit = 7, .with_objects = true};
	struct sl_objects_list list;
	uint64_t next = 1;

	do {
		ASSERT_EQ(0, sl_objects_scroll(self->o, "c", &scroll, &list));
		for (uint32_t i = 0; i < list.n; i++) {
			EXPECT_EQ(next, store_key(&list.hits[i].key));
			EXPECT_EQ(next++, number_of(list.hits[i].object));
		}
		scroll.from = list.next;
		sl_objects_list_done(&list);
		EXPECT_NULL(list.hits);
	} while (scroll.from.kind != SL_KEY_NONE);
	EXPECT_EQ(N + 1, next);
}

TEST_F(reading, lists_may_be_by_a_property_and_of_some)
{
	const struct sl_operand ten = {.type = SL_VALUE_INTEGER, .integer = 10};
	const struct sl_operand yes = {.type = SL_VALUE_BOOLEAN, .boolean = true};
	const struct sl_filter even = {
		.kind = SL_FILTER_MATCH, .path = "even", .operands = &yes, .operand_n = 1};
	const struct sl_objects_scroll scroll = {
		.filter = &even,
		.limit = 3,
		.skip = 1,
		.order_by = "n",
		.descending = true,
		.order_from = &ten,
	};
	struct sl_objects_list list;

	ASSERT_EQ(0, sl_objects_scroll(self->o, "c", &scroll, &list));
	ASSERT_EQ(3, list.n);
	for (uint32_t i = 0; i < 3; i++) {
		EXPECT_EQ(8 - 2 * i, store_key(&list.hits[i].key));
		EXPECT_NULL(list.hits[i].object);
	}
	sl_objects_list_done(&list);
}

/* ---- counts and facets ------------------------------------------------------------------ */

TEST_F(reading, what_matches_is_counted)
{
	const struct sl_operand two = {.type = SL_VALUE_TEXT, .text = {"two", 3}};
	const struct sl_filter text = {
		.kind = SL_FILTER_MATCH, .path = "text", .operands = &two, .operand_n = 1};
	const struct sl_filter wrong = {
		.kind = SL_FILTER_MATCH, .path = "te..xt", .operands = &two, .operand_n = 1};
	uint64_t n;

	EXPECT_EQ(0, sl_objects_count(self->o, "c", &text, true, &n));
	EXPECT_EQ(N / 3, n);
	EXPECT_EQ(0, sl_objects_count(self->o, "c", NULL, false, &n));
	EXPECT_EQ(N, n);
	EXPECT_EQ(-EINVAL, sl_objects_count(self->o, "c", &wrong, true, &n));
}

TEST_F(reading, frequent_values_come_first)
{
	struct sl_objects_facet *facets;
	uint32_t n;

	ASSERT_EQ(0, sl_objects_delete(self->o, "c", sl_objects_key_integer(3)));
	ASSERT_EQ(0, sl_objects_facet(self->o, "c", NULL, "text", 10, &facets, &n));
	ASSERT_EQ(3, n);
	EXPECT_EQ(N / 3, facets[0].n);
	EXPECT_EQ(SL_VALUE_TEXT, facets[0].value.type);
	EXPECT_EQ(0, memcmp("three", facets[0].value.text.p, 5));
	EXPECT_EQ(5, facets[0].value.text.n);
	EXPECT_EQ(0, memcmp("two", facets[1].value.text.p, 3));
	EXPECT_EQ(N / 3 - 1, facets[2].n);
	EXPECT_EQ(0, memcmp("one", facets[2].value.text.p, 3));
	free(facets);
}

TEST_HARNESS_MAIN
