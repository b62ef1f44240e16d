/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many of everything: connections that are all used, partitions that are all written to. How long
 * a start takes and how much memory is resident is printed, for `make bench` is where speed is
 * judged; what is asserted is that everything works, within bounds that only a fault exceeds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "daemon.h"
#include "harness.h"
#include "wire.h"

enum { CONNECTIONS = 2000, PARTITIONS = 1000 };

static const char topic[] = "many";

static void allow_descriptors(rlim_t n)
{
	struct rlimit r;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &r));
	r.rlim_cur = sl_min(r.rlim_max, sl_max(n, r.rlim_cur));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &r));
}

static void show(const struct daemon_kit *d, const char *when)
{
	TH_LOG("%s: ready after %.1f ms, %.1f MB resident, %u descriptors", when,
	       (double)d->ready_ns / 1e6, (double)daemon_rss_bytes(d) / 1e6,
	       daemon_descriptors(d));
}

FIXTURE(limits)
{
	struct daemon_kit d;
	struct wire w;
};
FIXTURE_SETUP(limits)
{
	allow_descriptors(CONNECTIONS + 4 * PARTITIONS);
	daemon_init(&self->d, NULL);
	daemon_set(&self->d, "node.cores=2");
	daemon_must_start(&self->d);
	wire_must_open(&self->w, self->d.kafka_port);
}
FIXTURE_TEARDOWN(limits)
{
	EXPECT_TRUE(daemon_runs(&self->d));
	wire_close(&self->w);
	EXPECT_EQ(0, daemon_stop(&self->d));
}

/* All ask at once, and each gets its own answer. */
TEST_F_TIMEOUT(limits, two_thousand_connections_are_served, 55)
{
	static struct wire all[CONNECTIONS];
	struct rlimit r;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &r));
	if (r.rlim_cur < CONNECTIONS + 100)
		SKIP(return, "only %llu descriptors are allowed", (unsigned long long)r.rlim_cur);
	ASSERT_EQ(0, wire_topic_create(&self->w, topic, 1, NULL));
	for (unsigned i = 0; i < CONNECTIONS; i++)
		wire_must_open(&all[i], self->d.kafka_port);
	for (int round = 0; round < 2; round++) {
		struct wire_fetch f;

		wire_fetch_fill(&f, topic, 0, 0, 1 << 16, 0);
		for (unsigned i = 0; i < CONNECTIONS; i++)
			ASSERT_EQ(0, wire_ask(&all[i], KAFKA_FETCH, WIRE_FETCH_VERSION, &f.req));
		for (unsigned i = 0; i < CONNECTIONS; i++) {
			struct kafka_fetch_response res;
			struct wire_answer a;

			ASSERT_EQ(0, wire_answer(&all[i], KAFKA_FETCH, WIRE_FETCH_VERSION, &res,
						 &a));
			wire_answer_done(&a);
		}
	}
	for (unsigned i = 0; i < CONNECTIONS; i += 10)
		EXPECT_EQ(0, wire_produce_one(&all[i], topic, 0, i / 10));
	show(&self->d, "2,000 connections");
	EXPECT_EQ(CONNECTIONS / 10, wire_count_once(&self->w, topic, 0));
	for (unsigned i = 0; i < CONNECTIONS; i++)
		wire_close(&all[i]);
}

/* Return: the time it took until every partition had answered. */
static int64_t read_all(struct wire *w, int64_t expected)
{
	int64_t began = wire_now();

	for (int32_t i = 0; i < PARTITIONS; i++)
		ASSERT_EQ(expected, wire_count_once(w, topic, i));
	return wire_now() - began;
}

static void produce_to_all(struct wire *w, uint64_t number)
{
	struct wire_batch b = {.first = number, .n = 1, .value_bytes = 100, .producer_id = -1};
	size_t len;
	uint8_t *p = wire_batch_make(&b, &len);

	/* In flight together, so that they share syncs. */
	for (int32_t from = 0; from < PARTITIONS; from += 50) {
		for (int32_t i = from; i < from + 50; i++) {
			struct wire_produce f;

			wire_produce_fill(&f, topic, i, -1, p, len);
			ASSERT_EQ(0, wire_ask(w, KAFKA_PRODUCE, WIRE_PRODUCE_VERSION, &f.req));
		}
		for (int32_t i = from; i < from + 50; i++) {
			struct kafka_produce_response res;
			struct wire_answer a;

			ASSERT_EQ(0, wire_answer(w, KAFKA_PRODUCE, WIRE_PRODUCE_VERSION, &res,
						 &a));
			ASSERT_EQ(0, res.responses.v[0].partition_responses.v[0].error_code);
			wire_answer_done(&a);
		}
	}
	free(p);
}

static void restart(FIXTURE_DATA(limits) * self, bool cleanly)
{
	wire_close(&self->w);
	if (cleanly)
		ASSERT_EQ(0, daemon_stop(&self->d));
	else
		daemon_kill(&self->d);
	daemon_must_start(&self->d);
	wire_must_open(&self->w, self->d.kafka_port);
}

TEST_F_TIMEOUT(limits, thousand_partitions_survive_restarts, 58)
{
	self->w.timeout_ns = 30 * SL_SEC * harness_time_scale();
	ASSERT_EQ(0, wire_topic_create(&self->w, topic, PARTITIONS, NULL));
	show(&self->d, "1,000 partitions created");
	produce_to_all(&self->w, 0);
	show(&self->d, "one record in each");
	restart(self, true);
	show(&self->d, "clean restart");
	TH_LOG("all read in %.0f ms", (double)read_all(&self->w, 1) / 1e6);
	self->w.timeout_ns = 30 * SL_SEC * harness_time_scale();
	produce_to_all(&self->w, 1);
	restart(self, false);
	show(&self->d, "restart after kill -9");
	TH_LOG("all read in %.0f ms", (double)read_all(&self->w, 2) / 1e6);
	show(&self->d, "all open");
}

/* What must lie in memory as a whole is bounded by it; what is stored as it arrives is not. */
TEST_F(limits, memory_of_a_connection_bounds_requests_but_no_produce)
{
	static const uint8_t head[] = {0, 0x20, 0, 0, 0, KAFKA_METADATA, 0, 1, 0, 0, 0, 1};
	struct wire_batch b = {.n = 3, .value_bytes = 1000000, .producer_id = -1};
	size_t len;
	uint8_t *p = wire_batch_make(&b, &len);

	wire_close(&self->w);
	ASSERT_EQ(0, daemon_stop(&self->d));
	daemon_set(&self->d, "conn.memory_max_bytes=1M");
	daemon_set(&self->d, "kafka.max_batch_bytes=4M");
	daemon_must_start(&self->d);
	wire_must_open(&self->w, self->d.kafka_port);
	ASSERT_EQ(0, wire_topic_create(&self->w, topic, 1, NULL));
	EXPECT_EQ(0, wire_produce(&self->w, topic, 0, -1, p, len, NULL));
	EXPECT_EQ(0, wire_ping(&self->w));
	ASSERT_EQ(0, wire_send(&self->w, head, sizeof(head)));
	EXPECT_EQ(0, wire_closed(&self->w));
	EXPECT_EQ(1u, daemon_log_wait(&self->d, "connection.closed", 1));
	wire_close(&self->w);
	wire_must_open(&self->w, self->d.kafka_port);
	free(p);
}

TEST_HARNESS_MAIN
