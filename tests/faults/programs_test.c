// SPDX-License-Identifier: Apache-2.0
/*
 * The programs in the kernel, seen through a whole daemon: what they show of hot paths, and that
 * nobody misses them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf/bpf.h"
#include "daemon.h"
#include "harness.h"
#include "wire.h"

enum { PAGE_BYTES = 1 << 20, RECORDS = 200, BATCH = 40, LARGE = 10 * BATCH };

static const char topic[] = "hot";

FIXTURE(programs)
{
	struct daemon_kit d;
	struct wire w;
	char *page; /* the last /metrics */
};

FIXTURE_SETUP(programs)
{
	self->page = malloc(PAGE_BYTES);
	ASSERT_NOT_NULL(self->page);
	daemon_init(&self->d, NULL);
	daemon_set(&self->d, "node.cores=2");
	daemon_set(&self->d, "node.log_level=debug");
}

FIXTURE_TEARDOWN(programs)
{
	wire_close(&self->w);
	EXPECT_EQ(0, daemon_stop(&self->d));
	free(self->page);
}

/* Until what can be loaded is, which is a moment after it serves. */
static void start(FIXTURE_DATA(programs) * self)
{
	daemon_must_start(&self->d);
	ASSERT_LT(0, daemon_log_wait(&self->d, "bpf.loaded", 1));
}

/* Begins @self->page anew. */
static void scrape(FIXTURE_DATA(programs) * self)
{
	static const char get[] = "GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n";
	struct wire http;
	size_t n = 0;
	ssize_t got;

	wire_must_open(&http, self->d.http_port);
	ASSERT_EQ(0, wire_send(&http, get, sizeof(get) - 1));
	while ((got = recv(http.fd, self->page + n, PAGE_BYTES - 1 - n, 0)) > 0)
		n += (size_t)got;
	ASSERT_EQ(0, got);
	self->page[n] = 0;
	wire_close(&http);
	ASSERT_NOT_NULL(strstr(self->page, "200 OK"));
}

/* The value of the metric @name, labels included; -1 if it is not shown. */
static int64_t value(FIXTURE_DATA(programs) * self, const char *name)
{
	char line[200];
	const char *at;

	snprintf(line, sizeof(line), "\n%s ", name);
	at = strstr(self->page, line);
	return at ? strtoll(at + strlen(line), NULL, 10) : -1;
}

/* All punts of the last page, but those of operations in @but, which are named like "|fsync|". */
static int64_t punts(FIXTURE_DATA(programs) * self, const char *but)
{
	static const char name[] = "\nsluice_ring_punts_total{op=\"";
	int64_t n = 0;

	for (const char *at = self->page; (at = strstr(at, name)); at++) {
		const char *op = at + strlen(name);
		const char *end = strchr(op, '"');
		char word[40];
		long long v = strtoll(end + 2, NULL, 10);

		snprintf(word, sizeof(word), "|%.*s|", (int)(end - op), op);
		if (v && !strstr(but, word)) {
			TH_LOG("%lld punts of %s", v, word);
			n += v;
		}
	}
	return n;
}

static void fetch(FIXTURE_DATA(programs) * self, uint64_t offset, size_t least)
{
	struct wire_fetched f;

	ASSERT_EQ(0, wire_fetch(&self->w, topic, 0, (int64_t)offset, 1 << 20, 0, &f));
	EXPECT_LE(least, f.len);
	wire_answer_done(&f.answer);
}

/* Records of the numbers @from and on, one by one, to a partition that holds so many by now. */
static void produce_and_fetch(FIXTURE_DATA(programs) * self, uint64_t from)
{
	for (uint64_t i = from; i < from + RECORDS; i++)
		ASSERT_EQ(0, wire_produce_one(&self->w, topic, 0, i));
	for (int i = 0; i < 20; i++)
		fetch(self, from + RECORDS - 1, 60);
}

/* Batches of a size that goes by files and not by copies, streamed in and sent out. */
static void produce_and_fetch_large(FIXTURE_DATA(programs) * self)
{
	struct wire_batch b = {.n = BATCH, .value_bytes = 20000, .producer_id = -1};
	int64_t base = 0;
	size_t len;
	uint8_t *p = wire_batch_make(&b, &len);

	for (int i = 0; i < LARGE / BATCH; i++)
		ASSERT_EQ(0, wire_produce(&self->w, topic, 0, -1, p, len, &base));
	for (int i = 0; i < 10; i++)
		fetch(self, (uint64_t)base, 500000);
	free(p);
}

/* Issue 4: no punt on a hot produce or a fetch of resident data but syncs and splices. */
TEST_F_TIMEOUT(programs, hot_paths_are_not_punted, 55)
{
	/* Space is reserved ahead by a fiber of its own, for which no request waits. */
	static const char allowed[] = "|fsync|splice|fallocate|";
	static const char fsyncs[] = "sluice_ring_punts_total{op=\"fsync\"}";
	int64_t before, synced;

	start(self);
	wire_must_open(&self->w, self->d.kafka_port);
	scrape(self);
	if (value(self, "sluice_bpf_program_loaded{program=\"punts\"}") != 1)
		SKIP(return, "the program punts is off here (sluice doctor says why)");
	/* Folders and files are made by workers, too: not hot any more once they are there. */
	ASSERT_EQ(0, wire_topic_create(&self->w, topic, 1, NULL));
	produce_and_fetch(self, 0);
	produce_and_fetch_large(self);
	scrape(self);
	before = punts(self, allowed);
	synced = value(self, fsyncs);
	produce_and_fetch(self, RECORDS + LARGE);
	produce_and_fetch_large(self);
	scrape(self);
	EXPECT_EQ(before, punts(self, allowed));
	/* So that no news means something: a sync cannot be done without a worker. */
	EXPECT_LT(synced, value(self, fsyncs));
	EXPECT_EQ(0, value(self, "sluice_ring_cqe_overflows_total"));
}

TEST_F_TIMEOUT(programs, without_them_the_daemon_serves_and_says_so, 55)
{
	static const int needed[] = {CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_ADMIN};

	for (size_t i = 0; i < SL_ARRAY_SIZE(needed); i++)
		if (prctl(PR_CAPBSET_DROP, (unsigned long)needed[i], 0L, 0L, 0L))
			ASSERT_EQ(EPERM, errno); /* has none of them anyway */
	daemon_set(&self->d, "node.cores=2");
	start(self);
	wire_must_open(&self->w, self->d.kafka_port);
	ASSERT_EQ(0, wire_topic_create(&self->w, topic, 1, NULL));
	produce_and_fetch(self, 0);
	scrape(self);
	EXPECT_EQ(1, value(self, "sluice_steering{policy=\"load\",mechanism=\"kernel\"}"));
	EXPECT_EQ(1, daemon_log_count(&self->d, "steering.lessened"));
	for (int p = 0; p < SL_BPF_LAST; p++) {
		const char *program = sl_bpf_info((enum sl_bpf_program)p)->name;
		char name[120];

		snprintf(name, sizeof(name), "sluice_bpf_program_loaded{program=\"%s\"}", program);
		EXPECT_EQ(0, value(self, name));
	}
	EXPECT_EQ(-1, value(self, "sluice_ring_punts_total{op=\"fsync\"}"));
	EXPECT_LT(0, daemon_log_count(&self->d, "bpf.program-off"));
}

TEST_F(programs, connections_of_each_listener_tell_their_round_trips)
{
	start(self);
	wire_must_open(&self->w, self->d.kafka_port);
	ASSERT_EQ(0, wire_ping(&self->w));
	scrape(self);
	if (value(self, "sluice_bpf_program_loaded{program=\"tcp\"}") != 1)
		SKIP(return, "the program tcp is off here (sluice doctor says why)");
	EXPECT_LE(1, value(self, "sluice_tcp_round_trip_seconds_count{listener=\"kafka\"}"));
	EXPECT_LE(1, value(self, "sluice_tcp_round_trip_seconds_count{listener=\"http\"}"));
	EXPECT_LE(0, value(self, "sluice_tcp_retransmits_total{listener=\"kafka\"}"));
}

TEST_F(programs, switched_off_they_are_not_complained_of)
{
	daemon_set(&self->d, "bpf.enabled=no");
	daemon_must_start(&self->d);
	wire_must_open(&self->w, self->d.kafka_port);
	scrape(self);
	EXPECT_EQ(0, value(self, "sluice_bpf_program_loaded{program=\"punts\"}"));
	EXPECT_EQ(0, daemon_log_count(&self->d, "bpf.program-off"));
}

TEST_HARNESS_MAIN
