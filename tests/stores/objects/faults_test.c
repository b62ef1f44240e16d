/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The workload with its Nth file operation failing, for every N, and on a disk that is full: what
 * was acknowledged stays, errors are told, nothing crashes or hangs, and it goes on.
 *
 * Order of parts: operations; a full disk.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sluice/util.h>

#include "objects_world.h"

/* ---- operations --------------------------------------------------------------------------- */

FIXTURE(nth)
{
	int unused;
};
FIXTURE_VARIANT(nth)
{
	int err;
	bool sticky;
	uint64_t step;
};
FIXTURE_VARIANT_ADD(nth, eio){.err = EIO, .step = 1};
FIXTURE_VARIANT_ADD(nth, eio_from_then_on){.err = EIO, .sticky = true, .step = 3};
FIXTURE_VARIANT_ADD(nth, no_space){.err = ENOSPC, .step = 1};
FIXTURE_VARIANT_ADD(nth, no_more_files){.err = EMFILE, .step = 3};
FIXTURE_VARIANT_ADD(nth, short_transfer){.err = 0, .step = 2};
FIXTURE_SETUP(nth)
{
}
FIXTURE_TEARDOWN(nth)
{
}

static int run_on(struct ok *k, struct sl_backend *backend)
{
	struct sl_cores_conf conf = {
		.backend = backend, .arena_bytes_max = 64 * SL_MIB, .rx_buffers = 8};

	return sl_core_run(&conf, (int (*)(void *))objects_world_work, k);
}

/* Return: operations counted. */
static uint64_t fail_nth(const FIXTURE_VARIANT(nth) * variant, uint64_t n, char *ret_wrong,
			 size_t len)
{
	struct sl_faults f;
	struct sl_sim *cut;
	struct world w;

	objects_world_init(&w, 3);
	sl_faults_init(&f, sl_sim_backend(w.k.sim));
	f.ops = sl_ops_file_mask();
	f.nth = n;
	f.err = variant->err;
	f.sticky = variant->sticky;
	w.go_on = true;
	run_on(&w.k, &f.backend);
	cut = sl_sim_clone(w.k.sim);
	sl_sim_reboot(cut, SL_SIM_LOSE_ALL);
	ret_wrong[0] = 0;
	objects_world_check(&w.m, cut, ret_wrong, len);
	objects_world_check(&w.m, w.k.sim, ret_wrong, len);
	return f.count;
}

TEST_F_TIMEOUT(nth, operation_that_fails_makes_nothing_wrong, 240)
{
	char why[200];
	uint64_t n = fail_nth(variant, 0, why, sizeof(why));
	uint64_t step = variant->step * (uint64_t)harness_work_part();
	int wrong = 0;

	EXPECT_STREQ("", why);
	EXPECT_LT(50, n);
	for (uint64_t i = 1 + harness_random() % step; i <= n; i += step) {
		fail_nth(variant, i, why, sizeof(why));
		if (why[0] && wrong++ < 5)
			TH_LOG("operation %llu of %llu: %s", (unsigned long long)i,
			       (unsigned long long)n, why);
	}
	EXPECT_EQ(0, wrong);
}

/* ---- a full disk -------------------------------------------------------------------------- */

static int put_large(struct ok *k, uint64_t key)
{
	struct sl_object *o =
		ok_make(&(struct ok_object){.key = key, .n = (int64_t)key, .padding = 20000});
	struct sl_objects_op op = {.kind = SL_OBJECTS_PUT, .object = o};
	int rc = objects_write(k->o, "c", &op, 1, true, NULL, SL_NEVER);

	free(o);
	return rc ? rc : op.result;
}

static int fill_disk(struct ok *k)
{
	uint64_t n = 0;
	int rc = 0;

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_HNSW));
	sl_sim_limit(k->sim, sl_sim_used(k->sim) + 400000);
	while (!rc && n < 100)
		rc = put_large(k, n++);
	EXPECT_EQ(-ENOSPC, rc);
	EXPECT_LT(0, k->log_events[SL_LOG_FULL]);
	/* What is there is served. */
	EXPECT_EQ((int64_t)n - 1, ok_count(k, "c"));
	EXPECT_EQ(0, ok_number(k, "c", 0));
	EXPECT_EQ(1, ok_nearest(k, "c", 1, false));
	sl_sim_limit(k->sim, 0);
	for (uint64_t key = n - 1; key < 40; key++)
		EXPECT_EQ(0, put_large(k, key));
	EXPECT_EQ(40, ok_count(k, "c"));
	return ok_close(k);
}

static int is_whole(struct ok *k)
{
	ASSERT_EQ(0, ok_open(k));
	EXPECT_EQ(40, ok_count(k, "c"));
	for (int64_t key = 0; key < 40; key++)
		EXPECT_EQ(key, ok_number(k, "c", (uint64_t)key));
	return ok_close(k);
}

TEST(a_full_disk_refuses_and_goes_on_when_there_is_space)
{
	struct ok k;

	ok_init(&k, sl_sim_new(harness_seed(), NULL));
	EXPECT_EQ(0, ok_run(&k, fill_disk));
	EXPECT_EQ(0, ok_run(&k, is_whole));
	sl_sim_free(k.sim);
}

TEST_HARNESS_MAIN
