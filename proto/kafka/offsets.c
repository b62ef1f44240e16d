/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ListOffsets and OffsetForLeaderEpoch: where a partition begins and ends, by time, by epoch.
 *
 * Interface: kafka_list_offsets_handle(), kafka_offset_for_leader_epoch_handle() of kafka_pvt.h.
 * There are no transactions and no tiered storage: the last stable offset is the durable end, the
 * first local offset the first one, and nothing is in a remote tier.
 * Where an epoch ends is not indexed: epochs rise along a log, so a search over batch headers finds
 * it in some tens of steps, and clients ask rarely, after the leader's epoch has risen.
 *
 * Order of parts: times; ListOffsets; epochs; OffsetForLeaderEpoch.
 */
#include <errno.h>

#include "kafka_pvt.h"

#define QUERY_TIME_NS (30 * SL_SEC)

static const struct sl_topic *find_partition(const struct sl_topics_view *view,
					     struct kafka_str name, int32_t partition)
{
	const struct sl_topic *topic = sl_topics_view_find(view, kafka_to_sl(name));

	if (!topic || partition < 0 || (uint32_t)partition >= topic->partitions)
		return NULL;
	return topic;
}

/* ---- times ------------------------------------------------------------------------------ */

/* What clients ask for instead of a time. */
enum {
	TIME_LATEST = -1,
	TIME_EARLIEST = -2,
	TIME_MAX = -3,
	TIME_EARLIEST_LOCAL = -4,
	TIME_LATEST_TIERED = -5,
	TIME_EARLIEST_PENDING_UPLOAD = -6,
};

/* The first version that knows each, by its negative. */
static const int16_t time_since[] = {
	[-TIME_LATEST] = 0,	    [-TIME_EARLIEST] = 0,      [-TIME_MAX] = 7,
	[-TIME_EARLIEST_LOCAL] = 8, [-TIME_LATEST_TIERED] = 9, [-TIME_EARLIEST_PENDING_UPLOAD] = 11,
};
static_assert(SL_ARRAY_SIZE(time_since) == 1 - TIME_EARLIEST_PENDING_UPLOAD, "a row for each");

static bool time_known(int64_t time, int16_t version)
{
	if (time >= 0)
		return true;
	return time >= TIME_EARLIEST_PENDING_UPLOAD && version >= time_since[-time];
}

/* Nothing is ever moved to another tier. */
static bool time_of_tier(int64_t time)
{
	return time == TIME_LATEST_TIERED || time == TIME_EARLIEST_PENDING_UPLOAD;
}

static int64_t time_to_engine(int64_t time)
{
	switch (time) {
	case TIME_LATEST:
		return SL_OFFSET_LATEST;
	case TIME_EARLIEST:
	case TIME_EARLIEST_LOCAL:
		return SL_OFFSET_EARLIEST;
	case TIME_MAX:
		return SL_OFFSET_TIME_MAX;
	default:
		return time;
	}
}

/* ---- ListOffsets ------------------------------------------------------------------------ */

/* The queries that the engine is asked, and the response's partition that each is for. */
struct queries {
	struct sl_offset_query *v;
	struct kafka_list_offsets_response_partition **of;
	uint32_t n;
};

static void ask(struct kafka_request *rq, const struct sl_topics_view *view, struct kafka_str name,
		const struct kafka_list_offsets_request_partition *p, struct queries *q,
		struct kafka_list_offsets_response_partition *o)
{
	const struct sl_topic *topic = find_partition(view, name, p->partition_index);

	kafka_init(&kafka_list_offsets_response_partition_schema, o);
	o->partition_index = p->partition_index;
	if (!topic) {
		o->error_code = KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
		return;
	}
	if (!time_known(p->timestamp, rq->version)) {
		o->error_code = KAFKA_ERR_UNSUPPORTED_VERSION;
		return;
	}
	if (time_of_tier(p->timestamp))
		return;
	q->of[q->n] = o;
	q->v[q->n++] = (struct sl_offset_query){
		.topic = topic,
		.partition = (uint32_t)p->partition_index,
		.epoch = p->current_leader_epoch,
		.time_ms = time_to_engine(p->timestamp),
		.result = KAFKA_ERR_UNKNOWN_SERVER_ERROR,
		.offset = -1,
	};
}

static void answer(const struct sl_offset_query *q, int err,
		   struct kafka_list_offsets_response_partition *o)
{
	if (err || q->result) {
		o->error_code = kafka_error_of(err ? err : q->result);
		return;
	}
	o->offset = q->offset;
	o->timestamp = q->offset_ms;
	o->leader_epoch = q->offset < 0 ? -1 : q->offset_epoch;
}

static int ask_all(struct kafka_request *rq, const struct kafka_list_offsets_request *req,
		   const struct sl_topics_view *view, struct queries *q,
		   struct kafka_list_offsets_response *res)
{
	for (int32_t t = 0; t < req->topics.n; t++) {
		const struct kafka_list_offsets_request_topic *topic = &req->topics.v[t];
		struct kafka_list_offsets_response_topic *o = &res->topics.v[t];

		o->name = topic->name;
		o->partitions.n = topic->partitions.n;
		o->partitions.v =
			kafka_alloc(rq, (size_t)topic->partitions.n, sizeof(*o->partitions.v));
		if (!o->partitions.v)
			return -ENOMEM;
		for (int32_t p = 0; p < topic->partitions.n; p++)
			ask(rq, view, topic->name, &topic->partitions.v[p], q, &o->partitions.v[p]);
	}
	return 0;
}

int kafka_list_offsets_handle(struct kafka_request *rq,
			      const struct kafka_list_offsets_request *req,
			      struct kafka_list_offsets_response *res)
{
	struct sl_topics_view *view;
	struct queries q = {0};
	size_t n = 0;
	int err;

	for (int32_t t = 0; t < req->topics.n; t++)
		n += (size_t)req->topics.v[t].partitions.n;
	q.v = kafka_alloc(rq, n, sizeof(*q.v));
	q.of = kafka_alloc(rq, n, sizeof(struct kafka_list_offsets_response_partition *));
	res->topics.v = kafka_alloc(rq, (size_t)req->topics.n, sizeof(*res->topics.v));
	res->topics.n = req->topics.n;
	if (!q.v || !q.of || !res->topics.v)
		return -ENOMEM;
	view = sl_topics_view(rq->topics);
	err = ask_all(rq, req, view, &q, res);
	if (!err) {
		int result = sl_topic_offsets(rq->topics, q.v, q.n,
					      req->timeout_ms > 0 ? kafka_deadline(req->timeout_ms)
								  : sl_now() + QUERY_TIME_NS);

		for (uint32_t i = 0; i < q.n; i++)
			answer(&q.v[i], result, q.of[i]);
	}
	sl_topics_view_release(view);
	return err;
}

/* ---- epochs ----------------------------------------------------------------------------- */

struct epochs {
	struct kafka_request *rq;
	const struct sl_topic *topic;
	uint32_t partition;
	uint64_t start, end; /* of the log */
};

/* The header of the batch that holds @offset. Return: 0, a refusal, or -errno. */
static int look_at(struct epochs *e, uint64_t offset, struct sl_batch *ret_batch)
{
	int64_t deadline = sl_now() + QUERY_TIME_NS;
	struct sl_fetch_part part = {
		.topic = e->topic,
		.partition = e->partition,
		.epoch = -1,
		.offset = offset,
		.bytes_max = 1,
	};
	struct sl_fetch f = {.parts = &part, .n = 1, .bytes_max = 1};
	uint8_t header[SL_BATCH_HEADER_BYTES];
	int rc = sl_fetch_once(e->rq->topics, &f, deadline);

	if (rc)
		return rc;
	if (part.result || !part.n_spans) {
		sl_fetch_release(&f);
		return part.result ? part.result : SL_REFUSED_OUT_OF_RANGE;
	}
	rc = sl_read_all(part.spans[0].extent.file->fd, header, sizeof(header),
			 part.spans[0].extent.off, deadline);
	sl_fetch_release(&f);
	if (!rc)
		sl_batch_load(header, ret_batch);
	return rc;
}

/*
 * The first offset above those of epoch @epoch and older ones, and the epoch of the record below
 * it (@epoch itself if there is none). Return: as look_at().
 */
static int epoch_end(struct epochs *e, int32_t epoch, int64_t *ret_offset, int32_t *ret_epoch)
{
	uint64_t low = e->start, high = e->end;
	int32_t below = epoch;

	while (low < high) {
		struct sl_batch b;
		int rc = look_at(e, low + (high - low) / 2, &b);

		if (rc)
			return rc;
		if (b.epoch > epoch) {
			high = sl_max(low, (uint64_t)b.base_offset);
		} else {
			low = (uint64_t)b.base_offset + (uint64_t)b.last_delta + 1;
			below = b.epoch;
		}
	}
	*ret_offset = (int64_t)low;
	*ret_epoch = below;
	return 0;
}

/* The same for any epoch: the current one ends at the durable end, later ones are not known. */
static int find_end(struct epochs *e, int32_t epoch, int64_t *ret_offset, int32_t *ret_epoch)
{
	int32_t current = (int32_t)e->rq->server->epoch;
	struct sl_offset_query q[] = {
		{e->topic, e->partition, -1, SL_OFFSET_EARLIEST},
		{e->topic, e->partition, -1, SL_OFFSET_LATEST},
	};
	int rc;

	if (epoch < 0 || epoch > current)
		return 0;
	rc = sl_topic_offsets(e->rq->topics, q, SL_ARRAY_SIZE(q), sl_now() + QUERY_TIME_NS);
	for (size_t i = 0; !rc && i < SL_ARRAY_SIZE(q); i++)
		rc = q[i].result;
	if (rc)
		return rc;
	e->start = (uint64_t)q[0].offset;
	e->end = (uint64_t)q[1].offset;
	if (epoch < current)
		return epoch_end(e, epoch, ret_offset, ret_epoch);
	*ret_offset = q[1].offset;
	*ret_epoch = current;
	return 0;
}

/* ---- OffsetForLeaderEpoch --------------------------------------------------------------- */

static void answer_epoch(struct kafka_request *rq, const struct sl_topics_view *view,
			 struct kafka_str name,
			 const struct kafka_offset_for_leader_epoch_request_partition *p,
			 struct kafka_offset_for_leader_epoch_response_partition *o)
{
	const struct sl_topic *topic = find_partition(view, name, p->partition);
	struct epochs e = {.rq = rq, .topic = topic, .partition = (uint32_t)p->partition};
	int32_t current = (int32_t)rq->server->epoch;

	kafka_init(&kafka_offset_for_leader_epoch_response_partition_schema, o);
	o->partition = p->partition;
	if (!topic)
		o->error_code = KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	else if (p->current_leader_epoch >= 0 && p->current_leader_epoch < current)
		o->error_code = KAFKA_ERR_FENCED_LEADER_EPOCH;
	else if (p->current_leader_epoch > current)
		o->error_code = KAFKA_ERR_UNKNOWN_LEADER_EPOCH;
	else
		o->error_code = kafka_error_of(
			find_end(&e, p->leader_epoch, &o->end_offset, &o->leader_epoch));
}

int kafka_offset_for_leader_epoch_handle(struct kafka_request *rq,
					 const struct kafka_offset_for_leader_epoch_request *req,
					 struct kafka_offset_for_leader_epoch_response *res)
{
	struct sl_topics_view *view;

	res->topics.n = req->topics.n;
	res->topics.v = kafka_alloc(rq, (size_t)req->topics.n, sizeof(*res->topics.v));
	if (!res->topics.v)
		return -ENOMEM;
	for (int32_t t = 0; t < req->topics.n; t++) {
		res->topics.v[t].topic = req->topics.v[t].topic;
		res->topics.v[t].partitions.n = req->topics.v[t].partitions.n;
		res->topics.v[t].partitions.v = kafka_alloc(rq,
							    (size_t)req->topics.v[t].partitions.n,
							    sizeof(*res->topics.v[t].partitions.v));
		if (!res->topics.v[t].partitions.v)
			return -ENOMEM;
	}
	view = sl_topics_view(rq->topics);
	for (int32_t t = 0; t < req->topics.n; t++) {
		for (int32_t p = 0; p < req->topics.v[t].partitions.n; p++)
			answer_epoch(rq, view, req->topics.v[t].topic,
				     &req->topics.v[t].partitions.v[p],
				     &res->topics.v[t].partitions.v[p]);
	}
	sl_topics_view_release(view);
	return 0;
}
