/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a shared cache may do with a response.
 *
 * Interface: rfc9111.h. Numbers of sections are those of RFC 9111, unless said otherwise.
 * Invariant: what cannot be read makes a response stale or not stored, never fresh.
 *
 * Order of parts: age; lifetime; what a response says; storing; reuse; selecting by Vary;
 * updating; targets; Cache-Status.
 */
#include "rfc9111.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>


enum { MS = 1000 };

/* ---- age -------------------------------------------------------------------------------- */

/* A parameter behind the number is left out; of several numbers the first counts (5.1). */
static int64_t age_told_s(struct http_lines fields)
{
	struct http_str value, first;
	int64_t s = 0;
	const char *semicolon;

	if (!http_lines_find(fields, "Age", &value) || !http_list_next(&value, &first))
		return 0;
	semicolon = memchr(first.p, ';', first.n);
	if (semicolon)
		first.n = (size_t)(semicolon - first.p);
	return http_seconds_parse(first, &s) ? s : 0;
}

static bool find_date(struct http_lines fields, const char *name, int64_t *ret_ms)
{
	struct http_str value;
	int64_t s;

	if (!http_lines_find(fields, name, &value) || http_date_parse(value, &s))
		return false;
	*ret_ms = s * MS;
	return true;
}

/* 4.2.3: the larger of what its date and what the caches on its way tell. */
static int64_t born(const struct http_received *r, int64_t date_ms)
{
	int64_t apparent = sl_max(r->came_ms - date_ms, INT64_C(0));
	int64_t told = age_told_s(r->fields) * MS + (r->came_ms - r->asked_ms);

	/* A date of whole seconds is on average half a second too old. */
	if (apparent < MS)
		apparent = 0;
	return r->came_ms - sl_max(apparent, told);
}

/* ---- lifetime --------------------------------------------------------------------------- */

/* Statuses that may be kept without being told for how long (RFC 9110, 15.1). */
static bool is_guessable(uint32_t status)
{
	static const uint16_t of[] = {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501};

	for (size_t i = 0; i < SL_ARRAY_SIZE(of); i++)
		if (of[i] == status)
			return true;
	return false;
}

/* 4.2.2: a tenth of the time for which it has not changed. */
static int64_t guess_s(const struct http_received *r, const struct http_cc *cc, int64_t date_ms)
{
	int64_t changed_ms;

	if (!is_guessable(r->status) && !http_cc_has(cc, HTTP_CC_PUBLIC))
		return 0;
	if (!find_date(r->fields, "Last-Modified", &changed_ms) || changed_ms >= date_ms)
		return 0;
	return sl_min((date_ms - changed_ms) / MS / 10, r->guess_max_s);
}

/* 4.2.1. @targeted: Expires does not count, for CDN-Cache-Control takes its place. */
static int64_t lifetime_s(const struct http_received *r, const struct http_cc *cc, bool targeted,
			  int64_t date_ms, bool *ret_explicit)
{
	struct http_str value;
	int64_t expires_ms;

	*ret_explicit = true;
	if (http_cc_has(cc, HTTP_CC_S_MAXAGE))
		return http_cc_seconds(cc, HTTP_CC_S_MAXAGE);
	if (http_cc_has(cc, HTTP_CC_MAX_AGE))
		return http_cc_seconds(cc, HTTP_CC_MAX_AGE);
	if (!targeted && http_lines_find(r->fields, "Expires", &value)) {
		if (!find_date(r->fields, "Expires", &expires_ms))
			return 0;
		return sl_max((expires_ms - date_ms) / MS, INT64_C(0));
	}
	*ret_explicit = false;
	return guess_s(r, cc, date_ms);
}

/* ---- what a response says --------------------------------------------------------------- */

static int parse_directives(struct http_lines fields, struct http_cc *ret_cc,
			    struct sl_text *scratch, bool *ret_targeted)
{
	struct http_line line;

	*ret_cc = (struct http_cc){0};
	http_lines_join(fields, "CDN-Cache-Control", scratch);
	if (scratch->err)
		return scratch->err;
	*ret_targeted =
		scratch->len &&
		http_cc_parse_targeted(ret_cc, (struct http_str){scratch->data, scratch->len});
	while (!*ret_targeted && http_lines_next(&fields, &line))
		if (http_str_is(line.name, "Cache-Control"))
			http_cc_parse(ret_cc, line.value);
	return 0;
}

int http_caching_of(const struct http_received *r, struct http_caching *ret_c,
		    struct http_cc *ret_cc, struct sl_text *scratch)
{
	bool targeted, explicit;
	int64_t date_ms = r->came_ms;
	int err = parse_directives(r->fields, ret_cc, scratch, &targeted);

	if (err)
		return err;
	find_date(r->fields, "Date", &date_ms);
	*ret_c = (struct http_caching){
		.born_ms = born(r, date_ms),
		.fresh_s = lifetime_s(r, ret_cc, targeted, date_ms, &explicit),
		.swr_s =
			sl_max(http_cc_seconds(ret_cc, HTTP_CC_STALE_WHILE_REVALIDATE), INT64_C(0)),
		.sie_s = sl_max(http_cc_seconds(ret_cc, HTTP_CC_STALE_IF_ERROR), INT64_C(0)),
		.status = r->status,
	};
	if (explicit)
		ret_c->flags |= HTTP_CACHING_EXPLICIT;
	if (http_cc_has(ret_cc, HTTP_CC_NO_CACHE))
		ret_c->flags |= HTTP_CACHING_NO_CACHE;
	if (http_cc_has(ret_cc, HTTP_CC_MUST_REVALIDATE) ||
	    http_cc_has(ret_cc, HTTP_CC_PROXY_REVALIDATE) || http_cc_has(ret_cc, HTTP_CC_S_MAXAGE))
		ret_c->flags |= HTTP_CACHING_NO_STALE;
	return 0;
}

/* ---- storing ---------------------------------------------------------------------------- */

/* What must-understand asks about: statuses whose meaning for caches is known here. */
static bool is_understood(uint32_t status)
{
	static const uint16_t others[] = {203, 204, 300, 301, 302, 303, 307, 308, 400, 401,
					  403, 404, 405, 410, 414, 500, 501, 502, 503, 504};

	for (size_t i = 0; i < SL_ARRAY_SIZE(others); i++)
		if (others[i] == status)
			return true;
	return status == 200;
}

static bool has_validator(struct http_lines fields)
{
	struct http_str any;

	return http_lines_find(fields, "ETag", &any) ||
	       http_lines_find(fields, "Last-Modified", &any);
}

bool http_may_store(const struct http_received *r, const struct http_caching *c,
		    const struct http_cc *cc, bool authorized)
{
	bool understood = is_understood(r->status);

	/*
	 * Who knows what parts are parts of stores them; a 304 is of another response, and a 416
	 * of one client's range alone, which is no part of the key.
	 */
	if (r->status < 200 || r->status == 206 || r->status == 304 || r->status == 416)
		return false;
	if (http_cc_has(cc, HTTP_CC_MUST_UNDERSTAND) && !understood)
		return false;
	if (http_cc_has(cc, HTTP_CC_NO_STORE) && !http_cc_has(cc, HTTP_CC_MUST_UNDERSTAND))
		return false;
	if (http_cc_has(cc, HTTP_CC_PRIVATE))
		return false;
	if (authorized && !http_cc_has(cc, HTTP_CC_PUBLIC) && !(c->flags & HTTP_CACHING_NO_STALE))
		return false;
	if (!(c->flags & HTTP_CACHING_EXPLICIT) && !http_cc_has(cc, HTTP_CC_PUBLIC) &&
	    !is_guessable(r->status))
		return false;
	/* What is stale at once and cannot be validated is of no use to anybody. */
	if ((c->flags & HTTP_CACHING_NO_CACHE || !c->fresh_s) && !c->swr_s && !c->sie_s)
		return has_validator(r->fields);
	return true;
}

bool http_field_unstored(struct http_str name, struct http_str connection, const struct http_cc *cc)
{
	if (http_field_is_hop(name, connection))
		return true;
	for (uint32_t i = 0; i < cc->lists_n; i++)
		if (http_list_has(cc->lists[i], name))
			return true;
	return false;
}

/* ---- reuse ------------------------------------------------------------------------------ */

int64_t http_age_s(const struct http_caching *c, int64_t now_ms)
{
	return sl_max(now_ms - c->born_ms, INT64_C(0)) / MS;
}

int64_t http_ttl_s(const struct http_caching *c, int64_t now_ms)
{
	return c->fresh_s - http_age_s(c, now_ms);
}

enum http_reuse http_reuse(const struct http_caching *c, const struct http_cc *request,
			   int64_t now_ms)
{
	int64_t ttl = http_ttl_s(c, now_ms);

	if (c->flags & HTTP_CACHING_NO_CACHE || http_cc_has(request, HTTP_CC_NO_CACHE))
		return HTTP_REUSE_VALIDATED;
	if (http_cc_has(request, HTTP_CC_MAX_AGE) &&
	    http_age_s(c, now_ms) > http_cc_seconds(request, HTTP_CC_MAX_AGE))
		return HTTP_REUSE_VALIDATED;
	if (http_cc_has(request, HTTP_CC_MIN_FRESH) &&
	    ttl < http_cc_seconds(request, HTTP_CC_MIN_FRESH))
		return HTTP_REUSE_VALIDATED;
	if (ttl > 0)
		return HTTP_REUSE_AS_IS;
	if (c->flags & HTTP_CACHING_NO_STALE)
		return HTTP_REUSE_VALIDATED;
	if (-ttl <= http_cc_seconds(request, HTTP_CC_MAX_STALE))
		return HTTP_REUSE_AS_IS;
	return -ttl < c->swr_s ? HTTP_REUSE_AND_VALIDATE : HTTP_REUSE_VALIDATED;
}

bool http_reuse_on_error(const struct http_caching *c, const struct http_cc *request,
			 int64_t now_ms, bool reached, int64_t stale_max_s)
{
	int64_t stale = sl_max(-http_ttl_s(c, now_ms), INT64_C(0));

	if (c->flags & (HTTP_CACHING_NO_CACHE | HTTP_CACHING_NO_STALE) ||
	    http_cc_has(request, HTTP_CC_NO_CACHE))
		return false;
	return stale < c->sie_s || stale < http_cc_seconds(request, HTTP_CC_STALE_IF_ERROR) ||
	       (!reached && stale < stale_max_s);
}

void http_request_cc(const struct http_request *rq, struct http_cc *ret_cc)
{
	bool told = false;
	struct http_str pragma;

	*ret_cc = (struct http_cc){0};
	for (uint32_t i = 0; i < rq->fields_n; i++) {
		if (!http_str_is(http_request_str(rq, rq->fields[i].name), "Cache-Control"))
			continue;
		http_cc_parse(ret_cc, http_request_str(rq, rq->fields[i].value));
		told = true;
	}
	if (!told && http_request_field(rq, "Pragma", &pragma) &&
	    http_list_has(pragma, http_str_of("no-cache")))
		ret_cc->set |= 1u << HTTP_CC_NO_CACHE;
}

/* ---- selecting by Vary ------------------------------------------------------------------ */

bool http_vary_of(struct http_lines fields, struct sl_text *ret_names)
{
	struct http_line line;

	while (http_lines_next(&fields, &line)) {
		struct http_str e;

		if (!http_str_is(line.name, "Vary"))
			continue;
		while (http_list_next(&line.value, &e)) {
			if (http_str_is(e, "*"))
				return false;
			if (http_list_has((struct http_str){ret_names->data, ret_names->len}, e))
				continue;
			http_put_small_letters(ret_names, e);
			sl_text_put(ret_names, ",", 1);
		}
	}
	return true;
}

/* Fields whose values mean the same in any case of letters. */
static bool is_caseless(struct http_str name)
{
	return http_str_is(name, "accept-encoding") || http_str_is(name, "accept-language") ||
	       http_str_is(name, "accept-charset");
}

void http_vary_select(struct http_str names, struct http_lines request, struct sl_text *ret_key)
{
	struct http_str name;

	while (http_list_next(&names, &name)) {
		struct http_lines left = request;
		struct http_line line;
		bool caseless = is_caseless(name);

		http_put_small_letters(ret_key, name);
		while (http_lines_next(&left, &line)) {
			struct http_str e;

			if (!http_str_same(line.name, name))
				continue;
			/* Present, if only as an empty value, is not absent. */
			sl_text_put(ret_key, "=", 1);
			while (http_list_next(&line.value, &e)) {
				if (caseless)
					http_put_small_letters(ret_key, e);
				else
					sl_text_put(ret_key, e.p, e.n);
				sl_text_put(ret_key, ",", 1);
			}
		}
		sl_text_put(ret_key, "\n", 1);
	}
}

/* ---- updating --------------------------------------------------------------------------- */

/* Fields that describe the stored bytes, which an update does not bring (3.2). */
static bool is_of_the_bytes(struct http_str name)
{
	static const char *const of[] = {"Content-Length", "Content-Range", "Content-Encoding"};

	for (size_t i = 0; i < SL_ARRAY_SIZE(of); i++)
		if (http_str_is(name, of[i]))
			return true;
	return false;
}

static bool has_name(struct http_lines l, struct http_str name)
{
	struct http_line line;

	while (http_lines_next(&l, &line))
		if (http_str_same(line.name, name))
			return true;
	return false;
}

void http_fields_update(struct http_lines stored, struct http_lines update,
			struct sl_text *ret_fields)
{
	struct http_line line;
	struct http_lines left = update;

	while (http_lines_next(&stored, &line))
		if (is_of_the_bytes(line.name) || !has_name(update, line.name))
			sl_text_put(ret_fields, line.text.p, line.text.n);
	while (http_lines_next(&left, &line))
		if (!is_of_the_bytes(line.name))
			sl_text_put(ret_fields, line.text.p, line.text.n);
}

static struct http_str without_weak(struct http_str etag, bool *ret_weak)
{
	*ret_weak = etag.n > 2 && etag.p[0] == 'W' && etag.p[1] == '/';
	return *ret_weak ? (struct http_str){etag.p + 2, etag.n - 2} : etag;
}

bool http_etag_same(struct http_str a, struct http_str b, bool strong)
{
	bool weak_a, weak_b;

	a = without_weak(a, &weak_a);
	b = without_weak(b, &weak_b);
	if (strong && (weak_a || weak_b))
		return false;
	return a.n == b.n && a.n && !memcmp(a.p, b.p, a.n);
}

/* ---- targets ---------------------------------------------------------------------------- */

static bool starts(struct http_str s, const char *with)
{
	size_t n = strlen(with);

	return s.n >= n && http_str_same((struct http_str){s.p, n}, http_str_of(with));
}

static struct http_str behind(struct http_str s, size_t n)
{
	return (struct http_str){s.p + n, s.n - n};
}

/* Up to the first of @stops. */
static struct http_str before(struct http_str s, const char *stops)
{
	size_t n = 0;

	while (n < s.n && !strchr(stops, s.p[n]))
		n++;
	return (struct http_str){s.p, n};
}

/* Takes the authority off @s. Return: whether it is that of @base. */
static bool take_authority(const struct http_target *base, struct http_str *s)
{
	struct http_str host = before(*s, "/?#");

	*s = behind(*s, host.n);
	return http_str_same(host, base->host);
}

/* "." and ".." are resolved as RFC 3986, 5.2.4 has it; @from: where the path begins in @t. */
static void put_segments(struct sl_text *t, size_t from, struct http_str path)
{
	while (path.n && !t->err) {
		struct http_str segment = before(behind(path, 1), "/");
		bool last = segment.n + 1 == path.n;

		path = behind(path, segment.n + 1);
		if (http_str_is(segment, "..")) {
			while (t->len > from && t->data[t->len - 1] != '/')
				t->len--;
			if (t->len > from)
				t->len--;
		}
		if (http_str_is(segment, ".") || http_str_is(segment, "..")) {
			if (last)
				sl_text_put(t, "/", 1);
			continue;
		}
		sl_text_put(t, "/", 1);
		sl_text_put(t, segment.p, segment.n);
	}
}

/* Takes scheme and authority off @s, if it has any. Return: whether they are those of @base. */
static bool take_origin(const struct http_target *base, struct http_str *s, bool *ret_told)
{
	struct http_str scheme = before(*s, ":/?");

	*ret_told = false;
	if (scheme.n < s->n && s->p[scheme.n] == ':') {
		if (!http_str_same(scheme, base->scheme) || !starts(behind(*s, scheme.n), "://"))
			return false;
		*s = behind(*s, scheme.n + 1);
	}
	if (!starts(*s, "//"))
		return true;
	*s = behind(*s, 2);
	*ret_told = true;
	return take_authority(base, s);
}

bool http_target_resolve(const struct http_target *base, struct http_str reference,
			 struct sl_text *ret_path)
{
	struct http_str s = before(reference, "#"), old = before(base->path, "?"), path, query;
	struct sl_text whole = {0};
	bool told;

	if (!take_origin(base, &s, &told))
		return false;
	path = before(s, "?");
	query = behind(s, path.n);
	if (!s.n && !told)
		query = behind(base->path, old.n);
	if (told && !path.n)
		path = http_str_of("/");
	/* A relative path takes the place of what is behind the last slash. */
	while (path.n && path.p[0] != '/' && old.n && old.p[old.n - 1] != '/')
		old.n--;
	if (!path.n || path.p[0] != '/')
		sl_text_put(&whole, old.p, old.n);
	sl_text_put(&whole, path.p, path.n);
	put_segments(ret_path, ret_path->len, (struct http_str){whole.data, whole.len});
	sl_text_put(ret_path, query.p, query.n);
	if (whole.err)
		ret_path->err = whole.err;
	sl_text_done(&whole);
	return !ret_path->err;
}

/* ---- Cache-Status ----------------------------------------------------------------------- */

/* With its sign, and a NUL. */
static void put_number(char *p, int64_t v)
{
	if (v < 0)
		*p++ = '-';
	*sl_digits_put(p, v < 0 ? -(uint64_t)v : (uint64_t)v) = 0;
}

const char *http_cache_status_word(const struct http_cache_status *s)
{
	static const char *const words[] = {
		[HTTP_FWD_NONE] = "hit",
		[HTTP_FWD_BYPASS] = "bypass",
		[HTTP_FWD_METHOD] = "method",
		[HTTP_FWD_URI_MISS] = "uri-miss",
		[HTTP_FWD_VARY_MISS] = "vary-miss",
		[HTTP_FWD_REQUEST] = "request",
		[HTTP_FWD_STALE] = "stale",
		[HTTP_FWD_PARTIAL] = "partial",
	};

	return words[s->fwd];
}

void http_cache_status_format(const struct http_cache_status *s, char *ret_text)
{
	size_t n = 0, max = HTTP_CACHE_STATUS_BYTES;

	/* What is asked for most is not worth a reading of formats. */
	if (s->hit && !s->detail) {
		static const char hit[] = "sluice; hit; ttl=";

		memcpy(ret_text, hit, sizeof(hit) - 1);
		put_number(ret_text + sizeof(hit) - 1, s->ttl_s);
		return;
	}

#define PUT(...) (n += (size_t)snprintf(ret_text + n, max - n, __VA_ARGS__))
	PUT("sluice");
	if (s->hit)
		PUT("; hit");
	if (s->fwd != HTTP_FWD_NONE)
		PUT("; fwd=%s", http_cache_status_word(s));
	if (s->fwd_status)
		PUT("; fwd-status=%u", s->fwd_status);
	if (s->stored)
		PUT("; stored");
	if (s->collapsed)
		PUT("; collapsed");
	if (s->ttl_s != INT64_MIN)
		PUT("; ttl=%" PRId64, s->ttl_s);
	if (s->detail)
		PUT("; detail=%s", s->detail);
#undef PUT
	SL_ASSERT(n < max);
}
