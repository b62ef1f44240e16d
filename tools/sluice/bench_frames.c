// SPDX-License-Identifier: Apache-2.0
/*
 * Requests made once, to be sent many times: a batch never changes, so neither does its checksum;
 * only the frame's correlation id and a fetch's offset are written anew.
 *
 * Interface: "requests made beforehand" of bench.h. Invariant: requests name topics, not ids, and
 * are in encodings without varying lengths, so that every position is known beforehand.
 * Order of parts: batches; requests; responses.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

/* Of a request, what surrounds its batch at most. */
#define AROUND_BYTES 400
#define CLIENT_ID "sluice-bench"

/* ---- batches ---------------------------------------------------------------------------- */

/* Bytes that look like text and do not repeat, the same in each run. */
static void text_fill(uint8_t *p, size_t n)
{
	uint64_t x = 1;

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)('a' + sl_mix64(x++) % 26);
}

static int batch_build(const struct bench_options *o, struct sl_batch_builder *b,
		       uint32_t *ret_records)
{
	size_t limit = o->request_bytes > AROUND_BYTES ? o->request_bytes - AROUND_BYTES : 0;
	uint8_t *value = malloc(o->record_bytes ? o->record_bytes : 1);
	struct sl_record r = {.value = value, .value_bytes = o->record_bytes};
	uint32_t n = 0;
	int err = value ? 0 : -ENOMEM;

	if (!err)
		text_fill(value, o->record_bytes);
	r.time_ms = (int64_t)time(NULL) * 1000;
	while (!err) {
		size_t next = sl_batch_builder_bytes(b) + o->record_bytes + 20;

		if (n && (!o->request_bytes || next > limit))
			break;
		err = sl_batch_builder_add(b, &r, NULL, 0);
		n++;
	}
	free(value);
	*ret_records = n;
	return err;
}

/* ---- requests --------------------------------------------------------------------------- */

static int frame_encode(enum kafka_api api, int version, const void *req,
			struct bench_frame *ret_frame)
{
	struct kafka_str id = KAFKA_STR(CLIENT_ID);
	struct kafka_sizes sizes;
	struct kafka_out out;
	int err = kafka_request_size(api, version, id, req, &sizes);

	if (err)
		return err;
	ret_frame->p = malloc(sizes.mem_bytes);
	if (!ret_frame->p)
		return -ENOMEM;
	kafka_out_init(&out, ret_frame->p, sizes.mem_bytes);
	err = kafka_request_encode(api, version, 0, id, req, &sizes, &out);
	if (err) {
		bench_frame_done(ret_frame);
		return err;
	}
	ret_frame->len = out.len;
	ret_frame->correlation_at = KAFKA_FRAME_PREFIX_BYTES + 4; /* behind key and version */
	return 0;
}

void bench_frame_done(struct bench_frame *f)
{
	free(f->p);
	*f = (struct bench_frame){0};
}

static int produce_encode(const struct bench_options *o, const char *topic_name, int32_t partition,
			  const uint8_t *batch, size_t len, struct bench_frame *ret_frame)
{
	struct kafka_produce_request_partition part;
	struct kafka_produce_request_topic topic;
	struct kafka_produce_request req;

	kafka_init(&kafka_produce_request_partition_schema, &part);
	kafka_init(&kafka_produce_request_topic_schema, &topic);
	kafka_init(&kafka_produce_request_schema, &req);
	part.index = partition;
	part.records = (struct kafka_records){.p = batch, .n = (int32_t)len};
	topic.name = kafka_str_of(topic_name);
	topic.partition_data.v = &part;
	topic.partition_data.n = 1;
	req.acks = (int16_t)o->acks;
	req.timeout_ms = (int32_t)(o->timeout_ns / SL_MSEC);
	req.topic_data.v = &topic;
	req.topic_data.n = 1;
	return frame_encode(KAFKA_PRODUCE, BENCH_PRODUCE_VERSION, &req, ret_frame);
}

int bench_produce_frame(const struct bench_options *o, const char *topic, int32_t partition,
			struct bench_frame *ret_frame)
{
	struct bench_frame f = {0};
	struct sl_batch_builder *b;
	const uint8_t *batch;
	int err = sl_batch_builder_new(SL_CODEC_NONE, &b);

	if (err)
		return err;
	err = batch_build(o, b, &f.records);
	if (!err)
		err = sl_batch_builder_finish(b, &batch, &f.batch_bytes);
	if (!err)
		err = produce_encode(o, topic, partition, batch, f.batch_bytes, &f);
	sl_batch_builder_free(b);
	if (!err)
		*ret_frame = f;
	return err;
}

int bench_fetch_frame(const char *topic_name, int32_t partition, size_t batch_bytes,
		      struct bench_frame *ret_frame)
{
	const int64_t mark = INT64_C(0x5a5b5c5d5e5f6061);
	struct kafka_fetch_request_partition part;
	struct kafka_fetch_request_topic topic;
	struct kafka_fetch_request req;
	uint8_t wire[8];
	uint8_t *at;
	int err;

	kafka_init(&kafka_fetch_request_partition_schema, &part);
	kafka_init(&kafka_fetch_request_topic_schema, &topic);
	kafka_init(&kafka_fetch_request_schema, &req);
	part.partition = partition;
	part.fetch_offset = mark;
	part.partition_max_bytes = (int32_t)batch_bytes;
	topic.topic = kafka_str_of(topic_name);
	topic.partitions.v = &part;
	topic.partitions.n = 1;
	req.max_wait_ms = 500;
	req.min_bytes = 1;
	req.max_bytes = (int32_t)batch_bytes;
	req.topics.v = &topic;
	req.topics.n = 1;
	err = frame_encode(KAFKA_FETCH, BENCH_FETCH_VERSION, &req, ret_frame);
	if (err)
		return err;
	sl_store_be64(wire, (uint64_t)mark);
	at = memmem(ret_frame->p, ret_frame->len, wire, sizeof(wire));
	SL_ASSERT(at);
	ret_frame->offset_at = (size_t)(at - ret_frame->p);
	ret_frame->batch_bytes = batch_bytes;
	return 0;
}

/* ---- responses -------------------------------------------------------------------------- */

size_t bench_response_head(enum bench_kind kind, const char *topic)
{
	size_t name = 2 + strlen(topic);

	/* correlation, topics, name, partitions, index, error, three times 8 bytes, throttle */
	if (kind != BENCH_FETCH)
		return 4 + 4 + name + 4 + 4 + 2 + 3 * 8 + 4;
	/* correlation, throttle, error, session, topics, name, partitions, index, error,
	 * three times 8 bytes, aborted, replica, length of records */
	return 4 + 4 + 2 + 4 + 4 + name + 4 + 4 + 2 + 3 * 8 + 4 + 4 + 4;
}

static void skip_to_partition(struct kafka_in *in)
{
	kafka_get_i32(in); /* topics */
	kafka_get_str(in, false);
	kafka_get_i32(in); /* partitions */
	kafka_get_i32(in); /* index */
}

int bench_response(enum bench_kind kind, const uint8_t *p, size_t n, int32_t *ret_correlation,
		   int *ret_code, int64_t *ret_records)
{
	struct kafka_in in;
	int code = 0;

	kafka_in_init(&in, p, n);
	*ret_correlation = kafka_get_i32(&in);
	*ret_records = 0;
	if (kind == BENCH_FETCH) {
		kafka_get_i32(&in); /* throttle */
		code = kafka_get_i16(&in);
		kafka_get_i32(&in); /* session */
		if (code)
			goto out;
	}
	skip_to_partition(&in);
	code = kafka_get_i16(&in);
	if (kind == BENCH_FETCH && !code) {
		kafka_get_raw(&in, 3 * 8);
		if (kafka_get_i32(&in) > 0)
			return -EBADMSG; /* aborted transactions: nobody made any here */
		kafka_get_i32(&in); /* replica */
		*ret_records = kafka_get_i32(&in);
	}
out:
	*ret_code = code;
	return in.err ? -EBADMSG : 0;
}
