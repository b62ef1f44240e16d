/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The copy rung: slices, and extents so small that copying them is cheaper than a call of their
 * own, in one sendmsg().
 *
 * A small extent is read into a buf that takes its place in the reply, if that does not wait for
 * the disk; else it is read_fixed's. What is in the page cache and mapped is sent, or where this
 * side encrypts encrypted, from there.
 */
#include <errno.h>

#include "conn_pvt.h"

enum {
	IOV_MAX_PARTS = 32,
	STEP_BYTES = 64 << 10,
	BRING_IN_BYTES_MAX = 256 << 10,
	MAPPED_BYTES_MIN = 4 << 10, /* less is read as fast */
};

static bool can(const struct sl_conn *c, const struct sl_part *p)
{
	(void)c;
	(void)p;
	return true;
}

/* Return: 0; -EOPNOTSUPP: reading would wait for the disk; -errno. */
static int read_extent(const struct sl_extent *e, uint64_t off, uint8_t *dst, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct sl_io io;
		int n;

		sl_io_read(&io, e->file->fd, dst + done, len - done, e->off + off + done);
		io.flags = RWF_NOWAIT;
		n = sl_io_now(&io);
		if (n == -EAGAIN)
			return -EOPNOTSUPP;
		if (n <= 0)
			return n ? n : -EIO;
		done += (size_t)n;
	}
	return 0;
}

/* Reads an extent at the cursor, or behind it, into memory that takes its place. */
static int bring_in(struct sl_conn *c, struct sl_part *p)
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
	rung_note(c, len, true);
	sl_part_release(p);
	*p = sl_part_slice((struct sl_slice){buf, buf->data, len});
	return 0;
}

/* Counts that an extent would wait for the disk. Return: @err. */
static int cold(struct sl_conn *c, int err)
{
	if (err == -EOPNOTSUPP)
		rung_fell_back(c, SL_FALLBACK_COLD);
	return err;
}

/* An extent that is too large for that, where the setting asks for it: a step at a time. */
static ssize_t send_large(struct sl_conn *c, const struct sl_reply *r, size_t bytes_max)
{
	const struct sl_extent *e = &r->parts[c->cursor.part].extent;
	uint64_t left = e->len - c->cursor.off;
	uint64_t step = conn_encrypts(c) ? TLS_WRITE_BYTES : STEP_BYTES;
	size_t len = sl_min(sl_min(left, step), (uint64_t)bytes_max);
	struct sl_buf *buf = sl_buf_new(len);
	struct iovec iov;
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	n = read_extent(e, c->cursor.off, buf->data, len);
	if (n)
		n = cold(c, (int)n);
	else {
		iov = (struct iovec){buf->data, len};
		n = conn_sendv(c, &iov, 1, len < left || c->cursor.part + 1 < r->n);
	}
	sl_buf_release(buf);
	return n;
}

struct gather {
	struct sl_conn *c;
	struct iovec iov[IOV_MAX_PARTS];
	int n;
	bool chosen; /* this rung was chosen for the next part */
	size_t bytes, bytes_max;
	size_t mapped; /* of @bytes */
};

/* Whether this rung is the one for the whole of @e, if it is resident. */
static bool is_for(const struct gather *g, const struct sl_extent *e)
{
	return g->chosen || rung_copies(g->c, e->len);
}

/* The next @len bytes of an extent, for a system call; NULL: they are to be read. */
static const uint8_t *image_of(const struct gather *g, const struct sl_extent *e, uint64_t off,
			       size_t len)
{
	const struct sl_file *f = e->file;

	if (!f->image || f->home != g->c->l->core || e->off + off + len > f->image_bytes ||
	    !is_for(g, e) || !residency_has(g->c, e, off, len))
		return NULL;
	if (!off)
		rung_note(g->c, e->len, true);
	return f->image + e->off + off;
}

/* Adds the next @len bytes of an extent as they lie in memory. Return: whether they do. */
static bool gather_mapped(struct gather *g, const struct sl_extent *e, uint64_t off, size_t len)
{
	const uint8_t *data = NULL;

	if (!conn_encrypts(g->c))
		data = image_of(g, e, off, len);
	else if (e->len >= MAPPED_BYTES_MIN)
		data = mapped_bytes(g->c, e, off, len);
	if (!data)
		return false;
	g->iov[g->n++] = (struct iovec){(void *)data, len};
	g->bytes += len;
	g->mapped += len;
	g->chosen = false;
	return true;
}

/* Adds @r's parts from @part at @off on. Return: 1: all of them, 0: not all, -errno. */
static int gather_reply(struct gather *g, struct sl_reply *r, uint32_t part, uint64_t off)
{
	for (; part < r->n; part++, off = 0) {
		struct sl_part *p = &r->parts[part];
		size_t len;

		if (!sl_part_len(p))
			continue;
		if (g->n == IOV_MAX_PARTS || g->bytes == g->bytes_max)
			return 0;
		len = sl_min(sl_part_len(p) - off, (uint64_t)(g->bytes_max - g->bytes));
		if (p->kind == SL_PART_EXTENT && gather_mapped(g, &p->extent, off, len)) {
			if (off + len < p->extent.len)
				return 0;
			continue;
		}
		if (p->kind == SL_PART_EXTENT) {
			int err;

			if (p->extent.len > BRING_IN_BYTES_MAX || !is_for(g, &p->extent))
				return 0;
			err = bring_in(g->c, p);
			if (err)
				return err;
		} else if (!g->chosen && rung_send_zc.can(g->c, p)) {
			return 0;
		}
		g->chosen = false;
		g->iov[g->n++] = (struct iovec){(void *)(p->slice.data + off), len};
		g->bytes += len;
		if (off + len < p->slice.len)
			return 0;
	}
	return 1;
}

static void count_mapped(const struct sl_conn *c, size_t bytes)
{
	sl_metric_add1(c->l->core->metrics, SL_M_DELIVER_MAPPED, c->l->dim, bytes);
	sl_metric_add1(c->l->core->metrics, SL_M_DELIVER_MAPS, c->l->dim, 1);
}

static ssize_t send_parts(struct sl_conn *c, struct sl_reply *r, size_t bytes_max)
{
	struct gather g; /* not cleared as a whole: of its vectors few are used */
	ssize_t n;
	int all;

	g.c = c;
	g.n = 0;
	g.chosen = true;
	g.bytes = g.mapped = 0;
	g.bytes_max = bytes_max;
	if (conn_encrypts(c))
		g.bytes_max = sl_min(bytes_max, (size_t)TLS_WRITE_BYTES);
	all = gather_reply(&g, r, c->cursor.part, c->cursor.off);
	while (all > 0 && !r->close && r->node.next != &c->replies) {
		r = sl_list_entry(r->node.next, struct sl_reply, node);
		if (r->undecided || r->broken)
			break;
		c->cursor.cost.spoilt = true;
		all = gather_reply(&g, r, 0, 0);
	}
	if (all < 0 && !g.n)
		return cold(c, all);
	if (!g.n) /* an extent that is too large to be read at once */
		return send_large(c, r, bytes_max);
	n = conn_sendv(c, g.iov, g.n, !all);
	if (!g.mapped)
		return n;
	rung_note_stall(c);
	if (n > 0)
		count_mapped(c, sl_min(g.mapped, (size_t)n));
	/* The file is shorter than the length that the reply has promised. */
	if (n == -EFAULT)
		n = -EIO;
	if (n == -EIO)
		rung_fell_back(c, SL_FALLBACK_UNREADABLE);
	return n;
}

const struct rung rung_copy = {
	.name = "copy",
	.below = SL_RUNG_READ_FIXED,
	.copies = true,
	.can = can,
	.send = send_parts,
};
