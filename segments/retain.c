/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retention: raising a log's start and deleting what lies below it.
 *
 * Interface: sl_log_trim(), sl_log_retain(), retain_*(). Invariants: the new start is durable
 * before a file is unlinked, so that a crash in between leaves files that the next opening
 * removes, never a hole; the last segment stays; a file whose extents are on their way to sockets
 * keeps its bytes until they have arrived.
 *
 * Order of parts: the start; deleting; what may go; the fiber.
 */
#include "segments_pvt.h"

/* ---- the start -------------------------------------------------------------------------- */

int retain_raise_start(struct sl_log *log, uint64_t start, int64_t deadline)
{
	uint64_t synced;
	int err;

	if (start <= log->start)
		return 0;
	err = sl_mutex_lock(&log->sync, deadline);
	if (err)
		return err;
	if (start <= log->start)
		goto out_unlock;
	err = log->err;
	/* The log may not end below its start after a crash. */
	if (!err && start > log->synced.off)
		err = commit_locked(log, SL_FAULT(SYNC_COMMIT));
	synced = log->synced.off;
	if (!err)
		err = commit_slot(log, &log->synced, start, false);
	if (no_space(err) || log->err)
		goto out_unlock;
	if (!err)
		err = sl_fsync(log_last(log)->sf->file.fd, true, SL_FAULT(SYNC_TRIM), SL_NEVER);
	if (err) {
		log_fail(log, err);
		goto out_unlock;
	}
	log->slot_off = synced;
	log->slot_start = start;
	log->start = start;
out_unlock:
	commit_unlock(log);
	return err;
}

/* ---- deleting --------------------------------------------------------------------------- */

int retain_drop(struct sl_log *log, uint32_t n, int64_t deadline)
{
	struct segment **gone = calloc(n, sizeof(*gone));
	uint32_t left = log->n_segs - n;
	int err = 0;

	SL_ASSERT(n > 0 && n < log->n_segs && log->segs[n]->base <= log->start);
	if (!gone)
		return -ENOMEM;
	memcpy(gone, log->segs, n * sizeof(*gone));
	memmove(log->segs, log->segs + n, left * sizeof(*gone));
	log->n_segs = left;
	for (uint32_t i = 0; i < n; i++) {
		seg_pin(gone[i]);
		gone[i]->gone = true;
	}
	for (uint32_t i = 0; i < n; i++) {
		/* What cannot be unlinked lies below the start: the next opening tries again. */
		int e = seg_unlink(log, gone[i], deadline);

		if (e)
			err = e;
		else
			log_event(log, SL_LOG_DELETED, (int64_t)gone[i]->base, 0);
		if (gone[i]->sf)
			gone[i]->sf->unlinked = !e;
		seg_unpin(log, gone[i]);
	}
	free(gone);
	bad_forget(log, log->segs[0]->base);
	if (!err)
		err = sl_fsync(log->dir, false, SL_FAULT(SYNC_SEGMENT_FOLDER), deadline);
	return err;
}

/* Deletes the segments that lie wholly below the start. Return: how many, or -errno. */
static int drop_below_start(struct sl_log *log, int64_t deadline)
{
	uint32_t n = 0;
	int err;

	while (n + 1 < log->n_segs && log->segs[n + 1]->base <= log->start)
		n++;
	if (!n)
		return 0;
	err = retain_drop(log, n, deadline);
	return err ? err : (int)n;
}

static int raise_and_drop(struct sl_log *log, uint64_t start, int64_t deadline)
{
	int n, err = retain_raise_start(log, start, deadline);

	if (err)
		return err;
	n = drop_below_start(log, deadline);
	if (n >= 0 && log->readable.log_time_max >= 0 && log->readable.log_time_base < log->start) {
		err = log_refresh_time(log, deadline);
		if (err)
			return err;
	}
	return n;
}

int sl_log_trim(struct sl_log *log, uint64_t start, int64_t deadline)
{
	int err = log_enter(log);

	if (err)
		return err;
	if (start < log->start || start > log->readable.off)
		err = -ERANGE;
	else
		err = raise_and_drop(log, start, deadline);
	log_leave(log);
	return sl_min(err, 0);
}

/* ---- what may go ------------------------------------------------------------------------ */

/* Rolls the last segment if it is too old to grow, or so old that it could go. */
static int roll_old(struct sl_log *log, int64_t now_ms, int64_t deadline)
{
	const struct mark *t = &log->tail;
	int64_t keep = log->conf.retention_ms;
	bool expired = keep > 0 && t->pos > SEG_DATA && !log_last(log)->sealed &&
		       t->time_max >= 0 && t->time_max < now_ms - keep;
	int err;

	if (!expired && !log_too_old(log, now_ms))
		return 0;
	err = append_begin(log, deadline);
	if (err)
		return err;
	if (log->tail.pos > SEG_DATA)
		err = log_roll(log, deadline);
	tail_give(log);
	return err;
}

/* Whether @seg, sealed, is older than retention allows: 1, 0, -errno. */
static int is_expired(struct sl_log *log, struct segment *seg, int64_t now_ms, int64_t deadline)
{
	int64_t keep = log->conf.retention_ms;
	int64_t time;
	int err;

	if (keep <= 0)
		return 0;
	if (!seg->loaded) {
		err = seg_use(log, seg, deadline);
		if (err)
			return err;
		seg_unpin(log, seg);
	}
	time = seg->time_max >= 0 ? seg->time_max : seg->changed_ms;
	return time > 0 && time < now_ms - keep;
}

/* How many of the oldest segments may go, or -errno. */
static int count_expired(struct sl_log *log, int64_t now_ms, int64_t deadline)
{
	uint64_t bytes = sl_log_bytes(log);
	uint32_t n = 0;

	while (n + 1 < log->n_segs) {
		struct segment *seg = log->segs[n];
		bool too_many = log->conf.retention_bytes &&
				bytes - seg->bytes >= log->conf.retention_bytes;
		/* What retention deletes must be durable behind it, not only acknowledged. */
		int expired = log->segs[n + 1]->base <= log->synced.off;

		if (expired && !too_many)
			expired = is_expired(log, seg, now_ms, deadline);
		if (expired < 0 && expired != -ESTALE)
			return expired;
		if (expired <= 0 || n >= log->n_segs || log->segs[n] != seg)
			break;
		bytes -= seg->bytes;
		n++;
	}
	return (int)sl_min(n, log->n_segs - 1);
}

static int retain(struct sl_log *log, int64_t now_ms, int64_t deadline)
{
	int n, err = roll_old(log, now_ms, deadline);

	if (err)
		return err;
	n = count_expired(log, now_ms, deadline);
	if (n <= 0)
		return n;
	return raise_and_drop(log, log->segs[n]->base, deadline);
}

int sl_log_retain(struct sl_log *log, int64_t now_ms, int64_t deadline)
{
	int n = log_enter(log);

	if (n)
		return n;
	n = log->err ? log->err : retain(log, now_ms, deadline);
	log_leave(log);
	return n;
}

/* ---- the fiber -------------------------------------------------------------------------- */

#define RETENTION_CHECK_NS (60 * SL_SEC)

void retain_fiber(void *arg)
{
	struct sl_logs *logs = arg;
	int64_t every = logs->conf.retention_check_ns;

	while (!logs->stop) {
		sl_waitq_wait(&logs->pause, sl_now() + (every ? every : RETENTION_CHECK_NS));
		/* Each log once: those that were looked at go behind the others. */
		for (uint32_t left = logs->logs; left && !logs->stop; left--) {
			struct sl_log *log = sl_list_first(&logs->all, struct sl_log, node);

			if (!log)
				break;
			sl_list_remove(&log->node);
			sl_list_append(&logs->all, &log->node);
			sl_log_retain(log, sl_wall_clock_ns() / SL_MSEC, SL_NEVER);
		}
	}
	logs->fibers--;
	sl_waitq_wake_all(&logs->ended, 0);
}
