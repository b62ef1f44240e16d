// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP over sockets.
 * Order of parts: the routes of these tests; requests; bodies; connections; several
 * APIs; figures; keys; unsound input.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "corpus.h"
#include "harness.h"
#include "proto/http/route.h"
#include "web.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

/* ---- the routes of these tests ---------------------------------------------------------- */

/* Calls of /hidden: on the server's thread; read by the client's when all is done. */
static int hidden;

static int get_hidden(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	__atomic_add_fetch(&hidden, 1, __ATOMIC_RELAXED);
	return 0;
}

static int get_say(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	return http_response_body(rs, "text/plain", rq->params[0].p, rq->params[0].n);
}

/* The length of the body follows from the path: /big/1000000. */
static int get_big(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	size_t n = strtoul(rq->params[0].p, NULL, 10);
	char *data = malloc(n + 1);
	int err;

	if (!data)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		data[i] = (char)('a' + i % 26);
	err = http_response_body(rs, "text/plain", data, n);
	free(data);
	return err;
}

static int get_fail(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	return -atoi(rq->params[0].p);
}

/* Answers with the body, and the path, which must have outlived the reading. */
static int post_echo(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	char *data = malloc(5 << 20);
	struct http_str path = http_request_str(rq, rq->path);
	size_t n = 0;
	ssize_t k;

	if (!data)
		return -ENOMEM;
	while ((k = http_body_read(rq, data + n, (5 << 20) - n, deadline)) > 0)
		n += (size_t)k;
	if (!k)
		k = http_response_body(rs, "text/plain", data, n);
	free(data);
	EXPECT_MEMEQ("/echo", path.p, 5);
	return (int)k;
}

static int post_ignore(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	return http_response_body(rs, "text/plain", "ignored", 7);
}

static const struct http_route routes[] = {
	{HTTP_ON(GET), "/hidden", get_hidden, 0},
	{HTTP_ON(GET), "/say/{}", get_say, 0},
	{HTTP_ON(GET), "/big/{}", get_big, 0},
	{HTTP_ON(GET), "/fail/{}", get_fail, 0},
	{HTTP_ON(POST) | HTTP_ON(GET), "/echo", post_echo, 0},
	{HTTP_ON(POST), "/ignore", post_ignore, 0},
};

static const struct http_api api = {"test", routes, SL_ARRAY_SIZE(routes), NULL, 0};

static void run(void (*client)(struct web *w))
{
	struct web w = {.client = client, .conf = {.apis = &api, .apis_n = 1}};

	web_run(&w);
}

/* As run(), with little patience for slow requests. */
static void run_impatiently(void (*client)(struct web *w))
{
	struct web w = {.client = client,
			.limits = {.header_ns = 300 * SL_MSEC},
			.conf = {.apis = &api, .apis_n = 1}};

	web_run(&w);
}

static void expect(int fd, int status, const char *body)
{
	struct web_answer a;

	ASSERT_TRUE(web_read(fd, false, &a));
	EXPECT_EQ(status, a.status);
	EXPECT_STREQ(body, a.body);
	web_answer_done(&a);
}

/* ---- requests --------------------------------------------------------------------------- */

static void send_byte_by_byte(struct web *w)
{
	static const char text[] = "\r\n" GET("/say/a") "POST /echo HTTP/1.1\r\nHost: h\r\n"
				   "Content-Length: 5\r\n\r\nhello" GET("/say/b");
	int fd = web_connect(w);

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		serving_send(fd, text + i, 1);
		if (i % 8 == 0)
			usleep(200);
	}
	expect(fd, 200, "a");
	expect(fd, 200, "hello");
	expect(fd, 200, "b");
	close(fd);
}

TEST(request_may_come_byte_by_byte)
{
	run(send_byte_by_byte);
}

static void send_many_at_once(struct web *w)
{
	enum { N = 1000 };
	char *text = malloc(N * 64);
	int fd = web_connect(w);
	size_t n = 0;

	ASSERT_NOT_NULL(text);
	for (int i = 0; i < N; i++)
		n += (size_t)snprintf(text + n, 64, GET("/say/%d"), i);
	serving_send(fd, text, n);
	for (int i = 0; i < N; i++) {
		char body[16];

		snprintf(body, sizeof(body), "%d", i);
		expect(fd, 200, body);
	}
	free(text);
	close(fd);
}

TEST(pipelined_requests_are_answered_in_order)
{
	run(send_many_at_once);
}

static void end_sending(struct web *w)
{
	int fd = web_connect(w);

	web_send_text(fd, GET("/say/1") GET("/big/300000") GET("/say/3"));
	shutdown(fd, SHUT_WR);
	expect(fd, 200, "1");
	for (int i = 0; i < 2; i++) {
		struct web_answer a;

		ASSERT_TRUE(web_read(fd, false, &a));
		EXPECT_EQ(200, a.status);
		EXPECT_EQ(i ? 1 : 300000, a.n);
		web_answer_done(&a);
	}
	EXPECT_TRUE(serving_ended(fd));
	close(fd);
}

TEST(client_that_ended_sending_gets_all_answers)
{
	run(end_sending);
}

static void ask_heads(struct web *w)
{
	int fd = web_connect(w);
	struct web_answer a;

	web_send_text(fd, "HEAD /big/100000 HTTP/1.1\r\nHost: h\r\n\r\n");
	ASSERT_TRUE(web_read(fd, true, &a));
	EXPECT_EQ(200, a.status);
	EXPECT_NOT_NULL(strstr(a.head, "\r\nContent-Length: 100000\r\n"));
	web_answer_done(&a);
	web_send_text(fd, "HEAD /nowhere HTTP/1.1\r\nHost: h\r\n\r\n");
	ASSERT_TRUE(web_read(fd, true, &a));
	EXPECT_EQ(404, a.status);
	web_answer_done(&a);
	web_send_text(fd, GET("/say/next"));
	expect(fd, 200, "next");
	close(fd);
}

TEST(head_is_answered_without_a_body)
{
	run(ask_heads);
}

static void ask_for_failures(struct web *w)
{
	static const struct {
		int err, status;
	} rows[] = {{ENOENT, 404}, {EINVAL, 400}, {EIO, 500}, {ENOSPC, 507}, {ENOMEM, 503}};
	int fd = web_connect(w);

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		struct web_answer a;
		char text[100];

		snprintf(text, sizeof(text), GET("/fail/%d"), rows[i].err);
		web_send_text(fd, text);
		ASSERT_TRUE(web_read(fd, false, &a));
		EXPECT_EQ(rows[i].status, a.status);
		EXPECT_MEMEQ("{\"error\": \"", a.body, 11);
		web_answer_done(&a);
	}
	web_send_text(fd, GET("/say/on"));
	expect(fd, 200, "on");
	close(fd);
}

TEST(failure_of_a_handler_becomes_a_status_and_the_connection_goes_on)
{
	run(ask_for_failures);
}

/* ---- bodies ----------------------------------------------------------------------------- */

static void echo_sizes(struct web *w)
{
	static const size_t sizes[] = {1, 511, 512, 4095, 4096, 65536, 1 << 20, 4 << 20};
	char *data = malloc(4 << 20);
	int fd = web_connect(w);

	ASSERT_NOT_NULL(data);
	for (size_t i = 0; i < (4 << 20); i++)
		data[i] = (char)harness_random();
	for (size_t i = 0; i < SL_ARRAY_SIZE(sizes); i++) {
		struct web_answer a;
		char head[100];

		snprintf(head, sizeof(head),
			 "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", sizes[i]);
		web_send_text(fd, head);
		serving_send(fd, data, sizes[i]);
		ASSERT_TRUE(web_read(fd, false, &a));
		EXPECT_EQ(200, a.status);
		ASSERT_EQ(sizes[i], a.n);
		EXPECT_MEMEQ(data, a.body, a.n);
		web_answer_done(&a);
	}
	web_send_text(fd, GET("/say/on"));
	expect(fd, 200, "on");
	free(data);
	close(fd);
}

TEST(body_of_known_length_is_read)
{
	run(echo_sizes);
}

static void echo_chunks(struct web *w)
{
	static const char text[] = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked"
				   "\r\n\r\n5;x=y\r\nhello\r\n7\r\n, world\r\n0\r\nA: b\r\n\r\n"
				   GET("/say/next");
	int fd = web_connect(w);

	web_send_text(fd, text);
	expect(fd, 200, "hello, world");
	expect(fd, 200, "next");
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		serving_send(fd, text + i, 1);
		if (i % 8 == 0)
			usleep(200);
	}
	expect(fd, 200, "hello, world");
	expect(fd, 200, "next");
	close(fd);
}

TEST(chunked_body_is_read_to_its_end_and_not_beyond)
{
	run(echo_chunks);
}

static void echo_large_chunks(struct web *w)
{
	enum { CHUNK = 100000, N = 20 };
	char *data = malloc(CHUNK);
	int fd = web_connect(w);
	struct web_answer a;

	ASSERT_NOT_NULL(data);
	memset(data, 'x', CHUNK);
	web_send_text(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < N; i++) {
		web_send_text(fd, "186A0\r\n");
		serving_send(fd, data, CHUNK);
		web_send_text(fd, "\r\n");
	}
	web_send_text(fd, "0\r\n\r\n");
	ASSERT_TRUE(web_read(fd, false, &a));
	EXPECT_EQ(200, a.status);
	EXPECT_EQ(CHUNK * N, a.n);
	for (int i = 0; i < N && (size_t)(i + 1) * CHUNK <= a.n; i++)
		EXPECT_MEMEQ(data, a.body + (size_t)i * CHUNK, CHUNK);
	web_answer_done(&a);
	free(data);
	close(fd);
}

TEST(large_chunks_are_read)
{
	run(echo_large_chunks);
}

/* conn.buffered_max bounds what is received ahead, not what a reader waits for. */
TEST(large_chunks_are_read_when_nothing_is_received_ahead)
{
	struct web w = {.client = echo_large_chunks,
			.nothing_ahead = true,
			.conf = {.apis = &api, .apis_n = 1}};

	web_run(&w);
}

static void wait_to_continue(struct web *w)
{
	int fd = web_connect(w);
	struct web_answer a;

	web_send_text(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
			  "Content-Length: 5\r\n\r\n");
	ASSERT_TRUE(web_read(fd, true, &a));
	EXPECT_EQ(100, a.status);
	EXPECT_STREQ("HTTP/1.1 100 Continue\r\n\r\n", a.head);
	web_answer_done(&a);
	web_send_text(fd, "hello");
	expect(fd, 200, "hello");
	/* Who sends at once did not wait. */
	web_send_text(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
			  "Content-Length: 5\r\n\r\nagain");
	expect(fd, 200, "again");
	/* The body is not wanted. */
	web_send_text(fd, "POST /ignore HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
			  "Content-Length: 5\r\n\r\n");
	ASSERT_TRUE(web_read(fd, false, &a));
	EXPECT_EQ(200, a.status);
	EXPECT_NOT_NULL(strstr(a.head, "\r\nConnection: close\r\n"));
	web_answer_done(&a);
	EXPECT_TRUE(serving_ended(fd));
	close(fd);
}

TEST(client_is_told_to_continue_when_its_body_is_wanted)
{
	run(wait_to_continue);
}

static void send_unwanted_bodies(struct web *w)
{
	char *data = calloc(1, 1 << 20);
	int fd = web_connect(w);
	struct web_answer a;

	ASSERT_NOT_NULL(data);
	web_send_text(fd, "POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n");
	serving_send(fd, data, 60000);
	web_send_text(fd, GET("/say/on"));
	expect(fd, 200, "ignored");
	expect(fd, 200, "on");
	web_send_text(fd, "POST /ignore HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
			  "3\r\nabc\r\n0\r\n\r\n" GET("/say/on"));
	expect(fd, 200, "ignored");
	expect(fd, 200, "on");
	web_send_text(fd, "POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n");
	serving_send(fd, data, 1 << 20);
	ASSERT_TRUE(web_read(fd, false, &a));
	EXPECT_EQ(200, a.status);
	EXPECT_NOT_NULL(strstr(a.head, "\r\nConnection: close\r\n"));
	web_answer_done(&a);
	EXPECT_TRUE(serving_ended(fd));
	free(data);
	close(fd);
}

TEST(unread_body_is_drained_if_small_else_the_connection_ends)
{
	run(send_unwanted_bodies);
}

static void send_too_much(struct web *w)
{
	char *data = calloc(1, 1 << 20);
	int fd = web_connect(w);
	struct web_answer a;

	ASSERT_NOT_NULL(data);
	web_send_text(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4194305\r\n\r\n");
	ASSERT_TRUE(web_read(fd, false, &a));
	EXPECT_EQ(413, a.status);
	EXPECT_NOT_NULL(strstr(a.head, "\r\nConnection: close\r\n"));
	web_answer_done(&a);
	EXPECT_TRUE(serving_ended(fd));
	close(fd);
	fd = web_connect(w);
	web_send_text(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
			  "500000\r\n");
	for (int i = 0; i < 5; i++)
		serving_send(fd, data, 1 << 20);
	ASSERT_TRUE(web_read(fd, false, &a));
	EXPECT_EQ(413, a.status);
	web_answer_done(&a);
	EXPECT_TRUE(serving_ended(fd));
	free(data);
	close(fd);
}

TEST(body_over_the_limit_is_refused)
{
	run(send_too_much);
}

/* ---- connections ------------------------------------------------------------------------ */

static void ask_old_and_closing(struct web *w)
{
	static const struct {
		const char *request, *connection; /* NULL: nothing is said */
		bool ends;
	} rows[] = {
		{GET("/say/a"), NULL, false},
		{"GET /say/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "close", true},
		{"GET /say/a HTTP/1.0\r\n\r\n", "close", true},
		{"GET /say/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive", false},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		int fd = web_connect(w);
		struct web_answer a;
		char line[64];

		web_send_text(fd, rows[i].request);
		ASSERT_TRUE(web_read(fd, false, &a));
		EXPECT_EQ(200, a.status);
		snprintf(line, sizeof(line), "\r\nConnection: %s\r\n",
			 rows[i].connection ? rows[i].connection : "");
		EXPECT_EQ(rows[i].connection != NULL,
			  strstr(a.head, rows[i].connection ? line : "\r\nConnection:") != NULL);
		web_answer_done(&a);
		if (rows[i].ends) {
			EXPECT_TRUE(serving_ended(fd));
		} else {
			web_send_text(fd, GET("/say/b"));
			expect(fd, 200, "b");
		}
		close(fd);
	}
}

TEST(connection_stays_open_as_version_and_client_say)
{
	run(ask_old_and_closing);
}

static void stall(struct web *w)
{
	struct web_answer a;
	int fd = web_connect(w);

	/* Within a head: nobody is there to answer. */
	web_send_text(fd, "GET /say/a HTTP/1.1\r\nHo");
	EXPECT_TRUE(serving_ended(fd));
	close(fd);
	/* Within a body. */
	for (int chunked = 0; chunked < 2; chunked++) {
		fd = web_connect(w);
		web_send_text(fd, chunked ? "POST /echo HTTP/1.1\r\nHost: h\r\n"
					    "Transfer-Encoding: chunked\r\n\r\n5\r\nhel"
					  : "POST /echo HTTP/1.1\r\nHost: h\r\n"
					    "Content-Length: 5\r\n\r\nhel");
		ASSERT_TRUE(web_read(fd, false, &a));
		EXPECT_EQ(408, a.status);
		EXPECT_NOT_NULL(strstr(a.head, "\r\nConnection: close\r\n"));
		web_answer_done(&a);
		EXPECT_TRUE(serving_ended(fd));
		close(fd);
	}
	EXPECT_EQ(200, web_ask(w, GET("/say/alive"), &a));
	web_answer_done(&a);
}

TEST(client_that_stalls_is_given_up)
{
	run_impatiently(stall);
}

static void vanish(struct web *w)
{
	static const char *const texts[] = {
		"", "G", GET("/say/a"),
		"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel",
		"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
		GET("/big/4000000"),
	};
	struct web_answer a;

	for (size_t i = 0; i < SL_ARRAY_SIZE(texts); i++) {
		struct linger reset = {.l_onoff = 1};
		int fd = web_connect(w);

		web_send_text(fd, texts[i]);
		if (i % 2)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
	}
	EXPECT_EQ(200, web_ask(w, GET("/say/alive"), &a));
	web_answer_done(&a);
}

TEST(client_that_vanishes_disturbs_nobody)
{
	run(vanish);
}

/* ---- several APIs ----------------------------------------------------------------------- */

static int say_arg(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	return http_response_body(rs, "text/plain", rq->api_arg, strlen(rq->api_arg));
}

static const struct http_route upper_routes[] = {
	{HTTP_ON(GET), "/both", say_arg, 0},
	{HTTP_ON(GET), "/split", say_arg, 0},
};

static const struct http_route lower_routes[] = {
	{HTTP_ON(GET) | HTTP_ON(PUT), "/both", say_arg, 0},
	{HTTP_ON(DELETE), "/split", say_arg, 0},
	{HTTP_ON(GET), "/lower", say_arg, 0},
};

static void ask_several(struct web *w)
{
	static const struct {
		const char *line;
		int status;
		const char *body;
	} rows[] = {
		{"GET /both", 200, "upper"},
		{"PUT /both", 200, "lower"},
		{"GET /lower", 200, "lower"},
		{"GET /split", 200, "upper"},
		{"DELETE /split", 200, "lower"},
		{"GET /neither", 404, NULL},
		{"PUT /lower", 405, NULL},
	};
	struct web_answer a;

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		char text[100];

		snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: h\r\n\r\n", rows[i].line);
		if (!EXPECT_EQ(rows[i].status, web_ask(w, text, &a)) ||
		    (rows[i].body && !EXPECT_STREQ(rows[i].body, a.body)))
			TH_LOG("of %s", rows[i].line);
		web_answer_done(&a);
	}
	EXPECT_EQ(405, web_ask(w, "PUT /split HTTP/1.1\r\nHost: h\r\n\r\n", &a));
	EXPECT_NOT_NULL(strstr(a.head, "\r\nAllow: GET, HEAD, DELETE, OPTIONS\r\n"));
	web_answer_done(&a);
}

TEST(of_several_apis_the_first_that_has_a_row_answers_with_its_own_arg)
{
	const struct http_api two[] = {
		{"upper", upper_routes, SL_ARRAY_SIZE(upper_routes), "upper", 0},
		{"lower", lower_routes, SL_ARRAY_SIZE(lower_routes), "lower", 0},
	};
	struct web w = {.client = ask_several, .conf = {.apis = two, .apis_n = 2}};

	web_run(&w);
}

/* ---- figures ---------------------------------------------------------------------------- */

struct counts {
	uint64_t requests, errors, times;
};

static int add_count(void *arg, const struct sl_metric_sample *s)
{
	struct counts *c = arg;

	if (s->id == SL_M_HTTP_REQUESTS)
		c->requests += s->value;
	if (s->id == SL_M_HTTP_ERRORS)
		c->errors += s->value;
	if (s->id == SL_M_HTTP_REQUEST_TIME)
		c->times += sl_hist_count(s->hist);
	return 0;
}

static int say_wrong(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	rs->wrong = true;
	return http_response_body(rs, "text/plain", "errors", 6);
}

static const struct http_route counted_routes[] = {
	{HTTP_ON(GET), "/say/{}", get_say, 0},
	{HTTP_ON(GET), "/fail/{}", get_fail, 0},
	{HTTP_ON(GET), "/wrong", say_wrong, 0},
};

static void ask_for_counts(struct web *w)
{
	struct counts c = {0};
	struct web_answer a;

	EXPECT_EQ(200, web_ask(w, GET("/say/a"), &a));
	web_answer_done(&a);
	EXPECT_EQ(500, web_ask(w, GET("/fail/5"), &a)); /* EIO */
	web_answer_done(&a);
	EXPECT_EQ(200, web_ask(w, GET("/wrong"), &a));
	web_answer_done(&a);
	EXPECT_EQ(404, web_ask(w, GET("/nobodys"), &a));
	web_answer_done(&a);
	ASSERT_EQ(0, sl_metrics_each(w->registry, add_count, &c));
	EXPECT_EQ(3, c.requests);
	EXPECT_EQ(2, c.errors);
	EXPECT_EQ(3, c.times);
}

TEST(requests_and_errors_are_counted_for_the_api_that_answers)
{
	const struct http_api counted = {.name = "test",
					 .routes = counted_routes,
					 .routes_n = SL_ARRAY_SIZE(counted_routes)};
	struct web w = {.client = ask_for_counts, .conf = {.apis = &counted, .apis_n = 1}};

	web_run(&w);
}

/* ---- keys ------------------------------------------------------------------------------- */

/* SHA-256 of "secret", "other" and "root". */
#define SECRET "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
#define OTHER "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"
#define ROOT "4813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2"

static const struct http_route kept_routes[] = {
	{HTTP_ON(GET), "/open/{}", get_say, HTTP_ROUTE_OPEN},
	{HTTP_ON(GET), "/read/{}", get_say, 0},
	{HTTP_ON(GET), "/write/{}", get_say, HTTP_ROUTE_WRITE},
	{HTTP_ON(GET), "/admin/{}", get_say, HTTP_ROUTE_ADMIN},
	{HTTP_ON(POST), "/hidden", get_hidden, HTTP_ROUTE_WRITE},
};

static const struct http_api kept_api = {"test", kept_routes, SL_ARRAY_SIZE(kept_routes), NULL, 0};

static void show_keys(struct web *w)
{
	/* By path, then by key: none, of nobody, to read, to read and write, for everything. */
	static const char *const keys[] = {"", "Bearer nobody", "Bearer secret", "Bearer other",
					   "Bearer root"};
	static const struct {
		const char *path;
		int status[SL_ARRAY_SIZE(keys)];
	} rows[] = {
		{"/open/a", {200, 200, 200, 200, 200}},
		{"/read/a", {401, 401, 200, 200, 200}},
		{"/write/a", {401, 401, 403, 200, 200}},
		{"/admin/a", {401, 401, 403, 403, 200}},
		{"/nowhere", {404, 404, 404, 404, 404}},
	};
	int fd = web_connect(w);
	struct web_answer a;

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++)
		for (size_t k = 0; k < SL_ARRAY_SIZE(keys); k++) {
			char text[300];

			snprintf(text, sizeof(text),
				 "GET %s HTTP/1.1\r\nHost: h\r\n%s%s\r\n\r\n", rows[i].path,
				 k ? "Authorization: " : "X: y", keys[k]);
			web_send_text(fd, text);
			ASSERT_TRUE(web_read(fd, false, &a));
			if (!EXPECT_EQ(rows[i].status[k], a.status))
				TH_LOG("%s by '%s'", rows[i].path, keys[k]);
			EXPECT_EQ(a.status == 401,
				  strstr(a.head, "\r\nWWW-Authenticate: Bearer\r\n") != NULL);
			web_answer_done(&a);
		}
	close(fd);
	/* As Qdrant's clients send theirs. */
	EXPECT_EQ(200, web_ask(w, "GET /write/a HTTP/1.1\r\nHost: h\r\napi-key: other\r\n\r\n",
			       &a));
	web_answer_done(&a);
	EXPECT_EQ(403, web_ask(w, "GET /write/a HTTP/1.1\r\nHost: h\r\nApi-Key: secret\r\n\r\n",
			       &a));
	web_answer_done(&a);
	EXPECT_EQ(401, web_ask(w, "GET /read/a HTTP/1.1\r\nHost: h\r\napi-key: nobody\r\n\r\n",
			       &a));
	web_answer_done(&a);
	/* A body is not asked for from who may not send it. */
	EXPECT_EQ(401, web_ask(w, "POST /hidden HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
				  "Content-Length: 5\r\n\r\n", &a));
	web_answer_done(&a);
	EXPECT_EQ(0, __atomic_load_n(&hidden, __ATOMIC_RELAXED));
}

TEST(a_route_is_for_who_has_a_key_for_it)
{
	struct sl_keyring keys = {0};
	struct web w = {.client = show_keys,
			.conf = {.apis = &kept_api, .apis_n = 1, .keys = &keys}};
	char path[300], why[300] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/keys", harness_tmpdir());
	f = fopen(path, "w");
	ASSERT_NOT_NULL(f);
	fputs("reader " SECRET " read\nboth " OTHER " write,read\nroot " ROOT " admin\n", f);
	fclose(f);
	ASSERT_EQ(0, sl_keyring_load(&keys, path, why, sizeof(why), SL_NEVER));
	web_run(&w);
	sl_keyring_done(&keys);
}

/* ---- unsound input ---------------------------------------------------------------------- */

static void send_corpus(struct web *w)
{
	for (size_t i = 0; i < corpus_n; i++) {
		const struct corpus_row *r = &corpus[i];
		int fd = web_connect(w);
		struct web_answer a = {0};

		serving_send(fd, r->bytes, r->n);
		if (!EXPECT_TRUE(web_read(fd, false, &a)) ||
		    !EXPECT_EQ(r->status ? r->status : 404, a.status) ||
		    !EXPECT_TRUE(serving_ended(fd)))
			TH_LOG("in %s", r->name);
		web_answer_done(&a);
		close(fd);
	}
	EXPECT_EQ(0, __atomic_load_n(&hidden, __ATOMIC_RELAXED));
}

/* The first answer is the last: what was hidden behind is never served. */
TEST(corpus_of_unsound_requests_is_answered_once_and_closed)
{
	run(send_corpus);
}

static void send_bad_chunks_to_a_reader(struct web *w)
{
	for (size_t i = 0; i < corpus_n; i++) {
		const struct corpus_row *r = &corpus[i];
		const char *body = strstr(r->bytes, "\r\n\r\n");
		int fd;
		struct web_answer a = {0};

		if (r->status)
			continue;
		ASSERT_NOT_NULL(body);
		fd = web_connect(w);
		web_send_text(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked");
		serving_send(fd, body, r->n - (size_t)(body - r->bytes));
		if (!EXPECT_TRUE(web_read(fd, false, &a)) || !EXPECT_EQ(400, a.status) ||
		    !EXPECT_TRUE(serving_ended(fd)))
			TH_LOG("in %s", r->name);
		web_answer_done(&a);
		close(fd);
	}
	EXPECT_EQ(0, __atomic_load_n(&hidden, __ATOMIC_RELAXED));
}

TEST(unsound_chunks_are_answered_by_400_and_closed)
{
	run(send_bad_chunks_to_a_reader);
}

static void send_long_heads(struct web *w)
{
	static char line[8192], fields[8192] = GET("/say/a");
	size_t n = strlen(fields) - 2;
	int fd = web_connect(w);
	struct web_answer a;

	memset(line, 'a', sizeof(line));
	memcpy(line, "GET /", 5);
	serving_send(fd, line, sizeof(line));
	ASSERT_TRUE(web_read(fd, false, &a));
	EXPECT_EQ(414, a.status);
	web_answer_done(&a);
	EXPECT_TRUE(serving_ended(fd));
	close(fd);
	fd = web_connect(w);
	while (n < sizeof(fields) - 10) {
		memcpy(fields + n, "A: bcde\r\n", 9);
		n += 9;
	}
	serving_send(fd, fields, n);
	ASSERT_TRUE(web_read(fd, false, &a));
	EXPECT_EQ(431, a.status);
	web_answer_done(&a);
	EXPECT_TRUE(serving_ended(fd));
	close(fd);
}

TEST(heads_over_the_limit_are_refused)
{
	run(send_long_heads);
}

static void send_on_after_refusal(struct web *w)
{
	char *data = calloc(1, 1 << 20);
	int fd = web_connect(w);
	struct web_answer a;

	ASSERT_NOT_NULL(data);
	web_send_text(fd, "BREW / HTTP/1.1\r\nHost: h\r\n\r\n" GET("/hidden"));
	serving_send(fd, data, 1 << 20);
	ASSERT_TRUE(web_read(fd, false, &a));
	EXPECT_EQ(501, a.status);
	web_answer_done(&a);
	EXPECT_TRUE(serving_ended(fd));
	close(fd);
	free(data);
	EXPECT_EQ(0, __atomic_load_n(&hidden, __ATOMIC_RELAXED));
}

/* The answer is not lost to a reset, although bytes behind it were never read. */
TEST(refusal_reaches_a_client_that_goes_on_sending)
{
	run(send_on_after_refusal);
}

TEST_HARNESS_MAIN
