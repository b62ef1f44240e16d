/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GraphQL's Get: what is told of objects, the nearest, orders and bounds.
 * Order of parts: fields; being near; orders; references; what is refused.
 */
#include <string.h>

#include "harness.h"
#include "weaviate_kit.h"

/* ---- fields ----------------------------------------------------------------------------- */

static void show(struct web *w)
{
	weaviate_kit_fill(w);
	weaviate_kit_get(w, "{Get{Thing(limit:1){name n x good tags born key}}}",
			 "[{\"name\":\"thing one\",\"n\":1,\"x\":1.5,\"good\":true,"
			 "\"tags\":[\"odd\",\"all\"],\"born\":\"2001-01-01T00:00:00Z\","
			 "\"key\":\"" ID("91") "\"}]");
	weaviate_kit_get(w,
			 "{Get{Thing(limit:1 offset:1){at{latitude lon:longitude} "
			 "_additional{id vector}}}}",
			 "[{\"at\":{\"latitude\":20.0,\"lon\":10.0},\"_additional\":{\"id\":\"" ID(
				 "02") "\",\"vector\":[2.0,0.0]}}]");
	weaviate_kit_get(w,
			 "{Get{Thing(limit:1){a:n b:n __typename ... on Thing{n} ... on No{x}}}}",
			 "[{\"a\":1,\"b\":1,\"__typename\":\"Thing\",\"n\":1}]");
	weaviate_kit_get(w,
			 "{Get{Thing(limit:1){_additional{distance certainty score "
			 "isConsistent}}}}",
			 "[{\"_additional\":{\"distance\":null,\"certainty\":null,\"score\":null,"
			 "\"isConsistent\":true}}]");
	weaviate_kit_expect(w, "POST", "/v1/graphql",
			    "{\"query\":\"{Get{Thing(limit:1){_additional{creationTimeUnix}}}}\"}",
			    200, "{\"creationTimeUnix\":\"1");
	weaviate_kit_get(w, "{Get{Thing(after:\"" ID("03") "\" limit:9){n}}}",
			 "[{\"n\":4},{\"n\":5}]");
	weaviate_kit_query(
		w, "{Get{a:Thing(limit:1){n} b:Thing(limit:0){n}} x:Get{Thing(limit:1){n}}}",
		"{\"Get\":{\"a\":[{\"n\":1}],\"b\":[]},\"x\":{\"Thing\":[{\"n\":1}]}}");
}

TEST(what_is_selected_is_shown)
{
	weaviate_kit_run(show, NULL);
}

/* ---- being near ------------------------------------------------------------------------- */

static void near(struct web *w)
{
	weaviate_kit_fill(w);
	weaviate_kit_get(w,
			 "{Get{Thing(nearVector:{vector:[3,0]} limit:3){n _additional{distance}}}}",
			 "[{\"n\":3,\"_additional\":{\"distance\":0.0}},"
			 "{\"n\":2,\"_additional\":{\"distance\":1.0}},"
			 "{\"n\":4,\"_additional\":{\"distance\":1.0}}]");
	/* Squared, as Weaviate has it. */
	weaviate_kit_get(w, "{Get{Thing(nearVector:{vector:[5,0] distance:4}){n}}}",
			 "[{\"n\":5},{\"n\":4},{\"n\":3}]");
	weaviate_kit_get(w, "{Get{Thing(nearVector:{vector:[5,0]} limit:2 offset:2){n}}}",
			 "[{\"n\":3},{\"n\":2}]");
	weaviate_kit_get(w,
			 "{Get{Thing(nearVector:{vector:[1,0]} limit:2 where:{operator:Equal "
			 "path:[\"good\"] valueBoolean:false}){n}}}",
			 "[{\"n\":2},{\"n\":4}]");
	/* The object itself is among those that are near to it. */
	weaviate_kit_get(w, "{Get{Thing(nearObject:{id:\"" ID("04") "\"} limit:1){n}}}",
			 "[{\"n\":4}]");
	weaviate_kit_get(w,
			 "{Get{Thing(nearObject:{beacon:\"weaviate://localhost/Thing/" ID(
				 "01") "\"} limit:2){n}}}",
			 "[{\"n\":1},{\"n\":2}]");
	weaviate_kit_get(w,
			 "{Get{Thing(nearVector:{vector:[5,0]} limit:3 "
			 "sort:[{path:[\"n\"] order:asc}]){n}}}",
			 "[{\"n\":3},{\"n\":4},{\"n\":5}]");
	weaviate_kit_expect(w, "POST", "/v1/graphql",
			    "{\"query\":\"query($v:[Float!]!){Get{Thing(nearVector:{vector:$v} "
			    "limit:1){n}}}\",\"variables\":{\"v\":[2.1,0]}}",
			    200, "{\"data\":{\"Get\":{\"Thing\":[{\"n\":2}]}}}");
}

TEST(the_nearest_are_found)
{
	weaviate_kit_run(near, NULL);
}

/* A class of vectors by @distance: (1, 0), (0, 2), (-3, 0). */
static void make(struct web *w, const char *distance)
{
	char body[300];

	snprintf(body, sizeof(body),
		 "{\"class\":\"V\",\"vectorIndexConfig\":{\"distance\":\"%s\"}}", distance);
	weaviate_kit_expect(w, "POST", "/v1/schema", body, 200, NULL);
	weaviate_kit_expect(
		w, "POST", "/v1/batch/objects",
		"{\"objects\":[{\"class\":\"V\",\"properties\":{\"n\":1},\"vector\":[1,0]},"
		"{\"class\":\"V\",\"properties\":{\"n\":2},\"vector\":[0,2]},"
		"{\"class\":\"V\",\"properties\":{\"n\":3},\"vector\":[-3,0]}]}",
		200, NULL);
}

#define NEAR "{Get{V(nearVector:{vector:[1,0]} limit:3){n _additional{distance certainty}}}}"
#define HIT(n, distance, certainty)                                                                \
	"{\"n\":" n ".0,\"_additional\":{\"distance\":" distance ",\"certainty\":" certainty "}}"
#define HITS(a, b, c) "{\"Get\":{\"V\":[" a "," b "," c "]}}"

static void distances(struct web *w)
{
	make(w, "cosine");
	weaviate_kit_query(w, NEAR,
			   HITS(HIT("1", "0.0", "1.0"), HIT("2", "1.0", "0.5"),
				HIT("3", "2.0", "0.0")));
	weaviate_kit_query(w, "{Get{V(nearVector:{vector:[1,0] certainty:0.4}){n}}}",
			   "{\"Get\":{\"V\":[{\"n\":1.0},{\"n\":2.0}]}}");
	/* As it was given, though it is compared at length 1. */
	weaviate_kit_query(w, "{Get{V(nearVector:{vector:[-1,0]} limit:1){_additional{vector}}}}",
			   "{\"Get\":{\"V\":[{\"_additional\":{\"vector\":[-3.0,0.0]}}]}}");
	weaviate_kit_expect(w, "DELETE", "/v1/schema/V", "", 200, NULL);
	make(w, "dot");
	weaviate_kit_query(w, NEAR,
			   HITS(HIT("1", "-1.0", "null"), HIT("2", "0.0", "null"),
				HIT("3", "3.0", "null")));
	weaviate_kit_wrong(w, "{Get{V(nearVector:{vector:[1,0] certainty:0.4}){n}}}",
			   "certainty is for the distance cosine");
	weaviate_kit_expect(w, "DELETE", "/v1/schema/V", "", 200, NULL);
	make(w, "manhattan");
	weaviate_kit_query(w, NEAR,
			   HITS(HIT("1", "0.0", "null"), HIT("2", "3.0", "null"),
				HIT("3", "4.0", "null")));
	weaviate_kit_expect(w, "DELETE", "/v1/schema/V", "", 200, NULL);
	make(w, "hamming");
	weaviate_kit_query(w,
			   "{Get{V(nearVector:{vector:[1,0] distance:1.5}){n "
			   "_additional{distance}}}}",
			   "{\"Get\":{\"V\":[{\"n\":1.0,\"_additional\":{\"distance\":0.0}},"
			   "{\"n\":3.0,\"_additional\":{\"distance\":1.0}}]}}");
}

TEST(distances_are_weaviates)
{
	weaviate_kit_run(distances, NULL);
}

/* ---- references ------------------------------------------------------------------------- */

#define BEACON(class, two) "{\"beacon\":\"weaviate://localhost/" class "/" ID(two) "\"}"

static void refer(struct web *w)
{
	weaviate_kit_fill(w);
	weaviate_kit_expect(
		w, "POST", "/v1/objects",
		"{\"class\":\"Other\",\"id\":\"" ID("09") "\",\"properties\":{\"s\":\"o\"}}", 200,
		NULL);
	weaviate_kit_expect(w, "PATCH", "/v1/objects/Thing/" ID("01"),
			    "{\"properties\":{\"to\":[" BEACON("Thing", "02") ","
			    BEACON("Other", "09") "," BEACON("Thing", "88") "]}}",
			    204, NULL);
	weaviate_kit_expect(w, "PATCH", "/v1/objects/Thing/" ID("02"),
			    "{\"properties\":{\"to\":[" BEACON("Thing", "03") "]}}", 204, NULL);
	weaviate_kit_get(w,
			 "{Get{Thing(limit:1){to{... on Thing{n _additional{id} "
			 "to{... on Thing{n}}} ... on Other{s}}}}}",
			 "[{\"to\":[{\"n\":2,\"_additional\":{\"id\":\"" ID("02") "\"},"
			 "\"to\":[{\"n\":3}]},{\"s\":\"o\"}]}]");
	weaviate_kit_get(w, "{Get{Thing(limit:1 offset:2){n to{... on Other{s}}}}}",
			 "[{\"n\":3,\"to\":null}]");
	weaviate_kit_wrong(w, "{Get{Thing{to{n}}}}", "fields are selected by ... on Class");
	weaviate_kit_wrong(w, "{Get{Thing{to{... on No{n}}}}}", "Unknown type \\\"No\\\"");
}

TEST(references_are_followed)
{
	weaviate_kit_run(refer, NULL);
}

/* ---- what is refused -------------------------------------------------------------------- */

static void refuse(struct web *w)
{
	static const struct {
		const char *query, *part;
	} rows[] = {
		{"{Get{No{n}}}", "Cannot query field \\\"No\\\" on type \\\"GetObjectsObj\\\""},
		{"{Get{Thing{no}}}", "Cannot query field \\\"no\\\" on type \\\"Thing\\\""},
		{"{Get{Thing{_additional{no}}}}", "on type \\\"ThingAdditional\\\""},
		{"{Get{Thing}}", "must have a selection of subfields"},
		{"{Explore{n}}", "Cannot query field \\\"Explore\\\""},
		{"{Get{Thing(bm25:{query:\"x\"}){n}}}", "Argument \\\"bm25\\\""},
		{"{Get{Thing(limit:-1){n}}}", "Argument \\\"limit\\\" has invalid value"},
		{"{Get{Thing(limit:10001){n}}}", "query maximum results exceeded"},
		{"{Get{Thing(limit:5 offset:9999){n}}}", "query maximum results exceeded"},
		{"{Get{Thing(after:\"x\"){n}}}", "Argument \\\"after\\\" has invalid value"},
		{"{Get{Thing(after:\"" ID("01") "\" offset:1){n}}}", "after: cannot be combined"},
		{"{Get{Thing(nearVector:{}){n}}}", "vector: a list of numbers is expected"},
		{"{Get{Thing(nearVector:{vector:[\"a\"]}){n}}}", "numbers are expected"},
		{"{Get{Thing(nearVector:{vector:[1,2,3]}){n}}}",
		 "vector lengths don't match: 2 vs 3"},
		{"{Get{Thing(nearVector:{vector:[1,0] targetVectors:[\"v\"]}){n}}}",
		 "has no vector 'v'"},
		{"{Get{Thing(nearObject:{id:\"" ID("88") "\"}){n}}}", "vector not found"},
		{"{Get{Thing(nearObject:{id:7}){n}}}", "a UUID is expected"},
		{"{Get{Thing(sort:[{path:[\"no\"]}]){n}}}", "sort: no such prop"},
		{"{Get{Thing", "Expected a name, found the end"},
	};

	weaviate_kit_fill(w);
	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++)
		weaviate_kit_wrong(w, rows[i].query, rows[i].part);
	/* One class that cannot be answered keeps no other from it. */
	weaviate_kit_query(
		w, "{Get{a:Thing(limit:1){n} b:Thing(limit:10001){n}}}",
		"{\"Get\":{\"a\":[{\"n\":1}],\"b\":null}},\"errors\":[{\"message\":\"query "
		"maximum results exceeded: offset and limit together are at most 10000\","
		"\"locations\":[],\"path\":[\"Get\",\"b\"]}]");
}

TEST(queries_that_cannot_be_are_refused)
{
	weaviate_kit_run(refuse, NULL);
}

TEST_HARNESS_MAIN
