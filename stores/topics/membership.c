/* SPDX-License-Identifier: Apache-2.0 */
/*
 * membership: joining, syncing, heartbeats and leaving, as fibers call them.
 *
 * Interface: "membership" of groups.h. Each call goes to the core of the group's shard, where
 * group.c keeps the rounds. Who has to wait for other members does so on his own core, so that
 * his connection's end ends the wait; what a result tells is copied when the group ends it.
 *
 * Order of parts: who calls; waiting; joining; syncing; heartbeats; leaving.
 */
#include <errno.h>

#include "groups_pvt.h"

#define MEMBER_ID_RANDOM 36

/* ---- who calls -------------------------------------------------------------------------- */

/* The member that says it is @id, and @instance_id if that is not null. */
static int find_member(const struct group *g, struct sl_str id, struct sl_str instance_id,
		       struct group_member **ret_member)
{
	struct group_member *m;

	if (instance_id.s) {
		m = group_instance_find(g, instance_id);
		if (!m)
			return SL_REFUSED_UNKNOWN_MEMBER;
		if (!str_equal(m->id, id))
			return SL_REFUSED_FENCED_INSTANCE;
	} else {
		m = group_member_find(g, id);
		if (!m)
			return SL_REFUSED_UNKNOWN_MEMBER;
	}
	*ret_member = m;
	return 0;
}

int group_check_member(const struct group *g, const struct sl_group_member *m,
		       struct group_member **ret_member)
{
	struct group_member *found = NULL;
	int rc = find_member(g, m->member_id, m->instance_id, &found);

	if (rc)
		return rc;
	if (m->generation != g->generation)
		return SL_REFUSED_BAD_GENERATION;
	*ret_member = found;
	return 0;
}

/* ---- waiting ---------------------------------------------------------------------------- */

/* What a visit returns that has begun a wait. */
enum { GROUP_WAITS = SL_REFUSED_LAST };

static int give_up_here(void *wait, int64_t deadline)
{
	(void)deadline;
	group_wait_give_up(wait);
	return 0;
}

/*
 * Parks until the group's core, @home, has told of the end of @w. Who stops earlier takes it back
 * there: what was told before that arrives first, and afterwards nothing can come any more.
 */
static int wait_for(struct sl_group_wait *w, struct sl_core *home, int64_t deadline)
{
	int rc = 0;

	while (!w->told && !rc)
		rc = w->park ? w->park(w->arg, &w->q, deadline) : sl_waitq_wait(&w->q, deadline);
	while (!w->told && sl_call(home, give_up_here, w, SL_NEVER) == -ENOMEM)
		sl_sleep(sl_now() + SL_MSEC);
	return w->told ? w->res : rc;
}

static int visit_and_wait(struct sl_topics *t, struct sl_str group, group_visit_fn *fn, void *arg,
			  struct sl_group_wait *w, int64_t deadline)
{
	int rc;

	w->core = sl_core_self();
	w->slot = NULL;
	w->told = false;
	sl_waitq_init(&w->q);
	rc = group_visit(t, group, fn, arg, deadline);
	return rc == GROUP_WAITS ? wait_for(w, shard_home(shard_index(group)), deadline) : rc;
}

/* ---- joining ---------------------------------------------------------------------------- */

static size_t join_result_bytes(const struct group *g, const struct group_member *m)
{
	size_t bytes = g->protocol_type.len + g->protocol.len + m->id.len +
		       (g->leader ? g->leader->id.len : 0);

	if (m != g->leader)
		return bytes;
	sl_list_each(n, &g->members) {
		const struct group_member *each = sl_list_entry(n, struct group_member, node);

		bytes += sizeof(struct sl_group_joined) + each->id.len + each->instance_id.len +
			 group_member_metadata(each, g->protocol).len;
	}
	return bytes;
}

static void join_result_members(const struct group *g, struct sl_group_join *j, struct pack *pk)
{
	j->members = pack_room(pk, g->members_n * sizeof(struct sl_group_joined));
	j->members_n = 0;
	sl_list_each(n, &g->members) {
		const struct group_member *each = sl_list_entry(n, struct group_member, node);

		j->members[j->members_n++] = (struct sl_group_joined){
			.member_id = pack_str(pk, each->id),
			.instance_id = pack_str(pk, each->instance_id),
			.metadata = pack_str(pk, group_member_metadata(each, g->protocol)),
		};
	}
}

/* Fills @j for @m from the group as it is. */
static int join_result(const struct group *g, const struct group_member *m,
		       struct sl_group_join *j)
{
	struct pack pk;
	int rc = pack_init(&pk, join_result_bytes(g, m), &j->memory);

	if (rc)
		return rc;
	j->members = NULL;
	j->members_n = 0;
	if (m == g->leader)
		join_result_members(g, j, &pk);
	j->generation = g->generation;
	j->type_chosen = pack_str(&pk, g->protocol_type);
	j->protocol = pack_str(&pk, g->protocol);
	j->assigned_id = pack_str(&pk, m->id);
	j->leader = g->leader ? pack_str(&pk, g->leader->id) : (struct sl_str){"", 0};
	return 0;
}

/* An id for a new member: what it calls itself, and 128 random bits as a UUID is written. */
static int member_id_new(const struct sl_group_join *j, struct sl_str *ret_id)
{
	static const char digits[] = "0123456789abcdef";
	struct sl_str prefix = j->instance_id.s ? j->instance_id : j->client_id;
	uint8_t random[16];
	char *p = malloc(prefix.len + 1 + MEMBER_ID_RANDOM + 1), *q;

	if (!p)
		return -ENOMEM;
	sl_random(random, sizeof(random));
	if (prefix.len)
		memcpy(p, prefix.s, prefix.len);
	q = p + prefix.len;
	*q++ = '-';
	for (unsigned i = 0; i < sizeof(random); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*q++ = '-';
		*q++ = digits[random[i] >> 4];
		*q++ = digits[random[i] & 15];
	}
	*q = 0;
	*ret_id = (struct sl_str){p, (size_t)(q - p)};
	return 0;
}

static int join_fill(struct sl_group_wait *w)
{
	return join_result(w->member->group, w->member,
			   sl_container_of(w, struct sl_group_join, wait));
}

/* @m takes part in the round that is, or now begins, and may complete it. */
static int join_round(struct group *g, struct group_member *m, struct sl_group_join *j)
{
	m->joined = true;
	group_member_alive(m);
	group_wait_begin(&j->wait, m, &m->join, join_fill);
	group_rebalance(g);
	return GROUP_WAITS;
}

/* Takes over what the request says of the member. */
static int member_update(struct group_member *m, const struct sl_group_join *j)
{
	m->session_timeout_ms = j->session_timeout_ms;
	m->rebalance_timeout_ms = j->rebalance_timeout_ms;
	return group_member_protocols(m, j->protocols, j->protocols_n);
}

static int group_take_type(struct group *g, struct sl_str type)
{
	struct sl_str copy;
	int rc;

	if (g->members_n && g->protocol_type.s)
		return 0;
	rc = str_copy(type, &copy);
	if (rc)
		return rc;
	str_free(&g->protocol_type);
	g->protocol_type = copy;
	return 0;
}

static int join_add(struct group *g, struct sl_str id, struct sl_group_join *j)
{
	struct group_member *m;
	int rc = group_take_type(g, j->protocol_type);

	if (rc)
		return rc;
	m = group_member_new(g, id, j->instance_id, j->client_id, j->client_host,
			     j->session_timeout_ms, j->rebalance_timeout_ms);
	if (!m)
		return -ENOMEM;
	rc = group_member_protocols(m, j->protocols, j->protocols_n);
	if (rc) {
		group_member_free(m);
		return rc;
	}
	return join_round(g, m, j);
}

/*
 * A static member that comes back under its instance id gets a new member id, and the old one is
 * fenced. A stable group goes on without a round if the member still says the same.
 */
static int join_replace(struct group *g, struct group_member *m, struct sl_str id,
			struct sl_group_join *j, int64_t deadline)
{
	bool same = group_member_same_protocols(m, j->protocols, j->protocols_n);
	struct sl_str copy;
	int rc = str_copy(id, &copy);

	if (!rc)
		rc = member_update(m, j);
	if (rc) {
		str_free(&copy);
		return rc;
	}
	group_wait_end(&m->join, SL_REFUSED_FENCED_INSTANCE);
	group_wait_end(&m->sync, SL_REFUSED_FENCED_INSTANCE);
	str_free(&m->id);
	m->id = copy;
	group_member_alive(m);
	if (g->state != SL_GROUP_STABLE || !same)
		return join_round(g, m, j);
	rc = join_result(g, m, j);
	if (rc)
		return rc;
	j->skip_assignment = m == g->leader;
	/* After a restart the journal has to know the new id, or the member would be refused. */
	rc = shard_write_group(g, true, deadline);
	if (rc)
		sl_group_join_done(j);
	return rc;
}

static int join_new(struct group *g, struct sl_group_join *j, int64_t deadline)
{
	struct group_member *known = group_instance_find(g, j->instance_id);
	struct sl_str id;
	int rc = member_id_new(j, &id);

	if (rc)
		return rc;
	if (known) {
		rc = join_replace(g, known, id, j, deadline);
	} else if (j->require_member_id && !j->instance_id.s) {
		struct pack pk;

		rc = group_pending_add(g, id, j->session_timeout_ms);
		if (!rc)
			rc = pack_init(&pk, id.len, &j->memory);
		if (!rc) {
			j->assigned_id = pack_str(&pk, id);
			rc = SL_REFUSED_MEMBER_ID_REQUIRED;
		}
	} else {
		rc = join_add(g, id, j);
	}
	str_free(&id);
	return rc;
}

/* A member that is known joins again. */
static int join_again(struct group *g, struct group_member *m, struct sl_group_join *j)
{
	bool same = group_member_same_protocols(m, j->protocols, j->protocols_n);
	int rc;

	/* Its answer was lost, or it only wants to know: nothing changes. */
	if ((g->state == SL_GROUP_COMPLETING && same) ||
	    (g->state == SL_GROUP_STABLE && same && m != g->leader)) {
		group_member_alive(m);
		return join_result(g, m, j);
	}
	rc = member_update(m, j);
	return rc ? rc : join_round(g, m, j);
}

static int join_known(struct group *g, struct sl_group_join *j)
{
	struct group_pending *p = group_pending_find(g, j->member_id);
	struct group_member *m = NULL;
	int rc;

	if (p && !j->instance_id.s) {
		group_pending_remove(p);
		return join_add(g, j->member_id, j);
	}
	rc = find_member(g, j->member_id, j->instance_id, &m);
	return rc ? rc : join_again(g, m, j);
}

static int join_group(struct group *g, struct sl_group_join *j, int64_t deadline)
{
	const struct sl_topics_conf *conf = &g->shard->tc->conf;
	struct group_member *self = j->instance_id.s ? group_instance_find(g, j->instance_id)
						     : group_member_find(g, j->member_id);
	bool full = g->members_n + g->pending_n >= conf->group_members_max;

	if (!group_accepts(g, j->protocol_type, j->protocols, j->protocols_n, self))
		return SL_REFUSED_BAD_PROTOCOLS;
	if (full && !self && !group_pending_find(g, j->member_id))
		return SL_REFUSED_GROUP_FULL;
	return j->member_id.len ? join_known(g, j) : join_new(g, j, deadline);
}

static int join_here(const struct group_visit *v, struct group *g, int64_t deadline)
{
	struct sl_group_join *j = v->arg;
	struct core_state *tc = v->tc;
	int rc;

	if (tc->draining)
		return SL_REFUSED_STOPPING;
	if (j->session_timeout_ms * SL_MSEC < tc->conf.group_session_min_ns ||
	    j->session_timeout_ms * SL_MSEC > tc->conf.group_session_max_ns)
		return SL_REFUSED_BAD_SESSION_TIMEOUT;
	if (j->rebalance_timeout_ms < 0)
		j->rebalance_timeout_ms = j->session_timeout_ms;
	if (j->member_id.len && !g)
		return SL_REFUSED_UNKNOWN_MEMBER;
	g = shard_group_get(v->sh, v->group);
	if (!g)
		return -ENOMEM;
	rc = join_group(g, j, deadline);
	group_leave(g);
	return rc;
}

int sl_group_join(struct sl_topics *t, struct sl_group_join *j, int64_t deadline)
{
	j->memory = NULL;
	j->members = NULL;
	j->members_n = 0;
	j->skip_assignment = false;
	return visit_and_wait(t, j->group, join_here, j, &j->wait, deadline);
}

void sl_group_join_done(struct sl_group_join *j)
{
	free(j->memory);
	j->memory = NULL;
	j->members = NULL;
	j->members_n = 0;
}

/* ---- syncing ---------------------------------------------------------------------------- */

static int sync_result(const struct group *g, const struct group_member *m,
		       struct sl_group_sync *s)
{
	struct pack pk;
	int rc = pack_init(&pk, m->assignment.len + g->protocol_type.len + g->protocol.len,
			   &s->memory);

	if (rc)
		return rc;
	s->assignment = m->assignment.s ? pack_str(&pk, m->assignment) : (struct sl_str){"", 0};
	s->type_chosen = pack_str(&pk, g->protocol_type);
	s->protocol_chosen = pack_str(&pk, g->protocol);
	return 0;
}

static int sync_fill(struct sl_group_wait *w)
{
	return sync_result(w->member->group, w->member,
			   sl_container_of(w, struct sl_group_sync, wait));
}

static int take_assignments(struct group *g, const struct sl_group_sync *s)
{
	for (uint32_t i = 0; i < s->assignments_n; i++) {
		struct group_member *m = group_member_find(g, s->assignments[i].member_id);
		struct sl_str copy;

		if (!m)
			continue;
		if (str_copy(s->assignments[i].assignment, &copy))
			return -ENOMEM;
		str_free(&m->assignment);
		m->assignment = copy;
	}
	return 0;
}

/* The leader's: everybody's part is stored, then all who wait are told. */
static int sync_leader(struct group *g, struct group_member *m, struct sl_group_sync *s,
		       int64_t deadline)
{
	int32_t generation = g->generation;
	struct sl_str id;
	int rc = str_copy(m->id, &id);

	if (!rc)
		rc = take_assignments(g, s);
	if (!rc) {
		g->storing = generation;
		rc = shard_write_group(g, true, deadline);
		g->storing = g->storing == generation ? 0 : g->storing;
	}
	m = group_member_find(g, id);
	str_free(&id);
	/* Meanwhile a member may have come or gone, and the round be another one. */
	if (g->state != SL_GROUP_COMPLETING || g->generation != generation)
		return m ? SL_REFUSED_REBALANCING : SL_REFUSED_UNKNOWN_MEMBER;
	group_assigned(g, rc);
	if (rc)
		return rc;
	return m ? sync_result(g, m, s) : SL_REFUSED_UNKNOWN_MEMBER;
}

static bool protocol_matches(struct sl_str asked, struct sl_str chosen)
{
	return !asked.s || !chosen.s || str_equal(asked, chosen);
}

static int sync_group(struct group *g, struct sl_group_sync *s, int64_t deadline)
{
	struct sl_group_member who = {s->group, s->member_id, s->instance_id, s->generation};
	struct group_member *m = NULL;
	int rc = group_check_member(g, &who, &m);

	if (rc)
		return rc;
	if (!protocol_matches(s->protocol_type, g->protocol_type) ||
	    !protocol_matches(s->protocol, g->protocol))
		return SL_REFUSED_BAD_PROTOCOLS;
	group_member_alive(m);
	if (g->state == SL_GROUP_STABLE)
		return sync_result(g, m, s);
	if (g->state != SL_GROUP_COMPLETING)
		return g->state == SL_GROUP_PREPARING ? SL_REFUSED_REBALANCING
						      : SL_REFUSED_UNKNOWN_MEMBER;
	m->synced = true;
	if (m == g->leader && g->storing != g->generation)
		return sync_leader(g, m, s, deadline);
	group_wait_begin(&s->wait, m, &m->sync, sync_fill);
	return GROUP_WAITS;
}

static int sync_here(const struct group_visit *v, struct group *g, int64_t deadline)
{
	int rc;

	if (v->tc->draining)
		return SL_REFUSED_STOPPING;
	if (!g)
		return SL_REFUSED_UNKNOWN_MEMBER;
	g->users++;
	rc = sync_group(g, v->arg, deadline);
	group_leave(g);
	return rc;
}

int sl_group_sync(struct sl_topics *t, struct sl_group_sync *s, int64_t deadline)
{
	s->memory = NULL;
	return visit_and_wait(t, s->group, sync_here, s, &s->wait, deadline);
}

void sl_group_sync_done(struct sl_group_sync *s)
{
	free(s->memory);
	s->memory = NULL;
}

/* ---- heartbeats ------------------------------------------------------------------------- */

static int heartbeat_here(const struct group_visit *v, struct group *g, int64_t deadline)
{
	struct group_member *m = NULL;
	int rc = g ? group_check_member(g, v->arg, &m) : SL_REFUSED_UNKNOWN_MEMBER;

	if (rc)
		return rc;
	group_member_alive(m);
	return g->state == SL_GROUP_PREPARING ? SL_REFUSED_REBALANCING : 0;
}

int sl_group_heartbeat(struct sl_topics *t, const struct sl_group_member *m, int64_t deadline)
{
	return group_visit(t, m->group, heartbeat_here, (void *)(uintptr_t)m, deadline);
}

/* ---- leaving ---------------------------------------------------------------------------- */

struct leave {
	struct sl_group_leaver *leavers;
	uint32_t n;
};

static int leave_one(struct group *g, const struct sl_group_leaver *l)
{
	struct group_pending *p = group_pending_find(g, l->member_id);
	struct group_member *m = NULL;
	int rc;

	if (l->instance_id.s && l->member_id.len == 0) {
		m = group_instance_find(g, l->instance_id);
		if (!m)
			return SL_REFUSED_UNKNOWN_MEMBER;
	} else if (p) {
		group_pending_remove(p);
		group_try_complete(g);
		return 0;
	} else {
		rc = find_member(g, l->member_id, l->instance_id, &m);
		if (rc)
			return rc;
	}
	group_member_leave(m, SL_REFUSED_UNKNOWN_MEMBER);
	return 0;
}

static int leave_here(const struct group_visit *v, struct group *g, int64_t deadline)
{
	struct leave *leave = v->arg;

	for (uint32_t i = 0; i < leave->n; i++)
		leave->leavers[i].result = g ? leave_one(g, &leave->leavers[i])
					     : SL_REFUSED_UNKNOWN_MEMBER;
	return 0;
}

int sl_group_leave(struct sl_topics *t, struct sl_str group, struct sl_group_leaver *leavers,
		   uint32_t n, int64_t deadline)
{
	struct leave leave = {leavers, n};

	return group_visit(t, group, leave_here, &leave, deadline);
}
