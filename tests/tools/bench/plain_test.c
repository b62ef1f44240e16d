// SPDX-License-Identifier: Apache-2.0
/* The peer of the delivery benchmark: that it sends what was asked for. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

FIXTURE(plain)
{
	pid_t pid;
	unsigned port;
};

FIXTURE_SETUP(plain)
{
	char path[4200];
	int out[2];
	FILE *f;

	snprintf(path, sizeof(path), "%s/file", harness_tmpdir());
	f = fopen(path, "w");
	ASSERT_NOT_NULL(f);
	for (int i = 0; i < 1000000; i++)
		fputc('a' + i % 26, f);
	fclose(f);
	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	self->pid = fork();
	if (!self->pid) {
		dup2(out[1], 1);
		execl(harness_build_path("bench-plain"), "bench-plain", harness_tmpdir(), NULL);
		_exit(127);
	}
	close(out[1]);
	f = fdopen(out[0], "r");
	ASSERT_EQ(1, fscanf(f, "127.0.0.1:%u", &self->port));
	fclose(f);
}

FIXTURE_TEARDOWN(plain)
{
	kill(self->pid, SIGTERM);
	waitpid(self->pid, NULL, 0);
}

/* What comes back for @text until the connection ends or @max bytes are there, terminated. */
static char *ask(FIXTURE_DATA(plain) * self, const char *text, size_t max)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)self->port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char *seen = calloc(1, max + 1);
	size_t n = 0;
	ssize_t k;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&a, sizeof(a)));
	ASSERT_EQ(strlen(text), send(fd, text, strlen(text), MSG_NOSIGNAL));
	while (n < max && (k = recv(fd, seen + n, max - n, 0)) > 0)
		n += (size_t)k;
	close(fd);
	return seen;
}

TEST_F(plain, files_are_sent_one_behind_the_other)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nServer: plain\r\n"
				   "Content-Type: application/octet-stream\r\n"
				   "Content-Length: 1000000\r\n\r\n";
	size_t each = sizeof(head) - 1 + 1000000;
	char *seen = ask(self, "GET /file HTTP/1.1\r\n\r\nGET /file HTTP/1.1\r\n\r\n", 2 * each);

	for (int i = 0; i < 2; i++) {
		const char *answer = seen + (size_t)i * each;

		ASSERT_MEMEQ(head, answer, sizeof(head) - 1);
		for (size_t at = 0; at < 1000000; at++)
			ASSERT_EQ('a' + at % 26, answer[sizeof(head) - 1 + at]);
	}
	free(seen);
}

TEST_F(plain, what_it_has_not_is_refused)
{
	char *seen = ask(self, "GET /none HTTP/1.1\r\n\r\n", 1000);

	EXPECT_MEMEQ("HTTP/1.1 404 ", seen, 13);
	free(seen);
	seen = ask(self, "GET /../etc/passwd HTTP/1.1\r\n\r\n", 1000);
	EXPECT_MEMEQ("HTTP/1.1 404 ", seen, 13);
	free(seen);
	seen = ask(self, "PUT /file HTTP/1.1\r\n\r\n", 1000);
	EXPECT_MEMEQ("HTTP/1.1 400 ", seen, 13);
	free(seen);
}

TEST_F(plain, who_goes_away_ends_nobody_else)
{
	char *seen;

	for (int i = 0; i < 20; i++) {
		seen = ask(self, "GET /file HTTP/1.1\r\n\r\nGET /file HTTP/1.1\r\n\r\n", 100);
		free(seen);
	}
	seen = ask(self, "GET /file HTTP/1.1\r\n\r\n", 100);
	EXPECT_MEMEQ("HTTP/1.1 200 ", seen, 13);
	free(seen);
}

TEST_HARNESS_MAIN
