/* SPDX-License-Identifier: Apache-2.0 */
/* Power cuts: what they make of operations, what may survive them, and that lies are noticed. */
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim_calls.h"

#define SECTOR SL_SIM_SECTOR_BYTES
#define SEEDS 400

FIXTURE(crash)
{
	struct sl_sim *sim;
	char buf[256];
};

FIXTURE_SETUP(crash)
{
	self->sim = sl_sim_new(4, NULL);
	sl_backend_use(sl_sim_backend(self->sim));
}

FIXTURE_TEARDOWN(crash)
{
	sl_backend_use(NULL);
	sl_sim_free(self->sim);
}

static bool exists(const char *path)
{
	struct statx stx;

	return !call_statx(AT_FDCWD, path, 0, &stx);
}

/* A copy of @sim rebooted at random with @seed, which is the thread's backend then. */
static struct sl_sim *outcome(struct sl_sim *sim, uint64_t seed)
{
	struct sl_sim *copy = sl_sim_clone(sim);

	sl_sim_seed(copy, seed);
	sl_sim_reboot(copy, SL_SIM_RANDOM);
	sl_backend_use(sl_sim_backend(copy));
	return copy;
}

/* ---- the cut -------------------------------------------------------------------------------- */

TEST_F(crash, after_the_cut_everything_fails_but_close)
{
	struct statx stx;
	char c;
	int fd;

	call_put("a", "text", true);
	fd = call_open("a", O_RDWR);
	EXPECT_FALSE(sl_sim_is_cut(self->sim));
	sl_sim_cut(self->sim);
	EXPECT_TRUE(sl_sim_is_cut(self->sim));
	EXPECT_EQ(-EIO, call_read(fd, &c, 1, 0));
	EXPECT_EQ(-EIO, call_write(fd, "x", 1, 0));
	EXPECT_EQ(-EIO, call_fsync(fd));
	EXPECT_EQ(-EIO, call_open("a", O_RDONLY));
	EXPECT_EQ(-EIO, call_statx(fd, "", AT_EMPTY_PATH, &stx));
	EXPECT_EQ(0, call_close(fd));
	EXPECT_LT(0, sl_clock_ns()); /* the machine lives on */
}

TEST_F(crash, old_descriptors_are_dead_after_a_reboot)
{
	int fd = call_open("a", O_RDWR | O_CREAT), fd2;

	sl_sim_reboot(self->sim, SL_SIM_KEEP_ALL);
	fd2 = call_open("a", O_RDWR);
	EXPECT_LT(fd, fd2);
	EXPECT_EQ(-EBADF, call_write(fd, "x", 1, 0));
	EXPECT_EQ(-EBADF, call_close(fd));
	EXPECT_EQ(1, call_write(fd2, "x", 1, 0));
}

TEST_F(crash, the_cut_comes_in_the_operation_after_n)
{
	int fd = call_open("a", O_RDWR | O_CREAT);

	sl_sim_cut_after(self->sim, 2);
	EXPECT_EQ(1, call_write(fd, "x", 1, 0));
	EXPECT_EQ(0, call_fsync(fd));
	EXPECT_FALSE(sl_sim_is_cut(self->sim));
	EXPECT_EQ(-EIO, call_write(fd, "y", 1, 0));
	EXPECT_TRUE(sl_sim_is_cut(self->sim));
	sl_sim_reboot(self->sim, SL_SIM_KEEP_ALL);
	EXPECT_STREQ("y", call_get("a", self->buf)); /* it may have happened */
	EXPECT_FALSE(sl_sim_is_cut(self->sim));
}

TEST_F(crash, a_sync_cut_in_its_middle_makes_nothing_sure)
{
	int seen[2] = {0};

	call_put("a", "old", true);
	call_sync_path("/");
	call_put("a", "new", false);
	sl_sim_cut_after(self->sim, 0);
	EXPECT_EQ(-EIO, call_sync_path("a"));
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sl_sim *copy = outcome(self->sim, seed);
		const char *is = call_get("a", self->buf);

		seen[0] += !strcmp(is, "old");
		seen[1] += !strcmp(is, "new");
		sl_sim_free(copy);
	}
	EXPECT_LT(0, seen[0]);
	EXPECT_LT(0, seen[1]);
}

/* Replaces "a" as every store does; on @acknowledged the new content must be there. */
static int replace(const char *text, bool *ret_acknowledged)
{
	int err = call_put("tmp", text, true);

	if (!err)
		err = call_rename("tmp", "a");
	if (!err)
		err = call_fsync(call_open("/", O_RDONLY | O_DIRECTORY));
	*ret_acknowledged = !err;
	return err;
}

/* Cuts replace() at @n under a seed. Return: whether a promise was broken. */
static bool broken_at(struct sl_sim *sim, uint64_t n, uint64_t seed)
{
	char buf[256];
	bool acknowledged, broken;
	const char *is;

	sl_backend_use(sl_sim_backend(sim));
	sl_sim_cut_after(sim, n);
	replace("new", &acknowledged);
	sl_sim_seed(sim, seed);
	sl_sim_reboot(sim, SL_SIM_RANDOM);
	is = call_get("a", buf);
	broken = strcmp(is, "new") && (acknowledged || strcmp(is, "old"));
	sl_sim_free(sim);
	return broken;
}

/* Over all cut points and some seeds, with syncs named @skip left out: broken promises. */
static int broken_promises(struct sl_sim *sim, bool skip)
{
	bool acknowledged;
	struct sl_sim *whole;
	uint64_t ops;
	int broken = 0;

	replace("old", &acknowledged);
	ASSERT_TRUE(acknowledged);
	whole = sl_sim_clone(sim);
	sl_backend_use(sl_sim_backend(whole));
	ops = sl_sim_ops(whole);
	replace("new", &acknowledged);
	ops = sl_sim_ops(whole) - ops;
	sl_sim_free(whole);
	EXPECT_EQ(5, ops); /* create, write, sync, rename, sync */
	for (uint64_t n = 0; n <= ops; n++) {
		for (uint64_t seed = 0; seed < 50; seed++) {
			struct sl_sim *copy = sl_sim_clone(sim);

			if (skip)
				sl_sim_skip_sync(copy, SL_FAULT_NONE);
			broken += broken_at(copy, n, seed);
		}
	}
	return broken;
}

TEST_F(crash, an_atomic_replacement_holds_at_every_cut)
{
	EXPECT_EQ(0, broken_promises(self->sim, false));
}

TEST_F(crash, a_sync_that_lies_is_noticed)
{
	EXPECT_LT(0, broken_promises(self->sim, true));
}

TEST_F(crash, only_the_named_sync_is_skipped)
{
	int fd = call_open("a", O_RDWR | O_CREAT);

	call_sync_path("/");
	sl_sim_skip_sync(self->sim, SL_FAULT_SYNC_COMMIT);
	call_write(fd, "x", 1, 0);
	EXPECT_EQ(0, call_fsync_at(fd, SL_FAULT_SYNC_INDEX));
	call_write(fd, "y", 1, 0);
	EXPECT_EQ(0, call_fsync_at(fd, SL_FAULT_SYNC_COMMIT));
	EXPECT_EQ(1, sl_sim_syncs(self->sim, SL_FAULT_SYNC_COMMIT));
	EXPECT_EQ(1, sl_sim_syncs(self->sim, SL_FAULT_SYNC_INDEX));
	EXPECT_EQ(0, sl_sim_syncs(self->sim, SL_FAULT_SYNC_RECOVERY));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_STREQ("x", call_get("a", self->buf));
}

/* ---- what RANDOM does to contents ------------------------------------------------------------ */

/* Opens "a" anew with @sectors durable sectors of @c. */
static int durable_file(int c, int sectors)
{
	static char data[64 * SECTOR];
	int fd = call_open("a", O_RDWR | O_CREAT | O_TRUNC);

	memset(data, c, sizeof(data));
	call_write(fd, data, (size_t)sectors * SECTOR, 0);
	call_fsync(fd);
	call_sync_path("/");
	return fd;
}

/* Reads "a" as one letter a sector; '!' for a sector of several; ' ' for zeros. */
static const char *letters(char *buf)
{
	char sector[SECTOR];
	int fd = call_open("a", O_RDONLY);
	int n = 0, got;

	while ((got = call_read(fd, sector, SECTOR, (uint64_t)n * SECTOR)) > 0) {
		buf[n] = sector[0] ? sector[0] : ' ';
		for (int i = 1; i < got; i++)
			if (sector[i] != sector[0])
				buf[n] = '!';
		n++;
	}
	buf[n] = 0;
	call_close(fd);
	return buf;
}

static void write_letters(int fd, int c, int sectors, int at)
{
	char data[16 * SECTOR];

	memset(data, c, sizeof(data));
	ASSERT_EQ(sectors * SECTOR,
		  call_write(fd, data, (size_t)sectors * SECTOR, (uint64_t)at * SECTOR));
}

TEST_F(crash, writes_are_lost_kept_torn_and_reordered)
{
	int lost = 0, kept = 0, torn = 0, first_only = 0, second_only = 0;
	int fd = durable_file('-', 8);

	write_letters(fd, 'a', 4, 0);
	write_letters(fd, 'b', 4, 4);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sl_sim *copy = outcome(self->sim, seed);
		const char *is = letters(self->buf);
		bool a = !strncmp(is, "aaaa", 4), b = !strncmp(is + 4, "bbbb", 4);
		bool no_a = !strncmp(is, "----", 4), no_b = !strncmp(is + 4, "----", 4);

		EXPECT_EQ(8, strlen(is));
		EXPECT_LE(4, strspn(is, "-a"));
		EXPECT_EQ(4, strspn(is + 4, "-b"));
		lost += no_a && no_b;
		kept += a && b;
		torn += (!a && !no_a) || (!b && !no_b);
		first_only += a && no_b;
		second_only += b && no_a;
		sl_sim_free(copy);
	}
	EXPECT_LT(10, lost);
	EXPECT_LT(10, kept);
	EXPECT_LT(10, torn);
	EXPECT_LT(10, first_only);
	EXPECT_LT(10, second_only);
}

TEST_F(crash, a_sector_is_one_of_the_states_it_had)
{
	int seen['c' + 1] = {0};
	int fd = durable_file('-', 1);

	for (int c = 'a'; c <= 'c'; c++)
		write_letters(fd, c, 1, 0);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sl_sim *copy = outcome(self->sim, seed);

		letters(self->buf);
		ASSERT_TRUE(strchr("-abc", self->buf[0]) != NULL);
		seen[(uint8_t)self->buf[0]]++;
		sl_sim_free(copy);
	}
	EXPECT_LT(0, seen['-']);
	EXPECT_LT(0, seen['a']);
	EXPECT_LT(0, seen['b']);
	EXPECT_LT(0, seen['c']);
}

/* Appends within one sector reach the disk in their order, for the cache writes whole sectors. */
TEST_F(crash, small_appends_survive_as_a_prefix)
{
	int fd = call_open("a", O_RDWR | O_CREAT);
	int shorter = 0;

	call_sync_path("/");
	for (uint64_t i = 0; i < 10; i++)
		call_write(fd, &"0123456789"[i], 1, i);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sl_sim *copy = outcome(self->sim, seed);
		int64_t size = call_size("a");
		size_t data = strlen(call_get("a", self->buf));

		EXPECT_EQ(0, strncmp("0123456789", self->buf, data));
		for (int64_t i = (int64_t)data; i < size; i++)
			EXPECT_EQ(0, self->buf[i]);
		shorter += size < 10;
		sl_sim_free(copy);
	}
	EXPECT_LT(0, shorter);
	EXPECT_GT(SEEDS, shorter);
}

TEST_F(crash, sizes_and_data_survive_independently)
{
	int empty = 0, zeros = 0, partly = 0, all = 0;
	int fd = call_open("a", O_RDWR | O_CREAT);

	call_sync_path("/");
	write_letters(fd, 'a', 4, 0);
	write_letters(fd, 'b', 4, 4);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sl_sim *copy = outcome(self->sim, seed);
		const char *is = letters(self->buf);
		size_t n = strlen(is);

		EXPECT_TRUE(n == 0 || n == 4 || n == 8);
		empty += n == 0;
		all += !strcmp(is, "aaaabbbb");
		zeros += n && strspn(is, " ") == n;
		partly += n == 8 && strchr(is, ' ') && strspn(is, " ") < n;
		call_ftruncate(call_open("a", O_RDWR), 8 * SECTOR);
		EXPECT_EQ(8 - n, strspn(letters(self->buf) + n, " ")); /* nothing lurks there */
		sl_sim_free(copy);
	}
	EXPECT_LT(10, empty);
	EXPECT_LT(10, all);
	EXPECT_LT(10, zeros);
	EXPECT_LT(10, partly);
}

TEST_F(crash, a_cut_off_tail_does_not_come_back_behind_a_new_one)
{
	int fd = durable_file('-', 8), old = 0, cut = 0, all = 0;

	call_ftruncate(fd, 2 * SECTOR);
	write_letters(fd, 'b', 1, 5);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sl_sim *copy = outcome(self->sim, seed);
		const char *is = letters(self->buf);
		bool is_old = strlen(is) == 8;

		EXPECT_TRUE(is_old || !strcmp(is, "--") || !strcmp(is, "--    ") ||
			    !strcmp(is, "--   b"));
		old += is_old;
		cut += !strcmp(is, "--");
		all += !strcmp(is, "--   b");
		sl_sim_free(copy);
	}
	EXPECT_LT(0, old);
	EXPECT_LT(0, cut);
	EXPECT_LT(0, all);
}

TEST_F(crash, synced_bytes_survive_every_crash)
{
	int fd = durable_file('s', 8);

	write_letters(fd, 'x', 4, 8);
	call_fsync(fd);
	write_letters(fd, 'y', 4, 12);
	call_put("b", "unrelated", false);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sl_sim *copy = outcome(self->sim, seed);

		EXPECT_EQ(0, strncmp("ssssssssxxxx", letters(self->buf), 12));
		sl_sim_free(copy);
	}
}

/* ---- what RANDOM does to folders ------------------------------------------------------------- */

TEST_F(crash, names_survive_without_contents_and_the_other_way_round)
{
	int none = 0, name_only = 0, all = 0;

	call_put("a", "text", false);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sl_sim *copy = outcome(self->sim, seed);
		const char *is = call_get("a", self->buf);

		none += !strcmp(is, "-");
		name_only += !strcmp(is, "");
		all += !strcmp(is, "text");
		sl_sim_free(copy);
	}
	EXPECT_LT(10, none);
	EXPECT_LT(10, name_only);
	EXPECT_LT(10, all);
}

TEST_F(crash, folder_changes_are_reordered)
{
	int only[3] = {0};

	call_put("a", "a", true);
	call_put("b", "b", true);
	call_put("c", "c", true);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sl_sim *copy = outcome(self->sim, seed);
		bool a = exists("a"), b = exists("b"), c = exists("c");

		only[0] += a && !b && !c;
		only[1] += b && !a && !c;
		only[2] += c && !a && !b;
		sl_sim_free(copy);
	}
	EXPECT_LT(0, only[0]);
	EXPECT_LT(0, only[1]);
	EXPECT_LT(0, only[2]);
}

TEST_F(crash, a_rename_is_old_or_new)
{
	int old = 0, new = 0;

	call_mkdir("x");
	call_mkdir("x/y");
	call_put("a", "old", true);
	call_put("x/tmp", "new", true);
	call_sync_path("x");
	call_sync_path("/");
	call_rename("x/tmp", "a");
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sl_sim *copy = outcome(self->sim, seed);
		bool is_new = !strcmp(call_get("a", self->buf), "new");

		EXPECT_STREQ(is_new ? "new" : "old", call_get("a", self->buf));
		EXPECT_EQ(!is_new, exists("x/tmp"));
		old += !is_new;
		new += is_new;
		sl_sim_free(copy);
	}
	EXPECT_LT(10, old);
	EXPECT_LT(10, new);
}

TEST_F(crash, a_durable_file_never_vanishes_by_being_moved)
{
	static const char *const at[] = {"a", "d/a", "d/e/a", "f"};

	call_put("a", "text", true);
	call_sync_path("/");
	call_mkdir("d");
	call_mkdir("d/e");
	call_rename("a", "d/e/a");
	call_rename("d", "g");
	call_mkdir("d");
	call_rename("g/e/a", "d/a");
	call_rmdir("g/e");
	call_rmdir("g");
	call_rename("d/a", "f");
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sl_sim *copy = outcome(self->sim, seed);
		int n = exists("g/e/a");

		for (size_t i = 0; i < SL_ARRAY_SIZE(at); i++)
			n += exists(at[i]);
		EXPECT_EQ(1, n);
		sl_sim_free(copy);
	}
}

TEST_F(crash, folders_that_change_places_never_make_a_ring)
{
	int both = 0, neither = 0;

	call_mkdir("a");
	call_mkdir("a/b");
	call_put("a/b/f", "text", true);
	call_sync_path("a/b");
	call_sync_path("a");
	call_sync_path("/");
	call_rename("a/b", "b");
	call_rename("a", "b/a");
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sl_sim *copy = outcome(self->sim, seed);

		EXPECT_EQ(1, exists("a/b/f") + exists("b/f"));
		EXPECT_EQ(1, exists("a") + exists("b/a"));
		both += exists("b/a");
		neither += exists("a/b");
		sl_sim_free(copy);
	}
	EXPECT_LT(10, both);
	EXPECT_LT(10, neither);
}

/* ---- clones ---------------------------------------------------------------------------------- */

TEST_F(crash, a_clone_is_a_disk_of_its_own)
{
	struct sl_sim *copy;

	call_put("a", "text", false);
	copy = sl_sim_clone(self->sim);
	EXPECT_EQ(sl_sim_ops(self->sim), sl_sim_ops(copy));
	EXPECT_EQ(sl_sim_used(self->sim), sl_sim_used(copy));
	call_put("a", "TEXT", false);
	sl_backend_use(sl_sim_backend(copy));
	EXPECT_STREQ("text", call_get("a", self->buf));
	call_unlink("a");
	sl_sim_reboot(copy, SL_SIM_KEEP_ALL);
	EXPECT_STREQ("-", call_get("a", self->buf));
	sl_backend_use(sl_sim_backend(self->sim));
	EXPECT_STREQ("TEXT", call_get("a", self->buf));
	sl_sim_free(copy);
}

TEST_F(crash, what_only_a_descriptor_held_is_not_cloned)
{
	struct sl_sim *copy;
	int fd = call_open("a", O_RDWR | O_CREAT);

	call_write(fd, "text", 4, 0);
	call_unlink("a");
	copy = sl_sim_clone(self->sim);
	EXPECT_EQ(4096, sl_sim_used(self->sim));
	EXPECT_EQ(0, sl_sim_used(copy));
	sl_sim_reboot(copy, SL_SIM_KEEP_ALL);
	sl_backend_use(sl_sim_backend(copy));
	EXPECT_FALSE(exists("a"));
	sl_sim_free(copy);
	sl_backend_use(sl_sim_backend(self->sim));
}

TEST_F(crash, the_same_seed_gives_the_same_crash)
{
	char first[256];
	int fd = durable_file('-', 16);

	for (int i = 0; i < 8; i++)
		write_letters(fd, 'a' + i, 4, i);
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct sl_sim *copy = outcome(self->sim, seed);

		letters(first);
		sl_sim_free(copy);
		copy = outcome(self->sim, seed);
		EXPECT_STREQ(first, letters(self->buf));
		sl_sim_free(copy);
	}
}

TEST_HARNESS_MAIN
