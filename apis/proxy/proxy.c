/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The caching reverse proxy: what a request is answered with.
 *
 * Interface: proxy.h. A GET is looked up; what is good is the answer, what is not becomes a flight
 * (flight.h), whose news say where the answer is. All other methods, and what cannot be shared, are
 * passed on (pass.c). What is stored is found by get.c, and if in slices, answered by slices.c.
 *
 * Order of parts: the proxy; answers from the cache; flights; the handler; the table.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "get.h"

/* ---- the proxy -------------------------------------------------------------------------- */

/* "https://name:8443": no path, for the client's is the origin's. */
static int parse_url(const char *url, struct origin_conf *ret_conf, bool *ret_tls, char *why,
		     size_t why_len)
{
	const char *p = NULL, *end, *colon;
	unsigned long port;
	char *rest;
	size_t n;

	*ret_tls = !strncmp(url, "https://", 8);
	if (*ret_tls || !strncmp(url, "http://", 7))
		p = url + (*ret_tls ? 8 : 7);
	end = p ? p + strlen(p) : NULL;
	if (p && end > p && end[-1] == '/')
		end--;
	if (!p || end == p || memchr(p, '/', (size_t)(end - p)) ||
	    memchr(p, '@', (size_t)(end - p)))
		goto bad;
	colon = memrchr(p, ':', (size_t)(end - p));
	if (colon && memchr(colon, ']', (size_t)(end - colon)))
		colon = NULL; /* of an IPv6 address */
	port = colon ? strtoul(colon + 1, &rest, 10) : *ret_tls ? 443 : 80;
	if (colon && (rest != end || rest == colon + 1))
		goto bad;
	n = (size_t)((colon ? colon : end) - p);
	if (!n || n >= sizeof(ret_conf->host) || !port || port > UINT16_MAX)
		goto bad;
	memcpy(ret_conf->host, p, n);
	ret_conf->host[n] = 0;
	ret_conf->port = (uint16_t)port;
	return 0;
bad:
	snprintf(why, why_len,
		 "proxy.origin = %s: not a URL such as http://name:8080 or "
		 "https://name, without a path",
		 url);
	return -EINVAL;
}

void http_proxy_configure(struct http_proxy *p, const struct http_proxy_conf *conf)
{
	__atomic_store_n(&p->slice_bytes, conf->slice_bytes, __ATOMIC_RELAXED);
	__atomic_store_n(&p->guess_max_s, conf->guess_max_ns / SL_SEC, __ATOMIC_RELAXED);
	__atomic_store_n(&p->stale_max_s, conf->stale_max_ns / SL_SEC, __ATOMIC_RELAXED);
}

int http_proxy_new(const struct http_proxy_conf *conf, uint32_t cores,
		   struct http_proxy **ret_proxy, char *why, size_t why_len)
{
	struct origin_conf origin = {
		.connect_ns = conf->connect_ns,
		.first_byte_ns = conf->first_byte_ns,
		.between_bytes_ns = conf->between_bytes_ns,
		.idle_ns = conf->idle_ns,
		.idle_max = conf->idle_max,
	};
	struct http_proxy *p = NULL;
	bool tls;
	int err = parse_url(conf->origin, &origin, &tls, why, why_len);

	if (err)
		return err;
	if (tls && !conf->tls) {
		snprintf(why, why_len, "proxy.origin = %s: there is no TLS", conf->origin);
		return -EPROTONOSUPPORT;
	}
	origin.tls = tls ? conf->tls : NULL;
	err = -ENOMEM;
	p = calloc(1, sizeof(*p));
	if (!p)
		goto out;
	p->cache = conf->cache;
	p->cores = cores;
	snprintf(p->host, sizeof(p->host), "%s", conf->host ? conf->host : "");
	http_proxy_configure(p, conf);
	err = flights_new(p);
	if (!err)
		err = origin_new(&origin, cores, &p->origin);
	if (err)
		goto out;
	*ret_proxy = p;
	return 0;
out:
	http_proxy_free(p);
	snprintf(why, why_len, "proxy.origin: %s", strerror(-err));
	return err;
}

void http_proxy_drain(struct http_proxy *p, int64_t at)
{
	origin_drain(p->origin, at);
}

void http_proxy_stop(struct http_proxy *p, int64_t deadline)
{
	flights_stop(p, deadline);
	origin_stop(p->origin);
}

void http_proxy_free(struct http_proxy *p)
{
	if (!p)
		return;
	flights_free(p);
	origin_free(p->origin);
	free(p);
}

/* ---- answers from the cache ------------------------------------------------------------- */

static int object_parts(void *arg, uint64_t off, uint64_t len, struct sl_part *ret_parts,
			uint32_t n, int64_t deadline)
{
	struct cache_object *o = arg;

	return cache_parts(o, off, sl_min(len, 4 * SL_MIB), ret_parts, n, deadline);
}

static int answer_whole(struct proxy_get *g)
{
	int64_t now_ms = proxy_now_ms();
	struct proxy_answer a = {
		.status = g->stored.caching.status,
		.fields = g->stored.fields,
		.caching = &g->stored.caching,
		.bytes = g->object->bytes,
		.parts = object_parts,
		.arg = g->object,
		.eager = true,
		.how = proxy_get_how(g, now_ms),
		.now_ms = now_ms,
	};

	return proxy_answer(g->rq, g->rs, &a, g->deadline);
}

static int answer_sliced(struct proxy_get *g)
{
	struct proxy_slices s = {.get = g, .head = g->stored, .key = g->key};

	return proxy_answer_slices(&s);
}

/* Whether it is to be looked for again: it is not what it was, and nothing was sent. */
static bool is_useless(const struct proxy_get *g, int err)
{
	return (err == -EBADMSG || err == -ESTALE) && !g->rq->out.begun;
}

/* Return: 0; 1: it turned out to be of no use, nothing was sent; -errno. */
static int answer_stored(struct proxy_get *g)
{
	int err = g->stored.kind == STORED_SLICED ? answer_sliced(g) : answer_whole(g);

	if (g->fwd == HTTP_FWD_NONE)
		sl_count(SL_M_PROXY_HITS, 1);
	return is_useless(g, err) ? 1 : err;
}

/* ---- flights ---------------------------------------------------------------------------- */

/*
 * Asks for the slice in which the first of the wanted ranges begins, if slices are wanted. A range
 * from the end begins where nobody knows yet: the first slice will tell.
 */
static void want_slice(const struct proxy_get *g, struct flight_ask *ask)
{
	struct http_range r[HTTP_RANGES_MAX];
	uint64_t bytes = proxy_slice_bytes(g->proxy);
	struct http_str v;

	if (!bytes || g->rq->method != HTTP_M_GET || !http_request_field(g->rq, "Range", &v) ||
	    http_range_parse(v, INT64_MAX, r) < 1)
		return;
	ask->kind = FLIGHT_FIRST_SLICE;
	ask->slice = r[0].off > INT64_MAX / 2 ? 0 : r[0].off / bytes;
	ask->slice_bytes = bytes;
}

static int ask_of(struct proxy_get *g, struct flight_ask *ret_ask)
{
	struct http_str any;
	int err = proxy_get_lines(g);

	*ret_ask = (struct flight_ask){
		.kind = FLIGHT_WHOLE,
		.key = g->key,
		.base = http_str_text(&g->base),
		.host = http_str_text(&g->host),
		.path = http_str_text(&g->path),
		.lines = http_str_text(&g->lines),
		.seen = g->object ? g->object->version : 0,
		.authorized = http_request_field(g->rq, "Authorization", &any),
	};
	if (g->object && (http_lines_find(g->stored.fields, "ETag", &any) ||
			  http_lines_find(g->stored.fields, "Last-Modified", &any)))
		ret_ask->old = &g->stored;
	/* What is stored as a whole is fetched again as a whole. */
	if (!g->object || g->stored.kind == STORED_SLICED)
		want_slice(g, ret_ask);
	return err;
}

static int stream_parts(void *arg, uint64_t off, uint64_t len, struct sl_part *ret_parts,
			uint32_t n, int64_t deadline)
{
	return flight_parts(arg, off, len, ret_parts, n, deadline);
}

static int answer_stream(struct proxy_get *g, struct flight_reader *f, const struct flight_view *v)
{
	struct proxy_answer a = {
		.status = v->status,
		.fields = http_lines_of(&v->fields),
		.caching = v->storing ? &v->caching : NULL,
		.bytes = v->bytes,
		.parts = stream_parts,
		.arg = f,
		.once = !v->storing,
		.how = proxy_get_how(g, proxy_now_ms()),
	};

	a.how.stored = v->storing;
	a.how.collapsed = v->collapsed;
	a.how.fwd_status = v->status;
	a.how.ttl_s = v->storing ? http_ttl_s(&v->caching, proxy_now_ms()) : INT64_MIN;
	return proxy_answer(g->rq, g->rs, &a, g->deadline);
}

/* Of what was not known the first slice comes, by @f, which is left. Return: as answer_stored(). */
static int answer_first_slice(struct proxy_get *g, struct flight_reader *f,
			      const struct flight_view *v)
{
	struct proxy_slices s = {
		.get = g,
		.head = v->head,
		.key = http_str_text(&v->key),
		.flight = f,
		.at = v->slice,
	};
	int err;

	proxy_get_drop(g);
	g->stored = v->head;
	g->kept = v->storing;
	err = proxy_answer_slices(&s);
	return is_useless(g, err) ? 1 : err;
}

/* The origin fails: whether what is stored will do. Return: 0: answered; 1: it will not. */
static int answer_stale(struct proxy_get *g, bool reached)
{
	if (!g->object || !http_reuse_on_error(&g->stored.caching, &g->cc, proxy_now_ms(), reached,
					       proxy_stale_max_s(g->proxy)))
		return 1;
	sl_count(SL_M_PROXY_STALE, 1);
	return answer_stored(g);
}

/* @f: NULL when it was left. Return: 0; 1: look up again; -errno. */
static int on_news(struct proxy_get *g, struct flight_reader **f, struct flight_view *v)
{
	struct flight_reader *reader = *f;
	int err;

	g->fwd_status = v->status;
	g->collapsed |= v->collapsed;
	if (v->collapsed)
		sl_count(SL_M_PROXY_COLLAPSED, 1);
	switch (v->news) {
	case FLIGHT_STORED:
		g->validated.len = 0;
		sl_text_put(&g->validated, v->key.data, v->key.len);
		g->kept = true;
		return g->validated.err ? g->validated.err : 1;
	case FLIGHT_CHANGED:
		return 1;
	case FLIGHT_STREAM:
		if (v->sliced) {
			*f = NULL;
			return answer_first_slice(g, reader, v);
		}
		err = v->status >= 500 && !v->storing ? answer_stale(g, true) : 1;
		return err == 1 ? answer_stream(g, reader, v) : err;
	case FLIGHT_ALONE:
		err = v->status >= 500 ? answer_stale(g, true) : 1;
		return err == 1 ? proxy_pass(g->rq, g->rs, g->fwd, g->deadline) : err;
	default:
		err = answer_stale(g, false);
		return err == 1 ? proxy_put_error(g->rs, v->err) : err;
	}
}

static int fly(struct proxy_get *g)
{
	struct flight_reader *f = NULL;
	struct flight_view v;
	struct flight_ask ask;
	int err = ask_of(g, &ask);

	g->kept = false;
	if (!err)
		err = flight_join(g->proxy, &ask, &f, &v, g->deadline);
	if (err)
		return err;
	while (v.news == FLIGHT_INTERIM) {
		err = http_interim(g->rq, (int)v.status, v.fields.data, v.fields.len, g->deadline);
		flight_view_done(&v);
		if (!err)
			err = flight_wait(f, &v, g->deadline);
		if (err)
			goto out;
	}
	err = on_news(g, &f, &v);
	flight_view_done(&v);
out:
	flight_leave(f);
	return err;
}

/* ---- the handler ------------------------------------------------------------------------ */

static int pass_head(struct proxy_get *g)
{
	const struct proxy_old old = {
		.key = g->key,
		.version = g->object->version,
		.bytes = g->stored.kind == STORED_SLICED ? g->stored.bytes : g->object->bytes,
		.stored = &g->stored,
	};

	return proxy_pass_head(g->rq, g->rs, g->fwd, &old, g->deadline);
}

/* Return: 0; 1: look up again; -errno. */
static int from_cache(struct proxy_get *g)
{
	enum http_reuse reuse = proxy_get_is_validated(g)
					? HTTP_REUSE_AS_IS
					: http_reuse(&g->stored.caching, &g->cc, proxy_now_ms());
	struct flight_ask ask;

	if (reuse == HTTP_REUSE_AS_IS)
		return answer_stored(g);
	g->fwd = HTTP_FWD_NONE;
	if (reuse == HTTP_REUSE_AND_VALIDATE) {
		sl_count(SL_M_PROXY_STALE, 1);
		if (!ask_of(g, &ask))
			flight_begin(g->proxy, &ask);
		return answer_stored(g);
	}
	if (http_cc_has(&g->cc, HTTP_CC_ONLY_IF_CACHED))
		return -ENOENT;
	g->fwd = http_ttl_s(&g->stored.caching, proxy_now_ms()) > 0 ? HTTP_FWD_REQUEST
								    : HTTP_FWD_STALE;
	return g->rq->method == HTTP_M_HEAD ? pass_head(g) : fly(g);
}

/* Return: as from_cache(). */
static int from_origin(struct proxy_get *g)
{
	if (g->fwd == HTTP_FWD_NONE)
		g->fwd = g->varies ? HTTP_FWD_VARY_MISS : HTTP_FWD_URI_MISS;
	if (http_cc_has(&g->cc, HTTP_CC_ONLY_IF_CACHED))
		return -ENOENT;
	if (g->rq->method == HTTP_M_HEAD)
		return proxy_pass(g->rq, g->rs, g->fwd, g->deadline);
	sl_count(SL_M_PROXY_MISSES, 1);
	return fly(g);
}

/* News may be old by the time they are looked at; a request goes its own way before it is tired. */
enum { ROUNDS_MAX = 4 };

static int get(struct proxy_get *g)
{
	for (int i = 0; i < ROUNDS_MAX; i++) {
		int err = proxy_get_look_up(g);

		if (err)
			return err;
		err = g->object ? from_cache(g) : from_origin(g);
		if (err == -ENOENT) {
			http_response_error(g->rs, 504, "not in the cache, and only-if-cached");
			return 0;
		}
		if (err <= 0)
			return err;
	}
	return proxy_pass(g->rq, g->rs, g->fwd, g->deadline);
}

static int serve_get(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	char own[KEY_OWN_BYTES];
	struct proxy_get g = {
		.rq = rq,
		.rs = rs,
		.proxy = rq->api_arg,
		.base = sl_text_lent(own, sizeof(own)),
		.deadline = deadline,
	};
	int err;

	http_request_cc(rq, &g.cc);
	/* A body of a GET may mean anything; what must not be stored is not shared either. */
	if (!rq->body.done || http_cc_has(&g.cc, HTTP_CC_NO_STORE))
		return proxy_pass(rq, rs, HTTP_FWD_REQUEST, deadline);
	proxy_put_key(rq, &g.base);
	err = g.base.err;
	if (!err && g.base.len > CACHE_KEY_BYTES_MAX)
		err = proxy_pass(rq, rs, HTTP_FWD_BYPASS, deadline);
	else if (!err)
		err = get(&g);
	proxy_get_done(&g);
	return err;
}

static int serve_other(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	struct http_str method = http_request_str(rq, rq->method_text);

	/* A tunnel is not offered, and TRACE would show what the proxy adds. */
	if (rq->method == HTTP_M_OTHER &&
	    (http_str_is(method, "CONNECT") || http_str_is(method, "TRACE"))) {
		http_response_error(rs, 405, "the proxy does not know this method");
		return 0;
	}
	return proxy_pass(rq, rs, HTTP_FWD_METHOD, deadline);
}

/* ---- the table -------------------------------------------------------------------------- */

const struct http_route http_proxy_routes[] = {
	{HTTP_ON(GET), "{*}", serve_get, 0},
	{HTTP_ON(ANY), "{*}", serve_other, 0},
};
const size_t http_proxy_routes_n = SL_ARRAY_SIZE(http_proxy_routes);
