/* SPDX-License-Identifier: Apache-2.0 */
/* Provided buffers: picked by the kernel, used up, given back, miscounted. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "rings.h"

enum { COUNT = 4, BYTES = 256 };

struct got {
	uint16_t id[100];
	int len[100];
	int n, last;
	struct sl_bufring *b;
};

static void note(struct sl_io *io)
{
	struct got *g = io->arg;

	g->last = io->res;
	if (!io->has_buffer)
		return;
	sl_bufring_taken(g->b, io->buf_group);
	g->id[g->n] = io->buf_group;
	g->len[g->n++] = io->res;
}

FIXTURE(bufring)
{
	struct sl_ring *ring;
	struct sl_bufring b;
	struct got got;
	struct sl_io io;
	int fds[2];
};

FIXTURE_SETUP(bufring)
{
	self->ring = ring_of(&(struct sl_ring_conf){0});
	ASSERT_EQ(0, sl_bufring_init(&self->b, self->ring, 3, COUNT, BYTES));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, self->fds));
	self->got.b = &self->b;
}

FIXTURE_TEARDOWN(bufring)
{
	sl_bufring_done(&self->b);
	sl_bufring_done(&self->b); /* once more harms nothing */
	sl_ring_free(self->ring);
	close(self->fds[0]);
	close(self->fds[1]);
}

static void arm(FIXTURE_DATA(bufring) * self)
{
	sl_io_recv_select(&self->io, self->fds[0], 0, 3, SL_IO_MULTISHOT);
	self->io.done = note;
	self->io.arg = &self->got;
	ASSERT_EQ(0, sl_ring_start(self->ring, &self->io));
}

static void send_text(FIXTURE_DATA(bufring) * self, const char *text)
{
	ASSERT_EQ((ssize_t)strlen(text), send(self->fds[1], text, strlen(text), 0));
}

TEST_F(bufring, each_message_has_a_buffer_of_its_own)
{
	static const char *const texts[] = {"one", "two", "three"};

	arm(self);
	for (int i = 0; i < 3; i++)
		send_text(self, texts[i]);
	ring_until(self->ring, &self->got.n, 3);
	EXPECT_EQ(3, self->b.out);
	EXPECT_TRUE(self->io.inflight);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(strlen(texts[i]), self->got.len[i]);
		EXPECT_MEMEQ(texts[i], sl_bufring_mem(&self->b, self->got.id[i]), strlen(texts[i]));
		for (int k = 0; k < i; k++)
			EXPECT_NE(self->got.id[k], self->got.id[i]);
	}
	sl_ring_cancel(self->ring, &self->io);
	EXPECT_EQ(-ECANCELED, ring_wait(self->ring, &self->io));
	EXPECT_FALSE(self->io.has_buffer);
}

TEST_F(bufring, used_up_buffers_end_a_receive_that_can_begin_again)
{
	arm(self);
	for (int i = 0; i < 10; i++)
		send_text(self, "text");
	EXPECT_EQ(-ENOBUFS, ring_wait(self->ring, &self->io));
	EXPECT_EQ(COUNT, self->got.n);
	EXPECT_EQ(COUNT, self->b.out);
	arm(self); /* nothing has come back */
	EXPECT_EQ(-ENOBUFS, ring_wait(self->ring, &self->io));
	for (int i = 0; i < COUNT; i++)
		sl_bufring_return(&self->b, self->got.id[i]);
	EXPECT_EQ(0, self->b.out);
	for (int round = 0; self->got.n < 10 && round < 10; round++) {
		int before = self->got.n;

		arm(self);
		ring_until(self->ring, &self->got.n, sl_min(before + COUNT, 10));
		while (self->io.inflight && self->got.n < 10)
			sl_ring_turn(self->ring, sl_clock_ns() + SL_MSEC);
		for (int i = before; i < self->got.n; i++)
			sl_bufring_return(&self->b, self->got.id[i]);
	}
	EXPECT_EQ(10, self->got.n); /* no message was lost meanwhile */
	if (self->io.inflight) {
		sl_ring_cancel(self->ring, &self->io);
		ring_wait(self->ring, &self->io);
	}
	EXPECT_EQ(0, self->b.out);
}

TEST_F(bufring, buffers_go_round_many_times)
{
	int seen = 0;

	arm(self);
	for (int i = 0; i < 500; i++) {
		char text[20];

		memset(text, 'a' + i % 26, 10);
		text[10] = 0;
		send_text(self, text);
		self->got.n = 0;
		ring_until(self->ring, &self->got.n, 1);
		EXPECT_MEMEQ(text, sl_bufring_mem(&self->b, self->got.id[0]), 10);
		sl_bufring_return(&self->b, self->got.id[0]);
		seen++;
	}
	EXPECT_EQ(500, seen);
	sl_ring_cancel(self->ring, &self->io);
	ring_wait(self->ring, &self->io);
}

TEST_F(bufring, a_receive_may_be_single_and_smaller)
{
	sl_io_recv_select(&self->io, self->fds[0], 5, 3, 0);
	self->io.done = note;
	self->io.arg = &self->got;
	ASSERT_EQ(0, sl_ring_start(self->ring, &self->io));
	send_text(self, "longer than five");
	EXPECT_EQ(5, ring_wait(self->ring, &self->io));
	EXPECT_MEMEQ("longe", sl_bufring_mem(&self->b, self->got.id[0]), 5);
	sl_bufring_return(&self->b, self->got.id[0]);
	sl_io_recv_select(&self->io, self->fds[0], 0, 99, 0); /* no such group */
	self->io.done = note;
	self->io.arg = &self->got;
	ASSERT_EQ(0, sl_ring_start(self->ring, &self->io));
	send_text(self, "x");
	EXPECT_EQ(-ENOBUFS, ring_wait(self->ring, &self->io));
}

TEST_F(bufring, a_group_exists_once)
{
	struct sl_bufring other;

	EXPECT_EQ(-EEXIST, sl_bufring_init(&other, self->ring, 3, COUNT, BYTES));
}

static void return_what_is_not_out(void)
{
	struct sl_ring *ring = ring_of(&(struct sl_ring_conf){0});
	struct sl_bufring b;

	ASSERT_EQ(0, sl_bufring_init(&b, ring, 0, COUNT, BYTES));
	sl_bufring_return(&b, 0);
}

static void no_power_of_two(void)
{
	struct sl_ring *ring = ring_of(&(struct sl_ring_conf){0});
	struct sl_bufring b;

	sl_bufring_init(&b, ring, 0, 3, BYTES);
}

TEST(misuse_is_caught)
{
	EXPECT_TRUE(ring_aborts(return_what_is_not_out));
	EXPECT_TRUE(ring_aborts(no_power_of_two));
}

TEST_HARNESS_MAIN
