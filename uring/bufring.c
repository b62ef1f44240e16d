/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Provided buffers: a ring of equal buffers from which the kernel picks for receives.
 *
 * Interface: sl_bufring_*() of uring.h. Invariant: each buffer is either in the kernel's ring or
 * counted in `out`; returning one that is not out is caught by the count.
 */
#include <errno.h>
#include <sys/mman.h>

#include "uring_pvt.h"

int sl_bufring_init(struct sl_bufring *b, struct sl_ring *ring, uint16_t group, uint32_t count,
		    uint32_t bytes)
{
	size_t len = (size_t)count * bytes;
	void *mem;
	int err;

	SL_ASSERT(count && (count & (count - 1)) == 0 && count <= 32768);
	mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		return -ENOMEM;
	madvise(mem, len, MADV_NOHUGEPAGE);
	*b = (struct sl_bufring){.ring = ring, .mem = mem, .count = count, .bytes = bytes,
				 .group = group};
	b->br = io_uring_setup_buf_ring(&ring->uring, count, group, 0, &err);
	if (!b->br) {
		munmap(mem, len);
		b->mem = NULL;
		return err;
	}
	b->out = count;
	for (uint32_t i = 0; i < count; i++)
		sl_bufring_return(b, (uint16_t)i);
	return 0;
}

void sl_bufring_done(struct sl_bufring *b)
{
	if (!b->mem)
		return;
	io_uring_free_buf_ring(&b->ring->uring, b->br, b->count, b->group);
	munmap(b->mem, (size_t)b->count * b->bytes);
	b->mem = NULL;
}

void sl_bufring_taken(struct sl_bufring *b, uint16_t id)
{
	SL_ASSERT(id < b->count && b->out < b->count);
	b->out++;
}

void sl_bufring_return(struct sl_bufring *b, uint16_t id)
{
	SL_ASSERT(b->out > 0);
	b->out--;
	io_uring_buf_ring_add(b->br, sl_bufring_mem(b, id), b->bytes, id,
			      io_uring_buf_ring_mask(b->count), 0);
	io_uring_buf_ring_advance(b->br, 1);
}
