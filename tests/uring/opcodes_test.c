/* SPDX-License-Identifier: Apache-2.0 */
/* Opcodes: those of the table of operations have names of their own, and no others. */
#include <liburing.h>
#include <string.h>

#include "harness.h"
#include "uring/uring_pvt.h"

static bool is_begun(uint32_t opcode)
{
	for (int op = 0; op < SL_OP_LAST; op++)
		if (op_table[op].prep && op_table[op].opcode == opcode)
			return true;
	return false;
}

TEST(names_are_of_what_is_begun)
{
	uint32_t n = 0;
	const char *const *names = sl_opcode_names(&n);

	for (uint32_t i = 0; i < IORING_OP_LAST; i++)
		if (!EXPECT_EQ(is_begun(i), i < n && names[i] != NULL))
			TH_LOG("opcode %u", i);
	EXPECT_STREQ("fsync", names[IORING_OP_FSYNC]);
	EXPECT_STREQ("recv", names[IORING_OP_RECV]);
	EXPECT_STREQ("splice", names[IORING_OP_SPLICE]);
}

TEST(no_two_opcodes_share_a_name)
{
	uint32_t n = 0;
	const char *const *names = sl_opcode_names(&n);

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < i; k++)
			if (names[i] && names[k])
				EXPECT_STRNE(names[k], names[i]);
}

TEST_HARNESS_MAIN
