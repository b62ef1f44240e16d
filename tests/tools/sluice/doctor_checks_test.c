// SPDX-License-Identifier: Apache-2.0
/* Checks of a machine, some of them of a made-up one: files below a folder that stands for "/". */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/bpf.h"
#include "doctor_kit.h"
#include "harness.h"
#include "uring/uring.h"
#include "vectors/vectors.h"

FIXTURE(doctor)
{
	struct doctor_kit k;
};

FIXTURE_SETUP(doctor)
{
	doctor_kit_init(&self->k);
}

FIXTURE_TEARDOWN(doctor)
{
	doctor_kit_done(&self->k);
}

/* Runs the check @name alone. Return: its last finding. */
static const struct doctor_finding *run(FIXTURE_DATA(doctor) * self, const char *name)
{
	self->k.report.n = 0;
	for (size_t i = 0; i < doctor_checks_n; i++)
		if (!strcmp(name, doctor_checks[i].name))
			doctor_checks[i].fn(&self->k.d, doctor_checks[i].name);
	ASSERT_LT(0, self->k.report.n);
	return &self->k.report.v[self->k.report.n - 1];
}

TEST(releases_are_compared_by_number)
{
	EXPECT_TRUE(doctor_release_at_least("6.1.0-13-amd64", 6, 1));
	EXPECT_TRUE(doctor_release_at_least("6.12.1", 6, 2));
	EXPECT_TRUE(doctor_release_at_least("10.0", 6, 1));
	EXPECT_FALSE(doctor_release_at_least("6.0.19", 6, 1));
	EXPECT_FALSE(doctor_release_at_least("5.19.0", 6, 1));
	EXPECT_FALSE(doctor_release_at_least("unknown", 6, 1));
}

TEST_F(doctor, kernel_below_6_1_fails)
{
	EXPECT_EQ(DOCTOR_OK, run(self, "kernel")->level);
	self->k.d.release = "5.10.0-8-amd64";
	EXPECT_EQ(DOCTOR_FAIL, run(self, "kernel")->level);
	EXPECT_NOT_NULL(strstr(run(self, "kernel")->cure, "6.1"));
}

TEST_F(doctor, io_uring_switched_off_fails_with_the_command_that_mends_it)
{
	EXPECT_EQ(DOCTOR_OK, run(self, "io_uring_disabled")->level);
	doctor_kit_file("/proc/sys/kernel/io_uring_disabled", "0\n");
	EXPECT_EQ(DOCTOR_OK, run(self, "io_uring_disabled")->level);
	doctor_kit_file("/proc/sys/kernel/io_uring_disabled", "1\n");
	EXPECT_EQ(DOCTOR_WARN, run(self, "io_uring_disabled")->level);
	doctor_kit_file("/proc/sys/kernel/io_uring_disabled", "2\n");
	EXPECT_EQ(DOCTOR_FAIL, run(self, "io_uring_disabled")->level);
	EXPECT_STREQ("sysctl -w kernel.io_uring_disabled=0",
		     run(self, "io_uring_disabled")->cure);
}

TEST_F(doctor, small_sysctls_are_warned_of_with_the_command_that_mends_them)
{
	static const struct {
		const char *check, *path, *small, *enough, *cure;
	} rows[] = {
		{"somaxconn", "/proc/sys/net/core/somaxconn", "128\n", "4096\n",
		 "sysctl -w net.core.somaxconn=4096"},
		{"pipe_user_pages_soft", "/proc/sys/fs/pipe-user-pages-soft", "64\n", "0\n",
		 "sysctl -w fs.pipe-user-pages-soft=16384"},
		{"max_map_count", "/proc/sys/vm/max_map_count", "1000\n", "65530\n",
		 "sysctl -w vm.max_map_count=65530"},
		{"nr_open", "/proc/sys/fs/nr_open", "65535\n", "65536\n",
		 "sysctl -w fs.nr_open=65536"},
		{"tcp_wmem", "/proc/sys/net/ipv4/tcp_wmem", "4096\t16384\t4194303\n",
		 "4096\t16384\t4194304\n", "sysctl -w net.ipv4.tcp_wmem='4096 16384 4194304'"},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(DOCTOR_OK, run(self, rows[i].check)->level);
		doctor_kit_file(rows[i].path, rows[i].small);
		EXPECT_EQ(DOCTOR_WARN, run(self, rows[i].check)->level);
		EXPECT_STREQ(rows[i].cure, run(self, rows[i].check)->cure);
		doctor_kit_file(rows[i].path, rows[i].enough);
		EXPECT_EQ(DOCTOR_OK, run(self, rows[i].check)->level);
		EXPECT_STREQ("", run(self, rows[i].check)->cure);
	}
}

TEST_F(doctor, a_kernel_without_tls_matters_to_who_uses_tls)
{
	doctor_kit_file("/proc/sys/net/ipv4/tcp_available_ulp", "mptcp\n");
	EXPECT_EQ(DOCTOR_OK, run(self, "kernel_tls")->level);
	ASSERT_EQ(0, sl_conf_set(&self->k.conf, "tls.listeners=http",
				 &(struct sl_conf_report){0}));
	EXPECT_EQ(DOCTOR_WARN, run(self, "kernel_tls")->level);
	EXPECT_NOT_NULL(strstr(run(self, "kernel_tls")->cure, "modprobe tls"));
	doctor_kit_file("/proc/sys/net/ipv4/tcp_available_ulp", "espintcp mptcp tls\n");
	EXPECT_EQ(DOCTOR_OK, run(self, "kernel_tls")->level);
	EXPECT_STREQ("tls", run(self, "kernel_tls")->value);
}

TEST_F(doctor, vector_instructions_are_told_by_the_name_of_their_set)
{
	const struct doctor_finding *f = run(self, "vector_instructions");
	enum sl_distance_set set;

	for (set = SL_DISTANCE_AVX512; set < SL_DISTANCE_SET_LAST; set++)
		if (!strcmp(sl_distance_set_name(set), f->value))
			break;
	ASSERT_LT(set, SL_DISTANCE_SET_LAST);
	EXPECT_EQ(sl_distance_of(set, SL_METRIC_L2, SL_F32), sl_distance(SL_METRIC_L2, SL_F32));
	EXPECT_EQ(set == SL_DISTANCE_SCALAR, f->level == DOCTOR_WARN);
}

TEST_F(doctor, what_was_found_is_a_value_of_its_own)
{
	EXPECT_STREQ("6.1.0-13-amd64", run(self, "kernel")->value);
	EXPECT_STREQ("", run(self, "somaxconn")->value);
	doctor_kit_file("/proc/sys/net/core/somaxconn", "128\n");
	EXPECT_STREQ("128", run(self, "somaxconn")->value);
	doctor_kit_file("/proc/sys/kernel/io_uring_disabled", "1\n");
	EXPECT_STREQ("1", run(self, "io_uring_disabled")->value);
	doctor_kit_file("/proc/sys/net/ipv4/tcp_wmem", "4096\t16384\t1000000\n");
	EXPECT_STREQ("1000000", run(self, "tcp_wmem")->value);
	EXPECT_NOT_NULL(strstr(run(self, "tcp_wmem")->text, "at most 160 Mbit/s"));
	EXPECT_STRNE("", run(self, "limit.nofile")->value);
	EXPECT_STRNE("", run(self, "limit.memlock")->value);
}

TEST_F(doctor, damaged_numbers_are_no_findings)
{
	doctor_kit_file("/proc/sys/net/core/somaxconn", "many\n");
	EXPECT_EQ(DOCTOR_OK, run(self, "somaxconn")->level);
	EXPECT_STREQ("", run(self, "somaxconn")->value);
	doctor_kit_file("/proc/sys/net/ipv4/tcp_wmem", "4096 16384\n");
	EXPECT_EQ(DOCTOR_OK, run(self, "tcp_wmem")->level);
	doctor_kit_file("/proc/sys/net/ipv4/tcp_wmem", "");
	EXPECT_EQ(DOCTOR_OK, run(self, "tcp_wmem")->level);
}

TEST_F(doctor, every_feature_of_io_uring_has_its_line)
{
	const struct doctor_finding *last = run(self, "io_uring");

	if (self->k.report.v[0].level == DOCTOR_FAIL)
		SKIP(return, "no ring here: %s", self->k.report.v[0].text);
	EXPECT_EQ(1 + SL_FEATURE_LAST, self->k.report.n);
	EXPECT_MEMEQ("io_uring.", last->name, 9);
	for (size_t i = 0; i < self->k.report.n; i++)
		EXPECT_EQ(self->k.report.v[i].level == DOCTOR_OK, !*self->k.report.v[i].cure);
}

TEST_F(doctor, every_program_loads_or_is_warned_of_with_what_is_lost)
{
	run(self, "bpf");
	ASSERT_EQ(SL_BPF_LAST, self->k.report.n);
	for (int p = 0; p < SL_BPF_LAST; p++) {
		const struct doctor_finding *f = &self->k.report.v[p];

		EXPECT_STREQ(sl_bpf_info((enum sl_bpf_program)p)->name, f->name + strlen("bpf."));
		EXPECT_EQ(f->level == DOCTOR_OK, !*f->cure);
		if (f->level == DOCTOR_OK)
			continue;
		EXPECT_EQ(DOCTOR_WARN, f->level);
		EXPECT_NOT_NULL(strstr(f->text, sl_bpf_info((enum sl_bpf_program)p)->without));
	}
}

TEST_F(doctor, programs_are_refused_to_who_may_not_load_them)
{
	cap_t none = cap_init();

	ASSERT_EQ(0, cap_set_proc(none));
	cap_free(none);
	harness_leaks_unchecked();
	EXPECT_EQ(DOCTOR_WARN, run(self, "bpf")->level);
	EXPECT_NOT_NULL(strstr(run(self, "bpf")->text, "refused: "));
	self->k.conf.bpf.enabled = false;
	EXPECT_EQ(DOCTOR_OK, run(self, "bpf")->level);
	EXPECT_EQ(1, self->k.report.n);
}

TEST_F(doctor, steering_says_what_carries_it_out)
{
	const struct doctor_finding *f;

	self->k.conf.node.cores.count = 1;
	f = run(self, "steering");
	EXPECT_EQ(DOCTOR_OK, f->level);
	EXPECT_STREQ("hash on 1 core, by the kernel's hash", f->text);
	self->k.conf.node.cores.count = 4;
	f = run(self, "steering");
	EXPECT_MEMEQ("load on 4 cores, by ", f->text, 20);
	EXPECT_EQ(f->level == DOCTOR_OK, !strcmp(f->text + 20, "ebpf"));
	self->k.conf.bpf.steer = false;
	self->k.conf.node.steering = SL_STEERING_SOURCE;
	f = run(self, "steering");
	EXPECT_EQ(DOCTOR_WARN, f->level);
	EXPECT_STREQ("source on 4 cores, by classic-bpf", f->text);
}

/* A backend cannot stand in for a missing ring: its faults come after set-up. */
TEST_F(doctor, folder_that_cannot_be_made_fails)
{
	char path[600];

	free(self->k.conf.node.datadir);
	snprintf(path, sizeof(path), "%s/missing/data", harness_tmpdir());
	self->k.conf.node.datadir = strdup(path);
	EXPECT_EQ(DOCTOR_FAIL, run(self, "datadir")->level);
	EXPECT_MEMEQ("mkdir -p ", run(self, "datadir")->cure, 9);
	free(self->k.conf.node.datadir);
	snprintf(path, sizeof(path), "%s/data", harness_tmpdir());
	self->k.conf.node.datadir = strdup(path);
	run(self, "datadir");
	ASSERT_EQ(2, self->k.report.n);
	EXPECT_STREQ("datadir.filesystem", self->k.report.v[0].name);
	EXPECT_STREQ("datadir.space", self->k.report.v[1].name);
	EXPECT_NE(DOCTOR_FAIL, self->k.report.v[0].level);
}

TEST_F(doctor, folder_in_memory_is_warned_of)
{
	free(self->k.conf.node.datadir);
	self->k.conf.node.datadir = strdup("/dev/shm");
	if (access("/dev/shm", W_OK))
		SKIP(return, "no /dev/shm to write to");
	run(self, "datadir");
	EXPECT_EQ(DOCTOR_WARN, self->k.report.v[0].level);
	EXPECT_NOT_NULL(strstr(self->k.report.v[0].text, "tmpfs"));
}

TEST_F(doctor, address_in_use_is_warned_of)
{
	struct sockaddr_in *in = &self->k.conf.kafka.listen.addrs[0].in4;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*in);

	in->sin_port = 0;
	self->k.conf.http.listen.n = 0;
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)in, sizeof(*in)));
	ASSERT_EQ(0, listen(fd, 1));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)in, &len));
	EXPECT_EQ(DOCTOR_WARN, run(self, "listeners")->level);
	EXPECT_NOT_NULL(strstr(run(self, "listeners")->cure, "ss -ltnp"));
	close(fd);
	EXPECT_EQ(DOCTOR_OK, run(self, "listeners")->level);
}

TEST_F(doctor, limits_are_told)
{
	const struct doctor_finding *f = run(self, "limit.nofile");

	EXPECT_NOT_NULL(strstr(f->text, "conn.max = 50000"));
	EXPECT_EQ(f->level == DOCTOR_OK, !*f->cure);
	f = run(self, "limit.memlock");
	EXPECT_EQ(f->level == DOCTOR_OK, !*f->cure);
	EXPECT_NE(DOCTOR_FAIL, f->level);
}

TEST_HARNESS_MAIN
