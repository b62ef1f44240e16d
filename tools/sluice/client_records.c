// SPDX-License-Identifier: Apache-2.0
/*
 * The client's records: offsets, fetches, producer ids, batches out.
 *
 * Interface: client.h "records". Invariant: a response that tells of anything but the one
 * partition asked for is a failure of the peer.
 * Order of parts: common; reading; writing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client.h"

#define DOING_BYTES 320

/* From these versions on topics are named by id alone, which an older broker cannot tell. */
#define FETCH_BY_ID 13
#define PRODUCE_BY_ID 13

/* ---- common ----------------------------------------------------------------------------- */

static const struct client_partition *partition_find(struct client *c, const struct client_topic *t,
						     int32_t index)
{
	for (int i = 0; i < t->partitions_n; i++)
		if (t->partitions[i].index == index)
			return &t->partitions[i];
	client_fail(c, KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION,
		    "topic '%s' has no partition %d, but %d of them from 0", t->name, index,
		    t->partitions_n);
	return NULL;
}

static const char *doing_to(char *text, const char *doing, const struct client_topic *t,
			    int32_t partition)
{
	snprintf(text, DOING_BYTES, "%s partition %d of topic '%s'", doing, partition, t->name);
	return text;
}

static int strange(struct client *c, const char *doing)
{
	return client_fail(c, -EPROTO, "%s: the answer is about something else", doing);
}

static int version_max(const struct client_topic *t, int by_id)
{
	return kafka_uuid_is_zero(t->id) ? by_id - 1 : INT16_MAX;
}

/* ---- reading ---------------------------------------------------------------------------- */

static int offset_result(struct client *c, const char *doing,
			 const struct kafka_list_offsets_response *res, int64_t *ret_offset)
{
	const struct kafka_list_offsets_response_partition *p;

	if (res->topics.n != 1 || res->topics.v[0].partitions.n != 1)
		return strange(c, doing);
	p = &res->topics.v[0].partitions.v[0];
	if (p->error_code)
		return client_refused(c, p->error_code, KAFKA_STR_NULL, doing);
	*ret_offset = p->offset;
	return 0;
}

int client_offset(struct client *c, const struct client_topic *t, int32_t partition,
		  int64_t time_ms, int64_t *ret_offset)
{
	const struct client_partition *where = partition_find(c, t, partition);
	struct kafka_list_offsets_request_partition part;
	struct kafka_list_offsets_request_topic topic;
	struct kafka_list_offsets_request req;
	struct kafka_list_offsets_response res;
	struct client_reply reply = {0};
	char doing[DOING_BYTES];
	int err;

	if (!where)
		return KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	kafka_init(&kafka_list_offsets_request_partition_schema, &part);
	kafka_init(&kafka_list_offsets_request_topic_schema, &topic);
	kafka_init(&kafka_list_offsets_request_schema, &req);
	part.partition_index = partition;
	part.timestamp = time_ms;
	topic.name = kafka_str_of(t->name);
	topic.partitions.v = &part;
	topic.partitions.n = 1;
	req.replica_id = -1;
	req.topics.v = &topic;
	req.topics.n = 1;
	req.timeout_ms = client_timeout_ms(c);
	err = client_call(c, where->leader, KAFKA_LIST_OFFSETS, INT16_MAX, &req, &res, &reply);
	if (err)
		return err;
	err = offset_result(c, doing_to(doing, "asking for offsets of", t, partition), &res,
			    ret_offset);
	client_reply_done(&reply);
	return err;
}

static int fetch_result(struct client *c, const char *doing, const struct kafka_fetch_response *res,
			struct client_records *r)
{
	const struct kafka_fetch_response_partition *p;

	if (res->error_code)
		return client_refused(c, res->error_code, KAFKA_STR_NULL, doing);
	if (res->responses.n != 1 || res->responses.v[0].partitions.n != 1)
		return strange(c, doing);
	p = &res->responses.v[0].partitions.v[0];
	if (p->error_code)
		return client_refused(c, p->error_code, KAFKA_STR_NULL, doing);
	r->p = p->records.p;
	r->len = p->records.n > 0 ? (size_t)p->records.n : 0;
	r->high_watermark = p->high_watermark;
	r->log_start = p->log_start_offset;
	return 0;
}

int client_fetch(struct client *c, const struct client_topic *t, const struct client_fetch *f,
		 struct client_records *ret_records)
{
	const struct client_partition *where = partition_find(c, t, f->partition);
	struct client_records r = {0};
	struct kafka_fetch_request_partition part;
	struct kafka_fetch_request_topic topic;
	struct kafka_fetch_request req;
	struct kafka_fetch_response res;
	char doing[DOING_BYTES];
	int err;

	if (!where)
		return KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	kafka_init(&kafka_fetch_request_partition_schema, &part);
	kafka_init(&kafka_fetch_request_topic_schema, &topic);
	kafka_init(&kafka_fetch_request_schema, &req);
	part.partition = f->partition;
	part.fetch_offset = f->offset;
	part.partition_max_bytes = f->bytes_max;
	topic.topic = kafka_str_of(t->name);
	topic.topic_id = t->id;
	topic.partitions.v = &part;
	topic.partitions.n = 1;
	req.max_wait_ms = f->wait_ms;
	req.min_bytes = 1;
	req.max_bytes = f->bytes_max;
	req.topics.v = &topic;
	req.topics.n = 1;
	err = client_call(c, where->leader, KAFKA_FETCH, version_max(t, FETCH_BY_ID), &req, &res,
			  &r.reply);
	if (err)
		return err;
	err = fetch_result(c, doing_to(doing, "fetching from", t, f->partition), &res, &r);
	if (err)
		client_reply_done(&r.reply);
	else
		*ret_records = r;
	return err;
}

void client_records_done(struct client_records *r)
{
	client_reply_done(&r->reply);
}

/* ---- writing ---------------------------------------------------------------------------- */

int client_producer_id(struct client *c, int64_t *ret_id, int16_t *ret_epoch)
{
	struct kafka_init_producer_id_request req;
	struct kafka_init_producer_id_response res;
	struct client_reply reply = {0};
	int err;

	kafka_init(&kafka_init_producer_id_request_schema, &req);
	req.transactional_id = KAFKA_STR_NULL;
	req.transaction_timeout_ms = client_timeout_ms(c);
	err = client_call(c, CLIENT_ANY_NODE, KAFKA_INIT_PRODUCER_ID, INT16_MAX, &req, &res,
			  &reply);
	if (err)
		return err;
	if (res.error_code)
		err = client_refused(c, res.error_code, KAFKA_STR_NULL, "asking for a producer id");
	*ret_id = res.producer_id;
	*ret_epoch = res.producer_epoch;
	client_reply_done(&reply);
	return err;
}

static int produce_result(struct client *c, const char *doing,
			  const struct kafka_produce_response *res, int64_t *ret_base)
{
	const struct kafka_produce_response_partition *p;

	if (res->responses.n != 1 || res->responses.v[0].partition_responses.n != 1)
		return strange(c, doing);
	p = &res->responses.v[0].partition_responses.v[0];
	if (p->error_code)
		return client_refused(c, p->error_code, p->error_message, doing);
	*ret_base = p->base_offset;
	return 0;
}

int client_produce(struct client *c, const struct client_topic *t, int32_t partition, int acks,
		   const void *batch, size_t len, int64_t *ret_base)
{
	const struct client_partition *where = partition_find(c, t, partition);
	struct kafka_produce_request_partition part;
	struct kafka_produce_request_topic topic;
	struct kafka_produce_request req;
	struct kafka_produce_response res;
	struct client_reply reply = {0};
	char doing[DOING_BYTES];
	int err;

	if (!where)
		return KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	kafka_init(&kafka_produce_request_partition_schema, &part);
	kafka_init(&kafka_produce_request_topic_schema, &topic);
	kafka_init(&kafka_produce_request_schema, &req);
	part.index = partition;
	part.records = (struct kafka_records){.p = batch, .n = (int32_t)len};
	topic.name = kafka_str_of(t->name);
	topic.topic_id = t->id;
	topic.partition_data.v = &part;
	topic.partition_data.n = 1;
	req.acks = (int16_t)acks;
	req.timeout_ms = client_timeout_ms(c);
	req.topic_data.v = &topic;
	req.topic_data.n = 1;
	err = client_call(c, where->leader, KAFKA_PRODUCE, version_max(t, PRODUCE_BY_ID), &req,
			  acks ? &res : NULL, acks ? &reply : NULL);
	if (err || !acks) {
		if (!err)
			*ret_base = -1;
		return err;
	}
	err = produce_result(c, doing_to(doing, "producing to", t, partition), &res, ret_base);
	client_reply_done(&reply);
	return err;
}
