// SPDX-License-Identifier: Apache-2.0
/*
 * What a measurement prints: a line of JSON for programs, or a table for people.
 *
 * Interface: bench_report(). Units: MB and GB are powers of 1000; CPU seconds are those of the
 * process named, "machine" those of all processors together, "interrupts" what of these the kernel
 * charges to no process, such as the receiving side of loopback.
 */
#include <inttypes.h>
#include <stdio.h>

#include "bench.h"

static const char *const kind_names[BENCH_KIND_LAST] = {
	[BENCH_PRODUCE] = "produce", [BENCH_FETCH] = "fetch", [BENCH_LATENCY] = "latency",
	[BENCH_HTTP] = "http"};

double bench_quantile_us(const struct bench_load *load, double q)
{
	size_t i = (size_t)(q * (double)load->samples);

	if (!load->samples)
		return 0;
	return load->latency_ns[sl_min(i, load->samples - 1)] / 1e3;
}

struct rates {
	double gb, requests;
};

static void cpu_json(const char *who, double s, struct rates r)
{
	if (s < 0)
		return;
	printf(",\"%s_cpu_s\":%.3f,\"%s_cpu_s_per_gb\":%.4f,\"%s_cpu_us_per_request\":%.3f", who, s,
	       who, r.gb > 0 ? s / r.gb : 0, who, r.requests > 0 ? s * 1e6 / r.requests : 0);
}

static void kafka_json(const struct bench_load *b, struct rates r)
{
	const struct bench_options *o = b->o;

	printf(",\"request_bytes\":%zu,\"batch_bytes\":%zu,\"batch_records\":%u,"
	       "\"record_bytes\":%" PRIu64 ",\"in_flight\":%" PRId64 ",\"partitions\":%" PRId64
	       ",\"acks\":%d,\"records_per_s\":%.1f",
	       b->frames[0].len, b->frames[0].batch_bytes, b->frames[0].records, o->record_bytes,
	       o->in_flight, o->partitions, o->acks,
	       r.requests * b->frames[0].records / b->seconds);
}

static void report_json(const struct bench_load *b, struct rates r)
{
	printf("{\"bench\":\"%s\",\"connections\":%" PRId64, kind_names[b->kind],
	       b->o->connections);
	if (b->kind != BENCH_HTTP)
		kafka_json(b, r);
	printf(",\"seconds\":%.3f,\"requests\":%" PRIu64 ",\"bytes\":%" PRIu64
	       ",\"mb_per_s\":%.2f,\"requests_per_s\":%.1f",
	       b->seconds, b->requests, b->bytes, r.gb * 1e3 / b->seconds,
	       r.requests / b->seconds);
	printf(",\"latency_p50_us\":%.1f,\"latency_p99_us\":%.1f,\"latency_p999_us\":%.1f,"
	       "\"latency_max_us\":%.1f",
	       bench_quantile_us(b, 0.5), bench_quantile_us(b, 0.99), bench_quantile_us(b, 0.999),
	       bench_quantile_us(b, 1));
	cpu_json("server", b->used.server_s, r);
	cpu_json("client", b->used.client_s, r);
	cpu_json("machine", b->used.busy_s, r);
	cpu_json("irq", b->used.irq_s, r);
	printf("}\n");
}

static void cpu_table(const char *who, double s, struct rates r)
{
	if (s < 0)
		return;
	printf("  CPU %-10s %8.3f s   %.3f s/GB   %.2f us/request\n", who, s,
	       r.gb > 0 ? s / r.gb : 0, r.requests > 0 ? s * 1e6 / r.requests : 0);
}

static void report_table(const struct bench_load *b, struct rates r)
{
	printf("%s: %" PRIu64 " requests", kind_names[b->kind], b->requests);
	if (b->kind != BENCH_HTTP)
		printf(" of %u records", b->frames[0].records);
	printf(" in %.2f s\n", b->seconds);
	printf("  throughput    %.1f MB/s   %.0f requests/s\n", r.gb * 1e3 / b->seconds,
	       r.requests / b->seconds);
	printf("  latency       p50 %.0f us   p99 %.0f us   p99.9 %.0f us   max %.0f us\n",
	       bench_quantile_us(b, 0.5), bench_quantile_us(b, 0.99), bench_quantile_us(b, 0.999),
	       bench_quantile_us(b, 1));
	cpu_table("server", b->used.server_s, r);
	cpu_table("client", b->used.client_s, r);
	cpu_table("machine", b->used.busy_s, r);
	cpu_table("interrupts", b->used.irq_s, r);
}

void bench_report(const struct bench_load *load, bool json)
{
	struct rates r = {.gb = (double)load->bytes / 1e9, .requests = (double)load->requests};

	if (json)
		report_json(load, r);
	else
		report_table(load, r);
}
