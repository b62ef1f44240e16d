/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a version of HTTP carries what handlers read and send. Handlers know nothing of it: they call
 * http_body_read() and http_stream_*().
 */
#ifndef PROTO_HTTP_WIRE_H
#define PROTO_HTTP_WIRE_H

#include "request.h"
#include "response.h"

/**
 * struct http_wire - one version; a const row for each.
 * @read: as http_body_read(), of a body that is neither done nor failed.
 * @begin: the head leaves. rq->out is set up.
 * @send: parts of which some have bytes, as many as rq->out allows; takes their references in any
 *	case.
 * @end: the body was sent in full.
 * @interim: as http_interim().
 */
struct http_wire {
	ssize_t (*read)(struct http_request *rq, void *dst, size_t max, int64_t deadline);
	int (*begin)(struct http_request *rq, struct http_response *rs, uint64_t bytes,
		     int64_t deadline);
	int (*send)(struct http_request *rq, struct sl_part *parts, uint32_t n, int64_t deadline);
	int (*end)(struct http_request *rq, int64_t deadline);
	int (*interim)(struct http_request *rq, int status, const char *lines, size_t n,
		       int64_t deadline);
};

/**
 * http_respond() - the route's handler answers @rq: by @rs, or, as rq->out tells, by a stream.
 * Return: 0; -ECONNRESET or -EPIPE: the client is gone; -EIO: the stream was not ended.
 */
int http_respond(struct http_request *rq, struct http_response *rs);

/* h1.c */
extern const struct http_wire http_h1_wire;

/* Sends the whole of @rs, and sets rs->close if the connection is to end with it. */
int http_h1_answer(struct http_request *rq, struct http_response *rs);

/* body.c: http_body_read() of HTTP/1.1. */
ssize_t http_h1_body_read(struct http_request *rq, void *dst, size_t max, int64_t deadline);

/* When the next @n bytes of a body must have come: each wait has its limit, the average too. */
int64_t http_body_due(struct http_request *rq, size_t n, int64_t deadline);

/* What is left of a body is read and dropped up to so much: cheaper, for both ends, than another
 * connection. */
enum { HTTP_DRAIN_BYTES = 64 << 10 };

#endif
