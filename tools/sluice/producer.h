/* SPDX-License-Identifier: Apache-2.0 */
/*
 * producer: records into a topic, batched per partition, one request at a time.
 *
 * With acks -1 (all) it is idempotent: each batch carries a producer id and sequence and is sent
 * again, the same bytes, until it is acknowledged, refused for good, or the time is over; so each
 * record is stored once and in order, whatever becomes of connections or of the daemon meanwhile.
 */
#ifndef TOOLS_SLUICE_PRODUCER_H
#define TOOLS_SLUICE_PRODUCER_H

#include "client.h"

/**
 * struct producer_conf - how to produce.
 * @acks: 0, 1 or -1. @batch_bytes: a batch is sent before its records, uncompressed, exceed this;
 * a longer record goes alone. @retry_ns: how long a batch is tried.
 * @acked: told after each acknowledged batch (may be NULL): @records of them, of which the first
 * has offset @base (-1: acks 0, or a duplicate whose offset the broker no longer knows).
 */
struct producer_conf {
	int acks;
	enum sl_codec codec;
	size_t batch_bytes;
	int64_t retry_ns;
	void (*acked)(void *arg, int32_t partition, int64_t base, uint32_t records);
	void *arg;
};

struct producer;

/* @c and @topic outlive it. */
int producer_new(struct client *c, struct client_topic *topic, const struct producer_conf *conf,
		 struct producer **ret_producer);

/**
 * producer_add() - one record for @partition; sends when that fills a batch.
 * After a failure nothing more can be sent: what is stored and what is not is then known up to
 * the last call of acked().
 */
int producer_add(struct producer *p, int32_t partition, const struct sl_record *record,
		 const struct sl_record_header *headers, uint32_t headers_n);

/* Sends what waits in any partition. */
int producer_flush(struct producer *p);

/* Records that wait; records that were acknowledged. */
uint64_t producer_waiting(const struct producer *p);
uint64_t producer_acked(const struct producer *p);

/* Accepts NULL. What waits is lost. */
void producer_free(struct producer *p);

#endif
