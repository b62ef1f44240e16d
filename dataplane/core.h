/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cores: pinned threads, each with a ring, an arena, fibers, timers and a mailbox of its own.
 *
 * Cores share nothing but published read views; what belongs to another core is done there, by a
 * message (sl_post) or a call (sl_call). The home of a thing is the hash of its id modulo the
 * number of cores.
 *
 * Order of parts: the cores of a process; the calling core; messages and calls; timers;
 * descriptors.
 */
#ifndef DATAPLANE_CORE_H
#define DATAPLANE_CORE_H

#include <errno.h>

#include <sluice/list.h>

#include "fiber.h"
#include "metric.h"

struct sl_core;
struct sl_cores;
struct sl_metrics;
struct sl_registry;

/* ---- the cores of a process ------------------------------------------------------------- */

/* node.numa; in the order of its ONEOF. */
enum sl_numa_mode { SL_NUMA_AUTO, SL_NUMA_OFF };

/**
 * struct sl_cores_conf - how cores are made; zero fields take the defaults.
 * @n: number of cores (1). @cpus: @n processor numbers to pin to, or NULL for no pinning.
 * @nodes: with @cpus: @n memory nodes to take each core's memory from (-1: any), or NULL for none.
 * @arena_bytes_max: of each core's arena (1 GiB of addresses).
 * @rx_buffers, @rx_buffer_bytes: provided buffers of each core (256 of 4 KiB).
 * @direct_ops_max, @direct_bytes_max: of direct reads in flight on each core (128; 32 MiB).
 * @spin_ns: how long a core may look for more to do before it sleeps, where that pays (not at all).
 * @backend: who carries operations out (NULL: the kernel).
 * @registry: where metrics are counted, for @n cores; stays the caller's (NULL: one of the cores'
 *	own, that nobody reads).
 */
struct sl_cores_conf {
	uint32_t n;
	const int *cpus;
	const int *nodes;
	uint64_t arena_bytes_max;
	uint32_t rx_buffers;
	uint32_t rx_buffer_bytes;
	uint32_t direct_ops_max;
	uint64_t direct_bytes_max;
	int64_t spin_ns;
	struct sl_backend *backend;
	struct sl_registry *registry;
};

/**
 * sl_cores_start() - make the cores and start their threads.
 * @start: run in a fiber on each core once its ring is up; a negative value stops them all.
 * @why: on failure the cause and its cure in one line.
 * Return: 0 once every core's @start returned 0, or the first -errno.
 */
int sl_cores_start(const struct sl_cores_conf *conf, int (*start)(struct sl_core *core, void *arg),
		   void *arg, struct sl_cores **ret_cores, char *why, size_t why_len);

/**
 * sl_cores_stop() - ask every core to end once no core has a fiber or an operation left; from any
 * thread. Who has fibers of his own that wait for ever must end them first.
 */
void sl_cores_stop(struct sl_cores *cores);

/* Waits for the cores' threads and frees everything. Not from a core. Accepts NULL. */
void sl_cores_join(struct sl_cores *cores);

/**
 * sl_core_run() - make one core on the calling thread, run @fn(@arg) in a fiber of it, and end it
 * when @fn has returned and all other fibers are done. For tests and tools.
 * Return: @fn's value, or -errno with the cause on standard error.
 */
int sl_core_run(const struct sl_cores_conf *conf, int (*fn)(void *arg), void *arg);

uint32_t sl_cores_count(const struct sl_cores *cores);
struct sl_core *sl_cores_at(const struct sl_cores *cores, uint32_t i);

/* ---- the calling core ------------------------------------------------------------------- */

/* The calling thread's core, or NULL. */
struct sl_core *sl_core_self(void);

uint32_t sl_core_id(const struct sl_core *core);
struct sl_cores *sl_core_cores(const struct sl_core *core);
struct sl_ring *sl_core_ring(const struct sl_core *core);

/* The node of this core's memory, or -1. */
int sl_core_node(const struct sl_core *core);

/* This core's metric slots; a core's thread only. */
struct sl_metrics *sl_core_metrics(struct sl_core *core);

/* Counts @n in the metrics of the calling core, if it is one. */
void sl_count(enum sl_metric_id id, uint64_t n);

/* The core that is home to the thing whose id hashes to @hash. */
struct sl_core *sl_core_home(const struct sl_cores *cores, uint64_t hash);

/* The time of this core's turn (ns, monotonic); elsewhere the clock itself. */
int64_t sl_now(void);

/* Asserts that the caller runs on @core. */
#define SL_ON_CORE(core) SL_ASSERT(sl_core_self() == (core))

/* ---- messages and calls ----------------------------------------------------------------- */

/* A message; first member of whatever it carries, which its sender may not touch any more. */
struct sl_msg {
	struct sl_msg *next;
	void (*fn)(struct sl_msg *msg); /* on the receiver's thread, outside fibers; owns msg */
};

/* Sends @msg to @to from any thread; messages of one sender arrive in order. */
void sl_post(struct sl_core *to, struct sl_msg *msg);

/**
 * sl_call() - run @fn(@arg, @deadline) in a fiber on @to and wait for it; directly when @to is the
 * caller's core. @arg stays with the caller, who waits until @fn returned whatever the deadline:
 * @fn itself keeps to it.
 * Return: @fn's value, or -ENOMEM.
 */
int sl_call(struct sl_core *to, int (*fn)(void *arg, int64_t deadline), void *arg,
	    int64_t deadline);

/* ---- timers ----------------------------------------------------------------------------- */

/* Calls fn on the core's thread, outside fibers, at or soon after a time. */
struct sl_timer {
	int64_t at;
	uint32_t slot; /* in the core's heap, from 1; 0: not set */
	void (*fn)(struct sl_timer *timer);
};

static inline void sl_timer_init(struct sl_timer *t, void (*fn)(struct sl_timer *))
{
	*t = (struct sl_timer){.fn = fn};
}

/* Sets or moves @t to @at; SL_NEVER clears it. Return: 0 or -ENOMEM. */
int sl_timer_set(struct sl_timer *t, int64_t at);
void sl_timer_clear(struct sl_timer *t);

/* ---- descriptors ------------------------------------------------------------------------ */

/*
 * Who keeps descriptors open on a core that others may need more. shed() closes some of them, and
 * says whether it did; it does not park.
 */
struct sl_shedder {
	struct sl_list node;
	bool (*shed)(struct sl_shedder *shedder);
};

/* On the calling core, from now on; sl_list_remove() of its node is the end of it. */
void sl_shedder_add(struct sl_shedder *shedder);

/* Whether @err says that there are no descriptors left. */
static inline bool sl_no_descriptor(int err)
{
	return err == -EMFILE || err == -ENFILE;
}

/**
 * sl_descriptors_shed() - there was no descriptor left: have some closed, by the first who can.
 * Return: whether any was, so that trying again is worth it. Else the other cores were asked, and
 *	   do it soon.
 */
bool sl_descriptors_shed(void);

#endif
