// SPDX-License-Identifier: Apache-2.0
/* The page cache: reads that miss it are told from those that do not, and from what writes make. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "bpf/bpf.h"
#include "harness.h"

enum { BYTES = 1 << 20, TMPFS = 0x01021994 };

FIXTURE(pagecache)
{
	struct sl_bpf *bpf;
	const struct sl_pagecache *cache;
	int file;
	char buf[BYTES];
};

FIXTURE_SETUP(pagecache)
{
	const struct sl_bpf_conf conf = {.wanted = 1u << SL_BPF_PAGECACHE};
	const struct sl_bpf_status *status;
	struct statfs fs;
	char path[300];

	snprintf(path, sizeof(path), "%s/file", harness_tmpdir());
	self->file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, self->file);
	ASSERT_EQ(0, fstatfs(self->file, &fs));
	if (fs.f_type == TMPFS)
		SKIP(return, "%s is memory, and drops nothing; set TMPDIR", path);
	ASSERT_EQ(0, sl_bpf_load(&conf, &self->bpf));
	status = sl_bpf_status(self->bpf, SL_BPF_PAGECACHE);
	if (status->state != SL_BPF_LOADED)
		SKIP(return, "%s", status->why);
	self->cache = sl_bpf_pagecache(self->bpf);
	ASSERT_NOT_NULL(self->cache);
}

FIXTURE_TEARDOWN(pagecache)
{
	sl_bpf_free(self->bpf);
	close(self->file);
}

static void write_all(FIXTURE_DATA(pagecache) * self)
{
	memset(self->buf, 'x', BYTES);
	ASSERT_EQ(BYTES, pwrite(self->file, self->buf, BYTES, 0));
	ASSERT_EQ(0, fsync(self->file));
}

static void read_all(FIXTURE_DATA(pagecache) * self)
{
	ASSERT_EQ(BYTES, pread(self->file, self->buf, BYTES, 0));
}

TEST_F(pagecache, what_is_appended_is_no_miss)
{
	write_all(self);
	EXPECT_LT(0, self->cache->grown);
	EXPECT_EQ(0, self->cache->missed);
	read_all(self);
	EXPECT_EQ(0, self->cache->missed);
	EXPECT_EQ(0, self->cache->dropped);
}

TEST_F(pagecache, what_was_dropped_is_missed_once)
{
	uint64_t missed;

	write_all(self);
	ASSERT_EQ(0, posix_fadvise(self->file, 0, 0, POSIX_FADV_DONTNEED));
	EXPECT_LT(0, self->cache->dropped);
	read_all(self);
	missed = self->cache->missed;
	EXPECT_LT(0, missed);
	read_all(self);
	EXPECT_EQ(missed, self->cache->missed);
}

TEST_HARNESS_MAIN
