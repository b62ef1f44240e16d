/* SPDX-License-Identifier: Apache-2.0 */
/* Commits: who is told of which point, once, in order, and on which core. */
#include <errno.h>
#include <string.h>

#include "dataplane/dataplane.h"
#include "harness.h"

enum { MANY = 2000 };

static int on_core(int (*fn)(void *), void *arg)
{
	return sl_core_run(&(struct sl_cores_conf){.arena_bytes_max = 64 * SL_MIB}, fn, arg);
}

/* A commit that counts how often it was told, and when among all. */
struct wait {
	struct sl_commit commit;
	int told;
	int turn;
	bool added;
};

static __thread int turns;

static void told(struct sl_commit *commit)
{
	struct wait *w = sl_container_of(commit, struct wait, commit);

	w->told++;
	w->turn = ++turns;
}

static bool add(struct sl_order *order, struct wait *w, uint64_t point)
{
	*w = (struct wait){.commit = {.core = sl_core_self(), .done = told}, .added = true};
	return sl_order_add(order, &w->commit, point);
}

/* ---- one core --------------------------------------------------------------------------- */

static int decide_at_once(void *arg)
{
	struct sl_order order;
	struct wait w;

	(void)arg;
	sl_order_init(&order, 10);
	EXPECT_TRUE(add(&order, &w, 10));
	EXPECT_EQ(0, w.commit.res);
	EXPECT_TRUE(add(&order, &w, 0));
	EXPECT_FALSE(add(&order, &w, 11));
	EXPECT_EQ(0, w.told);
	sl_order_advance(&order, 10);
	EXPECT_EQ(0, w.told);
	sl_order_advance(&order, 11);
	EXPECT_EQ(1, w.told);
	EXPECT_EQ(0, w.commit.res);
	return 0;
}

TEST(points_up_to_the_durable_one_are_decided_at_once)
{
	EXPECT_EQ(0, on_core(decide_at_once, NULL));
}

static int tell_in_order(void *arg)
{
	static struct wait w[MANY];
	struct sl_order order;
	uint64_t durable = 0;

	(void)arg;
	sl_order_init(&order, 0);
	for (int i = 0; i < MANY; i++)
		ASSERT_FALSE(add(&order, &w[i], 1 + harness_random() % 1000));
	while (durable < 1000) {
		durable += 1 + harness_random() % 50;
		sl_order_advance(&order, durable);
		for (int i = 0; i < MANY; i++)
			ASSERT_EQ(w[i].commit.point <= durable, w[i].told);
	}
	/* By rising points, and first come, first told among equal ones. */
	for (int i = 0; i < MANY; i++)
		for (int k = i + 1; k < MANY; k++)
			if (w[i].commit.point <= w[k].commit.point)
				ASSERT_LT(w[i].turn, w[k].turn);
			else
				ASSERT_GT(w[i].turn, w[k].turn);
	EXPECT_TRUE(sl_list_empty(&order.pending));
	return 0;
}

TEST(random_points_are_told_once_and_in_order)
{
	EXPECT_EQ(0, on_core(tell_in_order, NULL));
}

static int lose(void *arg)
{
	struct sl_order order;
	struct wait w[4];

	(void)arg;
	sl_order_init(&order, 0);
	for (uint64_t i = 0; i < 3; i++)
		EXPECT_FALSE(add(&order, &w[i], i + 1));
	sl_order_advance(&order, 1);
	sl_order_fail(&order, -EIO);
	EXPECT_EQ(0, w[0].commit.res);
	EXPECT_EQ(-EIO, w[1].commit.res);
	EXPECT_EQ(-EIO, w[2].commit.res);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(1, w[i].told);
	EXPECT_TRUE(add(&order, &w[3], 2));
	EXPECT_EQ(-EIO, w[3].commit.res);
	EXPECT_TRUE(add(&order, &w[3], 1)); /* was durable before */
	EXPECT_EQ(0, w[3].commit.res);
	sl_order_fail(&order, -ENOSPC); /* the first loss stays the reason */
	EXPECT_TRUE(add(&order, &w[3], 9));
	EXPECT_EQ(-EIO, w[3].commit.res);
	return 0;
}

TEST(a_loss_is_told_now_and_later)
{
	EXPECT_EQ(0, on_core(lose, NULL));
}

static int cancel_some(void *arg)
{
	static struct wait w[MANY];
	struct sl_order order;

	(void)arg;
	sl_order_init(&order, 0);
	for (int i = 0; i < MANY; i++)
		ASSERT_FALSE(add(&order, &w[i], 1 + harness_random() % 100));
	for (int i = 0; i < MANY; i += 3)
		sl_order_cancel(&order, &w[i].commit);
	sl_order_cancel(&order, &w[0].commit); /* once more harms nothing */
	sl_order_advance(&order, 50);
	sl_order_fail(&order, -EIO);
	for (int i = 0; i < MANY; i++) {
		ASSERT_EQ(i % 3 != 0, w[i].told);
		if (w[i].told)
			ASSERT_EQ(w[i].commit.point <= 50 ? 0 : -EIO, w[i].commit.res);
	}
	return 0;
}

TEST(who_cancelled_is_not_told)
{
	EXPECT_EQ(0, on_core(cancel_some, NULL));
}

/* ---- fibers ----------------------------------------------------------------------------- */

struct waiting {
	struct sl_order order;
	uint64_t point;
	int64_t deadline;
	int res;
	bool back;
};

static void wait_fiber(void *arg)
{
	struct waiting *x = arg;

	x->res = sl_order_wait(&x->order, x->point, x->deadline);
	x->back = true;
}

static int wait_in_fibers(void *arg)
{
	struct waiting x = {.point = 5, .deadline = SL_NEVER};

	(void)arg;
	sl_order_init(&x.order, 0);
	EXPECT_EQ(0, sl_order_wait(&x.order, 0, SL_NEVER));
	ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, wait_fiber, &x));
	sl_fiber_yield(SL_NEVER);
	sl_order_advance(&x.order, 4);
	sl_fiber_yield(SL_NEVER);
	sl_fiber_yield(SL_NEVER);
	EXPECT_FALSE(x.back);
	sl_order_advance(&x.order, 5);
	sl_fiber_yield(SL_NEVER);
	EXPECT_TRUE(x.back);
	EXPECT_EQ(0, x.res);
	EXPECT_EQ(-ETIME, sl_order_wait(&x.order, 6, sl_now() + 2 * SL_MSEC));
	EXPECT_TRUE(sl_list_empty(&x.order.pending));
	x.back = false;
	x.point = 7;
	ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, wait_fiber, &x));
	sl_fiber_yield(SL_NEVER);
	sl_order_fail(&x.order, -EIO);
	sl_fiber_yield(SL_NEVER);
	EXPECT_TRUE(x.back);
	EXPECT_EQ(-EIO, x.res);
	EXPECT_EQ(-EIO, sl_order_wait(&x.order, 7, SL_NEVER));
	return 0;
}

TEST(a_fiber_waits_until_durable_lost_or_late)
{
	EXPECT_EQ(0, on_core(wait_in_fibers, NULL));
}

/*
 * The waiter's deadline passes while another fiber is about to advance the order. A machine that
 * stalls may let it pass before: then again, with more time.
 */
static int meet_the_deadline(void *arg)
{
	struct waiting x;

	(void)arg;
	for (int64_t ahead = 2 * SL_MSEC; ahead < 4 * SL_SEC; ahead *= 4) {
		x = (struct waiting){.point = 1, .deadline = sl_clock_ns() + ahead};
		sl_order_init(&x.order, 0);
		ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, wait_fiber, &x));
		sl_fiber_yield(SL_NEVER);
		if (!x.back)
			break;
	}
	while (sl_clock_ns() <= x.deadline + SL_MSEC)
		continue;
	/* Ready before the waiter, whose timer is due in the turn that begins now. */
	sl_fiber_yield(SL_NEVER);
	EXPECT_FALSE(x.back);
	sl_order_advance(&x.order, 1);
	sl_fiber_yield(SL_NEVER);
	EXPECT_TRUE(x.back);
	EXPECT_EQ(-ETIME, x.res);
	return 0;
}

TEST(the_news_and_the_deadline_may_fall_into_one_turn)
{
	EXPECT_EQ(0, on_core(meet_the_deadline, NULL));
}

/* ---- several cores ---------------------------------------------------------------------- */

/* Waits of all cores for points of core 0's order, some cancelled, the rest decided. */
struct cross {
	struct sl_order order;
	struct wait w[3][500];
	uint32_t started, told, cancelled, finished;
};

struct adding {
	struct cross *x;
	struct wait *w;
	uint64_t point;
};

static void told_here(struct sl_commit *commit)
{
	struct wait *w = sl_container_of(commit, struct wait, commit);

	SL_ON_CORE(commit->core);
	w->told++;
}

static int add_there(void *arg, int64_t deadline)
{
	struct adding *a = arg;

	(void)deadline;
	return sl_order_add(&a->x->order, &a->w->commit, a->point);
}

static int cancel_there(void *arg, int64_t deadline)
{
	struct adding *a = arg;

	(void)deadline;
	sl_order_cancel(&a->x->order, &a->w->commit);
	return 0;
}

static void advance_fiber(void *arg)
{
	struct cross *x = arg;

	for (uint64_t i = 1; __atomic_load_n(&x->finished, __ATOMIC_ACQUIRE) < 3; i++) {
		if (i <= 200)
			sl_order_advance(&x->order, i);
		else if (i == 400)
			sl_order_fail(&x->order, -EIO);
		sl_sleep(sl_now() + SL_MSEC / 10);
	}
}

static int wait_from(struct sl_core *core, void *arg)
{
	struct cross *x = arg;
	struct sl_core *home = sl_cores_at(sl_core_cores(core), 0);
	uint32_t id = sl_core_id(core);

	if (id == 0)
		sl_order_init(&x->order, 0);
	__atomic_fetch_add(&x->started, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&x->started, __ATOMIC_ACQUIRE) < 3)
		sl_fiber_yield(SL_NEVER);
	if (id == 0)
		ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, advance_fiber, x));
	for (int i = 0; i < 500; i++) {
		struct wait *w = &x->w[id][i];
		struct adding a = {x, w, 1 + (uint64_t)i * 7919 % 400};

		*w = (struct wait){.commit = {.core = core, .done = told_here}};
		w->added = !sl_call(home, add_there, &a, SL_NEVER);
		if (w->added && i % 5 == 0) {
			sl_call(home, cancel_there, &a, SL_NEVER);
			/* Told before the call came back, or never. */
			w->turn = w->told ? 1 : 2;
		}
	}
	for (int i = 0; i < 500; i++) {
		struct wait *w = &x->w[id][i];

		while (w->added && !w->told && w->turn != 2)
			sl_sleep(sl_now() + SL_MSEC);
	}
	__atomic_fetch_add(&x->finished, 1, __ATOMIC_ACQ_REL);
	return 0;
}

TEST(waits_of_other_cores_are_told_on_their_own)
{
	static struct cross x;
	struct sl_cores *cores;
	char why[200];

	ASSERT_EQ(0, sl_cores_start(&(struct sl_cores_conf){.n = 3, .arena_bytes_max = 16 * SL_MIB},
				    wait_from, &x, &cores, why, sizeof(why)));
	sl_cores_stop(cores);
	sl_cores_join(cores);
	for (int c = 0; c < 3; c++)
		for (int i = 0; i < 500; i++) {
			struct wait *w = &x.w[c][i];

			if (!w->added)
				EXPECT_EQ(0, w->told);
			else if (w->turn == 2)
				EXPECT_EQ(0, w->told);
			else
				EXPECT_EQ(1, w->told);
			if (w->told && w->commit.point > 200)
				EXPECT_EQ(-EIO, w->commit.res);
			else
				EXPECT_TRUE(w->commit.res == 0 || w->commit.res == -EIO);
		}
}

TEST_HARNESS_MAIN
