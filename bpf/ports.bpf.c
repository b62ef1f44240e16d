// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * ports: gives each core a port of its own, without a socket that is bound to it: a connection to
 * port first + i of an address on which cores listen goes to core i's listener there. Attaches to
 * the network namespace, at the lookup of listeners (sk_lookup). Its peer, which loads it and lets
 * sockets join, is ports.c; both share ports.h.
 */
#include "program.h"
#include "ports.h"

#include <linux/in.h>

/* The number of cores; filled in by the loader. */
const volatile uint32_t cores = 1;

struct sl_ports ports;

/* Listeners by address times cores plus core. Its size is set by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, uint64_t);
} sockets SEC(".maps");

enum { AF_INET6 = 10 };

static inline bool is_at(const struct sl_ports_addr *a, const uint32_t *local, bool is_ipv6)
{
	const uint32_t *addr = (const uint32_t *)a->addr;

	if (a->any)
		return a->is_ipv6 || !is_ipv6;
	return addr[0] == local[0] && addr[1] == local[1] && addr[2] == local[2] &&
	       addr[3] == local[3];
}

/* The address among @ports that the packet is for; SL_PORTS_ADDRS: none. */
static inline uint32_t address_of(struct bpf_sk_lookup *ctx)
{
	bool is_ipv6 = ctx->family == AF_INET6;
	uint32_t ipv4 = ctx->local_ip4, last = ctx->local_ip6[3];
	uint32_t local[4] = {ctx->local_ip6[0], ctx->local_ip6[1], ctx->local_ip6[2]};

	/* The compiler would choose between two fields, which the verifier does not allow. */
	barrier_var(ipv4);
	barrier_var(last);
	local[3] = is_ipv6 ? last : ipv4;
	if (!is_ipv6)
		local[2] = __builtin_bswap32(0xffff);
	for (uint32_t i = 0; i < SL_PORTS_ADDRS && i < ports.addrs_n; i++)
		if (is_at(&ports.addrs[i], local, is_ipv6))
			return i;
	return SL_PORTS_ADDRS;
}

SEC("sk_lookup")
int find_core(struct bpf_sk_lookup *ctx)
{
	uint32_t first = ports.first, core = ctx->local_port - first, at;
	struct bpf_sock *sk;

	if (!first || ctx->protocol != IPPROTO_TCP || ctx->local_port < first || core >= cores)
		return SK_PASS;
	at = address_of(ctx);
	if (at == SL_PORTS_ADDRS)
		return SK_PASS;
	at = at * cores + core;
	sk = bpf_map_lookup_elem(&sockets, &at);
	if (!sk)
		return SK_PASS;
	if (!bpf_sk_assign(ctx, sk, BPF_SK_LOOKUP_F_NO_REUSEPORT))
		count(&ports.mapped);
	bpf_sk_release(sk);
	return SK_PASS;
}
