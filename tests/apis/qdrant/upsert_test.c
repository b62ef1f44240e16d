// SPDX-License-Identifier: Apache-2.0
/*
 * Points on their way in: lists, columns, modes, and what is refused as a whole.
 * Order of parts: lists; columns; modes; refusals; long bodies.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "qdrant_kit.h"

#define C "/collections/c"
#define PUT(w, body) qdrant_kit_expect_part(w, "PUT", C "/points?wait=true", body, "completed")
#define COUNT(w, n) qdrant_kit_expect(w, "POST", C "/points/count", "{}", "{\"count\":" n "}")

/* ---- lists ------------------------------------------------------------------------------ */

static void put_lists(struct web *w)
{
	qdrant_kit_create(w, "c");
	PUT(w, " { \"shard_key\" : null ,\n\"points\" : [ { \"id\" : 1 , \"vector\" : [ 1 , 2 ] } ,"
	       "{\"id\":2,\"vector\":[0,1],\"payload\":{\"a\":\"]}\\\"\"}}]\t} \n");
	qdrant_kit_expect(w, "GET", C "/points/2", "",
			  "{\"id\":2,\"payload\":{\"a\":\"]}\\\"\"},\"vector\":[0.0,1.0]}");
	PUT(w, "{\"points\":[{\"id\":2,\"vector\":[3,3]},{\"id\":2,\"vector\":[4,4],"
	       "\"payload\":null}]}");
	qdrant_kit_expect(w, "GET", C "/points/2", "",
			  "{\"id\":2,\"payload\":{},\"vector\":[4.0,4.0]}");
	COUNT(w, "2");
}

TEST(lists_are_put_and_the_last_of_equal_ids_counts)
{
	qdrant_kit_run(put_lists, NULL);
}

/* ---- columns ---------------------------------------------------------------------------- */

static void put_columns(struct web *w)
{
	qdrant_kit_expect(w, "PUT", C,
			  "{\"vectors\":{\"u\":{\"size\":1,\"distance\":\"Dot\"},"
			  "\"v\":{\"size\":2,\"distance\":\"Dot\"}}}",
			  "true");
	qdrant_kit_create(w, "d");
	PUT(w, "{\"batch\":{\"payloads\":[{\"p\":1},null],\"ids\":[1,2],"
	       "\"vectors\":{\"u\":[[5],[6]],\"v\":[[1,2],[3,4]]}}}");
	qdrant_kit_expect(w, "GET", C "/points/1", "",
			  "{\"id\":1,\"payload\":{\"p\":1},\"vector\":{\"u\":[5.0],"
			  "\"v\":[1.0,2.0]}}");
	qdrant_kit_expect_part(w, "PUT", "/collections/d/points",
			       "{\"batch\":{\"ids\":[7,8],\"vectors\":[[1,1],[2,2]]}}",
			       "acknowledged");
	qdrant_kit_expect(w, "GET", "/collections/d/points/8", "",
			  "{\"id\":8,\"payload\":{},\"vector\":[2.0,2.0]}");
	qdrant_kit_refused(w, "PUT", "/collections/d/points",
			   "{\"batch\":{\"ids\":[1,2],\"vectors\":[[1,1]]}}", 400, "equally many");
	qdrant_kit_refused(w, "PUT", "/collections/d/points",
			   "{\"batch\":{\"ids\":[1],\"vectors\":[[1,1],[2,2]]}}", 400,
			   "equally many");
	qdrant_kit_refused(w, "PUT", "/collections/d/points",
			   "{\"batch\":{\"ids\":[1],\"vectors\":[[1,1]],\"payloads\":[]}}", 400,
			   "equally many");
	qdrant_kit_refused(w, "PUT", "/collections/d/points", "{\"batch\":{\"vectors\":[[1,1]]}}",
			   400, "ids");
	qdrant_kit_refused(w, "PUT", "/collections/d/points",
			   "{\"batch\":{\"ids\":[1 2],\"vectors\":[[1,1]]}}", 400, "expected");
	qdrant_kit_expect(w, "POST", "/collections/d/points/count", "{}", "{\"count\":2}");
}

TEST(columns_become_points)
{
	qdrant_kit_run(put_columns, NULL);
}

/* Columns that were opened before are none of those that count. */
static void put_columns_twice(struct web *w)
{
	qdrant_kit_create(w, "c");
	PUT(w, "{\"batch\":{\"ids\":[1,2,3],\"vectors\":{\"a\":[[1,1]],\"b\":[[1,1]]},"
	       "\"ids\":[4],\"vectors\":{\"\":[[5,6]]}}}");
	PUT(w, "{\"batch\":{\"ids\":[7],\"vectors\":{\"\":[[0,0]]},\"vectors\":[[8,9]]}}");
	qdrant_kit_expect_part(w, "POST", C "/points/scroll",
			       "{\"with_payload\":false,\"with_vector\":true}",
			       "[{\"id\":4,\"vector\":[5.0,6.0]},{\"id\":7,\"vector\":[8.0,9.0]}]");
}

TEST(of_columns_that_are_told_twice_the_last_count)
{
	qdrant_kit_run(put_columns_twice, NULL);
}

/* ---- modes ------------------------------------------------------------------------------ */

#define POINTS(mode, rest)                                                                         \
	"{\"points\":[{\"id\":1,\"vector\":[9,9]},{\"id\":5,\"vector\":[9,9]}],"                   \
	"\"update_mode\":\"" mode "\"" rest "}"
#define ALL C "/points/scroll"
#define BODY "{\"with_payload\":false,\"with_vector\":true}"

static void put_by_modes(struct web *w)
{
	qdrant_kit_create(w, "c");
	qdrant_kit_fill(w, "c", 2);
	PUT(w, POINTS("insert_only", ""));
	qdrant_kit_expect_part(w, "POST", ALL, BODY,
			       "{\"id\":1,\"vector\":[1.0,0.0]},{\"id\":5,\"vector\":[9.0,9.0]}");
	PUT(w, "{\"points\":[{\"id\":1,\"vector\":[8,8]},{\"id\":6,\"vector\":[8,8]}],"
	       "\"update_mode\":\"update_only\"}");
	qdrant_kit_expect_part(w, "POST", ALL, BODY,
			       "{\"id\":1,\"vector\":[8.0,8.0]},{\"id\":5,\"vector\":[9.0,9.0]}]");
	PUT(w, "{\"update_filter\":{\"must\":[{\"key\":\"n\",\"match\":{\"value\":0}}]},"
	       "\"points\":[{\"id\":0,\"vector\":[7,7]},{\"id\":1,\"vector\":[7,7]},"
	       "{\"id\":6,\"vector\":[7,7]}]}");
	qdrant_kit_expect_part(w, "POST", ALL, BODY,
			       "[{\"id\":0,\"vector\":[7.0,7.0]},{\"id\":1,\"vector\":[8.0,8.0]},"
			       "{\"id\":5,\"vector\":[9.0,9.0]},{\"id\":6,\"vector\":[7.0,7.0]}]");
	qdrant_kit_refused(w, "PUT", C "/points", POINTS("never", ""), 400, "update_mode");
}

TEST(modes_say_what_is_replaced)
{
	qdrant_kit_run(put_by_modes, NULL);
}

/* ---- refusals --------------------------------------------------------------------------- */

/* A zero byte is no end: what is behind it is looked at. Found by qdrant_fuzz. */
static void refuse_zero_byte(struct web *w)
{
	static const char text[] = "PUT " C
				   "/points HTTP/1.1\r\nHost: h\r\nContent-Length: 38\r\n\r\n"
				   "{\"points\":[{\"id\":1,\"vector\":[1,2]}]}\0]";
	struct web_answer a;
	int fd = web_connect(w);

	serving_send(fd, text, sizeof(text) - 1);
	ASSERT_TRUE(web_read(fd, false, &a));
	EXPECT_EQ(400, a.status);
	web_answer_done(&a);
	close(fd);
	COUNT(w, "0");
}

static void refuse_all(struct web *w)
{
	static const struct {
		const char *point, *part;
	} rows[] = {
		{"{\"id\":8,\"vector\":[1]}", "expected dim: 2, got 1"},
		{"{\"id\":8,\"vector\":[1,2,3]}", "expected dim: 2, got 3"},
		{"{\"id\":8,\"vector\":[1,1e300]}", "too large"},
		{"{\"id\":8,\"vector\":[1,1e999]}", "infinity"},
		{"{\"id\":8,\"vector\":[1,\"2\"]}", "not a number"},
		{"{\"id\":8,\"vector\":[1,NaN]}", "at byte"},
		{"{\"id\":8,\"vector\":{\"x\":[1,2]}}", "Not existing vector name error: x"},
		{"{\"id\":8,\"vector\":{\"x\":{\"indices\":[1],\"values\":[1]}}}", "sparse"},
		{"{\"id\":8,\"vector\":[[1,2],[3,4]]}", "multivectors"},
		{"{\"id\":8,\"vector\":{\"text\":\"a\",\"model\":\"b\"}}", "inference"},
		{"{\"vector\":[1,2]}", "missing field `id`"},
		{"{\"id\":-8,\"vector\":[1,2]}", "point ID"},
		{"{\"id\":\"eight\",\"vector\":[1,2]}", "eight is not a valid point ID"},
		{"{\"id\":8,\"vector\":[1,2],\"payload\":7}", "payload"},
		{"{\"id\":8 \"vector\":[1,2]}", "at byte"},
		{"8", "JSON object"},
	};
	char body[400];

	qdrant_kit_create(w, "c");
	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		snprintf(
			body, sizeof(body),
			"{\"points\":[{\"id\":7,\"vector\":[1,2]},%s,{\"id\":9,\"vector\":[1,2]}]}",
			rows[i].point);
		qdrant_kit_refused(w, "PUT", C "/points", body, 400, rows[i].part);
	}
	COUNT(w, "0");
	qdrant_kit_refused(w, "PUT", C "/points", "{\"points\":[]}", 400, "Empty update request");
	qdrant_kit_refused(w, "PUT", C "/points", "{\"points\":[{\"id\":1,\"vector\":[1,2]}] 7}",
			   400, "at byte 36");
	qdrant_kit_refused(w, "PUT", C "/points", "{\"points\":[{\"id\":1,\"vector\":[1,2]}]", 400,
			   "expected");
	COUNT(w, "0");
	refuse_zero_byte(w);
}

TEST(one_bad_point_refuses_all)
{
	qdrant_kit_run(refuse_all, NULL);
}

/* ---- long bodies ------------------------------------------------------------------------ */

/* Longer than what is looked at at once, with a point that is longer than the window. */
static void put_long(struct web *w)
{
	enum { POINTS_N = 20000, TEXT_BYTES = 700000 };
	size_t room = 100 * POINTS_N + TEXT_BYTES + 100;
	char *body = calloc(1, room), *p = body;

	ASSERT_NOT_NULL(body);
	qdrant_kit_create(w, "c");
	p += snprintf(p, 20, "{\"points\":[");
	for (int i = 0; i < POINTS_N; i++) {
		p += snprintf(p, 90, "%s{\"id\":%d,\"vector\":[%d,%d],\"payload\":{\"t\":\"",
			      i ? "," : "", i, i, -i);
		if (i == POINTS_N / 2)
			p = (char *)memset(p, 'x', TEXT_BYTES) + TEXT_BYTES;
		p += snprintf(p, 10, "\"}}");
	}
	memcpy(p, "]}", 3);
	PUT(w, body);
	COUNT(w, "20000");
	qdrant_kit_expect(w, "GET", C "/points/19999", "",
			  "{\"id\":19999,\"payload\":{\"t\":\"\"},\"vector\":[19999.0,-19999.0]}");
	qdrant_kit_expect_part(w, "GET", C "/points/10000", "", "xxxxxxxx\"},\"vector\":[10000.0,");
	memcpy(p, "],", 3);
	qdrant_kit_refused(w, "PUT", C "/points", body, 400, "expected");
	free(body);
}

TEST_TIMEOUT(long_bodies_are_read_in_pieces, 60)
{
	qdrant_kit_run(put_long, NULL);
}

TEST_HARNESS_MAIN
