/* SPDX-License-Identifier: Apache-2.0 */
/* What the JSON of a class means: its properties, and how its vectors are found. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apis/weaviate/weaviate_pvt.h"
#include "harness.h"

FIXTURE(class)
{
	struct wv_call c;
	struct wv_class *k;
};

FIXTURE_SETUP(class)
{
	http_arena_init(&self->c.arena, 1 << 20);
	self->k = NULL;
}

FIXTURE_TEARDOWN(class)
{
	http_arena_done(&self->c.arena);
}

static const struct wv_class *read_class(FIXTURE_DATA(class) * self, const char *text)
{
	ASSERT_EQ(0, wv_class_read(&self->c, text, strlen(text), &self->k));
	return self->k;
}

TEST_F(class, properties_have_types_and_tokens)
{
	const struct wv_class *k = read_class(
		self, "{\"class\":\"A\",\"properties\":[{\"name\":\"t\",\"dataType\":[\"text[]\"],"
		      "\"tokenization\":\"whitespace\"},{\"name\":\"n\",\"dataType\":[\"int\"],"
		      "\"indexFilterable\":false},{\"name\":\"r\",\"dataType\":[\"B\"]}]}");

	EXPECT_STREQ("A", k->name);
	ASSERT_EQ(3, k->properties_n);
	EXPECT_EQ(DATA_TEXT, k->properties[0].type);
	EXPECT_TRUE(k->properties[0].list);
	EXPECT_EQ(SL_TOKENS_SPACE, k->properties[0].tokeniser.kind);
	EXPECT_TRUE(k->properties[0].tokeniser.keep_case);
	EXPECT_EQ(DATA_INT, k->properties[1].type);
	EXPECT_FALSE(k->properties[1].filterable);
	EXPECT_EQ(DATA_REFERENCE, k->properties[2].type);
	EXPECT_NOT_NULL(wv_class_property(k, "n", 1));
	EXPECT_NULL(wv_class_property(k, "no", 2));
}

TEST_F(class, graphs_are_as_asked_but_for_weaviates_defaults)
{
	const struct wv_class_vector *v =
		read_class(self, "{\"class\":\"A\",\"vectorIndexType\":\"hnsw\","
				 "\"vectorIndexConfig\":{\"distance\":\"dot\",\"ef\":-1,"
				 "\"maxConnections\":32,\"efConstruction\":200}}")->vectors;

	EXPECT_EQ(SL_METRIC_DOT, v->metric);
	EXPECT_EQ(SL_INDEX_HNSW, v->index.kind);
	EXPECT_TRUE(v->automatic);
	EXPECT_EQ(0, v->index.links);
	EXPECT_EQ(200, v->index.effort_add);
	EXPECT_EQ(0, v->effort);
	EXPECT_EQ(SL_QUANTISER_DEFAULT, v->index.quantiser);
}

TEST_F(class, codes_are_those_that_are_enabled)
{
	static const struct {
		const char *conf;
		enum sl_quantiser quantiser;
		uint32_t bits;
	} rows[] = {
		{"\"pq\":{\"enabled\":true}", SL_QUANTISER_PQ8, 0},
		{"\"bq\":{\"enabled\":true}", SL_QUANTISER_BINARY, 0},
		{"\"sq\":{\"enabled\":true}", SL_QUANTISER_SQ8, 0},
		{"\"rq\":{\"enabled\":true,\"bits\":4}", SL_QUANTISER_RABITQ, 4},
		{"\"sq\":{\"enabled\":false}", SL_QUANTISER_DEFAULT, 0},
		{"\"distance\":\"hamming\",\"bq\":{\"enabled\":true}", SL_QUANTISER_DEFAULT, 0},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		char text[300];
		const struct wv_class_vector *v;

		snprintf(text, sizeof(text), "{\"class\":\"A\",\"vectorIndexConfig\":{%s}}",
			 rows[i].conf);
		v = read_class(self, text)->vectors;
		EXPECT_EQ(rows[i].quantiser, v->index.quantiser);
		EXPECT_EQ(rows[i].bits, v->index.quantiser_bits);
	}
}

TEST_F(class, what_is_no_json_is_no_class)
{
	EXPECT_EQ(-EBADMSG, wv_class_read(&self->c, "{", 1, &self->k));
	EXPECT_NULL(self->k);
}

TEST_HARNESS_MAIN
