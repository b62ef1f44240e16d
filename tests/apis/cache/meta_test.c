// SPDX-License-Identifier: Apache-2.0
/* What is kept with an object, written and read. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apis/cache/meta.h"
#include "harness.h"

static uint8_t packed[4096];

static size_t pack(const char *fields)
{
	static char head[4000];
	struct http_request rq = {0};
	int n = snprintf(head, sizeof(head), "PUT /a HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);
	ssize_t len;

	EXPECT_EQ(HTTP_REFUSE_NONE, http_request_parse(&rq, (const uint8_t *)head, (size_t)n, 0));
	EXPECT_GE(sizeof(packed), http_cache_meta_bytes(&rq));
	len = http_cache_meta_pack(&rq, packed);
	EXPECT_LE(2, len);
	return (size_t)len;
}

static void expect(const struct http_str *kept, enum http_kept k, const char *value)
{
	EXPECT_EQ(strlen(value), kept[k].n);
	EXPECT_MEMEQ(value, kept[k].p, kept[k].n);
}

TEST(what_is_packed_is_read_again)
{
	struct http_str kept[HTTP_KEPT_LAST];
	size_t n = pack("content-TYPE: text/plain\r\nCache-Control: a, b\r\nX: y\r\nETag: \"e\"\r\n"
			"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n");

	ASSERT_EQ(0, http_cache_meta_unpack(packed, n, kept));
	expect(kept, HTTP_KEPT_CONTENT_TYPE, "text/plain");
	expect(kept, HTTP_KEPT_CONTENT_ENCODING, "");
	expect(kept, HTTP_KEPT_CACHE_CONTROL, "a, b");
	expect(kept, HTTP_KEPT_ETAG, "\"e\"");
	expect(kept, HTTP_KEPT_LAST_MODIFIED, "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(validators_that_are_none_are_left_out)
{
	static const char *const rows[] = {
		"ETag: W/\"a\"\r\n", "ETag: a\r\n", "ETag: \"a\r\n", "ETag: \"a\"b\"\r\n",
		"ETag: \"\r\n", "Last-Modified: yesterday\r\n",
	};
	struct http_str kept[HTTP_KEPT_LAST];

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		ASSERT_EQ(0, http_cache_meta_unpack(packed, pack(rows[i]), kept));
		expect(kept, HTTP_KEPT_ETAG, "");
		expect(kept, HTTP_KEPT_LAST_MODIFIED, "");
	}
}

TEST(what_was_never_packed_is_refused)
{
	static const struct {
		const char *what;
		size_t n;
		const char *bytes;
	} rows[] = {
		{"nothing", 0, ""},
		{"half a magic", 1, "H"},
		{"another magic", 2, "h\1"},
		{"another version", 2, "H\2"},
		{"a cut head", 4, "H\1\0\5"},
		{"a value beyond the end", 7, "H\1\0\3\0ab"},
		{"the same field twice", 8, "H\1\0\0\0\0\0\0"},
		{"falling numbers", 8, "H\1\3\0\0\2\0\0"},
		{"a line that would break", 7, "H\1\0\2\0\r\n"},
		{"a weak tag", 9, "H\1\5\4\0W/\"\""},
	};
	struct http_str kept[HTTP_KEPT_LAST];

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++)
		if (!EXPECT_EQ(-EBADMSG, http_cache_meta_unpack((const uint8_t *)rows[i].bytes,
								rows[i].n, kept)))
			TH_LOG("%s", rows[i].what);
	/* A field of a later version is passed over. */
	EXPECT_EQ(0, http_cache_meta_unpack((const uint8_t *)"H\1\0\1\0a\xff\1\0b", 10, kept));
	expect(kept, HTTP_KEPT_CONTENT_TYPE, "a");
}

TEST(every_field_has_a_name)
{
	for (int k = 0; k < HTTP_KEPT_LAST; k++)
		EXPECT_LT(3, strlen(http_kept_name((enum http_kept)k)));
}

TEST_HARNESS_MAIN
