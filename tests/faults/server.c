/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Kafka server on one core of this process (server.h).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "harness.h"
#include "server.h"

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

/* The tables of names that tools/sluiced gives. */
static void name_dimensions(struct sl_registry *r)
{
	static const char *const listeners[] = {"kafka"};
	static const char *closes[SL_CLOSE_LAST], *rungs[SL_RUNG_LAST], *falls[SL_FALLBACK_LAST];
	const char *const *apis;
	uint32_t n;

	for (int i = 0; i < SL_CLOSE_LAST; i++)
		closes[i] = sl_close_name((enum sl_close)i);
	for (int i = 0; i < SL_RUNG_LAST; i++)
		rungs[i] = sl_rung_name((enum sl_rung)i);
	for (int i = 0; i < SL_FALLBACK_LAST; i++)
		falls[i] = sl_fallback_name((enum sl_fallback)i);
	apis = kafka_api_names(&n);
	sl_registry_dim(r, SL_DIM_LISTENER, listeners, 1);
	sl_registry_dim(r, SL_DIM_CLOSE, closes, SL_CLOSE_LAST);
	sl_registry_dim(r, SL_DIM_RUNG, rungs, SL_RUNG_LAST);
	sl_registry_dim(r, SL_DIM_FALLBACK, falls, SL_FALLBACK_LAST);
	sl_registry_dim(r, SL_DIM_API, apis, n);
}

static void *run_client(void *arg)
{
	struct server *s = arg;

	s->client(s, s->arg);
	__atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void serve(struct server *s)
{
	static const struct sl_conn_limits limits = {
		.idle_ns = 30 * SL_SEC,
		.header_ns = 10 * SL_SEC,
		.write_ns = 10 * SL_SEC,
		.memory_bytes = 4 << 20,
		.ahead_bytes = 256 << 10,
		.replies = 64,
		.conns = 100,
	};
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_storage bound;
	struct sl_listener *listener;
	pthread_t thread;
	char why[256];

	ASSERT_EQ(0, sl_listen((struct sockaddr *)&any, sizeof(any), &kafka_proto, &s->kafka, 0,
			       &limits, &listener, why, sizeof(why)));
	ASSERT_EQ(0, sl_listener_addr(listener, &bound));
	s->port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
	s->served = true;
	s->done = 0;
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_client, s));
	while (!__atomic_load_n(&s->done, __ATOMIC_ACQUIRE))
		sl_sleep(sl_clock_ns() + SL_MSEC);
	pthread_join(thread, NULL);
	sl_topics_drain(s->topics);
	sl_listener_drain(listener, sl_clock_ns() + 3 * SL_SEC);
	sl_listener_free(listener);
}

static int run_core(void *arg)
{
	struct server *s = arg;
	int err;

	s->conf.dir = sl_open(AT_FDCWD, s->path, O_RDONLY | O_DIRECTORY, 0, SL_NEVER);
	if (s->conf.dir < 0)
		return s->conf.dir;
	err = sl_topics_open(&s->conf, &s->topics);
	if (!err)
		err = sl_topics_start(s->topics, SL_NEVER);
	if (!err) {
		s->kafka.topics = s->topics;
		serve(s);
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
	int err;

	ASSERT_EQ(0, sl_registry_new(1, &cores.registry));
	name_dimensions(cores.registry);
	s->served = false;
	err = sl_core_run(&cores, run_core, s);
	sl_registry_free(cores.registry);
	return err;
}
