/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams: connections that this side opens.
 *
 * Interface: stream.h. Calls are tried at once, and wait in the ring only if the socket is empty or
 * full. Invariant: nothing refers to a stream but the fibers that are inside one of its calls.
 *
 * Order of parts: connecting; reading and writing; the end.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"
#include "file.h"
#include "resolve.h"
#include "stream.h"

struct sl_stream {
	struct sl_core *core;
	int fd;
};

/* ---- connecting ------------------------------------------------------------------------- */

/* One address gets at least so long, even if there are many. */
#define ATTEMPT_NS_MIN (250 * SL_MSEC)

/* Until when the first of @left addresses is waited for. */
static int64_t attempt_until(uint32_t left, int64_t deadline)
{
	int64_t now = sl_now();

	if (left == 1 || deadline == SL_NEVER)
		return deadline;
	return sl_min(deadline, now + sl_max((deadline - now) / left, ATTEMPT_NS_MIN));
}

/* Return: a connected socket, or -errno. */
static int connect_to(const struct sl_conf_addr *addr, int64_t deadline)
{
	int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sl_io io;
	int one = 1, err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	sl_io_connect(&io, fd, &addr->sa, addr->sa_bytes);
	err = sl_await(&io, deadline);
	if (!err)
		return fd;
	sl_close(fd);
	return err;
}

static void explain(const struct sl_conf_addr *addr, const char *host, int err, char *why,
		    size_t why_len)
{
	char text[SL_CONF_ADDR_TEXT];

	sl_conf_addr_format(addr, text);
	snprintf(why, why_len, "%s: %s: %s%s", host, text,
		 err == -ETIME ? "no connection in time" : strerror(-err),
		 err == -ECONNREFUSED ? "; is it running, and is this its port?" : "");
}

/* Return: a connected socket, or the -errno of the last address tried. */
static int connect_any(const struct sl_stream_conf *conf, char *why, size_t why_len,
		       int64_t deadline)
{
	const struct sl_resolve_conf name = {.host = conf->host, .port = conf->port};
	struct sl_conf_addr addrs[SL_RESOLVE_MAX];
	int n = sl_resolve(&name, addrs, SL_ARRAY_SIZE(addrs), why, why_len, deadline);
	int fd = n;

	for (int i = 0; i < n; i++) {
		fd = connect_to(&addrs[i], attempt_until((uint32_t)(n - i), deadline));
		if (fd >= 0)
			return fd;
		explain(&addrs[i], conf->host, fd, why, why_len);
		if (sl_now() >= deadline)
			break;
	}
	return fd;
}

int sl_stream_connect(const struct sl_stream_conf *conf, struct sl_stream **ret_stream, char *why,
		      size_t why_len, int64_t deadline)
{
	struct sl_stream *s;
	int fd = connect_any(conf, why, why_len, deadline);

	if (fd < 0)
		return fd;
	s = malloc(sizeof(*s));
	if (!s) {
		snprintf(why, why_len, "%s: %s", conf->host, strerror(ENOMEM));
		sl_close(fd);
		return -ENOMEM;
	}
	*s = (struct sl_stream){.core = sl_core_self(), .fd = fd};
	*ret_stream = s;
	return 0;
}

/* ---- reading and writing ---------------------------------------------------------------- */

/* The most vectors that the kernel takes at once (UIO_MAXIOV). */
enum { VECTORS_MAX = 1024 };

static int wait_until_ready(const struct sl_stream *s, uint32_t events, int64_t deadline)
{
	struct sl_io io;
	int res;

	sl_io_poll(&io, s->fd, events, 0);
	res = sl_await(&io, deadline);
	return sl_min(res, 0);
}

ssize_t sl_stream_read(struct sl_stream *s, void *dst, size_t max, int64_t deadline)
{
	struct sl_io io;
	int n;

	SL_ON_CORE(s->core);
	sl_io_recv(&io, s->fd, dst, max, MSG_DONTWAIT);
	n = sl_io_now(&io);
	if (n != -EAGAIN)
		return n;
	sl_io_recv(&io, s->fd, dst, max, 0);
	return sl_await(&io, deadline);
}

/* Leaves out the first @bytes of what *@iov, of *@n, points at. */
static void used_up(struct iovec **iov, int *n, size_t bytes)
{
	while (*n && bytes >= (*iov)->iov_len) {
		bytes -= (*iov)->iov_len;
		++*iov;
		--*n;
	}
	if (*n) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + bytes;
		(*iov)->iov_len -= bytes;
	}
}

int sl_stream_writev_all(struct sl_stream *s, struct iovec *iov, int n, int64_t deadline)
{
	int res = 0;

	SL_ON_CORE(s->core);
	used_up(&iov, &n, 0);
	while (n && res >= 0) {
		struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)sl_min(n, VECTORS_MAX)};
		struct sl_io io;

		sl_io_sendmsg(&io, s->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		res = sl_io_now(&io);
		if (res == -EAGAIN)
			res = wait_until_ready(s, POLLOUT, deadline);
		else if (res > 0)
			used_up(&iov, &n, (size_t)res);
	}
	return sl_min(res, 0);
}

bool sl_stream_reusable(struct sl_stream *s)
{
	struct sl_io io;
	uint8_t byte;

	SL_ON_CORE(s->core);
	sl_io_recv(&io, s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return sl_io_now(&io) == -EAGAIN;
}

/* ---- the end ---------------------------------------------------------------------------- */

void sl_stream_close(struct sl_stream *s)
{
	if (!s)
		return;
	SL_ON_CORE(s->core);
	sl_close(s->fd);
	free(s);
}
