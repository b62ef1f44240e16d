// SPDX-License-Identifier: Apache-2.0
/* ListOffsets and OffsetForLeaderEpoch. */
#include <unistd.h>

#include "broker.h"

static struct kafka_list_offsets_response_partition
list(struct broker *b, int fd, int version, int64_t time, int32_t partition, int32_t epoch)
{
	struct kafka_list_offsets_request_partition p = {partition, epoch, time};
	struct kafka_list_offsets_request_topic t = {KAFKA_STR("t"), {&p, 1}};
	struct kafka_list_offsets_request req = {.replica_id = -1, .topics = {&t, 1}};
	struct kafka_list_offsets_response res;

	CALL(b, fd, LIST_OFFSETS, list_offsets, version, &req, &res);
	ASSERT_EQ(1, res.topics.n);
	ASSERT_EQ(1, res.topics.v[0].partitions.n);
	return res.topics.v[0].partitions.v[0];
}

static void by_time(struct broker *b)
{
	struct kafka_list_offsets_response_partition p;
	int fd = broker_connect(b);

	broker_create(b, fd, "t", 1);
	p = list(b, fd, 7, -3, 0, -1);
	EXPECT_EQ(0, p.error_code);
	EXPECT_EQ(-1, p.offset);
	ASSERT_EQ(0, broker_produce(b, fd, "t", 10, 1000));
	ASSERT_EQ(0, broker_produce(b, fd, "t", 10, 2000));
	for (int v = 1; v <= 11; v++) {
		EXPECT_EQ(0, list(b, fd, v, -2, 0, -1).offset);
		EXPECT_EQ(20, list(b, fd, v, -1, 0, -1).offset);
		p = list(b, fd, v, 1005, 0, -1);
		EXPECT_EQ(5, p.offset);
		EXPECT_EQ(1005, p.timestamp);
		EXPECT_EQ(v < 4 ? -1 : 3, p.leader_epoch);
		EXPECT_EQ(10, list(b, fd, v, 1500, 0, -1).offset);
		p = list(b, fd, v, 9999, 0, -1);
		EXPECT_EQ(0, p.error_code);
		EXPECT_EQ(-1, p.offset);
		EXPECT_EQ(-1, p.timestamp);
	}
	p = list(b, fd, 7, -3, 0, -1);
	EXPECT_EQ(19, p.offset);
	EXPECT_EQ(2009, p.timestamp);
	EXPECT_EQ(KAFKA_ERR_UNSUPPORTED_VERSION, list(b, fd, 6, -3, 0, -1).error_code);
	EXPECT_EQ(KAFKA_ERR_UNSUPPORTED_VERSION, list(b, fd, 11, -7, 0, -1).error_code);
	EXPECT_EQ(0, list(b, fd, 8, -4, 0, -1).offset);
	p = list(b, fd, 9, -5, 0, -1);
	EXPECT_EQ(0, p.error_code);
	EXPECT_EQ(-1, p.offset);
	close(fd);
}

TEST(offsets_are_found_by_time_and_by_name)
{
	broker_test(by_time);
}

static void refuse(struct broker *b)
{
	int fd = broker_connect(b);

	broker_create(b, fd, "t", 2);
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION, list(b, fd, 4, -1, 2, -1).error_code);
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION, list(b, fd, 4, -1, -1, -1).error_code);
	EXPECT_EQ(KAFKA_ERR_FENCED_LEADER_EPOCH, list(b, fd, 4, -1, 0, 2).error_code);
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_LEADER_EPOCH, list(b, fd, 4, -1, 0, 4).error_code);
	EXPECT_EQ(0, list(b, fd, 4, -1, 0, 3).error_code);
	close(fd);
}

TEST(partitions_and_epochs_are_checked)
{
	broker_test(refuse);
}

/* ---- epochs ----------------------------------------------------------------------------- */

static void expect_end(struct broker *b, int fd, int32_t current, int32_t epoch, int16_t error,
		       int32_t end_epoch, int64_t end)
{
	struct kafka_offset_for_leader_epoch_request_partition p = {0, current, epoch};
	struct kafka_offset_for_leader_epoch_request_topic t = {KAFKA_STR("t"), {&p, 1}};
	struct kafka_offset_for_leader_epoch_request req = {.replica_id = -1, .topics = {&t, 1}};
	struct kafka_offset_for_leader_epoch_response res;
	const struct kafka_offset_for_leader_epoch_response_partition *o;

	for (int v = 2; v <= 4; v++) {
		CALL(b, fd, OFFSET_FOR_LEADER_EPOCH, offset_for_leader_epoch, v, &req, &res);
		ASSERT_EQ(1, res.topics.n);
		o = &res.topics.v[0].partitions.v[0];
		EXPECT_EQ(error, o->error_code);
		if (!EXPECT_EQ(end_epoch, o->leader_epoch) || !EXPECT_EQ(end, o->end_offset))
			TH_LOG("epoch %d", epoch);
	}
}

static void write_some(struct broker *b)
{
	int fd = broker_connect(b);

	if (b->server.epoch == 3)
		broker_create(b, fd, "t", 1);
	for (uint32_t i = 0; i < b->server.epoch; i++)
		ASSERT_EQ(0, broker_produce(b, fd, "t", 5, 1000));
	close(fd);
}

/* Epoch 3 has the offsets 0 to 14, epoch 5 those from 15 to 39, epoch 6 none. */
static void look(struct broker *b)
{
	int fd = broker_connect(b);

	expect_end(b, fd, 6, 3, 0, 3, 15);
	expect_end(b, fd, 6, 4, 0, 3, 15);
	expect_end(b, fd, -1, 5, 0, 5, 40);
	expect_end(b, fd, 6, 6, 0, 6, 40);
	expect_end(b, fd, 6, 2, 0, 2, 0);
	expect_end(b, fd, 6, 7, 0, -1, -1);
	expect_end(b, fd, 5, 5, KAFKA_ERR_FENCED_LEADER_EPOCH, -1, -1);
	expect_end(b, fd, 7, 5, KAFKA_ERR_UNKNOWN_LEADER_EPOCH, -1, -1);
	close(fd);
}

TEST(an_epoch_ends_where_the_next_one_begins)
{
	static const uint32_t epochs[] = {3, 5, 6};
	struct broker b;

	for (int i = 0; i < 3; i++) {
		broker_init(&b, i < 2 ? write_some : look);
		b.server.epoch = b.topics.epoch = b.topics.log.epoch = epochs[i];
		broker_run(&b);
	}
}

TEST_HARNESS_MAIN
