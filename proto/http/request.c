/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of a request.
 *
 * Interface: the head's part of request.h. llhttp, strict, is the parser; it finds the spans. What
 * it lets pass and another server could read otherwise is refused afterwards: that is how requests
 * are smuggled past a proxy (RFC 9112, section 11.2). Invariants of an accepted head: the request
 * line is exactly "METHOD SP target SP HTTP/1.x"; no control character stands in target, name or
 * value; the body's length is told once and in one way.
 *
 * Order of parts: methods; strings; the parser's callbacks; the request line; fields; other
 * readers; the whole.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "head.h"
#include "request.h"

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

static enum http_method find_method(const char *p, size_t n)
{
	for (int m = 0; m < HTTP_M_OTHER; m++)
		if (strlen(methods[m]) == n && !memcmp(methods[m], p, n))
			return (enum http_method)m;
	return HTTP_M_OTHER;
}

/* ---- strings ---------------------------------------------------------------------------- */

bool http_str_is(struct http_str s, const char *literal)
{
	return strlen(literal) == s.n && !strncasecmp(s.p, literal, s.n);
}

bool http_request_field(const struct http_request *rq, const char *name,
			struct http_str *ret_value)
{
	for (uint32_t i = 0; i < rq->fields_n; i++) {
		if (!http_str_is(http_request_str(rq, rq->fields[i].name), name))
			continue;
		*ret_value = http_request_str(rq, rq->fields[i].value);
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

/* A host and a port, by its characters: what separates hosts, users and paths is not among them. */
static bool host_is_sound(struct http_str v)
{
	static const char others[] = "-._~:[]%!$&'()*+;=";

	for (size_t i = 0; i < v.n; i++) {
		char letter = v.p[i] | 0x20;

		if (!(letter >= 'a' && letter <= 'z') && !(v.p[i] >= '0' && v.p[i] <= '9') &&
		    !memchr(others, v.p[i], sizeof(others) - 1))
			return false;
	}
	return true;
}

/* ---- the parser's callbacks ------------------------------------------------------------- */

/* A span may be told in pieces, one behind the other. */
static void grow(const struct http_request *rq, struct http_span *s, const char *at, size_t n)
{
	if (!s->n)
		s->at = (uint32_t)(at - rq->head);
	s->n += (uint32_t)n;
}

static int on_url(llhttp_t *p, const char *at, size_t n)
{
	struct http_request *rq = p->data;

	grow(rq, &rq->target, at, n);
	return 0;
}

static int on_field(llhttp_t *p, const char *at, size_t n)
{
	struct http_request *rq = p->data;

	if (rq->whole)
		return 0; /* a trailer: of no interest, and not in the head's memory */
	if (rq->fields_n == HTTP_FIELDS_MAX) {
		rq->refusal = HTTP_REFUSE_FIELDS_MANY;
		return HPE_USER;
	}
	grow(rq, &rq->fields[rq->fields_n].name, at, n);
	return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
	struct http_request *rq = p->data;

	if (!rq->whole)
		grow(rq, &rq->fields[rq->fields_n].value, at, n);
	return 0;
}

static int on_value_complete(llhttp_t *p)
{
	struct http_request *rq = p->data;

	if (rq->whole)
		return 0;
	rq->fields_n++;
	/* The next is ready to grow; all of them at once would cost more than most heads. */
	if (rq->fields_n < HTTP_FIELDS_MAX)
		rq->fields[rq->fields_n] = (struct http_field){0};
	return 0;
}

static int on_head_complete(llhttp_t *p)
{
	struct http_request *rq = p->data;

	rq->whole = true;
	return HPE_PAUSED;
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
	struct http_request *rq = p->data;

	memcpy(rq->body.out + rq->body.out_n, at, n);
	rq->body.out_n += n;
	return 0;
}

static int on_message_complete(llhttp_t *p)
{
	struct http_request *rq = p->data;

	rq->body.done = true;
	return HPE_PAUSED;
}

const llhttp_settings_t http_parser_settings = {
	.on_url = on_url,
	.on_header_field = on_field,
	.on_header_value = on_value,
	.on_header_value_complete = on_value_complete,
	.on_headers_complete = on_head_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

/* ---- the request line ------------------------------------------------------------------- */

/* A token and a space. CONNECT asks for a tunnel, which is not to be had. */
static enum http_refusal take_method(struct http_request *rq, const char *line, const char *end)
{
	const char *p = line;

	while (p < end && http_is_token((uint8_t)*p))
		p++;
	if (p == line || p == end || *p != ' ')
		return HTTP_REFUSE_REQUEST_LINE;
	rq->method_text = span_of(rq, line, p);
	rq->method = find_method(line, (size_t)(p - line));
	return p - line == 7 && !memcmp(line, "CONNECT", 7) ? HTTP_REFUSE_METHOD : HTTP_REFUSE_NONE;
}

/* The line ends with " HTTP/d.d", whose version is not ours. */
static enum http_refusal bad_version(const char *line, const char *end)
{
	const char *v = end - 9;

	return end - line > 9 && !memcmp(v, " HTTP/", 6) && v[6] >= '0' && v[6] <= '9' &&
			       v[7] == '.' && v[8] >= '0' && v[8] <= '9'
		       ? HTTP_REFUSE_VERSION
		       : HTTP_REFUSE_REQUEST_LINE;
}

/* Exactly one space on either side of the target, nothing behind the version. */
static enum http_refusal check_line(struct http_request *rq, const char *line, const char *end)
{
	const char *target = rq->head + rq->target.at;
	size_t method_n = rq->method_text.n;
	const char *v = target + rq->target.n;

	if (target != line + method_n + 1 || line[method_n] != ' ')
		return HTTP_REFUSE_REQUEST_LINE;
	if (end - v != 9 || memcmp(v, " HTTP/", 6))
		return HTTP_REFUSE_REQUEST_LINE;
	if (rq->parser.http_major != 1 || v[6] != '1' || v[7] != '.')
		return bad_version(line, end);
	rq->major = 1;
	rq->minor = rq->parser.http_minor ? 1 : 0;
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
	return s > p && host_is_sound((struct http_str){p, (size_t)(s - p)}) ? s : NULL;
}

static enum http_refusal split_target(struct http_request *rq)
{
	const char *p = rq->head + rq->target.at, *end = p + rq->target.n;
	const char *question;

	for (const char *c = p; c < end; c++)
		if (*c <= ' ' || *c >= 0x7f || *c == '#')
			return HTTP_REFUSE_TARGET;
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

/* ---- fields ----------------------------------------------------------------------------- */

/* How often the fields came of which more than one would be read in more than one way. */
struct once {
	uint32_t host, length, coding;
};

/* Without chunked at its end nobody knows where the body ends; before it, codings are unknown. */
static enum http_refusal check_coding(struct http_str v)
{
	const char *comma = memrchr(v.p, ',', v.n);
	struct http_str last = v;

	if (http_str_is(v, "chunked"))
		return HTTP_REFUSE_NONE;
	if (!comma)
		return HTTP_REFUSE_CODING;
	last.p = comma + 1;
	last.n = v.n - (size_t)(last.p - v.p);
	while (last.n && (*last.p == ' ' || *last.p == '\t')) {
		last.p++;
		last.n--;
	}
	return http_str_is(last, "chunked") ? HTTP_REFUSE_CODING_UNKNOWN : HTTP_REFUSE_CODING;
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

static enum http_refusal on_known_field(struct http_request *rq, struct http_str name,
					struct http_str v, struct once *once)
{
	if (rq->major > 1 && is_of_connection(name))
		return HTTP_REFUSE_FIELD;
	if (http_str_is(name, "host")) {
		once->host++;
		if (rq->major > 1 && rq->authority.n && !is_authority(rq, v))
			return HTTP_REFUSE_HOST;
		if (!rq->authority.n)
			rq->authority = span_of(rq, v.p, v.p + v.n);
		return host_is_sound(v) ? HTTP_REFUSE_NONE : HTTP_REFUSE_HOST;
	}
	if (http_str_is(name, "content-length")) {
		once->length++;
		for (size_t i = 0; i < v.n; i++)
			if (v.p[i] < '0' || v.p[i] > '9')
				return HTTP_REFUSE_LENGTH;
		return v.n ? HTTP_REFUSE_NONE : HTTP_REFUSE_LENGTH;
	}
	if (http_str_is(name, "transfer-encoding")) {
		once->coding++;
		return check_coding(v);
	}
	if (http_str_is(name, "expect") && (rq->major > 1 || rq->minor)) {
		rq->body.expects = true;
		return http_str_is(v, "100-continue") ? HTTP_REFUSE_NONE : HTTP_REFUSE_EXPECT;
	}
	return HTTP_REFUSE_NONE;
}

static bool field_is_sound(struct http_str name, struct http_str v)
{
	for (size_t i = 0; i < name.n; i++)
		if (!http_is_token((uint8_t)name.p[i]))
			return false;
	for (size_t i = 0; i < v.n; i++)
		if (((uint8_t)v.p[i] < ' ' && v.p[i] != '\t') || v.p[i] == 0x7f)
			return false;
	return name.n > 0;
}

static void trim(const struct http_request *rq, struct http_span *v)
{
	const char *p = rq->head + v->at;

	while (v->n && (p[v->n - 1] == ' ' || p[v->n - 1] == '\t'))
		v->n--;
	while (v->n && (*p == ' ' || *p == '\t')) {
		p++;
		v->at++;
		v->n--;
	}
}

static enum http_refusal check_fields(struct http_request *rq)
{
	struct once once = {0};

	for (uint32_t i = 0; i < rq->fields_n; i++) {
		struct http_field *f = &rq->fields[i];
		struct http_str name = http_request_str(rq, f->name), value;
		enum http_refusal why;

		trim(rq, &f->value);
		value = http_request_str(rq, f->value);
		if (!field_is_sound(name, value))
			return HTTP_REFUSE_FIELD;
		why = on_known_field(rq, name, value, &once);
		if (why)
			return why;
	}
	if (once.host > 1 || (rq->minor && !once.host))
		return HTTP_REFUSE_HOST;
	if (once.length > 1)
		return HTTP_REFUSE_LENGTH;
	/* To HTTP/1.0 chunks are unknown: whoever sends them through it is not to be believed. */
	if (once.coding && (once.length || !rq->minor))
		return HTTP_REFUSE_FRAMING;
	if (once.coding > 1)
		return HTTP_REFUSE_CODING;
	return HTTP_REFUSE_NONE;
}

static void frame_body(struct http_request *rq)
{
	struct http_body *b = &rq->body;

	b->chunked = rq->parser.flags & F_CHUNKED;
	if (!b->chunked && rq->parser.flags & F_CONTENT_LENGTH)
		b->left = rq->parser.content_length;
	b->done = !b->chunked && !b->left;
	b->expects &= !b->done;
}

/* ---- other readers ----------------------------------------------------------------------- */

void http_request_reset(struct http_request *rq, const char *head, size_t n)
{
	rq->head = head;
	rq->head_bytes = n;
	rq->fields_n = 0;
	rq->whole = rq->star = false;
	rq->refusal = HTTP_REFUSE_NONE;
	rq->scheme = "http";
	rq->cache = NULL;
	rq->method_text = rq->authority = rq->target = rq->path = rq->query = (struct http_span){0};
	rq->body = (struct http_body){.max = UINT64_MAX};
	rq->out = (struct http_out){0};
	rq->fields[0] = (struct http_field){0};
}

/* A length of digits alone, as check_fields() has seen; none: as long as the peer likes. */
static enum http_refusal frame_by_length(struct http_request *rq, bool ended)
{
	struct http_body *b = &rq->body;
	struct http_str v;

	b->left = HTTP_BYTES_UNKNOWN;
	b->done = ended;
	b->expects &= !ended;
	if (!http_request_field(rq, "content-length", &v))
		return HTTP_REFUSE_NONE;
	b->left = 0;
	for (size_t i = 0; i < v.n; i++)
		if (__builtin_mul_overflow(b->left, 10, &b->left) ||
		    __builtin_add_overflow(b->left, (uint64_t)(v.p[i] - '0'), &b->left))
			return HTTP_REFUSE_LENGTH;
	return ended && b->left ? HTTP_REFUSE_LENGTH : HTTP_REFUSE_NONE;
}

enum http_refusal http_request_check(struct http_request *rq, bool ended)
{
	struct http_str method = http_request_str(rq, rq->method_text);
	enum http_refusal why;

	for (size_t i = 0; i < method.n; i++)
		if (!http_is_token((uint8_t)method.p[i]))
			return HTTP_REFUSE_REQUEST_LINE;
	rq->method = find_method(method.p, method.n);
	if (!method.n || (method.n == 7 && !memcmp(method.p, "CONNECT", 7)))
		return HTTP_REFUSE_METHOD;
	if (!host_is_sound(http_request_str(rq, rq->authority)))
		return HTTP_REFUSE_HOST;
	why = split_target(rq);
	if (!why)
		why = check_fields(rq);
	return why ? why : frame_by_length(rq, ended);
}

/* ---- the whole -------------------------------------------------------------------------- */

static enum http_refusal refusal_of(const struct http_request *rq, llhttp_errno_t err,
				    const char *line, const char *end)
{
	switch (err) {
	case HPE_USER:
		return rq->refusal;
	case HPE_INVALID_VERSION:
		return bad_version(line, end);
	case HPE_OK: /* wants more: the rest of HTTP/2's preface */
	case HPE_PAUSED_H2_UPGRADE:
		return rq->parser.method == HTTP_PRI ? HTTP_REFUSE_VERSION : HTTP_REFUSE_FIELD;
	case HPE_INVALID_URL:
		return HTTP_REFUSE_TARGET;
	case HPE_INVALID_METHOD:
	case HPE_INVALID_CONSTANT:
	case HPE_STRICT:
		return HTTP_REFUSE_REQUEST_LINE;
	case HPE_INVALID_CONTENT_LENGTH:
	case HPE_UNEXPECTED_CONTENT_LENGTH:
		return HTTP_REFUSE_LENGTH;
	case HPE_INVALID_TRANSFER_ENCODING:
		return HTTP_REFUSE_CODING;
	default:
		return HTTP_REFUSE_FIELD;
	}
}

/* The parser knows some methods only: to it, a request by another one is a POST. */
static llhttp_errno_t execute(struct http_request *rq, const char *line, const char *end)
{
	static const char stand_in[] = "POST ";
	llhttp_errno_t err = HPE_OK;

	llhttp_init(&rq->parser, HTTP_REQUEST, &http_parser_settings);
	rq->parser.data = rq;
	if (rq->method == HTTP_M_OTHER && memcmp(line, "PRI ", 4)) {
		err = llhttp_execute(&rq->parser, stand_in, sizeof(stand_in) - 1);
		line += rq->method_text.n + 1;
	}
	return err ? err : llhttp_execute(&rq->parser, line, (size_t)(end - line));
}

enum http_refusal http_request_parse(struct http_request *rq, const uint8_t *head, size_t n,
				     size_t begin)
{
	const char *line = (const char *)head + begin, *end = (const char *)head + n;
	const char *line_end = memmem(line, n - begin, "\r\n", 2);
	enum http_refusal why;
	llhttp_errno_t err;

	SL_ASSERT(line_end && n - begin >= 4 && !memcmp(end - 4, "\r\n\r\n", 4));
	http_request_reset(rq, (const char *)head, n);
	why = take_method(rq, line, line_end);
	if (why)
		return why;
	err = execute(rq, line, end);
	if (err != HPE_PAUSED)
		return refusal_of(rq, err, line, line_end);
	if (!rq->whole || llhttp_get_error_pos(&rq->parser) != end)
		return HTTP_REFUSE_FIELD;
	why = check_line(rq, line, line_end);
	if (!why)
		why = split_target(rq);
	if (!why)
		why = check_fields(rq);
	if (why)
		return why;
	rq->keep_alive = !(rq->parser.flags & F_CONNECTION_CLOSE) &&
			 (rq->minor || rq->parser.flags & F_CONNECTION_KEEP_ALIVE);
	frame_body(rq);
	return HTTP_REFUSE_NONE;
}
