/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random rotations: what a vector is in other, random directions. Lengths and angles stay, and what
 * one component had is spread over all. A seed and a dimension give one rotation, so that it need
 * not be kept.
 */
#ifndef VECTORS_ROTATION_H
#define VECTORS_ROTATION_H

#include "scan.h"

/* Components that come out: a multiple of so many. */
#define ROTATION_STEP 64u

/**
 * struct rotation - @n: components that come out, at least @dim. @from: of each round which
 * component each is, @signs: and by what it is multiplied. @room: for two vectors.
 */
struct rotation {
	const struct scan_set *set;
	uint32_t dim, n;
	uint32_t *from;
	float *signs, *room;
};

/* Return: 0 or -ENOMEM. */
int rotation_init(struct rotation *r, uint32_t dim, uint64_t seed);
void rotation_done(struct rotation *r);

uint64_t rotation_memory(const struct rotation *r);

/* @x, of dim components, turned: n of them. */
void rotate(const struct rotation *r, const float *x, float *ret_y);

/* The same of the first dim components of @y, which has room for n. */
void rotate_in_place(const struct rotation *r, float *y);

/* @y, of n components, turned back: dim of them. */
void rotate_back(const struct rotation *r, const float *y, float *ret_x);

#endif
