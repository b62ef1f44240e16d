/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Kafka server on one core of this process, its engine on as many as wanted, and a plain
 * blocking client in a thread, which speaks through the codec.
 *
 * Order of parts: the server; calls; shorthands.
 */
#ifndef TESTS_PROTO_KAFKA_BROKER_H
#define TESTS_PROTO_KAFKA_BROKER_H

#include "harness.h"
#include "proto/kafka/bump.h"
#include "proto/kafka/kafka.h"
#include "serving.h"

/* ---- the server ------------------------------------------------------------------------- */

/**
 * struct broker - a server for one test; broker_init() sets what broker_run() uses.
 * @server, @topics: may be changed in between (topics.cores too). @drain_ns: what the listener may
 * take to drain. @client: runs in a thread of its own while the server serves; afterwards the
 * listener drains, then the engine stops.
 * @mem: where the client's messages live, until the end.
 */
struct broker {
	struct kafka_server server;
	struct sl_topics_conf topics;
	void (*client)(struct broker *b);
	int64_t drain_ns;
	struct sl_bump mem;
	struct sl_registry *registry;
	uint16_t port;
	uint32_t served, stopped; /* cores that have come so far: atomics */
};

void broker_init(struct broker *b, void (*client)(struct broker *b));

/* May be called again, on the same folder; anything that fails on the server's side ends the
 * test. */
void broker_run(struct broker *b);

/* Both, with nothing changed. */
void broker_test(void (*client)(struct broker *b));

/* The sum of a metric over all cores; @label: the value of one of its labels, or NULL for all. */
uint64_t broker_metric(const struct broker *b, enum sl_metric_id id, const char *label);

/* ---- calls ------------------------------------------------------------------------------ */

/* A connection, which also takes raw bytes (serving.h). */
int broker_connect(const struct broker *b);

/* Sends a request; @api and @version as the frame shall say. */
void broker_send(struct broker *b, int fd, enum kafka_api api, int version, int32_t id,
		 const void *req);

/* The response to it; false at the connection's end. */
bool broker_receive(struct broker *b, int fd, enum kafka_api api, int version, int32_t id,
		    void *ret_res);

/* Both; the test ends if there is no response. */
void broker_call(struct broker *b, int fd, enum kafka_api api, int version, const void *req,
		 void *ret_res);

/* ---- shorthands ------------------------------------------------------------------------- */

/* CALL(b, fd, METADATA, metadata, 12, &req, &res) */
#define CALL(b, fd, ID, name, version, req, res)                                                   \
	do {                                                                                       \
		const struct kafka_##name##_request *call_req_ = (req);                            \
		struct kafka_##name##_response *call_res_ = (res);                                 \
		broker_call(b, fd, KAFKA_##ID, version, call_req_, call_res_);                     \
	} while (0)

/* Creates @name; returns its id. */
struct kafka_uuid broker_create(struct broker *b, int fd, const char *name, int32_t partitions);

/* Appends a batch of @n records, the first of time @time_ms and the others each 1 ms later, to
 * partition 0. Return: the response's error code. */
int16_t broker_produce(struct broker *b, int fd, const char *topic, int n, int64_t time_ms);

/* Joins @group alone as a new member and gives itself @assignment. The member's id is returned,
 * the generation by *ret_generation. */
struct kafka_str broker_join(struct broker *b, int fd, const char *group, const char *assignment,
			     int32_t *ret_generation);

#define EXPECT_STR(expected, seen)                                                                 \
	({                                                                                         \
		struct kafka_str seen_ = (seen);                                                   \
		EXPECT_EQ((int)strlen(expected), seen_.n) &&                                       \
			EXPECT_MEMEQ(expected, seen_.p, strlen(expected));                         \
	})

#endif
