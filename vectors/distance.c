/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which functions compute distances here: one row for each set of instructions.
 *
 * Interface: <sluice/distance.h>. A set is one file distance_<set>.c, which gives its primitives to
 * distance_loops.inc, and one row of `sets`.
 *
 * Order of parts: names; the sets; choosing; what the sets share.
 */
#include <math.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#include <sluice/assert.h>

#include "distance_pvt.h"

/* ---- names ------------------------------------------------------------------------------ */

static const char *const metric_names[SL_METRIC_LAST] = {
	[SL_METRIC_L2] = "l2",
	[SL_METRIC_DOT] = "dot",
	[SL_METRIC_COSINE] = "cosine",
	[SL_METRIC_MANHATTAN] = "manhattan",
	[SL_METRIC_HAMMING] = "hamming",
};

static const char *const component_names[SL_COMPONENT_LAST] = {
	[SL_F32] = "f32",
	[SL_F16] = "f16",
	[SL_I8] = "i8",
	[SL_BITS] = "bits",
};

const char *sl_metric_name(enum sl_metric metric)
{
	SL_ASSERT(metric < SL_METRIC_LAST);
	return metric_names[metric];
}

const char *sl_component_name(enum sl_component component)
{
	SL_ASSERT(component < SL_COMPONENT_LAST);
	return component_names[component];
}

/* ---- the sets --------------------------------------------------------------------------- */

/* What a row has on another architecture than its own. */
#define ABSENT NULL, NULL

#ifdef __x86_64__
static bool have_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
}

/* Not every compiler's built-in function knows this one. */
static bool have_f16c(void)
{
	unsigned int eax, ebx, ecx = 0, edx;

	return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx & bit_F16C;
}

static bool have_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && have_f16c();
}

#define AVX512 have_avx512, &distance_avx512
#define AVX2 have_avx2, &distance_avx2
#else
#define AVX512 ABSENT
#define AVX2 ABSENT
#endif

#ifdef __aarch64__
#define NEON have_always, &distance_neon
#else
#define NEON ABSENT
#endif

static bool have_always(void)
{
	return true;
}

static const struct {
	const char *name;
	bool (*have)(void);
	const distance_table *table;
} sets[SL_DISTANCE_SET_LAST] = {
	[SL_DISTANCE_AVX512] = {"avx512", AVX512},
	[SL_DISTANCE_AVX2] = {"avx2", AVX2},
	[SL_DISTANCE_NEON] = {"neon", NEON},
	[SL_DISTANCE_SCALAR] = {"scalar", have_always, &distance_scalar},
};

const char *sl_distance_set_name(enum sl_distance_set set)
{
	SL_ASSERT(set < SL_DISTANCE_SET_LAST);
	return sets[set].name;
}

/* ---- choosing --------------------------------------------------------------------------- */

sl_distance_fn sl_distance_of(enum sl_distance_set set, enum sl_metric metric,
			      enum sl_component component)
{
	SL_ASSERT(set < SL_DISTANCE_SET_LAST);
	SL_ASSERT(metric < SL_METRIC_LAST && component < SL_COMPONENT_LAST);
	if (!sets[set].have || !sets[set].have())
		return NULL;
	return (*sets[set].table)[metric][component];
}

sl_distance_fn sl_distance(enum sl_metric metric, enum sl_component component)
{
	for (uint32_t set = 0; set < SL_DISTANCE_SET_LAST; set++) {
		sl_distance_fn fn = sl_distance_of(set, metric, component);

		if (fn)
			return fn;
	}
	SL_ASSERT(!"the scalar set is always there");
	return NULL;
}

/* ---- what the sets share ---------------------------------------------------------------- */

float distance_cosine_of(double ab, double aa, double bb)
{
	double cosine;

	if (aa == 0 || bb == 0)
		return 1;
	cosine = ab / sqrt(aa * bb);
	return (float)(1 - (cosine > 1 ? 1 : cosine < -1 ? -1 : cosine));
}
