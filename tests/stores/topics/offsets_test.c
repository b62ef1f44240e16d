/* SPDX-License-Identifier: Apache-2.0 */
/* Committed offsets: fences, restarts, kills, snapshots, deletion, retention. */
#include <errno.h>
#include <stdio.h>
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

static int open_with_topic(struct tk *k)
{
	int rc = tk_open(k);

	return rc ? rc : tk_create(k, "t", 4);
}

static struct sl_group_member nobody_of(const char *group)
{
	return (struct sl_group_member){.group = tk_str(group), .generation = -1};
}

static int commit(struct tk *k, const char *group, uint32_t partition, int64_t offset,
		  const char *metadata)
{
	struct sl_group_member who = nobody_of(group);
	struct sl_offset o = {.topic = tk_topic(k, "t")->id, .partition = partition, .epoch = 3,
			      .offset = offset, .metadata = tk_str(metadata)};
	int rc = sl_offsets_commit(k->t, &who, &o, 1, SL_NEVER);

	return rc ? rc : o.result;
}

static int64_t fetch(struct tk *k, const char *group, uint32_t partition, char *ret_metadata)
{
	struct sl_group_member who = nobody_of(group);
	struct sl_offset o = {.topic = tk_topic(k, "t")->id, .partition = partition};
	struct sl_offset_list list;
	int64_t offset;

	ASSERT_EQ(0, sl_offsets_fetch(k->t, &who, &o, 1, &list, SL_NEVER));
	ASSERT_EQ(1, list.n);
	offset = list.offsets[0].offset;
	if (ret_metadata) {
		memcpy(ret_metadata, list.offsets[0].metadata.s, list.offsets[0].metadata.len);
		ret_metadata[list.offsets[0].metadata.len] = 0;
		EXPECT_EQ(3, list.offsets[0].epoch);
	}
	sl_offset_list_done(&list);
	return offset;
}

static uint32_t fetch_all(struct tk *k, const char *group)
{
	struct sl_group_member who = nobody_of(group);
	struct sl_offset_list list;
	uint32_t n;

	ASSERT_EQ(0, sl_offsets_fetch(k->t, &who, NULL, 0, &list, SL_NEVER));
	n = list.n;
	sl_offset_list_done(&list);
	return n;
}

static int commit_fetch(struct tk *k)
{
	char metadata[64];

	ASSERT_EQ(0, open_with_topic(k));
	EXPECT_EQ(-1, fetch(k, "g", 0, NULL));
	EXPECT_EQ(0, fetch_all(k, "g"));
	ASSERT_EQ(0, commit(k, "g", 0, 10, "here"));
	ASSERT_EQ(0, commit(k, "g", 1, 11, NULL));
	ASSERT_EQ(0, commit(k, "g", 0, 12, "there"));
	ASSERT_EQ(0, commit(k, "h", 0, 13, ""));
	EXPECT_EQ(12, fetch(k, "g", 0, metadata));
	EXPECT_STREQ("there", metadata);
	EXPECT_EQ(11, fetch(k, "g", 1, NULL));
	EXPECT_EQ(-1, fetch(k, "g", 2, NULL));
	EXPECT_EQ(13, fetch(k, "h", 0, NULL));
	EXPECT_EQ(2, fetch_all(k, "g"));
	ASSERT_EQ(0, tk_close(k));
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(12, fetch(k, "g", 0, metadata));
	EXPECT_STREQ("there", metadata);
	ASSERT_EQ(0, commit(k, "g", 2, 20, "x"));
	tk_kill(k);
	sl_sim_reboot(k->sim, SL_SIM_LOSE_ALL);
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(12, fetch(k, "g", 0, NULL));
	EXPECT_EQ(20, fetch(k, "g", 2, NULL));
	EXPECT_EQ(3, fetch_all(k, "g"));
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

	ASSERT_EQ(0, open_with_topic(k));
	o[0].topic = o[1].topic = tk_topic(k, "t")->id;
	EXPECT_EQ(SL_REFUSED_BAD_GENERATION, sl_offsets_commit(k->t, &who, o, 1, SL_NEVER));
	who.generation = -1;
	EXPECT_EQ(SL_REFUSED_UNKNOWN_MEMBER, sl_offsets_commit(k->t, &who, o, 1, SL_NEVER));
	who = nobody_of("");
	EXPECT_EQ(SL_REFUSED_BAD_GROUP, sl_offsets_commit(k->t, &who, o, 1, SL_NEVER));
	/* One's long metadata does not keep the other from being stored. */
	memset(longer, 'x', sizeof(longer));
	o[0].metadata = (struct sl_str){longer, sizeof(longer)};
	who = nobody_of("g");
	ASSERT_EQ(0, sl_offsets_commit(k->t, &who, o, 2, SL_NEVER));
	EXPECT_EQ(SL_REFUSED_METADATA_TOO_LARGE, o[0].result);
	EXPECT_EQ(0, o[1].result);
	EXPECT_EQ(-1, fetch(k, "g", 0, NULL));
	EXPECT_EQ(2, fetch(k, "g", 1, NULL));
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

	ASSERT_EQ(0, open_with_topic(k));
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
	EXPECT_EQ(SL_REFUSED_UNKNOWN_MEMBER, commit(k, "g", 0, 5, NULL));
	o.result = -1;
	ASSERT_EQ(0, sl_offsets_delete(k->t, tk_str("g"), &o, 1, SL_NEVER));
	EXPECT_EQ(SL_REFUSED_OFFSET_SUBSCRIBED, o.result);
	EXPECT_EQ(1, fetch(k, "g", 0, NULL));
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

	ASSERT_EQ(0, open_with_topic(k));
	ASSERT_EQ(0, commit(k, "g", 0, 10, NULL));
	ASSERT_EQ(0, commit(k, "g", 1, 11, NULL));
	o.topic = id = tk_topic(k, "t")->id;
	ASSERT_EQ(0, sl_offsets_delete(k->t, tk_str("g"), &o, 1, SL_NEVER));
	EXPECT_EQ(0, o.result);
	EXPECT_EQ(-1, fetch(k, "g", 1, NULL));
	EXPECT_EQ(SL_REFUSED_UNKNOWN_GROUP, sl_offsets_delete(k->t, tk_str("h"), &o, 1, SL_NEVER));
	ASSERT_EQ(0, tk_close(k));
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(-1, fetch(k, "g", 1, NULL));
	EXPECT_EQ(10, fetch(k, "g", 0, NULL));
	/* With the topic, also if it is made anew. */
	ASSERT_EQ(0, sl_topics_delete(k->t, &id, SL_NEVER));
	ASSERT_EQ(0, tk_create(k, "t", 4));
	EXPECT_EQ(-1, fetch(k, "g", 0, NULL));
	for (int i = 0; i < 10000 && fetch_all(k, "g"); i++)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(0, fetch_all(k, "g"));
	ASSERT_EQ(0, tk_close(k));
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(0, fetch_all(k, "g"));
	ASSERT_EQ(0, commit(k, "g", 0, 1, NULL));
	ASSERT_EQ(0, sl_group_delete(k->t, tk_str("g"), SL_NEVER));
	EXPECT_EQ(0, fetch_all(k, "g"));
	ASSERT_EQ(0, tk_close(k));
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(0, fetch_all(k, "g"));
	return tk_close(k);
}

TEST_F(offsets, go_when_they_or_their_topic_are_deleted)
{
	EXPECT_EQ(0, tk_run(&self->k, deleted));
}

/* Enough commits for several snapshots: the journal is trimmed, nothing is lost. */
static int snapshots(struct tk *k)
{
	char metadata[4001], name[16];

	memset(metadata, 'm', 4000);
	metadata[4000] = 0;
	ASSERT_EQ(0, open_with_topic(k));
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "g%d", i % 3);
		ASSERT_EQ(0, commit(k, name, (uint32_t)(i % 4), i, metadata));
	}
	EXPECT_EQ(0, k->events[SL_TOPICS_SNAPSHOT]);
	tk_kill(k);
	sl_sim_reboot(k->sim, SL_SIM_RANDOM);
	ASSERT_EQ(0, tk_open(k));
	for (int i = 3000 - 12; i < 3000; i++) {
		snprintf(name, sizeof(name), "g%d", i % 3);
		EXPECT_EQ(i, fetch(k, name, (uint32_t)(i % 4), NULL));
	}
	EXPECT_EQ(0, k->events[SL_TOPICS_GROUP_LOST]);
	ASSERT_EQ(0, tk_close(k));
	EXPECT_GT(16 * SL_MIB, sl_sim_used(k->sim));
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(2999, fetch(k, "g2", 3, NULL));
	return tk_close(k);
}

TEST_F(offsets, journal_is_trimmed_behind_snapshots)
{
	EXPECT_EQ(0, tk_run(&self->k, snapshots));
}

static int retained(struct tk *k)
{
	k->conf.offsets_retention_ns = 3 * SL_SEC; /* no machine stalls for so long */
	ASSERT_EQ(0, open_with_topic(k));
	ASSERT_EQ(0, commit(k, "old", 0, 10, NULL));
	ASSERT_EQ(0, commit(k, "new", 0, 10, NULL));
	for (int i = 0; i < 1000 && fetch_all(k, "old"); i++) {
		ASSERT_EQ(0, commit(k, "new", 0, i, NULL));
		sl_sleep(sl_now() + 20 * SL_MSEC);
	}
	EXPECT_EQ(0, fetch_all(k, "old"));
	EXPECT_EQ(1, fetch_all(k, "new"));
	EXPECT_EQ(1, k->events[SL_TOPICS_GROUP_EXPIRED]);
	tk_kill(k);
	sl_sim_reboot(k->sim, SL_SIM_LOSE_ALL);
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(1, fetch_all(k, "new"));
	/* If its going was not yet durable, it goes again. */
	for (int i = 0; i < 1000 && fetch_all(k, "old"); i++)
		sl_sleep(sl_now() + 20 * SL_MSEC);
	EXPECT_EQ(0, fetch_all(k, "old"));
	return tk_close(k);
}

TEST_F(offsets, of_groups_without_members_go_after_a_while)
{
	EXPECT_EQ(0, tk_run(&self->k, retained));
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
		EXPECT_EQ(0, commit(c->k, "shared", (uint32_t)c->number, i, "m"));
	--*c->left;
	sl_waitq_wake_all(c->q, 0);
}

static int together(struct tk *k)
{
	struct committer c[4];
	struct sl_waitq q;
	int left = 4;

	ASSERT_EQ(0, open_with_topic(k));
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
		EXPECT_EQ(49, fetch(k, "shared", i, NULL));
	return tk_close(k);
}

TEST_F(offsets, commits_at_the_same_time_share_syncs)
{
	sl_sim_delay(self->k.sim, 3);
	EXPECT_EQ(0, tk_run(&self->k, together));
}

TEST_HARNESS_MAIN
