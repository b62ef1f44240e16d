/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recovery: what a log finds out about itself when it is opened.
 *
 * Interface: log_recover(). The newest slot of the last segment says up to where everything was
 * durable: that is believed and not looked at (the scrub does). What lies behind it is verified,
 * kept as far as it continues the log, synced, and the rest cut off. After a clean close the file
 * ends where the slot says, and nothing is read but the first block.
 *
 * Invariants: what was acknowledged is never cut: it lies below the slot, or was synced whole, so
 * that it verifies; what is served after opening is durable, though it may have come from a page
 * cache that a killed process left.
 *
 * Order of parts: the folder; the last segment; its tail; time; all of it.
 */
#include <dirent.h>

#include "segments_pvt.h"

/* ---- the folder ------------------------------------------------------------------------- */

struct names {
	uint64_t *logs, *indexes;
	uint32_t n_logs, n_indexes, cap_logs, cap_indexes;
	char (*tmps)[SEG_NAME + 4];
	uint32_t n_tmps, cap_tmps;
	bool bads;
};

static int add_base(uint64_t **v, uint32_t *n, uint32_t *cap, uint64_t base)
{
	if (*n == *cap) {
		uint32_t bigger_cap = *cap ? *cap * 2 : 4;
		uint64_t *bigger = realloc(*v, bigger_cap * sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		*v = bigger;
		*cap = bigger_cap;
	}
	(*v)[(*n)++] = base;
	return 0;
}

static int add_tmp(struct names *names, const char *name)
{
	size_t len = strlen(name);

	if (len < 4 || len >= sizeof(names->tmps[0]) || strcmp(name + len - 4, ".tmp"))
		return 0;
	if (names->n_tmps == names->cap_tmps) {
		uint32_t cap = names->cap_tmps ? names->cap_tmps * 2 : 4;
		void *bigger = realloc(names->tmps, cap * sizeof(names->tmps[0]));

		if (!bigger)
			return -ENOMEM;
		names->tmps = bigger;
		names->cap_tmps = cap;
	}
	memcpy(names->tmps[names->n_tmps++], name, len + 1);
	return 0;
}

static int add_name(void *arg, const char *name, int type)
{
	struct names *names = arg;
	enum seg_suffix suffix;
	uint64_t base;

	if (type == DT_DIR)
		return 0;
	if (!strcmp(name, BAD_FILE))
		names->bads = true;
	else if (!seg_name_parse(name, &base, &suffix))
		return add_tmp(names, name);
	else if (suffix == SEG_LOG)
		return add_base(&names->logs, &names->n_logs, &names->cap_logs, base);
	else
		return add_base(&names->indexes, &names->n_indexes, &names->cap_indexes, base);
	return 0;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void names_done(struct names *names)
{
	free(names->logs);
	free(names->indexes);
	free(names->tmps);
}

/* Removes what a crash left half made; their loss costs nothing, so nothing is synced. */
static void remove_leftovers(struct sl_log *log, struct names *names, int64_t deadline)
{
	for (uint32_t i = 0; i < names->n_tmps; i++)
		sl_unlink(log->dir, names->tmps[i], 0, deadline);
	for (uint32_t i = 0; i < names->n_indexes; i++) {
		char name[SEG_NAME];

		if (names->n_logs && bsearch(&names->indexes[i], names->logs, names->n_logs,
					     sizeof(names->logs[0]), by_value))
			continue;
		seg_name(name, names->indexes[i], SEG_INDEX);
		sl_unlink(log->dir, name, 0, deadline);
	}
}

static int add_segments(struct sl_log *log, const struct names *names)
{
	for (uint32_t i = 0; i < names->n_logs; i++) {
		struct segment *seg = seg_new(names->logs[i]);
		char name[SEG_NAME];
		struct statx stx;
		int err;

		if (!seg)
			return -ENOMEM;
		err = log_add_segment(log, seg);
		if (err) {
			seg_free(log, seg);
			return err;
		}
		if (i + 1 == names->n_logs)
			break;
		seg->sealed = true;
		seg->next = names->logs[i + 1];
		index_done(&seg->index);
		seg_name(name, seg->base, SEG_LOG);
		err = sl_stat_now(log->dir, name, &stx);
		if (err)
			return err;
		seg->bytes = stx.stx_size;
	}
	return 0;
}

/* ---- the last segment ------------------------------------------------------------------- */

/* Exactly @len bytes, blocking. Return: 0; -EBADMSG: the file ends before; -errno. */
static int read_all_now(int fd, uint8_t *buf, size_t len, uint64_t off)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = sl_read_now(fd, buf + done, len - done, off + done);

		if (n <= 0)
			return n ? (int)n : -EBADMSG;
		done += (size_t)n;
	}
	return 0;
}

/* Opens it and reads its first block. */
static int open_last(struct sl_log *log, struct seg_slot *ret_slot)
{
	struct segment *seg = log_last(log);
	struct seg_header h;
	uint8_t block[SEG_DATA];
	char name[SEG_NAME];
	struct statx stx;
	int fd, err;

	seg_name(name, seg->base, SEG_LOG);
	fd = sl_open_now(log->dir, name, O_RDWR, 0);
	if (fd < 0)
		return fd;
	err = read_all_now(fd, block, sizeof(block), 0);
	if (!err)
		err = sl_stat_now(fd, "", &stx);
	if (!err)
		err = seg_block_decode(block, &h, ret_slot);
	if (!err && (h.kind != log->kind->id || h.base != seg->base))
		err = -EBADMSG;
	if (err) {
		sl_close(fd);
		return err;
	}
	err = seg_file_new(fd, stx.stx_size, &seg->sf);
	if (err)
		return err;
	seg->sf->seg = seg;
	seg->bytes = stx.stx_size;
	seg->salt = h.salt;
	seg->created_ms = h.created_ms;
	return 0;
}

/* The footer, if the segment was sealed as far as can be told from its end. */
static bool find_footer(struct sl_log *log, struct segment *seg, struct seg_footer *ret_footer)
{
	uint64_t size = seg->sf->bytes;
	uint8_t raw[SEG_FOOTER];

	if (size < SEG_DATA + SEG_FOOTER ||
	    read_all_now(seg->sf->file.fd, raw, sizeof(raw), size - SEG_FOOTER))
		return false;
	return !seg_footer_decode(raw, ret_footer) && ret_footer->salt == seg->salt &&
	       ret_footer->base == seg->base && ret_footer->bytes == size - SEG_FOOTER;
}

/* ---- its tail --------------------------------------------------------------------------- */

/* Takes log->tail over the batches that verify from there on. */
static int verify_tail(struct sl_log *log, struct segment *seg, uint64_t limit, int64_t deadline)
{
	struct mark *m = &log->tail;
	struct walk w;
	uint8_t *buf = malloc(WALK_ALL);
	int r;

	if (!buf)
		return -ENOMEM;
	seg_walk_init(&w, log, seg, buf, WALK_ALL, limit, UINT64_MAX);
	w.pos = m->pos;
	w.next = m->off;
	w.rising = true;
	w.epoch = m->epoch;
	for (;;) {
		struct sl_frame f;

		r = walk_peek(&w, &f, NULL, deadline);
		if (r == 1)
			r = walk_sum(&w, &f, deadline);
		else if (!r)
			break;
		if (r)
			break;
		mark_advance(m, &f, w.next, f.epoch);
		walk_step(&w, &f);
		if (m->count % 64 == 0)
			sl_fiber_yield(deadline);
	}
	free(buf);
	return r == -EBADMSG ? 0 : r;
}

/* Neither slot can be read: everything is looked at, and what is bad between good is kept. */
static int examine_all(struct sl_log *log, struct segment *seg, uint64_t limit, uint64_t limit_off,
		       int64_t deadline)
{
	struct exam x = {
		.pos = SEG_DATA,
		.off = seg->base,
		.limit = limit,
		.limit_off = limit_off,
		.mark = {.log_time_max = -1},
	};
	int n = seg_examine(log, seg, &x, deadline);

	if (n < 0)
		return n;
	log->tail = x.mark;
	return 0;
}

/*
 * Writes [@from, @to) over itself. After a failed sync of an earlier process the page cache may
 * hold bytes that the disk lacks and that count as clean: a sync alone would not write them.
 */
static int rewrite(int fd, uint64_t from, uint64_t to, int64_t deadline)
{
	uint8_t *buf = malloc(WALK_ALL);
	int err = buf ? 0 : -ENOMEM;

	while (!err && from < to) {
		size_t len = (size_t)sl_min(to - from, (uint64_t)WALK_ALL);

		err = sl_read_all(fd, buf, len, from, deadline);
		if (!err)
			err = sl_write_all(fd, buf, len, from, deadline);
		from += len;
		sl_fiber_yield(deadline);
	}
	free(buf);
	return err;
}

/* Cuts off what does not continue the log behind log->tail, and makes what does durable. */
static int cut(struct sl_log *log, struct segment *seg, uint64_t known, int64_t deadline)
{
	uint64_t size = seg->sf->bytes;
	int err = rewrite(seg->sf->file.fd, known, log->tail.pos, deadline);

	if (err)
		return err;

	if (size > log->tail.pos) {
		err = sl_ftruncate(seg->sf->file.fd, log->tail.pos, deadline);
		if (err)
			return err;
		seg->bytes = log->tail.pos;
		seg->sf->bytes = log->tail.pos;
	}
	err = sl_fsync(seg->sf->file.fd, false, SL_FAULT(SYNC_RECOVERY), deadline);
	if (!err && size > log->tail.pos)
		log_event(log, SL_LOG_TORN_TAIL, (int64_t)(size - log->tail.pos),
			  (int64_t)log->tail.off);
	return err;
}

static void take_footer(struct segment *seg, const struct seg_footer *f)
{
	seg->sealed = true;
	seg->loaded = true;
	seg->end = f->bytes;
	seg->next = f->next;
	seg->count = f->count;
	seg->time_max = f->time_max;
	seg->time_base = f->time_base;
}

static int recover_tail(struct sl_log *log, const struct seg_slot *slot, int64_t deadline)
{
	struct segment *seg = log_last(log);
	uint64_t size = seg->sf->bytes;
	uint64_t limit = size;
	uint64_t known = slot->seq ? slot->mark.pos : SEG_DATA; /* to be on the disk */
	struct seg_footer f;
	bool sealed;
	int err;

	log->tail = slot->mark;
	if (slot->seq && size == slot->mark.pos) {
		log->was_clean = slot->clean;
		log->clean_on_disk = slot->clean;
		return 0;
	}
	sealed = find_footer(log, seg, &f);
	if (sealed)
		limit = f.bytes;
	if (!slot->seq)
		err = examine_all(log, seg, limit, UINT64_MAX, deadline);
	else if (limit < slot->mark.pos)
		err = examine_all(log, seg, limit, slot->mark.off, deadline);
	else
		err = verify_tail(log, seg, limit, deadline);
	if (err)
		return err;
	if (sealed && log->tail.pos == f.bytes && log->tail.off == f.next) {
		take_footer(seg, &f);
		/* Without the mark the slot vouches for the batches, but not for the footer. */
		if (slot->seq && slot->clean && slot->mark.pos == f.bytes) {
			log->was_clean = true;
			log->clean_on_disk = true;
			return 0;
		}
		err = rewrite(seg->sf->file.fd, known, size, deadline);
		if (err)
			return err;
		return sl_fsync(seg->sf->file.fd, false, SL_FAULT(SYNC_RECOVERY), deadline);
	}
	return cut(log, seg, known, deadline);
}

/* ---- time ------------------------------------------------------------------------------- */

/* The largest timestamp of @seg's batches from offset @from on. */
static int time_from(struct sl_log *log, struct segment *seg, uint64_t from, struct mark *m,
		     int64_t deadline)
{
	uint8_t buf[WALK_HOP];
	uint64_t limit, off;
	struct sl_frame f;
	struct walk w;
	int r;

	seg_limits(log, seg, false, &limit, &off);
	seg_walk_init(&w, log, seg, buf, sizeof(buf), limit, off);
	while ((r = walk_peek(&w, &f, NULL, deadline)) == 1) {
		if (f.base + f.records > from && f.time_max > m->log_time_max) {
			m->log_time_max = f.time_max;
			m->log_time_base = f.base;
		}
		walk_step(&w, &f);
	}
	return r == -EBADMSG ? 0 : r; /* what cannot be read has no time */
}

static int time_of_segment(struct sl_log *log, struct segment *seg, struct mark *m,
			   int64_t deadline)
{
	bool last = seg == log_last(log);
	int64_t time_max = last ? log->readable.time_max : seg->time_max;
	uint64_t time_base = last ? log->readable.time_base : seg->time_base;

	if (time_max <= m->log_time_max)
		return 0;
	if (time_base < log->start)
		return time_from(log, seg, log->start, m, deadline);
	m->log_time_max = time_max;
	m->log_time_base = time_base;
	return 0;
}

int log_refresh_time(struct sl_log *log, int64_t deadline)
{
	struct mark found = {.log_time_max = -1};
	uint64_t upto = log->readable.off;

	for (uint32_t i = 0; i < log->n_segs; i++) {
		struct segment *seg = log->segs[i];
		int err = seg_use(log, seg, deadline);

		if (!err) {
			err = time_of_segment(log, seg, &found, deadline);
			seg_unpin(log, seg);
		}
		if (err)
			return err;
	}
	/* Marks that moved on meanwhile may hold a newer one, found the usual way. */
	struct mark *marks[] = {&log->tail, &log->synced, &log->readable};

	for (size_t i = 0; i < SL_ARRAY_SIZE(marks); i++) {
		bool newer = marks[i]->log_time_max > found.log_time_max &&
			     marks[i]->log_time_base >= upto;

		if (newer)
			continue;
		marks[i]->log_time_max = found.log_time_max;
		marks[i]->log_time_base = found.log_time_base;
	}
	return 0;
}

/* ---- all of it -------------------------------------------------------------------------- */

/* Segments that a trim had given up before the crash. */
static int drop_trimmed(struct sl_log *log, int64_t deadline)
{
	uint32_t n = 0;

	while (n + 1 < log->n_segs && log->segs[n + 1]->base <= log->start)
		n++;
	return n ? retain_drop(log, n, deadline) : 0;
}

/* @ret_believed: whether a slot told of what lies before this segment. */
static int recover_last(struct sl_log *log, bool *ret_believed, int64_t deadline)
{
	struct seg_slot slot = {0};
	int err = open_last(log, &slot);

	if (err)
		return err;
	*ret_believed = slot.seq && log_last(log)->sf->bytes >= slot.mark.pos;
	err = recover_tail(log, &slot, deadline);
	if (err)
		return err;
	log->synced = log->tail;
	log->readable = log->tail;
	log->seq = slot.seq;
	log->slot_off = slot.seq ? slot.mark.off : UINT64_MAX;
	log->slot_start = slot.start;
	log->start = sl_max(slot.start, log->segs[0]->base);
	log->start = sl_min(log->start, log->tail.off);
	log->reserved_end = log->tail.pos;
	if (!log_last(log)->sealed)
		index_init(&log_last(log)->index, log->tail.pos);
	return 0;
}

int log_recover(struct sl_log *log, int64_t deadline)
{
	struct names names = {0};
	bool believed = true;
	int err = sl_list_folder(log->dir, add_name, &names);

	if (err)
		goto out;
	if (!names.n_logs) {
		err = -ENOENT;
		goto out;
	}
	qsort(names.logs, names.n_logs, sizeof(names.logs[0]), by_value);
	remove_leftovers(log, &names, deadline);
	err = add_segments(log, &names);
	if (!err && names.bads)
		err = bad_load(log, deadline);
	if (!err)
		err = recover_last(log, &believed, deadline);
	if (!err)
		err = drop_trimmed(log, deadline);
	if (!err && (!believed || (log->readable.log_time_max >= 0 &&
				   log->readable.log_time_base < log->start)))
		err = log_refresh_time(log, deadline);
out:
	names_done(&names);
	return err;
}
