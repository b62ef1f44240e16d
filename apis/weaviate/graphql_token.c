// SPDX-License-Identifier: Apache-2.0
/*
 * GraphQL's tokens: names, signs, texts and numbers, one after the other.
 *
 * Interface: graphql_pvt.h.
 * Invariants: nothing behind the document's NUL is looked at. A text is never longer than it is
 * written: its escapes and its indentation go where it stands, and its own NUL is put before what
 * follows it.
 *
 * Order of parts: mistakes; signs and names; texts; numbers.
 */
#include "graphql_pvt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- mistakes --------------------------------------------------------------------------- */

int gql_wrong(struct gql_tokens *t, const char *at, const char *fmt, ...)
{
	struct gql_error *e = t->error;
	va_list args;

	va_start(args, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, args);
	va_end(args);
	e->line = e->column = 1;
	for (const char *p = t->begin; p < at; p++) {
		e->column = *p == '\n' ? 1 : e->column + 1;
		e->line += *p == '\n';
	}
	return -EPROTO;
}

int gql_unexpected(struct gql_tokens *t, const char *wanted)
{
	if (t->p >= t->end)
		return gql_wrong(t, t->p, "Expected %s, found the end", wanted);
	if ((unsigned char)*t->p < ' ' || (unsigned char)*t->p > '~')
		return gql_wrong(t, t->p, "Expected %s, found the byte 0x%02x", wanted,
				 (unsigned char)*t->p);
	return gql_wrong(t, t->p, "Expected %s, found '%c'", wanted, *t->p);
}

/* ---- signs and names -------------------------------------------------------------------- */

void gql_skip(struct gql_tokens *t)
{
	for (;; t->p++) {
		while (*t->p == ' ' || *t->p == ',' || *t->p == '\n' || *t->p == '\t' ||
		       *t->p == '\r')
			t->p++;
		if (*t->p != '#')
			break;
		while (t->p + 1 < t->end && t->p[1] != '\n')
			t->p++;
	}
	if (t->p > t->end)
		t->p = t->end;
}

bool gql_take(struct gql_tokens *t, char c)
{
	gql_skip(t);
	if (*t->p != c || t->p >= t->end)
		return false;
	t->p++;
	return true;
}

int gql_expect(struct gql_tokens *t, char c)
{
	char wanted[4] = {'\'', c, '\'', 0};

	return gql_take(t, c) ? 0 : gql_unexpected(t, wanted);
}

int gql_take_name(struct gql_tokens *t, struct http_str *ret_name)
{
	gql_skip(t);
	if (!gql_is_letter(*t->p))
		return gql_unexpected(t, "a name");
	ret_name->p = t->p;
	while (gql_is_letter(*t->p) || gql_is_digit(*t->p))
		t->p++;
	ret_name->n = (size_t)(t->p - ret_name->p);
	return 0;
}

bool gql_take_dots(struct gql_tokens *t)
{
	gql_skip(t);
	if (t->end - t->p < 3 || memcmp(t->p, "...", 3))
		return false;
	t->p += 3;
	return true;
}

/* ---- texts ------------------------------------------------------------------------------ */

static char *put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

/* Four hexadecimal digits at @p; -1: there are none. */
static int32_t four_digits(const char *p)
{
	int32_t v = 0;

	for (int i = 0; i < 4; i++) {
		int d = sl_hex_digit(p[i]);

		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

/* Behind "\u": a character, maybe of two halves. -1: it is none. */
static int32_t take_unicode(struct gql_tokens *t)
{
	int32_t c = four_digits(t->p), low;

	if (c < 0 || (c >= 0xdc00 && c < 0xe000))
		return -1;
	t->p += 4;
	if (c < 0xd800 || c >= 0xe000)
		return c;
	low = t->p[0] == '\\' && t->p[1] == 'u' ? four_digits(t->p + 2) : -1;
	if (low < 0xdc00 || low >= 0xe000)
		return -1;
	t->p += 6;
	return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

/* The character that an escape stands for; t->p is behind the backslash. */
static int32_t take_escape(struct gql_tokens *t)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found = *t->p ? strchr(from, *t->p) : NULL;

	if (*t->p == 'u') {
		t->p++;
		return take_unicode(t);
	}
	if (!found)
		return -1;
	t->p++;
	return to[found - from];
}

static struct gql_value text_value(const char *p, const char *end)
{
	return (struct gql_value){.kind = GQL_STRING, .n = (uint32_t)(end - p), .text = p};
}

/* t->p is behind the quote that opens. */
static int take_string(struct gql_tokens *t, struct gql_value *ret)
{
	char *out = t->p, *begin = t->p;

	while (*t->p != '"') {
		char *at = t->p;
		int32_t c;

		if (t->p >= t->end || *t->p == '\n' || *t->p == '\r')
			return gql_wrong(t, begin, "A text does not end on its line");
		if (*t->p != '\\') {
			*out++ = *t->p++;
			continue;
		}
		t->p++;
		c = take_escape(t);
		if (c < 0)
			return gql_wrong(t, at, "An escape that no text may have");
		out = put_utf8(out, (uint32_t)c);
	}
	t->p++;
	*out = 0;
	*ret = text_value(begin, out);
	return 0;
}

/* Spaces and tabs in front of the line at @p. */
static size_t indent_of(const char *p, const char *end)
{
	const char *q = p;

	while (q < end && (*q == ' ' || *q == '\t'))
		q++;
	return (size_t)(q - p);
}

static const char *line_end(const char *p, const char *end)
{
	const char *found = memchr(p, '\n', (size_t)(end - p));

	return found ? found : end;
}

static bool is_blank(const char *p, const char *end)
{
	const char *e = line_end(p, end);

	return p + indent_of(p, e) == e || (e > p && p + indent_of(p, e) == e - 1 && e[-1] == '\r');
}

/* What all lines but the first begin with. */
static size_t common_indent(const char *p, const char *end)
{
	size_t common = SIZE_MAX;

	for (p = line_end(p, end); p < end; p = line_end(p, end)) {
		p++;
		if (!is_blank(p, end))
			common = sl_min(common, indent_of(p, line_end(p, end)));
	}
	return common == SIZE_MAX ? 0 : common;
}

/* Blank lines at both ends and what all lines are indented by are not of the text. */
static struct gql_value block_value(char *p, char *end)
{
	size_t indent = common_indent(p, end);
	char *out = p, *begin = p, *filled = p;
	bool first = true, started = false;

	while (p <= end) {
		char *e = (char *)line_end(p, end);
		bool blank = is_blank(p, e);
		size_t cut = first ? 0 : sl_min(indent, indent_of(p, e));

		if (started || !blank) {
			if (started)
				*out++ = '\n';
			memmove(out, p + cut, (size_t)(e - p) - cut);
			out += (size_t)(e - p) - cut;
			started = true;
		}
		if (!blank)
			filled = out;
		first = false;
		p = e + 1;
	}
	*filled = 0;
	return text_value(begin, filled);
}

/* t->p is behind the three quotes that open. */
static int take_block(struct gql_tokens *t, struct gql_value *ret)
{
	char *begin = t->p, *out = t->p;

	while (t->end - t->p < 3 || memcmp(t->p, "\"\"\"", 3)) {
		if (t->p >= t->end)
			return gql_wrong(t, begin, "A block of text does not end");
		if (t->end - t->p >= 4 && !memcmp(t->p, "\\\"\"\"", 4)) {
			memcpy(out, "\"\"\"", 3);
			out += 3;
			t->p += 4;
			continue;
		}
		*out++ = *t->p++;
	}
	t->p += 3;
	*ret = block_value(begin, out);
	return 0;
}

int gql_take_text(struct gql_tokens *t, struct gql_value *ret)
{
	if (t->end - t->p >= 3 && !memcmp(t->p, "\"\"\"", 3)) {
		t->p += 3;
		return take_block(t, ret);
	}
	t->p++;
	return take_string(t, ret);
}

/* ---- numbers ---------------------------------------------------------------------------- */

/* They are written as in JSON. One that no double holds is refused there. */
int gql_take_number(struct gql_tokens *t, struct gql_value *ret)
{
	yyjson_val v;
	yyjson_read_err err;
	const char *end = yyjson_read_number(t->p, &v, YYJSON_READ_NOFLAG, NULL, &err);

	if (!end || gql_is_letter(*end) || gql_is_digit(*end) || *end == '.')
		return gql_wrong(t, t->p, "A number that cannot be read");
	if (yyjson_is_int(&v) && (yyjson_is_sint(&v) || yyjson_get_uint(&v) <= INT64_MAX))
		*ret = (struct gql_value){.kind = GQL_INTEGER, .integer = yyjson_get_sint(&v)};
	else
		*ret = (struct gql_value){.kind = GQL_NUMBER, .number = yyjson_get_num(&v)};
	t->p += end - t->p;
	return 0;
}
