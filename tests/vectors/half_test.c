/* SPDX-License-Identifier: Apache-2.0 */
/* Halves: all of them there and back, and floats between two of them. */
#include "harness.h"
#include "vectors/vectors.h"

TEST(every_half_comes_back)
{
	uint32_t wrong = 0;

	for (uint32_t h = 0; h < 0x10000; h++)
		if (!isnan(sl_half_float((uint16_t)h)))
			wrong += sl_float_half(sl_half_float((uint16_t)h)) != h;
	EXPECT_EQ(0u, wrong);
	EXPECT_TRUE(isnan(sl_half_float(0x7c01)));
	EXPECT_TRUE(isnan(sl_half_float(sl_float_half(NAN))));
}

TEST(what_they_are_is_known)
{
	EXPECT_EQ(1.0f, sl_half_float(0x3c00));
	EXPECT_EQ(-2.0f, sl_half_float(0xc000));
	EXPECT_EQ(65504.0f, sl_half_float(0x7bff));
	EXPECT_EQ(0x1p-14f, sl_half_float(0x0400));
	EXPECT_EQ(0x1p-24f, sl_half_float(0x0001));
	EXPECT_EQ(INFINITY, sl_half_float(0x7c00));
	EXPECT_EQ(0x8000u, sl_float_half(-0.0f));
}

/* Of two halves that follow one another, with what lies between them. */
TEST(floats_go_to_the_nearest_and_to_the_even_one)
{
	uint32_t wrong = 0;

	for (uint32_t h = 0; h < 0x7bff; h++) {
		float low = sl_half_float((uint16_t)h), high = sl_half_float((uint16_t)(h + 1));
		float middle = (low + high) / 2;

		wrong += sl_float_half(middle) != h + (h & 1);
		wrong += sl_float_half(nextafterf(middle, 0)) != h;
		wrong += sl_float_half(nextafterf(middle, INFINITY)) != h + 1;
		wrong += sl_float_half(-middle) != (0x8000 | (h + (h & 1)));
	}
	EXPECT_EQ(0u, wrong);
	EXPECT_EQ(0x7bffu, sl_float_half(65519.996f));
	EXPECT_EQ(0x7c00u, sl_float_half(65520.0f));
	EXPECT_EQ(0x7c00u, sl_float_half(1e30f));
	EXPECT_EQ(0xfc00u, sl_float_half(-INFINITY));
	EXPECT_EQ(0u, sl_float_half(1e-30f));
}

TEST_HARNESS_MAIN
