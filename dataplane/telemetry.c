// SPDX-License-Identifier: Apache-2.0
/*
 * telemetry: rows of metrics that programs in the kernel count. Interface: telemetry.h.
 *
 * The kernel writes, we read mapped memory by relaxed loads: a scrape takes no system call here.
 * Order of parts: one reader for each row; the table; the source.
 */
#include "telemetry.h"
#include "uring/uring.h"

static uint64_t load(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* ---- one reader for each row ------------------------------------------------------------ */

static bool read_loaded(const struct sl_bpf *bpf, uint32_t i, uint64_t *ret_value)
{
	*ret_value = sl_bpf_is_loaded(bpf, (enum sl_bpf_program)i);
	return true;
}

static bool read_punts(const struct sl_bpf *bpf, uint32_t i, uint64_t *ret_value)
{
	const struct sl_punts *p = sl_bpf_punts(bpf);

	if (!p || i >= SL_BPF_OPCODES)
		return false;
	*ret_value = load(&p->ops[i]);
	return true;
}

static bool read_overflows(const struct sl_bpf *bpf, uint32_t i, uint64_t *ret_value)
{
	const struct sl_punts *p = sl_bpf_punts(bpf);

	if (p)
		*ret_value = load(&p->overflows);
	return p;
}

static bool read_op_time(const struct sl_bpf *bpf, uint32_t i, struct sl_hist *ret_hist)
{
	const struct sl_latency *l = sl_bpf_latency(bpf);

	if (!l || i >= SL_BPF_OPCODES)
		return false;
	sl_hist_merge(ret_hist, &l->ops[i]);
	return true;
}

static bool read_queued_time(const struct sl_bpf *bpf, uint32_t i, struct sl_hist *ret_hist)
{
	const struct sl_sched *s = sl_bpf_sched(bpf);

	if (!s || i >= SL_BPF_CORES)
		return false;
	sl_hist_merge(ret_hist, &s->cores[i]);
	return true;
}

static bool read_misses(const struct sl_bpf *bpf, uint32_t i, uint64_t *ret_value)
{
	const struct sl_pagecache *p = sl_bpf_pagecache(bpf);

	if (p)
		*ret_value = load(&p->missed);
	return p;
}

static bool read_appends(const struct sl_bpf *bpf, uint32_t i, uint64_t *ret_value)
{
	const struct sl_pagecache *p = sl_bpf_pagecache(bpf);

	if (p)
		*ret_value = load(&p->grown);
	return p;
}

static bool read_drops(const struct sl_bpf *bpf, uint32_t i, uint64_t *ret_value)
{
	const struct sl_pagecache *p = sl_bpf_pagecache(bpf);

	if (p)
		*ret_value = load(&p->dropped);
	return p;
}

static const struct sl_tcp_listener *tcp_listener(const struct sl_bpf *bpf, uint32_t i)
{
	const struct sl_tcp *tcp = sl_bpf_tcp(bpf);

	return tcp && i < SL_BPF_LISTENERS ? &tcp->listeners[i] : NULL;
}

static bool read_round_trip(const struct sl_bpf *bpf, uint32_t i, struct sl_hist *ret_hist)
{
	const struct sl_tcp_listener *l = tcp_listener(bpf, i);

	if (l)
		sl_hist_merge(ret_hist, &l->round_trip);
	return l;
}

static bool read_retransmits(const struct sl_bpf *bpf, uint32_t i, uint64_t *ret_value)
{
	const struct sl_tcp_listener *l = tcp_listener(bpf, i);

	if (l)
		*ret_value = load(&l->retransmits);
	return l;
}

/* ---- the table -------------------------------------------------------------------------- */

static const struct {
	enum sl_metric_id id;
	bool (*value)(const struct sl_bpf *bpf, uint32_t i, uint64_t *ret_value);
	bool (*hist)(const struct sl_bpf *bpf, uint32_t i, struct sl_hist *ret_hist);
} rows[] = {
	{SL_M_BPF_LOADED, read_loaded, NULL},
	{SL_M_RING_PUNTS, read_punts, NULL},
	{SL_M_RING_CQE_OVERFLOWS, read_overflows, NULL},
	{SL_M_RING_OP_TIME, NULL, read_op_time},
	{SL_M_CORE_QUEUED_TIME, NULL, read_queued_time},
	{SL_M_PAGECACHE_MISSES, read_misses, NULL},
	{SL_M_PAGECACHE_APPENDS, read_appends, NULL},
	{SL_M_PAGECACHE_DROPS, read_drops, NULL},
	{SL_M_TCP_ROUND_TRIP, NULL, read_round_trip},
	{SL_M_TCP_RETRANSMITS, read_retransmits, NULL},
};

/* ---- the source ------------------------------------------------------------------------- */

static bool read_row(void *arg, enum sl_metric_id id, uint32_t i, uint32_t j, uint64_t *ret_value,
		     struct sl_hist *ret_hist)
{
	const struct sl_telemetry *t = arg;

	for (size_t k = 0; k < SL_ARRAY_SIZE(rows); k++)
		if (rows[k].id == id)
			return rows[k].hist ? rows[k].hist(t->bpf, i, ret_hist)
					    : rows[k].value(t->bpf, i, ret_value);
	return false;
}

void sl_telemetry_init(struct sl_telemetry *t, struct sl_registry *registry,
		       const struct sl_bpf *bpf)
{
	const char *const *opcodes;
	uint32_t n;

	*t = (struct sl_telemetry){.bpf = bpf, .source = {.read = read_row, .arg = t}};
	for (int p = 0; p < SL_BPF_LAST; p++)
		t->programs[p] = sl_bpf_info((enum sl_bpf_program)p)->name;
	opcodes = sl_opcode_names(&n);
	sl_registry_dim(registry, SL_DIM_PROGRAM, t->programs, SL_BPF_LAST);
	sl_registry_dim(registry, SL_DIM_OPCODE, opcodes, n);
	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++)
		sl_registry_source(registry, rows[i].id, &t->source);
}
