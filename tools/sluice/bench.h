/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench: the load client's parts. bench.c has the verbs and their options, bench_frames.c the
 * requests made beforehand, bench_load.c the loop that sends them, bench_http.c the one of HTTP,
 * bench_cpu.c what is read from the clocks, bench_report.c what is printed, bench_machine.c the
 * machine's own limits and bench_direct.c those of its disk.
 */
#ifndef TOOLS_SLUICE_BENCH_H
#define TOOLS_SLUICE_BENCH_H

#include "client.h"

enum bench_kind { BENCH_PRODUCE, BENCH_FETCH, BENCH_LATENCY, BENCH_HTTP, BENCH_KIND_LAST };

/**
 * struct bench_options - of all kinds.
 * @request_bytes: 0: requests of one record each. Of HTTP: @bootstrap is the server; @files: 0, or
 * how many files there are whose names are @path and a number; @requests_max: 0, or how many
 * requests, instead of a time.
 */
struct bench_options {
	const char *bootstrap, *topic, *request_text, *dir, *path;
	int64_t timeout_ns, run_ns, warmup_ns;
	int64_t connections, in_flight, partitions, pid, files, requests_max;
	uint64_t request_bytes, record_bytes, bytes_max, prefill_bytes;
	int acks; /* as in requests: 0, 1 or -1 */
	bool json, keep;
};

/* ---- clocks ----------------------------------------------------------------------------- */

struct bench_cpu {
	int64_t at_ns;
	double server_s; /* CPU of --pid, -1 without */
	double client_s; /* our own */
	double busy_s; /* of all processors of the machine together */
	double irq_s; /* of these, interrupts and the network's work: charged to no process */
};

/* @pid 0: none. Return: 0; -ESRCH: there is no such process. */
int bench_cpu_read(int64_t pid, struct bench_cpu *ret_cpu);

/* ---- requests made beforehand ----------------------------------------------------------- */

/**
 * struct bench_frame - a request ready to be sent again and again.
 * @correlation_at: where its correlation id is patched. @offset_at: of a fetch, where its offset
 * is. @records: in its batch, and @batch_bytes: of it.
 */
struct bench_frame {
	uint8_t *p;
	size_t len;
	size_t correlation_at, offset_at;
	uint32_t records;
	size_t batch_bytes;
};

int bench_produce_frame(const struct bench_options *o, const char *topic, int32_t partition,
			struct bench_frame *ret_frame);
int bench_fetch_frame(const char *topic, int32_t partition, size_t batch_bytes,
		      struct bench_frame *ret_frame);
void bench_frame_done(struct bench_frame *f);

/* Version of the requests above; of the newest that every client and server has. */
enum { BENCH_PRODUCE_VERSION = 7, BENCH_FETCH_VERSION = 11 };

/**
 * bench_response() - judge the beginning of a response.
 * @p, @n: from behind the length, at least bench_response_head(); @ret_code: its error code.
 * @ret_records: bytes of records that it has (fetch).
 * Return: 0; -EBADMSG.
 */
int bench_response(enum bench_kind kind, const uint8_t *p, size_t n, int32_t *ret_correlation,
		   int *ret_code, int64_t *ret_records);

/* Bytes of a response up to its records (fetch), or of the whole (produce), for this topic. */
size_t bench_response_head(enum bench_kind kind, const char *topic);

/* ---- the loop --------------------------------------------------------------------------- */

/**
 * struct bench_load - what to do and what came of it.
 * @frames: one for each partition. @batches: of a fetch, how many each partition has, which are
 * read round and round. Stops at run_ns or bytes_max, whichever is first, after warmup_ns.
 */
struct bench_load {
	enum bench_kind kind;
	const struct bench_options *o;
	const char *topic;
	struct bench_frame *frames;
	int64_t batches;
	int64_t requests_max; /* 0: no limit; then no warm-up */

	uint64_t requests, bytes;
	double seconds;
	struct bench_cpu used; /* at_ns: wall ns */
	uint32_t *latency_ns; /* of each request, sorted; up to BENCH_SAMPLES_MAX */
	size_t samples;
	char error[256];
};

#define BENCH_SAMPLES_MAX (UINT32_C(1) << 23)

/* Return: 0; -errno, with load->error set. */
int bench_load_run(struct bench_load *load);
void bench_load_done(struct bench_load *load);

/* The same by HTTP: of @load only @kind and @o are read. */
int bench_http_run(struct bench_load *load);

/* What both end with: the figures between two readings, and latencies in their order. */
void bench_cpu_used(struct bench_load *load, const struct bench_cpu *from,
		    const struct bench_cpu *to);
void bench_samples_sort(struct bench_load *load);

/* ---- reports ---------------------------------------------------------------------------- */

/* @q from 0 to 1, of sorted samples. */
double bench_quantile_us(const struct bench_load *load, double q);
void bench_report(const struct bench_load *load, bool json);

int bench_machine(const struct bench_options *o);

/* ---- the disk --------------------------------------------------------------------------- */

enum { BENCH_DISK_DEPTH = 32 };

/**
 * struct bench_disk - reads of a cold file of 1 GiB by one core.
 * @random_iops: direct reads of 4 KiB, BENCH_DISK_DEPTH in flight. @direct_gb_per_s: by a reader.
 * @pread_gb_per_s: by a plain thread. @buffered: the folder has no direct reads.
 */
struct bench_disk {
	double random_iops, random_cpu_us;
	double direct_gb_per_s, direct_s_per_gb;
	double pread_gb_per_s, pread_s_per_gb;
	bool buffered;
};

/* Return: 0; -errno, of @dir or the disk. */
int bench_direct(const char *dir, struct bench_disk *ret_disk);

#endif
