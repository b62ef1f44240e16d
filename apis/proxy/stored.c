/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of a stored response, as it lies in the cache.
 *
 * Interface: stored.h. The cache verifies that it reads what was written; here is checked that this
 * was a head, for a folder may hold what another version wrote.
 */
#include "stored.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* Little-endian, as all of sluice's formats. */
struct head {
	uint8_t magic[4];
	uint32_t kind;
	uint32_t status, flags;
	int64_t born_ms;
	int64_t fresh_s, swr_s, sie_s;
	uint64_t generation, bytes, slice_bytes;
	uint64_t fields_n;
};
_Static_assert(sizeof(struct head) == 80, "of the format");
_Static_assert(offsetof(struct head, born_ms) == 16, "of the format");
_Static_assert(offsetof(struct head, generation) == 48, "of the format");

static const uint8_t magic[4] = {'H', 'T', 'P', '1'};

void stored_write(const struct stored *s, struct sl_text *t)
{
	struct head h = {
		.kind = s->kind,
		.status = s->caching.status,
		.flags = s->caching.flags,
		.born_ms = s->caching.born_ms,
		.fresh_s = s->caching.fresh_s,
		.swr_s = s->caching.swr_s,
		.sie_s = s->caching.sie_s,
		.generation = s->generation,
		.bytes = s->bytes,
		.slice_bytes = s->slice_bytes,
		.fields_n = s->fields.n,
	};

	memcpy(h.magic, magic, sizeof(magic));
	sl_text_put(t, &h, sizeof(h));
	sl_text_put(t, s->fields.p, s->fields.n);
}

int stored_read(const void *meta, size_t n, struct stored *ret_s)
{
	struct head h;

	if (n < sizeof(h))
		return -EBADMSG;
	memcpy(&h, meta, sizeof(h));
	if (memcmp(h.magic, magic, sizeof(magic)) || h.fields_n != n - sizeof(h) ||
	    h.kind < STORED_WHOLE || h.kind > STORED_SLICE || h.status > 599)
		return -EBADMSG;
	if (h.kind == STORED_SLICED && (!h.slice_bytes || !h.bytes))
		return -EBADMSG;
	if (h.kind <= STORED_SLICED && h.kind != STORED_VARIES && h.status < 200)
		return -EBADMSG;
	*ret_s = (struct stored){
		.kind = h.kind,
		.generation = h.generation,
		.bytes = h.bytes,
		.slice_bytes = h.slice_bytes,
		.caching =
			{
				.born_ms = h.born_ms,
				.fresh_s = h.fresh_s,
				.swr_s = h.swr_s,
				.sie_s = h.sie_s,
				.flags = h.flags,
				.status = h.status,
			},
		.fields = {(const char *)meta + sizeof(h), n - sizeof(h)},
	};
	return 0;
}
