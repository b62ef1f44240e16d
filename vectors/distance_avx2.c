/* SPDX-License-Identifier: Apache-2.0 */
/* Distances by AVX2, FMA and F16C: the primitives; the loops are distance_loops.inc. */
#include <immintrin.h>

#include <sluice/util.h>

#define DISTANCE_TABLE distance_avx2

/* ---- floats ----------------------------------------------------------------------------- */

#define LANES 8
typedef __m256 vf;

static inline vf f_zero(void)
{
	return _mm256_setzero_ps();
}

static inline vf f_load_f32(const float *p)
{
	return _mm256_loadu_ps(p);
}

static inline vf f_load_f16(const uint16_t *p)
{
	return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}

static inline vf f_add(vf a, vf b)
{
	return _mm256_add_ps(a, b);
}

static inline vf f_sub(vf a, vf b)
{
	return _mm256_sub_ps(a, b);
}

static inline vf f_fma(vf a, vf b, vf c)
{
	return _mm256_fmadd_ps(a, b, c);
}

static inline vf f_abs(vf a)
{
	return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}

static inline vf f_differ(vf a, vf b)
{
	return _mm256_and_ps(_mm256_cmp_ps(a, b, _CMP_NEQ_UQ), _mm256_set1_ps(1));
}

static inline float f_sum(vf a)
{
	__m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));

	s = _mm_add_ps(s, _mm_movehl_ps(s, s));
	return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* ---- bytes ------------------------------------------------------------------------------ */

#define BYTES 32
typedef __m256i vi;

static inline vi i_zero(void)
{
	return _mm256_setzero_si256();
}

static inline vi i_load(const uint8_t *p)
{
	return _mm256_loadu_si256((const __m256i *)p);
}

static inline vi low_words(vi a)
{
	return _mm256_cvtepi8_epi16(_mm256_castsi256_si128(a));
}

static inline vi high_words(vi a)
{
	return _mm256_cvtepi8_epi16(_mm256_extracti128_si256(a, 1));
}

static inline vi add_products(vi s, vi a, vi b)
{
	return _mm256_add_epi32(s, _mm256_madd_epi16(a, b));
}

static inline vi i_dot(vi s, vi a, vi b)
{
	s = add_products(s, low_words(a), low_words(b));
	return add_products(s, high_words(a), high_words(b));
}

static inline vi i_l2(vi s, vi a, vi b)
{
	vi low = _mm256_sub_epi16(low_words(a), low_words(b));
	vi high = _mm256_sub_epi16(high_words(a), high_words(b));

	return add_products(add_products(s, low, low), high, high);
}

static inline vi add_bytes(vi s, vi bytes)
{
	return _mm256_add_epi32(s, _mm256_sad_epu8(bytes, i_zero()));
}

static inline vi i_manhattan(vi s, vi a, vi b)
{
	return add_bytes(s, _mm256_sub_epi8(_mm256_max_epi8(a, b), _mm256_min_epi8(a, b)));
}

static inline vi i_hamming(vi s, vi a, vi b)
{
	return add_bytes(s, _mm256_andnot_si256(_mm256_cmpeq_epi8(a, b), _mm256_set1_epi8(1)));
}

/* Four bits at a time, looked up. */
static inline vi i_ones(vi s, vi a)
{
	vi low = _mm256_set1_epi8(15);
	vi ones = _mm256_broadcastsi128_si256(
		_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
	vi below = _mm256_shuffle_epi8(ones, _mm256_and_si256(a, low));
	vi above = _mm256_shuffle_epi8(ones, _mm256_and_si256(_mm256_srli_epi16(a, 4), low));

	return add_bytes(s, _mm256_add_epi8(below, above));
}

static inline vi i_xor(vi a, vi b)
{
	return _mm256_xor_si256(a, b);
}

static inline vi i_and(vi a, vi b)
{
	return _mm256_and_si256(a, b);
}

static inline int64_t i_sum(vi s)
{
	int32_t v[8];
	int64_t sum = 0;

	_mm256_storeu_si256((vi *)v, s);
	for (int i = 0; i < 8; i++)
		sum += v[i];
	return sum;
}

#include "distance_loops.inc"
