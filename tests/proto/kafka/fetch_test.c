/* SPDX-License-Identifier: Apache-2.0 */
/* Fetch: limits, waiting, sessions, errors of single partitions. */
#include <string.h>
#include <unistd.h>

#include "broker.h"

/* ---- requests --------------------------------------------------------------------------- */

/* A fetch of partition 0 of "t" from @offset, and of what else is put into it. */
struct ask {
	struct kafka_fetch_request req;
	struct kafka_fetch_request_topic topics[2];
	struct kafka_fetch_request_partition parts[2];
	struct kafka_fetch_response res;
};

static struct ask *ask_init(struct ask *a, int64_t offset)
{
	kafka_init(&kafka_fetch_request_schema, &a->req);
	for (int i = 0; i < 2; i++) {
		kafka_init(&kafka_fetch_request_topic_schema, &a->topics[i]);
		kafka_init(&kafka_fetch_request_partition_schema, &a->parts[i]);
		a->parts[i].fetch_offset = offset;
		a->parts[i].partition_max_bytes = 1 << 20;
		a->topics[i].partitions.v = &a->parts[i];
		a->topics[i].partitions.n = 1;
	}
	a->topics[0].topic = KAFKA_STR("t");
	a->topics[1].topic = KAFKA_STR("u");
	a->req.max_bytes = 50 << 20;
	a->req.topics.v = a->topics;
	a->req.topics.n = 1;
	return a;
}

static const struct kafka_fetch_response_partition *one(const struct ask *a)
{
	ASSERT_EQ(1, a->res.responses.n);
	ASSERT_EQ(1, a->res.responses.v[0].partitions.n);
	return &a->res.responses.v[0].partitions.v[0];
}

static int64_t now_ms(void)
{
	return sl_clock_ns() / SL_MSEC;
}

/* ---- one look --------------------------------------------------------------------------- */

static void limits(struct broker *b)
{
	int fd = broker_connect(b);
	struct ask a;
	int32_t batch;

	broker_create(b, fd, "t", 1);
	for (int i = 0; i < 10; i++)
		ASSERT_EQ(0, broker_produce(b, fd, "t", 5, 1000 * i));
	for (int v = 4; v <= 12; v++) {
		CALL(b, fd, FETCH, fetch, v, &ask_init(&a, 0)->req, &a.res);
		EXPECT_EQ(0, one(&a)->error_code);
		EXPECT_EQ(50, one(&a)->high_watermark);
	}
	batch = one(&a)->records.n / 10;
	EXPECT_EQ(batch * 10, one(&a)->records.n);
	/* The first batch comes whatever the limit; whole batches as far as it goes. */
	ask_init(&a, 12);
	a.parts[0].partition_max_bytes = 1;
	CALL(b, fd, FETCH, fetch, 11, &a.req, &a.res);
	EXPECT_EQ(batch, one(&a)->records.n);
	EXPECT_EQ(10, (int64_t)sl_load_be64(one(&a)->records.p));
	ask_init(&a, 0);
	a.req.max_bytes = batch * 3 + 1;
	CALL(b, fd, FETCH, fetch, 11, &a.req, &a.res);
	EXPECT_EQ(batch * 3, one(&a)->records.n);
	/* At the end there is nothing, beyond it an error. */
	CALL(b, fd, FETCH, fetch, 11, &ask_init(&a, 50)->req, &a.res);
	EXPECT_EQ(0, one(&a)->error_code);
	EXPECT_EQ(0, one(&a)->records.n);
	CALL(b, fd, FETCH, fetch, 11, &ask_init(&a, 51)->req, &a.res);
	EXPECT_EQ(KAFKA_ERR_OFFSET_OUT_OF_RANGE, one(&a)->error_code);
	CALL(b, fd, FETCH, fetch, 11, &ask_init(&a, -5)->req, &a.res);
	EXPECT_EQ(KAFKA_ERR_OFFSET_OUT_OF_RANGE, one(&a)->error_code);
	close(fd);
}

TEST(limits_are_kept_but_for_the_first_batch)
{
	broker_test(limits);
}

static void by_id(struct broker *b)
{
	int fd = broker_connect(b);
	struct kafka_uuid id = broker_create(b, fd, "t", 1);
	struct ask a;

	ASSERT_EQ(0, broker_produce(b, fd, "t", 3, 0));
	for (int v = 13; v <= 18; v++) {
		ask_init(&a, 0);
		a.topics[0].topic_id = id;
		CALL(b, fd, FETCH, fetch, v, &a.req, &a.res);
		EXPECT_EQ(0, one(&a)->error_code);
		EXPECT_LT(0, one(&a)->records.n);
		a.topics[0].topic_id.b[3] ^= 1;
		CALL(b, fd, FETCH, fetch, v, &a.req, &a.res);
		EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_ID, one(&a)->error_code);
	}
	close(fd);
}

TEST(topics_may_be_named_by_id)
{
	broker_test(by_id);
}

/* ---- waiting ---------------------------------------------------------------------------- */

static void waits(struct broker *b)
{
	int fd = broker_connect(b), other = broker_connect(b);
	int64_t began;
	struct ask a;

	broker_create(b, fd, "t", 1);
	ask_init(&a, 0);
	a.req.min_bytes = 1;
	a.req.max_wait_ms = 200;
	began = now_ms();
	CALL(b, fd, FETCH, fetch, 11, &a.req, &a.res);
	EXPECT_LE(190, now_ms() - began);
	EXPECT_EQ(0, one(&a)->records.n);
	/* What is produced meanwhile ends the wait, which else outlasts the client's patience. */
	a.req.max_wait_ms = 60000;
	broker_send(b, fd, KAFKA_FETCH, 11, 7, &a.req);
	ASSERT_EQ(0, broker_produce(b, other, "t", 1, 0));
	ASSERT_TRUE(broker_receive(b, fd, KAFKA_FETCH, 11, 7, &a.res));
	EXPECT_LT(0, one(&a)->records.n);
	/* An error does not wait for anything. */
	a.topics[0].topic = KAFKA_STR("gone");
	CALL(b, fd, FETCH, fetch, 11, &a.req, &a.res);
	EXPECT_EQ(KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION, one(&a)->error_code);
	close(other);
	close(fd);
}

TEST(a_fetch_waits_for_min_bytes_or_max_wait)
{
	broker_test(waits);
}

static void leaves_while_waiting(struct broker *b)
{
	int fd = broker_connect(b), other = broker_connect(b);
	struct ask a;

	broker_create(b, fd, "t", 1);
	ask_init(&a, 0);
	a.req.min_bytes = 1;
	a.req.max_wait_ms = 60000;
	broker_send(b, fd, KAFKA_FETCH, 11, 7, &a.req);
	close(fd);
	ASSERT_EQ(0, broker_produce(b, other, "t", 1, 0));
	CALL(b, other, FETCH, fetch, 11, &a.req, &a.res);
	EXPECT_LT(0, one(&a)->records.n);
	close(other);
}

TEST(a_client_may_leave_while_it_waits)
{
	broker_test(leaves_while_waiting);
}

/* ---- sessions --------------------------------------------------------------------------- */

/* LONG: one session's story, whose epochs follow one another */
static void sessions(struct broker *b)
{
	int fd = broker_connect(b), other = broker_connect(b);
	struct kafka_fetch_request_forgotten_topic forgotten;
	int32_t session, partition = 0;
	struct ask a;

	broker_create(b, fd, "t", 1);
	broker_create(b, fd, "u", 1);
	/* Epoch 0 opens one: everything is told. */
	ask_init(&a, 0);
	a.req.session_epoch = 0;
	a.req.topics.n = 2;
	CALL(b, fd, FETCH, fetch, 12, &a.req, &a.res);
	session = a.res.session_id;
	EXPECT_LT(0, session);
	EXPECT_EQ(2, a.res.responses.n);
	/* Nothing is asked anew and nothing has changed: nothing is told. */
	ask_init(&a, 0);
	a.req.session_id = session;
	a.req.session_epoch = 1;
	a.req.topics.n = 0;
	CALL(b, fd, FETCH, fetch, 12, &a.req, &a.res);
	EXPECT_EQ(0, a.res.error_code);
	EXPECT_EQ(session, a.res.session_id);
	EXPECT_EQ(0, a.res.responses.n);
	/* Only what has changed is. */
	ASSERT_EQ(0, broker_produce(b, other, "u", 2, 0));
	a.req.session_epoch = 2;
	CALL(b, fd, FETCH, fetch, 12, &a.req, &a.res);
	ASSERT_EQ(1, a.res.responses.n);
	EXPECT_STR("u", a.res.responses.v[0].topic);
	EXPECT_LT(0, one(&a)->records.n);
	/* The client goes on behind it. */
	a.req.session_epoch = 3;
	a.parts[1].fetch_offset = 2;
	a.req.topics.v = &a.topics[1];
	a.req.topics.n = 1;
	CALL(b, fd, FETCH, fetch, 12, &a.req, &a.res);
	EXPECT_EQ(0, a.res.responses.n);
	/* What is forgotten is not told of any more. */
	kafka_init(&kafka_fetch_request_forgotten_topic_schema, &forgotten);
	forgotten.topic = KAFKA_STR("u");
	forgotten.partitions.v = &partition;
	forgotten.partitions.n = 1;
	a.req.topics.n = 0;
	a.req.forgotten_topics_data.v = &forgotten;
	a.req.forgotten_topics_data.n = 1;
	a.req.session_epoch = 4;
	CALL(b, fd, FETCH, fetch, 12, &a.req, &a.res);
	a.req.forgotten_topics_data.n = 0;
	ASSERT_EQ(0, broker_produce(b, other, "u", 2, 0));
	a.req.session_epoch = 5;
	CALL(b, fd, FETCH, fetch, 12, &a.req, &a.res);
	EXPECT_EQ(0, a.res.responses.n);
	/* A wrong epoch, a wrong id, another connection's. */
	a.req.session_epoch = 9;
	CALL(b, fd, FETCH, fetch, 12, &a.req, &a.res);
	EXPECT_EQ(KAFKA_ERR_INVALID_FETCH_SESSION_EPOCH, a.res.error_code);
	a.req.session_epoch = 6;
	CALL(b, other, FETCH, fetch, 12, &a.req, &a.res);
	EXPECT_EQ(KAFKA_ERR_FETCH_SESSION_ID_NOT_FOUND, a.res.error_code);
	a.req.session_id = session ^ 1;
	CALL(b, fd, FETCH, fetch, 12, &a.req, &a.res);
	EXPECT_EQ(KAFKA_ERR_FETCH_SESSION_ID_NOT_FOUND, a.res.error_code);
	/* A full fetch outside sessions ends it. */
	ask_init(&a, 0);
	a.req.session_id = session;
	CALL(b, fd, FETCH, fetch, 12, &a.req, &a.res);
	EXPECT_EQ(0, one(&a)->error_code);
	a.req.session_epoch = 6;
	CALL(b, fd, FETCH, fetch, 12, &a.req, &a.res);
	EXPECT_EQ(KAFKA_ERR_FETCH_SESSION_ID_NOT_FOUND, a.res.error_code);
	close(other);
	close(fd);
}

TEST(sessions_tell_what_has_changed)
{
	broker_test(sessions);
}

TEST_HARNESS_MAIN
