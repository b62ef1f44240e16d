/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers with parts of a body.
 *
 * Interface: partial.h. What the bytes are, and how they leave, is their owner's: here are only the
 * words around them. Order of parts: one range, or none; several.
 */
#include "partial.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lines.h"

/* ---- one range, or none ----------------------------------------------------------------- */

/* "bytes 0-99/1000" */
#define CONTENT_RANGE "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64
enum { CONTENT_RANGE_BYTES = 6 + 3 * 20 + 3 };

int http_partial_choose(const struct http_request *rq, const struct http_validators *v,
			uint64_t bytes, struct http_range *ret_ranges)
{
	struct http_str value;

	/* Of a HEAD no range is defined. */
	if (rq->method != HTTP_M_GET || !http_request_field(rq, "Range", &value) ||
	    !http_condition_range(rq, v))
		return 0;
	return http_range_parse(value, bytes, ret_ranges);
}

int http_partial_none(struct http_response *rs, const char *what, uint64_t bytes)
{
	char text[CONTENT_RANGE_BYTES];

	snprintf(text, sizeof(text), "the %s has none of these bytes", what);
	http_response_error(rs, 416, text);
	snprintf(text, sizeof(text), "bytes */%" PRIu64, bytes);
	return http_response_field(rs, "Content-Range", text);
}

int http_partial_one(struct http_response *rs, const struct http_range *r, uint64_t bytes)
{
	static const char name[] = "Content-Range: bytes ";
	char line[sizeof(name) + CONTENT_RANGE_BYTES], *p = line;

	rs->status = 206;
	memcpy(p, name, sizeof(name) - 1);
	p = sl_digits_put(p + sizeof(name) - 1, r->off);
	*p++ = '-';
	p = sl_digits_put(p, r->off + r->len - 1);
	*p++ = '/';
	p = sl_digits_put(p, bytes);
	memcpy(p, "\r\n", 2);
	return http_response_lines(rs, line, (size_t)(p + 2 - line));
}

/* ---- several ---------------------------------------------------------------------------- */

enum {
	BOUNDARY_BYTES = 16,
	PART_HEAD_BYTES = 2 * CONTENT_RANGE_BYTES + 100, /* and the type */
};

__attribute__((format(printf, 2, 3))) static struct sl_slice put_text(struct http_multipart *m,
								      const char *format, ...)
{
	size_t at = m->used, room = m->buf->bytes - at;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf((char *)m->buf->data + at, room, format, args);
	va_end(args);
	SL_ASSERT(n > 0 && (size_t)n < room);
	m->used += (size_t)n + 1;
	return sl_slice_of(m->buf, at, (size_t)n);
}

int http_multipart_make(struct http_response *rs, struct http_str type, uint64_t bytes,
			const struct http_range *ranges, int n, struct http_multipart *ret_m)
{
	struct http_multipart m = {.n = n};
	char boundary[BOUNDARY_BYTES + 1];
	struct sl_slice media;
	uint64_t random;

	SL_ASSERT(n > 1 && n <= HTTP_RANGES_MAX);
	m.buf = sl_buf_new((size_t)(n + 2) * (PART_HEAD_BYTES + type.n));
	if (!m.buf)
		return -ENOMEM;
	/* No body can hold a boundary that is not known before. */
	sl_random(&random, sizeof(random));
	snprintf(boundary, sizeof(boundary), "%016" PRIx64, random);
	media = put_text(&m, "multipart/byteranges; boundary=%s", boundary);
	rs->status = 206;
	rs->content_type = (const char *)media.data;
	sl_slice_release(&media);
	for (int i = 0; i < n; i++) {
		m.heads[i] = put_text(&m, "\r\n--%s\r\nContent-Type: %.*s\r\nContent-Range: "
				      CONTENT_RANGE "\r\n\r\n", boundary, (int)type.n, type.p,
				      ranges[i].off, ranges[i].off + ranges[i].len - 1, bytes);
		m.bytes += m.heads[i].len + ranges[i].len;
	}
	m.heads[n] = put_text(&m, "\r\n--%s--\r\n", boundary);
	m.bytes += m.heads[n].len;
	*ret_m = m;
	return 0;
}

void http_multipart_done(struct http_multipart *m)
{
	for (int i = 0; i <= m->n; i++)
		sl_slice_release(&m->heads[i]);
	sl_buf_release(m->buf);
	m->buf = NULL;
}
