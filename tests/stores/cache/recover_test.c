/* SPDX-License-Identifier: Apache-2.0 */
/* The start: how far an index without a seal is read; what cuts leave is in crash_test.c. */
#include <fcntl.h>
#include <string.h>

#include "cache_kit.h"
#include "stores/cache/cache_pvt.h"

enum { OBJECTS = INDEX_STEP_RECORDS + 76, FIRST = 5000, SECOND, LARGE_BYTES = 100000 };

static const char segment[] = "/cache/00/00000001.seg";

FIXTURE(start)
{
	struct cache_kit k;
};

/* One shard, and room for all objects, and for more than three steps, in its first segment. */
FIXTURE_SETUP(start)
{
	cache_kit_init(&self->k, sl_sim_new(1, NULL));
	self->k.conf.max_bytes = 240 * SL_MIB;
}

FIXTURE_TEARDOWN(start)
{
	sl_sim_free(self->k.sim);
}

static void write_there(uint64_t at, const void *data, size_t n)
{
	int fd = sl_open(AT_FDCWD, segment, O_RDWR, 0, SL_NEVER);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, sl_write_all(fd, data, n, at, SL_NEVER));
	sl_close(fd);
}

/* As a kill leaves it. */
static void take_seal(void)
{
	static const uint8_t none[SEG_SECTOR_BYTES];

	write_there(SEG_SECTOR_BYTES, none, sizeof(none));
}

/* Record @number, as a cut may leave it behind others: of a newer version, which is believed. */
static void leave_record(uint32_t number, const uint64_t hash[2])
{
	const struct record r = {.hash = {hash[0], hash[1]}, .version = UINT64_C(1) << 40,
				 .block = 1000, .blocks = 1,
				 .durable = 4 * INDEX_STEP_RECORDS};
	int fd = sl_open(AT_FDCWD, segment, O_RDONLY, 0, SL_NEVER);
	uint8_t block[SEG_HEADER_BYTES], out[RECORD_BYTES];
	struct seg_header h;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, sl_read_all(fd, block, sizeof(block), 0, SL_NEVER));
	sl_close(fd);
	ASSERT_EQ(0, cseg_first_decode(block, &h));
	ASSERT_LT(number, h.index_max);
	record_encode(&r, h.salt, number, out);
	write_there(SEG_HEADER_BYTES + (uint64_t)number * RECORD_BYTES, out, sizeof(out));
}

static void fill(struct cache_kit *k)
{
	for (uint32_t i = 0; i < OBJECTS; i++)
		ASSERT_EQ(0, cache_kit_put(k, &(struct cache_kit_object){.id = i, .bytes = 3000},
					   NULL));
	for (uint32_t i = FIRST; i <= SECOND; i++)
		ASSERT_EQ(0, cache_kit_put(k, &(struct cache_kit_object){.id = i,
									 .bytes = LARGE_BYTES},
					   NULL));
}

static void update(struct cache_kit *k, uint32_t id, uint32_t times)
{
	for (uint32_t i = 0; i < times; i++) {
		struct cache_object *held;

		ASSERT_EQ(0, cache_lookup(k->c, cache_kit_key(id), 0, &held, SL_NEVER));
		ASSERT_EQ(0, cache_update(k->c, cache_kit_key(id), held->version, "new", 3,
					  INT64_MAX, SL_NEVER));
		cache_release(held);
	}
}

static struct cache_stat stat_of(struct cache_kit *k)
{
	struct cache_stat st;

	cache_stat(k->c, &st);
	return st;
}

static int restart_unsealed(struct cache_kit *k)
{
	ASSERT_EQ(0, cache_kit_open(k));
	fill(k);
	cache_kit_close(k);
	take_seal();
	ASSERT_EQ(0, cache_kit_open(k));
	EXPECT_EQ(OBJECTS + 2, stat_of(k).objects);
	for (uint32_t i = 0; i < OBJECTS; i += 25)
		EXPECT_EQ(0, cache_kit_get(k, &(struct cache_kit_object){.id = i, .bytes = 3000},
					   NULL));
	cache_kit_close(k);
	return 0;
}

TEST_F(start, an_index_without_a_seal_is_read_to_its_end)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, restart_unsealed));
}

/* Whatever is written into the index meanwhile. */
static int restart_with_a_rest(struct cache_kit *k)
{
	const struct cache_kit_object seven = {.id = 7, .bytes = 3000};
	uint64_t hash[2], bytes;

	ASSERT_EQ(0, cache_kit_open(k));
	fill(k);
	cache_hash(k->c, cache_kit_key(7), hash);
	cache_kit_close(k);
	take_seal();
	leave_record(3 * INDEX_STEP_RECORDS + 5, hash);
	ASSERT_EQ(0, cache_kit_open(k));
	EXPECT_EQ(0, cache_kit_get(k, &seven, NULL));
	bytes = stat_of(k).bytes;
	update(k, FIRST, 2 * INDEX_STEP_RECORDS - OBJECTS - 50);
	EXPECT_EQ(bytes, stat_of(k).bytes); /* all in their place */
	cache_kit_close(k);
	ASSERT_EQ(0, cache_kit_open(k));
	update(k, SECOND, 100);
	cache_kit_close(k);
	take_seal();
	ASSERT_EQ(0, cache_kit_open(k));
	EXPECT_EQ(0, cache_kit_get(k, &seven, NULL));
	EXPECT_EQ(OBJECTS + 2, stat_of(k).objects);
	cache_kit_close(k);
	return 0;
}

TEST_F(start, what_lies_behind_an_empty_step_stays_there)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, restart_with_a_rest));
}

TEST_HARNESS_MAIN
