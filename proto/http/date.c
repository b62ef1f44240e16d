/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dates as HTTP writes them.
 *
 * Interface: date.h. Letters are read in any case; everything else exactly as it is to be written,
 * for what a cache takes for a date it may keep a response by.
 *
 * Order of parts: writing; reading.
 */
#include "date.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
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

/* What is left of the text; the parts of a date are taken off its front. */
struct in {
	const char *p, *end;
};

static bool take_letters(struct in *in, const char *letters, size_t n)
{
	if ((size_t)(in->end - in->p) < n || strncasecmp(in->p, letters, n))
		return false;
	in->p += n;
	return true;
}

static bool take(struct in *in, const char *literal)
{
	return take_letters(in, literal, strlen(literal));
}

/* Exactly @n digits; with @blank the first may be a space. */
static bool take_digits(struct in *in, int n, bool blank, int *ret_v)
{
	int v = 0;

	if (in->end - in->p < n)
		return false;
	for (int i = 0; i < n; i++) {
		char c = *in->p++;

		if (!i && blank && c == ' ')
			continue;
		if (c < '0' || c > '9')
			return false;
		v = v * 10 + c - '0';
	}
	*ret_v = v;
	return true;
}

/* One of @names; @short_n: of each only so many letters count, 0: all. */
static bool take_name(struct in *in, const char *const *names, int n, size_t short_n, int *ret_i)
{
	for (int i = 0; i < n; i++) {
		if (!take_letters(in, names[i], short_n ? short_n : strlen(names[i])))
			continue;
		*ret_i = i;
		return true;
	}
	return false;
}

static const char *const weekdays[] = {"Monday", "Tuesday", "Wednesday", "Thursday",
				       "Friday", "Saturday", "Sunday"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
				     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static bool take_weekday(struct in *in, size_t short_n)
{
	int any;

	return take_name(in, weekdays, SL_ARRAY_SIZE(weekdays), short_n, &any);
}

static bool take_month(struct in *in, struct tm *tm)
{
	return take_name(in, months, SL_ARRAY_SIZE(months), 0, &tm->tm_mon);
}

static bool take_time(struct in *in, struct tm *tm)
{
	return take_digits(in, 2, false, &tm->tm_hour) && take(in, ":") &&
	       take_digits(in, 2, false, &tm->tm_min) && take(in, ":") &&
	       take_digits(in, 2, false, &tm->tm_sec);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool take_imf(struct in *in, struct tm *tm)
{
	return take_weekday(in, 3) && take(in, ", ") && take_digits(in, 2, false, &tm->tm_mday) &&
	       take(in, " ") && take_month(in, tm) && take(in, " ") &&
	       take_digits(in, 4, false, &tm->tm_year) && take(in, " ") && take_time(in, tm) &&
	       take(in, " GMT");
}

/* "Sunday, 06-Nov-94 08:49:37 GMT", of this century up to 68, as the C library has it. */
static bool take_rfc850(struct in *in, struct tm *tm)
{
	if (!take_weekday(in, 0) || !take(in, ", ") || !take_digits(in, 2, false, &tm->tm_mday) ||
	    !take(in, "-") || !take_month(in, tm) || !take(in, "-") ||
	    !take_digits(in, 2, false, &tm->tm_year) || !take(in, " ") || !take_time(in, tm) ||
	    !take(in, " GMT"))
		return false;
	tm->tm_year += tm->tm_year < 69 ? 2000 : 1900;
	return true;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool take_asctime(struct in *in, struct tm *tm)
{
	return take_weekday(in, 3) && take(in, " ") && take_month(in, tm) && take(in, " ") &&
	       take_digits(in, 2, true, &tm->tm_mday) && take(in, " ") && take_time(in, tm) &&
	       take(in, " ") && take_digits(in, 4, false, &tm->tm_year);
}

int http_date_parse(struct http_str s, int64_t *ret_unix_s)
{
	/* The second and third are of the last century, and still to be understood. */
	static bool (*const forms[])(struct in *, struct tm *) = {take_imf, take_rfc850,
								  take_asctime};

	for (size_t i = 0; i < SL_ARRAY_SIZE(forms); i++) {
		struct in in = {s.p, s.p + s.n};
		struct tm tm = {0};

		if (!forms[i](&in, &tm) || in.p != in.end)
			continue;
		tm.tm_year -= 1900;
		if (tm.tm_year < 0 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
		    tm.tm_min > 59 || tm.tm_sec > 60)
			return -EINVAL;
		*ret_unix_s = unix_of(&tm);
		return 0;
	}
	return -EINVAL;
}
