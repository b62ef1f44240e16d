// SPDX-License-Identifier: Apache-2.0
/*
 * sluice bench produce | fetch | latency | http | machine.
 *
 * Interface: verb_bench(). Invariant: each run has a topic of its own, made before and deleted
 * after, so that runs do not measure one another's leftovers.
 * Order of parts: options; a run's topic; the kinds; the table.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "net.h"
#include "options.h"
#include "verbs.h"

/* ---- options ---------------------------------------------------------------------------- */

enum { ACKS_0, ACKS_1, ACKS_ALL };

#define AT(field) offsetof(struct bench_options, field)

/* clang-format off */

#define ROW_REQUEST                                                                                \
	{"request-bytes", "SIZE", OPTION_TEXT, AT(request_text), 0, 0, NULL,                       \
	 "how large a request (of fetch: an answer) is: bytes such as 1M (the default) or 16K, "   \
	 "or one-record"}
#define ROW_RECORD                                                                                 \
	{"record-bytes", "BYTES", OPTION_BYTES, AT(record_bytes), 1, 64 * (int64_t)SL_MIB, NULL,   \
	 "how large a record's value is (1024)"}
#define ROW_RUN                                                                                    \
	{"seconds", "TIME", OPTION_TIME, AT(run_ns), SL_MSEC, 86400 * SL_SEC, NULL,                \
	 "how long to measure (5s)"},                                                              \
		{"warmup", "TIME", OPTION_TIME, AT(warmup_ns), 0, 86400 * SL_SEC, NULL,            \
		 "how long to run before that (500ms)"},                                           \
		{"bytes", "BYTES", OPTION_BYTES, AT(bytes_max), 0, INT64_MAX, NULL,                \
		 "stop measuring after so many bytes"}
#define ROW_LINKS                                                                                  \
	{"connections", "N", OPTION_NUMBER, AT(connections), 1, 10000, NULL,                       \
	 "how many connections (1)"},                                                              \
		{"in-flight", "N", OPTION_NUMBER, AT(in_flight), 1, 10000, NULL,                   \
		 "how many requests each has under way (4)"},                                      \
		{"partitions", "N", OPTION_NUMBER, AT(partitions), 1, 10000, NULL,                 \
		 "how many partitions, taken in turns by the connections (1)"}
#define ROW_ACKS                                                                                   \
	{"acks", "WORD", OPTION_CHOICE, AT(acks), 0, 0, "0|1|all", "what is waited for (all)"}
#define ROW_COMMON                                                                                 \
	{"pid", "PID", OPTION_NUMBER, AT(pid), 1, INT32_MAX, NULL,                                 \
	 "the server's process, whose CPU time is then reported"},                                 \
		{"topic", "NAME", OPTION_TEXT, AT(topic), 0, 0, NULL,                              \
		 "name of the topic that is made for the run (one of its own)"},                   \
		{"keep", NULL, OPTION_FLAG, AT(keep), 0, 0, NULL, "do not delete the topic"},      \
		{"json", NULL, OPTION_FLAG, AT(json), 0, 0, NULL, "print one line of JSON"},       \
		OPTION_BOOTSTRAP(struct bench_options, bootstrap),                                 \
		OPTION_TIMEOUT(struct bench_options, timeout_ns)

static const struct option_row produce_rows[] = {ROW_REQUEST, ROW_RECORD, ROW_LINKS,
						 ROW_ACKS,    ROW_RUN,    ROW_COMMON};

static const struct option_row fetch_rows[] = {
	ROW_REQUEST,
	ROW_RECORD,
	ROW_LINKS,
	{"prefill", "BYTES", OPTION_BYTES, AT(prefill_bytes), 1, INT64_MAX, NULL,
	 "how much is produced first, to be fetched round and round (256M, but at most 100,000 "
	 "requests' worth)"},
	ROW_RUN,
	ROW_COMMON,
};

static const struct option_row latency_rows[] = {ROW_RECORD, ROW_ACKS, ROW_RUN, ROW_COMMON};

static const struct option_row http_rows[] = {
	{"connections", "N", OPTION_NUMBER, AT(connections), 1, 100000, NULL,
	 "how many connections, each with one request under way (1)"},
	{"files", "N", OPTION_NUMBER, AT(files), 1, INT32_MAX, NULL,
	 "ask for PATH0, PATH1 and so on in turns, so many of them, instead of for PATH"},
	{"requests", "N", OPTION_NUMBER, AT(requests_max), 1, INT64_MAX, NULL,
	 "measure so many requests, from the first, within --seconds at most"},
	{"seconds", "TIME", OPTION_TIME, AT(run_ns), SL_MSEC, 86400 * SL_SEC, NULL,
	 "how long to measure (5s)"},
	{"warmup", "TIME", OPTION_TIME, AT(warmup_ns), 0, 86400 * SL_SEC, NULL,
	 "how long to run before that, unless --requests is given (500ms)"},
	{"pid", "PID", OPTION_NUMBER, AT(pid), 1, INT32_MAX, NULL,
	 "the server's process, whose CPU time is then reported"},
	{"json", NULL, OPTION_FLAG, AT(json), 0, 0, NULL, "print one line of JSON"},
	OPTION_TIMEOUT(struct bench_options, timeout_ns),
};

static const struct option_row machine_rows[] = {
	{"dir", "FOLDER", OPTION_TEXT, AT(dir), 0, 0, NULL,
	 "where files are written, which takes 1 GiB for a moment (.)"},
	{"json", NULL, OPTION_FLAG, AT(json), 0, 0, NULL, "print one line of JSON"},
};

/* clang-format on */

static const char not_on_production[] =
	"Measures the daemon at --bootstrap, whose disk it fills; do not point it at one in use.";

static const struct usage usages[BENCH_KIND_LAST] = {
	[BENCH_PRODUCE] = {.name = "bench produce",
			   .args = "",
			   .what = "Produces batches made beforehand, as fast as they are "
				   "acknowledged.",
			   .rows = produce_rows,
			   .rows_n = SL_ARRAY_SIZE(produce_rows),
			   .more = not_on_production},
	[BENCH_FETCH] = {.name = "bench fetch",
			 .args = "",
			 .what = "Produces some data, then fetches it again and again and drops "
				 "what arrives.",
			 .rows = fetch_rows,
			 .rows_n = SL_ARRAY_SIZE(fetch_rows),
			 .more = not_on_production},
	[BENCH_LATENCY] = {.name = "bench latency",
			   .args = "",
			   .what = "Produces one record after the other, each when the last was "
				   "acknowledged.",
			   .rows = latency_rows,
			   .rows_n = SL_ARRAY_SIZE(latency_rows),
			   .more = not_on_production},
	[BENCH_HTTP] = {.name = "bench http",
			.args = "HOST:PORT PATH",
			.what = "Gets files again and again, drops what arrives, and reports how "
				"fast they came.",
			.rows = http_rows,
			.rows_n = SL_ARRAY_SIZE(http_rows),
			.args_min = 2,
			.args_max = 2,
			.more = "Any server of HTTP/1.1 will do that keeps connections. Latencies "
				"above 4.29 s count as that."},
};

static const struct usage machine_usage = {
	.name = "bench machine",
	.args = "",
	.what = "Measures this machine's own limits: loopback, page cache, sync, and\n"
		"its disk's: 4 KiB at random, 32 in flight, and in order, directly and by pread.",
	.rows = machine_rows,
	.rows_n = SL_ARRAY_SIZE(machine_rows),
};

static const struct bench_options defaults = {
	.request_text = "1M",
	.dir = ".",
	.timeout_ns = 30 * SL_SEC,
	.run_ns = 5 * SL_SEC,
	.warmup_ns = 500 * SL_MSEC,
	.connections = 1,
	.in_flight = 4,
	.partitions = 1,
	.record_bytes = 1024,
	.acks = ACKS_ALL,
};

static int pid_check(const char *name, const struct bench_options *o)
{
	if (!o->pid || !kill((pid_t)o->pid, 0) || errno != ESRCH)
		return 0;
	complain(name, "--pid %" PRId64 ": there is no such process", o->pid);
	return -EINVAL;
}

static int options_check(const char *name, enum bench_kind kind, struct bench_options *o)
{
	if (kind == BENCH_LATENCY) {
		o->request_text = "one-record";
		o->in_flight = 1;
	}
	if (!strcmp(o->request_text, "one-record")) {
		o->request_bytes = 0;
	} else if (bytes_parse(o->request_text, &o->request_bytes) || !o->request_bytes ||
		   o->request_bytes > 512 * SL_MIB) {
		complain(name, "--request-bytes '%s': expected bytes up to 512M, or one-record",
			 o->request_text);
		return -EINVAL;
	}
	o->acks = o->acks == ACKS_ALL ? -1 : o->acks;
	return pid_check(name, o);
}

/* ---- a run's topic ---------------------------------------------------------------------- */

/* A broker may tell of a leader before that leader knows it. */
static int partition_wait(struct client *c, const struct client_topic *t, int i,
			  const struct bench_options *o)
{
	int64_t deadline = now_ns() + o->timeout_ns;
	int64_t offset;

	for (;;) {
		int err = client_offset(c, t, t->partitions[i].index, CLIENT_LATEST, &offset);

		if (!err || !client_may_retry(err) || now_ns() >= deadline)
			return err;
		sleep_ns(20 * SL_MSEC);
	}
}

static int topic_make(struct client *c, const struct bench_options *o, const char *topic)
{
	struct client_topic t = {0};
	int err = client_topic_create(c, topic, (int32_t)o->partitions, NULL, 0);

	if (!err)
		err = client_topic_find(c, topic, true, &t);
	for (int i = 0; i < t.partitions_n && !err; i++)
		err = partition_wait(c, &t, i, o);
	client_topic_done(&t);
	return err;
}

static int frames_make(struct bench_load *b)
{
	int err = 0;

	b->frames = calloc((size_t)b->o->partitions, sizeof(*b->frames));
	if (!b->frames)
		return -ENOMEM;
	for (int i = 0; i < b->o->partitions && !err; i++)
		err = bench_produce_frame(b->o, b->topic, i, &b->frames[i]);
	return err;
}

static void frames_free(struct bench_load *b)
{
	for (int i = 0; b->frames && i < b->o->partitions; i++)
		bench_frame_done(&b->frames[i]);
	free(b->frames);
	b->frames = NULL;
}

/* ---- the kinds -------------------------------------------------------------------------- */

#define PREFILL_BYTES (256 * SL_MIB)
#define PREFILL_REQUESTS_MAX 100000

/* The same batch into each partition, as often as --prefill says. */
static int prefill(const struct bench_load *b, int64_t *ret_batches)
{
	uint64_t bytes = b->o->prefill_bytes ? b->o->prefill_bytes : PREFILL_BYTES;
	struct bench_options o = *b->o;
	struct bench_load load = *b;
	int64_t each = (int64_t)(bytes / b->frames[0].batch_bytes) / o.partitions;
	int err;

	if (!b->o->prefill_bytes)
		each = sl_min(each, PREFILL_REQUESTS_MAX / o.partitions);
	each = sl_max(each, INT64_C(1));
	/* One connection a partition, so that each gets as many as any other. */
	o.connections = 1;
	o.in_flight = 4;
	o.partitions = 1;
	o.acks = -1;
	o.bytes_max = 0;
	load.kind = BENCH_PRODUCE;
	load.o = &o;
	load.requests_max = each;
	for (int i = 0; i < b->o->partitions; i++) {
		load.frames = &b->frames[i];
		err = bench_load_run(&load);
		bench_load_done(&load);
		if (err) {
			complain("bench", "%s", load.error);
			return err;
		}
	}
	*ret_batches = each;
	return 0;
}

/* Turns the frames that produced into such that fetch the same batches. */
static int fetch_prepare(struct bench_load *b)
{
	int err = prefill(b, &b->batches);

	for (int i = 0; i < b->o->partitions && !err; i++) {
		struct bench_frame f = {.records = b->frames[i].records};

		err = bench_fetch_frame(b->topic, i, b->frames[i].batch_bytes, &f);
		if (err)
			break;
		bench_frame_done(&b->frames[i]);
		b->frames[i] = f;
	}
	return err;
}

static int load_measure(struct bench_load *b, const char *name)
{
	int err = frames_make(b);

	if (err)
		complain(name, "making requests: %s", strerror(-err));
	if (!err && b->kind == BENCH_FETCH)
		err = fetch_prepare(b);
	if (!err) {
		err = bench_load_run(b);
		if (err)
			complain(name, "%s", b->error);
		else
			bench_report(b, b->o->json);
		bench_load_done(b);
	}
	frames_free(b);
	return err;
}

static int kind_run(enum bench_kind kind, int argc, char **argv)
{
	const char *name = usages[kind].name;
	struct bench_options o = defaults;
	struct client_conf conf = {.timeout_ns = o.timeout_ns};
	struct client *c = NULL;
	char topic[64];
	struct bench_load b = {.kind = kind, .o = &o, .topic = topic};
	int err;

	o.bootstrap = bootstrap_default();
	snprintf(topic, sizeof(topic), "sluice-bench-%d-%" PRId64, (int)getpid(),
		 now_ns() / SL_MSEC);
	err = options_parse(&usages[kind], argc, argv, &o, NULL);
	if (err)
		return options_exit(err);
	if (options_check(name, kind, &o))
		return EXIT_USAGE;
	b.topic = o.topic ? o.topic : topic;
	conf.bootstrap = o.bootstrap;
	conf.timeout_ns = o.timeout_ns;
	err = client_new(&conf, &c);
	if (!err)
		err = topic_make(c, &o, b.topic);
	if (err) {
		complain(name, "%s", c ? client_error(c) : "out of memory");
		client_free(c);
		return 1;
	}
	err = load_measure(&b, name);
	if (!o.keep && client_topic_delete(c, b.topic))
		complain(name, "%s", client_error(c));
	client_free(c);
	return err ? 1 : 0;
}

static int produce(int argc, char **argv)
{
	return kind_run(BENCH_PRODUCE, argc, argv);
}

static int fetch(int argc, char **argv)
{
	return kind_run(BENCH_FETCH, argc, argv);
}

static int latency(int argc, char **argv)
{
	return kind_run(BENCH_LATENCY, argc, argv);
}

static int http(int argc, char **argv)
{
	struct bench_options o = defaults;
	struct bench_load b = {.kind = BENCH_HTTP, .o = &o};
	const char *name = usages[BENCH_HTTP].name;
	const char *args[2];
	int err = options_parse(&usages[BENCH_HTTP], argc, argv, &o, args);

	if (err)
		return options_exit(err);
	if (pid_check(name, &o))
		return EXIT_USAGE;
	o.bootstrap = args[0];
	o.path = args[1];
	err = bench_http_run(&b);
	if (err)
		complain(name, "%s", b.error);
	else
		bench_report(&b, o.json);
	bench_load_done(&b);
	return err ? 1 : 0;
}

static int machine(int argc, char **argv)
{
	struct bench_options o = defaults;
	int err = options_parse(&machine_usage, argc, argv, &o, NULL);

	if (err)
		return options_exit(err);
	return bench_machine(&o) ? 1 : 0;
}

/* ---- the table -------------------------------------------------------------------------- */

static const struct verb words[] = {
	{"produce", produce, "how fast batches are stored, and at what cost"},
	{"fetch", fetch, "how fast they are read back"},
	{"latency", latency, "how long one record takes to be acknowledged"},
	{"http", http, "how fast files come by HTTP, from any server"},
	{"machine", machine, "what this machine can do at best"},
};

int verb_bench(int argc, char **argv)
{
	return verbs_run("sluice bench", words, SL_ARRAY_SIZE(words), argc, argv);
}
