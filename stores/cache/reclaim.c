/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reclaiming space: the oldest segment of a region goes as a whole; what was asked for often enough
 * is carried over into main first.
 *
 * Interface: shard_reclaim(), shard_trim(), shard_carry(). Invariants: a segment is unlinked only
 * when what was carried out of it is durable, and so is the knowledge of what must not come back;
 * then no slot names it. A segment that somebody writes into is passed over.
 *
 * Order of parts: carrying; one segment; the choice.
 */
#include <xxhash.h>

#include "cache_pvt.h"

/* ---- carrying --------------------------------------------------------------------------- */

enum { COPY_BYTES = 256 << 10 };

/* The body of @w, block by block from its file, to @pos of @to. */
static int copy_body(const struct view *w, struct segment *to, uint64_t pos, int64_t deadline)
{
	uint8_t *buf = malloc(BODY_BLOCK_BYTES);
	int err = buf ? 0 : -ENOMEM;

	for (uint64_t at = 0; at < w->o.bytes && !err; at += BODY_BLOCK_BYTES) {
		size_t n = sl_min(w->o.bytes - at, BODY_BLOCK_BYTES);

		err = sl_read_all(w->file->fd, buf, n, w->body_pos + at, deadline);
		if (!err && XXH3_64bits(buf, n) != w->sums[at / BODY_BLOCK_BYTES])
			err = -EBADMSG;
		if (!err)
			err = sl_write_all(to->file.fd, buf, n, cseg_at(to, pos + at), deadline);
		if (sl_fiber_self())
			sl_fiber_yield(deadline);
	}
	free(buf);
	return err;
}

static int write_copy(const struct view *w, struct segment *to, uint64_t pos, int64_t deadline)
{
	uint64_t n = body_blocks(w->o.bytes) * sizeof(uint64_t);
	int err;

	if (w->body)
		err = sl_write_all(to->file.fd, w->body, w->o.bytes,
				   cseg_at(to, pos + w->head.body_at), deadline);
	else
		err = copy_body(w, to, pos + w->head.body_at, deadline);
	if (!err && w->head.sums_at)
		err = sl_write_all(to->file.fd, w->sums, n, cseg_at(to, pos + w->head.sums_at),
				   deadline);
	return err ? err : shard_write_head(to, pos, 0, &w->head, w->text);
}

/* The object's slot names its new place, if it is still the same object. */
static void move_slot(struct shard *s, const struct cache_slot *was, const uint64_t hash[2],
		      const struct segment *to, uint64_t pos)
{
	struct cache_slot *slot = cache_table_find(&s->table, hash);

	if (!slot || slot->version != was->version || slot->segment != was->segment)
		return;
	slot->segment = to->id;
	slot->block = (uint32_t)(pos / s->c->super.block_size);
}

int shard_carry(struct shard *s, struct segment *from, const uint64_t hash[2],
		const struct cache_slot *slot, int64_t deadline)
{
	struct cache_slot was = *slot;
	struct place at = {
		.file = &from->file,
		.salt = from->salt,
		.pos = cseg_block_at(from, was.block),
		.version = was.version,
		.blocks = was.blocks,
	};
	struct segment *to;
	struct view *w;
	uint64_t pos;
	int err;

	sl_file_retain(&from->file);
	err = view_load(s->c, &at, hash, &w, deadline);
	if (err)
		return err;
	err = shard_bans(s, &w->head, w->text) ? -ENOENT : 0;
	if (!err)
		err = shard_reserve_now(s, CACHE_MAIN, head_total(&w->head), &to, &pos, deadline);
	if (!err) {
		err = write_copy(w, to, pos, deadline);
		if (!err)
			move_slot(s, &was, hash, to, pos);
		shard_unpin(to);
	}
	cache_release(&w->o);
	return err;
}

/* ---- one segment ------------------------------------------------------------------------ */

/* What became of a segment's objects. */
struct outcome {
	struct forgets forgets;
	uint32_t carried, dropped;
	bool damaged; /* the index does not tell of every object */
	int err;
};

/* A segment of one object moves by itself. */
static void move_alone(struct segment *g)
{
	struct shard *s = g->shard;
	uint64_t blocks = g->pos / s->c->super.block_size;

	s3fifo_shrank(&s->fifo, g->region, blocks);
	g->region = CACHE_MAIN;
	s3fifo_grew(&s->fifo, g->region, blocks);
	sl_list_remove(&g->node);
	sl_list_append(&s->regions[g->region], &g->node);
}

/* Takes out what is not carried. */
static void drop(struct shard *s, const struct record *r, struct outcome *o)
{
	int err = shard_take(s, r->hash, r->version, 0, &o->forgets);

	if (!err)
		o->dropped++;
	else if (err != -ENOENT && !o->err)
		o->err = err;
}

static void reclaim_object(struct segment *g, const struct record *r, struct outcome *o,
			   int64_t deadline)
{
	struct shard *s = g->shard;
	struct cache_slot *slot = cache_table_find(&s->table, r->hash);
	struct cache_slot copy;
	int err;

	if (!slot || slot->segment != g->id || slot->version != r->version)
		return;
	if (slot->expires_s <= cache_now_ms() / 1000) {
		s3fifo_removed(&s->fifo, slot);
		drop(s, r, o);
		return;
	}
	if (s3fifo_reclaim(&s->fifo, slot) == S3FIFO_DROP) {
		drop(s, r, o);
		return;
	}
	o->carried++;
	if (g->solo)
		return;
	copy = *slot;
	err = shard_carry(s, g, r->hash, &copy, deadline);
	if (!err) {
		/* Views name the old place, and would keep its space. */
		forgets_add(&o->forgets, s->c, r->hash, copy.flags);
		return;
	}
	o->carried--;
	if (cache_is_damage(err))
		cache_quarantine(s->c, r->hash, r->version, err);
	slot = cache_table_find(&s->table, r->hash);
	if (slot && slot->segment == g->id && slot->version == r->version) {
		s3fifo_removed(&s->fifo, slot);
		drop(s, r, o);
	}
}

static int reclaim_objects(struct segment *g, struct outcome *o, int64_t deadline)
{
	struct index index = {0};
	uint32_t n = g->records;
	int err = cseg_read_index(g, &index, deadline);

	for (uint32_t i = 0; i < n && !err; i++) {
		struct record r;
		int res = cseg_record_at(g, &index, i, &r);

		if (!res)
			reclaim_object(g, &r, o, deadline);
		o->damaged |= res == -EBADMSG;
	}
	free(index.p);
	if (err)
		return err;
	for (uint32_t i = 0; i < g->extra_n; i++)
		reclaim_object(g, &g->extra[i], o, deadline);
	return o->err;
}

/* What the index does not tell of (it is damaged) is found by looking at everything. */
static void drop_rest(struct segment *g, struct outcome *o)
{
	struct shard *s = g->shard;

	for (uint32_t i = cache_table_count(&s->table); i-- > 0;) {
		struct cache_slot *slot = cache_table_at(&s->table, i);

		if (slot->segment != g->id)
			continue;
		s3fifo_removed(&s->fifo, slot);
		cache_table_del(&s->table, slot);
		count_up(&s->n.objects, (uint64_t)-1);
		sl_count(SL_M_CACHE_OBJECTS, (uint64_t)-1);
		o->dropped++;
		o->forgets.all = true;
		views_forget_all(views_here(s->c), NULL, NULL);
	}
}

static int settle(struct shard *s, const struct outcome *o, int64_t deadline)
{
	int err = 0;

	for (uint32_t i = 0; i < s->segs_n && o->carried && !err; i++)
		if (s->segs[i] && s->segs[i]->region == CACHE_MAIN)
			err = cseg_sync(s->segs[i], deadline);
	return err ? err : journal_sync(&s->journal, deadline);
}

static void count_outcome(struct shard *s, const struct outcome *o)
{
	struct sl_core *core = sl_core_self();

	count_up(&s->n.evicted, o->dropped);
	count_up(&s->n.carried, o->carried);
	if (!core)
		return;
	sl_metric_add(sl_core_metrics(core), SL_M_CACHE_EVICTED, o->dropped);
	sl_metric_add(sl_core_metrics(core), SL_M_CACHE_CARRIED, o->carried);
}

/* The smallest number of a segment that is there. */
static uint32_t oldest_seq(const struct shard *s)
{
	uint32_t seq = UINT32_MAX;

	for (uint32_t i = 0; i < s->segs_n; i++)
		if (s->segs[i])
			seq = sl_min(seq, s->segs[i]->seq);
	return seq;
}

static int reclaim_segment(struct segment *g, int64_t deadline)
{
	struct shard *s = g->shard;
	struct outcome o = {0};
	int err;

	if (s->active[g->region] == g)
		s->active[g->region] = NULL;
	cseg_seal(g);
	g->leaving = true; /* what is carried over is not changed here any more */
	err = reclaim_objects(g, &o, deadline);
	if (!err && g->solo && o.carried)
		move_alone(g);
	else if (!err && o.damaged)
		drop_rest(g, &o);
	if (!err)
		err = settle(s, &o, deadline);
	/* Whoever looks an object up now finds it where it is, or not at all. */
	forgets_tell(&o.forgets, s->c);
	count_outcome(s, &o);
	g->leaving = !err && !(g->solo && o.carried);
	if (g->leaving) {
		err = cseg_unlink(g, deadline);
		__atomic_store_n(&s->n.bytes, s->bytes, __ATOMIC_RELAXED);
		journal_trim(&s->journal, oldest_seq(s), deadline);
	}
	return err;
}

/* ---- the choice ------------------------------------------------------------------------- */

static struct segment *oldest(const struct shard *s, enum cache_region region)
{
	sl_list_each(n, &s->regions[region]) {
		struct segment *g = sl_list_entry(n, struct segment, node);

		if (!g->puts && !g->syncing && !g->unlinked)
			return g;
	}
	return NULL;
}

int shard_reclaim(struct shard *s, uint64_t bytes, int64_t deadline)
{
	uint64_t tries = 8 + 8 * (uint64_t)s->n.segments;
	int err = 0;

	SL_ASSERT(s->making.held);
	s3fifo_resize(&s->fifo, shard_max_bytes(s) / s->c->super.block_size);
	while (!err && s->bytes && !shard_has_room(s, bytes)) {
		enum cache_region region = s3fifo_next(&s->fifo);
		struct segment *g = oldest(s, region);

		if (!g)
			g = oldest(s, region == CACHE_MAIN ? CACHE_SMALL : CACHE_MAIN);
		/* Everything is being written, or as hot as the rest. */
		if (!g || !tries--)
			return -ENOSPC;
		err = reclaim_segment(g, deadline);
	}
	return err;
}

int shard_trim(struct shard *s, int64_t deadline)
{
	int err = sl_mutex_lock(&s->making, deadline);

	if (err)
		return err;
	err = shard_reclaim(s, 0, deadline);
	sl_mutex_unlock(&s->making);
	return err;
}
