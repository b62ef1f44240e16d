/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dates as HTTP writes them.
 *
 * Interface: date.h.
 */
#include "date.h"

#include <string.h>

#include <sluice/assert.h>

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
