// SPDX-License-Identifier: Apache-2.0
/* Weaviate's API over sockets. Interface: weaviate_kit.h. */
#include "weaviate_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apis/weaviate/weaviate.h"
#include "harness.h"

/* ---- asking ----------------------------------------------------------------------------- */

void weaviate_kit_run(void (*client)(struct web *w), void (*again)(struct web *w))
{
	objects_web_run((struct http_api){.name = "weaviate",
					  .routes = weaviate_routes,
					  .routes_n = weaviate_routes_n},
			client, again);
}

void weaviate_kit_expect(struct web *w, const char *method, const char *path, const char *body,
			 int status, const char *part)
{
	struct web_answer a;
	int seen = objects_web_ask(w, method, path, body, &a);

	if (!EXPECT_EQ(status, seen) || (part && !EXPECT_NOT_NULL(strstr(a.body, part))))
		TH_LOG("%s %s %.300s: %.2000s, not %s", method, path, body, a.body,
		       part ? part : "");
	web_answer_done(&a);
}

void weaviate_kit_is(struct web *w, const char *method, const char *path, const char *body,
		     const char *answer)
{
	struct web_answer a;

	if (!EXPECT_EQ(200, objects_web_ask(w, method, path, body, &a)) ||
	    !EXPECT_STREQ(answer, a.body))
		TH_LOG("%s %s %.300s: %.2000s", method, path, body, a.body);
	web_answer_done(&a);
}

void weaviate_kit_refused(struct web *w, const char *method, const char *path, const char *body,
			  int status, const char *part)
{
	static const char before[] = "{\"error\":[{\"message\":\"";
	struct web_answer a;
	int seen = objects_web_ask(w, method, path, body, &a);

	if (!EXPECT_EQ(status, seen) ||
	    !EXPECT_EQ(0, strncmp(a.body, before, sizeof(before) - 1)) ||
	    !EXPECT_NOT_NULL(strstr(a.body, part)))
		TH_LOG("%s %s %.300s: %.500s, not %s", method, path, body, a.body, part);
	web_answer_done(&a);
}

/* ---- queries ---------------------------------------------------------------------------- */

/* {"query": "..."}; to be freed. */
static char *query_body(const char *query)
{
	char *body = calloc(1, 2 * strlen(query) + 20), *p;

	ASSERT_NOT_NULL(body);
	p = stpcpy(body, "{\"query\":\"");
	for (; *query; query++) {
		if (*query == '"' || *query == '\\')
			*p++ = '\\';
		*p++ = *query;
	}
	memcpy(p, "\"}", 3);
	return body;
}

static void expect_query(struct web *w, const char *query, const char *before, const char *middle,
			 const char *behind)
{
	size_t room = strlen(before) + strlen(middle) + strlen(behind) + 1;
	char *body = query_body(query), *wanted = calloc(1, room);

	ASSERT_NOT_NULL(wanted);
	snprintf(wanted, room, "%s%s%s", before, middle, behind);
	weaviate_kit_is(w, "POST", "/v1/graphql", body, wanted);
	free(wanted);
	free(body);
}

void weaviate_kit_query(struct web *w, const char *query, const char *data)
{
	expect_query(w, query, "{\"data\":", data, "}");
}

void weaviate_kit_get(struct web *w, const char *query, const char *list)
{
	expect_query(w, query, "{\"data\":{\"Get\":{\"Thing\":", list, "}}}");
}

void weaviate_kit_find(struct web *w, const char *arguments, const char *digits)
{
	char query[1100], wanted[300] = "[";
	size_t at = 1;

	snprintf(query, sizeof(query), "{Get{Thing(%s){n}}}", arguments);
	for (const char *d = digits; *d; d++)
		at += (size_t)snprintf(wanted + at, sizeof(wanted) - at, "%s{\"n\":%c}",
				       d == digits ? "" : ",", *d);
	snprintf(wanted + at, sizeof(wanted) - at, "]");
	weaviate_kit_get(w, query, wanted);
}

void weaviate_kit_wrong(struct web *w, const char *query, const char *part)
{
	char *body = query_body(query);

	weaviate_kit_expect(w, "POST", "/v1/graphql", body, 200, "\"errors\":[{\"message\":");
	weaviate_kit_expect(w, "POST", "/v1/graphql", body, 200, part);
	free(body);
}

/* ---- the usual -------------------------------------------------------------------------- */

#define PROPERTY(name, type) "{\"name\":\"" name "\",\"dataType\":[\"" type "\"]}"

static const char class[] =
	"{\"class\":\"Thing\",\"vectorIndexConfig\":{\"distance\":\"l2-squared\"},\"properties\":["
	PROPERTY("name", "text") "," PROPERTY("n", "int") "," PROPERTY("x", "number") ","
	PROPERTY("good", "boolean") "," PROPERTY("tags", "text[]") ","
	PROPERTY("at", "geoCoordinates") "," PROPERTY("born", "date") ","
	PROPERTY("key", "uuid") "," PROPERTY("to", "Thing") "]}";

/* Of the object's number, in this order: id, vector, word, n, x, good, first tag, at, born, key. */
static const char object[] =
	"{\"class\":\"Thing\",\"id\":\"" ID("0") "%d\",\"vector\":[%d,0],\"properties\":{"
	"\"name\":\"thing %s\",\"n\":%d,\"x\":%d.5,\"good\":%s,\"tags\":[\"%s\",\"all\"],"
	"\"at\":{\"latitude\":%d,\"longitude\":10},\"born\":\"200%d-01-01T00:00:00Z\","
	"\"key\":\"" ID("9") "%d\"}}";

void weaviate_kit_fill(struct web *w)
{
	static const char *const words[] = {"one", "two", "three", "four", "five"};
	char body[1000];

	weaviate_kit_expect(w, "POST", "/v1/schema", class, 200, "\"class\":\"Thing\"");
	for (int i = 1; i <= 5; i++) {
		snprintf(body, sizeof(body), object, i, i, words[i - 1], i, i,
			 i % 2 ? "true" : "false", i % 2 ? "odd" : "even", 10 * i, i, i);
		weaviate_kit_expect(w, "POST", "/v1/objects", body, 200, "\"class\":\"Thing\"");
	}
}
