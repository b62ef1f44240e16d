/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refusal: what the calls of stores/topics return, and the small types that all its headers use.
 */
#ifndef STORES_TOPICS_REFUSAL_H
#define STORES_TOPICS_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sl_topics;

enum sl_refusal {
#define X(name, what, kafka) SL_REFUSED_##name,
#include "refusals.def"
#undef X
	SL_REFUSED_LAST
};

/* In words; of a negative value the errno's. */
const char *sl_refusal_text(int result);

/* Bytes of a peer or of a store: s is not terminated; NULL means null where that has a meaning. */
struct sl_str {
	const char *s;
	size_t len;
};

struct sl_uuid {
	uint8_t b[16]; /* in the order of the wire */
};

static inline bool sl_uuid_equal(const struct sl_uuid *a, const struct sl_uuid *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline bool sl_uuid_zero(const struct sl_uuid *a)
{
	return sl_uuid_equal(a, &(struct sl_uuid){0});
}

#endif
