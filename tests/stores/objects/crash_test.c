/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crash suite of objects: a workload on the simulated disk, the power cut in the middle of each
 * of its mutating operations, several outcomes of each cut, and what is owed then.
 *
 * The test of the tests leaves out one sync at a time and expects the suite to find a loss.
 *
 * Order of parts: cuts; tests.
 */
#include <stdio.h>

#include <sluice/util.h>

#include "objects_world.h"
#include "uring/cuts.h"

/* ---- cuts --------------------------------------------------------------------------------- */

static int open_close(struct ok *k)
{
	if (ok_open(k) == 0) {
		ok_count(k, "zero");
		ok_close(k);
	}
	return 0;
}

static void restart(struct sl_sim *disk)
{
	struct ok k;

	ok_init(&k, disk);
	ok_run(&k, open_close);
}

static struct sl_sim *begin(void *world, uint64_t seed, const void *how)
{
	struct world *w = world;

	objects_world_init(w, seed);
	return w->k.sim;
}

static void work(void *world)
{
	struct world *w = world;

	ok_run(&w->k, objects_world_work);
}

static void check(void *world, struct sl_sim *disk, uint64_t seed, enum sl_sim_policy policy,
		  char *ret_wrong, size_t len)
{
	const struct world *w = world;

	objects_world_check(&w->m, disk, ret_wrong, len);
}

static const enum sl_sim_policy policies[] = {SL_SIM_LOSE_ALL, SL_SIM_KEEP_ALL, SL_SIM_RANDOM};

static const struct cuts suite = {
	.world_bytes = sizeof(struct world),
	.begin = begin,
	.work = work,
	.check = check,
	.restart = restart,
	.policies = policies,
	.policies_n = SL_ARRAY_SIZE(policies),
};

/* ---- tests -------------------------------------------------------------------------------- */

TEST(workload_reaches_every_sync)
{
	static const enum sl_fault points[] = {
		SL_FAULT(SYNC_OBJECTS_META),
		SL_FAULT(SYNC_OBJECTS_NEW),
		SL_FAULT(SYNC_OBJECTS_FOLDER),
		SL_FAULT(SYNC_OBJECTS_CHECKPOINT),
		SL_FAULT(SYNC_OBJECTS_SNAPSHOT),
		SL_FAULT(SYNC_OBJECTS_CHECKPOINT_FOLDER),
		SL_FAULT(SYNC_OBJECTS_SNAPSHOT_FOLDER),
	};
	struct world w;

	objects_world_init(&w, 1);
	ASSERT_EQ(0, ok_run(&w.k, objects_world_work));
	cuts_expect_syncs(w.k.sim, points, SL_ARRAY_SIZE(points));
	EXPECT_STREQ("", w.wrong);
	sl_sim_free(w.k.sim);
}

FIXTURE(cuts)
{
	int unused;
};
FIXTURE_VARIANT(cuts)
{
	uint64_t seed; /* 0: the run's */
	uint32_t delay;
};
FIXTURE_VARIANT_ADD(cuts, fixed){4713, 0};
FIXTURE_VARIANT_ADD(cuts, random_late){0, 3};
FIXTURE_SETUP(cuts)
{
}
FIXTURE_TEARDOWN(cuts)
{
}

TEST_F_TIMEOUT(cuts, nothing_promised_is_lost, 240)
{
	uint64_t seed = variant->seed ? variant->seed : harness_random() % 1000000;
	struct cuts c = suite;

	c.delay = variant->delay;
	EXPECT_EQ(0, cuts_try(&c, seed));
}

FIXTURE(left_out)
{
	int unused;
};
FIXTURE_VARIANT(left_out)
{
	enum sl_fault point;
};
FIXTURE_VARIANT_ADD(left_out, meta){SL_FAULT(SYNC_OBJECTS_META)};
FIXTURE_VARIANT_ADD(left_out, new_folder){SL_FAULT(SYNC_OBJECTS_NEW)};
FIXTURE_VARIANT_ADD(left_out, folder){SL_FAULT(SYNC_OBJECTS_FOLDER)};
FIXTURE_VARIANT_ADD(left_out, checkpoint){SL_FAULT(SYNC_OBJECTS_CHECKPOINT)};
FIXTURE_SETUP(left_out)
{
}
FIXTURE_TEARDOWN(left_out)
{
}

/* The test of the tests. */
TEST_F_TIMEOUT(left_out, sync_is_missed, 240)
{
	struct cuts c = suite;

	c.skip = variant->point;
	EXPECT_LT(0, cuts_try(&c, 99));
}

TEST_HARNESS_MAIN
