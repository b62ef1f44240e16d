/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A core's buffer memory: addresses reserved once, taken into use and registered as needed.
 *
 * Interface: sl_arena_*() of uring.h. Invariant: chunk i lies at base + i × SL_ARENA_CHUNK_BYTES
 * and, when registered, is registered buffer i of the core's ring.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "uring_pvt.h"

int sl_arena_init(struct sl_arena *a, uint64_t bytes_max)
{
	uint64_t bytes = sl_round_up(bytes_max, SL_ARENA_CHUNK_BYTES);
	void *base;

	*a = (struct sl_arena){.bytes_max = bytes,
			       .chunks_max = (uint32_t)(bytes / SL_ARENA_CHUNK_BYTES)};
	a->registered = calloc((a->chunks_max + 63) / 64, sizeof(uint64_t));
	if (!a->registered)
		return -ENOMEM;
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED) {
		free(a->registered);
		a->registered = NULL;
		return -ENOMEM;
	}
	/* Whole huge pages would make a chunk's first kilobyte cost 2 MiB of resident memory. */
	madvise(base, bytes, MADV_NOHUGEPAGE);
	a->base = base;
	return 0;
}

void sl_arena_done(struct sl_arena *a)
{
	if (a->base)
		munmap(a->base, a->bytes_max);
	free(a->registered);
	memset(a, 0, sizeof(*a));
}

void *sl_arena_grow(struct sl_arena *a)
{
	if (a->chunks == a->chunks_max)
		return NULL;
	return a->base + SL_ARENA_CHUNK_BYTES * a->chunks++;
}

static bool is_registered(const struct sl_arena *a, uint32_t chunk)
{
	return a->registered[chunk / 64] >> chunk % 64 & 1;
}

static uint32_t chunk_of(const struct sl_arena *a, const void *p)
{
	uint64_t at = (uint64_t)((const uint8_t *)p - a->base);

	SL_ASSERT(at < a->bytes_max);
	return (uint32_t)(at / SL_ARENA_CHUNK_BYTES);
}

void sl_arena_trim(struct sl_arena *a, void *p, size_t len)
{
	uint8_t *at = p, *end = at + len;

	SL_ASSERT(at >= a->base && end <= a->base + a->bytes_max);
	while (at < end) {
		uint32_t chunk = chunk_of(a, at);
		uint8_t *next = a->base + SL_ARENA_CHUNK_BYTES * (chunk + UINT64_C(1));

		/* The ring reads into the pages that were there when they were registered. */
		if (!is_registered(a, chunk))
			madvise(at, (size_t)(sl_min(next, end) - at), MADV_DONTNEED);
		at = next;
	}
}

int sl_arena_register(struct sl_arena *a, struct sl_ring *ring, const void *p)
{
	uint32_t chunk = chunk_of(a, p);
	struct iovec iov;
	int err;

	SL_ASSERT(chunk < a->chunks);
	if (is_registered(a, chunk))
		return (int)chunk;
	if (chunk >= ring->buffers)
		return -EOPNOTSUPP;
	iov = (struct iovec){a->base + chunk * SL_ARENA_CHUNK_BYTES, SL_ARENA_CHUNK_BYTES};
	err = io_uring_register_buffers_update_tag(&ring->uring, chunk, &iov, NULL, 1);
	if (err < 0)
		return err;
	a->registered[chunk / 64] |= UINT64_C(1) << chunk % 64;
	return (int)chunk;
}
