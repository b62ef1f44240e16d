/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool: the nearest of very many.
 *
 * Interface: pool.h. Invariant: after a narrowing there is room for SCAN_BLOCK more.
 *
 * Order of parts: memory; the limit; narrowing.
 */
#include <string.h>

#include "pool.h"

/* ---- memory ----------------------------------------------------------------------------- */

enum { ROOM_TIMES = 4, LANES_MAX = 16 };

/* A multiple of LANES_MAX, twice a block above what narrowing leaves. */
static uint32_t room_of(uint32_t k)
{
	return (uint32_t)sl_round_up((size_t)k * ROOM_TIMES, SCAN_BLOCK) + 2 * SCAN_BLOCK;
}

size_t pool_bytes(uint32_t k)
{
	return room_of(k) * (sizeof(float) + sizeof(uint32_t));
}

void pool_init(struct pool *pool, const struct scan_set *set, void *memory, uint32_t k)
{
	uint32_t room = room_of(k);

	*pool = (struct pool){
		.set = set,
		.far = memory,
		.rows = (uint32_t *)((float *)memory + room),
		.k = k,
		.room = room,
		.limit = INFINITY,
	};
}

/* ---- the limit -------------------------------------------------------------------------- */

/* Numbers whose order is that of the floats. */
static int32_t place_of(float f)
{
	int32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	return bits < 0 ? bits ^ INT32_MAX : bits;
}

static float at_place(int32_t place)
{
	int32_t bits = place < 0 ? place ^ INT32_MAX : place;
	float f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

static uint32_t count_below(const struct pool *p, float limit)
{
	return p->set->count(p->far, sl_round_up(p->n, LANES_MAX), limit);
}

/**
 * find_limit() - by halving what is between the nearest and the farthest. Return: the limit, below
 * which are at least k; at most @most, or else those that are not below *@ret_low are all equal.
 */
static float find_limit(const struct pool *p, uint32_t most, float *ret_low)
{
	float nearest = p->far[0], farthest = p->far[0];
	int64_t low, high;

	for (uint32_t i = 1; i < p->n; i++) {
		nearest = p->far[i] < nearest ? p->far[i] : nearest;
		farthest = p->far[i] > farthest ? p->far[i] : farthest;
	}
	low = place_of(nearest);
	high = (int64_t)place_of(farthest) + 1;
	while (high - low > 1) {
		int64_t mid = (low + high) / 2;
		uint32_t below = count_below(p, at_place((int32_t)mid));

		if (below < p->k) {
			low = mid;
			continue;
		}
		high = mid;
		if (below <= most)
			break;
	}
	*ret_low = at_place((int32_t)low);
	return at_place((int32_t)high);
}

/* ---- narrowing -------------------------------------------------------------------------- */

void pool_narrow(struct pool *p)
{
	uint32_t most = p->k + p->k / 8, n = 0, equal;
	float low, high;

	if (p->n <= most)
		return;
	for (uint32_t i = p->n; i % LANES_MAX; i++)
		p->far[i] = INFINITY;
	high = find_limit(p, most, &low);
	equal = most - count_below(p, low);
	for (uint32_t i = 0; i < p->n; i++) {
		bool sure = p->far[i] < low, maybe = !sure && p->far[i] < high && equal;

		p->far[n] = p->far[i];
		p->rows[n] = p->rows[i];
		equal -= maybe;
		n += sure || maybe;
	}
	p->n = n;
	p->limit = high;
}
