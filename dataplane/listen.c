/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners: one socket a core for each address, shared by SO_REUSEPORT; multishot accept.
 *
 * Interface: the listening part of conn.h. Where there is no descriptor for a connection, it waits
 * in the kernel: until somebody of the core has closed some, which is tried at once, or until the
 * next try RETRY_NS later. Invariant: a listener is freed only when its accept has ended and its
 * last connection is gone.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <sluice/probe.h>

#include "conn_pvt.h"
#include "file.h"
#include "log.h"

#define RETRY_NS (100 * SL_MSEC)

static void accepted(struct sl_io *io);

static void arm(struct sl_listener *l)
{
	if (l->draining || l->accept.inflight)
		return;
	sl_io_accept(&l->accept, l->fd, SOCK_CLOEXEC | SOCK_NONBLOCK, SL_IO_MULTISHOT);
	l->accept.done = accepted;
	l->accept.arg = l;
	if (sl_ring_start(l->core->ring, &l->accept))
		sl_timer_set(&l->retry, l->core->now + RETRY_NS);
}

static void retry_due(struct sl_timer *timer)
{
	arm(sl_container_of(timer, struct sl_listener, retry));
}

static void accepted(struct sl_io *io)
{
	struct sl_listener *l = io->arg;

	if (io->res >= 0 && (l->draining || l->n >= l->limits.conns)) {
		sl_close(io->res);
		sl_metric_add2(l->core->metrics, SL_M_CONNECTIONS_CLOSED, l->dim, SL_CLOSE_LIMIT,
			       1);
		if (!l->draining)
			sl_log_warn("connection.refused", SL_KV(listener, l->proto->name),
				    SL_KV(connections_max, l->limits.conns));
	} else if (io->res >= 0) {
		SL_PROBE2(accept, l->proto->name, io->res);
		conn_start(l, io->res);
	} else if (io->res != -ECANCELED && !l->draining &&
		   !(sl_no_descriptor(io->res) && sl_descriptors_shed())) {
		sl_log_warn("accept.failed", SL_KV(listener, l->proto->name),
			    SL_KV_ERRNO(io->res));
		sl_timer_set(&l->retry, l->core->now + RETRY_NS);
		return;
	}
	if (!io->more)
		arm(l);
	if (l->draining && !io->more)
		sl_waitq_wake_all(&l->gone, 0);
}

static bool is_loopback(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)addr)->sin_addr.s_addr) >> 24 ==
		       IN_LOOPBACKNET;
	return addr->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)addr)->sin6_addr);
}

/*
 * Connections inherit what their listener has when they begin. One that began with a control that
 * paces is paced under any other, too. Every kernel has reno, and lets everybody use it.
 */
static bool set_reno(int fd)
{
	static const char name[] = "reno";

	return !setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, sizeof(name) - 1);
}

/*
 * @share: with the other cores, and with whoever else asks for the same. @unpaced: whether to see
 * to it that sending is not paced, and then whether it is not.
 */
static int open_socket(const struct sockaddr *addr, socklen_t len, bool share, bool *unpaced,
		       char *why, size_t why_len)
{
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;
	int err;

	if (fd < 0) {
		err = -errno;
		snprintf(why, why_len, "socket: %s", strerror(-err));
		return err;
	}
	*unpaced = *unpaced && set_reno(fd);
	if (addr->sa_family != AF_UNIX) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (share)
			setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	}
	if (!bind(fd, addr, len) && (!share || !listen(fd, 4096)))
		return fd;
	err = -errno;
	snprintf(why, why_len, "%s%s", strerror(-err),
		 err == -EADDRINUSE ? ": another process listens there; stop it or choose "
				      "another port" : "");
	sl_close(fd);
	return err;
}

/* How often a port is looked at that a process which is ending may still hold. */
#define ALONE_PAUSE_NS (10 * SL_MSEC)

int sl_listen_alone(const struct sockaddr *addr, socklen_t len, char *why, size_t why_len,
		    int64_t deadline)
{
	if (addr->sa_family == AF_UNIX)
		return 0;
	for (;;) {
		bool unpaced = false;
		int fd = open_socket(addr, len, false, &unpaced, why, why_len);

		if (fd >= 0) {
			sl_close(fd);
			return 0;
		}
		if (fd != -EADDRINUSE || sl_now() >= deadline)
			return fd;
		sl_sleep(sl_now() + ALONE_PAUSE_NS);
	}
}

int sl_listen(const struct sockaddr *addr, socklen_t len, const struct sl_proto *proto, void *arg,
	      uint32_t dim, const struct sl_conn_limits *limits, struct sl_listener **ret_listener,
	      char *why, size_t why_len)
{
	struct sl_listener *l = calloc(1, sizeof(*l));
	struct sl_core *core = sl_core_self();

	SL_ASSERT(core);
	if (!l) {
		snprintf(why, why_len, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	*l = (struct sl_listener){.core = core, .proto = proto, .arg = arg, .limits = *limits,
				  .dim = dim};
	l->unpaced = limits->loopback_reno && is_loopback(addr);
	l->fd = open_socket(addr, len, true, &l->unpaced, why, why_len);
	if (l->fd < 0) {
		int err = l->fd;

		free(l);
		return err;
	}
	sl_list_append(&core->listeners, &l->node);
	sl_list_init(&l->conns);
	sl_waitq_init(&l->gone);
	sl_timer_init(&l->retry, retry_due);
	l->received = sl_metric_cell(core->metrics, SL_M_RECEIVE_BYTES, dim, 0);
	l->requests = sl_metric_cell(core->metrics, SL_M_REQUESTS, dim, 0);
	l->request_time = sl_metric_hist(core->metrics, SL_M_REQUEST_TIME, dim, 0);
	arm(l);
	*ret_listener = l;
	return 0;
}

void sl_listener_configure(struct sl_listener *l, void *arg, const struct sl_conn_limits *limits)
{
	SL_ON_CORE(l->core);
	l->arg = arg;
	l->limits = *limits;
}

int sl_listener_join_ports(const struct sl_listener *l, const struct sl_bpf *bpf, uint32_t at)
{
	SL_ON_CORE(l->core);
	return sl_bpf_ports_join(bpf, at, l->core->id, l->fd);
}

int sl_listener_addr(const struct sl_listener *l, struct sockaddr_storage *ret_addr)
{
	socklen_t len = sizeof(*ret_addr);

	return getsockname(l->fd, (struct sockaddr *)ret_addr, &len) ? -errno : 0;
}

/* Ends the connections that wait for a request, or all of them. */
static void end_conns(struct sl_listener *l, bool all)
{
	sl_list_each_safe(n, &l->conns) {
		struct sl_conn *c = sl_list_entry(n, struct sl_conn, node);

		if (all || !c->serving)
			conn_end(c, SL_CLOSE_DRAIN, !all && !(c->tls && !c->tls->ready));
		else if (c->pokable)
			sl_conn_poke(c);
		else if (c->waiter) {
			struct sl_fiber *waiter = c->waiter;

			c->waiter = NULL;
			sl_fiber_wake(waiter, -ECONNRESET);
		}
	}
}

/* Connections that are queued in the kernel would be reset: take them, so that they get an end. */
static void take_queued(struct sl_listener *l)
{
	struct sl_io io;

	for (;;) {
		sl_io_accept(&io, l->fd, SOCK_CLOEXEC, 0);
		if (sl_io_now(&io) < 0)
			return;
		sl_close(io.res);
	}
}

void sl_listener_drain(struct sl_listener *l, int64_t deadline)
{
	SL_ON_CORE(l->core);
	l->draining = true;
	sl_timer_clear(&l->retry);
	sl_ring_cancel(l->core->ring, &l->accept);
	while (l->accept.inflight)
		sl_waitq_wait(&l->gone, SL_NEVER);
	take_queued(l);
	end_conns(l, false);
	if (l->n)
		sl_waitq_wait(&l->gone, deadline);
	end_conns(l, true);
	while (l->n)
		sl_waitq_wait(&l->gone, SL_NEVER);
}

void sl_listener_free(struct sl_listener *l)
{
	if (!l)
		return;
	SL_ASSERT(!l->n && !l->accept.inflight);
	sl_list_remove(&l->node);
	sl_timer_clear(&l->retry);
	sl_close(l->fd);
	sl_tls_free(l->tls);
	free(l);
}

uint32_t sl_listener_conns(const struct sl_listener *l)
{
	return l->n;
}
