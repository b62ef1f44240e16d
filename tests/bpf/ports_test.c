// SPDX-License-Identifier: Apache-2.0
/* Ports of cores: who gets a connection to a port to which nobody is bound, and who does not. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "bpf/bpf.h"
#include "harness.h"

enum { CORES = 4 };

FIXTURE(ports)
{
	struct sl_bpf *bpf;
	struct sl_ports *ports;
	int listeners[CORES];
	uint16_t first;
};

FIXTURE_VARIANT(ports)
{
	int family;
	bool any;
};

FIXTURE_VARIANT_ADD(ports, ipv4){.family = AF_INET};
FIXTURE_VARIANT_ADD(ports, ipv6){.family = AF_INET6};
FIXTURE_VARIANT_ADD(ports, ipv4_any){.family = AF_INET, .any = true};
FIXTURE_VARIANT_ADD(ports, both_any){.family = AF_INET6, .any = true};

static socklen_t address(int family, bool any, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	ret->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		in->sin_addr.s_addr = htonl(any ? INADDR_ANY : INADDR_LOOPBACK);
		in->sin_port = htons(port);
		return sizeof(*in);
	}
	in6->sin6_addr = any ? in6addr_any : in6addr_loopback;
	in6->sin6_port = htons(port);
	return sizeof(*in6);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&a, &len));
	return ntohs(((struct sockaddr_in *)&a)->sin_port);
}

static int listen_on(int family, bool any, uint16_t port)
{
	struct sockaddr_storage a;
	socklen_t len = address(family, any, port, &a);
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&a, len));
	ASSERT_EQ(0, listen(fd, 16));
	return fd;
}

FIXTURE_SETUP(ports)
{
	const struct sl_bpf_conf conf = {.wanted = 1u << SL_BPF_PORTS, .steer_cores = CORES};
	const struct sl_bpf_status *status;
	struct sl_ports_addr *a;
	uint16_t port = 0;

	ASSERT_EQ(0, sl_bpf_load(&conf, &self->bpf));
	status = sl_bpf_status(self->bpf, SL_BPF_PORTS);
	if (status->state != SL_BPF_LOADED)
		SKIP(return, "%s", status->why);
	self->ports = sl_bpf_ports(self->bpf);
	ASSERT_NOT_NULL(self->ports);
	a = &self->ports->addrs[1]; /* the first is another one */
	a->any = variant->any;
	a->is_ipv6 = variant->family == AF_INET6;
	if (a->is_ipv6)
		memcpy(a->addr, &in6addr_loopback, 16);
	else
		memcpy(a->addr, (uint8_t[]){[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}, 16);
	for (uint32_t i = 0; i < CORES; i++) {
		self->listeners[i] = listen_on(variant->family, variant->any, port);
		port = port_of(self->listeners[i]);
		ASSERT_EQ(0, sl_bpf_ports_join(self->bpf, 1, i, self->listeners[i]));
	}
	/* Ports that nobody has, most probably, and that the kernel gives to nobody. */
	self->first = (uint16_t)(2000 + harness_random() % 20000);
	__atomic_store_n(&self->ports->addrs_n, 2, __ATOMIC_RELEASE);
	__atomic_store_n(&self->ports->first, self->first, __ATOMIC_RELEASE);
}

FIXTURE_TEARDOWN(ports)
{
	for (int i = 0; i < CORES; i++)
		close(self->listeners[i]);
	sl_bpf_free(self->bpf);
}

static int try_connect(int family, uint16_t port)
{
	struct sockaddr_storage a;
	socklen_t len = address(family, false, port, &a);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT_LE(0, fd);
	if (!connect(fd, (struct sockaddr *)&a, len))
		return fd;
	close(fd);
	return -errno;
}

/* A connection to the port of @core comes out at its listener, and knows the port. */
static void expect_core(FIXTURE_DATA(ports) *self, int family, int core)
{
	uint16_t port = (uint16_t)(self->first + core);
	int fd = try_connect(family, port), accepted;

	ASSERT_LE(0, fd);
	accepted = accept(self->listeners[core], NULL, NULL);
	ASSERT_LE(0, accepted);
	EXPECT_EQ(port, port_of(accepted));
	close(accepted);
	close(fd);
}

TEST_F(ports, each_port_is_one_core)
{
	for (int i = 0; i < CORES; i++) {
		expect_core(self, variant->family, i);
		if (variant->any && variant->family == AF_INET6)
			expect_core(self, AF_INET, i);
	}
	EXPECT_LE(CORES, __atomic_load_n(&self->ports->mapped, __ATOMIC_RELAXED));
}

TEST_F(ports, other_ports_and_addresses_are_left_alone)
{
	int other = variant->family == AF_INET ? AF_INET6 : AF_INET;

	EXPECT_EQ(-ECONNREFUSED, try_connect(variant->family, self->first - 1));
	EXPECT_EQ(-ECONNREFUSED, try_connect(variant->family, self->first + CORES));
	if (!(variant->any && variant->family == AF_INET6))
		EXPECT_EQ(-ECONNREFUSED, try_connect(other, self->first));
	__atomic_store_n(&self->ports->first, 0, __ATOMIC_RELEASE);
	EXPECT_EQ(-ECONNREFUSED, try_connect(variant->family, self->first));
	EXPECT_EQ(0, __atomic_load_n(&self->ports->mapped, __ATOMIC_RELAXED));
}

TEST_F(ports, a_closed_listener_refuses)
{
	close(self->listeners[2]);
	EXPECT_EQ(-ECONNREFUSED, try_connect(variant->family, self->first + 2));
	expect_core(self, variant->family, 1);
	self->listeners[2] = dup(self->listeners[1]);
}

TEST_HARNESS_MAIN
