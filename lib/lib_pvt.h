/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of libsluice share. */
#ifndef LIB_LIB_PVT_H
#define LIB_LIB_PVT_H

#include <sluice/cache.h>

#include "stores/cache/cache.h"

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

/* @settings over the defaults; outputs as of sl_cache_open(). */
int settings_read(const char *settings, struct cache_conf *ret_conf, char *why, size_t why_len);

static inline struct cache_key key_of(const void *p, size_t n)
{
	return (struct cache_key){.p = n ? p : "", .n = n};
}

#endif
