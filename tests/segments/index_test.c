/* SPDX-License-Identifier: Apache-2.0 */
/* Indexes in memory and on disk; rebuilt when they are missing or wrong. */
#include "kit.h"
#include "segments/segments_pvt.h"

/* ---- in memory ---------------------------------------------------------------------------- */

/* 100 batches of 64 bytes and two offsets; times rise to the middle and fall again. */
static void fill(struct index *x)
{
	int64_t before = -1;

	index_init(x, SEG_DATA);
	for (int i = 0; i < 100; i++) {
		int64_t time = i < 50 ? 10 * i : 10 * (100 - i);

		index_note(x, 256, (uint64_t)i * 2, SEG_DATA + (uint64_t)i * 64, before);
		before = sl_max(before, time);
	}
}

TEST(lookups_find_the_entry_at_or_before)
{
	struct index_entry e;
	struct index x;

	fill(&x);
	EXPECT_EQ(24, x.n);
	e = index_by_offset(&x, 0);
	EXPECT_EQ(SEG_DATA, e.pos);
	e = index_by_offset(&x, 9);
	EXPECT_EQ(8, e.rel);
	EXPECT_EQ(SEG_DATA + 256, e.pos);
	e = index_by_offset(&x, 7);
	EXPECT_EQ(0, e.rel);
	e = index_by_pos(&x, SEG_DATA + 511);
	EXPECT_EQ(8, e.rel);
	e = index_by_pos(&x, UINT32_MAX);
	EXPECT_EQ(192, e.rel);
	EXPECT_TRUE(index_after_pos(&x, SEG_DATA, &e));
	EXPECT_EQ(8, e.rel);
	EXPECT_FALSE(index_after_pos(&x, SEG_DATA + 96 * 64, &e));
	/* The first batch with time 100 is number 10: the entry before it is of number 8. */
	e = index_by_time(&x, 100);
	EXPECT_EQ(16, e.rel);
	e = index_by_time(&x, 0);
	EXPECT_EQ(0, e.rel);
	index_done(&x);
}

TEST(decodes_as_encoded_and_not_with_a_bit_flipped)
{
	struct index_file f = {.salt = 5, .base = 1000, .covered = {.off = 1200, .pos = 20000,
			       .time_max = 7, .time_base = 1100, .epoch = 2}, .interval = 256};
	struct index_file out;
	struct index_entry *e;
	struct index x;
	uint8_t raw[INDEX_HEADER + 24 * INDEX_ENTRY];

	fill(&x);
	index_encode(&f, x.e, x.n, raw);
	ASSERT_EQ(24, index_decode(raw, sizeof(raw), &out, &e));
	EXPECT_MEMEQ(x.e, e, 24 * INDEX_ENTRY);
	EXPECT_EQ(1200, out.covered.off);
	EXPECT_EQ(20000, out.covered.pos);
	EXPECT_EQ(5, out.salt);
	free(e);
	for (size_t i = 0; i < sizeof(raw) * 8; i++) {
		raw[i / 8] ^= (uint8_t)(1 << i % 8);
		EXPECT_EQ(-EBADMSG, index_decode(raw, sizeof(raw), &out, &e));
		raw[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	EXPECT_EQ(-EBADMSG, index_decode(raw, sizeof(raw) - 1, &out, &e));
	EXPECT_EQ(-EBADMSG, index_decode(raw, 10, &out, &e));
	index_done(&x);
}

TEST(entries_out_of_order_are_refused_whatever_the_sum)
{
	struct index_entry bad[2] = {{20, 9000, -1}, {10, 9500, 3}};
	struct index_file f = {.base = 0, .covered = {.off = 100, .pos = 20000}}, out;
	uint8_t raw[INDEX_HEADER + 2 * INDEX_ENTRY];
	struct index_entry *e;

	index_encode(&f, bad, 2, raw);
	EXPECT_EQ(-EBADMSG, index_decode(raw, sizeof(raw), &out, &e));
}

/* ---- of a log ------------------------------------------------------------------------------ */

enum { SEGMENT = 4096 + 20 * 200 };

static int make_sealed(struct kit *k)
{
	k->conf.segment_bytes = SEGMENT;
	k->conf.index_interval_bytes = 512;
	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, 50, 200));
	return kit_close(k);
}

/* Each record by its offset. */
static int read_each(struct kit *k)
{
	ASSERT_EQ(0, kit_open(k));
	for (uint32_t i = 0; i < 50; i++) {
		uint32_t id = 0;

		if (!EXPECT_EQ(1, kit_read(k, i, 1, &id, 1, NULL)) || !EXPECT_EQ(i, id))
			TH_LOG("offset %u", i);
	}
	return kit_close(k);
}

FIXTURE(of_log)
{
	struct kit k;
};
FIXTURE_SETUP(of_log)
{
	self->k = (struct kit){.sim = sl_sim_new(harness_seed(), NULL)};
	ASSERT_EQ(0, kit_run_plain(&self->k, make_sealed));
}
FIXTURE_TEARDOWN(of_log)
{
	sl_sim_free(self->k.sim);
}

TEST_F(of_log, index_written_at_the_seal_is_used)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, read_each));
	EXPECT_EQ(0, self->k.events[SL_LOG_INDEX]);
}

static int remove_index(struct kit *k)
{
	return sl_unlink(k->dir, kit_path(20, ".idx"), 0, SL_NEVER);
}

TEST_F(of_log, missing_index_is_rebuilt_once)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, remove_index));
	ASSERT_EQ(0, kit_run_plain(&self->k, read_each));
	EXPECT_EQ(1, self->k.events[SL_LOG_INDEX]);
	EXPECT_EQ(20, self->k.a[SL_LOG_INDEX]);
	ASSERT_EQ(0, kit_run_plain(&self->k, read_each));
	EXPECT_EQ(1, self->k.events[SL_LOG_INDEX]);
}

TEST_F(of_log, index_with_any_byte_changed_is_rebuilt)
{
	for (uint64_t at = 0; at < INDEX_HEADER + 6 * INDEX_ENTRY; at++) {
		uint32_t before = self->k.events[SL_LOG_INDEX];

		ASSERT_EQ(0, kit_flip(&self->k, kit_path(0, ".idx"), at, (int)(at % 8)));
		ASSERT_EQ(0, kit_run_plain(&self->k, read_each));
		if (!EXPECT_EQ(before + 1, self->k.events[SL_LOG_INDEX]))
			TH_LOG("byte %llu", (unsigned long long)at);
	}
}

/* An index of another incarnation of the segment, whole in itself. */
static int write_foreign(struct kit *k)
{
	struct index_entry e = {.rel = 10, .pos = 4099, .time_before = -1};
	struct index_file f = {.salt = 1, .base = 0, .covered = {.off = 20, .pos = SEGMENT}};
	uint8_t raw[INDEX_HEADER + INDEX_ENTRY];

	index_encode(&f, &e, 1, raw);
	return sl_write_file(k->dir, kit_path(0, ".idx"), raw, sizeof(raw), SL_FAULT(NONE),
			     SL_FAULT(NONE), SL_NEVER);
}

TEST_F(of_log, index_of_another_incarnation_is_not_believed)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, write_foreign));
	ASSERT_EQ(0, kit_run_plain(&self->k, read_each));
	EXPECT_EQ(1, self->k.events[SL_LOG_INDEX]);
}

TEST_F(of_log, disk_that_refuses_a_new_index_costs_nothing)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, remove_index));
	sl_sim_limit(self->k.sim, 1);
	ASSERT_EQ(0, kit_run_plain(&self->k, read_each));
	EXPECT_EQ(0, self->k.events[SL_LOG_FAILED]);
}

/* What was appended before an unclean start is not in the memory's index at first. */
static int active_after_crash(struct kit *k)
{
	k->conf.segment_bytes = 0;
	k->conf.index_interval_bytes = 512;
	ASSERT_EQ(0, kit_open(k));
	ASSERT_EQ(0, kit_fill(k, 50, 100, 200));
	kit_abandon(k);
	ASSERT_EQ(0, kit_open(k));
	ASSERT_EQ(0, kit_fill(k, 150, 100, 200));
	for (uint32_t i = 50; i < 250; i += 7) {
		uint32_t id = 0;

		EXPECT_EQ(1, kit_read(k, i, 1, &id, 1, NULL));
		EXPECT_EQ(i, id);
	}
	return kit_close(k);
}

TEST_F(of_log, active_index_is_completed_from_the_batches)
{
	ASSERT_EQ(0, kit_run_plain(&self->k, active_after_crash));
	EXPECT_EQ(0, self->k.events[SL_LOG_INDEX]);
}

/* Without the sync the index would be lost, and be made again: that is noticed. */
TEST_F(of_log, index_survives_a_cut)
{
	sl_sim_reboot(self->k.sim, SL_SIM_LOSE_ALL);
	ASSERT_EQ(0, kit_run_plain(&self->k, read_each));
	EXPECT_EQ(0, self->k.events[SL_LOG_INDEX]);
}

TEST_HARNESS_MAIN
