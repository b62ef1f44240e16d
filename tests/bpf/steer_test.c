// SPDX-License-Identifier: Apache-2.0
/* Steering: which of the sockets of a group gets a connection, and what is counted. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf/bpf.h"
#include "harness.h"

enum { CORES = 4, GROUPS = 2, CONNS = 64 };

FIXTURE(steer)
{
	struct sl_bpf *bpf;
	struct sl_steer *steer;
	int listeners[GROUPS][CORES];
	struct sockaddr_storage addrs[GROUPS];
	socklen_t addr_len;
	int conns[GROUPS * CONNS], accepted[GROUPS * CONNS], core_of[GROUPS * CONNS];
	int n;
};

FIXTURE_VARIANT(steer)
{
	int family;
};

FIXTURE_VARIANT_ADD(steer, ipv4){.family = AF_INET};
FIXTURE_VARIANT_ADD(steer, ipv6){.family = AF_INET6};

static void listen_at(FIXTURE_DATA(steer) *self, int group, int core)
{
	struct sockaddr *a = (struct sockaddr *)&self->addrs[group];
	int fd = socket(a->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = self->addr_len;
	int one = 1;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
	ASSERT_EQ(0, bind(fd, a, len));
	ASSERT_EQ(0, listen(fd, GROUPS * CONNS));
	ASSERT_EQ(0, getsockname(fd, a, &len));
	self->listeners[group][core] = fd;
	ASSERT_EQ(0, sl_bpf_steer_join(self->bpf, (uint32_t)group, (uint32_t)core, fd));
}

FIXTURE_SETUP(steer)
{
	const struct sl_bpf_conf conf = {
		.wanted = 1u << SL_BPF_STEER, .steer_cores = CORES, .steer_groups = GROUPS};
	const struct sl_bpf_status *status;

	ASSERT_EQ(0, sl_bpf_load(&conf, &self->bpf));
	status = sl_bpf_status(self->bpf, SL_BPF_STEER);
	if (status->state != SL_BPF_LOADED)
		SKIP(return, "%s", status->why);
	self->steer = sl_bpf_steer(self->bpf);
	ASSERT_NOT_NULL(self->steer);
	self->addr_len = variant->family == AF_INET ? sizeof(struct sockaddr_in)
						    : sizeof(struct sockaddr_in6);
	for (int g = 0; g < GROUPS; g++) {
		self->addrs[g].ss_family = (sa_family_t)variant->family;
		for (int c = 0; c < CORES; c++)
			listen_at(self, g, c);
	}
}

FIXTURE_TEARDOWN(steer)
{
	for (int i = 0; i < self->n; i++) {
		close(self->conns[i]);
		close(self->accepted[i]);
	}
	for (int g = 0; g < GROUPS; g++)
		for (int c = 0; c < CORES; c++)
			close(self->listeners[g][c]);
	sl_bpf_free(self->bpf);
}

static void set_policy(FIXTURE_DATA(steer) *self, enum sl_steer_policy policy)
{
	__atomic_store_n(&self->steer->policy, policy, __ATOMIC_RELEASE);
}

/* From 127.0.0.@last. On loopback the handshake is over when connect() returns. */
static void connect_from(FIXTURE_DATA(steer) *self, int group, uint32_t last)
{
	struct sockaddr_storage to = self->addrs[group];
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT_LE(0, fd);
	if (to.ss_family == AF_INET) {
		struct sockaddr_in from = {.sin_family = AF_INET,
					   .sin_addr.s_addr = htonl(0x7f000000 | last)};

		ASSERT_EQ(0, bind(fd, (struct sockaddr *)&from, sizeof(from)));
		((struct sockaddr_in *)&to)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	} else {
		((struct sockaddr_in6 *)&to)->sin6_addr = in6addr_loopback;
	}
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&to, self->addr_len));
	self->conns[self->n++] = fd;
}

/* Accepts what came, and says on which core each connection of @group is. */
static void accept_all(FIXTURE_DATA(steer) *self, int group, int got[static CORES])
{
	int taken = 0;

	for (int i = 0; i < CONNS * GROUPS; i++)
		taken += self->accepted[i] > 0;
	for (int c = 0; c < CORES; c++) {
		int fd;

		got[c] = 0;
		while ((fd = accept(self->listeners[group][c], NULL, NULL)) >= 0) {
			self->core_of[taken] = c;
			self->accepted[taken++] = fd;
			got[c]++;
		}
	}
}

static int64_t load_of(const FIXTURE_DATA(steer) *self, int core)
{
	const struct sl_steer_core *c = &self->steer->cores[core];

	return (int64_t)(__atomic_load_n(&c->selected, __ATOMIC_ACQUIRE) -
			 __atomic_load_n(&c->gone, __ATOMIC_ACQUIRE));
}

TEST_F(steer, load_shares_a_burst_among_all_listeners)
{
	int got[CORES], more[CORES];

	set_policy(self, SL_STEER_LOAD);
	for (int i = 0; i < CONNS; i++)
		connect_from(self, i % 2, 1);
	accept_all(self, 0, got);
	accept_all(self, 1, more);
	for (int c = 0; c < CORES; c++) {
		EXPECT_EQ(CONNS / CORES, got[c] + more[c]);
		EXPECT_EQ(CONNS / CORES, load_of(self, c));
	}
}

TEST_F(steer, load_prefers_the_core_whose_connections_are_gone)
{
	int got[CORES];

	set_policy(self, SL_STEER_LOAD);
	for (int i = 0; i < CONNS; i++)
		connect_from(self, 0, 1);
	accept_all(self, 0, got);
	__atomic_fetch_add(&self->steer->cores[2].gone, 12, __ATOMIC_RELEASE);
	for (int i = 0; i < 12; i++)
		connect_from(self, 0, 1);
	accept_all(self, 0, got);
	EXPECT_EQ(12, got[2]);
}

TEST_F(steer, source_keeps_an_address_on_one_core)
{
	int got[CORES], cores = 0, addrs = variant->family == AF_INET ? 16 : 1;

	set_policy(self, SL_STEER_SOURCE);
	for (int a = 0; a < addrs; a++) {
		int mine = 0;

		for (int i = 0; i < 4; i++)
			connect_from(self, i % 2, (uint32_t)(a + 1));
		for (int g = 0; g < GROUPS; g++) {
			accept_all(self, g, got);
			for (int c = 0; c < CORES; c++)
				mine |= (got[c] == 2) << c;
		}
		EXPECT_EQ(1, __builtin_popcount((unsigned)mine));
		cores |= mine;
	}
	if (addrs > 1)
		EXPECT_LT(1, __builtin_popcount((unsigned)cores));
}

TEST_F(steer, cpu_follows_the_processor)
{
	int got[CORES];
	cpu_set_t before, one;

	ASSERT_EQ(0, sched_getaffinity(0, sizeof(before), &before));
	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		__atomic_store_n(&self->steer->core_of_cpu[i], (i + 1) % CORES + 1,
				 __ATOMIC_RELAXED);
	set_policy(self, SL_STEER_CPU);
	for (unsigned i = 0; i < CPU_SETSIZE && self->n < CONNS; i++) {
		if (!CPU_ISSET(i, &before))
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
		connect_from(self, 0, 1);
		accept_all(self, 0, got);
		EXPECT_EQ(1, got[(i + 1) % CORES]);
	}
}

TEST_F(steer, rules_go_by_the_longest_prefix_and_others_by_load)
{
	struct sl_steer_rule rules[] = {
		{.prefix = {.bits = 96 + 8}, .mask.bits = {1u << 1}},
		{.prefix = {.bits = 128}, .mask.bits = {1u << 2 | 1u << 3}},
	};
	uint8_t ipv4[] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 7};
	int got[CORES];

	if (variant->family == AF_INET6) {
		memcpy(rules[1].prefix.addr, &in6addr_loopback, 16);
	} else {
		memcpy(rules[0].prefix.addr, ipv4, 16);
		memcpy(rules[1].prefix.addr, ipv4, 16);
	}
	ASSERT_EQ(0, sl_bpf_steer_rules(self->bpf, rules, SL_ARRAY_SIZE(rules)));
	set_policy(self, SL_STEER_RULES_FIRST);
	for (int i = 0; i < 8; i++)
		connect_from(self, 0, 7);
	accept_all(self, 0, got);
	EXPECT_EQ(4, got[2]);
	EXPECT_EQ(4, got[3]);
	for (int i = 0; i < 4 && variant->family == AF_INET; i++)
		connect_from(self, 0, 8);
	accept_all(self, 0, got);
	EXPECT_EQ(variant->family == AF_INET ? 4 : 0, got[1]);
	/* Without rules all are others; the earlier ones are forgotten. */
	ASSERT_EQ(0, sl_bpf_steer_rules(self->bpf, NULL, 0));
	for (int i = 0; i < 4; i++)
		connect_from(self, 0, 7);
	accept_all(self, 0, got);
	EXPECT_EQ(4, got[0] + (variant->family == AF_INET ? 0 : got[1]));
}

TEST_F(steer, hash_is_the_kernels_and_counts_nothing)
{
	int got[CORES], sum = 0;

	for (int i = 0; i < CONNS; i++)
		connect_from(self, 0, 1);
	accept_all(self, 0, got);
	for (int c = 0; c < CORES; c++) {
		sum += got[c];
		EXPECT_EQ(0, load_of(self, c));
	}
	EXPECT_EQ(CONNS, sum);
}

TEST_F(steer, a_core_without_a_socket_is_not_counted)
{
	int got[CORES], sum = 0;

	set_policy(self, SL_STEER_LOAD);
	close(self->listeners[0][3]);
	for (int i = 0; i < CONNS; i++)
		connect_from(self, 0, 1);
	self->listeners[0][3] = dup(0);
	accept_all(self, 0, got);
	for (int c = 0; c < CORES; c++)
		sum += got[c];
	EXPECT_EQ(CONNS, sum);
	EXPECT_EQ(0, load_of(self, 3));
	EXPECT_EQ(-ERANGE, sl_bpf_steer_join(self->bpf, 0, CORES, self->listeners[0][0]));
}

TEST_HARNESS_MAIN
