/* SPDX-License-Identifier: Apache-2.0 */
/* Distances by AVX-512 (F, BW, VL, VNNI): the primitives; the loops are distance_loops.inc. */
#include <immintrin.h>

#include <sluice/util.h>

#define DISTANCE_TABLE distance_avx512
#define PARTS

/* ---- floats ----------------------------------------------------------------------------- */

#define LANES 16
typedef __m512 vf;

static inline vf f_zero(void)
{
	return _mm512_setzero_ps();
}

static inline vf f_load_f32(const float *p)
{
	return _mm512_loadu_ps(p);
}

static inline vf f_load_f16(const uint16_t *p)
{
	return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

static inline vf f_part_f32(const float *p, size_t n)
{
	return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}

static inline vf f_part_f16(const uint16_t *p, size_t n)
{
	return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1), p));
}

static inline vf f_add(vf a, vf b)
{
	return _mm512_add_ps(a, b);
}

static inline vf f_sub(vf a, vf b)
{
	return _mm512_sub_ps(a, b);
}

static inline vf f_fma(vf a, vf b, vf c)
{
	return _mm512_fmadd_ps(a, b, c);
}

static inline vf f_abs(vf a)
{
	return _mm512_abs_ps(a);
}

static inline vf f_differ(vf a, vf b)
{
	return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ), _mm512_set1_ps(1));
}

static inline float f_sum(vf a)
{
	return _mm512_reduce_add_ps(a);
}

/* ---- bytes ------------------------------------------------------------------------------ */

#define BYTES 64
typedef __m512i vi;

static inline vi i_zero(void)
{
	return _mm512_setzero_si512();
}

static inline vi i_load(const uint8_t *p)
{
	return _mm512_loadu_si512(p);
}

static inline vi i_part(const uint8_t *p, size_t n)
{
	return _mm512_maskz_loadu_epi8((UINT64_C(1) << n) - 1, p);
}

/* The instruction takes one side without sign: (a + 128) * b, less 128 * b. */
static inline vi i_dot(vi s, vi a, vi b)
{
	vi shift = _mm512_set1_epi8((char)0x80);

	s = _mm512_dpbusd_epi32(s, _mm512_xor_si512(a, shift), b);
	return _mm512_sub_epi32(s, _mm512_dpbusd_epi32(i_zero(), shift, b));
}

/* How far the bytes are apart, 0 to 255. */
static inline vi i_apart(vi a, vi b)
{
	return _mm512_sub_epi8(_mm512_max_epi8(a, b), _mm512_min_epi8(a, b));
}

/* The even ones' squares, and the odd ones'. */
static inline vi i_l2(vi s, vi a, vi b)
{
	vi d = i_apart(a, b), even = _mm512_and_si512(d, _mm512_set1_epi16(255));
	vi odd = _mm512_srli_epi16(d, 8);

	return _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(s, even, even), odd, odd);
}

static inline vi add_bytes(vi s, vi bytes)
{
	return _mm512_add_epi32(s, _mm512_sad_epu8(bytes, i_zero()));
}

static inline vi i_manhattan(vi s, vi a, vi b)
{
	return add_bytes(s, i_apart(a, b));
}

static inline vi i_hamming(vi s, vi a, vi b)
{
	return add_bytes(s, _mm512_maskz_set1_epi8(_mm512_cmpneq_epi8_mask(a, b), 1));
}

/* Four bits at a time, looked up. */
static inline vi i_ones(vi s, vi a)
{
	vi low = _mm512_set1_epi8(15);
	vi ones = _mm512_broadcast_i32x4(
		_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
	vi below = _mm512_shuffle_epi8(ones, _mm512_and_si512(a, low));
	vi above = _mm512_shuffle_epi8(ones, _mm512_and_si512(_mm512_srli_epi16(a, 4), low));

	return add_bytes(s, _mm512_add_epi8(below, above));
}

static inline vi i_xor(vi a, vi b)
{
	return _mm512_xor_si512(a, b);
}

static inline vi i_and(vi a, vi b)
{
	return _mm512_and_si512(a, b);
}

static inline int64_t i_sum(vi s)
{
	vi low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(s));
	vi high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(s, 1));

	return _mm512_reduce_add_epi64(_mm512_add_epi64(low, high));
}

#include "distance_loops.inc"
