// SPDX-License-Identifier: Apache-2.0
/* Signals as events. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "dataplane/signals.h"
#include "harness.h"

FIXTURE(signals)
{
	int fd;
};
FIXTURE_SETUP(signals)
{
	self->fd = sl_signals_open();
	ASSERT_LE(0, self->fd);
}
FIXTURE_TEARDOWN(signals)
{
	close(self->fd);
}

TEST_F(signals, none_is_told_when_none_came)
{
	EXPECT_EQ(SL_SIGNAL_NONE, sl_signals_next(self->fd));
}

TEST_F(signals, each_kind_is_told_by_its_meaning)
{
	static const struct {
		int number, meaning;
	} rows[] = {{SIGTERM, SL_SIGNAL_STOP},
		    {SIGINT, SL_SIGNAL_STOP},
		    {SIGHUP, SL_SIGNAL_RELOAD},
		    {SIGUSR1, SL_SIGNAL_REPORT}};

	for (int i = 0; i < 4; i++) {
		struct pollfd p = {.fd = self->fd, .events = POLLIN};

		ASSERT_EQ(0, kill(getpid(), rows[i].number));
		ASSERT_EQ(1, poll(&p, 1, 1000));
		EXPECT_EQ(rows[i].meaning, sl_signals_next(self->fd));
		EXPECT_EQ(SL_SIGNAL_NONE, sl_signals_next(self->fd));
	}
}

static void *rest(void *arg)
{
	return arg;
}

TEST_F(signals, threads_made_later_are_not_interrupted)
{
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, rest, NULL));
	ASSERT_EQ(0, kill(getpid(), SIGTERM));
	pthread_join(thread, NULL);
	EXPECT_EQ(SL_SIGNAL_STOP, sl_signals_next(self->fd));
}

TEST_F(signals, writing_to_a_closed_pipe_is_an_error_and_no_death)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	close(fds[0]);
	EXPECT_EQ(-1, write(fds[1], "x", 1));
	EXPECT_EQ(EPIPE, errno);
	close(fds[1]);
}

TEST_HARNESS_MAIN
