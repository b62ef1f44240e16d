/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many objects at once: each is told of by itself.
 * Order of parts: storing; deleting.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "weaviate_kit.h"

#define BATCH "/v1/batch/objects"

/* ---- storing ---------------------------------------------------------------------------- */

/* The second, the third, the fourth and the fifth cannot be stored. */
static const char some[] =
	"{\"objects\":["
	"{\"class\":\"Thing\",\"id\":\"" ID("11") "\",\"properties\":{\"n\":11},\"vector\":[11,0]},"
	"{\"class\":\"Thing\",\"properties\":{\"n\":\"x\"}},"
	"{\"class\":\"Thing\",\"id\":\"" ID("12") "\",\"vector\":[1,2,3]},"
	"{\"properties\":{}},"
	"{\"class\":\"A b\"},"
	"{\"class\":\"Other\",\"id\":\"" ID("13") "\",\"properties\":{\"new\":true}},"
	"{\"class\":\"Thing\",\"id\":\"" ID("01") "\",\"properties\":{\"n\":1111}}]}";

#define FAILED(message)                                                                            \
	"\"result\":{\"errors\":{\"error\":[{\"message\":\"" message "\"}]},\"status\":\"FAILED\"}}"

static const char told[] =
	"\"properties\":{\"n\":11},\"vectorWeights\":null,\"deprecations\":null,"
	"\"result\":{\"status\":\"SUCCESS\"}},"
	"{\"class\":\"Thing\",\"properties\":{\"n\":\"x\"},"
	FAILED("n: not an integer of 64 bits") ","
	"{\"class\":\"Thing\",\"id\":\"" ID("12") "\","
	FAILED("new node has a vector with length 3. Existing nodes have vectors with length 2");

static void store_some(struct web *w)
{
	weaviate_kit_fill(w);
	weaviate_kit_expect(w, "POST", BATCH, some, 200, told);
	weaviate_kit_expect(w, "GET", "/v1/objects/Thing/" ID("11"), "", 200, "\"n\":11");
	weaviate_kit_expect(w, "GET", "/v1/objects/Thing/" ID("01"), "", 200, "\"n\":1111");
	weaviate_kit_expect(w, "GET", "/v1/objects/Other/" ID("13"), "", 200, "\"new\":true");
	weaviate_kit_expect(w, "HEAD", "/v1/objects/Thing/" ID("12"), "", 404, NULL);
	weaviate_kit_refused(w, "POST", BATCH, "{\"objects\":[]}", 422, "cannot be empty");
	weaviate_kit_refused(w, "POST", BATCH, "{\"objects\":7}", 400, "the body is no JSON");
}

TEST(one_that_fails_keeps_no_other_from_being_stored)
{
	weaviate_kit_run(store_some, NULL);
}

/* Of equal ids the last counts. */
static void store_twice(struct web *w)
{
	weaviate_kit_fill(w);
	weaviate_kit_expect(w, "POST", BATCH,
			    "{\"objects\":[{\"class\":\"Thing\",\"id\":\"" ID("20")
			    "\",\"properties\":{\"n\":20},\"vector\":[1,1]},{\"class\":\"Thing\","
			    "\"id\":\"" ID("20") "\",\"properties\":{\"n\":21}}]}",
			    200, "\"n\":21");
	weaviate_kit_expect(w, "GET", "/v1/objects/Thing/" ID("20"), "", 200, "\"n\":21");
	weaviate_kit_query(w, "{Aggregate{Thing{meta{count}}}}",
			   "{\"Aggregate\":{\"Thing\":[{\"meta\":{\"count\":6}}]}}");
}

TEST(of_equal_ids_in_a_batch_the_last_counts)
{
	weaviate_kit_run(store_twice, NULL);
}

/* Numbers that are none, each beside one that is stored. */
static void store_beside(struct web *w)
{
	static const struct {
		const char *vector, *part;
	} rows[] = {
		{"[1,1e300]", "too large"},
		{"[1,\"NaN\"]", "item 1 is not a number"},
		{"[1,null]", "item 1 is not a number"},
		{"[1]", "length 1"},
		{"[1,2,3]", "length 3"},
	};
	char body[600], count[100];

	weaviate_kit_fill(w);
	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		snprintf(body, sizeof(body),
			 "{\"objects\":[{\"class\":\"Thing\",\"vector\":%s},"
			 "{\"class\":\"Thing\",\"vector\":[1,2]}]}", rows[i].vector);
		weaviate_kit_expect(w, "POST", BATCH, body, 200, rows[i].part);
		snprintf(count, sizeof(count),
			 "{\"Aggregate\":{\"Thing\":[{\"meta\":{\"count\":%zu}}]}}", 6 + i);
		weaviate_kit_query(w, "{Aggregate{Thing{meta{count}}}}", count);
	}
	weaviate_kit_refused(w, "POST", BATCH, "{\"objects\":[{\"class\":\"Thing\",\"vector\":"
			     "[1,NaN]}]}", 400, "no JSON");
}

TEST(numbers_that_are_none_are_refused_by_themselves)
{
	weaviate_kit_run(store_beside, NULL);
}

enum { MANY = 2000 };

static void store_many(struct web *w)
{
	size_t room = 200 * MANY, at;
	char *body = calloc(1, room);

	ASSERT_NOT_NULL(body);
	at = (size_t)snprintf(body, room, "{\"objects\":[");
	for (int i = 0; i < MANY; i++)
		at += (size_t)snprintf(body + at, room - at,
				       "%s{\"class\":\"Many\",\"properties\":{\"n\":%d},"
				       "\"vector\":[%d,1]}",
				       i ? "," : "", i, i);
	snprintf(body + at, room - at, "]}");
	weaviate_kit_expect(w, "POST", BATCH, body, 200, "\"status\":\"SUCCESS\"");
	free(body);
}

static void find_many(struct web *w)
{
	weaviate_kit_query(w, "{Aggregate{Many{meta{count} n{sum}}}}",
			   "{\"Aggregate\":{\"Many\":[{\"meta\":{\"count\":2000},"
			   "\"n\":{\"sum\":1999000.0}}]}}");
	weaviate_kit_query(w,
			   "{Get{Many(nearVector:{vector:[1234,1000000]} limit:1 "
			   "where:{path:[\"n\"] operator:Equal valueNumber:1234}){n}}}",
			   "{\"Get\":{\"Many\":[{\"n\":1234.0}]}}");
}

TEST(many_are_found_at_once_and_after_a_restart)
{
	weaviate_kit_run(store_many, find_many);
}

/* Longer than what is held of a body at once, and of more objects than are stored at once. */
enum { LONG = 3000, LONG_TEXT = 3000 };

static void store_long(struct web *w)
{
	size_t room = (LONG_TEXT + 100) * (size_t)LONG, at;
	char *body = calloc(1, room), *text = calloc(1, LONG_TEXT + 1);

	ASSERT_NOT_NULL(body);
	ASSERT_NOT_NULL(text);
	memset(text, 'x', LONG_TEXT);
	at = (size_t)snprintf(body, room, "{\"fields\":[\"ALL\"], \"objects\" : [");
	for (int i = 0; i < LONG; i++)
		at += (size_t)snprintf(body + at, room - at,
				       "%s{\"class\":\"Long\",\"properties\":{\"n\":%d,"
				       "\"t\":\"%s\"}}",
				       i ? " ,\n" : "", i, text);
	snprintf(body + at, room - at, "]}");
	ASSERT_LT(8u << 20, at);
	weaviate_kit_expect(w, "POST", BATCH, body, 200, "\"status\":\"SUCCESS\"}}]");
	weaviate_kit_query(w, "{Aggregate{Long{meta{count} n{sum}}}}",
			   "{\"Aggregate\":{\"Long\":[{\"meta\":{\"count\":3000},"
			   "\"n\":{\"sum\":4498500.0}}]}}");
	free(text);
	free(body);
}

TEST(a_body_may_be_of_any_length)
{
	weaviate_kit_run(store_long, NULL);
}

static void store_broken(struct web *w)
{
	static const char *const bodies[] = {
		"",
		"{",
		"[]",
		"{\"objects\"",
		"{\"objects\":[",
		"{\"objects\":[{\"class\":\"A\"}",
		"{\"objects\":[{\"class\":\"A\"},]}",
		"{\"objects\":[{\"class\":\"A\"} {}]}",
		"{\"objects\":[{\"class\":\"A\",}]}",
		"{\"objects\":[{\"class\":\"A\"]}",
		"{\"objects\":[{\"class\":\"A\"}",
		"{\"more\":7,}",
		"{\"more\":7",
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(bodies); i++)
		weaviate_kit_refused(w, "POST", BATCH, bodies[i], 400, "the body is no JSON");
	weaviate_kit_refused(w, "POST", BATCH, "{}", 400, "the body is no JSON");
	weaviate_kit_refused(w, "POST", BATCH, "{\"more\":7}", 422, "cannot be empty");
	weaviate_kit_expect(w, "POST", BATCH, "{\"objects\":[7,[]]}", 200,
			    "the given class is empty");
}

TEST(a_body_that_is_no_json_is_refused)
{
	weaviate_kit_run(store_broken, NULL);
}

/* ---- deleting --------------------------------------------------------------------------- */

#define MATCH(where, more) "{\"match\":{\"class\":\"Thing\",\"where\":{" where "}}" more "}"
#define LARGE "\"path\":[\"n\"],\"operator\":\"GreaterThan\",\"valueInt\":3"
#define DRY(two) "{\"id\":\"" ID(two) "\",\"status\":\"DRYRUN\"}"
#define ANY_ID                                                                                     \
	"\"path\":[\"id\"],\"operator\":\"ContainsAny\","                                          \
	"\"valueText\":[\"" ID("01") "\",\"" ID("99") "\"]"

static void delete_some(struct web *w)
{
	weaviate_kit_fill(w);
	weaviate_kit_expect(w, "DELETE", BATCH,
			    MATCH(LARGE, ",\"dryRun\":true,\"output\":\"verbose\""), 200,
			    "\"results\":{\"failed\":0,\"limit\":10000,\"matches\":2,"
			    "\"objects\":[" DRY("04") "," DRY("05") "],\"successful\":0}}");
	weaviate_kit_expect(w, "GET", "/v1/objects?class=Thing", "", 200, "\"totalResults\":5");
	weaviate_kit_expect(w, "DELETE", BATCH, MATCH(LARGE, ""), 200,
			    "\"matches\":2,\"objects\":null,\"successful\":2}}");
	weaviate_kit_expect(w, "GET", "/v1/objects?class=Thing", "", 200, "\"totalResults\":3");
	weaviate_kit_expect(w, "DELETE", BATCH, MATCH(ANY_ID, ""), 200, "\"matches\":1,");
	weaviate_kit_refused(w, "DELETE", BATCH, "{}", 422, "invalid param 'match'");
	weaviate_kit_refused(w, "DELETE", BATCH,
			     MATCH("\"path\":[\"no\"],\"operator\":\"Equal\",\"valueInt\":3", ""),
			     422, "no such prop with name 'no'");
	weaviate_kit_refused(w, "DELETE", BATCH,
			     "{\"match\":{\"class\":\"No\",\"where\":{}}}", 404, "could not find");
}

TEST(what_a_filter_means_is_deleted)
{
	weaviate_kit_run(delete_some, NULL);
}

TEST_HARNESS_MAIN
