/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What ports.bpf.c reads and counts and ports.c maps. */
#ifndef BPF_PORTS_H
#define BPF_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#define SL_PORTS_ADDRS 8

/* An address on which cores listen; IPv4 addresses are ::ffff:a.b.c.d. */
struct sl_ports_addr {
	uint8_t addr[16];
	bool any; /* its family's wildcard, which :: is for both */
	bool is_ipv6;
};

/**
 * struct sl_ports - memory of the program.
 * @first: the port of core 0, those of the others follow; 0: none is mapped yet.
 * @addrs: @addrs_n of them, on which the ports are mapped. @mapped: connections, counted by the
 *	program.
 */
struct sl_ports {
	struct sl_ports_addr addrs[SL_PORTS_ADDRS];
	uint32_t addrs_n;
	uint32_t first;
	uint64_t mapped;
};

#endif
