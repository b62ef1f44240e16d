// SPDX-License-Identifier: Apache-2.0
/* Responses over HTTP/2. Order of parts: responses; pieces. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "h2_web.h"
#include "harness.h"

/* ---- responses -------------------------------------------------------------------------- */

static void ask_at_once(struct web *w)
{
	struct h2c c = {0};
	struct h2c_answer *a[5];

	h2c_open(&c, w);
	a[0] = h2c_ask(&c, "GET", "/big/1000000", NULL);
	a[1] = h2c_ask(&c, "GET", "/say/hello", NULL);
	a[2] = h2c_ask(&c, "GET", "/file", NULL);
	a[3] = h2c_ask(&c, "HEAD", "/big/1000000", NULL);
	a[4] = h2c_ask(&c, "GET", "/nowhere", NULL);
	for (int i = 4; i >= 0; i--) {
		h2c_wait(&c, a[i]);
		EXPECT_TRUE(a[i]->closed);
		EXPECT_EQ(0, a[i]->error);
	}
	h2_expect_bytes(a[0], 1000000);
	EXPECT_STREQ("hello", a[1]->body);
	EXPECT_NOT_NULL(strstr(a[1]->head, "content-type: text/plain\n"));
	EXPECT_NOT_NULL(strstr(a[1]->head, "content-length: 5\n"));
	EXPECT_NOT_NULL(strstr(a[1]->head, "cache-control: no-store\n"));
	EXPECT_NOT_NULL(strstr(a[1]->head, "server: sluice/"));
	EXPECT_NOT_NULL(strstr(a[1]->head, "date: "));
	h2_expect_bytes(a[2], H2_FILE_BYTES);
	EXPECT_EQ(200, a[3]->status);
	EXPECT_EQ(0, a[3]->n);
	EXPECT_NOT_NULL(strstr(a[3]->head, "content-length: 1000000\n"));
	EXPECT_EQ(404, a[4]->status);
	EXPECT_STREQ("{\"error\": \"no such path\"}\n", a[4]->body);
	h2_wait_until(&h2_files_gone, 1);
	h2c_close(&c);
}

TEST(requests_of_a_connection_are_served_beside_one_another)
{
	h2_run(ask_at_once);
}

static void ask_for_large_frames(struct web *w)
{
	struct h2c c = {.frame_max = 1 << 20, .window = 1 << 20};
	struct h2c_answer *a, *b;

	h2c_open(&c, w);
	a = h2c_ask(&c, "GET", "/file", NULL);
	b = h2c_ask(&c, "GET", "/big/3000000", NULL);
	h2c_wait(&c, a);
	h2_expect_bytes(a, H2_FILE_BYTES);
	h2c_wait(&c, b);
	h2_expect_bytes(b, 3000000);
	EXPECT_LT(16384, c.frame_longest);
	h2c_close(&c);
}

TEST(peer_that_allows_it_gets_large_frames)
{
	h2_run(ask_for_large_frames);
}

static void ask_with_little_window(struct web *w)
{
	struct h2c c = {.window = 1000};
	struct h2c_answer *a[8];

	h2c_open(&c, w);
	for (int i = 0; i < 8; i++)
		a[i] = h2c_ask(&c, "GET", i % 2 ? "/big/50000" : "/pieces/known", NULL);
	for (int i = 0; i < 8; i++) {
		h2c_wait(&c, a[i]);
		EXPECT_EQ(0, a[i]->error);
		if (i % 2)
			h2_expect_bytes(a[i], 50000);
		else
			EXPECT_EQ(H2_PIECE * H2_PIECES, a[i]->n);
	}
	h2c_close(&c);
}

TEST(small_windows_are_kept_to)
{
	h2_run(ask_with_little_window);
}

static void ask_many(struct web *w)
{
	struct h2c c = {0};

	h2c_open(&c, w);
	for (int round = 0; round < 10; round++) {
		struct h2c_answer *a[100];

		for (int i = 0; i < 100; i++)
			a[i] = h2c_ask(&c, "GET", i % 3 ? "/say/word" : "/big/10000", NULL);
		for (int i = 0; i < 100; i++) {
			h2c_wait(&c, a[i]);
			if (i % 3)
				EXPECT_STREQ("word", a[i]->body);
			else
				h2_expect_bytes(a[i], 10000);
		}
	}
	EXPECT_EQ(-1, c.goaway);
	h2c_close(&c);
}

TEST(many_requests_are_no_flood)
{
	h2_run(ask_many);
}

static void ask_for_special_heads(struct web *w)
{
	struct h2c c = {0};
	struct h2c_answer *a;
	int n = 0;

	h2c_open(&c, w);
	a = h2c_ask(&c, "BREW", "/tell", "cookie: a=1\ncookie: b=2\n");
	EXPECT_EQ(200, h2c_wait(&c, a));
	EXPECT_STREQ("2 BREW host:1 a=1; b=2", a->body);
	a = h2c_ask(&c, "BREW", "/say/a", NULL);
	EXPECT_EQ(501, h2c_wait(&c, a));
	a = h2c_ask(&c, "OPTIONS", "*", NULL);
	EXPECT_EQ(204, h2c_wait(&c, a));
	EXPECT_NOT_NULL(strstr(a->head, "allow: GET, HEAD, OPTIONS\n"));
	a = h2c_ask(&c, "GET", "/hints", NULL);
	EXPECT_EQ(200, h2c_wait(&c, a));
	EXPECT_MEMEQ(":status: 103\nlink: </a.css>\nlink: </b.css>\n:status: 200\n", a->head, 56);
	EXPECT_STREQ("page", a->body);
	a = h2c_ask(&c, "GET", "/fields", NULL);
	EXPECT_EQ(200, h2c_wait(&c, a));
	EXPECT_STREQ("many", a->body);
	EXPECT_NULL(strstr(a->head, "connection"));
	for (const char *p = a->head; (p = strstr(p, "x-many: a value")); p++)
		n++;
	EXPECT_LT(50, n); /* as many as the client keeps */
	a = h2c_ask(&c, "GET", "/fail/28", NULL);
	EXPECT_EQ(507, h2c_wait(&c, a));
	h2c_close(&c);
}

TEST(heads_are_those_of_the_handlers)
{
	h2_run(ask_for_special_heads);
}

/* ---- pieces ----------------------------------------------------------------------------- */

static void ask_for_pieces(struct web *w)
{
	struct h2c c = {0};
	struct h2c_answer *a[4];

	h2c_open(&c, w);
	a[0] = h2c_ask(&c, "GET", "/pieces/known", NULL);
	a[1] = h2c_ask(&c, "GET", "/pieces/unknown", NULL);
	a[2] = h2c_ask(&c, "GET", "/empty", NULL);
	a[3] = h2c_ask(&c, "HEAD", "/pieces/known", NULL);
	for (int i = 0; i < 4; i++) {
		EXPECT_EQ(200, h2c_wait(&c, a[i]));
		EXPECT_EQ(0, a[i]->error);
		EXPECT_NOT_NULL(strstr(a[i]->head, "x-own: Field\n"));
		EXPECT_EQ(i == 0 || i == 3, !!strstr(a[i]->head, "content-length: 2000000\n"));
		EXPECT_EQ(i < 2 ? H2_PIECE * H2_PIECES : 0, a[i]->n);
	}
	for (size_t i = 0; i < H2_PIECES; i++)
		EXPECT_MEMEQ("<xxx", a[1]->body + i * H2_PIECE, 4);
	h2c_close(&c);
}

TEST(pieces_arrive)
{
	h2_run(ask_for_pieces);
}

static void ask_for_cut_one(struct web *w)
{
	struct h2c c = {0};
	struct h2c_answer *a;

	h2c_open(&c, w);
	a = h2c_ask(&c, "GET", "/cut", NULL);
	h2c_wait(&c, a);
	EXPECT_EQ(NGHTTP2_INTERNAL_ERROR, a->error);
	EXPECT_GT(H2_PIECE * H2_PIECES, a->n);
	h2_expect_alive(&c);
	h2c_close(&c);
}

TEST(body_without_its_end_resets_its_stream_alone)
{
	h2_run(ask_for_cut_one);
}

static void stay_deaf(struct web *w)
{
	struct h2c c = {.deaf = true};
	struct h2c_answer *a;
	int before;

	h2c_open(&c, w);
	a = h2c_ask(&c, "GET", "/endless", NULL);
	while (a->n < 65535)
		ASSERT_TRUE(h2c_step(&c));
	/* The window is used up: the handler fills its queue, and then waits for good. */
	do {
		before = __atomic_load_n(&h2_begun, __ATOMIC_ACQUIRE);
		usleep(100000);
	} while (before != __atomic_load_n(&h2_begun, __ATOMIC_ACQUIRE));
	EXPECT_GT(10, before);
	nghttp2_submit_rst_stream(c.ng, 0, 1, NGHTTP2_CANCEL);
	h2c_flush(&c);
	while (!__atomic_load_n(&h2_last_err, __ATOMIC_ACQUIRE))
		usleep(1000);
	EXPECT_EQ(-ECONNRESET, h2_last_err);
	h2c_close(&c);
}

TEST(handler_waits_for_windows_and_hears_of_a_reset)
{
	h2_run(stay_deaf);
}

static void reset_files(struct web *w)
{
	struct h2c c = {.window = 100000};
	enum { N = 20 };

	h2c_open(&c, w);
	for (int i = 0; i < N; i++) {
		struct h2c_answer *a = h2c_ask(&c, "GET", i % 2 ? "/file" : "/big/3000000", NULL);

		while (!a->n)
			ASSERT_TRUE(h2c_step(&c));
		nghttp2_submit_rst_stream(c.ng, 0, 2 * i + 1, NGHTTP2_CANCEL);
		/* What was received of it must still have been what it was. */
		for (size_t k = 0; k < a->n; k++)
			ASSERT_EQ(h2_byte_at(k), (uint8_t)a->body[k]);
	}
	h2_expect_alive(&c);
	h2_wait_until(&h2_files_gone, N / 2);
	h2c_close(&c);
}

/* Pieces on their way when the stream is reset keep what they are of, and no longer. */
TEST(reset_in_the_middle_of_a_part_releases_it)
{
	h2_run(reset_files);
}

static void leave_in_the_middle(struct web *w)
{
	enum { N = 10 };

	for (int i = 0; i < N; i++) {
		struct h2c c = {.window = 1 << 20};
		struct h2c_answer *a;

		h2c_open(&c, w);
		a = h2c_ask(&c, "GET", "/file", NULL);
		h2c_ask(&c, "GET", "/endless", NULL);
		while (!a->n)
			ASSERT_TRUE(h2c_step(&c));
		h2c_close(&c);
	}
	h2_wait_until(&h2_files_gone, N);
	while (!__atomic_load_n(&h2_last_err, __ATOMIC_ACQUIRE))
		usleep(1000);
}

TEST(client_that_leaves_takes_its_streams_along)
{
	h2_run(leave_in_the_middle);
}

TEST_HARNESS_MAIN
