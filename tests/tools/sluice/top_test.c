// SPDX-License-Identifier: Apache-2.0
/* tools/sluice/top.c: the verb once, against a started sluiced and against what is none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "faults/daemon.h"
#include "harness.h"
#include "run.h"

FIXTURE(top)
{
	struct daemon_kit d;
	char http[32], kafka[32];
};

FIXTURE_SETUP(top)
{
	daemon_init(&self->d, NULL);
	daemon_must_start(&self->d);
	snprintf(self->http, sizeof(self->http), "127.0.0.1:%u", self->d.http_port);
	snprintf(self->kafka, sizeof(self->kafka), "127.0.0.1:%u", self->d.kafka_port);
}

FIXTURE_TEARDOWN(top)
{
	EXPECT_EQ(0, daemon_stop(&self->d));
}

#define TOP(...) RUN(0, NULL, "top", "--once", "--timeout", "60s", __VA_ARGS__)

TEST_F(top, once_prints_tables)
{
	const struct run_result *r = TOP("--interval", "100ms", "--http", self->http);

	EXPECT_EQ(0, r->status);
	EXPECT_STREQ("", r->err);
	EXPECT_NOT_NULL(strstr(r->out, "\nCORES "));
	EXPECT_NOT_NULL(strstr(r->out, "\nLISTENERS "));
	EXPECT_NOT_NULL(strstr(r->out, "\nhttp "));
	EXPECT_NULL(strstr(r->out, "\033"));
}

/* The first look is one request, which the second finds counted. */
TEST_F(top, json_tells_rates_of_the_interval)
{
	const struct run_result *r = TOP("--json", "--interval", "250ms", "--http", self->http);
	yyjson_doc *doc = yyjson_read(r->out, strlen(r->out), 0);
	yyjson_val *root = yyjson_doc_get_root(doc), *http;
	size_t i, n;
	double interval_s = yyjson_get_real(yyjson_obj_get(root, "interval_seconds"));

	ASSERT_NOT_NULL(doc);
	EXPECT_LE(250, (int)(interval_s * 1000));
	yyjson_arr_foreach(yyjson_obj_get(root, "listeners"), i, n, http)
		if (yyjson_equals_str(yyjson_obj_get(http, "listener"), "http"))
			break;
	ASSERT_LT(i, n);
	EXPECT_EQ(1000, (int)(interval_s * 1000 *
				      yyjson_get_real(yyjson_obj_get(http, "requests_per_s")) +
			      0.5));
	EXPECT_LT(0, (int)(1e9 * yyjson_get_real(yyjson_obj_get(http, "p99_seconds"))));
	yyjson_doc_free(doc);
}

TEST_F(top, another_protocol_is_told_from_no_answer)
{
	const struct run_result *r = TOP("--http", self->kafka);

	EXPECT_EQ(1, r->status);
	EXPECT_NOT_NULL(strstr(r->err, self->kafka));
	EXPECT_NOT_NULL(strstr(r->err, "does not speak HTTP"));
}

TEST(nobody_there_is_told_with_what_to_do)
{
	const struct run_result *r = TOP("--http", "127.0.0.1:1");

	EXPECT_EQ(1, r->status);
	EXPECT_STREQ("", r->out);
	EXPECT_STREQ("sluice top: 127.0.0.1:1: Connection refused; does sluiced run, with "
		     "http.listen there?\n",
		     r->err);
}

TEST(address_comes_from_the_environment)
{
	setenv("SLUICE_HTTP", "127.0.0.1:2", 1);
	EXPECT_NOT_NULL(strstr(TOP(NULL)->err, "127.0.0.1:2: "));
}

TEST(wrong_usage_is_2)
{
	EXPECT_EQ(2, RUN(0, NULL, "top", "--json")->status);
	EXPECT_EQ(2, RUN(0, NULL, "top", "--once", "--http", "a:b")->status);
	EXPECT_EQ(2, RUN(0, NULL, "top", "--once", "--interval", "1ms")->status);
	EXPECT_EQ(2, RUN(0, NULL, "top", "--sort", "size")->status);
	EXPECT_EQ(0, RUN(0, NULL, "top", "--help")->status);
}

TEST(without_a_terminal_it_says_what_to_use)
{
	const struct run_result *r = RUN(0, NULL, "top");

	EXPECT_EQ(1, r->status);
	EXPECT_NOT_NULL(strstr(r->err, "--once"));
}

TEST_HARNESS_MAIN
