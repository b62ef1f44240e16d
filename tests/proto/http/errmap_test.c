// SPDX-License-Identifier: Apache-2.0
/* What the wire says of what went wrong. */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "proto/http/errmap.h"

TEST(every_refusal_has_a_status_a_reason_and_a_sentence)
{
	for (int r = 1; r < HTTP_REFUSE_LAST; r++) {
		const struct http_error *e = http_refusal_error((enum http_refusal)r);

		EXPECT_LE(400, e->status);
		EXPECT_GT(600, e->status);
		EXPECT_STRNE("Status", http_status_reason(e->status));
		EXPECT_NULL(strpbrk(e->text, "\"\\\n"));
		EXPECT_LT(10, strlen(e->text));
	}
}

TEST(errnos_become_statuses)
{
	EXPECT_EQ(404, http_errno_error(-ENOENT)->status);
	EXPECT_EQ(403, http_errno_error(-EXDEV)->status);
	EXPECT_EQ(404, http_errno_error(-ENOTDIR)->status);
	EXPECT_EQ(414, http_errno_error(-ENAMETOOLONG)->status);
	EXPECT_EQ(503, http_errno_error(-EMFILE)->status);
	EXPECT_EQ(413, http_errno_error(-EMSGSIZE)->status);
	EXPECT_EQ(408, http_errno_error(-ETIME)->status);
	EXPECT_EQ(507, http_errno_error(-ENOSPC)->status);
	EXPECT_EQ(500, http_errno_error(-EIO)->status);
	EXPECT_EQ(500, http_errno_error(-EBADMSG)->status);
	for (int err = 1; err < 134; err++)
		EXPECT_STRNE("Status", http_status_reason(http_errno_error(-err)->status));
}

TEST(reasons_are_those_of_the_rfc)
{
	EXPECT_STREQ("OK", http_status_reason(200));
	EXPECT_STREQ("Not Found", http_status_reason(404));
	EXPECT_STREQ("Status", http_status_reason(299));
}

TEST_HARNESS_MAIN
