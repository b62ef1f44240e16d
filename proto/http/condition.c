/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions of a request.
 *
 * Interface: condition.h. What is malformed is left out of account, as the standard has it: the
 * client then gets the whole.
 *
 * Order of parts: entity tags; dates; the calls.
 */
#include "condition.h"

#include <errno.h>
#include <string.h>

#include "date.h"

/* ---- entity tags ------------------------------------------------------------------------ */

/* Whether the list has @etag. @weak: W/"x" counts as "x". */
static bool list_has(struct http_str list, const char *etag, bool weak)
{
	const char *p = list.p, *end = list.p + list.n;
	size_t n = strlen(etag);

	while (p < end) {
		const char *begin, *close;
		bool is_weak;

		if (*p == ' ' || *p == '\t' || *p == ',') {
			p++;
			continue;
		}
		is_weak = end - p > 2 && p[0] == 'W' && p[1] == '/';
		begin = is_weak ? p + 2 : p;
		if (*begin != '"')
			return false;
		close = memchr(begin + 1, '"', (size_t)(end - begin - 1));
		if (!close)
			return false;
		p = close + 1;
		if ((weak || !is_weak) && (size_t)(p - begin) == n && !memcmp(begin, etag, n))
			return true;
	}
	return false;
}

enum match { ABSENT, NO, YES };

/* A list may be spread over several fields of one name. */
static enum match match_etag(const struct http_request *rq, const char *field,
			     const struct http_validators *v, bool weak)
{
	bool usable = v->etag && (weak || !v->weak);
	enum match m = ABSENT;

	for (uint32_t i = 0; i < rq->fields_n && m != YES; i++) {
		struct http_str value = http_request_str(rq, rq->fields[i].value);

		if (!http_str_is(http_request_str(rq, rq->fields[i].name), field))
			continue;
		if (http_str_is(value, "*") || (usable && list_has(value, v->etag, weak)))
			m = YES;
		else
			m = NO;
	}
	return m;
}

/* ---- dates ------------------------------------------------------------------------------ */

static bool field_date(const struct http_request *rq, const char *field, int64_t *ret_s)
{
	struct http_str value;

	return http_request_field(rq, field, &value) && !http_date_parse(value, ret_s);
}

/* ---- the calls -------------------------------------------------------------------------- */

int http_condition_check(const struct http_request *rq, const struct http_validators *v)
{
	enum match m;
	int64_t s;

	if (!rq->conditional)
		return 0;
	m = match_etag(rq, "If-Match", v, false);
	if (m == NO)
		return 412;
	if (m == ABSENT && field_date(rq, "If-Unmodified-Since", &s) && v->changed_s > s)
		return 412;
	m = match_etag(rq, "If-None-Match", v, true);
	if (m == YES)
		return 304;
	if (m == ABSENT && v->changed_s != HTTP_CHANGED_UNKNOWN &&
	    field_date(rq, "If-Modified-Since", &s) && v->changed_s <= s)
		return 304;
	return 0;
}

int http_condition_write(const struct http_request *rq, const struct http_validators *v)
{
	/* No list has a tag of what is not there, but "*" means anything that is. */
	static const struct http_validators nothing = {.changed_s = HTTP_CHANGED_UNKNOWN};
	enum match m = match_etag(rq, "If-Match", v ? v : &nothing, false);
	int64_t s;

	if (m != ABSENT && (m == NO || !v))
		return 412;
	if (m == ABSENT && v && field_date(rq, "If-Unmodified-Since", &s) && v->changed_s > s)
		return 412;
	return v && match_etag(rq, "If-None-Match", v, true) == YES ? 412 : 0;
}

bool http_condition_range(const struct http_request *rq, const struct http_validators *v)
{
	struct http_str value;
	int64_t s;

	if (!http_request_field(rq, "If-Range", &value))
		return true;
	if (!http_date_parse(value, &s))
		return v->changed_s == s && !v->guessed;
	return v->etag && !v->weak && value.n == strlen(v->etag) &&
	       !memcmp(value.p, v->etag, value.n);
}
