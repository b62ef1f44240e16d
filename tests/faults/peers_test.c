/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers that do not go on: in the middle of a request, of a batch, of reading an answer, or that
 * never begin. Others on the same partition go on meanwhile, each such peer is closed in its time,
 * with one logged line where it owed something, and what the daemon holds for them is bounded.
 *
 * That others go on is shown while the daemon bears with such peers for longer than any test
 * waits: whoever is held up by one makes no round. That they are closed is shown with short
 * limits, after hasten().
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

/* Memory that peers who do not go on may take together; sanitizers keep what is freed. */
static uint64_t memory_max(uint64_t before)
{
	return before + (harness_time_scale() > 1 ? 768 : 96) * SL_MIB;
}

/* Longer than neighbour_goes_on() and daemon_stop() wait; and the short limits. */
enum { PATIENCE_S = 90, HASTE_MS = 1000 };

/* Rounds of the neighbour that show that nobody holds it up. */
enum { ROUNDS = 50 };

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
	daemon_set(&self->d, "bpf.enabled=no"); /* their descriptors come a while after the start */
	daemon_set(&self->d, "conn.header_timeout=%ds", PATIENCE_S * harness_time_scale());
	daemon_set(&self->d, "conn.write_timeout=%ds", PATIENCE_S * harness_time_scale());
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

/* The same daemon with limits that pass while a test waits; the data stays. */
static void hasten(FIXTURE_DATA(peers) * self)
{
	wire_close(&self->w);
	ASSERT_EQ(0, daemon_stop(&self->d));
	daemon_set(&self->d, "conn.header_timeout=%dms", HASTE_MS);
	daemon_set(&self->d, "conn.write_timeout=%dms", HASTE_MS);
	daemon_must_start(&self->d);
	wire_must_open(&self->w, self->d.kafka_port);
}

/* Waits until the daemon has @least to @most descriptors open. */
static void expect_descriptors(struct daemon_kit *d, unsigned least, unsigned most)
{
	int64_t limit = wire_now() + 10 * SL_SEC * harness_time_scale();
	unsigned n;

	while ((n = daemon_descriptors(d), n < least || n > most) && wire_now() < limit)
		wire_sleep(10 * SL_MSEC);
	EXPECT_LE(least, n);
	EXPECT_GE(most, n);
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

/* Opens connections that send @len bytes of a request. */
static void stall(struct wire *stalled, uint16_t port, const uint8_t *frame, size_t len)
{
	for (int i = 0; i < STALLED; i++) {
		wire_must_open(&stalled[i], port);
		ASSERT_EQ(0, wire_send(&stalled[i], frame, len));
	}
}

/* Others go on while senders have sent @percent of a request; nothing of it stays. */
static void check_stalled(FIXTURE_DATA(peers) * self, uint32_t value_bytes, unsigned percent)
{
	struct wire stalled[STALLED];
	size_t len;
	uint8_t *frame = produce_frame(value_bytes, &len);

	neighbour_start(&neighbour, self->d.kafka_port, topic, 0);
	stall(stalled, self->d.kafka_port, frame, len * percent / 100);
	EXPECT_TRUE(neighbour_goes_on(&neighbour, ROUNDS));
	for (int i = 0; i < STALLED; i++) {
		EXPECT_TRUE(wire_quiet(&stalled[i]));
		wire_close(&stalled[i]);
	}
	neighbour_stop(&neighbour);
	EXPECT_EQ((int64_t)neighbour.rounds, wire_count_once(&self->w, topic, 0));
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
	enum { PIECE = 100 }; /* at 1 ms each, the whole takes longer than the rounds may */
	struct kafka_produce_response res;
	struct wire_answer a;
	struct wire w;
	unsigned until;
	size_t len, at;
	uint8_t *frame = produce_frame(900000, &len);

	neighbour_start(&neighbour, self->d.kafka_port, topic, 0);
	wire_must_open(&w, self->d.kafka_port);
	ASSERT_EQ(0, wire_send(&w, frame, len / 2));
	until = atomic_load(&neighbour.rounds) + 1 + ROUNDS;
	at = len / 2;
	for (; at + PIECE < len && atomic_load(&neighbour.rounds) < until; at += PIECE) {
		ASSERT_EQ(0, wire_send(&w, frame + at, PIECE));
		wire_sleep(SL_MSEC);
	}
	EXPECT_LE(until, atomic_load(&neighbour.rounds));
	ASSERT_EQ(0, wire_send(&w, frame + at, len - at));
	w.correlation = 1;
	ASSERT_EQ(0, wire_answer(&w, KAFKA_PRODUCE, WIRE_PRODUCE_VERSION, &res, &a));
	EXPECT_EQ(0, res.responses.v[0].partition_responses.v[0].error_code);
	wire_answer_done(&a);
	wire_close(&w);
	neighbour_stop(&neighbour);
	free(frame);
}

/* Less than a request's length, or less than it says, and then nothing. */
TEST_F(peers, request_begun_and_not_finished_is_closed_with_a_line)
{
	static const struct {
		uint32_t value_bytes;
		size_t sent;
	} half[] = {
		{100, 1},	  {100, 3},	    {100, 4},	      {100, 7},	      {100, 20},
		{500, 300}, {100000, 50000}, {900000, 450000}, {900000, 891000},
	};
	struct wire stalled[SL_ARRAY_SIZE(half)];
	int64_t began;

	hasten(self);
	began = wire_now();
	for (size_t i = 0; i < SL_ARRAY_SIZE(half); i++) {
		size_t len;
		uint8_t *frame = produce_frame(half[i].value_bytes, &len);

		ASSERT_LT(half[i].sent, len);
		wire_must_open(&stalled[i], self->d.kafka_port);
		ASSERT_EQ(0, wire_send(&stalled[i], frame, half[i].sent));
		free(frame);
	}
	for (size_t i = 0; i < SL_ARRAY_SIZE(half); i++) {
		EXPECT_EQ(0, wire_closed(&stalled[i]));
		EXPECT_LE((HASTE_MS - 100) * SL_MSEC, wire_now() - began);
		wire_close(&stalled[i]);
	}
	EXPECT_EQ(SL_ARRAY_SIZE(half),
		  daemon_log_wait(&self->d, "incomplete-request", SL_ARRAY_SIZE(half)));
	EXPECT_EQ(0, wire_count_once(&self->w, topic, 0));
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

/* Opens connections that ask for a lot, and read nothing. */
static void ask_and_not_read(struct wire *unread, uint16_t port)
{
	struct wire_fetch f;

	wire_fetch_fill(&f, "big", 0, 0, 50 << 20, 0);
	for (int i = 0; i < UNREAD; i++) {
		wire_must_open(&unread[i], port);
		for (int k = 0; k < FETCHES; k++)
			ASSERT_EQ(0,
				  wire_ask(&unread[i], KAFKA_FETCH, WIRE_FETCH_VERSION, &f.req));
	}
}

TEST_F(peers, answers_unread_cost_little_and_hold_up_nobody)
{
	struct wire unread[UNREAD];
	uint64_t before, most = 0;

	fill_big(&self->w);
	neighbour_start(&neighbour, self->d.kafka_port, topic, 0);
	before = daemon_rss_bytes(&self->d);
	ask_and_not_read(unread, self->d.kafka_port);
	for (int i = 0; i < 10; i++) {
		ASSERT_TRUE(neighbour_goes_on(&neighbour, ROUNDS / 5));
		most = sl_max(most, daemon_rss_bytes(&self->d));
	}
	neighbour_stop(&neighbour);
	EXPECT_EQ(0u, daemon_log_count(&self->d, "slow-reader"));
	TH_LOG("resident: %.1f MB before, %.1f MB at most", (double)before / 1e6,
	       (double)most / 1e6);
	EXPECT_GT(memory_max(before), most);
	for (int i = 0; i < UNREAD; i++)
		wire_close(&unread[i]);
}

TEST_F(peers, answers_unread_are_given_up)
{
	struct wire unread[UNREAD];
	unsigned descriptors;

	fill_big(&self->w);
	hasten(self);
	descriptors = daemon_descriptors(&self->d);
	ask_and_not_read(unread, self->d.kafka_port);
	EXPECT_LE(8u, daemon_log_wait(&self->d, "slow-reader", 8));
	/* Half of them, and the partition's own files. */
	expect_descriptors(&self->d, 1, descriptors + UNREAD / 2);
	for (int i = 0; i < UNREAD; i++)
		wire_close(&unread[i]);
}

/* Requests without end whose small answers nobody reads: they are not served without end. */
TEST_F(peers, requests_without_reading_stop_being_served)
{
	struct kafka_api_versions_request req;
	uint64_t before, most = 0;
	size_t len, sent = 0;
	uint8_t *ping;
	struct wire w;
	int err = 0;

	hasten(self);
	before = daemon_rss_bytes(&self->d);
	kafka_init(&kafka_api_versions_request_schema, &req);
	ping = wire_encode(KAFKA_API_VERSIONS, 2, 1, &req, &len);
	wire_must_open(&w, self->d.kafka_port);
	while (!err && sent < 512 * SL_MIB) {
		err = wire_send(&w, ping, len);
		sent += len;
		if (sent / len % 1024 == 0)
			most = sl_max(most, daemon_rss_bytes(&self->d));
	}
	EXPECT_EQ(-ECONNRESET, err);
	TH_LOG("%.1f MB of requests taken; resident %.1f MB before, %.1f MB at most",
	       (double)sent / 1e6, (double)before / 1e6, (double)most / 1e6);
	EXPECT_GT(memory_max(before), most);
	EXPECT_EQ(1u, daemon_log_wait(&self->d, "slow-reader", 1));
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
	unsigned n, descriptors;
	uint64_t before;

	allow_descriptors(SILENT + 100);
	neighbour_start(&neighbour, self->d.kafka_port, topic, 0);
	before = daemon_rss_bytes(&self->d);
	descriptors = daemon_descriptors(&self->d);
	n = open_silent(silent, SILENT, self->d.kafka_port);
	EXPECT_EQ((unsigned)SILENT, n);
	EXPECT_TRUE(neighbour_goes_on(&neighbour, ROUNDS));
	expect_descriptors(&self->d, descriptors + SILENT, SILENT + 100);
	neighbour_stop(&neighbour);
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
	expect_descriptors(&self->d, 1, descriptors);
	EXPECT_EQ(0u, daemon_log_count(&self->d, "connection.closed"));
}

/* Being silent is no fault: the end comes in time and without a line; who speaks is not ended. */
TEST(silent_connections_end_by_idle_limit)
{
	static struct wire silent[100];
	struct daemon_kit d;
	struct wire w;
	int64_t limit;
	unsigned n;

	daemon_init(&d, NULL);
	daemon_set(&d, "conn.idle_timeout=%ds", 3 * harness_time_scale());
	daemon_must_start(&d);
	n = open_silent(silent, SL_ARRAY_SIZE(silent), d.kafka_port);
	EXPECT_EQ(SL_ARRAY_SIZE(silent), n);
	wire_must_open(&w, d.kafka_port);
	limit = wire_now() + 20 * SL_SEC * harness_time_scale();
	while (wire_quiet(&silent[n - 1]) && wire_now() < limit) {
		EXPECT_EQ(0, wire_ping(&w));
		wire_sleep(50 * SL_MSEC);
	}
	EXPECT_EQ(0, wire_ping(&w));
	for (unsigned i = 0; i < n; i++) {
		EXPECT_EQ(0, wire_closed(&silent[i]));
		wire_close(&silent[i]);
	}
	EXPECT_EQ(0u, daemon_log_count(&d, "connection.closed"));
	wire_close(&w);
	EXPECT_EQ(0, daemon_stop(&d));
}

/* A daemon that stops does not wait for those who owe it something. */
TEST_F_TIMEOUT(peers, stop_does_not_wait_for_peers_for_long, 60)
{
	struct wire stalled[STALLED], unread;
	struct wire_fetch f;
	size_t len;
	uint8_t *frame = produce_frame(900000, &len);

	fill_big(&self->w);
	stall(stalled, self->d.kafka_port, frame, len / 2);
	wire_must_open(&unread, self->d.kafka_port);
	wire_fetch_fill(&f, "big", 0, 0, 50 << 20, 0);
	ASSERT_EQ(0, wire_ask(&unread, KAFKA_FETCH, WIRE_FETCH_VERSION, &f.req));
	EXPECT_EQ(0, wire_ping(&self->w)); /* so that the others' bytes have been seen, too */
	EXPECT_EQ(0, daemon_stop(&self->d)); /* which waits for less than PATIENCE_S */
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
