/* SPDX-License-Identifier: Apache-2.0 */
/* libsluice's store of objects: collections are made, changed, named, told of and deleted. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store_kit.h"
#include "uring/uring.h"

static const struct sl_objects_vector vectors[] = {
	{
		.name = "image",
		.dim = 16,
		.metric = SL_METRIC_COSINE,
		.component = SL_F16,
		.index = {.kind = SL_INDEX_IVF, .lists = 7, .quantiser = SL_QUANTISER_PQ8},
		.automatic = true,
		.on_disk = true,
	},
	{.name = "text", .dim = 3, .metric = SL_METRIC_DOT, .component = SL_F32},
};
static const struct sl_payload_conf indexes[] = {
	{.path = "city", .type = SL_PAYLOAD_KEYWORD},
	{.path = "about", .type = SL_PAYLOAD_TEXT, .tokeniser = {.kind = SL_TOKENS_WORD, .min = 2}},
};
static const struct sl_objects_conf conf = {
	.vectors = vectors,
	.vectors_n = 2,
	.indexes = indexes,
	.indexes_n = 2,
	.strict = true,
	.as_given = true,
	.meta = "mine",
	.meta_n = 4,
};

/* ---- what is told ----------------------------------------------------------------------- */

/* @o: the store, so that it may be asked meanwhile. */
struct seen {
	struct sl_objects *o;
	char names[100];
	uint32_t n, stop_at;
	uint64_t generation;
};

static void same_vector(const struct sl_objects_vector *a, const struct sl_objects_vector *b)
{
	EXPECT_STREQ(a->name, b->name);
	EXPECT_EQ(a->dim, b->dim);
	EXPECT_EQ(a->metric, b->metric);
	EXPECT_EQ(a->component, b->component);
	EXPECT_EQ(a->index.kind, b->index.kind);
	EXPECT_EQ(a->index.lists, b->index.lists);
	EXPECT_EQ(a->index.quantiser, b->index.quantiser);
	EXPECT_EQ(a->automatic, b->automatic);
	EXPECT_EQ(a->on_disk, b->on_disk);
}

static int is_as_made(void *arg, const struct sl_objects_collection *c)
{
	struct seen *s = arg;

	s->n++;
	s->generation = c->generation;
	EXPECT_GT(c->created_ms, 0);
	EXPECT_EQ(2, c->conf.vectors_n);
	for (uint32_t i = 0; i < 2; i++)
		same_vector(&vectors[i], &c->conf.vectors[i]);
	EXPECT_EQ(2, c->conf.indexes_n);
	EXPECT_STREQ("city", c->conf.indexes[0].path);
	EXPECT_EQ(SL_PAYLOAD_TEXT, c->conf.indexes[1].type);
	EXPECT_EQ(2, c->conf.indexes[1].tokeniser.min);
	EXPECT_TRUE(c->conf.strict && c->conf.as_given);
	EXPECT_EQ(4, c->conf.meta_n);
	EXPECT_EQ(0, memcmp("mine", c->conf.meta, 4));
	return 0;
}

TEST(a_collection_is_told_as_it_was_made_over_restarts)
{
	struct sl_objects *o = store_open("");
	struct seen s = {0};
	char why[200];

	EXPECT_EQ(0, sl_objects_create(o, "c", &conf, why, sizeof(why)));
	EXPECT_EQ(0, sl_objects_collections(o, is_as_made, &s));
	EXPECT_EQ(1, s.n);
	EXPECT_EQ(0, sl_objects_close(o));
	o = store_open("");
	EXPECT_EQ(0, sl_objects_collections(o, is_as_made, &s));
	EXPECT_EQ(2, s.n);
	EXPECT_EQ(0, sl_objects_close(o));
}

static int note_name(void *arg, const struct sl_objects_collection *c)
{
	struct seen *s = arg;
	size_t len = strlen(s->names);

	snprintf(s->names + len, sizeof(s->names) - len, "%s ", c->name);
	EXPECT_EQ(0, store_count(s->o, c->name));
	return ++s->n == s->stop_at ? 7 : 0;
}

TEST(collections_are_listed_by_name_until_it_is_enough)
{
	struct sl_objects *o = store_open("");
	struct seen s = {.o = o};

	EXPECT_EQ(0, store_create(o, "b", SL_INDEX_FLAT));
	EXPECT_EQ(0, store_create(o, "c", SL_INDEX_FLAT));
	EXPECT_EQ(0, store_create(o, "a", SL_INDEX_FLAT));
	EXPECT_EQ(0, sl_objects_collections(o, note_name, &s));
	EXPECT_STREQ("a b c ", s.names);
	s = (struct seen){.o = o, .stop_at = 2};
	EXPECT_EQ(7, sl_objects_collections(o, note_name, &s));
	EXPECT_STREQ("a b ", s.names);
	EXPECT_EQ(0, sl_objects_close(o));
}

/* ---- refused ---------------------------------------------------------------------------- */

TEST(what_cannot_be_is_refused_with_a_line)
{
	struct sl_objects_vector none = {.name = "", .dim = 0, .metric = SL_METRIC_L2};
	struct sl_objects_conf wrong = {.vectors = &none, .vectors_n = 1};
	struct sl_objects *o = store_open("");
	char why[200] = "";

	EXPECT_EQ(-EINVAL, sl_objects_create(o, "a/b", &conf, why, sizeof(why)));
	EXPECT_NOT_NULL(strstr(why, "name"));
	EXPECT_EQ(-EINVAL, sl_objects_create(o, "c", &wrong, why, sizeof(why)));
	EXPECT_NE(0, why[0]);
	EXPECT_EQ(-EINVAL, sl_objects_create(o, "c", &wrong, NULL, 0));
	EXPECT_EQ(0, sl_objects_create(o, "c", &conf, why, sizeof(why)));
	EXPECT_EQ(-EEXIST, sl_objects_create(o, "c", &conf, why, sizeof(why)));
	EXPECT_EQ(-ENOENT, sl_objects_drop(o, "none"));
	EXPECT_EQ(-ENOENT, sl_objects_info(o, "none", &(struct sl_objects_info){0}));
	EXPECT_EQ(0, sl_objects_close(o));
}

/* ---- changes ---------------------------------------------------------------------------- */

static int note_generation(void *arg, const struct sl_objects_collection *c)
{
	((struct seen *)arg)->generation = c->generation;
	((struct seen *)arg)->n = c->conf.vectors_n;
	return 0;
}

TEST(a_change_is_made_from_what_was_seen)
{
	const struct sl_objects_vector more[] = {
		vectors[0], vectors[1], {.name = "sound", .dim = 2, .metric = SL_METRIC_L2}};
	struct sl_objects_conf changed = conf;
	struct sl_objects *o = store_open("");
	struct seen s = {0};
	char why[200] = "";

	changed.vectors = more;
	changed.vectors_n = 3;
	EXPECT_EQ(-ENOENT, sl_objects_change(o, "c", 0, &changed, why, sizeof(why)));
	EXPECT_EQ(0, sl_objects_create(o, "c", &conf, why, sizeof(why)));
	EXPECT_EQ(0, sl_objects_collections(o, note_generation, &s));
	EXPECT_EQ(0, sl_objects_change(o, "c", s.generation, &changed, why, sizeof(why)));
	EXPECT_EQ(-EAGAIN, sl_objects_change(o, "c", s.generation, &changed, why, sizeof(why)));
	EXPECT_EQ(-EINVAL, sl_objects_change(o, "c", 0, &conf, why, sizeof(why)));
	EXPECT_NOT_NULL(strstr(why, "sound"));
	EXPECT_EQ(0, sl_objects_collections(o, note_generation, &s));
	EXPECT_EQ(3, s.n);
	EXPECT_EQ(0, sl_objects_close(o));
}

TEST(an_alias_means_a_collection)
{
	struct sl_objects *o = store_open("");

	EXPECT_EQ(0, store_create(o, "a", SL_INDEX_FLAT));
	EXPECT_EQ(0, store_create(o, "b", SL_INDEX_FLAT));
	EXPECT_EQ(0, store_put(o, "b", 1, 3, 0));
	EXPECT_EQ(-ENOENT, sl_objects_alias(o, "now", "none"));
	EXPECT_EQ(-EEXIST, sl_objects_alias(o, "a", "b"));
	EXPECT_EQ(-ENOENT, sl_objects_alias(o, "now", NULL));
	EXPECT_EQ(0, sl_objects_alias(o, "now", "a"));
	EXPECT_EQ(0, store_count(o, "now"));
	EXPECT_EQ(0, sl_objects_alias(o, "now", "b"));
	EXPECT_EQ(3, store_count(o, "now"));
	EXPECT_EQ(0, sl_objects_close(o));
	o = store_open("");
	EXPECT_EQ(3, store_count(o, "now"));
	EXPECT_EQ(0, sl_objects_alias(o, "now", NULL));
	EXPECT_EQ(-ENOENT, store_count(o, "now"));
	EXPECT_EQ(0, sl_objects_drop(o, "b"));
	EXPECT_EQ(-ENOENT, store_count(o, "b"));
	EXPECT_EQ(0, sl_objects_close(o));
}

TEST_HARNESS_MAIN
