/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workload on one cache, its model, and the check.
 *
 * Interface: cache_world.h. Order of parts: the model; the workload; checks.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cache_world.h"

/* ---- the model ---------------------------------------------------------------------------- */

static uint32_t begin_event(struct world *w, uint32_t id, uint64_t bytes)
{
	struct key_model *m = &w->keys[id];

	SL_ASSERT(m->n < GENS);
	m->events[m->n] = (struct event){.gen = m->n + 1, .body = m->n + 1, .bytes = bytes};
	return ++m->n;
}

static void acked(struct world *w, uint32_t id, uint32_t n)
{
	w->keys[id].acked = sl_max(w->keys[id].acked, n);
}

/* ---- the workload ------------------------------------------------------------------------- */

int cache_world_put(struct world *w, uint32_t id, uint64_t bytes, const char *tag)
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

/* The generation that a held object says it is, or 0. Nothing ends a meta but its length. */
static uint32_t gen_of(const struct cache_object *o, uint32_t id)
{
	char text[64] = "";
	uint32_t seen, gen;

	memcpy(text, o->meta, sl_min(o->meta_bytes, (uint32_t)sizeof(text) - 1));
	if (sscanf(text, "object %u, generation %u", &seen, &gen) != 2 || seen != id)
		return 0;
	return gen;
}

/* Another meta for what is there. */
static int update_key(struct world *w, uint32_t id)
{
	struct key_model *m = &w->keys[id];
	struct event last = m->events[m->n - 1];
	struct cache_kit_object o = {.id = id, .gen = m->n + 1};
	const char *meta = cache_kit_meta(&o);
	struct cache_object *held;
	uint64_t version;
	uint32_t gen;
	int err = cache_lookup(w->k.c, cache_kit_key(id), 0, &held, SL_NEVER);

	if (err)
		return w->evicts || w->go_on ? 0 : err;
	version = held->version;
	/* After a fault it may not be the last one. */
	gen = gen_of(held, id);
	if (gen && gen <= m->n)
		last = m->events[gen - 1];
	cache_release(held);
	begin_event(w, id, last.bytes);
	m->events[m->n - 1].body = last.body;
	err = cache_update(w->k.c, cache_kit_key(id), version, meta, (uint32_t)strlen(meta),
			   INT64_MAX, SL_NEVER);
	if (!err)
		acked(w, id, o.gen);
	return err;
}

static int remove_key(struct world *w, uint32_t id)
{
	uint32_t n = begin_event(w, id, 0);
	int err = cache_remove(w->k.c, cache_kit_key(id), SL_NEVER);

	if (!err || (err == -ENOENT && (w->evicts || w->forgets))) {
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
		err = cache_world_put(w, first * 2 + i, 3000 + first * 2000, first ? "t" : NULL);
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

/* After an error the next steps are only tried if the workload is to go on. */
#define STEP(w, err, call)                                                                         \
	do {                                                                                       \
		if ((w)->k.c && (!(err) || (w)->go_on)) {                                          \
			int e_ = call;                                                             \
			err = err ? err : e_;                                                      \
		}                                                                                  \
	} while (0)

static int keep_all(struct world *w)
{
	int err = put_together(w);

	STEP(w, err, cache_world_put(w, 6, 70000, NULL));
	STEP(w, err, cache_world_put(w, 9, 140000, NULL)); /* a segment of its own */
	STEP(w, err, update_key(w, 6));
	STEP(w, err, update_key(w, 9));
	STEP(w, err, cache_world_put(w, 0, 4096, NULL));  /* replaced */
	STEP(w, err, remove_key(w, 1));
	STEP(w, err, put_unknown(w, 7, 20000));
	STEP(w, err, purge(w, "t", 2, 5));
	STEP(w, err, cache_world_put(w, 2, 100, NULL));
	STEP(w, err, cache_kit_reopen(&w->k));
	STEP(w, err, update_key(w, 9));
	STEP(w, err, update_key(w, 6));
	STEP(w, err, update_key(w, 6));
	STEP(w, err, update_key(w, 7)); /* its body is copied */
	STEP(w, err, cache_world_put(w, 6, 66000, NULL));
	STEP(w, err, cache_world_put(w, 1, 9000, NULL));
	STEP(w, err, remove_key(w, 6));
	STEP(w, err, cache_world_put(w, 8, 30000, NULL));
	return err;
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
	int err = cache_world_put(w, 0, 25000, NULL);

	STEP(w, err, cache_world_put(w, 1, 24000, NULL));
	for (uint32_t i = 0; i < 100; i++) {
		ask_twice(w, 1);
		if (i == 10)
			STEP(w, err, cache_world_put(w, 11, 66000, NULL));
		if (i > 10 && i % 16 == 0)
			STEP(w, err, update_key(w, 11));
		if (i < 40)
			ask_twice(w, 0);
		else if (i == 40)
			STEP(w, err, cache_world_put(w, 0, 26000, NULL));
		STEP(w, err, cache_world_put(w, 3 + i % 8, 20000 + i * 10, NULL));
	}
	STEP(w, err, remove_key(w, 1));
	STEP(w, err, cache_world_put(w, 2, 3000, NULL));
	return err;
}

/* Of each key a new version and its removal, again and again. */
static int forget_some(struct world *w)
{
	int err = 0;

	for (uint32_t i = 0; i < 11 * KEYS; i++) {
		STEP(w, err, cache_world_put(w, i % KEYS, 1000, NULL));
		STEP(w, err, remove_key(w, i % KEYS));
	}
	STEP(w, err, cache_world_put(w, 0, 2000, NULL));
	return err;
}

int cache_world_work(struct cache_kit *k)
{
	struct world *w = (struct world *)k;
	int err = cache_kit_open(k);

	if (!err)
		err = w->forgets ? forget_some(w) : w->evicts ? evict_some(w) : keep_all(w);
	cache_kit_close(k);
	return err;
}

void cache_world_init(struct world *w, uint64_t seed, bool evicts)
{
	*w = (struct world){.evicts = evicts};
	cache_kit_init(&w->k, sl_sim_new(seed, NULL));
	w->k.conf.max_bytes = evicts ? SL_MIB : 4 * SL_MIB;
}

void cache_world_init_device(struct world *w, uint64_t seed, bool evicts)
{
	cache_world_init(w, seed, evicts);
	cache_kit_make_device(&w->k, evicts ? 8 : 16);
}

/* ---- checks ------------------------------------------------------------------------------- */

#define WRONG(k, fmt, ...)                                                                         \
	do {                                                                                       \
		if (!(k)->wrong[0])                                                                \
			snprintf((k)->wrong, sizeof((k)->wrong), fmt, ##__VA_ARGS__);              \
	} while (0)

struct check {
	struct cache_kit *k;
	struct world *w;
	uint32_t lost, last;
};

/* Return: whether it is of use; that a large body does not verify is found out as it is read. */
static bool check_held(struct check *c, uint32_t id, struct cache_object *held)
{
	struct key_model *m = &c->w->keys[id];
	uint32_t gen = gen_of(held, id);
	struct cache_kit_object o = {.id = id, .gen = gen, .bytes = held->bytes};

	int res;

	if (gen && gen <= m->n)
		o.body = m->events[gen - 1].body;
	res = cache_kit_range(held, &o, 0, held->bytes);
	if (!gen || gen > m->n || m->events[gen - 1].bytes != held->bytes)
		WRONG(c->k, "key %u has an object that was never stored", id);
	else if (gen < m->acked)
		WRONG(c->k, "key %u has generation %u, %u was acknowledged", id, gen, m->acked);
	else if (res == -EBADMSG)
		return false;
	else if (res)
		WRONG(c->k, "key %u has other bytes than generation %u", id, gen);
	else
		m->acked = gen;
	return true;
}

/* Whether it may be missing: its removal was the last that was acknowledged, or began later. */
static bool may_miss(const struct check *c, uint32_t id)
{
	const struct key_model *m = &c->w->keys[id];

	if (c->w->evicts || c->w->forgets || !m->acked)
		return true;
	for (uint32_t i = m->acked; i <= m->n; i++)
		if (!m->events[i - 1].bytes)
			return true;
	return false;
}

static void check_key(struct check *c, uint32_t id)
{
	struct cache_object *held;
	int err = cache_lookup(c->k->c, cache_kit_key(id), 0, &held, SL_NEVER);

	if (!err) {
		err = check_held(c, id, held) ? 0 : -ENOENT;
		cache_release(held);
	}
	if (!err)
		return;
	if (err != -ENOENT) {
		WRONG(c->k, "key %u: the look-up says %d", id, err);
	} else if (!may_miss(c, id)) {
		c->lost++;
		c->last = id;
	}
}

void cache_world_check_open(struct cache_kit *k, struct world *w)
{
	struct check c = {.k = k, .w = w};

	for (uint32_t id = 0; id < KEYS; id++)
		check_key(&c, id);
	if (c.lost > w->lost_max)
		WRONG(k, "%u keys are lost, key %u the last", c.lost, c.last);
}

static int check_all(struct cache_kit *k, struct world *w)
{
	struct cache_kit_object o = {.id = 1000, .gen = 1, .bytes = 5000};
	int err = cache_kit_open(k);

	if (err)
		WRONG(k, "it does not start: %d", err);
	else
		cache_world_check_open(k, w);
	if (!err && (cache_kit_put(k, &o, NULL) || cache_kit_get(k, &o, NULL)))
		WRONG(k, "nothing can be stored after the start");
	cache_kit_close(k);
	return 0;
}

void cache_world_check(struct sl_sim *disk, struct world *w, char *ret_wrong, size_t len)
{
	struct sl_backend *before = sl_backend_use(sl_sim_backend(disk));
	struct cache_kit k;

	cache_kit_init(&k, disk);
	k.conf.max_bytes = w->k.conf.max_bytes;
	check_all(&k, w); /* on this thread, without a core: faster */
	sl_backend_use(before);
	snprintf(ret_wrong, len, "%s", k.wrong);
}
