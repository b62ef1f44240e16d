// SPDX-License-Identifier: Apache-2.0
/* The search for a route. */
#include <string.h>

#include "harness.h"
#include "proto/http/route.h"

static const struct http_route rows[] = {
	{HTTP_ON(GET), "/a", NULL, 0},
	{HTTP_ON(PUT) | HTTP_ON(DELETE), "/a", NULL, 0},
	{HTTP_ON(POST), "/things/{}/parts/{}", NULL, 0},
	{HTTP_ON(GET), "/files/{*}", NULL, 0},
	{HTTP_ON(GET), "/things/first", NULL, 0},
	{HTTP_ON(GET), "/things/{}", NULL, 0},
};

static struct http_str params[HTTP_PARAMS_MAX];
static uint32_t allowed;

/* The row's number, or -1. */
static int find(enum http_method m, const char *path)
{
	const struct http_route *r = http_route_find(rows, SL_ARRAY_SIZE(rows), m,
						     (struct http_str){path, strlen(path)},
						     params, &allowed);

	return r ? (int)(r - rows) : -1;
}

TEST(path_is_matched_whole)
{
	EXPECT_EQ(0, find(HTTP_M_GET, "/a"));
	EXPECT_EQ(-1, find(HTTP_M_GET, "/a/"));
	EXPECT_EQ(0, allowed);
	EXPECT_EQ(-1, find(HTTP_M_GET, "/ab"));
	EXPECT_EQ(-1, find(HTTP_M_GET, "/"));
	EXPECT_EQ(-1, find(HTTP_M_GET, ""));
	EXPECT_EQ(-1, find(HTTP_M_GET, "/%61"));
	EXPECT_EQ(-1, find(HTTP_M_GET, "/./a"));
}

TEST(rows_of_one_path_share_it_by_method)
{
	EXPECT_EQ(1, find(HTTP_M_PUT, "/a"));
	EXPECT_EQ(0, find(HTTP_M_HEAD, "/a"));
	EXPECT_EQ(-1, find(HTTP_M_POST, "/a"));
	EXPECT_EQ(HTTP_ON(GET) | HTTP_ON(HEAD) | HTTP_ON(PUT) | HTTP_ON(DELETE) | HTTP_ON(OPTIONS),
		  allowed);
}

TEST(braces_take_one_segment_or_the_rest)
{
	ASSERT_EQ(2, find(HTTP_M_POST, "/things/x%2Fy/parts/7"));
	EXPECT_EQ(5, params[0].n);
	EXPECT_MEMEQ("x%2Fy", params[0].p, 5);
	EXPECT_EQ(1, params[1].n);
	EXPECT_EQ(-1, find(HTTP_M_POST, "/things//parts/7"));
	EXPECT_EQ(-1, find(HTTP_M_POST, "/things/x/parts/"));
	EXPECT_EQ(-1, find(HTTP_M_POST, "/things/x/parts/7/8"));
	ASSERT_EQ(3, find(HTTP_M_GET, "/files/a/b/c"));
	EXPECT_EQ(5, params[0].n);
	EXPECT_EQ(-1, find(HTTP_M_GET, "/files/"));
}

TEST(a_table_may_have_one_row_for_all)
{
	static const struct http_route all[] = {{HTTP_ON(GET), "{*}", NULL, 0}};
	static const char *const paths[] = {"", "/", "/a", "//a/b"};

	for (size_t i = 0; i < SL_ARRAY_SIZE(paths); i++)
		EXPECT_NOT_NULL(http_route_find(all, 1, HTTP_M_GET,
						(struct http_str){paths[i], strlen(paths[i])},
						params, &allowed));
}

TEST(a_row_may_be_for_every_method)
{
	static const struct http_route any[] = {{HTTP_ON(ANY), "/any", NULL, 0}};
	static const struct http_str path = {"/any", 4};

	for (int m = 0; m < HTTP_M_LAST; m++)
		EXPECT_TRUE(any == http_route_find(any, 1, (enum http_method)m, path, params,
						   &allowed));
	EXPECT_EQ(-1, find(HTTP_M_OTHER, "/files/a"));
}

TEST(first_row_that_matches_counts)
{
	EXPECT_EQ(4, find(HTTP_M_GET, "/things/first"));
	EXPECT_EQ(5, find(HTTP_M_GET, "/things/second"));
}

TEST(allow_lists_methods)
{
	char text[HTTP_ALLOW_BYTES];

	http_allow_format(HTTP_ON(GET) | HTTP_ON(HEAD) | HTTP_ON(OPTIONS), text);
	EXPECT_STREQ("GET, HEAD, OPTIONS", text);
	http_allow_format((1u << HTTP_M_LAST) - 1, text);
	EXPECT_STREQ("GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS", text);
	http_allow_format(0, text);
	EXPECT_STREQ("", text);
}

TEST(daemons_own_rows_are_sound)
{
	ASSERT_LE(3, http_routes_n);
	for (size_t i = 0; i < http_routes_n; i++) {
		EXPECT_NE(0, http_routes[i].methods);
		EXPECT_EQ('/', http_routes[i].path[0]);
		EXPECT_TRUE(http_routes[i].fn != NULL);
	}
}

TEST_HARNESS_MAIN
