/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GraphQL's tokens: what a document is made of, and what is none.
 *
 * Order of parts: a document; signs and names; texts; numbers.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apis/weaviate/graphql_pvt.h"
#include "harness.h"

/* ---- a document ------------------------------------------------------------------------- */

struct document {
	char text[200];
	struct gql_error error;
	struct gql_tokens t;
};

static struct gql_tokens *begin(struct document *d, const char *text)
{
	size_t n = strlen(text);

	ASSERT_LT(n, sizeof(d->text));
	memcpy(d->text, text, n + 1);
	d->error = (struct gql_error){0};
	d->t = (struct gql_tokens){
		.begin = d->text, .p = d->text, .end = d->text + n, .error = &d->error};
	return &d->t;
}

/* What is wrong, as "line:column sentence". */
static void expect_wrong(const char *wanted, struct document *d, int err)
{
	char seen[200];

	EXPECT_EQ(-EPROTO, err);
	snprintf(seen, sizeof(seen), "%u:%u %s", d->error.line, d->error.column, d->error.text);
	EXPECT_STREQ(wanted, seen);
}

/* ---- signs and names -------------------------------------------------------------------- */

TEST(names_and_signs_follow_one_another)
{
	struct document d;
	struct gql_tokens *t = begin(&d, " {,\t# } not this\r\n_a1(...b");
	struct http_str name;

	EXPECT_FALSE(gql_take(t, '}'));
	EXPECT_TRUE(gql_take(t, '{'));
	ASSERT_EQ(0, gql_take_name(t, &name));
	EXPECT_EQ(3, name.n);
	EXPECT_MEMEQ("_a1", name.p, 3);
	EXPECT_FALSE(gql_take_dots(t));
	EXPECT_EQ(0, gql_expect(t, '('));
	EXPECT_TRUE(gql_take_dots(t));
	ASSERT_EQ(0, gql_take_name(t, &name));
	EXPECT_EQ(1, name.n);
	EXPECT_EQ(t->end, t->p);
}

TEST(what_does_not_follow_is_told_with_its_place)
{
	struct document d;
	struct http_str name;

	expect_wrong("1:1 Expected a name, found '7'", &d, gql_take_name(begin(&d, "7"), &name));
	expect_wrong("2:2 Expected ':', found 'x'", &d, gql_expect(begin(&d, "\n x"), ':'));
	expect_wrong("1:1 Expected ':', found the byte 0x01", &d, gql_expect(begin(&d, "\1"), ':'));
	expect_wrong("1:4 Expected ':', found the end", &d, gql_expect(begin(&d, " ,#"), ':'));
}

/* The NUL behind a document is no sign of it, nor is one within it the end. */
TEST(the_end_is_where_it_was_said)
{
	struct document d;
	struct gql_tokens *t = begin(&d, "a");

	t->p++;
	EXPECT_FALSE(gql_take(t, 0));
	EXPECT_FALSE(gql_take_dots(t));
	t = begin(&d, "a.b");
	d.text[1] = 0;
	t->p++;
	expect_wrong("1:2 Expected '{', found the byte 0x00", &d, gql_expect(t, '{'));
}

/* ---- texts ------------------------------------------------------------------------------ */

/* @rest: what is to be read behind the text. */
static void expect_text(const char *wanted, const char *text, const char *rest)
{
	struct gql_value v = {0};
	struct document d;
	struct gql_tokens *t = begin(&d, text);

	ASSERT_EQ(0, gql_take_text(t, &v));
	EXPECT_EQ(GQL_STRING, v.kind);
	EXPECT_EQ(strlen(wanted), v.n);
	EXPECT_STREQ(wanted, v.text);
	EXPECT_STREQ(rest, t->p);
}

static void expect_no_text(const char *wanted, const char *text)
{
	struct gql_value v;
	struct document d;

	expect_wrong(wanted, &d, gql_take_text(begin(&d, text), &v));
}

TEST(texts_have_escapes)
{
	expect_text("\"\\/\b\f\n\r\t", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "");
	expect_text("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\\u00e9\\u20ac\\ud83d\\ude00\")",
		    ")");
	expect_text("{ } ( # ...", "\"{ } ( # ...\" x", " x");
	expect_text("", "\"\" \"", " \"");
}

TEST(texts_that_are_none_are_refused)
{
	expect_no_text("1:2 A text does not end on its line", "\"x");
	expect_no_text("1:2 A text does not end on its line", "\"x\n\"");
	expect_no_text("1:3 An escape that no text may have", "\"a\\x\"");
	expect_no_text("1:2 An escape that no text may have", "\"\\");
	expect_no_text("1:2 An escape that no text may have", "\"\\u12g4\"");
	expect_no_text("1:2 An escape that no text may have", "\"\\ud800\"");
	expect_no_text("1:2 An escape that no text may have", "\"\\ud800\\u0041\"");
	expect_no_text("1:2 An escape that no text may have", "\"\\udc00\"");
}

TEST(blocks_of_text_lose_what_they_are_indented_by)
{
	expect_text("one\n  two\n\nthree \"\"\" \\n",
		    "\"\"\"\n    one\n      two\n\n    three \\\"\"\" \\n\n  \"\"\")", ")");
	expect_text("a\nb", "\"\"\"a\n\t b\n   \n\"\"\"", "");
	expect_text("x", "\"\"\"x\"\"\"", "");
	expect_text("", "\"\"\"\"\"\" ", " ");
	expect_text("", "\"\"\"\n \n\t\r\n\"\"\"", "");
}

TEST(blocks_that_do_not_end_are_refused)
{
	expect_no_text("1:4 A block of text does not end", "\"\"\"x");
	expect_no_text("1:4 A block of text does not end", "\"\"\"x\"\"");
	expect_no_text("1:4 A block of text does not end", "\"\"\"x\\\"\"\"");
}

/* ---- numbers ---------------------------------------------------------------------------- */

TEST(numbers_are_whole_or_not)
{
	static const struct {
		const char *text;
		enum gql_kind kind;
		double wanted;
	} rows[] = {
		{"0", GQL_INTEGER, 0},
		{"-12 ", GQL_INTEGER, -12},
		{"1.5", GQL_NUMBER, 1.5},
		{"1e20,", GQL_NUMBER, 1e20},
		{"9223372036854775808", GQL_NUMBER, 9223372036854775808.0},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		struct gql_value v = {0};
		struct document d;
		struct gql_tokens *t = begin(&d, rows[i].text);

		ASSERT_EQ(0, gql_take_number(t, &v));
		EXPECT_EQ(rows[i].kind, v.kind);
		EXPECT_EQ(rows[i].wanted, gql_number(&v));
		EXPECT_EQ(strcspn(rows[i].text, " ,"), (size_t)(t->p - t->begin));
	}
}

TEST(the_largest_whole_number_is_whole)
{
	struct gql_value v = {0};
	struct document d;

	ASSERT_EQ(0, gql_take_number(begin(&d, "9223372036854775807"), &v));
	EXPECT_EQ(GQL_INTEGER, v.kind);
	EXPECT_EQ(INT64_MAX, v.integer);
}

TEST(numbers_that_are_none_are_refused)
{
	static const char *const wrong[] = {"01", "1x", "1.2.3", "1e999", "-", "1e"};

	for (size_t i = 0; i < SL_ARRAY_SIZE(wrong); i++) {
		struct gql_value v;
		struct document d;

		expect_wrong("1:1 A number that cannot be read", &d,
			     gql_take_number(begin(&d, wrong[i]), &v));
	}
}

TEST_HARNESS_MAIN
