/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2's fields become the head that handlers know.
 *
 * Interface: h2_head.h. nghttp2 has decompressed them and refused some; here they are held to the
 * same rules as those of HTTP/1.1, since a handler may hand them on to a server that speaks it (RFC
 * 9113, section 10.3). Invariant: spans are into h->buf.
 *
 * Order of parts: collecting; taking apart; cookies; the whole.
 */
#include "h2_head.h"

#include <errno.h>
#include <string.h>

/* ---- collecting ------------------------------------------------------------------------- */

enum { FIRST_BYTES = 1000, FIELD_COST = 32 };

struct lengths {
	uint32_t name, value;
};

/* Room for @n more bytes. */
static int reserve(struct h2_head *h, size_t n)
{
	size_t room = h->buf ? h->buf->bytes : 0;
	struct sl_buf *buf;

	if (h->n + n <= room)
		return 0;
	buf = sl_buf_new(sl_max(h->n + n, sl_max(2 * room, (size_t)FIRST_BYTES)));
	if (!buf)
		return -ENOMEM;
	if (h->n)
		memcpy(buf->data, h->buf->data, h->n);
	sl_buf_release(h->buf);
	h->buf = buf;
	return 0;
}

static void put(struct h2_head *h, const void *data, size_t n)
{
	if (n)
		memcpy(h->buf->data + h->n, data, n);
	h->n += (uint32_t)n;
}

int h2_head_add(struct h2_head *h, const void *name, size_t name_n, const void *value,
		size_t value_n)
{
	struct lengths l = {(uint32_t)name_n, (uint32_t)value_n};
	int err;

	h->listed += name_n + value_n + FIELD_COST;
	if (h->listed > h->max)
		h->refusal = HTTP_REFUSE_HEAD_LONG;
	if (h->refusal)
		return 0;
	err = reserve(h, sizeof(l) + name_n + value_n);
	if (err)
		return err;
	put(h, &l, sizeof(l));
	put(h, name, name_n);
	put(h, value, value_n);
	return 0;
}

void h2_head_done(struct h2_head *h)
{
	sl_buf_release(h->buf);
	h->buf = NULL;
}

/* ---- taking apart ----------------------------------------------------------------------- */

struct pseudo {
	struct http_span method, scheme, path, authority;
	uint32_t cookies;
	size_t cookie_bytes;
};

static enum http_refusal take_pseudo(struct http_str name, struct http_span value, struct pseudo *p)
{
	const struct {
		const char *name;
		struct http_span *at;
	} known[] = {
		{":method", &p->method},
		{":scheme", &p->scheme},
		{":path", &p->path},
		{":authority", &p->authority},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(known); i++) {
		if (!http_str_is(name, known[i].name))
			continue;
		if (known[i].at->at)
			return HTTP_REFUSE_FIELD;
		*known[i].at = value;
		return HTTP_REFUSE_NONE;
	}
	return HTTP_REFUSE_FIELD;
}

static enum http_refusal take_field(struct http_request *rq, struct http_field f, struct pseudo *p)
{
	struct http_str name = http_request_str(rq, f.name);

	if (name.n && *name.p == ':')
		return take_pseudo(name, f.value, p);
	if (rq->fields_n == HTTP_FIELDS_MAX)
		return HTTP_REFUSE_FIELDS_MANY;
	if (http_str_is(name, "cookie")) {
		p->cookies++;
		p->cookie_bytes += f.value.n + 2;
	}
	rq->fields[rq->fields_n++] = f;
	return HTTP_REFUSE_NONE;
}

static enum http_refusal take_all(struct http_request *rq, struct pseudo *p)
{
	uint32_t at = 0;

	while (at < rq->head_bytes) {
		struct http_field f;
		enum http_refusal why;
		struct lengths l;

		memcpy(&l, rq->head + at, sizeof(l));
		at += sizeof(l);
		f.name = (struct http_span){at, l.name};
		f.value = (struct http_span){at + l.name, l.value};
		at += l.name + l.value;
		why = take_field(rq, f, p);
		if (why)
			return why;
	}
	return HTTP_REFUSE_NONE;
}

/* ---- cookies ---------------------------------------------------------------------------- */

/* Crumbs that came in fields of their own are one field to everybody else (RFC 9113, 8.2.3). */
static enum http_refusal join_cookies(struct h2_head *h, struct http_request *rq,
				      const struct pseudo *p)
{
	struct http_field *first = NULL;
	uint32_t n = 0, at = h->n;

	if (p->cookies < 2)
		return HTTP_REFUSE_NONE;
	if (reserve(h, p->cookie_bytes))
		return HTTP_REFUSE_HEAD_LONG;
	rq->head = (const char *)h->buf->data;
	rq->head_bytes += p->cookie_bytes;
	for (uint32_t i = 0; i < rq->fields_n; i++) {
		struct http_field *f = &rq->fields[i];

		if (!http_str_is(http_request_str(rq, f->name), "cookie")) {
			rq->fields[n++] = *f;
			continue;
		}
		if (first)
			put(h, "; ", 2);
		put(h, rq->head + f->value.at, f->value.n);
		if (!first) {
			first = &rq->fields[n];
			rq->fields[n++] = *f;
		}
	}
	first->value = (struct http_span){at, h->n - at};
	rq->head_bytes = h->n;
	rq->fields_n = n;
	return HTTP_REFUSE_NONE;
}

/* ---- the whole -------------------------------------------------------------------------- */

enum http_refusal h2_head_parse(struct h2_head *h, bool ended, struct http_request *rq)
{
	struct pseudo p = {0};
	enum http_refusal why = h->refusal;

	http_request_reset(rq, h->buf ? (const char *)h->buf->data : "", h->n);
	rq->major = 2;
	rq->minor = 0;
	rq->keep_alive = true;
	if (!why)
		why = take_all(rq, &p);
	if (!why)
		why = join_cookies(h, rq, &p);
	if (why)
		return why;
	if (!p.method.n || !p.scheme.n || !p.path.n)
		return HTTP_REFUSE_REQUEST_LINE;
	rq->method_text = p.method;
	rq->target = p.path;
	rq->authority = p.authority;
	return http_request_check(rq, ended);
}
