/* SPDX-License-Identifier: Apache-2.0 */
/* The look at everything: by request and in the background. */
#include "kit.h"
#include "segments/segments_pvt.h"

enum { BYTES = 200, N = 30 };

FIXTURE(scrub)
{
	struct kit k;
};
FIXTURE_VARIANT(scrub)
{
	bool sim;
};
FIXTURE_VARIANT_ADD(scrub, real){.sim = false};
FIXTURE_VARIANT_ADD(scrub, sim){.sim = true};
FIXTURE_SETUP(scrub)
{
	self->k = (struct kit){.sim = variant->sim ? sl_sim_new(harness_seed(), NULL) : NULL,
			       .background = true};
	self->k.conf.segment_bytes = 4096 + 10 * BYTES;
}
FIXTURE_TEARDOWN(scrub)
{
	sl_sim_free(self->k.sim);
}

static int by_request(struct kit *k)
{
	struct kit_batch b = {99, 1, 100, 1};
	uint64_t base;

	k->background = false;
	ASSERT_EQ(0, kit_create(k));
	EXPECT_EQ(0, sl_log_scrub(k->log, SL_NEVER));
	ASSERT_EQ(0, kit_fill(k, 0, N, BYTES));
	EXPECT_EQ(0, sl_log_scrub(k->log, SL_NEVER));
	/* One in each segment. */
	for (uint64_t s = 0; s < N; s += 10)
		ASSERT_EQ(0, kit_flip(k, kit_path(s, ".log"), SEG_DATA + 4 * BYTES + 60, 2));
	/* What is not yet durable is not looked at. */
	ASSERT_LE(0, kit_append_nowait(k, &b, NULL, &base));
	EXPECT_EQ(3, sl_log_scrub(k->log, SL_NEVER));
	EXPECT_EQ(3, k->events[SL_LOG_QUARANTINED]);
	EXPECT_EQ(24, k->a[SL_LOG_QUARANTINED]);
	EXPECT_EQ(0, sl_log_scrub(k->log, SL_NEVER));
	return kit_close(k);
}

TEST_F(scrub, finds_what_is_bad_in_every_segment_once)
{
	ASSERT_EQ(0, kit_run(&self->k, by_request));
}

static void heard(void *arg, const char *name, enum sl_log_event event, int64_t a, int64_t b)
{
	struct kit *k = arg;

	k->events[event]++;
}

static int in_background(struct kit *k)
{
	struct sl_logs_conf conf = {.background = true, .scrub_bytes_per_s = SL_GIB,
				    .scrub_rest_ns = 5 * SL_MSEC, .event = heard, .arg = k};
	int64_t until;

	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, N, BYTES));
	ASSERT_EQ(0, kit_close(k));
	ASSERT_EQ(0, kit_flip(k, kit_path(10, ".log"), SEG_DATA + 100, 1));
	ASSERT_EQ(0, sl_logs_new(&conf, &k->logs));
	ASSERT_EQ(0, sl_log_open(k->logs, k->dir, "log", "kit", &kit_kind, &k->conf, &k->log,
				 SL_NEVER));
	until = sl_now() + 20 * SL_SEC;
	while (!k->events[SL_LOG_QUARANTINED] && sl_now() < until)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(1, k->events[SL_LOG_QUARANTINED]);
	EXPECT_LT(0, sl_core_metrics(sl_core_self())->scalars[SL_M_SCRUB_BYTES]);
	return kit_close(k);
}

TEST_F(scrub, background_finds_it_too)
{
	ASSERT_EQ(0, kit_run(&self->k, in_background));
}

static int read_error(struct kit *k)
{
	k->background = false;
	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, N, BYTES));
	sl_sim_cut(k->sim);
	EXPECT_EQ(-EIO, sl_log_scrub(k->log, SL_NEVER));
	EXPECT_EQ(0, k->events[SL_LOG_QUARANTINED]);
	kit_abandon(k);
	return 0;
}

TEST(disk_that_does_not_read_is_an_error_and_no_damage)
{
	struct kit k = {.sim = sl_sim_new(1, NULL)};

	ASSERT_EQ(0, kit_run(&k, read_error));
	sl_sim_free(k.sim);
}

TEST_HARNESS_MAIN
