// SPDX-License-Identifier: Apache-2.0
/* ApiVersions: the table that clients are told, and those that are too new for it. */
#include <unistd.h>

#include "broker.h"
#include "serving.h"

/*
 * What is advertised, written out once more: a client looks for nothing else, so that a row that
 * shrinks or goes breaks clients, and one that grows promises them something.
 */
static const struct {
	int16_t key, min, max;
} promised[] = {
	{0, 0, 13},  {1, 4, 18},  {2, 1, 11}, {3, 0, 13}, {8, 2, 10}, {9, 1, 10},
	{10, 0, 6},  {11, 2, 9},  {12, 0, 4}, {13, 0, 5}, {14, 0, 5}, {15, 0, 6},
	{16, 0, 5},  {18, 0, 4},  {19, 2, 7}, {20, 1, 6}, {22, 0, 5}, {23, 2, 4},
	{32, 1, 4},  {33, 0, 2},  {37, 0, 3}, {42, 0, 2}, {44, 0, 1}, {60, 0, 2},
};

static void expect_promised(const struct kafka_api_versions_response *res)
{
	ASSERT_EQ(SL_ARRAY_SIZE(promised), (size_t)res->api_keys.n);
	for (size_t i = 0; i < SL_ARRAY_SIZE(promised); i++) {
		EXPECT_EQ(promised[i].key, res->api_keys.v[i].api_key);
		EXPECT_EQ(promised[i].min, res->api_keys.v[i].min_version);
		EXPECT_EQ(promised[i].max, res->api_keys.v[i].max_version);
	}
}

static void ask(struct broker *b)
{
	struct kafka_api_versions_request req = {.client_software_name = KAFKA_STR("tester"),
						 .client_software_version = KAFKA_STR("1")};
	struct kafka_api_versions_response res;
	int fd = broker_connect(b);

	for (int v = 0; v <= 4; v++) {
		CALL(b, fd, API_VERSIONS, api_versions, v, &req, &res);
		EXPECT_EQ(0, res.error_code);
		expect_promised(&res);
	}
	close(fd);
}

TEST(what_is_advertised_is_what_clients_count_on)
{
	broker_test(ask);
}

static void ask_too_new(struct broker *b)
{
	/* Version 5 as franz-go begins: its header is flexible, its body not known here. */
	static const uint8_t frame[] = {0, 0, 0,   15,	0, 18, 0,   5, 0,  0,
					0, 7, 255, 255, 0, 2,  'x', 2, '1'};
	struct kafka_api_versions_response res;
	int fd = broker_connect(b);

	serving_send(fd, frame, sizeof(frame));
	ASSERT_TRUE(broker_receive(b, fd, KAFKA_API_VERSIONS, 0, 7, &res));
	EXPECT_EQ(KAFKA_ERR_UNSUPPORTED_VERSION, res.error_code);
	expect_promised(&res);
	/* The connection is good for the next try. */
	ask(b);
	close(fd);
}

TEST(who_is_too_new_is_told_the_table_in_version_0)
{
	broker_test(ask_too_new);
}

TEST_HARNESS_MAIN
