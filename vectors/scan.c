/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which functions look codes up here: one row for each set of instructions.
 *
 * Interface: scan.h. A set is one file scan_<set>.c, which gives its primitives to scan_loops.inc,
 * and one row of `sets`; whether this processor has it is asked of distance.c.
 */
#include <sluice/assert.h>

#include "scan.h"

static const struct scan_set *const sets[SL_DISTANCE_SET_LAST] = {
#ifdef __x86_64__
	[SL_DISTANCE_AVX512] = &scan_avx512,
	[SL_DISTANCE_AVX2] = &scan_avx2,
#endif
#ifdef __aarch64__
	[SL_DISTANCE_NEON] = &scan_neon,
#endif
	[SL_DISTANCE_SCALAR] = &scan_scalar,
};

const struct scan_set *scan_set_of(enum sl_distance_set set)
{
	SL_ASSERT(set < SL_DISTANCE_SET_LAST);
	return sl_distance_of(set, SL_METRIC_L2, SL_F32) ? sets[set] : NULL;
}

const struct scan_set *scan_set(void)
{
	for (uint32_t set = 0; set < SL_DISTANCE_SET_LAST; set++) {
		const struct scan_set *s = scan_set_of((enum sl_distance_set)set);

		if (s)
			return s;
	}
	SL_ASSERT(!"the scalar set is always there");
	return NULL;
}
