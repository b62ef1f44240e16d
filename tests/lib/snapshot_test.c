/* SPDX-License-Identifier: Apache-2.0 */
/* libsluice's store of objects: snapshots are made, taken elsewhere and restored. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_kit.h"

/* Copies what @fd has, with a flipped bit in the byte @flip if there is one. Return: bytes. */
static uint64_t copy(int fd, const char *path, uint64_t flip)
{
	int to = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	uint8_t buf[4096];
	uint64_t at = 0;
	ssize_t n;

	ASSERT_GE(to, 0);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (flip >= at && flip < at + (uint64_t)n)
			buf[flip - at] ^= 1;
		ASSERT_EQ(n, write(to, buf, (size_t)n));
		at += (uint64_t)n;
	}
	close(to);
	return at;
}

/* A snapshot of "c" in a file of its own. */
static void take_away(struct sl_objects *o, const char *path, uint64_t flip)
{
	struct sl_objects_snapshot s;
	int fd;

	ASSERT_EQ(0, sl_objects_snapshot_create(o, "c", &s));
	ASSERT_EQ(0, sl_objects_snapshot_open(o, "c", s.name, &fd));
	EXPECT_EQ(s.bytes, copy(fd, path, flip));
	close(fd);
	EXPECT_EQ(0, sl_objects_snapshot_delete(o, "c", s.name));
	EXPECT_EQ(-ENOENT, sl_objects_snapshot_open(o, "c", s.name, &fd));
}

TEST(a_snapshot_is_the_collection_as_it_was)
{
	struct sl_objects *o = store_open("durability=none");
	char path[300], why[200];

	snprintf(path, sizeof(path), "%s/away", harness_tmpdir());
	ASSERT_EQ(0, store_create(o, "c", SL_INDEX_HNSW));
	ASSERT_EQ(0, store_put(o, "c", 1, 100, 0));
	take_away(o, path, UINT64_MAX);
	ASSERT_EQ(0, store_put(o, "c", 1, 100, 1000));
	EXPECT_EQ(0, sl_objects_snapshot_restore(o, "other", path, why, sizeof(why)));
	EXPECT_EQ(100, store_count(o, "other"));
	EXPECT_EQ(42, store_number(o, "other", 42));
	EXPECT_EQ(42, store_nearest(o, "other", 42));
	EXPECT_EQ(1042, store_number(o, "c", 42));
	/* In place of what is there. */
	EXPECT_EQ(0, sl_objects_snapshot_restore(o, "c", path, NULL, 0));
	EXPECT_EQ(42, store_number(o, "c", 42));
	EXPECT_EQ(0, sl_objects_close(o));
}

TEST(a_snapshot_that_is_damaged_replaces_nothing)
{
	struct sl_objects *o = store_open("durability=none");
	char path[300], why[200] = "";

	snprintf(path, sizeof(path), "%s/away", harness_tmpdir());
	ASSERT_EQ(0, store_create(o, "c", SL_INDEX_FLAT));
	ASSERT_EQ(0, store_put(o, "c", 1, 100, 0));
	take_away(o, path, 9000);
	EXPECT_EQ(-EBADMSG, sl_objects_snapshot_restore(o, "c", path, why, sizeof(why)));
	EXPECT_NOT_NULL(strstr(why, "damaged"));
	EXPECT_EQ(100, store_count(o, "c"));
	snprintf(path, sizeof(path), "%s/none", harness_tmpdir());
	EXPECT_EQ(-ENOENT, sl_objects_snapshot_restore(o, "c", path, why, sizeof(why)));
	EXPECT_EQ(0, sl_objects_close(o));
}

TEST(snapshots_are_listed_with_their_bytes)
{
	struct sl_objects *o = store_open("durability=none");
	struct sl_objects_snapshot one, *list;
	uint32_t n;

	ASSERT_EQ(0, store_create(o, "c", SL_INDEX_FLAT));
	ASSERT_EQ(0, store_put(o, "c", 1, 10, 0));
	ASSERT_EQ(0, sl_objects_snapshot_list(o, "c", &list, &n));
	EXPECT_EQ(0, n);
	free(list);
	ASSERT_EQ(0, sl_objects_snapshot_create(o, "c", &one));
	ASSERT_EQ(0, sl_objects_snapshot_list(o, "c", &list, &n));
	ASSERT_EQ(1, n);
	EXPECT_STREQ(one.name, list[0].name);
	EXPECT_EQ(one.bytes, list[0].bytes);
	EXPECT_GT(list[0].created_ms, 0);
	free(list);
	EXPECT_EQ(-ENOENT, sl_objects_snapshot_create(o, "none", &one));
	EXPECT_EQ(-ENOENT, sl_objects_snapshot_list(o, "none", &list, &n));
	EXPECT_EQ(-ENOENT, sl_objects_snapshot_delete(o, "c", "none.snapshot"));
	EXPECT_EQ(0, sl_objects_close(o));
}

TEST_HARNESS_MAIN
