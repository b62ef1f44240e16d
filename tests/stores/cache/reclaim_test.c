/* SPDX-License-Identifier: Apache-2.0 */
/* Room: what goes when it is needed, what stays, what is held meanwhile, and a smaller cache. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cache_kit.h"

FIXTURE(reclaim)
{
	struct cache_kit k;
};
FIXTURE_SETUP(reclaim)
{
	cache_kit_init(&self->k, NULL);
	self->k.conf.durability = SL_DURABILITY_NONE;
}
FIXTURE_TEARDOWN(reclaim)
{
}

static void put(struct cache_kit *k, uint32_t id, uint64_t bytes)
{
	struct cache_kit_object o = {.id = id, .bytes = bytes};

	ASSERT_EQ(0, cache_kit_put(k, &o, NULL));
}

static int get(struct cache_kit *k, uint32_t id, uint64_t bytes)
{
	struct cache_kit_object o = {.id = id, .bytes = bytes};

	return cache_kit_get(k, &o, NULL);
}

enum { HOT = 20, COLD = 1500 };

static int stay_or_go(struct cache_kit *k)
{
	struct cache_stat st;
	uint32_t left = 0;

	ASSERT_EQ(0, cache_kit_open(k));
	for (uint32_t i = 0; i < HOT; i++)
		put(k, i, 20000 + i);
	put(k, 5000, 900000); /* in a segment of its own */
	for (uint32_t i = 0; i < COLD; i++) {
		put(k, 10000 + i, 30000);
		EXPECT_EQ(0, get(k, i % HOT, 20000 + i % HOT));
		if (i % 10 == 0)
			EXPECT_EQ(0, get(k, 5000, 900000));
		cache_stat(k->c, &st);
		EXPECT_LE(st.bytes, k->conf.max_bytes);
	}
	EXPECT_LT(0, st.evicted);
	EXPECT_LT(HOT, st.carried);
	EXPECT_EQ(0, k->events[CACHE_QUARANTINED]);
	for (uint32_t i = 0; i < COLD; i++)
		left += !get(k, 10000 + i, 30000);
	/* Most of the space is used. */
	EXPECT_LT(16 * SL_MIB * 6 / 10 / 32768, left);
	EXPECT_LT(left, COLD / 2);
	ASSERT_EQ(0, cache_kit_reopen(k));
	for (uint32_t i = 0; i < HOT; i++)
		EXPECT_EQ(0, get(k, i, 20000 + i));
	cache_kit_close(k);
	return 0;
}

TEST_F(reclaim, what_is_asked_for_stays)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, stay_or_go));
}

static int hold_and_fill(struct cache_kit *k)
{
	struct cache_kit_object small = {.id = 1, .bytes = 5000};
	struct cache_kit_object large = {.id = 2, .bytes = 200000};
	struct sl_part parts[CACHE_PARTS_MAX];
	struct cache_object *a, *b;
	int n;

	ASSERT_EQ(0, cache_kit_open(k));
	ASSERT_EQ(0, cache_kit_put(k, &small, NULL));
	ASSERT_EQ(0, cache_kit_put(k, &large, NULL));
	ASSERT_EQ(0, cache_kit_get(k, &small, &a));
	ASSERT_EQ(0, cache_kit_get(k, &large, &b));
	n = cache_parts(b, 70000, 100000, parts, CACHE_PARTS_MAX, SL_NEVER);
	ASSERT_LT(0, n);
	/* Held, but not asked for again. */
	for (uint32_t i = 0; i < 1000; i++)
		put(k, 100 + i, 30000);
	EXPECT_EQ(-ENOENT, get(k, 1, 5000));
	EXPECT_EQ(-ENOENT, get(k, 2, 200000));
	EXPECT_EQ(0, cache_kit_range(a, &small, 0, 5000));
	EXPECT_EQ(0, cache_kit_range(b, &large, 0, 200000));
	EXPECT_TRUE(cache_kit_parts_are(parts, n, &large, 70000));
	cache_release(a);
	cache_release(b);
	cache_kit_close(k);
	return 0;
}

TEST_F(reclaim, what_is_held_stays_readable)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, hold_and_fill));
}

static int shrink_and_grow(struct cache_kit *k)
{
	struct cache_stat st;

	ASSERT_EQ(0, cache_kit_open(k));
	for (uint32_t i = 0; i < 400; i++)
		put(k, i, 30000);
	cache_stat(k->c, &st);
	EXPECT_LT(8 * SL_MIB, st.bytes);
	k->conf.max_bytes = 4 * SL_MIB;
	cache_configure(k->c, &k->conf);
	EXPECT_EQ(0, cache_trim(k->c, SL_NEVER));
	cache_stat(k->c, &st);
	EXPECT_LE(st.bytes, 4 * SL_MIB);
	EXPECT_LT(0, st.objects);
	put(k, 1000, 30000);
	EXPECT_EQ(0, get(k, 1000, 30000));
	k->conf.max_bytes = 32 * SL_MIB;
	cache_configure(k->c, &k->conf);
	for (uint32_t i = 0; i < 800; i++)
		put(k, i, 30000);
	cache_stat(k->c, &st);
	EXPECT_LT(16 * SL_MIB, st.bytes);
	EXPECT_LE(st.bytes, 32 * SL_MIB);
	/* An object that is too large now was not so before. */
	k->conf.max_bytes = 4 * SL_MIB;
	cache_configure(k->c, &k->conf);
	EXPECT_EQ(-EFBIG, cache_kit_put(k, &(struct cache_kit_object){.id = 1, .bytes = 3 * SL_MIB},
					NULL));
	cache_kit_close(k);
	return 0;
}

TEST_F(reclaim, it_shrinks_and_grows)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, shrink_and_grow));
}

TEST_HARNESS_MAIN
