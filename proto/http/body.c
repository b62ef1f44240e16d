/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of a request, read when its handler asks for it.
 *
 * Interface: the body's part of request.h. A body of known length is received straight into the
 * reader's memory; chunks are decoded by llhttp, strict, which gets a head of its own beforehand.
 * At most as many bytes are fed to it as the reader has room for, so nothing is kept between
 * reads. Invariant: what was taken off the wire never goes beyond the body's end.
 *
 * Order of parts: time and steps; 100 Continue; chunks; known length; the calls.
 */
#include <errno.h>
#include <string.h>

#include "wire.h"

/* ---- time and steps --------------------------------------------------------------------- */

/* The slowest body that is waited for. */
enum { RATE_BYTES_PER_S = 4096 };

int64_t http_body_due(struct http_request *rq, size_t n, int64_t deadline)
{
	struct http_body *b = &rq->body;
	int64_t grace = sl_conn_read_deadline(rq->conn) - sl_now();
	uint64_t s = (b->fed + n) / RATE_BYTES_PER_S;

	if (!b->begun_ns)
		b->begun_ns = sl_now();
	if (s > 1000000000)
		return deadline;
	return sl_min(deadline, b->begun_ns + grace + (int64_t)s * SL_SEC);
}

/* What is read at once of @max bytes: so much stays in the processor's cache. */
static size_t step(size_t max)
{
	return sl_min(max, (size_t)SL_CONN_WINDOW_BYTES);
}

/* ---- 100 Continue ----------------------------------------------------------------------- */

/* Not when the body is on its way already: then the client did not wait. */
static int send_continue(struct http_request *rq, int64_t deadline)
{
	rq->body.expects = false;
	if (sl_conn_buffered(rq->conn) || rq->out.begun)
		return 0;
	return http_interim(rq, 100, NULL, 0, deadline);
}

/* ---- chunks ----------------------------------------------------------------------------- */

/* Extensions and trailers bring nothing: what a sane sender needs of them, and no more. */
enum { FRAMING_BYTES_FREE = 16 << 10, FRAMING_PER_BYTE = 16 };

static int check_amount(const struct http_body *b)
{
	if (b->got > b->max)
		return -EMSGSIZE;
	if (b->fed - b->got > FRAMING_BYTES_FREE + b->got * FRAMING_PER_BYTE)
		return -EPROTO;
	return 0;
}

static int on_head_complete(llhttp_t *p)
{
	(void)p;
	return HPE_PAUSED;
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
	struct http_body *b = &((struct http_request *)p->data)->body;

	memcpy(b->out + b->out_n, at, n);
	b->out_n += n;
	return 0;
}

static int on_message_complete(llhttp_t *p)
{
	struct http_request *rq = p->data;

	rq->body.done = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_headers_complete = on_head_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

void http_chunked_begin(struct http_request *rq)
{
	static const char head[] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
	llhttp_errno_t err;

	llhttp_init(&rq->parser, HTTP_REQUEST, &settings);
	rq->parser.data = rq;
	err = llhttp_execute(&rq->parser, head, sizeof(head) - 1);
	SL_ASSERT(err == HPE_PAUSED);
	llhttp_resume(&rq->parser);
}

ssize_t http_chunked_decode(struct http_request *rq, const uint8_t *in, size_t n, uint8_t *out,
			    size_t *ret_used)
{
	struct http_body *b = &rq->body;
	llhttp_errno_t err;
	size_t used;
	int over;

	SL_ASSERT(b->chunked && !b->done);
	b->out = out;
	b->out_n = 0;
	err = llhttp_execute(&rq->parser, (const char *)in, n);
	SL_ASSERT(b->out_n <= n);
	b->out = NULL;
	if (err != HPE_OK && !(err == HPE_PAUSED && b->done))
		return -EPROTO;
	used = err == HPE_OK ? n : (size_t)(llhttp_get_error_pos(&rq->parser) - (const char *)in);
	SL_ASSERT(used <= n);
	b->fed += used;
	b->got += b->out_n;
	over = check_amount(b);
	if (over)
		return over;
	*ret_used = used;
	return (ssize_t)b->out_n;
}

static ssize_t read_chunked(struct http_request *rq, uint8_t *dst, size_t max, int64_t deadline)
{
	for (;;) {
		const uint8_t *in;
		size_t n, used;
		ssize_t got;
		int err;

		err = sl_conn_peek(rq->conn, 1, &in, http_body_due(rq, 1, deadline));
		if (err)
			return err;
		n = sl_min(sl_conn_buffered(rq->conn), step(max));
		err = sl_conn_peek(rq->conn, n, &in, deadline);
		if (err)
			return err;
		got = http_chunked_decode(rq, in, n, dst, &used);
		if (got < 0)
			return got;
		sl_conn_skip(rq->conn, used);
		if (got || rq->body.done)
			return got;
	}
}

/* ---- known length ----------------------------------------------------------------------- */

static ssize_t read_known(struct http_request *rq, uint8_t *dst, size_t max, int64_t deadline)
{
	struct http_body *b = &rq->body;
	size_t n = sl_min(b->left, step(max));
	int err;

	err = sl_conn_read_all(rq->conn, dst, n, http_body_due(rq, n, deadline));
	if (err)
		return err;
	b->fed += n;
	b->got += n;
	b->left -= n;
	b->done = !b->left;
	return (ssize_t)n;
}

/* ---- the calls -------------------------------------------------------------------------- */

ssize_t http_h1_body_read(struct http_request *rq, void *dst, size_t max, int64_t deadline)
{
	struct http_body *b = &rq->body;
	int err = b->expects ? send_continue(rq, deadline) : 0;

	if (err)
		return err;
	return b->chunked ? read_chunked(rq, dst, max, deadline)
			  : read_known(rq, dst, max, deadline);
}

ssize_t http_body_read(struct http_request *rq, void *dst, size_t max, int64_t deadline)
{
	struct http_body *b = &rq->body;
	ssize_t n;

	SL_ASSERT(max > 0);
	if (b->err || b->done)
		return b->err;
	n = rq->wire->read(rq, dst, max, deadline);
	if (n < 0)
		b->err = (int)n;
	return n;
}

int http_body_drain(struct http_request *rq, size_t max, int64_t deadline)
{
	uint64_t until = rq->body.fed + max;
	uint8_t waste[4096];

	while (!rq->body.done) {
		ssize_t n;

		if (rq->body.fed >= until)
			return -EMSGSIZE;
		n = http_body_read(rq, waste, sizeof(waste), deadline);
		if (n < 0)
			return (int)n;
	}
	return 0;
}
