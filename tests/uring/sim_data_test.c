/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated disk's file contents: what is read, what is durable, what a failed sync loses. */
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim_calls.h"

FIXTURE(data)
{
	struct sl_sim *sim;
	int fd; /* of "a", whose name is durable */
};

static int open_again(void)
{
	return call_open("a", O_RDWR);
}

FIXTURE_SETUP(data)
{
	self->sim = sl_sim_new(2, NULL);
	sl_backend_use(sl_sim_backend(self->sim));
	self->fd = call_open("a", O_RDWR | O_CREAT);
	ASSERT_EQ(0, call_sync_path("/"));
}

FIXTURE_TEARDOWN(data)
{
	sl_backend_use(NULL);
	sl_sim_free(self->sim);
}

TEST_F(data, reads_see_unsynced_writes)
{
	char buf[256];

	EXPECT_EQ(5, call_write(self->fd, "hello", 5, 0));
	EXPECT_EQ(3, call_write(self->fd, "LLO", 3, 2));
	EXPECT_STREQ("heLLO", call_get("a", buf));
	EXPECT_EQ(0, call_read(self->fd, buf, 10, 5));
}

TEST_F(data, holes_read_as_zeros_and_take_no_space)
{
	uint8_t buf[16];

	EXPECT_EQ(1, call_write(self->fd, "x", 1, UINT64_C(1) << 38));
	EXPECT_EQ(4096, sl_sim_used(self->sim));
	EXPECT_EQ(16, call_read(self->fd, buf, 16, 12345678));
	EXPECT_EQ(0, buf[0] | buf[15]);
	EXPECT_EQ(-EFBIG, call_write(self->fd, "x", 1, UINT64_C(1) << 50));
	EXPECT_EQ(-EINVAL, call_write(self->fd, "x", 1, UINT64_MAX));
	EXPECT_EQ(0, call_fsync(self->fd));
}

TEST_F(data, what_was_cut_off_does_not_come_back)
{
	char buf[256];

	call_write(self->fd, "abcdef", 6, 0);
	EXPECT_EQ(0, call_ftruncate(self->fd, 2));
	EXPECT_EQ(0, call_ftruncate(self->fd, 6));
	EXPECT_EQ(6, call_read(self->fd, buf, 10, 0));
	EXPECT_MEMEQ("ab\0\0\0\0", buf, 6);
}

TEST_F(data, synced_data_survives_and_unsynced_is_lost)
{
	char buf[256];

	call_write(self->fd, "durable", 7, 0);
	EXPECT_EQ(0, call_fsync(self->fd));
	call_write(self->fd, "DOUBTFUL", 8, 0);
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_STREQ("durable", call_get("a", buf));
}

TEST_F(data, all_is_kept_where_that_is_asked_for)
{
	char buf[256];

	call_write(self->fd, "durable", 7, 0);
	call_fsync(self->fd);
	call_write(self->fd, "DOUBTFUL", 8, 0);
	sl_sim_reboot(self->sim, SL_SIM_KEEP_ALL);
	EXPECT_STREQ("DOUBTFUL", call_get("a", buf));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL); /* it is durable now */
	EXPECT_STREQ("DOUBTFUL", call_get("a", buf));
}

TEST_F(data, truncation_and_holes_need_a_sync_too)
{
	static char data[8192], seen[8192];

	memset(data, 'x', sizeof(data));
	call_write(self->fd, data, sizeof(data), 0);
	call_fsync(self->fd);
	call_ftruncate(self->fd, 100);
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_EQ(8192, call_size("a"));
	self->fd = open_again();
	call_fallocate(self->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	self->fd = open_again();
	EXPECT_EQ(8192, call_read(self->fd, seen, sizeof(seen), 0));
	EXPECT_MEMEQ(data, seen, sizeof(seen));
	call_ftruncate(self->fd, 100);
	EXPECT_EQ(0, call_fsync(self->fd));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_EQ(100, call_size("a"));
}

TEST_F(data, reserved_space_survives_its_sync)
{
	EXPECT_EQ(0, call_fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 0, 8192));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_EQ(0, sl_sim_used(self->sim));
	self->fd = open_again();
	EXPECT_EQ(0, call_fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 0, 8192));
	EXPECT_EQ(0, call_fsync(self->fd));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_EQ(8192, sl_sim_used(self->sim));
	EXPECT_EQ(0, call_size("a"));
}

TEST_F(data, a_failed_sync_loses_what_later_syncs_do_not_write)
{
	char buf[256];

	call_write(self->fd, "durable", 7, 0);
	call_fsync(self->fd);
	sl_sim_fail_sync(self->sim, 2);
	EXPECT_EQ(0, call_fsync(self->fd));
	call_write(self->fd, "DOUBTFUL", 8, 0);
	EXPECT_EQ(-EIO, call_fsync(self->fd));
	EXPECT_STREQ("DOUBTFUL", call_get("a", buf));
	EXPECT_EQ(0, call_fsync(self->fd)); /* and says nothing */
	sl_sim_reboot(self->sim, SL_SIM_KEEP_ALL);
	EXPECT_STREQ("durable", call_get("a", buf));
}

TEST_F(data, a_page_made_dirty_again_takes_what_was_lost_with_it)
{
	static char data[8192], seen[8192];

	memset(data, 'x', sizeof(data));
	call_write(self->fd, data, sizeof(data), 0);
	sl_sim_fail_sync_at(self->sim, SL_FAULT_SYNC_COMMIT, 1);
	EXPECT_EQ(0, call_sync_path("/"));
	EXPECT_EQ(-EIO, call_fsync_at(self->fd, SL_FAULT_SYNC_COMMIT));
	call_write(self->fd, "y", 1, 8191);
	EXPECT_EQ(0, call_fsync_at(self->fd, SL_FAULT_SYNC_COMMIT));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	self->fd = open_again();
	EXPECT_EQ(8192, call_read(self->fd, seen, sizeof(seen), 0));
	memset(data, 0, 4096);
	data[8191] = 'y';
	EXPECT_MEMEQ(data, seen, sizeof(seen));
}

TEST_F(data, a_lost_truncation_shows_no_old_bytes_behind_a_synced_size)
{
	static char data[8192], seen[8192];

	memset(data, 'x', sizeof(data));
	call_write(self->fd, data, sizeof(data), 0);
	call_fsync(self->fd);
	call_ftruncate(self->fd, 100);
	sl_sim_fail_sync(self->sim, 1);
	EXPECT_EQ(-EIO, call_fsync(self->fd));
	call_write(self->fd, "y", 1, 10);
	EXPECT_EQ(0, call_fsync(self->fd));
	call_ftruncate(self->fd, 8192);
	EXPECT_EQ(0, call_fsync(self->fd));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	self->fd = open_again();
	EXPECT_EQ(8192, call_read(self->fd, seen, sizeof(seen), 0));
	memset(data + 100, 0, sizeof(data) - 100);
	data[10] = 'y';
	EXPECT_MEMEQ(data, seen, sizeof(seen));
}

TEST_F(data, a_flipped_bit_is_flipped_everywhere)
{
	char buf[256];

	call_write(self->fd, "abc", 3, 0);
	call_fsync(self->fd);
	EXPECT_EQ(0, sl_sim_flip(self->sim, "a", 1, 0));
	EXPECT_STREQ("acc", call_get("a", buf));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_STREQ("acc", call_get("/a", buf));
	self->fd = open_again();
	call_write(self->fd, "xyz", 3, 0);
	EXPECT_EQ(0, sl_sim_flip(self->sim, "a", 0, 5));
	sl_sim_reboot(self->sim, SL_SIM_KEEP_ALL);
	EXPECT_STREQ("Xyz", call_get("a", buf));
	EXPECT_EQ(-ERANGE, sl_sim_flip(self->sim, "a", 3, 0));
	EXPECT_EQ(-ENOENT, sl_sim_flip(self->sim, "b", 0, 0));
	EXPECT_EQ(-EISDIR, sl_sim_flip(self->sim, "/", 0, 0));
}

/* ---- against plain memory ---------------------------------------------------------------- */

#define MODEL_BYTES 40000

struct model {
	uint8_t bytes[MODEL_BYTES];
	uint64_t size;
};

static void model_write(struct model *m, int fd)
{
	static uint8_t data[6000];
	uint64_t off = harness_random() % (MODEL_BYTES - sizeof(data));
	uint64_t len = harness_random() % sizeof(data) + 1;

	memset(data, (int)(harness_random() % 255) + 1, sizeof(data));
	ASSERT_EQ((int)len, call_write(fd, data, len, off));
	memcpy(m->bytes + off, data, len);
	m->size = sl_max(m->size, off + len);
}

static void model_truncate(struct model *m, int fd)
{
	uint64_t size = harness_random() % MODEL_BYTES;

	ASSERT_EQ(0, call_ftruncate(fd, size));
	if (size < m->size)
		memset(m->bytes + size, 0, m->size - size);
	m->size = size;
}

static void model_check(const struct model *m, int fd)
{
	static uint8_t seen[MODEL_BYTES];

	ASSERT_EQ((int)m->size, call_read(fd, seen, sizeof(seen), 0));
	ASSERT_MEMEQ(m->bytes, seen, m->size);
}

TEST_F(data, cache_and_disk_are_what_plain_memory_would_be)
{
	static struct model cache, disk;

	for (int i = 0; i < 3000; i++) {
		uint64_t what = harness_random() % 16;

		if (what < 10) {
			model_write(&cache, self->fd);
		} else if (what < 12) {
			model_truncate(&cache, self->fd);
		} else if (what < 14) {
			ASSERT_EQ(0, call_fsync(self->fd));
			disk = cache;
		} else if (what == 14) {
			sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
			self->fd = open_again();
			cache = disk;
		} else {
			sl_sim_reboot(self->sim, SL_SIM_KEEP_ALL);
			self->fd = open_again();
			disk = cache;
		}
		model_check(&cache, self->fd);
	}
}

TEST_HARNESS_MAIN
