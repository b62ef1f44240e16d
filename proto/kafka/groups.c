/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Consumer groups: FindCoordinator, JoinGroup, SyncGroup, Heartbeat, LeaveGroup, DescribeGroups,
 * ListGroups, DeleteGroups.
 *
 * Interface: the handlers of kafka_pvt.h; groups_pvt.h for group_offsets.c.
 * This node coordinates every group. What the engine returns lives until the response is encoded:
 * the handlers leave it to rq->unhold.
 *
 * Order of parts: helpers; the coordinator; joining; syncing; heartbeats; leaving; describing;
 * listing; deleting.
 */
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "groups_pvt.h"

/* What does not wait for other members is done within this time. */
#define CALL_TIME_NS (30 * SL_SEC)

/* What members' own time limits are given on top, before a wait for the others is given up. */
#define GRACE_MS 10000

/* ---- helpers ---------------------------------------------------------------------------- */

int16_t group_error(int result)
{
	if (result >= 0 && result != SL_REFUSED_NO_SPACE && result != SL_REFUSED_FAILED)
		return kafka_error_of(result);
	return KAFKA_ERR_COORDINATOR_NOT_AVAILABLE;
}

/* A wait that ran out: the member joins anew. */
static int16_t wait_error(int result)
{
	return result == -ETIME ? KAFKA_ERR_REBALANCE_IN_PROGRESS : group_error(result);
}

static int64_t call_deadline(void)
{
	return sl_now() + CALL_TIME_NS;
}

static struct kafka_bytes bytes_from_sl(struct sl_str s)
{
	return (struct kafka_bytes){(const uint8_t *)s.s, (int32_t)s.len};
}

static struct sl_str bytes_to_sl(struct kafka_bytes b)
{
	return (struct sl_str){b.p ? (const char *)b.p : "", (size_t)sl_max(b.n, 0)};
}

/* A string that the protocol does not want to be null. */
static struct kafka_str not_null(struct sl_str s)
{
	return s.s ? kafka_from_sl(s) : (struct kafka_str){0};
}

/* "/127.0.0.1", as the protocol writes where a member is. */
static struct sl_str client_host(struct kafka_request *rq)
{
	const char *peer = sl_conn_peer(rq->conn), *end = strrchr(peer, ':');
	size_t n = end ? (size_t)(end - peer) : strlen(peer);
	char text[128];
	int len;

	if (n > 2 && peer[0] == '[' && peer[n - 1] == ']') {
		peer++;
		n -= 2;
	}
	len = snprintf(text, sizeof(text), "/%.*s", (int)n, peer);
	return kafka_to_sl(kafka_strdup(rq, text, sl_min((size_t)len, sizeof(text) - 1)));
}

/* ---- the coordinator -------------------------------------------------------------------- */

enum { KEY_GROUP, KEY_TRANSACTION };

/* Transactional ids are led here too, to be refused by InitProducerId in so many words. */
static int16_t find_error(int8_t key_type)
{
	return key_type == KEY_GROUP || key_type == KEY_TRANSACTION ? 0 : KAFKA_ERR_INVALID_REQUEST;
}

static void find(struct kafka_request *rq, int8_t key_type, struct kafka_str key,
		 struct kafka_find_coordinator_response_coordinator *c)
{
	int16_t error = find_error(key_type);

	*c = (struct kafka_find_coordinator_response_coordinator){
		.key = key,
		.node_id = -1,
		.port = -1,
		.error_code = error,
		.error_message = error ? KAFKA_STR("this kind of coordinator is not served")
				       : KAFKA_STR_NULL,
	};
	if (error)
		return;
	c->node_id = key_type == KEY_GROUP
			     ? kafka_broker_of(rq->server, sl_group_home(kafka_to_sl(key)))
			     : rq->server->node_id;
	c->host = kafka_broker_address(rq, c->node_id, &c->port);
}

int kafka_find_coordinator_handle(struct kafka_request *rq,
				  const struct kafka_find_coordinator_request *req,
				  struct kafka_find_coordinator_response *res)
{
	struct kafka_find_coordinator_response_coordinator c;

	find(rq, req->key_type, req->key, &c);
	res->error_code = c.error_code;
	res->error_message = c.error_message;
	res->node_id = c.node_id;
	res->host = c.host;
	res->port = c.port;
	res->coordinators.n = req->coordinator_keys.n;
	res->coordinators.v =
		kafka_alloc(rq, (size_t)req->coordinator_keys.n, sizeof(*res->coordinators.v));
	if (!res->coordinators.v)
		return -ENOMEM;
	for (int32_t i = 0; i < req->coordinator_keys.n; i++)
		find(rq, req->key_type, req->coordinator_keys.v[i], &res->coordinators.v[i]);
	return 0;
}

/* ---- joining ---------------------------------------------------------------------------- */

static void join_done(void *join)
{
	sl_group_join_done(join);
}

static int join_protocols(struct kafka_request *rq, const struct kafka_join_group_request *req,
			  struct sl_group_join *j)
{
	struct sl_group_protocol *p = kafka_alloc(rq, (size_t)req->protocols.n, sizeof(*p));

	if (!p)
		return -ENOMEM;
	for (int32_t i = 0; i < req->protocols.n; i++) {
		p[i].name = kafka_to_sl(req->protocols.v[i].name);
		p[i].metadata = bytes_to_sl(req->protocols.v[i].metadata);
	}
	j->protocols = p;
	j->protocols_n = (uint32_t)req->protocols.n;
	return 0;
}

static int join_answer(struct kafka_request *rq, const struct sl_group_join *j,
		       struct kafka_join_group_response *res)
{
	res->generation_id = j->generation;
	res->protocol_type = kafka_from_sl(j->type_chosen);
	res->protocol_name = not_null(j->protocol);
	res->leader = not_null(j->leader);
	res->member_id = not_null(j->assigned_id);
	res->skip_assignment = j->skip_assignment;
	res->members.n = (int32_t)j->members_n;
	res->members.v = kafka_alloc(rq, j->members_n, sizeof(*res->members.v));
	if (!res->members.v)
		return -ENOMEM;
	for (uint32_t i = 0; i < j->members_n; i++) {
		const struct sl_group_joined *m = &j->members[i];

		res->members.v[i] = (struct kafka_join_group_response_member){
			kafka_from_sl(m->member_id), kafka_from_sl(m->instance_id),
			bytes_from_sl(m->metadata)};
	}
	return 0;
}

int kafka_join_group_handle(struct kafka_request *rq, const struct kafka_join_group_request *req,
			    struct kafka_join_group_response *res)
{
	struct sl_group_join *j = kafka_alloc(rq, 1, sizeof(*j));
	int32_t rebalance_ms = req->rebalance_timeout_ms;
	int result;

	if (!j)
		return -ENOMEM;
	if (rebalance_ms < 0)
		rebalance_ms = sl_max(req->session_timeout_ms, 0);
	*j = (struct sl_group_join){
		.group = kafka_to_sl(req->group_id),
		.member_id = kafka_to_sl(req->member_id),
		.instance_id = kafka_to_sl(req->group_instance_id),
		.client_id = kafka_to_sl(rq->client_id),
		.client_host = client_host(rq),
		.protocol_type = kafka_to_sl(req->protocol_type),
		.session_timeout_ms = req->session_timeout_ms,
		.rebalance_timeout_ms = rebalance_ms,
		.require_member_id = rq->version >= 4,
		.wait = {.park = kafka_park, .arg = rq->conn},
	};
	if (join_protocols(rq, req, j))
		return -ENOMEM;
	result = sl_group_join(
		rq->topics, j,
		kafka_deadline(sl_min(rebalance_ms, INT32_MAX - GRACE_MS) + GRACE_MS));
	rq->unhold = join_done;
	rq->unhold_arg = j;
	if (result == -ECONNRESET)
		return result;
	if (!result)
		return join_answer(rq, j, res);
	res->error_code = wait_error(result);
	res->protocol_name = rq->version >= 7 ? KAFKA_STR_NULL : (struct kafka_str){0};
	res->member_id = result == SL_REFUSED_MEMBER_ID_REQUIRED ? not_null(j->assigned_id)
								 : req->member_id;
	return 0;
}

/* ---- syncing ---------------------------------------------------------------------------- */

static void sync_done(void *sync)
{
	sl_group_sync_done(sync);
}

int kafka_sync_group_handle(struct kafka_request *rq, const struct kafka_sync_group_request *req,
			    struct kafka_sync_group_response *res)
{
	struct sl_group_assignment *a = kafka_alloc(rq, (size_t)req->assignments.n, sizeof(*a));
	struct sl_group_sync *s = kafka_alloc(rq, 1, sizeof(*s));
	int result;

	if (!a || !s)
		return -ENOMEM;
	for (int32_t i = 0; i < req->assignments.n; i++) {
		a[i].member_id = kafka_to_sl(req->assignments.v[i].member_id);
		a[i].assignment = bytes_to_sl(req->assignments.v[i].assignment);
	}
	*s = (struct sl_group_sync){
		.group = kafka_to_sl(req->group_id),
		.member_id = kafka_to_sl(req->member_id),
		.instance_id = kafka_to_sl(req->group_instance_id),
		.protocol_type = kafka_to_sl(req->protocol_type),
		.protocol = kafka_to_sl(req->protocol_name),
		.generation = req->generation_id,
		.assignments = a,
		.assignments_n = (uint32_t)req->assignments.n,
		.wait = {.park = kafka_park, .arg = rq->conn},
	};
	/* The engine ends the wait when the round's time is over; this is the longest of them. */
	result = sl_group_sync(rq->topics, s, kafka_deadline(INT32_MAX));
	rq->unhold = sync_done;
	rq->unhold_arg = s;
	if (result == -ECONNRESET)
		return result;
	res->error_code = wait_error(result);
	if (!result) {
		res->protocol_type = kafka_from_sl(s->type_chosen);
		res->protocol_name = kafka_from_sl(s->protocol_chosen);
		res->assignment = bytes_from_sl(s->assignment);
	}
	return 0;
}

/* ---- heartbeats ------------------------------------------------------------------------- */

int kafka_heartbeat_handle(struct kafka_request *rq, const struct kafka_heartbeat_request *req,
			   struct kafka_heartbeat_response *res)
{
	const struct sl_group_member m = {
		.group = kafka_to_sl(req->group_id),
		.member_id = kafka_to_sl(req->member_id),
		.instance_id = kafka_to_sl(req->group_instance_id),
		.generation = req->generation_id,
	};

	res->error_code = group_error(sl_group_heartbeat(rq->topics, &m, call_deadline()));
	return 0;
}

/* ---- leaving ---------------------------------------------------------------------------- */

static int leave_many(struct kafka_request *rq, const struct kafka_leave_group_request *req,
		      struct kafka_leave_group_response *res)
{
	struct sl_group_leaver *l = kafka_alloc(rq, (size_t)req->members.n, sizeof(*l));
	int32_t n = req->members.n;

	res->members.v = kafka_alloc(rq, (size_t)n, sizeof(*res->members.v));
	if (!l || !res->members.v)
		return -ENOMEM;
	for (int32_t i = 0; i < n; i++) {
		l[i].member_id = kafka_to_sl(req->members.v[i].member_id);
		l[i].instance_id = kafka_to_sl(req->members.v[i].group_instance_id);
	}
	res->error_code = group_error(sl_group_leave(rq->topics, kafka_to_sl(req->group_id), l,
						     (uint32_t)n, call_deadline()));
	if (res->error_code)
		return 0;
	res->members.n = n;
	for (int32_t i = 0; i < n; i++)
		res->members.v[i] = (struct kafka_leave_group_response_member){
			req->members.v[i].member_id, req->members.v[i].group_instance_id,
			group_error(l[i].result)};
	return 0;
}

int kafka_leave_group_handle(struct kafka_request *rq, const struct kafka_leave_group_request *req,
			     struct kafka_leave_group_response *res)
{
	struct sl_group_leaver one = {.member_id = kafka_to_sl(req->member_id)};
	int result;

	if (rq->version >= 3)
		return leave_many(rq, req, res);
	result = sl_group_leave(rq->topics, kafka_to_sl(req->group_id), &one, 1, call_deadline());
	res->error_code = group_error(result ? result : one.result);
	return 0;
}

/* ---- describing ------------------------------------------------------------------------- */

struct infos {
	struct sl_group_info *v;
	int32_t n;
};

static void infos_done(void *arg)
{
	struct infos *infos = arg;

	for (int32_t i = 0; i < infos->n; i++)
		sl_group_info_done(&infos->v[i]);
}

static int fill_members(struct kafka_request *rq, const struct sl_group_info *info,
			struct kafka_describe_groups_response_group *o)
{
	o->members.v = kafka_alloc(rq, info->members_n, sizeof(*o->members.v));
	if (!o->members.v)
		return -ENOMEM;
	o->members.n = (int32_t)info->members_n;
	for (uint32_t i = 0; i < info->members_n; i++) {
		const struct sl_group_member_info *m = &info->members[i];

		o->members.v[i] = (struct kafka_describe_groups_response_member){
			not_null(m->member_id),	    kafka_from_sl(m->instance_id),
			not_null(m->client_id),	    not_null(m->client_host),
			bytes_from_sl(m->metadata), bytes_from_sl(m->assignment),
		};
	}
	return 0;
}

/* @may_do: whether to tell what the client may do with the group. */
static int describe(struct kafka_request *rq, bool may_do, struct sl_group_info *info,
		    struct kafka_describe_groups_response_group *o)
{
	int result = sl_group_describe(rq->topics, kafka_to_sl(o->group_id), info, call_deadline());

	if (result) {
		o->error_code = group_error(result);
		return 0;
	}
	o->group_state = kafka_str_of(sl_group_state_name(info->state));
	if (info->state == SL_GROUP_DEAD) {
		if (rq->version >= 6) {
			o->error_code = KAFKA_ERR_GROUP_ID_NOT_FOUND;
			o->error_message = kafka_str_of(kafka_error_text(o->error_code));
		}
		return 0;
	}
	if (may_do)
		o->authorized_operations = KAFKA_MAY_DO_TO_GROUP;
	o->protocol_type = not_null(info->protocol_type);
	o->protocol_data = not_null(info->protocol);
	return fill_members(rq, info, o);
}

int kafka_describe_groups_handle(struct kafka_request *rq,
				 const struct kafka_describe_groups_request *req,
				 struct kafka_describe_groups_response *res)
{
	struct infos *infos = kafka_alloc(rq, 1, sizeof(*infos));
	int32_t n = req->groups.n;
	int err = 0;

	if (!infos)
		return -ENOMEM;
	infos->v = kafka_alloc(rq, (size_t)n, sizeof(*infos->v));
	res->groups.v = kafka_alloc(rq, (size_t)n, sizeof(*res->groups.v));
	if (!infos->v || !res->groups.v)
		return -ENOMEM;
	infos->n = res->groups.n = n;
	rq->unhold = infos_done;
	rq->unhold_arg = infos;
	for (int32_t i = 0; !err && i < n; i++) {
		kafka_init(&kafka_describe_groups_response_group_schema, &res->groups.v[i]);
		res->groups.v[i].group_id = req->groups.v[i];
		err = describe(rq, req->include_authorized_operations, &infos->v[i],
			       &res->groups.v[i]);
	}
	return err;
}

/* ---- listing ---------------------------------------------------------------------------- */

static void list_done(void *list)
{
	sl_group_list_done(list);
}

static bool same_word(struct kafka_str s, const char *word)
{
	return s.n == (int32_t)strlen(word) && !strncasecmp(s.p, word, (size_t)s.n);
}

/* An empty list of words lets all pass. */
static bool passes(const struct kafka_str *words, int32_t n, const char *word)
{
	for (int32_t i = 0; i < n; i++)
		if (same_word(words[i], word))
			return true;
	return n <= 0;
}

int kafka_list_groups_handle(struct kafka_request *rq, const struct kafka_list_groups_request *req,
			     struct kafka_list_groups_response *res)
{
	struct sl_group_list *list = kafka_alloc(rq, 1, sizeof(*list));
	int result;

	if (!list)
		return -ENOMEM;
	result = sl_groups_list(rq->topics, list, call_deadline());
	if (result) {
		res->error_code = group_error(result);
		return 0;
	}
	rq->unhold = list_done;
	rq->unhold_arg = list;
	res->groups.v = kafka_alloc(rq, list->n, sizeof(*res->groups.v));
	if (!res->groups.v)
		return -ENOMEM;
	for (uint32_t i = 0; i < list->n; i++) {
		const struct sl_group_info *g = &list->groups[i];
		const char *state = sl_group_state_name(g->state);

		if (!passes(req->states_filter.v, req->states_filter.n, state) ||
		    !passes(req->types_filter.v, req->types_filter.n, "classic"))
			continue;
		res->groups.v[res->groups.n++] = (struct kafka_list_groups_response_group){
			not_null(g->group), not_null(g->protocol_type), kafka_str_of(state),
			KAFKA_STR("classic")};
	}
	return 0;
}

/* ---- deleting --------------------------------------------------------------------------- */

int kafka_delete_groups_handle(struct kafka_request *rq,
			       const struct kafka_delete_groups_request *req,
			       struct kafka_delete_groups_response *res)
{
	int32_t n = req->groups_names.n;

	res->results.n = n;
	res->results.v = kafka_alloc(rq, (size_t)n, sizeof(*res->results.v));
	if (!res->results.v)
		return -ENOMEM;
	for (int32_t i = 0; i < n; i++) {
		struct kafka_str group = req->groups_names.v[i];

		res->results.v[i] = (struct kafka_delete_groups_response_result){
			group, group_error(sl_group_delete(rq->topics, kafka_to_sl(group),
							   call_deadline()))};
	}
	return 0;
}
