/* SPDX-License-Identifier: Apache-2.0 */
/* Streamed appends: whole, aborted, stalled, from another core, and under a closing log. */
#include "kit.h"
#include "segments/segments_pvt.h"

FIXTURE(stream)
{
	struct kit k;
};
FIXTURE_VARIANT(stream)
{
	bool sim;
};
FIXTURE_VARIANT_ADD(stream, real){.sim = false};
FIXTURE_VARIANT_ADD(stream, sim){.sim = true};
FIXTURE_SETUP(stream)
{
	self->k = (struct kit){.sim = variant->sim ? sl_sim_new(harness_seed(), NULL) : NULL,
			       .background = true};
}
FIXTURE_TEARDOWN(stream)
{
	sl_sim_free(self->k.sim);
}

/* One stream with its bytes. */
struct flow {
	struct kit_batch b;
	uint8_t *data;
	size_t at;
	struct sl_append a;
};

static int flow_begin(struct flow *f, struct sl_log *log, uint32_t id, size_t bytes)
{
	struct sl_frame frame;

	*f = (struct flow){.b = {id, 1, bytes, id}, .data = malloc(bytes)};
	frame = kit_make(&f->b, f->data);
	return sl_log_reserve(log, &frame, &f->a, SL_NEVER);
}

static int flow_write(struct flow *f, size_t len)
{
	int err = sl_append_write(&f->a, f->data + f->at, len, SL_NEVER);

	f->at += len;
	return err;
}

static int flow_finish(struct flow *f, uint64_t *ret_base)
{
	int err = sl_append_finish(&f->a, NULL, ret_base, SL_NEVER);

	free(f->data);
	return err;
}

static void expect_ids(struct kit *k, const uint32_t *want, int n)
{
	uint32_t ids[16] = {0};

	ASSERT_EQ(0, sl_log_sync(k->log, SL_NEVER));
	ASSERT_EQ(n, kit_read(k, 0, 64 << 20, ids, 16, NULL));
	EXPECT_MEMEQ(want, ids, (size_t)n * sizeof(*ids));
}

static int whole(struct kit *k)
{
	struct flow f;
	uint64_t base = 99;

	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, flow_begin(&f, k->log, 5, 1000000));
	while (f.at < f.b.bytes) {
		EXPECT_EQ(0, sl_log_end(k->log));
		ASSERT_EQ(0, flow_write(&f, sl_min(f.b.bytes - f.at, (size_t)262144)));
	}
	ASSERT_LE(0, flow_finish(&f, &base));
	EXPECT_EQ(0, base);
	expect_ids(k, (uint32_t[]){5}, 1);
	ASSERT_EQ(0, kit_close(k));
	ASSERT_EQ(0, kit_open(k));
	expect_ids(k, (uint32_t[]){5}, 1);
	return kit_close(k);
}

TEST_F(stream, written_in_steps_is_one_batch)
{
	ASSERT_EQ(0, kit_run(&self->k, whole));
}

static int aborted(struct kit *k)
{
	struct statx stx;
	struct flow f;

	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 1, 1, 500));
	ASSERT_EQ(0, flow_begin(&f, k->log, 5, 100000));
	ASSERT_EQ(0, flow_write(&f, 50000));
	sl_append_abort(&f.a);
	sl_append_abort(&f.a);
	free(f.data);
	EXPECT_EQ(1, sl_log_end(k->log));
	ASSERT_EQ(0, sl_stat(k->dir, kit_path(0, ".log"), &stx, SL_NEVER));
	EXPECT_EQ(4096 + 500, stx.stx_size);
	ASSERT_EQ(0, kit_fill(k, 2, 1, 500));
	expect_ids(k, (uint32_t[]){1, 2}, 2);
	return kit_close(k);
}

TEST_F(stream, aborted_leaves_nothing)
{
	ASSERT_EQ(0, kit_run(&self->k, aborted));
}

static int half_then_killed(struct kit *k)
{
	struct sl_logs *old;
	struct flow f;

	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 1, 1, 500));
	ASSERT_EQ(0, flow_begin(&f, k->log, 5, 10000));
	ASSERT_EQ(0, flow_write(&f, 10000)); /* all of it, but not finished */
	ASSERT_EQ(0, sl_fsync(f.a.file->fd, false, SL_FAULT(NONE), SL_NEVER));
	sl_log_abandon(k->log);
	old = k->logs;
	ASSERT_EQ(0, kit_open(k));
	EXPECT_EQ(1, sl_log_end(k->log));
	EXPECT_EQ(1, k->events[SL_LOG_TORN_TAIL]);
	expect_ids(k, (uint32_t[]){1}, 1);
	sl_append_abort(&f.a);
	sl_logs_free(old, SL_NEVER);
	free(f.data);
	return kit_close(k);
}

TEST(unfinished_is_no_batch_after_a_crash)
{
	struct kit k = {.sim = sl_sim_new(1, NULL)};

	ASSERT_EQ(0, kit_run(&k, half_then_killed));
	sl_sim_free(k.sim);
}

static int stalled(struct kit *k)
{
	struct flow f, g;
	uint64_t base = 0;
	int64_t began;

	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, flow_begin(&f, k->log, 5, 900000));
	ASSERT_EQ(0, flow_write(&f, 300000));
	began = sl_now();
	ASSERT_EQ(0, kit_fill(k, 1, 2, 500)); /* does not wait for long */
	EXPECT_LT(sl_now() - began, 2 * SL_SEC * harness_time_scale());
	ASSERT_EQ(0, flow_begin(&g, k->log, 6, 1000)); /* nor does another stream */
	ASSERT_EQ(0, flow_write(&f, 300000));
	ASSERT_EQ(0, flow_write(&g, 1000));
	ASSERT_EQ(0, flow_write(&f, 300000));
	ASSERT_LE(0, flow_finish(&g, &base));
	EXPECT_EQ(2, base);
	ASSERT_LE(0, flow_finish(&f, &base));
	EXPECT_EQ(3, base);
	expect_ids(k, (uint32_t[]){1, 2, 6, 5}, 4);
	EXPECT_EQ(0, sl_buf_bytes_used(sl_core_self()));
	return kit_close(k);
}

TEST_F(stream, stalled_one_gives_way_and_is_appended_later)
{
	ASSERT_EQ(0, kit_run(&self->k, stalled));
}

static int stalled_then_aborted(struct kit *k)
{
	struct flow f;

	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, flow_begin(&f, k->log, 5, 900000));
	ASSERT_EQ(0, flow_write(&f, 300000));
	ASSERT_EQ(0, kit_fill(k, 1, 1, 500));
	sl_append_abort(&f.a);
	free(f.data);
	expect_ids(k, (uint32_t[]){1}, 1);
	EXPECT_EQ(0, sl_buf_bytes_used(sl_core_self()));
	return kit_close(k);
}

TEST_F(stream, stalled_and_aborted_leaves_nothing)
{
	ASSERT_EQ(0, kit_run(&self->k, stalled_then_aborted));
}

static int under_close(struct kit *k)
{
	struct flow f;
	uint64_t base;

	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 1, 1, 500));
	ASSERT_EQ(0, flow_begin(&f, k->log, 5, 900000));
	ASSERT_EQ(0, flow_write(&f, 900000));
	/* Long enough for the mark of a clean end, not for the stream's. */
	EXPECT_EQ(-ETIME, sl_log_close(k->log, sl_now() + SL_SEC * harness_time_scale()));
	EXPECT_EQ(-ESHUTDOWN, flow_finish(&f, &base));
	sl_logs_free(k->logs, SL_NEVER);
	ASSERT_EQ(0, kit_open(k));
	expect_ids(k, (uint32_t[]){1}, 1);
	EXPECT_TRUE(sl_log_was_clean(k->log));
	return kit_close(k);
}

TEST_F(stream, closing_log_refuses_it)
{
	ASSERT_EQ(0, kit_run(&self->k, under_close));
}

static int full_disk(struct kit *k)
{
	struct flow f;
	uint64_t base;
	int err = 0;

	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 1, 1, 500));
	ASSERT_EQ(0, flow_begin(&f, k->log, 5, 900000));
	sl_sim_limit(k->sim, sl_sim_used(k->sim) + 300000);
	while (!err && f.at < f.b.bytes)
		err = flow_write(&f, 100000);
	EXPECT_EQ(-ENOSPC, err);
	EXPECT_EQ(-ENOSPC, flow_finish(&f, &base));
	sl_sim_limit(k->sim, 0);
	ASSERT_EQ(0, kit_fill(k, 2, 1, 500));
	expect_ids(k, (uint32_t[]){1, 2}, 2);
	EXPECT_EQ(1, k->events[SL_LOG_FULL]);
	return kit_close(k);
}

TEST(full_disk_ends_it_without_a_trace)
{
	struct kit k = {.sim = sl_sim_new(1, NULL), .background = true};

	ASSERT_EQ(0, kit_run(&k, full_disk));
	sl_sim_free(k.sim);
}

/* ---- several cores ------------------------------------------------------------------------ */

enum { CORES = 3, FLOWS = 40 };

struct crowd {
	struct kit k;
	struct sl_log *log; /* on core 0 */
	uint32_t ready, ended, stored;
	bool seen[CORES * FLOWS];
};

static int stream_some(struct crowd *c, uint32_t core)
{
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct flow f;
		uint64_t base;
		int err = flow_begin(&f, c->log, core * FLOWS + i, 2000 + 997 * i);

		if (err)
			return err;
		while (!err && f.at < f.b.bytes) {
			err = flow_write(&f, sl_min(f.b.bytes - f.at, (size_t)3000));
			if (f.at % 7 == core)
				sl_sleep(sl_now() + 6 * SL_MSEC); /* long enough to lose the tail */
		}
		if (i % 5 == 4) {
			sl_append_abort(&f.a);
			free(f.data);
			continue;
		}
		err = err ? err : flow_finish(&f, &base);
		if (err < 0)
			return err;
		__atomic_fetch_add(&c->stored, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

static int see_all(void *arg, const uint8_t *header, const struct sl_frame *frame)
{
	struct crowd *c = arg;
	uint32_t id = kit_id(header);

	EXPECT_EQ(1, frame->records);
	EXPECT_LT(id, CORES * FLOWS);
	EXPECT_FALSE(c->seen[id]);
	c->seen[id] = true;
	return 0;
}

static int home_of_crowd(struct crowd *c)
{
	struct kit *k = &c->k;
	int err;

	k->dir = sl_open(AT_FDCWD, harness_tmpdir(), O_RDONLY | O_DIRECTORY, 0, SL_NEVER);
	ASSERT_EQ(0, kit_create(k));
	c->log = k->log;
	__atomic_store_n(&c->ready, 1, __ATOMIC_RELEASE);
	err = stream_some(c, 0);
	EXPECT_EQ(0, err);
	while (__atomic_load_n(&c->ended, __ATOMIC_ACQUIRE) < CORES - 1)
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(c->stored, sl_log_end(k->log));
	EXPECT_EQ(0, sl_log_each(k->log, 0, see_all, c, SL_NEVER));
	EXPECT_EQ(0, sl_log_scrub(k->log, SL_NEVER));
	EXPECT_EQ(0, kit_close(k));
	return err;
}

static int start_crowd(struct sl_core *core, void *arg)
{
	struct crowd *c = arg;
	int err;

	if (!sl_core_id(core))
		return home_of_crowd(c);
	while (!__atomic_load_n(&c->ready, __ATOMIC_ACQUIRE))
		sl_sleep(sl_now() + SL_MSEC);
	err = stream_some(c, sl_core_id(core));
	EXPECT_EQ(0, err);
	__atomic_fetch_add(&c->ended, 1, __ATOMIC_RELEASE);
	return err;
}

TEST(streams_of_several_cores_share_a_log)
{
	static struct crowd c = {.k = {.background = true}};
	struct sl_cores_conf conf = {.n = CORES, .arena_bytes_max = 64 * SL_MIB, .rx_buffers = 8};
	struct sl_cores *cores;
	char why[256];

	harness_tmpdir();
	ASSERT_EQ(0, sl_cores_start(&conf, start_crowd, &c, &cores, why, sizeof(why)));
	sl_cores_stop(cores);
	sl_cores_join(cores);
	EXPECT_EQ(CORES * FLOWS * 4 / 5, c.stored);
}

/* The tail is held by neither while both come for it: first a stream, then another append. */
struct behind {
	struct kit *k;
	struct flow f;
	bool streaming, appended, ended;
};

static void stream_and_stall(void *arg)
{
	struct behind *b = arg;
	uint64_t base;

	ASSERT_EQ(0, flow_begin(&b->f, b->k->log, 5, 100000));
	b->streaming = true;
	ASSERT_EQ(0, flow_write(&b->f, 50000));
	while (!b->appended)
		sl_sleep(sl_now() + SL_MSEC);
	ASSERT_EQ(0, flow_write(&b->f, b->f.b.bytes - 50000));
	ASSERT_LE(0, flow_finish(&b->f, &base));
	b->ended = true;
}

static void append_behind(void *arg)
{
	struct behind *b = arg;

	EXPECT_EQ(0, kit_fill(b->k, 6, 1, 500));
	b->appended = true;
}

static int waiter_from_before(struct kit *k)
{
	struct behind b = {.k = k};

	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, tail_take(k->log, SL_NEVER));
	ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, stream_and_stall, &b));
	ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, append_behind, &b));
	sl_sleep(sl_now() + 5 * SL_MSEC);
	EXPECT_FALSE(b.streaming);
	tail_give(k->log);
	while (!b.ended)
		sl_sleep(sl_now() + SL_MSEC);
	/* The stream went on when the append was done, which must not have waited for it. */
	expect_ids(k, (uint32_t[]){6, 5}, 2);
	return kit_close(k);
}

TEST_F(stream, stalled_is_noticed_by_who_waited_before_it_began)
{
	ASSERT_EQ(0, kit_run(&self->k, waiter_from_before));
}

TEST_HARNESS_MAIN
