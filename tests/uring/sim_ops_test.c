/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated disk's operations give the results and errors that the kernel's give. */
#include <dirent.h>
#include <linux/falloc.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim_calls.h"

FIXTURE(ops)
{
	struct sl_sim *sim;
};

FIXTURE_SETUP(ops)
{
	self->sim = sl_sim_new(1, NULL);
	sl_backend_use(sl_sim_backend(self->sim));
}

FIXTURE_TEARDOWN(ops)
{
	sl_backend_use(NULL);
	sl_sim_free(self->sim);
}

TEST_F(ops, opening_checks_its_flags)
{
	EXPECT_EQ(-ENOENT, call_open("a", O_RDONLY));
	EXPECT_EQ(SL_SIM_FD_BASE, call_open("a", O_RDWR | O_CREAT | O_EXCL));
	EXPECT_EQ(-EEXIST, call_open("/a", O_RDWR | O_CREAT | O_EXCL));
	EXPECT_EQ(-ENOTDIR, call_open("a", O_RDONLY | O_DIRECTORY));
	EXPECT_EQ(-ENOTDIR, call_open("a/b", O_RDONLY));
	EXPECT_EQ(-EISDIR, call_open("/", O_RDWR));
	EXPECT_EQ(-EINVAL, call_open("a", O_RDWR | O_APPEND));
	EXPECT_EQ(-EINVAL, call_open("a", O_RDWR | O_DSYNC));
	EXPECT_EQ(-EOPNOTSUPP, call_open("/", O_RDWR | O_TMPFILE));
	EXPECT_EQ(0, call_close(call_open("/", O_RDONLY | O_DIRECTORY)));
}

TEST_F(ops, descriptors_are_never_used_twice)
{
	int a = call_open("a", O_RDWR | O_CREAT);

	EXPECT_EQ(0, call_close(a));
	EXPECT_EQ(-EBADF, call_close(a));
	EXPECT_EQ(a + 1, call_open("a", O_RDWR));
	EXPECT_EQ(-EBADF, call_write(a, "x", 1, 0));
}

TEST_F(ops, access_modes_are_kept)
{
	int rd, wr;
	char c;

	call_put("a", "text", false);
	rd = call_open("a", O_RDONLY);
	wr = call_open("a", O_WRONLY);
	EXPECT_EQ(-EBADF, call_write(rd, "x", 1, 0));
	EXPECT_EQ(-EINVAL, call_ftruncate(rd, 0));
	EXPECT_EQ(-EBADF, call_read(wr, &c, 1, 0));
	EXPECT_EQ(1, call_read(rd, &c, 1, 0));
	EXPECT_EQ('t', c);
}

TEST_F(ops, what_is_stored_is_cached)
{
	struct sl_cachestat stat = {.cached = 77};
	char page[4096] = "page";
	struct sl_io io;
	int fd;

	ASSERT_EQ(0, call_put("f", "", false));
	fd = call_open("f", O_RDWR);
	ASSERT_LE(SL_SIM_FD_BASE, fd);
	EXPECT_EQ(4096, call_write(fd, page, 4096, 0));
	EXPECT_EQ(10, call_write(fd, page, 10, 4096));
	sl_io_cachestat(&io, fd, 0, 3 * 4096, &stat);
	EXPECT_EQ(0, sl_io_now(&io));
	EXPECT_EQ(2, stat.cached);
	sl_io_cachestat(&io, fd, 8192, 4096, &stat);
	EXPECT_EQ(0, sl_io_now(&io));
	EXPECT_EQ(0, stat.cached);
}

TEST_F(ops, paths_resolve_like_linux)
{
	char name[300], buf[256];
	int dir;

	ASSERT_EQ(0, call_mkdir("d"));
	ASSERT_EQ(0, call_mkdir("d/e"));
	ASSERT_EQ(0, call_put("d/e/f", "deep", false));
	dir = call_open("d", O_PATH | O_DIRECTORY);
	ASSERT_LE(SL_SIM_FD_BASE, dir);
	EXPECT_STREQ("deep", call_get("//d/./e/../e//f", buf));
	EXPECT_STREQ("deep", call_get("../d/e/f", buf));
	EXPECT_LE(SL_SIM_FD_BASE, call_open_at(dir, "e/f", O_RDONLY));
	EXPECT_EQ(-ENOENT, call_open_at(dir, "d/e/f", O_RDONLY));
	EXPECT_EQ(-ENOENT, call_open("", O_RDONLY));
	EXPECT_EQ(-EISDIR, call_open("new/", O_RDWR | O_CREAT));
	memset(name, 'n', sizeof(name));
	name[299] = 0;
	EXPECT_EQ(-ENAMETOOLONG, call_open(name, O_RDWR | O_CREAT));
	name[255] = 0;
	EXPECT_LE(0, call_open(name, O_RDWR | O_CREAT));
}

static int open_beneath(int dir, const char *path, uint64_t resolve)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = resolve};
	struct sl_io io;

	sl_io_openat2(&io, dir, path, &how);
	return sl_io_now(&io);
}

TEST_F(ops, nothing_is_opened_outside_of_a_folder)
{
	int dir;

	ASSERT_EQ(0, call_mkdir("d"));
	ASSERT_EQ(0, call_put("f", "out", false));
	ASSERT_EQ(0, call_put("d/f", "in", false));
	dir = call_open("d", O_PATH | O_DIRECTORY);
	EXPECT_LE(SL_SIM_FD_BASE, open_beneath(dir, "f", RESOLVE_BENEATH));
	EXPECT_LE(SL_SIM_FD_BASE, open_beneath(dir, ".//f", RESOLVE_BENEATH));
	EXPECT_LE(SL_SIM_FD_BASE, open_beneath(dir, "../f", 0));
	EXPECT_EQ(-EXDEV, open_beneath(dir, "../f", RESOLVE_BENEATH));
	EXPECT_EQ(-EXDEV, open_beneath(dir, "../d/f", RESOLVE_BENEATH));
	EXPECT_EQ(-EXDEV, open_beneath(dir, "/d/f", RESOLVE_BENEATH));
	EXPECT_EQ(-ENOENT, open_beneath(dir, "g", RESOLVE_BENEATH));
	EXPECT_EQ(-EINVAL, open_beneath(dir, "f", RESOLVE_IN_ROOT));
}

TEST_F(ops, a_removed_folder_takes_no_names)
{
	int dir;

	ASSERT_EQ(0, call_mkdir("d"));
	dir = call_open("d", O_RDONLY | O_DIRECTORY);
	ASSERT_EQ(0, call_rmdir("d"));
	EXPECT_EQ(-ENOENT, call_open_at(dir, "a", O_RDWR | O_CREAT));
	EXPECT_EQ(-ENOENT, call_mkdir_at(dir, "a"));
	EXPECT_EQ(-ENOENT, call_open_at(dir, "..", O_RDONLY));
	EXPECT_EQ(0, call_fsync(dir));
}

TEST_F(ops, an_unlinked_file_lives_until_its_last_close)
{
	char c = 0;
	int fd;

	call_put("a", "text", false);
	fd = call_open("a", O_RDWR);
	EXPECT_EQ(0, call_unlink("a"));
	EXPECT_EQ(1, call_read(fd, &c, 1, 3));
	EXPECT_EQ('t', c);
	EXPECT_EQ(4096, sl_sim_used(self->sim));
	EXPECT_EQ(0, call_close(fd));
	EXPECT_EQ(0, sl_sim_used(self->sim));
}

TEST_F(ops, vectors_are_one_read_or_write)
{
	char a[3] = "ab", b[4] = "cde", x[2], y[5];
	const struct iovec out[] = {{a, 2}, {NULL, 0}, {b, 3}};
	const struct iovec in[] = {{x, 2}, {y, 5}};
	struct sl_io io;
	int fd = call_open("a", O_RDWR | O_CREAT);
	uint64_t ops = sl_sim_ops(self->sim);

	sl_io_writev(&io, fd, out, 3, 10);
	EXPECT_EQ(5, sl_io_now(&io));
	EXPECT_EQ(ops + 1, sl_sim_ops(self->sim));
	sl_io_readv(&io, fd, in, 2, 9);
	EXPECT_EQ(6, sl_io_now(&io));
	EXPECT_EQ(0, x[0]);
	EXPECT_EQ('a', x[1]);
	EXPECT_MEMEQ("bcde", y, 4);
}

TEST_F(ops, a_full_disk_writes_short_then_nothing)
{
	static char data[3 * 4096];
	int fd = call_open("a", O_RDWR | O_CREAT);

	memset(data, 'x', sizeof(data));
	sl_sim_limit(self->sim, 2 * 4096);
	EXPECT_EQ(2 * 4096 - 100, call_write(fd, data, sizeof(data), 100));
	EXPECT_EQ(-ENOSPC, call_write(fd, data, 1, 2 * 4096));
	EXPECT_EQ(100, call_write(fd, data, 100, 0)); /* in place */
	EXPECT_EQ(-ENOSPC, call_open("b", O_RDWR | O_CREAT));
	EXPECT_EQ(-ENOSPC, call_mkdir("d"));
	EXPECT_EQ(0, call_ftruncate(fd, 4096));
	EXPECT_LE(0, call_open("b", O_RDWR | O_CREAT));
	EXPECT_EQ(4096, sl_sim_used(self->sim));
}

TEST_F(ops, fallocate_takes_all_its_space_or_none)
{
	static char data[4096];
	int fd = call_open("a", O_RDWR | O_CREAT);
	int fd2 = call_open("b", O_RDWR | O_CREAT);

	sl_sim_limit(self->sim, 4 * 4096);
	EXPECT_EQ(-ENOSPC, call_fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 5 * 4096));
	EXPECT_EQ(0, sl_sim_used(self->sim));
	EXPECT_EQ(0, call_fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4 * 4096));
	EXPECT_EQ(0, call_size("a"));
	EXPECT_EQ(-ENOSPC, call_write(fd2, data, 1, 0));
	EXPECT_EQ(4096, call_write(fd, data, 4096, 3 * 4096));
	EXPECT_EQ(0, call_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	EXPECT_EQ(1, call_write(fd2, data, 1, 0));
	EXPECT_EQ(-EOPNOTSUPP, call_fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 4096));
}

TEST_F(ops, statx_knows_size_space_and_kind)
{
	struct statx stx;
	int fd = call_open("a", O_RDWR | O_CREAT);

	call_write(fd, "x", 1, 4096 * 3);
	EXPECT_EQ(0, call_statx(fd, "", AT_EMPTY_PATH, &stx));
	EXPECT_EQ(4096 * 3 + 1, stx.stx_size);
	EXPECT_EQ(8, stx.stx_blocks);
	EXPECT_EQ(1, stx.stx_nlink);
	EXPECT_TRUE(S_ISREG(stx.stx_mode));
	EXPECT_EQ(0600, stx.stx_mode & 07777);
	EXPECT_LT(0, stx.stx_mtime.tv_sec);
	EXPECT_EQ(0, call_statx(AT_FDCWD, ".", 0, &stx));
	EXPECT_TRUE(S_ISDIR(stx.stx_mode));
	EXPECT_EQ(-ENOENT, call_statx(fd, "", 0, &stx));
	EXPECT_EQ(-EBADF, call_statx(SL_SIM_FD_BASE + 99, "", AT_EMPTY_PATH, &stx));
}

TEST_F(ops, statfs_knows_what_is_free)
{
	static char data[2 * 4096];
	struct statfs fs;
	int fd = call_open("a", O_RDWR | O_CREAT);

	EXPECT_EQ(0, call_statfs(fd, &fs));
	EXPECT_LT(SL_GIB, fs.f_bavail);
	sl_sim_limit(self->sim, 5 * 4096);
	EXPECT_EQ(sizeof(data), call_write(fd, data, sizeof(data), 0));
	EXPECT_EQ(0, call_statfs(fd, &fs));
	EXPECT_EQ(4096, fs.f_bsize);
	EXPECT_EQ(5, fs.f_blocks);
	EXPECT_EQ(3, fs.f_bavail);
	sl_sim_limit(self->sim, 4096); /* less than is used */
	EXPECT_EQ(0, call_statfs(fd, &fs));
	EXPECT_EQ(0, fs.f_bavail);
	EXPECT_EQ(-EBADF, call_statfs(SL_SIM_FD_BASE + 99, &fs));
}

/* Lists @path through a buffer of @len bytes. Return: names seen, or -errno. */
static int list(const char *path, size_t len, int unlink_from)
{
	char buf[512];
	int fd = call_open(path, O_RDONLY | O_DIRECTORY);
	int n, seen = 0;

	while ((n = call_getdents(fd, buf, len)) > 0) {
		for (int at = 0; at < n;) {
			struct dirent64 *d = (void *)(buf + at);

			EXPECT_EQ(0, d->d_reclen % 8);
			if (*d->d_name != '.' && unlink_from)
				EXPECT_EQ(0, call_unlink_at(fd, d->d_name, 0));
			seen++;
			at += d->d_reclen;
		}
	}
	call_close(fd);
	return n ? n : seen;
}

TEST_F(ops, a_listing_goes_on_where_it_was)
{
	char name[32];

	ASSERT_EQ(0, call_mkdir("d"));
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "d/file-%d", i);
		ASSERT_EQ(0, call_put(name, "", false));
	}
	EXPECT_EQ(102, list("d", 512, 0));
	EXPECT_EQ(102, list("d", 64, 0));
	EXPECT_EQ(-EINVAL, list("d", 16, 0));
	EXPECT_EQ(102, list("d", 100, 1)); /* removal does not make it skip */
	EXPECT_EQ(2, list("d", 100, 0));
	EXPECT_EQ(0, call_rmdir("d"));
}

TEST_F(ops, what_is_refused_does_not_count)
{
	uint64_t ops;
	char c;

	call_put("a", "text", true);
	ops = sl_sim_ops(self->sim);
	call_unlink("b");
	call_mkdir("a");
	call_rename("b", "c");
	call_read(call_open("a", O_RDONLY), &c, 1, 0);
	EXPECT_EQ(ops, sl_sim_ops(self->sim));
	call_rename("a", "b");
	EXPECT_EQ(ops + 1, sl_sim_ops(self->sim));
}

/* ---- against the kernel -------------------------------------------------------------------- */

struct world {
	struct sl_backend *backend;
	int root;
	int fds[4];
};

struct step {
	int what, fd, flags;
	char path[16], path2[16];
	uint64_t off, len;
};

static void draw_path(char *path)
{
	static const char *const paths[] = {"a", "b", "c/a", "c/b", "c/d", "c", "c/d/a", "e",
					    "e/a", "c/", "a/", ".", "c/..", "c/./a", "e/../a"};

	snprintf(path, 16, "%s", paths[harness_random() % SL_ARRAY_SIZE(paths)]);
}

static struct step draw_step(void)
{
	static const int flags[] = {O_RDONLY, O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL,
				    O_RDWR | O_TRUNC, O_WRONLY | O_CREAT | O_TRUNC};
	struct step s = {
		.what = (int)(harness_random() % 13),
		.fd = (int)(harness_random() % 4),
		.flags = flags[harness_random() % SL_ARRAY_SIZE(flags)],
		.off = harness_random() % 20000,
		.len = harness_random() % 9000,
	};

	draw_path(s.path);
	draw_path(s.path2);
	return s;
}

/* The kernel names its descriptors otherwise; whether there is one is what counts. */
static int do_open(struct world *w, const struct step *s)
{
	int fd = call_open_at(w->root, s->path, s->flags);

	if (fd < 0)
		return fd;
	if (w->fds[s->fd] >= 0)
		call_close(w->fds[s->fd]);
	w->fds[s->fd] = fd;
	return 0;
}

static int do_statx(struct world *w, const struct step *s, uint64_t *ret_size)
{
	struct statx stx;
	int err = call_statx(w->root, s->path, 0, &stx);

	if (!err && S_ISREG(stx.stx_mode))
		*ret_size = stx.stx_size;
	return err;
}

static int do_step(struct world *w, const struct step *s, char *buf, uint64_t *ret_size)
{
	int fd = w->fds[s->fd];

	memset(buf, (int)s->off, 9000);
	switch (s->what) {
	case 0:
	case 1:
		return do_open(w, s);
	case 2:
	case 3:
		return call_write(fd, buf, s->len, s->off);
	case 4:
	case 5:
		return call_read(fd, buf, s->len, s->off);
	case 6:
		return call_mkdir_at(w->root, s->path);
	case 7:
		return call_unlink_at(w->root, s->path, s->off & 1 ? AT_REMOVEDIR : 0);
	case 8:
	case 9:
		return call_rename_at(w->root, s->path, w->root, s->path2);
	case 10:
		return call_ftruncate(fd, s->off);
	case 11:
		return call_fallocate(fd, s->len & 1 ? FALLOC_FL_KEEP_SIZE :
						       s->len & 2 ? FALLOC_FL_PUNCH_HOLE |
								    FALLOC_FL_KEEP_SIZE :
								    0,
				      s->off, (uint32_t)s->len + 1);
	default:
		return do_statx(w, s, ret_size);
	}
}

static void print_step(const struct step *s)
{
	TH_LOG("step %d fd %d flags %o %s %s off %llu len %llu", s->what, s->fd, s->flags, s->path,
	       s->path2, (unsigned long long)s->off, (unsigned long long)s->len);
}

/*
 * A file moved onto "folder/" above it fails twice over; which error comes first, the trailing
 * slash (ENOTDIR) or the folder above (ENOTEMPTY), is not the same in all kernels.
 */
static bool same_result(const struct step *s, int a, int b)
{
	bool slash = s->path2[0] && s->path2[strlen(s->path2) - 1] == '/';

	return a == b || (slash && (s->what == 8 || s->what == 9) && a == -ENOTEMPTY &&
			  b == -ENOTDIR);
}

static bool can_punch(int root)
{
	int fd = call_open_at(root, "probe", O_RDWR | O_CREAT);
	int err = call_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1);

	call_close(fd);
	call_unlink_at(root, "probe", 0);
	return !err;
}

TEST_F_TIMEOUT(ops, any_sequence_gives_what_the_kernel_gives, 60)
{
	struct world real = {.backend = sl_backend_kernel(), .fds = {-1, -1, -1, -1}};
	struct world sim = {.backend = sl_sim_backend(self->sim), .fds = {-1, -1, -1, -1}};
	static char a[9000], b[9000];

	sl_backend_use(real.backend);
	real.root = call_open(harness_tmpdir(), O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, real.root);
	if (!can_punch(real.root))
		SKIP(return, "no holes on this machine's file system");
	sl_backend_use(sim.backend);
	ASSERT_EQ(0, call_mkdir("root"));
	sim.root = call_open("root", O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, sim.root);
	for (int i = 0; i < 20000; i++) {
		struct step s = draw_step();
		uint64_t size_a = 0, size_b = 0;
		int res_a, res_b;

		sl_backend_use(real.backend);
		res_a = do_step(&real, &s, a, &size_a);
		sl_backend_use(sim.backend);
		res_b = do_step(&sim, &s, b, &size_b);
		if (!same_result(&s, res_a, res_b) || size_a != size_b || memcmp(a, b, sizeof(a)))
			print_step(&s);
		if (!same_result(&s, res_a, res_b))
			ASSERT_EQ(res_a, res_b);
		ASSERT_EQ(size_a, size_b);
		ASSERT_MEMEQ(a, b, sizeof(a));
	}
}

TEST_HARNESS_MAIN
