/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One core's ring: set-up down the ladder of flags, submission, the completion loop, wake-ups.
 *
 * Interface: sl_ring_*() of uring.h. Invariants: one owner thread from sl_ring_enable() on; an
 * operation in flight keeps its struct sl_io alive, and a completion whose generation does not
 * match its operation's is a bug that stops the process; done() is only ever called from
 * sl_ring_turn(), so callers are never re-entered.
 *
 * Order of parts: set-up; submission; completion; wake-ups; registered files.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "uring_pvt.h"

/* ---- set-up ----------------------------------------------------------------------------- */

/* Optional set-up flags, dropped from the last to the first while the kernel says -EINVAL. */
static const struct {
	uint32_t flag;
	enum sl_feature feature;
} ladder[] = {
	{IORING_SETUP_R_DISABLED, SL_FEATURE_R_DISABLED},
	{IORING_SETUP_SUBMIT_ALL, SL_FEATURE_SUBMIT_ALL},
	{IORING_SETUP_SINGLE_ISSUER, SL_FEATURE_SINGLE_ISSUER},
	{IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG, SL_FEATURE_DEFER_TASKRUN},
	{IORING_SETUP_NO_SQARRAY, SL_FEATURE_NO_SQARRAY},
};

static int set_up(struct sl_ring *ring, const struct sl_ring_conf *conf)
{
	uint32_t entries = conf->sq_entries ? conf->sq_entries : 256;
	int rungs = (int)SL_ARRAY_SIZE(ladder);
	int err;

	do {
		struct io_uring_params p = {
			.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
			.cq_entries = conf->cq_entries ? conf->cq_entries : 4096,
		};
		for (int i = 0; i < rungs; i++)
			p.flags |= ladder[i].flag;
		err = io_uring_queue_init_params(entries, &ring->uring, &p);
	} while (err == -EINVAL && rungs-- > 0);
	if (err)
		return err;
	for (int i = 0; i < rungs; i++)
		feature_set(ring, ladder[i].feature);
	return 0;
}

static void register_tables(struct sl_ring *ring, const struct sl_ring_conf *conf)
{
	if (conf->files && !io_uring_register_files_sparse(&ring->uring, conf->files)) {
		ring->file_slots = calloc((conf->files + 63) / 64, sizeof(uint64_t));
		if (ring->file_slots) {
			ring->files = conf->files;
			feature_set(ring, SL_FEATURE_SPARSE_FILES);
		}
	}
	if (conf->buffers && !io_uring_register_buffers_sparse(&ring->uring, conf->buffers)) {
		ring->buffers = conf->buffers;
		feature_set(ring, SL_FEATURE_SPARSE_BUFFERS);
	}
}

int sl_ring_new(const struct sl_ring_conf *conf, struct sl_ring **ret_ring, char *why,
		size_t why_len)
{
	struct sl_ring *ring = calloc(1, sizeof(*ring));
	int err;

	if (!ring)
		return -ENOMEM;
	sl_list_init(&ring->ready);
	ring->backend = conf->backend ? conf->backend : sl_backend_kernel();
	ring->wake = conf->wake;
	ring->wake_arg = conf->wake_arg;
	ring->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->event_fd < 0) {
		err = -errno;
		snprintf(why, why_len, "no event descriptor: %s; raise RLIMIT_NOFILE",
			 strerror(-err));
		goto out_free;
	}
	err = set_up(ring, conf);
	if (err) {
		feature_explain(err, why, why_len);
		goto out_event;
	}
	err = feature_probe(ring, why, why_len);
	if (err)
		goto out_ring;
	register_tables(ring, conf);
	*ret_ring = ring;
	return 0;
out_ring:
	io_uring_queue_exit(&ring->uring);
out_event:
	close(ring->event_fd);
out_free:
	free(ring);
	return err;
}

static void event_done(struct sl_io *io);

static void event_arm(struct sl_ring *ring)
{
	sl_io_poll(&ring->event_io, ring->event_fd, POLLIN, 0);
	ring->event_io.done = event_done;
	/* A full queue is flushed by sl_ring_start_kernel(); nothing else can refuse a poll. */
	if (sl_ring_start_kernel(ring, &ring->event_io))
		SL_ASSERT(!"the wake-up event could not be armed");
}

int sl_ring_enable(struct sl_ring *ring)
{
	int err;

	SL_ASSERT(!ring->enabled);
	if (sl_ring_has(ring, SL_FEATURE_R_DISABLED)) {
		err = io_uring_enable_rings(&ring->uring);
		if (err < 0)
			return err;
	}
	if (io_uring_register_ring_fd(&ring->uring) == 1)
		feature_set(ring, SL_FEATURE_REGISTERED_RING);
	ring->enabled = true;
	event_arm(ring);
	return 0;
}

void sl_ring_free(struct sl_ring *ring)
{
	if (!ring)
		return;
	if (ring->enabled) {
		/* The wake-up event is the ring's own and ends with it. */
		SL_ASSERT(ring->inflight == 1);
	}
	SL_ASSERT(sl_list_empty(&ring->ready));
	io_uring_queue_exit(&ring->uring);
	close(ring->event_fd);
	free(ring->file_slots);
	free(ring);
}

/* ---- submission ------------------------------------------------------------------------- */

static struct io_uring_sqe *get_sqe(struct sl_ring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	if (sl_likely(sqe))
		return sqe;
	ring->stats.enters++;
	io_uring_submit(&ring->uring);
	return io_uring_get_sqe(&ring->uring);
}

static void mark_started(struct sl_ring *ring, struct sl_io *io)
{
	SL_ASSERT(!io->inflight);
	io->inflight = true;
	io->gen = ++ring->gen;
	ring->inflight++;
	ring->stats.submits++;
}

/* Fills @sqe with @io. */
static void put(struct sl_ring *ring, struct sl_io *io, struct io_uring_sqe *sqe)
{
	mark_started(ring, io);
	op_table[io->op].prep(sqe, io);
	if (io->options & SL_IO_FIXED_FILE)
		sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)io | (uint64_t)io->gen << 48);
}

int sl_ring_start_kernel(struct sl_ring *ring, struct sl_io *io)
{
	struct io_uring_sqe *sqe = get_sqe(ring);

	if (sl_unlikely(!sqe))
		return -EBUSY;
	put(ring, io, sqe);
	return 0;
}

/* A chain ends where its entries are submitted, so they must fit into the queue together. */
static int chain_by_kernel(struct sl_ring *ring, struct sl_io *ios, int n)
{
	if (io_uring_sq_space_left(&ring->uring) < (unsigned)n) {
		ring->stats.enters++;
		io_uring_submit(&ring->uring);
		if (io_uring_sq_space_left(&ring->uring) < (unsigned)n)
			return -EBUSY;
	}
	for (int i = 0; i < n; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

		put(ring, &ios[i], sqe);
		if (i < n - 1)
			sqe->flags |= IOSQE_IO_LINK;
	}
	return 0;
}

/* Other backends have no links: one after the other, at once. */
static int chain_at_once(struct sl_ring *ring, struct sl_io *ios, int n)
{
	bool broken = false;

	for (int i = 0; i < n; i++) {
		int res = broken ? -ECANCELED : ring->backend->now(ring->backend, &ios[i]);

		ios[i].res = res;
		broken = res < 0 || (uint32_t)res < ios[i].len;
		sl_ring_complete(ring, &ios[i]);
	}
	return 0;
}

int sl_ring_start_chain(struct sl_ring *ring, struct sl_io *ios, int n)
{
	SL_ASSERT(ring->enabled && n > 0 && n <= SL_CHAIN_MAX);
	for (int i = 0; i < n; i++)
		SL_ASSERT(ios[i].done && ring->opcodes >> ios[i].op & 1);
	return ring->backend == sl_backend_kernel() ? chain_by_kernel(ring, ios, n)
						    : chain_at_once(ring, ios, n);
}

int sl_ring_start(struct sl_ring *ring, struct sl_io *io)
{
	SL_ASSERT(ring->enabled && io->done);
	return ring->backend->start(ring->backend, ring, io);
}

void sl_ring_complete(struct sl_ring *ring, struct sl_io *io)
{
	mark_started(ring, io);
	sl_list_append(&ring->ready, &io->node);
}

int sl_ring_cancel(struct sl_ring *ring, struct sl_io *io)
{
	struct io_uring_sqe *sqe;
	struct sl_io cancel;

	if (!io->inflight || !sl_list_empty(&io->node))
		return 0; /* done() is due anyway */
	sqe = get_sqe(ring);
	if (!sqe)
		return -EBUSY;
	sl_io_cancel(&cancel, io);
	op_table[SL_OP_CANCEL].prep(sqe, &cancel);
	io_uring_sqe_set_data64(sqe, UD_NONE);
	return 0;
}

/* ---- completion ------------------------------------------------------------------------- */

static void finish(struct sl_ring *ring, struct sl_io *io, bool more)
{
	ring->stats.completions++;
	io->more = more;
	if (!more) {
		io->inflight = false;
		ring->inflight--;
	}
	io->done(io);
}

static void reap(struct sl_ring *ring, const struct io_uring_cqe *cqe)
{
	uint64_t ud = cqe->user_data;
	struct sl_io *io;

	if (sl_unlikely(ud < UD_BOUND)) {
		if (ud == UD_WAKE && ring->wake)
			ring->wake(ring->wake_arg);
		return;
	}
	io = (struct sl_io *)(uintptr_t)(ud & ((UINT64_C(1) << 48) - 1));
	SL_ASSERT(io->inflight && io->gen == ud >> 48);
	io->res = cqe->res;
	io->notif = cqe->flags & IORING_CQE_F_NOTIF;
	io->has_buffer = cqe->flags & IORING_CQE_F_BUFFER;
	if (io->has_buffer)
		io->buf_group = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
	finish(ring, io, cqe->flags & IORING_CQE_F_MORE);
}

/*
 * What is completed in one turn: a thousand requests that were all begun before the first was
 * answered would have pushed one another's memory out of the cache.
 */
enum { TURN_COMPLETIONS = 32 };

static int reap_some(struct sl_ring *ring)
{
	struct io_uring_cqe *cqe;
	int seen = 0;

	/* One at a time: done() may submit and so flush, but never turns the ring itself. */
	while (seen < TURN_COMPLETIONS && !io_uring_peek_cqe(&ring->uring, &cqe)) {
		struct io_uring_cqe copy = *cqe;

		io_uring_cqe_seen(&ring->uring, cqe);
		reap(ring, &copy);
		seen++;
	}
	return seen;
}

static int reap_ready(struct sl_ring *ring)
{
	struct sl_list batch;
	struct sl_list *n;
	int seen = 0;

	sl_list_init(&batch);
	sl_list_splice(&batch, &ring->ready);
	while ((n = sl_list_pop(&batch))) {
		finish(ring, sl_list_entry(n, struct sl_io, node), false);
		seen++;
	}
	return seen;
}

static int enter(struct sl_ring *ring, int64_t wait_ns)
{
	struct __kernel_timespec ts = {wait_ns / SL_SEC, wait_ns % SL_SEC};
	struct io_uring_cqe *cqe;

	ring->stats.enters++;
	if (wait_ns <= 0)
		return io_uring_submit_and_get_events(&ring->uring);
	return io_uring_submit_and_wait_timeout(&ring->uring, &cqe, 1,
						wait_ns == SL_NEVER ? NULL : &ts, NULL);
}

/* Whether there is a reason to enter the kernel although nothing is waited for. */
static bool must_enter(struct sl_ring *ring)
{
	return io_uring_sq_ready(&ring->uring) ||
	       __atomic_load_n(ring->uring.sq.kflags, __ATOMIC_RELAXED) &
		       (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

int sl_ring_turn(struct sl_ring *ring, int64_t deadline)
{
	bool overflow = io_uring_cq_has_overflow(&ring->uring);
	int64_t wait_ns = 0;
	int err = 0;

	ring->stats.turns++;
	if (sl_list_empty(&ring->ready) && !io_uring_cq_ready(&ring->uring) && deadline > 0)
		wait_ns = deadline == SL_NEVER ? SL_NEVER : deadline - sl_clock_ns();
	if (wait_ns > 0 || must_enter(ring))
		err = enter(ring, wait_ns);
	/* Reaping empties what overflowed into the queue, so that it is to be seen here alone. */
	ring->stats.overflows += overflow || io_uring_cq_has_overflow(&ring->uring);
	if (err < 0 && err != -EINTR && err != -ETIME && err != -EAGAIN && err != -EBUSY)
		return err;
	return reap_ready(ring) + reap_some(ring);
}

/* Tells the processor that the thread does nothing but wait. */
static void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

bool sl_ring_watch(struct sl_ring *ring, int64_t until)
{
	if (io_uring_sq_ready(&ring->uring))
		enter(ring, 0);
	/* What the submission brought, or could not do, is the turn's. */
	while (sl_list_empty(&ring->ready) && !io_uring_cq_ready(&ring->uring) &&
	       !must_enter(ring)) {
		if (sl_clock_ns() >= until)
			return false;
		relax();
	}
	return true;
}

uint32_t sl_ring_inflight(const struct sl_ring *ring)
{
	return ring->inflight - ring->enabled;
}

const struct sl_ring_stats *sl_ring_stats(const struct sl_ring *ring)
{
	return &ring->stats;
}

int sl_ring_fd(const struct sl_ring *ring)
{
	return ring->uring.ring_fd;
}

/* ---- wake-ups --------------------------------------------------------------------------- */

int sl_ring_wake(struct sl_ring *from, const struct sl_ring *to)
{
	struct io_uring_sqe *sqe = get_sqe(from);
	struct sl_io io;

	if (!sqe)
		return -EBUSY;
	sl_io_init(&io, SL_OP_MSG_RING, sl_ring_fd(to));
	io.off = UD_WAKE;
	op_table[SL_OP_MSG_RING].prep(sqe, &io);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	io_uring_sqe_set_data64(sqe, UD_NONE);
	return 0;
}

void sl_ring_wake_from_outside(const struct sl_ring *to)
{
	uint64_t one = 1;

	/* Fails only when the counter is full, and then the owner is awake anyway. */
	if (write(to->event_fd, &one, sizeof(one)) < 0)
		SL_ASSERT(errno == EAGAIN);
}

static void event_done(struct sl_io *io)
{
	struct sl_ring *ring = sl_container_of(io, struct sl_ring, event_io);

	if (read(ring->event_fd, &ring->event_count, sizeof(ring->event_count)) < 0)
		SL_ASSERT(errno == EAGAIN);
	if (ring->wake)
		ring->wake(ring->wake_arg);
	event_arm(ring);
}

/* ---- registered files ------------------------------------------------------------------- */

int sl_ring_file_register(struct sl_ring *ring, int fd)
{
	for (uint32_t w = 0; w < (ring->files + 63) / 64; w++) {
		uint32_t slot;
		int err;

		if (ring->file_slots[w] == UINT64_MAX)
			continue;
		slot = w * 64 + (uint32_t)__builtin_ctzll(~ring->file_slots[w]);
		if (slot >= ring->files)
			break;
		err = io_uring_register_files_update(&ring->uring, slot, &fd, 1);
		if (err < 0)
			return err;
		ring->file_slots[w] |= UINT64_C(1) << slot % 64;
		return (int)slot;
	}
	return -ENFILE;
}

void sl_ring_file_unregister(struct sl_ring *ring, int slot)
{
	int none = -1;

	SL_ASSERT(slot >= 0 && (uint32_t)slot < ring->files);
	SL_ASSERT(ring->file_slots[slot / 64] >> slot % 64 & 1);
	ring->file_slots[slot / 64] &= ~(UINT64_C(1) << slot % 64);
	io_uring_register_files_update(&ring->uring, (uint32_t)slot, &none, 1);
}
