/* SPDX-License-Identifier: Apache-2.0 */
/* Logs: creating, opening, closing, failing, and what they know of themselves. */
#include <errno.h>
#include <fcntl.h>

#include "kit.h"

FIXTURE(log)
{
	struct kit k;
};
FIXTURE_VARIANT(log)
{
	bool sim, plain;
};
FIXTURE_VARIANT_ADD(log, real){.sim = false};
FIXTURE_VARIANT_ADD(log, sim){.sim = true};
FIXTURE_VARIANT_ADD(log, plain){.sim = true, .plain = true};

FIXTURE_SETUP(log)
{
	self->k = (struct kit){
		.sim = variant->sim ? sl_sim_new(harness_seed(), NULL) : NULL,
		.background = !variant->plain,
	};
}

FIXTURE_TEARDOWN(log)
{
	sl_sim_free(self->k.sim);
}

#define RUN(body) ASSERT_EQ(0, (variant->plain ? kit_run_plain : kit_run)(&self->k, body))

static int new_log_is_empty(struct kit *k)
{
	struct sl_span span;

	ASSERT_EQ(0, kit_create(k));
	EXPECT_EQ(0, sl_log_start(k->log));
	EXPECT_EQ(0, sl_log_durable(k->log));
	EXPECT_EQ(0, sl_log_end(k->log));
	EXPECT_EQ(4096, sl_log_bytes(k->log));
	EXPECT_EQ(-1, sl_log_time_max(k->log, NULL));
	EXPECT_TRUE(sl_log_was_clean(k->log));
	EXPECT_EQ(0, sl_log_failed(k->log));
	EXPECT_EQ(0, sl_log_read(k->log, 0, 1000, NULL, &span, 1, SL_NEVER));
	EXPECT_EQ(-ERANGE, sl_log_read(k->log, 1, 1000, NULL, &span, 1, SL_NEVER));
	EXPECT_EQ(0, kit_close(k));
	return 0;
}

TEST_F(log, new_log_is_empty)
{
	RUN(new_log_is_empty);
}

static int close_and_open_keep_all(struct kit *k)
{
	uint32_t ids[16];
	uint64_t next = 0, base = 77;

	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, 10, 200));
	EXPECT_EQ(10, sl_log_durable(k->log));
	EXPECT_EQ(10, kit_read(k, 0, 100000, ids, 16, &next));
	ASSERT_EQ(0, kit_close(k));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, kit_open(k));
		EXPECT_TRUE(sl_log_was_clean(k->log));
		EXPECT_EQ(10, sl_log_durable(k->log));
		EXPECT_EQ(10, sl_log_end(k->log));
		EXPECT_EQ(1009, sl_log_time_max(k->log, &base));
		EXPECT_EQ(9, base);
		EXPECT_EQ(10, kit_read(k, 0, 100000, ids, 16, &next));
		EXPECT_EQ(10, next);
		EXPECT_EQ(7, ids[7]);
		EXPECT_EQ(5, kit_read(k, 5, 100000, ids, 16, &next));
		EXPECT_EQ(5, ids[0]);
		ASSERT_EQ(0, kit_close(k));
	}
	EXPECT_EQ(0, k->events[SL_LOG_TORN_TAIL]);
	return 0;
}

TEST_F(log, close_and_open_keep_all)
{
	RUN(close_and_open_keep_all);
}

static int abandon_then_open_is_not_clean(struct kit *k)
{
	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, 10, 200));
	kit_abandon(k);
	ASSERT_EQ(0, kit_open(k));
	EXPECT_FALSE(sl_log_was_clean(k->log));
	EXPECT_EQ(10, sl_log_durable(k->log));
	return kit_close(k);
}

TEST_F(log, abandon_then_open_is_not_clean)
{
	RUN(abandon_then_open_is_not_clean);
}

static int wrong_kind_is_refused(struct kit *k)
{
	struct sl_log_kind other = kit_kind;
	struct sl_logs_conf conf = {0};
	struct sl_logs *logs;
	struct sl_log *log;

	other.id = 78;
	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_close(k));
	ASSERT_EQ(0, sl_logs_new(&conf, &logs));
	EXPECT_EQ(-EBADMSG, sl_log_open(logs, k->dir, "log", "x", &other, &k->conf, &log,
					SL_NEVER));
	EXPECT_EQ(-ENOENT, sl_log_open(logs, k->dir, "no", "x", &other, &k->conf, &log, SL_NEVER));
	EXPECT_EQ(0, sl_mkdir(k->dir, "empty", 0700, SL_NEVER));
	EXPECT_EQ(-ENOENT, sl_log_open(logs, k->dir, "empty", "x", &kit_kind, &k->conf, &log,
				       SL_NEVER));
	sl_logs_free(logs, SL_NEVER);
	return 0;
}

TEST_F(log, wrong_kind_is_refused)
{
	RUN(wrong_kind_is_refused);
}

TEST_HARNESS_MAIN
