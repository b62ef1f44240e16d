/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Kafka server on one core of this process (server.h).
 */
#include <fcntl.h>

#include "harness.h"
#include "server.h"
#include "serving.h"

void server_init(struct server *s, const char *path)
{
	*s = (struct server){
		.path = path,
		.conf = {
			.cores = 1,
			.epoch = 1,
			.log = {.durability = SL_DURABILITY_GROUP, .segment_bytes = 64 << 10,
				.epoch = 1},
			.logs = {.background = true},
			.batch_bytes_max = SL_MIB,
			.partitions_max = 1000,
			.group_session_min_ns = SL_SEC,
			.group_session_max_ns = 60 * SL_SEC,
			.offsets_retention_ns = 3600 * SL_SEC,
			.group_members_max = 100,
		},
		.kafka = {
			.cluster_id = "faults",
			.node_id = 1,
			.epoch = 1,
			.default_partitions = 1,
			.request_bytes_max = 8 << 20,
			.fetch_bytes_max = 8 << 20,
		},
	};
}

static void run_client(void *arg)
{
	struct server *s = arg;

	s->served = true;
	s->client(s, s->arg);
}

static void drain(void *arg)
{
	sl_topics_drain(((struct kafka_server *)arg)->topics);
}

static int run_core(void *arg)
{
	struct server *s = arg;
	struct serving serving = {.proto = &kafka_proto,
				  .server = &s->kafka,
				  .limits = &serving_limits,
				  .client = run_client,
				  .arg = s,
				  .drain = drain,
				  .ret_port = &s->port};
	int err;

	s->conf.dir = sl_open(AT_FDCWD, s->path, O_RDONLY | O_DIRECTORY, 0, SL_NEVER);
	if (s->conf.dir < 0)
		return s->conf.dir;
	err = sl_topics_open(&s->conf, &s->topics);
	if (!err)
		err = sl_topics_start(s->topics, SL_NEVER);
	if (!err) {
		s->kafka.topics = s->topics;
		serving_run(&serving);
		s->stopped = sl_topics_stop(s->topics, SL_NEVER);
	}
	sl_topics_close(s->topics);
	s->topics = NULL;
	sl_close(s->conf.dir);
	return err;
}

int server_run(struct server *s)
{
	struct sl_cores_conf cores = {.n = 1, .arena_bytes_max = 256 << 20, .rx_buffers = 32,
				      .backend = s->backend};
	const char *const *apis;
	uint32_t n;
	int err;

	apis = kafka_api_names(&n);
	cores.registry = serving_registry(1, "kafka", apis, n);
	s->served = false;
	err = sl_core_run(&cores, run_core, s);
	sl_registry_free(cores.registry);
	return err;
}
