// SPDX-License-Identifier: Apache-2.0
/*
 * JSON read and written.
 * Order of parts: trees; ends; bodies over sockets; structure; texts; numbers; long answers.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "proto/http/route.h"
#include "web.h"

/* ---- trees ------------------------------------------------------------------------------ */

TEST(tree_leaves_what_is_behind)
{
	char text[] = "[1, \"a\\nb\"], [2]";
	struct http_json_error error;
	struct http_arena a;
	yyjson_val *root;

	http_arena_init(&a, SL_MIB);
	ASSERT_EQ(0, http_json_parse(&a, text, 11, &root, &error));
	EXPECT_EQ(2, yyjson_arr_size(root));
	EXPECT_STREQ("a\nb", yyjson_get_str(yyjson_arr_get(root, 1)));
	EXPECT_STREQ(", [2]", text + 11);
	http_arena_done(&a);
}

TEST(tree_tells_where_it_is_none)
{
	struct http_json_error error = {0};
	struct http_arena a;
	char text[] = "{\"a\": 1, }    ";
	yyjson_val *root = NULL;

	http_arena_init(&a, SL_MIB);
	EXPECT_EQ(-EPROTO, http_json_parse(&a, text, 10, &root, &error));
	EXPECT_EQ(7, error.at);
	EXPECT_NOT_NULL(error.text);
	EXPECT_NULL(root);
	http_arena_done(&a);
	http_arena_init(&a, 0);
	EXPECT_EQ(-ENOMEM, http_json_parse(&a, text, 2, &root, &error));
}

/* ---- ends ------------------------------------------------------------------------------- */

static size_t end_of(const char *text)
{
	const char *end = http_json_end(text, text + strlen(text));

	return end ? (size_t)(end - text) : 0;
}

TEST(end_is_found_by_brackets_and_quotes)
{
	EXPECT_EQ(2, end_of("{}"));
	EXPECT_EQ(19, end_of("{\"a}\": [\"]\\\"\", {}]}, 7"));
	EXPECT_EQ(3, end_of("\"a\""));
	EXPECT_EQ(4, end_of("1e-7,"));
	EXPECT_EQ(4, end_of("true]"));
	EXPECT_EQ(0, end_of("1e-7"));
	EXPECT_EQ(0, end_of("{\"a\": [1, 2}"));
	EXPECT_EQ(0, end_of("\"a\\\""));
	EXPECT_EQ(0, end_of("\"a\\"));
	EXPECT_EQ(0, end_of(""));
}

/* ---- bodies over sockets ---------------------------------------------------------------- */

enum { BODY_MAX = 100000 };

/* Says how long the list is that the body has. */
static int count_items(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	struct http_json_error error;
	struct http_arena a;
	struct http_json j;
	yyjson_val *root;
	char *text;
	size_t n;
	int err;

	http_arena_init(&a, 4 * SL_MIB);
	http_json_init(&j, SL_MIB);
	err = http_body_text(rq, &a, BODY_MAX, &text, &n, deadline);
	if (!err)
		err = http_json_parse(&a, text, n, &root, &error);
	if (!err) {
		http_json_uint(&j, yyjson_arr_size(root));
		err = http_json_send(&j, rs);
	}
	http_arena_done(&a);
	return err;
}

static const struct http_route routes[] = {
	{HTTP_ON(POST), "/count", count_items, HTTP_ROUTE_LONG_BODY},
};

static char list[2 * BODY_MAX + 100];

static const char *list_of(size_t items)
{
	char *p = list;

	*p++ = '[';
	for (size_t i = 0; i < items; i++)
		p = mempcpy(p, i ? ",7" : "7", i ? 2 : 1);
	memcpy(p, "]", 2);
	return list;
}

static void expect_count(struct web *w, size_t items, bool chunked, int status)
{
	static char text[sizeof(list) + 300];
	const char *body = list_of(items);
	struct web_answer answer;
	char digits[24];

	if (chunked)
		snprintf(text, sizeof(text),
			 "POST /count HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
			 "%zx\r\n%s\r\n0\r\n\r\n",
			 strlen(body), body);
	else
		snprintf(text, sizeof(text),
			 "POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s",
			 strlen(body), body);
	EXPECT_EQ(status, web_ask(w, text, &answer));
	snprintf(digits, sizeof(digits), "%zu", items);
	if (status == 200)
		EXPECT_STREQ(digits, answer.body);
	web_answer_done(&answer);
}

static void ask_for_counts(struct web *w)
{
	static const size_t sizes[] = {0, 1, 2040, 2048, 5000, BODY_MAX / 2 - 1};

	for (size_t i = 0; i < SL_ARRAY_SIZE(sizes); i++) {
		expect_count(w, sizes[i], false, 200);
		expect_count(w, sizes[i], true, 200);
	}
	expect_count(w, BODY_MAX / 2 + 1, false, 413);
	expect_count(w, BODY_MAX / 2 + 1, true, 413);
}

TEST(bodies_are_read_whole_up_to_a_bound)
{
	struct web w = {.client = ask_for_counts,
			.conf = {.routes = routes, .routes_n = SL_ARRAY_SIZE(routes)}};

	web_run(&w);
}

/* ---- structure -------------------------------------------------------------------------- */

static struct http_json j;
static struct http_response rs;
static char *written;

/* What was written; good until the next one. */
static const char *end_writing(void)
{
	size_t n = 0;

	http_response_init(&rs);
	ASSERT_EQ(0, http_json_send(&j, &rs));
	free(written);
	written = calloc(1, http_response_bytes(&rs) + 1);
	ASSERT_NOT_NULL(written);
	memcpy(written, rs.small, rs.small_n);
	for (uint32_t i = 0; i < rs.n; i++) {
		memcpy(written + n, rs.parts[i].slice.data, rs.parts[i].slice.len);
		n += rs.parts[i].slice.len;
	}
	http_response_done(&rs);
	return written;
}

TEST(commas_come_by_themselves)
{
	http_json_init(&j, SL_MIB);
	http_json_open(&j, '{');
	http_json_key(&j, "a");
	http_json_open(&j, '[');
	http_json_close(&j, ']');
	http_json_key(&j, "b");
	http_json_open(&j, '[');
	http_json_null(&j);
	http_json_bool(&j, true);
	http_json_bool(&j, false);
	http_json_open(&j, '{');
	http_json_close(&j, '}');
	http_json_raw(&j, "[1]", 3);
	http_json_close(&j, ']');
	http_json_key_n(&j, "c\"", 2);
	http_json_string(&j, "d");
	http_json_close(&j, '}');
	EXPECT_STREQ("{\"a\":[],\"b\":[null,true,false,{},[1]],\"c\\\"\":\"d\"}", end_writing());
}

/* ---- texts ------------------------------------------------------------------------------ */

TEST(texts_are_escaped)
{
	http_json_init(&j, SL_MIB);
	http_json_text(&j, "\"\\\b\f\n\r\t\x1f\0/\xc3\xa4\x7f", 13);
	EXPECT_STREQ("\"\\\"\\\\\\b\\f\\n\\r\\t\\u001f\\u0000/\xc3\xa4\x7f\"", end_writing());
}

/* ---- numbers ---------------------------------------------------------------------------- */

TEST(integers)
{
	http_json_init(&j, SL_MIB);
	http_json_open(&j, '[');
	http_json_int(&j, INT64_MIN);
	http_json_int(&j, -1);
	http_json_int(&j, 0);
	http_json_uint(&j, UINT64_MAX);
	http_json_close(&j, ']');
	EXPECT_STREQ("[-9223372036854775808,-1,0,18446744073709551615]", end_writing());
}

TEST(numbers_are_short)
{
	http_json_init(&j, SL_MIB);
	http_json_open(&j, '[');
	http_json_double(&j, 0.1);
	http_json_double(&j, 3);
	http_json_double(&j, 1e300);
	http_json_double(&j, NAN);
	http_json_float(&j, 0.1f);
	http_json_float(&j, -255);
	http_json_float(&j, 0);
	http_json_float(&j, 0.00025f);
	http_json_float(&j, 999999.94f);
	http_json_float(&j, 0.33333334f);
	http_json_float(&j, 1e-30f);
	http_json_float(&j, 3e38f);
	http_json_float(&j, INFINITY);
	http_json_close(&j, ']');
	EXPECT_STREQ("[0.1,3.0,1e+300,null,0.1,-255.0,0.0,0.00025,999999.94,0.33333334,1e-30,3e+38,"
		     "null]",
		     end_writing());
}

/* Floats of any bits, and those that vectors are made of. */
TEST(floats_come_back)
{
	enum { COUNT = 20000 };
	static float floats[COUNT];
	const char *p;

	http_json_init(&j, 16 * SL_MIB);
	http_json_open(&j, '[');
	for (int i = 0; i < COUNT; i++) {
		uint32_t bits = (uint32_t)harness_random();

		if (i % 2)
			floats[i] = (float)(int32_t)bits / 2147483648.0f * (i % 4 == 1 ? 1 : 300);
		else
			memcpy(&floats[i], &bits, sizeof(bits));
		if (!isfinite(floats[i]))
			floats[i] = 0;
		http_json_float(&j, floats[i]);
	}
	http_json_close(&j, ']');
	p = end_writing();
	for (int i = 0; i < COUNT; i++) {
		char *end;
		double read = strtod(p + 1, &end);

		if (!EXPECT_TRUE((float)read == floats[i]))
			TH_LOG("%.9g became %.*s", (double)floats[i], (int)(end - p), p);
		if (!EXPECT_LE(end - p, 19))
			TH_LOG("%.9g is %.*s", (double)floats[i], (int)(end - p), p);
		p = end;
	}
	EXPECT_STREQ("]", p);
}

/* ---- long answers ----------------------------------------------------------------------- */

TEST(long_texts_go_on_in_the_next_buf)
{
	static char text[300000];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	http_json_init(&j, SL_MIB);
	http_json_open(&j, '[');
	for (int i = 0; i < 3; i++)
		http_json_text(&j, text, sizeof(text));
	http_json_close(&j, ']');
	end_writing();
	ASSERT_EQ(3 * (sizeof(text) + 3) + 1, strlen(written));
	for (int i = 0; i < 3; i++)
		EXPECT_MEMEQ(text, written + 2 + i * (sizeof(text) + 3), sizeof(text));
}

TEST(answer_beyond_its_bound_is_an_error)
{
	http_json_init(&j, 10000);
	http_json_open(&j, '[');
	for (int i = 0; i < 1000000; i++)
		http_json_uint(&j, 1234567);
	EXPECT_EQ(-E2BIG, j.err);
	EXPECT_GE(100000, j.bytes);
	http_response_init(&rs);
	EXPECT_EQ(-E2BIG, http_json_send(&j, &rs));
	EXPECT_EQ(0, http_response_bytes(&rs));
	http_response_done(&rs);
}

TEST_HARNESS_MAIN
