/* SPDX-License-Identifier: Apache-2.0 */
/* Centroids: kept, scored, and found again from the same seed. */
#include <math.h>
#include <string.h>

#include "harness.h"
#include "vectors/kmeans.h"

enum { DIM = 5, HEAPS = 70, POINTS = 2100 };

/* Heaps of points far from each other, in turns. */
static void make_points(float *points)
{
	float middles[HEAPS][DIM];

	for (int h = 0; h < HEAPS; h++)
		for (int i = 0; i < DIM; i++)
			middles[h][i] = (float)(harness_random() % 1000);
	for (int p = 0; p < POINTS; p++)
		for (int i = 0; i < DIM; i++)
			points[p * DIM + i] =
				middles[p % HEAPS][i] + (float)(harness_random() % 100) / 100;
}

static void find(struct centroids *c, uint32_t k, const float *points, uint32_t n, uint64_t seed,
		 uint32_t step)
{
	struct kmeans km;

	*c = (struct centroids){.dim = DIM};
	ASSERT_EQ(0, kmeans_init(&km, c, k, points, n, 10, seed));
	while (kmeans_step(&km, step))
		;
	kmeans_done(&km);
	ASSERT_EQ(k, c->n);
}

static double error_of(const struct centroids *c, const float *points)
{
	float scores[2 * SCAN_PANEL], at[DIM];
	double error = 0;

	for (int p = 0; p < POINTS; p++) {
		centroids_get(c, centroids_nearest(scan_set(), c, points + (size_t)p * DIM, scores),
			      at);
		for (int i = 0; i < DIM; i++)
			error += pow((double)(at[i] - points[p * DIM + i]), 2);
	}
	return error / POINTS;
}

TEST(centroids_are_kept_and_scored)
{
	struct centroids c = {.dim = DIM};
	float points[100][DIM], back[DIM], scores[2 * SCAN_PANEL];

	for (uint32_t i = 0; i < 100; i++) {
		for (uint32_t j = 0; j < DIM; j++)
			points[i][j] = (float)(harness_random() % 4096);
		ASSERT_EQ(0, centroids_add(&c, points[i]));
	}
	for (uint32_t i = 0; i < 100; i++) {
		centroids_get(&c, i, back);
		EXPECT_EQ(0, memcmp(back, points[i], sizeof(back)));
		centroids_scores(scan_set(), &c, points[i], scores);
		for (uint32_t j = 0; j < 100; j++)
			EXPECT_TRUE(scores[j] >= scores[i]);
		EXPECT_TRUE(isinf(scores[100]));
	}
	centroids_done(&c);
}

TEST(the_middles_of_heaps_are_found)
{
	static float points[POINTS * DIM];
	struct centroids few, many;

	make_points(points);
	find(&few, HEAPS / 2, points, POINTS, 1, POINTS);
	find(&many, HEAPS * 3 / 2, points, POINTS, 1, POINTS);
	EXPECT_TRUE(error_of(&many, points) < error_of(&few, points) / 4);
	centroids_done(&few);
	centroids_done(&many);
}

TEST(the_same_seed_gives_the_same_in_steps_of_any_length)
{
	static float points[POINTS * DIM];
	struct centroids a, b, other;

	make_points(points);
	find(&a, 33, points, POINTS, 5, POINTS);
	find(&b, 33, points, POINTS, 5, 17);
	find(&other, 33, points, POINTS, 6, 17);
	EXPECT_EQ(0, memcmp(a.panels, b.panels, DIM * SCAN_PANEL * sizeof(float)));
	EXPECT_NE(0, memcmp(a.panels, other.panels, DIM * SCAN_PANEL * sizeof(float)));
	centroids_done(&a);
	centroids_done(&b);
	centroids_done(&other);
}

TEST(points_that_are_alike_or_no_numbers)
{
	static float points[POINTS * DIM];
	float back[DIM];
	struct centroids c;

	points[7] = NAN;
	find(&c, 8, points, POINTS, 1, 64);
	for (uint32_t i = 0, whole = 0; i < 8; i++) {
		centroids_get(&c, i, back);
		whole += back[0] == 0 && back[1] == 0;
		EXPECT_TRUE(i < 7 || whole >= 7);
	}
	centroids_done(&c);
}

TEST_HARNESS_MAIN
