// SPDX-License-Identifier: Apache-2.0
/* DescribeConfigs, AlterConfigs, IncrementalAlterConfigs. */
#include <unistd.h>

#include "broker.h"

enum { TOPIC = 2, BROKER = 4, GROUP = 32 };

static struct kafka_describe_configs_response_result describe(struct broker *b, int fd, int version,
							      int8_t type, const char *name,
							      struct kafka_str *key)
{
	struct kafka_describe_configs_request_resource r = {
		type, kafka_str_of(name), {key, key ? 1 : -1}};
	struct kafka_describe_configs_request req = {.resources = {&r, 1},
						     .include_synonyms = true};
	struct kafka_describe_configs_response res;

	CALL(b, fd, DESCRIBE_CONFIGS, describe_configs, version, &req, &res);
	ASSERT_EQ(1, res.results.n);
	return res.results.v[0];
}

static void look(struct broker *b)
{
	struct kafka_describe_configs_response_result r;
	struct kafka_str key = KAFKA_STR("retention.bytes");
	int fd = broker_connect(b);

	broker_create(b, fd, "t", 1);
	for (int v = 1; v <= 4; v++) {
		r = describe(b, fd, v, TOPIC, "t", NULL);
		EXPECT_EQ(0, r.error_code);
		EXPECT_EQ(SL_TOPIC_KEY_LAST, r.configs.n);
		r = describe(b, fd, v, TOPIC, "t", &key);
		ASSERT_EQ(1, r.configs.n);
		EXPECT_EQ(5, r.configs.v[0].config_source);
		ASSERT_EQ(1, r.configs.v[0].synonyms.n);
		EXPECT_EQ(v < 3 ? 0 : 5, r.configs.v[0].config_type);
	}
	r = describe(b, fd, 4, TOPIC, "none", NULL);
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION, r.error_code);
	r = describe(b, fd, 4, TOPIC, "no name", NULL);
	EXPECT_EQ(KAFKA_ERR_INVALID_TOPIC_EXCEPTION, r.error_code);
	r = describe(b, fd, 4, GROUP, "g", NULL);
	EXPECT_EQ(KAFKA_ERR_INVALID_REQUEST, r.error_code);
	close(fd);
}

TEST(topics_show_all_settings_or_those_asked_for)
{
	broker_test(look);
}

static void look_at_node(struct broker *b)
{
	struct kafka_describe_configs_response_result r;
	struct kafka_str key = KAFKA_STR("num.partitions");
	int fd = broker_connect(b);

	r = describe(b, fd, 4, BROKER, "7", &key);
	ASSERT_EQ(1, r.configs.n);
	EXPECT_STR("2", r.configs.v[0].value);
	EXPECT_TRUE(r.configs.v[0].read_only);
	EXPECT_LT(5, describe(b, fd, 4, BROKER, "", NULL).configs.n);
	EXPECT_EQ(KAFKA_ERR_INVALID_REQUEST, describe(b, fd, 4, BROKER, "8", NULL).error_code);
	close(fd);
}

TEST(the_node_shows_what_clients_look_for)
{
	broker_test(look_at_node);
}

static int16_t step(struct broker *b, int fd, const char *name, const char *key, int8_t op,
		    const char *value)
{
	struct kafka_incremental_alter_configs_request_config c = {kafka_str_of(key), op,
								   kafka_str_of(value)};
	struct kafka_incremental_alter_configs_request_resource r = {
		TOPIC, kafka_str_of(name), {&c, 1}};
	struct kafka_incremental_alter_configs_request req = {.resources = {&r, 1}};
	struct kafka_incremental_alter_configs_response res;

	CALL(b, fd, INCREMENTAL_ALTER_CONFIGS, incremental_alter_configs, 1, &req, &res);
	ASSERT_EQ(1, res.responses.n);
	EXPECT_EQ(res.responses.v[0].error_code != 0, res.responses.v[0].error_message.n > 0);
	return res.responses.v[0].error_code;
}

static int8_t source(struct broker *b, int fd, const char *key)
{
	struct kafka_str name = kafka_str_of(key);
	struct kafka_describe_configs_response_result r = describe(b, fd, 4, TOPIC, "t", &name);

	ASSERT_EQ(1, r.configs.n);
	return r.configs.v[0].config_source;
}

enum { SET, DELETE, APPEND, SUBTRACT };

static void change(struct broker *b)
{
	struct kafka_alter_configs_request_config c = {KAFKA_STR("segment.ms"), KAFKA_STR("5000")};
	struct kafka_alter_configs_request_resource r = {TOPIC, KAFKA_STR("t"), {&c, 1}};
	struct kafka_alter_configs_request req = {.resources = {&r, 1}};
	struct kafka_alter_configs_response res;
	int fd = broker_connect(b);

	broker_create(b, fd, "t", 1);
	EXPECT_EQ(0, step(b, fd, "t", "retention.ms", SET, "60000"));
	EXPECT_EQ(0, step(b, fd, "t", "retention.bytes", SET, "1000000"));
	EXPECT_EQ(1, source(b, fd, "retention.ms"));
	EXPECT_EQ(0, step(b, fd, "t", "retention.ms", DELETE, NULL));
	EXPECT_EQ(5, source(b, fd, "retention.ms"));
	EXPECT_EQ(1, source(b, fd, "retention.bytes"));
	EXPECT_EQ(0, step(b, fd, "t", "cleanup.policy", APPEND, "delete"));
	EXPECT_EQ(KAFKA_ERR_INVALID_CONFIG, step(b, fd, "t", "retention.ms", APPEND, "1"));
	EXPECT_EQ(KAFKA_ERR_INVALID_CONFIG, step(b, fd, "t", "cleanup.policy", SUBTRACT, "delete"));
	EXPECT_EQ(KAFKA_ERR_INVALID_CONFIG, step(b, fd, "t", "cleanup.policy", SET, "compact"));
	EXPECT_EQ(KAFKA_ERR_INVALID_CONFIG, step(b, fd, "t", "no.such", DELETE, NULL));
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION,
		  step(b, fd, "none", "retention.ms", SET, "60000"));
	CALL(b, fd, ALTER_CONFIGS, alter_configs, 2, &req, &res);
	ASSERT_EQ(1, res.responses.n);
	EXPECT_EQ(0, res.responses.v[0].error_code);
	EXPECT_EQ(1, source(b, fd, "segment.ms"));
	EXPECT_EQ(5, source(b, fd, "retention.bytes"));
	r = (struct kafka_alter_configs_request_resource){BROKER, KAFKA_STR("7"), {&c, 1}};
	CALL(b, fd, ALTER_CONFIGS, alter_configs, 0, &req, &res);
	EXPECT_EQ(KAFKA_ERR_INVALID_CONFIG, res.responses.v[0].error_code);
	close(fd);
}

TEST(settings_change_one_by_one_or_all_at_once)
{
	broker_test(change);
}

TEST_HARNESS_MAIN
