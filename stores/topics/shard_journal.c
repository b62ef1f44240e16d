/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard_journal: the log in which a shard's groups are kept: made, opened, replayed, written.
 *
 * Interface: "the shard's journal" of groups_pvt.h. DATADIR/groups/<n> is made at the first write,
 * as <n>.new, and renamed when it is whole.
 * Invariant: nothing is applied to memory before its record is durable.
 *
 * Order of parts: opening; replaying; writing.
 */
#include <errno.h>

#include "groups_pvt.h"

#define JOURNAL_SEGMENT_BYTES (16 * SL_MIB)

/* ---- opening ---------------------------------------------------------------------------- */

int journal_open(struct shard *sh, int64_t deadline)
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

int groups_sync(struct shard *sh)
{
	return sl_fsync(sh->tc->t->groups_dir, false, SL_FAULT(SYNC_PARTITION_FOLDER), SL_NEVER);
}

int journal_make(struct shard *sh, int64_t deadline)
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

/* ---- replaying -------------------------------------------------------------------------- */

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

int journal_replay(struct shard *sh, uint64_t from, int64_t deadline)
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
	if (shard_snapshot_due(sh))
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
