/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at everything: from the disk and not from the page cache, at a pace that leaves the disk
 * to others, or at once when somebody asks.
 *
 * Interface: cache_verify() of cache.h, scrub_start(), scrub_stop(). What does not verify is
 * quarantined. What is purged is taken out, after which its bans are not asked for any more; the
 * journal keeps them until the segments of their time are gone.
 *
 * Order of parts: one object; one segment; one shard; asked for; in the background.
 */
#include <fcntl.h>

#include "cache_pvt.h"

/* ---- one object ------------------------------------------------------------------------- */

/* @pace: bytes a second, 0: as fast as it goes. @by: NULL, or whose end ends the walk. */
struct walk {
	struct cache_verify found;
	uint64_t pace;
	struct views *by;
};

static bool is_over(const struct walk *walk)
{
	return walk->by && walk->by->stopped;
}

/* After @bytes, which are STEP_BYTES at most but for a small object's head. */
static void rest(const struct walk *walk, uint64_t bytes)
{
	int64_t pause = walk->pace ? (int64_t)(bytes * (uint64_t)SL_SEC / walk->pace) : 0;

	if (!sl_fiber_self() || is_over(walk))
		return;
	if (pause)
		sl_waitq_wait(&walk->by->scrub, sl_now() + pause);
	else
		sl_fiber_yield(SL_NEVER);
}

static bool is_here(const struct segment *g, const struct record *r)
{
	const struct cache_slot *slot = cache_table_find(&g->shard->table, r->hash);

	return slot && slot->segment == g->id && slot->version == r->version;
}

static int take_purged(struct shard *s, const struct record *r)
{
	struct forgets f = {0};
	int err = shard_take(s, r->hash, r->version, JOURNAL_GONE, &f);

	forgets_tell(&f, s->c);
	return err == -ENOENT ? 0 : err;
}

enum { STEP_BYTES = 1 << 20 };

/* A body that was not verified by loading it. */
static int look_at_body(struct view *w, const struct walk *walk, int64_t deadline)
{
	int err = 0;

	for (uint64_t at = 0; at < w->o.bytes && !err && !is_over(walk); at += STEP_BYTES) {
		uint64_t n = sl_min(w->o.bytes - at, (uint64_t)STEP_BYTES);

		err = view_verify(w, at, n, deadline);
		rest(walk, n);
	}
	return err;
}

static int look_at(struct segment *g, const struct record *r, struct walk *walk, int64_t deadline)
{
	struct shard *s = g->shard;
	struct place at = {
		.file = &g->file,
		.salt = g->salt,
		.pos = cseg_block_at(g, r->block),
		.version = r->version,
		.blocks = r->blocks,
	};
	struct view *w;
	int err;

	sl_file_retain(&g->file);
	err = view_load(s->c, &at, r->hash, &w, deadline);
	if (!err) {
		if (w->body)
			rest(walk, w->o.bytes);
		else
			err = look_at_body(w, walk, deadline);
		walk->found.bytes += w->o.bytes;
		if (!err && shard_bans(s, &w->head, w->text))
			err = take_purged(s, r);
		cache_release(&w->o);
	}
	walk->found.objects++;
	if (!cache_is_damage(err))
		return err;
	walk->found.bad++;
	cache_quarantine(s->c, r->hash, r->version, err);
	return 0;
}

/* ---- one segment ------------------------------------------------------------------------ */

static int look_at_records(struct segment *g, const struct index *index, uint32_t n,
			   struct walk *walk, int64_t deadline)
{
	int err = 0;

	for (uint32_t i = 0; i < n && !err && !is_over(walk); i++) {
		struct record r;

		if (cseg_record_at(g, index, i, &r) || !is_here(g, &r))
			continue;
		err = look_at(g, &r, walk, deadline);
	}
	for (uint32_t i = 0; i < g->extra_n && !err && !is_over(walk); i++)
		if (is_here(g, &g->extra[i]))
			err = look_at(g, &g->extra[i], walk, deadline);
	return err;
}

static int look_at_segment(struct segment *g, struct walk *walk, int64_t deadline)
{
	const struct shard *s = g->shard;
	uint32_t n = g->records;
	struct sl_io io;
	struct index index = {0};
	int err;

	map_drop(g); /* mapped pages stay, too */
	/* Without a length: to the end. Pages in sockets or not yet written stay. */
	sl_io_fadvise(&io, g->file.fd, g->seat.base,
		      s->c->device ? (uint32_t)device_slot_bytes(s->c->device) : 0,
		      POSIX_FADV_DONTNEED);
	sl_await(&io, deadline);
	err = cseg_read_index(g, &index, deadline);
	if (!err)
		err = look_at_records(g, &index, n, walk, deadline);
	else if (cache_is_damage(err))
		err = 0; /* objects are found by the table all the same */
	free(index.p);
	return err;
}

/* ---- one shard -------------------------------------------------------------------------- */

static int look_at_shard(struct shard *s, struct walk *walk, int64_t deadline)
{
	uint64_t mark = purge_mark(&s->bans);
	bool quiet = !s->commits; /* else one of them may be banned, and not yet in the table */
	int err = 0;

	for (uint32_t i = 0; i < s->segs_n && !err && s->started; i++) {
		struct segment *g = s->segs[i];

		if (!g || g->unlinked || is_over(walk))
			continue;
		g->puts++; /* so that it stays */
		err = look_at_segment(g, walk, deadline);
		shard_unpin(g);
	}
	if (!err && quiet && s->started && !is_over(walk)) {
		err = journal_sync(&s->journal, deadline);
		if (!err)
			purge_retire(&s->bans, mark);
	}
	return err;
}

/* ---- asked for -------------------------------------------------------------------------- */

struct verify_call {
	struct shard *s;
	struct walk walk;
};

static int verify_shard(void *arg, int64_t deadline)
{
	struct verify_call *v = arg;

	return look_at_shard(v->s, &v->walk, deadline);
}

int cache_verify(struct cache *c, struct cache_verify *ret_verify, int64_t deadline)
{
	struct verify_call v = {0};
	int err = 0;

	for (uint32_t i = 0; i < c->super.shards && !err; i++) {
		v.s = &c->shards[i];
		err = shard_call(v.s, verify_shard, &v, deadline);
	}
	if (!err)
		*ret_verify = v.walk.found;
	return err;
}

/* ---- in the background ------------------------------------------------------------------ */

#define REST_NS (3600 * SL_SEC)

static void scrub_fiber(void *arg)
{
	struct views *v = arg;
	struct cache *c = v->c;
	uint32_t id = sl_core_id(sl_core_self());

	while (!v->stopped) {
		int64_t pause = CONF(c, scrub_rest_ns);

		sl_waitq_wait(&v->scrub, sl_now() + (pause ? pause : REST_NS));
		for (uint32_t i = id; i < c->super.shards && !v->stopped; i += c->cores_n) {
			struct walk walk = {.pace = CONF(c, scrub_bytes_per_s), .by = v};

			if (walk.pace)
				look_at_shard(&c->shards[i], &walk, SL_NEVER);
			sl_count(SL_M_SCRUB_BYTES, walk.found.bytes);
		}
	}
	v->scrubbing = false;
	sl_waitq_wake_all(&v->scrub, 0);
}

void scrub_start(struct views *v)
{
	sl_waitq_init(&v->scrub);
	/* Without memory for a fiber there is no scrub. */
	if (sl_core_self())
		v->scrubbing = !sl_fiber_start(SL_STACK_SMALL, scrub_fiber, v);
}

void scrub_stop(struct views *v)
{
	if (!v->scrubbing)
		return;
	sl_waitq_wake_all(&v->scrub, 0);
	while (v->scrubbing)
		sl_waitq_wait(&v->scrub, SL_NEVER);
}
