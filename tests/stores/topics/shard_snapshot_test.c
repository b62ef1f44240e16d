/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots of a shard: when they come, what they save, what one that is damaged does. */
#include <stdio.h>
#include <string.h>

#include "stores/topics/groups_pvt.h"
#include "topic_kit.h"

FIXTURE(snapshot)
{
	struct tk k;
};
FIXTURE_SETUP(snapshot)
{
	tk_init(&self->k, sl_sim_new(harness_random(), NULL));
}
FIXTURE_TEARDOWN(snapshot)
{
	sl_sim_free(self->k.sim);
}

/* Enough commits for several snapshots: the journal is trimmed, nothing is lost. */
static int snapshots(struct tk *k)
{
	char metadata[4001], name[16];

	memset(metadata, 'm', 4000);
	metadata[4000] = 0;
	ASSERT_EQ(0, tk_open_with(k, "t", 4));
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "g%d", i % 3);
		ASSERT_EQ(0, tk_commit(k, name, (uint32_t)(i % 4), i, metadata));
	}
	EXPECT_EQ(0, k->events[SL_TOPICS_SNAPSHOT]);
	tk_kill(k);
	sl_sim_reboot(k->sim, SL_SIM_RANDOM);
	ASSERT_EQ(0, tk_open(k));
	for (int i = 3000 - 12; i < 3000; i++) {
		snprintf(name, sizeof(name), "g%d", i % 3);
		EXPECT_EQ(i, tk_committed(k, name, (uint32_t)(i % 4), NULL));
	}
	EXPECT_EQ(0, k->events[SL_TOPICS_GROUP_LOST]);
	ASSERT_EQ(0, tk_close(k));
	EXPECT_GT(16 * SL_MIB, sl_sim_used(k->sim));
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(2999, tk_committed(k, "g2", 3, NULL));
	return tk_close(k);
}

TEST_F(snapshot, journal_is_trimmed_behind_snapshots)
{
	EXPECT_EQ(0, tk_run(&self->k, snapshots));
}

/* One shard is lost with its snapshot until that is restored; the others are not. */
static int damaged(struct tk *k)
{
	char path[40];
	uint32_t index = shard_index(tk_str("g"));

	ASSERT_NE(index, shard_index(tk_str("other")));
	ASSERT_EQ(0, tk_open_with(k, "t", 4));
	ASSERT_EQ(0, tk_commit(k, "g", 0, 10, "here"));
	ASSERT_EQ(0, tk_commit(k, "other", 0, 11, "there"));
	ASSERT_EQ(0, tk_close(k));
	snprintf(path, sizeof(path), "/groups/%u.snapshot", index);
	ASSERT_EQ(0, sl_sim_flip(k->sim, path, 30, 1));
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(SL_REFUSED_FAILED, tk_commit(k, "g", 0, 12, "x"));
	EXPECT_EQ(1, k->events[SL_TOPICS_FAILED]);
	EXPECT_EQ(11, tk_committed(k, "other", 0, NULL));
	ASSERT_EQ(0, tk_close(k));
	ASSERT_EQ(0, sl_sim_flip(k->sim, path, 30, 1));
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(10, tk_committed(k, "g", 0, NULL));
	return tk_close(k);
}

TEST_F(snapshot, damaged_one_keeps_its_shard_alone_from_service)
{
	EXPECT_EQ(0, tk_run(&self->k, damaged));
}

TEST_HARNESS_MAIN
