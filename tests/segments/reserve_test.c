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

static uint64_t log_ahead(const struct sl_log *log)
{
	return log->reserved_end - sl_min(log->tail.pos, log->reserved_end);
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

/* ---- a small disk ------------------------------------------------------------------------- */

static void wait_reserved(struct sl_log *log)
{
	while (log->reserving)
		sl_sleep(sl_now() + SL_MSEC);
}

static int bounded(struct kit *k)
{
	uint64_t size, room;

	ASSERT_EQ(0, kit_create(k));
	/* The last megabytes are nobody's to reserve. */
	sl_sim_limit(k->sim, sl_sim_used(k->sim) + 16 * SL_MIB);
	ASSERT_EQ(0, kit_fill(k, 0, 100, 1000));
	wait_reserved(k->log);
	EXPECT_GT(PREALLOCATE_MIN, blocks(k, &size) - size);
	EXPECT_EQ(0, k->events[SL_LOG_FULL]);
	/* Above them a step is a small part of what is free. */
	sl_sim_limit(k->sim, sl_sim_used(k->sim) + 24 * SL_MIB);
	for (uint32_t i = 0; i < 500; i++) {
		ASSERT_EQ(0, kit_fill(k, 100 + i * 10, 10, 1000));
		wait_reserved(k->log);
		ASSERT_EQ(0, sl_free_bytes(k->dir, &room));
		EXPECT_GE(2 * 24 * SL_MIB / 64, log_ahead(k->log));
		EXPECT_LE(16 * SL_MIB - 20000, room);
	}
	EXPECT_LE(PREALLOCATE_MIN, blocks(k, &size) - size);
	return kit_close(k);
}

TEST(a_step_is_a_small_part_of_what_is_free)
{
	struct kit k = {.sim = sl_sim_new(1, NULL), .background = true};

	ASSERT_EQ(0, kit_run(&k, bounded));
	sl_sim_free(k.sim);
}

/* Another log of the same core, in its own folder. */
static struct sl_log *open_other(struct kit *k)
{
	const struct sl_log_conf conf = {.durability = SL_DURABILITY_GROUP};
	struct sl_log *log = NULL;

	ASSERT_EQ(0, sl_mkdir(k->dir, "other", 0700, SL_NEVER));
	ASSERT_EQ(0, sl_log_create(k->dir, "other", &kit_kind, SL_NEVER));
	ASSERT_EQ(0, sl_log_open(k->logs, k->dir, "other", "kit", &kit_kind, &conf, &log,
				 SL_NEVER));
	return log;
}

static int append_to(struct sl_log *log, uint32_t id)
{
	static uint8_t bytes[64 * SL_KIB];
	struct kit_batch b = {id, 1, sizeof(bytes), 1000};
	struct sl_frame f = kit_make(&b, bytes);
	struct iovec iov = {bytes, sizeof(bytes)};
	uint64_t base;
	int err = sl_log_append(log, &iov, 1, &f, NULL, &base, SL_NEVER);

	return sl_min(err, 0);
}

/* Refused once, for the space that another log of the core has ahead; that is given back then. */
static int given_back(struct kit *k)
{
	struct sl_log *other;
	uint64_t ahead, before;
	uint32_t id = 0;
	int err = 0;

	ASSERT_EQ(0, kit_create(k));
	other = open_other(k);
	for (uint32_t i = 0; i < 50; i++) {
		ASSERT_EQ(0, kit_fill(k, i * 100, 100, 1000));
		wait_reserved(k->log);
	}
	ahead = log_ahead(k->log);
	ASSERT_LT(2 * SL_MIB, ahead);
	sl_sim_limit(k->sim, sl_sim_used(k->sim) + SL_MIB);
	while (!err && id < 100)
		err = append_to(other, id++);
	EXPECT_EQ(-ENOSPC, err);
	EXPECT_EQ(1, k->events[SL_LOG_FULL]);
	while (log_ahead(k->log))
		sl_sleep(sl_now() + SL_MSEC);
	for (uint64_t more = 0; more + SL_MIB < ahead; more += 64 * SL_KIB)
		EXPECT_EQ(0, append_to(other, id++));
	/* A quota is invisible: nobody takes any ahead for a while, whatever seems to be free. */
	sl_sim_limit(k->sim, 0);
	before = sl_sim_used(k->sim);
	ASSERT_EQ(0, kit_fill(k, 5000, 200, 1000));
	wait_reserved(k->log);
	EXPECT_GE(200 * 1000 + 4096, sl_sim_used(k->sim) - before);
	EXPECT_EQ(0, sl_log_close(other, SL_NEVER));
	return kit_close(k);
}

TEST(a_write_without_space_gets_what_others_have_ahead)
{
	struct kit k = {.sim = sl_sim_new(1, NULL), .background = true};

	ASSERT_EQ(0, kit_run(&k, given_back));
	EXPECT_EQ(1, k.events[SL_LOG_FULL]);
	sl_sim_free(k.sim);
}

TEST_HARNESS_MAIN
