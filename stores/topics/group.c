/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group: one consumer group: members, rounds of rebalancing, sessions.
 *
 * Interface: "groups" of groups_pvt.h. Nothing here parks: calls come from fibers (membership.c)
 * and from timers alike.
 * The states go EMPTY -> PREPARING (members join; ends when all that are known have, or the round's
 * timer does it) -> COMPLETING (the leader assigns) -> STABLE, and back to PREPARING whenever a
 * member comes, goes or changes. The generation rises each time the join phase ends.
 * Invariants: the leader is a member; a member that waits in a join or sync does not time out;
 * the round's timer runs in PREPARING and COMPLETING only. A wait lies with who asks, on whatever
 * core: it is ended once, and touched by this core until then.
 *
 * Order of parts: waits; members; protocols; ids given; sessions; rounds; leaving; a group.
 */
#include <errno.h>

#include "groups_pvt.h"

/* ---- waits ------------------------------------------------------------------------------ */

void group_wait_begin(struct sl_group_wait *w, struct group_member *m, struct sl_group_wait **slot,
		      int (*fill)(struct sl_group_wait *w))
{
	SL_ASSERT(!w->slot && !w->told);
	group_wait_end(slot, SL_REFUSED_REBALANCING); /* a second call of the same member */
	w->member = m;
	w->slot = slot;
	w->fill = fill;
	*slot = w;
}

/* On the core that asks. */
static void tell(struct sl_group_wait *w)
{
	SL_ON_CORE(w->core);
	w->told = true;
	sl_waitq_wake_all(&w->q, 0);
}

static void arrived(struct sl_msg *msg)
{
	tell(sl_container_of(msg, struct sl_group_wait, msg));
}

void group_wait_end(struct sl_group_wait **slot, int res)
{
	struct sl_group_wait *w = *slot;

	if (!w)
		return;
	*slot = NULL;
	w->slot = NULL;
	w->res = res ? res : w->fill(w);
	if (w->core == sl_core_self()) {
		tell(w);
		return;
	}
	w->msg.fn = arrived;
	sl_post(w->core, &w->msg);
}

void group_wait_give_up(struct sl_group_wait *w)
{
	if (!w->slot)
		return;
	*w->slot = NULL;
	w->slot = NULL;
	group_member_alive(w->member); /* its session has stood still */
}

/* ---- members ---------------------------------------------------------------------------- */

struct group_member *group_member_find(const struct group *g, struct sl_str id)
{
	sl_list_each(n, &g->members) {
		struct group_member *m = sl_list_entry(n, struct group_member, node);

		if (str_equal(m->id, id))
			return m;
	}
	return NULL;
}

struct group_member *group_instance_find(const struct group *g, struct sl_str instance_id)
{
	if (!instance_id.s)
		return NULL;
	sl_list_each(n, &g->members) {
		struct group_member *m = sl_list_entry(n, struct group_member, node);

		if (m->instance_id.s && str_equal(m->instance_id, instance_id))
			return m;
	}
	return NULL;
}

static void protocols_free(struct sl_group_protocol *protocols, uint32_t n)
{
	for (uint32_t i = 0; protocols && i < n; i++) {
		str_free(&protocols[i].name);
		str_free(&protocols[i].metadata);
	}
	free(protocols);
}

static void session_over(struct sl_timer *timer);

struct group_member *group_member_new(struct group *g, struct sl_str id, struct sl_str instance_id,
				      struct sl_str client_id, struct sl_str client_host,
				      int32_t session_timeout_ms, int32_t rebalance_timeout_ms)
{
	struct group_member *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	sl_list_init(&m->node);
	m->group = g;
	m->session_timeout_ms = session_timeout_ms;
	m->rebalance_timeout_ms = rebalance_timeout_ms;
	sl_timer_init(&m->session, session_over);
	if (str_copy(id, &m->id) || str_copy(instance_id, &m->instance_id) ||
	    str_copy(client_id, &m->client_id) || str_copy(client_host, &m->client_host)) {
		group_member_free(m);
		return NULL;
	}
	sl_list_append(&g->members, &m->node);
	g->members_n++;
	return m;
}

/* Off its group, which the caller has prepared for it. */
void group_member_free(struct group_member *m)
{
	struct group *g = m->group;

	SL_ASSERT(!m->join && !m->sync);
	if (!sl_list_empty(&m->node)) {
		SL_ASSERT(g->members_n > 0);
		g->members_n--;
	}
	if (g->leader == m)
		g->leader = NULL;
	sl_list_remove(&m->node);
	sl_timer_clear(&m->session);
	protocols_free(m->protocols, m->protocols_n);
	str_free(&m->id);
	str_free(&m->instance_id);
	str_free(&m->client_id);
	str_free(&m->client_host);
	str_free(&m->assignment);
	free(m);
}

int group_member_protocols(struct group_member *m, const struct sl_group_protocol *protocols,
			   uint32_t n)
{
	struct sl_group_protocol *copy = calloc(n + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		if (str_copy(protocols[i].name, &copy[i].name) ||
		    str_copy(protocols[i].metadata, &copy[i].metadata)) {
			protocols_free(copy, n);
			return -ENOMEM;
		}
	}
	protocols_free(m->protocols, m->protocols_n);
	m->protocols = copy;
	m->protocols_n = n;
	return 0;
}

bool group_member_same_protocols(const struct group_member *m,
				 const struct sl_group_protocol *protocols, uint32_t n)
{
	if (m->protocols_n != n)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (!str_equal(m->protocols[i].name, protocols[i].name) ||
		    !str_equal(m->protocols[i].metadata, protocols[i].metadata))
			return false;
	return true;
}

struct sl_str group_member_metadata(const struct group_member *m, struct sl_str protocol)
{
	for (uint32_t i = 0; i < m->protocols_n; i++)
		if (str_equal(m->protocols[i].name, protocol))
			return m->protocols[i].metadata;
	return (struct sl_str){0};
}

/* ---- protocols -------------------------------------------------------------------------- */

static bool member_knows(const struct group_member *m, struct sl_str protocol)
{
	for (uint32_t i = 0; i < m->protocols_n; i++)
		if (str_equal(m->protocols[i].name, protocol))
			return true;
	return false;
}

static bool all_know(const struct group *g, struct sl_str protocol,
		     const struct group_member *except)
{
	sl_list_each(n, &g->members) {
		const struct group_member *m = sl_list_entry(n, struct group_member, node);

		if (m != except && !member_knows(m, protocol))
			return false;
	}
	return true;
}

bool group_accepts(const struct group *g, struct sl_str type,
		   const struct sl_group_protocol *protocols, uint32_t n,
		   const struct group_member *except)
{
	if (n == 0 || type.len == 0)
		return false;
	if (g->members_n == (except ? 1U : 0U))
		return true;
	if (g->protocol_type.s && !str_equal(g->protocol_type, type))
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (all_know(g, protocols[i].name, except))
			return true;
	return false;
}

/* The first one of a member's list that all know is its vote. */
static const struct sl_str *vote(const struct group *g, const struct group_member *m)
{
	for (uint32_t i = 0; i < m->protocols_n; i++)
		if (all_know(g, m->protocols[i].name, NULL))
			return &m->protocols[i].name;
	return NULL;
}

/* The protocol with the most votes, of equal ones that of the member who joined first. */
static struct sl_str elect_protocol(const struct group *g)
{
	struct sl_str best = {0};
	uint32_t best_votes = 0;

	sl_list_each(n, &g->members) {
		const struct sl_str *mine =
			vote(g, sl_list_entry(n, struct group_member, node));
		uint32_t votes = 0;

		if (!mine)
			continue;
		sl_list_each(k, &g->members) {
			const struct sl_str *other =
				vote(g, sl_list_entry(k, struct group_member, node));

			votes += other && str_equal(*mine, *other);
		}
		if (votes > best_votes) {
			best = *mine;
			best_votes = votes;
		}
	}
	return best;
}

/* ---- ids given -------------------------------------------------------------------------- */

struct group_pending *group_pending_find(const struct group *g, struct sl_str id)
{
	sl_list_each(n, &g->pending) {
		struct group_pending *p = sl_list_entry(n, struct group_pending, node);

		if (str_equal(p->id, id))
			return p;
	}
	return NULL;
}

void group_pending_remove(struct group_pending *p)
{
	SL_ASSERT(p->group->pending_n > 0);
	p->group->pending_n--;
	sl_list_remove(&p->node);
	sl_timer_clear(&p->expiry);
	str_free(&p->id);
	free(p);
}

static void pending_over(struct sl_timer *timer)
{
	struct group_pending *p = sl_container_of(timer, struct group_pending, expiry);
	struct group *g = p->group;

	group_pending_remove(p);
	group_try_complete(g);
}

int group_pending_add(struct group *g, struct sl_str id, int32_t session_timeout_ms)
{
	struct group_pending *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->group = g;
	sl_list_append(&g->pending, &p->node);
	g->pending_n++;
	sl_timer_init(&p->expiry, pending_over);
	if (str_copy(id, &p->id) ||
	    sl_timer_set(&p->expiry, sl_now() + session_timeout_ms * SL_MSEC)) {
		group_pending_remove(p);
		return -ENOMEM;
	}
	return 0;
}

/* ---- sessions --------------------------------------------------------------------------- */

void group_member_alive(struct group_member *m)
{
	/* Moving a timer that is set needs no memory; one that cannot be set ends no session. */
	sl_timer_set(&m->session, sl_now() + m->session_timeout_ms * SL_MSEC);
}

static void session_over(struct sl_timer *timer)
{
	struct group_member *m = sl_container_of(timer, struct group_member, session);

	if (m->join || m->sync)
		group_member_alive(m);
	else
		group_member_leave(m, SL_REFUSED_UNKNOWN_MEMBER);
}

void group_resume(struct group *g)
{
	sl_list_each(n, &g->members)
		group_member_alive(sl_list_entry(n, struct group_member, node));
}

/* ---- rounds ----------------------------------------------------------------------------- */

static int64_t round_timeout_ns(const struct group *g)
{
	int32_t ms = 0;

	sl_list_each(n, &g->members)
		ms = sl_max(ms, sl_list_entry(n, struct group_member, node)->rebalance_timeout_ms);
	return ms * SL_MSEC;
}

static uint32_t joined_count(const struct group *g)
{
	uint32_t n = 0;

	sl_list_each(at, &g->members)
		n += sl_list_entry(at, struct group_member, node)->joined;
	return n;
}

static void become_empty(struct group *g)
{
	g->state = SL_GROUP_EMPTY;
	g->empty_since_ms = wall_ms();
	g->leader = NULL;
	str_free(&g->protocol);
	sl_timer_clear(&g->round);
	shard_dirty(g);
}

static bool may_lead(const struct group_member *m, bool waiting)
{
	return m->joined && (!waiting || m->join);
}

static struct group_member *find_leader(const struct group *g, bool waiting)
{
	if (g->leader && may_lead(g->leader, waiting))
		return g->leader;
	sl_list_each(n, &g->members) {
		struct group_member *m = sl_list_entry(n, struct group_member, node);

		if (may_lead(m, waiting))
			return m;
	}
	return NULL;
}

/* All wait for the leader's sync: better one whose client is still there. */
static void elect_leader(struct group *g)
{
	struct group_member *m = find_leader(g, true);

	g->leader = m ? m : find_leader(g, false);
}

/* The join phase is over: the members there are form the next generation. */
static void complete_join(struct group *g)
{
	struct sl_str protocol;

	SL_ASSERT(g->state == SL_GROUP_PREPARING);
	g->initial = false;
	g->generation = g->generation == INT32_MAX ? 1 : g->generation + 1;
	if (g->members_n == 0) {
		become_empty(g);
		return;
	}
	elect_leader(g);
	str_free(&g->protocol);
	protocol = elect_protocol(g);
	/* Without memory for the name nobody can be told: everyone joins again. */
	if (str_copy(protocol, &g->protocol)) {
		sl_list_each(n, &g->members)
			group_wait_end(&sl_list_entry(n, struct group_member, node)->join, -ENOMEM);
		return;
	}
	g->state = SL_GROUP_COMPLETING;
	sl_timer_set(&g->round, sl_now() + round_timeout_ns(g));
	sl_list_each(n, &g->members) {
		struct group_member *m = sl_list_entry(n, struct group_member, node);

		m->joined = m->synced = false;
		str_free(&m->assignment);
		group_member_alive(m);
		group_wait_end(&m->join, 0);
	}
}

void group_try_complete(struct group *g)
{
	if (g->state != SL_GROUP_PREPARING || g->initial)
		return;
	if (g->pending_n == 0 && joined_count(g) == g->members_n)
		complete_join(g);
}

static void drop_who_did_not_join(struct group *g)
{
	sl_list_each_safe(n, &g->members) {
		struct group_member *m = sl_list_entry(n, struct group_member, node);

		if (!m->joined && !m->instance_id.s)
			group_member_free(m);
	}
}

static void join_phase_over(struct group *g)
{
	if (g->initial && g->initial_more && g->initial_left_ns > 0) {
		int64_t delay = g->shard->tc->conf.group_initial_delay_ns;
		int64_t more = sl_min(delay, g->initial_left_ns);

		g->initial_more = false;
		g->initial_left_ns -= more;
		sl_timer_set(&g->round, sl_now() + more);
		return;
	}
	g->initial = false;
	drop_who_did_not_join(g);
	if (g->members_n && joined_count(g) == 0)
		/* Only static members, who may be back soon; their sessions decide. */
		sl_timer_set(&g->round, sl_now() + round_timeout_ns(g) + SL_SEC);
	else
		complete_join(g);
}

/* A member that joined but never asked for its part would hold up the others for ever. */
static void sync_phase_over(struct group *g)
{
	bool gone = false;

	if (g->storing == g->generation)
		return;
	sl_list_each_safe(n, &g->members) {
		struct group_member *m = sl_list_entry(n, struct group_member, node);

		if (m->synced)
			continue;
		gone = true;
		group_member_free(m);
	}
	if (gone)
		group_rebalance(g);
}

static void round_over(struct sl_timer *timer)
{
	struct group *g = sl_container_of(timer, struct group, round);

	if (g->state == SL_GROUP_PREPARING)
		join_phase_over(g);
	else if (g->state == SL_GROUP_COMPLETING)
		sync_phase_over(g);
}

static void abandon_syncs(struct group *g)
{
	sl_list_each(n, &g->members) {
		struct group_member *m = sl_list_entry(n, struct group_member, node);

		m->synced = false;
		group_wait_end(&m->sync, SL_REFUSED_REBALANCING);
	}
}

void group_rebalance(struct group *g)
{
	bool initial = g->state == SL_GROUP_EMPTY;
	int64_t timeout = round_timeout_ns(g), delay = g->shard->tc->conf.group_initial_delay_ns;

	if (g->state == SL_GROUP_PREPARING) {
		g->initial_more = true;
		group_try_complete(g);
		return;
	}
	SL_ASSERT(g->state != SL_GROUP_DEAD);
	if (g->state == SL_GROUP_COMPLETING)
		abandon_syncs(g);
	g->state = SL_GROUP_PREPARING;
	g->initial = initial && delay > 0;
	g->initial_more = false;
	g->initial_left_ns = sl_max(timeout - delay, INT64_C(0));
	sl_timer_set(&g->round, sl_now() + (g->initial ? delay : timeout));
	group_try_complete(g);
}

void group_assigned(struct group *g, int res)
{
	SL_ASSERT(g->state == SL_GROUP_COMPLETING);
	sl_timer_clear(&g->round);
	if (res == 0)
		g->state = SL_GROUP_STABLE;
	sl_list_each(n, &g->members) {
		struct group_member *m = sl_list_entry(n, struct group_member, node);

		group_member_alive(m);
		group_wait_end(&m->sync, res);
	}
	if (res)
		group_rebalance(g);
}

/* ---- leaving ---------------------------------------------------------------------------- */

void group_member_leave(struct group_member *m, int res)
{
	struct group *g = m->group;

	group_wait_end(&m->join, res);
	group_wait_end(&m->sync, res);
	group_member_free(m);
	if (g->state == SL_GROUP_PREPARING)
		group_try_complete(g);
	else if (g->state == SL_GROUP_STABLE || g->state == SL_GROUP_COMPLETING)
		group_rebalance(g);
}

/* ---- a group ---------------------------------------------------------------------------- */

struct group *group_new(struct shard *sh, struct sl_str id)
{
	struct group *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->shard = sh;
	g->empty_since_ms = wall_ms();
	sl_list_init(&g->node);
	sl_list_init(&g->dirty);
	sl_list_init(&g->members);
	sl_list_init(&g->pending);
	sl_timer_init(&g->round, round_over);
	if (str_copy(id, &g->id)) {
		free(g);
		return NULL;
	}
	return g;
}

static void offset_drop(void *arg, struct group_offset *o)
{
	group_offset_remove(arg, o);
}

void group_free(struct group *g)
{
	SL_ASSERT(g->users == 0);
	sl_list_each_safe(n, &g->members)
		group_member_free(sl_list_entry(n, struct group_member, node));
	sl_list_each_safe(n, &g->pending)
		group_pending_remove(sl_list_entry(n, struct group_pending, node));
	sl_timer_clear(&g->round);
	group_offsets_each(g, offset_drop, g);
	free(g->offsets);
	sl_list_remove(&g->dirty);
	str_free(&g->id);
	str_free(&g->protocol_type);
	str_free(&g->protocol);
	free(g);
}
