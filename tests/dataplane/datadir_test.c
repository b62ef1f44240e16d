// SPDX-License-Identifier: Apache-2.0
/* DATADIR: creation, the lock, VERSION, crashes at every point, refusals that say what to do. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/datadir.h"
#include "dataplane/file.h"
#include "harness.h"
#include "uring/sim.h"

FIXTURE(datadir)
{
	char path[512];
	char why[1024];
	struct sl_datadir dd;
	struct sl_datadir_conf conf;
};
FIXTURE_SETUP(datadir)
{
	snprintf(self->path, sizeof(self->path), "%s/data", harness_tmpdir());
	self->conf =
		(struct sl_datadir_conf){.path = self->path, .option = "-D", .uid = (uid_t)-1,
					 .gid = (gid_t)-1};
}
FIXTURE_TEARDOWN(datadir)
{
	sl_datadir_close(&self->dd, false, SL_NEVER);
}

static int open_dir(FIXTURE_DATA(datadir) * self, struct sl_datadir *ret_dd)
{
	return sl_datadir_open(ret_dd, &self->conf, self->why, sizeof(self->why), SL_NEVER);
}

static const char *file_of(FIXTURE_DATA(datadir) * self, const char *name)
{
	static char path[600];

	snprintf(path, sizeof(path), "%s/%s", self->path, name);
	return path;
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ASSERT_NOT_NULL(f);
	fputs(text, f);
	fclose(f);
}

TEST_F(datadir, a_new_one_is_private_and_has_an_id)
{
	struct stat st;

	ASSERT_EQ(0, open_dir(self, &self->dd));
	EXPECT_TRUE(self->dd.is_new);
	EXPECT_TRUE(self->dd.was_clean);
	EXPECT_EQ(1, self->dd.incarnation);
	EXPECT_EQ(22, strlen(self->dd.cluster_id));
	ASSERT_EQ(0, fstat(self->dd.fd, &st));
	EXPECT_EQ(0700, st.st_mode & 0777);
	ASSERT_EQ(0, stat(file_of(self, "VERSION"), &st));
	EXPECT_EQ(0600, st.st_mode & 0777);
	ASSERT_EQ(0, stat(file_of(self, "LOCK"), &st));
	EXPECT_EQ(0600, st.st_mode & 0777);
}

TEST_F(datadir, starts_are_counted_and_ends_remembered)
{
	char id[SL_DATADIR_CLUSTER_ID_BYTES];

	ASSERT_EQ(0, open_dir(self, &self->dd));
	memcpy(id, self->dd.cluster_id, sizeof(id));
	ASSERT_EQ(0, sl_datadir_close(&self->dd, true, SL_NEVER));
	ASSERT_EQ(0, open_dir(self, &self->dd));
	EXPECT_FALSE(self->dd.is_new);
	EXPECT_TRUE(self->dd.was_clean);
	EXPECT_EQ(2, self->dd.incarnation);
	EXPECT_STREQ(id, self->dd.cluster_id);
	ASSERT_EQ(0, sl_datadir_close(&self->dd, false, SL_NEVER));
	ASSERT_EQ(0, open_dir(self, &self->dd));
	EXPECT_FALSE(self->dd.was_clean);
	EXPECT_EQ(3, self->dd.incarnation);
}

TEST_F(datadir, a_second_daemon_is_refused_with_the_pid_of_the_first)
{
	char expected[700];
	struct sl_datadir other;

	ASSERT_EQ(0, open_dir(self, &self->dd));
	EXPECT_EQ(-EBUSY, open_dir(self, &other));
	snprintf(expected, sizeof(expected),
		 "%s: is in use by process %d: stop it (kill %d), or choose another folder with -D",
		 self->path, (int)getpid(), (int)getpid());
	EXPECT_STREQ(expected, self->why);
	ASSERT_EQ(0, sl_datadir_close(&self->dd, true, SL_NEVER));
	EXPECT_EQ(0, open_dir(self, &self->dd));
}

TEST_F(datadir, the_lock_goes_with_a_killed_process)
{
	int fds[2], status;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(fds));
	pid = fork();
	ASSERT_LE(0, pid);
	if (pid == 0) {
		byte = open_dir(self, &self->dd) == 0;
		(void)!write(fds[1], &byte, 1);
		pause();
	}
	ASSERT_EQ(1, read(fds[0], &byte, 1));
	EXPECT_EQ(1, byte);
	EXPECT_EQ(-EBUSY, open_dir(self, &self->dd));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, open_dir(self, &self->dd));
	EXPECT_FALSE(self->dd.was_clean);
}

TEST_F(datadir, offline_tools_take_the_lock_and_change_nothing)
{
	struct sl_datadir tool, other;

	self->conf.offline = true;
	EXPECT_EQ(-ENOENT, open_dir(self, &tool));
	self->conf.offline = false;
	ASSERT_EQ(0, open_dir(self, &self->dd));
	self->conf.offline = true;
	EXPECT_EQ(-EBUSY, open_dir(self, &tool));
	sl_datadir_close(&self->dd, false, SL_NEVER);
	ASSERT_EQ(0, open_dir(self, &tool));
	EXPECT_EQ(1, tool.incarnation);
	EXPECT_FALSE(tool.was_clean);
	self->conf.offline = false;
	EXPECT_EQ(-EBUSY, open_dir(self, &other));
	EXPECT_EQ(0, sl_datadir_close(&tool, true, SL_NEVER));
	ASSERT_EQ(0, open_dir(self, &self->dd));
	EXPECT_FALSE(self->dd.was_clean);
	EXPECT_EQ(2, self->dd.incarnation);
}

TEST_F(datadir, a_folder_of_other_things_is_refused)
{
	ASSERT_EQ(0, mkdir(self->path, 0755));
	write_text(file_of(self, "letter.txt"), "dear");
	EXPECT_EQ(-ENOTEMPTY, open_dir(self, &self->dd));
	EXPECT_NOT_NULL(strstr(self->why, "is not empty and holds no VERSION"));
	ASSERT_EQ(0, unlink(file_of(self, "letter.txt")));
	ASSERT_EQ(0, mkdir(file_of(self, "lost+found"), 0700));
	EXPECT_EQ(0, open_dir(self, &self->dd));
}

TEST_F(datadir, a_missing_parent_is_named)
{
	snprintf(self->path, sizeof(self->path), "%s/a/b", harness_tmpdir());
	EXPECT_EQ(-ENOENT, open_dir(self, &self->dd));
	EXPECT_NOT_NULL(strstr(self->why, "create its parent folder first"));
}

TEST_F(datadir, a_newer_format_is_refused_in_plain_words)
{
	ASSERT_EQ(0, mkdir(self->path, 0700));
	write_text(file_of(self, "VERSION"),
		   "sluice datadir\nformat 9\nmin_reader 8\nwhat comes here is not known yet\n");
	EXPECT_EQ(-EPROTONOSUPPORT, open_dir(self, &self->dd));
	EXPECT_NOT_NULL(strstr(self->why, "its format 9 needs a sluice that reads format 8, this "
					  "one reads 1"));
}

TEST_F(datadir, any_changed_or_missing_byte_of_version_is_noticed)
{
	char text[513];
	ssize_t len;

	ASSERT_EQ(0, open_dir(self, &self->dd));
	len = sl_read_file(self->dd.fd, "VERSION", text, sizeof(text), SL_NEVER);
	ASSERT_LT(40, len);
	ASSERT_EQ(0, sl_datadir_close(&self->dd, true, SL_NEVER));
	for (ssize_t i = 0; i < len; i++) {
		int fd = open(file_of(self, "VERSION"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
		char flipped = (char)(text[i] ^ 1 << harness_random() % 8);

		ASSERT_LE(0, fd);
		ASSERT_EQ(len, write(fd, text, (size_t)len));
		ASSERT_EQ(1, pwrite(fd, &flipped, 1, i));
		if (!EXPECT_GT(0, open_dir(self, &self->dd)))
			TH_LOG("byte %zd", i);
		ASSERT_EQ(0, ftruncate(fd, i));
		EXPECT_EQ(-EBADMSG, open_dir(self, &self->dd));
		close(fd);
	}
	EXPECT_NOT_NULL(strstr(self->why, "VERSION is damaged"));
}

TEST_F(datadir, the_cluster_id_of_the_settings_is_kept_and_must_not_change)
{
	self->conf.cluster_id = "my-cluster";
	ASSERT_EQ(0, open_dir(self, &self->dd));
	EXPECT_STREQ("my-cluster", self->dd.cluster_id);
	ASSERT_EQ(0, sl_datadir_close(&self->dd, true, SL_NEVER));
	self->conf.cluster_id = "";
	ASSERT_EQ(0, open_dir(self, &self->dd));
	EXPECT_STREQ("my-cluster", self->dd.cluster_id);
	ASSERT_EQ(0, sl_datadir_close(&self->dd, true, SL_NEVER));
	self->conf.cluster_id = "yours";
	EXPECT_EQ(-EINVAL, open_dir(self, &self->dd));
	EXPECT_NOT_NULL(strstr(self->why, "belongs to cluster my-cluster"));
}

TEST_F(datadir, what_root_creates_for_a_user_is_the_users)
{
	struct stat st;

	if (geteuid() != 0)
		SKIP(return, "needs root");
	self->conf.uid = self->conf.gid = 12345;
	ASSERT_EQ(0, open_dir(self, &self->dd));
	ASSERT_EQ(0, fstat(self->dd.fd, &st));
	EXPECT_EQ(12345, st.st_uid);
	ASSERT_EQ(0, stat(file_of(self, "VERSION"), &st));
	EXPECT_EQ(12345, st.st_uid);
	ASSERT_EQ(0, stat(file_of(self, "LOCK"), &st));
	EXPECT_EQ(12345, st.st_gid);
	sl_datadir_close(&self->dd, true, SL_NEVER);
	self->conf.uid = 54321;
	EXPECT_EQ(-EACCES, open_dir(self, &self->dd));
	EXPECT_NOT_NULL(strstr(self->why, "belongs to user 12345, and node.user is 54321"));
}

/* Descriptors that a failed opening left behind would keep the lock. */
TEST_F(datadir, every_failing_call_is_told_and_leaves_nothing_behind)
{
	int before = harness_open_fds();

	for (uint64_t nth = 1;; nth++) {
		struct sl_faults faults;
		int rc;

		sl_faults_init(&faults, sl_backend_kernel());
		faults.ops = sl_ops_file_mask();
		faults.err = EIO;
		faults.nth = nth;
		self->why[0] = '\0';
		sl_backend_use(&faults.backend);
		rc = open_dir(self, &self->dd);
		sl_backend_use(NULL);
		if (rc) {
			EXPECT_EQ(-EIO, rc);
			EXPECT_NE(0, strlen(self->why));
			EXPECT_EQ(before, harness_open_fds());
		}
		sl_datadir_close(&self->dd, true, SL_NEVER);
		if (faults.count < nth)
			break;
		ASSERT_EQ(0, open_dir(self, &self->dd));
		sl_datadir_close(&self->dd, true, SL_NEVER);
		sl_remove_tree(AT_FDCWD, self->path, SL_NEVER);
		ASSERT_GT(100, nth);
	}
}

/* What may find no space while VERSION is replaced, or another quota. */
static void fail_for_space(struct sl_faults *faults, uint64_t nth, int err)
{
	sl_faults_init(faults, sl_backend_kernel());
	faults->ops = UINT64_C(1) << SL_OP_WRITEV | UINT64_C(1) << SL_OP_RENAMEAT |
		      UINT64_C(1) << SL_OP_FSYNC;
	faults->nth = nth;
	faults->err = err;
	faults->sticky = true;
}

/* The start before, of a folder that exists. */
static uint64_t start_before(FIXTURE_DATA(datadir) * self)
{
	uint64_t incarnation;

	ASSERT_EQ(0, open_dir(self, &self->dd));
	incarnation = self->dd.incarnation;
	ASSERT_EQ(0, sl_datadir_close(&self->dd, false, SL_NEVER));
	return incarnation;
}

TEST_F(datadir, a_start_without_space_is_counted_later)
{
	struct sl_faults faults;
	uint64_t before = start_before(self), nth = 0;

	do {
		nth++;
		fail_for_space(&faults, nth, nth % 2 ? ENOSPC : EDQUOT);
		sl_backend_use(&faults.backend);
		ASSERT_EQ(0, open_dir(self, &self->dd));
		EXPECT_EQ(before + 1, self->dd.incarnation);
		if (faults.count >= nth) {
			EXPECT_EQ(-faults.err, self->dd.pending);
			EXPECT_EQ(-faults.err, sl_datadir_count(&self->dd, SL_NEVER));
			EXPECT_EQ(-faults.err, self->dd.pending);
		}
		sl_backend_use(NULL);
		EXPECT_EQ(0, sl_datadir_count(&self->dd, SL_NEVER));
		EXPECT_EQ(0, self->dd.pending);
		ASSERT_EQ(0, sl_datadir_close(&self->dd, false, SL_NEVER));
		before++;
	} while (faults.count >= nth && nth < 20);
	EXPECT_LE(5, nth); /* LOCK's number, and four steps of VERSION's replacement */
	EXPECT_EQ(before + 1, start_before(self));
}

TEST_F(datadir, a_start_that_was_never_counted_has_no_number)
{
	struct sl_faults faults;
	uint64_t before = start_before(self);

	for (int i = 0; i < 3; i++) {
		fail_for_space(&faults, 1, ENOSPC);
		sl_backend_use(&faults.backend);
		ASSERT_EQ(0, open_dir(self, &self->dd));
		EXPECT_EQ(-ENOSPC, self->dd.pending);
		EXPECT_EQ(before + 1, self->dd.incarnation);
		EXPECT_EQ(-ENOSPC, sl_datadir_close(&self->dd, true, SL_NEVER));
		sl_backend_use(NULL);
	}
	/* A clean end with space counts it. */
	fail_for_space(&faults, 1, ENOSPC);
	sl_backend_use(&faults.backend);
	ASSERT_EQ(0, open_dir(self, &self->dd));
	sl_backend_use(NULL);
	EXPECT_EQ(0, sl_datadir_close(&self->dd, true, SL_NEVER));
	ASSERT_EQ(0, open_dir(self, &self->dd));
	EXPECT_TRUE(self->dd.was_clean);
	EXPECT_EQ(before + 2, self->dd.incarnation);
}

TEST_F(datadir, a_new_one_needs_space)
{
	struct sl_faults faults;

	fail_for_space(&faults, 3, ENOSPC); /* behind LOCK's number and the parent's sync */
	sl_backend_use(&faults.backend);
	EXPECT_EQ(-ENOSPC, open_dir(self, &self->dd));
	sl_backend_use(NULL);
	EXPECT_NOT_NULL(strstr(self->why, "VERSION cannot be written: No space left"));
}

/* ---- power cuts on the simulated disk ---------------------------------------------------- */

struct life {
	uint64_t incarnation; /* the last that was acknowledged */
	char cluster_id[SL_DATADIR_CLUSTER_ID_BYTES];
	bool clean; /* a clean end was acknowledged, and no start attempted since */
};

static const struct sl_datadir_conf sim_conf = {
	.path = "/data", .uid = (uid_t)-1, .gid = (gid_t)-1, .exclusive = true};

/*
 * Four starts and ends, until the power goes; what was acknowledged goes to @life. The last but one
 * finds the disk full and is counted when there is space.
 */
static void live(struct sl_sim *sim, struct life *life)
{
	char why[256];

	for (int i = 0; i < 4; i++) {
		struct sl_datadir dd;
		bool clean = i != 1;

		life->clean = false;
		sl_sim_limit(sim, i == 2);
		if (sl_datadir_open(&dd, &sim_conf, why, sizeof(why), SL_NEVER))
			return;
		sl_sim_limit(sim, 0);
		if (dd.pending && sl_datadir_count(&dd, SL_NEVER)) {
			sl_datadir_close(&dd, false, SL_NEVER);
			return;
		}
		life->incarnation = dd.incarnation;
		memcpy(life->cluster_id, dd.cluster_id, sizeof(dd.cluster_id));
		if (sl_datadir_close(&dd, clean, SL_NEVER) == 0)
			life->clean = clean;
	}
}

/* Whether the next start finds all that @life had been promised. */
static bool holds(const struct life *life, char *why, size_t why_len)
{
	struct sl_datadir dd;
	bool ok;

	why[0] = '\0';
	if (sl_datadir_open(&dd, &sim_conf, why, why_len, SL_NEVER))
		return false;
	ok = dd.incarnation > life->incarnation &&
	     (life->incarnation == 0 || strcmp(dd.cluster_id, life->cluster_id) == 0) &&
	     (!life->clean || dd.was_clean);
	sl_datadir_close(&dd, true, SL_NEVER);
	return ok;
}

/* How many of all cuts, each with several outcomes, break a promise when @skip is not synced. */
static int broken_promises(enum sl_fault skip, char *why, size_t why_len)
{
	int broken = 0;

	for (uint64_t cut = 0;; cut++) {
		struct sl_sim *sim = sl_sim_new(harness_random(), NULL);
		struct life life = {0};
		bool was_cut;

		if (skip != SL_FAULT_NONE)
			sl_sim_skip_sync(sim, skip);
		sl_backend_use(sl_sim_backend(sim));
		sl_sim_cut_after(sim, cut);
		live(sim, &life);
		was_cut = sl_sim_is_cut(sim);
		for (int outcome = 0; outcome < 12; outcome++) {
			struct sl_sim *end = sl_sim_clone(sim);

			sl_sim_seed(end, harness_random());
			sl_backend_use(sl_sim_backend(end));
			sl_sim_reboot(end, outcome == 0	  ? SL_SIM_KEEP_ALL
					   : outcome == 1 ? SL_SIM_LOSE_ALL
							  : SL_SIM_RANDOM);
			broken += !holds(&life, why, why_len);
			sl_backend_use(NULL);
			sl_sim_free(end);
		}
		sl_sim_free(sim);
		if (!was_cut)
			return broken;
	}
}

TEST(a_power_cut_at_any_point_keeps_every_promise)
{
	char why[256];

	if (!EXPECT_EQ(0, broken_promises(SL_FAULT_NONE, why, sizeof(why))))
		TH_LOG("%s", why);
}

TEST(leaving_out_any_sync_is_noticed)
{
	static const enum sl_fault points[] = {SL_FAULT_SYNC_DATADIR_VERSION,
					       SL_FAULT_SYNC_DATADIR_FOLDER,
					       SL_FAULT_SYNC_DATADIR_PARENT};
	char why[256];

	for (size_t i = 0; i < SL_ARRAY_SIZE(points); i++)
		EXPECT_LT(0, broken_promises(points[i], why, sizeof(why)));
}

TEST_HARNESS_MAIN
