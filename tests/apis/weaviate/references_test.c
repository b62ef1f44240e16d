/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References: added, replaced and removed, one at a time and many.
 */
#include <string.h>

#include "harness.h"
#include "weaviate_kit.h"

#define TO "/v1/objects/Thing/" ID("01") "/references/to"
#define BEACON(two) "{\"beacon\":\"weaviate://localhost/Thing/" ID(two) "\"}"
#define LINK(two) "weaviate://localhost/Thing/" ID(two)

/* Expects that object 1 refers to these, by their number. */
static void expect(struct web *w, const char *list)
{
	char wanted[300];

	snprintf(wanted, sizeof(wanted), "[{\"n\":1,\"to\":%s}]", list);
	weaviate_kit_get(w, "{Get{Thing(limit:1){n to{... on Thing{n}}}}}", wanted);
}

static void change(struct web *w)
{
	weaviate_kit_fill(w);
	expect(w, "null");
	weaviate_kit_expect(w, "POST", TO, BEACON("02"), 200, NULL);
	weaviate_kit_expect(w, "POST", "/v1/objects/" ID("01") "/references/to", BEACON("03"), 200,
			    NULL);
	expect(w, "[{\"n\":2},{\"n\":3}]");
	weaviate_kit_expect(w, "PUT", TO, "[" BEACON("04") "," BEACON("05") "]", 200, NULL);
	expect(w, "[{\"n\":4},{\"n\":5}]");
	weaviate_kit_expect(w, "DELETE", TO, BEACON("04"), 204, NULL);
	expect(w, "[{\"n\":5}]");
	weaviate_kit_expect(w, "PATCH", "/v1/objects/Thing/" ID("01"), "{\"properties\":{\"x\":2}}",
			    204, NULL);
	expect(w, "[{\"n\":5}]");
	weaviate_kit_expect(w, "PUT", TO, "[]", 200, NULL);
	expect(w, "null");
	/* The class may be left out where there is but one. */
	weaviate_kit_expect(w, "POST", TO, "{\"beacon\":\"weaviate://localhost/" ID("02") "\"}",
			    200, NULL);
	expect(w, "[{\"n\":2}]");
}

TEST(references_are_changed)
{
	weaviate_kit_run(change, NULL);
}

static void refuse(struct web *w)
{
	weaviate_kit_fill(w);
	weaviate_kit_refused(w, "POST", TO, "{\"beacon\":\"x\"}", 422, "invalid reference");
	weaviate_kit_refused(w, "POST", TO, "{}", 422, "invalid reference");
	weaviate_kit_refused(w, "PUT", TO, BEACON("02"), 422, "a list of");
	weaviate_kit_refused(w, "POST", "/v1/objects/Thing/" ID("01") "/references/name",
			     BEACON("02"), 422, "is no reference");
	weaviate_kit_refused(w, "POST", "/v1/objects/Thing/" ID("77") "/references/to",
			     BEACON("02"), 404, "no object with that id");
	expect(w, "null");
}

TEST(references_that_cannot_be_are_refused)
{
	weaviate_kit_run(refuse, NULL);
}

#define PAIR(from, property, to)                                                                   \
	"{\"from\":\"" LINK(from) "/" property "\",\"to\":\"" LINK(to) "\""

static void many(struct web *w)
{
	weaviate_kit_fill(w);
	weaviate_kit_expect(w, "POST", "/v1/batch/references",
			    "[" PAIR("01", "to", "02") "}," PAIR("77", "to", "02") "},"
			    PAIR("01", "name", "02") "},{\"from\":\"" LINK("01") "/to\","
			    "\"to\":\"x\"},{\"from\":7}," PAIR("01", "to", "03") "}]",
			    200, "\"result\":{\"status\":\"SUCCESS\"}}," PAIR("77", "to", "02")
			    ",\"result\":{\"errors\":{\"error\":[{\"message\":\"from: there is "
			    "no object with that id\"}]},\"status\":\"FAILED\"}}");
	expect(w, "[{\"n\":2},{\"n\":3}]");
	weaviate_kit_refused(w, "POST", "/v1/batch/references", "{}", 422, "a list of");
}

TEST(many_are_added_each_for_itself)
{
	weaviate_kit_run(many, NULL);
}

TEST_HARNESS_MAIN
