/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers: a 4-ary heap of each core.
 *
 * Interface: sl_timer_set(), sl_timer_clear(); timers_*() for the core loop. Invariants: a parent
 * is due no later than its children; heap[t->slot] == t for every timer that is set.
 */
#include <errno.h>

#include "core_pvt.h"

enum { ARITY = 4 };

/* Slots count from 1; the children of i are ARITY × (i - 1) + 2 and the three behind it. */
static uint32_t parent_of(uint32_t i)
{
	return (i - 2) / ARITY + 1;
}

static uint32_t first_child_of(uint32_t i)
{
	return ARITY * (i - 1) + 2;
}

static void put(struct timers *t, uint32_t i, struct sl_timer *timer)
{
	t->heap[i] = timer;
	timer->slot = i;
}

static void sift_up(struct timers *t, uint32_t i, struct sl_timer *timer)
{
	while (i > 1 && t->heap[parent_of(i)]->at > timer->at) {
		put(t, i, t->heap[parent_of(i)]);
		i = parent_of(i);
	}
	put(t, i, timer);
}

static void sift_down(struct timers *t, uint32_t i, struct sl_timer *timer)
{
	for (;;) {
		uint32_t child = first_child_of(i);
		uint32_t end = sl_min(child + ARITY, t->n + 1);
		uint32_t least = child;

		if (child > t->n)
			break;
		while (++child < end)
			if (t->heap[child]->at < t->heap[least]->at)
				least = child;
		if (t->heap[least]->at >= timer->at)
			break;
		put(t, i, t->heap[least]);
		i = least;
	}
	put(t, i, timer);
}

static void place(struct timers *t, uint32_t i, struct sl_timer *timer)
{
	if (i > 1 && t->heap[parent_of(i)]->at > timer->at)
		sift_up(t, i, timer);
	else
		sift_down(t, i, timer);
}

static int reserve(struct timers *t)
{
	uint32_t cap = t->cap ? t->cap * 2 : 64;
	struct sl_timer **heap;

	if (t->n + 2 <= t->cap)
		return 0;
	heap = realloc(t->heap, cap * sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	t->heap = heap;
	t->cap = cap;
	return 0;
}

static struct timers *self(void)
{
	struct sl_core *core = sl_core_self();

	SL_ASSERT(core);
	return &core->timers;
}

int sl_timer_set(struct sl_timer *timer, int64_t at)
{
	struct timers *t = self();

	if (at == SL_NEVER) {
		sl_timer_clear(timer);
		return 0;
	}
	if (!timer->slot) {
		if (reserve(t))
			return -ENOMEM;
		timer->at = at;
		sift_up(t, ++t->n, timer);
		return 0;
	}
	SL_ASSERT(t->heap[timer->slot] == timer);
	timer->at = at;
	place(t, timer->slot, timer);
	return 0;
}

void sl_timer_clear(struct sl_timer *timer)
{
	struct timers *t;
	struct sl_timer *last;
	uint32_t slot = timer->slot;

	if (!slot)
		return;
	t = self();
	SL_ASSERT(slot <= t->n && t->heap[slot] == timer);
	timer->slot = 0;
	last = t->heap[t->n--];
	if (last != timer)
		place(t, slot, last);
}

void timers_run(struct timers *t, int64_t now)
{
	while (t->n && t->heap[1]->at <= now) {
		struct sl_timer *timer = t->heap[1];

		sl_timer_clear(timer);
		timer->fn(timer);
	}
}

int64_t timers_next(const struct timers *t)
{
	return t->n ? t->heap[1]->at : SL_NEVER;
}

void timers_done(struct timers *t)
{
	free(t->heap);
	*t = (struct timers){0};
}
