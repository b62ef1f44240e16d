/* SPDX-License-Identifier: Apache-2.0 */
/* Codes looked up by NEON of aarch64, one place at a time; the floats are scan_loops.inc. */
#include <arm_neon.h>
#include <math.h>

#include "scan.h"

#define SCAN_SET scan_neon

#define LANES 4
typedef float vf __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

static inline uint32_t bits_below(vf a, float limit)
{
	static const uint32_t bit[LANES] = {1, 2, 4, 8};
	uint32x4_t is = vcltq_f32((float32x4_t)a, vdupq_n_f32(limit));

	return vaddvq_u32(vandq_u32(is, vld1q_u32(bit)));
}

static void sums(const uint8_t *codes, const uint8_t *tables, size_t m, uint16_t *ret_sums)
{
	uint16x8_t sum[4] = {0};

	for (; m--; codes += 16, tables += SCAN_CODES) {
		uint8x16_t c = vld1q_u8(codes), t = vld1q_u8(tables);
		uint8x16_t a = vqtbl1q_u8(t, vandq_u8(c, vdupq_n_u8(15)));
		uint8x16_t b = vqtbl1q_u8(t, vshrq_n_u8(c, 4));

		sum[0] = vaddw_u8(sum[0], vget_low_u8(a));
		sum[1] = vaddw_high_u8(sum[1], a);
		sum[2] = vaddw_u8(sum[2], vget_low_u8(b));
		sum[3] = vaddw_high_u8(sum[3], b);
	}
	for (int i = 0; i < 4; i++)
		vst1q_u16(ret_sums + i * 8, sum[i]);
}

static int32_t picked(const uint8_t *bits, const int8_t *x, size_t n)
{
	static const uint8_t bit[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
	uint8x16_t each = vld1q_u8(bit);
	int32x4_t sum = vdupq_n_s32(0);

	for (size_t i = 0; i < n; i += 16) {
		uint8x16_t is = vcombine_u8(vdup_n_u8(bits[i / 8]), vdup_n_u8(bits[i / 8 + 1]));
		int8x16_t v = vandq_s8(vreinterpretq_s8_u8(vtstq_u8(is, each)), vld1q_s8(x + i));

		sum = vpadalq_s16(sum, vpaddlq_s8(v));
	}
	return vaddvq_s32(sum);
}

#include "scan_loops.inc"
