/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions that a request makes: what the client has already (RFC 9110, section 13). */
#ifndef PROTO_HTTP_CONDITION_H
#define PROTO_HTTP_CONDITION_H

#include "request.h"

#define HTTP_CHANGED_UNKNOWN INT64_MIN

/**
 * struct http_validators - of what would be sent.
 * @etag: with its quotes; NULL: there is none. @weak: it stood behind W/.
 * @changed_s: since 1970, or HTTP_CHANGED_UNKNOWN. @guessed: it is when it was sent; no range is
 *	asked for by that.
 */
struct http_validators {
	const char *etag;
	int64_t changed_s;
	bool weak, guessed;
};

/**
 * http_condition_check() - If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since of a
 * GET or HEAD. Return: 0: answer as if there were none; 304; 412.
 */
int http_condition_check(const struct http_request *rq, const struct http_validators *v);

/**
 * http_condition_write() - If-Match, If-Unmodified-Since and If-None-Match of a PUT or DELETE.
 * @v: of what is stored; NULL: nothing is. Return: 0: go on; 412.
 */
int http_condition_write(const struct http_request *rq, const struct http_validators *v);

/* If-Range: whether a Range is still of the same bytes; else all of them are sent. */
bool http_condition_range(const struct http_request *rq, const struct http_validators *v);

#endif
