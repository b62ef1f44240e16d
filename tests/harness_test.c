// SPDX-License-Identifier: Apache-2.0
/*
 * The harness about itself: values of all types, fixtures, variants, skips, folders, seeds. That
 * failures are seen as failures is canary_test's part.
 */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

TEST(integers_compare_as_mathematical_values)
{
	EXPECT_NE(-1, UINT32_MAX);
	EXPECT_NE(-1, UINT64_MAX);
	EXPECT_LT(-1, 0u);
	EXPECT_GT(UINT64_MAX, INT64_MAX);
	EXPECT_LT(INT64_MIN, -INT64_MAX);
	EXPECT_EQ((size_t)7, 7);
	EXPECT_LE(7, (short)7);
	EXPECT_GE(-7, (signed char)-7);
}

TEST(reals_and_pointers_compare)
{
	int x = 0;

	EXPECT_EQ(0.5, 0.5f);
	EXPECT_LT(0, 0.1);
	EXPECT_NE(NAN, NAN);
	EXPECT_EQ(&x, &x);
	EXPECT_NE(NULL, &x);
	EXPECT_NOT_NULL(&x);
	EXPECT_NULL((int *)NULL);
}

TEST(strings_and_memory_compare)
{
	EXPECT_STREQ("a", "a");
	EXPECT_STRNE("a", "b");
	EXPECT_STRNE(NULL, "");
	EXPECT_STREQ(NULL, NULL);
	EXPECT_MEMEQ("ab\0c", "ab\0c", 4);
	EXPECT_MEMNE("ab\0c", "ab\0d", 4);
	EXPECT_MEMEQ(NULL, "x", 0);
}

TEST(arguments_are_evaluated_once)
{
	int calls = 0;

	EXPECT_EQ(1, ++calls);
	EXPECT_TRUE(++calls);
	EXPECT_EQ(2, calls);
}

TEST(an_expectation_tells_whether_it_held)
{
	EXPECT_TRUE(EXPECT_EQ(1, 1));
}

TEST(seed_and_sequence_repeat)
{
	uint64_t first = harness_random();

	EXPECT_NE(first, harness_random());
	EXPECT_EQ(harness_seed(), harness_seed());
}

TEST(all_work_is_done_unless_less_is_asked_for)
{
	const char *part = getenv("SLUICE_WORK_PART");

	EXPECT_EQ(part ? atoi(part) : 1, harness_work_part());
}

TEST(tmpdir_is_an_empty_folder)
{
	struct stat st;

	ASSERT_EQ(0, stat(harness_tmpdir(), &st));
	EXPECT_TRUE(S_ISDIR(st.st_mode));
	EXPECT_EQ(0700, st.st_mode & 0777);
	EXPECT_STREQ(harness_tmpdir(), harness_tmpdir());
}

/* Runs one of the canary's tests and gives what it printed. */
static void canary_output(const char *test, char *out, size_t room, int *ret_status)
{
	char command[4096];
	size_t n;
	FILE *f;

	snprintf(command, sizeof(command), "%s %s 2>&1", harness_build_path("tests/canary_test"),
		 test);
	f = popen(command, "r");
	ASSERT_NOT_NULL(f);
	n = fread(out, 1, room - 1, f);
	out[n] = '\0';
	*ret_status = pclose(f);
}

#define EXPECT_CANARY(test, text)                                                                  \
	do {                                                                                       \
		canary_output(test, out, sizeof(out), &status);                                    \
		EXPECT_NE(0, status);                                                              \
		EXPECT_NOT_NULL(strstr(out, "not ok 1 " test));                                    \
		if (!EXPECT_NOT_NULL(strstr(out, text)))                                           \
			TH_LOG("%s", out);                                                         \
	} while (0)

TEST(failures_say_what_was_expected_and_seen)
{
	char out[8192];
	int status;

	if (access(harness_build_path("tests/canary_test"), X_OK))
		SKIP(return, "the canary is not at %s", harness_build_path("tests/canary_test"));
	EXPECT_CANARY("a_false_expectation_fails",
		      "canary_test.c:14: expected 1 == 2, saw 1 and 2");
	EXPECT_CANARY("a_false_assertion_ends_the_test", "seen = \"canary\"");
	EXPECT_CANARY("an_error_code_is_named", "expected 0 == -ENOENT, saw 0 and -2 (-ENOENT)");
	EXPECT_CANARY("a_crash_fails", "died of signal 6 (Aborted)");
	EXPECT_CANARY("asserting_nothing_fails", "asserted nothing");
	EXPECT_CANARY("an_early_exit_fails", "exited with status 3");
	EXPECT_CANARY("running_too_long_fails", "still running after its limit");
}

FIXTURE(counter)
{
	int value;
};

FIXTURE_VARIANT(counter)
{
	int start;
};

FIXTURE_VARIANT_ADD(counter, from_zero){.start = 0};
FIXTURE_VARIANT_ADD(counter, from_ten){.start = 10};

FIXTURE_SETUP(counter)
{
	self->value = variant->start;
}

FIXTURE_TEARDOWN(counter)
{
	EXPECT_GE(1, self->value - variant->start);
}

TEST_F(counter, setup_comes_first)
{
	EXPECT_EQ(variant->start, self->value);
}

TEST_F_TIMEOUT(counter, teardown_comes_last, 5)
{
	EXPECT_EQ(variant->start + 1, ++self->value);
}

FIXTURE(plain)
{
	bool ready;
};

FIXTURE_SETUP(plain)
{
	self->ready = true;
}

FIXTURE_TEARDOWN(plain)
{
}

TEST_F(plain, a_fixture_needs_no_variants)
{
	EXPECT_TRUE(self->ready);
	EXPECT_NULL(variant);
}

TEST_HARNESS_MAIN
