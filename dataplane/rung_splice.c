/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The splice rung: an extent that is not resident waits for the disk in a ring operation, which
 * splices its pages into a pipe; from there they go to the socket inline, without passing user
 * space.
 *
 * Extents that follow each other, as those of neighbouring segments do, fill the pipe by one chain
 * of linked operations.
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

/* All of the chain is done: what came goes on, unless nothing did. */
static void filled(struct sl_conn *c)
{
	struct transfer *t = c->transfer;
	int err = t->err;

	if (!t->have)
		transfer_drop(c);
	if (c->dead || c->transfer) {
		conn_flush(c);
	} else if (err == -EINVAL) {
		rung_cannot(c);
		conn_flush(c);
	} else {
		conn_cannot_send(c, err ? err : -EIO);
	}
}

/* What follows one that failed or came short was cancelled: the pipe holds a beginning. */
static void piece_done(struct sl_io *io)
{
	struct sl_conn *c = io->arg;
	struct transfer *t = c->transfer;

	if (io->res > 0)
		t->have += (uint32_t)io->res;
	else if (!t->err && io->res != -ECANCELED)
		t->err = io->res;
	if (--t->pending == 0)
		filled(c);
}

/* Operations that fill @t's pipe from the cursor on. Return: how many. */
static int make_chain(struct sl_conn *c, const struct sl_reply *r, struct transfer *t,
		      size_t bytes_max)
{
	size_t room = sl_min((size_t)t->pipe->bytes, bytes_max);
	uint64_t off = c->cursor.off;
	int n = 0;

	for (uint32_t i = c->cursor.part; i < r->n && n < SL_CHAIN_MAX && room; i++, off = 0) {
		const struct sl_extent *e = &r->parts[i].extent;
		size_t len;

		if (!can(c, &r->parts[i]))
			break;
		len = sl_min(e->len - off, (uint64_t)room);
		if (!len)
			continue;
		t->offs[n] = (int64_t)(e->off + off);
		sl_io_splice(&t->chain[n], t->pipe->in, e->file->fd, &t->offs[n], len, 0);
		t->chain[n].done = piece_done;
		t->chain[n].arg = c;
		room -= len;
		n++;
	}
	return n;
}

static ssize_t fill(struct sl_conn *c, const struct sl_reply *r, size_t bytes_max)
{
	struct pipe *pipe = pipe_get(&c->l->core->pipes);
	struct transfer *t;
	int n;

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
	send_queue_bound(c, r->parts[c->cursor.part].extent.len - c->cursor.off);
	n = make_chain(c, r, t, bytes_max);
	if (sl_ring_start_chain(c->l->core->ring, t->chain, n)) {
		transfer_drop(c);
		return conn_later(c);
	}
	t->pending = (uint32_t)n;
	return -EINPROGRESS;
}

/* From the pipe to the socket, as much as that takes. */
static ssize_t empty(struct sl_conn *c, const struct sl_reply *r)
{
	struct transfer *t = c->transfer;
	uint32_t left = t->have - t->sent;
	struct sl_io io;

	sl_io_splice(&io, c->fd, t->pipe->out, NULL, left,
		     SPLICE_F_NONBLOCK | (rung_more(c, r, left) ? SPLICE_F_MORE : 0));
	return transfer_send(c, &io);
}

static ssize_t send_extent(struct sl_conn *c, struct sl_reply *r, size_t bytes_max)
{
	if (c->transfer)
		return empty(c, r);
	return fill(c, r, bytes_max);
}

const struct rung rung_splice = {
	.name = "splice",
	.below = SL_RUNG_READ_FIXED,
	.can = can,
	.send = send_extent,
};
