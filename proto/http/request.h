/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request: what its head says, and its body as calls.
 *
 * The head is parsed in place: names and values are spans of it, good as long as the request.
 *
 * Order of parts: methods; the request; its head; its body.
 */
#ifndef PROTO_HTTP_REQUEST_H
#define PROTO_HTTP_REQUEST_H

#include <llhttp.h>
#include <string.h>
#include <strings.h>

#include "errmap.h"
#include "http.h"

/* ---- methods ---------------------------------------------------------------------------- */

enum http_method {
	HTTP_M_GET,
	HTTP_M_HEAD,
	HTTP_M_POST,
	HTTP_M_PUT,
	HTTP_M_DELETE,
	HTTP_M_PATCH,
	HTTP_M_OPTIONS,
	HTTP_M_OTHER, /* any other token: rq->method_text has it */
	HTTP_M_LAST,
	HTTP_M_ANY = 31 /* in masks only: all of them, OTHER too */
};

/* For masks of methods. */
#define HTTP_ON(method) (1u << HTTP_M_##method)

/* Not of OTHER. */
const char *http_method_name(enum http_method m);

/* ---- the request ------------------------------------------------------------------------ */

#define HTTP_BYTES_UNKNOWN UINT64_MAX
#define HTTP_FIELDS_MAX 128
#define HTTP_PARAMS_MAX 4

/* A run of characters, not terminated. */
struct http_str {
	const char *p;
	size_t n;
};

static inline struct http_str http_str_of(const char *s)
{
	return (struct http_str){s, strlen(s)};
}

/* The same as an offset into the head, which may move to memory of its own. */
struct http_span {
	uint32_t at, n;
};

struct http_field {
	struct http_span name, value;
};

/**
 * struct http_body - how far the body was read.
 * @left: bytes to come of one whose length is known; @got: bytes handed to the reader; @fed: bytes
 * taken off the wire, chunks' framing included. @max: the longest that is read.
 * @expects: the client waits for 100 Continue before it sends. @done: read to its end.
 * @err: the first failure, given to every later read.
 * @begun_ns: when the first read began, which the slowest allowed rate counts from.
 */
struct http_body {
	uint64_t left, got, fed, max;
	int64_t begun_ns;
	int err;
	bool chunked, expects, done;
	uint8_t *out; /* during http_chunked_decode() */
	size_t out_n;
};

/**
 * struct http_out - how far a response was sent that leaves in pieces (http_stream_begin()).
 * @status: of the response. @sent: bytes handed over so far.
 * @left: bytes to come, or HTTP_BYTES_UNKNOWN. @silent: none of them leaves: HEAD, or the status
 * has no body. @chunked, @close: of HTTP/1.1. @err: the first failure, given to every later call.
 */
struct http_out {
	uint64_t left, sent;
	int status, err;
	bool begun, ended, silent, chunked, close;
};

struct http_wire;

/**
 * struct http_request - one request, on its fiber's stack.
 * @wire, @stream: how its version of HTTP carries bodies (wire.h).
 * @head_left: bytes of the head that still lie in the connection.
 * @major, @minor: of the version: 1.0, 1.1, 2.0. @keep_alive: the client does not ask for closing.
 * @scheme: "http" or "https", as the connection is. @authority: whom it is for, of the target or
 * of Host; empty: not told.
 * @path: of the target, as sent (percent-encoding is not undone), @query: behind its "?".
 * @star: the target is "*", which asks about the server as a whole. @conditional: there is a field
 * of a condition (If-...).
 * @params: what the route's pattern left open. @refusal: why it is not served, if it is not.
 * @key: the name of the key that it was let in with; "": none.
 * @api: whose row is called, and who is counted; NULL: none. @api_arg: of that API.
 * @cache: how the proxy's cache took part in the answer; NULL: not at all.
 * @began_ns: when its head was there, as sl_now() told. @peer: as sl_conn_peer(), if it is
 * logged.
 */
struct http_request {
	struct sl_conn *conn;
	struct http_server *server;
	const struct http_wire *wire;
	void *stream;
	const char *head;
	size_t head_bytes, head_left;
	enum http_method method;
	uint8_t major, minor;
	bool keep_alive, star, conditional;
	const char *scheme;
	struct http_span method_text, authority;
	struct http_span target, path, query;
	struct http_str params[HTTP_PARAMS_MAX];
	struct http_field fields[HTTP_FIELDS_MAX];
	uint32_t fields_n;
	enum http_refusal refusal;
	int64_t began_ns;
	const char *peer, *cache;
	const struct http_api *api;
	void *api_arg;
	char key[SL_KEY_NAME_BYTES];
	struct http_body body;
	struct http_out out;
	llhttp_t parser;
};

/* ---- its head --------------------------------------------------------------------------- */

/**
 * http_request_parse() - parse the head [@head, @head + @n), of which the request line begins at
 * @begin and whose last bytes are CRLF CRLF, as http_head_scan() found it. Every field of @rq that
 * the head tells of is set; what is returned as a refusal leaves them in any state.
 */
enum http_refusal http_request_parse(struct http_request *rq, const uint8_t *head, size_t n,
				     size_t begin);

/**
 * http_request_reset() - a request of the head [@head, @head + @n) of which nothing is known yet.
 * http_request_check() - the rest of parsing once spans of method_text, target, authority and all
 * fields were found by another reader: the same rules as for HTTP/1.1. @ended: no body follows.
 */
void http_request_reset(struct http_request *rq, const char *head, size_t n);
enum http_refusal http_request_check(struct http_request *rq, bool ended);

static inline struct http_str http_request_str(const struct http_request *rq, struct http_span s)
{
	SL_ASSERT(s.at + s.n <= rq->head_bytes);
	return (struct http_str){rq->head + s.at, s.n};
}

/* The first field of this name (any case) into *ret_value. Return: whether there is one. */
bool http_request_find(const struct http_request *rq, struct http_str name,
		       struct http_str *ret_value);

static inline bool http_request_field(const struct http_request *rq, const char *name,
				      struct http_str *ret_value)
{
	return http_request_find(rq, http_str_of(name), ret_value);
}

/* The first "name=value" of the query, as it is written. Return: whether there is one. */
bool http_request_param(const struct http_request *rq, const char *name,
			struct http_str *ret_value);

/* Whether @s and @literal are the same but for the case of letters. */
static inline bool http_str_is(struct http_str s, const char *literal)
{
	return strlen(literal) == s.n && !strncasecmp(s.p, literal, s.n);
}

/* ---- its body --------------------------------------------------------------------------- */

/**
 * http_body_read() - at most @max bytes of the body into @dst, waiting for at least one; for
 * large bodies best in steps of 256 KiB. Sends 100 Continue when the client waits for it. A body
 * that comes slower than 4 KiB a second, after the listener's header limit, is given up.
 * Return: bytes; 0 at the body's end; -EPROTO (bad framing), -EMSGSIZE (beyond
 *	   http.max_body_bytes), -ETIME, -ECONNRESET, -ENOMEM. After a failure the connection is
 *	   closed with the reply.
 */
ssize_t http_body_read(struct http_request *rq, void *dst, size_t max, int64_t deadline);

/* Reads on to the body's end and drops it, at most @max bytes. Return: 0, or -errno as above. */
int http_body_drain(struct http_request *rq, size_t max, int64_t deadline);

/**
 * http_chunked_decode() - the next @n bytes (> 0) of a chunked body, of which at most @n are
 * content, which goes to @out. Needs no connection.
 * Return: bytes of content, with *ret_used bytes taken (all of them unless the body ended, which
 *	   rq->body.done tells); -EPROTO; -EMSGSIZE.
 */
ssize_t http_chunked_decode(struct http_request *rq, const uint8_t *in, size_t n, uint8_t *out,
			    size_t *ret_used);

/* Before the first of them: makes rq->parser ready. */
void http_chunked_begin(struct http_request *rq);

#endif
