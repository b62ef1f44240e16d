/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classes: how they are kept, what is filled in, and what is refused.
 * Order of parts: one class; what is refused; changing; restarting.
 */
#include <string.h>

#include "harness.h"
#include "weaviate_kit.h"

/* ---- one class -------------------------------------------------------------------------- */

static void make_class(struct web *w)
{
	weaviate_kit_is(w, "GET", "/v1/schema", "", "{\"classes\":[]}");
	weaviate_kit_expect(w, "POST", "/v1/schema",
			    "{\"class\":\"article\",\"description\":\"d\",\"vectorizer\":\"none\","
			    "\"properties\":[{\"name\":\"Title\",\"dataType\":[\"string\"]}]}",
			    200, "\"class\":\"Article\",\"description\":\"d\"");
	/* What the Python client reads of a class. */
	weaviate_kit_expect(w, "GET", "/v1/schema/Article", "", 200,
			    "\"bm25\":{\"b\":0.75,\"k1\":1.2}");
	weaviate_kit_expect(w, "GET", "/v1/schema/Article", "", 200,
			    "\"replicationConfig\":{\"factor\":1,");
	weaviate_kit_expect(w, "GET", "/v1/schema/Article", "", 200, "\"shardingConfig\":{");
	weaviate_kit_expect(w, "GET", "/v1/schema/Article", "", 200,
			    "\"vectorIndexType\":\"hnsw\",\"vectorIndexConfig\":{");
	weaviate_kit_expect(w, "GET", "/v1/schema/article", "", 200,
			    "{\"name\":\"title\",\"dataType\":[\"text\"],\"indexFilterable\":true,"
			    "\"indexSearchable\":true,\"indexRangeFilters\":false,"
			    "\"tokenization\":\"whitespace\"}");
	weaviate_kit_expect(w, "GET", "/v1/schema/Article/shards", "", 200, "\"status\":\"READY\"");
	weaviate_kit_expect(w, "GET", "/v1/schema", "", 200,
			    "{\"classes\":[{\"class\":\"Article\"");
	weaviate_kit_refused(w, "POST", "/v1/schema", "{\"class\":\"Article\"}", 422,
			     "class name Article already exists");
	weaviate_kit_expect(w, "DELETE", "/v1/schema/Article", "", 200, NULL);
	weaviate_kit_expect(w, "DELETE", "/v1/schema/Article", "", 200, NULL);
	weaviate_kit_refused(w, "GET", "/v1/schema/Article", "", 404, "could not find class");
}

TEST(classes_are_filled_in)
{
	weaviate_kit_run(make_class, NULL);
}

static void make_vectors(struct web *w)
{
	weaviate_kit_expect(
		w, "POST", "/v1/schema",
		"{\"class\":\"Flat\",\"vectorIndexType\":\"flat\",\"vectorIndexConfig\":{"
		"\"distance\":\"dot\",\"bq\":{\"enabled\":true}}}",
		200, "\"bq\":{\"enabled\":true}");
	weaviate_kit_expect(w, "GET", "/v1/schema/Flat", "", 200, "\"distance\":\"dot\"");
	weaviate_kit_expect(
		w, "POST", "/v1/schema",
		"{\"class\":\"Named\",\"vectorConfig\":{\"a\":{\"vectorizer\":{\"none\":{}}},"
		"\"b\":{\"vectorIndexType\":\"dynamic\"}}}",
		200,
		"\"vectorConfig\":{\"a\":{\"vectorizer\":{\"none\":{}},"
		"\"vectorIndexType\":\"hnsw\"");
	weaviate_kit_expect(w, "GET", "/v1/schema/Named", "", 200, "\"threshold\":10000");
}

TEST(vectors_are_of_several_kinds)
{
	weaviate_kit_run(make_vectors, NULL);
}

/* ---- what is refused -------------------------------------------------------------------- */

static void make_wrong(struct web *w)
{
	static const struct {
		const char *body, *part;
	} rows[] = {
		{"{}", "not a valid class name"},
		{"{\"class\":\"_A\"}", "not a valid class name"},
		{"{\"class\":\"A b\"}", "not a valid class name"},
		{"{\"class\":\"A:b\"}", "not a valid class name"},
		{"{\"class\":\"A\",\"vectorizer\":\"text2vec-openai\"}",
		 "no module with name \\\"text2vec-openai\\\""},
		{"{\"class\":\"A\",\"vectorConfig\":{\"v\":{\"vectorizer\":{\"img2vec\":{}}}}}",
		 "no module with name \\\"img2vec\\\""},
		{"{\"class\":\"A\",\"vectorIndexType\":\"tree\"}", "vectorIndexType \\\"tree\\\""},
		{"{\"class\":\"A\",\"vectorIndexConfig\":{\"distance\":\"far\"}}",
		 "unrecognized distance metric \\\"far\\\""},
		{"{\"class\":\"A\",\"vectorIndexConfig\":{\"multivector\":{\"enabled\":true}}}",
		 "several vectors under one name"},
		{"{\"class\":\"A\",\"properties\":{}}", "properties: a list is expected"},
		{"{\"class\":\"A\",\"properties\":[{\"name\":\"id\",\"dataType\":[\"int\"]}]}",
		 "'id' is not a valid property name"},
		{"{\"class\":\"A\",\"properties\":[{\"name\":\"a-b\",\"dataType\":[\"int\"]}]}",
		 "'a-b' is not a valid property name"},
		{"{\"class\":\"A\",\"properties\":[{\"name\":\"a\"}]}", "there is none"},
		{"{\"class\":\"A\",\"properties\":[{\"name\":\"a\",\"dataType\":[\"bit\"]}]}",
		 "unknown primitive data type 'bit'"},
		{"{\"class\":\"A\",\"properties\":[{\"name\":\"a\","
		 "\"dataType\":[\"int\",\"text\"]}]}",
		 "several types"},
		{"{\"class\":\"A\",\"properties\":[{\"name\":\"a\",\"dataType\":[\"text\"],"
		 "\"tokenization\":\"trigram\"}]}",
		 "tokenization 'trigram'"},
		{"{\"class\":\"A\",\"properties\":[{\"name\":\"a\",\"dataType\":[\"int\"]},"
		 "{\"name\":\"A\",\"dataType\":[\"int\"]}]}",
		 "already in use"},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++)
		weaviate_kit_refused(w, "POST", "/v1/schema", rows[i].body, 422, rows[i].part);
	weaviate_kit_refused(w, "POST", "/v1/schema", "{", 400, "the body is no JSON");
	weaviate_kit_is(w, "GET", "/v1/schema", "", "{\"classes\":[]}");
}

TEST(classes_that_cannot_be_are_refused)
{
	weaviate_kit_run(make_wrong, NULL);
}

/* ---- changing --------------------------------------------------------------------------- */

#define A_WITH_INT "{\"class\":\"A\",\"properties\":[{\"name\":\"n\",\"dataType\":[\"int\"]}]"

static void change_class(struct web *w)
{
	weaviate_kit_expect(w, "POST", "/v1/schema", A_WITH_INT "}", 200, NULL);
	weaviate_kit_expect(w, "PUT", "/v1/schema/A", A_WITH_INT ",\"description\":\"new\"}", 200,
			    "\"description\":\"new\"");
	weaviate_kit_refused(w, "PUT", "/v1/schema/A", "{\"class\":\"B\"}", 422,
			     "class name is immutable");
	weaviate_kit_refused(w, "PUT", "/v1/schema/A", "{\"class\":\"A\"}", 422,
			     "Use the add property feature");
	weaviate_kit_refused(w, "PUT", "/v1/schema/A",
			     A_WITH_INT ",\"vectorIndexConfig\":{\"distance\":\"dot\"}}", 422,
			     "immutable");
	weaviate_kit_refused(w, "PUT", "/v1/schema/B", "{\"class\":\"B\"}", 404, "could not find");
	weaviate_kit_expect(w, "POST", "/v1/schema/A/properties",
			    "{\"name\":\"t\",\"dataType\":[\"text\"],\"tokenization\":\"field\"}",
			    200, "{\"name\":\"t\",\"dataType\":[\"text\"]");
	weaviate_kit_refused(w, "POST", "/v1/schema/A/properties",
			     "{\"name\":\"T\",\"dataType\":[\"text\"]}", 422, "already in use");
	weaviate_kit_refused(w, "POST", "/v1/schema/A/properties", "[]", 422,
			     "a property is expected");
	weaviate_kit_refused(w, "POST", "/v1/schema/A/tenants", "[{\"name\":\"t\"}]", 422,
			     "multi-tenancy is not enabled");
	weaviate_kit_expect(w, "GET", "/v1/schema/A", "", 200, "\"tokenization\":\"field\"");
}

TEST(classes_are_changed)
{
	weaviate_kit_run(change_class, NULL);
}

/* ---- restarting ------------------------------------------------------------------------- */

static void look_again(struct web *w)
{
	weaviate_kit_expect(w, "GET", "/v1/schema/A", "", 200, "\"description\":\"new\"");
	weaviate_kit_expect(w, "GET", "/v1/schema/A", "", 200, "{\"name\":\"t\"");
}

TEST(classes_outlive_a_restart)
{
	weaviate_kit_run(change_class, look_again);
}

TEST_HARNESS_MAIN
