/* SPDX-License-Identifier: Apache-2.0 */
/* Shedding of descriptors: by the first on the core who can, else by the other cores. */
#include "dataplane/dataplane.h"
#include "harness.h"

enum { CORES = 2 };

/* @left: how often it can. @core: where it did it last. */
struct keeper {
	struct sl_shedder shedder;
	uint32_t left, calls, core;
};

static bool shed(struct sl_shedder *shedder)
{
	struct keeper *k = sl_container_of(shedder, struct keeper, shedder);

	k->core = sl_core_id(sl_core_self());
	__atomic_add_fetch(&k->calls, 1, __ATOMIC_RELEASE);
	if (!k->left)
		return false;
	k->left--;
	return true;
}

static int in_turn(void *arg)
{
	struct keeper a = {.shedder.shed = shed, .left = 1}, b = {.shedder.shed = shed, .left = 1};

	(void)arg;
	EXPECT_FALSE(sl_descriptors_shed());
	sl_shedder_add(&a.shedder);
	sl_shedder_add(&b.shedder);
	EXPECT_TRUE(sl_descriptors_shed());
	EXPECT_EQ(0, b.calls);
	EXPECT_TRUE(sl_descriptors_shed());
	EXPECT_EQ(2, a.calls);
	EXPECT_EQ(1, b.calls);
	EXPECT_FALSE(sl_descriptors_shed());
	sl_list_remove(&a.shedder.node);
	EXPECT_FALSE(sl_descriptors_shed());
	EXPECT_EQ(3, a.calls);
	EXPECT_EQ(3, b.calls);
	sl_list_remove(&b.shedder.node);
	return 0;
}

TEST(the_first_who_can_sheds)
{
	EXPECT_EQ(0, sl_core_run(NULL, in_turn, NULL));
}

/* ---- other cores ------------------------------------------------------------------------ */

static int add_here(void *keeper, int64_t deadline)
{
	(void)deadline;
	sl_shedder_add(&((struct keeper *)keeper)->shedder);
	return 0;
}

static int remove_here(void *keeper, int64_t deadline)
{
	(void)deadline;
	sl_list_remove(&((struct keeper *)keeper)->shedder.node);
	return 0;
}

static void ask(void *keeper)
{
	struct sl_core *other = sl_cores_at(sl_core_cores(sl_core_self()), 1);
	struct keeper *k = keeper;

	ASSERT_EQ(0, sl_call(other, add_here, k, SL_NEVER));
	EXPECT_FALSE(sl_descriptors_shed());
	while (!__atomic_load_n(&k->calls, __ATOMIC_ACQUIRE))
		sl_sleep(sl_now() + SL_MSEC);
	ASSERT_EQ(0, sl_call(other, remove_here, k, SL_NEVER));
}

static int start(struct sl_core *core, void *keeper)
{
	return sl_core_id(core) ? 0 : sl_fiber_start(SL_STACK_SMALL, ask, keeper);
}

TEST(where_nobody_can_the_other_cores_are_asked)
{
	const struct sl_cores_conf conf = {.n = CORES, .arena_bytes_max = 16 * SL_MIB};
	struct keeper k = {.shedder.shed = shed, .left = 1};
	struct sl_cores *cores;
	char why[200];

	ASSERT_EQ(0, sl_cores_start(&conf, start, &k, &cores, why, sizeof(why)));
	sl_cores_stop(cores);
	sl_cores_join(cores);
	EXPECT_EQ(1, k.calls);
	EXPECT_EQ(1, k.core);
	EXPECT_EQ(0, k.left);
}

TEST_HARNESS_MAIN
