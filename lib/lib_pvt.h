/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of libsluice share. */
#ifndef LIB_LIB_PVT_H
#define LIB_LIB_PVT_H

#include <stdio.h>
#include <string.h>

#include <sluice/cache.h>
#include <sluice/objects.h>

#include "stores/cache/cache.h"
#include "stores/objects/objects.h"

/* ---- the cache -------------------------------------------------------------------------- */

/**
 * struct sl_cache - a cache without cores: the threads that call take turns in it.
 * @path: its folder, as the caller named it; @conf points there.
 */
struct sl_cache {
	struct sl_turns *turns;
	struct cache *cache;
	struct cache_conf conf;
	char *path;
};

struct sl_cache_object {
	struct sl_cache *cache;
	struct cache_object *o;
};

static inline struct cache_key key_of(const void *p, size_t n)
{
	return (struct cache_key){.p = n ? p : "", .n = n};
}

/* ---- objects ---------------------------------------------------------------------------- */

/* What sl_objects_stat() tells of, but the collections. */
struct objects_figures {
	uint64_t skipped, failed, lost, rebuilt, checkpoints_failed, compacted, compacted_bytes;
	uint64_t torn_bytes, quarantined, logs_failed, full;
};

/**
 * struct sl_objects - a store without cores: the threads that call take turns in it.
 * @refused: 0, or why nothing can be written. @n: in a turn.
 */
struct sl_objects {
	struct sl_turns *turns;
	struct objects *objects;
	struct sl_datadir datadir;
	int refused;
	struct objects_figures n;
};

/* read.c: takes over what @hits hold, @n of them; without memory for that nothing of it stays.
 * Return: 0; -ENOMEM. */
int hits_out(struct objects_hit *hits, uint32_t n, struct sl_objects_hit *ret_hits);

/* The same for hits on the heap, which are freed. */
int hits_out_new(struct objects_hit *hits, uint32_t n, struct sl_objects_hit **ret_hits);

/* ---- buffers ---------------------------------------------------------------------------- */

/* buffer.c: @bytes at @data, which @gone(@arg) gives back with the last reference. 0; -ENOMEM. */
int buffer_of(void *data, size_t bytes, void (*gone)(void *arg), void *arg,
	      struct sl_buffer **ret_buffer);

/* ---- settings --------------------------------------------------------------------------- */

/* settings.c: @settings over the defaults. On failure the first mistake in @why; NULL, 0: not
 * wanted. Return: 0; -EINVAL; -ENOMEM. */
int settings_read(const char *settings, struct cache_conf *ret_conf, char *why, size_t why_len);
int objects_settings_read(const char *settings, struct objects_store_conf *ret_conf, char *why,
			  size_t why_len);

/* Why a call failed, in one line, where the caller wants it. */
static inline void say(char *why, size_t why_len, const char *text)
{
	if (why && why_len)
		snprintf(why, why_len, "%s", text);
}

#endif
