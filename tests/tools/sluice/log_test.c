// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/log.c: what lies in DATADIR, whole and damaged, and only when nobody uses it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faults/daemon.h"
#include "harness.h"
#include "run.h"

FIXTURE(log)
{
	struct daemon_kit d;
};

FIXTURE_SETUP(log)
{
	static char lines[60001];

	for (int i = 0; i < 6000; i++)
		snprintf(lines + 10 * i, 11, "line%05d\n", i);
	daemon_init(&self->d, NULL);
	daemon_must_start(&self->d);
	ASSERT_EQ(0, RUN(self->d.kafka_port, lines, "produce", "t", "--batch-bytes", "8K")->status);
	ASSERT_EQ(0, daemon_stop(&self->d));
}

FIXTURE_TEARDOWN(log)
{
}

static char segment[1024];

static int segment_note(const char *path, const struct stat *st, int type, struct FTW *at)
{
	size_t len = strlen(path);

	if (type == FTW_F && strstr(path, "/topics/") && !strcmp(path + len - 4, ".log"))
		snprintf(segment, sizeof(segment), "%s", path);
	return 0;
}

static const char *segment_find(const char *datadir)
{
	segment[0] = 0;
	ASSERT_EQ(0, nftw(datadir, segment_note, 16, FTW_PHYS));
	ASSERT_NE(0, segment[0]);
	return segment;
}

TEST_F(log, whole_folder_verifies)
{
	const struct run_result *r = RUN(0, NULL, "log", "verify", self->d.datadir);

	EXPECT_EQ(0, r->status);
	EXPECT_NOT_NULL(strstr(r->out, ": 0 bad, 0 unfinished"));
}

TEST_F(log, folder_in_use_is_refused)
{
	const struct run_result *r;

	daemon_must_start(&self->d);
	r = RUN(0, NULL, "log", "verify", self->d.datadir);
	EXPECT_EQ(1, r->status);
	EXPECT_NOT_NULL(strstr(r->err, self->d.datadir));
	EXPECT_EQ(0, daemon_stop(&self->d));
}

TEST_F(log, dump_shows_batches_and_records)
{
	const char *path = segment_find(self->d.datadir);
	const struct run_result *r = RUN(0, NULL, "log", "dump", path);

	EXPECT_EQ(0, r->status);
	EXPECT_NOT_NULL(strstr(r->out, " offset 0.."));
	EXPECT_NOT_NULL(strstr(r->out, " codec none producer "));
	EXPECT_NULL(strstr(r->out, "line00000"));
	r = RUN(0, NULL, "log", "dump", self->d.datadir, "--records", "--format", "%o:%v\\n");
	EXPECT_EQ(0, r->status);
	EXPECT_NOT_NULL(strstr(r->out, " 0:line00000\n"));
	EXPECT_NOT_NULL(strstr(r->out, " 5999:line05999\n"));
}

TEST_F(log, a_flipped_bit_is_found_and_the_rest_still_read)
{
	const char *path = segment_find(self->d.datadir);
	const struct run_result *r;
	int fd = open(path, O_RDWR);
	uint8_t byte;

	ASSERT_LE(0, fd);
	ASSERT_EQ(1, pread(fd, &byte, 1, 4096 + 20000));
	byte ^= 0x10;
	ASSERT_EQ(1, pwrite(fd, &byte, 1, 4096 + 20000));
	close(fd);
	r = RUN(0, NULL, "log", "verify", self->d.datadir);
	EXPECT_EQ(1, r->status);
	EXPECT_NOT_NULL(strstr(r->out, path));
	EXPECT_NOT_NULL(strstr(r->out, ": 1 bad, "));
	r = RUN(0, NULL, "log", "dump", path, "--records");
	EXPECT_EQ(1, r->status);
	EXPECT_NOT_NULL(strstr(r->out, "no good batch from offset"));
	EXPECT_NOT_NULL(strstr(r->out, "line05999"));
}

TEST_F(log, a_destroyed_header_is_told)
{
	const char *path = segment_find(self->d.datadir);
	static const char zeros[4096]; /* both copies */
	int fd = open(path, O_RDWR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(sizeof(zeros), pwrite(fd, zeros, sizeof(zeros), 0));
	close(fd);
	EXPECT_EQ(1, RUN(0, NULL, "log", "verify", path)->status);
	EXPECT_EQ(1, RUN(0, NULL, "log", "dump", path)->status);
}

TEST(what_is_not_there_is_told)
{
	const struct run_result *r = RUN(0, NULL, "log", "verify", "/nonexistent");

	EXPECT_EQ(1, r->status);
	EXPECT_NOT_NULL(strstr(r->err, "/nonexistent"));
	EXPECT_EQ(1, RUN(0, NULL, "log", "dump", "/nonexistent")->status);
}

TEST_HARNESS_MAIN
