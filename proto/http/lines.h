/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header fields as text: "Name: value" and CRLF, one line behind the other, as they stand on the
 * wire. So does the proxy keep the fields of a message: to send them is to copy them.
 */
#ifndef PROTO_HTTP_LINES_H
#define PROTO_HTTP_LINES_H

#include <string.h>

#include "request.h"

struct http_lines {
	const char *p;
	size_t n;
};

/* @text: the whole line, its CRLF included. */
struct http_line {
	struct http_str name, value, text;
};

static inline struct http_lines http_lines_of(const struct sl_text *t)
{
	return (struct http_lines){t->data, t->len};
}

/* Adds @s, its letters as small ones. */
void http_put_small_letters(struct sl_text *t, struct http_str s);

/* Takes the first line off @l. Return: whether there was one; what is none ends the text. */
bool http_lines_next(struct http_lines *l, struct http_line *ret_line);

/* The first field of this name (any case). Return: whether there is one. */
bool http_lines_find(struct http_lines l, const char *name, struct http_str *ret_value);

/* Adds "@name: @value"; neither may have CR or LF. */
void http_lines_put(struct sl_text *t, struct http_str name, struct http_str value);

/* The same of strings. */
void http_lines_put_string(struct sl_text *t, const char *name, const char *value);

/* Whether both are the same but for the case of letters. */
bool http_str_same(struct http_str a, struct http_str b);

/* [@p, @end) without the blanks at its ends. */
struct http_str http_trimmed(const char *p, const char *end);

/*
 * Takes the first element, trimmed, off a list that commas separate; a comma within a quoted
 * string separates nothing. Empty elements are left out. Return: whether there was one.
 */
bool http_list_next(struct http_str *list, struct http_str *ret_element);

/* Whether @element (any case) is one of the list's. */
bool http_list_has(struct http_str list, struct http_str element);

/**
 * http_field_is_hop() - whether the field belongs to one connection and is never passed on.
 * @connection: the values of Connection, as a list, each of which names one more.
 */
bool http_field_is_hop(struct http_str name, struct http_str connection);

/* All values of the fields of this name, as one list, into @ret_list. */
void http_lines_join(struct http_lines l, const char *name, struct sl_text *ret_list);

#endif
