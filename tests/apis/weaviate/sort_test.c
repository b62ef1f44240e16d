/* SPDX-License-Identifier: Apache-2.0 */
/* Orders: by properties of each type, by several, and where there is no value. */
#include <stdio.h>

#include "harness.h"
#include "weaviate_kit.h"

/* Expects the objects in this order, by their number. */
static void expect(struct web *w, const char *sort, const char *digits)
{
	char arguments[500];

	snprintf(arguments, sizeof(arguments), "sort:%s", sort);
	weaviate_kit_find(w, arguments, digits);
}

#define BY(path, order) "{path:[\"" path "\"] order:" order "}"

static void sort(struct web *w)
{
	weaviate_kit_fill(w);
	expect(w, BY("n", "desc"), "54321");
	expect(w, "[" BY("x", "asc") "]", "12345");
	expect(w, BY("name", "asc"), "54132"); /* five, four, one, three, two */
	expect(w, BY("name", "desc"), "23145");
	expect(w, BY("good", "asc"), "24135");
	expect(w, "[" BY("good", "desc") " " BY("n", "desc") "]", "53142");
	expect(w, BY("born", "desc"), "54321");
	expect(w, BY("key", "desc"), "54321");
	expect(w, BY("_id", "desc"), "54321");
	expect(w, BY("tags", "asc"), "24135");
	weaviate_kit_get(w,
			 "{Get{Thing(sort:" BY("n", "desc") " limit:2 offset:1 where:{path:[\"n\"] "
							    "operator:LessThan valueInt:5}){n}}}",
			 "[{\"n\":3},{\"n\":2}]");
	weaviate_kit_expect(w, "PATCH", "/v1/objects/Thing/" ID("03"),
			    "{\"properties\":{\"x\":null}}", 204, NULL);
	expect(w, BY("x", "asc"), "31245");
	expect(w, BY("x", "desc"), "54213");
	weaviate_kit_expect(w, "PATCH", "/v1/objects/Thing/" ID("03"), "{\"properties\":{\"x\":9}}",
			    204, NULL);
	weaviate_kit_get(w, "{Get{Thing(sort:" BY("_lastUpdateTimeUnix", "desc") " limit:1){n}}}",
			 "[{\"n\":3}]");
}

TEST(objects_are_put_in_order)
{
	weaviate_kit_run(sort, NULL);
}

TEST_HARNESS_MAIN
