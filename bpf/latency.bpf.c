// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * latency: times a sample of the operations on rings. Attaches to the raw tracepoints
 * io_uring_submit_req (io_uring_submit_sqe before Linux 6.4) and io_uring_complete. Its peer,
 * which loads it, is latency.c; both share latency.h.
 *
 * What is timed waits in a table by the address of its request: no list and no lock, and who
 * comes later takes a place over. An address is used again, so that every submission, sampled or
 * not, ends what its place knew of an earlier one.
 */
#include "latency.h"
#include "program.h"

/* One of so many operations is timed. */
const volatile uint32_t sample = 1;

struct sl_latency latency;

enum { PLACES = 1024, DICE = 256 };

struct place {
	uint64_t req;
	uint64_t began_ns;
	uint32_t opcode;
};

static struct place places[PLACES];
static uint32_t dice[DICE]; /* by processor */

/* By chance: every nth would always meet the same one of operations that alternate. */
static inline bool is_sampled(void)
{
	uint32_t *d = &dice[bpf_get_smp_processor_id() % DICE];

	*d = *d * 1664525 + 1013904223;
	return (*d >> 8) % sample == 0;
}

static inline struct place *place_of(uint64_t req)
{
	return &places[(req >> 8 ^ req >> 18) % PLACES];
}

SEC("raw_tp")
int BPF_PROG(on_submit, uint64_t req)
{
	struct place *p = place_of(req);
	uint8_t opcode = 0;

	if (!is_own())
		return 0;
	if (!is_sampled()) {
		if (p->req == req)
			p->req = 0;
		return 0;
	}
	KERNEL_READ(opcode, req, fields, REQ_OPCODE);
	p->opcode = opcode;
	p->began_ns = bpf_ktime_get_ns();
	p->req = req;
	return 0;
}

SEC("raw_tp")
int BPF_PROG(on_complete, const void *ring, uint64_t req)
{
	struct place *p = place_of(req);

	if (!req || p->req != req)
		return 0;
	p->req = 0;
	count_in(&latency.ops[p->opcode % SL_BPF_OPCODES], bpf_ktime_get_ns() - p->began_ns);
	return 0;
}
