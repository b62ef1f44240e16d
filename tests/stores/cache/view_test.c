/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cores have in memory: shared by who asks at once, bounded, and never older than what was
 * acknowledged to anybody, on whichever core.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cache_kit.h"

FIXTURE(view)
{
	struct cache_kit k;
};
FIXTURE_SETUP(view)
{
	cache_kit_init(&self->k, NULL);
}
FIXTURE_TEARDOWN(view)
{
}

/* ---- one core ----------------------------------------------------------------------------- */

static int ask_again(struct cache_kit *k)
{
	struct cache_kit_object o = {.id = 1, .bytes = 4096};
	struct cache_object *a, *b;
	struct cache_stat st;

	ASSERT_EQ(0, cache_kit_open(k));
	ASSERT_EQ(0, cache_kit_put(k, &o, NULL));
	ASSERT_EQ(0, cache_kit_get(k, &o, &a));
	ASSERT_EQ(0, cache_kit_get(k, &o, &b));
	EXPECT_EQ((uintptr_t)a, (uintptr_t)b);
	cache_stat(k->c, &st);
	EXPECT_EQ(2, st.hits);
	EXPECT_EQ(1, st.memory_hits);
	EXPECT_EQ(1, st.memory_objects);
	/* What is held stays as it is when it is replaced, and when it is removed. */
	o.gen = 1;
	ASSERT_EQ(0, cache_kit_put(k, &o, NULL));
	EXPECT_EQ(0, cache_kit_get(k, &o, NULL));
	o.gen = 0;
	EXPECT_EQ(0, cache_kit_range(a, &o, 0, 4096));
	ASSERT_EQ(0, cache_remove(k->c, cache_kit_key(1), SL_NEVER));
	EXPECT_EQ(0, cache_kit_range(b, &o, 0, 4096));
	EXPECT_EQ(-ENOENT, cache_kit_get(k, &o, NULL));
	cache_release(a);
	cache_release(b);
	cache_kit_close(k);
	return 0;
}

TEST_F(view, what_is_asked_for_again_is_in_memory)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, ask_again));
}

static int ask_for_many(struct cache_kit *k)
{
	struct cache_kit_object hot = {.id = 1000, .bytes = 4096};
	struct cache_stat st;

	ASSERT_EQ(0, cache_kit_open(k));
	ASSERT_EQ(0, cache_kit_put(k, &hot, NULL));
	for (uint32_t i = 0; i < 300; i++) {
		struct cache_kit_object o = {.id = i, .bytes = 4096};

		ASSERT_EQ(0, cache_kit_put(k, &o, NULL));
		EXPECT_EQ(0, cache_kit_get(k, &o, NULL));
		EXPECT_EQ(0, cache_kit_get(k, &hot, NULL));
	}
	cache_stat(k->c, &st);
	EXPECT_LE(st.memory_bytes, SL_MIB);
	EXPECT_LT(50, st.memory_objects);
	/* Of the hot one all but the first were found in memory. */
	EXPECT_EQ(299, st.memory_hits);
	cache_kit_close(k);
	return 0;
}

TEST_F(view, memory_is_bounded_and_keeps_what_is_asked_for)
{
	self->k.conf.memory_bytes = SL_MIB;
	self->k.conf.durability = SL_DURABILITY_NONE;
	EXPECT_EQ(0, cache_kit_run(&self->k, ask_for_many));
}

enum { LARGE_IDS = 64, LARGE_BYTES = 48 << 10 };

/* Each of @ids objects, @rounds times in turn. Return: how many were found in memory. */
static uint64_t ask_round(struct cache_kit *k, uint32_t ids, int rounds)
{
	struct cache_stat before, after;

	cache_stat(k->c, &before);
	for (int i = 0; i < rounds; i++)
		for (uint32_t id = 0; id < ids; id++) {
			struct cache_kit_object o = {.id = id, .bytes = LARGE_BYTES};

			EXPECT_EQ(0, cache_kit_get(k, &o, NULL));
		}
	cache_stat(k->c, &after);
	return after.memory_hits - before.memory_hits;
}

static int outgrow_memory(struct cache_kit *k)
{
	struct cache_stat st;

	ASSERT_EQ(0, cache_kit_open(k));
	for (uint32_t id = 0; id < LARGE_IDS; id++) {
		struct cache_kit_object o = {.id = id, .bytes = LARGE_BYTES};

		ASSERT_EQ(0, cache_kit_put(k, &o, NULL));
	}
	cache_stat(k->c, &st);
	EXPECT_EQ(64 << 10, st.whole_bytes);
	/* Few enough of them stay as they are, however often they are asked for. */
	EXPECT_LT(600, ask_round(k, 8, 100));
	cache_stat(k->c, &st);
	EXPECT_EQ(64 << 10, st.whole_bytes);
	ask_round(k, LARGE_IDS, 40);
	cache_stat(k->c, &st);
	EXPECT_GT(64 << 10, st.whole_bytes);
	/* By now all of them are found: their bodies lie in the page cache. */
	EXPECT_LT(LARGE_IDS * 9, ask_round(k, LARGE_IDS, 10));
	EXPECT_LT(0, st.extents);
	for (uint32_t id = 0; id < LARGE_IDS; id++)
		ASSERT_EQ(0, cache_remove(k->c, cache_kit_key(id), SL_NEVER));
	/* What is loaded from now on is new, and memory has room for it. */
	for (uint32_t i = 1; i <= 1100; i++) {
		struct cache_kit_object o = {.id = 1, .gen = i, .bytes = 4096};

		ASSERT_EQ(0, cache_kit_put(k, &o, NULL));
		EXPECT_EQ(0, cache_kit_get(k, &o, NULL));
	}
	cache_stat(k->c, &st);
	EXPECT_EQ(64 << 10, st.whole_bytes);
	cache_kit_close(k);
	return 0;
}

TEST_F(view, what_memory_does_not_hold_stays_in_the_page_cache)
{
	self->k.conf.memory_bytes = SL_MIB;
	self->k.conf.durability = SL_DURABILITY_NONE;
	self->k.conf.sendfile = true;
	EXPECT_EQ(0, cache_kit_run(&self->k, outgrow_memory));
}

/* ---- several cores ------------------------------------------------------------------------ */

enum { CORES = 3, IDS = 8, ROUNDS = 300, FIBERS = 4 };

/* @acked: the generation that was acknowledged last, raised after a put returned. */
struct race {
	struct cache_kit *k;
	uint32_t begun[IDS], acked[IDS];
	uint32_t wrong, found, left;
	bool has_writer[CORES];
};

static uint32_t gen_of(const struct cache_object *o)
{
	char text[64] = "";
	uint32_t id = 0, gen = 0;

	memcpy(text, o->meta, sl_min(o->meta_bytes, 63u));
	if (sscanf(text, "object %u, generation %u", &id, &gen) != 2)
		return 0;
	return gen;
}

static void look_up(struct race *r, uint32_t id)
{
	uint32_t before = __atomic_load_n(&r->acked[id], __ATOMIC_ACQUIRE);
	struct cache_object *held;

	if (cache_lookup(r->k->c, cache_kit_key(id), 0, &held, SL_NEVER))
		return;
	struct cache_kit_object o = {.id = id, .gen = gen_of(held), .bytes = held->bytes};

	if (o.gen < before || cache_kit_range(held, &o, 0, held->bytes))
		__atomic_fetch_add(&r->wrong, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&r->found, 1, __ATOMIC_RELAXED);
	cache_release(held);
}

/* One writer a key, on the core that it is modulo their number: so generations rise. */
static void store(struct race *r, uint32_t id)
{
	uint32_t gen = __atomic_add_fetch(&r->begun[id], 1, __ATOMIC_RELAXED);
	struct cache_kit_object o = {.id = id, .gen = gen,
				     .bytes = id % 4 == 3 ? 70000 : 1000 + gen};

	if (!cache_kit_put(r->k, &o, NULL))
		__atomic_store_n(&r->acked[id], gen, __ATOMIC_RELEASE);
}

static void race_fiber(void *arg)
{
	struct race *r = arg;
	uint32_t core = sl_core_id(sl_core_self());
	uint64_t random = core * 1000 + (uint64_t)sl_clock_ns();
	bool writes = !r->has_writer[core];

	r->has_writer[core] = true;
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t id = (uint32_t)(sl_mix64(random++) % IDS);

		if (writes && id % CORES == core)
			store(r, id);
		else if (id == 1 && i % 50 == 0)
			cache_purge_tag(r->k->c, (struct cache_key){"none", 4}, SL_NEVER);
		else
			look_up(r, id);
	}
	__atomic_fetch_sub(&r->left, 1, __ATOMIC_RELEASE);
}

static int start_fibers(void *arg, int64_t deadline)
{
	struct race *r = arg;

	(void)deadline;
	for (int i = 0; i < FIBERS; i++) {
		__atomic_fetch_add(&r->left, 1, __ATOMIC_RELAXED);
		if (sl_fiber_start(SL_STACK_SMALL, race_fiber, r))
			return -ENOMEM;
	}
	return 0;
}

static int race(struct cache_kit *k)
{
	struct race r = {.k = k};

	ASSERT_EQ(0, cache_kit_open(k));
	for (uint32_t id = 0; id < IDS; id++)
		store(&r, id);
	for (uint32_t i = 0; i < CORES; i++)
		ASSERT_EQ(0, sl_call(sl_cores_at(sl_core_cores(sl_core_self()), i), start_fibers,
				     &r, SL_NEVER));
	while (__atomic_load_n(&r.left, __ATOMIC_ACQUIRE))
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(0, r.wrong);
	EXPECT_LT(0, r.found);
	EXPECT_EQ(0, k->events[CACHE_QUARANTINED]);
	cache_kit_close(k);
	return 0;
}

TEST_F(view, no_core_finds_what_is_older_than_acknowledged)
{
	self->k.cores = CORES;
	self->k.conf.max_bytes = 512 * SL_MIB;
	self->k.conf.durability = SL_DURABILITY_NONE;
	EXPECT_EQ(0, cache_kit_run(&self->k, race));
}

TEST_HARNESS_MAIN
