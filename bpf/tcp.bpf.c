// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * tcp: round trips and retransmissions of connections that our listeners accepted. Attaches to the
 * daemon's cgroup as a sockops program. Its peer, which loads it, is tcp.c; both share tcp.h.
 */
#include "program.h"
#include "tcp.h"

/* One of so many connections tells each of its measurements. */
enum { SAMPLE = 16, CLOSED = 7 /* TCP_CLOSE */ };

struct sl_tcp tcp;

static inline void note_round_trip(struct bpf_sock_ops *ops, struct sl_tcp_listener *l)
{
	if (ops->srtt_us)
		count_in(&l->round_trip, (uint64_t)(ops->srtt_us >> 3) * 1000);
}

static inline void begin(struct bpf_sock_ops *ops, struct sl_tcp_listener *l)
{
	int events = BPF_SOCK_OPS_RETRANS_CB_FLAG | BPF_SOCK_OPS_STATE_CB_FLAG;

	if (bpf_get_prandom_u32() % SAMPLE == 0)
		events |= BPF_SOCK_OPS_RTT_CB_FLAG;
	bpf_sock_ops_cb_flags_set(ops, events);
	note_round_trip(ops, l);
}

SEC("sockops")
int on_tcp(struct bpf_sock_ops *ops)
{
	uint32_t which = tcp.listener_of[ops->local_port & 0xffff];
	struct sl_tcp_listener *l;

	if (!which)
		return 1;
	/* A bound that the verifier of Linux 6.1 follows, too. */
	l = &tcp.listeners[(which - 1) % SL_BPF_LISTENERS];
	switch (ops->op) {
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		begin(ops, l);
		break;
	case BPF_SOCK_OPS_RTT_CB:
		note_round_trip(ops, l);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		if (ops->args[1] == CLOSED)
			note_round_trip(ops, l);
		break;
	case BPF_SOCK_OPS_RETRANS_CB:
		__sync_fetch_and_add(&l->retransmits, ops->args[1]);
		break;
	}
	return 1;
}
