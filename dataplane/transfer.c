/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers: bytes of a part that are on their way through a pipe or a buf, between the operation
 * that waited for the disk and the sends that follow.
 *
 * Interface: transfer_*() of conn_pvt.h. Invariant: a connection has at most one, whose bytes are
 * those at its cursor.
 */
#include <errno.h>
#include <stdlib.h>

#include "conn_pvt.h"

struct transfer *transfer_new(struct sl_conn *c, enum sl_rung rung)
{
	struct sl_list *n = sl_list_pop(&c->l->core->transfers);
	struct transfer *t = n ? sl_list_entry(n, struct transfer, node) : malloc(sizeof(*t));

	SL_ASSERT(!c->transfer);
	if (!t)
		return NULL;
	t->rung = rung;
	t->pipe = NULL;
	t->buf = NULL;
	t->have = t->sent = t->pending = 0;
	t->err = 0;
	sl_list_init(&t->node);
	return c->transfer = t;
}

void transfer_drop(struct sl_conn *c)
{
	struct transfer *t = c->transfer;

	if (!t)
		return;
	SL_ASSERT(!c->tx.inflight && !t->pending);
	pipe_put(&c->l->core->pipes, t->pipe, t->have == t->sent);
	sl_buf_release(t->buf);
	sl_list_push(&c->l->core->transfers, &t->node);
	c->transfer = NULL;
}

ssize_t transfer_send(struct sl_conn *c, struct sl_io *io)
{
	return transfer_sent(c, sl_io_now(io));
}

ssize_t transfer_sent(struct sl_conn *c, ssize_t n)
{
	struct transfer *t = c->transfer;

	if (n <= 0)
		return n ? n : -EIO;
	t->sent += (uint32_t)n;
	if (t->sent == t->have)
		transfer_drop(c);
	return n;
}

void transfers_done(struct sl_core *core)
{
	struct sl_list *n;

	while ((n = sl_list_pop(&core->transfers)))
		free(sl_list_entry(n, struct transfer, node));
}
