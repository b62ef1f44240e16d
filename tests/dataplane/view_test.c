/* SPDX-License-Identifier: Apache-2.0 */
/* Views: held by each core on its own, gone on core 0 once, after the last one. */
#include "dataplane/dataplane.h"
#include "harness.h"

enum { CORES = 3, USES = 2, ROUNDS = 2000 };

/* What is shown, and what became of it; core 0's but for the view. */
struct shown {
	struct sl_view view;
	uint32_t gone;
};

static void gone(struct sl_view *view)
{
	EXPECT_TRUE(!sl_core_self() || sl_core_id(sl_core_self()) == 0);
	sl_container_of(view, struct shown, view)->gone++;
}

static int retain_here(void *view, int64_t deadline)
{
	(void)deadline;
	sl_view_retain(view);
	return 0;
}

static int release_here(void *view, int64_t deadline)
{
	(void)deadline;
	sl_view_release(view);
	return 0;
}

static void on_core(uint32_t id, int (*fn)(void *arg, int64_t deadline), struct shown *s)
{
	struct sl_core *core = sl_cores_at(sl_core_cores(sl_core_self()), id);

	ASSERT_EQ(0, sl_call(core, fn, &s->view, SL_NEVER));
}

static int start_fiber(struct sl_core *core, void *fn)
{
	return sl_core_id(core) ? 0 : sl_fiber_start(SL_STACK_LARGE, *(void (**)(void *))fn, NULL);
}

/* Runs @fn in a fiber of core 0. */
static void run(void (*fn)(void *arg))
{
	const struct sl_cores_conf conf = {.n = CORES, .arena_bytes_max = 16 * SL_MIB};
	struct sl_cores *cores;
	char why[200];

	ASSERT_EQ(0, sl_cores_start(&conf, start_fiber, &fn, &cores, why, sizeof(why)));
	sl_cores_stop(cores);
	sl_cores_join(cores);
}

static void release_all_but_one(uint32_t last)
{
	struct shown s = {.gone = 0};

	ASSERT_EQ(0, sl_view_init(&s.view, CORES, USES, gone));
	for (uint32_t i = 0; i < CORES; i++)
		for (uint32_t use = i == last; use < USES; use++)
			on_core(i, release_here, &s);
	EXPECT_EQ(0, s.gone);
	/* A core that holds it may hold it for longer. */
	on_core(last, retain_here, &s);
	on_core(last, release_here, &s);
	EXPECT_EQ(0, s.gone);
	on_core(last, release_here, &s);
	EXPECT_EQ(1, s.gone);
	sl_view_done(&s.view);
}

static void each_is_last(void *arg)
{
	(void)arg;
	for (uint32_t last = 0; last < CORES; last++)
		release_all_but_one(last);
}

TEST(gone_after_the_last_release_of_the_last_core)
{
	run(each_is_last);
}

/* ---- all cores at once ------------------------------------------------------------------ */

static void use_often(void *arg)
{
	struct sl_view *view = arg;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		sl_view_retain(view);
		if (i % 64 == 0)
			sl_fiber_yield(SL_NEVER);
		sl_view_release(view);
	}
	for (uint32_t i = 0; i < USES; i++)
		sl_view_release(view);
}

static int start_user(void *view, int64_t deadline)
{
	(void)deadline;
	return sl_fiber_start(SL_STACK_SMALL, use_often, view);
}

static void use_on_all(void *arg)
{
	struct shown s = {.gone = 0};

	(void)arg;
	ASSERT_EQ(0, sl_view_init(&s.view, CORES, USES, gone));
	for (uint32_t i = 0; i < CORES; i++)
		on_core(i, start_user, &s);
	while (!s.gone)
		sl_fiber_yield(SL_NEVER);
	EXPECT_EQ(1, s.gone);
	EXPECT_EQ(0, s.view.holders);
	sl_view_done(&s.view);
}

TEST(cores_hold_it_on_their_own)
{
	run(use_on_all);
}

/* ---- without cores ---------------------------------------------------------------------- */

TEST(threads_that_take_turns_hold_it_as_one_core)
{
	struct shown s = {.gone = 0};

	ASSERT_EQ(0, sl_view_init(&s.view, 1, 1, gone));
	sl_view_retain(&s.view);
	sl_view_release(&s.view);
	EXPECT_EQ(0, s.gone);
	sl_view_release(&s.view);
	EXPECT_EQ(1, s.gone);
	sl_view_done(&s.view);
}

TEST(nothing_held_is_nothing_to_free)
{
	struct sl_view view = {0};

	sl_view_done(&view);
	EXPECT_NULL(view.holds);
	ASSERT_EQ(0, sl_view_init(&view, 1, 1, gone));
	sl_view_done(&view);
	EXPECT_NULL(view.holds);
}

TEST_HARNESS_MAIN
