/* SPDX-License-Identifier: Apache-2.0 */
/* The table of objects, against a model that is an array; its memory. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "allocs.h"
#include "harness.h"
#include "stores/cache/s3fifo.h"
#include "stores/cache/table.h"
#include "uring/uring.h"

/* ---- against a model -------------------------------------------------------------------- */

#define KEYS 5000

/* @hash_mask: what is left of a hash's first word, by which buckets are chosen. */
FIXTURE(table)
{
	struct cache_table t;
	struct cache_slot model[KEYS]; /* blocks 0: not there */
	uint32_t n;
};

FIXTURE_VARIANT(table)
{
	uint32_t hash_mask;
};

FIXTURE_VARIANT_ADD(table, spread){.hash_mask = UINT32_MAX};
FIXTURE_VARIANT_ADD(table, crowded){.hash_mask = 0x700};
FIXTURE_VARIANT_ADD(table, one_bucket){.hash_mask = 0};

FIXTURE_SETUP(table)
{
	cache_table_init(&self->t);
	memset(self->model, 0, sizeof(self->model));
	self->n = 0;
}

FIXTURE_TEARDOWN(table)
{
	cache_table_done(&self->t);
}

static void hash_of(uint32_t key, uint32_t mask, uint64_t *ret_hash)
{
	ret_hash[0] = sl_mix64(key + 1);
	ret_hash[0] &= (UINT64_C(0xffffffff) << 32) | mask;
	ret_hash[1] = sl_mix64(ret_hash[0] + key);
}

static bool is_same(const struct cache_slot *a, const struct cache_slot *b)
{
	return !memcmp(a->hash, b->hash, sizeof(a->hash)) && a->version == b->version &&
	       a->freq == b->freq && a->region == b->region && a->flags == b->flags &&
	       a->segment == b->segment && a->block == b->block && a->blocks == b->blocks &&
	       a->expires_s == b->expires_s;
}

static struct cache_slot random_slot(const uint64_t hash[2])
{
	uint64_t r = harness_random(), q = harness_random();
	struct cache_slot s = {
		.version = r & CACHE_VERSION_MAX,
		.freq = q & 3,
		.region = q >> 2 & 1,
		.flags = q >> 3 & 0x1ff,
		.segment = (uint32_t)(q >> 32),
		.block = (uint32_t)r,
		.blocks = (uint32_t)(r >> 33) | 1,
		.expires_s = (uint32_t)(q >> 12),
	};

	cache_slot_set_hash(&s, hash);
	return s;
}

static void put_one(FIXTURE_DATA(table) * self, uint32_t key, uint32_t mask)
{
	struct cache_slot *known = &self->model[key], old, s;
	uint64_t hash[2];

	hash_of(key, mask, hash);
	s = random_slot(hash);
	ASSERT_EQ(known->blocks ? 1 : 0, cache_table_put(&self->t, &s, &old));
	if (known->blocks)
		ASSERT_TRUE(is_same(known, &old));
	else
		self->n++;
	*known = s;
}

static void del_one(FIXTURE_DATA(table) * self, uint32_t key, uint32_t mask)
{
	struct cache_slot *s;
	uint64_t hash[2];

	hash_of(key, mask, hash);
	s = cache_table_find(&self->t, hash);
	if (!self->model[key].blocks) {
		ASSERT_NULL(s);
		return;
	}
	ASSERT_NOT_NULL(s);
	cache_table_del(&self->t, s);
	self->model[key].blocks = 0;
	self->n--;
}

static void compare_all(FIXTURE_DATA(table) * self, uint32_t mask)
{
	uint32_t found = 0;
	uint64_t hash[2];

	ASSERT_EQ(self->n, cache_table_count(&self->t));
	for (uint32_t key = 0; key < KEYS; key++) {
		struct cache_slot *s;

		hash_of(key, mask, hash);
		s = cache_table_find(&self->t, hash);
		ASSERT_EQ(self->model[key].blocks != 0, s != NULL);
		if (s)
			ASSERT_TRUE(is_same(&self->model[key], s));
		found += s != NULL;
	}
	EXPECT_EQ(self->n, found);
}

/* Grows, stays and shrinks by turns, since puts and deletes are not equally likely. */
TEST_F(table, does_as_the_model)
{
	uint32_t steps = variant->hash_mask ? 60000 : 6000;
	uint32_t keys = variant->hash_mask ? KEYS : 300;

	for (int round = 0; round < 4; round++) {
		for (uint32_t i = 0; i < steps; i++) {
			uint32_t key = harness_random() % keys;

			if (harness_random() % 10 < (round % 2 ? 2 : 8))
				put_one(self, key, variant->hash_mask);
			else
				del_one(self, key, variant->hash_mask);
		}
		compare_all(self, variant->hash_mask);
	}
	for (uint32_t key = 0; key < KEYS; key++)
		del_one(self, key, variant->hash_mask);
	compare_all(self, variant->hash_mask);
}

TEST_F(table, a_walk_meets_all_that_stay)
{
	uint32_t keys = variant->hash_mask ? KEYS : 300;
	static bool stays[KEYS], met[KEYS];
	uint32_t at, walked = 0;

	for (uint32_t key = 0; key < keys; key++) {
		stays[key] = harness_random() % 4 > 0;
		if (stays[key] || harness_random() % 2)
			put_one(self, key, variant->hash_mask);
	}
	for (at = cache_table_count(&self->t); at;) {
		struct cache_slot *s = cache_table_at(&self->t, --at);

		for (uint32_t key = 0; key < keys; key++)
			met[key] |= is_same(&self->model[key], s);
		walked++;
		for (int i = 0; i < 3; i++) {
			uint32_t key = harness_random() % keys;

			if (stays[key])
				continue;
			if (harness_random() % 3)
				del_one(self, key, variant->hash_mask);
			else
				put_one(self, key, variant->hash_mask);
		}
		at = sl_min(at, cache_table_count(&self->t));
	}
	for (uint32_t key = 0; key < keys; key++)
		if (stays[key] && !EXPECT_TRUE(met[key]))
			TH_LOG("key %u was not met in %u steps", key, walked);
}

/* ---- growing ---------------------------------------------------------------------------- */

TEST(an_empty_table_has_no_memory_and_finds_nothing)
{
	struct cache_table t;

	cache_table_init(&t);
	EXPECT_NULL(cache_table_find(&t, (uint64_t[2]){1, 2}));
	EXPECT_EQ(0, cache_table_count(&t));
	EXPECT_EQ(0, cache_table_bytes(&t));
	cache_table_done(&t);
}

static void fill(struct cache_table *t, uint32_t from, uint32_t to)
{
	struct cache_slot old;
	uint64_t hash[2];

	for (uint32_t key = from; key < to; key++) {
		struct cache_slot s = {.segment = key, .blocks = 1};

		hash_of(key, UINT32_MAX, hash);
		cache_slot_set_hash(&s, hash);
		ASSERT_EQ(0, cache_table_put(t, &s, &old));
	}
}

TEST(it_grows_and_shrinks_a_bucket_or_two_at_a_time)
{
	struct cache_table t;
	uint32_t before;

	cache_table_init(&t);
	for (uint32_t key = 0; key < 200000 / (uint32_t)harness_work_part(); key++) {
		before = t.heads_n;
		fill(&t, key, key + 1);
		ASSERT_TRUE(!before || t.heads_n - before <= 2);
		ASSERT_GE(t.slots_n, t.heads_n - (t.heads_n > 1024 ? 0 : 1024));
		ASSERT_LE(t.slots_n, sl_max(t.heads_n, 1024u));
	}
	while (cache_table_count(&t)) {
		before = t.heads_n;
		cache_table_del(&t, cache_table_at(&t, cache_table_count(&t) / 2));
		ASSERT_LE(before - t.heads_n, 2);
	}
	EXPECT_EQ(1024, t.heads_n);
	EXPECT_LE(cache_table_bytes(&t), 128 * 1024);
	cache_table_done(&t);
}

TEST(what_is_expected_has_its_buckets_at_once)
{
	struct cache_table t;
	uint64_t hash[2];

	cache_table_init(&t);
	cache_table_expect(&t, 0);
	EXPECT_EQ(0, cache_table_bytes(&t));
	cache_table_expect(&t, 50000);
	EXPECT_EQ(50000, t.heads_n);
	for (uint32_t key = 0; key < 20000; key++) {
		hash_of(key, UINT32_MAX, hash);
		cache_table_fetch_head(&t, hash);
		cache_table_fetch_slot(&t, hash);
		fill(&t, key, key + 1);
		ASSERT_EQ(50000, t.heads_n);
	}
	cache_table_expect(&t, 10000); /* there are enough */
	EXPECT_EQ(50000, t.heads_n);
	cache_table_fit(&t);
	EXPECT_EQ(20000, t.heads_n);
	for (uint32_t key = 0; key < 20000; key++) {
		struct cache_slot *found;

		hash_of(key, UINT32_MAX, hash);
		found = cache_table_find(&t, hash);
		ASSERT_NOT_NULL(found);
		ASSERT_EQ(key, found->segment);
	}
	fill(&t, 20000, 30000);
	EXPECT_EQ(30000, t.heads_n);
	cache_table_done(&t);
}

/* ---- memory ----------------------------------------------------------------------------- */

static uint64_t allocated(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* As many objects as there are in a full cache, all of which came and went once before. */
static void fill_queue(struct s3fifo *q, uint32_t n)
{
	struct cache_slot s = {.region = CACHE_SMALL};
	uint64_t hash[2];

	for (uint32_t i = 0; i < n; i++)
		s3fifo_added(q, &s);
	for (uint32_t i = 0; i < 2 * n; i++) {
		hash_of(i, UINT32_MAX, hash);
		cache_slot_set_hash(&s, hash);
		s3fifo_reclaim(q, &s);
		s3fifo_added(q, &s);
	}
}

TEST_TIMEOUT(an_object_costs_at_most_48_bytes, 120)
{
	static const uint32_t counts[] = {300000, 700001, 1000000, 1048577};
	size_t n = harness_work_part() > 1 ? 1 : SL_ARRAY_SIZE(counts);
	struct cache_table t;
	struct s3fifo q;

	for (size_t i = 0; i < n; i++) {
		uint64_t before = allocated();
		double each, own;

		cache_table_init(&t);
		s3fifo_init(&q, 1000);
		fill(&t, 0, counts[i]);
		fill_queue(&q, counts[i]);
		each = (double)(allocated() - before) / counts[i];
		own = (double)(cache_table_bytes(&t) + s3fifo_bytes(&q)) / counts[i];
		TH_LOG("%u objects: %.2f bytes each, %.2f by its own count, ghosts %.2f", counts[i],
		       each, own, (double)s3fifo_bytes(&q) / counts[i]);
		EXPECT_GT(own, 40.0);
		EXPECT_LE(own, 48.0);
		if (allocs_can_count()) {
			EXPECT_GT(each, 40.0);
			EXPECT_LE(each, 48.0);
		}
		cache_table_done(&t);
		s3fifo_done(&q);
	}
}

/* What is there stays, and more comes once there is memory again. */
TEST(without_memory_a_put_fails_and_changes_nothing)
{
	struct rlimit was, none;
	struct cache_slot old, s = {.blocks = 1};
	struct cache_table t;
	uint64_t hash[2];
	uint32_t n = 1;
	int rc = 0;

	if (!allocs_can_count())
		SKIP(return, "a sanitizer's allocator does not fail, it ends the process");
	cache_table_init(&t);
	fill(&t, 0, 1);
	ASSERT_EQ(0, getrlimit(RLIMIT_AS, &was));
	none = (struct rlimit){.rlim_cur = 1, .rlim_max = was.rlim_max};
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &none));
	while (n < 10000000) {
		hash_of(n, UINT32_MAX, hash);
		cache_slot_set_hash(&s, hash);
		s.segment = n;
		rc = cache_table_put(&t, &s, &old);
		if (rc)
			break;
		n++;
	}
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &was));
	EXPECT_EQ(-ENOMEM, rc);
	EXPECT_EQ(n, cache_table_count(&t));
	fill(&t, n, n + 5000);
	for (uint32_t key = 0; key < n + 5000; key++) {
		struct cache_slot *found;

		hash_of(key, UINT32_MAX, hash);
		found = cache_table_find(&t, hash);
		ASSERT_NOT_NULL(found);
		if (key)
			ASSERT_EQ(key, found->segment);
	}
	EXPECT_EQ(t.slots_n, t.heads_n);
	cache_table_done(&t);
}

TEST_HARNESS_MAIN
