// SPDX-License-Identifier: Apache-2.0
/*
 * A connection's move to another core, once, between two requests.
 *
 * Interface: sl_conn_move() of conn.h; conn_move_try() inside the folder. The whole connection goes
 * by one message: descriptors are the process's, and no ring has registered them, so that nothing
 * needs to pass between rings. Invariants: it leaves only when no fiber, operation, reply or timer
 * of the old core refers to it; what came and was not consumed goes with it in one buf, which goes
 * home from there; what comes meanwhile waits in the socket. If it ends first, it ends where it is.
 *
 * Order of parts: arrival; departure; the call.
 */
#include <string.h>

#include "conn_pvt.h"
#include "file.h"

/* ---- arrival ---------------------------------------------------------------------------- */

/* The listener of this core that serves the same as the one that @c came from. */
static struct sl_listener *twin(const struct sl_conn *c)
{
	sl_list_each_safe(n, &sl_core_self()->listeners) {
		struct sl_listener *l = sl_list_entry(n, struct sl_listener, node);

		/* One that drains has counted its connections, maybe for the last time. */
		if (l->proto == c->move.proto && l->dim == c->move.dim && !l->draining)
			return l;
	}
	return NULL;
}

/* The daemon ends: so does the connection. */
static void nobody_here(struct sl_conn *c)
{
	if (c->move.proto->closed)
		c->move.proto->closed(c);
	sl_metric_add2(sl_core_self()->metrics, SL_M_CONNECTIONS_CLOSED, c->move.dim,
		       SL_CLOSE_DRAIN, 1);
	sl_buf_release(c->window);
	conn_tls_free(c);
	sl_close(c->fd);
	free(c);
}

/* Its bytes into a buf of this core; without memory they stay where they are. */
static void adopt_window(struct sl_conn *c)
{
	struct sl_buf *buf = c->window ? sl_buf_new(c->window_len) : NULL;

	if (!buf)
		return;
	memcpy(buf->data, c->window->data + c->window_off, c->window_len);
	sl_buf_release(c->window);
	c->window = buf;
	c->window_off = 0;
}

static void arrived(struct sl_msg *msg)
{
	struct sl_conn *c = sl_container_of(msg, struct sl_conn, move.msg);
	struct sl_listener *l = twin(c);

	if (!l) {
		nobody_here(c);
		return;
	}
	c->l = l;
	c->move.to = NULL;
	adopt_window(c);
	sl_list_append(&l->conns, &c->node);
	l->n++;
	steer_opened(l->core);
	sl_metric_add1(l->core->metrics, SL_M_CONNECTIONS, l->dim, 1);
	sl_metric_add1(l->core->metrics, SL_M_CONNECTIONS_MOVED, l->dim, 1);
	conn_advance(c);
}

/* ---- departure -------------------------------------------------------------------------- */

static void leave(struct sl_conn *c)
{
	struct sl_listener *l = c->l;

	sl_timer_clear(&c->timer);
	sl_list_remove(&c->node);
	sl_list_remove(&c->starved);
	c->idle_at = c->write_at = SL_NEVER;
	c->move.proto = l->proto;
	c->move.dim = l->dim;
	c->move.msg.fn = arrived;
	c->l = NULL;
	steer_closed(l->core);
	sl_metric_add1(l->core->metrics, SL_M_CONNECTIONS, l->dim, (uint64_t)-1);
	sl_post(c->move.to, &c->move.msg);
	if (--l->n == 0)
		sl_waitq_wake_all(&l->gone, 0);
}

static bool stays(const struct sl_conn *c)
{
	return c->eof || c->closing || c->dead || c->l->draining;
}

bool conn_move_try(struct sl_conn *c)
{
	if (!c->move.to || c->serving)
		return false;
	if (stays(c)) {
		c->move.to = NULL;
		return false;
	}
	rx_cancel(c);
	/* Each of these comes back here when it has ended. */
	if (c->rx.inflight || c->tx.inflight || c->zerocopies || transfer_waits(c) ||
	    !sl_list_empty(&c->replies) || !sl_list_empty(&c->sending))
		return true;
	SL_ASSERT(!c->transfer);
	if (c->buffered && rx_gather(c, c->buffered)) {
		c->move.to = NULL;
		return false;
	}
	leave(c);
	return true;
}

/* ---- the call --------------------------------------------------------------------------- */

void sl_conn_move(struct sl_conn *conn, struct sl_core *to)
{
	SL_ON_CORE(conn->l->core);
	SL_ASSERT(conn->serving);
	if (conn->move.asked)
		return;
	conn->move.asked = true;
	if (to != conn->l->core)
		conn->move.to = to;
}
