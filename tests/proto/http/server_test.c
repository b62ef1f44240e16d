// SPDX-License-Identifier: Apache-2.0
/* What all HTTP connections share. */
#include <string.h>

#include "harness.h"
#include "proto/http/response.h"
#include "proto/http/route.h"

TEST(server_begins_not_ready)
{
	struct http_server s;
	struct http_server_conf conf = {.cores = 3,
					.head_bytes_max = 1 << 20,
					.body_bytes_max = 77};

	ASSERT_EQ(0, http_server_init(&s, &conf));
	EXPECT_STREQ("starting", s.not_ready);
	EXPECT_EQ(77, s.body_bytes_max);
	EXPECT_EQ(SL_CONN_WINDOW_BYTES, s.head_bytes_max);
	http_server_set_ready(&s, NULL);
	EXPECT_NULL(s.not_ready);
	http_server_set_limits(&s, 1000, 2000);
	EXPECT_EQ(1000, s.head_bytes_max);
	EXPECT_EQ(2000, s.body_bytes_max);
	http_server_done(&s);
	http_server_done(&s);
	http_server_done(NULL);
}

TEST(a_server_serves_the_apis_that_it_is_told)
{
	static const struct http_route row[1];
	static const struct http_api two[] = {{"a", row, 1, NULL, 0}, {"b", row, 1, NULL, 0}};
	struct http_server_conf conf = {.cores = 1, .apis = two, .apis_n = 2};
	struct http_server s;

	ASSERT_EQ(0, http_server_init(&s, &conf));
	EXPECT_TRUE(s.apis == two);
	EXPECT_EQ(2, s.apis_n);
	http_server_done(&s);
}

/* A backend whose clock stands where the test puts it. */
struct still {
	struct sl_backend backend;
	int64_t ns;
};

static int still_now(struct sl_backend *b, struct sl_io *io)
{
	struct still *s = sl_container_of(b, struct still, backend);

	if (io->op != SL_OP_CLOCK)
		return sl_backend_kernel()->now(sl_backend_kernel(), io);
	io->off = (uint64_t)s->ns;
	return io->res = 0;
}

TEST(each_core_keeps_the_date_for_a_second)
{
	struct still clock = {.backend = {.name = "still", .now = still_now}};
	struct http_server_conf conf = {.cores = 3};
	struct http_server s;
	const char *date;

	ASSERT_EQ(0, http_server_init(&s, &conf));
	sl_backend_use(&clock.backend);
	clock.ns = 784111777 * SL_SEC;
	date = http_server_date(&s, 1);
	EXPECT_STREQ("Sun, 06 Nov 1994 08:49:37 GMT", date);
	clock.ns += SL_SEC - 1;
	EXPECT_STREQ("Sun, 06 Nov 1994 08:49:37 GMT", http_server_date(&s, 1));
	clock.ns += 1;
	EXPECT_STREQ("Sun, 06 Nov 1994 08:49:38 GMT", http_server_date(&s, 1));
	EXPECT_STREQ("Sun, 06 Nov 1994 08:49:38 GMT", http_server_date(&s, 0));
	clock.ns = -1 * SL_SEC;
	EXPECT_STREQ("Thu, 01 Jan 1970 00:00:00 GMT", http_server_date(&s, 2));
	sl_backend_use(NULL);
	http_server_done(&s);
}

TEST_HARNESS_MAIN
