// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/net.c: addresses, and sockets that keep to their deadlines. */
#include "tools/sluice/net.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

TEST(addresses_are_read)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
	} good[] = {
		{"127.0.0.1:9092", "127.0.0.1", 9092},
		{"localhost", "localhost", 7},
		{"[::1]:80", "::1", 80},
		{"[::1]", "::1", 7},
		{"a.b-c.example:65535", "a.b-c.example", 65535},
	};
	static const char *const bad[] = {"",	  ":1",	  "h:",	    "h:0",  "h:65536",
					  "h:1x", "[::1", "[::1]x", "[]:1", "h:123456"};
	struct net_addr addr;

	for (size_t i = 0; i < SL_ARRAY_SIZE(good); i++) {
		ASSERT_EQ(0, net_addr_parse(good[i].text, strlen(good[i].text), 7, &addr));
		EXPECT_STREQ(good[i].host, addr.host);
		EXPECT_EQ(good[i].port, addr.port);
	}
	for (size_t i = 0; i < SL_ARRAY_SIZE(bad); i++)
		if (!EXPECT_EQ(-EINVAL, net_addr_parse(bad[i], strlen(bad[i]), 7, &addr)))
			TH_LOG("'%s'", bad[i]);
}

TEST(nobody_listens)
{
	struct net_addr addr = {.host = "127.0.0.1", .port = 1};
	struct net_addr nowhere = {.host = "nobody.invalid", .port = 1};

	EXPECT_EQ(-ECONNREFUSED, net_connect(&addr, now_ns() + 5 * SL_SEC));
	EXPECT_EQ(-ENOENT, net_connect(&nowhere, now_ns() + 5 * SL_SEC));
}

static void pair(int *fds)
{
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds));
}

TEST(a_silent_peer_is_given_up)
{
	char buf[16];
	int fds[2];

	pair(fds);
	EXPECT_EQ(-ETIME, net_recv_all(fds[0], buf, sizeof(buf), now_ns() + 20 * SL_MSEC));
	ASSERT_EQ(3, write(fds[1], "abc", 3));
	EXPECT_EQ(-ETIME, net_recv_all(fds[0], buf, sizeof(buf), now_ns() + 20 * SL_MSEC));
}

TEST(a_peer_that_takes_nothing_is_given_up)
{
	static char much[8 << 20];
	int fds[2];

	pair(fds);
	EXPECT_EQ(-ETIME, net_send_all(fds[0], much, sizeof(much), now_ns() + 20 * SL_MSEC));
}

TEST(a_closed_peer_is_an_error)
{
	char buf[16];
	int fds[2];

	pair(fds);
	ASSERT_EQ(3, write(fds[1], "abc", 3));
	close(fds[1]);
	EXPECT_EQ(-ECONNRESET, net_recv_all(fds[0], buf, sizeof(buf), SL_NEVER));
	EXPECT_EQ(-ECONNRESET, net_send_all(fds[0], buf, sizeof(buf), SL_NEVER));
}

TEST(whole_lengths_arrive)
{
	char buf[6] = {0};
	int fds[2];

	pair(fds);
	ASSERT_EQ(0, net_send_all(fds[1], "abcdef", 6, SL_NEVER));
	ASSERT_EQ(0, net_recv_all(fds[0], buf, 6, SL_NEVER));
	EXPECT_MEMEQ("abcdef", buf, 6);
}

TEST(some_bytes_are_what_is_there)
{
	char buf[6];
	int fds[2];

	pair(fds);
	EXPECT_EQ(-ETIME, net_recv_some(fds[0], buf, sizeof(buf), now_ns() + 20 * SL_MSEC));
	ASSERT_EQ(2, write(fds[1], "ab", 2));
	ASSERT_EQ(2, net_recv_some(fds[0], buf, sizeof(buf), SL_NEVER));
	EXPECT_MEMEQ("ab", buf, 2);
	close(fds[1]);
	EXPECT_EQ(0, net_recv_some(fds[0], buf, sizeof(buf), SL_NEVER));
}

TEST_HARNESS_MAIN
