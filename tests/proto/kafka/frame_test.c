// SPDX-License-Identifier: Apache-2.0
/* Frames: headers in both encodings, the exception of ApiVersions, lengths that hold. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "proto/kafka/messages.h"
#include "random_msg.h"

static const struct kafka_str client = {.p = "kcat", .n = 4};

/* Encodes into @buf and returns the frame's bytes. */
static size_t request(enum kafka_api api, int version, const void *msg, uint8_t *buf, size_t cap)
{
	struct kafka_sizes sizes;
	struct kafka_out out;

	ASSERT_EQ(0, kafka_request_size(api, version, client, msg, &sizes));
	ASSERT_LE(sizes.mem_bytes, cap);
	kafka_out_init(&out, buf, sizes.mem_bytes);
	ASSERT_EQ(0, kafka_request_encode(api, version, 0x01020304, client, msg, &sizes, &out));
	return out.len;
}

static size_t response(enum kafka_api api, int version, const void *msg, uint8_t *buf, size_t cap)
{
	struct kafka_sizes sizes;
	struct kafka_out out;

	ASSERT_EQ(0, kafka_response_size(api, version, msg, &sizes));
	ASSERT_LE(sizes.mem_bytes, cap);
	kafka_out_init(&out, buf, sizes.mem_bytes);
	ASSERT_EQ(0, kafka_response_encode(api, version, 0x01020304, msg, &sizes, &out));
	return out.len;
}

TEST(request_frames_have_known_bytes)
{
	static const uint8_t v0[] = {0, 0, 0, 14, 0, 18,  0,   0,   1,
				     2, 3, 4, 0,  4, 'k', 'c', 'a', 't'};
	static const uint8_t v3[] = {0, 0, 0, 18,  0,	18,  0,	  3, 1, 2, 3,
				     4, 0, 4, 'k', 'c', 'a', 't', 0, 1, 1, 0};
	struct kafka_api_versions_request req;
	uint8_t buf[64];

	kafka_init(&kafka_api_versions_request_schema, &req);
	ASSERT_EQ(sizeof(v0), request(KAFKA_API_VERSIONS, 0, &req, buf, sizeof(buf)));
	EXPECT_MEMEQ(v0, buf, sizeof(v0));
	ASSERT_EQ(sizeof(v3), request(KAFKA_API_VERSIONS, 3, &req, buf, sizeof(buf)));
	EXPECT_MEMEQ(v3, buf, sizeof(v3));
}

TEST(response_header_has_tags_but_for_api_versions)
{
	static const uint8_t api_versions_v3[] = {0, 0, 0, 12, 1, 2, 3, 4, 0, 0, 1, 0, 0, 0, 0, 0};
	static const uint8_t heartbeat_v3[] = {0, 0, 0, 10, 1, 2, 3, 4, 0, 0, 0, 0, 0, 27};
	static const uint8_t heartbeat_v4[] = {0, 0, 0, 12, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 27, 0};
	struct kafka_api_versions_response versions;
	struct kafka_heartbeat_response beat = {.error_code = 27};
	uint8_t buf[64];

	kafka_init(&kafka_api_versions_response_schema, &versions);
	ASSERT_EQ(sizeof(api_versions_v3),
		  response(KAFKA_API_VERSIONS, 3, &versions, buf, sizeof(buf)));
	EXPECT_MEMEQ(api_versions_v3, buf, sizeof(api_versions_v3));
	ASSERT_EQ(sizeof(heartbeat_v3), response(KAFKA_HEARTBEAT, 3, &beat, buf, sizeof(buf)));
	EXPECT_MEMEQ(heartbeat_v3, buf, sizeof(heartbeat_v3));
	ASSERT_EQ(sizeof(heartbeat_v4), response(KAFKA_HEARTBEAT, 4, &beat, buf, sizeof(buf)));
	EXPECT_MEMEQ(heartbeat_v4, buf, sizeof(heartbeat_v4));
}

/* Every frame that one side encodes, the other side reads: length, header, message. */
static void exchange(const struct kafka_api_info *info, int version, struct random_source *rnd)
{
	enum { CAP = 1 << 20 };
	_Alignas(16) char msg[512], back[512];
	uint8_t *buf = calloc(1, CAP);
	struct kafka_request_header head;
	struct sl_bump mem;
	struct kafka_in in;
	int32_t id = 0;
	size_t n;

	ASSERT_NOT_NULL(buf);
	sl_bump_init(&mem, NULL, 0, 1 << 24);
	random_msg(info->request, version, rnd, &mem, msg);
	n = request(info->key, version, msg, buf, CAP);
	kafka_in_init(&in, buf, n);
	EXPECT_EQ(n - 4, kafka_get_i32(&in));
	ASSERT_EQ(0, kafka_request_header_decode(&in, &head));
	EXPECT_EQ(info->key, head.api_key);
	EXPECT_EQ(version, head.api_version);
	EXPECT_EQ(0x01020304, head.correlation_id);
	EXPECT_TRUE(kafka_str_eq(client, head.client_id));
	ASSERT_EQ(0, kafka_decode_from(info->request, version, &in, &mem, back));
	EXPECT_EQ(0, kafka_in_left(&in));
	EXPECT_TRUE(msg_equal(info->request, msg, back));

	random_msg(info->response, version, rnd, &mem, msg);
	n = response(info->key, version, msg, buf, CAP);
	kafka_in_init(&in, buf, n);
	EXPECT_EQ(n - 4, kafka_get_i32(&in));
	ASSERT_EQ(0, kafka_response_header_decode(&in, info->key, version, &id));
	EXPECT_EQ(0x01020304, id);
	ASSERT_EQ(0, kafka_decode_from(info->response, version, &in, &mem, back));
	EXPECT_EQ(0, kafka_in_left(&in));
	EXPECT_TRUE(msg_equal(info->response, msg, back));
	sl_bump_done(&mem);
	free(buf);
}

TEST(every_frame_is_read_by_the_other_side)
{
	struct random_source rnd = {.state = harness_random()};

	for (int key = 0; key < KAFKA_API_LAST; key++) {
		const struct kafka_api_info *info = kafka_api_find(key);

		for (int v = info ? info->min : 1; v <= (info ? info->max : 0); v++)
			exchange(info, v, &rnd);
	}
}

TEST(header_of_an_unknown_api_or_version_is_read)
{
	static const uint8_t unknown_api[] = {0x7f, 0xff, 0, 9, 0, 0, 0, 5, 0xff, 0xff, 1, 2, 3};
	static const uint8_t too_new[] = {0, 18, 0, 99, 0, 0, 0, 6, 0, 1, 'c', 1, 0, 1, 'x', 7};
	struct kafka_request_header head;
	struct kafka_in in;

	kafka_in_init(&in, unknown_api, sizeof(unknown_api));
	ASSERT_EQ(0, kafka_request_header_decode(&in, &head));
	EXPECT_EQ(32767, head.api_key);
	EXPECT_EQ(5, head.correlation_id);
	EXPECT_TRUE(kafka_str_is_null(head.client_id));
	EXPECT_EQ(3, kafka_in_left(&in));
	kafka_in_init(&in, too_new, sizeof(too_new));
	ASSERT_EQ(0, kafka_request_header_decode(&in, &head));
	EXPECT_EQ(99, head.api_version);
	EXPECT_EQ(6, head.correlation_id);
	EXPECT_EQ(1, kafka_in_left(&in));
}

TEST(short_or_bad_headers_leave_the_result_untouched)
{
	static const uint8_t wire[] = {0, 18, 0, 3, 0, 0, 0, 6, 0, 1, 'c', 1, 0, 1, 'x'};
	static const uint8_t negative_client[] = {0, 18, 0, 0, 0, 0, 0, 6, 0x80, 0};
	struct kafka_request_header head = {.correlation_id = -77};
	struct kafka_in in;
	int32_t id = -77;

	for (size_t cut = 0; cut < sizeof(wire); cut++) {
		kafka_in_init(&in, wire, cut);
		EXPECT_EQ(-ENODATA, kafka_request_header_decode(&in, &head));
	}
	kafka_in_init(&in, negative_client, sizeof(negative_client));
	EXPECT_EQ(-EBADMSG, kafka_request_header_decode(&in, &head));
	EXPECT_EQ(-77, head.correlation_id);
	kafka_in_init(&in, wire, 3);
	EXPECT_EQ(-ENODATA, kafka_response_header_decode(&in, KAFKA_FETCH, 4, &id));
	EXPECT_EQ(-EOPNOTSUPP, kafka_response_header_decode(&in, KAFKA_FETCH, 3, &id));
	EXPECT_EQ(-EOPNOTSUPP, kafka_response_header_decode(&in, (enum kafka_api)4, 0, &id));
	EXPECT_EQ(-77, id);
}

TEST(unknown_apis_have_no_frames)
{
	struct kafka_sizes sizes = {.wire_bytes = 100};
	struct kafka_out out;
	uint8_t buf[16] = {0};

	kafka_out_init(&out, buf, sizeof(buf));
	EXPECT_EQ(-EOPNOTSUPP, kafka_response_size((enum kafka_api)4, 0, buf, &sizes));
	EXPECT_EQ(-EOPNOTSUPP, kafka_request_size((enum kafka_api)4, 0, client, buf, &sizes));
	EXPECT_EQ(-EOPNOTSUPP, kafka_response_encode((enum kafka_api)4, 0, 1, buf, &sizes, &out));
	EXPECT_EQ(-EOPNOTSUPP,
		  kafka_request_encode((enum kafka_api)4, 0, 1, client, buf, &sizes, &out));
	EXPECT_EQ(0, out.len);
	EXPECT_EQ(100, sizes.wire_bytes);
}

TEST(splits_count_in_the_length_of_the_frame)
{
	struct kafka_fetch_response_partition part;
	struct kafka_fetch_response_topic topic = {.partitions = {&part, 1}};
	struct kafka_fetch_response res = {.responses = {&topic, 1}};
	struct kafka_sizes sizes;
	struct kafka_split split;
	struct kafka_out out;
	struct kafka_in in;
	uint8_t buf[256];

	kafka_init(&kafka_fetch_response_partition_schema, &part);
	part.records = (struct kafka_records){.n = 1 << 20, .cookie = 3};
	ASSERT_EQ(0, kafka_response_size(KAFKA_FETCH, 11, &res, &sizes));
	EXPECT_EQ(sizes.mem_bytes + (1 << 20), sizes.wire_bytes);
	kafka_out_init(&out, buf, sizeof(buf));
	kafka_out_splits(&out, &split, 1);
	ASSERT_EQ(0, kafka_response_encode(KAFKA_FETCH, 11, 1, &res, &sizes, &out));
	kafka_in_init(&in, buf, out.len);
	EXPECT_EQ(sizes.wire_bytes - 4, kafka_get_i32(&in));
	EXPECT_EQ(out.len, split.at);
}

TEST_HARNESS_MAIN
