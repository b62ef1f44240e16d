// SPDX-License-Identifier: Apache-2.0
/*
 * Collections, how they are kept, aliases, indexes; vectors that come later; what there is none of.
 * Order of parts: collections; configurations; aliases; indexes; vectors that come later; what
 * there is none of.
 */
#include <string.h>

#include "harness.h"
#include "qdrant_kit.h"

/* ---- collections ------------------------------------------------------------------------ */

static void make_collections(struct web *w)
{
	qdrant_kit_expect(w, "GET", "/collections/a/exists", "", "{\"exists\":false}");
	qdrant_kit_create(w, "a");
	qdrant_kit_expect(w, "GET", "/collections/a/exists", "", "{\"exists\":true}");
	qdrant_kit_refused(w, "PUT", "/collections/a", "{}", 409, "`a` already exists!");
	qdrant_kit_create(w, "b");
	qdrant_kit_expect(w, "GET", "/collections", "",
			  "{\"collections\":[{\"name\":\"a\"},{\"name\":\"b\"}]}");
	qdrant_kit_expect(w, "DELETE", "/collections/a", "", "true");
	qdrant_kit_expect(w, "DELETE", "/collections/a", "", "false");
	qdrant_kit_fill(w, "b", 5);
	qdrant_kit_expect_part(
		w, "GET", "/collections/b", "",
		"{\"status\":\"green\",\"optimizer_status\":\"ok\",\"points_count\":5,"
		"\"vectors_count\":5,");
}

static void see_collections_again(struct web *w)
{
	qdrant_kit_expect(w, "GET", "/collections", "", "{\"collections\":[{\"name\":\"b\"}]}");
	qdrant_kit_expect_part(w, "GET", "/collections/b", "", "\"points_count\":5,");
	qdrant_kit_expect_part(w, "GET", "/collections/b", "",
			       "\"vectors\":{\"size\":2,\"distance\":\"Euclid\"}");
}

TEST(collections_come_and_go)
{
	qdrant_kit_run(make_collections, see_collections_again);
}

/* ---- configurations --------------------------------------------------------------------- */

static void configure(struct web *w)
{
	qdrant_kit_expect(
		w, "PUT", "/collections/c",
		"{\"vectors\":{\"a\":{\"size\":4,\"distance\":\"Cosine\",\"on_disk\":true},"
		"\"b\":{\"size\":3,\"distance\":\"Dot\",\"datatype\":\"float16\"}},"
		"\"hnsw_config\":{\"m\":32},\"metadata\":{\"k\":[1]}}",
		"true");
	qdrant_kit_expect_part(w, "GET", "/collections/c", "",
			       "\"vectors\":{\"a\":{\"size\":4,\"distance\":\"Cosine\","
			       "\"on_disk\":true},\"b\":{\"size\":3,\"distance\":\"Dot\","
			       "\"datatype\":\"float16\"}}");
	qdrant_kit_expect_part(w, "GET", "/collections/c", "",
			       "\"hnsw_config\":{\"m\":32,\"ef_construct\":100,");
	qdrant_kit_expect_part(w, "GET", "/collections/c", "", "\"metadata\":{\"k\":[1]}");
	qdrant_kit_expect(w, "PATCH", "/collections/c",
			  "{\"hnsw_config\":{\"m\":8},\"vectors\":{\"a\":{\"on_disk\":false}},"
			  "\"optimizers_config\":{\"indexing_threshold\":5}}",
			  "true");
	qdrant_kit_expect_part(w, "GET", "/collections/c", "", "\"m\":8");
	qdrant_kit_expect_part(w, "GET", "/collections/c", "", "\"indexing_threshold\":5");
	qdrant_kit_expect_part(w, "GET", "/collections/c", "", "\"on_disk\":false");
	qdrant_kit_refused(w, "PATCH", "/collections/c", "{\"vectors\":{\"z\":{}}}", 400,
			   "Not existing vector name error: z");
	qdrant_kit_refused(w, "PATCH", "/collections/none", "{}", 404, "doesn't exist");
	qdrant_kit_expect(w, "PATCH", "/collections/c",
			  "{\"quantization_config\":{\"scalar\":{\"type\":\"int8\"}},"
			  "\"vectors\":{\"b\":{\"quantization_config\":{\"binary\":{}}}}}",
			  "true");
	qdrant_kit_expect_part(w, "GET", "/collections/c", "",
			       "\"quantization_config\":{\"scalar\":{\"type\":\"int8\"}}");
	qdrant_kit_refused(w, "PATCH", "/collections/c", "{\"quantization_config\":{\"turbo\":{}}}",
			   400, "scalar, product, binary");
}

static void refuse_configurations(struct web *w)
{
	static const struct {
		const char *body;
		int status;
		const char *part;
	} rows[] = {
		{"{\"vectors\":{\"size\":0,\"distance\":\"Dot\"}}", 422, "size"},
		{"{\"vectors\":{\"size\":70000,\"distance\":\"Dot\"}}", 422, "size"},
		{"{\"vectors\":{\"size\":4,\"distance\":\"Near\"}}", 400, "Near"},
		{"{\"vectors\":{\"size\":4}}", 400, "distance"},
		{"{\"vectors\":{\"size\":4,\"distance\":\"Dot\",\"datatype\":\"turbo4\"}}", 400,
		 "turbo4"},
		{"{\"vectors\":{\"size\":4,\"distance\":\"Dot\",\"multivector_config\":{}}}", 400,
		 "multivectors"},
		{"{\"sparse_vectors\":{\"s\":{}}}", 400, "sparse"},
		{"{\"vectors\":7}", 400, "vectors"},
		{"{\"vectors\":{\"size\":4,\"distance\":\"Dot\"},\"hnsw_config\":{\"m\":1000}}",
		 422, "m: value 1000"},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++)
		qdrant_kit_refused(w, "PUT", "/collections/c", rows[i].body, rows[i].status,
				   rows[i].part);
	qdrant_kit_expect(w, "GET", "/collections", "", "{\"collections\":[]}");
}

TEST(configurations_are_kept_and_changed)
{
	qdrant_kit_run(configure, NULL);
}

TEST(configurations_that_cannot_be_are_refused)
{
	qdrant_kit_run(refuse_configurations, NULL);
}

/* ---- aliases ---------------------------------------------------------------------------- */

#define CREATE(alias, name)                                                                        \
	"{\"create_alias\":{\"alias_name\":\"" alias "\",\"collection_name\":\"" name "\"}}"
#define DELETE(alias) "{\"delete_alias\":{\"alias_name\":\"" alias "\"}}"
#define RENAME(from, to)                                                                           \
	"{\"rename_alias\":{\"old_alias_name\":\"" from "\",\"new_alias_name\":\"" to "\"}}"
#define ACTIONS(list) "{\"actions\":[" list "]}"
#define ALIASES "/collections/aliases"

static void use_aliases(struct web *w)
{
	qdrant_kit_create(w, "a");
	qdrant_kit_create(w, "b");
	qdrant_kit_fill(w, "b", 3);
	qdrant_kit_expect(w, "POST", ALIASES, ACTIONS(CREATE("x", "a")), "true");
	qdrant_kit_expect(w, "POST", ALIASES, ACTIONS(CREATE("y", "a") "," RENAME("x", "z")),
			  "true");
	qdrant_kit_expect(w, "GET", "/aliases", "",
			  "{\"aliases\":[{\"alias_name\":\"y\",\"collection_name\":\"a\"},"
			  "{\"alias_name\":\"z\",\"collection_name\":\"a\"}]}");
	qdrant_kit_expect(w, "GET", "/collections/b/aliases", "", "{\"aliases\":[]}");
	qdrant_kit_expect(w, "POST", ALIASES, ACTIONS(DELETE("y") "," CREATE("y", "b")), "true");
	qdrant_kit_expect(w, "POST", "/collections/y/points/count", "{}", "{\"count\":3}");
	qdrant_kit_refused(w, "POST", ALIASES, ACTIONS(CREATE("q", "b") "," CREATE("q2", "none")),
			   404, "Not found");
	qdrant_kit_refused(w, "GET", "/collections/q", "", 404, "doesn't exist");
	qdrant_kit_refused(w, "POST", ALIASES, ACTIONS("{\"other\":{}}"), 400, "actions");
	qdrant_kit_refused(w, "POST", ALIASES, ACTIONS("{\"create_alias\":{}}"), 400, "missing");
	qdrant_kit_expect(w, "DELETE", "/collections/y", "", "false");
	qdrant_kit_expect(w, "DELETE", "/collections/b", "", "true");
	qdrant_kit_refused(w, "GET", "/collections/y", "", 404, "doesn't exist");
}

TEST(aliases_stand_for_collections)
{
	qdrant_kit_run(use_aliases, NULL);
}

/* ---- indexes ---------------------------------------------------------------------------- */

#define SCROLL "/collections/c/points/scroll"
#define EVEN                                                                                       \
	"{\"filter\":{\"must\":[{\"key\":\"even\",\"match\":{\"value\":true}}]},"                  \
	"\"with_payload\":false}"
#define EVENS "{\"points\":[{\"id\":0},{\"id\":2},{\"id\":4}],\"next_page_offset\":null}"

static void use_indexes(struct web *w)
{
	qdrant_kit_create(w, "c");
	qdrant_kit_fill(w, "c", 6);
	qdrant_kit_expect(w, "POST", SCROLL, EVEN, EVENS);
	qdrant_kit_expect_part(w, "PUT", "/collections/c/index",
			       "{\"field_name\":\"even\",\"field_schema\":\"bool\"}",
			       "\"operation_id\":");
	qdrant_kit_expect(w, "POST", SCROLL, EVEN, EVENS);
	qdrant_kit_expect_part(w, "PUT", "/collections/c/index?wait=true",
			       "{\"field_name\":\"text\",\"field_schema\":{\"type\":\"text\","
			       "\"tokenizer\":\"word\"}}",
			       "\"completed\"");
	qdrant_kit_expect_part(w, "GET", "/collections/c", "",
			       "\"payload_schema\":{\"even\":{\"data_type\":\"bool\",\"points\":6},"
			       "\"text\":{\"data_type\":\"text\",\"params\":{\"type\":\"text\","
			       "\"tokenizer\":\"word\"},\"points\":6}}");
	qdrant_kit_refused(w, "PUT", "/collections/c/index",
			   "{\"field_name\":\"a\",\"field_schema\":\"colour\"}", 400, "keyword");
	qdrant_kit_refused(w, "PUT", "/collections/c/index", "{}", 400, "field_name");
	qdrant_kit_expect_part(w, "DELETE", "/collections/c/index/even", "", "\"operation_id\":");
	qdrant_kit_expect_part(w, "DELETE", "/collections/c/index/none", "", "\"operation_id\":");
	qdrant_kit_refused(w, "DELETE", "/collections/c/index/n%00x", "", 400, "malformed");
}

static void see_indexes_again(struct web *w)
{
	qdrant_kit_expect_part(w, "GET", "/collections/c", "",
			       "\"payload_schema\":{\"text\":{\"data_type\":\"text\",");
	qdrant_kit_expect(w, "POST", SCROLL, EVEN, EVENS);
}

TEST(indexes_change_nothing_but_speed)
{
	qdrant_kit_run(use_indexes, see_indexes_again);
}

/* ---- vectors that come later -------------------------------------------------------------- */

#define V "/collections/v/vectors/"
#define DENSE "{\"dense\":{\"size\":2,\"distance\":\"Euclid\"}}"

static void add_vectors(struct web *w)
{
	qdrant_kit_expect(w, "PUT", "/collections/v",
			  "{\"vectors\":{\"a\":{\"size\":2,\"distance\":\"Dot\"}}}", "true");
	qdrant_kit_expect_part(w, "PUT", "/collections/v/points",
			       "{\"points\":[{\"id\":1,\"vector\":{\"a\":[1,2]}}]}",
			       "acknowledged");
	qdrant_kit_expect_part(w, "PUT", V "b", DENSE, "acknowledged");
	qdrant_kit_expect_part(w, "GET", "/collections/v", "",
			       "\"b\":{\"size\":2,\"distance\":\"Euclid\"}");
	qdrant_kit_expect_part(w, "PUT", "/collections/v/points/vectors",
			       "{\"points\":[{\"id\":1,\"vector\":{\"b\":[3,4]}}]}",
			       "acknowledged");
	qdrant_kit_expect_part(w, "POST", "/collections/v/points/query",
			       "{\"query\":[0,0],\"using\":\"b\"}", "\"score\":5.0");
	qdrant_kit_refused(w, "PUT", V "b", DENSE, 409, "`b` already exists");
	qdrant_kit_refused(w, "PUT", V "c", "{\"sparse\":{}}", 400, "sparse");
	qdrant_kit_refused(w, "PUT", V "c", "{}", 400, "`dense`");
	qdrant_kit_refused(w, "PUT", V "c", "{\"dense\":{\"size\":0}}", 422, "size");
	qdrant_kit_refused(w, "DELETE", V "b", "", 400, "cannot be taken");
	qdrant_kit_refused(w, "DELETE", V "c", "", 400, "Not existing vector name");
	qdrant_kit_create(w, "bare");
	qdrant_kit_refused(w, "PUT", "/collections/bare/vectors/b", DENSE, 400, "has no name");
}

TEST(vectors_are_added_to_a_collection)
{
	qdrant_kit_run(add_vectors, NULL);
}

/* ---- what there is none of ---------------------------------------------------------------- */

static void ask_for_what_is_not(struct web *w)
{
	static const struct {
		const char *method, *path, *part;
	} rows[] = {
		{"POST", "/collections/c/cluster", "Distributed mode disabled"},
		{"PUT", "/collections/c/shards", "Distributed mode disabled"},
		{"POST", "/collections/c/shards/delete", "Distributed mode disabled"},
		{"GET", "/collections/c/shards/0/snapshots", "Distributed mode disabled"},
		{"DELETE", "/cluster/peer/1", "Distributed mode disabled"},
		{"POST", "/cluster/recover", "Distributed mode disabled"},
		{"GET", "/snapshots", "snapshots of the whole storage"},
		{"POST", "/snapshots", "snapshots of the whole storage"},
		{"DELETE", "/snapshots/x", "snapshots of the whole storage"},
		{"GET", "/quotas", "quotas"},
		{"GET", "/locks", "locks"},
	};

	qdrant_kit_create(w, "c");
	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++)
		qdrant_kit_refused(w, rows[i].method, rows[i].path, "", 400, rows[i].part);
	qdrant_kit_expect(w, "GET", "/collections/c/shards", "", "{\"shard_keys\":[]}");
	qdrant_kit_expect(w, "DELETE", "/issues", "", "true");
}

TEST(what_clients_ask_for_and_is_not_served_says_so)
{
	qdrant_kit_run(ask_for_what_is_not, NULL);
}

TEST_HARNESS_MAIN
