/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Indexes: where in a segment an offset or a time is, to within some 64 KiB.
 *
 * Interface: "indexes" of segments_pvt.h. The index of the active segment grows in memory as
 * batches come; it is written as one file when the segment is sealed or its log closed, and read
 * when a segment is first searched. It is never needed for correctness: a file that is missing,
 * of another incarnation (salt) or wrong (sum) is replaced by a walk over the batches.
 *
 * Invariants: entries rise in offset and position, and do not fall in time; seg->index is only
 * changed without parking, so that whoever reads it sees a whole one.
 *
 * Order of parts: in memory; looking up; the file; loading and saving.
 */
#include <xxhash.h>

#include "segments_pvt.h"

/* ---- in memory -------------------------------------------------------------------------- */

void index_init(struct index *x, uint64_t from)
{
	*x = (struct index){.from = from, .last = from};
}

void index_done(struct index *x)
{
	free(x->e);
	/* Nothing is known any more: not even of the first batch. */
	*x = (struct index){.from = UINT64_MAX, .last = UINT64_MAX};
}

static int push(struct index *x, struct index_entry e)
{
	if (x->n == x->cap) {
		uint32_t cap = x->cap ? x->cap * 2 : 16;
		struct index_entry *bigger = realloc(x->e, cap * sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		x->e = bigger;
		x->cap = cap;
	}
	SL_DCHECK(!x->n || (x->e[x->n - 1].rel < e.rel && x->e[x->n - 1].pos < e.pos));
	x->e[x->n++] = e;
	return 0;
}

void index_note(struct index *x, uint32_t interval, uint64_t rel, uint64_t pos,
		int64_t time_before)
{
	SL_ASSERT(rel <= UINT32_MAX && pos <= UINT32_MAX);
	if (x->from == UINT64_MAX) {
		/* Given up by the open-file limit; this tells of what comes from here on. */
		x->from = pos;
		x->last = pos;
	}
	if (pos < x->last + interval)
		return;
	if (!push(x, (struct index_entry){(uint32_t)rel, (uint32_t)pos, time_before}))
		x->last = pos;
}

/* ---- looking up ------------------------------------------------------------------------- */

static const struct index_entry first_batch = {.rel = 0, .pos = SEG_DATA, .time_before = -1};

/* How many entries from the first on are not above @key, as @above tells. */
static uint32_t upper(const struct index *x, bool (*above)(const struct index_entry *, int64_t),
		      int64_t key)
{
	uint32_t lo = 0, hi = x->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (above(&x->e[mid], key))
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static bool rel_above(const struct index_entry *e, int64_t rel)
{
	return e->rel > rel;
}

static bool pos_above(const struct index_entry *e, int64_t pos)
{
	return e->pos > pos;
}

static bool time_not_below(const struct index_entry *e, int64_t time)
{
	return e->time_before >= time;
}

static struct index_entry before(const struct index *x, uint32_t n)
{
	return n ? x->e[n - 1] : first_batch;
}

struct index_entry index_by_offset(const struct index *x, uint64_t rel)
{
	return before(x, upper(x, rel_above, (int64_t)rel));
}

struct index_entry index_by_pos(const struct index *x, uint64_t pos)
{
	return before(x, upper(x, pos_above, (int64_t)pos));
}

struct index_entry index_by_time(const struct index *x, int64_t time)
{
	return before(x, upper(x, time_not_below, time));
}

bool index_after_pos(const struct index *x, uint64_t pos, struct index_entry *ret_entry)
{
	uint32_t n = upper(x, pos_above, (int64_t)pos);

	if (n == x->n)
		return false;
	*ret_entry = x->e[n];
	return true;
}

/* ---- the file --------------------------------------------------------------------------- */

#define MAGIC_INDEX UINT64_C(0x31584449454c5553) /* "SULEIDX1" */

struct disk_index {
	uint64_t magic;
	uint32_t version, version_min;
	uint64_t salt;
	uint64_t base;
	uint64_t covered;
	uint64_t next;
	int64_t time_max;
	uint64_t time_base;
	uint32_t epoch, interval, count, reserved0;
	uint64_t reserved1;
	uint64_t sum; /* of the header before it and all entries */
};

static_assert(sizeof(struct disk_index) == INDEX_HEADER, "format");
static_assert(offsetof(struct disk_index, covered) == 32, "format");
static_assert(offsetof(struct disk_index, sum) == 88, "format");
static_assert(sizeof(struct index_entry) == INDEX_ENTRY, "format");

static uint64_t index_sum(const struct disk_index *d, const void *entries)
{
	uint64_t head = XXH3_64bits(d, offsetof(struct disk_index, sum));

	return XXH3_64bits_withSeed(entries, (size_t)d->count * INDEX_ENTRY, head);
}

void index_encode(const struct index_file *f, const struct index_entry *e, uint32_t n,
		  uint8_t *raw)
{
	struct disk_index d = {
		.magic = MAGIC_INDEX,
		.version = SEG_VERSION,
		.version_min = SEG_VERSION,
		.salt = f->salt,
		.base = f->base,
		.covered = f->covered.pos,
		.next = f->covered.off,
		.time_max = f->covered.time_max,
		.time_base = f->covered.time_base,
		.epoch = f->covered.epoch,
		.interval = f->interval,
		.count = n,
	};

	if (n)
		memcpy(raw + INDEX_HEADER, e, (size_t)n * INDEX_ENTRY);
	d.sum = index_sum(&d, raw + INDEX_HEADER);
	memcpy(raw, &d, sizeof(d));
}

/* The sum does not save us from a writer's mistake or a forger: what is used must be in order. */
static bool in_order(const struct index_entry *e, uint32_t n, const struct disk_index *d)
{
	uint64_t pos = SEG_DATA, rel = 0;
	int64_t time = -1;

	for (uint32_t i = 0; i < n; i++) {
		if (e[i].pos <= pos || e[i].rel <= rel || e[i].time_before < time)
			return false;
		pos = e[i].pos;
		rel = e[i].rel;
		time = e[i].time_before;
	}
	return d->covered >= pos && d->covered <= UINT32_MAX && d->next >= d->base &&
	       d->next - d->base >= rel && d->next - d->base <= UINT32_MAX;
}

int index_decode(const uint8_t *raw, size_t len, struct index_file *ret_file,
		 struct index_entry **ret_entries)
{
	struct index_entry *e;
	struct disk_index d;

	if (len < INDEX_HEADER)
		return -EBADMSG;
	memcpy(&d, raw, sizeof(d));
	if (d.magic != MAGIC_INDEX || d.version_min > SEG_VERSION || d.count > INT32_MAX ||
	    len - INDEX_HEADER != (size_t)d.count * INDEX_ENTRY ||
	    d.sum != index_sum(&d, raw + INDEX_HEADER))
		return -EBADMSG;
	e = malloc(len - INDEX_HEADER + 1);
	if (!e)
		return -ENOMEM;
	memcpy(e, raw + INDEX_HEADER, len - INDEX_HEADER);
	if (!in_order(e, d.count, &d)) {
		free(e);
		return -EBADMSG;
	}
	*ret_file = (struct index_file){
		.salt = d.salt,
		.base = d.base,
		.covered = {
			.off = d.next,
			.pos = d.covered,
			.time_max = d.time_max,
			.time_base = d.time_base,
			.epoch = d.epoch,
		},
		.interval = d.interval,
	};
	*ret_entries = e;
	return (int)d.count;
}

/* ---- loading and saving ----------------------------------------------------------------- */

/* The largest index that a segment can have (interval 4 KiB), with room to spare. */
#define INDEX_BYTES_MAX (32 * SL_MIB)

static int read_index(struct sl_log *log, struct segment *seg, struct index_file *ret_file,
		      struct index_entry **ret_entries, int64_t deadline)
{
	char name[SEG_NAME];
	struct statx stx;
	uint8_t *raw;
	ssize_t n;
	int err;

	seg_name(name, seg->base, SEG_INDEX);
	err = sl_stat(log->dir, name, &stx, deadline);
	if (err)
		return err;
	if (stx.stx_size > INDEX_BYTES_MAX)
		return -EBADMSG;
	raw = malloc(stx.stx_size + 1);
	if (!raw)
		return -ENOMEM;
	n = sl_read_file(log->dir, name, raw, stx.stx_size + 1, deadline);
	err = n < 0 ? (int)n : index_decode(raw, (size_t)n, ret_file, ret_entries);
	free(raw);
	return err;
}

/* Adds the batches from w on to @x until @to. */
static int walk_into(struct sl_log *log, struct segment *seg, struct walk *w, uint64_t to,
		     struct mark *m, struct index *x, int64_t deadline)
{
	uint32_t steps = 0;
	struct sl_frame f;
	int r;

	while (w->pos < to) {
		r = walk_peek(w, &f, NULL, deadline);
		if (r == -EBADMSG) {
			r = seg_damaged(log, seg, w->pos, deadline);
			return r ? r : -EAGAIN;
		}
		if (r <= 0)
			return r;
		index_note(x, log->conf.index_interval_bytes, f.base - seg->base, w->pos,
			   m->time_max);
		if (f.time_max > m->time_max) {
			m->time_max = f.time_max;
			m->time_base = f.base;
		}
		walk_step(w, &f);
		if (++steps % 1024 == 0)
			sl_fiber_yield(deadline);
	}
	return 0;
}

/*
 * Entries for the batches before @to, from the index file as far as it goes, then from the
 * batches. *@ret_saved: whether the file had all.
 */
static int build(struct sl_log *log, struct segment *seg, uint64_t to, struct index *x,
		 bool *ret_saved, int64_t deadline)
{
	struct mark m = {.off = seg->base, .pos = SEG_DATA, .time_max = -1};
	struct index_entry *e = NULL;
	struct index_file f;
	struct walk w;
	uint8_t *buf;
	int n = read_index(log, seg, &f, &e, deadline);

	if (n == -ENOMEM || n == -ETIME)
		return n;
	index_init(x, SEG_DATA);
	if (n >= 0 && f.base == seg->base && f.salt == seg->salt && f.covered.pos <= to) {
		*x = (struct index){e, (uint32_t)n, (uint32_t)n, SEG_DATA,
				    n ? e[n - 1].pos : SEG_DATA};
		m = f.covered;
	} else {
		/* Below a sealed segment it should have been there, and right. */
		if (seg->sealed || n != -ENOENT)
			log_event(log, SL_LOG_INDEX, (int64_t)seg->base, 0);
		if (n >= 0)
			free(e);
	}
	*ret_saved = m.pos == to;
	buf = malloc(64 * SL_KIB);
	if (!buf)
		return -ENOMEM;
	seg_walk_init(&w, log, seg, buf, 64 * SL_KIB, to, UINT64_MAX);
	w.pos = m.pos;
	w.next = m.off;
	n = walk_into(log, seg, &w, to, &m, x, deadline);
	free(buf);
	return n;
}

/* Puts the entries of @x, which end where seg's begin, before them. */
static int prepend(struct segment *seg, struct index *x)
{
	struct index *have = &seg->index;

	for (uint32_t i = 0; i < have->n; i++)
		if (push(x, have->e[i]))
			return -ENOMEM;
	x->last = have->n ? have->last : sl_max(x->last, have->last);
	free(have->e);
	*have = *x;
	return 0;
}

int index_need(struct sl_log *log, struct segment *seg, int64_t deadline)
{
	struct index x = {0};
	uint64_t to, off;
	bool saved;
	int err;

	if (seg->index.from == SEG_DATA)
		return 0;
	err = sl_mutex_lock(&log->load, deadline);
	if (err)
		return err;
	if (seg->index.from == SEG_DATA)
		goto out_unlock;
	do {
		index_done(&x);
		seg_limits(log, seg, true, &to, &off);
		/* Batches that come meanwhile are told to seg->index, from here on. */
		if (seg->index.from == UINT64_MAX && !seg->sealed)
			index_init(&seg->index, to);
		to = sl_min(to, seg->index.from);
		err = build(log, seg, to, &x, &saved, deadline);
	} while (err == -EAGAIN);
	if (!err)
		err = prepend(seg, &x);
	if (err)
		index_done(&x);
	else if (seg->sealed && !saved && !log->err) {
		struct mark m = {.off = seg->next, .pos = seg->end, .time_max = seg->time_max,
				 .time_base = seg->time_base};

		index_save(log, seg, &m, deadline);
	}
out_unlock:
	sl_mutex_unlock(&log->load);
	return err;
}

int index_save(struct sl_log *log, struct segment *seg, const struct mark *m, int64_t deadline)
{
	struct index_file f = {seg->salt, seg->base, *m, log->conf.index_interval_bytes};
	size_t len = INDEX_HEADER + (size_t)seg->index.n * INDEX_ENTRY;
	char name[SEG_NAME];
	uint8_t *raw;
	int err;

	SL_ASSERT(seg->index.from == SEG_DATA);
	raw = malloc(len);
	if (!raw)
		return -ENOMEM;
	index_encode(&f, seg->index.e, seg->index.n, raw);
	seg_name(name, seg->base, SEG_INDEX);
	err = sl_write_file(log->dir, name, raw, len, SL_FAULT(SYNC_INDEX),
			    SL_FAULT(SYNC_SEGMENT_FOLDER), deadline);
	free(raw);
	return err;
}
