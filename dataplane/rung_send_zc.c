/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The send_zc rung: memory goes to the socket without a copy; the network card reads it by itself.
 *
 * The memory must stay until the kernel says that it needs it no more, which is when the peer has
 * acknowledged the bytes: so each send holds a reference of its own, beyond the reply and even the
 * fiber that made it, and the connection is not freed before. On some ways (loopback, most virtual
 * ones) the kernel copies after all, and says so: then the connection goes back to plain sends.
 * Only memory of the core's own arena is sent so; a foreign buf has one reference, the reply's.
 */
#include <errno.h>
#include <stdlib.h>

#include "conf.h"
#include "conn_pvt.h"

struct zerocopy {
	struct sl_io io;
	struct sl_list node; /* core->zerocopies */
	struct sl_conn *c;
	struct sl_buf *buf;
	uint32_t bytes; /* sent */
};

enum { MIN_BYTES = 10 << 10 };

static bool can(const struct sl_conn *c, const struct sl_part *p)
{
	const struct sl_deliver_conf *conf = &c->l->limits.deliver;
	size_t min = conf->zerocopy_min_bytes ? conf->zerocopy_min_bytes : MIN_BYTES;

	return p->kind == SL_PART_SLICE && p->slice.len >= min && !c->copies_anyway && !c->tls &&
	       p->slice.buf && p->slice.buf->home == c->l->core &&
	       sl_ring_has(c->l->core->ring, SL_FEATURE_SEND_ZC);
}

/* On this machine there is no card: nothing is lost by not trying, but for measuring. */
static bool way_is_local(const struct sl_conn *c)
{
	struct sl_conf_addr peer = {0};
	socklen_t len = sizeof(peer.in6);

	if (c->l->limits.deliver.rung == 1 + SL_RUNG_SEND_ZC)
		return false;
	return getpeername(c->fd, &peer.sa, &len) || peer.sa.sa_family == AF_UNIX ||
	       sl_conf_addr_is_loopback(&peer);
}

static struct zerocopy *zerocopy_new(struct sl_conn *c, struct sl_buf *buf)
{
	struct sl_list *n = sl_list_pop(&c->l->core->zerocopies);
	struct zerocopy *z = n ? sl_list_entry(n, struct zerocopy, node) : malloc(sizeof(*z));

	if (!z)
		return NULL;
	z->c = c;
	z->buf = sl_buf_retain(buf);
	z->bytes = 0;
	sl_list_init(&z->node);
	c->zerocopies++;
	return z;
}

static void zerocopy_free(struct zerocopy *z)
{
	sl_buf_release(z->buf);
	z->c->zerocopies--;
	sl_list_push(&z->c->l->core->zerocopies, &z->node);
}

/* What the kernel did with the bytes; until then they count as not copied. */
static void count(struct sl_conn *c, const struct zerocopy *z, bool copied)
{
	struct sl_metrics *m = c->l->core->metrics;

	if (copied && !c->copies_anyway) {
		c->copies_anyway = true;
		rung_fell_back(c, SL_FALLBACK_PEER);
	}
	sl_metric_add1(m, copied ? SL_M_DELIVER_COPIED : SL_M_DELIVER_ZEROCOPY, c->l->dim,
		       z->bytes);
}

/* The send itself is answered: @res bytes, or why not. */
static void answered(struct sl_conn *c, int res)
{
	c->zerocopy = NULL;
	if (res > 0) {
		c->write_at = SL_NEVER;
		conn_sent(c, SL_RUNG_SEND_ZC, (size_t)res);
	} else if (res == -EINVAL || res == -EOPNOTSUPP) {
		c->copies_anyway = true; /* a kernel or a socket that cannot */
		rung_fell_back(c, SL_FALLBACK_PEER);
	} else if (res == -EAGAIN) {
		conn_wait_for_room(c);
		return;
	} else {
		conn_cannot_send(c, res ? res : -EIO);
		return;
	}
	conn_flush(c);
}

static void zerocopy_done(struct sl_io *io)
{
	struct zerocopy *z = io->arg;
	struct sl_conn *c = z->c;
	bool first = c->zerocopy == z;
	int res = io->res;

	if (io->notif)
		count(c, z, (uint32_t)res & SL_ZC_COPIED);
	else if (res > 0)
		z->bytes = (uint32_t)res;
	if (!io->more)
		zerocopy_free(z);
	if (first && !c->dead) {
		answered(c, res);
		return;
	}
	if (first)
		c->zerocopy = NULL;
	if (c->dead)
		conn_try_free(c);
	else
		conn_move_try(c); /* which waits for the last of them */
}

static ssize_t send_slice(struct sl_conn *c, struct sl_reply *r, size_t bytes_max)
{
	const struct sl_slice *s = &r->parts[c->cursor.part].slice;
	size_t left = s->len - c->cursor.off;
	struct zerocopy *z;

	if (!c->way_known)
		c->copies_anyway = way_is_local(c);
	c->way_known = true;
	if (c->copies_anyway) {
		rung_fell_back(c, SL_FALLBACK_PEER);
		return -EOPNOTSUPP;
	}
	z = zerocopy_new(c, s->buf);
	if (!z)
		return -ENOMEM;
	sl_io_send_zc(&z->io, c->fd, s->data + c->cursor.off, sl_min(left, bytes_max),
		      MSG_NOSIGNAL | MSG_DONTWAIT | (rung_more(c, r, left) ? MSG_MORE : 0));
	z->io.done = zerocopy_done;
	z->io.arg = z;
	if (sl_ring_start(c->l->core->ring, &z->io)) {
		zerocopy_free(z);
		rung_fell_back(c, SL_FALLBACK_PEER);
		return -EOPNOTSUPP;
	}
	c->zerocopy = z;
	return -EINPROGRESS;
}

void zerocopies_done(struct sl_core *core)
{
	struct sl_list *n;

	while ((n = sl_list_pop(&core->zerocopies)))
		free(sl_list_entry(n, struct zerocopy, node));
}

const struct rung rung_send_zc = {
	.name = "send_zc",
	.below = SL_RUNG_COPY,
	.can = can,
	.send = send_slice,
};
