/* SPDX-License-Identifier: Apache-2.0 */
/* Produce and Fetch of resident data are served from memory that was taken before. */
#include <unistd.h>

#include "allocs.h"
#include "broker.h"

static void fetch(struct broker *b, int fd, int64_t offset)
{
	struct kafka_fetch_request_partition part;
	struct kafka_fetch_request_topic t = {.topic = kafka_str_of("hot"),
					      .partitions = {&part, 1}};
	struct kafka_fetch_request req;
	struct kafka_fetch_response res;

	kafka_init(&kafka_fetch_request_partition_schema, &part);
	part.fetch_offset = offset;
	part.partition_max_bytes = 1 << 20;
	kafka_init(&kafka_fetch_request_schema, &req);
	req.max_wait_ms = 5000;
	req.min_bytes = 1;
	req.topics.v = &t;
	req.topics.n = 1;
	CALL(b, fd, FETCH, fetch, 11, &req, &res);
	ASSERT_EQ(1, res.responses.n);
	EXPECT_EQ(0, res.responses.v[0].partitions.v[0].error_code);
	EXPECT_LT(0, res.responses.v[0].partitions.v[0].records.n);
}

static void hot(struct broker *b)
{
	int fd = broker_connect(b);
	unsigned long before = 0;

	broker_create(b, fd, "hot", 1);
	for (int i = 0; i < 300; i++) {
		if (i == 100) {
			before = allocs_counted();
			EXPECT_LT(0, before);
		}
		EXPECT_EQ(0, broker_produce(b, fd, "hot", 5, 1000 + i));
		fetch(b, fd, i * 5);
	}
	EXPECT_EQ(before, allocs_counted());
	close(fd);
}

TEST(hot_produce_and_fetch_allocate_nothing)
{
	if (!allocs_can_count())
		SKIP(return, "a sanitizer has an allocator of its own");
	broker_test(hot);
}

TEST_HARNESS_MAIN
