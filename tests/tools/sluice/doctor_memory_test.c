// SPDX-License-Identifier: Apache-2.0
/* Checks of a made-up machine's memory: huge pages, memory nodes. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "harness.h"
#include "tools/sluice/doctor.h"

#define THP "/sys/kernel/mm/transparent_hugepage/enabled"
#define NODES "/sys/devices/system/node/has_memory"
#define BALANCING "/proc/sys/kernel/numa_balancing"

FIXTURE(memory)
{
	struct doctor d;
	struct doctor_report report;
	struct sl_conf conf;
};

FIXTURE_SETUP(memory)
{
	ASSERT_EQ(0, sl_conf_init(&self->conf));
	self->d = (struct doctor){.root = harness_tmpdir(),
				  .release = "6.1.0-13-amd64",
				  .conf = &self->conf,
				  .report = &self->report};
}

FIXTURE_TEARDOWN(memory)
{
	sl_conf_done(&self->conf);
}

/* Writes @text to @path of the made-up machine. */
static void set_file(const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", harness_tmpdir(), path);
	for (char *slash = full + strlen(harness_tmpdir()) + 1; (slash = strchr(slash, '/'));
	     slash++) {
		*slash = 0;
		mkdir(full, 0700);
		*slash = '/';
	}
	f = fopen(full, "we");
	ASSERT_NOT_NULL(f);
	fputs(text, f);
	fclose(f);
}

static const struct doctor_finding *run(FIXTURE_DATA(memory) * self,
					void (*check)(struct doctor *d, const char *name))
{
	self->report.n = 0;
	check(&self->d, "check");
	ASSERT_EQ(1, self->report.n);
	EXPECT_STREQ("check", self->report.v[0].name);
	EXPECT_EQ(self->report.v[0].level == DOCTOR_OK, !*self->report.v[0].cure);
	return &self->report.v[0];
}

TEST_F(memory, a_machine_that_tells_nothing_is_well)
{
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_hugepages)->level);
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_thp)->level);
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_numa)->level);
	EXPECT_STREQ("1", run(self, doctor_check_numa)->value);
}

TEST_F(memory, many_huge_pages_are_memory_lost)
{
	const struct doctor_finding *f;

	set_file("/proc/meminfo", "MemTotal:       16777216 kB\nMemFree: 1 kB\n"
				  "HugePages_Total:    1024\nHugepagesize:       2048 kB\n");
	set_file("/proc/sys/vm/nr_hugepages", "1024\n"); /* 2 of 16 GiB */
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_hugepages)->level);
	set_file("/proc/sys/vm/nr_hugepages", "1025\n");
	f = run(self, doctor_check_hugepages);
	EXPECT_EQ(DOCTOR_WARN, f->level);
	EXPECT_STREQ("1025", f->value);
	EXPECT_NOT_NULL(strstr(f->text, "2050 MiB"));
	EXPECT_STREQ("sysctl -w vm.nr_hugepages=0", f->cure);
}

TEST_F(memory, transparent_huge_pages_for_all_are_warned_of)
{
	set_file(THP, "always [madvise] never\n");
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_thp)->level);
	EXPECT_STREQ("madvise", run(self, doctor_check_thp)->value);
	set_file(THP, "always madvise [never]\n");
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_thp)->level);
	set_file(THP, "[always] madvise never\n");
	EXPECT_EQ(DOCTOR_WARN, run(self, doctor_check_thp)->level);
	EXPECT_STREQ("always", run(self, doctor_check_thp)->value);
	EXPECT_STREQ("echo madvise > " THP, run(self, doctor_check_thp)->cure);
	set_file(THP, "nonsense\n");
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_thp)->level);
}

TEST_F(memory, nodes_are_counted)
{
	static const struct {
		const char *list, *n;
	} rows[] = {
		{"0\n", "1"}, {"0-1\n", "2"}, {"0-1,4\n", "3"}, {"0,2,4-7\n", "6"},
		{"\n", "1"},  {"x\n", "1"},   {"3-1\n", "1"},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		set_file(NODES, rows[i].list);
		EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_numa)->level);
		EXPECT_STREQ(rows[i].n, run(self, doctor_check_numa)->value);
	}
}

TEST_F(memory, what_keeps_cores_from_their_node_is_warned_of)
{
	const struct doctor_finding *f;
	cpu_set_t set;

	set_file(NODES, "0-1\n");
	set_file(BALANCING, "0\n");
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_numa)->level);
	set_file(BALANCING, "1\n");
	f = run(self, doctor_check_numa);
	EXPECT_EQ(DOCTOR_WARN, f->level);
	EXPECT_STREQ("sysctl -w kernel.numa_balancing=0", f->cure);
	ASSERT_EQ(0, sched_getaffinity(0, sizeof(set), &set));
	self->conf.node.cores.count = (uint32_t)CPU_COUNT(&set) + 1;
	f = run(self, doctor_check_numa);
	EXPECT_EQ(DOCTOR_WARN, f->level);
	EXPECT_NOT_NULL(strstr(f->cure, "node.cores"));
	self->conf.node.cores.is_list = true;
	self->conf.node.numa = SL_NUMA_OFF;
	f = run(self, doctor_check_numa);
	EXPECT_EQ(DOCTOR_WARN, f->level);
	EXPECT_STREQ("set node.numa = auto", f->cure);
	set_file(NODES, "0\n");
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_numa)->level);
}

TEST_HARNESS_MAIN
