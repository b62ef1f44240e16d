// SPDX-License-Identifier: Apache-2.0
/*
 * Bodies of multipart/form-data.
 *
 * Interface: form.h. The body is taken to begin behind a CRLF, so that its first delimiter is like
 * all others, and what comes before it a part that nobody wants.
 *
 * Order of parts: parameters; reading; parts.
 */
#include "form.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lines.h"

/* ---- parameters ------------------------------------------------------------------------- */

/* Where the parameter ends that begins at @p. */
static const char *parameter_end(const char *p, const char *end)
{
	bool quoted = false;

	for (; p < end && (quoted || *p != ';'); p++)
		quoted ^= *p == '"';
	return p;
}

/* Of "value; name=this; name=\"that\"". Return: whether there is one of that name. */
static bool find_parameter(struct http_str v, const char *name, struct http_str *ret)
{
	size_t n = strlen(name);
	const char *end = v.p + v.n, *p = parameter_end(v.p, end);

	while (p < end) {
		const char *begin = p + 1;

		while (begin < end && (*begin == ' ' || *begin == '\t'))
			begin++;
		p = parameter_end(begin, end);
		if ((size_t)(p - begin) <= n || strncasecmp(begin, name, n) || begin[n] != '=')
			continue;
		*ret = (struct http_str){begin + n + 1, (size_t)(p - begin) - n - 1};
		if (ret->n >= 2 && *ret->p == '"' && ret->p[ret->n - 1] == '"')
			*ret = (struct http_str){ret->p + 1, ret->n - 2};
		return true;
	}
	return false;
}

int http_form_init(struct http_form *f, struct http_str type)
{
	static const char form[] = "multipart/form-data", before[] = "\r\n--";
	struct http_str boundary;

	if (type.n < sizeof(form) - 1 || strncasecmp(type.p, form, sizeof(form) - 1) ||
	    !find_parameter(type, "boundary", &boundary) || !boundary.n ||
	    boundary.n > HTTP_FORM_BOUNDARY_MAX)
		return -EPROTO;
	memcpy(f->delimiter, before, sizeof(before) - 1);
	memcpy(f->delimiter + sizeof(before) - 1, boundary.p, boundary.n);
	f->delimiter_n = sizeof(before) - 1 + boundary.n;
	memcpy(f->text, "\r\n", 2);
	f->at = 0;
	f->n = 2;
	f->ended = false;
	return 0;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* Reads on behind what is held. Return: 0; -EPROTO: the body ends, or there is no room. */
static int fill(struct http_form *f)
{
	ssize_t got;

	memmove(f->text, f->text + f->at, f->n - f->at);
	f->n -= f->at;
	f->at = 0;
	if (f->n == HTTP_FORM_PIECE_BYTES)
		return -EPROTO;
	got = f->read(f->arg, f->text + f->n, HTTP_FORM_PIECE_BYTES - f->n);
	if (got <= 0)
		return got ? (int)got : -EPROTO;
	f->n += (size_t)got;
	return 0;
}

/* Takes what goes up to @end and is followed by it, which is taken too. */
static int take_to(struct http_form *f, const char *end, struct http_str *ret)
{
	size_t end_n = strlen(end);
	const char *found;
	int err = 0;

	while (!(found = memmem(f->text + f->at, f->n - f->at, end, end_n)) && !err)
		err = fill(f);
	if (err)
		return err;
	*ret = (struct http_str){f->text + f->at, (size_t)(found - (f->text + f->at))};
	f->at += ret->n + end_n;
	return 0;
}

/* ---- parts ------------------------------------------------------------------------------ */

ssize_t http_form_read(struct http_form *f, const char **ret_data)
{
	while (true) {
		const char *p = f->text + f->at;
		size_t have = f->n - f->at, n;
		const char *end = memmem(p, have, f->delimiter, f->delimiter_n);
		int err;

		/* Without a delimiter the last bytes may be the beginning of one. */
		n = end ? (size_t)(end - p) : have - sl_min(have, f->delimiter_n - 1);
		if (n || end) {
			*ret_data = p;
			f->at += n;
			return (ssize_t)n;
		}
		err = fill(f);
		if (err)
			return err;
	}
}

/* What is between the lines of a part's head and its bytes; @ret_name: of the field. */
static int take_head(struct http_form *f, struct http_str *ret_name)
{
	struct http_str head = {0}, disposition;
	struct http_lines lines;
	int err;

	/* Its lines are read together with the CRLF before them: there may be none. */
	f->at -= 2;
	err = take_to(f, "\r\n\r\n", &head);
	if (err)
		return err;
	*ret_name = (struct http_str){0};
	/* What was taken is followed by a CRLF, which ends its last line. */
	lines = (struct http_lines){head.p + sl_min(head.n, (size_t)2),
				    head.n > 2 ? head.n : 0};
	if (http_lines_find(lines, "Content-Disposition", &disposition))
		find_parameter(disposition, "name", ret_name);
	return 0;
}

int http_form_next(struct http_form *f, struct http_str *ret_name)
{
	struct http_str rest;
	const char *data;
	ssize_t n;
	int err = 0;

	if (f->ended)
		return 0;
	while ((n = http_form_read(f, &data)) > 0)
		;
	if (n < 0)
		return (int)n;
	f->at += f->delimiter_n;
	while (f->n - f->at < 2 && !err)
		err = fill(f);
	f->ended = !err && !memcmp(f->text + f->at, "--", 2);
	if (f->ended)
		return 0;
	if (!err)
		err = take_to(f, "\r\n", &rest);
	/* Nothing but white space may stand behind it. */
	for (size_t i = 0; !err && i < rest.n; i++)
		err = rest.p[i] == ' ' || rest.p[i] == '\t' ? 0 : -EPROTO;
	if (!err)
		err = take_head(f, ret_name);
	return err ? err : 1;
}
