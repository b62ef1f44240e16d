// SPDX-License-Identifier: Apache-2.0
/*
 * privileges: limits, user, capabilities, Landlock. Interface: privileges.h.
 *
 * The order matters: limits are raised while root may; the user is changed with capabilities kept
 * (PR_SET_KEEPCAPS), which are then cut down; no-new-privileges comes before Landlock, which
 * demands it; Landlock comes last, for the steps before it read files of their own.
 * Invariant: a step that gives something up either did, or the report says why not; a change of
 * user that fails is never skipped.
 * Order of parts: reports; limits; the user; capabilities; flags; Landlock; all of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file.h"
#include "privileges.h"

static const char *const names[] = {
	[SL_PRIVILEGE_NOFILE] = "nofile",	[SL_PRIVILEGE_MEMLOCK] = "memlock",
	[SL_PRIVILEGE_USER] = "user",		[SL_PRIVILEGE_CAPABILITIES] = "capabilities",
	[SL_PRIVILEGE_NO_NEW] = "no_new_privs", [SL_PRIVILEGE_CORE_DUMPS] = "core_dumps",
	[SL_PRIVILEGE_LANDLOCK] = "landlock",
};
_Static_assert(SL_ARRAY_SIZE(names) == SL_PRIVILEGE_LAST, "a name for each step");

const char *sl_privilege_name(enum sl_privilege step)
{
	SL_ASSERT(step < SL_PRIVILEGE_LAST);
	return names[step];
}

/* ---- reports ---------------------------------------------------------------------------- */

/* What the steps share. */
struct drop {
	const struct sl_privileges_conf *conf;
	struct sl_privileges_report report;
	char *why;
	size_t why_len;
	uid_t uid;
	gid_t gid;
};

static __attribute__((format(printf, 4, 5))) void
note(struct drop *d, enum sl_privilege step, enum sl_privilege_state state, const char *format, ...)
{
	va_list args;

	d->report.steps[step].state = state;
	va_start(args, format);
	vsnprintf(d->report.steps[step].why, sizeof(d->report.steps[step].why), format, args);
	va_end(args);
}

/* The process must not go on: @err with its cause. */
static __attribute__((format(printf, 3, 4))) int fail(struct drop *d, int err, const char *format,
						      ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(d->why, d->why_len, format, args);
	va_end(args);
	return err;
}

/* ---- limits ----------------------------------------------------------------------------- */

static void raise_limit(struct drop *d, enum sl_privilege step, __rlimit_resource_t resource)
{
	struct rlimit limit;
	char text[32];

	if (getrlimit(resource, &limit) != 0) {
		note(d, step, SL_PRIVILEGE_SKIPPED, "getrlimit: %s", strerror(errno));
		return;
	}
	if (limit.rlim_cur != limit.rlim_max) {
		rlim_t before = limit.rlim_cur;

		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(resource, &limit) != 0) {
			note(d, step, SL_PRIVILEGE_SKIPPED, "setrlimit: %s; stays at %llu",
			     strerror(errno), (unsigned long long)before);
			return;
		}
	}
	if (limit.rlim_cur == RLIM_INFINITY)
		snprintf(text, sizeof(text), "unlimited");
	else
		snprintf(text, sizeof(text), "%llu", (unsigned long long)limit.rlim_cur);
	note(d, step, SL_PRIVILEGE_DONE, "limit %s", text);
}

/* ---- the user --------------------------------------------------------------------------- */

int sl_privileges_user(const char *user, uid_t *ret_uid, gid_t *ret_gid)
{
	struct passwd *pw;
	char *end;
	unsigned long number = strtoul(user, &end, 10);

	errno = 0;
	pw = getpwnam(user);
	if (!pw && *user >= '0' && *user <= '9' && !*end && number < UINT32_MAX) {
		errno = 0;
		pw = getpwuid((uid_t)number);
		if (!pw) {
			*ret_uid = (uid_t)number;
			*ret_gid = (gid_t)number;
			return 0;
		}
	}
	if (!pw)
		return errno && errno != ESRCH && errno != EPERM ? -errno : -ENOENT;
	*ret_uid = pw->pw_uid;
	*ret_gid = pw->pw_gid;
	return 0;
}

/* Supplementary groups of the account, which may give access to keys and sockets. */
static int set_groups(uid_t uid, gid_t gid)
{
	const struct passwd *pw = getpwuid(uid);

	if (pw ? initgroups(pw->pw_name, gid) : setgroups(0, NULL))
		return -errno;
	return 0;
}

static int change_user(struct drop *d)
{
	const char *user = d->conf->user;
	int rc;

	if (!user || !*user) {
		note(d, SL_PRIVILEGE_USER, SL_PRIVILEGE_SKIPPED,
		     "node.user is empty; stays user %u", geteuid());
		return 0;
	}
	rc = sl_privileges_user(user, &d->uid, &d->gid);
	if (rc)
		return fail(d, rc, "node.user = %s: %s", user,
			    rc == -ENOENT ? "there is no such user; create it (useradd --system), "
					    "or leave the setting empty"
					  : strerror(-rc));
	if (geteuid() == d->uid) {
		note(d, SL_PRIVILEGE_USER, SL_PRIVILEGE_SKIPPED, "runs as %s already", user);
		return 0;
	}
	if (geteuid() != 0)
		return fail(d, -EPERM,
			    "node.user = %s: only root can change the user; start "
			    "sluiced as root or as %s, or leave the setting empty",
			    user, user);
	if (prctl(PR_SET_KEEPCAPS, 1L, 0L, 0L, 0L) != 0)
		return fail(d, -errno, "PR_SET_KEEPCAPS: %s", strerror(errno));
	rc = set_groups(d->uid, d->gid);
	if (rc == 0 && (setresgid(d->gid, d->gid, d->gid) || setresuid(d->uid, d->uid, d->uid)))
		rc = -errno;
	if (rc)
		return fail(d, rc, "node.user = %s: cannot change to it: %s", user, strerror(-rc));
	SL_ASSERT(getuid() == d->uid && geteuid() == d->uid);
	note(d, SL_PRIVILEGE_USER, SL_PRIVILEGE_DONE, "uid %u, gid %u", d->uid, d->gid);
	return 0;
}

/* ---- capabilities ----------------------------------------------------------------------- */

/* What is of use after the start, if the process has it. */
static const struct {
	cap_value_t cap;
	const char *name;
	bool low_ports_only;
} kept[] = {
	{CAP_IPC_LOCK, "ipc_lock", false}, /* registered buffers beyond RLIMIT_MEMLOCK */
	{CAP_SYS_NICE, "sys_nice", false}, /* pinning and priorities of cores */
	{CAP_BPF, "bpf", false}, /* loading the programs that count, when the daemon serves */
	{CAP_PERFMON, "perfmon", false},
	{CAP_NET_ADMIN, "net_admin", false}, /* the same; socket options of steering */
	{CAP_NET_BIND_SERVICE, "net_bind_service", true},
};

/* Adds the capability of row @i to @to if the process has it; whether it has. */
static bool cap_keep(cap_t from, cap_t to, size_t i)
{
	cap_flag_value_t has = CAP_CLEAR;

	if (cap_get_flag(from, kept[i].cap, CAP_PERMITTED, &has) != 0 || has != CAP_SET)
		return false;
	return cap_set_flag(to, CAP_PERMITTED, 1, &kept[i].cap, CAP_SET) == 0 &&
	       cap_set_flag(to, CAP_EFFECTIVE, 1, &kept[i].cap, CAP_SET) == 0;
}

static int cut_capabilities(struct drop *d)
{
	cap_t from = cap_get_proc(), to = cap_init();
	char list[120] = "";
	size_t used = 0;
	int rc = 0;

	if (!from || !to) {
		rc = fail(d, -ENOMEM, "capabilities: out of memory");
		goto out;
	}
	for (size_t i = 0; i < SL_ARRAY_SIZE(kept); i++) {
		if ((kept[i].low_ports_only && !d->conf->low_ports) || !cap_keep(from, to, i))
			continue;
		used += (size_t)snprintf(list + used, sizeof(list) - used, " %s", kept[i].name);
		SL_ASSERT(used < sizeof(list));
	}
	if (cap_set_proc(to) != 0) {
		rc = fail(d, -errno, "capabilities cannot be dropped: %s", strerror(errno));
		goto out;
	}
	note(d, SL_PRIVILEGE_CAPABILITIES, SL_PRIVILEGE_DONE, "kept:%s", used ? list : " none");
out:
	cap_free(from);
	cap_free(to);
	return rc;
}

/* ---- flags ------------------------------------------------------------------------------ */

static void forbid_new_privileges(struct drop *d)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0)
		note(d, SL_PRIVILEGE_NO_NEW, SL_PRIVILEGE_SKIPPED, "%s", strerror(errno));
	else
		note(d, SL_PRIVILEGE_NO_NEW, SL_PRIVILEGE_DONE, "%s", "");
}

/* A change of user has switched dumps off; without one they are as whoever started us wanted. */
static void allow_core_dumps(struct drop *d)
{
	if (!d->conf->core_dumps)
		note(d, SL_PRIVILEGE_CORE_DUMPS, SL_PRIVILEGE_SKIPPED, "node.core_dumps is off");
	else if (prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L) != 0)
		note(d, SL_PRIVILEGE_CORE_DUMPS, SL_PRIVILEGE_SKIPPED, "%s", strerror(errno));
	else
		note(d, SL_PRIVILEGE_CORE_DUMPS, SL_PRIVILEGE_DONE, "%s", "allowed");
}

/* ---- Landlock --------------------------------------------------------------------------- */

/* Rights that came after Linux 6.1's headers. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_FILE                                                                                    \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |                            \
	 LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_TRUNCATE)
#define FS_ALL_OF_ABI_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

/* The rights that ABI @abi knows and can forbid. */
static uint64_t landlock_rights(long abi)
{
	uint64_t rights = FS_ALL_OF_ABI_1;

	if (abi >= 2)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
	return rights;
}

/* Allows below @p->path what it says. 0 or -errno. */
static int landlock_allow(int ruleset, uint64_t rights, const struct sl_privileges_path *p)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = rights};
	struct statx stx;
	int rc;

	rule.parent_fd = sl_open(AT_FDCWD, p->path, O_PATH, 0, SL_NEVER);
	if (rule.parent_fd < 0)
		return rule.parent_fd == -ENOENT && p->optional ? 0 : rule.parent_fd;
	rc = sl_stat(rule.parent_fd, "", &stx, SL_NEVER);
	if (rc == 0) {
		if (!p->writable)
			rule.allowed_access &= FS_READ;
		else
			rule.allowed_access &= ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE;
		if (!S_ISDIR(stx.stx_mode))
			rule.allowed_access &= FS_FILE;
		rc = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule,
				  0);
		rc = rc ? -errno : 0;
	}
	sl_close(rule.parent_fd);
	return rc;
}

static const char *landlock_missing(int err)
{
	if (err == ENOSYS)
		return "the kernel has no Landlock (Linux 5.13, CONFIG_SECURITY_LANDLOCK)";
	if (err == EOPNOTSUPP)
		return "Landlock is switched off; add landlock to the boot option lsm=";
	return strerror(err);
}

static int landlock_enforce(struct drop *d, int ruleset, uint64_t rights, const char **ret_path)
{
	const struct sl_privileges_conf *conf = d->conf;
	int rc = 0;

	for (size_t i = 0; i < conf->paths_n && rc == 0; i++) {
		*ret_path = conf->paths[i].path;
		rc = landlock_allow(ruleset, rights, &conf->paths[i]);
	}
	if (rc)
		return rc;
	*ret_path = "landlock_restrict_self";
	return syscall(SYS_landlock_restrict_self, ruleset, 0) ? -errno : 0;
}

static void confine(struct drop *d)
{
	struct landlock_ruleset_attr attr = {0};
	const char *what = "";
	long abi;
	int rc, ruleset;

	if (!d->conf->confine) {
		note(d, SL_PRIVILEGE_LANDLOCK, SL_PRIVILEGE_SKIPPED, "node.confine is off");
		return;
	}
	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 0) {
		note(d, SL_PRIVILEGE_LANDLOCK, SL_PRIVILEGE_SKIPPED, "%s", landlock_missing(errno));
		return;
	}
	attr.handled_access_fs = landlock_rights(abi);
	ruleset =
		(int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
	if (ruleset < 0) {
		note(d, SL_PRIVILEGE_LANDLOCK, SL_PRIVILEGE_SKIPPED, "%s", strerror(errno));
		return;
	}
	rc = landlock_enforce(d, ruleset, attr.handled_access_fs, &what);
	sl_close(ruleset);
	if (rc)
		note(d, SL_PRIVILEGE_LANDLOCK, SL_PRIVILEGE_SKIPPED, "%s: %s", what, strerror(-rc));
	else
		note(d, SL_PRIVILEGE_LANDLOCK, SL_PRIVILEGE_DONE, "%zu paths, ABI %ld",
		     d->conf->paths_n, abi);
}

/* ---- all of it -------------------------------------------------------------------------- */

int sl_privileges_drop(const struct sl_privileges_conf *conf,
		       struct sl_privileges_report *ret_report, char *why, size_t why_len)
{
	struct drop d = {.conf = conf, .why = why, .why_len = why_len};
	int rc;

	SL_ASSERT(why_len > 0);
	raise_limit(&d, SL_PRIVILEGE_NOFILE, RLIMIT_NOFILE);
	raise_limit(&d, SL_PRIVILEGE_MEMLOCK, RLIMIT_MEMLOCK);
	rc = change_user(&d);
	if (rc == 0)
		rc = cut_capabilities(&d);
	if (rc)
		return rc;
	forbid_new_privileges(&d);
	allow_core_dumps(&d);
	confine(&d);
	*ret_report = d.report;
	return 0;
}
