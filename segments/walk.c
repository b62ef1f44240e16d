/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Going from batch to batch of a segment's file.
 *
 * Interface: struct walk in segments_pvt.h. Invariant: a batch is only given out if it continues
 * the log: its base is the offset expected there, all of it lies before the limits, and, where that
 * is asked, its epoch is no lower than the one before. What the file holds is never trusted further
 * than that.
 *
 * Order of parts: the window; batches; finding the way again behind something bad.
 */
#include "segments_pvt.h"

/* ---- the window ------------------------------------------------------------------------- */

/*
 * Makes @want bytes at @pos readable. Return: how many are, from *@ret_p on, at least @want;
 * -EBADMSG if the file ends before.
 */
static int64_t fill(struct walk *w, uint64_t pos, uint32_t want, const uint8_t **ret_p,
		    int64_t deadline)
{
	SL_ASSERT(want <= w->cap && pos + want <= w->limit);
	if (pos < w->at || pos + want > w->at + w->have) {
		uint64_t len = sl_min((uint64_t)w->cap, w->limit - pos);
		ssize_t n;

		w->have = 0;
		n = sl_read_some(w->fd, w->buf, len, pos, deadline);
		if (n < 0)
			return n;
		w->at = pos;
		w->have = (uint32_t)n;
		if ((uint64_t)n < want)
			return -EBADMSG;
	}
	*ret_p = w->buf + (pos - w->at);
	return (int64_t)(w->at + w->have - pos);
}

/* ---- batches ---------------------------------------------------------------------------- */

static bool is_sound(const struct walk *w, const struct sl_frame *f, uint64_t pos)
{
	return f->records > 0 && f->bytes >= w->kind->header_bytes && f->bytes <= w->limit - pos &&
	       f->sum_from <= f->bytes && f->base <= (uint64_t)INT64_MAX - f->records &&
	       f->base + f->records <= w->limit_off && pos + f->bytes <= UINT32_MAX &&
	       (f->base < w->seg_base || f->base + f->records - w->seg_base <= UINT32_MAX);
}

int walk_peek(struct walk *w, struct sl_frame *ret_frame, const uint8_t **ret_header,
	      int64_t deadline)
{
	const struct bad *bad;
	struct sl_frame f;
	const uint8_t *h;
	int64_t n;

	while (w->bads && (bad = bad_at_pos(w->bads, w->seg_base, w->pos, w->next))) {
		w->pos += bad->bytes;
		w->next = bad->next;
	}
	SL_ASSERT(w->pos >= SEG_DATA);
	if (w->next == w->limit_off)
		return 0; /* what may lie behind it is none of ours */
	if (w->pos == w->limit)
		return w->limit_off == UINT64_MAX ? 0 : -EBADMSG; /* batches are missing */
	if (w->pos > w->limit || w->next > w->limit_off ||
	    w->limit - w->pos < w->kind->header_bytes)
		return -EBADMSG;
	n = fill(w, w->pos, w->kind->header_bytes, &h, deadline);
	if (n < 0)
		return (int)n;
	if (w->kind->frame(h, &f) || !is_sound(w, &f, w->pos) || f.base != w->next ||
	    (w->rising && f.epoch < w->epoch))
		return -EBADMSG;
	*ret_frame = f;
	if (ret_header)
		*ret_header = h;
	return 1;
}

/* The checksum of the batch at @pos. */
static int sum_at(struct walk *w, const struct sl_frame *f, uint64_t pos, int64_t deadline)
{
	uint64_t end = pos + f->bytes;
	uint32_t sum = 0;

	for (uint64_t p = pos + f->sum_from; p < end;) {
		const uint8_t *data;
		int64_t n = fill(w, p, 1, &data, deadline);

		if (n < 0)
			return (int)n;
		n = sl_min(n, (int64_t)(end - p));
		sum = w->kind->sum(sum, data, (size_t)n);
		p += (uint64_t)n;
	}
	return sum == f->sum ? 0 : -EBADMSG;
}

int walk_sum(struct walk *w, const struct sl_frame *frame, int64_t deadline)
{
	return sum_at(w, frame, w->pos, deadline);
}

void walk_step(struct walk *w, const struct sl_frame *frame)
{
	SL_ASSERT(frame->base == w->next && frame->bytes <= w->limit - w->pos);
	w->pos += frame->bytes;
	w->next += frame->records;
	w->epoch = frame->epoch;
}

void mark_advance(struct mark *m, const struct sl_frame *frame, uint64_t base, uint32_t epoch)
{
	SL_ASSERT(base >= m->off);
	m->off = base + frame->records;
	m->pos += frame->bytes;
	m->epoch = sl_max(m->epoch, epoch);
	m->count++;
	if (frame->time_max > m->time_max) {
		m->time_max = frame->time_max;
		m->time_base = base;
	}
	if (frame->time_max > m->log_time_max) {
		m->log_time_max = frame->time_max;
		m->log_time_base = base;
	}
}

/* ---- finding the way again behind something bad ----------------------------------------- */

/*
 * Whether a whole batch lies at @pos that can follow the bad one at w->pos. Return: 1, 0, -errno.
 */
static int follows(struct walk *w, uint64_t pos, uint64_t *ret_off, int64_t deadline)
{
	struct sl_frame f;
	const uint8_t *h;
	int64_t n;
	int err;

	if (w->limit - pos < w->kind->header_bytes)
		return 0;
	n = fill(w, pos, w->kind->header_bytes, &h, deadline);
	if (n < 0)
		return n == -EBADMSG ? 0 : (int)n;
	if (w->kind->frame(h, &f) || !is_sound(w, &f, pos))
		return 0;
	if (f.base <= w->next || (w->rising && f.epoch < w->epoch))
		return 0;
	err = sum_at(w, &f, pos, deadline);
	if (err)
		return err == -EBADMSG ? 0 : err;
	*ret_off = f.base;
	return 1;
}

/* Where the bad batch says that it ends, if that can be believed. */
static int believed_end(struct walk *w, uint64_t *ret_pos, uint64_t *ret_off, int64_t deadline)
{
	struct sl_frame f;
	const uint8_t *h;
	int64_t n;

	if (w->limit - w->pos < w->kind->header_bytes)
		return 0;
	n = fill(w, w->pos, w->kind->header_bytes, &h, deadline);
	if (n < 0)
		return n == -EBADMSG ? 0 : (int)n;
	if (w->kind->frame(h, &f) || !is_sound(w, &f, w->pos))
		return 0;
	*ret_pos = w->pos + f.bytes;
	if (*ret_pos == w->limit && f.base == w->next && f.base + f.records == w->limit_off) {
		*ret_off = w->limit_off;
		return 1;
	}
	return follows(w, *ret_pos, ret_off, deadline);
}

int walk_resync(struct walk *w, uint64_t *ret_pos, uint64_t *ret_off, int64_t deadline)
{
	uint64_t pos = 0, off = 0;
	int r = believed_end(w, &pos, &off, deadline);

	for (uint64_t at = w->pos + 1; !r && at < w->limit; at++) {
		pos = at;
		r = follows(w, at, &off, deadline);
		if (at % (64 * SL_KIB) == 0)
			sl_fiber_yield(deadline);
	}
	if (r <= 0)
		return r;
	*ret_pos = pos;
	*ret_off = off;
	return 1;
}
