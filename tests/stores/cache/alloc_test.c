/* SPDX-License-Identifier: Apache-2.0 */
/* A hit of what is hot takes no memory: neither of a small object nor of a large one. */
#include "allocs.h"
#include "cache_kit.h"

static const struct cache_kit_object objects[] = {
	{.id = 0, .bytes = 100}, {.id = 1, .bytes = 30000}, {.id = 2, .bytes = 3000000}};

static void hit_all(struct cache_kit *k)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(objects); i++) {
		struct sl_part parts[CACHE_PARTS_MAX];
		struct cache_object *o;
		int n;

		ASSERT_EQ(0, cache_lookup(k->c, cache_kit_key(objects[i].id), 0, &o, SL_NEVER));
		n = cache_parts(o, 0, o->bytes, parts, CACHE_PARTS_MAX, SL_NEVER);
		EXPECT_EQ(1, n);
		for (int j = 0; j < n; j++)
			sl_part_release(&parts[j]);
		cache_release(o);
	}
}

static int hit_again(struct cache_kit *k)
{
	unsigned long before;

	ASSERT_EQ(0, cache_kit_open(k));
	for (size_t i = 0; i < SL_ARRAY_SIZE(objects); i++)
		ASSERT_EQ(0, cache_kit_put(k, &objects[i], NULL));
	for (int i = 0; i < 5; i++)
		hit_all(k);
	before = allocs_counted();
	EXPECT_LT(0, before); /* the counting works */
	for (int i = 0; i < 100; i++)
		hit_all(k);
	EXPECT_EQ(before, allocs_counted());
	cache_kit_close(k);
	return 0;
}

TEST(a_hit_of_what_is_hot_allocates_nothing)
{
	struct cache_kit k;

	if (!allocs_can_count())
		SKIP(return, "a sanitizer has an allocator of its own");
	cache_kit_init(&k, NULL);
	EXPECT_EQ(0, cache_kit_run(&k, hit_again));
}

TEST_HARNESS_MAIN
