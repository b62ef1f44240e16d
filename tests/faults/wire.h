/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Kafka client that does as it is told: one socket, whole frames or any bytes, well-formed
 * requests by the codec of proto/kafka, any number of them in flight.
 *
 * Results: 0, or a Kafka error code (> 0; UNKNOWN_SERVER_ERROR, -1, is -EREMOTEIO) where a call
 * looks into the response, or -errno: -ECONNRESET when the connection ended, -ETIME.
 *
 * Order of parts: time; sockets; requests; topics; batches; produce; fetch.
 */
#ifndef TESTS_FAULTS_WIRE_H
#define TESTS_FAULTS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/kafka/errors.h"
#include "proto/kafka/kafka.h"
#include "proto/kafka/messages.h"

/* ---- time ----------------------------------------------------------------------------------- */

int64_t wire_now(void);
void wire_sleep(int64_t ns);

/* ---- sockets -------------------------------------------------------------------------------- */

/**
 * struct wire - a connection. @fd: blocking, -1 when closed. @timeout_ns: of each wait for the
 * server. @correlation: of the last request sent; @answered: of the last answer.
 */
struct wire {
	int fd;
	int64_t timeout_ns;
	int32_t correlation, answered;
};

int wire_open(struct wire *w, uint16_t port);
void wire_close(struct wire *w);

/* A failure to connect ends the test. */
void wire_must_open(struct wire *w, uint16_t port);

int wire_send(struct wire *w, const void *p, size_t len);

/* Exactly @len bytes. */
int wire_recv(struct wire *w, void *p, size_t len);

/* Waits until the server has closed the connection. Return: 0; -EPROTO: it sent bytes; -ETIME. */
int wire_closed(struct wire *w);

/* Whether the server has neither sent anything nor closed the connection by now. */
bool wire_quiet(const struct wire *w);

/* ---- requests ------------------------------------------------------------------------------- */

/* Bytes of a request; to be freed. Never NULL. */
uint8_t *wire_encode(enum kafka_api api, int version, int32_t correlation, const void *req,
		     size_t *ret_len);

/* Owns what a decoded answer points at. Zeroed is empty. */
struct wire_answer {
	uint8_t *buf;
	size_t len;
	struct sl_bump mem;
};

void wire_answer_done(struct wire_answer *a);

/* Sends a request and does not wait. */
int wire_ask(struct wire *w, enum kafka_api api, int version, const void *req);

/* The next answer, which must be to the request after the last one answered. */
int wire_answer(struct wire *w, enum kafka_api api, int version, void *ret_res,
		struct wire_answer *a);

/* Both. */
int wire_call(struct wire *w, enum kafka_api api, int version, const void *req, void *ret_res,
	      struct wire_answer *a);

/* The next frame, whatever it is: a->buf, a->len bytes behind the length. */
int wire_frame(struct wire *w, struct wire_answer *a);

/* A request that costs the server little: ApiVersions. */
int wire_ping(struct wire *w);

/* ---- topics --------------------------------------------------------------------------------- */

/* @setting: a topic's own, "durability=each"; NULL: none. Existing is fine. */
int wire_topic_create(struct wire *w, const char *name, int32_t partitions, const char *setting);
int wire_topic_delete(struct wire *w, const char *name);

/* ---- batches -------------------------------------------------------------------------------- */

/**
 * struct wire_batch - a batch of @n records with the numbers @first, @first + 1, …, each of
 * @value_bytes (>= 8): the number and bytes that follow from it. The same struct always makes the
 * same bytes. @producer_id: -1 is none.
 */
struct wire_batch {
	uint64_t first;
	uint32_t n;
	uint32_t value_bytes;
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t sequence;
	enum sl_codec codec;
};

/* To be freed. Never NULL. */
uint8_t *wire_batch_make(const struct wire_batch *b, size_t *ret_len);

/* The number of a record's value. Return: 0, or -EBADMSG if the value is not what belongs to it. */
int wire_value_number(const uint8_t *p, size_t len, uint64_t *ret_number);

/* ---- produce -------------------------------------------------------------------------------- */

enum { WIRE_PRODUCE_VERSION = 9 };

/* A Produce request of one partition. */
struct wire_produce {
	struct kafka_produce_request req;
	struct kafka_produce_request_topic topic;
	struct kafka_produce_request_partition part;
};

/* Fills @p, which points into itself: do not copy. */
void wire_produce_fill(struct wire_produce *p, const char *topic, int32_t partition, int acks,
		       const void *records, size_t len);

/* Sends @len bytes of records for one partition and waits. *@ret_base may be NULL. */
int wire_produce(struct wire *w, const char *topic, int32_t partition, int acks,
		 const void *records, size_t len, int64_t *ret_base);

/* The same for a batch of one record that is not idempotent. */
int wire_produce_one(struct wire *w, const char *topic, int32_t partition, uint64_t number);

int wire_producer_id(struct wire *w, int64_t *ret_id, int16_t *ret_epoch);

/* ---- fetch ---------------------------------------------------------------------------------- */

enum { WIRE_FETCH_VERSION = 11 };

/* A Fetch request of one partition. */
struct wire_fetch {
	struct kafka_fetch_request req;
	struct kafka_fetch_request_topic topic;
	struct kafka_fetch_request_partition part;
};

/* Fills @f, which points into itself: do not copy. */
void wire_fetch_fill(struct wire_fetch *f, const char *topic, int32_t partition, int64_t offset,
		     int32_t bytes_max, int32_t wait_ms);

/* What one fetch brought: @records point into @answer. */
struct wire_fetched {
	struct wire_answer answer;
	int64_t high_watermark, log_start;
	const uint8_t *records;
	size_t len;
};

/* *@ret is to be done with by wire_answer_done(&ret->answer) whatever the result. */
int wire_fetch(struct wire *w, const char *topic, int32_t partition, int64_t offset,
	       int32_t bytes_max, int32_t wait_ms, struct wire_fetched *ret);

/**
 * wire_each() - call @each for every record of @len bytes of batches from offset @from on.
 * Every batch is checked: its checksum, that it follows the one before, its number of records.
 * @ret_next: offset behind the last whole batch. A partial batch at the end is passed over.
 * Return: 0, -EBADMSG, or what @each returned other than 0.
 */
int wire_each(const uint8_t *p, size_t len, int64_t from,
	      int (*each)(void *arg, int64_t offset, const uint8_t *value, size_t value_len),
	      void *arg, int64_t *ret_next);

/* Reads a whole partition by fetches. @ret_end: offset behind the last record. */
int wire_read_all(struct wire *w, const char *topic, int32_t partition,
		  int (*each)(void *arg, int64_t offset, const uint8_t *value, size_t value_len),
		  void *arg, int64_t *ret_end);

/**
 * wire_count_once() - read a partition in which the record of offset N has the number N.
 * Return: how many records there are, all in order and once; or -errno after a line of what is
 * wrong.
 */
int64_t wire_count_once(struct wire *w, const char *topic, int32_t partition);

#endif
