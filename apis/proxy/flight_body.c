/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of a flight: how its readers take it, and where it is while they do.
 *
 * Interface: flight_parts() of flight.h; flight_keep(), flight_queue(), flight_drop() of
 * flight_pvt.h. What is being stored is read out of the put. What came before the put ended is
 * kept, so that readers do not depend on what becomes of it. What cannot be stored is queued, in
 * pieces that go when all who read have them. Invariant: readers never get a byte beyond what came.
 *
 * Order of parts: keeping; queueing; parts.
 */
#include <errno.h>
#include <string.h>

#include "flight_pvt.h"
#include "lend.h"

/* ---- keeping ---------------------------------------------------------------------------- */

void flight_keep(struct flight *f)
{
	f->kept_bytes = f->came = cache_put_written(f->put);
	f->kept_n = (uint32_t)cache_put_parts(f->put, 0, f->kept_bytes, f->kept, CACHE_PARTS_MAX);
	f->put = NULL;
}

void flight_drop(struct flight *f)
{
	while (f->kept_n)
		sl_part_release(&f->kept[--f->kept_n]);
	while (f->queued_n)
		sl_slice_release(&f->queued[--f->queued_n]);
}

/* ---- queueing --------------------------------------------------------------------------- */

/* Lets go of pieces that all readers have. */
static void trim(struct flight *f)
{
	uint64_t at = UINT64_MAX;

	sl_list_each(n, &f->readers)
		at = sl_min(at, sl_list_entry(n, struct flight_reader, node)->at);
	while (f->queued_n && f->queued_at + f->queued[0].len <= at) {
		f->queued_at += f->queued[0].len;
		sl_slice_release(&f->queued[0]);
		memmove(f->queued, f->queued + 1, --f->queued_n * sizeof(f->queued[0]));
	}
}

static int wait_for_room(struct flight *f)
{
	for (;;) {
		if (sl_list_empty(&f->readers))
			return -EPIPE;
		trim(f);
		if (f->queued_n < QUEUED_MAX)
			return 0;
		sl_waitq_wait(&f->changed, SL_NEVER);
	}
}

static int read_piece(struct flight *f, struct origin_exchange *x)
{
	uint64_t left = f->bytes > f->came ? f->bytes - f->came : 0;
	struct sl_buf *buf = sl_buf_new(sl_max(sl_min(left, (uint64_t)PIECE_BYTES), UINT64_C(1)));
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	n = origin_read_body(x, buf->data, buf->bytes, SL_NEVER);
	if (n <= 0) {
		sl_buf_release(buf);
		return (int)n;
	}
	sl_count(SL_M_PROXY_ORIGIN_BYTES, (uint64_t)n);
	f->queued[f->queued_n++] = (struct sl_slice){buf, buf->data, (size_t)n};
	f->came += (uint64_t)n;
	sl_waitq_wake_all(&f->changed, 0);
	return 1;
}

int flight_queue(struct flight *f, struct origin_exchange *x)
{
	int got = 1;

	f->queued_at = f->came;
	while (got > 0) {
		got = wait_for_room(f);
		if (!got)
			got = read_piece(f, x);
	}
	if (got)
		return got;
	if (f->bytes != HTTP_BYTES_UNKNOWN && f->bytes != f->came)
		return -EBADMSG;
	f->bytes = f->came;
	f->filled = true;
	return 0;
}

/* ---- parts ------------------------------------------------------------------------------ */

struct take {
	struct flight_reader *r;
	uint64_t off, len;
	struct sl_part *parts;
	uint32_t n;
	bool away;
	struct http_lent *lent[CACHE_PARTS_MAX];
};

/* What of @part, whose first byte is at @at, lies in the wanted range; with a reference. */
static struct sl_part cut(const struct sl_part *part, uint64_t at, const struct take *t)
{
	uint64_t off = t->off > at ? t->off - at : 0;
	uint64_t end = sl_min(sl_part_len(part), t->off + t->len - at);
	const struct sl_extent *e = &part->extent;

	if (part->kind == SL_PART_SLICE)
		return sl_part_slice(sl_slice_sub(&part->slice, off, end - off));
	sl_file_retain(e->file);
	return sl_part_extent((struct sl_extent){e->file, e->off + off, end - off});
}

static bool is_wanted(const struct sl_part *part, uint64_t at, const struct take *t)
{
	return at < t->off + t->len && at + sl_part_len(part) > t->off;
}

/* Of what is in memory, or in a file that is held. */
static int take_held(const struct flight *f, struct take *t)
{
	uint64_t at = 0;
	int got = 0;

	/* Behind a reader that went on and came back. */
	if (t->off >= f->kept_bytes && t->off < f->queued_at)
		return -ECONNRESET;
	for (uint32_t i = 0; i < f->kept_n && (uint32_t)got < t->n; i++) {
		if (is_wanted(&f->kept[i], at, t))
			t->parts[got++] = cut(&f->kept[i], at, t);
		at += sl_part_len(&f->kept[i]);
	}
	if (got)
		return got;
	at = f->queued_at;
	for (uint32_t i = 0; i < f->queued_n && (uint32_t)got < t->n; i++) {
		const struct sl_part piece = sl_part_slice(f->queued[i]);

		if (is_wanted(&piece, at, t))
			t->parts[got++] = cut(&piece, at, t);
		at += f->queued[i].len;
	}
	return got;
}

/* Not yet, of what there will be. */
static bool must_wait(const struct flight *f, uint64_t off)
{
	if (f->filled)
		return false;
	if (f->state == FLIGHT_STORING)
		return cache_put_written(f->put) <= off;
	return f->state == FLIGHT_PASSING && f->came <= off;
}

static int take_parts(struct flight_reader *r, struct take *t, int64_t deadline)
{
	struct flight *f = r->f;
	int err = 0;

	r->at = t->off;
	if (f->queued_n)
		sl_waitq_wake_all(&f->changed, 0); /* there may be room */
	while (must_wait(f, t->off) && !err)
		err = sl_waitq_wait(&f->changed, deadline);
	if (err)
		return err;
	/* Whether what came whole could be stored is nothing to who reads it. */
	if (f->filled && t->off >= f->bytes)
		return 0;
	if (f->put)
		return cache_put_parts(f->put, t->off,
				       sl_min(t->len, cache_put_written(f->put) - t->off), t->parts,
				       t->n);
	if (f->state == FLIGHT_FLOP && !f->filled)
		return f->err;
	return take_held(f, t);
}

/* To a reader on another core; what cannot be lent is released. */
static int lend(struct take *t, int n)
{
	int err = 0;

	for (int i = 0; i < n; i++) {
		t->lent[i] = http_lend(t->parts[i]);
		err = t->lent[i] ? err : -ENOMEM;
	}
	for (int i = 0; i < n && err; i++)
		if (t->lent[i])
			http_lent_return(t->lent[i]);
	return err ? err : n;
}

static int take_here(void *arg, int64_t deadline)
{
	struct take *t = arg;
	int n = take_parts(t->r, t, deadline);

	return n > 0 && t->away ? lend(t, n) : n;
}

static int borrow(struct take *t, int n)
{
	int err = 0, got = 0;

	for (int i = 0; i < n; i++) {
		if (err)
			http_lent_return(t->lent[i]);
		else
			err = http_borrow(t->lent[i], &t->parts[i]);
		got += !err;
	}
	for (int i = 0; i < got && err; i++)
		sl_part_release(&t->parts[i]);
	return err ? err : n;
}

/* So much at once: a cache's window. */
#define TAKE_BYTES_MAX (4 * SL_MIB)

int flight_parts(struct flight_reader *r, uint64_t off, uint64_t len, struct sl_part *ret_parts,
		 uint32_t n, int64_t deadline)
{
	struct take t = {
		.r = r,
		.off = off,
		.len = sl_min(len, TAKE_BYTES_MAX),
		.parts = ret_parts,
		.n = sl_min(n, (uint32_t)CACHE_PARTS_MAX),
		.away = sl_core_self() != r->f->home,
	};
	int got = sl_call(r->f->home, take_here, &t, deadline);

	return got > 0 && t.away ? borrow(&t, got) : got;
}
