/* SPDX-License-Identifier: Apache-2.0 */
/* Directives for caches: Cache-Control (RFC 9111, 5.2) and its targeted kin (RFC 9213). */
#ifndef PROTO_HTTP_CACHECONTROL_H
#define PROTO_HTTP_CACHECONTROL_H

#include "request.h"

enum http_cc_directive {
	HTTP_CC_NO_STORE,
	HTTP_CC_NO_CACHE,
	HTTP_CC_PRIVATE,
	HTTP_CC_PUBLIC,
	HTTP_CC_MUST_REVALIDATE,
	HTTP_CC_PROXY_REVALIDATE,
	HTTP_CC_MUST_UNDERSTAND,
	HTTP_CC_NO_TRANSFORM,
	HTTP_CC_IMMUTABLE,
	HTTP_CC_ONLY_IF_CACHED,
	/* From here on with seconds. */
	HTTP_CC_MAX_AGE,
	HTTP_CC_S_MAXAGE,
	HTTP_CC_STALE_WHILE_REVALIDATE,
	HTTP_CC_STALE_IF_ERROR,
	HTTP_CC_MAX_STALE,
	HTTP_CC_MIN_FRESH,
	HTTP_CC_LAST
};

#define HTTP_CC_FIRST_SECONDS HTTP_CC_MAX_AGE

/* The largest number of seconds told apart (RFC 9111, 1.2.2). */
#define HTTP_SECONDS_MAX INT64_C(2147483648)

/* Lists of fields that no-cache and private may name; more of them count for all fields. */
#define HTTP_CC_LISTS_MAX 8

/**
 * struct http_cc - what the directives of one message say; zeroed is none.
 * @set: a bit for each directive. no-cache and private with names set no bit but add a list.
 * @seconds: of those that have them, from HTTP_CC_FIRST_SECONDS on.
 * @lists: names of fields that are not to be stored; they point into what was parsed.
 */
struct http_cc {
	uint32_t set, lists_n;
	int64_t seconds[HTTP_CC_LAST - HTTP_CC_FIRST_SECONDS];
	struct http_str lists[HTTP_CC_LISTS_MAX];
};

static inline bool http_cc_has(const struct http_cc *cc, enum http_cc_directive d)
{
	return cc->set & (1u << d);
}

/* The seconds of @d, or -1: it is not there. */
static inline int64_t http_cc_seconds(const struct http_cc *cc, enum http_cc_directive d)
{
	return http_cc_has(cc, d) ? cc->seconds[d - HTTP_CC_FIRST_SECONDS] : -1;
}

/**
 * http_cc_parse() - add the directives of one Cache-Control field. Of a directive that comes twice
 * the first counts. A lifetime that is no number is 0, so that the response is stale; other
 * directives whose argument is no number are left out. max-stale without a number is any.
 */
void http_cc_parse(struct http_cc *cc, struct http_str value);

/**
 * http_cc_parse_targeted() - the directives of a targeted field: all its lines together, joined by
 * commas. It is a structured field (RFC 8941, a dictionary), so the last of a name counts.
 * Return: whether it is to be used instead of Cache-Control and Expires; not if it is malformed or
 *	   empty.
 */
bool http_cc_parse_targeted(struct http_cc *cc, struct http_str value);

/* A number of seconds; one that is too large is HTTP_SECONDS_MAX. Return: whether it is one. */
bool http_seconds_parse(struct http_str s, int64_t *ret_seconds);

#endif
