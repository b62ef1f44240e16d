/* SPDX-License-Identifier: Apache-2.0 */
/* What does not verify although it was durable: found, refused, passed over, remembered. */
#include "kit.h"
#include "segments/segments_pvt.h"

enum { BATCHES = 30, BYTES = 150, SEGMENT = 4096 + 10 * BYTES };

static int make(struct kit *k)
{
	k->conf.segment_bytes = SEGMENT;
	k->conf.index_interval_bytes = 400;
	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, BATCHES, BYTES));
	return kit_close(k);
}

FIXTURE(quarantine)
{
	struct kit k;
};
FIXTURE_SETUP(quarantine)
{
	self->k = (struct kit){.sim = sl_sim_new(harness_seed(), NULL)};
	ASSERT_EQ(0, kit_run_plain(&self->k, make));
}
FIXTURE_TEARDOWN(quarantine)
{
	sl_sim_free(self->k.sim);
}

/* Reads all, record by record. Return: how many cannot be read; all others are as appended. */
static int unreadable(struct kit *k)
{
	int bad = 0;

	for (uint32_t i = 0; i < BATCHES; i++) {
		uint32_t id = 99;
		int r = kit_read(k, i, 1, &id, 1, NULL);

		if (r == -EBADMSG)
			bad++;
		else if (!EXPECT_EQ(1, r) || !EXPECT_EQ(i, id))
			TH_LOG("offset %u", i);
	}
	return bad;
}

static int scrub_and_read(struct kit *k)
{
	int want = k->a[0] ? 0 : 1;
	int found, bad;

	ASSERT_EQ(0, kit_open(k));
	found = sl_log_scrub(k->log, SL_NEVER);
	EXPECT_EQ(want, found);
	bad = unreadable(k);
	if (!EXPECT_EQ(want, bad))
		return 1;
	EXPECT_EQ(BATCHES, sl_log_durable(k->log));
	/* It goes on, and a second look finds nothing new. */
	EXPECT_EQ(0, sl_log_scrub(k->log, SL_NEVER));
	ASSERT_EQ(0, kit_fill(k, BATCHES, 1, BYTES));
	ASSERT_EQ(0, kit_close(k));
	ASSERT_EQ(0, kit_open(k));
	EXPECT_EQ(bad, unreadable(k));
	return kit_close(k);
}

/* Every byte of the batches of a sealed and of the last segment, one at a time. */
TEST_F(quarantine, any_flipped_bit_costs_its_batch_and_no_other)
{
	for (int segment = 0; segment < 3; segment += 2) {
		uint64_t base = (uint64_t)segment * 10;

		for (uint64_t at = SEG_DATA; at < SEGMENT; at += 3) {
			struct kit k = {.sim = sl_sim_clone(self->k.sim), .conf = self->k.conf};
			uint64_t in_batch = (at - SEG_DATA) % BYTES;

			/* An epoch lies outside of all checksums, as in Kafka. */
			if (in_batch >= 8 && in_batch < 12)
				k.a[0] = 1;
			ASSERT_EQ(0, kit_flip(&k, kit_path(base, ".log"), at, (int)(at % 8)));
			if (kit_run_plain(&k, scrub_and_read))
				TH_LOG("byte %llu", (unsigned long long)at);
			sl_sim_free(k.sim);
		}
	}
}

static int read_only(struct kit *k)
{
	ASSERT_EQ(0, kit_open(k));
	EXPECT_LE(unreadable(k), 1);
	return kit_close(k);
}

/* Headers are met by readers, before any scrub; a wrong sum only by who looks at it. */
TEST_F(quarantine, reader_that_meets_a_destroyed_header_goes_on_behind_it)
{
	for (uint64_t at = SEG_DATA + 3 * BYTES; at < SEG_DATA + 3 * BYTES + 24; at++) {
		struct kit k = {.sim = sl_sim_clone(self->k.sim), .conf = self->k.conf};

		/* Without an index the reader has to walk over it. */
		ASSERT_EQ(0, kit_flip(&k, kit_path(0, ".idx"), 100, 0));
		ASSERT_EQ(0, kit_flip(&k, kit_path(0, ".log"), at, 6));
		kit_run_plain(&k, read_only);
		sl_sim_free(k.sim);
	}
}

static int next_seen;

static int note_next(void *arg, const uint8_t *header, const struct sl_frame *frame)
{
	if (frame->base == 13)
		TH_LOG("the bad batch was given out");
	EXPECT_NE(13, frame->base);
	next_seen++;
	return 0;
}

static int pass_over(struct kit *k)
{
	struct sl_span spans[4];

	ASSERT_EQ(0, kit_open(k));
	ASSERT_EQ(1, sl_log_scrub(k->log, SL_NEVER));
	EXPECT_EQ(13, k->a[SL_LOG_QUARANTINED]);
	EXPECT_EQ(1, k->b[SL_LOG_QUARANTINED]);
	ASSERT_EQ(2, sl_log_read(k->log, 0, 1 << 20, NULL, spans, 4, SL_NEVER));
	EXPECT_EQ(10, spans[0].next);
	EXPECT_EQ(13, spans[1].next);
	sl_file_release(spans[0].extent.file);
	sl_file_release(spans[1].extent.file);
	EXPECT_EQ(-EBADMSG, sl_log_read(k->log, 13, 1 << 20, NULL, spans, 4, SL_NEVER));
	ASSERT_EQ(2, sl_log_read(k->log, 14, 1 << 20, NULL, spans, 4, SL_NEVER));
	EXPECT_EQ(14, spans[0].base);
	sl_file_release(spans[0].extent.file);
	sl_file_release(spans[1].extent.file);
	EXPECT_EQ(0, sl_log_each(k->log, 0, note_next, NULL, SL_NEVER));
	EXPECT_EQ(BATCHES - 1, next_seen);
	return kit_close(k);
}

TEST_F(quarantine, spans_and_walks_pass_over_it)
{
	ASSERT_EQ(0, kit_flip(&self->k, kit_path(10, ".log"), SEG_DATA + 3 * BYTES + 100, 1));
	ASSERT_EQ(0, kit_run_plain(&self->k, pass_over));
}

static int scrub_only(struct kit *k)
{
	ASSERT_EQ(0, kit_open(k));
	EXPECT_EQ(1, sl_log_scrub(k->log, SL_NEVER));
	kit_abandon(k);
	return 0;
}

static int still_refused(struct kit *k)
{
	struct sl_span span;
	int r;

	ASSERT_EQ(0, kit_open(k));
	r = sl_log_read(k->log, 13, 1, NULL, &span, 1, SL_NEVER);
	if (r == 1)
		sl_file_release(span.extent.file);
	kit_abandon(k);
	return r == -EBADMSG;
}

FIXTURE_VARIANT(remembered)
{
	enum sl_fault skip;
	int want;
};
FIXTURE(remembered)
{
	struct kit k;
};
FIXTURE_VARIANT_ADD(remembered, synced){SL_FAULT(NONE), 1};
FIXTURE_VARIANT_ADD(remembered, sync_left_out){SL_FAULT(SYNC_QUARANTINE), 0};
FIXTURE_SETUP(remembered)
{
	self->k = (struct kit){.sim = sl_sim_new(1, NULL)};
	ASSERT_EQ(0, kit_run_plain(&self->k, make));
}
FIXTURE_TEARDOWN(remembered)
{
	sl_sim_free(self->k.sim);
}

TEST_F(remembered, over_a_power_cut)
{
	struct kit *k = &self->k;

	ASSERT_EQ(0, kit_flip(k, kit_path(10, ".log"), SEG_DATA + 3 * BYTES + 100, 1));
	if (variant->skip)
		sl_sim_skip_sync(k->sim, variant->skip);
	ASSERT_EQ(0, kit_run_plain(k, scrub_only));
	sl_sim_reboot(k->sim, SL_SIM_LOSE_ALL);
	EXPECT_EQ(variant->want, kit_run_plain(k, still_refused));
}

TEST_F(quarantine, destroyed_list_is_found_again_by_a_scrub)
{
	struct kit *k = &self->k;

	ASSERT_EQ(0, kit_flip(k, kit_path(10, ".log"), SEG_DATA + 3 * BYTES + 100, 1));
	ASSERT_EQ(0, kit_run_plain(k, scrub_only));
	ASSERT_EQ(0, kit_flip(k, "log/quarantine", 50, 1));
	ASSERT_EQ(0, kit_run_plain(k, scrub_only));
	EXPECT_EQ(1, kit_run_plain(k, still_refused));
}

TEST_HARNESS_MAIN
