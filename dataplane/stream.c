/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams: connections that this side opens.
 *
 * Interface: stream.h. Calls are tried at once, and wait in the ring only if the socket is empty or
 * full; by TLS with tls_io.c between them and the socket. Invariant: nothing refers to a stream but
 * the fibers that are inside one of its calls.
 *
 * Order of parts: connecting; TLS; reading and writing; the end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"
#include "file.h"
#include "resolve.h"
#include "stream.h"
#include "tls_pvt.h"

struct sl_stream {
	struct sl_core *core;
	int fd;
	struct tls tls; /* its ssl is NULL: plain */
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

/* Return: a socket, or -errno. */
static int open_socket(sa_family_t family)
{
	for (;;) {
		int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		int err = fd < 0 ? -errno : 0;

		if (!sl_no_descriptor(err) || !sl_descriptors_shed())
			return err ? err : fd;
	}
}

/* Return: a connected socket, or -errno. */
static int connect_to(const struct sl_conf_addr *addr, int64_t deadline)
{
	int fd = open_socket(addr->sa.sa_family);
	struct sl_io io;
	int one = 1, err;

	if (fd < 0)
		return fd;
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

static int wait_until_ready(const struct sl_stream *s, uint32_t events, int64_t deadline)
{
	struct sl_io io;
	int res;

	sl_io_poll(&io, s->fd, events, 0);
	res = sl_await(&io, deadline);
	return sl_min(res, 0);
}

/* ---- TLS -------------------------------------------------------------------------------- */

/* Whom the certificate must name. Return: whether OpenSSL took it. */
static bool expect_name(SSL *ssl, const char *name)
{
	size_t len = strlen(name);
	char bare[INET6_ADDRSTRLEN];
	uint8_t addr[16];

	/* The brackets that an IPv6 address has in a URL are in no certificate. */
	if (len > 2 && name[0] == '[' && name[len - 1] == ']' && len - 2 < sizeof(bare)) {
		memcpy(bare, name + 1, len - 2);
		bare[len - 2] = 0;
		name = bare;
	}
	if (inet_pton(AF_INET, name, addr) == 1 || inet_pton(AF_INET6, name, addr) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

static int prepare(struct sl_stream *s, const struct sl_stream_conf *conf)
{
	uint8_t wire[64];
	uint32_t n = conf->alpn ? tls_alpn_wire(conf->alpn, wire, sizeof(wire)) : 0;
	int err = tls_init(&s->tls, conf->tls, s->fd, false);

	if (err)
		return err;
	if (!expect_name(s->tls.ssl, conf->server_name ? conf->server_name : conf->host))
		return -EINVAL;
	return n && SSL_set_alpn_protos(s->tls.ssl, wire, n) ? -ENOMEM : 0;
}

/* Everything encrypted so far is with the socket. */
static int flush_all(struct sl_stream *s, int64_t deadline)
{
	int err;

	while ((err = tls_flush(&s->tls)) == -EAGAIN) {
		err = wait_until_ready(s, POLLOUT, deadline);
		if (err)
			return err;
	}
	return err;
}

static int shake(struct sl_stream *s, int64_t deadline)
{
	int err, more;

	do {
		err = tls_handshake(&s->tls);
		more = flush_all(s, deadline);
		if (!more && err == -EAGAIN)
			more = wait_until_ready(s, POLLIN, deadline);
	} while (!more && err == -EAGAIN);
	return more ? more : err;
}

static void explain_tls(const struct sl_stream *s, const struct sl_stream_conf *conf, int err,
			char *why, size_t why_len)
{
	long bad = s->tls.ssl ? SSL_get_verify_result(s->tls.ssl) : X509_V_OK;

	if (bad != X509_V_OK)
		snprintf(why, why_len, "%s: its certificate: %s; trust its authority, or correct "
			 "the name", conf->host, X509_verify_cert_error_string(bad));
	else
		snprintf(why, why_len, "%s: TLS: %s%s", conf->host,
			 s->tls.reason	? s->tls.reason
			 : err == -ETIME ? "no handshake in time"
					 : strerror(-err),
			 s->tls.reason ? "; does it speak TLS at this port?" : "");
}

static int encrypt(struct sl_stream *s, const struct sl_stream_conf *conf, char *why,
		   size_t why_len, int64_t deadline)
{
	int err = prepare(s, conf);

	if (!err)
		err = shake(s, deadline);
	if (err)
		explain_tls(s, conf, err, why, why_len);
	return err;
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
	if (conf->tls) {
		int err = encrypt(s, conf, why, why_len, deadline);

		if (err) {
			sl_stream_close(s);
			return err;
		}
	}
	*ret_stream = s;
	return 0;
}

/* ---- reading and writing ---------------------------------------------------------------- */

/* The most vectors that the kernel takes at once (UIO_MAXIOV). */
enum { VECTORS_MAX = 1024 };

static ssize_t read_tls(struct sl_stream *s, void *dst, size_t max, int64_t deadline)
{
	for (;;) {
		ssize_t n = tls_read(&s->tls, dst, max);
		int err;

		if (n != -EAGAIN)
			return n;
		err = tls_flush(&s->tls); /* of an answer to new keys, say */
		if (err && err != -EAGAIN)
			return err;
		err = wait_until_ready(s, POLLIN, deadline);
		if (err)
			return err;
	}
}

ssize_t sl_stream_read(struct sl_stream *s, void *dst, size_t max, int64_t deadline)
{
	struct sl_io io;
	int n;

	SL_ON_CORE(s->core);
	if (s->tls.ssl)
		return read_tls(s, dst, max, deadline);
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

/* As much of @iov as the socket takes now. Return: bytes, -EAGAIN or -errno. */
static ssize_t write_some(struct sl_stream *s, struct iovec *iov, int n)
{
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)sl_min(n, VECTORS_MAX)};
	struct sl_io io;

	if (s->tls.ssl)
		return tls_write(&s->tls, iov, n);
	sl_io_sendmsg(&io, s->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sl_io_now(&io);
}

int sl_stream_writev_all(struct sl_stream *s, struct iovec *iov, int n, int64_t deadline)
{
	ssize_t res = 0;

	SL_ON_CORE(s->core);
	used_up(&iov, &n, 0);
	while (n && res >= 0) {
		res = write_some(s, iov, n);
		if (res == -EAGAIN)
			res = wait_until_ready(s, POLLOUT, deadline);
		else if (res > 0)
			used_up(&iov, &n, (size_t)res);
	}
	return res < 0 ? (int)res : flush_all(s, deadline);
}

bool sl_stream_reusable(struct sl_stream *s)
{
	struct sl_io io;
	uint8_t byte;

	SL_ON_CORE(s->core);
	if (s->tls.ssl) /* which also takes what is not for us: tickets */
		return !tls_pending(&s->tls) && tls_peek(&s->tls) == -EAGAIN;
	sl_io_recv(&io, s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return sl_io_now(&io) == -EAGAIN;
}

/* ---- the end ---------------------------------------------------------------------------- */

void sl_stream_close(struct sl_stream *s)
{
	if (!s)
		return;
	SL_ON_CORE(s->core);
	if (s->tls.ssl)
		tls_end(&s->tls);
	tls_done(&s->tls);
	sl_close(s->fd);
	free(s);
}
