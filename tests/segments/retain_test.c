/* SPDX-License-Identifier: Apache-2.0 */
/* Trimming, and retention by size and time. */
#include "kit.h"
#include "segments/segments_pvt.h"

enum { BYTES = 200, PER_SEGMENT = 5, N = 30 };

FIXTURE(retain)
{
	struct kit k;
};
FIXTURE_VARIANT(retain)
{
	bool sim;
};
FIXTURE_VARIANT_ADD(retain, real){.sim = false};
FIXTURE_VARIANT_ADD(retain, sim){.sim = true};
FIXTURE_SETUP(retain)
{
	self->k = (struct kit){.sim = variant->sim ? sl_sim_new(harness_seed(), NULL) : NULL,
			       .background = true};
	self->k.conf.segment_bytes = 4096 + PER_SEGMENT * BYTES;
}
FIXTURE_TEARDOWN(retain)
{
	sl_sim_free(self->k.sim);
}

/* Six segments of five records; record i has time 1000 + i. */
static void make(struct kit *k)
{
	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, N, BYTES));
	ASSERT_EQ(N / PER_SEGMENT, k->log->n_segs);
}

static bool exists(struct kit *k, uint64_t base, const char *suffix)
{
	struct statx stx;

	return !sl_stat(k->dir, kit_path(base, suffix), &stx, SL_NEVER);
}

static int trim(struct kit *k)
{
	uint32_t ids[N];
	uint64_t base;

	make(k);
	EXPECT_EQ(-ERANGE, sl_log_trim(k->log, N + 1, SL_NEVER));
	ASSERT_EQ(0, sl_log_trim(k->log, 12, SL_NEVER));
	EXPECT_EQ(12, sl_log_start(k->log));
	EXPECT_FALSE(exists(k, 0, ".log"));
	EXPECT_FALSE(exists(k, 0, ".idx"));
	EXPECT_FALSE(exists(k, 5, ".log"));
	EXPECT_TRUE(exists(k, 10, ".log"));
	EXPECT_EQ(2, k->events[SL_LOG_DELETED]);
	EXPECT_EQ(-ERANGE, sl_log_trim(k->log, 11, SL_NEVER));
	EXPECT_EQ(-ERANGE, kit_read(k, 11, 1000, ids, N, NULL));
	EXPECT_EQ(18, kit_read(k, 12, 1 << 20, ids, N, NULL));
	EXPECT_EQ(12, ids[0]);
	ASSERT_EQ(0, kit_close(k));
	ASSERT_EQ(0, kit_open(k));
	EXPECT_EQ(12, sl_log_start(k->log));
	EXPECT_EQ(-ERANGE, kit_read(k, 11, 1000, ids, N, NULL));
	/* All of it: the last segment stays, and offsets go on. */
	ASSERT_EQ(0, sl_log_trim(k->log, N, SL_NEVER));
	EXPECT_EQ(1, k->log->n_segs);
	EXPECT_EQ(0, kit_read(k, N, 1000, ids, N, NULL));
	EXPECT_EQ(-1, sl_log_time_max(k->log, &base));
	ASSERT_EQ(0, kit_fill(k, 90, 1, BYTES));
	EXPECT_EQ(1, kit_read(k, N, 1000, ids, N, NULL));
	return kit_close(k);
}

TEST_F(retain, trim_raises_the_start_and_deletes_what_is_below)
{
	ASSERT_EQ(0, kit_run(&self->k, trim));
}

static int by_size(struct kit *k)
{
	make(k);
	k->conf.retention_bytes = 3 * (4096 + PER_SEGMENT * BYTES);
	sl_log_configure(k->log, &k->conf);
	EXPECT_EQ(3, sl_log_retain(k->log, 2000, SL_NEVER));
	EXPECT_EQ(15, sl_log_start(k->log));
	EXPECT_LE(k->conf.retention_bytes, sl_log_bytes(k->log) + SEG_FOOTER);
	EXPECT_EQ(0, sl_log_retain(k->log, 2000, SL_NEVER));
	return kit_close(k);
}

TEST_F(retain, size_keeps_at_least_what_it_says)
{
	ASSERT_EQ(0, kit_run(&self->k, by_size));
}

static int by_time(struct kit *k)
{
	uint32_t id;

	make(k);
	k->conf.retention_ms = 100;
	sl_log_configure(k->log, &k->conf);
	EXPECT_EQ(0, sl_log_retain(k->log, 1104, SL_NEVER));
	EXPECT_EQ(1, sl_log_retain(k->log, 1105, SL_NEVER));
	EXPECT_EQ(5, sl_log_start(k->log));
	/* Even the last one, once it is old: another takes its place. */
	EXPECT_EQ(5, sl_log_retain(k->log, 5000, SL_NEVER));
	EXPECT_EQ(N, sl_log_start(k->log));
	EXPECT_EQ(N, sl_log_end(k->log));
	EXPECT_EQ(1, k->log->n_segs);
	EXPECT_EQ(0, kit_read(k, N, 100, &id, 1, NULL));
	ASSERT_EQ(0, kit_close(k));
	ASSERT_EQ(0, kit_open(k));
	EXPECT_EQ(N, sl_log_end(k->log));
	return kit_close(k);
}

TEST_F(retain, time_counts_from_the_newest_record_of_a_segment)
{
	ASSERT_EQ(0, kit_run(&self->k, by_time));
}

static int held(struct kit *k)
{
	struct sl_span span;
	uint8_t data[PER_SEGMENT * BYTES];
	uint64_t used = 0;

	make(k);
	ASSERT_EQ(1, sl_log_read(k->log, 0, 1 << 20, NULL, &span, 1, SL_NEVER));
	ASSERT_EQ(0, sl_log_trim(k->log, 20, SL_NEVER));
	EXPECT_FALSE(exists(k, 0, ".log"));
	if (k->sim)
		used = sl_sim_used(k->sim);
	/* The bytes are there as long as somebody may send them. */
	ASSERT_EQ(0, kit_close(k));
	ASSERT_EQ(sizeof(data), span.extent.len);
	EXPECT_EQ(0, sl_read_all(span.extent.file->fd, data, sizeof(data), span.extent.off,
				 SL_NEVER));
	EXPECT_EQ(4, kit_id(data + 4 * BYTES));
	sl_file_release(span.extent.file);
	if (k->sim)
		EXPECT_GT(used, sl_sim_used(k->sim));
	return 0;
}

TEST_F(retain, extents_outlive_the_segment_and_the_log)
{
	ASSERT_EQ(0, kit_run(&self->k, held));
}

static int in_background(struct kit *k)
{
	struct sl_logs_conf conf = {.background = true, .retention_check_ns = 5 * SL_MSEC};
	int64_t until;

	make(k);
	ASSERT_EQ(0, kit_close(k));
	k->conf.retention_bytes = 1;
	ASSERT_EQ(0, sl_logs_new(&conf, &k->logs));
	ASSERT_EQ(0, sl_log_open(k->logs, k->dir, "log", "kit", &kit_kind, &k->conf, &k->log,
				 SL_NEVER));
	until = sl_now() + 20 * SL_SEC;
	while (sl_log_start(k->log) < N - PER_SEGMENT && sl_now() < until)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(N - PER_SEGMENT, sl_log_start(k->log));
	return kit_close(k);
}

TEST_F(retain, background_looks_from_time_to_time)
{
	ASSERT_EQ(0, kit_run(&self->k, in_background));
}

TEST_HARNESS_MAIN
