// SPDX-License-Identifier: Apache-2.0
/* Responses over HTTP/1.1 and 1.0 that leave in pieces; whole ones are in serve_test.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "proto/http/route.h"
#include "web.h"

#define ASK(method, path, version) method " " path " HTTP/" version "\r\nHost: h\r\n"

/* ---- the routes of these tests ---------------------------------------------------------- */

enum { PIECE = 100000, PIECES = 20 };

/* What the handler's calls returned, read by the client when it has its answer. */
static int last_err;

static int send_piece(struct http_request *rq, size_t n, int64_t deadline)
{
	struct sl_buf *buf = sl_buf_new(n);
	struct sl_part parts[2];

	if (!buf)
		return -ENOMEM;
	memset(buf->data, 'x', n);
	parts[0] = sl_part_slice(sl_slice_borrow("<", 1));
	parts[1] = sl_part_slice((struct sl_slice){.buf = buf, .data = buf->data, .len = n - 1});
	return http_stream_send(rq, parts, 2, deadline);
}

static int send_pieces(struct http_request *rq, struct http_response *rs, uint64_t bytes, int n,
		       int64_t deadline)
{
	int err;

	rs->content_type = "text/plain";
	err = http_response_field(rs, "X-Own", "field");
	if (!err)
		err = http_stream_begin(rq, rs, bytes, deadline);
	for (int i = 0; i < n && !err; i++)
		err = send_piece(rq, PIECE, deadline);
	return err;
}

static int get_known(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	int err = send_pieces(rq, rs, PIECE * PIECES, PIECES, deadline);

	return err ? err : http_stream_end(rq, deadline);
}

static int get_unknown(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	int err = send_pieces(rq, rs, HTTP_BYTES_UNKNOWN, PIECES, deadline);

	return err ? err : http_stream_end(rq, deadline);
}

static int get_empty(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	int err = send_pieces(rq, rs, HTTP_BYTES_UNKNOWN, 0, deadline);

	return err ? err : http_stream_end(rq, deadline);
}

static int get_cut(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	return send_pieces(rq, rs, HTTP_BYTES_UNKNOWN, 2, deadline);
}

static int get_short(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	int err = send_pieces(rq, rs, PIECE * PIECES, 2, deadline);

	return err ? err : -EIO;
}

/* Until the client is gone. */
static int get_endless(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	int err = send_pieces(rq, rs, HTTP_BYTES_UNKNOWN, 0, deadline);

	while (!err)
		err = send_piece(rq, PIECE, deadline);
	__atomic_store_n(&last_err, err, __ATOMIC_RELEASE);
	return err;
}

static int any_method(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	struct http_str text = http_request_str(rq, rq->method_text);

	return http_response_body(rs, "text/plain", text.p, text.n);
}

static int get_fields(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	int err = 0;

	for (int i = 0; i < 600 && !err; i++)
		err = http_response_field(rs, "X-Many", "a value of a field that comes often, and "
						       "is long enough to fill a head by itself");
	return err ? err : http_response_body(rs, "text/plain", "many", 4);
}

static int get_hints(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	static const char hints[] = "Link: </a.css>\r\nLink: </b.css>\r\n";
	int err = http_interim(rq, 103, hints, sizeof(hints) - 1, deadline);

	return err ? err : http_response_body(rs, "text/plain", "page", 4);
}

static const struct http_route routes[] = {
	{HTTP_ON(GET), "/known", get_known, 0},	    {HTTP_ON(GET), "/unknown", get_unknown, 0},
	{HTTP_ON(GET), "/empty", get_empty, 0},	    {HTTP_ON(GET), "/cut", get_cut, 0},
	{HTTP_ON(GET), "/short", get_short, 0},	    {HTTP_ON(GET), "/endless", get_endless, 0},
	{HTTP_ON(ANY), "/any", any_method, 0},	    {HTTP_ON(GET), "/fields", get_fields, 0},
	{HTTP_ON(GET), "/hints", get_hints, 0},
};

static const struct http_api api = {"test", routes, SL_ARRAY_SIZE(routes), NULL, 0};

static void run(void (*client)(struct web *w))
{
	struct web w = {.client = client,
			.conf = {.apis = &api, .apis_n = 1}};

	web_run(&w);
}

static void expect_pieces(const struct web_answer *a, int n)
{
	EXPECT_EQ(200, a->status);
	EXPECT_NOT_NULL(strstr(a->head, "\r\nX-Own: field\r\n"));
	ASSERT_EQ((size_t)n * PIECE, a->n);
	for (int i = 0; i < n; i++)
		EXPECT_MEMEQ("<xxx", a->body + (size_t)i * PIECE, 4);
}

/* ---- tests ------------------------------------------------------------------------------ */

static void ask_in_a_row(struct web *w)
{
	int fd = web_connect(w);
	struct web_answer a;

	web_send_text(fd, ASK("GET", "/known", "1.1") "\r\n" ASK("GET", "/unknown", "1.1") "\r\n"
			  ASK("GET", "/empty", "1.1") "\r\n" ASK("GET", "/known", "1.1") "\r\n");
	for (int i = 0; i < 4; i++) {
		ASSERT_TRUE(web_read(fd, false, &a));
		expect_pieces(&a, i == 2 ? 0 : PIECES);
		EXPECT_EQ(i == 1 || i == 2, !!strstr(a.head, "\r\nTransfer-Encoding: chunked\r\n"));
		EXPECT_EQ(i == 0 || i == 3, !!strstr(a.head, "\r\nContent-Length: 2000000\r\n"));
		EXPECT_FALSE(a.cut);
		web_answer_done(&a);
	}
	close(fd);
}

TEST(pieces_keep_the_connection)
{
	run(ask_in_a_row);
}

static void ask_heads(struct web *w)
{
	int fd = web_connect(w);
	struct web_answer a;

	web_send_text(fd, ASK("HEAD", "/known", "1.1") "\r\n" ASK("HEAD", "/unknown", "1.1") "\r\n"
			  ASK("HEAD", "/known", "1.1") "Connection: close\r\n\r\n");
	for (int i = 0; i < 3; i++) {
		ASSERT_TRUE(web_read(fd, true, &a));
		expect_pieces(&a, 0);
		EXPECT_EQ(i != 1, !!strstr(a.head, "\r\nContent-Length: 2000000\r\n"));
		web_answer_done(&a);
	}
	EXPECT_TRUE(serving_ended(fd));
	close(fd);
}

TEST(head_of_pieces_has_no_body)
{
	run(ask_heads);
}

static void ask_by_old_client(struct web *w)
{
	int fd = web_connect(w);
	struct web_answer a;
	static char body[PIECE * PIECES];

	web_send_text(fd, ASK("GET", "/unknown", "1.0") "Connection: keep-alive\r\n\r\n");
	ASSERT_TRUE(web_read(fd, true, &a));
	EXPECT_NULL(strstr(a.head, "Transfer-Encoding"));
	EXPECT_NOT_NULL(strstr(a.head, "\r\nConnection: close\r\n"));
	web_answer_done(&a);
	ASSERT_TRUE(serving_receive(fd, body, sizeof(body)));
	EXPECT_TRUE(serving_ended(fd));
	close(fd);
	fd = web_connect(w);
	web_send_text(fd, ASK("GET", "/known", "1.0") "Connection: keep-alive\r\n\r\n"
			  ASK("GET", "/known", "1.0") "\r\n");
	for (int i = 0; i < 2; i++) {
		ASSERT_TRUE(web_read(fd, false, &a));
		expect_pieces(&a, PIECES);
		web_answer_done(&a);
	}
	EXPECT_TRUE(serving_ended(fd));
	close(fd);
}

TEST(old_client_gets_pieces_until_the_end)
{
	run(ask_by_old_client);
}

static void ask_for_cut_ones(struct web *w)
{
	static const char *const requests[] = {ASK("GET", "/cut", "1.1") "\r\n",
					       ASK("GET", "/short", "1.1") "\r\n"};

	for (size_t i = 0; i < SL_ARRAY_SIZE(requests); i++) {
		int fd = web_connect(w);
		struct web_answer a;

		web_send_text(fd, requests[i]);
		web_send_text(fd, ASK("GET", "/any", "1.1") "\r\n");
		if (web_read(fd, false, &a)) {
			EXPECT_TRUE(a.cut);
			web_answer_done(&a);
		}
		EXPECT_TRUE(serving_ended(fd));
		close(fd);
	}
}

TEST(body_without_its_end_is_seen_to_be_cut)
{
	run(ask_for_cut_ones);
}

static void leave_in_the_middle(struct web *w)
{
	int fd = web_connect(w);
	char some[1000];

	web_send_text(fd, ASK("GET", "/endless", "1.1") "\r\n");
	ASSERT_TRUE(serving_receive(fd, some, sizeof(some)));
	close(fd);
	while (!__atomic_load_n(&last_err, __ATOMIC_ACQUIRE))
		usleep(1000);
	EXPECT_EQ(-ECONNRESET, __atomic_load_n(&last_err, __ATOMIC_ACQUIRE));
}

TEST(handler_hears_that_the_client_is_gone)
{
	run(leave_in_the_middle);
}

static void ask_by_any_method(struct web *w)
{
	static const char *const methods[] = {"GET", "BREW", "PROPFIND", "TRACE", "OPTIONS"};
	int fd = web_connect(w);

	for (size_t i = 0; i < SL_ARRAY_SIZE(methods); i++) {
		struct web_answer a;

		web_send_text(fd, methods[i]);
		web_send_text(fd, " /any HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
		ASSERT_TRUE(web_read(fd, false, &a));
		EXPECT_EQ(200, a.status);
		EXPECT_STREQ(methods[i], a.body);
		web_answer_done(&a);
	}
	close(fd);
}

TEST(a_route_may_take_any_method)
{
	run(ask_by_any_method);
}

static void ask_by_unknown_method(struct web *w)
{
	static const char *const paths[] = {"/known", "/nowhere"};

	for (size_t i = 0; i < SL_ARRAY_SIZE(paths); i++) {
		int fd = web_connect(w);
		struct web_answer a;

		web_send_text(fd, "BREW ");
		web_send_text(fd, paths[i]);
		web_send_text(fd, " HTTP/1.1\r\nHost: h\r\n\r\n" ASK("GET", "/any", "1.1") "\r\n");
		ASSERT_TRUE(web_read(fd, false, &a));
		EXPECT_EQ(501, a.status);
		web_answer_done(&a);
		EXPECT_TRUE(serving_ended(fd));
		close(fd);
	}
}

TEST(other_routes_refuse_methods_without_a_name)
{
	run(ask_by_unknown_method);
}

static void ask_for_fields(struct web *w)
{
	struct web_answer a;
	int n = 0;

	EXPECT_EQ(200, web_ask(w, ASK("GET", "/fields", "1.1") "\r\n", &a));
	EXPECT_STREQ("many", a.body);
	for (const char *p = a.head; (p = strstr(p, "\r\nX-Many: a value")); p++)
		n++;
	EXPECT_EQ(600, n);
	web_answer_done(&a);
}

TEST(head_may_be_large)
{
	run(ask_for_fields);
}

static void ask_for_hints(struct web *w)
{
	int fd = web_connect(w);
	struct web_answer a;

	web_send_text(fd, ASK("GET", "/hints", "1.1") "\r\n" ASK("GET", "/hints", "1.0") "\r\n");
	ASSERT_TRUE(web_read(fd, true, &a));
	EXPECT_STREQ("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nLink: </b.css>\r\n\r\n",
		     a.head);
	web_answer_done(&a);
	for (int i = 0; i < 2; i++) {
		ASSERT_TRUE(web_read(fd, false, &a));
		EXPECT_EQ(200, a.status);
		EXPECT_STREQ("page", a.body);
		web_answer_done(&a);
	}
	EXPECT_TRUE(serving_ended(fd));
	close(fd);
}

/* RFC 9110, section 15.2: not to an HTTP/1.0 client. */
TEST(hints_come_before_the_answer)
{
	run(ask_for_hints);
}

TEST_HARNESS_MAIN
