// SPDX-License-Identifier: Apache-2.0
/* Requests with bodies over HTTP/2. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "h2_web.h"
#include "harness.h"

static void send_bodies(struct web *w)
{
	struct h2c c = {.window = 16 << 20};
	size_t n = 3 << 20;
	char *data = calloc(1, n);
	struct h2c_answer *a[4];

	ASSERT_NOT_NULL(data);
	for (size_t i = 0; i < n; i++)
		data[i] = (char)h2_byte_at(i);
	h2c_open(&c, w);
	a[0] = h2c_send(&c, "/echo", NULL, data, n, false);
	a[1] = h2c_send(&c, "/echo", "content-length: 100000\n", data, 100000, false);
	a[2] = h2c_send(&c, "/echo", "expect: 100-continue\n", data, 0, false);
	a[3] = h2c_send(&c, "/echo", "content-length: 5\n", data, 5, false);
	h2c_wait(&c, a[0]);
	h2_expect_bytes(a[0], n);
	h2c_wait(&c, a[1]);
	h2_expect_bytes(a[1], 100000);
	h2c_wait(&c, a[2]);
	h2_expect_bytes(a[2], 0);
	h2c_wait(&c, a[3]);
	h2_expect_bytes(a[3], 5);
	h2c_close(&c);
	free(data);
}

TEST(bodies_come_whole)
{
	h2_run(send_bodies);
}

static void wait_for_continue(struct web *w)
{
	struct h2c c = {0};
	struct h2c_answer *a;

	h2c_open(&c, w);
	a = h2c_send(&c, "/echo", "expect: 100-continue\n", "hello", 0, true);
	while (a->status != 100)
		ASSERT_TRUE(h2c_step(&c));
	a->upload_n = 5;
	a->hold = false;
	nghttp2_session_resume_data(c.ng, 1);
	EXPECT_EQ(200, h2c_wait(&c, a));
	EXPECT_STREQ("hello", a->body);
	h2c_close(&c);
}

TEST(body_is_asked_for_when_it_is_wanted)
{
	h2_run(wait_for_continue);
}

static void send_to_late_reader(struct web *w)
{
	struct h2c c = {0};
	size_t n = 2 << 20;
	char *data = calloc(1, n);
	struct h2c_answer *a;

	ASSERT_NOT_NULL(data);
	for (size_t i = 0; i < n; i++)
		data[i] = (char)h2_byte_at(i);
	h2c_open(&c, w);
	a = h2c_send(&c, "/late", NULL, data, n, false);
	h2_wait_until(&h2_begun, 1);
	/* Each answer shows that what was sent before it has been taken, or never will be. */
	for (int i = 0; i < 20; i++)
		h2_expect_alive(&c);
	EXPECT_LE(a->sent, 256 << 10);
	EXPECT_LT(65535, a->sent);
	__atomic_store_n(&h2_released, 1, __ATOMIC_RELEASE);
	h2c_wait(&c, a);
	h2_expect_bytes(a, n);
	h2c_close(&c);
	free(data);
}

/* And the others of the connection are served meanwhile. */
TEST(body_that_is_not_read_is_held_back)
{
	h2_run(send_to_late_reader);
}

static void send_for_nothing(struct web *w)
{
	struct h2c c = {0};
	char *data = calloc(1, 1 << 20);

	ASSERT_NOT_NULL(data);
	h2c_open(&c, w);
	/* More than the connection's window: what is dropped must give it back. */
	for (int i = 0; i < 20; i++) {
		struct h2c_answer *a = h2c_send(&c, "/ignore", NULL, data, 200000, false);

		EXPECT_EQ(200, h2c_wait(&c, a));
		EXPECT_STREQ("ignored", a->body);
		EXPECT_EQ(0, a->error);
	}
	h2_expect_alive(&c);
	h2c_close(&c);
	free(data);
}

TEST(body_that_nobody_wants_is_dropped)
{
	h2_run(send_for_nothing);
}

static void go_on_sending(struct web *w)
{
	struct h2c c = {0};
	char *data = calloc(1, 2 << 20);
	struct h2c_answer *a;

	ASSERT_NOT_NULL(data);
	h2c_open(&c, w);
	a = h2c_send(&c, "/ignore", NULL, data, 2 << 20, false);
	EXPECT_EQ(200, h2c_wait(&c, a));
	EXPECT_STREQ("ignored", a->body);
	EXPECT_EQ(NGHTTP2_NO_ERROR, a->error);
	EXPECT_GT(1 << 20, a->sent);
	h2_expect_alive(&c);
	h2c_close(&c);
	free(data);
}

/* After a while, so that a client has the time to see its answer first. */
TEST(body_that_nobody_wants_is_called_off)
{
	h2_run_within((struct sl_conn_limits){.header_ns = 300 * SL_MSEC}, go_on_sending);
}

static void send_too_much(struct web *w)
{
	struct h2c c = {0};
	size_t n = (4 << 20) + 1;
	char *data = calloc(1, n);
	struct h2c_answer *a;

	ASSERT_NOT_NULL(data);
	h2c_open(&c, w);
	a = h2c_send(&c, "/echo", NULL, data, n, false);
	EXPECT_EQ(413, h2c_wait(&c, a));
	a = h2c_send(&c, "/echo", "content-length: 4194305\n", data, n, false);
	EXPECT_EQ(413, h2c_wait(&c, a));
	h2_expect_alive(&c);
	h2c_close(&c);
	free(data);
}

TEST(body_over_the_limit_is_refused)
{
	h2_run(send_too_much);
}

static void break_off_a_body(struct web *w)
{
	struct h2c c = {0};
	struct h2c_answer *a;

	h2c_open(&c, w);
	a = h2c_send(&c, "/late", NULL, "hello", 5, true);
	h2_wait_until(&h2_begun, 1);
	nghttp2_submit_rst_stream(c.ng, 0, 1, NGHTTP2_CANCEL);
	h2_expect_alive(&c);
	EXPECT_TRUE(a->closed);
	__atomic_store_n(&h2_released, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&h2_last_err, __ATOMIC_ACQUIRE))
		h2_expect_alive(&c);
	EXPECT_EQ(-ECONNRESET, h2_last_err);
	h2c_close(&c);
}

TEST(reader_hears_that_its_stream_is_reset)
{
	h2_run(break_off_a_body);
}

TEST_HARNESS_MAIN
