/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Distances by plain C, on any processor: what the other sets of instructions are held against.
 *
 * Each metric is written once, over a function that gives component i; the compiler makes a
 * function of it for each kind of components.
 *
 * Order of parts: components; metrics; the table.
 */
#include <math.h>
#include <string.h>

#include "distance_pvt.h"

#define INLINE static inline __attribute__((always_inline))

/* ---- components ------------------------------------------------------------------------- */

typedef double (*get_fn)(const void *v, size_t i);

INLINE double get_f32(const void *v, size_t i)
{
	float f;

	memcpy(&f, (const char *)v + i * sizeof(f), sizeof(f));
	return f;
}

/* Subnormal numbers are multiples of 2^-24; an exponent of 31 is infinity or not a number. */
INLINE double get_f16(const void *v, size_t i)
{
	uint16_t h;
	int exponent;
	double m, x;

	memcpy(&h, (const char *)v + i * sizeof(h), sizeof(h));
	exponent = h >> 10 & 31;
	m = h & 1023;
	if (exponent == 31)
		x = m != 0 ? (double)NAN : (double)INFINITY;
	else
		x = exponent ? ldexp(m + 1024, exponent - 25) : ldexp(m, -24);
	return h >> 15 ? -x : x;
}

INLINE double get_i8(const void *v, size_t i)
{
	return ((const int8_t *)v)[i];
}

INLINE double get_bit(const void *v, size_t i)
{
	return ((const uint8_t *)v)[i / 8] >> i % 8 & 1;
}

/* ---- metrics ---------------------------------------------------------------------------- */

INLINE float l2(get_fn get, const void *a, const void *b, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		double d = get(a, i) - get(b, i);

		sum += d * d;
	}
	return (float)sum;
}

INLINE float dot(get_fn get, const void *a, const void *b, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += get(a, i) * get(b, i);
	return (float)-sum;
}

INLINE float cosine(get_fn get, const void *a, const void *b, size_t n)
{
	double ab = 0, aa = 0, bb = 0;

	for (size_t i = 0; i < n; i++) {
		double x = get(a, i), y = get(b, i);

		ab += x * y;
		aa += x * x;
		bb += y * y;
	}
	return distance_cosine_of(ab, aa, bb);
}

INLINE float manhattan(get_fn get, const void *a, const void *b, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += fabs(get(a, i) - get(b, i));
	return (float)sum;
}

INLINE float hamming(get_fn get, const void *a, const void *b, size_t n)
{
	size_t differ = 0;

	for (size_t i = 0; i < n; i++)
		differ += get(a, i) != get(b, i);
	return (float)differ;
}

/* ---- the table -------------------------------------------------------------------------- */

#define OVER(metric, get)                                                                          \
	static float metric##_##get(const void *a, const void *b, size_t n)                        \
	{                                                                                          \
		return metric(get, a, b, n);                                                       \
	}
#define OVER_ALL(metric)                                                                           \
	OVER(metric, get_f32)                                                                      \
	OVER(metric, get_f16)                                                                      \
	OVER(metric, get_i8)                                                                       \
	OVER(metric, get_bit)

OVER_ALL(l2)
OVER_ALL(dot)
OVER_ALL(cosine)
OVER_ALL(manhattan)
OVER_ALL(hamming)

#define ROW(metric)                                                                                \
	{                                                                                          \
		[SL_F32] = metric##_get_f32, [SL_F16] = metric##_get_f16,                          \
		[SL_I8] = metric##_get_i8, [SL_BITS] = metric##_get_bit                            \
	}

const distance_table distance_scalar = {
	[SL_METRIC_L2] = ROW(l2),
	[SL_METRIC_DOT] = ROW(dot),
	[SL_METRIC_COSINE] = ROW(cosine),
	[SL_METRIC_MANHATTAN] = ROW(manhattan),
	[SL_METRIC_HAMMING] = ROW(hamming),
};
