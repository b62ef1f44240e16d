// SPDX-License-Identifier: Apache-2.0
/*
 * Blocking TCP with deadlines: non-blocking sockets and poll().
 *
 * Interface: net.h. Invariant: no call blocks beyond its deadline, but for the resolver, which
 * has its own limit.
 * Order of parts: time; addresses; connecting; sending and receiving.
 */
#include "net.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- time ------------------------------------------------------------------------------- */

int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SL_SEC + ts.tv_nsec;
}

void sleep_ns(int64_t ns)
{
	struct timespec ts = {.tv_sec = ns / SL_SEC, .tv_nsec = ns % SL_SEC};

	while (ns > 0 && nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/* Waits for @events. Return: 0; -ETIME; -errno. */
static int wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		int64_t left = deadline == SL_NEVER ? SL_SEC : deadline - now_ns();
		int n;

		if (left <= 0)
			return -ETIME;
		n = poll(&p, 1, (int)(sl_min(left, SL_SEC) / SL_MSEC) + 1);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

/* ---- addresses -------------------------------------------------------------------------- */

static int port_parse(const char *text, size_t len, uint16_t *ret_port)
{
	uint32_t port = 0;

	if (!len || len > 5)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		port = port * 10 + (uint32_t)(text[i] - '0');
	}
	if (!port || port > UINT16_MAX)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

int net_addr_parse(const char *text, size_t len, uint16_t port_default, struct net_addr *ret_addr)
{
	bool brackets = len && text[0] == '[';
	const char *end = text + len;
	const char *host = text + brackets;
	const char *host_end = memchr(host, brackets ? ']' : ':', (size_t)(end - host));
	const char *rest;
	uint16_t port = port_default;

	if (!host_end && brackets)
		return -EINVAL;
	host_end = host_end ? host_end : end;
	rest = host_end + (brackets && host_end < end);
	if (host == host_end || host_end - host >= NET_HOST_BYTES)
		return -EINVAL;
	if (rest < end && (*rest != ':' || port_parse(rest + 1, (size_t)(end - rest - 1), &port)))
		return -EINVAL;
	memcpy(ret_addr->host, host, (size_t)(host_end - host));
	ret_addr->host[host_end - host] = 0;
	ret_addr->port = port;
	return 0;
}

/* ---- connecting ------------------------------------------------------------------------- */

static int connect_one(const struct addrinfo *ai, int64_t deadline)
{
	int one = 1, err = 0;
	socklen_t n = sizeof(err);
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) && errno != EINPROGRESS) {
		err = -errno;
		goto out_close;
	}
	err = wait_for(fd, POLLOUT, deadline);
	if (err)
		goto out_close;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) || err) {
		err = err ? -err : -errno;
		goto out_close;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
out_close:
	close(fd);
	return err;
}

int net_connect(const struct net_addr *addr, int64_t deadline)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *all;
	char port[8];
	int fd = -ENOENT;

	snprintf(port, sizeof(port), "%u", addr->port);
	if (getaddrinfo(addr->host, port, &hints, &all)) {
		/* AI_ADDRCONFIG leaves out loopback where a machine has nothing else. */
		hints.ai_flags = 0;
		if (getaddrinfo(addr->host, port, &hints, &all))
			return -ENOENT;
	}
	for (struct addrinfo *ai = all; ai && fd < 0; ai = ai->ai_next)
		fd = connect_one(ai, deadline);
	freeaddrinfo(all);
	return fd;
}

/* ---- sending and receiving -------------------------------------------------------------- */

int net_send_all(int fd, const void *p, size_t len, int64_t deadline)
{
	const char *at = p;

	while (len) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
		int err;

		if (n >= 0) {
			at += n;
			len -= (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return errno == EPIPE ? -ECONNRESET : -errno;
		err = wait_for(fd, POLLOUT, deadline);
		if (err)
			return err;
	}
	return 0;
}

/* @flags: MSG_TRUNC drops. */
static ssize_t recv_some(int fd, void *p, size_t len, int flags, int64_t deadline)
{
	for (;;) {
		ssize_t n = recv(fd, p, len, flags);
		int err;

		if (n >= 0)
			return n;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		err = wait_for(fd, POLLIN, deadline);
		if (err)
			return err;
	}
}

ssize_t net_recv_some(int fd, void *p, size_t len, int64_t deadline)
{
	return recv_some(fd, p, len, 0, deadline);
}

/* @p NULL drops. */
static int recv_all(int fd, char *p, size_t len, int64_t deadline)
{
	while (len) {
		ssize_t n = recv_some(fd, p, len, p ? 0 : MSG_TRUNC, deadline);

		if (n <= 0)
			return n ? (int)n : -ECONNRESET;
		p = p ? p + n : NULL;
		len -= (size_t)n;
	}
	return 0;
}

int net_recv_all(int fd, void *p, size_t len, int64_t deadline)
{
	return recv_all(fd, p, len, deadline);
}

int net_drop(int fd, size_t len, int64_t deadline)
{
	return recv_all(fd, NULL, len, deadline);
}
