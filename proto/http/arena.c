// SPDX-License-Identifier: Apache-2.0
/*
 * The memory of one request.
 *
 * Interface: arena.h. Each buf begins with a pointer to the one before it. Bufs grow by four, so
 * that a small request costs one kilobyte, and a large one few bufs.
 */
#include "arena.h"

#include <string.h>

/* What a buf begins with, and pieces are aligned to at most. */
enum { HEAD_BYTES = 64 };

/* Releases @buf and those before it. */
static void release(struct sl_buf *buf)
{
	while (buf) {
		struct sl_buf *before;

		memcpy(&before, buf->data, sizeof(before));
		sl_buf_release(buf);
		buf = before;
	}
}

void http_arena_done(struct http_arena *a)
{
	release(a->newest);
	http_arena_init(a, a->bytes_max);
}

void http_arena_clear(struct http_arena *a)
{
	struct sl_buf *before = NULL, *newest = a->newest;

	if (!newest)
		return;
	memcpy(&before, newest->data, sizeof(before));
	release(before);
	memset(newest->data, 0, sizeof(before));
	a->bytes = newest->bytes;
	a->p = newest->data + HEAD_BYTES;
}

/* A new buf with room for @n bytes. */
static bool grow(struct http_arena *a, size_t n)
{
	size_t bytes = sl_min(sl_max(4 * a->bytes, (uint64_t)SL_KIB), (uint64_t)SL_MIB);
	struct sl_buf *buf;

	bytes = sl_max(bytes, n + HEAD_BYTES);
	if (a->bytes + bytes > a->bytes_max)
		bytes = n + HEAD_BYTES;
	if (n > HTTP_ARENA_PIECE_MAX || a->bytes + bytes > a->bytes_max)
		return false;
	buf = sl_buf_new(bytes);
	if (!buf)
		return false;
	memcpy(buf->data, &a->newest, sizeof(a->newest));
	a->newest = buf;
	a->bytes += buf->bytes;
	a->p = buf->data + HEAD_BYTES;
	a->end = buf->data + buf->bytes;
	return true;
}

void *http_arena_alloc(struct http_arena *a, size_t n, size_t align)
{
	uint8_t *p = (uint8_t *)sl_round_up((uintptr_t)a->p, align);

	SL_ASSERT(align && align <= HEAD_BYTES && !(align & (align - 1)));
	if (!a->newest || p > a->end || n > (size_t)(a->end - p)) {
		if (!grow(a, n))
			return NULL;
		p = a->p;
	}
	a->p = p + n;
	return p;
}

void *http_arena_zero(struct http_arena *a, size_t n, size_t size)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	p = http_arena_alloc(a, bytes, 16);
	return p ? memset(p, 0, bytes) : NULL;
}

char *http_arena_text(struct http_arena *a, const char *p, size_t n)
{
	char *copy = http_arena_alloc(a, n + 1, 1);

	if (!copy)
		return NULL;
	memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}
