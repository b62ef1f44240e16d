// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/options.c: command lines read, refused and explained by a table. */
#include "tools/sluice/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

struct opts {
	bool flag;
	const char *text;
	struct option_list list;
	int64_t number, time_ns;
	uint64_t bytes;
	int word;
};

#define AT(field) offsetof(struct opts, field)

static const struct option_row rows[] = {
	{"flag", NULL, OPTION_FLAG, AT(flag), 0, 0, NULL, "a flag"},
	{"text", "TEXT", OPTION_TEXT, AT(text), 0, 0, NULL, "a text"},
	{"list", "TEXT", OPTION_LIST, AT(list), 0, 0, NULL, "a list"},
	{"number", "N", OPTION_NUMBER, AT(number), -5, 5, NULL, "a number"},
	{"time", "TIME", OPTION_TIME, AT(time_ns), 0, 3600 * SL_SEC, NULL, "a time"},
	{"bytes", "BYTES", OPTION_BYTES, AT(bytes), 0, 0, NULL, "bytes"},
	{"word", "WORD", OPTION_CHOICE, AT(word), 0, 0, "one|two|three", "a word"},
};

static const struct usage usage = {.name = "test",
				   .args = "A [B]",
				   .what = "Tests.",
				   .rows = rows,
				   .rows_n = SL_ARRAY_SIZE(rows),
				   .args_min = 1,
				   .args_max = 2};

static struct opts o;
static const char *args[2];

static int parse(const char *const *argv)
{
	int n = 0;

	o = (struct opts){0};
	args[0] = args[1] = NULL;
	while (argv[n])
		n++;
	return options_parse(&usage, n, (char **)(uintptr_t)argv, &o, args);
}

#define PARSE(...) parse((const char *const[]){"test", __VA_ARGS__, NULL})

TEST(options_stand_before_between_and_behind_arguments)
{
	ASSERT_EQ(0, PARSE("--flag", "a", "--text", "t", "b", "--number=-3"));
	EXPECT_TRUE(o.flag);
	EXPECT_STREQ("t", o.text);
	EXPECT_EQ(-3, o.number);
	EXPECT_STREQ("a", args[0]);
	EXPECT_STREQ("b", args[1]);
}

TEST(two_dashes_end_options)
{
	ASSERT_EQ(0, PARSE("--", "--flag", "-x"));
	EXPECT_FALSE(o.flag);
	EXPECT_STREQ("--flag", args[0]);
	EXPECT_STREQ("-x", args[1]);
}

TEST(values_have_units_and_words)
{
	ASSERT_EQ(0, PARSE("a", "--time", "250ms", "--bytes", "64K", "--word", "three"));
	EXPECT_EQ(250 * SL_MSEC, o.time_ns);
	EXPECT_EQ(65536, o.bytes);
	EXPECT_EQ(2, o.word);
	ASSERT_EQ(0, PARSE("a", "--time", "2", "--bytes", "3"));
	EXPECT_EQ(2 * SL_SEC, o.time_ns);
	EXPECT_EQ(3, o.bytes);
	ASSERT_EQ(0, PARSE("a", "--list", "x", "--list", "y=z"));
	ASSERT_EQ(2, o.list.n);
	EXPECT_STREQ("y=z", o.list.v[1]);
}

TEST(mistakes_are_refused)
{
	static const char *const bad[][3] = {
		{"--nothing", "x", NULL},
		{"-f", NULL, NULL},
		{"--flag=yes", NULL, NULL},
		{"--number", "6", NULL},
		{"--number", "x", NULL},
		{"--number", "1x", NULL},
		{"--number", "99999999999999999999", NULL},
		{"--time", "5d", NULL},
		{"--time", "2h", NULL},
		{"--bytes", "-1", NULL},
		{"--bytes", "1Q", NULL},
		{"--bytes", "99999999999T", NULL},
		{"--word", "tw", NULL},
		{"--word", "", NULL},
		{"--text", NULL, NULL},
		{"b", "c", NULL},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(bad); i++) {
		const char *argv[5] = {"test", "a", bad[i][0], bad[i][1], NULL};

		if (!EXPECT_EQ(OPTIONS_BAD, parse(argv)))
			TH_LOG("with %s %s", bad[i][0], bad[i][1] ? bad[i][1] : "");
	}
	EXPECT_EQ(OPTIONS_BAD, parse((const char *const[]){"test", NULL}));
	EXPECT_EQ(EXIT_USAGE, options_exit(OPTIONS_BAD));
}

TEST(help_lists_every_row)
{
	char path[512], text[4096];
	FILE *f;
	size_t n;
	int out = dup(STDOUT_FILENO), parsed;

	snprintf(path, sizeof(path), "%s/help", harness_tmpdir());
	fflush(stdout);
	ASSERT_NOT_NULL(freopen(path, "w", stdout));
	parsed = PARSE("--help");
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	EXPECT_EQ(OPTIONS_HELP, parsed);
	EXPECT_EQ(0, options_exit(OPTIONS_HELP));
	f = fopen(path, "r");
	ASSERT_NOT_NULL(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	fclose(f);
	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		EXPECT_NOT_NULL(strstr(text, rows[i].name));
		EXPECT_NOT_NULL(strstr(text, rows[i].help));
	}
	EXPECT_NOT_NULL(strstr(text, "one, two, three"));
}

TEST_HARNESS_MAIN
