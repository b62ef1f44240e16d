/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bringing an extent that is not resident into the page cache, from where it is then sent.
 *
 * Interface: fetch_*() of conn_pvt.h. The kernel is asked to read ahead, which only begins reading,
 * and the ring reads one byte at the end: that waits without a worker thread, and when it has come
 * so has the rest, which the disk was asked for in one go. Where it has not, the splice rung is
 * next. That is for what is small enough: larger extents flow through a pipe while the disk reads
 * on. Invariant: no more is asked for at a time than the disk's queue takes without waiting; who
 * comes later has its turn in order.
 */
#include <fcntl.h>

#include "conn_pvt.h"

enum {
	FETCH_BYTES_MAX = 256 << 10,
	FETCHES_MAX = 64,	 /* of a core */
	AHEAD_BYTES = 128 << 10, /* that the kernel reads ahead at least, if asked to */
};

void fetches_init(struct fetches *f)
{
	f->n = 0;
	sl_list_init(&f->waiting);
}

bool fetch_can(const struct sl_conn *c, const struct sl_extent *e)
{
	const struct sl_reply *r = sl_list_first(&c->replies, struct sl_reply, node);
	const struct cursor *at = &c->cursor;

	if (e->len - at->off > FETCH_BYTES_MAX || at->off < at->fetched)
		return false;
	/* Several extents are better waited for together: by a chain of splices. */
	for (uint32_t i = at->part + 1; i < r->n; i++)
		if (r->parts[i].kind == SL_PART_EXTENT)
			return false;
	return true;
}

static void read_ahead(int fd, uint64_t off, uint64_t len)
{
	while (len) {
		uint32_t step = (uint32_t)sl_min(len, (uint64_t)AHEAD_BYTES);
		struct sl_io io;

		/* Whether it did anything the read tells. */
		sl_io_fadvise(&io, fd, off, step, POSIX_FADV_WILLNEED);
		sl_io_now(&io);
		off += step;
		len -= step;
	}
}

static void fetched(struct sl_io *io)
{
	struct sl_conn *c = io->arg;
	struct sl_core *core = c->l->core;
	struct sl_list *next = sl_list_pop(&core->fetches.waiting);

	core->fetches.n--;
	if (next)
		sl_list_append(&core->sending, next);
	/* What went wrong happens again to whoever sends it. */
	conn_flush(c);
}

ssize_t fetch_begin(struct sl_conn *c, const struct sl_extent *e)
{
	struct fetches *f = &c->l->core->fetches;
	uint64_t off = e->off + c->cursor.off, left = e->len - c->cursor.off;

	if (f->n == FETCHES_MAX) {
		sl_list_append(&f->waiting, &c->sending);
		return -EINPROGRESS;
	}
	sl_io_read(&c->tx, e->file->fd, &f->byte, 1, off + left - 1);
	if (conn_begin(c, fetched))
		return conn_later(c);
	read_ahead(e->file->fd, off, left);
	rung_note_stall(c); /* where the file's blocks lie may have to be read first */
	f->n++;
	c->cursor.fetched = e->len;
	return -EINPROGRESS;
}
