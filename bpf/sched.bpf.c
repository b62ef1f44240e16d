// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * sched: how long each core's thread waits in its processor's run queue. Attaches to the raw
 * tracepoints sched_wakeup and sched_switch. Its peer, which loads it, is sched.c; both share
 * sched.h.
 *
 * A core's thread is known by its process and its name, sluice/N, which are looked at when it
 * leaves its processor; from then on by the address of its task in a table. So nothing of any
 * other task is ever read: it costs a comparison.
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

/* The number in the current thread's name, "sluice/N"; SL_BPF_CORES: another name. */
static inline uint32_t core_of_current(void)
{
	static const char prefix[] = {'s', 'l', 'u', 'i', 'c', 'e', '/'};
	char name[NAME_BYTES] = {};
	uint32_t core = 0;
	int i;

	bpf_get_current_comm(name, sizeof(name));
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

/* The current thread, whose task is @task, takes place @p if it is a core's. */
static inline bool learn(struct place *p, uint64_t task)
{
	uint32_t core = is_own() ? core_of_current() : SL_BPF_CORES;

	if (core >= SL_BPF_CORES)
		return false;
	p->core = core;
	p->task = task;
	p->since_ns = 0;
	return true;
}

SEC("raw_tp")
int BPF_PROG(on_wakeup, uint64_t task)
{
	struct place *p = place_of(task);

	if (p->task == task)
		p->since_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("raw_tp")
int BPF_PROG(on_switch, bool preempted, uint64_t prev, uint64_t next, uint32_t prev_state)
{
	struct place *p = place_of(prev);

	/* A state of 0 is to go on running; @preempted is not set when a time slice ends so. */
	if ((p->task == prev || learn(p, prev)) && !prev_state)
		p->since_ns = bpf_ktime_get_ns();
	p = place_of(next);
	if (p->task != next || !p->since_ns)
		return 0;
	count_in(&sched.cores[p->core % SL_BPF_CORES], bpf_ktime_get_ns() - p->since_ns);
	p->since_ns = 0;
	return 0;
}
