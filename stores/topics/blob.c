/* SPDX-License-Identifier: Apache-2.0 */
/* blob: see blob_pvt.h. Order of parts: writing; reading. */
#include "blob_pvt.h"

#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

#include <sluice/assert.h>
#include <sluice/util.h>

/* ---- writing ---------------------------------------------------------------------------- */

void blob_done(struct blob_out *b)
{
	free(b->p);
	*b = (struct blob_out){0};
}

static bool blob_grow(struct blob_out *b, size_t len)
{
	size_t cap = sl_max(b->len + len, b->cap * 2);
	uint8_t *p = realloc(b->p, cap);

	if (!p) {
		b->err = -ENOMEM;
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

uint8_t *blob_room(struct blob_out *b, size_t len)
{
	uint8_t *p;

	if (b->err || (b->cap - b->len < len && !blob_grow(b, len)))
		return NULL;
	p = b->p + b->len;
	b->len += len;
	return p;
}

void blob_put(struct blob_out *b, const void *p, size_t len)
{
	uint8_t *room = blob_room(b, len);

	if (room && len)
		memcpy(room, p, len);
}

void blob_put_u16(struct blob_out *b, uint16_t v)
{
	blob_put(b, &v, sizeof(v));
}

void blob_put_u32(struct blob_out *b, uint32_t v)
{
	blob_put(b, &v, sizeof(v));
}

void blob_put_u64(struct blob_out *b, uint64_t v)
{
	blob_put(b, &v, sizeof(v));
}

void blob_put_str(struct blob_out *b, struct sl_str s)
{
	SL_ASSERT(s.len < UINT32_MAX);
	blob_put_u32(b, s.s ? (uint32_t)s.len + 1 : 0);
	if (s.s)
		blob_put(b, s.s, s.len);
}

void blob_begin(struct blob_out *b, const char *magic, uint16_t version)
{
	SL_ASSERT(b->len == 0);
	blob_put(b, magic, BLOB_MAGIC_BYTES);
	blob_put_u16(b, version);
	blob_put_u16(b, version);
	blob_put_u32(b, 0);
}

int blob_end(struct blob_out *b)
{
	if (b->err)
		return b->err;
	SL_ASSERT(b->len >= BLOB_HEADER_BYTES);
	if (b->len > UINT32_MAX - BLOB_SUM_BYTES)
		return b->err = -E2BIG;
	sl_store_le32(b->p + BLOB_MAGIC_BYTES + 4, (uint32_t)(b->len + BLOB_SUM_BYTES));
	blob_put_u64(b, XXH3_64bits(b->p, b->len));
	return b->err;
}

/* ---- reading ---------------------------------------------------------------------------- */

const uint8_t *blob_get(struct blob_in *b, size_t len)
{
	const uint8_t *p = b->p;

	if (b->bad || len > blob_left(b)) {
		b->bad = true;
		return NULL;
	}
	b->p += len;
	return p;
}

uint16_t blob_get_u16(struct blob_in *b)
{
	const uint8_t *p = blob_get(b, 2);

	return p ? sl_load_le16(p) : 0;
}

uint32_t blob_get_u32(struct blob_in *b)
{
	const uint8_t *p = blob_get(b, 4);

	return p ? sl_load_le32(p) : 0;
}

uint64_t blob_get_u64(struct blob_in *b)
{
	const uint8_t *p = blob_get(b, 8);

	return p ? sl_load_le64(p) : 0;
}

struct sl_str blob_get_str(struct blob_in *b)
{
	uint32_t n = blob_get_u32(b);
	const uint8_t *p = n > 0 ? blob_get(b, n - 1) : NULL;

	return p ? (struct sl_str){(const char *)p, n - 1} : (struct sl_str){0};
}

uint32_t blob_get_count(struct blob_in *b, size_t bytes)
{
	uint32_t n = blob_get_u32(b);

	SL_ASSERT(bytes > 0);
	if (n > blob_left(b) / bytes) {
		b->bad = true;
		return 0;
	}
	return n;
}

int blob_open(struct blob_in *b, const void *p, size_t len, const char *magic, uint16_t version)
{
	const uint8_t *bytes = p;

	if (len < BLOB_HEADER_BYTES + BLOB_SUM_BYTES || memcmp(p, magic, BLOB_MAGIC_BYTES) != 0)
		return -EBADMSG;
	if (sl_load_le32(bytes + BLOB_MAGIC_BYTES + 4) != len ||
	    sl_load_le64(bytes + len - BLOB_SUM_BYTES) != XXH3_64bits(p, len - BLOB_SUM_BYTES))
		return -EBADMSG;
	if (sl_load_le16(bytes + BLOB_MAGIC_BYTES + 2) > version)
		return -EPROTONOSUPPORT;
	*b = (struct blob_in){bytes + BLOB_HEADER_BYTES, bytes + len - BLOB_SUM_BYTES, false};
	return 0;
}
