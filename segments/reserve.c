/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disk space ahead of the tail, so that an append finds its blocks allocated.
 *
 * Interface: reserve_ahead(), reserve_trim(). A fiber reserves by steps that double from
 * PREALLOCATE_MIN up to the log's limit, so that a quiet log reserves little; the file's size does
 * not change. Invariants: a failure costs nothing but the advantage; what a sealed or cleanly
 * closed segment did not use is given back.
 */
#include <linux/falloc.h>

#include "segments_pvt.h"

void reserve_trim(struct sl_log *log, struct seg_file *sf, uint64_t size, int64_t deadline)
{
	if (log->reserved_end <= size)
		return;
	/* To its own size: what lies behind goes. Not having it back is no error. */
	sl_ftruncate(sf->file.fd, size, deadline);
	log->reserved_end = size;
}

static void reserve_fiber(void *arg)
{
	struct sl_log *log = arg;
	struct segment *seg = log_last(log);
	struct seg_file *sf = seg->sf;
	uint64_t from = sl_max(log->reserved_end, log->tail.pos);
	int err;

	seg_pin(seg);
	sl_file_retain(&sf->file);
	err = sl_fallocate(sf->file.fd, FALLOC_FL_KEEP_SIZE, from, log->reserve_step, SL_NEVER);
	if (seg->sealed) {
		sl_ftruncate(sf->file.fd, sf->bytes, SL_NEVER);
	} else {
		/* After a failure the next attempt comes when twice as much was written. */
		log->reserved_end = from + log->reserve_step;
		if (!err)
			log->reserve_step = sl_min(log->reserve_step * 2,
						   (uint64_t)log->conf.preallocate_bytes);
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
