/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nearest of very many, in no order and a few too many: what a heap would be asked for each is
 * asked once for some hundreds here.
 *
 * What comes is put behind the others if it is below the limit; when the room is full, a limit is
 * looked for below which about as many as are wanted are, and the others are dropped.
 */
#ifndef VECTORS_POOL_H
#define VECTORS_POOL_H

#include "index_pvt.h"
#include "scan.h"

/**
 * struct pool - @far, @rows: of @n. @k: so many are wanted. @limit: what is not below it is not
 * among these.
 */
struct pool {
	const struct scan_set *set;
	float *far;
	uint32_t *rows;
	uint32_t n, k, room;
	float limit;
};

/* Memory that one of @k takes, which begins at a multiple of 64 bytes. */
size_t pool_bytes(uint32_t k);
void pool_init(struct pool *pool, const struct scan_set *set, void *memory, uint32_t k);

/* Drops all but some k: no fewer, and of more only k / 8. */
void pool_narrow(struct pool *pool);

/* Makes room for @n <= SCAN_BLOCK more. */
static inline void pool_reserve(struct pool *pool, uint32_t n)
{
	if (pool->n + n > pool->room)
		pool_narrow(pool);
}

/* @far is a number, below the limit; there is room. */
static inline void pool_put(struct pool *pool, float far, uint32_t row)
{
	pool->far[pool->n] = far;
	pool->rows[pool->n++] = row;
}

#endif
