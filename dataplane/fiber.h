/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fibers: stackful coroutines of one core, leased per request, and what they wait for.
 *
 * A call whose last argument is `int64_t deadline` may park the calling fiber; no other call
 * does. Outside a fiber (a plain thread, an offline tool) such a call blocks the thread where
 * that makes sense, and asserts where it does not (waiting for another fiber), unless the thread
 * takes turns with others: then it waits for these, as one fiber for another.
 *
 * Order of parts: fibers; wait queues and mutexes; operations; threads that take turns.
 */
#ifndef DATAPLANE_FIBER_H
#define DATAPLANE_FIBER_H

#include "uring/uring.h"

/* ---- fibers ----------------------------------------------------------------------------- */

struct sl_fiber;

enum sl_stack {
	SL_STACK_SMALL, /* 64 KiB: protocols and stores */
	SL_STACK_LARGE, /* 2 MiB: SQLite, parsers that recurse */
	SL_STACK_LAST
};

/**
 * sl_fiber_start() - run @fn(@arg) in a fiber of this core, from the core's next turn on.
 * The fiber and its stack are given back when @fn returns. To be called on a core's thread.
 * Return: 0 or -ENOMEM.
 */
int sl_fiber_start(enum sl_stack stack, void (*fn)(void *arg), void *arg);

/* The running fiber, or NULL outside fibers. */
struct sl_fiber *sl_fiber_self(void);

/* Whether there may be others to wait for: in a fiber, or on a thread in its turn. */
bool sl_may_park(void);

/* Lets the other fibers and the ring, or threads, have their turn; to be called by long
 * computations. */
void sl_fiber_yield(int64_t deadline);

/**
 * sl_fiber_park() - stop until sl_fiber_wake() or @deadline.
 * Wake-ups are not counted: one that comes before the fiber parks is lost, so the waker must know
 * the fiber to be parked (it left itself on a list before). Return: the value of the wake-up, or
 * -ETIME.
 */
int sl_fiber_park(int64_t deadline);

/**
 * sl_fiber_wake() - make a parked fiber of this core runnable; its sl_fiber_park() returns @res.
 * Of several wake-ups before it runs (a deadline and what it waited for may fall into one turn)
 * the first one counts.
 */
void sl_fiber_wake(struct sl_fiber *fiber, int res);

/* Parks until @deadline. */
void sl_sleep(int64_t deadline);

/* ---- wait queues and mutexes ------------------------------------------------------------ */

/* Fibers of one core that wait for the same thing, in the order in which they came. */
struct sl_waitq {
	struct sl_list waiters;
};

static inline void sl_waitq_init(struct sl_waitq *q)
{
	sl_list_init(&q->waiters);
}

/* Return: the value of the wake-up (0 by convention when the thing happened), or -ETIME. */
int sl_waitq_wait(struct sl_waitq *q, int64_t deadline);

/* Wake the first waiter, or all. Return: how many were woken. */
int sl_waitq_wake_one(struct sl_waitq *q, int res);
int sl_waitq_wake_all(struct sl_waitq *q, int res);

/* Excludes fibers of one core from each other over parking calls; first come, first served. */
struct sl_mutex {
	bool held;
	struct sl_waitq waiters;
};

static inline void sl_mutex_init(struct sl_mutex *m)
{
	m->held = false;
	sl_waitq_init(&m->waiters);
}

/* Return: 0, or -ETIME. Outside fibers and turns the mutex must be free. */
int sl_mutex_lock(struct sl_mutex *m, int64_t deadline);
void sl_mutex_unlock(struct sl_mutex *m);

/* ---- operations ------------------------------------------------------------------------- */

/**
 * sl_await() - perform @io: on a fiber by the core's ring, parking; elsewhere at once, blocking.
 * At @deadline the operation is cancelled, and the fiber still waits for its completion, so that
 * @io may lie on its stack.
 * Return: io->res; -ETIME if the deadline ended it.
 */
int sl_await(struct sl_io *io, int64_t deadline);

/* Begins @n operations together and waits for all; each one's outcome is its res. */
void sl_await_all(struct sl_io *const *ios, int n, int64_t deadline);

/* ---- threads that take turns ------------------------------------------------------------ */

/*
 * Several threads without a core may call what is written for the fibers of one core: one of them
 * runs at a time, and the next whenever it parks, waits for an operation, or leaves. Operations
 * block their thread and know no deadline; parking does.
 */
struct sl_turns;

/* Return: 0 or -ENOMEM. */
int sl_turns_new(struct sl_turns **ret_turns);

/* When no thread is in. Accepts NULL. */
void sl_turns_free(struct sl_turns *turns);

/* Waits for a turn. A thread is in one at a time. */
void sl_turns_enter(struct sl_turns *turns);
void sl_turns_leave(struct sl_turns *turns);

/*
 * Lets others in during what takes long and touches nothing that is shared, as a computation over
 * memory that is held. Nothing at all on a thread that takes no turns.
 */
void sl_turns_pause(void);
void sl_turns_resume(void);

#endif
