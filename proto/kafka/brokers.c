// SPDX-License-Identifier: Apache-2.0
/*
 * brokers: who serves what, as clients are told. One broker, or with kafka.core_ports one for each
 * core: node id kafka.node_id + core, port the first one + core, so that a client goes straight to
 * the core on which a partition or group lives. Whoever comes to another core is served as well.
 *
 * Interface: kafka_broker*(), kafka_note_home(), kafka_settle() of kafka_pvt.h.
 */
#include "kafka_pvt.h"

uint32_t kafka_brokers_count(const struct kafka_server *s)
{
	return s->core_port ? s->cores : 1;
}

int32_t kafka_broker_of(const struct kafka_server *s, const struct sl_core *core)
{
	return s->node_id + (s->core_port ? (int32_t)sl_core_id(core) : 0);
}

bool kafka_broker_is(const struct kafka_server *s, int64_t node_id)
{
	return node_id >= s->node_id && node_id - s->node_id < kafka_brokers_count(s);
}

struct kafka_str kafka_broker_address(struct kafka_request *rq, int32_t node_id, int32_t *ret_port)
{
	const struct kafka_server *s = rq->server;
	struct kafka_str host = kafka_advertised(rq, ret_port);

	SL_ASSERT(kafka_broker_is(s, node_id));
	if (s->core_port)
		*ret_port = s->core_port + (node_id - s->node_id);
	return host;
}

void kafka_note_home(struct kafka_request *rq, const struct sl_topic *topic, uint32_t partition)
{
	struct sl_core *home = sl_topic_home(topic, partition);

	rq->homes_differ |= rq->home && rq->home != home;
	rq->home = home;
}

void kafka_settle(struct kafka_request *rq)
{
	struct kafka_conn *state = sl_conn_state(rq->conn);

	if (state->settled || !rq->home)
		return;
	state->settled = true;
	if (rq->server->move_conns && !rq->homes_differ)
		sl_conn_move(rq->conn, rq->home);
}
