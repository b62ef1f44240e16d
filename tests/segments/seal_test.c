/* SPDX-License-Identifier: Apache-2.0 */
/* Rolling: by size and by age, and what a full disk does to it. */
#include "kit.h"
#include "segments/segments_pvt.h"

FIXTURE(seal)
{
	struct kit k;
};
FIXTURE_SETUP(seal)
{
	self->k = (struct kit){.sim = sl_sim_new(harness_seed(), NULL), .background = true};
}
FIXTURE_TEARDOWN(seal)
{
	sl_sim_free(self->k.sim);
}

static int by_size(struct kit *k)
{
	struct sl_segment_info info;
	struct kit_batch big = {50, 1, 9000, 1};
	uint32_t ids[64];

	k->conf.segment_bytes = 4096 + 1000;
	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, 10, 300));
	/* Longer than a segment: one of its own. */
	ASSERT_EQ(0, kit_append(k, &big, NULL));
	ASSERT_EQ(0, kit_fill(k, 60, 1, 300));
	EXPECT_EQ(10, kit_read(k, 0, 1 << 20, ids, 64, NULL));
	EXPECT_EQ(2, kit_read(k, 10, 1 << 20, ids, 64, NULL));
	ASSERT_EQ(0, kit_close(k));
	for (uint64_t base = 0; base < 9; base += 3) {
		ASSERT_EQ(0, sl_segment_inspect(k->dir, kit_path(base, ".log"), &kit_kind, NULL,
						NULL, &info));
		EXPECT_TRUE(info.sealed);
		EXPECT_TRUE(info.index_ok);
		EXPECT_EQ(base, info.base);
		EXPECT_EQ(base + 3, info.next);
		EXPECT_EQ(3, info.batches);
	}
	ASSERT_EQ(0, sl_segment_inspect(k->dir, kit_path(10, ".log"), &kit_kind, NULL, NULL,
					&info));
	EXPECT_EQ(1, info.batches);
	return 0;
}

TEST_F(seal, segment_that_is_full_is_sealed_and_followed)
{
	ASSERT_EQ(0, kit_run(&self->k, by_size));
}

static int when_asked(struct kit *k)
{
	uint64_t before;

	ASSERT_EQ(0, kit_create(k));
	EXPECT_EQ(0, sl_log_roll(k->log, SL_NEVER));
	ASSERT_EQ(0, kit_fill(k, 0, 10, 300));
	ASSERT_EQ(0, sl_log_sync(k->log, SL_NEVER));
	before = sl_log_bytes(k->log);
	ASSERT_EQ(0, sl_log_trim(k->log, 10, SL_NEVER));
	EXPECT_EQ(before, sl_log_bytes(k->log));
	EXPECT_EQ(0, sl_log_roll(k->log, SL_NEVER));
	EXPECT_EQ(0, sl_log_roll(k->log, SL_NEVER));
	ASSERT_EQ(0, kit_fill(k, 10, 1, 300));
	ASSERT_EQ(0, sl_log_sync(k->log, SL_NEVER));
	ASSERT_EQ(0, sl_log_trim(k->log, 10, SL_NEVER));
	EXPECT_LT(sl_log_bytes(k->log), before);
	EXPECT_EQ(10, sl_log_start(k->log));
	EXPECT_EQ(11, sl_log_end(k->log));
	return kit_close(k);
}

TEST_F(seal, segment_that_is_to_go_is_followed_when_asked)
{
	ASSERT_EQ(0, kit_run(&self->k, when_asked));
}

static int by_age(struct kit *k)
{
	uint32_t n;

	k->conf.segment_ms = 30;
	ASSERT_EQ(0, kit_create(k));
	sl_sleep(sl_now() + 50 * SL_MSEC);
	ASSERT_EQ(0, kit_fill(k, 0, 1, 300)); /* an empty one is not sealed */
	EXPECT_EQ(1, k->log->n_segs);
	sl_sleep(sl_now() + 50 * SL_MSEC);
	ASSERT_EQ(0, kit_fill(k, 1, 1, 300));
	n = k->log->n_segs;
	EXPECT_EQ(2, n);
	return kit_close(k);
}

TEST_F(seal, segment_that_is_old_is_sealed_at_the_next_append)
{
	ASSERT_EQ(0, kit_run(&self->k, by_age));
}

static int full_disk(struct kit *k)
{
	uint64_t used;
	uint32_t ids[64];

	k->conf.segment_bytes = 4096 + 1000;
	k->background = false;
	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, 3, 300));
	used = sl_sim_used(k->sim);
	sl_sim_limit(k->sim, used); /* the footer fits its page, the next segment does not */
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-ENOSPC, kit_fill(k, 3, 1, 300));
	EXPECT_EQ(0, sl_log_failed(k->log));
	EXPECT_EQ(1, k->events[SL_LOG_FULL]);
	EXPECT_EQ(3, kit_read(k, 0, 1 << 20, ids, 64, NULL));
	ASSERT_EQ(0, kit_close(k));
	ASSERT_EQ(0, kit_open(k));
	EXPECT_TRUE(sl_log_was_clean(k->log));
	EXPECT_EQ(-ENOSPC, kit_fill(k, 3, 1, 300));
	sl_sim_limit(k->sim, 0);
	EXPECT_EQ(0, kit_fill(k, 3, 1, 300));
	EXPECT_EQ(4, kit_read(k, 0, 1 << 20, ids, 64, NULL));
	return kit_close(k);
}

TEST_F(seal, full_disk_between_two_segments_refuses_until_space_returns)
{
	ASSERT_EQ(0, kit_run(&self->k, full_disk));
}

TEST_HARNESS_MAIN
