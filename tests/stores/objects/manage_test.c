/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collections that change: aliases, descriptions, vectors that come later; over restarts.
 *
 * Order of parts: aliases; descriptions; vectors.
 */
#include <errno.h>
#include <string.h>

#include <sluice/util.h>

#include "objects_kit.h"

#define RUN(k, body) ASSERT_EQ(0, ok_run(k, body))

/* ---- aliases ------------------------------------------------------------------------------ */

static int alias(struct ok *k, enum objects_alias_change_kind kind, const char *a, const char *name)
{
	const struct objects_alias_change x = {kind, a, name};
	char why[200];

	return objects_alias(k->o, &x, 1, why, sizeof(why), SL_NEVER);
}

static int aliases(struct ok *k)
{
	const struct objects_alias_change two[] = {
		{OBJECTS_ALIAS_CREATE, "z", "c"},
		{OBJECTS_ALIAS_DELETE, "nobody", NULL},
	};
	char why[200] = "";

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_FLAT));
	ASSERT_EQ(0, ok_create(k, "d", SL_INDEX_FLAT));
	ASSERT_EQ(0, ok_put(k, "c", 0, 5, 0));
	EXPECT_EQ(0, alias(k, OBJECTS_ALIAS_CREATE, "a", "c"));
	EXPECT_EQ(5, ok_count(k, "a"));
	EXPECT_EQ(-ENOENT, alias(k, OBJECTS_ALIAS_CREATE, "b", "nobody"));
	EXPECT_EQ(-EEXIST, alias(k, OBJECTS_ALIAS_CREATE, "d", "c"));
	EXPECT_EQ(-EEXIST, ok_create(k, "a", SL_INDEX_FLAT));
	EXPECT_EQ(0, alias(k, OBJECTS_ALIAS_RENAME, "a", "b"));
	EXPECT_EQ(-ENOENT, ok_count(k, "a"));
	EXPECT_EQ(5, ok_count(k, "b"));
	/* Of another one now. */
	EXPECT_EQ(0, alias(k, OBJECTS_ALIAS_CREATE, "b", "d"));
	EXPECT_EQ(0, ok_count(k, "b"));
	/* All or none. */
	EXPECT_EQ(-ENOENT, objects_alias(k->o, two, 2, why, sizeof(why), SL_NEVER));
	EXPECT_STRNE("", why);
	EXPECT_EQ(-ENOENT, ok_count(k, "z"));
	return ok_close(k);
}

static int aliases_again(struct ok *k)
{
	struct objects_view *view;

	ASSERT_EQ(0, ok_open(k));
	view = objects_view(k->o);
	ASSERT_EQ(1, objects_view_alias_count(view));
	EXPECT_STREQ("b", objects_view_alias_at(view, 0)->alias);
	EXPECT_STREQ("d", objects_view_alias_at(view, 0)->name);
	objects_view_release(view);
	objects_view_release(NULL);
	/* It goes with its collection. */
	EXPECT_EQ(0, objects_delete(k->o, "d", SL_NEVER));
	EXPECT_EQ(-ENOENT, ok_count(k, "b"));
	EXPECT_EQ(0, ok_create(k, "b", SL_INDEX_FLAT));
	return ok_close(k);
}

TEST(aliases_lead_to_collections)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, aliases);
	RUN(&k, aliases_again);
}

/* ---- descriptions ------------------------------------------------------------------------- */

static const struct objects_collection *found(struct ok *k, struct objects_view **ret_view)
{
	const struct objects_collection *pub;

	*ret_view = objects_view(k->o);
	pub = objects_view_find(*ret_view, "c");
	ASSERT_NE(NULL, pub);
	return pub;
}

static int change_with(struct ok *k, uint64_t generation, struct sl_objects_conf conf)
{
	char why[200];

	return objects_change(k->o, "c", generation, &conf, why, sizeof(why), SL_NEVER);
}

static int changes(struct ok *k)
{
	const struct objects_collection *pub;
	struct sl_objects_conf conf;
	struct sl_objects_vector vector;
	struct objects_view *view;

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_HNSW));
	pub = found(k, &view);
	conf = pub->conf;
	conf.meta = "other";
	conf.meta_n = 5;
	EXPECT_EQ(-EAGAIN, change_with(k, pub->generation + 1, conf));
	EXPECT_EQ(0, change_with(k, pub->generation, conf));
	EXPECT_EQ(-EAGAIN, change_with(k, pub->generation, conf));
	/* A vector keeps what its rows are made of. */
	vector = pub->conf.vectors[0];
	vector.dim++;
	conf.vectors = &vector;
	EXPECT_EQ(-EINVAL, change_with(k, 0, conf));
	conf.vectors_n = 0;
	EXPECT_EQ(-EINVAL, change_with(k, 0, conf));
	objects_view_release(view);
	return ok_close(k);
}

static int changed(struct ok *k)
{
	const struct objects_collection *pub;
	struct objects_view *view;

	ASSERT_EQ(0, ok_open(k));
	pub = found(k, &view);
	EXPECT_EQ(2, pub->generation);
	ASSERT_EQ(5, pub->conf.meta_n);
	EXPECT_EQ(0, memcmp(pub->conf.meta, "other", 5));
	EXPECT_EQ(OK_DIM, pub->conf.vectors[0].dim);
	objects_view_release(view);
	return ok_close(k);
}

TEST(descriptions_change_from_what_was_seen)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, changes);
	RUN(&k, changed);
}

/* ---- vectors ------------------------------------------------------------------------------ */

/* An object may have a vector before its collection does. */
static int later(struct ok *k)
{
	const struct sl_objects_conf none = {.meta = "", .meta_n = 0};
	struct sl_objects_vector vector = {.name = "",
					   .dim = OK_DIM,
					   .metric = SL_METRIC_L2,
					   .component = SL_F32,
					   .index = {.kind = SL_INDEX_HNSW}};
	struct sl_objects_conf one = {.vectors = &vector, .vectors_n = 1};
	struct sl_objects_info info;
	char why[200];

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, objects_create(k->o, "c", &none, why, sizeof(why), SL_NEVER));
	ASSERT_EQ(0, ok_put(k, "c", 0, 200, 0));
	ASSERT_EQ(0, change_with(k, 0, one));
	EXPECT_EQ(17, ok_nearest(k, "c", 17, false));
	ASSERT_EQ(0, ok_indexed(k, "c"));
	ASSERT_EQ(0, objects_info(k->o, "c", &info, SL_NEVER));
	EXPECT_EQ(200, info.indexed);
	/* Made otherwise, of the same rows. */
	vector.index.links = 8;
	ASSERT_EQ(0, change_with(k, 0, one));
	EXPECT_EQ(17, ok_nearest(k, "c", 17, false));
	ASSERT_EQ(0, ok_indexed(k, "c"));
	ASSERT_EQ(0, objects_info(k->o, "c", &info, SL_NEVER));
	EXPECT_EQ(200, info.indexed);
	EXPECT_EQ(17, ok_nearest(k, "c", 17, false));
	return ok_close(k);
}

TEST(vectors_may_come_later_and_be_indexed_otherwise)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, later);
}

TEST_HARNESS_MAIN
