/* SPDX-License-Identifier: Apache-2.0 */
/* Where a request's head ends, found as its bytes come; what its characters may stand in. */
#ifndef PROTO_HTTP_HEAD_H
#define PROTO_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "errmap.h"

/**
 * struct http_scan - how far a head was looked at; zeroed at its start.
 * @at: bytes looked at; @line: where the line that they end in begins.
 * @begin: where the request line begins, behind the empty lines that may precede it.
 * @begun: the request line has come. @refusal: why the head is refused.
 */
struct http_scan {
	uint32_t at, line, begin;
	bool begun;
	enum http_refusal refusal;
};

/**
 * http_head_scan() - look for the end of the head in [@p, @p + @have), of which the first s->at
 * bytes were looked at by earlier calls. @max: the longest head, empty lines before it included.
 * Return: the head's length; 0 while more bytes are wanted; -EPROTO when no more bytes can mend
 *	   it, with s->refusal set.
 */
ssize_t http_head_scan(struct http_scan *s, const uint8_t *p, size_t have, size_t max);

/* What a character may stand in, in http_chars[]. A line's end stands in none. */
enum {
	HTTP_CHAR_TOKEN = 1,  /* a method, a field's name (RFC 9110, section 5.6.2) */
	HTTP_CHAR_VALUE = 2,  /* a field's value, blanks at its ends included */
	HTTP_CHAR_TARGET = 4, /* a request's target */
	HTTP_CHAR_HOST = 8,   /* a host and its port: no separator of hosts, users and paths */
};

extern const uint8_t http_chars[256];

static inline bool http_is_token(uint8_t c)
{
	return http_chars[c] & HTTP_CHAR_TOKEN;
}

#endif
