/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search for a route.
 *
 * Interface: route.h. Tables are short and constant, so rows are tried one after the other.
 * Paths are compared as sent: "/./metrics" and "/%6detrics" are other paths, so no rule that a
 * proxy before this server applies to a path is got round by writing it differently.
 */
#include "route.h"

#include <string.h>

/* The end of the segment that begins at @p. */
static const char *segment_end(const char *p, const char *end)
{
	const char *slash = memchr(p, '/', (size_t)(end - p));

	return slash ? slash : end;
}

/* @params: filled if it matches, with nothing behind those that there are. */
static bool match(const char *pattern, struct http_str path, struct http_str *params)
{
	const char *p = path.p, *end = path.p + path.n;
	size_t n = 0;

	while (*pattern) {
		const char *stop;

		if (*pattern != '{') {
			if (p == end || *p != *pattern)
				return false;
			p++;
			pattern++;
			continue;
		}
		stop = pattern[1] == '*' ? end : segment_end(p, end);
		SL_ASSERT(n < HTTP_PARAMS_MAX);
		if (stop == p && p != path.p)
			return false;
		params[n++] = (struct http_str){p, (size_t)(stop - p)};
		p = stop;
		pattern = strchr(pattern, '}');
		SL_ASSERT(pattern);
		pattern++;
	}
	if (p != end)
		return false;
	memset(params + n, 0, (HTTP_PARAMS_MAX - n) * sizeof(*params));
	return true;
}

const struct http_route *http_route_find(const struct http_route *routes, size_t n,
					 enum http_method method, struct http_str path,
					 struct http_str *ret_params, uint32_t *ret_allowed)
{
	uint32_t allowed = 0;

	SL_ASSERT(method < HTTP_M_LAST);
	for (size_t i = 0; i < n; i++) {
		uint32_t methods = routes[i].methods;
		struct http_str params[HTTP_PARAMS_MAX];

		if (!match(routes[i].path, path, params))
			continue;
		if (methods & HTTP_ON(GET))
			methods |= HTTP_ON(HEAD);
		if (methods & (1u << method | HTTP_ON(ANY))) {
			memcpy(ret_params, params, sizeof(params));
			return &routes[i];
		}
		allowed |= methods | HTTP_ON(OPTIONS);
	}
	*ret_allowed = allowed;
	return NULL;
}

void http_allow_format(uint32_t methods, char *ret_text)
{
	size_t n = 0;

	for (int m = 0; m < HTTP_M_OTHER; m++) {
		const char *name = http_method_name((enum http_method)m);
		size_t len = strlen(name);

		if (!(methods & 1u << m))
			continue;
		SL_ASSERT(n + 2 + len < HTTP_ALLOW_BYTES);
		if (n) {
			memcpy(ret_text + n, ", ", 2);
			n += 2;
		}
		memcpy(ret_text + n, name, len);
		n += len;
	}
	ret_text[n] = 0;
}
