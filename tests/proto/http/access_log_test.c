// SPDX-License-Identifier: Apache-2.0
/*
 * The access log of a server whose client is plain.
 * Order of parts: a server with a log; lines; the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "proto/http/route.h"
#include "web.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

/* ---- a server with a log ---------------------------------------------------------------- */

static char path[200], moved[200];
static struct http_log *log_of_test;

static int get_say(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	return http_response_body(rs, "text/plain", rq->params[0].p, rq->params[0].n);
}

static int post_read(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	char waste[100];
	ssize_t n = http_body_read(rq, waste, sizeof(waste), deadline);

	return n < 0 ? (int)n : http_response_body(rs, "text/plain", "read", 4);
}

static int get_reopen(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	char why[200];

	if (http_log_reopen(log_of_test, SL_LOG_JSON, why, sizeof(why)))
		return http_response_body(rs, "text/plain", why, strlen(why));
	return http_response_body(rs, "text/plain", "reopened", 8);
}

static const struct http_route routes[] = {
	{HTTP_ON(GET), "/say/{}", get_say, 0},
	{HTTP_ON(POST), "/read", post_read, 0},
	{HTTP_ON(GET), "/reopen", get_reopen, 0},
};

static const struct http_api api = {"test", routes, SL_ARRAY_SIZE(routes), NULL, 0};

/* After the last request: what waits is written. */
static void stop(struct web *w)
{
	EXPECT_EQ(0, http_log_stop(log_of_test));
}

static void name_files(void)
{
	snprintf(path, sizeof(path), "%s/access.log", harness_tmpdir());
	snprintf(moved, sizeof(moved), "%s/access.log.1", harness_tmpdir());
}

static void run(void (*client)(struct web *w))
{
	struct web w = {.client = client,
			.end = stop,
			.conf = {.name = "front", .apis = &api, .apis_n = 1}};
	char why[200] = "";

	name_files();
	ASSERT_EQ(0, http_log_open(path, SL_LOG_LOGFMT, 1, &log_of_test, why, sizeof(why)));
	w.conf.log = log_of_test;
	web_run(&w);
	http_log_free(log_of_test);
}

/* All of @name, terminated. */
static char *read_file(const char *name)
{
	enum { MAX = 4 << 20 };
	char *text = calloc(1, MAX);
	int fd = open(name, O_RDONLY);
	ssize_t n;

	ASSERT_NOT_NULL(text);
	ASSERT_LE(0, fd);
	n = read(fd, text, MAX - 1);
	ASSERT_LE(0, n);
	close(fd);
	return text;
}

static size_t lines_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* Waits until the file has @n lines. */
static char *wait_for_lines(const char *name, size_t n)
{
	for (;;) {
		char *text = read_file(name);

		if (lines_of(text) >= n)
			return text;
		free(text);
		usleep(10000);
	}
}

static void ask(struct web *w, const char *request, int status)
{
	struct web_answer a;

	EXPECT_EQ(status, web_ask(w, request, &a));
	web_answer_done(&a);
}

/* ---- lines ------------------------------------------------------------------------------ */

static void ask_for_several(struct web *w)
{
	char interim[sizeof("HTTP/1.1 100 Continue\r\n\r\n") - 1];
	struct linger reset = {.l_onoff = 1};
	int fd;

	ask(w, "GET /say/hello HTTP/1.1\r\nHost: h\r\nUser-Agent: test 1\r\n"
	       "Referer: http://h/\r\n\r\n", 200);
	ask(w, "HEAD /say/hello HTTP/1.0\r\n\r\n", 200);
	ask(w, GET("/nowhere?a=b"), 404);
	ask(w, "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400);
	fd = web_connect(w);
	web_send_text(fd, "POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
			  "Expect: 100-continue\r\n\r\n");
	/* Its handler runs, so that it is known whose request it was. */
	ASSERT_EQ((ssize_t)sizeof(interim), recv(fd, interim, sizeof(interim), MSG_WAITALL));
	web_send_text(fd, "hel");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	free(wait_for_lines(path, 5));
}

TEST(each_request_is_a_line_that_says_what_it_was_and_got)
{
	static const char *const ends[] = {
		" version=1.1 method=GET target=/say/hello agent=\"test 1\" referer=http://h/\n",
		" version=1.0 method=HEAD target=/say/hello agent=\"\" referer=\"\"\n",
		" version=1.1 method=GET target=\"/nowhere?a=b\" agent=\"\" referer=\"\"\n",
		" refused=\"malformed request line\"\n",
		" version=1.1 method=POST target=/read agent=\"\" referer=\"\"\n",
	};
	static const char *const answers[] = {
		" status=200 body_bytes=5 time_us=", " status=200 body_bytes=0 time_us=",
		" status=404 body_bytes=26 time_us=", " status=400 body_bytes=36 time_us=",
		" status=0 body_bytes=0 time_us=",
	};
	char *text, *line;

	run(ask_for_several);
	line = text = read_file(path);
	ASSERT_EQ(SL_ARRAY_SIZE(ends), lines_of(text));
	for (size_t i = 0; i < SL_ARRAY_SIZE(ends); i++) {
		char *end = strchr(line, '\n') + 1, *one = strndup(line, (size_t)(end - line));

		EXPECT_MEMEQ("time=2", one, 6);
		EXPECT_NOT_NULL(strstr(one, " event=http.request listener=front peer=127.0.0.1:"));
		EXPECT_NOT_NULL(strstr(one, answers[i]));
		if (!EXPECT_TRUE(strlen(one) > strlen(ends[i]) &&
				 !strcmp(one + strlen(one) - strlen(ends[i]), ends[i])))
			TH_LOG("line %zu: %s", i, one);
		free(one);
		line = end;
	}
	free(text);
}

static void send_misleading_fields(struct web *w)
{
	static char request[3800] = "GET /say/";
	size_t n = strlen(request);

	memset(request + n, 'x', 3000);
	n += 3000;
	snprintf(request + n, sizeof(request) - n,
		 " HTTP/1.1\r\nHost: h\r\nUser-Agent: a\" status=500 \xff\xfe\\\r\n\r\n");
	ask(w, request, 200);
}

TEST(what_a_client_writes_cannot_pass_for_another_field_or_outgrow_a_line)
{
	char *text;

	run(send_misleading_fields);
	text = read_file(path);
	EXPECT_EQ(1, lines_of(text));
	EXPECT_GT(1500, strlen(text));
	EXPECT_NOT_NULL(strstr(text, "agent=\"a\\\" status=500 \\ufffd\\ufffd\\\\\""));
	free(text);
}

/* ---- the file --------------------------------------------------------------------------- */

static void look_without_further_requests(struct web *w)
{
	char *text;

	ask(w, GET("/say/1"), 200);
	text = wait_for_lines(path, 1);
	EXPECT_EQ(1, lines_of(text));
	free(text);
}

TEST(a_line_reaches_the_file_although_no_other_follows)
{
	run(look_without_further_requests);
}

static void send_many(struct web *w)
{
	enum { N = 3000 };
	int fd = web_connect(w);

	for (int i = 0; i < N; i++) {
		struct web_answer a;

		web_send_text(fd, GET("/say/1"));
		ASSERT_TRUE(web_read(fd, false, &a));
		web_answer_done(&a);
	}
	close(fd);
}

TEST(many_requests_are_all_there_when_the_daemon_ends)
{
	char *text;

	run(send_many);
	text = read_file(path);
	EXPECT_EQ(3000, lines_of(text));
	free(text);
}

static void rotate(struct web *w)
{
	struct web_answer a;
	char *text;

	ask(w, GET("/say/1"), 200);
	free(wait_for_lines(path, 1));
	ASSERT_EQ(0, rename(path, moved));
	ask(w, GET("/say/2"), 200);
	free(wait_for_lines(moved, 2));
	EXPECT_EQ(200, web_ask(w, GET("/reopen"), &a));
	EXPECT_STREQ("reopened", a.body);
	web_answer_done(&a);
	ask(w, GET("/say/3"), 200);
	text = wait_for_lines(path, 2);
	EXPECT_NOT_NULL(strstr(text, "\"target\":\"/reopen\""));
	EXPECT_NOT_NULL(strstr(text, "\"target\":\"/say/3\""));
	free(text);
	text = read_file(moved);
	EXPECT_EQ(2, lines_of(text));
	free(text);
}

TEST(a_file_that_was_renamed_is_made_again_when_asked)
{
	run(rotate);
}

static void rotate_into_nothing(struct web *w)
{
	struct web_answer a;
	char *text;

	ASSERT_EQ(0, rename(path, moved));
	ASSERT_EQ(0, mkdir(path, 0700));
	EXPECT_EQ(200, web_ask(w, GET("/reopen"), &a));
	EXPECT_NOT_NULL(strstr(a.body, "http.access_log = "));
	EXPECT_NOT_NULL(strstr(a.body, "Is a directory"));
	web_answer_done(&a);
	text = wait_for_lines(moved, 1);
	EXPECT_NOT_NULL(strstr(text, "\"target\":\"/reopen\""));
	free(text);
}

TEST(the_old_file_stays_when_there_cannot_be_a_new_one)
{
	run(rotate_into_nothing);
}

static uint64_t dropped(const struct web *w)
{
	static const char name[] = "\nsluice_access_log_dropped_total ";
	struct sl_text text = {0};
	const char *at;
	uint64_t n;

	ASSERT_EQ(0, sl_metrics_render(w->registry, &text));
	at = strstr(text.data, name);
	ASSERT_NOT_NULL(at);
	n = strtoull(at + sizeof(name) - 1, NULL, 10);
	sl_text_done(&text);
	return n;
}

static int fifo;

/* Reads what there is. Return: whether "/say/last" is in it. Each line must begin as lines do. */
static bool read_lines(char *ret_before)
{
	char text[4097];
	ssize_t n = read(fifo, text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	for (ssize_t i = 0; i < n; *ret_before = text[i++])
		if (*ret_before == '\n')
			EXPECT_TRUE(text[i] == 't' || text[i] == '\n');
	text[n] = 0;
	return strstr(text, "/say/last") != NULL;
}

/* A FIFO whose reader does not read: what it holds is all that is taken, until he reads again. */
static void fill_fifo(struct web *w)
{
	char before = '\n';

	while (!dropped(w))
		ask(w, GET("/say/1"), 200);
	while (!read_lines(&before))
		ask(w, GET("/say/last"), 200);
}

TEST(a_file_that_takes_no_more_loses_lines_and_holds_up_nobody)
{
	name_files();
	ASSERT_EQ(0, mkfifo(path, 0600));
	fifo = open(path, O_RDONLY | O_NONBLOCK);
	ASSERT_LE(0, fifo);
	/* The least that a pipe can be. */
	ASSERT_LE(4096, fcntl(fifo, F_SETPIPE_SZ, 4096));
	run(fill_fifo);
	close(fifo);
}

TEST(a_log_that_cannot_be_is_told_with_its_cure)
{
	struct http_log *none;
	char why[300];

	EXPECT_EQ(-EINVAL,
		  http_log_open("/nowhere/log", SL_LOG_LOGFMT, 1, &none, why, sizeof(why)));
	EXPECT_STREQ("http.access_log = /nowhere/log: No such file or directory; name a file in a "
		     "folder that this user may write in, or off", why);
	EXPECT_EQ(-EINVAL, http_log_open("/dev/null", SL_LOG_LOGFMT, 1, &none, why, sizeof(why)));
	EXPECT_NOT_NULL(strstr(why, "is neither file nor FIFO"));
	http_log_free(NULL);
}

TEST_HARNESS_MAIN
