/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crash suite: a workload on the simulated disk, the power cut in the middle of each of its
 * mutating operations, every outcome that the disk may make of it, and what recovery owes.
 *
 * What is owed is in world.h; it is owed again when the power goes a second time, during recovery.
 *
 * The test of the tests leaves out one sync at a time and expects the suite to find a loss.
 *
 * Order of parts: cuts; tests.
 */
#include <stdio.h>

#include "uring/cuts.h"
#include "world.h"

/* ---- cuts --------------------------------------------------------------------------------- */

static int open_only(struct kit *k)
{
	int err = kit_open(k);

	if (!err)
		kit_abandon(k);
	return 0;
}

static void restart(struct sl_sim *disk)
{
	struct kit k = {.sim = disk};

	kit_run_plain(&k, open_only);
}

static struct sl_sim *begin(void *world, uint64_t seed, const void *how)
{
	const enum sl_durability *durability = how;
	struct world *w = world;

	world_init(w, seed);
	w->k.conf.durability = durability ? *durability : w->k.conf.durability;
	return w->k.sim;
}

static void work(void *world)
{
	struct world *w = world;

	kit_run(&w->k, world_work);
}

static void check(void *world, struct sl_sim *disk, uint64_t seed, enum sl_sim_policy policy,
		  char *ret_wrong, size_t len)
{
	const struct world *w = world;
	struct verdict v = {.m = &w->m};

	world_check(disk, &v, true);
	snprintf(ret_wrong, len, "%s", v.wrong);
	sl_sim_free(disk);
}

static const enum sl_sim_policy policies[] = {SL_SIM_LOSE_ALL, SL_SIM_KEEP_ALL, SL_SIM_RANDOM,
					      SL_SIM_RANDOM, SL_SIM_RANDOM};

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
		SL_FAULT(SYNC_SEGMENT_HEADER), SL_FAULT(SYNC_SEGMENT_FOLDER),
		SL_FAULT(SYNC_SEGMENT_SEAL),   SL_FAULT(SYNC_INDEX),
		SL_FAULT(SYNC_COMMIT),	       SL_FAULT(SYNC_RECOVERY),
		SL_FAULT(SYNC_TRIM),	       SL_FAULT(SYNC_CLOSE),
	};
	struct world w;

	world_init(&w, 1);
	ASSERT_EQ(0, kit_run(&w.k, world_work));
	cuts_expect_syncs(w.k.sim, points, SL_ARRAY_SIZE(points));
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
	bool not_durable; /* nothing is acknowledged as durable at first */
};
FIXTURE_VARIANT_ADD(cuts, fixed){4711, 0, false};
FIXTURE_VARIANT_ADD(cuts, fixed_late){4711, 3, false};
FIXTURE_VARIANT_ADD(cuts, random){0, 0, false};
FIXTURE_VARIANT_ADD(cuts, random_late){0, 3, false};
FIXTURE_VARIANT_ADD(cuts, not_durable){0, 0, true};
FIXTURE_SETUP(cuts)
{
}
FIXTURE_TEARDOWN(cuts)
{
}

TEST_F(cuts, nothing_acknowledged_is_lost)
{
	static const enum sl_durability none = SL_DURABILITY_NONE;
	uint64_t seed = variant->seed ? variant->seed : harness_random() % 1000000;
	struct cuts c = suite;

	c.delay = variant->delay;
	c.how = variant->not_durable ? &none : NULL;
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
FIXTURE_VARIANT_ADD(left_out, segment_header){SL_FAULT(SYNC_SEGMENT_HEADER)};
FIXTURE_VARIANT_ADD(left_out, segment_folder){SL_FAULT(SYNC_SEGMENT_FOLDER)};
FIXTURE_VARIANT_ADD(left_out, segment_seal){SL_FAULT(SYNC_SEGMENT_SEAL)};
FIXTURE_VARIANT_ADD(left_out, index){SL_FAULT(SYNC_INDEX)};
FIXTURE_VARIANT_ADD(left_out, commit){SL_FAULT(SYNC_COMMIT)};
FIXTURE_VARIANT_ADD(left_out, recovery){SL_FAULT(SYNC_RECOVERY)};
FIXTURE_VARIANT_ADD(left_out, trim){SL_FAULT(SYNC_TRIM)};
FIXTURE_VARIANT_ADD(left_out, close){SL_FAULT(SYNC_CLOSE)};
FIXTURE_SETUP(left_out)
{
}
FIXTURE_TEARDOWN(left_out)
{
}

/* The test of the tests. */
TEST_F(left_out, sync_is_missed)
{
	struct cuts c = suite;

	c.skip = variant->point;
	EXPECT_LT(0, cuts_try(&c, 99));
}

TEST_HARNESS_MAIN
