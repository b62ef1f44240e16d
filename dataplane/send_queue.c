/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much a connection's socket may hold queued.
 *
 * Interface: send_queue_*() of conn_pvt.h. Left to itself the kernel lets megabytes queue up on a
 * fast path; their pages leave the processor's cache before the receiver copies them, and each
 * byte costs two to four times as much. So the first large part bounds both what is queued
 * (SO_SNDBUF) and what of it is not sent yet (TCP_NOTSENT_LOWAT): bounding one of them is not
 * enough. Whenever the socket is full the bound is held against what the path needs, twice its
 * delivery rate times its least round trip: a bound that limits the rate thus doubles with each
 * look until it does not. A path that needs more than net.core.wmem_max gets the kernel's own
 * bound back. Connections without large parts are left alone, and so are those of a listener on a
 * loopback address whose control of congestion does not pace: they need no bound.
 *
 * Order of parts: setting; what the path needs; when.
 */
#include <linux/tcp.h>
#include <netinet/in.h>

#include "conn_pvt.h"

enum {
	BOUND_MIN = 128 << 10,
	UNSENT_MIN = 32 << 10,
	LARGE_BYTES = 128 << 10, /* a part from which on the bound pays */
};

#define LOOK_NS (10 * SL_MSEC)

/* Since Linux 5.15; the C library's headers may lack them. */
#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif

/* ---- setting ---------------------------------------------------------------------------- */

static void set_unsent(struct sl_conn *c, uint64_t bytes)
{
	int v = (int)sl_min(bytes, (uint64_t)SL_GIB);

	setsockopt(c->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &v, sizeof(v));
}

/* Return: whether the socket now has room for @bytes; the kernel doubles what it is given. */
static bool set_queue(struct sl_conn *c, uint64_t bytes)
{
	int v = (int)sl_min(bytes, (uint64_t)SL_GIB), got = 0;
	socklen_t len = sizeof(got);

	if (setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v)) ||
	    getsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &got, &len))
		return false;
	return got / 2 >= v;
}

static void unlock(struct sl_conn *c)
{
	int none = 0;

	setsockopt(c->fd, SOL_SOCKET, SO_BUF_LOCK, &none, sizeof(none));
	c->queue_unlocked = true;
}

static void bound(struct sl_conn *c, uint64_t bytes, uint64_t unsent)
{
	if (!c->queue_unlocked && !set_queue(c, bytes))
		unlock(c);
	set_unsent(c, unsent);
	c->queue_bytes = (uint32_t)sl_min(bytes, (uint64_t)UINT32_MAX);
}

/* ---- what the path needs ---------------------------------------------------------------- */

struct path {
	uint64_t bytes_per_s;
	uint64_t round_trip_us;
};

static bool path_of(const struct sl_conn *c, struct path *ret_path)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) ||
	    len < offsetof(struct tcp_info, tcpi_delivery_rate) + sizeof(info.tcpi_delivery_rate))
		return false;
	ret_path->bytes_per_s = info.tcpi_delivery_rate;
	ret_path->round_trip_us = info.tcpi_min_rtt;
	return info.tcpi_delivery_rate && info.tcpi_min_rtt;
}

/* ---- when ------------------------------------------------------------------------------- */

void send_queue_bound(struct sl_conn *c, uint64_t left)
{
	if (c->queue_bytes || left < LARGE_BYTES || c->l->unpaced || c->l->limits.deliver.unbounded)
		return;
	bound(c, BOUND_MIN, UNSENT_MIN);
	c->queue_at = c->l->core->now + LOOK_NS;
}

/*
 * sendfile says MSG_MORE by itself while it has more, so what the socket took last may wait for the
 * rest of a segment (64 KiB on loopback) that is not to come before there is room: a standstill
 * until the kernel's probe timer, 200 ms later. Setting TCP_NODELAY anew sends it.
 */
static void push(const struct sl_conn *c)
{
	int one = 1;

	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

void send_queue_full(struct sl_conn *c)
{
	struct path path;
	uint64_t need, unsent;

	push(c);
	if (!c->queue_bytes || c->l->core->now < c->queue_at || !path_of(c, &path))
		return;
	c->queue_at = c->l->core->now +
		      sl_max(LOOK_NS, (int64_t)path.round_trip_us * SL_USEC);
	need = sl_max(2 * path.bytes_per_s * path.round_trip_us / 1000000, (uint64_t)BOUND_MIN);
	/* What a core sends in the 2 ms that it may need to come back, of what the path holds. */
	unsent = sl_min(need / 4, path.bytes_per_s / 500);
	if (need > c->queue_bytes)
		need = sl_min(need, 2 * (uint64_t)c->queue_bytes);
	else if (need > c->queue_bytes / 2)
		return; /* near enough */
	bound(c, need, sl_max(unsent, (uint64_t)UNSENT_MIN));
}
