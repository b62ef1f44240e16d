/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cache on a device: what may be made one, the slots and who holds them, the journal's areas.
 * Power cuts, damage and failing calls are in crash_test.c and faults_test.c.
 *
 * Order of parts: making one; slots; the journal; a block device.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache_kit.h"

/* ---- making one --------------------------------------------------------------------------- */

static const char *made_file(uint64_t bytes)
{
	static char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s/device", harness_tmpdir());
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, (off_t)bytes));
	close(fd);
	return path;
}

static void put_byte(const char *path, uint64_t off, char byte)
{
	int fd = open(path, O_RDWR);

	ASSERT_EQ(1, pwrite(fd, &byte, 1, (off_t)off));
	close(fd);
}

static int format(const char *path, bool force, const char *word)
{
	const struct cache_format_conf conf = {.force = force};
	struct cache_format made;
	char why[300] = "";
	int err = cache_format(AT_FDCWD, path, &conf, &made, why, sizeof(why), SL_NEVER);

	EXPECT_NOT_NULL(strstr(why, word));
	if (!err) {
		EXPECT_EQ(1, made.shards);
		EXPECT_LE(8, made.slots);
		EXPECT_EQ(made.slots * made.slot_bytes, made.bytes);
	}
	return err;
}

TEST(what_may_hold_something_is_not_formatted)
{
	const char *path = made_file(64 * SL_MIB);

	put_byte(path, 70000, 1);
	EXPECT_EQ(-ENOTEMPTY, format(path, true, "first or last MiB"));
	put_byte(path, 70000, 0);
	put_byte(path, 64 * SL_MIB - 1, 1);
	EXPECT_EQ(-ENOTEMPTY, format(path, true, "first or last MiB"));
	put_byte(path, 64 * SL_MIB - 1, 0);
	put_byte(path, 32 * SL_MIB, 1); /* that is not looked at */
	EXPECT_EQ(0, format(path, false, ""));
	EXPECT_EQ(-EEXIST, format(path, false, "--force"));
	EXPECT_EQ(0, format(path, true, ""));
	EXPECT_EQ(-ENOSPC, format(made_file(12 * SL_MIB), false, "too small"));
	EXPECT_EQ(-ENOSPC, format(made_file(4096), false, "too small"));
	EXPECT_EQ(-ENOSPC, format(made_file(20 * SL_MIB), false, "needs 21 MiB"));
	EXPECT_EQ(0, format(made_file(21 * SL_MIB), false, ""));
	EXPECT_EQ(-EISDIR, format(harness_tmpdir(), false, "folder"));
	EXPECT_EQ(-ENOTBLK, format("/dev/null", false, "neither"));
	EXPECT_EQ(-ENOENT, format("/nowhere/device", false, "no such device"));
}

static int open_others(struct cache_kit *k)
{
	const char *path = made_file(64 * SL_MIB);
	char why[400];

	EXPECT_EQ(-EMEDIUMTYPE, cache_kit_open_why(k, path, why, sizeof(why)));
	EXPECT_NOT_NULL(strstr(why, "sluice cache format"));
	EXPECT_EQ(-ENOTBLK, cache_kit_open_why(k, "/dev/null", why, sizeof(why)));
	ASSERT_EQ(0, format(path, false, ""));
	EXPECT_EQ(0, cache_kit_open_why(k, path, why, sizeof(why)));
	/* The first block is lost, the last one not; then that is there again. */
	put_byte(path, 20, 1);
	EXPECT_EQ(0, cache_kit_open_why(k, path, why, sizeof(why)));
	put_byte(path, 64 * SL_MIB - 4096 + 20, 1);
	EXPECT_EQ(0, cache_kit_open_why(k, path, why, sizeof(why)));
	ASSERT_EQ(0, truncate(path, 48 * SL_MIB));
	EXPECT_EQ(-ERANGE, cache_kit_open_why(k, path, why, sizeof(why)));
	EXPECT_NOT_NULL(strstr(why, "smaller than it was"));
	return 0;
}

TEST(a_device_that_cannot_be_used_is_explained)
{
	struct cache_kit k;

	cache_kit_init(&k, NULL);
	EXPECT_EQ(0, cache_kit_run(&k, open_others));
}

static int open_and_put(struct cache_kit *k)
{
	const struct cache_kit_object o = {.id = 1, .bytes = 5000};
	int err = cache_kit_open(k);

	if (err)
		return err;
	EXPECT_EQ(0, k->events[CACHE_DROPPED]);
	EXPECT_EQ(0, cache_kit_put(k, &o, NULL));
	cache_kit_close(k);
	return 0;
}

/* Formats over a cache; cut in the middle of operation @cut (0: never). Return: operations. */
static uint64_t format_and_cut(struct cache_kit *k, uint64_t cut)
{
	const struct cache_format_conf conf = {.slot_bytes = 256 * SL_KIB, .exclusive = true,
					       .force = true, .journal_bytes = 16 * SL_KIB};
	struct sl_backend *before = sl_backend_use(sl_sim_backend(k->sim));
	uint64_t ops = sl_sim_ops(k->sim);
	struct cache_format made;
	char why[200];

	if (cut)
		sl_sim_cut_after(k->sim, cut - 1);
	EXPECT_EQ(cut ? -EIO : 0, cache_format(AT_FDCWD, "/cache", &conf, &made, why, sizeof(why),
					       SL_NEVER));
	sl_backend_use(before);
	return sl_sim_ops(k->sim) - ops;
}

/* What a format that the power ended left: one cache or the other, or none. */
TEST(a_format_is_done_or_not)
{
	uint64_t n = 1;
	int none = 0;

	for (uint64_t cut = 0; cut <= n; cut++) {
		struct cache_kit k;
		int err;

		cache_kit_init(&k, sl_sim_new(cut, NULL));
		cache_kit_make_device(&k, 8);
		ASSERT_EQ(0, cache_kit_run(&k, open_and_put));
		if (cut)
			format_and_cut(&k, cut);
		else
			n = format_and_cut(&k, 0);
		sl_sim_reboot(k.sim, SL_SIM_RANDOM);
		err = cache_kit_run(&k, open_and_put);
		EXPECT_TRUE(!err || (cut && err == -EMEDIUMTYPE));
		none += err != 0;
		sl_sim_free(k.sim);
	}
	EXPECT_LT(5, none);
}

/* ---- slots -------------------------------------------------------------------------------- */

FIXTURE(device)
{
	struct cache_kit k;
};
FIXTURE_SETUP(device)
{
	cache_kit_init(&self->k, NULL);
	cache_kit_make_device(&self->k, 8);
}
FIXTURE_TEARDOWN(device)
{
}

/* So much that every slot is used anew. */
static void fill(struct cache_kit *k, uint32_t first)
{
	for (uint32_t i = first; i < first + 100; i++)
		ASSERT_EQ(0, cache_kit_put(k, &(struct cache_kit_object){.id = i, .bytes = 40000},
					   NULL));
}

/* The one extent of @o, whose object is let go. */
static struct sl_part extent_of(struct cache_kit *k, const struct cache_kit_object *o)
{
	struct sl_part parts[CACHE_PARTS_MAX];
	struct cache_object *held;

	ASSERT_EQ(0, cache_lookup(k->c, cache_kit_key(o->id), 0, &held, SL_NEVER));
	ASSERT_EQ(1, cache_parts(held, 0, o->bytes, parts, CACHE_PARTS_MAX, SL_NEVER));
	ASSERT_EQ(SL_PART_EXTENT, parts[0].kind);
	cache_release(held);
	return parts[0];
}

/* What was spliced is in nobody's books but the kernel's, as what a socket has not sent yet. */
static int splice_and_overwrite(struct cache_kit *k)
{
	const struct cache_kit_object o = {.id = 1, .bytes = 65536};
	uint8_t *data = calloc(1, o.bytes);
	struct sl_part part;
	int64_t at;
	int p[2];

	ASSERT_NOT_NULL(data);
	ASSERT_EQ(0, cache_kit_open(k));
	ASSERT_EQ(0, cache_kit_put(k, &o, NULL));
	part = extent_of(k, &o);
	at = (int64_t)part.extent.off;
	ASSERT_EQ(0, pipe(p));
	ASSERT_LE((int)o.bytes, fcntl(p[1], F_SETPIPE_SZ, 1 << 20));
	ASSERT_EQ((ssize_t)o.bytes,
		  splice(part.extent.file->fd, &(loff_t){at}, p[1], NULL, o.bytes, 0));
	sl_part_release(&part);
	fill(k, 10);
	EXPECT_EQ(-ENOENT, cache_kit_get(k, &o, NULL));
	for (size_t got = 0; got < o.bytes;) {
		ssize_t n = read(p[0], data + got, o.bytes - got);

		ASSERT_LT(0, n);
		got += (size_t)n;
	}
	EXPECT_TRUE(cache_kit_is(&o, 0, data, o.bytes));
	close(p[0]);
	close(p[1]);
	free(data);
	cache_kit_close(k);
	return 0;
}

TEST_F(device, bytes_on_their_way_are_not_overwritten)
{
	const struct cache_kit_object o = {.id = 1, .bytes = 65536};
	uint8_t *data = calloc(1, 3 * SL_MIB);
	char path[400];
	bool there = false;
	int fd;

	self->k.conf.mmap_threshold = 4096;
	EXPECT_EQ(0, cache_kit_run(&self->k, splice_and_overwrite));
	/* The test of the test: its place was used anew. */
	snprintf(path, sizeof(path), "%s/cache", harness_tmpdir());
	fd = open(path, O_RDONLY);
	ASSERT_NOT_NULL(data);
	ASSERT_LT(0, pread(fd, data, 3 * SL_MIB, 0));
	for (uint64_t at = 0; at + o.bytes <= 3 * SL_MIB; at += 4096)
		there = there || cache_kit_is(&o, 0, data + at, o.bytes);
	EXPECT_FALSE(there);
	close(fd);
	free(data);
}

static int hold_and_overwrite(struct cache_kit *k)
{
	const struct cache_kit_object o = {.id = 1, .bytes = 100000};
	struct cache_object *held;
	struct cache_stat st;

	ASSERT_EQ(0, cache_kit_open(k));
	ASSERT_EQ(0, cache_kit_put(k, &o, NULL));
	ASSERT_EQ(0, cache_kit_get(k, &o, &held));
	fill(k, 10);
	fill(k, 110);
	EXPECT_EQ(-ENOENT, cache_kit_get(k, &o, NULL));
	EXPECT_EQ(0, cache_kit_range(held, &o, 0, o.bytes));
	cache_release(held);
	fill(k, 210);
	cache_stat(k->c, &st);
	EXPECT_EQ(8 * 256 * SL_KIB, st.max_bytes);
	EXPECT_LE(7, st.segments);
	cache_kit_close(k);
	return 0;
}

TEST_F(device, what_somebody_holds_stays)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, hold_and_overwrite));
}

/* Readers that hold everything cost others their room, but for what they hold nothing of. */
static int hold_everything(struct cache_kit *k)
{
	struct cache_object *held[8];
	uint32_t n = 0, stored = 0;

	ASSERT_EQ(0, cache_kit_open(k));
	for (uint32_t i = 0; i < 8; i++) {
		const struct cache_kit_object o = {.id = i, .bytes = 140000};

		ASSERT_EQ(0, cache_kit_put(k, &o, NULL));
		ASSERT_EQ(0, cache_kit_get(k, &o, &held[n++]));
	}
	for (uint32_t i = 100; i < 120; i++)
		stored += !cache_kit_put(k, &(struct cache_kit_object){.id = i, .bytes = 140000},
					 NULL);
	EXPECT_LT(stored, 20);
	while (n)
		cache_release(held[--n]);
	EXPECT_EQ(0, cache_kit_put(k, &(struct cache_kit_object){.id = 200, .bytes = 140000},
				   NULL));
	cache_kit_close(k);
	return 0;
}

TEST_F_TIMEOUT(device, readers_of_everything_are_waited_for, 60)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, hold_everything));
}

static int grow_and_shrink(struct cache_kit *k)
{
	struct cache_conf less = k->conf;
	struct cache_stat st;

	ASSERT_EQ(0, cache_kit_open(k));
	fill(k, 0);
	less.max_bytes = 5 * 256 * SL_KIB;
	cache_configure(k->c, &less);
	EXPECT_EQ(0, cache_trim(k->c, SL_NEVER));
	cache_stat(k->c, &st);
	EXPECT_EQ(5, st.segments);
	EXPECT_EQ(less.max_bytes, st.max_bytes);
	fill(k, 100);
	cache_stat(k->c, &st);
	EXPECT_GE(5, st.segments);
	cache_configure(k->c, &k->conf);
	fill(k, 200);
	cache_stat(k->c, &st);
	EXPECT_LE(7, st.segments);
	cache_kit_close(k);
	return 0;
}

TEST_F(device, less_of_it_is_used_when_so_asked)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, grow_and_shrink));
}

static int store_large(struct cache_kit *k)
{
	const struct cache_kit_object fits = {.id = 1, .bytes = 240 * SL_KIB};
	const struct cache_kit_object not = {.id = 2, .bytes = 256 * SL_KIB};

	ASSERT_EQ(0, cache_kit_open(k));
	for (int i = 0; i < 20; i++) {
		EXPECT_EQ(0, cache_kit_put(k, &fits, NULL));
		EXPECT_EQ(0, cache_kit_get(k, &fits, NULL));
		EXPECT_EQ(0, cache_kit_put_unknown(k, &fits));
		EXPECT_EQ(0, cache_kit_get(k, &fits, NULL));
		EXPECT_EQ(-EFBIG, cache_kit_put(k, &not, NULL));
		EXPECT_EQ(-EFBIG, cache_kit_put_unknown(k, &not));
	}
	ASSERT_EQ(0, cache_kit_reopen(k));
	EXPECT_EQ(0, cache_kit_get(k, &fits, NULL));
	cache_kit_close(k);
	return 0;
}

TEST_F(device, an_object_has_a_slot_at_most)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, store_large));
}

/* ---- the journal -------------------------------------------------------------------------- */

/* There is room to say of 60 that they are gone. */
static int remove_many(struct cache_kit *k)
{
	struct cache_kit_object o = {.bytes = 500};
	struct cache_stat st;

	ASSERT_EQ(0, cache_kit_open(k));
	for (o.id = 0; o.id < 100; o.id++)
		ASSERT_EQ(0, cache_kit_put(k, &o, NULL));
	for (o.id = 0; o.id < 60; o.id++)
		ASSERT_EQ(0, cache_remove(k->c, cache_kit_key(o.id), SL_NEVER));
	EXPECT_EQ(0, k->events[CACHE_DROPPED]);
	EXPECT_EQ(0, cache_kit_get(k, &o, NULL));
	EXPECT_EQ(0, cache_remove(k->c, cache_kit_key(o.id), SL_NEVER));
	EXPECT_EQ(1, k->events[CACHE_DROPPED]);
	for (int i = 0; i < 2; i++) {
		for (o.id = 0; o.id < 100; o.id++)
			EXPECT_EQ(-ENOENT, cache_kit_get(k, &o, NULL));
		ASSERT_EQ(0, cache_kit_reopen(k));
	}
	for (o.id = 0; o.id < 100; o.id++)
		ASSERT_EQ(0, cache_kit_put(k, &o, NULL));
	ASSERT_EQ(0, cache_kit_reopen(k));
	for (o.id = 0; o.id < 100; o.id++)
		EXPECT_EQ(0, cache_kit_get(k, &o, NULL));
	EXPECT_EQ(1, k->events[CACHE_DROPPED]);
	cache_stat(k->c, &st);
	EXPECT_EQ(100, st.objects);
	cache_kit_close(k);
	return 0;
}

TEST_F(device, a_journal_that_is_full_empties_the_cache)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, remove_many));
}

/* ---- a block device ----------------------------------------------------------------------- */

static int use_block_device(struct cache_kit *k)
{
	const struct cache_kit_object small = {.id = 1, .bytes = 5000};
	const struct cache_kit_object large = {.id = 2, .bytes = 1500000};
	struct cache_verify v;
	char why[300];

	ASSERT_EQ(0, cache_kit_open(k));
	EXPECT_EQ(-EBUSY, cache_kit_open_why(k, k->conf.path, why, sizeof(why)));
	EXPECT_EQ(-EBUSY, format(k->conf.path, true, "in use"));
	for (int i = 0; i < 80; i++) {
		EXPECT_EQ(0, cache_kit_put(k, &small, NULL));
		EXPECT_EQ(0, cache_kit_put(k, &large, NULL));
		EXPECT_EQ(0, cache_kit_get(k, &large, NULL));
	}
	ASSERT_EQ(0, cache_kit_reopen(k));
	EXPECT_EQ(0, cache_verify(k->c, &v, SL_NEVER));
	EXPECT_EQ(2, v.objects);
	EXPECT_EQ(0, v.bad);
	EXPECT_EQ(0, cache_kit_get(k, &small, NULL)); /* after a verify: not from the page cache */
	EXPECT_EQ(0, cache_kit_get(k, &large, NULL));
	cache_kit_close(k);
	return 0;
}

static void detach_loop(const char *loop)
{
	char command[200];

	snprintf(command, sizeof(command), "losetup -d %s", loop);
	EXPECT_EQ(0, system(command));
}

TEST_TIMEOUT(a_block_device_is_for_one_process, 60)
{
	const char *path = made_file(96 * SL_MIB);
	char command[500], loop[100] = "";
	struct cache_kit k;
	FILE *f;

	if (geteuid())
		SKIP(return, "only root makes a loop device");
	snprintf(command, sizeof(command), "losetup --find --show %s 2>/dev/null", path);
	f = popen(command, "r");
	if (f && fgets(loop, sizeof(loop), f))
		loop[strcspn(loop, "\n")] = '\0';
	if (f)
		pclose(f);
	if (!loop[0])
		SKIP(return, "there is no loop device here");
	EXPECT_EQ(0, format(loop, false, ""));
	cache_kit_init(&k, NULL);
	k.conf.path = loop;
	k.conf.max_bytes = 0;
	k.conf.direct = CACHE_DIRECT_ALWAYS;
	EXPECT_EQ(0, cache_kit_run(&k, use_block_device));
	detach_loop(loop);
}

TEST_HARNESS_MAIN
