/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots: taken, listed, restored from their file and from what is uploaded, in one step
 * wherever the power goes; damaged ones.
 *
 * Order of parts: a collection with one; taking; damage; one step; folders that stay;
 * uploads.
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
static void take_one(struct ok *k, struct sl_objects_snapshot *ret_one)
{
	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_FLAT));
	ASSERT_EQ(0, ok_put(k, "c", 0, ROWS, 3));
	ASSERT_EQ(0, objects_snapshot_create(k->o, "c", ret_one, SL_NEVER));
}

enum { ID_BYTES = 2 * SL_OBJECT_UUID_BYTES + 1 };

/* The id of "c", as its folder is called. */
static void id_of(struct ok *k, char ret_id[ID_BYTES])
{
	struct objects_view *view = objects_view(k->o);
	const uint8_t *id = objects_view_find(view, "c")->id;

	for (int i = 0; i < SL_OBJECT_UUID_BYTES; i++)
		snprintf(ret_id + (size_t)i * 2, 3, "%02x", id[i]);
	objects_view_release(view);
}

/* Its path below DATADIR. */
static void path_of(struct ok *k, const struct sl_objects_snapshot *one, char *ret_path, size_t len)
{
	char id[ID_BYTES];

	id_of(k, id);
	snprintf(ret_path, len, "objects/%s/snapshots/%s", id, one->name);
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
	struct sl_objects_snapshot one, *list;
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
	struct sl_objects_snapshot one;
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

/* ---- one step ----------------------------------------------------------------------------- */

/* What restoring is done to, and what is seen meanwhile. */
struct watcher {
	struct ok *k;
	bool stop, ended;
	uint32_t looks;
};

/* The collection is the one before or the one after, and there is no other. */
static void watch(void *arg)
{
	struct watcher *w = arg;

	while (!w->stop) {
		struct objects_view *view = objects_view(w->k->o);
		int64_t n = ok_count(w->k, "c");

		EXPECT_EQ(1, objects_view_count(view));
		EXPECT_STREQ("c", objects_view_at(view, 0)->name);
		objects_view_release(view);
		/* It may have gone between the look for its name and the count. */
		EXPECT_TRUE(n == 1 || n == ROWS || n == -ENOENT - 1000);
		w->looks++;
		sl_sleep(sl_now() + 100 * SL_USEC);
	}
	w->ended = true;
}

static void alias_of(struct ok *k)
{
	const struct objects_alias_change x = {OBJECTS_ALIAS_CREATE, "alias", "c"};
	char why[200];

	ASSERT_EQ(0, objects_alias(k->o, &x, 1, why, sizeof(why), SL_NEVER));
}

static int restores(struct ok *k)
{
	struct watcher w = {.k = k};
	struct sl_objects_snapshot one, *list;
	char path[500];
	uint32_t n;

	take_one(k, &one);
	alias_of(k);
	path_of(k, &one, path, sizeof(path));
	for (uint64_t key = 1; key < ROWS; key++)
		ASSERT_EQ(0, ok_delete(k, "c", key));
	ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, watch, &w));
	EXPECT_EQ(0, restore(k, "c", path));
	w.stop = true;
	while (!w.ended)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_LT(0, w.looks);
	check(k, "c");
	check(k, "alias");
	ASSERT_EQ(0, objects_snapshot_list(k->o, "c", &list, &n, SL_NEVER));
	EXPECT_EQ(1, n);
	free(list);
	/* With the collection the file went to another folder. */
	EXPECT_EQ(-ENOENT, restore(k, "c", path));
	path_of(k, &one, path, sizeof(path));
	EXPECT_EQ(-EINVAL, restore(k, "a/b", path));
	EXPECT_EQ(-EINVAL, restore(k, "\1", path));
	return ok_close(k);
}

static int is_restored(struct ok *k)
{
	struct sl_objects_snapshot *list;
	uint32_t n;

	ASSERT_EQ(0, ok_open(k));
	check(k, "alias");
	ASSERT_EQ(0, objects_snapshot_list(k->o, "c", &list, &n, SL_NEVER));
	EXPECT_EQ(1, n);
	free(list);
	EXPECT_EQ(0, k->events[OBJECTS_SKIPPED]);
	return ok_close(k);
}

TEST(restoring_takes_the_place_of_what_was_there_at_once)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, restores);
	RUN(&k, is_restored);
}

enum { FEW = 12 };

/* A body: objects whose numbers are their keys plus 3, a snapshot, then plus 100. */
static int prepare(struct ok *k)
{
	struct sl_objects_snapshot one;

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_FLAT));
	alias_of(k);
	ASSERT_EQ(0, ok_put(k, "c", 0, FEW, 3));
	ASSERT_EQ(0, objects_snapshot_create(k->o, "c", &one, SL_NEVER));
	ASSERT_EQ(0, ok_put(k, "c", 0, FEW, 100));
	return ok_close(k);
}

/* A body: restores the one that there is; k->arg says whether it did. */
static int restore_it(struct ok *k)
{
	struct sl_objects_snapshot *list = NULL;
	char path[500];
	uint32_t n = 0;

	if (ok_open(k))
		return 0;
	if (objects_snapshot_list(k->o, "c", &list, &n, SL_NEVER) == 0 && n == 1) {
		path_of(k, &list[0], path, sizeof(path));
		*(bool *)k->arg = restore(k, "c", path) == 0;
	}
	free(list);
	ok_close(k);
	return 0;
}

/* A body: all objects are of the one or of the other. */
static int is_either(struct ok *k)
{
	struct sl_objects_snapshot *list = NULL;
	struct objects_view *view;
	int64_t add = 0;
	uint32_t n = 0;

	ASSERT_EQ(0, ok_open(k));
	view = objects_view(k->o);
	EXPECT_EQ(1, objects_view_count(view));
	objects_view_release(view);
	for (uint64_t key = 0; key < FEW; key++) {
		int64_t number = ok_number(k, "alias", key) - (int64_t)key;

		EXPECT_TRUE(number == 3 || number == 100);
		EXPECT_EQ(key ? add : number, number);
		add = number;
	}
	/* What was acknowledged stays. */
	if (*(bool *)k->arg)
		EXPECT_EQ(3, add);
	EXPECT_EQ(0, objects_snapshot_list(k->o, "c", &list, &n, SL_NEVER));
	EXPECT_EQ(1, n);
	free(list);
	EXPECT_EQ(0, k->events[OBJECTS_SKIPPED]);
	return ok_close(k);
}

/* Cuts the power after @cut operations. Return: whether it was cut. */
static bool cut_at(uint64_t cut, enum sl_sim_policy policy)
{
	bool done = false, was_cut;
	struct ok k;

	ok_init(&k, sl_sim_new(7, NULL));
	k.arg = &done;
	RUN(&k, prepare);
	sl_sim_cut_after(k.sim, cut);
	ok_run(&k, restore_it);
	was_cut = sl_sim_is_cut(k.sim);
	sl_sim_reboot(k.sim, policy);
	RUN(&k, is_either);
	sl_sim_free(k.sim);
	return was_cut;
}

TEST_TIMEOUT(restoring_is_done_or_not_wherever_the_power_goes, 240)
{
	static const enum sl_sim_policy policies[] = {SL_SIM_LOSE_ALL, SL_SIM_KEEP_ALL,
						      SL_SIM_RANDOM};

	for (size_t i = 0; i < SL_ARRAY_SIZE(policies); i++) {
		uint64_t cut = 0;

		while (cut_at(cut, policies[i]))
			cut++;
		EXPECT_LT(20, cut);
	}
}

/* ---- folders that stay -------------------------------------------------------------------- */

/* What is replaced keeps its folder, for the name that it should get is taken by one that is not
 * empty. */
static void restore_beside(struct ok *k, const struct sl_objects_snapshot *one)
{
	char path[500], id[ID_BYTES], deleted[100], within[110];

	path_of(k, one, path, sizeof(path));
	id_of(k, id);
	snprintf(deleted, sizeof(deleted), "objects/deleted-%s", id);
	snprintf(within, sizeof(within), "%s/x", deleted);
	ASSERT_EQ(0, sl_mkdir(k->conf.dir, deleted, 0700, SL_NEVER));
	ASSERT_EQ(0, sl_mkdir(k->conf.dir, within, 0700, SL_NEVER));
	ASSERT_EQ(0, restore(k, "c", path));
}

enum { RESTORES = 6 };

/* Neither folders nor aliases can be changed: the next start finds all that there was. */
static int restores_on(struct ok *k)
{
	struct sl_objects_snapshot one;

	take_one(k, &one);
	alias_of(k);
	ASSERT_EQ(0, sl_mkdir(k->conf.dir, "objects/aliases.tmp", 0700, SL_NEVER));
	for (uint32_t i = 0; i < RESTORES; i++) {
		ASSERT_EQ(0, ok_delete(k, "c", 0));
		restore_beside(k, &one);
	}
	ASSERT_EQ(0, ok_put(k, "c", ROWS, 1, 3));
	ASSERT_EQ(0, sl_unlink(k->conf.dir, "objects/aliases.tmp", AT_REMOVEDIR, SL_NEVER));
	return ok_close(k);
}

static int is_the_last(struct ok *k)
{
	struct objects_view *view;

	ASSERT_EQ(0, ok_open(k));
	view = objects_view(k->o);
	EXPECT_EQ(1, objects_view_count(view));
	objects_view_release(view);
	EXPECT_EQ(ROWS + 1, ok_count(k, "c"));
	EXPECT_EQ(ROWS + 1, ok_count(k, "alias"));
	EXPECT_EQ(0, k->events[OBJECTS_SKIPPED]);
	return ok_close(k);
}

TEST(the_last_of_many_that_took_one_place_has_it)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, restores_on);
	RUN(&k, is_the_last);
	RUN(&k, is_the_last);
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
	struct sl_objects_snapshot one;
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
