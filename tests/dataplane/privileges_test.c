// SPDX-License-Identifier: Apache-2.0
/* Giving up privileges: what is gone afterwards is tried, not assumed. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/privileges.h"
#include "harness.h"

#define NOBODY "65534"

FIXTURE(privileges)
{
	struct sl_privileges_conf conf;
	struct sl_privileges_report report;
	char why[256];
};
FIXTURE_SETUP(privileges)
{
	harness_leaks_unchecked();
	self->conf.user = "";
}
FIXTURE_TEARDOWN(privileges)
{
}

static int drop(FIXTURE_DATA(privileges) * self)
{
	return sl_privileges_drop(&self->conf, &self->report, self->why, sizeof(self->why));
}

static bool done(FIXTURE_DATA(privileges) * self, enum sl_privilege step)
{
	return self->report.steps[step].state == SL_PRIVILEGE_DONE;
}

TEST_F(privileges, every_step_is_done_or_says_why_not)
{
	ASSERT_EQ(0, drop(self));
	for (int i = 0; i < SL_PRIVILEGE_LAST; i++) {
		enum sl_privilege step = (enum sl_privilege)i;

		TH_LOG("%s: %s %s", sl_privilege_name(step), done(self, step) ? "done" : "skipped",
		       self->report.steps[i].why);
		EXPECT_TRUE(done(self, step) || strlen(self->report.steps[i].why) > 0);
	}
	EXPECT_STREQ("node.confine is off", self->report.steps[SL_PRIVILEGE_LANDLOCK].why);
	EXPECT_EQ(1, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

TEST_F(privileges, the_limit_of_open_files_is_raised_to_the_hard_one)
{
	struct rlimit limit;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 64;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	ASSERT_EQ(0, drop(self));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(limit.rlim_max, limit.rlim_cur);
	EXPECT_TRUE(done(self, SL_PRIVILEGE_NOFILE));
}

TEST_F(privileges, users_are_names_or_numbers)
{
	uid_t uid = 1;
	gid_t gid = 1;

	EXPECT_EQ(0, sl_privileges_user("root", &uid, &gid));
	EXPECT_EQ(0, uid);
	EXPECT_EQ(0, sl_privileges_user("4000000", &uid, &gid));
	EXPECT_EQ(4000000, uid);
	EXPECT_EQ(4000000, gid);
	EXPECT_EQ(-ENOENT, sl_privileges_user("no-such-user", &uid, &gid));
	EXPECT_EQ(-ENOENT, sl_privileges_user("12x", &uid, &gid));
	EXPECT_EQ(-ENOENT, sl_privileges_user("-1", &uid, &gid));
}

TEST_F(privileges, an_unknown_user_is_a_failure_that_says_what_to_do)
{
	self->conf.user = "no-such-user";
	EXPECT_EQ(-ENOENT, drop(self));
	EXPECT_NOT_NULL(strstr(self->why, "there is no such user; create it"));
}

static void *ids(void *arg)
{
	*(uid_t *)arg = geteuid();
	return NULL;
}

TEST_F(privileges, root_becomes_the_user_and_cannot_go_back)
{
	pthread_t thread;
	gid_t groups[4];
	uid_t seen = 0;

	if (geteuid() != 0)
		SKIP(return, "needs root");
	self->conf.user = NOBODY;
	ASSERT_EQ(0, drop(self));
	EXPECT_TRUE(done(self, SL_PRIVILEGE_USER));
	EXPECT_EQ(65534, getuid());
	EXPECT_EQ(65534, getegid());
	EXPECT_GE(1, getgroups(4, groups));
	EXPECT_EQ(-1, setuid(0));
	EXPECT_EQ(-1, setresuid(0, 0, 0));
	EXPECT_EQ(-1, setgroups(0, NULL));
	EXPECT_EQ(-1, open("/etc/shadow", O_RDONLY));
	ASSERT_EQ(0, pthread_create(&thread, NULL, ids, &seen));
	pthread_join(thread, NULL);
	EXPECT_EQ(65534, seen);
}

static bool has_cap(cap_value_t cap)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;

	ASSERT_NOT_NULL(caps);
	cap_get_flag(caps, cap, CAP_EFFECTIVE, &value);
	cap_free(caps);
	return value == CAP_SET;
}

TEST_F(privileges, only_useful_capabilities_are_kept)
{
	bool lock = has_cap(CAP_IPC_LOCK);

	self->conf.user = geteuid() == 0 ? NOBODY : "";
	ASSERT_EQ(0, drop(self));
	EXPECT_EQ(lock, has_cap(CAP_IPC_LOCK));
	EXPECT_FALSE(has_cap(CAP_SYS_ADMIN));
	EXPECT_FALSE(has_cap(CAP_DAC_OVERRIDE));
	EXPECT_FALSE(has_cap(CAP_SETUID));
	EXPECT_FALSE(has_cap(CAP_NET_BIND_SERVICE));
}

TEST_F(privileges, low_ports_keep_their_capability)
{
	bool bind = has_cap(CAP_NET_BIND_SERVICE);

	self->conf.low_ports = true;
	ASSERT_EQ(0, drop(self));
	EXPECT_EQ(bind, has_cap(CAP_NET_BIND_SERVICE));
}

TEST_F(privileges, another_user_than_root_cannot_change)
{
	if (geteuid() == 0)
		ASSERT_EQ(0, setresuid(65534, 65534, 65534));
	if (access("/etc/passwd", R_OK))
		SKIP(return, "this tree is closed to all users but root");
	self->conf.user = "root";
	EXPECT_EQ(-EPERM, drop(self));
	EXPECT_NOT_NULL(strstr(self->why, "only root can change the user"));
}

TEST_F(privileges, a_change_of_user_forbids_core_dumps_unless_they_are_asked_for)
{
	if (geteuid() != 0)
		SKIP(return, "needs root");
	self->conf.user = NOBODY;
	ASSERT_EQ(0, drop(self));
	EXPECT_NE(1, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	self->conf.core_dumps = true;
	ASSERT_EQ(0, drop(self));
	EXPECT_EQ(1, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
}

static int try_open(const char *folder, const char *name, int flags)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, flags, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

TEST_F(privileges, landlock_leaves_the_configured_folders_and_no_others)
{
	const char *top = harness_tmpdir();
	char data[256], conf[256], other[256], file[256], none[256];
	struct sl_privileges_path paths[] = {{data, true, false},
					     {conf, false, false},
					     {file, true, false},
					     {none, true, true},
					     {"/proc", false, true}}; /* for LeakSanitizer */

	snprintf(data, sizeof(data), "%s/data", top);
	snprintf(conf, sizeof(conf), "%s/conf", top);
	snprintf(other, sizeof(other), "%s/other", top);
	snprintf(file, sizeof(file), "%s/file", top);
	snprintf(none, sizeof(none), "%s/none", top);
	ASSERT_EQ(0, mkdir(data, 0700) | mkdir(conf, 0700) | mkdir(other, 0700));
	ASSERT_EQ(0, try_open(top, "file", O_WRONLY | O_CREAT));
	ASSERT_EQ(0, try_open(conf, "c", O_WRONLY | O_CREAT));
	ASSERT_EQ(0, try_open(other, "o", O_WRONLY | O_CREAT));
	self->conf.confine = true;
	self->conf.paths = paths;
	self->conf.paths_n = 5;
	ASSERT_EQ(0, drop(self));
	if (!done(self, SL_PRIVILEGE_LANDLOCK))
		SKIP(return, "%s", self->report.steps[SL_PRIVILEGE_LANDLOCK].why);
	EXPECT_EQ(0, try_open(data, "d", O_WRONLY | O_CREAT));
	EXPECT_EQ(0, try_open(data, "d", O_RDWR | O_TRUNC));
	EXPECT_EQ(0, try_open(conf, "c", O_RDONLY));
	EXPECT_EQ(-EACCES, try_open(conf, "c", O_WRONLY));
	EXPECT_EQ(-EACCES, try_open(conf, "new", O_WRONLY | O_CREAT));
	EXPECT_EQ(-EACCES, try_open(other, "o", O_RDONLY));
	EXPECT_EQ(-EACCES, try_open("/etc", "passwd", O_RDONLY));
	EXPECT_EQ(0, try_open(top, "file", O_RDWR));
	chmod(top, 0700);
}

TEST_F(privileges, a_missing_folder_makes_landlock_a_skip_that_names_it)
{
	struct sl_privileges_path path = {"/nonexistent/folder", true, false};

	self->conf.confine = true;
	self->conf.paths = &path;
	self->conf.paths_n = 1;
	ASSERT_EQ(0, drop(self));
	EXPECT_FALSE(done(self, SL_PRIVILEGE_LANDLOCK));
	TH_LOG("%s", self->report.steps[SL_PRIVILEGE_LANDLOCK].why);
}

TEST_HARNESS_MAIN
