/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http: HTTP/1.1 and HTTP/2 for the APIs, and the daemon's own pages. What tools include; who
 * answers requests includes route.h.
 *
 * tools/sluiced makes one struct http_server for each kind of listener, gives it to sl_listen() of
 * every core as the connections' argument together with http_proto, and tells it when every
 * listener serves.
 *
 * Order of parts: the access log; APIs; the server; the protocol.
 */
#ifndef PROTO_HTTP_HTTP_H
#define PROTO_HTTP_HTTP_H

#include "dataplane/dataplane.h"

/* ---- the access log --------------------------------------------------------------------- */

struct http_log;

/**
 * http_log_open() - the log of all servers in the file @path, which is made if there is none; a
 * FIFO must have its reader. Before the cores start. @format: of its lines.
 * Return: 0, or -errno with the cause and its cure in @why.
 */
int http_log_open(const char *path, enum sl_log_format format, uint32_t cores,
		  struct http_log **ret_log, char *why, size_t why_len);

/**
 * http_log_reopen() - open @path again, after a program that rotates logs has renamed the file.
 * In a fiber of any core; parks. Return: 0; -errno with the cause in @why: the old file stays.
 */
int http_log_reopen(struct http_log *log, enum sl_log_format format, char *why, size_t why_len);

/* In a fiber on each core, after its last request: writes out what waits; parks. Return: 0. */
int http_log_stop(struct http_log *log);

/* After the last core. Accepts NULL. */
void http_log_free(struct http_log *log);

/* ---- APIs ------------------------------------------------------------------------------- */

struct http_route;

/**
 * struct http_api - a table of routes, and what its handlers work on.
 * @name: for people. @routes, @routes_n: its rows (route.h). @arg: given to them as rq->api_arg.
 * @number: its position among the values of SL_DIM_HTTP_API.
 */
struct http_api {
	const char *name;
	const struct http_route *routes;
	size_t routes_n;
	void *arg;
	uint32_t number;
};

/* ---- the server ------------------------------------------------------------------------- */

struct http_core;

/**
 * struct http_server_conf - how a server is made.
 * @name: of the listener, in the access log. @log: that log, or NULL; outlives the server.
 * @cores: cores that serve, numbered from 0. @registry: what /metrics shows; outlives the server.
 * @head_bytes_max: http.max_head_bytes; more than the connection's window (256 KiB) counts as that.
 * @body_bytes_max: http.max_body_bytes.
 * @keys: who may use the routes, or NULL: everybody; outlives the server.
 * @apis, @apis_n: what is served: the first row that matches counts, in the order of the APIs;
 *	they outlive the server.
 */
struct http_server_conf {
	const char *name;
	struct http_log *log;
	uint32_t cores;
	const struct sl_registry *registry;
	uint64_t head_bytes_max, body_bytes_max;
	const struct sl_keyring *keys;
	const struct http_api *apis;
	size_t apis_n;
};

/**
 * struct http_server - what all HTTP connections of the process share; sl_conn_arg() of each.
 * Its limits and @not_ready are atomics, which any thread may set by the functions below.
 */
struct http_server {
	const char *name;
	struct http_log *log;
	const struct sl_registry *registry;
	const struct http_api *apis;
	size_t apis_n;
	uint64_t head_bytes_max, body_bytes_max;
	const struct sl_keyring *keys;
	const char *not_ready; /* NULL: /readyz says 200 */
	struct http_core *cores;
	uint32_t cores_n;
};

/* Not ready at first ("starting"). Return: 0 or -ENOMEM. */
int http_server_init(struct http_server *s, const struct http_server_conf *conf);

/* After the last connection. Accepts NULL and a zeroed struct. */
void http_server_done(struct http_server *s);

/* New limits, after a reload; requests that have begun keep theirs or take these. Any thread. */
void http_server_set_limits(struct http_server *s, uint64_t head_bytes_max,
			    uint64_t body_bytes_max);

/**
 * http_server_set_ready() - what /readyz says from now on; from any thread.
 * @not_ready: NULL once every listener serves; else why it is not so ("starting", "draining"): a
 *	constant without characters that JSON escapes.
 */
void http_server_set_ready(struct http_server *s, const char *not_ready);

/* ---- the protocol ----------------------------------------------------------------------- */

extern const struct sl_proto http_proto;

#endif
