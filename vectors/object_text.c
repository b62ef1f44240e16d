/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What values are as text: UTF-8, UUIDs, dates, Base64.
 *
 * Interface: object.h (UUIDs, dates), object_pvt.h.
 *
 * Order of parts: UTF-8; places; UUIDs; dates; Base64.
 */
#include <stdio.h>

#include "object_pvt.h"

/* ---- UTF-8 ------------------------------------------------------------------------------ */

/* Bytes of the character at @p, of at most @n; 0: it is none. */
static size_t character(const uint8_t *p, size_t n)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t code = p[0] & (0xffu >> (len + 1));

	if (len == 1)
		return 1;
	if (!len || p[0] >= 0xf8 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	return code < least[len] || code > 0x10ffff || code >> 11 == 0x1b ? 0 : len;
}

bool object_is_utf8(const char *p, size_t n)
{
	const uint8_t *at = (const uint8_t *)p;

	while (n) {
		size_t len;

		while (n >= 8 && !(sl_load_le64(at) & UINT64_C(0x8080808080808080))) {
			at += 8;
			n -= 8;
		}
		if (!n)
			break;
		len = character(at, n);
		if (!len)
			return false;
		at += len;
		n -= len;
	}
	return true;
}

/* ---- places ----------------------------------------------------------------------------- */

bool object_is_geo(double latitude, double longitude)
{
	return latitude >= -90 && latitude <= 90 && longitude >= -180 && longitude <= 180;
}

/* ---- UUIDs ------------------------------------------------------------------------------ */

static int digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static bool is_dash(size_t at)
{
	return at == 8 || at == 13 || at == 18 || at == 23;
}

bool sl_uuid_parse(const char *p, size_t n, uint8_t ret_uuid[SL_OBJECT_UUID_BYTES])
{
	uint8_t uuid[SL_OBJECT_UUID_BYTES] = {0};
	size_t nibble = 0;

	if (n != SL_UUID_TEXT_BYTES && n != 2 * SL_OBJECT_UUID_BYTES)
		return false;
	for (size_t i = 0; i < n; i++) {
		int d = digit(p[i]);

		if (n == SL_UUID_TEXT_BYTES && is_dash(i)) {
			if (p[i] != '-')
				return false;
			continue;
		}
		if (d < 0)
			return false;
		uuid[nibble / 2] |= (uint8_t)(nibble % 2 ? d : d << 4);
		nibble++;
	}
	memcpy(ret_uuid, uuid, sizeof(uuid));
	return true;
}

void sl_uuid_print(const uint8_t *uuid, char ret_text[SL_UUID_TEXT_BYTES])
{
	size_t nibble = 0;

	for (size_t i = 0; i < SL_UUID_TEXT_BYTES; i++) {
		if (is_dash(i)) {
			ret_text[i] = '-';
			continue;
		}
		ret_text[i] = "0123456789abcdef"[uuid[nibble / 2] >> (nibble % 2 ? 0 : 4) & 15];
		nibble++;
	}
}

/* ---- dates ------------------------------------------------------------------------------ */

#define DAY_S 86400

/* Days since 1970 of a day of the Gregorian calendar, counted in years that begin in March. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month > 2 ? year : year - 1, era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400, of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void day_of(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, d = z - era * 146097;
	int64_t y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
	int64_t of_year = d - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

	*ret_day = (int)(of_year - (153 * m + 2) / 5 + 1);
	*ret_month = (int)(m < 10 ? m + 3 : m - 9);
	*ret_year = (int)(y + era * 400 + (*ret_month <= 2));
}

struct cursor {
	const char *p, *end;
	bool wrong;
};

/* The next @digits digits, a number of at most @max. */
static int64_t number(struct cursor *c, int digits, int64_t max)
{
	int64_t v = 0;

	for (; digits; digits--) {
		if (c->p == c->end || *c->p < '0' || *c->p > '9') {
			c->wrong = true;
			return 0;
		}
		v = v * 10 + (*c->p++ - '0');
	}
	if (v > max)
		c->wrong = true;
	return v;
}

static bool next_is(struct cursor *c, const char *any)
{
	if (c->p == c->end || !*c->p || !strchr(any, *c->p))
		return false;
	c->p++;
	return true;
}

static void must_be(struct cursor *c, const char *any)
{
	if (!next_is(c, any))
		c->wrong = true;
}

static int64_t fraction_us(struct cursor *c)
{
	int64_t us = 0, unit = 100000;

	if (!next_is(c, "."))
		return 0;
	us += number(c, 1, 9) * unit;
	while (c->p < c->end && *c->p >= '0' && *c->p <= '9') {
		unit /= 10;
		us += (*c->p++ - '0') * unit;
	}
	return us;
}

/* Seconds east of UTC. */
static int64_t zone_s(struct cursor *c)
{
	int64_t s, sign;

	if (c->p == c->end || next_is(c, "Zz"))
		return 0;
	sign = *c->p == '-' ? -1 : 1;
	must_be(c, "+-");
	s = number(c, 2, 23) * 3600;
	must_be(c, ":");
	return sign * (s + number(c, 2, 59) * 60);
}

static int64_t time_us(struct cursor *c)
{
	int64_t s = number(c, 2, 23) * 3600, us;

	must_be(c, ":");
	s += number(c, 2, 59) * 60;
	if (c->p == c->end)
		return s * 1000000;
	must_be(c, ":");
	s += number(c, 2, 60);
	us = fraction_us(c);
	return (s - zone_s(c)) * 1000000 + us;
}

bool sl_date_parse(const char *p, size_t n, int64_t *ret_us)
{
	struct cursor c = {.p = p, .end = p + n};
	int64_t year = number(&c, 4, 9999), month, day, us;
	int y, m, d;

	must_be(&c, "-");
	month = number(&c, 2, 12);
	must_be(&c, "-");
	day = number(&c, 2, 31);
	if (c.wrong || !month || !day)
		return false;
	us = days_of(year, month, day) * DAY_S * 1000000;
	day_of(days_of(year, month, day), &y, &m, &d);
	if (d != day) /* the 30th of February */
		return false;
	if (c.p < c.end) {
		must_be(&c, "Tt ");
		us += time_us(&c);
	}
	if (c.wrong || c.p != c.end || us < OBJECT_DATE_MIN || us > OBJECT_DATE_MAX)
		return false;
	*ret_us = us;
	return true;
}

size_t sl_date_print(int64_t us, char ret_text[SL_DATE_TEXT_BYTES])
{
	int64_t s = us / 1000000 - (us % 1000000 < 0), days = s / DAY_S - (s % DAY_S < 0);
	int of_day = (int)(s - days * DAY_S), rest = (int)(us - s * 1000000);
	int year, month, day, n;
	char text[64];

	day_of(days, &year, &month, &day);
	n = snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day,
		     of_day / 3600, of_day / 60 % 60, of_day % 60);
	if (rest)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ".%06d", rest);
	while (rest && text[n - 1] == '0')
		n--;
	text[n++] = 'Z';
	SL_ASSERT(n <= SL_DATE_TEXT_BYTES);
	memcpy(ret_text, text, (size_t)n);
	return (size_t)n;
}

/* ---- Base64 ----------------------------------------------------------------------------- */

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool object_base64_parse(const char *p, size_t n, uint8_t *ret_data, size_t *ret_n)
{
	uint32_t bits = 0;
	size_t out = 0;

	if (n && n % 4 == 0 && p[n - 1] == '=')
		n -= p[n - 2] == '=' ? 2 : 1;
	if (n % 4 == 1)
		return false;
	for (size_t i = 0; i < n; i++) {
		const char *at = p[i] ? strchr(base64, p[i]) : NULL;

		if (!at)
			return false;
		bits = bits << 6 | (uint32_t)(at - base64);
		if (i % 4)
			ret_data[out++] = (uint8_t)(bits >> (6 - i % 4 * 2));
	}
	*ret_n = out;
	return true;
}

size_t sl_base64_print(const uint8_t *data, size_t n, char *ret_text)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i += 3) {
		size_t have = sl_min(n - i, (size_t)3);
		uint32_t bits = (uint32_t)data[i] << 16;

		bits |= have > 1 ? (uint32_t)data[i + 1] << 8 : 0;
		bits |= have > 2 ? data[i + 2] : 0;
		for (size_t c = 0; c < 4; c++)
			ret_text[out++] = c <= have ? base64[bits >> (18 - 6 * c) & 63] : '=';
	}
	return out;
}
