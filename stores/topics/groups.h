/* SPDX-License-Identifier: Apache-2.0 */
/*
 * groups: the classic consumer group coordinator, and committed offsets.
 *
 * A group lives in one of SL_GROUP_SHARDS shards, which its id hashes to; a shard with its journal
 * lives on one core. Members, generations and offsets are in the journal before anybody hears of
 * them, so a group goes on where it was after a restart.
 *
 * Strings in results belong to the result and go with its _done(), which accepts a zeroed struct
 * and may be called on any core. Inputs are borrowed until the call returns.
 *
 * Order of parts: membership; looking at groups; offsets.
 */
#ifndef STORES_TOPICS_GROUPS_H
#define STORES_TOPICS_GROUPS_H

#include "segments/segments.h"

#include "refusal.h"

/* Never changes: files depend on it. */
#define SL_GROUP_SHARDS 16

/* The core of @group's shard: calls made there need no hop. From a core. */
struct sl_core *sl_group_home(struct sl_str group);

/* ---- membership ------------------------------------------------------------------------- */

/**
 * struct sl_group_wait - how a join or sync waits for the others; a part of both.
 * @park: how to park on @q until woken or @deadline; NULL: sl_waitq_wait(). A connection's handler
 * passes its sl_conn_wait(), so that the wait ends with the connection. @arg: its argument.
 * The rest is the engine's.
 */
struct sl_group_wait {
	int (*park)(void *arg, struct sl_waitq *q, int64_t deadline);
	void *arg;

	struct sl_msg msg;
	struct sl_core *core;
	struct sl_waitq q;
	bool told;
	struct group_member *member;
	struct sl_group_wait **slot;
	int (*fill)(struct sl_group_wait *w);
	int res;
};

/* A way of assigning partitions that a member knows, and what it says of itself under it. */
struct sl_group_protocol {
	struct sl_str name;
	struct sl_str metadata;
};

/* A member as the leader sees it. */
struct sl_group_joined {
	struct sl_str member_id;
	struct sl_str instance_id; /* s NULL: not static */
	struct sl_str metadata;    /* under the protocol chosen */
};

/**
 * struct sl_group_join - a member (re)joins and waits for the round to complete.
 * @member_id: empty: a new member. @instance_id: s NULL: not static. @rebalance_timeout_ms: how
 * long others' joins are waited for (the session timeout where the request has none).
 * @require_member_id: a new member without instance id gets an id and _MEMBER_ID_REQUIRED first.
 * @wait: its park and arg are the caller's to set.
 * Filled with 0: @generation, @protocol_type, @protocol, @leader, @assigned_id (the member's own
 * id); @members, @members_n: for the leader only; @skip_assignment: a static leader came back to a
 * stable group and need not assign anew.
 * With _MEMBER_ID_REQUIRED: @assigned_id.
 */
struct sl_group_join {
	struct sl_str group, member_id, instance_id, client_id, client_host, protocol_type;
	int32_t session_timeout_ms, rebalance_timeout_ms;
	const struct sl_group_protocol *protocols;
	uint32_t protocols_n;
	bool require_member_id;
	struct sl_group_wait wait;

	int32_t generation;
	struct sl_str type_chosen, protocol, leader, assigned_id;
	struct sl_group_joined *members;
	uint32_t members_n;
	bool skip_assignment;
	void *memory;
};

/**
 * sl_group_join() - see the struct. Parks until the round completes, @deadline, or @wait's park
 * returns anything but 0 (which is then returned). A member whose caller stopped waiting takes part
 * in the round all the same, until its session times out or it leaves.
 * Return: 0; SL_REFUSED_BAD_GROUP, _BAD_SESSION_TIMEOUT, _BAD_PROTOCOLS, _UNKNOWN_MEMBER,
 * _MEMBER_ID_REQUIRED, _FENCED_INSTANCE, _GROUP_FULL, _REBALANCING, _STOPPING; -ETIME; -errno.
 */
int sl_group_join(struct sl_topics *t, struct sl_group_join *j, int64_t deadline);
void sl_group_join_done(struct sl_group_join *j);

struct sl_group_assignment {
	struct sl_str member_id;
	struct sl_str assignment;
};

/**
 * struct sl_group_sync - a member asks for its part; the leader brings everybody's.
 * @protocol_type, @protocol: s NULL: not checked. @wait: as of a join. Filled with 0: @assignment
 * (may be empty), and the group's @type_chosen and @protocol_chosen.
 */
struct sl_group_sync {
	struct sl_str group, member_id, instance_id, protocol_type, protocol;
	int32_t generation;
	const struct sl_group_assignment *assignments;
	uint32_t assignments_n;
	struct sl_group_wait wait;

	struct sl_str assignment, type_chosen, protocol_chosen;
	void *memory;
};

/**
 * sl_group_sync() - see the struct. Parks until the leader's assignment is durable; may stop as a
 * join does.
 * Return: 0; SL_REFUSED_BAD_GROUP, _UNKNOWN_MEMBER, _FENCED_INSTANCE, _BAD_GENERATION,
 * _BAD_PROTOCOLS, _REBALANCING, _STOPPING; -ETIME; -errno.
 */
int sl_group_sync(struct sl_topics *t, struct sl_group_sync *s, int64_t deadline);
void sl_group_sync_done(struct sl_group_sync *s);

/* Who calls: a member under a generation. instance_id s NULL: not static. */
struct sl_group_member {
	struct sl_str group, member_id, instance_id;
	int32_t generation;
};

/* Return: 0; SL_REFUSED_BAD_GROUP, _UNKNOWN_MEMBER, _FENCED_INSTANCE, _BAD_GENERATION,
 * _REBALANCING (join again; the session goes on); -errno. */
int sl_group_heartbeat(struct sl_topics *t, const struct sl_group_member *m, int64_t deadline);

/* One member that leaves: by id, or, with an empty id, by instance id. */
struct sl_group_leaver {
	struct sl_str member_id, instance_id;
	int result; /* 0, SL_REFUSED_UNKNOWN_MEMBER or _FENCED_INSTANCE */
};

/* Return: 0, each leaver's outcome is its result; SL_REFUSED_BAD_GROUP; -errno. */
int sl_group_leave(struct sl_topics *t, struct sl_str group, struct sl_group_leaver *leavers,
		   uint32_t n, int64_t deadline);

/* ---- looking at groups ------------------------------------------------------------------ */

enum sl_group_state {
	SL_GROUP_EMPTY,
	SL_GROUP_PREPARING,  /* waits for members to join */
	SL_GROUP_COMPLETING, /* waits for the leader's assignment */
	SL_GROUP_STABLE,
	SL_GROUP_DEAD,
	SL_GROUP_STATE_LAST
};

/* "Empty", "PreparingRebalance" and so on. */
const char *sl_group_state_name(enum sl_group_state state);

struct sl_group_member_info {
	struct sl_str member_id, instance_id, client_id, client_host, metadata, assignment;
};

struct sl_group_info {
	struct sl_str group, protocol_type, protocol;
	enum sl_group_state state;
	int32_t generation;
	struct sl_group_member_info *members;
	uint32_t members_n;
	void *memory;
};

/* Return: 0 (a group that does not exist is Dead); SL_REFUSED_BAD_GROUP; -errno. */
int sl_group_describe(struct sl_topics *t, struct sl_str group, struct sl_group_info *ret_info,
		      int64_t deadline);
void sl_group_info_done(struct sl_group_info *info);

struct sl_group_list {
	struct sl_group_info *groups; /* without members */
	uint32_t n;
	void *memory;
};

/* All groups of the node, in no order. Return: 0 or -errno. */
int sl_groups_list(struct sl_topics *t, struct sl_group_list *ret_list, int64_t deadline);
void sl_group_list_done(struct sl_group_list *list);

/* Deletes an empty group and its offsets. Return: 0; SL_REFUSED_BAD_GROUP, _UNKNOWN_GROUP,
 * _NON_EMPTY_GROUP; -errno. */
int sl_group_delete(struct sl_topics *t, struct sl_str group, int64_t deadline);

/* ---- offsets ---------------------------------------------------------------------------- */

/* One partition's committed offset. Topics go by id: a topic made anew has no offsets. */
struct sl_offset {
	struct sl_uuid topic;
	uint32_t partition;
	int32_t epoch; /* leader epoch of the last record read, or -1 */
	int64_t offset;
	struct sl_str metadata; /* s NULL: none */
	int result; /* of a commit: 0 or SL_REFUSED_METADATA_TOO_LARGE (the others go on) */
};

/**
 * sl_offsets_commit() - store @n offsets; durable on return.
 * @m: generation -1 and an empty member id: not a member, allowed while the group has none.
 * Return: 0; SL_REFUSED_BAD_GROUP, _UNKNOWN_MEMBER, _FENCED_INSTANCE, _BAD_GENERATION,
 * _REBALANCING, _NO_SPACE, _FAILED; -ETIME (it may be stored all the same); -errno.
 */
int sl_offsets_commit(struct sl_topics *t, const struct sl_group_member *m,
		      struct sl_offset *offsets, uint32_t n, int64_t deadline);

/* Offsets of a group; those asked for in the order asked, offset -1 where none is stored. */
struct sl_offset_list {
	struct sl_offset *offsets;
	uint32_t n;
	void *memory;
};

/**
 * sl_offsets_fetch() - the durable offsets of the @n partitions @asked (topic and partition are
 * looked at), or with @asked NULL all of the group. @m: member and generation are checked unless
 * the member id is empty.
 * Return: 0; SL_REFUSED_BAD_GROUP, _UNKNOWN_MEMBER, _FENCED_INSTANCE, _BAD_GENERATION; -errno.
 */
int sl_offsets_fetch(struct sl_topics *t, const struct sl_group_member *m,
		     const struct sl_offset *asked, uint32_t n, struct sl_offset_list *ret_list,
		     int64_t deadline);
void sl_offset_list_done(struct sl_offset_list *list);

/**
 * sl_offsets_delete() - forget @n offsets (topic and partition), durably. Each one's result is 0
 * or, while the group has members, SL_REFUSED_OFFSET_SUBSCRIBED.
 * Return: 0; SL_REFUSED_BAD_GROUP, _UNKNOWN_GROUP; -errno.
 */
int sl_offsets_delete(struct sl_topics *t, struct sl_str group, struct sl_offset *offsets,
		      uint32_t n, int64_t deadline);

/* How the groups' journals frame their records, for offline tools. */
extern const struct sl_log_kind group_journal_kind;

#endif
