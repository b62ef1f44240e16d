// SPDX-License-Identifier: Apache-2.0
/* Paths of requests as paths of files. */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "proto/http/path.h"

static char cleaned[HTTP_PATH_BYTES];

static ssize_t clean_n(const char *path, size_t n)
{
	ssize_t len = http_path_clean((struct http_str){path, n}, cleaned);

	if (len >= 0)
		EXPECT_EQ(strlen(cleaned), len);
	return len;
}

/* The cleaned path, or "(error)". */
static const char *clean(const char *path)
{
	return clean_n(path, strlen(path)) < 0 ? "(error)" : cleaned;
}

static int refusal(const char *path)
{
	return (int)clean_n(path, strlen(path));
}

TEST(a_path_becomes_relative_to_the_root)
{
	EXPECT_STREQ("", clean("/"));
	EXPECT_STREQ("", clean(""));
	EXPECT_STREQ("a", clean("/a"));
	EXPECT_STREQ("a/b.c", clean("/a/b.c"));
	EXPECT_STREQ("a/b/", clean("/a/b/"));
	EXPECT_STREQ("a/b/", clean("//a///b//"));
}

TEST(encoding_is_undone_once)
{
	EXPECT_STREQ("a b", clean("/a%20b"));
	EXPECT_STREQ("\xc3\xa4", clean("/%c3%A4"));
	EXPECT_STREQ("%41", clean("/%2541"));
	EXPECT_STREQ("a+b", clean("/a+b"));
	EXPECT_STREQ("a\nb", clean("/a%0Ab"));
	EXPECT_EQ(-EILSEQ, refusal("/%"));
	EXPECT_EQ(-EILSEQ, refusal("/%4"));
	EXPECT_EQ(-EILSEQ, refusal("/%4/1"));
	EXPECT_EQ(-EILSEQ, refusal("/%zz"));
	EXPECT_EQ(-EILSEQ, refusal("/%-1"));
}

TEST(nothing_that_no_name_has_gets_through)
{
	EXPECT_EQ(-EILSEQ, refusal("/a%00b"));
	EXPECT_EQ(-EILSEQ, clean_n("/a\0b", 4));
	EXPECT_EQ(-ENOENT, refusal("/a%2fb"));
	EXPECT_EQ(-ENOENT, refusal("/..%2F..%2fetc/passwd"));
	EXPECT_EQ(-ENOENT, refusal("/%2f"));
}

TEST(dot_segments_are_resolved)
{
	EXPECT_STREQ("b", clean("/a/../b"));
	EXPECT_STREQ("", clean("/a/.."));
	EXPECT_STREQ("a/", clean("/a/."));
	EXPECT_STREQ("a/c", clean("/./a/b/./../c"));
	EXPECT_STREQ("a/", clean("/a/b/%2e%2E"));
	EXPECT_STREQ("a/.../..b/b..", clean("/a/.../..b/b.."));
	EXPECT_EQ(-EILSEQ, refusal("/.."));
	EXPECT_EQ(-EILSEQ, refusal("/a/../../a"));
	EXPECT_EQ(-EILSEQ, refusal("/%2e./a"));
	EXPECT_EQ(-EILSEQ, refusal("/a//../.."));
}

TEST(what_the_kernel_would_not_take_is_refused)
{
	static char path[2 * HTTP_PATH_BYTES];

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	EXPECT_EQ(HTTP_PATH_BYTES - 2, clean_n(path, HTTP_PATH_BYTES - 1));
	EXPECT_EQ(-ENAMETOOLONG, clean_n(path, HTTP_PATH_BYTES));
	for (size_t i = 0; i < sizeof(path); i += 2)
		path[i] = '/';
	EXPECT_EQ(HTTP_PATH_BYTES - 2, clean_n(path, HTTP_PATH_BYTES - 1));
	EXPECT_EQ(-ENAMETOOLONG, clean_n(path, HTTP_PATH_BYTES));
	EXPECT_EQ(-ENAMETOOLONG, clean_n(path, sizeof(path)));
}

TEST(what_is_encoded_is_cleaned_to_itself)
{
	char path[1024] = "/";

	for (int round = 0; round < 1000; round++) {
		char name[64];
		size_t n = harness_random() % sizeof(name) + 1;
		ssize_t len;

		for (size_t i = 0; i < n; i++) {
			do
				name[i] = (char)harness_random();
			while (!name[i] || name[i] == '/' || name[i] == '.');
		}
		len = http_path_encode(name, n, path + 1, sizeof(path) - 1);
		ASSERT_LT(0, len);
		for (ssize_t i = 1; i <= len; i++)
			ASSERT_TRUE(path[i] > ' ' && path[i] < 0x7f && path[i] != '/');
		ASSERT_EQ((ssize_t)n, clean_n(path, (size_t)len + 1));
		ASSERT_MEMEQ(name, cleaned, n);
	}
	EXPECT_EQ(-ENOSPC, http_path_encode("aaa", 3, path, 4));
}

TEST(percent_encoding_is_undone_once_to_any_bytes)
{
	static const struct {
		const char *text;
		ssize_t n;
		const char *bytes;
	} rows[] = {
		{"", 0, ""},		      {"abc", 3, "abc"},	{"a%2Fb%2fc", 5, "a/b/c"},
		{"%00%ff", 2, "\0\xff"},      {"%2541", 3, "%41"},	{"a+b", 3, "a+b"},
		{"/../", 4, "/../"},	      {"%", -EILSEQ, ""},	{"%4", -EILSEQ, ""},
		{"a%4g", -EILSEQ, ""},	      {"%%41", -EILSEQ, ""},	{"12345678", 8, "12345678"},
		{"123456789", -ENAMETOOLONG, ""}, {"1234567%38", 8, "12345678"},
	};
	char bytes[8];

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		struct http_str s = {rows[i].text, strlen(rows[i].text)};
		ssize_t n = http_percent_decode(s, bytes, sizeof(bytes));

		if (EXPECT_EQ(rows[i].n, n) && n > 0)
			EXPECT_MEMEQ(rows[i].bytes, bytes, (size_t)n);
	}
}

TEST(percent_encoding_is_undone_into_an_arena)
{
	const char *text = NULL;
	struct http_arena a;

	http_arena_init(&a, SL_MIB);
	EXPECT_EQ(9, http_percent_text((struct http_str){"12345678%2F,", 11}, &a, &text));
	EXPECT_STREQ("12345678/", text);
	EXPECT_EQ(3, http_percent_text((struct http_str){"a%00b", 5}, &a, &text));
	EXPECT_MEMEQ("a\0b", text, 4);
	EXPECT_EQ(0, http_percent_text((struct http_str){"", 0}, &a, &text));
	EXPECT_STREQ("", text);
	EXPECT_EQ(-EILSEQ, http_percent_text((struct http_str){"%4", 2}, &a, &text));
	http_arena_done(&a);
	http_arena_init(&a, 0);
	EXPECT_EQ(-ENOMEM, http_percent_text((struct http_str){"a", 1}, &a, &text));
}

TEST_HARNESS_MAIN
