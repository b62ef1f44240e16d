/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What latency.bpf.c counts and latency.c maps. */
#ifndef BPF_LATENCY_H
#define BPF_LATENCY_H

#include <sluice/hist.h>

#include "opcodes.h"

/**
 * struct sl_latency - @ops: time of sampled operations, in ns from when a ring took them until
 * they were complete, by opcode; of a multishot operation, until its end.
 */
struct sl_latency {
	struct sl_hist ops[SL_BPF_OPCODES];
};

#endif
