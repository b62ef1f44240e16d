/* SPDX-License-Identifier: Apache-2.0 */
/* libsluice's cache: opening, settings, removing, figures, over restarts. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib_kit.h"
#include "uring/uring.h"

/* ---- opening ---------------------------------------------------------------------------- */

TEST(what_is_stored_is_there_after_closing_and_opening)
{
	struct sl_cache *c = lib_open("max_bytes=64M");

	EXPECT_EQ(0, lib_put(c, 1, 5000));
	EXPECT_EQ(0, lib_put(c, 2, 3000000));
	sl_cache_close(c);
	c = lib_open("max_bytes=64M");
	EXPECT_EQ(0, lib_get(c, 1, 5000));
	EXPECT_EQ(0, lib_get(c, 2, 3000000));
	EXPECT_EQ(2, lib_stat(c, "objects"));
	sl_cache_close(c);
	sl_cache_close(NULL);
}

/* A process that ends without closing: what was acknowledged is there. */
TEST(what_is_stored_is_there_after_the_process_was_killed)
{
	pid_t pid = fork();
	struct sl_cache *c;
	int status;

	if (!pid) {
		c = lib_open("max_bytes=64M");
		for (uint64_t i = 0; i < 50; i++)
			ASSERT_EQ(0, lib_put(c, i, 1000 * i));
		_exit(sl_cache_remove(c, lib_key(7), strlen(lib_key(7))));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	c = lib_open(NULL);
	for (uint64_t i = 0; i < 50; i++)
		EXPECT_EQ(i == 7 ? -ENOENT : 0, lib_get(c, i, 1000 * i));
	sl_cache_close(c);
}

TEST(a_folder_that_is_in_use_or_cannot_be_made_is_refused)
{
	struct sl_cache *c = lib_open(""), *other;
	char path[200], why[300];

	snprintf(path, sizeof(path), "%s/cache", harness_tmpdir());
	EXPECT_EQ(-EBUSY, sl_cache_open(path, "", &other, why, sizeof(why)));
	EXPECT_NOT_NULL(strstr(why, path));
	EXPECT_NOT_NULL(strstr(why, "another process"));
	EXPECT_EQ(-EBUSY, sl_cache_open(path, "", &other, NULL, 0));
	sl_cache_close(c);
	snprintf(path, sizeof(path), "%s/none/cache", harness_tmpdir());
	EXPECT_EQ(-ENOENT, sl_cache_open(path, "", &other, why, sizeof(why)));
	EXPECT_NOT_NULL(strstr(why, path));
}

/* ---- settings --------------------------------------------------------------------------- */

TEST(settings_are_those_of_the_daemon)
{
	struct sl_cache *c = lib_open(" max_bytes=32M, ttl=1h\tdurability=none\nblock_size=4K");

	EXPECT_EQ(32 << 20, lib_stat(c, "max_bytes"));
	EXPECT_EQ(0, sl_cache_configure(c, "max_bytes=48M", NULL, 0));
	EXPECT_EQ(48 << 20, lib_stat(c, "max_bytes"));
	sl_cache_close(c);
}

TEST(a_wrong_setting_is_told_with_its_name)
{
	static const char *const wrong[] = {"max_byts=1G", "max_bytes=12", "ttl=soon", "max_bytes",
					    "durability=maybe"};
	struct sl_cache *c = NULL;
	char path[200], why[300], name[40];

	snprintf(path, sizeof(path), "%s/cache", harness_tmpdir());
	for (size_t i = 0; i < SL_ARRAY_SIZE(wrong); i++) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(wrong[i], "="), wrong[i]);
		EXPECT_EQ(-EINVAL, sl_cache_open(path, wrong[i], &c, why, sizeof(why)));
		if (!EXPECT_NOT_NULL(strstr(why, name)))
			TH_LOG("%s: %s", wrong[i], why);
	}
	EXPECT_NULL(c);
	EXPECT_NE(0, access(path, F_OK));
	c = lib_open("");
	EXPECT_EQ(-EINVAL, sl_cache_configure(c, "ttl=1parsec", why, sizeof(why)));
	EXPECT_NOT_NULL(strstr(why, "ttl"));
	sl_cache_close(c);
}

TEST(it_shrinks_while_it_is_open)
{
	struct sl_cache *c = lib_open("max_bytes=128M durability=none");

	for (uint64_t i = 0; i < 80; i++)
		EXPECT_EQ(0, lib_put(c, i, 1000000));
	EXPECT_GT(lib_stat(c, "bytes"), 64 << 20);
	EXPECT_EQ(0, sl_cache_configure(c, "max_bytes=32M", NULL, 0));
	EXPECT_LE(lib_stat(c, "bytes"), 32 << 20);
	EXPECT_EQ(0, lib_put(c, 100, 1000000));
	EXPECT_EQ(0, lib_get(c, 100, 1000000));
	EXPECT_LE(lib_stat(c, "bytes"), 32 << 20);
	sl_cache_close(c);
}

/* ---- removing --------------------------------------------------------------------------- */

static int put_tagged(struct sl_cache *c, const char *key, const char *tag)
{
	struct sl_cache_put *p;

	ASSERT_EQ(0, sl_cache_put_begin(c, key, strlen(key), &p));
	EXPECT_EQ(0, sl_cache_put_tag(p, tag, strlen(tag)));
	EXPECT_EQ(0, sl_cache_put_write(p, key, strlen(key)));
	return sl_cache_put_commit(p);
}

static ssize_t bytes_of(struct sl_cache *c, const char *key)
{
	char buf[100];

	return sl_cache_lookup(c, key, strlen(key), 0, buf, sizeof(buf));
}

TEST(removed_and_purged_objects_are_not_found)
{
	struct sl_cache *c = lib_open("");

	EXPECT_EQ(0, put_tagged(c, "img/a", "red"));
	EXPECT_EQ(0, put_tagged(c, "img/b", "blue"));
	EXPECT_EQ(0, put_tagged(c, "css/a", "red"));
	EXPECT_EQ(0, put_tagged(c, "css/b", "blue"));
	EXPECT_EQ(5, bytes_of(c, "img/a"));
	EXPECT_EQ(0, sl_cache_remove(c, "img/a", 5));
	EXPECT_EQ(-ENOENT, sl_cache_remove(c, "img/a", 5));
	EXPECT_EQ(-ENOENT, bytes_of(c, "img/a"));
	EXPECT_EQ(0, sl_cache_purge_tag(c, "red", 3));
	EXPECT_EQ(-ENOENT, bytes_of(c, "css/a"));
	EXPECT_EQ(5, bytes_of(c, "css/b"));
	EXPECT_EQ(0, sl_cache_purge_prefix(c, "img/", 4));
	EXPECT_EQ(-ENOENT, bytes_of(c, "img/b"));
	EXPECT_EQ(5, bytes_of(c, "css/b"));
	EXPECT_EQ(0, put_tagged(c, "img/b", "red"));
	EXPECT_EQ(5, bytes_of(c, "img/b"));
	EXPECT_EQ(0, sl_cache_purge_prefix(c, NULL, 0));
	EXPECT_EQ(-ENOENT, bytes_of(c, "img/b"));
	EXPECT_EQ(-ENOENT, bytes_of(c, "css/b"));
	sl_cache_close(c);
}

/* ---- watching --------------------------------------------------------------------------- */

TEST(figures_count_what_was_done)
{
	struct sl_cache *c = lib_open("");

	EXPECT_EQ(0, lib_put(c, 1, 1000));
	EXPECT_EQ(0, lib_get(c, 1, 1000));
	EXPECT_EQ(0, lib_get(c, 1, 1000));
	EXPECT_EQ(-ENOENT, lib_get(c, 2, 1000));
	EXPECT_EQ(1, lib_stat(c, "stored"));
	EXPECT_EQ(1000, lib_stat(c, "stored_bytes"));
	EXPECT_EQ(2, lib_stat(c, "hits"));
	EXPECT_EQ(1, lib_stat(c, "memory_hits"));
	EXPECT_EQ(1, lib_stat(c, "misses"));
	sl_cache_close(c);
}

TEST(everything_can_be_verified)
{
	struct sl_cache *c = lib_open("max_bytes=64M");
	uint64_t objects = 0, bytes = 0;
	struct sl_cache_object *o;
	const void *data;
	char pattern[200];
	size_t n;
	glob_t g;
	int fd;

	EXPECT_EQ(0, lib_put(c, 1, 1000));
	EXPECT_EQ(0, lib_put(c, 2, 4000000));
	ASSERT_EQ(0, sl_cache_lookup_zero_copy(c, lib_key(2), 5, 0, &o, &data, &n));
	EXPECT_EQ(0, sl_cache_verify(c, &objects, &bytes));
	EXPECT_EQ(2, objects);
	EXPECT_EQ(4001000, bytes);
	/* One bit, in each file that is so long. */
	snprintf(pattern, sizeof(pattern), "%s/cache/*/*.seg", harness_tmpdir());
	ASSERT_EQ(0, glob(pattern, 0, NULL, &g));
	for (size_t i = 0; i < g.gl_pathc; i++) {
		char byte;

		fd = open(g.gl_pathv[i], O_RDWR | O_CLOEXEC);
		ASSERT_GE(fd, 0);
		if (pread(fd, &byte, 1, 3000000) == 1) {
			byte ^= 1;
			ASSERT_EQ(1, pwrite(fd, &byte, 1, 3000000));
		}
		close(fd);
	}
	globfree(&g);
	EXPECT_EQ(1, sl_cache_verify(c, NULL, NULL));
	sl_cache_release(o);
	EXPECT_EQ(-ENOENT, lib_get(c, 2, 4000000));
	EXPECT_EQ(0, lib_get(c, 1, 1000));
	EXPECT_EQ(1, lib_stat(c, "quarantined"));
	EXPECT_EQ(0, sl_cache_verify(c, NULL, NULL));
	sl_cache_close(c);
}

TEST_HARNESS_MAIN
