// SPDX-License-Identifier: Apache-2.0
/*
 * Every API in every version that is advertised: a request is answered by a response that this
 * version's schema reads to its last byte, whether the request says nothing or names what is not
 * there. What is counted of errors, and what limits allow.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker.h"
#include "serving.h"

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

/* ---- errors counted --------------------------------------------------------------------- */

static uint64_t errors(const struct broker *b, const char *api)
{
	return broker_metric(b, SL_M_KAFKA_ERRORS, api);
}

static void count_items(struct broker *b, int fd)
{
	struct kafka_str name = KAFKA_STR("nothing");
	struct kafka_metadata_request_topic topics[] = {{.name = KAFKA_STR("t")}, {.name = name}};
	struct kafka_metadata_request metadata = {.topics = {topics, 2}};
	struct kafka_metadata_response described;
	struct kafka_fetch_request_partition parts[2] = {{.partition = 0}, {.partition = 1}};
	struct kafka_fetch_request_topic t = {.topic = name, .partitions = {parts, 2}};
	struct kafka_fetch_request fetch;
	struct kafka_fetch_response fetched;

	CALL(b, fd, METADATA, metadata, 12, &metadata, &described);
	EXPECT_EQ(1, errors(b, "metadata"));
	kafka_init(&kafka_fetch_request_schema, &fetch);
	fetch.topics.v = &t;
	fetch.topics.n = 1;
	CALL(b, fd, FETCH, fetch, 11, &fetch, &fetched);
	EXPECT_EQ(2, errors(b, "fetch"));
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION, broker_produce(b, fd, "nothing", 1, 0));
	EXPECT_EQ(1, errors(b, "produce"));
}

static void count_whole(struct broker *b, int fd)
{
	struct kafka_heartbeat_request beat = {KAFKA_STR("g"), 1, KAFKA_STR("x"), KAFKA_STR_NULL};
	struct kafka_heartbeat_response beaten;
	struct kafka_api_versions_request ask;
	struct kafka_api_versions_response told;

	CALL(b, fd, HEARTBEAT, heartbeat, 4, &beat, &beaten);
	CALL(b, fd, HEARTBEAT, heartbeat, 3, &beat, &beaten);
	EXPECT_EQ(2, errors(b, "heartbeat"));
	kafka_init(&kafka_api_versions_request_schema, &ask);
	CALL(b, fd, API_VERSIONS, api_versions, 3, &ask, &told);
	EXPECT_EQ(0, errors(b, "api_versions"));
}

static void count_errors(struct broker *b)
{
	/* Metadata in version 99, which is not served. */
	static const uint8_t unserved[] = {0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 1, 0, 0};
	int fd = broker_connect(b);

	broker_create(b, fd, "t", 1);
	EXPECT_EQ(0, broker_produce(b, fd, "t", 1, 0));
	EXPECT_EQ(0, errors(b, NULL));
	count_items(b, fd);
	count_whole(b, fd);
	EXPECT_EQ(6, errors(b, NULL));
	EXPECT_EQ(0, broker_metric(b, SL_M_KAFKA_ABORTED, NULL));
	serving_send(fd, unserved, sizeof(unserved));
	EXPECT_TRUE(serving_ended(fd));
	EXPECT_EQ(1, broker_metric(b, SL_M_KAFKA_ABORTED, "metadata"));
	EXPECT_EQ(1, broker_metric(b, SL_M_KAFKA_ABORTED, NULL));
	EXPECT_EQ(6, errors(b, NULL));
	close(fd);
}

TEST(error_codes_are_counted_by_api_and_so_are_requests_without_an_answer)
{
	struct broker b;

	broker_init(&b, count_errors);
	b.server.auto_create_topics = false;
	broker_run(&b);
}

/* An error in acks=0 has no answer; a client that goes while it waits is none. */
static void count_silence(struct broker *b)
{
	struct kafka_produce_request_partition part = {.records = {(const uint8_t *)"x", 1, 0}};
	struct kafka_produce_request_topic t = {.name = KAFKA_STR("t"),
						.partition_data = {&part, 1}};
	struct kafka_produce_request produce = {.transactional_id = KAFKA_STR_NULL,
						.topic_data = {&t, 1}};
	struct kafka_fetch_request_partition p = {.partition_max_bytes = 1,
						  .current_leader_epoch = -1};
	struct kafka_fetch_request_topic ft = {.topic = KAFKA_STR("t"), .partitions = {&p, 1}};
	struct kafka_fetch_request fetch;
	int fd = broker_connect(b), other = broker_connect(b);

	broker_create(b, fd, "t", 1);
	broker_send(b, fd, KAFKA_PRODUCE, 9, 1, &produce);
	EXPECT_TRUE(serving_ended(fd));
	EXPECT_EQ(1, broker_metric(b, SL_M_KAFKA_ABORTED, "produce"));
	kafka_init(&kafka_fetch_request_schema, &fetch);
	fetch.topics.v = &ft;
	fetch.topics.n = fetch.min_bytes = fetch.max_bytes = 1;
	fetch.max_wait_ms = 600000;
	broker_send(b, other, KAFKA_FETCH, 11, 2, &fetch);
	close(other);
	while (!broker_metric(b, SL_M_KAFKA_REQUESTS, "fetch"))
		usleep(1000);
	EXPECT_EQ(0, broker_metric(b, SL_M_KAFKA_ABORTED, "fetch"));
	EXPECT_EQ(0, errors(b, NULL));
	close(fd);
}

TEST(requests_without_an_answer_are_counted_unless_their_client_has_gone)
{
	broker_test(count_silence);
}

/* ---- limits ----------------------------------------------------------------------------- */

enum { MANY = 100000, SESSION_MAX = 1 << 16 };

static void describe_many(struct broker *b)
{
	struct kafka_metadata_request_topic topics[] = {
		{.name = KAFKA_STR("a")}, {.name = KAFKA_STR("b")}, {.name = KAFKA_STR("c")}};
	struct kafka_metadata_request req = {.topics = {topics, 3}};
	struct kafka_metadata_response res;
	int fd = broker_connect(b);

	broker_create(b, fd, "a", MANY);
	broker_create(b, fd, "b", MANY);
	broker_create(b, fd, "c", MANY);
	CALL(b, fd, METADATA, metadata, 13, &req, &res);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(MANY, res.topics.v[i].partitions.n);
	EXPECT_EQ(MANY - 1, res.topics.v[2].partitions.v[MANY - 1].partition_index);
	close(fd);
}

static void commit_many(struct broker *b)
{
	struct kafka_offset_commit_request_partition *p = calloc(MANY, sizeof(*p));
	struct kafka_offset_commit_request_topic t = {.name = KAFKA_STR("a"),
						      .partitions = {p, MANY}};
	struct kafka_offset_commit_request req;
	struct kafka_offset_commit_response res;
	struct kafka_offset_fetch_request_group g = {.group_id = KAFKA_STR("g"),
						     .member_id = KAFKA_STR_NULL,
						     .member_epoch = -1,
						     .topics = {NULL, -1}};
	struct kafka_offset_fetch_request ask = {.groups = {&g, 1}};
	struct kafka_offset_fetch_response told;
	int fd = broker_connect(b);

	broker_create(b, fd, "a", MANY);
	for (int32_t i = 0; i < MANY; i++) {
		kafka_init(&kafka_offset_commit_request_partition_schema, &p[i]);
		p[i].partition_index = i;
		p[i].committed_offset = i;
	}
	kafka_init(&kafka_offset_commit_request_schema, &req);
	req.group_id = KAFKA_STR("g");
	req.topics.v = &t;
	req.topics.n = 1;
	CALL(b, fd, OFFSET_COMMIT, offset_commit, 9, &req, &res);
	ASSERT_EQ(MANY, res.topics.v[0].partitions.n);
	EXPECT_EQ(0, res.topics.v[0].partitions.v[MANY - 1].error_code);
	CALL(b, fd, OFFSET_FETCH, offset_fetch, 9, &ask, &told);
	ASSERT_EQ(1, told.groups.v[0].topics.n);
	EXPECT_EQ(MANY, told.groups.v[0].topics.v[0].partitions.n);
	free(p);
	close(fd);
}

/* A fetch of @n partitions, in version 12, of "a". Return: how many the answer has. */
static int32_t fetch_many(struct broker *b, int fd, int32_t n, int32_t *session, int32_t epoch)
{
	struct kafka_fetch_request_partition *p = calloc((size_t)n, sizeof(*p));
	struct kafka_fetch_request_topic t = {.topic = KAFKA_STR("a"), .partitions = {p, n}};
	struct kafka_fetch_request req;
	struct kafka_fetch_response res;

	for (int32_t i = 0; i < n; i++) {
		kafka_init(&kafka_fetch_request_partition_schema, &p[i]);
		p[i].partition = i;
	}
	kafka_init(&kafka_fetch_request_schema, &req);
	req.session_id = *session;
	req.session_epoch = epoch;
	req.topics.v = &t;
	req.topics.n = 1;
	CALL(b, fd, FETCH, fetch, 12, &req, &res);
	free(p);
	EXPECT_EQ(0, res.error_code);
	*session = res.session_id;
	return res.responses.n ? res.responses.v[0].partitions.n : 0;
}

static void fetch_of_many(struct broker *b)
{
	int fd = broker_connect(b);
	int32_t session = 0;

	broker_create(b, fd, "a", MANY);
	EXPECT_EQ(SESSION_MAX, fetch_many(b, fd, SESSION_MAX, &session, 0));
	EXPECT_LT(0, session);
	EXPECT_EQ(0, fetch_many(b, fd, SESSION_MAX, &session, 1));
	session = 0;
	EXPECT_EQ(SESSION_MAX + 1, fetch_many(b, fd, SESSION_MAX + 1, &session, 0));
	EXPECT_EQ(0, session);
	close(fd);
}

static void run_large(void (*client)(struct broker *b))
{
	struct broker b;

	broker_init(&b, client);
	b.topics.partitions_max = MANY;
	broker_run(&b);
}

TEST(metadata_of_three_hundred_thousand_partitions_is_answered)
{
	run_large(describe_many);
}

TEST(offsets_of_a_hundred_thousand_partitions_are_committed)
{
	run_large(commit_many);
}

TEST(fetches_of_a_whole_session_and_of_more_are_answered)
{
	run_large(fetch_of_many);
}

/* What the server wrote to its log ends up in a file of the test. */
static bool logged(const char *text)
{
	char path[256], line[1024];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/lines", harness_tmpdir());
	f = fopen(path, "r");
	ASSERT_NOT_NULL(f);
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, "connection.closed") && strstr(line, text);
	fclose(f);
	return found;
}

static void exceed(struct broker *b, const uint8_t *p, size_t n, const char *text)
{
	int fd = broker_connect(b);

	serving_send(fd, p, n);
	EXPECT_TRUE(serving_ended(fd));
	if (!EXPECT_TRUE(logged(text)))
		TH_LOG("no line says: %s", text);
	close(fd);
}

static void exceed_all(struct broker *b)
{
	/* Metadata 12 of 17 MiB, and of 65 MiB; ListGroups 4 with five million empty states. */
	static const uint8_t long_[] = {1, 16, 0, 0, 0, 3, 0, 12, 0, 0, 0, 1};
	static const uint8_t longer[] = {4, 16, 0, 0, 0, 3, 0, 12, 0, 0, 0, 1};
	static const uint8_t head[] = {0, 0, 0, 0, 0, 16, 0, 4, 0, 0, 0, 1, 255, 255, 0};
	const uint32_t states = 5000000, n = sizeof(head) + 4 + states + 1;
	uint8_t *many = malloc(n);

	exceed(b, long_, sizeof(long_), "other than Produce has more than ");
	exceed(b, longer, sizeof(longer), "kafka.max_request_bytes");
	memset(many, 1, n);
	memcpy(many, head, sizeof(head));
	sl_store_be32(many, n - 4);
	for (int i = 0; i < 4; i++)
		many[sizeof(head) + i] = (uint8_t)(((states + 1) >> (7 * i) & 127) | (i < 3) << 7);
	many[n - 1] = 0;
	exceed(b, many, n, "more than 64 MiB in memory");
	free(many);
}

TEST(what_exceeds_a_limit_is_logged_with_the_limit)
{
	struct broker b;
	char path[256];

	snprintf(path, sizeof(path), "%s/lines", harness_tmpdir());
	sl_log_to_fd(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
	broker_init(&b, exceed_all);
	b.server.request_bytes_max = 64 << 20;
	broker_run(&b);
	sl_log_to_fd(STDERR_FILENO);
}

TEST_HARNESS_MAIN
