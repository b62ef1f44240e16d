/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The delivery ladder: which rung sends which part. A new rung is one file rung_<name>.c, one
 * value of enum sl_rung and one row here.
 */
#include "conn_pvt.h"

static const struct rung *const ladder[SL_RUNG_LAST] = {
	[SL_RUNG_COPY] = &rung_copy,
	[SL_RUNG_SENDFILE] = &rung_sendfile,
};

static const char *const fallback_names[SL_FALLBACK_LAST] = {
	[SL_FALLBACK_SMALL] = "small",
	[SL_FALLBACK_FILE] = "file",
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

enum sl_rung rung_choose(struct sl_conn *c, const struct sl_part *p)
{
	if (rung_sendfile.can(c, p))
		return SL_RUNG_SENDFILE;
	if (p->kind == SL_PART_EXTENT)
		sl_metric_add2(c->l->core->metrics, SL_M_DELIVER_FALLBACKS, c->l->dim,
			       SL_FALLBACK_SMALL, 1);
	return SL_RUNG_COPY;
}
