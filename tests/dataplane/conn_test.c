/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections against a protocol of lengths of which a body may be longer than what is peeked: a
 * request is a 4-byte length and a body; the reply echoes the body, as one slice, or, for a body
 * "file:N", N bytes of a file; "wait" waits for ever, "late" begins to when the server drains.
 *
 * Order of parts: the protocol; its clients; requests; holds; limits; long waits.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sluice/bytes.h>

#include "peer.h"

/* ---- the protocol ----------------------------------------------------------------------- */

struct session {
	int (*client)(struct peer *x, int fd);
	int seen;
	struct sl_waitq never;
	int waiting;
};

/* What is longer is received into its reply. */
enum { PEEKED_MAX = 2048, LENGTH_MAX = 64 << 20 };

static ssize_t need(struct sl_conn *c, const uint8_t *p, size_t have)
{
	uint32_t len;

	(void)c;
	if (have < 4)
		return 4;
	len = sl_load_be32(p);
	if (len > LENGTH_MAX)
		return -EMSGSIZE;
	return len <= PEEKED_MAX ? len + 4 : 4;
}

static void note_lost(struct sl_hold *h, int err)
{
	h->reply->bytes[4] = (uint8_t)-err;
}

/* "hold" waits for the order's point 1, "lost" for its loss. */
static int reply_held(struct sl_conn *c, bool lost)
{
	struct peer *x = sl_conn_arg(c);
	struct sl_reply *r = peer_reply(c, 0, 1, 1, lost ? "L" : "H", 1);
	struct sl_hold *h = sl_reply_hold(r, note_lost, NULL);

	if (sl_order_add(&x->order, &h->commit, lost ? 2 : 1))
		sl_hold_settle(h, h->commit.res);
	return sl_deliver(r, SL_NEVER);
}

static int reply_file(struct sl_conn *c, uint64_t n)
{
	struct sl_reply *r = peer_reply(c, 1, 0, (uint32_t)n, "", 0);

	if (!r)
		return -ENOMEM;
	peer_add_extent(sl_conn_arg(c), r, 0, n);
	return sl_deliver(r, SL_NEVER);
}

static int wait_for_ever(struct sl_conn *c, bool late)
{
	struct session *s = ((struct peer *)sl_conn_arg(c))->arg;

	__atomic_fetch_add(&s->waiting, 1, __ATOMIC_RELEASE);
	while (late && !sl_conn_ending(c))
		sl_sleep(sl_now() + SL_MSEC);
	return sl_conn_wait(c, &s->never, SL_NEVER);
}

static int echo_long(struct sl_conn *c, uint32_t len)
{
	struct sl_reply *r = sl_reply_new(c, 1, 0, len + 4);

	if (!r)
		return -ENOMEM;
	sl_store_be32(r->bytes, len);
	for (uint32_t done = 0; done < len;) {
		uint32_t n = sl_min(len - done, 256u << 10);
		int err = sl_conn_read_all(c, r->bytes + 4 + done, n, sl_conn_read_deadline(c));

		if (err) {
			sl_reply_free(r);
			return err;
		}
		done += n;
	}
	sl_reply_add(r, sl_part_slice(sl_slice_borrow(r->bytes, len + 4)));
	return sl_deliver(r, SL_NEVER);
}

static int serve(struct sl_conn *c)
{
	char body[PEEKED_MAX + 1];
	const uint8_t *p;
	uint32_t len;
	int err = sl_conn_peek(c, 4, &p, sl_conn_read_deadline(c));

	if (err)
		return err;
	len = sl_load_be32(p);
	if (len > PEEKED_MAX) {
		sl_conn_skip(c, 4);
		return echo_long(c, len);
	}
	err = sl_conn_peek(c, len + 4, &p, sl_conn_read_deadline(c));
	if (err)
		return err;
	memcpy(body, p + 4, len);
	body[len] = 0;
	sl_conn_skip(c, len + 4);
	if (!strcmp(body, "hold") || !strcmp(body, "lost"))
		return reply_held(c, body[0] == 'l');
	if (!strcmp(body, "wait") || !strcmp(body, "late"))
		return wait_for_ever(c, body[0] == 'l');
	if (!strncmp(body, "file:", 5))
		return reply_file(c, strtoull(body + 5, NULL, 10));
	return peer_echo(sl_conn_arg(c), c, body, len);
}

static void closed(struct sl_conn *c)
{
	((struct peer *)sl_conn_arg(c))->closed++;
}

static const struct sl_proto echo = {
	.name = "echo", .stack = SL_STACK_SMALL, .need = need, .serve = serve, .closed = closed,
};

/* ---- its clients ------------------------------------------------------------------------ */

static void run_client(struct peer *x)
{
	struct session *s = x->arg;
	int fd = peer_connect(x);

	s->seen = s->client(x, fd);
	close(fd);
}

static const struct sl_conn_limits patient = {
	20 * SL_SEC, 20 * SL_SEC, 20 * SL_SEC, SL_MIB, 64 << 10, 64, 3000,
};

/* A server for @client, which has one connection. Return: what the client saw. */
static int served(int (*client)(struct peer *x, int fd), const struct sl_conn_limits *limits)
{
	struct session s = {.client = client};

	sl_waitq_init(&s.never);
	peer_run(&(struct peer){
		.proto = &echo, .client = run_client, .limits = *limits, .arg = &s});
	return s.seen;
}

/* Why the server ended the only connection that it did end; what it still sent is dropped. */
static enum sl_close end_of(struct peer *x, int fd)
{
	if (!EXPECT_TRUE(peer_ends_after_all(fd)))
		return SL_CLOSE_LAST;
	for (int i = 0; i < 2000 * harness_time_scale(); i++) {
		for (uint32_t why = 0; why < SL_CLOSE_LAST; why++)
			if (peer_metric(x, SL_M_CONNECTIONS_CLOSED, why))
				return (enum sl_close)why;
		usleep(5000);
	}
	return SL_CLOSE_LAST;
}

/* ---- requests --------------------------------------------------------------------------- */

static int sizes(struct peer *x, int fd)
{
	static const uint32_t lens[] = {0, 1, 100, 2048, 2049, 4092, 5000, 70000, 300000, 3000000,
					1, 200000, 17};
	uint8_t *body = malloc(3000000);
	int echoed = 0;

	(void)x;
	for (uint32_t i = 0; i < 3000000; i++)
		body[i] = (uint8_t)harness_random();
	for (int round = 0; round < 3; round++)
		for (uint32_t i = 0; i < SL_ARRAY_SIZE(lens); i++) {
			uint32_t len = lens[i] - (lens[i] > 100 ? i : 0);

			peer_request_bytes(fd, body + i, len);
			echoed += peer_gets(fd, body + i, len);
		}
	free(body);
	return echoed;
}

TEST(requests_of_every_size_are_echoed)
{
	EXPECT_EQ(3 * 13, served(sizes, &patient));
}

static int bytewise(struct peer *x, int fd)
{
	uint8_t msg[104];

	(void)x;
	sl_store_be32(msg, 100);
	memset(msg + 4, 'b', 100);
	for (int i = 0; i < 104; i++) {
		peer_send(fd, msg + i, 1);
		if (i % 10 == 0)
			usleep(500);
	}
	return peer_gets(fd, msg + 4, 100);
}

TEST(a_request_may_come_byte_by_byte)
{
	EXPECT_TRUE(served(bytewise, &patient));
}

enum { PIPELINED = 500 };

static int pipelined(struct peer *x, int fd)
{
	char body[1500];
	int in_order = 0;

	(void)x;
	for (int i = 0; i < PIPELINED; i++) {
		memset(body, i, sizeof(body));
		peer_request_bytes(fd, body, (uint32_t)(i * 3));
	}
	for (int i = 0; i < PIPELINED; i++) {
		memset(body, i, sizeof(body));
		in_order += peer_gets(fd, body, (size_t)i * 3);
	}
	return in_order;
}

TEST(pipelined_requests_are_answered_in_order)
{
	EXPECT_EQ(PIPELINED, served(pipelined, &patient));
}

static int file_extents(struct peer *x, int fd)
{
	static const uint32_t lens[] = {1, 4096, 16384, 16385, 65536, 1 << 20, PEER_FILE_BYTES};
	char name[32];
	int whole = 0;

	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < SL_ARRAY_SIZE(lens); i++) {
			snprintf(name, sizeof(name), "file:%u", lens[i]);
			peer_request(fd, name);
			whole += peer_gets(fd, x->bytes, lens[i]);
		}
	return whole;
}

TEST(extents_arrive_whole_whatever_their_size)
{
	EXPECT_EQ(3 * 7, served(file_extents, &patient));
}

/* ---- holds ------------------------------------------------------------------------------ */

static int held(struct peer *x, int fd)
{
	peer_request(fd, "hold");
	peer_request(fd, "lost");
	peer_request(fd, "after");
	EXPECT_TRUE(peer_silent(fd, 50));
	peer_advance(x, 1);
	peer_expect_text(fd, "H");
	EXPECT_TRUE(peer_silent(fd, 50));
	peer_fail(x);
	peer_expect(fd, (char[]){EIO}, 1);
	return peer_gets(fd, "after", 5);
}

TEST(replies_wait_for_their_commit_and_keep_their_order)
{
	EXPECT_TRUE(served(held, &patient));
}

static int held_and_gone(struct peer *x, int fd)
{
	int second = peer_connect(x);

	peer_request(second, "hold");
	peer_ping(fd, "ping");
	close(second);
	usleep(20000);
	peer_advance(x, 1);
	peer_request(fd, "pong");
	return peer_gets(fd, "pong", 4);
}

TEST(a_connection_may_end_while_its_reply_is_held)
{
	EXPECT_TRUE(served(held_and_gone, &patient));
}

/* ---- limits ----------------------------------------------------------------------------- */

static int silent(struct peer *x, int fd)
{
	return (int)end_of(x, fd);
}

TEST(an_idle_connection_is_ended)
{
	struct sl_conn_limits limits = patient;

	limits.idle_ns = 200 * SL_MSEC;
	EXPECT_EQ(SL_CLOSE_IDLE, served(silent, &limits));
}

static int half_a_request(struct peer *x, int fd)
{
	peer_send(fd, "\0\0", 2);
	return (int)end_of(x, fd);
}

static int half_a_body(struct peer *x, int fd)
{
	peer_send(fd, "\0\x10\0\0some", 8);
	return (int)end_of(x, fd);
}

static const struct sl_conn_limits short_header = {
	20 * SL_SEC, 100 * SL_MSEC, 20 * SL_SEC, SL_MIB, 64 << 10, 8, 3000,
};

TEST(half_a_request_is_ended)
{
	EXPECT_EQ(SL_CLOSE_HEADER, served(half_a_request, &short_header));
}

TEST(half_a_body_is_ended)
{
	EXPECT_EQ(SL_CLOSE_HEADER, served(half_a_body, &short_header));
}

/* Another connection is served while the slow one is borne with, and after it was ended. */
static int slow_reader(struct peer *x, int fd)
{
	int other = peer_connect(x);
	enum sl_close why;

	for (int i = 0; i < 16; i++)
		peer_request(fd, "file:4194304");
	do {
		peer_ping(other, "fine");
		usleep(5000);
	} while (!peer_metric(x, SL_M_CONNECTIONS_CLOSED, SL_CLOSE_SLOW));
	peer_ping(other, "still");
	EXPECT_EQ(1, peer_metric(x, SL_M_CONNECTIONS, 0));
	why = end_of(x, fd);
	close(other);
	return (int)why;
}

TEST(a_reader_that_takes_nothing_is_ended_and_nobody_notices)
{
	struct sl_conn_limits limits = patient;

	limits.write_ns = 200 * SL_MSEC;
	limits.replies = 8;
	EXPECT_EQ(SL_CLOSE_SLOW, served(slow_reader, &limits));
}

static int too_long(struct peer *x, int fd)
{
	peer_send(fd, "\x7f\xff\xff\xff", 4);
	return (int)end_of(x, fd);
}

TEST(a_lying_length_ends_the_connection)
{
	EXPECT_EQ(SL_CLOSE_PROTOCOL, served(too_long, &patient));
}

enum { CROWD = 1000, PINGS = 50 };

static int silent_crowd(struct peer *x, int fd)
{
	int fds[CROWD], echoed = 0;

	for (int i = 0; i < CROWD; i++) {
		fds[i] = peer_connect(x);
		if (i % 2)
			peer_send(fds[i], "\0", 1);
	}
	for (int i = 0; i < PINGS; i++) {
		peer_request(fd, "still here");
		echoed += peer_gets(fd, "still here", 10);
	}
	for (int i = 0; i < CROWD; i++)
		close(fds[i]);
	return echoed;
}

TEST(a_thousand_silent_connections_starve_nobody)
{
	EXPECT_EQ(PINGS, served(silent_crowd, &patient));
}

/* ---- long waits ------------------------------------------------------------------------- */

static void until_waiting(struct peer *x, int n)
{
	struct session *s = x->arg;

	while (__atomic_load_n(&s->waiting, __ATOMIC_ACQUIRE) < n)
		usleep(1000);
}

/* Return: how many connections ended with their clients. */
static int leave_waiting(struct peer *x, int fd)
{
	/* Each makes the connection wait for its next request in another way. */
	static const uint32_t lens[] = {1, 20000, 200000};
	uint8_t *body = calloc(1, 200000);
	int ended = 0;

	for (int i = 0; i < 3; i++) {
		int c = peer_connect(x);

		peer_request_bytes(c, body, lens[i]);
		EXPECT_TRUE(peer_gets(c, body, lens[i]));
		peer_request(c, "wait");
		until_waiting(x, i + 1);
		close(c);
		ended += peer_metric_reaches(x, SL_M_CONNECTIONS_CLOSED, SL_CLOSE_PEER,
					     (uint64_t)i + 1);
	}
	/* What comes ahead of its turn ends no wait. */
	peer_request_bytes(fd, body, 200000);
	EXPECT_TRUE(peer_gets(fd, body, 200000));
	peer_request(fd, "wait");
	peer_request_bytes(fd, body, 20000);
	until_waiting(x, 4);
	EXPECT_TRUE(peer_silent(fd, 20));
	free(body);
	return ended;
}

TEST(a_wait_ends_with_its_connection_however_large_requests_are)
{
	EXPECT_EQ(3, served(leave_waiting, &patient));
}

/* Both stay open, and the server has a day to drain: only the waits' end ends the test. */
static int wait_in_drain(struct peer *x, int fd)
{
	int stays = peer_connect(x), late = peer_connect(x);

	(void)fd;
	peer_request(stays, "wait");
	peer_request(late, "late");
	until_waiting(x, 2);
	return stays;
}

TEST(a_drain_does_not_wait_for_waits)
{
	struct session s = {.client = wait_in_drain};

	sl_waitq_init(&s.never);
	peer_run(&(struct peer){.proto = &echo,
				.client = run_client,
				.limits = patient,
				.arg = &s,
				.drain_ns = 86400 * SL_SEC});
	EXPECT_TRUE(peer_ends_after_all(s.seen));
	close(s.seen);
}

TEST_HARNESS_MAIN
