// SPDX-License-Identifier: Apache-2.0
/*
 * GraphQL: a query's text as a tree.
 *
 * Interface: graphql.h. By the grammar of the specification of October 2021, of which definitions
 * of types are left out. A document is read once, from its beginning to its end; variables are
 * replaced as they come. Fragments are found afterwards, for they may stand behind their use.
 * Invariants: no call goes deeper than GQL_DEPTH_MAX; the tree has no circle, and walking it meets
 * at most GQL_SELECTIONS_MAX selections.
 *
 * Order of parts: what is read; tokens; texts; numbers; JSON; values; variables; selections;
 * documents; fragments; calls.
 */
#include "graphql.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- what is read ----------------------------------------------------------------------- */

/* A fragment, @type is what it is on; or an operation. */
struct definition {
	struct http_str name, type;
	struct gql_selection *first;
	struct definition *next;
};

/* The use of a fragment by its name, until it is known. */
struct spread {
	struct gql_selection *selection;
	struct http_str name;
	const char *at;
	struct spread *next;
};

/**
 * struct reading - one document.
 * @begin, @p, @end: its text; *end is 0. @operation: which of its operations is meant.
 * @values, @variables: what the client sent with it, and what the last operation declares.
 */
struct reading {
	struct http_arena *a;
	char *begin, *p, *end;
	struct http_str operation;
	yyjson_val *values;
	struct gql_member *variables;
	uint32_t variables_n;
	struct definition *operations, *fragments;
	struct spread *spreads;
	struct gql_error *error;
};

static int __attribute__((format(printf, 3, 4)))
wrong(struct reading *r, const char *at, const char *fmt, ...)
{
	struct gql_error *e = r->error;
	va_list args;

	va_start(args, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, args);
	va_end(args);
	e->line = e->column = 1;
	for (const char *p = r->begin; p < at; p++) {
		e->column = *p == '\n' ? 1 : e->column + 1;
		e->line += *p == '\n';
	}
	return -EPROTO;
}

static bool str_is(struct http_str s, const char *literal)
{
	return s.n == strlen(literal) && !memcmp(s.p, literal, s.n);
}

static bool str_same(struct http_str a, struct http_str b)
{
	return a.n == b.n && !memcmp(a.p, b.p, a.n);
}

/* ---- tokens ----------------------------------------------------------------------------- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* White space, commas and comments mean nothing. */
static void skip(struct reading *r)
{
	for (;; r->p++) {
		while (*r->p == ' ' || *r->p == ',' || *r->p == '\n' || *r->p == '\t' ||
		       *r->p == '\r')
			r->p++;
		if (*r->p != '#')
			break;
		while (r->p + 1 < r->end && r->p[1] != '\n')
			r->p++;
	}
	if (r->p > r->end)
		r->p = r->end;
}

static int unexpected(struct reading *r, const char *wanted)
{
	if (r->p >= r->end)
		return wrong(r, r->p, "Expected %s, found the end", wanted);
	if ((unsigned char)*r->p < ' ' || (unsigned char)*r->p > '~')
		return wrong(r, r->p, "Expected %s, found the byte 0x%02x", wanted,
			     (unsigned char)*r->p);
	return wrong(r, r->p, "Expected %s, found '%c'", wanted, *r->p);
}

/* Whether @c comes next, which is then taken. */
static bool take(struct reading *r, char c)
{
	skip(r);
	if (*r->p != c || r->p >= r->end)
		return false;
	r->p++;
	return true;
}

static int expect(struct reading *r, char c)
{
	char wanted[4] = {'\'', c, '\'', 0};

	return take(r, c) ? 0 : unexpected(r, wanted);
}

static int take_name(struct reading *r, struct http_str *ret_name)
{
	skip(r);
	if (!is_letter(*r->p))
		return unexpected(r, "a name");
	ret_name->p = r->p;
	while (is_letter(*r->p) || is_digit(*r->p))
		r->p++;
	ret_name->n = (size_t)(r->p - ret_name->p);
	return 0;
}

static bool take_dots(struct reading *r)
{
	skip(r);
	if (r->end - r->p < 3 || memcmp(r->p, "...", 3))
		return false;
	r->p += 3;
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
static int32_t take_unicode(struct reading *r)
{
	int32_t c = four_digits(r->p), low;

	if (c < 0 || (c >= 0xdc00 && c < 0xe000))
		return -1;
	r->p += 4;
	if (c < 0xd800 || c >= 0xe000)
		return c;
	low = r->p[0] == '\\' && r->p[1] == 'u' ? four_digits(r->p + 2) : -1;
	if (low < 0xdc00 || low >= 0xe000)
		return -1;
	r->p += 6;
	return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

/* The character that an escape stands for; r->p is behind the backslash. */
static int32_t take_escape(struct reading *r)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found = *r->p ? strchr(from, *r->p) : NULL;

	if (*r->p == 'u') {
		r->p++;
		return take_unicode(r);
	}
	if (!found)
		return -1;
	r->p++;
	return to[found - from];
}

static int text_value(struct reading *r, const char *p, const char *end, struct gql_value *ret)
{
	*ret = (struct gql_value){.kind = GQL_STRING, .n = (uint32_t)(end - p), .text = p};
	return 0;
}

/* r->p is behind the quote that opens. */
static int take_string(struct reading *r, struct gql_value *ret)
{
	char *out = r->p, *begin = r->p;

	while (*r->p != '"') {
		char *at = r->p;
		int32_t c;

		if (r->p >= r->end || *r->p == '\n' || *r->p == '\r')
			return wrong(r, begin, "A text does not end on its line");
		if (*r->p != '\\') {
			*out++ = *r->p++;
			continue;
		}
		r->p++;
		c = take_escape(r);
		if (c < 0)
			return wrong(r, at, "An escape that no text may have");
		out = put_utf8(out, (uint32_t)c);
	}
	r->p++;
	*out = 0;
	return text_value(r, begin, out, ret);
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
static int block_value(struct reading *r, char *p, char *end, struct gql_value *ret)
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
	return text_value(r, begin, filled, ret);
}

/* r->p is behind the three quotes that open. */
static int take_block(struct reading *r, struct gql_value *ret)
{
	char *begin = r->p, *out = r->p;

	while (r->end - r->p < 3 || memcmp(r->p, "\"\"\"", 3)) {
		if (r->p >= r->end)
			return wrong(r, begin, "A block of text does not end");
		if (r->end - r->p >= 4 && !memcmp(r->p, "\\\"\"\"", 4)) {
			memcpy(out, "\"\"\"", 3);
			out += 3;
			r->p += 4;
			continue;
		}
		*out++ = *r->p++;
	}
	r->p += 3;
	return block_value(r, begin, out, ret);
}

static int take_text(struct reading *r, struct gql_value *ret)
{
	if (r->end - r->p >= 3 && !memcmp(r->p, "\"\"\"", 3)) {
		r->p += 3;
		return take_block(r, ret);
	}
	r->p++;
	return take_string(r, ret);
}

/* ---- numbers ---------------------------------------------------------------------------- */

/* They are written as in JSON. One that no double holds is refused there. */
static int take_number(struct reading *r, struct gql_value *ret)
{
	yyjson_val v;
	yyjson_read_err err;
	const char *end = yyjson_read_number(r->p, &v, YYJSON_READ_NOFLAG, NULL, &err);

	if (!end || is_letter(*end) || is_digit(*end) || *end == '.')
		return wrong(r, r->p, "A number that cannot be read");
	if (yyjson_is_int(&v) && (yyjson_is_sint(&v) || yyjson_get_uint(&v) <= INT64_MAX))
		*ret = (struct gql_value){.kind = GQL_INTEGER, .integer = yyjson_get_sint(&v)};
	else
		*ret = (struct gql_value){.kind = GQL_NUMBER, .number = yyjson_get_num(&v)};
	r->p += end - r->p;
	return 0;
}

/* ---- JSON ------------------------------------------------------------------------------- */

static int json_value(struct http_arena *a, yyjson_val *json, uint32_t depth,
		      struct gql_value *ret);

static int json_list(struct http_arena *a, yyjson_val *json, uint32_t depth, struct gql_value *ret)
{
	size_t n = yyjson_arr_size(json);
	struct gql_value *items = http_arena_array(a, struct gql_value, n);
	yyjson_arr_iter iter;
	int err = items ? 0 : -ENOMEM;

	yyjson_arr_iter_init(json, &iter);
	for (size_t i = 0; i < n && !err; i++)
		err = json_value(a, yyjson_arr_iter_next(&iter), depth, &items[i]);
	*ret = (struct gql_value){.kind = GQL_LIST, .n = (uint32_t)n, .items = items};
	return err;
}

static int json_object(struct http_arena *a, yyjson_val *json, uint32_t depth,
		       struct gql_value *ret)
{
	size_t n = yyjson_obj_size(json);
	struct gql_member *members = http_arena_array(a, struct gql_member, n);
	yyjson_obj_iter iter;
	int err = members ? 0 : -ENOMEM;

	yyjson_obj_iter_init(json, &iter);
	for (size_t i = 0; i < n && !err; i++) {
		yyjson_val *name = yyjson_obj_iter_next(&iter);

		members[i].name = (struct http_str){yyjson_get_str(name), yyjson_get_len(name)};
		err = json_value(a, yyjson_obj_iter_get_val(name), depth, &members[i].value);
	}
	*ret = (struct gql_value){.kind = GQL_OBJECT, .n = (uint32_t)n, .members = members};
	return err;
}

static int json_value(struct http_arena *a, yyjson_val *json, uint32_t depth, struct gql_value *ret)
{
	if (depth >= GQL_DEPTH_MAX)
		return -EMSGSIZE;
	if (yyjson_is_arr(json))
		return json_list(a, json, depth + 1, ret);
	if (yyjson_is_obj(json))
		return json_object(a, json, depth + 1, ret);
	*ret = (struct gql_value){.kind = GQL_NULL};
	if (yyjson_is_bool(json))
		*ret = (struct gql_value){.kind = GQL_BOOLEAN, .boolean = yyjson_get_bool(json)};
	else if (yyjson_is_sint(json) ||
		 (yyjson_is_uint(json) && yyjson_get_uint(json) <= INT64_MAX))
		*ret = (struct gql_value){.kind = GQL_INTEGER, .integer = yyjson_get_sint(json)};
	else if (yyjson_is_num(json))
		*ret = (struct gql_value){.kind = GQL_NUMBER, .number = yyjson_get_num(json)};
	else if (yyjson_is_str(json))
		*ret = (struct gql_value){.kind = GQL_STRING,
					  .n = (uint32_t)yyjson_get_len(json),
					  .text = yyjson_get_str(json)};
	return 0;
}

/* ---- values ----------------------------------------------------------------------------- */

static int take_value(struct reading *r, uint32_t depth, struct gql_value *ret);

/* Room for one more of @n things of @size bytes at @p; it doubles. */
static void *room_for(struct http_arena *a, void *p, uint32_t n, size_t size)
{
	enum { FIRST = 8 };
	void *more;

	if (n && (n < FIRST || (n & (n - 1))))
		return p;
	more = http_arena_alloc(a, (n ? 2ul * n : FIRST) * size, 8);
	if (more && n)
		memcpy(more, p, n * size);
	return more;
}

static int take_list(struct reading *r, uint32_t depth, struct gql_value *ret)
{
	struct gql_value *items = NULL;
	uint32_t n = 0;

	while (!take(r, ']')) {
		int err;

		items = room_for(r->a, items, n, sizeof(*items));
		if (!items)
			return -ENOMEM;
		err = take_value(r, depth, &items[n++]);
		if (err)
			return err;
	}
	*ret = (struct gql_value){.kind = GQL_LIST, .n = n, .items = items};
	return 0;
}

/* Names with their values up to @closing: an object, or arguments. */
static int take_members(struct reading *r, char closing, uint32_t depth, struct gql_value *ret)
{
	struct gql_member *members = NULL;
	uint32_t n = 0;

	while (!take(r, closing)) {
		int err;

		members = room_for(r->a, members, n, sizeof(*members));
		if (!members)
			return -ENOMEM;
		err = take_name(r, &members[n].name);
		if (!err)
			err = expect(r, ':');
		if (!err)
			err = take_value(r, depth, &members[n].value);
		if (err)
			return err;
		n++;
	}
	*ret = (struct gql_value){.kind = GQL_OBJECT, .n = n, .members = members};
	return 0;
}

static int take_variable(struct reading *r, struct gql_value *ret)
{
	const char *at = r->p - 1;
	struct http_str name;
	int err = take_name(r, &name);

	if (err)
		return err;
	for (uint32_t i = 0; i < r->variables_n; i++) {
		if (!str_same(r->variables[i].name, name))
			continue;
		*ret = r->variables[i].value;
		return 0;
	}
	return wrong(r, at, "Variable \"$%.*s\" is not defined", (int)sl_min(name.n, (size_t)64),
		     name.p);
}

static int take_word(struct reading *r, struct gql_value *ret)
{
	struct http_str name;
	char *text;
	int err = take_name(r, &name);

	if (err)
		return err;
	*ret = (struct gql_value){.kind = GQL_NULL};
	if (str_is(name, "null"))
		return 0;
	if (str_is(name, "true") || str_is(name, "false")) {
		*ret = (struct gql_value){.kind = GQL_BOOLEAN, .boolean = name.n == 4};
		return 0;
	}
	/* What stands behind it is still to be read: no NUL can be put there. */
	text = http_arena_text(r->a, name.p, name.n);
	*ret = (struct gql_value){.kind = GQL_ENUM, .n = (uint32_t)name.n, .text = text};
	return text ? 0 : -ENOMEM;
}

static int take_value(struct reading *r, uint32_t depth, struct gql_value *ret)
{
	skip(r);
	if (depth >= GQL_DEPTH_MAX)
		return wrong(r, r->p, "Values are more than %d deep", GQL_DEPTH_MAX);
	if (*r->p == '-' || is_digit(*r->p))
		return take_number(r, ret);
	if (*r->p == '"')
		return take_text(r, ret);
	if (take(r, '['))
		return take_list(r, depth + 1, ret);
	if (take(r, '{'))
		return take_members(r, '}', depth + 1, ret);
	if (take(r, '$'))
		return take_variable(r, ret);
	if (is_letter(*r->p))
		return take_word(r, ret);
	return unexpected(r, "a value");
}

/* ---- variables -------------------------------------------------------------------------- */

/* A type is read and not looked at: what takes the value looks at that. */
static int take_type(struct reading *r, bool *ret_wanted)
{
	struct http_str name;
	uint32_t lists = 0;
	int err;

	while (take(r, '[') && lists < GQL_DEPTH_MAX)
		lists++;
	err = take_name(r, &name);
	*ret_wanted = !err && take(r, '!');
	while (!err && lists--) {
		err = expect(r, ']');
		*ret_wanted = !err && take(r, '!');
	}
	return err;
}

/* What the client sent for it, or its default. */
static int value_of(struct reading *r, const char *at, struct gql_member *m, bool wanted)
{
	yyjson_val *sent = yyjson_obj_getn(r->values, m->name.p, m->name.n);
	int err = sent ? json_value(r->a, sent, 0, &m->value) : 0;

	if (err == -EMSGSIZE)
		return wrong(r, at, "A variable's values are more than %d deep", GQL_DEPTH_MAX);
	if (!err && wanted && m->value.kind == GQL_NULL)
		return wrong(r, at, "Variable \"$%.*s\" is required, and has no value",
			     (int)sl_min(m->name.n, (size_t)64), m->name.p);
	return err;
}

static int take_directives(struct reading *r, bool *ret_drop);

/* @meant: it may be the operation that is meant, whose variables must be there. */
static int take_variables(struct reading *r, bool meant)
{
	bool wanted, drop;
	int err = 0;

	r->variables = NULL;
	r->variables_n = 0;
	if (!take(r, '('))
		return 0;
	while (!err && !take(r, ')')) {
		struct gql_member *m;
		const char *at = r->p;

		r->variables = room_for(r->a, r->variables, r->variables_n, sizeof(*m));
		if (!r->variables)
			return -ENOMEM;
		m = &r->variables[r->variables_n];
		*m = (struct gql_member){0};
		err = expect(r, '$');
		err = err ? err : take_name(r, &m->name);
		err = err ? err : expect(r, ':');
		err = err ? err : take_type(r, &wanted);
		if (!err && take(r, '='))
			err = take_value(r, 0, &m->value);
		err = err ? err : take_directives(r, &drop);
		err = err ? err : value_of(r, at, m, wanted && meant);
		r->variables_n++;
	}
	return err;
}

/* ---- selections ------------------------------------------------------------------------- */

static int take_directive(struct reading *r, bool *ret_drop)
{
	const struct gql_value *condition;
	const char *at = r->p;
	struct gql_value args = {.kind = GQL_OBJECT};
	struct http_str name;
	int err = take_name(r, &name);

	if (!err && take(r, '('))
		err = take_members(r, ')', 0, &args);
	if (err)
		return err;
	condition = gql_get(&args, "if");
	if ((!str_is(name, "skip") && !str_is(name, "include")) || !condition ||
	    condition->kind != GQL_BOOLEAN)
		return wrong(r, at, "Directives are @skip(if: ...) and @include(if: ...)");
	*ret_drop |= condition->boolean == str_is(name, "skip");
	return 0;
}

/* @ret_drop: the selection is not meant. */
static int take_directives(struct reading *r, bool *ret_drop)
{
	int err = 0;

	*ret_drop = false;
	while (!err && take(r, '@'))
		err = take_directive(r, ret_drop);
	return err;
}

static int take_selections(struct reading *r, uint32_t depth, struct gql_selection **ret_first);

static int take_field(struct reading *r, uint32_t depth, struct gql_selection *s, bool *ret_drop)
{
	int err = take_name(r, &s->name);

	s->alias = s->name;
	if (!err && take(r, ':'))
		err = take_name(r, &s->name);
	if (!err && take(r, '('))
		err = take_members(r, ')', 0, &s->args);
	if (!err)
		err = take_directives(r, ret_drop);
	if (!err && take(r, '{'))
		err = take_selections(r, depth + 1, (struct gql_selection **)&s->first);
	return err;
}

static int take_spread(struct reading *r, struct gql_selection *s, struct http_str name,
		       const char *at, bool *ret_drop)
{
	struct spread *spread = http_arena_new(r->a, struct spread);

	if (!spread)
		return -ENOMEM;
	*spread = (struct spread){.selection = s, .name = name, .at = at, .next = r->spreads};
	r->spreads = spread;
	return take_directives(r, ret_drop);
}

/* Behind the dots: "on Type {", "{", or the name of a fragment. */
static int take_fragment(struct reading *r, uint32_t depth, struct gql_selection *s, bool *ret_drop)
{
	const char *at = r->p;
	struct http_str name = {0};
	int err = 0;

	s->fragment = true;
	skip(r);
	if (is_letter(*r->p))
		err = take_name(r, &name);
	if (!err && name.n && !str_is(name, "on"))
		return take_spread(r, s, name, at, ret_drop);
	if (!err && name.n)
		err = take_name(r, &s->name);
	if (!err)
		err = take_directives(r, ret_drop);
	if (!err)
		err = expect(r, '{');
	return err ? err : take_selections(r, depth + 1, (struct gql_selection **)&s->first);
}

/* Behind the bracket, up to the one that closes. */
static int take_selections(struct reading *r, uint32_t depth, struct gql_selection **ret_first)
{
	struct gql_selection **last = ret_first;
	bool drop = false;
	int err;

	if (depth >= GQL_DEPTH_MAX)
		return wrong(r, r->p, "Selections are more than %d deep", GQL_DEPTH_MAX);
	*ret_first = NULL;
	do {
		struct gql_selection *s = http_arena_new(r->a, struct gql_selection);

		if (!s)
			return -ENOMEM;
		s->args.kind = GQL_OBJECT;
		err = take_dots(r) ? take_fragment(r, depth, s, &drop)
				   : take_field(r, depth, s, &drop);
		if (err)
			return err;
		if (!drop) {
			*last = s;
			last = (struct gql_selection **)&s->next;
		}
	} while (!take(r, '}'));
	return 0;
}

/* ---- documents -------------------------------------------------------------------------- */

static int define(struct reading *r, struct definition **list, struct http_str name,
		  struct http_str type)
{
	struct definition *d = http_arena_new(r->a, struct definition);
	int err = d ? expect(r, '{') : -ENOMEM;

	if (err)
		return err;
	d->name = name;
	d->type = type;
	d->next = *list;
	*list = d;
	return take_selections(r, 0, &d->first);
}

static int take_fragment_definition(struct reading *r)
{
	struct http_str name, on, type;
	bool drop;
	int err = take_name(r, &name);

	if (!err)
		err = take_name(r, &on);
	if (!err && !str_is(on, "on"))
		return wrong(r, on.p, "Expected 'on' behind a fragment's name");
	if (!err)
		err = take_name(r, &type);
	if (!err)
		err = take_directives(r, &drop);
	if (!err)
		err = define(r, &r->fragments, name, type);
	return err;
}

static int take_operation(struct reading *r)
{
	struct http_str name = {0};
	bool drop;
	int err = 0;

	skip(r);
	if (is_letter(*r->p))
		err = take_name(r, &name);
	if (!err)
		err = take_variables(r, !r->operation.n || str_same(name, r->operation));
	if (!err)
		err = take_directives(r, &drop);
	return err ? err : define(r, &r->operations, name, (struct http_str){0});
}

static int take_definition(struct reading *r)
{
	struct http_str word;
	int err;

	if (*r->p == '{')
		return define(r, &r->operations, (struct http_str){0}, (struct http_str){0});
	err = take_name(r, &word);
	if (err)
		return err;
	if (str_is(word, "query"))
		return take_operation(r);
	if (str_is(word, "fragment"))
		return take_fragment_definition(r);
	if (str_is(word, "mutation") || str_is(word, "subscription"))
		return wrong(r, word.p, "Schema is not configured for %.*ss", (int)word.n, word.p);
	return wrong(r, word.p, "Expected 'query' or 'fragment', found \"%.*s\"",
		     (int)sl_min(word.n, (size_t)64), word.p);
}

static int take_document(struct reading *r)
{
	int err = 0;

	if (r->end - r->p >= 3 && !memcmp(r->p, "\xef\xbb\xbf", 3))
		r->p += 3;
	skip(r);
	while (!err && r->p < r->end) {
		err = take_definition(r);
		skip(r);
	}
	return err;
}

static int find_operation(struct reading *r, struct http_str wanted, struct definition **ret)
{
	struct definition *found = NULL;

	for (struct definition *d = r->operations; d; d = d->next) {
		if (wanted.n && !str_same(d->name, wanted))
			continue;
		if (found)
			return wrong(r, r->begin,
				     "Must provide operation name if query contains "
				     "multiple operations");
		found = d;
	}
	if (!found && wanted.n)
		return wrong(r, r->begin, "Unknown operation named \"%.*s\"",
			     (int)sl_min(wanted.n, (size_t)64), wanted.p);
	*ret = found;
	return found ? 0 : wrong(r, r->begin, "Must provide an operation");
}

/* ---- fragments -------------------------------------------------------------------------- */

static int find_fragments(struct reading *r)
{
	for (struct spread *s = r->spreads; s; s = s->next) {
		const struct definition *d = r->fragments;

		while (d && !str_same(d->name, s->name))
			d = d->next;
		if (!d)
			return wrong(r, s->at, "Unknown fragment \"%.*s\"",
				     (int)sl_min(s->name.n, (size_t)64), s->name.p);
		s->selection->name = d->type;
		s->selection->first = d->first;
	}
	return 0;
}

/* Fragments may stand within themselves, or multiply: this is where that ends. */
static int walk(struct reading *r, const struct gql_selection *s, uint32_t depth, uint32_t *n)
{
	int err = 0;

	if (s && depth >= GQL_DEPTH_MAX)
		return wrong(r, r->begin,
			     "Selections are more than %d deep, their fragments "
			     "included",
			     GQL_DEPTH_MAX);
	for (; s && !err; s = s->next) {
		if (++*n > GQL_SELECTIONS_MAX)
			return wrong(r, r->begin, "More than %d selections", GQL_SELECTIONS_MAX);
		err = walk(r, s->first, depth + 1, n);
	}
	return err;
}

/* ---- calls ------------------------------------------------------------------------------ */

const struct gql_value *gql_get(const struct gql_value *object, const char *name)
{
	for (uint32_t i = object->kind == GQL_OBJECT ? object->n : 0; i--;) {
		const struct gql_member *m = &object->members[i];

		if (str_is(m->name, name))
			return m->value.kind == GQL_NULL ? NULL : &m->value;
	}
	return NULL;
}

int gql_of_json(struct http_arena *a, yyjson_val *json, struct gql_value *ret_value)
{
	return json_value(a, json, 0, ret_value);
}

int gql_parse(struct http_arena *a, char *text, size_t n, struct http_str operation,
	      yyjson_val *variables, const struct gql_selection **ret_first,
	      struct gql_error *ret_error)
{
	struct reading r = {.a = a,
			    .begin = text,
			    .p = text,
			    .end = text + n,
			    .operation = operation,
			    .values = variables,
			    .error = ret_error};
	struct definition *d = NULL;
	uint32_t selections = 0;
	int err;

	SL_ASSERT(!text[n]);
	err = take_document(&r);
	if (!err)
		err = find_operation(&r, operation, &d);
	if (!err)
		err = find_fragments(&r);
	if (!err)
		err = walk(&r, d->first, 0, &selections);
	if (!err)
		*ret_first = d->first;
	return err;
}
