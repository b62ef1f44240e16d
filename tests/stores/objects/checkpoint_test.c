/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What starts find: checkpoints, whole, damaged and missing; compacted logs; collections that were
 * put away, a thousand of them.
 *
 * Order of parts: starts; damage; compaction; putting away.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <dirent.h>

#include <sluice/util.h>

#include "objects_kit.h"

#define RUN(k, body) ASSERT_EQ(0, ok_run(k, body))

/* ---- starts ------------------------------------------------------------------------------- */

enum { ROWS = 500 };

static int fill(struct ok *k)
{
	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_HNSW));
	ASSERT_EQ(0, ok_put(k, "c", 0, ROWS, 0));
	ASSERT_EQ(0, ok_put(k, "c", 0, ROWS / 2, 1000));
	ASSERT_EQ(0, ok_delete(k, "c", 3));
	ASSERT_EQ(0, ok_indexed(k, "c"));
	return ok_close(k);
}

/* Everything is as fill() left it, but for @lost objects at the most. */
static void check(struct ok *k, int64_t lost)
{
	int64_t there = 0;

	for (uint64_t key = 0; key < ROWS; key++) {
		int64_t n = ok_number(k, "c", key),
			want = (int64_t)key + (key < ROWS / 2 ? 1000 : 0);

		if (key == 3) {
			EXPECT_EQ(-1, n);
			continue;
		}
		/* An older version may show only where the newer one is lost. */
		if (n != want && lost > 0)
			continue;
		EXPECT_EQ(want, n);
		EXPECT_EQ((int64_t)key, ok_nearest(k, "c", want, false));
		there++;
	}
	EXPECT_LE(ROWS - 1 - lost, there);
}

static int as_it_was(struct ok *k)
{
	struct sl_objects_info info;

	ASSERT_EQ(0, ok_open(k));
	EXPECT_EQ(ROWS - 1, ok_count(k, "c"));
	check(k, 0);
	ASSERT_EQ(0, objects_info(k->o, "c", &info, SL_NEVER));
	EXPECT_EQ(ROWS - 1, info.indexed);
	return ok_close(k);
}

/* The folder of "c", below DATADIR. */
static void folder_of(struct ok *k, char ret_path[64])
{
	struct objects_view *view = objects_view(k->o);
	const uint8_t *id = objects_view_find(view, "c")->id;
	int at = snprintf(ret_path, 64, "objects/");

	for (int i = 0; i < SL_OBJECT_UUID_BYTES; i++)
		at += snprintf(ret_path + at, 64 - (size_t)at, "%02x", id[i]);
	objects_view_release(view);
}

static int drop_checkpoint(struct ok *k)
{
	char path[128], folder[64];
	int rc;

	ASSERT_EQ(0, ok_open(k));
	folder_of(k, folder);
	snprintf(path, sizeof(path), "%s/checkpoint", folder);
	rc = sl_unlink(k->conf.dir, path, 0, SL_NEVER);
	EXPECT_EQ(0, rc);
	return ok_close(k);
}

static int made_anew(struct ok *k)
{
	ASSERT_EQ(0, ok_open(k));
	check(k, 0);
	ASSERT_EQ(0, ok_indexed(k, "c"));
	check(k, 0);
	return ok_close(k);
}

TEST(checkpoint_is_of_use_and_not_needed)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, fill);
	RUN(&k, as_it_was);
	RUN(&k, drop_checkpoint);
	RUN(&k, made_anew);
	RUN(&k, as_it_was);
}

/* ---- damage ------------------------------------------------------------------------------- */

/* Turns a bit over at @part of 1000 of the file. Return: whether there is such a file. */
static bool flip(int dir, const char *path, uint64_t part)
{
	struct statx stx;
	uint8_t byte;
	uint64_t pos;
	int fd = sl_open(dir, path, O_RDWR, 0, SL_NEVER);

	if (fd < 0)
		return false;
	ASSERT_EQ(0, sl_stat(fd, "", &stx, SL_NEVER));
	pos = stx.stx_size * part / 1000;
	ASSERT_EQ(0, sl_read_all(fd, &byte, 1, pos, SL_NEVER));
	byte ^= 16;
	ASSERT_EQ(0, sl_write_all(fd, &byte, 1, pos, SL_NEVER));
	sl_close(fd);
	return true;
}

static int damaged(struct ok *k)
{
	static const char *const files[] = {"checkpoint", "log/00000000000000000000.log"};
	char folder[64], path[160];
	int dir;

	ASSERT_EQ(0, fill(k));
	for (size_t f = 0; f < SL_ARRAY_SIZE(files); f++) {
		for (uint64_t part = 1; part < 1000; part += 111) {
			ASSERT_EQ(0, ok_open(k));
			folder_of(k, folder);
			snprintf(path, sizeof(path), "%s/%s", folder, files[f]);
			dir = sl_open(k->conf.dir, ".", O_RDONLY | O_DIRECTORY, 0, SL_NEVER);
			ASSERT_EQ(0, ok_close(k));
			ASSERT_TRUE(flip(dir, path, part));
			ASSERT_EQ(0, ok_open(k));
			/* One object at the most, or none. */
			check(k, f ? 1 : 0);
			ASSERT_EQ(0, ok_close(k));
			if (f)
				ASSERT_TRUE(flip(dir, path, part));
			sl_close(dir);
		}
	}
	return 0;
}

TEST_TIMEOUT(a_flipped_bit_costs_one_object_at_the_most, 120)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, damaged);
}

/* Damages the checkpoint of "c" before it is opened. */
static void damage(struct ok *k)
{
	char folder[64], path[160];

	folder_of(k, folder);
	snprintf(path, sizeof(path), "%s/checkpoint", folder);
	ASSERT_TRUE(flip(k->conf.dir, path, 500));
}

static int again(struct ok *k)
{
	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_put(k, "c", 7, 1, 1000));
	return ok_close(k);
}

static int older(struct ok *k)
{
	struct sl_objects_info info;

	ASSERT_EQ(0, ok_open(k));
	damage(k);
	/* What it tells is of before anybody indexes anything. */
	ASSERT_EQ(0, objects_info(k->o, "c", &info, SL_NEVER));
	EXPECT_LE(ROWS - 2, info.indexed);
	EXPECT_EQ(1, k->events[OBJECTS_REBUILT]);
	EXPECT_EQ(0, k->events[OBJECTS_LOST]);
	check(k, 0);
	return ok_close(k);
}

TEST(damaged_checkpoint_is_stood_in_for_by_the_one_before)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, fill);
	RUN(&k, again);
	RUN(&k, older);
}

/* A kill between the two renames: the newest is not there. */
static int renamed(struct ok *k)
{
	char folder[64], path[160], old[160];
	struct sl_objects_info info;

	ASSERT_EQ(0, ok_open(k));
	folder_of(k, folder);
	snprintf(path, sizeof(path), "%s/checkpoint", folder);
	snprintf(old, sizeof(old), "%s/checkpoint.old", folder);
	ASSERT_EQ(0, sl_rename(k->conf.dir, path, k->conf.dir, old, SL_NEVER));
	ASSERT_EQ(0, objects_info(k->o, "c", &info, SL_NEVER));
	EXPECT_EQ(ROWS - 1, info.indexed);
	EXPECT_EQ(0, k->events[OBJECTS_REBUILT]);
	return ok_close(k);
}

TEST(checkpoint_without_its_name_is_found)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, fill);
	RUN(&k, renamed);
}

/* ---- compaction --------------------------------------------------------------------------- */

static int overwrite(struct ok *k)
{
	struct sl_objects_op ops[64];
	struct sl_object *objects[64];

	for (uint64_t i = 0; i < 64; i++) {
		objects[i] =
			ok_make(&(struct ok_object){.key = i, .n = (int64_t)i, .padding = 20000});
		ops[i] = (struct sl_objects_op){.kind = SL_OBJECTS_PUT, .object = objects[i]};
	}
	for (int i = 0; i < 40; i++)
		ASSERT_EQ(0, objects_write(k->o, "c", ops, 64, true, NULL, SL_NEVER));
	for (int i = 0; i < 64; i++)
		free(objects[i]);
	return 0;
}

static int compacts(struct ok *k)
{
	struct sl_objects_info info;
	int64_t until;

	ASSERT_EQ(0, ok_open(k));
	ASSERT_EQ(0, ok_create(k, "c", SL_INDEX_HNSW));
	ASSERT_EQ(0, ok_put(k, "c", 100, 200, 0));
	ASSERT_EQ(0, overwrite(k));
	until = sl_now() + 60 * SL_SEC * harness_time_scale();
	/* 50 MB were written, of which 1.3 are there. */
	while (!k->events[OBJECTS_COMPACTED] && sl_now() < until)
		sl_sleep(sl_now() + 10 * SL_MSEC);
	EXPECT_LT(0, k->events[OBJECTS_COMPACTED]);
	ASSERT_EQ(0, objects_info(k->o, "c", &info, SL_NEVER));
	EXPECT_LT(info.log_bytes, 40 * SL_MIB);
	EXPECT_EQ(264, info.objects);
	for (uint64_t key = 100; key < 300; key++)
		EXPECT_EQ((int64_t)key, ok_number(k, "c", key));
	for (uint64_t key = 0; key < 64; key++)
		EXPECT_EQ((int64_t)key, ok_number(k, "c", key));
	return ok_close(k);
}

static int compacted(struct ok *k)
{
	ASSERT_EQ(0, ok_open(k));
	EXPECT_EQ(264, ok_count(k, "c"));
	for (uint64_t key = 100; key < 300; key++) {
		EXPECT_EQ((int64_t)key, ok_number(k, "c", key));
		EXPECT_EQ((int64_t)key, ok_nearest(k, "c", (int64_t)key, false));
	}
	EXPECT_EQ(0, k->events[OBJECTS_LOST]);
	EXPECT_EQ(0, k->events[OBJECTS_REBUILT]);
	return ok_close(k);
}

TEST_TIMEOUT(space_of_what_was_replaced_comes_back, 120)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, compacts);
	RUN(&k, compacted);
}

/* The one before names places that are no longer in the log. */
static int from_before(struct ok *k)
{
	ASSERT_EQ(0, ok_open(k));
	damage(k);
	EXPECT_EQ(264, ok_count(k, "c"));
	for (uint64_t key = 100; key < 300; key++) {
		EXPECT_EQ((int64_t)key, ok_number(k, "c", key));
		EXPECT_EQ((int64_t)key, ok_nearest(k, "c", (int64_t)key, false));
	}
	EXPECT_EQ(0, k->events[OBJECTS_LOST]);
	EXPECT_EQ(1, k->events[OBJECTS_REBUILT]);
	return ok_close(k);
}

TEST_TIMEOUT(checkpoint_of_before_a_compaction_loses_nothing, 120)
{
	struct ok k;

	ok_init(&k, NULL);
	RUN(&k, compacts);
	RUN(&k, from_before);
}

/* ---- putting away ------------------------------------------------------------------------- */

enum { TENANTS = 1000 };

static uint64_t memory_used(void)
{
	char text[4096], *at;
	ssize_t n = sl_read_file(AT_FDCWD, "/proc/self/status", text, sizeof(text) - 1, SL_NEVER);
	uint64_t kb = 0;

	ASSERT_LT(0, n);
	text[n] = 0;
	at = strstr(text, "VmRSS:");
	ASSERT_NE(NULL, at);
	sscanf(at, "VmRSS: %lu", &kb);
	return kb * SL_KIB;
}

static int tenants(struct ok *k)
{
	uint64_t before;
	char name[32];

	ASSERT_EQ(0, ok_open(k));
	before = memory_used();
	for (int i = 0; i < TENANTS; i++) {
		snprintf(name, sizeof(name), "tenant-%d", i);
		ASSERT_EQ(0, ok_create(k, name, SL_INDEX_HNSW));
		ASSERT_EQ(0, ok_put(k, name, 0, 3, i));
	}
	/* Longer than they stay. */
	sl_sleep(sl_now() + 2 * SL_SEC);
#ifdef SL_DEBUG
	/* A sanitizer keeps what was freed. */
	(void)before;
#else
	EXPECT_LT((memory_used() - before) / TENANTS, 64 * SL_KIB);
#endif
	for (int i = 0; i < TENANTS; i += 97) {
		snprintf(name, sizeof(name), "tenant-%d", i);
		EXPECT_EQ(3, ok_count(k, name));
		EXPECT_EQ(i + 2, ok_number(k, name, 2));
		EXPECT_EQ(2, ok_nearest(k, name, i + 2, false));
	}
	return ok_close(k);
}

TEST_TIMEOUT(a_thousand_tenants_take_little_memory, 240)
{
	struct ok k;

	ok_init(&k, NULL);
	k.conf.idle_ns = 50 * SL_MSEC;
	RUN(&k, tenants);
}

TEST_HARNESS_MAIN
