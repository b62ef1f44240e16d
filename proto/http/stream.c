/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Responses that leave in pieces.
 *
 * Interface: http_stream_*() of response.h. Here is what is the same for all versions of HTTP: what
 * was promised is what is sent, and a failure is told again by each later call; how the pieces are
 * framed is the wire's. Invariant: references of parts are taken, whatever becomes of them.
 */
#include <errno.h>

#include "wire.h"

int http_stream_begin(struct http_request *rq, struct http_response *rs, uint64_t bytes,
		      int64_t deadline)
{
	struct http_out *o = &rq->out;

	SL_ASSERT(!o->begun && !rs->n && !rs->small_n);
	*o = (struct http_out){
		.begun = true,
		.status = rs->status,
		.left = bytes,
		.silent = rq->method == HTTP_M_HEAD || http_status_ends_head(rs->status),
	};
	o->err = rq->wire->begin(rq, rs, bytes, deadline);
	return o->err;
}

static void release(struct sl_part *parts, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		sl_part_release(&parts[i]);
}

int http_stream_send(struct http_request *rq, struct sl_part *parts, uint32_t n, int64_t deadline)
{
	struct http_out *o = &rq->out;
	uint64_t bytes = 0;

	SL_ASSERT(o->begun && !o->ended);
	for (uint32_t i = 0; i < n; i++)
		bytes += sl_part_len(&parts[i]);
	if (!o->err && !o->silent && bytes > o->left)
		o->err = -EMSGSIZE;
	if (o->err || o->silent || !bytes) {
		release(parts, n);
		return o->err;
	}
	if (o->left != HTTP_BYTES_UNKNOWN)
		o->left -= bytes;
	o->err = rq->wire->send(rq, parts, n, deadline);
	if (!o->err)
		o->sent += bytes;
	return o->err;
}

int http_stream_end(struct http_request *rq, int64_t deadline)
{
	struct http_out *o = &rq->out;

	SL_ASSERT(o->begun && !o->ended);
	if (!o->err && !o->silent && o->left && o->left != HTTP_BYTES_UNKNOWN)
		o->err = -EPROTO;
	if (!o->err)
		o->err = rq->wire->end(rq, deadline);
	o->ended = !o->err;
	return o->err;
}

int http_interim(struct http_request *rq, int status, const char *lines, size_t n,
		 int64_t deadline)
{
	SL_ASSERT(status >= 100 && status <= 199 && status != 101 && !rq->out.begun);
	/* Arithmetic with NULL is undefined, even where nothing is added. */
	return rq->wire->interim(rq, status, n ? lines : "", n, deadline);
}
