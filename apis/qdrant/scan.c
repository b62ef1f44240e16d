// SPDX-License-Identifier: Apache-2.0
/*
 * Long bodies, value by value.
 *
 * Interface: scan.h. Structure is looked at here as far as it lies between the values, which
 * yyjson parses one by one. Positions in errors are those of the text as it was sent.
 */
#include "scan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Refilled at once, so much stays in the processor's cache. */
enum { WINDOW_BYTES = 256 << 10 };

int qd_scan_body(struct qd_scan *s, struct qd_call *c)
{
	s->c = c;
	return http_window_body(&s->w, c->rq, &c->arena, WINDOW_BYTES,
				HTTP_ARENA_PIECE_MAX - YYJSON_PADDING_SIZE, c->deadline);
}

void qd_scan_text(struct qd_scan *s, struct qd_call *c, char *text, size_t n)
{
	s->c = c;
	http_window_text(&s->w, text, n);
}

/* ---- between values --------------------------------------------------------------------- */

int qd_scan_peek(struct qd_scan *s)
{
	return http_window_peek(&s->w);
}

static int unexpected(struct qd_scan *s, const char *wanted)
{
	return qd_format_error(s->c, "expected %s at byte %llu", wanted,
			       (unsigned long long)(s->w.before + s->w.at));
}

int qd_scan_take(struct qd_scan *s, const char *any)
{
	int c = qd_scan_peek(s);
	char wanted[32] = "";

	if (c < 0)
		return c;
	if (c && c != HTTP_WINDOW_NUL && strchr(any, c)) {
		s->w.at++;
		return c;
	}
	for (size_t i = 0; any[i]; i++) {
		size_t n = strlen(wanted);

		snprintf(wanted + n, sizeof(wanted) - n, "%s'%c'", i ? " or " : "", any[i]);
	}
	return unexpected(s, wanted);
}

int qd_scan_end(struct qd_scan *s)
{
	int c = qd_scan_peek(s);

	return c > 0 ? unexpected(s, "the end") : c;
}

int qd_scan_item(struct qd_scan *s, bool *first)
{
	int c = qd_scan_peek(s);

	if (c < 0)
		return c;
	if (*first && c == ']') {
		s->w.at++;
		return 0;
	}
	if (!*first) {
		c = qd_scan_take(s, ",]");
		if (c < 0 || c == ']')
			return c < 0 ? c : 0;
	}
	*first = false;
	return 1;
}

/* A name is taken as it is written, but must be one. */
static int read_name(struct qd_scan *s, char *ret_name, size_t size)
{
	yyjson_val *v;
	char *text;
	size_t n, kept;
	int err = qd_scan_keep(s, &text, &n);

	if (err)
		return err;
	kept = sl_min(n - 2, size - 1);
	memcpy(ret_name, text + 1, kept);
	ret_name[kept] = '\0';
	return qd_scan_parse(s, &s->c->arena, text, n, &v);
}

int qd_scan_member(struct qd_scan *s, bool *first, char *ret_name, size_t size)
{
	int c = *first ? qd_scan_take(s, "\"}") : qd_scan_take(s, ",}");
	int err;

	if (c < 0 || c == '}')
		return c < 0 ? c : 0;
	if (*first)
		s->w.at--;
	*first = false;
	c = qd_scan_peek(s);
	if (c < 0)
		return c;
	if (c != '"')
		return unexpected(s, "a name");
	err = read_name(s, ret_name, size);
	if (err)
		return err;
	c = qd_scan_take(s, ":");
	return c < 0 ? c : 1;
}

/* ---- values ----------------------------------------------------------------------------- */

int qd_scan_value(struct qd_scan *s, char **ret_text, size_t *ret_n)
{
	int found = http_window_value(&s->w, ret_text, ret_n);

	if (found < 0)
		return found == -ENOBUFS ? -EMSGSIZE : found;
	if (!found) {
		s->w.at = s->w.n;
		return unexpected(s, "the end of a value");
	}
	return *ret_n ? 0 : unexpected(s, "a value");
}

int qd_scan_keep(struct qd_scan *s, char **ret_text, size_t *ret_n)
{
	char *text, *copy;
	int err = qd_scan_value(s, &text, ret_n);

	if (err)
		return err;
	if (*ret_n + YYJSON_PADDING_SIZE > HTTP_ARENA_PIECE_MAX)
		return -EMSGSIZE;
	copy = http_arena_alloc(&s->c->arena, *ret_n + YYJSON_PADDING_SIZE, 16);
	if (!copy)
		return -ENOMEM;
	*ret_text = memcpy(copy, text, *ret_n);
	return 0;
}

int qd_scan_parse(struct qd_scan *s, struct http_arena *a, char *text, size_t n, yyjson_val **ret)
{
	struct http_json_error error;
	int err = http_json_parse(a, text, n, ret, &error);

	if (err == -EPROTO)
		return qd_format_error(s->c, "%s at byte %llu", error.text,
				       (unsigned long long)(s->w.before + s->w.at - n + error.at));
	return err;
}
