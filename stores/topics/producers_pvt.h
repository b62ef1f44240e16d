/* SPDX-License-Identifier: Apache-2.0 */
/* producers: what one partition remembers of its idempotent producers. */
#ifndef STORES_TOPICS_PRODUCERS_PVT_H
#define STORES_TOPICS_PRODUCERS_PVT_H

#include "blob_pvt.h"
#include "topics.h"

/* Batches of a producer that a repetition is recognised by; clients have as many in flight. */
#define PRODUCER_BATCHES 5

/* Beyond so many producers of a partition the one idle for longest is forgotten. */
#define PRODUCERS_MAX 65536

struct producer_batch {
	int32_t first, last; /* sequence numbers */
	uint64_t base;
};

struct producer {
	struct producer *next;
	struct sl_list node; /* by last use, the oldest first */
	int64_t id;
	int64_t used_ms; /* wall clock */
	int16_t epoch;
	bool busy;   /* an append of its is in progress */
	uint8_t n;   /* batches known */
	uint8_t newest; /* position of the last one */
	struct producer_batch batches[PRODUCER_BATCHES];
};

struct producers {
	struct producer **buckets;
	uint32_t n, buckets_n; /* a power of two, or 0 */
	struct sl_list used;
};

void producers_init(struct producers *ps);
void producers_done(struct producers *ps);

struct producer *producers_find(const struct producers *ps, int64_t id);

/* The producer, made if need be. NULL: no memory. */
struct producer *producers_get(struct producers *ps, int64_t id);

/* Forgets @p, which may not be busy. */
void producers_drop(struct producers *ps, struct producer *p);

/**
 * producer_check() - what is to become of a batch of @p (NULL: never seen before).
 * Return: 0: append it; SL_REFUSED_OUT_OF_ORDER, SL_REFUSED_FENCED_PRODUCER; -EEXIST: it repeats
 * *ret_batch.
 */
int producer_check(const struct producer *p, const struct sl_batch *b,
		   struct producer_batch *ret_batch);

/* @b of @p was appended at @base. */
void producer_note(struct producers *ps, struct producer *p, const struct sl_batch *b,
		   uint64_t base, int64_t now_ms);

/* Forgets those not used since @before_ms. */
void producers_expire(struct producers *ps, int64_t before_ms);

/* The sequence number @n after @sequence, which wrap at 2^31. */
static inline int32_t sequence_add(int32_t sequence, int32_t n)
{
	return (int32_t)(((uint32_t)sequence + (uint32_t)n) & INT32_MAX);
}

/* Snapshots: what is remembered when all batches below @offset were seen. */
int producers_encode(const struct producers *ps, uint64_t offset, struct blob_out *b);

/* Into an empty @ps. Return: 0; -EBADMSG; -EPROTONOSUPPORT; -ENOMEM: @ps is empty again. */
int producers_decode(struct producers *ps, const void *p, size_t len, uint64_t *ret_offset);

#endif
