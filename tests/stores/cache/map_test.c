/* SPDX-License-Identifier: Apache-2.0 */
/* Held objects in memory: verified once or each time, and what a disk does to them meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <xxhash.h>

#include "cache_kit.h"
#include "stores/cache/cache_pvt.h"

/* On a core, or on a plain thread in its turn. */
FIXTURE(map)
{
	struct cache_kit k;
	struct sl_turns *turns;
};
FIXTURE_VARIANT(map)
{
	bool thread;
};
FIXTURE_VARIANT_ADD(map, core){};
FIXTURE_VARIANT_ADD(map, thread){.thread = true};

FIXTURE_SETUP(map)
{
	cache_kit_init(&self->k, NULL);
	ASSERT_EQ(0, sl_turns_new(&self->turns));
}

FIXTURE_TEARDOWN(map)
{
	sl_turns_free(self->turns);
}

static int run(FIXTURE_DATA(map) * self, bool thread, int (*body)(struct cache_kit *k))
{
	char why[200], path[200];
	int err;

	if (!thread)
		return cache_kit_run(&self->k, body);
	snprintf(path, sizeof(path), "%s/cache", harness_tmpdir());
	self->k.conf.dir = AT_FDCWD;
	self->k.conf.path = path;
	self->k.conf.arg = &self->k;
	sl_turns_enter(self->turns);
	err = cache_open(0, &self->k.conf, &self->k.c, why, sizeof(why), SL_NEVER);
	if (!EXPECT_EQ(0, err))
		return err;
	ASSERT_EQ(0, cache_start(self->k.c, SL_NEVER));
	err = body(&self->k);
	cache_stop(self->k.c, SL_NEVER);
	sl_turns_leave(self->turns);
	cache_free(self->k.c);
	return err;
}

static const struct cache_kit_object small = {.id = 1, .bytes = 3000};
static const struct cache_kit_object large = {.id = 2, .bytes = 700001};
static const struct cache_kit_object alone = {.id = 3, .bytes = 2500000};

static int hold(struct cache_kit *k, const struct cache_kit_object *o,
		struct cache_object **ret_object)
{
	return cache_lookup(k->c, cache_kit_key(o->id), 0, ret_object, SL_NEVER);
}

static bool has(struct cache_object *held, const struct cache_kit_object *o, uint64_t off,
		uint64_t len, uint32_t flags)
{
	const uint8_t *data;

	return EXPECT_EQ(0, cache_map(held, off, len, flags, &data, SL_NEVER)) &&
	       EXPECT_TRUE(cache_kit_is(o, off, data, len));
}

static int with_cache(struct cache_kit *k, int (*body)(struct cache_kit *k))
{
	/* On a core the kit's run() leaves opening to its body. */
	int err = sl_core_self() ? cache_kit_open(k) : 0;

	if (err)
		return err;
	EXPECT_EQ(0, cache_kit_put(k, &small, NULL));
	EXPECT_EQ(0, cache_kit_put(k, &large, NULL));
	EXPECT_EQ(0, cache_kit_put(k, &alone, NULL));
	err = body(k);
	if (sl_core_self())
		cache_kit_close(k);
	return err;
}

/* ---- whole and in ranges ---------------------------------------------------------------- */

static int read_all(struct cache_kit *k)
{
	const struct cache_kit_object *all[] = {&small, &large, &alone};

	for (size_t i = 0; i < SL_ARRAY_SIZE(all); i++) {
		const struct cache_kit_object *o = all[i];
		struct cache_object *held;

		ASSERT_EQ(0, hold(k, o, &held));
		EXPECT_TRUE(has(held, o, 0, o->bytes, 0));
		EXPECT_TRUE(has(held, o, 0, o->bytes, CACHE_VERIFY));
		EXPECT_TRUE(has(held, o, o->bytes, 0, 0));
		for (int j = 0; j < 20; j++) {
			uint64_t off = harness_random() % o->bytes;

			EXPECT_TRUE(has(held, o, off, harness_random() % (o->bytes - off), 0));
		}
		cache_release(held);
	}
	return 0;
}

static int whole_and_in_ranges(struct cache_kit *k)
{
	return with_cache(k, read_all);
}

TEST_F(map, gives_a_body_whole_and_in_ranges)
{
	EXPECT_EQ(0, run(self, variant->thread, whole_and_in_ranges));
}

/* ---- held --------------------------------------------------------------------------------- */

static int replace_all(struct cache_kit *k)
{
	struct cache_kit_object newer = large;
	struct cache_object *held;
	const uint8_t *data;

	ASSERT_EQ(0, hold(k, &large, &held));
	ASSERT_EQ(0, cache_map(held, 0, large.bytes, 0, &data, SL_NEVER));
	newer.gen = 1;
	EXPECT_EQ(0, cache_kit_put(k, &newer, NULL));
	/* More than fits. */
	for (uint32_t i = 0; i < 40; i++) {
		struct cache_kit_object o = {.id = 100 + i, .bytes = 900000};

		EXPECT_EQ(0, cache_kit_put(k, &o, NULL));
	}
	EXPECT_EQ(0, cache_remove(k->c, cache_kit_key(139), SL_NEVER));
	EXPECT_TRUE(cache_kit_is(&large, 0, data, large.bytes));
	cache_release(held);
	return 0;
}

static int replaced_while_held(struct cache_kit *k)
{
	return with_cache(k, replace_all);
}

TEST_F(map, stays_readable_while_the_object_is_held)
{
	EXPECT_EQ(0, run(self, variant->thread, replaced_while_held));
}

/* ---- damage ------------------------------------------------------------------------------- */

/* Calls @fn for each segment's descriptor. */
static void each_segment(void (*fn)(int fd))
{
	char pattern[200];
	glob_t g;

	snprintf(pattern, sizeof(pattern), "%s/cache/*/*.seg", harness_tmpdir());
	ASSERT_EQ(0, glob(pattern, 0, NULL, &g));
	for (size_t i = 0; i < g.gl_pathc; i++) {
		int fd = open(g.gl_pathv[i], O_RDWR | O_CLOEXEC);

		ASSERT_GE(fd, 0);
		fn(fd);
		close(fd);
	}
	globfree(&g);
}

/* One bit in each MiB's last quarter: in a body that is so long. */
static void flip(int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);

	for (off_t at = 800000; at < end; at += 1 << 20) {
		char c;

		ASSERT_EQ(1, pread(fd, &c, 1, at));
		c ^= 4;
		ASSERT_EQ(1, pwrite(fd, &c, 1, at));
	}
}

static void cut(int fd)
{
	ASSERT_EQ(0, ftruncate(fd, 500000));
}

/* What was verified is believed while it is in the page cache, unless it is asked otherwise. */
static int flip_bits(struct cache_kit *k)
{
	struct cache_object *held;
	struct cache_stat st;
	const uint8_t *data;

	ASSERT_EQ(0, hold(k, &alone, &held));
	EXPECT_TRUE(has(held, &alone, 0, alone.bytes, 0));
	each_segment(flip);
	EXPECT_EQ(0, cache_map(held, 0, alone.bytes, 0, &data, SL_NEVER));
	EXPECT_EQ(-EBADMSG, cache_map(held, 0, alone.bytes, CACHE_VERIFY, &data, SL_NEVER));
	cache_release(held);
	EXPECT_EQ(-ENOENT, hold(k, &alone, &held));
	cache_stat(k->c, &st);
	EXPECT_EQ(1, st.quarantined);
	EXPECT_EQ(0, st.mapped_unreadable);
	return 0;
}

static int bits_flip(struct cache_kit *k)
{
	return with_cache(k, flip_bits);
}

TEST_F(map, finds_a_flipped_bit_when_asked_to_verify)
{
	EXPECT_EQ(0, run(self, variant->thread, bits_flip));
}

static int cut_files(struct cache_kit *k)
{
	struct cache_object *held;
	struct cache_stat st;
	const uint8_t *data;

	ASSERT_EQ(0, hold(k, &alone, &held));
	each_segment(cut);
	EXPECT_EQ(-EBADMSG, cache_map(held, 0, alone.bytes, 0, &data, SL_NEVER));
	cache_release(held);
	EXPECT_EQ(-ENOENT, hold(k, &alone, &held));
	EXPECT_EQ(0, hold(k, &small, &held));
	EXPECT_TRUE(has(held, &small, 0, small.bytes, 0));
	cache_release(held);
	cache_stat(k->c, &st);
	EXPECT_EQ(1, st.mapped_unreadable);
	EXPECT_EQ(0, st.mapped_refused);
	return 0;
}

static int files_are_cut(struct cache_kit *k)
{
	return with_cache(k, cut_files);
}

TEST_F(map, a_file_that_was_cut_is_a_miss)
{
	EXPECT_EQ(0, run(self, variant->thread, files_are_cut));
}

/* The address space may not grow: what has no mapping yet gets none, and is none the worse. */
static int map_without_room(struct cache_kit *k)
{
	struct rlimit before, none = {0};
	struct cache_object *held;
	struct cache_stat st;
	const uint8_t *data;

	ASSERT_EQ(0, hold(k, &alone, &held));
	ASSERT_EQ(0, getrlimit(RLIMIT_AS, &before));
	none.rlim_max = before.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &none));
	EXPECT_EQ(-ENOMEM, cache_map(held, 0, alone.bytes, 0, &data, SL_NEVER));
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &before));
	EXPECT_TRUE(has(held, &alone, 0, alone.bytes, 0));
	cache_release(held);
	cache_stat(k->c, &st);
	EXPECT_EQ(1, st.mapped_refused);
	EXPECT_EQ(0, st.mapped_unreadable);
	EXPECT_EQ(0, st.quarantined);
	return 0;
}

static int there_is_no_room(struct cache_kit *k)
{
	return with_cache(k, map_without_room);
}

TEST_F(map, a_file_that_cannot_be_mapped_fails_one_look_up)
{
	EXPECT_EQ(0, run(self, variant->thread, there_is_no_room));
}

/* ---- by delivery ------------------------------------------------------------------------ */

static int map_parts(struct cache_kit *k)
{
	const struct cache_kit_object *all[] = {&large, &alone};

	for (size_t i = 0; i < SL_ARRAY_SIZE(all); i++) {
		struct sl_part parts[CACHE_PARTS_MAX];
		struct cache_object *held;
		const uint8_t *data;
		struct sl_file *f;

		ASSERT_EQ(0, hold(k, all[i], &held));
		ASSERT_EQ(1, cache_parts(held, 1000, 500000, parts, CACHE_PARTS_MAX, SL_NEVER));
		ASSERT_EQ(SL_PART_EXTENT, parts[0].kind);
		f = parts[0].extent.file;
		ASSERT_TRUE(f->map);
		ASSERT_EQ(0, f->map(f, parts[0].extent.off, 500000, &data));
		EXPECT_TRUE(cache_kit_is(all[i], 1000, data, 500000));
		EXPECT_EQ(-ERANGE, f->map(f, parts[0].extent.off, SL_GIB, &data));
		sl_part_release(&parts[0]);
		cache_release(held);
	}
	return 0;
}

static int parts_are_mapped(struct cache_kit *k)
{
	return with_cache(k, map_parts);
}

TEST_F(map, extents_that_are_given_out_are_mapped_for_who_wants_that)
{
	EXPECT_EQ(0, run(self, variant->thread, parts_are_mapped));
}

TEST(extents_of_a_device_are_mapped_too)
{
	struct cache_kit k;

	cache_kit_init(&k, NULL);
	cache_kit_make_device_of(&k, SL_GIB, (struct cache_format_conf){0});
	EXPECT_EQ(0, cache_kit_run(&k, parts_are_mapped));
}

/* The page is there when it is populated, and gone when the sum is made. */
TEST(a_sigbus_while_a_sum_is_made_is_an_error)
{
	char path[200];
	uint64_t sum = 1;
	uint8_t *map;
	int fd;

	snprintf(path, sizeof(path), "%s/file", harness_tmpdir());
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ftruncate(fd, 8192));
	map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)map);
	EXPECT_EQ(0, map_sum(map, 8192, &sum));
	EXPECT_EQ(XXH3_64bits(map, 8192), sum);
	ASSERT_EQ(0, ftruncate(fd, 0));
	EXPECT_EQ(-EIO, map_sum(map, 8192, &sum));
	ASSERT_EQ(0, ftruncate(fd, 8192));
	EXPECT_EQ(0, map_sum(map, 8192, &sum));
	munmap(map, 8192);
	close(fd);
}

TEST_HARNESS_MAIN
