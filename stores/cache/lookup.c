/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking up: from a key to an object, and from an object to parts of its body.
 *
 * Interface: cache_lookup() to cache_read() of cache.h. What this core has in memory is given out
 * at once. Anything else is asked for at its home, and loaded here; of several who ask for the same
 * object at a time one loads it. What does not verify is a miss, and is quarantined.
 *
 * Order of parts: at home; loading; looking up; parts; copies.
 */
#include "cache_pvt.h"
#include "sums.h"

/* ---- at home ---------------------------------------------------------------------------- */

struct ask {
	struct shard *s;
	const uint64_t *hash;
	int64_t now_ms;
	struct sl_core *to;
	struct place place;
	const struct view *w;
};

static int ask_place(void *arg, int64_t deadline)
{
	struct ask *a = arg;

	(void)deadline;
	return shard_find(a->s, a->hash, a->now_ms, a->to, &a->place);
}

static int ask_ban(void *arg, int64_t deadline)
{
	struct ask *a = arg;

	(void)deadline;
	return shard_bans(a->s, &a->w->head, a->w->text);
}

/* How often it was asked for is kept at home, up to a small number. */
static int ask_hit(void *arg, int64_t deadline)
{
	struct ask *a = arg;
	struct cache_slot *slot = cache_table_find(&a->s->table, a->hash);

	(void)deadline;
	if (slot)
		s3fifo_hit(slot);
	return 0;
}

struct quarantine {
	struct shard *s;
	const uint64_t *hash;
	uint64_t version;
	int err;
};

static int quarantine(void *arg, int64_t deadline)
{
	struct quarantine *q = arg;
	struct forgets f = {0};
	int err = shard_take(q->s, q->hash, q->version, JOURNAL_BAD, &f);

	if (err == -ENOENT)
		return err;
	journal_sync(&q->s->journal, deadline);
	forgets_tell(&f, q->s->c);
	count_up(&q->s->n.quarantined, 1);
	sl_count(SL_M_CACHE_QUARANTINED, 1);
	shard_event(q->s, CACHE_QUARANTINED, (int64_t)q->version, q->err);
	return 0;
}

int cache_quarantine(struct cache *c, const uint64_t hash[2], uint64_t version, int err)
{
	struct quarantine q = {cache_shard(c, hash), hash, version, err};

	return shard_call(q.s, quarantine, &q, SL_NEVER);
}

int cache_read_res(struct cache *c, const uint64_t hash[2], uint64_t version, int err)
{
	if (cache_is_damage(err))
		cache_quarantine(c, hash, version, err);
	return !err || err == -ENOMEM || err == -ETIME ? err : -EBADMSG;
}

/* ---- loading ---------------------------------------------------------------------------- */

static struct loading *loading_of(struct views *v, const uint64_t hash[2])
{
	sl_list_each(n, &v->loads) {
		struct loading *l = sl_list_entry(n, struct loading, node);

		if (l->hash[0] == hash[0] && l->hash[1] == hash[1])
			return l;
	}
	return NULL;
}

static int load_object(struct cache *c, const uint64_t hash[2], struct view **ret_view,
		       int64_t deadline)
{
	struct ask a = {.s = cache_shard(c, hash), .hash = hash, .to = sl_core_self()};
	int err = shard_call(a.s, ask_place, &a, deadline);

	if (err)
		return err;
	sl_file_held(a.place.file);
	err = view_load(c, &a.place, hash, ret_view, deadline);
	/* A newer version's head may have taken the place of this one's meanwhile. */
	if (cache_is_damage(err))
		return cache_quarantine(c, hash, a.place.version, err) == -ENOENT ? -EAGAIN
										  : -ENOENT;
	if (cache_read_res(c, hash, a.place.version, err) == -EBADMSG)
		return -ENOENT;
	if (!err)
		views_note_load(views_here(c), a.place.again);
	if (err || !a.place.banned_maybe)
		return err;
	a.w = *ret_view;
	if (shard_call(a.s, ask_ban, &a, deadline)) {
		cache_release(&(*ret_view)->o);
		return -ENOENT;
	}
	return 0;
}

/* Loads it for all who wait, unless somebody does. Return: 0; -EAGAIN: look again; -errno. */
static int load_alone(struct views *v, const uint64_t hash[2], struct view **ret_view,
		      int64_t deadline)
{
	struct loading mine = {.hash = {hash[0], hash[1]}}, *other = loading_of(v, hash);
	int err;

	if (other) {
		err = sl_waitq_wait(&other->done, deadline);
		return err ? err : -EAGAIN;
	}
	sl_list_init(&mine.node);
	sl_waitq_init(&mine.done);
	sl_list_append(&v->loads, &mine.node);
	err = load_object(v->c, hash, ret_view, deadline);
	sl_list_remove(&mine.node);
	if (!err && !mine.stale)
		views_add(v, *ret_view);
	/* Of a miss the others hear by asking themselves. */
	sl_waitq_wake_all(&mine.done, 0);
	return err;
}

/* ---- looking up ------------------------------------------------------------------------- */

static bool is_fresh(const struct view *w, uint32_t flags)
{
	return flags & CACHE_STALE || w->o.expires_ms == INT64_MAX ||
	       w->o.expires_ms > cache_now_ms();
}

static void hit(struct cache *c, struct view *w)
{
	struct ask a = {.hash = w->head.hash};
	bool here;

	if (w->hits == S3FIFO_FREQ_MAX)
		return;
	w->hits++;
	a.s = cache_shard(c, w->head.hash);
	here = a.s->home == sl_core_self();
	/* Asking twice is what makes an object stay; the rest is not worth a call each. */
	if (here)
		ask_hit(&a, 0);
	else if (w->hits == 1)
		shard_call(a.s, ask_hit, &a, SL_NEVER);
}

static int found(struct views *v, struct view *w, uint32_t flags, struct cache_object **ret_object)
{
	if (!is_fresh(w, flags)) {
		cache_release(&w->o);
		return -ENOENT;
	}
	count_up(&v->counts.hits, 1);
	sl_count(SL_M_CACHE_HITS, 1);
	*ret_object = &w->o;
	return 0;
}

/* Not in memory. */
static int look(struct views *v, const uint64_t hash[2], struct cache_key key, uint32_t flags,
		struct cache_object **ret_object, int64_t deadline)
{
	struct view *w;
	int err;

	do {
		err = load_alone(v, hash, &w, deadline);
		if (err != -EAGAIN)
			break;
		w = views_find(v, hash, key);
		if (w) {
			sl_buf_retain(&w->buf);
			err = 0;
		}
	} while (err == -EAGAIN);
	if (err)
		return err;
	if (w->head.key_n != key.n || memcmp(w->text, key.p, key.n)) {
		cache_release(&w->o);
		return -ENOENT;
	}
	return found(v, w, flags, ret_object);
}

int cache_lookup(struct cache *c, struct cache_key key, uint32_t flags,
		 struct cache_object **ret_object, int64_t deadline)
{
	struct views *v = views_here(c);
	uint64_t hash[2];
	struct view *w;
	int err;

	if (!key.n || key.n > CACHE_KEY_BYTES_MAX)
		return -ENOENT;
	cache_hash(c, key, hash);
	w = views_find(v, hash, key);
	if (w) {
		sl_buf_retain(&w->buf);
		hit(c, w);
		count_up(&v->counts.memory_hits, 1);
		sl_count(SL_M_CACHE_MEMORY_HITS, 1);
		err = found(v, w, flags, ret_object);
	} else {
		err = look(v, hash, key, flags, ret_object, deadline);
	}
	if (err == -ENOENT) {
		count_up(&v->counts.misses, 1);
		sl_count(SL_M_CACHE_MISSES, 1);
	}
	return err;
}

static struct view *view_of(const struct cache_object *o)
{
	return sl_container_of(o, struct view, o);
}

void cache_release(struct cache_object *o)
{
	if (o)
		sl_buf_release(&view_of(o)->buf);
}

uint32_t cache_tags(const struct cache_object *o, struct cache_key ret_tags[CACHE_TAGS_MAX])
{
	const struct view *w = view_of(o);
	const uint8_t *tags = w->text + w->head.key_n;
	uint32_t at = 0, n = 0, len;

	while (n < CACHE_TAGS_MAX &&
	       (len = tag_next(tags + at, w->head.tags_n - at, &ret_tags[n]))) {
		at += len;
		n++;
	}
	return n;
}

/* ---- parts ------------------------------------------------------------------------------ */

static int verified(struct view *w, int err)
{
	return cache_read_res(w->owner->c, w->head.hash, w->o.version, err);
}

static int part_of_memory(struct view *w, uint64_t off, uint64_t len, struct sl_part *ret_part)
{
	count_up(&w->owner->counts.slices, 1);
	count_up(&w->owner->counts.slice_bytes, len);
	sl_count(SL_M_CACHE_SLICES, 1);
	sl_count(SL_M_CACHE_SLICE_BYTES, len);
	sl_buf_retain(&w->buf);
	*ret_part = sl_part_slice((struct sl_slice){&w->buf, w->body + off, len});
	return 1;
}

static int parts_of_file(struct view *w, uint64_t off, uint64_t len, struct sl_part *ret_parts,
			 int64_t deadline)
{
	int n = direct_parts(w, off, len, ret_parts, deadline), err;

	if (n)
		return n < 0 ? verified(w, n) : n;
	err = verified(w, view_verify(w, off, len, deadline));
	if (err)
		return err;
	sl_file_retain(w->file);
	map_allow(w->file);
	ret_parts[0] = sl_part_extent((struct sl_extent){w->file, w->body_pos + off, len});
	count_up(&w->owner->counts.extents, 1);
	count_up(&w->owner->counts.extent_bytes, len);
	sl_count(SL_M_CACHE_EXTENTS, 1);
	sl_count(SL_M_CACHE_EXTENT_BYTES, len);
	return 1;
}

enum { COPY_BYTES = CACHE_WINDOW_BYTES / CACHE_PARTS_MAX };

/* Where extents are not wanted: copies, in memory of the core's arena. */
static int parts_of_copies(struct view *w, uint64_t off, uint64_t len, struct sl_part *ret_parts,
			   int64_t deadline)
{
	int n = 0, err = 0;

	while (len && !err) {
		size_t step = sl_min(len, (uint64_t)COPY_BYTES);
		struct sl_buf *buf = sl_buf_new(step);

		err = buf ? cache_read(&w->o, off, buf->data, step, deadline) : -ENOMEM;
		if (err) {
			sl_buf_release(buf);
			break;
		}
		ret_parts[n++] = sl_part_slice((struct sl_slice){buf, buf->data, step});
		count_up(&w->owner->counts.copies, 1);
		count_up(&w->owner->counts.copy_bytes, step);
		sl_count(SL_M_CACHE_COPIES, 1);
		sl_count(SL_M_CACHE_COPY_BYTES, step);
		off += step;
		len -= step;
	}
	for (int i = 0; i < n && err; i++)
		sl_part_release(&ret_parts[i]);
	return err ? err : n;
}

int cache_parts(struct cache_object *o, uint64_t off, uint64_t len, struct sl_part *ret_parts,
		uint32_t n, int64_t deadline)
{
	struct view *w = view_of(o);

	SL_ASSERT(off <= o->bytes && len <= o->bytes - off);
	SL_ASSERT(n >= CACHE_PARTS_MAX && len <= CACHE_WINDOW_BYTES);
	if (!len)
		return 0;
	if (w->body)
		return part_of_memory(w, off, len, ret_parts);
	if (CONF(w->owner->c, sendfile))
		return parts_of_file(w, off, len, ret_parts, deadline);
	return parts_of_copies(w, off, len, ret_parts, deadline);
}

/* ---- copies ----------------------------------------------------------------------------- */

/* The part of block @b that [@off, @off + @len) wants, by way of @scratch if it is not all. */
static int read_block(struct view *w, uint64_t b, uint64_t off, uint64_t len, uint8_t *dst,
		      uint8_t *scratch, int64_t deadline)
{
	uint64_t at = b * BODY_BLOCK_BYTES, n = sl_min(w->o.bytes - at, BODY_BLOCK_BYTES);
	uint64_t from = sl_max(at, off), to = sl_min(at + n, off + len);
	uint8_t *into = from == at && to == at + n ? dst + (at - off) : scratch;
	int err = sl_read_all(w->file->fd, into, n, w->body_pos + at, deadline);

	if (!err && XXH3_64bits(into, n) != w->sums[b])
		err = -EBADMSG;
	if (!err && into == scratch)
		memcpy(dst + (from - off), scratch + (from - at), to - from);
	return err;
}

int cache_read(struct cache_object *o, uint64_t off, void *dst, size_t len, int64_t deadline)
{
	struct view *w = view_of(o);
	struct sl_buf *scratch;
	int err = 0;

	SL_ASSERT(off <= o->bytes && len <= o->bytes - off);
	if (w->body) {
		memcpy(dst, w->body + off, len);
		return 0;
	}
	scratch = sl_buf_new(BODY_BLOCK_BYTES);
	if (!scratch)
		return -ENOMEM;
	for (uint64_t b = off / BODY_BLOCK_BYTES; b * BODY_BLOCK_BYTES < off + len && !err; b++)
		err = read_block(w, b, off, len, dst, scratch->data, deadline);
	sl_buf_release(scratch);
	return verified(w, err);
}
