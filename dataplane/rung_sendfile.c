/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sendfile rung: extents go from the page cache to the socket without passing user space.
 *
 * The socket never blocks; a page that is not resident makes the call wait for the disk.
 */
#include <errno.h>

#include "conn_pvt.h"

/* Below this a read into memory, sent together with what surrounds it, costs less. */
enum { WORTHWHILE_BYTES = 16 << 10 };

static bool can(const struct sl_conn *c, const struct sl_part *p)
{
	(void)c;
	return p->kind == SL_PART_EXTENT && p->extent.len > WORTHWHILE_BYTES;
}

static ssize_t send_extent(struct sl_conn *c, struct sl_reply *r, size_t bytes_max)
{
	const struct sl_extent *e = &r->parts[c->cursor.part].extent;
	int64_t off = (int64_t)(e->off + c->cursor.off);
	struct sl_io io;
	int n;

	sl_io_sendfile(&io, c->fd, e->file->fd, &off,
		       sl_min(e->len - c->cursor.off, (uint64_t)bytes_max));
	n = sl_io_now(&io);
	if (n == -EINVAL || n == -ENOSYS)
		return -EOPNOTSUPP;
	/* The file is shorter than the length that the reply has promised. */
	return n ? n : -EIO;
}

const struct rung rung_sendfile = {.name = "sendfile", .can = can, .send = send_extent};
