/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The workload with its Nth file operation failing, for every N: what was acknowledged stays,
 * errors are told, nothing crashes or hangs.
 */
#include <errno.h>
#include <string.h>

#include "world.h"

/* A disk whose nth operation fails. */
struct faulty {
	struct sl_faults faults;
	struct world w;
};

static int run(struct faulty *f)
{
	struct sl_cores_conf conf = {.backend = &f->faults.backend, .arena_bytes_max = 64 * SL_MIB,
				     .rx_buffers = 8};

	return kit_run_on(&f->w.k, &conf, world_work);
}

/* The workload with operation @nth failing. Return: what it said; *@ret_ops: counted operations. */
static int work_with_fault(struct faulty *f, uint64_t nth, int err, bool sticky, uint64_t *ret_ops)
{
	int res;

	world_init(&f->w, 42);
	f->w.go_on = true;
	f->w.m.index_may_lack = true;
	sl_faults_init(&f->faults, sl_sim_backend(f->w.k.sim));
	f->faults.ops = sl_ops_file_mask();
	f->faults.nth = nth;
	f->faults.err = err;
	f->faults.sticky = sticky;
	res = run(f);
	*ret_ops = f->faults.count;
	return res;
}

/* The disk as it is, and after a power cut that loses what was not synced. */
static int check_both(struct faulty *f, uint64_t nth, const char *what)
{
	struct verdict as_is = {.m = &f->w.m}, cut = {.m = &f->w.m};
	struct sl_sim *copy = sl_sim_clone(f->w.k.sim);
	int wrong;

	sl_sim_reboot(copy, SL_SIM_LOSE_ALL);
	world_check(copy, &cut, true);
	world_check(f->w.k.sim, &as_is, true);
	wrong = as_is.wrong[0] || cut.wrong[0];
	if (wrong)
		TH_LOG("%s at operation %llu: %s; after a cut: %s", what, (unsigned long long)nth,
		       as_is.wrong, cut.wrong);
	sl_sim_free(copy);
	return wrong;
}

FIXTURE(faults)
{
	struct faulty f;
};
FIXTURE_VARIANT(faults)
{
	int err;
	bool sticky;
	bool harmless; /* nothing may be refused because of it */
};
FIXTURE_VARIANT_ADD(faults, eio){.err = EIO};
FIXTURE_VARIANT_ADD(faults, eio_for_good){.err = EIO, .sticky = true};
FIXTURE_VARIANT_ADD(faults, enospc){.err = ENOSPC};
FIXTURE_VARIANT_ADD(faults, enospc_for_good){.err = ENOSPC, .sticky = true};
FIXTURE_VARIANT_ADD(faults, emfile){.err = EMFILE};
FIXTURE_VARIANT_ADD(faults, short_transfer){.err = 0, .harmless = true};
FIXTURE_SETUP(faults)
{
}
FIXTURE_TEARDOWN(faults)
{
}

TEST_F(faults, acknowledged_stays_whatever_fails)
{
	uint64_t step = (uint64_t)harness_work_part(), n, ops;
	int wrong = 0;

	ASSERT_EQ(0, work_with_fault(&self->f, 0, 0, false, &n));
	sl_sim_free(self->f.w.k.sim);
	ASSERT_LT(100, n);
	for (uint64_t nth = 1 + harness_random() % step; nth <= n; nth += step) {
		int res = work_with_fault(&self->f, nth, variant->err, variant->sticky, &ops);

		if (variant->harmless && !EXPECT_EQ(0, res))
			TH_LOG("operation %llu", (unsigned long long)nth);
		wrong += check_both(&self->f, nth, strerror(variant->err));
		sl_sim_free(self->f.w.k.sim);
	}
	EXPECT_EQ(0, wrong);
}

/* As Linux has it: after a failed sync the next one succeeds, without what the first one lost. */
TEST(failed_sync_is_never_taken_for_a_late_success)
{
	uint64_t step = (uint64_t)harness_work_part();
	int wrong = 0;

	for (uint64_t nth = 1 + harness_random() % step; nth < 60; nth += step) {
		struct faulty f;

		world_init(&f.w, 42);
		f.w.go_on = true;
		f.w.m.index_may_lack = true;
		sl_sim_fail_sync(f.w.k.sim, nth);
		kit_run(&f.w.k, world_work);
		wrong += check_both(&f, nth, "failed sync");
		sl_sim_free(f.w.k.sim);
	}
	EXPECT_EQ(0, wrong);
}

TEST_HARNESS_MAIN
