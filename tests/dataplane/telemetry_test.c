// SPDX-License-Identifier: Apache-2.0
/* Telemetry: what the kernel counts is shown beside the rest, and only where it is counted. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/telemetry.h"
#include "harness.h"
#include "uring/rings.h"

FIXTURE(telemetry)
{
	struct sl_bpf *bpf;
	struct sl_telemetry t;
	struct sl_registry *registry;
	struct sl_metrics *core;
	struct sl_text page;
};

FIXTURE_VARIANT(telemetry)
{
	uint64_t wanted;
};
FIXTURE_VARIANT_ADD(telemetry, all){.wanted = UINT64_MAX};
FIXTURE_VARIANT_ADD(telemetry, none){.wanted = 0};

FIXTURE_SETUP(telemetry)
{
	const struct sl_bpf_conf conf = {.wanted = variant->wanted};

	ASSERT_EQ(0, sl_bpf_load(&conf, &self->bpf));
	ASSERT_EQ(0, sl_registry_new(1, &self->registry));
	sl_telemetry_init(&self->t, self->registry, self->bpf);
	ASSERT_EQ(0, sl_metrics_new(self->registry, 0, &self->core));
}

FIXTURE_TEARDOWN(telemetry)
{
	sl_text_done(&self->page);
	sl_registry_free(self->registry);
	sl_bpf_free(self->bpf);
}

static const char *render(FIXTURE_DATA(telemetry) * self)
{
	self->page.len = 0;
	ASSERT_EQ(0, sl_metrics_render(self->registry, &self->page));
	sl_text_put(&self->page, "", 1);
	return self->page.data;
}

TEST_F(telemetry, each_program_is_shown_as_loaded_or_not)
{
	const char *page = render(self);

	for (int p = 0; p < SL_BPF_LAST; p++) {
		bool loaded = sl_bpf_status(self->bpf, (enum sl_bpf_program)p)->state ==
			      SL_BPF_LOADED;
		char line[200];

		snprintf(line, sizeof(line), "\nsluice_bpf_program_loaded{program=\"%s\"} %d\n",
			 sl_bpf_info((enum sl_bpf_program)p)->name, loaded);
		EXPECT_NOT_NULL(strstr(page, line));
	}
}

TEST_F(telemetry, punts_are_shown_where_they_are_counted)
{
	struct sl_ring *ring;
	struct sl_io io;
	int64_t off = 0;
	int pipe[2], file;

	if (sl_bpf_status(self->bpf, SL_BPF_PUNTS)->state != SL_BPF_LOADED) {
		EXPECT_NULL(strstr(render(self), "sluice_ring_punts_total"));
		EXPECT_NULL(strstr(render(self), "sluice_ring_cqe_overflows_total"));
		return;
	}
	EXPECT_NOT_NULL(strstr(render(self), "\nsluice_ring_punts_total{op=\"splice\"} 0\n"));
	EXPECT_NOT_NULL(strstr(render(self), "\nsluice_ring_cqe_overflows_total 0\n"));
	ring = ring_of(&(struct sl_ring_conf){0});
	file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, file);
	ASSERT_EQ(0, pipe2(pipe, O_CLOEXEC));
	sl_io_splice(&io, pipe[1], file, &off, 100, 0);
	ASSERT_EQ(100, ring_do(ring, &io));
	EXPECT_NOT_NULL(strstr(render(self), "\nsluice_ring_punts_total{op=\"splice\"} 1\n"));
	sl_ring_free(ring);
	close(file);
	close(pipe[0]);
	close(pipe[1]);
}

/* What a program counts is shown exactly when it is loaded. */
TEST_F(telemetry, rows_come_and_go_with_their_programs)
{
	static const struct {
		enum sl_bpf_program program;
		const char *row;
	} rows[] = {
		{SL_BPF_PUNTS, "\nsluice_ring_cqe_overflows_total "},
		{SL_BPF_LATENCY, "\nsluice_ring_op_seconds_count{op=\"read\"} "},
		{SL_BPF_SCHED, "\nsluice_core_runqueue_seconds_count{core=\"0\"} "},
		{SL_BPF_PAGECACHE, "\nsluice_pagecache_misses_total "},
		{SL_BPF_PAGECACHE, "\nsluice_pagecache_appends_total "},
		{SL_BPF_PAGECACHE, "\nsluice_pagecache_drops_total "},
	};
	int64_t until = sl_clock_ns() + 20 * SL_SEC * harness_time_scale();
	struct sl_ring *ring = ring_of(&(struct sl_ring_conf){0});
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, file);
	pthread_setname_np(pthread_self(), "sluice/0");
	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		bool loaded = sl_bpf_status(self->bpf, rows[i].program)->state == SL_BPF_LOADED;
		struct sl_io io;
		char c;

		do {
			usleep(1);
			sl_io_read(&io, file, &c, 1, 0);
			ASSERT_EQ(1, ring_do(ring, &io));
		} while (loaded && !strstr(render(self), rows[i].row) && sl_clock_ns() < until);
		if (!EXPECT_EQ(loaded, strstr(render(self), rows[i].row) != NULL))
			TH_LOG("%s", rows[i].row + 1);
	}
	sl_ring_free(ring);
	close(file);
}

TEST_HARNESS_MAIN
