/* SPDX-License-Identifier: Apache-2.0 */
/* Opcodes: each has a name of its own, by the kernel's number. */
#include <liburing.h>
#include <string.h>

#include "harness.h"
#include "uring/uring.h"

TEST(names_stand_at_the_kernels_numbers)
{
	uint32_t n = 0;
	const char *const *names = sl_opcode_names(&n);

	ASSERT_LT(IORING_OP_SEND_ZC, n);
	EXPECT_STREQ("nop", names[IORING_OP_NOP]);
	EXPECT_STREQ("fsync", names[IORING_OP_FSYNC]);
	EXPECT_STREQ("recv", names[IORING_OP_RECV]);
	EXPECT_STREQ("splice", names[IORING_OP_SPLICE]);
	EXPECT_STREQ("send_zc", names[IORING_OP_SEND_ZC]);
}

TEST(no_two_opcodes_share_a_name)
{
	uint32_t n = 0;
	const char *const *names = sl_opcode_names(&n);

	for (uint32_t i = 0; i < n; i++) {
		ASSERT_NOT_NULL(names[i]);
		for (uint32_t k = 0; k < i; k++)
			EXPECT_STRNE(names[k], names[i]);
	}
}

TEST_HARNESS_MAIN
