/* SPDX-License-Identifier: Apache-2.0 */
/* Open files of a folder: what is found, how long it is believed, what is kept and let go. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness.h"
#include "stores/static/static.h"

#define BIT(op) (UINT64_C(1) << (op))

/* @f: counts the look-ups that went to the disk. */
FIXTURE(files)
{
	struct sl_static_conf conf;
	struct sl_static *st;
	struct sl_faults f;
	struct sl_registry *registry;
	void (*fn)(FIXTURE_DATA(files) * self);
};

FIXTURE_SETUP(files)
{
	sl_faults_init(&self->f, NULL);
	self->f.ops = BIT(SL_OP_OPENAT2);
	self->conf = (struct sl_static_conf){
		.cores = 1,
		.files_max = 8,
		.check_ns = 1000 * SL_SEC,
		.idle_ns = 1000 * SL_SEC,
	};
	self->conf.dir = open(harness_tmpdir(), O_PATH | O_DIRECTORY);
	ASSERT_LE(0, self->conf.dir);
	ASSERT_EQ(0, sl_registry_new(1, &self->registry));
}

FIXTURE_TEARDOWN(files)
{
	sl_registry_free(self->registry);
	close(self->conf.dir);
}

static int on_core(void *arg)
{
	FIXTURE_DATA(files) *self = arg;

	ASSERT_EQ(0, sl_static_new(&self->conf, &self->st));
	self->fn(self);
	sl_static_stop(self->st);
	return 0;
}

static void run(FIXTURE_DATA(files) * self, void (*fn)(FIXTURE_DATA(files) * self))
{
	self->fn = fn;
	EXPECT_EQ(0, sl_core_run(&(struct sl_cores_conf){.arena_bytes_max = 16 * SL_MIB,
							 .backend = &self->f.backend,
							 .registry = self->registry},
				 on_core, self));
	sl_static_free(self->st);
}

static void put(FIXTURE_DATA(files) * self, const char *name, const char *text)
{
	int fd = openat(self->conf.dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ASSERT_LE(0, fd);
	ASSERT_EQ(strlen(text), write(fd, text, strlen(text)));
	close(fd);
}

/* As an editor replaces a file: another one of the same name. */
static void replace(FIXTURE_DATA(files) * self, const char *name, const char *text)
{
	put(self, "replacement", text);
	ASSERT_EQ(0, renameat(self->conf.dir, "replacement", self->conf.dir, name));
}

/* Whether @f's bytes are @text. */
static bool reads(const struct sl_static_file *f, const char *text)
{
	char buf[64] = "";
	ssize_t n = pread(f->file->fd, buf, sizeof(buf) - 1, 0);

	return EXPECT_EQ(strlen(text), n) && EXPECT_EQ(strlen(text), f->bytes) &&
	       EXPECT_STREQ(text, buf);
}

static int find(FIXTURE_DATA(files) * self, const char *path, const char *text)
{
	struct sl_static_file f;
	int err = sl_static_find(self->st, path, &f, SL_NEVER);

	if (err)
		return err;
	EXPECT_TRUE(reads(&f, text));
	sl_file_release(f.file);
	return 0;
}

/* Whether this process has the file of this name open, removed or not. */
static bool is_open(const char *name)
{
	char link[64], want[4200], seen[4200];
	size_t len = (size_t)snprintf(want, sizeof(want), "%s/%s", harness_tmpdir(), name);

	for (int fd = 0; fd < 200; fd++) {
		ssize_t n;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, seen, sizeof(seen) - 1);
		if (n < (ssize_t)len)
			continue;
		seen[n] = 0;
		if (!memcmp(seen, want, len) && (!seen[len] || seen[len] == ' '))
			return true;
	}
	return false;
}

/* ---- what is found ---------------------------------------------------------------------- */

static void find_kinds(FIXTURE_DATA(files) * self)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	char deep[300];

	put(self, "a", "text");
	put(self, "empty", "");
	ASSERT_EQ(0, mkdirat(self->conf.dir, "d", 0755));
	put(self, "d/b", "below");
	ASSERT_EQ(0, mkfifoat(self->conf.dir, "fifo", 0666));
	ASSERT_EQ(0, symlinkat("d", self->conf.dir, "in"));
	ASSERT_EQ(0, symlinkat("/etc/passwd", self->conf.dir, "out"));
	ASSERT_EQ(0, symlinkat("round", self->conf.dir, "round"));
	snprintf(name.sun_path, sizeof(name.sun_path), "%s/s", harness_tmpdir());
	ASSERT_EQ(0, bind(s, (struct sockaddr *)&name, sizeof(name)));
	EXPECT_EQ(0, find(self, "a", "text"));
	EXPECT_EQ(0, find(self, "empty", ""));
	EXPECT_EQ(0, find(self, "d/b", "below"));
	EXPECT_EQ(0, find(self, "in/b", "below"));
	EXPECT_EQ(-EISDIR, find(self, "d", ""));
	EXPECT_EQ(-EISDIR, find(self, ".", ""));
	EXPECT_EQ(-ENOENT, find(self, "none", ""));
	EXPECT_EQ(-ENOENT, find(self, "", ""));
	EXPECT_EQ(-ENOTDIR, find(self, "a/b", ""));
	EXPECT_EQ(-EACCES, find(self, "fifo", ""));
	EXPECT_EQ(-EACCES, find(self, "s", ""));
	EXPECT_EQ(-EXDEV, find(self, "out", ""));
	EXPECT_EQ(-EXDEV, find(self, "../x", ""));
	EXPECT_EQ(-ELOOP, find(self, "round", ""));
	memset(deep, 'n', sizeof(deep));
	deep[sizeof(deep) - 1] = 0;
	EXPECT_EQ(-ENAMETOOLONG, find(self, deep, ""));
	close(s);
}

TEST_F(files, regular_files_beneath_the_folder_are_found)
{
	run(self, find_kinds);
}

static void find_times(FIXTURE_DATA(files) * self)
{
	struct timespec t[2] = {{.tv_sec = 1}, {.tv_sec = 1234567890, .tv_nsec = 123456789}};
	struct sl_static_file f;

	put(self, "a", "text");
	ASSERT_EQ(0, utimensat(self->conf.dir, "a", t, 0));
	ASSERT_EQ(0, sl_static_find(self->st, "a", &f, SL_NEVER));
	EXPECT_EQ(1234567890, f.changed_s);
	EXPECT_EQ(123456789, f.changed_ns);
	sl_file_release(f.file);
}

TEST_F(files, they_tell_when_they_were_changed)
{
	run(self, find_times);
}

/* What is at the beginning of @path's note, which becomes @text. */
static void expect_note(FIXTURE_DATA(files) * self, const char *path, const char *seen,
			const char *text)
{
	struct sl_static_file f;

	ASSERT_EQ(0, sl_static_find(self->st, path, &f, SL_NEVER));
	EXPECT_STREQ(seen, f.note);
	snprintf(f.note, SL_STATIC_NOTE_BYTES, "%s", text);
	sl_file_release(f.file);
}

static void find_notes(FIXTURE_DATA(files) * self)
{
	put(self, "a", "text");
	put(self, "b", "text");
	expect_note(self, "a", "", "a's");
	expect_note(self, "b", "", "b's");
	expect_note(self, "a", "a's", "again");
	expect_note(self, "a", "again", "again");
	replace(self, "a", "text");
	expect_note(self, "a", "", "the other's");
}

TEST_F(files, notes_stay_with_the_file_and_end_with_it)
{
	self->conf.check_ns = 0;
	run(self, find_notes);
}

/* ---- how long it is believed ------------------------------------------------------------ */

static void find_again(FIXTURE_DATA(files) * self)
{
	put(self, "a", "old");
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(0, find(self, "a", "old"));
	EXPECT_EQ(1, self->f.count);
	replace(self, "a", "other");
	EXPECT_EQ(0, find(self, "a", "old"));
	ASSERT_EQ(0, unlinkat(self->conf.dir, "a", 0));
	EXPECT_EQ(0, find(self, "a", "old"));
	EXPECT_EQ(1, self->f.count);
}

TEST_F(files, a_hot_file_costs_no_open)
{
	run(self, find_again);
}

static void find_changed(FIXTURE_DATA(files) * self)
{
	struct sl_static_file before;

	put(self, "a", "old");
	ASSERT_EQ(0, sl_static_find(self->st, "a", &before, SL_NEVER));
	EXPECT_EQ(0, find(self, "a", "old"));
	replace(self, "a", "other");
	EXPECT_EQ(0, find(self, "a", "other"));
	EXPECT_TRUE(reads(&before, "old"));
	sl_file_release(before.file);
	put(self, "a", "longer");
	EXPECT_EQ(0, find(self, "a", "longer"));
	ASSERT_EQ(0, unlinkat(self->conf.dir, "a", 0));
	EXPECT_EQ(-ENOENT, find(self, "a", ""));
	EXPECT_FALSE(is_open("a"));
	put(self, "a", "again");
	EXPECT_EQ(0, find(self, "a", "again"));
	EXPECT_EQ(6, self->f.count);
}

TEST_F(files, a_change_is_seen_once_it_is_looked_for)
{
	self->conf.check_ns = 0;
	run(self, find_changed);
}

static void find_unchanged(FIXTURE_DATA(files) * self)
{
	struct sl_static_file first, second;

	put(self, "a", "text");
	ASSERT_EQ(0, sl_static_find(self->st, "a", &first, SL_NEVER));
	ASSERT_EQ(0, sl_static_find(self->st, "a", &second, SL_NEVER));
	EXPECT_EQ(2, self->f.count);
	EXPECT_EQ((uintptr_t)first.file, (uintptr_t)second.file);
	sl_file_release(first.file);
	sl_file_release(second.file);
}

TEST_F(files, what_did_not_change_stays_open)
{
	self->conf.check_ns = 0;
	run(self, find_unchanged);
}

static uint64_t counted(enum sl_metric_id metric)
{
	return sl_core_metrics(sl_core_self())->scalars[metric];
}

static void find_in_need(FIXTURE_DATA(files) * self)
{
	put(self, "a", "text");
	EXPECT_EQ(0, find(self, "a", "text"));
	self->f.nth = 1;
	self->f.sticky = true;
	self->f.err = EMFILE;
	EXPECT_EQ(0, find(self, "a", "text"));
	EXPECT_EQ(0, counted(SL_M_STATIC_SHED));
	self->f.err = ENOMEM;
	EXPECT_EQ(-ENOMEM, find(self, "b", ""));
	EXPECT_TRUE(is_open("a"));
	self->f.err = EACCES;
	EXPECT_EQ(-EACCES, find(self, "a", "text"));
}

TEST_F(files, a_shortage_says_nothing_about_a_file)
{
	self->conf.check_ns = 0;
	run(self, find_in_need);
}

/* ---- what is mapped --------------------------------------------------------------------- */

enum { OFTEN = 100, SMALL_BYTES = 64 << 10 };

/* Whether the file is mapped once it has been asked for often. */
static bool becomes_mapped(FIXTURE_DATA(files) * self, const char *path, const char *bytes)
{
	bool mapped = false;

	for (int i = 0; i < OFTEN; i++) {
		struct sl_static_file f;

		ASSERT_EQ(0, sl_static_find(self->st, path, &f, SL_NEVER));
		mapped = f.file->image;
		EXPECT_TRUE(i || !mapped);
		if (mapped) {
			EXPECT_EQ(f.bytes, f.file->image_bytes);
			EXPECT_MEMEQ(bytes, f.file->image, f.bytes);
		}
		sl_file_release(f.file);
	}
	return mapped;
}

static void map_small(FIXTURE_DATA(files) * self)
{
	static char text[SMALL_BYTES + 2];

	memset(text, 'x', SMALL_BYTES + 1);
	put(self, "larger", text);
	text[SMALL_BYTES] = 0;
	put(self, "largest", text);
	put(self, "empty", "");
	EXPECT_TRUE(becomes_mapped(self, "largest", text));
	EXPECT_FALSE(becomes_mapped(self, "larger", ""));
	EXPECT_FALSE(becomes_mapped(self, "empty", ""));
}

TEST_F(files, a_small_file_that_is_asked_for_often_is_mapped)
{
	run(self, map_small);
}

static void map_one(FIXTURE_DATA(files) * self)
{
	put(self, "a", "text");
	put(self, "b", "other");
	EXPECT_TRUE(becomes_mapped(self, "a", "text"));
	EXPECT_FALSE(becomes_mapped(self, "b", "other"));
}

/* So many cores that each has room for one. */
TEST_F(files, there_are_only_so_many_maps)
{
	self->conf.cores = 16384;
	run(self, map_one);
}

/* ---- what is kept ----------------------------------------------------------------------- */

static void find_many(FIXTURE_DATA(files) * self)
{
	char name[16];

	put(self, "hot", "text");
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		put(self, name, name);
		EXPECT_EQ(0, find(self, name, name));
		EXPECT_EQ(0, find(self, "hot", "text"));
	}
	EXPECT_EQ(101, self->f.count);
	EXPECT_FALSE(is_open("f0"));
	EXPECT_TRUE(is_open("f99"));
	EXPECT_EQ(self->conf.files_max, counted(SL_M_STATIC_FILES));
	EXPECT_EQ(self->f.count, counted(SL_M_STATIC_OPENS));
}

TEST_F(files, a_file_in_use_outlasts_many_others)
{
	run(self, find_many);
}

static void find_and_rest(FIXTURE_DATA(files) * self)
{
	struct sl_static_file f;

	put(self, "a", "text");
	put(self, "b", "sent");
	EXPECT_EQ(0, find(self, "a", "text"));
	ASSERT_EQ(0, sl_static_find(self->st, "b", &f, SL_NEVER));
	while (is_open("a"))
		sl_sleep(sl_now() + SL_MSEC);
	while (counted(SL_M_STATIC_FILES))
		sl_sleep(sl_now() + SL_MSEC);
	EXPECT_TRUE(reads(&f, "sent"));
	sl_file_release(f.file);
	EXPECT_FALSE(is_open("b"));
	EXPECT_EQ(0, find(self, "a", "text"));
}

TEST_F(files, what_nobody_asks_for_is_closed)
{
	self->conf.idle_ns = 10 * SL_MSEC;
	run(self, find_and_rest);
}

static void find_late(FIXTURE_DATA(files) * self)
{
	struct sl_static_file f;

	put(self, "a", "text");
	put(self, "b", "sent");
	EXPECT_EQ(0, find(self, "a", "text"));
	ASSERT_EQ(0, sl_static_find(self->st, "b", &f, SL_NEVER));
	sl_static_stop(self->st);
	EXPECT_FALSE(is_open("a"));
	EXPECT_EQ(-ECANCELED, find(self, "a", ""));
	EXPECT_FALSE(is_open("a"));
	EXPECT_TRUE(reads(&f, "sent"));
	sl_file_release(f.file);
	EXPECT_FALSE(is_open("b"));
}

TEST_F(files, at_the_end_nothing_is_kept)
{
	run(self, find_late);
}

/* ---- descriptors ------------------------------------------------------------------------ */

enum { FEW = 16 };

/* Leaves this process FEW descriptors more than it has. */
static void allow_few(void)
{
	struct rlimit r;
	int next[FEW];

	for (int i = 0; i < FEW; i++) {
		next[i] = dup(0);
		ASSERT_LE(0, next[i]);
	}
	for (int i = 0; i < FEW; i++)
		close(next[i]);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &r));
	r.rlim_cur = (rlim_t)next[FEW - 1] + 1;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &r));
}

static void put_many(FIXTURE_DATA(files) * self, int n)
{
	char name[16];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		put(self, name, name);
	}
}

static void find_beyond_limit(FIXTURE_DATA(files) * self)
{
	char name[16];

	put_many(self, 4 * FEW);
	allow_few();
	for (int i = 0; i < 4 * FEW; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		EXPECT_EQ(0, find(self, name, name));
	}
	EXPECT_TRUE(is_open(name));
	EXPECT_FALSE(is_open("f0"));
	EXPECT_LE(3 * FEW, (int64_t)counted(SL_M_STATIC_SHED));
	EXPECT_GE(FEW, (int64_t)counted(SL_M_STATIC_FILES));
}

TEST_F(files, where_descriptors_run_out_the_oldest_make_room)
{
	self->conf.files_max = 1000;
	run(self, find_beyond_limit);
}

/* Room is made by files that are not being sent, however old those are that are. */
static void find_beside_sent(FIXTURE_DATA(files) * self)
{
	struct sl_static_file sent[FEW];
	char name[16];

	put_many(self, FEW);
	allow_few();
	for (int i = 0; i < FEW - 1; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		ASSERT_EQ(0, sl_static_find(self->st, name, &sent[i], SL_NEVER));
	}
	put(self, "kept", "text");
	put(self, "b", "other");
	EXPECT_EQ(0, find(self, "kept", "text"));
	EXPECT_EQ(0, find(self, "b", "other"));
	EXPECT_FALSE(is_open("kept"));
	EXPECT_EQ(1, counted(SL_M_STATIC_SHED));
	ASSERT_EQ(0, sl_static_find(self->st, "b", &sent[FEW - 1], SL_NEVER));
	EXPECT_EQ(-EMFILE, find(self, "kept", ""));
	EXPECT_EQ(1, counted(SL_M_STATIC_SHED));
	for (int i = 0; i < FEW; i++)
		sl_file_release(sent[i].file);
	EXPECT_EQ(0, find(self, "kept", "text"));
}

TEST_F(files, those_that_are_being_sent_make_no_room)
{
	self->conf.files_max = 1000;
	run(self, find_beside_sent);
}

/* Who accepts connections, of all others, asks for room. */
static void find_and_shed(FIXTURE_DATA(files) * self)
{
	struct sl_static_file sent;

	EXPECT_FALSE(sl_descriptors_shed());
	put(self, "a", "a");
	put(self, "b", "b");
	ASSERT_EQ(0, sl_static_find(self->st, "a", &sent, SL_NEVER));
	EXPECT_EQ(0, find(self, "b", "b"));
	EXPECT_TRUE(sl_descriptors_shed());
	EXPECT_TRUE(is_open("a"));
	EXPECT_FALSE(is_open("b"));
	EXPECT_EQ(1, counted(SL_M_STATIC_SHED));
	EXPECT_FALSE(sl_descriptors_shed());
	sl_file_release(sent.file);
	EXPECT_TRUE(sl_descriptors_shed());
	EXPECT_FALSE(is_open("a"));
	EXPECT_FALSE(sl_descriptors_shed());
}

TEST_F(files, make_room_for_others_that_need_a_descriptor)
{
	run(self, find_and_shed);
}

/* ---- many at once ----------------------------------------------------------------------- */

enum { ASKERS = 20 };

struct askers {
	FIXTURE_DATA(files) * self;
	int left;
	struct sl_waitq done;
};

static void ask(void *arg)
{
	struct askers *a = arg;

	for (int i = 0; i < 20; i++)
		EXPECT_EQ(0, find(a->self, "a", "text"));
	if (--a->left == 0)
		sl_waitq_wake_all(&a->done, 0);
}

static void find_together(FIXTURE_DATA(files) * self)
{
	struct askers a = {.self = self, .left = ASKERS};

	put(self, "a", "text");
	sl_waitq_init(&a.done);
	for (int i = 0; i < ASKERS; i++)
		ASSERT_EQ(0, sl_fiber_start(SL_STACK_SMALL, ask, &a));
	while (a.left)
		sl_waitq_wait(&a.done, SL_NEVER);
	EXPECT_EQ(1, counted(SL_M_STATIC_FILES));
}

TEST_F(files, askers_at_once_share_one_file)
{
	self->conf.check_ns = 0;
	run(self, find_together);
}

TEST_HARNESS_MAIN
