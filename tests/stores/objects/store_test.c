/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store as a whole: collections that come, stay over a restart and go; what is in them.
 *
 * Order of parts: collections; objects; restarts.
 */
#include <errno.h>
#include <string.h>

#include <sluice/util.h>

#include "objects_kit.h"

#define RUN(k, body) ASSERT_EQ(0, ok_run(k, body))

/* ---- collections -------------------------------------------------------------------------- */

static int create_twice(struct ok *k)
{
	ASSERT_EQ(0, ok_open(k));
	EXPECT_EQ(0, ok_create(k, "c", SL_INDEX_HNSW));
	EXPECT_EQ(-EEXIST, ok_create(k, "c", SL_INDEX_HNSW));
	EXPECT_EQ(-EINVAL, ok_create(k, "a/b", SL_INDEX_HNSW));
	EXPECT_EQ(-EINVAL, ok_create(k, "", SL_INDEX_HNSW));
	EXPECT_EQ(-ENOENT, ok_count(k, "d"));
	EXPECT_EQ(0, ok_count(k, "c"));
	return ok_close(k);
}

static int find_and_delete(struct ok *k)
{
	const struct objects_collection *pub;
	struct objects_view *view;

	ASSERT_EQ(0, ok_open(k));
	view = objects_view(k->o);
	ASSERT_EQ(1, objects_view_count(view));
	pub = objects_view_find(view, "c");
	ASSERT_NE(NULL, pub);
	EXPECT_STREQ("c", pub->name);
	ASSERT_EQ(1, pub->conf.vectors_n);
	EXPECT_EQ(OK_DIM, pub->conf.vectors[0].dim);
	EXPECT_EQ(SL_INDEX_HNSW, pub->conf.vectors[0].index.kind);
	EXPECT_TRUE(pub->conf.strict);
	ASSERT_EQ(4, pub->conf.meta_n);
	EXPECT_EQ(0, memcmp(pub->conf.meta, "meta", 4));
	EXPECT_EQ(0, objects_delete(k->o, "c", SL_NEVER));
	EXPECT_EQ(-ENOENT, objects_delete(k->o, "c", SL_NEVER));
	EXPECT_EQ(-ENOENT, ok_count(k, "c"));
	/* The old view shows it still. */
	EXPECT_STREQ("c", pub->name);
	objects_view_release(view);
	return ok_close(k);
}

static int is_empty(struct ok *k)
{
	struct objects_view *view;

	ASSERT_EQ(0, ok_open(k));
	view = objects_view(k->o);
	EXPECT_EQ(0, objects_view_count(view));
	objects_view_release(view);
	return ok_close(k);
}

TEST(collection_stays_until_it_is_deleted)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, create_twice);
	RUN(&k, find_and_delete);
	RUN(&k, is_empty);
}

/* ---- objects ------------------------------------------------------------------------------ */

static int put_get(struct ok *k)
{
	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_HNSW));
	EXPECT_EQ(0, ok_put(k, "c", 1, 100, 0));
	EXPECT_EQ(100, ok_count(k, "c"));
	EXPECT_EQ(7, ok_number(k, "c", 7));
	EXPECT_EQ(-1, ok_number(k, "c", 101));
	EXPECT_EQ(0, ok_put(k, "c", 7, 1, 1000));
	EXPECT_EQ(1007, ok_number(k, "c", 7));
	EXPECT_EQ(100, ok_count(k, "c"));
	EXPECT_EQ(7, ok_nearest(k, "c", 1007, true));
	EXPECT_EQ(0, ok_delete(k, "c", 7));
	EXPECT_EQ(-ENOENT, ok_delete(k, "c", 7));
	EXPECT_EQ(-1, ok_number(k, "c", 7));
	EXPECT_NE(7, ok_nearest(k, "c", 1007, true));
	EXPECT_EQ(99, ok_count(k, "c"));
	ASSERT_EQ(0, ok_indexed(k, "c"));
	for (int64_t n = 8; n <= 100; n++)
		EXPECT_EQ(n, ok_nearest(k, "c", n, false));
	return ok_close(k);
}

static int still_there(struct ok *k)
{
	ASSERT_EQ(0, ok_open(k));
	EXPECT_EQ(99, ok_count(k, "c"));
	EXPECT_EQ(-1, ok_number(k, "c", 7));
	for (int64_t n = 8; n <= 100; n++) {
		EXPECT_EQ(n, ok_number(k, "c", (uint64_t)n));
		EXPECT_EQ(n, ok_nearest(k, "c", n, false));
	}
	EXPECT_EQ(0, k->events[OBJECTS_REBUILT]);
	EXPECT_EQ(0, k->events[OBJECTS_LOST]);
	return ok_close(k);
}

FIXTURE(disk)
{
	struct ok k;
};
FIXTURE_VARIANT(disk)
{
	bool sim;
};
FIXTURE_VARIANT_ADD(disk, real){false};
FIXTURE_VARIANT_ADD(disk, sim){true};
FIXTURE_SETUP(disk)
{
	ok_init(&self->k, variant->sim ? sl_sim_new(harness_seed(), NULL) : NULL);
}
FIXTURE_TEARDOWN(disk)
{
	sl_sim_free(self->k.sim);
}

TEST_F(disk, what_is_put_is_found)
{
	RUN(&self->k, put_get);
	RUN(&self->k, still_there);
	RUN(&self->k, still_there);
}

TEST_HARNESS_MAIN
