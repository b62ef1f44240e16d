/* SPDX-License-Identifier: Apache-2.0 */
/* What lies on disk: each structure decodes as it was encoded, and not with any one bit changed. */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "stores/cache/cache_pvt.h"

enum { SALT = 12345 };

/* Bits of @data, @n bytes, with which @decode says something else than -EBADMSG or -ENODATA. */
static int bits_unnoticed(uint8_t *data, size_t n, int (*decode)(const uint8_t *data))
{
	int unnoticed = 0;

	EXPECT_EQ(0, decode(data));
	for (size_t i = 0; i < n * 8; i++) {
		data[i / 8] ^= (uint8_t)(1 << i % 8);
		if (decode(data) != -EBADMSG)
			unnoticed++;
		data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	return unnoticed;
}

static int decode_super(const uint8_t *data)
{
	struct super s;
	int err = super_decode(data, &s);

	if (!err) {
		EXPECT_EQ(77, s.seed);
		EXPECT_EQ(8, s.shards);
		EXPECT_EQ(4096, s.block_size);
	}
	return err;
}

TEST(description)
{
	uint8_t data[SUPER_BYTES];

	super_encode(&(struct super){.seed = 77, .shards = 8, .block_size = 4096}, data);
	EXPECT_EQ(0, bits_unnoticed(data, sizeof(data), decode_super));
	/* What could only have come from another program is refused. */
	super_encode(&(struct super){.seed = 77, .shards = 3, .block_size = 4096}, data);
	EXPECT_EQ(-EBADMSG, super_decode(data, &(struct super){0}));
	super_encode(&(struct super){.seed = 77, .shards = 8, .block_size = 512}, data);
	EXPECT_EQ(-EBADMSG, super_decode(data, &(struct super){0}));
}

static const struct device_layout layout = {
	.super = {.seed = 77, .shards = 2, .block_size = 4096},
	.bytes = 512 * SL_MIB,
	.first = 2 * SL_MIB,
	.shard_bytes = 254 * SL_MIB,
	.slot_bytes = 6 * SL_MIB,
	.journal_bytes = SL_MIB,
	.slots = 42,
};

static int decode_layout(const uint8_t *data)
{
	struct device_layout l;
	int err = device_layout_decode(data, &l);

	if (!err) {
		EXPECT_EQ(77, l.super.seed);
		EXPECT_EQ(2, l.super.shards);
		EXPECT_EQ(4096, l.super.block_size);
		EXPECT_EQ(layout.bytes, l.bytes);
		EXPECT_EQ(layout.first, l.first);
		EXPECT_EQ(layout.shard_bytes, l.shard_bytes);
		EXPECT_EQ(layout.slot_bytes, l.slot_bytes);
		EXPECT_EQ(layout.journal_bytes, l.journal_bytes);
		EXPECT_EQ(42, l.slots);
	}
	return err;
}

#define REFUSES(field, value)                                                                      \
	do {                                                                                       \
		struct device_layout l_ = layout;                                                  \
		uint8_t data_[SUPER_BYTES];                                                        \
		l_.field = value;                                                                  \
		device_layout_encode(&l_, data_);                                                  \
		EXPECT_EQ(-EBADMSG, device_layout_decode(data_, &l_));                             \
	} while (0)

TEST(description_of_a_device)
{
	uint8_t data[SUPER_BYTES];

	device_layout_encode(&layout, data);
	EXPECT_EQ(0, bits_unnoticed(data, sizeof(data), decode_layout));
	/* Parts that overlap, or lie behind the end. */
	REFUSES(bytes, 500 * SL_MIB);
	REFUSES(bytes, UINT64_MAX);
	REFUSES(first, 5 * SL_MIB);
	REFUSES(first, 0);
	REFUSES(slots, 43);
	REFUSES(slots, 0);
	REFUSES(slot_bytes, 7 * SL_MIB);
	REFUSES(slot_bytes, 0);
	REFUSES(slot_bytes, 5 * SL_MIB + 4096);
	REFUSES(journal_bytes, 2 * SL_MIB);
	REFUSES(journal_bytes, 512);
	REFUSES(super.shards, 4);
	REFUSES(super.block_size, 1024);
}

static int decode_header(const uint8_t *data)
{
	struct seg_header h;
	int err = cseg_header_decode(data, &h);

	if (!err) {
		EXPECT_EQ(SALT, h.salt);
		EXPECT_EQ(9, h.seq);
		EXPECT_EQ(1, h.region);
		EXPECT_EQ(100, h.index_max);
		EXPECT_TRUE(h.solo);
	}
	return err;
}

static int decode_seal(const uint8_t *data)
{
	struct seg_seal s;
	int err = cseg_seal_decode(data, SALT, &s);

	if (!err) {
		EXPECT_EQ(5000, s.bytes);
		EXPECT_EQ(3, s.records);
		EXPECT_EQ(2, s.durable);
	}
	return err;
}

TEST(segment)
{
	uint8_t data[SEG_SECTOR_BYTES];

	cseg_header_encode(&(struct seg_header){.salt = SALT, .seq = 9, .region = 1,
						.index_max = 100, .solo = true}, data);
	EXPECT_EQ(0, bits_unnoticed(data, sizeof(data), decode_header));
	cseg_seal_encode(&(struct seg_seal){.bytes = 5000, .sum = 1, .records = 3, .durable = 2},
			 SALT, data);
	EXPECT_EQ(0, bits_unnoticed(data, sizeof(data), decode_seal));
	EXPECT_EQ(-EBADMSG, cseg_seal_decode(data, SALT + 1, &(struct seg_seal){0}));
}

static int decode_record(const uint8_t *data)
{
	struct record r;
	int err = record_decode(data, SALT, 4, &r);

	if (!err) {
		EXPECT_EQ(1, r.hash[0]);
		EXPECT_EQ(2, r.hash[1]);
		EXPECT_EQ(3, r.version);
		EXPECT_EQ(10, r.block);
		EXPECT_EQ(2, r.blocks);
		EXPECT_EQ(99, r.expires_s);
		EXPECT_EQ(1, r.durable);
	}
	return err;
}

TEST(record)
{
	struct record r = {{1, 2}, 3, 10, 2, 99, 1};
	uint8_t data[RECORD_BYTES];

	record_encode(&r, SALT, 4, data);
	EXPECT_EQ(0, bits_unnoticed(data, sizeof(data), decode_record));
	/* Not in another place, nor of another file; and nothing is not damage. */
	EXPECT_EQ(-EBADMSG, record_decode(data, SALT, 5, &r));
	EXPECT_EQ(-EBADMSG, record_decode(data, SALT + 9, 4, &r));
	memset(data, 0, sizeof(data));
	EXPECT_EQ(-ENODATA, record_decode(data, SALT, 4, &r));
}

/* A head with its text behind it. */
static uint8_t head[HEAD_BYTES + 13];

static int decode_head(const uint8_t *data)
{
	struct head h;
	int err = head_decode(data, SALT, &h);

	if (!err)
		err = head_text_check(data, SALT, data + HEAD_BYTES);
	if (err)
		return err;
	EXPECT_EQ(100000, h.bytes);
	EXPECT_EQ(7, h.version);
	EXPECT_EQ(4096, h.body_at);
	EXPECT_EQ(4096 + 100000, h.sums_at);
	EXPECT_EQ(4096 + 100000 + 16, head_total(&h));
	EXPECT_EQ(13, head_text_n(&h));
	return 0;
}

TEST(object)
{
	struct head h = {.hash = {1, 2}, .version = 7, .bytes = 100000, .stored_ms = 5,
			 .expires_ms = 6, .key_n = 3, .tags_n = 6, .meta_n = 4};

	head_place(&h, 4096);
	memcpy(head + HEAD_BYTES, "key\4\0tag1meta", 13);
	head_encode(&h, SALT, head + HEAD_BYTES, head);
	EXPECT_EQ(0, bits_unnoticed(head, sizeof(head), decode_head));
	/* Lengths that do not fit each other, with a right sum. */
	h.body_at = 100;
	head_encode(&h, SALT, head + HEAD_BYTES, head);
	EXPECT_EQ(-EBADMSG, head_decode(head, SALT, &h));
}

static int decode_gone(const uint8_t *data)
{
	struct journal_record r;
	int err = journal_record_decode(data, 256, SALT, &r);

	if (!err) {
		EXPECT_EQ(3, r.version);
		EXPECT_EQ(4, r.number);
		EXPECT_EQ(2, r.durable);
		EXPECT_EQ(60, r.n);
		EXPECT_EQ(JOURNAL_TAG, r.type);
	}
	return err;
}

TEST(journal)
{
	struct journal_record r = {.version = 3, .number = 4, .durable = 2, .seq = 1,
				   .type = JOURNAL_TAG, .n = 60};
	uint8_t data[256], text[60] = "text";

	ASSERT_EQ(sizeof(data), journal_record_bytes(60));
	journal_record_encode(&r, SALT, text, data);
	EXPECT_EQ(0, bits_unnoticed(data, sizeof(data), decode_gone));
	EXPECT_EQ(-EBADMSG, journal_record_decode(data, 128, SALT, &r));
}

TEST_HARNESS_MAIN
