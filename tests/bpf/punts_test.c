// SPDX-License-Identifier: Apache-2.0
/* Punts and overflows: counted when they are caused on purpose, and only then. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf/bpf.h"
#include "harness.h"
#include "uring/rings.h"

/* Of the kernel's interface; only uring/ includes its header. */
enum { OPCODE_READ = 22, OPCODE_SPLICE = 30 };

FIXTURE(punts)
{
	struct sl_bpf *bpf;
	const struct sl_punts *punts;
	struct sl_ring *ring;
	int file;
	int pipe[2];
};

FIXTURE_SETUP(punts)
{
	const struct sl_bpf_conf conf = {.wanted = 1u << SL_BPF_PUNTS};
	const struct sl_bpf_status *status;
	char text[8192], path[256];

	ASSERT_EQ(0, sl_bpf_load(&conf, &self->bpf));
	status = sl_bpf_status(self->bpf, SL_BPF_PUNTS);
	self->punts = sl_bpf_punts(self->bpf);
	if (status->state != SL_BPF_LOADED)
		SKIP(return, "%s", status->why);
	ASSERT_NOT_NULL(self->punts);
	self->ring = ring_of(&(struct sl_ring_conf){0});
	memset(text, 'x', sizeof(text));
	snprintf(path, sizeof(path), "%s/file", harness_tmpdir());
	self->file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, self->file);
	ASSERT_EQ(sizeof(text), write(self->file, text, sizeof(text)));
	ASSERT_EQ(0, pipe2(self->pipe, O_CLOEXEC));
}

FIXTURE_TEARDOWN(punts)
{
	sl_ring_free(self->ring);
	sl_bpf_free(self->bpf);
	close(self->file);
	close(self->pipe[0]);
	close(self->pipe[1]);
}

static uint64_t all_punts(const struct sl_punts *p)
{
	uint64_t n = 0;

	for (int i = 0; i < SL_BPF_OPCODES; i++)
		n += __atomic_load_n(&p->ops[i], __ATOMIC_RELAXED);
	return n;
}

static int splice_once(FIXTURE_DATA(punts) * self)
{
	struct sl_io io;
	int64_t off = 0;

	sl_io_splice(&io, self->pipe[1], self->file, &off, 100, 0);
	return ring_do(self->ring, &io);
}

TEST_F(punts, splices_are_counted_one_by_one)
{
	for (int i = 1; i <= 3; i++) {
		ASSERT_EQ(100, splice_once(self));
		EXPECT_EQ(i, self->punts->ops[OPCODE_SPLICE]);
	}
	EXPECT_EQ(3, all_punts(self->punts));
}

TEST_F(punts, reads_of_resident_bytes_are_none)
{
	char buf[4096];
	struct sl_io io;

	for (int i = 0; i < 100; i++) {
		sl_io_read(&io, self->file, buf, sizeof(buf), 0);
		ASSERT_EQ(sizeof(buf), ring_do(self->ring, &io));
	}
	EXPECT_EQ(0, all_punts(self->punts));
	/* So that the silence means something. */
	ASSERT_EQ(100, splice_once(self));
	EXPECT_EQ(1, all_punts(self->punts));
}

TEST_F(punts, other_processes_are_not_counted)
{
	pid_t child = fork();
	int status = -1;

	ASSERT_LE(0, child);
	if (child == 0) {
		struct sl_ring *ring = ring_of(&(struct sl_ring_conf){.sq_entries = 8});
		struct sl_io io;
		int64_t off = 0;

		sl_io_splice(&io, self->pipe[1], self->file, &off, 100, 0);
		_exit(ring_do(ring, &io) == 100 ? 0 : 1);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
	EXPECT_EQ(0, all_punts(self->punts));
	ASSERT_EQ(100, splice_once(self));
	EXPECT_EQ(1, all_punts(self->punts));
}

TEST_F(punts, completions_without_room_are_counted)
{
	enum { N = 500 };
	struct sl_ring *small = ring_of(&(struct sl_ring_conf){.sq_entries = 4, .cq_entries = 8});
	static struct sl_io ios[N];
	int done = 0;

	for (int i = 0; i < N; i++) {
		sl_io_poll(&ios[i], self->pipe[0], POLLIN, 0);
		ring_begin(small, &ios[i], &done);
	}
	ASSERT_LE(0, sl_ring_turn(small, 0));
	EXPECT_EQ(0, self->punts->overflows);
	ASSERT_EQ(1, write(self->pipe[1], "x", 1)); /* all of them at once */
	ring_until(small, &done, N);
	EXPECT_LT(0, self->punts->overflows);
	EXPECT_LT(0, sl_ring_stats(small)->overflows);
	sl_ring_free(small);
}

TEST_HARNESS_MAIN
