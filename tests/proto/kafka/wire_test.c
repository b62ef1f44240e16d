// SPDX-License-Identifier: Apache-2.0
/* Primitives: known bytes, both directions, the ends of the input and of the output. */
#include <string.h>

#include "harness.h"
#include "proto/kafka/wire.h"

static struct kafka_in in_of(const void *p, size_t n)
{
	struct kafka_in in;

	kafka_in_init(&in, p, n);
	return in;
}

TEST(integers_are_big_endian)
{
	static const uint8_t wire[] = {0xfe, 0xff, 0xfe, 0x80, 0x01, 0x00, 0x00, 0x01, 0x02,
				       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd, 0x02};
	uint8_t buf[sizeof(wire)];
	struct kafka_in in = in_of(wire, sizeof(wire));
	struct kafka_out out;

	EXPECT_EQ(-2, kafka_get_i8(&in));
	EXPECT_EQ(-2, kafka_get_i16(&in));
	EXPECT_EQ(0x8001, kafka_get_u16(&in));
	EXPECT_EQ(0x0102, kafka_get_i32(&in));
	EXPECT_EQ(-3, kafka_get_i64(&in));
	EXPECT_TRUE(kafka_get_bool(&in));
	EXPECT_EQ(0, in.err);
	EXPECT_EQ(0, kafka_in_left(&in));

	kafka_out_init(&out, buf, sizeof(buf));
	kafka_put_i8(&out, -2);
	kafka_put_i16(&out, -2);
	kafka_put_u16(&out, 0x8001);
	kafka_put_i32(&out, 0x0102);
	kafka_put_i64(&out, -3);
	kafka_put_i8(&out, 2);
	ASSERT_EQ(0, out.err);
	EXPECT_MEMEQ(wire, buf, sizeof(wire));
}

TEST(floats_and_uuids_round_trip)
{
	struct kafka_uuid id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
	static const uint8_t one_and_a_half[] = {0x3f, 0xf8, 0, 0, 0, 0, 0, 0};
	uint8_t buf[24];
	struct kafka_out out;
	struct kafka_in in;

	kafka_out_init(&out, buf, sizeof(buf));
	kafka_put_f64(&out, 1.5);
	kafka_put_uuid(&out, id);
	EXPECT_MEMEQ(one_and_a_half, buf, 8);
	EXPECT_MEMEQ(id.b, buf + 8, 16);
	in = in_of(buf, sizeof(buf));
	EXPECT_EQ(1.5, kafka_get_f64(&in));
	EXPECT_TRUE(kafka_uuid_eq(id, kafka_get_uuid(&in)));
	EXPECT_FALSE(kafka_uuid_is_zero(id));
	EXPECT_TRUE(kafka_uuid_is_zero((struct kafka_uuid){{0}}));
}

TEST(varints_have_known_bytes)
{
	static const struct {
		uint64_t v;
		uint8_t n, wire[10];
	} known[] = {
		{0, 1, {0}},
		{127, 1, {0x7f}},
		{128, 2, {0x80, 0x01}},
		{300, 2, {0xac, 0x02}},
		{16383, 2, {0xff, 0x7f}},
		{16384, 3, {0x80, 0x80, 0x01}},
		{UINT32_MAX, 5, {0xff, 0xff, 0xff, 0xff, 0x0f}},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(known); i++) {
		uint8_t buf[10];
		struct kafka_out out;
		struct kafka_in in = in_of(known[i].wire, known[i].n);

		kafka_out_init(&out, buf, sizeof(buf));
		kafka_put_uvarint(&out, (uint32_t)known[i].v);
		EXPECT_EQ(known[i].n, out.len);
		EXPECT_EQ(known[i].n, kafka_uvarint_bytes(known[i].v));
		EXPECT_MEMEQ(known[i].wire, buf, known[i].n);
		EXPECT_EQ(known[i].v, kafka_get_uvarint(&in));
		EXPECT_EQ(0, in.err);
		for (size_t cut = 0; cut < known[i].n; cut++) {
			in = in_of(known[i].wire, cut);
			EXPECT_EQ(0, kafka_get_uvarint(&in));
			EXPECT_EQ(-ENODATA, in.err);
		}
	}
}

TEST(zigzag_round_trips_at_every_width)
{
	for (int shift = 0; shift < 64; shift++) {
		for (int sign = 0; sign < 2; sign++) {
			int64_t v = (int64_t)((UINT64_C(1) << shift) - (unsigned)sign);
			uint8_t buf[20];
			struct kafka_out out;
			struct kafka_in in;

			v = sign ? -v : v;
			kafka_out_init(&out, buf, sizeof(buf));
			kafka_put_varlong(&out, v);
			kafka_put_varint(&out, (int32_t)v);
			ASSERT_EQ(0, out.err);
			in = in_of(buf, out.len);
			EXPECT_EQ(v, kafka_get_varlong(&in));
			EXPECT_EQ((int32_t)v, kafka_get_varint(&in));
			EXPECT_EQ(0, in.err);
			EXPECT_EQ(0, kafka_in_left(&in));
		}
	}
}

TEST(varint_that_is_too_long_is_malformed)
{
	static const uint8_t six[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x01};
	static const uint8_t wide[] = {0xff, 0xff, 0xff, 0xff, 0x1f};
	static const uint8_t eleven[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					 0xff, 0xff, 0xff, 0x81, 0x00};
	static const uint8_t wide64[] = {0xff, 0xff, 0xff, 0xff, 0xff,
					 0xff, 0xff, 0xff, 0xff, 0x02};
	struct kafka_in in;

	in = in_of(six, sizeof(six));
	kafka_get_uvarint(&in);
	EXPECT_EQ(-EBADMSG, in.err);
	in = in_of(wide, sizeof(wide));
	kafka_get_uvarint(&in);
	EXPECT_EQ(-EBADMSG, in.err);
	in = in_of(eleven, sizeof(eleven));
	kafka_get_varlong(&in);
	EXPECT_EQ(-EBADMSG, in.err);
	in = in_of(wide64, sizeof(wide64));
	kafka_get_varlong(&in);
	EXPECT_EQ(-EBADMSG, in.err);
}

TEST(strings_and_bytes_in_both_encodings)
{
	static const uint8_t wire[] = {
		0, 2, 'h', 'i', 0xff, 0xff, 3,	  'h',	'i',  0, 1, /* strings */
		0, 0, 0,   1,	'x',  0xff, 0xff, 0xff, 0xff, 2, 'x', 0};
	uint8_t buf[sizeof(wire)];
	struct kafka_out out;
	struct kafka_in in = in_of(wire, sizeof(wire));
	const struct kafka_bytes x = {.p = (const uint8_t *)"x", .n = 1};

	EXPECT_TRUE(kafka_str_eq(KAFKA_STR("hi"), kafka_get_str(&in, false)));
	EXPECT_TRUE(kafka_str_is_null(kafka_get_nullable_str(&in, false)));
	EXPECT_TRUE(kafka_str_eq(KAFKA_STR("hi"), kafka_get_str(&in, true)));
	EXPECT_TRUE(kafka_str_is_null(kafka_get_nullable_str(&in, true)));
	EXPECT_TRUE(kafka_str_eq(KAFKA_STR(""), kafka_get_str(&in, true)));
	EXPECT_EQ(1, kafka_get_bytes(&in, false).n);
	EXPECT_EQ(-1, kafka_get_nullable_bytes(&in, false).n);
	EXPECT_EQ(1, kafka_get_bytes(&in, true).n);
	EXPECT_EQ(-1, kafka_get_nullable_bytes(&in, true).n);
	EXPECT_EQ(0, in.err);

	kafka_out_init(&out, buf, sizeof(buf));
	kafka_put_str(&out, KAFKA_STR("hi"), false);
	kafka_put_nullable_str(&out, KAFKA_STR_NULL, false);
	kafka_put_str(&out, KAFKA_STR("hi"), true);
	kafka_put_nullable_str(&out, KAFKA_STR_NULL, true);
	kafka_put_str(&out, KAFKA_STR(""), true);
	kafka_put_bytes(&out, x, false);
	kafka_put_nullable_bytes(&out, KAFKA_BYTES_NULL, false);
	kafka_put_bytes(&out, x, true);
	kafka_put_nullable_bytes(&out, KAFKA_BYTES_NULL, true);
	ASSERT_EQ(0, out.err);
	EXPECT_EQ(sizeof(wire), out.len);
	EXPECT_MEMEQ(wire, buf, sizeof(wire));
}

TEST(bad_lengths_are_malformed_and_short_ones_wait)
{
	static const uint8_t null_str[] = {0xff, 0xff, 1, 2, 3, 4};
	static const uint8_t negative_str[] = {0xff, 0xfe, 1, 2, 3, 4};
	static const uint8_t negative_bytes[] = {0x80, 0, 0, 0, 1, 2};
	static const uint8_t long_compact[] = {0x81, 0x80, 0x02, 1, 2, 3}; /* 32,768 bytes */
	static const uint8_t short_str[] = {0, 5, 'h', 'i'};
	struct kafka_in in;

	in = in_of(null_str, sizeof(null_str));
	kafka_get_str(&in, false);
	EXPECT_EQ(-EBADMSG, in.err);
	in = in_of(negative_str, sizeof(negative_str));
	kafka_get_nullable_str(&in, false);
	EXPECT_EQ(-EBADMSG, in.err);
	in = in_of(negative_bytes, sizeof(negative_bytes));
	kafka_get_nullable_bytes(&in, false);
	EXPECT_EQ(-EBADMSG, in.err);
	in = in_of(long_compact, sizeof(long_compact));
	kafka_get_nullable_str(&in, true);
	EXPECT_EQ(-EBADMSG, in.err);
	in = in_of(short_str, sizeof(short_str));
	EXPECT_EQ(0, kafka_get_str(&in, false).n);
	EXPECT_EQ(-ENODATA, in.err);
}

TEST(length_of_a_stream_needs_not_be_there)
{
	static const uint8_t head[] = {0x7f, 0xff, 0xff, 0xff};
	struct kafka_in in = in_of(head, sizeof(head));

	EXPECT_EQ(INT32_MAX, kafka_get_len(&in, false));
	EXPECT_EQ(0, in.err);
}

TEST(first_error_stays_and_reads_give_zero)
{
	static const uint8_t wire[] = {0xff, 0xfe, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
	struct kafka_in in = in_of(wire, sizeof(wire));

	kafka_get_nullable_str(&in, false);
	EXPECT_EQ(0, kafka_get_i64(&in));
	EXPECT_EQ(0, kafka_get_uvarint(&in));
	EXPECT_TRUE(kafka_uuid_is_zero(kafka_get_uuid(&in)));
	EXPECT_NULL(kafka_get_raw(&in, 0));
	EXPECT_EQ(-EBADMSG, in.err);
	EXPECT_EQ(0, kafka_in_left(&in));
}

TEST(tags_are_skipped_whatever_they_hold)
{
	static const uint8_t wire[] = {2, 0, 3, 'a', 'b', 'c', 0x80, 0x01, 0, 77};
	static const uint8_t lying[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0};
	static const uint8_t beyond[] = {1, 0, 4, 'a', 'b', 'c'};
	struct kafka_in in = in_of(wire, sizeof(wire));

	kafka_skip_tags(&in);
	EXPECT_EQ(77, kafka_get_i8(&in));
	EXPECT_EQ(0, in.err);
	in = in_of(lying, sizeof(lying));
	kafka_skip_tags(&in);
	EXPECT_EQ(-ENODATA, in.err);
	in = in_of(beyond, sizeof(beyond));
	kafka_skip_tags(&in);
	EXPECT_EQ(-ENODATA, in.err);
}

TEST(output_stops_at_its_capacity)
{
	uint8_t buf[6] = {0, 0, 0, 0, 0, 0xaa};
	struct kafka_out out;

	kafka_out_init(&out, buf, 5);
	kafka_put_i32(&out, 1);
	kafka_put_i16(&out, 2);
	EXPECT_EQ(-ENOBUFS, out.err);
	kafka_put_i8(&out, 3);
	EXPECT_EQ(4, out.len);
	EXPECT_EQ(0xaa, buf[5]);
	EXPECT_EQ(0, buf[4]);
}

TEST(values_that_cannot_be_carried_are_refused)
{
	static char text[KAFKA_STR_BYTES_MAX + 1];
	struct kafka_out out;

	kafka_out_init(&out, NULL, 0);
	kafka_put_str(&out, (struct kafka_str){.p = text, .n = KAFKA_STR_BYTES_MAX}, false);
	EXPECT_EQ(0, out.err);
	EXPECT_EQ(KAFKA_STR_BYTES_MAX + 2, out.len);
	kafka_put_str(&out, (struct kafka_str){.p = text, .n = sizeof(text)}, true);
	EXPECT_EQ(-EINVAL, out.err);
	kafka_out_init(&out, NULL, 0);
	kafka_put_str(&out, KAFKA_STR_NULL, true);
	EXPECT_EQ(-EINVAL, out.err);
	kafka_out_init(&out, NULL, 0);
	kafka_put_bytes(&out, KAFKA_BYTES_NULL, false);
	EXPECT_EQ(-EINVAL, out.err);
}

TEST(records_elsewhere_become_a_split)
{
	uint8_t buf[64];
	struct kafka_split splits[1];
	struct kafka_out out;

	kafka_out_init(&out, buf, sizeof(buf));
	kafka_out_splits(&out, splits, 1);
	kafka_put_records(&out, (struct kafka_records){.n = 1000, .cookie = 42}, true);
	kafka_put_records(&out, (struct kafka_records){.p = (const uint8_t *)"abc", .n = 3}, false);
	kafka_put_records(&out, KAFKA_RECORDS_NULL, false);
	kafka_put_records(&out, (struct kafka_records){.n = 0}, true);
	ASSERT_EQ(0, out.err);
	EXPECT_EQ(2 + 7 + 4 + 1, out.len);
	EXPECT_EQ(1, out.splits_n);
	EXPECT_EQ(1000, out.split_bytes);
	EXPECT_EQ(2, splits[0].at);
	EXPECT_EQ(42, splits[0].cookie);
	EXPECT_EQ(1000, splits[0].n);
	kafka_put_records(&out, (struct kafka_records){.n = 1}, true);
	EXPECT_EQ(-ENOBUFS, out.err);
	EXPECT_EQ(1, out.splits_n);
}

TEST_HARNESS_MAIN
