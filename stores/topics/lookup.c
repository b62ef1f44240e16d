/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup: offsets of a partition: first, last, and by time, down to the record.
 *
 * Interface: sl_topic_offsets() and sl_topic_partition_info() of topics.h.
 * The log finds the batch; the record in it is found by reading the batch and, if need be,
 * decompressing it step by step.
 *
 * Order of parts: reading a batch; records by time; queries; visiting.
 */
#include <errno.h>

#include "topics_pvt.h"

/* A longer batch is answered by its first record: reading on from there, a consumer misses none. */
#define BATCH_READ_BYTES_MAX (64 * SL_MIB)

/* ---- reading a batch -------------------------------------------------------------------- */

static int span_read(const struct sl_extent *e, uint64_t bytes, uint8_t **ret_p, int64_t deadline)
{
	uint8_t *p;
	int rc;

	if (bytes > e->len)
		return -EBADMSG;
	p = malloc(bytes);
	if (!p)
		return -ENOMEM;
	rc = sl_read_all(e->file->fd, p, bytes, e->off, deadline);
	if (rc) {
		free(p);
		return rc;
	}
	*ret_p = p;
	return 0;
}

/* The first batch of the span that begins at @offset: its header, or all of it. To be freed. */
static int batch_read(struct partition *p, uint64_t offset, bool all, uint8_t **ret_p,
		      uint64_t *ret_len, int64_t deadline)
{
	struct sl_frame frame;
	struct sl_span span;
	uint8_t *bytes = NULL;
	int rc = sl_log_read(p->log, offset, 1, NULL, &span, 1, deadline);

	if (rc <= 0)
		return rc ? rc : -ENOENT;
	sl_file_held(span.extent.file);
	rc = span_read(&span.extent, SL_BATCH_HEADER_BYTES, &bytes, deadline);
	if (!rc)
		rc = sl_batch_kind.frame(bytes, &frame);
	if (!rc && all) {
		free(bytes);
		bytes = NULL;
		rc = frame.bytes > BATCH_READ_BYTES_MAX
			     ? -E2BIG
			     : span_read(&span.extent, frame.bytes, &bytes, deadline);
	}
	sl_file_release(span.extent.file);
	if (rc) {
		free(bytes);
		return rc;
	}
	*ret_p = bytes;
	*ret_len = all ? frame.bytes : SL_BATCH_HEADER_BYTES;
	return 0;
}

/* ---- records by time -------------------------------------------------------------------- */

/* The first record of the batch that is not older than @time_ms. */
static int record_find(const uint8_t *p, uint64_t len, int64_t time_ms,
		       struct sl_offset_query *q)
{
	struct sl_records *records;
	struct sl_record record;
	int rc = sl_records_open(p, len, 0, &records);

	if (rc)
		return rc;
	while ((rc = sl_records_next_time(records, &record)) == 1) {
		if (record.time_ms < time_ms)
			continue;
		q->offset = record.offset;
		q->offset_ms = record.time_ms;
		rc = 0;
		break;
	}
	sl_records_close(records);
	return rc;
}

/* In the batch at @base, whose largest time is at least @time_ms. */
static int record_at_time(struct partition *p, uint64_t base, int64_t time_ms,
			  struct sl_offset_query *q, int64_t deadline)
{
	uint8_t *bytes = NULL;
	struct sl_batch b;
	uint64_t len = 0;
	int rc = batch_read(p, base, true, &bytes, &len, deadline);

	if (rc == -E2BIG)
		rc = batch_read(p, base, false, &bytes, &len, deadline);
	if (rc)
		return rc;
	sl_batch_load(bytes, &b);
	q->offset = b.base_offset;
	q->offset_ms = b.time_first;
	q->offset_epoch = b.epoch;
	/* A producer may compress what cannot be read: its batch is then the answer. */
	if (len > SL_BATCH_HEADER_BYTES)
		rc = record_find(bytes, len, time_ms, q);
	free(bytes);
	return rc == -EBADMSG ? 0 : rc;
}

/* ---- queries ---------------------------------------------------------------------------- */

static int query_time(struct partition *p, struct sl_offset_query *q, int64_t deadline)
{
	struct sl_frame frame;
	int rc;

	if (!p->log)
		return 0;
	rc = sl_log_find_time(p->log, q->time_ms, &frame, deadline);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	return record_at_time(p, frame.base, q->time_ms, q, deadline);
}

static int query_time_max(struct partition *p, struct sl_offset_query *q, int64_t deadline)
{
	uint64_t base = 0;
	int64_t time_ms = p->log ? sl_log_time_max(p->log, &base) : -1;

	if (time_ms < 0)
		return 0;
	return record_at_time(p, base, time_ms, q, deadline);
}

static int query_answer(struct core_state *tc, struct sl_offset_query *q, int64_t deadline)
{
	struct partition *p;
	int rc = epoch_check(tc, q->epoch);

	if (!rc)
		rc = partition_enter(tc, q->topic, q->partition, false, &p, deadline);
	if (rc)
		return rc;
	q->offset = q->offset_ms = -1;
	q->offset_epoch = (int32_t)tc->conf.epoch;
	if (q->time_ms == SL_OFFSET_LATEST)
		q->offset = (int64_t)partition_end(p);
	else if (q->time_ms == SL_OFFSET_EARLIEST)
		q->offset = (int64_t)partition_start(p);
	else if (q->time_ms == SL_OFFSET_TIME_MAX)
		rc = query_time_max(p, q, deadline);
	else
		rc = query_time(p, q, deadline);
	partition_leave(p);
	return rc == -EBADMSG ? SL_REFUSED_QUARANTINED : partition_result(rc);
}

/* ---- visiting --------------------------------------------------------------------------- */

struct visit {
	struct core_state *tc;
	struct sl_offset_query *queries;
	uint32_t n;
};

static struct sl_core *query_home(const struct sl_offset_query *q)
{
	return sl_topic_home(q->topic, q->partition);
}

static int answer_here(void *arg, int64_t deadline)
{
	struct visit *v = arg;
	int rc = core_ready(v->tc, deadline);

	for (uint32_t i = 0; i < v->n && !rc; i++)
		if (query_home(&v->queries[i]) == v->tc->core)
			v->queries[i].result = query_answer(v->tc, &v->queries[i], deadline);
	return rc;
}

int sl_topic_offsets(struct sl_topics *t, struct sl_offset_query *queries, uint32_t n,
		     int64_t deadline)
{
	for (uint32_t i = 0; i < n; i++) {
		struct sl_core *home = query_home(&queries[i]);
		struct visit v = {topics_at(t, home), queries, n};
		uint32_t k = 0;
		int rc;

		while (k < i && query_home(&queries[k]) != home)
			k++;
		if (k < i)
			continue; /* answered with query k */
		rc = sl_call(home, answer_here, &v, deadline);
		if (rc)
			return rc;
	}
	return 0;
}

struct info_visit {
	struct core_state *tc;
	const struct sl_topic *topic;
	uint32_t partition;
	struct sl_partition_info *info;
};

static int info_here(void *arg, int64_t deadline)
{
	struct info_visit *v = arg;
	struct sl_partition_info info = {0};
	struct partition *p;
	int rc = core_ready(v->tc, deadline);

	if (rc)
		return rc;
	rc = partition_enter(v->tc, v->topic, v->partition, false, &p, deadline);
	if (rc == SL_REFUSED_FAILED)
		info.failed = -EIO;
	else if (rc)
		return rc;
	if (!rc) {
		info.start = partition_start(p);
		info.end = partition_end(p);
		info.bytes = p->log ? sl_log_bytes(p->log) : 0;
		info.failed = p->log ? sl_log_failed(p->log) : 0;
		partition_leave(p);
	}
	*v->info = info;
	return 0;
}

int sl_topic_partition_info(struct sl_topics *t, const struct sl_topic *topic, uint32_t partition,
			    struct sl_partition_info *ret_info, int64_t deadline)
{
	struct sl_core *home;
	struct info_visit v;

	if (partition >= topic->partitions)
		return SL_REFUSED_UNKNOWN_PARTITION;
	home = sl_topic_home(topic, partition);
	v = (struct info_visit){topics_at(t, home), topic, partition, ret_info};
	return sl_call(home, info_here, &v, deadline);
}
