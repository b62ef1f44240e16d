// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * steer: chooses the core to which a new connection goes. Attaches as an sk_reuseport program to
 * each address's group of listeners, one socket a core. Its peer, which loads it and lets sockets
 * join, is steer.c; both share steer.h.
 *
 * One program serves all groups: the cookie of the socket that the kernel found tells the group,
 * whatever address and port it is bound to. A core is counted when it is chosen, not when it
 * accepts, or a burst of SYNs would go to one core. Where the chosen core has no socket in the
 * group the kernel's hash decides.
 */
#include "program.h"
#include "steer.h"

#include <linux/if_ether.h>

enum { TCP_FLAGS_AT = 13, FLAG_SYN = 0x02, FLAG_ACK = 0x10, RACES_MAX = 4 };

/* The number of cores; filled in by the loader. */
const volatile uint32_t cores = 1;

struct sl_steer steer;

/* By group times cores plus core. Sizes are set by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, uint64_t);
} sockets SEC(".maps");

/* The group of a socket, by its cookie. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, uint64_t);
	__type(value, uint32_t);
} groups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SL_STEER_RULES);
	__type(key, struct sl_steer_prefix);
	__type(value, struct sl_steer_mask);
} rules SEC(".maps");

/* ---- loads ------------------------------------------------------------------------------ */

static inline uint64_t *selected_of(uint32_t core)
{
	barrier_var(core); /* the bound stays, as older verifiers want to see */
	return &steer.cores[core % SL_STEER_CORES].selected;
}

/* The search for the least loaded core of a set. */
struct search {
	struct sl_steer_mask mask;
	uint64_t selected; /* of the best one, when it was looked at */
	uint32_t first;
	uint32_t best;
	int64_t load;
};

static long look_at(uint32_t i, struct search *s)
{
	uint32_t core = (s->first + i) % cores % SL_STEER_CORES;
	uint64_t selected = steer.cores[core].selected;
	int64_t load = (int64_t)(selected - steer.cores[core].gone);

	if (!(s->mask.bits[core / 64 % (SL_STEER_CORES / 64)] >> core % 64 & 1) || load >= s->load)
		return 0;
	s->load = load;
	s->best = core;
	s->selected = selected;
	return 0;
}

/* Chooses a core of @s->mask and counts it; of two SYNs at once each sees the other's choice. */
static inline uint32_t least_loaded(struct search *s)
{
	for (int i = 0; i < RACES_MAX; i++) {
		s->best = SL_STEER_CORES;
		s->load = INT64_MAX;
		bpf_loop(cores, look_at, s, 0);
		if (s->best >= SL_STEER_CORES)
			return SL_STEER_CORES;
		if (__sync_val_compare_and_swap(selected_of(s->best), s->selected,
						s->selected + 1) == s->selected)
			return s->best;
	}
	count(selected_of(s->best));
	return s->best;
}

/* ---- addresses -------------------------------------------------------------------------- */

/* The peer's address, as one of IPv6. */
static inline int read_source(struct sk_reuseport_md *ctx, uint8_t *ret_addr)
{
	enum { IPV4_SOURCE_AT = 12, IPV6_SOURCE_AT = 8 };

	if (ctx->eth_protocol == __builtin_bswap16(ETH_P_IPV6))
		return (int)bpf_skb_load_bytes_relative(ctx, IPV6_SOURCE_AT, ret_addr, 16,
							BPF_HDR_START_NET);
	ret_addr[10] = ret_addr[11] = 0xff;
	return (int)bpf_skb_load_bytes_relative(ctx, IPV4_SOURCE_AT, ret_addr + 12, 4,
						BPF_HDR_START_NET);
}

static inline uint32_t hash_of(const uint8_t *addr)
{
	uint32_t h = 0;

	for (int i = 0; i < 16; i++)
		h = (h ^ addr[i]) * 0x01000193;
	return h ^ h >> 15;
}

/* ---- choosing --------------------------------------------------------------------------- */

static inline uint32_t by_cpu(void)
{
	uint32_t cpu = bpf_get_smp_processor_id();
	uint32_t core = cpu < SL_STEER_CPUS ? steer.core_of_cpu[cpu] : 0;

	return core ? core - 1 : cpu % cores;
}

/* Return: a core, or SL_STEER_CORES to leave it to the kernel. */
static inline uint32_t choose(struct sk_reuseport_md *ctx, uint32_t policy)
{
	struct sl_steer_prefix from = {.bits = 128};
	struct search s = {.first = ctx->hash % cores};
	struct sl_steer_mask *mask = NULL;

	if (policy == SL_STEER_CPU)
		return by_cpu();
	if (policy != SL_STEER_LOAD && read_source(ctx, from.addr))
		return SL_STEER_CORES;
	if (policy == SL_STEER_SOURCE)
		return hash_of(from.addr) % cores;
	if (policy == SL_STEER_RULES_FIRST)
		mask = bpf_map_lookup_elem(&rules, &from);
	for (int i = 0; i < SL_STEER_CORES / 64; i++)
		s.mask.bits[i] = mask ? mask->bits[i] : UINT64_MAX;
	return least_loaded(&s);
}

SEC("sk_reuseport")
int choose_core(struct sk_reuseport_md *ctx)
{
	uint64_t cookie = bpf_get_socket_cookie(ctx->sk);
	uint32_t *group = bpf_map_lookup_elem(&groups, &cookie);
	uint32_t policy = steer.policy, core, key;
	bool is_load = policy == SL_STEER_LOAD || policy == SL_STEER_RULES_FIRST;
	uint8_t flags = 0;

	/* What is not the begin of a connection is not counted, and mostly ends in a reset. */
	if (!group || policy == SL_STEER_HASH ||
	    bpf_skb_load_bytes(ctx, TCP_FLAGS_AT, &flags, sizeof(flags)) ||
	    (flags & (FLAG_SYN | FLAG_ACK)) != FLAG_SYN)
		return SK_PASS;
	core = choose(ctx, policy);
	if (core >= SL_STEER_CORES)
		return SK_PASS;
	key = *group * cores + core;
	if (bpf_sk_select_reuseport(ctx, &sockets, &key, 0)) {
		if (is_load)
			__sync_fetch_and_add(selected_of(core), -1);
	} else if (!is_load) {
		count(selected_of(core));
	}
	return SK_PASS;
}
