/* SPDX-License-Identifier: Apache-2.0 */
/* Floats at random, of which tests of indexes make vectors. */
#ifndef TESTS_VECTORS_DRAWN_H
#define TESTS_VECTORS_DRAWN_H

/* About normal: the sum of four that are even. */
float drawn_normal(void);

/* For qsort(), the least first. */
int drawn_order(const void *a, const void *b);

#endif
