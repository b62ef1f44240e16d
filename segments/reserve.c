/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disk space ahead of the tail, so that an append finds its blocks allocated.
 *
 * Interface: reserve_ahead(), reserve_trim(), reserve_give_back(). A fiber reserves by steps that
 * double from PREALLOCATE_MIN up to the log's limit, so that a quiet log reserves little; the
 * file's size does not change. A step takes a small part of what is free and leaves the last of it
 * to writes; when one of those finds no space all the same (other logs reserved it, or a quota ends
 * before the disk does), the logs of the core give back what they have ahead.
 *
 * Invariants: a failure costs nothing but the advantage; what a sealed or cleanly closed segment
 * did not use is given back; a file is cut only by who holds its log's tail, for a stream may be
 * writing behind it.
 *
 * Order of parts: giving back; reserving.
 */
#include <linux/falloc.h>

#include "segments_pvt.h"

/* The part of what is free that a step may take, and what is left to others in any case. */
#define FREE_SHARE 64
#define FREE_LEFT_BYTES (16 * SL_MIB)

/* After a write that found no space. */
#define PAUSE_NS (60 * SL_SEC)

/* ---- giving back ------------------------------------------------------------------------ */

void reserve_trim(struct sl_log *log, struct seg_file *sf, uint64_t size, int64_t deadline)
{
	if (log->reserved_end <= size)
		return;
	/* To its own size: what lies behind goes. Not having it back is no error. */
	sl_ftruncate(sf->file.fd, size, deadline);
	log->reserved_end = size;
}

/* A log that has space ahead and is not busy with its tail: who is gives it up by itself. */
static struct sl_log *find_reserved(struct sl_logs *logs)
{
	sl_list_each(n, &logs->all) {
		struct sl_log *log = sl_list_entry(n, struct sl_log, node);

		if (log->reserved_end > log->tail.pos && !log->tail_held && !log->reserving &&
		    !log->err && !log->closing && !log_last(log)->sealed)
			return log;
	}
	return NULL;
}

static void give_back_fiber(void *arg)
{
	struct sl_logs *logs = arg;
	struct sl_log *log;

	/* From the first again each time: while this waits, logs come and go. */
	while (!logs->stop && (log = find_reserved(logs))) {
		log->users++;
		tail_take(log, SL_NEVER);
		reserve_trim(log, log_last(log)->sf, log->tail.pos, SL_NEVER);
		tail_give(log);
		log_leave(log);
	}
	logs->giving_back = false;
	logs->fibers--;
	sl_waitq_wake_all(&logs->ended, 0);
}

void reserve_give_back(struct sl_logs *logs)
{
	logs->reserve_after = sl_now() + PAUSE_NS;
	if (!logs->conf.background || logs->giving_back || !find_reserved(logs))
		return;
	if (sl_fiber_start(SL_STACK_SMALL, give_back_fiber, logs))
		return;
	logs->giving_back = true;
	logs->fibers++;
}

/* ---- reserving -------------------------------------------------------------------------- */

/* Return: what the next step may take, 0: nothing. */
static uint64_t step_that_fits(const struct sl_log *log, int fd)
{
	uint64_t room, step;

	if (sl_now() < log->logs->reserve_after || sl_free_bytes(fd, &room))
		return 0;
	step = sl_round_down(sl_min(log->reserve_step, room / FREE_SHARE), PREALLOCATE_MIN);
	return room - step < FREE_LEFT_BYTES ? 0 : step;
}

static void reserve_fiber(void *arg)
{
	struct sl_log *log = arg;
	struct segment *seg = log_last(log);
	struct seg_file *sf = seg->sf;
	uint64_t from = sl_max(log->reserved_end, log->tail.pos);
	uint64_t step = step_that_fits(log, sf->file.fd);
	int err = -ENOSPC;

	seg_pin(seg);
	sl_file_retain(&sf->file);
	if (step)
		err = sl_fallocate(sf->file.fd, FALLOC_FL_KEEP_SIZE, from, step, SL_NEVER);
	if (seg->sealed) {
		sl_ftruncate(sf->file.fd, sf->bytes, SL_NEVER);
	} else {
		/* After a failure the next attempt comes when twice as much was written. */
		log->reserved_end = from + (err ? log->reserve_step : step);
		if (!err)
			log->reserve_step = sl_min(step * 2, (uint64_t)log->conf.preallocate_bytes);
	}
	sl_file_release(&sf->file);
	seg_unpin(log, seg);
	log->reserving = false;
	log_leave(log);
}

void reserve_ahead(struct sl_log *log)
{
	if (log->reserving || !log->logs->conf.background || log_last(log)->sealed)
		return;
	if (log->tail.pos + log->reserve_step / 2 < log->reserved_end ||
	    log->tail.pos + log->reserve_step / 2 > log->conf.segment_bytes)
		return;
	if (log_enter(log))
		return;
	log->reserving = true;
	if (sl_fiber_start(SL_STACK_SMALL, reserve_fiber, log)) {
		log->reserving = false;
		log_leave(log);
	}
}
