// SPDX-License-Identifier: Apache-2.0
/*
 * The set of programs of this process: loading each by itself, and what became of it.
 *
 * Interface: bpf.h. The loaders are rows of programs.c; this file knows no libbpf, so that it is
 * the same in a build without programs.
 * Invariants: a slot has an object and counters exactly while its state is SL_BPF_LOADED. Other
 * threads may look while programs are loaded: a slot's state and counters are set last.
 * Order of parts: the table; loading; reading; steering; ports of cores.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_pvt.h"

/* ---- the table -------------------------------------------------------------------------- */

static const struct sl_bpf_info rows[] = {
#define X(id, n, a, s, w) [SL_BPF_##id] = {.name = #n, .attach = a, .since = s, .without = w},
#include "programs.def"
#undef X
};
_Static_assert(SL_ARRAY_SIZE(rows) == SL_BPF_LAST, "a row for each program");
_Static_assert(SL_BPF_LAST <= 64, "a bit for each program");

const struct sl_bpf_info *sl_bpf_info(enum sl_bpf_program p)
{
	SL_ASSERT(p < SL_BPF_LAST);
	return &rows[p];
}

/* ---- loading ---------------------------------------------------------------------------- */

struct sl_bpf {
	struct {
		struct sl_bpf_status status;
		void *skel;
		void *data;
	} slots[SL_BPF_LAST];
	uint8_t listener_of[65536]; /* as in struct sl_tcp, which may come later */
};

static void *data_of(const struct sl_bpf *bpf, enum sl_bpf_program p)
{
	return __atomic_load_n(&bpf->slots[p].data, __ATOMIC_ACQUIRE);
}

static void load_one(struct sl_bpf *bpf, enum sl_bpf_program p, const struct sl_bpf_conf *conf,
		     struct bpf_shared *shared)
{
	struct sl_bpf_status *status = &bpf->slots[p].status;
	struct bpf_load l = {
		.conf = conf, .shared = shared, .why = status->why, .why_len = sizeof(status->why)};

	if (bpf_loaders[p].load(&l)) {
		__atomic_store_n(&status->state, SL_BPF_REFUSED, __ATOMIC_RELAXED);
		return;
	}
	status->why[0] = 0;
	bpf->slots[p].skel = l.skel;
	if (p == SL_BPF_TCP)
		memcpy(((struct sl_tcp *)l.data)->listener_of, bpf->listener_of,
		       sizeof(bpf->listener_of));
	__atomic_store_n(&bpf->slots[p].data, l.data, __ATOMIC_RELEASE);
	__atomic_store_n(&status->state, SL_BPF_LOADED, __ATOMIC_RELAXED);
}

void sl_bpf_load_more(struct sl_bpf *bpf, const struct sl_bpf_conf *conf)
{
	char why[sizeof(bpf->slots[0].status.why)] = "";
	struct bpf_shared shared;
	int err = conf->wanted ? bpf_prepare(&shared, why, sizeof(why)) : 0;

	for (int p = 0; p < SL_BPF_LAST; p++) {
		struct sl_bpf_status *status = &bpf->slots[p].status;

		if (!(conf->wanted >> p & 1) || status->state == SL_BPF_LOADED)
			continue;
		if (!err) {
			load_one(bpf, (enum sl_bpf_program)p, conf, &shared);
			continue;
		}
		memcpy(status->why, why, sizeof(why));
		__atomic_store_n(&status->state, SL_BPF_REFUSED, __ATOMIC_RELAXED);
	}
}

int sl_bpf_load(const struct sl_bpf_conf *conf, struct sl_bpf **ret_bpf)
{
	struct sl_bpf *bpf = calloc(1, sizeof(*bpf));

	if (!bpf)
		return -ENOMEM;
	sl_bpf_load_more(bpf, conf);
	*ret_bpf = bpf;
	return 0;
}

void sl_bpf_free(struct sl_bpf *bpf)
{
	if (!bpf)
		return;
	for (int p = 0; p < SL_BPF_LAST; p++)
		if (bpf->slots[p].status.state == SL_BPF_LOADED)
			bpf_loaders[p].unload(bpf->slots[p].skel);
	free(bpf);
}

const struct sl_bpf_status *sl_bpf_status(const struct sl_bpf *bpf, enum sl_bpf_program p)
{
	SL_ASSERT(p < SL_BPF_LAST);
	return &bpf->slots[p].status;
}

bool sl_bpf_is_loaded(const struct sl_bpf *bpf, enum sl_bpf_program p)
{
	SL_ASSERT(p < SL_BPF_LAST);
	return __atomic_load_n(&bpf->slots[p].status.state, __ATOMIC_RELAXED) == SL_BPF_LOADED;
}

/* ---- reading ---------------------------------------------------------------------------- */

const struct sl_punts *sl_bpf_punts(const struct sl_bpf *bpf)
{
	return data_of(bpf, SL_BPF_PUNTS);
}

const struct sl_latency *sl_bpf_latency(const struct sl_bpf *bpf)
{
	return data_of(bpf, SL_BPF_LATENCY);
}

const struct sl_sched *sl_bpf_sched(const struct sl_bpf *bpf)
{
	return data_of(bpf, SL_BPF_SCHED);
}

const struct sl_pagecache *sl_bpf_pagecache(const struct sl_bpf *bpf)
{
	return data_of(bpf, SL_BPF_PAGECACHE);
}

const struct sl_tcp *sl_bpf_tcp(const struct sl_bpf *bpf)
{
	return data_of(bpf, SL_BPF_TCP);
}

void sl_bpf_tcp_listens(struct sl_bpf *bpf, uint16_t port, uint32_t which)
{
	struct sl_tcp *tcp = data_of(bpf, SL_BPF_TCP);

	SL_ASSERT(which < SL_BPF_LISTENERS);
	bpf->listener_of[port] = (uint8_t)(which + 1);
	if (tcp)
		__atomic_store_n(&tcp->listener_of[port], (uint8_t)(which + 1), __ATOMIC_RELAXED);
}

/* ---- steering --------------------------------------------------------------------------- */

struct sl_steer *sl_bpf_steer(const struct sl_bpf *bpf)
{
	return data_of(bpf, SL_BPF_STEER);
}

int sl_bpf_steer_join(const struct sl_bpf *bpf, uint32_t group, uint32_t core, int fd)
{
	SL_ASSERT(bpf->slots[SL_BPF_STEER].skel);
	return steer_join(bpf->slots[SL_BPF_STEER].skel, group, core, fd);
}

int sl_bpf_steer_rules(const struct sl_bpf *bpf, const struct sl_steer_rule *rules, size_t n)
{
	SL_ASSERT(bpf->slots[SL_BPF_STEER].skel);
	SL_ASSERT(n <= SL_STEER_RULES);
	return steer_rules(bpf->slots[SL_BPF_STEER].skel, rules, n);
}

/* ---- ports of cores --------------------------------------------------------------------- */

struct sl_ports *sl_bpf_ports(const struct sl_bpf *bpf)
{
	return data_of(bpf, SL_BPF_PORTS);
}

int sl_bpf_ports_join(const struct sl_bpf *bpf, uint32_t at, uint32_t core, int fd)
{
	SL_ASSERT(bpf->slots[SL_BPF_PORTS].skel);
	SL_ASSERT(at < SL_PORTS_ADDRS);
	return ports_join(bpf->slots[SL_BPF_PORTS].skel, at, core, fd);
}
