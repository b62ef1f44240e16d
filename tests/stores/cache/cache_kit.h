/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of stores/cache share: a cache on a simulated or the real disk with a core to run
 * on, and objects whose key, meta and bytes follow from two numbers.
 *
 * Order of parts: a cache under test; objects.
 */
#ifndef TESTS_STORES_CACHE_CACHE_KIT_H
#define TESTS_STORES_CACHE_CACHE_KIT_H

#include "harness.h"
#include "stores/cache/cache.h"
#include "uring/sim.h"

/* ---- a cache under test ------------------------------------------------------------------- */

/**
 * struct cache_kit - a folder "cache" on a disk, or a file that is a device, and what was heard of
 * it. @cores: to run on (0: 1). @wrong: what a check found first, or "".
 */
struct cache_kit {
	struct sl_sim *sim;	      /* NULL: the real disk, in harness_tmpdir() */
	struct sl_backend *backend; /* NULL: the disk's own */
	struct cache *c;
	struct cache_conf conf;
	uint32_t cores;
	uint32_t events[CACHE_EVENT_LAST];
	int (*body)(struct cache_kit *k);
	char wrong[160];
};

/* Small: 16 MiB, so one shard with segments of 1 MiB. */
void cache_kit_init(struct cache_kit *k, struct sl_sim *sim);

/*
 * Makes it a device of @slots slots of 256 KiB, at once, and so durably as a block device is there;
 * the cache then is as large as that.
 */
void cache_kit_make_device(struct cache_kit *k, uint32_t slots);

/* The same of any size, divided as @conf says. Return: slots of a shard. */
uint32_t cache_kit_make_device_of(struct cache_kit *k, uint64_t bytes,
				  struct cache_format_conf conf);

/* Runs @body(@k) in a fiber of core 0 on the kit's disk. Return: its value. */
int cache_kit_run(struct cache_kit *k, int (*body)(struct cache_kit *k));

/* Opens and starts on every core; stops and frees. */
int cache_kit_open(struct cache_kit *k);
void cache_kit_close(struct cache_kit *k);
int cache_kit_reopen(struct cache_kit *k);
int cache_kit_open_and_close(struct cache_kit *k);

/* Only opens, as the kit is set up, what is at @path; frees it again. Return: of cache_open(). */
int cache_kit_open_why(struct cache_kit *k, const char *path, char *ret_why, size_t len);

/* ---- objects ------------------------------------------------------------------------------ */

/**
 * struct cache_kit_object - @id: its key; @gen: which of its versions; @bytes: of the body; @body:
 * the version whose body it has (0: its own).
 */
struct cache_kit_object {
	uint32_t id, gen;
	uint64_t bytes;
	uint32_t body;
};

/* Its key and meta, in static memory. */
struct cache_key cache_kit_key(uint32_t id);
const char *cache_kit_meta(const struct cache_kit_object *o);

/* Bytes [@off, @off + @len) of its body. */
void cache_kit_fill(const struct cache_kit_object *o, uint64_t off, uint8_t *dst, size_t len);
bool cache_kit_is(const struct cache_kit_object *o, uint64_t off, const uint8_t *data, size_t len);

/* Stores it as a whole. @tag: NULL, or one. Return: 0 or -errno. */
int cache_kit_put(struct cache_kit *k, const struct cache_kit_object *o, const char *tag);

/* The same without saying how long it is. */
int cache_kit_put_unknown(struct cache_kit *k, const struct cache_kit_object *o);

/**
 * cache_kit_get() - look it up and compare everything, by parts.
 * @ret_object: NULL, or it stays held. Return: 0; 1: it is there and is another; -errno.
 */
int cache_kit_get(struct cache_kit *k, const struct cache_kit_object *o,
		  struct cache_object **ret_object);

/* Whether [@off, @off + @len) of @held is @o's, by parts. Return: 0; 1; -errno. */
int cache_kit_range(struct cache_object *held, const struct cache_kit_object *o, uint64_t off,
		    uint64_t len);

/* Whether the parts, which are released, are @o's from @off on. */
bool cache_kit_parts_are(struct sl_part *parts, int n, const struct cache_kit_object *o,
			 uint64_t off);

#endif
