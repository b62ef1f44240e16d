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

static struct web_answer fine, missing;

static void see_envelopes(struct web *w)
{
	struct web_answer a;

	EXPECT_EQ(200, objects_web_ask(w, "GET", "/collections", "", &fine));
	EXPECT_EQ(404, objects_web_ask(w, "GET", "/collections/none", "", &missing));
	EXPECT_EQ(404, objects_web_ask(w, "GET", "/collections/a/b/c", "", &a));
	web_answer_done(&a);
	EXPECT_EQ(405, objects_web_ask(w, "DELETE", "/collections", "", &a));
	web_answer_done(&a);
}

TEST(answers_and_errors_stand_in_envelopes)
{
	qdrant_kit_run(see_envelopes, NULL);
	EXPECT_MEMEQ(NONE, fine.body, sizeof(NONE) - 1);
	EXPECT_NOT_NULL(strstr(fine.head, "\r\nContent-Type: application/json\r\n"));
	EXPECT_MEMEQ(MISSING, missing.body, sizeof(MISSING) - 1);
	web_answer_done(&fine);
	web_answer_done(&missing);
}

/* ---- bodies ----------------------------------------------------------------------------- */

#define FORMAT_ERROR "{\"status\":{\"error\":\"Format error in JSON body: "

static unsigned sent, told;

/* What is wrong with it is told. */
static void send_broken(struct web *w, const char *method, const char *path, const char *body)
{
	struct web_answer a;
	int status = objects_web_ask(w, method, path, body, &a);

	sent++;
	if (status == 400 && a.body && !strncmp(a.body, FORMAT_ERROR, sizeof(FORMAT_ERROR) - 1))
		told++;
	else
		TH_LOG("%s: %d %.500s", body, status, a.body);
	web_answer_done(&a);
}

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
		send_broken(w, "POST", "/collections/c/points/scroll", broken[i]);
		send_broken(w, "PUT", "/collections/c/points", broken[i]);
	}
	qdrant_kit_refused(w, "POST", "/collections/c/points/scroll", "{\"a\": 1 x}", 400,
			   " at byte 8");
	qdrant_kit_refused(w, "POST", "/collections/c/points/scroll", "", 400, "Format error");
}

TEST(broken_bodies_are_told_where)
{
	qdrant_kit_run(send_broken_bodies, NULL);
	EXPECT_LT(0, sent);
	EXPECT_EQ(sent, told);
}

/* ---- names ------------------------------------------------------------------------------ */

static struct web_answer names;

static void use_names(struct web *w)
{
	qdrant_kit_create(w, "h%C3%A4user");
	EXPECT_EQ(200, objects_web_ask(w, "GET", "/collections", "", &names));
	qdrant_kit_fill(w, "h%C3%A4user", 1);
	qdrant_kit_refused(w, "GET", "/collections/a%00b", "", 400, "path");
	qdrant_kit_refused(w, "GET", "/collections/a%", "", 400, "path");
	qdrant_kit_refused(w, "PUT", "/collections/a%2Fb", "{\"vectors\":{}}", 400, "Wrong input");
}

TEST(names_are_percent_decoded)
{
	qdrant_kit_run(use_names, NULL);
	EXPECT_NOT_NULL(strstr(names.body, "[{\"name\":\"h\xc3\xa4user\"}]"));
	web_answer_done(&names);
}

/* ---- the service ------------------------------------------------------------------------ */

static struct web_answer title;

static void ask_service(struct web *w)
{
	struct web_answer a;

	EXPECT_EQ(200, objects_web_ask(w, "GET", "/", "", &title));
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
	EXPECT_NOT_NULL(strstr(title.body, "\"title\":\"qdrant"));
	EXPECT_NOT_NULL(strstr(title.body, "\"version\":\"1."));
	web_answer_done(&title);
}

TEST_HARNESS_MAIN
