/* SPDX-License-Identifier: Apache-2.0 */
/* The journal of a shard: made whole, written by many, read past what is damaged. */
#include <fcntl.h>
#include <stdio.h>

#include "stores/topics/groups_pvt.h"
#include "topic_kit.h"

FIXTURE(journal)
{
	struct tk k;
};
FIXTURE_SETUP(journal)
{
	tk_init(&self->k, sl_sim_new(harness_random(), NULL));
}
FIXTURE_TEARDOWN(journal)
{
	sl_sim_free(self->k.sim);
}

struct committer {
	struct tk *k;
	int number;
	int *left;
	struct sl_waitq *q;
};

static void commit_many(void *arg)
{
	struct committer *c = arg;

	for (int i = 0; i < 50; i++)
		EXPECT_EQ(0, tk_commit(c->k, "shared", (uint32_t)c->number, i, "m"));
	--*c->left;
	sl_waitq_wake_all(c->q, 0);
}

static int together(struct tk *k)
{
	struct committer c[4];
	struct sl_waitq q;
	int left = 4;

	ASSERT_EQ(0, tk_open_with(k, "t", 4));
	sl_waitq_init(&q);
	for (int i = 0; i < 4; i++) {
		c[i] = (struct committer){k, i, &left, &q};
		ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, commit_many, &c[i]));
	}
	while (left)
		sl_waitq_wait(&q, SL_NEVER);
	tk_kill(k);
	sl_sim_reboot(k->sim, SL_SIM_LOSE_ALL);
	ASSERT_EQ(0, tk_open(k));
	for (uint32_t i = 0; i < 4; i++)
		EXPECT_EQ(49, tk_committed(k, "shared", i, NULL));
	return tk_close(k);
}

TEST_F(journal, commits_at_the_same_time_share_syncs)
{
	sl_sim_delay(self->k.sim, 3);
	EXPECT_EQ(0, tk_run(&self->k, together));
}

/* The path of @group's journal, with @suffix. */
static const char *journal(const char *group, const char *suffix)
{
	static char path[80];

	snprintf(path, sizeof(path), "/groups/%u%s", shard_index(tk_str(group)), suffix);
	return path;
}

/* A creation that a crash cut short is in nobody's way. */
static int leftover(struct tk *k)
{
	ASSERT_EQ(0, tk_open_with(k, "t", 4));
	ASSERT_EQ(0, sl_mkdir(AT_FDCWD, journal("g", ".new"), 0700, SL_NEVER));
	ASSERT_EQ(0, sl_mkdir(AT_FDCWD, journal("g", ".new/folder"), 0700, SL_NEVER));
	ASSERT_EQ(0, tk_commit(k, "g", 0, 10, "m"));
	tk_kill(k);
	sl_sim_reboot(k->sim, SL_SIM_LOSE_ALL);
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(10, tk_committed(k, "g", 0, NULL));
	return tk_close(k);
}

TEST_F(journal, unfinished_creation_is_made_anew)
{
	EXPECT_EQ(0, tk_run(&self->k, leftover));
}

/*
 * The watermark lies behind the first of three records when each was synced by itself: damage in
 * it is no torn tail. The header of a record has 40 bytes.
 */
static int damaged(struct tk *k)
{
	ASSERT_EQ(0, tk_open_with(k, "t", 4));
	for (uint32_t i = 0; i < 4; i++)
		ASSERT_EQ(0, tk_commit(k, "g", i, 10 + i, "m"));
	tk_kill(k);
	sl_sim_reboot(k->sim, SL_SIM_KEEP_ALL);
	ASSERT_EQ(0, sl_sim_flip(k->sim, journal("g", "/00000000000000000000.log"),
				 4096 + GROUP_RECORD_HEADER_BYTES + 3, 1));
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(-1, tk_committed(k, "g", 0, NULL));
	for (uint32_t i = 1; i < 4; i++)
		EXPECT_EQ(10 + i, tk_committed(k, "g", i, NULL));
	EXPECT_EQ(1, k->events[SL_TOPICS_GROUP_LOST]);
	EXPECT_EQ(0, tk_commit(k, "g", 0, 20, "m"));
	return tk_close(k);
}

TEST_F(journal, damaged_record_is_told_and_passed_over)
{
	EXPECT_EQ(0, tk_run(&self->k, damaged));
}

TEST_HARNESS_MAIN
