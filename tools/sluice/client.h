/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client: a small blocking Kafka client on the codec of proto/kafka, for our own tools and tests.
 * One thread, one request at a time; connections are opened when they are needed, and again after
 * they broke.
 *
 * Results: 0; a positive enum kafka_error, as the broker said (its UNKNOWN_SERVER_ERROR, -1, is
 * -EREMOTEIO); or a negative -errno of ours or of the network. client_error() then holds one line
 * that says what happened, to what, and where it is known what to do.
 *
 * Order of parts: the client; requests; topics; records; a producer (producer.h has more).
 */
#ifndef TOOLS_SLUICE_CLIENT_H
#define TOOLS_SLUICE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/kafka/kafka.h"

struct client;

/**
 * struct client_conf - @bootstrap: "HOST:PORT", or several separated by commas.
 * @timeout_ns: for each request, its connection included.
 */
struct client_conf {
	const char *bootstrap;
	int64_t timeout_ns;
};

/* Connects and learns the broker's versions. *ret_client is set even on failure, for
 * client_error(), unless the result is -ENOMEM. */
int client_new(const struct client_conf *conf, struct client **ret_client);

/* Accepts NULL. */
void client_free(struct client *c);

/* What went wrong last; good until the next call. */
const char *client_error(const struct client *c);

/* Whether the same call may succeed later: a retriable code, or a network that failed. */
bool client_may_retry(int err);

/* ---- requests --------------------------------------------------------------------------- */

/* Owns what a decoded response points at. Zeroed is empty. */
struct client_reply {
	uint8_t *buf;
	struct sl_bump mem;
};

void client_reply_done(struct client_reply *reply);

#define CLIENT_ANY_NODE (-1)

/**
 * client_call() - one request and its response, in the highest version that both sides have.
 * @node: a broker's id from metadata, or CLIENT_ANY_NODE. @version_max: the caller's own limit.
 * @ret_res: the response's struct; NULL: the broker will not answer (Produce with acks=0).
 * @reply: what it points at; the caller's, to be done with after success only.
 * Return: 0; -errno. Error codes inside the response are the caller's business.
 */
int client_call(struct client *c, int32_t node, enum kafka_api api, int version_max,
		const void *req, void *ret_res, struct client_reply *reply);

/* Notes a message for client_error() and returns @err. */
__attribute__((format(printf, 3, 4))) int client_fail(struct client *c, int err, const char *format,
						      ...);

/* The same for an error code in a response to "@doing"; @said: the broker's own words, or null. */
int client_refused(struct client *c, int code, struct kafka_str said, const char *doing);

/* Time limit of a request, ms, as requests carry it. */
int32_t client_timeout_ms(const struct client *c);

/* ---- topics ----------------------------------------------------------------------------- */

struct client_partition {
	int32_t index, leader, leader_epoch;
	int error; /* kafka_error */
};

/* By rising index of partition. */
struct client_topic {
	char name[SL_TOPIC_NAME_MAX + 1];
	struct kafka_uuid id; /* zero: the broker has no ids */
	bool internal;
	int32_t partitions_n;
	struct client_partition *partitions;
};

/* Frees what it owns. Accepts a zeroed one. */
void client_topic_done(struct client_topic *t);

/**
 * client_topic_find() - ask for a topic.
 * @create: let the broker create it, if it does so; waits until it has leaders.
 */
int client_topic_find(struct client *c, const char *name, bool create,
		      struct client_topic *ret_topic);

/* All topics, sorted by name; free with client_topics_free(). */
int client_topics(struct client *c, struct client_topic **ret_topics, size_t *ret_n);
void client_topics_free(struct client_topic *topics, size_t n);

struct client_setting {
	struct kafka_str name, value; /* value null: the default */
};

/* @partitions: -1 is the broker's default. */
int client_topic_create(struct client *c, const char *name, int32_t partitions,
			const struct client_setting *settings, size_t n);

int client_topic_delete(struct client *c, const char *name);

/* ---- records ---------------------------------------------------------------------------- */

/* Times that ask for an end of the log: LIST_OFFSETS' own. */
enum { CLIENT_LATEST = -1, CLIENT_EARLIEST = -2 };

/**
 * client_offset() - the first offset at or after @time_ms, or one of the above.
 * *@ret_offset is -1 if there is none so late.
 */
int client_offset(struct client *c, const struct client_topic *t, int32_t partition,
		  int64_t time_ms, int64_t *ret_offset);

/* What a fetch brought; records point into the reply. */
struct client_records {
	struct client_reply reply;
	const uint8_t *p;
	size_t len;
	int64_t high_watermark; /* the end of what may be read */
	int64_t log_start;
};

struct client_fetch {
	int32_t partition;
	int64_t offset;
	int32_t bytes_max;
	int32_t wait_ms; /* how long the broker may wait for one byte */
};

int client_fetch(struct client *c, const struct client_topic *t, const struct client_fetch *f,
		 struct client_records *ret_records);

void client_records_done(struct client_records *r);

/* A new idempotent producer. */
int client_producer_id(struct client *c, int64_t *ret_id, int16_t *ret_epoch);

/**
 * client_produce() - one batch into one partition.
 * @acks: 0, 1 or -1 (all). *@ret_base: offset of its first record, -1 with acks 0.
 */
int client_produce(struct client *c, const struct client_topic *t, int32_t partition, int acks,
		   const void *batch, size_t len, int64_t *ret_base);

#endif
