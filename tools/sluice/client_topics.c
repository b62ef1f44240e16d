// SPDX-License-Identifier: Apache-2.0
/*
 * The client's topics: metadata, creation, deletion.
 *
 * Interface: client.h "topics". Invariant: partitions are sorted by index, and no response makes
 * us index by a number of the peer's.
 * Order of parts: metadata; creation and deletion.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "net.h"

#define DOING_BYTES 320
#define LEADER_WAIT_NS (50 * SL_MSEC)

/* ---- metadata --------------------------------------------------------------------------- */

void client_topic_done(struct client_topic *t)
{
	free(t->partitions);
	*t = (struct client_topic){0};
}

static int by_index(const void *a, const void *b)
{
	const struct client_partition *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

static int topic_take(const struct kafka_metadata_response_topic *from,
		      struct client_topic *ret_topic)
{
	struct client_topic t = {.id = from->topic_id, .internal = from->is_internal};

	if (from->name.n <= 0 || from->name.n > SL_TOPIC_NAME_MAX)
		return -EPROTO;
	memcpy(t.name, from->name.p, (size_t)from->name.n);
	t.partitions_n = sl_max(from->partitions.n, 0);
	t.partitions = calloc((size_t)t.partitions_n + 1, sizeof(*t.partitions));
	if (!t.partitions)
		return -ENOMEM;
	for (int i = 0; i < t.partitions_n; i++) {
		const struct kafka_metadata_response_partition *p = &from->partitions.v[i];

		t.partitions[i] = (struct client_partition){.index = p->partition_index,
							    .leader = p->leader_id,
							    .leader_epoch = p->leader_epoch,
							    .error = p->error_code};
	}
	qsort(t.partitions, (size_t)t.partitions_n, sizeof(*t.partitions), by_index);
	*ret_topic = t;
	return 0;
}

/* @name NULL asks for all topics. */
static int metadata(struct client *c, const char *name, bool create,
		    struct kafka_metadata_response *ret_res, struct client_reply *reply)
{
	struct kafka_metadata_request_topic topic;
	struct kafka_metadata_request req;

	kafka_init(&kafka_metadata_request_topic_schema, &topic);
	kafka_init(&kafka_metadata_request_schema, &req);
	req.allow_auto_topic_creation = create;
	req.topics.n = -1;
	if (name) {
		topic.name = kafka_str_of(name);
		req.topics.v = &topic;
		req.topics.n = 1;
	}
	return client_call(c, CLIENT_ANY_NODE, KAFKA_METADATA, INT16_MAX, &req, ret_res, reply);
}

/* The first error of a topic or its partitions. */
static int topic_code(const struct kafka_metadata_response_topic *t)
{
	int code = t->error_code;

	for (int i = 0; i < t->partitions.n && !code; i++)
		if (t->partitions.v[i].leader_id < 0)
			code = KAFKA_ERR_LEADER_NOT_AVAILABLE;
	return code;
}

static int topic_find_once(struct client *c, const char *name, bool create,
			   struct client_topic *ret_topic)
{
	struct kafka_metadata_response res;
	struct client_reply reply = {0};
	char doing[DOING_BYTES];
	int err = metadata(c, name, create, &res, &reply);

	if (err)
		return err;
	snprintf(doing, sizeof(doing), "looking for topic '%s'", name);
	if (res.topics.n != 1)
		err = client_refused(c, KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STR_NULL,
				     doing);
	else if (topic_code(&res.topics.v[0]))
		err = client_refused(c, topic_code(&res.topics.v[0]), KAFKA_STR_NULL, doing);
	else
		err = topic_take(&res.topics.v[0], ret_topic);
	client_reply_done(&reply);
	return err;
}

int client_topic_find(struct client *c, const char *name, bool create,
		      struct client_topic *ret_topic)
{
	int64_t deadline = now_ns() + client_timeout_ms(c) * SL_MSEC;

	for (;;) {
		int err = topic_find_once(c, name, create, ret_topic);

		if (err != KAFKA_ERR_LEADER_NOT_AVAILABLE &&
		    (err != KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION || !create))
			return err;
		if (now_ns() >= deadline)
			return err;
		sleep_ns(LEADER_WAIT_NS);
	}
}

static int by_name(const void *a, const void *b)
{
	const struct client_topic *x = a, *y = b;

	return strcmp(x->name, y->name);
}

void client_topics_free(struct client_topic *topics, size_t n)
{
	for (size_t i = 0; i < n; i++)
		client_topic_done(&topics[i]);
	free(topics);
}

int client_topics(struct client *c, struct client_topic **ret_topics, size_t *ret_n)
{
	struct kafka_metadata_response res;
	struct client_reply reply = {0};
	struct client_topic *topics;
	size_t n = 0;
	int err = metadata(c, NULL, false, &res, &reply);

	if (err)
		return err;
	topics = calloc((size_t)sl_max(res.topics.n, 0) + 1, sizeof(*topics));
	if (!topics)
		err = client_fail(c, -ENOMEM, "listing topics: out of memory");
	for (int i = 0; i < res.topics.n && !err; i++) {
		err = topic_take(&res.topics.v[i], &topics[n]);
		n += !err;
	}
	client_reply_done(&reply);
	if (err) {
		client_topics_free(topics, n);
		return err;
	}
	qsort(topics, n, sizeof(*topics), by_name);
	*ret_topics = topics;
	*ret_n = n;
	return 0;
}

/* ---- creation and deletion -------------------------------------------------------------- */

static int create_result(struct client *c, const char *name,
			 const struct kafka_create_topics_response *res)
{
	char doing[DOING_BYTES];

	snprintf(doing, sizeof(doing), "creating topic '%s'", name);
	if (res->topics.n != 1)
		return client_fail(c, -EPROTO, "%s: the answer is about something else", doing);
	if (res->topics.v[0].error_code)
		return client_refused(c, res->topics.v[0].error_code,
				      res->topics.v[0].error_message, doing);
	return 0;
}

int client_topic_create(struct client *c, const char *name, int32_t partitions,
			const struct client_setting *settings, size_t n)
{
	struct kafka_create_topics_response res;
	struct kafka_create_topics_request_config *configs;
	struct kafka_create_topics_request_topic topic;
	struct kafka_create_topics_request req;
	struct client_reply reply = {0};
	int err;

	configs = calloc(n + 1, sizeof(*configs));
	if (!configs)
		return client_fail(c, -ENOMEM, "creating topic '%s': out of memory", name);
	for (size_t i = 0; i < n; i++) {
		configs[i].name = settings[i].name;
		configs[i].value = settings[i].value;
	}
	kafka_init(&kafka_create_topics_request_topic_schema, &topic);
	kafka_init(&kafka_create_topics_request_schema, &req);
	topic.name = kafka_str_of(name);
	topic.num_partitions = partitions;
	topic.replication_factor = -1;
	topic.configs.v = configs;
	topic.configs.n = (int32_t)n;
	req.topics.v = &topic;
	req.topics.n = 1;
	req.timeout_ms = client_timeout_ms(c);
	err = client_call(c, CLIENT_ANY_NODE, KAFKA_CREATE_TOPICS, INT16_MAX, &req, &res, &reply);
	free(configs);
	if (err)
		return err;
	err = create_result(c, name, &res);
	client_reply_done(&reply);
	return err;
}

static int delete_result(struct client *c, const char *name,
			 const struct kafka_delete_topics_response *res)
{
	char doing[DOING_BYTES];

	snprintf(doing, sizeof(doing), "deleting topic '%s'", name);
	if (res->responses.n != 1)
		return client_fail(c, -EPROTO, "%s: the answer is about something else", doing);
	if (res->responses.v[0].error_code)
		return client_refused(c, res->responses.v[0].error_code,
				      res->responses.v[0].error_message, doing);
	return 0;
}

int client_topic_delete(struct client *c, const char *name)
{
	struct kafka_str topic_name = kafka_str_of(name);
	struct kafka_delete_topics_response res;
	struct kafka_delete_topics_request_topic topic;
	struct kafka_delete_topics_request req;
	struct client_reply reply = {0};
	int err;

	kafka_init(&kafka_delete_topics_request_topic_schema, &topic);
	kafka_init(&kafka_delete_topics_request_schema, &req);
	topic.name = topic_name;
	req.topics.v = &topic;
	req.topics.n = 1;
	req.topic_names.v = &topic_name;
	req.topic_names.n = 1;
	req.timeout_ms = client_timeout_ms(c);
	err = client_call(c, CLIENT_ANY_NODE, KAFKA_DELETE_TOPICS, INT16_MAX, &req, &res, &reply);
	if (err)
		return err;
	err = delete_result(c, name, &res);
	client_reply_done(&reply);
	return err;
}
