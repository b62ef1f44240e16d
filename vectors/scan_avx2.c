/* SPDX-License-Identifier: Apache-2.0 */
/* Codes looked up by AVX2: two places of 32 vectors at a time; the floats are scan_loops.inc. */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "scan.h"

#define SCAN_SET scan_avx2

#define LANES 8
typedef float vf __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

static inline uint32_t bits_below(vf a, float limit)
{
	return (uint32_t)_mm256_movemask_ps(
		_mm256_cmp_ps((__m256)a, _mm256_set1_ps(limit), _CMP_LT_OQ));
}

/* The sums of the bytes, from words (low + 256 * high) and their high ones: in order. */
static inline __m256i in_order(__m256i words, __m256i high)
{
	__m256i low = _mm256_sub_epi16(words, _mm256_slli_epi16(high, 8));
	__m256i even = _mm256_unpacklo_epi16(low, high), odd = _mm256_unpackhi_epi16(low, high);

	return _mm256_add_epi16(_mm256_permute2x128_si256(even, odd, 0x20),
				_mm256_permute2x128_si256(even, odd, 0x31));
}

static void sums(const uint8_t *codes, const uint8_t *tables, size_t m, uint16_t *ret_sums)
{
	__m256i half = _mm256_set1_epi8(15), words[2] = {0}, high[2] = {0};

	for (; m; m -= 2, codes += 32, tables += 32) {
		__m256i c = _mm256_loadu_si256((const __m256i *)codes);
		__m256i t = _mm256_loadu_si256((const __m256i *)tables);
		__m256i a = _mm256_shuffle_epi8(t, _mm256_and_si256(c, half));
		__m256i b = _mm256_shuffle_epi8(t, _mm256_and_si256(_mm256_srli_epi16(c, 4), half));

		words[0] = _mm256_add_epi16(words[0], a);
		high[0] = _mm256_add_epi16(high[0], _mm256_srli_epi16(a, 8));
		words[1] = _mm256_add_epi16(words[1], b);
		high[1] = _mm256_add_epi16(high[1], _mm256_srli_epi16(b, 8));
	}
	_mm256_storeu_si256((__m256i *)ret_sums, in_order(words[0], high[0]));
	_mm256_storeu_si256((__m256i *)(ret_sums + 16), in_order(words[1], high[1]));
}

/* Each byte is held against its bit of the byte of bits that goes with eight of them. */
static int32_t picked(const uint8_t *bits, const int8_t *x, size_t n)
{
	__m256i ones = _mm256_set1_epi8(1), pairs = _mm256_set1_epi16(1);
	__m256i bit = _mm256_set1_epi64x((int64_t)0x8040201008040201);
	__m256i spread =
		_mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
	__m256i sum = _mm256_setzero_si256();
	int32_t lanes[8], all = 0;

	for (size_t i = 0; i < n; i += 32) {
		__m256i is, v;
		int32_t mask;

		memcpy(&mask, bits + i / 8, sizeof(mask));
		is = _mm256_shuffle_epi8(_mm256_set1_epi32(mask), spread);
		is = _mm256_cmpeq_epi8(_mm256_and_si256(is, bit), bit);
		v = _mm256_and_si256(is, _mm256_loadu_si256((const __m256i *)(x + i)));
		v = _mm256_madd_epi16(_mm256_maddubs_epi16(ones, v), pairs);
		sum = _mm256_add_epi32(sum, v);
	}
	_mm256_storeu_si256((__m256i *)lanes, sum);
	for (int i = 0; i < 8; i++)
		all += lanes[i];
	return all;
}

#include "scan_loops.inc"
