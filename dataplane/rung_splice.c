/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The splice rung: an extent that is not resident waits for the disk in a ring operation, which
 * splices its pages into a pipe; from there they go to the socket inline, without passing user
 * space.
 *
 * SPLICE always runs on a worker thread of the ring, which is what is wanted here: the core goes on
 * meanwhile. The second half stays inline because a full non-blocking socket answers a ring splice
 * with -EAGAIN, after a worker was woken for nothing.
 */
#include <errno.h>
#include <fcntl.h>

#include "conn_pvt.h"

static bool can(const struct sl_conn *c, const struct sl_part *p)
{
	(void)c;
	return p->kind == SL_PART_EXTENT;
}

static void filled(struct sl_io *io)
{
	struct sl_conn *c = io->arg;

	if (io->res > 0)
		c->transfer->have = (uint32_t)io->res;
	else
		transfer_drop(c);
	if (io->res == -EINVAL)
		rung_cannot(c);
	else if (io->res <= 0 && !c->dead) {
		conn_cannot_send(c, io->res ? io->res : -EIO);
		return;
	}
	conn_flush(c);
}

static ssize_t fill(struct sl_conn *c, const struct sl_extent *e, size_t bytes_max)
{
	uint64_t left = e->len - c->cursor.off;
	struct pipe *pipe = pipe_get(&c->l->core->pipes);
	struct transfer *t;

	if (!pipe) {
		rung_fell_back(c, SL_FALLBACK_PIPES);
		return -EOPNOTSUPP;
	}
	t = transfer_new(c, SL_RUNG_SPLICE);
	if (!t) {
		pipe_put(&c->l->core->pipes, pipe, true);
		return -ENOMEM;
	}
	t->pipe = pipe;
	t->off = (int64_t)(e->off + c->cursor.off);
	send_queue_bound(c, left);
	sl_io_splice(&c->tx, pipe->in, e->file->fd, &t->off,
		     sl_min(sl_min(left, (uint64_t)pipe->bytes), (uint64_t)bytes_max), 0);
	return conn_begin(c, filled);
}

/* From the pipe to the socket, as much as that takes. */
static ssize_t empty(struct sl_conn *c, const struct sl_reply *r)
{
	struct transfer *t = c->transfer;
	uint32_t left = t->have - t->sent;
	struct sl_io io;
	int n;

	sl_io_splice(&io, c->fd, t->pipe->out, NULL, left,
		     SPLICE_F_NONBLOCK | (rung_more(c, r, left) ? SPLICE_F_MORE : 0));
	n = sl_io_now(&io);
	if (n <= 0)
		return n ? n : -EIO;
	t->sent += (uint32_t)n;
	if (t->sent == t->have)
		transfer_drop(c);
	return n;
}

static ssize_t send_extent(struct sl_conn *c, struct sl_reply *r, size_t bytes_max)
{
	if (c->transfer)
		return empty(c, r);
	return fill(c, &r->parts[c->cursor.part].extent, bytes_max);
}

const struct rung rung_splice = {
	.name = "splice",
	.below = SL_RUNG_READ_FIXED,
	.can = can,
	.send = send_extent,
};
