// SPDX-License-Identifier: Apache-2.0
/* TCP: connections of our listeners tell their round trips and what was sent again, others not. */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf/bpf.h"
#include "dataplane/hist.h"
#include "harness.h"
#include "uring/uring.h"

enum { OURS = 2 };

FIXTURE(tcp)
{
	struct sl_bpf *bpf;
	const struct sl_tcp *tcp;
	int listener, client, server;
	uint16_t port;
};

FIXTURE_SETUP(tcp)
{
	const struct sl_bpf_conf conf = {.wanted = 1u << SL_BPF_TCP};
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	const struct sl_bpf_status *status;

	ASSERT_EQ(0, sl_bpf_load(&conf, &self->bpf));
	status = sl_bpf_status(self->bpf, SL_BPF_TCP);
	if (status->state != SL_BPF_LOADED)
		SKIP(return, "%s", status->why);
	self->tcp = sl_bpf_tcp(self->bpf);
	ASSERT_NOT_NULL(self->tcp);
	self->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, self->listener);
	ASSERT_EQ(0, bind(self->listener, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, listen(self->listener, 8));
	ASSERT_EQ(0, getsockname(self->listener, (struct sockaddr *)&addr, &len));
	self->port = ntohs(addr.sin_port);
}

FIXTURE_TEARDOWN(tcp)
{
	close(self->listener);
	sl_bpf_free(self->bpf);
}

static void meet(FIXTURE_DATA(tcp) * self)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_port = htons(self->port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	self->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, self->client);
	ASSERT_EQ(0, connect(self->client, (struct sockaddr *)&addr, sizeof(addr)));
	self->server = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);
	ASSERT_LE(0, self->server);
}

static void part(FIXTURE_DATA(tcp) * self)
{
	char c;

	ASSERT_EQ(0, shutdown(self->client, SHUT_WR));
	ASSERT_EQ(0, recv(self->server, &c, 1, 0));
	close(self->server);
	close(self->client);
}

static void talk(FIXTURE_DATA(tcp) * self, int times)
{
	char c = 'x';

	for (int i = 0; i < times; i++) {
		ASSERT_EQ(1, send(self->server, &c, 1, 0));
		ASSERT_EQ(1, recv(self->client, &c, 1, 0));
		ASSERT_EQ(1, send(self->client, &c, 1, 0));
		ASSERT_EQ(1, recv(self->server, &c, 1, 0));
	}
}

TEST_F(tcp, connections_of_our_port_tell_their_round_trips)
{
	enum { N = 100 };
	const struct sl_hist *h = &self->tcp->listeners[OURS].round_trip;

	sl_bpf_tcp_listens(self->bpf, self->port, OURS);
	for (int i = 0; i < N; i++) {
		meet(self);
		talk(self, 10);
		part(self);
	}
	/* Each at its begin and at its end, which may be yet to come for the last. */
	EXPECT_LE(2 * (N - 1), sl_hist_count(h));
	EXPECT_LT(0, h->max);
	EXPECT_LE(h->max, 30 * SL_SEC);
	for (int i = 0; i < SL_BPF_LISTENERS; i++)
		if (i != OURS)
			EXPECT_EQ(0, sl_hist_count(&self->tcp->listeners[i].round_trip));
}

TEST_F(tcp, connections_of_other_ports_tell_nothing)
{
	meet(self);
	talk(self, 10);
	part(self);
	for (int i = 0; i < SL_BPF_LISTENERS; i++)
		EXPECT_EQ(0, sl_hist_count(&self->tcp->listeners[i].round_trip));
	sl_bpf_tcp_listens(self->bpf, self->port, OURS);
	meet(self);
	part(self);
	EXPECT_LE(1, sl_hist_count(&self->tcp->listeners[OURS].round_trip));
}

/* The client's socket takes nothing for a while, so that what is sent to it must be sent again. */
TEST_F(tcp, what_is_sent_again_is_counted)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog filter = {.len = 1, .filter = &nothing};
	int64_t until = sl_clock_ns() + 20 * SL_SEC * harness_time_scale();
	const struct sl_tcp_listener *l = &self->tcp->listeners[OURS];
	char c = 'x';
	int any = 0;

	sl_bpf_tcp_listens(self->bpf, self->port, OURS);
	meet(self);
	talk(self, 3);
	EXPECT_EQ(0, l->retransmits);
	ASSERT_EQ(0,
		  setsockopt(self->client, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)));
	ASSERT_EQ(1, send(self->server, &c, 1, 0));
	while (!__atomic_load_n(&l->retransmits, __ATOMIC_RELAXED) && sl_clock_ns() < until)
		usleep(1000);
	EXPECT_LT(0, l->retransmits);
	ASSERT_EQ(0, setsockopt(self->client, SOL_SOCKET, SO_DETACH_FILTER, &any, sizeof(any)));
	ASSERT_EQ(1, recv(self->client, &c, 1, 0));
	part(self);
}

TEST_HARNESS_MAIN
