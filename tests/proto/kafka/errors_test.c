// SPDX-License-Identifier: Apache-2.0
/* Names and texts of error codes. */
#include "harness.h"
#include "proto/kafka/errors.h"

TEST(codes_have_the_protocols_numbers)
{
	EXPECT_EQ(-1, KAFKA_ERR_UNKNOWN_SERVER_ERROR);
	EXPECT_EQ(0, KAFKA_ERR_NONE);
	EXPECT_EQ(3, KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	EXPECT_EQ(35, KAFKA_ERR_UNSUPPORTED_VERSION);
	EXPECT_EQ(45, KAFKA_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	EXPECT_EQ(79, KAFKA_ERR_MEMBER_ID_REQUIRED);
	EXPECT_EQ(100, KAFKA_ERR_UNKNOWN_TOPIC_ID);
}

TEST(every_code_has_name_and_text)
{
	for (int code = -1; code < KAFKA_ERR_LAST; code++) {
		EXPECT_STRNE("UNLISTED", kafka_error_name(code));
		EXPECT_STRNE("", kafka_error_text(code));
	}
	EXPECT_STREQ("NOT_COORDINATOR", kafka_error_name(16));
	EXPECT_TRUE(kafka_error_is_retriable(KAFKA_ERR_NOT_COORDINATOR));
	EXPECT_FALSE(kafka_error_is_retriable(KAFKA_ERR_NONE));
}

TEST(unknown_codes_are_named_as_such)
{
	EXPECT_STREQ("UNLISTED", kafka_error_name(-2));
	EXPECT_STREQ("UNLISTED", kafka_error_name(KAFKA_ERR_LAST));
	EXPECT_STREQ("UNLISTED", kafka_error_name(32767));
	EXPECT_FALSE(kafka_error_is_retriable(-32768));
}

TEST_HARNESS_MAIN
