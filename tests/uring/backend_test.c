/* SPDX-License-Identifier: Apache-2.0 */
/* What a thread performs its operations with; clocks; random numbers; interrupted calls. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "rings.h"

/* ---- backends of threads ------------------------------------------------------------------ */

static int always_seven(struct sl_backend *b, struct sl_io *io)
{
	(void)b;
	io->off = 7;
	return io->res = 7;
}

static struct sl_backend seven = {"seven", always_seven, NULL};

static void *other_thread(void *arg)
{
	*(int64_t *)arg = sl_clock_ns();
	EXPECT_TRUE(sl_backend_use(NULL) == sl_backend_kernel());
	return NULL;
}

TEST(each_thread_has_its_own_backend)
{
	pthread_t thread;
	int64_t now = 0;

	EXPECT_TRUE(sl_backend_use(&seven) == sl_backend_kernel());
	EXPECT_EQ(7, sl_clock_ns());
	ASSERT_EQ(0, pthread_create(&thread, NULL, other_thread, &now));
	pthread_join(thread, NULL);
	EXPECT_LT(7, now);
	EXPECT_EQ(7, sl_wall_clock_ns());
	EXPECT_TRUE(sl_backend_use(NULL) == &seven);
	EXPECT_LT(7, sl_clock_ns());
	EXPECT_STREQ("kernel", sl_backend_kernel()->name);
}

/* ---- clocks and random numbers ------------------------------------------------------------ */

TEST(clocks_tell_the_time)
{
	int64_t a = sl_clock_ns(), b, before = time(NULL), wall = sl_wall_clock_ns() / SL_SEC;

	EXPECT_LE(before, wall);
	EXPECT_GE((int64_t)time(NULL) + 1, wall); /* its clock may be a tick behind */
	usleep(2000);
	b = sl_clock_ns();
	EXPECT_LE(a + 2 * SL_MSEC, b);
}

TEST(random_bytes_fill_any_length)
{
	uint8_t a[1000] = {0}, b[1000] = {0};
	int zeros = 0;

	sl_random(a, sizeof(a) - 1);
	sl_random(b, sizeof(b));
	sl_random(NULL, 0);
	EXPECT_EQ(0, a[999]);
	EXPECT_MEMNE(a, b, 999);
	for (int i = 0; i < 999; i++)
		zeros += a[i] == 0;
	EXPECT_GT(40, zeros);
}

/* ---- calls ------------------------------------------------------------------------------ */

static void nothing(int sig)
{
	(void)sig;
}

struct later {
	int fd;
};

static void *send_later(void *arg)
{
	usleep(30000);
	EXPECT_EQ(1, send(((struct later *)arg)->fd, "x", 1, 0));
	return NULL;
}

TEST(an_interrupted_call_goes_on)
{
	struct itimerval often = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}};
	struct sigaction sa = {.sa_handler = nothing}; /* without SA_RESTART */
	struct later l;
	pthread_t thread;
	sigset_t alarm;
	struct sl_io io;
	int fds[2];
	char c = 0;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	sigaction(SIGALRM, &sa, NULL);
	/* The thread leaves the signals to this one. */
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm, NULL);
	l.fd = fds[1];
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_later, &l));
	pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	sl_io_recv(&io, fds[0], &c, 1, 0);
	EXPECT_EQ(1, sl_io_now(&io));
	setitimer(ITIMER_REAL, &off, NULL);
	EXPECT_EQ('x', c);
	EXPECT_EQ(1, io.res);
	pthread_join(thread, NULL);
}

static void timeout_now(void)
{
	struct sl_io io;

	sl_io_init(&io, SL_OP_TIMEOUT, -1);
	sl_io_now(&io);
}

TEST(what_has_a_meaning_on_a_ring_only_is_caught)
{
	EXPECT_TRUE(ring_aborts(timeout_now));
}

TEST(a_ring_performs_with_its_backend)
{
	struct sl_ring *ring;
	struct sl_faults f;
	struct sl_io io;

	sl_faults_init(&f, NULL);
	f.ops = sl_ops_file_mask();
	f.nth = 1;
	f.err = EIO;
	ring = ring_of(&(struct sl_ring_conf){.backend = &f.backend});
	sl_io_fsync(&io, -1, true, SL_FAULT(NONE));
	EXPECT_EQ(-EIO, ring_do(ring, &io));
	EXPECT_EQ(-EBADF, ring_do(ring, &io));
	EXPECT_EQ(2, f.count);
	sl_ring_free(ring);
}

TEST_HARNESS_MAIN
