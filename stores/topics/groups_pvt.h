/* SPDX-License-Identifier: Apache-2.0 */
/*
 * groups_pvt: groups from inside: shards, groups, members, journal records.
 *
 * All of it belongs to the shard's core. What timers do runs outside fibers and does not park:
 * it marks a group dirty, and the keeper's fiber writes it.
 */
#ifndef STORES_TOPICS_GROUPS_PVT_H
#define STORES_TOPICS_GROUPS_PVT_H

#include "topics_pvt.h"

#define GROUP_ID_BYTES_MAX 4096

/* ---- strings that are owned ------------------------------------------------------------- */

/* A copy on the heap; null stays null. Return: 0 or -ENOMEM. */
int str_copy(struct sl_str s, struct sl_str *ret_copy);
void str_free(struct sl_str *s);

static inline bool str_equal(struct sl_str a, struct sl_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.s, b.s, a.len) == 0);
}

/* Memory of a result: sized first, then filled. */
struct pack {
	char *p, *end;
};

int pack_init(struct pack *pk, size_t bytes, void **ret_memory);
void *pack_room(struct pack *pk, size_t bytes); /* aligned to 8: to be taken before strings */
struct sl_str pack_str(struct pack *pk, struct sl_str s);

/* ---- groups ----------------------------------------------------------------------------- */

struct group_member {
	struct sl_list node; /* in the group, in the order of joining */
	struct group *group;
	struct sl_str id, instance_id, client_id, client_host;
	struct sl_str assignment;
	struct sl_group_protocol *protocols; /* owned, names and metadata too */
	uint32_t protocols_n;
	int32_t session_timeout_ms, rebalance_timeout_ms;
	struct sl_timer session;
	struct sl_group_wait *join, *sync; /* or NULL */
	bool joined; /* has (re)joined in this round */
	bool synced; /* has asked for its assignment in this round */
};

/* An id that was given and has not come back yet. */
struct group_pending {
	struct sl_list node;
	struct group *group;
	struct sl_str id;
	struct sl_timer expiry;
};

struct group_offset {
	struct group_offset *next;
	struct sl_uuid topic;
	uint32_t partition;
	int32_t epoch;
	int64_t offset;
	int64_t at_ms;	/* of the commit */
	uint64_t point; /* the journal's record that it comes from */
	struct sl_str metadata;
};

struct group {
	struct group *next;
	struct sl_list node;  /* of all of the shard */
	struct sl_list dirty; /* to be written by the keeper */
	struct shard *shard;
	struct sl_str id;
	enum sl_group_state state;
	int32_t generation;
	struct sl_str protocol_type, protocol; /* s NULL: none */
	struct group_member *leader;
	struct sl_list members;
	uint32_t members_n;
	struct sl_list pending;
	uint32_t pending_n;
	uint32_t users; /* calls inside: keeps the memory */
	struct sl_timer round; /* end of the join phase, or of the sync phase */
	bool initial;		/* the first round of an empty group: its delay runs */
	bool initial_more;	/* a member came during it */
	int64_t initial_left_ns;
	int32_t storing;     /* generation whose assignment is on its way to disk, or 0 */
	bool persisted;	     /* the journal has a record of it */
	int64_t empty_since_ms; /* wall clock, while EMPTY */
	struct group_offset **offsets; /* offsets_slots buckets, a power of two or 0 */
	uint32_t offsets_n, offsets_slots;
};

/* group.c: none of these parks */
struct group *group_new(struct shard *sh, struct sl_str id);
void group_free(struct group *g);
struct group_member *group_member_find(const struct group *g, struct sl_str id);
struct group_member *group_instance_find(const struct group *g, struct sl_str instance_id);
struct group_member *group_member_new(struct group *g, struct sl_str id, struct sl_str instance_id,
				      struct sl_str client_id, struct sl_str client_host,
				      int32_t session_timeout_ms, int32_t rebalance_timeout_ms);
void group_member_free(struct group_member *m);

/* Replaces what @m knows. Return: 0 or -ENOMEM, then nothing changed. */
int group_member_protocols(struct group_member *m, const struct sl_group_protocol *protocols,
			   uint32_t n);
bool group_member_same_protocols(const struct group_member *m,
				 const struct sl_group_protocol *protocols, uint32_t n);
struct sl_str group_member_metadata(const struct group_member *m, struct sl_str protocol);

/* Whether somebody with these can take part. @except: a member that is going to be replaced. */
bool group_accepts(const struct group *g, struct sl_str type,
		   const struct sl_group_protocol *protocols, uint32_t n,
		   const struct group_member *except);

struct group_pending *group_pending_find(const struct group *g, struct sl_str id);
int group_pending_add(struct group *g, struct sl_str id, int32_t session_timeout_ms);
void group_pending_remove(struct group_pending *p);

/* The member has been heard of. */
void group_member_alive(struct group_member *m);

/* Begins a round unless one is in its join phase. */
void group_rebalance(struct group *g);

/* Ends the join phase if everybody is there. */
void group_try_complete(struct group *g);

/* Takes @m out, tells whoever waits for it @res, and begins or completes a round. */
void group_member_leave(struct group_member *m, int res);

/* The leader's assignment is durable (@res 0) or not. */
void group_assigned(struct group *g, int res);

/* After a restart: sessions begin anew. */
void group_resume(struct group *g);

/**
 * group_wait_begin() - have @w, whose core asks for @m, wait in @slot, @m's join or sync.
 * @fill: makes the result once the wait ends well.
 */
void group_wait_begin(struct sl_group_wait *w, struct group_member *m, struct sl_group_wait **slot,
		      int (*fill)(struct sl_group_wait *w));

/* Ends the wait in @slot, if there is one, and tells who waits @res, or what came of filling. */
void group_wait_end(struct sl_group_wait **slot, int res);

/* Takes back @w, if it has not ended: its asker is gone, the member stays. */
void group_wait_give_up(struct sl_group_wait *w);

/* offsets */
struct group_offset *group_offset_find(const struct group *g, const struct sl_uuid *topic,
				       uint32_t partition);

/* Stores what record @point says; an older record changes nothing. Return: 0 or -ENOMEM. */
int group_offset_put(struct group *g, const struct sl_offset *o, int64_t at_ms, uint64_t point);
void group_offset_remove(struct group *g, struct group_offset *o);
void group_offsets_each(struct group *g, void (*each)(void *arg, struct group_offset *o),
			void *arg);

/* ---- the journal ------------------------------------------------------------------------ */

enum group_record_type {
	GROUP_RECORD_OFFSETS = 1, /* committed */
	GROUP_RECORD_FORGET = 2,  /* offsets deleted */
	GROUP_RECORD_GROUP = 3,	  /* generation, members, assignments */
	GROUP_RECORD_GONE = 4,	  /* the group with all its offsets */
};

#define GROUP_RECORD_HEADER_BYTES 40
#define GROUP_RECORD_BYTES_MAX (16 * SL_MIB)

extern const struct sl_log_kind group_journal_kind;

/* Room for the header, then the payload, then group_record_end(), which returns b->err. */
void group_record_begin(struct blob_out *b);
int group_record_end(struct blob_out *b, enum group_record_type type, int64_t now_ms);

void group_encode_offsets(struct blob_out *b, struct sl_str group, const struct sl_offset *o,
			  uint32_t n);
void group_encode_forget(struct blob_out *b, struct sl_str group, const struct sl_offset *o,
			 uint32_t n);
void group_encode_group(struct blob_out *b, const struct group *g, bool with_members);
void group_encode_gone(struct blob_out *b, struct sl_str group);

/* A shard's groups, into which records are read. */
struct group_table {
	struct group **buckets;
	uint32_t n, buckets_n;
	struct sl_list all;
};

/**
 * group_apply() - do what a record's payload says. @at_ms: its time. @point: its offset.
 * Return: 0; -EBADMSG: it makes no sense (nothing or a part of it was done); -ENOMEM.
 */
int group_apply(struct shard *sh, enum group_record_type type, const void *p, size_t len,
		int64_t at_ms, uint64_t point);

/* One record at @p, at most @len bytes. Return: its bytes, or as group_apply(), or -EBADMSG. */
ssize_t group_apply_record(struct shard *sh, const uint8_t *p, size_t len);

/* ---- shards ----------------------------------------------------------------------------- */

struct shard {
	struct core_state *tc;
	uint32_t index;
	enum partition_state state;
	int err;
	struct sl_waitq changed;
	struct sl_log *log;
	struct group_table groups;
	struct sl_list writes; /* struct journal_write */
	uint64_t snapshot_at, snapshot_size, since_bytes;
	bool snapshotting;
	char name[24];
};

struct shards {
	struct core_state *tc;
	struct shard *at[SL_GROUP_SHARDS]; /* NULL: another core's */
	struct sl_list dirty;		   /* struct group */
	struct sl_waitq keeper;
	struct sl_timer tick;
	bool retention_due;
};

/* The shard at @index, loaded. Return: 0; _STOPPING, _FAILED; -ETIME. */
int shard_enter(struct core_state *tc, uint32_t index, struct shard **ret_shard, int64_t deadline);

/* Brings the shard into memory, and with @make its journal into being. Return: as shard_enter(). */
int shard_ready(struct shard *sh, bool make, int64_t deadline);

struct group_visit;

/* What is done on the core of a group's shard. @g: NULL: there is no such group. */
typedef int group_visit_fn(const struct group_visit *v, struct group *g, int64_t deadline);

/* @tc: of that core. @sh: the shard, loaded. @arg: group_visit()'s. */
struct group_visit {
	struct core_state *tc;
	struct sl_str group;
	group_visit_fn *fn;
	void *arg;
	struct shard *sh;
};

/* Return: as @fn(), or as shard_enter(). */
int group_visit(struct sl_topics *t, struct sl_str group, group_visit_fn *fn, void *arg,
		int64_t deadline);

/* Who calls: checks a member's id, instance and generation. Return: 0 or a refusal. */
int group_check_member(const struct group *g, const struct sl_group_member *m,
		       struct group_member **ret_member);

/* ---- the table of groups ---------------------------------------------------------------- */

uint32_t shard_index(struct sl_str group);
struct sl_core *shard_home(uint32_t index);

struct group *shard_group(const struct shard *sh, struct sl_str id);

/* The group, made if need be; with one more user. NULL: no memory. */
struct group *shard_group_get(struct shard *sh, struct sl_str id);
void group_leave(struct group *g);

/* Takes the group, or all of them, off the table; freed when nobody is inside. */
void shard_group_remove(struct group *g);
void shard_groups_clear(struct shard *sh);

/* ---- the shard's journal ---------------------------------------------------------------- */

/* Sets sh->log. Return: 0; -ENOENT: there is none yet; -errno. */
int journal_open(struct shard *sh, int64_t deadline);

/* As journal_open(), for the first write. */
int journal_make(struct shard *sh, int64_t deadline);

/* Makes the names of journals durable. */
int groups_sync(struct shard *sh);

/* Applies the durable records from offset @from on. */
int journal_replay(struct shard *sh, uint64_t from, int64_t deadline);

/**
 * shard_write() - append a finished record and wait until it is durable.
 * @ret_write: begun; to be ended by shard_write_end() once the record was applied, whatever came
 * of it. @ret_point: its offset.
 */
struct journal_write {
	struct sl_list node;
	uint64_t from; /* the record is not below this offset */
};

int shard_write(struct shard *sh, struct blob_out *record, struct journal_write *ret_write,
		uint64_t *ret_point, int64_t deadline);
void shard_write_end(struct shard *sh, struct journal_write *write);

/* Writes the group's record, as it is now; its members only if they have their assignments. */
int shard_write_group(struct group *g, bool with_members, int64_t deadline);

/* ---- snapshots, keeping, expiry --------------------------------------------------------- */

/* Return: 0, with the offset of the snapshot or 0 where there is none; -errno. */
int shard_snapshot_load(struct shard *sh, uint64_t *ret_offset, int64_t deadline);

/* Writes one and trims the journal. Return: 0, also if it cannot have one now; -errno. */
int shard_snapshot_save(struct shard *sh, int64_t deadline);
bool shard_snapshot_due(const struct shard *sh);

/* The keeper's part of @all; its fiber and timer, which shards_stop() clears. */
void keeper_init(struct shards *all);
int keeper_start(struct core_state *tc);

/* Has the keeper write @g. Does not park. */
void shard_dirty(struct group *g);

/* Deletes what is too old. */
void shard_retain(struct shard *sh);

/* Deletes a group without members, durably, unless one comes meanwhile. Return: 0 or a result. */
int shard_delete_group(struct group *g);

#endif
