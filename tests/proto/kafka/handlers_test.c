// SPDX-License-Identifier: Apache-2.0
/*
 * Every API in every version that is advertised: a request is answered by a response that this
 * version's schema reads to its last byte, whether the request says nothing or names what is not
 * there.
 */
#include <unistd.h>

#include "broker.h"

static const struct {
	enum kafka_api api;
	int16_t min, max;
} apis[] = {
#define X(id, name, min_, max_, ...) {KAFKA_##id, min_, max_},
#include "proto/kafka/apis.def"
#undef X
};

enum { MESSAGE_BYTES = 1024 };

static void say_nothing(struct broker *b)
{
	_Alignas(16) uint8_t req[MESSAGE_BYTES], res[MESSAGE_BYTES];
	int fd = broker_connect(b);

	for (size_t i = 0; i < SL_ARRAY_SIZE(apis); i++) {
		const struct kafka_api_info *info = kafka_api_find(apis[i].api);

		ASSERT_NOT_NULL(info);
		ASSERT_LE(info->request->size, sizeof(req));
		ASSERT_LE(info->response->size, sizeof(res));
		for (int v = sl_max(apis[i].min, info->min); v <= apis[i].max; v++) {
			kafka_init(info->request, req);
			if (apis[i].api == KAFKA_PRODUCE) /* acks 0 has no answer */
				((struct kafka_produce_request *)req)->acks = 1;
			broker_send(b, fd, apis[i].api, v, v, req);
			if (!EXPECT_TRUE(broker_receive(b, fd, apis[i].api, v, v, res))) {
				TH_LOG("%s version %d", info->name, v);
				return;
			}
		}
	}
	close(fd);
}

TEST(each_version_of_each_api_answers_an_empty_request)
{
	broker_test(say_nothing);
}

static void name_unknown(struct broker *b)
{
	struct kafka_str name = KAFKA_STR("nothing");
	int fd = broker_connect(b);

	for (int v = 1; v <= 11; v++) {
		struct kafka_list_offsets_request_partition p = {.current_leader_epoch = -1};
		struct kafka_list_offsets_request_topic t = {name, {&p, 1}};
		struct kafka_list_offsets_request req = {.topics = {&t, 1}};
		struct kafka_list_offsets_response res;

		CALL(b, fd, LIST_OFFSETS, list_offsets, v, &req, &res);
		ASSERT_EQ(1, res.topics.n);
		EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION,
			  res.topics.v[0].partitions.v[0].error_code);
	}
	for (int v = 2; v <= 10; v++) {
		struct kafka_offset_commit_request_partition p = {
			.committed_leader_epoch = -1, .committed_metadata = KAFKA_STR_NULL};
		struct kafka_offset_commit_request_topic t = {.name = name, .partitions = {&p, 1}};
		struct kafka_offset_commit_request req;
		struct kafka_offset_commit_response res;

		kafka_init(&kafka_offset_commit_request_schema, &req);
		req.group_id = KAFKA_STR("g");
		req.topics.v = &t;
		req.topics.n = 1;
		CALL(b, fd, OFFSET_COMMIT, offset_commit, v, &req, &res);
		ASSERT_EQ(1, res.topics.n);
		EXPECT_EQ(v < 10 ? KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION
				 : KAFKA_ERR_UNKNOWN_TOPIC_ID,
			  res.topics.v[0].partitions.v[0].error_code);
	}
	close(fd);
}

TEST(what_is_not_there_is_an_error_of_its_item)
{
	broker_test(name_unknown);
}

static void go_on(struct broker *b)
{
	static const uint8_t metadata[] = {0,	0, 0, 25, 0,   3,   0,	 13,  0,   0,
					   0,	3, 0, 7,  'r', 'd', 'k', 'a', 'f', 'k',
					   'a', 0, 0, 0,  0,   0,   1,	 0,   0};
	struct kafka_metadata_response res;
	int fd = broker_connect(b);

	static_assert(sizeof(metadata) == 4 + 25, "as the frame says");
	serving_send(fd, metadata, sizeof(metadata));
	ASSERT_TRUE(broker_receive(b, fd, KAFKA_METADATA, 13, 3, &res));
	EXPECT_EQ(1, res.brokers.n);
	close(fd);
}

/* As librdkafka 2.16 asks for all topics. */
TEST(bytes_after_a_request_are_passed_over)
{
	broker_test(go_on);
}

TEST_HARNESS_MAIN
