/* SPDX-License-Identifier: Apache-2.0 */
/* varint: the zigzag variable-length integers inside Kafka's record batches. */
#ifndef STORES_TOPICS_VARINT_PVT_H
#define STORES_TOPICS_VARINT_PVT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VARINT_BYTES_MAX 10

/* Bytes yet to be read; end is behind the last. */
struct cursor {
	const uint8_t *p, *end;
};

static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->p);
}

/* Takes a number off @c; false, with @c anywhere, if it is cut off or exceeds 64 bits. */
static inline bool varint_get(struct cursor *c, int64_t *ret_v)
{
	uint64_t u = 0;

	for (unsigned shift = 0; shift < 64 && c->p < c->end; shift += 7) {
		uint8_t b = *c->p++;

		if (shift == 63 && b > 1)
			return false;
		u |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80)) {
			*ret_v = (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
			return true;
		}
	}
	return false;
}

/* Writes @v at @p, at most VARINT_BYTES_MAX bytes. Returns their number. */
static inline size_t varint_put(uint8_t *p, int64_t v)
{
	uint64_t u = (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
	size_t n = 0;

	while (u >= 0x80) {
		p[n++] = (uint8_t)(u | 0x80);
		u >>= 7;
	}
	p[n++] = (uint8_t)u;
	return n;
}

/* A length and as many bytes; a length of -1 is null. */
static inline bool varint_get_bytes(struct cursor *c, const uint8_t **ret_p, size_t *ret_len)
{
	int64_t n;

	if (!varint_get(c, &n) || n < -1 || n > (int64_t)cursor_left(c))
		return false;
	*ret_p = n < 0 ? NULL : c->p;
	*ret_len = n < 0 ? 0 : (size_t)n;
	c->p += *ret_len;
	return true;
}

#endif
