// SPDX-License-Identifier: Apache-2.0
/* The end of a head. */
#include <errno.h>
#include <string.h>

#include "corpus.h"
#include "harness.h"
#include "proto/http/head.h"

static ssize_t scan(struct http_scan *s, const char *text, size_t max)
{
	*s = (struct http_scan){0};
	return http_head_scan(s, (const uint8_t *)text, strlen(text), max);
}

TEST(head_ends_with_the_first_empty_line)
{
	struct http_scan s;

	EXPECT_EQ(18, scan(&s, "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", 100));
	EXPECT_EQ(0, s.begin);
	EXPECT_EQ(24, scan(&s, "GET / HTTP/1.1\r\nA: b\r\n\r\n", 100));
}

TEST(empty_lines_before_the_request_line_are_passed_over)
{
	struct http_scan s;

	EXPECT_EQ(22, scan(&s, "\r\n\r\nGET / HTTP/1.1\r\n\r\n", 100));
	EXPECT_EQ(4, s.begin);
	EXPECT_EQ(0, scan(&s, "\r\n\r\n", 100));
	EXPECT_EQ(0, scan(&s, "\r\n\r", 100));
}

TEST(part_of_a_head_waits)
{
	struct http_scan s;

	EXPECT_EQ(0, scan(&s, "G", 100));
	EXPECT_EQ(0, scan(&s, "GET / HTTP/1.1\r", 100));
	EXPECT_EQ(0, scan(&s, "GET / HTTP/1.1\r\n", 100));
	EXPECT_EQ(0, scan(&s, "GET / HTTP/1.1\r\nA: b\r\n\r", 100));
}

TEST(head_over_the_limit_is_refused)
{
	struct http_scan s;

	EXPECT_EQ(24, scan(&s, "GET / HTTP/1.1\r\nA: b\r\n\r\n", 24));
	EXPECT_EQ(-EPROTO, scan(&s, "GET / HTTP/1.1\r\nA: b\r\n\r\n", 23));
	EXPECT_EQ(HTTP_REFUSE_HEAD_LONG, s.refusal);
	EXPECT_EQ(-EPROTO, scan(&s, "GET /a-long-path HTTP/1.1\r\n\r\n", 10));
	EXPECT_EQ(HTTP_REFUSE_TARGET_LONG, s.refusal);
	EXPECT_EQ(0, scan(&s, "GET /long", 10));
}

TEST(what_cannot_become_a_head_does_not_wait)
{
	struct http_scan s;

	EXPECT_EQ(-EPROTO, scan(&s, "\x16\x03\x01", 100));
	EXPECT_EQ(HTTP_REFUSE_NOT_HTTP, s.refusal);
	EXPECT_EQ(-EPROTO, scan(&s, "\r\n\x16", 100));
	EXPECT_EQ(HTTP_REFUSE_NOT_HTTP, s.refusal);
	EXPECT_EQ(-EPROTO, scan(&s, "GET / HTTP/1.1\nA", 100));
	EXPECT_EQ(HTTP_REFUSE_BARE_LF, s.refusal);
	EXPECT_EQ(-EPROTO, scan(&s, "GET / HTTP/1.1\r\n\n", 100));
	EXPECT_EQ(HTTP_REFUSE_BARE_LF, s.refusal);
}

TEST(byte_by_byte_finds_the_same_as_at_once)
{
	for (size_t i = 0; i < corpus_n; i++) {
		const uint8_t *p = (const uint8_t *)corpus[i].bytes;
		struct http_scan whole = {0}, bits = {0};
		ssize_t at_once = http_head_scan(&whole, p, corpus[i].n, 4096), end = 0;

		for (size_t n = 1; n <= corpus[i].n && !end; n++)
			end = http_head_scan(&bits, p, n, 4096);
		if (!EXPECT_EQ(at_once, end) || !EXPECT_EQ(whole.refusal, bits.refusal) ||
		    !EXPECT_EQ(whole.begin, bits.begin))
			TH_LOG("in %s", corpus[i].name);
	}
}

TEST(tokens_are_those_of_rfc_9110)
{
	static const char tokens[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (int c = 0; c < 256; c++)
		if (!EXPECT_EQ(c && strchr(tokens, c), http_is_token((uint8_t)c)))
			TH_LOG("character %d", c);
}

TEST_HARNESS_MAIN
