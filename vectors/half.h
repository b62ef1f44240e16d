/* SPDX-License-Identifier: Apache-2.0 */
/* Halves: IEEE 754 binary16 to float and back, also where the compiler has no type for them. */
#ifndef VECTORS_HALF_H
#define VECTORS_HALF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float sl_half_float(uint16_t h)
{
	uint32_t bits = (uint32_t)(h & 0x7fff) << 13;
	float f;

	memcpy(&f, &bits, sizeof(f));
	f = (h & 0x7c00) == 0x7c00 ? (h & 0x3ff ? NAN : INFINITY) : f * 0x1p112f;
	return h & 0x8000 ? -f : f;
}

/* The nearest one; of two equally near the even one; infinite from 65520 on. */
static inline uint16_t sl_float_half(float f)
{
	uint32_t bits, sign, exponent, fraction, shift, half, rest;

	memcpy(&bits, &f, sizeof(bits));
	sign = bits >> 16 & 0x8000;
	bits &= 0x7fffffff;
	if (bits > 0x7f800000)
		return (uint16_t)(sign | 0x7e00);
	exponent = bits >> 23;
	if (exponent >= 143)
		return (uint16_t)(sign | 0x7c00);
	if (exponent < 102)
		return (uint16_t)sign;
	fraction = (bits & 0x7fffff) | 0x800000;
	shift = exponent < 113 ? 126 - exponent : 13; /* below 113 a half has no leading one */
	half = fraction >> shift;
	rest = fraction & ((1u << shift) - 1);
	half += rest > 1u << (shift - 1) || (rest == 1u << (shift - 1) && half & 1);
	/* The leading one, if there is one, and a carry raise the exponent. */
	return (uint16_t)(sign | (exponent < 113 ? half : half + ((exponent - 113) << 10)));
}

#endif
