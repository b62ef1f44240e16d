/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Centroids: which of them is nearest to a point, and how they are found (Lloyd's k-means), in
 * small steps. The same seed and the same points give the same centroids.
 *
 * Order of parts: centroids; finding them.
 */
#ifndef VECTORS_KMEANS_H
#define VECTORS_KMEANS_H

#include "scan.h"

/* ---- centroids -------------------------------------------------------------------------- */

/**
 * struct centroids - in panels of SCAN_PANEL: component i of centroid c is at [i][c % SCAN_PANEL]
 * of panel c / SCAN_PANEL, times -2. @norms: the square of each one's length; infinite where the
 * last panel has none.
 */
struct centroids {
	float *panels, *norms;
	uint32_t n, dim;
};

void centroids_done(struct centroids *c);

/* Adds one. Return: 0 or -ENOMEM: nothing was changed. */
int centroids_add(struct centroids *c, const float *point);

void centroids_set(struct centroids *c, uint32_t i, const float *point);
void centroids_get(const struct centroids *c, uint32_t i, float *ret_point);

/* Room for scores. */
static inline uint32_t centroids_room(const struct centroids *c)
{
	return (c->n + SCAN_PANEL - 1) / SCAN_PANEL * SCAN_PANEL;
}

/* How far each is from @point, less the square of @point's length, which is the same for all. */
void centroids_scores(const struct scan_set *set, const struct centroids *c, const float *point,
		      float *ret_scores);

/* @scores: room. */
uint32_t centroids_nearest(const struct scan_set *set, const struct centroids *c,
			   const float *point, float *scores);

/* ---- finding them ----------------------------------------------------------------------- */

struct kmeans {
	const struct scan_set *set;
	struct centroids *c;
	const float *points;
	double *sums; /* of each centroid's points */
	uint32_t *counts;
	float *scores;
	uint64_t random;
	uint32_t n, rounds, at;
};

/* @c, empty but for its dim, becomes @k centroids of @n > 0 points, which stay until done. */
int kmeans_init(struct kmeans *km, struct centroids *c, uint32_t k, const float *points, uint32_t n,
		uint32_t rounds, uint64_t seed);
void kmeans_done(struct kmeans *km);

/* Works on up to @n points. Return: whether more is to be done. */
bool kmeans_step(struct kmeans *km, uint32_t n);

/* The next of a sequence that its first value decides. */
static inline uint64_t random_next(uint64_t *random)
{
	uint64_t x = *random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

#endif
