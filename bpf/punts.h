/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What punts.bpf.c counts and punts.c maps. */
#ifndef BPF_PUNTS_H
#define BPF_PUNTS_H

#include <stdint.h>

#include "opcodes.h"

/**
 * struct sl_punts - since the program was loaded, for this process.
 * @ops: operations handed to the kernel's worker threads, by opcode.
 * @overflows: completions that found no room in their queue and were kept aside.
 */
struct sl_punts {
	uint64_t ops[SL_BPF_OPCODES];
	uint64_t overflows;
};

#endif
