/* SPDX-License-Identifier: Apache-2.0 */
/* Appending batches: offsets, idempotence, restarts, streams, LogAppendTime, refusals. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sluice/bytes.h>

#include "topic_kit.h"

FIXTURE(append)
{
	struct tk k;
};
FIXTURE_VARIANT(append)
{
	bool sim;
};
FIXTURE_VARIANT_ADD(append, real){false};
FIXTURE_VARIANT_ADD(append, sim){true};
FIXTURE_SETUP(append)
{
	tk_init(&self->k, variant->sim ? sl_sim_new(harness_random(), NULL) : NULL);
}
FIXTURE_TEARDOWN(append)
{
	if (self->k.sim)
		sl_sim_free(self->k.sim);
}

static int open_with_topic(struct tk *k)
{
	int rc = tk_open(k);

	return rc ? rc : tk_create(k, "t", 4);
}

static int offsets_rise(struct tk *k)
{
	int64_t numbers[64];
	uint64_t base;

	ASSERT_EQ(0, open_with_topic(k));
	for (int i = 0; i < 20; i++) {
		struct tk_batch b = tk_one(i);

		ASSERT_EQ(0, tk_append(k, "t", 1, &b, &base));
		EXPECT_EQ(i, base);
	}
	EXPECT_EQ(20, tk_end(k, "t", 1));
	EXPECT_EQ(0, tk_end(k, "t", 0));
	ASSERT_EQ(20, tk_read(k, "t", 1, 0, numbers, 64));
	for (int i = 0; i < 20; i++)
		EXPECT_EQ(i, numbers[i]);
	EXPECT_EQ(5, tk_read(k, "t", 1, 15, numbers, 64));
	EXPECT_EQ(15, numbers[0]);
	return tk_close(k);
}

TEST_F(append, offsets_rise_and_records_come_back)
{
	EXPECT_EQ(0, tk_run(&self->k, offsets_rise));
}

static int restart(struct tk *k)
{
	struct tk_batch b = {.number = 100, .n = 10, .producer_id = -1, .codec = SL_CODEC_LZ4};
	int64_t numbers[64];
	uint64_t base;

	ASSERT_EQ(0, open_with_topic(k));
	ASSERT_EQ(0, tk_append(k, "t", 2, &b, &base));
	ASSERT_EQ(0, tk_close(k));
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(10, tk_end(k, "t", 2));
	ASSERT_EQ(0, tk_append(k, "t", 2, &b, &base));
	EXPECT_EQ(10, base);
	EXPECT_EQ(20, tk_read(k, "t", 2, 0, numbers, 64));
	EXPECT_EQ(100, numbers[0]);
	EXPECT_EQ(109, numbers[19]);
	EXPECT_EQ(0, k->events[SL_TOPICS_FAILED]);
	return tk_close(k);
}

TEST_F(append, goes_on_after_a_restart)
{
	EXPECT_EQ(0, tk_run(&self->k, restart));
}

static int streamed(struct tk *k)
{
	struct tk_batch b = {.number = 7, .n = 300, .padding = 500, .producer_id = -1};
	int64_t numbers[1024];
	uint64_t base;

	ASSERT_EQ(0, open_with_topic(k));
	ASSERT_EQ(0, tk_append_streamed(k, "t", 0, &b, 4096, &base));
	EXPECT_EQ(0, base);
	ASSERT_EQ(0, tk_append_streamed(k, "t", 0, &b, 100, &base));
	EXPECT_EQ(300, base);
	ASSERT_EQ(600, tk_read(k, "t", 0, 0, numbers, 1024));
	EXPECT_EQ(7, numbers[300]);
	return tk_close(k);
}

TEST_F(append, in_steps)
{
	EXPECT_EQ(0, tk_run(&self->k, streamed));
}

/* Streams a batch of which a bit is wrong. */
static int streamed_wrong(struct tk *k)
{
	struct tk_batch b = {.number = 7, .n = 30, .padding = 500, .producer_id = -1};
	struct sl_topic_append a = {0};
	struct sl_topics_view *view;
	uint64_t base;
	size_t len;
	uint8_t *p = tk_batch_make(&b, &len);

	ASSERT_EQ(0, open_with_topic(k));
	view = sl_topics_view(k->t);
	a.topic = sl_topics_view_find(view, tk_str("t"));
	p[len - 9] ^= 4;
	ASSERT_EQ(0, sl_topic_append_begin(k->t, &a, p, len, SL_NEVER));
	ASSERT_EQ(0, sl_topic_append_write(&a, p, 1000, SL_NEVER));
	ASSERT_EQ(0, sl_topic_append_write(&a, p + 1000, len - 1000, SL_NEVER));
	EXPECT_EQ(SL_REFUSED_BATCH_CORRUPT, sl_topic_append_finish(&a, SL_NEVER));
	EXPECT_EQ(SL_BATCH_BAD_SUM, a.fault);
	free(p);
	p = tk_batch_make(&b, &len);
	ASSERT_EQ(0, sl_topic_append_begin(k->t, &a, p, len, SL_NEVER));
	ASSERT_EQ(0, sl_topic_append_write(&a, p, 1000, SL_NEVER));
	sl_topic_append_abort(&a);
	free(p);
	sl_topics_view_release(view);
	EXPECT_EQ(0, tk_end(k, "t", 0));
	ASSERT_EQ(0, tk_append(k, "t", 0, &b, &base));
	EXPECT_EQ(0, base);
	return tk_close(k);
}

TEST_F(append, wrong_and_aborted_streams_leave_nothing)
{
	EXPECT_EQ(0, tk_run(&self->k, streamed_wrong));
}

static int append_raw(struct tk *k, uint8_t *p, size_t len)
{
	struct sl_topics_view *view = sl_topics_view(k->t);
	struct sl_topic_append a = {.topic = sl_topics_view_find(view, tk_str("t"))};
	struct iovec iov = {p, len};
	int rc = sl_topic_append(k->t, &a, &iov, 1, SL_NEVER);

	sl_topics_view_release(view);
	return rc;
}

static int refusals(struct tk *k)
{
	struct tk_batch b = tk_one(1), big = tk_one(1);
	size_t len, big_len;
	uint8_t *p = tk_batch_make(&b, &len);
	uint8_t *q;

	ASSERT_EQ(0, open_with_topic(k));
	p[SL_BATCH_MAGIC] = 1;
	EXPECT_EQ(SL_REFUSED_BATCH_OLD, append_raw(k, p, len));
	p[SL_BATCH_MAGIC] = 2;
	p[len - 2] ^= 1;
	EXPECT_EQ(SL_REFUSED_BATCH_CORRUPT, append_raw(k, p, len));
	p[len - 2] ^= 1;
	EXPECT_EQ(SL_REFUSED_BATCH_CORRUPT, append_raw(k, p, len - 1));
	EXPECT_EQ(SL_REFUSED_UNKNOWN_PARTITION, tk_append(k, "t", 4, &b, NULL));
	big.padding = 2 * SL_MIB;
	q = tk_batch_make(&big, &big_len);
	EXPECT_EQ(SL_REFUSED_BATCH_TOO_LARGE, append_raw(k, q, big_len));
	EXPECT_EQ(0, tk_end(k, "t", 0));
	EXPECT_EQ(0, append_raw(k, p, len));
	free(p);
	free(q);
	return tk_close(k);
}

TEST_F(append, bad_batches_are_refused)
{
	EXPECT_EQ(0, tk_run(&self->k, refusals));
}

static int append_time(struct tk *k)
{
	struct sl_topic_settings s = {0};
	struct tk_batch b = {.number = 1, .n = 50, .producer_id = -1, .padding = 100};
	struct sl_offset_query q = {.epoch = -1, .time_ms = SL_OFFSET_TIME_MAX};
	int64_t numbers[200], now = sl_wall_clock_ns() / SL_MSEC;

	ASSERT_EQ(0, sl_topic_settings_set(&s, SL_TOPIC_TIMESTAMP_TYPE, tk_str("LogAppendTime")));
	ASSERT_EQ(0, tk_open(k));
	ASSERT_EQ(0, sl_topics_create(k->t, tk_str("t"), 1, &s, false, NULL, SL_NEVER));
	ASSERT_EQ(0, tk_append(k, "t", 0, &b, NULL));
	ASSERT_EQ(0, tk_append_streamed(k, "t", 0, &b, 900, NULL));
	/* tk_read() checks the checksums, which the new time is part of. */
	EXPECT_EQ(100, tk_read(k, "t", 0, 0, numbers, 200));
	q.topic = tk_topic(k, "t");
	ASSERT_EQ(0, sl_topic_offsets(k->t, &q, 1, SL_NEVER));
	EXPECT_EQ(0, q.result);
	EXPECT_LE(now, q.offset_ms);
	return tk_close(k);
}

TEST_F(append, log_append_time_is_stored)
{
	EXPECT_EQ(0, tk_run(&self->k, append_time));
}

/* ---- idempotence -------------------------------------------------------------------------- */

static int append_seq(struct tk *k, int64_t number, uint32_t n, int16_t epoch, int32_t sequence,
		      uint64_t *ret_base)
{
	struct tk_batch b = tk_idempotent(number, n, 9, epoch, sequence);

	return tk_append(k, "t", 0, &b, ret_base);
}

static int duplicates(struct tk *k)
{
	uint64_t base;

	ASSERT_EQ(0, open_with_topic(k));
	for (int i = 0; i < 7; i++) {
		ASSERT_EQ(0, append_seq(k, i * 10, 10, 0, i * 10, &base));
		EXPECT_EQ(i * 10, base);
	}
	/* The last five are known; the ones before are out of order. */
	for (int i = 2; i < 7; i++) {
		ASSERT_EQ(0, append_seq(k, i * 10, 10, 0, i * 10, &base));
		EXPECT_EQ(i * 10, base);
	}
	EXPECT_EQ(SL_REFUSED_OUT_OF_ORDER, append_seq(k, 0, 10, 0, 0, &base));
	EXPECT_EQ(SL_REFUSED_OUT_OF_ORDER, append_seq(k, 0, 10, 0, 80, &base));
	EXPECT_EQ(SL_REFUSED_OUT_OF_ORDER, append_seq(k, 0, 5, 0, 60, &base));
	ASSERT_EQ(0, append_seq(k, 70, 1, 0, 70, &base));
	EXPECT_EQ(70, base);
	/* Streams are checked the same. */
	{
		struct tk_batch b = tk_idempotent(70, 1, 9, 0, 70);

		ASSERT_EQ(0, tk_append_streamed(k, "t", 0, &b, 100, &base));
		EXPECT_EQ(70, base);
		b.sequence = 72;
		EXPECT_EQ(SL_REFUSED_OUT_OF_ORDER, tk_append_streamed(k, "t", 0, &b, 100, &base));
	}
	EXPECT_EQ(71, tk_end(k, "t", 0));
	return tk_close(k);
}

TEST_F(append, duplicates_get_the_original_offset)
{
	EXPECT_EQ(0, tk_run(&self->k, duplicates));
}

static int epochs(struct tk *k)
{
	uint64_t base;

	ASSERT_EQ(0, open_with_topic(k));
	ASSERT_EQ(0, append_seq(k, 0, 1, 3, 0, &base));
	EXPECT_EQ(SL_REFUSED_FENCED_PRODUCER, append_seq(k, 0, 1, 2, 1, &base));
	EXPECT_EQ(SL_REFUSED_OUT_OF_ORDER, append_seq(k, 0, 1, 4, 1, &base));
	ASSERT_EQ(0, append_seq(k, 0, 1, 4, 0, &base));
	EXPECT_EQ(1, base);
	EXPECT_EQ(SL_REFUSED_FENCED_PRODUCER, append_seq(k, 0, 1, 3, 1, &base));
	return tk_close(k);
}

TEST_F(append, newer_epoch_begins_anew_and_fences_the_old)
{
	EXPECT_EQ(0, tk_run(&self->k, epochs));
}

static int wraps(struct tk *k)
{
	uint64_t base;

	ASSERT_EQ(0, open_with_topic(k));
	ASSERT_EQ(0, append_seq(k, 0, 3, 0, INT32_MAX - 1, &base)); /* MAX-1, MAX, 0 */
	ASSERT_EQ(0, append_seq(k, 3, 1, 0, 1, &base));
	EXPECT_EQ(3, base);
	ASSERT_EQ(0, append_seq(k, 0, 3, 0, INT32_MAX - 1, &base));
	EXPECT_EQ(0, base);
	return tk_close(k);
}

TEST_F(append, sequences_wrap)
{
	EXPECT_EQ(0, tk_run(&self->k, wraps));
}

static int remembers(struct tk *k)
{
	uint64_t base;

	ASSERT_EQ(0, open_with_topic(k));
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, append_seq(k, i, 1, 0, i, &base));
	ASSERT_EQ(0, tk_close(k));
	ASSERT_EQ(0, tk_open(k));
	ASSERT_EQ(0, append_seq(k, 2, 1, 0, 2, &base));
	EXPECT_EQ(2, base);
	EXPECT_EQ(SL_REFUSED_OUT_OF_ORDER, append_seq(k, 5, 1, 0, 5, &base));
	ASSERT_EQ(0, append_seq(k, 4, 1, 0, 4, &base));
	EXPECT_EQ(4, base);
	EXPECT_EQ(0, k->events[SL_TOPICS_REBUILT]);
	return tk_close(k);
}

TEST_F(append, producers_are_remembered_over_a_restart)
{
	EXPECT_EQ(0, tk_run(&self->k, remembers));
}

/* A snapshot that does not verify is told of, and made again from the log. */
static int snapshot_damaged(struct tk *k)
{
	char path[400], name[120];
	uint64_t base;

	ASSERT_EQ(0, open_with_topic(k));
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, append_seq(k, i, 1, 0, i, &base));
	for (int i = 0; i < 16; i++)
		snprintf(name + 2 * i, 3, "%02x", tk_topic(k, "t")->id.b[i]);
	ASSERT_EQ(0, tk_close(k));
	snprintf(path, sizeof(path), "/topics/t.%s/0.producers", name);
	ASSERT_EQ(0, sl_sim_flip(k->sim, path, 30, 3));
	ASSERT_EQ(0, tk_open(k));
	ASSERT_EQ(0, append_seq(k, 3, 1, 0, 3, &base));
	EXPECT_EQ(3, base);
	EXPECT_EQ(SL_REFUSED_OUT_OF_ORDER, append_seq(k, 5, 1, 0, 5, &base));
	EXPECT_EQ(1, k->events[SL_TOPICS_REBUILT]);
	return tk_close(k);
}

TEST(damaged_snapshots_are_made_again)
{
	struct tk k;

	tk_init(&k, sl_sim_new(3, NULL));
	EXPECT_EQ(0, tk_run(&k, snapshot_damaged));
	sl_sim_free(k.sim);
}

struct racer {
	struct tk *k;
	int rc;
	uint64_t base;
	struct sl_waitq *q;
	int *left;
};

static void race(void *arg)
{
	struct racer *r = arg;
	struct tk_batch b = tk_idempotent(0, 2, 9, 0, 0);

	r->rc = tk_append(r->k, "t", 0, &b, &r->base);
	--*r->left;
	sl_waitq_wake_all(r->q, 0);
}

static int races(struct tk *k)
{
	struct racer racers[8];
	struct sl_waitq q;
	int left = 8;

	ASSERT_EQ(0, open_with_topic(k));
	sl_waitq_init(&q);
	for (int i = 0; i < 8; i++) {
		racers[i] = (struct racer){k, -1, 99, &q, &left};
		ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, race, &racers[i]));
	}
	while (left)
		sl_waitq_wait(&q, SL_NEVER);
	for (int i = 0; i < 8; i++) {
		EXPECT_EQ(0, racers[i].rc);
		EXPECT_EQ(0, racers[i].base);
	}
	EXPECT_EQ(2, tk_end(k, "t", 0));
	return tk_close(k);
}

TEST_F(append, repetitions_at_the_same_time_are_stored_once)
{
	EXPECT_EQ(0, tk_run(&self->k, races));
}

TEST_HARNESS_MAIN
