// SPDX-License-Identifier: Apache-2.0
/* Header fields as text. */
#include <string.h>

#include "harness.h"
#include "proto/http/lines.h"

static struct http_lines lines(const char *text)
{
	return (struct http_lines){text, strlen(text)};
}

/* The elements of a list, each followed by "|". */
static const char *elements(const char *text)
{
	static char seen[256];
	struct http_str list = http_str_of(text), e;
	size_t n = 0;

	while (http_list_next(&list, &e)) {
		memcpy(seen + n, e.p, e.n);
		n += e.n;
		seen[n++] = '|';
	}
	seen[n] = 0;
	return seen;
}

TEST(list_is_cut_at_commas_outside_of_strings)
{
	EXPECT_STREQ("a|b|c|", elements("a, b ,c"));
	EXPECT_STREQ("a|b|", elements(" ,, a ,\t, b,"));
	EXPECT_STREQ("", elements(""));
	EXPECT_STREQ("", elements(" , "));
	EXPECT_STREQ("x=\"a, b\"|c|", elements("x=\"a, b\", c"));
	EXPECT_STREQ("x=\"a\\\", b\"|c|", elements("x=\"a\\\", b\", c"));
	EXPECT_STREQ("x=\"a, b|", elements("x=\"a, b"));
	EXPECT_STREQ("x=\"a\\|", elements("x=\"a\\"));
}

/* A list that nobody has put anything into has no memory either. */
TEST(nothing_is_an_empty_list)
{
	struct http_str nothing = {0}, e;

	EXPECT_FALSE(http_list_next(&nothing, &e));
	EXPECT_FALSE(http_list_has(nothing, http_str_of("a")));
	EXPECT_TRUE(http_str_same(nothing, (struct http_str){0}));
}

TEST(list_has_an_element_in_any_case)
{
	EXPECT_TRUE(http_list_has(http_str_of("close, Upgrade"), http_str_of("upgrade")));
	EXPECT_FALSE(http_list_has(http_str_of("close, Upgrade"), http_str_of("up")));
	EXPECT_FALSE(http_list_has(http_str_of(""), http_str_of("up")));
}

TEST(lines_are_read_in_turn)
{
	struct http_lines l = lines("Host: a\r\nEmpty:\r\nX:  b \t\r\n");
	struct http_line line;

	ASSERT_TRUE(http_lines_next(&l, &line));
	EXPECT_TRUE(http_str_is(line.name, "host"));
	EXPECT_TRUE(http_str_is(line.value, "a"));
	EXPECT_EQ(9, line.text.n);
	ASSERT_TRUE(http_lines_next(&l, &line));
	EXPECT_EQ(0, line.value.n);
	ASSERT_TRUE(http_lines_next(&l, &line));
	EXPECT_TRUE(http_str_is(line.value, "b"));
	EXPECT_FALSE(http_lines_next(&l, &line));
}

TEST(what_is_no_line_ends_the_text)
{
	static const char *const texts[] = {"", "A", "A: b", "A\r\n", "\r\n"};

	for (size_t i = 0; i < SL_ARRAY_SIZE(texts); i++) {
		struct http_lines l = lines(texts[i]);
		struct http_line line;

		EXPECT_FALSE(http_lines_next(&l, &line));
	}
}

TEST(lines_are_put_found_and_joined)
{
	struct sl_text t = {0}, joined = {0};
	struct http_str v;

	http_lines_put_string(&t, "Vary", "a");
	http_lines_put(&t, http_str_of("X"), http_str_of("1"));
	http_lines_put_string(&t, "vary", "b, c");
	ASSERT_EQ(0, t.err);
	ASSERT_EQ(27, t.len);
	EXPECT_EQ(0, memcmp("Vary: a\r\nX: 1\r\nvary: b, c\r\n", t.data, t.len));
	ASSERT_TRUE(http_lines_find(http_lines_of(&t), "VARY", &v));
	EXPECT_TRUE(http_str_is(v, "a"));
	EXPECT_FALSE(http_lines_find(http_lines_of(&t), "Var", &v));
	http_lines_join(http_lines_of(&t), "Vary", &joined);
	ASSERT_EQ(7, joined.len);
	EXPECT_EQ(0, memcmp("a, b, c", joined.data, 7));
	sl_text_done(&t);
	sl_text_done(&joined);
}

TEST(fields_of_a_connection_are_known_or_named)
{
	struct http_str named = http_str_of("keep-alive, x-mine");

	EXPECT_TRUE(http_field_is_hop(http_str_of("connection"), named));
	EXPECT_TRUE(http_field_is_hop(http_str_of("Transfer-Encoding"), named));
	EXPECT_TRUE(http_field_is_hop(http_str_of("Proxy-Authentication-Info"), named));
	EXPECT_TRUE(http_field_is_hop(http_str_of("X-Mine"), named));
	EXPECT_FALSE(http_field_is_hop(http_str_of("X-Yours"), named));
	EXPECT_FALSE(http_field_is_hop(http_str_of("ETag"), http_str_of("")));
}

TEST_HARNESS_MAIN
