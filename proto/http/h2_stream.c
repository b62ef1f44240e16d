/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream: one request, its handler's fiber, its body.
 *
 * Interface: h2_stream_*() of h2_pvt.h. A stream lives until nghttp2 has closed it and its handler
 * has returned, whichever is later; a handler of a closed stream is told by its next call. Bodies
 * wait here for their readers, and the peer may send more as they are read. Invariants: memory that
 * streams keep is counted in h2->held; a handler is begun only while that is within the listener's
 * limit.
 *
 * Order of parts: life; handlers; the request's body.
 */
#include <errno.h>
#include <string.h>

#include "access_log.h"
#include "h2_pvt.h"

/* ---- life ------------------------------------------------------------------------------- */

struct h2_stream *h2_stream_new(struct h2 *h2, int32_t id)
{
	struct sl_buf *buf = sl_buf_new(sizeof(struct h2_stream));
	struct h2_stream *st;

	if (!buf)
		return NULL;
	st = (struct h2_stream *)buf->data;
	*st = (struct h2_stream){.buf = buf, .h2 = h2, .id = id, .answered_at = SL_NEVER};
	st->head.max = __atomic_load_n(&h2->server->head_bytes_max, __ATOMIC_RELAXED);
	sl_list_init(&st->node);
	sl_list_init(&st->wait);
	sl_waitq_init(&st->changed);
	sl_list_append(&h2->streams, &st->node);
	return st;
}

static void drop_body(struct h2_stream *st)
{
	struct h2 *h2 = st->h2;

	if (st->in_n && !h2->ended)
		nghttp2_session_consume_connection(h2->ng, st->in_n);
	h2->held -= st->in_n;
	st->in_n = 0;
	sl_buf_release(st->in);
	st->in = NULL;
}

static void try_free(struct h2_stream *st)
{
	struct h2 *h2 = st->h2;

	if (!st->closed || st->running)
		return;
	sl_list_remove(&st->node);
	sl_list_remove(&st->wait);
	h2_head_done(&st->head);
	sl_buf_release(st->buf);
	if (sl_list_empty(&h2->streams))
		h2->idle_at = sl_conn_idle_deadline(h2->conn);
}

void h2_stream_close(struct h2_stream *st)
{
	st->closed = true;
	drop_body(st);
	h2_send_drop(st);
	sl_waitq_wake_all(&st->changed, -ECONNRESET);
	try_free(st);
}

int h2_stream_wait(struct h2_stream *st, int64_t deadline)
{
	int res = st->closed ? -ECONNRESET : sl_waitq_wait(&st->changed, deadline);

	return st->closed ? -ECONNRESET : res;
}

/* ---- handlers --------------------------------------------------------------------------- */

static int respond(struct h2_stream *st, struct http_request *rq, struct http_response *rs)
{
	/* The body may have come whole by now. */
	enum http_refusal why = h2_head_parse(&st->head, st->in_ended && !st->in_n, rq);
	int err = 0;

	rq->body.max = __atomic_load_n(&rq->server->body_bytes_max, __ATOMIC_RELAXED);
	if (why) {
		const struct http_error *e = http_refusal_error(why);

		rq->method = HTTP_M_GET;
		rq->refusal = why;
		http_response_error(rs, e->status, e->text);
		http_log_request(rq, rs->status, http_response_bytes(rs));
	} else {
		err = http_respond(rq, rs);
	}
	if (!err && !rq->out.begun)
		err = h2_send_answer(rq, rs);
	return err;
}

/* Nobody reads on: what still comes of the body is dropped. */
static void drop_rest(struct h2_stream *st)
{
	st->dropping = true;
	if (!st->closed)
		drop_body(st);
}

static void handle(void *arg)
{
	struct h2_stream *st = arg;
	struct h2 *h2 = st->h2;
	int64_t began = sl_clock_ns();
	struct http_response rs;
	struct http_request rq;
	int err;

	rq.conn = h2->conn;
	rq.server = h2->server;
	rq.wire = &http_h2_wire;
	rq.stream = st;
	rq.head_left = 0;
	rq.began_ns = sl_now();
	rq.peer = h2->peer;
	http_response_init(&rs);
	err = respond(st, &rq, &rs);
	http_response_done(&rs);
	if (err && !st->closed)
		nghttp2_submit_rst_stream(h2->ng, NGHTTP2_FLAG_NONE, st->id,
					  NGHTTP2_INTERNAL_ERROR);
	drop_rest(st);
	sl_conn_note_request(h2->conn, sl_clock_ns() - began);
	st->running = false;
	try_free(st);
	sl_conn_poke(h2->conn);
	if (--h2->fibers == 0)
		sl_waitq_wake_all(&h2->gone, 0);
}

static void start(struct h2_stream *st)
{
	struct h2 *h2 = st->h2;

	st->running = true;
	h2->fibers++;
	if (!sl_fiber_start(SL_STACK_SMALL, handle, st))
		return;
	st->running = false;
	h2->fibers--;
	nghttp2_submit_rst_stream(h2->ng, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_REFUSED_STREAM);
}

void h2_stream_start(struct h2 *h2)
{
	size_t max = sl_conn_memory_max(h2->conn);

	while (h2->fibers < H2_STREAMS_MAX && (h2->held <= max || !h2->fibers)) {
		struct sl_list *first = sl_list_pop(&h2->waiting);

		if (!first)
			return;
		start(sl_list_entry(first, struct h2_stream, wait));
	}
}

/* ---- the request's body ----------------------------------------------------------------- */

enum { FIRST_BYTES = 16 << 10 };

/* Room for @n more bytes behind those that wait. */
static int reserve(struct h2_stream *st, size_t n)
{
	size_t room = st->in ? st->in->bytes : 0;
	struct sl_buf *buf;

	if (st->in && st->in_off + st->in_n + n <= room)
		return 0;
	if (st->in_n + n <= room) {
		memmove(st->in->data, st->in->data + st->in_off, st->in_n);
		st->in_off = 0;
		return 0;
	}
	buf = sl_buf_new(sl_max(st->in_n + n, sl_max(2 * room, (size_t)FIRST_BYTES)));
	if (!buf)
		return -ENOMEM;
	if (st->in_n)
		memcpy(buf->data, st->in->data + st->in_off, st->in_n);
	sl_buf_release(st->in);
	st->in = buf;
	st->in_off = 0;
	return 0;
}

/*
 * The others of the connection go on in any case; this one may send as much as is dropped in
 * HTTP/1.1, and then has to see that it is answered.
 */
static int drop(struct h2_stream *st, size_t n)
{
	nghttp2_session *ng = st->h2->ng;
	int rc = nghttp2_session_consume_connection(ng, n);

	st->dropped += n;
	if (!rc && st->dropped <= HTTP_DRAIN_BYTES)
		rc = nghttp2_session_consume_stream(ng, st->id, n);
	return rc ? -ENOMEM : 0;
}

int h2_stream_receive(struct h2_stream *st, const uint8_t *data, size_t n)
{
	int err;

	if (st->dropping)
		return drop(st, n);
	err = reserve(st, n);
	if (err)
		return err;
	memcpy(st->in->data + st->in_off + st->in_n, data, n);
	st->in_n += (uint32_t)n;
	st->h2->held += n;
	sl_waitq_wake_all(&st->changed, 0);
	return 0;
}

void h2_stream_receive_end(struct h2_stream *st)
{
	st->in_ended = true;
	sl_waitq_wake_all(&st->changed, 0);
}

/* RFC 9113, section 8.1, would let it be called off at once; clients lose the answer then. */
void h2_stream_answered(struct h2_stream *st)
{
	st->answered_at = sl_conn_read_deadline(st->h2->conn);
	st->h2->answered_at = sl_min(st->h2->answered_at, st->answered_at);
}

void h2_stream_call_off(struct h2 *h2)
{
	int64_t now = sl_now();

	if (now < h2->answered_at)
		return;
	h2->answered_at = SL_NEVER;
	sl_list_each(n, &h2->streams) {
		struct h2_stream *st = sl_list_entry(n, struct h2_stream, node);

		if (now >= st->answered_at)
			nghttp2_submit_rst_stream(h2->ng, NGHTTP2_FLAG_NONE, st->id,
						  NGHTTP2_NO_ERROR);
		else
			h2->answered_at = sl_min(h2->answered_at, st->answered_at);
	}
}

static size_t take(struct h2_stream *st, void *dst, size_t max)
{
	struct h2 *h2 = st->h2;
	size_t n = sl_min((size_t)st->in_n, max);

	memcpy(dst, st->in->data + st->in_off, n);
	st->in_off += (uint32_t)n;
	st->in_n -= (uint32_t)n;
	h2->held -= n;
	nghttp2_session_consume(h2->ng, st->id, n);
	if (nghttp2_session_want_write(h2->ng))
		sl_conn_poke(h2->conn);
	return n;
}

ssize_t h2_stream_read(struct http_request *rq, void *dst, size_t max, int64_t deadline)
{
	struct h2_stream *st = rq->stream;
	struct http_body *b = &rq->body;
	int err = 0;
	size_t n;

	if (b->expects && !st->in_n && !rq->out.begun)
		err = http_interim(rq, 100, NULL, 0, deadline);
	b->expects = false;
	while (!err && !st->in_n && !(st->in_ended && !st->closed))
		err = h2_stream_wait(st, http_body_due(rq, 1, deadline));
	if (err)
		return err;
	n = st->in_n ? take(st, dst, max) : 0;
	b->fed += n;
	b->got += n;
	if (b->left != HTTP_BYTES_UNKNOWN)
		b->left -= sl_min(b->left, (uint64_t)n);
	b->done = st->in_ended && !st->in_n;
	return b->got > b->max ? -EMSGSIZE : (ssize_t)n;
}
