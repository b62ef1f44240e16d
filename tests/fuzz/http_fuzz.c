// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP requests: the end of the head, its parser, the search for a route, chunks; no sockets.
 *
 * The first byte says into which steps the rest is cut. Looked at in steps and at once, bytes give
 * the same head and the same body; an accepted head holds nothing that another reader could take
 * for the end of a line, and llhttp, which is another reader, reads the same fields and framing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http/head.h"
#include "proto/http/route.h"

enum { HEAD_MAX = 4096, BODY_MAX = 1 << 16 };

static const struct http_route open_routes[] = {
	{HTTP_ON(GET) | HTTP_ON(PUT), "/{}/{}", NULL, 0},
	{HTTP_ON(POST), "/{*}", NULL, 0},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_str(const struct http_request *rq, struct http_span span, int lowest)
{
	struct http_str s = http_request_str(rq, span);

	for (size_t i = 0; i < s.n; i++)
		SL_ASSERT((uint8_t)s.p[i] >= lowest || s.p[i] == '\t');
}

static void check_route(const struct http_request *rq, const struct http_route *routes, size_t n)
{
	struct http_str params[HTTP_PARAMS_MAX] = {{0}};
	struct http_str path = http_request_str(rq, rq->path);
	uint32_t allowed = 0;
	char allow[HTTP_ALLOW_BYTES];
	const struct http_route *r = http_route_find(routes, n, rq->method, path, params, &allowed);

	http_allow_format(allowed, allow);
	SL_ASSERT(!r || !allowed);
	for (size_t i = 0; i < HTTP_PARAMS_MAX; i++)
		SL_ASSERT(!params[i].n || (params[i].p >= path.p &&
					   params[i].p + params[i].n <= path.p + path.n));
}

static void check_head(const struct http_request *rq)
{
	uint32_t hosts = 0, lengths = 0, codings = 0;

	check_str(rq, rq->target, '!');
	check_str(rq, rq->path, '!');
	check_str(rq, rq->query, '!');
	for (uint32_t i = 0; i < rq->fields_n; i++) {
		struct http_str name = http_request_str(rq, rq->fields[i].name);

		check_str(rq, rq->fields[i].name, '!');
		check_str(rq, rq->fields[i].value, ' ');
		hosts += http_str_is(name, "Host");
		lengths += http_str_is(name, "Content-Length");
		codings += http_str_is(name, "Transfer-Encoding");
	}
	SL_ASSERT(hosts <= 1 && (hosts || !rq->minor));
	SL_ASSERT(lengths + codings <= 1);
	SL_ASSERT(rq->body.chunked == (codings == 1));
	SL_ASSERT(lengths || !rq->body.left);
	check_route(rq, http_routes, http_routes_n);
	check_route(rq, open_routes, SL_ARRAY_SIZE(open_routes));
}

/* ---- another reader --------------------------------------------------------------------- */

/* What llhttp found so far; a name or a value may come in pieces. */
struct witness {
	const struct http_request *rq;
	struct http_str url, name, value;
	uint32_t fields;
};

static void join(struct http_str *s, const char *at, size_t n)
{
	SL_ASSERT(!s->n || s->p + s->n == at);
	if (!s->n)
		s->p = at;
	s->n += n;
}

static int on_url(llhttp_t *p, const char *at, size_t n)
{
	join(&((struct witness *)p->data)->url, at, n);
	return 0;
}

static int on_name(llhttp_t *p, const char *at, size_t n)
{
	join(&((struct witness *)p->data)->name, at, n);
	return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
	join(&((struct witness *)p->data)->value, at, n);
	return 0;
}

static bool same(struct http_str a, struct http_str b)
{
	return a.n == b.n && (!a.n || a.p == b.p);
}

static int on_field(llhttp_t *p)
{
	struct witness *w = p->data;
	const struct http_field *f = &w->rq->fields[w->fields++];
	struct http_str v = w->value;

	while (v.n && (v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '\t'))
		v.n--;
	SL_ASSERT(w->fields <= w->rq->fields_n);
	SL_ASSERT(same(http_request_str(w->rq, f->name), w->name));
	SL_ASSERT(same(http_request_str(w->rq, f->value), v));
	w->name = w->value = (struct http_str){0};
	return 0;
}

static int on_head(llhttp_t *p)
{
	(void)p;
	return HPE_PAUSED;
}

static void check_by_llhttp(const struct http_request *rq, const uint8_t *head, size_t n,
			    size_t begin)
{
	static const llhttp_settings_t settings = {
		.on_url = on_url,
		.on_header_field = on_name,
		.on_header_value = on_value,
		.on_header_value_complete = on_field,
		.on_headers_complete = on_head,
	};
	struct witness w = {.rq = rq};
	llhttp_t p;

	/* It knows some methods only, and behind a tab no coding any more. */
	if (rq->method == HTTP_M_OTHER || memchr(head, '\t', n))
		return;
	llhttp_init(&p, HTTP_REQUEST, &settings);
	p.data = &w;
	SL_ASSERT(llhttp_execute(&p, (const char *)head + begin, n - begin) == HPE_PAUSED);
	SL_ASSERT(llhttp_get_error_pos(&p) == (const char *)head + n);
	SL_ASSERT(same(http_request_str(rq, rq->target), w.url));
	SL_ASSERT(w.fields == rq->fields_n);
	SL_ASSERT(p.http_major == 1 && p.http_minor == rq->minor);
	SL_ASSERT(!(p.flags & F_CHUNKED) == !rq->body.chunked);
	SL_ASSERT(p.flags & F_CONTENT_LENGTH ? p.content_length == rq->body.left
					     : !rq->body.left);
}

/* ---- chunks ----------------------------------------------------------------------------- */

/* Return: content's length in @out, or the error. */
static ssize_t decode(const struct http_request *head, const uint8_t *in, size_t n, size_t step,
		      uint8_t *out, size_t *ret_used)
{
	struct http_request rq = *head;
	size_t done = 0, got = 0;

	rq.parser.data = &rq;
	rq.body.max = BODY_MAX / 2;
	while (done < n && !rq.body.done) {
		size_t used;
		ssize_t k = http_chunked_decode(&rq, in + done, sl_min(step, n - done), out + got,
						&used);

		if (k < 0)
			return k;
		done += used;
		got += (size_t)k;
	}
	*ret_used = done;
	return (ssize_t)got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct http_scan whole = {0}, steps = {0};
	static struct http_request rq;
	uint8_t *one, *other;
	size_t step, used_one = 0, used_other = 0;
	ssize_t end, again = 0, got;

	if (n < 2 || n > BODY_MAX)
		return 0;
	step = data[0] % 64 + 1;
	data++;
	n--;
	end = http_head_scan(&whole, data, n, HEAD_MAX);
	for (size_t at = sl_min(step, n); !again; at = sl_min(at + step, n)) {
		again = http_head_scan(&steps, data, at, HEAD_MAX);
		if (at == n)
			break;
	}
	SL_ASSERT(end == again && whole.refusal == steps.refusal);
	if (end <= 0) {
		SL_ASSERT((end < 0) == (whole.refusal != HTTP_REFUSE_NONE));
		return 0;
	}
	if (http_request_parse(&rq, data, (size_t)end, whole.begin))
		return 0;
	check_head(&rq);
	check_by_llhttp(&rq, data, (size_t)end, whole.begin);
	data += end;
	n -= (size_t)end;
	if (!rq.body.chunked || !n)
		return 0;
	one = malloc(n);
	other = malloc(n);
	SL_ASSERT(one && other);
	got = decode(&rq, data, n, step, one, &used_one);
	again = decode(&rq, data, n, n, other, &used_other);
	/* In one go the error counts that comes first, so that both kinds may differ. */
	SL_ASSERT((got < 0) == (again < 0));
	SL_ASSERT(got < 0 || (got == again && used_one == used_other &&
			      !memcmp(one, other, (size_t)got)));
	free(one);
	free(other);
	return 0;
}
