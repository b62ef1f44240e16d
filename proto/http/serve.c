/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a connection's bytes to a handler and back.
 *
 * Interface: http_proto in http.h. need() finds the end of a head outside any fiber; serve() parses
 * it, calls the route's handler, sends the response and leaves the connection behind the request's
 * body. A head that is refused is answered and ends the connection: where the next request would
 * begin is not known. A head without a body stays where it was received while it is served; one
 * with a body is moved, because reading the body gives that memory back.
 *
 * Order of parts: the connection; refusing; answering; serving.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "access_log.h"
#include "h2.h"
#include "head.h"
#include "route.h"
#include "wire.h"

/* ---- the connection --------------------------------------------------------------------- */

/**
 * struct http_conn - @head_bytes: the length found by need(). @begun: it speaks HTTP/1.1.
 * @h2: it began with the preface of HTTP/2. @ended: the last response was sent or is on its way.
 * @peer: for the access log, as of the first request: when a client has reset, nobody knows it.
 */
struct http_conn {
	struct http_scan scan;
	size_t head_bytes;
	bool begun, h2, ended;
	char peer[56];
};

/* Whether @have bytes are, or may become, the preface of HTTP/2. */
static bool is_preface(const uint8_t *p, size_t have)
{
	return !memcmp(p, HTTP_H2_PREFACE, sl_min(have, (size_t)HTTP_H2_PREFACE_BYTES));
}

/* By TLS, in which nothing need be chosen: then what the client sends tells. */
static bool has_chosen(const struct sl_conn *conn, const char *protocol)
{
	return !strcmp(sl_conn_alpn(conn), protocol);
}

static ssize_t need(struct sl_conn *conn, const uint8_t *p, size_t have)
{
	const struct http_server *s = sl_conn_arg(conn);
	struct http_conn *c = sl_conn_state(conn);
	ssize_t n;

	if (c->ended)
		return (ssize_t)have;
	if (!c->begun && is_preface(p, have) && !has_chosen(conn, "http/1.1")) {
		c->h2 = have >= HTTP_H2_PREFACE_BYTES;
		return HTTP_H2_PREFACE_BYTES;
	}
	if (!c->begun && has_chosen(conn, "h2")) {
		sl_conn_blame(conn, "HTTP/2 was chosen by TLS, and its preface did not come");
		return -EPROTO;
	}
	c->begun = true;
	n = http_head_scan(&c->scan, p, have,
			   __atomic_load_n(&s->head_bytes_max, __ATOMIC_RELAXED));
	if (!n)
		return (ssize_t)have + 1;
	c->head_bytes = n > 0 ? (size_t)n : 0;
	return n > 0 ? n : (ssize_t)have;
}

/* ---- refusing --------------------------------------------------------------------------- */

/* What came behind is not looked at any more. */
static int refuse(struct http_request *rq, enum http_refusal why)
{
	const struct http_error *e = http_refusal_error(why);
	struct http_conn *c = sl_conn_state(rq->conn);
	struct http_response rs;
	struct sl_reply *reply;
	struct http_frame frame = {
		.date = http_server_date(rq->server, sl_core_id(sl_conn_core(rq->conn))),
	};
	int err = -ENOMEM;

	rq->refusal = why;
	http_response_init(&rs);
	http_response_error(&rs, e->status, e->text);
	http_log_request(rq, rs.status, http_response_bytes(&rs));
	rs.close = c->ended = true;
	reply = http_response_reply(&rs, &frame, rq->conn);
	if (reply)
		err = sl_deliver(reply, SL_NEVER);
	http_response_done(&rs);
	sl_conn_skip(rq->conn, sl_conn_buffered(rq->conn));
	return err;
}

/* ---- answering -------------------------------------------------------------------------- */

static int no_route(struct http_request *rq, struct http_response *rs, uint32_t allowed)
{
	char allow[HTTP_ALLOW_BYTES];

	if (rq->method == HTTP_M_OTHER) {
		const struct http_error *e = http_refusal_error(HTTP_REFUSE_METHOD);

		http_response_error(rs, e->status, e->text);
		rs->close = true;
		return 0;
	}
	if (!allowed) {
		http_response_error(rs, 404, "no such path");
		return 0;
	}
	if (rq->method == HTTP_M_OPTIONS)
		rs->status = 204;
	else
		http_response_error(rs, 405, "the path does not know this method");
	http_allow_format(allowed, allow);
	return http_response_field(rs, "Allow", allow);
}

enum { KEY_BYTES_MAX = 512 };

/* Qdrant's clients send their key in a field of its own: as Authorization would have it. */
static struct http_str key_field(const struct http_request *rq, char ret_bearer[KEY_BYTES_MAX])
{
	struct http_str key;
	int n;

	if (!http_request_field(rq, "api-key", &key))
		return (struct http_str){0};
	n = snprintf(ret_bearer, KEY_BYTES_MAX, "Bearer %.*s", (int)sl_min(key.n, (size_t)INT_MAX),
		     key.p);
	return n < KEY_BYTES_MAX ? (struct http_str){ret_bearer, (size_t)n} : (struct http_str){0};
}

/* Whether the key that came with @rq is good for @route. Return: 0; 1: @rs refuses; -errno. */
static int check_key(struct http_request *rq, struct http_response *rs,
		     const struct http_route *route)
{
	uint32_t scope = route->flags & HTTP_ROUTE_ADMIN   ? SL_SCOPE_ADMIN
			 : route->flags & HTTP_ROUTE_WRITE ? SL_SCOPE_WRITE
							   : SL_SCOPE_READ;
	char bearer[KEY_BYTES_MAX];
	struct http_str v = {0};
	int err;

	if (!rq->server->keys || route->flags & HTTP_ROUTE_OPEN)
		return 0;
	if (!http_request_field(rq, "Authorization", &v))
		v = key_field(rq, bearer);
	err = sl_keys_check(rq->server->keys, v.p, v.n, scope, rq->key);
	if (!err)
		return 0;
	if (err == -EACCES) {
		http_response_error(rs, 403, "this key is not good for that");
		return 1;
	}
	http_response_error(rs, 401, "a key is needed: Authorization: Bearer KEY");
	err = http_response_field(rs, "WWW-Authenticate", "Bearer");
	return err ? err : 1;
}

/* Of a length that is told. One in chunks is refused where it grows too long. */
static bool body_is_long(struct http_request *rq, const struct http_route *route)
{
	struct http_body *b = &rq->body;

	if (route && route->flags & HTTP_ROUTE_LONG_BODY)
		b->max = UINT64_MAX;
	return b->left != HTTP_BYTES_UNKNOWN && b->left > b->max;
}

/* In the order of the APIs. Return: the row, with rq->api_arg; NULL with what is allowed. */
static const struct http_route *find_route(struct http_request *rq, uint32_t *ret_allowed)
{
	const struct http_server *s = rq->server;
	struct http_str path = http_request_str(rq, rq->path);
	uint32_t all = 0;

	for (size_t i = 0; i < s->apis_n; i++) {
		const struct http_api *api = &s->apis[i];
		const struct http_route *route;
		uint32_t allowed = 0;

		route = http_route_find(api->routes, api->routes_n, rq->method, path, rq->params,
					&allowed);
		if (route) {
			rq->api = api;
			rq->api_arg = api->arg;
			return route;
		}
		all |= allowed;
	}
	*ret_allowed = all;
	return NULL;
}

static int call_route(struct http_request *rq, struct http_response *rs)
{
	const struct http_route *route;
	uint32_t allowed;
	int err;

	rq->key[0] = 0;
	rq->api = NULL;
	if (rq->star)
		return no_route(rq, rs, HTTP_ON(GET) | HTTP_ON(HEAD) | HTTP_ON(OPTIONS));
	route = find_route(rq, &allowed);
	if (body_is_long(rq, route)) {
		const struct http_error *e = http_refusal_error(HTTP_REFUSE_BODY_LONG);

		http_response_error(rs, e->status, e->text);
		return 0;
	}
	if (!route)
		return no_route(rq, rs, allowed);
	err = check_key(rq, rs, route);
	if (err)
		return sl_min(err, 0);
	err = route->fn(rq, rs, SL_NEVER);
	if (!err && !rq->out.begun && route->flags & HTTP_ROUTE_NO_STORE)
		err = http_response_field(rs, "Cache-Control", "no-store");
	return err;
}

static int respond(struct http_request *rq, struct http_response *rs)
{
	const struct http_out *o = &rq->out;
	int err;
	const struct http_error *e;

	rq->scheme = sl_conn_tls(rq->conn) ? "https" : "http";
	err = call_route(rq, rs);
	if (o->begun && o->ended)
		return 0;
	if (o->begun)
		return o->err == -ECONNRESET || o->err == -EPIPE ? o->err : -EIO;
	if (!err || err == -ECONNRESET || err == -EPIPE)
		return err;
	e = http_errno_error(err);
	rs->extra_n = 0;
	http_response_error(rs, e->status, e->text);
	return 0;
}

/* A response that was begun before its handler failed has no better status. */
static void count(const struct http_request *rq, const struct http_response *rs, int err)
{
	struct sl_metrics *m = sl_core_metrics(sl_conn_core(rq->conn));
	int status = rq->out.begun ? rq->out.status : rs->status;

	if (!rq->api)
		return;
	sl_metric_add1(m, SL_M_HTTP_REQUESTS, rq->api->number, 1);
	if (err || status >= 400 || rs->wrong)
		sl_metric_add1(m, SL_M_HTTP_ERRORS, rq->api->number, 1);
	sl_metric_record1(m, SL_M_HTTP_REQUEST_TIME, rq->api->number,
			  (uint64_t)(sl_clock_ns() - rq->began_ns));
}

int http_respond(struct http_request *rq, struct http_response *rs)
{
	int err = respond(rq, rs);
	bool bare = err || rq->method == HTTP_M_HEAD || http_status_ends_head(rs->status);

	count(rq, rs, err);
	if (rq->out.begun)
		http_log_request(rq, rq->out.status, rq->out.sent);
	else
		http_log_request(rq, err ? 0 : rs->status, bare ? 0 : http_response_bytes(rs));
	return err;
}

/* ---- serving ---------------------------------------------------------------------------- */

static int answer(struct http_request *rq)
{
	struct http_conn *c = sl_conn_state(rq->conn);
	struct http_response rs;
	int err;

	http_response_init(&rs);
	err = http_respond(rq, &rs);
	if (!err && !rq->out.begun)
		err = http_h1_answer(rq, &rs);
	else if (rq->out.begun && err == -EIO)
		sl_conn_blame(rq->conn, "a response could not be made to its end");
	c->ended |= rq->out.begun ? rq->out.close : rs.close;
	if (!err && !c->ended)
		err = http_body_drain(rq, HTTP_DRAIN_BYTES, SL_NEVER);
	http_response_done(&rs);
	return err;
}

/* The head moves to memory of its own, for the body's bytes push it out of the connection's. */
static int answer_with_body(struct http_request *rq)
{
	struct sl_buf *buf = sl_buf_new(rq->head_bytes);
	int err;

	if (!buf)
		return -ENOMEM;
	memcpy(buf->data, rq->head, rq->head_bytes);
	rq->head = (const char *)buf->data;
	sl_conn_skip(rq->conn, rq->head_bytes);
	rq->head_left = 0;
	err = answer(rq);
	sl_buf_release(buf);
	return err;
}

static int serve(struct sl_conn *conn)
{
	struct http_conn *c = sl_conn_state(conn);
	struct http_scan scan = c->scan;
	size_t n = c->head_bytes;
	struct http_request rq;
	enum http_refusal why;
	const uint8_t *head;
	int err;

	rq.conn = conn;
	rq.server = sl_conn_arg(conn);
	rq.wire = &http_h1_wire;
	rq.head_left = n;
	rq.began_ns = sl_now();
	rq.peer = c->peer;
	if (rq.server->log && !c->peer[0])
		snprintf(c->peer, sizeof(c->peer), "%s", sl_conn_peer(conn));
	c->scan = (struct http_scan){0};
	c->head_bytes = 0;
	if (c->ended) {
		sl_conn_skip(conn, sl_conn_buffered(conn));
		return 0;
	}
	if (c->h2) {
		err = http_h2_serve(conn, c->peer);
		c->ended = true;
		return err;
	}
	if (scan.refusal)
		return refuse(&rq, scan.refusal);
	SL_ASSERT(n > 0);
	err = sl_conn_peek(conn, n, &head, SL_NEVER);
	if (err)
		return err;
	why = http_request_parse(&rq, head, n, scan.begin);
	if (why)
		return refuse(&rq, why);
	rq.body.max = __atomic_load_n(&rq.server->body_bytes_max, __ATOMIC_RELAXED);
	if (!rq.body.done)
		return answer_with_body(&rq);
	err = answer(&rq);
	if (!err)
		sl_conn_skip(conn, n);
	return err;
}

const struct sl_proto http_proto = {
	.name = "http",
	.alpn = "h2,http/1.1",
	.stack = SL_STACK_SMALL,
	.conn_bytes = sizeof(struct http_conn),
	.need = need,
	.serve = serve,
};
