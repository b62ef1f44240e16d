/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Malformed and unanswerable requests on the Kafka port: each gets the protocol's own error, after
 * which the connection goes on, or the connection is closed with one logged line; no other client
 * notices, and what it cost is given back.
 *
 * Order of parts: frames that end the connection; batches that are refused; requests that
 * are refused; the shape in which bytes arrive; many of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bad_frames.h"
#include "daemon.h"
#include "harness.h"
#include "neighbour.h"
#include "wire.h"

#define topic bad_frames_topic

/* A daemon with a topic of two partitions, and a connection. */
static void start(struct daemon_kit *d, struct wire *w)
{
	daemon_must_start(d);
	wire_must_open(w, d->kafka_port);
	ASSERT_EQ(0, wire_topic_create(w, topic, 2, NULL));
}

/* ---- frames that end the connection --------------------------------------------------------- */

static void check_fatal(struct daemon_kit *d, size_t i)
{
	struct bytes b = bad_frames[i].make();
	struct wire w;

	wire_must_open(&w, d->kafka_port);
	ASSERT_EQ(0, wire_send(&w, b.p, b.n));
	if (!EXPECT_EQ(0, wire_closed(&w)))
		TH_LOG("%s", bad_frames[i].name);
	wire_close(&w);
}

FIXTURE(protocol)
{
	struct daemon_kit d;
	struct wire w;
};
FIXTURE_VARIANT(protocol)
{
	int cores;
};
FIXTURE_VARIANT_ADD(protocol, one_core){.cores = 1};
FIXTURE_VARIANT_ADD(protocol, two_cores){.cores = 2};
FIXTURE_SETUP(protocol)
{
	daemon_init(&self->d, NULL);
	daemon_set(&self->d, "node.cores=%d", variant->cores);
	daemon_set(&self->d, "bpf.enabled=no"); /* their descriptors come a while after the start */
	start(&self->d, &self->w);
}
FIXTURE_TEARDOWN(protocol)
{
	EXPECT_TRUE(daemon_runs(&self->d));
	wire_close(&self->w);
	EXPECT_EQ(0, daemon_stop(&self->d));
}

TEST_TIMEOUT(broken_frame_closes_connection_with_one_line, 60)
{
	struct daemon_kit d;
	struct wire w;

	daemon_init(&d, NULL);
	start(&d, &w);
	for (size_t i = 0; i < bad_frames_n; i++) {
		unsigned lines = daemon_log_count(&d, "connection.closed");

		check_fatal(&d, i);
		if (!EXPECT_EQ(lines + 1, daemon_log_wait(&d, "connection.closed", lines + 1)))
			TH_LOG("%s", bad_frames[i].name);
		EXPECT_EQ(0, wire_ping(&w));
		/* A place that logs is limited to some lines in a while, of each start. */
		if (i % 8 == 7) {
			wire_close(&w);
			EXPECT_EQ(0, daemon_stop(&d));
			daemon_must_start(&d);
			wire_must_open(&w, d.kafka_port);
		}
	}
	wire_close(&w);
	EXPECT_EQ(0, daemon_stop(&d));
}

/* Requests before a broken one are answered, and nothing behind it is looked at. */
TEST_F(protocol, requests_before_a_broken_one_are_answered)
{
	struct bytes b = bytes_seal(bytes_head(999, 0));
	struct kafka_api_versions_request req;
	struct kafka_api_versions_response res;
	struct wire_answer a;
	uint8_t *ping, all[8192];
	size_t len, n = 0;

	kafka_init(&kafka_api_versions_request_schema, &req);
	for (int i = 1; i <= 3; i++) {
		ping = wire_encode(KAFKA_API_VERSIONS, 2, ++self->w.correlation, &req, &len);
		if (i == 3) {
			memcpy(all + n, b.p, b.n);
			n += b.n;
		}
		memcpy(all + n, ping, len);
		n += len;
		free(ping);
	}
	/* The connection of the fixture has been used: its answers are counted on. */
	ASSERT_EQ(0, wire_send(&self->w, all, n));
	for (int i = 1; i <= 2; i++) {
		ASSERT_EQ(0, wire_answer(&self->w, KAFKA_API_VERSIONS, 2, &res, &a));
		EXPECT_EQ(0, res.error_code);
		wire_answer_done(&a);
	}
	EXPECT_EQ(0, wire_closed(&self->w));
}

/* ---- batches that are refused --------------------------------------------------------------- */

/* What is done to a good batch of @len bytes; returns its new length. */
static void fix_sum(uint8_t *p, size_t len)
{
	sl_store_be32(p + SL_BATCH_CRC,
		      sl_crc32c(0, p + SL_BATCH_ATTRIBUTES, len - SL_BATCH_ATTRIBUTES));
}

static size_t flip_last_bit(uint8_t *p, size_t len)
{
	p[len - 1] ^= 1;
	return len;
}

static size_t flip_sum(uint8_t *p, size_t len)
{
	p[SL_BATCH_CRC] ^= 0x80;
	return len;
}

static size_t magic_0(uint8_t *p, size_t len)
{
	p[SL_BATCH_MAGIC] = 0;
	return len;
}

static size_t magic_1(uint8_t *p, size_t len)
{
	p[SL_BATCH_MAGIC] = 1;
	return len;
}

static size_t magic_9(uint8_t *p, size_t len)
{
	p[SL_BATCH_MAGIC] = 9;
	return len;
}

static size_t length_negative(uint8_t *p, size_t len)
{
	sl_store_be32(p + SL_BATCH_LENGTH, (uint32_t)-1);
	return len;
}

static size_t length_too_long(uint8_t *p, size_t len)
{
	sl_store_be32(p + SL_BATCH_LENGTH, (uint32_t)len);
	return len;
}

static size_t length_too_short(uint8_t *p, size_t len)
{
	sl_store_be32(p + SL_BATCH_LENGTH, (uint32_t)len - SL_BATCH_LENGTH_ABOVE - 1);
	return len;
}

static size_t records_negative(uint8_t *p, size_t len)
{
	sl_store_be32(p + SL_BATCH_RECORDS, (uint32_t)-1);
	fix_sum(p, len);
	return len;
}

static size_t records_none(uint8_t *p, size_t len)
{
	sl_store_be32(p + SL_BATCH_RECORDS, 0);
	fix_sum(p, len);
	return len;
}

static size_t records_too_many(uint8_t *p, size_t len)
{
	sl_store_be32(p + SL_BATCH_RECORDS, INT32_MAX);
	fix_sum(p, len);
	return len;
}

static size_t delta_negative(uint8_t *p, size_t len)
{
	sl_store_be32(p + SL_BATCH_LAST_DELTA, (uint32_t)-1);
	fix_sum(p, len);
	return len;
}

static size_t codec_7(uint8_t *p, size_t len)
{
	p[SL_BATCH_ATTRIBUTES + 1] |= 7;
	fix_sum(p, len);
	return len;
}

static size_t control(uint8_t *p, size_t len)
{
	p[SL_BATCH_ATTRIBUTES + 1] |= SL_BATCH_CONTROL;
	fix_sum(p, len);
	return len;
}

static size_t half_a_producer(uint8_t *p, size_t len)
{
	sl_store_be64(p + SL_BATCH_PRODUCER_ID, 7);
	fix_sum(p, len);
	return len;
}

static size_t time_negative(uint8_t *p, size_t len)
{
	sl_store_be64(p + SL_BATCH_TIME_MAX, (uint64_t)-5);
	fix_sum(p, len);
	return len;
}

static size_t header_only(uint8_t *p, size_t len)
{
	(void)p;
	(void)len;
	return SL_BATCH_HEADER_BYTES;
}

static size_t less_than_a_header(uint8_t *p, size_t len)
{
	(void)p;
	(void)len;
	return SL_BATCH_HEADER_BYTES - 1;
}

static size_t one_byte(uint8_t *p, size_t len)
{
	(void)p;
	(void)len;
	return 1;
}

static size_t nothing(uint8_t *p, size_t len)
{
	(void)p;
	(void)len;
	return 0;
}

#define BATCH(f, error) {#f, f, KAFKA_ERR_##error}
static const struct {
	const char *name;
	size_t (*spoil)(uint8_t *p, size_t len);
	int error;
} spoilt[] = {
	BATCH(flip_last_bit, CORRUPT_MESSAGE),
	BATCH(flip_sum, CORRUPT_MESSAGE),
	BATCH(magic_0, UNSUPPORTED_FOR_MESSAGE_FORMAT),
	BATCH(magic_1, UNSUPPORTED_FOR_MESSAGE_FORMAT),
	BATCH(magic_9, CORRUPT_MESSAGE),
	BATCH(length_negative, CORRUPT_MESSAGE),
	BATCH(length_too_long, CORRUPT_MESSAGE),
	BATCH(length_too_short, INVALID_RECORD),
	BATCH(records_negative, INVALID_RECORD),
	BATCH(records_none, INVALID_RECORD),
	BATCH(records_too_many, INVALID_RECORD),
	BATCH(delta_negative, INVALID_RECORD),
	BATCH(codec_7, UNSUPPORTED_COMPRESSION_TYPE),
	BATCH(control, INVALID_RECORD),
	BATCH(half_a_producer, INVALID_RECORD),
	BATCH(time_negative, INVALID_TIMESTAMP),
	BATCH(header_only, CORRUPT_MESSAGE),
	BATCH(less_than_a_header, CORRUPT_MESSAGE),
	BATCH(one_byte, CORRUPT_MESSAGE),
	BATCH(nothing, CORRUPT_MESSAGE),
};

/* Small batches are taken as a whole, those above 256 KiB in steps. */
static uint8_t *good_batch(bool large, uint64_t first, size_t *ret_len)
{
	struct wire_batch b = {.first = first, .n = 4, .value_bytes = large ? 100000 : 100,
			       .producer_id = -1};

	return wire_batch_make(&b, ret_len);
}

static void check_spoilt(struct wire *w, size_t i, bool large)
{
	size_t len;
	uint8_t *p = good_batch(large, 0, &len);
	int64_t base = 0;
	int err;

	len = spoilt[i].spoil(p, len);
	err = wire_produce(w, topic, 0, -1, p, len, &base);
	if (!EXPECT_EQ(spoilt[i].error, err))
		TH_LOG("%s, %s batch: %s", spoilt[i].name, large ? "large" : "small",
		       kafka_error_name(err));
	EXPECT_EQ(-1, base);
	free(p);
}

TEST_F(protocol, refused_batch_leaves_no_trace)
{
	struct wire *w = &self->w;
	uint64_t next = 0;

	for (size_t i = 0; i < SL_ARRAY_SIZE(spoilt) * 2; i++) {
		bool large = i & 1;
		int64_t base = -1;
		size_t len;
		uint8_t *p;

		check_spoilt(w, i / 2, large);
		p = good_batch(large, next, &len);
		ASSERT_EQ(0, wire_produce(w, topic, 0, -1, p, len, &base));
		free(p);
		ASSERT_EQ((int64_t)next, base);
		next += 4;
	}
	EXPECT_EQ((int64_t)next, wire_count_once(w, topic, 0));
}

TEST_F(protocol, records_null_are_refused)
{
	EXPECT_EQ(KAFKA_ERR_CORRUPT_MESSAGE,
		  wire_produce(&self->w, topic, 0, -1, NULL, 0, NULL));
	EXPECT_EQ(0, wire_ping(&self->w));
}

TEST_F(protocol, batch_above_limit_is_too_large)
{
	struct wire_batch b = {.n = 20, .value_bytes = 100000, .producer_id = -1};
	size_t len;
	uint8_t *p = wire_batch_make(&b, &len);

	EXPECT_EQ(KAFKA_ERR_MESSAGE_TOO_LARGE,
		  wire_produce(&self->w, topic, 0, -1, p, len, NULL));
	free(p);
	EXPECT_EQ(0, wire_produce_one(&self->w, topic, 0, 0));
	EXPECT_EQ(1, wire_count_once(&self->w, topic, 0));
}

TEST_F(protocol, two_batches_at_once_are_refused)
{
	size_t len;
	uint8_t *p = good_batch(false, 0, &len), *two = malloc(2 * len);

	ASSERT_TRUE(two != NULL);
	memcpy(two, p, len);
	memcpy(two + len, p, len);
	EXPECT_EQ(KAFKA_ERR_INVALID_RECORD,
		  wire_produce(&self->w, topic, 0, -1, two, 2 * len, NULL));
	EXPECT_EQ(0, wire_count_once(&self->w, topic, 0));
	free(two);
	free(p);
}

/* ---- requests that are refused -------------------------------------------------------------- */

TEST_F(protocol, api_versions_answers_what_is_too_new_in_version_0)
{
	const struct kafka_schema *schema = &kafka_api_versions_response_schema;
	struct bytes b = bytes_head(KAFKA_API_VERSIONS, 77);
	struct kafka_api_versions_response res;
	struct wire_answer a;
	struct kafka_in in;
	int err;

	bytes_put(&b, 0, 1); /* the header's tags: what is behind is of an unknown shape */
	bytes_put(&b, 0x1122334455667788, 8);
	b = bytes_seal(b);
	ASSERT_EQ(0, wire_send(&self->w, b.p, b.n));
	ASSERT_EQ(0, wire_frame(&self->w, &a));
	kafka_in_init(&in, a.buf, a.len);
	EXPECT_EQ(1, kafka_get_i32(&in));
	sl_bump_init(&a.mem, NULL, 0, 1 << 20);
	err = kafka_decode(schema, 0, in.p, kafka_in_left(&in), &a.mem, &res);
	ASSERT_EQ(0, err);
	EXPECT_EQ(KAFKA_ERR_UNSUPPORTED_VERSION, res.error_code);
	EXPECT_LT(10, res.api_keys.n);
	wire_answer_done(&a);
	EXPECT_EQ(0, wire_ping(&self->w));
}

TEST_F(protocol, unknown_acks_are_refused)
{
	static const int acks[] = {5, 2, -2, INT16_MIN};
	size_t len;
	uint8_t *p = good_batch(false, 0, &len);

	for (size_t i = 0; i < SL_ARRAY_SIZE(acks); i++)
		EXPECT_EQ(KAFKA_ERR_INVALID_REQUIRED_ACKS,
			  wire_produce(&self->w, topic, 0, acks[i], p, len, NULL));
	free(p);
	EXPECT_EQ(0, wire_count_once(&self->w, topic, 0));
}

TEST_F(protocol, unknown_partition_is_told)
{
	static const int32_t partitions[] = {2, 999, INT32_MAX, -1, INT32_MIN};
	struct wire_fetched f;
	size_t len;

	for (size_t i = 0; i < SL_ARRAY_SIZE(partitions); i++) {
		for (int large = 0; large < 2; large++) {
			uint8_t *p = good_batch(large, 0, &len);

			EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION,
				  wire_produce(&self->w, topic, partitions[i], -1, p, len, NULL));
			EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION,
				  wire_produce(&self->w, "nobody", 0, -1, p, len, NULL));
			free(p);
		}
		EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION,
			  wire_fetch(&self->w, topic, partitions[i], 0, 1000, 1000, &f));
		wire_answer_done(&f.answer);
	}
}

/* A client with acks=0 hears of an error by the end of its connection only. */
TEST_F(protocol, error_without_acks_ends_connection)
{
	struct wire_produce f;
	uint8_t *p;
	size_t len;

	p = good_batch(false, 0, &len);
	flip_last_bit(p, len);
	wire_produce_fill(&f, topic, 0, 0, p, len);
	ASSERT_EQ(0, wire_ask(&self->w, KAFKA_PRODUCE, WIRE_PRODUCE_VERSION, &f.req));
	EXPECT_EQ(0, wire_closed(&self->w));
	free(p);
}

TEST_F(protocol, offset_out_of_range_is_told)
{
	static const int64_t offsets[] = {-1, INT64_MIN, 6, INT64_MAX};
	struct wire_fetched f;

	for (uint64_t i = 0; i < 5; i++)
		ASSERT_EQ(0, wire_produce_one(&self->w, topic, 0, i));
	for (size_t i = 0; i < SL_ARRAY_SIZE(offsets); i++) {
		EXPECT_EQ(KAFKA_ERR_OFFSET_OUT_OF_RANGE,
			  wire_fetch(&self->w, topic, 0, offsets[i], 1000, 1000, &f));
		wire_answer_done(&f.answer);
	}
	EXPECT_EQ(0, wire_fetch(&self->w, topic, 0, 5, 1000, 0, &f));
	EXPECT_EQ(0, f.len);
	wire_answer_done(&f.answer);
	EXPECT_EQ(5, wire_count_once(&self->w, topic, 0));
}

/* Negative limits are none at all; the first batch is returned whatever the limit. */
TEST_F(protocol, fetch_with_negative_limits_is_answered)
{
	struct wire_fetch q;
	struct kafka_fetch_response res;
	struct wire_answer a;

	ASSERT_EQ(0, wire_produce_one(&self->w, topic, 0, 0));
	wire_fetch_fill(&q, topic, 0, 0, -1, -1);
	q.req.min_bytes = INT32_MIN;
	ASSERT_EQ(0, wire_call(&self->w, KAFKA_FETCH, WIRE_FETCH_VERSION, &q.req, &res, &a));
	EXPECT_EQ(0, res.responses.v[0].partitions.v[0].error_code);
	wire_answer_done(&a);
	EXPECT_EQ(0, wire_ping(&self->w));
}

TEST_F(protocol, unknown_fetch_session_is_told)
{
	struct wire_fetch q;
	struct kafka_fetch_response res;
	struct wire_answer a;

	wire_fetch_fill(&q, topic, 0, 0, 1000, 0);
	q.req.session_id = 12345;
	q.req.session_epoch = 3;
	ASSERT_EQ(0, wire_call(&self->w, KAFKA_FETCH, WIRE_FETCH_VERSION, &q.req, &res, &a));
	EXPECT_EQ(KAFKA_ERR_FETCH_SESSION_ID_NOT_FOUND, res.error_code);
	wire_answer_done(&a);
	EXPECT_EQ(0, wire_ping(&self->w));
}

/* ---- the shape in which bytes arrive -------------------------------------------------------- */

TEST_F(protocol, request_byte_by_byte_is_served)
{
	struct kafka_produce_response res;
	struct wire_produce f;
	struct wire_answer a;
	uint8_t *p, *frame;
	size_t len;

	p = good_batch(false, 0, &len);
	wire_produce_fill(&f, topic, 0, -1, p, len);
	frame = wire_encode(KAFKA_PRODUCE, WIRE_PRODUCE_VERSION, ++self->w.correlation, &f.req,
			    &len);
	for (size_t i = 0; i < len; i++) {
		ASSERT_EQ(0, wire_send(&self->w, frame + i, 1));
		if (i % 16 == 0)
			wire_sleep(SL_USEC * 200);
	}
	ASSERT_EQ(0, wire_answer(&self->w, KAFKA_PRODUCE, WIRE_PRODUCE_VERSION, &res, &a));
	EXPECT_EQ(0, res.responses.v[0].partition_responses.v[0].error_code);
	wire_answer_done(&a);
	EXPECT_EQ(4, wire_count_once(&self->w, topic, 0));
	free(frame);
	free(p);
}

/* @n requests, small or large batches, as one run of bytes. */
static void pipeline(struct wire *w, int n, bool large)
{
	uint8_t *all = NULL;
	size_t bytes = 0;

	for (int i = 0; i < n; i++) {
		size_t len, frame_len;
		uint8_t *p = good_batch(large, (uint64_t)i * 4, &len), *frame;
		struct wire_produce f;

		wire_produce_fill(&f, topic, 0, -1, p, len);
		frame = wire_encode(KAFKA_PRODUCE, WIRE_PRODUCE_VERSION, ++w->correlation, &f.req,
				    &frame_len);
		all = realloc(all, bytes + frame_len);
		ASSERT_TRUE(all != NULL);
		memcpy(all + bytes, frame, frame_len);
		bytes += frame_len;
		free(frame);
		free(p);
	}
	ASSERT_EQ(0, wire_send(w, all, bytes));
	for (int i = 0; i < n; i++) {
		struct kafka_produce_response res;
		const struct kafka_produce_response_partition *o;
		struct wire_answer a;

		ASSERT_EQ(0, wire_answer(w, KAFKA_PRODUCE, WIRE_PRODUCE_VERSION, &res, &a));
		o = &res.responses.v[0].partition_responses.v[0];
		EXPECT_EQ(0, o->error_code);
		EXPECT_EQ(i * 4, o->base_offset);
		wire_answer_done(&a);
	}
	EXPECT_EQ(n * 4, wire_count_once(w, topic, 0));
	free(all);
}

TEST_F(protocol, pipelined_requests_are_answered_in_order)
{
	pipeline(&self->w, 200, false);
}

TEST_F(protocol, pipelined_large_requests_are_answered_in_order)
{
	pipeline(&self->w, 20, true);
}

/* A peer that has ended its own direction still gets the answers. */
TEST_F(protocol, half_closed_socket_is_answered)
{
	struct kafka_produce_response res;
	struct wire_answer a;

	for (int large = 0; large < 2; large++) {
		struct wire_produce f;
		struct wire w;
		size_t len;
		uint8_t *p = good_batch(large, (uint64_t)large * 4, &len);

		wire_must_open(&w, self->d.kafka_port);
		wire_produce_fill(&f, topic, 0, -1, p, len);
		ASSERT_EQ(0, wire_ask(&w, KAFKA_PRODUCE, WIRE_PRODUCE_VERSION, &f.req));
		ASSERT_EQ(0, shutdown(w.fd, SHUT_WR));
		if (EXPECT_EQ(0, wire_answer(&w, KAFKA_PRODUCE, WIRE_PRODUCE_VERSION, &res, &a)))
			EXPECT_EQ(0, res.responses.v[0].partition_responses.v[0].error_code);
		wire_answer_done(&a);
		EXPECT_EQ(0, wire_closed(&w));
		wire_close(&w);
		free(p);
	}
	EXPECT_EQ(8, wire_count_once(&self->w, topic, 0));
}

/* The first @cut bytes of a request, and then the end. */
static void send_truncated(uint16_t port, bool large, size_t cut, bool reset)
{
	struct linger at_once = {.l_onoff = 1};
	struct wire_produce f;
	struct wire w;
	size_t len, frame_len;
	uint8_t *p = good_batch(large, 0, &len), *frame;

	wire_must_open(&w, port);
	wire_produce_fill(&f, topic, 1, -1, p, len);
	frame = wire_encode(KAFKA_PRODUCE, WIRE_PRODUCE_VERSION, 1, &f.req, &frame_len);
	ASSERT_EQ(0, wire_send(&w, frame, frame_len * cut / 100));
	if (cut % 3 == 0)
		wire_sleep(2 * SL_MSEC);
	if (reset)
		setsockopt(w.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	wire_close(&w);
	free(frame);
	free(p);
}

TEST_F(protocol, truncated_request_leaves_no_trace)
{
	unsigned descriptors = daemon_descriptors(&self->d), open = 0;
	int64_t limit;

	for (size_t cut = 0; cut < 100; cut++)
		for (int large = 0; large < 2; large++)
			send_truncated(self->d.kafka_port, large, cut, cut & 1);
	EXPECT_EQ(0, wire_count_once(&self->w, topic, 1));
	EXPECT_EQ(0, wire_produce_one(&self->w, topic, 1, 0));
	EXPECT_EQ(1, wire_count_once(&self->w, topic, 1));
	limit = wire_now() + 5 * SL_SEC * harness_time_scale();
	do {
		wire_sleep(10 * SL_MSEC);
		open = daemon_descriptors(&self->d);
	} while (open > descriptors + 4 && wire_now() < limit);
	/* The partition's own files, at most. */
	EXPECT_GE(descriptors + 4, open);
}

/* ---- many of them --------------------------------------------------------------------------- */

/* One request of a kind that the codec knows, or bytes at random, with some bytes changed. */
static size_t make_mutant(uint8_t *to, size_t cap)
{
	struct wire_produce produce;
	struct wire_fetch fetch;
	size_t len, batch_len;
	uint8_t *batch = good_batch(false, 0, &batch_len), *frame;
	unsigned changes = 1 + (unsigned)(harness_random() % 4);

	wire_produce_fill(&produce, topic, 1, -1, batch, batch_len);
	wire_fetch_fill(&fetch, topic, 1, 0, 1 << 16, 0);
	if (harness_random() & 1)
		frame = wire_encode(KAFKA_PRODUCE, 3 + (int)(harness_random() % 10), 1,
				    &produce.req, &len);
	else
		frame = wire_encode(KAFKA_FETCH, 4 + (int)(harness_random() % 9), 1, &fetch.req,
				    &len);
	ASSERT_LE(len, cap);
	memcpy(to, frame, len);
	while (changes--)
		to[harness_random() % len] = (uint8_t)harness_random();
	free(frame);
	free(batch);
	return len;
}

TEST_F_TIMEOUT(protocol, other_clients_do_not_notice, 60)
{
	static struct neighbour neighbour;
	uint64_t rss, seen;
	uint8_t mutant[4096];

	ASSERT_EQ(0, wire_topic_create(&self->w, "neighbour", 1, NULL));
	neighbour_start(&neighbour, self->d.kafka_port, "neighbour", 0);
	rss = daemon_rss_bytes(&self->d);
	for (int round = 0; round < 10; round++) {
		EXPECT_TRUE(neighbour_goes_on(&neighbour, 1));
		for (size_t i = 0; i < bad_frames_n; i++)
			check_fatal(&self->d, i);
		for (size_t i = 0; i < SL_ARRAY_SIZE(spoilt); i++)
			check_spoilt(&self->w, i, round & 1);
		for (int i = 0; i < 100; i++) {
			size_t len = make_mutant(mutant, sizeof(mutant));
			struct wire w;

			wire_must_open(&w, self->d.kafka_port);
			wire_send(&w, mutant, len);
			w.timeout_ns = SL_MSEC;
			wire_recv(&w, mutant, 4);
			wire_close(&w);
		}
	}
	neighbour_stop(&neighbour);
	seen = daemon_rss_bytes(&self->d);
	TH_LOG("resident: %.1f MB before, %.1f MB after", (double)rss / 1e6, (double)seen / 1e6);
	EXPECT_GT(rss + (harness_time_scale() > 1 ? 512 : 64) * SL_MIB, seen);
}

TEST_HARNESS_MAIN
