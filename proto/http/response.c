/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Responses.
 *
 * Interface: response.h but http_stream_*(). The head and a small body are one slice in the reply's
 * own memory, so that they leave in one send; a body of parts follows without being copied.
 * Invariant: the Content-Length is that of the body, sent or, to HEAD, left out.
 *
 * Order of parts: filling; the head; the reply.
 */
#include "response.h"

#include <errno.h>
#include <string.h>

#include "errmap.h"

/* ---- filling ---------------------------------------------------------------------------- */

void http_response_init(struct http_response *rs)
{
	rs->status = 200;
	rs->content_type = NULL;
	rs->close = rs->forwarded = rs->wrong = false;
	rs->n = 0;
	rs->extra_n = rs->small_n = 0;
	rs->extra_buf = NULL;
}

static void drop_body(struct http_response *rs)
{
	for (uint32_t i = 0; i < rs->n; i++)
		sl_part_release(&rs->parts[i]);
	rs->n = 0;
	rs->small_n = 0;
	rs->content_type = NULL;
}

void http_response_done(struct http_response *rs)
{
	drop_body(rs);
	sl_buf_release(rs->extra_buf);
	http_response_init(rs);
}

static bool breaks_line(struct http_str s)
{
	return memchr(s.p, '\r', s.n) || memchr(s.p, '\n', s.n) || memchr(s.p, 0, s.n);
}

/* Room for @n more bytes of header lines. */
static int reserve_extra(struct http_response *rs, size_t n)
{
	size_t room = rs->extra_buf ? rs->extra_buf->bytes : sizeof(rs->extra_own);
	struct sl_buf *buf;

	if (n > HTTP_EXTRA_BYTES_MAX - rs->extra_n)
		return -ENOSPC;
	if (n <= room - rs->extra_n)
		return 0;
	buf = sl_buf_new(sl_max(rs->extra_n + n, 2 * room));
	if (!buf)
		return -ENOMEM;
	memcpy(buf->data, http_response_extra(rs), rs->extra_n);
	sl_buf_release(rs->extra_buf);
	rs->extra_buf = buf;
	return 0;
}

int http_response_field_str(struct http_response *rs, struct http_str name, struct http_str value)
{
	size_t n = name.n + value.n + 4;
	char *p;
	int err;

	if (!name.n || breaks_line(name) || breaks_line(value))
		return -EINVAL;
	err = reserve_extra(rs, n);
	if (err)
		return err;
	p = (rs->extra_buf ? (char *)rs->extra_buf->data : rs->extra_own) + rs->extra_n;
	memcpy(p, name.p, name.n);
	memcpy(p + name.n, ": ", 2);
	memcpy(p + name.n + 2, value.p, value.n);
	memcpy(p + name.n + 2 + value.n, "\r\n", 2);
	rs->extra_n += n;
	return 0;
}

int http_response_lines(struct http_response *rs, const char *lines, size_t n)
{
	int err = reserve_extra(rs, n);

	if (err || !n)
		return err;
	SL_ASSERT(n >= 2 && !memcmp(lines + n - 2, "\r\n", 2));
	memcpy((rs->extra_buf ? (char *)rs->extra_buf->data : rs->extra_own) + rs->extra_n, lines,
	       n);
	rs->extra_n += n;
	return 0;
}

int http_response_field(struct http_response *rs, const char *name, const char *value)
{
	return http_response_field_str(rs, (struct http_str){name, strlen(name)},
				       (struct http_str){value, strlen(value)});
}

int http_response_body(struct http_response *rs, const char *content_type, const void *data,
		       size_t n)
{
	struct sl_buf *buf;

	drop_body(rs);
	if (n > SL_BUF_BYTES_MAX)
		return -E2BIG;
	rs->content_type = content_type;
	if (n <= HTTP_SMALL_BYTES) {
		memcpy(rs->small, data, n);
		rs->small_n = n;
		return 0;
	}
	buf = sl_buf_new(n);
	if (!buf)
		return -ENOMEM;
	memcpy(buf->data, data, n);
	rs->parts[rs->n++] = sl_part_slice(
		(struct sl_slice){.buf = buf, .data = buf->data, .len = n});
	return 0;
}

void http_response_error(struct http_response *rs, int status, const char *text)
{
	static const char before[] = "{\"error\": \"", after[] = "\"}\n";
	size_t n = strlen(text);

	SL_ASSERT(!strpbrk(text, "\"\\\n"));
	SL_ASSERT(n + sizeof(before) + sizeof(after) <= HTTP_SMALL_BYTES);
	drop_body(rs);
	rs->status = status;
	rs->content_type = "application/json";
	memcpy(rs->small, before, sizeof(before) - 1);
	memcpy(rs->small + sizeof(before) - 1, text, n);
	memcpy(rs->small + sizeof(before) - 1 + n, after, sizeof(after) - 1);
	rs->small_n = sizeof(before) - 1 + n + sizeof(after) - 1;
}

/* ---- the head --------------------------------------------------------------------------- */

struct out {
	uint8_t *p, *end;
};

/* Inline, so that what is written out here costs a store or two. */
static inline __attribute__((always_inline)) void put(struct out *o, const void *data, size_t n)
{
	SL_ASSERT(n <= (size_t)(o->end - o->p));
	memcpy(o->p, data, n);
	o->p += n;
}

static inline __attribute__((always_inline)) void put_string(struct out *o, const char *s)
{
	put(o, s, strlen(s));
}

static void put_number(struct out *o, uint64_t v)
{
	char digits[SL_DIGITS_MAX];

	put(o, digits, (size_t)(sl_digits_put(digits, v) - digits));
}

static void put_status(struct out *o, int status)
{
	const char digits[] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
			       (char)('0' + status % 10)};

	put(o, digits, sizeof(digits));
}

uint64_t http_response_bytes(const struct http_response *rs)
{
	uint64_t n = rs->small_n;

	for (uint32_t i = 0; i < rs->n; i++)
		n += sl_part_len(&rs->parts[i]);
	return n;
}

size_t http_response_head_bytes(const struct http_response *rs)
{
	return HTTP_HEAD_OWN_BYTES + rs->extra_n +
	       (rs->content_type ? strlen(rs->content_type) : 0);
}

static void put_length(struct out *o, const struct http_response *rs,
		       const struct http_frame *frame)
{
	uint64_t bytes = frame->streamed ? frame->bytes : http_response_bytes(rs);

	if (http_status_ends_head(rs->status))
		return;
	if (bytes != HTTP_BYTES_UNKNOWN) {
		put_string(o, "\r\nContent-Length: ");
		put_number(o, bytes);
	} else if (frame->chunked) {
		put_string(o, "\r\nTransfer-Encoding: chunked");
	}
}

size_t http_response_head(const struct http_response *rs, const struct http_frame *frame,
			  uint8_t *ret_head)
{
	struct out o = {ret_head, ret_head + http_response_head_bytes(rs)};

	SL_ASSERT(rs->status >= 200 && rs->status <= 599);
	put_string(&o, "HTTP/1.1 ");
	put_status(&o, rs->status);
	put_string(&o, " ");
	put_string(&o, http_status_reason(rs->status));
	if (!rs->forwarded) {
		put_string(&o, "\r\nServer: sluice/" SL_VERSION "\r\nDate: ");
		put(&o, frame->date, HTTP_DATE_BYTES - 1);
	}
	if (rs->content_type) {
		put_string(&o, "\r\nContent-Type: ");
		put_string(&o, rs->content_type);
	}
	put_length(&o, rs, frame);
	if (rs->close)
		put_string(&o, "\r\nConnection: close");
	else if (frame->keep_alive)
		put_string(&o, "\r\nConnection: keep-alive");
	put_string(&o, "\r\n");
	put(&o, http_response_extra(rs), rs->extra_n);
	put_string(&o, "\r\n");
	return (size_t)(o.p - ret_head);
}

/* ---- the reply -------------------------------------------------------------------------- */

struct sl_reply *http_response_reply(struct http_response *rs, const struct http_frame *frame,
				     struct sl_conn *conn)
{
	struct sl_reply *reply;
	size_t n;

	SL_ASSERT(!rs->n || !rs->small_n);
	/* As small as can be: of a thousand replies each takes its place in the cache. */
	reply = sl_reply_new(conn, 1 + rs->n, 0, http_response_head_bytes(rs) + rs->small_n);
	if (!reply)
		return NULL;
	n = http_response_head(rs, frame, reply->bytes);
	reply->close = rs->close && !frame->streamed;
	if (frame->head_only || http_status_ends_head(rs->status)) {
		drop_body(rs);
	} else {
		memcpy(reply->bytes + n, rs->small, rs->small_n);
		n += rs->small_n;
	}
	sl_reply_add(reply, sl_part_slice(sl_slice_borrow(reply->bytes, n)));
	for (uint32_t i = 0; i < rs->n; i++)
		sl_reply_add(reply, rs->parts[i]);
	rs->n = 0;
	return reply;
}
