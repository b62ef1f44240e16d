// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/format.c: records as people and programs read them. */
#include "tools/sluice/format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

/* What @r looks like as @format; to be freed. */
static char *printed(const char *format, const struct sl_record *r)
{
	struct format f;
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	ASSERT_NOT_NULL(out);
	ASSERT_EQ(0, format_parse(format, &f));
	ASSERT_EQ(0, format_print(&f, out, "top", 3, r));
	fclose(out);
	return text;
}

static void expect(const char *want, const char *format, const struct sl_record *r)
{
	char *seen = printed(format, r);

	EXPECT_STREQ(want, seen);
	free(seen);
}

static const uint8_t headers[] = {2, 'a', 2, '1', 2, 'b', 1}; /* a=1, b=null */

static const struct sl_record record = {.offset = 42,
					.time_ms = 1700000000000,
					.key = (const uint8_t *)"k\"\n",
					.key_bytes = 3,
					.value = (const uint8_t *)"v\xc3\xa4",
					.value_bytes = 3,
					.headers = headers,
					.headers_bytes = sizeof(headers),
					.headers_n = 2};
static const struct sl_record nulls = {.offset = 1};

TEST(raw_is_the_value)
{
	expect("v\xc3\xa4\n", "raw", &record);
	expect("\n", "raw", &nulls);
}

TEST(json_is_an_object_a_line)
{
	expect("{\"topic\":\"top\",\"partition\":3,\"offset\":42,\"timestamp\":1700000000000,"
	       "\"key\":\"k\\\"\\n\",\"value\":\"v\xc3\xa4\",\"headers\":[{\"key\":\"a\","
	       "\"value\":\"1\"},{\"key\":\"b\",\"value\":null}]}\n",
	       "json", &record);
	expect("{\"topic\":\"top\",\"partition\":3,\"offset\":1,\"timestamp\":0,\"key\":null,"
	       "\"value\":null,\"headers\":[]}\n",
	       "json", &nulls);
}

TEST(what_is_no_text_is_base64)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *want;
	} rows[] = {{"\xff", 1, "/w=="}, {"\xff\x00", 2, "/wA="}, {"\xff\xfe\xfd", 3, "//79"}};

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		struct sl_record r = {.value = (const uint8_t *)rows[i].bytes,
				      .value_bytes = rows[i].n};
		char want[64];
		char *seen = printed("json", &r);

		snprintf(want, sizeof(want), "\"value_base64\":\"%s\"", rows[i].want);
		EXPECT_NOT_NULL(strstr(seen, want));
		free(seen);
	}
}

TEST(patterns_name_parts)
{
	expect("3 42 top 1700000000000 v\xc3\xa4\t%\n", "%p %o %t %T %v\\t%%\\n", &record);
	expect("k\"\n=a=1,b=", "%k=%h", &record);
	expect("[][]", "[%k][%v]", &nulls);
}

TEST(unknown_formats_are_refused)
{
	static const char *const bad[] = {"", "xml", "%q", "%v %", "rawjson"};
	struct format f;

	for (size_t i = 0; i < SL_ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, format_parse(bad[i], &f));
}

TEST(utf8_is_judged)
{
	static const char *const good[] = {"",
					   "abc",
					   "\xc3\xa4",
					   "\xe2\x82\xac",
					   "\xf0\x9f\x98\x80",
					   "\xf4\x8f\xbf\xbf",
					   "\xef\xbf\xbf"};
	static const char *const bad[] = {"\x80",
					  "\xc0\x80",
					  "\xc3",
					  "\xe0\x80\x80",
					  "\xed\xa0\x80",
					  "\xf4\x90\x80\x80",
					  "\xf5\x80\x80\x80",
					  "\xf0\x80\x80\x80",
					  "a\xff"};

	for (size_t i = 0; i < SL_ARRAY_SIZE(good); i++)
		if (!EXPECT_TRUE(utf8_ok((const uint8_t *)good[i], strlen(good[i]))))
			TH_LOG("good %zu", i);
	for (size_t i = 0; i < SL_ARRAY_SIZE(bad); i++)
		if (!EXPECT_FALSE(utf8_ok((const uint8_t *)bad[i], strlen(bad[i]))))
			TH_LOG("bad %zu", i);
}

TEST_HARNESS_MAIN
