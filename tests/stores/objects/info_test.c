/* SPDX-License-Identifier: Apache-2.0 */
/* What /metrics is told of collections: what is in memory, searches by kind, writes, events. */
#include <errno.h>
#include <string.h>

#include <sluice/util.h>

#include "objects_kit.h"
#include "stores/objects/objects_pvt.h"

#define RUN(k, body) ASSERT_EQ(0, ok_run(k, body))

static int64_t value(enum sl_metric_id id)
{
	return (int64_t)sl_core_metrics(sl_core_self())->scalars[id];
}

/* Gauges follow within a second or so. */
static void wait_for(enum sl_metric_id id, int64_t want)
{
	while (value(id) != want)
		sl_sleep(sl_now() + SL_MSEC);
}

/* ---- what is in memory -------------------------------------------------------------------- */

static int fill(struct ok *k)
{
	const struct sl_objects_conf conf = {0};
	char draft[DRAFT_NAME_BYTES];
	struct sl_objects_info info;

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_HNSW));
	ASSERT_EQ(0, ok_create(k, "flat", SL_INDEX_FLAT));
	ASSERT_EQ(0, ok_create(k, "unused", SL_INDEX_FLAT));
	ASSERT_EQ(0, ok_put(k, "c", 0, 100, 0));
	ASSERT_EQ(0, ok_put(k, "flat", 0, 30, 0));
	ASSERT_EQ(0, ok_delete(k, "flat", 7));
	wait_for(SL_M_OBJECTS_COLLECTIONS, 3);
	wait_for(SL_M_OBJECTS_OPEN, 2);
	wait_for(SL_M_OBJECTS_HELD, 129);
	wait_for(SL_M_OBJECTS_VECTORS, 129);
	wait_for(SL_M_OBJECTS_INDEXED, 100);
	wait_for(SL_M_OBJECTS_INDEXING, 0);
	ASSERT_EQ(0, objects_info(k->o, "c", &info, SL_NEVER));
	EXPECT_LT(info.log_bytes, value(SL_M_OBJECTS_LOG_BYTES));
	EXPECT_LT(info.live_bytes, value(SL_M_OBJECTS_LIVE_BYTES));
	EXPECT_LT(0, value(SL_M_OBJECTS_MEMORY));
	EXPECT_EQ(131, value(SL_M_OBJECTS_WRITTEN));
	EXPECT_EQ(3, value(SL_M_OBJECTS_BATCHES));
	EXPECT_EQ(2, value(SL_M_OBJECTS_OPENED));
	ASSERT_EQ(0, objects_delete(k->o, "c", SL_NEVER));
	wait_for(SL_M_OBJECTS_COLLECTIONS, 2);
	wait_for(SL_M_OBJECTS_HELD, 29);
	/* What a snapshot is restored into is not one of them. */
	ASSERT_EQ(0, draft_create(k->o, &conf, draft, NULL, 0, SL_NEVER));
	ASSERT_EQ(0, ok_create(k, "more", SL_INDEX_FLAT));
	wait_for(SL_M_OBJECTS_COLLECTIONS, 3);
	return ok_close(k);
}

TEST(gauges_are_of_what_is_in_memory_and_counters_of_what_was_written)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, fill);
}

static int become_idle(struct ok *k)
{
	int64_t opened;

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_FLAT));
	ASSERT_EQ(0, ok_put(k, "c", 0, 10, 0));
	wait_for(SL_M_OBJECTS_CHECKPOINTS, 1);
	wait_for(SL_M_OBJECTS_COLLECTIONS, 1);
	wait_for(SL_M_OBJECTS_OPEN, 0);
	wait_for(SL_M_OBJECTS_HELD, 0);
	opened = value(SL_M_OBJECTS_OPENED);
	EXPECT_EQ(10, ok_count(k, "c"));
	EXPECT_EQ(opened + 1, value(SL_M_OBJECTS_OPENED));
	return ok_close(k);
}

TEST(what_is_put_away_is_not_in_memory)
{
	struct ok k;

	ok_init(&k, NULL);
	k.conf.idle_ns = SL_MSEC;
	RUN(&k, become_idle);
}

/* ---- searches ----------------------------------------------------------------------------- */

static uint64_t searches(const char *kind)
{
	struct sl_metrics *m = sl_core_metrics(sl_core_self());
	uint32_t n;
	const char *const *names = objects_search_names(&n);

	for (uint32_t i = 0; i < n; i++) {
		if (strcmp(names[i], kind) != 0)
			continue;
		EXPECT_EQ(*sl_metric_cell(m, SL_M_OBJECTS_SEARCHES, i, 0),
			  sl_hist_count(sl_metric_hist(m, SL_M_OBJECTS_SEARCH_TIME, i, 0)));
		return *sl_metric_cell(m, SL_M_OBJECTS_SEARCHES, i, 0);
	}
	ASSERT_TRUE(!"a kind of searches");
	return 0;
}

static float any_score(void *arg, const float *vector, uint32_t dim)
{
	(void)arg;
	(void)dim;
	return vector[0];
}

static int ask(struct ok *k, struct objects_query q)
{
	int rc = objects_search(k->o, "hnsw", &q, 1, SL_NEVER);

	rc = rc ? rc : q.result;
	objects_queries_done(&q, 1);
	return rc;
}

static int search(struct ok *k)
{
	float vector[OK_DIM] = {0};
	const struct sl_filter filter = {.kind = SL_FILTER_HAS_VECTOR, .vector = ""};
	struct objects_query q = {
		.vector_name = "", .vector = vector, .dim = OK_DIM, .k = 3};
	struct objects_query short_one = q, filtered = q, weighed = q;

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "hnsw", SL_INDEX_HNSW));
	ASSERT_EQ(0, ok_put(k, "hnsw", 0, 100, 0));
	ASSERT_EQ(0, ok_create(k, "ivf", SL_INDEX_IVF));
	ASSERT_EQ(0, ok_put(k, "ivf", 0, 100, 0));
	ASSERT_EQ(0, ok_indexed(k, "hnsw"));
	ASSERT_EQ(0, ok_indexed(k, "ivf"));
	EXPECT_LE(0, ok_nearest(k, "hnsw", 5, false));
	EXPECT_LE(0, ok_nearest(k, "hnsw", 5, true));
	EXPECT_LE(0, ok_nearest(k, "ivf", 5, false));
	EXPECT_LE(0, ok_nearest(k, "ivf", 6, false));
	short_one.dim = 1;
	filtered.filter = &filter;
	weighed.vector = NULL;
	weighed.weigh = any_score;
	EXPECT_EQ(-EINVAL, ask(k, short_one));
	EXPECT_EQ(0, ask(k, filtered));
	EXPECT_EQ(0, ask(k, weighed));
	EXPECT_EQ(1, searches("flat"));
	EXPECT_EQ(2, searches("ivf"));
	EXPECT_EQ(1, searches("hnsw"));
	EXPECT_EQ(1, searches("filtered"));
	EXPECT_EQ(1, searches("weighed"));
	return ok_close(k);
}

TEST(searches_are_counted_by_the_way_they_took_and_refused_ones_are_not)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, search);
}

TEST_HARNESS_MAIN
