// SPDX-License-Identifier: Apache-2.0
/* Snapshots of collections. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "qdrant_kit.h"

#define S "/collections/c/snapshots"

/* The name in an answer. */
static void name_of(const char *body, char *ret, size_t size)
{
	const char *p = strstr(body, "\"name\":\"");

	ASSERT_NOT_NULL(p);
	snprintf(ret, size, "%.*s", (int)strcspn(p + 8, "\""), p + 8);
}

/* Longer than the name of any snapshot. */
static void ask_for_long_name(struct web *w)
{
	char path[sizeof(S) + 400] = S "/";

	memset(path + strlen(path), 'x', 350);
	qdrant_kit_refused(w, "GET", path, "", 404, "not found");
	qdrant_kit_refused(w, "DELETE", path, "", 404, "not found");
	qdrant_kit_refused(w, "GET", S "/a%00b", "", 400, "malformed");
}

static void use_snapshots(struct web *w)
{
	char name[300], path[400], body[500];
	struct web_answer a;
	FILE *f;

	qdrant_kit_create(w, "c");
	qdrant_kit_fill(w, "c", 5);
	qdrant_kit_expect(w, "GET", S, "", "[]");
	ASSERT_EQ(200, objects_web_ask(w, "POST", S, "", &a));
	name_of(a.body, name, sizeof(name));
	web_answer_done(&a);
	qdrant_kit_expect_part(w, "GET", S, "", name);
	qdrant_kit_expect_part(w, "POST", "/collections/c/points/delete", "{\"points\":[0,1]}",
			       "operation_id");
	snprintf(path, sizeof(path), S "/%s", name);
	ASSERT_EQ(200, objects_web_ask(w, "GET", path, "", &a));
	EXPECT_LT(100, a.n);
	snprintf(body, sizeof(body), "%s/downloaded", harness_tmpdir());
	f = fopen(body, "w");
	ASSERT_NOT_NULL(f);
	ASSERT_EQ(a.n, fwrite(a.body, 1, a.n, f));
	ASSERT_EQ(0, fclose(f));
	web_answer_done(&a);
	snprintf(body, sizeof(body), "{\"location\":\"file://%s/downloaded\"}", harness_tmpdir());
	qdrant_kit_expect(w, "PUT", "/collections/e/snapshots/recover", body, "true");
	qdrant_kit_expect(w, "POST", "/collections/e/points/count", "{}", "{\"count\":5}");
	qdrant_kit_expect(w, "POST", "/collections/c/points/count", "{}", "{\"count\":3}");
	qdrant_kit_expect(w, "DELETE", path, "", "true");
	qdrant_kit_expect(w, "GET", S, "", "[]");
	qdrant_kit_refused(w, "DELETE", path, "", 404, "not found");
	qdrant_kit_refused(w, "GET", path, "", 404, "not found");
	qdrant_kit_refused(w, "GET", "/collections/none/snapshots", "", 404, "`none`");
	ask_for_long_name(w);
	qdrant_kit_refused(w, "PUT", "/collections/e/snapshots/recover",
			   "{\"location\":\"http://127.0.0.1/x\"}", 400, "location");
	qdrant_kit_refused(w, "PUT", "/collections/e/snapshots/recover",
			   "{\"location\":\"file:///dev/null\"}", 400, "no snapshot");
}

TEST(snapshots_are_made_downloaded_and_recovered)
{
	qdrant_kit_run(use_snapshots, NULL);
}

TEST_HARNESS_MAIN
