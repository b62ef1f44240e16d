/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at segment files from outside. */
#include "kit.h"
#include "segments/segments_pvt.h"

enum { BYTES = 200 };

struct listing {
	int good, bad;
	uint64_t bad_pos;
};

static int list(void *arg, const uint8_t *header, const struct sl_frame *frame, uint64_t pos,
		int err)
{
	struct listing *l = arg;

	if (err) {
		l->bad++;
		l->bad_pos = pos;
	} else {
		EXPECT_EQ(frame->base, kit_id(header));
		l->good++;
	}
	return 0;
}

static int body(struct kit *k)
{
	struct sl_segment_info info;
	struct listing l = {0};

	k->conf.segment_bytes = 4096 + 10 * BYTES;
	ASSERT_EQ(0, kit_create(k));
	ASSERT_EQ(0, kit_fill(k, 0, 15, BYTES));
	ASSERT_EQ(0, kit_close(k));
	ASSERT_EQ(0, sl_segment_inspect(k->dir, kit_path(0, ".log"), &kit_kind, list, &l, &info));
	EXPECT_EQ(10, l.good);
	EXPECT_EQ(0, l.bad);
	EXPECT_STREQ("00000000000000000000.log", info.name);
	EXPECT_TRUE(info.sealed);
	EXPECT_TRUE(info.index_ok);
	EXPECT_EQ(10, info.next);
	ASSERT_EQ(0, sl_segment_inspect(k->dir, kit_path(10, ".log"), &kit_kind, list, &l, &info));
	EXPECT_FALSE(info.sealed);
	EXPECT_FALSE(info.index_ok);
	EXPECT_EQ(5, info.batches);
	EXPECT_EQ(4096 + 5 * BYTES, info.durable_bytes);
	/* It goes on behind what is bad, and changes nothing. */
	l = (struct listing){0};
	ASSERT_EQ(0, kit_flip(k, kit_path(0, ".log"), SEG_DATA + 3 * BYTES + 150, 5));
	ASSERT_EQ(0, sl_segment_inspect(k->dir, kit_path(0, ".log"), &kit_kind, list, &l, &info));
	EXPECT_EQ(9, l.good);
	EXPECT_EQ(1, l.bad);
	EXPECT_EQ(1, info.bad);
	EXPECT_EQ(SEG_DATA + 3 * BYTES, l.bad_pos);
	EXPECT_EQ(10, info.next);
	EXPECT_EQ(-ENOENT, sl_segment_inspect(k->dir, "log/none", &kit_kind, list, &l, &info));
	EXPECT_EQ(-EBADMSG, sl_segment_inspect(k->dir, kit_path(0, ".idx"), &kit_kind, list, &l,
					       &info));
	EXPECT_EQ(-EBADMSG, info.err);
	return 0;
}

TEST(tells_what_a_file_holds)
{
	struct kit k = {.sim = sl_sim_new(1, NULL)};

	ASSERT_EQ(0, kit_run_plain(&k, body));
	sl_sim_free(k.sim);
}

TEST_HARNESS_MAIN
