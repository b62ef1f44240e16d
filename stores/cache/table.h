/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table: where the objects of one shard lie, found by the hashes of their keys, in memory.
 *
 * Belongs to its shard's core; nothing here parks or reads. An object costs at most 48 bytes,
 * empty places and the objects lately evicted (s3fifo.h) included. The table grows and shrinks
 * by one bucket at a time, so that no call takes longer than another.
 *
 * A pointer to a slot is good until the next put or del.
 */
#ifndef STORES_CACHE_TABLE_H
#define STORES_CACHE_TABLE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

/* Where an object's segment stands in the order of eviction (s3fifo.h). */
enum cache_region {
	CACHE_SMALL, /* what is new */
	CACHE_MAIN, /* what was asked for again */
	CACHE_REGIONS
};

#define CACHE_VERSION_MAX ((UINT64_C(1) << 52) - 1)
#define CACHE_BLOCKS_MAX UINT32_MAX
#define CACHE_EXPIRES_NEVER UINT32_MAX
#define CACHE_HASH_WORDS 3

/**
 * struct cache_slot - an object in the table.
 * @hash: the kept part of its key's hash, see cache_slot_set_hash(): enough that a missing key is
 *	not looked for on disk. Two keys that share it replace each other; who reads the object
 *	compares the whole key.
 * @next: the table's own. @version: at most CACHE_VERSION_MAX. @freq, @region: of s3fifo.h.
 * @flags: the store's own.
 * @segment, @block, @blocks: where it lies, in blocks within its segment.
 * @expires_s: since 1970, or CACHE_EXPIRES_NEVER; the exact time is with the object.
 */
struct cache_slot {
	uint32_t hash[CACHE_HASH_WORDS];
	uint32_t next;
	uint64_t version : 52;
	uint64_t freq : 2;
	uint64_t region : 1;
	uint64_t flags : 9;
	uint32_t segment;
	uint32_t block;
	uint32_t blocks;
	uint32_t expires_s;
};

static_assert(sizeof(struct cache_slot) == 40, "an object's share of memory");

/* @hash: 128 bits, seeded, so that nobody can choose keys that meet in one bucket. */
static inline void cache_slot_set_hash(struct cache_slot *s, const uint64_t hash[2])
{
	s->hash[0] = (uint32_t)hash[0];
	s->hash[1] = (uint32_t)(hash[0] >> 32);
	s->hash[2] = (uint32_t)hash[1];
}

/**
 * struct cache_table - its fields are its own.
 * @slots, @heads: in chunks. @slots_n: slots in use, without gaps. @heads_n: buckets.
 * @slot_chunks, @head_chunks: allocated; @slot_room, @head_room: what the lists of chunks hold.
 */
struct cache_table {
	struct cache_slot **slots;
	uint32_t **heads;
	uint32_t slots_n, heads_n;
	uint32_t slot_chunks, head_chunks;
	uint32_t slot_room, head_room;
};

void cache_table_init(struct cache_table *t);
void cache_table_done(struct cache_table *t);

/*
 * So many slots are to come: buckets for all of them are made at once, as far as there is memory,
 * so that none is split on the way. What was too many is given back by cache_table_fit().
 */
void cache_table_expect(struct cache_table *t, uint32_t n);
void cache_table_fit(struct cache_table *t);

/* Brings in what a look for this hash begins with, and, later, what it goes on with. */
void cache_table_fetch_head(const struct cache_table *t, const uint64_t hash[2]);
void cache_table_fetch_slot(const struct cache_table *t, const uint64_t hash[2]);

/* The slot of the key with this hash, or NULL. */
struct cache_slot *cache_table_find(const struct cache_table *t, const uint64_t hash[2]);

/**
 * cache_table_put() - add @slot, or replace the one of the same hash.
 * Return: 0; 1: another was replaced, and @ret_old has it; -ENOMEM: nothing was changed.
 */
int cache_table_put(struct cache_table *t, const struct cache_slot *slot,
		    struct cache_slot *ret_old);

/* The same of one whose hash was found to have none. */
int cache_table_add(struct cache_table *t, const struct cache_slot *slot);

/* Takes @slot out. The last slot moves to its place. */
void cache_table_del(struct cache_table *t, struct cache_slot *slot);

/*
 * All slots are at 0 to count - 1. A walk from the last to the first meets every slot that was
 * there all the time, whatever is put and deleted between two of its steps, as long as it goes on
 * below the smaller of where it was and the count.
 */
uint32_t cache_table_count(const struct cache_table *t);
struct cache_slot *cache_table_at(const struct cache_table *t, uint32_t i);

/* Memory that the table has taken, in bytes. */
uint64_t cache_table_bytes(const struct cache_table *t);

#endif
