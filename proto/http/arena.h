/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of one request: taken piece by piece, given back as a whole. */
#ifndef PROTO_HTTP_ARENA_H
#define PROTO_HTTP_ARENA_H

#include "dataplane/dataplane.h"

/* The largest piece. */
#define HTTP_ARENA_PIECE_MAX (SL_BUF_BYTES_MAX - 64)

/**
 * struct http_arena - of one fiber; pieces lie in bufs of the core, the newest of which is open.
 * @bytes: of the bufs; at most @bytes_max.
 */
struct http_arena {
	struct sl_buf *newest;
	uint8_t *p, *end;
	uint64_t bytes, bytes_max;
};

static inline void http_arena_init(struct http_arena *a, uint64_t bytes_max)
{
	*a = (struct http_arena){.bytes_max = bytes_max};
}

/* All pieces are gone. Accepts a zeroed arena. */
void http_arena_done(struct http_arena *a);

/* The same, but the newest buf is kept for what comes next. */
void http_arena_clear(struct http_arena *a);

/**
 * http_arena_alloc() - @n bytes (0 too) at a multiple of @align, a power of two up to 64.
 * Return: NULL: more than the arena's bound, than HTTP_ARENA_PIECE_MAX, or than the core has.
 */
void *http_arena_alloc(struct http_arena *a, size_t n, size_t align);

/* Zeroed pieces of a type. */
#define http_arena_new(a, type) ((type *)http_arena_zero(a, 1, sizeof(type)))
#define http_arena_array(a, type, n) ((type *)http_arena_zero(a, n, sizeof(type)))
void *http_arena_zero(struct http_arena *a, size_t n, size_t size);

/* A copy of @n characters with a NUL behind them. Return: NULL as above. */
char *http_arena_text(struct http_arena *a, const char *p, size_t n);

#endif
