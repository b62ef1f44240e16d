// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * punts: counts operations that io_uring hands to its worker threads, and completions that
 * overflow. Attaches to the raw tracepoints io_uring_queue_async_work and io_uring_cqe_overflow.
 * Its peer, which loads it, is punts.c; both share punts.h.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <stdbool.h>

#include "kernel.h"
#include "punts.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile uint32_t own_tgid = 0;
const volatile struct kernel_fields fields = {};

struct sl_punts punts;

static __always_inline bool is_own(void)
{
	return bpf_get_current_pid_tgid() >> 32 == own_tgid;
}

SEC("raw_tp")
int BPF_PROG(on_punt, const void *req)
{
	uint8_t opcode = 0;

	if (!is_own())
		return 0;
	KERNEL_READ(opcode, req, fields, REQ_OPCODE);
	__sync_fetch_and_add(&punts.ops[opcode % SL_BPF_OPCODES], 1);
	return 0;
}

SEC("raw_tp")
int BPF_PROG(on_overflow)
{
	if (is_own())
		__sync_fetch_and_add(&punts.overflows, 1);
	return 0;
}
