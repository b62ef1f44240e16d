/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What tcp.bpf.c looks up and counts, and tcp.c maps. */
#ifndef BPF_TCP_H
#define BPF_TCP_H

#include <sluice/hist.h>

/* A power of two. */
#define SL_BPF_LISTENERS 16

/**
 * struct sl_tcp_listener - of connections that one listener accepted.
 * @round_trip: smoothed round trip time, in ns: when they begin, when they end, and of a sample of
 *	them with each measurement in between. @retransmits: segments sent again.
 */
struct sl_tcp_listener {
	struct sl_hist round_trip;
	uint64_t retransmits;
};

/* @listener_of: by local port, which listener it is, plus one; 0: none. Written by the loader. */
struct sl_tcp {
	uint8_t listener_of[65536];
	struct sl_tcp_listener listeners[SL_BPF_LISTENERS];
};

#endif
