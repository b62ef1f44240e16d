/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OffsetCommit and OffsetFetch: the offsets that consumer groups keep.
 *
 * Interface: the two handlers of kafka_pvt.h.
 * The engine keeps offsets by topic id, so that a topic that was deleted and made anew has none;
 * names are turned into ids here, and back. Up to version 7 an OffsetFetch asks for one group:
 * it is served as the list of groups of later versions, and the answer is rewritten.
 *
 * Order of parts: committing; asking; all of a group; one group; the old answer; the handler.
 */
#include <errno.h>
#include <stdlib.h>

#include "groups_pvt.h"

#define CALL_TIME_NS (30 * SL_SEC)

static const struct sl_topic *find_topic(const struct sl_topics_view *view, bool by_id,
					 struct kafka_str name, struct kafka_uuid uuid)
{
	struct sl_uuid id = kafka_uuid_to_sl(uuid);

	return by_id ? sl_topics_view_find_id(view, &id)
		     : sl_topics_view_find(view, kafka_to_sl(name));
}

/* The code of a partition that is not there: the topic by its id, or anything else. */
static int16_t unknown(bool by_id, const struct sl_topic *topic)
{
	return by_id && !topic ? KAFKA_ERR_UNKNOWN_TOPIC_ID : KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
}

static bool has_partition(const struct sl_topic *topic, int32_t partition)
{
	return topic && partition >= 0 && (uint32_t)partition < topic->partitions;
}

/* ---- committing ------------------------------------------------------------------------- */

/* What the engine is asked to store, and the response's partition that each is for. */
struct commit {
	struct kafka_request *rq;
	const struct sl_topics_view *view;
	struct sl_offset *offsets;
	struct kafka_offset_commit_response_partition **of;
	uint32_t n;
};

static void commit_partition(struct commit *c, const struct sl_topic *topic,
			     const struct kafka_offset_commit_request_partition *p,
			     struct kafka_offset_commit_response_partition *o)
{
	kafka_init(&kafka_offset_commit_response_partition_schema, o);
	o->partition_index = p->partition_index;
	if (!has_partition(topic, p->partition_index)) {
		o->error_code = unknown(c->rq->version >= 10, topic);
		return;
	}
	if (p->committed_offset < 0) {
		o->error_code = KAFKA_ERR_INVALID_COMMIT_OFFSET_SIZE;
		return;
	}
	c->of[c->n] = o;
	c->offsets[c->n++] = (struct sl_offset){
		.topic = topic->id,
		.partition = (uint32_t)p->partition_index,
		.epoch = p->committed_leader_epoch,
		.offset = p->committed_offset,
		.metadata = kafka_to_sl(p->committed_metadata),
	};
}

static int commit_topic(struct commit *c, const struct kafka_offset_commit_request_topic *t,
			struct kafka_offset_commit_response_topic *o)
{
	const struct sl_topic *topic =
		find_topic(c->view, c->rq->version >= 10, t->name, t->topic_id);

	kafka_init(&kafka_offset_commit_response_topic_schema, o);
	o->name = t->name;
	o->topic_id = t->topic_id;
	o->partitions.n = t->partitions.n;
	o->partitions.v = kafka_alloc(c->rq, (size_t)t->partitions.n, sizeof(*o->partitions.v));
	if (!o->partitions.v)
		return -ENOMEM;
	for (int32_t i = 0; i < t->partitions.n; i++)
		commit_partition(c, topic, &t->partitions.v[i], &o->partitions.v[i]);
	return 0;
}

static void commit_store(struct commit *c, const struct kafka_offset_commit_request *req)
{
	const struct sl_group_member m = {
		.group = kafka_to_sl(req->group_id),
		.member_id = kafka_to_sl(req->member_id),
		.instance_id = kafka_to_sl(req->group_instance_id),
		.generation = req->generation_id_or_member_epoch,
	};
	int result =
		sl_offsets_commit(c->rq->topics, &m, c->offsets, c->n, sl_now() + CALL_TIME_NS);

	for (uint32_t i = 0; i < c->n; i++)
		c->of[i]->error_code = group_error(result ? result : c->offsets[i].result);
}

int kafka_offset_commit_handle(struct kafka_request *rq,
			       const struct kafka_offset_commit_request *req,
			       struct kafka_offset_commit_response *res)
{
	struct sl_topics_view *view;
	struct commit c = {.rq = rq};
	size_t n = 0;
	int err = 0;

	for (int32_t t = 0; t < req->topics.n; t++)
		n += (size_t)req->topics.v[t].partitions.n;
	c.offsets = kafka_alloc(rq, n, sizeof(*c.offsets));
	c.of = kafka_alloc(rq, n, sizeof(struct kafka_offset_commit_response_partition *));
	res->topics.n = req->topics.n;
	res->topics.v = kafka_alloc(rq, (size_t)req->topics.n, sizeof(*res->topics.v));
	if (!c.offsets || !c.of || !res->topics.v)
		return -ENOMEM;
	view = sl_topics_view(rq->topics);
	c.view = view;
	for (int32_t t = 0; !err && t < req->topics.n; t++)
		err = commit_topic(&c, &req->topics.v[t], &res->topics.v[t]);
	sl_topics_view_release(view);
	if (!err)
		commit_store(&c, req);
	return err;
}

/* ---- asking ----------------------------------------------------------------------------- */

/* What has to stay until the response is encoded: names and the engine's lists. */
struct held {
	struct sl_topics_view *view;
	struct sl_offset_list *lists;
	int32_t n;
};

static void let_go(void *arg)
{
	struct held *held = arg;

	for (int32_t i = 0; i < held->n; i++)
		sl_offset_list_done(&held->lists[i]);
	sl_topics_view_release(held->view);
}

struct fetch {
	struct kafka_request *rq;
	const struct sl_topics_view *view;
	const struct kafka_offset_fetch_request_group *req;
	struct kafka_offset_fetch_response_group *res;
	struct sl_offset_list *list;
};

static void fill_partition(int32_t index, const struct sl_offset *offset, int16_t error,
			   struct kafka_offset_fetch_response_group_topic_partition *o)
{
	kafka_init(&kafka_offset_fetch_response_group_topic_partition_schema, o);
	o->partition_index = index;
	o->committed_offset = offset ? offset->offset : -1;
	o->committed_leader_epoch = offset ? offset->epoch : -1;
	if (offset && offset->metadata.s)
		o->metadata = kafka_from_sl(offset->metadata);
	o->error_code = error;
}

/* The partitions that are there, in the order asked. */
static uint32_t list_asked(const struct fetch *f, struct sl_offset *ret_asked)
{
	uint32_t n = 0;

	for (int32_t t = 0; t < f->req->topics.n; t++) {
		const struct kafka_offset_fetch_request_group_topic *rt = &f->req->topics.v[t];
		const struct sl_topic *topic =
			find_topic(f->view, f->rq->version >= 10, rt->name, rt->topic_id);

		for (int32_t p = 0; p < rt->partition_indexes.n; p++)
			if (has_partition(topic, rt->partition_indexes.v[p]))
				ret_asked[n++] = (struct sl_offset){
					.topic = topic->id,
					.partition = (uint32_t)rt->partition_indexes.v[p]};
	}
	return n;
}

/* @from: what the engine found, in the order of list_asked(). */
static int fill_topic(const struct fetch *f,
		      const struct kafka_offset_fetch_request_group_topic *rt,
		      const struct sl_offset **from,
		      struct kafka_offset_fetch_response_group_topic *o)
{
	bool by_id = f->rq->version >= 10;
	const struct sl_topic *topic = find_topic(f->view, by_id, rt->name, rt->topic_id);
	int32_t n = rt->partition_indexes.n;

	o->name = rt->name;
	o->topic_id = rt->topic_id;
	o->partitions.n = n;
	o->partitions.v = kafka_alloc(f->rq, (size_t)n, sizeof(*o->partitions.v));
	if (!o->partitions.v)
		return -ENOMEM;
	for (int32_t p = 0; p < n; p++) {
		int32_t index = rt->partition_indexes.v[p];
		bool there = has_partition(topic, index);

		/* By name, what is not there merely has no offset. */
		fill_partition(index, there ? (*from)++ : NULL,
			       by_id && !there ? unknown(by_id, topic) : 0, &o->partitions.v[p]);
	}
	return 0;
}

static int fill_asked(const struct fetch *f)
{
	const struct sl_offset *from = f->list->offsets;
	int err = 0;

	f->res->topics.v = kafka_alloc(f->rq, (size_t)f->req->topics.n, sizeof(*f->res->topics.v));
	if (!f->res->topics.v)
		return -ENOMEM;
	f->res->topics.n = f->req->topics.n;
	for (int32_t t = 0; !err && t < f->req->topics.n; t++)
		err = fill_topic(f, &f->req->topics.v[t], &from, &f->res->topics.v[t]);
	SL_ASSERT(err || from == f->list->offsets + f->list->n);
	return err;
}

/* ---- all of a group --------------------------------------------------------------------- */

static int by_topic(const void *a, const void *b)
{
	const struct sl_offset *x = a, *y = b;
	int order = memcmp(&x->topic, &y->topic, sizeof(x->topic));

	return order ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

/* Offsets of topics that are there, a topic's together. */
static int fill_all(const struct fetch *f)
{
	struct kafka_offset_fetch_response_group_topic_partition *p =
		kafka_alloc(f->rq, f->list->n, sizeof(*p));
	struct kafka_offset_fetch_response_group_topic *topics =
		kafka_alloc(f->rq, f->list->n, sizeof(*topics));
	struct kafka_offset_fetch_response_group_topic *o = NULL;
	const struct sl_topic *last = NULL;

	if (!p || !topics)
		return -ENOMEM;
	if (f->list->n)
		qsort(f->list->offsets, f->list->n, sizeof(f->list->offsets[0]), by_topic);
	f->res->topics.v = topics;
	for (uint32_t i = 0; i < f->list->n; i++) {
		const struct sl_offset *offset = &f->list->offsets[i];
		const struct sl_topic *topic = sl_topics_view_find_id(f->view, &offset->topic);

		if (!topic)
			continue;
		if (topic != last) {
			o = &topics[f->res->topics.n++];
			o->name = (struct kafka_str){topic->name, (int32_t)topic->name_len};
			o->topic_id = kafka_uuid_from_sl(&topic->id);
			o->partitions.v = p;
			last = topic;
		}
		fill_partition((int32_t)offset->partition, offset, 0, p++);
		o->partitions.n++;
	}
	return 0;
}

/* ---- one group -------------------------------------------------------------------------- */

static int fetch_group(const struct fetch *f)
{
	const struct sl_group_member m = {
		.group = kafka_to_sl(f->req->group_id),
		.member_id = kafka_str_is_null(f->req->member_id) ? (struct sl_str){"", 0}
								  : kafka_to_sl(f->req->member_id),
		.generation = f->req->member_epoch,
	};
	bool all = f->req->topics.n < 0;
	struct sl_offset *asked = NULL;
	size_t n = 0;
	int result;

	f->res->group_id = f->req->group_id;
	for (int32_t t = 0; t < f->req->topics.n; t++)
		n += (size_t)f->req->topics.v[t].partition_indexes.n;
	if (!all) {
		asked = kafka_alloc(f->rq, n, sizeof(*asked));
		if (!asked)
			return -ENOMEM;
		n = list_asked(f, asked);
	}
	result = sl_offsets_fetch(f->rq->topics, &m, asked, (uint32_t)n, f->list,
				  sl_now() + CALL_TIME_NS);
	if (result) {
		f->res->error_code = group_error(result);
		return 0;
	}
	return all ? fill_all(f) : fill_asked(f);
}

/* ---- the old answer --------------------------------------------------------------------- */

/* The request of versions up to 7 as one of a single group. */
static int from_old(struct kafka_request *rq, const struct kafka_offset_fetch_request *req,
		    struct kafka_offset_fetch_request_group *g)
{
	int32_t n = req->topics.n;

	kafka_init(&kafka_offset_fetch_request_group_schema, g);
	g->group_id = req->group_id;
	g->topics.n = n;
	g->topics.v = kafka_alloc(rq, n < 0 ? 0 : (size_t)n, sizeof(*g->topics.v));
	if (!g->topics.v)
		return -ENOMEM;
	for (int32_t t = 0; t < n; t++) {
		g->topics.v[t].name = req->topics.v[t].name;
		g->topics.v[t].partition_indexes.v = req->topics.v[t].partition_indexes.v;
		g->topics.v[t].partition_indexes.n = req->topics.v[t].partition_indexes.n;
	}
	return 0;
}

static int to_old_topic(struct kafka_request *rq,
			const struct kafka_offset_fetch_response_group_topic *t,
			struct kafka_offset_fetch_response_topic *o)
{
	o->name = t->name;
	o->partitions.n = t->partitions.n;
	o->partitions.v = kafka_alloc(rq, (size_t)t->partitions.n, sizeof(*o->partitions.v));
	if (!o->partitions.v)
		return -ENOMEM;
	for (int32_t p = 0; p < t->partitions.n; p++)
		o->partitions.v[p] = (struct kafka_offset_fetch_response_partition){
			t->partitions.v[p].partition_index, t->partitions.v[p].committed_offset,
			t->partitions.v[p].committed_leader_epoch, t->partitions.v[p].metadata,
			t->partitions.v[p].error_code};
	return 0;
}

/* Version 1 has no place for the group's error but its partitions. */
static int error_of_partitions(const struct fetch *f)
{
	int16_t error = f->res->error_code;

	f->res->topics.v =
		kafka_alloc(f->rq, (size_t)sl_max(f->req->topics.n, 0), sizeof(*f->res->topics.v));
	if (!f->res->topics.v)
		return -ENOMEM;
	f->res->topics.n = sl_max(f->req->topics.n, 0);
	for (int32_t t = 0; t < f->res->topics.n; t++) {
		const struct kafka_offset_fetch_request_group_topic *rt = &f->req->topics.v[t];
		struct kafka_offset_fetch_response_group_topic *o = &f->res->topics.v[t];

		o->name = rt->name;
		o->partitions.n = rt->partition_indexes.n;
		o->partitions.v =
			kafka_alloc(f->rq, (size_t)o->partitions.n, sizeof(*o->partitions.v));
		if (!o->partitions.v)
			return -ENOMEM;
		for (int32_t p = 0; p < o->partitions.n; p++)
			fill_partition(rt->partition_indexes.v[p], NULL, error,
				       &o->partitions.v[p]);
	}
	return 0;
}

static int to_old(const struct fetch *f, struct kafka_offset_fetch_response *res)
{
	int err = 0;

	if (f->res->error_code && f->rq->version < 2)
		err = error_of_partitions(f);
	if (err)
		return err;
	res->error_code = f->res->error_code;
	res->topics.n = f->res->topics.n;
	res->topics.v = kafka_alloc(f->rq, (size_t)f->res->topics.n, sizeof(*res->topics.v));
	if (!res->topics.v)
		return -ENOMEM;
	for (int32_t t = 0; !err && t < res->topics.n; t++)
		err = to_old_topic(f->rq, &f->res->topics.v[t], &res->topics.v[t]);
	return err;
}

/* ---- the handler ------------------------------------------------------------------------ */

static int hold(struct kafka_request *rq, int32_t n, struct held **ret_held)
{
	struct held *held = kafka_alloc(rq, 1, sizeof(*held));

	if (!held)
		return -ENOMEM;
	held->lists = kafka_alloc(rq, (size_t)n, sizeof(*held->lists));
	if (!held->lists)
		return -ENOMEM;
	held->n = n;
	held->view = sl_topics_view(rq->topics);
	rq->unhold = let_go;
	rq->unhold_arg = held;
	*ret_held = held;
	return 0;
}

int kafka_offset_fetch_handle(struct kafka_request *rq,
			      const struct kafka_offset_fetch_request *req,
			      struct kafka_offset_fetch_response *res)
{
	struct kafka_offset_fetch_response_group old = {0};
	struct kafka_offset_fetch_request_group one;
	bool is_old = rq->version < 8;
	int32_t n = is_old ? 1 : req->groups.n;
	struct held *held;
	int err = hold(rq, n, &held);

	if (!err && is_old)
		err = from_old(rq, req, &one);
	if (err)
		return err;
	if (is_old) {
		struct fetch f = {rq, held->view, &one, &old, &held->lists[0]};

		err = fetch_group(&f);
		return err ? err : to_old(&f, res);
	}
	res->groups.n = n;
	res->groups.v = kafka_alloc(rq, (size_t)n, sizeof(*res->groups.v));
	if (!res->groups.v)
		return -ENOMEM;
	for (int32_t i = 0; !err && i < n; i++) {
		struct fetch f = {rq, held->view, &req->groups.v[i], &res->groups.v[i],
				  &held->lists[i]};

		err = fetch_group(&f);
	}
	return err;
}
