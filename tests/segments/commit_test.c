/* SPDX-License-Identifier: Apache-2.0 */
/* Group commit: many logs at a time, watermarks, failures. */
#include "kit.h"
#include "segments/segments_pvt.h"

enum { LOGS = 20 };

static int open_many(struct kit *k, struct sl_log **logs)
{
	struct sl_logs_conf conf = {.background = true};
	int err = sl_logs_new(&conf, &k->logs);

	for (int i = 0; i < LOGS && !err; i++) {
		char path[16];

		snprintf(path, sizeof(path), "log%d", i);
		err = sl_mkdir(k->dir, path, 0700, SL_NEVER);
		if (!err)
			err = sl_log_create(k->dir, path, &kit_kind, SL_NEVER);
		if (!err)
			err = sl_log_open(k->logs, k->dir, path, "kit", &kit_kind, &k->conf,
					  &logs[i], SL_NEVER);
	}
	return err;
}

static int append_to(struct sl_log *log, uint32_t id)
{
	struct kit_batch b = {id, 1, 100, id};
	uint8_t buf[100];
	struct sl_frame f = kit_make(&b, buf);
	struct iovec iov = {buf, sizeof(buf)};
	uint64_t base;

	return sl_log_append(log, &iov, 1, &f, NULL, &base, SL_NEVER);
}

static uint64_t rounds(void)
{
	return sl_core_metrics(sl_core_self())->scalars[SL_M_COMMIT_ROUNDS];
}

static int together(struct kit *k)
{
	struct sl_log *logs[LOGS];
	uint64_t before;

	ASSERT_EQ(0, open_many(k, logs));
	before = rounds();
	for (int i = 0; i < LOGS; i++)
		ASSERT_EQ(0, append_to(logs[i], 1));
	for (int i = 0; i < LOGS; i++)
		EXPECT_EQ(0, sl_order_wait(sl_log_order(logs[i]), 1, SL_NEVER));
	EXPECT_LE(rounds() - before, 2);
	for (int i = 0; i < LOGS; i++)
		EXPECT_EQ(0, sl_log_close(logs[i], SL_NEVER));
	sl_logs_free(k->logs, SL_NEVER);
	return 0;
}

FIXTURE(commit)
{
	struct kit k;
};
FIXTURE_SETUP(commit)
{
	self->k = (struct kit){.sim = sl_sim_new(harness_seed(), NULL), .background = true};
}
FIXTURE_TEARDOWN(commit)
{
	sl_sim_free(self->k.sim);
}

TEST_F(commit, dirty_logs_share_a_round)
{
	ASSERT_EQ(0, kit_run(&self->k, together));
}

static int falls_quiet(struct kit *k)
{
	struct sl_segment_info info = {0};
	int64_t until;

	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, 5, 100));
	/* The slot of the last commit told of the one before. */
	ASSERT_EQ(0, sl_segment_inspect(k->dir, kit_path(0, ".log"), &kit_kind, NULL, NULL, &info));
	EXPECT_GT(4096 + 500, info.durable_bytes);
	until = sl_now() + 30 * SL_SEC;
	while (sl_now() < until && info.durable_bytes < 4096 + 500) {
		sl_sleep(sl_now() + 20 * SL_MSEC);
		ASSERT_EQ(0, sl_segment_inspect(k->dir, kit_path(0, ".log"), &kit_kind, NULL, NULL,
						&info));
	}
	EXPECT_EQ(4096 + 500, info.durable_bytes);
	kit_abandon(k);
	return 0;
}

static int open_after_cut(struct kit *k)
{
	ASSERT_EQ(0, kit_open(k));
	EXPECT_EQ(5, sl_log_durable(k->log));
	EXPECT_FALSE(sl_log_was_clean(k->log));
	return kit_close(k);
}

TEST_F(commit, watermark_of_a_quiet_log_catches_up)
{
	ASSERT_EQ(0, kit_run(&self->k, falls_quiet));
	sl_sim_reboot(self->k.sim, SL_SIM_LOSE_ALL);
	ASSERT_EQ(0, kit_run(&self->k, open_after_cut));
}

static int told_res = 1;

static void tell(struct sl_commit *c)
{
	told_res = c->res;
}

static int waits(struct kit *k)
{
	struct sl_commit c = {.core = sl_core_self(), .done = tell};
	struct kit_batch b = {1, 1, 100, 1};
	uint64_t base;

	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_append_nowait(k, &b, &c, &base));
	EXPECT_EQ(1, told_res);
	while (told_res == 1)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(0, told_res);
	EXPECT_EQ(1, sl_log_durable(k->log));
	/* And one that is lost. */
	told_res = 1;
	sl_sim_fail_sync(k->sim, 1);
	ASSERT_EQ(0, kit_append_nowait(k, &b, &c, &base));
	while (told_res == 1)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(-EIO, told_res);
	EXPECT_EQ(-EIO, kit_close(k));
	return 0;
}

TEST_F(commit, commit_is_told_when_durable_or_lost)
{
	ASSERT_EQ(0, kit_run(&self->k, waits));
}

static int by_hand(struct kit *k)
{
	struct kit_batch b = {1, 1, 100, 1};
	uint64_t base;

	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_append_nowait(k, &b, NULL, &base));
	EXPECT_EQ(0, sl_log_durable(k->log));
	ASSERT_EQ(0, sl_log_sync(k->log, SL_NEVER));
	EXPECT_EQ(1, sl_log_durable(k->log));
	return kit_close(k);
}

TEST_F(commit, without_background_sync_commits)
{
	self->k.background = false;
	ASSERT_EQ(0, kit_run_plain(&self->k, by_hand));
}

TEST(every_strategy_has_its_row)
{
	for (int i = 0; i < COMMIT_LAST; i++) {
		EXPECT_NOT_NULL(commit_strategies[i].name);
		EXPECT_TRUE(commit_strategies[i].commit != NULL);
	}
}

TEST_HARNESS_MAIN
