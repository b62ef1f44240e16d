/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects, one at a time, and lists of them.
 * Order of parts: a life; what a class learns; what is refused; vectors; lists; restarting.
 */
#include <string.h>

#include "harness.h"
#include "weaviate_kit.h"

#define O1 "/v1/objects/Thing/" ID("01")
#define O9 "/v1/objects/Thing/" ID("99")

/* ---- a life ----------------------------------------------------------------------------- */

static void live(struct web *w)
{
	weaviate_kit_fill(w);
	weaviate_kit_expect(w, "GET", O1, "", 200, "{\"class\":\"Thing\",\"creationTimeUnix\":1");
	weaviate_kit_expect(
		w, "GET", O1, "", 200,
		"\"properties\":{\"at\":{\"latitude\":10.0,\"longitude\":10.0},"
		"\"born\":\"2001-01-01T00:00:00Z\",\"good\":true,"
		"\"key\":\"" ID(
			"91") "\",\"n\":1,\"name\":\"thing one\","
			      "\"tags\":[\"odd\",\"all\"],\"x\":1.5},\"vectorWeights\":null}");
	weaviate_kit_expect(w, "GET", O1 "?include=vector", "", 200, "\"vector\":[1.0,0.0]");
	weaviate_kit_expect(w, "GET", "/v1/objects/" ID("01"), "", 200, "\"name\":\"thing one\"");
	weaviate_kit_expect(w, "HEAD", O1, "", 204, NULL);
	weaviate_kit_expect(w, "HEAD", O9, "", 404, NULL);
	weaviate_kit_refused(w, "GET", O9, "", 404, "no object with that id");
	weaviate_kit_refused(w, "GET", "/v1/objects/" ID("99"), "", 404, "no object with that id");
	weaviate_kit_refused(w, "GET", "/v1/objects/Thing/1", "", 422, "must be of type uuid");
	weaviate_kit_refused(w, "GET", "/v1/objects/No/" ID("01"), "", 404, "could not find class");

	weaviate_kit_expect(w, "PATCH", O1, "{\"properties\":{\"n\":7,\"x\":null}}", 204, NULL);
	weaviate_kit_expect(w, "GET", O1 "?include=vector", "", 200,
			    "\"n\":7,\"name\":\"thing one\",\"tags\":[\"odd\",\"all\"]},"
			    "\"vector\":[1.0,0.0]");
	weaviate_kit_expect(w, "PUT", O1,
			    "{\"class\":\"Thing\",\"id\":\"" ID(
				    "01") "\","
					  "\"vector\":[3,4],\"properties\":{\"n\":8}}",
			    200, "\"properties\":{\"n\":8},\"vector\":[3.0,4.0]");
	weaviate_kit_refused(w, "PUT", O9, "{\"properties\":{\"n\":8}}", 404, "no object");
	weaviate_kit_refused(w, "PATCH", O9, "{\"properties\":{\"n\":8}}", 404, "no object");
	weaviate_kit_refused(w, "PUT", O1, "{\"id\":\"" ID("02") "\"}", 422, "'id' is immutable");
	weaviate_kit_refused(w, "PUT", O1, "{\"class\":\"B\"}", 422, "'class' is immutable");

	weaviate_kit_expect(w, "DELETE", O1, "", 204, NULL);
	weaviate_kit_expect(w, "DELETE", O1, "", 204, NULL);
	weaviate_kit_expect(w, "HEAD", O1, "", 404, NULL);
	weaviate_kit_expect(w, "DELETE", "/v1/objects/" ID("02"), "", 204, NULL);
	weaviate_kit_expect(w, "HEAD", "/v1/objects/Thing/" ID("02"), "", 404, NULL);
}

TEST(objects_are_made_changed_and_deleted)
{
	weaviate_kit_run(live, NULL);
}

static void insert_twice(struct web *w)
{
	weaviate_kit_fill(w);
	weaviate_kit_refused(w, "POST", "/v1/objects",
			     "{\"class\":\"Thing\",\"id\":\"" ID("01") "\"}", 422,
			     "already exists");
	weaviate_kit_expect(w, "POST", "/v1/objects", "{\"class\":\"thing\"}", 200, "\"id\":\"");
	weaviate_kit_expect(w, "GET", "/v1/objects?class=Thing", "", 200, "\"totalResults\":6");
}

TEST(an_id_is_given_once)
{
	weaviate_kit_run(insert_twice, NULL);
}

/* ---- what a class learns ---------------------------------------------------------------- */

static const char unknown[] =
	"{\"class\":\"new\",\"id\":\"" ID("01") "\",\"properties\":{\"T\":\"x\",\"i\":1,\"b\":true,"
	"\"d\":\"2024-02-29T12:00:00Z\",\"u\":\"" ID("02") "\",\"g\":{\"latitude\":1,"
	"\"longitude\":2},\"l\":[\"a\"],\"e\":[],\"z\":null,\"o\":{\"city\":\"B\"},"
	"\"r\":[{\"beacon\":\"weaviate://localhost/Other/" ID("03") "\"}]}}";

static void learn(struct web *w)
{
	static const char *const types[] = {
		"{\"name\":\"t\",\"dataType\":[\"text\"]",
		"{\"name\":\"i\",\"dataType\":[\"number\"]",
		"{\"name\":\"b\",\"dataType\":[\"boolean\"]",
		"{\"name\":\"d\",\"dataType\":[\"date\"]",
		"{\"name\":\"u\",\"dataType\":[\"uuid\"]",
		"{\"name\":\"g\",\"dataType\":[\"geoCoordinates\"]",
		"{\"name\":\"l\",\"dataType\":[\"text[]\"]",
		"{\"name\":\"o\",\"dataType\":[\"object\"]",
		"{\"name\":\"r\",\"dataType\":[\"Other\"]",
		"\"nestedProperties\":[{\"name\":\"city\",\"dataType\":[\"text\"]}]",
	};

	weaviate_kit_expect(w, "POST", "/v1/objects", unknown, 200, "\"class\":\"New\"");
	for (size_t i = 0; i < SL_ARRAY_SIZE(types); i++)
		weaviate_kit_expect(w, "GET", "/v1/schema/New", "", 200, types[i]);
	weaviate_kit_expect(w, "GET", "/v1/objects/New/" ID("01"), "", 200,
			    "\"r\":[{\"beacon\":\"weaviate://localhost/Other/" ID(
				    "03") "\",\"href\":\"/v1/objects/Other/" ID("03") "\"}]");
	weaviate_kit_expect(w, "PATCH", "/v1/objects/New/" ID("01"),
			    "{\"properties\":{\"later\":[1.5]}}", 204, NULL);
	weaviate_kit_expect(w, "GET", "/v1/schema/New", "", 200,
			    "{\"name\":\"later\",\"dataType\":[\"number[]\"]");
	weaviate_kit_expect(w, "POST", "/v1/objects/validate",
			    "{\"class\":\"New\",\"properties\":{\"t\":\"y\"}}", 200, NULL);
	weaviate_kit_expect(w, "GET", "/v1/objects?class=New", "", 200, "\"totalResults\":1");
}

TEST(classes_learn_from_objects)
{
	weaviate_kit_run(learn, NULL);
}

/* ---- what is refused -------------------------------------------------------------------- */

#define THING(properties) "{\"class\":\"Thing\",\"properties\":{" properties "}}"

static void refuse(struct web *w)
{
	static const struct {
		const char *body, *part;
	} rows[] = {
		{"[]", "an object is expected"},
		{"{\"properties\":{}}", "the given class is empty"},
		{"{\"class\":\"A-b\"}", "not a valid class name"},
		{THING("\"name\":7"), "name: not a text"},
		{THING("\"n\":1.5"), "n: not an integer"},
		{THING("\"n\":\"1\""), "n: not an integer"},
		{THING("\"x\":true"), "x: not a number"},
		{THING("\"good\":1"), "good: not true or false"},
		{THING("\"born\":\"yesterday\""), "born: not a date"},
		{THING("\"key\":\"7\""), "key: not a UUID"},
		{THING("\"at\":{\"latitude\":91,\"longitude\":0}"), "at: not a place"},
		{THING("\"tags\":\"a\""), "invalid text[] property 'tags'"},
		{THING("\"name\":[\"a\"]"), "invalid text property 'name'"},
		{THING("\"to\":\"a\""), "requires a list of"},
		{THING("\"to\":[{\"beacon\":\"x\"}]"), "no beacon"},
		{THING("\"a b\":1"), "no such prop with name 'a b'"},
		{"{\"class\":\"Thing\",\"id\":\"7\"}", "id"},
		{"{\"class\":\"Thing\",\"tenant\":\"t\"}", "multi-tenancy disabled"},
		{"{\"class\":\"Thing\",\"vector\":[1,\"a\"]}", "item 1 is not a number"},
		{"{\"class\":\"Thing\",\"vector\":[1,1e999]}", "no JSON"},
		{"{\"class\":\"Thing\",\"vector\":[1,1e300]}", "too large"},
		{"{\"class\":\"Thing\",\"vectors\":{\"v\":[1,2]}}", "has no vector 'v'"},
	};

	weaviate_kit_fill(w);
	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++)
		weaviate_kit_refused(w, "POST", "/v1/objects", rows[i].body,
				     strstr(rows[i].body, "1e999") ? 400 : 422, rows[i].part);
	weaviate_kit_refused(w, "PATCH", O1, "{\"properties\":{\"n\":\"x\"}}", 422,
			     "n: not an integer");
	weaviate_kit_refused(w, "PATCH", O1, "{\"properties\":7}", 422, "properties: an object");
	weaviate_kit_expect(w, "GET", "/v1/objects?class=Thing", "", 200, "\"totalResults\":5");
	weaviate_kit_expect(w, "GET", O1, "", 200, "\"n\":1,");
}

TEST(objects_that_cannot_be_are_refused)
{
	weaviate_kit_run(refuse, NULL);
}

/* ---- vectors ---------------------------------------------------------------------------- */

static void wrong_dim(struct web *w)
{
	weaviate_kit_fill(w);
	weaviate_kit_refused(
		w, "POST", "/v1/objects",
		"{\"class\":\"Thing\",\"id\":\"" ID("77") "\",\"vector\":[1,2,3]}", 500,
		"new node has a vector with length 3. Existing nodes have vectors with "
		"length 2");
	weaviate_kit_expect(w, "HEAD", "/v1/objects/Thing/" ID("77"), "", 404, NULL);
	weaviate_kit_refused(w, "PUT", O1, "{\"vector\":[1,2,3]}", 500, "length 3");
}

TEST(vectors_of_another_length_are_refused)
{
	weaviate_kit_run(wrong_dim, NULL);
}

static void named_vectors(struct web *w)
{
	weaviate_kit_expect(w, "POST", "/v1/schema",
			    "{\"class\":\"Two\",\"vectorConfig\":{\"a\":{},\"b\":{}}}", 200, NULL);
	weaviate_kit_expect(w, "POST", "/v1/objects",
			    "{\"class\":\"Two\",\"id\":\"" ID("01") "\",\"vectors\":{\"a\":[1,2],"
								    "\"b\":[1,2,3]}}",
			    200, "\"vectors\":{\"a\":[1.0,2.0],\"b\":[1.0,2.0,3.0]}");
	weaviate_kit_refused(w, "POST", "/v1/objects", "{\"class\":\"Two\",\"vector\":[1,2]}", 422,
			     "has named vectors");
	weaviate_kit_refused(w, "POST", "/v1/objects",
			     "{\"class\":\"Two\",\"vectors\":{\"c\":[1]}}", 422,
			     "has no vector 'c'");
	/* A vector without a name is the only one that there is. */
	weaviate_kit_expect(w, "POST", "/v1/schema",
			    "{\"class\":\"One\",\"vectorConfig\":{\"default\":{}}}", 200, NULL);
	weaviate_kit_expect(w, "POST", "/v1/objects",
			    "{\"class\":\"One\",\"id\":\"" ID("01") "\",\"vector\":[1,2]}", 200,
			    "\"vectors\":{\"default\":[1.0,2.0]}");
	weaviate_kit_query(
		w, "{Get{One(nearVector:{vector:[1,2]}){_additional{id vectors{default}}}}}",
		"{\"Get\":{\"One\":[{\"_additional\":{\"id\":\"" ID(
			"01") "\",\"vectors\":{\"default\":[1.0,2.0]}}}]}}");
}

TEST(vectors_may_have_names)
{
	weaviate_kit_run(named_vectors, NULL);
}

/* ---- lists ------------------------------------------------------------------------------ */

/* Expects that these ids are listed, by their last digit. */
static void expect_ids(struct web *w, const char *path, const char *digits)
{
	struct web_answer a;
	char seen[100] = "";
	size_t n = 0;

	ASSERT_EQ(200, objects_web_ask(w, "GET", path, "", &a));
	for (char *p = strstr(a.body, "\"id\":\""); p; p = strstr(p + 1, "\"id\":\""))
		seen[n++] = p[6 + 35];
	if (!EXPECT_STREQ(digits, seen))
		TH_LOG("%s: %s", path, a.body);
	web_answer_done(&a);
}

static void list(struct web *w)
{
	weaviate_kit_fill(w);
	expect_ids(w, "/v1/objects?class=Thing", "12345");
	expect_ids(w, "/v1/objects?class=Thing&limit=2", "12");
	expect_ids(w, "/v1/objects?class=Thing&limit=2&offset=3", "45");
	expect_ids(w, "/v1/objects?class=Thing&limit=2&after=" ID("02"), "34");
	expect_ids(w, "/v1/objects?class=Thing&after=" ID("05"), "");
	expect_ids(w, "/v1/objects?class=Thing&limit=0", "");
	expect_ids(w, "/v1/objects?class=Thing&sort=n&order=desc&limit=3", "543");
	weaviate_kit_expect(w, "POST", "/v1/objects",
			    "{\"class\":\"Other\",\"id\":\"" ID("09") "\"}", 200, NULL);
	expect_ids(w, "/v1/objects", "912345");
	expect_ids(w, "/v1/objects?limit=2&offset=1", "12");
	weaviate_kit_expect(w, "GET", "/v1/objects?class=Thing&include=vector&limit=1", "", 200,
			    "\"vector\":[1.0,0.0]");
	weaviate_kit_refused(w, "GET", "/v1/objects?class=No", "", 404, "could not find class");
	weaviate_kit_refused(w, "GET", "/v1/objects?limit=x", "", 422, "limit in query");
	weaviate_kit_refused(w, "GET", "/v1/objects?limit=-1", "", 422, "limit in query");
	weaviate_kit_refused(w, "GET", "/v1/objects?limit=99999999999", "", 422, "limit in query");
	weaviate_kit_refused(w, "GET", "/v1/objects?limit=10000&offset=1", "", 422,
			     "query maximum results exceeded");
	weaviate_kit_refused(w, "GET", "/v1/objects?after=" ID("01"), "", 422, "after:");
	weaviate_kit_refused(w, "GET", "/v1/objects?class=Thing&sort=no", "", 422, "sort:");
}

TEST(objects_are_listed)
{
	weaviate_kit_run(list, NULL);
}

/* ---- restarting ------------------------------------------------------------------------- */

static void look_again(struct web *w)
{
	expect_ids(w, "/v1/objects?class=Thing", "12345");
	weaviate_kit_expect(w, "GET", O1 "?include=vector", "", 200, "\"vector\":[1.0,0.0]");
	weaviate_kit_get(w, "{Get{Thing(nearVector:{vector:[3,0]} limit:1){n}}}", "[{\"n\":3}]");
}

TEST(objects_outlive_a_restart)
{
	weaviate_kit_run(weaviate_kit_fill, look_again);
}

TEST_HARNESS_MAIN
