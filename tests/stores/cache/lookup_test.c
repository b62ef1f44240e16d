/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of all sizes, on one core and on several: stored, found, found again after a start. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cache_kit.h"

FIXTURE(lookup)
{
	struct cache_kit k;
};
FIXTURE_VARIANT(lookup)
{
	bool sim;
	uint32_t cores;
	bool copies, device;
};
FIXTURE_VARIANT_ADD(lookup, real){.cores = 1};
FIXTURE_VARIANT_ADD(lookup, sim){.sim = true, .cores = 1};
FIXTURE_VARIANT_ADD(lookup, two_cores){.cores = 2};
FIXTURE_VARIANT_ADD(lookup, copies){.cores = 1, .copies = true};
FIXTURE_VARIANT_ADD(lookup, device){.cores = 2, .device = true};

FIXTURE_SETUP(lookup)
{
	cache_kit_init(&self->k, variant->sim ? sl_sim_new(harness_seed(), NULL) : NULL);
	self->k.cores = variant->cores;
	self->k.conf.sendfile = !variant->copies;
	/* Two shards, so that the second core has one. */
	if (variant->cores > 1)
		self->k.conf.max_bytes = 256 * SL_MIB;
	if (variant->device)
		cache_kit_make_device_of(&self->k, SL_GIB, (struct cache_format_conf){0});
}

FIXTURE_TEARDOWN(lookup)
{
	sl_sim_free(self->k.sim);
}

/* On both sides of each limit: a block, a buffer, what is gathered, what shares a segment. */
static const uint64_t sizes[] = {0, 1, 100, 3000, 4096, 60000, 65535, 65536, 65537, 131072,
				 200000, 262144, 262145, 300000, 524288, 700000, 1100000, 2500000};

static int store_and_find(struct cache_kit *k)
{
	int err = cache_kit_open(k);

	for (uint32_t i = 0; i < SL_ARRAY_SIZE(sizes) && !err; i++) {
		struct cache_kit_object o = {.id = i, .bytes = sizes[i]};

		EXPECT_EQ(-ENOENT, cache_kit_get(k, &o, NULL));
		err = cache_kit_put(k, &o, NULL);
		/* The first is read from disk, the second found in memory. */
		EXPECT_EQ(0, err);
		EXPECT_EQ(0, cache_kit_get(k, &o, NULL));
		EXPECT_EQ(0, cache_kit_get(k, &o, NULL));
	}
	if (!err)
		err = cache_kit_reopen(k);
	for (uint32_t i = 0; i < SL_ARRAY_SIZE(sizes) && !err; i++) {
		struct cache_kit_object o = {.id = i, .bytes = sizes[i]};

		EXPECT_EQ(0, cache_kit_get(k, &o, NULL));
	}
	cache_kit_close(k);
	return err;
}

TEST_F(lookup, what_is_stored_is_found)
{
	EXPECT_EQ(0, cache_kit_run(&self->k, store_and_find));
	EXPECT_EQ(0, self->k.events[CACHE_QUARANTINED]);
	EXPECT_EQ(0, self->k.events[CACHE_DROPPED]);
}

static struct sl_faults faults;

/*
 * Every read of a look-up fails: a miss, whatever the disk says, and it stays one if that is said
 * of the bytes.
 */
static int fail_reads(struct cache_kit *k)
{
	static const int errs[] = {EIO, EREMOTEIO, ENODATA, EUCLEAN, EILSEQ,
				   ENOSPC, EINVAL, EAGAIN};
	const uint32_t damages = 5;

	ASSERT_EQ(0, cache_kit_open(k));
	for (uint32_t i = 0; i < 2 * SL_ARRAY_SIZE(errs); i++) {
		struct cache_kit_object o = {.id = i, .bytes = i % 2 ? 3000 : 300000};

		ASSERT_EQ(0, cache_kit_put(k, &o, NULL));
		faults.count = 0;
		faults.err = errs[i / 2];
		faults.nth = 1;
		EXPECT_EQ(-ENOENT, cache_kit_get(k, &o, NULL));
		EXPECT_LT(0, faults.count);
		faults.nth = 0;
		EXPECT_EQ(i / 2 < damages ? -ENOENT : 0, cache_kit_get(k, &o, NULL));
	}
	cache_kit_close(k);
	return 0;
}

TEST_F(lookup, what_cannot_be_read_is_a_miss)
{
	sl_faults_init(&faults, self->k.sim ? sl_sim_backend(self->k.sim) : NULL);
	faults.ops = UINT64_C(1) << SL_OP_READ;
	faults.sticky = true;
	self->k.backend = &faults.backend;
	EXPECT_EQ(0, cache_kit_run(&self->k, fail_reads));
	EXPECT_EQ(10, self->k.events[CACHE_QUARANTINED]);
}

/* A block is not looked for in the page cache each time that somebody asks for some of it. */
static int ask_again(struct cache_kit *k)
{
	struct cache_kit_object o = {.id = 1, .bytes = 300000};
	int64_t began = sl_now();
	uint64_t looks;

	ASSERT_EQ(0, cache_kit_open(k));
	ASSERT_EQ(0, cache_kit_put(k, &o, NULL));
	for (int i = 0; i < 200; i++)
		EXPECT_EQ(0, cache_kit_get(k, &o, NULL));
	looks = 1 + (uint64_t)(sl_clock_ns() - began) / (50 * SL_MSEC);
	EXPECT_GE(6 * looks, faults.count);
	cache_kit_close(k);
	return 0;
}

TEST(what_was_found_in_the_page_cache_is_believed_for_a_while)
{
	struct cache_kit k;

	cache_kit_init(&k, NULL);
	sl_faults_init(&faults, NULL);
	faults.ops = UINT64_C(1) << SL_OP_CACHESTAT;
	k.cores = 1;
	k.conf.sendfile = true;
	k.backend = &faults.backend;
	EXPECT_EQ(0, cache_kit_run(&k, ask_again));
	EXPECT_LT(0, faults.count);
}

TEST_HARNESS_MAIN
