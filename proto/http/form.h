/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of multipart/form-data (RFC 7578), part by part, as forms and clients send files. Of a
 * part of any length no more than a piece lies in memory.
 */
#ifndef PROTO_HTTP_FORM_H
#define PROTO_HTTP_FORM_H

#include "arena.h"
#include "request.h"

enum { HTTP_FORM_BOUNDARY_MAX = 70, HTTP_FORM_PIECE_BYTES = 64 << 10 };

/**
 * struct http_form - @read: at most @max bytes of the body into @to; 0: its end; -errno.
 * @delimiter: what ends a part. @text: of HTTP_FORM_PIECE_BYTES, of which [@at, @n) were read and
 * are not used up. @ended: there are no more parts.
 */
struct http_form {
	ssize_t (*read)(void *arg, void *to, size_t max);
	void *arg;
	char delimiter[4 + HTTP_FORM_BOUNDARY_MAX];
	size_t delimiter_n;
	char *text;
	size_t at, n;
	bool ended;
};

/**
 * http_form_init() - of a body of the Content-Type @type. The other fields are the caller's to set.
 * Return: 0; -EPROTO: it is no form, or has no boundary.
 */
int http_form_init(struct http_form *f, struct http_str type);

/**
 * http_form_next() - go on to the next part, past what is left of this one.
 * @ret_name: good until the next call of either function; empty: it has none.
 * Return: 1; 0: there are no more; -EPROTO: it is no such body; or what read() failed with.
 */
int http_form_next(struct http_form *f, struct http_str *ret_name);

/**
 * http_form_read() - the next bytes of the part.
 * @ret_data: good until the next call of either function.
 * Return: how many; 0: its end; -EPROTO: the body ends within it; or what read() failed with.
 */
ssize_t http_form_read(struct http_form *f, const char **ret_data);

#endif
