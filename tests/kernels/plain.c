// SPDX-License-Identifier: Apache-2.0
/*
 * plain: the plainest server and client of a file, to measure a path by.
 *
 * Interface: plain serve FILE ADDRESS PORT [BYTES]   sends the file again and again to whoever
 *                                                    connects, one at a time, until it is killed
 *            plain fetch ADDRESS PORT MS MS          receives for so long, then measures for so
 *                                                    long; prints bytes a second
 * Nothing is set on any socket, but for SO_SNDBUF where BYTES are given: what this reaches is what
 * the kernel does by itself.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1 << 20 };

static int die(const char *what)
{
	perror(what);
	return 1;
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static int address_read(const char *host, const char *port, struct sockaddr_in *ret_addr)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1) {
		fprintf(stderr, "plain: %s is no IPv4 address\n", host);
		return -1;
	}
	*ret_addr = a;
	return 0;
}

/* @sndbuf 0: as the kernel likes. */
static int serve(const char *file, const struct sockaddr_in *a, int sndbuf)
{
	int in = open(file, O_RDONLY | O_CLOEXEC), one = 1;
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (in < 0)
		return die(file);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (sndbuf && setsockopt(l, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)))
		return die("SO_SNDBUF");
	if (bind(l, (const struct sockaddr *)a, sizeof(*a)) || listen(l, 10))
		return die("bind and listen");
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int fd = accept(l, NULL, NULL);
		off_t off = 0;
		ssize_t n;

		if (fd < 0)
			return die("accept");
		while ((n = sendfile(fd, in, &off, CHUNK_BYTES)) >= 0)
			if (!n)
				off = 0;
		close(fd);
	}
}

static int fetch(const struct sockaddr_in *a, int64_t warmup_ms, int64_t run_ms)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t start, now, bytes = 0;
	char *buf = malloc(CHUNK_BYTES);

	if (!buf || connect(fd, (const struct sockaddr *)a, sizeof(*a)))
		return die("connect");
	start = now_ns() + warmup_ms * 1000000;
	do {
		ssize_t n = recv(fd, buf, CHUNK_BYTES, MSG_TRUNC);

		if (n <= 0)
			return die("recv");
		now = now_ns();
		if (now >= start)
			bytes += n;
	} while (now < start + run_ms * 1000000);
	printf("%.0f\n", (double)bytes * 1e9 / (double)(now - start));
	free(buf);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a;

	if ((argc == 5 || argc == 6) && !strcmp(argv[1], "serve") &&
	    !address_read(argv[3], argv[4], &a))
		return serve(argv[2], &a, argc == 6 ? atoi(argv[5]) : 0);
	if (argc == 6 && !strcmp(argv[1], "fetch") && !address_read(argv[2], argv[3], &a))
		return fetch(&a, atoll(argv[4]), atoll(argv[5]));
	fprintf(stderr, "usage: plain serve FILE ADDRESS PORT [BYTES] | "
			"fetch ADDRESS PORT MS MS\n");
	return 2;
}
