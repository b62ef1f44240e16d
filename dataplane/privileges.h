/* SPDX-License-Identifier: Apache-2.0 */
/*
 * privileges: giving up what the daemon does not need, before its cores start.
 *
 * Everything here is per thread or inherited by threads made later, so it is called once by the
 * main thread while that is the only one. What cannot be done on this machine is skipped and told:
 * the report is for the start log and `sluice doctor`.
 */
#ifndef DATAPLANE_PRIVILEGES_H
#define DATAPLANE_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* In the order in which they are done. */
enum sl_privilege {
	SL_PRIVILEGE_NOFILE, /* raise the limit of open files to the hard one */
	SL_PRIVILEGE_MEMLOCK, /* and that of locked memory, for registered buffers */
	SL_PRIVILEGE_USER, /* change to node.user */
	SL_PRIVILEGE_CAPABILITIES, /* keep only those that are of use */
	SL_PRIVILEGE_NO_NEW, /* no program that is run could gain any back */
	SL_PRIVILEGE_CORE_DUMPS, /* allow again what the change of user forbade */
	SL_PRIVILEGE_LANDLOCK, /* confine file access to the configured folders */
	SL_PRIVILEGE_LAST
};

enum sl_privilege_state {
	SL_PRIVILEGE_SKIPPED, /* why tells */
	SL_PRIVILEGE_DONE, /* why tells details, or is empty */
};

struct sl_privileges_report {
	struct {
		enum sl_privilege_state state;
		char why[160];
	} steps[SL_PRIVILEGE_LAST];
};

/* A file or folder that stays accessible under Landlock. */
struct sl_privileges_path {
	const char *path;
	bool writable; /* else: read and listed only */
	bool optional; /* may be missing */
};

/**
 * struct sl_privileges_conf - what to give up.
 * @user: node.user, "" stays.
 * @low_ports: a listener's port is below 1024: keep CAP_NET_BIND_SERVICE.
 * @core_dumps: node.core_dumps. @confine: node.confine.
 * @paths, @paths_n: what @confine leaves accessible. A missing one that is not optional makes the
 *	step a skipped one. Beside the daemon's own: /proc and /sys (memory and processor figures,
 *	LeakSanitizer), /etc and /usr (name resolution, late-loaded libraries), read-only.
 */
struct sl_privileges_conf {
	const char *user;
	bool low_ports;
	bool core_dumps;
	bool confine;
	const struct sl_privileges_path *paths;
	size_t paths_n;
};

/**
 * sl_privileges_user() - the ids of @user: a name, or a number with or without an account.
 * Return: 0; -ENOENT: no such user; -errno.
 */
int sl_privileges_user(const char *user, uid_t *ret_uid, gid_t *ret_gid);

/**
 * sl_privileges_drop() - do all of it.
 * @why: on failure the cause and its cure in one line.
 * Return: 0, with every step done or skipped; -errno if a step failed that was asked for and must
 * not be skipped (changing the user, dropping what that user must not have); the process is then
 * to end.
 */
int sl_privileges_drop(const struct sl_privileges_conf *conf,
		       struct sl_privileges_report *ret_report, char *why, size_t why_len);

/* "user", "landlock", … */
const char *sl_privilege_name(enum sl_privilege step);

#endif
