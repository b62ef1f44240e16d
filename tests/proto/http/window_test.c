// SPDX-License-Identifier: Apache-2.0
/*
 * Bodies of JSON through a window.
 * Order of parts: texts; bodies over sockets.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "proto/http/route.h"
#include "web.h"

/* ---- texts ------------------------------------------------------------------------------ */

/* Expects that the next value of @w is @wanted. */
static void expect_value(struct http_window *w, const char *wanted)
{
	char *text;
	size_t n;

	ASSERT_EQ(1, http_window_value(w, &text, &n));
	ASSERT_EQ(strlen(wanted), n);
	EXPECT_MEMEQ(wanted, text, n);
}

TEST(values_are_taken_between_white_space)
{
	char text[] = " {\"a\": [1]}\t, \"b,\" ,7 ]\r\n";
	struct http_window w;

	http_window_text(&w, text, sizeof(text) - 1);
	EXPECT_EQ('{', http_window_peek(&w));
	expect_value(&w, "{\"a\": [1]}");
	EXPECT_EQ(',', http_window_peek(&w));
	w.at++;
	expect_value(&w, "\"b,\"");
	EXPECT_EQ(',', http_window_peek(&w));
	w.at++;
	expect_value(&w, "7");
	EXPECT_EQ(']', http_window_peek(&w));
	w.at++;
	EXPECT_EQ(0, http_window_peek(&w));
	EXPECT_EQ(0, http_window_peek(&w));
}

TEST(what_has_no_end_is_no_value)
{
	char text[] = "[1, 2", none[] = ", 1", nul[] = "\0 1";
	struct http_window w;
	char *p;
	size_t n;

	http_window_text(&w, text, sizeof(text) - 1);
	EXPECT_EQ(0, http_window_value(&w, &p, &n));
	EXPECT_EQ('[', http_window_peek(&w));
	http_window_text(&w, none, sizeof(none) - 1);
	expect_value(&w, "");
	http_window_text(&w, nul, sizeof(nul) - 1);
	EXPECT_EQ(HTTP_WINDOW_NUL, http_window_peek(&w));
}

/* ---- bodies over sockets ---------------------------------------------------------------- */

enum { ROOM = 16, ROOM_MAX = 50 };

/* Values with nothing between them: how many there are, and how long all of them. */
static int take_values(struct http_window *w, struct http_json *j)
{
	uint64_t values = 0, bytes = 0;
	char *text;
	size_t n;
	int c;

	while ((c = http_window_peek(w)) > 0) {
		int found = http_window_value(w, &text, &n);

		if (found <= 0)
			return found ? found : -EINVAL;
		values++;
		bytes += n;
		EXPECT_TRUE(*text == '"' && text[n - 1] == '"');
	}
	http_json_open(j, '[');
	http_json_uint(j, values);
	http_json_uint(j, bytes);
	http_json_uint(j, w->before + w->at);
	http_json_uint(j, w->room);
	http_json_close(j, ']');
	return c;
}

/* What is held is one value at least, and stays where it is. */
static int hold_values(struct http_window *w, struct http_json *j)
{
	char *first, *text;
	size_t n;
	int found = http_window_value(w, &first, &n), held = 0;
	char c = found > 0 ? first[1] : 0;

	w->held = true;
	for (; found > 0; held++)
		found = http_window_value(w, &text, &n);
	EXPECT_EQ(-EAGAIN, found);
	EXPECT_EQ(-EAGAIN, http_window_value(w, &text, &n));
	EXPECT_EQ(c, first[1]);
	w->held = false;
	http_json_open(j, '[');
	http_json_int(j, held);
	found = take_values(w, j);
	http_json_close(j, ']');
	return found;
}

static int serve(struct http_request *rq, struct http_response *rs, int64_t deadline,
		 int (*take)(struct http_window *w, struct http_json *j))
{
	struct http_window w;
	struct http_arena a;
	struct http_json j;
	int err;

	http_arena_init(&a, SL_MIB);
	http_json_init(&j, SL_MIB);
	err = http_window_body(&w, rq, &a, ROOM, ROOM_MAX, deadline);
	if (!err)
		err = take(&w, &j);
	if (err == -ENOBUFS || err == -EINVAL) {
		http_json_done(&j);
		http_json_init(&j, SL_MIB);
		http_json_string(&j, err == -EINVAL ? "cut" : "long");
		err = 0;
	}
	if (!err)
		err = http_json_send(&j, rs);
	http_json_done(&j);
	http_arena_done(&a);
	return err;
}

static int post_values(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	return serve(rq, rs, deadline, take_values);
}

static int post_held(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	return serve(rq, rs, deadline, hold_values);
}

static const struct http_route routes[] = {
	{HTTP_ON(POST), "/values", post_values, HTTP_ROUTE_LONG_BODY},
	{HTTP_ON(POST), "/held", post_held, HTTP_ROUTE_LONG_BODY},
};

static const struct http_api api = {
	.name = "window", .routes = routes, .routes_n = SL_ARRAY_SIZE(routes)};

static void expect(struct web *w, const char *path, bool chunked, const char *body,
		   const char *answer)
{
	struct web_answer a;
	char text[1000];

	if (chunked)
		snprintf(text, sizeof(text),
			 "POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
			 "%zx\r\n%s\r\n0\r\n\r\n",
			 path, strlen(body), body);
	else
		snprintf(text, sizeof(text),
			 "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s", path,
			 strlen(body), body);
	EXPECT_EQ(200, web_ask(w, text, &a));
	if (!EXPECT_STREQ(answer, a.body))
		TH_LOG("%s %s", path, body);
	web_answer_done(&a);
}

#define TEN "\"01234567\""
#define TWENTY "\"012345678901234567\""
#define FIFTY "\"0123456789 0123456789 0123456789 0123456789 0123\""

static void post(struct web *w)
{
	expect(w, "/values", false, "\"a\"", "[1,3,3,4]"); /* of a short body no more is held */
	expect(w, "/values", true, "\"a\"", "[1,3,3,16]");
	expect(w, "/values", false, TEN " " TEN "\n" TEN TEN TEN TEN " ", "[6,60,63,16]");
	expect(w, "/values", true, TEN TWENTY TEN TWENTY TWENTY TWENTY, "[6,100,100,32]");
	expect(w, "/values", true, TEN FIFTY TEN, "[3,70,70,50]");
	expect(w, "/values", true, TEN TWENTY "\"0123", "\"cut\"");
	expect(w, "/values", true, TEN "[" FIFTY "]", "\"long\"");
	expect(w, "/values", false, TEN "\"012", "\"cut\"");
	expect(w, "/values", false, "", "[0,0,0,1]");
}

static void post_to_be_held(struct web *w)
{
	expect(w, "/held", false, TEN TEN TEN, "[1,[2,20,30,16]]");
	expect(w, "/held", true, "\"a\" \"b\" \"c\" \"d\" " TEN, "[4,[1,10,26,16]]");
}

TEST(bodies_of_any_length_are_taken_value_by_value)
{
	struct web w = {.client = post, .conf = {.apis = &api, .apis_n = 1}};

	web_run(&w);
}

TEST(what_is_held_stays_where_it_is)
{
	struct web w = {.client = post_to_be_held, .conf = {.apis = &api, .apis_n = 1}};

	web_run(&w);
}

TEST_HARNESS_MAIN
