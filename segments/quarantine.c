/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quarantine: stored batches that do not verify although they were durable.
 *
 * Interface: "quarantine" of segments_pvt.h. What is bad stays where it lies; a list of ranges, in
 * a file of the log's folder, says what readers are refused and where they go on. Invariants:
 * ranges do not overlap and rise; a range's position is where a batch should begin, so that a walk
 * finds it by its own position.
 *
 * Order of parts: the list; the file; examining.
 */
#include <xxhash.h>

#include "segments_pvt.h"

/* ---- the list --------------------------------------------------------------------------- */

const struct bad *bad_at(const struct bad_list *l, uint64_t offset)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (offset >= l->v[i].first && offset < l->v[i].next)
			return &l->v[i];
	return NULL;
}

const struct bad *bad_at_pos(const struct bad_list *l, uint64_t seg, uint64_t pos, uint64_t first)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->v[i].seg == seg && l->v[i].pos == pos && l->v[i].first == first)
			return &l->v[i];
	return NULL;
}

const struct bad *bad_after(const struct bad_list *l, uint64_t seg, uint64_t pos, uint64_t offset)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->v[i].seg == seg && l->v[i].pos >= pos && l->v[i].first >= offset)
			return &l->v[i];
	return NULL;
}

static int insert(struct bad_list *l, const struct bad *bad)
{
	uint32_t at;

	if (l->n == l->cap) {
		uint32_t cap = l->cap ? l->cap * 2 : 8;
		struct bad *bigger = realloc(l->v, cap * sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		l->v = bigger;
		l->cap = cap;
	}
	for (at = l->n; at && l->v[at - 1].first > bad->first; at--)
		l->v[at] = l->v[at - 1];
	l->v[at] = *bad;
	l->n++;
	return 0;
}

void bad_forget(struct sl_log *log, uint64_t base)
{
	struct bad_list *l = &log->bads;
	uint32_t keep = 0;

	for (uint32_t i = 0; i < l->n; i++)
		if (l->v[i].seg >= base)
			l->v[keep++] = l->v[i];
	l->n = keep;
}

/* ---- the file --------------------------------------------------------------------------- */

#define MAGIC_BAD UINT64_C(0x31444142454c5553) /* "SULEBAD1" */

enum { BAD_MAX = 1 << 16 };

struct disk_bad {
	uint64_t magic;
	uint32_t version, version_min;
	uint32_t count, reserved0;
	uint64_t reserved1;
	uint64_t sum; /* of the header before it and all entries */
};

static_assert(sizeof(struct disk_bad) == BAD_HEADER, "format");
static_assert(offsetof(struct disk_bad, sum) == 32, "format");
static_assert(sizeof(struct bad) == BAD_ENTRY, "format");

static uint64_t bad_sum(const struct disk_bad *d, const void *entries)
{
	uint64_t head = XXH3_64bits(d, offsetof(struct disk_bad, sum));

	return XXH3_64bits_withSeed(entries, (size_t)d->count * BAD_ENTRY, head);
}

static int decode(struct bad_list *l, const uint8_t *raw, size_t len)
{
	struct disk_bad d;

	if (len < sizeof(d))
		return -EBADMSG;
	memcpy(&d, raw, sizeof(d));
	if (d.magic != MAGIC_BAD)
		return -EBADMSG;
	if (d.version_min > SEG_VERSION)
		return -EPROTONOSUPPORT;
	if (d.count > BAD_MAX || len - sizeof(d) != (size_t)d.count * BAD_ENTRY ||
	    d.sum != bad_sum(&d, raw + sizeof(d)))
		return -EBADMSG;
	for (uint32_t i = 0; i < d.count; i++) {
		struct bad b;

		memcpy(&b, raw + sizeof(d) + (size_t)i * BAD_ENTRY, sizeof(b));
		/* Only a range that takes its walker forward is of use. */
		if (b.next <= b.first || b.pos < SEG_DATA || b.pos + b.bytes < b.pos)
			continue;
		if (l->n && b.first < l->v[l->n - 1].next)
			continue;
		if (insert(l, &b))
			return -ENOMEM;
	}
	return 0;
}

int bad_load(struct sl_log *log, int64_t deadline)
{
	size_t max = sizeof(struct disk_bad) + (size_t)BAD_MAX * BAD_ENTRY;
	struct statx stx;
	uint8_t *raw;
	ssize_t n;
	int err = sl_stat(log->dir, BAD_FILE, &stx, deadline);

	if (err)
		return err;
	raw = malloc(sl_min((size_t)stx.stx_size, max) + 1);
	if (!raw)
		return -ENOMEM;
	n = sl_read_file(log->dir, BAD_FILE, raw, sl_min((size_t)stx.stx_size, max) + 1, deadline);
	err = n < 0 ? (int)n : decode(&log->bads, raw, (size_t)n);
	free(raw);
	/* A destroyed list costs the knowledge of what is bad, which the scrub finds again. */
	if (err == -EBADMSG || err == -E2BIG) {
		log_event(log, SL_LOG_INDEX, -1, 0);
		err = 0;
	}
	return err;
}

static int save(struct sl_log *log, int64_t deadline)
{
	struct disk_bad d = {
		.magic = MAGIC_BAD,
		.version = SEG_VERSION,
		.version_min = SEG_VERSION,
		.count = sl_min(log->bads.n, (uint32_t)BAD_MAX),
	};
	size_t len = sizeof(d) + (size_t)d.count * BAD_ENTRY;
	uint8_t *raw = malloc(len);
	int err;

	if (!raw)
		return -ENOMEM;
	memcpy(raw + sizeof(d), log->bads.v, len - sizeof(d));
	d.sum = bad_sum(&d, raw + sizeof(d));
	memcpy(raw, &d, sizeof(d));
	err = sl_write_file(log->dir, BAD_FILE, raw, len, SL_FAULT(SYNC_QUARANTINE),
			    SL_FAULT(SYNC_QUARANTINE), deadline);
	free(raw);
	return err;
}

int bad_add(struct sl_log *log, const struct bad *bad, int64_t deadline)
{
	struct bad b = *bad;
	int err;

	SL_ASSERT(b.next > b.first && b.pos >= SEG_DATA);
	b.found_ms = sl_wall_clock_ns() / SL_MSEC;
	err = insert(&log->bads, &b);
	if (err)
		return err;
	log_event(log, SL_LOG_QUARANTINED, (int64_t)b.first, (int64_t)(b.next - b.first));
	log_count(log, SL_M_LOG_QUARANTINED, 1);
	/*
	 * If the list cannot be written, it is in force all the same until the log is closed, and
	 * then found again; the disk says more about itself at the next append.
	 */
	save(log, deadline);
	return 0;
}

/* ---- examining -------------------------------------------------------------------------- */

/* Quarantines what is bad at w->pos and takes @w behind it. Return: 1; 0: a torn tail; -errno. */
static int condemn(struct sl_log *log, struct segment *seg, struct walk *w, struct exam *x,
		   int64_t deadline)
{
	const struct bad *known = bad_after(&log->bads, seg->base, w->pos, w->next);
	struct bad b = {.seg = seg->base, .pos = w->pos, .first = w->next};
	uint64_t pos, off;
	int r = 0;

	/* Not into what is known to be bad already. */
	if (known && known->pos <= w->limit && known->first > w->next) {
		w->limit = known->pos;
		w->limit_off = known->first;
	}
	pos = w->limit;
	off = w->limit_off;
	if (w->pos < pos)
		r = walk_resync(w, &pos, &off, deadline);
	w->limit = x->limit;
	w->limit_off = x->limit_off;
	if (r < 0)
		return r;
	if (!r && off == UINT64_MAX)
		return 0;
	b.bytes = pos - b.pos;
	b.next = off;
	r = bad_add(log, &b, deadline);
	if (r)
		return r;
	w->pos = pos;
	w->next = off;
	return 1;
}

struct pace {
	int64_t began;
	uint64_t bytes;
};

/* Keeps to the pace, and lets others have their turn. */
static void keep_pace(struct exam *x, struct pace *p, uint64_t bytes, int64_t deadline)
{
	int64_t due;

	p->bytes += bytes;
	if (p->bytes < WALK_ALL)
		return;
	if (!x->pace_bytes_per_s) {
		p->bytes = 0;
		sl_fiber_yield(deadline);
		return;
	}
	due = p->began + (int64_t)((double)p->bytes / (double)x->pace_bytes_per_s * 1e9);
	p->bytes = 0;
	if (due > sl_now())
		sl_sleep(sl_min(due, deadline));
	p->began = sl_now();
}

static int examine(struct sl_log *log, struct segment *seg, struct walk *w, struct exam *x,
		   int64_t deadline)
{
	struct pace pace = {.began = sl_now()};
	int found = 0;

	for (;;) {
		struct sl_frame f;
		int r = walk_peek(w, &f, NULL, deadline);

		if (r == 0) {
			/* Also over ranges that were known to be bad. */
			x->mark.pos = w->pos;
			x->mark.off = w->next;
			return found;
		}
		if (r == 1)
			r = walk_sum(w, &f, deadline);
		if (!r) {
			x->mark.pos = w->pos;
			mark_advance(&x->mark, &f, w->next, f.epoch);
			walk_step(w, &f);
			if (x->scrub)
				log_count(log, SL_M_SCRUB_BYTES, f.bytes);
			keep_pace(x, &pace, f.bytes, deadline);
		} else if (r == -EBADMSG) {
			r = condemn(log, seg, w, x, deadline);
			if (r <= 0)
				return r ? r : found;
			found++;
			x->mark.pos = w->pos;
			x->mark.off = w->next;
			if (x->once)
				return found;
		} else {
			return r;
		}
		if ((x->stop && *x->stop) || seg->gone || log->dead)
			return found;
	}
}

int seg_examine(struct sl_log *log, struct segment *seg, struct exam *x, int64_t deadline)
{
	struct walk w;
	uint8_t *buf = malloc(WALK_ALL);
	int found;

	if (!buf)
		return -ENOMEM;
	seg_walk_init(&w, log, seg, buf, WALK_ALL, x->limit, x->limit_off);
	w.pos = x->pos;
	w.next = x->off;
	x->mark.off = x->off;
	x->mark.pos = x->pos;
	x->mark.time_max = -1;
	x->mark.count = 0;
	found = examine(log, seg, &w, x, deadline);
	free(buf);
	return found;
}

int seg_damaged(struct sl_log *log, struct segment *seg, uint64_t pos, int64_t deadline)
{
	struct exam x = {.pos = SEG_DATA, .off = seg->base, .once = true};
	int found;

	if (seg->index.from == SEG_DATA) {
		struct index_entry e = index_by_pos(&seg->index, pos - 1);

		x.pos = e.pos;
		x.off = seg->base + e.rel;
	}
	seg_limits(log, seg, true, &x.limit, &x.limit_off);
	found = seg_examine(log, seg, &x, deadline);
	if (found < 0)
		return found;
	return found ? 0 : -EBADMSG;
}
