/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Kafka client that does as it is told (wire.h has the order of parts).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "wire.h"

/* ---- time ----------------------------------------------------------------------------------- */

int64_t wire_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SL_SEC + t.tv_nsec;
}

void wire_sleep(int64_t ns)
{
	struct timespec t = {.tv_sec = ns / SL_SEC, .tv_nsec = ns % SL_SEC};

	nanosleep(&t, NULL);
}

/* ---- sockets -------------------------------------------------------------------------------- */

int wire_open(struct wire *w, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;

	*w = (struct wire){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
			   .timeout_ns = 10 * SL_SEC * harness_time_scale()};
	if (w->fd < 0)
		return -errno;
	if (connect(w->fd, (struct sockaddr *)&to, sizeof(to))) {
		int err = -errno;

		wire_close(w);
		return err;
	}
	setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return 0;
}

void wire_close(struct wire *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

void wire_must_open(struct wire *w, uint16_t port)
{
	ASSERT_EQ(0, wire_open(w, port));
}

/* Waits for @events. Return: 0, -ETIME. */
static int wait_for(struct wire *w, short events, int64_t deadline)
{
	struct pollfd p = {.fd = w->fd, .events = events};
	int64_t left = deadline - wire_now();

	if (left <= 0)
		return -ETIME;
	if (poll(&p, 1, (int)(left / SL_MSEC) + 1) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

static int end_of(ssize_t n)
{
	if (n == 0 || errno == EPIPE || errno == ECONNRESET)
		return -ECONNRESET;
	return -errno;
}

int wire_send(struct wire *w, const void *p, size_t len)
{
	int64_t deadline = wire_now() + w->timeout_ns;
	const uint8_t *at = p;

	if (w->fd < 0)
		return -ECONNRESET;
	while (len) {
		ssize_t n = send(w->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		int err = n > 0 ? 0 : errno == EAGAIN ? wait_for(w, POLLOUT, deadline) : end_of(n);

		if (err)
			return err;
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int wire_recv(struct wire *w, void *p, size_t len)
{
	int64_t deadline = wire_now() + w->timeout_ns;
	uint8_t *at = p;

	if (w->fd < 0)
		return -ECONNRESET;
	while (len) {
		ssize_t n = recv(w->fd, at, len, MSG_DONTWAIT);
		int err = n > 0			      ? 0
			  : n < 0 && errno == EAGAIN ? wait_for(w, POLLIN, deadline)
						      : end_of(n);

		if (err)
			return err;
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int wire_closed(struct wire *w)
{
	uint8_t byte;
	int err = wire_recv(w, &byte, 1);

	return err == -ECONNRESET ? 0 : err ? err : -EPROTO;
}

bool wire_quiet(const struct wire *w)
{
	struct pollfd p = {.fd = w->fd, .events = POLLIN};

	return poll(&p, 1, 0) == 0;
}

/* ---- requests ------------------------------------------------------------------------------- */

uint8_t *wire_encode(enum kafka_api api, int version, int32_t correlation, const void *req,
		     size_t *ret_len)
{
	static const char who[] = "faults";
	struct kafka_str id = {who, sizeof(who) - 1};
	struct kafka_sizes sizes;
	struct kafka_out out;
	uint8_t *p;

	ASSERT_EQ(0, kafka_request_size(api, version, id, req, &sizes));
	p = malloc(sizes.mem_bytes);
	ASSERT_TRUE(p != NULL);
	kafka_out_init(&out, p, sizes.mem_bytes);
	ASSERT_EQ(0, kafka_request_encode(api, version, correlation, id, req, &sizes, &out));
	*ret_len = out.len;
	return p;
}

void wire_answer_done(struct wire_answer *a)
{
	sl_bump_done(&a->mem);
	free(a->buf);
	*a = (struct wire_answer){0};
}

int wire_ask(struct wire *w, enum kafka_api api, int version, const void *req)
{
	size_t len;
	uint8_t *p = wire_encode(api, version, ++w->correlation, req, &len);
	int err = wire_send(w, p, len);

	free(p);
	return err;
}

int wire_frame(struct wire *w, struct wire_answer *a)
{
	uint8_t prefix[KAFKA_FRAME_PREFIX_BYTES];
	int err = wire_recv(w, prefix, sizeof(prefix));

	*a = (struct wire_answer){0};
	if (err)
		return err;
	a->len = sl_load_be32(prefix);
	ASSERT_LE(4, a->len);
	ASSERT_GE(UINT32_C(256) << 20, a->len);
	a->buf = malloc(a->len);
	ASSERT_TRUE(a->buf != NULL);
	err = wire_recv(w, a->buf, a->len);
	if (err)
		wire_answer_done(a);
	return err;
}

int wire_answer(struct wire *w, enum kafka_api api, int version, void *ret_res,
		struct wire_answer *a)
{
	const struct kafka_api_info *info = kafka_api_find(api);
	struct kafka_in in;
	int32_t correlation;
	int err = wire_frame(w, a);

	if (err)
		return err;
	kafka_in_init(&in, a->buf, a->len);
	sl_bump_init(&a->mem, NULL, 0, 64 << 20);
	ASSERT_EQ(0, kafka_response_header_decode(&in, api, version, &correlation));
	ASSERT_EQ(++w->answered, correlation);
	ASSERT_EQ(0, kafka_decode(info->response, version, in.p, kafka_in_left(&in), &a->mem,
				  ret_res));
	return 0;
}

int wire_call(struct wire *w, enum kafka_api api, int version, const void *req, void *ret_res,
	      struct wire_answer *a)
{
	int err = wire_ask(w, api, version, req);

	*a = (struct wire_answer){0};
	return err ? err : wire_answer(w, api, version, ret_res, a);
}

static int result_of(int16_t code)
{
	return code < 0 ? -EREMOTEIO : code;
}

int wire_ping(struct wire *w)
{
	struct kafka_api_versions_request req;
	struct kafka_api_versions_response res;
	struct wire_answer a;
	int err;

	kafka_init(&kafka_api_versions_request_schema, &req);
	err = wire_call(w, KAFKA_API_VERSIONS, 2, &req, &res, &a);
	if (!err)
		err = result_of(res.error_code);
	wire_answer_done(&a);
	return err;
}

/* ---- topics --------------------------------------------------------------------------------- */

int wire_topic_create(struct wire *w, const char *name, int32_t partitions, const char *setting)
{
	struct kafka_create_topics_request req;
	struct kafka_create_topics_request_topic topic;
	struct kafka_create_topics_request_config config;
	struct kafka_create_topics_response res;
	struct wire_answer a;
	int err;

	kafka_init(&kafka_create_topics_request_schema, &req);
	kafka_init(&kafka_create_topics_request_topic_schema, &topic);
	topic.name = kafka_str_of(name);
	topic.num_partitions = partitions;
	topic.replication_factor = -1;
	if (setting) {
		config.name = (struct kafka_str){setting, (int32_t)strcspn(setting, "=")};
		config.value = kafka_str_of(setting + config.name.n + 1);
		topic.configs.v = &config;
		topic.configs.n = 1;
	}
	req.topics.v = &topic;
	req.topics.n = 1;
	err = wire_call(w, KAFKA_CREATE_TOPICS, 5, &req, &res, &a);
	if (!err)
		err = res.topics.n == 1 ? result_of(res.topics.v[0].error_code) : -EPROTO;
	wire_answer_done(&a);
	return err == KAFKA_ERR_TOPIC_ALREADY_EXISTS ? 0 : err;
}

int wire_topic_delete(struct wire *w, const char *name)
{
	struct kafka_delete_topics_request req;
	struct kafka_delete_topics_response res;
	struct kafka_str names = kafka_str_of(name);
	struct wire_answer a;
	int err;

	kafka_init(&kafka_delete_topics_request_schema, &req);
	req.topic_names.v = &names;
	req.topic_names.n = 1;
	req.timeout_ms = 10000;
	err = wire_call(w, KAFKA_DELETE_TOPICS, 4, &req, &res, &a);
	if (!err)
		err = res.responses.n == 1 ? result_of(res.responses.v[0].error_code) : -EPROTO;
	wire_answer_done(&a);
	return err;
}

/* ---- batches -------------------------------------------------------------------------------- */

/* The bytes that follow a number: not compressible to nothing, cheap to make and to compare. */
static void fill_value(uint8_t *p, size_t len, uint64_t number)
{
	uint64_t x = number * UINT64_C(0x9e3779b97f4a7c15) + 1;

	sl_store_be64(p, number);
	for (size_t i = 8; i < len; i += 8) {
		uint8_t word[8];

		x ^= x >> 29;
		x *= UINT64_C(0xbf58476d1ce4e5b9);
		sl_store_be64(word, x);
		memcpy(p + i, word, sl_min(sizeof(word), len - i));
	}
}

int wire_value_number(const uint8_t *p, size_t len, uint64_t *ret_number)
{
	uint8_t *expected;
	uint64_t number;
	int differs;

	if (len < 8)
		return -EBADMSG;
	number = sl_load_be64(p);
	expected = malloc(len);
	ASSERT_TRUE(expected != NULL);
	fill_value(expected, len, number);
	differs = memcmp(expected, p, len);
	free(expected);
	if (differs)
		return -EBADMSG;
	*ret_number = number;
	return 0;
}

uint8_t *wire_batch_make(const struct wire_batch *b, size_t *ret_len)
{
	uint8_t *value = malloc(sl_max(b->value_bytes, 8u));
	struct sl_batch_builder *builder;
	const uint8_t *p;
	uint8_t *copy;

	ASSERT_TRUE(value != NULL);
	ASSERT_EQ(0, sl_batch_builder_new(b->codec, &builder));
	for (uint32_t i = 0; i < b->n; i++) {
		struct sl_record r = {.time_ms = 1000000 + (int64_t)(b->first + i), .value = value,
				      .value_bytes = sl_max(b->value_bytes, 8u)};

		fill_value(value, r.value_bytes, b->first + i);
		ASSERT_EQ(0, sl_batch_builder_add(builder, &r, NULL, 0));
	}
	if (b->producer_id >= 0)
		sl_batch_builder_producer(builder, b->producer_id, b->producer_epoch, b->sequence);
	ASSERT_EQ(0, sl_batch_builder_finish(builder, &p, ret_len));
	copy = malloc(*ret_len);
	ASSERT_TRUE(copy != NULL);
	memcpy(copy, p, *ret_len);
	sl_batch_builder_free(builder);
	free(value);
	return copy;
}

/* ---- produce -------------------------------------------------------------------------------- */

void wire_produce_fill(struct wire_produce *p, const char *topic, int32_t partition, int acks,
		       const void *records, size_t len)
{
	kafka_init(&kafka_produce_request_schema, &p->req);
	kafka_init(&kafka_produce_request_topic_schema, &p->topic);
	kafka_init(&kafka_produce_request_partition_schema, &p->part);
	p->req.transactional_id = KAFKA_STR_NULL;
	p->req.acks = (int16_t)acks;
	p->req.timeout_ms = 30000;
	p->req.topic_data.v = &p->topic;
	p->req.topic_data.n = 1;
	p->topic.name = kafka_str_of(topic);
	p->topic.partition_data.v = &p->part;
	p->topic.partition_data.n = 1;
	p->part.index = partition;
	p->part.records = (struct kafka_records){.p = records, .n = records ? (int32_t)len : -1};
}

int wire_produce(struct wire *w, const char *topic, int32_t partition, int acks,
		 const void *records, size_t len, int64_t *ret_base)
{
	struct wire_produce p;
	struct kafka_produce_response res;
	struct wire_answer a;
	int err;

	wire_produce_fill(&p, topic, partition, acks, records, len);
	err = wire_call(w, KAFKA_PRODUCE, WIRE_PRODUCE_VERSION, &p.req, &res, &a);
	if (!err) {
		const struct kafka_produce_response_partition *r;

		ASSERT_EQ(1, res.responses.n);
		ASSERT_EQ(1, res.responses.v[0].partition_responses.n);
		r = &res.responses.v[0].partition_responses.v[0];
		EXPECT_EQ(partition, r->index);
		err = result_of(r->error_code);
		if (ret_base)
			*ret_base = r->base_offset;
	}
	wire_answer_done(&a);
	return err;
}

int wire_produce_one(struct wire *w, const char *topic, int32_t partition, uint64_t number)
{
	struct wire_batch b = {.first = number, .n = 1, .value_bytes = 100, .producer_id = -1};
	size_t len;
	uint8_t *p = wire_batch_make(&b, &len);
	int err = wire_produce(w, topic, partition, -1, p, len, NULL);

	free(p);
	return err;
}

int wire_producer_id(struct wire *w, int64_t *ret_id, int16_t *ret_epoch)
{
	struct kafka_init_producer_id_request req;
	struct kafka_init_producer_id_response res;
	struct wire_answer a;
	int err;

	kafka_init(&kafka_init_producer_id_request_schema, &req);
	req.transactional_id = KAFKA_STR_NULL;
	err = wire_call(w, KAFKA_INIT_PRODUCER_ID, 2, &req, &res, &a);
	if (!err)
		err = result_of(res.error_code);
	if (!err) {
		*ret_id = res.producer_id;
		*ret_epoch = res.producer_epoch;
	}
	wire_answer_done(&a);
	return err;
}

/* ---- fetch ---------------------------------------------------------------------------------- */

void wire_fetch_fill(struct wire_fetch *f, const char *topic, int32_t partition, int64_t offset,
		     int32_t bytes_max, int32_t wait_ms)
{
	kafka_init(&kafka_fetch_request_schema, &f->req);
	kafka_init(&kafka_fetch_request_topic_schema, &f->topic);
	kafka_init(&kafka_fetch_request_partition_schema, &f->part);
	f->req.max_wait_ms = wait_ms;
	f->req.min_bytes = 1;
	f->req.max_bytes = bytes_max;
	f->req.topics.v = &f->topic;
	f->req.topics.n = 1;
	f->topic.topic = kafka_str_of(topic);
	f->topic.partitions.v = &f->part;
	f->topic.partitions.n = 1;
	f->part.partition = partition;
	f->part.fetch_offset = offset;
	f->part.partition_max_bytes = bytes_max;
}

int wire_fetch(struct wire *w, const char *topic, int32_t partition, int64_t offset,
	       int32_t bytes_max, int32_t wait_ms, struct wire_fetched *ret)
{
	const struct kafka_fetch_response_partition *r;
	struct kafka_fetch_response res;
	struct wire_fetch f;
	int err;

	*ret = (struct wire_fetched){0};
	wire_fetch_fill(&f, topic, partition, offset, bytes_max, wait_ms);
	err = wire_call(w, KAFKA_FETCH, WIRE_FETCH_VERSION, &f.req, &res, &ret->answer);
	if (err)
		return err;
	if (res.error_code)
		return result_of(res.error_code);
	ASSERT_EQ(1, res.responses.n);
	ASSERT_EQ(1, res.responses.v[0].partitions.n);
	r = &res.responses.v[0].partitions.v[0];
	EXPECT_EQ(partition, r->partition_index);
	ret->high_watermark = r->high_watermark;
	ret->log_start = r->log_start_offset;
	ret->records = r->records.p;
	ret->len = r->records.n > 0 ? (size_t)r->records.n : 0;
	return result_of(r->error_code);
}

/* The records of one batch. */
static int each_record(const uint8_t *p, size_t len, const struct sl_batch *b, int64_t from,
		       int (*each)(void *arg, int64_t offset, const uint8_t *value, size_t n),
		       void *arg)
{
	struct sl_records *records;
	struct sl_record r;
	int64_t next = b->base_offset;
	int err = sl_records_open(p, len, 64 << 20, &records);

	if (err)
		return err;
	while ((err = sl_records_next(records, &r)) > 0) {
		if (r.offset != next++) {
			err = -EBADMSG;
			break;
		}
		err = r.offset < from ? 0 : each(arg, r.offset, r.value, r.value_bytes);
		if (err)
			break;
	}
	sl_records_close(records);
	if (!err && next != b->base_offset + b->records)
		err = -EBADMSG;
	return err;
}

int wire_each(const uint8_t *p, size_t len, int64_t from,
	      int (*each)(void *arg, int64_t offset, const uint8_t *value, size_t value_len),
	      void *arg, int64_t *ret_next)
{
	int64_t next = -1;

	*ret_next = from;
	while (len >= SL_BATCH_HEADER_BYTES) {
		struct sl_batch b;
		int64_t bytes;
		int err;

		sl_batch_load(p, &b);
		bytes = sl_batch_bytes(&b);
		if (bytes > (int64_t)len)
			break;
		if (bytes < SL_BATCH_HEADER_BYTES || b.magic != 2 ||
		    sl_crc32c(0, p + SL_BATCH_ATTRIBUTES, (size_t)bytes - SL_BATCH_ATTRIBUTES) !=
			    b.crc ||
		    (next >= 0 && b.base_offset != next))
			return -EBADMSG;
		err = each_record(p, (size_t)bytes, &b, from, each, arg);
		if (err)
			return err;
		next = b.base_offset + b.last_delta + 1;
		*ret_next = sl_max(next, from);
		p += bytes;
		len -= (size_t)bytes;
	}
	return 0;
}

int wire_read_all(struct wire *w, const char *topic, int32_t partition,
		  int (*each)(void *arg, int64_t offset, const uint8_t *value, size_t value_len),
		  void *arg, int64_t *ret_end)
{
	int64_t at = 0;

	for (;;) {
		struct wire_fetched f;
		int64_t next = at;
		int err = wire_fetch(w, topic, partition, at, 4 << 20, 0, &f);
		bool end = at >= f.high_watermark;

		if (!err)
			err = wire_each(f.records, f.len, at, each, arg, &next);
		wire_answer_done(&f.answer);
		if (err)
			return err;
		if (end)
			break;
		if (next == at)
			return -ENODATA;
		at = next;
	}
	*ret_end = at;
	return 0;
}

struct counting {
	const char *topic;
	int32_t partition;
};

static int check_number(void *arg, int64_t offset, const uint8_t *value, size_t len)
{
	const struct counting *c = arg;
	uint64_t number = 0;
	int err = wire_value_number(value, len, &number);

	if (!err && number == (uint64_t)offset)
		return 0;
	TH_LOG("%s-%d: offset %lld holds %s %llu", c->topic, c->partition, (long long)offset,
	       err ? "a damaged value" : "number", (unsigned long long)number);
	return -EBADMSG;
}

int64_t wire_count_once(struct wire *w, const char *topic, int32_t partition)
{
	struct counting c = {topic, partition};
	int64_t end = 0;
	int err = wire_read_all(w, topic, partition, check_number, &c, &end);

	if (err)
		TH_LOG("%s-%d: read: %s", topic, partition,
		       err > 0 ? kafka_error_name(err) : strerror(-err));
	return err ? (err > 0 ? -EREMOTEIO : err) : end;
}
