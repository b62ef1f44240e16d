/* SPDX-License-Identifier: Apache-2.0 */
/* File operations: whole transfers, whole files, folders; each call failing, each cut of power. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/dataplane.h"
#include "harness.h"
#include "uring/sim.h"

#define BIT(op) (UINT64_C(1) << (op))

/* Every test runs on a core over the real disk, on one over the simulated disk, and on neither. */
FIXTURE(file)
{
	struct sl_sim *sim;
	struct sl_backend *disk;
	struct sl_faults f;
	int dir;
};

FIXTURE_VARIANT(file)
{
	bool sim, core;
};

FIXTURE_VARIANT_ADD(file, real){.core = true};
FIXTURE_VARIANT_ADD(file, sim){.sim = true, .core = true};
FIXTURE_VARIANT_ADD(file, thread){.sim = false};

FIXTURE_SETUP(file)
{
	if (variant->sim) {
		self->sim = sl_sim_new(harness_seed(), NULL);
		self->disk = sl_sim_backend(self->sim);
	}
	sl_faults_init(&self->f, self->disk);
}

FIXTURE_TEARDOWN(file)
{
	sl_sim_free(self->sim);
}

struct job {
	FIXTURE_DATA(file) * self;
	void (*fn)(FIXTURE_DATA(file) * self);
};

static int run_job(void *arg)
{
	struct job *j = arg;

	j->self->dir = sl_open_now(AT_FDCWD, j->self->sim ? "/" : harness_tmpdir(),
				   O_RDONLY | O_DIRECTORY, 0);
	ASSERT_LE(0, j->self->dir);
	j->fn(j->self);
	sl_close(j->self->dir);
	return 0;
}

static void over(FIXTURE_DATA(file) * self, const FIXTURE_VARIANT(file) * variant,
		 void (*fn)(FIXTURE_DATA(file) * self))
{
	struct job j = {self, fn};

	if (variant->core) {
		EXPECT_EQ(0, sl_core_run(&(struct sl_cores_conf){.arena_bytes_max = 16 * SL_MIB,
								 .backend = &self->f.backend},
					 run_job, &j));
		return;
	}
	sl_backend_use(&self->f.backend);
	run_job(&j);
	sl_backend_use(NULL);
}

/* ---- transfers -------------------------------------------------------------------------- */

static void transfers(FIXTURE_DATA(file) * self)
{
	static uint8_t out[300000], in[300000];
	int fd = sl_open(self->dir, "t", O_RDWR | O_CREAT, 0600, SL_NEVER);
	struct iovec iov[] = {
		{out, 0}, {out, 1}, {out + 1, 99999}, {NULL, 0}, {out + 100000, 200000}};

	ASSERT_LE(0, fd);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)harness_random();
	EXPECT_EQ(0, sl_writev_all(fd, iov, 5, 10, SL_NEVER));
	EXPECT_EQ(0, sl_read_all(fd, in, sizeof(in), 10, SL_NEVER));
	EXPECT_MEMEQ(out, in, sizeof(in));
	EXPECT_EQ(0, sl_write_all(fd, "end", 3, 300010, SL_NEVER));
	EXPECT_EQ(-ENODATA, sl_read_all(fd, in, 4, 300010, SL_NEVER));
	EXPECT_EQ(3, sl_read_some(fd, in, 100, 300010, SL_NEVER));
	EXPECT_MEMEQ("end", in, 3);
	EXPECT_EQ(0, sl_read_some(fd, in, 100, 400000, SL_NEVER));
	EXPECT_EQ(0, sl_read_all(fd, in, 0, 0, SL_NEVER));
	EXPECT_EQ(13, sl_read_now(fd, in, 13, 300000));
	EXPECT_EQ(-EBADF, sl_read_all(-1, in, 1, 0, SL_NEVER));
	EXPECT_EQ(-EBADF, sl_write_all(-1, "x", 1, 0, SL_NEVER));
	sl_close(fd);
	sl_close(-1);
}

TEST_F(file, transfers_are_whole)
{
	over(self, variant, transfers);
}

TEST_F(file, short_transfers_are_continued)
{
	self->f.ops = BIT(SL_OP_READ) | BIT(SL_OP_READV) | BIT(SL_OP_WRITE) | BIT(SL_OP_WRITEV);
	self->f.nth = 1;
	self->f.sticky = true;
	/* sl_read_now() promises no whole length: leave it out of the shortened ones. */
	self->f.ops &= ~BIT(SL_OP_READ);
	over(self, variant, transfers);
	EXPECT_LT(3, self->f.count);
}

static void one_calls(FIXTURE_DATA(file) * self)
{
	struct statx stx;
	uint64_t room;
	int fd, dir;

	EXPECT_EQ(-ENOENT, sl_open(self->dir, "no", O_RDONLY, 0, SL_NEVER));
	EXPECT_EQ(0, sl_mkdir(self->dir, "d", 0700, SL_NEVER));
	EXPECT_EQ(-EEXIST, sl_mkdir(self->dir, "d", 0700, SL_NEVER));
	dir = sl_open(self->dir, "d", O_RDONLY | O_DIRECTORY, 0, SL_NEVER);
	ASSERT_LE(0, dir);
	fd = sl_open(dir, "f", O_RDWR | O_CREAT, 0600, SL_NEVER);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, sl_ftruncate(fd, 5000, SL_NEVER));
	EXPECT_EQ(0, sl_stat(dir, "f", &stx, SL_NEVER));
	EXPECT_EQ(5000, stx.stx_size);
	EXPECT_EQ(0, sl_free_bytes(fd, &room));
	EXPECT_LT(0, room);
	EXPECT_EQ(-EBADF, sl_free_bytes(-1, &room));
	EXPECT_EQ(0, sl_fallocate(fd, 0, 5000, 5000, SL_NEVER));
	EXPECT_EQ(0, sl_stat_now(fd, "", &stx));
	EXPECT_EQ(10000, stx.stx_size);
	EXPECT_EQ(0, sl_fsync(fd, true, SL_FAULT(NONE), SL_NEVER));
	EXPECT_EQ(0, sl_rename(dir, "f", self->dir, "g", SL_NEVER));
	EXPECT_EQ(-ENOENT, sl_stat(dir, "f", &stx, SL_NEVER));
	EXPECT_EQ(0, sl_stat(self->dir, "g", &stx, SL_NEVER));
	EXPECT_EQ(0, sl_unlink(self->dir, "g", 0, SL_NEVER));
	EXPECT_EQ(0, sl_unlink(self->dir, "d", AT_REMOVEDIR, SL_NEVER));
	sl_close(fd);
	sl_close(dir);
}

TEST_F(file, operations_do_what_their_names_say)
{
	over(self, variant, one_calls);
}

static void close_large(FIXTURE_DATA(file) * self)
{
	uint64_t bytes = 130 * SL_MIB, room;
	int fd = sl_open(self->dir, "f", O_RDWR | O_CREAT, 0600, SL_NEVER);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, sl_ftruncate(fd, bytes, SL_NEVER));
	EXPECT_EQ(0, sl_unlink(self->dir, "f", 0, SL_NEVER));
	self->f.ops = UINT64_C(1) << SL_OP_FALLOCATE;
	self->f.count = 0;
	sl_close_large(fd, bytes, SL_NEVER);
	EXPECT_EQ(3, self->f.count); /* of 64 MiB each, at most */
	EXPECT_EQ(-EBADF, sl_free_bytes(fd, &room));
}

TEST_F(file, large_ones_are_freed_in_steps)
{
	over(self, variant, close_large);
}

static void beneath(FIXTURE_DATA(file) * self)
{
	int fd, dir;

	ASSERT_EQ(0, sl_mkdir(self->dir, "d", 0700, SL_NEVER));
	dir = sl_open(self->dir, "d", O_PATH | O_DIRECTORY, 0, SL_NEVER);
	sl_close(sl_open(self->dir, "f", O_RDWR | O_CREAT, 0600, SL_NEVER));
	sl_close(sl_open(dir, "g", O_RDWR | O_CREAT, 0600, SL_NEVER));
	fd = sl_open_beneath(dir, "./g", SL_NEVER);
	EXPECT_LE(0, fd);
	sl_close(fd);
	EXPECT_EQ(-ENOENT, sl_open_beneath(dir, "f", SL_NEVER));
	EXPECT_EQ(-EXDEV, sl_open_beneath(dir, "../f", SL_NEVER));
	EXPECT_EQ(-EXDEV, sl_open_beneath(dir, "../d/g", SL_NEVER));
	EXPECT_EQ(-EXDEV, sl_open_beneath(dir, "/", SL_NEVER));
	sl_close(dir);
}

TEST_F(file, nothing_is_opened_outside_of_a_folder)
{
	over(self, variant, beneath);
}

TEST_F(file, an_open_that_met_a_move_is_tried_again)
{
	self->f.ops = BIT(SL_OP_OPENAT2);
	self->f.nth = 1;
	self->f.err = EAGAIN;
	over(self, variant, beneath);
	EXPECT_EQ(6, self->f.count);
}

static void links(FIXTURE_DATA(file) * self)
{
	int fd;

	ASSERT_EQ(0, mkdirat(self->dir, "d", 0700));
	sl_close(sl_open_now(self->dir, "d/f", O_RDWR | O_CREAT, 0600));
	ASSERT_EQ(0, symlinkat("d", self->dir, "inside"));
	ASSERT_EQ(0, symlinkat("../..", self->dir, "outside"));
	ASSERT_EQ(0, symlinkat("/", self->dir, "absolute"));
	ASSERT_EQ(0, symlinkat("self", self->dir, "self"));
	ASSERT_EQ(0, mkfifoat(self->dir, "fifo", 0600));
	fd = sl_open_beneath(self->dir, "inside/f", SL_NEVER);
	EXPECT_LE(0, fd);
	sl_close(fd);
	EXPECT_EQ(-EXDEV, sl_open_beneath(self->dir, "outside", SL_NEVER));
	EXPECT_EQ(-EXDEV, sl_open_beneath(self->dir, "absolute/etc", SL_NEVER));
	EXPECT_EQ(-ELOOP, sl_open_beneath(self->dir, "self", SL_NEVER));
	fd = sl_open_beneath(self->dir, "fifo", SL_NEVER);
	EXPECT_LE(0, fd);
	sl_close(fd);
}

TEST_F(file, links_are_followed_inside_of_a_folder)
{
	/* The simulated disk has no links. */
	if (!variant->sim)
		over(self, variant, links);
	EXPECT_EQ(0, self->f.count);
}

/* ---- whole files ------------------------------------------------------------------------ */

static const char old_text[] = "what was there", new_text[] = "and what comes to be there";

static int put(int dir, const char *name, const char *text)
{
	return sl_write_file(dir, name, text, strlen(text), SL_FAULT(SYNC_INDEX),
			     SL_FAULT(SYNC_SEGMENT_FOLDER), SL_NEVER);
}

static void whole_files(FIXTURE_DATA(file) * self)
{
	char buf[100] = "", name[300];

	EXPECT_EQ(0, put(self->dir, "w", old_text));
	EXPECT_EQ(0, put(self->dir, "w", new_text));
	EXPECT_EQ(strlen(new_text), sl_read_file(self->dir, "w", buf, sizeof(buf), SL_NEVER));
	EXPECT_STREQ(new_text, buf);
	EXPECT_EQ(-E2BIG, sl_read_file(self->dir, "w", buf, 5, SL_NEVER));
	EXPECT_EQ(strlen(new_text), sl_read_file(self->dir, "w", buf, strlen(new_text), SL_NEVER));
	EXPECT_EQ(-ENOENT, sl_read_file(self->dir, "w.tmp", buf, 5, SL_NEVER));
	EXPECT_EQ(0, put(self->dir, "empty", ""));
	EXPECT_EQ(0, sl_read_file(self->dir, "empty", buf, 5, SL_NEVER));
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	EXPECT_EQ(-ENAMETOOLONG, put(self->dir, name, "x"));
}

TEST_F(file, whole_files_are_replaced)
{
	over(self, variant, whole_files);
}

static const int errors[] = {EIO, ENOSPC, 0};

/* Fails each call of a replacement in turn: the old text or the new one, and nothing beside it. */
static void every_call_fails(FIXTURE_DATA(file) * self)
{
	struct sl_faults *f = &self->f;

	for (size_t e = 0; e < SL_ARRAY_SIZE(errors); e++) {
		uint64_t calls = UINT64_MAX;

		for (uint64_t n = 1; n <= calls; n++) {
			char buf[100] = "";
			struct statx stx;
			int err;

			f->nth = 0;
			ASSERT_EQ(0, put(self->dir, "w", old_text));
			f->ops = sl_ops_file_mask();
			f->err = errors[e];
			f->count = 0;
			f->nth = n;
			err = put(self->dir, "w", new_text);
			if (f->count < n)
				calls = f->count;
			f->nth = 0;
			sl_read_file(self->dir, "w", buf, sizeof(buf), SL_NEVER);
			if (!err)
				EXPECT_STREQ(new_text, buf);
			else
				EXPECT_TRUE(!strcmp(old_text, buf) || !strcmp(new_text, buf));
			if (n <= calls && errors[e] && err)
				EXPECT_EQ(-errors[e], err);
			EXPECT_EQ(-ENOENT, sl_stat(self->dir, "w.tmp", &stx, SL_NEVER));
		}
		EXPECT_LE(6, calls); /* open, write, fsync, close, rename, fsync */
	}
}

TEST_F(file, a_replacement_that_fails_leaves_the_old_or_the_new)
{
	over(self, variant, every_call_fails);
}

struct cut {
	struct sl_sim *sim;
	uint64_t ops;
	int err;
};

static int replace(void *arg)
{
	struct cut *c = arg;
	int dir = sl_open_now(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0);

	c->err = put(dir, "w", new_text);
	sl_close(dir);
	return 0;
}

static int read_back(void *arg)
{
	int dir = sl_open_now(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0);
	ssize_t n = sl_read_file(dir, "w", arg, 99, SL_NEVER);

	((char *)arg)[n < 0 ? 0 : n] = 0;
	sl_close(dir);
	return 0;
}

static int on_sim(struct sl_sim *sim, int (*fn)(void *), void *arg)
{
	return sl_core_run(&(struct sl_cores_conf){.arena_bytes_max = 16 * SL_MIB,
						   .backend = sl_sim_backend(sim)},
			   fn, arg);
}

/* Cuts the power at every point of a replacement. Return: how often the new text was lost. */
static int lost_though_acknowledged(enum sl_fault skipped)
{
	int lost = 0;

	for (uint64_t n = 0; n < 12; n++)
		for (int outcome = 0; outcome < 12; outcome++) {
			struct sl_sim *sim = sl_sim_new(harness_random(), NULL);
			struct cut c = {.sim = sim};
			char buf[100] = "";
			struct sl_backend *before = sl_backend_use(sl_sim_backend(sim));

			ASSERT_EQ(0, put(sl_open_now(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0), "w",
					 old_text));
			sl_backend_use(before);
			if (skipped)
				sl_sim_skip_sync(sim, skipped);
			sl_sim_cut_after(sim, n);
			EXPECT_EQ(0, on_sim(sim, replace, &c));
			sl_sim_reboot(sim, outcome == 0	  ? SL_SIM_LOSE_ALL
					   : outcome == 1 ? SL_SIM_KEEP_ALL
							  : SL_SIM_RANDOM);
			EXPECT_EQ(0, on_sim(sim, read_back, buf));
			if (strcmp(new_text, buf) && (!c.err || strcmp(old_text, buf)))
				lost++;
			sl_sim_free(sim);
		}
	return lost;
}

TEST(a_replacement_survives_every_cut_of_power)
{
	EXPECT_EQ(0, lost_though_acknowledged(SL_FAULT(NONE)));
}

TEST(leaving_out_a_sync_is_noticed)
{
	EXPECT_LT(0, lost_though_acknowledged(SL_FAULT(SYNC_INDEX)));
	EXPECT_LT(0, lost_though_acknowledged(SL_FAULT(SYNC_SEGMENT_FOLDER)));
}

/* ---- folders ---------------------------------------------------------------------------- */

struct listing {
	int files, folders, stop_at;
};

static int count_entry(void *arg, const char *name, int type)
{
	struct listing *l = arg;

	EXPECT_NE('.', name[0]);
	l->files += type == 8;
	l->folders += type == 4;
	return l->stop_at && l->files + l->folders == l->stop_at ? 42 : 0;
}

static void make_tree(int dir, const char *name, int depth, int files)
{
	char text[64];
	int fd;

	ASSERT_EQ(0, sl_mkdir(dir, name, 0700, SL_NEVER));
	dir = sl_open(dir, name, O_RDONLY | O_DIRECTORY, 0, SL_NEVER);
	ASSERT_LE(0, dir);
	for (int i = 0; i < files; i++) {
		snprintf(text, sizeof(text), "file-with-a-longer-name-%d", i);
		fd = sl_open(dir, text, O_WRONLY | O_CREAT, 0600, SL_NEVER);
		ASSERT_LE(0, fd);
		sl_close(fd);
	}
	for (int i = 0; depth && i < 2; i++) {
		snprintf(text, sizeof(text), "folder%d", i);
		make_tree(dir, text, depth - 1, files);
	}
	sl_close(dir);
}

static void folders(FIXTURE_DATA(file) * self)
{
	struct listing all = {0}, some = {.stop_at = 3};
	struct statx stx;
	int dir;

	make_tree(self->dir, "many", 1, 700); /* several blocks of entries */
	dir = sl_open(self->dir, "many", O_RDONLY | O_DIRECTORY, 0, SL_NEVER);
	EXPECT_EQ(0, sl_list_folder(dir, count_entry, &all));
	EXPECT_EQ(700, all.files);
	EXPECT_EQ(2, all.folders);
	EXPECT_EQ(42, sl_list_folder(dir, count_entry, &some));
	EXPECT_EQ(3, some.files + some.folders);
	EXPECT_EQ(-EBADF, sl_list_folder(-7, count_entry, &all));
	sl_close(dir);
	EXPECT_EQ(0, sl_remove_tree(self->dir, "many", SL_NEVER));
	EXPECT_EQ(-ENOENT, sl_stat(self->dir, "many", &stx, SL_NEVER));
	EXPECT_EQ(-ENOENT, sl_remove_tree(self->dir, "many", SL_NEVER));
	EXPECT_EQ(0, put(self->dir, "plain", "x"));
	EXPECT_EQ(-ENOTDIR, sl_remove_tree(self->dir, "plain", SL_NEVER));
}

TEST_F(file, folders_are_listed_and_removed)
{
	over(self, variant, folders);
}

/* A removal that fails at any call can be repeated, leaks no descriptor, and ends it. */
static void removal_fails(FIXTURE_DATA(file) * self)
{
	struct sl_faults *f = &self->f;
	uint64_t calls = UINT64_MAX;

	for (uint64_t n = 1; n <= calls; n++) {
		struct statx stx;
		int err;

		f->nth = 0;
		make_tree(self->dir, "tree", 2, 2);
		f->ops = sl_ops_file_mask();
		f->err = EIO;
		f->count = 0;
		f->nth = n;
		err = sl_remove_tree(self->dir, "tree", SL_NEVER);
		if (f->count < n)
			calls = f->count;
		f->nth = 0;
		if (!err)
			EXPECT_EQ(-ENOENT, sl_stat(self->dir, "tree", &stx, SL_NEVER));
		else
			EXPECT_EQ(0, sl_remove_tree(self->dir, "tree", SL_NEVER));
	}
	EXPECT_LT(20, calls);
}

TEST_F(file, a_removal_that_fails_can_be_repeated)
{
	int before = dup(0), after;

	close(before);
	over(self, variant, removal_fails);
	after = dup(0);
	EXPECT_EQ(before, after);
	close(after);
}

TEST_HARNESS_MAIN
