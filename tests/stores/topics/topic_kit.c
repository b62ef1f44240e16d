/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of stores/topics share.
 *
 * Interface: topic_kit.h. Order of parts: running; topics; batches; appending; reading; groups.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "topic_kit.h"

/* ---- running ------------------------------------------------------------------------------ */

static void heard(void *arg, enum sl_topics_event event, const char *name, int64_t a)
{
	struct tk *k = arg;

	SL_ASSERT(event < SL_TOPICS_EVENT_LAST);
	SL_ASSERT(name);
	(void)a;
	k->events[event]++;
}

static void log_heard(void *arg, const char *name, enum sl_log_event event, int64_t a, int64_t b)
{
	struct tk *k = arg;

	SL_ASSERT(event < SL_LOG_EVENT_LAST);
	(void)name;
	(void)a;
	(void)b;
	k->log_events[event]++;
}

void tk_init(struct tk *k, struct sl_sim *sim)
{
	*k = (struct tk){
		.sim = sim,
		.conf = {
			.dir = -1,
			.cores = 1,
			.epoch = 1,
			.log = {.segment_bytes = SL_MIB},
			.logs = {.event = log_heard, .arg = k, .background = true},
			.batch_bytes_max = SL_MIB,
			.partitions_max = 100,
			.group_session_min_ns = 10 * SL_MSEC,
			.group_session_max_ns = 60 * SL_SEC,
			.offsets_retention_ns = 3600 * SL_SEC,
			.event = heard,
			.arg = k,
		},
	};
}

struct tk_call {
	struct tk *k;
	int (*body)(struct tk *k);
};

static int run_body(void *arg)
{
	struct tk_call *c = arg;

	return c->body(c->k);
}

int tk_run(struct tk *k, int (*body)(struct tk *k))
{
	struct sl_cores_conf conf = {
		.backend = k->sim ? sl_sim_backend(k->sim) : NULL,
		.arena_bytes_max = 64 * SL_MIB,
		.rx_buffers = 8,
	};
	struct tk_call c = {k, body};

	return sl_core_run(&conf, run_body, &c);
}

int tk_open(struct tk *k)
{
	int rc;

	k->conf.dir = sl_open(AT_FDCWD, k->sim ? "/" : harness_tmpdir(), O_RDONLY | O_DIRECTORY, 0,
			      SL_NEVER);
	if (k->conf.dir < 0)
		return k->conf.dir;
	rc = sl_topics_open(&k->conf, &k->t);
	if (!rc)
		rc = sl_topics_start(k->t, SL_NEVER);
	if (!rc)
		return 0;
	if (k->t)
		sl_topics_close(k->t);
	k->t = NULL;
	sl_close(k->conf.dir);
	return rc;
}

int tk_close(struct tk *k)
{
	int rc = sl_topics_stop(k->t, SL_NEVER);

	sl_topics_close(k->t);
	k->t = NULL;
	sl_close(k->conf.dir);
	return rc;
}

/* Every write that the stop would make fails: the disk stays as it is. */
void tk_kill(struct tk *k)
{
	SL_ASSERT(k->sim);
	sl_sim_cut(k->sim);
	tk_close(k);
}

/* ---- topics ------------------------------------------------------------------------------- */

int tk_create(struct tk *k, const char *name, uint32_t partitions)
{
	return sl_topics_create(k->t, tk_str(name), partitions, NULL, false, NULL, SL_NEVER);
}

const struct sl_topic *tk_topic(struct tk *k, const char *name)
{
	struct sl_topics_view *view = sl_topics_view(k->t);
	const struct sl_topic *topic = sl_topics_view_find(view, tk_str(name));

	sl_topics_view_release(view);
	return topic;
}

/* ---- batches ------------------------------------------------------------------------------ */

static void add_record(struct sl_batch_builder *builder, const struct tk_batch *b, uint32_t i)
{
	size_t room = 24 + b->padding;
	char *text = calloc(1, room);
	struct sl_record r = {.time_ms = b->time_ms + i, .value = (uint8_t *)text};

	SL_ASSERT(text);
	r.value_bytes = (size_t)snprintf(text, 24, "%lld", (long long)b->number + i);
	for (size_t k = 0; k < b->padding; k++)
		text[r.value_bytes + k] = (char)(' ' + (k * 7 + (size_t)b->number) % 7);
	memset(text + r.value_bytes, ' ', b->padding ? 1 : 0);
	r.value_bytes += b->padding;
	SL_ASSERT(sl_batch_builder_add(builder, &r, NULL, 0) == 0);
	free(text);
}

uint8_t *tk_batch_make(const struct tk_batch *b, size_t *ret_len)
{
	struct sl_batch_builder *builder;
	const uint8_t *p;
	uint8_t *copy;

	SL_ASSERT(sl_batch_builder_new(b->codec, &builder) == 0);
	for (uint32_t i = 0; i < b->n; i++)
		add_record(builder, b, i);
	if (b->producer_id >= 0)
		sl_batch_builder_producer(builder, b->producer_id, b->producer_epoch, b->sequence);
	SL_ASSERT(sl_batch_builder_finish(builder, &p, ret_len) == 0);
	copy = malloc(*ret_len);
	SL_ASSERT(copy);
	memcpy(copy, p, *ret_len);
	sl_batch_builder_free(builder);
	return copy;
}

/* ---- appending ---------------------------------------------------------------------------- */

struct waiter {
	struct sl_commit commit;
	struct sl_waitq q;
	bool done;
};

static void told(struct sl_commit *commit)
{
	struct waiter *w = sl_container_of(commit, struct waiter, commit);

	w->done = true;
	sl_waitq_wake_all(&w->q, 0);
}

static void waiter_init(struct waiter *w)
{
	*w = (struct waiter){.commit = {.core = sl_core_self(), .done = told}};
	sl_waitq_init(&w->q);
}

/* The end of an append that returned @rc: its commit's outcome. */
static int waiter_wait(struct waiter *w, int rc, const struct sl_topic_append *a)
{
	if (rc)
		return rc;
	while (!a->decided && !w->done)
		sl_waitq_wait(&w->q, SL_NEVER);
	return w->commit.res;
}

int tk_append(struct tk *k, const char *topic, uint32_t partition, const struct tk_batch *b,
	       uint64_t *ret_base)
{
	struct sl_topics_view *view = sl_topics_view(k->t);
	struct sl_topic_append a = {.topic = sl_topics_view_find(view, tk_str(topic)),
				    .partition = partition};
	struct waiter w;
	struct iovec iov;
	int rc;

	SL_ASSERT(a.topic);
	waiter_init(&w);
	a.commit = &w.commit;
	iov.iov_base = tk_batch_make(b, &iov.iov_len);
	{
		void *batch = iov.iov_base;

		rc = waiter_wait(&w, sl_topic_append(k->t, &a, &iov, 1, SL_NEVER), &a);
		free(batch);
	}
	sl_topics_view_release(view);
	if (!rc && ret_base)
		*ret_base = a.base;
	return rc;
}

static int stream_batch(struct tk *k, struct sl_topic_append *a, uint8_t *p, size_t len,
			size_t step)
{
	int rc = sl_topic_append_begin(k->t, a, p, len, SL_NEVER);

	if (rc)
		return rc;
	for (size_t at = 0; at < len; at += step) {
		rc = sl_topic_append_write(a, p + at, sl_min(step, len - at), SL_NEVER);
		if (rc) {
			sl_topic_append_abort(a);
			return rc;
		}
	}
	return sl_topic_append_finish(a, SL_NEVER);
}

int tk_append_streamed(struct tk *k, const char *topic, uint32_t partition,
			const struct tk_batch *b, size_t step, uint64_t *ret_base)
{
	struct sl_topics_view *view = sl_topics_view(k->t);
	struct sl_topic_append a = {.topic = sl_topics_view_find(view, tk_str(topic)),
				    .partition = partition};
	struct waiter w;
	uint8_t *p;
	size_t len;
	int rc;

	SL_ASSERT(a.topic);
	waiter_init(&w);
	a.commit = &w.commit;
	p = tk_batch_make(b, &len);
	rc = waiter_wait(&w, stream_batch(k, &a, p, len, step), &a);
	free(p);
	sl_topics_view_release(view);
	if (!rc && ret_base)
		*ret_base = a.base;
	return rc;
}

/* ---- reading ------------------------------------------------------------------------------ */

static int read_batch(const uint8_t *p, size_t len, uint64_t from, int64_t *numbers, int n)
{
	struct sl_records *records;
	struct sl_record r;
	int rc = sl_records_open(p, len, SL_MIB, &records), got = 0;

	if (rc)
		return rc;
	while ((rc = sl_records_next(records, &r)) == 1 && got < n) {
		char text[24] = {0};

		if ((uint64_t)r.offset < from)
			continue;
		memcpy(text, r.value, sl_min(r.value_bytes, sizeof(text) - 1));
		numbers[got++] = atoll(text);
	}
	sl_records_close(records);
	return rc < 0 ? rc : got;
}

static int read_span(const struct sl_span *span, uint64_t from, int64_t *numbers, int n)
{
	uint8_t *p = malloc(span->extent.len);
	uint64_t at = 0;
	int rc, got = 0;

	SL_ASSERT(p);
	rc = sl_read_all(span->extent.file->fd, p, span->extent.len, span->extent.off, SL_NEVER);
	while (rc >= 0 && at < span->extent.len) {
		struct sl_frame f;

		rc = sl_batch_kind.frame(p + at, &f);
		if (!rc && f.bytes > span->extent.len - at)
			rc = -EBADMSG;
		if (!rc && f.sum != sl_crc32c(0, p + at + f.sum_from, f.bytes - f.sum_from))
			rc = -EBADMSG;
		if (!rc)
			rc = read_batch(p + at, f.bytes, from, numbers + got, n - got);
		if (rc >= 0)
			got += rc;
		at += f.bytes;
	}
	free(p);
	return rc < 0 ? rc : got;
}

int tk_read(struct tk *k, const char *topic, uint32_t partition, uint64_t offset,
	     int64_t *ret_numbers, int n)
{
	struct sl_topics_view *view = sl_topics_view(k->t);
	struct sl_fetch_part part = {.topic = sl_topics_view_find(view, tk_str(topic)),
				     .partition = partition,
				     .epoch = -1,
				     .offset = offset,
				     .bytes_max = SL_MIB};
	struct sl_fetch f = {.parts = &part, .n = 1, .bytes_max = SL_MIB};
	int got = 0, rc;

	SL_ASSERT(part.topic);
	do {
		rc = sl_fetch_once(k->t, &f, SL_NEVER);
		if (!rc)
			rc = -part.result;
		for (uint32_t i = 0; i < part.n_spans && rc >= 0; i++) {
			rc = read_span(&part.spans[i], part.offset, ret_numbers + got, n - got);
			got += sl_max(rc, 0);
			part.offset = part.spans[i].next;
		}
		sl_fetch_release(&f);
	} while (rc > 0 && got < n);
	sl_topics_view_release(view);
	return rc < 0 ? rc : got;
}

int64_t tk_end(struct tk *k, const char *topic, uint32_t partition)
{
	struct sl_offset_query q = {.topic = tk_topic(k, topic), .partition = partition,
				    .epoch = -1, .time_ms = SL_OFFSET_LATEST};

	if (!q.topic || sl_topic_offsets(k->t, &q, 1, SL_NEVER) || q.result)
		return -1;
	return q.offset;
}

/* ---- groups ------------------------------------------------------------------------------- */

int tk_open_with(struct tk *k, const char *topic, uint32_t partitions)
{
	int rc = tk_open(k);

	return rc ? rc : tk_create(k, topic, partitions);
}

struct sl_group_member tk_nobody(const char *group)
{
	return (struct sl_group_member){.group = tk_str(group), .generation = -1};
}

int tk_commit(struct tk *k, const char *group, uint32_t partition, int64_t offset,
	      const char *metadata)
{
	struct sl_group_member who = tk_nobody(group);
	struct sl_offset o = {.topic = tk_topic(k, "t")->id, .partition = partition, .epoch = 3,
			      .offset = offset, .metadata = tk_str(metadata)};
	int rc = sl_offsets_commit(k->t, &who, &o, 1, SL_NEVER);

	return rc ? rc : o.result;
}

int64_t tk_committed(struct tk *k, const char *group, uint32_t partition, char *ret_metadata)
{
	struct sl_group_member who = tk_nobody(group);
	struct sl_offset o = {.topic = tk_topic(k, "t")->id, .partition = partition};
	struct sl_offset_list list;
	int64_t offset;

	ASSERT_EQ(0, sl_offsets_fetch(k->t, &who, &o, 1, &list, SL_NEVER));
	ASSERT_EQ(1, list.n);
	offset = list.offsets[0].offset;
	if (ret_metadata) {
		memcpy(ret_metadata, list.offsets[0].metadata.s, list.offsets[0].metadata.len);
		ret_metadata[list.offsets[0].metadata.len] = 0;
		EXPECT_EQ(3, list.offsets[0].epoch);
	}
	sl_offset_list_done(&list);
	return offset;
}

uint32_t tk_committed_all(struct tk *k, const char *group)
{
	struct sl_group_member who = tk_nobody(group);
	struct sl_offset_list list;
	uint32_t n;

	ASSERT_EQ(0, sl_offsets_fetch(k->t, &who, NULL, 0, &list, SL_NEVER));
	n = list.n;
	sl_offset_list_done(&list);
	return n;
}
