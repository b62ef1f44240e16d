// SPDX-License-Identifier: Apache-2.0
/*
 * Tests that must fail, each in one of the ways that a test can fail. A run in which one of them
 * passes proves nothing, and the runner counts it as a failed run.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness.h"

TEST(a_false_expectation_fails)
{
	EXPECT_EQ(1, 2);
}

TEST(a_false_assertion_ends_the_test)
{
	ASSERT_STREQ("sluice", "canary");
	_exit(0);
}

TEST(an_error_code_is_named)
{
	EXPECT_EQ(0, -ENOENT);
}

TEST(a_crash_fails)
{
	EXPECT_TRUE(true);
	abort();
}

TEST(asserting_nothing_fails)
{
}

TEST(an_early_exit_fails)
{
	EXPECT_TRUE(true);
	_exit(3);
}

TEST_TIMEOUT(running_too_long_fails, 1)
{
	EXPECT_TRUE(true);
	pause();
}

TEST_HARNESS_MAIN
