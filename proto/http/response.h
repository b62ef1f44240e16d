/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A response: status, header fields and a body of parts, from which a reply is made.
 *
 * Order of parts: the response; filling it; sending it; its date.
 */
#ifndef PROTO_HTTP_RESPONSE_H
#define PROTO_HTTP_RESPONSE_H

#include "date.h"
#include "http.h"

/* ---- the response ----------------------------------------------------------------------- */

#define HTTP_PARTS_MAX 33
#define HTTP_EXTRA_BYTES 1024
#define HTTP_SMALL_BYTES 512

/**
 * struct http_response - filled by a handler, on its fiber's stack.
 * @status: 200 at first. @content_type: a constant, or in the parts' memory; NULL: no
 * body.
 * @parts, @n: the body; the response owns their references. A body that fits @small is sent from
 * there, in one piece with the head.
 * @extra: further header lines, each with its CRLF.
 * @close: the connection ends with this response.
 */
struct http_response {
	int status;
	const char *content_type;
	bool close;
	uint32_t n;
	struct sl_part parts[HTTP_PARTS_MAX];
	size_t extra_n, small_n;
	char extra[HTTP_EXTRA_BYTES];
	char small[HTTP_SMALL_BYTES];
};

void http_response_init(struct http_response *rs);

/* Releases the body and leaves the response as at first. Accepts one that was sent. */
void http_response_done(struct http_response *rs);

/* ---- filling it ------------------------------------------------------------------------- */

/**
 * http_response_field() - add "@name: @value"; Date, Server, Content-Type, Content-Length and
 * Connection are set by themselves. Return: 0; -ENOSPC; -EINVAL if it could break the head.
 */
int http_response_field(struct http_response *rs, const char *name, const char *value);

/* The body is a copy of @data. Return: 0, -ENOMEM, or -E2BIG (over 16 MiB). */
int http_response_body(struct http_response *rs, const char *content_type, const void *data,
		       size_t n);

/* Drops what was filled in but its fields; the body is {"error": "@text"}. */
void http_response_error(struct http_response *rs, int status, const char *text);

/* The length of the body. */
uint64_t http_response_bytes(const struct http_response *rs);

/* ---- sending it ------------------------------------------------------------------------- */

/**
 * struct http_frame - what a response is wrapped in.
 * @date: as http_date_format() gives it. @head_only: the answer to HEAD.
 * @keep_alive: say so: to an HTTP/1.0 client it is not self-evident.
 */
struct http_frame {
	const char *date;
	bool head_only;
	bool keep_alive;
};

/* The longest head, and what of it is not the handler's. */
#define HTTP_HEAD_OWN_BYTES 512
#define HTTP_HEAD_BYTES (HTTP_HEAD_OWN_BYTES + HTTP_EXTRA_BYTES)

/*
 * Writes the head, its empty line included. Return: its length, at most HTTP_HEAD_OWN_BYTES more
 * than that of @rs->extra.
 */
size_t http_response_head(const struct http_response *rs, const struct http_frame *frame,
			  uint8_t *ret_head);

/* Makes the reply; @rs gives its parts away. Return: the reply, or NULL: out of memory. */
struct sl_reply *http_response_reply(struct http_response *rs, const struct http_frame *frame,
				     struct sl_conn *conn);

/* ---- its date --------------------------------------------------------------------------- */

/* This core's date, made once a second. Good until the next call on the core. */
const char *http_server_date(struct http_server *s, uint32_t core);

#endif
