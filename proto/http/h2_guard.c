/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bucket of tokens against floods.
 *
 * Interface: h2_guard.h. Frames that cost this side more than they cost their sender (PING,
 * SETTINGS and what else is answered, streams begun and reset, frames without content) take tokens;
 * time and useful work put them back, never beyond the full bucket. Who sends nothing else is at
 * its end after a thousand frames; who also asks and reads never is.
 */
#include "h2_guard.h"

#include <sluice/util.h>

void h2_guard_init(struct h2_guard *g, int64_t now_ns)
{
	*g = (struct h2_guard){.tokens = H2_GUARD_TOKENS, .at_ns = now_ns};
}

void h2_guard_earn(struct h2_guard *g, int64_t n)
{
	g->tokens = sl_min(g->tokens + n, (int64_t)H2_GUARD_TOKENS);
}

bool h2_guard_spend(struct h2_guard *g, int64_t n, int64_t now_ns)
{
	const int64_t each_ns = SL_SEC / H2_GUARD_TOKENS_PER_S;
	int64_t back = (now_ns - g->at_ns) / each_ns;

	if (back > 0) {
		h2_guard_earn(g, sl_min(back, (int64_t)H2_GUARD_TOKENS));
		g->at_ns += back * each_ns;
	}
	g->tokens -= n;
	return g->tokens >= 0;
}
