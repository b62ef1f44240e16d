// SPDX-License-Identifier: Apache-2.0
/*
 * From a request to its answer, and what a server is asked as such.
 * Order of parts: envelopes; bodies; names; the service.
 */
#include <string.h>

#include "harness.h"
#include "qdrant_kit.h"

/* ---- envelopes -------------------------------------------------------------------------- */

#define NONE "{\"result\":{\"collections\":[]},\"status\":\"ok\",\"time\":"
#define MISSING "{\"status\":{\"error\":\"Not found: Collection `none` doesn't exist!\"},\"time\":"

static void see_envelopes(struct web *w)
{
	struct web_answer a;

	EXPECT_EQ(200, objects_web_ask(w, "GET", "/collections", "", &a));
	EXPECT_MEMEQ(NONE, a.body, sizeof(NONE) - 1);
	EXPECT_NOT_NULL(strstr(a.head, "\r\nContent-Type: application/json\r\n"));
	web_answer_done(&a);
	EXPECT_EQ(404, objects_web_ask(w, "GET", "/collections/none", "", &a));
	EXPECT_MEMEQ(MISSING, a.body, sizeof(MISSING) - 1);
	web_answer_done(&a);
	EXPECT_EQ(404, objects_web_ask(w, "GET", "/collections/a/b/c", "", &a));
	web_answer_done(&a);
	EXPECT_EQ(405, objects_web_ask(w, "DELETE", "/collections", "", &a));
	web_answer_done(&a);
}

TEST(answers_and_errors_stand_in_envelopes)
{
	qdrant_kit_run(see_envelopes, NULL);
}

/* ---- bodies ----------------------------------------------------------------------------- */

static void send_broken_bodies(struct web *w)
{
	static const char *const broken[] = {"{",
					     "[]",
					     "7",
					     "{\"a\":1,}",
					     "{\"a\":1}}",
					     "nul",
					     "{\"a\":1e999}",
					     "{\"a\":NaN}",
					     "{\"a\":\"\xff\"}",
					     "{\"\xff\":1}", "{\"\\q\":1}"};

	qdrant_kit_create(w, "c");
	for (size_t i = 0; i < SL_ARRAY_SIZE(broken); i++) {
		qdrant_kit_refused(w, "POST", "/collections/c/points/scroll", broken[i], 400,
				   "Format error in JSON body: ");
		qdrant_kit_refused(w, "PUT", "/collections/c/points", broken[i], 400,
				   "Format error in JSON body: ");
	}
	qdrant_kit_refused(w, "POST", "/collections/c/points/scroll", "{\"a\": 1 x}", 400,
			   " at byte 8");
	qdrant_kit_refused(w, "POST", "/collections/c/points/scroll", "", 400, "Format error");
}

TEST(broken_bodies_are_told_where)
{
	qdrant_kit_run(send_broken_bodies, NULL);
}

/* ---- names ------------------------------------------------------------------------------ */

static void use_names(struct web *w)
{
	qdrant_kit_create(w, "h%C3%A4user");
	qdrant_kit_expect(w, "GET", "/collections", "",
			  "{\"collections\":[{\"name\":\"h\xc3\xa4user\"}]}");
	qdrant_kit_fill(w, "h%C3%A4user", 1);
	qdrant_kit_refused(w, "GET", "/collections/a%00b", "", 400, "path");
	qdrant_kit_refused(w, "GET", "/collections/a%", "", 400, "path");
	qdrant_kit_refused(w, "PUT", "/collections/a%2Fb", "{\"vectors\":{}}", 400, "Wrong input");
}

TEST(names_are_percent_decoded)
{
	qdrant_kit_run(use_names, NULL);
}

/* ---- the service ------------------------------------------------------------------------ */

static void ask_service(struct web *w)
{
	struct web_answer a;

	EXPECT_EQ(200, objects_web_ask(w, "GET", "/", "", &a));
	EXPECT_NOT_NULL(strstr(a.body, "\"title\":\"qdrant"));
	EXPECT_NOT_NULL(strstr(a.body, "\"version\":\"1."));
	web_answer_done(&a);
	EXPECT_EQ(200,
		  web_ask(w, "GET / HTTP/1.1\r\nHost: h\r\nAccept: text/html,*/*\r\n\r\n", &a));
	EXPECT_NOT_NULL(strstr(a.head, "text/html"));
	web_answer_done(&a);
	qdrant_kit_expect(w, "GET", "/cluster", "", "{\"status\":\"disabled\"}");
	qdrant_kit_expect(w, "GET", "/issues", "", "{\"issues\":[]}");
	qdrant_kit_expect_part(w, "GET", "/telemetry", "", "\"number_of_collections\":0");
	qdrant_kit_create(w, "c");
	qdrant_kit_fill(w, "c", 3);
	qdrant_kit_expect_part(w, "GET", "/collections/c/cluster", "", "\"points_count\":3");
	qdrant_kit_expect_part(w, "GET", "/collections/c/optimizations", "", "\"running\":[]");
}

TEST(service_is_told_of)
{
	qdrant_kit_run(ask_service, NULL);
}

TEST_HARNESS_MAIN
