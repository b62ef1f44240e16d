/* SPDX-License-Identifier: Apache-2.0 */
/* What a socket may hold queued: bounded from the first large part on, and only then. */
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/conn_pvt.h"
#include "peer.h"

struct seen {
	uint64_t bound;
	int queue, unsent;
	bool unlocked;
};

static int option(const struct sl_conn *c, int level, int name)
{
	int v = 0;
	socklen_t len = sizeof(v);

	EXPECT_EQ(0, getsockopt(c->fd, level, name, &v, &len));
	return v;
}

static void look(struct peer *x, const struct sl_conn *c)
{
	struct seen *s = x->arg;

	s->bound = c->queue.bytes;
	s->queue = option(c, SOL_SOCKET, SO_SNDBUF);
	s->unsent = option(c, IPPROTO_TCP, TCP_NOTSENT_LOWAT);
	s->unlocked = c->queue.unlocked;
}

/* "<len>": so many bytes of the file; anything else: what the connection's bound is. */
static int answer(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	unsigned long bytes;
	struct sl_reply *r;

	if (sscanf(body, "%lu", &bytes) != 1) {
		look(x, c);
		return peer_echo(x, c, body, len);
	}
	r = peer_reply(c, 1, 0, (uint32_t)bytes, "", 0);
	peer_add_extent(x, r, 0, bytes);
	return sl_deliver(r, SL_NEVER);
}

static void ask(struct peer *x, int fd, size_t len)
{
	char text[32];

	snprintf(text, sizeof(text), "%zu", len);
	peer_request(fd, text);
	peer_expect(fd, x->bytes, len);
}

static void copy(struct peer *x, void *ret_seen)
{
	*(struct seen *)ret_seen = *(struct seen *)x->arg;
}

/* What the connection of @fd is bound to now. */
static struct seen bound_of(struct peer *x, int fd)
{
	struct seen s;

	peer_ping(fd, "look");
	peer_do(x, copy, &s);
	return s;
}

static void by_size(struct peer *x)
{
	struct seen s;
	int fd = peer_connect(x);

	ask(x, fd, 100000);
	EXPECT_EQ(0, bound_of(x, fd).bound);
	ask(x, fd, 1000000);
	s = bound_of(x, fd);
	EXPECT_LE(128 << 10, s.bound);
	EXPECT_LE(2 * (128 << 10), s.queue);
	EXPECT_LE(32 << 10, s.unsent);
	EXPECT_GE(s.queue, s.unsent);
	close(fd);
}

TEST(the_first_large_part_bounds_the_queue)
{
	struct seen s = {0};

	peer_run(&(struct peer){.answer = answer, .client = by_size, .arg = &s});
}

static void left_alone(struct peer *x)
{
	int fd = peer_connect(x);
	struct seen s;

	ask(x, fd, 4000000);
	s = bound_of(x, fd);
	EXPECT_EQ(0, s.bound);
	EXPECT_FALSE(s.unlocked);
	close(fd);
}

TEST(the_setting_leaves_the_queue_to_the_kernel)
{
	struct seen s = {0};

	peer_run(&(struct peer){
		.limits = {20 * SL_SEC, 20 * SL_SEC, 20 * SL_SEC, SL_MIB, 64 << 10, 1000, 3000,
			   .deliver.unbounded = true},
		.answer = answer,
		.client = left_alone,
		.arg = &s});
}

TEST(where_nothing_is_paced_the_queue_is_left_to_the_kernel)
{
	struct seen s = {0};

	peer_run(&(struct peer){
		.limits = {20 * SL_SEC, 20 * SL_SEC, 20 * SL_SEC, SL_MIB, 64 << 10, 1000, 3000,
			   .loopback_reno = true},
		.answer = answer,
		.client = left_alone,
		.arg = &s});
}

/* A reader that takes its time fills the queue, which is looked at and stays within reason. */
static void slow(struct peer *x)
{
	int fd = peer_connect(x);
	struct seen s;

	for (int i = 0; i < 5; i++) {
		char text[] = "4000000";

		peer_request(fd, text);
		usleep(30000);
		peer_expect(fd, x->bytes, 4000000);
	}
	s = bound_of(x, fd);
	EXPECT_LE(128 << 10, s.bound);
	EXPECT_GE(64 << 20, s.bound);
	close(fd);
}

TEST(a_full_queue_is_held_against_the_path)
{
	struct seen s = {0};

	peer_run(&(struct peer){.answer = answer, .client = slow, .arg = &s});
}

/* ---- what the path needs ---------------------------------------------------------------- */

/* A path of @us, of which a queue of @q bytes lets through what @carries tells, for 10 ms. */
static void carry(struct send_queue *q, struct send_path *p, uint64_t us,
		  uint64_t (*carries)(uint64_t bytes))
{
	p->bytes_per_s = carries(q->bytes);
	p->round_trip_us = us;
	p->acked += p->bytes_per_s / 100;
	p->busy_us += 10000;
	q->bytes = send_queue_next(q, p);
}

/* 1 Gbit/s and 50 ms: in one round trip what is queued arrives. */
static uint64_t far(uint64_t bytes)
{
	return sl_min(bytes * 20, (uint64_t)125000000);
}

TEST(on_a_path_with_delay_the_bound_follows_what_it_needs)
{
	struct send_queue q = {.bytes = 128 << 10};
	struct send_path p = {0};

	for (int i = 0; i < 12; i++)
		carry(&q, &p, 50000, far);
	EXPECT_LE(6250000, q.bytes);
	EXPECT_GE(2 * 6250000, q.bytes);
}

/* However much is queued, it carries the same; and the round trip is that of a full queue. */
static uint64_t short_and_full(uint64_t bytes)
{
	(void)bytes;
	return 2000000000;
}

TEST(on_a_short_path_a_growth_that_brings_nothing_is_taken_back)
{
	struct send_queue q = {.bytes = 128 << 10};
	struct send_path p = {0};
	int larger = 0;

	for (int i = 0; i < 1000; i++) {
		carry(&q, &p, 500, short_and_full);
		larger += q.bytes > 128 << 10;
	}
	EXPECT_EQ(128 << 10, q.bytes);
	EXPECT_LT(0, larger); /* now and then it is tried */
	EXPECT_GE(11, larger);
}

/* Up to 1 MiB the rate rises with what is queued. */
static uint64_t short_and_wide(uint64_t bytes)
{
	return sl_min(bytes, (uint64_t)SL_MIB) * 4000;
}

TEST(on_a_short_path_a_growth_that_brings_more_stays)
{
	struct send_queue q = {.bytes = 128 << 10};
	struct send_path p = {0};

	for (int i = 0; i < 50; i++)
		carry(&q, &p, 500, short_and_wide);
	EXPECT_EQ(SL_MIB, q.bytes);
}

TEST(a_bound_far_above_what_the_path_needs_shrinks)
{
	struct send_queue q = {.bytes = 8 << 20};
	struct send_path p = {.bytes_per_s = 10000000, .round_trip_us = 20000};

	EXPECT_EQ(400000, send_queue_next(&q, &p));
	q.bytes = 700000;
	EXPECT_EQ(700000, send_queue_next(&q, &p));
	p.bytes_per_s = 1000;
	EXPECT_EQ(128 << 10, send_queue_next(&q, &p));
}

/* ---- pushing ---------------------------------------------------------------------------- */

/* Bytes of the socket that TCP has not sent. */
static int unsent(int fd)
{
	int bytes = -1;

	EXPECT_EQ(0, ioctl(fd, SIOCOUTQNSD, &bytes));
	return bytes;
}

/* sendfile leaves the end of what fitted for a segment to be filled: a standstill of 200 ms. */
TEST(what_waits_for_the_rest_of_a_segment_is_sent_before_the_wait_for_room)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(a);
	struct sl_core core = {0};
	struct sl_listener l = {.core = &core};
	struct sl_conn c = {.fd = socket(AF_INET, SOCK_STREAM, 0), .l = &l};

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_EQ(0, bind(listener, (struct sockaddr *)&a, sizeof(a)));
	ASSERT_EQ(0, listen(listener, 1));
	ASSERT_EQ(0, getsockname(listener, (struct sockaddr *)&a, &len));
	ASSERT_EQ(0, connect(c.fd, (struct sockaddr *)&a, sizeof(a)));
	ASSERT_EQ(1000, send(c.fd, (char[1000]){0}, 1000, MSG_MORE));
	EXPECT_EQ(1000, unsent(c.fd));
	send_queue_full(&c);
	EXPECT_EQ(0, unsent(c.fd));
	close(c.fd);
	close(listener);
}

TEST_HARNESS_MAIN
