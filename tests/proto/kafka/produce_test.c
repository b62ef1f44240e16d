/* SPDX-License-Identifier: Apache-2.0 */
/* Produce: batches of every size, many partitions, what is refused, and in which order. */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "broker.h"

/* ---- batches ---------------------------------------------------------------------------- */

struct batch {
	struct sl_batch_builder *builder;
	struct kafka_records records;
};

/* One record with a value of @bytes, the same for the same @seed. */
static struct batch batch_of(size_t bytes, uint8_t seed)
{
	struct sl_record r = {.value_bytes = (int32_t)bytes, .key_bytes = -1, .time_ms = 1000};
	uint8_t *value = malloc(bytes);
	struct batch b;
	const uint8_t *p;
	size_t len;

	for (size_t i = 0; i < bytes; i++)
		value[i] = (uint8_t)(i * 31 + seed);
	r.value = value;
	ASSERT_EQ(0, sl_batch_builder_new(SL_CODEC_NONE, &b.builder));
	ASSERT_EQ(0, sl_batch_builder_add(b.builder, &r, NULL, 0));
	ASSERT_EQ(0, sl_batch_builder_finish(b.builder, &p, &len));
	b.records = (struct kafka_records){p, (int32_t)len, 0};
	free(value);
	return b;
}

static void batch_done(struct batch *b)
{
	sl_batch_builder_free(b->builder);
}

/* ---- one partition ---------------------------------------------------------------------- */

static struct kafka_produce_response_partition produce(struct broker *b, int fd, int version,
						       const char *topic, struct kafka_uuid id,
						       int32_t partition, int16_t acks,
						       struct kafka_records records)
{
	struct kafka_produce_request_partition part = {.index = partition, .records = records};
	struct kafka_produce_request_topic t = {.name = kafka_str_of(topic), .topic_id = id,
						.partition_data = {&part, 1}};
	struct kafka_produce_request req = {.transactional_id = KAFKA_STR_NULL, .acks = acks,
					    .timeout_ms = 10000 * harness_time_scale(),
					    .topic_data = {&t, 1}};
	struct kafka_produce_response res;

	CALL(b, fd, PRODUCE, produce, version, &req, &res);
	ASSERT_EQ(1, res.responses.n);
	ASSERT_EQ(1, res.responses.v[0].partition_responses.n);
	EXPECT_EQ(partition, res.responses.v[0].partition_responses.v[0].index);
	return res.responses.v[0].partition_responses.v[0];
}

/* The stored batches from @offset on, whole. */
static struct kafka_records fetch(struct broker *b, int fd, const char *topic, int64_t offset)
{
	struct kafka_fetch_request_partition part;
	struct kafka_fetch_request_topic t = {.topic = kafka_str_of(topic),
					      .partitions = {&part, 1}};
	struct kafka_fetch_request req;
	struct kafka_fetch_response res;

	kafka_init(&kafka_fetch_request_partition_schema, &part);
	part.fetch_offset = offset;
	part.partition_max_bytes = 1;
	kafka_init(&kafka_fetch_request_schema, &req);
	req.max_wait_ms = 5000;
	req.min_bytes = 1;
	req.topics.v = &t;
	req.topics.n = 1;
	CALL(b, fd, FETCH, fetch, 11, &req, &res);
	ASSERT_EQ(1, res.responses.n);
	EXPECT_EQ(0, res.responses.v[0].partitions.v[0].error_code);
	return res.responses.v[0].partitions.v[0].records;
}

static void every_size(struct broker *b)
{
	static const size_t sizes[] = {1,      100,    3900,   4096,    9000,	 65536,
				       260000, 262144, 262145, 400000, 1000000, 7};
	int fd = broker_connect(b);

	broker_create(b, fd, "t", 1);
	for (size_t i = 0; i < SL_ARRAY_SIZE(sizes); i++) {
		struct batch x = batch_of(sizes[i], (uint8_t)i);
		struct kafka_produce_response_partition r =
			produce(b, fd, 9, "t", (struct kafka_uuid){{0}}, 0, -1, x.records);
		struct kafka_records got;

		EXPECT_EQ(0, r.error_code);
		EXPECT_EQ((int64_t)i, r.base_offset);
		got = fetch(b, fd, "t", (int64_t)i);
		/* As the wire had it but for base offset and leader epoch. */
		ASSERT_EQ(x.records.n, got.n);
		EXPECT_EQ((int64_t)i, (int64_t)sl_load_be64(got.p));
		EXPECT_MEMEQ(x.records.p + 16, got.p + 16, (size_t)got.n - 16);
		batch_done(&x);
	}
	close(fd);
}

TEST(batches_of_every_size_are_stored_as_they_came)
{
	broker_test(every_size);
}

static void every_version(struct broker *b)
{
	int fd = broker_connect(b);
	struct kafka_uuid id = broker_create(b, fd, "t", 2);
	struct batch x = batch_of(10, 1);
	int64_t base = 0;

	for (int v = 3; v <= 13; v++) {
		struct kafka_produce_response_partition r =
			produce(b, fd, v, "t", id, 1, v % 2 ? 1 : -1, x.records);

		EXPECT_EQ(0, r.error_code);
		EXPECT_EQ(base++, r.base_offset);
		r = produce(b, fd, v, "gone", (struct kafka_uuid){{9}}, 0, -1, x.records);
		EXPECT_EQ(v == 13 ? KAFKA_ERR_UNKNOWN_TOPIC_ID
				  : KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION,
			  r.error_code);
		EXPECT_EQ(-1, r.base_offset);
	}
	batch_done(&x);
	close(fd);
}

TEST(each_version_appends_and_refuses_unknown_topics)
{
	broker_test(every_version);
}

static void refused(struct broker *b)
{
	int fd = broker_connect(b);
	static const size_t sizes[] = {100, 500000};

	broker_create(b, fd, "t", 1);
	for (size_t i = 0; i < SL_ARRAY_SIZE(sizes); i++) {
		struct batch x = batch_of(sizes[i], 1);
		uint8_t *p = (uint8_t *)x.records.p;
		struct kafka_uuid none = {{0}};

		EXPECT_EQ(KAFKA_ERR_INVALID_REQUIRED_ACKS,
			  produce(b, fd, 8, "t", none, 0, 5, x.records).error_code);
		EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION,
			  produce(b, fd, 8, "t", none, 1, -1, x.records).error_code);
		p[x.records.n - 1] ^= 1;
		EXPECT_EQ(KAFKA_ERR_CORRUPT_MESSAGE,
			  produce(b, fd, 8, "t", none, 0, -1, x.records).error_code);
		p[x.records.n - 1] ^= 1;
		p[16] = 1;
		EXPECT_EQ(KAFKA_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT,
			  produce(b, fd, 8, "t", none, 0, -1, x.records).error_code);
		p[16] = 2;
		EXPECT_EQ(0, produce(b, fd, 8, "t", none, 0, -1, x.records).error_code);
		EXPECT_EQ((int64_t)i, produce(b, fd, 8, "t", none, 0, -1, x.records).base_offset -
					      (int64_t)i - 1);
		batch_done(&x);
	}
	close(fd);
}

TEST(what_is_refused_leaves_no_trace)
{
	broker_test(refused);
}

/* ---- many ------------------------------------------------------------------------------- */

static void many(struct broker *b)
{
	enum { TOPICS = 20, PARTITIONS = 7 };
	struct kafka_produce_request_topic topics[TOPICS];
	struct kafka_produce_request_partition parts[TOPICS][PARTITIONS];
	struct kafka_produce_request req = {.transactional_id = KAFKA_STR_NULL, .acks = -1,
					    .timeout_ms = 10000 * harness_time_scale(),
					    .topic_data = {topics, TOPICS}};
	struct kafka_produce_response res;
	char names[TOPICS][16];
	struct batch x = batch_of(2000, 3);
	int fd = broker_connect(b);

	for (int t = 0; t < TOPICS; t++) {
		snprintf(names[t], sizeof(names[t]), "topic-%d", t);
		if (t != 5)
			broker_create(b, fd, names[t], PARTITIONS);
		topics[t] = (struct kafka_produce_request_topic){
			.name = kafka_str_of(names[t]), .partition_data = {parts[t], PARTITIONS}};
		for (int p = 0; p < PARTITIONS; p++)
			parts[t][p] = (struct kafka_produce_request_partition){p, x.records};
	}
	for (int round = 0; round < 3; round++) {
		CALL(b, fd, PRODUCE, produce, 7, &req, &res);
		ASSERT_EQ(TOPICS, res.responses.n);
		for (int t = 0; t < TOPICS; t++) {
			EXPECT_STR(names[t], res.responses.v[t].name);
			ASSERT_EQ(PARTITIONS, res.responses.v[t].partition_responses.n);
			for (int p = 0; p < PARTITIONS; p++) {
				struct kafka_produce_response_partition *r =
					&res.responses.v[t].partition_responses.v[p];

				EXPECT_EQ(t == 5 ? KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION : 0,
					  r->error_code);
				EXPECT_EQ(t == 5 ? -1 : round, r->base_offset);
			}
		}
	}
	batch_done(&x);
	close(fd);
}

TEST(a_request_may_name_many_topics)
{
	broker_test(many);
}

static void pipelined(struct broker *b)
{
	struct kafka_produce_request_partition part = {0};
	struct kafka_produce_request_topic t = {.name = KAFKA_STR("t"),
						.partition_data = {&part, 1}};
	struct kafka_produce_request req = {.transactional_id = KAFKA_STR_NULL, .acks = -1,
					    .timeout_ms = 10000 * harness_time_scale(),
					    .topic_data = {&t, 1}};
	struct kafka_produce_response res;
	struct batch last;
	int fd = broker_connect(b);

	broker_create(b, fd, "t", 1);
	for (int i = 0; i < 200; i++) {
		struct batch x = batch_of(i % 3 ? 100 : 20000, (uint8_t)i);

		part.records = x.records;
		broker_send(b, fd, KAFKA_PRODUCE, 8, i, &req);
		batch_done(&x);
	}
	for (int i = 0; i < 200; i++) {
		ASSERT_TRUE(broker_receive(b, fd, KAFKA_PRODUCE, 8, i, &res));
		EXPECT_EQ(i, res.responses.v[0].partition_responses.v[0].base_offset);
	}
	/* Without acknowledgement there is no answer: the next one is the next request's. */
	last = batch_of(50, 1);
	part.records = last.records;
	req.acks = 0;
	broker_send(b, fd, KAFKA_PRODUCE, 8, 1000, &req);
	part.records = (struct kafka_records){0};
	req.acks = -1;
	broker_send(b, fd, KAFKA_PRODUCE, 8, 1001, &req);
	ASSERT_TRUE(broker_receive(b, fd, KAFKA_PRODUCE, 8, 1001, &res));
	EXPECT_EQ(KAFKA_ERR_CORRUPT_MESSAGE,
		  res.responses.v[0].partition_responses.v[0].error_code);
	batch_done(&last);
	close(fd);
}

TEST(pipelined_requests_are_answered_in_order)
{
	broker_test(pipelined);
}

static void no_acks_error(struct broker *b)
{
	struct batch x = batch_of(10, 1);
	struct kafka_produce_request_partition part = {.records = x.records};
	struct kafka_produce_request_topic t = {.name = KAFKA_STR("gone"),
						.partition_data = {&part, 1}};
	struct kafka_produce_request req = {.transactional_id = KAFKA_STR_NULL,
					    .timeout_ms = 10000 * harness_time_scale(),
					    .topic_data = {&t, 1}};
	int fd = broker_connect(b);

	broker_send(b, fd, KAFKA_PRODUCE, 8, 1, &req);
	EXPECT_TRUE(serving_ended(fd));
	batch_done(&x);
	close(fd);
}

TEST(an_error_nobody_asked_to_hear_of_ends_the_connection)
{
	broker_test(no_acks_error);
}

TEST_HARNESS_MAIN
