/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf: the programs of sluice that run in the kernel. The one header that folders to the right
 * include.
 *
 * Each program is loaded and attached by itself and is missed by nobody: without privileges,
 * without the kernel's type information (BTF) or without the place that it attaches to, it stays
 * off and says why, and everything else goes on. Loading needs CAP_BPF, CAP_PERFMON and, for some,
 * CAP_NET_ADMIN; what a program counts lies in memory mapped from the kernel and is read without
 * any.
 *
 * Order of parts: the table; loading; what the programs count; steering; ports of cores.
 */
#ifndef BPF_BPF_H
#define BPF_BPF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latency.h"
#include "pagecache.h"
#include "ports.h"
#include "punts.h"
#include "sched.h"
#include "steer.h"
#include "tcp.h"

/* ---- the table -------------------------------------------------------------------------- */

/* SL_BPF_PUNTS and so on. */
enum sl_bpf_program {
#define X(id, name, attach, since, without) SL_BPF_##id,
#include "programs.def"
#undef X
	SL_BPF_LAST
};

/**
 * struct sl_bpf_info - one row of programs.def.
 * @attach: where it attaches. @since: the kernel that brought that. @without: what is lost.
 */
struct sl_bpf_info {
	const char *name;
	const char *attach;
	const char *since;
	const char *without;
};

/* Row @p; asserts that it exists. */
const struct sl_bpf_info *sl_bpf_info(enum sl_bpf_program p);

/* ---- loading ---------------------------------------------------------------------------- */

enum sl_bpf_state {
	SL_BPF_OFF, /* not asked for */
	SL_BPF_LOADED,
	SL_BPF_REFUSED, /* asked for, and could not be had */
};

/* @why: of SL_BPF_REFUSED the cause and its cure in one line, "" otherwise. */
struct sl_bpf_status {
	enum sl_bpf_state state;
	char why[200];
};

/**
 * struct sl_bpf_conf - @wanted: bit (1 << program) for each program to load.
 * @sample: one of so many operations is timed; 0 is 1, all of them.
 * @steer_cores, @steer_groups: cores, and addresses on which each of them listens; 0 is 1. The
 *	program ports, too, is for so many cores.
 */
struct sl_bpf_conf {
	uint64_t wanted;
	uint32_t sample;
	uint32_t steer_cores;
	uint32_t steer_groups;
};

struct sl_bpf;

/**
 * sl_bpf_load() - load and attach the wanted programs, by a thread with the privileges; they count
 * this process alone, threads that it starts later included, and end with sl_bpf_free() or the
 * process. That a program is refused is no failure: see sl_bpf_status().
 * Return: 0 or -ENOMEM.
 */
int sl_bpf_load(const struct sl_bpf_conf *conf, struct sl_bpf **ret_bpf);

/*
 * Loads and attaches what @conf wants and @bpf has not, by one thread, while others may look at
 * what is there. What was told of ports to sl_bpf_tcp_listens() before holds.
 */
void sl_bpf_load_more(struct sl_bpf *bpf, const struct sl_bpf_conf *conf);

/* Detaches everything; nobody may look at its counters any more. Accepts NULL. */
void sl_bpf_free(struct sl_bpf *bpf);

/* What became of @p; to be looked at where it is not being loaded. Stays until sl_bpf_free(). */
const struct sl_bpf_status *sl_bpf_status(const struct sl_bpf *bpf, enum sl_bpf_program p);

/* Whether @p is loaded, at any time. */
bool sl_bpf_is_loaded(const struct sl_bpf *bpf, enum sl_bpf_program p);

/* ---- what the programs count ------------------------------------------------------------ */

/* Memory that the kernel writes to, to be read by relaxed loads; NULL unless it is loaded. */
const struct sl_punts *sl_bpf_punts(const struct sl_bpf *bpf);
const struct sl_latency *sl_bpf_latency(const struct sl_bpf *bpf);
const struct sl_sched *sl_bpf_sched(const struct sl_bpf *bpf);
const struct sl_pagecache *sl_bpf_pagecache(const struct sl_bpf *bpf);
const struct sl_tcp *sl_bpf_tcp(const struct sl_bpf *bpf);

/*
 * Connections to local port @port are of listener @which (< SL_BPF_LISTENERS) from now on, or from
 * when the program is loaded; not while it is being loaded.
 */
void sl_bpf_tcp_listens(struct sl_bpf *bpf, uint16_t port, uint32_t which);

/* ---- steering --------------------------------------------------------------------------- */

/* Memory that the program reads and writes, see steer.h; NULL unless it is loaded. */
struct sl_steer *sl_bpf_steer(const struct sl_bpf *bpf);

/**
 * sl_bpf_steer_join() - from now on the program chooses among the sockets of @group, to which @fd
 * belongs as that of @core. All of a group listen on one address (SO_REUSEPORT); @fd leaves it
 * when it is closed. Only while the program is loaded; needs no privileges.
 * Return: 0 or -errno.
 */
int sl_bpf_steer_join(const struct sl_bpf *bpf, uint32_t group, uint32_t core, int fd);

/* Connections from addresses of @prefix go to cores of @mask; the longest prefix counts. */
struct sl_steer_rule {
	struct sl_steer_prefix prefix;
	struct sl_steer_mask mask;
};

/**
 * sl_bpf_steer_rules() - these @n rules (at most SL_STEER_RULES) instead of the earlier ones; a
 * connection that arrives meanwhile may meet a part of them. Otherwise as sl_bpf_steer_join().
 */
int sl_bpf_steer_rules(const struct sl_bpf *bpf, const struct sl_steer_rule *rules, size_t n);

/* ---- ports of cores --------------------------------------------------------------------- */

/* Memory that the program reads and writes, see ports.h; NULL unless it is loaded. */
struct sl_ports *sl_bpf_ports(const struct sl_bpf *bpf);

/**
 * sl_bpf_ports_join() - the listening socket @fd is that of @core on address @at of
 * sl_bpf_ports()->addrs; until it is closed. Only while the program is loaded; needs no privileges.
 * Return: 0 or -errno.
 */
int sl_bpf_ports_join(const struct sl_bpf *bpf, uint32_t at, uint32_t core, int fd);

#endif
