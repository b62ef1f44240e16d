/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches: limits, waits, ends; offsets by time. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "topic_kit.h"

FIXTURE(fetch)
{
	struct tk k;
};
FIXTURE_VARIANT(fetch)
{
	bool sim;
};
FIXTURE_VARIANT_ADD(fetch, real){false};
FIXTURE_VARIANT_ADD(fetch, sim){true};
FIXTURE_SETUP(fetch)
{
	tk_init(&self->k, variant->sim ? sl_sim_new(harness_random(), NULL) : NULL);
}
FIXTURE_TEARDOWN(fetch)
{
	if (self->k.sim)
		sl_sim_free(self->k.sim);
}

static int open_with_topic(struct tk *k)
{
	int rc = tk_open(k);

	return rc ? rc : tk_create(k, "t", 4);
}

/* A part for partition @p of "t". */
static struct sl_fetch_part part_of(struct tk *k, uint32_t p, uint64_t offset)
{
	return (struct sl_fetch_part){.topic = tk_topic(k, "t"), .partition = p, .epoch = -1,
				      .offset = offset, .bytes_max = SL_MIB};
}

static int limits(struct tk *k)
{
	struct tk_batch b = {.number = 1, .n = 1, .padding = 1000, .producer_id = -1};
	struct sl_fetch_part parts[3];
	struct sl_fetch f = {.parts = parts, .n = 3, .bytes_max = SL_MIB};

	ASSERT_EQ(0, open_with_topic(k));
	for (int i = 0; i < 10; i++)
		for (uint32_t p = 0; p < 3; p++)
			ASSERT_EQ(0, tk_append(k, "t", p, &b, NULL));
	for (uint32_t p = 0; p < 3; p++)
		parts[p] = part_of(k, p, 0);
	ASSERT_EQ(0, sl_fetch_once(k->t, &f, SL_NEVER));
	EXPECT_LT(30000, f.bytes);
	for (uint32_t p = 0; p < 3; p++) {
		EXPECT_EQ(1, parts[p].n_spans);
		EXPECT_EQ(10, parts[p].end);
		EXPECT_EQ(10, parts[p].spans[0].next);
	}
	sl_fetch_release(&f);

	/* One byte: the first batch all the same, and nothing else. */
	f.bytes_max = 1;
	ASSERT_EQ(0, sl_fetch_once(k->t, &f, SL_NEVER));
	EXPECT_EQ(1, parts[0].n_spans);
	EXPECT_EQ(1, parts[0].spans[0].next);
	EXPECT_EQ(0, parts[1].n_spans);
	EXPECT_EQ(0, parts[2].n_spans);
	EXPECT_EQ(parts[0].bytes, f.bytes);
	sl_fetch_release(&f);

	/* Room for two batches and a half over all. */
	f.bytes_max = 2700;
	parts[0].bytes_max = 1200;
	ASSERT_EQ(0, sl_fetch_once(k->t, &f, SL_NEVER));
	EXPECT_EQ(1, parts[0].spans[0].next);
	EXPECT_EQ(1, parts[1].n_spans);
	EXPECT_EQ(1, parts[1].spans[0].next);
	EXPECT_EQ(0, parts[2].n_spans);
	sl_fetch_release(&f);
	return tk_close(k);
}

TEST_F(fetch, keeps_to_its_limits)
{
	EXPECT_EQ(0, tk_run(&self->k, limits));
}

static int results(struct tk *k)
{
	struct tk_batch b = tk_one(1);
	struct sl_fetch_part parts[6];
	struct sl_fetch f = {.parts = parts, .n = 6, .bytes_max = SL_MIB};

	k->conf.epoch = 5;
	ASSERT_EQ(0, open_with_topic(k));
	ASSERT_EQ(0, tk_append(k, "t", 0, &b, NULL));
	parts[0] = part_of(k, 0, 2);
	parts[1] = part_of(k, 1, 1);
	parts[2] = part_of(k, 9, 0);
	parts[3] = part_of(k, 0, 0);
	parts[3].epoch = 4;
	parts[4] = part_of(k, 0, 0);
	parts[4].epoch = 6;
	parts[5] = part_of(k, 0, 1);
	parts[5].epoch = 5;
	ASSERT_EQ(0, sl_fetch_once(k->t, &f, SL_NEVER));
	EXPECT_EQ(SL_REFUSED_OUT_OF_RANGE, parts[0].result);
	EXPECT_EQ(1, parts[0].end);
	EXPECT_EQ(SL_REFUSED_OUT_OF_RANGE, parts[1].result);
	EXPECT_EQ(SL_REFUSED_UNKNOWN_PARTITION, parts[2].result);
	EXPECT_EQ(SL_REFUSED_STALE_EPOCH, parts[3].result);
	EXPECT_EQ(SL_REFUSED_FUTURE_EPOCH, parts[4].result);
	EXPECT_EQ(0, parts[5].result);
	EXPECT_EQ(0, parts[5].n_spans);
	EXPECT_EQ(5, f.refused);
	sl_fetch_release(&f);
	return tk_close(k);
}

TEST_F(fetch, tells_what_is_wrong_by_partition)
{
	EXPECT_EQ(0, tk_run(&self->k, results));
}

/* ---- waiting ------------------------------------------------------------------------------ */

struct later {
	struct tk *k;
	int64_t at;
	uint32_t partition;
	int what; /* 0: append; 1: drain; 2: delete the topic */
	bool done;
};

static void act_later(void *arg)
{
	struct later *l = arg;
	struct tk_batch b = tk_one(77);

	sl_sleep(l->at);
	if (l->what == 0) {
		EXPECT_EQ(0, tk_append(l->k, "t", l->partition, &b, NULL));
	} else if (l->what == 1) {
		sl_topics_drain(l->k->t);
	} else {
		struct sl_uuid id = tk_topic(l->k, "t")->id;

		EXPECT_EQ(0, sl_topics_delete(l->k->t, &id, SL_NEVER));
	}
	l->done = true;
}

static void start_later(struct later *l)
{
	ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, act_later, l));
}

static int waits(struct tk *k)
{
	struct tk_batch b = tk_one(1);
	struct sl_fetch_part parts[2];
	struct sl_fetch f = {.parts = parts, .n = 2, .bytes_max = SL_MIB, .bytes_min = 1};
	struct later l = {.k = k, .partition = 1};
	int64_t began;

	ASSERT_EQ(0, open_with_topic(k));
	ASSERT_EQ(0, tk_append(k, "t", 0, &b, NULL));
	parts[0] = part_of(k, 0, 1);
	parts[1] = part_of(k, 1, 0); /* never appended to: it has no log yet */
	began = sl_now();
	ASSERT_EQ(0, sl_fetch_wait(k->t, &f, began + 20 * SL_MSEC));
	EXPECT_LE(began + 20 * SL_MSEC, sl_now());
	EXPECT_EQ(0, f.bytes);
	for (l.partition = 1; l.partition != UINT32_MAX; l.partition--) {
		l.done = false;
		l.at = sl_now() + 20 * SL_MSEC;
		start_later(&l);
		ASSERT_EQ(0, sl_fetch_wait(k->t, &f, SL_NEVER));
		EXPECT_LT(0, f.bytes);
		EXPECT_EQ(1, parts[l.partition].n_spans);
		parts[l.partition].offset = parts[l.partition].spans[0].next;
		sl_fetch_release(&f);
		while (!l.done)
			sl_sleep(sl_now() + SL_MSEC);
	}
	return tk_close(k);
}

TEST_F(fetch, waits_for_the_next_batch)
{
	EXPECT_EQ(0, tk_run(&self->k, waits));
}

static int waits_for_more(struct tk *k)
{
	struct tk_batch b = {.number = 1, .n = 1, .padding = 1000, .producer_id = -1};
	struct sl_fetch_part parts[1];
	struct sl_fetch f = {.parts = parts, .n = 1, .bytes_max = SL_MIB, .bytes_min = 1100};
	struct later l = {.k = k};

	ASSERT_EQ(0, open_with_topic(k));
	ASSERT_EQ(0, tk_append(k, "t", 0, &b, NULL));
	parts[0] = part_of(k, 0, 0);
	/* Too little: it is what there is at the deadline. */
	ASSERT_EQ(0, sl_fetch_wait(k->t, &f, sl_now() + 20 * SL_MSEC));
	EXPECT_LT(1000, f.bytes);
	EXPECT_GT(1100, f.bytes);
	sl_fetch_release(&f);
	l.at = sl_now() + 10 * SL_MSEC;
	start_later(&l);
	ASSERT_EQ(0, sl_fetch_wait(k->t, &f, SL_NEVER));
	EXPECT_LT(1100, f.bytes);
	EXPECT_EQ(2, parts[0].spans[0].next);
	sl_fetch_release(&f);
	while (!l.done)
		sl_sleep(sl_now() + SL_MSEC);
	return tk_close(k);
}

TEST_F(fetch, waits_for_as_many_bytes_as_asked)
{
	EXPECT_EQ(0, tk_run(&self->k, waits_for_more));
}

static int waits_end(struct tk *k)
{
	struct tk_batch b = tk_one(1);
	struct sl_fetch_part parts[2];
	struct sl_fetch f = {.parts = parts, .n = 2, .bytes_max = SL_MIB, .bytes_min = 1};
	struct sl_topics_view *view;
	struct later l = {.k = k, .what = 2};

	ASSERT_EQ(0, open_with_topic(k));
	ASSERT_EQ(0, tk_append(k, "t", 0, &b, NULL));
	view = sl_topics_view(k->t); /* so that the topic stays although it is deleted */
	parts[0] = part_of(k, 0, 1);
	parts[1] = part_of(k, 1, 0);
	l.at = sl_now() + 10 * SL_MSEC;
	start_later(&l);
	ASSERT_EQ(0, sl_fetch_wait(k->t, &f, SL_NEVER));
	EXPECT_LT(0, f.refused);
	EXPECT_EQ(SL_REFUSED_UNKNOWN_PARTITION, parts[1].result);
	sl_fetch_release(&f);
	sl_topics_view_release(view);
	while (!l.done)
		sl_sleep(sl_now() + SL_MSEC);
	ASSERT_EQ(0, tk_create(k, "t", 4));
	parts[0] = part_of(k, 0, 0);
	f.n = 1;
	l = (struct later){.k = k, .what = 1, .at = sl_now() + 10 * SL_MSEC};
	start_later(&l);
	ASSERT_EQ(0, sl_fetch_wait(k->t, &f, SL_NEVER));
	sl_fetch_release(&f);
	return tk_close(k);
}

TEST_F(fetch, waits_end_with_the_topic_and_the_node)
{
	EXPECT_EQ(0, tk_run(&self->k, waits_end));
}

/* ---- offsets by time ---------------------------------------------------------------------- */

static int64_t offset_at(struct tk *k, int64_t time_ms, int64_t *ret_ms)
{
	struct sl_offset_query q = {.topic = tk_topic(k, "t"), .epoch = -1, .time_ms = time_ms};

	ASSERT_EQ(0, sl_topic_offsets(k->t, &q, 1, SL_NEVER));
	EXPECT_EQ(0, q.result);
	if (ret_ms)
		*ret_ms = q.offset_ms;
	return q.offset;
}

static int by_time(struct tk *k)
{
	int64_t ms;

	ASSERT_EQ(0, open_with_topic(k));
	EXPECT_EQ(-1, offset_at(k, 0, NULL));
	EXPECT_EQ(-1, offset_at(k, SL_OFFSET_TIME_MAX, NULL));
	EXPECT_EQ(0, offset_at(k, SL_OFFSET_EARLIEST, NULL));
	EXPECT_EQ(0, offset_at(k, SL_OFFSET_LATEST, NULL));
	for (int i = 0; i < 10; i++) {
		struct tk_batch b = {.codec = (enum sl_codec)(i % SL_CODEC_LAST), .n = 100,
				     .number = i * 100, .time_ms = 10000 + i * 1000,
				     .producer_id = -1, .padding = 20};

		ASSERT_EQ(0, tk_append(k, "t", 0, &b, NULL));
	}
	/* Record n of batch i has the time 10000 + 1000 i + n. */
	for (int i = 0; i < 10; i++) {
		for (int n = 0; n < 100; n += 33) {
			EXPECT_EQ(i * 100 + n, offset_at(k, 10000 + i * 1000 + n, &ms));
			EXPECT_EQ(10000 + i * 1000 + n, ms);
		}
		EXPECT_EQ(i < 9 ? i * 100 + 100 : -1, offset_at(k, 10500 + i * 1000, NULL));
	}
	EXPECT_EQ(0, offset_at(k, 0, NULL));
	EXPECT_EQ(999, offset_at(k, SL_OFFSET_TIME_MAX, &ms));
	EXPECT_EQ(19099, ms);
	EXPECT_EQ(1000, offset_at(k, SL_OFFSET_LATEST, NULL));
	return tk_close(k);
}

TEST_F(fetch, offsets_by_time_are_exact)
{
	EXPECT_EQ(0, tk_run(&self->k, by_time));
}

TEST_HARNESS_MAIN
