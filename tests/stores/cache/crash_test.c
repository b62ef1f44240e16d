/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crash suite: a workload on the simulated disk, the power cut in the middle of each of its
 * mutating operations, every outcome that the disk may make of it, and what the next start owes:
 * of each key the version that was acknowledged last, or one whose storing (or removal) had begun
 * since; nothing older, nothing else, nothing but whole objects; and it goes on. With evictions an
 * object may be missing, and is never an older one. The same again when the power goes a second
 * time, while the cache starts.
 *
 * The test of the tests leaves out one sync at a time and expects the suite to find a loss.
 *
 * Order of parts: the model; the workload; checks; cuts; a kill; tests.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache_kit.h"

/* ---- the model ---------------------------------------------------------------------------- */

enum { KEYS = 16, GENS = 24 };

/* What happened to a key, in order: storing of a generation, or (bytes 0) its removal. */
struct event {
	uint32_t gen;
	uint64_t bytes;
};

struct key_model {
	struct event events[GENS];
	uint32_t n;	/* begun */
	uint32_t acked; /* events up to this one were acknowledged (0: none) */
};

struct world {
	struct cache_kit k; /* first */
	struct key_model keys[KEYS];
	bool evicts, none;
	uint32_t writers;
	struct sl_waitq joined;
	int err;
};

static uint32_t begin_event(struct world *w, uint32_t id, uint64_t bytes)
{
	struct key_model *m = &w->keys[id];

	SL_ASSERT(m->n < GENS);
	m->events[m->n] = (struct event){.gen = m->n + 1, .bytes = bytes};
	return ++m->n;
}

static void acked(struct world *w, uint32_t id, uint32_t n)
{
	w->keys[id].acked = sl_max(w->keys[id].acked, n);
}

/* ---- the workload ------------------------------------------------------------------------- */

static int put(struct world *w, uint32_t id, uint64_t bytes, const char *tag)
{
	uint32_t n = begin_event(w, id, bytes);
	struct cache_kit_object o = {.id = id, .gen = n, .bytes = bytes};
	int err = cache_kit_put(&w->k, &o, tag);

	if (!err)
		acked(w, id, n);
	return err;
}

static int put_unknown(struct world *w, uint32_t id, uint64_t bytes)
{
	uint32_t n = begin_event(w, id, bytes);
	struct cache_kit_object o = {.id = id, .gen = n, .bytes = bytes};
	int err = cache_kit_put_unknown(&w->k, &o);

	if (!err)
		acked(w, id, n);
	return err;
}

static int remove_key(struct world *w, uint32_t id)
{
	uint32_t n = begin_event(w, id, 0);
	int err = cache_remove(w->k.c, cache_kit_key(id), SL_NEVER);

	if (!err || (err == -ENOENT && w->evicts)) {
		acked(w, id, n);
		return 0;
	}
	return err;
}

static int purge(struct world *w, const char *tag, uint32_t first, uint32_t last)
{
	struct cache_key key = {tag, strlen(tag)};
	uint32_t n[KEYS];
	int err;

	for (uint32_t id = first; id <= last; id++)
		n[id] = begin_event(w, id, 0);
	err = cache_purge_tag(w->k.c, key, SL_NEVER);
	for (uint32_t id = first; id <= last && !err; id++)
		acked(w, id, n[id]);
	return err;
}

static void writer(void *arg)
{
	struct world *w = arg;
	uint32_t first = w->writers++;
	int err = 0;

	for (uint32_t i = 0; i < 2 && !err; i++)
		err = put(w, first * 2 + i, 3000 + first * 2000, "t");
	w->err = w->err ? w->err : err;
	if (--w->writers == 0)
		sl_waitq_wake_all(&w->joined, 0);
}

static int put_together(struct world *w)
{
	w->writers = 0;
	w->err = 0;
	sl_waitq_init(&w->joined);
	for (int i = 0; i < 3; i++)
		SL_ASSERT(!sl_fiber_start(SL_STACK_SMALL, writer, w));
	sl_waitq_wait(&w->joined, SL_NEVER);
	return w->err;
}

static int keep_all(struct world *w)
{
	int err = put_together(w);

	err = err ? err : put(w, 6, 70000, NULL);   /* a segment of its own */
	err = err ? err : put(w, 0, 4096, NULL);    /* replaced */
	err = err ? err : remove_key(w, 1);
	err = err ? err : put_unknown(w, 7, 20000);
	err = err ? err : purge(w, "t", 2, 5);
	err = err ? err : put(w, 2, 100, NULL);
	err = err ? err : cache_kit_reopen(&w->k);
	err = err ? err : put(w, 6, 66000, NULL);
	err = err ? err : put(w, 1, 9000, NULL);
	err = err ? err : remove_key(w, 6);
	return err ? err : put(w, 8, 30000, NULL);
}

static void ask_twice(struct world *w, uint32_t id)
{
	struct cache_object *o;

	for (int i = 0; i < 2; i++)
		if (!cache_lookup(w->k.c, cache_kit_key(id), 0, &o, SL_NEVER))
			cache_release(o);
}

/*
 * So much that the oldest go. What is asked for is carried over: an old version of key 0 comes to
 * lie where it stays, and the new one, which nobody asks for, goes before it.
 */
static int evict_some(struct world *w)
{
	int err = put(w, 0, 25000, NULL);

	err = err ? err : put(w, 1, 24000, NULL);
	for (uint32_t i = 0; i < 100 && !err; i++) {
		ask_twice(w, 1);
		if (i < 40)
			ask_twice(w, 0);
		else if (i == 40)
			err = put(w, 0, 26000, NULL);
		if (!err)
			err = put(w, 3 + i % 8, 20000 + i * 10, NULL);
	}
	err = err ? err : remove_key(w, 1);
	return err ? err : put(w, 2, 3000, NULL);
}

static int work(struct cache_kit *k)
{
	struct world *w = (struct world *)k;
	int err = cache_kit_open(k);

	if (!err)
		err = w->evicts ? evict_some(w) : keep_all(w);
	cache_kit_close(k);
	return err;
}

static void world_init(struct world *w, uint64_t seed, bool evicts)
{
	*w = (struct world){.evicts = evicts};
	cache_kit_init(&w->k, sl_sim_new(seed, NULL));
	w->k.conf.max_bytes = evicts ? SL_MIB : 4 * SL_MIB;
}

/* ---- checks ------------------------------------------------------------------------------- */

#define WRONG(k, fmt, ...)                                                                         \
	do {                                                                                       \
		if (!(k)->wrong[0])                                                                \
			snprintf((k)->wrong, sizeof((k)->wrong), fmt, ##__VA_ARGS__);              \
	} while (0)

/* @w: what is owed; what is seen is owed from then on. */
struct check {
	struct cache_kit k; /* first */
	struct world *w;
};

/* The generation that a held object says it is, or 0. */
static uint32_t gen_of(const struct cache_object *o, uint32_t id)
{
	char text[64] = "";
	uint32_t seen, gen;

	memcpy(text, o->meta, sl_min(o->meta_bytes, (uint32_t)sizeof(text) - 1));
	if (sscanf(text, "object %u, generation %u", &seen, &gen) != 2 || seen != id)
		return 0;
	return gen;
}

static void check_held(struct check *c, uint32_t id, struct cache_object *held)
{
	struct key_model *m = &c->w->keys[id];
	uint32_t gen = gen_of(held, id);
	struct cache_kit_object o = {.id = id, .gen = gen, .bytes = held->bytes};

	if (!gen || gen > m->n || m->events[gen - 1].bytes != held->bytes)
		WRONG(&c->k, "key %u has an object that was never stored", id);
	else if (gen < m->acked)
		WRONG(&c->k, "key %u has generation %u, %u was acknowledged", id, gen, m->acked);
	else if (cache_kit_range(held, &o, 0, held->bytes))
		WRONG(&c->k, "key %u has other bytes than generation %u", id, gen);
	else
		m->acked = gen;
}

/* Whether it may be missing: its removal was the last that was acknowledged, or began later. */
static bool may_miss(const struct check *c, uint32_t id)
{
	const struct key_model *m = &c->w->keys[id];

	if (c->w->evicts || !m->acked)
		return true;
	for (uint32_t i = m->acked; i <= m->n; i++)
		if (!m->events[i - 1].bytes)
			return true;
	return false;
}

static void check_key(struct check *c, uint32_t id)
{
	struct cache_object *held;
	int err = cache_lookup(c->k.c, cache_kit_key(id), 0, &held, SL_NEVER);

	if (!err) {
		check_held(c, id, held);
		cache_release(held);
	} else if (err != -ENOENT) {
		WRONG(&c->k, "key %u: the look-up says %d", id, err);
	} else if (!may_miss(c, id)) {
		WRONG(&c->k, "key %u, generation %u, is lost", id, c->w->keys[id].acked);
	}
}

static int check_all(struct cache_kit *k)
{
	struct check *c = (struct check *)k;
	struct cache_kit_object o = {.id = 1000, .gen = 1, .bytes = 5000};
	int err = cache_kit_open(k);

	if (err)
		WRONG(k, "it does not start: %d", err);
	for (uint32_t id = 0; id < KEYS && !err; id++)
		check_key(c, id);
	if (!err && (cache_kit_put(k, &o, NULL) || cache_kit_get(k, &o, NULL)))
		WRONG(k, "nothing can be stored after the start");
	cache_kit_close(k);
	return 0;
}

static void check(struct sl_sim *disk, struct world *w, char *ret_wrong, size_t len)
{
	struct check c = {.w = w};
	struct sl_backend *before = sl_backend_use(sl_sim_backend(disk));

	cache_kit_init(&c.k, disk);
	c.k.conf.max_bytes = w->k.conf.max_bytes;
	check_all(&c.k); /* on this thread, without a core: faster */
	sl_backend_use(before);
	snprintf(ret_wrong, len, "%s", c.k.wrong);
}

/* ---- cuts --------------------------------------------------------------------------------- */

static void start_only(struct sl_sim *disk, const struct world *w)
{
	struct sl_backend *before = sl_backend_use(sl_sim_backend(disk));
	struct cache_kit k;

	cache_kit_init(&k, disk);
	k.conf.max_bytes = w->k.conf.max_bytes;
	cache_kit_open(&k);
	cache_kit_close(&k);
	sl_backend_use(before);
}

enum { OUTCOMES = 5 };

/* One outcome: it starts; the power goes while it starts; what it served is there the next time. */
static void try_outcome(struct world *w, uint64_t seed, enum sl_sim_policy policy, char *ret_wrong,
			size_t len)
{
	struct sl_sim *disk = sl_sim_clone(w->k.sim), *again;
	struct world owed = *w;

	sl_sim_seed(disk, seed);
	sl_sim_reboot(disk, policy);
	again = sl_sim_clone(disk);
	check(disk, &owed, ret_wrong, len);
	if (!ret_wrong[0]) {
		sl_sim_reboot(disk, policy);
		check(disk, &owed, ret_wrong, len);
	}
	if (!ret_wrong[0]) {
		owed = *w;
		sl_sim_cut_after(again, seed % 4);
		start_only(again, w);
		sl_sim_reboot(again, policy);
		check(again, &owed, ret_wrong, len);
	}
	sl_sim_free(again);
	sl_sim_free(disk);
}

/* Every outcome of the cut that @w ended in. Return: outcomes in which something is wrong. */
static int try_outcomes(struct world *w, uint64_t seed, char *ret_wrong, size_t len)
{
	static const enum sl_sim_policy policies[OUTCOMES] = {
		SL_SIM_KEEP_ALL, SL_SIM_LOSE_ALL, SL_SIM_RANDOM, SL_SIM_RANDOM, SL_SIM_RANDOM};
	int wrong = 0;

	/* Without durability only what the page cache kept is owed. */
	for (int i = 0; i < (w->none ? 1 : OUTCOMES); i++) {
		char why[160];

		try_outcome(w, seed + (uint64_t)i, policies[i], why, sizeof(why));
		if (why[0] && !wrong++)
			snprintf(ret_wrong, len, "outcome %d: %s", i, why);
	}
	return wrong;
}

struct how {
	bool evicts, none, late;
	enum sl_fault skip;
};

static void begin(struct world *w, uint64_t seed, const struct how *how)
{
	world_init(w, seed, how->evicts);
	if (how->none) {
		w->none = true;
		w->k.conf.durability = SL_DURABILITY_NONE;
	}
	if (how->late)
		sl_sim_delay(w->k.sim, 3);
	if (how->skip)
		sl_sim_skip_sync(w->k.sim, how->skip);
}

static uint64_t count_ops(uint64_t seed, struct how how)
{
	struct world w;
	uint64_t n;

	how.skip = SL_FAULT(NONE);
	begin(&w, seed, &how);
	ASSERT_EQ(0, cache_kit_run(&w.k, work));
	n = sl_sim_ops(w.k.sim);
	sl_sim_free(w.k.sim);
	return n;
}

/* Cuts at every @step-th operation. Return: cuts with an outcome in which something is wrong. */
static int try_cuts(uint64_t seed, struct how how, uint64_t step, bool tell)
{
	uint64_t n = count_ops(seed, how);
	int wrong = 0;

	for (uint64_t cut = seed % step; cut <= n; cut += step) {
		struct world w;
		char why[400];

		begin(&w, seed, &how);
		sl_sim_cut_after(w.k.sim, cut);
		cache_kit_run(&w.k, work);
		if (try_outcomes(&w, seed + cut, why, sizeof(why))) {
			if (tell)
				TH_LOG("cut %llu of %llu, seed %llu: %s", (unsigned long long)cut,
				       (unsigned long long)n, (unsigned long long)seed, why);
			wrong++;
		}
		sl_sim_free(w.k.sim);
		if (wrong && !tell)
			return wrong;
	}
	return wrong;
}

/* ---- a kill ------------------------------------------------------------------------------- */

static int put_unsynced(struct cache_kit *k)
{
	struct world *w = (struct world *)k;
	int err = cache_kit_open(k);

	if (!err)
		err = put(w, 0, 5000, NULL);
	cache_kit_close(k);
	return err;
}

/* Whether what a start served after a kill is still there after a power cut. */
static bool is_kept_once_served(enum sl_fault skip)
{
	struct sl_faults f;
	struct world w;
	char wrong[160];

	begin(&w, 1, &(struct how){.skip = skip});
	/* The sync of the commit does not come to pass: the kernel has the bytes, the disk not. */
	sl_faults_init(&f, sl_sim_backend(w.k.sim));
	f.ops = UINT64_C(1) << SL_OP_FSYNC;
	f.sticky = true;
	f.err = EIO;
	ASSERT_EQ(0, cache_kit_run(&w.k, cache_kit_open_and_close));
	w.k.backend = &f.backend;
	f.nth = 3; /* after the segment's header and name */
	ASSERT_EQ(-EIO, cache_kit_run(&w.k, put_unsynced));
	check(w.k.sim, &w, wrong, sizeof(wrong));
	ASSERT_STREQ("", wrong);
	ASSERT_EQ(1, w.keys[0].acked);
	sl_sim_reboot(w.k.sim, SL_SIM_LOSE_ALL);
	check(w.k.sim, &w, wrong, sizeof(wrong));
	sl_sim_free(w.k.sim);
	return !wrong[0];
}

/* ---- tests -------------------------------------------------------------------------------- */

FIXTURE(cuts)
{
	int unused;
};
FIXTURE_VARIANT(cuts)
{
	struct how how;
	uint64_t step;
};
FIXTURE_VARIANT_ADD(cuts, kept){{0}, 1};
FIXTURE_VARIANT_ADD(cuts, kept_late){{.late = true}, 2};
FIXTURE_VARIANT_ADD(cuts, not_durable){{.none = true}, 1};
FIXTURE_VARIANT_ADD(cuts, evicted){{.evicts = true}, 3};
FIXTURE_SETUP(cuts)
{
}
FIXTURE_TEARDOWN(cuts)
{
}

TEST_F_TIMEOUT(cuts, nothing_acknowledged_is_lost_or_old, 120)
{
	uint64_t seed = harness_random() % 1000000;

	EXPECT_EQ(0, try_cuts(seed, variant->how, variant->step, true));
}

FIXTURE(left_out)
{
	int unused;
};
FIXTURE_VARIANT(left_out)
{
	enum sl_fault point;
};
FIXTURE_VARIANT_ADD(left_out, parent){SL_FAULT(SYNC_CACHE_PARENT)};
FIXTURE_VARIANT_ADD(left_out, super){SL_FAULT(SYNC_CACHE_SUPER)};
FIXTURE_VARIANT_ADD(left_out, folder){SL_FAULT(SYNC_CACHE_FOLDER)};
FIXTURE_VARIANT_ADD(left_out, segment){SL_FAULT(SYNC_CACHE_SEGMENT)};
FIXTURE_VARIANT_ADD(left_out, commit){SL_FAULT(SYNC_CACHE_COMMIT)};
FIXTURE_VARIANT_ADD(left_out, journal){SL_FAULT(SYNC_CACHE_JOURNAL)};
FIXTURE_VARIANT_ADD(left_out, journal_new){SL_FAULT(SYNC_CACHE_JOURNAL_NEW)};
FIXTURE_VARIANT_ADD(left_out, journal_folder){SL_FAULT(SYNC_CACHE_JOURNAL_FOLDER)};
FIXTURE_SETUP(left_out)
{
}
FIXTURE_TEARDOWN(left_out)
{
}

TEST(what_was_served_after_a_kill_is_kept)
{
	EXPECT_TRUE(is_kept_once_served(SL_FAULT(NONE)));
	EXPECT_FALSE(is_kept_once_served(SL_FAULT(SYNC_CACHE_RECOVERY)));
}

/* The test of the tests. */
TEST_F_TIMEOUT(left_out, sync_is_missed, 120)
{
	EXPECT_LT(0, try_cuts(99, (struct how){.skip = variant->point}, 1, false));
}

TEST_HARNESS_MAIN
