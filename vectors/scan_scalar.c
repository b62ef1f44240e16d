/* SPDX-License-Identifier: Apache-2.0 */
/* Codes looked up by plain C, on any processor: what the other sets are held against. */
#include <math.h>

#include "scan.h"

#define SCAN_SET scan_scalar

#define LANES 4
typedef float vf __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

static uint32_t bits_below(vf a, float limit)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < LANES; i++)
		bits |= (uint32_t)(a[i] < limit) << i;
	return bits;
}

static void sums(const uint8_t *codes, const uint8_t *tables, size_t m, uint16_t *ret_sums)
{
	uint16_t sum[SCAN_BLOCK] = {0};

	for (; m--; codes += 16, tables += SCAN_CODES) {
		for (int i = 0; i < 16; i++) {
			sum[i] = (uint16_t)(sum[i] + tables[codes[i] & 15]);
			sum[i + 16] = (uint16_t)(sum[i + 16] + tables[codes[i] >> 4]);
		}
	}
	for (size_t i = 0; i < SCAN_BLOCK; i++)
		ret_sums[i] = sum[i];
}

static int32_t picked(const uint8_t *bits, const int8_t *x, size_t n)
{
	int32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += bits[i / 8] >> i % 8 & 1 ? x[i] : 0;
	return sum;
}

#include "scan_loops.inc"
