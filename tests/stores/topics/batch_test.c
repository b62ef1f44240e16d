/* SPDX-License-Identifier: Apache-2.0 */
/* Batch headers: checksums, checks, framing, LogAppendTime. */
#include <errno.h>
#include <string.h>

#include <sluice/bytes.h>

#include "harness.h"
#include "stores/topics/topics.h"

/* A batch of three records in own memory. */
static uint8_t *make_batch(enum sl_codec codec, size_t *ret_len)
{
	struct sl_batch_builder *b;
	const uint8_t *p;
	uint8_t *copy;

	ASSERT_EQ(0, sl_batch_builder_new(codec, &b));
	for (int i = 0; i < 3; i++) {
		struct sl_record r = {.time_ms = 1000 + i,
				      .value = (const uint8_t *)"value",
				      .value_bytes = 5};

		ASSERT_EQ(0, sl_batch_builder_add(b, &r, NULL, 0));
	}
	ASSERT_EQ(0, sl_batch_builder_finish(b, &p, ret_len));
	copy = malloc(*ret_len);
	ASSERT_NE(NULL, copy);
	memcpy(copy, p, *ret_len);
	sl_batch_builder_free(b);
	return copy;
}

/* Makes the checksum right again after a change. */
static void resum(uint8_t *p, size_t len)
{
	sl_store_be32(p + SL_BATCH_CRC,
		      sl_crc32c(0, p + SL_BATCH_ATTRIBUTES, len - SL_BATCH_ATTRIBUTES));
}

TEST(store_gives_back_what_load_took)
{
	uint8_t out[SL_BATCH_HEADER_BYTES];
	struct sl_batch b;
	size_t len;
	uint8_t *p = make_batch(SL_CODEC_NONE, &len);

	sl_batch_load(p, &b);
	sl_batch_store(out, &b);
	EXPECT_MEMEQ(p, out, sizeof(out));
	EXPECT_EQ(3, b.records);
	EXPECT_EQ(1000, b.time_first);
	EXPECT_EQ(1002, b.time_max);
	EXPECT_EQ(-1, b.producer_id);
	EXPECT_EQ(len, sl_batch_bytes(&b));
	free(p);
}

TEST(whole_batch_is_fine)
{
	for (unsigned codec = 0; codec < SL_CODEC_LAST; codec++) {
		struct sl_batch b;
		size_t len;
		uint8_t *p = make_batch(codec, &len);

		EXPECT_EQ(SL_BATCH_FINE, sl_batch_check(p, len, &b));
		free(p);
	}
}

TEST(every_flipped_bit_is_noticed)
{
	size_t len;
	uint8_t *p = make_batch(SL_CODEC_NONE, &len);
	struct sl_batch b;

	/* Base offset and leader epoch are ours to write, and outside the checksum. */
	for (size_t i = SL_BATCH_LENGTH; i < len; i++) {
		if (i >= SL_BATCH_EPOCH && i < SL_BATCH_MAGIC)
			continue;
		for (int bit = 0; bit < 8; bit++) {
			p[i] ^= (uint8_t)(1 << bit);
			if (!EXPECT_NE(SL_BATCH_FINE, sl_batch_check(p, len, &b)))
				TH_LOG("byte %zu bit %d", i, bit);
			p[i] ^= (uint8_t)(1 << bit);
		}
	}
	free(p);
}

TEST(every_shorter_batch_is_short)
{
	struct sl_batch b;
	size_t len;
	uint8_t *p = make_batch(SL_CODEC_NONE, &len);

	for (size_t n = 0; n < len; n++)
		EXPECT_EQ(SL_BATCH_SHORT, sl_batch_check(p, n, &b));
	free(p);
}

FIXTURE(faults)
{
	uint8_t *p;
	size_t len;
};
FIXTURE_SETUP(faults)
{
	self->p = make_batch(SL_CODEC_NONE, &self->len);
}
FIXTURE_TEARDOWN(faults)
{
	free(self->p);
}

static void expect_fault(uint8_t *p, size_t len, enum sl_batch_fault fault)
{
	struct sl_batch b;

	resum(p, len);
	EXPECT_EQ(fault, sl_batch_check(p, len, &b));
	EXPECT_NE(NULL, sl_batch_fault_text(fault));
}

TEST_F(faults, older_magics_are_told_apart)
{
	self->p[SL_BATCH_MAGIC] = 0;
	expect_fault(self->p, self->len, SL_BATCH_OLD_MAGIC);
	self->p[SL_BATCH_MAGIC] = 1;
	expect_fault(self->p, self->len, SL_BATCH_OLD_MAGIC);
	self->p[SL_BATCH_MAGIC] = 3;
	expect_fault(self->p, self->len, SL_BATCH_BAD_MAGIC);
}

TEST_F(faults, lengths_that_lie)
{
	sl_store_be32(self->p + SL_BATCH_LENGTH, (uint32_t)self->len - 13);
	expect_fault(self->p, self->len, SL_BATCH_TRAILING);
	sl_store_be32(self->p + SL_BATCH_LENGTH, 48);
	expect_fault(self->p, self->len, SL_BATCH_BAD_LENGTH);
	sl_store_be32(self->p + SL_BATCH_LENGTH, UINT32_MAX);
	expect_fault(self->p, self->len, SL_BATCH_BAD_LENGTH);
	sl_store_be32(self->p + SL_BATCH_LENGTH, INT32_MAX);
	expect_fault(self->p, self->len, SL_BATCH_SHORT);
}

TEST_F(faults, counts_that_disagree)
{
	sl_store_be32(self->p + SL_BATCH_RECORDS, 4);
	expect_fault(self->p, self->len, SL_BATCH_BAD_COUNT);
	sl_store_be32(self->p + SL_BATCH_RECORDS, 0);
	sl_store_be32(self->p + SL_BATCH_LAST_DELTA, UINT32_MAX);
	expect_fault(self->p, self->len, SL_BATCH_BAD_COUNT);
	sl_store_be32(self->p + SL_BATCH_RECORDS, UINT32_MAX);
	expect_fault(self->p, self->len, SL_BATCH_BAD_COUNT);
	sl_store_be32(self->p + SL_BATCH_RECORDS, 1U << 31);
	sl_store_be32(self->p + SL_BATCH_LAST_DELTA, INT32_MAX);
	expect_fault(self->p, self->len, SL_BATCH_BAD_COUNT);
}

TEST_F(faults, attributes_that_are_not_the_producers)
{
	for (uint16_t codec = SL_CODEC_LAST; codec <= SL_BATCH_CODEC_MASK; codec++) {
		sl_store_be16(self->p + SL_BATCH_ATTRIBUTES, codec);
		expect_fault(self->p, self->len, SL_BATCH_BAD_CODEC);
	}
	for (int bit = 4; bit < 16; bit++) {
		sl_store_be16(self->p + SL_BATCH_ATTRIBUTES, (uint16_t)(1 << bit));
		expect_fault(self->p, self->len, SL_BATCH_BAD_ATTRIBUTES);
	}
	sl_store_be16(self->p + SL_BATCH_ATTRIBUTES, SL_BATCH_APPEND_TIME);
	expect_fault(self->p, self->len, SL_BATCH_BAD_TIME);
}

TEST_F(faults, times_below_none)
{
	sl_store_be64(self->p + SL_BATCH_TIME_MAX, (uint64_t)-2);
	expect_fault(self->p, self->len, SL_BATCH_BAD_TIME);
	sl_store_be64(self->p + SL_BATCH_TIME_MAX, (uint64_t)-1);
	expect_fault(self->p, self->len, SL_BATCH_FINE);
}

TEST_F(faults, producers_without_sequence)
{
	sl_store_be64(self->p + SL_BATCH_PRODUCER_ID, 7);
	expect_fault(self->p, self->len, SL_BATCH_BAD_PRODUCER);
	sl_store_be16(self->p + SL_BATCH_PRODUCER_EPOCH, 0);
	expect_fault(self->p, self->len, SL_BATCH_BAD_PRODUCER);
	sl_store_be32(self->p + SL_BATCH_SEQUENCE, 0);
	expect_fault(self->p, self->len, SL_BATCH_FINE);
	sl_store_be64(self->p + SL_BATCH_PRODUCER_ID, (uint64_t)-2);
	expect_fault(self->p, self->len, SL_BATCH_BAD_PRODUCER);
}

TEST(kind_places_outside_the_checksum)
{
	struct sl_frame f;
	struct sl_batch b;
	size_t len;
	uint8_t *p = make_batch(SL_CODEC_LZ4, &len);

	sl_batch_kind.place(p, 123456789, 42);
	EXPECT_EQ(SL_BATCH_FINE, sl_batch_check(p, len, &b));
	ASSERT_EQ(0, sl_batch_kind.frame(p, &f));
	EXPECT_EQ(123456789, f.base);
	EXPECT_EQ(42, f.epoch);
	EXPECT_EQ(3, f.records);
	EXPECT_EQ(len, f.bytes);
	EXPECT_EQ(1002, f.time_max);
	EXPECT_EQ(f.sum, sl_batch_kind.sum(0, p + f.sum_from, len - f.sum_from));
	sl_batch_kind.unplace(p);
	EXPECT_EQ(-EBADMSG, sl_batch_kind.frame(p, &f));
	sl_batch_kind.place(p, 0, 0);
	EXPECT_EQ(0, sl_batch_kind.frame(p, &f));
	free(p);
}

/* Whatever the length: the new checksum follows from the old one and the header alone. */
TEST(append_time_keeps_the_checksum_right)
{
	for (size_t len = SL_BATCH_HEADER_BYTES; len < 3000; len += 1 + len / 7) {
		uint8_t *p = malloc(len);
		struct sl_batch b;

		ASSERT_NE(NULL, p);
		for (size_t i = 0; i < len; i++)
			p[i] = (uint8_t)harness_random();
		sl_store_be32(p + SL_BATCH_LENGTH, (uint32_t)len - SL_BATCH_LENGTH_ABOVE);
		sl_store_be16(p + SL_BATCH_ATTRIBUTES, SL_CODEC_ZSTD);
		resum(p, len);
		sl_batch_set_append_time(p, 1234567890123);
		sl_batch_load(p, &b);
		EXPECT_EQ(1234567890123, b.time_max);
		EXPECT_EQ(SL_CODEC_ZSTD | SL_BATCH_APPEND_TIME, b.attributes);
		EXPECT_EQ(b.crc, sl_crc32c(0, p + SL_BATCH_ATTRIBUTES, len - SL_BATCH_ATTRIBUTES));
		free(p);
	}
}

TEST_HARNESS_MAIN
