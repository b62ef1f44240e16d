// SPDX-License-Identifier: Apache-2.0
/* Dates as HTTP writes them. */
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
		int64_t s = i < sizeof(edges) / sizeof(edges[0])
				    ? edges[i]
				    : (int64_t)(harness_random() % UINT64_C(253402300800));
		time_t t = (time_t)s;
		struct tm tm;

		gmtime_r(&t, &tm);
		strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		http_date_format(s, seen);
		ASSERT_STREQ(expected, seen);
	}
	http_date_format(784111777, seen);
	EXPECT_STREQ(DATE, seen);
}

TEST_HARNESS_MAIN
