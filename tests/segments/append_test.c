/* SPDX-License-Identifier: Apache-2.0 */
/* Appending whole batches: order, durability, full and failing disks. */
#include "kit.h"
#include "segments/segments_pvt.h"

FIXTURE(append)
{
	struct kit k;
};
FIXTURE_SETUP(append)
{
	self->k = (struct kit){.sim = sl_sim_new(harness_seed(), NULL), .background = true};
}
FIXTURE_TEARDOWN(append)
{
	sl_sim_free(self->k.sim);
}

/* ---- order -------------------------------------------------------------------------------- */

struct writer {
	struct kit *k;
	uint32_t id;
	uint64_t base;
	bool done;
};

static void write_one(void *arg)
{
	struct writer *w = arg;
	struct kit_batch b = {w->id, 2, 200 + 50 * w->id, w->id};

	EXPECT_EQ(0, kit_append(w->k, &b, &w->base));
	w->done = true;
}

static int take_turns(struct kit *k)
{
	struct writer w[20];

	k->conf.segment_bytes = 4096 + 3000;
	ASSERT_EQ(0, kit_create(k));
	for (uint32_t i = 0; i < SL_ARRAY_SIZE(w); i++) {
		w[i] = (struct writer){.k = k, .id = i};
		ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, write_one, &w[i]));
	}
	for (uint32_t i = 0; i < SL_ARRAY_SIZE(w); i++) {
		while (!w[i].done)
			sl_sleep(sl_now() + SL_MSEC);
		EXPECT_EQ(2 * i, w[i].base);
	}
	return kit_close(k);
}

TEST_F(append, concurrent_appends_take_offsets_as_they_came)
{
	sl_sim_delay(self->k.sim, 3);
	ASSERT_EQ(0, kit_run(&self->k, take_turns));
}

static int many_vectors(struct kit *k)
{
	struct kit_batch b = {3, 1, 700000, 5};
	uint8_t *data = malloc(b.bytes);
	struct sl_frame f = kit_make(&b, data);
	struct iovec iov[300];
	struct sl_span span;
	size_t at = 0;
	uint64_t base;
	int n = 0;

	ASSERT_EQ(0, kit_create(k));
	while (at < b.bytes) {
		size_t len = sl_min(b.bytes - at, (size_t)(n ? 2500 : KIT_HEADER));

		iov[n++] = (struct iovec){data + at, len};
		at += len;
	}
	ASSERT_LE(0, sl_log_append(k->log, iov, n, &f, NULL, &base, SL_NEVER));
	ASSERT_EQ(0, sl_log_sync(k->log, SL_NEVER));
	ASSERT_EQ(1, sl_log_read(k->log, 0, 1 << 20, NULL, &span, 1, SL_NEVER));
	ASSERT_EQ(b.bytes, span.extent.len);
	ASSERT_EQ(0, sl_read_all(span.extent.file->fd, data, b.bytes, span.extent.off, SL_NEVER));
	EXPECT_TRUE(kit_is(&b, data));
	sl_file_release(span.extent.file);
	free(data);
	return kit_close(k);
}

TEST_F(append, large_batch_in_many_pieces_is_stored_whole)
{
	ASSERT_EQ(0, kit_run(&self->k, many_vectors));
}

static int too_large(struct kit *k)
{
	uint8_t buf[KIT_HEADER];
	struct kit_batch b = {1, 1, KIT_HEADER, 1};
	struct sl_frame f = kit_make(&b, buf);
	struct iovec iov = {buf, sizeof(buf)};
	uint64_t base = 5;

	ASSERT_EQ(0, kit_create(k));
	f.bytes = UINT64_C(3) << 30;
	EXPECT_EQ(-EMSGSIZE, sl_log_append(k->log, &iov, 1, &f, NULL, &base, SL_NEVER));
	EXPECT_EQ(5, base);
	EXPECT_EQ(0, sl_log_end(k->log));
	return kit_close(k);
}

TEST_F(append, batch_that_no_segment_can_hold_is_refused)
{
	ASSERT_EQ(0, kit_run(&self->k, too_large));
}

static int epochs(struct kit *k)
{
	struct sl_frame f;

	k->conf.epoch = 7;
	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, 1, 100));
	EXPECT_EQ(7, sl_log_epoch(k->log));
	k->conf.epoch = 3;
	sl_log_configure(k->log, &k->conf);
	ASSERT_EQ(0, kit_fill(k, 1, 1, 100));
	EXPECT_EQ(7, sl_log_epoch(k->log));
	k->conf.epoch = 9;
	sl_log_configure(k->log, &k->conf);
	ASSERT_EQ(0, kit_fill(k, 2, 1, 100));
	ASSERT_EQ(0, sl_log_find_time(k->log, 1002, &f, SL_NEVER));
	EXPECT_EQ(9, f.epoch);
	kit_abandon(k);
	ASSERT_EQ(0, kit_open(k));
	EXPECT_EQ(3, sl_log_end(k->log));
	EXPECT_EQ(9, sl_log_epoch(k->log));
	return kit_close(k);
}

TEST_F(append, epoch_is_never_lower_than_the_one_before)
{
	ASSERT_EQ(0, kit_run(&self->k, epochs));
}

/* ---- durability --------------------------------------------------------------------------- */

static struct sl_commit told;
static int times_told;

static void tell(struct sl_commit *c)
{
	EXPECT_EQ(&told, c);
	times_told++;
}

static int each_mode(struct kit *k)
{
	struct kit_batch b = {1, 1, 100, 1};
	uint64_t syncs, base;

	k->conf.durability = SL_DURABILITY_EACH;
	ASSERT_EQ(0, kit_create(k));
	told = (struct sl_commit){.core = sl_core_self(), .done = tell, .res = 9};
	for (uint64_t i = 0; i < 3; i++) {
		syncs = sl_sim_syncs(k->sim, SL_FAULT(SYNC_COMMIT));
		EXPECT_EQ(1, kit_append_nowait(k, &b, &told, &base));
		EXPECT_EQ(0, told.res);
		EXPECT_EQ(i + 1, sl_log_durable(k->log));
		EXPECT_EQ(syncs + 1, sl_sim_syncs(k->sim, SL_FAULT(SYNC_COMMIT)));
	}
	EXPECT_EQ(0, times_told);
	return kit_close(k);
}

TEST_F(append, each_is_durable_on_return_by_a_sync_of_its_own)
{
	ASSERT_EQ(0, kit_run(&self->k, each_mode));
}

static int none_mode(struct kit *k)
{
	struct kit_batch b = {1, 1, 100, 1};
	int64_t until;
	uint64_t base;

	k->conf.durability = SL_DURABILITY_NONE;
	ASSERT_EQ(0, kit_create(k));
	told = (struct sl_commit){.core = sl_core_self(), .done = tell, .res = 9};
	EXPECT_EQ(1, kit_append_nowait(k, &b, &told, &base));
	EXPECT_EQ(0, told.res);
	EXPECT_EQ(1, sl_log_durable(k->log));
	EXPECT_EQ(0, sl_sim_syncs(k->sim, SL_FAULT(SYNC_COMMIT)));
	until = sl_now() + 20 * LAZY_NS;
	while (sl_now() < until && !sl_sim_syncs(k->sim, SL_FAULT(SYNC_COMMIT)))
		sl_sleep(sl_now() + 20 * SL_MSEC);
	EXPECT_EQ(1, sl_sim_syncs(k->sim, SL_FAULT(SYNC_COMMIT)));
	return kit_close(k);
}

TEST_F(append, none_is_acknowledged_at_once_and_synced_later)
{
	ASSERT_EQ(0, kit_run(&self->k, none_mode));
}

/* ---- full and failing disks --------------------------------------------------------------- */

static int full(struct kit *k)
{
	struct kit_batch big = {50, 1, 300000, 1}; /* more than is reserved ahead */
	uint32_t ids[8];

	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, 3, 1000));
	sl_sim_limit(k->sim, sl_sim_used(k->sim) + 8192);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-ENOSPC, kit_append(k, &big, NULL));
	EXPECT_EQ(1, k->events[SL_LOG_FULL]);
	EXPECT_EQ(0, sl_log_failed(k->log));
	EXPECT_EQ(3, sl_log_end(k->log));
	EXPECT_EQ(3, kit_read(k, 0, 1 << 20, ids, 8, NULL));
	sl_sim_limit(k->sim, 0);
	EXPECT_EQ(0, kit_append(k, &big, NULL));
	EXPECT_EQ(4, sl_log_durable(k->log));
	ASSERT_EQ(0, kit_close(k));
	ASSERT_EQ(0, kit_open(k));
	EXPECT_EQ(4, kit_read(k, 0, 1 << 20, ids, 8, NULL));
	EXPECT_EQ(50, ids[3]);
	return kit_close(k);
}

TEST_F(append, full_disk_refuses_and_recovers_when_space_returns)
{
	ASSERT_EQ(0, kit_run(&self->k, full));
}

static int failed_sync(struct kit *k)
{
	struct kit_batch b = {9, 1, 100, 1};
	struct sl_log *other;
	uint32_t ids[8];
	uint8_t buf[100];
	struct sl_frame f = kit_make(&b, buf);
	struct iovec iov = {buf, sizeof(buf)};
	uint64_t base;

	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, 3, 100));
	ASSERT_EQ(0, sl_mkdir(k->dir, "other", 0700, SL_NEVER));
	ASSERT_EQ(0, sl_log_create(k->dir, "other", &kit_kind, SL_NEVER));
	ASSERT_EQ(0, sl_log_open(k->logs, k->dir, "other", "kit", &kit_kind, &k->conf, &other,
				 SL_NEVER));
	sl_sim_fail_sync(k->sim, 1);
	EXPECT_EQ(-EIO, kit_append(k, &b, NULL));
	EXPECT_EQ(-EIO, sl_log_failed(k->log));
	EXPECT_EQ(1, k->events[SL_LOG_FAILED]);
	EXPECT_EQ(-EIO, kit_append(k, &b, NULL));
	EXPECT_EQ(-EIO, sl_log_sync(k->log, SL_NEVER));
	EXPECT_EQ(3, sl_log_durable(k->log));
	EXPECT_EQ(3, kit_read(k, 0, 1 << 20, ids, 8, NULL));
	EXPECT_EQ(-ERANGE, kit_read(k, 4, 1 << 20, ids, 8, NULL));
	/* Everything else goes on. */
	ASSERT_EQ(0, sl_log_append(other, &iov, 1, &f, NULL, &base, SL_NEVER));
	EXPECT_EQ(0, sl_order_wait(sl_log_order(other), 1, SL_NEVER));
	EXPECT_EQ(0, sl_log_close(other, SL_NEVER));
	EXPECT_EQ(-EIO, kit_close(k));
	return 0;
}

TEST_F(append, failed_sync_fails_the_log_and_no_other)
{
	ASSERT_EQ(0, kit_run(&self->k, failed_sync));
}

/* ---- refused by who owns the logs --------------------------------------------------------- */

static int refused;

static int refuse(struct kit *k)
{
	static uint8_t bytes[1000];
	struct kit_batch b = {0, 1, sizeof(bytes), 1000};
	struct sl_frame f = kit_make(&b, bytes);
	struct sl_append a;

	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, 3, 1000));
	refused = -EDQUOT;
	EXPECT_EQ(-EDQUOT, kit_fill(k, 3, 1, 1000));
	EXPECT_EQ(-EDQUOT, sl_log_reserve(k->log, &f, &a, SL_NEVER));
	EXPECT_EQ(3, sl_log_end(k->log));
	EXPECT_EQ(0, sl_log_failed(k->log));
	EXPECT_EQ(0, k->events[SL_LOG_FULL]);
	refused = 0;
	EXPECT_EQ(0, kit_fill(k, 3, 1, 1000));
	EXPECT_EQ(4, sl_log_durable(k->log));
	return kit_close(k);
}

TEST_F(append, nothing_is_appended_while_all_are_refused)
{
	self->k.refused = &refused;
	ASSERT_EQ(0, kit_run(&self->k, refuse));
}

TEST_HARNESS_MAIN
