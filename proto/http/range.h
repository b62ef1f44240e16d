/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of bytes that a request asks for (RFC 9110, section 14). */
#ifndef PROTO_HTTP_RANGE_H
#define PROTO_HTTP_RANGE_H

#include "request.h"

/* More in one request are not worth their parts' heads. */
#define HTTP_RANGES_MAX 16

struct http_range {
	uint64_t off, len;
};

/**
 * http_range_parse() - the ranges of @value, a Range field, in a file of @bytes bytes.
 * @ret_ranges: HTTP_RANGES_MAX, each not empty and within the file, in the order asked for.
 * Return: how many; 0: to be ignored, for it is malformed, of another unit, asks for too many, or
 *	   for more than the whole; -ERANGE: none of them lies in the file.
 */
int http_range_parse(struct http_str value, uint64_t bytes, struct http_range *ret_ranges);

#endif
