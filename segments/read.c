/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading: finding stored batches by offset and by time, and walking over them.
 *
 * Interface: sl_log_read(), sl_log_find_time(), sl_log_each(). Nothing is copied: a read is a
 * range of a file that begins and ends between two batches. A reader that goes on where it ended
 * is recognised by a small cache of recent ends, and finds its place without an index.
 *
 * Invariants: nothing at or above log->readable is given out; segments are found again after
 * every call that parks, since retention may have removed them.
 *
 * Order of parts: places; one segment; reading; by time; walking.
 */
#include "segments_pvt.h"

/* ---- places ----------------------------------------------------------------------------- */

static void remember(struct sl_log *log, const struct segment *seg, uint64_t off, uint64_t pos)
{
	log->recents[log->recent_next++ % RECENTS] =
		(struct recent){.off = off, .pos = pos, .seg_base = seg->base};
}

static bool recall(const struct sl_log *log, const struct segment *seg, uint64_t off,
		   uint64_t *ret_pos)
{
	if (off == seg->base) {
		*ret_pos = SEG_DATA;
		return true;
	}
	for (int i = 0; i < RECENTS; i++) {
		const struct recent *r = &log->recents[i];

		if (r->off == off && r->pos && r->seg_base == seg->base) {
			*ret_pos = r->pos;
			return true;
		}
	}
	return false;
}

/* A walk's -EBADMSG: -EAGAIN once the damage is quarantined, so that the caller begins again. */
static int after_damage(struct sl_log *log, struct segment *seg, const struct walk *w,
			int64_t deadline)
{
	int err = seg_damaged(log, seg, w->pos, deadline);

	return err ? err : -EAGAIN;
}

/*
 * Takes @w, a walk over @seg up to its limit, to the batch that holds @offset, or to the limit.
 * Return: 1 and *@ret_frame; 0 at the limit; -EBADMSG if it is quarantined; -EAGAIN; -errno.
 */
static int walk_to(struct sl_log *log, struct segment *seg, struct walk *w, uint64_t offset,
		   struct sl_frame *ret_frame, int64_t deadline)
{
	int r = index_need(log, seg, deadline);

	if (r)
		return r;
	if (offset > w->next) {
		struct index_entry e = index_by_offset(&seg->index, offset - seg->base);

		w->pos = e.pos;
		w->next = seg->base + e.rel;
	}
	while ((r = walk_peek(w, ret_frame, NULL, deadline)) == 1) {
		if (ret_frame->base > offset)
			return -EBADMSG;
		if (offset < ret_frame->base + ret_frame->records)
			return 1;
		walk_step(w, ret_frame);
	}
	if (r == 0 && w->next > offset)
		return -EBADMSG;
	return r == -EBADMSG ? after_damage(log, seg, w, deadline) : r;
}

/* ---- one segment ------------------------------------------------------------------------ */

/* The readable end of @seg behind the batch @base at @pos, but not beyond what is quarantined. */
static void end_of_good(struct sl_log *log, struct segment *seg, uint64_t pos, uint64_t base,
			uint64_t *ret_pos, uint64_t *ret_off)
{
	const struct bad *bad = bad_after(&log->bads, seg->base, pos, base);

	seg_limits(log, seg, false, ret_pos, ret_off);
	if (bad && bad->pos <= *ret_pos && bad->first < *ret_off) {
		*ret_pos = bad->pos;
		*ret_off = bad->first;
	}
}

/* The last batch boundary before @upto, from @w on, which stands at one. */
static int walk_end(struct sl_log *log, struct segment *seg, struct walk *w, uint64_t upto,
		    int64_t deadline)
{
	struct index_entry e;
	struct sl_frame f;
	int r = index_need(log, seg, deadline);

	if (r)
		return r;
	e = index_by_pos(&seg->index, upto);
	if (e.pos > w->pos) {
		w->pos = e.pos;
		w->next = seg->base + e.rel;
	}
	while ((r = walk_peek(w, &f, NULL, deadline)) == 1 && w->pos + f.bytes <= upto)
		walk_step(w, &f);
	return r == -EBADMSG ? after_damage(log, seg, w, deadline) : sl_min(r, 0);
}

/*
 * The batches of @seg (used and pinned) from @offset on, at most @bytes of them; @first: one batch
 * at least. Return: 1 and the span; 0 if there is nothing (that fits); -EAGAIN; -errno.
 */
static int read_segment(struct sl_log *log, struct segment *seg, uint64_t offset, uint64_t bytes,
			bool first, struct sl_span *ret_span, int64_t deadline)
{
	uint8_t buf[WALK_HOP];
	uint64_t pos, base = offset, limit, limit_off;
	struct sl_frame f;
	struct walk w;
	int r;

	seg_limits(log, seg, false, &limit, &limit_off);
	seg_walk_init(&w, log, seg, buf, sizeof(buf), limit, limit_off);
	if (!recall(log, seg, offset, &pos)) {
		r = walk_to(log, seg, &w, offset, &f, deadline);
		if (r <= 0)
			return r;
		pos = w.pos;
		base = f.base;
	}
	end_of_good(log, seg, pos, base, &limit, &limit_off);
	if (limit <= pos) {
		/* At the end, or where batches should be that are not. */
		w.pos = pos;
		return limit_off > offset ? after_damage(log, seg, &w, deadline) : 0;
	}
	if (limit - pos > bytes) {
		seg_walk_init(&w, log, seg, buf, sizeof(buf), limit, limit_off);
		w.pos = pos;
		w.next = base;
		r = walk_end(log, seg, &w, pos + bytes, deadline);
		if (!r && w.pos == pos && first) {
			r = walk_peek(&w, &f, NULL, deadline);
			if (r == 1)
				walk_step(&w, &f);
			r = r == -EBADMSG ? after_damage(log, seg, &w, deadline) : sl_min(r, 0);
		}
		if (r)
			return r;
		limit = w.pos;
		limit_off = w.next;
		if (limit == pos)
			return 0;
	}
	remember(log, seg, limit_off, limit);
	*ret_span = (struct sl_span){
		.extent = {.file = &seg->sf->file, .off = pos, .len = limit - pos},
		.base = base,
		.next = limit_off,
		.segment = seg->base,
	};
	return 1;
}

/* ---- reading ---------------------------------------------------------------------------- */

static int read_at(struct sl_log *log, uint64_t offset, uint64_t bytes, bool first,
		   struct sl_core *to, struct sl_span *ret_span, int64_t deadline)
{
	int r;

	do {
		struct segment *seg;

		if (offset < log->start || offset > log->readable.off)
			return -ERANGE;
		if (offset == log->readable.off)
			return 0;
		if (bad_at(&log->bads, offset))
			return -EBADMSG;
		seg = log->segs[log_find_segment(log, offset)];
		r = seg_use(log, seg, deadline);
		if (r)
			continue;
		r = read_segment(log, seg, offset, bytes, first, ret_span, deadline);
		if (r == 1)
			sl_file_grant(ret_span->extent.file, to);
		seg_unpin(log, seg);
	} while (r == -EAGAIN || r == -ESTALE);
	return r;
}

int sl_log_read(struct sl_log *log, uint64_t offset, uint64_t bytes_max, struct sl_core *to,
		struct sl_span *ret_spans, int n, int64_t deadline)
{
	int got = 0;
	int r = log_enter(log);

	if (r)
		return r;
	SL_ASSERT(n > 0);
	if (!to)
		to = sl_core_self();
	while (got < n) {
		struct sl_span *s = &ret_spans[got];

		r = read_at(log, offset, bytes_max, !got, to, s, deadline);
		if (r <= 0)
			break;
		got++;
		offset = s->next;
		bytes_max -= sl_min(bytes_max, s->extent.len);
		if (!bytes_max)
			break;
	}
	log_leave(log);
	/* What stopped a read behind its first span is the next read's answer. */
	return got ? got : r;
}

int sl_log_open_direct(struct sl_log *log, uint64_t segment, struct sl_direct **ret_file,
		       int64_t deadline)
{
	char name[SEG_NAME];

	seg_name(name, segment, SEG_LOG);
	return sl_direct_open(log->dir, name, ret_file, deadline);
}

/* ---- by time ---------------------------------------------------------------------------- */

static int find_in_segment(struct sl_log *log, struct segment *seg, int64_t time,
			   struct sl_frame *ret_frame, int64_t deadline)
{
	uint64_t from = sl_max(log->start, seg->base);
	bool last = seg == log_last(log);
	uint8_t buf[WALK_HOP];
	uint64_t limit, off;
	struct index_entry e;
	struct walk w;
	int r;

	if ((last ? log->readable.time_max : seg->time_max) < time)
		return 0;
	r = index_need(log, seg, deadline);
	if (r)
		return r;
	seg_limits(log, seg, false, &limit, &off);
	seg_walk_init(&w, log, seg, buf, sizeof(buf), limit, off);
	e = index_by_time(&seg->index, time);
	if (seg->base + e.rel < from)
		e = index_by_offset(&seg->index, from - seg->base);
	w.pos = e.pos;
	w.next = seg->base + e.rel;
	if (w.pos >= limit)
		return 0;
	while ((r = walk_peek(&w, ret_frame, NULL, deadline)) == 1) {
		if (ret_frame->time_max >= time && ret_frame->base + ret_frame->records > from)
			return 1;
		walk_step(&w, ret_frame);
	}
	return r == -EBADMSG ? after_damage(log, seg, &w, deadline) : r;
}

static int find_time(struct sl_log *log, int64_t time, struct sl_frame *ret_frame, int64_t deadline)
{
	uint64_t from = log->start;

	for (;;) {
		struct segment *seg = log->segs[log_find_segment(log, from)];
		bool last = seg == log_last(log);
		int r;

		if (!last && seg->loaded && seg->time_max < time) {
			from = seg->next;
			continue;
		}
		r = seg_use(log, seg, deadline);
		if (!r) {
			r = find_in_segment(log, seg, time, ret_frame, deadline);
			if (!r)
				from = seg->next;
			seg_unpin(log, seg);
		}
		if (r == -EAGAIN || r == -ESTALE) {
			from = sl_max(from, log->start);
			continue;
		}
		if (r)
			return r < 0 ? r : 0;
		if (last || from >= log->readable.off)
			return -ENOENT;
	}
}

int sl_log_find_time(struct sl_log *log, int64_t time_ms, struct sl_frame *ret_frame,
		     int64_t deadline)
{
	struct sl_frame f;
	int r = log_enter(log);

	if (r)
		return r;
	r = find_time(log, time_ms, &f, deadline);
	if (!r)
		*ret_frame = f;
	log_leave(log);
	return r;
}

/* ---- walking ---------------------------------------------------------------------------- */

struct visit {
	int (*each)(void *arg, const uint8_t *header, const struct sl_frame *frame);
	void *arg;
	uint64_t next; /* offset to go on from */
	bool ended; /* each() wanted no more */
};

/* Return: 0 at the segment's end; each()'s value with v->ended; -EAGAIN; -errno. */
static int visit_segment(struct sl_log *log, struct segment *seg, struct visit *v, uint8_t *buf,
			 int64_t deadline)
{
	uint64_t limit, off;
	const uint8_t *header;
	uint32_t steps = 0;
	struct sl_frame f;
	struct walk w;
	int r;

	seg_limits(log, seg, true, &limit, &off);
	seg_walk_init(&w, log, seg, buf, WALK_ALL, limit, off);
	if (v->next > seg->base) {
		r = walk_to(log, seg, &w, v->next, &f, deadline);
		if (r < 0 && r != -EBADMSG)
			return r;
	}
	while ((r = walk_peek(&w, &f, &header, deadline)) == 1) {
		r = v->each(v->arg, header, &f);
		v->next = f.base + f.records;
		if (r) {
			v->ended = true;
			return r;
		}
		walk_step(&w, &f);
		if (++steps % 1024 == 0)
			sl_fiber_yield(deadline);
	}
	if (r == -EBADMSG) {
		v->next = sl_max(v->next, w.next);
		return after_damage(log, seg, &w, deadline);
	}
	if (!r)
		v->next = sl_max(v->next, off);
	return r;
}

static int visit_all(struct sl_log *log, struct visit *v, uint8_t *buf, int64_t deadline)
{
	uint64_t end = log->tail.off;

	while (v->next < end) {
		struct segment *seg;
		int r;

		v->next = sl_max(v->next, log->start);
		seg = log->segs[log_find_segment(log, v->next)];
		r = seg_use(log, seg, deadline);
		if (!r) {
			r = visit_segment(log, seg, v, buf, deadline);
			seg_unpin(log, seg);
		}
		if (v->ended || (r && r != -EAGAIN && r != -ESTALE))
			return r;
	}
	return 0;
}

int sl_log_each(struct sl_log *log, uint64_t from,
		int (*each)(void *arg, const uint8_t *header, const struct sl_frame *frame),
		void *arg, int64_t deadline)
{
	struct visit v = {.each = each, .arg = arg, .next = from};
	uint8_t *buf;
	int r = log_enter(log);

	if (r)
		return r;
	buf = malloc(WALK_ALL);
	r = buf ? visit_all(log, &v, buf, deadline) : -ENOMEM;
	free(buf);
	log_leave(log);
	return r;
}
