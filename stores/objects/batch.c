/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch: the log of a collection: how its batches are framed, made and read (docs/format.md).
 *
 * Interface: "batches" of objects_pvt.h. A batch takes one offset for each of its operations, which
 * is also the version of the object that it puts.
 * Invariant: of a batch that was damaged each object that is whole can still be told.
 *
 * Order of parts: framing; keys that are in it; making; reading.
 */
#include <xxhash.h>

#include "objects_pvt.h"

/* ---- framing ---------------------------------------------------------------------------- */

#define BATCH_MAGIC UINT32_C(0x424f4c53) /* "SLOB" */

struct batch_header {
	uint32_t magic;
	uint32_t bytes; /* header included */
	uint64_t base;
	uint32_t epoch;
	uint32_t sum; /* CRC32C of all that follows this field */
	int64_t time_ms;
	uint32_t ops;
	uint32_t entries_sum; /* XXH3, lower half, of the entries */
	uint8_t zero[24];
};
static_assert(sizeof(struct batch_header) == BATCH_HEADER_BYTES, "docs/format.md");
static_assert(offsetof(struct batch_header, time_ms) == 24, "where the sum begins");
static_assert(sizeof(struct batch_entry) == BATCH_ENTRY_BYTES, "docs/format.md");
static_assert(offsetof(struct batch_entry, version) == 16, "docs/format.md");
static_assert(offsetof(struct batch_entry, at) == 24, "docs/format.md");
static_assert(offsetof(struct batch_entry, kind) == 32, "docs/format.md");

/* Where objects begin. */
static size_t table_bytes(uint32_t ops)
{
	return sl_round_up(BATCH_HEADER_BYTES + (size_t)ops * BATCH_ENTRY_BYTES, BATCH_ALIGN);
}

size_t batch_data_at(const struct batch *b)
{
	return table_bytes(b->n);
}

static int kind_frame(const uint8_t *header, struct sl_frame *ret_frame)
{
	struct batch_header h;

	memcpy(&h, header, sizeof(h));
	if (h.magic != BATCH_MAGIC || h.bytes > BATCH_BYTES_MAX || h.ops < 1 ||
	    h.ops > BATCH_OPS_MAX || h.bytes < table_bytes(h.ops) ||
	    h.base > ROW_OFFSET_MASK - BATCH_OPS_MAX)
		return -EBADMSG;
	*ret_frame = (struct sl_frame){
		.base = h.base,
		.bytes = h.bytes,
		.time_max = h.time_ms,
		.records = h.ops,
		.epoch = h.epoch,
		.sum = h.sum,
		.sum_from = offsetof(struct batch_header, time_ms),
	};
	return 0;
}

static void kind_place(uint8_t *header, uint64_t base, uint32_t epoch)
{
	sl_store_le64(header + offsetof(struct batch_header, base), base);
	sl_store_le32(header + offsetof(struct batch_header, epoch), epoch);
}

/* A base that frame() refuses. */
static void kind_unplace(uint8_t *header)
{
	sl_store_le64(header + offsetof(struct batch_header, base), UINT64_MAX);
}

const struct sl_log_kind objects_log_kind = {
	.name = "objects",
	.id = 3,
	.header_bytes = BATCH_HEADER_BYTES,
	.frame = kind_frame,
	.place = kind_place,
	.unplace = kind_unplace,
	.sum = sl_crc32c,
};

/* ---- keys that are in it ---------------------------------------------------------------- */

static void hash_put(uint64_t *hashes, uint32_t mask, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & mask;

	while (hashes[i] && hashes[i] != hash)
		i = (i + 1) & mask;
	hashes[i] = hash;
}

/* Of the operation that comes next. */
static int hash_add(struct batch *b, uint64_t hash)
{
	if (b->n * 2 >= b->mask) {
		uint32_t mask = b->mask ? b->mask * 2 + 1 : 3;
		uint64_t *hashes = calloc((size_t)mask + 1, sizeof(*hashes));

		if (!hashes)
			return -ENOMEM;
		for (uint32_t i = 0; b->hashes && i <= b->mask; i++)
			if (b->hashes[i])
				hash_put(hashes, mask, b->hashes[i]);
		free(b->hashes);
		b->hashes = hashes;
		b->mask = mask;
	}
	hash_put(b->hashes, b->mask, hash);
	return 0;
}

bool batch_has(const struct batch *b, uint64_t hash)
{
	if (!b->hashes)
		return false;
	for (uint32_t i = (uint32_t)hash & b->mask; b->hashes[i]; i = (i + 1) & b->mask)
		if (b->hashes[i] == hash)
			return true;
	return false;
}

/* ---- making ----------------------------------------------------------------------------- */

void batch_done(struct batch *b)
{
	free(b->entries);
	free(b->hashes);
	free(b->data);
	*b = (struct batch){0};
}

static int data_grow(struct batch *b, size_t len)
{
	size_t cap = sl_round_up(sl_max(len, sl_min(b->data_cap * 2, (size_t)(2 * BATCH_BYTES))),
				 BATCH_ALIGN);
	uint8_t *data;

	if (len <= b->data_cap)
		return 0;
	data = aligned_alloc(BATCH_ALIGN, cap);
	if (!data)
		return -ENOMEM;
	if (b->len)
		memcpy(data, b->data, b->len);
	free(b->data);
	b->data = data;
	b->data_cap = cap;
	return 0;
}

int batch_add(struct batch *b, enum batch_op op, const struct sl_filter_key *key, uint64_t version,
	      size_t bytes, uint8_t **ret_room)
{
	size_t len = b->len + sl_round_up(bytes, BATCH_ALIGN);

	SL_ASSERT(b->n < BATCH_OPS_MAX);
	if (bytes > SL_OBJECT_BYTES_MAX)
		return -EMSGSIZE;
	if (b->n == b->cap) {
		uint32_t cap = b->cap ? b->cap * 2 : 1;
		struct batch_entry *entries = realloc(b->entries, cap * sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		b->entries = entries;
		b->cap = cap;
	}
	if (data_grow(b, len) || hash_add(b, key_hash(key)))
		return -ENOMEM;
	b->entries[b->n] = (struct batch_entry){
		.version = version,
		.at = (uint32_t)b->len,
		.bytes = (uint32_t)bytes,
		.kind = (uint8_t)key->kind,
		.op = (uint8_t)op,
	};
	memcpy(b->entries[b->n++].key, key->key, sizeof(key->key));
	if (bytes) {
		memset(b->data + b->len + bytes, 0, len - b->len - bytes);
		*ret_room = b->data + b->len;
	}
	b->len = len;
	return 0;
}

static uint32_t sum_of(const uint8_t *table, size_t n, const struct batch *b)
{
	const size_t from = offsetof(struct batch_header, time_ms);

	return sl_crc32c(sl_crc32c(0, table + from, n - from), b->data, b->len);
}

uint8_t *batch_table(struct batch *b, size_t *ret_n)
{
	size_t n = table_bytes(b->n), entries = (size_t)b->n * BATCH_ENTRY_BYTES;
	struct batch_header h = {.magic = BATCH_MAGIC,
				 .bytes = (uint32_t)(n + b->len),
				 .time_ms = wall_ms(),
				 .ops = b->n};
	uint8_t *table = calloc(1, n);

	if (!table)
		return NULL;
	for (uint32_t i = 0; i < b->n; i++)
		if (b->entries[i].op == BATCH_PUT)
			b->entries[i].at += (uint32_t)n;
	memcpy(table + sizeof(h), b->entries, entries);
	h.entries_sum = (uint32_t)XXH3_64bits(table + sizeof(h), entries);
	memcpy(table, &h, sizeof(h));
	h.sum = sum_of(table, n, b);
	memcpy(table, &h, sizeof(h));
	*ret_n = n;
	return table;
}

int batch_append(struct sl_log *log, struct batch *b, uint64_t *ret_base, int64_t deadline)
{
	size_t n = 0;
	uint8_t *table = batch_table(b, &n);
	struct iovec iov[2] = {{table, n}, {b->data, b->len}};
	struct sl_frame frame;
	int rc;

	if (!table)
		return -ENOMEM;
	rc = kind_frame(table, &frame);
	SL_ASSERT(rc == 0);
	rc = sl_log_append(log, iov, b->len ? 2 : 1, &frame, NULL, ret_base, deadline);
	free(table);
	return sl_min(rc, 0);
}

/* ---- reading ---------------------------------------------------------------------------- */

int batch_read(const uint8_t *p, size_t n, struct sl_frame *ret_frame, const uint8_t **ret_entries,
	       bool *ret_whole)
{
	struct batch_header h;
	size_t from = offsetof(struct batch_header, time_ms);

	if (n < BATCH_HEADER_BYTES || kind_frame(p, ret_frame) || ret_frame->bytes > n)
		return -EBADMSG;
	memcpy(&h, p, sizeof(h));
	*ret_entries = p + BATCH_HEADER_BYTES;
	*ret_whole = sl_crc32c(0, p + from, h.bytes - from) == h.sum;
	if (!*ret_whole &&
	    (uint32_t)XXH3_64bits(*ret_entries, (size_t)h.ops * BATCH_ENTRY_BYTES) != h.entries_sum)
		return -EBADMSG;
	return 0;
}

void entry_load(const uint8_t *entries, uint32_t i, struct batch_entry *ret_entry)
{
	memcpy(ret_entry, entries + (size_t)i * BATCH_ENTRY_BYTES, BATCH_ENTRY_BYTES);
}
