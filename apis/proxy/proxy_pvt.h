/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the proxy share. What the daemon calls is in proxy.h.
 *
 * Order of parts: the proxy; requests to the origin; what is kept of a response; answers.
 */
#ifndef APIS_PROXY_PROXY_PVT_H
#define APIS_PROXY_PROXY_PVT_H

#include "origin.h"
#include "proxy.h"
#include "rfc9111.h"
#include "stores/cache/cache.h"
#include "stored.h"

/* ---- the proxy -------------------------------------------------------------------------- */

struct flights;

/**
 * struct http_proxy - one origin and its cache; the same for all connections.
 * @host: what the origin is told as Host; "": what the client said.
 * @slice_bytes, @guess_max_s, @stale_max_s: settings, atomics. @flights: of each core.
 */
struct http_proxy {
	struct cache *cache;
	struct origin *origin;
	char host[262];
	uint64_t slice_bytes;
	int64_t guess_max_s, stale_max_s;
	struct flights *flights;
	uint32_t cores;
};

static inline uint64_t proxy_slice_bytes(const struct http_proxy *p)
{
	return __atomic_load_n(&p->slice_bytes, __ATOMIC_RELAXED);
}

static inline int64_t proxy_guess_max_s(const struct http_proxy *p)
{
	return __atomic_load_n(&p->guess_max_s, __ATOMIC_RELAXED);
}

static inline int64_t proxy_stale_max_s(const struct http_proxy *p)
{
	return __atomic_load_n(&p->stale_max_s, __ATOMIC_RELAXED);
}

static inline int64_t proxy_now_ms(void)
{
	return sl_wall_clock_ns() / SL_MSEC;
}

static inline struct http_str http_str_text(const struct sl_text *t)
{
	return (struct http_str){t->data, t->len};
}

static inline struct cache_key proxy_key(struct http_str s)
{
	return (struct cache_key){s.p, s.n};
}

/* ---- requests to the origin ------------------------------------------------------------- */

/* Path and query, as the origin is asked for them. */
void proxy_put_path(const struct http_request *rq, struct sl_text *ret_path);

/* Whom the client asks for, in small letters. */
void proxy_put_host(const struct http_request *rq, struct sl_text *ret_host);

/* Where a response is stored, but for what Vary adds. */
void proxy_put_key(const struct http_request *rq, struct sl_text *ret_key);

/**
 * proxy_put_lines() - the fields of the request that go on to the origin, with what a proxy adds.
 * @whole: also those that ask for a part, or under a condition: for a request that is passed on as
 *	it is, and whose response is the client's alone.
 */
void proxy_put_lines(const struct http_request *rq, bool whole, struct sl_text *ret_lines);

/* What the handler says when the origin fails. */
int proxy_put_error(struct http_response *rs, int err);

struct proxy_old;

/* pass.c: asks the origin for this client alone, streams both ways, stores nothing. */
int proxy_pass(struct http_request *rq, struct http_response *rs, enum http_fwd why,
	       int64_t deadline);

/* The same of a HEAD, whose answer tells whether what is stored, @old, is still good. */
int proxy_pass_head(struct http_request *rq, struct http_response *rs, enum http_fwd why,
		    const struct proxy_old *old, int64_t deadline);

/* ---- what is kept of a response --------------------------------------------------------- */

/* The lines that are stored: Age counts on by itself, and a Date there must be. @part: a 206. */
int proxy_keep_fields(const struct origin_head *h, const struct http_cc *cc, bool part,
		      struct sl_text *ret_fields);

struct http_received proxy_received(const struct http_proxy *p, const struct origin_head *h,
				    int64_t asked_ms);

/* Until when it may be of use. */
int64_t proxy_expiry_ms(const struct http_caching *c);

/* What is stored: version @version under @key, of @bytes bytes. */
struct proxy_old {
	struct http_str key;
	uint64_t version, bytes;
	const struct stored *stored;
};

/* Stores @old anew with the fields of @h, and the lifetime that these tell. Return: 0 or -errno. */
int proxy_freshen(struct http_proxy *p, const struct proxy_old *old, const struct origin_head *h,
		  int64_t asked_ms, int64_t deadline);

/* What a 200 to HEAD tells of @old: it is freshened, or goes. */
void proxy_freshen_by_head(struct http_proxy *p, const struct proxy_old *old,
			   const struct origin_head *h, int64_t asked_ms, int64_t deadline);

/* ---- answers ---------------------------------------------------------------------------- */

/**
 * struct proxy_answer - a response to send, its body given out in parts.
 * @caching: for Age, as of @now_ms (0: when it is told); NULL: as the fields say.
 * @bytes: HTTP_BYTES_UNKNOWN if so.
 * @parts: the next parts of [off, off + len): how many (0: the body ends there), or -errno. Not
 *	called if no body is to be sent.
 * @ready: called with the first byte that is wanted, before the head is made: may still change
 *	@how; fails as @parts. NULL: nothing to be done. Not called if no body is to be sent.
 * @eager: the first parts are had before the head leaves, so that a failure can be told.
 * @once: the body can only be had from its first byte on.
 */
struct proxy_answer {
	uint32_t status;
	struct http_lines fields;
	const struct http_caching *caching;
	int64_t now_ms;
	uint64_t bytes;
	int (*parts)(void *arg, uint64_t off, uint64_t len, struct sl_part *ret_parts, uint32_t n,
		     int64_t deadline);
	int (*ready)(struct proxy_answer *a, uint64_t off, int64_t deadline);
	void *arg;
	bool eager, once;
	struct http_cache_status how;
};

/**
 * proxy_answer() - send @a, or of it what the request's conditions and range leave.
 * Return: 0: sent, or in @rs; -EBADMSG or -ESTALE of @parts before anything was sent: @rs is as it
 *	was; another -errno: the client is gone, or sees a cut.
 */
int proxy_answer(struct http_request *rq, struct http_response *rs, struct proxy_answer *a,
		 int64_t deadline);

/* The fields, with Via and Cache-Status. Return: 0 or -errno. */
int proxy_put_fields(struct http_response *rs, struct http_lines fields,
		     const struct http_cache_status *how);

#endif
