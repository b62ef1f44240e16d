/* SPDX-License-Identifier: Apache-2.0 */
/* Short forms for tests of rings. */
#ifndef TESTS_URING_RINGS_H
#define TESTS_URING_RINGS_H

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "uring/uring.h"

/* A ring that belongs to the calling thread. */
static inline struct sl_ring *ring_of(const struct sl_ring_conf *conf)
{
	struct sl_ring *ring = NULL;
	char why[300] = "";

	if (sl_ring_new(conf, &ring, why, sizeof(why)))
		TH_LOG("%s", why);
	ASSERT_NOT_NULL(ring);
	ASSERT_EQ(0, sl_ring_enable(ring));
	return ring;
}

static inline void ring_noted(struct sl_io *io)
{
	if (io->arg)
		++*(int *)io->arg;
}

/* Begins @io; its completions are counted in @count, if that is not NULL. */
static inline void ring_begin(struct sl_ring *ring, struct sl_io *io, int *count)
{
	io->done = ring_noted;
	io->arg = count;
	ASSERT_EQ(0, sl_ring_start(ring, io));
}

/* Turns until @io is done. Return: its outcome. */
static inline int ring_wait(struct sl_ring *ring, struct sl_io *io)
{
	int64_t until = sl_clock_ns() + 5 * SL_SEC * harness_time_scale();

	while (io->inflight && sl_clock_ns() < until)
		ASSERT_LE(0, sl_ring_turn(ring, sl_clock_ns() + SL_SEC));
	ASSERT_FALSE(io->inflight);
	return io->res;
}

static inline int ring_do(struct sl_ring *ring, struct sl_io *io)
{
	ring_begin(ring, io, NULL);
	return ring_wait(ring, io);
}

/* Turns until *@count is @n. */
static inline void ring_until(struct sl_ring *ring, const int *count, int n)
{
	int64_t until = sl_clock_ns() + 5 * SL_SEC * harness_time_scale();

	while (*count < n && sl_clock_ns() < until)
		ASSERT_LE(0, sl_ring_turn(ring, sl_clock_ns() + SL_SEC));
	ASSERT_LE(n, *count);
}

/* Whether @fn aborts its process, as an assertion does. */
static inline bool ring_aborts(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		close(2);
		signal(SIGABRT, SIG_DFL);
		fn();
		_exit(0);
	}
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	return WIFSIGNALED(status) ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) == 134;
}

#endif
