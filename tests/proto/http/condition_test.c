// SPDX-License-Identifier: Apache-2.0
/* Conditions that a request makes. */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "proto/http/condition.h"

#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define THEN "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct http_validators v = {.etag = "\"a,b\"", .changed_s = 784111777};
static struct http_request rq;

static void parse(const char *fields)
{
	static char head[1024];
	size_t n = (size_t)snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n",
				    fields);

	ASSERT_EQ(HTTP_REFUSE_NONE, http_request_parse(&rq, (const uint8_t *)head, n, 0));
}

static int check(const char *fields)
{
	parse(fields);
	return http_condition_check(&rq, &v);
}

static bool range(const char *fields)
{
	parse(fields);
	return http_condition_range(&rq, &v);
}

TEST(what_the_client_has_is_not_sent_again)
{
	EXPECT_EQ(0, check(""));
	EXPECT_EQ(304, check("If-None-Match: \"a,b\"\r\n"));
	EXPECT_EQ(304, check("If-None-Match: W/\"a,b\"\r\n"));
	EXPECT_EQ(304, check("If-None-Match: \"x\" , \"a,b\"\r\n"));
	EXPECT_EQ(304, check("If-None-Match: \"x\"\r\nif-none-match: \"a,b\"\r\n"));
	EXPECT_EQ(304, check("If-None-Match: *\r\n"));
	EXPECT_EQ(0, check("If-None-Match: \"a\"\r\n"));
	EXPECT_EQ(0, check("If-None-Match: a,b\r\n"));
	EXPECT_EQ(0, check("If-None-Match: \"a,b\r\n"));
	EXPECT_EQ(0, check("If-None-Match: W/\r\n"));
	EXPECT_EQ(0, check("If-None-Match: \r\n"));
}

TEST(dates_count_where_no_tag_is_given)
{
	EXPECT_EQ(304, check("If-Modified-Since: " THEN "\r\n"));
	EXPECT_EQ(304, check("If-Modified-Since: " AFTER "\r\n"));
	EXPECT_EQ(0, check("If-Modified-Since: " BEFORE "\r\n"));
	EXPECT_EQ(0, check("If-Modified-Since: yesterday\r\n"));
	EXPECT_EQ(0, check("If-Modified-Since: " AFTER "\r\nIf-None-Match: \"x\"\r\n"));
	EXPECT_EQ(304, check("If-Modified-Since: " BEFORE "\r\nIf-None-Match: \"a,b\"\r\n"));
}

TEST(what_is_not_as_the_client_thinks_is_refused)
{
	EXPECT_EQ(0, check("If-Match: \"x\", \"a,b\"\r\n"));
	EXPECT_EQ(0, check("If-Match: *\r\n"));
	EXPECT_EQ(412, check("If-Match: W/\"a,b\"\r\n"));
	EXPECT_EQ(412, check("If-Match: \"x\"\r\n"));
	EXPECT_EQ(412, check("If-Unmodified-Since: " BEFORE "\r\n"));
	EXPECT_EQ(0, check("If-Unmodified-Since: " THEN "\r\n"));
	EXPECT_EQ(0, check("If-Unmodified-Since: " BEFORE "\r\nIf-Match: \"a,b\"\r\n"));
	EXPECT_EQ(412, check("If-Match: \"x\"\r\nIf-None-Match: \"a,b\"\r\n"));
}

static int write_to(const char *fields, bool there)
{
	parse(fields);
	return http_condition_write(&rq, there ? &v : NULL);
}

TEST(a_writer_says_what_is_to_be_there)
{
	EXPECT_EQ(0, write_to("", true));
	EXPECT_EQ(0, write_to("", false));
	EXPECT_EQ(412, write_to("If-None-Match: *\r\n", true));
	EXPECT_EQ(0, write_to("If-None-Match: *\r\n", false));
	EXPECT_EQ(412, write_to("If-None-Match: W/\"a,b\"\r\n", true));
	EXPECT_EQ(0, write_to("If-None-Match: \"x\"\r\n", true));
	EXPECT_EQ(0, write_to("If-None-Match: \"a,b\"\r\n", false));
	EXPECT_EQ(0, write_to("If-Match: *\r\n", true));
	EXPECT_EQ(412, write_to("If-Match: *\r\n", false));
	EXPECT_EQ(0, write_to("If-Match: \"x\", \"a,b\"\r\n", true));
	EXPECT_EQ(412, write_to("If-Match: \"a,b\"\r\n", false));
	EXPECT_EQ(412, write_to("If-Match: \"\"\r\n", false));
	EXPECT_EQ(412, write_to("If-Match: \"x\"\r\n", true));
	EXPECT_EQ(412, write_to("If-Match: W/\"a,b\"\r\n", true));
	EXPECT_EQ(412, write_to("If-Unmodified-Since: " BEFORE "\r\n", true));
	EXPECT_EQ(0, write_to("If-Unmodified-Since: " THEN "\r\n", true));
	EXPECT_EQ(0, write_to("If-Unmodified-Since: " BEFORE "\r\n", false));
}

TEST(a_range_counts_only_of_the_same_bytes)
{
	EXPECT_TRUE(range(""));
	EXPECT_TRUE(range("If-Range: \"a,b\"\r\n"));
	EXPECT_TRUE(range("If-Range: " THEN "\r\n"));
	EXPECT_FALSE(range("If-Range: W/\"a,b\"\r\n"));
	EXPECT_FALSE(range("If-Range: \"x\"\r\n"));
	EXPECT_FALSE(range("If-Range: " AFTER "\r\n"));
	EXPECT_FALSE(range("If-Range: nonsense\r\n"));
}

TEST_HARNESS_MAIN
