// SPDX-License-Identifier: Apache-2.0
/* The head of a stored response. */
#include <errno.h>
#include <string.h>

#include "apis/proxy/stored.h"
#include "harness.h"

static const struct stored sample = {
	.kind = STORED_SLICED,
	.generation = UINT64_MAX,
	.bytes = UINT64_C(10) << 30,
	.slice_bytes = 1 << 20,
	.caching = {.born_ms = -5, .fresh_s = 1, .swr_s = 2, .sie_s = 3, .flags = 7, .status = 200},
	.fields = {"A: b\r\n", 6},
};

TEST(head_is_read_as_it_was_written)
{
	struct sl_text t = {0};
	struct stored s;

	stored_write(&sample, &t);
	ASSERT_EQ(0, t.err);
	ASSERT_EQ(0, stored_read(t.data, t.len, &s));
	EXPECT_EQ(STORED_SLICED, s.kind);
	EXPECT_EQ(UINT64_MAX, s.generation);
	EXPECT_EQ(UINT64_C(10) << 30, s.bytes);
	EXPECT_EQ(1 << 20, s.slice_bytes);
	EXPECT_EQ(0, memcmp(&sample.caching, &s.caching, sizeof(s.caching)));
	EXPECT_EQ(6, s.fields.n);
	EXPECT_EQ(0, memcmp("A: b\r\n", s.fields.p, 6));
	sl_text_done(&t);
}

TEST(what_is_no_head_is_refused)
{
	struct sl_text t = {0};
	struct stored s = {.kind = 99};

	stored_write(&sample, &t);
	ASSERT_EQ(0, t.err);
	for (size_t n = 0; n < t.len; n++)
		EXPECT_EQ(-EBADMSG, stored_read(t.data, n, &s));
	for (size_t i = 0; i < 4; i++) {
		t.data[i] ^= 1;
		EXPECT_EQ(-EBADMSG, stored_read(t.data, t.len, &s));
		t.data[i] ^= 1;
	}
	t.data[4] = 9; /* kind */
	EXPECT_EQ(-EBADMSG, stored_read(t.data, t.len, &s));
	t.data[4] = STORED_SLICED;
	memset(t.data + 64, 0, 8); /* slice_bytes */
	EXPECT_EQ(-EBADMSG, stored_read(t.data, t.len, &s));
	t.data[4] = STORED_WHOLE;
	EXPECT_EQ(0, stored_read(t.data, t.len, &s));
	memset(t.data + 8, 0, 4); /* status */
	EXPECT_EQ(-EBADMSG, stored_read(t.data, t.len, &s));
	sl_text_done(&t);
}

TEST_HARNESS_MAIN
