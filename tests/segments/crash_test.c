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

#include "world.h"

/* ---- cuts --------------------------------------------------------------------------------- */

static int open_only(struct kit *k)
{
	int err = kit_open(k);

	if (!err)
		kit_abandon(k);
	return 0;
}

/* The power goes again after @n operations of recovery. */
static void check_second_cut(struct sl_sim *sim, struct verdict *v, uint64_t n,
			     enum sl_sim_policy policy)
{
	struct kit k = {.sim = sim};

	sl_sim_cut_after(sim, n);
	kit_run_plain(&k, open_only);
	sl_sim_reboot(sim, policy);
	world_check(sim, v, true);
}

struct how {
	bool late;	     /* operations overtake each other */
	bool none;	     /* nothing is acknowledged as durable at first */
	enum sl_fault skip;
};

static void begin(struct world *w, uint64_t seed, const struct how *how)
{
	world_init(w, seed);
	if (how->late)
		sl_sim_delay(w->k.sim, 3);
	if (how->none)
		w->k.conf.durability = SL_DURABILITY_NONE;
	if (how->skip)
		sl_sim_skip_sync(w->k.sim, how->skip);
}

enum { OUTCOMES = 5 };

/* Every outcome of the cut that @w ended in. Return: outcomes in which something is wrong. */
static int try_outcomes(struct world *w, uint64_t seed, char *ret_wrong, size_t len)
{
	static const enum sl_sim_policy policies[OUTCOMES] = {
		SL_SIM_LOSE_ALL, SL_SIM_KEEP_ALL, SL_SIM_RANDOM, SL_SIM_RANDOM, SL_SIM_RANDOM};
	int wrong = 0;

	for (int i = 0; i < OUTCOMES; i++) {
		struct verdict v = {.m = &w->m}, v2 = {.m = &w->m};
		struct sl_sim *disk = sl_sim_clone(w->k.sim), *again;

		sl_sim_seed(disk, seed + (uint64_t)i);
		sl_sim_reboot(disk, policies[i]);
		again = sl_sim_clone(disk);
		world_check(disk, &v, true);
		if (!v.wrong[0])
			check_second_cut(again, &v2, (seed + (uint64_t)i) % 4, policies[i]);
		if (v.wrong[0] || v2.wrong[0]) {
			if (!wrong++)
				snprintf(ret_wrong, len, "outcome %d: %s%s", i, v.wrong, v2.wrong);
		}
		sl_sim_free(again);
		sl_sim_free(disk);
	}
	return wrong;
}

static uint64_t count_ops(uint64_t seed, struct how how)
{
	struct world w;
	uint64_t n;

	how.skip = SL_FAULT(NONE);
	begin(&w, seed, &how);
	ASSERT_EQ(0, kit_run(&w.k, world_work));
	n = sl_sim_ops(w.k.sim);
	sl_sim_free(w.k.sim);
	return n;
}

/* Cuts at every operation. Return: cuts with an outcome in which something is wrong. */
static int try_cuts(uint64_t seed, struct how how, bool tell)
{
	uint64_t n = count_ops(seed, how);
	int wrong = 0;

	for (uint64_t cut = 0; cut <= n; cut++) {
		struct world w;
		char why[400];

		begin(&w, seed, &how);
		sl_sim_cut_after(w.k.sim, cut);
		kit_run(&w.k, world_work);
		if (!sl_sim_is_cut(w.k.sim))
			sl_sim_cut(w.k.sim);
		if (try_outcomes(&w, seed + cut * 16, why, sizeof(why))) {
			wrong++;
			if (tell)
				TH_LOG("seed %llu, cut at %llu of %llu: %s",
				       (unsigned long long)seed, (unsigned long long)cut,
				       (unsigned long long)n, why);
		}
		sl_sim_free(w.k.sim);
	}
	return wrong;
}

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
	for (size_t i = 0; i < SL_ARRAY_SIZE(points); i++)
		if (!EXPECT_LT(0, sl_sim_syncs(w.k.sim, points[i])))
			TH_LOG("sync point %d", points[i]);
	sl_sim_free(w.k.sim);
}

FIXTURE(cuts)
{
	int unused;
};
FIXTURE_VARIANT(cuts)
{
	uint64_t seed; /* 0: the run's */
	struct how how;
};
FIXTURE_VARIANT_ADD(cuts, fixed){4711, {.late = false}};
FIXTURE_VARIANT_ADD(cuts, fixed_late){4711, {.late = true}};
FIXTURE_VARIANT_ADD(cuts, random){0, {.late = false}};
FIXTURE_VARIANT_ADD(cuts, random_late){0, {.late = true}};
FIXTURE_VARIANT_ADD(cuts, not_durable){0, {.none = true}};
FIXTURE_SETUP(cuts)
{
}
FIXTURE_TEARDOWN(cuts)
{
}

TEST_F(cuts, nothing_acknowledged_is_lost)
{
	uint64_t seed = variant->seed ? variant->seed : harness_random() % 1000000;

	EXPECT_EQ(0, try_cuts(seed, variant->how, true));
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
	EXPECT_LT(0, try_cuts(99, (struct how){.skip = variant->point}, false));
}

TEST_HARNESS_MAIN
