/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The delivery ladder: which rung sends which part. A new rung is one file rung_<name>.c, one
 * value of enum sl_rung and one row here.
 */
#include "conn_pvt.h"

static const struct rung *const ladder[SL_RUNG_LAST] = {
	[SL_RUNG_COPY] = &rung_copy,
	[SL_RUNG_SENDFILE] = &rung_sendfile,
	[SL_RUNG_SPLICE] = &rung_splice,
	[SL_RUNG_READ_FIXED] = &rung_read_fixed,
	[SL_RUNG_SEND_ZC] = &rung_send_zc,
};

static const char *const fallback_names[SL_FALLBACK_LAST] = {
	[SL_FALLBACK_SMALL] = "small",
	[SL_FALLBACK_COLD] = "cold",
	[SL_FALLBACK_FILE] = "file",
	[SL_FALLBACK_PIPES] = "pipes",
	[SL_FALLBACK_MEMLOCK] = "memlock",
	[SL_FALLBACK_PEER] = "peer",
	[SL_FALLBACK_TLS] = "tls",
	[SL_FALLBACK_MAP] = "map",
	[SL_FALLBACK_UNREADABLE] = "unreadable",
};

const struct rung *rung_at(enum sl_rung rung)
{
	SL_ASSERT(rung < SL_RUNG_LAST);
	return ladder[rung];
}

const char *sl_rung_name(enum sl_rung rung)
{
	return rung_at(rung)->name;
}

const char *sl_fallback_name(enum sl_fallback reason)
{
	SL_ASSERT(reason < SL_FALLBACK_LAST);
	return fallback_names[reason];
}

void rung_fell_back(struct sl_conn *c, enum sl_fallback reason)
{
	sl_metric_add2(c->l->core->metrics, SL_M_DELIVER_FALLBACKS, c->l->dim, reason, 1);
}

void rung_cannot(struct sl_conn *c)
{
	c->cursor.unsendable = true;
	rung_fell_back(c, SL_FALLBACK_FILE);
}

/* An inline send takes less than this unless it waits for the disk, or the core is interrupted. */
#define STALL_NS SL_MSEC

void rung_note_stall(struct sl_conn *c)
{
	struct sl_core *core = c->l->core;
	int64_t began = core->read_at, took = core_clock(core) - began;

	if (took < STALL_NS)
		return;
	sl_metric_add1(core->metrics, SL_M_DELIVER_STALLS, c->l->dim, 1);
	sl_metric_add1(core->metrics, SL_M_DELIVER_STALL_TIME, c->l->dim, (uint64_t)took);
}

/* Below this a read into memory, sent together with what surrounds it, costs less than a call. */
enum { COPY_MAX_BYTES = 4 << 10 };

bool rung_copies(struct sl_conn *c, uint64_t len)
{
	const struct sl_deliver_conf *conf = &c->l->limits.deliver;
	uint32_t max = conf->copy_max_bytes ? conf->copy_max_bytes : COPY_MAX_BYTES;

	if (conf->rung)
		return conf->rung - 1 == SL_RUNG_COPY;
	if (conf->adaptive)
		return learn_says_copy(&c->l->learnt, len, len <= max);
	return len <= max;
}

void rung_note(struct sl_conn *c, uint64_t len, bool copied)
{
	if (c->cursor.cost.len)
		c->cursor.cost.spoilt = true;
	c->cursor.cost.len = len;
	c->cursor.cost.copied = copied;
}

/* What is encrypted here passes through memory: the copy rung's, or if it is cold read_fixed's. */
static enum sl_rung rung_encrypted(struct sl_conn *c, const struct sl_part *p)
{
	if (p->kind == SL_PART_EXTENT) {
		if (!c->cursor.off)
			rung_fell_back(c, rung_copies(c, p->extent.len) ? SL_FALLBACK_SMALL
									: SL_FALLBACK_TLS);
		send_queue_bound(c, p->extent.len - c->cursor.off);
	}
	return SL_RUNG_COPY;
}

enum sl_rung rung_choose(struct sl_conn *c, const struct sl_part *p, size_t *bytes_max)
{
	uint8_t forced = c->l->limits.deliver.rung;

	if (c->transfer)
		return c->transfer->rung;
	if (c->cursor.unsendable)
		return SL_RUNG_READ_FIXED;
	if (conn_encrypts(c))
		return rung_encrypted(c, p);
	if (forced && rung_at(forced - 1)->can(c, p))
		return forced - 1;
	if (p->kind == SL_PART_SLICE)
		return rung_send_zc.can(c, p) ? SL_RUNG_SEND_ZC : SL_RUNG_COPY;
	if (rung_copies(c, p->extent.len)) {
		rung_fell_back(c, SL_FALLBACK_SMALL);
		return SL_RUNG_COPY;
	}
	if (residency_probe(c, &p->extent, bytes_max)) {
		c->cursor.cold = false;
		return SL_RUNG_SENDFILE;
	}
	if (!c->cursor.cold)
		rung_fell_back(c, SL_FALLBACK_COLD);
	c->cursor.cold = fetch_can(c, &p->extent);
	return c->cursor.cold ? SL_RUNG_SENDFILE : SL_RUNG_SPLICE;
}
