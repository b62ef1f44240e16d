/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON of requests and responses: a body is parsed where it was received, an answer is written
 * without a tree of it.
 *
 * Order of parts: reading; writing; values of objects.
 */
#ifndef PROTO_HTTP_JSON_H
#define PROTO_HTTP_JSON_H

#include <yyjson.h>

#include "arena.h"
#include "request.h"
#include "response.h"
#include "vectors/vectors.h"

/* ---- reading ---------------------------------------------------------------------------- */

/* Why a text is no JSON: in words, and at which byte. */
struct http_json_error {
	const char *text;
	size_t at;
};

/**
 * http_body_text() - the whole body of @rq, in @a, with YYJSON_PADDING_SIZE bytes behind it.
 * @bytes_max: the longest that is taken, below HTTP_ARENA_PIECE_MAX.
 * Return: 0; -EMSGSIZE: longer; -ENOMEM; or what http_body_read() returns.
 */
int http_body_text(struct http_request *rq, struct http_arena *a, size_t bytes_max, char **ret_text,
		   size_t *ret_n, int64_t deadline);

/* For yyjson: what it makes is in @a, and is not freed. */
struct yyjson_alc http_json_alc(struct http_arena *a);

/**
 * http_json_parse() - the tree of the @n bytes at @text, whose strings stay where they are: it is
 * overwritten, but for YYJSON_PADDING_SIZE bytes behind it, which are there and stay what they
 * are. The tree is in @a, and is not freed.
 * Return: 0; -EPROTO with @ret_error; -ENOMEM.
 */
int http_json_parse(struct http_arena *a, char *text, size_t n, yyjson_val **ret_root,
		    struct http_json_error *ret_error);

/**
 * http_json_end() - where the value ends that begins in [@p, @end), by its brackets and quotes
 * alone. Return: NULL: not there.
 */
const char *http_json_end(const char *p, const char *end);

/* ---- writing ---------------------------------------------------------------------------- */

/**
 * struct http_json - an answer on its way into bufs. Commas come by themselves.
 * @bytes: of the @parts, which are full. @err: 0; -ENOMEM; -E2BIG: more than @bytes_max; from then
 * on nothing is written, so that a caller may check once at the end.
 */
struct http_json {
	struct sl_buf *buf;
	uint8_t *p, *end;
	uint32_t n;
	bool comma;
	int err;
	uint64_t bytes, bytes_max;
	struct sl_part parts[HTTP_PARTS_MAX];
};

void http_json_init(struct http_json *j, uint64_t bytes_max);

/* Drops what was written. Accepts one that was sent. */
void http_json_done(struct http_json *j);

/* Makes what was written the body of @rs. Return: 0, or @j->err. */
int http_json_send(struct http_json *j, struct http_response *rs);

/* '{' or '[', and their ends. */
void http_json_open(struct http_json *j, char bracket);
void http_json_close(struct http_json *j, char bracket);

/* The name of a member, whose value follows: a constant without escapes; _n: of any characters. */
void http_json_key(struct http_json *j, const char *name);
void http_json_key_n(struct http_json *j, const char *name, size_t n);

/* Values. @text is UTF-8. What is not finite is null. */
void http_json_text(struct http_json *j, const char *text, size_t n);
void http_json_string(struct http_json *j, const char *text);
void http_json_int(struct http_json *j, int64_t v);
void http_json_uint(struct http_json *j, uint64_t v);
void http_json_bool(struct http_json *j, bool v);
void http_json_null(struct http_json *j);
/* In as few digits as give the same number again. */
void http_json_double(struct http_json *j, double v);
void http_json_float(struct http_json *j, float v);
/* A value that is JSON already. */
void http_json_raw(struct http_json *j, const char *json, size_t n);

/* ---- values of objects ------------------------------------------------------------------ */

/* @form: how a place looks. */
void http_json_value(struct http_json *j, enum sl_object_json form, const struct sl_value *v);
void http_json_uuid(struct http_json *j, const uint8_t *uuid);
void http_json_vector(struct http_json *j, enum sl_vector_type type, const void *data,
		      uint32_t dim);

#endif
