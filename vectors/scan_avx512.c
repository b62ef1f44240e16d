/* SPDX-License-Identifier: Apache-2.0 */
/* Codes looked up by AVX-512, four places of 32 vectors at a time; floats are scan_loops.inc. */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "scan.h"

#define SCAN_SET scan_avx512

#define LANES 16
typedef float vf __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

static inline uint32_t bits_below(vf a, float limit)
{
	return _mm512_cmp_ps_mask((__m512)a, _mm512_set1_ps(limit), _CMP_LT_OQ);
}

/* The sums of the bytes, from words (low + 256 * high) and their high ones: in order. */
static inline __m256i in_order(__m512i words, __m512i high)
{
	__m512i low = _mm512_sub_epi16(words, _mm512_slli_epi16(high, 8));
	__m512i even = _mm512_unpacklo_epi16(low, high), odd = _mm512_unpackhi_epi16(low, high);
	__m512i a = _mm512_add_epi16(_mm512_shuffle_i64x2(even, odd, 0x44),
				     _mm512_shuffle_i64x2(even, odd, 0xee));

	/* a: even's lanes twice, then odd's */
	a = _mm512_add_epi16(a, _mm512_shuffle_i64x2(a, a, 0xb1));
	return _mm512_castsi512_si256(_mm512_shuffle_i64x2(a, a, 0x08));
}

static void sums(const uint8_t *codes, const uint8_t *tables, size_t m, uint16_t *ret_sums)
{
	__m512i half = _mm512_set1_epi8(15), words[2] = {0}, high[2] = {0};

	for (; m; m -= SCAN_PLACES, codes += 64, tables += 64) {
		__m512i c = _mm512_loadu_si512(codes), t = _mm512_loadu_si512(tables);
		__m512i a = _mm512_shuffle_epi8(t, _mm512_and_si512(c, half));
		__m512i b = _mm512_shuffle_epi8(t, _mm512_and_si512(_mm512_srli_epi16(c, 4), half));

		words[0] = _mm512_add_epi16(words[0], a);
		high[0] = _mm512_add_epi16(high[0], _mm512_srli_epi16(a, 8));
		words[1] = _mm512_add_epi16(words[1], b);
		high[1] = _mm512_add_epi16(high[1], _mm512_srli_epi16(b, 8));
	}
	_mm256_storeu_si256((__m256i *)ret_sums, in_order(words[0], high[0]));
	_mm256_storeu_si256((__m256i *)(ret_sums + 16), in_order(words[1], high[1]));
}

static int32_t picked(const uint8_t *bits, const int8_t *x, size_t n)
{
	__m512i ones = _mm512_set1_epi8(1), sum = _mm512_setzero_si512();

	for (size_t i = 0; i < n; i += 64) {
		uint64_t mask;

		memcpy(&mask, bits + i / 8, sizeof(mask));
		sum = _mm512_dpbusd_epi32(sum, ones, _mm512_maskz_loadu_epi8(mask, x + i));
	}
	return _mm512_reduce_add_epi32(sum);
}

#include "scan_loops.inc"
