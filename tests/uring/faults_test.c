/* SPDX-License-Identifier: Apache-2.0 */
/* The faults backend: which calls fail, and what failing does and does not do. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "uring/uring.h"

#define BIT(op) (UINT64_C(1) << (op))

FIXTURE(faults)
{
	struct sl_faults f;
	int dir, fd;
};

FIXTURE_SETUP(faults)
{
	self->dir = open(harness_tmpdir(), O_RDONLY | O_DIRECTORY);
	self->fd = openat(self->dir, "a", O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, self->fd);
	sl_faults_init(&self->f, NULL);
	sl_backend_use(&self->f.backend);
}

FIXTURE_TEARDOWN(faults)
{
	sl_backend_use(NULL);
	close(self->fd);
	close(self->dir);
}

static int write_now(int fd, const char *text)
{
	struct sl_io io;

	sl_io_write(&io, fd, text, strlen(text), 0);
	return sl_io_now(&io);
}

static int read_now(int fd, char *buf, size_t len)
{
	struct sl_io io;

	sl_io_read(&io, fd, buf, len, 0);
	return sl_io_now(&io);
}

TEST_F(faults, nothing_fails_until_told)
{
	EXPECT_EQ(4, write_now(self->fd, "text"));
	EXPECT_EQ(0, self->f.count);
	self->f.ops = sl_ops_file_mask();
	EXPECT_EQ(4, write_now(self->fd, "text"));
	EXPECT_EQ(1, self->f.count);
}

TEST_F(faults, the_nth_fails_without_being_performed)
{
	char buf[8] = "";

	self->f.ops = BIT(SL_OP_WRITE);
	self->f.nth = 2;
	self->f.err = ENOSPC;
	EXPECT_EQ(3, write_now(self->fd, "one"));
	EXPECT_EQ(3, read_now(self->fd, buf, 3)); /* not counted */
	EXPECT_EQ(-ENOSPC, write_now(self->fd, "two"));
	EXPECT_EQ(3, read_now(self->fd, buf, 3));
	EXPECT_STREQ("one", buf);
	EXPECT_EQ(3, write_now(self->fd, "333"));
	EXPECT_EQ(3, self->f.count);
}

TEST_F(faults, a_sticky_fault_stays)
{
	char c;

	self->f.ops = sl_ops_file_mask();
	self->f.nth = 2;
	self->f.err = EIO;
	self->f.sticky = true;
	EXPECT_EQ(1, write_now(self->fd, "x"));
	EXPECT_EQ(-EIO, write_now(self->fd, "x"));
	EXPECT_EQ(-EIO, read_now(self->fd, &c, 1));
	EXPECT_LT(0, sl_clock_ns()); /* is no operation on a file */
}

TEST_F(faults, a_failed_close_closes_all_the_same)
{
	struct sl_io io;
	int fd = dup(self->fd);

	self->f.ops = BIT(SL_OP_CLOSE);
	self->f.nth = 1;
	self->f.err = EIO;
	sl_io_close(&io, fd);
	EXPECT_EQ(-EIO, sl_io_now(&io));
	EXPECT_EQ(-1, fcntl(fd, F_GETFD));
}

TEST_F(faults, short_calls_do_half_but_at_least_a_byte)
{
	char buf[8] = "";
	struct sl_io io;

	self->f.ops = BIT(SL_OP_WRITE) | BIT(SL_OP_READ);
	self->f.nth = 1;
	self->f.sticky = true;
	EXPECT_EQ(1, write_now(self->fd, "x"));
	EXPECT_EQ(3, write_now(self->fd, "1234567"));
	EXPECT_EQ(3, read_now(self->fd, buf, 7));
	EXPECT_STREQ("123", buf);
	sl_io_write(&io, self->fd, "1234", 4, 0);
	EXPECT_EQ(2, sl_io_now(&io));
	EXPECT_EQ(4, io.len);
	EXPECT_EQ(0, write_now(self->fd, ""));
}

TEST_F(faults, short_vectors_do_half_of_the_first)
{
	char a[] = "abcd", b[] = "ef", x[2], y[4];
	struct iovec out[] = {{NULL, 0}, {a, 4}, {b, 2}};
	struct iovec in[] = {{x, 2}, {y, 4}};
	struct sl_io io;

	self->f.ops = BIT(SL_OP_WRITEV) | BIT(SL_OP_READV);
	self->f.nth = 1;
	self->f.sticky = true;
	sl_io_writev(&io, self->fd, out, 3, 0);
	EXPECT_EQ(2, sl_io_now(&io));
	EXPECT_EQ(SL_OP_WRITEV, io.op);
	EXPECT_EQ(3, io.len);
	EXPECT_TRUE(io.iov == out);
	sl_io_readv(&io, self->fd, in, 2, 0);
	EXPECT_EQ(1, sl_io_now(&io));
	EXPECT_EQ('a', x[0]);
	sl_io_writev(&io, self->fd, out, 1, 0);
	EXPECT_EQ(0, sl_io_now(&io)); /* nothing to halve */
}

TEST_F(faults, sockets_can_be_short_and_broken)
{
	struct iovec iov = {"12345678", 8};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct sl_io io;
	char buf[16];
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	self->f.ops = sl_ops_socket_mask();
	self->f.nth = 1;
	sl_io_sendmsg(&io, pair[0], &msg, MSG_NOSIGNAL);
	EXPECT_EQ(4, sl_io_now(&io));
	EXPECT_TRUE(io.msg == &msg);
	self->f.nth = 2;
	sl_io_recv(&io, pair[1], buf, 2, 0);
	EXPECT_EQ(1, sl_io_now(&io));
	self->f.nth = 3;
	self->f.err = ECONNRESET;
	sl_io_send(&io, pair[0], "x", 1, MSG_NOSIGNAL);
	EXPECT_EQ(-ECONNRESET, sl_io_now(&io));
	close(pair[0]);
	close(pair[1]);
}

/* ---- on a ring --------------------------------------------------------------------------- */

static void stop_waiting(struct sl_io *io)
{
	io->done = NULL;
}

/* Begins @io and turns the ring until it is done. Return: its res. */
static int on_ring(struct sl_ring *ring, struct sl_io *io)
{
	io->done = stop_waiting;
	ASSERT_EQ(0, sl_ring_start(ring, io));
	EXPECT_TRUE(io->inflight);
	EXPECT_NOT_NULL(io->done); /* never from within start */
	while (io->done)
		ASSERT_LE(0, sl_ring_turn(ring, sl_clock_ns() + SL_SEC));
	EXPECT_FALSE(io->inflight);
	return io->res;
}

TEST_F(faults, begun_operations_fail_at_a_later_turn)
{
	struct sl_ring_conf conf = {.backend = &self->f.backend};
	struct sl_ring *ring;
	struct sl_io io;
	char why[200];

	if (sl_ring_new(&conf, &ring, why, sizeof(why)))
		SKIP(return, "no ring: %s", why);
	ASSERT_EQ(0, sl_ring_enable(ring));
	self->f.ops = BIT(SL_OP_WRITE) | BIT(SL_OP_WRITEV) | BIT(SL_OP_FSYNC);
	self->f.nth = 2;
	self->f.err = EIO;
	sl_io_write(&io, self->fd, "12345678", 8, 0);
	EXPECT_EQ(8, on_ring(ring, &io));
	sl_io_fsync(&io, self->fd, true, SL_FAULT_SYNC_COMMIT);
	EXPECT_EQ(-EIO, on_ring(ring, &io));
	self->f.err = 0;
	self->f.nth = 3;
	sl_io_write(&io, self->fd, "12345678", 8, 0);
	EXPECT_EQ(4, on_ring(ring, &io));
	EXPECT_EQ(8, io.len);
	self->f.nth = 4;
	sl_io_writev(&io, self->fd, &(struct iovec){"12345678", 8}, 1, 0);
	EXPECT_EQ(4, on_ring(ring, &io));
	EXPECT_EQ(SL_OP_WRITEV, io.op);
	self->f.nth = 5;
	sl_io_fsync(&io, self->fd, true, SL_FAULT_SYNC_COMMIT);
	EXPECT_EQ(0, on_ring(ring, &io)); /* has no length, so it is performed */
	EXPECT_EQ(5, self->f.count);
	sl_ring_free(ring);
}

/* ---- threads --------------------------------------------------------------------------------- */

struct counter {
	struct sl_faults *f;
	int failed;
};

static void *call_often(void *arg)
{
	struct counter *c = arg;

	sl_backend_use(&c->f->backend);
	for (int i = 0; i < 10000; i++) {
		struct sl_io io;

		sl_io_init(&io, SL_OP_CLOCK, -1);
		c->failed += sl_io_now(&io) == -EIO;
	}
	return NULL;
}

TEST_F(faults, one_of_all_threads_calls_fails)
{
	struct counter counters[4];
	pthread_t threads[4];
	int failed = 0;

	self->f.ops = BIT(SL_OP_CLOCK);
	self->f.nth = 20000;
	self->f.err = EIO;
	for (int i = 0; i < 4; i++) {
		counters[i] = (struct counter){&self->f, 0};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, call_often, &counters[i]));
	}
	for (int i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		failed += counters[i].failed;
	}
	EXPECT_EQ(40000, self->f.count);
	EXPECT_EQ(1, failed);
}

TEST_HARNESS_MAIN
