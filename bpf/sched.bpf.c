// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * sched: how long each core's thread waits in its processor's run queue. Attaches to the raw
 * tracepoints sched_wakeup and sched_switch. Its peer, which loads it, is sched.c; both share
 * sched.h.
 *
 * A core's thread is known by its process and its name, sluice/N, which are read when it is first
 * woken; from then on by the address of its task in a table, so that others cost one comparison.
 */
#include "program.h"
#include "sched.h"

struct sl_sched sched;

enum { PLACES = 512, NAME_BYTES = 16 };

struct place {
	uint64_t task;
	uint64_t since_ns; /* it waits; 0: it does not */
	uint32_t core;
};

static struct place places[PLACES];

static inline struct place *place_of(uint64_t task)
{
	return &places[(task >> 6 ^ task >> 15) % PLACES];
}

/* The number in "sluice/N"; SL_BPF_CORES: another name. */
static inline uint32_t core_of(uint64_t task)
{
	static const char prefix[] = {'s', 'l', 'u', 'i', 'c', 'e', '/'};
	char name[NAME_BYTES] = {};
	uint32_t core = 0;
	int i;

	KERNEL_READ(name, task, fields, TASK_COMM);
	for (i = 0; i < (int)sizeof(prefix); i++)
		if (name[i] != prefix[i])
			return SL_BPF_CORES;
	for (; i < NAME_BYTES - 1 && name[i]; i++) {
		if (name[i] < '0' || name[i] > '9')
			return SL_BPF_CORES;
		core = core * 10 + (uint32_t)(name[i] - '0');
	}
	return i > (int)sizeof(prefix) ? core : SL_BPF_CORES;
}

static inline bool learn(struct place *p, uint64_t task)
{
	uint32_t tgid = 0, core;

	KERNEL_READ(tgid, task, fields, TASK_TGID);
	if (tgid != own_tgid)
		return false;
	core = core_of(task);
	if (core >= SL_BPF_CORES)
		return false;
	p->core = core;
	p->task = task;
	return true;
}

SEC("raw_tp")
int BPF_PROG(on_wakeup, uint64_t task)
{
	struct place *p = place_of(task);

	if (p->task == task || learn(p, task))
		p->since_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("raw_tp")
int BPF_PROG(on_switch, bool preempted, uint64_t prev, uint64_t next, uint32_t prev_state)
{
	struct place *p = place_of(prev);
	uint64_t now = 0;

	/* A state of 0 is to go on running; @preempted is not set when a time slice ends so. */
	if (p->task == prev && !prev_state) {
		now = bpf_ktime_get_ns();
		p->since_ns = now;
	}
	p = place_of(next);
	if (p->task != next || !p->since_ns)
		return 0;
	now = now ? now : bpf_ktime_get_ns();
	count_in(&sched.cores[p->core % SL_BPF_CORES], now - p->since_ns);
	p->since_ns = 0;
	return 0;
}
