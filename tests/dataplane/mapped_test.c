/* SPDX-License-Identifier: Apache-2.0 */
/* Mapped files: what cannot be read is an error, and only what is in the page cache is at hand. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/conn_pvt.h"
#include "dataplane/file.h"
#include "dataplane/mapped.h"
#include "harness.h"
#include "peer.h"

enum { FILE_BYTES = 1 << 20 };

FIXTURE(mapped)
{
	struct sl_registry *registry;
	struct sl_core core;
	struct sl_listener l;
	struct sl_conn *c;
	struct sl_file file;
};

static uint8_t *map_of_file;

static void gone(struct sl_file *file)
{
	close(file->fd);
}

static int map(struct sl_file *file, uint64_t off, uint64_t len, const uint8_t **ret_data)
{
	(void)file;
	if (off + len > FILE_BYTES)
		return -ERANGE;
	*ret_data = map_of_file + off;
	return 0;
}

static uint64_t fell_back(struct sl_core *core, enum sl_fallback reason)
{
	return *sl_metric_cell(core->metrics, SL_M_DELIVER_FALLBACKS, 0, reason);
}

FIXTURE_SETUP(mapped)
{
	static const char *const listeners[] = {"peer"}, *reasons[SL_FALLBACK_LAST];
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/file", harness_tmpdir());
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	for (int i = 0; i < FILE_BYTES; i += 8)
		ASSERT_EQ(8, write(fd, "mapped..", 8));
	ASSERT_EQ(0, fsync(fd));
	map_of_file = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)map_of_file);
	ASSERT_EQ(0, sl_file_init(&self->file, fd, gone));
	self->file.map = map;
	for (int i = 0; i < SL_FALLBACK_LAST; i++)
		reasons[i] = sl_fallback_name((enum sl_fallback)i);
	ASSERT_EQ(0, sl_registry_new(1, &self->registry));
	sl_registry_dim(self->registry, SL_DIM_LISTENER, listeners, 1);
	sl_registry_dim(self->registry, SL_DIM_FALLBACK, reasons, SL_FALLBACK_LAST);
	ASSERT_EQ(0, sl_metrics_new(self->registry, 0, &self->core.metrics));
	self->c = calloc(1, sizeof(*self->c));
	self->c->l = &self->l;
	self->l.core = &self->core;
}

FIXTURE_TEARDOWN(mapped)
{
	munmap(map_of_file, FILE_BYTES);
	free(self->c);
	sl_registry_free(self->registry);
	sl_file_release(&self->file);
}

static void sum_up(void *arg)
{
	const volatile uint8_t *p = map_of_file;
	uint64_t *sum = arg;

	for (size_t i = 0; i < FILE_BYTES; i += 4096)
		*sum += p[i];
}

TEST_F(mapped, what_cannot_be_read_is_an_error)
{
	uint64_t sum = 0;

	for (int i = 0; i < 2; i++) {
		sum = 0;
		EXPECT_EQ(0, sl_mapped_try(sum_up, &sum));
		EXPECT_EQ(i ? 0 : (uint64_t)'m' * FILE_BYTES / 4096, sum);
		ASSERT_EQ(0, ftruncate(self->file.fd, 4096));
		EXPECT_EQ(-EIO, sl_mapped_try(sum_up, &sum));
		ASSERT_EQ(0, ftruncate(self->file.fd, 0));
		ASSERT_EQ(0, ftruncate(self->file.fd, FILE_BYTES));
	}
}

TEST_F(mapped, other_reads_of_such_memory_end_the_process)
{
	uint64_t sum = 0;
	int status;
	pid_t pid;

	ASSERT_EQ(0, sl_mapped_try(sum_up, &sum));
	ASSERT_EQ(0, ftruncate(self->file.fd, 4096));
	pid = fork();
	if (!pid) {
		close(2);
		sum_up(&sum);
		_exit(0);
	}
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

TEST_F(mapped, what_is_in_the_page_cache_is_at_hand)
{
	const struct sl_extent e = {&self->file, 1000, 500000};
	const uint8_t *data = mapped_bytes(self->c, &e, 3001, 100000);

	ASSERT_NOT_NULL(data);
	EXPECT_EQ((uintptr_t)map_of_file + 4001, (uintptr_t)data);
	EXPECT_EQ('a', *data);
}

TEST_F(mapped, what_is_not_there_must_be_read)
{
	const struct sl_extent e = {&self->file, 0, FILE_BYTES};
	const struct sl_extent far = {&self->file, 4096, FILE_BYTES};

	/* Behind what the owner gives out. */
	EXPECT_TRUE(!mapped_bytes(self->c, &far, FILE_BYTES - 4096, 4096));
	/* Cut short a moment after it was found. */
	ASSERT_NOT_NULL(mapped_bytes(self->c, &e, 65536, 4096));
	ASSERT_EQ(0, ftruncate(self->file.fd, 4096));
	EXPECT_TRUE(!mapped_bytes(self->c, &e, 65536, 4096));
	ASSERT_NOT_NULL(mapped_bytes(self->c, &e, 0, 4096));
	self->file.map = NULL;
	EXPECT_TRUE(!mapped_bytes(self->c, &e, 0, 4096));
	/* It is not the map that was at fault. */
	EXPECT_EQ(0, fell_back(&self->core, SL_FALLBACK_MAP));
	EXPECT_EQ(0, fell_back(&self->core, SL_FALLBACK_UNREADABLE));
}

static uint8_t *map_of_nothing; /* behind a file's end */

static int map_what_fails(struct sl_file *file, uint64_t off, uint64_t len,
			  const uint8_t **ret_data)
{
	(void)file;
	(void)len;
	*ret_data = map_of_nothing + off;
	return 0;
}

TEST_F(mapped, why_it_must_be_read_is_counted)
{
	const struct sl_extent e = {&self->file, 0, FILE_BYTES};
	int fd = memfd_create("empty", MFD_CLOEXEC);

	map_of_nothing = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)map_of_nothing);
	self->file.map = peer_map_nothing;
	EXPECT_TRUE(!mapped_bytes(self->c, &e, 0, 4096));
	EXPECT_EQ(1, fell_back(&self->core, SL_FALLBACK_MAP));
	EXPECT_EQ(0, fell_back(&self->core, SL_FALLBACK_UNREADABLE));
	self->file.map = map_what_fails;
	EXPECT_TRUE(!mapped_bytes(self->c, &e, 0, 4096));
	EXPECT_EQ(1, fell_back(&self->core, SL_FALLBACK_MAP));
	EXPECT_EQ(1, fell_back(&self->core, SL_FALLBACK_UNREADABLE));
	munmap(map_of_nothing, FILE_BYTES);
	close(fd);
}

TEST_F(mapped, what_left_the_page_cache_must_be_read)
{
	const struct sl_extent e = {&self->file, 0, FILE_BYTES};

	ASSERT_EQ(0, madvise(map_of_file, FILE_BYTES, MADV_DONTNEED));
	posix_fadvise(self->file.fd, 0, 0, POSIX_FADV_DONTNEED);
	if (sl_resident(self->file.fd, 0, FILE_BYTES))
		SKIP(return, "the page cache does not let go of the file");
	EXPECT_TRUE(!mapped_bytes(self->c, &e, 0, 65536));
}

TEST_HARNESS_MAIN
