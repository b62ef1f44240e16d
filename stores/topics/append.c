/* SPDX-License-Identifier: Apache-2.0 */
/*
 * append: producers' batches into partition logs, whole or in steps.
 *
 * Interface: "appending" of topics.h. What needs the batch's bytes (checksum, LogAppendTime) is
 * done on the caller's core, where they are in cache; what needs the partition (sequence checks,
 * the append itself) at its home.
 * Invariants: a producer has one append at a time in a partition, so that what is remembered of
 * it is in the order of the log; a batch is remembered when it has its offset, before it is
 * durable, and a repetition then waits for the same commit as the original.
 *
 * Order of parts: checks; at home; batches in memory; batches in steps.
 */
#include <errno.h>

#include "topics_pvt.h"

struct sl_core *sl_topic_home(const struct sl_topic *topic, uint32_t partition)
{
	return sl_core_home(sl_core_cores(sl_core_self()), partition_hash(&topic->id, partition));
}

/* ---- checks ----------------------------------------------------------------------------- */

static const uint8_t fault_refusals[] = {
	[SL_BATCH_FINE] = SL_REFUSED_OK,
	[SL_BATCH_SHORT] = SL_REFUSED_BATCH_CORRUPT,
	[SL_BATCH_TRAILING] = SL_REFUSED_BATCH_INVALID,
	[SL_BATCH_OLD_MAGIC] = SL_REFUSED_BATCH_OLD,
	[SL_BATCH_BAD_MAGIC] = SL_REFUSED_BATCH_CORRUPT,
	[SL_BATCH_BAD_LENGTH] = SL_REFUSED_BATCH_CORRUPT,
	[SL_BATCH_BAD_COUNT] = SL_REFUSED_BATCH_INVALID,
	[SL_BATCH_BAD_CODEC] = SL_REFUSED_BATCH_CODEC,
	[SL_BATCH_BAD_ATTRIBUTES] = SL_REFUSED_BATCH_INVALID,
	[SL_BATCH_BAD_TIME] = SL_REFUSED_BATCH_TIME,
	[SL_BATCH_BAD_PRODUCER] = SL_REFUSED_BATCH_INVALID,
	[SL_BATCH_BAD_SUM] = SL_REFUSED_BATCH_CORRUPT,
};
static_assert(SL_ARRAY_SIZE(fault_refusals) == SL_BATCH_FAULT_LAST, "a refusal for each fault");
static_assert(SL_REFUSED_LAST <= UINT8_MAX, "refusals fit in the table");

/* Looks at the header at @header and keeps our copy of it, with LogAppendTime where it applies. */
static int check_header(struct sl_topic_append *a, const void *header, size_t have,
			uint64_t total)
{
	const struct sl_topic *topic = a->topic;
	struct sl_batch b;

	a->base = a->log_start = 0;
	a->append_ms = -1;
	a->decided = a->duplicate = a->patched = false;
	a->crc = 0;
	a->bytes_done = 0;
	a->fault = sl_batch_check_header(header, have, total, &b);
	if (a->fault)
		return fault_refusals[a->fault];
	if (total > (uint64_t)topic->in_force.value[SL_TOPIC_MAX_MESSAGE_BYTES])
		return SL_REFUSED_BATCH_TOO_LARGE;
	if (a->partition >= topic->partitions)
		return SL_REFUSED_UNKNOWN_PARTITION;
	a->batch = b;
	a->bytes = total;
	memcpy(a->header, header, sizeof(a->header));
	if (topic->in_force.value[SL_TOPIC_TIMESTAMP_TYPE]) {
		a->append_ms = wall_ms();
		sl_batch_set_append_time(a->header, a->append_ms);
		a->patched = true;
	}
	sl_store_be64(a->header, 0);
	if (sl_batch_kind.frame(a->header, &a->frame))
		return SL_REFUSED_BATCH_CORRUPT;
	return 0;
}

static int check_sum(struct sl_topic_append *a)
{
	if (a->crc == a->batch.crc)
		return 0;
	a->fault = SL_BATCH_BAD_SUM;
	return SL_REFUSED_BATCH_CORRUPT;
}

/* Sums up @len bytes at @p, which lie at bytes_done of the batch. */
static void sum_bytes(struct sl_topic_append *a, const uint8_t *p, size_t len)
{
	size_t skip = 0;

	if (a->bytes_done < SL_BATCH_ATTRIBUTES)
		skip = (size_t)sl_min((uint64_t)len, SL_BATCH_ATTRIBUTES - a->bytes_done);
	a->crc = sl_crc32c(a->crc, p + skip, len - skip);
	a->bytes_done += len;
}

/* ---- at home ---------------------------------------------------------------------------- */

/* Waits until no other append of the producer is in progress, and takes its place. */
static int producer_begin(struct partition *p, struct sl_topic_append *a,
			  struct producer **ret_producer, struct producer_batch *ret_original,
			  int64_t deadline)
{
	struct producer *producer;
	int rc;

	while (p->gathering ||
	       ((producer = producers_find(&p->producers, a->batch.producer_id)) &&
		producer->busy)) {
		rc = sl_waitq_wait(&p->producing, deadline);
		if (rc)
			return rc;
		if (p->state == PARTITION_GONE)
			return SL_REFUSED_UNKNOWN_PARTITION;
	}
	rc = producer_check(producer, &a->batch, ret_original);
	if (rc)
		return rc;
	if (!producer)
		producers_expire(&p->producers, wall_ms() - p->tc->conf.producer_expire_ms);
	producer = producers_get(&p->producers, a->batch.producer_id);
	if (!producer)
		return -ENOMEM;
	producer->busy = true;
	p->producing_n++;
	*ret_producer = producer;
	return 0;
}

static void producer_end(struct partition *p, struct sl_topic_append *a,
			 struct producer *producer, bool appended)
{
	SL_ASSERT(producer->busy);
	SL_ASSERT(p->producing_n > 0);
	producer->busy = false;
	p->producing_n--;
	if (appended)
		producer_note(&p->producers, producer, &a->batch, a->base, wall_ms());
	else if (producer->n == 0)
		producers_drop(&p->producers, producer);
	sl_waitq_wake_all(&p->producing, 0);
}

/* The batch is there already: its commit is the original's. */
static void append_again(struct partition *p, struct sl_topic_append *a,
			 const struct producer_batch *original)
{
	a->duplicate = true;
	a->base = original->base;
	if (a->commit)
		a->decided = sl_order_add(partition_order(p), a->commit,
					  original->base + a->frame.records);
}

/* Before the append. Return: 0: go on; -EALREADY: a duplicate, done with; or a result. */
static int home_begin(struct partition *p, struct sl_topic_append *a, int64_t deadline)
{
	struct producer_batch original = {0};
	int rc;

	a->producer = NULL;
	if (a->batch.producer_id < 0)
		return 0;
	rc = producer_begin(p, a, &a->producer, &original, deadline);
	if (rc != -EEXIST)
		return rc;
	a->log_start = partition_start(p);
	append_again(p, a, &original);
	return -EALREADY;
}

/* What the log said of an append as the call's result. */
static int append_told(struct sl_topic_append *a, int rc)
{
	a->decided = rc == 1;
	return rc == 1 ? 0 : partition_result(rc);
}

/* After it. */
static void home_end(struct partition *p, struct sl_topic_append *a, bool appended)
{
	if (a->producer)
		producer_end(p, a, a->producer, appended);
	a->producer = NULL;
	if (!appended)
		return;
	a->log_start = partition_start(p);
	partition_appended(p, a->bytes);
}

/* ---- batches in memory ------------------------------------------------------------------ */

struct visit {
	struct core_state *tc;
	struct sl_topic_append *a;
	struct iovec *iov;
	int n;
};

static int append_here(void *arg, int64_t deadline)
{
	struct visit *v = arg;
	struct sl_topic_append *a = v->a;
	struct partition *p;
	int rc = core_ready(v->tc, deadline);

	if (!rc)
		rc = partition_enter(v->tc, a->topic, a->partition, true, &p, deadline);
	if (rc)
		return rc;
	rc = home_begin(p, a, deadline);
	if (!rc) {
		rc = sl_log_append(p->log, v->iov, v->n, &a->frame, a->commit, &a->base, deadline);
		home_end(p, a, rc >= 0);
		rc = append_told(a, rc);
	}
	partition_leave(p);
	return rc == -EALREADY ? 0 : rc;
}

int sl_topic_append(struct sl_topics *t, struct sl_topic_append *a, struct iovec *iov, int n,
		    int64_t deadline)
{
	struct sl_core *home;
	struct visit v;
	uint64_t total = 0;
	int rc;

	SL_ASSERT(n > 0);
	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	rc = check_header(a, iov[0].iov_base, iov[0].iov_len, total);
	if (rc)
		return rc;
	for (int i = 0; i < n; i++)
		sum_bytes(a, iov[i].iov_base, iov[i].iov_len);
	rc = check_sum(a);
	if (rc)
		return rc;
	memcpy(iov[0].iov_base, a->header, sizeof(a->header));
	home = sl_topic_home(a->topic, a->partition);
	v = (struct visit){topics_at(t, home), a, iov, n};
	return sl_call(home, append_here, &v, deadline);
}

/* ---- batches in steps ------------------------------------------------------------------- */

/*
 * The stream belongs to the caller's core and goes home by itself; the partition is entered and
 * left there, in calls of their own.
 */

static int call_home(struct sl_topic_append *a, int (*fn)(void *arg, int64_t deadline),
		     int64_t deadline)
{
	return sl_call(sl_topic_home(a->topic, a->partition), fn, a, deadline);
}

/* What must happen at home, when there is memory for it. */
static void call_home_surely(struct sl_topic_append *a, int (*fn)(void *arg, int64_t deadline))
{
	while (call_home(a, fn, SL_NEVER) == -ENOMEM)
		sl_sleep(sl_now() + SL_MSEC);
}

static int enter_here(void *arg, int64_t deadline)
{
	struct sl_topic_append *a = arg;
	struct core_state *tc = topics_self(a->topics);
	int rc = core_ready(tc, deadline);

	if (!rc)
		rc = partition_enter(tc, a->topic, a->partition, true, &a->part, deadline);
	if (!rc)
		a->log = a->part->log;
	return rc;
}

static int leave_here(void *arg, int64_t deadline)
{
	struct sl_topic_append *a = arg;

	partition_leave(a->part);
	a->part = NULL;
	return 0;
}

int sl_topic_append_begin(struct sl_topics *t, struct sl_topic_append *a, const void *header,
			  uint64_t total, int64_t deadline)
{
	int rc = check_header(a, header, SL_BATCH_HEADER_BYTES, total);

	a->topics = t;
	a->part = NULL;
	if (!rc)
		rc = call_home(a, enter_here, deadline);
	if (rc)
		return rc;
	rc = sl_log_reserve(a->log, &a->frame, &a->stream, deadline);
	if (rc)
		call_home_surely(a, leave_here);
	return partition_result(rc);
}

int sl_topic_append_write(struct sl_topic_append *a, void *p, size_t len, int64_t deadline)
{
	bool first = a->bytes_done == 0;

	SL_ASSERT(len <= a->bytes - a->bytes_done);
	SL_ASSERT(!first || len >= SL_BATCH_HEADER_BYTES);
	sum_bytes(a, p, len);
	if (first)
		memcpy(p, a->header, sizeof(a->header));
	return partition_result(sl_append_write(&a->stream, p, len, deadline));
}

void sl_topic_append_abort(struct sl_topic_append *a)
{
	SL_ASSERT(a->part);
	sl_append_abort(&a->stream);
	call_home_surely(a, leave_here);
}

static int finish_begin_here(void *arg, int64_t deadline)
{
	struct sl_topic_append *a = arg;

	return home_begin(a->part, a, deadline);
}

static int appended_here(void *arg, int64_t deadline)
{
	struct sl_topic_append *a = arg;

	home_end(a->part, a, true);
	return leave_here(a, deadline);
}

static int not_appended_here(void *arg, int64_t deadline)
{
	struct sl_topic_append *a = arg;

	home_end(a->part, a, false);
	return leave_here(a, deadline);
}

int sl_topic_append_finish(struct sl_topic_append *a, int64_t deadline)
{
	int rc;

	SL_ASSERT(a->part);
	SL_ASSERT(a->bytes_done == a->bytes);
	a->producer = NULL;
	rc = check_sum(a);
	if (!rc && a->batch.producer_id >= 0)
		rc = call_home(a, finish_begin_here, deadline);
	if (rc) {
		sl_topic_append_abort(a);
		return rc == -EALREADY ? 0 : rc;
	}
	rc = sl_append_finish(&a->stream, a->commit, &a->base, deadline);
	call_home_surely(a, rc >= 0 ? appended_here : not_appended_here);
	return append_told(a, rc);
}
