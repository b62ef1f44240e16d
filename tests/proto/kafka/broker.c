// SPDX-License-Identifier: Apache-2.0
/*
 * A Kafka server on one core of this process, its engine on several, and a plain blocking client
 * in a thread.
 *
 * Interface: broker.h. Core 0 has the listener; the client knows nothing but sockets and the codec.
 */
#include "broker.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serving.h"

/* ---- the server ------------------------------------------------------------------------- */

static void run_client(void *arg)
{
	struct broker *b = arg;

	b->client(b);
}

static void serve_client(struct broker *b)
{
	struct serving serving = {.proto = &kafka_proto,
				  .server = &b->server,
				  .limits = &serving_limits,
				  .client = run_client,
				  .arg = b,
				  .drain_ns = b->drain_ns,
				  .ret_port = &b->port};

	serving_run(&serving);
}

/* Waits until all cores have come here. */
static void meet(const struct broker *b, uint32_t *count)
{
	__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(count, __ATOMIC_SEQ_CST) < b->topics.cores)
		sl_sleep(sl_now() + SL_MSEC);
}

static void core_life(void *arg)
{
	struct broker *b = arg;
	struct sl_core *self = sl_core_self();

	if (sl_core_id(self) == 0)
		serve_client(b);
	meet(b, &b->served);
	EXPECT_EQ(0, sl_topics_stop(b->server.topics, SL_NEVER));
	meet(b, &b->stopped);
	if (sl_core_id(self) == 0)
		sl_cores_stop(sl_core_cores(self));
}

static int core_start(struct sl_core *core, void *arg)
{
	struct broker *b = arg;

	(void)core;
	ASSERT_EQ(0, sl_topics_start(b->server.topics, SL_NEVER));
	return sl_fiber_start(SL_STACK_SMALL, core_life, b);
}

void broker_init(struct broker *b, void (*client)(struct broker *b))
{
	*b = (struct broker){
		.server =
			{
				.cluster_id = "the-cluster",
				.node_id = 7,
				.epoch = 3,
				.default_partitions = 2,
				.auto_create_topics = true,
				.request_bytes_max = 8 << 20,
				.fetch_bytes_max = 8 << 20,
			},
		.topics =
			{
				.cores = 1,
				.epoch = 3,
				.log = {.segment_bytes = SL_MIB, .epoch = 3},
				.logs = {.background = true},
				.batch_bytes_max = SL_MIB,
				.partitions_max = 1000,
				.group_session_min_ns = 10 * SL_MSEC,
				.group_session_max_ns = 60 * SL_SEC,
				.offsets_retention_ns = 3600 * SL_SEC,
				.group_members_max = 100,
			},
		.client = client,
		.drain_ns = 3 * SL_SEC,
	};
}

void broker_run(struct broker *b)
{
	struct sl_cores_conf conf = {.n = b->topics.cores, .arena_bytes_max = 256 << 20};
	struct sl_cores *cores = NULL;
	const char *const *apis;
	char why[256] = "";
	uint32_t n;

	apis = kafka_api_names(&n);
	b->registry = serving_registry(conf.n, "kafka", apis, n);
	conf.registry = b->registry;
	sl_bump_init(&b->mem, NULL, 0, 64 << 20);
	b->served = b->stopped = 0;
	b->topics.dir = open(harness_tmpdir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, b->topics.dir);
	ASSERT_EQ(0, sl_topics_open(&b->topics, &b->server.topics));
	if (!EXPECT_EQ(0, sl_cores_start(&conf, core_start, b, &cores, why, sizeof(why))))
		TH_LOG("%s", why);
	sl_cores_join(cores);
	sl_topics_close(b->server.topics);
	close(b->topics.dir);
	sl_bump_done(&b->mem);
	sl_registry_free(b->registry);
}

struct sum {
	enum sl_metric_id id;
	const char *label;
	uint64_t value;
};

static int add_sample(void *arg, const struct sl_metric_sample *s)
{
	struct sum *sum = arg;
	bool wanted = !sum->label;

	for (int i = 0; i < 2; i++)
		wanted |= sum->label && s->values[i] && !strcmp(s->values[i], sum->label);
	if (wanted && s->id == sum->id)
		sum->value += s->value;
	return 0;
}

uint64_t broker_metric(const struct broker *b, enum sl_metric_id id, const char *label)
{
	struct sum sum = {id, label, 0};

	sl_metrics_each(b->registry, add_sample, &sum);
	return sum.value;
}

void broker_test(void (*client)(struct broker *b))
{
	struct broker b;

	broker_init(&b, client);
	broker_run(&b);
}

/* ---- calls ------------------------------------------------------------------------------ */

int broker_connect(const struct broker *b)
{
	return serving_connect(b->port);
}

void broker_send(struct broker *b, int fd, enum kafka_api api, int version, int32_t id,
		 const void *req)
{
	struct kafka_str client = KAFKA_STR("tester");
	struct kafka_sizes sizes;
	struct kafka_out out;
	uint8_t *p;

	ASSERT_EQ(0, kafka_request_size(api, version, client, req, &sizes));
	ASSERT_EQ(0, sizes.splits);
	p = sl_bump_alloc(&b->mem, sizes.mem_bytes);
	ASSERT_NOT_NULL(p);
	kafka_out_init(&out, p, sizes.mem_bytes);
	ASSERT_EQ(0, kafka_request_encode(api, version, id, client, req, &sizes, &out));
	serving_send(fd, p, out.len);
}

bool broker_receive(struct broker *b, int fd, enum kafka_api api, int version, int32_t id,
		    void *ret_res)
{
	uint8_t prefix[KAFKA_FRAME_PREFIX_BYTES];
	struct kafka_in in;
	int32_t seen_id;
	uint8_t *p;
	size_t n;

	if (!serving_receive(fd, prefix, sizeof(prefix)))
		return false;
	n = sl_load_be32(prefix);
	p = sl_bump_alloc(&b->mem, n);
	ASSERT_NOT_NULL(p);
	ASSERT_TRUE(serving_receive(fd, p, n));
	kafka_in_init(&in, p, n);
	ASSERT_EQ(0, kafka_response_header_decode(&in, api, version, &seen_id));
	ASSERT_EQ(id, seen_id);
	ASSERT_EQ(0, kafka_decode(kafka_api_find(api)->response, version, in.p, kafka_in_left(&in),
				  &b->mem, ret_res));
	return true;
}

void broker_call(struct broker *b, int fd, enum kafka_api api, int version, const void *req,
		 void *ret_res)
{
	static int32_t id; /* of the one client's thread */

	broker_send(b, fd, api, version, ++id, req);
	ASSERT_TRUE(broker_receive(b, fd, api, version, id, ret_res));
}

/* ---- shorthands ------------------------------------------------------------------------- */

struct kafka_uuid broker_create(struct broker *b, int fd, const char *name, int32_t partitions)
{
	struct kafka_create_topics_request_topic topic = {
		.name = kafka_str_of(name), .num_partitions = partitions, .replication_factor = 1};
	struct kafka_create_topics_request req = {.topics = {&topic, 1},
						  .timeout_ms = 10000 * harness_time_scale()};
	struct kafka_create_topics_response res;

	CALL(b, fd, CREATE_TOPICS, create_topics, 7, &req, &res);
	ASSERT_EQ(1, res.topics.n);
	ASSERT_EQ(0, res.topics.v[0].error_code);
	return res.topics.v[0].topic_id;
}

int16_t broker_produce(struct broker *b, int fd, const char *topic, int n, int64_t time_ms)
{
	struct kafka_produce_request_partition part = {0};
	struct kafka_produce_request_topic t = {.name = kafka_str_of(topic),
						.partition_data = {&part, 1}};
	struct kafka_produce_request req = {.transactional_id = KAFKA_STR_NULL,
					    .acks = -1,
					    .timeout_ms = 10000 * harness_time_scale(),
					    .topic_data = {&t, 1}};
	struct kafka_produce_response res;
	struct sl_batch_builder *builder;
	struct sl_record record = {.key = (const uint8_t *)"k",
				   .value = (const uint8_t *)"v",
				   .key_bytes = 1,
				   .value_bytes = 1};
	const uint8_t *p;
	size_t len;

	ASSERT_EQ(0, sl_batch_builder_new(SL_CODEC_NONE, &builder));
	for (int i = 0; i < n; i++) {
		record.time_ms = time_ms + i;
		ASSERT_EQ(0, sl_batch_builder_add(builder, &record, NULL, 0));
	}
	ASSERT_EQ(0, sl_batch_builder_finish(builder, &p, &len));
	part.records = (struct kafka_records){p, (int32_t)len, 0};
	CALL(b, fd, PRODUCE, produce, 9, &req, &res);
	sl_batch_builder_free(builder);
	ASSERT_EQ(1, res.responses.n);
	return res.responses.v[0].partition_responses.v[0].error_code;
}

struct kafka_str broker_join(struct broker *b, int fd, const char *group, const char *assignment,
			     int32_t *ret_generation)
{
	struct kafka_join_group_request_protocol protocol = {KAFKA_STR("range"),
							     {(const uint8_t *)"meta", 4}};
	struct kafka_join_group_request join = {
		.group_id = kafka_str_of(group),
		.session_timeout_ms = 60000,
		.rebalance_timeout_ms = 5000,
		.group_instance_id = KAFKA_STR_NULL,
		.protocol_type = KAFKA_STR("consumer"),
		.protocols = {&protocol, 1},
	};
	struct kafka_join_group_response joined;
	struct kafka_sync_group_request_assignment mine = {
		.assignment = {(const uint8_t *)assignment, (int32_t)strlen(assignment)}};
	struct kafka_sync_group_request sync = {.group_id = kafka_str_of(group),
						.group_instance_id = KAFKA_STR_NULL,
						.assignments = {&mine, 1}};
	struct kafka_sync_group_response synced;

	CALL(b, fd, JOIN_GROUP, join_group, 3, &join, &joined);
	ASSERT_EQ(0, joined.error_code);
	mine.member_id = sync.member_id = joined.member_id;
	sync.generation_id = joined.generation_id;
	CALL(b, fd, SYNC_GROUP, sync_group, 3, &sync, &synced);
	ASSERT_EQ(0, synced.error_code);
	*ret_generation = joined.generation_id;
	return joined.member_id;
}
