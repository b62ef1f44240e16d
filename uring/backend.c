/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's backend, and what each thread performs its operations with.
 *
 * Interface: sl_backend_kernel(), sl_backend_use(), sl_io_now(), clocks and random numbers.
 * Invariant: io->res and the value returned are the same.
 */
#include <errno.h>
#include <time.h>

#include "uring_pvt.h"

static int kernel_now(struct sl_backend *b, struct sl_io *io)
{
	const struct op_row *row = &op_table[io->op];
	int res;

	(void)b;
	SL_ASSERT(row->now);
	do
		res = row->now(io);
	while (res == -EINTR && io->op != SL_OP_CLOSE);
	return io->res = res;
}

static int kernel_start(struct sl_backend *b, struct sl_ring *ring, struct sl_io *io)
{
	(void)b;
	if (sl_likely(ring->opcodes & UINT64_C(1) << io->op))
		return sl_ring_start_kernel(ring, io);
	ring->stats.inline_fallbacks++;
	kernel_now(b, io);
	sl_ring_complete(ring, io);
	return 0;
}

struct sl_backend *sl_backend_kernel(void)
{
	static const struct sl_backend kernel = {"kernel", kernel_now, kernel_start};

	return (struct sl_backend *)&kernel;
}

static __thread struct sl_backend *thread_backend;

static struct sl_backend *self(void)
{
	return thread_backend ? thread_backend : sl_backend_kernel();
}

struct sl_backend *sl_backend_use(struct sl_backend *b)
{
	struct sl_backend *old = self();

	thread_backend = b;
	return old;
}

int sl_io_now(struct sl_io *io)
{
	struct sl_backend *b = self();

	SL_ASSERT(!io->inflight);
	return b->now(b, io);
}

static int64_t clock_of(clockid_t id)
{
	struct timespec ts;
	struct sl_io io;

	/* Read several times in each request. */
	if (sl_likely(self() == sl_backend_kernel())) {
		clock_gettime(id, &ts);
		return ts.tv_sec * SL_SEC + ts.tv_nsec;
	}
	sl_io_init(&io, SL_OP_CLOCK, -1);
	io.flags = (uint32_t)id;
	sl_io_now(&io);
	return (int64_t)io.off;
}

int64_t sl_clock_ns(void)
{
	return clock_of(CLOCK_MONOTONIC);
}

int64_t sl_wall_clock_ns(void)
{
	return clock_of(CLOCK_REALTIME);
}

void sl_random(void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		struct sl_io io;
		int n;

		sl_io_init(&io, SL_OP_RANDOM, -1);
		io.buf = p;
		io.len = (uint32_t)sl_min(len, (size_t)256);
		n = sl_io_now(&io);
		SL_ASSERT(n > 0);
		p += n;
		len -= (size_t)n;
	}
}
