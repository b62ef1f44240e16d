/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of a request.
 *
 * Interface: the head's part of request.h. Each byte is looked at once, and what another server
 * could read otherwise is refused: that is how requests are smuggled past a proxy (RFC 9112,
 * section 11.2). Invariants of an accepted head: the request line is exactly "METHOD SP target SP
 * HTTP/1.x"; no control character stands in target, name or value; the body's length is told once
 * and in one way.
 *
 * Order of parts: methods; strings; the request line; fields that mean something here; fields;
 * other readers; the whole.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "head.h"
#include "lines.h"

/* ---- methods ---------------------------------------------------------------------------- */

static const char *const methods[] = {
	[HTTP_M_GET] = "GET",
	[HTTP_M_HEAD] = "HEAD",
	[HTTP_M_POST] = "POST",
	[HTTP_M_PUT] = "PUT",
	[HTTP_M_DELETE] = "DELETE",
	[HTTP_M_PATCH] = "PATCH",
	[HTTP_M_OPTIONS] = "OPTIONS",
};
_Static_assert(SL_ARRAY_SIZE(methods) == HTTP_M_OTHER, "one row for each method");

const char *http_method_name(enum http_method m)
{
	SL_ASSERT(m < HTTP_M_OTHER);
	return methods[m];
}

static enum http_method find_method(struct http_str name)
{
	for (int m = 0; m < HTTP_M_OTHER; m++)
		if (strlen(methods[m]) == name.n && !memcmp(methods[m], name.p, name.n))
			return (enum http_method)m;
	return HTTP_M_OTHER;
}

/* ---- strings ---------------------------------------------------------------------------- */

bool http_request_find(const struct http_request *rq, struct http_str name,
		       struct http_str *ret_value)
{
	for (uint32_t i = 0; i < rq->fields_n; i++) {
		const struct http_field *f = &rq->fields[i];

		if (f->name.n != name.n || strncasecmp(rq->head + f->name.at, name.p, name.n))
			continue;
		*ret_value = http_request_str(rq, f->value);
		return true;
	}
	return false;
}

bool http_request_param(const struct http_request *rq, const char *name,
			struct http_str *ret_value)
{
	struct http_str query = http_request_str(rq, rq->query);
	const char *p = query.p, *end = query.p + query.n;
	size_t n = strlen(name);

	while (p < end) {
		const char *amp = memchr(p, '&', (size_t)(end - p));
		const char *stop = amp ? amp : end;

		if ((size_t)(stop - p) > n && !memcmp(p, name, n) && p[n] == '=') {
			*ret_value = (struct http_str){p + n + 1, (size_t)(stop - p) - n - 1};
			return true;
		}
		p = stop + 1;
	}
	return false;
}

static struct http_span span_of(const struct http_request *rq, const char *p, const char *end)
{
	return (struct http_span){(uint32_t)(p - rq->head), (uint32_t)(end - p)};
}

static bool all_are(struct http_str s, uint8_t kind)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(http_chars[(uint8_t)s.p[i]] & kind))
			return false;
	return true;
}

/* The end of the characters of @kind from @p on. The head's end is none. */
static const char *skip(const char *p, uint8_t kind)
{
	while (http_chars[(uint8_t)*p] & kind)
		p++;
	return p;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- the request line ------------------------------------------------------------------- */

enum { VERSION_BYTES = 11 };

/* " HTTP/d.d" and the line's end at @p. */
static enum http_refusal take_version(struct http_request *rq, const char *p, const char *end)
{
	if (end - p < VERSION_BYTES || memcmp(p, " HTTP/", 6) || !is_digit(p[6]) || p[7] != '.' ||
	    !is_digit(p[8]) || memcmp(p + 9, "\r\n", 2))
		return HTTP_REFUSE_REQUEST_LINE;
	if (p[6] != '1' || p[8] > '1')
		return HTTP_REFUSE_VERSION;
	rq->major = 1;
	rq->minor = (uint8_t)(p[8] - '0');
	return HTTP_REFUSE_NONE;
}

/* "http://host:80/path" as a proxy would be asked. Its host counts, not that of the field. */
static const char *take_authority(struct http_request *rq, const char *p, const char *end)
{
	const char *s = memmem(p, (size_t)(end - p), "://", 3);

	if (!s || (s - p != 4 && s - p != 5) || strncasecmp(p, "https", (size_t)(s - p)))
		return NULL;
	s += 3;
	p = s;
	while (s < end && *s != '/' && *s != '?')
		s++;
	rq->authority = span_of(rq, p, s);
	return s > p && all_are((struct http_str){p, (size_t)(s - p)}, HTTP_CHAR_HOST) ? s : NULL;
}

static enum http_refusal split_target(struct http_request *rq)
{
	const char *p = rq->head + rq->target.at, *end = p + rq->target.n;
	const char *question;

	if (end - p == 1 && *p == '*') {
		rq->star = true;
		return rq->method == HTTP_M_OPTIONS ? HTTP_REFUSE_NONE : HTTP_REFUSE_TARGET;
	}
	if (p < end && *p != '/')
		p = rq->major == 1 ? take_authority(rq, p, end) : NULL;
	if (!p || (p < end && *p != '/' && *p != '?'))
		return HTTP_REFUSE_TARGET;
	question = memchr(p, '?', (size_t)(end - p));
	rq->path = span_of(rq, p, question ? question : end);
	if (question)
		rq->query = span_of(rq, question + 1, end);
	return HTTP_REFUSE_NONE;
}

/* CONNECT asks for a tunnel, which is not to be had. */
static bool is_connect(struct http_str method)
{
	return method.n == 7 && !memcmp(method.p, "CONNECT", 7);
}

/* The line that begins at *@p, which moves behind it: one space on either side of the target. */
static enum http_refusal take_line(struct http_request *rq, const char **p, const char *end)
{
	const char *method = *p, *target, *stop = skip(method, HTTP_CHAR_TOKEN);
	struct http_str name = {method, (size_t)(stop - method)};
	enum http_refusal why;

	if (!name.n || *stop != ' ')
		return HTTP_REFUSE_REQUEST_LINE;
	if (is_connect(name))
		return HTTP_REFUSE_METHOD;
	rq->method_text = span_of(rq, method, stop);
	rq->method = find_method(name);
	target = stop + 1;
	stop = skip(target, HTTP_CHAR_TARGET);
	if (stop == target || *stop == '\r')
		return HTTP_REFUSE_REQUEST_LINE;
	if (*stop != ' ')
		return HTTP_REFUSE_TARGET;
	rq->target = span_of(rq, target, stop);
	why = take_version(rq, stop, end);
	if (why)
		return why;
	*p = stop + VERSION_BYTES;
	return split_target(rq);
}

/* ---- fields that mean something here ----------------------------------------------------- */

/*
 * What the fields say of connection and body. @hosts, @lengths, @codings: how often those came of
 * which more than one would be read in more than one way.
 */
struct known {
	uint32_t hosts, lengths, codings;
	uint64_t bytes; /* of the body */
	bool close, keep_alive;
};

/*
 * Without chunked at its end, and there alone, nobody knows where the body ends; before it, codings
 * are unknown.
 */
static enum http_refusal check_coding(struct http_str v)
{
	const char *comma = memrchr(v.p, ',', v.n);
	const struct http_str chunked = http_str_of("chunked");
	struct http_str last;

	if (http_str_same(v, chunked))
		return HTTP_REFUSE_NONE;
	if (!comma || http_list_has((struct http_str){v.p, (size_t)(comma - v.p)}, chunked))
		return HTTP_REFUSE_CODING;
	last = http_trimmed(comma + 1, v.p + v.n);
	return http_str_same(last, chunked) ? HTTP_REFUSE_CODING_UNKNOWN : HTTP_REFUSE_CODING;
}

static bool is_authority(const struct http_request *rq, struct http_str v)
{
	struct http_str a = http_request_str(rq, rq->authority);

	return a.n == v.n && !strncasecmp(a.p, v.p, v.n);
}

/* Fields that speak of an HTTP/1.1 connection (RFC 9113, section 8.2.2). */
static bool is_of_connection(struct http_str name)
{
	static const char *const names[] = {"connection", "proxy-connection", "keep-alive",
					    "transfer-encoding", "upgrade"};

	for (size_t i = 0; i < SL_ARRAY_SIZE(names); i++)
		if (http_str_is(name, names[i]))
			return true;
	return false;
}

static enum http_refusal take_length(struct http_str v, uint64_t *ret_bytes)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < v.n; i++)
		if (!is_digit(v.p[i]) || __builtin_mul_overflow(bytes, 10, &bytes) ||
		    __builtin_add_overflow(bytes, (uint64_t)(v.p[i] - '0'), &bytes))
			return HTTP_REFUSE_LENGTH;
	if (!v.n || bytes == HTTP_BYTES_UNKNOWN)
		return HTTP_REFUSE_LENGTH;
	*ret_bytes = bytes;
	return HTTP_REFUSE_NONE;
}

static enum http_refusal take_host(struct http_request *rq, struct http_str v)
{
	if (rq->major > 1 && rq->authority.n && !is_authority(rq, v))
		return HTTP_REFUSE_HOST;
	if (!rq->authority.n)
		rq->authority = span_of(rq, v.p, v.p + v.n);
	return all_are(v, HTTP_CHAR_HOST) ? HTTP_REFUSE_NONE : HTTP_REFUSE_HOST;
}

static bool is_condition(struct http_str name)
{
	return name.n > 3 && (name.p[0] | 0x20) == 'i' && (name.p[1] | 0x20) == 'f' &&
	       name.p[2] == '-';
}

static enum http_refusal take_known(struct http_request *rq, struct http_str name,
				    struct http_str v, struct known *k)
{
	rq->conditional |= is_condition(name);
	if (rq->major > 1 && is_of_connection(name))
		return HTTP_REFUSE_FIELD;
	if (http_str_is(name, "host")) {
		k->hosts++;
		return take_host(rq, v);
	}
	if (http_str_is(name, "connection")) {
		k->close |= http_list_has(v, http_str_of("close"));
		k->keep_alive |= http_list_has(v, http_str_of("keep-alive"));
	} else if (http_str_is(name, "content-length")) {
		k->lengths++;
		return take_length(v, &k->bytes);
	} else if (http_str_is(name, "transfer-encoding")) {
		k->codings++;
		return check_coding(v);
	} else if (http_str_is(name, "expect") && (rq->major > 1 || rq->minor)) {
		rq->body.expects = true;
		return http_str_is(v, "100-continue") ? HTTP_REFUSE_NONE : HTTP_REFUSE_EXPECT;
	}
	return HTTP_REFUSE_NONE;
}

static enum http_refusal check_known(const struct http_request *rq, const struct known *k)
{
	if (k->hosts > 1 || (rq->minor && !k->hosts))
		return HTTP_REFUSE_HOST;
	if (k->lengths > 1)
		return HTTP_REFUSE_LENGTH;
	/* To HTTP/1.0 chunks are unknown: whoever sends them through it is not to be believed. */
	if (k->codings && (k->lengths || !rq->minor))
		return HTTP_REFUSE_FRAMING;
	if (k->codings > 1)
		return HTTP_REFUSE_CODING;
	return HTTP_REFUSE_NONE;
}

/* ---- fields ----------------------------------------------------------------------------- */

/* "Name: value" and the line's end at *@p, which moves behind them. */
static enum http_refusal take_field(struct http_request *rq, const char **p, struct known *k)
{
	const char *name = *p, *colon = skip(name, HTTP_CHAR_TOKEN);
	const char *value, *stop;
	struct http_str v;

	if (colon == name || *colon != ':')
		return HTTP_REFUSE_FIELD;
	if (rq->fields_n == HTTP_FIELDS_MAX)
		return HTTP_REFUSE_FIELDS_MANY;
	value = colon + 1;
	stop = skip(value, HTTP_CHAR_VALUE);
	if (memcmp(stop, "\r\n", 2))
		return HTTP_REFUSE_FIELD;
	*p = stop + 2;
	v = http_trimmed(value, stop);
	rq->fields[rq->fields_n++] = (struct http_field){
		.name = span_of(rq, name, colon),
		.value = span_of(rq, v.p, v.p + v.n),
	};
	return take_known(rq, (struct http_str){name, (size_t)(colon - name)}, v, k);
}

/* All of them, up to the empty line that ends the head at @end. */
static enum http_refusal take_fields(struct http_request *rq, const char *p, const char *end,
				     struct known *k)
{
	while (*p != '\r') {
		enum http_refusal why = take_field(rq, &p, k);

		if (why)
			return why;
	}
	return p == end - 2 ? HTTP_REFUSE_NONE : HTTP_REFUSE_FIELD;
}

/* Of another reader. */
static enum http_refusal check_fields(struct http_request *rq, struct known *k)
{
	for (uint32_t i = 0; i < rq->fields_n; i++) {
		struct http_field *f = &rq->fields[i];
		struct http_str name = http_request_str(rq, f->name);
		struct http_str v = http_request_str(rq, f->value);
		enum http_refusal why;

		v = http_trimmed(v.p, v.p + v.n);
		f->value = span_of(rq, v.p, v.p + v.n);
		if (!name.n || !all_are(name, HTTP_CHAR_TOKEN) || !all_are(v, HTTP_CHAR_VALUE))
			return HTTP_REFUSE_FIELD;
		why = take_known(rq, name, v, k);
		if (why)
			return why;
	}
	return check_known(rq, k);
}

static void frame_body(struct http_request *rq, const struct known *k)
{
	struct http_body *b = &rq->body;

	b->left = k->bytes;
	b->chunked = k->codings;
	b->done = !b->chunked && !b->left;
	b->expects &= !b->done;
	if (b->chunked)
		http_chunked_begin(rq);
}

/* ---- other readers ----------------------------------------------------------------------- */

void http_request_reset(struct http_request *rq, const char *head, size_t n)
{
	rq->head = head;
	rq->head_bytes = n;
	rq->fields_n = 0;
	rq->star = rq->conditional = false;
	rq->refusal = HTTP_REFUSE_NONE;
	rq->scheme = "http";
	rq->cache = NULL;
	rq->method_text = rq->authority = rq->target = rq->path = rq->query = (struct http_span){0};
	rq->body = (struct http_body){.max = UINT64_MAX};
	rq->out = (struct http_out){0};
}

/* As long as the peer likes, if no length is told. */
static enum http_refusal frame_by_length(struct http_request *rq, const struct known *k,
					 bool ended)
{
	struct http_body *b = &rq->body;

	if (ended && k->bytes)
		return HTTP_REFUSE_LENGTH;
	b->left = k->lengths ? k->bytes : HTTP_BYTES_UNKNOWN;
	b->done = ended;
	b->expects &= !ended;
	return HTTP_REFUSE_NONE;
}

enum http_refusal http_request_check(struct http_request *rq, bool ended)
{
	struct http_str method = http_request_str(rq, rq->method_text);
	struct known k = {0};
	enum http_refusal why;

	if (!all_are(method, HTTP_CHAR_TOKEN))
		return HTTP_REFUSE_REQUEST_LINE;
	if (!method.n || is_connect(method))
		return HTTP_REFUSE_METHOD;
	rq->method = find_method(method);
	if (!all_are(http_request_str(rq, rq->authority), HTTP_CHAR_HOST))
		return HTTP_REFUSE_HOST;
	if (!all_are(http_request_str(rq, rq->target), HTTP_CHAR_TARGET))
		return HTTP_REFUSE_TARGET;
	why = split_target(rq);
	if (!why)
		why = check_fields(rq, &k);
	return why ? why : frame_by_length(rq, &k, ended);
}

/* ---- the whole -------------------------------------------------------------------------- */

enum http_refusal http_request_parse(struct http_request *rq, const uint8_t *head, size_t n,
				     size_t begin)
{
	const char *p = (const char *)head + begin, *end = (const char *)head + n;
	struct known k = {0};
	enum http_refusal why;

	/* Nothing below reads past that: no kind of character has a CR among it. */
	SL_ASSERT(n - begin >= 4 && !memcmp(end - 4, "\r\n\r\n", 4));
	http_request_reset(rq, (const char *)head, n);
	why = take_line(rq, &p, end);
	if (!why)
		why = take_fields(rq, p, end, &k);
	if (!why)
		why = check_known(rq, &k);
	if (why)
		return why;
	rq->keep_alive = !k.close && (rq->minor || k.keep_alive);
	frame_body(rq, &k);
	return HTTP_REFUSE_NONE;
}
