/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard: a sixteenth of the groups with its journal, on its core.
 *
 * Interface: "shards" of groups_pvt.h, shards_*() of topics_pvt.h.
 * DATADIR/groups/<n> is the journal's log, made at the first write; <n>.snapshot holds what the
 * records below its offset said. A load reads the snapshot and then the journal from there.
 * Invariants: nothing is applied to memory before its record is durable; a snapshot's offset is
 * not above any record that was written and not yet applied; the journal is trimmed only after
 * the snapshot is durable.
 *
 * Order of parts: the table of groups; loading; making; entering; writing; snapshots; keeping;
 * start and stop.
 */
#include <errno.h>
#include <fcntl.h>

#include "groups_pvt.h"

#define SNAPSHOT_MAGIC "SLGROUP"
#define SNAPSHOT_VERSION 1
#define SNAPSHOT_EVERY_BYTES (4 * SL_MIB)
#define SNAPSHOT_BYTES_MAX SL_GIB
#define JOURNAL_SEGMENT_BYTES (16 * SL_MIB)
#define KEEPER_TICK_MIN_NS (100 * SL_MSEC)
#define KEEPER_TICK_MAX_NS (60 * SL_SEC)

static_assert(sizeof(SNAPSHOT_MAGIC) == BLOB_MAGIC_BYTES, "with its zero");

/* ---- the table of groups ---------------------------------------------------------------- */

static uint64_t group_hash(struct sl_str id)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	/* FNV-1a: files depend on it. */
	for (size_t i = 0; i < id.len; i++)
		h = (h ^ (uint8_t)id.s[i]) * UINT64_C(0x100000001b3);
	return sl_mix64(h);
}

uint32_t shard_index(struct sl_str group)
{
	return (uint32_t)(group_hash(group) % SL_GROUP_SHARDS);
}

struct sl_core *sl_group_home(struct sl_str group)
{
	return shard_home(shard_index(group));
}

struct sl_core *shard_home(uint32_t index)
{
	struct sl_cores *cores = sl_core_cores(sl_core_self());

	return sl_cores_at(cores, index % sl_cores_count(cores));
}

static struct group **bucket(const struct group_table *gt, struct sl_str id)
{
	return &gt->buckets[group_hash(id) / SL_GROUP_SHARDS & (gt->buckets_n - 1)];
}

struct group *shard_group(const struct shard *sh, struct sl_str id)
{
	struct group *g;

	if (!sh->groups.buckets_n)
		return NULL;
	for (g = *bucket(&sh->groups, id); g && !str_equal(g->id, id); g = g->next)
		;
	return g;
}

static int table_grow(struct group_table *gt)
{
	uint32_t n = gt->buckets_n ? gt->buckets_n * 2 : 16;
	struct group **buckets;

	if (gt->n < gt->buckets_n)
		return 0;
	buckets = calloc(n, sizeof(struct group *));
	if (!buckets)
		return -ENOMEM;
	free(gt->buckets);
	gt->buckets = buckets;
	gt->buckets_n = n;
	sl_list_each(at, &gt->all) {
		struct group *g = sl_list_entry(at, struct group, node);
		struct group **head = bucket(gt, g->id);

		g->next = *head;
		*head = g;
	}
	return 0;
}

struct group *shard_group_get(struct shard *sh, struct sl_str id)
{
	struct group *g = shard_group(sh, id), **head;

	if (!g) {
		if (table_grow(&sh->groups))
			return NULL;
		g = group_new(sh, id);
		if (!g)
			return NULL;
		head = bucket(&sh->groups, id);
		g->next = *head;
		*head = g;
		sl_list_append(&sh->groups.all, &g->node);
		sh->groups.n++;
	}
	g->users++;
	return g;
}

void group_leave(struct group *g)
{
	SL_ASSERT(g->users > 0);
	if (--g->users == 0 && g->state == SL_GROUP_DEAD)
		group_free(g);
}

void shard_group_remove(struct group *g)
{
	struct group_table *gt = &g->shard->groups;
	struct group **at = bucket(gt, g->id);

	SL_ASSERT(gt->n > 0);
	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	gt->n--;
	sl_list_remove(&g->node);
	sl_list_remove(&g->dirty);
	g->users++;
	while (g->members_n) {
		struct group_member *m = sl_list_first(&g->members, struct group_member, node);

		group_wait_end(&m->join, SL_REFUSED_UNKNOWN_MEMBER);
		group_wait_end(&m->sync, SL_REFUSED_UNKNOWN_MEMBER);
		group_member_free(m);
	}
	sl_timer_clear(&g->round);
	g->state = SL_GROUP_DEAD;
	group_leave(g);
}

/* ---- loading ---------------------------------------------------------------------------- */

static void groups_clear(struct shard *sh)
{
	while (!sl_list_empty(&sh->groups.all))
		shard_group_remove(sl_list_first(&sh->groups.all, struct group, node));
}

/* A snapshot's contents: type, time, point, length and payload, until the end. */
static int snapshot_apply(struct shard *sh, struct blob_in *in)
{
	while (blob_left(in) && !in->bad) {
		uint32_t type = blob_get_u32(in), len = blob_get_u32(in);
		int64_t at_ms = (int64_t)blob_get_u64(in);
		uint64_t point = blob_get_u64(in);
		const uint8_t *p = blob_get(in, len);
		int rc;

		if (!p)
			return -EBADMSG;
		rc = group_apply(sh, type, p, len, at_ms, point);
		if (rc)
			return rc;
	}
	return in->bad ? -EBADMSG : 0;
}

static int snapshot_decode(struct shard *sh, const void *p, size_t len, uint64_t *ret_offset)
{
	struct blob_in in;
	uint64_t offset;
	int rc = blob_open(&in, p, len, SNAPSHOT_MAGIC, SNAPSHOT_VERSION);

	if (rc)
		return rc;
	offset = blob_get_u64(&in);
	rc = snapshot_apply(sh, &in);
	if (rc)
		groups_clear(sh);
	else
		*ret_offset = offset;
	return rc;
}

/* Return: 0, with the offset of the snapshot or 0 where there is none; -errno. */
static int snapshot_load(struct shard *sh, uint64_t *ret_offset, int64_t deadline)
{
	char name[32];
	struct statx stx;
	uint8_t *buf;
	ssize_t n;
	int rc;

	snprintf(name, sizeof(name), "%u.snapshot", sh->index);
	rc = sl_stat(sh->tc->t->groups_dir, name, &stx, deadline);
	if (rc == -ENOENT) {
		*ret_offset = 0;
		return 0;
	}
	if (rc)
		return rc;
	if (stx.stx_size > SNAPSHOT_BYTES_MAX)
		return -EBADMSG;
	buf = malloc(stx.stx_size + 1);
	if (!buf)
		return -ENOMEM;
	n = sl_read_file(sh->tc->t->groups_dir, name, buf, stx.stx_size, deadline);
	rc = n < 0 ? (int)n : snapshot_decode(sh, buf, (size_t)n, ret_offset);
	if (!rc)
		sh->snapshot_size = (uint64_t)n;
	free(buf);
	return rc;
}

/* Applies the records in @p. A record that makes no sense is told of and passed over. */
static int records_apply(struct shard *sh, const uint8_t *p, size_t len)
{
	while (len > 0) {
		struct sl_frame frame;
		ssize_t n = group_apply_record(sh, p, len);

		if (n == -ENOMEM)
			return -ENOMEM;
		if (n < 0) {
			if (len < GROUP_RECORD_HEADER_BYTES ||
			    group_journal_kind.frame(p, &frame) || frame.bytes > len)
				return -EBADMSG;
			topics_event(sh->tc, SL_TOPICS_GROUP_LOST, sh->name, (int64_t)frame.base);
			n = (ssize_t)frame.bytes;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int span_apply(struct shard *sh, const struct sl_span *span, int64_t deadline)
{
	uint8_t *p = malloc(span->extent.len);
	int rc = -ENOMEM;

	if (p)
		rc = sl_read_all(span->extent.file->fd, p, span->extent.len, span->extent.off,
				 deadline);
	if (!rc)
		rc = records_apply(sh, p, span->extent.len);
	free(p);
	return rc;
}

static int journal_replay(struct shard *sh, uint64_t from, int64_t deadline)
{
	uint64_t at = sl_max(from, sl_log_start(sh->log));

	while (at < sl_log_durable(sh->log)) {
		struct sl_span span;
		int rc, n = sl_log_read(sh->log, at, SL_MIB, NULL, &span, 1, deadline);

		if (n == -EBADMSG) {
			/* Quarantined: what it said is lost, what comes later is not. */
			topics_event(sh->tc, SL_TOPICS_GROUP_LOST, sh->name, (int64_t)at);
			at++;
			continue;
		}
		if (n < 0)
			return n;
		if (n == 0)
			break;
		sl_file_held(span.extent.file);
		rc = span_apply(sh, &span, deadline);
		sl_file_release(span.extent.file);
		if (rc)
			return rc;
		sh->since_bytes += span.extent.len;
		at = span.next;
	}
	return 0;
}

/* Offsets of topics that were deleted while nobody could tell. */
static void offset_known(void *arg, struct group_offset *o)
{
	struct group *g = arg;

	if (!sl_topics_view_find_id(g->shard->tc->home_view, &o->topic))
		group_offset_remove(g, o);
}

static int journal_open(struct shard *sh, int64_t deadline)
{
	const struct sl_log_conf conf = {
		.durability = SL_DURABILITY_GROUP,
		.segment_bytes = JOURNAL_SEGMENT_BYTES,
		.preallocate_bytes = 64 * SL_KIB,
		.epoch = sh->tc->conf.epoch,
	};
	char path[16];

	snprintf(path, sizeof(path), "%u", sh->index);
	return sl_log_open(sh->tc->logs, sh->tc->t->groups_dir, path, sh->name,
			   &group_journal_kind, &conf, &sh->log, deadline);
}

static int groups_sync(struct shard *sh)
{
	return sl_fsync(sh->tc->t->groups_dir, false, SL_FAULT(SYNC_PARTITION_FOLDER), SL_NEVER);
}

/* Return: 0, sh->log is NULL if there is none yet; -errno. */
static int shard_load(struct shard *sh, int64_t deadline)
{
	uint64_t from = 0;
	int rc = snapshot_load(sh, &from, deadline);

	if (rc)
		return rc;
	rc = journal_open(sh, deadline);
	if (rc == -ENOENT)
		rc = 0;
	/* Made just before a kill, its name may not be durable yet. */
	if (!rc && sh->log && sl_log_end(sh->log) == 0)
		rc = groups_sync(sh);
	if (!rc && sh->log)
		rc = journal_replay(sh, from, deadline);
	if (rc) {
		groups_clear(sh);
		if (sh->log)
			sl_log_abandon(sh->log);
		sh->log = NULL;
		return rc;
	}
	sh->snapshot_at = from;
	sl_list_each(n, &sh->groups.all) {
		struct group *g = sl_list_entry(n, struct group, node);

		group_offsets_each(g, offset_known, g);
		group_resume(g);
	}
	return 0;
}

/* ---- making ----------------------------------------------------------------------------- */

static int journal_make(struct shard *sh, int64_t deadline)
{
	int dir = sh->tc->t->groups_dir, rc;
	char new[24], name[16];

	snprintf(name, sizeof(name), "%u", sh->index);
	snprintf(new, sizeof(new), "%u.new", sh->index);
	rc = sl_mkdir(dir, new, 0700, deadline);
	if (rc == -EEXIST) {
		rc = sl_remove_tree(dir, new, deadline);
		if (!rc)
			rc = sl_mkdir(dir, new, 0700, deadline);
	}
	if (!rc)
		rc = sl_log_create(dir, new, &group_journal_kind, deadline);
	if (!rc)
		rc = sl_rename(dir, new, dir, name, deadline);
	if (rc)
		return rc;
	rc = groups_sync(sh);
	return rc ? -EIO : journal_open(sh, deadline);
}

/* ---- entering --------------------------------------------------------------------------- */

static bool passing(int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT || rc == -ENOMEM || rc == -ETIME ||
	       rc == -EMFILE || rc == -ENFILE;
}

static void state_set(struct shard *sh, enum partition_state ok, int rc)
{
	sh->state = rc == 0 ? ok : passing(rc) ? sh->state : PARTITION_FAILED;
	sh->err = rc;
	if (rc)
		topics_event(sh->tc, SL_TOPICS_FAILED, sh->name, rc);
	sl_waitq_wake_all(&sh->changed, 0);
}

/* Brings the shard into memory, and with @make its journal into being. */
static int shard_ready(struct shard *sh, bool make, int64_t deadline)
{
	int rc = 0;

	while (!rc) {
		if (sh->state == PARTITION_OPEN || (sh->state == PARTITION_EMPTY && !make))
			return 0;
		if (sh->state == PARTITION_FAILED)
			return SL_REFUSED_FAILED;
		if (sh->state == PARTITION_BUSY) {
			rc = sl_waitq_wait(&sh->changed, deadline);
			continue;
		}
		if (sh->state == PARTITION_NEW) {
			sh->state = PARTITION_BUSY;
			rc = shard_load(sh, deadline);
			sh->state = PARTITION_NEW;
			state_set(sh, sh->log ? PARTITION_OPEN : PARTITION_EMPTY, rc);
		} else {
			sh->state = PARTITION_BUSY;
			rc = journal_make(sh, deadline);
			sh->state = PARTITION_EMPTY;
			state_set(sh, PARTITION_OPEN, rc);
		}
	}
	return partition_result(rc);
}

int shard_enter(struct core_state *tc, struct sl_str group, struct shard **ret_shard,
		int64_t deadline)
{
	return shard_enter_index(tc, shard_index(group), ret_shard, deadline);
}

int shard_enter_index(struct core_state *tc, uint32_t index, struct shard **ret_shard,
		      int64_t deadline)
{
	struct shard *sh;
	int rc = core_ready(tc, deadline);

	if (rc)
		return rc;
	sh = tc->shards->at[index];
	SL_ASSERT(sh);
	rc = shard_ready(sh, false, deadline);
	if (!rc)
		*ret_shard = sh;
	return rc;
}

static int visit_here(void *arg, int64_t deadline)
{
	struct group_visit *v = arg;
	int (*fn)(void *arg, int64_t deadline) = v->fn;

	return fn(v, deadline);
}

int group_visit(struct sl_topics *t, struct sl_str group, int (*fn)(void *arg, int64_t deadline),
		void *arg, int64_t deadline)
{
	struct sl_core *home;
	struct group_visit v;

	if (!group.s || group.len < 1 || group.len > GROUP_ID_BYTES_MAX)
		return SL_REFUSED_BAD_GROUP;
	home = shard_home(shard_index(group));
	v = (struct group_visit){t, topics_at(t, home), group, arg, fn};
	return sl_call(home, visit_here, &v, deadline);
}

/* ---- writing ---------------------------------------------------------------------------- */

int shard_write(struct shard *sh, struct blob_out *record, struct journal_write *ret_write,
		uint64_t *ret_point, int64_t deadline)
{
	struct iovec iov = {record->p, record->len};
	struct sl_frame frame;
	int rc;

	sl_list_init(&ret_write->node);
	SL_ASSERT(!record->err);
	rc = shard_ready(sh, true, deadline);
	if (rc)
		return rc;
	rc = group_journal_kind.frame(record->p, &frame);
	SL_ASSERT(rc == 0);
	ret_write->from = sl_log_end(sh->log);
	sl_list_append(&sh->writes, &ret_write->node);
	rc = sl_log_append(sh->log, &iov, 1, &frame, NULL, ret_point, deadline);
	if (rc >= 0) {
		sh->since_bytes += frame.bytes;
		/* Whatever the caller's patience, its record is there: see it through. */
		rc = sl_order_wait(sl_log_order(sh->log), *ret_point + 1, SL_NEVER);
	}
	if (sh->since_bytes > SNAPSHOT_EVERY_BYTES && sh->since_bytes > 2 * sh->snapshot_size)
		sl_waitq_wake_all(&sh->tc->shards->keeper, 0);
	return partition_result(rc);
}

void shard_write_end(struct shard *sh, struct journal_write *write)
{
	(void)sh;
	sl_list_remove(&write->node);
}

int shard_write_group(struct group *g, bool with_members, int64_t deadline)
{
	struct blob_out b = {0};
	struct journal_write write;
	uint64_t point;
	int rc;

	group_record_begin(&b);
	group_encode_group(&b, g, with_members);
	rc = group_record_end(&b, GROUP_RECORD_GROUP, wall_ms());
	if (!rc) {
		rc = shard_write(g->shard, &b, &write, &point, deadline);
		shard_write_end(g->shard, &write);
	}
	blob_done(&b);
	if (!rc)
		g->persisted = true;
	return rc;
}

void shard_dirty(struct group *g)
{
	struct shards *all = g->shard->tc->shards;

	if (!sl_list_empty(&g->dirty))
		return;
	sl_list_append(&all->dirty, &g->dirty);
	sl_waitq_wake_all(&all->keeper, 0);
}

/* ---- snapshots -------------------------------------------------------------------------- */

static size_t record_open(struct blob_out *b, enum group_record_type type, int64_t at_ms,
			  uint64_t point)
{
	blob_put_u32(b, type);
	blob_put_u32(b, 0);
	blob_put_u64(b, (uint64_t)at_ms);
	blob_put_u64(b, point);
	return b->len;
}

static void record_close(struct blob_out *b, size_t from)
{
	if (!b->err)
		sl_store_le32(b->p + from - 20, (uint32_t)(b->len - from));
}

struct offset_put {
	struct blob_out *b;
	struct sl_str group;
};

static void put_offset(void *arg, struct group_offset *e)
{
	struct offset_put *put = arg;
	struct sl_offset o = {
		.topic = e->topic,
		.partition = e->partition,
		.epoch = e->epoch,
		.offset = e->offset,
		.metadata = e->metadata,
	};
	size_t from = record_open(put->b, GROUP_RECORD_OFFSETS, e->at_ms, e->point);

	group_encode_offsets(put->b, put->group, &o, 1);
	record_close(put->b, from);
}

/* A group in the middle of a round is told of as without members: they have to join anyway. */
static void put_group(struct blob_out *b, struct group *g)
{
	struct offset_put put = {b, g->id};

	if (g->persisted) {
		size_t from = record_open(b, GROUP_RECORD_GROUP, wall_ms(), 0);

		group_encode_group(b, g, g->state == SL_GROUP_STABLE);
		record_close(b, from);
	}
	group_offsets_each(g, put_offset, &put);
}

static uint64_t snapshot_offset(const struct shard *sh)
{
	uint64_t offset = sl_log_end(sh->log);

	sl_list_each(n, &sh->writes)
		offset = sl_min(offset, sl_list_entry(n, struct journal_write, node)->from);
	return offset;
}

static int snapshot_encode(struct shard *sh, uint64_t offset, struct blob_out *b)
{
	blob_begin(b, SNAPSHOT_MAGIC, SNAPSHOT_VERSION);
	blob_put_u64(b, offset);
	sl_list_each(n, &sh->groups.all)
		put_group(b, sl_list_entry(n, struct group, node));
	return blob_end(b);
}

static int shard_snapshot(struct shard *sh, int64_t deadline)
{
	uint64_t since = sh->since_bytes, offset;
	struct blob_out b = {0};
	char name[32];
	int rc;

	if (!sh->log || sh->snapshotting || sl_log_failed(sh->log))
		return 0;
	sh->snapshotting = true;
	offset = snapshot_offset(sh);
	snprintf(name, sizeof(name), "%u.snapshot", sh->index);
	rc = snapshot_encode(sh, offset, &b);
	if (!rc)
		rc = sl_write_file(sh->tc->t->groups_dir, name, b.p, b.len,
				   SL_FAULT(SYNC_SNAPSHOT), SL_FAULT(SYNC_SNAPSHOT_FOLDER),
				   deadline);
	if (!rc) {
		sh->snapshot_at = offset;
		sh->snapshot_size = b.len;
		rc = sl_log_trim(sh->log, offset, deadline);
	}
	blob_done(&b);
	sh->since_bytes -= since;
	sh->snapshotting = false;
	if (rc)
		topics_event(sh->tc, SL_TOPICS_SNAPSHOT, sh->name, rc);
	return rc;
}

/* ---- keeping ---------------------------------------------------------------------------- */

struct expiry {
	struct group *g;
	int64_t before_ms;
};

static void offset_expire(void *arg, struct group_offset *o)
{
	struct expiry *e = arg;

	if (o->at_ms < e->before_ms)
		group_offset_remove(e->g, o);
}

/*
 * Offsets of a group without members go when both they and the end of its last member are old
 * enough; the group goes with the last of them. A removal that a crash undoes is made again.
 */
static bool group_expire(struct group *g, int64_t now_ms)
{
	int64_t keep_ms = g->shard->tc->conf.offsets_retention_ns / SL_MSEC;
	struct expiry e = {g, now_ms - keep_ms};
	bool had = g->offsets_n > 0;

	if (g->state != SL_GROUP_EMPTY || g->pending_n || g->users)
		return false;
	if (!g->persisted || g->empty_since_ms < e.before_ms)
		group_offsets_each(g, offset_expire, &e);
	if (g->offsets_n || (!had && g->persisted && g->empty_since_ms >= e.before_ms))
		return false;
	if (had)
		topics_event(g->shard->tc, SL_TOPICS_GROUP_EXPIRED, g->id.s, 0);
	return true;
}

static int write_gone(struct shard *sh, struct sl_str id, uint64_t *ret_point)
{
	struct blob_out b = {0};
	struct journal_write write;
	int rc;

	group_record_begin(&b);
	group_encode_gone(&b, id);
	rc = group_record_end(&b, GROUP_RECORD_GONE, wall_ms());
	if (!rc) {
		rc = shard_write(sh, &b, &write, ret_point, SL_NEVER);
		shard_write_end(sh, &write);
	}
	blob_done(&b);
	return rc;
}

struct older {
	struct group *g;
	uint64_t point;
};

static void offset_older(void *arg, struct group_offset *o)
{
	struct older *older = arg;

	if (o->point < older->point)
		group_offset_remove(older->g, o);
}

int shard_delete_group(struct group *g)
{
	struct older older = {.g = g};
	struct shard *sh = g->shard;
	int rc;

	g->users++;
	rc = sh->log ? write_gone(sh, g->id, &older.point) : 0;
	if (!rc && g->state == SL_GROUP_EMPTY && !g->pending_n) {
		shard_group_remove(g);
	} else if (!rc && g->state != SL_GROUP_DEAD) {
		/* Somebody came meanwhile: what was before is gone, the group begins anew. */
		group_offsets_each(g, offset_older, &older);
		shard_dirty(g);
	}
	group_leave(g);
	return rc;
}

static void shard_retain(struct shard *sh)
{
	int64_t now_ms = wall_ms();
	struct group *g;

	do {
		g = NULL;
		sl_list_each(n, &sh->groups.all) {
			struct group *each = sl_list_entry(n, struct group, node);

			if (group_expire(each, now_ms)) {
				g = each;
				break;
			}
		}
	} while (g && shard_delete_group(g) == 0);
}

static void write_dirty(struct shards *all)
{
	struct group *g;

	while ((g = sl_list_first(&all->dirty, struct group, dirty))) {
		sl_list_remove(&g->dirty);
		g->users++;
		/* The next change tries again; until then the journal tells of an older round. */
		if (g->state == SL_GROUP_EMPTY || g->state == SL_GROUP_STABLE)
			shard_write_group(g, g->state == SL_GROUP_STABLE, SL_NEVER);
		group_leave(g);
	}
}

static bool snapshot_due(const struct shard *sh)
{
	return sh->log && sh->since_bytes > SNAPSHOT_EVERY_BYTES &&
	       sh->since_bytes > 2 * sh->snapshot_size;
}

static bool keeper_work(struct core_state *tc)
{
	struct shards *all = tc->shards;

	if (!sl_list_empty(&all->dirty) || all->retention_due)
		return true;
	for (uint32_t i = 0; i < SL_GROUP_SHARDS; i++)
		if (all->at[i] && snapshot_due(all->at[i]))
			return true;
	return false;
}

static void shards_keeper(void *core_state)
{
	struct core_state *tc = core_state;
	struct shards *all = tc->shards;

	for (uint32_t i = 0; i < SL_GROUP_SHARDS && !tc->draining; i++)
		if (all->at[i])
			shard_ready(all->at[i], false, SL_NEVER);
	while (!tc->stopping) {
		bool retain = all->retention_due;

		if (!keeper_work(tc)) {
			sl_waitq_wait(&all->keeper, SL_NEVER);
			continue;
		}
		all->retention_due = false;
		write_dirty(all);
		for (uint32_t i = 0; i < SL_GROUP_SHARDS; i++) {
			if (all->at[i] && retain)
				shard_retain(all->at[i]);
			if (all->at[i] && snapshot_due(all->at[i]))
				shard_snapshot(all->at[i], SL_NEVER);
		}
	}
	write_dirty(all);
	core_fiber_end(tc);
}

/* Often enough that offsets are not kept much longer than they have to be. */
static int64_t keeper_pause_ns(const struct core_state *tc)
{
	return sl_min(sl_max(tc->conf.offsets_retention_ns / 8, KEEPER_TICK_MIN_NS),
		      KEEPER_TICK_MAX_NS);
}

static void keeper_tick(struct sl_timer *timer)
{
	struct shards *all = sl_container_of(timer, struct shards, tick);

	all->retention_due = true;
	sl_timer_set(timer, sl_now() + keeper_pause_ns(all->tc));
	sl_waitq_wake_all(&all->keeper, 0);
}

static void offset_forget(void *arg, struct group_offset *o)
{
	const struct sl_uuid *id = ((void **)arg)[0];

	if (sl_uuid_equal(&o->topic, id))
		group_offset_remove(((void **)arg)[1], o);
}

/* Without a record: a load forgets the offsets of topics that do not exist. */
void shards_forget_topic(struct core_state *tc, const struct sl_uuid *id)
{
	for (uint32_t i = 0; i < SL_GROUP_SHARDS; i++) {
		if (!tc->shards->at[i])
			continue;
		sl_list_each(n, &tc->shards->at[i]->groups.all) {
			struct group *g = sl_list_entry(n, struct group, node);
			void *arg[] = {(void *)(uintptr_t)id, g};

			group_offsets_each(g, offset_forget, arg);
		}
	}
}

/* ---- start and stop --------------------------------------------------------------------- */

static struct shard *shard_new(struct core_state *tc, uint32_t index)
{
	struct shard *sh = calloc(1, sizeof(*sh));

	if (!sh)
		return NULL;
	sh->tc = tc;
	sh->index = index;
	sl_waitq_init(&sh->changed);
	sl_list_init(&sh->groups.all);
	sl_list_init(&sh->writes);
	snprintf(sh->name, sizeof(sh->name), "groups-%u", index);
	return sh;
}

int shards_start(struct core_state *tc, int64_t deadline)
{
	struct shards *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	tc->shards = all;
	all->tc = tc;
	sl_list_init(&all->dirty);
	sl_waitq_init(&all->keeper);
	sl_timer_init(&all->tick, keeper_tick);
	for (uint32_t i = 0; i < SL_GROUP_SHARDS; i++) {
		if (shard_home(i) != tc->core)
			continue;
		all->at[i] = shard_new(tc, i);
		if (!all->at[i])
			return -ENOMEM;
	}
	sl_timer_set(&all->tick, sl_now() + keeper_pause_ns(tc));
	return core_fiber_start(tc, shards_keeper);
}

void shards_drain(struct core_state *tc)
{
	if (!tc->shards)
		return;
	for (uint32_t i = 0; i < SL_GROUP_SHARDS; i++) {
		struct shard *sh = tc->shards->at[i];

		if (!sh)
			continue;
		sl_list_each(n, &sh->groups.all) {
			struct group *g = sl_list_entry(n, struct group, node);

			sl_list_each(k, &g->members) {
				struct group_member *m =
					sl_list_entry(k, struct group_member, node);

				group_wait_end(&m->join, SL_REFUSED_STOPPING);
				group_wait_end(&m->sync, SL_REFUSED_STOPPING);
			}
		}
	}
	sl_waitq_wake_all(&tc->shards->keeper, 0);
}

static int shard_close(struct shard *sh, int64_t deadline)
{
	int rc = 0;

	if (sh->log) {
		if (sh->since_bytes)
			shard_snapshot(sh, deadline);
		rc = sl_log_close(sh->log, deadline);
		sh->log = NULL;
	}
	groups_clear(sh);
	free(sh->groups.buckets);
	free(sh);
	return rc;
}

int shards_stop(struct core_state *tc, int64_t deadline)
{
	int first = 0;

	if (!tc->shards)
		return 0;
	sl_timer_clear(&tc->shards->tick);
	for (uint32_t i = 0; i < SL_GROUP_SHARDS; i++) {
		int rc = tc->shards->at[i] ? shard_close(tc->shards->at[i], deadline) : 0;

		first = first ? first : rc;
	}
	free(tc->shards);
	tc->shards = NULL;
	return first;
}
