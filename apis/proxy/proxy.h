/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The caching reverse proxy: what one origin answers, kept in the cache.
 *
 * tools/sluiced makes one struct http_proxy, the arg of the table's struct http_api, for a server
 * that serves nothing else.
 */
#ifndef APIS_PROXY_PROXY_H
#define APIS_PROXY_PROXY_H

#include "proto/http/route.h"

struct cache;
struct http_proxy;

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

enum http_proxy_forgets {
	HTTP_PROXY_FORGETS_KEY, /* of the object of this key, its variants and slices */
	HTTP_PROXY_FORGETS_PREFIX, /* of keys that begin so */
	HTTP_PROXY_FORGETS_ALL,
};

/*
 * What is being fetched by now, of what @which and @key say, is not stored: it may be older than
 * what made somebody purge. In a fiber of any core; parks.
 */
void http_proxy_forget(struct http_proxy *p, enum http_proxy_forgets which, struct http_str key);

extern const struct http_route http_proxy_routes[];
extern const size_t http_proxy_routes_n;

#endif
