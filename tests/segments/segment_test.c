/* SPDX-License-Identifier: Apache-2.0 */
/* Open files of sealed segments: as few as allowed, as many as needed. */
#include "kit.h"
#include "segments/segments_pvt.h"

enum { BYTES = 200, SEGMENTS = OPEN_SEALED_MAX + 20 };

static int many(struct kit *k)
{
	struct sl_span held;
	uint8_t header[KIT_HEADER];
	uint32_t id;

	k->conf.segment_bytes = 4096 + BYTES;
	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, SEGMENTS + 1, BYTES));
	EXPECT_EQ(SEGMENTS + 1, k->log->n_segs);
	EXPECT_LE(k->logs->open_sealed, OPEN_SEALED_MAX);
	ASSERT_EQ(1, sl_log_read(k->log, 0, 100, NULL, &held, 1, SL_NEVER));
	for (uint32_t i = 0; i <= SEGMENTS; i++) {
		if (!EXPECT_EQ(1, kit_read(k, i, 1, &id, 1, NULL)) || !EXPECT_EQ(i, id))
			TH_LOG("offset %u", i);
		EXPECT_LE(k->logs->open_sealed, OPEN_SEALED_MAX);
	}
	/* The segment of the first extent was closed meanwhile, its file was not. */
	EXPECT_NULL(k->log->segs[0]->sf);
	EXPECT_EQ(0, sl_read_all(held.extent.file->fd, header, sizeof(header), held.extent.off,
				 SL_NEVER));
	EXPECT_EQ(0, kit_id(header));
	sl_file_release(held.extent.file);
	return kit_close(k);
}

TEST(sealed_segments_are_opened_as_needed)
{
	struct kit k = {.sim = sl_sim_new(1, NULL)};

	ASSERT_EQ(0, kit_run(&k, many));
	EXPECT_EQ(0, k.events[SL_LOG_INDEX]);
	sl_sim_free(k.sim);
}

static int create_twice(struct kit *k)
{
	struct statx stx;

	ASSERT_EQ(0, sl_mkdir(k->dir, "log", 0700, SL_NEVER));
	sl_sim_fail_sync_at(k->sim, SL_FAULT(SYNC_SEGMENT_HEADER), 1);
	EXPECT_EQ(-EIO, sl_log_create(k->dir, "log", &kit_kind, SL_NEVER));
	EXPECT_EQ(-ENOENT, sl_stat(k->dir, kit_path(0, ".log"), &stx, SL_NEVER));
	EXPECT_EQ(-ENOENT, sl_stat(k->dir, kit_path(0, ".log.tmp"), &stx, SL_NEVER));
	sl_sim_fail_sync_at(k->sim, SL_FAULT(SYNC_SEGMENT_FOLDER), 1);
	EXPECT_EQ(-EIO, sl_log_create(k->dir, "log", &kit_kind, SL_NEVER));
	EXPECT_EQ(-ENOENT, sl_stat(k->dir, kit_path(0, ".log"), &stx, SL_NEVER));
	EXPECT_EQ(0, sl_log_create(k->dir, "log", &kit_kind, SL_NEVER));
	return 0;
}

TEST(creation_that_fails_leaves_nothing)
{
	struct kit k = {.sim = sl_sim_new(1, NULL)};

	ASSERT_EQ(0, kit_run_plain(&k, create_twice));
	sl_sim_free(k.sim);
}

/* Freed in steps, away from the core: a large file of a real disk. */
static int large(struct kit *k)
{
	struct kit_batch b = {1, 1, 12 << 20, 1};
	int64_t until;

	k->conf.segment_bytes = 4096 + 100;
	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_append(k, &b, NULL));
	ASSERT_EQ(0, kit_fill(k, 2, 1, 300));
	ASSERT_EQ(0, sl_log_trim(k->log, 1, SL_NEVER));
	until = sl_now() + 100 * SL_MSEC;
	while (sl_now() < until)
		sl_sleep(until);
	EXPECT_EQ(1, sl_log_start(k->log));
	return kit_close(k);
}

TEST(large_deleted_file_is_freed_aside)
{
	struct kit k = {.background = true};

	ASSERT_EQ(0, kit_run(&k, large));
}

TEST_HARNESS_MAIN
