/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crash suite of objects: a workload on the simulated disk, the power cut in the middle of each
 * of its mutating operations, several outcomes of each cut, and what is owed then: collections,
 * aliases, and objects that were acknowledged, as they were last; none that was deleted; each found
 * by its vector too.
 *
 * The test of the tests leaves out one sync at a time and expects the suite to find a loss.
 *
 * Order of parts: the model; the workload; checks; cuts; tests.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sluice/util.h>

#include "objects_kit.h"

/* ---- the model ---------------------------------------------------------------------------- */

enum { COLLECTIONS = 3, KEYS = 24 };

enum fate { NEVER, MAYBE, SURELY, MAYBE_DELETED, DELETED };

/* Numbers of an object: what was acknowledged last, and what was tried since; GONE: none. */
#define GONE INT64_C(-1)

struct object_model {
	int64_t is, tried;
	bool open; /* @tried may have come true */
};

struct model {
	enum fate fate[COLLECTIONS];
	struct object_model object[COLLECTIONS][KEYS];
	enum fate alias;
	int64_t next;
};

struct world {
	struct ok k; /* first */
	struct model m;
	char wrong[200];
};

#define WRONG(w, fmt, ...)                                                                         \
	do {                                                                                       \
		if (!(w)->wrong[0])                                                                \
			snprintf((w)->wrong, sizeof((w)->wrong), fmt, ##__VA_ARGS__);              \
	} while (0)

static const char *name_of(int i)
{
	static const char *const names[COLLECTIONS] = {"zero", "one", "two"};

	return names[i];
}

/* ---- the workload ------------------------------------------------------------------------- */

static int create(struct world *w, int i)
{
	int rc;

	w->m.fate[i] = MAYBE;
	rc = ok_create(&w->k, name_of(i), SL_INDEX_HNSW);
	if (!rc)
		w->m.fate[i] = SURELY;
	return rc;
}

static int delete(struct world *w, int i)
{
	int rc;

	w->m.fate[i] = MAYBE_DELETED;
	rc = objects_delete(w->k.o, name_of(i), SL_NEVER);
	if (!rc)
		w->m.fate[i] = DELETED;
	return rc;
}

static int put(struct world *w, int i, uint32_t from, uint32_t n)
{
	int64_t add = w->m.next - (int64_t)from;
	int rc;

	for (uint32_t key = from; key < from + n; key++) {
		w->m.object[i][key].tried = (int64_t)key + add;
		w->m.object[i][key].open = true;
	}
	w->m.next += n;
	rc = ok_put(&w->k, name_of(i), from, n, add);
	for (uint32_t key = from; key < from + n && !rc; key++)
		w->m.object[i][key] = (struct object_model){(int64_t)key + add, 0, false};
	return rc;
}

static int forget(struct world *w, int i, uint32_t key)
{
	int rc;

	w->m.object[i][key].tried = GONE;
	w->m.object[i][key].open = true;
	rc = ok_delete(&w->k, name_of(i), key);
	if (!rc)
		w->m.object[i][key] = (struct object_model){GONE, 0, false};
	return rc;
}

static int alias(struct world *w)
{
	const struct objects_alias_change x = {OBJECTS_ALIAS_CREATE, "alias", "zero"};
	char why[200];
	int rc;

	w->m.alias = MAYBE;
	rc = objects_alias(w->k.o, &x, 1, why, sizeof(why), SL_NEVER);
	if (!rc)
		w->m.alias = SURELY;
	return rc;
}

static int snapshot(struct world *w)
{
	struct objects_snapshot s;

	return objects_snapshot_create(w->k.o, "zero", &s, SL_NEVER);
}

static int reopen(struct world *w)
{
	int rc = ok_close(&w->k);

	return rc ? rc : ok_open(&w->k);
}

static int work_steps(struct world *w)
{
	int rc = create(w, 0);

	rc = rc ? rc : put(w, 0, 0, 6);
	rc = rc ? rc : put(w, 0, 3, 1);
	rc = rc ? rc : forget(w, 0, 1);
	rc = rc ? rc : create(w, 1);
	rc = rc ? rc : put(w, 1, 2, 4);
	rc = rc ? rc : alias(w);
	rc = rc ? rc : reopen(w);
	rc = rc ? rc : put(w, 0, 4, 8);
	rc = rc ? rc : forget(w, 0, 5);
	rc = rc ? rc : snapshot(w);
	rc = rc ? rc : delete(w, 1);
	rc = rc ? rc : reopen(w);
	rc = rc ? rc : put(w, 0, 1, 2);
	rc = rc ? rc : create(w, 2);
	return rc ? rc : put(w, 2, 0, 3);
}

static int work(struct ok *k)
{
	struct world *w = (struct world *)k;
	int rc = ok_open(k);

	if (rc)
		return rc;
	rc = work_steps(w);
	if (k->o)
		ok_close(k);
	return rc;
}

static void world_init(struct world *w, uint64_t seed)
{
	*w = (struct world){0};
	ok_init(&w->k, sl_sim_new(seed, NULL));
	w->m.next = 100;
	for (int i = 0; i < COLLECTIONS; i++)
		for (int key = 0; key < KEYS; key++)
			w->m.object[i][key].is = GONE;
}

/* ---- checks ------------------------------------------------------------------------------- */

static bool exists(struct world *w, const char *name)
{
	struct objects_view *view = objects_view(w->k.o);
	bool is = objects_view_find(view, name);

	objects_view_release(view);
	return is;
}

static void check_fate(struct world *w, const char *name, enum fate fate)
{
	bool is = exists(w, name);

	if (fate == SURELY && !is)
		WRONG(w, "%s is lost", name);
	if ((fate == NEVER || fate == DELETED) && is)
		WRONG(w, "%s is back", name);
}

static void check_object(struct world *w, int i, uint32_t key, int64_t *count)
{
	const struct object_model *x = &w->m.object[i][key];
	int64_t n = ok_number(&w->k, name_of(i), key);

	if (n != x->is && !(x->open && n == x->tried))
		WRONG(w, "%s/%u holds %lld, %lld was acknowledged", name_of(i), key, (long long)n,
		      (long long)x->is);
	if (n < 0 || w->wrong[0])
		return;
	++*count;
	if (ok_nearest(&w->k, name_of(i), n, false) != key)
		WRONG(w, "%s/%u is not found by its vector", name_of(i), key);
}

static void check_collection(struct world *w, int i)
{
	int64_t count = 0;

	check_fate(w, name_of(i), w->m.fate[i]);
	if (w->wrong[0] || !exists(w, name_of(i)))
		return;
	for (uint32_t key = 0; key < KEYS; key++)
		check_object(w, i, key, &count);
	if (!w->wrong[0] && ok_count(&w->k, name_of(i)) != count)
		WRONG(w, "%s counts %lld, and has %lld", name_of(i),
		      (long long)ok_count(&w->k, name_of(i)), (long long)count);
	/* It goes on. */
	if (!w->wrong[0] && ok_put(&w->k, name_of(i), 1000, 1, 0))
		WRONG(w, "%s takes nothing any more", name_of(i));
}

static int check(struct ok *k)
{
	struct world *w = (struct world *)k;
	int rc = ok_open(k);

	if (rc) {
		WRONG(w, "it does not open: %d", rc);
		return 0;
	}
	for (int i = 0; i < COLLECTIONS; i++)
		check_collection(w, i);
	check_fate(w, "alias", w->m.alias);
	if (k->events[OBJECTS_SKIPPED])
		WRONG(w, "a folder was passed over");
	if (k->events[OBJECTS_LOST])
		WRONG(w, "an object cannot be read");
	if (k->events[OBJECTS_REBUILT])
		WRONG(w, "a checkpoint was of no use");
	ok_close(k);
	return 0;
}

/* Checks disk @sim, which is used up. Return: whether all is well; if not *ret_wrong says why. */
static bool disk_is_well(const struct model *m, struct sl_sim *sim, char *ret_wrong, size_t len)
{
	struct world c = {.m = *m};

	ok_init(&c.k, sim);
	c.k.conf.epoch = 2;
	ok_run(&c.k, check);
	if (c.wrong[0])
		snprintf(ret_wrong, len, "%s", c.wrong);
	sl_sim_free(sim);
	return !c.wrong[0];
}

/* ---- cuts --------------------------------------------------------------------------------- */

static int open_close(struct ok *k)
{
	if (ok_open(k) == 0) {
		ok_count(k, "zero");
		ok_close(k);
	}
	return 0;
}

/* The power goes again after @n operations of the next start. */
static void cut_again(struct sl_sim *sim, uint64_t n, enum sl_sim_policy policy)
{
	struct ok k;

	ok_init(&k, sim);
	sl_sim_cut_after(sim, n);
	ok_run(&k, open_close);
	sl_sim_reboot(sim, policy);
}

/* Every outcome of the cut that @w ended in. Return: outcomes in which something is wrong. */
static int try_outcomes(struct world *w, uint64_t seed, char *ret_wrong, size_t len)
{
	static const enum sl_sim_policy policies[] = {SL_SIM_LOSE_ALL, SL_SIM_KEEP_ALL,
						      SL_SIM_RANDOM};
	int wrong = 0;

	for (uint64_t i = 0; i < SL_ARRAY_SIZE(policies); i++) {
		struct sl_sim *disk = sl_sim_clone(w->k.sim);

		sl_sim_seed(disk, seed + i);
		sl_sim_reboot(disk, policies[i]);
		/* Each fourth time it goes again during the next start. */
		if ((seed + i) % 4 == 0)
			cut_again(disk, seed % 13, policies[i]);
		wrong += !disk_is_well(&w->m, disk, ret_wrong, len);
	}
	return wrong;
}

/* Cuts at every operation. Return: cuts with an outcome in which something is wrong. */
static int try_cuts(uint64_t seed, enum sl_fault skip, uint32_t delay, bool tell)
{
	int wrong = 0;
	bool ended = false;

	for (uint64_t cut = 0; !ended; cut++) {
		struct world w;
		char why[256] = "";

		world_init(&w, seed);
		if (skip)
			sl_sim_skip_sync(w.k.sim, skip);
		sl_sim_delay(w.k.sim, delay);
		sl_sim_cut_after(w.k.sim, cut);
		ok_run(&w.k, work);
		ended = !sl_sim_is_cut(w.k.sim);
		if (ended)
			sl_sim_cut(w.k.sim);
		if (try_outcomes(&w, seed + cut * 16, why, sizeof(why))) {
			wrong++;
			if (tell)
				TH_LOG("seed %llu, cut at %llu: %s", (unsigned long long)seed,
				       (unsigned long long)cut, why);
		}
		sl_sim_free(w.k.sim);
		ended |= !tell && wrong;
	}
	return wrong;
}

/* ---- tests -------------------------------------------------------------------------------- */

TEST(workload_reaches_every_sync)
{
	static const enum sl_fault points[] = {
		SL_FAULT(SYNC_OBJECTS_META),	   SL_FAULT(SYNC_OBJECTS_NEW),
		SL_FAULT(SYNC_OBJECTS_FOLDER),	   SL_FAULT(SYNC_OBJECTS_CHECKPOINT),
		SL_FAULT(SYNC_OBJECTS_SNAPSHOT),   SL_FAULT(SYNC_OBJECTS_CHECKPOINT_FOLDER),
		SL_FAULT(SYNC_OBJECTS_SNAPSHOT_FOLDER),
	};
	struct world w;

	world_init(&w, 1);
	ASSERT_EQ(0, ok_run(&w.k, work));
	for (size_t i = 0; i < SL_ARRAY_SIZE(points); i++)
		if (!EXPECT_LT(0, sl_sim_syncs(w.k.sim, points[i])))
			TH_LOG("sync point %d", points[i]);
	EXPECT_STREQ("", w.wrong);
	sl_sim_free(w.k.sim);
}

FIXTURE(cuts)
{
	int unused;
};
FIXTURE_VARIANT(cuts)
{
	uint64_t seed; /* 0: the run's */
	uint32_t delay;
};
FIXTURE_VARIANT_ADD(cuts, fixed){4713, 0};
FIXTURE_VARIANT_ADD(cuts, random_late){0, 3};
FIXTURE_SETUP(cuts)
{
}
FIXTURE_TEARDOWN(cuts)
{
}

TEST_F_TIMEOUT(cuts, nothing_promised_is_lost, 240)
{
	uint64_t seed = variant->seed ? variant->seed : harness_random() % 1000000;

	EXPECT_EQ(0, try_cuts(seed, SL_FAULT(NONE), variant->delay, true));
}

FIXTURE(left_out)
{
	int unused;
};
FIXTURE_VARIANT(left_out)
{
	enum sl_fault point;
};
FIXTURE_VARIANT_ADD(left_out, meta){SL_FAULT(SYNC_OBJECTS_META)};
FIXTURE_VARIANT_ADD(left_out, new_folder){SL_FAULT(SYNC_OBJECTS_NEW)};
FIXTURE_VARIANT_ADD(left_out, folder){SL_FAULT(SYNC_OBJECTS_FOLDER)};
FIXTURE_VARIANT_ADD(left_out, checkpoint){SL_FAULT(SYNC_OBJECTS_CHECKPOINT)};
FIXTURE_SETUP(left_out)
{
}
FIXTURE_TEARDOWN(left_out)
{
}

/* The test of the tests. */
TEST_F_TIMEOUT(left_out, sync_is_missed, 240)
{
	EXPECT_LT(0, try_cuts(99, variant->point, 0, false));
}

TEST_HARNESS_MAIN
