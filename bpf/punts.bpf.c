// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * punts: counts operations that io_uring hands to its worker threads, and completions that
 * overflow. Attaches to the raw tracepoints io_uring_queue_async_work and io_uring_cqe_overflow.
 * Its peer, which loads it, is punts.c; both share punts.h.
 */
#include "program.h"
#include "punts.h"

struct sl_punts punts;

SEC("raw_tp")
int BPF_PROG(on_punt, const void *req)
{
	uint8_t opcode = 0;

	if (!is_own())
		return 0;
	KERNEL_READ(opcode, req, fields, REQ_OPCODE);
	count(&punts.ops[opcode % SL_BPF_OPCODES]);
	return 0;
}

SEC("raw_tp")
int BPF_PROG(on_overflow)
{
	if (is_own())
		count(&punts.overflows);
	return 0;
}
