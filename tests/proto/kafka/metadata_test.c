// SPDX-License-Identifier: Apache-2.0
/* Metadata and DescribeCluster. */
#include <unistd.h>

#include "broker.h"

static void ask(struct broker *b, int fd, int version, const char *name, bool create,
		struct kafka_metadata_response *ret_res)
{
	struct kafka_metadata_request_topic topic = {.name = kafka_str_of(name)};
	struct kafka_metadata_request req = {.topics = {&topic, 1},
					     .allow_auto_topic_creation = create};

	CALL(b, fd, METADATA, metadata, version, &req, ret_res);
	ASSERT_EQ(1, ret_res->topics.n);
}

static void look(struct broker *b)
{
	struct kafka_metadata_response res;
	int fd = broker_connect(b);

	broker_create(b, fd, "one", 3);
	for (int v = 0; v <= 13; v++) {
		ask(b, fd, v, "one", false, &res);
		ASSERT_EQ(1, res.brokers.n);
		EXPECT_EQ(7, res.brokers.v[0].node_id);
		EXPECT_STR("127.0.0.1", res.brokers.v[0].host);
		EXPECT_EQ(b->port, res.brokers.v[0].port);
		EXPECT_EQ(0, res.topics.v[0].error_code);
		EXPECT_STR("one", res.topics.v[0].name);
		ASSERT_EQ(3, res.topics.v[0].partitions.n);
		EXPECT_EQ(2, res.topics.v[0].partitions.v[2].partition_index);
		EXPECT_EQ(7, res.topics.v[0].partitions.v[2].leader_id);
		EXPECT_EQ(v < 7 ? -1 : 3, res.topics.v[0].partitions.v[2].leader_epoch);
		ASSERT_EQ(1, res.topics.v[0].partitions.v[2].isr_nodes.n);
		EXPECT_EQ(7, res.topics.v[0].partitions.v[2].isr_nodes.v[0]);
		EXPECT_EQ(v < 1 ? -1 : 7, res.controller_id);
	}
	EXPECT_STR("the-cluster", res.cluster_id);
	EXPECT_EQ(INT32_MIN, res.topics.v[0].topic_authorized_operations);
	close(fd);
}

TEST(topics_show_their_partitions_in_each_version)
{
	broker_test(look);
}

static void create(struct broker *b)
{
	struct kafka_metadata_response res;
	int fd = broker_connect(b);

	ask(b, fd, 9, "fresh", false, &res);
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION, res.topics.v[0].error_code);
	ask(b, fd, 9, "fresh", true, &res);
	EXPECT_EQ(0, res.topics.v[0].error_code);
	EXPECT_EQ(2, res.topics.v[0].partitions.n);
	ask(b, fd, 9, "not a name", true, &res);
	EXPECT_EQ(KAFKA_ERR_INVALID_TOPIC_EXCEPTION, res.topics.v[0].error_code);
	ask(b, fd, 0, "old-clients-may", false, &res);
	EXPECT_EQ(0, res.topics.v[0].error_code);
	close(fd);
}

TEST(a_missing_topic_is_created_if_the_client_lets_it)
{
	broker_test(create);
}

static void create_not(struct broker *b)
{
	struct kafka_metadata_response res;
	int fd = broker_connect(b);

	ask(b, fd, 9, "fresh", true, &res);
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION, res.topics.v[0].error_code);
	close(fd);
}

TEST(nothing_is_created_with_the_setting_off)
{
	struct broker b;

	broker_init(&b, create_not);
	b.server.auto_create_topics = false;
	broker_run(&b);
}

static void all(struct broker *b)
{
	struct kafka_metadata_request req = {.topics = {NULL, -1}};
	struct kafka_metadata_response res;
	int fd = broker_connect(b);

	broker_create(b, fd, "b", 1);
	broker_create(b, fd, "a", 1);
	for (int v = 1; v <= 13; v++) {
		CALL(b, fd, METADATA, metadata, v, &req, &res);
		ASSERT_EQ(2, res.topics.n);
		EXPECT_STR("a", res.topics.v[0].name);
		EXPECT_STR("b", res.topics.v[1].name);
	}
	req.topics.n = 0;
	CALL(b, fd, METADATA, metadata, 0, &req, &res);
	EXPECT_EQ(2, res.topics.n);
	CALL(b, fd, METADATA, metadata, 1, &req, &res);
	EXPECT_EQ(0, res.topics.n);
	close(fd);
}

TEST(null_asks_for_all_topics_and_an_empty_list_for_none)
{
	broker_test(all);
}

static void by_id(struct broker *b)
{
	struct kafka_metadata_request_topic topics[] = {{.name = KAFKA_STR_NULL},
							{{{1, 2, 3}}, KAFKA_STR_NULL}};
	struct kafka_metadata_request req = {.topics = {topics, 2}};
	struct kafka_metadata_response res;
	int fd = broker_connect(b);

	topics[0].topic_id = broker_create(b, fd, "one", 3);
	for (int v = 10; v <= 13; v++) {
		CALL(b, fd, METADATA, metadata, v, &req, &res);
		ASSERT_EQ(2, res.topics.n);
		EXPECT_EQ(0, res.topics.v[0].error_code);
		EXPECT_STR("one", res.topics.v[0].name);
		EXPECT_EQ(3, res.topics.v[0].partitions.n);
		EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_ID, res.topics.v[1].error_code);
		EXPECT_EQ(v < 12 ? 0 : -1, res.topics.v[1].name.n);
		EXPECT_TRUE(kafka_uuid_eq(topics[1].topic_id, res.topics.v[1].topic_id));
	}
	close(fd);
}

TEST(topics_are_found_by_id)
{
	broker_test(by_id);
}

static void advertised(struct broker *b)
{
	struct kafka_describe_cluster_request req = {.endpoint_type = 1};
	struct kafka_describe_cluster_response res;
	int fd = broker_connect(b);

	CALL(b, fd, DESCRIBE_CLUSTER, describe_cluster, 2, &req, &res);
	EXPECT_EQ(0, res.error_code);
	EXPECT_STR("the-cluster", res.cluster_id);
	EXPECT_EQ(7, res.controller_id);
	ASSERT_EQ(1, res.brokers.n);
	EXPECT_STR("sluice.example", res.brokers.v[0].host);
	EXPECT_EQ(1234, res.brokers.v[0].port);
	req.endpoint_type = 2;
	CALL(b, fd, DESCRIBE_CLUSTER, describe_cluster, 2, &req, &res);
	EXPECT_EQ(KAFKA_ERR_MISMATCHED_ENDPOINT_TYPE, res.error_code);
	close(fd);
}

TEST(clients_are_told_the_advertised_address)
{
	struct broker b;

	broker_init(&b, advertised);
	memcpy(b.server.host, "sluice.example", 15);
	b.server.port = 1234;
	broker_run(&b);
}

/* ---- what a client may do --------------------------------------------------------------- */

/* The numbers that Kafka without an authorizer answers. */
enum { ALL_OF_TOPIC = 3576, ALL_OF_CLUSTER = 8096 };

static void may_do(struct broker *b)
{
	struct kafka_metadata_request_topic topics[] = {{.name = KAFKA_STR("t")},
							{.name = KAFKA_STR("none")}};
	struct kafka_metadata_request req = {.topics = {topics, 2},
					     .include_cluster_authorized_operations = true,
					     .include_topic_authorized_operations = true};
	struct kafka_metadata_response res;
	struct kafka_describe_cluster_request ask = {.endpoint_type = 1};
	struct kafka_describe_cluster_response told;
	int fd = broker_connect(b);

	broker_create(b, fd, "t", 1);
	for (int v = 8; v <= 13; v++) {
		CALL(b, fd, METADATA, metadata, v, &req, &res);
		EXPECT_EQ(v <= 10 ? ALL_OF_CLUSTER : INT32_MIN, res.cluster_authorized_operations);
		EXPECT_EQ(ALL_OF_TOPIC, res.topics.v[0].topic_authorized_operations);
		EXPECT_EQ(INT32_MIN, res.topics.v[1].topic_authorized_operations);
	}
	for (int v = 0; v <= 2; v++) {
		ask.include_cluster_authorized_operations = false;
		CALL(b, fd, DESCRIBE_CLUSTER, describe_cluster, v, &ask, &told);
		EXPECT_EQ(INT32_MIN, told.cluster_authorized_operations);
		ask.include_cluster_authorized_operations = true;
		CALL(b, fd, DESCRIBE_CLUSTER, describe_cluster, v, &ask, &told);
		EXPECT_EQ(ALL_OF_CLUSTER, told.cluster_authorized_operations);
	}
	close(fd);
}

TEST(who_asks_what_he_may_do_may_do_everything)
{
	broker_test(may_do);
}

TEST_HARNESS_MAIN
