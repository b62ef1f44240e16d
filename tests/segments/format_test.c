/* SPDX-License-Identifier: Apache-2.0 */
/* Headers, slots, footers and names: what was encoded decodes, what was changed does not. */
#include <xxhash.h>

#include "harness.h"
#include "segments/segments_pvt.h"

static const struct seg_header header = {
	.kind = 7,
	.base = 123456789,
	.salt = UINT64_C(0xfeedfacecafebeef),
	.created_ms = 1700000000,
};

static struct seg_slot slot_of(uint64_t seq)
{
	return (struct seg_slot){
		.seq = seq,
		.mark = {.off = header.base + seq, .pos = SEG_DATA + 100 * seq, .time_max = 17,
			 .time_base = header.base, .log_time_max = 19, .log_time_base = 3,
			 .count = 4, .epoch = 9},
		.start = 55,
		.clean = seq % 2,
	};
}

TEST(header_decodes_as_encoded)
{
	uint8_t raw[SEG_SECTOR];
	struct seg_header h;

	seg_header_encode(&header, raw);
	ASSERT_EQ(0, seg_header_decode(raw, &h));
	EXPECT_EQ(header.kind, h.kind);
	EXPECT_EQ(header.base, h.base);
	EXPECT_EQ(header.salt, h.salt);
	EXPECT_EQ(header.created_ms, h.created_ms);
}

TEST(header_with_any_bit_flipped_is_refused)
{
	uint8_t raw[SEG_SECTOR];
	struct seg_header h;

	seg_header_encode(&header, raw);
	for (int i = 0; i < SEG_SECTOR * 8; i++) {
		raw[i / 8] ^= (uint8_t)(1 << i % 8);
		if (!EXPECT_EQ(-EBADMSG, seg_header_decode(raw, &h)))
			TH_LOG("bit %d", i);
		raw[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

TEST(header_of_a_newer_format_is_told_apart)
{
	uint8_t raw[SEG_SECTOR];
	struct seg_header h;

	seg_header_encode(&header, raw);
	sl_store_le32(raw + 8, SEG_VERSION + 1);
	sl_store_le64(raw + 504, XXH3_64bits_withSeed(raw, 504, 0));
	EXPECT_EQ(0, seg_header_decode(raw, &h)); /* newer, but still to be read by this one */
	sl_store_le32(raw + 12, SEG_VERSION + 1);
	sl_store_le64(raw + 504, XXH3_64bits_withSeed(raw, 504, 0));
	EXPECT_EQ(-EPROTONOSUPPORT, seg_header_decode(raw, &h));
}

TEST(slot_decodes_only_with_its_salt)
{
	struct seg_slot in = slot_of(3), out;
	uint8_t raw[SEG_SECTOR];

	seg_slot_encode(&in, header.salt, raw);
	ASSERT_EQ(0, seg_slot_decode(raw, header.salt, &out));
	EXPECT_EQ(in.mark.pos, out.mark.pos);
	EXPECT_EQ(in.mark.off, out.mark.off);
	EXPECT_EQ(in.mark.time_base, out.mark.time_base);
	EXPECT_EQ(in.mark.log_time_max, out.mark.log_time_max);
	EXPECT_EQ(in.mark.log_time_base, out.mark.log_time_base);
	EXPECT_EQ(in.mark.count, out.mark.count);
	EXPECT_EQ(in.mark.epoch, out.mark.epoch);
	EXPECT_EQ(in.start, out.start);
	EXPECT_TRUE(out.clean);
	EXPECT_EQ(-EBADMSG, seg_slot_decode(raw, header.salt + 1, &out));
	for (int i = 0; i < SEG_SECTOR * 8; i++) {
		raw[i / 8] ^= (uint8_t)(1 << i % 8);
		EXPECT_EQ(-EBADMSG, seg_slot_decode(raw, header.salt, &out));
		raw[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

FIXTURE(block)
{
	uint8_t raw[SEG_DATA];
	struct seg_header h;
	struct seg_slot s;
};
FIXTURE_SETUP(block)
{
	struct seg_slot s3 = slot_of(3), s4 = slot_of(4);

	seg_block_encode(&header, &s3, self->raw);
	seg_slot_encode(&s4, header.salt, self->raw + seg_slot_at(4));
}
FIXTURE_TEARDOWN(block)
{
}

TEST_F(block, later_slot_wins)
{
	ASSERT_EQ(0, seg_block_decode(self->raw, &self->h, &self->s));
	EXPECT_EQ(4, self->s.seq);
	EXPECT_EQ(header.base, self->h.base);
}

TEST_F(block, destroyed_slot_leaves_the_other)
{
	self->raw[seg_slot_at(4) + 20] ^= 4;
	ASSERT_EQ(0, seg_block_decode(self->raw, &self->h, &self->s));
	EXPECT_EQ(3, self->s.seq);
	self->raw[seg_slot_at(3) + 20] ^= 4;
	ASSERT_EQ(0, seg_block_decode(self->raw, &self->h, &self->s));
	EXPECT_EQ(0, self->s.seq);
}

TEST_F(block, destroyed_header_leaves_the_copy)
{
	memset(self->raw, 0xff, 100);
	ASSERT_EQ(0, seg_block_decode(self->raw, &self->h, &self->s));
	EXPECT_EQ(header.salt, self->h.salt);
	EXPECT_EQ(4, self->s.seq);
	self->raw[SEG_COPY]++;
	EXPECT_EQ(-EBADMSG, seg_block_decode(self->raw, &self->h, &self->s));
}

TEST(footer_decodes_as_encoded_and_not_otherwise)
{
	struct seg_footer f = {.kind = 7, .epoch = 3, .salt = 11, .base = 5, .next = 10,
			       .bytes = 5000, .count = 2, .time_max = -1, .time_base = 0};
	struct seg_footer out;
	uint8_t raw[SEG_FOOTER];

	seg_footer_encode(&f, raw);
	ASSERT_EQ(0, seg_footer_decode(raw, &out));
	EXPECT_EQ(f.kind, out.kind);
	EXPECT_EQ(f.epoch, out.epoch);
	EXPECT_EQ(f.salt, out.salt);
	EXPECT_EQ(f.base, out.base);
	EXPECT_EQ(f.next, out.next);
	EXPECT_EQ(f.bytes, out.bytes);
	EXPECT_EQ(f.count, out.count);
	EXPECT_EQ(f.time_max, out.time_max);
	for (int i = 0; i < SEG_FOOTER * 8; i++) {
		raw[i / 8] ^= (uint8_t)(1 << i % 8);
		EXPECT_EQ(-EBADMSG, seg_footer_decode(raw, &out));
		raw[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

TEST(names_are_parsed_strictly)
{
	static const char *const bad[] = {
		"", "1.log", "0000000000000000000a.log", "00000000000000000001.log.tmp",
		"00000000000000000001", "99999999999999999999.log", "00000000000000000001.idxx"};
	enum seg_suffix suffix;
	char name[SEG_NAME];
	uint64_t base;

	seg_name(name, UINT64_MAX, SEG_INDEX);
	EXPECT_STREQ("18446744073709551615.idx", name);
	ASSERT_TRUE(seg_name_parse(name, &base, &suffix));
	EXPECT_EQ(UINT64_MAX, base);
	EXPECT_EQ(SEG_INDEX, suffix);
	for (size_t i = 0; i < SL_ARRAY_SIZE(bad); i++)
		if (!EXPECT_FALSE(seg_name_parse(bad[i], &base, &suffix)))
			TH_LOG("%s", bad[i]);
}

TEST_HARNESS_MAIN
