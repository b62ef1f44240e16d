// SPDX-License-Identifier: Apache-2.0
/* Qdrant's API over sockets. Interface: qdrant_kit.h. */
#include "qdrant_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apis/qdrant/qdrant.h"
#include "harness.h"

/* ---- asking ----------------------------------------------------------------------------- */

void qdrant_kit_run(void (*client)(struct web *w), void (*again)(struct web *w))
{
	objects_web_run((struct http_api){.name = "qdrant",
					  .routes = qdrant_routes,
					  .routes_n = qdrant_routes_n},
			client, again);
}

#define BEFORE "{\"result\":"
#define BEHIND ",\"status\":\"ok\",\"time\":"

/* Cuts the envelope off; NULL: it is not as it should be. */
static char *result_of(struct web_answer *a)
{
	char *end = NULL;

	if (!a->body || strncmp(a->body, BEFORE, strlen(BEFORE)))
		return NULL;
	for (char *p = strstr(a->body, BEHIND); p; p = strstr(p + 1, BEHIND))
		end = p;
	if (!end)
		return NULL;
	*end = '\0';
	return a->body + strlen(BEFORE);
}

static void expect(struct web *w, const char *method, const char *path, const char *body,
		   const char *result, bool part)
{
	struct web_answer a;
	int status = objects_web_ask(w, method, path, body, &a);
	char *seen = status == 200 ? result_of(&a) : NULL;

	if (!EXPECT_EQ(200, status) || !EXPECT_NOT_NULL(seen))
		TH_LOG("%s %s %.200s: %.500s", method, path, body, a.body);
	else if (result && part && !EXPECT_NOT_NULL(strstr(seen, result)))
		TH_LOG("%s %s %.200s: %s is not in %.2000s", method, path, body, result, seen);
	else if (result && !part && !EXPECT_STREQ(result, seen))
		TH_LOG("%s %s %.200s", method, path, body);
	web_answer_done(&a);
}

void qdrant_kit_expect(struct web *w, const char *method, const char *path, const char *body,
		       const char *result)
{
	expect(w, method, path, body, result, false);
}

void qdrant_kit_expect_part(struct web *w, const char *method, const char *path, const char *body,
			    const char *part)
{
	expect(w, method, path, body, part, true);
}

void qdrant_kit_refused(struct web *w, const char *method, const char *path, const char *body,
			int status, const char *part)
{
	static const char before[] = "{\"status\":{\"error\":\"";
	struct web_answer a;
	int seen = objects_web_ask(w, method, path, body, &a);

	if (!EXPECT_EQ(status, seen) || !EXPECT_NOT_NULL(a.body) ||
	    !EXPECT_EQ(0, strncmp(a.body, before, sizeof(before) - 1)) ||
	    !EXPECT_NOT_NULL(strstr(a.body, part)))
		TH_LOG("%s %s %.200s: %.500s, not %s", method, path, body, a.body, part);
	web_answer_done(&a);
}

/* ---- the usual -------------------------------------------------------------------------- */

void qdrant_kit_create(struct web *w, const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "/collections/%s", name);
	qdrant_kit_expect(w, "PUT", path, "{\"vectors\":{\"size\":2,\"distance\":\"Euclid\"}}",
			  "true");
}

void qdrant_kit_fill(struct web *w, const char *name, int n)
{
	size_t room = 200 + 120 * (size_t)n, at;
	char path[300], *body = calloc(1, room);

	ASSERT_NOT_NULL(body);
	snprintf(path, sizeof(path), "/collections/%s/points?wait=true", name);
	at = (size_t)snprintf(body, room, "{\"points\":[");
	for (int i = 0; i < n; i++)
		at += (size_t)snprintf(body + at, room - at,
				       "%s{\"id\":%d,\"vector\":[%d,0],\"payload\":{\"n\":%d,"
				       "\"even\":%s,\"text\":\"word %d\"}}",
				       i ? "," : "", i, i, i, i % 2 ? "false" : "true", i);
	snprintf(body + at, room - at, "]}");
	qdrant_kit_expect_part(w, "PUT", path, body, "\"status\":\"completed\"}");
	free(body);
}
