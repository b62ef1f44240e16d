/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directives for caches.
 *
 * Interface: cachecontrol.h. Where a text can be read in two ways, the reading is taken that keeps
 * less: a cache that errs on that side is slower, not wrong.
 *
 * Order of parts: the table; seconds; Cache-Control; structured fields; targeted fields.
 */
#include "cachecontrol.h"

#include <string.h>

#include "lines.h"

/* ---- the table -------------------------------------------------------------------------- */

/* LIFETIME: how long a response is fresh. FIELDS: may name fields that it is about. */
enum { LIFETIME = 1, FIELDS = 2 };

static const struct {
	const char *name;
	uint8_t flags;
} directives[] = {
	[HTTP_CC_NO_STORE] = {"no-store", 0},
	[HTTP_CC_NO_CACHE] = {"no-cache", FIELDS},
	[HTTP_CC_PRIVATE] = {"private", FIELDS},
	[HTTP_CC_PUBLIC] = {"public", 0},
	[HTTP_CC_MUST_REVALIDATE] = {"must-revalidate", 0},
	[HTTP_CC_PROXY_REVALIDATE] = {"proxy-revalidate", 0},
	[HTTP_CC_MUST_UNDERSTAND] = {"must-understand", 0},
	[HTTP_CC_NO_TRANSFORM] = {"no-transform", 0},
	[HTTP_CC_IMMUTABLE] = {"immutable", 0},
	[HTTP_CC_ONLY_IF_CACHED] = {"only-if-cached", 0},
	[HTTP_CC_MAX_AGE] = {"max-age", LIFETIME},
	[HTTP_CC_S_MAXAGE] = {"s-maxage", LIFETIME},
	[HTTP_CC_STALE_WHILE_REVALIDATE] = {"stale-while-revalidate", 0},
	[HTTP_CC_STALE_IF_ERROR] = {"stale-if-error", 0},
	[HTTP_CC_MAX_STALE] = {"max-stale", 0},
	[HTTP_CC_MIN_FRESH] = {"min-fresh", 0},
};
_Static_assert(SL_ARRAY_SIZE(directives) == HTTP_CC_LAST, "one row for each directive");
_Static_assert(HTTP_CC_LAST <= 32, "a bit for each");

static int find_directive(struct http_str name)
{
	for (int d = 0; d < HTTP_CC_LAST; d++)
		if (http_str_is(name, directives[d].name))
			return d;
	return HTTP_CC_LAST;
}

static void set_seconds(struct http_cc *cc, int d, int64_t seconds)
{
	cc->set |= 1u << d;
	cc->seconds[d - HTTP_CC_FIRST_SECONDS] = seconds;
}

static void add_list(struct http_cc *cc, int d, struct http_str list)
{
	if (cc->lists_n < HTTP_CC_LISTS_MAX)
		cc->lists[cc->lists_n++] = list;
	else
		cc->set |= 1u << d;
}

/* ---- seconds ---------------------------------------------------------------------------- */

bool http_seconds_parse(struct http_str s, int64_t *ret_seconds)
{
	int64_t v = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = sl_min(v * 10 + (s.p[i] - '0'), HTTP_SECONDS_MAX);
	}
	if (s.n)
		*ret_seconds = v;
	return s.n > 0;
}

/* ---- Cache-Control ---------------------------------------------------------------------- */

/* The inside of a quoted string; a text that is none stays as it is. */
static struct http_str unquoted(struct http_str s)
{
	if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
		return (struct http_str){s.p + 1, s.n - 2};
	return s;
}

static void set_argument(struct http_cc *cc, int d, struct http_str argument, bool has)
{
	int64_t seconds = 0;

	if (d < (int)HTTP_CC_FIRST_SECONDS) {
		if (has && directives[d].flags & FIELDS)
			add_list(cc, d, argument);
		else
			cc->set |= 1u << d;
		return;
	}
	if (http_cc_has(cc, (enum http_cc_directive)d))
		return;
	if (!has && d == HTTP_CC_MAX_STALE)
		set_seconds(cc, d, INT64_MAX);
	else if (http_seconds_parse(argument, &seconds) || directives[d].flags & LIFETIME)
		set_seconds(cc, d, seconds);
}

void http_cc_parse(struct http_cc *cc, struct http_str value)
{
	struct http_str e;

	while (http_list_next(&value, &e)) {
		const char *equals = memchr(e.p, '=', e.n);
		struct http_str name = e, argument = {e.p + e.n, 0};
		int d;

		if (equals) {
			name.n = (size_t)(equals - e.p);
			argument.p = equals + 1;
			argument.n = e.n - name.n - 1;
		}
		d = find_directive(name);
		if (d < HTTP_CC_LAST)
			set_argument(cc, d, unquoted(argument), equals);
	}
}

/* ---- structured fields ------------------------------------------------------------------ */

/* What of a bare item counts here. */
enum sf_type { SF_NONE, SF_INTEGER, SF_TRUE, SF_FALSE, SF_STRING, SF_OTHER };

struct sf_item {
	enum sf_type type;
	int64_t number;
	struct http_str text; /* a string's inside */
};

struct in {
	const char *p, *end;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_alpha(char c)
{
	return is_lower((char)(c | 0x20));
}

static char peek(const struct in *in)
{
	return in->p < in->end ? *in->p : 0;
}

static bool take(struct in *in, char c)
{
	if (peek(in) != c || in->p == in->end)
		return false;
	in->p++;
	return true;
}

static void skip_space(struct in *in, bool tabs)
{
	while (in->p < in->end && (*in->p == ' ' || (tabs && *in->p == '\t')))
		in->p++;
}

static bool take_key(struct in *in, struct http_str *ret_key)
{
	const char *begin = in->p;

	if (!is_lower(peek(in)) && peek(in) != '*')
		return false;
	while (in->p < in->end && (is_lower(*in->p) || is_digit(*in->p) || *in->p == '_' ||
				   *in->p == '-' || *in->p == '.' || *in->p == '*'))
		in->p++;
	*ret_key = (struct http_str){begin, (size_t)(in->p - begin)};
	return true;
}

static bool take_number(struct in *in, struct sf_item *ret_item)
{
	bool minus = take(in, '-');
	int64_t v = 0;
	int n = 0, fraction = 0;

	for (; is_digit(peek(in)); in->p++) {
		if (++n > 15)
			return false;
		v = v * 10 + (*in->p - '0');
	}
	if (!n)
		return false;
	ret_item->type = SF_INTEGER;
	ret_item->number = minus ? -v : v;
	if (!take(in, '.'))
		return true;
	ret_item->type = SF_OTHER;
	for (; is_digit(peek(in)); in->p++)
		fraction++;
	return n <= 12 && fraction >= 1 && fraction <= 3;
}

static bool take_string(struct in *in, struct sf_item *ret_item)
{
	const char *begin = in->p;

	while (in->p < in->end) {
		char c = *in->p++;

		if (c == '"') {
			ret_item->type = SF_STRING;
			ret_item->text = (struct http_str){begin, (size_t)(in->p - 1 - begin)};
			return true;
		}
		if (c == '\\' && !take(in, '"') && !take(in, '\\'))
			return false;
		if (c < ' ' || c > '~')
			return false;
	}
	return false;
}

static bool take_bytes(struct in *in)
{
	while (in->p < in->end) {
		char c = *in->p++;

		if (c == ':')
			return true;
		if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '/' && c != '=')
			return false;
	}
	return false;
}

static void take_token(struct in *in)
{
	static const char others[] = "!#$%&'*+-.^_`|~:/";

	while (in->p < in->end &&
	       (is_alpha(*in->p) || is_digit(*in->p) || memchr(others, *in->p, sizeof(others) - 1)))
		in->p++;
}

static bool take_bare_item(struct in *in, struct sf_item *ret_item)
{
	char c = peek(in);

	*ret_item = (struct sf_item){.type = SF_OTHER};
	if (c == '-' || is_digit(c))
		return take_number(in, ret_item);
	if (is_alpha(c) || c == '*') {
		take_token(in);
		return true;
	}
	if (take(in, '"'))
		return take_string(in, ret_item);
	if (take(in, ':'))
		return take_bytes(in);
	if (take(in, '@')) {
		bool whole = take_number(in, ret_item) && ret_item->type == SF_INTEGER;

		ret_item->type = SF_OTHER;
		return whole;
	}
	if (!take(in, '?'))
		return false;
	ret_item->type = peek(in) == '1' ? SF_TRUE : SF_FALSE;
	return take(in, '0') || take(in, '1');
}

static bool take_parameters(struct in *in)
{
	struct sf_item item;
	struct http_str key;

	while (take(in, ';')) {
		skip_space(in, false);
		if (!take_key(in, &key) || (take(in, '=') && !take_bare_item(in, &item)))
			return false;
	}
	return true;
}

static bool take_inner_list(struct in *in)
{
	for (;;) {
		struct sf_item item;

		skip_space(in, false);
		if (take(in, ')'))
			return take_parameters(in);
		if (!take_bare_item(in, &item) || !take_parameters(in))
			return false;
		if (peek(in) != ' ' && peek(in) != ')')
			return false;
	}
}

static bool take_member(struct in *in, struct http_str *ret_key, struct sf_item *ret_item)
{
	if (!take_key(in, ret_key))
		return false;
	*ret_item = (struct sf_item){.type = SF_TRUE};
	if (!take(in, '='))
		return take_parameters(in);
	if (take(in, '(')) {
		ret_item->type = SF_OTHER;
		return take_inner_list(in);
	}
	return take_bare_item(in, ret_item) && take_parameters(in);
}

/* ---- targeted fields -------------------------------------------------------------------- */

/* The last of a name counts, so what the same name said before is forgotten first. */
static void set_member(struct http_cc *cc, int d, const struct sf_item *item)
{
	cc->set &= ~(1u << d);
	if (d >= (int)HTTP_CC_FIRST_SECONDS) {
		if (item->type == SF_INTEGER && item->number >= 0)
			set_seconds(cc, d, sl_min(item->number, HTTP_SECONDS_MAX));
		else if (directives[d].flags & LIFETIME)
			set_seconds(cc, d, 0);
		return;
	}
	if (item->type == SF_STRING && directives[d].flags & FIELDS)
		add_list(cc, d, item->text);
	else if (item->type != SF_FALSE)
		cc->set |= 1u << d;
}

bool http_cc_parse_targeted(struct http_cc *cc, struct http_str value)
{
	struct in in = {value.p, value.p + value.n};
	struct http_cc found = {0};

	skip_space(&in, false);
	if (in.p == in.end)
		return false;
	for (;;) {
		struct sf_item item;
		struct http_str key;
		int d;

		if (!take_member(&in, &key, &item))
			return false;
		d = find_directive(key);
		if (d < HTTP_CC_LAST)
			set_member(&found, d, &item);
		skip_space(&in, true);
		if (in.p == in.end)
			break;
		if (!take(&in, ','))
			return false;
		skip_space(&in, true);
	}
	*cc = found;
	return true;
}
