/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing a segment and beginning the next.
 *
 * Interface: sl_log_roll(), log_roll(), log_too_old(). One sync makes a segment's last batches, its
 * footer and its watermark durable; only then the next segment's file appears, so that all segments
 * but the last are known to be whole. A crash, or a full disk, between the two leaves a sealed last
 * segment, behind which the next append begins another.
 *
 * Order of parts: the footer; the index; the next segment; rolling.
 */
#include "segments_pvt.h"

bool log_too_old(const struct sl_log *log, int64_t now_ms)
{
	const struct segment *seg = log_last(log);

	return log->conf.segment_ms > 0 && log->tail.pos > SEG_DATA && !seg->sealed &&
	       now_ms - seg->created_ms >= log->conf.segment_ms;
}

/* ---- the footer ------------------------------------------------------------------------- */

static int write_footer(struct sl_log *log, struct segment *seg)
{
	const struct mark *t = &log->tail;
	struct seg_footer f = {
		.kind = log->kind->id,
		.epoch = t->epoch,
		.salt = seg->salt,
		.base = seg->base,
		.next = t->off,
		.bytes = t->pos,
		.count = t->count,
		.time_max = t->time_max,
		.time_base = t->time_base,
	};
	uint8_t raw[SEG_FOOTER];

	seg_footer_encode(&f, raw);
	return sl_write_all(seg->sf->file.fd, raw, sizeof(raw), t->pos, SL_NEVER);
}

static int seal(struct sl_log *log, struct segment *seg, int64_t deadline)
{
	const struct mark *t = &log->tail;
	int err = write_footer(log, seg);

	if (err)
		return append_undo(log, err, SEG_FOOTER);
	err = commit_locked(log, SL_FAULT(SYNC_SEGMENT_SEAL));
	if (err)
		return err;
	seg->sealed = true;
	seg->loaded = true;
	seg->end = t->pos;
	seg->next = t->off;
	seg->count = t->count;
	seg->time_max = t->time_max;
	seg->time_base = t->time_base;
	seg->changed_ms = sl_wall_clock_ns() / SL_MSEC;
	seg->bytes = t->pos + SEG_FOOTER;
	seg->sf->bytes = seg->bytes;
	if (!log->reserving)
		reserve_trim(log, seg->sf, seg->bytes, deadline);
	return 0;
}

/* ---- the index -------------------------------------------------------------------------- */

struct index_job {
	struct sl_log *log;
	struct segment *seg;
};

/* It costs two syncs, which no append should wait for. */
static void save_index(void *arg)
{
	struct index_job job = *(struct index_job *)arg;
	struct mark m = {.off = job.seg->next, .pos = job.seg->end,
			 .time_max = job.seg->time_max, .time_base = job.seg->time_base};

	free(arg);
	/* One that had to be completed from the batches is saved by that. */
	if (job.seg->index.from == SEG_DATA)
		index_save(job.log, job.seg, &m, SL_NEVER);
	else
		index_need(job.log, job.seg, SL_NEVER);
	seg_unpin(job.log, job.seg);
	job.log->saving--;
	sl_waitq_wake_all(&job.log->drained, 0);
	log_leave(job.log);
}

static void save_index_aside(struct sl_log *log, struct segment *seg)
{
	struct index_job *job = malloc(sizeof(*job));

	if (!job || seg->gone)
		goto out;
	if (log->dead)
		goto out;
	*job = (struct index_job){log, seg};
	log->users++;
	log->saving++;
	seg_pin(seg);
	if (log->logs->conf.background && !sl_fiber_start(SL_STACK_SMALL, save_index, job))
		return;
	save_index(job);
	return;
out:
	free(job); /* found again from the batches */
}

/* ---- the next segment ------------------------------------------------------------------- */

static int begin_next(struct sl_log *log, int64_t deadline)
{
	struct seg_header h = {
		.kind = log->kind->id,
		.base = log->tail.off,
		.created_ms = sl_wall_clock_ns() / SL_MSEC,
	};
	struct seg_slot slot = {.seq = 1, .mark = log->tail, .start = log->start};
	struct segment *seg = seg_new(h.base);
	int fd, err;

	if (!seg)
		return -ENOMEM;
	slot.mark.pos = SEG_DATA;
	slot.mark.time_max = -1;
	slot.mark.count = 0;
	sl_random(&h.salt, sizeof(h.salt));
	fd = seg_create(log->dir, &h, &slot, deadline);
	err = fd < 0 ? fd : seg_file_new(fd, SEG_DATA, &seg->sf);
	if (!err)
		err = log_add_segment(log, seg);
	if (err) {
		if (seg->sf)
			seg_unlink(log, seg, deadline);
		seg_free(log, seg);
		return err;
	}
	seg->sf->seg = seg;
	seg->salt = h.salt;
	seg->created_ms = h.created_ms;
	seg->bytes = SEG_DATA;
	log->tail = log->synced = log->readable = slot.mark;
	log->seq = 1;
	log->slot_off = slot.mark.off;
	log->slot_start = slot.start;
	log->clean_on_disk = false;
	log->reserved_end = SEG_DATA;
	return 0;
}

/* ---- rolling ---------------------------------------------------------------------------- */

int log_roll(struct sl_log *log, int64_t deadline)
{
	struct segment *seg = log_last(log);
	bool sealed_now = false;
	int err = sl_mutex_lock(&log->sync, deadline);

	if (err)
		return err;
	SL_ASSERT(log->tail_held && log->tail.pos > SEG_DATA);
	err = log->err;
	if (!err && !seg->sealed) {
		err = seal(log, seg, deadline);
		sealed_now = !err;
	}
	if (!err) {
		SL_ASSERT(log->synced.off == log->tail.off);
		err = begin_next(log, deadline);
		if (no_space(err))
			append_full(log, SEG_DATA);
		else if (err == -EIO)
			log_fail(log, err);
	}
	commit_unlock(log);
	if (!err && seg->sf)
		seg_lru_add(log, seg);
	if (sealed_now && !seg->gone)
		save_index_aside(log, seg);
	return err;
}

int sl_log_roll(struct sl_log *log, int64_t deadline)
{
	int err = log_enter(log);

	if (err)
		return err;
	err = append_begin(log, deadline);
	if (!err) {
		if (log->tail.pos > SEG_DATA)
			err = log_roll(log, deadline);
		tail_give(log);
	}
	log_leave(log);
	return err;
}
