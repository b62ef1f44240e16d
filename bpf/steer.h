/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What steer.bpf.c reads and counts and steer.c maps. */
#ifndef BPF_STEER_H
#define BPF_STEER_H

#include <stdint.h>

#define SL_STEER_CORES 256
#define SL_STEER_CPUS 1024
#define SL_STEER_RULES 64

/* How a core is chosen for a connection. */
enum sl_steer_policy {
	SL_STEER_HASH, /* the kernel's choice */
	SL_STEER_LOAD, /* the core with the fewest connections */
	SL_STEER_CPU, /* the core on whose processor the SYN arrived */
	SL_STEER_SOURCE, /* one source address, one core */
	SL_STEER_RULES_FIRST, /* the fewest connections among the cores of the source's rule */
	SL_STEER_POLICY_LAST
};

/**
 * struct sl_steer_core - what is known of a core's load: @selected - @gone connections.
 * @selected: added to by the program when it chooses the core. @gone: written by the core: closed
 *	connections, and what the core corrects (selections that never became one).
 * Each half has a line of the processor's cache to itself.
 */
struct sl_steer_core {
	uint64_t selected;
	uint64_t pad0[7];
	uint64_t gone;
	uint64_t pad1[7];
};

/**
 * struct sl_steer - memory of the program, written by both sides, always by atomic accesses.
 * @policy: of enum sl_steer_policy, in force from the next SYN on.
 * @core_of_cpu: the core pinned to a processor, plus 1; 0: none.
 */
struct sl_steer {
	struct sl_steer_core cores[SL_STEER_CORES];
	uint32_t core_of_cpu[SL_STEER_CPUS];
	uint32_t policy;
};

/* A set of cores. */
struct sl_steer_mask {
	uint64_t bits[SL_STEER_CORES / 64];
};

/* The key of a rule: the first @bits of an IPv6 address; IPv4 addresses are ::ffff:a.b.c.d. */
struct sl_steer_prefix {
	uint32_t bits;
	uint8_t addr[16];
};

#endif
