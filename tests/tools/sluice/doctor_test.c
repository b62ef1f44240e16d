// SPDX-License-Identifier: Apache-2.0
/* The verb: what it prints and with which status it ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yyjson.h>

#include <sluice/util.h>

#include "harness.h"
#include "tools/sluice/verbs.h"

/* Runs `sluice doctor ...` with standard output into ret_out. Return: its exit status. */
static int run(char **argv, int argc, char *ret_out, size_t len)
{
	char path[600];
	int saved, status;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/out", harness_tmpdir());
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	f = fopen(path, "w+e");
	ASSERT_NOT_NULL(f);
	dup2(fileno(f), STDOUT_FILENO);
	status = verb_doctor(argc, argv);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(f);
	n = fread(ret_out, 1, len - 1, f);
	ret_out[n] = 0;
	fclose(f);
	return status;
}

static char out[1 << 16];

#define RUN(...)                                                                                   \
	({                                                                                         \
		char *argv_[] = {(char *)"doctor", __VA_ARGS__, NULL};                             \
		run(argv_, SL_ARRAY_SIZE(argv_) - 1, out, sizeof(out));                            \
	})

TEST(lines_have_level_name_and_text)
{
	int status = RUN((char *)"-D", (char *)harness_tmpdir());

	EXPECT_TRUE(status == 0 || status == 1);
	EXPECT_MEMEQ("ok    kernel ", out, 13);
}

TEST(json_says_the_same_as_the_exit_status)
{
	int status = RUN((char *)"--datadir", (char *)harness_tmpdir(), (char *)"--json");
	yyjson_doc *doc = yyjson_read(out, strlen(out), 0);
	yyjson_val *root = yyjson_doc_get_root(doc), *row;
	size_t i, n, fails = 0;

	ASSERT_NOT_NULL(doc);
	EXPECT_EQ(1, yyjson_get_int(yyjson_obj_get(root, "schema")));
	yyjson_arr_foreach(yyjson_obj_get(root, "checks"), i, n, row) {
		const char *level = yyjson_get_str(yyjson_obj_get(row, "level"));

		EXPECT_NOT_NULL(yyjson_get_str(yyjson_obj_get(row, "name")));
		EXPECT_NOT_NULL(yyjson_get_str(yyjson_obj_get(row, "value")));
		EXPECT_NOT_NULL(yyjson_get_str(yyjson_obj_get(row, "text")));
		ASSERT_NOT_NULL(level);
		fails += !strcmp(level, "fail");
		EXPECT_EQ(!strcmp(level, "ok"),
			  !*yyjson_get_str(yyjson_obj_get(row, "cure")));
	}
	EXPECT_LT(8, yyjson_arr_size(yyjson_obj_get(root, "checks")));
	EXPECT_EQ(fails != 0, status);
	EXPECT_EQ(fails == 0, yyjson_get_bool(yyjson_obj_get(root, "ok")));
	yyjson_doc_free(doc);
}

/* Programs look checks up by name. */
TEST(names_of_checks_are_kept)
{
	static const char *const names[] = {
		"kernel", "io_uring_disabled", "io_uring", "limit.memlock", "limit.nofile",
		"somaxconn", "pipe_user_pages_soft", "max_map_count", "nr_open", "tcp_wmem",
		"hugepages", "transparent_hugepages", "numa", "landlock", "kernel_tls",
		"datadir.filesystem", "datadir.space", "kafka.listen", "http.listen",
	};

	RUN((char *)"-D", (char *)harness_tmpdir(), (char *)"--json");
	for (size_t i = 0; i < SL_ARRAY_SIZE(names); i++) {
		char member[80];

		snprintf(member, sizeof(member), "\"name\": \"%s\"", names[i]);
		if (!EXPECT_NOT_NULL(strstr(out, member)))
			TH_LOG("%s", names[i]);
	}
}

TEST(folder_without_parent_is_missing_something_required)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/missing/data", harness_tmpdir());
	EXPECT_EQ(1, RUN((char *)"-D", path));
	EXPECT_NOT_NULL(strstr(out, "mkdir -p "));
	EXPECT_NOT_NULL(strstr(out, "sluiced will not start"));
}

TEST(help_tells_the_exit_status)
{
	EXPECT_EQ(0, RUN((char *)"--help"));
	EXPECT_NOT_NULL(strstr(out, "Exit status: 0 unless"));
	EXPECT_NOT_NULL(strstr(out, "--json"));
}

TEST(wrong_usage_is_2)
{
	EXPECT_EQ(2, RUN((char *)"--nonsense"));
	EXPECT_EQ(2, RUN((char *)"-c", (char *)"/nonexistent.conf"));
}

TEST_HARNESS_MAIN
