/* SPDX-License-Identifier: Apache-2.0 */
/* Records out of batches, under every codec; batches out of records. */
#include <errno.h>
#include <snappy-c.h>
#include <string.h>

#include <sluice/bytes.h>

#include "harness.h"
#include "stores/topics/topics.h"

enum { RECORDS = 200 };

/* What record @i holds; some keys and values are null or empty. */
static struct sl_record record_of(int i, uint8_t *buf)
{
	struct sl_record r = {.time_ms = 5000 + i % 7 * 100 - i};
	size_t len = (size_t)(i * 37 % 900);

	for (size_t k = 0; k < len; k++)
		buf[k] = (uint8_t)(k * (size_t)(i + 1) >> 3);
	r.value = i % 11 == 3 ? NULL : buf;
	r.value_bytes = r.value ? len : 0;
	r.key = i % 5 ? (const uint8_t *)"key" : NULL;
	r.key_bytes = r.key ? (size_t)(i % 4) : 0;
	return r;
}

static const struct sl_record_header headers[] = {
	{(const uint8_t *)"a", (const uint8_t *)"one", 1, 3},
	{(const uint8_t *)"bb", NULL, 2, 0},
};

static uint8_t *make_batch(enum sl_codec codec, int n, size_t *ret_len)
{
	struct sl_batch_builder *b;
	uint8_t buf[1024], *copy;
	const uint8_t *p;

	ASSERT_EQ(0, sl_batch_builder_new(codec, &b));
	for (int i = 0; i < n; i++) {
		struct sl_record r = record_of(i, buf);

		ASSERT_EQ(0, sl_batch_builder_add(b, &r, headers, (uint32_t)(i % 3)));
	}
	ASSERT_EQ(0, sl_batch_builder_finish(b, &p, ret_len));
	copy = malloc(*ret_len);
	ASSERT_NE(NULL, copy);
	memcpy(copy, p, *ret_len);
	sl_batch_kind.place(copy, 1000, 0);
	sl_batch_builder_free(b);
	return copy;
}

static void expect_headers(struct sl_record *r, int n)
{
	struct sl_record_header h;

	for (int i = 0; i < n; i++) {
		ASSERT_EQ(1, sl_record_header_next(r, &h));
		EXPECT_EQ(headers[i].key_bytes, h.key_bytes);
		EXPECT_MEMEQ(headers[i].key, h.key, h.key_bytes);
		EXPECT_EQ(headers[i].value_bytes, h.value_bytes);
		EXPECT_EQ(headers[i].value == NULL, h.value == NULL);
	}
	EXPECT_EQ(0, sl_record_header_next(r, &h));
}

static void expect_record(struct sl_record *seen, int i)
{
	uint8_t buf[1024];
	struct sl_record want = record_of(i, buf);

	EXPECT_EQ(1000 + i, seen->offset);
	EXPECT_EQ(want.time_ms, seen->time_ms);
	EXPECT_EQ(want.key == NULL, seen->key == NULL);
	ASSERT_EQ(want.key_bytes, seen->key_bytes);
	EXPECT_EQ(want.value == NULL, seen->value == NULL);
	ASSERT_EQ(want.value_bytes, seen->value_bytes);
	if (want.value_bytes)
		EXPECT_MEMEQ(want.value, seen->value, want.value_bytes);
	expect_headers(seen, i % 3);
}

FIXTURE(codec)
{
	uint8_t *p;
	size_t len;
};
FIXTURE_VARIANT(codec)
{
	enum sl_codec codec;
};
FIXTURE_VARIANT_ADD(codec, none){SL_CODEC_NONE};
FIXTURE_VARIANT_ADD(codec, gzip){SL_CODEC_GZIP};
FIXTURE_VARIANT_ADD(codec, snappy){SL_CODEC_SNAPPY};
FIXTURE_VARIANT_ADD(codec, lz4){SL_CODEC_LZ4};
FIXTURE_VARIANT_ADD(codec, zstd){SL_CODEC_ZSTD};
FIXTURE_SETUP(codec)
{
	self->p = make_batch(variant->codec, RECORDS, &self->len);
}
FIXTURE_TEARDOWN(codec)
{
	free(self->p);
}

TEST_F(codec, gives_back_what_was_put_in)
{
	struct sl_records *records;
	struct sl_record r;

	ASSERT_EQ(0, sl_records_open(self->p, self->len, 4096, &records));
	for (int i = 0; i < RECORDS; i++) {
		ASSERT_EQ(1, sl_records_next(records, &r));
		expect_record(&r, i);
	}
	EXPECT_EQ(0, sl_records_next(records, &r));
	EXPECT_EQ(0, sl_records_next(records, &r));
	sl_records_close(records);
}

TEST_F(codec, times_alone_need_no_memory_for_values)
{
	struct sl_records *records;
	struct sl_record r;
	uint8_t buf[1024];

	ASSERT_EQ(0, sl_records_open(self->p, self->len, 0, &records));
	for (int i = 0; i < RECORDS; i++) {
		ASSERT_EQ(1, sl_records_next_time(records, &r));
		EXPECT_EQ(1000 + i, r.offset);
		EXPECT_EQ(record_of(i, buf).time_ms, r.time_ms);
	}
	EXPECT_EQ(0, sl_records_next_time(records, &r));
	sl_records_close(records);
}

TEST_F(codec, record_above_the_limit_is_refused)
{
	struct sl_records *records;
	struct sl_record r;
	int rc, n = 0;

	ASSERT_EQ(0, sl_records_open(self->p, self->len, 300, &records));
	while ((rc = sl_records_next(records, &r)) == 1)
		n++;
	EXPECT_EQ(-E2BIG, rc);
	EXPECT_LT(0, n);
	sl_records_close(records);
}

/* Reads all there is. Return: records, or -errno. */
static int read_all(const uint8_t *p, size_t len)
{
	struct sl_records *records;
	struct sl_record r;
	int rc = sl_records_open(p, len, 4096, &records), n = 0;

	if (rc)
		return rc;
	while ((rc = sl_records_next(records, &r)) == 1)
		n++;
	sl_records_close(records);
	return rc ? rc : n;
}

TEST_F(codec, cut_off_contents_are_noticed)
{
	for (size_t n = SL_BATCH_HEADER_BYTES; n < self->len; n += 1 + n / 50) {
		uint8_t *cut = malloc(n); /* exactly: a sanitizer sees what is read behind it */

		ASSERT_NE(NULL, cut);
		memcpy(cut, self->p, n);
		sl_store_be32(cut + SL_BATCH_LENGTH, (uint32_t)n - SL_BATCH_LENGTH_ABOVE);
		EXPECT_EQ(-EBADMSG, read_all(cut, n));
		free(cut);
	}
}

TEST_F(codec, more_contents_than_records_are_noticed)
{
	sl_store_be32(self->p + SL_BATCH_RECORDS, RECORDS - 1);
	EXPECT_EQ(-EBADMSG, read_all(self->p, self->len));
}

TEST_F(codec, flipped_bits_never_lead_astray)
{
	for (int i = 0; i < 2000; i++) {
		size_t at = SL_BATCH_HEADER_BYTES +
			    harness_random() % (self->len - SL_BATCH_HEADER_BYTES);
		uint8_t bit = (uint8_t)(1 << harness_random() % 8);
		int rc;

		self->p[at] ^= bit;
		rc = read_all(self->p, self->len);
		EXPECT_TRUE(rc == RECORDS || rc == -EBADMSG || rc == -E2BIG);
		self->p[at] ^= bit;
	}
}

TEST(append_time_is_every_records_time)
{
	struct sl_records *records;
	struct sl_record r;
	size_t len;
	uint8_t *p = make_batch(SL_CODEC_ZSTD, 5, &len);

	sl_batch_set_append_time(p, 777);
	ASSERT_EQ(0, sl_records_open(p, len, 4096, &records));
	for (int i = 0; i < 5; i++) {
		ASSERT_EQ(1, sl_records_next(records, &r));
		EXPECT_EQ(777, r.time_ms);
	}
	sl_records_close(records);
	free(p);
}

/* librdkafka sends snappy without Java's frames. */
TEST(snappy_without_frames_is_read_too)
{
	size_t plain_len, len = 4096;
	uint8_t *plain = make_batch(SL_CODEC_NONE, 20, &plain_len);
	uint8_t *p = malloc(SL_BATCH_HEADER_BYTES + 65536);

	len = 65536;
	ASSERT_NE(NULL, p);
	memcpy(p, plain, SL_BATCH_HEADER_BYTES);
	ASSERT_EQ(SNAPPY_OK, snappy_compress((char *)plain + SL_BATCH_HEADER_BYTES,
					     plain_len - SL_BATCH_HEADER_BYTES,
					     (char *)p + SL_BATCH_HEADER_BYTES, &len));
	len += SL_BATCH_HEADER_BYTES;
	sl_store_be16(p + SL_BATCH_ATTRIBUTES, SL_CODEC_SNAPPY);
	sl_store_be32(p + SL_BATCH_LENGTH, (uint32_t)len - SL_BATCH_LENGTH_ABOVE);
	EXPECT_EQ(20, read_all(p, len));
	free(p);
	free(plain);
}

TEST(builder_begins_anew_after_finish)
{
	struct sl_record r = {.value = (const uint8_t *)"x", .value_bytes = 1, .time_ms = 9};
	struct sl_batch_builder *b;
	struct sl_batch batch;
	const uint8_t *p;
	size_t len;

	ASSERT_EQ(0, sl_batch_builder_new(SL_CODEC_NONE, &b));
	for (int round = 0; round < 3; round++) {
		ASSERT_EQ(0, sl_batch_builder_add(b, &r, NULL, 0));
		sl_batch_builder_producer(b, 5, 1, round);
		EXPECT_LT(0, sl_batch_builder_bytes(b));
		ASSERT_EQ(0, sl_batch_builder_finish(b, &p, &len));
		ASSERT_EQ(SL_BATCH_FINE, sl_batch_check(p, len, &batch));
		EXPECT_EQ(1, batch.records);
		EXPECT_EQ(round, batch.sequence);
	}
	sl_batch_builder_free(b);
	EXPECT_EQ(-EINVAL, sl_batch_builder_new(SL_CODEC_LAST, &b));
}

TEST_HARNESS_MAIN
