// SPDX-License-Identifier: Apache-2.0
/* Latencies: each operation is timed once, for what it takes, or as many as a sample should. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "bpf/bpf.h"
#include "dataplane/hist.h"
#include "harness.h"
#include "uring/rings.h"

/* Of the kernel's interface; only uring/ includes its header. */
enum { OPCODE_POLL = 6, OPCODE_READ = 22 };

FIXTURE(latency)
{
	struct sl_bpf *bpf;
	const struct sl_latency *latency;
	struct sl_ring *ring;
	int file;
	int pipe[2];
};

FIXTURE_VARIANT(latency)
{
	uint32_t sample;
};
FIXTURE_VARIANT_ADD(latency, all){.sample = 1};
FIXTURE_VARIANT_ADD(latency, some){.sample = 16};

FIXTURE_SETUP(latency)
{
	const struct sl_bpf_conf conf = {.wanted = 1u << SL_BPF_LATENCY, .sample = variant->sample};
	const struct sl_bpf_status *status;

	ASSERT_EQ(0, sl_bpf_load(&conf, &self->bpf));
	status = sl_bpf_status(self->bpf, SL_BPF_LATENCY);
	if (status->state != SL_BPF_LOADED)
		SKIP(return, "%s", status->why);
	self->latency = sl_bpf_latency(self->bpf);
	ASSERT_NOT_NULL(self->latency);
	self->ring = ring_of(&(struct sl_ring_conf){0});
	self->file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->file);
	ASSERT_EQ(0, pipe2(self->pipe, O_CLOEXEC));
}

FIXTURE_TEARDOWN(latency)
{
	sl_ring_free(self->ring);
	sl_bpf_free(self->bpf);
	close(self->file);
	close(self->pipe[0]);
	close(self->pipe[1]);
}

static void read_often(FIXTURE_DATA(latency) * self, int n)
{
	char buf[64];
	struct sl_io io;

	for (int i = 0; i < n; i++) {
		sl_io_read(&io, self->file, buf, sizeof(buf), 0);
		ASSERT_EQ(sizeof(buf), ring_do(self->ring, &io));
	}
}

TEST_F(latency, as_many_are_timed_as_asked_for)
{
	enum { N = 4000 };
	const struct sl_hist *h = &self->latency->ops[OPCODE_READ];

	read_often(self, N);
	if (variant->sample == 1) {
		EXPECT_EQ(N, sl_hist_count(h));
	} else {
		/* 250 of them, give or take six times the deviation of 15 */
		EXPECT_LT(160, sl_hist_count(h));
		EXPECT_LT(sl_hist_count(h), 340);
	}
	EXPECT_LT(0, h->sum);
	EXPECT_LE(h->sum / sl_hist_count(h), h->max);
}

TEST_F(latency, one_that_waits_takes_as_long_as_it_waits)
{
	const struct sl_hist *h = &self->latency->ops[OPCODE_POLL];
	int64_t began;
	struct sl_io io;
	int done = 0;

	if (variant->sample != 1)
		return (void)EXPECT_NE(1, variant->sample);
	sl_io_poll(&io, self->pipe[0], POLLIN, 0);
	ring_begin(self->ring, &io, &done);
	ASSERT_LE(0, sl_ring_turn(self->ring, 0));
	began = sl_clock_ns();
	usleep(20000);
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	ring_until(self->ring, &done, 1);
	EXPECT_EQ(1, sl_hist_count(h));
	EXPECT_LE(20 * SL_MSEC, h->sum);
	EXPECT_EQ(h->sum, h->max);
	EXPECT_LT(h->sum, sl_clock_ns() - began + SL_SEC);
}

/* The kernel's buckets are the cores' own, though they are found without the same instruction. */
TEST_F(latency, a_value_counts_in_the_bucket_that_readers_expect)
{
	const struct sl_hist *h = &self->latency->ops[OPCODE_READ];

	while (sl_hist_count(h) == 0)
		read_often(self, 1);
	if (sl_hist_count(h) == 1)
		EXPECT_EQ(1, h->buckets[sl_hist_bucket(h->sum)]);
	for (int i = 0; i < SL_BPF_OPCODES; i++) {
		const struct sl_hist *one = &self->latency->ops[i];

		if (sl_hist_count(one) == 0)
			continue;
		EXPECT_LT(0, one->buckets[sl_hist_bucket(one->max)]);
	}
}

TEST_HARNESS_MAIN
