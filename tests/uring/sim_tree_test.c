/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated disk's folders: which names are durable when, and what a rename leaves. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim_calls.h"

FIXTURE(tree)
{
	struct sl_sim *sim;
	char buf[256];
};

FIXTURE_SETUP(tree)
{
	self->sim = sl_sim_new(3, NULL);
	sl_backend_use(sl_sim_backend(self->sim));
}

FIXTURE_TEARDOWN(tree)
{
	sl_backend_use(NULL);
	sl_sim_free(self->sim);
}

static bool exists(const char *path)
{
	struct statx stx;

	return !call_statx(AT_FDCWD, path, 0, &stx);
}

TEST_F(tree, syncing_a_new_file_leaves_its_name_undurable)
{
	EXPECT_EQ(0, call_put("a", "text", true));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_FALSE(exists("a"));
}

TEST_F(tree, syncing_a_folder_leaves_what_is_in_its_files_undurable)
{
	EXPECT_EQ(0, call_put("a", "text", false));
	EXPECT_EQ(0, call_sync_path("/"));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_STREQ("", call_get("a", self->buf));
}

TEST_F(tree, a_file_is_durable_with_both)
{
	EXPECT_EQ(0, call_put("a", "text", true));
	EXPECT_EQ(0, call_sync_path("/"));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_STREQ("text", call_get("a", self->buf));
}

TEST_F(tree, every_folder_on_the_way_must_be_synced)
{
	EXPECT_EQ(0, call_mkdir("d"));
	EXPECT_EQ(0, call_put("d/a", "text", true));
	EXPECT_EQ(0, call_sync_path("d"));
	struct sl_sim *with = sl_sim_clone(self->sim);

	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_FALSE(exists("d"));
	sl_backend_use(sl_sim_backend(with));
	EXPECT_EQ(0, call_sync_path("/"));
	sl_sim_reboot(with, SL_SIM_LOSE_ALL);
	EXPECT_STREQ("text", call_get("d/a", self->buf));
	sl_backend_use(NULL);
	sl_sim_free(with);
}

TEST_F(tree, an_unsynced_removal_comes_back_with_its_content)
{
	EXPECT_EQ(0, call_put("a", "text", true));
	EXPECT_EQ(0, call_sync_path("/"));
	EXPECT_EQ(0, call_unlink("a"));
	EXPECT_EQ(0, sl_sim_used(self->sim));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_STREQ("text", call_get("a", self->buf));
	EXPECT_EQ(4096, sl_sim_used(self->sim));
	EXPECT_EQ(0, call_unlink("a"));
	EXPECT_EQ(0, call_sync_path("/"));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_FALSE(exists("a"));
}

TEST_F(tree, an_unsynced_rename_leaves_the_old)
{
	call_put("a", "old", true);
	call_sync_path("/");
	call_put("tmp", "new", true);
	EXPECT_EQ(0, call_rename("tmp", "a"));
	EXPECT_STREQ("new", call_get("a", self->buf));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_STREQ("old", call_get("a", self->buf));
	EXPECT_FALSE(exists("tmp"));
}

TEST_F(tree, a_synced_rename_leaves_the_new)
{
	call_put("a", "old", true);
	call_sync_path("/");
	call_put("tmp", "new", true);
	call_rename("tmp", "a");
	EXPECT_EQ(0, call_sync_path("/"));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_STREQ("new", call_get("a", self->buf));
	EXPECT_FALSE(exists("tmp"));
}

TEST_F(tree, a_rename_without_the_files_sync_shows_nothing_of_it)
{
	call_put("a", "old", true);
	call_sync_path("/");
	call_put("tmp", "new", false);
	call_rename("tmp", "a");
	call_sync_path("/");
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_STREQ("", call_get("a", self->buf));
}

TEST_F(tree, a_move_between_folders_needs_both)
{
	call_mkdir("x");
	call_mkdir("y");
	call_put("x/a", "text", true);
	call_sync_path("/");
	call_sync_path("x");
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(0, call_rename("x/a", "y/a"));
		EXPECT_EQ(0, call_sync_path(i ? "x" : "y"));
		sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
		EXPECT_TRUE(exists("x/a"));
		EXPECT_FALSE(exists("y/a"));
	}
	EXPECT_EQ(0, call_rename("x/a", "y/a"));
	EXPECT_EQ(0, call_sync_path("x"));
	EXPECT_EQ(0, call_sync_path("y"));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_FALSE(exists("x/a"));
	EXPECT_STREQ("text", call_get("y/a", self->buf));
}

TEST_F(tree, a_move_waits_for_the_folder_it_leads_to)
{
	call_put("a", "text", true);
	call_sync_path("/");
	call_mkdir("p");
	call_mkdir("p/x");
	EXPECT_EQ(0, call_rename("a", "p/x/a"));
	EXPECT_EQ(0, call_sync_path("p/x"));
	call_mkdir("q"); /* the root is synced by what follows, but first without p */
	EXPECT_EQ(0, call_sync_path("/"));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_STREQ("text", call_get("a", self->buf)); /* p/x is not in p, so it did not move */
	EXPECT_TRUE(exists("p"));
	EXPECT_FALSE(exists("p/x"));
}

TEST_F(tree, moving_a_folder_makes_nothing_in_it_durable)
{
	call_mkdir("tmp");
	call_put("tmp/a", "text", true);
	call_rename("tmp", "d");
	call_sync_path("/");
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_TRUE(exists("d"));
	EXPECT_FALSE(exists("d/a"));
}

TEST_F(tree, a_failed_sync_of_a_folder_is_not_made_up_for)
{
	call_put("a", "text", true);
	sl_sim_fail_sync(self->sim, 1);
	EXPECT_EQ(-EIO, call_sync_path("/"));
	EXPECT_EQ(0, call_sync_path("/"));
	call_put("b", "text", true);
	EXPECT_EQ(0, call_sync_path("/"));
	sl_sim_reboot(self->sim, SL_SIM_KEEP_ALL);
	EXPECT_FALSE(exists("a"));
	EXPECT_TRUE(exists("b"));
}

TEST_F(tree, a_removed_folder_goes_with_its_last_names)
{
	call_mkdir("d");
	call_put("d/a", "text", true);
	call_sync_path("d");
	call_sync_path("/");
	EXPECT_EQ(-ENOTEMPTY, call_rmdir("d"));
	EXPECT_EQ(0, call_unlink("d/a"));
	EXPECT_EQ(0, call_rmdir("d"));
	struct sl_sim *unsynced = sl_sim_clone(self->sim);

	EXPECT_EQ(0, call_sync_path("/"));
	sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
	EXPECT_FALSE(exists("d"));
	sl_backend_use(sl_sim_backend(unsynced));
	sl_sim_reboot(unsynced, SL_SIM_LOSE_ALL);
	EXPECT_STREQ("text", call_get("d/a", self->buf));
	sl_backend_use(NULL);
	sl_sim_free(unsynced);
}

/* ---- any sequence -------------------------------------------------------------------------- */

static const char *const spots[] = {"a", "b", "c", "a/a", "a/b", "b/a", "a/a/a", "b/a/b", "c/c"};

static void random_change(void)
{
	const char *p = spots[harness_random() % SL_ARRAY_SIZE(spots)];
	const char *q = spots[harness_random() % SL_ARRAY_SIZE(spots)];

	switch (harness_random() % 9) {
	case 0:
	case 1:
		call_mkdir(p);
		break;
	case 2:
		call_close(call_open(p, O_RDWR | O_CREAT));
		break;
	case 3:
	case 4:
	case 5:
		call_rename(p, q);
		break;
	case 6:
		call_unlink(p);
		break;
	case 7:
		call_rmdir(p);
		break;
	default:
		call_sync_path(harness_random() % 2 ? "/" : p);
	}
}

static void note(char *list, size_t bytes)
{
	*list = 0;
	for (size_t i = 0; i < SL_ARRAY_SIZE(spots); i++) {
		struct statx stx;

		if (call_statx(AT_FDCWD, spots[i], 0, &stx))
			continue;
		snprintf(list + strlen(list), bytes - strlen(list), "%s:%llu ", spots[i],
			 (unsigned long long)stx.stx_ino);
	}
}

TEST_F(tree, whatever_happens_a_cut_leaves_a_tree)
{
	char before[512], after[512];

	for (int i = 0; i < 3000; i++) {
		enum sl_sim_policy policy = (enum sl_sim_policy)(i % 3);
		struct sl_sim *copy;

		for (uint64_t n = harness_random() % 20; n; n--)
			random_change();
		note(before, sizeof(before));
		copy = sl_sim_clone(self->sim);
		sl_sim_reboot(self->sim, policy); /* asserts that it is one */
		note(after, sizeof(after));
		if (policy == SL_SIM_KEEP_ALL)
			ASSERT_STREQ(before, after);
		sl_backend_use(sl_sim_backend(copy));
		sl_sim_reboot(copy, policy);
		note(before, sizeof(before));
		ASSERT_STREQ(before, after); /* a clone's fate is the same */
		sl_backend_use(sl_sim_backend(self->sim));
		sl_sim_free(copy);
	}
}

/* Syncs @fd and every folder below it, and closes it. */
static void sync_below(int fd)
{
	char buf[1024];
	int n;

	ASSERT_EQ(0, call_fsync(fd));
	while ((n = call_getdents(fd, buf, sizeof(buf))) > 0) {
		for (int at = 0; at < n;) {
			struct dirent64 *d = (void *)(buf + at);

			if (d->d_type == DT_DIR && d->d_name[0] != '.')
				sync_below(call_open_at(fd, d->d_name, O_RDONLY | O_DIRECTORY));
			at += d->d_reclen;
		}
	}
	ASSERT_EQ(0, n);
	call_close(fd);
}

TEST_F(tree, syncing_all_folders_keeps_all)
{
	char before[512], after[512];

	for (int i = 0; i < 2000; i++) {
		for (uint64_t n = harness_random() % 20; n; n--)
			random_change();
		/* Twice: what moved may wait for the folder it went to. */
		sync_below(call_open("/", O_RDONLY | O_DIRECTORY));
		sync_below(call_open("/", O_RDONLY | O_DIRECTORY));
		note(before, sizeof(before));
		sl_sim_reboot(self->sim, SL_SIM_LOSE_ALL);
		note(after, sizeof(after));
		ASSERT_STREQ(before, after);
	}
}

TEST_HARNESS_MAIN
