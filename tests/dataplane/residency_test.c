/* SPDX-License-Identifier: Apache-2.0 */
/* Residency: what is in the page cache is seen so, by either way of asking, and bounded. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "dataplane/conn_pvt.h"
#include "harness.h"

enum { FILE_BYTES = 4 << 20 };

FIXTURE(residency)
{
	struct sl_faults no_cachestat;
	struct sl_core core;
	struct sl_listener l;
	struct sl_conn *c;
	struct sl_file file;
};
FIXTURE_VARIANT(residency)
{
	int err; /* of cachestat */
};
FIXTURE_VARIANT_ADD(residency, cachestat){.err = 0};
FIXTURE_VARIANT_ADD(residency, mincore){.err = ENOSYS};
FIXTURE_VARIANT_ADD(residency, refused){.err = EPERM};

static void gone(struct sl_file *file)
{
	close(file->fd);
}

FIXTURE_SETUP(residency)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/file", harness_tmpdir());
	fd = open(path, O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, fd);
	for (int i = 0; i < FILE_BYTES; i += 8)
		ASSERT_EQ(8, write(fd, "resident", 8));
	ASSERT_EQ(0, fsync(fd));
	ASSERT_EQ(0, sl_file_init(&self->file, fd, gone));
	self->c = calloc(1, sizeof(*self->c));
	self->c->l = &self->l;
	self->l.core = &self->core;
	sl_faults_init(&self->no_cachestat, NULL);
	self->no_cachestat.ops = UINT64_C(1) << SL_OP_CACHESTAT;
	self->no_cachestat.nth = variant->err ? 1 : 0;
	self->no_cachestat.err = variant->err;
	self->no_cachestat.sticky = true;
	sl_backend_use(&self->no_cachestat.backend);
}

FIXTURE_TEARDOWN(residency)
{
	sl_backend_use(NULL);
	free(self->c);
	sl_file_release(&self->file);
}

/* What is found of the file's bytes from @off on, by a fresh look; 0: not resident. */
static size_t found(FIXTURE_DATA(residency) * self, uint64_t off, uint64_t len)
{
	struct sl_extent e = {&self->file, off, len};
	size_t bytes = SIZE_MAX;

	self->c->cursor = (struct cursor){0};
	return residency_probe(self->c, &e, &bytes) ? bytes : 0;
}

static bool drop(FIXTURE_DATA(residency) * self, off_t off, off_t len)
{
	EXPECT_EQ(0, posix_fadvise(self->file.fd, off, len, POSIX_FADV_DONTNEED));
	return !found(self, (uint64_t)off, (uint64_t)len);
}

TEST_F(residency, what_was_written_is_resident)
{
	EXPECT_EQ(1000, found(self, 0, 1000));
	EXPECT_EQ(70000, found(self, 4095, 70000));
	EXPECT_EQ(512 << 10, found(self, 8192, 2 << 20));
	EXPECT_EQ(2 << 20, found(self, 8192, FILE_BYTES - 8192));
	EXPECT_EQ(4096, found(self, FILE_BYTES - 4096, 4096));
}

TEST_F(residency, one_page_that_is_missing_makes_its_window_cold)
{
	if (!drop(self, 1 << 20, 1 << 20))
		SKIP(return, "the file system of %s keeps its files in memory", harness_tmpdir());
	EXPECT_EQ(1 << 20, found(self, 0, 1 << 20) + found(self, 512 << 10, 512 << 10));
	EXPECT_EQ(0, found(self, (1 << 20) - 4096, 8192));
	EXPECT_EQ(0, found(self, (2 << 20) - 1, 2));
	EXPECT_EQ(100000, found(self, 2 << 20, 100000));
	/* Of a long extent the part is found that a shorter look covers. */
	EXPECT_EQ(512 << 10, found(self, 0, FILE_BYTES));
	EXPECT_EQ(0, found(self, 600 << 10, 3 << 20));
}

TEST_F(residency, a_look_is_believed_for_a_while)
{
	struct sl_extent e = {&self->file, 0, 1 << 20};
	size_t bytes = SIZE_MAX;

	self->core.now = SL_SEC;
	self->c->cursor = (struct cursor){0};
	EXPECT_TRUE(residency_probe(self->c, &e, &bytes));
	EXPECT_EQ(512 << 10, bytes);
	self->c->cursor.off = 500 << 10;
	EXPECT_TRUE(residency_probe(self->c, &e, &bytes));
	EXPECT_EQ(12 << 10, bytes);
	EXPECT_EQ(SL_SEC, self->c->cursor.probed_at);
	self->core.now += SL_SEC;
	bytes = SIZE_MAX;
	EXPECT_TRUE(residency_probe(self->c, &e, &bytes));
	EXPECT_EQ(512 << 10, bytes);
	EXPECT_EQ(2 * SL_SEC, self->c->cursor.probed_at);
}

/* Looks that went to the kernel. */
static uint64_t looks(const FIXTURE_DATA(residency) * self)
{
	return self->no_cachestat.count;
}

/* On the file's home core what one connection found is good for the others. */
TEST_F(residency, what_was_found_of_a_file_is_not_looked_for_again)
{
	uint64_t before;

	self->core.now = SL_SEC;
	self->file.home = &self->core;
	EXPECT_EQ(512 << 10, found(self, 0, 1 << 20));
	EXPECT_EQ(512 << 10, found(self, 512 << 10, 512 << 10));
	before = looks(self);
	EXPECT_EQ(512 << 10, found(self, 0, 1 << 20));
	EXPECT_EQ(1000, found(self, (1 << 20) - 2000, 1000));
	EXPECT_EQ(2000, found(self, (1 << 20) - 2000, 4000));
	EXPECT_EQ(before, looks(self));
	EXPECT_EQ(4096, found(self, 1 << 20, 4096));
	EXPECT_EQ(before + 1, looks(self));
	self->core.now += SL_SEC;
	EXPECT_EQ(1000, found(self, 0, 1000));
	EXPECT_EQ(before + 2, looks(self));
	self->file.home = NULL;
	EXPECT_EQ(1000, found(self, 0, 1000));
	EXPECT_EQ(before + 3, looks(self));
}

TEST_HARNESS_MAIN
