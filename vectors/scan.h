/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What indexes compute over many vectors at once: 4-bit codes looked up in tables, and sums of
 * products, for each set of instructions that distances have.
 *
 * A panel is a matrix of some rows and SCAN_PANEL columns, row by row, at a multiple of 64 bytes. A
 * block is the codes of SCAN_BLOCK vectors: for each place of the code 16 bytes, whose low halves
 * are those of the first 16 vectors, whose high halves those of the others.
 *
 * All sets agree on sums of codes exactly, on floats but for the order of additions.
 */
#ifndef VECTORS_SCAN_H
#define VECTORS_SCAN_H

#include <sluice/distance.h>

#define SCAN_PANEL 64u
#define SCAN_BLOCK 32u

/* Entries of a table: a code has 4 bits. */
#define SCAN_CODES 16u

/* Places of a code: a multiple of the first, at most so many that no sum leaves 16 bits. */
#define SCAN_PLACES 4u
#define SCAN_PLACES_MAX 256u

/* Vectors of each side that are held against one another at once. */
#define SCAN_SQUARE 4u

/**
 * struct scan_set - the functions of one set of instructions.
 * @sums: of what @tables, SCAN_CODES bytes for each of the @m places, give for the block at @codes.
 * @below: @ret[i] = @base + @more[i] + @scale * @sums[i]. Return: a bit for each i where it is
 *	below @limit.
 * @multiply: adds the sum of @x[i] times row i of the @n rows of @panel to @y.
 * @spread: adds @x[i] * @y to row i of @panel.
 * @hadamard: sums and differences of the @n (a power of two) floats at @x: of those 16, 32, and so
 *	on apart, so that lengths stay.
 * @picked: the sum of the bytes of @x whose bit in @bits is set, @n (a multiple of 64) of them.
 * @l2, @dot: @ret[a * SCAN_SQUARE + b] = the distance of vectors @x[a] and @y[b], of @n floats,
 *	within SL_DISTANCE_TOLERANCE: SCAN_SQUARE of each.
 * @lowest: of @n (a multiple of 16) numbers the place of the lowest; of several the first; numbers
 *	that are none are never it, if there are others.
 * @count: how many of @n (a multiple of 16) numbers are below @limit.
 */
struct scan_set {
	void (*sums)(const uint8_t *codes, const uint8_t *tables, size_t m, uint16_t *ret_sums);
	uint32_t (*below)(const uint16_t *sums, const float *more, float base, float scale,
			  float limit, float *ret);
	void (*multiply)(float *y, const float *panel, const float *x, size_t n);
	void (*spread)(float *panel, const float *x, const float *y, size_t n);
	void (*hadamard)(float *x, size_t n);
	int32_t (*picked)(const uint8_t *bits, const int8_t *x, size_t n);
	void (*l2)(const float *const *x, const float *const *y, size_t n, float *ret);
	void (*dot)(const float *const *x, const float *const *y, size_t n, float *ret);
	uint32_t (*lowest)(const float *x, size_t n);
	uint32_t (*count)(const float *x, size_t n, float limit);
};

/* Those to use here. */
const struct scan_set *scan_set(void);

/* Those of one set; NULL: this processor, or this build, does not have it. */
const struct scan_set *scan_set_of(enum sl_distance_set set);

extern const struct scan_set scan_avx512;
extern const struct scan_set scan_avx2;
extern const struct scan_set scan_neon;
extern const struct scan_set scan_scalar;

#endif
