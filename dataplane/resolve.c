/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of hosts, by c-ares.
 *
 * Interface: resolve.h. Each question has a channel of its own, on the stack of who asks: pools of
 * connections ask rarely, and nothing is shared. Its sockets are made here and go through uring's
 * table of operations, so that faults reach them; an epoll descriptor gathers them, so that the
 * fiber waits for one thing. What blocks the core is the reading of /etc/resolv.conf and
 * /etc/hosts, which are small.
 *
 * Order of parts: sockets; the wait; answers; the call.
 */
#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>

#include "core.h"
#include "file.h"
#include "resolve.h"

struct question {
	ares_channel channel;
	int epoll;
	bool answered;
	int status; /* ARES_… */
	uint16_t port;
	struct sl_conf_addr *addrs;
	uint32_t n, max;
};

/* ---- sockets ---------------------------------------------------------------------------- */

/* c-ares learns of failures as from the system's calls. */
static ssize_t as_call(int res)
{
	if (res >= 0)
		return res;
	errno = -res;
	return -1;
}

static ares_socket_t open_socket(int family, int type, int protocol, void *arg)
{
	(void)arg;
	return socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
}

static int close_socket(ares_socket_t fd, void *arg)
{
	(void)arg;
	sl_close(fd);
	return 0;
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *addr, ares_socklen_t len,
			  void *arg)
{
	struct sl_io io;

	(void)arg;
	sl_io_connect(&io, fd, addr, len);
	return (int)as_call(sl_io_now(&io));
}

/* Sockets are connected: whatever comes is from the peer. */
static ares_ssize_t receive(ares_socket_t fd, void *dst, size_t max, int flags,
			    struct sockaddr *from, ares_socklen_t *from_len, void *arg)
{
	struct sl_io io;

	(void)arg;
	if (from && getpeername(fd, from, from_len))
		return -1;
	sl_io_recv(&io, fd, dst, max, flags | MSG_DONTWAIT);
	return as_call(sl_io_now(&io));
}

static ares_ssize_t send_vector(ares_socket_t fd, const struct iovec *iov, int n, void *arg)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};
	struct sl_io io;

	(void)arg;
	sl_io_sendmsg(&io, fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	return as_call(sl_io_now(&io));
}

static const struct ares_socket_functions sockets = {
	.asocket = open_socket,
	.aclose = close_socket,
	.aconnect = connect_socket,
	.arecvfrom = receive,
	.asendv = send_vector,
};

/* c-ares waits for other events of @fd from now on; none: it is about to be closed. */
static void watch(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct question *q = arg;
	struct epoll_event e = {
		.events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0),
		.data.fd = fd,
	};

	if (!e.events)
		epoll_ctl(q->epoll, EPOLL_CTL_DEL, fd, NULL);
	else if (epoll_ctl(q->epoll, EPOLL_CTL_MOD, fd, &e))
		epoll_ctl(q->epoll, EPOLL_CTL_ADD, fd, &e);
}

/* ---- the wait --------------------------------------------------------------------------- */

/* When c-ares wants to ask again, or give up. */
static int64_t next_step(struct question *q)
{
	struct timeval tv;

	if (!ares_timeout(q->channel, NULL, &tv))
		return SL_NEVER;
	return sl_now() + tv.tv_sec * SL_SEC + tv.tv_usec * SL_USEC;
}

static void go_on(struct question *q)
{
	struct epoll_event events[SL_RESOLVE_MAX];
	int n = epoll_wait(q->epoll, events, SL_ARRAY_SIZE(events), 0);

	for (int i = 0; i < n; i++)
		ares_process_fd(q->channel,
				events[i].events & ~(uint32_t)EPOLLOUT ? events[i].data.fd
								       : ARES_SOCKET_BAD,
				events[i].events & EPOLLOUT ? events[i].data.fd : ARES_SOCKET_BAD);
	if (n <= 0)
		ares_process_fd(q->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

/* Until there is an answer. Return: 0, -ETIME, or another -errno of the wait itself. */
static int wait_for_answer(struct question *q, int64_t deadline)
{
	while (!q->answered) {
		struct sl_io io;
		int res;

		if (sl_now() >= deadline)
			return -ETIME;
		sl_io_poll(&io, q->epoll, POLLIN, 0);
		res = sl_await(&io, sl_min(deadline, next_step(q)));
		if (res < 0 && res != -ETIME)
			return res;
		go_on(q);
	}
	return 0;
}

/* ---- answers ---------------------------------------------------------------------------- */

static void set_port(struct sl_conf_addr *addr, uint16_t port)
{
	if (addr->sa.sa_family == AF_INET6)
		addr->in6.sin6_port = htons(port);
	else
		addr->in4.sin_port = htons(port);
}

static void answered(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct question *q = arg;

	(void)timeouts;
	q->answered = true;
	q->status = status;
	if (!info)
		return;
	for (struct ares_addrinfo_node *n = info->nodes; n && q->n < q->max; n = n->ai_next) {
		struct sl_conf_addr *a = &q->addrs[q->n];

		if (n->ai_addrlen > sizeof(a->in6) ||
		    (n->ai_family != AF_INET && n->ai_family != AF_INET6))
			continue;
		*a = (struct sl_conf_addr){.sa_bytes = n->ai_addrlen};
		memcpy(&a->sa, n->ai_addr, n->ai_addrlen);
		set_port(a, q->port);
		q->n++;
	}
	ares_freeaddrinfo(info);
}

/* What became of it, in words. Return: as sl_resolve(). */
static int outcome(const struct question *q, int err, const char *host, char *why, size_t why_len)
{
	if (err == -ETIME) {
		snprintf(why, why_len, "%s: no answer from the name servers in time; see "
			 "/etc/resolv.conf", host);
		return err;
	}
	if (err) {
		snprintf(why, why_len, "%s: waiting for name servers: %s", host, strerror(-err));
		return err;
	}
	switch (q->status) {
	case ARES_SUCCESS:
		if (q->n)
			return (int)q->n;
		/* fall through */
	case ARES_ENOTFOUND:
	case ARES_ENODATA:
	case ARES_EBADNAME:
	case ARES_ENONAME:
		snprintf(why, why_len, "%s: there is no such host, or it has no address; correct "
			 "the name", host);
		return -ENOENT;
	case ARES_ENOMEM:
		snprintf(why, why_len, "%s: %s", host, strerror(ENOMEM));
		return -ENOMEM;
	default:
		snprintf(why, why_len, "%s: name servers: %s; see /etc/resolv.conf", host,
			 ares_strerror(q->status));
		return -EHOSTUNREACH;
	}
}

/* ---- the call --------------------------------------------------------------------------- */

/* @host is an address already. */
static bool is_literal(const char *host, struct sl_conf_addr *ret_addr)
{
	struct sl_conf_addr a = {0};
	char bare[INET6_ADDRSTRLEN] = "";
	size_t len = strlen(host);

	if (len > 2 && host[0] == '[' && host[len - 1] == ']' && len - 2 < sizeof(bare)) {
		memcpy(bare, host + 1, len - 2);
		host = bare;
	} else if (inet_pton(AF_INET, host, &a.in4.sin_addr) == 1) {
		a.sa.sa_family = AF_INET;
		a.sa_bytes = sizeof(a.in4);
		*ret_addr = a;
		return true;
	}
	if (inet_pton(AF_INET6, host, &a.in6.sin6_addr) != 1)
		return false;
	a.sa.sa_family = AF_INET6;
	a.sa_bytes = sizeof(a.in6);
	*ret_addr = a;
	return true;
}

static int open_channel(struct question *q, const char *servers)
{
	struct ares_options options = {.sock_state_cb = watch, .sock_state_cb_data = q};
	int status = ares_init_options(&q->channel, &options, ARES_OPT_SOCK_STATE_CB);

	if (status != ARES_SUCCESS)
		return status;
	ares_set_socket_functions(q->channel, &sockets, NULL);
	status = servers ? ares_set_servers_ports_csv(q->channel, servers) : ARES_SUCCESS;
	if (status != ARES_SUCCESS)
		ares_destroy(q->channel);
	return status;
}

int sl_resolve(const struct sl_resolve_conf *conf, struct sl_conf_addr *ret_addrs, uint32_t n,
	       char *why, size_t why_len, int64_t deadline)
{
	const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC,
						  .ai_socktype = SOCK_STREAM};
	struct question q = {.port = conf->port, .addrs = ret_addrs, .max = n};
	int err = 0;

	SL_ASSERT(n > 0 && sl_fiber_self());
	if (is_literal(conf->host, &ret_addrs[0])) {
		set_port(&ret_addrs[0], conf->port);
		return 1;
	}
	q.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (q.epoll < 0) {
		err = -errno;
		return outcome(&q, err, conf->host, why, why_len);
	}
	q.status = open_channel(&q, conf->servers);
	if (q.status == ARES_SUCCESS) {
		ares_getaddrinfo(q.channel, conf->host, NULL, &hints, answered, &q);
		err = wait_for_answer(&q, deadline);
		ares_destroy(q.channel);
	}
	sl_close(q.epoll);
	return outcome(&q, err, conf->host, why, why_len);
}
