/* SPDX-License-Identifier: Apache-2.0 */
/*
 * purge: which objects are gone though their bytes are still there.
 *
 * Purging by prefix or by tag would have to visit every object. Instead a ban is noted, and each
 * look-up asks whether one applies to what it found: all bans speak of versions below their own,
 * and versions rise. So an object that is newer than every ban costs one comparison. A walk over
 * all objects, whenever there is time, takes the banned ones out, and retires the bans that it
 * knew of.
 *
 * Belongs to a shard's core; nothing here parks.
 */
#ifndef STORES_CACHE_PURGE_H
#define STORES_CACHE_PURGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/list.h>

enum purge_kind {
	PURGE_PREFIX, /* of the key; the empty one is every key's */
	PURGE_TAG,
	PURGE_KINDS
};

/**
 * struct purge_ban - one prefix or tag.
 * @below: versions that it takes away are smaller. @mark: see purge_mark().
 * @node, @next: the list's own.
 */
struct purge_ban {
	struct sl_list node;
	struct purge_ban *next;
	uint64_t hash;
	uint64_t below, mark;
	enum purge_kind kind;
	uint32_t n;
	uint8_t text[];
};

/* A length that prefixes have, and how many. */
struct purge_length {
	uint32_t n, bans;
};

/**
 * struct purge_list - its fields are its own.
 * @below: the largest of each kind's bans. @lengths: of prefixes, rising.
 */
struct purge_list {
	struct sl_list bans; /* in the order of their marks */
	struct purge_ban **buckets;
	uint32_t buckets_n, bans_n;
	struct purge_length *lengths;
	uint32_t lengths_n, lengths_room;
	uint64_t below[PURGE_KINDS];
	uint64_t seed, mark;
};

/* @seed: random, so that nobody can choose tags that meet in one bucket. */
void purge_init(struct purge_list *l, uint64_t seed);
void purge_done(struct purge_list *l);

/**
 * purge_add() - take away what has this tag, or a key that begins so, in all versions below
 * @below. The same ban again raises the one that is there.
 * Return: 0 or -ENOMEM.
 */
int purge_add(struct purge_list *l, enum purge_kind kind, const void *text, size_t n,
	      uint64_t below);

/* Whether a ban takes away version @version of the object with this key, or with this tag. */
bool purge_hits_key(const struct purge_list *l, const void *key, size_t n, uint64_t version);
bool purge_hits_tag(const struct purge_list *l, const void *tag, size_t n, uint64_t version);

/* Whether there is a ban of this kind that @version is not too new for. */
static inline bool purge_may_hit(const struct purge_list *l, enum purge_kind kind, uint64_t version)
{
	return version < l->below[kind];
}

/*
 * purge_mark() before a walk that takes out everything that is hit, purge_retire() after it: the
 * bans that were not added or raised since are dropped.
 */
uint64_t purge_mark(const struct purge_list *l);
void purge_retire(struct purge_list *l, uint64_t mark);

/* How many bans there are; each of them is on @l->bans. */
uint32_t purge_count(const struct purge_list *l);

#endif
