// SPDX-License-Identifier: Apache-2.0
/* Heads of requests: what they say, and which are refused. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "corpus.h"
#include "harness.h"
#include "proto/http/head.h"
#include "proto/http/request.h"

static struct http_request rq;

static enum http_refusal parse_bytes(const char *bytes, size_t n)
{
	struct http_scan s = {0};
	ssize_t end = http_head_scan(&s, (const uint8_t *)bytes, n, 1 << 16);

	if (end < 0)
		return s.refusal;
	ASSERT_LT(0, end);
	return http_request_parse(&rq, (const uint8_t *)bytes, (size_t)end, s.begin);
}

static enum http_refusal parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static const char *text_of(struct http_str s)
{
	static char texts[4][256];
	static int i;

	i = (i + 1) % 4;
	snprintf(texts[i], sizeof(texts[i]), "%.*s", (int)s.n, s.p);
	return texts[i];
}

static const char *span_text(struct http_span s)
{
	return text_of(http_request_str(&rq, s));
}

TEST(sound_request_is_taken_apart)
{
	struct http_str v;

	ASSERT_EQ(0, parse("GET /a/b?c=d&e HTTP/1.1\r\nHost: example.org:8080\r\nX-Y:  z \t\r\n"
			   "Empty:\r\n\r\n"));
	EXPECT_EQ(HTTP_M_GET, rq.method);
	EXPECT_EQ(1, rq.major);
	EXPECT_EQ(1, rq.minor);
	EXPECT_STREQ("http", rq.scheme);
	EXPECT_STREQ("example.org:8080", span_text(rq.authority));
	EXPECT_TRUE(rq.keep_alive);
	EXPECT_TRUE(rq.body.done);
	EXPECT_FALSE(rq.body.chunked);
	EXPECT_STREQ("/a/b?c=d&e", span_text(rq.target));
	EXPECT_STREQ("/a/b", span_text(rq.path));
	EXPECT_STREQ("c=d&e", span_text(rq.query));
	EXPECT_EQ(3, rq.fields_n);
	ASSERT_TRUE(http_request_field(&rq, "x-y", &v));
	EXPECT_STREQ("z", text_of(v));
	ASSERT_TRUE(http_request_field(&rq, "EMPTY", &v));
	EXPECT_EQ(0, v.n);
	EXPECT_FALSE(http_request_field(&rq, "absent", &v));
}

static const char *param(const char *name)
{
	struct http_str v;

	return http_request_param(&rq, name, &v) ? text_of(v) : NULL;
}

TEST(parameter_is_found_by_its_whole_name)
{
	ASSERT_EQ(0, parse("GET /a?xb=1&b&b=%32=&&b=3&c= HTTP/1.1\r\nHost: h\r\n\r\n"));
	EXPECT_STREQ("%32=", param("b"));
	EXPECT_STREQ("", param("c"));
	EXPECT_STREQ("1", param("xb"));
	EXPECT_NULL(param("x"));
	EXPECT_NULL(param("cd"));
	ASSERT_EQ(0, parse("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"));
	EXPECT_NULL(param("b"));
}

TEST(every_method_of_the_table_is_known)
{
	for (int m = 0; m < HTTP_M_OTHER; m++) {
		char text[100];

		snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: h\r\n\r\n",
			 http_method_name((enum http_method)m));
		EXPECT_EQ(0, parse(text));
		EXPECT_EQ(m, rq.method);
	}
}

TEST(other_methods_are_told_by_their_text)
{
	static const char *const methods[] = {"BREW", "get", "GETX", "GE", "TRACE", "M-SEARCH",
					      "SOURCE", "PROPFIND", "PRIX", "!#$%&'*+-.^_`|~"};

	for (size_t i = 0; i < SL_ARRAY_SIZE(methods); i++) {
		char text[200];

		snprintf(text, sizeof(text),
			 "%s /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n", methods[i]);
		if (!EXPECT_EQ(0, parse(text)))
			TH_LOG("%s", text);
		EXPECT_EQ(HTTP_M_OTHER, rq.method);
		EXPECT_STREQ(methods[i], span_text(rq.method_text));
		EXPECT_STREQ("/a", span_text(rq.path));
		EXPECT_EQ(3, rq.body.left);
	}
	ASSERT_EQ(0, parse("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
	EXPECT_STREQ("GET", span_text(rq.method_text));
}

/* RFC 9112, section 3.2.2: the field is then of no account. */
TEST(authority_is_the_targets_or_hosts)
{
	ASSERT_EQ(0, parse("GET http://a:1/p HTTP/1.1\r\nHost: b\r\n\r\n"));
	EXPECT_STREQ("a:1", span_text(rq.authority));
	ASSERT_EQ(0, parse("GET /p HTTP/1.1\r\nHost: b\r\n\r\n"));
	EXPECT_STREQ("b", span_text(rq.authority));
	ASSERT_EQ(0, parse("GET /p HTTP/1.0\r\n\r\n"));
	EXPECT_STREQ("", span_text(rq.authority));
}

TEST(keep_alive_follows_version_and_connection_field)
{
	static const struct {
		const char *version, *field;
		bool keep;
	} rows[] = {
		{"1.1", "", true},
		{"1.1", "Connection: close\r\n", false},
		{"1.1", "Connection: CLOSE\r\n", false},
		{"1.1", "Connection: foo, close\r\n", false},
		{"1.1", "Connection: closed\r\n", true},
		{"1.1", "Connection: keep-alive\r\n", true},
		{"1.1", "Connection: keep-alive, close\r\n", false},
		{"1.0", "", false},
		{"1.0", "Connection: keep-alive\r\n", true},
		{"1.0", "Connection: Keep-Alive\r\n", true},
		{"1.0", "Connection: close\r\n", false},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		char text[200];

		snprintf(text, sizeof(text), "GET / HTTP/%s\r\nHost: h\r\n%s\r\n", rows[i].version,
			 rows[i].field);
		EXPECT_EQ(0, parse(text));
		if (!EXPECT_EQ(rows[i].keep, rq.keep_alive))
			TH_LOG("HTTP/%s %s", rows[i].version, rows[i].field);
	}
}

TEST(body_is_framed_by_length_or_chunks)
{
	ASSERT_EQ(0, parse("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n"));
	EXPECT_EQ(10, rq.body.left);
	EXPECT_FALSE(rq.body.done);
	ASSERT_EQ(0, parse("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"));
	EXPECT_TRUE(rq.body.done);
	ASSERT_EQ(0, parse("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 007\r\n\r\n"));
	EXPECT_EQ(7, rq.body.left);
	ASSERT_EQ(0, parse("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"));
	EXPECT_TRUE(rq.body.chunked);
	EXPECT_FALSE(rq.body.done);
	/* Whoever took this for a request without a body would let one be smuggled in it. */
	ASSERT_EQ(0, parse("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\tchunked\t\r\n\r\n"));
	EXPECT_TRUE(rq.body.chunked);
	ASSERT_EQ(0, parse("POST / HTTP/1.1\r\nHost: h\r\n"
			   "Content-Length: 18446744073709551614\r\n\r\n"));
	EXPECT_EQ(UINT64_MAX - 1, rq.body.left);
}

TEST(expectation_counts_with_a_body_only)
{
	ASSERT_EQ(0, parse("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n"
			   "Content-Length: 1\r\n\r\n"));
	EXPECT_TRUE(rq.body.expects);
	ASSERT_EQ(0, parse("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n"));
	EXPECT_FALSE(rq.body.expects);
	ASSERT_EQ(0, parse("PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"));
	EXPECT_FALSE(rq.body.expects);
}

TEST(target_may_be_absolute_or_a_star)
{
	ASSERT_EQ(0, parse("GET http://example.org/a?b HTTP/1.1\r\nHost: h\r\n\r\n"));
	EXPECT_STREQ("/a", span_text(rq.path));
	EXPECT_STREQ("b", span_text(rq.query));
	ASSERT_EQ(0, parse("GET HTTPS://example.org/a HTTP/1.1\r\nHost: h\r\n\r\n"));
	EXPECT_STREQ("/a", span_text(rq.path));
	ASSERT_EQ(0, parse("GET http://example.org HTTP/1.1\r\nHost: h\r\n\r\n"));
	EXPECT_STREQ("", span_text(rq.path));
	ASSERT_EQ(0, parse("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"));
	EXPECT_TRUE(rq.star);
}

TEST(old_clients_need_no_host_and_newer_minors_are_served)
{
	ASSERT_EQ(0, parse("GET / HTTP/1.0\r\n\r\n"));
	EXPECT_EQ(0, rq.minor);
	ASSERT_EQ(0, parse("GET / HTTP/1.1\r\nHost:\r\n\r\n"));
	ASSERT_EQ(0, parse("\r\nGET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"));
	EXPECT_STREQ("/", span_text(rq.path));
}

/* An Upgrade is an offer, which this server does not take up. */
TEST(upgrade_is_ignored)
{
	ASSERT_EQ(0, parse("POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\n"
			   "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
			   "Content-Length: 3\r\n\r\n"));
	EXPECT_EQ(3, rq.body.left);
	EXPECT_TRUE(rq.keep_alive);
}

TEST(too_many_fields_are_refused)
{
	char text[16384] = "GET / HTTP/1.1\r\nHost: h\r\n";
	size_t n = strlen(text);

	for (int i = 1; i < HTTP_FIELDS_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "A%d: b\r\n", i);
	snprintf(text + n, sizeof(text) - n, "\r\n");
	EXPECT_EQ(0, parse(text));
	EXPECT_EQ(HTTP_FIELDS_MAX, rq.fields_n);
	snprintf(text + n, sizeof(text) - n, "One: more\r\n\r\n");
	EXPECT_EQ(HTTP_REFUSE_FIELDS_MANY, parse(text));
}

TEST(corpus_of_unsound_requests_is_refused)
{
	for (size_t i = 0; i < corpus_n; i++) {
		enum http_refusal why = parse_bytes(corpus[i].bytes, corpus[i].n);
		int status = why ? http_refusal_error(why)->status : 0;

		if (!EXPECT_EQ(corpus[i].status, status))
			TH_LOG("in %s: %s", corpus[i].name, http_refusal_error(why)->text);
	}
}

TEST_HARNESS_MAIN
