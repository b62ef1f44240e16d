/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A response: status, header fields and a body of parts, from which a reply is made.
 *
 * Order of parts: the response; filling it; sending it in pieces; making the reply; its date.
 */
#ifndef PROTO_HTTP_RESPONSE_H
#define PROTO_HTTP_RESPONSE_H

#include "date.h"
#include "http.h"
#include "request.h"

/* ---- the response ----------------------------------------------------------------------- */

#define HTTP_PARTS_MAX 33
#define HTTP_EXTRA_BYTES 1024
#define HTTP_EXTRA_BYTES_MAX (64 << 10)
#define HTTP_SMALL_BYTES 512

/**
 * struct http_response - filled by a handler, on its fiber's stack.
 * @status: 200 at first. @content_type: a constant, or in the parts' memory; NULL: no
 * body.
 * @parts, @n: the body; the response owns their references. A body that fits @small is sent from
 * there, in one piece with the head.
 * @extra_own: further header lines, each with its CRLF; in @extra_buf once they have outgrown it.
 * @forwarded: another server's: Date and Server are among those lines, or left out.
 * @close: the connection ends with this response.
 * @wrong: it tells of an error, whatever its status.
 */
struct http_response {
	int status;
	const char *content_type;
	bool close, forwarded, wrong;
	uint32_t n;
	struct sl_part parts[HTTP_PARTS_MAX];
	size_t extra_n, small_n;
	struct sl_buf *extra_buf;
	char extra_own[HTTP_EXTRA_BYTES];
	char small[HTTP_SMALL_BYTES];
};

void http_response_init(struct http_response *rs);

static inline const char *http_response_extra(const struct http_response *rs)
{
	return rs->extra_buf ? (const char *)rs->extra_buf->data : rs->extra_own;
}

/* Releases the body and leaves the response as at first. Accepts one that was sent. */
void http_response_done(struct http_response *rs);

/* ---- filling it ------------------------------------------------------------------------- */

/**
 * http_response_field() - add "@name: @value"; Date, Server, Content-Type, Content-Length and
 * Connection are set by themselves. Return: 0; -ENOSPC: beyond 64 KiB; -ENOMEM; -EINVAL if it could
 * break the head.
 */
int http_response_field(struct http_response *rs, const char *name, const char *value);

/* The same for another server's field, which may be Content-Type while rs->content_type is NULL. */
int http_response_field_str(struct http_response *rs, struct http_str name, struct http_str value);

/* The same for many fields of another server, @n bytes of whole lines that were read as such. */
int http_response_lines(struct http_response *rs, const char *lines, size_t n);

/* The body is a copy of @data. Return: 0, -ENOMEM, or -E2BIG (over 16 MiB). */
int http_response_body(struct http_response *rs, const char *content_type, const void *data,
		       size_t n);

/* Drops what was filled in but its fields; the body is {"error": "@text"}. */
void http_response_error(struct http_response *rs, int status, const char *text);

/* ---- sending it in pieces --------------------------------------------------------------- */

#define HTTP_BYTES_UNKNOWN UINT64_MAX

/**
 * http_stream_begin() - the head of @rs leaves now, the body follows by http_stream_send(). For
 * bodies whose length or bytes are not known yet, or of more parts than a response has.
 * @bytes: the body's length, or HTTP_BYTES_UNKNOWN: sent in chunks, or to an HTTP/1.0 client until
 *	the connection ends. @rs has no body of its own, and is not looked at any more.
 * A handler that began and returns before the end, or with an error, has the connection (HTTP/2:
 * the stream) broken off, so that the client sees that the body is cut.
 * Return: 0, or -errno, which each later call repeats: the client is gone, memory.
 */
int http_stream_begin(struct http_request *rq, struct http_response *rs, uint64_t bytes,
		      int64_t deadline);

/**
 * http_stream_send() - the next bytes of the body. Takes the references of @parts in any case.
 * Parks while the client is slower than the handler. To HEAD nothing leaves.
 * Return: 0; -EMSGSIZE: more than was promised; or -errno as above.
 */
int http_stream_send(struct http_request *rq, struct sl_part *parts, uint32_t n, int64_t deadline);

/* The body is whole. Return: 0; -EPROTO: less than was promised; or -errno as above. */
int http_stream_end(struct http_request *rq, int64_t deadline);

/**
 * http_interim() - a response before the response: 103 with @lines, @n bytes of header lines, each
 * with its CRLF, sound as http_response_field_str() checks them. Before anything else is sent; an
 * HTTP/1.0 client, which would not understand, gets nothing. @status: 100 to 199, not 101.
 * Return: 0; -ENOMEM; -ECONNRESET.
 */
int http_interim(struct http_request *rq, int status, const char *lines, size_t n,
		 int64_t deadline);

/* ---- making the reply ------------------------------------------------------------------- */

/**
 * struct http_frame - what a response is wrapped in.
 * @date: as http_date_format() gives it. @head_only: the answer to HEAD.
 * @keep_alive: say so: to an HTTP/1.0 client it is not self-evident.
 * @streamed: the body is sent in pieces, of @bytes bytes if that is known, @chunked or not.
 */
struct http_frame {
	const char *date;
	bool head_only;
	bool keep_alive;
	bool streamed, chunked;
	uint64_t bytes;
};

/* The longest head, but for the handler's fields and type. */
#define HTTP_HEAD_OWN_BYTES 512

/* Room for the head of @rs, at least. */
size_t http_response_head_bytes(const struct http_response *rs);

/* Writes the head, its empty line included. Return: its length. */
size_t http_response_head(const struct http_response *rs, const struct http_frame *frame,
			  uint8_t *ret_head);

/* Statuses whose responses end with their head, whatever was filled in (RFC 9110, 6.4.1). */
static inline bool http_status_ends_head(int status)
{
	return status < 200 || status == 204 || status == 304;
}

/* The body's length, of @rs itself. */
uint64_t http_response_bytes(const struct http_response *rs);

/* Makes the reply; @rs gives its parts away. Return: the reply, or NULL: out of memory. */
struct sl_reply *http_response_reply(struct http_response *rs, const struct http_frame *frame,
				     struct sl_conn *conn);

/* ---- its date --------------------------------------------------------------------------- */

/* This core's date, made once a second. Good until the next call on the core. */
const char *http_server_date(struct http_server *s, uint32_t core);

#endif
