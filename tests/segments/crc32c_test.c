/* SPDX-License-Identifier: Apache-2.0 */
/* The checksum of logs: its value, and that it may be taken in pieces. */
#include "harness.h"
#include "segments/segments.h"

TEST(crc_is_castagnoli)
{
	const char *digits = "123456789";

	EXPECT_EQ(0xe3069283, sl_crc32c(0, digits, 9));
	EXPECT_EQ(0, sl_crc32c(0, "", 0));
}

TEST(crc_continues)
{
	uint32_t crc = sl_crc32c(0, "12345", 5);

	EXPECT_EQ(0xe3069283, sl_crc32c(crc, "6789", 4));
}

TEST_HARNESS_MAIN
