// SPDX-License-Identifier: Apache-2.0
/* The bucket of tokens. */
#include "harness.h"
#include "proto/http/h2_guard.h"
#include "uring/uring.h"

static struct h2_guard g;

static int spend_until_refused(int64_t now)
{
	int n = 0;

	while (h2_guard_spend(&g, 1, now))
		n++;
	return n;
}

TEST(flood_is_refused_after_a_bucket)
{
	h2_guard_init(&g, 5 * SL_SEC);
	EXPECT_EQ(H2_GUARD_TOKENS, spend_until_refused(5 * SL_SEC));
	EXPECT_FALSE(h2_guard_spend(&g, 1, 5 * SL_SEC));
}

TEST(time_gives_back_and_no_more_than_a_bucket)
{
	h2_guard_init(&g, 0);
	spend_until_refused(0);
	EXPECT_EQ(H2_GUARD_TOKENS_PER_S - 1, spend_until_refused(SL_SEC));
	EXPECT_EQ(H2_GUARD_TOKENS_PER_S - 1, spend_until_refused(2 * SL_SEC));
	EXPECT_LE(H2_GUARD_TOKENS - 1, spend_until_refused(1000 * SL_SEC));
	EXPECT_GE(H2_GUARD_TOKENS, spend_until_refused(100000 * SL_SEC));
}

/* Looking often loses none of the parts of a token. */
TEST(steady_use_within_the_rate_is_never_refused)
{
	h2_guard_init(&g, 0);
	for (int64_t i = 0; i < 100 * H2_GUARD_TOKENS; i++)
		ASSERT_TRUE(h2_guard_spend(&g, 1, i * SL_SEC / H2_GUARD_TOKENS_PER_S));
}

TEST(work_earns_what_its_frames_cost)
{
	h2_guard_init(&g, 0);
	for (int i = 0; i < 10 * H2_GUARD_TOKENS; i++) {
		ASSERT_TRUE(h2_guard_spend(&g, 3, 0));
		h2_guard_earn(&g, 3);
	}
	h2_guard_earn(&g, 100 * H2_GUARD_TOKENS);
	EXPECT_EQ(H2_GUARD_TOKENS, spend_until_refused(0));
}

TEST_HARNESS_MAIN
