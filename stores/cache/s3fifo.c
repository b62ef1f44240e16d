/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S3-FIFO over segments: the verdicts, and the ghosts that some of them rest on.
 *
 * Interface: s3fifo.h. Ghosts are kept by generation: a new one is begun when the newest is full,
 * and the oldest forgotten as a whole, so that nothing needs an age of its own or is ever moved.
 * A generation is an array of buckets of one cache line, each with the 16-bit marks of the hashes
 * that fell into it. A wrong answer is harmless (a new object begins in main, or a dropped one in
 * small again) and rare: one in some 500 for marks that agree by chance, one ghost in 30 for a
 * bucket that was full.
 *
 * Without memory for a generation nothing is remembered, until the next one is due.
 *
 * Invariant: a mark of 0 is an empty place.
 *
 * Order of parts: generations; ghosts; the queue; verdicts.
 */
#include "s3fifo.h"

#include <stdlib.h>
#include <string.h>

#include <sluice/assert.h>
#include <sluice/util.h>

#define MARKS_A_BUCKET 32u
#define MARKS_MEANT 24u /* in a bucket of a full generation, on average */
#define GENERATION_MIN 64u
#define SMALL_SHARE 10
#define CARRIED_FROM_SMALL 2 /* times asked for */

/* ---- generations ------------------------------------------------------------------------ */

static void generation_done(struct s3fifo_generation *g)
{
	free(g->marks);
	*g = (struct s3fifo_generation){0};
}

static void generation_init(struct s3fifo_generation *g, uint64_t n_max)
{
	uint64_t buckets = n_max / MARKS_MEANT + 1;

	SL_ASSERT(!g->marks);
	g->n = 0;
	g->n_max = (uint32_t)sl_min(n_max, (uint64_t)UINT32_MAX);
	g->buckets = (uint32_t)sl_min(buckets, (uint64_t)UINT32_MAX);
	/* Zeroed by the kernel as it is touched, if it is large. */
	g->marks = calloc(g->buckets, MARKS_A_BUCKET * sizeof(*g->marks));
}

static uint16_t *bucket_of(const struct s3fifo_generation *g, const uint32_t *hash)
{
	uint64_t i = (uint64_t)hash[1] * g->buckets >> 32;

	return &g->marks[i * MARKS_A_BUCKET];
}

static uint16_t mark_of(const uint32_t *hash)
{
	uint16_t mark = (uint16_t)hash[2];

	return mark ? mark : 1;
}

/* The place of @mark in this hash's bucket, or NULL; a mark of 0: the first empty place. */
static uint16_t *place_of(const struct s3fifo_generation *g, const uint32_t *hash, uint16_t mark)
{
	uint16_t *bucket;

	if (!g->marks)
		return NULL;
	bucket = bucket_of(g, hash);
	for (uint32_t i = 0; i < MARKS_A_BUCKET; i++)
		if (bucket[i] == mark)
			return &bucket[i];
	return NULL;
}

/* ---- ghosts ----------------------------------------------------------------------------- */

/*
 * As many as there are objects in main when it has its share. Of the generations, all are full
 * but the newest, which is half full on average.
 */
static uint64_t generation_size(const struct s3fifo *q)
{
	uint64_t objects = q->objects[CACHE_SMALL] + q->objects[CACHE_MAIN];
	uint64_t ghosts = objects - objects / SMALL_SHARE;

	return sl_max(ghosts * 2 / (2 * S3FIFO_GENERATIONS - 1), (uint64_t)GENERATION_MIN);
}

static void ghost_add(struct s3fifo *q, const uint32_t *hash)
{
	struct s3fifo_generation *g = &q->ghosts[q->newest];
	uint16_t *place;

	if (g->n >= g->n_max) {
		q->newest = (q->newest + 1) % S3FIFO_GENERATIONS;
		g = &q->ghosts[q->newest];
		generation_done(g);
		generation_init(g, generation_size(q));
	}
	g->n++;
	place = place_of(g, hash, 0);
	if (place)
		*place = mark_of(hash);
}

/* Its place, or NULL: it is not there. */
static uint16_t *ghost_find(const struct s3fifo *q, const uint32_t *hash)
{
	uint16_t *place = NULL;

	for (int i = 0; i < S3FIFO_GENERATIONS && !place; i++)
		place = place_of(&q->ghosts[i], hash, mark_of(hash));
	return place;
}

/* Whether it was there; it is not there afterwards. */
static bool ghost_take(struct s3fifo *q, const uint32_t *hash)
{
	uint16_t *place = ghost_find(q, hash);

	if (place)
		*place = 0;
	return place;
}

/* ---- the queue -------------------------------------------------------------------------- */

void s3fifo_init(struct s3fifo *q, uint64_t blocks_max)
{
	*q = (struct s3fifo){.blocks_max = blocks_max};
}

void s3fifo_done(struct s3fifo *q)
{
	for (int i = 0; i < S3FIFO_GENERATIONS; i++)
		generation_done(&q->ghosts[i]);
}

void s3fifo_resize(struct s3fifo *q, uint64_t blocks_max)
{
	q->blocks_max = blocks_max;
}

void s3fifo_grew(struct s3fifo *q, enum cache_region region, uint64_t blocks)
{
	q->blocks[region] += blocks;
}

void s3fifo_shrank(struct s3fifo *q, enum cache_region region, uint64_t blocks)
{
	SL_ASSERT(q->blocks[region] >= blocks);
	q->blocks[region] -= blocks;
}

enum cache_region s3fifo_next(const struct s3fifo *q)
{
	if (!q->blocks[CACHE_MAIN])
		return CACHE_SMALL;
	return q->blocks[CACHE_SMALL] >= q->blocks_max / SMALL_SHARE && q->blocks[CACHE_SMALL]
		       ? CACHE_SMALL
		       : CACHE_MAIN;
}

uint64_t s3fifo_bytes(const struct s3fifo *q)
{
	uint64_t bytes = 0;

	for (int i = 0; i < S3FIFO_GENERATIONS; i++)
		if (q->ghosts[i].marks)
			bytes += (uint64_t)q->ghosts[i].buckets * MARKS_A_BUCKET *
				 sizeof(*q->ghosts[i].marks);
	return bytes;
}

/* ---- verdicts --------------------------------------------------------------------------- */

enum cache_region s3fifo_admit(struct s3fifo *q, const uint64_t hash[2])
{
	struct cache_slot like;

	cache_slot_set_hash(&like, hash);
	return ghost_take(q, like.hash) ? CACHE_MAIN : CACHE_SMALL;
}

bool s3fifo_refuses(struct s3fifo *q, const uint64_t hash[2])
{
	struct cache_slot like;

	cache_slot_set_hash(&like, hash);
	if (ghost_find(q, like.hash))
		return false;
	ghost_add(q, like.hash);
	return true;
}

void s3fifo_added(struct s3fifo *q, const struct cache_slot *slot)
{
	q->objects[slot->region]++;
}

void s3fifo_removed(struct s3fifo *q, const struct cache_slot *slot)
{
	SL_ASSERT(q->objects[slot->region] > 0);
	q->objects[slot->region]--;
}

enum s3fifo_verdict s3fifo_reclaim(struct s3fifo *q, struct cache_slot *slot)
{
	bool small = slot->region == CACHE_SMALL;

	s3fifo_removed(q, slot);
	if (slot->freq < (small ? CARRIED_FROM_SMALL : 1)) {
		if (small)
			ghost_add(q, slot->hash);
		return S3FIFO_DROP;
	}
	slot->freq = small ? 0 : slot->freq - 1;
	slot->region = CACHE_MAIN;
	s3fifo_added(q, slot);
	return S3FIFO_CARRY;
}
