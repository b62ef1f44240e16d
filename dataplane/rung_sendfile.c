/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sendfile rung: extents go from the page cache to the socket without passing user space, in
 * one inline call. What is not resident is brought there first, if it is small enough (fetch.c).
 *
 * The socket never blocks. A page that left the cache since it was looked for makes the call wait
 * for the disk on the core: such a stall is bounded by what was looked for, and counted.
 */
#include <errno.h>

#include "conn_pvt.h"

static bool can(const struct sl_conn *c, const struct sl_part *p)
{
	(void)c;
	return p->kind == SL_PART_EXTENT;
}

static ssize_t send_extent(struct sl_conn *c, struct sl_reply *r, size_t bytes_max)
{
	const struct sl_extent *e = &r->parts[c->cursor.part].extent;
	int64_t off = (int64_t)(e->off + c->cursor.off);
	uint64_t left = e->len - c->cursor.off;
	struct sl_io io;
	int n;

	if (c->cursor.cold)
		return fetch_begin(c, e);
	if (!c->cursor.off)
		rung_note(c, e->len, false);
	send_queue_bound(c, left);
	sl_io_sendfile(&io, c->fd, e->file->fd, &off, sl_min(left, (uint64_t)bytes_max));
	n = sl_io_now(&io);
	rung_note_stall(c);
	if (n == -EINVAL || n == -ENOSYS) {
		rung_cannot(c);
		return -EOPNOTSUPP;
	}
	/* The file is shorter than the length that the reply has promised. */
	return n ? n : -EIO;
}

const struct rung rung_sendfile = {
	.name = "sendfile",
	.below = SL_RUNG_READ_FIXED,
	.can = can,
	.send = send_extent,
};
