// SPDX-License-Identifier: Apache-2.0
/* The words around ranges. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "proto/http/partial.h"

static struct http_request request_with(const char *method, const char *fields)
{
	static char head[500];
	struct http_request rq = {0};
	int n = snprintf(head, sizeof(head), "%s /a HTTP/1.1\r\nHost: h\r\n%s\r\n", method, fields);

	EXPECT_EQ(HTTP_REFUSE_NONE, http_request_parse(&rq, (const uint8_t *)head, (size_t)n, 0));
	return rq;
}

TEST(ranges_are_for_get_and_for_the_bytes_that_if_range_means)
{
	static const struct {
		const char *method, *fields;
		int n;
	} rows[] = {
		{"GET", "", 0},
		{"GET", "Range: bytes=0-9\r\n", 1},
		{"HEAD", "Range: bytes=0-9\r\n", 0},
		{"POST", "Range: bytes=0-9\r\n", 0},
		{"GET", "Range: bytes=0-9, 20-\r\n", 2},
		{"GET", "Range: bytes=100-\r\n", -ERANGE},
		{"GET", "Range: bytes=0-9\r\nIf-Range: \"e\"\r\n", 1},
		{"GET", "Range: bytes=0-9\r\nIf-Range: \"f\"\r\n", 0},
		{"GET", "Range: bytes=0-9\r\nIf-Range: W/\"e\"\r\n", 0},
		{"GET", "Range: bytes=100-\r\nIf-Range: \"f\"\r\n", 0},
	};
	struct http_validators v = {.etag = "\"e\"", .changed_s = 1000};

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		struct http_request rq = request_with(rows[i].method, rows[i].fields);
		struct http_range ranges[HTTP_RANGES_MAX];

		if (!EXPECT_EQ(rows[i].n, http_partial_choose(&rq, &v, 100, ranges)))
			TH_LOG("in row %zu", i);
	}
}

TEST(one_range_and_none_name_the_length_of_the_whole)
{
	struct http_response rs;

	http_response_init(&rs);
	EXPECT_EQ(0, http_partial_one(&rs, &(struct http_range){10, 5}, UINT64_MAX));
	EXPECT_EQ(206, rs.status);
	EXPECT_MEMEQ("Content-Range: bytes 10-14/18446744073709551615\r\n",
		     http_response_extra(&rs), rs.extra_n);
	http_response_done(&rs);
	EXPECT_EQ(0, http_partial_none(&rs, "object", 7));
	EXPECT_EQ(416, rs.status);
	EXPECT_MEMEQ("Content-Range: bytes */7\r\n", http_response_extra(&rs), rs.extra_n);
	EXPECT_MEMEQ("{\"error\": \"the object has none of these bytes\"}\n", rs.small, rs.small_n);
	http_response_done(&rs);
}

static int make_many(void *arg)
{
	static const char type[] = "text/plain";
	const struct http_str type_str = {type, sizeof(type) - 1};
	struct http_range ranges[HTTP_RANGES_MAX];
	struct http_multipart m;
	struct http_response rs;
	uint64_t bytes = 0;
	char boundary[64], expected[200];

	for (int i = 0; i < HTTP_RANGES_MAX; i++)
		ranges[i] = (struct http_range){UINT64_MAX - 100 + (uint64_t)i, 1};
	http_response_init(&rs);
	ASSERT_EQ(0, http_multipart_make(&rs, type_str, UINT64_MAX, ranges, HTTP_RANGES_MAX, &m));
	EXPECT_EQ(206, rs.status);
	ASSERT_EQ(1, sscanf(rs.content_type, "multipart/byteranges; boundary=%60s", boundary));
	for (int i = 0; i <= HTTP_RANGES_MAX; i++) {
		struct sl_part head = http_multipart_take(&m, i);
		uint64_t at = UINT64_MAX - 100 + (uint64_t)i;
		int n = i < HTTP_RANGES_MAX
				? snprintf(expected, sizeof(expected),
					   "\r\n--%s\r\nContent-Type: %s\r\nContent-Range: bytes "
					   "%llu-%llu/%llu\r\n\r\n", boundary, type,
					   (unsigned long long)at, (unsigned long long)at,
					   (unsigned long long)UINT64_MAX)
				: snprintf(expected, sizeof(expected), "\r\n--%s--\r\n", boundary);

		ASSERT_EQ(n, head.slice.len);
		EXPECT_MEMEQ(expected, head.slice.data, head.slice.len);
		bytes += head.slice.len + (i < HTTP_RANGES_MAX);
		sl_part_release(&head);
	}
	EXPECT_EQ(bytes, m.bytes);
	http_multipart_done(&m);
	http_response_done(&rs);
	/* Nobody takes the heads. */
	ASSERT_EQ(0, http_multipart_make(&rs, type_str, 100, ranges, 2, &m));
	http_multipart_done(&m);
	EXPECT_EQ(0, sl_buf_bytes_used(sl_core_self()));
	http_response_done(&rs);
	return 0;
}

TEST(several_ranges_are_told_apart_by_a_boundary_and_counted)
{
	EXPECT_EQ(0, sl_core_run(&(struct sl_cores_conf){.n = 1}, make_many, NULL));
}

TEST_HARNESS_MAIN
