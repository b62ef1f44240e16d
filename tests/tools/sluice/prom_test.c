// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/prom.c: pages of metrics, well-formed and not. */
#include "tools/sluice/prom.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/util.h>

#include "dataplane/dataplane.h"
#include "harness.h"

static struct prom_page parse(const char *text)
{
	struct prom_page page = {0};
	size_t line = 0;

	if (!EXPECT_EQ(0, prom_parse(text, strlen(text), &page, &line)))
		TH_LOG("line %zu of '%s'", line, text);
	return page;
}

TEST(samples_have_name_labels_and_value)
{
	struct prom_page page = parse("# HELP a_total Things.\n# TYPE a_total counter\n"
				      "a_total 3\n\n"
				      "b:c{x=\"1\",le=\"+Inf\"} -2.5e3\n"
				      "d { x = \"1\" , } 7 1395066363000\n");

	ASSERT_EQ(3, page.samples_n);
	EXPECT_STREQ("a_total", page.samples[0].name);
	EXPECT_EQ(0, page.samples[0].labels_n);
	EXPECT_TRUE(page.samples[0].value == 3);
	EXPECT_STREQ("b:c", page.samples[1].name);
	EXPECT_STREQ("1", prom_label_value(&page.samples[1], "x"));
	EXPECT_STREQ("+Inf", prom_label_value(&page.samples[1], "le"));
	EXPECT_NULL(prom_label_value(&page.samples[1], "y"));
	EXPECT_TRUE(page.samples[1].value == -2500);
	EXPECT_STREQ("d", page.samples[2].name);
	EXPECT_EQ(1, page.samples[2].labels_n);
	EXPECT_TRUE(page.samples[2].value == 7);
	prom_page_done(&page);
}

TEST(numbers_may_be_no_numbers)
{
	struct prom_page page = parse("a NaN\nb +Inf\nc -Inf\nd 1e-9\n");

	ASSERT_EQ(4, page.samples_n);
	EXPECT_TRUE(isnan(page.samples[0].value));
	EXPECT_TRUE(isinf(page.samples[1].value) && page.samples[1].value > 0);
	EXPECT_TRUE(isinf(page.samples[2].value) && page.samples[2].value < 0);
	EXPECT_TRUE(page.samples[3].value == 1e-9);
	prom_page_done(&page);
}

TEST(escapes_in_values_are_undone)
{
	struct prom_page page = parse("a{x=\"q\\\"b\\\\n\\n,}= #\"} 1\n");

	ASSERT_EQ(1, page.samples_n);
	EXPECT_STREQ("q\"b\\n\n,}= #", prom_label_value(&page.samples[0], "x"));
	prom_page_done(&page);
}

TEST(nothing_is_a_page)
{
	struct prom_page page = parse("");

	EXPECT_EQ(0, page.samples_n);
	prom_page_done(&page);
	prom_page_done(&page);
}

TEST(what_is_no_page_is_refused_with_its_line)
{
	static const char *const bad[] = {
		"a 1",
		"a\n",
		"a{} \n",
		"a{x} 1\n",
		"a{x=1} 1\n",
		"a{x=\"1} 1\n",
		"a{x=\"1\" 1\n",
		"a{x=\"\\t\"} 1\n",
		"a{x=\"1\"y=\"2\"} 1\n",
		"a{:x=\"1\"} 1\n",
		"a{,} 1\n",
		"a 1x\n",
		"a 1 2 3\n",
		"a 1 x\n",
		"1a 1\n",
		"a \r\n1\n",
		"<html>\n",
		"a{x=\"1\"}\n2\n",
		"a{x=\"\\",
		"a{x=\"\\\n",
	};
	char text[64];

	for (size_t i = 0; i < SL_ARRAY_SIZE(bad); i++) {
		struct prom_page page = {0};
		size_t line = 0;

		snprintf(text, sizeof(text), "ok 1\n%s", bad[i]);
		if (!EXPECT_EQ(-EBADMSG, prom_parse(text, strlen(text), &page, &line)) ||
		    !EXPECT_EQ(2, line))
			TH_LOG("'%s'", bad[i]);
		EXPECT_NULL(page.samples);
	}
}

TEST(value_with_a_nul_is_refused)
{
	static const char text[] = "a{x=\"1\0 2\"} 1\n";
	struct prom_page page;
	size_t line = 0;

	EXPECT_EQ(-EBADMSG, prom_parse(text, sizeof(text) - 1, &page, &line));
	EXPECT_EQ(1, line);
}

/* Whatever the daemon renders is read. */
TEST(own_pages_are_read)
{
	static const char *const names[] = {"plain", "with \"quotes\"\\ and\nlines"};
	struct sl_registry *registry;
	struct sl_metrics *metrics;
	struct sl_text text = {0};
	struct prom_page page;
	size_t line = 0, buckets = 0;

	ASSERT_EQ(0, sl_registry_new(1, &registry));
	sl_registry_dim(registry, SL_DIM_LISTENER, names, SL_ARRAY_SIZE(names));
	ASSERT_EQ(0, sl_metrics_new(registry, 0, &metrics));
	sl_metric_record1(metrics, SL_M_REQUEST_TIME, 1, 5000);
	ASSERT_EQ(0, sl_metrics_render(registry, &text));
	ASSERT_EQ(0, prom_parse(text.data, text.len, &page, &line));
	for (size_t i = 0; i < page.samples_n; i++) {
		const struct prom_sample *s = &page.samples[i];

		if (strcmp(s->name, "sluice_request_seconds_bucket"))
			continue;
		EXPECT_STREQ(names[1], prom_label_value(s, "listener"));
		buckets++;
	}
	EXPECT_LT(10, buckets);
	prom_page_done(&page);
	sl_text_done(&text);
	sl_registry_free(registry);
}

TEST_HARNESS_MAIN
