/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on the calling thread's backend as short as system calls, for tests that drive the
 * simulated disk by hand. Each returns what io->res becomes.
 */
#ifndef TESTS_URING_SIM_CALLS_H
#define TESTS_URING_SIM_CALLS_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "harness.h"
#include "uring/sim.h"

static inline int call_open_at(int dir, const char *path, int flags)
{
	struct sl_io io;

	sl_io_openat(&io, dir, path, flags, 0600);
	return sl_io_now(&io);
}

static inline int call_open(const char *path, int flags)
{
	return call_open_at(AT_FDCWD, path, flags);
}

static inline int call_close(int fd)
{
	struct sl_io io;

	sl_io_close(&io, fd);
	return sl_io_now(&io);
}

static inline int call_read(int fd, void *buf, size_t len, uint64_t off)
{
	struct sl_io io;

	sl_io_read(&io, fd, buf, len, off);
	return sl_io_now(&io);
}

static inline int call_write(int fd, const void *data, size_t len, uint64_t off)
{
	struct sl_io io;

	sl_io_write(&io, fd, data, len, off);
	return sl_io_now(&io);
}

static inline int call_fsync_at(int fd, enum sl_fault point)
{
	struct sl_io io;

	sl_io_fsync(&io, fd, false, point);
	return sl_io_now(&io);
}

static inline int call_fsync(int fd)
{
	return call_fsync_at(fd, SL_FAULT_NONE);
}

static inline int call_ftruncate(int fd, uint64_t size)
{
	struct sl_io io;

	sl_io_ftruncate(&io, fd, size);
	return sl_io_now(&io);
}

static inline int call_fallocate(int fd, int mode, uint64_t off, uint32_t len)
{
	struct sl_io io;

	sl_io_fallocate(&io, fd, mode, off, len);
	return sl_io_now(&io);
}

static inline int call_statx(int dir, const char *path, int flags, struct statx *ret_stx)
{
	struct sl_io io;

	sl_io_statx(&io, dir, path, flags, STATX_BASIC_STATS, ret_stx);
	return sl_io_now(&io);
}

static inline int call_statfs(int fd, struct statfs *ret_fs)
{
	struct sl_io io;

	sl_io_statfs(&io, fd, ret_fs);
	return sl_io_now(&io);
}

static inline int call_mkdir_at(int dir, const char *path)
{
	struct sl_io io;

	sl_io_mkdirat(&io, dir, path, 0700);
	return sl_io_now(&io);
}

static inline int call_mkdir(const char *path)
{
	return call_mkdir_at(AT_FDCWD, path);
}

static inline int call_unlink_at(int dir, const char *path, int flags)
{
	struct sl_io io;

	sl_io_unlinkat(&io, dir, path, flags);
	return sl_io_now(&io);
}

static inline int call_unlink(const char *path)
{
	return call_unlink_at(AT_FDCWD, path, 0);
}

static inline int call_rmdir(const char *path)
{
	return call_unlink_at(AT_FDCWD, path, AT_REMOVEDIR);
}

static inline int call_rename_at(int dir, const char *path, int dir2, const char *path2)
{
	struct sl_io io;

	sl_io_renameat(&io, dir, path, dir2, path2);
	return sl_io_now(&io);
}

static inline int call_rename(const char *path, const char *path2)
{
	return call_rename_at(AT_FDCWD, path, AT_FDCWD, path2);
}

static inline int call_getdents(int fd, void *buf, size_t len)
{
	struct sl_io io;

	sl_io_getdents(&io, fd, buf, len);
	return sl_io_now(&io);
}

/* The size of the file at @path, or -errno. */
static inline int64_t call_size(const char *path)
{
	struct statx stx;
	int err = call_statx(AT_FDCWD, path, 0, &stx);

	return err ? err : (int64_t)stx.stx_size;
}

/* Opens, syncs and closes what is at @path, a file or a folder. */
static inline int call_sync_path(const char *path)
{
	int fd = call_open(path, O_RDONLY);
	int err = fd < 0 ? fd : call_fsync(fd);

	if (fd >= 0)
		call_close(fd);
	return err;
}

/* Makes the file at @path hold @text alone; @synced: its content is made durable, not its name. */
static inline int call_put(const char *path, const char *text, bool synced)
{
	int fd = call_open(path, O_WRONLY | O_CREAT | O_TRUNC);
	int res = fd < 0 ? fd : call_write(fd, text, strlen(text), 0);

	if (res >= 0)
		res = synced ? call_fsync(fd) : 0;
	if (fd >= 0)
		call_close(fd);
	return res;
}

/* The content of @path as a string, in @buf of 256 bytes; "-" if it does not exist. */
static inline const char *call_get(const char *path, char *buf)
{
	int fd = call_open(path, O_RDONLY);
	int n = fd < 0 ? fd : call_read(fd, buf, 255, 0);

	if (fd >= 0)
		call_close(fd);
	if (n < 0)
		return n == -ENOENT ? "-" : "?";
	buf[n] = 0;
	return buf;
}

#endif
