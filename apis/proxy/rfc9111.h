/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a shared cache may do with a response (RFC 9111, RFC 5861, RFC 9213). Pure: no time is read
 * and nothing is stored here. Times are milliseconds since 1970.
 *
 * Order of parts: what a response says; storing; reuse; selecting by Vary; updating; targets;
 * Cache-Status.
 */
#ifndef APIS_PROXY_RFC9111_H
#define APIS_PROXY_RFC9111_H

#include "proto/http/route.h"

/* ---- what a response says --------------------------------------------------------------- */

enum {
	HTTP_CACHING_EXPLICIT = 1 << 0, /* its lifetime is told, not guessed */
	HTTP_CACHING_NO_CACHE = 1 << 1, /* to be validated before each use */
	HTTP_CACHING_NO_STALE = 1 << 2, /* never used stale, whatever happens */
};

/**
 * struct http_caching - how long a response is good for; kept with it.
 * @born_ms: when it was made, as far as can be told: from then on its age counts.
 * @fresh_s: its lifetime. @swr_s, @sie_s: how long behind that it may be used while it is
 *	revalidated, and while the origin fails.
 */
struct http_caching {
	int64_t born_ms;
	int64_t fresh_s, swr_s, sie_s;
	uint32_t flags, status;
};

/**
 * struct http_received - one final response, as it came.
 * @asked_ms, @came_ms: when its request was sent, when its head was there.
 * @guess_max_s: the longest lifetime that is guessed from Last-Modified; 0: none is.
 */
struct http_received {
	struct http_lines fields;
	uint32_t status;
	int64_t asked_ms, came_ms;
	int64_t guess_max_s;
};

/*
 * The directives that count for this cache, CDN-Cache-Control before Cache-Control, into @ret_cc;
 * @scratch holds what it points into. Return: 0 or -ENOMEM.
 */
int http_caching_of(const struct http_received *r, struct http_caching *ret_c,
		    struct http_cc *ret_cc, struct sl_text *scratch);

/* ---- storing ---------------------------------------------------------------------------- */

/* Whether the response to a GET may be stored; @authorized: the request had Authorization. */
bool http_may_store(const struct http_received *r, const struct http_caching *c,
		    const struct http_cc *cc, bool authorized);

/* Whether a field of the response is not stored: it is a hop's, or a directive names it. */
bool http_field_unstored(struct http_str name, struct http_str connection,
			 const struct http_cc *cc);

/* ---- reuse ------------------------------------------------------------------------------ */

enum http_reuse {
	HTTP_REUSE_AS_IS,
	HTTP_REUSE_AND_VALIDATE, /* as it is, while it is validated (stale-while-revalidate) */
	HTTP_REUSE_VALIDATED, /* only once the origin said that it is still good */
};

enum http_reuse http_reuse(const struct http_caching *c, const struct http_cc *request,
			   int64_t now_ms);

/**
 * http_reuse_on_error() - whether it may be used because the origin fails.
 * @reached: it answered, by a status of 500 or more; else it could not be asked.
 * @stale_max_s: how stale at most if it could not.
 */
bool http_reuse_on_error(const struct http_caching *c, const struct http_cc *request,
			 int64_t now_ms, bool reached, int64_t stale_max_s);

/* For the Age field. */
int64_t http_age_s(const struct http_caching *c, int64_t now_ms);

/* Seconds for which it is still fresh; negative: since when it is stale. */
int64_t http_ttl_s(const struct http_caching *c, int64_t now_ms);

/* The directives of a request: Cache-Control, or Pragma where that is absent. */
void http_request_cc(const struct http_request *rq, struct http_cc *ret_cc);

/* ---- selecting by Vary ------------------------------------------------------------------ */

/**
 * http_vary_of() - the names in Vary, in small letters, each followed by a comma, into @ret_names.
 * Return: whether a request can select by them; not if one is "*".
 */
bool http_vary_of(struct http_lines fields, struct sl_text *ret_names);

/*
 * What the request has of those fields, into @ret_key: equal for two requests that select the
 * same. @request: its fields.
 */
void http_vary_select(struct http_str names, struct http_lines request, struct sl_text *ret_key);

/* ---- updating --------------------------------------------------------------------------- */

/*
 * The stored fields with those of a 304, or of the response to a HEAD, in their stead (RFC 9111,
 * 3.2), into @ret_fields. @update has no field that is not stored.
 */
void http_fields_update(struct http_lines stored, struct http_lines update,
			struct sl_text *ret_fields);

/* Whether two entity tags are the same, both strong if @strong. */
bool http_etag_same(struct http_str a, struct http_str b, bool strong);

/* ---- targets ---------------------------------------------------------------------------- */

/**
 * struct http_target - what a request is about. @host: with its port, if that is told.
 * @path: of origin-form, its query included.
 */
struct http_target {
	struct http_str scheme, host, path;
};

/*
 * What @reference, of Location or Content-Location, means beside @base. Return: whether it is of
 * the same origin, with its path and query then in @ret_path.
 */
bool http_target_resolve(const struct http_target *base, struct http_str reference,
			 struct sl_text *ret_path);

/* ---- Cache-Status ----------------------------------------------------------------------- */

/* RFC 9211, 2.2: why a request went to the origin. */
enum http_fwd {
	HTTP_FWD_NONE, /* it did not */
	HTTP_FWD_BYPASS,
	HTTP_FWD_METHOD,
	HTTP_FWD_URI_MISS,
	HTTP_FWD_VARY_MISS,
	HTTP_FWD_REQUEST,
	HTTP_FWD_STALE,
	HTTP_FWD_PARTIAL,
};

/**
 * struct http_cache_status - how a request was answered.
 * @fwd_status: of the origin's answer; 0: unknown. @ttl_s: INT64_MIN: unknown.
 * @detail: a token; NULL: none.
 */
struct http_cache_status {
	enum http_fwd fwd;
	bool hit, stored, collapsed;
	uint32_t fwd_status;
	int64_t ttl_s;
	const char *detail;
};

#define HTTP_CACHE_STATUS_BYTES 160

/* In one word: "hit", or why the request went on; a constant. */
const char *http_cache_status_word(const struct http_cache_status *s);

/* The field's value, with this cache's name. */
void http_cache_status_format(const struct http_cache_status *s, char *ret_text);

#endif
