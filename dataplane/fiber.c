/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fibers: stacks, switching, parking, wait queues, mutexes, and operations that park.
 *
 * Interface: fiber.h, and fibers_*() for the core loop. Invariants: a fiber runs on the core that
 * started it and never elsewhere; it is on exactly one list while it does not run (ready, a wait
 * queue, or none while parked alone); its stack goes back only after its function returned, and
 * that cannot happen while an operation that lies on it is in flight, since sl_await() waits for
 * the completion whatever the deadline.
 *
 * Order of parts: stacks; switching; starting and ending; parking; wait queues; operations.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "core_pvt.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define FIBER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#endif
#endif

#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

void fiber_switch(void **save_sp, void *to_sp);
void fiber_boot(void);

/* ---- stacks ----------------------------------------------------------------------------- */

/* Stacks are mapped several at a time; @per_slab of each class. */
static const struct {
	size_t bytes;
	uint32_t per_slab;
	uint32_t keep; /* so many free stacks keep their pages */
} stack_classes[SL_STACK_LAST] = {
	[SL_STACK_SMALL] = {64 << 10, 16, 1024},
	[SL_STACK_LARGE] = {2 << 20, 2, 4},
};

/* First bytes of a slab's lowest stack lie above its guard page; the header is kept outside. */
struct slab {
	struct sl_list node;
	void *mem;
	size_t bytes;
};

enum { GUARD_BYTES = 4096 };

static int guard(void *page)
{
	if (!madvise(page, GUARD_BYTES, MADV_GUARD_INSTALL))
		return 0;
	return mprotect(page, GUARD_BYTES, PROT_NONE);
}

static int grow(struct fibers *f, enum sl_stack class)
{
	size_t bytes = stack_classes[class].bytes;
	uint32_t n = stack_classes[class].per_slab;
	struct slab *slab = malloc(sizeof(*slab));
	uint8_t *mem;

	if (!slab)
		return -ENOMEM;
	mem = mmap(NULL, bytes * n, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (mem == MAP_FAILED)
		goto out_slab;
	madvise(mem, bytes * n, MADV_NOHUGEPAGE);
	for (uint32_t i = 0; i < n; i++)
		if (guard(mem + i * bytes))
			goto out_map;
	for (uint32_t i = 0; i < n; i++) {
		struct sl_fiber *fiber = (struct sl_fiber *)(mem + (i + 1) * bytes) - 1;

		fiber->stack = class;
		fiber->state = FIBER_FREE;
		sl_list_append(&f->bare[class], &fiber->node);
	}
	*slab = (struct slab){.mem = mem, .bytes = bytes * n};
	sl_list_push(&f->slabs, &slab->node);
	return 0;
out_map:
	munmap(mem, bytes * n);
out_slab:
	free(slab);
	return -ENOMEM;
}

static uint8_t *stack_low(struct sl_fiber *fiber)
{
	return (uint8_t *)(fiber + 1) - stack_classes[fiber->stack].bytes + GUARD_BYTES;
}

void fibers_init(struct fibers *f)
{
	memset(f, 0, sizeof(*f));
	sl_list_init(&f->ready);
	sl_list_init(&f->slabs);
	for (int i = 0; i < SL_STACK_LAST; i++) {
		sl_list_init(&f->free[i]);
		sl_list_init(&f->bare[i]);
	}
}

void fibers_done(struct fibers *f)
{
	struct sl_list *n;

	SL_ASSERT(f->count == 0);
	while ((n = sl_list_pop(&f->slabs))) {
		struct slab *slab = sl_list_entry(n, struct slab, node);

#ifdef FIBER_ASAN
		__asan_unpoison_memory_region(slab->mem, slab->bytes);
#endif
		munmap(slab->mem, slab->bytes);
		free(slab);
	}
}

/* ---- switching -------------------------------------------------------------------------- */

static void switch_to(struct context *from, struct context *to, bool from_ends)
{
#ifdef FIBER_ASAN
	__sanitizer_start_switch_fiber(from_ends ? NULL : &from->fake_stack, to->stack_low,
				       to->stack_bytes);
#endif
#ifdef FIBER_TSAN
	__tsan_switch_to_fiber(to->tsan, 0);
#endif
	(void)from_ends;
	fiber_switch(&from->sp, to->sp);
#ifdef FIBER_ASAN
	__sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
}

static void leave(struct sl_fiber *fiber)
{
	switch_to(&fiber->context, &fiber->core->fibers.loop, false);
}

/* The first function on a fiber's stack. */
static void fiber_main(void *arg)
{
	struct sl_fiber *fiber = arg;

#ifdef FIBER_ASAN
	const void *low;
	size_t bytes;

	__sanitizer_finish_switch_fiber(NULL, &low, &bytes);
	if (!fiber->core->fibers.loop.stack_low) {
		fiber->core->fibers.loop.stack_low = low;
		fiber->core->fibers.loop.stack_bytes = bytes;
	}
#endif
	fiber->fn(fiber->arg);
	fiber->state = FIBER_FREE;
	switch_to(&fiber->context, &fiber->core->fibers.loop, true);
	__builtin_unreachable();
}

/* ---- starting and ending ---------------------------------------------------------------- */

static void prepare_stack(struct sl_fiber *fiber)
{
	uintptr_t top = sl_round_down((uintptr_t)fiber, 16);
	void **sp;

#if defined(__x86_64__)
	/* As fiber_switch() pops them: r15 r14 r13 r12 rbx rbp, and the return address; behind
	 * these the stack must be 16-byte aligned for fiber_boot's call. */
	sp = (void **)top - 9;
	memset(sp, 0, 9 * sizeof(*sp));
	sp[0] = (void *)fiber_main;
	sp[1] = fiber;
	sp[6] = (void *)fiber_boot;
#elif defined(__aarch64__)
	sp = (void **)top - 20;
	memset(sp, 0, 20 * sizeof(*sp));
	sp[0] = (void *)fiber_main;
	sp[1] = fiber;
	sp[11] = (void *)fiber_boot;
#endif
	fiber->context.sp = sp;
	fiber->context.stack_low = stack_low(fiber);
	fiber->context.stack_bytes = (size_t)((uint8_t *)fiber - stack_low(fiber));
}

static void deadline_passed(struct sl_timer *timer)
{
	sl_fiber_wake(sl_container_of(timer, struct sl_fiber, timer), -ETIME);
}

static struct sl_fiber *take_stack(struct fibers *f, enum sl_stack class)
{
	struct sl_list *n = sl_list_pop(&f->free[class]);

	if (n)
		f->free_count[class]--;
	else if (!sl_list_empty(&f->bare[class]) || !grow(f, class))
		n = sl_list_pop(&f->bare[class]);
	return n ? sl_list_entry(n, struct sl_fiber, node) : NULL;
}

int sl_fiber_start(enum sl_stack stack, void (*fn)(void *arg), void *arg)
{
	struct sl_core *core = sl_core_self();
	struct fibers *f = &core->fibers;
	struct sl_fiber *fiber;

	SL_ASSERT(core && stack < SL_STACK_LAST);
	fiber = take_stack(f, stack);
	if (!fiber)
		return -ENOMEM;
	SL_ASSERT(fiber->state == FIBER_FREE && fiber->stack == stack);
	f->count++;
	fiber->fn = fn;
	fiber->arg = arg;
	fiber->state = FIBER_NEW;
	sl_list_append(&f->ready, &fiber->node);
	return 0;
}

/* What was not used for longest gives its pages back: what is used again and again keeps them. */
static void trim(struct fibers *f, enum sl_stack class)
{
	struct sl_fiber *fiber = sl_list_entry(f->free[class].prev, struct sl_fiber, node);
	uint8_t *low = stack_low(fiber);

	/* The page with the struct itself stays. */
	madvise(low, sl_round_down((uint64_t)((uint8_t *)fiber - low), 4096), MADV_DONTNEED);
	sl_list_remove(&fiber->node);
	sl_list_push(&f->bare[class], &fiber->node);
	f->free_count[class]--;
}

static void keep_stack(struct fibers *f, struct sl_fiber *fiber)
{
	sl_list_push(&f->free[fiber->stack], &fiber->node);
	if (++f->free_count[fiber->stack] > stack_classes[fiber->stack].keep)
		trim(f, fiber->stack);
}

static void give_back(struct fibers *f, struct sl_fiber *fiber)
{
	SL_ASSERT(!fiber->timer.slot);
#ifdef FIBER_ASAN
	__asan_unpoison_memory_region(stack_low(fiber),
				      (size_t)((uint8_t *)fiber - stack_low(fiber)));
#endif
#ifdef FIBER_TSAN
	__tsan_destroy_fiber(fiber->context.tsan);
#endif
	f->count--;
	f->hot = fiber;
	keep_stack(f, fiber);
}

/*
 * @fiber runs for the first time: where another one has just ended, if there is such a stack, for
 * that is in the processor's cache. So what is started in one turn and does not park shares one
 * stack. Return: where it is from now on.
 */
static struct sl_fiber *begin(struct sl_core *core, struct sl_fiber *fiber)
{
	struct fibers *f = &core->fibers;
	struct sl_fiber *hot = f->hot;

	if (hot && hot->stack == fiber->stack && f->free[hot->stack].next == &hot->node) {
		hot->fn = fiber->fn;
		hot->arg = fiber->arg;
		sl_list_remove(&hot->node);
		f->free_count[hot->stack]--;
		fiber->state = FIBER_FREE;
		keep_stack(f, fiber);
		fiber = hot;
	}
	f->hot = NULL;
	fiber->core = core;
	sl_timer_init(&fiber->timer, deadline_passed);
	prepare_stack(fiber);
#ifdef FIBER_TSAN
	fiber->context.tsan = __tsan_create_fiber(0);
#endif
	return fiber;
}

int fibers_run(struct sl_core *core)
{
	struct fibers *f = &core->fibers;
	struct sl_list batch;
	struct sl_list *n;
	int ran = 0;

#ifdef FIBER_TSAN
	f->loop.tsan = __tsan_get_current_fiber();
#endif
	sl_list_init(&batch);
	sl_list_splice(&batch, &f->ready);
	while ((n = sl_list_pop(&batch))) {
		struct sl_fiber *fiber = sl_list_entry(n, struct sl_fiber, node);

		if (fiber->state == FIBER_NEW)
			fiber = begin(core, fiber);
		else
			SL_ASSERT(fiber->state == FIBER_READY || fiber->state == FIBER_WOKEN);
		SL_ASSERT(fiber->core == core);
		fiber->state = FIBER_RUNNING;
		f->running = fiber;
		switch_to(&f->loop, &fiber->context, false);
		f->running = NULL;
		if (fiber->state == FIBER_FREE)
			give_back(f, fiber);
		ran++;
	}
	return ran;
}

/* ---- parking ---------------------------------------------------------------------------- */

struct sl_fiber *sl_fiber_self(void)
{
	struct sl_core *core = sl_core_self();

	return core ? core->fibers.running : NULL;
}

/* The running fiber, or a thread that takes turns. */
static struct sl_fiber *who_may_park(void)
{
	return sl_core_self() ? sl_fiber_self() : turns_self();
}

static struct sl_fiber *must_be_fiber(void)
{
	struct sl_fiber *fiber = who_may_park();

	SL_ASSERT(fiber && fiber->state == FIBER_RUNNING);
	return fiber;
}

bool sl_may_park(void)
{
	return who_may_park();
}

void sl_fiber_yield(int64_t deadline)
{
	struct sl_fiber *fiber = who_may_park();

	(void)deadline;
	if (!fiber)
		return;
	if (fiber->is_thread) {
		turns_yield();
		return;
	}
	fiber->state = FIBER_READY;
	sl_list_append(&fiber->core->fibers.ready, &fiber->node);
	leave(fiber);
}

int sl_fiber_park(int64_t deadline)
{
	struct sl_fiber *fiber = must_be_fiber();

	if (fiber->is_thread)
		return turns_park(fiber, deadline);
	fiber->state = FIBER_PARKED;
	/* Without memory for the timer the wait could become endless: say that time is up. */
	if (deadline != SL_NEVER && sl_timer_set(&fiber->timer, deadline))
		sl_fiber_wake(fiber, -ETIME);
	leave(fiber);
	SL_ASSERT(!fiber->timer.slot);
	return fiber->wake_res;
}

void sl_fiber_wake(struct sl_fiber *fiber, int res)
{
	if (fiber->is_thread) {
		turns_wake(fiber, res);
		return;
	}
	SL_ON_CORE(fiber->core);
	if (fiber->state == FIBER_WOKEN)
		return;
	SL_ASSERT(fiber->state == FIBER_PARKED);
	sl_timer_clear(&fiber->timer);
	sl_list_remove(&fiber->node); /* from the wait queue, if it is on one */
	fiber->wake_res = res;
	fiber->state = FIBER_WOKEN;
	sl_list_append(&fiber->core->fibers.ready, &fiber->node);
}

void sl_sleep(int64_t deadline)
{
	if (who_may_park()) {
		sl_fiber_park(deadline);
		return;
	}
	while (sl_clock_ns() < deadline) {
		struct timespec ts = {0, 1000000};

		nanosleep(&ts, NULL);
	}
}

/* ---- wait queues and mutexes ------------------------------------------------------------ */

int sl_waitq_wait(struct sl_waitq *q, int64_t deadline)
{
	sl_list_append(&q->waiters, &must_be_fiber()->node);
	return sl_fiber_park(deadline);
}

int sl_waitq_wake_one(struct sl_waitq *q, int res)
{
	if (sl_list_empty(&q->waiters))
		return 0;
	sl_fiber_wake(sl_list_entry(q->waiters.next, struct sl_fiber, node), res);
	return 1;
}

int sl_waitq_wake_all(struct sl_waitq *q, int res)
{
	int n = 0;

	while (sl_waitq_wake_one(q, res))
		n++;
	return n;
}

int sl_mutex_lock(struct sl_mutex *m, int64_t deadline)
{
	if (!m->held) {
		m->held = true;
		return 0;
	}
	return sl_waitq_wait(&m->waiters, deadline);
}

void sl_mutex_unlock(struct sl_mutex *m)
{
	SL_ASSERT(m->held);
	/* Handed over to the first waiter, so that it cannot starve. */
	if (!sl_waitq_wake_one(&m->waiters, 0))
		m->held = false;
}

/* ---- operations ------------------------------------------------------------------------- */

struct waiter {
	struct sl_fiber *fiber;
	int left;
	bool parked;
};

static void await_done(struct sl_io *io)
{
	struct waiter *w = io->arg;

	SL_ASSERT(!io->more && w->left > 0);
	if (--w->left == 0 && w->parked)
		sl_fiber_wake(w->fiber, 0);
}

/* Parks until all of @w came, cancelling @ios at @deadline. Return: whether time ran out. */
static bool wait_for(struct waiter *w, struct sl_io *const *ios, int n, int64_t deadline)
{
	bool late = false;

	while (w->left) {
		w->parked = true;
		late |= sl_fiber_park(late ? SL_NEVER : deadline) == -ETIME;
		w->parked = false;
		for (int i = 0; late && i < n; i++)
			if (ios[i]->inflight)
				sl_ring_cancel(w->fiber->core->ring, ios[i]);
	}
	return late;
}

/* On a plain thread, one after the other. */
static void await_now(struct sl_io *const *ios, int n)
{
	sl_turns_pause();
	for (int i = 0; i < n; i++)
		sl_io_now(ios[i]);
	sl_turns_resume();
}

void sl_await_all(struct sl_io *const *ios, int n, int64_t deadline)
{
	struct sl_fiber *fiber = sl_fiber_self();
	struct waiter w = {.fiber = fiber, .left = n};
	bool late;

	if (!fiber) {
		await_now(ios, n);
		return;
	}
	for (int i = 0; i < n; i++) {
		int err;

		ios[i]->done = await_done;
		ios[i]->arg = &w;
		while ((err = sl_ring_start(fiber->core->ring, ios[i])) == -EBUSY)
			sl_fiber_yield(deadline);
		if (err) {
			ios[i]->res = err;
			w.left--;
		}
	}
	late = wait_for(&w, ios, n, deadline);
	for (int i = 0; late && i < n; i++)
		if (ios[i]->res == -ECANCELED || ios[i]->res == -EINTR)
			ios[i]->res = -ETIME;
}

int sl_await(struct sl_io *io, int64_t deadline)
{
	sl_await_all(&io, 1, deadline);
	return io->res;
}
