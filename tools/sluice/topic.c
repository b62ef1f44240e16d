// SPDX-License-Identifier: Apache-2.0
/*
 * sluice topic create | list | describe | delete.
 *
 * Interface: verb_topic(). Order of parts: common; create; list; describe; delete; the table.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "options.h"
#include "verbs.h"

/* ---- common ----------------------------------------------------------------------------- */

struct topic_options {
	const char *bootstrap;
	int64_t timeout_ns;
	int64_t partitions;
	struct option_list configs;
	bool if_not_exists, if_exists;
	bool all;
};

#define COMMON_ROWS                                                                                \
	OPTION_BOOTSTRAP(struct topic_options, bootstrap),                                         \
		OPTION_TIMEOUT(struct topic_options, timeout_ns)

static const struct topic_options defaults = {.timeout_ns = 30 * SL_SEC, .partitions = -1};

static int parse(const struct usage *usage, int argc, char **argv, struct topic_options *ret_o,
		 const char **ret_args)
{
	*ret_o = defaults;
	ret_o->bootstrap = bootstrap_default();
	return options_parse(usage, argc, argv, ret_o, ret_args);
}

static int connect_to(const char *name, const struct topic_options *o, struct client **ret_c)
{
	struct client_conf conf = {.bootstrap = o->bootstrap, .timeout_ns = o->timeout_ns};
	int err = client_new(&conf, ret_c);

	if (err)
		complain(name, "%s", *ret_c ? client_error(*ret_c) : "out of memory");
	return err;
}

/* ---- create ----------------------------------------------------------------------------- */

static const struct option_row create_rows[] = {
	{"partitions", "N", OPTION_NUMBER, offsetof(struct topic_options, partitions), 1, INT32_MAX,
	 NULL, "how many partitions; the daemon's default unless given"},
	{"config", "KEY=VALUE", OPTION_LIST, offsetof(struct topic_options, configs), 0, 0, NULL,
	 "a setting of the topic, such as retention.ms=3600000; may be repeated"},
	{"if-not-exists", NULL, OPTION_FLAG, offsetof(struct topic_options, if_not_exists), 0, 0,
	 NULL, "a topic that is there already is no error"},
	COMMON_ROWS,
};

static const struct usage create_usage = {
	.name = "topic create",
	.args = "NAME",
	.what = "Creates a topic; it is durable when this returns.",
	.rows = create_rows,
	.rows_n = SL_ARRAY_SIZE(create_rows),
	.args_min = 1,
	.args_max = 1,
	.more = "Settings: cleanup.policy, compression.type, max.message.bytes,\n"
		"message.timestamp.type, retention.bytes, retention.ms, segment.bytes,\n"
		"segment.ms, sluice.durability (group, each or none), min.insync.replicas.",
};

static int settings_take(const struct option_list *list, struct client_setting *settings)
{
	for (unsigned i = 0; i < list->n; i++) {
		const char *eq = strchr(list->v[i], '=');

		if (!eq || eq == list->v[i]) {
			complain("topic create", "--config '%s': expected KEY=VALUE", list->v[i]);
			return -EINVAL;
		}
		settings[i].name = (struct kafka_str){list->v[i], (int32_t)(eq - list->v[i])};
		settings[i].value = kafka_str_of(eq + 1);
	}
	return 0;
}

static int create(int argc, char **argv)
{
	struct client_setting settings[OPTION_LIST_MAX];
	struct client *c = NULL;
	struct topic_options o;
	const char *name;
	int err = parse(&create_usage, argc, argv, &o, &name);

	if (err)
		return options_exit(err);
	if (settings_take(&o.configs, settings))
		return EXIT_USAGE;
	err = connect_to("topic create", &o, &c);
	if (!err) {
		err = client_topic_create(c, name, (int32_t)o.partitions, settings, o.configs.n);
		if (err == KAFKA_ERR_TOPIC_ALREADY_EXISTS && o.if_not_exists)
			err = 0;
		if (err)
			complain("topic create", "%s", client_error(c));
	}
	client_free(c);
	return err ? 1 : 0;
}

/* ---- list ------------------------------------------------------------------------------- */

static const struct option_row list_rows[] = {
	{"all", NULL, OPTION_FLAG, offsetof(struct topic_options, all), 0, 0, NULL,
	 "internal topics too"},
	COMMON_ROWS,
};

static const struct usage list_usage = {
	.name = "topic list",
	.args = "",
	.what = "Prints the name of each topic and how many partitions it has, by rising name.",
	.rows = list_rows,
	.rows_n = SL_ARRAY_SIZE(list_rows),
};

static int list(int argc, char **argv)
{
	struct client_topic *topics;
	struct client *c = NULL;
	struct topic_options o;
	size_t n;
	int err = parse(&list_usage, argc, argv, &o, NULL);

	if (err)
		return options_exit(err);
	err = connect_to("topic list", &o, &c);
	if (err)
		goto out_free;
	err = client_topics(c, &topics, &n);
	if (err) {
		complain("topic list", "%s", client_error(c));
		goto out_free;
	}
	for (size_t i = 0; i < n; i++)
		if (!topics[i].internal || o.all)
			printf("%s\t%d\n", topics[i].name, topics[i].partitions_n);
	client_topics_free(topics, n);
out_free:
	client_free(c);
	return err ? 1 : 0;
}

/* ---- describe --------------------------------------------------------------------------- */

static const struct option_row describe_rows[] = {COMMON_ROWS};

static const struct usage describe_usage = {
	.name = "topic describe",
	.args = "NAME",
	.what = "Prints a topic's id and settings, and for each partition its leader, the first\n"
		"offset kept and the end.",
	.rows = describe_rows,
	.rows_n = SL_ARRAY_SIZE(describe_rows),
	.args_min = 1,
	.args_max = 1,
};

static void id_print(const struct kafka_uuid *id)
{
	printf("id\t");
	for (int i = 0; i < 16; i++)
		printf("%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", id->b[i]);
	printf("\n");
}

static int settings_print(struct client *c, const char *name)
{
	struct kafka_describe_configs_request_resource resource;
	struct kafka_describe_configs_request req;
	struct kafka_describe_configs_response res;
	struct client_reply reply = {0};
	int err;

	kafka_init(&kafka_describe_configs_request_resource_schema, &resource);
	kafka_init(&kafka_describe_configs_request_schema, &req);
	resource.resource_type = 2; /* topic */
	resource.resource_name = kafka_str_of(name);
	resource.configuration_keys.n = -1;
	req.resources.v = &resource;
	req.resources.n = 1;
	err = client_call(c, CLIENT_ANY_NODE, KAFKA_DESCRIBE_CONFIGS, INT16_MAX, &req, &res,
			  &reply);
	if (err == -EOPNOTSUPP)
		return 0; /* a broker without settings has none to show */
	if (err)
		return err;
	if (res.results.n == 1 && res.results.v[0].error_code)
		err = client_refused(c, res.results.v[0].error_code, res.results.v[0].error_message,
				     "asking for the topic's settings");
	for (int i = 0; res.results.n == 1 && i < res.results.v[0].configs.n; i++) {
		const struct kafka_describe_configs_response_config *k =
			&res.results.v[0].configs.v[i];

		printf("config\t%.*s\t%.*s\t%s\n", k->name.n, k->name.p, sl_max(k->value.n, 0),
		       k->value.p, k->config_source == 1 ? "own" : "default");
	}
	client_reply_done(&reply);
	return err;
}

static int partition_print(struct client *c, const struct client_topic *t, int i)
{
	const struct client_partition *p = &t->partitions[i];
	int64_t start, end;
	int err = client_offset(c, t, p->index, CLIENT_EARLIEST, &start);

	if (!err)
		err = client_offset(c, t, p->index, CLIENT_LATEST, &end);
	if (err)
		printf("partition\t%d\tleader %d\t%s\n", p->index, p->leader,
		       err > 0 ? kafka_error_name(err) : strerror(-err));
	else
		printf("partition\t%d\tleader %d\tstart %" PRId64 "\tend %" PRId64 "\n", p->index,
		       p->leader, start, end);
	return err;
}

static int describe(int argc, char **argv)
{
	struct client_topic t = {0};
	struct client *c = NULL;
	struct topic_options o;
	const char *name;
	int err = parse(&describe_usage, argc, argv, &o, &name), bad = 0;

	if (err)
		return options_exit(err);
	err = connect_to("topic describe", &o, &c);
	if (err)
		goto out_free;
	err = client_topic_find(c, name, false, &t);
	if (err)
		goto out_complain;
	printf("topic\t%s\n", t.name);
	id_print(&t.id);
	err = settings_print(c, name);
	if (err)
		goto out_complain;
	for (int i = 0; i < t.partitions_n; i++) {
		int r = partition_print(c, &t, i);

		if (r) {
			complain("topic describe", "%s", client_error(c));
			bad = r;
		}
	}
	err = bad;
	goto out_free;
out_complain:
	complain("topic describe", "%s", client_error(c));
out_free:
	client_topic_done(&t);
	client_free(c);
	return err ? 1 : 0;
}

/* ---- delete ----------------------------------------------------------------------------- */

static const struct option_row delete_rows[] = {
	{"if-exists", NULL, OPTION_FLAG, offsetof(struct topic_options, if_exists), 0, 0, NULL,
	 "a topic that is not there is no error"},
	COMMON_ROWS,
};

static const struct usage delete_usage = {
	.name = "topic delete",
	.args = "NAME",
	.what = "Deletes a topic with its records and the offsets that groups committed for it.",
	.rows = delete_rows,
	.rows_n = SL_ARRAY_SIZE(delete_rows),
	.args_min = 1,
	.args_max = 1,
};

static int delete_topic(int argc, char **argv)
{
	struct client *c = NULL;
	struct topic_options o;
	const char *name;
	int err = parse(&delete_usage, argc, argv, &o, &name);

	if (err)
		return options_exit(err);
	err = connect_to("topic delete", &o, &c);
	if (!err) {
		err = client_topic_delete(c, name);
		if (err == KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION && o.if_exists)
			err = 0;
		if (err)
			complain("topic delete", "%s", client_error(c));
	}
	client_free(c);
	return err ? 1 : 0;
}

/* ---- the table -------------------------------------------------------------------------- */

static const struct verb words[] = {
	{"create", create, "create a topic"},
	{"list", list, "list topics"},
	{"describe", describe, "show a topic's settings, partitions and offsets"},
	{"delete", delete_topic, "delete a topic and its records"},
};

int verb_topic(int argc, char **argv)
{
	return verbs_run("sluice topic", words, SL_ARRAY_SIZE(words), argc, argv);
}
