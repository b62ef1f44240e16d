/* SPDX-License-Identifier: Apache-2.0 */
/* The cache as a whole: its folder, removing and purging over starts, figures. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cache_kit.h"

FIXTURE(cache)
{
	struct cache_kit k;
};
FIXTURE_SETUP(cache)
{
	cache_kit_init(&self->k, NULL);
}
FIXTURE_TEARDOWN(cache)
{
}

static int open_badly(struct cache_kit *k)
{
	char path[400], why[300];
	int fd;

	snprintf(path, sizeof(path), "%s/none/cache", harness_tmpdir());
	EXPECT_EQ(-ENOENT, cache_kit_open_why(k, path, why, sizeof(why)));
	EXPECT_NOT_NULL(strstr(why, "there is no such folder to make it in"));
	snprintf(path, sizeof(path), "%s/cache", harness_tmpdir());
	ASSERT_EQ(0, cache_kit_open(k));
	EXPECT_EQ(-EBUSY, cache_kit_open_why(k, path, why, sizeof(why)));
	EXPECT_NOT_NULL(strstr(why, "another process uses it"));
	cache_kit_close(k);
	EXPECT_EQ(0, cache_kit_open_why(k, path, why, sizeof(why)));
	/* Garbage is taken for nothing, and told of. */
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/cache/%s", harness_tmpdir(),
			 i ? "CACHE.copy" : "CACHE");
		fd = open(path, O_WRONLY | O_TRUNC);
		ASSERT_EQ(7, write(fd, "garbage", 7));
		close(fd);
	}
	ASSERT_EQ(0, cache_kit_open(k));
	EXPECT_EQ(1, k->events[CACHE_DROPPED]);
	cache_kit_close(k);
	return 0;
}

TEST_F(cache, a_folder_that_cannot_be_used_is_explained)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, open_badly));
}

static int found(struct cache_kit *k, uint32_t id)
{
	struct cache_kit_object o = {.id = id, .bytes = 1000 + id * 40000};

	return cache_kit_get(k, &o, NULL);
}

static void put_with(struct cache_kit *k, uint32_t id, const char *tag)
{
	struct cache_kit_object o = {.id = id, .bytes = 1000 + id * 40000};

	ASSERT_EQ(0, cache_kit_put(k, &o, tag));
}

static int remove_and_purge(struct cache_kit *k)
{
	ASSERT_EQ(0, cache_kit_open(k));
	for (uint32_t id = 1; id < 8; id++) {
		put_with(k, id, id % 2 ? "odd" : "even");
		EXPECT_EQ(0, found(k, id));
	}
	put_with(k, 30, NULL);
	put_with(k, 31, NULL);
	EXPECT_EQ(0, cache_remove(k->c, cache_kit_key(1), SL_NEVER));
	EXPECT_EQ(-ENOENT, cache_remove(k->c, cache_kit_key(1), SL_NEVER));
	EXPECT_EQ(0, cache_purge_tag(k->c, (struct cache_key){"even", 4}, SL_NEVER));
	EXPECT_EQ(0, cache_purge_prefix(k->c, (struct cache_key){"k:/object/3", 11}, SL_NEVER));
	/* Stored again, it is found. */
	put_with(k, 4, "even");
	put_with(k, 30, NULL);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(-ENOENT, found(k, 1));
		EXPECT_EQ(-ENOENT, found(k, 2));
		EXPECT_EQ(-ENOENT, found(k, 3));
		EXPECT_EQ(0, found(k, 4));
		EXPECT_EQ(0, found(k, 5));
		EXPECT_EQ(-ENOENT, found(k, 6));
		EXPECT_EQ(0, found(k, 7));
		EXPECT_EQ(0, found(k, 30));
		EXPECT_EQ(-ENOENT, found(k, 31));
		ASSERT_EQ(0, cache_kit_reopen(k));
	}
	EXPECT_EQ(0, cache_purge_prefix(k->c, (struct cache_key){"", 0}, SL_NEVER));
	for (uint32_t id = 1; id < 32; id++)
		EXPECT_EQ(-ENOENT, found(k, id));
	cache_kit_close(k);
	return 0;
}

TEST_F(cache, what_is_removed_or_purged_stays_so)
{
	self->k.conf.durability = SL_DURABILITY_NONE;
	self->k.conf.max_bytes = 64 * SL_MIB;
	EXPECT_EQ(0, cache_kit_run(&self->k, remove_and_purge));
}

/* Of records that no sync was for the one before the last is lost. */
static int lose_a_record(struct cache_kit *k)
{
	static const uint8_t zeros[256];
	char path[400];
	int fd;

	ASSERT_EQ(0, cache_kit_open(k));
	for (uint32_t id = 0; id < 8; id++)
		put_with(k, id, NULL);
	for (uint32_t id = 0; id < 3; id++)
		EXPECT_EQ(0, cache_remove(k->c, cache_kit_key(id), SL_NEVER));
	cache_kit_close(k);
	snprintf(path, sizeof(path), "%s/cache/00/journal", harness_tmpdir());
	fd = open(path, O_WRONLY);
	ASSERT_EQ(sizeof(zeros), pwrite(fd, zeros, sizeof(zeros), 1024 + sizeof(zeros)));
	close(fd);
	k->conf.durability = SL_DURABILITY_GROUP;
	ASSERT_EQ(0, cache_kit_open(k));
	EXPECT_EQ(0, found(k, 7));
	for (uint32_t id = 4; id < 7; id++)
		EXPECT_EQ(0, cache_remove(k->c, cache_kit_key(id), SL_NEVER));
	ASSERT_EQ(0, cache_kit_reopen(k));
	EXPECT_EQ(-ENOENT, found(k, 0));
	EXPECT_EQ(-ENOENT, found(k, 6));
	EXPECT_EQ(0, found(k, 7));
	EXPECT_EQ(0, k->events[CACHE_DROPPED]);
	cache_kit_close(k);
	return 0;
}

TEST_F(cache, a_journal_goes_on_after_records_that_were_not_durable)
{
	self->k.conf.durability = SL_DURABILITY_NONE;
	EXPECT_EQ(0, cache_kit_run(&self->k, lose_a_record));
}

static int count(struct cache_kit *k)
{
	struct cache_stat st;

	ASSERT_EQ(0, cache_kit_open(k));
	put_with(k, 0, NULL);
	put_with(k, 3, NULL);
	EXPECT_EQ(0, found(k, 0));
	EXPECT_EQ(0, found(k, 0));
	EXPECT_EQ(0, found(k, 3));
	EXPECT_EQ(-ENOENT, found(k, 5));
	EXPECT_EQ(0, cache_remove(k->c, cache_kit_key(0), SL_NEVER));
	cache_stat(k->c, &st);
	EXPECT_EQ(1, st.objects);
	EXPECT_EQ(2, st.stored);
	EXPECT_EQ(1000 + 121000, st.stored_bytes);
	EXPECT_EQ(3, st.hits);
	EXPECT_EQ(1, st.memory_hits);
	EXPECT_EQ(1, st.misses);
	EXPECT_EQ(1, st.removed);
	EXPECT_EQ(2, st.slices);
	EXPECT_EQ(2000, st.slice_bytes);
	EXPECT_EQ(1, st.extents);
	EXPECT_EQ(121000, st.extent_bytes);
	EXPECT_EQ(2, st.verified_blocks);
	EXPECT_LE(121000, st.bytes);
	cache_kit_close(k);
	return 0;
}

TEST_F(cache, what_happens_is_counted)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, count));
}

TEST_HARNESS_MAIN
