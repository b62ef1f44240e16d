// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/top_sections.c: the table against the daemon's own table of metrics. */
#include <string.h>

#include <sluice/util.h>

#include "dataplane/dataplane.h"
#include "harness.h"
#include "tools/sluice/top.h"

/* What only programs in the kernel count, so that a daemon built without them has no row. */
static bool is_of_kernel_programs(const char *metric)
{
	static const char *const prefixes[] = {"sluice_bpf_",	    "sluice_core_runqueue_",
					       "sluice_pagecache_", "sluice_ring_op_",
					       "sluice_ring_punts", "sluice_tcp_"};

	for (size_t i = 0; i < SL_ARRAY_SIZE(prefixes); i++)
		if (!strncmp(metric, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

static const struct sl_metric_info *find(const char *metric)
{
	for (int id = 0; id < SL_M_LAST; id++)
		if (!strcmp(sl_metric_info((enum sl_metric_id)id)->name, metric))
			return sl_metric_info((enum sl_metric_id)id);
	return NULL;
}

static bool suits(const struct top_column *col, const struct sl_metric_info *info)
{
	switch (col->how) {
	case TOP_QUANTILE:
		return info->type == SL_METRIC_HISTOGRAM && info->unit == SL_METRIC_NS &&
		       col->unit == TOP_SECONDS;
	case TOP_RATE:
	case TOP_SHARE:
		return info->type == SL_METRIC_COUNTER;
	case TOP_LEVEL:
	default:
		return info->type != SL_METRIC_HISTOGRAM;
	}
}

TEST(columns_show_metrics_that_there_are)
{
	for (int i = 0; i < TOP_SECTION_LAST; i++) {
		for (size_t k = 0; k < top_sections[i].columns_n; k++) {
			const struct top_column *col = &top_sections[i].columns[k];
			const struct sl_metric_info *info = find(col->metric);

			if (!info && is_of_kernel_programs(col->metric))
				continue;
			if (!EXPECT_NOT_NULL(info) || !EXPECT_TRUE(suits(col, info)))
				TH_LOG("%s.%s: %s", top_sections[i].key, col->key, col->metric);
		}
	}
}

TEST(keys_are_there_once_and_fit)
{
	for (int i = 0; i < TOP_SECTION_LAST; i++) {
		const struct top_section *s = &top_sections[i];

		ASSERT_GE(TOP_COLUMNS_MAX, s->columns_n);
		ASSERT_LT(0, s->columns_n);
		for (int j = 0; j < i; j++)
			EXPECT_STRNE(s->key, top_sections[j].key);
		for (size_t k = 0; k < s->columns_n; k++) {
			EXPECT_GE(10, strlen(s->columns[k].title));
			for (size_t l = 0; l < k; l++)
				EXPECT_STRNE(s->columns[k].key, s->columns[l].key);
		}
	}
}

static bool has_column(const struct top_section *s, const char *key)
{
	for (size_t k = 0; k < s->columns_n; k++)
		if (!strcmp(s->columns[k].key, key))
			return true;
	return false;
}

TEST(rows_are_sorted_by_columns_that_there_are)
{
	for (int i = 0; i < TOP_SECTION_LAST; i++) {
		const struct top_section *s = &top_sections[i];

		EXPECT_TRUE(!s->busiest || has_column(s, s->busiest));
		EXPECT_TRUE(!s->slowest || has_column(s, s->slowest));
	}
}

TEST_HARNESS_MAIN
