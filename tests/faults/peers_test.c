/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers that do not go on: in the middle of a request, of a batch, of reading an answer, or that
 * never begin. Each is closed in its time, with one logged line where it owed something; others
 * on the same partition go on meanwhile, and what the daemon holds for such peers is bounded.
 *
 * Order of parts: the daemon; stopped senders; stopped readers; silent ones; many.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon.h"
#include "harness.h"
#include "neighbour.h"
#include "wire.h"

/* ---- the daemon ----------------------------------------------------------------------------- */

static const char topic[] = "shared";

/* Others go on: nearly all of their rounds, an append and a fetch, take less than this. */
#define ROUND_NS_MAX (100 * SL_MSEC)

/* Memory that peers who do not go on may take together; sanitizers keep what is freed. */
static uint64_t memory_max(uint64_t before)
{
	return before + (harness_time_scale() > 1 ? 768 : 96) * SL_MIB;
}

FIXTURE(peers)
{
	struct daemon_kit d;
	struct wire w;
};
FIXTURE_VARIANT(peers)
{
	int cores;
};
FIXTURE_VARIANT_ADD(peers, one_core){.cores = 1};
FIXTURE_VARIANT_ADD(peers, two_cores){.cores = 2};
FIXTURE_SETUP(peers)
{
	daemon_init(&self->d, NULL);
	daemon_set(&self->d, "node.cores=%d", variant->cores);
	daemon_set(&self->d, "conn.header_timeout=6s");
	daemon_set(&self->d, "conn.write_timeout=2s");
	daemon_must_start(&self->d);
	wire_must_open(&self->w, self->d.kafka_port);
	ASSERT_EQ(0, wire_topic_create(&self->w, topic, 1, NULL));
}
FIXTURE_TEARDOWN(peers)
{
	EXPECT_TRUE(daemon_runs(&self->d));
	wire_close(&self->w);
	EXPECT_EQ(0, daemon_stop(&self->d));
}

static struct neighbour neighbour;

/* EXPECTs that rounds from number @from on were quick. */
static void expect_quick(unsigned from)
{
	int64_t most = neighbour_percentile(&neighbour, from, 95);
	int64_t longest = neighbour_percentile(&neighbour, from, 100);

	EXPECT_LT(0, most);
	EXPECT_GT(ROUND_NS_MAX * harness_time_scale(), most);
	/* A disk that is busy with others' syncs takes its time; who stalls does so for 6 s. */
	EXPECT_GT(4 * SL_SEC * harness_time_scale(), longest);
}

/* Waits until the daemon has at most @n descriptors open. */
static void expect_descriptors(struct daemon_kit *d, unsigned n)
{
	int64_t limit = wire_now() + 5 * SL_SEC * harness_time_scale();

	while (daemon_descriptors(d) > n && wire_now() < limit)
		wire_sleep(10 * SL_MSEC);
	EXPECT_GE(n, daemon_descriptors(d));
}

/* ---- stopped senders ------------------------------------------------------------------------ */

/* A Produce request of one batch of @value_bytes. To be freed. */
static uint8_t *produce_frame(uint32_t value_bytes, size_t *ret_len)
{
	struct wire_batch b = {.n = 1, .value_bytes = value_bytes, .producer_id = -1};
	struct wire_produce f;
	size_t len;
	uint8_t *p = wire_batch_make(&b, &len), *frame;

	wire_produce_fill(&f, topic, 0, -1, p, len);
	frame = wire_encode(KAFKA_PRODUCE, WIRE_PRODUCE_VERSION, 1, &f.req, ret_len);
	free(p);
	return frame;
}

enum { STALLED = 4 };

/* Opens connections that send all but the last @missing bytes of a request. */
static void stall(struct wire *stalled, uint16_t port, const uint8_t *frame, size_t len)
{
	for (int i = 0; i < STALLED; i++) {
		wire_must_open(&stalled[i], port);
		ASSERT_EQ(0, wire_send(&stalled[i], frame, len));
	}
}

/* What was stalled is closed in time, each with a line; and others were not held up meanwhile. */
static void check_stalled(FIXTURE_DATA(peers) * self, uint32_t value_bytes, unsigned percent)
{
	struct wire stalled[STALLED];
	unsigned lines = daemon_log_count(&self->d, "incomplete-request"), from;
	int64_t began, count;
	size_t len;
	uint8_t *frame = produce_frame(value_bytes, &len);

	neighbour_start(&neighbour, self->d.kafka_port, topic, 0);
	wire_sleep(50 * SL_MSEC);
	from = atomic_load(&neighbour.rounds);
	began = wire_now();
	stall(stalled, self->d.kafka_port, frame, len * percent / 100);
	for (int i = 0; i < STALLED; i++) {
		EXPECT_EQ(0, wire_closed(&stalled[i]));
		wire_close(&stalled[i]);
	}
	EXPECT_LE(5500 * SL_MSEC, wire_now() - began);
	EXPECT_GE(12 * SL_SEC * harness_time_scale(), wire_now() - began);
	neighbour_stop(&neighbour);
	expect_quick(from);
	EXPECT_EQ(lines + STALLED,
		  daemon_log_wait(&self->d, "incomplete-request", lines + STALLED, 1000));
	count = wire_count_once(&self->w, topic, 0);
	EXPECT_EQ((int64_t)neighbour.rounds, count);
	free(frame);
}

TEST_F(peers, sender_stopped_within_a_small_batch_holds_up_nobody)
{
	check_stalled(self, 500, 50);
}

TEST_F(peers, sender_stopped_within_a_window_holds_up_nobody)
{
	check_stalled(self, 100000, 50);
}

TEST_F(peers, sender_stopped_within_a_streamed_batch_holds_up_nobody)
{
	check_stalled(self, 900000, 50);
}

TEST_F(peers, sender_stopped_before_the_last_bytes_holds_up_nobody)
{
	check_stalled(self, 900000, 99);
}

/* One that sends a little, again and again, is not stopped; it must not hold up others either. */
TEST_F(peers, sender_that_trickles_holds_up_nobody)
{
	struct kafka_produce_response res;
	struct wire_answer a;
	struct wire w;
	unsigned from;
	size_t len, at;
	uint8_t *frame = produce_frame(900000, &len);

	neighbour_start(&neighbour, self->d.kafka_port, topic, 0);
	wire_sleep(50 * SL_MSEC);
	from = atomic_load(&neighbour.rounds);
	wire_must_open(&w, self->d.kafka_port);
	for (at = 0; at < len; at += 10000) {
		ASSERT_EQ(0, wire_send(&w, frame + at, sl_min((size_t)10000, len - at)));
		wire_sleep(30 * SL_MSEC);
	}
	w.correlation = 1;
	ASSERT_EQ(0, wire_answer(&w, KAFKA_PRODUCE, WIRE_PRODUCE_VERSION, &res, &a));
	EXPECT_EQ(0, res.responses.v[0].partition_responses.v[0].error_code);
	wire_answer_done(&a);
	wire_close(&w);
	neighbour_stop(&neighbour);
	expect_quick(from);
	free(frame);
}

/* Less than a request's length, or less than it says, and then nothing. */
TEST_F(peers, request_begun_and_not_finished_is_closed_with_a_line)
{
	static const size_t sent[] = {1, 3, 4, 7, 20};
	struct wire stalled[SL_ARRAY_SIZE(sent)];
	size_t len;
	uint8_t *frame = produce_frame(100, &len);

	for (size_t i = 0; i < SL_ARRAY_SIZE(sent); i++) {
		wire_must_open(&stalled[i], self->d.kafka_port);
		ASSERT_EQ(0, wire_send(&stalled[i], frame, sent[i]));
	}
	for (size_t i = 0; i < SL_ARRAY_SIZE(sent); i++) {
		EXPECT_EQ(0, wire_closed(&stalled[i]));
		wire_close(&stalled[i]);
	}
	EXPECT_EQ(SL_ARRAY_SIZE(sent),
		  daemon_log_wait(&self->d, "incomplete-request", SL_ARRAY_SIZE(sent), 1000));
	free(frame);
}

/* ---- stopped readers ------------------------------------------------------------------------ */

enum { BIG_BATCHES = 40, UNREAD = 16, FETCHES = 20 };

static void fill_big(struct wire *w)
{
	ASSERT_EQ(0, wire_topic_create(w, "big", 1, NULL));
	for (uint64_t i = 0; i < BIG_BATCHES; i++) {
		struct wire_batch b = {.first = i, .n = 1, .value_bytes = 900000,
				       .producer_id = -1};
		size_t len;
		uint8_t *p = wire_batch_make(&b, &len);

		ASSERT_EQ(0, wire_produce(w, "big", 0, -1, p, len, NULL));
		free(p);
	}
}

TEST_F(peers, answers_unread_cost_little_and_are_given_up)
{
	struct wire unread[UNREAD];
	struct wire_fetch f;
	unsigned from, descriptors;
	uint64_t before, most = 0;

	fill_big(&self->w);
	descriptors = daemon_descriptors(&self->d);
	neighbour_start(&neighbour, self->d.kafka_port, topic, 0);
	wire_sleep(50 * SL_MSEC);
	before = daemon_rss_bytes(&self->d);
	from = atomic_load(&neighbour.rounds);
	wire_fetch_fill(&f, "big", 0, 0, 50 << 20, 0);
	for (int i = 0; i < UNREAD; i++) {
		wire_must_open(&unread[i], self->d.kafka_port);
		for (int k = 0; k < FETCHES; k++)
			wire_ask(&unread[i], KAFKA_FETCH, WIRE_FETCH_VERSION, &f.req);
	}
	for (int i = 0; i < 30; i++) {
		most = sl_max(most, daemon_rss_bytes(&self->d));
		wire_sleep(100 * SL_MSEC);
	}
	EXPECT_LE(8u, daemon_log_wait(&self->d, "slow-reader", 8, 3000));
	neighbour_stop(&neighbour);
	expect_quick(from);
	TH_LOG("resident: %.1f MB before, %.1f MB at most", (double)before / 1e6,
	       (double)most / 1e6);
	EXPECT_GT(memory_max(before), most);
	expect_descriptors(&self->d, descriptors + 8);
	for (int i = 0; i < UNREAD; i++)
		wire_close(&unread[i]);
}

/* Requests without end whose small answers nobody reads: they are not served without end. */
TEST_F(peers, requests_without_reading_stop_being_served)
{
	struct kafka_api_versions_request req;
	uint64_t before = daemon_rss_bytes(&self->d), most = 0;
	size_t len, sent = 0;
	uint8_t *ping;
	struct wire w;
	int err = 0;

	kafka_init(&kafka_api_versions_request_schema, &req);
	ping = wire_encode(KAFKA_API_VERSIONS, 2, 1, &req, &len);
	wire_must_open(&w, self->d.kafka_port);
	w.timeout_ns = SL_SEC;
	while (!err && sent < 512 * SL_MIB) {
		err = wire_send(&w, ping, len);
		sent += len;
		if (sent / len % 1024 == 0)
			most = sl_max(most, daemon_rss_bytes(&self->d));
	}
	EXPECT_TRUE(err == -ETIME || err == -ECONNRESET);
	TH_LOG("%.1f MB of requests taken; resident %.1f MB before, %.1f MB at most",
	       (double)sent / 1e6, (double)before / 1e6, (double)most / 1e6);
	EXPECT_GT(memory_max(before), most);
	EXPECT_EQ(1u, daemon_log_wait(&self->d, "slow-reader", 1, 5000));
	EXPECT_EQ(0, wire_ping(&self->w));
	wire_close(&w);
	free(ping);
}

/* ---- silent ones ---------------------------------------------------------------------------- */

enum { SILENT = 1000 };

static void allow_descriptors(rlim_t n)
{
	struct rlimit r;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &r));
	r.rlim_cur = sl_min(r.rlim_max, n);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &r));
}

/* Opens @n connections. Return: how many could be. */
static unsigned open_silent(struct wire *w, unsigned n, uint16_t port)
{
	for (unsigned i = 0; i < n; i++)
		if (wire_open(&w[i], port))
			return i;
	return n;
}

TEST_F(peers, thousand_silent_connections_cost_little)
{
	static struct wire silent[SILENT];
	unsigned from, n;
	uint64_t before;

	allow_descriptors(SILENT + 100);
	neighbour_start(&neighbour, self->d.kafka_port, topic, 0);
	wire_sleep(50 * SL_MSEC);
	before = daemon_rss_bytes(&self->d);
	from = atomic_load(&neighbour.rounds);
	n = open_silent(silent, SILENT, self->d.kafka_port);
	wire_sleep(500 * SL_MSEC);
	neighbour_stop(&neighbour);
	EXPECT_EQ((unsigned)SILENT, n);
	expect_quick(from);
	TH_LOG("%u connections: %.1f KB each", n,
	       ((double)daemon_rss_bytes(&self->d) - (double)before) / 1e3 / n);
	EXPECT_GT(before + (harness_time_scale() > 1 ? 64 : 8) * SL_MIB,
		  daemon_rss_bytes(&self->d));
	/* Each can still be used, and the end of each is noticed. */
	for (unsigned i = 0; i < n; i++) {
		if (i % 100 == 0)
			EXPECT_EQ(0, wire_ping(&silent[i]));
		wire_close(&silent[i]);
	}
	expect_descriptors(&self->d, 60);
	EXPECT_EQ(0u, daemon_log_count(&self->d, "connection.closed"));
}

/* Being silent is no fault: the end comes in time and without a line. */
TEST(silent_connections_end_by_idle_limit)
{
	static struct wire silent[100];
	struct daemon_kit d;
	struct wire w;
	unsigned n;

	daemon_init(&d, NULL);
	daemon_set(&d, "conn.idle_timeout=1s");
	daemon_must_start(&d);
	n = open_silent(silent, SL_ARRAY_SIZE(silent), d.kafka_port);
	EXPECT_EQ(SL_ARRAY_SIZE(silent), n);
	wire_must_open(&w, d.kafka_port);
	for (int i = 0; i < 25; i++) {
		EXPECT_EQ(0, wire_ping(&w));
		wire_sleep(100 * SL_MSEC);
	}
	for (unsigned i = 0; i < n; i++) {
		silent[i].timeout_ns = SL_SEC * harness_time_scale();
		EXPECT_EQ(0, wire_closed(&silent[i]));
		wire_close(&silent[i]);
	}
	EXPECT_EQ(0u, daemon_log_count(&d, "connection.closed"));
	wire_close(&w);
	EXPECT_EQ(0, daemon_stop(&d));
}

/* A daemon that stops does not wait for those who owe it something. */
TEST_F(peers, stop_does_not_wait_for_peers_for_long)
{
	struct wire stalled[STALLED], unread;
	struct wire_fetch f;
	int64_t began;
	size_t len;
	uint8_t *frame = produce_frame(900000, &len);

	fill_big(&self->w);
	stall(stalled, self->d.kafka_port, frame, len / 2);
	wire_must_open(&unread, self->d.kafka_port);
	wire_fetch_fill(&f, "big", 0, 0, 50 << 20, 0);
	ASSERT_EQ(0, wire_ask(&unread, KAFKA_FETCH, WIRE_FETCH_VERSION, &f.req));
	wire_sleep(100 * SL_MSEC);
	began = wire_now();
	EXPECT_EQ(0, daemon_stop(&self->d));
	EXPECT_GT(13 * SL_SEC * harness_time_scale(), wire_now() - began);
	for (int i = 0; i < STALLED; i++)
		wire_close(&stalled[i]);
	wire_close(&unread);
	wire_close(&self->w);
	free(frame);
	daemon_must_start(&self->d);
	wire_must_open(&self->w, self->d.kafka_port);
	EXPECT_EQ(0, wire_count_once(&self->w, topic, 0));
	EXPECT_EQ(BIG_BATCHES, wire_count_once(&self->w, "big", 0));
}

/* ---- many ----------------------------------------------------------------------------------- */

/* Connections beyond the limit are refused at once; those within it go on. */
TEST(connections_above_limit_are_refused)
{
	static struct wire all[60];
	unsigned refused = 0;
	struct daemon_kit d;

	daemon_init(&d, NULL);
	daemon_set(&d, "conn.max=50");
	daemon_must_start(&d);
	for (unsigned i = 0; i < SL_ARRAY_SIZE(all); i++) {
		wire_must_open(&all[i], d.kafka_port);
		refused += wire_ping(&all[i]) != 0;
	}
	EXPECT_EQ(10u, refused);
	for (unsigned i = 0; i < 50; i++)
		EXPECT_EQ(0, wire_ping(&all[i]));
	EXPECT_LE(1u, daemon_log_count(&d, "connection.refused"));
	for (unsigned i = 0; i < SL_ARRAY_SIZE(all); i++)
		wire_close(&all[i]);
	EXPECT_EQ(0, daemon_stop(&d));
}

TEST_HARNESS_MAIN
