// SPDX-License-Identifier: Apache-2.0
/*
 * tools/sluice/bench*.c: that a run measures and reports sane figures; never how fast anything is.
 */
#include "tools/sluice/bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yyjson.h>

#include "faults/daemon.h"
#include "harness.h"
#include "run.h"

/* ---- parts ------------------------------------------------------------------------------ */

TEST(frames_are_as_large_as_asked)
{
	static const struct {
		uint64_t request, record;
		uint32_t records_min, records_max;
	} rows[] = {{0, 1024, 1, 1},
		    {16384, 1024, 14, 15},
		    {1048576, 1024, 1000, 1020},
		    {100, 1024, 1, 1}};

	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		struct bench_options o = {.request_bytes = rows[i].request,
					  .record_bytes = rows[i].record,
					  .acks = -1,
					  .timeout_ns = SL_SEC};
		struct bench_frame f;
		struct sl_batch b;

		ASSERT_EQ(0, bench_produce_frame(&o, "topic", 0, &f));
		EXPECT_LE(rows[i].records_min, f.records);
		EXPECT_GE(rows[i].records_max, f.records);
		if (f.records > 1)
			EXPECT_LE(f.len, rows[i].request);
		EXPECT_EQ(SL_BATCH_FINE,
			  sl_batch_check(f.p + f.len - f.batch_bytes, f.batch_bytes, &b));
		EXPECT_EQ(f.records, b.records);
		bench_frame_done(&f);
	}
}

TEST(a_fetch_frame_knows_its_offset)
{
	struct bench_frame f = {.records = 7};

	ASSERT_EQ(0, bench_fetch_frame("topic", 3, 1000, &f));
	EXPECT_EQ(0x5a, f.p[f.offset_at]);
	EXPECT_EQ(f.len - KAFKA_FRAME_PREFIX_BYTES, sl_load_be32(f.p));
	EXPECT_EQ(7, f.records);
	bench_frame_done(&f);
}

TEST(clocks_advance)
{
	struct bench_cpu a, b;
	volatile uint64_t x = 0;

	ASSERT_EQ(0, bench_cpu_read(getpid(), &a));
	do {
		for (int i = 0; i < 1000000; i++)
			x += (uint64_t)i;
		ASSERT_EQ(0, bench_cpu_read(getpid(), &b));
	} while (b.client_s - a.client_s < 0.05);
	EXPECT_LT(0.0, b.server_s - a.server_s);
	EXPECT_NE(0, bench_cpu_read(INT32_MAX, &b));
}

TEST(quantiles_are_those_of_the_samples)
{
	uint32_t ns[100];
	struct bench_load b = {.latency_ns = ns, .samples = 100};

	for (uint32_t i = 0; i < 100; i++)
		ns[i] = (i + 1) * 1000;
	EXPECT_EQ(51.0, bench_quantile_us(&b, 0.5));
	EXPECT_EQ(100.0, bench_quantile_us(&b, 0.99));
	EXPECT_EQ(100.0, bench_quantile_us(&b, 1));
	b.samples = 0;
	EXPECT_EQ(0.0, bench_quantile_us(&b, 0.5));
}

/* ---- runs ------------------------------------------------------------------------------- */

FIXTURE(bench)
{
	struct daemon_kit d;
	char pid[16];
};

FIXTURE_SETUP(bench)
{
	daemon_init(&self->d, NULL);
	daemon_must_start(&self->d);
	snprintf(self->pid, sizeof(self->pid), "%d", (int)self->d.pid);
}

FIXTURE_TEARDOWN(bench)
{
	EXPECT_EQ(0, daemon_stop(&self->d));
}

/* A run ends by its bytes: in a short time a stalled machine may do nothing at all. */
static void expect_number(yyjson_val *root, const char *name, bool may_be_zero)
{
	yyjson_val *v = yyjson_obj_get(root, name);

	if (!EXPECT_TRUE(yyjson_is_num(v)) || !EXPECT_LE(0.0, yyjson_get_num(v)) ||
	    (!may_be_zero && !EXPECT_LT(0.0, yyjson_get_num(v))))
		TH_LOG("%s", name);
}

static void expect_report(const struct run_result *r, const char *kind)
{
	static const char *const positive[] = {"seconds",	"requests",	  "bytes",
					       "mb_per_s",	"requests_per_s", "latency_p50_us",
					       "latency_max_us"};
	yyjson_doc *doc = yyjson_read(r->out, strlen(r->out), 0);
	yyjson_val *root = yyjson_doc_get_root(doc);

	if (!EXPECT_EQ(0, r->status) || !EXPECT_NOT_NULL(doc)) {
		TH_LOG("%s%s", r->out, r->err);
		return;
	}
	EXPECT_STREQ(kind, yyjson_get_str(yyjson_obj_get(root, "bench")));
	for (size_t i = 0; i < SL_ARRAY_SIZE(positive); i++)
		expect_number(root, positive[i], false);
	expect_number(root, "server_cpu_s", true);
	expect_number(root, "client_cpu_s", true);
	yyjson_doc_free(doc);
}

TEST_F(bench, each_kind_reports)
{
	static const char *const kinds[] = {"produce", "fetch", "latency"};
	static const char *const bytes[] = {"20M", "100M", "200K"};

	for (int i = 0; i < 3; i++)
		expect_report(RUN(self->d.kafka_port, NULL, "bench", kinds[i], "--seconds", "20s",
				  "--warmup", "10ms", "--bytes", bytes[i], "--pid", self->pid,
				  "--json"),
			      kinds[i]);
	EXPECT_STREQ("", RUN(self->d.kafka_port, NULL, "topic", "list")->out);
}

TEST_F(bench, several_connections_and_partitions)
{
	expect_report(RUN(self->d.kafka_port, NULL, "bench", "fetch", "--seconds", "20s",
			  "--bytes", "50M", "--request-bytes", "16K", "--prefill", "1M",
			  "--connections", "3", "--partitions", "2", "--in-flight", "5", "--pid",
			  self->pid, "--json"),
		      "fetch");
	expect_report(RUN(self->d.kafka_port, NULL, "bench", "produce", "--seconds", "20s",
			  "--bytes", "100K", "--request-bytes", "one-record", "--connections", "3",
			  "--partitions", "2", "--pid", self->pid, "--json"),
		      "produce");
	expect_report(RUN(self->d.kafka_port, NULL, "bench", "produce", "--seconds", "20s",
			  "--acks", "0", "--bytes", "5M", "--pid", self->pid, "--json"),
		      "produce");
}

/* A file of @bytes in the folder that the daemon serves. */
static void put_file(const char *name, off_t bytes)
{
	char path[4200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", harness_tmpdir(), name);
	fd = open(path, O_WRONLY | O_CREAT, 0644);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, bytes));
	close(fd);
}

TEST(files_are_got_by_http)
{
	const struct run_result *r;
	struct daemon_kit d;
	char address[32], pid[16];

	put_file("f0", 1000000);
	put_file("f1", 100);
	daemon_init(&d, NULL);
	daemon_set(&d, "static.listen=127.0.0.1:0");
	daemon_set(&d, "static.root=%s", harness_tmpdir());
	daemon_must_start(&d);
	snprintf(address, sizeof(address), "127.0.0.1:%u", d.static_port);
	snprintf(pid, sizeof(pid), "%d", (int)d.pid);
	expect_report(RUN(0, NULL, "bench", "http", address, "/f1", "--seconds", "100ms",
			  "--warmup", "10ms", "--connections", "5", "--pid", pid, "--json"),
		      "http");
	r = RUN(0, NULL, "bench", "http", address, "/f", "--files", "2", "--requests", "10",
		"--connections", "3", "--pid", pid, "--json");
	expect_report(r, "http");
	EXPECT_NOT_NULL(strstr(r->out, "\"requests\":10,\"bytes\":5000500,"));
	r = RUN(0, NULL, "bench", "http", address, "/none");
	EXPECT_EQ(1, r->status);
	EXPECT_NOT_NULL(strstr(r->err, "the server answered: HTTP/1.1 404 Not Found"));
	EXPECT_EQ(0, daemon_stop(&d));
	EXPECT_EQ(1, RUN(0, NULL, "bench", "http", address, "/f1")->status);
}

TEST(wrong_usage_is_told)
{
	EXPECT_EQ(2, RUN(0, NULL, "bench", "produce", "--request-bytes", "huge")->status);
	EXPECT_EQ(2, RUN(0, NULL, "bench", "produce", "--pid", "2147483646")->status);
	EXPECT_EQ(2, RUN(0, NULL, "bench", "http", "127.0.0.1:1")->status);
	EXPECT_EQ(1, RUN(0, NULL, "bench", "produce")->status);
}

TEST_HARNESS_MAIN
