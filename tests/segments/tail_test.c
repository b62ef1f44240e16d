/* SPDX-License-Identifier: Apache-2.0 */
/* The tail goes to who waited first, and deadlines are kept. */
#include "kit.h"
#include "segments/segments_pvt.h"

struct waiter {
	struct kit *k;
	int64_t deadline;
	int res, *order, at;
};

static void wait_for_tail(void *arg)
{
	struct waiter *w = arg;

	w->res = tail_take(w->k->log, w->deadline);
	w->at = (*w->order)++;
	if (!w->res) {
		sl_sleep(sl_now() + SL_MSEC);
		tail_give(w->k->log);
	}
}

static int body(struct kit *k)
{
	int order = 0;
	struct waiter w[4];

	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, tail_take(k->log, SL_NEVER));
	for (int i = 0; i < 4; i++) {
		w[i] = (struct waiter){k, SL_NEVER, 1, &order, -1};
		if (i == 1)
			w[i].deadline = sl_now() + 5 * SL_MSEC;
		ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, wait_for_tail, &w[i]));
	}
	while (order < 1)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(-ETIME, w[1].res);
	EXPECT_EQ(0, w[1].at);
	tail_give(k->log);
	while (order < 4)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(1, w[0].at);
	EXPECT_EQ(2, w[2].at);
	EXPECT_EQ(3, w[3].at);
	sl_sleep(sl_now() + 5 * SL_MSEC);
	EXPECT_FALSE(k->log->tail_held);
	return kit_close(k);
}

TEST(first_come_first_served_within_deadlines)
{
	struct kit k = {.sim = sl_sim_new(1, NULL), .background = true};

	ASSERT_EQ(0, kit_run(&k, body));
	sl_sim_free(k.sim);
}

TEST_HARNESS_MAIN
