/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that take turns: one at a time, parking, wait queues, mutexes, yielding, operations that
 * block. */
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/dataplane.h"
#include "harness.h"

FIXTURE(turns)
{
	struct sl_turns *turns;
	struct sl_waitq queue;
	struct sl_mutex mutex;
	int in, out; /* of a pair of sockets */
	long count;
	uint32_t order;
};

FIXTURE_SETUP(turns)
{
	int fds[2];

	ASSERT_EQ(0, sl_turns_new(&self->turns));
	sl_waitq_init(&self->queue);
	sl_mutex_init(&self->mutex);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	self->out = fds[0];
	self->in = fds[1];
	self->count = 0;
	self->order = 0;
}

FIXTURE_TEARDOWN(turns)
{
	sl_turns_free(self->turns);
	close(self->in);
	close(self->out);
}

static pthread_t begin(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, fn, arg));
	return thread;
}

static int64_t soon(int64_t ms)
{
	return sl_clock_ns() + ms * SL_MSEC;
}

static int64_t in_time(void)
{
	return soon(20000 * harness_time_scale());
}

/* ---- one at a time ---------------------------------------------------------------------- */

enum { ROUNDS = 2000 };

static void *count_alone(void *arg)
{
	FIXTURE_DATA(turns) *self = arg;

	for (int i = 0; i < ROUNDS; i++) {
		long was;

		sl_turns_enter(self->turns);
		was = self->count;
		sched_yield();
		self->count = was + 1;
		sl_turns_leave(self->turns);
	}
	return NULL;
}

TEST_F(turns, one_thread_runs_at_a_time)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		threads[i] = begin(count_alone, self);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(4 * ROUNDS, self->count);
}

/* ---- parking ---------------------------------------------------------------------------- */

static void *wait_for_news(void *arg)
{
	FIXTURE_DATA(turns) *self = arg;
	int res;

	sl_turns_enter(self->turns);
	self->count++;
	res = sl_waitq_wait(&self->queue, in_time());
	EXPECT_EQ(7, res);
	self->count--;
	sl_turns_leave(self->turns);
	return NULL;
}

TEST_F(turns, who_parks_lets_others_in_and_is_woken_by_them)
{
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		threads[i] = begin(wait_for_news, self);
	sl_turns_enter(self->turns);
	while (self->count < 3)
		sl_sleep(soon(1));
	EXPECT_EQ(3, sl_waitq_wake_all(&self->queue, 7));
	EXPECT_EQ(0, sl_waitq_wake_all(&self->queue, 8)); /* of several the first counts */
	sl_turns_leave(self->turns);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, self->count);
}

TEST_F(turns, a_deadline_ends_a_wait)
{
	sl_turns_enter(self->turns);
	EXPECT_EQ(-ETIME, sl_waitq_wait(&self->queue, soon(1)));
	EXPECT_EQ(0, sl_waitq_wake_all(&self->queue, 0));
	EXPECT_EQ(-ETIME, sl_fiber_park(soon(-1)));
	EXPECT_NULL(sl_fiber_self());
	sl_turns_leave(self->turns);
}

static void *lock_in_turn(void *arg)
{
	FIXTURE_DATA(turns) *self = arg;
	uint32_t place;

	sl_turns_enter(self->turns);
	place = (uint32_t)self->count++;
	EXPECT_EQ(0, sl_mutex_lock(&self->mutex, in_time()));
	EXPECT_EQ(place, self->order++);
	sl_sleep(soon(1));
	EXPECT_EQ(place + 1, self->order);
	sl_mutex_unlock(&self->mutex);
	sl_turns_leave(self->turns);
	return NULL;
}

TEST_F(turns, a_mutex_goes_to_the_first_who_waits)
{
	pthread_t threads[3];

	sl_turns_enter(self->turns);
	EXPECT_EQ(0, sl_mutex_lock(&self->mutex, SL_NEVER));
	for (int i = 0; i < 3; i++)
		threads[i] = begin(lock_in_turn, self);
	while (self->count < 3)
		sl_sleep(soon(1));
	EXPECT_EQ(0, self->order);
	sl_mutex_unlock(&self->mutex);
	sl_turns_leave(self->turns);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(3, self->order);
	EXPECT_FALSE(self->mutex.held);
}

/* ---- yielding --------------------------------------------------------------------------- */

static void *come_in(void *arg)
{
	FIXTURE_DATA(turns) *self = arg;

	sl_turns_enter(self->turns);
	self->count++;
	sl_turns_leave(self->turns);
	return NULL;
}

/* Whoever unlocks and locks a mutex at once keeps the others out for as long as it likes. */
TEST_F(turns, who_yields_lets_in_who_waits)
{
	pthread_t threads[3];

	EXPECT_FALSE(sl_may_park());
	sl_turns_enter(self->turns);
	EXPECT_TRUE(sl_may_park());
	sl_fiber_yield(SL_NEVER); /* nobody waits */
	for (int i = 0; i < 3; i++)
		threads[i] = begin(come_in, self);
	while (self->count < 3)
		sl_fiber_yield(SL_NEVER);
	EXPECT_EQ(3, self->count);
	sl_turns_leave(self->turns);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

/* ---- operations ------------------------------------------------------------------------- */

static void *receive(void *arg)
{
	FIXTURE_DATA(turns) *self = arg;
	struct sl_io io;
	char c = 0;

	sl_turns_enter(self->turns);
	sl_io_recv(&io, self->out, &c, 1, 0);
	self->count = 1;
	EXPECT_EQ(1, sl_await(&io, SL_NEVER));
	EXPECT_EQ('x', c);
	self->count = 2;
	sl_turns_leave(self->turns);
	return NULL;
}

/* The writer has to get in while the reader waits for what it writes. */
TEST_F(turns, an_operation_that_blocks_does_not_keep_others_out)
{
	pthread_t thread = begin(receive, self);

	sl_turns_enter(self->turns);
	while (!self->count)
		sl_sleep(soon(1));
	EXPECT_EQ(1, self->count);
	ASSERT_EQ(1, write(self->in, "x", 1));
	sl_turns_leave(self->turns);
	pthread_join(thread, NULL);
	EXPECT_EQ(2, self->count);
}

TEST_HARNESS_MAIN
