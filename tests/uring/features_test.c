/* SPDX-License-Identifier: Apache-2.0 */
/* Features: the table, the probe, kernels that lack something, and io_uring that is off. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "rings.h"

/* ---- the table and the probe -------------------------------------------------------------- */

/* Stands before liburing's own: a kernel without some operation, or that cannot be asked. */
static int missing_op = -1;
static bool no_probe;

struct io_uring_probe *io_uring_get_probe_ring(struct io_uring *ring)
{
	struct io_uring_probe *(*real)(struct io_uring *) =
		(struct io_uring_probe * (*)(struct io_uring *))
			dlsym(RTLD_NEXT, "io_uring_get_probe_ring");
	struct io_uring_probe *p = no_probe ? NULL : real(ring);

	for (int i = 0; p && i < p->ops_len; i++)
		if (p->ops[i].op == missing_op)
			p->ops[i].flags &= (uint16_t)~IO_URING_OP_SUPPORTED;
	return p;
}

TEST(every_row_of_the_table_is_whole)
{
	for (int f = 0; f < SL_FEATURE_LAST; f++) {
		const struct sl_feature_info *i = sl_feature_info((enum sl_feature)f);

		EXPECT_LT(0, strlen(i->name));
		EXPECT_LT(0, strlen(i->without));
		EXPECT_TRUE(i->since[0] == '5' || i->since[0] == '6');
	}
	EXPECT_STREQ("EXT_ARG", sl_feature_info(SL_FEATURE_EXT_ARG)->name);
	EXPECT_TRUE(sl_feature_info(SL_FEATURE_MSG_RING)->required);
	EXPECT_FALSE(sl_feature_info(SL_FEATURE_SEND_ZC)->required);
}

TEST(a_ring_has_all_that_is_required)
{
	struct sl_ring *ring = ring_of(&(struct sl_ring_conf){0});

	for (int f = 0; f < SL_FEATURE_LAST; f++)
		if (sl_feature_info((enum sl_feature)f)->required)
			EXPECT_TRUE(sl_ring_has(ring, (enum sl_feature)f));
	sl_ring_free(ring);
}

/* Whether a ring is refused with @err and a cause that has @word in it. */
static bool refused(int err, const char *word)
{
	struct sl_ring *ring = NULL;
	char why[300] = "";
	int got = sl_ring_new(&(struct sl_ring_conf){0}, &ring, why, sizeof(why));

	TH_LOG("%s", why);
	return got == err && !ring && strstr(why, word);
}

TEST(a_kernel_without_what_is_required_is_named)
{
	missing_op = IORING_OP_SEND_ZC;
	EXPECT_TRUE(refused(-ENOSYS, "has no MULTISHOT_RECV"));
	EXPECT_TRUE(refused(-ENOSYS, "came with Linux 6.0"));
	EXPECT_TRUE(refused(-ENOSYS, "needs Linux 6.1 or later"));
	missing_op = IORING_OP_MSG_RING;
	EXPECT_TRUE(refused(-ENOSYS, "waking another core"));
}

TEST(a_ring_that_cannot_be_probed_says_so)
{
	no_probe = true;
	EXPECT_TRUE(refused(-ENOSYS, "io_uring_register"));
}

TEST(an_operation_that_the_ring_lacks_is_a_system_call)
{
	struct sl_ring *ring;
	struct sl_io io;
	char path[300];
	int fd;

	missing_op = IORING_OP_FTRUNCATE;
	ring = ring_of(&(struct sl_ring_conf){0});
	EXPECT_FALSE(sl_ring_has(ring, SL_FEATURE_FTRUNCATE));
	snprintf(path, sizeof(path), "%s/f", harness_tmpdir());
	fd = open(path, O_RDWR | O_CREAT, 0600);
	sl_io_ftruncate(&io, fd, 1234);
	EXPECT_EQ(0, ring_do(ring, &io));
	EXPECT_EQ(1, sl_ring_stats(ring)->inline_fallbacks);
	EXPECT_EQ(1234, lseek(fd, 0, SEEK_END));
	sl_io_ftruncate(&io, -1, 1);
	EXPECT_EQ(-EBADF, ring_do(ring, &io));
	close(fd);
	sl_ring_free(ring);
}

/* ---- io_uring is off ---------------------------------------------------------------------- */

/* io_uring_setup says @err from now on, in this test's own process. */
static bool filter_setup(int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), /* the call's number */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {SL_ARRAY_SIZE(code), code};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/* What the setting says, for this process alone: another file lies over it. */
static bool pretend_sysctl(int value)
{
	static const char setting[] = "/proc/sys/kernel/io_uring_disabled";
	char path[300], text[8];
	int fd;

	snprintf(path, sizeof(path), "%s/setting", harness_tmpdir());
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	snprintf(text, sizeof(text), "%d\n", value);
	ASSERT_EQ((ssize_t)strlen(text), write(fd, text, strlen(text)));
	close(fd);
	return !unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount(path, setting, NULL, MS_BIND, NULL);
}

static void off_by_sysctl(int value, const char *cure)
{
	char word[100];

	if (access("/proc/sys/kernel/io_uring_disabled", F_OK))
		SKIP(return, "this kernel has no such setting");
	if (!pretend_sysctl(value))
		SKIP(return, "not allowed to mount: %s", strerror(errno));
	if (!filter_setup(EPERM))
		SKIP(return, "not allowed to filter calls: %s", strerror(errno));
	snprintf(word, sizeof(word), "sysctl kernel.io_uring_disabled=%d", value);
	EXPECT_TRUE(refused(-EPERM, word));
	EXPECT_TRUE(refused(-EPERM, cure));
}

TEST(switched_off_for_all_by_sysctl)
{
	off_by_sysctl(2, "allow it with: sysctl kernel.io_uring_disabled=0");
}

TEST(switched_off_for_users_by_sysctl)
{
	off_by_sysctl(1, "or run sluiced as root");
}

TEST(switched_off_by_seccomp)
{
	if (!filter_setup(EPERM))
		SKIP(return, "not allowed to filter calls: %s", strerror(errno));
	EXPECT_TRUE(refused(-EPERM, "seccomp"));
	EXPECT_TRUE(refused(-EPERM, "as its profile"));
}

TEST(hidden_by_seccomp)
{
	if (!filter_setup(ENOSYS))
		SKIP(return, "not allowed to filter calls: %s", strerror(errno));
	EXPECT_TRUE(refused(-ENOSYS, "has no io_uring, or a seccomp filter hides it"));
	EXPECT_TRUE(refused(-ENOSYS, "Linux 6.1"));
}

TEST(no_memory_for_a_ring)
{
	if (!filter_setup(ENOMEM))
		SKIP(return, "not allowed to filter calls: %s", strerror(errno));
	EXPECT_TRUE(refused(-ENOMEM, "ulimit -l"));
}

TEST(no_descriptor_for_a_ring)
{
	struct rlimit r;
	int next = dup(0);

	close(next);
	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = (rlim_t)next;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &r));
	EXPECT_TRUE(refused(-EMFILE, "RLIMIT_NOFILE")); /* for the event */
	r.rlim_cur++;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &r));
	EXPECT_TRUE(refused(-EMFILE, "RLIMIT_NOFILE")); /* for the ring */
}

TEST_HARNESS_MAIN
