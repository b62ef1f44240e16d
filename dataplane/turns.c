/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that take turns: plain threads, without a core, in code that is written for fibers.
 *
 * Interface: the last part of fiber.h, and turns_*() for fiber.c. A thread in its turn is to that
 * code what a running fiber is: nobody else runs until it parks or waits for an operation. What it
 * parks on is the same (a wait queue, a mutex), so that threads wake each other as fibers do.
 *
 * Invariants: state that belongs to the turns is touched by the holder of the lock alone; a thread
 * has at most one turn, and is on at most one list while it is parked.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "core_pvt.h"

/* @waiting: threads that want the lock, atomic. @turns: how often it was got, set with the lock. */
struct sl_turns {
	pthread_mutex_t lock;
	uint32_t waiting;
	uint64_t turns;
};

/* @in: whose turn the thread has; also while it is parked or waits for an operation. */
struct turn {
	struct sl_fiber fiber;
	struct sl_turns *in;
	pthread_cond_t woken;
};

static __thread struct turn this_turn = {.woken = PTHREAD_COND_INITIALIZER};

int sl_turns_new(struct sl_turns **ret_turns)
{
	struct sl_turns *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	pthread_mutex_init(&t->lock, NULL);
	*ret_turns = t;
	return 0;
}

void sl_turns_free(struct sl_turns *t)
{
	if (!t)
		return;
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static void lock(struct sl_turns *t)
{
	if (pthread_mutex_trylock(&t->lock)) {
		__atomic_add_fetch(&t->waiting, 1, __ATOMIC_RELAXED);
		pthread_mutex_lock(&t->lock);
		__atomic_sub_fetch(&t->waiting, 1, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&t->turns, t->turns + 1, __ATOMIC_RELAXED);
}

void sl_turns_enter(struct sl_turns *t)
{
	struct turn *me = &this_turn;

	SL_ASSERT(!me->in && !sl_core_self());
	lock(t);
	me->in = t;
	me->fiber.is_thread = true;
	me->fiber.state = FIBER_RUNNING;
	sl_list_init(&me->fiber.node);
}

void sl_turns_leave(struct sl_turns *t)
{
	SL_ASSERT(this_turn.in == t);
	this_turn.in = NULL;
	pthread_mutex_unlock(&t->lock);
}

struct sl_fiber *turns_self(void)
{
	return this_turn.in ? &this_turn.fiber : NULL;
}

void sl_turns_pause(void)
{
	if (this_turn.in)
		pthread_mutex_unlock(&this_turn.in->lock);
}

void sl_turns_resume(void)
{
	if (this_turn.in)
		lock(this_turn.in);
}

/* Whoever unlocks a mutex and locks it at once mostly gets it again, before those who wait. */
void turns_yield(void)
{
	struct sl_turns *t = this_turn.in;
	uint64_t turns = __atomic_load_n(&t->turns, __ATOMIC_RELAXED);

	if (!__atomic_load_n(&t->waiting, __ATOMIC_RELAXED))
		return;
	pthread_mutex_unlock(&t->lock);
	while (__atomic_load_n(&t->waiting, __ATOMIC_RELAXED) &&
	       __atomic_load_n(&t->turns, __ATOMIC_RELAXED) == turns)
		sched_yield();
	lock(t);
}

static int wait_until(struct turn *me, int64_t deadline)
{
	struct timespec at = {.tv_sec = deadline / SL_SEC, .tv_nsec = deadline % SL_SEC};

	if (deadline == SL_NEVER)
		return pthread_cond_wait(&me->woken, &me->in->lock);
	return pthread_cond_clockwait(&me->woken, &me->in->lock, CLOCK_MONOTONIC, &at);
}

int turns_park(struct sl_fiber *fiber, int64_t deadline)
{
	struct turn *me = sl_container_of(fiber, struct turn, fiber);

	fiber->state = FIBER_PARKED;
	while (fiber->state == FIBER_PARKED) {
		if (wait_until(me, deadline) == ETIMEDOUT && fiber->state == FIBER_PARKED)
			turns_wake(fiber, -ETIME);
	}
	fiber->state = FIBER_RUNNING;
	return fiber->wake_res;
}

void turns_wake(struct sl_fiber *fiber, int res)
{
	struct turn *it = sl_container_of(fiber, struct turn, fiber);

	SL_ASSERT(it->in && it->in == this_turn.in);
	if (fiber->state == FIBER_WOKEN)
		return;
	SL_ASSERT(fiber->state == FIBER_PARKED);
	sl_list_remove(&fiber->node);
	fiber->wake_res = res;
	fiber->state = FIBER_WOKEN;
	pthread_cond_signal(&it->woken);
}
