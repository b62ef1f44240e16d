/* SPDX-License-Identifier: Apache-2.0 */
/* Disk space ahead of the tail: taken in steps, given back, and never missed. */
#include "kit.h"
#include "segments/segments_pvt.h"

static uint64_t blocks(struct kit *k, uint64_t *ret_size)
{
	struct statx stx = {0};

	EXPECT_EQ(0, sl_stat(k->dir, kit_path(0, ".log"), &stx, SL_NEVER));
	*ret_size = stx.stx_size;
	return stx.stx_blocks * 512;
}

static int ahead(struct kit *k)
{
	uint64_t size, taken;

	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, 1, 1000));
	while (k->log->reserving)
		sl_sleep(sl_now() + SL_MSEC);
	taken = blocks(k, &size);
	EXPECT_EQ(4096 + 1000, size);
	if (taken < PREALLOCATE_MIN) {
		SKIP((void)0, "no fallocate here: %llu bytes taken", (unsigned long long)taken);
		return kit_close(k);
	}
	ASSERT_EQ(0, kit_fill(k, 1, 1000, 1000));
	while (k->log->reserving)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_LT(PREALLOCATE_MIN, k->log->reserve_step);
	EXPECT_LT(k->log->tail.pos, k->log->reserved_end);
	ASSERT_EQ(0, kit_close(k));
	taken = blocks(k, &size);
	EXPECT_EQ(4096 + 1001000, size);
	EXPECT_LE(taken, sl_round_up(size, 65536));
	return 0;
}

TEST(space_ahead_grows_in_steps_and_is_given_back)
{
	struct kit k = {.background = true};

	ASSERT_EQ(0, kit_run(&k, ahead));
}

static int refused(struct kit *k)
{
	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, 1000, 1000));
	EXPECT_EQ(1000, sl_log_durable(k->log));
	return kit_close(k);
}

TEST(refused_reservation_is_no_error)
{
	struct kit k = {.sim = sl_sim_new(1, NULL), .background = true};
	struct sl_faults faults;
	struct sl_cores_conf conf = {.backend = &faults.backend, .arena_bytes_max = 64 * SL_MIB,
				     .rx_buffers = 8};

	sl_faults_init(&faults, sl_sim_backend(k.sim));
	faults.ops = UINT64_C(1) << SL_OP_FALLOCATE;
	faults.nth = 1;
	faults.err = EOPNOTSUPP;
	faults.sticky = true;
	ASSERT_EQ(0, kit_run_on(&k, &conf, refused));
	EXPECT_LT(0, faults.count);
	EXPECT_EQ(0, k.events[SL_LOG_FULL] + k.events[SL_LOG_FAILED]);
	sl_sim_free(k.sim);
}

TEST_HARNESS_MAIN
