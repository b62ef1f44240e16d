/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges of bytes.
 *
 * Interface: range.h. Invariants: off + len <= bytes and len > 0 of each range; several ranges are
 * together no longer than the file, so that a small request cannot ask for much more than it.
 *
 * Order of parts: words; one range; the field.
 */
#include "range.h"

#include <errno.h>
#include <strings.h>

/* ---- words ------------------------------------------------------------------------------ */

struct in {
	const char *p, *end;
};

static void skip_space(struct in *in)
{
	while (in->p < in->end && (*in->p == ' ' || *in->p == '\t'))
		in->p++;
}

static bool take(struct in *in, char c)
{
	if (in->p == in->end || *in->p != c)
		return false;
	in->p++;
	return true;
}

/* A number; one that is too large is the largest. Return: whether there is one. */
static bool take_number(struct in *in, uint64_t *ret_v)
{
	const char *begin = in->p;
	uint64_t v = 0;

	for (; in->p < in->end && *in->p >= '0' && *in->p <= '9'; in->p++) {
		uint64_t digit = (uint64_t)(*in->p - '0');

		v = v > (UINT64_MAX - digit) / 10 ? UINT64_MAX : v * 10 + digit;
	}
	*ret_v = v;
	return in->p > begin;
}

/* ---- one range -------------------------------------------------------------------------- */

/* Return: 1: in @ret_range; 0: it lies outside of the file; -EINVAL: malformed. */
static int take_range(struct in *in, uint64_t bytes, struct http_range *ret_range)
{
	uint64_t first, last = UINT64_MAX;

	if (take(in, '-')) {
		if (!take_number(in, &last))
			return -EINVAL;
		last = sl_min(last, bytes);
		*ret_range = (struct http_range){bytes - last, last};
		return last > 0;
	}
	if (!take_number(in, &first) || !take(in, '-'))
		return -EINVAL;
	if (take_number(in, &last) && last < first)
		return -EINVAL;
	if (first >= bytes)
		return 0;
	last = in->p[-1] == '-' ? bytes - 1 : sl_min(last, bytes - 1);
	*ret_range = (struct http_range){first, last - first + 1};
	return 1;
}

/* ---- the field -------------------------------------------------------------------------- */

static bool take_unit(struct in *in)
{
	static const char unit[] = "bytes=";

	if (in->end - in->p < (ssize_t)sizeof(unit) - 1 ||
	    strncasecmp(in->p, unit, sizeof(unit) - 1))
		return false;
	in->p += sizeof(unit) - 1;
	return true;
}

static bool is_too_much(const struct http_range *r, int n, uint64_t bytes)
{
	uint64_t left = bytes;

	for (int i = 0; i < n; i++) {
		if (r[i].len > left)
			return true;
		left -= r[i].len;
	}
	return false;
}

int http_range_parse(struct http_str value, uint64_t bytes, struct http_range *ret_ranges)
{
	struct http_range found[HTTP_RANGES_MAX];
	struct in in = {value.p, value.p + value.n};
	bool any = false;
	int n = 0;

	if (!take_unit(&in))
		return 0;
	while (in.p < in.end) {
		struct http_range r;
		int got;

		skip_space(&in);
		if (take(&in, ',') || in.p == in.end)
			continue; /* a list may have empty elements */
		got = take_range(&in, bytes, &r);
		skip_space(&in);
		if (got < 0 || (in.p < in.end && *in.p != ','))
			return 0;
		any = true;
		if (!got)
			continue;
		if (n == HTTP_RANGES_MAX)
			return 0;
		found[n++] = r;
	}
	/* Of an empty file nothing can be named, and all of it is nothing. */
	if (!n)
		return any && bytes ? -ERANGE : 0;
	if (is_too_much(found, n, bytes))
		return 0;
	for (int i = 0; i < n; i++)
		ret_ranges[i] = found[i];
	return n;
}
