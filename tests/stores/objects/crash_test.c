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

/* ---- cuts --------------------------------------------------------------------------------- */

static int open_close(struct ok *k)
{
	if (ok_open(k) == 0) {
		ok_count(k, "zero");
		ok_close(k);
	}
	return 0;
}

/* The power goes again after @n operations of the next start. */
static void cut_again(struct sl_sim *sim, uint64_t n, enum sl_sim_policy policy)
{
	struct ok k;

	ok_init(&k, sim);
	sl_sim_cut_after(sim, n);
	ok_run(&k, open_close);
	sl_sim_reboot(sim, policy);
}

/* Every outcome of the cut that @w ended in. Return: outcomes in which something is wrong. */
static int try_outcomes(struct world *w, uint64_t seed, char *ret_wrong, size_t len)
{
	static const enum sl_sim_policy policies[] = {SL_SIM_LOSE_ALL, SL_SIM_KEEP_ALL,
						      SL_SIM_RANDOM};
	int wrong = 0;

	for (uint64_t i = 0; i < SL_ARRAY_SIZE(policies); i++) {
		struct sl_sim *disk = sl_sim_clone(w->k.sim);

		sl_sim_seed(disk, seed + i);
		sl_sim_reboot(disk, policies[i]);
		/* Each fourth time it goes again during the next start. */
		if ((seed + i) % 4 == 0)
			cut_again(disk, seed % 13, policies[i]);
		wrong += !objects_world_check(&w->m, disk, ret_wrong, len);
	}
	return wrong;
}

/* Cuts at every operation. Return: cuts with an outcome in which something is wrong. */
static int try_cuts(uint64_t seed, enum sl_fault skip, uint32_t delay, bool tell)
{
	int wrong = 0;
	bool ended = false;

	for (uint64_t cut = 0; !ended; cut++) {
		struct world w;
		char why[256] = "";

		objects_world_init(&w, seed);
		if (skip)
			sl_sim_skip_sync(w.k.sim, skip);
		sl_sim_delay(w.k.sim, delay);
		sl_sim_cut_after(w.k.sim, cut);
		ok_run(&w.k, objects_world_work);
		ended = !sl_sim_is_cut(w.k.sim);
		if (ended)
			sl_sim_cut(w.k.sim);
		if (try_outcomes(&w, seed + cut * 16, why, sizeof(why))) {
			wrong++;
			if (tell)
				TH_LOG("seed %llu, cut at %llu: %s", (unsigned long long)seed,
				       (unsigned long long)cut, why);
		}
		sl_sim_free(w.k.sim);
		ended |= !tell && wrong;
	}
	return wrong;
}

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
	for (size_t i = 0; i < SL_ARRAY_SIZE(points); i++)
		if (!EXPECT_LT(0, sl_sim_syncs(w.k.sim, points[i])))
			TH_LOG("sync point %d", points[i]);
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

	EXPECT_EQ(0, try_cuts(seed, SL_FAULT(NONE), variant->delay, true));
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
	EXPECT_LT(0, try_cuts(99, variant->point, 0, false));
}

TEST_HARNESS_MAIN
