/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Centroids in panels, and k-means.
 *
 * Interface: kmeans.h. A centroid without points takes a point at random, so that none is lost.
 *
 * Order of parts: centroids; finding them.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/util.h>

#include "kmeans.h"

/* ---- centroids -------------------------------------------------------------------------- */

void centroids_done(struct centroids *c)
{
	free(c->panels);
	free(c->norms);
	c->panels = c->norms = NULL;
	c->n = 0;
}

static float *component(const struct centroids *c, uint32_t i)
{
	return c->panels + (size_t)(i / SCAN_PANEL) * c->dim * SCAN_PANEL + i % SCAN_PANEL;
}

/* Another panel, without centroids. */
static int add_panel(struct centroids *c)
{
	size_t floats = (size_t)c->dim * SCAN_PANEL, had = c->n / SCAN_PANEL;
	float *panels = aligned_alloc(64, (had + 1) * floats * sizeof(float));
	float *norms = realloc(c->norms, (had + 1) * SCAN_PANEL * sizeof(float));

	if (norms)
		c->norms = norms;
	if (!panels || !norms) {
		free(panels);
		return -ENOMEM;
	}
	if (had)
		memcpy(panels, c->panels, had * floats * sizeof(float));
	memset(panels + had * floats, 0, floats * sizeof(float));
	for (uint32_t i = 0; i < SCAN_PANEL; i++)
		norms[had * SCAN_PANEL + i] = INFINITY;
	free(c->panels);
	c->panels = panels;
	return 0;
}

int centroids_add(struct centroids *c, const float *point)
{
	int err = c->n % SCAN_PANEL ? 0 : add_panel(c);

	if (!err)
		centroids_set(c, c->n++, point);
	return err;
}

void centroids_set(struct centroids *c, uint32_t i, const float *point)
{
	float *at = component(c, i), norm = 0;

	for (uint32_t j = 0; j < c->dim; j++) {
		at[j * SCAN_PANEL] = -2 * point[j];
		norm += point[j] * point[j];
	}
	c->norms[i] = norm;
}

void centroids_get(const struct centroids *c, uint32_t i, float *ret_point)
{
	const float *at = component(c, i);

	for (uint32_t j = 0; j < c->dim; j++)
		ret_point[j] = at[j * SCAN_PANEL] / -2;
}

void centroids_scores(const struct scan_set *set, const struct centroids *c, const float *point,
		      float *ret_scores)
{
	uint32_t room = centroids_room(c);

	memcpy(ret_scores, c->norms, room * sizeof(float));
	for (uint32_t i = 0; i < room; i += SCAN_PANEL)
		set->multiply(ret_scores + i, component(c, i), point, c->dim);
}

uint32_t centroids_nearest(const struct scan_set *set, const struct centroids *c,
			   const float *point, float *scores)
{
	centroids_scores(set, c, point, scores);
	return sl_min(set->lowest(scores, centroids_room(c)), c->n - 1);
}

/* ---- finding them ----------------------------------------------------------------------- */

static const float *any_point(struct kmeans *km)
{
	return km->points + random_next(&km->random) % km->n * km->c->dim;
}

int kmeans_init(struct kmeans *km, struct centroids *c, uint32_t k, const float *points, uint32_t n,
		uint32_t rounds, uint64_t seed)
{
	int err = 0;

	*km = (struct kmeans){
		.set = scan_set(),
		.c = c,
		.points = points,
		.sums = calloc((size_t)k * c->dim, sizeof(double)),
		.counts = calloc(k, sizeof(uint32_t)),
		.scores = malloc(sl_round_up(k, SCAN_PANEL) * sizeof(float)),
		.random = seed,
		.n = n,
		.rounds = rounds,
	};
	/* one of each k-th part of them */
	for (uint32_t i = 0; !err && i < k; i++) {
		uint64_t from = (uint64_t)n * i / k, to = (uint64_t)n * (i + 1) / k;
		uint64_t at = from + (to > from ? random_next(&km->random) % (to - from) : 0);

		err = centroids_add(c, points + at * c->dim);
	}
	if (!err && km->sums && km->counts && km->scores)
		return 0;
	kmeans_done(km);
	return -ENOMEM;
}

void kmeans_done(struct kmeans *km)
{
	free(km->sums);
	free(km->counts);
	free(km->scores);
	*km = (struct kmeans){0};
}

static void move_centroids(struct kmeans *km)
{
	uint32_t dim = km->c->dim;
	float point[SCAN_PLACES_MAX];

	for (uint32_t i = 0; i < km->c->n; i++) {
		for (uint32_t j = 0; km->counts[i] && j < dim; j++)
			point[j] = (float)(km->sums[(size_t)i * dim + j] / km->counts[i]);
		centroids_set(km->c, i, km->counts[i] ? point : any_point(km));
	}
	memset(km->sums, 0, (size_t)km->c->n * dim * sizeof(double));
	memset(km->counts, 0, km->c->n * sizeof(uint32_t));
}

bool kmeans_step(struct kmeans *km, uint32_t n)
{
	uint32_t dim = km->c->dim;

	for (; n && km->at < km->n; n--, km->at++) {
		const float *point = km->points + (size_t)km->at * dim;
		uint32_t i = centroids_nearest(km->set, km->c, point, km->scores);

		/* what is not finite has no place */
		if (!isfinite(km->scores[i]))
			continue;
		km->counts[i]++;
		for (uint32_t j = 0; j < dim; j++)
			km->sums[(size_t)i * dim + j] += (double)point[j];
	}
	if (km->at < km->n)
		return true;
	move_centroids(km);
	km->at = 0;
	return --km->rounds;
}
