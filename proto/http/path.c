/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths of requests as paths of files.
 *
 * Interface: path.h. Invariant of a cleaned path: no segment of it is empty, "." or "..", and no
 * byte NUL. It is not what keeps a request inside of its root: the kernel does (openat2).
 *
 * Order of parts: one byte; segments; the calls.
 */
#include "path.h"

#include <errno.h>
#include <string.h>

/* ---- one byte --------------------------------------------------------------------------- */

/* The byte that is written as "%xx" at *@p, which moves behind it. Return: it, or -EILSEQ. */
static int take_written(const char **p, const char *end)
{
	const char *s = *p;

	if (end - s < 3 || sl_hex_digit(s[1]) < 0 || sl_hex_digit(s[2]) < 0)
		return -EILSEQ;
	*p = s + 3;
	return sl_hex_digit(s[1]) << 4 | sl_hex_digit(s[2]);
}

/* The byte at *@p, which moves behind it. Return: the byte, or -EILSEQ. */
static inline int take(const char **p, const char *end)
{
	if (**p == '%')
		return take_written(p, end);
	return (uint8_t)*(*p)++;
}

/* ---- segments --------------------------------------------------------------------------- */

/* Decodes [@p, @end), which has no slash. Return: bytes, or -errno. */
static ssize_t decode(const char *p, const char *end, char *ret_text, size_t size)
{
	size_t n = 0;

	while (p < end) {
		int c = take(&p, end);

		if (c == '/')
			return -ENOENT;
		if (c <= 0)
			return -EILSEQ;
		if (n == size)
			return -ENAMETOOLONG;
		ret_text[n++] = (char)c;
	}
	return (ssize_t)n;
}

static bool is(const char *p, size_t n, const char *literal)
{
	return n == strlen(literal) && !memcmp(p, literal, n);
}

/* The length of "a/b/" without its last segment. */
static size_t parent(const char *path, size_t n)
{
	SL_ASSERT(n && path[n - 1] == '/');
	do
		n--;
	while (n && path[n - 1] != '/');
	return n;
}

/* ---- the calls -------------------------------------------------------------------------- */

ssize_t http_path_clean(struct http_str path, char *ret_path)
{
	const char *p = path.p, *end = path.p + path.n;
	const size_t room = HTTP_PATH_BYTES - 2; /* for a slash and NUL */
	size_t n = 0;

	/* ret_path[0, n) is empty or ends with a slash before each segment. */
	while (p < end) {
		const char *slash = memchr(p, '/', (size_t)(end - p));
		const char *stop = slash ? slash : end;
		char *segment = ret_path + n;
		ssize_t len = decode(p, stop, segment, room - sl_min(room, n));

		if (len < 0)
			return len;
		p = slash ? slash + 1 : end;
		if (!len || is(segment, (size_t)len, "."))
			continue;
		if (is(segment, (size_t)len, "..")) {
			if (!n)
				return -EILSEQ;
			n = parent(ret_path, n);
			continue;
		}
		n += (size_t)len;
		if (slash)
			ret_path[n++] = '/';
	}
	SL_ASSERT(n < HTTP_PATH_BYTES);
	ret_path[n] = 0;
	return (ssize_t)n;
}

ssize_t http_percent_decode(struct http_str s, void *ret_bytes, size_t max)
{
	const char *p = s.p, *end = s.p + s.n;
	uint8_t *out = ret_bytes;
	size_t n = 0;

	while (p < end) {
		int c = take(&p, end);

		if (c < 0)
			return c;
		if (n == max)
			return -ENAMETOOLONG;
		out[n++] = (uint8_t)c;
	}
	return (ssize_t)n;
}

ssize_t http_percent_text(struct http_str s, struct http_arena *a, const char **ret_text)
{
	char *text = http_arena_alloc(a, s.n + 1, 1);
	ssize_t n = text ? http_percent_decode(s, text, s.n) : -ENOMEM;

	if (n < 0)
		return n;
	text[n] = 0;
	*ret_text = text;
	return n;
}

/* What RFC 3986 calls unreserved. */
static bool is_plain(char c)
{
	char letter = c | 0x20;

	return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-._~", c));
}

ssize_t http_path_encode(const char *name, size_t n, char *ret_text, size_t size)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)name[i];

		if (size - at < 3)
			return -ENOSPC;
		if (is_plain(name[i])) {
			ret_text[at++] = name[i];
			continue;
		}
		ret_text[at++] = '%';
		ret_text[at++] = digits[c >> 4];
		ret_text[at++] = digits[c & 15];
	}
	return (ssize_t)at;
}
