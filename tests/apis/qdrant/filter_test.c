// SPDX-License-Identifier: Apache-2.0
/*
 * Filters as requests word them: which points they mean, with and without indexes.
 * Order of parts: points; what filters mean; mistakes; depth.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "qdrant_kit.h"

/* ---- points ----------------------------------------------------------------------------- */

#define UUID "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"

static const char points[] =
	"{\"points\":["
	"{\"id\":1,\"vector\":[0,1],\"payload\":{\"n\":1,\"city\":\"Berlin\",\"ok\":true,"
	"\"tags\":[\"a\",\"b\"],\"at\":{\"lat\":52.5,\"lon\":13.4},"
	"\"day\":\"2024-01-01T00:00:00Z\","
	"\"say\":\"The quick brown fox\",\"sub\":{\"x\":1},"
	"\"list\":[{\"k\":1,\"v\":\"p\"},{\"k\":2,\"v\":\"q\"}]}},"
	"{\"id\":2,\"vector\":[0,2],\"payload\":{\"n\":2.5,\"city\":\"Paris\",\"ok\":false,"
	"\"tags\":[],\"at\":{\"lat\":48.9,\"lon\":2.4},\"day\":\"2024-02-01\","
	"\"say\":\"the fox is brown\",\"sub\":{\"x\":2},\"list\":[{\"k\":1,\"v\":\"q\"}]}},"
	"{\"id\":3,\"vector\":[0,3],\"payload\":{\"n\":-3,\"city\":null,\"tags\":[\"b\"]}},"
	"{\"id\":\"" UUID "\",\"vector\":[0,4],\"payload\":{}},"
	"{\"id\":5,\"vector\":{}}]}";

static void put_points(struct web *w)
{
	qdrant_kit_create(w, "c");
	qdrant_kit_expect_part(w, "PUT", "/collections/c/points?wait=true", points, "completed");
}

/* ---- what filters mean ------------------------------------------------------------------ */

#define KEY(key, rest) "{\"key\":\"" key "\"," rest "}"
#define VALUE(key, value) KEY(key, "\"match\":{\"value\":" value "}")
#define MUST(list) "{\"must\":[" list "]}"

/* @ids: as scrolling tells them, by rising key; U is the UUID. */
static const struct {
	const char *filter, *ids;
} rows[] = {
	{"{}", "1235U"},
	{"{\"must\":[],\"should\":[]}", "1235U"},
	{MUST(VALUE("city", "\"Berlin\"")), "1"},
	{"{\"must\":" VALUE("city", "\"Berlin\"") "}", "1"},
	{MUST(VALUE("n", "1")), "1"},
	{MUST(VALUE("ok", "false")), "2"},
	{MUST(VALUE("tags", "\"b\"")), "13"},
	{MUST(VALUE("sub.x", "2")), "2"},
	{MUST(VALUE("list[].k", "2")), "1"},
	{MUST(VALUE("city", "\"Berlin\"") "," VALUE("ok", "false")), ""},
	{"{\"should\":[" VALUE("city", "\"Berlin\"") "," VALUE("ok", "false") "]}", "12"},
	{"{\"must_not\":[" VALUE("city", "\"Berlin\"") "]}", "235U"},
	{"{\"min_should\":{\"min_count\":2,\"conditions\":[" VALUE("n", "1") "," VALUE(
		 "ok", "true") "," VALUE("tags", "\"b\"") "]}}",
	 "1"},
	{"{\"min_should\":{\"min_count\":0,\"conditions\":[" VALUE("n", "1") "]}}", "1235U"},
	{"{\"min_should\":{\"min_count\":2,\"conditions\":[" VALUE("n", "1") "]}}", ""},
	{MUST("{\"must_not\":[" VALUE("n", "1") "]}"), "235U"},
	{MUST(KEY("city", "\"match\":{\"any\":[\"Paris\",\"Rom\"]}")), "2"},
	{MUST(KEY("n", "\"match\":{\"any\":[1,7]}")), "1"},
	{MUST(KEY("city", "\"match\":{\"any\":[]}")), ""},
	{MUST(KEY("city", "\"match\":{\"except\":[\"Paris\"]}")), "1"},
	{MUST(KEY("say", "\"match\":{\"text\":\"brown fox\"}")), "1"},
	{MUST(KEY("say", "\"match\":{\"text_any\":\"quick cat\"}")), "1"},
	{MUST(KEY("say", "\"match\":{\"phrase\":\"fox is\"}")), "2"},
	{MUST(KEY("say", "\"match\":{\"prefix\":\"the \"}")), "2"},
	{MUST(KEY("city", "\"match\":{\"prefix\":\"\"}")), "12"},
	{MUST(KEY("say", "\"match\":{\"substring\":\"own f\"}")), "1"},
	{MUST(KEY("n", "\"range\":{\"gt\":1}")), "2"},
	{MUST(KEY("n", "\"range\":{\"gte\":1,\"lt\":2.5}")), "1"},
	{MUST(KEY("n", "\"range\":{\"lte\":-3}")), "3"},
	{MUST(KEY("n", "\"range\":{\"gte\":0.5,\"gt\":null}")), "12"},
	{MUST(KEY("day", "\"range\":{\"gte\":\"2024-01-15T00:00:00Z\"}")), "2"},
	{MUST(KEY("at", "\"geo_radius\":{\"center\":{\"lat\":52.4,\"lon\":13.4},"
			"\"radius\":20000}")),
	 "1"},
	{MUST(KEY("at", "\"geo_bounding_box\":{\"top_left\":{\"lat\":50,\"lon\":2},"
			"\"bottom_right\":{\"lat\":48,\"lon\":3}}")),
	 "2"},
	{MUST(KEY("at",
		  "\"geo_polygon\":{\"exterior\":{\"points\":[{\"lat\":40,\"lon\":0},"
		  "{\"lat\":60,\"lon\":0},{\"lat\":60,\"lon\":20},{\"lat\":40,\"lon\":20},"
		  "{\"lat\":40,\"lon\":0}]},\"interiors\":[{\"points\":[{\"lat\":48,\"lon\":2},"
		  "{\"lat\":50,\"lon\":2},{\"lat\":50,\"lon\":3},{\"lat\":48,\"lon\":3},"
		  "{\"lat\":48,\"lon\":2}]}]}")),
	 "1"},
	{MUST(KEY("tags", "\"values_count\":{\"gte\":2}")), "1"},
	{MUST(KEY("tags", "\"values_count\":{\"lt\":2,\"gt\":0}")), "3"},
	{MUST(KEY("tags", "\"values_count\":{\"lt\":0}")), ""},
	{MUST("{\"is_null\":{\"key\":\"city\"}}"), "3"},
	{MUST(KEY("city", "\"is_null\":false")), "125U"},
	{MUST("{\"is_empty\":{\"key\":\"tags\"}}"), "25U"},
	{MUST(KEY("tags", "\"is_empty\":true")), "25U"},
	{MUST("{\"has_id\":[2,\"" UUID "\",99]}"), "2U"},
	{MUST("{\"has_id\":[]}"), ""},
	{MUST("{\"has_vector\":\"\"}"), "123U"},
	{MUST("{\"nested\":{\"key\":\"list\",\"filter\":{\"must\":[" VALUE("k", "1") "," VALUE(
		 "v", "\"q\"") "]}}}"),
	 "2"},
	{MUST(VALUE("none", "1")), ""},
};

/* "1235U" as an answer to scrolling says it. */
static void result_of(const char *ids, char *ret, size_t size)
{
	size_t n = (size_t)snprintf(ret, size, "{\"points\":[");

	for (const char *p = ids; *p; p++)
		n += (size_t)snprintf(ret + n, size - n,
				      *p == 'U' ? "%s{\"id\":\"" UUID "\"}" : "%s{\"id\":%.1s}",
				      p > ids ? "," : "", p);
	snprintf(ret + n, size - n, "],\"next_page_offset\":null}");
}

static void ask_all(struct web *w)
{
	char body[2000], result[500];

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		snprintf(body, sizeof(body), "{\"with_payload\":false,\"filter\":%s}",
			 rows[i].filter);
		result_of(rows[i].ids, result, sizeof(result));
		qdrant_kit_expect(w, "POST", "/collections/c/points/scroll", body, result);
		snprintf(body, sizeof(body), "{\"exact\":true,\"filter\":%s}", rows[i].filter);
		snprintf(result, sizeof(result), "{\"count\":%zu}", strlen(rows[i].ids));
		qdrant_kit_expect(w, "POST", "/collections/c/points/count", body, result);
	}
}

static void ask_without_indexes(struct web *w)
{
	put_points(w);
	ask_all(w);
}

static void ask_with_indexes(struct web *w)
{
	static const char *const indexes[][2] = {{"n", "float"},      {"city", "keyword"},
						 {"ok", "bool"},      {"tags", "keyword"},
						 {"at", "geo"},	      {"day", "datetime"},
						 {"sub.x", "integer"}};
	char body[200];

	put_points(w);
	for (size_t i = 0; i < SL_ARRAY_SIZE(indexes); i++) {
		snprintf(body, sizeof(body), "{\"field_name\":\"%s\",\"field_schema\":\"%s\"}",
			 indexes[i][0], indexes[i][1]);
		qdrant_kit_expect_part(w, "PUT", "/collections/c/index", body, "operation_id");
	}
	ask_all(w);
}

TEST(filters_without_indexes)
{
	qdrant_kit_run(ask_without_indexes, NULL);
}

TEST(filters_with_indexes)
{
	qdrant_kit_run(ask_with_indexes, NULL);
}

/* With an index of words a text is looked at by these. */
static void ask_with_words(struct web *w)
{
	char result[200];

	put_points(w);
	qdrant_kit_expect_part(w, "PUT", "/collections/c/index",
			       "{\"field_name\":\"say\",\"field_schema\":\"text\"}",
			       "operation_id");
	result_of("12", result, sizeof(result));
	qdrant_kit_expect(w, "POST", "/collections/c/points/scroll",
			  "{\"with_payload\":false,\"filter\":" MUST(
				  KEY("say", "\"match\":{\"text\":\"brown THE\"}")) "}",
			  result);
}

TEST(texts_are_words_where_there_is_an_index_of_words)
{
	qdrant_kit_run(ask_with_words, NULL);
}

/* ---- mistakes --------------------------------------------------------------------------- */

static void ask_wrongly(struct web *w)
{
	static const char *const wrong[] = {
		"7",
		"[]",
		"{\"most\":[]}",
		MUST("7"),
		MUST("{}{"),
		MUST(KEY("a", "\"b\":1")),
		MUST("{\"match\":{\"value\":1}}"),
		MUST(KEY("a", "\"match\":{}")),
		MUST(VALUE("a", "{}")),
		MUST(VALUE("a", "[1]")),
		MUST(VALUE("a", "null")),
		MUST(KEY("a", "\"match\":{\"any\":[{}]}")),
		MUST(KEY("a", "\"match\":{\"text\":1}")),
		MUST(KEY("a", "\"range\":{\"gt\":true}")),
		MUST(KEY("a", "\"range\":{\"gt\":\"x\"}")),
		MUST(KEY("a", "\"geo_radius\":{\"center\":{},\"radius\":1}")),
		MUST(KEY("a", "\"geo_radius\":{\"center\":{\"lat\":1,\"lon\":1}}")),
		MUST(KEY("a", "\"geo_radius\":{\"center\":{\"lat\":100,\"lon\":1},\"radius\":1}")),
		MUST(KEY("a", "\"geo_polygon\":{\"exterior\":{\"points\":[]}}")),
		MUST(KEY("a", "\"values_count\":{\"gt\":-1}")),
		MUST("{\"has_id\":[-1]}"),
		MUST("{\"has_id\":[\"no\"]}"),
		MUST("{\"has_id\":7}"),
		MUST("{\"has_vector\":7}"),
		MUST("{\"is_null\":{}}"),
		MUST(KEY("a", "\"is_null\":1")),
		MUST("{\"nested\":{\"key\":\"a\"}}"),
		MUST(VALUE("a[", "1")),
		"{\"min_should\":{\"min_count\":1}}",
	};
	char body[1000];

	put_points(w);
	for (size_t i = 0; i < SL_ARRAY_SIZE(wrong); i++) {
		snprintf(body, sizeof(body), "{\"filter\":%s}", wrong[i]);
		qdrant_kit_refused(w, "POST", "/collections/c/points/delete", body, 400, "or");
	}
	qdrant_kit_expect(w, "POST", "/collections/c/points/count", "{}", "{\"count\":5}");
}

TEST(filters_that_are_none_are_refused)
{
	qdrant_kit_run(ask_wrongly, NULL);
}

/* ---- depth ------------------------------------------------------------------------------ */

static void ask_deeply(struct web *w)
{
	enum { DEPTH = 20000 };
	char *body = calloc(20, DEPTH), *p = body;

	ASSERT_NOT_NULL(body);
	put_points(w);
	for (int depth = 10; depth <= DEPTH; depth *= 2000) {
		p = body + snprintf(body, 100, "{\"filter\":");
		for (int i = 0; i < depth; i++)
			p = mempcpy(p, "{\"must\":[", 9);
		for (int i = 0; i < depth; i++)
			p = mempcpy(p, "]}", 2);
		memcpy(p, "}", 2);
		if (depth == 10)
			qdrant_kit_expect(w, "POST", "/collections/c/points/count", body,
					  "{\"count\":5}");
		else
			qdrant_kit_refused(w, "POST", "/collections/c/points/count", body, 400,
					   "too deep");
	}
	free(body);
}

TEST(filters_within_filters_have_a_bound)
{
	qdrant_kit_run(ask_deeply, NULL);
}

TEST_HARNESS_MAIN
