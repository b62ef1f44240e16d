// SPDX-License-Identifier: Apache-2.0
/*
 * What `sluice top` shows: a table of tables.
 *
 * Interface: top.h. One figure more is one row here; text, JSON and the live screen follow. Keys
 * are promised to scripts: they stay, and their meaning with them.
 */
#include <sluice/util.h>

#include "top.h"

/* For what should not happen at all. */
#define ANY 1e-9

/* clang-format off */
#define QUANTILES(metric)                                                                          \
	{"p50_seconds", "p50", metric, TOP_QUANTILE, TOP_SECONDS, 1, 0.5},                         \
	{"p99_seconds", "p99", metric, TOP_QUANTILE, TOP_SECONDS, 0, 0.99},                        \
	{"p999_seconds", "p99.9", metric, TOP_QUANTILE, TOP_SECONDS, 2, 0.999}
/* clang-format on */

static const struct top_column total[] = {
	{"connections", "conns", "sluice_connections", TOP_LEVEL, TOP_ONE, 0},
	{"requests_per_s", "req/s", "sluice_requests_total", TOP_RATE, TOP_ONE, 0},
	{"in_bytes_per_s", "in/s", "sluice_receive_bytes_total", TOP_RATE, TOP_BYTES, 0},
	{"out_bytes_per_s", "out/s", "sluice_deliver_bytes_total", TOP_RATE, TOP_BYTES, 0},
	{"zero_copy", "zero-copy", "sluice_deliver_bytes_total", TOP_SHARE, TOP_PERCENT, 0},
	{"fibers", "fibers", "sluice_fibers", TOP_LEVEL, TOP_ONE, 1},
	{"buffer_bytes", "buffers", "sluice_arena_bytes", TOP_LEVEL, TOP_BYTES, 1},
};

static const struct top_column cores[] = {
	{"busy", "busy", "sluice_core_busy_seconds_total", TOP_RATE, TOP_PERCENT, 0, 0, 0.9},
	{"loops_per_s", "loops/s", "sluice_core_loops_total", TOP_RATE, TOP_ONE, 0},
	{"run_delay_p50_seconds", "wait p50", "sluice_core_runqueue_seconds", TOP_QUANTILE,
	 TOP_SECONDS, 1, 0.5},
	{"run_delay_p99_seconds", "wait p99", "sluice_core_runqueue_seconds", TOP_QUANTILE,
	 TOP_SECONDS, 0, 0.99},
};

static const struct top_column listeners[] = {
	{"connections", "conns", "sluice_connections", TOP_LEVEL, TOP_ONE, 0},
	{"accepts_per_s", "accept/s", "sluice_connections_total", TOP_RATE, TOP_ONE, 3},
	{"requests_per_s", "req/s", "sluice_requests_total", TOP_RATE, TOP_ONE, 0},
	{"in_bytes_per_s", "in/s", "sluice_receive_bytes_total", TOP_RATE, TOP_BYTES, 0},
	{"out_bytes_per_s", "out/s", "sluice_deliver_bytes_total", TOP_RATE, TOP_BYTES, 0},
	{"zero_copy", "zero-copy", "sluice_deliver_bytes_total", TOP_SHARE, TOP_PERCENT, 0},
	QUANTILES("sluice_request_seconds"),
};

static const struct top_column delivery[] = {
	{"transfers_per_s", "sends/s", "sluice_deliver_transfers_total", TOP_RATE, TOP_ONE, 1},
	{"bytes_per_s", "out/s", "sluice_deliver_bytes_total", TOP_RATE, TOP_BYTES, 0},
	{"bytes", "total", "sluice_deliver_bytes_total", TOP_LEVEL, TOP_BYTES, 0},
};

static const struct top_column fallbacks[] = {
	{"per_s", "parts/s", "sluice_deliver_fallbacks_total", TOP_RATE, TOP_ONE, 0},
	{"total", "total", "sluice_deliver_fallbacks_total", TOP_LEVEL, TOP_ONE, 0},
};

static const struct top_column closed[] = {
	{"per_s", "conns/s", "sluice_connections_closed_total", TOP_RATE, TOP_ONE, 0},
	{"total", "total", "sluice_connections_closed_total", TOP_LEVEL, TOP_ONE, 0},
};

static const struct top_column kafka[] = {
	{"requests_per_s", "req/s", "sluice_kafka_requests_total", TOP_RATE, TOP_ONE, 0},
	{"errors_per_s", "errors/s", "sluice_kafka_errors_total", TOP_RATE, TOP_ONE, 0, 0, ANY},
	{"aborted_per_s", "aborted/s", "sluice_kafka_aborted_total", TOP_RATE, TOP_ONE, 1, 0, ANY},
	QUANTILES("sluice_kafka_request_seconds"),
};

static const struct top_column http[] = {
	{"requests_per_s", "req/s", "sluice_http_requests_total", TOP_RATE, TOP_ONE, 0},
	{"errors_per_s", "errors/s", "sluice_http_errors_total", TOP_RATE, TOP_ONE, 0, 0, ANY},
	QUANTILES("sluice_http_request_seconds"),
};

static const struct top_column objects[] = {
	{"collections", "colls", "sluice_objects_collections", TOP_LEVEL, TOP_ONE, 1},
	{"collections_open", "open", "sluice_objects_collections_open", TOP_LEVEL, TOP_ONE, 2},
	{"objects", "objects", "sluice_objects", TOP_LEVEL, TOP_ONE, 0},
	{"written_per_s", "written/s", "sluice_objects_written_total", TOP_RATE, TOP_ONE, 0},
	{"vectors", "vectors", "sluice_objects_vectors", TOP_LEVEL, TOP_ONE, 1},
	{"vectors_indexed", "indexed", "sluice_objects_vectors_indexed", TOP_LEVEL, TOP_ONE, 0},
	{"indexing", "indexing", "sluice_objects_indexing", TOP_LEVEL, TOP_ONE, 3},
	{"memory_bytes", "memory", "sluice_objects_memory_bytes", TOP_LEVEL, TOP_BYTES, 0},
	{"log_bytes", "disk", "sluice_objects_log_bytes", TOP_LEVEL, TOP_BYTES, 2},
	{"lost", "lost", "sluice_objects_lost_total", TOP_LEVEL, TOP_ONE, 0, 0, ANY},
};

static const struct top_column searches[] = {
	{"searches_per_s", "searches/s", "sluice_objects_searches_total", TOP_RATE, TOP_ONE, 0},
	QUANTILES("sluice_objects_search_seconds"),
};

static const struct top_column storage[] = {
	{"append_bytes_per_s", "append/s", "sluice_log_append_bytes_total", TOP_RATE, TOP_BYTES, 0},
	{"append_batches_per_s", "batches/s", "sluice_log_append_batches_total", TOP_RATE, TOP_ONE,
	 0},
	{"commits_per_s", "commits/s", "sluice_commit_rounds_total", TOP_RATE, TOP_ONE, 1},
	{"fsync_p50_seconds", "sync p50", "sluice_commit_fsync_seconds", TOP_QUANTILE, TOP_SECONDS,
	 2, 0.5},
	{"fsync_p99_seconds", "sync p99", "sluice_commit_fsync_seconds", TOP_QUANTILE, TOP_SECONDS,
	 0, 0.99},
	{"failed_logs", "failed", "sluice_log_failed", TOP_LEVEL, TOP_ONE, 0, 0, ANY},
	{"quarantined", "damaged", "sluice_log_quarantined_total", TOP_LEVEL, TOP_ONE, 0, 0, ANY},
	{"cache_misses_per_s", "misses/s", "sluice_pagecache_misses_total", TOP_RATE, TOP_ONE, 1},
	{"scrub_bytes_per_s", "scrub/s", "sluice_scrub_bytes_total", TOP_RATE, TOP_BYTES, 3},
};

static const struct top_column tcp[] = {
	{"round_trip_p50_seconds", "trip p50", "sluice_tcp_round_trip_seconds", TOP_QUANTILE,
	 TOP_SECONDS, 0, 0.5},
	{"round_trip_p99_seconds", "trip p99", "sluice_tcp_round_trip_seconds", TOP_QUANTILE,
	 TOP_SECONDS, 0, 0.99},
	{"retransmits_per_s", "again/s", "sluice_tcp_retransmits_total", TOP_RATE, TOP_ONE, 0},
	/* seconds in a second: of how many connections at once */
	{"busy_connections", "sending", "sluice_tcp_busy_seconds_total", TOP_RATE, TOP_ONE, 0},
	{"receiver_limited_connections", "held back", "sluice_tcp_receiver_limited_seconds_total",
	 TOP_RATE, TOP_ONE, 0},
};

static const struct top_column ring[] = {
	{"submits_per_s", "ops/s", "sluice_ring_submits_total", TOP_RATE, TOP_ONE, 0},
	{"completions_per_s", "done/s", "sluice_ring_completions_total", TOP_RATE, TOP_ONE, 1},
	{"punts_per_s", "punts/s", "sluice_ring_punts_total", TOP_RATE, TOP_ONE, 0},
	{"overflows_per_s", "overflow/s", "sluice_ring_overflows_total", TOP_RATE, TOP_ONE, 0, 0,
	 ANY},
	{"messages_per_s", "messages/s", "sluice_mailbox_messages_total", TOP_RATE, TOP_ONE, 0},
};

static const struct top_column ring_ops[] = {
	{"punts_per_s", "punts/s", "sluice_ring_punts_total", TOP_RATE, TOP_ONE, 0},
	{"punts", "punts", "sluice_ring_punts_total", TOP_LEVEL, TOP_ONE, 1},
	QUANTILES("sluice_ring_op_seconds"),
};

static const struct top_column programs[] = {
	{"loaded", "loaded", "sluice_bpf_program_loaded", TOP_LEVEL, TOP_ONE, 0},
};

#define COLUMNS(table) .columns = (table), .columns_n = SL_ARRAY_SIZE(table)

/* clang-format off */
const struct top_section top_sections[TOP_SECTION_LAST] = {
	[TOP_TOTAL] = {
		"total", "ALL", COLUMNS(total)},
	[TOP_CORES] = {
		"cores", "CORES", {"core"}, COLUMNS(cores),
		.busiest = "busy", .slowest = "run_delay_p99_seconds"},
	[TOP_LISTENERS] = {
		"listeners", "LISTENERS", {"listener"}, COLUMNS(listeners),
		.busiest = "requests_per_s", .slowest = "p99_seconds"},
	[TOP_DELIVERY] = {
		"delivery", "DELIVERY", {"listener", "rung"}, COLUMNS(delivery),
		.busiest = "bytes_per_s", .hides_idle = true},
	[TOP_TCP] = {
		"tcp", "TCP", {"listener"}, COLUMNS(tcp),
		.busiest = "busy_connections", .slowest = "round_trip_p99_seconds"},
	[TOP_KAFKA] = {
		"kafka", "KAFKA", {"api"}, COLUMNS(kafka),
		.busiest = "requests_per_s", .slowest = "p99_seconds",
		.hides_idle = true, .right = true},
	[TOP_HTTP] = {
		"http", "HTTP", {"api"}, COLUMNS(http),
		.busiest = "requests_per_s", .slowest = "p99_seconds",
		.hides_idle = true, .right = true},
	[TOP_OBJECTS] = {
		"objects", "OBJECTS", COLUMNS(objects)},
	[TOP_SEARCHES] = {
		"searches", "SEARCHES", {"kind"}, COLUMNS(searches),
		.busiest = "searches_per_s", .slowest = "p99_seconds", .hides_idle = true},
	[TOP_STORAGE] = {
		"storage", "STORAGE", COLUMNS(storage), .right = true},
	[TOP_RING] = {
		"ring", "RING", COLUMNS(ring), .right = true},
	[TOP_FALLBACKS] = {
		"fallbacks", "FALL-BACKS", {"listener", "reason"}, COLUMNS(fallbacks),
		.busiest = "per_s", .hides_idle = true},
	[TOP_CLOSED] = {
		"closed", "CLOSED", {"listener", "reason"}, COLUMNS(closed),
		.busiest = "per_s", .hides_idle = true},
	[TOP_RING_OPS] = {
		"ring_ops", "RING OPERATIONS", {"op"}, COLUMNS(ring_ops),
		.busiest = "punts_per_s", .slowest = "p99_seconds",
		.hides_idle = true, .right = true},
	[TOP_PROGRAMS] = {
		"bpf_programs", "KERNEL PROGRAMS", {"program"}, COLUMNS(programs), .right = true},
};
/* clang-format on */
