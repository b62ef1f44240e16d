// SPDX-License-Identifier: Apache-2.0
/*
 * Paths of requests: what is cleaned has no segment that leads anywhere, and is cleaned to itself
 * once it is encoded again.
 */
#include <string.h>

#include "proto/http/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_segment(const char *p, size_t n, bool is_last)
{
	SL_ASSERT(n || is_last);
	SL_ASSERT(n != 1 || p[0] != '.');
	SL_ASSERT(n != 2 || memcmp(p, "..", 2));
}

/* Encodes @path segment by segment. Return: its length. */
static size_t encode(const char *path, char *ret_text, size_t size)
{
	size_t at = 0;

	for (;;) {
		const char *slash = strchrnul(path, '/');
		ssize_t n;

		SL_ASSERT(at < size);
		ret_text[at++] = '/';
		check_segment(path, (size_t)(slash - path), !*slash);
		n = http_path_encode(path, (size_t)(slash - path), ret_text + at, size - at);
		SL_ASSERT(n >= 0);
		at += (size_t)n;
		if (!*slash)
			return at;
		path = slash + 1;
	}
}

/* What is decoded, and encoded again, is decoded to the same. */
static void check_decoding(const uint8_t *data, size_t n)
{
	static char bytes[HTTP_PATH_BYTES], again[HTTP_PATH_BYTES], text[4 * HTTP_PATH_BYTES];
	ssize_t len = http_percent_decode((struct http_str){(const char *)data, n}, bytes,
					  sizeof(bytes)), text_n;

	if (len < 0)
		return;
	SL_ASSERT((size_t)len <= n);
	text_n = http_path_encode(bytes, (size_t)len, text, sizeof(text));
	SL_ASSERT(text_n >= len);
	SL_ASSERT(http_percent_decode((struct http_str){text, (size_t)text_n}, again,
				      sizeof(again)) == len);
	SL_ASSERT(!memcmp(bytes, again, (size_t)len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char path[HTTP_PATH_BYTES], again[HTTP_PATH_BYTES], text[4 * HTTP_PATH_BYTES];
	ssize_t len = http_path_clean((struct http_str){(const char *)data, n}, path);
	size_t text_n;

	check_decoding(data, n);
	if (len < 0)
		return 0;
	SL_ASSERT((size_t)len == strlen(path) && len < HTTP_PATH_BYTES);
	text_n = encode(path, text, sizeof(text));
	SL_ASSERT(http_path_clean((struct http_str){text, text_n}, again) == len);
	SL_ASSERT(!strcmp(path, again));
	return 0;
}
