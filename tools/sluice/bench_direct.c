// SPDX-License-Identifier: Apache-2.0
/*
 * The disk's limits, by the data plane's own direct reads and by plain pread.
 *
 * Interface: bench_direct(). One core reads a file without a name: blocks at random by as many
 * fibers as operations are to be in flight, then the whole in order by one reader; a plain thread
 * reads the same in order through a page cache that was emptied of it.
 * Order of parts: the file; random reads; sequential reads; all of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"
#include "net.h"

#define FILE_BYTES SL_GIB
#define STEP_BYTES (256 * SL_KIB)
#define BLOCK_BYTES (4 * SL_KIB)
#define RANDOM_NS (2 * SL_SEC)

struct bench {
	struct bench_disk *disk;
	struct sl_direct *file;
	char path[64];
	int64_t until;
	uint64_t reads;
	int left, err;
};

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---- the file --------------------------------------------------------------------------- */

/* Writes the file through to the disk, and leaves nothing of it in the page cache. */
static int fill(int fd)
{
	uint8_t *step = malloc(STEP_BYTES);
	int err = step ? 0 : -ENOMEM;

	for (uint64_t at = 0; at < FILE_BYTES && !err; at += STEP_BYTES) {
		sl_random(step, STEP_BYTES);
		if (pwrite(fd, step, STEP_BYTES, (off_t)at) != (ssize_t)STEP_BYTES)
			err = errno ? -errno : -EIO;
	}
	free(step);
	if (!err && fdatasync(fd))
		err = -errno;
	return err ? err : -posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

/* ---- random reads ----------------------------------------------------------------------- */

static void read_blocks(void *arg)
{
	struct bench *b = arg;
	uint64_t state = 0;

	sl_random(&state, sizeof(state));
	while (!b->err && sl_now() < b->until) {
		uint64_t block = sl_mix64(state++) % (FILE_BYTES / BLOCK_BYTES);
		struct sl_slice s[2];
		int n = sl_direct_read(b->file, block * BLOCK_BYTES, BLOCK_BYTES, s, 2, SL_NEVER);

		if (n < 0)
			b->err = n;
		while (n > 0)
			sl_slice_release(&s[--n]);
		b->reads++;
	}
	b->left--;
}

static void at_random(struct bench *b)
{
	int64_t began = sl_now();
	double cpu = cpu_s();

	b->until = began + RANDOM_NS;
	for (int i = 0; i < BENCH_DISK_DEPTH && !b->err; i++) {
		b->err = sl_fiber_start(SL_STACK_SMALL, read_blocks, b);
		b->left += !b->err;
	}
	while (b->left)
		sl_sleep(sl_now() + SL_MSEC);
	b->disk->random_iops = (double)b->reads / ((double)(sl_now() - began) / 1e9);
	b->disk->random_cpu_us = b->reads ? (cpu_s() - cpu) * 1e6 / (double)b->reads : 0;
}

/* ---- sequential reads ------------------------------------------------------------------- */

static void in_order(struct bench *b)
{
	struct sl_direct_reader *r = NULL;
	int64_t began = sl_now();
	double cpu = cpu_s();
	struct sl_slice s;
	int res;

	b->err = sl_direct_reader_new(b->file, &(struct sl_direct_reader_conf){0}, &r);
	if (b->err)
		return;
	while ((res = sl_direct_reader_next(r, &s, SL_NEVER)) == 1)
		sl_slice_release(&s);
	sl_direct_reader_free(r);
	b->err = res;
	b->disk->direct_gb_per_s = FILE_BYTES / 1e9 / ((double)(sl_now() - began) / 1e9);
	b->disk->direct_s_per_gb = (cpu_s() - cpu) / (FILE_BYTES / 1e9);
}

static int by_pread(int fd, struct bench_disk *disk)
{
	uint8_t *step = malloc(STEP_BYTES);
	int64_t began = now_ns();
	double cpu = cpu_s();
	int err = step ? -posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) : -ENOMEM;

	for (uint64_t at = 0; at < FILE_BYTES && !err; at += STEP_BYTES)
		if (pread(fd, step, STEP_BYTES, (off_t)at) != (ssize_t)STEP_BYTES)
			err = errno ? -errno : -EIO;
	free(step);
	disk->pread_gb_per_s = FILE_BYTES / 1e9 / ((double)(now_ns() - began) / 1e9);
	disk->pread_s_per_gb = (cpu_s() - cpu) / (FILE_BYTES / 1e9);
	return err;
}

/* ---- all of it -------------------------------------------------------------------------- */

static int on_core(void *arg)
{
	struct bench *b = arg;

	b->err = sl_direct_open(AT_FDCWD, b->path, &b->file, SL_NEVER);
	if (b->err)
		return b->err;
	b->disk->buffered = sl_direct_align(b->file) == 1;
	at_random(b);
	if (!b->err)
		in_order(b);
	sl_direct_close(b->file);
	return b->err;
}

int bench_direct(const char *dir, struct bench_disk *ret_disk)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct bench b = {.disk = ret_disk};
	int err;

	if (fd < 0)
		return -errno;
	err = fill(fd);
	/* A file without a name is opened again by its descriptor. */
	snprintf(b.path, sizeof(b.path), "/proc/self/fd/%d", fd);
	if (!err)
		err = sl_core_run(&(struct sl_cores_conf){.arena_bytes_max = 64 * SL_MIB}, on_core,
				  &b);
	if (!err)
		err = by_pread(fd, ret_disk);
	close(fd);
	return err;
}
