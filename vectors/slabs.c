/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slabs: chunks of one size.
 *
 * Interface: slabs.h. What of a slab is not taken yet was never touched, and takes no memory.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include <sluice/assert.h>
#include <sluice/util.h>

#include "slabs.h"

#define ALIGN ((size_t)64)
#define LARGE_PAGE ((size_t)2 << 20)
#define SMALL_UNTIL ((uint64_t)4 << 20)

void sl_slabs_init(struct sl_slabs *slabs, size_t chunk_bytes)
{
	SL_ASSERT(chunk_bytes && chunk_bytes % ALIGN == 0);
	SL_ASSERT(!slabs->n);
	slabs->chunk_bytes = chunk_bytes;
}

/* A block that sl_slabs_done() frees. */
static void *block_new(struct sl_slabs *slabs, size_t align, size_t bytes)
{
	void **blocks = realloc(slabs->blocks, (slabs->n + 1) * sizeof(*blocks));
	void *block;

	if (!blocks)
		return NULL;
	slabs->blocks = blocks;
	block = aligned_alloc(align, bytes);
	if (block)
		blocks[slabs->n++] = block;
	return block;
}

static int slab_new(struct sl_slabs *slabs)
{
	size_t bytes = sl_round_up(sl_max(SL_SLAB_BYTES, slabs->chunk_bytes), LARGE_PAGE);
	uint8_t *slab = block_new(slabs, LARGE_PAGE, bytes);

	if (!slab)
		return -1;
	/* small ones do, if the kernel has no large ones */
	madvise(slab, bytes, MADV_HUGEPAGE);
	slabs->at = slab;
	slabs->left = bytes;
	return 0;
}

void *sl_slabs_take(struct sl_slabs *slabs)
{
	size_t bytes = slabs->chunk_bytes;
	void *chunk;

	SL_ASSERT(bytes);
	if (slabs->taken + bytes <= SMALL_UNTIL) {
		chunk = block_new(slabs, ALIGN, bytes);
		slabs->taken += chunk ? bytes : 0;
		return chunk;
	}
	if (slabs->left < bytes && slab_new(slabs))
		return NULL;
	chunk = slabs->at;
	slabs->at += bytes;
	slabs->left -= bytes;
	slabs->taken += bytes;
	return chunk;
}

void sl_slabs_done(struct sl_slabs *slabs)
{
	for (uint32_t i = 0; i < slabs->n; i++)
		free(slabs->blocks[i]);
	free(slabs->blocks);
	*slabs = (struct sl_slabs){0};
}
