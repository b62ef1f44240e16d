/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsluice's cache: storing.
 *
 * Interface: "storing" of <sluice/cache.h>. What is said about a put is gathered until its first
 * bytes come; the store is told of it then.
 *
 * Order of parts: what is said; bytes; as a whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib_pvt.h"

/**
 * struct sl_cache_put - @key, @meta, @tags: copies. @conf: points at meta and tags. @put: the
 * store's, once the first bytes came. @err: why nothing can be written any more.
 */
struct sl_cache_put {
	struct sl_cache *cache;
	struct cache_key key;
	struct cache_put_conf conf;
	struct cache_key tags[CACHE_TAGS_MAX];
	struct cache_put *put;
	int err;
};

static_assert(SL_CACHE_KEY_BYTES_MAX == CACHE_KEY_BYTES_MAX, "as the header says");
static_assert(SL_CACHE_META_BYTES_MAX == CACHE_META_BYTES_MAX, "as the header says");
static_assert(SL_CACHE_TAGS_MAX == CACHE_TAGS_MAX, "as the header says");
static_assert(SL_CACHE_TAG_BYTES_MAX == CACHE_TAG_BYTES_MAX, "as the header says");

/* ---- what is said ----------------------------------------------------------------------- */

static void *copy_of(const void *p, size_t n)
{
	void *copy = malloc(n ? n : 1);

	if (copy && n)
		memcpy(copy, p, n);
	return copy;
}

static void put_free(struct sl_cache_put *p)
{
	for (uint32_t i = 0; i < p->conf.tags_n; i++)
		free((void *)p->tags[i].p);
	free((void *)p->conf.meta);
	free((void *)p->key.p);
	free(p);
}

int sl_cache_put_begin(struct sl_cache *c, const void *key, size_t key_n,
		       struct sl_cache_put **ret_put)
{
	struct sl_cache_put *p;

	if (!key_n || key_n > CACHE_KEY_BYTES_MAX)
		return -EMSGSIZE;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->cache = c;
	p->key = (struct cache_key){copy_of(key, key_n), key_n};
	p->conf.bytes = CACHE_BYTES_UNKNOWN;
	p->conf.tags = p->tags;
	if (!p->key.p) {
		put_free(p);
		return -ENOMEM;
	}
	*ret_put = p;
	return 0;
}

int sl_cache_put_bytes(struct sl_cache_put *p, uint64_t bytes)
{
	if (p->put)
		return -EBUSY;
	p->conf.bytes = bytes;
	return 0;
}

/* The store takes a time, or that there is none, or 0: as its setting says. */
static int64_t expiry(int64_t ttl_ms)
{
	int64_t now = sl_wall_clock_ns() / SL_MSEC;

	if (ttl_ms == SL_CACHE_TTL_DEFAULT)
		return 0;
	return ttl_ms > INT64_MAX - now ? INT64_MAX : now + ttl_ms;
}

int sl_cache_put_ttl(struct sl_cache_put *p, int64_t ttl_ms)
{
	if (p->put)
		return -EBUSY;
	if (ttl_ms < 0)
		return -EINVAL;
	p->conf.expires_ms = expiry(ttl_ms);
	return 0;
}

int sl_cache_put_meta(struct sl_cache_put *p, const void *meta, size_t n)
{
	void *copy;

	if (p->put)
		return -EBUSY;
	if (n > CACHE_META_BYTES_MAX)
		return -EMSGSIZE;
	copy = copy_of(meta, n);
	if (!copy)
		return -ENOMEM;
	free((void *)p->conf.meta);
	p->conf.meta = copy;
	p->conf.meta_bytes = (uint32_t)n;
	return 0;
}

int sl_cache_put_tag(struct sl_cache_put *p, const void *tag, size_t n)
{
	void *copy;

	if (p->put)
		return -EBUSY;
	if (!n || n > CACHE_TAG_BYTES_MAX || p->conf.tags_n == CACHE_TAGS_MAX)
		return -EMSGSIZE;
	copy = copy_of(tag, n);
	if (!copy)
		return -ENOMEM;
	p->tags[p->conf.tags_n++] = (struct cache_key){copy, n};
	return 0;
}

/* ---- bytes ------------------------------------------------------------------------------ */

static int begin(struct sl_cache_put *p)
{
	if (p->put || p->err)
		return p->err;
	return cache_put_begin(p->cache->cache, p->key, &p->conf, &p->put, SL_NEVER);
}

int sl_cache_put_write(struct sl_cache_put *p, const void *data, size_t n)
{
	int err;

	sl_turns_enter(p->cache->turns);
	err = begin(p);
	if (!err)
		err = cache_put_write(p->put, data, n, SL_NEVER);
	sl_turns_leave(p->cache->turns);
	p->err = err;
	return err;
}

int sl_cache_put_commit(struct sl_cache_put *p)
{
	int err;

	sl_turns_enter(p->cache->turns);
	err = begin(p);
	if (!err)
		err = cache_put_commit(p->put, SL_NEVER);
	else
		cache_put_abort(p->put);
	sl_turns_leave(p->cache->turns);
	put_free(p);
	return err;
}

void sl_cache_put_abort(struct sl_cache_put *p)
{
	if (!p)
		return;
	sl_turns_enter(p->cache->turns);
	cache_put_abort(p->put);
	sl_turns_leave(p->cache->turns);
	put_free(p);
}

/* ---- as a whole ------------------------------------------------------------------------- */

int sl_cache_put(struct sl_cache *c, const void *key, size_t key_n, const void *data, size_t n,
		 int64_t ttl_ms)
{
	struct cache_put_conf conf = {.bytes = n};
	struct cache_put *put;
	int err;

	if (ttl_ms < 0)
		return -EINVAL;
	conf.expires_ms = expiry(ttl_ms);
	sl_turns_enter(c->turns);
	err = cache_put_begin(c->cache, key_of(key, key_n), &conf, &put, SL_NEVER);
	if (err)
		goto out;
	err = cache_put_write(put, data, n, SL_NEVER);
	if (err)
		cache_put_abort(put);
	else
		err = cache_put_commit(put, SL_NEVER);
out:
	sl_turns_leave(c->turns);
	return err;
}
