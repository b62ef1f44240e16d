/* SPDX-License-Identifier: Apache-2.0 */
/* Codes in tables and sums of products: every set of instructions against the scalar one. */
#include <math.h>
#include <string.h>

#include "harness.h"
#include "vectors/scan.h"

FIXTURE(scan)
{
	const struct scan_set *set;
};

FIXTURE_VARIANT(scan)
{
	enum sl_distance_set set;
};

FIXTURE_VARIANT_ADD(scan, avx512){.set = SL_DISTANCE_AVX512};
FIXTURE_VARIANT_ADD(scan, avx2){.set = SL_DISTANCE_AVX2};
FIXTURE_VARIANT_ADD(scan, neon){.set = SL_DISTANCE_NEON};
FIXTURE_VARIANT_ADD(scan, scalar){.set = SL_DISTANCE_SCALAR};

FIXTURE_SETUP(scan)
{
	self->set = scan_set_of(variant->set);
	if (!self->set)
		SKIP(return, "this processor has no %s", sl_distance_set_name(variant->set));
}

FIXTURE_TEARDOWN(scan)
{
}

static void fill(void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)harness_random();
}

static float any_float(void)
{
	return (float)(harness_random() % 2000) / 1000 - 1;
}

TEST_F(scan, sums_are_those_of_the_tables)
{
	static uint8_t codes[SCAN_PLACES_MAX * 16], tables[SCAN_PLACES_MAX * SCAN_CODES];

	for (uint32_t m = SCAN_PLACES; m <= SCAN_PLACES_MAX; m += SCAN_PLACES) {
		uint16_t got[SCAN_BLOCK];

		fill(codes, sizeof(codes));
		fill(tables, sizeof(tables));
		/* the highest sum there is */
		if (m == SCAN_PLACES_MAX)
			memset(tables, 255, sizeof(tables));
		self->set->sums(codes, tables, m, got);
		for (uint32_t i = 0; i < SCAN_BLOCK; i++) {
			uint32_t want = 0;

			for (uint32_t p = 0; p < m; p++) {
				uint32_t two = codes[p * 16 + i % 16];

				want += tables[p * SCAN_CODES + (i < 16 ? two & 15 : two >> 4)];
			}
			ASSERT_EQ(want, got[i]);
		}
	}
}

TEST_F(scan, what_is_below_the_limit_is_told)
{
	for (int round = 0; round < 1000; round++) {
		uint16_t sums[SCAN_BLOCK];
		float more[SCAN_BLOCK], got[SCAN_BLOCK], limit = (float)(harness_random() % 200);
		uint32_t bits, want = 0;

		for (uint32_t i = 0; i < SCAN_BLOCK; i++) {
			sums[i] = (uint16_t)(harness_random() % 200);
			more[i] = (float)(harness_random() % 64);
		}
		more[round % SCAN_BLOCK] = round % 2 ? INFINITY : NAN;
		bits = self->set->below(sums, more, 3, 0.5f, limit, got);
		for (uint32_t i = 0; i < SCAN_BLOCK; i++) {
			float f = 3 + more[i] + 0.5f * (float)sums[i];

			want |= (uint32_t)(f < limit) << i;
			EXPECT_TRUE(isnan(f) ? isnan(got[i]) : f == got[i]);
		}
		ASSERT_EQ(want, bits);
	}
}

TEST_F(scan, panels)
{
	enum { ROWS = 37 };
	static _Alignas(64) float panel[ROWS * SCAN_PANEL];
	float x[ROWS], y[SCAN_PANEL], was[SCAN_PANEL], before;

	for (uint32_t i = 0; i < ROWS * SCAN_PANEL; i++)
		panel[i] = any_float();
	for (uint32_t i = 0; i < ROWS; i++)
		x[i] = any_float();
	for (uint32_t i = 0; i < SCAN_PANEL; i++)
		y[i] = was[i] = any_float();
	self->set->multiply(y, panel, x, ROWS);
	for (uint32_t j = 0; j < SCAN_PANEL; j++) {
		double want = (double)was[j];

		for (uint32_t i = 0; i < ROWS; i++)
			want += (double)x[i] * (double)panel[i * SCAN_PANEL + j];
		EXPECT_TRUE(fabs(want - (double)y[j]) < 1e-4);
	}
	before = panel[20 * SCAN_PANEL + 5];
	self->set->spread(panel, x, y, ROWS);
	EXPECT_TRUE(fabsf(before + x[20] * y[5] - panel[20 * SCAN_PANEL + 5]) < 1e-5f);
}

TEST_F(scan, picked_bytes_are_those_of_the_bits)
{
	static uint8_t bits[512 / 8];
	static int8_t x[512];

	for (uint32_t n = 64; n <= 512; n += 64) {
		int32_t want = 0;

		fill(bits, sizeof(bits));
		fill(x, sizeof(x));
		/* the lowest sum there is */
		if (n == 512) {
			memset(bits, 255, sizeof(bits));
			memset(x, 0x80, sizeof(x));
		}
		for (uint32_t i = 0; i < n; i++)
			want += bits[i / 8] >> i % 8 & 1 ? x[i] : 0;
		EXPECT_EQ(want, self->set->picked(bits, x, n));
	}
}

TEST_F(scan, sums_and_differences_twice_are_what_was)
{
	static _Alignas(64) float x[1024], was[1024];

	for (uint32_t n = 64; n <= 1024; n *= 2) {
		double before = 0, after = 0;

		for (uint32_t i = 0; i < n; i++)
			x[i] = was[i] = any_float();
		self->set->hadamard(x, n);
		for (uint32_t i = 0; i < n; i++) {
			before += (double)was[i] * (double)was[i];
			after += (double)x[i] * (double)x[i];
		}
		EXPECT_TRUE(fabs(before - after) < 1e-4 * before);
		if (n == 64)
			EXPECT_TRUE(fabsf((was[5] + was[21] + was[37] + was[53]) / 2 - x[5]) <
				    1e-5f);
		self->set->hadamard(x, n);
		for (uint32_t i = 0; i < n; i++)
			ASSERT_TRUE(fabsf(x[i] - was[i]) < 1e-5f);
	}
}

TEST_F(scan, distances_of_several_are_those_of_each)
{
	enum { N = 70 };
	float x[SCAN_SQUARE][N], y[SCAN_SQUARE][N], got[2][SCAN_SQUARE * SCAN_SQUARE];
	const float *xs[SCAN_SQUARE], *ys[SCAN_SQUARE];

	for (uint32_t i = 0; i < SCAN_SQUARE; i++) {
		xs[i] = x[i];
		ys[i] = y[i];
		for (uint32_t j = 0; j < N; j++) {
			x[i][j] = any_float();
			y[i][j] = any_float();
		}
	}
	for (uint32_t n = 0; n <= N; n++) {
		self->set->l2(xs, ys, n, got[0]);
		self->set->dot(xs, ys, n, got[1]);
		for (uint32_t i = 0; i < SCAN_SQUARE * SCAN_SQUARE; i++) {
			const float *a = x[i / SCAN_SQUARE], *b = y[i % SCAN_SQUARE];
			double l2 = 0, dot = 0;

			for (uint32_t j = 0; j < n; j++) {
				l2 += pow((double)(a[j] - b[j]), 2);
				dot -= (double)a[j] * (double)b[j];
			}
			ASSERT_TRUE(fabs(l2 - (double)got[0][i]) < 1e-4);
			ASSERT_TRUE(fabs(dot - (double)got[1][i]) < 1e-4);
		}
	}
}

TEST_F(scan, the_first_of_the_lowest)
{
	float x[SCAN_PANEL * 2];

	for (int round = 0; round < 1000; round++) {
		uint32_t n = 16 * (uint32_t)(1 + harness_random() % 8), want = 0;

		for (uint32_t i = 0; i < n; i++) {
			x[i] = (float)(harness_random() % 20);
			want = x[i] < x[want] ? i : want;
		}
		ASSERT_EQ(want, self->set->lowest(x, n));
		x[want] = NAN;
		ASSERT_NE(want, self->set->lowest(x, n));
	}
}

TEST_F(scan, numbers_below_a_limit_are_counted)
{
	float x[SCAN_PANEL * 2];

	for (int round = 0; round < 1000; round++) {
		uint32_t n = 16 * (uint32_t)(harness_random() % 9), want = 0;
		float limit = (float)(harness_random() % 20);

		for (uint32_t i = 0; i < n; i++) {
			x[i] = i % 7 ? (float)(harness_random() % 20) : i % 2 ? NAN : INFINITY;
			want += x[i] < limit;
		}
		ASSERT_EQ(want, self->set->count(x, n, limit));
	}
}

TEST_HARNESS_MAIN
