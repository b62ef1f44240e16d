/* SPDX-License-Identifier: Apache-2.0 */
/* Walking from batch to batch, and finding the way again. */
#include "kit.h"
#include "segments/segments_pvt.h"

enum { BATCHES = 20, BYTES = 300 };

FIXTURE(walk)
{
	struct sl_sim *sim;
	struct sl_backend *before;
	uint8_t data[SEG_DATA + BATCHES * BYTES];
	uint8_t buf[WALK_HOP];
	struct walk w;
	int fd;
};

static void store(FIXTURE_DATA(walk) *self)
{
	ASSERT_EQ(0, sl_write_all(self->fd, self->data, sizeof(self->data), 0, SL_NEVER));
	self->w.have = 0;
}

FIXTURE_SETUP(walk)
{
	self->sim = sl_sim_new(1, NULL);
	self->before = sl_backend_use(sl_sim_backend(self->sim));
	self->fd = sl_open(AT_FDCWD, "/f", O_RDWR | O_CREAT, 0600, SL_NEVER);
	ASSERT_LE(0, self->fd);
	for (uint32_t i = 0; i < BATCHES; i++) {
		struct kit_batch b = {i, 2, BYTES, i};
		uint8_t *at = self->data + SEG_DATA + (size_t)i * BYTES;

		kit_make(&b, at);
		kit_kind.place(at, 100 + 2 * i, 5);
	}
	self->w = (struct walk){.kind = &kit_kind, .fd = self->fd, .cap = sizeof(self->buf),
				.buf = self->buf, .pos = SEG_DATA, .limit = sizeof(self->data),
				.next = 100, .limit_off = UINT64_MAX, .rising = true};
	store(self);
}
FIXTURE_TEARDOWN(walk)
{
	sl_close(self->fd);
	sl_backend_use(self->before);
	sl_sim_free(self->sim);
}

/* Verified batches from w->pos on; what ended the walk goes to @ret_end. */
static int walk_all(struct walk *w, int *ret_end)
{
	struct sl_frame f;
	int n = 0, r;

	while ((r = walk_peek(w, &f, NULL, SL_NEVER)) == 1) {
		r = walk_sum(w, &f, SL_NEVER);
		if (r)
			break;
		walk_step(w, &f);
		n++;
	}
	*ret_end = r;
	return n;
}

TEST_F(walk, goes_over_all_to_the_limit)
{
	int end;

	EXPECT_EQ(BATCHES, walk_all(&self->w, &end));
	EXPECT_EQ(0, end);
	EXPECT_EQ(100 + 2 * BATCHES, self->w.next);
	EXPECT_EQ(5, self->w.epoch);
}

TEST_F(walk, batch_over_the_limit_is_bad)
{
	int end;

	self->w.limit -= 1;
	EXPECT_EQ(BATCHES - 1, walk_all(&self->w, &end));
	EXPECT_EQ(-EBADMSG, end);
}

TEST_F(walk, file_that_ends_before_the_limit_is_bad)
{
	int end;

	ASSERT_EQ(0, sl_ftruncate(self->fd, sizeof(self->data) - 10, SL_NEVER));
	EXPECT_EQ(BATCHES - 1, walk_all(&self->w, &end));
	EXPECT_EQ(-EBADMSG, end);
}

TEST_F(walk, wrong_offset_or_lower_epoch_does_not_continue)
{
	int end;

	kit_kind.place(self->data + SEG_DATA + 3 * BYTES, 107, 5);
	store(self);
	EXPECT_EQ(3, walk_all(&self->w, &end));
	EXPECT_EQ(-EBADMSG, end);
	kit_kind.place(self->data + SEG_DATA + 3 * BYTES, 106, 4);
	store(self);
	EXPECT_EQ(0, walk_all(&self->w, &end));
	EXPECT_EQ(-EBADMSG, end);
}

TEST_F(walk, offset_limit_ends_it_and_its_lack_is_told)
{
	int end;

	self->w.limit_off = 100 + 2 * (BATCHES - 2);
	EXPECT_EQ(BATCHES - 2, walk_all(&self->w, &end));
	EXPECT_EQ(0, end);
	self->w.limit_off = 100 + 2 * BATCHES + 1;
	EXPECT_EQ(2, walk_all(&self->w, &end));
	EXPECT_EQ(-EBADMSG, end);
}

TEST_F(walk, unplaced_batch_is_refused)
{
	int end;

	kit_kind.unplace(self->data + SEG_DATA + 3 * BYTES);
	store(self);
	EXPECT_EQ(3, walk_all(&self->w, &end));
	EXPECT_EQ(-EBADMSG, end);
}

TEST_F(walk, resync_believes_the_length_of_a_batch_with_a_bad_sum)
{
	uint64_t pos = 0, off = 0;
	int end;

	self->data[SEG_DATA + 3 * BYTES + 200] ^= 1;
	store(self);
	EXPECT_EQ(3, walk_all(&self->w, &end));
	ASSERT_EQ(1, walk_resync(&self->w, &pos, &off, SL_NEVER));
	EXPECT_EQ(SEG_DATA + 4 * BYTES, pos);
	EXPECT_EQ(108, off);
}

TEST_F(walk, resync_searches_behind_a_destroyed_length)
{
	uint64_t pos = 0, off = 0;
	int end;

	self->data[SEG_DATA + 3 * BYTES + 13] ^= 0xff;
	store(self);
	EXPECT_EQ(3, walk_all(&self->w, &end));
	ASSERT_EQ(1, walk_resync(&self->w, &pos, &off, SL_NEVER));
	EXPECT_EQ(SEG_DATA + 4 * BYTES, pos);
	EXPECT_EQ(108, off);
}

TEST_F(walk, resync_of_the_last_batch_needs_the_offset_behind_it)
{
	uint64_t pos = 0, off = 0;
	int end;

	self->data[sizeof(self->data) - 1] ^= 1;
	store(self);
	EXPECT_EQ(BATCHES - 1, walk_all(&self->w, &end));
	EXPECT_EQ(0, walk_resync(&self->w, &pos, &off, SL_NEVER));
	self->w.limit_off = 100 + 2 * BATCHES;
	ASSERT_EQ(1, walk_resync(&self->w, &pos, &off, SL_NEVER));
	EXPECT_EQ(sizeof(self->data), pos);
}

TEST_F(walk, read_error_is_told_as_it_is)
{
	struct sl_frame f;

	sl_sim_cut(self->sim);
	EXPECT_EQ(-EIO, walk_peek(&self->w, &f, NULL, SL_NEVER));
}

TEST_HARNESS_MAIN
