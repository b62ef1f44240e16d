/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long bodies of JSON, value by value: a window of the text, which is refilled as it is used up, so
 * that of a body of any length no more than a window lies in memory.
 */
#ifndef PROTO_HTTP_WINDOW_H
#define PROTO_HTTP_WINDOW_H

#include "arena.h"
#include "request.h"

/* What a zero byte is told as, since that number is the end. */
enum { HTTP_WINDOW_NUL = 0x100 };

/**
 * struct http_window - @text: @n bytes, of which those before @at are used up; room for @room,
 * which may become @room_max, and YYJSON_PADDING_SIZE more. @before: bytes of the text before the
 * window. @live: more of it comes from the request's body. @held: what was read must stay where it
 * is; the caller's to set.
 */
struct http_window {
	struct http_request *rq;
	struct http_arena *arena;
	int64_t deadline;
	char *text;
	size_t room, room_max, n, at;
	uint64_t before;
	bool live, held;
};

/**
 * http_window_body() - of the body of @rq, in @a: of @room bytes, or fewer if the body is short.
 * Values make it grow up to @room_max, below HTTP_ARENA_PIECE_MAX. Return: 0 or -ENOMEM.
 */
int http_window_body(struct http_window *w, struct http_request *rq, struct http_arena *a,
		     size_t room, size_t room_max, int64_t deadline);

/* Of @n bytes of memory, which have YYJSON_PADDING_SIZE behind them. */
void http_window_text(struct http_window *w, char *text, size_t n);

/**
 * http_window_peek() - the next character that is no white space, which stays.
 * Return: 0: the end; -EAGAIN: it is not in what is held; or what http_body_read() returns.
 */
int http_window_peek(struct http_window *w);

/**
 * http_window_value() - the text of the next value, by its brackets and quotes alone; it is used
 * up. Good until the next call, or as long as it is held; may be parsed in place.
 * Return: 1; 0: the text ends before it does; -ENOBUFS: it is longer than @room_max; -ENOMEM; or as
 *	   http_window_peek().
 */
int http_window_value(struct http_window *w, char **ret_text, size_t *ret_n);

#endif
