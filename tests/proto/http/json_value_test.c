// SPDX-License-Identifier: Apache-2.0
/* Values of objects as JSON. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "proto/http/json.h"

static void *object;
static struct sl_object_builder *builder;

static const struct sl_object *built(void)
{
	const struct sl_object *o;
	size_t n;

	ASSERT_EQ(0, sl_object_build_bytes(builder, &n));
	object = calloc(1, n);
	ASSERT_NOT_NULL(object);
	ASSERT_EQ(0, sl_object_build(builder, object, n));
	ASSERT_EQ(0, sl_object_open(object, n, &o));
	return o;
}

static void expect_json(const char *json, struct http_json *j)
{
	struct http_response rs;

	http_response_init(&rs);
	ASSERT_EQ(0, http_json_send(j, &rs));
	ASSERT_EQ(strlen(json), http_response_bytes(&rs));
	EXPECT_MEMEQ(json, rs.n ? (const char *)rs.parts[0].slice.data : rs.small, strlen(json));
	http_response_done(&rs);
}

TEST(values_of_all_types)
{
	static const uint8_t uuid[16] = {0xf8, 0x1d, 0x4f, 0xae, 0x7d, 0xec, 0x11, 0xd0,
					 0xa7, 0x65, 0x00, 0xa0, 0xc9, 0x1e, 0x6b, 0xf6};
	static const char blob[500];
	static const char want[] =
		"{\"a\":null,\"b\":true,\"c\":-7,\"d\":0.5,\"e\":\"\\\"\","
		"\"f\":\"1970-01-01T00:00:00Z\","
		"\"g\":\"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\","
		"\"h\":{\"lat\":1.5,\"lon\":2.5},\"i\":\"c3VyZS4=\",\"j\":[1,{}],\"k\":\"AAAA";
	struct http_json j;
	uint32_t list, map;

	ASSERT_EQ(0, sl_object_builder_new(&builder));
	ASSERT_EQ(0, sl_object_put_null(builder, 0, "a"));
	ASSERT_EQ(0, sl_object_put_boolean(builder, 0, "b", true));
	ASSERT_EQ(0, sl_object_put_integer(builder, 0, "c", -7));
	ASSERT_EQ(0, sl_object_put_number(builder, 0, "d", 0.5));
	ASSERT_EQ(0, sl_object_put_text(builder, 0, "e", "\"", 1));
	ASSERT_EQ(0, sl_object_put_date(builder, 0, "f", 0));
	ASSERT_EQ(0, sl_object_put_uuid(builder, 0, "g", uuid));
	ASSERT_EQ(0, sl_object_put_geo(builder, 0, "h", 1.5, 2.5));
	ASSERT_EQ(0, sl_object_put_blob(builder, 0, "i", "sure.", 5));
	ASSERT_EQ(0, sl_object_put_list(builder, 0, "j", &list));
	ASSERT_EQ(0, sl_object_put_integer(builder, list, NULL, 1));
	ASSERT_EQ(0, sl_object_put_map(builder, list, NULL, &map));
	ASSERT_EQ(0, sl_object_put_blob(builder, 0, "k", blob, sizeof(blob)));
	http_json_init(&j, SL_MIB);
	http_json_value(&j, SL_JSON_POINT, sl_object_properties(built()));
	ASSERT_EQ(0, j.err);
	ASSERT_NOT_NULL(j.buf);
	/* 500 bytes of zero: 664 letters, two pads */
	EXPECT_MEMEQ(want, j.buf->data, sizeof(want) - 1);
	EXPECT_MEMEQ("AAAA=\"}", j.p - 7, 7);
	http_json_done(&j);
	http_json_init(&j, SL_MIB);
	http_json_value(&j, SL_JSON_OBJECT, sl_value_find(sl_object_properties(object), "h"));
	expect_json("{\"latitude\":1.5,\"longitude\":2.5}", &j);
	free(object);
	sl_object_builder_free(builder);
}

TEST(vectors_of_all_types)
{
	static const float f32[] = {0.1f, -2};
	static const uint16_t f16[] = {0x3c00, 0xc000, 0x3555, 0x0001};
	static const int8_t i8[] = {-128, 127};
	static const uint8_t bits[] = {5};
	struct http_json j;

	http_json_init(&j, SL_MIB);
	http_json_open(&j, '[');
	http_json_vector(&j, SL_VECTOR_F32, f32, 2);
	http_json_vector(&j, SL_VECTOR_F16, f16, 4);
	http_json_vector(&j, SL_VECTOR_I8, i8, 2);
	http_json_vector(&j, SL_VECTOR_BITS, bits, 3);
	http_json_close(&j, ']');
	expect_json("[[0.1,-2.0],[1.0,-2.0,0.33325195,5.9604645e-08],[-128,127],[1,0,1]]", &j);
}

TEST_HARNESS_MAIN
