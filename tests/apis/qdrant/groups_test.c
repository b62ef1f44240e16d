// SPDX-License-Identifier: Apache-2.0
/* Searches whose hits are put together by a value, and distances within a sample. */
#include <stdio.h>

#include "harness.h"
#include "qdrant_kit.h"

#define C "/collections/c"

static void put_points(struct web *w)
{
	qdrant_kit_create(w, "c");
	qdrant_kit_expect_part(w, "PUT", C "/points?wait=true",
			       "{\"points\":["
			       "{\"id\":1,\"vector\":[1,0],\"payload\":{\"g\":7}},"
			       "{\"id\":2,\"vector\":[2,0],\"payload\":{\"g\":[7,\"x\"]}},"
			       "{\"id\":3,\"vector\":[3,0],\"payload\":{\"g\":\"x\"}},"
			       "{\"id\":4,\"vector\":[4,0],\"payload\":{\"g\":7}},"
			       "{\"id\":5,\"vector\":[5,0],\"payload\":{}},"
			       "{\"id\":6,\"vector\":[6,0],\"payload\":{\"g\":\"y\"}}]}",
			       "completed");
}

static void ask_for_groups(struct web *w)
{
	static const char *const paths[] = {C "/points/query/groups", C "/points/search/groups"};
	static const char *const names[] = {"query", "vector"};

	put_points(w);
	for (size_t i = 0; i < 2; i++) {
		char body[200];

		snprintf(body, sizeof(body),
			 "{\"%s\":[0,0],\"group_by\":\"g\",\"limit\":2,\"group_size\":2}",
			 names[i]);
		qdrant_kit_expect_part(w, "POST", paths[i], body, "\"score\":2.0}],\"id\":7}");
		qdrant_kit_expect_part(w, "POST", paths[i], body,
				       "\"score\":3.0}],\"id\":\"x\"}]}");
	}
	qdrant_kit_create(w, "d");
	qdrant_kit_fill(w, "d", 9);
	qdrant_kit_expect_part(w, "POST", paths[0],
			       "{\"query\":[0,0],\"group_by\":\"g\",\"limit\":9,\"group_size\":9,"
			       "\"with_lookup\":{\"collection\":\"d\",\"with_payload\":[\"n\"]}}",
			       "\"id\":7,\"lookup\":{\"id\":7,\"payload\":{\"n\":7}}},");
	qdrant_kit_expect_part(w, "POST", C "/points/recommend/groups",
			       "{\"positive\":[1],\"group_by\":\"g\"}", "\"id\":7}");
	qdrant_kit_expect(w, "POST", paths[0], "{\"query\":[0,0],\"group_by\":\"none\"}",
			  "{\"groups\":[]}");
	qdrant_kit_refused(w, "POST", paths[0], "{\"query\":[0,0]}", 400, "group_by");
	qdrant_kit_refused(w, "POST", paths[0],
			   "{\"query\":[0,0],\"group_by\":\"g\",\"group_size\":0}", 422,
			   "group_size");
	qdrant_kit_refused(w, "POST", paths[0],
			   "{\"query\":[0,0],\"group_by\":\"g\",\"with_lookup\":\"none\"}", 404,
			   "`none`");
}

TEST(hits_are_put_together_by_a_value)
{
	qdrant_kit_run(ask_for_groups, NULL);
}

static void ask_for_matrix(struct web *w)
{
	put_points(w);
	qdrant_kit_expect_part(w, "POST", C "/points/search/matrix/pairs",
			       "{\"sample\":6,\"limit\":1}", "{\"a\":1,\"b\":2,\"score\":1.0}");
	qdrant_kit_expect_part(
		w, "POST", C "/points/search/matrix/offsets",
		"{\"sample\":2,\"limit\":1,\"filter\":{\"must\":[{\"has_id\":[1,6]}]}}",
		"\"scores\":[5.0,5.0],\"ids\":[");
	qdrant_kit_refused(w, "POST", C "/points/search/matrix/pairs", "{\"sample\":1}", 422,
			   "sample");
	qdrant_kit_refused(w, "POST", C "/points/search/matrix/pairs", "{\"using\":\"q\"}", 400,
			   "Not existing vector name error: q");
}

TEST(distances_within_a_sample)
{
	qdrant_kit_run(ask_for_matrix, NULL);
}

TEST_HARNESS_MAIN
