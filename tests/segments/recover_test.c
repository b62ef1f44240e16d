/* SPDX-License-Identifier: Apache-2.0 */
/* What a log finds when it is opened: torn tails, stale bytes, destroyed slots and headers. */
#include <xxhash.h>

#include "kit.h"
#include "segments/segments_pvt.h"

enum { BATCHES = 10, BYTES = 200, END = SEG_DATA + BATCHES * BYTES };

FIXTURE(recover)
{
	struct kit k;
};
FIXTURE_SETUP(recover)
{
	self->k = (struct kit){.sim = sl_sim_new(harness_seed(), NULL)};
}
FIXTURE_TEARDOWN(recover)
{
	sl_sim_free(self->k.sim);
}

static int make_clean(struct kit *k)
{
	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, BATCHES, BYTES));
	return kit_close(k);
}

/* The watermark is one batch behind. */
static int make_unclean(struct kit *k)
{
	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, BATCHES - 1, BYTES));
	ASSERT_EQ(0, kit_fill(k, BATCHES - 1, 1, BYTES));
	kit_abandon(k);
	return 0;
}

static int write_at(struct kit *k, const void *data, size_t len, uint64_t pos)
{
	int fd = sl_open(k->dir, kit_path(0, ".log"), O_RDWR, 0, SL_NEVER);
	int err = sl_write_all(fd, data, len, pos, SL_NEVER);

	sl_close(fd);
	return err;
}

/* A batch behind the end that was never appended, placed at @base. */
static void plant(struct kit *k, uint64_t pos, uint64_t base, uint32_t epoch, size_t bytes)
{
	struct kit_batch b = {500, 1, BYTES, 5};
	uint8_t buf[BYTES];

	kit_make(&b, buf);
	kit_kind.place(buf, base, epoch);
	ASSERT_EQ(0, write_at(k, buf, bytes, pos));
}

static void expect_end(struct kit *k, uint64_t end, int events)
{
	uint32_t ids[64];

	ASSERT_EQ(0, kit_open(k));
	EXPECT_EQ(end, sl_log_end(k->log));
	EXPECT_EQ(end, sl_log_durable(k->log));
	EXPECT_EQ(end, kit_read(k, 0, 1 << 20, ids, 64, NULL));
	EXPECT_EQ(events, k->events[SL_LOG_TORN_TAIL]);
}

static int zero(struct kit *k, uint64_t pos, size_t len)
{
	static const uint8_t zeros[SEG_DATA];

	return write_at(k, zeros, len, pos);
}

static int half_a_batch(struct kit *k)
{
	make_clean(k);
	plant(k, END, BATCHES, 0, 150);
	expect_end(k, BATCHES, 1);
	EXPECT_EQ(150, k->a[SL_LOG_TORN_TAIL]);
	EXPECT_EQ(BATCHES, k->b[SL_LOG_TORN_TAIL]);
	EXPECT_FALSE(sl_log_was_clean(k->log));
	ASSERT_EQ(0, kit_fill(k, 50, 2, BYTES));
	kit_abandon(k);
	expect_end(k, BATCHES + 2, 1);
	return kit_close(k);
}

TEST_F(recover, torn_tail_is_cut)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, half_a_batch));
}

static int whole_batch(struct kit *k)
{
	make_clean(k);
	plant(k, END, BATCHES, 0, BYTES);
	expect_end(k, BATCHES + 1, 0);
	return kit_close(k);
}

TEST_F(recover, whole_batch_above_the_watermark_is_kept)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, whole_batch));
}

static int stale(struct kit *k)
{
	k->conf.epoch = 4;
	make_clean(k);
	/* Valid in itself, of another place in the log. */
	plant(k, END, BATCHES + 1, 4, BYTES);
	expect_end(k, BATCHES, 1);
	kit_abandon(k);
	plant(k, END, BATCHES - 1, 4, BYTES);
	expect_end(k, BATCHES, 2);
	kit_abandon(k);
	/* Of the right place, of an earlier incarnation. */
	plant(k, END, BATCHES, 3, BYTES);
	expect_end(k, BATCHES, 3);
	kit_abandon(k);
	/* Behind a gap. */
	plant(k, END + 64, BATCHES, 4, BYTES);
	expect_end(k, BATCHES, 4);
	return kit_close(k);
}

TEST_F(recover, stale_batches_do_not_pass)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, stale));
}

static int cut_once(struct kit *k)
{
	make_clean(k);
	plant(k, END, BATCHES, 0, 150);
	expect_end(k, BATCHES, 1);
	kit_abandon(k);
	/* Longer than what was cut: its end must not meet stale bytes. */
	expect_end(k, BATCHES, 1);
	return kit_close(k);
}

TEST_F(recover, cut_is_not_needed_twice)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, cut_once));
}

static int open_all(struct kit *k)
{
	expect_end(k, BATCHES, 0);
	kit_abandon(k);
	return 0;
}

/* Any bit of the first block: the other slot, the header's copy, or nothing that matters. */
TEST_F(recover, any_flipped_bit_of_the_first_block_is_survived)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, make_unclean));
	for (uint64_t at = 0; at < SEG_DATA; at += at < 200 || at >= 3500 ? 1 : 13) {
		struct kit k = {.sim = sl_sim_clone(self->k.sim)};

		ASSERT_EQ(0, kit_flip(&k, kit_path(0, ".log"), at, (int)(at % 8)));
		if (kit_run_plain(&k, open_all))
			TH_LOG("byte %llu", (unsigned long long)at);
		sl_sim_free(k.sim);
	}
}

static int both_slots(struct kit *k)
{
	make_unclean(k);
	ASSERT_EQ(0, zero(k, SEG_SLOTS, 2 * SEG_SECTOR));
	plant(k, END, BATCHES, 0, 150);
	expect_end(k, BATCHES, 1);
	EXPECT_EQ(1000 + BATCHES - 1, sl_log_time_max(k->log, NULL));
	ASSERT_EQ(0, kit_close(k));
	expect_end(k, BATCHES, 1);
	EXPECT_TRUE(sl_log_was_clean(k->log));
	return kit_close(k);
}

TEST_F(recover, without_slots_all_is_looked_at)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, both_slots));
}

static int slots_and_batch(struct kit *k)
{
	uint32_t ids[64];

	make_unclean(k);
	ASSERT_EQ(0, zero(k, SEG_SLOTS, 2 * SEG_SECTOR));
	ASSERT_EQ(0, kit_flip(k, kit_path(0, ".log"), SEG_DATA + 4 * BYTES + 100, 3));
	ASSERT_EQ(0, kit_open(k));
	EXPECT_EQ(BATCHES, sl_log_end(k->log));
	EXPECT_EQ(1, k->events[SL_LOG_QUARANTINED]);
	EXPECT_EQ(4, kit_read(k, 0, 1 << 20, ids, 64, NULL));
	EXPECT_EQ(-EBADMSG, kit_read(k, 4, 1 << 20, ids, 64, NULL));
	EXPECT_EQ(5, kit_read(k, 5, 1 << 20, ids, 64, NULL));
	return kit_close(k);
}

TEST_F(recover, without_slots_a_bad_batch_between_good_ones_is_no_tail)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, slots_and_batch));
}

static int cut_short(struct kit *k)
{
	uint32_t ids[64];
	int fd;

	make_clean(k);
	fd = sl_open(k->dir, kit_path(0, ".log"), O_RDWR, 0, SL_NEVER);
	ASSERT_EQ(0, sl_ftruncate(fd, END - 2 * BYTES - 10, SL_NEVER));
	sl_close(fd);
	ASSERT_EQ(0, kit_open(k));
	/* Their offsets are not given out again. */
	EXPECT_EQ(BATCHES, sl_log_end(k->log));
	EXPECT_EQ(1, k->events[SL_LOG_QUARANTINED]);
	EXPECT_EQ(BATCHES - 3, kit_read(k, 0, 1 << 20, ids, 64, NULL));
	EXPECT_EQ(-EBADMSG, kit_read(k, BATCHES - 1, 1 << 20, ids, 64, NULL));
	ASSERT_EQ(0, kit_fill(k, 70, 1, BYTES));
	EXPECT_EQ(1, kit_read(k, BATCHES, 1 << 20, ids, 64, NULL));
	EXPECT_EQ(70, ids[0]);
	ASSERT_EQ(0, kit_close(k));
	ASSERT_EQ(0, kit_open(k));
	EXPECT_EQ(1, kit_read(k, BATCHES, 1 << 20, ids, 64, NULL));
	EXPECT_EQ(-EBADMSG, kit_read(k, BATCHES - 1, 1 << 20, ids, 64, NULL));
	return kit_close(k);
}

TEST_F(recover, what_is_missing_below_the_watermark_is_quarantined)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, cut_short));
}

static int cut_to_nothing(struct kit *k)
{
	uint32_t ids[64];
	int fd;

	make_clean(k);
	fd = sl_open(k->dir, kit_path(0, ".log"), O_RDWR, 0, SL_NEVER);
	ASSERT_EQ(0, sl_ftruncate(fd, SEG_DATA, SL_NEVER));
	sl_close(fd);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, kit_open(k));
		EXPECT_EQ(BATCHES, sl_log_end(k->log));
		EXPECT_EQ(-EBADMSG, kit_read(k, 0, 1 << 20, ids, 64, NULL));
		ASSERT_EQ(0, kit_close(k));
		if (i == 1) /* the list of what is missing is all that is left of it */
			ASSERT_EQ(0, zero(k, SEG_SLOTS, 2 * SEG_SECTOR));
	}
	EXPECT_EQ(1, k->events[SL_LOG_QUARANTINED]);
	ASSERT_EQ(0, kit_open(k));
	ASSERT_EQ(0, kit_fill(k, 70, 1, BYTES));
	EXPECT_EQ(1, kit_read(k, BATCHES, 1 << 20, ids, 64, NULL));
	EXPECT_EQ(70, ids[0]);
	return kit_close(k);
}

TEST_F(recover, offsets_are_not_used_again_though_all_is_missing)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, cut_to_nothing));
}

static int no_header(struct kit *k)
{
	make_clean(k);
	ASSERT_EQ(0, zero(k, 0, SEG_DATA));
	EXPECT_EQ(-EBADMSG, kit_open(k));
	return 0;
}

TEST_F(recover, without_header_and_copy_it_is_refused)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, no_header));
}

static int newer(struct kit *k)
{
	struct seg_header h = {.kind = kit_kind.id, .salt = 1};
	uint8_t raw[SEG_SECTOR];

	make_clean(k);
	seg_header_encode(&h, raw);
	sl_store_le32(raw + 12, SEG_VERSION + 1);
	sl_store_le64(raw + 504, XXH3_64bits_withSeed(raw, 504, 0));
	ASSERT_EQ(0, write_at(k, raw, sizeof(raw), 0));
	EXPECT_EQ(-EPROTONOSUPPORT, kit_open(k));
	return 0;
}

TEST_F(recover, newer_format_is_refused_as_such)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, newer));
}

static int leftovers(struct kit *k)
{
	static const char *const names[] = {"log/00000000000000000010.log.tmp",
					    "log/00000000000000000099.idx", "log/quarantine.tmp"};
	struct statx stx;

	make_clean(k);
	for (size_t i = 0; i < SL_ARRAY_SIZE(names); i++) {
		int fd = sl_open(k->dir, names[i], O_RDWR | O_CREAT, 0600, SL_NEVER);

		ASSERT_LE(0, fd);
		sl_close(fd);
	}
	expect_end(k, BATCHES, 0);
	EXPECT_TRUE(sl_log_was_clean(k->log));
	for (size_t i = 0; i < SL_ARRAY_SIZE(names); i++)
		EXPECT_EQ(-ENOENT, sl_stat(k->dir, names[i], &stx, SL_NEVER));
	return kit_close(k);
}

TEST_F(recover, leftovers_of_a_crash_are_removed)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, leftovers));
}

/* ---- sealed segments ---------------------------------------------------------------------- */

static int make_segments(struct kit *k)
{
	k->conf.segment_bytes = 4096 + 5 * BYTES;
	k->conf.index_interval_bytes = 300;
	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, 20, BYTES));
	return kit_close(k);
}

static int read_all_of_four(struct kit *k)
{
	uint32_t ids[32];

	ASSERT_EQ(0, kit_open(k));
	EXPECT_EQ(20, kit_read(k, 0, 1 << 20, ids, 32, NULL));
	EXPECT_EQ(0, k->events[SL_LOG_QUARANTINED]);
	return kit_close(k);
}

TEST_F(recover, any_flipped_bit_of_a_footer_or_sealed_header_is_survived)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, make_segments));
	for (uint64_t at = 0; at < 512 + SEG_FOOTER; at += at < 512 ? 7 : 1) {
		struct kit k = {.sim = sl_sim_clone(self->k.sim), .conf = self->k.conf};
		uint64_t pos = at < 512 ? at : SEG_DATA + 5 * BYTES + at - 512;

		ASSERT_EQ(0, kit_flip(&k, kit_path(5, ".log"), pos, (int)(at % 8)));
		if (kit_run_plain(&k, read_all_of_four))
			TH_LOG("byte %llu", (unsigned long long)pos);
		sl_sim_free(k.sim);
	}
}

static int hole(struct kit *k)
{
	uint32_t ids[32];

	make_segments(k);
	ASSERT_EQ(0, sl_unlink(k->dir, kit_path(5, ".log"), 0, SL_NEVER));
	ASSERT_EQ(0, kit_open(k));
	EXPECT_EQ(5, kit_read(k, 0, 1 << 20, ids, 32, NULL));
	EXPECT_EQ(-EBADMSG, kit_read(k, 5, 1 << 20, ids, 32, NULL));
	EXPECT_EQ(5, k->a[SL_LOG_QUARANTINED]);
	EXPECT_EQ(5, k->b[SL_LOG_QUARANTINED]);
	EXPECT_EQ(10, kit_read(k, 10, 1 << 20, ids, 32, NULL));
	return kit_close(k);
}

TEST_F(recover, missing_segment_is_a_hole_and_no_end)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, hole));
}

TEST_HARNESS_MAIN
