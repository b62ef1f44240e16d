/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots: taken, listed, restored from their file and from what is uploaded; damaged ones.
 *
 * Order of parts: a collection with one; taking; damage; uploads.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <sluice/util.h>

#include "objects_kit.h"

#define RUN(k, body) ASSERT_EQ(0, ok_run(k, body))

/* ---- a collection with one ---------------------------------------------------------------- */

enum { ROWS = 500 };

/* "c" of ROWS objects, whose numbers are their keys plus 3, and a snapshot of it. */
static void take_one(struct ok *k, struct objects_snapshot *ret_one)
{
	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_FLAT));
	ASSERT_EQ(0, ok_put(k, "c", 0, ROWS, 3));
	ASSERT_EQ(0, objects_snapshot_create(k->o, "c", ret_one, SL_NEVER));
}

/* Its path below DATADIR. */
static void path_of(struct ok *k, const struct objects_snapshot *one, char *ret_path, size_t len)
{
	struct objects_view *view = objects_view(k->o);
	const uint8_t *id = objects_view_find(view, "c")->id;
	size_t at = (size_t)snprintf(ret_path, len, "objects/");

	for (int i = 0; i < SL_OBJECT_UUID_BYTES; i++)
		at += (size_t)snprintf(ret_path + at, len - at, "%02x", id[i]);
	snprintf(ret_path + at, len - at, "/snapshots/%s", one->name);
	objects_view_release(view);
}

static void check(struct ok *k, const char *name)
{
	EXPECT_EQ(ROWS, ok_count(k, name));
	EXPECT_EQ(10, ok_number(k, name, 7));
	EXPECT_EQ(7, ok_nearest(k, name, 10, true));
}

static int restore(struct ok *k, const char *name, const char *path)
{
	char why[200];

	return objects_snapshot_restore(k->o, name, k->conf.dir, path, why, sizeof(why), SL_NEVER);
}

/* ---- taking ------------------------------------------------------------------------------- */

static int snapshots(struct ok *k)
{
	struct objects_snapshot one, *list;
	struct sl_extent extent;
	char path[500];
	uint32_t n;

	take_one(k, &one);
	ASSERT_EQ(0, objects_snapshot_list(k->o, "c", &list, &n, SL_NEVER));
	ASSERT_EQ(1, n);
	EXPECT_STREQ(one.name, list[0].name);
	EXPECT_EQ(one.bytes, list[0].bytes);
	free(list);
	ASSERT_EQ(0, objects_snapshot_open(k->o, "c", one.name, &extent, SL_NEVER));
	EXPECT_EQ(one.bytes, extent.len);
	sl_file_release(extent.file);
	EXPECT_EQ(-ENOENT, objects_snapshot_open(k->o, "c", "../collection", &extent, SL_NEVER));
	path_of(k, &one, path, sizeof(path));
	ASSERT_EQ(0, restore(k, "d", path));
	check(k, "d");
	EXPECT_EQ(0, objects_snapshot_delete(k->o, "c", one.name, SL_NEVER));
	EXPECT_EQ(-ENOENT, objects_snapshot_delete(k->o, "c", one.name, SL_NEVER));
	return ok_close(k);
}

TEST(snapshot_gives_back_what_it_was_made_of)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, snapshots);
}

/* ---- damage ------------------------------------------------------------------------------- */

/* Any byte that is wrong is noticed before anything is replaced. */
static int damaged(struct ok *k)
{
	struct objects_snapshot one;
	char path[500];
	uint8_t byte;
	int fd;

	take_one(k, &one);
	path_of(k, &one, path, sizeof(path));
	ASSERT_EQ(0, restore(k, "d", path));
	fd = sl_open(k->conf.dir, path, O_RDWR, 0, SL_NEVER);
	ASSERT_LE(0, fd);
	for (uint64_t pos = 0; pos < one.bytes; pos += one.bytes / 50) {
		ASSERT_EQ(0, sl_read_all(fd, &byte, 1, pos, SL_NEVER));
		byte ^= 4;
		ASSERT_EQ(0, sl_write_all(fd, &byte, 1, pos, SL_NEVER));
		if (!EXPECT_EQ(-EBADMSG, restore(k, "d", path)))
			TH_LOG("at %llu", (unsigned long long)pos);
		byte ^= 4;
		ASSERT_EQ(0, sl_write_all(fd, &byte, 1, pos, SL_NEVER));
	}
	sl_close(fd);
	check(k, "d");
	return ok_close(k);
}

TEST(damaged_snapshot_replaces_nothing)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, damaged);
}

/* ---- uploads ------------------------------------------------------------------------------ */

/* Sends all of @path but for its last @less bytes. Return: of the restore as "u". */
static int upload(struct ok *k, const char *path, uint64_t bytes, uint64_t less)
{
	struct objects_upload *u;
	uint8_t piece[3001];
	char why[200];
	int rc, fd = sl_open(k->conf.dir, path, O_RDONLY, 0, SL_NEVER);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, objects_upload_new(k->o, &u, SL_NEVER));
	for (uint64_t pos = 0; pos < bytes - less; pos += sizeof(piece)) {
		size_t n = sl_min(sizeof(piece), (size_t)(bytes - less - pos));

		ASSERT_EQ(0, sl_read_all(fd, piece, n, pos, SL_NEVER));
		ASSERT_EQ(0, objects_upload_write(u, piece, n, SL_NEVER));
	}
	rc = objects_upload_restore(u, "u", why, sizeof(why), SL_NEVER);
	objects_upload_free(u);
	sl_close(fd);
	return rc;
}

static int is_upload(void *arg, const char *name, int type)
{
	(void)type;
	*(int *)arg += strncmp(name, "upload-", 7) == 0;
	return 0;
}

/* Files of uploads in the store's folder. */
static int uploads_left(struct ok *k)
{
	int n = 0, dir = sl_open(k->conf.dir, "objects", O_RDONLY | O_DIRECTORY, 0, SL_NEVER);

	ASSERT_LE(0, dir);
	ASSERT_EQ(0, sl_list_folder(dir, is_upload, &n));
	sl_close(dir);
	return n;
}

static int uploads(struct ok *k)
{
	struct objects_snapshot one;
	char path[500];

	take_one(k, &one);
	path_of(k, &one, path, sizeof(path));
	EXPECT_EQ(-EBADMSG, upload(k, path, one.bytes, 1));
	EXPECT_EQ(-ENOENT - 1000, ok_number(k, "u", 1));
	EXPECT_EQ(0, upload(k, path, one.bytes, 0));
	check(k, "u");
	EXPECT_EQ(0, uploads_left(k));
	return ok_close(k);
}

static int leave_one(struct ok *k)
{
	int fd;

	ASSERT_EQ(0, ok_open(k));
	fd = sl_open(k->conf.dir, "objects/upload-1", O_RDWR | O_CREAT, 0600, SL_NEVER);
	ASSERT_LE(0, fd);
	sl_close(fd);
	EXPECT_EQ(1, uploads_left(k));
	return ok_close(k);
}

static int is_swept(struct ok *k)
{
	int64_t until = sl_now() + 20 * SL_SEC * harness_time_scale();

	ASSERT_EQ(0, ok_open(k));
	while (uploads_left(k) && sl_now() < until)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(0, uploads_left(k));
	return ok_close(k);
}

TEST(uploaded_snapshot_is_restored_when_it_is_whole)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, uploads);
}

TEST(upload_that_a_kill_left_goes_at_the_next_start)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, leave_one);
	RUN(&k, is_swept);
}

TEST_HARNESS_MAIN
