/* SPDX-License-Identifier: Apache-2.0 */
/* Rings: the ladder of flags, completions of every kind, cancelling, overflow, wake-ups, files. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "rings.h"
#include "uring/uring_pvt.h"

/* ---- the ladder ------------------------------------------------------------------------- */

/* Stands before liburing's own: a kernel that knows none of these flags. */
static uint32_t unknown_flags;
static int set_ups;

int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *p)
{
	int (*real)(unsigned, struct io_uring *, struct io_uring_params *) =
		(int (*)(unsigned, struct io_uring *,
			 struct io_uring_params *))dlsym(RTLD_NEXT, "io_uring_queue_init_params");

	set_ups++;
	if (p->flags & unknown_flags)
		return -EINVAL;
	return real(entries, ring, p);
}

static void check_works(struct sl_ring *ring)
{
	struct sl_io io;
	int fds[2];
	char c;

	ASSERT_EQ(0, pipe(fds));
	sl_io_write(&io, fds[1], "x", 1, (uint64_t)-1);
	EXPECT_EQ(1, ring_do(ring, &io));
	sl_io_read(&io, fds[0], &c, 1, (uint64_t)-1);
	EXPECT_EQ(1, ring_do(ring, &io));
	close(fds[0]);
	close(fds[1]);
}

TEST(unknown_flags_are_dropped_one_after_the_other)
{
	static const struct {
		uint32_t flag;
		enum sl_feature feature;
	} rungs[] = {
		{IORING_SETUP_NO_SQARRAY, SL_FEATURE_NO_SQARRAY},
		{IORING_SETUP_DEFER_TASKRUN, SL_FEATURE_DEFER_TASKRUN},
		{IORING_SETUP_SINGLE_ISSUER, SL_FEATURE_SINGLE_ISSUER},
		{IORING_SETUP_SUBMIT_ALL, SL_FEATURE_SUBMIT_ALL},
		{IORING_SETUP_R_DISABLED, SL_FEATURE_R_DISABLED},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(rungs); i++) {
		struct sl_ring *ring;

		set_ups = 0;
		unknown_flags = rungs[i].flag;
		ring = ring_of(&(struct sl_ring_conf){0});
		EXPECT_LT(1, set_ups);
		for (size_t k = 0; k <= i; k++)
			EXPECT_FALSE(sl_ring_has(ring, rungs[k].feature));
		check_works(ring);
		sl_ring_free(ring);
	}
}

TEST(a_kernel_that_refuses_every_flag_is_an_error)
{
	struct sl_ring *ring = NULL;
	char why[300] = "";

	unknown_flags = UINT32_MAX;
	EXPECT_EQ(-EINVAL, sl_ring_new(&(struct sl_ring_conf){0}, &ring, why, sizeof(why)));
	EXPECT_NULL(ring);
	EXPECT_NOT_NULL(strstr(why, strerror(EINVAL)));
}

TEST(a_ring_that_was_never_enabled_can_be_freed)
{
	struct sl_ring *ring = NULL;
	char why[300];

	sl_ring_free(NULL);
	ASSERT_EQ(0, sl_ring_new(&(struct sl_ring_conf){.files = 8, .buffers = 8}, &ring, why,
				 sizeof(why)));
	sl_ring_free(ring);
}

/* ---- completions ------------------------------------------------------------------------ */

FIXTURE(ring)
{
	struct sl_ring *ring;
	int fds[2];
};

FIXTURE_SETUP(ring)
{
	self->ring = ring_of(&(struct sl_ring_conf){.files = 3, .buffers = 4});
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->fds));
}

FIXTURE_TEARDOWN(ring)
{
	EXPECT_EQ(0, sl_ring_inflight(self->ring));
	sl_ring_free(self->ring);
	close(self->fds[0]);
	close(self->fds[1]);
}

TEST_F(ring, a_turn_waits_until_its_deadline)
{
	int64_t start = sl_clock_ns();

	/* Nothing completes: one that waited for that would not return. */
	EXPECT_EQ(0, sl_ring_turn(self->ring, 0));
	EXPECT_EQ(0, sl_ring_turn(self->ring, start - 1));
	while (sl_clock_ns() < start + 20 * SL_MSEC)
		EXPECT_EQ(0, sl_ring_turn(self->ring, start + 20 * SL_MSEC));
}

TEST_F(ring, a_watch_submits_and_tells_whether_a_turn_would_find_something)
{
	struct sl_io io;
	int count = 0;
	char c;

	sl_io_recv(&io, self->fds[0], &c, 1, 0);
	ring_begin(self->ring, &io, &count);
	EXPECT_FALSE(sl_ring_watch(self->ring, sl_clock_ns() + SL_MSEC));
	ASSERT_EQ(1, write(self->fds[1], "x", 1));
	EXPECT_TRUE(sl_ring_watch(self->ring, SL_NEVER));
	EXPECT_EQ(0, count);
	EXPECT_EQ(1, sl_ring_turn(self->ring, 0));
	EXPECT_EQ(1, count);
}

TEST_F(ring, nothing_completes_outside_a_turn)
{
	struct sl_io io;
	int count = 0;

	sl_io_send(&io, self->fds[0], "x", 1, 0);
	ring_begin(self->ring, &io, &count);
	EXPECT_EQ(1, sl_ring_inflight(self->ring));
	usleep(2000);
	EXPECT_EQ(0, count);
	EXPECT_TRUE(io.inflight);
	ring_until(self->ring, &count, 1);
	EXPECT_EQ(1, io.res);
	EXPECT_FALSE(io.more);
}

TEST_F(ring, many_more_operations_than_entries)
{
	static struct sl_io ios[3000];
	int count = 0;

	for (int i = 0; i < 3000; i++) {
		sl_io_fsync(&ios[i], -1, true, SL_FAULT(NONE));
		ring_begin(self->ring, &ios[i], &count);
	}
	ring_until(self->ring, &count, 3000);
	for (int i = 0; i < 3000; i++)
		EXPECT_EQ(-EBADF, ios[i].res);
}

TEST_F(ring, a_turn_completes_a_few_and_the_next_does_not_wait_for_more)
{
	static struct sl_io ios[200];
	int count = 0, turns = 0;

	for (int i = 0; i < 200; i++) {
		sl_io_poll(&ios[i], self->fds[0], POLLIN, 0);
		ring_begin(self->ring, &ios[i], &count);
	}
	EXPECT_EQ(0, sl_ring_turn(self->ring, 0));
	ASSERT_EQ(1, write(self->fds[1], "x", 1)); /* all of them at once */
	for (; count < 200; turns++) {
		int before = count;

		ASSERT_LT(0, sl_ring_turn(self->ring, SL_NEVER));
		EXPECT_GE(64, count - before);
	}
	EXPECT_LT(2, turns);
}

TEST(a_full_completion_queue_loses_nothing)
{
	struct sl_ring *ring = ring_of(&(struct sl_ring_conf){.sq_entries = 4, .cq_entries = 8});
	static struct sl_io ios[500];
	int count = 0, fds[2];

	ASSERT_EQ(0, pipe(fds));
	for (int i = 0; i < 500; i++) {
		sl_io_poll(&ios[i], fds[0], POLLIN, 0);
		ring_begin(ring, &ios[i], &count);
	}
	EXPECT_EQ(0, sl_ring_turn(ring, 0));
	ASSERT_EQ(1, write(fds[1], "x", 1)); /* all of them at once */
	ring_until(ring, &count, 500);
	EXPECT_LT(0, sl_ring_stats(ring)->overflows);
	for (int i = 0; i < 500; i++)
		EXPECT_EQ(POLLIN, ios[i].res);
	sl_ring_free(ring);
}

/* ---- cancelling ------------------------------------------------------------------------- */

TEST_F(ring, cancelling_ends_what_waits)
{
	struct sl_io io;
	char c;

	sl_io_recv(&io, self->fds[0], &c, 1, 0);
	EXPECT_EQ(0, sl_ring_cancel(self->ring, &io)); /* not begun */
	ring_begin(self->ring, &io, NULL);
	EXPECT_EQ(0, sl_ring_turn(self->ring, 0));
	EXPECT_EQ(0, sl_ring_cancel(self->ring, &io));
	EXPECT_EQ(0, sl_ring_cancel(self->ring, &io));
	EXPECT_EQ(-ECANCELED, ring_wait(self->ring, &io));
	EXPECT_EQ(0, sl_ring_cancel(self->ring, &io)); /* is done */
	EXPECT_LE(0, sl_ring_turn(self->ring, 0));
}

TEST_F(ring, cancelling_what_is_done_changes_nothing)
{
	struct sl_io io;

	sl_io_send(&io, self->fds[0], "x", 1, 0);
	ring_begin(self->ring, &io, NULL);
	EXPECT_EQ(0, sl_ring_cancel(self->ring, &io));
	EXPECT_EQ(1, ring_wait(self->ring, &io));
}

TEST_F(ring, cancelling_ends_a_multishot)
{
	struct sl_io io;
	int count = 0;

	sl_io_poll(&io, self->fds[0], POLLIN, SL_IO_MULTISHOT);
	ring_begin(self->ring, &io, &count);
	for (int i = 1; i <= 5; i++) {
		ASSERT_EQ(1, write(self->fds[1], "x", 1));
		ring_until(self->ring, &count, i);
		EXPECT_TRUE(io.more);
		EXPECT_TRUE(io.res & POLLIN);
	}
	sl_ring_cancel(self->ring, &io);
	EXPECT_EQ(-ECANCELED, ring_wait(self->ring, &io));
	EXPECT_FALSE(io.more);
}

/* An operation's memory that is used again while it is in flight. */
static void reuse_in_flight(void)
{
	struct sl_ring *ring = ring_of(&(struct sl_ring_conf){0});
	struct sl_io io;
	int fds[2], count = 0;

	ASSERT_EQ(0, pipe(fds));
	sl_io_poll(&io, fds[0], POLLIN, 0);
	ring_begin(ring, &io, &count);
	sl_ring_turn(ring, 0);
	io.gen++; /* as if begun anew */
	ASSERT_EQ(1, write(fds[1], "x", 1));
	sl_ring_turn(ring, sl_clock_ns() + SL_SEC);
}

static void begin_twice(void)
{
	struct sl_ring *ring = ring_of(&(struct sl_ring_conf){0});
	struct sl_io io;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	sl_io_poll(&io, fds[0], POLLIN, 0);
	ring_begin(ring, &io, NULL);
	sl_ring_start(ring, &io);
}

static void free_in_flight(void)
{
	struct sl_ring *ring = ring_of(&(struct sl_ring_conf){0});
	struct sl_io io;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	sl_io_poll(&io, fds[0], POLLIN, 0);
	ring_begin(ring, &io, NULL);
	sl_ring_free(ring);
}

static void start_before_enabled(void)
{
	struct sl_ring *ring;
	struct sl_io io;
	char why[200];

	ASSERT_EQ(0, sl_ring_new(&(struct sl_ring_conf){0}, &ring, why, sizeof(why)));
	sl_io_fsync(&io, -1, true, SL_FAULT(NONE));
	ring_begin(ring, &io, NULL);
}

TEST(misuse_is_caught)
{
	EXPECT_TRUE(ring_aborts(reuse_in_flight));
	EXPECT_TRUE(ring_aborts(begin_twice));
	EXPECT_TRUE(ring_aborts(free_in_flight));
	EXPECT_TRUE(ring_aborts(start_before_enabled));
}

/* ---- multishot accept ------------------------------------------------------------------- */

struct accepted {
	int fd[20];
	int n;
};

static void note_accepted(struct sl_io *io)
{
	struct accepted *a = io->arg;

	if (io->res >= 0)
		a->fd[a->n++] = io->res;
}

TEST_F(ring, one_accept_takes_many_connections)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t len = sizeof(addr);
	struct accepted a = {.n = 0};
	struct sl_io io;
	int l = socket(AF_INET, SOCK_STREAM, 0), c[20];

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_EQ(0, bind(l, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, listen(l, 100));
	ASSERT_EQ(0, getsockname(l, (struct sockaddr *)&addr, &len));
	sl_io_accept(&io, l, SOCK_CLOEXEC, SL_IO_MULTISHOT);
	io.done = note_accepted;
	io.arg = &a;
	ASSERT_EQ(0, sl_ring_start(self->ring, &io));
	for (int i = 0; i < 20; i++) {
		c[i] = socket(AF_INET, SOCK_STREAM, 0);
		ASSERT_EQ(0, connect(c[i], (struct sockaddr *)&addr, sizeof(addr)));
		ring_until(self->ring, &a.n, i + 1);
		EXPECT_TRUE(io.more);
	}
	sl_ring_cancel(self->ring, &io);
	EXPECT_EQ(-ECANCELED, ring_wait(self->ring, &io));
	for (int i = 0; i < 20; i++) {
		close(c[i]);
		close(a.fd[i]);
	}
	close(l);
}

/* ---- wake-ups --------------------------------------------------------------------------- */

struct sleeper {
	struct sl_ring *ring;
	pthread_t thread;
	int woken; /* atomic */
	int enabled, stop; /* atomic */
};

static void woken(void *arg)
{
	__atomic_fetch_add(&((struct sleeper *)arg)->woken, 1, __ATOMIC_RELEASE);
}

static void *sleeping(void *arg)
{
	struct sleeper *s = arg;

	ASSERT_EQ(0, sl_ring_enable(s->ring));
	__atomic_store_n(&s->enabled, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE))
		ASSERT_LE(0, sl_ring_turn(s->ring, SL_NEVER));
	sl_ring_free(s->ring);
	return NULL;
}

static void start_sleeper(struct sleeper *s)
{
	char why[200];

	ASSERT_EQ(0, sl_ring_new(&(struct sl_ring_conf){.wake = woken, .wake_arg = s}, &s->ring,
				 why, sizeof(why)));
	ASSERT_EQ(0, pthread_create(&s->thread, NULL, sleeping, s));
}

static bool wakes(struct sleeper *s, int n)
{
	for (int i = 0; i < 5000 * harness_time_scale(); i++) {
		if (__atomic_load_n(&s->woken, __ATOMIC_ACQUIRE) >= n)
			return true;
		usleep(1000);
	}
	return false;
}

static void stop_sleeper(struct sleeper *s)
{
	__atomic_store_n(&s->stop, 1, __ATOMIC_RELEASE);
	sl_ring_wake_from_outside(s->ring);
	pthread_join(s->thread, NULL);
}

TEST_F(ring, another_ring_wakes_one_that_waits)
{
	struct sleeper s = {0};

	start_sleeper(&s);
	while (!__atomic_load_n(&s.enabled, __ATOMIC_ACQUIRE))
		usleep(1000);
	for (int i = 1; i <= 50; i++) {
		ASSERT_EQ(0, sl_ring_wake(self->ring, s.ring));
		ASSERT_LE(0, sl_ring_turn(self->ring, 0));
		TH_LOG("wake-up %d", i);
		ASSERT_TRUE(wakes(&s, i));
	}
	stop_sleeper(&s);
}

TEST(a_thread_without_a_ring_wakes_one_that_waits)
{
	struct sleeper s = {0};

	start_sleeper(&s);
	for (int i = 1; i <= 50; i++) {
		sl_ring_wake_from_outside(s.ring);
		ASSERT_TRUE(wakes(&s, i));
	}
	stop_sleeper(&s);
}

/* ---- registered files ------------------------------------------------------------------- */

TEST_F(ring, registered_files_have_slots)
{
	int slot[3], more;
	struct sl_io io;
	char c;

	if (!sl_ring_has(self->ring, SL_FEATURE_SPARSE_FILES))
		SKIP(return, "no sparse table of files");
	for (int i = 0; i < 3; i++) {
		slot[i] = sl_ring_file_register(self->ring, self->fds[i % 2]);
		EXPECT_EQ(i, slot[i]);
	}
	more = sl_ring_file_register(self->ring, self->fds[0]);
	EXPECT_EQ(-ENFILE, more);
	sl_io_send(&io, slot[0], "x", 1, 0);
	io.options |= SL_IO_FIXED_FILE;
	EXPECT_EQ(1, ring_do(self->ring, &io));
	sl_io_recv(&io, slot[1], &c, 1, 0);
	io.options |= SL_IO_FIXED_FILE;
	EXPECT_EQ(1, ring_do(self->ring, &io));
	EXPECT_EQ('x', c);
	sl_ring_file_unregister(self->ring, slot[1]);
	sl_io_recv(&io, slot[1], &c, 1, 0);
	io.options |= SL_IO_FIXED_FILE;
	EXPECT_EQ(-EBADF, ring_do(self->ring, &io));
	EXPECT_EQ(slot[1], sl_ring_file_register(self->ring, self->fds[1]));
}

TEST(a_ring_without_slots_registers_nothing)
{
	struct sl_ring *ring = ring_of(&(struct sl_ring_conf){0});

	EXPECT_EQ(-ENFILE, sl_ring_file_register(ring, 0));
	EXPECT_FALSE(sl_ring_has(ring, SL_FEATURE_SPARSE_FILES));
	sl_ring_free(ring);
}

/* ---- chains ----------------------------------------------------------------------------- */

FIXTURE(chain)
{
	struct sl_faults faults;
	struct sl_ring *ring;
	int fd, pipes[2];
	struct sl_io ios[3];
	int64_t offs[3];
	int done;
};
FIXTURE_VARIANT(chain)
{
	bool by_kernel;
};
FIXTURE_VARIANT_ADD(chain, kernel){.by_kernel = true};
FIXTURE_VARIANT_ADD(chain, other_backend){.by_kernel = false};
FIXTURE_SETUP(chain)
{
	char path[300];

	sl_faults_init(&self->faults, NULL);
	self->ring = ring_of(&(struct sl_ring_conf){
		.sq_entries = 4, .backend = variant->by_kernel ? NULL : &self->faults.backend});
	snprintf(path, sizeof(path), "%s/file", harness_tmpdir());
	self->fd = open(path, O_RDWR | O_CREAT, 0600);
	ASSERT_EQ(10, write(self->fd, "0123456789", 10));
	ASSERT_EQ(0, pipe2(self->pipes, O_NONBLOCK));
}
FIXTURE_TEARDOWN(chain)
{
	sl_ring_free(self->ring);
	close(self->fd);
	close(self->pipes[0]);
	close(self->pipes[1]);
}

/* Splices @lens bytes from @offs of the file into the pipe, by one chain. */
static void run_chain(FIXTURE_DATA(chain) * self, const int64_t *offs, const uint32_t *lens)
{
	for (int i = 0; i < 3; i++) {
		self->offs[i] = offs[i];
		sl_io_splice(&self->ios[i], self->pipes[1], self->fd, &self->offs[i], lens[i], 0);
		self->ios[i].done = ring_noted;
		self->ios[i].arg = &self->done;
	}
	ASSERT_EQ(0, sl_ring_start_chain(self->ring, self->ios, 3));
	ring_until(self->ring, &self->done, 3);
	self->done = 0;
}

TEST_F(chain, operations_of_a_chain_follow_each_other)
{
	char buf[16] = "";

	for (int i = 0; i < 20; i++) {
		run_chain(self, (int64_t[]){7, 0, 4}, (uint32_t[]){3, 4, 2});
		ASSERT_EQ(9, read(self->pipes[0], buf, sizeof(buf)));
		ASSERT_MEMEQ("789012345", buf, 9);
	}
}

TEST_F(chain, what_follows_a_short_one_is_cancelled)
{
	char buf[16] = "";

	run_chain(self, (int64_t[]){1, 8, 4}, (uint32_t[]){3, 5, 2});
	EXPECT_EQ(3, self->ios[0].res);
	EXPECT_EQ(2, self->ios[1].res);
	EXPECT_EQ(-ECANCELED, self->ios[2].res);
	ASSERT_EQ(5, read(self->pipes[0], buf, sizeof(buf)));
	EXPECT_MEMEQ("12389", buf, 5);
}

TEST_HARNESS_MAIN
