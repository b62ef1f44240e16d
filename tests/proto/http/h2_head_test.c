// SPDX-License-Identifier: Apache-2.0
/* Heads of HTTP/2 requests, on memory. */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "proto/http/h2_head.h"

static struct http_request rq;
static struct h2_head h;

static void begin(void)
{
	h2_head_done(&h);
	h = (struct h2_head){.max = 8192};
}

static void add(const char *name, const char *value)
{
	ASSERT_EQ(0, h2_head_add(&h, name, strlen(name), value, strlen(value)));
}

static void begin_request(const char *method, const char *path)
{
	begin();
	add(":method", method);
	add(":scheme", "http");
	add(":path", path);
	add(":authority", "example.org");
}

/* Parses a request with one field more. */
static enum http_refusal with(const char *name, const char *value, bool ended)
{
	begin_request("POST", "/");
	add(name, value);
	return h2_head_parse(&h, ended, &rq);
}

static bool is(struct http_span s, const char *text)
{
	struct http_str str = http_request_str(&rq, s);

	return str.n == strlen(text) && !memcmp(str.p, text, str.n);
}

TEST(sound_head_is_as_one_of_http_1)
{
	struct http_str v;

	begin_request("GET", "/a/b?c=d");
	add("x-y", "z");
	add("empty", "");
	ASSERT_EQ(0, h2_head_parse(&h, true, &rq));
	EXPECT_EQ(2, rq.major);
	EXPECT_EQ(HTTP_M_GET, rq.method);
	EXPECT_TRUE(is(rq.method_text, "GET"));
	EXPECT_TRUE(is(rq.target, "/a/b?c=d"));
	EXPECT_TRUE(is(rq.path, "/a/b"));
	EXPECT_TRUE(is(rq.query, "c=d"));
	EXPECT_TRUE(is(rq.authority, "example.org"));
	EXPECT_TRUE(rq.body.done);
	EXPECT_EQ(2, rq.fields_n);
	ASSERT_TRUE(http_request_field(&rq, "X-Y", &v));
	EXPECT_MEMEQ("z", v.p, v.n);
	ASSERT_TRUE(http_request_field(&rq, "empty", &v));
	EXPECT_EQ(0, v.n);
}

TEST(other_methods_and_star_are_known)
{
	begin_request("BREW", "/pot");
	ASSERT_EQ(0, h2_head_parse(&h, true, &rq));
	EXPECT_EQ(HTTP_M_OTHER, rq.method);
	begin_request("OPTIONS", "*");
	ASSERT_EQ(0, h2_head_parse(&h, true, &rq));
	EXPECT_TRUE(rq.star);
}

TEST(host_stands_in_for_authority)
{
	begin();
	add(":method", "GET");
	add(":scheme", "http");
	add(":path", "/");
	add("host", "other.org:1");
	ASSERT_EQ(0, h2_head_parse(&h, true, &rq));
	EXPECT_TRUE(is(rq.authority, "other.org:1"));
	EXPECT_EQ(0, with("host", "Example.ORG", true));
	EXPECT_EQ(HTTP_REFUSE_HOST, with("host", "other.org", true));
}

TEST(unsound_heads_are_refused)
{
	static const struct {
		const char *method, *path, *name, *value;
		enum http_refusal why;
	} rows[] = {
		{"GET", "relative", "a", "b", HTTP_REFUSE_TARGET},
		{"GET", "?a", "a", "b", HTTP_REFUSE_TARGET},
		{"GET", "http://example.org/", "a", "b", HTTP_REFUSE_TARGET},
		{"GET", "*", "a", "b", HTTP_REFUSE_TARGET},
		{"GET", "/a b", "a", "b", HTTP_REFUSE_TARGET},
		{"GET", "/a\r\nb", "a", "b", HTTP_REFUSE_TARGET},
		{"GET", "/a#b", "a", "b", HTTP_REFUSE_TARGET},
		{"", "/", "a", "b", HTTP_REFUSE_REQUEST_LINE},
		{"GET", "", "a", "b", HTTP_REFUSE_REQUEST_LINE},
		{"GET /x", "/", "a", "b", HTTP_REFUSE_REQUEST_LINE},
		{"GE\r\nT", "/", "a", "b", HTTP_REFUSE_REQUEST_LINE},
		{"CONNECT", "/", "a", "b", HTTP_REFUSE_METHOD},
		{"GET", "/", "a\r\nb", "c", HTTP_REFUSE_FIELD},
		{"GET", "/", "a", "b\r\nc: d", HTTP_REFUSE_FIELD},
		{"GET", "/", "a", "b\nc", HTTP_REFUSE_FIELD},
		{"GET", "/", "a", "b\x01", HTTP_REFUSE_FIELD},
		{"GET", "/", "", "b", HTTP_REFUSE_FIELD},
		{"GET", "/", "a:b", "c", HTTP_REFUSE_FIELD},
		{"GET", "/", ":protocol", "websocket", HTTP_REFUSE_FIELD},
		{"GET", "/", ":method", "PUT", HTTP_REFUSE_FIELD},
		{"GET", "/", ":path", "/other", HTTP_REFUSE_FIELD},
		{"GET", "/", "connection", "close", HTTP_REFUSE_FIELD},
		{"GET", "/", "keep-alive", "5", HTTP_REFUSE_FIELD},
		{"GET", "/", "upgrade", "h2c", HTTP_REFUSE_FIELD},
		{"GET", "/", "transfer-encoding", "chunked", HTTP_REFUSE_FIELD},
		{"GET", "/", "host", "a b", HTTP_REFUSE_HOST},
		{"GET", "/", "content-length", "-1", HTTP_REFUSE_LENGTH},
		{"GET", "/", "content-length", "1, 1", HTTP_REFUSE_LENGTH},
		{"GET", "/", "content-length", "18446744073709551616", HTTP_REFUSE_LENGTH},
		{"GET", "/", "expect", "200-ok", HTTP_REFUSE_EXPECT},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		begin_request(rows[i].method, rows[i].path);
		add(rows[i].name, rows[i].value);
		if (!EXPECT_EQ(rows[i].why, h2_head_parse(&h, false, &rq)))
			TH_LOG("%s %s, %s: %s", rows[i].method, rows[i].path, rows[i].name,
			       rows[i].value);
	}
	begin_request("GET", "/");
	ASSERT_EQ(0, h2_head_add(&h, "a", 1, "b\0c", 3));
	EXPECT_EQ(HTTP_REFUSE_FIELD, h2_head_parse(&h, true, &rq));
	begin_request("GET", "/");
	add("content-length", "1");
	add("content-length", "1");
	EXPECT_EQ(HTTP_REFUSE_LENGTH, h2_head_parse(&h, false, &rq));
	begin();
	EXPECT_EQ(HTTP_REFUSE_REQUEST_LINE, h2_head_parse(&h, true, &rq));
}

TEST(body_is_framed_by_length_or_not_at_all)
{
	EXPECT_EQ(0, with("content-length", "10", false));
	EXPECT_EQ(10, rq.body.left);
	EXPECT_FALSE(rq.body.done);
	EXPECT_EQ(HTTP_REFUSE_LENGTH, with("content-length", "10", true));
	EXPECT_EQ(0, with("content-length", "0", true));
	EXPECT_EQ(0, with("a", "b", false));
	EXPECT_EQ(HTTP_BYTES_UNKNOWN, rq.body.left);
	EXPECT_EQ(0, with("expect", "100-continue", false));
	EXPECT_TRUE(rq.body.expects);
	EXPECT_EQ(0, with("expect", "100-continue", true));
	EXPECT_FALSE(rq.body.expects);
}

/* RFC 9113, section 8.2.3. */
TEST(crumbs_of_a_cookie_are_one_field)
{
	struct http_str v;

	begin_request("GET", "/");
	add("cookie", "a=1");
	add("x", "y");
	add("cookie", "b=2");
	add("cookie", "c=3");
	ASSERT_EQ(0, h2_head_parse(&h, true, &rq));
	EXPECT_EQ(2, rq.fields_n);
	ASSERT_TRUE(http_request_field(&rq, "Cookie", &v));
	ASSERT_EQ(13, v.n);
	EXPECT_MEMEQ("a=1; b=2; c=3", v.p, 13);
	ASSERT_TRUE(http_request_field(&rq, "x", &v));
}

TEST(head_is_bounded_in_bytes_and_fields)
{
	char name[20];

	begin_request("GET", "/");
	for (int i = 0; i < HTTP_FIELDS_MAX; i++) {
		snprintf(name, sizeof(name), "x%d", i);
		add(name, "");
	}
	EXPECT_EQ(0, h2_head_parse(&h, true, &rq));
	EXPECT_EQ(HTTP_FIELDS_MAX, rq.fields_n);
	begin_request("GET", "/");
	for (int i = 0; i <= HTTP_FIELDS_MAX; i++)
		add("x", "");
	EXPECT_EQ(HTTP_REFUSE_FIELDS_MANY, h2_head_parse(&h, true, &rq));
	begin_request("GET", "/");
	for (int i = 0; i < 1000; i++)
		add("x", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
	EXPECT_EQ(HTTP_REFUSE_HEAD_LONG, h2_head_parse(&h, true, &rq));
	EXPECT_LE(h.n, 8192);
	begin();
}

TEST_HARNESS_MAIN
