/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http: HTTP/1.1 and HTTP/2 for metrics, health, the APIs and static files. The one header that
 * tools include.
 *
 * tools/sluiced makes one struct http_server for each kind of listener, gives it to sl_listen() of
 * every core as the connections' argument together with http_proto, and tells it when every
 * listener serves.
 *
 * Order of parts: the access log; the server; the proxy; the protocol.
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

/* ---- the server ------------------------------------------------------------------------- */

struct http_core;
struct cache;
struct http_proxy;
struct http_route;
struct sl_static;
struct sl_tls;

/**
 * struct http_server_conf - how a server is made.
 * @name: of the listener, in the access log. @log: that log, or NULL; outlives the server.
 * @cores: cores that serve, numbered from 0. @registry: what /metrics shows; outlives the server.
 * @head_bytes_max: http.max_head_bytes; more than the connection's window (256 KiB) counts as that.
 * @body_bytes_max: http.max_body_bytes.
 * @files: what lies below static.root, which is then all that is served; outlives the server.
 * @keys: who may use the routes, or NULL: everybody; outlives the server.
 * @cache: what /cache/ is about, or NULL; outlives the server.
 * @index: static.index, at most 255 bytes. @max_age_s: static.max_age, 0: off.
 * @proxy: what is in front of another server, which is then all that is served; outlives the
 * server. @purges: whose objects may be purged here; NULL: there is no proxy.
 * @routes, @routes_n: the table of routes; NULL: that of static.c with @files, else of routes.c.
 */
struct http_server_conf {
	const char *name;
	struct http_log *log;
	uint32_t cores;
	const struct sl_registry *registry;
	uint64_t head_bytes_max, body_bytes_max;
	struct sl_static *files;
	struct cache *cache;
	const struct sl_keyring *keys;
	const char *index;
	uint64_t max_age_s;
	struct http_proxy *proxy, *purges;
	const struct http_route *routes;
	size_t routes_n;
};

/**
 * struct http_server - what all HTTP connections of the process share; sl_conn_arg() of each.
 * Its limits and @not_ready are atomics, which any thread may set by the functions below.
 */
struct http_server {
	const char *name;
	struct http_log *log;
	const struct sl_registry *registry;
	const struct http_route *routes;
	size_t routes_n;
	uint64_t head_bytes_max, body_bytes_max, max_age_s;
	struct sl_static *files;
	struct cache *cache;
	const struct sl_keyring *keys;
	struct http_proxy *proxy, *purges;
	char index[256];
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

/* The same for static.max_age. */
void http_server_set_max_age(struct http_server *s, uint64_t max_age_s);

/**
 * http_server_set_ready() - what /readyz says from now on; from any thread.
 * @not_ready: NULL once every listener serves; else why it is not so ("starting", "draining"): a
 *	constant without characters that JSON escapes.
 */
void http_server_set_ready(struct http_server *s, const char *not_ready);

/* ---- the proxy -------------------------------------------------------------------------- */

/**
 * struct http_proxy_conf - a caching reverse proxy; the settings of [proxy].
 * @cache: where responses are kept; outlives the proxy. @origin: its URL, without a path.
 * @host: what the origin is told as Host; NULL or "": what the client said.
 * @tls: for each core, to speak to an origin by https; outlive the proxy. NULL: there are none.
 * @connect_ns, @first_byte_ns, @between_bytes_ns: how long the origin may take for each.
 * @idle_ns, @idle_max: connections to it that are kept unused, on each core.
 * @slice_bytes: of parts in which large responses are kept, when a range is asked for; 0: never.
 * @guess_max_ns: the longest time for which a response without a lifetime is kept. @stale_max_ns:
 *	how stale a response may be used while the origin cannot be reached.
 */
struct http_proxy_conf {
	struct cache *cache;
	const char *origin, *host;
	struct sl_tls *const *tls;
	int64_t connect_ns, first_byte_ns, between_bytes_ns, idle_ns;
	uint32_t idle_max;
	uint64_t slice_bytes;
	int64_t guess_max_ns, stale_max_ns;
};

/* @cores: numbered from 0. Return: 0; -EINVAL and the like, with the cause in @why. */
int http_proxy_new(const struct http_proxy_conf *conf, uint32_t cores,
		   struct http_proxy **ret_proxy, char *why, size_t why_len);

/* Takes over slice_bytes, guess_max_ns and stale_max_ns. Any thread. */
void http_proxy_configure(struct http_proxy *p, const struct http_proxy_conf *conf);

/* What the origin has not sent by @at is not waited for any more; from any thread. */
void http_proxy_drain(struct http_proxy *p, int64_t at);

/* Waits for what is being fetched; on each core, after its listeners and before the cache stops. */
void http_proxy_stop(struct http_proxy *p, int64_t deadline);

/* After the cores. Accepts NULL. */
void http_proxy_free(struct http_proxy *p);

/* ---- the protocol ----------------------------------------------------------------------- */

extern const struct sl_proto http_proto;

#endif
