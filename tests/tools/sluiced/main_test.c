/* SPDX-License-Identifier: Apache-2.0 */
/* sluiced's arguments: what it answers without serving, and what it refuses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "harness.h"

/* Runs sluiced with @args by the shell. Return: its exit status; its output in @out. */
static int run(const char *args, char *out, size_t size)
{
	char command[1200];
	size_t n;
	FILE *p;
	int status;

	snprintf(command, sizeof(command), "cd %s && timeout 20 %s %s 2>&1", harness_tmpdir(),
		 harness_build_path("sluiced"), args);
	p = popen(command, "r");
	ASSERT_TRUE(p);
	n = fread(out, 1, size - 1, p);
	out[n] = 0;
	status = pclose(p);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(version_and_help_are_told)
{
	char out[4096];

	EXPECT_EQ(0, run("--version", out, sizeof(out)));
	EXPECT_TRUE(!strncmp(out, "sluiced ", 8));
	EXPECT_EQ(0, run("--help", out, sizeof(out)));
	EXPECT_TRUE(strstr(out, "--set SECTION.KEY=VALUE"));
}

TEST(unknown_arguments_are_refused_with_status_2)
{
	char out[4096];

	EXPECT_EQ(2, run("--frobnicate", out, sizeof(out)));
	EXPECT_EQ(2, run("extra", out, sizeof(out)));
	EXPECT_TRUE(strstr(out, "'extra'"));
}

TEST(check_accepts_good_settings_and_names_bad_ones)
{
	char out[4096];

	EXPECT_EQ(0, run("--check", out, sizeof(out)));
	EXPECT_EQ(0, run("--check --set log.segment_bytes=64M", out, sizeof(out)));
	EXPECT_EQ(1, run("--check --set log.segment_bytes=banana", out, sizeof(out)));
	EXPECT_TRUE(strstr(out, "segment_bytes"));
	EXPECT_TRUE(strstr(out, "banana"));
	EXPECT_EQ(1, run("--check --set kafka.nonsense=1", out, sizeof(out)));
	EXPECT_TRUE(strstr(out, "nonsense"));
}

TEST(check_names_file_and_line)
{
	char out[4096], path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/s.conf", harness_tmpdir());
	f = fopen(path, "w");
	ASSERT_TRUE(f);
	fputs("[node]\n\n[kafka]\nlisten = nowhere:notaport\n", f);
	fclose(f);
	EXPECT_EQ(1, run("--check -c s.conf", out, sizeof(out)));
	EXPECT_TRUE(strstr(out, "s.conf:4"));
}

TEST(an_open_address_needs_node_insecure)
{
	char out[4096];

	EXPECT_EQ(1, run("--check --set kafka.listen=0.0.0.0:9092", out, sizeof(out)));
	EXPECT_TRUE(strstr(out, "node.insecure"));
	EXPECT_EQ(0, run("--check --set kafka.listen=0.0.0.0:9092 --set node.insecure=yes", out,
			 sizeof(out)));
}

TEST(an_unknown_user_is_refused)
{
	char out[4096];

	if (run("--check", out, sizeof(out)) || system("test $(id -u) = 0"))
		SKIP(return, "only root changes to another user");
	EXPECT_EQ(1, run("--set node.user=nobody-of-that-name --set kafka.listen=127.0.0.1:0 "
			 "--set http.listen=off", out, sizeof(out)));
	EXPECT_TRUE(strstr(out, "no such user"));
}

TEST_HARNESS_MAIN
