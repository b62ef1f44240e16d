/* SPDX-License-Identifier: Apache-2.0 */
/* What is answered when a request cannot be: refusals of the parser, errno of handlers. */
#ifndef PROTO_HTTP_ERRMAP_H
#define PROTO_HTTP_ERRMAP_H

/* Why a head is refused; the connection is closed after the answer, for its framing is unsure. */
enum http_refusal {
	HTTP_REFUSE_NONE,
	HTTP_REFUSE_NOT_HTTP,
	HTTP_REFUSE_REQUEST_LINE,
	HTTP_REFUSE_TARGET,
	HTTP_REFUSE_TARGET_LONG,
	HTTP_REFUSE_HEAD_LONG,
	HTTP_REFUSE_FIELDS_MANY,
	HTTP_REFUSE_FIELD,
	HTTP_REFUSE_BARE_LF,
	HTTP_REFUSE_HOST,
	HTTP_REFUSE_LENGTH,
	HTTP_REFUSE_FRAMING,
	HTTP_REFUSE_CODING,
	HTTP_REFUSE_CODING_UNKNOWN,
	HTTP_REFUSE_METHOD,
	HTTP_REFUSE_VERSION,
	HTTP_REFUSE_EXPECT,
	HTTP_REFUSE_BODY_LONG,
	HTTP_REFUSE_LAST
};

/* A status and a sentence for {"error": "..."}; nothing in it needs escaping. */
struct http_error {
	int status;
	const char *text;
};

const struct http_error *http_refusal_error(enum http_refusal refusal);

/* The answer to a handler's -errno; 500 for those that have no row. */
const struct http_error *http_errno_error(int err);

/* "Not Found"; "Status" for one that has no row. */
const char *http_status_reason(int status);

#endif
