/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of a listener with TLS: the handshake, and receiving.
 *
 * Interface: conn_tls_*() of conn_pvt.h. Such a connection waits until its socket is readable, and
 * what comes is decrypted into its window, or into the memory of a handler that wants it in place;
 * shared buffers have no part in it. The handshake goes on outside fibers, at each step as far as
 * the peer's bytes allow, a few steps in each turn of a core: it is arithmetic, and others wait
 * meanwhile. Invariants: a socket is waited for only when what came before is used up (or, while a
 * request is served, known of); the window does not move while a handler may look at it.
 *
 * Order of parts: life; the handshake; receiving.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "conn_pvt.h"
#include "log.h"

/* ---- life ------------------------------------------------------------------------------- */

void sl_listener_secure(struct sl_listener *l, struct sl_tls *tls)
{
	SL_ON_CORE(l->core);
	sl_tls_free(l->tls);
	l->tls = tls;
	l->core->shakes.no_kernel = false;
}

int conn_tls_start(struct sl_conn *c)
{
	struct tls *t = malloc(sizeof(*t));

	if (t && !tls_init(t, c->l->tls, c->fd, true)) {
		c->tls = t;
		return 0;
	}
	free(t);
	return -ENOMEM;
}

void conn_tls_free(struct sl_conn *c)
{
	if (!c->tls)
		return;
	tls_done(c->tls);
	free(c->tls);
	c->tls = NULL;
}

bool sl_conn_tls(const struct sl_conn *conn)
{
	return conn->tls;
}

const char *sl_conn_alpn(const struct sl_conn *conn)
{
	static __thread char name[32];
	const unsigned char *p = NULL;
	unsigned int len = 0;

	if (conn->tls)
		SSL_get0_alpn_selected(conn->tls->ssl, &p, &len);
	len = sl_min(len, (unsigned int)sizeof(name) - 1);
	if (len)
		memcpy(name, p, len);
	name[len] = 0;
	return name;
}

/* What OpenSSL wanted to say and the socket did not take goes out when there is room. */
static void send_rest(struct sl_conn *c)
{
	if (tls_pending(c->tls) && !c->tx.inflight && sl_list_empty(&c->sending))
		conn_wait_for_room(c);
}

bool conn_tls_end(struct sl_conn *c)
{
	if (!c->tls)
		return true;
	tls_end(c->tls);
	send_rest(c);
	return !tls_pending(c->tls);
}

/* ---- the handshake ---------------------------------------------------------------------- */

/* Steps of handshakes in one turn of a core: a signature by RSA takes half a millisecond. */
enum { STEPS_MAX = 4 };

static bool may_step(struct sl_core *core)
{
	if (core->shakes.turn != core->now) {
		core->shakes.turn = core->now;
		core->shakes.steps = 0;
	}
	return core->shakes.steps++ < STEPS_MAX;
}

static void refused(struct sl_conn *c, int err)
{
	bool silent = !c->tls->received || err == -ECONNRESET || err == -EPIPE;

	if (c->tls->reason)
		sl_conn_blame(c, c->tls->reason);
	if (!silent)
		sl_log_warn("tls.handshake-failed", SL_KV(listener, c->l->proto->name),
			    SL_KV(peer, sl_conn_peer(c)), SL_KV_ERRNO(err),
			    SL_KV(why, c->blame ? c->blame : "the peer went away"));
	conn_end(c, SL_CLOSE_HANDSHAKE, false);
}

/* What this core found missing is not tried again before the next reload. */
static void try_kernel(struct sl_conn *c)
{
	struct sl_core *core = c->l->core;
	int err;

	if (!c->tls->from->kernel || core->shakes.no_kernel)
		return;
	err = tls_kernel_take(c->tls);
	if (!err)
		sl_metric_add1(core->metrics, SL_M_TLS_KERNEL, c->l->dim, 1);
	core->shakes.no_kernel = err == -ENOENT;
}

/* Return: whether it is done, and @c still there. */
static bool shake(struct sl_conn *c)
{
	struct sl_metrics *m = c->l->core->metrics;
	int err;

	if (!may_step(c->l->core)) {
		rx_arm(c);
		return false;
	}
	err = tls_handshake(c->tls);
	if (err == -EAGAIN) {
		send_rest(c);
		rx_arm(c);
		return false;
	}
	if (err) {
		refused(c, err);
		return false;
	}
	send_rest(c);
	sl_metric_add1(m, SL_M_TLS_HANDSHAKES, c->l->dim, 1);
	if (SSL_session_reused(c->tls->ssl))
		sl_metric_add1(m, SL_M_TLS_RESUMED, c->l->dim, 1);
	try_kernel(c);
	c->idle_at = SL_NEVER; /* until it waits for a request */
	return true;
}

/* ---- receiving -------------------------------------------------------------------------- */

/* @res of a read: notes that nothing more is to come. */
static void note_end(struct sl_conn *c, ssize_t res)
{
	struct tls *t = c->tls;

	if (res > 0 || res == -EAGAIN)
		return;
	c->eof = true;
	if (t->reason) {
		c->why = c->why ? c->why : SL_CLOSE_PROTOCOL;
		sl_log_warn("tls.broken", SL_KV(listener, c->l->proto->name),
			    SL_KV(peer, sl_conn_peer(c)), SL_KV(why, t->reason));
		t->reason = NULL;
	}
}

/* Decrypts what is there until @want bytes are buffered. Return: whether any came. */
static bool fill(struct sl_conn *c, size_t want)
{
	size_t had = c->buffered;

	while (c->buffered < want && !c->eof && !c->tls->drained) {
		size_t room;
		uint8_t *dst = rx_room(c, &room);
		ssize_t n = dst ? tls_read(c->tls, dst, room) : -ENOMEM;

		rx_took(c, n > 0 ? (size_t)n : 0);
		note_end(c, n);
	}
	send_rest(c);
	return c->buffered > had;
}

bool conn_tls_try(struct sl_conn *c)
{
	return c->tls->ready && fill(c, SL_CONN_WINDOW_BYTES);
}

/* A request is served, and its handler does not read: all that matters is the peer's end. */
static void look(struct sl_conn *c)
{
	struct tls *t = c->tls;

	if (t->ahead)
		t->hung_up = true; /* what was waited for is the end behind it */
	else
		note_end(c, tls_peek(t));
	if ((c->eof || t->hung_up) && c->waiter) {
		struct sl_fiber *waiter = c->waiter;

		c->waiter = NULL;
		sl_fiber_wake(waiter, -ECONNRESET);
	}
	send_rest(c);
}

static void readable(struct sl_io *io)
{
	struct sl_conn *c = io->arg;

	if (c->direct && c->reader) {
		struct sl_fiber *reader = c->reader;

		c->tls->drained = false;
		c->reader = NULL;
		sl_fiber_wake(reader, 0);
		return;
	}
	if (io->res < 0 || c->dead) {
		conn_advance(c);
		return;
	}
	if (!c->tls->ready && !shake(c))
		return;
	c->tls->drained = false;
	if (c->serving && !c->pokable) /* who waits for events waits for bytes too */
		look(c);
	else
		fill(c, SL_CONN_WINDOW_BYTES);
	conn_advance(c);
}

bool conn_tls_arm(struct sl_conn *c)
{
	if (c->tls->ahead && c->tls->hung_up)
		return false;
	sl_io_poll(&c->rx, c->fd, c->tls->ahead ? POLLRDHUP : POLLIN, 0);
	c->rx.done = readable;
	return true;
}

/* Parks until there is something to decrypt. */
static int wait_readable(struct sl_conn *c, int64_t deadline)
{
	int res;

	rx_arm(c);
	c->direct = true;
	c->reader = sl_fiber_self();
	c->wanted = SIZE_MAX;
	res = sl_fiber_park(deadline);
	c->reader = NULL;
	c->direct = false;
	return c->dead ? -ECONNRESET : res;
}

int conn_tls_gather(struct sl_conn *c, size_t n, int64_t deadline)
{
	int err = 0;

	for (;;) {
		fill(c, n);
		if (c->buffered >= n)
			return 0;
		if (c->eof || err)
			return err ? err : -ECONNRESET;
		err = wait_readable(c, deadline);
	}
}

int conn_tls_read(struct sl_conn *c, uint8_t *dst, size_t n, int64_t deadline)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = c->eof ? -ECONNRESET : tls_read(c->tls, dst + done, n - done);
		int err;

		if (got > 0) {
			done += (size_t)got;
			sl_cell_add(c->l->received, (uint64_t)got);
			continue;
		}
		note_end(c, got);
		if (c->eof)
			return -ECONNRESET;
		send_rest(c);
		err = wait_readable(c, deadline);
		if (err)
			return err;
	}
	return c->dead ? -ECONNRESET : 0;
}
