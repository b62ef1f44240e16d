// SPDX-License-Identifier: Apache-2.0
/* The benchmark of look-ups: that it measures every way, and leaves nothing behind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

/* Runs it with @args behind its folder; its first line into @ret_line. Return: its status. */
static int run(const char *args, char *ret_line, int size)
{
	char command[1000];
	FILE *f;

	snprintf(command, sizeof(command), "%s %s %s 2>&1", harness_build_path("bench-lookups"),
		 harness_tmpdir(), args);
	f = popen(command, "r");
	ASSERT_NOT_NULL(f);
	ret_line[0] = '\0';
	if (!fgets(ret_line, size, f))
		TH_LOG("%s said nothing", command);
	while (fgetc(f) != EOF)
		;
	return WEXITSTATUS(pclose(f));
}

TEST(every_way_is_measured)
{
	double direct, first, copy, mapped, verified;
	unsigned objects, bytes;
	char line[500];

	if (!EXPECT_EQ(0, run("3 131072 2", line, sizeof(line)))) {
		TH_LOG("%s", line);
		return;
	}
	ASSERT_EQ(7, sscanf(line,
			    "{\"objects\": %u, \"bytes\": %u, \"direct\": %lf, \"first\": %lf, "
			    "\"copy\": %lf, \"mapped\": %lf, \"verified\": %lf}",
			    &objects, &bytes, &direct, &first, &copy, &mapped, &verified));
	EXPECT_EQ(3, objects);
	EXPECT_EQ(131072, bytes);
	EXPECT_LT(0.0, direct);
	EXPECT_LT(0.0, first);
	EXPECT_LT(0.0, copy);
	EXPECT_LT(0.0, mapped);
	EXPECT_LT(0.0, verified);
	EXPECT_EQ(0, rmdir(harness_tmpdir())); /* it is empty */
}

TEST(wrong_arguments_are_refused)
{
	char line[500];

	EXPECT_EQ(2, run("3 1000 2", line, sizeof(line)));
	EXPECT_NOT_NULL(strstr(line, "usage"));
	EXPECT_EQ(2, run("", line, sizeof(line)));
}

TEST_HARNESS_MAIN
