/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies: what they wait for, and their way to the socket.
 *
 * Interface: deliver.h, conn_flush() inside the folder. Replies leave in the order in which they
 * were delivered, each when all its holds are decided; nothing here parks but a sl_deliver() on a
 * connection with too many replies queued. What does not fit into the socket now, or waits for the
 * disk, goes on when the ring says so. Invariants: the cursor belongs to the first reply; a reply
 * with undecided holds is never freed.
 *
 * Order of parts: replies; holds; sending; waiting.
 */
#include <errno.h>
#include <poll.h>

#include <sluice/probe.h>

#include "conn_pvt.h"
#include "log.h"

/* ---- replies ---------------------------------------------------------------------------- */

struct sl_reply *sl_reply_new(struct sl_conn *conn, uint32_t parts_max, uint32_t holds_max,
			      size_t bytes_max)
{
	size_t parts_at = sl_round_up(sizeof(struct sl_reply), 16);
	size_t holds_at = parts_at + sl_round_up(parts_max * sizeof(struct sl_part), 16);
	size_t bytes_at = holds_at + sl_round_up(holds_max * sizeof(struct sl_hold), 16);
	struct sl_buf *buf;
	struct sl_reply *r;

	if (bytes_at > SL_BUF_BYTES_MAX || bytes_max > SL_BUF_BYTES_MAX - bytes_at)
		return NULL;
	buf = sl_buf_new(bytes_at + bytes_max);
	if (!buf)
		return NULL;
	r = (struct sl_reply *)buf->data;
	*r = (struct sl_reply){
		.buf = buf,
		.conn = conn,
		.parts = (struct sl_part *)(buf->data + parts_at),
		.holds = (struct sl_hold *)(buf->data + holds_at),
		.bytes = buf->data + bytes_at,
		.bytes_max = bytes_max,
		.parts_max = parts_max,
		.holds_max = holds_max,
	};
	sl_list_init(&r->node);
	return r;
}

void sl_reply_free(struct sl_reply *reply)
{
	if (!reply)
		return;
	SL_ASSERT(!reply->undecided && sl_list_empty(&reply->node));
	for (uint32_t i = 0; i < reply->n; i++)
		sl_part_release(&reply->parts[i]);
	sl_buf_release(reply->buf);
}

void sl_reply_abandon(struct sl_reply *reply)
{
	struct sl_conn *c = reply->conn;

	if (!reply->undecided) {
		sl_reply_free(reply);
		return;
	}
	reply->broken = true;
	sl_list_append(&c->replies, &reply->node);
	c->n_replies++;
}

static void send_soon(struct sl_conn *c);

/* ---- holds ------------------------------------------------------------------------------ */

static void decided(struct sl_commit *commit)
{
	sl_hold_settle(sl_container_of(commit, struct sl_hold, commit), commit->res);
}

struct sl_hold *sl_reply_hold(struct sl_reply *reply, void (*lost)(struct sl_hold *, int err),
			      void *cookie)
{
	struct sl_hold *h;

	SL_ASSERT(reply->n_holds < reply->holds_max);
	h = &reply->holds[reply->n_holds++];
	*h = (struct sl_hold){
		.commit = {.core = reply->conn->l->core, .done = decided},
		.reply = reply,
		.lost = lost,
		.cookie = cookie,
	};
	sl_list_init(&h->commit.node);
	reply->undecided++;
	return h;
}

void sl_hold_settle(struct sl_hold *hold, int err)
{
	struct sl_reply *r = hold->reply;

	SL_ASSERT(r->undecided > 0);
	hold->err = err;
	if (err && hold->lost)
		hold->lost(hold, err);
	else if (err)
		r->broken = true;
	if (--r->undecided == 0 && !sl_list_empty(&r->node))
		send_soon(r->conn);
}

/* ---- sending ---------------------------------------------------------------------------- */

/*
 * What one connection may send before the core looks after the others. Of answers that soon end the
 * peers, too, then have a little of many, and not of one all that it asked for, which leaves the
 * processor's cache before it is received.
 */
enum { TURN_BYTES = 256 << 10, TURN_BYTES_LONG = 2 << 20 };

static size_t turn_bytes(const struct sl_conn *c)
{
	const struct sl_reply *r = sl_list_first(&c->replies, struct sl_reply, node);
	uint64_t left = 0;

	if (r && c->cursor.part < r->n)
		left = sl_part_len(&r->parts[c->cursor.part]) - c->cursor.off;
	return left > TURN_BYTES_LONG ? TURN_BYTES_LONG : TURN_BYTES;
}

/* The next turn of the core sends: replies that are made in one turn leave together. */
static void send_soon(struct sl_conn *c)
{
	if (!c->tx.inflight && sl_list_empty(&c->sending))
		sl_list_append(&c->l->core->sending, &c->sending);
}

/* A reply is out: if it had one extent and left by itself, its cost tells of the extent's way. */
static void learn(struct sl_conn *c)
{
	const struct cursor *at = &c->cursor;

	if (c->l->limits.deliver.adaptive && at->cost.len && !at->cost.spoilt)
		learn_note(&c->l->learnt, at->cost.len, at->cost.copied, at->cost.ns);
}

static void sent(struct sl_conn *c, struct sl_reply *r)
{
	bool close = r->close;

	learn(c);
	sl_list_remove(&r->node);
	c->n_replies--;
	c->replies_held -= r->held;
	c->cursor = (struct cursor){0};
	sl_reply_free(r);
	sl_waitq_wake_all(&c->room, 0);
	if (c->wants_sent)
		sl_conn_poke(c);
	if (close) {
		c->closing = true;
		if (!c->why)
			c->why = SL_CLOSE_REPLY;
	}
}

/* Moves on by @n sent bytes, past replies that are out. */
static void advance(struct sl_conn *c, uint64_t n)
{
	struct sl_reply *r;

	while ((r = sl_list_first(&c->replies, struct sl_reply, node)) && !r->undecided &&
	       !r->broken) {
		bool close = r->close;

		while (c->cursor.part < r->n) {
			uint64_t left = sl_part_len(&r->parts[c->cursor.part]) - c->cursor.off;

			if (left > n) {
				c->cursor.off += n;
				return;
			}
			n -= left;
			c->cursor.part++;
			c->cursor.off = c->cursor.resident = c->cursor.fetched = 0;
			c->cursor.unsendable = false;
		}
		sent(c, r);
		if (close)
			break;
	}
	SL_ASSERT(!n);
}

void conn_sent(struct sl_conn *c, enum sl_rung rung, size_t n)
{
	struct sl_metrics *m = c->l->core->metrics;

	sl_metric_add2(m, SL_M_DELIVER_TRANSFERS, c->l->dim, rung, 1);
	sl_metric_add2(m, SL_M_DELIVER_BYTES, c->l->dim, rung, n);
	if (rung != SL_RUNG_SEND_ZC) /* which is told later whether it copied */
		sl_metric_add1(m, rung_at(rung)->copies ? SL_M_DELIVER_COPIED
							: SL_M_DELIVER_ZEROCOPY, c->l->dim, n);
	c->l->core->spin.work.bytes += n;
	c->l->core->spin.work.sends++;
	SL_PROBE4(deliver, c->l->proto->name, c, rung_at(rung)->name, n);
	advance(c, n);
}

/* Sends from the cursor on, in one step. Return: bytes, or as a rung's send(). */
static ssize_t send_step(struct sl_conn *c, struct sl_reply *r, size_t bytes_max)
{
	bool adaptive = c->l->limits.deliver.adaptive;
	int64_t began = adaptive ? sl_clock_ns() : 0;
	ssize_t n = c->tls ? tls_flush(c->tls) : 0;
	enum sl_rung rung;

	if (n)
		return n;
	rung = rung_choose(c, &r->parts[c->cursor.part], &bytes_max);
	n = rung_at(rung)->send(c, r, bytes_max);

	while (n == -EOPNOTSUPP) {
		rung = rung_at(rung)->below;
		n = rung_at(rung)->send(c, r, bytes_max);
	}
	if (adaptive)
		c->cursor.cost.ns += (uint64_t)(sl_clock_ns() - began);
	if (n > 0)
		conn_sent(c, rung, (size_t)n);
	else
		c->cursor.cost.spoilt = true;
	return n;
}

void conn_cannot_send(struct sl_conn *c, int err)
{
	bool peer = err == -EPIPE || err == -ECONNRESET;

	if (!peer)
		sl_log_warn("send.failed", SL_KV(listener, c->l->proto->name),
			    SL_KV(peer, sl_conn_peer(c)), SL_KV_ERRNO(err));
	conn_end(c, peer ? SL_CLOSE_PEER : SL_CLOSE_ERROR, false);
}

/* What was encrypted and did not go yet. Return: whether it is out; else @c may be gone. */
static bool rest_is_out(struct sl_conn *c)
{
	int err = tls_flush(c->tls);

	if (err == -EAGAIN)
		conn_wait_for_room(c);
	else if (err)
		conn_cannot_send(c, err);
	return !err;
}

ssize_t conn_sendv(struct sl_conn *c, struct iovec *iov, int n, bool more)
{
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)n};
	int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);
	struct sl_io io;

	if (conn_encrypts(c))
		return tls_write(c->tls, iov, n);
	if (n == 1)
		sl_io_send(&io, c->fd, iov->iov_base, iov->iov_len, flags);
	else
		sl_io_sendmsg(&io, c->fd, &msg, flags);
	return sl_io_now(&io);
}

void conn_flush(struct sl_conn *c)
{
	struct sl_reply *r;
	size_t turn;

	if (c->dead) {
		conn_try_free(c);
		return;
	}
	if (c->tx.inflight || c->zerocopy || transfer_waits(c) || !sl_list_empty(&c->sending))
		return;
	advance(c, 0); /* past replies and parts without bytes */
	turn = turn_bytes(c);
	while ((r = sl_list_first(&c->replies, struct sl_reply, node)) && !r->undecided) {
		ssize_t n;

		if (!turn) {
			send_soon(c);
			return;
		}
		n = r->broken ? -EIO : send_step(c, r, turn);
		if (n == -EINPROGRESS)
			return;
		if (n == -EAGAIN) {
			conn_wait_for_room(c);
			return;
		}
		if (n < 0) {
			conn_cannot_send(c, (int)n);
			return;
		}
		turn -= sl_min(turn, (size_t)n);
	}
	if (c->tls && !rest_is_out(c))
		return;
	if (c->closing && sl_list_empty(&c->replies))
		conn_end(c, c->why, true);
	else if (c->move.to && !c->serving && sl_list_empty(&c->replies))
		conn_advance(c);
}

/* Extents keep no memory: what they name lies in the page cache. */
static size_t memory_of(const struct sl_reply *r)
{
	size_t bytes = r->buf->bytes;

	for (uint32_t i = 0; i < r->n; i++)
		if (r->parts[i].kind == SL_PART_SLICE && r->parts[i].slice.buf)
			bytes += r->parts[i].slice.len;
	return bytes;
}

static bool queue_is_full(const struct sl_conn *c)
{
	const struct sl_conn_limits *lim = &c->l->limits;

	return c->n_replies > lim->replies || c->replies_held > lim->memory_bytes;
}

int sl_deliver(struct sl_reply *reply, int64_t deadline)
{
	struct sl_conn *c = reply->conn;
	int res = 0;

	SL_ON_CORE(c->l->core);
	SL_ASSERT(c->serving);
	sl_list_append(&c->replies, &reply->node);
	c->n_replies++;
	reply->held = memory_of(reply);
	c->replies_held += reply->held;
	/* Who answers at once is the sooner asked again, and what it made is still in the cache;
	 * but answers to requests that are here already leave together. */
	if (c->buffered || c->n_replies > 1)
		send_soon(c);
	else
		conn_flush(c);
	while (!res && !c->dead && queue_is_full(c))
		res = sl_waitq_wait(&c->room, deadline);
	return c->dead ? -ECONNRESET : res;
}

/* ---- waiting ---------------------------------------------------------------------------- */

/* A submission queue that is full is so for this turn only. */
int conn_later(struct sl_conn *c)
{
	sl_list_append(&c->l->core->sending, &c->sending);
	return -EINPROGRESS;
}

int conn_begin(struct sl_conn *c, void (*done)(struct sl_io *io))
{
	c->tx.done = done;
	c->tx.arg = c;
	return sl_ring_start(c->l->core->ring, &c->tx);
}

static void room(struct sl_io *io)
{
	struct sl_conn *c = io->arg;

	c->write_at = SL_NEVER;
	conn_flush(c);
}

void conn_wait_for_room(struct sl_conn *c)
{
	send_queue_full(c);
	sl_io_poll(&c->tx, c->fd, POLLOUT, 0);
	if (conn_begin(c, room))
		conn_later(c);
	if (c->l->limits.write_ns && c->write_at == SL_NEVER)
		c->write_at = sl_now() + c->l->limits.write_ns;
	conn_set_timer(c);
}

void tx_cancel(struct sl_conn *c)
{
	sl_list_remove(&c->sending);
	if (c->tx.inflight)
		sl_ring_cancel(c->l->core->ring, &c->tx);
}

int conns_send(struct sl_core *core)
{
	struct sl_list batch;
	struct sl_list *n;
	int count = 0;

	if (!sl_list_empty(&core->rx.starved))
		rx_feed(core);
	sl_list_init(&batch);
	sl_list_splice(&batch, &core->sending);
	while ((n = sl_list_pop(&batch))) {
		conn_flush(sl_list_entry(n, struct sl_conn, sending));
		count++;
	}
	return count;
}
