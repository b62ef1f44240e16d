// SPDX-License-Identifier: Apache-2.0
/* Metrics: cells, sums over cores, Prometheus's text. */
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/metric.h"
#include "harness.h"

static const char *const listeners[] = {"kafka", "http"};
static const char *const rungs[] = {"copy", "sendfile"};
static const char *const apis[] = {"Produce", "odd\"\\\n", NULL, "Last"};

FIXTURE(metrics)
{
	struct sl_registry *registry;
	struct sl_metrics *cores[2];
	struct sl_text page;
};
FIXTURE_SETUP(metrics)
{
	ASSERT_EQ(0, sl_registry_new(3, &self->registry)); /* the third core never starts */
	sl_registry_dim(self->registry, SL_DIM_LISTENER, listeners, 2);
	sl_registry_dim(self->registry, SL_DIM_RUNG, rungs, 2);
	sl_registry_dim(self->registry, SL_DIM_API, apis, 4);
	for (uint32_t i = 0; i < 2; i++)
		ASSERT_EQ(0, sl_metrics_new(self->registry, i, &self->cores[i]));
}
FIXTURE_TEARDOWN(metrics)
{
	sl_text_done(&self->page);
	sl_registry_free(self->registry);
}

static const char *render(FIXTURE_DATA(metrics) * self)
{
	self->page.len = 0;
	ASSERT_EQ(0, sl_metrics_render(self->registry, &self->page));
	sl_text_put(&self->page, "", 1);
	return self->page.data;
}

static bool has(const char *page, const char *line)
{
	const char *p = strstr(page, line);

	return p && (p == page || p[-1] == '\n') && p[strlen(line)] == '\n';
}

TEST_F(metrics, values_are_added_up_over_the_cores)
{
	const char *page;

	sl_metric_add(self->cores[0], SL_M_RING_SUBMITS, 5);
	sl_metric_add(self->cores[1], SL_M_RING_SUBMITS, 7);
	sl_metric_add(self->cores[0], SL_M_FIBERS, 3);
	sl_metric_add(self->cores[1], SL_M_FIBERS, (uint64_t)-1);
	page = render(self);
	EXPECT_TRUE(has(page, "# HELP sluice_ring_submits_total Operations begun on rings."));
	EXPECT_TRUE(has(page, "# TYPE sluice_ring_submits_total counter"));
	EXPECT_TRUE(has(page, "sluice_ring_submits_total 12"));
	EXPECT_TRUE(has(page, "# TYPE sluice_fibers gauge"));
	EXPECT_TRUE(has(page, "sluice_fibers 2"));
}

static bool read_punts(void *arg, enum sl_metric_id id, uint32_t i, uint32_t j, uint64_t *ret_value,
		       struct sl_hist *ret_hist)
{
	EXPECT_EQ(SL_M_RING_PUNTS, id);
	EXPECT_EQ(0, j);
	*ret_value = *(uint64_t *)arg + i;
	return i != 1;
}

TEST_F(metrics, what_no_core_counts_is_asked_of_its_source)
{
	uint64_t base = 40;
	const struct sl_metric_source source = {.read = read_punts, .arg = &base};
	static const char *const ops[] = {"nop", "readv", "writev"};
	struct sl_registry *registry;
	const char *page;

	EXPECT_NULL(strstr(render(self), "sluice_ring_punts_total"));
	ASSERT_EQ(0, sl_registry_new(1, &registry));
	sl_registry_dim(registry, SL_DIM_OPCODE, ops, 3);
	sl_registry_source(registry, SL_M_RING_PUNTS, &source);
	self->page.len = 0;
	ASSERT_EQ(0, sl_metrics_render(registry, &self->page));
	sl_text_put(&self->page, "", 1);
	page = self->page.data;
	EXPECT_TRUE(has(page, "# TYPE sluice_ring_punts_total counter"));
	EXPECT_TRUE(has(page, "sluice_ring_punts_total{op=\"nop\"} 40"));
	EXPECT_NULL(strstr(page, "readv")); /* not known to the source */
	EXPECT_TRUE(has(page, "sluice_ring_punts_total{op=\"writev\"} 42"));
	sl_registry_free(registry);
}

TEST_F(metrics, a_gauge_may_be_below_zero)
{
	sl_metric_set(self->cores[0], SL_M_FIBERS, (uint64_t)-4);
	EXPECT_TRUE(has(render(self), "sluice_fibers -4"));
}

TEST_F(metrics, the_core_label_shows_each_core)
{
	const char *page;

	sl_metric_add(self->cores[1], SL_M_CORE_BUSY, 1500000000);
	page = render(self);
	EXPECT_TRUE(has(page, "sluice_core_busy_seconds_total{core=\"0\"} 0"));
	EXPECT_TRUE(has(page, "sluice_core_busy_seconds_total{core=\"1\"} 1.5"));
	EXPECT_NULL(strstr(page, "core=\"2\""));
}

TEST_F(metrics, cells_are_apart_for_every_pair_of_labels)
{
	uint64_t n = 1;
	char line[128];
	const char *page;

	for (uint32_t i = 0; i < 2; i++)
		for (uint32_t j = 0; j < 2; j++, n *= 10)
			sl_metric_add2(self->cores[i], SL_M_DELIVER_BYTES, i, j, n);
	page = render(self);
	n = 1;
	for (uint32_t i = 0; i < 2; i++) {
		for (uint32_t j = 0; j < 2; j++, n *= 10) {
			snprintf(line, sizeof(line),
				 "sluice_deliver_bytes_total{listener=\"%s\",rung=\"%s\"} %llu",
				 listeners[i], rungs[j], (unsigned long long)n);
			EXPECT_TRUE(has(page, line));
		}
	}
}

TEST_F(metrics, label_values_are_escaped)
{
	sl_metric_add1(self->cores[0], SL_M_KAFKA_REQUESTS, 1, 2);
	EXPECT_TRUE(has(render(self), "sluice_kafka_requests_total{api=\"odd\\\"\\\\\\n\"} 2"));
}

TEST_F(metrics, a_position_without_a_name_is_not_shown)
{
	const char *page;

	sl_metric_add1(self->cores[0], SL_M_KAFKA_REQUESTS, 2, 9);
	sl_metric_add1(self->cores[0], SL_M_KAFKA_REQUESTS, 3, 4);
	page = render(self);
	EXPECT_TRUE(has(page, "sluice_kafka_requests_total{api=\"Last\"} 4"));
	EXPECT_NULL(strstr(page, "} 9\n"));
}

TEST_F(metrics, a_metric_whose_dimension_was_not_given_is_not_shown)
{
	EXPECT_NULL(strstr(render(self), "sluice_connections_closed_total"));
}

TEST_F(metrics, a_histogram_is_cumulative_in_seconds)
{
	const char *page;

	sl_metric_record(self->cores[0], SL_M_COMMIT_FSYNC_TIME, 1024);
	sl_metric_record(self->cores[1], SL_M_COMMIT_FSYNC_TIME, 1025);
	sl_metric_record(self->cores[1], SL_M_COMMIT_FSYNC_TIME, UINT64_C(3000000000));
	page = render(self);
	EXPECT_TRUE(has(page, "# TYPE sluice_commit_fsync_seconds histogram"));
	EXPECT_TRUE(has(page, "sluice_commit_fsync_seconds_bucket{le=\"0.000001024\"} 1"));
	EXPECT_TRUE(has(page, "sluice_commit_fsync_seconds_bucket{le=\"0.000002048\"} 2"));
	EXPECT_TRUE(has(page, "sluice_commit_fsync_seconds_bucket{le=\"2.147483648\"} 2"));
	EXPECT_TRUE(has(page, "sluice_commit_fsync_seconds_bucket{le=\"4.294967296\"} 3"));
	EXPECT_TRUE(has(page, "sluice_commit_fsync_seconds_bucket{le=\"+Inf\"} 3"));
	EXPECT_TRUE(has(page, "sluice_commit_fsync_seconds_sum 3.000002049"));
	EXPECT_TRUE(has(page, "sluice_commit_fsync_seconds_count 3"));
}

TEST_F(metrics, a_labelled_histogram_appears_with_its_first_value)
{
	EXPECT_NULL(strstr(render(self), "sluice_kafka_request_seconds"));
	sl_metric_record1(self->cores[0], SL_M_KAFKA_REQUEST_TIME, 0, 5000);
	EXPECT_TRUE(has(render(self), "sluice_kafka_request_seconds_count{api=\"Produce\"} 1"));
	EXPECT_NULL(strstr(self->page.data, "sluice_kafka_request_seconds_bucket{api=\"odd"));
}

/* Names as Prometheus allows and the house wants them: base units, _total on counters. */
TEST(rows_are_named_by_the_rules)
{
	for (int i = 0; i < SL_M_LAST; i++) {
		const struct sl_metric_info *row = sl_metric_info((enum sl_metric_id)i);
		size_t len = strlen(row->name);
		bool total = len > 6 && strcmp(row->name + len - 6, "_total") == 0;

		EXPECT_EQ(0, strncmp(row->name, "sluice_", 7));
		EXPECT_EQ(len, strspn(row->name, "abcdefghijklmnopqrstuvwxyz_"));
		EXPECT_TRUE(total || row->type != SL_METRIC_COUNTER ||
			    strcmp(row->name, "sluice_connections_total") == 0);
		EXPECT_EQ(row->unit == SL_METRIC_NS, strstr(row->name, "_seconds") != NULL);
		EXPECT_EQ(row->unit == SL_METRIC_BYTES, strstr(row->name, "_bytes") != NULL);
		EXPECT_EQ('.', row->help[strlen(row->help) - 1]);
		for (int j = 0; j < i; j++)
			EXPECT_STRNE(sl_metric_info((enum sl_metric_id)j)->name, row->name);
	}
}

static void *count_many(void *arg)
{
	for (int i = 0; i < 100000; i++) {
		sl_metric_add(arg, SL_M_RING_SUBMITS, 1);
		sl_metric_record1(arg, SL_M_REQUEST_TIME, 0, (uint64_t)i);
	}
	return NULL;
}

TEST_F(metrics, reading_while_counting_loses_nothing)
{
	pthread_t threads[2];
	const char *page;

	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, count_many, self->cores[i]));
	for (int i = 0; i < 20; i++)
		render(self);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	page = render(self);
	EXPECT_TRUE(has(page, "sluice_ring_submits_total 200000"));
	EXPECT_TRUE(has(page, "sluice_request_seconds_count{listener=\"kafka\"} 200000"));
}

static int stop_at_third(void *arg, const struct sl_metric_sample *s)
{
	EXPECT_NOT_NULL(s->info->name);
	return ++*(int *)arg == 3 ? 77 : 0;
}

TEST_F(metrics, a_walk_ends_when_it_is_told)
{
	int n = 0;

	EXPECT_EQ(77, sl_metrics_each(self->registry, stop_at_third, &n));
	EXPECT_EQ(3, n);
}

TEST_HARNESS_MAIN
