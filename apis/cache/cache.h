/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache by HTTP: objects by their key, purging, figures.
 *
 * "/cache/{*}": GET and HEAD, PUT, DELETE of the object whose key is the rest of the path;
 * "/cache/": what the cache holds and did, as JSON; "/cache-purge?key=...", "?prefix=...",
 * "?tag=...": POST; "/cache-verify": POST, which reads everything and may take long.
 */
#ifndef APIS_CACHE_CACHE_H
#define APIS_CACHE_CACHE_H

#include "proto/http/route.h"

struct cache;

enum http_cache_purge {
	HTTP_CACHE_PURGE_KEY,
	HTTP_CACHE_PURGE_PREFIX,
	HTTP_CACHE_PURGE_TAG,
	HTTP_CACHE_PURGE_LAST
};

/**
 * struct http_cache - what the table's handlers work on: the arg of its struct http_api.
 * @cache: the engine; NULL: there is none, and requests are told so.
 * @purging: called before objects of the proxy are purged by @key (of which @what is told), in the
 *	fiber that purges; may park. NULL: there is no proxy.
 */
struct http_cache {
	struct cache *cache;
	void (*purging)(void *arg, enum http_cache_purge what, struct http_str key);
	void *purging_arg;
};

extern const struct http_route http_cache_routes[];
extern const size_t http_cache_routes_n;

#endif
