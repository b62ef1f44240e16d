/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buffer: memory with a count of references, and slices of it. libsluice(3).
 *
 * A buffer is memory of a pool, of the heap, or a mapped file; whoever holds a reference may read
 * it, and it is gone with the last one. A slice is some of a buffer's bytes and holds a reference
 * of its own, so that it outlives whoever made it. All calls may be made by any thread; who writes
 * into a buffer that others hold has to agree with them.
 *
 * Calls return 0, or a negative errno.
 *
 * Order of parts: pools; buffers; slices.
 */
#ifndef SLUICE_BUFFER_H
#define SLUICE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sl_pool;
struct sl_buffer;

/* ---- pools ------------------------------------------------------------------------------ */

/* A pool has blocks of 1, 4, 16, 64, 256 KiB, 1, 4 and 16 MiB. */
#define SL_POOL_CLASSES 8
#define SL_POOL_BYTES_MIN 1024u
#define SL_POOL_BYTES_MAX (16u << 20)

/**
 * sl_pool_new() - memory that is used again, without asking the system each time.
 * @bytes_max: that its blocks take, those that wait to be used again included; 0: no bound.
 * Return: 0; -ENOMEM.
 */
int sl_pool_new(uint64_t bytes_max, struct sl_pool **ret_pool);

/* Its buffers may outlive it. Accepts NULL. */
void sl_pool_free(struct sl_pool *pool);

/* Gives what waits to be used again back to the system. Return: bytes. */
uint64_t sl_pool_trim(struct sl_pool *pool);

/* Bytes of blocks that are held, and of those that wait. Either may be NULL. */
void sl_pool_stat(struct sl_pool *pool, uint64_t *ret_held_bytes, uint64_t *ret_idle_bytes);

/* ---- buffers ---------------------------------------------------------------------------- */

enum sl_buffer_kind {
	SL_BUFFER_POOL,
	SL_BUFFER_HEAP,
	SL_BUFFER_MAPPED, /* read only */
	SL_BUFFER_KIND_LAST
};

/**
 * sl_buffer_new() - a block of @pool with at least @bytes, aligned to 64 bytes or, from 4 KiB on,
 * to pages; its content is whatever it was. One reference.
 * Return: 0; -EINVAL: @bytes is 0; -E2BIG: above SL_POOL_BYTES_MAX; -ENOBUFS: beyond the pool's
 *	   bound; -ENOMEM.
 */
int sl_buffer_new(struct sl_pool *pool, size_t bytes, struct sl_buffer **ret_buffer);

/* The same of the heap, of exactly @bytes (1 to SIZE_MAX / 2), aligned to 64 bytes. */
int sl_buffer_new_heap(size_t bytes, struct sl_buffer **ret_buffer);

/**
 * sl_buffer_map() - @bytes of the file @fd from @off on, which need not be at a page; they are read
 * when they are first looked at. @fd may be closed. If the file becomes shorter or its disk fails,
 * who reads there gets a SIGBUS.
 * Return: 0; -EINVAL: @bytes is 0; -ERANGE: the file ends before; -errno.
 */
int sl_buffer_map(int fd, uint64_t off, size_t bytes, struct sl_buffer **ret_buffer);

/* One more reference. Return: @buffer. */
struct sl_buffer *sl_buffer_retain(struct sl_buffer *buffer);

/* One less. Accepts NULL. */
void sl_buffer_release(struct sl_buffer *buffer);

/* References at this moment. */
uint32_t sl_buffer_count(const struct sl_buffer *buffer);

enum sl_buffer_kind sl_buffer_kind(const struct sl_buffer *buffer);
size_t sl_buffer_bytes(const struct sl_buffer *buffer); /* a pool's: of the block */
void *sl_buffer_data(struct sl_buffer *buffer);

/* ---- slices ----------------------------------------------------------------------------- */

/* Some of a buffer's bytes, with a reference to it. */
struct sl_buffer_slice {
	struct sl_buffer *buffer;
	const uint8_t *data;
	size_t n;
};

/* Bytes [@off, @off + @n) of @buffer, which is retained. Return: 0; -ERANGE: not all are in it. */
int sl_buffer_slice(struct sl_buffer *buffer, size_t off, size_t n,
		    struct sl_buffer_slice *ret_slice);

/* The same of a slice. */
int sl_buffer_slice_again(const struct sl_buffer_slice *slice, size_t off, size_t n,
			  struct sl_buffer_slice *ret_slice);

/* Releases its reference and empties it. Accepts an empty one. */
void sl_buffer_slice_release(struct sl_buffer_slice *slice);

#ifdef __cplusplus
}
#endif

#endif
