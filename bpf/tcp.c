// SPDX-License-Identifier: Apache-2.0
/*
 * tcp: loads tcp.bpf.c and attaches it to the cgroup of this process in the unified hierarchy,
 * which it shares with whoever else is in there: what is not of our ports is passed over.
 * Order of parts: the cgroup; loading.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bpf_pvt.h"
#include "tcp.skel.h"

/* ---- the cgroup ------------------------------------------------------------------------- */

/* Where the unified hierarchy is mounted, of a line of mountinfo; false: it is not of that. */
static bool mount_of(const char *line, char ret_path[static PATH_MAX])
{
	const char *type = strstr(line, " - cgroup2 ");

	return type && sscanf(line, "%*s %*s %*s %*s %4095s", ret_path) == 1;
}

/* The rest of a line of /proc/self/cgroup: "0::/system.slice/sluiced.service". */
static bool group_of(const char *line, char ret_path[static PATH_MAX])
{
	return sscanf(line, "0::%4095s", ret_path) == 1;
}

/* What @find makes of the first line of @file that it knows. Return: 0, -ENOENT, -errno. */
static int find_line(const char *file, bool (*find)(const char *line, char *ret_path),
		     char ret_path[static PATH_MAX])
{
	char line[2 * PATH_MAX];
	FILE *f = fopen(file, "re");
	bool found = false;

	if (!f)
		return -errno;
	while (!found && fgets(line, sizeof(line), f))
		found = find(line, ret_path);
	fclose(f);
	return found ? 0 : -ENOENT;
}

/* Return: a descriptor; or -errno with @l->why filled. */
static int open_cgroup(struct bpf_load *l)
{
	char mount[PATH_MAX], group[PATH_MAX], path[2 * PATH_MAX];
	int fd;

	if (find_line("/proc/self/mountinfo", mount_of, mount) ||
	    find_line("/proc/self/cgroup", group_of, group)) {
		snprintf(l->why, l->why_len,
			 "there is no cgroup to attach to; mount -t cgroup2 "
			 "none /sys/fs/cgroup");
		return -ENOENT;
	}
	snprintf(path, sizeof(path), "%s%s", mount, group);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? bpf_refuse(l, "the daemon's cgroup", -errno) : fd;
}

/* ---- loading ---------------------------------------------------------------------------- */

static int load_and_attach(struct bpf_load *l, struct tcp_bpf *skel)
{
	int fd, err = tcp_bpf__load(skel);

	if (err)
		return bpf_refuse(l, "the kernel does not load it", err);
	fd = open_cgroup(l);
	if (fd < 0)
		return fd;
	skel->links.on_tcp = bpf_program__attach_cgroup(skel->progs.on_tcp, fd);
	err = skel->links.on_tcp ? 0 : -errno;
	close(fd);
	return err ? bpf_refuse(l, "the daemon's cgroup does not take it", err) : 0;
}

BPF_LOADER(tcp)
