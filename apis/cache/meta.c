/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the cache interface keeps with an object.
 *
 * Interface: meta.h. Format: 'H', a version (1), then for each field its number (enum
 * http_kept), the length of its value (little-endian, two bytes) and the value, in rising order.
 * The cache verifies these bytes by checksum; they are read with care all the same, for whoever
 * can write into the cache's folder could otherwise make the daemon read beyond them.
 */
#include "meta.h"

#include <errno.h>
#include <string.h>

enum { MAGIC = 'H', VERSION = 1, VALUE_BYTES_MAX = UINT16_MAX };

static const char *const names[] = {
	[HTTP_KEPT_CONTENT_TYPE] = "Content-Type",
	[HTTP_KEPT_CONTENT_ENCODING] = "Content-Encoding",
	[HTTP_KEPT_CONTENT_LANGUAGE] = "Content-Language",
	[HTTP_KEPT_CONTENT_DISPOSITION] = "Content-Disposition",
	[HTTP_KEPT_CACHE_CONTROL] = "Cache-Control",
	[HTTP_KEPT_ETAG] = "ETag",
	[HTTP_KEPT_LAST_MODIFIED] = "Last-Modified",
};
_Static_assert(SL_ARRAY_SIZE(names) == HTTP_KEPT_LAST, "a name for each field");

const char *http_kept_name(enum http_kept k)
{
	SL_ASSERT(k < HTTP_KEPT_LAST);
	return names[k];
}

static bool is_strong_etag(struct http_str v)
{
	return v.n >= 2 && v.n <= HTTP_KEPT_ETAG_BYTES && v.p[0] == '"' && v.p[v.n - 1] == '"' &&
	       !memchr(v.p + 1, '"', v.n - 2);
}

static bool is_sound(enum http_kept k, struct http_str v)
{
	int64_t s;

	if (k == HTTP_KEPT_ETAG)
		return is_strong_etag(v);
	return k != HTTP_KEPT_LAST_MODIFIED || (!http_date_parse(v, &s) && http_date_can(s));
}

ssize_t http_cache_meta_pack(const struct http_request *rq, uint8_t *ret_meta)
{
	size_t n = 0;

	ret_meta[n++] = MAGIC;
	ret_meta[n++] = VERSION;
	for (int k = 0; k < HTTP_KEPT_LAST; k++) {
		struct http_str v;

		if (!http_request_field(rq, names[k], &v) || !is_sound((enum http_kept)k, v))
			continue;
		if (v.n > VALUE_BYTES_MAX)
			return -EMSGSIZE;
		ret_meta[n++] = (uint8_t)k;
		ret_meta[n++] = (uint8_t)v.n;
		ret_meta[n++] = (uint8_t)(v.n >> 8);
		memcpy(ret_meta + n, v.p, v.n);
		n += v.n;
	}
	SL_ASSERT(n <= http_cache_meta_bytes(rq));
	return (ssize_t)n;
}

bool http_cache_meta_etag(const struct http_request *rq, struct http_str *ret_etag)
{
	struct http_str v;

	if (!http_request_field(rq, names[HTTP_KEPT_ETAG], &v) || !is_strong_etag(v))
		return false;
	*ret_etag = v;
	return true;
}

/* What could break a head that it is sent in. */
static bool breaks_line(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((p[i] < ' ' && p[i] != '\t') || p[i] == 0x7f)
			return true;
	return false;
}

int http_cache_meta_unpack(const uint8_t *p, size_t n, struct http_str *ret_kept)
{
	struct http_str kept[HTTP_KEPT_LAST] = {0};
	int last = -1;

	if (n < 2 || p[0] != MAGIC || p[1] != VERSION)
		return -EBADMSG;
	for (size_t at = 2, len; at < n; at += len) {
		int k;

		if (n - at < 3)
			return -EBADMSG;
		k = p[at];
		len = p[at + 1] | (size_t)p[at + 2] << 8;
		at += 3;
		if (k <= last || len > n - at || breaks_line(p + at, len))
			return -EBADMSG;
		last = k;
		if (k < HTTP_KEPT_LAST)
			kept[k] = (struct http_str){(const char *)p + at, len};
	}
	if (kept[HTTP_KEPT_ETAG].n && !is_strong_etag(kept[HTTP_KEPT_ETAG]))
		return -EBADMSG;
	memcpy(ret_kept, kept, sizeof(kept));
	return 0;
}
