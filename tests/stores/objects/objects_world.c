/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The workload of the suites of crashes and faults, and its check.
 *
 * Interface: objects_world.h. Order of parts: the workload; checks.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sluice/util.h>

#include "objects_world.h"

#define WRONG(w, fmt, ...)                                                                         \
	do {                                                                                       \
		if (!(w)->wrong[0])                                                                \
			snprintf((w)->wrong, sizeof((w)->wrong), fmt, ##__VA_ARGS__);              \
	} while (0)

/* ---- the workload ------------------------------------------------------------------------- */

static const char *name_of(int i)
{
	static const char *const names[COLLECTIONS] = {"zero", "one", "two"};

	return names[i];
}

static int create(struct world *w, int i)
{
	int rc;

	w->m.fate[i] = MAYBE;
	rc = ok_create(&w->k, name_of(i), SL_INDEX_HNSW);
	if (!rc)
		w->m.fate[i] = SURELY;
	return rc;
}

static int delete (struct world *w, int i)
{
	int rc;

	w->m.fate[i] = MAYBE_DELETED;
	rc = objects_delete(w->k.o, name_of(i), SL_NEVER);
	if (!rc)
		w->m.fate[i] = DELETED;
	return rc;
}

static void try(struct world *w, int i, uint32_t key, int64_t number)
{
	struct object_model *x = &w->m.object[i][key];

	ASSERT_LT(x->tries, TRIES);
	x->tried[x->tries++] = number;
}

static int put(struct world *w, int i, uint32_t from, uint32_t n)
{
	int64_t add = w->m.next - (int64_t)from;
	int rc;

	for (uint32_t key = from; key < from + n; key++)
		try(w, i, key, (int64_t)key + add);
	w->m.next += n;
	rc = ok_put(&w->k, name_of(i), from, n, add);
	for (uint32_t key = from; key < from + n && !rc; key++)
		w->m.object[i][key] = (struct object_model){.is = (int64_t)key + add};
	return rc;
}

static int forget(struct world *w, int i, uint32_t key)
{
	int rc;

	try(w, i, key, GONE);
	rc = ok_delete(&w->k, name_of(i), key);
	if (!rc)
		w->m.object[i][key] = (struct object_model){.is = GONE};
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
	struct sl_objects_snapshot s;

	return objects_snapshot_create(w->k.o, "zero", &s, SL_NEVER);
}

static int reopen(struct world *w)
{
	int rc = ok_close(&w->k), opened = ok_open(&w->k);

	return rc ? rc : opened;
}

/* One step; whether to go on. */
static bool step(struct world *w, int rc, int *first)
{
	*first = *first ? *first : rc;
	return w->k.o && (!rc || w->go_on);
}

static int work_steps(struct world *w)
{
	int rc = 0;

	if (!step(w, create(w, 0), &rc) || !step(w, put(w, 0, 0, 6), &rc) ||
	    !step(w, put(w, 0, 3, 1), &rc) || !step(w, forget(w, 0, 1), &rc) ||
	    !step(w, create(w, 1), &rc) || !step(w, put(w, 1, 2, 4), &rc) ||
	    !step(w, alias(w), &rc) || !step(w, reopen(w), &rc) || !step(w, put(w, 0, 4, 8), &rc) ||
	    !step(w, forget(w, 0, 5), &rc) || !step(w, snapshot(w), &rc) ||
	    !step(w, delete (w, 1), &rc) || !step(w, reopen(w), &rc) ||
	    !step(w, put(w, 0, 1, 2), &rc) || !step(w, create(w, 2), &rc) ||
	    !step(w, put(w, 2, 0, 3), &rc))
		return rc;
	return rc;
}

int objects_world_work(struct ok *k)
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

void objects_world_init(struct world *w, uint64_t seed)
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
	bool may_be = n == x->is;

	for (uint32_t t = 0; t < x->tries; t++)
		may_be |= n == x->tried[t];
	if (!may_be)
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

bool objects_world_check(const struct model *m, struct sl_sim *sim, char *ret_wrong, size_t len)
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
