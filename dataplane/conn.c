/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection's life: start, one request after the other, deadlines, end.
 *
 * Interface: the parts of conn.h that are not reading or listening; conn_*() inside the folder.
 * Invariants: at most one fiber serves a connection; a connection is freed only when no fiber,
 * no operation and no reply refers to it; one timer serves all of its deadlines and is never
 * moved earlier than needed, so that a request costs no heap operation.
 *
 * Order of parts: start; end; deadlines; serving; the rest.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include <sluice/probe.h>

#include "conn_pvt.h"
#include "file.h"
#include "log.h"

/* A limit of 0 is none. */
static int64_t after(int64_t now, int64_t limit_ns)
{
	return limit_ns ? now + limit_ns : SL_NEVER;
}

/* ---- start ------------------------------------------------------------------------------ */

static void timer_due(struct sl_timer *timer);

void conn_start(struct sl_listener *l, int fd)
{
	struct sl_conn *c = calloc(1, sizeof(*c) + l->proto->conn_bytes);
	int one = 1;

	if (!c) {
		sl_close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->l = l;
	c->fd = fd;
	c->head = c->tail = RX_NONE;
	c->write_at = SL_NEVER;
	c->until_told = UINT8_MAX;
	sl_list_init(&c->replies);
	sl_list_init(&c->starved);
	sl_list_init(&c->sending);
	sl_waitq_init(&c->room);
	sl_timer_init(&c->timer, timer_due);
	if (l->tls && conn_tls_start(c)) {
		sl_close(fd);
		free(c);
		return;
	}
	sl_list_append(&l->conns, &c->node);
	l->n++;
	steer_opened(l->core);
	sl_metric_add1(l->core->metrics, SL_M_CONNECTIONS, l->dim, 1);
	sl_metric_add1(l->core->metrics, SL_M_CONNECTIONS_TOTAL, l->dim, 1);
	c->idle_at = after(l->core->now, l->tls ? l->limits.handshake_ns : l->limits.idle_ns);
	rx_arm(c);
	conn_set_timer(c);
}

/* ---- end -------------------------------------------------------------------------------- */

static const char *const close_names[SL_CLOSE_LAST] = {
	[SL_CLOSE_NONE] = "none",
	[SL_CLOSE_PEER] = "peer",
	[SL_CLOSE_IDLE] = "idle",
	[SL_CLOSE_HEADER] = "incomplete-request",
	[SL_CLOSE_SLOW] = "slow-reader",
	[SL_CLOSE_REPLY] = "reply",
	[SL_CLOSE_PROTOCOL] = "protocol-error",
	[SL_CLOSE_ERROR] = "error",
	[SL_CLOSE_DRAIN] = "drain",
	[SL_CLOSE_LIMIT] = "limit",
	[SL_CLOSE_HANDSHAKE] = "handshake",
};

const char *sl_close_name(enum sl_close why)
{
	SL_ASSERT(why < SL_CLOSE_LAST);
	return close_names[why];
}

/* How long the peer may take to end after the last reply, so that no reset overtakes it. */
#define LINGER_NS (2 * SL_SEC)

static void wake_all(struct sl_conn *c)
{
	if (c->reader)
		sl_fiber_wake(c->reader, -ECONNRESET);
	c->reader = NULL;
	if (c->waiter)
		sl_fiber_wake(c->waiter, -ECONNRESET);
	c->waiter = NULL;
	sl_waitq_wake_all(&c->room, -ECONNRESET);
}

static void shut(struct sl_conn *c, int how)
{
	struct sl_io io;

	sl_io_shutdown(&io, c->fd, how);
	sl_io_now(&io);
}

/* Undecided replies stay until their commits are told: the news needs their memory. */
static void drop_replies(struct sl_conn *c)
{
	sl_list_each_safe(n, &c->replies) {
		struct sl_reply *r = sl_list_entry(n, struct sl_reply, node);

		if (r->undecided)
			continue;
		sl_list_remove(n);
		c->n_replies--;
		c->replies_held -= r->held;
		sl_reply_free(r);
	}
	c->cursor = (struct cursor){0};
}

bool conn_try_free(struct sl_conn *c)
{
	struct sl_listener *l = c->l;

	/* Until it is shut down, what is queued may still be sent: the peer may have ended one
	 * way only. */
	if (!c->dead || c->serving || c->rx.inflight || c->tx.inflight || c->zerocopies ||
	    transfer_waits(c))
		return false;
	transfer_drop(c);
	drop_replies(c);
	if (!sl_list_empty(&c->replies))
		return false;
	if (l->proto->closed)
		l->proto->closed(c);
	sl_timer_clear(&c->timer);
	sl_list_remove(&c->starved);
	sl_list_remove(&c->sending);
	sl_list_remove(&c->node);
	rx_drop(c);
	conn_tls_free(c);
	tcp_note(c);
	sl_close(c->fd);
	steer_closed(l->core);
	sl_metric_add1(l->core->metrics, SL_M_CONNECTIONS, l->dim, (uint64_t)-1);
	sl_metric_add2(l->core->metrics, SL_M_CONNECTIONS_CLOSED, l->dim, c->why, 1);
	free(c);
	if (--l->n == 0)
		sl_waitq_wake_all(&l->gone, 0);
	return true;
}

/* The kernel lets go of memory that it sends from when it lets go of what it queued. */
static void drop_queue(struct sl_conn *c)
{
	static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	struct sl_io io;

	sl_io_connect(&io, c->fd, &nobody, sizeof(nobody));
	sl_io_now(&io);
}

static void end_now(struct sl_conn *c)
{
	c->lingering = false;
	c->eof = c->dead = true;
	shut(c, SHUT_RDWR);
	if (c->zerocopies)
		drop_queue(c);
	rx_cancel(c);
	tx_cancel(c);
	wake_all(c);
	conn_try_free(c);
}

static bool all_sent(const struct sl_conn *c)
{
	return sl_list_empty(&c->replies) && !(c->tls && tls_pending(c->tls));
}

/* All replies are out: tells the peer, and waits for its end. */
static void linger(struct sl_conn *c)
{
	if (c->serving)
		return; /* serve() comes back here */
	if (!conn_tls_end(c))
		return; /* conn_flush() does */
	if (c->eof) {
		end_now(c);
		return;
	}
	c->lingering = true;
	shut(c, SHUT_WR);
	rx_drop(c);
	rx_arm(c);
	c->idle_at = c->l->core->now + LINGER_NS;
	conn_set_timer(c);
}

void conn_end(struct sl_conn *c, enum sl_close why, bool gracefully)
{
	if (!c->why)
		c->why = why;
	c->closing = true;
	if (!gracefully || c->lingering) {
		end_now(c);
		return;
	}
	if (all_sent(c))
		linger(c);
	/* Otherwise conn_flush() comes back here when the last reply is sent. */
}

/* ---- deadlines -------------------------------------------------------------------------- */

void conn_set_timer(struct sl_conn *c)
{
	int64_t at = sl_min(c->idle_at, c->write_at);

	if (at == SL_NEVER || (c->timer.slot && c->timer.at <= at))
		return;
	/* Without memory for a timer the connection could stay for ever. */
	if (sl_timer_set(&c->timer, at))
		conn_end(c, SL_CLOSE_ERROR, false);
}

static void log_closed(struct sl_conn *c, enum sl_close why, int err)
{
	if (c->blame)
		sl_log_warn("connection.closed", SL_KV(listener, c->l->proto->name),
			    SL_KV(peer, sl_conn_peer(c)), SL_KV(reason, sl_close_name(why)),
			    SL_KV_ERRNO(err), SL_KV(why, c->blame));
	else
		sl_log_warn("connection.closed", SL_KV(listener, c->l->proto->name),
			    SL_KV(peer, sl_conn_peer(c)), SL_KV(reason, sl_close_name(why)),
			    SL_KV_ERRNO(err));
}

/* A peer that owes something is worth a line; one that is merely silent is not. */
static void timer_due(struct sl_timer *timer)
{
	struct sl_conn *c = sl_container_of(timer, struct sl_conn, timer);
	int64_t now = c->l->core->now;
	enum sl_close why;

	if (now < c->write_at && now < c->idle_at) {
		conn_set_timer(c);
		return;
	}
	why = now >= c->write_at	  ? SL_CLOSE_SLOW
	      : c->tls && !c->tls->ready ? SL_CLOSE_HANDSHAKE
	      : c->buffered		  ? SL_CLOSE_HEADER
					  : SL_CLOSE_IDLE;
	if (why != SL_CLOSE_IDLE && !c->closing && !(c->tls && !c->tls->received))
		log_closed(c, why, -ETIME);
	conn_end(c, why, false);
}

/* ---- serving ---------------------------------------------------------------------------- */

static enum sl_close reason_of(int err)
{
	switch (err) {
	case -ECONNRESET:
	case -EPIPE:
	case -ENOTCONN:
		return SL_CLOSE_PEER;
	case -ETIME:
		return SL_CLOSE_HEADER;
	case -ENOMEM:
	case -EIO:
		return SL_CLOSE_ERROR;
	default:
		return SL_CLOSE_PROTOCOL;
	}
}

static void refused(struct sl_conn *c, int err)
{
	enum sl_close why = reason_of(err);

	if (why != SL_CLOSE_PEER)
		log_closed(c, why, err);
	conn_end(c, why, why == SL_CLOSE_PROTOCOL);
}

/* Whether a whole request, or as much as serve() wants, is there. Return: 1, 0, or -errno. */
static int request_ready(struct sl_conn *c)
{
	for (;;) {
		size_t have;
		const uint8_t *p = rx_contiguous(c, &have);
		ssize_t need;
		int err;

		if (!p)
			return 0;
		need = c->l->proto->need(c, p, have);
		if (need < 0)
			return (int)need;
		SL_ASSERT((size_t)need <= SL_CONN_WINDOW_BYTES);
		if ((size_t)need <= have)
			return rx_scarce(c) && rx_gather(c, have) ? -ENOMEM : 1;
		if ((size_t)need > c->l->limits.memory_bytes) {
			sl_conn_blame(c, "a request needs more than conn.memory_max_bytes");
			return -EMSGSIZE;
		}
		if (c->buffered <= have)
			return 0;
		err = rx_gather(c, sl_min((size_t)need, c->buffered));
		if (err)
			return err;
	}
}

/* How many requests a fiber serves in a row before the others have their turn. */
enum { SERVE_RUN = 16 };

static void note_request(struct sl_conn *c, int64_t ns)
{
	sl_hist_record(c->l->request_time, (uint64_t)ns);
	SL_PROBE3(request, c->l->proto->name, c, ns);
}

static void serve(void *arg)
{
	struct sl_conn *c = arg;
	int ready = 1;

	for (int run = 1; ready == 1 && !c->closing && !c->move.to; run++) {
		int64_t began = c->l->core->read_at, took;
		int err;

		c->idle_at = SL_NEVER;
		sl_cell_add(c->l->requests, 1);
		tcp_note_request(c);
		err = c->l->proto->serve(c);
		took = core_clock(c->l->core) - began;
		if (!c->noted)
			note_request(c, took);
		if (err < 0 && !c->closing) {
			c->serving = false;
			refused(c, err);
			return;
		}
		if (run % SERVE_RUN == 0)
			sl_fiber_yield(SL_NEVER);
		rx_note_request(c);
		ready = c->closing ? 0 : request_ready(c);
		if (!ready && !c->closing && !c->move.to && rx_try(c))
			ready = request_ready(c);
	}
	c->serving = false;
	if (ready < 0)
		refused(c, ready);
	else if (!c->closing)
		conn_advance(c);
	else if (!c->dead && all_sent(c))
		linger(c);
	else
		conn_try_free(c);
}

static void wait_for_request(struct sl_conn *c)
{
	const struct sl_conn_limits *lim = &c->l->limits;

	if (c->eof || c->l->draining) {
		conn_end(c, c->eof ? SL_CLOSE_PEER : SL_CLOSE_DRAIN, true);
		return;
	}
	/* A peer that is slow to go on must not keep a shared buffer meanwhile. */
	if (c->buffered && rx_gather(c, c->buffered)) {
		refused(c, -ENOMEM);
		return;
	}
	if (!c->buffered)
		c->idle_at = after(sl_now(), lim->idle_ns);
	else
		c->idle_at = sl_min(c->idle_at, after(sl_now(), lim->header_ns));
	rx_arm(c);
	conn_set_timer(c);
}

void conn_advance(struct sl_conn *c)
{
	int ready;

	if (c->lingering || c->closing) {
		rx_drop(c);
		if (c->eof && c->lingering)
			end_now(c);
		else if (!conn_try_free(c) && c->lingering)
			rx_arm(c);
		return;
	}
	if (c->serving) {
		if (c->reader && (c->buffered >= c->wanted || c->eof)) {
			struct sl_fiber *reader = c->reader;

			c->reader = NULL;
			sl_fiber_wake(reader, 0);
		}
		if (c->eof && c->waiter) {
			struct sl_fiber *waiter = c->waiter;

			c->waiter = NULL;
			sl_fiber_wake(waiter, -ECONNRESET);
		}
		/* What comes ahead is bounded, and stays in the socket while shared buffers are
		 * scarce; but who waits for more is not to wait for ever. */
		if (!c->reader && (c->buffered >= c->l->limits.ahead_bytes || rx_scarce(c)))
			rx_cancel(c);
		else if ((c->mode == RX_SMALL && !c->tls) || c->waiter || c->pokable)
			rx_arm(c);
		return;
	}
	if (conn_move_try(c))
		return;
	ready = request_ready(c);
	if (!ready && c->tls && conn_tls_try(c))
		ready = request_ready(c);
	if (ready < 0) {
		refused(c, ready);
	} else if (!ready) {
		wait_for_request(c);
	} else if (sl_fiber_start(c->l->proto->stack, serve, c)) {
		refused(c, -ENOMEM);
	} else {
		c->serving = true;
	}
}

/* ---- the rest --------------------------------------------------------------------------- */

void *sl_conn_state(struct sl_conn *conn)
{
	return conn->state;
}

void *sl_conn_arg(const struct sl_conn *conn)
{
	return conn->l->arg;
}

struct sl_core *sl_conn_core(const struct sl_conn *conn)
{
	return conn->l->core;
}

int64_t sl_conn_read_deadline(const struct sl_conn *conn)
{
	return after(sl_now(), conn->l->limits.header_ns);
}

int64_t sl_conn_write_deadline(const struct sl_conn *conn)
{
	return after(sl_now(), conn->l->limits.write_ns);
}

int64_t sl_conn_idle_deadline(const struct sl_conn *conn)
{
	return after(sl_now(), conn->l->limits.idle_ns);
}

void sl_conn_note_request(struct sl_conn *conn, int64_t ns)
{
	/* serve() itself was counted as the first one. */
	if (conn->noted)
		sl_cell_add(conn->l->requests, 1);
	conn->noted = true;
	note_request(conn, ns);
}

uint32_t sl_conn_queued(const struct sl_conn *conn)
{
	return conn->n_replies;
}

uint32_t sl_conn_dim(const struct sl_conn *conn)
{
	return conn->l->dim;
}

void sl_conn_blame(struct sl_conn *conn, const char *why)
{
	conn->blame = why;
}

size_t sl_conn_memory_max(const struct sl_conn *conn)
{
	return conn->l->limits.memory_bytes;
}

bool sl_conn_ending(const struct sl_conn *conn)
{
	return conn->eof || conn->closing || conn->l->draining ||
	       (conn->tls && conn->tls->hung_up);
}

int sl_conn_local(const struct sl_conn *conn, struct sockaddr_storage *ret_addr)
{
	socklen_t len = sizeof(*ret_addr);

	return getsockname(conn->fd, (struct sockaddr *)ret_addr, &len) ? -errno : 0;
}

const char *sl_conn_peer(const struct sl_conn *conn)
{
	static __thread char text[64];
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	char ip[INET6_ADDRSTRLEN] = "?";

	if (getpeername(conn->fd, (struct sockaddr *)&a, &len))
		return "gone";
	if (a.ss_family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)&a;

		inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
		snprintf(text, sizeof(text), "%s:%u", ip, ntohs(in->sin_port));
	} else if (a.ss_family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a;

		inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip));
		snprintf(text, sizeof(text), "[%s]:%u", ip, ntohs(in6->sin6_port));
	} else {
		return "unix";
	}
	return text;
}

int sl_conn_wait(struct sl_conn *conn, struct sl_waitq *q, int64_t deadline)
{
	int res;

	if (sl_conn_ending(conn))
		return -ECONNRESET;
	SL_ASSERT(!conn->waiter);
	conn->waiter = sl_fiber_self();
	/* The peer's end is seen by receiving alone, whatever the size of its requests. */
	if (conn->tls || (conn->buffered < conn->l->limits.ahead_bytes && !rx_scarce(conn)))
		rx_arm(conn);
	res = sl_waitq_wait(q, deadline);
	conn->waiter = NULL;
	return res;
}
