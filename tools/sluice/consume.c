// SPDX-License-Identifier: Apache-2.0
/*
 * sluice consume: records become lines.
 *
 * Interface: verb_consume(). Invariants: a record is printed once, in the order of its partition,
 * after its batch's checksum was verified; control records are passed over.
 * Order of parts: options; where to begin; batches; partitions; the verb.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "format.h"
#include "net.h"
#include "options.h"
#include "verbs.h"

#define NAME "consume"
#define FETCH_BYTES (8 * SL_MIB)
#define RECORD_BYTES_MAX SL_GIB
#define WAIT_ONE_MS 500
#define WAIT_MANY_MS 50
#define RETRY_NS (200 * SL_MSEC)
#define PROGRESS_NS (200 * SL_MSEC)

/* ---- options ---------------------------------------------------------------------------- */

struct consume_options {
	const char *bootstrap, *partition, *offset, *format;
	int64_t timeout_ns, count;
	bool exit_at_end;
};

#define AT(field) offsetof(struct consume_options, field)

static const struct option_row rows[] = {
	{"partition", "N|all", OPTION_TEXT, AT(partition), 0, 0, NULL,
	 "read this partition only (all)"},
	{"offset", "WHERE", OPTION_TEXT, AT(offset), 0, 0, NULL,
	 "where to begin in each partition: earliest (the default), latest, an offset, -N for the "
	 "last N, or @TIME: ms since 1970, or 2024-01-31T12:00:00 (UTC)"},
	{"count", "N", OPTION_NUMBER, AT(count), 1, INT64_MAX, NULL, "stop after so many records"},
	{"exit-at-end", NULL, OPTION_FLAG, AT(exit_at_end), 0, 0, NULL,
	 "stop at the ends that the partitions have now, instead of waiting for more"},
	{"format", "FORMAT", OPTION_TEXT, AT(format), 0, 0, NULL,
	 "raw (values, one a line), json (an object a line), or a pattern of %k key, %v value, "
	 "%o offset, %p partition, %t topic, %T time in ms, %h headers, \\n, \\t"},
	OPTION_BOOTSTRAP(struct consume_options, bootstrap),
	OPTION_TIMEOUT(struct consume_options, timeout_ns),
};

static const struct usage usage = {
	.name = NAME,
	.args = "TOPIC",
	.what = "Prints the records of TOPIC, each partition in its order, and waits for more.",
	.rows = rows,
	.rows_n = SL_ARRAY_SIZE(rows),
	.args_min = 1,
	.args_max = 1,
	.more = "Example: sluice consume clicks --exit-at-end --format '%p %o %k=%v\\n'",
};

enum from { FROM_EARLIEST, FROM_LATEST, FROM_OFFSET, FROM_LAST, FROM_TIME };

struct position {
	int32_t partition;
	int64_t next, end; /* end: where to stop, or INT64_MAX */
};

struct consume {
	struct consume_options o;
	struct format format;
	enum from from;
	int64_t from_value;
	struct client *c;
	struct client_topic topic;
	struct position *positions;
	int positions_n;
	int64_t left; /* records still to be printed */
	uint64_t printed;
	int64_t told_at, failing_since;
	bool progress;
};

/* ---- where to begin --------------------------------------------------------------------- */

static int number(const char *text, int64_t *ret_v)
{
	char *end;

	errno = 0;
	*ret_v = strtoll(text, &end, 10);
	return errno || end == text || *end ? -EINVAL : 0;
}

static int time_take(const char *text, int64_t *ret_ms)
{
	struct tm tm = {0};
	const char *end;

	if (!number(text, ret_ms))
		return *ret_ms < 0 ? -EINVAL : 0;
	end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!end || (*end && strcmp(end, "Z")))
		return -EINVAL;
	*ret_ms = timegm(&tm) * INT64_C(1000);
	return 0;
}

static int offset_take(struct consume *k, const char *text)
{
	k->from = FROM_EARLIEST;
	if (!strcmp(text, "earliest"))
		return 0;
	k->from = FROM_LATEST;
	if (!strcmp(text, "latest"))
		return 0;
	k->from = FROM_TIME;
	if (text[0] == '@')
		return time_take(text + 1, &k->from_value);
	k->from = text[0] == '-' ? FROM_LAST : FROM_OFFSET;
	if (number(text, &k->from_value))
		return -EINVAL;
	k->from_value = k->from_value < 0 ? -k->from_value : k->from_value;
	return 0;
}

static int position_init(struct consume *k, struct position *at)
{
	int64_t start, end;
	int err = client_offset(k->c, &k->topic, at->partition, CLIENT_EARLIEST, &start);

	if (!err)
		err = client_offset(k->c, &k->topic, at->partition, CLIENT_LATEST, &end);
	if (err)
		return err;
	at->next = start;
	at->end = k->o.exit_at_end ? end : INT64_MAX;
	if (k->from == FROM_LATEST)
		at->next = end;
	else if (k->from == FROM_OFFSET)
		at->next = k->from_value;
	else if (k->from == FROM_LAST)
		at->next = sl_max(start, end - k->from_value);
	else if (k->from == FROM_TIME)
		err = client_offset(k->c, &k->topic, at->partition, k->from_value, &at->next);
	if (at->next < 0)
		at->next = end; /* nothing is so late */
	return err;
}

static int positions_init(struct consume *k)
{
	int64_t partition = -1;
	int err;

	if (strcmp(k->o.partition, "all"))
		number(k->o.partition, &partition);
	k->positions_n = partition < 0 ? k->topic.partitions_n : 1;
	k->positions = calloc((size_t)k->positions_n + 1, sizeof(*k->positions));
	if (!k->positions)
		return client_fail(k->c, -ENOMEM, "out of memory");
	for (int i = 0; i < k->positions_n; i++) {
		k->positions[i].partition = partition < 0 ? k->topic.partitions[i].index
							  : (int32_t)partition;
		err = position_init(k, &k->positions[i]);
		if (err)
			return err;
	}
	return 0;
}

/* ---- batches ---------------------------------------------------------------------------- */

static void progress(struct consume *k)
{
	int64_t now;

	if (!k->progress)
		return;
	now = now_ns();
	if (now < k->told_at + PROGRESS_NS)
		return;
	k->told_at = now;
	fprintf(stderr, "\r%" PRIu64 " records", k->printed);
}

/* Return: 0; -EPIPE: whoever reads our output has gone; -errno of what is in the batch. */
static int records_print(struct consume *k, struct position *at, const uint8_t *batch, size_t len)
{
	struct sl_records *records;
	struct sl_record r;
	int err = sl_records_open(batch, len, RECORD_BYTES_MAX, &records), got = 0;

	if (err)
		return err;
	while (k->left && (got = sl_records_next(records, &r)) == 1) {
		if (r.offset < at->next)
			continue;
		if (r.offset >= at->end)
			break;
		got = format_print(&k->format, stdout, k->topic.name, at->partition, &r);
		if (got < 0)
			break;
		at->next = r.offset + 1;
		k->printed++;
		k->left--;
	}
	sl_records_close(records);
	if (got < 0)
		return got;
	return ferror(stdout) ? -EPIPE : 0;
}

static int batch_bad(struct consume *k, const struct position *at, const struct sl_batch *b,
		     const char *what)
{
	return client_fail(k->c, -EBADMSG,
			   "partition %d of topic '%s': the batch at offset %" PRId64 " %s",
			   at->partition, k->topic.name, b->base_offset, what);
}

/* The batch at @p. Return: its bytes; 0 if it is not whole; -errno as told. */
static ssize_t batch_take(struct consume *k, struct position *at, const uint8_t *p, size_t len)
{
	struct sl_batch b;
	int64_t bytes;
	int err;

	if (len < SL_BATCH_HEADER_BYTES)
		return 0;
	sl_batch_load(p, &b);
	bytes = sl_batch_bytes(&b);
	if (b.magic != 2 || bytes < SL_BATCH_HEADER_BYTES)
		return batch_bad(k, at, &b, "has a format that is not known");
	if ((uint64_t)bytes > len)
		return 0;
	if (sl_crc32c(0, p + SL_BATCH_ATTRIBUTES, (size_t)bytes - SL_BATCH_ATTRIBUTES) != b.crc)
		return batch_bad(k, at, &b, "is damaged: its checksum disagrees");
	if (!(b.attributes & SL_BATCH_CONTROL)) {
		err = records_print(k, at, p, (size_t)bytes);
		if (err == -EPIPE)
			return err;
		if (err)
			return batch_bad(k, at, &b, "has records that cannot be read");
	}
	if (k->left)
		at->next = sl_max(at->next, b.base_offset + b.last_delta + 1);
	return (ssize_t)bytes;
}

/* ---- partitions ------------------------------------------------------------------------- */

/* Return: bytes of records; or as client_fetch(), told to client_error(). */
static int64_t partition_read(struct consume *k, struct position *at, int wait_ms)
{
	struct client_fetch f = {.partition = at->partition,
				 .offset = at->next,
				 .bytes_max = FETCH_BYTES,
				 .wait_ms = wait_ms};
	struct client_records records;
	size_t done = 0;
	ssize_t n = 1;
	int err = client_fetch(k->c, &k->topic, &f, &records);

	if (err)
		return err > 0 && client_may_retry(err) ? -EAGAIN : err > 0 ? -EIO : err;
	while (n > 0 && k->left && at->next < at->end) {
		n = batch_take(k, at, records.p + done, records.len - done);
		done += n > 0 ? (size_t)n : 0;
	}
	client_records_done(&records);
	if (fflush(stdout))
		n = -EPIPE;
	return n < 0 ? n : (int64_t)done;
}

/* A daemon that restarts is waited for, as long as --timeout says. */
static int failure(struct consume *k, int err)
{
	int64_t now = now_ns();

	if (err != -EAGAIN && !client_may_retry(err))
		return err;
	if (!k->failing_since)
		k->failing_since = now;
	if (now - k->failing_since > k->o.timeout_ns)
		return err;
	sleep_ns(RETRY_NS);
	return 0;
}

/* One look at each partition. Return: 0; 1 when all is printed; -errno. */
static int round_all(struct consume *k, int *wait_ms)
{
	int open = 0, err;
	int64_t got = 0;

	for (int i = 0; i < k->positions_n && k->left; i++) {
		struct position *at = &k->positions[i];
		int64_t n;

		if (at->next >= at->end)
			continue;
		open++;
		n = partition_read(k, at, *wait_ms);
		if (n < 0) {
			err = failure(k, (int)n);
			if (err)
				return err;
			continue;
		}
		k->failing_since = 0;
		got += n;
		progress(k);
	}
	*wait_ms = got ? 0 : open > 1 ? WAIT_MANY_MS : WAIT_ONE_MS;
	return !open || !k->left;
}

/* ---- the verb --------------------------------------------------------------------------- */

static int run(struct consume *k, const char *topic)
{
	struct client_conf conf = {.bootstrap = k->o.bootstrap, .timeout_ns = k->o.timeout_ns};
	int wait_ms = 0;
	int err = client_new(&conf, &k->c);

	if (!err)
		err = client_topic_find(k->c, topic, false, &k->topic);
	if (!err)
		err = positions_init(k);
	while (!err)
		err = round_all(k, &wait_ms);
	if (k->progress)
		fprintf(stderr, "\r\033[K");
	if (err == 1)
		return 0;
	if (err != -EPIPE)
		complain(NAME, "%s", k->c ? client_error(k->c) : "out of memory");
	return err;
}

static int options_check(struct consume *k)
{
	int64_t n;

	if (strcmp(k->o.partition, "all") &&
	    (number(k->o.partition, &n) || n < 0 || n > INT32_MAX)) {
		complain(NAME, "--partition '%s': expected a number or all", k->o.partition);
		return -EINVAL;
	}
	if (offset_take(k, k->o.offset)) {
		complain(NAME, "--offset '%s': expected earliest, latest, N, -N or @TIME",
			 k->o.offset);
		return -EINVAL;
	}
	if (format_parse(k->o.format, &k->format)) {
		complain(NAME,
			 "--format '%s': expected raw, json or a pattern of %%k %%v %%o %%p "
			 "%%t %%T %%h",
			 k->o.format);
		return -EINVAL;
	}
	return 0;
}

int verb_consume(int argc, char **argv)
{
	struct consume k = {.o = {.bootstrap = bootstrap_default(),
				  .timeout_ns = 30 * SL_SEC,
				  .partition = "all",
				  .offset = "earliest",
				  .format = "raw",
				  .count = INT64_MAX}};
	const char *topic;
	int err = options_parse(&usage, argc, argv, &k.o, &topic);

	if (err)
		return options_exit(err);
	if (options_check(&k))
		return EXIT_USAGE;
	k.left = k.o.count;
	k.progress = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO);
	err = run(&k, topic);
	free(k.positions);
	client_topic_done(&k.topic);
	client_free(k.c);
	return err ? 1 : 0;
}
