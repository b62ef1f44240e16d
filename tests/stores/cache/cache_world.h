/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workload on one cache with a model of what it was promised, and the check of what a cache must
 * hold after a crash or a fault: of each key the version that was acknowledged last, or one whose
 * storing (or removal) had begun since; nothing older, nothing else, nothing but whole objects; and
 * it goes on. With evictions an object may be missing, and is never an older one.
 *
 * Order of parts: the model; the workload; checks.
 */
#ifndef TESTS_STORES_CACHE_CACHE_WORLD_H
#define TESTS_STORES_CACHE_CACHE_WORLD_H

#include "cache_kit.h"

/* ---- the model ---------------------------------------------------------------------------- */

enum { KEYS = 16, GENS = 24 };

/*
 * What happened to a key, in order: storing of a generation, or (bytes 0) its removal. @body: the
 * generation whose body it has.
 */
struct event {
	uint32_t gen, body;
	uint64_t bytes;
};

struct key_model {
	struct event events[GENS];
	uint32_t n;	/* begun */
	uint32_t acked; /* events up to this one were acknowledged (0: none) */
};

/**
 * struct world - @evicts: the workload is larger than the cache. @forgets: it says of more that it
 * is gone than a device's journal has room for, so that anything may be missing. @go_on: after a
 * failed step, too.
 * @lost_max: how many keys may be missing without a reason.
 */
struct world {
	struct cache_kit k; /* first */
	struct key_model keys[KEYS];
	bool evicts, forgets, go_on;
	uint32_t lost_max;
	uint32_t writers;
	struct sl_waitq joined;
	int err;
};

/* ---- the workload ------------------------------------------------------------------------- */

/* A new disk. Its delay, cuts and faults are the caller's. */
void cache_world_init(struct world *w, uint64_t seed, bool evicts);

/* The same on a device, instead of in a folder. */
void cache_world_init_device(struct world *w, uint64_t seed, bool evicts);

/* A body for cache_kit_run(): opens, works until the first error unless @go_on, and closes. */
int cache_world_work(struct cache_kit *k);

/* Stores key @id, in an open cache. */
int cache_world_put(struct world *w, uint32_t id, uint64_t bytes, const char *tag);

/* ---- checks ------------------------------------------------------------------------------- */

/* Whether the open cache @k is as @w owes it; what is seen is owed from then on. */
void cache_world_check_open(struct cache_kit *k, struct world *w);

/* Starts the cache on @disk as it is, and checks it. @ret_wrong: what is wrong, or "". */
void cache_world_check(struct sl_sim *disk, struct world *w, char *ret_wrong, size_t len);

#endif
