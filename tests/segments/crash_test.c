/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crash suite: a workload on the simulated disk, the power cut in the middle of each of its
 * mutating operations, every outcome that the disk may make of it, and what recovery owes.
 *
 * What is owed (check()): every batch that was acknowledged or served is there, at its offset,
 * intact and once; nothing is there that was never appended; a start that was acknowledged holds;
 * a clean close is still known as one, with its indexes; the log goes on; and all of that again
 * when the power goes a second time, during recovery.
 *
 * The test of the tests leaves out one sync at a time and expects the suite to find a loss.
 *
 * Order of parts: the model; the workload; checks; cuts; tests.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "kit.h"

/* ---- the model ---------------------------------------------------------------------------- */

enum { IDS = 128 };

struct model {
	struct kit_batch batch[IDS];
	uint64_t base[IDS];
	bool tried[IDS], owed[IDS];
	uint32_t n;
	bool created;	    /* acknowledged */
	bool closed;	    /* cleanly, and not opened since */
	uint64_t start_min; /* acknowledged */
	uint64_t start_max; /* asked for */
};

struct world {
	struct kit k; /* first */
	struct model m;
	uint64_t rng;
	uint32_t writers;
	struct sl_waitq joined;
	int err;
};

static uint64_t draw(struct world *w, uint64_t below)
{
	w->rng += UINT64_C(0x9e3779b97f4a7c15);
	return sl_mix64(w->rng) % below;
}

static uint32_t new_batch(struct world *w)
{
	struct model *m = &w->m;
	uint32_t id = m->n++;

	SL_ASSERT(id < IDS);
	m->batch[id] = (struct kit_batch){
		.id = id,
		.records = 1 + (uint32_t)draw(w, 3),
		.bytes = KIT_HEADER + draw(w, 700),
		.time = 1000 + (int64_t)draw(w, 1000),
	};
	m->tried[id] = true;
	return id;
}

static void acknowledged(struct world *w, uint32_t id, uint64_t base)
{
	w->m.owed[id] = true;
	w->m.base[id] = base;
}

/* ---- the workload ------------------------------------------------------------------------- */

static int append_one(struct world *w)
{
	uint32_t id = new_batch(w);
	uint64_t base = 0;
	int err = kit_append(&w->k, &w->m.batch[id], &base);

	if (!err)
		acknowledged(w, id, base);
	return err;
}

static void writer(void *arg)
{
	struct world *w = arg;

	for (int i = 0; i < 5; i++) {
		int err = append_one(w);

		if (err)
			w->err = err;
	}
	w->writers--;
	sl_waitq_wake_all(&w->joined, 0);
}

static int append_together(struct world *w)
{
	w->err = 0;
	sl_waitq_init(&w->joined);
	for (w->writers = 0; w->writers < 3; w->writers++)
		if (sl_fiber_start(SL_STACK_SMALL, writer, w))
			return -ENOMEM;
	while (w->writers)
		sl_waitq_wait(&w->joined, SL_NEVER);
	return w->err;
}

static int append_streamed(struct world *w, bool finish)
{
	uint32_t id = new_batch(w);
	struct kit_batch *b = &w->m.batch[id];
	static uint8_t buf[4096];
	struct sl_append a;
	struct sl_frame f;
	uint64_t base;
	size_t done = 0;
	int err;

	b->bytes += 600;
	f = kit_make(b, buf);
	err = sl_log_reserve(w->k.log, &f, &a, SL_NEVER);
	while (!err && done < b->bytes) {
		size_t len = sl_min(b->bytes - done, (size_t)500);

		err = sl_append_write(&a, buf + done, len, SL_NEVER);
		done += len;
		if (err || (!finish && done >= 1000)) {
			sl_append_abort(&a);
			return err;
		}
	}
	if (err)
		return err;
	err = sl_append_finish(&a, NULL, &base, SL_NEVER);
	if (err < 0)
		return err;
	if (!err)
		err = sl_log_sync(w->k.log, SL_NEVER);
	if (err >= 0)
		acknowledged(w, id, base);
	return sl_min(err, 0);
}

static int trim_some(struct world *w)
{
	uint64_t start = sl_log_start(w->k.log) + 1 + draw(w, sl_log_durable(w->k.log) / 2);
	int err;

	start = sl_min(start, sl_log_durable(w->k.log));
	w->m.start_max = sl_max(w->m.start_max, start);
	err = sl_log_trim(w->k.log, start, SL_NEVER);
	if (!err)
		w->m.start_min = sl_max(w->m.start_min, start);
	return err;
}

static int retain_some(struct world *w)
{
	int n;

	w->k.conf.retention_bytes = 12000;
	sl_log_configure(w->k.log, &w->k.conf);
	/* It may go as far as its first kept segment, which is seen only afterwards. */
	w->m.start_max = sl_log_durable(w->k.log);
	n = sl_log_retain(w->k.log, 5000, SL_NEVER);
	if (n < 0)
		return n;
	w->m.start_min = w->m.start_max = sl_log_start(w->k.log);
	w->k.conf.retention_bytes = 0;
	return 0;
}

static int reopen(struct world *w, enum sl_durability durability, bool background)
{
	int err = kit_close(&w->k);

	if (err)
		return err;
	w->m.closed = true;
	w->k.conf.durability = durability;
	w->k.background = background;
	err = kit_open(&w->k);
	/* From now on the next append may make it unclean. */
	w->m.closed = false;
	return err;
}

/* A killed process: what the page cache holds is served after the next start. */
static int killed(struct world *w)
{
	uint32_t id[2];
	uint64_t base[2];
	int err = reopen(w, SL_DURABILITY_GROUP, false);

	for (int i = 0; i < 2 && !err; i++) {
		id[i] = new_batch(w);
		err = sl_min(kit_append_nowait(&w->k, &w->m.batch[id[i]], NULL, &base[i]), 0);
	}
	if (err)
		return err;
	kit_abandon(&w->k);
	err = kit_open(&w->k);
	if (err)
		return err;
	for (int i = 0; i < 2; i++)
		if (base[i] < sl_log_durable(w->k.log))
			acknowledged(w, id[i], base[i]);
	return 0;
}

static int work(struct world *w)
{
	int err = kit_create(&w->k);

	w->m.created = !err;
	if (!err)
		err = append_together(w);
	if (!err)
		err = append_streamed(w, false);
	if (!err)
		err = append_streamed(w, true);
	if (!err)
		err = trim_some(w);
	if (!err)
		err = append_together(w);
	if (!err)
		err = killed(w);
	if (!err)
		err = append_one(w);
	if (!err)
		err = retain_some(w);
	if (!err)
		err = reopen(w, SL_DURABILITY_EACH, true);
	for (int i = 0; i < 4 && !err; i++)
		err = append_one(w);
	if (!err)
		err = kit_close(&w->k);
	if (!err)
		w->m.closed = true;
	return err;
}

/* Ends what the cut left open. */
static int work_and_end(struct kit *k)
{
	int err = work((struct world *)k);

	if (k->log)
		kit_abandon(k);
	return err;
}

/* ---- checks ------------------------------------------------------------------------------- */

/* What is wrong, if anything; said once by its text. */
struct verdict {
	const struct model *m;
	char wrong[160];
};

#define WRONG(v, fmt, ...)                                                                         \
	do {                                                                                       \
		if (!(v)->wrong[0])                                                                \
			snprintf((v)->wrong, sizeof((v)->wrong), fmt, ##__VA_ARGS__);              \
	} while (0)

struct seen {
	struct verdict *v;
	uint64_t next;
	bool seen[IDS];
	uint64_t base[IDS];
};

static void see_batch(struct seen *s, const uint8_t *data, const struct sl_frame *f)
{
	uint32_t id = kit_id(data);

	if (id >= IDS || !s->v->m->tried[id])
		WRONG(s->v, "batch %u was never appended", id);
	else if (!kit_is(&s->v->m->batch[id], data))
		WRONG(s->v, "batch %u is not what was appended", id);
	else if (s->seen[id])
		WRONG(s->v, "batch %u is there twice", id);
	else {
		s->seen[id] = true;
		s->base[id] = f->base;
	}
}

static void see_span(struct seen *s, const struct sl_span *span)
{
	static uint8_t data[1 << 16];
	uint64_t at = 0, next = span->base;

	if (span->extent.len > sizeof(data) ||
	    sl_read_all(span->extent.file->fd, data, span->extent.len, span->extent.off, SL_NEVER))
		WRONG(s->v, "a span of %llu bytes cannot be read",
		      (unsigned long long)span->extent.len);
	while (at < span->extent.len && !s->v->wrong[0]) {
		struct sl_frame f;

		if (kit_kind.frame(data + at, &f) || f.base != next) {
			WRONG(s->v, "no batch at offset %llu", (unsigned long long)next);
			return;
		}
		see_batch(s, data + at, &f);
		at += f.bytes;
		next += f.records;
	}
}

static void check_reads(struct kit *k, struct verdict *v)
{
	struct seen s = {.v = v};
	struct sl_span span;
	uint64_t at = sl_log_start(k->log);
	int r;

	while (!v->wrong[0] && (r = sl_log_read(k->log, at, 2000, NULL, &span, 1, SL_NEVER)) == 1) {
		see_span(&s, &span);
		at = span.next;
		sl_file_release(span.extent.file);
	}
	if (v->wrong[0])
		return;
	if (r || at != sl_log_durable(k->log))
		WRONG(v, "reading at %llu says %d", (unsigned long long)at, r);
	for (uint32_t id = 0; id < v->m->n; id++) {
		if (!v->m->owed[id] || v->m->base[id] < v->m->start_max)
			continue;
		if (!s.seen[id])
			WRONG(v, "acknowledged batch %u is lost", id);
		else if (s.base[id] != v->m->base[id])
			WRONG(v, "acknowledged batch %u has moved", id);
	}
}

/* Each owed batch by itself, so that indexes are asked. */
static void check_index(struct kit *k, struct verdict *v)
{
	for (uint32_t id = 0; id < v->m->n && !v->wrong[0]; id++) {
		struct sl_span span;

		if (!v->m->owed[id] || v->m->base[id] < sl_log_start(k->log))
			continue;
		if (sl_log_read(k->log, v->m->base[id], 1, NULL, &span, 1, SL_NEVER) != 1 ||
		    span.base != v->m->base[id]) {
			WRONG(v, "batch %u is not found by its offset", id);
			return;
		}
		sl_file_release(span.extent.file);
	}
	if (v->m->closed && k->events[SL_LOG_INDEX])
		WRONG(v, "an index is missing after a clean close");
}

static void check_log(struct kit *k, struct verdict *v)
{
	if (sl_log_start(k->log) < v->m->start_min)
		WRONG(v, "the start %llu came back after a trim to %llu",
		      (unsigned long long)sl_log_start(k->log), (unsigned long long)v->m->start_min);
	if (sl_log_start(k->log) > v->m->start_max)
		WRONG(v, "the start is %llu, nobody asked for more than %llu",
		      (unsigned long long)sl_log_start(k->log), (unsigned long long)v->m->start_max);
	if (v->m->closed && !sl_log_was_clean(k->log))
		WRONG(v, "a clean close is forgotten");
	if (k->events[SL_LOG_QUARANTINED])
		WRONG(v, "offset %lld was quarantined", (long long)k->a[SL_LOG_QUARANTINED]);
	check_reads(k, v);
	check_index(k, v);
}

struct check_call {
	struct kit k; /* first */
	struct verdict *v;
	bool append;
};

static int check_body(struct kit *k)
{
	struct check_call *c = (struct check_call *)k;
	struct kit_batch b = {.id = 1000, .records = 2, .bytes = 300, .time = 5};
	uint64_t end, base = 0;
	int err = kit_open(k);

	if (err) {
		if (c->v->m->created)
			WRONG(c->v, "the log does not open: %d", err);
		return 0;
	}
	check_log(k, c->v);
	end = sl_log_end(k->log);
	if (c->append && !c->v->wrong[0] && (kit_append(k, &b, &base) || base != end))
		WRONG(c->v, "an append after recovery fails");
	kit_close(k);
	return 0;
}

/* What is wrong on disk @sim, which has been rebooted. @append: try whether the log goes on. */
static void check(struct sl_sim *sim, struct verdict *v, bool append)
{
	struct check_call c = {.k = {.sim = sim}, .v = v, .append = append};

	c.k.conf.segment_bytes = 4096 + 2500;
	c.k.conf.index_interval_bytes = 256;
	kit_run_plain(&c.k, check_body);
}

static int open_only(struct kit *k)
{
	int err = kit_open(k);

	if (!err)
		kit_abandon(k);
	return 0;
}

/* The power goes again after @n operations of recovery. */
static void check_second_cut(struct sl_sim *sim, struct verdict *v, uint64_t n,
			     enum sl_sim_policy policy)
{
	struct kit k = {.sim = sim};

	sl_sim_cut_after(sim, n);
	kit_run_plain(&k, open_only);
	sl_sim_reboot(sim, policy);
	check(sim, v, true);
}

/* ---- cuts --------------------------------------------------------------------------------- */

static void world_init(struct world *w, uint64_t seed)
{
	*w = (struct world){.rng = seed};
	w->k.sim = sl_sim_new(seed, NULL);
	w->k.background = true;
	w->k.conf.segment_bytes = 4096 + 2500;
	w->k.conf.index_interval_bytes = 256;
}

static void world_init_late(struct world *w, uint64_t seed)
{
	world_init(w, seed);
	sl_sim_delay(w->k.sim, 3);
}

enum { OUTCOMES = 5 };

/* Every outcome of the cut that @w ended in. Return: outcomes in which something is wrong. */
static int try_outcomes(struct world *w, uint64_t seed, char *ret_wrong, size_t len)
{
	static const enum sl_sim_policy policies[OUTCOMES] = {
		SL_SIM_LOSE_ALL, SL_SIM_KEEP_ALL, SL_SIM_RANDOM, SL_SIM_RANDOM, SL_SIM_RANDOM};
	int wrong = 0;

	for (int i = 0; i < OUTCOMES; i++) {
		struct verdict v = {.m = &w->m}, v2 = {.m = &w->m};
		struct sl_sim *disk = sl_sim_clone(w->k.sim), *again;

		sl_sim_seed(disk, seed + (uint64_t)i);
		sl_sim_reboot(disk, policies[i]);
		again = sl_sim_clone(disk);
		check(disk, &v, true);
		if (!v.wrong[0])
			check_second_cut(again, &v2, (seed + (uint64_t)i) % 4, policies[i]);
		if (v.wrong[0] || v2.wrong[0]) {
			if (!wrong++)
				snprintf(ret_wrong, len, "outcome %d: %s%s", i, v.wrong, v2.wrong);
		}
		sl_sim_free(again);
		sl_sim_free(disk);
	}
	return wrong;
}

static uint64_t count_ops(uint64_t seed, bool late)
{
	struct world w;
	uint64_t n;

	(late ? world_init_late : world_init)(&w, seed);
	ASSERT_EQ(0, kit_run(&w.k, work_and_end));
	n = sl_sim_ops(w.k.sim);
	sl_sim_free(w.k.sim);
	return n;
}

/* Cuts at every operation; @late: with operations that overtake each other. Return: cuts with an outcome in which something is wrong. */
static int try_cuts(uint64_t seed, enum sl_fault skip, bool late, bool tell)
{
	uint64_t n = count_ops(seed, late);
	int wrong = 0;

	for (uint64_t cut = 0; cut <= n; cut++) {
		struct world w;
		char why[400];

		(late ? world_init_late : world_init)(&w, seed);
		if (skip)
			sl_sim_skip_sync(w.k.sim, skip);
		sl_sim_cut_after(w.k.sim, cut);
		kit_run(&w.k, work_and_end);
		if (!sl_sim_is_cut(w.k.sim))
			sl_sim_cut(w.k.sim);
		if (try_outcomes(&w, seed + cut * 16, why, sizeof(why))) {
			wrong++;
			if (tell)
				TH_LOG("seed %llu, cut at %llu of %llu: %s",
				       (unsigned long long)seed, (unsigned long long)cut,
				       (unsigned long long)n, why);
		}
		sl_sim_free(w.k.sim);
	}
	return wrong;
}

/* ---- tests -------------------------------------------------------------------------------- */

TEST(workload_reaches_every_sync)
{
	static const enum sl_fault points[] = {
		SL_FAULT(SYNC_SEGMENT_HEADER), SL_FAULT(SYNC_SEGMENT_FOLDER),
		SL_FAULT(SYNC_SEGMENT_SEAL),   SL_FAULT(SYNC_INDEX),
		SL_FAULT(SYNC_COMMIT),	       SL_FAULT(SYNC_RECOVERY),
		SL_FAULT(SYNC_TRIM),	       SL_FAULT(SYNC_CLOSE),
	};
	struct world w;

	world_init(&w, 1);
	ASSERT_EQ(0, kit_run(&w.k, work_and_end));
	for (size_t i = 0; i < SL_ARRAY_SIZE(points); i++)
		if (!EXPECT_LT(0, sl_sim_syncs(w.k.sim, points[i])))
			TH_LOG("sync point %d", points[i]);
	sl_sim_free(w.k.sim);
}

FIXTURE(cuts)
{
	int unused;
};
FIXTURE_VARIANT(cuts)
{
	uint64_t seed; /* 0: the run's */
	bool late;
};
FIXTURE_VARIANT_ADD(cuts, fixed){4711, false};
FIXTURE_VARIANT_ADD(cuts, fixed_late){4711, true};
FIXTURE_VARIANT_ADD(cuts, random){0, false};
FIXTURE_VARIANT_ADD(cuts, random_late){0, true};
FIXTURE_SETUP(cuts)
{
}
FIXTURE_TEARDOWN(cuts)
{
}

TEST_F(cuts, nothing_acknowledged_is_lost)
{
	uint64_t seed = variant->seed ? variant->seed : harness_random() % 1000000;

	EXPECT_EQ(0, try_cuts(seed, SL_FAULT(NONE), variant->late, true));
}

FIXTURE(left_out)
{
	int unused;
};
FIXTURE_VARIANT(left_out)
{
	enum sl_fault point;
};
FIXTURE_VARIANT_ADD(left_out, segment_header){SL_FAULT(SYNC_SEGMENT_HEADER)};
FIXTURE_VARIANT_ADD(left_out, segment_folder){SL_FAULT(SYNC_SEGMENT_FOLDER)};
FIXTURE_VARIANT_ADD(left_out, segment_seal){SL_FAULT(SYNC_SEGMENT_SEAL)};
FIXTURE_VARIANT_ADD(left_out, index){SL_FAULT(SYNC_INDEX)};
FIXTURE_VARIANT_ADD(left_out, commit){SL_FAULT(SYNC_COMMIT)};
FIXTURE_VARIANT_ADD(left_out, recovery){SL_FAULT(SYNC_RECOVERY)};
FIXTURE_VARIANT_ADD(left_out, trim){SL_FAULT(SYNC_TRIM)};
FIXTURE_VARIANT_ADD(left_out, close){SL_FAULT(SYNC_CLOSE)};
FIXTURE_SETUP(left_out)
{
}
FIXTURE_TEARDOWN(left_out)
{
}

/* The test of the tests. */
TEST_F(left_out, sync_is_missed)
{
	EXPECT_LT(0, try_cuts(99, variant->point, false, false));
}

TEST_HARNESS_MAIN
