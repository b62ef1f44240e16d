/* SPDX-License-Identifier: Apache-2.0 */
/* Committed offsets: fences, restarts, kills, deletion. */
#include <string.h>

#include "topic_kit.h"

FIXTURE(offsets)
{
	struct tk k;
};
FIXTURE_SETUP(offsets)
{
	tk_init(&self->k, sl_sim_new(harness_random(), NULL));
}
FIXTURE_TEARDOWN(offsets)
{
	sl_sim_free(self->k.sim);
}

static int commit_fetch(struct tk *k)
{
	char metadata[64];

	ASSERT_EQ(0, tk_open_with(k, "t", 4));
	EXPECT_EQ(-1, tk_committed(k, "g", 0, NULL));
	EXPECT_EQ(0, tk_committed_all(k, "g"));
	ASSERT_EQ(0, tk_commit(k, "g", 0, 10, "here"));
	ASSERT_EQ(0, tk_commit(k, "g", 1, 11, NULL));
	ASSERT_EQ(0, tk_commit(k, "g", 0, 12, "there"));
	ASSERT_EQ(0, tk_commit(k, "h", 0, 13, ""));
	EXPECT_EQ(12, tk_committed(k, "g", 0, metadata));
	EXPECT_STREQ("there", metadata);
	EXPECT_EQ(11, tk_committed(k, "g", 1, NULL));
	EXPECT_EQ(-1, tk_committed(k, "g", 2, NULL));
	EXPECT_EQ(13, tk_committed(k, "h", 0, NULL));
	EXPECT_EQ(2, tk_committed_all(k, "g"));
	ASSERT_EQ(0, tk_close(k));
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(12, tk_committed(k, "g", 0, metadata));
	EXPECT_STREQ("there", metadata);
	ASSERT_EQ(0, tk_commit(k, "g", 2, 20, "x"));
	tk_kill(k);
	sl_sim_reboot(k->sim, SL_SIM_LOSE_ALL);
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(12, tk_committed(k, "g", 0, NULL));
	EXPECT_EQ(20, tk_committed(k, "g", 2, NULL));
	EXPECT_EQ(3, tk_committed_all(k, "g"));
	return tk_close(k);
}

TEST_F(offsets, are_there_after_restarts_and_kills)
{
	EXPECT_EQ(0, tk_run(&self->k, commit_fetch));
}

static int refuse(struct tk *k)
{
	struct sl_group_member who = {.group = tk_str("g"), .member_id = tk_str("m")};
	struct sl_offset o[2] = {{.offset = 1}, {.offset = 2, .partition = 1}};
	char longer[5000];

	ASSERT_EQ(0, tk_open_with(k, "t", 4));
	o[0].topic = o[1].topic = tk_topic(k, "t")->id;
	EXPECT_EQ(SL_REFUSED_BAD_GENERATION, sl_offsets_commit(k->t, &who, o, 1, SL_NEVER));
	who.generation = -1;
	EXPECT_EQ(SL_REFUSED_UNKNOWN_MEMBER, sl_offsets_commit(k->t, &who, o, 1, SL_NEVER));
	who = tk_nobody("");
	EXPECT_EQ(SL_REFUSED_BAD_GROUP, sl_offsets_commit(k->t, &who, o, 1, SL_NEVER));
	/* One's long metadata does not keep the other from being stored. */
	memset(longer, 'x', sizeof(longer));
	o[0].metadata = (struct sl_str){longer, sizeof(longer)};
	who = tk_nobody("g");
	ASSERT_EQ(0, sl_offsets_commit(k->t, &who, o, 2, SL_NEVER));
	EXPECT_EQ(SL_REFUSED_METADATA_TOO_LARGE, o[0].result);
	EXPECT_EQ(0, o[1].result);
	EXPECT_EQ(-1, tk_committed(k, "g", 0, NULL));
	EXPECT_EQ(2, tk_committed(k, "g", 1, NULL));
	return tk_close(k);
}

TEST_F(offsets, strangers_and_long_metadata_are_refused)
{
	EXPECT_EQ(0, tk_run(&self->k, refuse));
}

/* A member's commits go by its generation. */
static int fenced(struct tk *k)
{
	struct sl_group_protocol p = {tk_str("range"), tk_str("m")};
	struct sl_group_join j = {
		.group = tk_str("g"), .member_id = tk_str(""), .client_id = tk_str("c"),
		.client_host = tk_str("h"), .protocol_type = tk_str("consumer"),
		.session_timeout_ms = 10000, .rebalance_timeout_ms = 1000,
		.protocols = &p, .protocols_n = 1,
	};
	struct sl_group_sync s = {.group = tk_str("g")};
	struct sl_group_member who = {.group = tk_str("g")};
	struct sl_offset o = {.offset = 1};

	ASSERT_EQ(0, tk_open_with(k, "t", 4));
	o.topic = tk_topic(k, "t")->id;
	ASSERT_EQ(0, sl_group_join(k->t, &j, SL_NEVER));
	who.member_id = s.member_id = j.assigned_id;
	who.generation = s.generation = j.generation;
	EXPECT_EQ(SL_REFUSED_REBALANCING, sl_offsets_commit(k->t, &who, &o, 1, SL_NEVER));
	ASSERT_EQ(0, sl_group_sync(k->t, &s, SL_NEVER));
	EXPECT_EQ(0, s.assignment.len);
	sl_group_sync_done(&s);
	EXPECT_EQ(0, sl_offsets_commit(k->t, &who, &o, 1, SL_NEVER));
	who.generation++;
	EXPECT_EQ(SL_REFUSED_BAD_GENERATION, sl_offsets_commit(k->t, &who, &o, 1, SL_NEVER));
	EXPECT_EQ(SL_REFUSED_UNKNOWN_MEMBER, tk_commit(k, "g", 0, 5, NULL));
	o.result = -1;
	ASSERT_EQ(0, sl_offsets_delete(k->t, tk_str("g"), &o, 1, SL_NEVER));
	EXPECT_EQ(SL_REFUSED_OFFSET_SUBSCRIBED, o.result);
	EXPECT_EQ(1, tk_committed(k, "g", 0, NULL));
	sl_group_join_done(&j);
	return tk_close(k);
}

TEST_F(offsets, commits_are_fenced_by_generation)
{
	EXPECT_EQ(0, tk_run(&self->k, fenced));
}

static int deleted(struct tk *k)
{
	struct sl_offset o = {.partition = 1};
	struct sl_uuid id;

	ASSERT_EQ(0, tk_open_with(k, "t", 4));
	ASSERT_EQ(0, tk_commit(k, "g", 0, 10, NULL));
	ASSERT_EQ(0, tk_commit(k, "g", 1, 11, NULL));
	o.topic = id = tk_topic(k, "t")->id;
	ASSERT_EQ(0, sl_offsets_delete(k->t, tk_str("g"), &o, 1, SL_NEVER));
	EXPECT_EQ(0, o.result);
	EXPECT_EQ(-1, tk_committed(k, "g", 1, NULL));
	EXPECT_EQ(SL_REFUSED_UNKNOWN_GROUP, sl_offsets_delete(k->t, tk_str("h"), &o, 1, SL_NEVER));
	ASSERT_EQ(0, tk_close(k));
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(-1, tk_committed(k, "g", 1, NULL));
	EXPECT_EQ(10, tk_committed(k, "g", 0, NULL));
	/* With the topic, also if it is made anew. */
	ASSERT_EQ(0, sl_topics_delete(k->t, &id, SL_NEVER));
	ASSERT_EQ(0, tk_create(k, "t", 4));
	EXPECT_EQ(-1, tk_committed(k, "g", 0, NULL));
	for (int i = 0; i < 10000 && tk_committed_all(k, "g"); i++)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(0, tk_committed_all(k, "g"));
	ASSERT_EQ(0, tk_close(k));
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(0, tk_committed_all(k, "g"));
	ASSERT_EQ(0, tk_commit(k, "g", 0, 1, NULL));
	ASSERT_EQ(0, sl_group_delete(k->t, tk_str("g"), SL_NEVER));
	EXPECT_EQ(0, tk_committed_all(k, "g"));
	ASSERT_EQ(0, tk_close(k));
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(0, tk_committed_all(k, "g"));
	return tk_close(k);
}

TEST_F(offsets, go_when_they_or_their_topic_are_deleted)
{
	EXPECT_EQ(0, tk_run(&self->k, deleted));
}

TEST_HARNESS_MAIN
