/* SPDX-License-Identifier: Apache-2.0 */
/* Fibers: order, parking, wait queues, mutexes, operations that park. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/dataplane.h"
#include "harness.h"

static int on_core(int (*fn)(void *), void *arg)
{
	return sl_core_run(&(struct sl_cores_conf){.arena_bytes_max = 64 * SL_MIB}, fn, arg);
}

/* ---- starting --------------------------------------------------------------------------- */

struct trace {
	char text[64];
	int n;
};

static void say(struct trace *t, char c)
{
	t->text[t->n++] = c;
}

static void say_a(void *arg)
{
	say(arg, 'a');
	sl_fiber_yield(SL_NEVER);
	say(arg, 'A');
}

static void say_b(void *arg)
{
	say(arg, 'b');
	sl_fiber_yield(SL_NEVER);
	say(arg, 'B');
}

static int start_two(void *arg)
{
	EXPECT_EQ(0, sl_fiber_start(SL_STACK_SMALL, say_a, arg));
	EXPECT_EQ(0, sl_fiber_start(SL_STACK_LARGE, say_b, arg));
	say(arg, '-');
	return 7;
}

TEST(fibers_take_turns_in_order_of_start)
{
	struct trace t = {0};

	EXPECT_EQ(7, on_core(start_two, &t));
	EXPECT_STREQ("-abAB", t.text);
}

static void count_up(void *arg)
{
	volatile char deep[32 << 10];

	memset((char *)deep, 1, sizeof(deep));
	++*(int *)arg;
	sl_fiber_yield(SL_NEVER);
	*(int *)arg += deep[100];
}

static int start_thousands(void *arg)
{
	for (int i = 0; i < 5000; i++)
		if (sl_fiber_start(SL_STACK_SMALL, count_up, arg))
			return -ENOMEM;
	return 0;
}

TEST(five_thousand_fibers_run_at_once)
{
	int n = 0;

	EXPECT_EQ(0, on_core(start_thousands, &n));
	EXPECT_EQ(10000, n);
}

/* Where the stacks were of those that ended at once, and of two that did not. */
struct places {
	void *ended[100];
	void *parked[2];
	int n, parked_n;
};

static void note_place(void *arg)
{
	struct places *p = arg;

	p->ended[p->n++] = __builtin_frame_address(0);
}

static void note_place_and_stay(void *arg)
{
	struct places *p = arg;

	p->parked[p->parked_n++] = __builtin_frame_address(0);
	while (p->n < 100)
		sl_fiber_yield(SL_NEVER);
}

static int start_short_ones(void *arg)
{
	for (int i = 0; i < 100; i++) {
		if (i == 50 || i == 51)
			EXPECT_EQ(0, sl_fiber_start(SL_STACK_SMALL, note_place_and_stay, arg));
		EXPECT_EQ(0, sl_fiber_start(SL_STACK_SMALL, note_place, arg));
	}
	return 0;
}

TEST(fibers_that_end_at_once_share_a_stack_that_nobody_has)
{
	struct places p = {0};
	int same[2] = {0};

	EXPECT_EQ(0, on_core(start_short_ones, &p));
	ASSERT_EQ(100, p.n);
	ASSERT_EQ(2, p.parked_n);
	EXPECT_NE((uintptr_t)p.parked[0], (uintptr_t)p.parked[1]);
	for (int i = 0; i < 100; i++) {
		same[0] += p.ended[i] == p.ended[0];
		same[1] += p.ended[i] == p.ended[99];
		EXPECT_TRUE(i < 51 || (p.ended[i] != p.parked[0] && p.ended[i] != p.parked[1]));
	}
	EXPECT_EQ(50, same[0]);
	EXPECT_LE(48, same[1]);
}

static void overflow(void *arg)
{
	volatile char big[96 << 10];

	(void)arg;
	for (size_t i = sizeof(big); i > 0; i -= 1024)
		big[i - 1] = 1;
}

static int start_overflow(void *arg)
{
	return sl_fiber_start(SL_STACK_SMALL, overflow, arg);
}

static void touch_pages(void *arg)
{
	volatile char pages[3 * 4096];

	for (size_t i = 0; i < sizeof(pages); i += 4096)
		pages[i] = 1;
	sl_fiber_yield(SL_NEVER);
	++*(int *)arg;
}

/* @n at once. */
static void touch_in(int n)
{
	int done = 0;

	for (int i = 0; i < n; i++)
		ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, touch_pages, &done));
	while (done < n)
		sl_fiber_yield(SL_NEVER);
}

static long faults(void)
{
	struct rusage u;

	ASSERT_EQ(0, getrusage(RUSAGE_THREAD, &u));
	return u.ru_minflt;
}

static int use_one_again(void *arg)
{
	long before;

	(void)arg;
	touch_in(1500); /* more than keep their pages */
	before = faults();
	for (int i = 0; i < 1000; i++)
		touch_in(1);
	EXPECT_GT(500, faults() - before);
	return 0;
}

TEST(a_stack_that_is_used_again_and_again_keeps_its_pages)
{
#ifdef __SANITIZE_THREAD__
	SKIP(return, "the thread sanitizer makes a fiber of its own each time");
#endif
	EXPECT_EQ(0, on_core(use_one_again, NULL));
}

TEST(stack_overflow_hits_the_guard_page)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		close(2);
		on_core(start_overflow, NULL);
		_exit(0);
	}
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

/* ---- waiting ---------------------------------------------------------------------------- */

static int sleep_a_while(void *arg)
{
	int64_t deadline = sl_now() + 20 * SL_MSEC;

	(void)arg;
	sl_sleep(deadline);
	EXPECT_LE(deadline, sl_clock_ns());
	EXPECT_EQ(-ETIME, sl_fiber_park(sl_now() + SL_MSEC));
	return 0;
}

TEST(park_ends_at_its_deadline)
{
	EXPECT_EQ(0, on_core(sleep_a_while, NULL));
}

struct queue {
	struct sl_waitq q;
	struct sl_mutex m;
	struct trace t;
	int res[3];
};

static void wait_first(void *arg)
{
	struct queue *q = arg;

	q->res[0] = sl_waitq_wait(&q->q, SL_NEVER);
	say(&q->t, '1');
}

static void wait_second(void *arg)
{
	struct queue *q = arg;

	q->res[1] = sl_waitq_wait(&q->q, sl_now() + 5 * SL_MSEC);
	say(&q->t, '2');
}

static void wait_third(void *arg)
{
	struct queue *q = arg;

	q->res[2] = sl_waitq_wait(&q->q, SL_NEVER);
	say(&q->t, '3');
}

static int use_queue(void *arg)
{
	struct queue *q = arg;

	sl_waitq_init(&q->q);
	sl_fiber_start(SL_STACK_SMALL, wait_first, q);
	sl_fiber_start(SL_STACK_SMALL, wait_second, q);
	sl_fiber_start(SL_STACK_SMALL, wait_third, q);
	while (!q->res[1])
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_EQ(1, sl_waitq_wake_one(&q->q, 5));
	EXPECT_EQ(1, sl_waitq_wake_all(&q->q, 6));
	EXPECT_EQ(0, sl_waitq_wake_one(&q->q, 7));
	return 0;
}

TEST(wait_queue_wakes_in_order_and_forgets_who_gave_up)
{
	struct queue q = {0};

	EXPECT_EQ(0, on_core(use_queue, &q));
	EXPECT_STREQ("213", q.t.text);
	EXPECT_EQ(5, q.res[0]);
	EXPECT_EQ(-ETIME, q.res[1]);
	EXPECT_EQ(6, q.res[2]);
}

static void lock_and_say(void *arg)
{
	struct queue *q = arg;

	ASSERT_EQ(0, sl_mutex_lock(&q->m, SL_NEVER));
	say(&q->t, '(');
	sl_fiber_yield(SL_NEVER);
	sl_sleep(sl_now() + SL_MSEC);
	say(&q->t, ')');
	sl_mutex_unlock(&q->m);
}

static int use_mutex(void *arg)
{
	struct queue *q = arg;

	sl_mutex_init(&q->m);
	for (int i = 0; i < 3; i++)
		sl_fiber_start(SL_STACK_SMALL, lock_and_say, q);
	return 0;
}

TEST(mutex_excludes_over_parking)
{
	struct queue q = {0};

	EXPECT_EQ(0, on_core(use_mutex, &q));
	EXPECT_STREQ("()()()", q.t.text);
	EXPECT_FALSE(q.m.held);
}

/* ---- operations ------------------------------------------------------------------------- */

static int await_pipe(void *arg)
{
	int *fds = arg;
	struct sl_io io;
	char c = 0;

	sl_io_read(&io, fds[0], &c, 1, (uint64_t)-1);
	EXPECT_EQ(-ETIME, sl_await(&io, sl_now() + 10 * SL_MSEC));
	EXPECT_EQ(1, write(fds[1], "x", 1));
	sl_io_read(&io, fds[0], &c, 1, (uint64_t)-1);
	EXPECT_EQ(1, sl_await(&io, SL_NEVER));
	EXPECT_EQ('x', c);
	return 0;
}

TEST(await_gives_the_result_or_the_deadline)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(0, on_core(await_pipe, fds));
}

static int await_many(void *arg)
{
	struct sl_io ios[8], *p[8];
	int fd = *(int *)arg;

	for (int i = 0; i < 8; i++) {
		sl_io_fsync(&ios[i], i == 3 ? -1 : fd, true, SL_FAULT(NONE));
		p[i] = &ios[i];
	}
	sl_await_all(p, 8, SL_NEVER);
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(i == 3 ? -EBADF : 0, ios[i].res);
	return 0;
}

TEST(await_all_waits_for_each)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/f", harness_tmpdir());
	fd = open(path, O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, on_core(await_many, &fd));
}

TEST_HARNESS_MAIN
