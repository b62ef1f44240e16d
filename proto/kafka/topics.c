/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CreateTopics, DeleteTopics, CreatePartitions.
 *
 * Interface: the three handlers of kafka_pvt.h.
 * Each topic of a request succeeds or fails for itself, with a code and a text. There is one node:
 * a replication factor is 1 (or -1, the default), and an assignment has to say what would be done
 * anyway.
 *
 * Order of parts: answers; assignments; creating; what was created; deleting; adding partitions.
 */
#include <errno.h>
#include <stdlib.h>

#include "configs_pvt.h"

/* ---- answers ---------------------------------------------------------------------------- */

/* A request's own time limit, but never one in which nothing can be made durable. */
static int64_t change_deadline(int32_t timeout_ms)
{
	return kafka_deadline(sl_max(timeout_ms, 1000));
}

/* Says in words why a topic was refused; @text NULL: the code's own. */
static struct kafka_str explain(int16_t error, const char *text)
{
	if (!error)
		return KAFKA_STR_NULL;
	return kafka_str_of(text ? text : kafka_error_text(error));
}

/* ---- assignments ------------------------------------------------------------------------ */

static bool only_here(const struct kafka_request *rq, const int32_t *brokers, int32_t n)
{
	return n == 1 && kafka_broker_is(rq->server, brokers[0]);
}

/* Whether each partition from 0 on is assigned once, to this node. */
static int assigned_here(struct kafka_request *rq,
			 const struct kafka_create_topics_request_topic *t, bool *ret_is)
{
	bool *seen = kafka_alloc(rq, (size_t)t->assignments.n, sizeof(*seen));

	if (!seen)
		return -ENOMEM;
	*ret_is = false;
	for (int32_t i = 0; i < t->assignments.n; i++) {
		const struct kafka_create_topics_request_assignment *a = &t->assignments.v[i];

		if (a->partition_index < 0 || a->partition_index >= t->assignments.n ||
		    seen[a->partition_index] || !only_here(rq, a->broker_ids.v, a->broker_ids.n))
			return 0;
		seen[a->partition_index] = true;
	}
	*ret_is = true;
	return 0;
}

/* Return: 0 and the number of partitions, or an error code. */
static int16_t count_partitions(struct kafka_request *rq,
				const struct kafka_create_topics_request_topic *t, uint32_t *ret_n)
{
	bool here = false;

	if (t->assignments.n > 0) {
		if (t->num_partitions != -1 || t->replication_factor != -1)
			return KAFKA_ERR_INVALID_REQUEST;
		if (assigned_here(rq, t, &here))
			return KAFKA_ERR_UNKNOWN_SERVER_ERROR;
		if (!here)
			return KAFKA_ERR_INVALID_REPLICA_ASSIGNMENT;
		*ret_n = (uint32_t)t->assignments.n;
		return 0;
	}
	if (t->replication_factor != -1 && t->replication_factor != 1)
		return KAFKA_ERR_INVALID_REPLICATION_FACTOR;
	if (t->num_partitions != -1 && t->num_partitions < 1)
		return KAFKA_ERR_INVALID_PARTITIONS;
	*ret_n = t->num_partitions == -1 ? rq->server->default_partitions
					 : (uint32_t)t->num_partitions;
	return 0;
}

/* ---- creating --------------------------------------------------------------------------- */

static const char *why_not(int16_t error)
{
	switch (error) {
	case KAFKA_ERR_INVALID_REQUEST:
		return "with an assignment, partitions and replication factor have to be -1";
	case KAFKA_ERR_INVALID_REPLICA_ASSIGNMENT:
		return "every partition has to be assigned once, to this node alone";
	case KAFKA_ERR_INVALID_REPLICATION_FACTOR:
		return "there is one node: the replication factor has to be 1 or -1";
	default:
		return NULL;
	}
}

/* Return: 0, with *ret_settings, or INVALID_CONFIG with *ret_text. */
static int16_t read_configs(struct kafka_request *rq,
			    const struct kafka_create_topics_request_topic *t,
			    struct sl_topic_settings *ret_settings, struct kafka_str *ret_text)
{
	for (int32_t i = 0; i < t->configs.n; i++) {
		const struct kafka_create_topics_request_config *c = &t->configs.v[i];
		int16_t error = config_set(rq, ret_settings, c->name, c->value, ret_text);

		if (error)
			return error;
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct kafka_create_topics_request_topic *const *x = a, *const *y = b;
	int32_t n = sl_min((*x)->name.n, (*y)->name.n);
	int order = n ? memcmp((*x)->name.p, (*y)->name.p, (size_t)n) : 0;

	return order ? order : (*x)->name.n - (*y)->name.n;
}

/* Marks the topics whose name comes more than once: none of them is created. */
static int find_twins(struct kafka_request *rq, const struct kafka_create_topics_request *req,
		      bool **ret_twin)
{
	size_t n = (size_t)req->topics.n;
	const struct kafka_create_topics_request_topic **sorted =
		kafka_alloc(rq, n, sizeof(const struct kafka_create_topics_request_topic *));
	bool *twin = kafka_alloc(rq, n, sizeof(*twin));

	if (!sorted || !twin)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = &req->topics.v[i];
	if (n)
		qsort(sorted, n, sizeof(sorted[0]), by_name);
	for (size_t i = 1; i < n; i++)
		if (!by_name(&sorted[i - 1], &sorted[i]))
			twin[sorted[i - 1] - req->topics.v] = twin[sorted[i] - req->topics.v] =
				true;
	*ret_twin = twin;
	return 0;
}

static int16_t create(struct kafka_request *rq, const struct kafka_create_topics_request *req,
		      const struct kafka_create_topics_request_topic *t,
		      struct sl_topic_settings *ret_settings,
		      struct kafka_create_topics_response_topic *o)
{
	struct sl_uuid id = {0};
	uint32_t n = 0;
	int16_t error = count_partitions(rq, t, &n);
	int result;

	if (error) {
		o->error_message = explain(error, why_not(error));
		return error;
	}
	error = read_configs(rq, t, ret_settings, &o->error_message);
	if (error)
		return error;
	result = sl_topics_create(rq->topics, kafka_to_sl(t->name), n, ret_settings,
				  req->validate_only, &id, change_deadline(req->timeout_ms));
	error = result == SL_REFUSED_STOPPING ? KAFKA_ERR_NOT_CONTROLLER : kafka_error_of(result);
	o->error_message = explain(error, result ? sl_refusal_text(result) : NULL);
	if (!error) {
		o->topic_id = kafka_uuid_from_sl(&id);
		o->num_partitions = (int32_t)n;
		o->replication_factor = 1;
	}
	return error;
}

/* ---- what was created ------------------------------------------------------------------- */

/* The settings in force: of a topic that is there, or only its own if it was not to be made. */
static int tell_configs(struct kafka_request *rq, const struct sl_topic_settings *own,
			struct kafka_create_topics_response_topic *o)
{
	struct sl_topics_view *view = sl_topics_view(rq->topics);
	const struct sl_topic *topic = sl_topics_view_find(view, kafka_to_sl(o->name));
	const struct sl_topic_settings *from = topic ? &topic->in_force : own;

	o->configs.v = kafka_alloc(rq, SL_TOPIC_KEY_LAST, sizeof(*o->configs.v));
	for (unsigned k = 0; o->configs.v && k < SL_TOPIC_KEY_LAST; k++) {
		bool mine = own->set & (1U << k);
		struct kafka_create_topics_response_config *c = &o->configs.v[o->configs.n];

		if (!topic && !mine)
			continue;
		kafka_init(&kafka_create_topics_response_config_schema, c);
		c->name = kafka_str_of(sl_topic_key_name(k));
		c->value = config_text(rq, k, from->value[k]);
		c->config_source = mine ? CONFIG_OF_TOPIC : CONFIG_DEFAULT;
		o->configs.n++;
	}
	sl_topics_view_release(view);
	return o->configs.v ? 0 : -ENOMEM;
}

int kafka_create_topics_handle(struct kafka_request *rq,
			       const struct kafka_create_topics_request *req,
			       struct kafka_create_topics_response *res)
{
	bool *twin;

	res->topics.n = req->topics.n;
	res->topics.v = kafka_alloc(rq, (size_t)req->topics.n, sizeof(*res->topics.v));
	if (!res->topics.v || find_twins(rq, req, &twin))
		return -ENOMEM;
	for (int32_t i = 0; i < req->topics.n; i++) {
		struct kafka_create_topics_response_topic *o = &res->topics.v[i];
		struct sl_topic_settings settings = {0};

		kafka_init(&kafka_create_topics_response_topic_schema, o);
		o->name = req->topics.v[i].name;
		o->error_message = KAFKA_STR_NULL;
		if (twin[i]) {
			o->error_code = KAFKA_ERR_INVALID_REQUEST;
			o->error_message = KAFKA_STR("the request names this topic twice");
			continue;
		}
		o->error_code = create(rq, req, &req->topics.v[i], &settings, o);
		if (!o->error_code && rq->version >= 5 && tell_configs(rq, &settings, o))
			return -ENOMEM;
	}
	return 0;
}

/* ---- deleting --------------------------------------------------------------------------- */

static int16_t delete (struct kafka_request *rq, int64_t deadline,
		       struct kafka_delete_topics_response_topic *o)
{
	bool by_name = !kafka_str_is_null(o->name), by_id = !kafka_uuid_is_zero(o->topic_id);
	struct sl_uuid id = kafka_uuid_to_sl(o->topic_id);
	const struct sl_topic *topic;
	struct sl_topics_view *view;
	int result;

	if (by_name == by_id) {
		o->error_message = KAFKA_STR("a topic goes either by its name or by its id");
		return KAFKA_ERR_INVALID_REQUEST;
	}
	view = sl_topics_view(rq->topics);
	topic = by_name ? sl_topics_view_find(view, kafka_to_sl(o->name))
			: sl_topics_view_find_id(view, &id);
	if (topic) {
		id = topic->id;
		o->topic_id = kafka_uuid_from_sl(&id);
		if (!by_name)
			o->name = kafka_strdup(rq, topic->name, topic->name_len);
	}
	sl_topics_view_release(view);
	result = topic ? sl_topics_delete(rq->topics, &id, deadline) : SL_REFUSED_UNKNOWN_TOPIC_ID;
	if (result == SL_REFUSED_STOPPING)
		return KAFKA_ERR_NOT_CONTROLLER;
	if (result == SL_REFUSED_UNKNOWN_TOPIC_ID && by_name)
		result = SL_REFUSED_UNKNOWN_TOPIC;
	return kafka_error_of(result);
}

int kafka_delete_topics_handle(struct kafka_request *rq,
			       const struct kafka_delete_topics_request *req,
			       struct kafka_delete_topics_response *res)
{
	int64_t deadline = change_deadline(req->timeout_ms);
	bool old = rq->version < 6;
	int32_t n = old ? req->topic_names.n : req->topics.n;

	res->responses.n = n;
	res->responses.v = kafka_alloc(rq, (size_t)n, sizeof(*res->responses.v));
	if (!res->responses.v)
		return -ENOMEM;
	for (int32_t i = 0; i < n; i++) {
		struct kafka_delete_topics_response_topic *o = &res->responses.v[i];

		kafka_init(&kafka_delete_topics_response_topic_schema, o);
		o->name = old ? req->topic_names.v[i] : req->topics.v[i].name;
		if (!old)
			o->topic_id = req->topics.v[i].topic_id;
		o->error_code = delete (rq, deadline, o);
		if (kafka_str_is_null(o->error_message))
			o->error_message = explain(o->error_code, NULL);
	}
	return 0;
}

/* ---- adding partitions ------------------------------------------------------------------ */

static bool added_here(const struct kafka_request *rq,
		       const struct kafka_create_partitions_request_topic *t, uint32_t added)
{
	if (t->assignments.n < 0)
		return true;
	if ((uint32_t)t->assignments.n != added)
		return false;
	for (int32_t i = 0; i < t->assignments.n; i++)
		if (!only_here(rq, t->assignments.v[i].broker_ids.v,
			       t->assignments.v[i].broker_ids.n))
			return false;
	return true;
}

static int16_t add_partitions(struct kafka_request *rq, const struct sl_topic *topic,
			      const struct kafka_create_partitions_request *req,
			      const struct kafka_create_partitions_request_topic *t,
			      struct kafka_str *ret_text)
{
	int result;

	if (!topic)
		return KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	if (t->count <= 0 || (uint32_t)t->count <= topic->partitions) {
		*ret_text = KAFKA_STR("the topic has so many partitions already, or more");
		return KAFKA_ERR_INVALID_PARTITIONS;
	}
	if (!added_here(rq, t, (uint32_t)t->count - topic->partitions)) {
		*ret_text = KAFKA_STR("each new partition has to be assigned, to this node alone");
		return KAFKA_ERR_INVALID_REPLICA_ASSIGNMENT;
	}
	result = sl_topics_alter(rq->topics, &topic->id, (uint32_t)t->count, NULL,
				 req->validate_only, change_deadline(req->timeout_ms));
	return result == SL_REFUSED_STOPPING ? KAFKA_ERR_NOT_CONTROLLER : kafka_error_of(result);
}

int kafka_create_partitions_handle(struct kafka_request *rq,
				   const struct kafka_create_partitions_request *req,
				   struct kafka_create_partitions_response *res)
{
	res->results.n = req->topics.n;
	res->results.v = kafka_alloc(rq, (size_t)req->topics.n, sizeof(*res->results.v));
	if (!res->results.v)
		return -ENOMEM;
	for (int32_t i = 0; i < req->topics.n; i++) {
		const struct kafka_create_partitions_request_topic *t = &req->topics.v[i];
		struct kafka_create_partitions_response_result *o = &res->results.v[i];
		struct sl_topics_view *view = sl_topics_view(rq->topics);

		kafka_init(&kafka_create_partitions_response_result_schema, o);
		o->name = t->name;
		o->error_code = add_partitions(rq, sl_topics_view_find(view, kafka_to_sl(t->name)),
					       req, t, &o->error_message);
		if (kafka_str_is_null(o->error_message))
			o->error_message = explain(o->error_code, NULL);
		sl_topics_view_release(view);
	}
	return 0;
}
