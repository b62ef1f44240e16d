/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache by HTTP.
 *
 * Interface: cache.h; the engine is stores/cache. What is asked for is sent by get.c and stored by
 * put.c; what a request names is found by find.c.
 *
 * Order of parts: removing; purging; figures; the table.
 */
#include <inttypes.h>

#include "cache_pvt.h"

/* ---- removing --------------------------------------------------------------------------- */

static int delete_object(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	struct cache *c;
	struct http_cache_name name;
	bool there;
	int res = http_cache_find_key(rq, rs, &c, &name);

	if (!res && http_cache_has_condition(rq))
		res = http_cache_may_write(rq, rs, c, &name, &there, deadline);
	if (res)
		return http_cache_outcome(res);
	res = cache_remove(c, http_cache_key(&name), deadline);
	if (res)
		return http_cache_outcome(http_cache_failed(rs, res));
	rs->status = 204;
	return 0;
}

/* ---- purging ---------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*purge)(struct cache *c, struct cache_key key, int64_t deadline);
	enum http_cache_purge what;
} purges[] = {
	{"key", cache_remove, HTTP_CACHE_PURGE_KEY},
	{"prefix", cache_purge_prefix, HTTP_CACHE_PURGE_PREFIX},
	{"tag", cache_purge_tag, HTTP_CACHE_PURGE_TAG}
};

/* Takes "space=proxy&" off the front of @query. Return: the space that is meant. */
static const char *take_space(struct http_str *query)
{
	static const char front[] = "space=proxy&";
	size_t n = sizeof(front) - 1;

	if (query->n < n || memcmp(query->p, front, n))
		return SPACE;
	*query = (struct http_str){query->p + n, query->n - n};
	return SPACE_PROXY;
}

static int purge_named(struct http_request *rq, struct http_response *rs, struct cache *c,
		       size_t row, const struct http_cache_name *name, int64_t deadline)
{
	const struct http_cache *api = rq->api_arg;
	struct http_str key = {name->bytes, name->n};
	int err;

	/* What is being fetched may be what was to go. */
	if (api->purging && !memcmp(name->bytes, SPACE_PROXY, SPACE_BYTES))
		api->purging(api->purging_arg, purges[row].what, key);
	err = purges[row].purge(c, http_cache_key(name), deadline);
	if (err && err != -ENOENT)
		return http_cache_failed(rs, err);
	rs->status = 204; /* gone is gone, whether or not it was there */
	return 0;
}

/* Purges as "name=value" says. */
static int purge(struct http_request *rq, struct http_response *rs, struct cache *c,
		 int64_t deadline)
{
	struct http_str query = http_request_str(rq, rq->query);
	const char *space = take_space(&query);
	const char *equals = query.n ? memchr(query.p, '=', query.n) : NULL;
	struct http_str what = {query.p, equals ? (size_t)(equals - query.p) : 0};
	struct http_cache_name name;
	int err;

	/* One at a time: what another parameter would mean beside it is nobody's guess. */
	if (query.n && memchr(query.p, '&', query.n))
		what.n = 0;
	for (size_t i = 0; i < SL_ARRAY_SIZE(purges) && what.n; i++) {
		if (!http_str_is(what, purges[i].name))
			continue;
		err = http_cache_name(space, (struct http_str){equals + 1, query.n - what.n - 1},
				      &name);
		return err ? err : purge_named(rq, rs, c, i, &name, deadline);
	}
	return http_cache_answered(rs, 400,
				   "say what to purge: ?key=, ?prefix= or ?tag=, percent-encoded, "
				   "behind ?space=proxy& of the proxy's");
}

static int post_purge(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	struct cache *c;
	int res = http_cache_find(rq, rs, &c);

	return http_cache_outcome(res ? res : purge(rq, rs, c, deadline));
}

/* ---- figures ---------------------------------------------------------------------------- */

#define FIGURE(member) {#member, offsetof(struct cache_stat, member)}

static const struct {
	const char *name;
	size_t at;
} figures[] = {
	FIGURE(objects), FIGURE(bytes), FIGURE(max_bytes), FIGURE(segments),
	FIGURE(memory_objects), FIGURE(memory_bytes),
	FIGURE(hits), FIGURE(memory_hits), FIGURE(misses), FIGURE(stored), FIGURE(stored_bytes),
	FIGURE(refused), FIGURE(evicted), FIGURE(carried), FIGURE(removed), FIGURE(quarantined),
	FIGURE(extents), FIGURE(extent_bytes), FIGURE(slices), FIGURE(slice_bytes),
	FIGURE(mapped), FIGURE(mapped_bytes), FIGURE(mapped_refused), FIGURE(mapped_unreadable),
	FIGURE(direct), FIGURE(direct_bytes), FIGURE(direct_refused), FIGURE(direct_no_memory),
	FIGURE(copies), FIGURE(copy_bytes),
	FIGURE(verified_blocks), FIGURE(whole_bytes),
};

static int send_text(struct http_response *rs, struct sl_text *text)
{
	int err = text->err;

	if (!err)
		err = http_response_body(rs, "application/json", text->data, text->len);
	sl_text_done(text);
	return err;
}

static int get_stat(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	struct sl_text text = {0};
	struct cache_stat stat;
	struct cache *c;
	int res = http_cache_find(rq, rs, &c);

	if (res)
		return http_cache_outcome(res);
	cache_stat(c, &stat);
	for (size_t i = 0; i < SL_ARRAY_SIZE(figures); i++) {
		uint64_t v;

		memcpy(&v, (const char *)&stat + figures[i].at, sizeof(v));
		sl_text_printf(&text, "%s\"%s\": %" PRIu64, i ? ", " : "{", figures[i].name, v);
	}
	sl_text_put_string(&text, "}\n");
	return send_text(rs, &text);
}

static int post_verify(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	struct sl_text text = {0};
	struct cache_verify v;
	struct cache *c;
	int res = http_cache_find(rq, rs, &c);

	if (!res)
		res = cache_verify(c, &v, deadline);
	if (res)
		return http_cache_outcome(res > 0 ? res : http_cache_failed(rs, res));
	sl_text_printf(&text, "{\"objects\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"bad\": %" PRIu64
		       "}\n", v.objects, v.bytes, v.bad);
	return send_text(rs, &text);
}

/* ---- the table -------------------------------------------------------------------------- */

const struct http_route http_cache_routes[] = {
	{HTTP_ON(GET), "/cache/", get_stat, HTTP_ROUTE_NO_STORE},
	{HTTP_ON(GET), "/cache/{*}", http_cache_get, 0},
	{HTTP_ON(PUT), "/cache/{*}", http_cache_put, HTTP_ROUTE_WRITE | HTTP_ROUTE_LONG_BODY},
	{HTTP_ON(DELETE), "/cache/{*}", delete_object, HTTP_ROUTE_WRITE},
	{HTTP_ON(POST), "/cache-purge", post_purge, HTTP_ROUTE_WRITE},
	{HTTP_ON(POST), "/cache-verify", post_verify, HTTP_ROUTE_ADMIN},
};
const size_t http_cache_routes_n = SL_ARRAY_SIZE(http_cache_routes);
