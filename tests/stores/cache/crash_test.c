/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crash suite: a workload on the simulated disk, the power cut in the middle of each of its
 * mutating operations, every outcome that the disk may make of it, and what the next start owes
 * (cache_world.h). The same again when the power goes a second time, while the cache starts.
 *
 * The test of the tests leaves out one sync at a time and expects the suite to find a loss.
 *
 * Order of parts: cuts; a kill; tests.
 */
#include <errno.h>
#include <stdio.h>

#include "cache_world.h"

/* ---- cuts --------------------------------------------------------------------------------- */

static void start_only(struct sl_sim *disk, const struct world *w)
{
	struct sl_backend *before = sl_backend_use(sl_sim_backend(disk));
	struct cache_kit k;

	cache_kit_init(&k, disk);
	k.conf.max_bytes = w->k.conf.max_bytes;
	cache_kit_open(&k);
	cache_kit_close(&k);
	sl_backend_use(before);
}

enum { OUTCOMES = 5 };

/* One outcome: it starts; the power goes while it starts; what it served is there the next time. */
static void try_outcome(struct world *w, uint64_t seed, enum sl_sim_policy policy, char *ret_wrong,
			size_t len)
{
	struct sl_sim *disk = sl_sim_clone(w->k.sim), *again;
	struct world owed = *w;

	sl_sim_seed(disk, seed);
	sl_sim_reboot(disk, policy);
	again = sl_sim_clone(disk);
	cache_world_check(disk, &owed, ret_wrong, len);
	if (!ret_wrong[0]) {
		sl_sim_reboot(disk, policy);
		cache_world_check(disk, &owed, ret_wrong, len);
	}
	if (!ret_wrong[0]) {
		owed = *w;
		sl_sim_cut_after(again, seed % 4);
		start_only(again, w);
		sl_sim_reboot(again, policy);
		cache_world_check(again, &owed, ret_wrong, len);
	}
	sl_sim_free(again);
	sl_sim_free(disk);
}

/* Every outcome of the cut that @w ended in. Return: outcomes in which something is wrong. */
static int try_outcomes(struct world *w, bool none, uint64_t seed, char *ret_wrong, size_t len)
{
	static const enum sl_sim_policy policies[OUTCOMES] = {
		SL_SIM_KEEP_ALL, SL_SIM_LOSE_ALL, SL_SIM_RANDOM, SL_SIM_RANDOM, SL_SIM_RANDOM};
	int wrong = 0;

	/* Without durability only what the page cache kept is owed. */
	for (int i = 0; i < (none ? 1 : OUTCOMES); i++) {
		char why[160];

		try_outcome(w, seed + (uint64_t)i, policies[i], why, sizeof(why));
		if (why[0] && !wrong++)
			snprintf(ret_wrong, len, "outcome %d: %s", i, why);
	}
	return wrong;
}

struct how {
	bool evicts, none, late, device, forgets;
	enum sl_fault skip;
};

static void begin(struct world *w, uint64_t seed, const struct how *how)
{
	if (how->device)
		cache_world_init_device(w, seed, how->evicts);
	else
		cache_world_init(w, seed, how->evicts);
	w->forgets = how->forgets;
	if (how->none)
		w->k.conf.durability = SL_DURABILITY_NONE;
	if (how->late)
		sl_sim_delay(w->k.sim, 3);
	if (how->skip)
		sl_sim_skip_sync(w->k.sim, how->skip);
}

static uint64_t count_ops(uint64_t seed, struct how how)
{
	struct world w;
	uint64_t n;

	how.skip = SL_FAULT(NONE);
	begin(&w, seed, &how);
	ASSERT_EQ(0, cache_kit_run(&w.k, cache_world_work));
	n = sl_sim_ops(w.k.sim);
	sl_sim_free(w.k.sim);
	return n;
}

/* Cuts at every @step-th operation. Return: cuts with an outcome in which something is wrong. */
static int try_cuts(uint64_t seed, struct how how, uint64_t step, bool tell)
{
	uint64_t n = count_ops(seed, how);
	int wrong = 0;

	for (uint64_t cut = seed % step; cut <= n; cut += step) {
		struct world w;
		char why[400];

		begin(&w, seed, &how);
		sl_sim_cut_after(w.k.sim, cut);
		cache_kit_run(&w.k, cache_world_work);
		if (try_outcomes(&w, how.none, seed + cut, why, sizeof(why))) {
			if (tell)
				TH_LOG("cut %llu of %llu, seed %llu: %s", (unsigned long long)cut,
				       (unsigned long long)n, (unsigned long long)seed, why);
			wrong++;
		}
		sl_sim_free(w.k.sim);
		if (wrong && !tell)
			return wrong;
	}
	return wrong;
}

/* ---- a kill ------------------------------------------------------------------------------- */

static int put_unsynced(struct cache_kit *k)
{
	struct world *w = (struct world *)k;
	int err = cache_kit_open(k);

	if (!err)
		err = cache_world_put(w, 0, 5000, NULL);
	cache_kit_close(k);
	return err;
}

/* Whether what a start served after a kill is still there after a power cut. */
static bool is_kept_once_served(enum sl_fault skip)
{
	struct sl_faults f;
	struct world w;
	char wrong[160];

	begin(&w, 1, &(struct how){.skip = skip});
	/* The sync of the commit does not come to pass: the kernel has the bytes, the disk not. */
	sl_faults_init(&f, sl_sim_backend(w.k.sim));
	f.ops = UINT64_C(1) << SL_OP_FSYNC;
	f.sticky = true;
	f.err = EIO;
	ASSERT_EQ(0, cache_kit_run(&w.k, cache_kit_open_and_close));
	w.k.backend = &f.backend;
	f.nth = 3; /* after the segment's header and name */
	ASSERT_EQ(-EIO, cache_kit_run(&w.k, put_unsynced));
	cache_world_check(w.k.sim, &w, wrong, sizeof(wrong));
	ASSERT_STREQ("", wrong);
	ASSERT_EQ(1, w.keys[0].acked);
	sl_sim_reboot(w.k.sim, SL_SIM_LOSE_ALL);
	cache_world_check(w.k.sim, &w, wrong, sizeof(wrong));
	sl_sim_free(w.k.sim);
	return !wrong[0];
}

/* ---- tests -------------------------------------------------------------------------------- */

FIXTURE(cuts)
{
	int unused;
};
FIXTURE_VARIANT(cuts)
{
	struct how how;
	uint64_t step;
};
FIXTURE_VARIANT_ADD(cuts, kept){{0}, 1};
FIXTURE_VARIANT_ADD(cuts, kept_late){{.late = true}, 2};
FIXTURE_VARIANT_ADD(cuts, not_durable){{.none = true}, 1};
FIXTURE_VARIANT_ADD(cuts, evicted){{.evicts = true}, 3};
FIXTURE_VARIANT_ADD(cuts, device){{.device = true}, 1};
FIXTURE_VARIANT_ADD(cuts, device_late){{.device = true, .late = true}, 2};
FIXTURE_VARIANT_ADD(cuts, device_not_durable){{.device = true, .none = true}, 1};
FIXTURE_VARIANT_ADD(cuts, device_evicted){{.device = true, .evicts = true}, 3};
FIXTURE_VARIANT_ADD(cuts, device_forgot){{.device = true, .forgets = true}, 3};
FIXTURE_SETUP(cuts)
{
}
FIXTURE_TEARDOWN(cuts)
{
}

TEST_F_TIMEOUT(cuts, nothing_acknowledged_is_lost_or_old, 120)
{
	uint64_t seed = harness_random() % 1000000;

	EXPECT_EQ(0, try_cuts(seed, variant->how, variant->step, true));
}

FIXTURE(left_out)
{
	int unused;
};
FIXTURE_VARIANT(left_out)
{
	enum sl_fault point;
	bool device, forgets;
};
FIXTURE_VARIANT_ADD(left_out, parent){SL_FAULT(SYNC_CACHE_PARENT)};
FIXTURE_VARIANT_ADD(left_out, super){SL_FAULT(SYNC_CACHE_SUPER)};
FIXTURE_VARIANT_ADD(left_out, folder){SL_FAULT(SYNC_CACHE_FOLDER)};
FIXTURE_VARIANT_ADD(left_out, segment){SL_FAULT(SYNC_CACHE_SEGMENT)};
FIXTURE_VARIANT_ADD(left_out, commit){SL_FAULT(SYNC_CACHE_COMMIT)};
FIXTURE_VARIANT_ADD(left_out, journal){SL_FAULT(SYNC_CACHE_JOURNAL)};
FIXTURE_VARIANT_ADD(left_out, journal_new){SL_FAULT(SYNC_CACHE_JOURNAL_NEW)};
FIXTURE_VARIANT_ADD(left_out, journal_folder){SL_FAULT(SYNC_CACHE_JOURNAL_FOLDER)};
FIXTURE_VARIANT_ADD(left_out, device_commit){SL_FAULT(SYNC_CACHE_COMMIT), .device = true};
FIXTURE_VARIANT_ADD(left_out, device_journal){SL_FAULT(SYNC_CACHE_JOURNAL), .device = true};
FIXTURE_VARIANT_ADD(left_out, device_journal_new){SL_FAULT(SYNC_CACHE_JOURNAL_NEW), .device = true,
						  .forgets = true};
FIXTURE_VARIANT_ADD(left_out, device_journal_flip){SL_FAULT(SYNC_CACHE_JOURNAL_FLIP),
						   .device = true, .forgets = true};
FIXTURE_SETUP(left_out)
{
}
FIXTURE_TEARDOWN(left_out)
{
}

TEST(what_was_served_after_a_kill_is_kept)
{
	EXPECT_TRUE(is_kept_once_served(SL_FAULT(NONE)));
	EXPECT_FALSE(is_kept_once_served(SL_FAULT(SYNC_CACHE_RECOVERY)));
}

/* The test of the tests. */
TEST_F_TIMEOUT(left_out, sync_is_missed, 120)
{
	const struct how how = {.skip = variant->point, .device = variant->device,
				.forgets = variant->forgets};

	EXPECT_LT(0, try_cuts(99, how, 1, false));
}

TEST_HARNESS_MAIN
