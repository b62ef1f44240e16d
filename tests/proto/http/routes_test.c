// SPDX-License-Identifier: Apache-2.0
/* The daemon's own pages. */
#include <string.h>

#include "harness.h"
#include "web.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

static void ask_health(struct web *w)
{
	struct web_answer a;

	EXPECT_EQ(200, web_ask(w, GET("/healthz"), &a));
	EXPECT_STREQ("ok\n", a.body);
	EXPECT_NOT_NULL(strstr(a.head, "\r\nServer: sluice/" SL_VERSION "\r\n"));
	EXPECT_NOT_NULL(strstr(a.head, "\r\nDate: "));
	EXPECT_NOT_NULL(strstr(a.head, "\r\nCache-Control: no-store\r\n"));
	web_answer_done(&a);
}

TEST(healthz_is_ok_while_the_process_runs)
{
	struct web w = {.client = ask_health};

	web_run(&w);
}

static void ask_ready(struct web *w)
{
	struct web_answer a;

	EXPECT_EQ(503, web_ask(w, GET("/readyz"), &a));
	EXPECT_STREQ("{\"error\": \"starting\"}\n", a.body);
	web_answer_done(&a);
	http_server_set_ready(&w->server, NULL);
	EXPECT_EQ(200, web_ask(w, GET("/readyz"), &a));
	EXPECT_STREQ("ok\n", a.body);
	web_answer_done(&a);
	http_server_set_ready(&w->server, "draining");
	EXPECT_EQ(503, web_ask(w, GET("/readyz"), &a));
	EXPECT_STREQ("{\"error\": \"draining\"}\n", a.body);
	web_answer_done(&a);
}

TEST(readyz_follows_what_the_server_was_told)
{
	struct web w = {.client = ask_ready};

	web_run(&w);
}

static void ask_metrics(struct web *w)
{
	struct web_answer a;

	EXPECT_EQ(200, web_ask(w, GET("/metrics"), &a));
	EXPECT_NOT_NULL(strstr(a.head, "\r\nContent-Type: " SL_METRICS_CONTENT_TYPE "\r\n"));
	EXPECT_NOT_NULL(strstr(a.body, "\nsluice_requests_total{listener=\"http\"} 1\n"));
	EXPECT_NOT_NULL(strstr(a.body, "\nsluice_connections{listener=\"http\"} 1\n"));
	EXPECT_EQ('\n', a.body[a.n - 1]);
	web_answer_done(&a);
}

TEST(metrics_count_the_request_that_asks)
{
	struct web w = {.client = ask_metrics};

	web_run(&w);
}

static void ask_wrongly(struct web *w)
{
	struct web_answer a;

	EXPECT_EQ(404, web_ask(w, GET("/metrics/"), &a));
	EXPECT_STREQ("{\"error\": \"no such path\"}\n", a.body);
	web_answer_done(&a);
	EXPECT_EQ(405, web_ask(w, "DELETE /metrics HTTP/1.1\r\nHost: h\r\n\r\n", &a));
	EXPECT_NOT_NULL(strstr(a.head, "\r\nAllow: GET, HEAD, OPTIONS\r\n"));
	web_answer_done(&a);
	EXPECT_EQ(204, web_ask(w, "OPTIONS /metrics HTTP/1.1\r\nHost: h\r\n\r\n", &a));
	EXPECT_NOT_NULL(strstr(a.head, "\r\nAllow: GET, HEAD, OPTIONS\r\n"));
	EXPECT_NULL(strstr(a.head, "Content-Length"));
	web_answer_done(&a);
	EXPECT_EQ(204, web_ask(w, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", &a));
	web_answer_done(&a);
}

TEST(other_paths_and_methods_are_refused)
{
	struct web w = {.client = ask_wrongly};

	web_run(&w);
}

TEST_HARNESS_MAIN
