// SPDX-License-Identifier: Apache-2.0
/*
 * Records into a topic: batches per partition, sequences, retries.
 *
 * Interface: producer.h. Invariants: at most one batch is in flight, so a sequence is used again
 * only for the same bytes; a partition's sequence moves on only when its batch was acknowledged.
 * Order of parts: lanes; sending; the producer.
 */
#include "producer.h"

#include <errno.h>
#include <stdlib.h>

#include "net.h"

#define BACKOFF_MIN_NS (10 * SL_MSEC)
#define BACKOFF_MAX_NS (500 * SL_MSEC)

/* A partition's batch in the making. */
struct lane {
	struct sl_batch_builder *builder; /* NULL until it gets a record */
	int32_t sequence;
	uint32_t records;
};

struct producer {
	struct client *c;
	struct client_topic *topic;
	struct producer_conf conf;
	int64_t id;
	int16_t epoch;
	int failed; /* nothing more is sent */
	uint64_t waiting, acked;
	int32_t lanes_n;
	struct lane lanes[];
};

/* ---- sending ---------------------------------------------------------------------------- */

static bool is_idempotent(const struct producer *p)
{
	return p->conf.acks == -1;
}

/* The broker no longer leads the partition, or does not know it yet: who does? */
static void topic_refresh(struct producer *p, int err)
{
	struct client_topic t;

	if (err != KAFKA_ERR_NOT_LEADER_OR_FOLLOWER && err != KAFKA_ERR_LEADER_NOT_AVAILABLE &&
	    err != KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION && err != KAFKA_ERR_UNKNOWN_TOPIC_ID)
		return;
	if (client_topic_find(p->c, p->topic->name, false, &t))
		return;
	if (t.partitions_n < p->topic->partitions_n || !kafka_uuid_eq(t.id, p->topic->id)) {
		client_topic_done(&t); /* another topic of this name: not what we began with */
		return;
	}
	client_topic_done(p->topic);
	*p->topic = t;
}

/* After a lost connection only an idempotent batch may be sent again. */
static bool may_retry(const struct producer *p, int err)
{
	return client_may_retry(err) && (err > 0 || is_idempotent(p) || err == -ECONNREFUSED);
}

static int batch_send(struct producer *p, int32_t partition, const void *batch, size_t len,
		      int64_t *ret_base)
{
	int64_t deadline = now_ns() + p->conf.retry_ns;
	int64_t backoff = BACKOFF_MIN_NS;

	for (;;) {
		int err = client_produce(p->c, p->topic, partition, p->conf.acks, batch, len,
					 ret_base);

		if (err == KAFKA_ERR_DUPLICATE_SEQUENCE_NUMBER) {
			*ret_base = -1;
			return 0;
		}
		if (!err || !may_retry(p, err) || now_ns() + backoff >= deadline)
			return err;
		sleep_ns(backoff);
		backoff = sl_min(2 * backoff, BACKOFF_MAX_NS);
		topic_refresh(p, err);
	}
}

static int lane_send(struct producer *p, int32_t partition)
{
	struct lane *lane = &p->lanes[partition];
	const uint8_t *batch;
	int64_t base = -1;
	size_t len;
	int err;

	if (!lane->records)
		return 0;
	if (is_idempotent(p))
		sl_batch_builder_producer(lane->builder, p->id, p->epoch, lane->sequence);
	err = sl_batch_builder_finish(lane->builder, &batch, &len);
	if (err)
		return client_fail(p->c, err, "building a batch: out of memory");
	err = batch_send(p, p->topic->partitions[partition].index, batch, len, &base);
	if (err)
		return err;
	lane->sequence = (int32_t)(((uint32_t)lane->sequence + lane->records) & INT32_MAX);
	p->acked += lane->records;
	p->waiting -= lane->records;
	if (p->conf.acked)
		p->conf.acked(p->conf.arg, p->topic->partitions[partition].index, base,
			      lane->records);
	lane->records = 0;
	return 0;
}

/* ---- the producer ----------------------------------------------------------------------- */

/* A broker that has just started may not give out ids yet. */
static int id_get(struct producer *p)
{
	int64_t deadline = now_ns() + p->conf.retry_ns;
	int64_t backoff = BACKOFF_MIN_NS;

	for (;;) {
		int err = client_producer_id(p->c, &p->id, &p->epoch);

		if (!err || !client_may_retry(err) || now_ns() + backoff >= deadline)
			return err;
		sleep_ns(backoff);
		backoff = sl_min(2 * backoff, BACKOFF_MAX_NS);
	}
}

int producer_new(struct client *c, struct client_topic *topic, const struct producer_conf *conf,
		 struct producer **ret_producer)
{
	struct producer *p =
		calloc(1, sizeof(*p) + (size_t)topic->partitions_n * sizeof(p->lanes[0]));
	int err;

	if (!p)
		return client_fail(c, -ENOMEM, "producing: out of memory");
	p->c = c;
	p->topic = topic;
	p->conf = *conf;
	p->lanes_n = topic->partitions_n;
	if (is_idempotent(p)) {
		err = id_get(p);
		if (err) {
			free(p);
			return err;
		}
	}
	*ret_producer = p;
	return 0;
}

/* What a record adds to a batch at most: its bytes, lengths and deltas of varying size. */
static size_t record_room(const struct sl_record *r, const struct sl_record_header *headers,
			  uint32_t n)
{
	size_t bytes = r->key_bytes + r->value_bytes + 40;

	for (uint32_t i = 0; i < n; i++)
		bytes += headers[i].key_bytes + headers[i].value_bytes + 10;
	return bytes;
}

int producer_add(struct producer *p, int32_t partition, const struct sl_record *record,
		 const struct sl_record_header *headers, uint32_t headers_n)
{
	struct lane *lane;

	if (p->failed)
		return p->failed;
	if (partition < 0 || partition >= p->lanes_n)
		return client_fail(p->c, KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION,
				   "topic '%s' has no partition %d, but %d of them from 0",
				   p->topic->name, partition, p->lanes_n);
	lane = &p->lanes[partition];
	if (!lane->builder && sl_batch_builder_new(p->conf.codec, &lane->builder))
		return p->failed = client_fail(p->c, -ENOMEM, "producing: out of memory");
	if (lane->records && SL_BATCH_HEADER_BYTES + sl_batch_builder_bytes(lane->builder) +
					     record_room(record, headers, headers_n) >
				     p->conf.batch_bytes)
		p->failed = lane_send(p, partition);
	if (p->failed)
		return p->failed;
	if (sl_batch_builder_add(lane->builder, record, headers, headers_n))
		return p->failed = client_fail(p->c, -ENOMEM, "producing: out of memory");
	lane->records++;
	p->waiting++;
	return 0;
}

int producer_flush(struct producer *p)
{
	for (int32_t i = 0; i < p->lanes_n && !p->failed; i++)
		p->failed = lane_send(p, i);
	return p->failed;
}

uint64_t producer_waiting(const struct producer *p)
{
	return p->waiting;
}

uint64_t producer_acked(const struct producer *p)
{
	return p->acked;
}

void producer_free(struct producer *p)
{
	if (!p)
		return;
	for (int32_t i = 0; i < p->lanes_n; i++)
		sl_batch_builder_free(p->lanes[i].builder);
	free(p);
}
