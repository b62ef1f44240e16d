/* SPDX-License-Identifier: Apache-2.0 */
/* Bans, against a model that is an array; marks; memory. */
#include <string.h>

#include "harness.h"
#include "stores/cache/purge.h"
#include "uring/uring.h"

FIXTURE(purge)
{
	struct purge_list l;
};

FIXTURE_SETUP(purge)
{
	purge_init(&self->l, harness_seed());
}

FIXTURE_TEARDOWN(purge)
{
	purge_done(&self->l);
}

static int add(struct purge_list *l, enum purge_kind kind, const char *text, uint64_t below)
{
	return purge_add(l, kind, text, strlen(text), below);
}

static bool hits_key(const struct purge_list *l, const char *key, uint64_t version)
{
	return purge_hits_key(l, key, strlen(key), version);
}

static bool hits_tag(const struct purge_list *l, const char *tag, uint64_t version)
{
	return purge_hits_tag(l, tag, strlen(tag), version);
}

TEST_F(purge, nothing_is_banned_at_first)
{
	EXPECT_FALSE(hits_key(&self->l, "", 0));
	EXPECT_FALSE(hits_key(&self->l, "k:a", 0));
	EXPECT_FALSE(hits_tag(&self->l, "a", 0));
	EXPECT_EQ(0, purge_count(&self->l));
}

TEST_F(purge, a_prefix_bans_older_versions_of_what_begins_so)
{
	EXPECT_EQ(0, add(&self->l, PURGE_PREFIX, "k:img/", 100));
	EXPECT_TRUE(hits_key(&self->l, "k:img/", 99));
	EXPECT_TRUE(hits_key(&self->l, "k:img/a", 0));
	EXPECT_FALSE(hits_key(&self->l, "k:img/a", 100));
	EXPECT_FALSE(hits_key(&self->l, "k:img", 0));
	EXPECT_FALSE(hits_key(&self->l, "k:imh/", 0));
	EXPECT_FALSE(hits_key(&self->l, "p:img/a", 0));
	EXPECT_FALSE(hits_tag(&self->l, "k:img/", 0));
}

TEST_F(purge, a_tag_bans_itself_alone)
{
	EXPECT_EQ(0, add(&self->l, PURGE_TAG, "red", 7));
	EXPECT_TRUE(hits_tag(&self->l, "red", 6));
	EXPECT_FALSE(hits_tag(&self->l, "red", 7));
	EXPECT_FALSE(hits_tag(&self->l, "re", 6));
	EXPECT_FALSE(hits_tag(&self->l, "redd", 6));
	EXPECT_FALSE(hits_key(&self->l, "red", 6));
}

TEST_F(purge, the_empty_prefix_bans_all_and_zeros_are_text)
{
	EXPECT_EQ(0, purge_add(&self->l, PURGE_PREFIX, "a\0b", 3, 5));
	EXPECT_TRUE(purge_hits_key(&self->l, "a\0bc", 4, 4));
	EXPECT_FALSE(purge_hits_key(&self->l, "a\0c", 3, 4));
	EXPECT_EQ(0, add(&self->l, PURGE_PREFIX, "", 3));
	EXPECT_TRUE(hits_key(&self->l, "", 2));
	EXPECT_TRUE(purge_hits_key(&self->l, "a\0c", 3, 2));
	EXPECT_FALSE(purge_hits_key(&self->l, "a\0c", 3, 3));
}

TEST_F(purge, the_same_again_raises_it_and_never_lowers_it)
{
	EXPECT_EQ(0, add(&self->l, PURGE_TAG, "t", 10));
	EXPECT_EQ(0, add(&self->l, PURGE_TAG, "t", 20));
	EXPECT_EQ(0, add(&self->l, PURGE_TAG, "t", 15));
	EXPECT_EQ(1, purge_count(&self->l));
	EXPECT_TRUE(hits_tag(&self->l, "t", 19));
	EXPECT_FALSE(hits_tag(&self->l, "t", 20));
}

TEST_F(purge, a_walk_retires_what_was_there_when_it_began)
{
	uint64_t mark;

	EXPECT_EQ(0, add(&self->l, PURGE_PREFIX, "a", 10));
	EXPECT_EQ(0, add(&self->l, PURGE_PREFIX, "b", 11));
	EXPECT_EQ(0, add(&self->l, PURGE_TAG, "t", 12));
	mark = purge_mark(&self->l);
	EXPECT_EQ(0, add(&self->l, PURGE_PREFIX, "a", 20)); /* raised during the walk */
	EXPECT_EQ(0, add(&self->l, PURGE_PREFIX, "c", 21));
	purge_retire(&self->l, mark);
	EXPECT_EQ(2, purge_count(&self->l));
	EXPECT_TRUE(hits_key(&self->l, "a", 19));
	EXPECT_FALSE(hits_key(&self->l, "b", 0));
	EXPECT_TRUE(hits_key(&self->l, "c", 20));
	EXPECT_FALSE(hits_tag(&self->l, "t", 0));
	EXPECT_FALSE(purge_may_hit(&self->l, PURGE_TAG, 0));
	EXPECT_FALSE(purge_may_hit(&self->l, PURGE_PREFIX, 21));
	purge_retire(&self->l, purge_mark(&self->l));
	EXPECT_EQ(0, purge_count(&self->l));
	EXPECT_FALSE(purge_may_hit(&self->l, PURGE_PREFIX, 0));
}

/* ---- against a model -------------------------------------------------------------------- */

#define BANS_MAX 2000

struct ban {
	enum purge_kind kind;
	uint8_t text[12];
	size_t n;
	uint64_t below;
};

/* Few letters, so that texts begin alike and come again. */
static size_t random_text(uint8_t *dst, size_t max)
{
	size_t n = harness_random() % (max + 1);

	for (size_t i = 0; i < n; i++)
		dst[i] = "ab\0"[harness_random() % 3];
	return n;
}

static bool model_hits(const struct ban *bans, uint32_t n, enum purge_kind kind,
		       const uint8_t *text, size_t len, uint64_t version)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct ban *b = &bans[i];
		bool fits = kind == PURGE_PREFIX ? b->n <= len : b->n == len;

		if (b->kind == kind && fits && version < b->below && !memcmp(b->text, text, b->n))
			return true;
	}
	return false;
}

TEST_F(purge, does_as_the_model)
{
	static struct ban bans[BANS_MAX];
	uint32_t n = 0, hits = 0;
	uint64_t version = 1;

	for (int i = 0; i < 20000; i++) {
		uint32_t what = harness_random() % 100;
		struct ban *b = &bans[n];
		uint8_t text[16];
		size_t len;

		version++;
		if (what < 5 && n < BANS_MAX) {
			b->kind = harness_random() % 2 ? PURGE_PREFIX : PURGE_TAG;
			b->n = random_text(b->text, sizeof(b->text));
			b->below = version - harness_random() % 100;
			ASSERT_EQ(0, purge_add(&self->l, b->kind, b->text, b->n, b->below));
			n++;
		} else if (what < 6 && harness_random() % 10 == 0) {
			purge_retire(&self->l, purge_mark(&self->l));
			ASSERT_EQ(0, purge_count(&self->l));
			n = 0;
		} else {
			uint64_t of = version - harness_random() % 200;
			bool key = harness_random() % 2, seen, want;

			len = random_text(text, sizeof(text));
			want = model_hits(bans, n, key ? PURGE_PREFIX : PURGE_TAG, text, len, of);
			seen = key ? purge_hits_key(&self->l, text, len, of)
				   : purge_hits_tag(&self->l, text, len, of);
			ASSERT_EQ(want, seen);
			hits += seen;
		}
	}
	EXPECT_GT(hits, 100);
}

TEST_HARNESS_MAIN
