/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bump arena: the part that touches the heap.
 *
 * Invariants: p and end are aligned to SL_BUMP_ALIGN and p <= end; heap_bytes is the sum of the
 * chunks and never exceeds heap_bytes_max.
 */
#include "bump.h"

#include <stdlib.h>

#include <sluice/assert.h>

/* Smallest heap piece, so that many small arrays do not make many pieces. */
#define CHUNK_BYTES_MIN ((size_t)4096)

struct sl_bump_chunk {
	struct sl_bump_chunk *next;
	size_t bytes;
};

_Static_assert(sizeof(struct sl_bump_chunk) % SL_BUMP_ALIGN == 0, "a chunk's data is aligned");

static void use_first(struct sl_bump *mem)
{
	uintptr_t from = sl_round_up((uintptr_t)mem->first, SL_BUMP_ALIGN);
	uintptr_t to = sl_round_down((uintptr_t)mem->first_end, SL_BUMP_ALIGN);

	mem->p = mem->end = NULL;
	if (from < to) {
		mem->p = mem->first + (from - (uintptr_t)mem->first);
		mem->end = mem->p + (to - from);
	}
}

void sl_bump_init(struct sl_bump *mem, void *room, size_t bytes, size_t heap_bytes_max)
{
	SL_ASSERT(room || !bytes);
	*mem = (struct sl_bump){.heap_bytes_max = heap_bytes_max, .first = room};
	if (room)
		mem->first_end = mem->first + bytes;
	use_first(mem);
}

void sl_bump_done(struct sl_bump *mem)
{
	while (mem->chunks) {
		struct sl_bump_chunk *next = mem->chunks->next;

		SL_ASSERT(mem->heap_bytes >= mem->chunks->bytes);
		mem->heap_bytes -= mem->chunks->bytes;
		free(mem->chunks);
		mem->chunks = next;
	}
	SL_ASSERT(mem->heap_bytes == 0);
	mem->p = mem->end = NULL;
}

void sl_bump_reset(struct sl_bump *mem)
{
	sl_bump_done(mem);
	use_first(mem);
}

void *sl_bump_grow(struct sl_bump *mem, size_t bytes)
{
	size_t left = mem->heap_bytes_max - mem->heap_bytes;
	size_t need, take;
	struct sl_bump_chunk *chunk;

	SL_ASSERT(mem->heap_bytes <= mem->heap_bytes_max);
	if (bytes > left || left - bytes < sizeof(*chunk) + SL_BUMP_ALIGN) {
		mem->refused = true;
		return NULL;
	}
	need = sizeof(*chunk) + sl_round_up(bytes, SL_BUMP_ALIGN);
	/* Doubling keeps the number of pieces logarithmic in the limit. */
	take = sl_max(CHUNK_BYTES_MIN, mem->heap_bytes);
	take = sl_max(take, need);
	take = sl_min(take, left) & ~(size_t)(SL_BUMP_ALIGN - 1);
	chunk = malloc(take);
	if (!chunk)
		return NULL;
	chunk->next = mem->chunks;
	chunk->bytes = take;
	mem->chunks = chunk;
	mem->heap_bytes += take;
	mem->p = (uint8_t *)chunk + need;
	mem->end = (uint8_t *)chunk + take;
	SL_ASSERT(mem->p <= mem->end);
	return chunk + 1;
}
