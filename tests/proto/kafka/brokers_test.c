// SPDX-License-Identifier: Apache-2.0
/* The node as one broker, and as one for each core. */
#include <unistd.h>

#include "broker.h"

enum { CORES = 4, FIRST_PORT = 9100 };

static void one_broker(struct broker *b)
{
	struct kafka_describe_cluster_request req = {.endpoint_type = 1};
	struct kafka_describe_cluster_response res;
	int fd = broker_connect(b);

	CALL(b, fd, DESCRIBE_CLUSTER, describe_cluster, 1, &req, &res);
	ASSERT_EQ(1, res.brokers.n);
	EXPECT_EQ(7, res.brokers.v[0].broker_id);
	EXPECT_EQ(b->port, res.brokers.v[0].port);
	close(fd);
}

TEST(without_ports_of_cores_there_is_one_broker)
{
	broker_test(one_broker);
}

static void expect_metadata(struct broker *b, int fd)
{
	struct kafka_metadata_request_topic topic = {.name = KAFKA_STR("one")};
	struct kafka_metadata_request req = {.topics = {&topic, 1}};
	struct kafka_metadata_response res;

	broker_create(b, fd, "one", 3);
	CALL(b, fd, METADATA, metadata, 9, &req, &res);
	ASSERT_EQ(CORES, res.brokers.n);
	for (int i = 0; i < CORES; i++) {
		EXPECT_EQ(7 + i, res.brokers.v[i].node_id);
		EXPECT_EQ(FIRST_PORT + i, res.brokers.v[i].port);
		EXPECT_STR("127.0.0.1", res.brokers.v[i].host);
	}
	EXPECT_EQ(7, res.controller_id);
	ASSERT_EQ(3, res.topics.v[0].partitions.n);
	/* All that lives here lives on core 0. */
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(7, res.topics.v[0].partitions.v[i].leader_id);
		EXPECT_EQ(7, res.topics.v[0].partitions.v[i].replica_nodes.v[0]);
	}
}

static void expect_coordinator(struct broker *b, int fd)
{
	struct kafka_str key = KAFKA_STR("readers");
	struct kafka_find_coordinator_request req = {.key = key, .coordinator_keys = {&key, 1}};
	struct kafka_find_coordinator_response res;

	CALL(b, fd, FIND_COORDINATOR, find_coordinator, 3, &req, &res);
	EXPECT_EQ(7, res.node_id);
	EXPECT_EQ(FIRST_PORT, res.port);
	CALL(b, fd, FIND_COORDINATOR, find_coordinator, 4, &req, &res);
	ASSERT_EQ(1, res.coordinators.n);
	EXPECT_STR("readers", res.coordinators.v[0].key);
	EXPECT_EQ(7, res.coordinators.v[0].node_id);
	EXPECT_EQ(FIRST_PORT, res.coordinators.v[0].port);
}

static int16_t describe(struct broker *b, int fd, const char *name, struct kafka_str *ret_id)
{
	enum { BROKER = 4 };
	struct kafka_str key = KAFKA_STR("broker.id");
	struct kafka_describe_configs_request_resource r = {
		.resource_type = BROKER,
		.resource_name = kafka_str_of(name),
		.configuration_keys = {&key, 1},
	};
	struct kafka_describe_configs_request req = {.resources = {&r, 1}};
	struct kafka_describe_configs_response res;

	CALL(b, fd, DESCRIBE_CONFIGS, describe_configs, 4, &req, &res);
	ASSERT_EQ(1, res.results.n);
	if (res.results.v[0].configs.n == 1)
		*ret_id = res.results.v[0].configs.v[0].value;
	return res.results.v[0].error_code;
}

static void brokers(struct broker *b)
{
	struct kafka_describe_cluster_request req = {.endpoint_type = 1};
	struct kafka_describe_cluster_response res;
	struct kafka_str id = {0};
	int fd = broker_connect(b);

	CALL(b, fd, DESCRIBE_CLUSTER, describe_cluster, 1, &req, &res);
	ASSERT_EQ(CORES, res.brokers.n);
	EXPECT_EQ(7 + 3, res.brokers.v[3].broker_id);
	EXPECT_EQ(FIRST_PORT + 3, res.brokers.v[3].port);
	expect_metadata(b, fd);
	expect_coordinator(b, fd);
	EXPECT_EQ(0, describe(b, fd, "9", &id));
	EXPECT_STR("9", id);
	EXPECT_EQ(KAFKA_ERR_INVALID_REQUEST, describe(b, fd, "11", &id));
	EXPECT_EQ(KAFKA_ERR_INVALID_REQUEST, describe(b, fd, "6", &id));
	close(fd);
}

TEST(with_ports_of_cores_each_core_is_one)
{
	struct broker b;

	broker_init(&b, brokers);
	b.server.core_port = FIRST_PORT;
	b.server.cores = CORES;
	broker_run(&b);
}

TEST_HARNESS_MAIN
