// SPDX-License-Identifier: Apache-2.0
/*
 * The codec: every message at every version with random contents, and what a hostile peer sends.
 * Inputs end at a page that cannot be read, so a read beyond the end is a crash.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "harness.h"
#include "proto/kafka/messages.h"
#include "random_msg.h"

#define MSG_BYTES_MAX 512 /* no message struct is larger (asserted) */
#define ROOM_BYTES (4u << 20)
#define INPUT_BYTES_MAX (1u << 20)

/* Memory of INPUT_BYTES_MAX bytes that ends at a page without access. */
static uint8_t *guarded_end;

static const uint8_t *at_guard(const void *p, size_t n)
{
	if (!guarded_end) {
		uint8_t *map = mmap(NULL, INPUT_BYTES_MAX + 4096, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		ASSERT_NE((uintptr_t)MAP_FAILED, (uintptr_t)map);
		ASSERT_EQ(0, mprotect(map + INPUT_BYTES_MAX, 4096, PROT_NONE));
		guarded_end = map + INPUT_BYTES_MAX;
	}
	ASSERT_LE(n, INPUT_BYTES_MAX);
	if (n)
		memcpy(guarded_end - n, p, n);
	return guarded_end - n;
}

/* A message of any schema, and the memory of what it points at. */
struct any {
	_Alignas(16) char msg[MSG_BYTES_MAX];
	struct sl_bump mem;
};

static struct any *any_new(void)
{
	struct any *a = calloc(1, sizeof(*a));

	ASSERT_NOT_NULL(a);
	sl_bump_init(&a->mem, NULL, 0, ROOM_BYTES);
	return a;
}

static void any_free(struct any *a)
{
	sl_bump_done(&a->mem);
	free(a);
}

/* Size, encode and return the bytes (to be freed). */
static uint8_t *encode(const struct kafka_schema *schema, int version, const void *msg,
		       size_t *ret_n)
{
	struct kafka_sizes sizes;
	struct kafka_out out;
	uint8_t *p;

	ASSERT_EQ(0, kafka_size(schema, version, msg, &sizes));
	ASSERT_EQ(sizes.wire_bytes, sizes.mem_bytes);
	p = malloc(sizes.mem_bytes + 1);
	ASSERT_NOT_NULL(p);
	kafka_out_init(&out, p, sizes.mem_bytes);
	ASSERT_EQ(0, kafka_encode(schema, version, msg, &out));
	ASSERT_EQ(sizes.mem_bytes, out.len);
	*ret_n = out.len;
	return p;
}

typedef void (*each_fn)(const struct kafka_schema *schema, int version, struct random_source *rnd);

static void for_each_message(each_fn fn)
{
	struct random_source rnd = {.state = harness_random()};

	for (int key = 0; key < KAFKA_API_LAST; key++) {
		const struct kafka_api_info *info = kafka_api_find(key);

		for (int v = info ? info->min : 1; v <= (info ? info->max : 0); v++) {
			ASSERT_LE(info->request->size, MSG_BYTES_MAX);
			ASSERT_LE(info->response->size, MSG_BYTES_MAX);
			fn(info->request, v, &rnd);
			fn(info->response, v, &rnd);
		}
	}
}

static void round_trip(const struct kafka_schema *schema, int version, struct random_source *rnd)
{
	for (int i = 0; i < 20; i++) {
		struct any *a = any_new(), *b = any_new();
		size_t n, again_n;
		uint8_t *p, *again;

		random_msg(schema, version, rnd, &a->mem, a->msg);
		p = encode(schema, version, a->msg, &n);
		memset(b->msg, 0xa5, sizeof(b->msg));
		if (!EXPECT_EQ(0,
			       kafka_decode(schema, version, at_guard(p, n), n, &b->mem, b->msg)) ||
		    !EXPECT_TRUE(msg_equal(schema, a->msg, b->msg)))
			TH_LOG("%s v%d", schema->name, version);
		again = encode(schema, version, b->msg, &again_n);
		ASSERT_EQ(n, again_n);
		EXPECT_MEMEQ(p, again, n);
		free(again);
		free(p);
		any_free(a);
		any_free(b);
	}
}

TEST_TIMEOUT(every_message_at_every_version_round_trips, 60)
{
	for_each_message(round_trip);
}

static void truncate_everywhere(const struct kafka_schema *schema, int version,
				struct random_source *rnd)
{
	struct any *a = any_new(), *b = any_new();
	size_t n;
	uint8_t *p;

	random_msg(schema, version, rnd, &a->mem, a->msg);
	p = encode(schema, version, a->msg, &n);
	for (size_t cut = 0; cut < n; cut++) {
		const uint8_t *at = at_guard(p, cut);

		if (!EXPECT_EQ(-EBADMSG, kafka_decode(schema, version, at, cut, &b->mem, b->msg)))
			TH_LOG("%s v%d cut at %zu of %zu", schema->name, version, cut, n);
		sl_bump_reset(&b->mem);
	}
	p[n] = 0;
	EXPECT_EQ(-EBADMSG,
		  kafka_decode(schema, version, at_guard(p, n + 1), n + 1, &b->mem, b->msg));
	free(p);
	any_free(a);
	any_free(b);
}

TEST_TIMEOUT(truncation_at_every_byte_and_trailing_bytes_are_refused, 60)
{
	for_each_message(truncate_everywhere);
}

/* Whatever the bytes become, the decoder stays inside and accepts only what it can encode. */
static void flip_bytes(const struct kafka_schema *schema, int version, struct random_source *rnd)
{
	struct any *a = any_new(), *b = any_new();
	size_t n;
	uint8_t *p;

	random_msg(schema, version, rnd, &a->mem, a->msg);
	p = encode(schema, version, a->msg, &n);
	for (int i = 0; i < 50 && n; i++) {
		size_t where = random_next(rnd) % n;
		uint8_t old = p[where];
		int err;

		p[where] = (uint8_t)random_next(rnd);
		err = kafka_decode(schema, version, at_guard(p, n), n, &b->mem, b->msg);
		if (!err) {
			size_t again_n;

			free(encode(schema, version, b->msg, &again_n));
		} else {
			EXPECT_TRUE(err == -EBADMSG || err == -ENOMEM);
		}
		p[where] = old;
		sl_bump_reset(&b->mem);
	}
	free(p);
	any_free(a);
	any_free(b);
}

TEST_TIMEOUT(damaged_messages_are_refused_or_read_soundly, 60)
{
	for_each_message(flip_bytes);
}

static void refuse_outside(const struct kafka_schema *schema, int version,
			   struct random_source *rnd)
{
	struct any *a = any_new();
	struct kafka_sizes sizes;

	(void)rnd;
	if (version == schema->min)
		version = schema->min - 1;
	else if (version == schema->max)
		version = schema->max + 1;
	else
		version = 32767;
	EXPECT_EQ(-EOPNOTSUPP, kafka_decode(schema, version, "", 0, &a->mem, a->msg));
	EXPECT_EQ(-EOPNOTSUPP, kafka_size(schema, version, a->msg, &sizes));
	any_free(a);
}

TEST(versions_outside_of_the_range_are_not_supported)
{
	for_each_message(refuse_outside);
}

TEST(fields_of_other_versions_get_defaults)
{
	static const uint8_t wire[] = {0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0xf4, 0, 0, 0,
				       1,    0,	   0x10, 0,    0, 0, 0, 0,    0, 0};
	char room[256];
	struct sl_bump mem;
	struct kafka_fetch_request req;

	sl_bump_init(&mem, room, sizeof(room), 0);
	ASSERT_EQ(0, kafka_decode(&kafka_fetch_request_schema, 4, wire, sizeof(wire), &mem, &req));
	EXPECT_EQ(-1, req.replica_id);
	EXPECT_EQ(500, req.max_wait_ms);
	EXPECT_EQ(1, req.min_bytes);
	EXPECT_EQ(0x100000, req.max_bytes);
	EXPECT_EQ(0, req.session_id);
	EXPECT_EQ(-1, req.session_epoch);
	EXPECT_EQ(0, req.topics.n);
	EXPECT_EQ(0, req.forgotten_topics_data.n);
	EXPECT_EQ(0, req.rack_id.n);
	EXPECT_EQ(-1, req.cluster_id.n);
	EXPECT_EQ(-1, req.replica_state.replica_epoch);
}

/* ---- known bytes ---------------------------------------------------------------------------- */

#define EXPECT_WIRE(schema, version, msg, wire)                                                    \
	do {                                                                                       \
		size_t seen_n;                                                                     \
		uint8_t *seen = encode(&(schema), version, msg, &seen_n);                          \
		EXPECT_EQ(sizeof(wire), seen_n);                                                   \
		if (seen_n == sizeof(wire))                                                        \
			EXPECT_MEMEQ(wire, seen, seen_n);                                          \
		free(seen);                                                                        \
	} while (0)

TEST(api_versions_has_known_bytes)
{
	static const uint8_t v0[] = {0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4};
	static const uint8_t v3[] = {0, 0, 2, 0, 18, 0, 0, 0, 4, 0, 0, 0, 0, 7, 0};
	static const uint8_t v3_tags[] = {0, 0, 2, 0, 18, 0, 0, 0, 4, 0, 0, 0, 0,
					  7, 1, 1, 8, 0,  0, 0, 0, 0, 0, 1, 2};
	static const uint8_t v3_request[] = {5, 'k', 'c', 'a', 't', 4, '1', '.', '7', 0};
	struct kafka_api_versions_response_key key = {.api_key = 18, .max_version = 4};
	struct kafka_api_versions_response res;
	struct kafka_api_versions_request req = {.client_software_name = KAFKA_STR("kcat"),
						 .client_software_version = KAFKA_STR("1.7")};

	kafka_init(&kafka_api_versions_response_schema, &res);
	res.error_code = 35;
	res.api_keys.v = &key;
	res.api_keys.n = 1;
	EXPECT_WIRE(kafka_api_versions_response_schema, 0, &res, v0);
	res.error_code = 0;
	res.throttle_time_ms = 7;
	EXPECT_WIRE(kafka_api_versions_response_schema, 3, &res, v3);
	res.finalized_features_epoch = 258;
	EXPECT_WIRE(kafka_api_versions_response_schema, 4, &res, v3_tags);
	EXPECT_WIRE(kafka_api_versions_request_schema, 3, &req, v3_request);
}

TEST(metadata_v1_has_known_bytes)
{
	static const uint8_t request[] = {0, 0, 0, 1, 0, 1, 't'};
	static const uint8_t request_all[] = {0xff, 0xff, 0xff, 0xff};
	static const uint8_t response[] = {
		0, 0, 0, 1, 0, 0, 0, 5, 0,   1, 'h', 0, 0, 0x23, 0x84, 0xff, 0xff, /* broker */
		0, 0, 0, 5, /* controller */
		0, 0, 0, 1, 0, 0, 0, 1, 't', 1, /* topic, internal */
		0, 0, 0, 1, 0, 3, 0, 0, 0,   2, 0,   0, 0, 5, /* partition */
		0, 0, 0, 1, 0, 0, 0, 5, 0,   0, 0,   0}; /* replicas, isr */
	struct kafka_metadata_request_topic t = {.name = KAFKA_STR("t")};
	struct kafka_metadata_request req = {.topics = {&t, 1}};
	struct kafka_metadata_response_broker broker = {
		.node_id = 5, .host = KAFKA_STR("h"), .port = 9092, .rack = KAFKA_STR_NULL};
	int32_t replicas[] = {5};
	struct kafka_metadata_response_partition part = {.error_code = 3,
							 .partition_index = 2,
							 .leader_id = 5,
							 .replica_nodes = {replicas, 1}};
	struct kafka_metadata_response_topic topic = {
		.name = KAFKA_STR("t"), .is_internal = true, .partitions = {&part, 1}};
	struct kafka_metadata_response res = {
		.brokers = {&broker, 1}, .controller_id = 5, .topics = {&topic, 1}};

	EXPECT_WIRE(kafka_metadata_request_schema, 1, &req, request);
	req.topics.n = -1;
	EXPECT_WIRE(kafka_metadata_request_schema, 1, &req, request_all);
	EXPECT_WIRE(kafka_metadata_response_schema, 1, &res, response);
}

TEST(fetch_v12_request_has_known_bytes)
{
	static const uint8_t wire[] = {0xff, 0xff, 0xff, 0xff, 0,    0,	   1,	 0xf4, 0,
				       0,    0,	   1,	 0x03, 0x20, 0,	   0,	 1, /* limits */
				       0,    0,	   0,	 0,    0xff, 0xff, 0xff, 0xff, /* session */
				       2,    2,	   't',	 2,    0,    0,	   0,	 3,    0,
				       0,    0,	   9,	 0,    0,    0,	   0,	 0,    0,
				       1,    0, /* partition */
				       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				       0xff, 0xff, 0xff, 0,    0x10, 0,	   0,	 0,    0,
				       2,    2,	   'u',	 3,    0,    0,	   0,	 1,    0,
				       0,    0,	   2,	 0, /* forgotten */
				       1,    1,	   0,	 2,    2,    'c'}; /* rack, cluster */
	struct kafka_fetch_request req;
	struct sl_bump mem;
	char room[1024];

	sl_bump_init(&mem, room, sizeof(room), 0);
	ASSERT_EQ(0, kafka_decode(&kafka_fetch_request_schema, 12, at_guard(wire, sizeof(wire)),
				  sizeof(wire), &mem, &req));
	EXPECT_EQ(0x03200000, req.max_bytes);
	EXPECT_EQ(1, req.isolation_level);
	ASSERT_EQ(1, req.topics.n);
	EXPECT_TRUE(kafka_str_eq(KAFKA_STR("t"), req.topics.v[0].topic));
	EXPECT_TRUE(kafka_uuid_is_zero(req.topics.v[0].topic_id));
	ASSERT_EQ(1, req.topics.v[0].partitions.n);
	EXPECT_EQ(3, req.topics.v[0].partitions.v[0].partition);
	EXPECT_EQ(9, req.topics.v[0].partitions.v[0].current_leader_epoch);
	EXPECT_EQ(256, req.topics.v[0].partitions.v[0].fetch_offset);
	EXPECT_EQ(-1, req.topics.v[0].partitions.v[0].last_fetched_epoch);
	EXPECT_EQ(0x100000, req.topics.v[0].partitions.v[0].partition_max_bytes);
	EXPECT_EQ(INT64_MAX, req.topics.v[0].partitions.v[0].high_watermark);
	ASSERT_EQ(1, req.forgotten_topics_data.n);
	ASSERT_EQ(2, req.forgotten_topics_data.v[0].partitions.n);
	EXPECT_EQ(2, req.forgotten_topics_data.v[0].partitions.v[1]);
	EXPECT_TRUE(kafka_str_eq(KAFKA_STR("c"), req.cluster_id));
	EXPECT_WIRE(kafka_fetch_request_schema, 12, &req, wire);
}

TEST(fetch_v13_response_splits_at_records_outside_memory)
{
	static const uint8_t wire[] = {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 7,	 2, /* session 7 */
		1, 2, 3, 4, 5, 6, 7, 8, 9, 10,	 11,   12,   13,   14,	 15,   16,  3,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0,	 0,    0,    0,	   1,	 0,    0,   0,	 0, 0, 0,
		1, 0, /* partition 0 */
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xe9, 0x07, /* 1,000 bytes */
		1, 1, 9, 0, 0, 0, 5, 0, 0, 0,	 6,    0, /* leader 5, epoch 6 */
		0, 0, 0, 1, 0, 0, 0, 0, 0, 0,	 0,    0,    0,	   2,	 0,    0,   0,	 0, 0, 0,
		0, 2, /* partition 1 */
		0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 4,	 'a',  'b', 'c', 0, 0, 0};
	const size_t first_split = 11 + 17 + 22 + 13 + 2;
	struct kafka_fetch_response_partition parts[2];
	struct kafka_fetch_response_topic topic = {
		.topic_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
		.partitions = {parts, 2}};
	struct kafka_fetch_response res;
	struct kafka_sizes sizes;
	struct kafka_split splits[1];
	struct kafka_out out;
	uint8_t buf[sizeof(wire)];

	for (int i = 0; i < 2; i++) {
		kafka_init(&kafka_fetch_response_partition_schema, &parts[i]);
		parts[i].partition_index = i;
		parts[i].high_watermark = i + 1;
		parts[i].last_stable_offset = i ? 2 : 256;
		parts[i].log_start_offset = 0;
	}
	parts[0].aborted_transactions.n = -1;
	parts[0].records = (struct kafka_records){.n = 1000, .cookie = 99};
	parts[0].current_leader.leader_id = 5;
	parts[0].current_leader.leader_epoch = 6;
	parts[1].records = (struct kafka_records){.p = (const uint8_t *)"abc", .n = 3};
	kafka_init(&kafka_fetch_response_schema, &res);
	res.session_id = 7;
	res.responses.v = &topic;
	res.responses.n = 1;

	ASSERT_EQ(0, kafka_size(&kafka_fetch_response_schema, 13, &res, &sizes));
	EXPECT_EQ(sizeof(wire), sizes.mem_bytes);
	EXPECT_EQ(sizeof(wire) + 1000, sizes.wire_bytes);
	EXPECT_EQ(1, sizes.splits);
	kafka_out_init(&out, buf, sizeof(buf));
	kafka_out_splits(&out, splits, 1);
	ASSERT_EQ(0, kafka_encode(&kafka_fetch_response_schema, 13, &res, &out));
	EXPECT_MEMEQ(wire, buf, sizeof(wire));
	EXPECT_EQ(first_split, splits[0].at);
	EXPECT_EQ(99, splits[0].cookie);
	EXPECT_EQ(1000, splits[0].n);
}

TEST(produce_v9_has_known_bytes)
{
	static const uint8_t request[] = {0, 0xff, 0xff, 0, 0, 0x75, 0x30, 2, 2, 't', 2,
					  0, 0,	   0,	 4, 3, 'r',  's',  0, 0, 0};
	static const uint8_t response[] = {2,	 2,    't',  2,	   0, 0, 0,  4,	   0,	 0,    0,
					   0,	 0,    0,    0,	   0, 0, 77, 0xff, 0xff, 0xff, 0xff,
					   0xff, 0xff, 0xff, 0xff, 0, 0, 0,  0,	   0,	 0,    0,
					   0,	 1,    0,    0,	   0, 0, 0,  0,	   0,	 0};
	struct kafka_produce_request_partition p = {
		.index = 4, .records = {.p = (const uint8_t *)"rs", .n = 2}};
	struct kafka_produce_request_topic t = {.name = KAFKA_STR("t"), .partition_data = {&p, 1}};
	struct kafka_produce_request req = {.transactional_id = KAFKA_STR_NULL,
					    .acks = -1,
					    .timeout_ms = 30000,
					    .topic_data = {&t, 1}};
	struct kafka_produce_response_partition rp;
	struct kafka_produce_response_topic rt = {.name = KAFKA_STR("t"),
						  .partition_responses = {&rp, 1}};
	struct kafka_produce_response res;

	EXPECT_WIRE(kafka_produce_request_schema, 9, &req, request);
	kafka_init(&kafka_produce_response_schema, &res);
	kafka_init(&kafka_produce_response_partition_schema, &rp);
	rp.index = 4;
	rp.base_offset = 77;
	rp.log_start_offset = 0;
	res.responses.v = &rt;
	res.responses.n = 1;
	EXPECT_WIRE(kafka_produce_response_schema, 9, &res, response);
}

/* ---- what a hostile peer sends -------------------------------------------------------------- */

static int decode_metadata(int version, const void *wire, size_t n, struct sl_bump *mem)
{
	struct kafka_metadata_request req;

	return kafka_decode(&kafka_metadata_request_schema, version, at_guard(wire, n), n, mem,
			    &req);
}

TEST(lying_counts_allocate_nothing)
{
	static const uint8_t huge[] = {0x7f, 0xff, 0xff, 0xff, 0, 1, 't'};
	static const uint8_t negative[] = {0xff, 0xff, 0xff, 0xfe, 0, 1, 't'};
	static const uint8_t one_too_many[] = {0, 0, 0, 3, 0, 0, 0, 0};
	static const uint8_t flexible[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0};
	struct sl_bump mem;

	sl_bump_init(&mem, NULL, 0, SIZE_MAX / 2);
	EXPECT_EQ(-EBADMSG, decode_metadata(1, huge, sizeof(huge), &mem));
	EXPECT_EQ(-EBADMSG, decode_metadata(1, negative, sizeof(negative), &mem));
	EXPECT_EQ(-EBADMSG, decode_metadata(1, one_too_many, sizeof(one_too_many), &mem));
	EXPECT_EQ(-EBADMSG, decode_metadata(9, flexible, sizeof(flexible), &mem));
	EXPECT_EQ(0, mem.heap_bytes);
	sl_bump_done(&mem);
}

TEST(arena_limit_bounds_a_message_of_true_counts)
{
	enum { TOPICS = 100000 };
	size_t n = 4 + 2 * TOPICS;
	uint8_t *wire = calloc(1, n);
	struct sl_bump mem;

	ASSERT_NOT_NULL(wire);
	sl_store_be32(wire, TOPICS);
	sl_bump_init(&mem, NULL, 0, 1 << 20);
	EXPECT_EQ(-ENOMEM, decode_metadata(1, wire, n, &mem));
	EXPECT_LE(mem.heap_bytes, 1 << 20);
	sl_bump_done(&mem);
	sl_bump_init(&mem, NULL, 0, 8 << 20);
	EXPECT_EQ(0, decode_metadata(1, wire, n, &mem));
	sl_bump_done(&mem);
	free(wire);
}

TEST(null_where_it_may_not_be_is_malformed)
{
	static const uint8_t null_array_v0[] = {0xff, 0xff, 0xff, 0xff};
	static const uint8_t null_name_v1[] = {0, 0, 0, 1, 0xff, 0xff};
	static const uint8_t null_name_v10[] = {2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
						0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t null_key[] = {2, 2, 2, 't', 2, 0, 0, 0, 0, 0};
	struct kafka_describe_configs_request req;
	struct sl_bump mem;
	char room[1024];

	sl_bump_init(&mem, room, sizeof(room), 0);
	EXPECT_EQ(-EBADMSG, decode_metadata(0, null_array_v0, sizeof(null_array_v0), &mem));
	EXPECT_EQ(0, decode_metadata(1, null_array_v0, sizeof(null_array_v0), &mem));
	EXPECT_EQ(-EBADMSG, decode_metadata(1, null_name_v1, sizeof(null_name_v1), &mem));
	EXPECT_EQ(0, decode_metadata(10, null_name_v10, sizeof(null_name_v10), &mem));
	/* An array that may be null does not make its elements so. */
	EXPECT_EQ(-EBADMSG, kafka_decode(&kafka_describe_configs_request_schema, 4, null_key,
					 sizeof(null_key), &mem, &req));
}

TEST(null_that_cannot_be_sent_is_refused)
{
	struct kafka_metadata_request_topic t = {.name = KAFKA_STR_NULL};
	struct kafka_metadata_request req = {.topics = {&t, 1}};
	struct kafka_sizes sizes;

	EXPECT_EQ(-EINVAL, kafka_size(&kafka_metadata_request_schema, 9, &req, &sizes));
	EXPECT_EQ(0, kafka_size(&kafka_metadata_request_schema, 10, &req, &sizes));
	req.topics.n = -1;
	EXPECT_EQ(-EINVAL, kafka_size(&kafka_metadata_request_schema, 0, &req, &sizes));
}

static int decode_api_versions(const void *wire, size_t n, struct kafka_api_versions_response *ret)
{
	struct sl_bump mem;
	int err;

	sl_bump_init(&mem, NULL, 0, 4096);
	err = kafka_decode(&kafka_api_versions_response_schema, 3, at_guard(wire, n), n, &mem, ret);
	sl_bump_done(&mem);
	return err;
}

TEST(tagged_fields_are_skipped_or_checked)
{
	static const uint8_t unknown[] = {0, 0, 1, 0, 0, 0, 0, 2, 3, 1, 1, 40, 2, 'x', 'y'};
	static const uint8_t any_order[] = {0, 0, 1, 0, 0, 0, 0, 2, 3, 1, 1,
					    1, 8, 0, 0, 0, 0, 0, 0, 0, 9};
	static const uint8_t twice[] = {0, 0, 1, 0, 0, 0, 0, 2, 3, 1, 1, 3, 1, 1};
	static const uint8_t too_long[] = {0, 0, 1, 0, 0, 0, 0, 1, 3, 2, 1, 1};
	static const uint8_t too_short[] = {0, 0, 1, 0, 0, 0, 0, 1, 1, 7, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t beyond[] = {0, 0, 1, 0, 0, 0, 0, 1, 40, 9, 0, 0};
	struct kafka_api_versions_response res;

	ASSERT_EQ(0, decode_api_versions(unknown, sizeof(unknown), &res));
	EXPECT_TRUE(res.zk_migration_ready);
	EXPECT_EQ(-1, res.finalized_features_epoch);
	ASSERT_EQ(0, decode_api_versions(any_order, sizeof(any_order), &res));
	EXPECT_EQ(9, res.finalized_features_epoch);
	EXPECT_EQ(-EBADMSG, decode_api_versions(twice, sizeof(twice), &res));
	EXPECT_EQ(-EBADMSG, decode_api_versions(too_long, sizeof(too_long), &res));
	EXPECT_EQ(-EBADMSG, decode_api_versions(too_short, sizeof(too_short), &res));
	EXPECT_EQ(-EBADMSG, decode_api_versions(beyond, sizeof(beyond), &res));
}

TEST(cursor_ends_behind_the_message_and_short_input_waits)
{
	static const uint8_t wire[] = {0, 0, 0, 1, 0, 1, 't', 42};
	struct kafka_metadata_request req;
	struct kafka_in in;
	struct sl_bump mem;
	char room[256];

	sl_bump_init(&mem, room, sizeof(room), 0);
	kafka_in_init(&in, wire, sizeof(wire));
	ASSERT_EQ(0, kafka_decode_from(&kafka_metadata_request_schema, 1, &in, &mem, &req));
	EXPECT_EQ(42, kafka_get_i8(&in));
	kafka_in_init(&in, wire, 6);
	EXPECT_EQ(-ENODATA, kafka_decode_from(&kafka_metadata_request_schema, 1, &in, &mem, &req));
}

TEST(response_beyond_two_gigabytes_is_refused)
{
	struct kafka_fetch_response_partition parts[2];
	struct kafka_fetch_response_topic topic = {.partitions = {parts, 2}};
	struct kafka_fetch_response res = {.responses = {&topic, 1}};
	struct kafka_sizes sizes;

	for (int i = 0; i < 2; i++) {
		kafka_init(&kafka_fetch_response_partition_schema, &parts[i]);
		parts[i].records = (struct kafka_records){.n = INT32_MAX - 100};
	}
	EXPECT_EQ(-EMSGSIZE, kafka_size(&kafka_fetch_response_schema, 18, &res, &sizes));
	topic.partitions.n = 1;
	EXPECT_EQ(0, kafka_size(&kafka_fetch_response_schema, 18, &res, &sizes));
}

TEST(output_too_small_is_reported)
{
	struct kafka_metadata_request_topic t = {.name = KAFKA_STR("topic")};
	struct kafka_metadata_request req = {.topics = {&t, 1}};
	struct kafka_sizes sizes;
	uint8_t buf[64];

	ASSERT_EQ(0, kafka_size(&kafka_metadata_request_schema, 9, &req, &sizes));
	for (size_t cap = 0; cap < sizes.mem_bytes; cap++) {
		struct kafka_out out;

		kafka_out_init(&out, buf, cap);
		buf[cap] = 0xaa;
		EXPECT_EQ(-ENOBUFS, kafka_encode(&kafka_metadata_request_schema, 9, &req, &out));
		EXPECT_EQ(0xaa, buf[cap]);
	}
}

TEST_HARNESS_MAIN
