/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bump arena for what a decoded message points at: the caller's memory first, then heap chunks
 * up to a limit that the caller sets. Everything is freed at once.
 *
 *	uint8_t room[4096];
 *	struct sl_bump mem;
 *	sl_bump_init(&mem, room, sizeof(room), 1 << 20);
 *	err = kafka_decode(&kafka_fetch_request_schema, version, p, n, &mem, &req);
 *	...
 *	sl_bump_done(&mem);
 *
 * A message of usual size never leaves the caller's memory, so the hot path allocates nothing.
 */
#ifndef PROTO_KAFKA_BUMP_H
#define PROTO_KAFKA_BUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/util.h>

#define SL_BUMP_ALIGN 8

struct sl_bump_chunk;

struct sl_bump {
	uint8_t *p, *end; /* what is left of the current piece; p is aligned */
	struct sl_bump_chunk *chunks; /* heap pieces, newest first */
	size_t heap_bytes; /* taken from the heap so far */
	size_t heap_bytes_max; /* the caller's limit for that */
	bool refused; /* something, for that limit */
	uint8_t *first, *first_end; /* the caller's piece, for sl_bump_reset() */
};

/**
 * sl_bump_init() - start an arena.
 * @mem: owned by the caller's frame or object; sl_bump_done() frees what it grew by.
 * @room, @bytes: first piece, may be NULL and 0; must outlive the arena.
 * @heap_bytes_max: how much the arena may add from the heap; 0 for nothing.
 */
void sl_bump_init(struct sl_bump *mem, void *room, size_t bytes, size_t heap_bytes_max);

/**
 * sl_bump_done() - free the heap pieces; accepts a zeroed arena. All that was allocated dies.
 */
void sl_bump_done(struct sl_bump *mem);

/**
 * sl_bump_reset() - as done followed by init with the same room and limit.
 */
void sl_bump_reset(struct sl_bump *mem);

/* The way through the heap; use sl_bump_alloc(). */
void *sl_bump_grow(struct sl_bump *mem, size_t bytes);

/**
 * sl_bump_alloc() - @bytes (may be 0) of uninitialised memory, aligned to SL_BUMP_ALIGN.
 *
 * Return: the memory; NULL when the limit or the heap is exhausted.
 */
static inline void *sl_bump_alloc(struct sl_bump *mem, size_t bytes)
{
	size_t want = (bytes + SL_BUMP_ALIGN - 1) & ~(size_t)(SL_BUMP_ALIGN - 1);

	if (sl_unlikely(want < bytes || want > (size_t)(mem->end - mem->p)))
		return sl_bump_grow(mem, bytes);
	mem->p += want;
	return mem->p - want;
}

#endif
