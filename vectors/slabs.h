/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks of one size, of which there may be very many, and which are looked at here and there.
 *
 * The first ones, 4 MiB of them, come one by one, so that what is small stays small. Then they are
 * cut from slabs that ask the kernel for large pages: in small ones nearly each look at a vector
 * costs a walk through page tables as well.
 */
#ifndef VECTORS_SLABS_H
#define VECTORS_SLABS_H

#include <stddef.h>
#include <stdint.h>

/* What a slab is, if no chunk is too large for that. */
#define SL_SLAB_BYTES ((size_t)64 << 20)

/**
 * struct sl_slabs - zeroed, and sl_slabs_init(). @blocks: what is to be freed, @n of them. @taken:
 * bytes of all chunks. @at, @left: of the newest slab.
 */
struct sl_slabs {
	size_t chunk_bytes;
	void **blocks;
	uint32_t n;
	uint64_t taken;
	uint8_t *at;
	size_t left;
};

/* Chunks of @chunk_bytes, a multiple of 64. */
void sl_slabs_init(struct sl_slabs *slabs, size_t chunk_bytes);

/* A chunk, at a multiple of 64, its bytes whatever they are. Return: NULL: out of memory. */
void *sl_slabs_take(struct sl_slabs *slabs);

/* Frees all chunks. */
void sl_slabs_done(struct sl_slabs *slabs);

#endif
