/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What sched.bpf.c counts and sched.c maps. */
#ifndef BPF_SCHED_H
#define BPF_SCHED_H

#include <sluice/hist.h>

/* Cores beyond are not counted. */
#define SL_BPF_CORES 256

/**
 * struct sl_sched - @cores: how long each core's thread waited for its processor, in ns, each time
 * that it had been woken or was preempted.
 */
struct sl_sched {
	struct sl_hist cores[SL_BPF_CORES];
};

#endif
