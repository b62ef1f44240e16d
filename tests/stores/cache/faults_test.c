/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks that lie: a bit flipped anywhere, any one operation that fails, a full disk. Nothing wrong
 * and nothing old is ever found, every start succeeds, and what one fault takes is one object.
 *
 * Order of parts: bits; operations; a full disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cache_world.h"

/* ---- bits --------------------------------------------------------------------------------- */

FIXTURE(flips)
{
	struct world w;
	uint64_t tried;
	int wrong;
};
FIXTURE_VARIANT(flips)
{
	bool killed, device;
};
FIXTURE_VARIANT_ADD(flips, closed){.killed = false};
FIXTURE_VARIANT_ADD(flips, killed){.killed = true};
FIXTURE_VARIANT_ADD(flips, device_closed){.device = true};
FIXTURE_VARIANT_ADD(flips, device_killed){.killed = true, .device = true};

static void begin(struct world *w, uint64_t seed, bool evicts, bool device)
{
	if (device)
		cache_world_init_device(w, seed, evicts);
	else
		cache_world_init(w, seed, evicts);
}

FIXTURE_SETUP(flips)
{
	uint64_t n;

	begin(&self->w, 5, false, variant->device);
	ASSERT_EQ(0, cache_kit_run(&self->w.k, cache_world_work));
	if (!variant->killed)
		return;
	/* The same, cut off where it would close: nothing of the last run is sealed. */
	n = sl_sim_ops(self->w.k.sim);
	sl_sim_free(self->w.k.sim);
	begin(&self->w, 5, false, variant->device);
	sl_sim_cut_after(self->w.k.sim, n - 1 - sl_sim_ops(self->w.k.sim));
	cache_kit_run(&self->w.k, cache_world_work);
	sl_sim_reboot(self->w.k.sim, SL_SIM_KEEP_ALL);
}

FIXTURE_TEARDOWN(flips)
{
	sl_sim_free(self->w.k.sim);
}

static void flip_and_check(FIXTURE_DATA(flips) * self, const char *path, uint64_t offset, int bit)
{
	struct sl_sim *disk = sl_sim_clone(self->w.k.sim);
	struct world owed = self->w;
	char why[160];

	/* What describes objects is there twice, or is found again; an object is there once. */
	owed.lost_max = 1;
	ASSERT_EQ(0, sl_sim_flip(disk, path, offset, bit));
	cache_world_check(disk, &owed, why, sizeof(why));
	if (why[0] && self->wrong++ < 5)
		TH_LOG("%s, byte %llu, bit %d: %s", path, (unsigned long long)offset, bit, why);
	self->tried++;
	sl_sim_free(disk);
}

/* More often where there are no bodies. */
static void flip_file(FIXTURE_DATA(flips) * self, const char *path)
{
	struct statx stx;

	ASSERT_EQ(0, sl_stat_now(AT_FDCWD, path, &stx));
	for (uint64_t at = harness_random() % 16; at < stx.stx_size;)	{
		flip_and_check(self, path, at, (int)(harness_random() % 8));
		at += 1 + harness_random() % (at < 9000 ? 64 : 2500);
	}
}

struct folder {
	FIXTURE_DATA(flips) * self;
	const char *path;
};

static int flip_entry(void *arg, const char *name, int type)
{
	struct folder *f = arg;
	char path[200];

	(void)type;
	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	if (strcmp(name, "LOCK") && strcmp(name, "00"))
		flip_file(f->self, path);
	return 0;
}

TEST_F_TIMEOUT(flips, a_bit_anywhere_takes_one_object_at_most, 120)
{
	static const char *const folders[] = {"/cache", "/cache/00"};
	struct sl_backend *before = sl_backend_use(sl_sim_backend(self->w.k.sim));

	if (variant->device)
		flip_file(self, "/cache");
	for (size_t i = 0; i < SL_ARRAY_SIZE(folders) && !variant->device; i++) {
		struct folder f = {self, folders[i]};
		int dir = sl_open_now(AT_FDCWD, folders[i], O_RDONLY | O_DIRECTORY, 0);

		ASSERT_LE(0, dir);
		EXPECT_EQ(0, sl_list_folder(dir, flip_entry, &f));
		sl_close(dir);
	}
	sl_backend_use(before);
	EXPECT_EQ(0, self->wrong);
	EXPECT_LT(500, self->tried);
}

/* ---- operations --------------------------------------------------------------------------- */

FIXTURE(nth)
{
	int unused;
};
FIXTURE_VARIANT(nth)
{
	int err;
	bool sticky, evicts, device;
	uint64_t step;
};
FIXTURE_VARIANT_ADD(nth, eio){.err = EIO, .step = 1};
FIXTURE_VARIANT_ADD(nth, eio_from_then_on){.err = EIO, .sticky = true, .step = 3};
FIXTURE_VARIANT_ADD(nth, no_space){.err = ENOSPC, .step = 1};
FIXTURE_VARIANT_ADD(nth, short_transfer){.err = 0, .step = 2};
FIXTURE_VARIANT_ADD(nth, eio_while_evicting){.err = EIO, .evicts = true, .step = 29};
FIXTURE_VARIANT_ADD(nth, no_space_while_evicting){.err = ENOSPC, .evicts = true, .step = 29};
FIXTURE_VARIANT_ADD(nth, device_eio){.err = EIO, .device = true, .step = 1};
FIXTURE_VARIANT_ADD(nth, device_eio_from_then_on){.err = EIO, .sticky = true, .device = true,
						 .step = 3};
FIXTURE_VARIANT_ADD(nth, device_short_transfer){.err = 0, .device = true, .step = 2};
FIXTURE_VARIANT_ADD(nth, device_eio_while_evicting){.err = EIO, .evicts = true, .device = true,
						   .step = 29};
FIXTURE_SETUP(nth)
{
}
FIXTURE_TEARDOWN(nth)
{
}

#define BIT(op) (UINT64_C(1) << (op))

/* Return: operations counted. */
static uint64_t fail_nth(const FIXTURE_VARIANT(nth) * variant, uint64_t n, char *ret_wrong,
			 size_t len)
{
	struct sl_faults f;
	struct world w;

	begin(&w, 3, variant->evicts, variant->device);
	sl_faults_init(&f, sl_sim_backend(w.k.sim));
	f.ops = sl_ops_file_mask() & ~BIT(SL_OP_CLOSE);
	if (variant->err == ENOSPC)
		f.ops = BIT(SL_OP_WRITE) | BIT(SL_OP_WRITEV) | BIT(SL_OP_MKDIRAT) |
			BIT(SL_OP_RENAMEAT);
	f.nth = n;
	f.err = variant->err;
	f.sticky = variant->sticky;
	w.k.backend = &f.backend;
	w.go_on = true;
	cache_kit_run(&w.k, cache_world_work);
	/* What cannot be read is taken for damaged; on a full disk objects make room. */
	w.lost_max = variant->err ? KEYS : 0;
	cache_world_check(w.k.sim, &w, ret_wrong, len);
	sl_sim_free(w.k.sim);
	return f.count;
}

TEST_F_TIMEOUT(nth, operation_that_fails_makes_nothing_wrong, 120)
{
	char why[160];
	uint64_t n = fail_nth(variant, 0, why, sizeof(why));
	uint64_t step = variant->step * (uint64_t)harness_work_part();
	int wrong = 0;

	EXPECT_STREQ("", why);
	EXPECT_LT(50, n);
	for (uint64_t i = 1 + harness_random() % step; i <= n; i += step) {
		fail_nth(variant, i, why, sizeof(why));
		if (why[0] && wrong++ < 5)
			TH_LOG("operation %llu of %llu: %s", (unsigned long long)i,
			       (unsigned long long)n, why);
	}
	EXPECT_EQ(0, wrong);
}

/* ---- a full disk -------------------------------------------------------------------------- */

static int fill_disk(struct cache_kit *k)
{
	struct world *w = (struct world *)k;
	int err = cache_kit_open(k);

	ASSERT_EQ(0, err);
	sl_sim_limit(k->sim, sl_sim_used(k->sim) + 100000);
	for (uint32_t i = 0; i < 12 && !err; i++)
		err = cache_world_put(w, i, 20000, NULL);
	EXPECT_EQ(-ENOSPC, err);
	EXPECT_LT(0, k->events[CACHE_FULL]);
	w->lost_max = 0; /* nothing goes before room is needed again */
	cache_world_check_open(k, w);
	EXPECT_STREQ("", k->wrong);
	sl_sim_limit(k->sim, 0);
	for (uint32_t i = 0; i < 12; i++)
		EXPECT_EQ(0, cache_world_put(w, i, 20000, NULL));
	w->lost_max = KEYS;
	cache_world_check_open(k, w);
	EXPECT_STREQ("", k->wrong);
	cache_kit_close(k);
	return 0;
}

TEST(a_full_disk_refuses_and_goes_on_when_there_is_space)
{
	struct world w;
	char why[160];

	cache_world_init(&w, 7, false);
	EXPECT_EQ(0, cache_kit_run(&w.k, fill_disk));
	cache_world_check(w.k.sim, &w, why, sizeof(why));
	EXPECT_STREQ("", why);
	sl_sim_free(w.k.sim);
}

/* What came of a put that finds no space can be sent on; the next one makes room. */
static int fill_up_while_it_comes(struct cache_kit *k)
{
	const struct cache_kit_object large = {.id = 1, .bytes = 900000};
	const struct cache_put_conf conf = {.bytes = large.bytes, .expires_ms = INT64_MAX};
	struct sl_part parts[CACHE_PARTS_MAX];
	struct cache_put *p;
	uint64_t came;
	int n, err = 0;

	ASSERT_EQ(0, cache_kit_open(k));
	for (uint32_t i = 2; i < 100; i++)
		ASSERT_EQ(0, cache_kit_put(k, &(struct cache_kit_object){.id = i, .bytes = 20000},
					   NULL));
	sl_sim_limit(k->sim, sl_sim_used(k->sim) + 600000);
	ASSERT_EQ(0, cache_put_begin(k->c, cache_kit_key(large.id), &conf, &p, SL_NEVER));
	while (!err && cache_put_written(p) < large.bytes) {
		uint8_t data[5000];

		cache_kit_fill(&large, cache_put_written(p), data, sizeof(data));
		err = cache_put_write(p, data, sizeof(data), SL_NEVER);
	}
	EXPECT_EQ(-ENOSPC, err);
	EXPECT_LT(0, k->events[CACHE_FULL]);
	came = cache_put_written(p);
	EXPECT_LT(256 * SL_KIB, came);
	n = cache_put_parts(p, 0, came, parts, CACHE_PARTS_MAX);
	EXPECT_LT(1, n); /* of the file, and of memory */
	EXPECT_TRUE(cache_kit_parts_are(parts, n, &large, 0));
	cache_put_abort(p);
	EXPECT_EQ(-ENOENT, cache_kit_get(k, &large, NULL));
	EXPECT_EQ(0, cache_kit_put(k, &large, NULL));
	EXPECT_EQ(0, cache_kit_get(k, &large, NULL));
	cache_kit_close(k);
	return 0;
}

TEST(what_came_before_the_disk_was_full_can_be_sent)
{
	struct world w;

	cache_world_init(&w, 13, false);
	EXPECT_EQ(0, cache_kit_run(&w.k, fill_up_while_it_comes));
	sl_sim_free(w.k.sim);
}

/* A disk that is smaller than the cache may be. */
static int live_on_small_disk(struct cache_kit *k)
{
	struct cache_stat st;
	int refused = 0, stored = 0;

	ASSERT_EQ(0, cache_kit_open(k));
	sl_sim_limit(k->sim, SL_MIB);
	for (uint32_t i = 0; i < 300; i++) {
		struct cache_kit_object o = {.id = i, .bytes = 20000};
		int err = cache_kit_put(k, &o, NULL);

		EXPECT_TRUE(!err || err == -ENOSPC);
		refused += err == -ENOSPC;
		stored += !err;
		if (!err)
			EXPECT_EQ(0, cache_kit_get(k, &o, NULL));
	}
	cache_stat(k->c, &st);
	EXPECT_LT(0, refused);
	EXPECT_LT(250, stored);
	EXPECT_LT(0, st.evicted);
	cache_kit_close(k);
	return 0;
}

TEST(on_a_disk_that_is_smaller_than_the_cache_objects_make_room)
{
	struct world w;

	cache_world_init(&w, 11, false);
	EXPECT_EQ(0, cache_kit_run(&w.k, live_on_small_disk));
	sl_sim_free(w.k.sim);
}

TEST_HARNESS_MAIN
