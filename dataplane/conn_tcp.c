// SPDX-License-Identifier: Apache-2.0
/*
 * What the kernel knows of a connection's sending: how long it had anything to send, and how long
 * of that the peer's window held it back.
 *
 * Interface: tcp_note*() of conn_pvt.h. The kernel counts for the life of a connection; what is new
 * is added up when it is asked: after so many requests, so that connections of days are seen, and
 * when it ends. In a file of its own because <linux/tcp.h>, whose struct tcp_info is whole, cannot
 * be included beside <netinet/tcp.h>.
 */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#include "conn_pvt.h"

/* Asking takes some 0.3 µs. */
enum { REQUESTS = 64 };

void tcp_note(struct sl_conn *c)
{
	struct sl_metrics *m = c->l->core->metrics;
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) ||
	    len < offsetof(struct tcp_info, tcpi_sndbuf_limited))
		return; /* a test's socket may be none of TCP */
	/* The part that goes on just now may be estimated, and turn out smaller. */
	if (info.tcpi_busy_time > c->busy_us) {
		sl_metric_add1(m, SL_M_TCP_BUSY, c->l->dim,
			       (info.tcpi_busy_time - c->busy_us) * 1000);
		c->busy_us = info.tcpi_busy_time;
	}
	if (info.tcpi_rwnd_limited > c->limited_us) {
		sl_metric_add1(m, SL_M_TCP_RECEIVER_LIMITED, c->l->dim,
			       (info.tcpi_rwnd_limited - c->limited_us) * 1000);
		c->limited_us = info.tcpi_rwnd_limited;
	}
}

void tcp_note_request(struct sl_conn *c)
{
	if (c->until_told--)
		return;
	c->until_told = REQUESTS - 1;
	tcp_note(c);
}
