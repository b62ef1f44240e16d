// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/top_lines.c: numbers, and tables on terminals of every width. */
#include <math.h>
#include <string.h>

#include <sluice/util.h>

#include "harness.h"
#include "tools/sluice/top.h"

TEST(numbers_have_three_digits_and_a_unit)
{
	static const struct {
		double v;
		enum top_unit unit;
		const char *text;
	} cases[] = {
		{0, TOP_ONE, "0"},
		{7, TOP_ONE, "7"},
		{0.25, TOP_ONE, "0.25"},
		{9999, TOP_ONE, "9999"},
		{12345, TOP_ONE, "12.3k"},
		{999960, TOP_ONE, "1.00M"},
		{2.5e9, TOP_ONE, "2.50G"},
		{0, TOP_BYTES, "0B"},
		{999, TOP_BYTES, "999B"},
		{1536, TOP_BYTES, "1.54kB"},
		{123456789, TOP_BYTES, "123MB"},
		{0, TOP_SECONDS, "0us"},
		{0.0000042, TOP_SECONDS, "4.20us"},
		{0.0123, TOP_SECONDS, "12.3ms"},
		{69, TOP_SECONDS, "69.0s"},
		{0, TOP_PERCENT, "0%"},
		{0.034, TOP_PERCENT, "3.4%"},
		{0.5, TOP_PERCENT, "50%"},
		{1, TOP_PERCENT, "100%"},
		{NAN, TOP_BYTES, "-"},
		{-1, TOP_ONE, "-"},
		{INFINITY, TOP_SECONDS, "huge"},
		{1e300, TOP_BYTES, "huge"},
	};
	char text[TOP_NUMBER_BYTES];

	for (size_t i = 0; i < SL_ARRAY_SIZE(cases); i++) {
		top_number_format(cases[i].v, cases[i].unit, text);
		EXPECT_STREQ(cases[i].text, text);
	}
}

/* A page with every kind of row; names that a terminal could take for orders among them. */
static const char page_text[] =
	"sluice_core_busy_seconds_total{core=\"0\"} 0.95\n"
	"sluice_core_busy_seconds_total{core=\"1\"} 0.25\n"
	"sluice_connections{listener=\"kafka\"} 3\n"
	"sluice_connections{listener=\"\033[2Jhttp\"} 1\n"
	"sluice_requests_total{listener=\"kafka\"} 1500\n"
	"sluice_deliver_bytes_total{listener=\"kafka\",rung=\"copy\"} 1000000\n"
	"sluice_deliver_bytes_total{listener=\"kafka\",rung=\"sendfile\"} 0\n"
	"sluice_kafka_requests_total{api=\"fetch\"} 10\n"
	"sluice_kafka_requests_total{api=\"produce\"} 0\n"
	"sluice_log_failed 1\n"
	"sluice_bpf_program_loaded{program=\"ring\"} 0\n";

FIXTURE(lines)
{
	struct prom_page before, now;
	struct top_view view;
	struct top_lines lines;
};

FIXTURE_SETUP(lines)
{
	size_t line;

	ASSERT_EQ(0, prom_parse(page_text, strlen(page_text), &self->now, &line));
	ASSERT_EQ(0, top_view_make(&self->before, &self->now, 1, &self->view));
}

FIXTURE_TEARDOWN(lines)
{
	top_lines_done(&self->lines);
	top_view_done(&self->view);
	prom_page_done(&self->now);
}

/* The first line that has @text, or NULL; @ret_at: where. */
static const struct top_line *find(const struct top_lines *lines, const char *text, size_t *ret_at)
{
	for (size_t i = 0; i < lines->n; i++) {
		const char *at = memmem(lines->v[i].text, lines->v[i].n, text, strlen(text));

		if (!at)
			continue;
		*ret_at = (size_t)(at - lines->v[i].text);
		return &lines->v[i];
	}
	return NULL;
}

static bool has(const struct top_lines *lines, const char *text)
{
	size_t at;

	return find(lines, text, &at);
}

TEST_F(lines, fit_every_width_and_are_printable)
{
	for (size_t width = TOP_WIDTH_MIN; width <= TOP_WIDTH_MAX; width++) {
		ASSERT_EQ(0, top_layout(&self->view, width, true, &self->lines));
		EXPECT_LT(10, self->lines.n);
		for (size_t i = 0; i < self->lines.n; i++) {
			const struct top_line *line = &self->lines.v[i];

			ASSERT_GE(width, line->n);
			for (size_t k = 0; k < line->n; k++)
				ASSERT_TRUE(line->text[k] >= ' ' && line->text[k] <= '~');
		}
		top_lines_done(&self->lines);
	}
}

TEST_F(lines, columns_go_by_rank_where_it_is_narrow)
{
	ASSERT_EQ(0, top_layout(&self->view, 80, false, &self->lines));
	EXPECT_TRUE(has(&self->lines, "zero-copy"));
	EXPECT_FALSE(has(&self->lines, "accept/s"));
	EXPECT_FALSE(has(&self->lines, "sync p50"));
	top_lines_done(&self->lines);
	ASSERT_EQ(0, top_layout(&self->view, 140, false, &self->lines));
	EXPECT_TRUE(has(&self->lines, "accept/s"));
	EXPECT_TRUE(has(&self->lines, "sync p50"));
}

TEST_F(lines, tables_stand_beside_each_other_where_it_is_wide)
{
	size_t cores, kafka;

	ASSERT_EQ(0, top_layout(&self->view, 200, false, &self->lines));
	ASSERT_NOT_NULL(find(&self->lines, "CORES", &cores));
	ASSERT_NOT_NULL(find(&self->lines, "KAFKA", &kafka));
	EXPECT_EQ(0, cores);
	EXPECT_EQ(102, kafka);
}

TEST_F(lines, idle_rows_are_left_out_unless_wanted)
{
	ASSERT_EQ(0, top_layout(&self->view, 80, false, &self->lines));
	EXPECT_TRUE(has(&self->lines, "fetch"));
	EXPECT_FALSE(has(&self->lines, "produce"));
	EXPECT_FALSE(has(&self->lines, "sendfile"));
	EXPECT_FALSE(has(&self->lines, "FALL-BACKS"));
	top_lines_done(&self->lines);
	ASSERT_EQ(0, top_layout(&self->view, 80, true, &self->lines));
	EXPECT_TRUE(has(&self->lines, "produce"));
	EXPECT_TRUE(has(&self->lines, "kafka sendfile"));
}

TEST_F(lines, what_needs_a_look_stands_out)
{
	const struct top_line *line;
	size_t at;

	ASSERT_EQ(0, top_layout(&self->view, 80, false, &self->lines));
	line = find(&self->lines, "95%", &at);
	ASSERT_NOT_NULL(line);
	EXPECT_EQ(TOP_WARN, line->style[at]);
	line = find(&self->lines, "25%", &at);
	ASSERT_NOT_NULL(line);
	EXPECT_EQ(TOP_PLAIN, line->style[at]);
	line = find(&self->lines, "CORES", &at);
	ASSERT_NOT_NULL(line);
	EXPECT_EQ(TOP_TITLE, line->style[at]);
}

TEST_HARNESS_MAIN
