/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Responses over HTTP/1.1 and 1.0.
 *
 * Interface: the part of wire.h that says so. A piece of a body is one reply of the connection; one
 * of unknown length is a chunk, its framing in the reply's own memory. Invariant: the reply that
 * ends the connection is the last one, so that a body that is not whole never ends as if it were.
 *
 * Order of parts: when a connection ends; whole responses; pieces; interim ones.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "wire.h"

/* ---- when a connection ends ------------------------------------------------------------- */

/* A client that waits for 100 Continue may send its body or not: only closing is clear to both. */
static bool cannot_go_on(const struct http_request *rq)
{
	const struct http_body *b = &rq->body;

	return b->err || (!b->done && (b->expects || b->left > HTTP_DRAIN_BYTES));
}

/* Nothing was sent behind this request, and nothing will be: the peer ended or this side drains. */
static bool is_last(const struct http_request *rq)
{
	return sl_conn_ending(rq->conn) && sl_conn_buffered(rq->conn) == rq->head_left;
}

/* ---- whole responses -------------------------------------------------------------------- */

static struct http_frame frame_of(struct http_request *rq, struct http_response *rs)
{
	rs->close |= !rq->keep_alive || cannot_go_on(rq) || is_last(rq);
	return (struct http_frame){
		.date = http_server_date(rq->server, sl_core_id(sl_conn_core(rq->conn))),
		.head_only = rq->method == HTTP_M_HEAD,
		.keep_alive = !rq->minor,
	};
}

static int deliver(struct http_request *rq, struct http_response *rs,
		   const struct http_frame *frame, int64_t deadline)
{
	struct sl_reply *reply = http_response_reply(rs, frame, rq->conn);

	return reply ? sl_deliver(reply, deadline) : -ENOMEM;
}

int http_h1_answer(struct http_request *rq, struct http_response *rs)
{
	struct http_frame frame = frame_of(rq, rs);

	return deliver(rq, rs, &frame, SL_NEVER);
}

/* ---- pieces ----------------------------------------------------------------------------- */

static int h1_begin(struct http_request *rq, struct http_response *rs, uint64_t bytes,
		    int64_t deadline)
{
	struct http_out *o = &rq->out;
	bool unknown = bytes == HTTP_BYTES_UNKNOWN;
	struct http_frame frame;

	o->chunked = unknown && rq->minor;
	rs->close |= unknown && !rq->minor;
	frame = frame_of(rq, rs);
	frame.streamed = true;
	frame.chunked = o->chunked;
	frame.bytes = bytes;
	o->close = rs->close;
	return deliver(rq, rs, &frame, deadline);
}

/* "10000\r\n" of a chunk's length, up to 16 digits. Return: how many characters. */
enum { CHUNK_HEAD_BYTES = 18 };

static size_t chunk_head(uint64_t bytes, uint8_t *ret_head)
{
	int shift = (63 - __builtin_clzll(bytes)) & ~3;
	uint8_t *p = ret_head;

	for (; shift >= 0; shift -= 4)
		*p++ = (uint8_t)"0123456789abcdef"[bytes >> shift & 15];
	*p++ = '\r';
	*p++ = '\n';
	return (size_t)(p - ret_head);
}

static struct sl_part text(const void *p, size_t n)
{
	return sl_part_slice(sl_slice_borrow(p, n));
}

static int h1_send(struct http_request *rq, struct sl_part *parts, uint32_t n, int64_t deadline)
{
	bool chunked = rq->out.chunked;
	struct sl_reply *reply = sl_reply_new(rq->conn, n + 2, 0, CHUNK_HEAD_BYTES);
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < n; i++)
		bytes += sl_part_len(&parts[i]);
	if (!reply) {
		for (uint32_t i = 0; i < n; i++)
			sl_part_release(&parts[i]);
		return -ENOMEM;
	}
	if (chunked)
		sl_reply_add(reply, text(reply->bytes, chunk_head(bytes, reply->bytes)));
	for (uint32_t i = 0; i < n; i++)
		sl_reply_add(reply, parts[i]);
	if (chunked)
		sl_reply_add(reply, text("\r\n", 2));
	return sl_deliver(reply, deadline);
}

static int h1_end(struct http_request *rq, int64_t deadline)
{
	const struct http_out *o = &rq->out;
	struct sl_reply *reply;

	if (!o->close && (!o->chunked || o->silent))
		return 0;
	reply = sl_reply_new(rq->conn, 1, 0, 0);
	if (!reply)
		return -ENOMEM;
	if (o->chunked && !o->silent)
		sl_reply_add(reply, text("0\r\n\r\n", 5));
	reply->close = o->close;
	return sl_deliver(reply, deadline);
}

/* ---- interim ones ----------------------------------------------------------------------- */

static int h1_interim(struct http_request *rq, int status, const char *lines, size_t n,
		      int64_t deadline)
{
	struct sl_reply *reply;
	char *p;
	int k;

	if (!rq->minor)
		return 0;
	reply = sl_reply_new(rq->conn, 1, 0, n + HTTP_HEAD_OWN_BYTES);
	if (!reply)
		return -ENOMEM;
	p = (char *)reply->bytes;
	k = snprintf(p, HTTP_HEAD_OWN_BYTES, "HTTP/1.1 %d %s\r\n", status,
		     http_status_reason(status));
	memcpy(p + k, lines, n);
	memcpy(p + k + n, "\r\n", 2);
	sl_reply_add(reply, text(p, (size_t)k + n + 2));
	return sl_deliver(reply, deadline);
}

const struct http_wire http_h1_wire = {
	.read = http_h1_body_read,
	.begin = h1_begin,
	.send = h1_send,
	.end = h1_end,
	.interim = h1_interim,
};
