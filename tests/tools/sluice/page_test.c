// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/page.c: answers, whole, cut off, too late, and of something else. */
#include "tools/sluice/page.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

/* A server in a child: takes one request and answers it by @answer, byte for byte. */
struct server {
	struct net_addr addr;
	pid_t pid;
};

/* What follows the answer. */
enum then { ENDS, HANGS, GOES_ON };

static void serve(int listener, const char *answer, enum then then)
{
	static const char head[] = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:";
	char request[1024] = {0};
	size_t n = 0;
	int fd = accept(listener, NULL, NULL);

	while (n < 4 || memcmp(request + n - 4, "\r\n\r\n", 4)) {
		ssize_t got = read(fd, request + n, sizeof(request) - n);

		if (got <= 0)
			_exit(1);
		n += (size_t)got;
	}
	if (memcmp(request, head, sizeof(head) - 1) ||
	    write(fd, answer, strlen(answer)) != (ssize_t)strlen(answer))
		_exit(2);
	if (then == HANGS)
		pause();
	while (then == GOES_ON && send(fd, request, sizeof(request), MSG_NOSIGNAL) > 0)
		;
	_exit(0);
}

static struct server serve_once(const char *answer, enum then then)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct server s = {.addr = {.host = "127.0.0.1"}};

	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&sin, len));
	ASSERT_EQ(0, listen(fd, 1));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&sin, &len));
	s.addr.port = ntohs(sin.sin_port);
	s.pid = fork();
	ASSERT_LE(0, s.pid);
	if (!s.pid)
		serve(fd, answer, then);
	close(fd);
	return s;
}

static void must_have_served(struct server *s)
{
	int status;

	ASSERT_EQ(s->pid, waitpid(s->pid, &status, 0));
	EXPECT_EQ(0, status);
}

static int64_t soon(void)
{
	return now_ns() + 20 * SL_SEC * harness_time_scale();
}

TEST(answers_are_read_whole)
{
	static const struct {
		const char *answer, *body;
		int status;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde", "abcde", 200},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n"
		 "\r\n",
		 "abcde", 200},
		{"HTTP/1.0 200 OK\r\n\r\nuntil the end", "until the end", 200},
		{"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "no", 404},
		{"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "", 503},
		{"HTTP/1.1 204 No Content\r\n\r\n", "", 204},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxand more", "x", 200},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(cases); i++) {
		struct server s = serve_once(cases[i].answer, ENDS);
		struct page page;

		ASSERT_EQ(0, page_get(&s.addr, "/metrics", soon(), &page));
		EXPECT_EQ(cases[i].status, page.status);
		EXPECT_STREQ(cases[i].body, page.body);
		EXPECT_EQ(strlen(cases[i].body), page.n);
		page_done(&page);
		must_have_served(&s);
	}
}

TEST(what_is_cut_off_or_no_http_is_refused)
{
	static const char *const bad[] = {
		"",
		"HTTP/1.1 200 OK\r\nContent-Le",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcd",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"SSH-2.0-OpenSSH\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(bad); i++) {
		struct server s = serve_once(bad[i], ENDS);
		struct page page;

		if (!EXPECT_EQ(-EPROTO, page_get(&s.addr, "/metrics", soon(), &page)))
			TH_LOG("'%s'", bad[i]);
		must_have_served(&s);
	}
}

TEST(too_long_an_answer_is_refused)
{
	struct server s = serve_once("HTTP/1.0 200 OK\r\n\r\n", GOES_ON);
	struct page page;

	EXPECT_EQ(-EMSGSIZE, page_get(&s.addr, "/metrics", soon(), &page));
	must_have_served(&s);
}

TEST(too_long_a_path_is_refused)
{
	struct net_addr nobody = {.host = "127.0.0.1", .port = 1};
	char path[2000];
	struct page page;

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	EXPECT_EQ(-EINVAL, page_get(&nobody, path, soon(), &page));
}

TEST(nobody_there_is_told_by_its_errno)
{
	struct net_addr nobody = {.host = "127.0.0.1", .port = 1};
	struct page page;

	EXPECT_EQ(-ECONNREFUSED, page_get(&nobody, "/", soon(), &page));
}

TEST(an_answer_that_does_not_end_is_given_up)
{
	struct server s = serve_once("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", HANGS);
	struct page page;

	EXPECT_EQ(-ETIME, page_get(&s.addr, "/metrics", now_ns() + 200 * SL_MSEC, &page));
	kill(s.pid, SIGKILL);
}

TEST_HARNESS_MAIN
