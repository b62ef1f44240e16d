/* SPDX-License-Identifier: Apache-2.0 */
/* Learning which way of an extent costs less, by the class of its size. */
#include "dataplane/conn_pvt.h"
#include "harness.h"

/* How many of the next @n extents of @len bytes are copied. */
static int copied(struct learnt *l, uint64_t len, bool usual, int n)
{
	int count = 0;

	for (int i = 0; i < n; i++)
		count += learn_says_copy(l, len, usual);
	return count;
}

TEST(what_is_not_known_goes_the_usual_way_but_now_and_then)
{
	struct learnt l = {0};

	EXPECT_EQ(64 * 63, copied(&l, 20000, true, 64 * 64));
	EXPECT_EQ(64, copied(&l, 20000, false, 64 * 64));
}

TEST(the_smallest_are_always_copied_and_the_largest_never)
{
	struct learnt l = {0};

	EXPECT_EQ(200, copied(&l, 100, false, 200));
	EXPECT_EQ(200, copied(&l, 4095, false, 200));
	EXPECT_EQ(0, copied(&l, 4 << 20, true, 200));
	learn_note(&l, 100, true, 5);
	learn_note(&l, 4 << 20, true, 5);
	EXPECT_EQ(200, copied(&l, 100, false, 200));
	EXPECT_EQ(0, copied(&l, 4 << 20, true, 200));
}

TEST(the_cheaper_way_of_each_class_is_found)
{
	struct learnt l = {0};

	for (int i = 0; i < 100; i++) {
		learn_note(&l, 8 << 10, true, 3000);
		learn_note(&l, 8 << 10, false, 5000);
		learn_note(&l, 64 << 10, true, 12000);
		learn_note(&l, 64 << 10, false, 8000);
	}
	EXPECT_EQ(63, copied(&l, 8 << 10, false, 64));
	EXPECT_EQ(63, copied(&l, (16 << 10) - 1, false, 64));
	EXPECT_EQ(1, copied(&l, 64 << 10, true, 64));
}

TEST(a_lasting_change_is_followed_and_one_outlier_is_not)
{
	struct learnt l = {0};

	for (int i = 0; i < 100; i++) {
		learn_note(&l, 20000, true, 4000);
		learn_note(&l, 20000, false, 5000);
	}
	learn_note(&l, 20000, true, 50 * (uint64_t)SL_MSEC);
	EXPECT_EQ(63, copied(&l, 20000, true, 64));
	for (int i = 0; i < 100; i++)
		learn_note(&l, 20000, true, 9000);
	EXPECT_EQ(1, copied(&l, 20000, true, 64));
}

TEST_HARNESS_MAIN
