/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka: the Apache Kafka protocol over stores/topics. The door that tools/ includes.
 */
#ifndef PROTO_KAFKA_KAFKA_H
#define PROTO_KAFKA_KAFKA_H

#include "dataplane/dataplane.h"
#include "stores/topics/topics.h"

#include "errors.h"
#include "messages.h"

/**
 * struct kafka_server - what the connections of a Kafka listener need (sl_conn_arg()); the same
 * for all cores and not changed while they serve.
 * @host, @port: as advertised to clients; an empty host: the address that the client reached.
 * @core_port: 0; or core i of @cores is a broker of its own, node @node_id + i at @core_port + i.
 * @cluster_id: as DATADIR has it. @epoch: leader epoch of this start of the node.
 */
struct kafka_server {
	struct sl_topics *topics;
	char host[256];
	char cluster_id[64];
	int32_t port;
	int32_t node_id;
	int32_t core_port;
	uint32_t cores;
	uint32_t epoch;
	uint32_t default_partitions;
	bool auto_create_topics;
	bool move_conns; /* node.steering_move */
	uint64_t request_bytes_max;
	uint64_t fetch_bytes_max;
};

extern const struct sl_proto kafka_proto;

/* The values of the metrics' label `api`, by key. */
const char *const *kafka_api_names(uint32_t *ret_n);

#endif
