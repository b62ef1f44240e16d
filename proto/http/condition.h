/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions that a request makes: what the client has already (RFC 9110, section 13). */
#ifndef PROTO_HTTP_CONDITION_H
#define PROTO_HTTP_CONDITION_H

#include "request.h"

/* @etag: with its quotes, strong. @changed_s: since 1970. */
struct http_validators {
	const char *etag;
	int64_t changed_s;
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
