// SPDX-License-Identifier: Apache-2.0
/*
 * sluice produce: lines become records.
 *
 * Interface: verb_produce(). Invariant: what is printed as acknowledged was acknowledged; a batch
 * waits for more lines no longer than --linger.
 * Order of parts: options; records; the loop; the verb.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lines.h"
#include "net.h"
#include "options.h"
#include "partitioner.h"
#include "producer.h"
#include "verbs.h"

#define NAME "produce"
#define LINE_BYTES_MAX (512 * SL_MIB)
#define PROGRESS_NS (200 * SL_MSEC)

/* ---- options ---------------------------------------------------------------------------- */

struct produce_options {
	const char *bootstrap, *file, *key_separator;
	int64_t timeout_ns, linger_ns, partition;
	uint64_t batch_bytes;
	struct option_list headers;
	int codec, acks;
	bool quiet;
};

enum { ACKS_0, ACKS_1, ACKS_ALL };

#define AT(field) offsetof(struct produce_options, field)

static const struct option_row rows[] = {
	{"partition", "N", OPTION_NUMBER, AT(partition), 0, INT32_MAX, NULL,
	 "all into this partition; unless given the key decides, or, without keys, each batch goes "
	 "to the next"},
	{"key-separator", "TEXT", OPTION_TEXT, AT(key_separator), 0, 0, NULL,
	 "what stands between key and value in a line; a line without it has no key"},
	{"header", "KEY=VALUE", OPTION_LIST, AT(headers), 0, 0, NULL,
	 "a header of every record; may be repeated"},
	{"codec", "WORD", OPTION_CHOICE, AT(codec), 0, 0, "none|gzip|snappy|lz4|zstd",
	 "how batches are compressed"},
	{"file", "FILE", OPTION_TEXT, AT(file), 0, 0, NULL,
	 "read lines from FILE instead of standard input"},
	{"acks", "WORD", OPTION_CHOICE, AT(acks), 0, 0, "0|1|all",
	 "what the daemon answers; with all (the default) records are stored once and in order, "
	 "whatever happens on the way"},
	{"batch-bytes", "BYTES", OPTION_BYTES, AT(batch_bytes), 256, 512 * (int64_t)SL_MIB, NULL,
	 "how much is sent at once (1000000)"},
	{"linger", "TIME", OPTION_TIME, AT(linger_ns), 0, 3600 * SL_SEC, NULL,
	 "how long a batch waits for more lines (5ms)"},
	{"quiet", NULL, OPTION_FLAG, AT(quiet), 0, 0, NULL, "print no count at the end"},
	OPTION_BOOTSTRAP(struct produce_options, bootstrap),
	OPTION_TIMEOUT(struct produce_options, timeout_ns),
};

static const struct usage usage = {
	.name = NAME,
	.args = "TOPIC",
	.what = "Reads lines, appends each as a record to TOPIC, and prints how many were\n"
		"acknowledged.",
	.rows = rows,
	.rows_n = SL_ARRAY_SIZE(rows),
	.args_min = 1,
	.args_max = 1,
	.more = "A topic that does not exist is created where the daemon is set to do so.",
};

struct produce {
	struct produce_options o;
	struct client *c;
	struct client_topic topic;
	struct producer *producer;
	struct sl_record_header headers[OPTION_LIST_MAX];
	int32_t next; /* partition of records without a key */
	int64_t told_at;
	uint64_t lines;
	bool progress;
};

/* ---- records ---------------------------------------------------------------------------- */

static int headers_take(struct produce *p)
{
	for (unsigned i = 0; i < p->o.headers.n; i++) {
		const char *text = p->o.headers.v[i];
		const char *eq = strchr(text, '=');

		if (!eq || eq == text) {
			complain(NAME, "--header '%s': expected KEY=VALUE", text);
			return -EINVAL;
		}
		p->headers[i] = (struct sl_record_header){.key = (const uint8_t *)text,
							  .key_bytes = (size_t)(eq - text),
							  .value = (const uint8_t *)eq + 1,
							  .value_bytes = strlen(eq + 1)};
	}
	return 0;
}

static int64_t wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * INT64_C(1000) + ts.tv_nsec / SL_MSEC;
}

static void record_split(const struct produce *p, const char *line, size_t len, struct sl_record *r)
{
	size_t sep = p->o.key_separator ? strlen(p->o.key_separator) : 0;
	const char *at = sep ? memmem(line, len, p->o.key_separator, sep) : NULL;

	*r = (struct sl_record){.time_ms = wall_ms()};
	if (at) {
		r->key = (const uint8_t *)line;
		r->key_bytes = (size_t)(at - line);
		line = at + sep;
		len -= r->key_bytes + sep;
	}
	r->value = (const uint8_t *)line;
	r->value_bytes = len;
}

static int32_t partition_pick(const struct produce *p, const struct sl_record *r)
{
	if (p->o.partition >= 0)
		return (int32_t)p->o.partition;
	if (r->key)
		return partition_of_key(r->key, r->key_bytes, p->topic.partitions_n);
	return p->next;
}

/* Each batch without keys goes to the next partition. */
static void acked(void *arg, int32_t partition, int64_t base, uint32_t records)
{
	struct produce *p = arg;

	if (partition == p->next)
		p->next = (p->next + 1) % p->topic.partitions_n;
}

/* ---- the loop --------------------------------------------------------------------------- */

static void progress(struct produce *p)
{
	int64_t now;

	if (!p->progress)
		return;
	now = now_ns();
	if (now < p->told_at + PROGRESS_NS)
		return;
	p->told_at = now;
	fprintf(stderr, "\r%" PRIu64 " lines read, %" PRIu64 " records acknowledged", p->lines,
		producer_acked(p->producer));
}

static int read_failed(struct produce *p, int err)
{
	if (err == -EMSGSIZE)
		complain(NAME, "line %" PRIu64 " is longer than 512 MiB", p->lines + 1);
	else
		complain(NAME, "reading %s: %s", p->o.file ? p->o.file : "standard input",
			 strerror(-err));
	return err;
}

/* Return: 1 to go on, 0 at the end, -errno or kafka_error as told. */
static int line_produce(struct produce *p, struct lines *lines)
{
	struct sl_record r;
	const char *line;
	size_t len;
	int got = lines_next(lines, LINE_BYTES_MAX, p->o.linger_ns, &line, &len), err;

	if (got == -EAGAIN) {
		err = producer_flush(p->producer);
	} else if (got < 0) {
		return read_failed(p, got);
	} else if (!got) {
		err = producer_flush(p->producer);
	} else {
		record_split(p, line, len, &r);
		p->lines++;
		err = producer_add(p->producer, partition_pick(p, &r), &r, p->headers,
				   p->o.headers.n);
	}
	if (err) {
		complain(NAME, "%s", client_error(p->c));
		return err < 0 ? err : -EIO;
	}
	progress(p);
	return got != 0;
}

static int produce_lines(struct produce *p, int fd)
{
	struct lines lines;
	int r;

	lines_init(&lines, fd);
	while ((r = line_produce(p, &lines)) == 1)
		;
	lines_done(&lines);
	if (p->progress)
		fprintf(stderr, "\r\033[K");
	return r;
}

/* ---- the verb --------------------------------------------------------------------------- */

static int open_all(struct produce *p, const char *topic)
{
	static const int acks[] = {[ACKS_0] = 0, [ACKS_1] = 1, [ACKS_ALL] = -1};
	struct client_conf client_conf = {.bootstrap = p->o.bootstrap,
					  .timeout_ns = p->o.timeout_ns};
	struct producer_conf conf = {.acks = acks[p->o.acks],
				     .codec = (enum sl_codec)p->o.codec,
				     .batch_bytes = p->o.batch_bytes,
				     .retry_ns = p->o.timeout_ns,
				     .acked = acked,
				     .arg = p};
	int err = client_new(&client_conf, &p->c);

	if (!err)
		err = client_topic_find(p->c, topic, true, &p->topic);
	if (!err)
		err = producer_new(p->c, &p->topic, &conf, &p->producer);
	if (err)
		complain(NAME, "%s", p->c ? client_error(p->c) : "out of memory");
	return err;
}

static void result_print(const struct produce *p, int err)
{
	uint64_t n = producer_acked(p->producer);

	if (err)
		complain(NAME, "%" PRIu64 " of %" PRIu64 " records were acknowledged", n, p->lines);
	else if (p->o.quiet)
		return;
	else if (p->o.acks == ACKS_0)
		printf("%" PRIu64 " records sent, none acknowledged (acks 0)\n", n);
	else
		printf("%" PRIu64 " records acknowledged\n", n);
}

static int run(struct produce *p, const char *topic)
{
	int fd = STDIN_FILENO, err;

	if (p->o.file) {
		fd = open(p->o.file, O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			complain(NAME, "%s: %s", p->o.file, strerror(errno));
			return -errno;
		}
	}
	err = open_all(p, topic);
	if (!err) {
		err = produce_lines(p, fd);
		result_print(p, err);
	}
	if (p->o.file)
		close(fd);
	return err;
}

int verb_produce(int argc, char **argv)
{
	struct produce p = {.o = {.bootstrap = bootstrap_default(),
				  .timeout_ns = 30 * SL_SEC,
				  .linger_ns = 5 * SL_MSEC,
				  .partition = -1,
				  .batch_bytes = 1000000,
				  .acks = ACKS_ALL}};
	const char *topic;
	int err = options_parse(&usage, argc, argv, &p.o, &topic);

	if (err)
		return options_exit(err);
	if (headers_take(&p))
		return EXIT_USAGE;
	p.progress = isatty(STDERR_FILENO) && !p.o.quiet;
	err = run(&p, topic);
	producer_free(p.producer);
	client_topic_done(&p.topic);
	client_free(p.c);
	return err ? 1 : 0;
}
