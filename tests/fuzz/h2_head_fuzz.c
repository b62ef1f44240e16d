// SPDX-License-Identifier: Apache-2.0
/*
 * Heads of HTTP/2 requests.
 *
 * The input is fields: a byte with the length of the name, two with that of the value, and both. A
 * head that is accepted holds nothing that ends a line, and, written as HTTP/1.1, is accepted by
 * that parser and means the same: what a proxy hands on is what was checked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http/h2_head.h"
#include "proto/http/head.h"

enum { HEAD_MAX = 16384 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_str(const struct http_request *rq, struct http_span span, int lowest)
{
	struct http_str s = http_request_str(rq, span);

	for (size_t i = 0; i < s.n; i++)
		SL_ASSERT(((uint8_t)s.p[i] >= lowest && s.p[i] != 0x7f) || s.p[i] == '\t');
}

/* ---- as HTTP/1.1 ------------------------------------------------------------------------ */

struct text {
	char p[2 * HEAD_MAX];
	size_t n;
};

static void put(struct text *t, const char *p, size_t n)
{
	SL_ASSERT(n <= sizeof(t->p) - t->n);
	memcpy(t->p + t->n, p, n);
	t->n += n;
}

static void put_text(struct text *t, const char *s)
{
	put(t, s, strlen(s));
}

static void put_span(struct text *t, const struct http_request *rq, struct http_span span)
{
	struct http_str s = http_request_str(rq, span);

	put(t, s.p, s.n);
}

static void write_head(const struct http_request *rq, struct text *t)
{
	t->n = 0;
	put_span(t, rq, rq->method_text);
	put_text(t, " ");
	put_span(t, rq, rq->target);
	put_text(t, " HTTP/1.1\r\nHost: ");
	put_span(t, rq, rq->authority);
	put_text(t, "\r\n");
	for (uint32_t i = 0; i < rq->fields_n; i++) {
		if (http_str_is(http_request_str(rq, rq->fields[i].name), "host"))
			continue;
		put_span(t, rq, rq->fields[i].name);
		put_text(t, ": ");
		put_span(t, rq, rq->fields[i].value);
		put_text(t, "\r\n");
	}
	put_text(t, "\r\n");
}

static bool same(const struct http_request *a, struct http_span s, const struct http_request *b,
		 struct http_span t)
{
	return s.n == t.n &&
	       !memcmp(http_request_str(a, s).p, http_request_str(b, t).p, s.n);
}

static void check_as_http_1(const struct http_request *rq)
{
	static struct http_request other;
	static struct text t;
	struct http_scan scan = {0};
	enum http_refusal why;

	write_head(rq, &t);
	SL_ASSERT(http_head_scan(&scan, (uint8_t *)t.p, t.n, sizeof(t.p)) == (ssize_t)t.n);
	why = http_request_parse(&other, (uint8_t *)t.p, t.n, scan.begin);
	/* One field more, that of Host, may be one too many. */
	if (why == HTTP_REFUSE_FIELDS_MANY && rq->fields_n == HTTP_FIELDS_MAX)
		return;
	SL_ASSERT(!why);
	SL_ASSERT(other.method == rq->method && other.star == rq->star);
	SL_ASSERT(same(rq, rq->method_text, &other, other.method_text));
	SL_ASSERT(same(rq, rq->path, &other, other.path));
	SL_ASSERT(same(rq, rq->query, &other, other.query));
	SL_ASSERT(same(rq, rq->authority, &other, other.authority));
	SL_ASSERT(!other.body.chunked);
	SL_ASSERT(other.body.left == rq->body.left || rq->body.left == HTTP_BYTES_UNKNOWN);
}

/* ---- the input -------------------------------------------------------------------------- */

/* The next field of the input. Return: whether there was one. */
static bool next_field(struct h2_head *h, const uint8_t **p, const uint8_t *end)
{
	size_t name_n, value_n;

	if (end - *p < 3)
		return false;
	name_n = **p;
	value_n = (size_t)(*p)[1] << 8 | (*p)[2];
	*p += 3;
	name_n = sl_min(name_n, (size_t)(end - *p));
	value_n = sl_min(value_n, (size_t)(end - *p) - name_n);
	SL_ASSERT(!h2_head_add(h, *p, name_n, *p + name_n, value_n));
	*p += name_n + value_n;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct h2_head h = {.max = HEAD_MAX};
	const uint8_t *p = data, *end = data + n;
	static struct http_request rq;

	if (!n)
		return 0;
	p++;
	while (next_field(&h, &p, end))
		;
	if (!h2_head_parse(&h, data[0] & 1, &rq)) {
		SL_ASSERT(rq.major == 2 && h.n <= 2 * HEAD_MAX);
		check_str(&rq, rq.target, '!');
		check_str(&rq, rq.method_text, '!');
		check_str(&rq, rq.authority, '!');
		for (uint32_t i = 0; i < rq.fields_n; i++) {
			check_str(&rq, rq.fields[i].name, '!');
			check_str(&rq, rq.fields[i].value, ' ');
		}
		check_as_http_1(&rq);
	}
	h2_head_done(&h);
	return 0;
}
