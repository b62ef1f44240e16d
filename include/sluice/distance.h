/* SPDX-License-Identifier: Apache-2.0 */
/*
 * distance: how far vectors are from each other, by five metrics over four kinds of components.
 * libsluice(3).
 *
 * Each is computed by the widest instructions that this processor has. All sets of instructions
 * agree with the scalar one: exactly for int8 and bits where the metric is a sum of integers,
 * else within SL_DISTANCE_TOLERANCE of the sum of the terms' magnitudes, as only the order of
 * additions differs.
 *
 * Order of parts: what is compared; the calls.
 */
#ifndef SLUICE_DISTANCE_H
#define SLUICE_DISTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what is compared ------------------------------------------------------------------- */

/* Smaller is nearer, with each of them. */
enum sl_metric {
	SL_METRIC_L2, /* the sum of squared differences */
	SL_METRIC_DOT, /* minus the inner product */
	SL_METRIC_COSINE, /* 1 minus the cosine of the angle, 0 to 2; 1 if a vector is zero */
	SL_METRIC_MANHATTAN, /* the sum of absolute differences */
	SL_METRIC_HAMMING, /* how many components differ */
	SL_METRIC_LAST
};

enum sl_component {
	SL_F32,
	SL_F16, /* IEEE 754 binary16, as uint16_t */
	SL_I8, /* -128 to 127 */
	SL_BITS, /* 0 or 1, eight a byte from the lowest bit on; the last byte's others are 0 */
	SL_COMPONENT_LAST
};

/* "l2", "f32". */
const char *sl_metric_name(enum sl_metric metric);
const char *sl_component_name(enum sl_component component);

#define SL_DIM_MAX 65536

/* Bytes of a vector of @dim components. */
static inline size_t sl_vector_bytes(enum sl_component component, size_t dim)
{
	switch (component) {
	case SL_F32:
		return dim * 4;
	case SL_F16:
		return dim * 2;
	case SL_BITS:
		return (dim + 7) / 8;
	default:
		return dim;
	}
}

/* ---- the calls -------------------------------------------------------------------------- */

#define SL_DISTANCE_TOLERANCE 1e-5

/**
 * sl_distance_fn - the distance of @a and @b, of @dim (0..SL_DIM_MAX) components each. They need no
 * alignment; at a multiple of 64 bytes they are read fastest. Not finite if a component is not.
 */
typedef float (*sl_distance_fn)(const void *a, const void *b, size_t dim);

/* Sets of instructions, from the widest on. */
enum sl_distance_set {
	SL_DISTANCE_AVX512,
	SL_DISTANCE_AVX2,
	SL_DISTANCE_NEON,
	SL_DISTANCE_SCALAR,
	SL_DISTANCE_SET_LAST
};

const char *sl_distance_set_name(enum sl_distance_set set);

/* The function to use here. Ask once, for many distances. */
sl_distance_fn sl_distance(enum sl_metric metric, enum sl_component component);

/* That of one set, to compare them; NULL: this processor, or this build, does not have it. */
sl_distance_fn sl_distance_of(enum sl_distance_set set, enum sl_metric metric,
			      enum sl_component component);

#ifdef __cplusplus
}
#endif

#endif
