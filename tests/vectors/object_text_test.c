/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of values: UTF-8, UUIDs, dates, Base64; what is none of them. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness.h"
#include "vectors/object_pvt.h"

TEST(utf8_is_told_from_other_bytes)
{
	static const char *const good[] = {"",
					   "plain text of more than eight bytes",
					   "\x7f",
					   "\xc2\x80",
					   "gr\xc3\xbc\xc3\x9f"
					   "e",
					   "\xe0\xa0\x80",
					   "\xed\x9f\xbf",
					   "\xee\x80\x80",
					   "\xf0\x90\x80\x80",
					   "\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\x80",
					  "\xc0\x80",
					  "\xc1\xbf",
					  "\xc3",
					  "\xe0\x9f\xbf",
					  "\xed\xa0\x80",
					  "\xf0\x8f\xbf\xbf",
					  "\xf4\x90\x80\x80",
					  "\xf8\x88\x80\x80\x80",
					  "\xff",
					  "seven..\xc3 after",
					  "\xe2\x82"};

	for (size_t i = 0; i < SL_ARRAY_SIZE(good); i++)
		EXPECT_TRUE(object_is_utf8(good[i], strlen(good[i])));
	for (size_t i = 0; i < SL_ARRAY_SIZE(bad); i++)
		EXPECT_FALSE(object_is_utf8(bad[i], strlen(bad[i])));
	EXPECT_TRUE(object_is_utf8("\0", 1));
}

TEST(uuid_is_read_and_written)
{
	static const char text[] = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
	static const char *const bad[] = {"",
					  "f81d4fae",
					  "f81d4fae-7dec-11d0-a765-00a0c91e6bf",
					  "f81d4fae-7dec-11d0-a765-00a0c91e6bfg",
					  "f81d4fae07dec-11d0-a765-00a0c91e6bf6",
					  "f81d4fae-7dec-11d0-a765-00a0c91e6bf6 "};
	uint8_t uuid[16], upper[16], plain[16];
	char seen[SL_UUID_TEXT_BYTES];

	ASSERT_TRUE(sl_uuid_parse(text, strlen(text), uuid));
	EXPECT_EQ(0xf8, uuid[0]);
	EXPECT_EQ(0xf6, uuid[15]);
	sl_uuid_print(uuid, seen);
	EXPECT_MEMEQ(text, seen, sizeof(seen));
	ASSERT_TRUE(sl_uuid_parse("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", 36, upper));
	ASSERT_TRUE(sl_uuid_parse("f81d4fae7dec11d0a76500a0c91e6bf6", 32, plain));
	EXPECT_MEMEQ(uuid, upper, 16);
	EXPECT_MEMEQ(uuid, plain, 16);
	for (size_t i = 0; i < SL_ARRAY_SIZE(bad); i++)
		EXPECT_FALSE(sl_uuid_parse(bad[i], strlen(bad[i]), uuid));
}

static void expect_date(const char *text, int64_t us, const char *printed)
{
	char seen[SL_DATE_TEXT_BYTES + 1] = "";
	int64_t is = 0;

	EXPECT_TRUE(sl_date_parse(text, strlen(text), &is));
	EXPECT_EQ(us, is);
	seen[sl_date_print(is, seen)] = '\0';
	EXPECT_STREQ(printed, seen);
}

TEST(date_is_read_and_written)
{
	expect_date("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z");
	expect_date("1970-01-01", 0, "1970-01-01T00:00:00Z");
	expect_date("2024-02-29 12:00:00", INT64_C(1709208000000000), "2024-02-29T12:00:00Z");
	expect_date("2024-02-29T12:00:00.25+01:30", INT64_C(1709202600250000),
		    "2024-02-29T10:30:00.25Z");
	expect_date("1970-01-01T10:49", INT64_C(38940000000), "1970-01-01T10:49:00Z");
	expect_date("1969-12-31T23:59:59.999999Z", -1, "1969-12-31T23:59:59.999999Z");
	expect_date("1970-01-01T00:00:00.1234567Z", 123456, "1970-01-01T00:00:00.123456Z");
	expect_date("0000-01-01T00:00:00Z", OBJECT_DATE_MIN, "0000-01-01T00:00:00Z");
	expect_date("9999-12-31T23:59:59.999999Z", OBJECT_DATE_MAX, "9999-12-31T23:59:59.999999Z");
}

TEST(date_that_is_none_is_refused)
{
	static const char *const bad[] = {"",
					  "2024",
					  "2024-13-01",
					  "2024-00-01",
					  "2023-02-29",
					  "1900-02-29",
					  "2024-04-31",
					  "2024-01-01T24:00:00Z",
					  "2024-01-01T00:60:00Z",
					  "2024-01-01T00:00Z",
					  "2024-01-01T00:00:00.Z",
					  "2024-01-01T00:00:00ZZ",
					  "2024-01-01T00:00:00+1:00",
					  "2024-01-01T00:00:00 01:00",
					  "0000-01-01T00:00:00+01:00",
					  "20240101",
					  "+024-01-01",
					  "9999-12-31T23:59:59-01:00"};
	int64_t us = 5;

	for (size_t i = 0; i < SL_ARRAY_SIZE(bad); i++)
		if (!EXPECT_FALSE(sl_date_parse(bad[i], strlen(bad[i]), &us)))
			TH_LOG("%s", bad[i]);
	EXPECT_EQ(5, us);
}

TEST(dates_agree_with_the_c_library)
{
	for (int i = 0; i < 20000; i++) {
		int64_t s = OBJECT_DATE_MIN / 1000000 +
			    (int64_t)(harness_random() % (UINT64_C(10000) * 365 * 86400));
		char text[SL_DATE_TEXT_BYTES + 1], want[64];
		time_t t = (time_t)s;
		int64_t us = -1;
		struct tm tm;

		ASSERT_TRUE(gmtime_r(&t, &tm) != NULL);
		snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
			 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		text[sl_date_print(s * 1000000, text)] = '\0';
		ASSERT_STREQ(want, text);
		ASSERT_TRUE(sl_date_parse(text, strlen(text), &us));
		ASSERT_EQ(s * 1000000, us);
	}
}

TEST(base64_is_read_and_written)
{
	static const char *const bad[] = {"A", "A===", "AA=A", "AB C", "====", "AA*A", "AAAAA"};
	uint8_t data[100], seen[200];
	char text[200];

	for (size_t n = 0; n < sizeof(data); n++) {
		size_t len, seen_n = 0;

		for (size_t i = 0; i < n; i++)
			data[i] = (uint8_t)harness_random();
		len = sl_base64_print(data, n, text);
		EXPECT_EQ((n + 2) / 3 * 4, len);
		EXPECT_TRUE(object_base64_parse(text, len, seen, &seen_n));
		EXPECT_EQ(n, seen_n);
		EXPECT_MEMEQ(data, seen, n);
		while (len && text[len - 1] == '=')
			len--;
		EXPECT_TRUE(object_base64_parse(text, len, seen, &seen_n));
		EXPECT_EQ(n, seen_n);
	}
	EXPECT_EQ(8, sl_base64_print((const uint8_t *)"sluic", 5, text));
	EXPECT_MEMEQ("c2x1aWM=", text, 8);
	for (size_t i = 0; i < SL_ARRAY_SIZE(bad); i++) {
		size_t n;

		EXPECT_FALSE(object_base64_parse(bad[i], strlen(bad[i]), seen, &n));
	}
}

TEST_HARNESS_MAIN
