/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What each program that runs in the kernel begins with: its licence, whose events count, where
 * fields lie, and counting. For x.bpf.c alone.
 */
#ifndef BPF_PROGRAM_H
#define BPF_PROGRAM_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <stdbool.h>

#include <sluice/hist.h>

#include "kernel.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Filled in by the loader. */
const volatile uint32_t own_tgid = 0;
const volatile struct kernel_fields fields = {};

/* Whether the current thread is one of the daemon's. */
static inline bool is_own(void)
{
	return bpf_get_current_pid_tgid() >> 32 == own_tgid;
}

static inline void count(uint64_t *counter)
{
	__sync_fetch_and_add(counter, 1);
}

/* Counts @value; any processor may do so at any time. */
static inline void count_in(struct sl_hist *h, uint64_t value)
{
	uint32_t bucket = sl_hist_bucket(value);

	if (bucket < SL_HIST_BUCKETS) /* as the verifier wants to see */
		count(&h->buckets[bucket]);
	__sync_fetch_and_add(&h->sum, value);
	if (value > h->max)
		h->max = value; /* of two at once one may be lost */
}

#endif
