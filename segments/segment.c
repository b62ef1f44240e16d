/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments: their files' making, opening, closing and removal.
 *
 * Interface: "segments" of segments_pvt.h. A segment is what the log knows of one file; its
 * seg_file is the open file, which extents may outlive. Invariants: the last segment is always
 * open; a sealed one is opened when it is needed and closed when more than OPEN_SEALED_MAX of the
 * core's are open; what was deleted gives its disk space back only when its last extent is gone.
 *
 * Order of parts: open files; segments; loading; making and removing; writing.
 */
#include "segments_pvt.h"

/* ---- open files ------------------------------------------------------------------------- */

static void seg_file_close(struct seg_file *sf)
{
	sl_close(sf->file.fd);
	free(sf);
}

static void free_in_steps(void *arg)
{
	struct seg_file *sf = arg;

	sl_close_large(sf->file.fd, sf->bytes, SL_NEVER);
	free(sf);
}

/* The last extent is gone, and the segment does not want it any more. */
static void seg_file_gone(struct sl_file *file)
{
	struct seg_file *sf = sl_container_of(file, struct seg_file, file);

	SL_ASSERT(!sf->seg && sl_list_empty(&sf->lru));
	if (sf->unlinked && sf->bytes > SL_FREE_AT_ONCE_BYTES && file->home &&
	    !sl_fiber_start(SL_STACK_SMALL, free_in_steps, sf))
		return;
	seg_file_close(sf);
}

int seg_file_new(int fd, uint64_t bytes, struct seg_file **ret_sf)
{
	struct seg_file *sf = calloc(1, sizeof(*sf));

	if (!sf)
		goto out_close;
	if (sl_file_init(&sf->file, fd, seg_file_gone))
		goto out_free;
	sl_list_init(&sf->lru);
	sf->bytes = bytes;
	*ret_sf = sf;
	return 0;
out_free:
	free(sf);
out_close:
	sl_close(fd);
	return -ENOMEM;
}

/* The segment gives its file up; who holds extents of it keeps it open. */
static void seg_drop_file(struct sl_log *log, struct segment *seg)
{
	struct seg_file *sf = seg->sf;

	if (!sf)
		return;
	if (!sl_list_empty(&sf->lru)) {
		sl_list_remove(&sf->lru);
		SL_ASSERT(log->logs->open_sealed > 0);
		log->logs->open_sealed--;
	}
	sf->seg = NULL;
	seg->sf = NULL;
	sl_file_release(&sf->file);
}

static void evict(struct sl_log *log)
{
	struct sl_logs *logs = log->logs;

	sl_list_each_safe(n, &logs->lru) {
		struct segment *seg = sl_list_entry(n, struct seg_file, lru)->seg;

		if (logs->open_sealed <= OPEN_SEALED_MAX)
			break;
		if (seg->pins)
			continue;
		seg_drop_file(log, seg);
		index_done(&seg->index);
	}
}

void seg_lru_add(struct sl_log *log, struct segment *seg)
{
	struct seg_file *sf = seg->sf;

	SL_ASSERT(sf && seg->sealed);
	if (sl_list_empty(&sf->lru))
		log->logs->open_sealed++;
	else
		sl_list_remove(&sf->lru);
	sl_list_append(&log->logs->lru, &sf->lru);
	evict(log);
}

/* ---- segments --------------------------------------------------------------------------- */

struct segment *seg_new(uint64_t base)
{
	struct segment *seg = calloc(1, sizeof(*seg));

	if (!seg)
		return NULL;
	seg->base = base;
	seg->time_max = -1;
	index_init(&seg->index, SEG_DATA);
	return seg;
}

void seg_free(struct sl_log *log, struct segment *seg)
{
	if (!seg)
		return;
	SL_ASSERT(seg->pins == 0);
	seg_drop_file(log, seg);
	index_done(&seg->index);
	free(seg);
}

void seg_pin(struct segment *seg)
{
	seg->pins++;
}

void seg_unpin(struct sl_log *log, struct segment *seg)
{
	SL_ASSERT(seg->pins > 0);
	if (--seg->pins == 0 && seg->gone)
		seg_free(log, seg);
}

void seg_limits(const struct sl_log *log, const struct segment *seg, bool all, uint64_t *ret_pos,
		uint64_t *ret_off)
{
	const struct mark *m = all ? &log->tail : &log->readable;

	if (seg == log_last(log)) {
		*ret_pos = m->pos;
		*ret_off = m->off;
		return;
	}
	SL_ASSERT(seg->sealed && seg->loaded);
	*ret_pos = seg->end;
	*ret_off = seg->next;
}

void seg_walk_init(struct walk *w, struct sl_log *log, struct segment *seg, uint8_t *buf,
		   uint32_t cap, uint64_t limit, uint64_t limit_off)
{
	*w = (struct walk){
		.kind = log->kind,
		.bads = &log->bads,
		.seg_base = seg->base,
		.fd = seg->sf->file.fd,
		.cap = cap,
		.buf = buf,
		.pos = SEG_DATA,
		.limit = limit,
		.next = seg->base,
		.limit_off = limit_off,
	};
}

/* ---- loading ---------------------------------------------------------------------------- */

/* What the footer says; -EBADMSG if it is not this segment's. */
static int read_footer(struct sl_log *log, struct segment *seg, int64_t deadline)
{
	uint64_t size = seg->sf->bytes;
	uint8_t raw[SEG_FOOTER];
	struct seg_footer f;
	int err;

	if (size < SEG_DATA + SEG_FOOTER)
		return -EBADMSG;
	err = sl_read_all(seg->sf->file.fd, raw, sizeof(raw), size - SEG_FOOTER, deadline);
	if (!err)
		err = seg_footer_decode(raw, &f);
	if (err)
		return err == -ENODATA ? -EBADMSG : err;
	if (f.base != seg->base || f.bytes != size - SEG_FOOTER || f.kind != log->kind->id ||
	    f.next > seg->next)
		return -EBADMSG;
	seg->end = f.bytes;
	seg->count = f.count;
	seg->salt = f.salt;
	seg->time_max = f.time_max;
	seg->time_base = f.time_base;
	if (f.next < seg->next) {
		/* The segment that held what follows is missing. */
		struct bad hole = {.seg = seg->base, .pos = f.bytes, .first = f.next,
				   .next = seg->next};

		if (!bad_at_pos(&log->bads, hole.seg, hole.pos, hole.first))
			return bad_add(log, &hole, deadline);
	}
	return 0;
}

/* A destroyed footer: its facts are found again from the batches. */
static int rebuild_footer(struct sl_log *log, struct segment *seg, int64_t deadline)
{
	uint64_t size = seg->sf->bytes;
	struct exam x = {
		.pos = SEG_DATA,
		.off = seg->base,
		.limit = size > SEG_DATA + SEG_FOOTER ? size - SEG_FOOTER : SEG_DATA,
		.limit_off = seg->next,
	};
	int n = seg_examine(log, seg, &x, deadline);

	if (n < 0)
		return n;
	seg->end = x.limit;
	seg->salt = 0;
	seg->time_max = x.mark.time_max;
	seg->time_base = x.mark.time_base;
	log_event(log, SL_LOG_INDEX, (int64_t)seg->base, 0);
	return 0;
}

static int load(struct sl_log *log, struct segment *seg, int64_t deadline)
{
	struct seg_file *sf = NULL;
	char name[SEG_NAME];
	struct statx stx;
	int fd, err;

	seg_name(name, seg->base, SEG_LOG);
	fd = sl_open(log->dir, name, O_RDWR, 0, deadline);
	if (fd < 0)
		return fd;
	err = sl_stat(fd, "", &stx, deadline);
	if (err) {
		sl_close(fd);
		return err;
	}
	err = seg_file_new(fd, stx.stx_size, &sf);
	if (err)
		return err;
	sf->seg = seg;
	seg->sf = sf;
	seg->bytes = stx.stx_size;
	seg->changed_ms = stx.stx_mtime.tv_sec * 1000;
	if (!seg->loaded) {
		err = read_footer(log, seg, deadline);
		if (err == -EBADMSG)
			err = rebuild_footer(log, seg, deadline);
	}
	if (err) {
		seg_drop_file(log, seg);
		return err;
	}
	seg->loaded = true;
	return 0;
}

/* What was found out meanwhile, by another fiber, is not found out again. */
static int load_alone(struct sl_log *log, struct segment *seg, int64_t deadline)
{
	int err = sl_mutex_lock(&log->load, deadline);

	if (err)
		return err;
	if (seg->gone)
		err = -ESTALE;
	else if (!seg->sf)
		err = load(log, seg, deadline);
	sl_mutex_unlock(&log->load);
	return err;
}

int seg_use(struct sl_log *log, struct segment *seg, int64_t deadline)
{
	int err = 0;

	SL_ASSERT(!seg->gone);
	seg_pin(seg);
	if (!seg->sf)
		err = load_alone(log, seg, deadline);
	if (err) {
		seg_unpin(log, seg);
		return err;
	}
	if (seg->sealed && seg != log_last(log) && !seg->gone)
		seg_lru_add(log, seg);
	return 0;
}

/* ---- making and removing ---------------------------------------------------------------- */

static int create_tmp(int dir, const char *tmp, const uint8_t *block, int64_t deadline)
{
	int fd = sl_open(dir, tmp, O_RDWR | O_CREAT | O_TRUNC, 0600, deadline);
	int err;

	if (fd < 0)
		return fd;
	err = sl_write_all(fd, block, SEG_DATA, 0, deadline);
	if (!err)
		err = sl_fsync(fd, false, SL_FAULT(SYNC_SEGMENT_HEADER), deadline);
	if (!err)
		return fd;
	sl_close(fd);
	return err;
}

int seg_create(int dir, const struct seg_header *h, const struct seg_slot *slot, int64_t deadline)
{
	char name[SEG_NAME], tmp[SEG_NAME + 4];
	uint8_t block[SEG_DATA];
	int fd, err;

	seg_block_encode(h, slot, block);
	seg_name(name, h->base, SEG_LOG);
	memcpy(tmp, name, SEG_NAME);
	memcpy(tmp + strlen(tmp), ".tmp", 5);
	fd = create_tmp(dir, tmp, block, deadline);
	if (fd < 0) {
		sl_unlink(dir, tmp, 0, deadline);
		return fd;
	}
	err = sl_rename(dir, tmp, dir, name, deadline);
	if (err) {
		sl_unlink(dir, tmp, 0, deadline);
		goto out_close;
	}
	err = sl_fsync(dir, false, SL_FAULT(SYNC_SEGMENT_FOLDER), deadline);
	if (!err)
		return fd;
	sl_unlink(dir, name, 0, deadline);
out_close:
	sl_close(fd);
	return err;
}

int seg_unlink(struct sl_log *log, struct segment *seg, int64_t deadline)
{
	char name[SEG_NAME];
	int err;

	seg_name(name, seg->base, SEG_LOG);
	err = sl_unlink(log->dir, name, 0, deadline);
	if (err && err != -ENOENT)
		return err;
	seg_name(name, seg->base, SEG_INDEX);
	err = sl_unlink(log->dir, name, 0, deadline);
	return err == -ENOENT ? 0 : err;
}

/* ---- writing ---------------------------------------------------------------------------- */

enum { WRITE_STEP = 256 << 10, WRITE_IOVS = 64 };

/* Moves up to WRITE_STEP bytes from the front of @iov to @part. Return: vectors in @part. */
static int take_step(struct iovec **iov, int *n, struct iovec part[WRITE_IOVS], uint64_t *ret_bytes)
{
	uint64_t bytes = 0;
	int k = 0;

	while (*n && bytes < WRITE_STEP && k < WRITE_IOVS) {
		size_t len = sl_min((*iov)->iov_len, (size_t)(WRITE_STEP - bytes));

		part[k++] = (struct iovec){(*iov)->iov_base, len};
		bytes += len;
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + len;
		(*iov)->iov_len -= len;
		if (!(*iov)->iov_len) {
			(*iov)++;
			(*n)--;
		}
	}
	*ret_bytes = bytes;
	return k;
}

int seg_write(int fd, struct iovec *iov, int n, uint64_t pos)
{
	struct iovec part[WRITE_IOVS];

	while (n) {
		uint64_t bytes;
		int k = take_step(&iov, &n, part, &bytes);
		int err = sl_writev_all(fd, part, k, pos, SL_NEVER);

		if (err)
			return err;
		pos += bytes;
		if (n)
			sl_fiber_yield(SL_NEVER);
	}
	return 0;
}
