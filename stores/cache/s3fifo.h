/* SPDX-License-Identifier: Apache-2.0 */
/*
 * s3fifo: which objects of a shard stay when space is needed.
 *
 * S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023), over whole
 * segments: two regions, small for what is new (a tenth of the space) and main for what was asked
 * for again, each a row of segments that is reclaimed from its oldest. A reclaimed segment's
 * objects are dropped, or carried over: written again at the end of main. What small dropped is
 * remembered for a while by its hash ("ghosts", as many as main has objects) and goes to main
 * when it is stored again.
 *
 * This decides and counts. The store writes, and says when: it reclaims as long as there is more
 * than may be, and always has room for what one segment carries over.
 *
 * Order of parts: the queue; its space; objects that come, are asked for, and go.
 */
#ifndef STORES_CACHE_S3FIFO_H
#define STORES_CACHE_S3FIFO_H

#include "table.h"

/* ---- the queue -------------------------------------------------------------------------- */

#define S3FIFO_GENERATIONS 8
#define S3FIFO_FREQ_MAX 3

/* Hashes that were dropped one after the other. */
struct s3fifo_generation {
	uint16_t *marks;
	uint32_t buckets;
	uint32_t n, n_max;
};

/**
 * struct s3fifo - its fields are its own.
 * @blocks_max: the shard's space. @blocks: what each region takes of it. @objects: in each.
 * @ghosts: the generation numbered @newest is being filled, the one behind it is the oldest.
 */
struct s3fifo {
	uint64_t blocks_max;
	uint64_t blocks[CACHE_REGIONS];
	uint64_t objects[CACHE_REGIONS];
	struct s3fifo_generation ghosts[S3FIFO_GENERATIONS];
	uint32_t newest;
};

void s3fifo_init(struct s3fifo *q, uint64_t blocks_max);
void s3fifo_done(struct s3fifo *q);

/* ---- its space -------------------------------------------------------------------------- */

void s3fifo_resize(struct s3fifo *q, uint64_t blocks_max);

/* @blocks were added to @region's segments, or freed with one: dead objects' space included. */
void s3fifo_grew(struct s3fifo *q, enum cache_region region, uint64_t blocks);
void s3fifo_shrank(struct s3fifo *q, enum cache_region region, uint64_t blocks);

/* The region whose oldest segment is to be reclaimed next. */
enum cache_region s3fifo_next(const struct s3fifo *q);

/* Memory that the ghosts have taken, in bytes: some three for each. */
uint64_t s3fifo_bytes(const struct s3fifo *q);

/* ---- objects that come, are asked for, and go ------------------------------------------- */

/* Where a new object is written: main if it was dropped lately, which is forgotten by this. */
enum cache_region s3fifo_admit(struct s3fifo *q, const uint64_t hash[2]);

/*
 * Whether a new object that nobody is obliged to store is not worth the space, as small would only
 * drop it. It is remembered as if that had happened; if not, s3fifo_admit() may be asked.
 */
bool s3fifo_refuses(struct s3fifo *q, const uint64_t hash[2]);

/* @slot, with its region set and freq 0, was put into the table; or taken out, not by reclaim. */
void s3fifo_added(struct s3fifo *q, const struct cache_slot *slot);
void s3fifo_removed(struct s3fifo *q, const struct cache_slot *slot);

/* @slot was asked for. */
static inline void s3fifo_hit(struct cache_slot *slot)
{
	if (slot->freq < S3FIFO_FREQ_MAX)
		slot->freq++;
}

enum s3fifo_verdict {
	S3FIFO_DROP, /* it is counted out; the caller takes it out of the table */
	S3FIFO_CARRY /* it is counted in main, and @slot says so; the caller moves its bytes */
};

/* What becomes of the object of @slot, whose segment is being reclaimed. */
enum s3fifo_verdict s3fifo_reclaim(struct s3fifo *q, struct cache_slot *slot);

#endif
