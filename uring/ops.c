/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operation table: for each operation its SQE and its system call.
 *
 * Interface: op_table, sl_op_name(), the masks for tests. A new operation is one value of enum
 * sl_op, one row here and a fill-in helper in uring.h.
 *
 * Order of parts: system calls; SQEs; the table.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "uring_pvt.h"

/* ---- system calls ----------------------------------------------------------------------- */

/* A system call's -1 becomes -errno; the only reader of errno in this folder but for set-up. */
static int result(ssize_t r)
{
	return r < 0 ? -errno : (int)r;
}

static int now_openat(struct sl_io *io)
{
	return result(openat(io->fd, io->path, (int)io->flags | O_CLOEXEC, io->len));
}

static int now_openat2(struct sl_io *io)
{
	SL_ASSERT(io->how->flags & O_CLOEXEC);
	return result(syscall(SYS_openat2, io->fd, io->path, io->how, sizeof(*io->how)));
}

static int now_close(struct sl_io *io)
{
	return result(close(io->fd));
}

/*
 * What each request of a hot path does goes past the C library: its calls that may wait are where a
 * thread can be cancelled, which none is, and they make ready for it each time.
 */
static int now_read(struct sl_io *io)
{
	struct iovec iov = {io->buf, io->len};

	if (!io->flags)
		return result(pread(io->fd, io->buf, io->len, (off_t)io->off));
	return result(syscall(SYS_preadv2, io->fd, &iov, 1L, io->off, 0L, (long)io->flags));
}

static int now_readv(struct sl_io *io)
{
	return result(preadv(io->fd, io->iov, (int)io->len, (off_t)io->off));
}

static int now_write(struct sl_io *io)
{
	return result(pwrite(io->fd, io->data, io->len, (off_t)io->off));
}

static int now_writev(struct sl_io *io)
{
	return result(pwritev(io->fd, io->iov, (int)io->len, (off_t)io->off));
}

static int now_fsync(struct sl_io *io)
{
	return result(io->options & SL_IO_DATASYNC ? fdatasync(io->fd) : fsync(io->fd));
}

static int now_fallocate(struct sl_io *io)
{
	return result(fallocate(io->fd, (int)io->flags, (off_t)io->off, io->len));
}

static int now_ftruncate(struct sl_io *io)
{
	return result(ftruncate(io->fd, (off_t)io->off));
}

static int now_fadvise(struct sl_io *io)
{
	return -posix_fadvise(io->fd, (off_t)io->off, io->len, (int)io->flags);
}

/* cachestat(2) of 6.5; the C library and older kernel headers do not know it. */
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

static int now_cachestat(struct sl_io *io)
{
	const uint64_t range[2] = {io->off, io->len};

	return result(syscall(SYS_cachestat, io->fd, range, io->cachestat, 0));
}

static int now_statx(struct sl_io *io)
{
	return result(statx(io->fd, io->path, (int)io->flags, io->len, io->stx));
}

static int now_statfs(struct sl_io *io)
{
	return result(fstatfs(io->fd, io->buf));
}

static int now_getdents(struct sl_io *io)
{
	return result(syscall(SYS_getdents64, io->fd, io->buf, io->len));
}

static int now_mkdirat(struct sl_io *io)
{
	return result(mkdirat(io->fd, io->path, io->len));
}

static int now_unlinkat(struct sl_io *io)
{
	return result(unlinkat(io->fd, io->path, (int)io->flags));
}

static int now_renameat(struct sl_io *io)
{
	return result(renameat(io->fd, io->path, io->fd2, io->path2));
}

static int now_accept(struct sl_io *io)
{
	return result(accept4(io->fd, NULL, NULL, (int)io->flags));
}

static int now_connect(struct sl_io *io)
{
	return result(connect(io->fd, io->addr, io->len));
}

static int now_recv(struct sl_io *io)
{
	return result(syscall(SYS_recvfrom, io->fd, io->buf, (size_t)io->len, (long)io->flags,
			      NULL, NULL));
}

static int now_send(struct sl_io *io)
{
	return result(syscall(SYS_sendto, io->fd, io->data, (size_t)io->len, (long)io->flags,
			      NULL, 0L));
}

static int now_sendmsg(struct sl_io *io)
{
	return result(syscall(SYS_sendmsg, io->fd, io->msg, (long)io->flags));
}

static int now_sendfile(struct sl_io *io)
{
	return result(sendfile(io->fd, io->fd2, io->off2, io->len));
}

static int now_splice(struct sl_io *io)
{
	return result(splice(io->fd2, io->off2, io->fd, NULL, io->len, io->flags));
}

static int now_shutdown(struct sl_io *io)
{
	return result(shutdown(io->fd, (int)io->flags));
}

static int now_poll(struct sl_io *io)
{
	struct pollfd p = {.fd = io->fd, .events = (short)io->flags};
	int r = result(poll(&p, 1, -1));

	return r < 0 ? r : p.revents;
}

static int now_clock(struct sl_io *io)
{
	struct timespec ts;

	clock_gettime((clockid_t)io->flags, &ts);
	io->off = (uint64_t)ts.tv_sec * SL_SEC + (uint64_t)ts.tv_nsec;
	return 0;
}

static int now_random(struct sl_io *io)
{
	return result(getrandom(io->buf, io->len, 0));
}

/* ---- SQEs ------------------------------------------------------------------------------- */

static void prep_openat(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_openat(sqe, io->fd, io->path, (int)io->flags | O_CLOEXEC, io->len);
}

static void prep_openat2(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	SL_ASSERT(io->how->flags & O_CLOEXEC);
	io_uring_prep_openat2(sqe, io->fd, io->path, (struct open_how *)io->how);
}

static void prep_close(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_close(sqe, io->fd);
}

static void prep_read(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_read(sqe, io->fd, io->buf, io->len, io->off);
	sqe->rw_flags = (int)io->flags;
}

static void prep_readv(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_readv(sqe, io->fd, io->iov, io->len, io->off);
}

static void prep_read_fixed(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_read_fixed(sqe, io->fd, io->buf, io->len, io->off, io->buf_group);
}

static void prep_write(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_write(sqe, io->fd, io->data, io->len, io->off);
}

static void prep_writev(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_writev(sqe, io->fd, io->iov, io->len, io->off);
}

static void prep_fsync(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_fsync(sqe, io->fd, io->options & SL_IO_DATASYNC ? IORING_FSYNC_DATASYNC : 0);
}

static void prep_fallocate(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_fallocate(sqe, io->fd, (int)io->flags, io->off, io->len);
}

static void prep_ftruncate(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_ftruncate(sqe, io->fd, (loff_t)io->off);
}

static void prep_fadvise(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_fadvise(sqe, io->fd, io->off, io->len, (int)io->flags);
}

static void prep_statx(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_statx(sqe, io->fd, io->path, (int)io->flags, io->len, io->stx);
}

static void prep_mkdirat(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_mkdirat(sqe, io->fd, io->path, io->len);
}

static void prep_unlinkat(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_unlinkat(sqe, io->fd, io->path, (int)io->flags);
}

static void prep_renameat(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_renameat(sqe, io->fd, io->path, io->fd2, io->path2, 0);
}

static void prep_accept(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	if (io->options & SL_IO_MULTISHOT)
		io_uring_prep_multishot_accept(sqe, io->fd, NULL, NULL, (int)io->flags);
	else
		io_uring_prep_accept(sqe, io->fd, NULL, NULL, (int)io->flags);
}

static void prep_connect(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_connect(sqe, io->fd, io->addr, io->len);
}

static void prep_recv(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	if (io->options & SL_IO_MULTISHOT)
		io_uring_prep_recv_multishot(sqe, io->fd, io->buf, io->len, (int)io->flags);
	else
		io_uring_prep_recv(sqe, io->fd, io->buf, io->len, (int)io->flags);
	if (io->options & SL_IO_BUFFER_SELECT) {
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->buf_group = io->buf_group;
	}
}

static void prep_send(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_send(sqe, io->fd, io->data, io->len, (int)io->flags);
}

static void prep_sendmsg(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_sendmsg(sqe, io->fd, io->msg, io->flags);
}

static void prep_send_zc(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_send_zc(sqe, io->fd, io->data, io->len, (int)io->flags,
			      IORING_SEND_ZC_REPORT_USAGE);
}

static void prep_splice(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_splice(sqe, io->fd2, io->off2 ? *io->off2 : -1, io->fd, -1, io->len,
			     io->flags);
}

static void prep_shutdown(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_shutdown(sqe, io->fd, (int)io->flags);
}

static void prep_poll(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	if (io->options & SL_IO_MULTISHOT)
		io_uring_prep_poll_multishot(sqe, io->fd, io->flags);
	else
		io_uring_prep_poll_add(sqe, io->fd, io->flags);
}

static void prep_timeout(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_timeout(sqe, (struct __kernel_timespec *)&io->ts, 0, 0);
}

static void prep_cancel(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	const struct sl_io *t = io->target;

	io_uring_prep_cancel64(sqe, (uint64_t)(uintptr_t)t | (uint64_t)t->gen << 48, 0);
}

static void prep_msg_ring(struct io_uring_sqe *sqe, const struct sl_io *io)
{
	io_uring_prep_msg_ring(sqe, io->fd, 0, io->off, 0);
}

/* ---- the table -------------------------------------------------------------------------- */

#define ROW(op, lower, ring_opcode, what)                                                          \
	[SL_OP_##op] = {#op, prep_##lower, now_##lower, IORING_OP_##ring_opcode, what}

const struct op_row op_table[SL_OP_LAST] = {
	ROW(OPENAT, openat, OPENAT, OP_FILE),
	ROW(OPENAT2, openat2, OPENAT2, OP_FILE),
	ROW(CLOSE, close, CLOSE, OP_FILE),
	ROW(READ, read, READ, OP_FILE),
	ROW(READV, readv, READV, OP_FILE),
	[SL_OP_READ_FIXED] = {"READ_FIXED", prep_read_fixed, now_read, IORING_OP_READ_FIXED,
			      OP_FILE},
	ROW(WRITE, write, WRITE, OP_FILE),
	ROW(WRITEV, writev, WRITEV, OP_FILE),
	ROW(FSYNC, fsync, FSYNC, OP_FILE),
	ROW(FALLOCATE, fallocate, FALLOCATE, OP_FILE),
	ROW(FTRUNCATE, ftruncate, FTRUNCATE, OP_FILE),
	ROW(FADVISE, fadvise, FADVISE, OP_FILE),
	[SL_OP_CACHESTAT] = {"CACHESTAT", NULL, now_cachestat, IORING_OP_NOP, OP_FILE},
	ROW(STATX, statx, STATX, OP_FILE),
	[SL_OP_STATFS] = {"STATFS", NULL, now_statfs, IORING_OP_NOP, OP_FILE},
	[SL_OP_GETDENTS] = {"GETDENTS", NULL, now_getdents, IORING_OP_NOP, OP_FILE},
	ROW(MKDIRAT, mkdirat, MKDIRAT, OP_FILE),
	ROW(UNLINKAT, unlinkat, UNLINKAT, OP_FILE),
	ROW(RENAMEAT, renameat, RENAMEAT, OP_FILE),
	ROW(ACCEPT, accept, ACCEPT, OP_SOCKET),
	ROW(CONNECT, connect, CONNECT, OP_SOCKET),
	ROW(RECV, recv, RECV, OP_SOCKET),
	ROW(SEND, send, SEND, OP_SOCKET),
	ROW(SENDMSG, sendmsg, SENDMSG, OP_SOCKET),
	[SL_OP_SEND_ZC] = {"SEND_ZC", prep_send_zc, NULL, IORING_OP_SEND_ZC, OP_SOCKET},
	[SL_OP_SENDFILE] = {"SENDFILE", NULL, now_sendfile, IORING_OP_NOP, OP_SOCKET},
	ROW(SPLICE, splice, SPLICE, OP_SOCKET),
	ROW(SHUTDOWN, shutdown, SHUTDOWN, OP_SOCKET),
	ROW(POLL, poll, POLL_ADD, OP_OTHER),
	[SL_OP_TIMEOUT] = {"TIMEOUT", prep_timeout, NULL, IORING_OP_TIMEOUT, OP_OTHER},
	[SL_OP_CANCEL] = {"CANCEL", prep_cancel, NULL, IORING_OP_ASYNC_CANCEL, OP_OTHER},
	[SL_OP_MSG_RING] = {"MSG_RING", prep_msg_ring, NULL, IORING_OP_MSG_RING, OP_OTHER},
	[SL_OP_CLOCK] = {"CLOCK", NULL, now_clock, IORING_OP_NOP, OP_OTHER},
	[SL_OP_RANDOM] = {"RANDOM", NULL, now_random, IORING_OP_NOP, OP_OTHER},
};

static_assert(sizeof(struct sl_cachestat) == 40, "the kernel's struct cachestat");
static_assert(SL_ZC_COPIED == IORING_NOTIF_USAGE_ZC_COPIED, "as the kernel says it");
static_assert(SL_OP_LAST <= 64, "masks of operations are 64 bits wide");

const char *sl_op_name(enum sl_op op)
{
	SL_ASSERT(op < SL_OP_LAST);
	return op_table[op].name;
}

static uint64_t mask_of(int kind)
{
	uint64_t mask = 0;

	for (int i = 0; i < SL_OP_LAST; i++)
		if ((int)op_table[i].kind == kind)
			mask |= UINT64_C(1) << i;
	return mask;
}

uint64_t sl_ops_file_mask(void)
{
	return mask_of(OP_FILE);
}

uint64_t sl_ops_socket_mask(void)
{
	return mask_of(OP_SOCKET);
}
