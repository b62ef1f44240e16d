/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes: which handler answers which method on which path. The door for handlers: brings what they
 * need of requests, responses, JSON, and the rules of HTTP that more than one API follows.
 */
#ifndef PROTO_HTTP_ROUTE_H
#define PROTO_HTTP_ROUTE_H

#include "cachecontrol.h"
#include "form.h"
#include "head.h"
#include "json.h"
#include "lines.h"
#include "partial.h"
#include "path.h"
#include "request.h"
#include "response.h"
#include "status.h"
#include "window.h"

enum {
	HTTP_ROUTE_NO_STORE = 1 << 0, /* the answer is of the moment: caches must not keep it */
	/* Where http.keys asks for keys; without one of these: a key for read. */
	HTTP_ROUTE_OPEN = 1 << 1,  /* none: tells nothing of what is stored */
	HTTP_ROUTE_WRITE = 1 << 2, /* one for write */
	HTTP_ROUTE_ADMIN = 1 << 3, /* one for admin */
	HTTP_ROUTE_LONG_BODY = 1 << 4, /* its handler bounds the body, not http.max_body_bytes */
};

/**
 * struct http_route - one row of the table; the first that matches counts.
 * @methods: HTTP_ON(GET) | …; GET brings HEAD, whose body is left out on its way. HTTP_ON(ANY):
 *	all methods, those without a name here too.
 * @path: matched byte by byte against the path as sent; "{}" stands for one segment that is not
 *	empty, "{*}" at the end for all the rest: at most HTTP_PARAMS_MAX, given as rq->params.
 *	"{*}" alone is every path, the empty one of "http://host" too.
 * @fn: fills @rs; runs in a fiber and may park. Return: 0, or -errno, which errmap.c answers.
 * @flags: HTTP_ROUTE_….
 */
struct http_route {
	uint32_t methods;
	const char *path;
	int (*fn)(struct http_request *rq, struct http_response *rs, int64_t deadline);
	uint32_t flags;
};

/* routes.c: the daemon's own pages. Their api_arg is not looked at. */
extern const struct http_route http_routes[];
extern const size_t http_routes_n;

/**
 * http_route_find() - the row for @method on @path, with what its pattern left open in
 * @ret_params (of HTTP_PARAMS_MAX).
 * Return: the row; or NULL, with *ret_allowed the methods that the path knows (0: none, 404).
 */
const struct http_route *http_route_find(const struct http_route *routes, size_t n,
					 enum http_method method, struct http_str path,
					 struct http_str *ret_params, uint32_t *ret_allowed);

/* "GET, HEAD, OPTIONS" of a mask, into @ret_text, HTTP_ALLOW_BYTES bytes. */
#define HTTP_ALLOW_BYTES 64
void http_allow_format(uint32_t methods, char *ret_text);

#endif
