// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP/2 connections over sockets.
 * Order of parts: beginning; what is refused; floods; patience; the end.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "h2_web.h"
#include "harness.h"

/* ---- beginning -------------------------------------------------------------------------- */

static void begin_in_the_middle(struct web *w)
{
	int fd = web_connect(w);
	struct web_answer a;

	web_send_text(fd, "GET /say/a HTTP/1.1\r\nHost: h\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	ASSERT_TRUE(web_read(fd, false, &a));
	EXPECT_EQ(200, a.status);
	web_answer_done(&a);
	ASSERT_TRUE(web_read(fd, false, &a));
	EXPECT_EQ(505, a.status);
	web_answer_done(&a);
	EXPECT_TRUE(serving_ended(fd));
	close(fd);
}

TEST(preface_is_one_at_the_beginning_only)
{
	h2_run(begin_in_the_middle);
}

static void begin_slowly(struct web *w)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	int fd = web_connect(w);
	uint8_t head[9];

	for (size_t i = 0; i < sizeof(preface) - 1; i++) {
		serving_send(fd, preface + i, 1);
		usleep(200);
	}
	ASSERT_TRUE(serving_receive(fd, head, sizeof(head)));
	EXPECT_EQ(NGHTTP2_SETTINGS, head[3]);
	close(fd);
}

TEST(preface_may_come_byte_by_byte)
{
	h2_run(begin_slowly);
}

/* ---- what is refused -------------------------------------------------------------------- */

static void send_unsound_fields(struct web *w)
{
	static const char *const fields[] = {
		"a: b\rc\n",	  "connection: close\n",
		"te: gzip\n",	  "transfer-encoding: chunked\n",
		":status: 200\n", "a: b\n:path: /\n",
		":unknown: x\n",  "content-length: x\n",
		"a b: c\n",	  "content-length: 1\ncontent-length: 2\n",
		"a: \x01\n",
	};
	struct h2c c = {0};

	h2c_open(&c, w);
	for (size_t i = 0; i < SL_ARRAY_SIZE(fields); i++) {
		struct h2c_answer *a = h2c_ask(&c, "GET", "/say/a", fields[i]);

		h2c_wait(&c, a);
		if (!EXPECT_TRUE(a->closed) || !EXPECT_TRUE(a->error || a->status == 400))
			TH_LOG("%s", fields[i]);
		EXPECT_NE(200, a->status);
	}
	h2_expect_alive(&c);
	h2c_close(&c);
}

TEST(unsound_fields_end_their_stream)
{
	h2_run(send_unsound_fields);
}

static void send_other_lengths(struct web *w)
{
	struct h2c c = {0};
	struct h2c_answer *a;

	h2c_open(&c, w);
	a = h2c_send(&c, "/echo", "content-length: 5\n", "hell", 4, false);
	h2c_wait(&c, a);
	EXPECT_EQ(NGHTTP2_PROTOCOL_ERROR, a->error);
	a = h2c_send(&c, "/echo", "content-length: 5\n", "hello!", 6, false);
	h2c_wait(&c, a);
	EXPECT_EQ(NGHTTP2_PROTOCOL_ERROR, a->error);
	a = h2c_ask(&c, "GET", "/say/a", "content-length: 5\n");
	h2c_wait(&c, a);
	EXPECT_EQ(NGHTTP2_PROTOCOL_ERROR, a->error);
	h2_expect_alive(&c);
	h2c_close(&c);
}

TEST(length_that_is_not_the_bodys_ends_its_stream)
{
	h2_run(send_other_lengths);
}

static void send_long_heads(struct web *w)
{
	static char fields[20000];
	struct h2c c = {0};
	struct h2c_answer *a;
	size_t n = 0;

	while (n < 10000)
		n += (size_t)snprintf(fields + n, sizeof(fields) - n, "x-%zu: %080d\n", n, 1);
	h2c_open(&c, w);
	a = h2c_ask(&c, "GET", "/say/a", fields);
	EXPECT_EQ(431, h2c_wait(&c, a));
	h2_expect_alive(&c);
	h2c_close(&c);
}

TEST(head_over_the_limit_is_refused)
{
	h2_run(send_long_heads);
}

static void begin_late_stream(struct web *w)
{
	/* GET / of host "h" */
	static const uint8_t block[] = {0x82, 0x86, 0x84, 0x41, 0x01, 'h'};
	struct h2c c = {0};

	h2c_open(&c, w);
	/* The client's library must know of it, or it would not read on behind its answer. */
	ASSERT_EQ(0, nghttp2_session_set_next_stream_id(c.ng, 5));
	h2_expect_alive(&c);
	h2c_frame(&c, NGHTTP2_HEADERS, 5, 3, block, sizeof(block));
	while (h2c_step(&c))
		;
	EXPECT_EQ(NGHTTP2_PROTOCOL_ERROR, c.goaway);
	h2c_close(&c);
}

TEST(stream_begun_after_a_later_one_ends_the_connection)
{
	h2_run(begin_late_stream);
}

/* ---- floods ----------------------------------------------------------------------------- */

struct flood {
	uint8_t type, flags;
	int32_t id;
	size_t n;
};

/* SETTINGS are answered: the client's library must know of them, or it would not read on. */
static void send_one(struct h2c *c, const struct flood *f)
{
	static const uint8_t payload[8];

	if (f->type != NGHTTP2_SETTINGS) {
		h2c_frame(c, f->type, f->flags, f->id, payload, f->n);
		return;
	}
	ASSERT_EQ(0, nghttp2_submit_settings(c->ng, f->flags, NULL, 0));
	h2c_flush(c);
}

static void flood_with(struct web *w, const struct flood *f)
{
	struct h2c c = {0};

	h2c_open(&c, w);
	h2_expect_alive(&c);
	for (int i = 0; i < 5000; i++)
		send_one(&c, f);
	h2c_wait_end(&c);
	if (!EXPECT_EQ(NGHTTP2_ENHANCE_YOUR_CALM, c.goaway))
		TH_LOG("frames of type %u", f->type);
	h2c_close(&c);
}

static void send_floods(struct web *w)
{
	static const struct flood floods[] = {
		{NGHTTP2_PING, 0, 0, 8},
		{NGHTTP2_SETTINGS, 0, 0, 0},
		{NGHTTP2_PRIORITY, 0, 7, 5},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(floods); i++)
		flood_with(w, &floods[i]);
}

TEST(floods_of_small_frames_are_told_to_calm_down)
{
	h2_run(send_floods);
}

static void reset_rapidly(struct web *w)
{
	struct h2c c = {0};

	h2c_open(&c, w);
	for (int i = 0; i < 1500 && !c.ended; i++) {
		h2c_ask(&c, "GET", "/wait", NULL);
		nghttp2_submit_rst_stream(c.ng, 0, 2 * i + 1, NGHTTP2_CANCEL);
		h2c_flush(&c);
	}
	while (c.goaway < 0 && h2c_step(&c))
		;
	EXPECT_EQ(NGHTTP2_ENHANCE_YOUR_CALM, c.goaway);
	EXPECT_GE(128, __atomic_load_n(&h2_begun, __ATOMIC_ACQUIRE));
	__atomic_store_n(&h2_released, 1, __ATOMIC_RELEASE);
	h2c_wait_end(&c);
	h2c_close(&c);
}

/* CVE-2023-44487; and the handlers that run stay as few as one connection may have. */
TEST(streams_reset_as_soon_as_begun_are_a_flood)
{
	h2_run(reset_rapidly);
}

static void send_endless_head(struct web *w)
{
	static const uint8_t block[] = {0x82, 0x86, 0x84, 0x41, 0x01, 'h'};
	static uint8_t more[1000];
	struct h2c c = {0};

	/* Literal fields without a name's index, never indexed: "aaaa": "". */
	for (size_t i = 0; i + 7 <= sizeof(more); i += 7)
		memcpy(more + i,
		       "\x10\x04"
		       "aaaa"
		       "\0",
		       7);
	h2c_open(&c, w);
	h2_expect_alive(&c);
	h2c_frame(&c, NGHTTP2_HEADERS, 1, 3, block, sizeof(block));
	for (int i = 0; i < 5000; i++)
		h2c_frame(&c, NGHTTP2_CONTINUATION, 0, 3, more, 994);
	h2c_wait_end(&c);
	EXPECT_TRUE(c.ended);
	h2c_close(&c);
}

TEST(head_without_end_ends_the_connection)
{
	h2_run(send_endless_head);
}

/* ---- patience --------------------------------------------------------------------------- */

static void do_nothing(struct web *w)
{
	struct h2c c = {0};

	h2c_open(&c, w);
	h2c_wait_end(&c);
	EXPECT_EQ(NGHTTP2_NO_ERROR, c.goaway);
	h2c_close(&c);
}

TEST(idle_connection_is_ended)
{
	h2_run_within((struct sl_conn_limits){.idle_ns = 300 * SL_MSEC}, do_nothing);
}

static void stop_in_a_head(struct web *w)
{
	static const uint8_t block[] = {0x82, 0x86, 0x84, 0x41, 0x01, 'h'};
	struct h2c c = {0};

	h2c_open(&c, w);
	h2_expect_alive(&c); /* nothing of the client's own may come in between */
	h2c_frame(&c, NGHTTP2_HEADERS, 1, 3, block, sizeof(block));
	h2c_wait_end(&c);
	EXPECT_EQ(NGHTTP2_ENHANCE_YOUR_CALM, c.goaway);
	h2c_close(&c);
}

TEST(head_that_does_not_go_on_ends_the_connection)
{
	h2_run_within((struct sl_conn_limits){.header_ns = 300 * SL_MSEC}, stop_in_a_head);
}

static void never_open_the_window(struct web *w)
{
	struct h2c c = {.deaf = true};

	h2c_open(&c, w);
	h2c_ask(&c, "GET", "/file", NULL);
	h2c_wait_end(&c);
	EXPECT_EQ(NGHTTP2_ENHANCE_YOUR_CALM, c.goaway);
	h2_wait_until(&h2_files_gone, 1);
	h2c_close(&c);
}

TEST(peer_whose_windows_stay_closed_is_given_up)
{
	h2_run_within((struct sl_conn_limits){.write_ns = 300 * SL_MSEC}, never_open_the_window);
}

static void stop_in_a_body(struct web *w)
{
	struct h2c c = {0};
	struct h2c_answer *a;

	h2c_open(&c, w);
	a = h2c_send(&c, "/echo", NULL, "hello", 5, true);
	EXPECT_EQ(408, h2c_wait(&c, a));
	h2_expect_alive(&c);
	h2c_close(&c);
}

TEST(body_that_does_not_go_on_is_answered)
{
	h2_run_within((struct sl_conn_limits){.header_ns = 300 * SL_MSEC}, stop_in_a_body);
}

/* ---- the end ---------------------------------------------------------------------------- */

/* Connections that outlive their client's function: the server drains. */
static struct h2c drained;
static struct h2c_answer *late;

static void *wait_while_draining(void *arg)
{
	while (drained.goaway < 0 && h2c_step(&drained))
		;
	__atomic_store_n(&h2_released, 1, __ATOMIC_RELEASE);
	h2c_wait_end(&drained);
	return NULL;
}

static pthread_t drainer;

static void ask_and_leave_open(struct web *w)
{
	h2c_open(&drained, w);
	late = h2c_ask(&drained, "GET", "/wait", NULL);
	h2_wait_until(&h2_begun, 1);
	ASSERT_EQ(0, pthread_create(&drainer, NULL, wait_while_draining, NULL));
}

/* It is told, what it began is answered, and then it ends. */
TEST(draining_lets_streams_end)
{
	h2_run(ask_and_leave_open);
	ASSERT_EQ(0, pthread_join(drainer, NULL));
	EXPECT_EQ(NGHTTP2_NO_ERROR, drained.goaway);
	EXPECT_LT(0, drained.goaway_last);
	EXPECT_STREQ("late", late->body);
	EXPECT_EQ(0, late->error);
	h2c_close(&drained);
}

static void say_goodbye(struct web *w)
{
	struct h2c c = {0};

	h2c_open(&c, w);
	h2_expect_alive(&c);
	nghttp2_submit_goaway(c.ng, 0, 0, NGHTTP2_NO_ERROR, NULL, 0);
	h2c_wait_end(&c);
	EXPECT_TRUE(c.ended);
	h2c_close(&c);
}

TEST(peer_that_takes_leave_is_let_go)
{
	h2_run(say_goodbye);
}

TEST_HARNESS_MAIN
