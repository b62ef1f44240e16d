// SPDX-License-Identifier: Apache-2.0
/* Log-linear histograms: bounds of buckets, exact counts, quantiles against sorted values. */
#include <stdlib.h>

#include "dataplane/hist.h"
#include "harness.h"

TEST(buckets_are_contiguous_and_hold_their_bounds)
{
	for (uint32_t b = 0; b < SL_HIST_BUCKETS; b++) {
		EXPECT_EQ(b, sl_hist_bucket(sl_hist_upper(b)));
		EXPECT_EQ(b, sl_hist_bucket(sl_hist_lower(b) + 1));
	}
	EXPECT_EQ(0, sl_hist_bucket(0));
	EXPECT_EQ(UINT64_C(1) << SL_HIST_EXP_MAX, sl_hist_upper(SL_HIST_BUCKETS - 1));
	EXPECT_EQ(SL_HIST_BUCKETS - 1, sl_hist_bucket(UINT64_MAX));
}

TEST(a_bucket_is_at_most_an_eighth_wide)
{
	for (uint32_t b = 16; b < SL_HIST_BUCKETS; b++)
		EXPECT_GE(sl_hist_lower(b) / 8, sl_hist_upper(b) - sl_hist_lower(b));
}

TEST(counts_to_powers_of_two_are_exact)
{
	struct sl_hist h = {0};
	uint64_t expected[SL_HIST_EXP_MAX + 1] = {0};

	for (int i = 0; i < 20000; i++) {
		uint64_t v = harness_random() >> (24 + harness_random() % 40);

		if (i % 4 == 0)
			v = UINT64_C(1) << v % (SL_HIST_EXP_MAX + 1); /* the bounds themselves */
		sl_hist_record(&h, v);
		for (int e = 0; e <= SL_HIST_EXP_MAX; e++)
			expected[e] += v <= UINT64_C(1) << e;
	}
	EXPECT_EQ(20000, sl_hist_count(&h));
	for (int e = 0; e < SL_HIST_EXP_MAX; e++)
		EXPECT_EQ(expected[e], sl_hist_count_to(&h, UINT64_C(1) << e));
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

TEST(quantiles_are_within_an_eighth_of_the_sorted_value)
{
	enum { N = 10001 };
	static const double qs[] = {0, 0.01, 0.5, 0.9, 0.99, 0.999, 1};
	static uint64_t values[N];
	struct sl_hist h = {0};

	for (int i = 0; i < N; i++) {
		values[i] = 1 + harness_random() % 1000000;
		sl_hist_record(&h, values[i]);
	}
	qsort(values, N, sizeof(values[0]), compare);
	for (size_t i = 0; i < SL_ARRAY_SIZE(qs); i++) {
		uint64_t exact = values[(size_t)(qs[i] * (N - 1))];
		uint64_t seen = sl_hist_quantile(&h, qs[i]);

		EXPECT_LE(exact - exact / 7 - 1, seen);
		EXPECT_GE(exact + exact / 7 + 1, seen);
	}
	EXPECT_EQ(values[N - 1], sl_hist_quantile(&h, 1));
}

TEST(quantile_of_nothing_is_zero)
{
	struct sl_hist h = {0};

	EXPECT_EQ(0, sl_hist_quantile(&h, 0.5));
}

TEST(merged_histograms_count_both)
{
	struct sl_hist a = {0}, b = {0};

	sl_hist_record(&a, 10);
	sl_hist_record(&b, 1000);
	sl_hist_record(&b, 20);
	sl_hist_merge(&a, &b);
	EXPECT_EQ(3, sl_hist_count(&a));
	EXPECT_EQ(1030, a.sum);
	EXPECT_EQ(1000, a.max);
}

TEST_HARNESS_MAIN
