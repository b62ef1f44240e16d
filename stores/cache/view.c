/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Views: objects as a core loaded them, kept in memory as long as they are asked for.
 *
 * Interface: views_*() of cache_pvt.h. Each core has a table of its own, so that a hot object costs
 * a look-up by hash, no call to its home and no system call. A view's memory is a buf of its own
 * kind, so that what is being sent keeps it. The list is in the order of coming; what was asked for
 * since it was last passed over stays once more when room is needed.
 *
 * Invariants: an object has at most one view in a core's table, which holds a reference to it. The
 * home of an object tells every core that may have a view before anybody is told that the object
 * is replaced or gone.
 *
 * Order of parts: the table; room; what is kept whole; forgetting.
 */
#include "cache_pvt.h"

/* ---- the table -------------------------------------------------------------------------- */

enum { BUCKETS_MIN = 1024, BYTES_A_BUCKET = 2048 };

struct views *views_here(struct cache *c)
{
	struct sl_core *core = sl_core_self();
	uint32_t id = core ? sl_core_id(core) : 0;

	SL_ASSERT(id < c->cores_n);
	return &c->views[id];
}

int views_init(struct views *v, struct cache *c)
{
	uint64_t n = BUCKETS_MIN;

	while (n * BYTES_A_BUCKET < CONF(c, memory_bytes) / c->cores_n)
		n *= 2;
	*v = (struct views){.c = c, .mask = n - 1};
	v->buckets = calloc(n, sizeof(struct view *));
	sl_list_init(&v->views);
	sl_list_init(&v->loads);
	return v->buckets ? 0 : -ENOMEM;
}

static struct view **bucket_of(const struct views *v, const uint64_t hash[2])
{
	return &v->buckets[hash[0] & v->mask];
}

static bool is_of(const struct view *w, const uint64_t hash[2])
{
	return w->head.hash[0] == hash[0] && w->head.hash[1] == hash[1];
}

struct view *views_find(struct views *v, const uint64_t hash[2], struct cache_key key)
{
	struct view *w = *bucket_of(v, hash);

	while (w && !is_of(w, hash))
		w = w->next;
	if (!w || w->head.key_n != key.n || memcmp(w->text, key.p, key.n))
		return NULL;
	w->used = true;
	return w;
}

static void count(struct views *v, int64_t views, int64_t bytes)
{
	v->n += (uint64_t)views;
	v->memory += (uint64_t)bytes;
	__atomic_store_n(&v->counts.memory_objects, v->n, __ATOMIC_RELAXED);
	__atomic_store_n(&v->counts.memory_bytes, v->memory, __ATOMIC_RELAXED);
	sl_count(SL_M_CACHE_MEMORY, (uint64_t)bytes);
}

/* ---- room ------------------------------------------------------------------------------- */

static void drop(struct views *v, struct view *w)
{
	struct view **at = bucket_of(v, w->head.hash);

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	sl_list_remove(&w->node);
	w->dead = true;
	count(v, -1, -(int64_t)w->memory);
	sl_buf_release(&w->buf);
}

static void make_room(struct views *v, uint64_t bytes)
{
	uint64_t max = CONF(v->c, memory_bytes) / v->c->cores_n;

	while (v->n && v->memory + bytes > max) {
		struct view *w = sl_list_first(&v->views, struct view, node);

		if (!w->used) {
			drop(v, w);
			v->dropped++;
			continue;
		}
		w->used = false;
		sl_list_remove(&w->node);
		sl_list_append(&v->views, &w->node);
	}
}

void views_add(struct views *v, struct view *w)
{
	struct view **bucket = bucket_of(v, w->head.hash);

	if (v->stopped)
		return;
	views_forget(v, w->head.hash);
	make_room(v, w->memory);
	sl_buf_retain(&w->buf);
	w->next = *bucket;
	*bucket = w;
	sl_list_append(&v->views, &w->node);
	count(v, 1, (int64_t)w->memory);
}

/* ---- what is kept whole ----------------------------------------------------------------- */

/*
 * Small objects are cheapest in memory, as long as they stay there: one that was dropped is read,
 * verified and copied anew, each time. When memory does not hold what is asked for, the largest of
 * them are better off in the page cache, where they are verified once and sent from. So of LOADS
 * objects that were loaded, in a memory that is full, most were there before: half the threshold;
 * memory is half empty: twice.
 */
enum { LOADS = 1024, THRESHOLD_MIN = 8 << 10 };

uint64_t views_threshold(const struct views *v)
{
	uint64_t set = CONF(v->c, mmap_threshold);
	uint32_t halvings = __atomic_load_n(&v->halvings, __ATOMIC_RELAXED);

	return sl_max(set >> halvings, sl_min(set, (uint64_t)THRESHOLD_MIN));
}

void views_note_load(struct views *v, bool again)
{
	v->again += again;
	if (++v->loaded < LOADS)
		return;
	if (v->again > LOADS / 2 && v->dropped > LOADS / 2 && views_threshold(v) > THRESHOLD_MIN)
		__atomic_store_n(&v->halvings, v->halvings + 1, __ATOMIC_RELAXED);
	else if (v->halvings && v->memory < CONF(v->c, memory_bytes) / v->c->cores_n / 2)
		__atomic_store_n(&v->halvings, v->halvings - 1, __ATOMIC_RELAXED);
	v->loaded = v->again = v->dropped = 0;
}

/* ---- forgetting ------------------------------------------------------------------------- */

void views_forget(struct views *v, const uint64_t hash[2])
{
	struct view *w = *bucket_of(v, hash);

	while (w && !is_of(w, hash))
		w = w->next;
	if (w)
		drop(v, w);
	sl_list_each(n, &v->loads) {
		struct loading *l = sl_list_entry(n, struct loading, node);

		if (l->hash[0] == hash[0] && l->hash[1] == hash[1])
			l->stale = true;
	}
}

void views_forget_all(struct views *v, bool (*match)(const struct view *w, const void *arg),
		      const void *arg)
{
	sl_list_each_safe(n, &v->views) {
		struct view *w = sl_list_entry(n, struct view, node);

		if (!match || match(w, arg))
			drop(v, w);
	}
	sl_list_each(n, &v->loads)
		sl_list_entry(n, struct loading, node)->stale = true;
}

void views_stop(struct views *v)
{
	v->stopped = true;
	views_forget_all(v, NULL, NULL);
}

void views_done(struct views *v)
{
	SL_ASSERT(!v->n);
	free(v->buckets);
}
