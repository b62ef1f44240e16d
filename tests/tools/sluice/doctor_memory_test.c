// SPDX-License-Identifier: Apache-2.0
/* Checks of a made-up machine's memory: huge pages, memory nodes. */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "doctor_kit.h"
#include "harness.h"

#define THP "/sys/kernel/mm/transparent_hugepage/enabled"
#define NODES "/sys/devices/system/node/has_memory"
#define BALANCING "/proc/sys/kernel/numa_balancing"

FIXTURE(memory)
{
	struct doctor_kit k;
};

FIXTURE_SETUP(memory)
{
	doctor_kit_init(&self->k);
}

FIXTURE_TEARDOWN(memory)
{
	doctor_kit_done(&self->k);
}

static const struct doctor_finding *run(FIXTURE_DATA(memory) * self,
					void (*check)(struct doctor *d, const char *name))
{
	self->k.report.n = 0;
	check(&self->k.d, "check");
	ASSERT_EQ(1, self->k.report.n);
	EXPECT_STREQ("check", self->k.report.v[0].name);
	EXPECT_EQ(self->k.report.v[0].level == DOCTOR_OK, !*self->k.report.v[0].cure);
	return &self->k.report.v[0];
}

TEST_F(memory, a_machine_that_tells_nothing_is_well)
{
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_hugepages)->level);
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_thp)->level);
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_numa)->level);
	EXPECT_STREQ("1", run(self, doctor_check_numa)->value);
}

TEST_F(memory, what_settings_may_take_leaves_some_to_vectors)
{
	const struct doctor_finding *f;

	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_memory)->level);
	doctor_kit_file("/proc/meminfo", "MemTotal:       16777216 kB\n");
	f = run(self, doctor_check_memory);
	EXPECT_EQ(DOCTOR_OK, f->level);
	EXPECT_STREQ("17179869184", f->value);
	self->k.conf.node.memory_max_bytes = 12 * SL_GIB;
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_memory)->level);
	self->k.conf.node.memory_max_bytes++;
	EXPECT_EQ(DOCTOR_WARN, run(self, doctor_check_memory)->level);
	self->k.conf.node.memory_max_bytes = 11 * SL_GIB;
	self->k.conf.cache.memory_max_bytes = 2 * SL_GIB;
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_memory)->level);
	ASSERT_EQ(0, sl_conf_set(&self->k.conf, "cache.path=/cache",
				 &(struct sl_conf_report){0}));
	f = run(self, doctor_check_memory);
	EXPECT_EQ(DOCTOR_WARN, f->level);
	EXPECT_NOT_NULL(strstr(f->text, "16384 MiB, of which buffers and the cache may take "
					"13312 "));
}

TEST_F(memory, a_control_group_bounds_it)
{
	doctor_kit_file("/proc/meminfo", "MemTotal:       16777216 kB\n");
	doctor_kit_file("/proc/self/cgroup", "0::/system.slice/sluiced.service\n");
	EXPECT_STREQ("17179869184", run(self, doctor_check_memory)->value);
	doctor_kit_file("/sys/fs/cgroup/system.slice/sluiced.service/memory.max", "max\n");
	EXPECT_STREQ("17179869184", run(self, doctor_check_memory)->value);
	doctor_kit_file("/sys/fs/cgroup/system.slice/sluiced.service/memory.max", "1073741824\n");
	EXPECT_STREQ("1073741824", run(self, doctor_check_memory)->value);
	EXPECT_EQ(DOCTOR_WARN, run(self, doctor_check_memory)->level);
}

TEST_F(memory, many_huge_pages_are_memory_lost)
{
	const struct doctor_finding *f;

	doctor_kit_file("/proc/meminfo", "MemTotal:       16777216 kB\nMemFree: 1 kB\n"
				  "HugePages_Total:    1024\nHugepagesize:       2048 kB\n");
	doctor_kit_file("/proc/sys/vm/nr_hugepages", "1024\n"); /* 2 of 16 GiB */
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_hugepages)->level);
	doctor_kit_file("/proc/sys/vm/nr_hugepages", "1025\n");
	f = run(self, doctor_check_hugepages);
	EXPECT_EQ(DOCTOR_WARN, f->level);
	EXPECT_STREQ("1025", f->value);
	EXPECT_NOT_NULL(strstr(f->text, "2050 MiB"));
	EXPECT_STREQ("sysctl -w vm.nr_hugepages=0", f->cure);
}

TEST_F(memory, transparent_huge_pages_for_all_are_warned_of)
{
	doctor_kit_file(THP, "always [madvise] never\n");
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_thp)->level);
	EXPECT_STREQ("madvise", run(self, doctor_check_thp)->value);
	doctor_kit_file(THP, "always madvise [never]\n");
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_thp)->level);
	doctor_kit_file(THP, "[always] madvise never\n");
	EXPECT_EQ(DOCTOR_WARN, run(self, doctor_check_thp)->level);
	EXPECT_STREQ("always", run(self, doctor_check_thp)->value);
	EXPECT_STREQ("echo madvise > " THP, run(self, doctor_check_thp)->cure);
	doctor_kit_file(THP, "nonsense\n");
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
		doctor_kit_file(NODES, rows[i].list);
		EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_numa)->level);
		EXPECT_STREQ(rows[i].n, run(self, doctor_check_numa)->value);
	}
}

TEST_F(memory, what_keeps_cores_from_their_node_is_warned_of)
{
	const struct doctor_finding *f;
	cpu_set_t set;

	doctor_kit_file(NODES, "0-1\n");
	doctor_kit_file(BALANCING, "0\n");
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_numa)->level);
	doctor_kit_file(BALANCING, "1\n");
	f = run(self, doctor_check_numa);
	EXPECT_EQ(DOCTOR_WARN, f->level);
	EXPECT_STREQ("sysctl -w kernel.numa_balancing=0", f->cure);
	ASSERT_EQ(0, sched_getaffinity(0, sizeof(set), &set));
	self->k.conf.node.cores.count = (uint32_t)CPU_COUNT(&set) + 1;
	f = run(self, doctor_check_numa);
	EXPECT_EQ(DOCTOR_WARN, f->level);
	EXPECT_NOT_NULL(strstr(f->cure, "node.cores"));
	self->k.conf.node.cores.is_list = true;
	self->k.conf.node.numa = SL_NUMA_OFF;
	f = run(self, doctor_check_numa);
	EXPECT_EQ(DOCTOR_WARN, f->level);
	EXPECT_STREQ("set node.numa = auto", f->cure);
	doctor_kit_file(NODES, "0\n");
	EXPECT_EQ(DOCTOR_OK, run(self, doctor_check_numa)->level);
}

TEST_HARNESS_MAIN
