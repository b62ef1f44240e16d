/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache as a whole: its cores, and what concerns all of its shards.
 *
 * Interface: cache_open() to cache_free(), removing and watching of cache.h.
 *
 * Order of parts: keys and calls; opening; starting and stopping; removing; figures.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "cache_pvt.h"

/* ---- keys and calls --------------------------------------------------------------------- */

void cache_hash(const struct cache *c, struct cache_key key, uint64_t ret_hash[2])
{
	XXH128_hash_t h = XXH3_128bits_withSeed(key.p, key.n, c->super.seed);

	ret_hash[0] = h.low64;
	ret_hash[1] = h.high64;
}

/* Bits that the table has no use for. */
struct shard *cache_shard(struct cache *c, const uint64_t hash[2])
{
	return &c->shards[hash[1] >> 56 & (c->super.shards - 1)];
}

int64_t cache_now_ms(void)
{
	return sl_wall_clock_ns() / SL_MSEC;
}

static struct sl_core *home_of(const struct cache *c, uint32_t shard)
{
	struct sl_core *self = sl_core_self();

	return self ? sl_cores_at(sl_core_cores(self), shard % c->cores_n) : NULL;
}

int shard_call(struct shard *s, int (*fn)(void *arg, int64_t deadline), void *arg,
	       int64_t deadline)
{
	struct sl_core *home = home_of(s->c, s->id);

	return home == sl_core_self() ? fn(arg, deadline) : sl_call(home, fn, arg, deadline);
}

void cache_call_others(struct cache *c, int (*fn)(void *arg, int64_t deadline), void *arg)
{
	struct sl_core *self = sl_core_self();

	for (uint32_t i = 0; self && i < c->cores_n; i++)
		/* What must be told is told, however long memory for it is missing. */
		while (i != sl_core_id(self) &&
		       sl_call(sl_cores_at(sl_core_cores(self), i), fn, arg, SL_NEVER))
			sl_sleep(sl_now() + SL_MSEC);
}

void cache_forget(struct cache *c, const uint64_t hash[2], bool shared)
{
	struct forgets f = {0};

	forgets_add(&f, c, hash, shared ? SLOT_SHARED : 0);
	forgets_tell(&f, c);
}

/* ---- opening ---------------------------------------------------------------------------- */

/*
 * More shards spread over more cores, fewer take larger objects (shard_object_max()): with two an
 * object may be a quarter of the cache, with one it may where there is little space. There are more
 * where each still takes what hardly anybody stores as one object.
 */
#define SHARD_BYTES_MIN (128 * SL_MIB)
#define SHARD_BYTES_AMPLE (64 * SL_GIB)

uint32_t cache_shards_for(uint64_t max_bytes)
{
	uint32_t n = max_bytes / 2 >= SHARD_BYTES_MIN ? 2 : 1;

	while (n < CACHE_SHARDS_MAX && max_bytes / (2 * n) >= SHARD_BYTES_AMPLE)
		n *= 2;
	return n;
}

static void set_defaults(struct cache_conf *conf)
{
	if (!conf->block_size)
		conf->block_size = 4096;
	if (!conf->mmap_threshold)
		conf->mmap_threshold = 64 * SL_KIB;
	if (!conf->memory_bytes)
		conf->memory_bytes = 128 * SL_MIB;
}

/* A device ends somewhere. */
static uint64_t max_bytes(const struct cache *c, uint64_t wanted)
{
	uint64_t end = c->device ? device_bytes(c->device) : UINT64_MAX;

	if (!wanted)
		wanted = c->medium == &medium_device ? end : CACHE_BYTES_DEFAULT;
	return sl_min(sl_max(wanted, CACHE_BYTES_MIN), end);
}

static int choose_medium(struct cache *c, int64_t deadline)
{
	struct statx stx;
	int err = sl_stat(c->conf.dir, c->path, &stx, deadline);

	c->medium = !err && !S_ISDIR(stx.stx_mode) ? &medium_device : &medium_folder;
	c->conf.max_bytes = max_bytes(c, c->conf.max_bytes);
	return err == -ENOENT ? 0 : err;
}

/* Of a device. */
static const char *device_cure(int err)
{
	switch (err) {
	case -EBUSY:
		return "it is in use: mounted, or of another process";
	case -EMEDIUMTYPE:
		return "there is no cache on it yet; sluice cache format prepares it";
	case -ERANGE:
		return "it is smaller than it was; sluice cache format --force makes it anew";
	case -ENOTBLK:
		return "neither a folder nor a block device nor a plain file";
	case -EPROTONOSUPPORT:
		return "made by a newer sluice; use that one, or sluice cache format --force";
	case -EACCES:
	case -EPERM:
		return "this user may not write to it; give it to node.user (docs/cache.md)";
	default:
		return strerror(-err);
	}
}

static void explain(const struct cache *c, int err, char *why, size_t why_len)
{
	const char *cure = strerror(-err);

	if (c->medium == &medium_device)
		cure = device_cure(err);
	else if (err == -EBUSY)
		cure = "another process uses it; give each its own folder";
	else if (err == -EPROTONOSUPPORT)
		cure = "made by a newer sluice; use that one, or remove the folder";
	else if (err == -ENOENT || err == -ENOTDIR)
		cure = "there is no such folder to make it in; make that first";
	else if (err == -EACCES || err == -EPERM)
		cure = "this user may not write there; give the folder to node.user";
	snprintf(why, why_len, "cache.path = %s: %s", c->path, cure);
}

static int make_parts(struct cache *c)
{
	int err = 0;

	c->views = aligned_alloc(_Alignof(struct views), c->cores_n * sizeof(*c->views));
	c->shards = aligned_alloc(_Alignof(struct shard), c->super.shards * sizeof(*c->shards));
	if (!c->views || !c->shards)
		return -ENOMEM;
	memset(c->views, 0, c->cores_n * sizeof(*c->views));
	for (uint32_t i = 0; i < c->super.shards; i++)
		err |= shard_init(&c->shards[i], c, i);
	for (uint32_t i = 0; i < c->cores_n; i++)
		err |= views_init(&c->views[i], c);
	return err ? -ENOMEM : 0;
}

int cache_open(uint32_t cores, const struct cache_conf *conf, struct cache **ret_cache, char *why,
	       size_t why_len, int64_t deadline)
{
	struct cache *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->conf = *conf;
	set_defaults(&c->conf);
	c->cores_n = sl_max(cores, 1u);
	c->dir = c->lock_fd = -1;
	c->path = strdup(conf->path);
	c->medium = &medium_folder;
	err = c->path ? choose_medium(c, deadline) : -ENOMEM;
	if (!err)
		err = c->medium->open(c, deadline);
	c->conf.max_bytes = max_bytes(c, c->conf.max_bytes);
	if (!err)
		err = make_parts(c);
	if (err) {
		explain(c, err, why, why_len);
		cache_free(c);
		return err;
	}
	*ret_cache = c;
	return 0;
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	for (uint32_t i = 0; c->shards && i < c->super.shards; i++)
		shard_done(&c->shards[i]);
	for (uint32_t i = 0; c->views && i < c->cores_n; i++)
		views_done(&c->views[i]);
	free(c->shards);
	free(c->views);
	c->medium->close(c);
	free(c->path);
	free(c);
}

/* ---- starting and stopping -------------------------------------------------------------- */

static bool is_here(const struct cache *c, uint32_t shard)
{
	struct sl_core *self = sl_core_self();

	return !self || shard % c->cores_n == sl_core_id(self);
}

int cache_start(struct cache *c, int64_t deadline)
{
	struct shard *here[CACHE_SHARDS_MAX];
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->super.shards; i++) {
		if (!is_here(c, i))
			continue;
		here[n++] = &c->shards[i];
		shard_recover(&c->shards[i], deadline);
	}
	recover_sync(here, n);
	scrub_start(views_here(c));
	return 0;
}

#define TAKE(c, from, field) __atomic_store_n(&(c)->conf.field, (from)->field, __ATOMIC_RELAXED)

void cache_configure(struct cache *c, const struct cache_conf *conf)
{
	struct cache_conf new = *conf;

	set_defaults(&new);
	new.max_bytes = max_bytes(c, new.max_bytes);
	TAKE(c, &new, max_bytes);
	TAKE(c, &new, object_max_bytes);
	TAKE(c, &new, admission);
	TAKE(c, &new, ttl_ns);
	TAKE(c, &new, mmap_threshold);
	TAKE(c, &new, sendfile);
	TAKE(c, &new, direct);
	TAKE(c, &new, memory_bytes);
	TAKE(c, &new, scrub_bytes_per_s);
	TAKE(c, &new, scrub_rest_ns);
}

int cache_trim(struct cache *c, int64_t deadline)
{
	int first = 0;

	for (uint32_t i = 0; i < c->super.shards; i++) {
		int err = is_here(c, i) ? shard_trim(&c->shards[i], deadline) : 0;

		first = first ? first : err;
	}
	return first;
}

void cache_stop(struct cache *c, int64_t deadline)
{
	(void)deadline;
	views_stop(views_here(c));
	scrub_stop(views_here(c));
	for (uint32_t i = 0; i < c->super.shards; i++)
		if (is_here(c, i))
			shard_stop(&c->shards[i]);
}

/* ---- removing --------------------------------------------------------------------------- */

struct removal {
	struct shard *s;
	uint64_t hash[2];
	struct cache_key key;
	enum purge_kind kind;
};

static int remove_object(void *arg, int64_t deadline)
{
	struct removal *r = arg;
	struct forgets f = {0};
	int err = shard_take(r->s, r->hash, 0, JOURNAL_GONE, &f);

	if (err == -ENOENT)
		return err;
	forgets_tell(&f, r->s->c);
	if (!err)
		err = journal_sync(&r->s->journal, deadline);
	count_up(&r->s->n.removed, 1);
	return err;
}

int cache_remove(struct cache *c, struct cache_key key, int64_t deadline)
{
	struct removal r;

	if (!key.n || key.n > CACHE_KEY_BYTES_MAX)
		return -ENOENT;
	cache_hash(c, key, r.hash);
	r.s = cache_shard(c, r.hash);
	return shard_call(r.s, remove_object, &r, deadline);
}

static int ban(void *arg, int64_t deadline)
{
	struct removal *r = arg;
	struct shard *s = r->s;
	bool prefix = r->kind == PURGE_PREFIX;
	/* Of what is being stored at this moment, too. */
	uint64_t below = s->last_version + 1;
	int err = purge_add(&s->bans, r->kind, r->key.p, r->key.n, below);

	if (!err)
		err = journal_add(&s->journal, prefix ? JOURNAL_PREFIX : JOURNAL_TAG, NULL, below,
				  r->key.p, (uint32_t)r->key.n, deadline);
	if (!err)
		err = journal_sync(&s->journal, deadline);
	return err;
}

static bool is_banned(const struct view *w, const void *arg)
{
	const struct removal *r = arg;
	const uint8_t *tags = w->text + w->head.key_n;
	uint32_t at = 0, n;
	struct cache_key tag;

	if (r->kind == PURGE_PREFIX)
		return w->head.key_n >= r->key.n && !memcmp(w->text, r->key.p, r->key.n);
	for (; (n = tag_next(tags + at, w->head.tags_n - at, &tag)); at += n)
		if (tag.n == r->key.n && !memcmp(tag.p, r->key.p, tag.n))
			return true;
	return false;
}

static int forget_banned(void *arg, int64_t deadline)
{
	struct removal *r = arg;

	(void)deadline;
	views_forget_all(views_here(r->s->c), is_banned, r);
	return 0;
}

static int purge(struct cache *c, struct removal *r, int64_t deadline)
{
	int first = 0;

	for (uint32_t i = 0; i < c->super.shards; i++) {
		int err;

		r->s = &c->shards[i];
		err = shard_call(r->s, ban, r, deadline);
		first = first ? first : err;
	}
	forget_banned(r, deadline);
	cache_call_others(c, forget_banned, r);
	return first;
}

int cache_purge_prefix(struct cache *c, struct cache_key prefix, int64_t deadline)
{
	struct removal r = {.key = prefix, .kind = PURGE_PREFIX};

	return prefix.n > CACHE_KEY_BYTES_MAX ? 0 : purge(c, &r, deadline);
}

int cache_purge_tag(struct cache *c, struct cache_key tag, int64_t deadline)
{
	struct removal r = {.key = tag, .kind = PURGE_TAG};

	return !tag.n || tag.n > CACHE_TAG_BYTES_MAX ? 0 : purge(c, &r, deadline);
}

/* ---- figures ---------------------------------------------------------------------------- */

#define ADD(to, from, field) ((to)->field += __atomic_load_n(&(from)->field, __ATOMIC_RELAXED))

static void add_counts(struct cache_stat *st, const struct counts *n)
{
	ADD(st, n, objects);
	ADD(st, n, bytes);
	ADD(st, n, segments);
	ADD(st, n, memory_objects);
	ADD(st, n, memory_bytes);
	ADD(st, n, hits);
	ADD(st, n, memory_hits);
	ADD(st, n, misses);
	ADD(st, n, stored);
	ADD(st, n, stored_bytes);
	ADD(st, n, refused);
	ADD(st, n, evicted);
	ADD(st, n, carried);
	ADD(st, n, removed);
	ADD(st, n, quarantined);
	ADD(st, n, extents);
	ADD(st, n, extent_bytes);
	ADD(st, n, slices);
	ADD(st, n, slice_bytes);
	ADD(st, n, mapped);
	ADD(st, n, mapped_bytes);
	ADD(st, n, mapped_refused);
	ADD(st, n, mapped_unreadable);
	ADD(st, n, direct);
	ADD(st, n, direct_bytes);
	ADD(st, n, direct_refused);
	ADD(st, n, direct_no_memory);
	ADD(st, n, copies);
	ADD(st, n, copy_bytes);
	ADD(st, n, verified_blocks);
}

void cache_stat(const struct cache *c, struct cache_stat *ret_stat)
{
	*ret_stat = (struct cache_stat){.max_bytes = CONF(c, max_bytes)};
	for (uint32_t i = 0; i < c->super.shards; i++)
		add_counts(ret_stat, &c->shards[i].n);
	ret_stat->whole_bytes = UINT64_MAX;
	for (uint32_t i = 0; i < c->cores_n; i++) {
		uint64_t whole = views_threshold(&c->views[i]);

		add_counts(ret_stat, &c->views[i].counts);
		ret_stat->whole_bytes = sl_min(ret_stat->whole_bytes, whole);
	}
}
