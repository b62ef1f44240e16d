/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header fields as text.
 *
 * Interface: lines.h. Order of parts: lists; lines; fields of a connection.
 */
#include "lines.h"

#include <string.h>
#include <strings.h>

/* ---- lists ------------------------------------------------------------------------------ */

bool http_str_same(struct http_str a, struct http_str b)
{
	return a.n == b.n && (!a.n || !strncasecmp(a.p, b.p, a.n));
}

struct http_str http_trimmed(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (p < end && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return (struct http_str){p, (size_t)(end - p)};
}

/* Where the element ends that begins at @p: a string that is not closed goes on to the end. */
static const char *element_end(const char *p, const char *end)
{
	bool quoted = false;

	for (; p < end && (quoted || *p != ','); p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (*p == '\\' && quoted && p + 1 < end)
			p++;
	}
	return p;
}

bool http_list_next(struct http_str *list, struct http_str *ret_element)
{
	const char *p = list->p, *end = list->n ? p + list->n : p; /* NULL, if it is empty */

	while (p < end) {
		const char *stop = element_end(p, end);
		struct http_str element = http_trimmed(p, stop);

		p = stop < end ? stop + 1 : end;
		if (!element.n)
			continue;
		*list = (struct http_str){p, (size_t)(end - p)};
		*ret_element = element;
		return true;
	}
	list->n = 0;
	return false;
}

void http_put_small_letters(struct sl_text *t, struct http_str s)
{
	size_t at = t->len;

	sl_text_put(t, s.p, s.n);
	for (; at < t->len; at++)
		if (t->data[at] >= 'A' && t->data[at] <= 'Z')
			t->data[at] |= 0x20;
}

bool http_list_has(struct http_str list, struct http_str element)
{
	struct http_str e;

	while (http_list_next(&list, &e))
		if (http_str_same(e, element))
			return true;
	return false;
}

/* ---- lines ------------------------------------------------------------------------------ */

bool http_lines_next(struct http_lines *l, struct http_line *ret_line)
{
	const char *p = l->p, *end, *colon;

	if (!l->n)
		return false;
	/* No value has a line end within it. */
	end = memchr(p, '\n', l->n);
	if (!end || end == p || *--end != '\r')
		return false;
	colon = memchr(p, ':', (size_t)(end - p));
	if (!colon)
		return false;
	ret_line->name = (struct http_str){p, (size_t)(colon - p)};
	ret_line->value = http_trimmed(colon + 1, end);
	ret_line->text = (struct http_str){p, (size_t)(end + 2 - p)};
	l->n -= ret_line->text.n;
	l->p += ret_line->text.n;
	return true;
}

bool http_lines_find(struct http_lines l, const char *name, struct http_str *ret_value)
{
	struct http_line line;

	while (http_lines_next(&l, &line)) {
		if (!http_str_is(line.name, name))
			continue;
		*ret_value = line.value;
		return true;
	}
	return false;
}

void http_lines_put(struct sl_text *t, struct http_str name, struct http_str value)
{
	sl_text_put(t, name.p, name.n);
	sl_text_put(t, ": ", 2);
	sl_text_put(t, value.p, value.n);
	sl_text_put(t, "\r\n", 2);
}

void http_lines_put_string(struct sl_text *t, const char *name, const char *value)
{
	http_lines_put(t, http_str_of(name), http_str_of(value));
}

void http_lines_join(struct http_lines l, const char *name, struct sl_text *ret_list)
{
	struct http_line line;

	while (http_lines_next(&l, &line)) {
		if (!http_str_is(line.name, name))
			continue;
		if (ret_list->len)
			sl_text_put(ret_list, ", ", 2);
		sl_text_put(ret_list, line.value.p, line.value.n);
	}
}

/* ---- fields of a connection ------------------------------------------------------------- */

bool http_field_is_hop(struct http_str name, struct http_str connection)
{
	static const char *const hop[] = {
		"Connection",
		"Keep-Alive",
		"Proxy-Authenticate",
		"Proxy-Authentication-Info",
		"Proxy-Authorization",
		"Proxy-Connection",
		"TE",
		"Trailer",
		"Transfer-Encoding",
		"Upgrade",
		"HTTP2-Settings",
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(hop); i++)
		if (http_str_is(name, hop[i]))
			return true;
	return http_list_has(connection, name);
}
