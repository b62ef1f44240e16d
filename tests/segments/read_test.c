/* SPDX-License-Identifier: Apache-2.0 */
/* Reading by offset and by time, and walking. */
#include "kit.h"
#include "segments/segments_pvt.h"

enum { RECORDS = 3, BATCHES = 60, BYTES = 250 };

FIXTURE(read)
{
	struct kit k;
};
FIXTURE_VARIANT(read)
{
	bool sim;
};
FIXTURE_VARIANT_ADD(read, real){.sim = false};
FIXTURE_VARIANT_ADD(read, sim){.sim = true};
FIXTURE_SETUP(read)
{
	self->k = (struct kit){.sim = variant->sim ? sl_sim_new(harness_seed(), NULL) : NULL,
			       .background = true};
	self->k.conf.segment_bytes = 4096 + 20 * BYTES;
	self->k.conf.index_interval_bytes = 600;
}
FIXTURE_TEARDOWN(read)
{
	sl_sim_free(self->k.sim);
}

/* Three segments of twenty batches of three records; the time of batch i is 1000 + 10 i. */
static void make(struct kit *k)
{
	ASSERT_EQ(0, kit_create(k));
	for (uint32_t i = 0; i < BATCHES; i++) {
		struct kit_batch b = {i, RECORDS, BYTES, 1000 + 10 * i};

		ASSERT_EQ(0, kit_append(k, &b, NULL));
	}
}

static int all_bounds(struct kit *k)
{
	uint32_t ids[BATCHES];
	uint64_t next;

	make(k);
	/* Every start, inside of batches too, with every limit around whole batches. */
	for (uint64_t at = 0; at < BATCHES * RECORDS; at++) {
		for (uint64_t batches = 0; batches < 8; batches++) {
			uint32_t first = (uint32_t)(at / RECORDS);
			uint64_t want = sl_max(batches, (uint64_t)1);

			want = sl_min(want, (uint64_t)BATCHES - first);
			EXPECT_EQ(want, kit_read(k, at, batches * BYTES + 1, ids, BATCHES, &next));
			EXPECT_EQ(first, ids[0]);
			EXPECT_EQ((first + want) * RECORDS, next);
		}
	}
	EXPECT_EQ(BATCHES, kit_read(k, 0, 1 << 20, ids, BATCHES, &next));
	EXPECT_EQ(0, kit_read(k, BATCHES * RECORDS, 1000, ids, 1, NULL));
	EXPECT_EQ(-ERANGE, kit_read(k, BATCHES * RECORDS + 1, 1000, ids, 1, NULL));
	return kit_close(k);
}

TEST_F(read, spans_end_between_batches_within_the_limit)
{
	ASSERT_EQ(0, kit_run(&self->k, all_bounds));
}

static int one_span_a_segment(struct kit *k)
{
	struct sl_span spans[4];

	make(k);
	ASSERT_EQ(3, sl_log_read(k->log, 0, 1 << 20, NULL, spans, 4, SL_NEVER));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(20 * BYTES, spans[i].extent.len);
		EXPECT_EQ(20 * RECORDS * i, spans[i].base);
		EXPECT_EQ(20 * RECORDS * (i + 1), spans[i].next);
		sl_file_release(spans[i].extent.file);
	}
	ASSERT_EQ(1, sl_log_read(k->log, 0, 1 << 20, NULL, spans, 1, SL_NEVER));
	sl_file_release(spans[0].extent.file);
	return kit_close(k);
}

TEST_F(read, spans_do_not_cross_segments)
{
	ASSERT_EQ(0, kit_run(&self->k, one_span_a_segment));
}

/* What a span says lies at the same place of the file that is opened for direct reads. */
static int direct_files(struct kit *k)
{
	struct sl_direct *file;
	struct sl_span spans[4];

	make(k);
	ASSERT_EQ(3, sl_log_read(k->log, 0, 1 << 20, NULL, spans, 4, SL_NEVER));
	for (int i = 0; i < 3; i++) {
		const struct sl_extent *x = &spans[i].extent;
		struct sl_slice slices[2];
		uint8_t bytes[20 * BYTES];

		EXPECT_EQ(20 * RECORDS * i, spans[i].segment);
		ASSERT_EQ(0, sl_log_open_direct(k->log, spans[i].segment, &file, SL_NEVER));
		ASSERT_EQ(1, sl_direct_read(file, x->off, x->len, slices, 2, SL_NEVER));
		ASSERT_EQ(x->len, slices[0].len);
		ASSERT_EQ(0, sl_read_all(x->file->fd, bytes, x->len, x->off, SL_NEVER));
		EXPECT_EQ(0, memcmp(bytes, slices[0].data, x->len));
		sl_slice_release(&slices[0]);
		sl_direct_close(file);
		sl_file_release(x->file);
	}
	EXPECT_EQ(-ENOENT, sl_log_open_direct(k->log, 1, &file, SL_NEVER));
	return kit_close(k);
}

TEST_F(read, segments_are_opened_for_direct_reads)
{
	ASSERT_EQ(0, kit_run(&self->k, direct_files));
}

static int only_durable(struct kit *k)
{
	struct kit_batch b = {77, 1, 100, 1};
	uint32_t id;
	uint64_t base;

	k->background = false;
	make(k);
	ASSERT_EQ(0, kit_append_nowait(k, &b, NULL, &base));
	EXPECT_EQ(BATCHES * RECORDS, base);
	EXPECT_EQ(base, sl_log_durable(k->log));
	EXPECT_EQ(base + 1, sl_log_end(k->log));
	EXPECT_EQ(0, kit_read(k, base, 1000, &id, 1, NULL));
	ASSERT_EQ(0, sl_log_sync(k->log, SL_NEVER));
	EXPECT_EQ(1, kit_read(k, base, 1000, &id, 1, NULL));
	EXPECT_EQ(77, id);
	return kit_close(k);
}

TEST_F(read, what_is_not_durable_is_not_given_out)
{
	ASSERT_EQ(0, kit_run(&self->k, only_durable));
}

static int by_time(struct kit *k)
{
	struct sl_frame f;

	make(k);
	for (int64_t t = 900; t < 1000 + 10 * BATCHES; t += 5) {
		int64_t want = t <= 1000 ? 0 : (t - 1000 + 9) / 10;

		if (want >= BATCHES) {
			EXPECT_EQ(-ENOENT, sl_log_find_time(k->log, t, &f, SL_NEVER));
			continue;
		}
		ASSERT_EQ(0, sl_log_find_time(k->log, t, &f, SL_NEVER));
		if (!EXPECT_EQ(want * RECORDS, f.base))
			TH_LOG("time %lld", (long long)t);
	}
	/* Behind a trim in the middle of a segment. */
	ASSERT_EQ(0, sl_log_trim(k->log, 30 * RECORDS, SL_NEVER));
	ASSERT_EQ(0, sl_log_find_time(k->log, 0, &f, SL_NEVER));
	EXPECT_EQ(30 * RECORDS, f.base);
	ASSERT_EQ(0, sl_log_find_time(k->log, 1000 + 10 * 45, &f, SL_NEVER));
	EXPECT_EQ(45 * RECORDS, f.base);
	return kit_close(k);
}

TEST_F(read, time_finds_the_first_batch_that_is_not_older)
{
	ASSERT_EQ(0, kit_run(&self->k, by_time));
}

static int falling_times(struct kit *k)
{
	static const int64_t times[] = {50, 90, 20, 70, 95, 10, 30};
	struct sl_frame f;
	uint64_t base;

	k->conf.index_interval_bytes = 100;
	ASSERT_EQ(0, kit_create(k));
	EXPECT_EQ(-ENOENT, sl_log_find_time(k->log, 0, &f, SL_NEVER));
	for (uint32_t i = 0; i < SL_ARRAY_SIZE(times); i++) {
		struct kit_batch b = {i, 1, 150, times[i]};

		ASSERT_EQ(0, kit_append(k, &b, NULL));
	}
	ASSERT_EQ(0, sl_log_find_time(k->log, 60, &f, SL_NEVER));
	EXPECT_EQ(1, f.base);
	ASSERT_EQ(0, sl_log_find_time(k->log, 91, &f, SL_NEVER));
	EXPECT_EQ(4, f.base);
	EXPECT_EQ(-ENOENT, sl_log_find_time(k->log, 96, &f, SL_NEVER));
	EXPECT_EQ(95, sl_log_time_max(k->log, &base));
	EXPECT_EQ(4, base);
	ASSERT_EQ(0, sl_log_trim(k->log, 5, SL_NEVER));
	EXPECT_EQ(30, sl_log_time_max(k->log, &base));
	EXPECT_EQ(6, base);
	EXPECT_EQ(-ENOENT, sl_log_find_time(k->log, 31, &f, SL_NEVER));
	return kit_close(k);
}

TEST_F(read, times_need_not_rise)
{
	ASSERT_EQ(0, kit_run(&self->k, falling_times));
}

struct walker {
	uint32_t n, stop_at;
	uint64_t next;
};

static int walk_on(void *arg, const uint8_t *header, const struct sl_frame *frame)
{
	struct walker *w = arg;

	EXPECT_EQ(frame->base / RECORDS, kit_id(header));
	if (w->n++)
		EXPECT_EQ(w->next, frame->base);
	w->next = frame->base + frame->records;
	return w->n == w->stop_at ? 42 : 0;
}

static int walking(struct kit *k)
{
	struct walker w = {0};

	make(k);
	EXPECT_EQ(0, sl_log_each(k->log, 0, walk_on, &w, SL_NEVER));
	EXPECT_EQ(BATCHES, w.n);
	w = (struct walker){0};
	EXPECT_EQ(0, sl_log_each(k->log, 25 * RECORDS + 1, walk_on, &w, SL_NEVER));
	EXPECT_EQ(BATCHES - 25, w.n);
	w = (struct walker){.stop_at = 30};
	EXPECT_EQ(42, sl_log_each(k->log, 0, walk_on, &w, SL_NEVER));
	EXPECT_EQ(30, w.n);
	w = (struct walker){0};
	EXPECT_EQ(0, sl_log_each(k->log, BATCHES * RECORDS, walk_on, &w, SL_NEVER));
	EXPECT_EQ(0, w.n);
	return kit_close(k);
}

TEST_F(read, each_goes_over_all_segments)
{
	ASSERT_EQ(0, kit_run(&self->k, walking));
}

TEST_HARNESS_MAIN
