// SPDX-License-Identifier: Apache-2.0
/*
 * Ranges, entity tags and dates of a request. The first eight bytes are the file's length; no range
 * leaves the file, and together they are no longer than it.
 */
#include <errno.h>
#include <string.h>

#include <sluice/bytes.h>

#include "proto/http/condition.h"
#include "proto/http/date.h"
#include "proto/http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_ranges(struct http_str value, uint64_t bytes)
{
	struct http_range r[HTTP_RANGES_MAX];
	int n = http_range_parse(value, bytes, r);
	uint64_t left = bytes;

	SL_ASSERT(n == -ERANGE || (n >= 0 && n <= HTTP_RANGES_MAX));
	SL_ASSERT(n <= 0 || bytes);
	for (int i = 0; i < n; i++) {
		SL_ASSERT(r[i].len > 0 && r[i].off < bytes && r[i].len <= bytes - r[i].off);
		SL_ASSERT(r[i].len <= left);
		left -= r[i].len;
	}
}

static void check_date(struct http_str value)
{
	char text[HTTP_DATE_BYTES];
	int64_t s, again;

	if (http_date_parse(value, &s) || !http_date_can(s))
		return;
	http_date_format(s, text);
	SL_ASSERT(!http_date_parse((struct http_str){text, strlen(text)}, &again) && again == s);
}

/* The same bytes as each of the fields. */
static void check_conditions(struct http_str value)
{
	static const char *const names[] = {"If-Match", "If-None-Match", "If-Range",
					    "If-Modified-Since", "If-Unmodified-Since"};
	const struct http_validators v = {.etag = "\"a\"", .changed_s = 784111777};
	static char head[4200];
	static struct http_request rq;

	if (value.n > 4096)
		return;
	for (size_t i = 0; i < SL_ARRAY_SIZE(names); i++) {
		size_t name_n = strlen(names[i]);
		int status;

		memcpy(head, names[i], name_n);
		memcpy(head + name_n, value.p, value.n);
		rq.head = head;
		rq.head_bytes = name_n + value.n;
		rq.fields_n = 1;
		rq.fields[0].name = (struct http_span){0, (uint32_t)name_n};
		rq.fields[0].value = (struct http_span){(uint32_t)name_n, (uint32_t)value.n};
		status = http_condition_check(&rq, &v);
		SL_ASSERT(!status || status == 304 || status == 412);
		http_condition_range(&rq, &v);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct http_str value;

	if (n < 8)
		return 0;
	value = (struct http_str){(const char *)data + 8, n - 8};
	check_ranges(value, sl_load_le64(data));
	check_date(value);
	check_conditions(value);
	return 0;
}
