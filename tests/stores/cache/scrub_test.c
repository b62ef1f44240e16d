/* SPDX-License-Identifier: Apache-2.0 */
/* What looking at everything finds, asked for and in the background; what it does to bans. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cache_kit.h"

FIXTURE(scrub)
{
	struct cache_kit k;
};
FIXTURE_SETUP(scrub)
{
	cache_kit_init(&self->k, NULL);
	self->k.conf.durability = SL_DURABILITY_NONE;
}
FIXTURE_TEARDOWN(scrub)
{
}

/* Flips a bit in the body of each object of @bytes, in the only segment there is. */
static int flip_all(const char *name, uint64_t first, uint64_t step, int n)
{
	char path[4200];
	int fd, flipped = 0;
	uint8_t byte;

	snprintf(path, sizeof(path), "%s/cache/00/%s", harness_tmpdir(), name);
	fd = open(path, O_RDWR);
	for (int i = 0; i < n && fd >= 0; i++) {
		off_t at = (off_t)(first + (uint64_t)i * step);

		if (pread(fd, &byte, 1, at) != 1)
			break;
		byte ^= 4;
		flipped += pwrite(fd, &byte, 1, at) == 1;
	}
	fsync(fd);
	close(fd);
	return flipped;
}

enum { OBJECTS = 6 };

static void put_some(struct cache_kit *k)
{
	ASSERT_EQ(0, cache_kit_open(k));
	for (uint32_t i = 0; i < OBJECTS; i++) {
		struct cache_kit_object o = {.id = i, .bytes = 100000};

		ASSERT_EQ(0, cache_kit_put(k, &o, i % 2 ? "odd" : "even"));
		EXPECT_EQ(0, cache_kit_get(k, &o, NULL));
	}
}

/* Objects of 100,000 bytes take 26 blocks behind the 5 of header and index; bodies begin at 1. */
static int damage_two(void)
{
	return flip_all("00000001.seg", (5 + 1) * 4096 + 70000, 26 * 4096, 2);
}

static int look(struct cache_kit *k)
{
	struct cache_kit_object o = {.bytes = 100000};
	struct cache_verify found;

	put_some(k);
	ASSERT_EQ(0, cache_verify(k->c, &found, SL_NEVER));
	EXPECT_EQ(OBJECTS, found.objects);
	EXPECT_EQ(OBJECTS * 100000, found.bytes);
	EXPECT_EQ(0, found.bad);
	ASSERT_EQ(2, damage_two());
	ASSERT_EQ(0, cache_verify(k->c, &found, SL_NEVER));
	EXPECT_EQ(2, found.bad);
	EXPECT_EQ(2, k->events[CACHE_QUARANTINED]);
	ASSERT_EQ(0, cache_verify(k->c, &found, SL_NEVER));
	EXPECT_EQ(OBJECTS - 2, found.objects);
	/* Nor is it found after another start. */
	ASSERT_EQ(0, cache_kit_reopen(k));
	for (o.id = 0; o.id < OBJECTS; o.id++)
		EXPECT_EQ(o.id < 2 ? -ENOENT : 0, cache_kit_get(k, &o, NULL));
	cache_kit_close(k);
	return 0;
}

TEST_F(scrub, what_does_not_verify_is_quarantined)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, look));
}

static int find_by_itself(struct cache_kit *k)
{
	put_some(k);
	ASSERT_EQ(2, damage_two());
	while (__atomic_load_n(&k->events[CACHE_QUARANTINED], __ATOMIC_RELAXED) < 2)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(2, k->events[CACHE_QUARANTINED]);
	cache_kit_close(k);
	return 0;
}

TEST_F(scrub, the_background_finds_it_too)
{
	self->k.conf.scrub_bytes_per_s = 100 * SL_MIB;
	self->k.conf.scrub_rest_ns = 10 * SL_MSEC;
	EXPECT_EQ(0, cache_kit_run(&self->k, find_by_itself));
}

static int close_while_it_rests(struct cache_kit *k)
{
	put_some(k);
	sl_sleep(sl_now() + 20 * SL_MSEC); /* so that it rests after the first bytes, most often */
	cache_kit_close(k);
	return 0;
}

/* A day's pause is no reason to wait for a day. */
TEST_F(scrub, the_end_does_not_wait_for_its_pace)
{
	self->k.conf.scrub_bytes_per_s = 1;
	self->k.conf.scrub_rest_ns = SL_MSEC;
	EXPECT_EQ(0, cache_kit_run(&self->k, close_while_it_rests));
}

static int purge_and_look(struct cache_kit *k)
{
	struct cache_kit_object o = {.bytes = 100000};
	struct cache_verify found;

	put_some(k);
	ASSERT_EQ(0, cache_purge_tag(k->c, (struct cache_key){"odd", 3}, SL_NEVER));
	ASSERT_EQ(0, cache_verify(k->c, &found, SL_NEVER));
	ASSERT_EQ(0, cache_verify(k->c, &found, SL_NEVER));
	EXPECT_EQ(OBJECTS / 2, found.objects);
	for (int i = 0; i < 2; i++) {
		for (o.id = 0; o.id < OBJECTS; o.id++)
			EXPECT_EQ(o.id % 2 ? -ENOENT : 0, cache_kit_get(k, &o, NULL));
		ASSERT_EQ(0, cache_kit_reopen(k));
	}
	cache_kit_close(k);
	return 0;
}

TEST_F(scrub, what_was_purged_is_taken_out_and_stays_out)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, purge_and_look));
}

TEST_HARNESS_MAIN
