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
 * look until it does not. On a short path a larger queue makes the round trip longer, and so asks
 * for a yet larger one: there a growth is on trial, and taken back unless the path then carries a
 * quarter more. A path that needs more than net.core.wmem_max gets the kernel's own bound back.
 * Connections without large parts are left alone, and so are those of a listener on a loopback
 * address whose control of congestion does not pace: they need no bound.
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

/* A path whose round trip is shorter is short; how many looks a growth that was no use rests it. */
enum { SHORT_US = 1000, REST_LOOKS = 100 };

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
	c->queue.unlocked = true;
}

static void bound(struct sl_conn *c, uint64_t bytes, uint64_t unsent)
{
	if (!c->queue.unlocked && !set_queue(c, bytes))
		unlock(c);
	set_unsent(c, unsent);
	c->queue.bytes = bytes;
}

/* ---- what the path needs ---------------------------------------------------------------- */

static bool path_of(const struct sl_conn *c, struct send_path *ret_path)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) ||
	    len < offsetof(struct tcp_info, tcpi_busy_time) + sizeof(info.tcpi_busy_time))
		return false;
	*ret_path = (struct send_path){
		.bytes_per_s = info.tcpi_delivery_rate,
		.round_trip_us = info.tcpi_min_rtt,
		.acked = info.tcpi_bytes_acked,
		.busy_us = info.tcpi_busy_time,
	};
	return info.tcpi_delivery_rate && info.tcpi_min_rtt;
}

/* What it carried a second since the last look, while there was anything to carry. */
static uint64_t carried(struct send_queue *q, const struct send_path *p)
{
	uint64_t bytes = p->acked - q->acked, us = p->busy_us - q->busy_us;

	q->acked = p->acked;
	q->busy_us = p->busy_us;
	return us ? bytes * 1000000 / us : 0;
}

uint64_t send_queue_next(struct send_queue *q, const struct send_path *p)
{
	uint64_t need = sl_max(2 * p->bytes_per_s * p->round_trip_us / 1000000,
			       (uint64_t)BOUND_MIN);
	bool tried = q->on_trial, is_short = p->round_trip_us < SHORT_US;
	uint64_t per_s = carried(q, p);

	q->on_trial = false;
	if (q->resting)
		q->resting--;
	if (tried && is_short && per_s < q->before_per_s + q->before_per_s / 4) {
		q->resting = REST_LOOKS;
		return q->before;
	}
	if (need <= q->bytes)
		return need > q->bytes / 2 ? q->bytes : need; /* near enough */
	if (is_short && q->resting)
		return q->bytes;
	q->on_trial = true;
	q->before = q->bytes;
	q->before_per_s = per_s;
	return sl_min(need, 2 * q->bytes);
}

/* ---- when ------------------------------------------------------------------------------- */

void send_queue_bound(struct sl_conn *c, uint64_t left)
{
	if (c->queue.bytes || left < LARGE_BYTES || c->l->unpaced || c->l->limits.deliver.unbounded)
		return;
	bound(c, BOUND_MIN, UNSENT_MIN);
	c->queue.look_at = c->l->core->now + LOOK_NS;
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
	struct send_queue *q = &c->queue;
	struct send_path path;
	uint64_t next, unsent;

	push(c);
	if (!q->bytes || c->l->core->now < q->look_at || !path_of(c, &path))
		return;
	q->look_at = c->l->core->now + sl_max(LOOK_NS, (int64_t)path.round_trip_us * SL_USEC);
	next = send_queue_next(q, &path);
	if (next == q->bytes)
		return;
	/* What a core sends in the 2 ms that it may need to come back, of what the path holds. */
	unsent = sl_min(next / 4, path.bytes_per_s / 500);
	bound(c, next, sl_max(unsent, (uint64_t)UNSENT_MIN));
}
