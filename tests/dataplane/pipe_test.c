/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes: given out empty, bounded in number, given back, closed when they hold something. */
#include <fcntl.h>
#include <unistd.h>

#include "dataplane/core_pvt.h"
#include "harness.h"

FIXTURE(pipes)
{
	struct pipes p;
};
FIXTURE_SETUP(pipes)
{
	pipes_init(&self->p);
}
FIXTURE_TEARDOWN(pipes)
{
	pipes_done(&self->p);
}

TEST_F(pipes, a_pipe_passes_bytes_and_never_blocks)
{
	struct pipe *pipe = pipe_get(&self->p);
	char back[8];

	ASSERT_NOT_NULL(pipe);
	EXPECT_EQ(-1, read(pipe->out, back, sizeof(back)));
	EXPECT_EQ(5, write(pipe->in, "bytes", 5));
	EXPECT_EQ(5, read(pipe->out, back, sizeof(back)));
	EXPECT_LE(64 << 10, pipe->bytes);
	EXPECT_EQ(pipe->bytes, fcntl(pipe->in, F_GETPIPE_SZ));
	EXPECT_EQ(FD_CLOEXEC, fcntl(pipe->in, F_GETFD));
	pipe_put(&self->p, pipe, true);
}

TEST_F(pipes, an_empty_one_is_used_again)
{
	struct pipe *pipe = pipe_get(&self->p);

	pipe_put(&self->p, pipe, true);
	EXPECT_TRUE(pipe == pipe_get(&self->p));
	EXPECT_EQ(1, self->p.open);
	pipe_put(&self->p, pipe, true);
}

TEST_F(pipes, one_that_holds_something_is_closed)
{
	struct pipe *pipe = pipe_get(&self->p);
	int in = pipe->in;

	EXPECT_EQ(4, write(pipe->in, "left", 4));
	pipe_put(&self->p, pipe, false);
	EXPECT_EQ(-1, fcntl(in, F_GETFD));
	EXPECT_EQ(0, self->p.open);
	pipe_put(&self->p, NULL, true);
}

TEST_F(pipes, there_are_only_so_many)
{
	struct pipe *all[1000];
	unsigned n = 0;

	while (n < 1000 && (all[n] = pipe_get(&self->p)))
		n++;
	EXPECT_LT(8, n);
	EXPECT_GT(1000, n);
	pipe_put(&self->p, all[n - 1], true);
	all[n - 1] = pipe_get(&self->p);
	EXPECT_NOT_NULL(all[n - 1]);
	while (n--)
		pipe_put(&self->p, all[n], n % 2);
}

TEST_HARNESS_MAIN
