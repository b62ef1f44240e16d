/* SPDX-License-Identifier: Apache-2.0 */
/* Timers: the heap under random changes, order, moving and clearing, also while they fire. */
#include <string.h>

#include "dataplane/core_pvt.h"
#include "dataplane/dataplane.h"
#include "harness.h"

enum { MANY = 10000 };

static int on_core(int (*fn)(void *), void *arg)
{
	return sl_core_run(&(struct sl_cores_conf){.arena_bytes_max = 64 * SL_MIB}, fn, arg);
}

struct alarm {
	struct sl_timer timer;
	int fired;
	int64_t turn;
};

static __thread int64_t last_at, turns;

static void ring(struct sl_timer *timer)
{
	struct alarm *a = sl_container_of(timer, struct alarm, timer);

	EXPECT_EQ(0, timer->slot);
	if (timer->at < last_at)
		EXPECT_LE(last_at, timer->at);
	last_at = timer->at;
	a->fired++;
	a->turn = ++turns;
}

static void check_heap(const struct timers *t)
{
	for (uint32_t i = 1; i <= t->n; i++) {
		ASSERT_EQ(i, t->heap[i]->slot);
		if (i > 1)
			ASSERT_LE(t->heap[(i - 2) / 4 + 1]->at, t->heap[i]->at);
	}
}

static int random_changes(void *arg)
{
	static struct alarm a[MANY];
	struct timers *t = &sl_core_self()->timers;
	int64_t far = sl_now() + 1000 * SL_SEC;
	uint32_t set = 0;

	(void)arg;
	for (int i = 0; i < MANY; i++)
		sl_timer_init(&a[i].timer, ring);
	for (int step = 0; step < 100000; step++) {
		struct alarm *x = &a[harness_random() % MANY];
		bool was = x->timer.slot;

		if (harness_random() % 3) {
			ASSERT_EQ(0, sl_timer_set(&x->timer,
						  far + (int64_t)(harness_random() % 5000)));
			set += !was;
		} else if (harness_random() % 2) {
			sl_timer_clear(&x->timer);
			set -= was;
		} else {
			ASSERT_EQ(0, sl_timer_set(&x->timer, SL_NEVER));
			set -= was;
		}
		ASSERT_EQ(set, t->n);
		if (step % 2000 == 0)
			check_heap(t);
	}
	check_heap(t);
	/* Run them by hand, in steps: each once, in order, those that are due alone. */
	for (int64_t now = far - 1; now < far + 5000; now += 500) {
		timers_run(t, now);
		for (int i = 0; i < MANY; i++)
			ASSERT_FALSE(a[i].timer.slot && a[i].timer.at <= now);
		check_heap(t);
	}
	timers_run(t, far + 5000);
	EXPECT_EQ(0, t->n);
	EXPECT_EQ(SL_NEVER, timers_next(t));
	for (int i = 0; i < MANY; i++)
		ASSERT_LE(a[i].fired, 1);
	EXPECT_EQ(set, turns);
	return 0;
}

TEST(ten_thousand_timers_fire_once_and_in_order)
{
	EXPECT_EQ(0, on_core(random_changes, NULL));
}

static int real_time(void *arg)
{
	static struct alarm a[1000];
	int64_t now = sl_now();

	(void)arg;
	last_at = 0;
	for (int i = 0; i < 1000; i++) {
		sl_timer_init(&a[i].timer, ring);
		ASSERT_EQ(0, sl_timer_set(&a[i].timer,
					  now + (int64_t)(harness_random() % (30 * SL_MSEC))));
	}
	while (turns < 1000)
		sl_sleep(sl_now() + SL_MSEC);
	for (int i = 0; i < 1000; i++)
		EXPECT_EQ(1, a[i].fired);
	EXPECT_LE(now + 25 * SL_MSEC, sl_clock_ns());
	return 0;
}

TEST(timers_wake_the_core)
{
	EXPECT_EQ(0, on_core(real_time, NULL));
}

/* ---- changes while they fire ------------------------------------------------------------ */

static struct alarm *to_clear, *to_move;

static void clears_another(struct sl_timer *timer)
{
	ring(timer);
	sl_timer_clear(&to_clear->timer);
	sl_timer_set(&to_move->timer, timer->at + 10);
}

static int change_while_firing(void *arg)
{
	struct timers *t = &sl_core_self()->timers;
	int64_t far = sl_now() + 1000 * SL_SEC;
	struct alarm a[3] = {0};

	(void)arg;
	last_at = 0;
	sl_timer_init(&a[0].timer, clears_another);
	sl_timer_init(&a[1].timer, ring);
	sl_timer_init(&a[2].timer, ring);
	to_clear = &a[1];
	to_move = &a[2];
	sl_timer_clear(&a[1].timer); /* not set: harms nothing */
	for (int i = 0; i < 3; i++)
		sl_timer_set(&a[i].timer, far + i);
	timers_run(t, far + 5);
	EXPECT_EQ(1, a[0].fired);
	EXPECT_EQ(0, a[1].fired);
	EXPECT_EQ(0, a[2].fired);
	EXPECT_EQ(far + 10, timers_next(t));
	timers_run(t, far + 10);
	EXPECT_EQ(1, a[2].fired);
	EXPECT_EQ(SL_NEVER, timers_next(t));
	return 0;
}

TEST(a_timer_may_clear_and_move_others)
{
	EXPECT_EQ(0, on_core(change_while_firing, NULL));
}

TEST_HARNESS_MAIN
