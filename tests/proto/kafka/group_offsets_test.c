// SPDX-License-Identifier: Apache-2.0
/* OffsetCommit and OffsetFetch. */
#include <unistd.h>

#include "broker.h"

/* Who commits: nobody in particular, or a member. */
struct who {
	const char *group;
	struct kafka_str member;
	int32_t generation;
};

static const struct who nobody = {"g", {.n = 0}, -1};

static int16_t commit(struct broker *b, int fd, int version, struct who w, const char *topic,
		      struct kafka_uuid id, int32_t partition, int64_t offset, const char *metadata)
{
	struct kafka_offset_commit_request_partition p = {partition, offset, 2,
							  kafka_str_of(metadata)};
	struct kafka_offset_commit_request_topic t = {kafka_str_of(topic), id, {&p, 1}};
	struct kafka_offset_commit_request req = {
		.group_id = kafka_str_of(w.group),
		.generation_id_or_member_epoch = w.generation,
		.member_id = w.member,
		.group_instance_id = KAFKA_STR_NULL,
		.retention_time_ms = -1,
		.topics = {&t, 1},
	};
	struct kafka_offset_commit_response res;

	CALL(b, fd, OFFSET_COMMIT, offset_commit, version, &req, &res);
	ASSERT_EQ(1, res.topics.n);
	ASSERT_EQ(1, res.topics.v[0].partitions.n);
	EXPECT_EQ(partition, res.topics.v[0].partitions.v[0].partition_index);
	return res.topics.v[0].partitions.v[0].error_code;
}

/* Partitions 1 and 0 of a topic; @topic NULL asks for all. */
static struct kafka_offset_fetch_response fetch_old(struct broker *b, int fd, int version,
						    const char *group, const char *topic)
{
	int32_t parts[] = {1, 0};
	struct kafka_offset_fetch_request_topic t = {kafka_str_of(topic), {parts, 2}};
	struct kafka_offset_fetch_request req = {.group_id = kafka_str_of(group),
						 .topics = {&t, topic ? 1 : -1}};
	struct kafka_offset_fetch_response res;

	CALL(b, fd, OFFSET_FETCH, offset_fetch, version, &req, &res);
	return res;
}

static void commit_old(struct broker *b)
{
	struct kafka_uuid none = {{0}};
	struct kafka_offset_fetch_response res;
	int fd = broker_connect(b);

	broker_create(b, fd, "t", 2);
	for (int v = 2; v <= 9; v++)
		EXPECT_EQ(0, commit(b, fd, v, nobody, "t", none, 0, 40 + v, "note"));
	for (int v = 1; v <= 7; v++) {
		res = fetch_old(b, fd, v, "g", "t");
		EXPECT_EQ(0, res.error_code);
		ASSERT_EQ(1, res.topics.n);
		ASSERT_EQ(2, res.topics.v[0].partitions.n);
		EXPECT_EQ(1, res.topics.v[0].partitions.v[0].partition_index);
		EXPECT_EQ(-1, res.topics.v[0].partitions.v[0].committed_offset);
		EXPECT_STR("", res.topics.v[0].partitions.v[0].metadata);
		EXPECT_EQ(49, res.topics.v[0].partitions.v[1].committed_offset);
		EXPECT_EQ(v < 5 ? -1 : 2, res.topics.v[0].partitions.v[1].committed_leader_epoch);
		EXPECT_STR("note", res.topics.v[0].partitions.v[1].metadata);
		res = fetch_old(b, fd, v, "g", "unknown");
		ASSERT_EQ(1, res.topics.n);
		EXPECT_EQ(-1, res.topics.v[0].partitions.v[0].committed_offset);
		EXPECT_EQ(0, res.topics.v[0].partitions.v[0].error_code);
	}
	for (int v = 2; v <= 7; v++) {
		res = fetch_old(b, fd, v, "g", NULL);
		ASSERT_EQ(1, res.topics.n);
		EXPECT_STR("t", res.topics.v[0].name);
		ASSERT_EQ(1, res.topics.v[0].partitions.n);
		EXPECT_EQ(49, res.topics.v[0].partitions.v[0].committed_offset);
	}
	res = fetch_old(b, fd, 1, "", "t");
	ASSERT_EQ(1, res.topics.n);
	EXPECT_EQ(KAFKA_ERR_INVALID_GROUP_ID, res.topics.v[0].partitions.v[0].error_code);
	EXPECT_EQ(KAFKA_ERR_INVALID_GROUP_ID, fetch_old(b, fd, 2, "", "t").error_code);
	close(fd);
}

TEST(offsets_come_back_in_the_versions_of_one_group)
{
	broker_test(commit_old);
}

static void fetch_many(struct broker *b)
{
	int32_t parts[] = {0, 1, 9};
	struct kafka_offset_fetch_request_group_topic t[] = {
		{.name = KAFKA_STR("t"), .partition_indexes = {parts, 3}},
		{.name = KAFKA_STR("u"), .topic_id = {{9}}, .partition_indexes = {parts, 1}}};
	struct kafka_offset_fetch_request_group g[] = {
		{KAFKA_STR("g"), KAFKA_STR_NULL, -1, {t, 2}},
		{KAFKA_STR("h"), KAFKA_STR_NULL, -1, {NULL, -1}},
		{KAFKA_STR("none"), KAFKA_STR_NULL, -1, {t, 1}},
		{KAFKA_STR(""), KAFKA_STR_NULL, -1, {t, 1}}};
	struct kafka_offset_fetch_request req = {.groups = {g, 4}};
	const struct kafka_offset_fetch_response_group_topic *o;
	struct kafka_offset_fetch_response res;
	struct who other = {"h", {.n = 0}, -1};
	int fd = broker_connect(b);

	t[0].topic_id = broker_create(b, fd, "t", 2);
	broker_create(b, fd, "s", 2);
	EXPECT_EQ(0, commit(b, fd, 10, nobody, "", t[0].topic_id, 1, 10, NULL));
	EXPECT_EQ(0, commit(b, fd, 9, other, "t", t[0].topic_id, 1, 11, "a"));
	EXPECT_EQ(0, commit(b, fd, 9, other, "s", t[0].topic_id, 1, 12, "b"));
	EXPECT_EQ(0, commit(b, fd, 9, other, "t", t[0].topic_id, 0, 13, "c"));
	for (int v = 8; v <= 10; v++) {
		CALL(b, fd, OFFSET_FETCH, offset_fetch, v, &req, &res);
		ASSERT_EQ(4, res.groups.n);
		EXPECT_STR("g", res.groups.v[0].group_id);
		ASSERT_EQ(2, res.groups.v[0].topics.n);
		o = res.groups.v[0].topics.v;
		ASSERT_EQ(3, o[0].partitions.n);
		EXPECT_EQ(-1, o[0].partitions.v[0].committed_offset);
		EXPECT_EQ(10, o[0].partitions.v[1].committed_offset);
		EXPECT_EQ(-1, o[0].partitions.v[2].committed_offset);
		EXPECT_EQ(v < 10 ? 0 : KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION,
			  o[0].partitions.v[2].error_code);
		EXPECT_EQ(v < 10 ? 0 : KAFKA_ERR_UNKNOWN_TOPIC_ID, o[1].partitions.v[0].error_code);
		ASSERT_EQ(2, res.groups.v[1].topics.n);
		o = res.groups.v[1].topics.v;
		EXPECT_EQ(3, o[0].partitions.n + o[1].partitions.n);
		ASSERT_EQ(1, res.groups.v[2].topics.n);
		EXPECT_EQ(-1, res.groups.v[2].topics.v[0].partitions.v[1].committed_offset);
		EXPECT_EQ(KAFKA_ERR_INVALID_GROUP_ID, res.groups.v[3].error_code);
	}
	close(fd);
}

TEST(many_groups_are_asked_at_once)
{
	broker_test(fetch_many);
}

static void fence(struct broker *b)
{
	struct kafka_uuid none = {{0}};
	struct who w = {.group = "g"};
	int fd = broker_connect(b);

	broker_create(b, fd, "t", 1);
	w.member = broker_join(b, fd, "g", "mine", &w.generation);
	EXPECT_EQ(0, commit(b, fd, 9, w, "t", none, 0, 1, ""));
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_MEMBER_ID, commit(b, fd, 9, nobody, "t", none, 0, 2, ""));
	w.generation++;
	EXPECT_EQ(KAFKA_ERR_ILLEGAL_GENERATION, commit(b, fd, 9, w, "t", none, 0, 3, ""));
	w.generation--;
	w.member = KAFKA_STR("x");
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_MEMBER_ID, commit(b, fd, 9, w, "t", none, 0, 4, ""));
	EXPECT_EQ(1, fetch_old(b, fd, 7, "g", NULL).topics.v[0].partitions.v[0].committed_offset);
	close(fd);
}

TEST(commits_are_fenced_by_member_and_generation)
{
	broker_test(fence);
}

static void commit_badly(struct broker *b)
{
	struct kafka_uuid none = {{0}};
	static char long_note[5001];
	int fd = broker_connect(b);

	memset(long_note, 'x', sizeof(long_note) - 1);
	broker_create(b, fd, "t", 1);
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION,
		  commit(b, fd, 9, nobody, "t", none, 1, 1, ""));
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION,
		  commit(b, fd, 9, nobody, "t", none, -1, 1, ""));
	EXPECT_EQ(KAFKA_ERR_INVALID_COMMIT_OFFSET_SIZE,
		  commit(b, fd, 9, nobody, "t", none, 0, -5, ""));
	EXPECT_EQ(KAFKA_ERR_OFFSET_METADATA_TOO_LARGE,
		  commit(b, fd, 9, nobody, "t", none, 0, 1, long_note));
	EXPECT_EQ(0, fetch_old(b, fd, 7, "g", NULL).topics.n);
	close(fd);
}

TEST(offsets_that_cannot_be_kept_are_refused)
{
	struct broker b;

	broker_init(&b, commit_badly);
	b.topics.offset_metadata_bytes_max = 4096;
	broker_run(&b);
}

static void keep(struct broker *b)
{
	struct kafka_uuid none = {{0}};
	int fd = broker_connect(b);

	broker_create(b, fd, "t", 1);
	EXPECT_EQ(0, commit(b, fd, 9, nobody, "t", none, 0, 77, "note"));
	close(fd);
}

static void look_again(struct broker *b)
{
	int fd = broker_connect(b);
	struct kafka_offset_fetch_response res = fetch_old(b, fd, 7, "g", NULL);

	ASSERT_EQ(1, res.topics.n);
	EXPECT_EQ(77, res.topics.v[0].partitions.v[0].committed_offset);
	EXPECT_STR("note", res.topics.v[0].partitions.v[0].metadata);
	close(fd);
}

TEST(offsets_outlive_the_server)
{
	broker_test(keep);
	broker_test(look_again);
}

TEST_HARNESS_MAIN
