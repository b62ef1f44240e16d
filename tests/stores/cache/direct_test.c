/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies past the page cache: when, what comes of it, and what happens where it does not work. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cache_kit.h"

FIXTURE(direct)
{
	struct cache_kit k;
};
FIXTURE_SETUP(direct)
{
	cache_kit_init(&self->k, NULL);
}
FIXTURE_TEARDOWN(direct)
{
}

static const struct cache_kit_object object = {.id = 1, .bytes = 700001};

/* Drops a segment's pages; what was stored is synced. */
static void make_cold(uint32_t seq)
{
	char path[4200];
	int fd;

	snprintf(path, sizeof(path), "%s/cache/00/%08x.seg", harness_tmpdir(), seq);
	fd = open(path, O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	close(fd);
}

static struct cache_stat stat_of(const struct cache_kit *k)
{
	struct cache_stat st;

	cache_stat(k->c, &st);
	return st;
}

/* Whether direct reads can be had here; @object is stored and asked for once. */
static bool begin(struct cache_kit *k)
{
	k->conf.direct = CACHE_DIRECT_AUTO;
	ASSERT_EQ(0, cache_kit_open(k));
	ASSERT_EQ(0, cache_kit_put(k, &object, NULL));
	make_cold(1);
	EXPECT_EQ(0, cache_kit_get(k, &object, NULL));
	if (stat_of(k).direct)
		return true;
	cache_kit_close(k);
	return false;
}

#define BEGIN(k)                                                                                   \
	do {                                                                                       \
		if (!begin(k))                                                                     \
			SKIP(return 0, "the file system of the tests has no direct reads");        \
	} while (0)

static void set_direct(struct cache_kit *k, enum cache_direct how)
{
	k->conf.direct = how;
	cache_configure(k->c, &k->conf);
}

static int ask_by_turns(struct cache_kit *k)
{
	static const struct { uint64_t off, len; } ranges[] = {
		{0, 1}, {65535, 2}, {4095, 70000}, {262143, 262146}, {700000, 1}, {0, 700001}};
	struct cache_object *held;

	BEGIN(k);
	EXPECT_EQ(1, stat_of(k).direct);
	EXPECT_EQ(object.bytes, stat_of(k).direct_bytes);
	EXPECT_EQ(0, stat_of(k).extents);
	/* Asked for again: it is worth the page cache. */
	EXPECT_EQ(0, cache_kit_get(k, &object, &held));
	EXPECT_EQ(1, stat_of(k).direct);
	EXPECT_EQ(1, stat_of(k).extents);
	set_direct(k, CACHE_DIRECT_ALWAYS);
	EXPECT_EQ(0, cache_kit_range(held, &object, 0, object.bytes)); /* it is there */
	EXPECT_EQ(1, stat_of(k).direct);
	for (uint32_t i = 0; i < SL_ARRAY_SIZE(ranges); i++) {
		make_cold(1);
		EXPECT_EQ(0, cache_kit_range(held, &object, ranges[i].off, ranges[i].len));
		EXPECT_EQ(2 + i, stat_of(k).direct);
	}
	set_direct(k, CACHE_DIRECT_NEVER);
	make_cold(1);
	EXPECT_EQ(0, cache_kit_range(held, &object, 0, object.bytes));
	EXPECT_EQ(1 + SL_ARRAY_SIZE(ranges), stat_of(k).direct);
	EXPECT_EQ(0, stat_of(k).direct_refused + stat_of(k).direct_no_memory);
	cache_release(held);
	cache_kit_close(k);
	return 0;
}

TEST_F(direct, what_is_cold_and_new_is_read_past_the_page_cache)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, ask_by_turns));
}

enum { READERS = 8 };

struct readers {
	struct cache_kit *k;
	int left, wrong;
};

static void read_once(void *arg)
{
	struct readers *r = arg;

	r->wrong += cache_kit_get(r->k, &object, NULL) != 0;
	r->left--;
}

static int ask_at_once(struct cache_kit *k)
{
	struct readers r = {.k = k, .left = READERS};
	int before;

	BEGIN(k);
	cache_kit_close(k);
	before = harness_open_fds();
	ASSERT_EQ(0, cache_kit_open(k));
	make_cold(1);
	for (int i = 0; i < READERS; i++)
		ASSERT_EQ(0, sl_fiber_start(SL_STACK_LARGE, read_once, &r));
	while (r.left)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(0, r.wrong);
	EXPECT_LT(1, stat_of(k).direct);
	cache_kit_close(k);
	EXPECT_EQ(before, harness_open_fds());
	return 0;
}

/* Each waited for the file to be opened, and one descriptor too many stayed. */
TEST_F(direct, readers_at_once_leave_no_descriptor_behind)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, ask_at_once));
}

static int ask_for_much(struct cache_kit *k)
{
	const struct cache_kit_object large = {.id = 2, .bytes = 3 * SL_MIB};

	BEGIN(k);
	set_direct(k, CACHE_DIRECT_ALWAYS);
	ASSERT_EQ(0, cache_kit_put(k, &large, NULL)); /* in a segment of its own */
	make_cold(2);
	EXPECT_EQ(0, cache_kit_get(k, &large, NULL));
	EXPECT_EQ(1, stat_of(k).direct);
	EXPECT_EQ(1, stat_of(k).extents);
	cache_kit_close(k);
	return 0;
}

TEST_F(direct, what_is_long_goes_by_the_page_cache)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, ask_for_much));
}

static int flip_and_ask(struct cache_kit *k)
{
	struct cache_object *held;
	char path[4200];
	uint8_t byte;
	int fd;

	BEGIN(k);
	set_direct(k, CACHE_DIRECT_ALWAYS);
	ASSERT_EQ(0, cache_lookup(k->c, cache_kit_key(object.id), 0, &held, SL_NEVER));
	snprintf(path, sizeof(path), "%s/cache/00/00000001.seg", harness_tmpdir());
	fd = open(path, O_RDWR);
	ASSERT_EQ(1, pread(fd, &byte, 1, 300000));
	byte ^= 1;
	ASSERT_EQ(1, pwrite(fd, &byte, 1, 300000));
	ASSERT_EQ(0, fsync(fd));
	close(fd);
	make_cold(1);
	EXPECT_EQ(0, cache_kit_range(held, &object, 600000, 1000)); /* that was not hit */
	make_cold(1);
	EXPECT_EQ(-EBADMSG, cache_kit_range(held, &object, 0, object.bytes));
	EXPECT_EQ(1, k->events[CACHE_QUARANTINED]);
	EXPECT_EQ(-ENOENT, cache_kit_get(k, &object, NULL));
	cache_release(held);
	cache_kit_close(k);
	return 0;
}

TEST_F(direct, what_does_not_verify_is_quarantined)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, flip_and_ask));
}

static struct sl_faults faults;

static int ask_without(struct cache_kit *k)
{
	ASSERT_EQ(0, cache_kit_open(k));
	ASSERT_EQ(0, cache_kit_put(k, &object, NULL));
	make_cold(1);
	faults.nth = faults.count + 1;
	EXPECT_EQ(0, cache_kit_get(k, &object, NULL));
	EXPECT_EQ(0, stat_of(k).direct);
	EXPECT_EQ(1, stat_of(k).direct_refused);
	EXPECT_EQ(1, stat_of(k).extents);
	EXPECT_EQ(0, k->events[CACHE_QUARANTINED]);
	cache_kit_close(k);
	return 0;
}

TEST_F(direct, where_it_is_refused_the_page_cache_is_the_way)
{
	sl_faults_init(&faults, NULL);
	faults.ops = UINT64_C(1) << SL_OP_OPENAT;
	faults.err = EMFILE;
	self->k.backend = &faults.backend;
	EXPECT_EQ(0, cache_kit_run(&self->k, ask_without));
}

TEST_HARNESS_MAIN
