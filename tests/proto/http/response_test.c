// SPDX-License-Identifier: Apache-2.0
/* Responses. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "proto/http/response.h"

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

static struct http_response rs;
static char head[HTTP_EXTRA_BYTES_MAX + 2048];

static int count(const char *text, const char *what)
{
	int n = 0;

	while ((text = strstr(text, what))) {
		text += strlen(what);
		n++;
	}
	return n;
}

static const char *head_of(bool keep_alive)
{
	struct http_frame frame = {.date = DATE, .keep_alive = keep_alive};
	size_t n;

	ASSERT_LT(http_response_head_bytes(&rs), sizeof(head));
	n = http_response_head(&rs, &frame, (uint8_t *)head);
	ASSERT_LE(n, http_response_head_bytes(&rs));
	head[n] = 0;
	return head;
}

TEST(head_tells_length_and_type)
{
	http_response_init(&rs);
	ASSERT_EQ(0, http_response_body(&rs, "text/plain", "hello", 5));
	EXPECT_STREQ("HTTP/1.1 200 OK\r\nServer: sluice/" SL_VERSION "\r\nDate: " DATE "\r\n"
		     "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\n",
		     head_of(false));
	rs.close = true;
	EXPECT_NOT_NULL(strstr(head_of(true), "\r\nConnection: close\r\n\r\n"));
	rs.close = false;
	EXPECT_NOT_NULL(strstr(head_of(true), "\r\nConnection: keep-alive\r\n\r\n"));
	EXPECT_MEMEQ("hello", rs.small, 5);
}

TEST(body_is_the_sum_of_its_parts)
{
	http_response_init(&rs);
	rs.parts[0] = sl_part_slice(sl_slice_borrow("abc", 3));
	rs.parts[1] = sl_part_extent((struct sl_extent){.len = UINT64_C(1) << 40});
	rs.n = 2;
	EXPECT_NOT_NULL(strstr(head_of(false), "\r\nContent-Length: 1099511627779\r\n"));
}

TEST(responses_that_end_with_their_head_have_no_length)
{
	http_response_init(&rs);
	rs.status = 204;
	EXPECT_NULL(strstr(head_of(false), "Content-Length"));
	rs.status = 304;
	EXPECT_NULL(strstr(head_of(false), "Content-Length"));
	rs.status = 404;
	EXPECT_NOT_NULL(strstr(head_of(false), "Content-Length: 0\r\n"));
}

TEST(fields_that_would_break_the_head_are_refused)
{
	http_response_init(&rs);
	EXPECT_EQ(0, http_response_field(&rs, "X-Key", "value"));
	EXPECT_EQ(-EINVAL, http_response_field(&rs, "X-Key", "v\r\nSet-Cookie: a"));
	EXPECT_EQ(-EINVAL, http_response_field(&rs, "X\nY", "v"));
	EXPECT_EQ(-EINVAL, http_response_field(&rs, "", "v"));
	EXPECT_NOT_NULL(strstr(head_of(false), "\r\nX-Key: value\r\n\r\n"));
}

TEST(head_stays_within_its_bound)
{
	int n = 0;

	http_response_init(&rs);
	http_response_error(&rs, 431, "text");
	rs.close = true;
	while (!http_response_field(&rs, "Name", "a value"))
		n++;
	EXPECT_EQ(HTTP_EXTRA_BYTES_MAX / 15, n);
	EXPECT_EQ(-ENOSPC, http_response_field(&rs, "Name", "a value"));
	EXPECT_EQ(n, count(head_of(true), "\r\nName: a value"));
	http_response_done(&rs);
	EXPECT_EQ(0, count(head_of(true), "Name"));
}

TEST(type_may_be_long)
{
	static char type[3000];

	memset(type, 'x', sizeof(type) - 1);
	http_response_init(&rs);
	ASSERT_EQ(0, http_response_body(&rs, type, "hello", 5));
	EXPECT_EQ(1, count(head_of(false), type));
}

TEST(another_servers_head_keeps_its_date)
{
	http_response_init(&rs);
	rs.forwarded = true;
	ASSERT_EQ(0, http_response_field_str(&rs, (struct http_str){"Date: no", 4},
					     (struct http_str){"then and", 4}));
	EXPECT_EQ(-EINVAL, http_response_field_str(&rs, (struct http_str){"A", 1},
						   (struct http_str){"a\0b", 3}));
	EXPECT_STREQ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: then\r\n\r\n", head_of(false));
}

TEST(error_replaces_body_and_keeps_fields)
{
	http_response_init(&rs);
	ASSERT_EQ(0, http_response_body(&rs, "text/plain", "hello", 5));
	ASSERT_EQ(0, http_response_field(&rs, "Allow", "GET"));
	http_response_error(&rs, 405, "not that way");
	rs.small[rs.small_n] = 0;
	EXPECT_STREQ("{\"error\": \"not that way\"}\n", rs.small);
	EXPECT_NOT_NULL(strstr(head_of(false), "405 Method Not Allowed\r\n"));
	EXPECT_NOT_NULL(strstr(head_of(false), "\r\nAllow: GET\r\n"));
	EXPECT_NOT_NULL(strstr(head_of(false), "\r\nContent-Type: application/json\r\n"));
	http_response_done(&rs);
	EXPECT_EQ(0, rs.small_n);
}

TEST(body_too_large_for_a_buffer_is_refused)
{
	http_response_init(&rs);
	EXPECT_EQ(-E2BIG, http_response_body(&rs, "text/plain", "", SL_BUF_BYTES_MAX + 1));
}

TEST_HARNESS_MAIN
