/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shard: its table, its space, and what is added to and taken from both.
 *
 * Interface: "shards" of cache_pvt.h. Invariants: a slot of the table names a segment that is
 * there; an object is in the table only after its record is durable (as far as the setting asks);
 * versions rise, and of two the table has the newer one. Whoever makes or frees segments holds
 * @making. A slot's address is good until somebody parks.
 *
 * Order of parts: a shard; its space; reserving; adding; bans; forgetting; taking; finding.
 */
#include "cache_pvt.h"

/* ---- a shard ---------------------------------------------------------------------------- */

int shard_init(struct shard *s, struct cache *c, uint32_t id)
{
	*s = (struct shard){.c = c, .id = id, .dir = -1, .last_version = id};
	cache_table_init(&s->table);
	s3fifo_init(&s->fifo, 0);
	purge_init(&s->bans, c->super.seed);
	journal_init(&s->journal, s);
	for (int r = 0; r < CACHE_REGIONS; r++)
		sl_list_init(&s->regions[r]);
	sl_mutex_init(&s->making);
	sl_mutex_init(&s->updating);
	s3fifo_resize(&s->fifo, shard_max_bytes(s) / c->super.block_size);
	return 0;
}

/* Whether somebody still writes, or is on the way to say that he does not. */
static bool is_busy(const struct shard *s)
{
	for (uint32_t i = 0; i < s->segs_n; i++)
		if (s->segs[i] && (s->segs[i]->puts || s->segs[i]->unlinked))
			return true;
	return s->making.held;
}

void shard_stop(struct shard *s)
{
	while (is_busy(s))
		sl_sleep(sl_now() + SL_MSEC);
	for (int r = 0; r < CACHE_REGIONS; r++) {
		if (s->active[r])
			cseg_seal(s->active[r]);
		s->active[r] = NULL;
	}
	s->started = false;
	for (uint32_t i = 0; i < s->segs_n; i++)
		if (s->segs[i])
			cseg_close(s->segs[i]);
	journal_done(&s->journal);
	s->c->medium->shard_close(s);
}

void shard_done(struct shard *s)
{
	purge_done(&s->bans);
	s3fifo_done(&s->fifo);
	cache_table_done(&s->table);
	free(s->segs);
}

void shard_event(const struct shard *s, enum cache_event event, int64_t a, int64_t b)
{
	if (s->c->conf.event)
		s->c->conf.event(s->c->conf.arg, event, a, b);
}

/* ---- its space -------------------------------------------------------------------------- */

uint64_t shard_max_bytes(const struct shard *s)
{
	return CONF(s->c, max_bytes) / s->c->super.shards;
}

/* For so long a full disk counts as the end of the cache's space. */
#define FULL_NS (60 * SL_SEC)

void shard_note_full(struct shard *s)
{
	uint64_t segment = shard_segment_bytes(s);

	/* A device's space is its own. */
	if (s->c->device)
		return;
	/* The next object makes a segment, and room for it before. */
	for (int r = 0; r < CACHE_REGIONS; r++)
		if (s->active[r])
			s->active[r]->room = s->active[r]->pos;
	s->full_bytes = s->bytes > segment ? s->bytes - segment : 0;
	s->full_until = sl_now() + FULL_NS;
}

uint64_t shard_limit(const struct shard *s)
{
	uint64_t max = shard_max_bytes(s);

	return sl_now() < s->full_until ? sl_min(max, s->full_bytes) : max;
}

#define SEGMENT_BYTES_MIN (64 * SL_KIB)

uint64_t shard_segment_bytes(const struct shard *s)
{
	uint64_t bytes = sl_round_down(shard_max_bytes(s) / 16, SEGMENT_BYTES_MIN);

	if (s->c->device)
		return device_segment_bytes(s->c->device);
	return sl_max(sl_min(bytes, SL_GIB), SEGMENT_BYTES_MIN);
}

uint64_t shard_shared_max(const struct shard *s)
{
	return shard_segment_bytes(s) / 2;
}

/* Of a device it has a slot. In a folder the rest is for what else is written meanwhile. */
uint64_t shard_object_max(const struct shard *s)
{
	if (s->c->device)
		return sl_round_down(device_slot_bytes(s->c->device) -
				     cseg_data_at(SOLO_RECORDS, s->c->super.block_size),
				     s->c->super.block_size);
	return sl_min(BODY_BYTES_MAX, shard_max_bytes(s) / 4 * 3);
}

uint64_t shard_next_version(struct shard *s)
{
	s->last_version += CACHE_SHARDS_MAX;
	SL_ASSERT(s->last_version <= CACHE_VERSION_MAX);
	return s->last_version;
}

uint64_t shard_committed(const struct shard *s)
{
	uint64_t bytes = s->bytes;

	for (int r = 0; r < CACHE_REGIONS; r++)
		if (s->active[r])
			bytes += s->active[r]->room - s->active[r]->pos;
	return bytes;
}

bool shard_has_room(const struct shard *s, uint64_t bytes)
{
	if (s->c->device)
		return device_has_room(s, bytes ? 1 : 0);
	return shard_committed(s) + bytes <= shard_limit(s);
}

bool shard_has_space(const struct shard *s)
{
	return shard_has_room(s, shard_segment_bytes(s));
}

/* ---- reserving -------------------------------------------------------------------------- */

static void take_space(struct segment *g, uint64_t bytes)
{
	struct shard *s = g->shard;

	g->pos += bytes;
	s->bytes += bytes;
	s3fifo_grew(&s->fifo, g->region, bytes / s->c->super.block_size);
	__atomic_store_n(&s->n.bytes, s->bytes, __ATOMIC_RELAXED);
}

/* A place in the active segment, if there is one. */
static bool reserve_here(struct shard *s, enum cache_region region, uint64_t bytes,
			 struct segment **ret_segment, uint64_t *ret_pos)
{
	struct segment *g = s->active[region];

	if (!g || g->err || g->room - g->pos < bytes || g->records + g->puts >= g->index_max)
		return false;
	*ret_segment = g;
	*ret_pos = g->pos;
	g->puts++;
	take_space(g, bytes);
	return true;
}

static void retire(struct shard *s, enum cache_region region)
{
	struct segment *g = s->active[region];

	s->active[region] = NULL;
	if (g)
		cseg_seal(g);
}

static int reserve_alone(struct shard *s, enum cache_region region, uint64_t bytes,
			 struct segment **ret_segment, uint64_t *ret_pos, int64_t deadline)
{
	int err = cseg_create(s, region, 0, ret_segment, deadline);

	if (err)
		return err;
	*ret_pos = (*ret_segment)->pos;
	(*ret_segment)->puts++;
	take_space(*ret_segment, bytes);
	return 0;
}

int shard_reserve_now(struct shard *s, enum cache_region region, uint64_t bytes,
		      struct segment **ret_segment, uint64_t *ret_pos, int64_t deadline)
{
	uint64_t segment = shard_segment_bytes(s);
	struct segment *g;
	int err;

	SL_ASSERT(s->making.held);
	bytes = sl_round_up(bytes, s->c->super.block_size);
	if (bytes > shard_shared_max(s))
		return reserve_alone(s, region, bytes, ret_segment, ret_pos, deadline);
	if (reserve_here(s, region, bytes, ret_segment, ret_pos))
		return 0;
	retire(s, region);
	err = cseg_create(s, region, segment, &g, deadline);
	if (err)
		return err;
	s->active[region] = g;
	SL_ASSERT(reserve_here(s, region, bytes, ret_segment, ret_pos));
	return 0;
}

int shard_reserve(struct shard *s, enum cache_region region, uint64_t bytes,
		  struct segment **ret_segment, uint64_t *ret_pos, int64_t deadline)
{
	uint64_t rounded = sl_round_up(bytes, s->c->super.block_size);
	uint64_t wanted = sl_max(rounded, shard_segment_bytes(s));
	int err;

	if (!s->started)
		return -EIO;
	if (rounded > shard_object_max(s))
		return -EFBIG;
	if (rounded <= shard_shared_max(s) && reserve_here(s, region, rounded, ret_segment,
							   ret_pos))
		return 0;
	err = sl_mutex_lock(&s->making, deadline);
	if (err)
		return err;
	/* Another may have made room while this one waited. */
	if (rounded <= shard_shared_max(s) && reserve_here(s, region, rounded, ret_segment,
							   ret_pos))
		goto out_unlock;
	err = shard_reclaim(s, wanted, deadline);
	if (!err)
		err = shard_reserve_now(s, region, bytes, ret_segment, ret_pos, deadline);
out_unlock:
	sl_mutex_unlock(&s->making);
	return err;
}

/* What a segment that grows may take. */
static uint64_t shard_grown_max(const struct shard *s)
{
	return s->c->device ? device_slot_bytes(s->c->device) : shard_object_max(s);
}

int shard_grow(struct segment *g, uint64_t bytes, int64_t deadline)
{
	struct shard *s = g->shard;
	int err;

	SL_ASSERT(g->solo && g->puts);
	if (!s->started)
		return -EIO;
	if (g->pos + sl_round_up(bytes, s->c->super.block_size) > shard_grown_max(s))
		return -EFBIG;
	err = sl_mutex_lock(&s->making, deadline);
	if (err)
		return err;
	if (!s->c->device) /* there the slot is there */
		err = shard_reclaim(s, bytes, deadline);
	if (!err)
		take_space(g, sl_round_up(bytes, s->c->super.block_size));
	sl_mutex_unlock(&s->making);
	return err;
}

void shard_fit(struct segment *g, uint64_t pos)
{
	struct shard *s = g->shard;
	uint64_t end = sl_round_up(pos, s->c->super.block_size);

	SL_ASSERT(g->solo && end <= g->pos);
	s->bytes -= g->pos - end;
	s3fifo_shrank(&s->fifo, g->region, (g->pos - end) / s->c->super.block_size);
	g->pos = end;
	__atomic_store_n(&s->n.bytes, s->bytes, __ATOMIC_RELAXED);
}

void shard_unpin(struct segment *g)
{
	struct shard *s = g->shard;

	SL_ASSERT(g->puts > 0);
	if (--g->puts)
		return;
	if (g->solo && !g->records)
		cseg_unlink(g, SL_NEVER);
	else if (g != s->active[g->region])
		cseg_seal(g);
}

/* ---- adding ----------------------------------------------------------------------------- */

static uint32_t expires_s(int64_t expires_ms)
{
	int64_t s = expires_ms / 1000;

	return s >= (int64_t)CACHE_EXPIRES_NEVER ? CACHE_EXPIRES_NEVER : (uint32_t)sl_max(s, 0);
}

int shard_write_head(struct segment *g, uint64_t pos, uint32_t at, const struct head *h,
		     const uint8_t *text)
{
	uint32_t block = g->shard->c->super.block_size;
	uint64_t total = sl_round_up(head_total(h), block);
	struct record r = {
		.hash = {h->hash[0], h->hash[1]},
		.version = h->version,
		.block = (uint32_t)(pos / block),
		.blocks = (uint32_t)(total / block),
		.expires_s = expires_s(h->expires_ms),
	};
	uint8_t head[HEAD_BYTES];
	struct iovec iov[2] = {{head, HEAD_BYTES}, {(void *)text, head_text_n(h)}};
	int err;

	head_encode(h, g->salt, text, head);
	err = sl_writev_all(g->file.fd, iov, 2, cseg_at(g, pos + at), SL_NEVER);
	return err ? err : cseg_record(g, &r);
}

/* Puts what is durable into the table. Return: 0; 1: a newer one is there, or it is purged. */
static int enter(struct shard *s, struct segment *g, uint64_t pos, const struct head *h,
		 const uint8_t *text, uint32_t *ret_old_flags)
{
	uint32_t block = s->c->super.block_size;
	struct cache_slot slot = {
		.version = h->version,
		.region = g->region,
		.segment = g->id,
		.block = (uint32_t)(pos / block),
		.blocks = (uint32_t)(sl_round_up(head_total(h), block) / block),
		.expires_s = expires_s(h->expires_ms),
	}, old;
	struct cache_slot *before = cache_table_find(&s->table, h->hash);
	int res;

	if (before && before->version > h->version) {
		before->flags |= SLOT_SHADOWS;
		return 1;
	}
	if (shard_bans(s, h, text))
		return 1;
	cache_slot_set_hash(&slot, h->hash);
	if (before)
		slot.flags = SLOT_SHADOWS;
	if (before && before->segment == slot.segment && before->block == slot.block)
		slot.freq = before->freq; /* the same object with another meta */
	res = cache_table_put(&s->table, &slot, &old);
	if (res < 0)
		return res;
	s3fifo_added(&s->fifo, &slot);
	if (res) {
		s3fifo_removed(&s->fifo, &old);
		*ret_old_flags = old.flags;
	} else {
		count_up(&s->n.objects, 1);
		sl_count(SL_M_CACHE_OBJECTS, 1);
	}
	return 0;
}

/*
 * The record of what could not be synced may come to be on disk or not. So that it does not come
 * back when something newer was stored and went, or was removed, the key is given up: an older
 * version too.
 */
static void give_up(struct shard *s, const struct head *h)
{
	struct forgets f = {0};

	shard_take(s, h->hash, 0, JOURNAL_GONE, &f);
	forgets_tell(&f, s->c);
	if (!journal_add(&s->journal, JOURNAL_GONE, h->hash, h->version, NULL, 0, SL_NEVER))
		journal_sync(&s->journal, SL_NEVER);
}

int shard_commit(struct shard *s, struct segment *g, uint64_t pos, const struct head *h,
		 const uint8_t *text)
{
	uint32_t old_flags = 0;
	int err = 0;

	if (CONF(s->c, durability) != SL_DURABILITY_NONE)
		err = cseg_sync(g, SL_NEVER);
	if (err) {
		give_up(s, h);
		return err;
	}
	err = enter(s, g, pos, h, text, &old_flags);
	if (err < 0)
		return err;
	if (!err)
		cache_forget(s->c, h->hash, old_flags & SLOT_SHARED);
	count_up(&s->n.stored, 1);
	count_up(&s->n.stored_bytes, h->bytes);
	sl_count(SL_M_CACHE_STORED, 1);
	sl_count(SL_M_CACHE_STORED_BYTES, h->bytes);
	return 0;
}

/* ---- bans ------------------------------------------------------------------------------- */

bool shard_bans(const struct shard *s, const struct head *h, const uint8_t *text)
{
	const uint8_t *tags = text + h->key_n;
	uint32_t at = 0, n;
	struct cache_key tag;

	if (purge_may_hit(&s->bans, PURGE_PREFIX, h->version) &&
	    purge_hits_key(&s->bans, text, h->key_n, h->version))
		return true;
	if (!purge_may_hit(&s->bans, PURGE_TAG, h->version))
		return false;
	for (; (n = tag_next(tags + at, h->tags_n - at, &tag)); at += n)
		if (purge_hits_tag(&s->bans, tag.p, tag.n, h->version))
			return true;
	return false;
}

/* ---- forgetting ------------------------------------------------------------------------- */

void forgets_add(struct forgets *f, struct cache *c, const uint64_t hash[2], uint32_t flags)
{
	uint64_t(*more)[2];

	views_forget(views_here(c), hash);
	if (!(flags & SLOT_SHARED) || f->all)
		return;
	if (f->n == f->room) {
		f->room = f->room ? 2 * f->room : 64;
		more = realloc(f->hashes, f->room * sizeof(*more));
		if (!more) {
			f->all = true;
			return;
		}
		f->hashes = more;
	}
	memcpy(f->hashes[f->n++], hash, sizeof(f->hashes[0]));
}

static int forget_here(void *arg, int64_t deadline)
{
	const struct { struct cache *c; struct forgets *f; } *a = arg;
	struct views *v = views_here(a->c);

	(void)deadline;
	for (uint32_t i = 0; i < a->f->n && !a->f->all; i++)
		views_forget(v, a->f->hashes[i]);
	if (a->f->all)
		views_forget_all(v, NULL, NULL);
	return 0;
}

void forgets_tell(struct forgets *f, struct cache *c)
{
	struct { struct cache *c; struct forgets *f; } a = {c, f};

	if (f->n || f->all)
		cache_call_others(c, forget_here, &a);
	free(f->hashes);
	*f = (struct forgets){0};
}

/* ---- taking ----------------------------------------------------------------------------- */

/* There is no memory to remember that it is gone: then it is not. */
static void put_back(struct shard *s, struct cache_slot *slot)
{
	struct cache_slot old;

	slot->freq = 0;
	if (cache_table_put(&s->table, slot, &old))
		return;
	s3fifo_added(&s->fifo, slot);
	count_up(&s->n.objects, 1);
	sl_count(SL_M_CACHE_OBJECTS, 1);
}

int shard_take(struct shard *s, const uint64_t hash[2], uint64_t version, enum journal_type type,
	       struct forgets *f)
{
	struct cache_slot *slot = cache_table_find(&s->table, hash);
	struct cache_slot copy;
	int err;

	if (!slot || (version && slot->version != version))
		return -ENOENT;
	copy = *slot;
	cache_table_del(&s->table, slot);
	forgets_add(f, s->c, hash, copy.flags);
	count_up(&s->n.objects, (uint64_t)-1);
	sl_count(SL_M_CACHE_OBJECTS, (uint64_t)-1);
	if (type)
		s3fifo_removed(&s->fifo, &copy);
	else if (!(copy.flags & SLOT_SHADOWS))
		return 0;
	err = journal_add(&s->journal, type ? type : JOURNAL_GONE, hash, copy.version, NULL, 0,
			  SL_NEVER);
	if (err)
		put_back(s, &copy);
	return err;
}

void shard_forget_all(struct shard *s)
{
	struct forgets f = {.all = true};
	uint32_t n = cache_table_count(&s->table);

	for (uint32_t i = n; i-- > 0;) {
		struct cache_slot *slot = cache_table_at(&s->table, i);

		s3fifo_removed(&s->fifo, slot);
		cache_table_del(&s->table, slot);
	}
	count_up(&s->n.objects, (uint64_t)-(int64_t)n);
	sl_count(SL_M_CACHE_OBJECTS, (uint64_t)-(int64_t)n);
	views_forget_all(views_here(s->c), NULL, NULL);
	forgets_tell(&f, s->c);
}

/* ---- finding ---------------------------------------------------------------------------- */

int shard_find(struct shard *s, const uint64_t hash[2], int64_t now_ms, struct sl_core *to,
	       struct place *ret_place)
{
	struct cache_slot *slot = cache_table_find(&s->table, hash);
	struct segment *g;
	bool again;

	/* To the second; the exact time is with the object. */
	if (!slot || !s->started || (now_ms && slot->expires_s < now_ms / 1000))
		return -ENOENT;
	g = s->segs[slot->segment];
	SL_ASSERT(g);
	again = slot->freq;
	s3fifo_hit(slot);
	if (to != s->home)
		slot->flags |= SLOT_SHARED;
	sl_file_grant(&g->file, to);
	*ret_place = (struct place){
		.file = &g->file,
		.salt = g->salt,
		.pos = cseg_block_at(g, slot->block),
		.version = slot->version,
		.blocks = slot->blocks,
		.banned_maybe = purge_may_hit(&s->bans, PURGE_PREFIX, slot->version) ||
				purge_may_hit(&s->bans, PURGE_TAG, slot->version),
		.again = again,
	};
	return 0;
}
