// SPDX-License-Identifier: Apache-2.0
/* Dates as HTTP writes them. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "harness.h"
#include "proto/http/date.h"

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

TEST(date_agrees_with_the_c_library)
{
	static const int64_t edges[] = {
		0, 784111777, 951782399, 951782400, 951868799, 951868800, 1709164800, 1709251200,
		4107542399, 4107542400, 253402300799, 1735689599, 1735689600, 68169599,
	};
	char seen[HTTP_DATE_BYTES], expected[64];

	for (size_t i = 0; i < 20000; i++) {
		int64_t s = i < SL_ARRAY_SIZE(edges)
				    ? edges[i]
				    : (int64_t)(harness_random() % UINT64_C(253402300800));
		time_t t = (time_t)s;
		struct tm tm;

		gmtime_r(&t, &tm);
		strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		http_date_format(s, seen);
		ASSERT_STREQ(expected, seen);
		ASSERT_EQ(0, http_date_parse((struct http_str){seen, strlen(seen)}, &s));
		ASSERT_EQ((int64_t)t, s);
	}
	http_date_format(784111777, seen);
	EXPECT_STREQ(DATE, seen);
}

static int parse(const char *text, int64_t *ret_s)
{
	return http_date_parse((struct http_str){text, strlen(text)}, ret_s);
}

TEST(three_forms_are_read)
{
	int64_t s = 0;

	EXPECT_EQ(0, parse("Sun, 06 Nov 1994 08:49:37 GMT", &s));
	EXPECT_EQ(784111777, s);
	EXPECT_EQ(0, parse("Sunday, 06-Nov-94 08:49:37 GMT", &s));
	EXPECT_EQ(784111777, s);
	EXPECT_EQ(0, parse("Sun Nov  6 08:49:37 1994", &s));
	EXPECT_EQ(784111777, s);
	EXPECT_EQ(0, parse("Thu, 31 Dec 1942 23:59:59 GMT", &s));
	EXPECT_EQ(-852076801, s);
	EXPECT_EQ(0, parse("SUN, 06 nOV 1994 08:49:37 gMT", &s));
	EXPECT_EQ(784111777, s);
	EXPECT_EQ(0, parse("Thursday, 18-Aug-50 02:01:18 GMT", &s));
	EXPECT_EQ(2544400878, s);
}

TEST(other_texts_are_no_dates)
{
	static const char *const texts[] = {
		"", "now", "0", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT+1",
		"Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 06 Nov 1000 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMT and so on, and so on, and so on",
		"Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 AEST",
		"Sun, 06 Nov 94 08:49:37 GMT", "Sun 06 Nov 1994 08:49:37 GMT",
		"Sun, 06  Nov  1994 08:49:37 GMT", "Sun, 06-Nov-1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08.49.37 GMT", "Sun, 06 Nov 1994 8:49:37 GMT",
		"Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:60:37 GMT", "Sun Nov 6 08:49:37 1994",
	};
	int64_t s = 7;

	for (size_t i = 0; i < SL_ARRAY_SIZE(texts); i++)
		EXPECT_EQ(-EINVAL, parse(texts[i], &s));
	EXPECT_EQ(7, s);
}

TEST_HARNESS_MAIN
