/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dates as HTTP writes them.
 *
 * Interface: date.h. Order of parts: writing; reading.
 */
#include "date.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* ---- writing ---------------------------------------------------------------------------- */

static void put2(char *p, int v)
{
	p[0] = (char)('0' + v / 10);
	p[1] = (char)('0' + v % 10);
}

/*
 * Days to a date by eras of 400 years that begin on 1 March, so that a leap day is the last of
 * its year; without gmtime_r(), which takes the C library's lock of time zones.
 */
void http_date_format(int64_t unix_s, char *ret_date)
{
	static const char days[] = "ThuFriSatSunMonTueWed";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t day = unix_s / 86400, s = unix_s % 86400;
	int64_t z = day + 719468; /* since 1 March of year 0 */
	int64_t era = z / 146097, of_era = z % 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t m = (5 * of_year + 2) / 153; /* 0: March */
	int month = (int)(m < 10 ? m + 2 : m - 10);

	SL_ASSERT(http_date_can(unix_s));
	year += era * 400 + (month < 2);
	memcpy(ret_date, "ddd, dd mmm yyyy hh:mm:ss GMT", HTTP_DATE_BYTES);
	memcpy(ret_date, days + day % 7 * 3, 3);
	put2(ret_date + 5, (int)(of_year - (153 * m + 2) / 5 + 1));
	memcpy(ret_date + 8, months + month * 3, 3);
	put2(ret_date + 12, (int)(year / 100));
	put2(ret_date + 14, (int)(year % 100));
	put2(ret_date + 17, (int)(s / 3600));
	put2(ret_date + 20, (int)(s / 60 % 60));
	put2(ret_date + 23, (int)(s % 60));
}

/* ---- reading ---------------------------------------------------------------------------- */

/* As http_date_format() counts, the other way round; timegm() takes that lock, too. */
static int64_t unix_of(const struct tm *tm)
{
	int64_t month = tm->tm_mon + 1, year = tm->tm_year + INT64_C(1900) - (month <= 2);
	int64_t era = year / 400, of_era = year % 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + tm->tm_mday - 1;
	int64_t day = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;

	return ((day * 24 + tm->tm_hour) * 60 + tm->tm_min) * 60 + tm->tm_sec;
}

int http_date_parse(struct http_str s, int64_t *ret_unix_s)
{
	/* The second and third are of the last century, and still to be understood. */
	static const char *const forms[] = {
		"%a, %d %b %Y %H:%M:%S GMT",
		"%A, %d-%b-%y %H:%M:%S GMT",
		"%a %b %e %H:%M:%S %Y",
	};
	char text[48];

	if (s.n >= sizeof(text))
		return -EINVAL;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	for (size_t i = 0; i < SL_ARRAY_SIZE(forms); i++) {
		struct tm tm = {0};
		const char *end = strptime(text, forms[i], &tm);

		if (end != text + s.n || tm.tm_year < 0)
			continue;
		*ret_unix_s = unix_of(&tm);
		return 0;
	}
	return -EINVAL;
}
