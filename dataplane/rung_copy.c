/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The copy rung: slices, and extents so small that copying them is cheaper than a call of their
 * own, in one sendmsg().
 *
 * A small extent is read into a buf that takes its place in the reply; a large one, where no
 * other rung can send it, goes through a buf in steps.
 */
#include <errno.h>

#include "conn_pvt.h"

enum {
	IOV_MAX_PARTS = 32,
	SMALL_BYTES = 16 << 10,
	STEP_BYTES = 64 << 10,
};

static bool can(const struct sl_conn *c, const struct sl_part *p)
{
	(void)c;
	(void)p;
	return true;
}

/* Reads on the core: without waiting if the bytes are resident, else waiting for the disk. */
static int read_extent(const struct sl_extent *e, uint64_t off, uint8_t *dst, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct sl_io io;
		int n;

		sl_io_read(&io, e->file->fd, dst + done, len - done, e->off + off + done);
		n = sl_io_now(&io);
		if (n <= 0)
			return n ? n : -EIO;
		done += (size_t)n;
	}
	return 0;
}

static int bring_in(struct sl_part *p)
{
	size_t len = p->extent.len;
	struct sl_buf *buf = sl_buf_new(len);
	int err;

	if (!buf)
		return -ENOMEM;
	err = read_extent(&p->extent, 0, buf->data, len);
	if (err) {
		sl_buf_release(buf);
		return err;
	}
	sl_part_release(p);
	*p = sl_part_slice((struct sl_slice){buf, buf->data, len});
	return 0;
}

static ssize_t send_iov(struct sl_conn *c, struct iovec *iov, int n, bool more)
{
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)n};
	struct sl_io io;

	sl_io_sendmsg(&io, c->fd, &msg,
		      MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
	return sl_io_now(&io);
}

static ssize_t send_step(struct sl_conn *c, struct sl_reply *r, struct cursor *cur)
{
	const struct sl_extent *e = &r->parts[cur->part].extent;
	size_t len = sl_min(e->len - cur->off, (uint64_t)STEP_BYTES);
	struct sl_buf *buf = sl_buf_new(len);
	struct iovec iov;
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	n = read_extent(e, cur->off, buf->data, len);
	if (!n) {
		iov = (struct iovec){buf->data, len};
		n = send_iov(c, &iov, 1, cur->off + len < e->len || cur->part + 1 < r->n);
	}
	sl_buf_release(buf);
	if (n > 0)
		cursor_advance(cur, r, (uint64_t)n);
	return n;
}

static ssize_t send_parts(struct sl_conn *c, struct sl_reply *r, struct cursor *cur,
			  size_t bytes_max)
{
	struct iovec iov[IOV_MAX_PARTS];
	uint32_t part = cur->part;
	uint64_t off = cur->off;
	size_t bytes = 0;
	ssize_t sent;
	int n = 0;

	if (r->parts[part].kind == SL_PART_EXTENT && r->parts[part].extent.len > SMALL_BYTES)
		return send_step(c, r, cur);
	for (; part < r->n && n < IOV_MAX_PARTS && bytes < bytes_max; part++, off = 0) {
		struct sl_part *p = &r->parts[part];
		size_t len;

		if (p->kind == SL_PART_EXTENT) {
			int err;

			if (p->extent.len > SMALL_BYTES)
				break;
			err = bring_in(p);
			if (err)
				return err;
		}
		len = sl_min(p->slice.len - off, bytes_max - bytes);
		if (len)
			iov[n++] = (struct iovec){(void *)(p->slice.data + off), len};
		bytes += len;
	}
	sent = send_iov(c, iov, n, part < r->n);
	if (sent > 0)
		cursor_advance(cur, r, (uint64_t)sent);
	return sent;
}

const struct rung rung_copy = {.name = "copy", .can = can, .send = send_parts};
