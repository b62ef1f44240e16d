// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/top_view.c: what two pages say together. */
#include <math.h>
#include <string.h>

#include "harness.h"
#include "tools/sluice/top.h"

static struct prom_page parse(const char *text)
{
	struct prom_page page;
	size_t line;

	ASSERT_EQ(0, prom_parse(text, strlen(text), &page, &line));
	return page;
}

/* The cell of column @key in the row of @a and @b. */
static double cell(const struct top_view *view, int section, const char *a, const char *b,
		   const char *key)
{
	const struct top_section *s = &top_sections[section];
	const struct top_table *t = &view->tables[section];

	for (size_t i = 0; i < t->rows_n; i++) {
		if ((a && strcmp(a, t->rows[i].names[0])) || (b && strcmp(b, t->rows[i].names[1])))
			continue;
		for (size_t k = 0; k < s->columns_n; k++)
			if (!strcmp(key, s->columns[k].key))
				return t->rows[i].cells[k];
	}
	TH_LOG("no %s of %s %s", key, a ? a : "", b ? b : "");
	ASSERT_TRUE(false);
	return NAN;
}

static bool near(double expected, double seen)
{
	return fabs(expected - seen) <= 1e-9 * fabs(expected);
}

#define EXPECT_CELL(expected, section, a, b, key)                                                  \
	EXPECT_TRUE(near(expected, cell(&self->view, section, a, b, key)))
#define EXPECT_NO_CELL(section, a, b, key) EXPECT_TRUE(isnan(cell(&self->view, section, a, b, key)))

FIXTURE(view)
{
	struct prom_page before, now;
	struct top_view view;
};

FIXTURE_SETUP(view)
{
}

FIXTURE_TEARDOWN(view)
{
	top_view_done(&self->view);
	prom_page_done(&self->before);
	prom_page_done(&self->now);
}

static void compare(FIXTURE_DATA(view) * self, const char *before, const char *now, double s)
{
	if (before)
		self->before = parse(before);
	self->now = parse(now);
	ASSERT_EQ(0, top_view_make(before ? &self->before : NULL, &self->now, s, &self->view));
}

TEST_F(view, rates_are_growth_by_time)
{
	compare(self,
		"sluice_requests_total{listener=\"kafka\"} 100\n"
		"sluice_requests_total{listener=\"http\"} 7\n"
		"sluice_connections{listener=\"kafka\"} 9\n",
		"sluice_requests_total{listener=\"http\"} 8\n"
		"sluice_requests_total{listener=\"kafka\"} 150\n"
		"sluice_connections{listener=\"kafka\"} 4\n",
		2);
	EXPECT_CELL(25, TOP_LISTENERS, "kafka", NULL, "requests_per_s");
	EXPECT_CELL(0.5, TOP_LISTENERS, "http", NULL, "requests_per_s");
	EXPECT_CELL(4, TOP_LISTENERS, "kafka", NULL, "connections");
	EXPECT_CELL(25.5, TOP_TOTAL, NULL, NULL, "requests_per_s");
}

TEST_F(view, restarted_counters_grew_from_nothing)
{
	compare(self, "sluice_ring_submits_total 1000\n", "sluice_ring_submits_total 30\n", 1);
	EXPECT_CELL(30, TOP_RING, NULL, NULL, "submits_per_s");
}

TEST_F(view, what_is_missing_is_nan)
{
	compare(self, "", "sluice_connections{listener=\"kafka\"} 1\n", 1);
	EXPECT_CELL(1, TOP_LISTENERS, "kafka", NULL, "connections");
	EXPECT_NO_CELL(TOP_LISTENERS, "kafka", NULL, "requests_per_s");
	EXPECT_NO_CELL(TOP_LISTENERS, "kafka", NULL, "p99_seconds");
	EXPECT_NO_CELL(TOP_RING, NULL, NULL, "punts_per_s");
	EXPECT_EQ(0, self->view.tables[TOP_CORES].rows_n);
	EXPECT_EQ(1, self->view.tables[TOP_STORAGE].rows_n);
}

TEST_F(view, first_page_alone_has_levels_and_no_rates)
{
	compare(self, NULL, "sluice_ring_submits_total 5\nsluice_log_failed 2\n", 1);
	EXPECT_NO_CELL(TOP_RING, NULL, NULL, "submits_per_s");
	EXPECT_CELL(2, TOP_STORAGE, NULL, NULL, "failed_logs");
}

TEST_F(view, zero_copy_is_the_share_not_copied)
{
	compare(self,
		"sluice_deliver_bytes_total{listener=\"kafka\",rung=\"copy\"} 100\n"
		"sluice_deliver_bytes_total{listener=\"kafka\",rung=\"sendfile\"} 1000\n"
		"sluice_deliver_bytes_total{listener=\"http\",rung=\"copy\"} 5\n",
		"sluice_deliver_bytes_total{listener=\"kafka\",rung=\"copy\"} 200\n"
		"sluice_deliver_bytes_total{listener=\"kafka\",rung=\"sendfile\"} 1100\n"
		"sluice_deliver_bytes_total{listener=\"kafka\",rung=\"splice\"} 200\n"
		"sluice_deliver_bytes_total{listener=\"http\",rung=\"copy\"} 5\n",
		1);
	EXPECT_CELL(0.75, TOP_LISTENERS, "kafka", NULL, "zero_copy");
	EXPECT_NO_CELL(TOP_LISTENERS, "http", NULL, "zero_copy");
	EXPECT_CELL(200, TOP_DELIVERY, "kafka", "splice", "bytes_per_s");
	EXPECT_CELL(1100, TOP_DELIVERY, "kafka", "sendfile", "bytes");
}

#define FSYNC(le, n) "sluice_commit_fsync_seconds_bucket{le=\"" le "\"} " #n "\n"

TEST_F(view, quantiles_are_of_the_interval)
{
	/* 100 old slow ones; since then 90 up to 1 ms, 9 up to 2 ms, 1 up to 4 ms. */
	compare(self, FSYNC("0.001", 0) FSYNC("0.002", 0) FSYNC("0.004", 0) FSYNC("+Inf", 100),
		FSYNC("0.001", 90) FSYNC("0.002", 99) FSYNC("0.004", 100) FSYNC("+Inf", 200), 1);
	EXPECT_CELL(0.001 * 50 / 90, TOP_STORAGE, NULL, NULL, "fsync_p50_seconds");
	EXPECT_CELL(0.002, TOP_STORAGE, NULL, NULL, "fsync_p99_seconds");
}

TEST_F(view, quantile_beyond_the_last_bound_is_that_bound)
{
	compare(self, "", FSYNC("0.001", 1) FSYNC("+Inf", 100), 1);
	EXPECT_CELL(0.001, TOP_STORAGE, NULL, NULL, "fsync_p99_seconds");
}

TEST_F(view, quantile_of_nothing_is_nan)
{
	compare(self, FSYNC("0.001", 5) FSYNC("+Inf", 5), FSYNC("0.001", 5) FSYNC("+Inf", 5), 1);
	EXPECT_NO_CELL(TOP_STORAGE, NULL, NULL, "fsync_p99_seconds");
}

#define API(api, le, n)                                                                            \
	"sluice_kafka_request_seconds_bucket{api=\"" api "\",le=\"" le "\"} " #n "\n"

TEST_F(view, histogram_that_is_new_counted_from_nothing)
{
	compare(self, API("fetch", "0.5", 1) API("fetch", "+Inf", 1),
		API("fetch", "0.5", 1) API("fetch", "+Inf", 1) API("produce", "0.5", 4)
			API("produce", "1", 8) API("produce", "+Inf", 8),
		1);
	EXPECT_CELL(0.5, TOP_KAFKA, "produce", NULL, "p50_seconds");
	EXPECT_NO_CELL(TOP_KAFKA, "fetch", NULL, "p50_seconds");
}

static void expect_order(const struct top_view *view, enum top_sort sort, const char *const *names)
{
	struct top_view *v = (struct top_view *)(uintptr_t)view;

	top_view_sort(v, sort);
	for (size_t i = 0; i < 4; i++)
		EXPECT_STREQ(names[i], v->tables[TOP_KAFKA].rows[i].names[0]);
}

#define COUNT(api, n) "sluice_kafka_requests_total{api=\"" api "\"} " #n "\n"

TEST_F(view, rows_are_sorted_and_back)
{
	compare(self, COUNT("a", 0),
		COUNT("a", 1) COUNT("b", 30) COUNT("c", 1) COUNT("d", 2) API("c", "1", 5)
			API("c", "+Inf", 5) API("d", "1", 1) API("d", "8", 9) API("d", "+Inf", 9),
		1);
	expect_order(&self->view, TOP_BY_BUSIEST, (const char *const[]){"b", "d", "a", "c"});
	expect_order(&self->view, TOP_BY_SLOWEST, (const char *const[]){"d", "c", "a", "b"});
	expect_order(&self->view, TOP_BY_NAME, (const char *const[]){"a", "b", "c", "d"});
}

TEST_HARNESS_MAIN
