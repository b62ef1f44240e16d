/* SPDX-License-Identifier: Apache-2.0 */
/* Cells: a place's key gives the place again, and the ranges of a box have all of its places. */
#include <math.h>

#include "harness.h"
#include "vectors/payload_pvt.h"

static double random_between(double low, double high)
{
	return low + (double)(harness_random() >> 11) * 0x1p-53 * (high - low);
}

static void expect_near(struct sl_place at)
{
	struct sl_place kept = cell_place(cell_of(at));

	ASSERT_TRUE(fabs(kept.latitude - at.latitude) <= CELL_SLACK);
	ASSERT_TRUE(fabs(kept.longitude - at.longitude) <= CELL_SLACK);
}

TEST(places_are_known_to_within_the_slack)
{
	for (int i = 0; i < 100000; i++)
		expect_near((struct sl_place){random_between(-90, 90), random_between(-180, 180)});
	expect_near((struct sl_place){-90, -180});
	expect_near((struct sl_place){90, 180});
	expect_near((struct sl_place){0, 0});
}

static bool is_in(struct bounds b, struct sl_place p)
{
	bool east = b.west > b.east ? p.longitude >= b.west || p.longitude <= b.east
				    : p.longitude >= b.west && p.longitude <= b.east;

	return east && p.latitude >= b.south && p.latitude <= b.north;
}

static bool is_covered(const struct key_range *ranges, uint32_t n, uint64_t cell)
{
	for (uint32_t i = 0; i < n; i++)
		if (cell >= ranges[i].low && cell <= ranges[i].high)
			return true;
	return false;
}

/* Boxes of all sizes and shapes; places in them are covered, and not the whole globe is. */
TEST(boxes_are_covered_and_little_more)
{
	double covered = 0, wanted = 0;

	for (int i = 0; i < 3000; i++) {
		double high = pow(10, random_between(-6, 2)), wide = pow(10, random_between(-6, 2));
		struct key_range ranges[CELL_RANGES_MAX];
		struct bounds b;
		uint32_t n;

		b.south = random_between(-90, 90);
		b.north = sl_min(b.south + high, 90.0);
		b.west = random_between(-180, 180);
		b.east = b.west + wide > 180 ? b.west + wide - 360 : b.west + wide;
		n = cell_ranges(b, ranges);
		ASSERT_TRUE(n >= 1 && n <= CELL_RANGES_MAX);
		for (int at = 0; at < 50; at++) {
			double lon = b.west + random_between(0, wide);
			struct sl_place p = {random_between(b.south, b.north),
					     lon > 180 ? lon - 360 : lon};

			if (is_in(b, p))
				ASSERT_TRUE(is_covered(ranges, n, cell_of(p)));
		}
		for (uint32_t at = 0; high > 1e-3 && wide > 1e-3 && at < n; at++)
			covered += (double)(ranges[at].high - ranges[at].low) * 0x1p-64;
		if (high > 1e-3 && wide > 1e-3)
			wanted += (b.north - b.south) / 180 * wide / 360;
	}
	EXPECT_TRUE(covered < 3 * wanted);
}

TEST(the_globe_is_one_range)
{
	struct key_range ranges[CELL_RANGES_MAX];

	ASSERT_EQ(1, cell_ranges((struct bounds){-90, 90, -180, 180}, ranges));
	EXPECT_EQ(0, ranges[0].low);
	EXPECT_TRUE(ranges[0].high == UINT64_MAX);
	EXPECT_EQ(0, cell_ranges((struct bounds){1, 0, 0, 1}, ranges));
}

TEST_HARNESS_MAIN
