/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata and DescribeCluster: which topics there are, and who serves them.
 *
 * Interface: kafka_metadata_handle(), kafka_describe_cluster_handle() of kafka_pvt.h.
 * Who leads a partition: brokers.c. A topic that is asked for by name
 * and is missing is created, if the client allows it and kafka.auto_create_topics is on; it is in
 * the same answer. Names in the answer are slices of the request or of the view, which is held
 * until the answer is encoded.
 *
 * Order of parts: creation; partitions; topics; the broker; the handlers.
 */
#include <errno.h>

#include "kafka_pvt.h"

/* How long a client that wants its metadata waits for a topic's creation. */
#define CREATE_TIME_NS (30 * SL_SEC)

static void let_view_go(void *view)
{
	sl_topics_view_release(view);
}

/* ---- creation --------------------------------------------------------------------------- */

/* What came of a topic that was asked for; kept apart from the view, which is taken later. */
static int16_t create(struct kafka_request *rq, struct kafka_str name)
{
	int result = sl_topics_create(rq->topics, kafka_to_sl(name), rq->server->default_partitions,
				      NULL, false, NULL, sl_now() + CREATE_TIME_NS);

	if (result == SL_REFUSED_TOPIC_EXISTS)
		return 0;
	if (result == SL_REFUSED_STOPPING || result == -ETIME)
		return KAFKA_ERR_LEADER_NOT_AVAILABLE;
	return kafka_error_of(result);
}

static bool by_name(const struct kafka_metadata_request_topic *t)
{
	return kafka_uuid_is_zero(t->topic_id) && !kafka_str_is_null(t->name);
}

/* Creates what is asked for by name and missing; @errors has a place for each topic. */
static void create_missing(struct kafka_request *rq, const struct kafka_metadata_request *req,
			   int16_t *errors)
{
	for (int32_t i = 0; i < req->topics.n; i++) {
		const struct kafka_metadata_request_topic *t = &req->topics.v[i];
		struct sl_topics_view *view;
		bool known;

		if (!by_name(t))
			continue;
		if (!sl_topic_name_ok(kafka_to_sl(t->name))) {
			errors[i] = KAFKA_ERR_INVALID_TOPIC_EXCEPTION;
			continue;
		}
		if (!req->allow_auto_topic_creation || !rq->server->auto_create_topics)
			continue;
		view = sl_topics_view(rq->topics);
		known = sl_topics_view_find(view, kafka_to_sl(t->name));
		sl_topics_view_release(view);
		if (!known)
			errors[i] = create(rq, t->name);
	}
}

/* ---- partitions ------------------------------------------------------------------------- */

/* Every partition has one replica, in sync: its home's. @nodes: the ids of all brokers. */
static int fill_partitions(struct kafka_request *rq, const struct sl_topic *topic, int32_t *nodes,
			   struct kafka_metadata_response_topic *o)
{
	uint32_t n = topic->partitions;

	o->partitions.v = kafka_alloc(rq, n, sizeof(*o->partitions.v));
	if (!o->partitions.v)
		return -ENOMEM;
	o->partitions.n = (int32_t)n;
	for (uint32_t i = 0; i < n; i++) {
		struct kafka_metadata_response_partition *p = &o->partitions.v[i];
		int32_t leader = kafka_broker_of(rq->server, sl_topic_home(topic, i));
		int32_t *node = &nodes[leader - rq->server->node_id];

		kafka_init(&kafka_metadata_response_partition_schema, p);
		p->partition_index = (int32_t)i;
		p->leader_id = *node;
		p->leader_epoch = (int32_t)rq->server->epoch;
		p->replica_nodes.v = p->isr_nodes.v = node;
		p->replica_nodes.n = p->isr_nodes.n = 1;
	}
	return 0;
}

/* ---- topics ----------------------------------------------------------------------------- */

static int fill_known(struct kafka_request *rq, const struct sl_topic *topic, int32_t *nodes,
		      struct kafka_metadata_response_topic *o)
{
	o->name = (struct kafka_str){topic->name, (int32_t)topic->name_len};
	o->topic_id = kafka_uuid_from_sl(&topic->id);
	return fill_partitions(rq, topic, nodes, o);
}

/* What a missing topic is called by: a name that is null is told as such from version 12. */
static void fill_unknown(struct kafka_request *rq, const struct kafka_metadata_request_topic *t,
			 int16_t error, struct kafka_metadata_response_topic *o)
{
	if (!by_name(t)) {
		o->name = rq->version >= 12 ? KAFKA_STR_NULL : (struct kafka_str){0};
		o->topic_id = t->topic_id;
		o->error_code = kafka_uuid_is_zero(t->topic_id) ? KAFKA_ERR_INVALID_REQUEST
								: KAFKA_ERR_UNKNOWN_TOPIC_ID;
		return;
	}
	o->name = t->name;
	o->error_code = error ? error : KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
}

static int fill_asked(struct kafka_request *rq, const struct kafka_metadata_request *req,
		      const struct sl_topics_view *view, const int16_t *errors, int32_t *nodes,
		      struct kafka_metadata_response *res)
{
	for (int32_t i = 0; i < req->topics.n; i++) {
		const struct kafka_metadata_request_topic *t = &req->topics.v[i];
		struct kafka_metadata_response_topic *o = &res->topics.v[i];
		struct sl_uuid id = kafka_uuid_to_sl(t->topic_id);
		const struct sl_topic *topic =
			by_name(t) ? sl_topics_view_find(view, kafka_to_sl(t->name))
				   : sl_topics_view_find_id(view, &id);
		int err = 0;

		if (topic)
			err = fill_known(rq, topic, nodes, o);
		else
			fill_unknown(rq, t, errors[i], o);
		if (err)
			return err;
	}
	return 0;
}

static int fill_all(struct kafka_request *rq, const struct sl_topics_view *view, int32_t *nodes,
		    struct kafka_metadata_response *res)
{
	for (int32_t i = 0; i < res->topics.n; i++) {
		int err = fill_known(rq, sl_topics_view_at(view, (uint32_t)i), nodes,
				     &res->topics.v[i]);

		if (err)
			return err;
	}
	return 0;
}

static int fill_topics(struct kafka_request *rq, const struct kafka_metadata_request *req,
		       int32_t *nodes, struct kafka_metadata_response *res)
{
	bool all = req->topics.n < 0 || (req->topics.n == 0 && rq->version == 0);
	size_t asked = all ? 0 : (size_t)req->topics.n;
	int16_t *errors = kafka_alloc(rq, asked, sizeof(*errors));
	struct sl_topics_view *view;

	if (!errors)
		return -ENOMEM;
	if (!all)
		create_missing(rq, req, errors);
	view = sl_topics_view(rq->topics);
	rq->unhold = let_view_go;
	rq->unhold_arg = view;
	res->topics.n = all ? (int32_t)sl_topics_view_count(view) : req->topics.n;
	res->topics.v = kafka_alloc(rq, (size_t)res->topics.n, sizeof(*res->topics.v));
	if (!res->topics.v)
		return -ENOMEM;
	for (int32_t i = 0; i < res->topics.n; i++)
		kafka_init(&kafka_metadata_response_topic_schema, &res->topics.v[i]);
	return all ? fill_all(rq, view, nodes, res) : fill_asked(rq, req, view, errors, nodes, res);
}

static void fill_operations(const struct kafka_metadata_request *req,
			    struct kafka_metadata_response *res)
{
	if (req->include_cluster_authorized_operations)
		res->cluster_authorized_operations = KAFKA_MAY_DO_TO_CLUSTER;
	for (int32_t i = 0; req->include_topic_authorized_operations && i < res->topics.n; i++)
		if (!res->topics.v[i].error_code)
			res->topics.v[i].topic_authorized_operations = KAFKA_MAY_DO_TO_TOPIC;
}

/* ---- the handlers ----------------------------------------------------------------------- */

int kafka_metadata_handle(struct kafka_request *rq, const struct kafka_metadata_request *req,
			  struct kafka_metadata_response *res)
{
	uint32_t n = kafka_brokers_count(rq->server);
	struct kafka_metadata_response_broker *brokers = kafka_alloc(rq, n, sizeof(*brokers));
	int32_t *nodes = kafka_alloc(rq, n, sizeof(*nodes));
	int err;

	if (!brokers || !nodes)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		nodes[i] = rq->server->node_id + (int32_t)i;
		kafka_init(&kafka_metadata_response_broker_schema, &brokers[i]);
		brokers[i].node_id = nodes[i];
		brokers[i].host = kafka_broker_address(rq, nodes[i], &brokers[i].port);
	}
	res->brokers.v = brokers;
	res->brokers.n = (int32_t)n;
	res->cluster_id = kafka_str_of(rq->server->cluster_id);
	res->controller_id = nodes[0];
	err = fill_topics(rq, req, nodes, res);
	if (!err)
		fill_operations(req, res);
	return err;
}

enum { ENDPOINT_BROKERS = 1, ENDPOINT_CONTROLLERS = 2 };

int kafka_describe_cluster_handle(struct kafka_request *rq,
				  const struct kafka_describe_cluster_request *req,
				  struct kafka_describe_cluster_response *res)
{
	struct kafka_describe_cluster_response_broker *brokers;
	uint32_t n = kafka_brokers_count(rq->server);

	res->endpoint_type = req->endpoint_type;
	if (req->endpoint_type != ENDPOINT_BROKERS) {
		res->error_code = req->endpoint_type == ENDPOINT_CONTROLLERS
					  ? KAFKA_ERR_MISMATCHED_ENDPOINT_TYPE
					  : KAFKA_ERR_UNSUPPORTED_ENDPOINT_TYPE;
		res->error_message = kafka_str_of(kafka_error_text(res->error_code));
		return 0;
	}
	brokers = kafka_alloc(rq, n, sizeof(*brokers));
	if (!brokers)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		kafka_init(&kafka_describe_cluster_response_broker_schema, &brokers[i]);
		brokers[i].broker_id = rq->server->node_id + (int32_t)i;
		brokers[i].host = kafka_broker_address(rq, brokers[i].broker_id, &brokers[i].port);
	}
	res->brokers.v = brokers;
	res->brokers.n = (int32_t)n;
	res->cluster_id = kafka_str_of(rq->server->cluster_id);
	res->controller_id = rq->server->node_id;
	if (req->include_cluster_authorized_operations)
		res->cluster_authorized_operations = KAFKA_MAY_DO_TO_CLUSTER;
	return 0;
}
