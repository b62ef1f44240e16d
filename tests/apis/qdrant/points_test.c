// SPDX-License-Identifier: Apache-2.0
/*
 * Points read, listed and counted, and which parts of them are told.
 * Order of parts: by id; selections; lists; counts and values.
 */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "qdrant_kit.h"

#define C "/collections/c"
#define UUID "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"

/* ---- by id ------------------------------------------------------------------------------ */

static void get_points(struct web *w)
{
	qdrant_kit_create(w, "c");
	qdrant_kit_fill(w, "c", 3);
	qdrant_kit_expect_part(w, "PUT", C "/points",
			       "{\"points\":[{\"id\":\"" UUID "\",\"vector\":[0.5,-1]},"
			       "{\"id\":18446744073709551615,\"vector\":[1e-7,3]}]}",
			       "acknowledged");
	qdrant_kit_expect(w, "GET", C "/points/1", "",
			  "{\"id\":1,\"payload\":{\"even\":false,\"n\":1,\"text\":\"word 1\"},"
			  "\"vector\":[1.0,0.0]}");
	qdrant_kit_expect(w, "GET", C "/points/" UUID, "",
			  "{\"id\":\"" UUID "\",\"payload\":{},\"vector\":[0.5,-1.0]}");
	qdrant_kit_expect_part(w, "GET", C "/points/18446744073709551615", "", "[1e-07,3.0]");
	qdrant_kit_refused(w, "GET", C "/points/7", "", 404, "Point with id 7 does not exists!");
	qdrant_kit_refused(w, "GET", C "/points/18446744073709551616", "", 400,
			   "Can not recognize \\\"18446744073709551616\\\" as point id");
	qdrant_kit_refused(w, "GET", C "/points/seven", "", 400, "Can not recognize");
	qdrant_kit_refused(w, "GET", "/collections/d/points/7", "", 404, "`d` doesn't exist!");
	qdrant_kit_expect(w, "POST", C "/points",
			  "{\"ids\":[2,99,\"" UUID "\",2],\"with_payload\":[\"n\"]}",
			  "[{\"id\":2,\"payload\":{\"n\":2}},{\"id\":\"" UUID "\",\"payload\":{}},"
			  "{\"id\":2,\"payload\":{\"n\":2}}]");
	qdrant_kit_expect(w, "POST", C "/points", "{\"ids\":[]}", "[]");
	qdrant_kit_refused(w, "POST", C "/points", "{\"ids\":[-1]}", 400, "point ID");
	qdrant_kit_refused(w, "POST", C "/points", "{\"ids\":[\"x\"]}", 400,
			   "value x is not a valid point ID");
	qdrant_kit_refused(w, "POST", C "/points", "{}", 400, "point IDs");
}

TEST(points_are_read_by_id)
{
	qdrant_kit_run(get_points, NULL);
}

/* ---- selections ------------------------------------------------------------------------- */

static void select_parts(struct web *w)
{
	static const struct {
		const char *select, *parts;
	} rows[] = {
		{"\"with_payload\":false", ""},
		{"\"with_payload\":true",
		 ",\"payload\":{\"a\":{\"b\":1,\"c\":{\"d\":2}},"
		 "\"l\":[{\"x\":1,\"y\":2},{\"x\":3}],\"q.r\":5,\"s\":\"t\"}"},
		{"\"with_payload\":[\"s\",\"none\"]", ",\"payload\":{\"s\":\"t\"}"},
		{"\"with_payload\":{\"include\":[\"a.c\",\"l[].x\"]}",
		 ",\"payload\":{\"a\":{\"c\":{\"d\":2}},\"l\":[{\"x\":1},{\"x\":3}]}"},
		{"\"with_payload\":{\"exclude\":[\"a.c.d\",\"l[].x\",\"s\"]}",
		 ",\"payload\":{\"a\":{\"b\":1,\"c\":{}},\"l\":[{\"y\":2},{}],\"q.r\":5}"},
		{"\"with_payload\":[\"\\\"q.r\\\"\"]", ",\"payload\":{\"q.r\":5}"},
		{"\"with_payload\":[]", ",\"payload\":{}"},
		{"\"with_payload\":[\"a\",\"a.b\"]",
		 ",\"payload\":{\"a\":{\"b\":1,\"c\":{\"d\":2}}}"},
		{"\"with_payload\":false,\"with_vector\":true",
		 ",\"vector\":{\"u\":[1.0],\"v\":[2.0,3.0]}"},
		{"\"with_payload\":false,\"with_vectors\":[\"v\"]",
		 ",\"vector\":{\"v\":[2.0,3.0]}"},
	};
	char body[200], result[500];

	qdrant_kit_expect(w, "PUT", C,
			  "{\"vectors\":{\"u\":{\"size\":1,\"distance\":\"Dot\"},"
			  "\"v\":{\"size\":2,\"distance\":\"Dot\"}}}",
			  "true");
	qdrant_kit_expect_part(w, "PUT", C "/points",
			       "{\"points\":[{\"id\":1,\"vector\":{\"u\":[1],\"v\":[2,3]},"
			       "\"payload\":{\"s\":\"t\",\"q.r\":5,\"a\":{\"b\":1,\"c\":{\"d\":2}},"
			       "\"l\":[{\"x\":1,\"y\":2},{\"x\":3}]}}]}",
			       "operation_id");
	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		snprintf(body, sizeof(body), "{\"ids\":[1],%s}", rows[i].select);
		snprintf(result, sizeof(result), "[{\"id\":1%s}]", rows[i].parts);
		qdrant_kit_expect(w, "POST", C "/points", body, result);
	}
	qdrant_kit_refused(w, "POST", C "/points", "{\"ids\":[1],\"with_payload\":7}", 400,
			   "with_payload");
	qdrant_kit_refused(w, "POST", C "/points", "{\"ids\":[1],\"with_vector\":[7]}", 400,
			   "with_vector");
	qdrant_kit_refused(w, "POST", C "/points", "{\"ids\":[1],\"with_payload\":[\"\\\"a\"]}",
			   400, "quote");
}

TEST(parts_of_points_are_selected)
{
	qdrant_kit_run(select_parts, NULL);
}

/* ---- lists ------------------------------------------------------------------------------ */

#define SCROLL C "/points/scroll"
#define IDS(more) "{\"with_payload\":false," more "}"

static void scroll(struct web *w)
{
	qdrant_kit_create(w, "c");
	qdrant_kit_fill(w, "c", 12);
	qdrant_kit_expect(w, "POST", SCROLL, IDS("\"limit\":2"),
			  "{\"points\":[{\"id\":0},{\"id\":1}],\"next_page_offset\":2}");
	qdrant_kit_expect(w, "POST", SCROLL, IDS("\"limit\":2,\"offset\":10"),
			  "{\"points\":[{\"id\":10},{\"id\":11}],\"next_page_offset\":null}");
	qdrant_kit_expect(w, "POST", SCROLL, IDS("\"offset\":12"),
			  "{\"points\":[],\"next_page_offset\":null}");
	qdrant_kit_expect_part(w, "POST", SCROLL, "{}", "\"next_page_offset\":10}");
	qdrant_kit_expect(w, "POST", SCROLL,
			  IDS("\"limit\":1,\"order_by\":{\"key\":\"n\",\"direction\":\"desc\"}"),
			  "{\"points\":[{\"id\":11,\"order_value\":11}],"
			  "\"next_page_offset\":null}");
	qdrant_kit_expect_part(w, "PUT", C "/index",
			       "{\"field_name\":\"n\",\"field_schema\":\"integer\"}",
			       "operation_id");
	qdrant_kit_expect(w, "POST", SCROLL,
			  IDS("\"limit\":2,\"order_by\":{\"key\":\"n\",\"direction\":\"desc\"}"),
			  "{\"points\":[{\"id\":11,\"order_value\":11},"
			  "{\"id\":10,\"order_value\":10}],\"next_page_offset\":null}");
	qdrant_kit_expect_part(w, "POST", SCROLL,
			       IDS("\"limit\":2,\"order_by\":{\"key\":\"n\",\"start_from\":4.5}"),
			       "[{\"id\":5,\"order_value\":5},{\"id\":6,");
	qdrant_kit_expect_part(w, "POST", SCROLL, IDS("\"limit\":1,\"order_by\":\"n\""),
			       "[{\"id\":0,");
	qdrant_kit_refused(w, "POST", SCROLL, IDS("\"order_by\":\"n\",\"offset\":1"), 400,
			   "Cannot use an `offset` when using `order_by`");
	qdrant_kit_refused(w, "POST", SCROLL, IDS("\"order_by\":{\"direction\":\"asc\"}"), 400,
			   "key");
	qdrant_kit_refused(w, "POST", SCROLL, IDS("\"limit\":0"), 422, "limit");
	qdrant_kit_refused(w, "POST", SCROLL, IDS("\"limit\":-1"), 400, "limit");
	qdrant_kit_refused(w, "POST", SCROLL, IDS("\"limit\":99999999999"), 422, "limit");
}

TEST(lists_go_on_where_they_ended)
{
	qdrant_kit_run(scroll, NULL);
}

/* ---- counts and values ------------------------------------------------------------------ */

static void count(struct web *w)
{
	qdrant_kit_create(w, "c");
	qdrant_kit_fill(w, "c", 7);
	qdrant_kit_expect(w, "POST", C "/points/count", "{}", "{\"count\":7}");
	qdrant_kit_refused(w, "POST", C "/points/count", "{\"exact\":1}", 400, "exact");
	qdrant_kit_expect(
		w, "POST", C "/facet", "{\"key\":\"even\"}",
		"{\"hits\":[{\"value\":true,\"count\":4},{\"value\":false,\"count\":3}]}");
	qdrant_kit_expect(w, "POST", C "/facet",
			  "{\"key\":\"n\",\"limit\":1,\"filter\":{\"must\":[{\"key\":\"n\","
			  "\"range\":{\"gt\":3}}]}}",
			  "{\"hits\":[{\"value\":4,\"count\":1}]}");
	qdrant_kit_refused(w, "POST", C "/facet", "{}", 400, "key");
}

TEST(points_and_values_are_counted)
{
	qdrant_kit_run(count, NULL);
}

TEST_HARNESS_MAIN
