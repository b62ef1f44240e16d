// SPDX-License-Identifier: Apache-2.0
/*
 * Searches in their dialects.
 * Order of parts: nearest; older dialects; examples; prefetches; orders and samples; batches;
 * mistakes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "qdrant_kit.h"

#define C "/collections/c"
#define QUERY C "/points/query"

/* The ids in their order: "[{"id":…" of each hit; L2 from (x, 0) to (id, 0). */
static void expect_ids(struct web *w, const char *path, const char *body, const char *ids)
{
	struct web_answer a;
	char seen[400] = "";
	size_t n = 0;

	if (!EXPECT_EQ(200, objects_web_ask(w, "POST", path, body, &a)))
		TH_LOG("%s %s: %s", path, body, a.body);
	for (const char *p = a.body; (p = strstr(p, "{\"id\":")) && n < sizeof(seen); p += 6)
		n += (size_t)snprintf(seen + n, sizeof(seen) - n, "%s%.*s", n ? " " : "",
				      (int)strcspn(p + 6, ",}"), p + 6);
	if (!EXPECT_STREQ(ids, seen))
		TH_LOG("%s %s: %.1000s", path, body, a.body);
	web_answer_done(&a);
}

static void fill(struct web *w)
{
	qdrant_kit_create(w, "c");
	qdrant_kit_fill(w, "c", 20);
}

/* ---- nearest ---------------------------------------------------------------------------- */

#define EVEN "\"filter\":{\"must\":[{\"key\":\"even\",\"match\":{\"value\":true}}]}"

static void ask_nearest(struct web *w)
{
	static const char *const codes[] = {"", "\"ignore\":true", "\"rescore\":false",
					    "\"rescore\":true,\"oversampling\":2.5"};
	char body[200];

	fill(w);
	qdrant_kit_expect_part(w, "POST", QUERY,
			       "{\"query\":[3.25,0],\"limit\":2,\"with_payload\":[\"n\"],"
			       "\"with_vector\":true}",
			       "\"score\":0.25,\"payload\":{\"n\":3},\"vector\":[3.0,0.0]}");
	expect_ids(w, QUERY, "{\"query\":[3.1,0],\"limit\":4}", "3 4 2 5");
	expect_ids(w, QUERY, "{\"query\":[3.1,0],\"limit\":2,\"offset\":1}", "4 2");
	expect_ids(w, QUERY, "{\"query\":[3.1,0],\"limit\":2," EVEN "}", "4 2");
	expect_ids(w, QUERY, "{\"query\":[3.1,0],\"score_threshold\":1}", "3 4");
	expect_ids(w, QUERY, "{\"query\":3,\"limit\":3,\"params\":{\"exact\":true}}", "2 4 1");
	expect_ids(w, QUERY, "{\"query\":{\"nearest\":[0,0]},\"limit\":1}", "0");
	expect_ids(w, QUERY, "{\"query\":[0,0],\"limit\":1,\"params\":{\"hnsw_ef\":1000000}}", "0");
	for (size_t i = 0; i < SL_ARRAY_SIZE(codes); i++) {
		snprintf(body, sizeof(body),
			 "{\"query\":[3.1,0],\"limit\":2,\"params\":{\"quantization\":{%s}}}",
			 codes[i]);
		expect_ids(w, QUERY, body, "3 4");
	}
	expect_ids(w, QUERY, "{\"limit\":3}", "0 1 2");
	expect_ids(w, QUERY, "{\"limit\":2,\"offset\":1," EVEN "}", "2 4");
	qdrant_kit_create(w, "d");
	expect_ids(w, "/collections/d/points/query", "{\"query\":[0,0]}", "");
	qdrant_kit_fill(w, "d", 1);
	expect_ids(w, QUERY, "{\"query\":0,\"lookup_from\":{\"collection\":\"d\"},\"limit\":2}",
		   "0 1");
}

TEST(nearest_by_vector_and_by_point)
{
	qdrant_kit_run(ask_nearest, NULL);
}

/* ---- older dialects --------------------------------------------------------------------- */

static void ask_older(struct web *w)
{
	fill(w);
	expect_ids(w, C "/points/search", "{\"vector\":[3.1,0],\"limit\":2}", "3 4");
	expect_ids(w, C "/points/search",
		   "{\"vector\":{\"name\":\"\",\"vector\":[3.1,0]},\"limit\":1,\"offset\":1}", "4");
	expect_ids(w, C "/points/recommend", "{\"positive\":[3],\"limit\":2}", "2 4");
	expect_ids(w, C "/points/discover", "{\"target\":[3.1,0],\"context\":[],\"limit\":3}",
		   "3 4 2");
	qdrant_kit_refused(w, "POST", C "/points/search", "{\"limit\":3}", 400, "vector");
	qdrant_kit_refused(w, "POST", C "/points/search",
			   "{\"vector\":{\"name\":\"q\",\"vector\":[3]}}", 400,
			   "Not existing vector name error: q");
	qdrant_kit_refused(w, "POST", C "/points/search",
			   "{\"vector\":{\"name\":\"\",\"vector\":{\"indices\":[]}}}", 400,
			   "sparse");
}

TEST(older_dialects_say_the_same)
{
	qdrant_kit_run(ask_older, NULL);
}

/* ---- examples --------------------------------------------------------------------------- */

#define RECOMMEND(rest) "{\"limit\":3,\"query\":{\"recommend\":{" rest "}}}"

static void ask_by_examples(struct web *w)
{
	fill(w);
	expect_ids(w, QUERY, RECOMMEND("\"positive\":[4,6]"), "5 3 7");
	/* 2 * 10 - 12 = 8 */
	expect_ids(w, QUERY, RECOMMEND("\"positive\":[10],\"negative\":[12]"), "8 7 9");
	expect_ids(w, QUERY, RECOMMEND("\"positive\":[[4.1,0]],\"strategy\":\"best_score\""),
		   "4 5 3");
	expect_ids(w, QUERY, RECOMMEND("\"negative\":[0],\"strategy\":\"best_score\""), "19 18 17");
	expect_ids(w, QUERY,
		   RECOMMEND("\"positive\":[9],\"negative\":[0],\"strategy\":\"sum_scores\""),
		   "19 18 17");
	expect_ids(w, QUERY,
		   "{\"limit\":2,\"query\":{\"discover\":{\"target\":5,"
		   "\"context\":{\"positive\":8,\"negative\":2}}}}",
		   "6 7");
	expect_ids(w, QUERY,
		   "{\"limit\":1,\"query\":{\"context\":[{\"positive\":0,\"negative\":19},"
		   "{\"positive\":19,\"negative\":[0,0]}]}}",
		   "9");
	qdrant_kit_refused(w, "POST", QUERY, RECOMMEND("\"negative\":[3]"), 400,
			   "At least one positive");
	qdrant_kit_refused(w, "POST", QUERY, RECOMMEND(""), 400, "At least one");
	qdrant_kit_refused(w, "POST", QUERY, RECOMMEND("\"positive\":[99]"), 404, "Not found");
	qdrant_kit_refused(w, "POST", QUERY, RECOMMEND("\"positive\":[[1]]"), 400, "got 1");
	qdrant_kit_refused(w, "POST", QUERY, RECOMMEND("\"positive\":[1],\"strategy\":\"x\""), 400,
			   "strategy");
	qdrant_kit_refused(w, "POST", QUERY, "{\"query\":{\"discover\":{}}}", 400, "target");
	qdrant_kit_refused(w, "POST", QUERY, "{\"query\":{\"context\":[{\"positive\":1}]}}", 400,
			   "pairs");
}

TEST(searches_by_examples)
{
	qdrant_kit_run(ask_by_examples, NULL);
}

/* ---- prefetches ------------------------------------------------------------------------- */

#define P(x, n) "{\"query\":[" x ",0],\"limit\":" n "}"

static void ask_with_prefetches(struct web *w)
{
	fill(w);
	/* 0 of both: 1/2 + 1/2; 5 only of one */
	expect_ids(w, QUERY,
		   "{\"query\":{\"fusion\":\"rrf\"},\"limit\":3,\"prefetch\":[" P("5", "2") "," P(
			   "5.6", "3") "]}",
		   "5 6 4");
	qdrant_kit_expect_part(w, "POST", QUERY,
			       "{\"query\":{\"rrf\":{\"k\":1,\"weights\":[3,1]}},\"limit\":1,"
			       "\"prefetch\":[" P("5", "2") "," P("9", "2") "]}",
			       "\"score\":3.0");
	expect_ids(w, QUERY,
		   "{\"query\":{\"fusion\":\"dbsf\"},\"limit\":1,\"prefetch\":[" P("5", "4") "," P(
			   "5.4", "4") "]}",
		   "5");
	expect_ids(w, QUERY, "{\"query\":[19,0],\"limit\":2,\"prefetch\":" P("5", "3") "}", "6 5");
	expect_ids(w, QUERY,
		   "{\"query\":[0,0],\"limit\":2,\"prefetch\":{\"query\":[19,0],\"limit\":2,"
		   "\"prefetch\":" P("5", "3") "}}",
		   "5 6");
	expect_ids(w, QUERY,
		   "{\"query\":[19,0],\"limit\":2," EVEN ",\"prefetch\":" P("5.1", "3") "}", "8 6");
	qdrant_kit_refused(w, "POST", QUERY, "{\"prefetch\":" P("5", "3") "}", 400,
			   "A query is needed to merge the prefetches");
	qdrant_kit_refused(w, "POST", QUERY, "{\"query\":{\"fusion\":\"rrf\"}}", 400, "prefetches");
	qdrant_kit_refused(w, "POST", QUERY,
			   "{\"query\":{\"fusion\":\"sum\"},\"prefetch\":" P("5", "3") "}", 400,
			   "rrf or dbsf");
	qdrant_kit_refused(w, "POST", QUERY,
			   "{\"query\":{\"rrf\":{\"weights\":[1]}},\"prefetch\":[" P(
				   "5", "3") "," P("5", "3") "]}",
			   400, "weights");
}

TEST(searches_among_what_others_found)
{
	qdrant_kit_run(ask_with_prefetches, NULL);
}

/* ---- orders and samples ----------------------------------------------------------------- */

static void ask_for_order_and_chance(struct web *w)
{
	struct web_answer a;

	fill(w);
	qdrant_kit_expect_part(w, "PUT", C "/index",
			       "{\"field_name\":\"n\",\"field_schema\":\"integer\"}",
			       "operation_id");
	expect_ids(w, QUERY,
		   "{\"query\":{\"order_by\":{\"key\":\"n\",\"direction\":\"desc\"}},\"limit\":2}",
		   "19 18");
	EXPECT_EQ(200, objects_web_ask(w, "POST", QUERY,
				       "{\"query\":{\"sample\":\"random\"},\"limit\":30}", &a));
	for (int i = 0; i < 20; i++) {
		char id[20];

		snprintf(id, sizeof(id), "{\"id\":%d,", i);
		EXPECT_NOT_NULL(strstr(a.body, id));
	}
	web_answer_done(&a);
	qdrant_kit_refused(w, "POST", QUERY, "{\"query\":{\"sample\":\"best\"}}", 400, "random");
	/* after the nearest: far from it, then between */
	expect_ids(w, QUERY,
		   "{\"query\":{\"nearest\":[0,0],\"mmr\":{\"diversity\":1,"
		   "\"candidates_limit\":10}},\"limit\":3}",
		   "0 9 4");
	expect_ids(w, QUERY,
		   "{\"query\":{\"nearest\":[0,0],\"mmr\":{\"diversity\":0}},\"limit\":3}",
		   "0 1 2");
	qdrant_kit_refused(w, "POST", QUERY,
			   "{\"query\":{\"nearest\":[0,0],\"mmr\":{\"diversity\":2}}}", 422,
			   "diversity");
}

TEST(orders_samples_and_variety)
{
	qdrant_kit_run(ask_for_order_and_chance, NULL);
}

/* Each is held against all the others: that takes far longer than is waited for. */
static void ask_for_too_much_variety(struct web *w)
{
	enum { MANY = 30000, ROOM = 50 };
	char *body = calloc(MANY, ROOM);
	size_t n;

	ASSERT_NOT_NULL(body);
	qdrant_kit_create(w, "c");
	n = (size_t)snprintf(body, ROOM, "{\"points\":[");
	for (int i = 0; i < MANY; i++)
		n += (size_t)snprintf(body + n, ROOM, "%s{\"id\":%d,\"vector\":[%d,1]}",
				      i ? "," : "", i, i);
	snprintf(body + n, ROOM, "]}");
	qdrant_kit_expect_part(w, "PUT", C "/points?wait=true", body, "completed");
	free(body);
	qdrant_kit_refused(w, "POST", QUERY "?timeout=1",
			   "{\"query\":{\"nearest\":[0,0],\"mmr\":{\"diversity\":0.5}},"
			   "\"limit\":30000,\"params\":{\"exact\":true}}",
			   408, "Timeout");
}

TEST_TIMEOUT(variety_ends_when_nobody_waits_for_it, 120)
{
	qdrant_kit_run(ask_for_too_much_variety, NULL);
}

/* ---- batches ---------------------------------------------------------------------------- */

static void ask_in_batches(struct web *w)
{
	fill(w);
	expect_ids(w, C "/points/query/batch",
		   "{\"searches\":[{\"query\":[1,0],\"limit\":1},{\"limit\":2},"
		   "{\"query\":[7,0],\"limit\":1},{\"query\":{\"recommend\":{\"positive\":[5],"
		   "\"strategy\":\"best_score\"}},\"limit\":1}]}",
		   "1 0 1 7 4");
	expect_ids(w, C "/points/search/batch",
		   "{\"searches\":[{\"vector\":[1,0],\"limit\":1},{\"vector\":[7,0],\"limit\":1}]}",
		   "1 7");
	expect_ids(w, C "/points/recommend/batch",
		   "{\"searches\":[{\"positive\":[3],\"limit\":1},{\"positive\":[9],\"limit\":1}]}",
		   "2 8");
	expect_ids(w, C "/points/discover/batch", "{\"searches\":[{\"target\":[3,0],\"limit\":1}]}",
		   "3");
	qdrant_kit_expect(w, "POST", C "/points/query/batch", "{\"searches\":[]}", "[]");
	qdrant_kit_refused(w, "POST", C "/points/query/batch", "{}", 400, "searches");
	qdrant_kit_refused(w, "POST", C "/points/query/batch",
			   "{\"searches\":[{\"query\":[1,0]},{\"query\":[1]}]}", 400, "got 1");
}

TEST(batches_are_answered_in_their_order)
{
	qdrant_kit_run(ask_in_batches, NULL);
}

/* ---- mistakes --------------------------------------------------------------------------- */

static void ask_wrongly(struct web *w)
{
	static const struct {
		const char *body;
		int status;
		const char *part;
	} rows[] = {
		{"{\"query\":[1]}", 400, "expected dim: 2, got 1"},
		{"{\"query\":[1,1e60]}", 400, "too large"},
		{"{\"query\":[1,null]}", 400, "no number"},
		{"{\"query\":[1,\"NaN\"]}", 400, "no number"},
		{"{\"query\":[1,1e999]}", 400, "infinity"},
		{"{\"query\":[1,NaN]}", 400, "at byte"},
		{"{\"query\":99}", 404, "Not found"},
		{"{\"query\":\"x\"}", 400, "valid point ID"},
		{"{\"query\":{}}", 400, "query: expected"},
		{"{\"query\":{\"formula\":{}}}", 400, "formula"},
		{"{\"query\":{\"indices\":[],\"values\":[]}}", 400, "sparse"},
		{"{\"query\":{\"text\":\"a\",\"model\":\"b\"}}", 400, "inference"},
		{"{\"query\":[[1,2]]}", 400, "multivectors"},
		{"{\"query\":[1,2],\"using\":\"q\"}", 400, "Not existing vector name error: q"},
		{"{\"query\":[1,2],\"limit\":0}", 422, "limit"},
		{"{\"query\":[1,2],\"limit\":100001}", 422, "limit"},
		{"{\"query\":[1,2],\"offset\":1000001}", 422, "offset"},
		{"{\"query\":[1,2],\"limit\":18446744073709551616}", 400, "limit"},
		{"{\"query\":[1,2],\"limit\":-1}", 400, "limit"},
		{"{\"query\":[1,2],\"limit\":\"9\"}", 400, "limit"},
		{"{\"query\":[1,2],\"params\":{\"exact\":1}}", 400, "exact"},
		{"{\"query\":1,\"lookup_from\":{\"collection\":\"none\"}}", 404, "`none`"},
		{"{\"query\":[1,2],\"filter\":[]}", 400, "filter"},
	};

	fill(w);
	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++)
		qdrant_kit_refused(w, "POST", QUERY, rows[i].body, rows[i].status, rows[i].part);
}

TEST(searches_that_cannot_be_are_refused)
{
	qdrant_kit_run(ask_wrongly, NULL);
}

TEST_HARNESS_MAIN
