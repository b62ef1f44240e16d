/* SPDX-License-Identifier: Apache-2.0 */
/* Operations: each does the same as a system call and on a ring, errors included. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "rings.h"

/* Every test runs both ways. */
FIXTURE(ops)
{
	struct sl_ring *ring; /* NULL: at once */
	int dir;
};

FIXTURE_VARIANT(ops)
{
	bool on_ring;
};

FIXTURE_VARIANT_ADD(ops, call){.on_ring = false};
FIXTURE_VARIANT_ADD(ops, ring){.on_ring = true};

FIXTURE_SETUP(ops)
{
	if (variant->on_ring)
		self->ring = ring_of(&(struct sl_ring_conf){0});
	self->dir = open(harness_tmpdir(), O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, self->dir);
}

FIXTURE_TEARDOWN(ops)
{
	sl_ring_free(self->ring);
	close(self->dir);
}

static int perform(FIXTURE_DATA(ops) * self, struct sl_io *io)
{
	int res = self->ring ? ring_do(self->ring, io) : sl_io_now(io);

	EXPECT_EQ(res, io->res);
	return res;
}

static int open_file(FIXTURE_DATA(ops) * self, const char *name)
{
	struct sl_io io;

	sl_io_openat(&io, self->dir, name, O_RDWR | O_CREAT, 0640);
	return perform(self, &io);
}

/* ---- files ------------------------------------------------------------------------------ */

TEST_F(ops, files_are_opened_and_closed)
{
	struct sl_io io;
	struct stat st;
	int fd = open_file(self, "f");

	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(0, st.st_mode & 07137);
	sl_io_close(&io, fd);
	EXPECT_EQ(0, perform(self, &io));
	EXPECT_EQ(-1, fcntl(fd, F_GETFD));
	sl_io_close(&io, fd);
	EXPECT_EQ(-EBADF, perform(self, &io));
	sl_io_openat(&io, self->dir, "none", O_RDONLY, 0);
	EXPECT_EQ(-ENOENT, perform(self, &io));
}

TEST_F(ops, files_are_opened_beneath_a_folder_only)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH};
	struct sl_io io;
	int fd;

	close(open_file(self, "f"));
	sl_io_openat2(&io, self->dir, "f", &how);
	fd = perform(self, &io);
	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	close(fd);
	sl_io_openat2(&io, self->dir, "../f", &how);
	EXPECT_EQ(-EXDEV, perform(self, &io));
	sl_io_openat2(&io, self->dir, "none", &how);
	EXPECT_EQ(-ENOENT, perform(self, &io));
}

TEST_F(ops, bytes_are_written_and_read)
{
	int fd = open_file(self, "f");
	char a[4] = "", b[8] = "";
	struct iovec out[2] = {{"abc", 3}, {"defgh", 5}}, in[2] = {{a, 3}, {b, 5}};
	struct sl_io io;

	sl_io_write(&io, fd, "xxxx", 4, 0);
	EXPECT_EQ(4, perform(self, &io));
	sl_io_writev(&io, fd, out, 2, 2);
	EXPECT_EQ(8, perform(self, &io));
	sl_io_readv(&io, fd, in, 2, 2);
	EXPECT_EQ(8, perform(self, &io));
	EXPECT_STREQ("abc", a);
	EXPECT_STREQ("defgh", b);
	sl_io_read(&io, fd, b, 3, 1);
	EXPECT_EQ(3, perform(self, &io));
	EXPECT_MEMEQ("xab", b, 3);
	sl_io_read(&io, fd, b, 3, 100);
	EXPECT_EQ(0, perform(self, &io));
	sl_io_read(&io, fd, b, 3, 0);
	io.flags = RWF_NOWAIT;
	EXPECT_EQ(3, perform(self, &io)); /* was just written */
	sl_io_write(&io, -1, "x", 1, 0);
	EXPECT_EQ(-EBADF, perform(self, &io));
	close(fd);
}

TEST_F(ops, files_are_sized_and_synced)
{
	int fd = open_file(self, "f");
	struct statx stx;
	struct sl_io io;

	sl_io_ftruncate(&io, fd, 10000);
	EXPECT_EQ(0, perform(self, &io));
	sl_io_fallocate(&io, fd, FALLOC_FL_KEEP_SIZE, 10000, 100000);
	EXPECT_EQ(0, perform(self, &io));
	sl_io_statx(&io, self->dir, "f", 0, STATX_BASIC_STATS, &stx);
	EXPECT_EQ(0, perform(self, &io));
	EXPECT_EQ(10000, stx.stx_size);
	sl_io_statx(&io, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx);
	EXPECT_EQ(0, perform(self, &io));
	EXPECT_EQ(10000, stx.stx_size);
	sl_io_fsync(&io, fd, false, SL_FAULT(NONE));
	EXPECT_EQ(0, perform(self, &io));
	sl_io_fsync(&io, fd, true, SL_FAULT(NONE));
	EXPECT_EQ(0, perform(self, &io));
	sl_io_fadvise(&io, fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	EXPECT_EQ(0, perform(self, &io));
	sl_io_fadvise(&io, fd, 0, 0, 99);
	EXPECT_EQ(-EINVAL, perform(self, &io));
	close(fd);
}

TEST_F(ops, file_systems_tell_what_is_free)
{
	struct statfs fs = {0};
	struct sl_io io;

	sl_io_statfs(&io, self->dir, &fs);
	EXPECT_EQ(0, perform(self, &io));
	EXPECT_LT(0, fs.f_bsize);
	EXPECT_LE(fs.f_bavail, fs.f_blocks);
	sl_io_statfs(&io, -1, &fs);
	EXPECT_EQ(-EBADF, perform(self, &io));
}

TEST_F(ops, folders_are_made_listed_and_removed)
{
	_Alignas(8) char block[4096];
	struct sl_io io;
	int d, fd, seen = 0, n;

	sl_io_mkdirat(&io, self->dir, "d", 0700);
	EXPECT_EQ(0, perform(self, &io));
	EXPECT_EQ(-EEXIST, perform(self, &io));
	d = openat(self->dir, "d", O_RDONLY | O_DIRECTORY);
	fd = open_file(self, "f");
	sl_io_renameat(&io, self->dir, "f", d, "g");
	EXPECT_EQ(0, perform(self, &io));
	EXPECT_EQ(-ENOENT, perform(self, &io));
	sl_io_getdents(&io, d, block, sizeof(block));
	n = perform(self, &io);
	EXPECT_LT(0, n);
	for (int at = 0; at < n; at += ((struct dirent64 *)(block + at))->d_reclen)
		seen += !strcmp("g", ((struct dirent64 *)(block + at))->d_name);
	EXPECT_EQ(1, seen);
	EXPECT_EQ(0, perform(self, &io));
	sl_io_unlinkat(&io, self->dir, "d", AT_REMOVEDIR);
	EXPECT_EQ(-ENOTEMPTY, perform(self, &io));
	sl_io_unlinkat(&io, d, "g", 0);
	EXPECT_EQ(0, perform(self, &io));
	sl_io_unlinkat(&io, self->dir, "d", AT_REMOVEDIR);
	EXPECT_EQ(0, perform(self, &io));
	close(d);
	close(fd);
}

/* ---- sockets and pipes ------------------------------------------------------------------ */

TEST_F(ops, sockets_connect_send_and_end)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	struct iovec iov[2] = {{"ab", 2}, {"cd", 2}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	socklen_t len = sizeof(addr);
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), s;
	char buf[16] = "";
	struct sl_io io;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_EQ(0, bind(l, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, listen(l, 1));
	ASSERT_EQ(0, getsockname(l, (struct sockaddr *)&addr, &len));
	sl_io_connect(&io, c, (struct sockaddr *)&addr, sizeof(addr));
	EXPECT_EQ(0, perform(self, &io));
	sl_io_accept(&io, l, SOCK_CLOEXEC, 0);
	s = perform(self, &io);
	ASSERT_LE(0, s);
	EXPECT_EQ(FD_CLOEXEC, fcntl(s, F_GETFD));
	sl_io_sendmsg(&io, c, &msg, 0);
	EXPECT_EQ(4, perform(self, &io));
	sl_io_send(&io, c, "e", 1, 0);
	EXPECT_EQ(1, perform(self, &io));
	sl_io_poll(&io, s, POLLIN, 0);
	EXPECT_EQ(POLLIN, perform(self, &io));
	sl_io_recv(&io, s, buf, 5, MSG_WAITALL);
	EXPECT_EQ(5, perform(self, &io));
	EXPECT_STREQ("abcde", buf);
	sl_io_recv(&io, s, buf, 5, MSG_DONTWAIT);
	EXPECT_EQ(-EAGAIN, perform(self, &io));
	sl_io_shutdown(&io, c, SHUT_WR);
	EXPECT_EQ(0, perform(self, &io));
	sl_io_recv(&io, s, buf, 5, 0);
	EXPECT_EQ(0, perform(self, &io));
	close(l);
	close(c);
	close(s);
}

TEST_F(ops, files_go_to_sockets_and_pipes)
{
	int fd = open_file(self, "f"), fds[2], pipes[2];
	char buf[16] = "";
	int64_t off = 2;
	struct sl_io io;

	ASSERT_EQ(8, write(fd, "01234567", 8));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	ASSERT_EQ(0, pipe(pipes));
	sl_io_sendfile(&io, fds[0], fd, &off, 4);
	EXPECT_EQ(4, perform(self, &io));
	EXPECT_EQ(6, off);
	EXPECT_EQ(4, read(fds[1], buf, sizeof(buf)));
	EXPECT_MEMEQ("2345", buf, 4);
	off = 1;
	sl_io_splice(&io, pipes[1], fd, &off, 3, 0);
	EXPECT_EQ(3, perform(self, &io));
	sl_io_splice(&io, fds[0], pipes[0], NULL, 3, 0);
	EXPECT_EQ(3, perform(self, &io));
	EXPECT_EQ(3, read(fds[1], buf, sizeof(buf)));
	EXPECT_MEMEQ("123", buf, 3);
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		close(pipes[i]);
	}
	close(fd);
}

TEST_F(ops, cached_pages_are_counted)
{
	int fd = open_file(self, "f");
	struct sl_cachestat stat = {0};
	char page[4096] = "page";
	struct sl_io io;

	for (int i = 0; i < 4; i++)
		ASSERT_EQ(4096, write(fd, page, sizeof(page)));
	sl_io_cachestat(&io, fd, 4096, 8192, &stat);
	if (perform(self, &io) == -ENOSYS)
		SKIP(return, "this kernel has no cachestat (Linux 6.5)");
	EXPECT_EQ(0, io.res);
	EXPECT_EQ(2, stat.cached);
	sl_io_cachestat(&io, fd, 4 * 4096, 4096, &stat);
	EXPECT_EQ(0, perform(self, &io));
	EXPECT_EQ(0, stat.cached);
	sl_io_cachestat(&io, 9999, 0, 4096, &stat);
	EXPECT_EQ(-EBADF, perform(self, &io));
	close(fd);
}

/* ---- the table -------------------------------------------------------------------------- */

TEST(every_operation_has_a_name_of_its_own)
{
	for (int i = 0; i < SL_OP_LAST; i++) {
		ASSERT_NOT_NULL(sl_op_name((enum sl_op)i));
		for (int k = 0; k < i; k++)
			EXPECT_STRNE(sl_op_name((enum sl_op)k), sl_op_name((enum sl_op)i));
	}
	EXPECT_STREQ("FSYNC", sl_op_name(SL_OP_FSYNC));
}

TEST(masks_tell_files_from_sockets)
{
	uint64_t files = sl_ops_file_mask(), sockets = sl_ops_socket_mask();

	EXPECT_EQ(0, files & sockets);
	EXPECT_TRUE(files >> SL_OP_RENAMEAT & 1);
	EXPECT_TRUE(sockets >> SL_OP_SENDFILE & 1);
	EXPECT_EQ(0, (files | sockets) >> SL_OP_CLOCK & 1);
}

/* ---- on rings alone --------------------------------------------------------------------- */

TEST(a_timeout_and_a_cancel_are_operations)
{
	struct sl_ring *ring = ring_of(&(struct sl_ring_conf){0});
	struct sl_io io, target;
	int64_t start = sl_clock_ns();

	sl_io_init(&io, SL_OP_TIMEOUT, -1);
	io.ts = (struct __kernel_timespec){0, 5000000};
	EXPECT_EQ(-ETIME, ring_do(ring, &io));
	EXPECT_LE(5 * SL_MSEC, sl_clock_ns() - start);
	sl_io_init(&target, SL_OP_TIMEOUT, -1);
	target.ts = (struct __kernel_timespec){100, 0};
	ring_begin(ring, &target, NULL);
	sl_ring_turn(ring, 0);
	sl_io_cancel(&io, &target);
	ring_do(ring, &io);
	EXPECT_EQ(-ECANCELED, ring_wait(ring, &target));
	sl_ring_free(ring);
}

/* What done() saw of a send without a copy. */
struct zc {
	struct sl_io io;
	int answers, notifs, res;
};

static void zc_done(struct sl_io *io)
{
	struct zc *z = sl_container_of(io, struct zc, io);

	if (io->notif) {
		EXPECT_FALSE(io->more);
		z->notifs++;
	} else {
		z->answers++;
		z->res = io->res;
	}
}

TEST(a_send_without_a_copy_tells_when_it_needs_the_memory_no_more)
{
	struct sl_ring *ring = ring_of(&(struct sl_ring_conf){0});
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), s;
	static char memory[20000], back[20000];
	struct zc z = {0};

	if (!sl_ring_has(ring, SL_FEATURE_SEND_ZC))
		SKIP(return, "this kernel has no SEND_ZC");
	memset(memory, 'm', sizeof(memory));
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_EQ(0, bind(l, (struct sockaddr *)&a, sizeof(a)));
	ASSERT_EQ(0, listen(l, 1));
	ASSERT_EQ(0, getsockname(l, (struct sockaddr *)&a, &len));
	ASSERT_EQ(0, connect(c, (struct sockaddr *)&a, sizeof(a)));
	s = accept(l, NULL, NULL);
	sl_io_send_zc(&z.io, c, memory, sizeof(memory), MSG_NOSIGNAL);
	z.io.done = zc_done;
	ASSERT_EQ(0, sl_ring_start(ring, &z.io));
	while (!z.answers)
		ASSERT_LE(0, sl_ring_turn(ring, sl_clock_ns() + SL_SEC));
	if (z.res == -EINVAL)
		SKIP(goto out, "this kernel does not report what it copied (Linux 6.2)");
	ASSERT_EQ(20000, z.res);
	ASSERT_EQ(20000, recv(s, back, sizeof(back), MSG_WAITALL));
	EXPECT_MEMEQ(memory, back, sizeof(back));
	ring_wait(ring, &z.io);
	EXPECT_EQ(1, z.notifs);
	EXPECT_EQ(SL_ZC_COPIED, (unsigned)z.io.res & SL_ZC_COPIED); /* as loopback does */
out:
	close(l);
	close(c);
	close(s);
	sl_ring_free(ring);
}

TEST_HARNESS_MAIN
