/* SPDX-License-Identifier: Apache-2.0 */
/* The cache by HTTP: objects by their key, purging, figures. Handlers as of struct http_route. */
#ifndef PROTO_HTTP_CACHE_H
#define PROTO_HTTP_CACHE_H

#include "request.h"
#include "response.h"

/* "/cache/{*}": GET and HEAD, PUT, DELETE of the object whose key is the rest of the path. */
int http_cache_get(struct http_request *rq, struct http_response *rs, int64_t deadline);
int http_cache_put(struct http_request *rq, struct http_response *rs, int64_t deadline);
int http_cache_delete(struct http_request *rq, struct http_response *rs, int64_t deadline);

/* "/cache/": what the cache holds and did, as JSON. */
int http_cache_stat_get(struct http_request *rq, struct http_response *rs, int64_t deadline);

/* "/cache-purge?key=…", "?prefix=…", "?tag=…": POST. */
int http_cache_purge(struct http_request *rq, struct http_response *rs, int64_t deadline);

/* "/cache-verify": POST; reads everything, and may take long. */
int http_cache_verify(struct http_request *rq, struct http_response *rs, int64_t deadline);

#endif
