/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that the Kafka protocol has no answer to, one function each (bad_frames.h).
 */
#include <string.h>

#include <sluice/bytes.h>

#include "bad_frames.h"
#include "harness.h"
#include "proto/kafka/codec.h"

const char bad_frames_topic[] = "refuses";

void bytes_put(struct bytes *b, uint64_t value, unsigned bytes)
{
	ASSERT_LE(b->n + bytes, sizeof(b->p));
	while (bytes--)
		b->p[b->n++] = (uint8_t)(value >> (8 * bytes));
}

static void put_text(struct bytes *b, const char *s)
{
	bytes_put(b, strlen(s), 2);
	memcpy(b->p + b->n, s, strlen(s));
	b->n += strlen(s);
}

struct bytes bytes_head(int key, int version)
{
	struct bytes b = {.n = 0};

	bytes_put(&b, 0, 4);
	bytes_put(&b, (uint64_t)key, 2);
	bytes_put(&b, (uint64_t)version, 2);
	bytes_put(&b, 1, 4);
	bytes_put(&b, 0, 2);
	return b;
}

struct bytes bytes_seal(struct bytes b)
{
	sl_store_be32(b.p, (uint32_t)(b.n - 4));
	return b;
}

/* A Produce request, version 3, up to the count of its topics. */
static struct bytes produce_head(int acks, uint32_t topics)
{
	struct bytes b = bytes_head(KAFKA_PRODUCE, 3);

	bytes_put(&b, UINT64_MAX, 2); /* no transactional id */
	bytes_put(&b, (uint64_t)acks, 2);
	bytes_put(&b, 1000, 4);
	bytes_put(&b, topics, 4);
	return b;
}

static struct bytes only_length(uint32_t length)
{
	struct bytes b = {.n = 0};

	bytes_put(&b, length, 4);
	bytes_put(&b, 0x00120000, 4); /* what would be ApiVersions */
	bytes_put(&b, 1, 4);
	return b;
}

static struct bytes longest(void)
{
	return only_length(INT32_MAX);
}

static struct bytes above_limit(void)
{
	return only_length((100 << 20) + 1);
}

static struct bytes zero_length(void)
{
	return only_length(0);
}

static struct bytes negative_length(void)
{
	return only_length(UINT32_MAX);
}

static struct bytes shorter_than_a_header(void)
{
	return only_length(7);
}

static struct bytes header_without_client_id(void)
{
	struct bytes b = bytes_head(KAFKA_METADATA, 1);

	b.n -= 2;
	return bytes_seal(b);
}

static struct bytes client_id_beyond_frame(void)
{
	struct bytes b = bytes_head(KAFKA_METADATA, 1);

	sl_store_be16(b.p + b.n - 2, 5000);
	return bytes_seal(b);
}

static struct bytes unknown_api(void)
{
	return bytes_seal(bytes_head(999, 0));
}

static struct bytes negative_api(void)
{
	return bytes_seal(bytes_head(-1, 0));
}

static struct bytes api_of_brokers_only(void)
{
	return bytes_seal(bytes_head(4, 0));
}

static struct bytes unknown_version(void)
{
	struct bytes b = bytes_head(KAFKA_METADATA, 99);

	bytes_put(&b, 0, 8);
	return bytes_seal(b);
}

static struct bytes negative_version(void)
{
	return bytes_seal(bytes_head(KAFKA_METADATA, -1));
}

static struct bytes produce_version_too_new(void)
{
	struct bytes b = bytes_head(KAFKA_PRODUCE, 99);

	bytes_put(&b, 0, 8);
	return bytes_seal(b);
}

static struct bytes produce_version_too_old(void)
{
	struct bytes b = bytes_head(KAFKA_PRODUCE, 1);

	bytes_put(&b, 0, 8);
	return bytes_seal(b);
}

static struct bytes metadata_count_lies(void)
{
	struct bytes b = bytes_head(KAFKA_METADATA, 1);

	bytes_put(&b, INT32_MAX, 4);
	return bytes_seal(b);
}

static struct bytes metadata_count_negative(void)
{
	struct bytes b = bytes_head(KAFKA_METADATA, 1);

	bytes_put(&b, (uint32_t)-2, 4);
	return bytes_seal(b);
}

static struct bytes metadata_name_beyond_frame(void)
{
	struct bytes b = bytes_head(KAFKA_METADATA, 1);

	bytes_put(&b, 1, 4);
	bytes_put(&b, 300, 2);
	bytes_put(&b, 'x', 1);
	return bytes_seal(b);
}

static struct bytes metadata_null_name(void)
{
	struct bytes b = bytes_head(KAFKA_METADATA, 1);

	bytes_put(&b, 1, 4);
	bytes_put(&b, UINT16_MAX, 2);
	return bytes_seal(b);
}

static struct bytes varint_without_end(void)
{
	struct bytes b = bytes_head(KAFKA_METADATA, 9);

	bytes_put(&b, 0, 1); /* the header's tags */
	bytes_put(&b, UINT64_MAX, 8);
	bytes_put(&b, UINT64_MAX, 8);
	return bytes_seal(b);
}

static struct bytes tags_lie(void)
{
	struct bytes b = bytes_head(KAFKA_METADATA, 9);

	bytes_put(&b, 0xffffff7f, 4); /* so many tagged fields */
	bytes_put(&b, 0, 8);
	return bytes_seal(b);
}

static struct bytes fetch_count_lies(void)
{
	struct bytes b = bytes_head(KAFKA_FETCH, 4);

	bytes_put(&b, UINT32_MAX, 4);
	bytes_put(&b, 0, 4);
	bytes_put(&b, 0, 4);
	bytes_put(&b, 1 << 20, 4);
	bytes_put(&b, 0, 1);
	bytes_put(&b, 0x40000000, 4); /* topics */
	return bytes_seal(b);
}

static struct bytes produce_topics_lie(void)
{
	return bytes_seal(produce_head(-1, INT32_MAX));
}

static struct bytes produce_topics_negative(void)
{
	return bytes_seal(produce_head(-1, (uint32_t)-5));
}

static struct bytes produce_partitions_lie(void)
{
	struct bytes b = produce_head(-1, 1);

	put_text(&b, bad_frames_topic);
	bytes_put(&b, 0x10000000, 4);
	return bytes_seal(b);
}

static struct bytes produce_partitions_negative(void)
{
	struct bytes b = produce_head(-1, 1);

	put_text(&b, bad_frames_topic);
	bytes_put(&b, (uint32_t)-2, 4);
	return bytes_seal(b);
}

static struct bytes produce_records_beyond_frame(void)
{
	struct bytes b = produce_head(-1, 1);

	put_text(&b, bad_frames_topic);
	bytes_put(&b, 1, 4);
	bytes_put(&b, 0, 4);
	bytes_put(&b, 1 << 20, 4);
	bytes_put(&b, 0, 8);
	return bytes_seal(b);
}

static struct bytes produce_records_negative(void)
{
	struct bytes b = produce_head(-1, 1);

	put_text(&b, bad_frames_topic);
	bytes_put(&b, 1, 4);
	bytes_put(&b, 0, 4);
	bytes_put(&b, (uint32_t)-7, 4);
	return bytes_seal(b);
}

static struct bytes produce_bytes_left_over(void)
{
	struct bytes b = produce_head(-1, 0);

	bytes_put(&b, 42, 8);
	return bytes_seal(b);
}

static struct bytes another_protocol(void)
{
	struct bytes b = {.n = 0};

	memcpy(b.p, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35);
	b.n = 35;
	return b;
}

static struct bytes tls_hello(void)
{
	static const uint8_t hello[] = {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3};
	struct bytes b = {.n = sizeof(hello)};

	memcpy(b.p, hello, sizeof(hello));
	return b;
}

#define ROW(f) {#f, f}
const struct bad_frame bad_frames[] = {
	ROW(longest), ROW(above_limit), ROW(zero_length), ROW(negative_length),
	ROW(shorter_than_a_header), ROW(header_without_client_id), ROW(client_id_beyond_frame),
	ROW(unknown_api), ROW(negative_api), ROW(api_of_brokers_only), ROW(unknown_version),
	ROW(negative_version), ROW(produce_version_too_new), ROW(produce_version_too_old),
	ROW(metadata_count_lies), ROW(metadata_count_negative), ROW(metadata_name_beyond_frame),
	ROW(metadata_null_name), ROW(varint_without_end), ROW(tags_lie),
	ROW(fetch_count_lies), ROW(produce_topics_lie), ROW(produce_topics_negative),
	ROW(produce_partitions_lie), ROW(produce_partitions_negative),
	ROW(produce_records_beyond_frame), ROW(produce_records_negative),
	ROW(produce_bytes_left_over), ROW(another_protocol), ROW(tls_hello),
};

const size_t bad_frames_n = sizeof(bad_frames) / sizeof(bad_frames[0]);
