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

#include "cache_world.h"
#include "uring/cuts.h"

/* ---- cuts --------------------------------------------------------------------------------- */

struct how {
	bool evicts, none, device, forgets;
};

static struct sl_sim *begin(void *world, uint64_t seed, const void *how)
{
	const struct how *h = how;
	struct world *w = world;

	if (h->device)
		cache_world_init_device(w, seed, h->evicts);
	else
		cache_world_init(w, seed, h->evicts);
	w->forgets = h->forgets;
	if (h->none)
		w->k.conf.durability = SL_DURABILITY_NONE;
	return w->k.sim;
}

static void work(void *world)
{
	struct world *w = world;

	cache_kit_run(&w->k, cache_world_work);
}

static void restart(struct sl_sim *disk)
{
	struct sl_backend *before = sl_backend_use(sl_sim_backend(disk));
	struct cache_kit k;

	cache_kit_init(&k, disk);
	cache_kit_open_and_close(&k);
	sl_backend_use(before);
}

/* It starts; what it served is there the next time. */
static void check(void *world, struct sl_sim *disk, uint64_t seed, enum sl_sim_policy policy,
		  char *ret_wrong, size_t len)
{
	struct world owed = *(const struct world *)world;

	cache_world_check(disk, &owed, ret_wrong, len);
	if (!ret_wrong[0]) {
		sl_sim_reboot(disk, policy);
		cache_world_check(disk, &owed, ret_wrong, len);
	}
	sl_sim_free(disk);
}

static const enum sl_sim_policy policies[] = {SL_SIM_KEEP_ALL, SL_SIM_LOSE_ALL, SL_SIM_RANDOM,
					      SL_SIM_RANDOM, SL_SIM_RANDOM};

static struct cuts suite(const struct how *how)
{
	return (struct cuts){
		.world_bytes = sizeof(struct world),
		.begin = begin,
		.work = work,
		.check = check,
		.restart = restart,
		.how = how,
		.policies = policies,
		/* Without durability only what the page cache kept is owed. */
		.policies_n = how->none ? 1 : SL_ARRAY_SIZE(policies),
	};
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

	cache_world_init(&w, 1, false);
	if (skip)
		sl_sim_skip_sync(w.k.sim, skip);
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
	uint32_t step, delay;
};
FIXTURE_VARIANT_ADD(cuts, kept){{0}, 1, 0};
FIXTURE_VARIANT_ADD(cuts, kept_late){{0}, 2, 3};
FIXTURE_VARIANT_ADD(cuts, not_durable){{.none = true}, 1, 0};
FIXTURE_VARIANT_ADD(cuts, evicted){{.evicts = true}, 3, 0};
FIXTURE_VARIANT_ADD(cuts, device){{.device = true}, 1, 0};
FIXTURE_VARIANT_ADD(cuts, device_late){{.device = true}, 2, 3};
FIXTURE_VARIANT_ADD(cuts, device_not_durable){{.device = true, .none = true}, 1, 0};
FIXTURE_VARIANT_ADD(cuts, device_evicted){{.device = true, .evicts = true}, 11, 0};
FIXTURE_VARIANT_ADD(cuts, device_forgot){{.device = true, .forgets = true}, 41, 0};
FIXTURE_SETUP(cuts)
{
}
FIXTURE_TEARDOWN(cuts)
{
}

TEST_F_TIMEOUT(cuts, nothing_acknowledged_is_lost_or_old, 120)
{
	struct cuts c = suite(&variant->how);

	c.step = variant->step;
	c.delay = variant->delay;
	EXPECT_EQ(0, cuts_try(&c, harness_random() % 1000000));
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
	const struct how how = {.device = variant->device, .forgets = variant->forgets};
	struct cuts c = suite(&how);

	c.skip = variant->point;
	EXPECT_LT(0, cuts_try(&c, 99));
}

TEST_HARNESS_MAIN
