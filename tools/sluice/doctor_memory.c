// SPDX-License-Identifier: Apache-2.0
/*
 * The checks of `sluice doctor` that look at the machine's memory: how much there is, huge pages
 * and memory nodes.
 *
 * Interface: the doctor_check_...() of doctor.h that doctor_checks.c has in its table.
 * Order of parts: /proc; how much there is; huge pages; memory nodes.
 */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

/* ---- /proc ------------------------------------------------------------------------------ */

/* A line of /proc/meminfo, in bytes. Return: whether there is one. */
static bool read_meminfo(const struct doctor *d, const char *key, uint64_t *ret_bytes)
{
	char path[512], line[128];
	uint64_t kib;
	bool got = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/meminfo", d->root);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!got && fgets(line, sizeof(line), f))
		got = !strncmp(line, key, strlen(key)) &&
		      sscanf(line + strlen(key), ": %" SCNu64, &kib) == 1;
	fclose(f);
	if (got)
		*ret_bytes = kib * SL_KIB;
	return got;
}

/* ---- how much there is ------------------------------------------------------------------ */

/* What the control group (of version 2) that the daemon would be started in allows. */
static bool read_group_limit(const struct doctor *d, uint64_t *ret_bytes)
{
	static const char here[] = "0::";
	char line[256], path[400];
	int64_t n;

	if (!doctor_read_line(d, "/proc/self/cgroup", line, sizeof(line)) ||
	    strncmp(line, here, strlen(here)))
		return false;
	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", line + strlen(here));
	if (!doctor_read_number(d, path, &n) || n < 0)
		return false;
	*ret_bytes = (uint64_t)n;
	return true;
}

/* Collections keep their vectors and indexes in memory beside what the settings bound. */
void doctor_check_memory(struct doctor *d, const char *name)
{
	const struct sl_conf *conf = d->conf;
	uint64_t bound = conf->node.memory_max_bytes, all, group;
	bool good;

	if (!read_meminfo(d, "MemTotal", &all)) {
		doctor_add(d, DOCTOR_OK, name, "", "/proc/meminfo is not there to be read");
		return;
	}
	if (read_group_limit(d, &group))
		all = sl_min(all, group);
	bound += conf->cache.path[0] ? conf->cache.memory_max_bytes : 0;
	good = bound <= all / 4 * 3;
	doctor_add(d, good ? DOCTOR_OK : DOCTOR_WARN, name,
		   "lower node.memory_max_bytes and cache.memory_max_bytes, or allow more memory",
		   "%" PRIu64 " MiB, of which buffers and the cache may take %" PRIu64 " MiB%s",
		   all / SL_MIB, bound / SL_MIB,
		   good ? "; the rest is for vectors of collections, and for the page cache"
			: ": too little is left for vectors of collections, and for the page "
			  "cache");
	doctor_value(d, "%" PRIu64, all);
}

/* ---- huge pages ------------------------------------------------------------------------- */

/* Some are fine, for other programs; an eighth of the memory is missed. */
void doctor_check_hugepages(struct doctor *d, const char *name)
{
	uint64_t page, memory;
	int64_t n;

	if (!doctor_read_number(d, "/proc/sys/vm/nr_hugepages", &n) ||
	    !read_meminfo(d, "Hugepagesize", &page) || !read_meminfo(d, "MemTotal", &memory)) {
		doctor_add(d, DOCTOR_OK, name, "", "this kernel has no pool of huge pages");
		return;
	}
	doctor_add(d, (uint64_t)n * page > memory / 8 ? DOCTOR_WARN : DOCTOR_OK, name,
		   "sysctl -w vm.nr_hugepages=0",
		   "vm.nr_hugepages=%" PRId64 ": %" PRIu64 " MiB set aside, which sluice does not "
		   "use and the page cache cannot",
		   n, (uint64_t)n * page / SL_MIB);
	doctor_value(d, "%" PRId64, n);
}

void doctor_check_thp(struct doctor *d, const char *name)
{
	static const char path[] = "/sys/kernel/mm/transparent_hugepage/enabled";
	char line[64], *from, *to;

	if (!doctor_read_line(d, path, line, sizeof(line)) || !(from = strchr(line, '[')) ||
	    !(to = strchr(from, ']'))) {
		doctor_add(d, DOCTOR_OK, name, "", "this kernel has no transparent huge pages");
		return;
	}
	*to = 0;
	from++;
	if (strcmp(from, "always"))
		doctor_add(d, DOCTOR_OK, name, "",
			   "transparent huge pages: %s, for who asks for them at most", from);
	else
		doctor_add(d, DOCTOR_WARN, name,
			   "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
			   "transparent huge pages: always; each first touch of the heap may take "
			   "2 MiB, and pages are merged behind the daemon's back (its buffers and "
			   "stacks refuse them)");
	doctor_value(d, "%s", from);
}

/* ---- memory nodes ----------------------------------------------------------------------- */

/* How many numbers a list such as "0-1,4" has. */
static int list_count(const char *list)
{
	int n = 0;

	for (const char *p = list; *p;) {
		char *end;
		long first = strtol(p, &end, 10), last = first;

		if (end == p)
			break;
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		n += last >= first ? (int)(last - first) + 1 : 0;
		p = *end == ',' ? end + 1 : end + strlen(end);
	}
	return n;
}

/* As the daemon decides it: a list, or all processors that may be used. */
static bool cores_are_pinned(const struct sl_conf *conf)
{
	cpu_set_t set;

	if (conf->node.cores.is_list || !conf->node.cores.count)
		return true;
	return !sched_getaffinity(0, sizeof(set), &set) &&
	       CPU_COUNT(&set) == (int)conf->node.cores.count;
}

void doctor_check_numa(struct doctor *d, const char *name)
{
	char list[256];
	int64_t balancing = 0;
	int n = 1;

	if (doctor_read_line(d, "/sys/devices/system/node/has_memory", list, sizeof(list)))
		n = sl_max(list_count(list), 1);
	doctor_read_number(d, "/proc/sys/kernel/numa_balancing", &balancing);
	if (n == 1)
		doctor_add(d, DOCTOR_OK, name, "", "one memory node");
	else if (d->conf->node.numa == SL_NUMA_OFF)
		doctor_add(
			d, DOCTOR_WARN, name, "set node.numa = auto",
			"%d memory nodes and node.numa = off: a core's memory may lie on another "
			"node than its processor, and each miss of the cache goes there",
			n);
	else if (!cores_are_pinned(d->conf))
		doctor_add(d, DOCTOR_WARN, name, "set node.cores = 0, or a list such as 0-3",
			   "%d memory nodes, and node.cores = %" PRIu32 " leaves cores where the "
			   "scheduler puts them, on the node of their memory or on another",
			   n, d->conf->node.cores.count);
	else if (balancing)
		doctor_add(d, DOCTOR_WARN, name, "sysctl -w kernel.numa_balancing=0",
			   "%d memory nodes, and kernel.numa_balancing=%" PRId64
			   " takes pages away "
			   "now and then to see who uses them, though each core has its own",
			   n, balancing);
	else
		doctor_add(d, DOCTOR_OK, name, "",
			   "%d memory nodes; each core takes its memory from its own", n);
	doctor_value(d, "%d", n);
}
