/* SPDX-License-Identifier: Apache-2.0 */
/* Dates as HTTP writes them (RFC 9110, section 5.6.7). */
#ifndef PROTO_HTTP_DATE_H
#define PROTO_HTTP_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "request.h"

/* "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL. */
#define HTTP_DATE_BYTES 30

/* The years 1970 to 9999, in seconds since 1970. */
static inline bool http_date_can(int64_t unix_s)
{
	return unix_s >= 0 && unix_s < INT64_C(253402300800);
}

/* @unix_s: http_date_can() be written. */
void http_date_format(int64_t unix_s, char *ret_date);

/**
 * http_date_parse() - @s in any of the three forms that HTTP knows, in *ret_unix_s.
 * Return: 0; -EINVAL: it is none of them.
 */
int http_date_parse(struct http_str s, int64_t *ret_unix_s);

#endif
