// SPDX-License-Identifier: Apache-2.0
/* The status page as it is served; what it does in a browser is tests/clients' matter. */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "web.h"

#define GET(path, more) "GET " path " HTTP/1.1\r\nHost: h\r\n" more "\r\n"

static void ask_as_browser(struct web *w)
{
	struct web_answer a;

	EXPECT_EQ(200,
		  web_ask(w, GET("/", "Accept: text/plain\r\nAccept: a/b,TEXT/html;q=1\r\n"), &a));
	EXPECT_NOT_NULL(strstr(a.head, "\r\nContent-Type: text/html; charset=utf-8\r\n"));
	EXPECT_NOT_NULL(strstr(a.head, "\r\nVary: Accept\r\n"));
	EXPECT_NOT_NULL(strstr(a.head, "\r\nX-Content-Type-Options: nosniff\r\n"));
	EXPECT_MEMEQ("<!DOCTYPE html>\n", a.body, 16);
	EXPECT_NOT_NULL(strstr(a.body, "</html>\n"));
	web_answer_done(&a);
}

TEST(browsers_get_the_page)
{
	struct web w = {.client = ask_as_browser};

	web_run(&w);
}

static void ask_as_program(struct web *w)
{
	static const char *const asks[] = {
		GET("/", ""),
		GET("/", "Accept: */*\r\n"),
		GET("/", "Accept: text/htm\r\n"),
		GET("/", "X-Accept: text/html\r\n"),
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(asks); i++) {
		struct web_answer a;

		EXPECT_EQ(200, web_ask(w, asks[i], &a));
		EXPECT_NOT_NULL(strstr(a.head, "\r\nContent-Type: application/json\r\n"));
		EXPECT_NOT_NULL(strstr(a.head, "\r\nVary: Accept\r\n"));
		EXPECT_STREQ("{\"title\": \"sluice\", \"version\": \"" SL_VERSION "\"}\n", a.body);
		web_answer_done(&a);
	}
}

TEST(programs_get_a_greeting)
{
	struct web w = {.client = ask_as_program};

	web_run(&w);
}

/* The policy without an exception for what stands within the page, and nothing that needs one. */
static void ask_policy(struct web *w)
{
	struct web_answer a;
	const char *policy;

	EXPECT_EQ(200, web_ask(w, GET("/", "Accept: text/html\r\n"), &a));
	policy = strstr(a.head, "\r\nContent-Security-Policy: default-src 'none'; ");
	EXPECT_NOT_NULL(policy);
	EXPECT_NULL(strstr(a.head, "unsafe"));
	EXPECT_NULL(strstr(a.body, "style="));
	EXPECT_NULL(strstr(a.body, "<style"));
	EXPECT_NULL(strstr(a.body, "onclick="));
	EXPECT_NULL(strstr(a.body, "://"));
	web_answer_done(&a);
}

TEST(policy_has_no_exceptions)
{
	struct web w = {.client = ask_policy};

	web_run(&w);
}

static void ask_files(struct web *w)
{
	static const struct {
		const char *ask, *type;
	} files[] = {
		{GET("/status/page.css", ""), "text/css; charset=utf-8"},
		{GET("/status/page.js", ""), "text/javascript; charset=utf-8"},
		{GET("/status/mark.svg", ""), "image/svg+xml"},
	};
	struct web_answer a;
	char type[80];

	for (size_t i = 0; i < SL_ARRAY_SIZE(files); i++) {
		EXPECT_EQ(200, web_ask(w, files[i].ask, &a));
		snprintf(type, sizeof(type), "\r\nContent-Type: %s\r\n", files[i].type);
		EXPECT_NOT_NULL(strstr(a.head, type));
		EXPECT_LT(100, a.n);
		web_answer_done(&a);
	}
	EXPECT_EQ(404, web_ask(w, GET("/status/page.htm", ""), &a));
	web_answer_done(&a);
	EXPECT_EQ(404, web_ask(w, GET("/status/", ""), &a));
	web_answer_done(&a);
	EXPECT_EQ(405, web_ask(w, "DELETE /status/page.js HTTP/1.1\r\nHost: h\r\n\r\n", &a));
	web_answer_done(&a);
}

TEST(files_of_the_page_have_their_types)
{
	struct web w = {.client = ask_files};

	web_run(&w);
}

static void ask_again(struct web *w)
{
	struct web_answer a;
	char etag[40], ask[200];
	const char *at;

	EXPECT_EQ(200, web_ask(w, GET("/status/page.js", ""), &a));
	at = strstr(a.head, "\r\nETag: \"");
	ASSERT_NOT_NULL(at);
	snprintf(etag, sizeof(etag), "%.*s", (int)strcspn(at + 8, "\r"), at + 8);
	web_answer_done(&a);
	snprintf(ask, sizeof(ask),
		 "GET /status/page.js HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"x\", W/%s\r\n\r\n",
		 etag);
	EXPECT_EQ(304, web_ask(w, ask, &a));
	EXPECT_EQ(0, a.n);
	EXPECT_NOT_NULL(strstr(a.head, etag));
	web_answer_done(&a);
	snprintf(ask, sizeof(ask),
		 "GET /status/page.css HTTP/1.1\r\nHost: h\r\nIf-None-Match: %s\r\n\r\n", etag);
	EXPECT_EQ(200, web_ask(w, ask, &a));
	web_answer_done(&a);
	EXPECT_EQ(304, web_ask(w, GET("/status/page.css", "If-None-Match: *\r\n"), &a));
	web_answer_done(&a);
}

TEST(what_a_browser_has_is_not_sent_again)
{
	struct web w = {.client = ask_again};

	web_run(&w);
}

TEST_HARNESS_MAIN
