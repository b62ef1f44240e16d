/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsluice's cache: opening and closing, removing, watching.
 *
 * Interface: those parts of <sluice/cache.h>. Below is stores/cache, which is written for the
 * fibers of a core; here it has no core, and the program's threads take turns in it
 * (dataplane/turns.c). So a call is: have a turn, make the store's call, leave.
 *
 * Order of parts: the cache; removing; watching.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib_pvt.h"

/* ---- the cache -------------------------------------------------------------------------- */

static void cache_gone(struct sl_cache *c)
{
	cache_free(c->cache);
	sl_turns_free(c->turns);
	free(c->path);
	free(c);
}

/* Takes the folder, and finds what is in it. */
static int begin(struct sl_cache *c, char *why, size_t why_len)
{
	char text[512] = "";
	int err;

	c->conf.path = c->path;
	sl_turns_enter(c->turns);
	err = cache_open(0, &c->conf, &c->cache, text, sizeof(text), SL_NEVER);
	if (!err)
		err = cache_start(c->cache, SL_NEVER);
	sl_turns_leave(c->turns);
	if (err)
		say(why, why_len, text);
	return err;
}

int sl_cache_open(const char *path, const char *settings, struct sl_cache **ret_cache, char *why,
		  size_t why_len)
{
	struct sl_cache *c = calloc(1, sizeof(*c));
	int err;

	say(why, why_len, "");
	if (!c)
		return -ENOMEM;
	err = settings_read(settings, &c->conf, why, why_len);
	if (err)
		goto out;
	c->path = strdup(path);
	err = c->path ? sl_turns_new(&c->turns) : -ENOMEM;
	if (!err)
		err = begin(c, why, why_len);
	if (!err) {
		*ret_cache = c;
		return 0;
	}
out:
	if (why && why_len && !why[0])
		say(why, why_len, strerror(-err));
	cache_gone(c);
	return err;
}

int sl_cache_configure(struct sl_cache *c, const char *settings, char *why, size_t why_len)
{
	struct cache_conf conf;
	int err;

	say(why, why_len, "");
	err = settings_read(settings, &conf, why, why_len);
	if (err)
		return err;
	sl_turns_enter(c->turns);
	cache_configure(c->cache, &conf);
	err = cache_trim(c->cache, SL_NEVER);
	sl_turns_leave(c->turns);
	return err;
}

void sl_cache_close(struct sl_cache *c)
{
	if (!c)
		return;
	sl_turns_enter(c->turns);
	cache_stop(c->cache, SL_NEVER);
	sl_turns_leave(c->turns);
	cache_gone(c);
}

/* ---- removing --------------------------------------------------------------------------- */

static int in_turn(struct sl_cache *c,
		   int (*fn)(struct cache *c, struct cache_key key, int64_t deadline),
		   const void *text, size_t n)
{
	int err;

	sl_turns_enter(c->turns);
	err = fn(c->cache, key_of(text, n), SL_NEVER);
	sl_turns_leave(c->turns);
	return err;
}

int sl_cache_remove(struct sl_cache *c, const void *key, size_t key_n)
{
	return in_turn(c, cache_remove, key, key_n);
}

int sl_cache_purge_prefix(struct sl_cache *c, const void *prefix, size_t n)
{
	return in_turn(c, cache_purge_prefix, prefix, n);
}

int sl_cache_purge_tag(struct sl_cache *c, const void *tag, size_t n)
{
	return in_turn(c, cache_purge_tag, tag, n);
}

/* ---- watching --------------------------------------------------------------------------- */

/* In the order of the manual page. */
#define FIGURE(field) {#field, offsetof(struct cache_stat, field)}
static const struct {
	const char *name;
	size_t offset;
} figures[] = {
	FIGURE(objects),	FIGURE(bytes),		 FIGURE(max_bytes),    FIGURE(segments),
	FIGURE(memory_objects), FIGURE(memory_bytes),	 FIGURE(hits),	       FIGURE(memory_hits),
	FIGURE(misses),		FIGURE(stored),		 FIGURE(stored_bytes), FIGURE(evicted),
	FIGURE(carried),	FIGURE(removed),	 FIGURE(quarantined),  FIGURE(mapped),
	FIGURE(mapped_bytes),	FIGURE(mapped_refused),	 FIGURE(mapped_unreadable),
	FIGURE(extents),	FIGURE(extent_bytes),	 FIGURE(slices),
	FIGURE(slice_bytes),	FIGURE(direct),		 FIGURE(direct_bytes),
	FIGURE(direct_refused), FIGURE(direct_no_memory), FIGURE(copies),
	FIGURE(copy_bytes),	FIGURE(refused),	 FIGURE(verified_blocks),
	FIGURE(whole_bytes),
};
#undef FIGURE

static_assert(SL_ARRAY_SIZE(figures) == sizeof(struct cache_stat) / sizeof(uint64_t),
	      "each figure of the store has its row");

void sl_cache_stat(struct sl_cache *c, void (*each)(void *arg, const char *name, uint64_t value),
		   void *arg)
{
	struct cache_stat st;

	sl_turns_enter(c->turns);
	cache_stat(c->cache, &st);
	sl_turns_leave(c->turns);
	for (size_t i = 0; i < SL_ARRAY_SIZE(figures); i++) {
		uint64_t value;

		memcpy(&value, (const char *)&st + figures[i].offset, sizeof(value));
		each(arg, figures[i].name, value);
	}
}

int64_t sl_cache_verify(struct sl_cache *c, uint64_t *ret_objects, uint64_t *ret_bytes)
{
	struct cache_verify v;
	int err;

	sl_turns_enter(c->turns);
	err = cache_verify(c->cache, &v, SL_NEVER);
	sl_turns_leave(c->turns);
	if (err)
		return err;
	if (ret_objects)
		*ret_objects = v.objects;
	if (ret_bytes)
		*ret_bytes = v.bytes;
	return (int64_t)v.bad;
}
