/* SPDX-License-Identifier: Apache-2.0 */
/* Objects and filters drawn at random, of few values, so that they often meet. */
#ifndef TESTS_VECTORS_FILTER_RANDOM_H
#define TESTS_VECTORS_FILTER_RANDOM_H

#include "filter_kit.h"

/* One index of each type, at the paths that the objects have. */
#define RANDOM_INDEXES 11
extern const struct sl_payload_conf random_indexes[RANDOM_INDEXES];

/* An object with @key, to be freed by free(). */
struct sl_object *random_object(uint64_t key);

/* Filters and what they point to, of one tree. */
struct random_filter {
	struct sl_filter filters[200];
	const struct sl_filter *of[200];
	struct sl_operand operands[200];
	struct sl_filter_key keys[200];
	struct sl_place places[200];
	struct sl_ring rings[200];
	uint32_t n, of_n, operand_n, key_n, place_n, ring_n;
};

/* @keys: those of objects are below. */
const struct sl_filter *random_filter(struct random_filter *r, uint64_t keys);

#endif
