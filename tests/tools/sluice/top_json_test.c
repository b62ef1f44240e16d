// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/top_json.c: the object that scripts read. */
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "harness.h"
#include "tools/sluice/top.h"

static yyjson_doc *print(const char *page_text)
{
	struct prom_page before = {0}, now;
	struct top_view view;
	yyjson_doc *doc;
	size_t line, n = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &n);

	ASSERT_EQ(0, prom_parse(page_text, strlen(page_text), &now, &line));
	ASSERT_EQ(0, top_view_make(&before, &now, 2, &view));
	ASSERT_NOT_NULL(out);
	ASSERT_EQ(0, top_json_print(out, &view, "host:1"));
	fclose(out);
	top_view_done(&view);
	prom_page_done(&now);
	doc = yyjson_read(text, n, 0);
	ASSERT_NOT_NULL(doc);
	EXPECT_EQ('\n', text[n - 1]);
	free(text);
	return doc;
}

TEST(every_section_and_column_is_there)
{
	yyjson_doc *doc = print("sluice_kafka_requests_total{api=\"fetch\"} 10\n");
	yyjson_val *root = yyjson_doc_get_root(doc);

	EXPECT_EQ(1, yyjson_get_int(yyjson_obj_get(root, "schema")));
	EXPECT_STREQ("host:1", yyjson_get_str(yyjson_obj_get(root, "address")));
	EXPECT_TRUE(yyjson_get_real(yyjson_obj_get(root, "interval_seconds")) == 2);
	for (int i = 0; i < TOP_SECTION_LAST; i++) {
		const struct top_section *s = &top_sections[i];
		yyjson_val *section = yyjson_obj_get(root, s->key);

		if (s->labels[0]) {
			EXPECT_TRUE(yyjson_is_arr(section));
			continue;
		}
		for (size_t k = 0; k < s->columns_n; k++)
			EXPECT_NOT_NULL(yyjson_obj_get(section, s->columns[k].key));
	}
	yyjson_doc_free(doc);
}

TEST(rows_have_their_labels_and_null_for_what_is_not_known)
{
	yyjson_doc *doc = print(
		"sluice_deliver_bytes_total{listener=\"kafka\",rung=\"send \\\"zc\\\"\"} 10\n");
	yyjson_val *root = yyjson_doc_get_root(doc);
	yyjson_val *row = yyjson_arr_get(yyjson_obj_get(root, "delivery"), 0);

	EXPECT_EQ(1, yyjson_arr_size(yyjson_obj_get(root, "delivery")));
	EXPECT_STREQ("kafka", yyjson_get_str(yyjson_obj_get(row, "listener")));
	EXPECT_STREQ("send \"zc\"", yyjson_get_str(yyjson_obj_get(row, "rung")));
	EXPECT_TRUE(yyjson_get_real(yyjson_obj_get(row, "bytes_per_s")) == 5);
	EXPECT_TRUE(yyjson_is_null(yyjson_obj_get(row, "transfers_per_s")));
	EXPECT_EQ(0, yyjson_arr_size(yyjson_obj_get(root, "cores")));
	yyjson_doc_free(doc);
}

TEST_HARNESS_MAIN
