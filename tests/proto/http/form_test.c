// SPDX-License-Identifier: Apache-2.0
/* Bodies of forms, in pieces of every length; what is none. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "proto/http/form.h"
#include "proto/http/lines.h"

/* A body that comes @step bytes at a time. */
struct source {
	const char *p;
	size_t n, step;
};

static ssize_t take(void *arg, void *to, size_t max)
{
	struct source *s = arg;
	size_t n = sl_min(sl_min(max, s->step), s->n);

	memcpy(to, s->p, n);
	s->p += n;
	s->n -= n;
	return (ssize_t)n;
}

static char text[HTTP_FORM_PIECE_BYTES];

static struct http_form form_of(struct source *s)
{
	return (struct http_form){.read = take, .arg = s, .text = text};
}

/* The parts as "name=bytes;", or what is wrong behind those before. */
static const char *parts_of(const char *type, const char *body, size_t n, size_t step)
{
	static char all[200000];
	struct source s = {body, n, step};
	struct http_form f = form_of(&s);
	struct http_str name;
	const char *data;
	size_t at = 0;
	ssize_t got = http_form_init(&f, http_str_of(type));

	if (got)
		return "no form";
	while ((got = http_form_next(&f, &name)) == 1) {
		at += (size_t)snprintf(all + at, sizeof(all) - at, "%.*s=", (int)name.n, name.p);
		while ((got = http_form_read(&f, &data)) > 0) {
			memcpy(all + at, data, (size_t)got);
			at += (size_t)got;
		}
		if (got < 0)
			break;
		all[at++] = ';';
	}
	if (!got)
		EXPECT_EQ(0, http_form_next(&f, &name));
	snprintf(all + at, sizeof(all) - at, "%s",
		 got == -EPROTO ? "broken" : got ? "failed" : "");
	return all;
}

#define TYPE "multipart/form-data; boundary=XX"

TEST(parts_come_whole_in_pieces_of_every_length)
{
	static const char body[] = "nobody wants that\r\n--XX \t\r\n"
				   "Content-Disposition: form-data; name=\"a;b\"; "
				   "filename=\"f\"\r\n"
				   "Content-Type: text/plain\r\n\r\n"
				   "one\r\n--X\r\ntwo--XX\r\n"
				   "\r\n--XX\r\ncontent-disposition: form-data; x=name; "
				   "NAME=c\r\n\r\n"
				   "\r\n--XX\r\n\r\nbare\r\n--XX--\r\nnor that";

	for (size_t step = 1; step < sizeof(body); step++)
		EXPECT_STREQ("a;b=one\r\n--X\r\ntwo--XX\r\n;c=;=bare;",
			     parts_of(TYPE, body, sizeof(body) - 1, step));
}

TEST(the_first_delimiter_needs_no_line_before_it)
{
	static const char body[] = "--a b'c\r\n\r\nx\r\n--a b'c--";

	EXPECT_STREQ("=x;", parts_of("Multipart/Form-Data;charset=x; boundary=\"a b'c\"", body,
				     sizeof(body) - 1, 100));
}

TEST(long_parts_pass_through)
{
	enum { LONG = 150000 };
	static const char before[] = "--XX\r\nContent-Disposition: form-data; name=f\r\n\r\n";
	static const char behind[] = "\r\n--XX--\r\n";
	char *body = calloc(1, LONG + 200);
	const char *seen;
	size_t n = sizeof(before) - 1;

	ASSERT_NOT_NULL(body);
	memcpy(body, before, n);
	for (size_t i = 0; i < LONG; i++)
		body[n + i] = "\r\n--X"[i % 5];
	memcpy(body + n + LONG, behind, sizeof(behind));
	seen = parts_of(TYPE, body, n + LONG + sizeof(behind) - 1, 100000);
	EXPECT_EQ(LONG + 3, strlen(seen));
	EXPECT_MEMEQ(body + n, seen + 2, LONG);
	free(body);
}

TEST(what_is_no_form_is_refused)
{
	static const char *const types[] = {
		"application/json",
		"multipart/form-data",
		"multipart/form-data; boundary=",
		"multipart/form-data; xboundary=a",
		"multipart/form-data; boundary=1234567890123456789012345678901234567890"
		"1234567890123456789012345678901",
	};
	static const struct {
		const char *body, *parts;
	} rows[] = {
		{"", "broken"},
		{"--XX", "broken"},
		{"--XX\r\n", "broken"},
		{"--XX\r\n\r\nabc", "=broken"},
		{"--XX\r\n\r\nab\r\n--XX", "=ab;broken"},
		{"--XX!\r\n\r\nab\r\n--XX--", "broken"},
		{"--XX--", ""},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(types); i++)
		EXPECT_STREQ("no form", parts_of(types[i], "", 0, 1));
	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++)
		EXPECT_STREQ(rows[i].parts,
			     parts_of(TYPE, rows[i].body, strlen(rows[i].body), 3));
}

TEST(a_head_without_an_end_is_refused)
{
	char *body = calloc(1, 2 * HTTP_FORM_PIECE_BYTES);

	ASSERT_NOT_NULL(body);
	memset(body, 'x', 2 * HTTP_FORM_PIECE_BYTES);
	memcpy(body, "--XX\r\n", 6);
	EXPECT_STREQ("broken", parts_of(TYPE, body, 2 * HTTP_FORM_PIECE_BYTES, 10000));
	free(body);
}

TEST_HARNESS_MAIN
