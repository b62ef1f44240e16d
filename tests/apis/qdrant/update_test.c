// SPDX-License-Identifier: Apache-2.0
/*
 * Changes of points that are there.
 * Order of parts: payloads; vectors; deletion; batches.
 */
#include <string.h>

#include "harness.h"
#include "qdrant_kit.h"

#define C "/collections/c"
#define PAYLOAD C "/points/payload"
#define DONE "\"status\":\"acknowledged\"}"

static void expect_payload(struct web *w, const char *path, const char *payload)
{
	qdrant_kit_expect_part(w, "GET", path, "", payload);
}

/* ---- payloads --------------------------------------------------------------------------- */

static void change_payloads(struct web *w)
{
	qdrant_kit_create(w, "c");
	qdrant_kit_fill(w, "c", 4);
	qdrant_kit_expect_part(w, "POST", PAYLOAD,
			       "{\"payload\":{\"a\":{\"b\":1},\"n\":9},\"points\":[1,2]}", DONE);
	expect_payload(w, C "/points/1",
		       "{\"a\":{\"b\":1},\"even\":false,\"n\":9,\"text\":\"word 1\"}");
	qdrant_kit_expect_part(w, "POST", PAYLOAD,
			       "{\"payload\":{\"c\":2},\"points\":[1],\"key\":\"a\"}", DONE);
	expect_payload(w, C "/points/1", "{\"a\":{\"b\":1,\"c\":2},");
	qdrant_kit_expect_part(w, "PUT", PAYLOAD,
			       "{\"payload\":{\"d\":3},\"points\":[1],\"key\":\"a\"}", DONE);
	expect_payload(w, C "/points/1", "{\"a\":{\"d\":3},\"even\":false,");
	qdrant_kit_expect_part(w, "PUT", PAYLOAD, "{\"payload\":{\"o\":1},\"points\":[2]}", DONE);
	expect_payload(w, C "/points/2", "\"payload\":{\"o\":1}");
	qdrant_kit_expect_part(w, "POST", PAYLOAD "/delete",
			       "{\"keys\":[\"text\",\"none\",\"a.d\"],\"points\":[1]}", DONE);
	expect_payload(w, C "/points/1", "\"payload\":{\"a\":{},\"even\":false,\"n\":9}");
	qdrant_kit_expect_part(w, "POST", PAYLOAD "/clear", "{\"points\":[1]}", DONE);
	expect_payload(w, C "/points/1", "\"payload\":{}");
	qdrant_kit_expect_part(w, "POST", PAYLOAD,
			       "{\"payload\":{\"f\":1},\"filter\":{\"must\":[{\"key\":\"even\","
			       "\"match\":{\"value\":true}}]}}",
			       DONE);
	expect_payload(w, C "/points/0", "{\"even\":true,\"f\":1,\"n\":0,");
	expect_payload(w, C "/points/3", "{\"even\":false,\"n\":3,");
	qdrant_kit_refused(w, "POST", PAYLOAD, "{\"payload\":{\"x\":1},\"points\":[3,77]}", 404,
			   "No point with id 77 found");
	qdrant_kit_refused(w, "POST", PAYLOAD, "{\"points\":[3]}", 400, "payload");
	qdrant_kit_refused(w, "POST", PAYLOAD, "{\"payload\":{}}", 400, "points or a filter");
	qdrant_kit_refused(w, "POST", PAYLOAD "/delete", "{\"points\":[3]}", 400, "keys");
	qdrant_kit_refused(w, "POST", PAYLOAD "/delete", "{\"points\":[3],\"keys\":[\"\"]}", 400,
			   "keys");
}

static void see_payloads_again(struct web *w)
{
	expect_payload(w, C "/points/0", "{\"even\":true,\"f\":1,\"n\":0,");
	expect_payload(w, C "/points/2", "\"payload\":{\"o\":1}");
}

TEST(payloads_are_merged_replaced_and_cut)
{
	qdrant_kit_run(change_payloads, see_payloads_again);
}

/* ---- vectors ---------------------------------------------------------------------------- */

#define VECTORS C "/points/vectors"

static void change_vectors(struct web *w)
{
	qdrant_kit_expect(w, "PUT", C,
			  "{\"vectors\":{\"u\":{\"size\":1,\"distance\":\"Dot\"},"
			  "\"v\":{\"size\":2,\"distance\":\"Dot\"}}}",
			  "true");
	qdrant_kit_expect_part(
		w, "PUT", C "/points",
		"{\"points\":[{\"id\":1,\"vector\":{\"u\":[1]},\"payload\":{\"k\":1}},"
		"{\"id\":2,\"vector\":{\"v\":[1,2]}}]}",
		DONE);
	qdrant_kit_expect_part(w, "PUT", VECTORS,
			       "{\"points\":[{\"id\":1,\"vector\":{\"v\":[3,4]}},"
			       "{\"id\":2,\"vector\":{\"u\":[7],\"v\":[0,0]}}]}",
			       DONE);
	qdrant_kit_expect(w, "GET", C "/points/1", "",
			  "{\"id\":1,\"payload\":{\"k\":1},\"vector\":{\"u\":[1.0],"
			  "\"v\":[3.0,4.0]}}");
	qdrant_kit_expect_part(w, "POST", VECTORS "/delete",
			       "{\"points\":[1,2],\"vector\":[\"u\"]}", DONE);
	qdrant_kit_expect(w, "GET", C "/points/2", "",
			  "{\"id\":2,\"payload\":{},\"vector\":{\"v\":[0.0,0.0]}}");
	qdrant_kit_refused(w, "PUT", VECTORS, "{\"points\":[{\"id\":1,\"vector\":{\"v\":[3]}}]}",
			   400, "expected dim: 2, got 1");
	qdrant_kit_refused(w, "PUT", VECTORS, "{\"points\":[{\"id\":1,\"vector\":{\"w\":[3]}}]}",
			   400, "Not existing vector name error: w");
	qdrant_kit_refused(w, "PUT", VECTORS, "{\"points\":[{\"id\":9,\"vector\":{\"u\":[3]}}]}",
			   404, "No point with id 9 found");
	qdrant_kit_refused(w, "PUT", VECTORS, "{}", 400, "points");
	qdrant_kit_refused(w, "POST", VECTORS "/delete", "{\"points\":[1]}", 400, "vector");
	qdrant_kit_refused(w, "POST", VECTORS "/delete", "{\"points\":[1],\"vector\":[\"w\"]}", 400,
			   "w");
}

TEST(vectors_are_put_and_taken)
{
	qdrant_kit_run(change_vectors, NULL);
}

/* ---- deletion --------------------------------------------------------------------------- */

static void delete_points(struct web *w)
{
	qdrant_kit_create(w, "c");
	qdrant_kit_fill(w, "c", 10);
	qdrant_kit_expect_part(w, "POST", C "/points/delete", "{\"points\":[1,99,1]}", DONE);
	qdrant_kit_expect_part(w, "POST", C "/points/delete",
			       "{\"filter\":{\"must\":[{\"key\":\"even\",\"match\":"
			       "{\"value\":true}}]}}",
			       DONE);
	qdrant_kit_expect(w, "POST", C "/points/scroll", "{\"with_payload\":false}",
			  "{\"points\":[{\"id\":3},{\"id\":5},{\"id\":7},{\"id\":9}],"
			  "\"next_page_offset\":null}");
	qdrant_kit_refused(w, "POST", C "/points/delete", "{}", 400, "points or a filter");
	qdrant_kit_expect_part(w, "POST", C "/points/delete", "{\"filter\":{}}", DONE);
	qdrant_kit_expect(w, "POST", C "/points/count", "{}", "{\"count\":0}");
}

TEST(points_are_deleted_by_id_and_by_filter)
{
	qdrant_kit_run(delete_points, NULL);
}

/* ---- batches ---------------------------------------------------------------------------- */

static void write_batches(struct web *w)
{
	struct web_answer a;

	qdrant_kit_create(w, "c");
	qdrant_kit_fill(w, "c", 3);
	EXPECT_EQ(200,
		  objects_web_ask(w, "POST", C "/points/batch?wait=true",
				 "{\"operations\":["
				 "{\"upsert\":{\"points\":[{\"id\":7,\"vector\":[1,2]}]}},"
				 "{\"upsert\":{\"batch\":{\"ids\":[8],\"vectors\":[[1,2]]}}},"
				 "{\"set_payload\":{\"payload\":{\"x\":1},\"points\":[7]}},"
				 "{\"overwrite_payload\":{\"payload\":{\"y\":1},\"points\":[1]}},"
				 "{\"delete_payload\":{\"keys\":[\"n\"],\"points\":[2]}},"
				 "{\"clear_payload\":{\"points\":[0]}},"
				 "{\"update_vectors\":{\"points\":[{\"id\":7,\"vector\":[5,5]}]}},"
				 "{\"delete_vectors\":{\"points\":[8],\"vector\":[\"\"]}},"
				 "{\"delete\":{\"points\":[0]}}]}",
				 &a));
	web_answer_done(&a);
	qdrant_kit_expect(w, "POST", C "/points/scroll", "{\"with_vector\":true}",
			  "{\"points\":["
			  "{\"id\":1,\"payload\":{\"y\":1},\"vector\":[1.0,0.0]},"
			  "{\"id\":2,\"payload\":{\"even\":true,\"text\":\"word 2\"},"
			  "\"vector\":[2.0,0.0]},"
			  "{\"id\":7,\"payload\":{\"x\":1},\"vector\":[5.0,5.0]},"
			  "{\"id\":8,\"payload\":{},\"vector\":{}}],\"next_page_offset\":null}");
	qdrant_kit_refused(w, "POST", C "/points/batch", "{\"operations\":[{\"other\":{}}]}", 400,
			   "unknown operation");
	qdrant_kit_refused(w, "POST", C "/points/batch", "{}", 400, "operations");
}

TEST(batches_are_done_in_their_order)
{
	qdrant_kit_run(write_batches, NULL);
}

TEST_HARNESS_MAIN
