// SPDX-License-Identifier: Apache-2.0
/* InitProducerId. */
#include <unistd.h>

#include "broker.h"

static struct kafka_init_producer_id_response init(struct broker *b, int fd, int version,
						   struct kafka_str id)
{
	struct kafka_init_producer_id_request req = {
		.transactional_id = id, .producer_id = -1, .producer_epoch = -1};
	struct kafka_init_producer_id_response res;

	CALL(b, fd, INIT_PRODUCER_ID, init_producer_id, version, &req, &res);
	return res;
}

static void ask(struct broker *b)
{
	int64_t last = -1;
	int fd = broker_connect(b);

	for (int v = 0; v <= 5; v++) {
		struct kafka_init_producer_id_response res = init(b, fd, v, KAFKA_STR_NULL);

		EXPECT_EQ(0, res.error_code);
		EXPECT_LT(last, res.producer_id);
		EXPECT_EQ(0, res.producer_epoch);
		last = res.producer_id;
	}
	close(fd);
}

TEST(every_producer_gets_an_id_of_its_own)
{
	broker_test(ask);
}

static void refuse(struct broker *b)
{
	int fd = broker_connect(b);

	EXPECT_EQ(KAFKA_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
		  init(b, fd, 4, KAFKA_STR("t")).error_code);
	EXPECT_EQ(KAFKA_ERR_INVALID_REQUEST, init(b, fd, 4, KAFKA_STR("")).error_code);
	EXPECT_EQ(-1, init(b, fd, 4, KAFKA_STR("t")).producer_id);
	close(fd);
}

TEST(a_transactional_id_is_refused)
{
	broker_test(refuse);
}

TEST_HARNESS_MAIN
