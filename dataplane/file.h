/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Straight-line file operations: each parks the calling fiber, or blocks a thread that has none,
 * until it is done. Short transfers are continued, so that a success means the whole length.
 *
 * Metadata operations on a core go through io-wq, which costs some ten microseconds: right while
 * serving, too slow for opening a thousand logs at start, where the _now forms block the core.
 */
#ifndef DATAPLANE_FILE_H
#define DATAPLANE_FILE_H

#include <sys/stat.h>

#include "fiber.h"

/* Return: the descriptor (O_CLOEXEC is added), or -errno. */
int sl_open(int dir, const char *path, int flags, int mode, int64_t deadline);

/**
 * sl_open_beneath() - open for reading what @path leads to below @dir's folder.
 * Links are followed as long as they stay below it. Does not wait for a writer of a FIFO.
 * Return: the descriptor; -EXDEV if the way leads out of the folder; -ELOOP; -errno.
 */
int sl_open_beneath(int dir, const char *path, int64_t deadline);

/* Never waits for the disk; closing what is not synced loses nothing but the proof. */
void sl_close(int fd);

/* Freed in one go, a gigabyte keeps a core busy for 190 ms; so much is done at once. */
#define SL_FREE_AT_ONCE_BYTES (8 * SL_MIB)

/* Closes @fd, of a file that has no name any more, freeing its @bytes bytes in steps before. */
void sl_close_large(int fd, uint64_t bytes, int64_t deadline);

/**
 * sl_read_all() - read exactly @len bytes at @off.
 * Resident bytes are read on the core; others through the ring.
 * Return: 0; -ENODATA if the file ends before; -errno.
 */
int sl_read_all(int fd, void *buf, size_t len, uint64_t off, int64_t deadline);

/* Reads at most @len bytes at @off. Return: bytes read, less than @len only at the end; -errno. */
ssize_t sl_read_some(int fd, void *buf, size_t len, uint64_t off, int64_t deadline);

/*
 * Whether all of [@off, @off + @len) lies in the page cache; never parks. Pages may go at any time.
 * Return: 1; 0; -errno: it cannot be told.
 */
int sl_resident(int fd, uint64_t off, uint64_t len);

/* Writes all of @iov (which is used up) at @off. Return: 0 or -errno; then some may be written. */
int sl_writev_all(int fd, struct iovec *iov, int n, uint64_t off, int64_t deadline);
int sl_write_all(int fd, const void *data, size_t len, uint64_t off, int64_t deadline);

/* @fault names the place for tests. A failure is final: see "failed state" in docs/design.md. */
int sl_fsync(int fd, bool data_only, enum sl_fault fault, int64_t deadline);

int sl_fallocate(int fd, int mode, uint64_t off, uint64_t len, int64_t deadline);

/* What this process may still take of the file system that @fd lies on; never parks. */
int sl_free_bytes(int fd, uint64_t *ret_bytes);

int sl_ftruncate(int fd, uint64_t size, int64_t deadline);
int sl_mkdir(int dir, const char *path, int mode, int64_t deadline);

/* @flags: AT_REMOVEDIR for a folder. */
int sl_unlink(int dir, const char *path, int flags, int64_t deadline);
int sl_rename(int dir, const char *from, int dir2, const char *to, int64_t deadline);

/* Return: 0 or -errno; @path may be "" for @dir itself. */
int sl_stat(int dir, const char *path, struct statx *ret_stx, int64_t deadline);

/**
 * sl_write_file() - create or replace @path in @dir so that a crash leaves the old or the new:
 * write to a temporary name, sync, rename, sync the folder.
 */
int sl_write_file(int dir, const char *path, const void *data, size_t len, enum sl_fault sync,
		  enum sl_fault sync_folder, int64_t deadline);

/* Reads all of a small file. Return: its length; -E2BIG if it exceeds @max; -errno. */
ssize_t sl_read_file(int dir, const char *path, void *buf, size_t max, int64_t deadline);

/**
 * sl_list_folder() - call @each(@arg, name, d_type) for every entry but . and .. of @dir's folder,
 * in no order; a value other than 0 ends the listing and is returned.
 * On the core itself: folders are small and their listing has no ring operation.
 */
int sl_list_folder(int dir, int (*each)(void *arg, const char *name, int type), void *arg);

/* Removes @path, a folder, and all that is in it. */
int sl_remove_tree(int dir, const char *path, int64_t deadline);

/* Blocking forms for start-up, by the thread's backend. */
int sl_open_now(int dir, const char *path, int flags, int mode);
ssize_t sl_read_now(int fd, void *buf, size_t len, uint64_t off);
int sl_stat_now(int dir, const char *path, struct statx *ret_stx);

#endif
