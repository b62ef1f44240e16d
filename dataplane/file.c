/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Straight-line file operations over sl_await().
 *
 * Interface: file.h. Invariant: a success means the whole length. Reads of resident bytes and
 * buffered writes run on the core (ext4 sends ring writes to io-wq, which costs more than the
 * copy); whatever may wait for the disk goes through the ring.
 *
 * Order of parts: transfers; one-call operations; whole files; folders.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>

#include "file.h"

/* ---- transfers -------------------------------------------------------------------------- */

/* One read: on the core if the bytes are resident, else through the ring. */
static int read_once(int fd, void *buf, size_t len, uint64_t off, int64_t deadline)
{
	struct sl_io io;
	int n;

	len = sl_min(len, (size_t)SL_GIB);
	if (sl_fiber_self()) {
		sl_io_read(&io, fd, buf, len, off);
		io.flags = RWF_NOWAIT;
		n = sl_io_now(&io);
		if (n >= 0 && (size_t)n == len)
			return n;
		if (n < 0 && n != -EAGAIN && n != -EOPNOTSUPP)
			return n;
	}
	/* A short count of a read that would not wait says nothing about the file's end. */
	sl_io_read(&io, fd, buf, len, off);
	return sl_await(&io, deadline);
}

ssize_t sl_read_some(int fd, void *buf, size_t len, uint64_t off, int64_t deadline)
{
	size_t done = 0;

	while (done < len) {
		int n = read_once(fd, (uint8_t *)buf + done, len - done, off + done, deadline);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int sl_read_all(int fd, void *buf, size_t len, uint64_t off, int64_t deadline)
{
	ssize_t n = sl_read_some(fd, buf, len, off, deadline);

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -ENODATA;
}

int sl_writev_all(int fd, struct iovec *iov, int n, uint64_t off, int64_t deadline)
{
	(void)deadline;
	while (n) {
		struct sl_io io;
		int done;

		if (!iov->iov_len) {
			iov++;
			n--;
			continue;
		}
		sl_io_writev(&io, fd, iov, (size_t)n, off);
		done = sl_io_now(&io);
		if (done < 0)
			return done;
		if (!done)
			return -EIO;
		off += (uint64_t)done;
		while (n && (size_t)done >= iov->iov_len) {
			done -= (int)iov->iov_len;
			iov++;
			n--;
		}
		if (n) {
			iov->iov_base = (uint8_t *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return 0;
}

int sl_write_all(int fd, const void *data, size_t len, uint64_t off, int64_t deadline)
{
	struct iovec iov = {(void *)data, len};

	return sl_writev_all(fd, &iov, 1, off, deadline);
}

/* ---- one-call operations ---------------------------------------------------------------- */

int sl_open(int dir, const char *path, int flags, int mode, int64_t deadline)
{
	struct sl_io io;

	sl_io_openat(&io, dir, path, flags, mode);
	return sl_await(&io, deadline);
}

/* How often a folder may be moved while a path below it is walked. */
enum { OPEN_TRIES = 16 };

int sl_open_beneath(int dir, const char *path, int64_t deadline)
{
	static const struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	struct sl_io io;
	int fd = -EAGAIN;

	/* The kernel says -EAGAIN where it cannot tell whether ".." stayed below. */
	for (int i = 0; i < OPEN_TRIES && fd == -EAGAIN; i++) {
		sl_io_openat2(&io, dir, path, &how);
		fd = sl_await(&io, deadline);
	}
	return fd;
}

void sl_close(int fd)
{
	struct sl_io io;

	if (fd < 0)
		return;
	sl_io_close(&io, fd);
	sl_io_now(&io);
}

void sl_close_large(int fd, uint64_t bytes, int64_t deadline)
{
	const uint64_t step = 64 * SL_MIB;
	struct sl_io io;

	for (uint64_t at = 0; at < bytes; at += step)
		if (sl_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, step,
				 deadline))
			break; /* the file system frees it at the close */
	sl_io_close(&io, fd);
	sl_await(&io, SL_NEVER);
}

int sl_fsync(int fd, bool data_only, enum sl_fault fault, int64_t deadline)
{
	struct sl_io io;

	sl_io_fsync(&io, fd, data_only, fault);
	return sl_await(&io, deadline);
}

int sl_fallocate(int fd, int mode, uint64_t off, uint64_t len, int64_t deadline)
{
	while (len) {
		uint32_t step = (uint32_t)sl_min(len, SL_GIB);
		struct sl_io io;
		int err;

		sl_io_fallocate(&io, fd, mode, off, step);
		err = sl_await(&io, deadline);
		if (err)
			return err;
		off += step;
		len -= step;
	}
	return 0;
}

int sl_free_bytes(int fd, uint64_t *ret_bytes)
{
	struct statfs fs;
	struct sl_io io;
	int err;

	sl_io_statfs(&io, fd, &fs);
	err = sl_io_now(&io);
	if (!err)
		*ret_bytes = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	return err;
}

int sl_ftruncate(int fd, uint64_t size, int64_t deadline)
{
	struct sl_io io;

	sl_io_ftruncate(&io, fd, size);
	return sl_await(&io, deadline);
}

int sl_mkdir(int dir, const char *path, int mode, int64_t deadline)
{
	struct sl_io io;

	sl_io_mkdirat(&io, dir, path, mode);
	return sl_await(&io, deadline);
}

int sl_unlink(int dir, const char *path, int flags, int64_t deadline)
{
	struct sl_io io;

	sl_io_unlinkat(&io, dir, path, flags);
	return sl_await(&io, deadline);
}

int sl_rename(int dir, const char *from, int dir2, const char *to, int64_t deadline)
{
	struct sl_io io;

	sl_io_renameat(&io, dir, from, dir2, to);
	return sl_await(&io, deadline);
}

int sl_stat(int dir, const char *path, struct statx *ret_stx, int64_t deadline)
{
	struct sl_io io;

	sl_io_statx(&io, dir, path, *path ? 0 : AT_EMPTY_PATH, STATX_BASIC_STATS, ret_stx);
	return sl_await(&io, deadline);
}

int sl_open_now(int dir, const char *path, int flags, int mode)
{
	struct sl_io io;

	sl_io_openat(&io, dir, path, flags, mode);
	return sl_io_now(&io);
}

ssize_t sl_read_now(int fd, void *buf, size_t len, uint64_t off)
{
	struct sl_io io;

	sl_io_read(&io, fd, buf, len, off);
	return sl_io_now(&io);
}

int sl_stat_now(int dir, const char *path, struct statx *ret_stx)
{
	struct sl_io io;

	sl_io_statx(&io, dir, path, *path ? 0 : AT_EMPTY_PATH, STATX_BASIC_STATS, ret_stx);
	return sl_io_now(&io);
}

/* ---- whole files ------------------------------------------------------------------------ */

static int write_new(int dir, const char *path, const void *data, size_t len, enum sl_fault sync,
		     int64_t deadline)
{
	int fd = sl_open(dir, path, O_WRONLY | O_CREAT | O_TRUNC, 0600, deadline);
	int err;

	if (fd < 0)
		return fd;
	err = sl_write_all(fd, data, len, 0, deadline);
	if (!err)
		err = sl_fsync(fd, false, sync, deadline);
	sl_close(fd);
	return err;
}

int sl_write_file(int dir, const char *path, const void *data, size_t len, enum sl_fault sync,
		  enum sl_fault sync_folder, int64_t deadline)
{
	char tmp[NAME_MAX + 1];
	int err;

	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= sizeof(tmp))
		return -ENAMETOOLONG;
	err = write_new(dir, tmp, data, len, sync, deadline);
	if (!err)
		err = sl_rename(dir, tmp, dir, path, deadline);
	if (err) {
		sl_unlink(dir, tmp, 0, deadline);
		return err;
	}
	return sl_fsync(dir, false, sync_folder, deadline);
}

ssize_t sl_read_file(int dir, const char *path, void *buf, size_t max, int64_t deadline)
{
	int fd = sl_open(dir, path, O_RDONLY, 0, deadline);
	ssize_t n;
	uint8_t more;

	if (fd < 0)
		return fd;
	n = sl_read_some(fd, buf, max, 0, deadline);
	if (n == (ssize_t)max && sl_read_some(fd, &more, 1, max, deadline) == 1)
		n = -E2BIG;
	sl_close(fd);
	return n;
}

/* ---- folders ---------------------------------------------------------------------------- */

/* As the kernel fills it; glibc's struct dirent64 is the same. */
struct entry {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};

static int list_block(const uint8_t *p, size_t n,
		      int (*each)(void *arg, const char *name, int type), void *arg)
{
	while (n) {
		const struct entry *e = (const struct entry *)p;
		int res = 0;

		SL_ASSERT(e->len && e->len <= n);
		if (strcmp(e->name, ".") && strcmp(e->name, ".."))
			res = each(arg, e->name, e->type);
		if (res)
			return res;
		p += e->len;
		n -= e->len;
	}
	return 0;
}

int sl_list_folder(int dir, int (*each)(void *arg, const char *name, int type), void *arg)
{
	_Alignas(8) uint8_t block[8192];
	int fd = sl_open_now(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	int res;

	if (fd < 0)
		return fd;
	for (;;) {
		struct sl_io io;

		sl_io_getdents(&io, fd, block, sizeof(block));
		res = sl_io_now(&io);
		if (res <= 0)
			break;
		res = list_block(block, (size_t)res, each, arg);
		if (res)
			break;
	}
	sl_close(fd);
	return res;
}

struct removal {
	int dir;
	int64_t deadline;
};

static int remove_entry(void *arg, const char *name, int type)
{
	struct removal *r = arg;

	if (type == DT_DIR)
		return sl_remove_tree(r->dir, name, r->deadline);
	return sl_unlink(r->dir, name, 0, r->deadline);
}

int sl_remove_tree(int dir, const char *path, int64_t deadline)
{
	struct removal r = {.deadline = deadline};
	int err;

	r.dir = sl_open(dir, path, O_RDONLY | O_DIRECTORY, 0, deadline);
	if (r.dir < 0)
		return r.dir;
	err = sl_list_folder(r.dir, remove_entry, &r);
	sl_close(r.dir);
	return err ? err : sl_unlink(dir, path, AT_REMOVEDIR, deadline);
}
