// SPDX-License-Identifier: Apache-2.0
/* CreateTopics, DeleteTopics, CreatePartitions. */
#include <unistd.h>

#include "broker.h"

static struct kafka_create_topics_response_topic
create(struct broker *b, int fd, const struct kafka_create_topics_request_topic *t, bool only_ask)
{
	struct kafka_create_topics_request req = {
		.topics = {(void *)t, 1}, .timeout_ms = 5000, .validate_only = only_ask};
	struct kafka_create_topics_response res;

	CALL(b, fd, CREATE_TOPICS, create_topics, 7, &req, &res);
	ASSERT_EQ(1, res.topics.n);
	return res.topics.v[0];
}

static int16_t error(struct broker *b, int fd, struct kafka_create_topics_request_topic t)
{
	struct kafka_create_topics_response_topic o = create(b, fd, &t, false);

	EXPECT_EQ(o.error_code != 0, o.error_message.n > 0);
	return o.error_code;
}

static void create_many(struct broker *b)
{
	struct kafka_str x = KAFKA_STR("x");
	int fd = broker_connect(b);
	struct kafka_create_topics_response_topic o;

	o = create(b, fd, &(struct kafka_create_topics_request_topic){x, -1, -1}, true);
	EXPECT_EQ(0, o.error_code);
	EXPECT_EQ(2, o.num_partitions);
	o = create(b, fd, &(struct kafka_create_topics_request_topic){x, -1, -1}, false);
	EXPECT_EQ(0, o.error_code);
	EXPECT_EQ(2, o.num_partitions);
	EXPECT_EQ(1, o.replication_factor);
	EXPECT_FALSE(kafka_uuid_is_zero(o.topic_id));
	EXPECT_EQ(SL_TOPIC_KEY_LAST, o.configs.n);
	EXPECT_EQ(KAFKA_ERR_TOPIC_ALREADY_EXISTS,
		  error(b, fd, (struct kafka_create_topics_request_topic){x, 1, 1}));
	x = KAFKA_STR("y");
	EXPECT_EQ(KAFKA_ERR_INVALID_PARTITIONS,
		  error(b, fd, (struct kafka_create_topics_request_topic){x, 0, 1}));
	EXPECT_EQ(KAFKA_ERR_INVALID_PARTITIONS,
		  error(b, fd, (struct kafka_create_topics_request_topic){x, -2, 1}));
	EXPECT_EQ(KAFKA_ERR_INVALID_PARTITIONS,
		  error(b, fd, (struct kafka_create_topics_request_topic){x, 1001, 1}));
	EXPECT_EQ(KAFKA_ERR_INVALID_REPLICATION_FACTOR,
		  error(b, fd, (struct kafka_create_topics_request_topic){x, 1, 0}));
	EXPECT_EQ(KAFKA_ERR_INVALID_REPLICATION_FACTOR,
		  error(b, fd, (struct kafka_create_topics_request_topic){x, 1, 3}));
	x = KAFKA_STR("no/name");
	EXPECT_EQ(KAFKA_ERR_INVALID_TOPIC_EXCEPTION,
		  error(b, fd, (struct kafka_create_topics_request_topic){x, 1, 1}));
	close(fd);
}

TEST(topics_are_created_with_defaults_or_refused_with_a_reason)
{
	broker_test(create_many);
}

static void assign(struct broker *b)
{
	int32_t here = 7, there = 8;
	struct kafka_create_topics_request_assignment a[] = {{1, {&here, 1}}, {0, {&here, 1}}};
	struct kafka_create_topics_request_topic t = {KAFKA_STR("assigned"), -1, -1,
						      .assignments = {a, 2}};
	int fd = broker_connect(b);

	a[1].partition_index = 1;
	EXPECT_EQ(KAFKA_ERR_INVALID_REPLICA_ASSIGNMENT, error(b, fd, t));
	a[1].partition_index = 2;
	EXPECT_EQ(KAFKA_ERR_INVALID_REPLICA_ASSIGNMENT, error(b, fd, t));
	a[1].partition_index = 0;
	a[1].broker_ids.v = &there;
	EXPECT_EQ(KAFKA_ERR_INVALID_REPLICA_ASSIGNMENT, error(b, fd, t));
	a[1].broker_ids.v = &here;
	t.num_partitions = 2;
	EXPECT_EQ(KAFKA_ERR_INVALID_REQUEST, error(b, fd, t));
	t.num_partitions = -1;
	EXPECT_EQ(2, create(b, fd, &t, false).num_partitions);
	close(fd);
}

TEST(an_assignment_has_to_say_what_would_be_done_anyway)
{
	broker_test(assign);
}

static void configure(struct broker *b)
{
	struct kafka_create_topics_request_config c = {KAFKA_STR("retention.ms"),
						       KAFKA_STR("60000")};
	struct kafka_create_topics_request_topic t = {KAFKA_STR("set"), 1, 1, .configs = {&c, 1}};
	struct kafka_create_topics_response_topic o;
	int fd = broker_connect(b);

	o = create(b, fd, &t, true);
	ASSERT_EQ(1, o.configs.n);
	EXPECT_STR("60000", o.configs.v[0].value);
	o = create(b, fd, &t, false);
	ASSERT_EQ(SL_TOPIC_KEY_LAST, o.configs.n);
	for (int32_t i = 0; i < o.configs.n; i++) {
		bool mine = kafka_str_eq(o.configs.v[i].name, c.name);

		EXPECT_EQ(mine ? 1 : 5, o.configs.v[i].config_source);
		if (mine)
			EXPECT_STR("60000", o.configs.v[i].value);
	}
	t.name = KAFKA_STR("set2");
	c.value = KAFKA_STR("soon");
	EXPECT_EQ(KAFKA_ERR_INVALID_CONFIG, error(b, fd, t));
	c.value = KAFKA_STR_NULL;
	EXPECT_EQ(KAFKA_ERR_INVALID_CONFIG, error(b, fd, t));
	c = (struct kafka_create_topics_request_config){KAFKA_STR("no.such"), KAFKA_STR("1")};
	EXPECT_EQ(KAFKA_ERR_INVALID_CONFIG, error(b, fd, t));
	close(fd);
}

TEST(settings_are_taken_and_told)
{
	broker_test(configure);
}

static void twins(struct broker *b)
{
	struct kafka_create_topics_request_topic t[] = {
		{KAFKA_STR("twin"), 1, 1}, {KAFKA_STR("only"), 1, 1}, {KAFKA_STR("twin"), 1, 1}};
	struct kafka_create_topics_request req = {.topics = {t, 3}, .timeout_ms = 5000};
	struct kafka_create_topics_response res;
	int fd = broker_connect(b);

	for (int v = 2; v <= 7; v++) {
		CALL(b, fd, CREATE_TOPICS, create_topics, v, &req, &res);
		ASSERT_EQ(3, res.topics.n);
		EXPECT_EQ(KAFKA_ERR_INVALID_REQUEST, res.topics.v[0].error_code);
		EXPECT_EQ(v == 2 ? 0 : KAFKA_ERR_TOPIC_ALREADY_EXISTS, res.topics.v[1].error_code);
		EXPECT_EQ(KAFKA_ERR_INVALID_REQUEST, res.topics.v[2].error_code);
	}
	close(fd);
}

TEST(a_topic_named_twice_is_not_created)
{
	broker_test(twins);
}

static int16_t delete (struct broker *b, int fd, int version, const char *name,
		       struct kafka_uuid id)
{
	struct kafka_str old = kafka_str_of(name);
	struct kafka_delete_topics_request_topic t = {kafka_str_of(name), id};
	struct kafka_delete_topics_request req = {
		.topics = {&t, 1}, .topic_names = {&old, 1}, .timeout_ms = 5000};
	struct kafka_delete_topics_response res;

	CALL(b, fd, DELETE_TOPICS, delete_topics, version, &req, &res);
	ASSERT_EQ(1, res.responses.n);
	return res.responses.v[0].error_code;
}

static void delete_some(struct broker *b)
{
	struct kafka_uuid none = {{0}}, id;
	int fd = broker_connect(b);

	for (int v = 1; v <= 6; v++) {
		broker_create(b, fd, "gone", 2);
		EXPECT_EQ(0, delete (b, fd, v, "gone", none));
		EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION, delete (b, fd, v, "gone", none));
	}
	id = broker_create(b, fd, "gone", 2);
	EXPECT_EQ(KAFKA_ERR_INVALID_REQUEST, delete (b, fd, 6, "gone", id));
	EXPECT_EQ(0, delete (b, fd, 6, NULL, id));
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_ID, delete (b, fd, 6, NULL, id));
	EXPECT_EQ(KAFKA_ERR_INVALID_REQUEST, delete (b, fd, 6, NULL, none));
	close(fd);
}

TEST(topics_are_deleted_by_name_or_id)
{
	broker_test(delete_some);
}

static int16_t grow(struct broker *b, int fd, const char *name, int32_t count, bool only_ask)
{
	struct kafka_create_partitions_request_topic t = {kafka_str_of(name), count, {NULL, -1}};
	struct kafka_create_partitions_request req = {
		.topics = {&t, 1}, .timeout_ms = 5000, .validate_only = only_ask};
	struct kafka_create_partitions_response res;

	CALL(b, fd, CREATE_PARTITIONS, create_partitions, 3, &req, &res);
	ASSERT_EQ(1, res.results.n);
	return res.results.v[0].error_code;
}

static void grow_some(struct broker *b)
{
	int fd = broker_connect(b);

	broker_create(b, fd, "small", 2);
	EXPECT_EQ(0, grow(b, fd, "small", 4, true));
	EXPECT_EQ(0, grow(b, fd, "small", 4, false));
	EXPECT_EQ(KAFKA_ERR_INVALID_PARTITIONS, grow(b, fd, "small", 4, false));
	EXPECT_EQ(KAFKA_ERR_INVALID_PARTITIONS, grow(b, fd, "small", 3, false));
	EXPECT_EQ(KAFKA_ERR_INVALID_PARTITIONS, grow(b, fd, "small", -1, false));
	EXPECT_EQ(KAFKA_ERR_INVALID_PARTITIONS, grow(b, fd, "small", 5000, false));
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION, grow(b, fd, "none", 4, false));
	close(fd);
}

TEST(partitions_are_added_never_taken)
{
	broker_test(grow_some);
}

TEST_HARNESS_MAIN
