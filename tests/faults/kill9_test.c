/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluiced is killed with -9 at random moments, again and again, while an idempotent producer with
 * several requests in flight notes what was acknowledged, and a group's member reads and commits.
 *
 * The records of a partition are numbered as they are produced, so if each is stored once and in
 * order, a record's number is its offset: that is checked of every acknowledgement, of every
 * fetch meanwhile, and of all that is there at the end. What was not acknowledged may be missing
 * from the end, but nothing may be doubled or in between. What a reader has seen never goes, nor
 * does a committed offset go back.
 *
 * Order of parts: a run; the producer; the group's member; the killer; the tests.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "harness.h"
#include "wire.h"

/* ---- a run ---------------------------------------------------------------------------------- */

enum { PARTITIONS = 3, ROUNDS = 15 };

static const char topic[] = "killed";
static const char group[] = "readers";

/* What is set up before the threads start, and what they tell each other. */
struct run {
	struct daemon_kit d;
	atomic_uint port; /* 0: nobody there */
	atomic_bool stop;
	atomic_uint begun; /* partitions of which something was acknowledged */
	uint32_t records_max, value_bytes; /* of a batch */
	int64_t pause_ns;		   /* between batches */
	uint64_t produced[PARTITIONS], acked[PARTITIONS]; /* the producer's, until it is joined */
	int64_t seen[PARTITIONS], committed[PARTITIONS], tried[PARTITIONS]; /* the member's */
	unsigned reconnects, commits, joins;
};

/* Each thread draws for itself: harness_random() belongs to the main thread. */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Connects to whoever serves now. Return: whether it is connected. */
static bool connected(struct run *r, struct wire *w)
{
	unsigned port;

	if (w->fd >= 0)
		return true;
	port = atomic_load(&r->port);
	if (port && !wire_open(w, (uint16_t)port))
		return true;
	wire_sleep(SL_MSEC);
	return false;
}

/* ---- the producer --------------------------------------------------------------------------- */

/* Kafka remembers five batches of a producer in a partition: no more are in flight. */
enum { IN_FLIGHT = 6, PIECES = 2 };
static_assert(IN_FLIGHT * PIECES <= 4 * PARTITIONS, "at most four batches a partition");

struct piece {
	int32_t partition;
	uint64_t first;
	uint32_t n;
};

struct request {
	struct piece pieces[PIECES];
};

/* The queue holds what is not acknowledged, oldest first; the first @sent are on the wire. */
struct producer {
	struct run *r;
	struct wire w;
	uint64_t random;
	int64_t id;
	int16_t epoch;
	struct request queue[IN_FLIGHT];
	unsigned n, sent;
	int32_t turn;
};

static void add_request(struct producer *p)
{
	struct request *q = &p->queue[p->n++];

	for (int i = 0; i < PIECES; i++) {
		int32_t partition = p->turn++ % PARTITIONS;
		uint32_t n = 1 + (uint32_t)(draw(&p->random) % p->r->records_max);

		q->pieces[i] = (struct piece){partition, p->r->produced[partition], n};
		p->r->produced[partition] += n;
	}
}

static uint8_t *make_batch(const struct producer *p, const struct piece *piece, size_t *ret_len)
{
	struct wire_batch b = {
		.first = piece->first,
		.n = piece->n,
		.value_bytes = p->r->value_bytes,
		.producer_id = p->id,
		.producer_epoch = p->epoch,
		.sequence = (int32_t)piece->first,
	};

	return wire_batch_make(&b, ret_len);
}

static int send_request(struct producer *p, const struct request *q)
{
	struct kafka_produce_request_partition parts[PIECES];
	struct wire_produce f;
	uint8_t *batches[PIECES];
	int err;

	wire_produce_fill(&f, topic, 0, -1, NULL, 0);
	for (int i = 0; i < PIECES; i++) {
		size_t len;

		batches[i] = make_batch(p, &q->pieces[i], &len);
		kafka_init(&kafka_produce_request_partition_schema, &parts[i]);
		parts[i].index = q->pieces[i].partition;
		parts[i].records = (struct kafka_records){.p = batches[i], .n = (int32_t)len};
	}
	f.topic.partition_data.v = parts;
	f.topic.partition_data.n = PIECES;
	err = wire_ask(&p->w, KAFKA_PRODUCE, WIRE_PRODUCE_VERSION, &f.req);
	for (int i = 0; i < PIECES; i++)
		free(batches[i]);
	return err;
}

static void note_acknowledged(struct producer *p, const struct piece *piece,
			      const struct kafka_produce_response_partition *o)
{
	uint64_t *acked = &p->r->acked[piece->partition];

	if (!EXPECT_EQ(0, o->error_code) || !EXPECT_EQ(piece->partition, o->index) ||
	    !EXPECT_EQ((int64_t)piece->first, o->base_offset) || !EXPECT_EQ(piece->first, *acked))
		TH_LOG("partition %d, %u records from %llu: %s", piece->partition, piece->n,
		       (unsigned long long)piece->first, kafka_error_name(o->error_code));
	if (!*acked)
		p->r->begun++;
	*acked = sl_max(*acked, piece->first + piece->n);
}

/* The answer to the oldest request. */
static int take_answer(struct producer *p)
{
	struct kafka_produce_response res;
	struct wire_answer a;
	int err = wire_answer(&p->w, KAFKA_PRODUCE, WIRE_PRODUCE_VERSION, &res, &a);

	if (!err) {
		ASSERT_EQ(1, res.responses.n);
		ASSERT_EQ(PIECES, res.responses.v[0].partition_responses.n);
		for (int i = 0; i < PIECES; i++)
			note_acknowledged(p, &p->queue[0].pieces[i],
					  &res.responses.v[0].partition_responses.v[i]);
		memmove(&p->queue[0], &p->queue[1], (p->n - 1) * sizeof(p->queue[0]));
		p->n--;
		p->sent--;
	}
	wire_answer_done(&a);
	return err;
}

static void *produce(void *arg)
{
	struct producer *p = arg;

	while (!atomic_load(&p->r->stop)) {
		int err = 0;

		if (!connected(p->r, &p->w))
			continue;
		while (p->n < IN_FLIGHT)
			add_request(p);
		while (!err && p->sent < p->n)
			err = send_request(p, &p->queue[p->sent++]);
		if (!err)
			err = take_answer(p);
		if (!err) {
			wire_sleep(p->r->pause_ns);
			continue;
		}
		EXPECT_NE(-ETIME, err);
		wire_close(&p->w);
		p->sent = 0;
		p->r->reconnects++;
	}
	wire_close(&p->w);
	return NULL;
}

/* ---- the group's member --------------------------------------------------------------------- */

struct member {
	struct run *r;
	struct wire w;
	char id[200];
	int32_t generation;
	bool joined, resumed;
};

static int join(struct member *m)
{
	struct kafka_join_group_request req;
	struct kafka_join_group_request_protocol protocol = {.name = KAFKA_STR("range")};
	struct kafka_join_group_response res;
	struct wire_answer a;
	int err;

	kafka_init(&kafka_join_group_request_schema, &req);
	req.group_id = kafka_str_of(group);
	req.session_timeout_ms = 6000;
	req.rebalance_timeout_ms = 1000;
	req.member_id = kafka_str_of(m->id);
	req.protocol_type = KAFKA_STR("consumer");
	req.protocols.v = &protocol;
	req.protocols.n = 1;
	err = wire_call(&m->w, KAFKA_JOIN_GROUP, 3, &req, &res, &a);
	if (!err)
		err = res.error_code;
	if (!err) {
		ASSERT_GT((int32_t)sizeof(m->id), res.member_id.n);
		memcpy(m->id, res.member_id.p, (size_t)res.member_id.n);
		m->id[res.member_id.n] = '\0';
		m->generation = res.generation_id;
	}
	if (err == KAFKA_ERR_UNKNOWN_MEMBER_ID)
		m->id[0] = '\0';
	wire_answer_done(&a);
	return err;
}

static int sync_assignment(struct member *m)
{
	struct kafka_sync_group_request req;
	struct kafka_sync_group_request_assignment mine = {
		.member_id = kafka_str_of(m->id), .assignment = {(const uint8_t *)"all", 3}};
	struct kafka_sync_group_response res;
	struct wire_answer a;
	int err;

	kafka_init(&kafka_sync_group_request_schema, &req);
	req.group_id = kafka_str_of(group);
	req.generation_id = m->generation;
	req.member_id = kafka_str_of(m->id);
	req.assignments.v = &mine;
	req.assignments.n = 1;
	err = wire_call(&m->w, KAFKA_SYNC_GROUP, 2, &req, &res, &a);
	if (!err)
		err = res.error_code;
	wire_answer_done(&a);
	return err;
}

static int commit(struct member *m)
{
	struct kafka_offset_commit_request req;
	struct kafka_offset_commit_request_topic t = {.name = kafka_str_of(topic)};
	struct kafka_offset_commit_request_partition parts[PARTITIONS];
	struct kafka_offset_commit_response res;
	struct wire_answer a;
	int err;

	kafka_init(&kafka_offset_commit_request_schema, &req);
	req.group_id = kafka_str_of(group);
	req.generation_id_or_member_epoch = m->generation;
	req.member_id = kafka_str_of(m->id);
	req.topics.v = &t;
	req.topics.n = 1;
	t.partitions.v = parts;
	t.partitions.n = PARTITIONS;
	for (int32_t i = 0; i < PARTITIONS; i++) {
		kafka_init(&kafka_offset_commit_request_partition_schema, &parts[i]);
		parts[i].partition_index = i;
		parts[i].committed_offset = m->r->tried[i] = m->r->seen[i];
	}
	err = wire_call(&m->w, KAFKA_OFFSET_COMMIT, 6, &req, &res, &a);
	for (int32_t i = 0; !err && i < PARTITIONS; i++) {
		err = res.topics.v[0].partitions.v[i].error_code;
		if (!err)
			m->r->committed[i] = m->r->seen[i];
	}
	wire_answer_done(&a);
	m->r->commits += !err;
	return err;
}

/* What the group has committed lies between the last commit acknowledged and the last tried. */
static int resume(struct run *r, struct wire *w)
{
	struct kafka_offset_fetch_request req;
	struct kafka_offset_fetch_request_topic t = {.name = kafka_str_of(topic)};
	int32_t indexes[PARTITIONS];
	struct kafka_offset_fetch_response res;
	struct wire_answer a;
	int err;

	for (int32_t i = 0; i < PARTITIONS; i++)
		indexes[i] = i;
	kafka_init(&kafka_offset_fetch_request_schema, &req);
	req.group_id = kafka_str_of(group);
	req.topics.v = &t;
	req.topics.n = 1;
	t.partition_indexes.v = indexes;
	t.partition_indexes.n = PARTITIONS;
	err = wire_call(w, KAFKA_OFFSET_FETCH, 5, &req, &res, &a);
	if (!err)
		err = res.error_code;
	for (int32_t i = 0; !err && i < PARTITIONS; i++) {
		int64_t at = res.topics.v[0].partitions.v[i].committed_offset;

		EXPECT_EQ(0, res.topics.v[0].partitions.v[i].error_code);
		if (!EXPECT_LE(r->committed[i], sl_max(at, 0)) ||
		    !EXPECT_GE(r->tried[i], sl_max(at, 0)))
			TH_LOG("partition %d: committed %lld", i, (long long)at);
		r->committed[i] = r->seen[i] = sl_max(at, 0);
	}
	wire_answer_done(&a);
	return err;
}

static int check_number(void *arg, int64_t offset, const uint8_t *value, size_t len)
{
	uint64_t number = UINT64_MAX;

	if (!EXPECT_EQ(0, wire_value_number(value, len, &number)) ||
	    !EXPECT_EQ((uint64_t)offset, number))
		return -EBADMSG;
	return 0;
}

static int read_some(struct member *m, int32_t partition)
{
	struct wire_fetched f;
	int64_t next;
	int err = wire_fetch(&m->w, topic, partition, m->r->seen[partition], 1 << 20, 5, &f);

	if (!err) {
		err = wire_each(f.records, f.len, m->r->seen[partition], check_number, NULL,
				&next);
		EXPECT_EQ(0, err);
		m->r->seen[partition] = next;
	}
	EXPECT_NE(KAFKA_ERR_OFFSET_OUT_OF_RANGE, err);
	wire_answer_done(&f.answer);
	return err;
}

static int take_part(struct member *m)
{
	int err = 0;

	if (!m->resumed) {
		err = resume(m->r, &m->w);
		m->resumed = !err;
	}
	if (!err && !m->joined) {
		err = join(m);
		if (!err)
			err = sync_assignment(m);
		m->joined = !err;
		m->r->joins++;
	}
	for (int32_t i = 0; !err && i < PARTITIONS; i++)
		err = read_some(m, i);
	if (!err)
		err = commit(m);
	return err;
}

static void *consume(void *arg)
{
	struct member *m = arg;

	while (!atomic_load(&m->r->stop)) {
		int err;

		if (!connected(m->r, &m->w))
			continue;
		err = take_part(m);
		if (!err)
			continue;
		if (err < 0) {
			EXPECT_NE(-ETIME, err);
			wire_close(&m->w);
			m->resumed = false;
			continue;
		}
		if (err == KAFKA_ERR_UNKNOWN_MEMBER_ID || err == KAFKA_ERR_ILLEGAL_GENERATION ||
		    err == KAFKA_ERR_REBALANCE_IN_PROGRESS)
			m->joined = false;
		else if (!EXPECT_EQ(KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS, err))
			TH_LOG("the group's member: %s", kafka_error_name(err));
		wire_sleep(5 * SL_MSEC);
	}
	wire_close(&m->w);
	return NULL;
}

/* ---- the killer ----------------------------------------------------------------------------- */

/* Lives of 0 to 250 ms after the greeting, and now and then one that ends while it recovers. */
static void kill_again_and_again(struct run *r)
{
	int64_t slowest_ns = 0;

	for (int i = 0; i < ROUNDS; i++) {
		wire_sleep((int64_t)(harness_random() % 250) * SL_MSEC * harness_time_scale());
		if (!EXPECT_TRUE(daemon_runs(&r->d)))
			return;
		atomic_store(&r->port, 0);
		daemon_kill(&r->d);
		if (harness_random() % 4 == 0) {
			daemon_launch(&r->d);
			wire_sleep((int64_t)(harness_random() % 20) * SL_MSEC);
			daemon_kill(&r->d);
		}
		daemon_must_start(&r->d);
		slowest_ns = sl_max(slowest_ns, r->d.ready_ns);
		atomic_store(&r->port, r->d.kafka_port);
	}
	TH_LOG("slowest start %lld ms", (long long)(slowest_ns / SL_MSEC));
}

/* Reads everything back from a daemon that nobody writes to. */
static void check_all(struct run *r)
{
	struct wire w;

	wire_must_open(&w, r->d.kafka_port);
	for (int32_t i = 0; i < PARTITIONS; i++) {
		int64_t end = wire_count_once(&w, topic, i);

		TH_LOG("partition %d: %lld records, %llu acknowledged, %llu sent", i,
		       (long long)end, (unsigned long long)r->acked[i],
		       (unsigned long long)r->produced[i]);
		EXPECT_LE((int64_t)r->acked[i], end);
		EXPECT_GE((int64_t)r->produced[i], end);
		EXPECT_LE(r->seen[i], end);
		EXPECT_LT(0, (int64_t)r->acked[i]);
	}
	EXPECT_EQ(0, resume(r, &w));
	wire_close(&w);
}

static void run(struct run *r)
{
	struct producer p = {.r = r, .w.fd = -1, .random = harness_seed()};
	struct member m = {.r = r, .w.fd = -1};
	pthread_t producer, consumer;
	struct wire w;

	daemon_must_start(&r->d);
	wire_must_open(&w, r->d.kafka_port);
	ASSERT_EQ(0, wire_topic_create(&w, topic, PARTITIONS, NULL));
	ASSERT_EQ(0, wire_producer_id(&w, &p.id, &p.epoch));
	wire_close(&w);
	atomic_store(&r->port, r->d.kafka_port);
	ASSERT_EQ(0, pthread_create(&producer, NULL, produce, &p));
	ASSERT_EQ(0, pthread_create(&consumer, NULL, consume, &m));
	kill_again_and_again(r);
	wire_sleep(100 * SL_MSEC);
	/* A slow machine may have killed before every answer; the test's own limit ends this. */
	while (atomic_load(&r->begun) < PARTITIONS)
		wire_sleep(20 * SL_MSEC);
	atomic_store(&r->stop, true);
	pthread_join(producer, NULL);
	pthread_join(consumer, NULL);
	TH_LOG("%u reconnects, %u commits, %u joins", r->reconnects, r->commits, r->joins);
	EXPECT_LE((unsigned)ROUNDS / 2, r->reconnects);
	EXPECT_LT(0u, r->commits);
	daemon_kill(&r->d);
	daemon_must_start(&r->d);
	check_all(r);
	EXPECT_EQ(0, daemon_stop(&r->d));
	daemon_must_start(&r->d);
	check_all(r);
	EXPECT_EQ(0, daemon_stop(&r->d));
}

/* ---- the tests ------------------------------------------------------------------------------ */

FIXTURE(killed)
{
	struct run r;
};
FIXTURE_VARIANT(killed)
{
	const char *durability;
	int cores;
	uint32_t records_max, value_bytes;
	int64_t pause_ns;
};
FIXTURE_VARIANT_ADD(killed, group_one_core)
{
	.durability = "group", .cores = 1, .records_max = 20, .value_bytes = 100
};
FIXTURE_VARIANT_ADD(killed, group_two_cores)
{
	.durability = "group", .cores = 2, .records_max = 20, .value_bytes = 100
};
FIXTURE_VARIANT_ADD(killed, each_two_cores)
{
	.durability = "each", .cores = 2, .records_max = 20, .value_bytes = 100
};
FIXTURE_VARIANT_ADD(killed, group_streamed)
{
	.durability = "group", .cores = 2, .records_max = 9, .value_bytes = 100000,
	.pause_ns = 10 * SL_MSEC
};
FIXTURE_VARIANT_ADD(killed, each_streamed_one_core)
{
	.durability = "each", .cores = 1, .records_max = 9, .value_bytes = 100000,
	.pause_ns = 10 * SL_MSEC
};
FIXTURE_SETUP(killed)
{
	struct run *r = &self->r;

	daemon_init(&r->d, NULL);
	daemon_set(&r->d, "node.durability=%s", variant->durability);
	daemon_set(&r->d, "node.cores=%d", variant->cores);
	daemon_set(&r->d, "log.segment_bytes=%d", 8 << 20);
	daemon_set(&r->d, "kafka.group_initial_rebalance_delay_ms=0");
	r->records_max = variant->records_max;
	r->value_bytes = variant->value_bytes;
	r->pause_ns = variant->pause_ns;
}
FIXTURE_TEARDOWN(killed)
{
	daemon_kill(&self->r.d);
}

TEST_F_TIMEOUT(killed, acknowledged_records_are_there_once_and_in_order, 55)
{
	run(&self->r);
}

TEST_HARNESS_MAIN
