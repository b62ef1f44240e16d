/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies on disk (docs/format.md), as structures and as bytes: format.c. Nothing decodes whose
 * sum is wrong, or whose lengths are not within their bounds.
 */
#ifndef STORES_CACHE_FORMAT_H
#define STORES_CACHE_FORMAT_H

#include <string.h>

#include "cache.h"

#define CACHE_SHARDS_MAX 16
#define BODY_BLOCK_BYTES (UINT64_C(64) << 10)
#define BODY_BYTES_MAX (UINT64_C(1) << 40)

enum {
	SEG_HEADER_BYTES = 4096, /* header and seal, before the index */
	SEG_SECTOR_BYTES = 512,
	RECORD_BYTES = 64,
	HEAD_BYTES = 128,
	JOURNAL_HEADER_BYTES = 512,
	SUPER_BYTES = 512,
	TAGS_BYTES_MAX = CACHE_TAGS_MAX * (CACHE_TAG_BYTES_MAX + 2),
	HEAD_TEXT_MAX = CACHE_KEY_BYTES_MAX + TAGS_BYTES_MAX + CACHE_META_BYTES_MAX,
};

/* Of the whole cache; written once. */
struct super {
	uint64_t seed; /* of keys' hashes */
	uint32_t shards;
	uint32_t block_size;
};

void super_encode(const struct super *s, uint8_t out[SUPER_BYTES]);
int super_decode(const uint8_t in[SUPER_BYTES], struct super *ret_super);

/**
 * struct device_layout - how a device is divided (device.c); written once.
 * @bytes: of it that are used. @first: where the first shard's part begins. @shard_bytes: of a
 * part: @slots slots of @slot_bytes, then two areas of @journal_bytes.
 */
struct device_layout {
	struct super super;
	uint64_t bytes, first, shard_bytes, slot_bytes, journal_bytes;
	uint32_t slots;
};

#define DEVICE_SLOT_BYTES_MIN (256 * SL_KIB)
#define DEVICE_JOURNAL_BYTES_MIN (16 * SL_KIB)

void device_layout_encode(const struct device_layout *l, uint8_t out[SUPER_BYTES]);
int device_layout_decode(const uint8_t in[SUPER_BYTES], struct device_layout *ret_layout);

/* @index_max: records that there is room for; objects begin behind it. */
struct seg_header {
	uint64_t salt;
	int64_t created_ms;
	uint32_t shard, seq;
	uint32_t region;
	uint32_t index_max;
	bool solo;
};

void cseg_header_encode(const struct seg_header *h, uint8_t out[SEG_SECTOR_BYTES]);
int cseg_header_decode(const uint8_t in[SEG_SECTOR_BYTES], struct seg_header *ret_header);

/* A segment that nothing is added to any more: bytes, records, and the sum over them. */
struct seg_seal {
	uint64_t bytes;
	uint64_t sum;
	uint32_t records;
	uint32_t durable; /* see struct record */
};

void cseg_seal_encode(const struct seg_seal *s, uint64_t salt, uint8_t out[SEG_SECTOR_BYTES]);
int cseg_seal_decode(const uint8_t in[SEG_SECTOR_BYTES], uint64_t salt, struct seg_seal *ret_seal);

/**
 * struct record - an object of a segment. @block, @blocks: where it lies. @durable: so many objects
 * of the segment were on disk when this was written; of the others only the record may be.
 */
struct record {
	uint64_t hash[2];
	uint64_t version;
	uint32_t block, blocks;
	uint32_t expires_s;
	uint32_t durable;
};

/* The sum is seeded with salt and number, so that a record counts in its own place alone. */
void record_encode(const struct record *r, uint64_t salt, uint32_t number,
		   uint8_t out[RECORD_BYTES]);

/* Whether nothing was written here. */
bool record_is_none(const uint8_t in[RECORD_BYTES]);

/* -ENODATA: nothing was written here; -EBADMSG. */
int record_decode(const uint8_t in[RECORD_BYTES], uint64_t salt, uint32_t number,
		  struct record *ret_record);

/**
 * struct head - what stands before an object's body: HEAD_BYTES, then key, tags and meta.
 * @tags_n: bytes; each tag has its length before it, 16 bits. @body_at, @sums_at: from the head's
 * beginning; sums_at is 0 if the body has one block at most. @body_sum: of the only block, or over
 * the sums of all blocks.
 */
struct head {
	uint64_t hash[2];
	uint64_t version;
	uint64_t bytes;
	int64_t stored_ms, expires_ms;
	uint64_t sums_at, body_sum;
	uint32_t body_at;
	uint32_t key_n, tags_n, meta_n;
};

/* @text: key, tags and meta, which follow @out. */
void head_encode(const struct head *h, uint64_t salt, const uint8_t *text, uint8_t out[HEAD_BYTES]);

/* The fixed part alone; its lengths are within bounds. The text behind it: head_text_check(). */
int head_decode(const uint8_t in[HEAD_BYTES], uint64_t salt, struct head *ret_head);
int head_text_check(const uint8_t in[HEAD_BYTES], uint64_t salt, const uint8_t *text);

static inline uint32_t head_text_n(const struct head *h)
{
	return h->key_n + h->tags_n + h->meta_n;
}

static inline uint64_t body_blocks(uint64_t bytes)
{
	return (bytes + BODY_BLOCK_BYTES - 1) / BODY_BLOCK_BYTES;
}

/* Decides body_at and sums_at of an object whose other lengths are set. */
void head_place(struct head *h, uint32_t block_size);

/*
 * An object has a second place for a head with its text, at half a block, if both fit into halves
 * of a block before its body: there, and back here the next time, its meta can be changed without
 * touching the head that counts until then. The record tells the version that does.
 */
bool head_has_other(const struct head *h, uint32_t block_size);

/* What an object takes from its head's beginning. */
uint64_t head_total(const struct head *h);

/* What the journal keeps of what is gone: objects by hash, or by prefix or tag. */
enum journal_type { JOURNAL_GONE = 1, JOURNAL_BAD, JOURNAL_PREFIX, JOURNAL_TAG, JOURNAL_LAST };

/* @version: this and older ones (GONE, BAD), or older ones (PREFIX, TAG). */
struct journal_record {
	uint64_t hash[2];
	uint64_t version;
	uint64_t number; /* of the record, from 0 */
	uint64_t durable; /* records before this one were on disk when it was written */
	uint32_t seq; /* what it concerns lies in segments up to this one */
	uint32_t type;
	uint32_t n; /* bytes of its text */
};

struct journal_header {
	uint64_t salt;
	uint64_t first; /* number of the first record */
	uint64_t generation; /* of two journals the one with the larger counts; 0: there is one */
};

void journal_header_encode(const struct journal_header *h, uint8_t out[JOURNAL_HEADER_BYTES]);
int journal_header_decode(const uint8_t in[JOURNAL_HEADER_BYTES],
			  struct journal_header *ret_header);

/* A record takes this much, twice in a row. */
uint64_t journal_record_bytes(uint32_t n);
void journal_record_encode(const struct journal_record *r, uint64_t salt, const uint8_t *text,
			   uint8_t *out);
int journal_record_decode(const uint8_t *in, uint64_t in_n, uint64_t salt,
			  struct journal_record *ret_record);

/* Where an encoded record's text begins. */
enum { JOURNAL_TEXT_AT = 72, JOURNAL_ALIGN = 128 };

/* Text of tags: 16-bit length and bytes, one after the other. Return: bytes used, 0 at the end. */
static inline uint32_t tag_next(const uint8_t *p, uint32_t n, struct cache_key *ret_tag)
{
	uint16_t len;

	if (n < 2)
		return 0;
	memcpy(&len, p, 2);
	if ((uint32_t)len + 2 > n)
		return 0;
	*ret_tag = (struct cache_key){p + 2, len};
	return (uint32_t)len + 2;
}

#endif
