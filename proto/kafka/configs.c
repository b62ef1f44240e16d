/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DescribeConfigs, AlterConfigs, IncrementalAlterConfigs: settings of topics and of the node.
 *
 * Interface: the three handlers of kafka_pvt.h; configs_pvt.h for topics.c.
 * A topic's settings are those of enum sl_topic_key and can be changed. The node's come from its
 * configuration file: those that clients look for are shown under the names that they know, to be
 * read only.
 *
 * Order of parts: values; what a request wants to see; topics; the node; describing; altering.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "configs_pvt.h"

#define ALTER_TIME_NS (30 * SL_SEC)

enum { RESOURCE_TOPIC = 2, RESOURCE_BROKER = 4 };

/* Types of values, as the protocol counts. */
enum { TYPE_BOOLEAN = 1, TYPE_STRING = 2, TYPE_INT = 3, TYPE_LONG = 5, TYPE_LIST = 7 };

/* ---- values ----------------------------------------------------------------------------- */

static const int8_t types[] = {
	[SL_TOPIC_CLEANUP_POLICY] = TYPE_LIST,	   [SL_TOPIC_COMPRESSION_TYPE] = TYPE_STRING,
	[SL_TOPIC_MAX_MESSAGE_BYTES] = TYPE_INT,   [SL_TOPIC_TIMESTAMP_TYPE] = TYPE_STRING,
	[SL_TOPIC_MIN_INSYNC_REPLICAS] = TYPE_INT, [SL_TOPIC_RETENTION_BYTES] = TYPE_LONG,
	[SL_TOPIC_RETENTION_MS] = TYPE_LONG,	   [SL_TOPIC_SEGMENT_BYTES] = TYPE_INT,
	[SL_TOPIC_SEGMENT_MS] = TYPE_LONG,	   [SL_TOPIC_DURABILITY] = TYPE_STRING,
};
static_assert(SL_ARRAY_SIZE(types) == SL_TOPIC_KEY_LAST, "a type for each key");

struct kafka_str config_text(struct kafka_request *rq, enum sl_topic_key key, int64_t value)
{
	char text[64];
	size_t n = sl_topic_value_text(key, value, text, sizeof(text));

	return kafka_strdup(rq, text, n);
}

static struct kafka_str say(struct kafka_request *rq, const char *what, struct kafka_str name)
{
	char text[320];
	int n = snprintf(text, sizeof(text), "%s: %.*s", what, (int)sl_max(name.n, 0),
			 name.n > 0 ? name.p : "");

	return kafka_strdup(rq, text, sl_min((size_t)n, sizeof(text) - 1));
}

int16_t config_set(struct kafka_request *rq, struct sl_topic_settings *ret_settings,
		   struct kafka_str name, struct kafka_str value, struct kafka_str *ret_text)
{
	enum sl_topic_key key = sl_topic_key_find(kafka_to_sl(name));

	if (key == SL_TOPIC_KEY_LAST) {
		*ret_text = say(rq, "topics have no such setting", name);
		return KAFKA_ERR_INVALID_CONFIG;
	}
	if (sl_topic_settings_set(ret_settings, key, kafka_to_sl(value))) {
		*ret_text = say(rq, "the value is not valid for the setting", name);
		return KAFKA_ERR_INVALID_CONFIG;
	}
	return 0;
}

/* ---- what a request wants to see -------------------------------------------------------- */

struct describe {
	struct kafka_request *rq;
	const struct kafka_describe_configs_request *req;
	const struct kafka_describe_configs_request_resource *resource;
	struct kafka_describe_configs_response_result *out;
};

/* No list of keys, or an empty one, asks for all. */
static bool wanted(const struct describe *d, struct kafka_str name)
{
	for (int32_t i = 0; i < d->resource->configuration_keys.n; i++)
		if (kafka_str_eq(d->resource->configuration_keys.v[i], name))
			return true;
	return d->resource->configuration_keys.n <= 0;
}

/* The next setting of the answer, whose array has room for it. */
static int put(struct describe *d, struct kafka_str name, struct kafka_str value,
	       enum config_source source, int8_t type, bool read_only)
{
	struct kafka_describe_configs_response_config *c = &d->out->configs.v[d->out->configs.n];
	struct kafka_describe_configs_response_synonym *s;

	if (!wanted(d, name))
		return 0;
	kafka_init(&kafka_describe_configs_response_config_schema, c);
	c->name = name;
	c->value = value;
	c->read_only = read_only;
	c->config_source = (int8_t)source;
	c->config_type = type;
	c->documentation = KAFKA_STR_NULL;
	d->out->configs.n++;
	if (!d->req->include_synonyms)
		return 0;
	s = kafka_alloc(d->rq, 1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	*s = (struct kafka_describe_configs_response_synonym){name, value, (int8_t)source};
	c->synonyms.v = s;
	c->synonyms.n = 1;
	return 0;
}

static int put_room(struct describe *d, size_t n)
{
	d->out->configs.v = kafka_alloc(d->rq, n, sizeof(*d->out->configs.v));
	return d->out->configs.v ? 0 : -ENOMEM;
}

static void refuse(struct describe *d, int16_t error, const char *text)
{
	d->out->error_code = error;
	d->out->error_message = kafka_str_of(text ? text : kafka_error_text(error));
}

/* ---- topics ----------------------------------------------------------------------------- */

static int describe_topic(struct describe *d)
{
	struct sl_str name = kafka_to_sl(d->resource->resource_name);
	struct sl_topics_view *view = sl_topics_view(d->rq->topics);
	const struct sl_topic *topic = sl_topics_view_find(view, name);
	int err = topic ? put_room(d, SL_TOPIC_KEY_LAST) : 0;

	for (unsigned k = 0; topic && !err && k < SL_TOPIC_KEY_LAST; k++)
		err = put(d, kafka_str_of(sl_topic_key_name(k)),
			  config_text(d->rq, k, topic->in_force.value[k]),
			  topic->own.set & (1U << k) ? CONFIG_OF_TOPIC : CONFIG_DEFAULT, types[k],
			  false);
	sl_topics_view_release(view);
	if (topic)
		return err;
	if (sl_topic_name_ok(name))
		refuse(d, KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION, NULL);
	else
		refuse(d, KAFKA_ERR_INVALID_TOPIC_EXCEPTION, NULL);
	return 0;
}

/* ---- the node --------------------------------------------------------------------------- */

/* What clients and consoles look for, by the names that they look for. */
static int64_t node_id(const struct kafka_server *s)
{
	return s->node_id;
}

static int64_t one(const struct kafka_server *s)
{
	return 1;
}

static int64_t default_partitions(const struct kafka_server *s)
{
	return s->default_partitions;
}

static int64_t auto_create(const struct kafka_server *s)
{
	return s->auto_create_topics;
}

static int64_t request_bytes_max(const struct kafka_server *s)
{
	return (int64_t)s->request_bytes_max;
}

static int64_t fetch_bytes_max(const struct kafka_server *s)
{
	return (int64_t)s->fetch_bytes_max;
}

static const struct {
	const char *name;
	int64_t (*value)(const struct kafka_server *s);
	int8_t type;
} node_rows[] = {
	{"auto.create.topics.enable", auto_create, TYPE_BOOLEAN},
	{"broker.id", node_id, TYPE_INT},
	{"default.replication.factor", one, TYPE_INT},
	{"fetch.max.bytes", fetch_bytes_max, TYPE_INT},
	{"min.insync.replicas", one, TYPE_INT},
	{"node.id", node_id, TYPE_INT},
	{"num.partitions", default_partitions, TYPE_INT},
	{"offsets.topic.replication.factor", one, TYPE_INT},
	{"socket.request.max.bytes", request_bytes_max, TYPE_INT},
};

static struct kafka_str node_text(struct kafka_request *rq, const struct kafka_server *s,
				  unsigned row)
{
	int64_t v = node_rows[row].value(s);
	char text[24];

	if (node_rows[row].type == TYPE_BOOLEAN)
		return v ? KAFKA_STR("true") : KAFKA_STR("false");
	return kafka_strdup(rq, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, v));
}

/* The broker that a resource's name means, one of this node's; nothing is the first. -1: none. */
static int64_t broker_named(const struct kafka_server *s, struct kafka_str name)
{
	for (uint32_t i = 0; i < kafka_brokers_count(s); i++) {
		char text[16];
		int n = snprintf(text, sizeof(text), "%" PRId64, s->node_id + (int64_t)i);

		if (name.n <= 0 || kafka_str_eq(name, (struct kafka_str){text, n}))
			return s->node_id + (int64_t)i;
	}
	return -1;
}

static int describe_node(struct describe *d)
{
	int64_t id = broker_named(d->rq->server, d->resource->resource_name);
	struct kafka_server as = *d->rq->server;
	int err;

	if (id < 0) {
		refuse(d, KAFKA_ERR_INVALID_REQUEST, "this is not the node's id");
		return 0;
	}
	as.node_id = (int32_t)id;
	err = put_room(d, SL_ARRAY_SIZE(node_rows));
	for (unsigned i = 0; !err && i < SL_ARRAY_SIZE(node_rows); i++)
		err = put(d, kafka_str_of(node_rows[i].name), node_text(d->rq, &as, i),
			  CONFIG_OF_NODE, node_rows[i].type, true);
	return err;
}

/* ---- describing ------------------------------------------------------------------------- */

int kafka_describe_configs_handle(struct kafka_request *rq,
				  const struct kafka_describe_configs_request *req,
				  struct kafka_describe_configs_response *res)
{
	int err = 0;

	res->results.n = req->resources.n;
	res->results.v = kafka_alloc(rq, (size_t)req->resources.n, sizeof(*res->results.v));
	if (!res->results.v)
		return -ENOMEM;
	for (int32_t i = 0; !err && i < req->resources.n; i++) {
		struct describe d = {rq, req, &req->resources.v[i], &res->results.v[i]};

		kafka_init(&kafka_describe_configs_response_result_schema, d.out);
		d.out->error_message = KAFKA_STR_NULL;
		d.out->resource_type = d.resource->resource_type;
		d.out->resource_name = d.resource->resource_name;
		if (d.resource->resource_type == RESOURCE_TOPIC)
			err = describe_topic(&d);
		else if (d.resource->resource_type == RESOURCE_BROKER)
			err = describe_node(&d);
		else
			refuse(&d, KAFKA_ERR_INVALID_REQUEST,
			       "only topics and brokers are described");
	}
	return err;
}

/* ---- altering --------------------------------------------------------------------------- */

enum { OP_SET, OP_DELETE, OP_APPEND, OP_SUBTRACT };

/* What both ways of altering come down to. */
struct alter {
	struct kafka_request *rq;
	int8_t resource_type;
	struct kafka_str resource_name;
	bool validate_only;
	struct sl_topic_settings settings; /* as they are to be */
	struct kafka_str text; /* why it is refused, if not by the code's own text */
};

/* One step of an incremental change. A list is never longer than one word: see settings.c. */
static int16_t alter_step(struct alter *a, struct kafka_str name, int8_t op, struct kafka_str value)
{
	enum sl_topic_key key = sl_topic_key_find(kafka_to_sl(name));

	switch (op) {
	case OP_DELETE:
		if (key == SL_TOPIC_KEY_LAST) {
			a->text = say(a->rq, "topics have no such setting", name);
			return KAFKA_ERR_INVALID_CONFIG;
		}
		a->settings.set &= ~(1U << key);
		return 0;
	case OP_APPEND:
		if (key != SL_TOPIC_KEY_LAST && types[key] != TYPE_LIST) {
			a->text = say(a->rq, "the setting is not a list", name);
			return KAFKA_ERR_INVALID_CONFIG;
		}
		return config_set(a->rq, &a->settings, name, value, &a->text);
	case OP_SET:
		return config_set(a->rq, &a->settings, name, value, &a->text);
	default:
		a->text = say(a->rq, "nothing can be taken from the setting", name);
		return KAFKA_ERR_INVALID_CONFIG;
	}
}

/* The topic that is to be altered, as @view holds it; or NULL, with *ret_error set. */
static const struct sl_topic *alter_target(struct alter *a, const struct sl_topics_view *view,
					   int16_t *ret_error)
{
	const struct sl_topic *topic = NULL;

	if (a->resource_type == RESOURCE_TOPIC) {
		topic = sl_topics_view_find(view, kafka_to_sl(a->resource_name));
		if (!topic)
			*ret_error = KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	} else {
		a->text = a->resource_type == RESOURCE_BROKER
				  ? KAFKA_STR("the node's settings are in its configuration file")
				  : KAFKA_STR("only topics can be altered");
		*ret_error = a->resource_type == RESOURCE_BROKER ? KAFKA_ERR_INVALID_CONFIG
								 : KAFKA_ERR_INVALID_REQUEST;
	}
	return topic;
}

static int16_t alter_store(struct alter *a, const struct sl_topic *topic)
{
	int result = sl_topics_alter(a->rq->topics, &topic->id, 0, &a->settings, a->validate_only,
				     sl_now() + ALTER_TIME_NS);

	if (result == SL_REFUSED_UNKNOWN_TOPIC_ID)
		return KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	return result == SL_REFUSED_STOPPING ? KAFKA_ERR_NOT_CONTROLLER : kafka_error_of(result);
}

static struct kafka_str alter_text(const struct alter *a, int16_t error)
{
	if (!error)
		return KAFKA_STR_NULL;
	return a->text.n ? a->text : kafka_str_of(kafka_error_text(error));
}

int kafka_alter_configs_handle(struct kafka_request *rq,
			       const struct kafka_alter_configs_request *req,
			       struct kafka_alter_configs_response *res)
{
	res->responses.n = req->resources.n;
	res->responses.v = kafka_alloc(rq, (size_t)req->resources.n, sizeof(*res->responses.v));
	if (!res->responses.v)
		return -ENOMEM;
	for (int32_t i = 0; i < req->resources.n; i++) {
		const struct kafka_alter_configs_request_resource *r = &req->resources.v[i];
		struct kafka_alter_configs_response_resource *o = &res->responses.v[i];
		struct alter a = {rq, r->resource_type, r->resource_name, req->validate_only};
		struct sl_topics_view *view = sl_topics_view(rq->topics);
		int16_t error = 0;
		const struct sl_topic *topic = alter_target(&a, view, &error);

		for (int32_t k = 0; topic && !error && k < r->configs.n; k++)
			error = config_set(rq, &a.settings, r->configs.v[k].name,
					   r->configs.v[k].value, &a.text);
		if (!error)
			error = alter_store(&a, topic);
		*o = (struct kafka_alter_configs_response_resource){
			error, alter_text(&a, error), r->resource_type, r->resource_name};
		sl_topics_view_release(view);
	}
	return 0;
}

int kafka_incremental_alter_configs_handle(
	struct kafka_request *rq, const struct kafka_incremental_alter_configs_request *req,
	struct kafka_incremental_alter_configs_response *res)
{
	res->responses.n = req->resources.n;
	res->responses.v = kafka_alloc(rq, (size_t)req->resources.n, sizeof(*res->responses.v));
	if (!res->responses.v)
		return -ENOMEM;
	for (int32_t i = 0; i < req->resources.n; i++) {
		const struct kafka_incremental_alter_configs_request_resource *r =
			&req->resources.v[i];
		struct kafka_incremental_alter_configs_response_resource *o = &res->responses.v[i];
		struct alter a = {rq, r->resource_type, r->resource_name, req->validate_only};
		struct sl_topics_view *view = sl_topics_view(rq->topics);
		int16_t error = 0;
		const struct sl_topic *topic = alter_target(&a, view, &error);

		if (topic)
			a.settings = topic->own;
		for (int32_t k = 0; topic && !error && k < r->configs.n; k++)
			error = alter_step(&a, r->configs.v[k].name,
					   r->configs.v[k].config_operation, r->configs.v[k].value);
		if (!error)
			error = alter_store(&a, topic);
		*o = (struct kafka_incremental_alter_configs_response_resource){
			error, alter_text(&a, error), r->resource_type, r->resource_name};
		sl_topics_view_release(view);
	}
	return 0;
}
