/* SPDX-License-Identifier: Apache-2.0 */
/* Which searches are answered together. */
#include <sluice/util.h>

#include "harness.h"
#include "vectors/vectors.h"

/* Two indexes, never looked into. */
static const struct sl_index *const a = (const void *)"a", *const b = (const void *)"b";

static struct sl_waiting scan(const struct sl_index *index)
{
	return (struct sl_waiting){.index = index, .rows = 1000, .row_bytes = 64};
}

TEST(one_alone_is_answered_whatever_it_costs)
{
	struct sl_waiting w = {.index = a, .rows = UINT32_MAX, .row_bytes = 4096};
	uint32_t which[SL_BATCH_MAX];

	EXPECT_EQ(1, sl_batch_take(&w, 1, 1, which));
	EXPECT_EQ(0, which[0]);
}

TEST(scans_of_the_oldest_ones_index_go_with_it)
{
	struct sl_waiting w[] = {scan(a), scan(b), scan(a), {.index = a}, scan(a)};
	uint32_t which[SL_BATCH_MAX];

	ASSERT_EQ(3, sl_batch_take(w, 5, SL_SEC, which));
	EXPECT_EQ(0, which[0]);
	EXPECT_EQ(2, which[1]);
	EXPECT_EQ(4, which[2]);
}

TEST(what_looks_at_few_rows_goes_alone)
{
	struct sl_waiting w[] = {{.index = a}, {.index = a}, scan(a)};
	uint32_t which[SL_BATCH_MAX];

	EXPECT_EQ(1, sl_batch_take(w, 3, SL_SEC, which));
}

/* 1000 rows of 64 bytes take 4 us. */
TEST(no_more_are_taken_than_the_limit_allows)
{
	struct sl_waiting w[100];
	uint32_t which[SL_BATCH_MAX];

	for (int i = 0; i < 100; i++)
		w[i] = scan(a);
	EXPECT_EQ(5, sl_batch_take(w, 100, 21 * SL_USEC, which));
	EXPECT_EQ(SL_BATCH_MAX, sl_batch_take(w, 100, SL_SEC, which));
	w[1].rows = 4000;
	ASSERT_EQ(3, sl_batch_take(w, 100, 12 * SL_USEC, which));
	EXPECT_EQ(2, which[1]);
}

TEST_HARNESS_MAIN
