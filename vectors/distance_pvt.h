/* SPDX-License-Identifier: Apache-2.0 */
/* What the sets of instructions give to distance.c: a table each. */
#ifndef VECTORS_DISTANCE_PVT_H
#define VECTORS_DISTANCE_PVT_H

#include <sluice/distance.h>

typedef sl_distance_fn distance_table[SL_METRIC_LAST][SL_COMPONENT_LAST];

extern const distance_table distance_avx512;
extern const distance_table distance_avx2;
extern const distance_table distance_neon;
extern const distance_table distance_scalar;

/* Of the sums of products: of a and b, of a with itself, of b with itself. */
float distance_cosine_of(double ab, double aa, double bb);

#endif
