/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving: shared buffers while a connection waits, in place once it is known how much comes.
 *
 * Interface: the reading part of conn.h, rx_*() inside the folder. What came and was not consumed
 * is the window (a buf of the connection's own, when bytes had to be brought together), then a
 * chain of the core's provided buffers. Multishot receive fills every shared buffer before the
 * first completion is looked at, and the processor's cache is lost on the way: a connection whose
 * requests are not small waits for a request's first bytes alone and receives the rest in place,
 * or, when several requests fit into a window, as much as there is. Invariant: the window's and
 * the chunks' lengths add up to `buffered`.
 *
 * Order of parts: shared buffers; the queue; waiting; the calls; events.
 */
#include <errno.h>
#include <string.h>

#include "conn_pvt.h"

enum {
	MEDIUM_BYTES = 8 << 10, /* requests from here on are medium */
	LARGE_BYTES = 64 << 10, /* and from here on large */
	FIRST_BYTES = 1024,	/* of a medium or large request that is waited for */
	WINDOW_BYTES = 128 << 10, /* received at once for medium requests */
	SMALL_RUN = 16,		/* small requests in a row until a connection is small again */
};

/* ---- shared buffers --------------------------------------------------------------------- */

static struct rx *rx_of(const struct sl_conn *c)
{
	return &c->l->core->rx;
}

bool rx_scarce(const struct sl_conn *c)
{
	return rx_of(c)->ring.out > rx_of(c)->ring.count / 2;
}

void rx_feed(struct sl_core *core)
{
	struct rx *rx = &core->rx;
	uint32_t n = rx->ring.count - rx->ring.out;

	while (n--) {
		struct sl_list *first = sl_list_pop(&rx->starved);

		if (!first)
			return;
		rx_arm(sl_list_entry(first, struct sl_conn, starved));
	}
}

static void received(struct sl_io *io);

void rx_arm(struct sl_conn *c)
{
	if (c->rx.inflight && c->tls && conn_tls_waits_for_end(c))
		rx_cancel(c); /* which comes back here */
	if (c->rx.inflight || c->eof || (c->direct && !c->tls) || !sl_list_empty(&c->starved))
		return;
	if (c->tls) {
		if (!conn_tls_arm(c))
			return;
	} else {
		sl_io_recv_select(&c->rx, c->fd, c->mode == RX_SMALL ? 0 : FIRST_BYTES, 0,
				  c->mode == RX_SMALL ? SL_IO_MULTISHOT : 0);
		c->rx.done = received;
	}
	c->rx.arg = c;
	/* The submission queue is full for this turn only: rx_feed() tries again in the next. */
	if (sl_ring_start(c->l->core->ring, &c->rx))
		sl_list_append(&rx_of(c)->starved, &c->starved);
}

void rx_cancel(struct sl_conn *c)
{
	sl_list_remove(&c->starved);
	if (c->rx.inflight)
		sl_ring_cancel(c->l->core->ring, &c->rx);
}

static void enqueue(struct sl_conn *c, uint16_t id, uint32_t len)
{
	struct rx *rx = rx_of(c);

	sl_bufring_taken(&rx->ring, id);
	rx->chunks[id] = (struct rx_chunk){.len = len, .next = RX_NONE};
	if (c->head == RX_NONE) {
		c->head = id;
		c->head_off = 0;
	} else {
		rx->chunks[c->tail].next = id;
	}
	c->tail = id;
	c->buffered += len;
	sl_cell_add(c->l->received, len);
}

static void received(struct sl_io *io)
{
	struct sl_conn *c = io->arg;

	if (io->has_buffer && io->res > 0) {
		enqueue(c, io->buf_group, (uint32_t)io->res);
	} else if (io->has_buffer) {
		sl_bufring_taken(&rx_of(c)->ring, io->buf_group);
		sl_bufring_return(&rx_of(c)->ring, io->buf_group);
	}
	if (io->res == -ENOBUFS)
		sl_list_append(&rx_of(c)->starved, &c->starved);
	else if (io->res <= 0 && io->res != -ECANCELED)
		c->eof = true;
	/* Who waits for more than the shared buffers hold would else wait with all of them; without
	 * memory it does. */
	if (c->reader && c->wanted && c->buffered && rx_scarce(c))
		rx_gather(c, sl_min(c->buffered, (size_t)SL_CONN_WINDOW_BYTES));
	conn_advance(c);
}

/* ---- the queue -------------------------------------------------------------------------- */

static void pop_chunk(struct sl_conn *c)
{
	uint16_t id = c->head;

	c->head = rx_of(c)->chunks[id].next;
	c->head_off = 0;
	if (c->head == RX_NONE)
		c->tail = RX_NONE;
	sl_bufring_return(&rx_of(c)->ring, id);
}

/* Moves at most @n bytes from the chunks to @dst. Return: how many. */
static size_t take_chunks(struct sl_conn *c, uint8_t *dst, size_t n)
{
	size_t done = 0;

	while (done < n && c->head != RX_NONE) {
		uint32_t left = rx_of(c)->chunks[c->head].len - c->head_off;
		size_t step = sl_min((size_t)left, n - done);

		if (dst)
			memcpy(dst + done, sl_bufring_mem(&rx_of(c)->ring, c->head) + c->head_off,
			       step);
		c->head_off += (uint32_t)step;
		done += step;
		if (step == left)
			pop_chunk(c);
	}
	return done;
}

static void drop_window(struct sl_conn *c)
{
	sl_buf_release(c->window);
	c->window = NULL;
	c->window_off = c->window_len = 0;
}

/* Moves at most @n bytes from the front of the queue to @dst (NULL: nowhere). */
static size_t take(struct sl_conn *c, uint8_t *dst, size_t n)
{
	size_t done = 0;

	if (c->window) {
		done = sl_min((size_t)c->window_len, n);
		if (dst)
			memcpy(dst, c->window->data + c->window_off, done);
		c->window_off += (uint32_t)done;
		c->window_len -= (uint32_t)done;
		if (!c->window_len)
			drop_window(c);
	}
	done += take_chunks(c, dst ? dst + done : NULL, n - done);
	c->buffered -= done;
	return done;
}

const uint8_t *rx_contiguous(const struct sl_conn *c, size_t *ret_len)
{
	if (c->window) {
		*ret_len = c->window_len;
		return c->window->data + c->window_off;
	}
	if (c->head == RX_NONE)
		return NULL;
	*ret_len = rx_of(c)->chunks[c->head].len - c->head_off;
	return sl_bufring_mem(&rx_of(c)->ring, c->head) + c->head_off;
}

/* A window with room for @n bytes from its offset on. */
static int reserve_window(struct sl_conn *c, size_t n)
{
	struct sl_buf *buf;

	if (c->window && c->window->bytes - c->window_off >= n)
		return 0;
	if (c->window && c->window->bytes >= n) {
		memmove(c->window->data, c->window->data + c->window_off, c->window_len);
		c->window_off = 0;
		return 0;
	}
	buf = sl_buf_new(n);
	if (!buf)
		return -ENOMEM;
	if (c->window) {
		memcpy(buf->data, c->window->data + c->window_off, c->window_len);
		sl_buf_release(c->window);
	}
	c->window = buf;
	c->window_off = 0;
	return 0;
}

/* A window begins so small and grows fourfold. */
enum { ROOM_BYTES = 4 << 10 };

uint8_t *rx_room(struct sl_conn *c, size_t *ret_room)
{
	size_t end = c->window_off + c->window_len;

	if (!c->window || end == c->window->bytes) {
		if (reserve_window(c, c->window_len + (size_t)ROOM_BYTES))
			return NULL;
		end = c->window_off + c->window_len;
	}
	*ret_room = c->window->bytes - end;
	return c->window->data + end;
}

void rx_took(struct sl_conn *c, size_t n)
{
	c->window_len += (uint32_t)n;
	c->buffered += n;
	sl_cell_add(c->l->received, n);
	if (c->window && !c->window_len)
		drop_window(c);
}

int rx_gather(struct sl_conn *c, size_t n)
{
	int err = reserve_window(c, n);

	SL_ASSERT(n <= c->buffered);
	if (err)
		return err;
	if (c->window_len < n)
		c->window_len += (uint32_t)take_chunks(
			c, c->window->data + c->window_off + c->window_len, n - c->window_len);
	return 0;
}

void rx_drop(struct sl_conn *c)
{
	take(c, NULL, c->buffered);
	SL_ASSERT(!c->window && c->head == RX_NONE);
}

/* ---- waiting ---------------------------------------------------------------------------- */

/* Parks until @n bytes are buffered, or the receive in flight has ended when @n is 0. */
static int wait_bytes(struct sl_conn *c, size_t n, int64_t deadline)
{
	int res = 0;

	while (!res && (n ? c->buffered < n : c->rx.inflight)) {
		if (n && c->eof)
			return -ECONNRESET;
		/* Who waits must not keep what others need to go on: shared buffers. */
		if (n && c->buffered && rx_gather(c, c->buffered))
			return -ENOMEM;
		if (n)
			rx_arm(c);
		c->reader = sl_fiber_self();
		c->wanted = n;
		res = sl_fiber_park(deadline);
		c->reader = NULL;
	}
	return res;
}

/* Receives at least @n and at most @max bytes. Return: how many, or -errno. */
static ssize_t recv_in_place(struct sl_conn *c, uint8_t *dst, size_t n, size_t max,
			     int64_t deadline)
{
	size_t done = 0;

	while (done < n) {
		struct sl_io io;
		int got;

		sl_io_recv(&io, c->fd, dst + done, max - done, MSG_DONTWAIT);
		got = sl_io_now(&io);
		if (got == -EAGAIN) {
			sl_io_recv(&io, c->fd, dst + done, n - done, MSG_WAITALL);
			got = sl_await(&io, deadline);
		}
		if (got == 0)
			got = -ECONNRESET;
		if (got < 0) {
			c->eof |= got != -ETIME;
			return got;
		}
		done += (size_t)got;
		sl_cell_add(c->l->received, (uint64_t)got);
	}
	return c->dead ? -ECONNRESET : (ssize_t)done;
}

static ssize_t read_past_shared(struct sl_conn *c, uint8_t *dst, size_t n, size_t max,
				int64_t deadline)
{
	size_t have;
	ssize_t got;
	int err;

	rx_cancel(c);
	err = wait_bytes(c, 0, deadline);
	if (err)
		return err;
	have = take_chunks(c, dst, max);
	c->buffered -= have;
	if (have >= n)
		return (ssize_t)have;
	if (c->eof)
		return -ECONNRESET;
	got = recv_in_place(c, dst + have, n - have, max - have, deadline);
	return got < 0 ? got : (ssize_t)have + got;
}

/*
 * Receives at least @n and at most @max bytes behind everything that is buffered; no chunks must
 * be when it begins. Return: how many, or -errno.
 */
static ssize_t read_direct(struct sl_conn *c, uint8_t *dst, size_t n, size_t max, int64_t deadline)
{
	ssize_t got;

	c->direct = true;
	got = read_past_shared(c, dst, n, max, deadline);
	c->direct = false;
	return got;
}

void rx_note_request(struct sl_conn *c)
{
	if (c->asked >= MEDIUM_BYTES) {
		c->mode = c->asked >= LARGE_BYTES ? RX_LARGE : RX_MEDIUM;
		c->small_run = 0;
	} else if (c->mode != RX_SMALL && ++c->small_run == SMALL_RUN) {
		c->mode = RX_SMALL;
	}
	c->asked = 0;
}

bool rx_try(struct sl_conn *c)
{
	struct sl_io io;
	uint8_t *dst;
	int got;

	if (c->tls)
		return conn_tls_try(c);
	if (c->mode != RX_MEDIUM || c->rx.inflight || c->eof || !sl_list_empty(&c->starved))
		return false;
	if (reserve_window(c, WINDOW_BYTES) || rx_gather(c, c->buffered))
		return false;
	dst = c->window->data + c->window_off + c->window_len;
	sl_io_recv(&io, c->fd, dst, (size_t)(c->window->data + c->window->bytes - dst),
		   MSG_DONTWAIT);
	got = sl_io_now(&io);
	if (got > 0) {
		c->window_len += (uint32_t)got;
		c->buffered += (size_t)got;
		sl_cell_add(c->l->received, (uint64_t)got);
		return true;
	}
	if (got != -EAGAIN)
		c->eof = true;
	if (!c->window_len)
		drop_window(c);
	return false;
}

/* ---- the calls -------------------------------------------------------------------------- */

size_t sl_conn_buffered(const struct sl_conn *conn)
{
	return conn->buffered;
}

/* Waiting for so little is not worth changing over to receiving in place. */
enum { NEARLY_BYTES = 8192 };

/* Brings at least @n bytes into the window, more if there are more and requests are medium. */
static int fill_window(struct sl_conn *c, size_t n, int64_t deadline)
{
	size_t room = c->mode == RX_MEDIUM ? sl_max(n, (size_t)WINDOW_BYTES) : n;
	size_t had;
	ssize_t got;
	int err = reserve_window(c, room);

	if (!err && c->buffered > c->window_len)
		err = rx_gather(c, c->buffered);
	if (err)
		return err;
	had = c->window_len;
	got = read_direct(c, c->window->data + c->window_off + had, n - had, room - had, deadline);
	if (got < 0) {
		if (!c->window_len)
			drop_window(c);
		return (int)got;
	}
	c->window_len += (uint32_t)got;
	c->buffered += (size_t)got;
	return 0;
}

int sl_conn_peek(struct sl_conn *conn, size_t n, const uint8_t **ret_p, int64_t deadline)
{
	size_t have;
	int err = 0;

	SL_ASSERT(n > 0 && n <= SL_CONN_WINDOW_BYTES);
	conn->asked = sl_max(conn->asked, n);
	if (conn->buffered < n) {
		if (conn->tls)
			err = conn_tls_gather(conn, n, deadline);
		else if (n - conn->buffered <= NEARLY_BYTES && conn->mode == RX_SMALL)
			err = wait_bytes(conn, n, deadline);
		else
			err = fill_window(conn, n, deadline);
	}
	if (!err && (!rx_contiguous(conn, &have) || have < n))
		err = rx_gather(conn, n);
	if (err)
		return err;
	*ret_p = rx_contiguous(conn, &have);
	SL_ASSERT(have >= n);
	return 0;
}

void sl_conn_skip(struct sl_conn *conn, size_t n)
{
	SL_ASSERT(n <= conn->buffered);
	take(conn, NULL, n);
}

int sl_conn_read_all(struct sl_conn *conn, void *dst, size_t n, int64_t deadline)
{
	size_t have = take(conn, dst, sl_min(n, conn->buffered));
	ssize_t got;

	conn->asked = sl_max(conn->asked, n);
	if (have == n)
		return 0;
	if (conn->tls)
		return conn_tls_read(conn, (uint8_t *)dst + have, n - have, deadline);
	got = read_direct(conn, (uint8_t *)dst + have, n - have, n - have, deadline);
	return got < 0 ? (int)got : 0;
}

/* ---- events ----------------------------------------------------------------------------- */

size_t sl_conn_next(const struct sl_conn *conn, const uint8_t **ret_p)
{
	size_t have = 0;

	*ret_p = rx_contiguous(conn, &have);
	return *ret_p ? have : 0;
}

int sl_conn_wait_event(struct sl_conn *conn, bool sent, int64_t deadline)
{
	int res = 0;

	SL_ASSERT(!conn->buffered);
	if (!conn->poked && !(conn->tls && conn_tls_try(conn))) {
		conn->pokable = true;
		conn->wants_sent = sent;
		res = wait_bytes(conn, 1, deadline);
		conn->pokable = conn->wants_sent = false;
	}
	conn->poked = false;
	if (conn->dead)
		return -ECONNRESET;
	return res == -EINTR ? 0 : res;
}

void sl_conn_poke(struct sl_conn *conn)
{
	struct sl_fiber *reader = conn->reader;

	conn->poked = true;
	if (!conn->pokable || !reader)
		return;
	conn->reader = NULL;
	sl_fiber_wake(reader, -EINTR);
}
