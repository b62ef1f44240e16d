/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Updates: other meta and another time for an object, whose body stays as it is.
 *
 * Interface: cache_update(). Where the object's block has a place for a second head that is where
 * the new one goes; otherwise the object is stored again, by a put.
 *
 * Order of parts: in place; by a copy; the call.
 */
#include "cache_pvt.h"

/* ---- in place --------------------------------------------------------------------------- */

/* A new head for the object of @w, whose body stays where it is. */
struct update {
	struct shard *s;
	const struct view *w;
	struct head head;
	const uint8_t *text;
};

/* Whether it is still where @w was loaded from, and its segment takes another record. */
static bool is_in_place(const struct update *u, const struct segment *g,
			const struct cache_slot *slot)
{
	uint64_t at = u->w->body_pos - u->w->head.body_at;

	return slot->segment == g->id && cseg_block_at(g, slot->block) == at && !g->leaving &&
	       !g->unlinked && !g->err && g->records + g->puts < g->index_max;
}

static int write_update(struct update *u, struct segment *g)
{
	const struct view *w = u->w;
	uint64_t pos = w->body_pos - w->head.body_at - g->seat.base;
	uint32_t half = u->s->c->super.block_size / 2;
	int err;

	g->puts++;
	u->s->commits++;
	u->head.version = shard_next_version(u->s);
	err = cseg_unseal(g);
	if (!err)
		err = shard_write_head(g, pos, w->head_at ? 0 : half, &u->head, u->text);
	if (!err)
		err = shard_commit(u->s, g, pos, &u->head, u->text);
	u->s->commits--;
	shard_unpin(g);
	return err;
}

/* Return: as cache_update(); -EXDEV: it has to be written elsewhere. */
static int update_head(void *arg, int64_t deadline)
{
	struct update *u = arg;
	struct segment *g = sl_container_of(u->w->file, struct segment, file);
	const struct cache_slot *slot;
	int err = sl_mutex_lock(&u->s->updating, deadline);

	if (err)
		return err;
	slot = cache_table_find(&u->s->table, u->w->head.hash);
	if (!slot)
		err = -ENOENT;
	else if (slot->version != u->w->o.version)
		err = -ESTALE;
	else if (!is_in_place(u, g, slot))
		err = -EXDEV;
	else
		err = write_update(u, g);
	sl_mutex_unlock(&u->s->updating);
	return err;
}

/* The same beside the old head, where there is a place for it. */
static int update_in_place(struct cache *c, struct cache_object *o, struct cache_key key,
			   const struct cache_put_conf *conf, int64_t deadline)
{
	struct view *w = sl_container_of(o, struct view, o);
	struct update u = {.s = cache_shard(c, w->head.hash), .w = w, .head = w->head};
	uint8_t *text;
	int err;

	u.head.meta_n = conf->meta_bytes;
	u.head.expires_ms = put_expiry(c, conf->expires_ms);
	u.head.stored_ms = cache_now_ms();
	if (w->body || conf->meta_bytes > CACHE_META_BYTES_MAX ||
	    !head_has_other(&w->head, c->super.block_size) ||
	    !head_has_other(&u.head, c->super.block_size))
		return -EXDEV;
	text = malloc(head_text_n(&u.head));
	if (!text)
		return -ENOMEM;
	put_write_text(text, key, conf);
	u.text = text;
	err = shard_call(u.s, update_head, &u, deadline);
	free(text);
	return err;
}

/* ---- by a copy -------------------------------------------------------------------------- */

static int copy_body(struct cache_object *o, struct cache_put *p, int64_t deadline)
{
	uint64_t at = 0;
	int err = 0;

	while (at < o->bytes && !err) {
		void *room;
		size_t n;

		err = cache_put_room(p, &room, &n, deadline);
		if (!err)
			err = cache_read(o, at, room, n, deadline);
		if (!err)
			err = cache_put_took(p, n, deadline);
		at += n;
	}
	return err;
}

static int update_by_copy(struct cache *c, struct cache_object *o, struct cache_key key,
			  const struct cache_put_conf *conf, int64_t deadline)
{
	struct cache_put *p;
	int err = cache_put_begin(c, key, conf, &p, deadline);

	if (err)
		return err;
	put_replaces(p, o->version);
	err = copy_body(o, p, deadline);
	if (!err)
		return cache_put_commit(p, deadline);
	cache_put_abort(p);
	return err;
}

/* ---- the call --------------------------------------------------------------------------- */

int cache_update(struct cache *c, struct cache_key key, uint64_t version, const void *meta,
		 uint32_t meta_bytes, int64_t expires_ms, int64_t deadline)
{
	struct cache_key tags[CACHE_TAGS_MAX];
	struct cache_put_conf conf = {.meta = meta, .meta_bytes = meta_bytes, .tags = tags,
				      .expires_ms = expires_ms};
	struct cache_object *o;
	int err = cache_lookup(c, key, CACHE_STALE, &o, deadline);

	if (err)
		return err;
	if (o->version != version) {
		cache_release(o);
		return -ESTALE;
	}
	conf.bytes = o->bytes;
	conf.tags_n = cache_tags(o, tags);
	err = update_in_place(c, o, key, &conf, deadline);
	if (err == -EXDEV)
		err = update_by_copy(c, o, key, &conf, deadline);
	cache_release(o);
	return err;
}
