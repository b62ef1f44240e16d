// SPDX-License-Identifier: Apache-2.0
/* Ranges of bytes that a request asks for. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "proto/http/range.h"

static struct http_range r[HTTP_RANGES_MAX];

static int parse(const char *text, uint64_t bytes)
{
	return http_range_parse((struct http_str){text, strlen(text)}, bytes, r);
}

/* One range of a file of 1000 bytes: "first-last". */
static const char *one(const char *text)
{
	static char seen[64];

	if (parse(text, 1000) != 1)
		return "not one";
	snprintf(seen, sizeof(seen), "%ju-%ju", (uintmax_t)r[0].off,
		 (uintmax_t)(r[0].off + r[0].len - 1));
	return seen;
}

TEST(one_range_is_cut_to_the_file)
{
	EXPECT_STREQ("0-0", one("bytes=0-0"));
	EXPECT_STREQ("0-999", one("bytes=0-"));
	EXPECT_STREQ("100-199", one("Bytes=100-199"));
	EXPECT_STREQ("999-999", one("bytes=999-"));
	EXPECT_STREQ("500-999", one("bytes=500-5000"));
	EXPECT_STREQ("500-999", one("bytes=500-99999999999999999999999999"));
	EXPECT_STREQ("999-999", one("bytes=-1"));
	EXPECT_STREQ("0-999", one("bytes=-1000"));
	EXPECT_STREQ("0-999", one("bytes=-99999999999999999999999999"));
	EXPECT_STREQ("5-9", one("bytes= , 5-9 ,\t,"));
}

TEST(what_lies_behind_the_end_cannot_be_had)
{
	EXPECT_EQ(-ERANGE, parse("bytes=1000-", 1000));
	EXPECT_EQ(-ERANGE, parse("bytes=1000-2000", 1000));
	EXPECT_EQ(-ERANGE, parse("bytes=-0", 1000));
	EXPECT_EQ(-ERANGE, parse("bytes=99999999999999999999999999-", 1000));
	EXPECT_EQ(-ERANGE, parse("bytes=1000-,2000-", 1000));
	EXPECT_STREQ("3-4", one("bytes=1000-,3-4"));
}

TEST(what_is_malformed_is_ignored)
{
	static const char *const texts[] = {
		"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "bytes=2-1", "bytes=1-2x",
		"bytes=1-2;3-4", "bytes=1 -2", "bytes= 1- 2", "bytes=,", "lines=1-2", "bytes 1-2",
		"bytes=--5", "bytes=1-2,x", "bytes=1-2,5", "bytes=+1-2", "byte", "bytes=1-2 3-4",
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(texts); i++)
		if (!EXPECT_EQ(0, parse(texts[i], 1000)))
			TH_LOG("of '%s'", texts[i]);
}

TEST(several_ranges_keep_their_order)
{
	ASSERT_EQ(3, parse("bytes=500-599, 0-0 ,-1", 1000));
	EXPECT_EQ(500, r[0].off);
	EXPECT_EQ(100, r[0].len);
	EXPECT_EQ(0, r[1].off);
	EXPECT_EQ(1, r[1].len);
	EXPECT_EQ(999, r[2].off);
	EXPECT_EQ(1, r[2].len);
}

TEST(asking_for_too_much_brings_the_whole)
{
	char many[400] = "bytes=";

	EXPECT_EQ(0, parse("bytes=0-,0-", 1000));
	EXPECT_EQ(0, parse("bytes=0-499,400-999", 1000));
	EXPECT_EQ(2, parse("bytes=0-499,500-999", 1000));
	for (int i = 0; i < HTTP_RANGES_MAX; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many), "%d-%d,", 2 * i, 2 * i);
	EXPECT_EQ(HTTP_RANGES_MAX, parse(many, 1000));
	snprintf(many + strlen(many), sizeof(many) - strlen(many), "900-901");
	EXPECT_EQ(0, parse(many, 1000));
}

TEST(an_empty_file_is_sent_as_it_is)
{
	EXPECT_EQ(0, parse("bytes=0-", 0));
	EXPECT_EQ(0, parse("bytes=-5", 0));
	EXPECT_EQ(0, parse("bytes=5-6", 0));
}

TEST(the_largest_file_overflows_nothing)
{
	ASSERT_EQ(1, parse("bytes=18446744073709551614-18446744073709551615", UINT64_MAX));
	EXPECT_EQ(UINT64_MAX - 1, r[0].off);
	EXPECT_EQ(1, r[0].len);
	ASSERT_EQ(1, parse("bytes=0-", UINT64_MAX));
	EXPECT_EQ(UINT64_MAX, r[0].len);
	EXPECT_EQ(0, parse("bytes=0-,0-", UINT64_MAX));
}

TEST_HARNESS_MAIN
