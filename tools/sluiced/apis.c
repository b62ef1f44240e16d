/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon's HTTP listeners serve: the table of APIs, one row each.
 *
 * Interface: "apis.c" of daemon.h. APIs do not see each other: what one has to tell another goes
 * through here. Of two rows of a listener that know a path, the upper one answers.
 * Order of parts: what APIs tell each other; what they work on; the table; servers.
 */
#include "apis/cache/cache.h"
#include "apis/proxy/proxy.h"
#include "apis/qdrant/qdrant.h"
#include "apis/static/static.h"
#include "apis/weaviate/weaviate.h"
#include "daemon.h"
#include "proto/http/route.h"

/* ---- what APIs tell each other ---------------------------------------------------------- */

/* What is being fetched may be what was to go. */
static void on_purge(void *proxy, enum http_cache_purge what, struct http_str key)
{
	static const enum http_proxy_forgets forgets[HTTP_CACHE_PURGE_LAST] = {
		[HTTP_CACHE_PURGE_KEY] = HTTP_PROXY_FORGETS_KEY,
		[HTTP_CACHE_PURGE_PREFIX] = HTTP_PROXY_FORGETS_PREFIX,
		/* What is asked for has no tags yet. */
		[HTTP_CACHE_PURGE_TAG] = HTTP_PROXY_FORGETS_ALL,
	};

	http_proxy_forget(proxy, forgets[what], key);
}

/* ---- what they work on ------------------------------------------------------------------ */

static void *own_arg(struct daemon *d)
{
	(void)d;
	return NULL;
}

static void *cache_arg(struct daemon *d)
{
	d->cache_api = (struct http_cache){
		.cache = d->cache,
		.purging = d->proxy ? on_purge : NULL,
		.purging_arg = d->proxy,
	};
	return &d->cache_api;
}

static void *objects_arg(struct daemon *d)
{
	return d->objects;
}

static void *static_arg(struct daemon *d)
{
	return &d->static_api;
}

static void *proxy_arg(struct daemon *d)
{
	return d->proxy;
}

/* ---- the table -------------------------------------------------------------------------- */

enum { ROW_CACHE, ROW_QDRANT, ROW_WEAVIATE, ROW_SLUICE, ROW_STATIC, ROW_PROXY, ROW_LAST };

/* Their names, which metrics have too. */
static const char *const names[ROW_LAST] = {
	[ROW_CACHE] = "cache",	 [ROW_QDRANT] = "qdrant", [ROW_WEAVIATE] = "weaviate",
	[ROW_SLUICE] = "sluice", [ROW_STATIC] = "static", [ROW_PROXY] = "proxy",
};

static const struct {
	enum listener listener;
	const struct http_route *routes;
	const size_t *routes_n;
	void *(*arg)(struct daemon *d);
} rows[ROW_LAST] = {
	[ROW_CACHE] = {LISTENER_HTTP, http_cache_routes, &http_cache_routes_n, cache_arg},
	[ROW_QDRANT] = {LISTENER_HTTP, qdrant_routes, &qdrant_routes_n, objects_arg},
	[ROW_WEAVIATE] = {LISTENER_HTTP, weaviate_routes, &weaviate_routes_n, objects_arg},
	[ROW_SLUICE] = {LISTENER_HTTP, http_routes, &http_routes_n, own_arg},
	[ROW_STATIC] = {LISTENER_STATIC, http_static_routes, &http_static_routes_n, static_arg},
	[ROW_PROXY] = {LISTENER_PROXY, http_proxy_routes, &http_proxy_routes_n, proxy_arg},
};

const char *const *apis_names(uint32_t *ret_n)
{
	*ret_n = ROW_LAST;
	return names;
}

/* ---- servers ---------------------------------------------------------------------------- */

int apis_serve(struct daemon *d, enum listener which, uint32_t cores, struct http_server *ret_s)
{
	struct http_api *apis = d->apis[which];
	size_t n = 0;

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		if (rows[i].listener != which)
			continue;
		SL_ASSERT(n < APIS_MAX);
		apis[n++] = (struct http_api){
			.name = names[i],
			.routes = rows[i].routes,
			.routes_n = *rows[i].routes_n,
			.arg = rows[i].arg(d),
			.number = (uint32_t)i,
		};
	}
	return http_server_init(ret_s, &(struct http_server_conf){
					       .name = listener_names[which],
					       .log = d->access_log,
					       .cores = cores,
					       .registry = d->registry,
					       .head_bytes_max = d->conf.http.max_head_bytes,
					       .body_bytes_max = d->conf.http.max_body_bytes,
					       .keys = which == LISTENER_HTTP ? &d->keys : NULL,
					       .apis = apis,
					       .apis_n = n,
				       });
}
