// SPDX-License-Identifier: Apache-2.0
/* A peer that does not read: the time is told when a connection ends, and while it goes on. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "peer.h"

enum { PAUSE_MS = 100, REPLY_BYTES = PEER_FILE_BYTES - 100 };

/* "file" is answered by a file, anything else by itself. */
static int answer(struct peer *x, struct sl_conn *c, const char *body, uint32_t len)
{
	struct sl_reply *r;

	if (len != 4 || memcmp(body, "file", 4) != 0)
		return peer_echo(x, c, body, len);
	r = peer_reply(c, 1, 0, REPLY_BYTES, "", 0);
	peer_add_extent(x, r, 0, REPLY_BYTES);
	return sl_deliver(r, SL_NEVER);
}

/* Asks for more than the socket holds, and begins to read it late. */
static int read_late(struct peer *x)
{
	int small = 16 << 10, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)));
	peer_connect_with(x, fd);
	peer_request(fd, "file");
	usleep(PAUSE_MS * 1000);
	EXPECT_EQ(0, peer_metric(x, SL_M_TCP_RECEIVER_LIMITED, 0));
	peer_expect(fd, x->bytes, REPLY_BYTES);
	return fd;
}

static void expect_told(struct peer *x)
{
	/* The window closes a moment after the pause began. */
	EXPECT_TRUE(peer_metric_reaches(x, SL_M_TCP_RECEIVER_LIMITED, 0, PAUSE_MS / 2 * SL_MSEC));
	EXPECT_LE(peer_metric(x, SL_M_TCP_RECEIVER_LIMITED, 0), peer_metric(x, SL_M_TCP_BUSY, 0));
}

static void end_it(struct peer *x)
{
	close(read_late(x));
	expect_told(x);
}

TEST(told_when_the_connection_ends)
{
	struct peer x = {.answer = answer, .client = end_it};

	peer_run(&x);
}

static void go_on(struct peer *x)
{
	int fd = read_late(x);

	for (int i = 0; i < 300; i++)
		peer_ping(fd, "x");
	expect_told(x);
	close(fd);
}

TEST(told_of_a_connection_that_goes_on)
{
	struct peer x = {.answer = answer, .client = go_on};

	peer_run(&x);
}

TEST_HARNESS_MAIN
