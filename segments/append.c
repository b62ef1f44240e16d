/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appending whole batches.
 *
 * Interface: sl_log_append(); append_*() of segments_pvt.h, which stream.c shares. Invariants: a
 * batch gets its offsets only when it is written as a whole, behind the tail, by who holds the
 * tail; log->tail moves without parking, so that every other fiber sees it before or after; what
 * lies behind it in the file is cut off again if it did not become a batch.
 */
#include "segments_pvt.h"

/* A batch that reaches over this cannot be told of by an index. */
#define BATCH_BYTES_MAX (SL_GIB)

uint32_t append_epoch(const struct sl_log *log)
{
	/* A lower one would not continue the log when it is recovered. */
	return sl_max(log->conf.epoch, log->tail.epoch);
}

static int refused(const struct sl_logs *logs)
{
	return logs->conf.refused ? __atomic_load_n(logs->conf.refused, __ATOMIC_ACQUIRE) : 0;
}

int append_begin(struct sl_log *log, int64_t deadline)
{
	int err = tail_take(log, deadline);

	if (err)
		return err;
	if (log->closing || log->dead)
		err = -ESHUTDOWN;
	else
		err = log->err ? log->err : refused(log->logs);
	if (err)
		tail_give(log);
	return err;
}

int append_room(struct sl_log *log, const struct sl_frame *frame, int64_t deadline)
{
	struct segment *seg = log_last(log);
	const struct mark *t = &log->tail;
	bool fits = t->pos + frame->bytes <= log->conf.segment_bytes &&
		    t->off + frame->records - seg->base <= UINT32_MAX;

	if (frame->bytes > BATCH_BYTES_MAX)
		return -EMSGSIZE;
	if (!seg->sealed && (t->pos == SEG_DATA || fits) &&
	    !log_too_old(log, sl_wall_clock_ns() / SL_MSEC))
		return 0;
	return log_roll(log, deadline);
}

void append_publish(struct sl_log *log, const struct sl_frame *frame, uint64_t base, uint32_t epoch)
{
	struct segment *seg = log_last(log);

	SL_ASSERT(base == log->tail.off && !seg->sealed);
	index_note(&seg->index, log->conf.index_interval_bytes, base - seg->base, log->tail.pos,
		   log->tail.time_max);
	mark_advance(&log->tail, frame, base, epoch);
	seg->bytes = log->tail.pos;
	seg->sf->bytes = log->tail.pos;
	log->full_told = false;
	log_count(log, SL_M_LOG_APPEND_BYTES, frame->bytes);
	log_count(log, SL_M_LOG_APPEND_BATCHES, 1);
	reserve_ahead(log);
}

void append_full(struct sl_log *log, uint64_t bytes)
{
	reserve_give_back(log->logs);
	if (log->full_told)
		return;
	log->full_told = true;
	log_event(log, SL_LOG_FULL, (int64_t)bytes, 0);
}

int append_undo(struct sl_log *log, int err, uint64_t bytes)
{
	struct segment *seg = log_last(log);
	int cut;

	if (log->err)
		return log->err;
	if (err && !no_space(err))
		return log_fail(log, err);
	/* The space that was reserved goes with what was written. */
	cut = sl_ftruncate(seg->sf->file.fd, log->tail.pos, SL_NEVER);
	log->reserved_end = log->tail.pos;
	if (cut)
		return log_fail(log, cut);
	if (err)
		append_full(log, bytes);
	return err;
}

int append_placed(struct sl_log *log, struct iovec *iov, int n, const struct sl_frame *frame,
		  uint64_t *ret_base, int64_t deadline)
{
	uint64_t base;
	uint32_t epoch;
	int err = append_room(log, frame, deadline);

	if (err)
		return err;
	base = log->tail.off;
	epoch = append_epoch(log);
	log->kind->place(iov[0].iov_base, base, epoch);
	err = seg_write(log_last(log)->sf->file.fd, iov, n, log->tail.pos);
	if (!err)
		err = log->err; /* a sync failed meanwhile */
	if (err)
		return append_undo(log, err, frame->bytes);
	append_publish(log, frame, base, epoch);
	*ret_base = base;
	return 0;
}

int append_settle(struct sl_log *log, struct sl_commit *commit, uint64_t end, int64_t deadline)
{
	int err = 0;

	switch (log->conf.durability) {
	case SL_DURABILITY_EACH:
		err = commit_now(log, true, deadline);
		break;
	case SL_DURABILITY_NONE:
		if (log->err)
			return log->err;
		log->readable = log->tail;
		sl_order_advance(&log->order, log->tail.off);
		break;
	case SL_DURABILITY_GROUP:
		commit_queue(log);
		return commit ? sl_order_add(&log->order, commit, end) : 0;
	}
	commit_queue(log);
	if (err)
		return err;
	if (commit)
		commit->res = 0;
	return 1;
}

int sl_log_append(struct sl_log *log, struct iovec *iov, int n, const struct sl_frame *frame,
		  struct sl_commit *commit, uint64_t *ret_base, int64_t deadline)
{
	uint64_t base, end;
	int err = log_enter(log);

	if (err)
		return err;
	SL_ASSERT(n > 0 && iov[0].iov_len >= log->kind->header_bytes && frame->records > 0);
	err = append_begin(log, deadline);
	if (err)
		goto out_leave;
	err = append_placed(log, iov, n, frame, &base, deadline);
	tail_give(log);
	if (err)
		goto out_leave;
	end = base + frame->records;
	err = append_settle(log, commit, end, deadline);
	if (err >= 0)
		*ret_base = base;
out_leave:
	log_leave(log);
	return err;
}
