/* SPDX-License-Identifier: Apache-2.0 */
/* Answers with parts of a body: one range, several, none (RFC 9110, sections 14 and 15.3.7). */
#ifndef PROTO_HTTP_PARTIAL_H
#define PROTO_HTTP_PARTIAL_H

#include "condition.h"
#include "range.h"
#include "response.h"

/**
 * http_partial_choose() - the ranges of a body of @bytes bytes that @rq is to get; none but of GET,
 * and of what If-Range still means.
 * Return: 0: the whole; 1 to HTTP_RANGES_MAX, in @ret_ranges; -ERANGE: it has none of them.
 */
int http_partial_choose(const struct http_request *rq, const struct http_validators *v,
			uint64_t bytes, struct http_range *ret_ranges);

/* 416, of a body of @bytes bytes. @what: "file": what it is called. Return: 0 or -errno. */
int http_partial_none(struct http_response *rs, const char *what, uint64_t bytes);

/* 206 and Content-Range; the body is the caller's to add. Return: 0 or -errno. */
int http_partial_one(struct http_response *rs, const struct http_range *r, uint64_t bytes);

/**
 * struct http_multipart - what stands between the ranges of a multipart/byteranges body.
 * @heads: one before each of @n ranges, and what ends the body, with references of their own.
 * @bytes: of the whole body, ranges included.
 */
struct http_multipart {
	struct sl_buf *buf;
	size_t used;
	uint64_t bytes;
	int n;
	struct sl_slice heads[HTTP_RANGES_MAX + 1];
};

/**
 * http_multipart_make() - 206 with the media type that says so, which lies in @ret_m. The body is
 * heads[0], the first range, heads[1], …, heads[@n], and the caller's to add.
 * @type: of the whole. Return: 0, or -ENOMEM.
 */
int http_multipart_make(struct http_response *rs, struct http_str type, uint64_t bytes,
			const struct http_range *ranges, int n, struct http_multipart *ret_m);

/* The next head, whose reference the caller takes. */
static inline struct sl_part http_multipart_take(struct http_multipart *m, int i)
{
	struct sl_slice s = m->heads[i];

	m->heads[i] = (struct sl_slice){0};
	return sl_part_slice(s);
}

/* Releases the heads that nobody took, once @rs was sent or begun. */
void http_multipart_done(struct http_multipart *m);

#endif
