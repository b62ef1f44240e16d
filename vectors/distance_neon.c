/* SPDX-License-Identifier: Apache-2.0 */
/* Distances by NEON of aarch64: the primitives; the loops are distance_loops.inc. */
#include <arm_neon.h>

#include <sluice/util.h>

#define DISTANCE_TABLE distance_neon

/* ---- floats ----------------------------------------------------------------------------- */

#define LANES 4
typedef float32x4_t vf;

static inline vf f_zero(void)
{
	return vdupq_n_f32(0);
}

static inline vf f_load_f32(const float *p)
{
	return vld1q_f32(p);
}

static inline vf f_load_f16(const uint16_t *p)
{
	return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}

static inline vf f_add(vf a, vf b)
{
	return vaddq_f32(a, b);
}

static inline vf f_sub(vf a, vf b)
{
	return vsubq_f32(a, b);
}

static inline vf f_fma(vf a, vf b, vf c)
{
	return vfmaq_f32(c, a, b);
}

static inline vf f_abs(vf a)
{
	return vabsq_f32(a);
}

static inline vf f_differ(vf a, vf b)
{
	return vbslq_f32(vceqq_f32(a, b), f_zero(), vdupq_n_f32(1));
}

static inline float f_sum(vf a)
{
	return vaddvq_f32(a);
}

/* ---- bytes ------------------------------------------------------------------------------ */

#define BYTES 16
typedef int32x4_t vi;

static inline vi i_zero(void)
{
	return vdupq_n_s32(0);
}

static inline vi i_load(const uint8_t *p)
{
	return vreinterpretq_s32_u8(vld1q_u8(p));
}

static inline vi i_dot(vi s, vi a, vi b)
{
	int8x16_t x = vreinterpretq_s8_s32(a), y = vreinterpretq_s8_s32(b);

	s = vpadalq_s16(s, vmull_s8(vget_low_s8(x), vget_low_s8(y)));
	return vpadalq_s16(s, vmull_high_s8(x, y));
}

static inline vi add_squares(vi s, int16x8_t d)
{
	s = vmlal_s16(s, vget_low_s16(d), vget_low_s16(d));
	return vmlal_high_s16(s, d, d);
}

static inline vi i_l2(vi s, vi a, vi b)
{
	int8x16_t x = vreinterpretq_s8_s32(a), y = vreinterpretq_s8_s32(b);

	s = add_squares(s, vsubl_s8(vget_low_s8(x), vget_low_s8(y)));
	return add_squares(s, vsubl_high_s8(x, y));
}

static inline vi add_bytes(vi s, uint8x16_t bytes)
{
	return vreinterpretq_s32_u32(vpadalq_u16(vreinterpretq_u32_s32(s), vpaddlq_u8(bytes)));
}

static inline vi i_manhattan(vi s, vi a, vi b)
{
	int8x16_t x = vreinterpretq_s8_s32(a), y = vreinterpretq_s8_s32(b);

	return add_bytes(s, vreinterpretq_u8_s8(vsubq_s8(vmaxq_s8(x, y), vminq_s8(x, y))));
}

static inline vi i_hamming(vi s, vi a, vi b)
{
	uint8x16_t same = vceqq_u8(vreinterpretq_u8_s32(a), vreinterpretq_u8_s32(b));

	return add_bytes(s, vbicq_u8(vdupq_n_u8(1), same));
}

static inline vi i_ones(vi s, vi a)
{
	return add_bytes(s, vcntq_u8(vreinterpretq_u8_s32(a)));
}

static inline vi i_xor(vi a, vi b)
{
	return veorq_s32(a, b);
}

static inline vi i_and(vi a, vi b)
{
	return vandq_s32(a, b);
}

static inline int64_t i_sum(vi s)
{
	return vaddlvq_s32(s);
}

#include "distance_loops.inc"
