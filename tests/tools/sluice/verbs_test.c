// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/verbs.c, main.c: words of the command line, and the exit status they end with. */
#include "tools/sluice/verbs.h"

#include <stdio.h>
#include <string.h>

#include <sluice/util.h>

#include "harness.h"
#include "run.h"

static int seen_argc;

static int seen(int argc, char **argv)
{
	seen_argc = argc;
	return !strcmp(argv[0], "two") ? 7 : 1;
}

TEST(a_word_chooses_its_function)
{
	static const struct verb rows[] = {{"one", seen, "first"}, {"two", seen, "second"}};
	char *argv[] = {"x", "two", "rest", NULL};
	char *unknown[] = {"x", "three", NULL};

	EXPECT_EQ(7, verbs_run("x", rows, 2, 3, argv));
	EXPECT_EQ(2, seen_argc);
	EXPECT_EQ(2, verbs_run("x", rows, 2, 2, unknown));
	EXPECT_EQ(2, verbs_run("x", rows, 2, 1, argv));
}

static const char *const verbs[] = {"topic", "produce", "consume", "cache",
				     "log",   "doctor",  "bench"};

TEST(program_lists_its_verbs)
{
	const struct run_result *r = RUN(0, NULL, "--help");

	ASSERT_EQ(0, r->status);
	for (size_t i = 0; i < SL_ARRAY_SIZE(verbs); i++)
		EXPECT_NOT_NULL(strstr(r->out, verbs[i]));
	EXPECT_STREQ("", r->err);
}

TEST(every_verb_has_help)
{
	static const char *const two[][2] = {{"topic", "create"},   {"topic", "list"},
					     {"topic", "describe"}, {"topic", "delete"},
					     {"cache", "put"},	    {"cache", "get"},
					     {"cache", "remove"},   {"cache", "stat"},
					     {"cache", "purge"},    {"cache", "verify"},
					     {"cache", "bench"},
					     {"log", "dump"},	    {"log", "verify"},
					     {"bench", "produce"},  {"bench", "fetch"},
					     {"bench", "latency"},  {"bench", "machine"}};

	for (size_t i = 0; i < SL_ARRAY_SIZE(verbs); i++) {
		EXPECT_EQ(0, RUN(0, NULL, verbs[i], "--help")->status);
		EXPECT_EQ(2, RUN(0, NULL, verbs[i], "--no-such-thing")->status);
	}
	for (size_t i = 0; i < SL_ARRAY_SIZE(two); i++) {
		const struct run_result *r = RUN(0, NULL, two[i][0], two[i][1], "--help");

		EXPECT_EQ(0, r->status);
		EXPECT_NOT_NULL(strstr(r->out, "usage: sluice "));
	}
}

TEST(wrong_usage_is_status_2)
{
	const struct run_result *r = RUN(0, NULL, "frobnicate");

	EXPECT_EQ(2, r->status);
	EXPECT_NOT_NULL(strstr(r->err, "frobnicate"));
	EXPECT_EQ(2, RUN(0, NULL, "topic")->status);
	EXPECT_EQ(2, RUN(0, NULL, "produce")->status);
	EXPECT_EQ(2, RUN(0, NULL, "consume", "t", "--offset", "soon")->status);
	EXPECT_EQ(2, RUN(0, NULL, "consume", "t", "--format", "%q")->status);
	EXPECT_EQ(2, RUN(0, NULL, "produce", "t", "--header", "novalue")->status);
	EXPECT_EQ(2, RUN(0, NULL, "topic", "create", "t", "--config", "novalue")->status);
}

TEST(nobody_listening_is_said)
{
	const struct run_result *r = RUN(0, NULL, "topic", "list");

	EXPECT_EQ(1, r->status);
	EXPECT_NOT_NULL(strstr(r->err, "127.0.0.1:1"));
	EXPECT_NOT_NULL(strstr(r->err, "--bootstrap"));
}

TEST(version_is_printed)
{
	const struct run_result *r = RUN(0, NULL, "version");

	EXPECT_EQ(0, r->status);
	EXPECT_EQ(0, strncmp(r->out, "sluice ", 7));
}

TEST_HARNESS_MAIN
