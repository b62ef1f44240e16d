/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random rotations in n log n steps.
 *
 * Interface: rotation.h. Each round mixes the components, changes the signs of some, and makes sums
 * and differences, as of Hadamard's matrix, of as many as a power of two reaches, from the first on
 * and up to the last. Each of these keeps lengths and angles, and can be undone. The sums skip the
 * lowest powers, which registers are bad at: the mixing of the next round makes up for them.
 *
 * Order of parts: making; sums and differences; turning.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/util.h>

#include "kmeans.h"
#include "rotation.h"

enum { ROUNDS = 4 };

/* ---- making ----------------------------------------------------------------------------- */

int rotation_init(struct rotation *r, uint32_t dim, uint64_t seed)
{
	uint32_t n = (uint32_t)sl_round_up(dim, ROTATION_STEP);

	*r = (struct rotation){
		.set = scan_set(),
		.dim = dim,
		.n = n,
		.from = malloc(ROUNDS * n * sizeof(*r->from)),
		.signs = malloc(ROUNDS * n * sizeof(*r->signs)),
		.room = malloc(2 * n * sizeof(*r->room)),
	};
	if (!r->from || !r->signs || !r->room) {
		rotation_done(r);
		return -ENOMEM;
	}
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint32_t *from = r->from + round * n;

		for (uint32_t i = 0; i < n; i++) {
			uint32_t j = (uint32_t)(random_next(&seed) % (i + 1));

			from[i] = from[j];
			from[j] = i;
			r->signs[round * n + i] = random_next(&seed) & 1 ? 1 : -1;
		}
	}
	return 0;
}

uint64_t rotation_memory(const struct rotation *r)
{
	return r->n * (ROUNDS * (sizeof(*r->from) + sizeof(*r->signs)) + 2 * sizeof(*r->room));
}

void rotation_done(struct rotation *r)
{
	free(r->from);
	free(r->signs);
	free(r->room);
	*r = (struct rotation){0};
}

/* ---- sums and differences --------------------------------------------------------------- */

static uint32_t power_below(uint32_t n)
{
	return UINT32_C(1) << (31 - __builtin_clz(n));
}

static void mix(const struct rotation *r, float *y, bool last)
{
	uint32_t power = power_below(r->n);

	r->set->hadamard(last ? y + r->n - power : y, power);
}

/* ---- turning ---------------------------------------------------------------------------- */

void rotate(const struct rotation *r, const float *x, float *ret_y)
{
	memcpy(ret_y, x, r->dim * sizeof(*x));
	rotate_in_place(r, ret_y);
}

void rotate_in_place(const struct rotation *r, float *y)
{
	bool odd = r->n != power_below(r->n);

	memset(y + r->dim, 0, (r->n - r->dim) * sizeof(*y));
	for (uint32_t round = 0; round < ROUNDS; round++) {
		const uint32_t *from = r->from + round * r->n;
		const float *signs = r->signs + round * r->n;

		memcpy(r->room, y, r->n * sizeof(*y));
		for (uint32_t i = 0; i < r->n; i++)
			y[i] = signs[i] * r->room[from[i]];
		mix(r, y, false);
		if (odd)
			mix(r, y, true);
	}
}

void rotate_back(const struct rotation *r, const float *y, float *ret_x)
{
	bool odd = r->n != power_below(r->n);
	float *at = r->room, *was = at + r->n;

	memcpy(at, y, r->n * sizeof(*y));
	for (uint32_t round = ROUNDS; round--;) {
		const uint32_t *from = r->from + round * r->n;
		const float *signs = r->signs + round * r->n;

		if (odd)
			mix(r, at, true);
		mix(r, at, false);
		memcpy(was, at, r->n * sizeof(*y));
		for (uint32_t i = 0; i < r->n; i++)
			at[from[i]] = signs[i] * was[i];
	}
	memcpy(ret_x, at, r->dim * sizeof(*y));
}
