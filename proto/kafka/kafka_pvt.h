/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the handlers share.
 *
 * A handler is `int kafka_<api>_handle(rq, req, res)` in <api>.c (or with its kin): it gets the
 * decoded request and an initialised response, fills it from engine calls, and returns
 *	0		the response is to be encoded and sent,
 *	KAFKA_REPLIED	it has delivered its reply itself,
 *	-errno		the connection is to be closed.
 * What the engine refuses becomes an error code in the response by kafka_error_of(), never a
 * closed connection. Memory comes from rq->mem and lives until the response is encoded. Produce
 * alone is not decoded first: its records do not lie in memory (produce.c).
 */
#ifndef PROTO_KAFKA_PVT_H
#define PROTO_KAFKA_PVT_H

#include "codec.h"
#include "errors.h"
#include "kafka.h"
#include "messages.h"

enum { KAFKA_REPLIED = 1 };

/**
 * struct kafka_request - a request that is being served.
 * @frame_left: bytes of its frame that are still to be consumed from the connection (Produce).
 * @home, @homes_differ: of the partitions that it names (kafka_note_home()).
 * @unhold: called once the reply is encoded, to let go what the response borrows; may be NULL.
 */
struct kafka_request {
	struct sl_conn *conn;
	const struct kafka_server *server;
	struct sl_topics *topics;
	struct sl_bump *mem;
	const struct kafka_api_info *api;
	int16_t version;
	int32_t correlation_id;
	struct kafka_str client_id;
	size_t frame_left;
	void (*unhold)(void *arg);
	void *unhold_arg;
	struct sl_core *home;
	bool homes_differ;
};

/* Per connection: fetch sessions belong to fetch.c. @settled: it moves no more (brokers.c). */
struct kafka_conn {
	struct fetch_session *session;
	bool settled;
};

/* One handler for each row of apis.def. */
#define X(id, name, ...)                                                                           \
	int kafka_##name##_handle(struct kafka_request *rq,                                        \
				  const struct kafka_##name##_request *req,                        \
				  struct kafka_##name##_response *res);
#include "apis.def"
#undef X

/* produce.c: reads the body from the connection itself. */
int kafka_produce_serve(struct kafka_request *rq);

/* fetch.c: the connection ends. */
void fetch_session_free(struct fetch_session *s);

/* errmap.c: the wire code of an engine's result: 0, an enum sl_refusal, or -errno. */
int16_t kafka_error_of(int result);

/*
 * What a client may do with a topic, a group and the cluster, for those who ask: as there is no
 * authorisation, all that the protocol knows of, a bit each.
 */
enum {
	KAFKA_MAY_READ = 1 << 3,
	KAFKA_MAY_WRITE = 1 << 4,
	KAFKA_MAY_CREATE = 1 << 5,
	KAFKA_MAY_DELETE = 1 << 6,
	KAFKA_MAY_ALTER = 1 << 7,
	KAFKA_MAY_DESCRIBE = 1 << 8,
	KAFKA_MAY_ACT_ON_CLUSTER = 1 << 9,
	KAFKA_MAY_DESCRIBE_CONFIGS = 1 << 10,
	KAFKA_MAY_ALTER_CONFIGS = 1 << 11,
	KAFKA_MAY_WRITE_IDEMPOTENTLY = 1 << 12,

	KAFKA_MAY_DO_TO_GROUP = KAFKA_MAY_READ | KAFKA_MAY_DELETE | KAFKA_MAY_DESCRIBE,
	KAFKA_MAY_DO_TO_TOPIC = KAFKA_MAY_DO_TO_GROUP | KAFKA_MAY_WRITE | KAFKA_MAY_CREATE |
				KAFKA_MAY_ALTER | KAFKA_MAY_DESCRIBE_CONFIGS |
				KAFKA_MAY_ALTER_CONFIGS,
	KAFKA_MAY_DO_TO_CLUSTER = KAFKA_MAY_CREATE | KAFKA_MAY_ALTER | KAFKA_MAY_DESCRIBE |
				  KAFKA_MAY_ACT_ON_CLUSTER | KAFKA_MAY_DESCRIBE_CONFIGS |
				  KAFKA_MAY_ALTER_CONFIGS | KAFKA_MAY_WRITE_IDEMPOTENTLY,
};

/* ---- helpers (serve.c) ------------------------------------------------------------------ */

/* A reply of @parts parts and @bytes of scratch memory, or NULL: the connection's end says why. */
struct sl_reply *kafka_reply_new(struct kafka_request *rq, uint32_t parts, size_t bytes);

/* The answer to a request of @api carries @n error codes; of what was encoded: out->errors. */
void kafka_count_errors(enum kafka_api api, uint32_t n);

/* @n elements of zeroed memory for a response's array. Return: NULL when rq->mem is used up. */
void *kafka_alloc(struct kafka_request *rq, size_t n, size_t bytes);

/* A copy of @s that lives as long as the response. */
struct kafka_str kafka_strdup(struct kafka_request *rq, const char *s, size_t len);

static inline struct sl_str kafka_to_sl(struct kafka_str s)
{
	return (struct sl_str){s.n < 0 ? NULL : s.p ? s.p : "", s.n < 0 ? 0 : (size_t)s.n};
}

static inline struct kafka_str kafka_from_sl(struct sl_str s)
{
	return s.s ? (struct kafka_str){s.s, (int32_t)s.len} : KAFKA_STR_NULL;
}

static inline struct sl_uuid kafka_uuid_to_sl(struct kafka_uuid u)
{
	struct sl_uuid v;

	memcpy(v.b, u.b, sizeof(v.b));
	return v;
}

static inline struct kafka_uuid kafka_uuid_from_sl(const struct sl_uuid *u)
{
	struct kafka_uuid v;

	memcpy(v.b, u->b, sizeof(v.b));
	return v;
}

/* How the engine's long waits park for the connection @conn: they end with it (-ECONNRESET). */
int kafka_park(void *conn, struct sl_waitq *q, int64_t deadline);

/* A request's own time limit: now + @ms, within [0, 10 minutes]. */
int64_t kafka_deadline(int32_t ms);

/* The address that clients of @rq's connection are told. */
struct kafka_str kafka_advertised(struct kafka_request *rq, int32_t *ret_port);

/* ---- brokers.c -------------------------------------------------------------------------- */

uint32_t kafka_brokers_count(const struct kafka_server *s);

/* The node id under which clients find what lives on @core. */
int32_t kafka_broker_of(const struct kafka_server *s, const struct sl_core *core);

/* Whether @node_id is one of this node's. */
bool kafka_broker_is(const struct kafka_server *s, int64_t node_id);

/* A Produce or Fetch names a partition. */
void kafka_note_home(struct kafka_request *rq, const struct sl_topic *topic, uint32_t partition);

/* It was served: the first one that named any decides whether its connection moves. */
void kafka_settle(struct kafka_request *rq);

/* Where clients of @rq's connection find the broker @node_id, one of this node's. */
struct kafka_str kafka_broker_address(struct kafka_request *rq, int32_t node_id, int32_t *ret_port);

#endif
