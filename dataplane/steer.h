/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steer: which core gets a new connection.
 *
 * A policy says how it is chosen, a mechanism carries that out: the program in the kernel
 * (bpf/steer.bpf.c), classic BPF, a hint to the kernel, or the kernel's hash. Each listener takes
 * the first mechanism that knows the policy and that the machine allows, so that a policy is never
 * refused, only done by less. Where the program runs it chooses for all policies, and a change of
 * policy is one word of its memory.
 *
 * Order of parts: the process's steering; a core's share in it.
 */
#ifndef DATAPLANE_STEER_H
#define DATAPLANE_STEER_H

#include "bpf/bpf.h"

#include "conf.h"
#include "core.h"
#include "metric.h"

/* ---- the process's steering ------------------------------------------------------------- */

enum sl_steer_mechanism {
	SL_STEER_BY_EBPF,
	SL_STEER_BY_CLASSIC_BPF,
	SL_STEER_BY_INCOMING_CPU,
	SL_STEER_BY_KERNEL,
	SL_STEER_MECHANISM_LAST
};

/* "load", "ebpf": as logs and metrics name them. */
const char *sl_steer_policy_name(enum sl_steer_policy policy);
const char *sl_steer_mechanism_name(enum sl_steer_mechanism mechanism);

/**
 * struct sl_steering - one a process. Its fields are steer.c's own.
 * @policy, @mechanism: in force; atomic, since who reads metrics is on any thread.
 */
struct sl_steering {
	const struct sl_bpf *bpf;
	struct sl_steer *shared; /* the program's memory, or NULL */
	const int *cpus;
	uint32_t cores;
	uint32_t policy;
	uint32_t mechanism;
	struct sl_metric_source source;
	const char *policies[SL_STEER_POLICY_LAST];
	const char *mechanisms[SL_STEER_MECHANISM_LAST];
};

/**
 * sl_steering_init() - for @cores cores, pinned to @cpus (NULL: not pinned), which must stay.
 * @bpf: whose program steers if it is loaded; may be NULL, else outlives @s.
 */
void sl_steering_init(struct sl_steering *s, const struct sl_bpf *bpf, uint32_t cores,
		      const int *cpus);

/* Gives @registry the dimensions and the source of sluice_steering, as sl_telemetry_init(). */
void sl_steering_register(struct sl_steering *s, struct sl_registry *registry);

/* What a value of node.steering means for so many cores. */
enum sl_steer_policy sl_steer_policy_of(enum sl_steering_choice choice, uint32_t cores);

/**
 * sl_steering_set() - another policy, and other rules; by one thread. Each listener learns of it
 * by sl_listener_steer() (conn.h). Cores of rules that do not exist are left out, and a rule
 * without any is dropped.
 * Return: how many rules were dropped, or -errno: they could not be set.
 */
int sl_steering_set(struct sl_steering *s, enum sl_steer_policy policy,
		    const struct sl_conf_rules *rules);

/**
 * sl_steer_apply() - let the policy in force hold for the listening socket @fd of @core, in its
 * @group; one that the program serves already must not come here again.
 * Return: the mechanism that carries it out.
 */
enum sl_steer_mechanism sl_steer_apply(const struct sl_steering *s, uint32_t group, uint32_t core,
				       int fd);

/* ---- a core's share in it --------------------------------------------------------------- */

/**
 * struct sl_steer_count - how a core tells the program of its connections.
 * @accepted, @closed: connections of this core, ever. @corrected: selections by the program that
 *	became none, less connections that it did not select. @seen: selections when the core last
 *	looked. Invariant: what the program takes for the core's load is accepted - closed, and what
 *	was selected since @seen was taken and is not accepted yet.
 */
struct sl_steer_count {
	struct sl_steer_core *shared; /* NULL: nobody asks */
	uint64_t accepted, closed;
	int64_t corrected;
	uint64_t seen;
	struct sl_timer timer;
};

#endif
