/* SPDX-License-Identifier: Apache-2.0 */
/* The nearest of very many: which are left, how many, and by which limit. */
#include <math.h>
#include <stdlib.h>

#include "harness.h"
#include "vectors/pool.h"

FIXTURE(pool)
{
	struct pool pool;
	void *memory;
};

FIXTURE_VARIANT(pool)
{
	uint32_t k;
};

FIXTURE_VARIANT_ADD(pool, one){.k = 1};
FIXTURE_VARIANT_ADD(pool, some){.k = 23};
FIXTURE_VARIANT_ADD(pool, many){.k = 1000};

FIXTURE_SETUP(pool)
{
	self->memory = aligned_alloc(64, sl_round_up(pool_bytes(variant->k), 64));
	ASSERT_TRUE(self->memory != NULL);
	pool_init(&self->pool, scan_set(), self->memory, variant->k);
}

FIXTURE_TEARDOWN(pool)
{
	free(self->memory);
}

/* A block at a time, as lists are looked at. */
static void put_all(struct pool *p, const float *far, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (i % SCAN_BLOCK == 0)
			pool_reserve(p, SCAN_BLOCK);
		if (far[i] < p->limit)
			pool_put(p, far[i], i);
	}
	pool_narrow(p);
}

static int by_value(const void *a, const void *b)
{
	const float *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

enum { MANY = 20000 };

TEST_F(pool, the_nearest_are_left_and_few_others)
{
	static float far[MANY], sorted[MANY];
	uint32_t nearest = 0;

	for (int round = 0; round < 5; round++) {
		for (uint32_t i = 0; i < MANY; i++)
			sorted[i] = far[i] = (float)harness_random() - 1e9f * (float)round;
		qsort(sorted, MANY, sizeof(sorted[0]), by_value);
		pool_init(&self->pool, scan_set(), self->memory, variant->k);
		put_all(&self->pool, far, MANY);
		ASSERT_TRUE(self->pool.n >= variant->k);
		ASSERT_TRUE(self->pool.n <= variant->k + variant->k / 8);
		nearest = 0;
		for (uint32_t i = 0; i < self->pool.n; i++) {
			EXPECT_EQ(far[self->pool.rows[i]], self->pool.far[i]);
			EXPECT_TRUE(self->pool.far[i] < self->pool.limit);
			nearest += self->pool.far[i] <= sorted[variant->k - 1];
		}
		EXPECT_TRUE(nearest >= variant->k);
	}
}

TEST_F(pool, fewer_than_are_wanted_all_stay)
{
	float far[] = {3, 1, 2};
	uint32_t n = sl_min(variant->k, 3u);

	put_all(&self->pool, far, n);
	EXPECT_EQ(n, self->pool.n);
	EXPECT_TRUE(self->pool.limit == INFINITY);
}

/* No limit parts them; what is nearer than all of them stays for sure. */
TEST_F(pool, of_equal_ones_some_stay)
{
	static float far[MANY];

	for (uint32_t i = 0; i < MANY; i++)
		far[i] = i == MANY / 2 ? -INFINITY : i % 3 ? 7 : 7.0000005f;
	put_all(&self->pool, far, MANY);
	EXPECT_TRUE(self->pool.n >= variant->k);
	EXPECT_TRUE(self->pool.n <= variant->k + variant->k / 8);
}

TEST_HARNESS_MAIN
