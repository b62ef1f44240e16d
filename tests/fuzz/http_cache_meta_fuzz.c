// SPDX-License-Identifier: Apache-2.0
/*
 * What is kept with an object of the cache: whatever the bytes, only spans of them come out, none
 * can break a head, and what a head of the same fields packs is read to the same.
 */
#include <string.h>

#include "apis/cache/meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_spans(const uint8_t *data, size_t n, const struct http_str *kept)
{
	for (int k = 0; k < HTTP_KEPT_LAST; k++) {
		if (!kept[k].n)
			continue;
		SL_ASSERT((const uint8_t *)kept[k].p >= data + 2 &&
			  (const uint8_t *)kept[k].p + kept[k].n <= data + n);
		SL_ASSERT(!memchr(kept[k].p, '\r', kept[k].n));
		SL_ASSERT(!memchr(kept[k].p, '\n', kept[k].n));
	}
}

/* A request with these fields. Return: its length; 0: they do not fit. */
static size_t write_head(const struct http_str *kept, uint8_t *head, size_t size)
{
	static const char line[] = "PUT /a HTTP/1.1\r\nHost: h\r\n";
	size_t n = sizeof(line) - 1;

	memcpy(head, line, n);
	for (int k = 0; k < HTTP_KEPT_LAST; k++) {
		const char *name = http_kept_name((enum http_kept)k);

		if (!kept[k].n)
			continue;
		if (size - n < strlen(name) + kept[k].n + 6)
			return 0;
		memcpy(head + n, name, strlen(name));
		n += strlen(name);
		memcpy(head + n, ": ", 2);
		memcpy(head + n + 2, kept[k].p, kept[k].n);
		n += kept[k].n + 2;
		memcpy(head + n, "\r\n", 2);
		n += 2;
	}
	memcpy(head + n, "\r\n", 2);
	return n + 2;
}

static bool same(struct http_str a, struct http_str b)
{
	return a.n == b.n && !memcmp(a.p, b.p, a.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t head[16384], packed[32768];
	static struct http_request rq;
	struct http_str kept[HTTP_KEPT_LAST], again[HTTP_KEPT_LAST];
	size_t head_n;
	ssize_t len;

	if (http_cache_meta_unpack(data, n, kept))
		return 0;
	check_spans(data, n, kept);
	head_n = write_head(kept, head, sizeof(head));
	if (!head_n || http_request_parse(&rq, head, head_n, 0))
		return 0;
	len = http_cache_meta_pack(&rq, packed);
	SL_ASSERT(len >= 2 && (size_t)len <= http_cache_meta_bytes(&rq));
	SL_ASSERT(!http_cache_meta_unpack(packed, (size_t)len, again));
	for (int k = 0; k < HTTP_KEPT_LAST; k++) {
		struct http_str v = {0};

		/* The parser takes spaces off the ends; validators that are none are left out. */
		http_request_field(&rq, http_kept_name((enum http_kept)k), &v);
		SL_ASSERT(!again[k].n || same(again[k], v));
	}
	return 0;
}
