/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The read_fixed rung: bytes that no other rung can send, or that are small and not resident, are
 * read by the ring into the core's registered arena, and sent from there.
 *
 * A small extent takes its buf's place in the reply, so that the copy rung sends it together with
 * what surrounds it; a large one goes in steps.
 */
#include <errno.h>

#include "conn_pvt.h"

enum { STEP_BYTES = 256 << 10, SMALL_BYTES = 16 << 10 };

static bool can(const struct sl_conn *c, const struct sl_part *p)
{
	(void)c;
	return p->kind == SL_PART_EXTENT;
}

/* The extent at the cursor is in @t's buf as a whole: that is the part from now on. */
static void bring_in(struct sl_conn *c, struct sl_part *p, struct transfer *t)
{
	struct sl_buf *buf = t->buf;

	t->buf = NULL;
	t->sent = t->have;
	sl_part_release(p);
	*p = sl_part_slice((struct sl_slice){buf, buf->data, t->have});
	transfer_drop(c);
}

static void read_done(struct sl_io *io)
{
	struct sl_conn *c = io->arg;
	struct sl_reply *r = sl_list_first(&c->replies, struct sl_reply, node);
	struct sl_part *p;

	if (io->res <= 0 || c->dead) {
		transfer_drop(c);
		if (c->dead)
			conn_flush(c);
		else
			conn_cannot_send(c, io->res ? io->res : -EIO);
		return;
	}
	SL_ASSERT(r);
	p = &r->parts[c->cursor.part];
	c->transfer->have = (uint32_t)io->res;
	if (!c->cursor.off && p->extent.len == (uint64_t)io->res && io->res <= SMALL_BYTES)
		bring_in(c, p, c->transfer);
	conn_flush(c);
}

static ssize_t read_step(struct sl_conn *c, const struct sl_extent *e, size_t bytes_max)
{
	struct sl_core *core = c->l->core;
	uint64_t left = e->len - c->cursor.off;
	size_t len = sl_min(sl_min(left, (uint64_t)STEP_BYTES), (uint64_t)bytes_max);
	struct sl_buf *buf = sl_buf_new(len);
	struct transfer *t;
	int index;

	if (!buf)
		return -ENOMEM;
	t = transfer_new(c, SL_RUNG_READ_FIXED);
	if (!t) {
		sl_buf_release(buf);
		return -ENOMEM;
	}
	t->buf = buf;
	send_queue_bound(c, left);
	index = bufs_fixed_index(core, buf);
	if (index >= 0) {
		sl_io_read_fixed(&c->tx, e->file->fd, buf->data, len, e->off + c->cursor.off,
				 index);
	} else {
		rung_fell_back(c, SL_FALLBACK_MEMLOCK);
		sl_io_read(&c->tx, e->file->fd, buf->data, len, e->off + c->cursor.off);
	}
	if (!conn_begin(c, read_done))
		return -EINPROGRESS;
	transfer_drop(c);
	return conn_later(c);
}

static ssize_t send_step(struct sl_conn *c, const struct sl_reply *r)
{
	struct transfer *t = c->transfer;
	uint32_t left = t->have - t->sent;
	struct iovec iov = {t->buf->data + t->sent, left};

	return transfer_sent(c, conn_sendv(c, &iov, 1, rung_more(c, r, left)));
}

static ssize_t send_extent(struct sl_conn *c, struct sl_reply *r, size_t bytes_max)
{
	if (c->transfer)
		return send_step(c, r);
	return read_step(c, &r->parts[c->cursor.part].extent, bytes_max);
}

const struct rung rung_read_fixed = {
	.name = "read_fixed",
	.below = SL_RUNG_LAST,
	.copies = true,
	.can = can,
	.send = send_extent,
};
