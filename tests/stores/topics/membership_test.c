/* SPDX-License-Identifier: Apache-2.0 */
/* Groups with simulated members: rounds, generations, static members, sessions, restarts. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "topic_kit.h"

/* Limits that a test lets pass: longer than a machine stalls within a round. */
enum { SHORT_MS = 2000 };

/* ---- members ------------------------------------------------------------------------------ */

/* One simulated consumer; each of its calls may run in a fiber of its own. */
struct member {
	struct tk *k;
	char id[128];
	const char *instance;
	const char *protocol;
	const char *metadata;
	int32_t session_ms, rebalance_ms; /* 0: longer than a test */
	int32_t generation;
	bool leader;
	uint32_t seen_members;
	char assignment[64];
	bool skip;
	int rc;
	bool busy;
	struct sl_waitq *parked; /* where its join or sync waits */
};

static int park(void *arg, struct sl_waitq *q, int64_t deadline)
{
	struct member *m = arg;
	int rc;

	m->parked = q;
	rc = sl_waitq_wait(q, deadline);
	m->parked = NULL;
	return rc;
}

/* Its client goes while it waits. */
static void go(struct member *m)
{
	while (!m->parked)
		sl_sleep(sl_now() + SL_MSEC / 2);
	EXPECT_EQ(1, sl_waitq_wake_all(m->parked, -ECONNRESET));
}

static struct sl_group_protocol protocol_of(const struct member *m)
{
	return (struct sl_group_protocol){tk_str(m->protocol ? m->protocol : "range"),
					  tk_str(m->metadata ? m->metadata : "meta")};
}

static void keep_id(struct member *m, struct sl_str id)
{
	ASSERT_GT(sizeof(m->id), id.len);
	memcpy(m->id, id.s, id.len);
	m->id[id.len] = 0;
}

static int join(struct member *m)
{
	struct sl_group_protocol p = protocol_of(m);
	struct sl_group_join j = {
		.group = tk_str("g"),
		.member_id = tk_str(m->id),
		.instance_id = tk_str(m->instance),
		.client_id = tk_str("client"),
		.client_host = tk_str("/127.0.0.1"),
		.protocol_type = tk_str("consumer"),
		.session_timeout_ms = m->session_ms ? m->session_ms : 10000,
		.rebalance_timeout_ms = m->rebalance_ms ? m->rebalance_ms : 20000,
		.protocols = &p,
		.protocols_n = 1,
		.require_member_id = true,
		.wait = {.park = park, .arg = m},
	};
	int rc = sl_group_join(m->k->t, &j, SL_NEVER);

	if (rc == SL_REFUSED_MEMBER_ID_REQUIRED) {
		keep_id(m, j.assigned_id);
		sl_group_join_done(&j);
		j.member_id = tk_str(m->id);
		rc = sl_group_join(m->k->t, &j, SL_NEVER);
	}
	if (rc == 0) {
		keep_id(m, j.assigned_id);
		m->generation = j.generation;
		m->leader = j.leader.len == strlen(m->id) &&
			    !memcmp(j.leader.s, m->id, j.leader.len);
		m->seen_members = j.members_n;
		m->skip = j.skip_assignment;
	}
	sl_group_join_done(&j);
	return rc;
}

static int sync_with(struct member *m, struct member *const *all, uint32_t n)
{
	struct sl_group_assignment parts[8];
	struct sl_group_sync s = {
		.group = tk_str("g"),
		.member_id = tk_str(m->id),
		.instance_id = tk_str(m->instance),
		.generation = m->generation,
		.assignments = parts,
		.wait = {.park = park, .arg = m},
	};
	int rc;

	for (uint32_t i = 0; m->leader && i < n; i++)
		parts[s.assignments_n++] = (struct sl_group_assignment){tk_str(all[i]->id),
									tk_str(all[i]->id)};
	rc = sl_group_sync(m->k->t, &s, SL_NEVER);
	if (rc == 0) {
		ASSERT_GT(sizeof(m->assignment), s.assignment.len);
		memcpy(m->assignment, s.assignment.s, s.assignment.len);
		m->assignment[s.assignment.len] = 0;
	}
	sl_group_sync_done(&s);
	return rc;
}

static int heartbeat(struct member *m)
{
	struct sl_group_member who = {tk_str("g"), tk_str(m->id), tk_str(m->instance),
				      m->generation};

	return sl_group_heartbeat(m->k->t, &who, SL_NEVER);
}

static int leave(struct member *m)
{
	struct sl_group_leaver l = {tk_str(m->id), tk_str(m->instance), -1};
	int rc = sl_group_leave(m->k->t, tk_str("g"), &l, 1, SL_NEVER);

	return rc ? rc : l.result;
}

static void join_fiber(void *arg)
{
	struct member *m = arg;

	m->rc = join(m);
	m->busy = false;
}

static void join_begin(struct member *m)
{
	m->busy = true;
	ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, join_fiber, m));
}

static void end(struct member *m)
{
	for (int i = 0; i < 20000 && m->busy; i++)
		sl_sleep(sl_now() + SL_MSEC / 2);
	ASSERT_FALSE(m->busy);
}

struct sync_call {
	struct member *m;
	struct member *const *all;
	uint32_t n;
};

static void sync_fiber(void *arg)
{
	struct sync_call *c = arg;

	c->m->rc = sync_with(c->m, c->all, c->n);
	c->m->busy = false;
	free(c);
}

static void sync_begin(struct member *m, struct member *const *all, uint32_t n)
{
	struct sync_call *c = calloc(1, sizeof(*c));

	ASSERT_TRUE(c != NULL);
	*c = (struct sync_call){m, all, n};
	m->busy = true;
	ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, sync_fiber, c));
}

static struct sl_group_info describe(struct tk *k)
{
	struct sl_group_info info;

	ASSERT_EQ(0, sl_group_describe(k->t, tk_str("g"), &info, SL_NEVER));
	return info;
}

static enum sl_group_state state(struct tk *k)
{
	struct sl_group_info info = describe(k);
	enum sl_group_state s = info.state;

	sl_group_info_done(&info);
	return s;
}

/* A round in which all of @all join and sync. */
static void full_round(struct member *const *all, uint32_t n)
{
	uint32_t leaders = 0;

	for (uint32_t i = 0; i < n; i++)
		join_begin(all[i]);
	for (uint32_t i = 0; i < n; i++) {
		end(all[i]);
		ASSERT_EQ(0, all[i]->rc);
		EXPECT_EQ(all[0]->generation, all[i]->generation);
		leaders += all[i]->leader;
		EXPECT_EQ(all[i]->leader ? n : 0, all[i]->seen_members);
	}
	EXPECT_EQ(1, leaders);
	for (uint32_t i = 0; i < n; i++)
		sync_begin(all[i], all, n);
	for (uint32_t i = 0; i < n; i++) {
		end(all[i]);
		ASSERT_EQ(0, all[i]->rc);
		EXPECT_STREQ(all[i]->id, all[i]->assignment);
	}
}

FIXTURE(group)
{
	struct tk k;
};
FIXTURE_SETUP(group)
{
	tk_init(&self->k, sl_sim_new(harness_random(), NULL));
	self->k.conf.group_initial_delay_ns = 500 * SL_MSEC; /* for all to join, stalled or not */
}
FIXTURE_TEARDOWN(group)
{
	sl_sim_free(self->k.sim);
}

static int one_round(struct tk *k)
{
	struct member a = {.k = k}, b = {.k = k}, c = {.k = k};
	struct member *const all[] = {&a, &b, &c};
	struct sl_group_info info;

	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(SL_GROUP_DEAD, state(k));
	full_round(all, 3);
	EXPECT_EQ(1, a.generation);
	EXPECT_EQ(SL_GROUP_STABLE, state(k));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, heartbeat(all[i]));
	info = describe(k);
	EXPECT_EQ(3, info.members_n);
	EXPECT_EQ(1, info.generation);
	EXPECT_MEMEQ("consumer", info.protocol_type.s, 8);
	EXPECT_MEMEQ("range", info.protocol.s, 5);
	EXPECT_MEMEQ("client", info.members[0].client_id.s, 6);
	EXPECT_LT(0, info.members[0].assignment.len);
	sl_group_info_done(&info);
	return tk_close(k);
}

TEST_F(group, members_form_a_generation)
{
	EXPECT_EQ(0, tk_run(&self->k, one_round));
}

static int newcomer(struct tk *k)
{
	struct member a = {.k = k}, b = {.k = k};
	struct member *const one[] = {&a}, *const two[] = {&a, &b};
	struct sl_group_info info;

	ASSERT_EQ(0, tk_open(k));
	full_round(one, 1);
	join_begin(&b);
	while (heartbeat(&a) == 0)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(SL_REFUSED_REBALANCING, heartbeat(&a));
	info = describe(k);
	EXPECT_EQ(SL_GROUP_PREPARING, info.state);
	ASSERT_EQ(2, info.members_n);
	EXPECT_EQ(0, info.members[0].metadata.len + info.members[0].assignment.len);
	sl_group_info_done(&info);
	join_begin(&a);
	end(&a);
	end(&b);
	ASSERT_EQ(0, a.rc);
	ASSERT_EQ(0, b.rc);
	EXPECT_EQ(2, a.generation);
	EXPECT_EQ(2, b.generation);
	EXPECT_TRUE(a.leader);
	EXPECT_EQ(2, a.seen_members);
	/* An old generation is fenced off. */
	a.generation = 1;
	EXPECT_EQ(SL_REFUSED_BAD_GENERATION, heartbeat(&a));
	EXPECT_EQ(SL_REFUSED_BAD_GENERATION, sync_with(&a, two, 2));
	a.generation = 2;
	sync_begin(&b, two, 2);
	sl_sleep(sl_now() + 5 * SL_MSEC);
	EXPECT_TRUE(b.busy);
	EXPECT_EQ(0, sync_with(&a, two, 2));
	end(&b);
	EXPECT_EQ(0, b.rc);
	EXPECT_STREQ(b.id, b.assignment);
	/* The follower leaves; the leader is told to join again, alone. */
	EXPECT_EQ(0, leave(&b));
	EXPECT_EQ(SL_REFUSED_UNKNOWN_MEMBER, heartbeat(&b));
	EXPECT_EQ(SL_REFUSED_REBALANCING, heartbeat(&a));
	full_round(one, 1);
	EXPECT_EQ(3, a.generation);
	EXPECT_EQ(0, leave(&a));
	EXPECT_EQ(SL_GROUP_EMPTY, state(k));
	return tk_close(k);
}

TEST_F(group, comes_and_goes_begin_rounds)
{
	EXPECT_EQ(0, tk_run(&self->k, newcomer));
}

static int lost_member(struct tk *k)
{
	struct member a = {.k = k}, b = {.k = k, .session_ms = SHORT_MS};
	struct member *const one[] = {&a}, *const two[] = {&a, &b};

	ASSERT_EQ(0, tk_open(k));
	full_round(two, 2);
	/* b is silent: its session ends, and a is told. */
	while (heartbeat(&a) == 0)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(SL_REFUSED_REBALANCING, heartbeat(&a));
	EXPECT_EQ(SL_REFUSED_UNKNOWN_MEMBER, heartbeat(&b));
	full_round(one, 1);
	EXPECT_EQ(2, a.generation);
	return tk_close(k);
}

TEST_F(group, silent_members_are_dropped)
{
	EXPECT_EQ(0, tk_run(&self->k, lost_member));
}

/* A member that does not join again within the rebalance timeout is left behind. */
static int left_behind(struct tk *k)
{
	struct member a = {.k = k, .rebalance_ms = SHORT_MS}, b = a, c = a;
	struct member *const two[] = {&a, &b};

	ASSERT_EQ(0, tk_open(k));
	full_round(two, 2);
	join_begin(&c);
	for (int i = 0; i < 100; i++) {
		sl_sleep(sl_now() + SL_MSEC);
		heartbeat(&b);
	}
	join_begin(&a);
	end(&a);
	end(&c);
	EXPECT_EQ(0, a.rc);
	EXPECT_EQ(0, c.rc);
	EXPECT_EQ(2, a.generation);
	EXPECT_EQ(SL_REFUSED_UNKNOWN_MEMBER, heartbeat(&b));
	return tk_close(k);
}

TEST_F(group, who_does_not_join_in_time_is_left_behind)
{
	EXPECT_EQ(0, tk_run(&self->k, left_behind));
}

static int no_leader(struct tk *k)
{
	struct member a = {.k = k}, b = {.k = k};
	struct member *const two[] = {&a, &b};
	struct member *leader, *other;

	ASSERT_EQ(0, tk_open(k));
	join_begin(&a);
	join_begin(&b);
	end(&a);
	end(&b);
	ASSERT_EQ(0, a.rc);
	leader = a.leader ? &a : &b;
	other = a.leader ? &b : &a;
	sync_begin(other, two, 2);
	EXPECT_EQ(0, leave(leader));
	end(other);
	EXPECT_EQ(SL_REFUSED_REBALANCING, other->rc);
	full_round(&(struct member *const){other}, 1);
	EXPECT_TRUE(other->leader);
	return tk_close(k);
}

TEST_F(group, a_leader_that_leaves_is_replaced)
{
	EXPECT_EQ(0, tk_run(&self->k, no_leader));
}

static int checks(struct tk *k)
{
	struct member a = {.k = k}, b = {.k = k, .protocol = "other"}, c = {.k = k};
	struct member *const one[] = {&a};
	struct sl_group_join j = {.group = tk_str(""), .session_timeout_ms = 1000};

	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(SL_REFUSED_BAD_GROUP, sl_group_join(k->t, &j, SL_NEVER));
	a.session_ms = 1;
	EXPECT_EQ(SL_REFUSED_BAD_SESSION_TIMEOUT, join(&a));
	a.session_ms = 61000;
	EXPECT_EQ(SL_REFUSED_BAD_SESSION_TIMEOUT, join(&a));
	a.session_ms = 0;
	memcpy(c.id, "nobody", 7);
	EXPECT_EQ(SL_REFUSED_UNKNOWN_MEMBER, join(&c));
	EXPECT_EQ(SL_REFUSED_UNKNOWN_MEMBER, heartbeat(&c));
	full_round(one, 1);
	EXPECT_EQ(SL_REFUSED_BAD_PROTOCOLS, join(&b));
	EXPECT_EQ(SL_REFUSED_UNKNOWN_MEMBER, join(&c));
	EXPECT_EQ(SL_REFUSED_UNKNOWN_MEMBER, leave(&c));
	EXPECT_EQ(SL_REFUSED_NON_EMPTY_GROUP, sl_group_delete(k->t, tk_str("g"), SL_NEVER));
	EXPECT_EQ(SL_REFUSED_UNKNOWN_GROUP, sl_group_delete(k->t, tk_str("h"), SL_NEVER));
	EXPECT_EQ(0, leave(&a));
	EXPECT_EQ(0, sl_group_delete(k->t, tk_str("g"), SL_NEVER));
	EXPECT_EQ(SL_GROUP_DEAD, state(k));
	return tk_close(k);
}

TEST_F(group, strangers_and_nonsense_are_refused)
{
	EXPECT_EQ(0, tk_run(&self->k, checks));
}

static int rejoin_changed(struct tk *k)
{
	struct member a = {.k = k}, b = {.k = k};
	struct member *const two[] = {&a, &b};
	struct member *leader, *other;

	ASSERT_EQ(0, tk_open(k));
	full_round(two, 2);
	leader = a.leader ? &a : &b;
	other = a.leader ? &b : &a;
	/* A follower that says the same again changes nothing. */
	EXPECT_EQ(0, join(other));
	EXPECT_EQ(1, other->generation);
	EXPECT_EQ(0, heartbeat(leader));
	other->metadata = "changed";
	join_begin(other);
	sl_sleep(sl_now() + 5 * SL_MSEC);
	EXPECT_EQ(SL_REFUSED_REBALANCING, heartbeat(leader));
	join_begin(leader);
	end(leader);
	end(other);
	EXPECT_EQ(2, leader->generation);
	return tk_close(k);
}

TEST_F(group, changed_subscriptions_begin_a_round)
{
	EXPECT_EQ(0, tk_run(&self->k, rejoin_changed));
}

static int statics(struct tk *k)
{
	struct member a = {.k = k, .instance = "one"}, b = {.k = k, .instance = "two"}, again;
	struct member *const two[] = {&a, &b};

	ASSERT_EQ(0, tk_open(k));
	full_round(two, 2);
	/* It comes back under its instance id: no round, its old self is fenced. */
	again = b;
	again.id[0] = 0;
	ASSERT_EQ(0, join(&again));
	EXPECT_EQ(1, again.generation);
	EXPECT_STRNE(b.id, again.id);
	EXPECT_EQ(SL_GROUP_STABLE, state(k));
	EXPECT_EQ(SL_REFUSED_FENCED_INSTANCE, heartbeat(&b));
	EXPECT_EQ(0, heartbeat(&again));
	EXPECT_EQ(SL_REFUSED_FENCED_INSTANCE, join(&b));
	again.leader = false;
	EXPECT_EQ(0, sync_with(&again, two, 2));
	EXPECT_STREQ(b.id, again.assignment); /* what the old self was given */
	/* A kill forgets neither the new id nor the generation. */
	tk_kill(k);
	sl_sim_reboot(k->sim, SL_SIM_LOSE_ALL);
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(0, heartbeat(&again));
	EXPECT_EQ(0, heartbeat(&a));
	EXPECT_EQ(SL_REFUSED_FENCED_INSTANCE, heartbeat(&b));
	again.id[0] = 0;
	EXPECT_EQ(0, leave(&again));
	EXPECT_EQ(SL_REFUSED_REBALANCING, heartbeat(&a));
	return tk_close(k);
}

TEST_F(group, static_members_come_back_without_a_round)
{
	EXPECT_EQ(0, tk_run(&self->k, statics));
}

static int after_restart(struct tk *k)
{
	struct member a = {.k = k, .session_ms = SHORT_MS}, b = a;
	struct member *const two[] = {&a, &b};

	ASSERT_EQ(0, tk_open(k));
	full_round(two, 2);
	ASSERT_EQ(0, tk_close(k));
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(0, heartbeat(&a));
	EXPECT_EQ(0, heartbeat(&b));
	EXPECT_EQ(SL_GROUP_STABLE, state(k));
	tk_kill(k);
	sl_sim_reboot(k->sim, SL_SIM_RANDOM);
	ASSERT_EQ(0, tk_open(k));
	EXPECT_EQ(0, heartbeat(&a));
	/* Nobody speaks: sessions end as always, and the generation goes on. */
	while (state(k) != SL_GROUP_EMPTY)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(SL_GROUP_EMPTY, state(k));
	EXPECT_EQ(SL_REFUSED_UNKNOWN_MEMBER, heartbeat(&a));
	a.id[0] = b.id[0] = 0;
	full_round(two, 2);
	EXPECT_LT(2, a.generation);
	return tk_close(k);
}

TEST_F(group, members_and_generation_survive_restarts)
{
	EXPECT_EQ(0, tk_run(&self->k, after_restart));
}

static int drains(struct tk *k)
{
	struct member a = {.k = k}, b = {.k = k};
	struct member *const one[] = {&a};

	ASSERT_EQ(0, tk_open(k));
	full_round(one, 1);
	join_begin(&b);
	sl_sleep(sl_now() + 5 * SL_MSEC);
	sl_topics_drain(k->t);
	end(&b);
	EXPECT_EQ(SL_REFUSED_STOPPING, b.rc);
	EXPECT_EQ(SL_REFUSED_STOPPING, join(&a));
	return tk_close(k);
}

TEST_F(group, waits_end_when_the_node_drains)
{
	EXPECT_EQ(0, tk_run(&self->k, drains));
}

static int gone_joiner(struct tk *k)
{
	struct member a = {.k = k}, b = {.k = k, .session_ms = 200};
	struct member *const one[] = {&a};

	ASSERT_EQ(0, tk_open(k));
	full_round(one, 1);
	join_begin(&b);
	go(&b);
	end(&b);
	EXPECT_EQ(-ECONNRESET, b.rc);
	EXPECT_EQ(SL_GROUP_PREPARING, state(k));
	/* It comes back under its id, and goes again. */
	join_begin(&b);
	go(&b);
	end(&b);
	EXPECT_EQ(-ECONNRESET, b.rc);
	/* Its session ends it, whether the round was complete by then or not. */
	join_begin(&a);
	end(&a);
	EXPECT_EQ(0, a.rc);
	EXPECT_EQ(2, a.generation);
	while (heartbeat(&b) != SL_REFUSED_UNKNOWN_MEMBER)
		sl_sleep(sl_now() + SL_MSEC);
	full_round(one, 1);
	return tk_close(k);
}

TEST_F(group, a_client_that_goes_in_its_join_is_dropped_by_its_session)
{
	EXPECT_EQ(0, tk_run(&self->k, gone_joiner));
}

static int gone_leader(struct tk *k)
{
	struct member a = {.k = k}, b = {.k = k}, c = {.k = k};
	struct member *const two[] = {&a, &b}, *const all[] = {&a, &b, &c};
	struct member *leader, *other;

	ASSERT_EQ(0, tk_open(k));
	full_round(two, 2);
	leader = a.leader ? &a : &b;
	other = a.leader ? &b : &a;
	join_begin(&c);
	while (heartbeat(leader) == 0)
		sl_sleep(sl_now() + SL_MSEC);
	join_begin(leader);
	go(leader);
	end(leader);
	EXPECT_EQ(-ECONNRESET, leader->rc);
	join_begin(other);
	end(other);
	end(&c);
	EXPECT_EQ(0, other->rc);
	EXPECT_EQ(0, c.rc);
	EXPECT_EQ(1, other->leader + c.leader);
	/* Who led before comes back as one of the others. */
	join_begin(leader);
	end(leader);
	EXPECT_EQ(0, leader->rc);
	EXPECT_FALSE(leader->leader);
	EXPECT_EQ(2, leader->generation);
	EXPECT_EQ(0, sync_with(other->leader ? other : &c, all, 3));
	EXPECT_EQ(0, sync_with(leader, all, 3));
	EXPECT_STREQ(leader->id, leader->assignment);
	return tk_close(k);
}

TEST_F(group, who_still_waits_leads_the_round)
{
	EXPECT_EQ(0, tk_run(&self->k, gone_leader));
}

static int gone_syncer(struct tk *k)
{
	struct member a = {.k = k}, b = {.k = k};
	struct member *const two[] = {&a, &b};
	struct member *leader, *other;

	ASSERT_EQ(0, tk_open(k));
	join_begin(&a);
	join_begin(&b);
	end(&a);
	end(&b);
	leader = a.leader ? &a : &b;
	other = a.leader ? &b : &a;
	sync_begin(other, two, 2);
	go(other);
	end(other);
	EXPECT_EQ(-ECONNRESET, other->rc);
	EXPECT_EQ(0, sync_with(leader, two, 2));
	/* It comes back, and its part is there. */
	EXPECT_EQ(0, sync_with(other, two, 2));
	EXPECT_STREQ(other->id, other->assignment);
	return tk_close(k);
}

TEST_F(group, a_client_that_goes_in_its_sync_finds_its_part_later)
{
	EXPECT_EQ(0, tk_run(&self->k, gone_syncer));
}

static int lists(struct tk *k)
{
	struct sl_group_list list;
	struct member a = {.k = k};
	struct member *const one[] = {&a};
	struct sl_offset o = {.partition = 1, .offset = 5};
	bool seen_g = false;

	ASSERT_EQ(0, tk_open(k));
	ASSERT_EQ(0, tk_create(k, "t", 2));
	o.topic = tk_topic(k, "t")->id;
	full_round(one, 1);
	for (int i = 0; i < 20; i++) {
		char name[16];
		struct sl_group_member who = {.generation = -1};

		snprintf(name, sizeof(name), "simple-%d", i);
		who.group = tk_str(name);
		ASSERT_EQ(0, sl_offsets_commit(k->t, &who, &o, 1, SL_NEVER));
	}
	ASSERT_EQ(0, sl_groups_list(k->t, &list, SL_NEVER));
	EXPECT_EQ(21, list.n);
	for (uint32_t i = 0; i < list.n; i++)
		seen_g |= list.groups[i].group.len == 1 &&
			  list.groups[i].state == SL_GROUP_STABLE;
	EXPECT_TRUE(seen_g);
	sl_group_list_done(&list);
	return tk_close(k);
}

TEST_F(group, all_are_listed)
{
	EXPECT_EQ(0, tk_run(&self->k, lists));
}

TEST_HARNESS_MAIN
