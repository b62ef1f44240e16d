/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard_snapshot: what the records of a shard's journal said up to an offset, in one file.
 *
 * Interface: shard_snapshot_*() of groups_pvt.h. DATADIR/groups/<n>.snapshot replaces the records
 * below its offset, which are trimmed once it is durable.
 * Invariants: the offset is not above any record that was written and not yet applied; the journal
 * is trimmed only after the snapshot is durable.
 *
 * Order of parts: reading; writing.
 */
#include <errno.h>

#include "groups_pvt.h"

#define SNAPSHOT_MAGIC "SLGROUP"
#define SNAPSHOT_VERSION 1
#define SNAPSHOT_EVERY_BYTES (4 * SL_MIB)
#define SNAPSHOT_BYTES_MAX SL_GIB

static_assert(sizeof(SNAPSHOT_MAGIC) == BLOB_MAGIC_BYTES, "with its zero");

/* ---- reading ---------------------------------------------------------------------------- */

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
		shard_groups_clear(sh);
	else
		*ret_offset = offset;
	return rc;
}

int shard_snapshot_load(struct shard *sh, uint64_t *ret_offset, int64_t deadline)
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

/* ---- writing ---------------------------------------------------------------------------- */

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

bool shard_snapshot_due(const struct shard *sh)
{
	return sh->log && sh->since_bytes > SNAPSHOT_EVERY_BYTES &&
	       sh->since_bytes > 2 * sh->snapshot_size;
}

int shard_snapshot_save(struct shard *sh, int64_t deadline)
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
