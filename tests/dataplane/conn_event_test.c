// SPDX-License-Identifier: Apache-2.0
/*
 * A protocol that serves a connection for as long as it lasts, with fibers of its own: of each byte
 * that it is sent it answers 'e' at once, 'f' from a fiber, 's' by many replies, each of them made
 * when one before it was sent; 't' waits for a short deadline; the drain by 'D'.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

enum { SENT_IN_A_ROW = 200, LARGE = 100000 };

struct session {
	struct sl_conn *conn;
	int fibers, done, left;
	bool short_wait;
};

static ssize_t need(struct sl_conn *c, const uint8_t *p, size_t have)
{
	return (ssize_t)have;
}

static int say(struct sl_conn *c, const char *text, size_t n, bool close)
{
	struct sl_reply *r = sl_reply_new(c, 1, 0, n);

	if (!r)
		return -ENOMEM;
	memcpy(r->bytes, text, n);
	sl_reply_add(r, sl_part_slice(sl_slice_borrow(r->bytes, n)));
	r->close = close;
	return sl_deliver(r, SL_NEVER);
}

/* Two pokes and no wait between them are one event; nothing is lost. */
static void work(void *arg)
{
	struct session *s = arg;

	sl_sleep(sl_now() + SL_MSEC);
	s->done++;
	sl_conn_poke(s->conn);
	sl_conn_poke(s->conn);
	s->fibers--;
}

static int take(struct session *s, uint8_t byte)
{
	switch (byte) {
	case 'f':
		s->fibers++;
		return sl_fiber_start(SL_STACK_SMALL, work, s);
	case 's':
		s->left = SENT_IN_A_ROW;
		return 0;
	case 't':
		s->short_wait = true;
		return 0;
	default:
		return say(s->conn, "e", 1, false);
	}
}

static int receive(struct session *s)
{
	const uint8_t *p;
	size_t n;
	int err = 0;

	while (!err && (n = sl_conn_next(s->conn, &p))) {
		err = take(s, *p);
		sl_conn_skip(s->conn, 1);
	}
	return err;
}

static int send_next(struct session *s)
{
	static const char large[LARGE];
	int err = 0;

	while (!err && s->left && sl_conn_queued(s->conn) < 2) {
		s->left--;
		err = say(s->conn, large, sizeof(large), false);
	}
	for (; !err && s->done; s->done--) {
		sl_conn_note_request(s->conn, SL_MSEC);
		err = say(s->conn, "F", 1, false);
	}
	return err;
}

static int serve(struct sl_conn *c)
{
	struct session s = {.conn = c};
	int err = 0;

	while (!err) {
		err = receive(&s);
		if (!err)
			err = send_next(&s);
		if (!err && sl_conn_ending(c) && !s.fibers && !s.left)
			return say(c, "D", 1, true);
		if (!err)
			err = sl_conn_wait_event(c, s.left > 0,
						 s.short_wait ? sl_now() + SL_MSEC : SL_NEVER);
		if (err == -ETIME) {
			s.short_wait = false;
			err = say(c, "t", 1, false);
		}
	}
	while (s.fibers)
		sl_sleep(sl_now() + SL_MSEC);
	return err;
}

static const struct sl_proto proto = {
	.name = "events", .stack = SL_STACK_SMALL, .need = need, .serve = serve};

static void expect_text(int fd, const char *text)
{
	char got[16] = {0};

	for (size_t i = 0; i < strlen(text); i++)
		ASSERT_EQ(1, read(fd, got + i, 1));
	EXPECT_STREQ(text, got);
}

static int fd_left;

static void talk(struct peer *x)
{
	static char data[LARGE];
	size_t left = (size_t)SENT_IN_A_ROW * LARGE;
	char c;
	int fd = peer_connect(x);

	peer_send(fd, "ee", 2);
	expect_text(fd, "ee");
	peer_send(fd, "t", 1);
	expect_text(fd, "t");
	for (int i = 0; i < 50; i++) {
		peer_send(fd, "fe", 2);
		ASSERT_EQ(1, read(fd, &c, 1));
		EXPECT_TRUE(c == 'e' || c == 'F');
		ASSERT_EQ(1, read(fd, &c, 1));
	}
	peer_send(fd, "s", 1);
	while (left) {
		ssize_t n = read(fd, data, sl_min(left, sizeof(data)));

		ASSERT_LT(0, n);
		left -= (size_t)n;
	}
	peer_send(fd, "e", 1);
	expect_text(fd, "e");
	EXPECT_EQ(50, peer_metric(x, SL_M_REQUESTS, 0));
	fd_left = fd;
}

/* One that waits for nothing but events is woken by the drain. */
TEST(events_of_every_kind_wake)
{
	struct peer x = {.proto = &proto, .client = talk};

	peer_run(&x);
	expect_text(fd_left, "D");
	close(fd_left);
}

static void leave(struct peer *x)
{
	int fd = peer_connect(x);

	peer_send(fd, "ffff", 4);
	close(fd);
	fd = peer_connect(x);
	peer_send(fd, "e", 1);
	expect_text(fd, "e");
	close(fd);
	while (peer_metric(x, SL_M_CONNECTIONS, 0))
		usleep(1000);
}

TEST(peers_end_is_an_event)
{
	struct peer x = {.proto = &proto, .client = leave};

	peer_run(&x);
}

TEST_HARNESS_MAIN
