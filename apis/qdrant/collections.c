// SPDX-License-Identifier: Apache-2.0
/*
 * Collections, their vectors and aliases, and the indexes over payloads.
 *
 * Interface: handlers of qdrant_pvt.h. Invariant: a change is made from the configuration that it
 * was read from; if somebody else was faster, it is told so.
 *
 * Order of parts: collections; vectors; aliases; indexes.
 */
#include <errno.h>
#include <string.h>

#include "qdrant_pvt.h"

/* ---- collections ------------------------------------------------------------------------ */

/* Most writes of this part say no more. */
static int put_true(struct qd_call *c, int err)
{
	if (!err)
		http_json_bool(&c->j, true);
	return err;
}

static int list(struct qd_call *c, const char *name,
		void (*put)(struct qd_call *c, const struct objects_view *view))
{
	struct objects_view *view = objects_view(c->o);

	http_json_open(&c->j, '{');
	http_json_key(&c->j, name);
	http_json_open(&c->j, '[');
	put(c, view);
	http_json_close(&c->j, ']');
	http_json_close(&c->j, '}');
	objects_view_release(view);
	return 0;
}

static void put_collections(struct qd_call *c, const struct objects_view *view)
{
	for (uint32_t i = 0; i < objects_view_count(view); i++) {
		http_json_open(&c->j, '{');
		http_json_key(&c->j, "name");
		http_json_string(&c->j, objects_view_at(view, i)->name);
		http_json_close(&c->j, '}');
	}
}

int qd_collections_list(struct qd_call *c)
{
	return list(c, "collections", put_collections);
}

int qd_collection_exists(struct qd_call *c)
{
	http_json_open(&c->j, '{');
	http_json_key(&c->j, "exists");
	http_json_bool(&c->j, c->collection);
	http_json_close(&c->j, '}');
	return 0;
}

int qd_collection_get(struct qd_call *c)
{
	static const char failed[] = "{\"error\":\"the disk failed: it takes no writes\"}";
	struct sl_objects_info info;
	int err = objects_info(c->o, c->name, &info, c->deadline);

	if (err)
		return err;
	http_json_open(&c->j, '{');
	http_json_key(&c->j, "status");
	http_json_string(&c->j, info.failed ? "red" : info.indexing ? "yellow" : "green");
	http_json_key(&c->j, "optimizer_status");
	if (info.failed)
		http_json_raw(&c->j, failed, sizeof(failed) - 1);
	else
		http_json_string(&c->j, "ok");
	http_json_key(&c->j, "points_count");
	http_json_uint(&c->j, info.objects);
	http_json_key(&c->j, "vectors_count");
	http_json_uint(&c->j, info.vectors);
	http_json_key(&c->j, "indexed_vectors_count");
	http_json_uint(&c->j, info.indexed);
	http_json_key(&c->j, "segments_count");
	http_json_uint(&c->j, 1);
	err = qd_put_conf(c, info.objects);
	http_json_close(&c->j, '}');
	return err;
}

int qd_collection_create(struct qd_call *c)
{
	struct sl_objects_conf conf;
	char why[200] = "";
	int err;

	if (c->collection)
		return qd_wrong(c, 409, "Wrong input: Collection `%.255s` already exists!",
				c->name);
	err = qd_conf_of(c, c->body, &conf);
	if (err)
		return err;
	err = objects_create(c->o, c->name, &conf, why, sizeof(why), c->deadline);
	if (err == -EEXIST)
		return qd_wrong(c, 409, "Wrong input: Collection `%.255s` already exists!",
				c->name);
	if (err == -EINVAL)
		return qd_wrong(c, 400, "Wrong input: %s", why);
	return put_true(c, err);
}

/* To a conf that was made from the one in c->collection. */
static int change(struct qd_call *c, const struct sl_objects_conf *conf)
{
	char why[200] = "";
	int err = objects_change(c->o, c->name, c->collection->generation, conf, why, sizeof(why),
				 c->deadline);

	if (err == -EINVAL)
		return qd_wrong(c, 400, "Wrong input: %s", why);
	return err;
}

int qd_collection_change(struct qd_call *c)
{
	struct sl_objects_conf conf;
	int err = qd_conf_change(c, c->body, &conf);

	return put_true(c, err ? err : change(c, &conf));
}

/* An alias is not taken for its collection. */
int qd_collection_delete(struct qd_call *c)
{
	int err = 0;

	if (c->collection && !strcmp(c->collection->name, c->name))
		err = objects_delete(c->o, c->name, c->deadline);
	else
		c->collection = NULL;
	if (err == -ENOENT)
		c->collection = NULL;
	else if (err)
		return err;
	http_json_bool(&c->j, c->collection);
	return 0;
}

/* ---- vectors ---------------------------------------------------------------------------- */

int qd_vector_create(struct qd_call *c)
{
	struct sl_objects_conf conf;
	const char *name;
	int err = qd_path_name(c, 1, &name);

	if (!err)
		err = qd_conf_vector(c, name, c->body, &conf);
	if (!err)
		err = change(c, &conf);
	if (!err)
		qd_put_written(c, c->collection->generation + 1);
	return err;
}

int qd_vector_drop(struct qd_call *c)
{
	const char *name;
	int err = qd_path_name(c, 1, &name);

	if (err)
		return err;
	if (!qd_vector_conf(c->collection, name))
		return qd_fault(c, SL_OBJECTS_UNKNOWN_VECTOR, NULL, name, 0);
	return qd_wrong(c, 400,
			"Wrong input: vector `%.200s` cannot be taken from its collection: take it "
			"from all points, by points/vectors/delete", name);
}

/* ---- aliases ---------------------------------------------------------------------------- */

static void put_alias(struct qd_call *c, const struct objects_alias *alias)
{
	http_json_open(&c->j, '{');
	http_json_key(&c->j, "alias_name");
	http_json_string(&c->j, alias->alias);
	http_json_key(&c->j, "collection_name");
	http_json_string(&c->j, alias->name);
	http_json_close(&c->j, '}');
}

/* Those of the collection in the path, or all. */
static void put_aliases(struct qd_call *c, const struct objects_view *view)
{
	for (uint32_t i = 0; i < objects_view_alias_count(view); i++) {
		const struct objects_alias *alias = objects_view_alias_at(view, i);

		if (!c->collection || !strcmp(alias->name, c->collection->name))
			put_alias(c, alias);
	}
}

int qd_aliases_list(struct qd_call *c)
{
	return list(c, "aliases", put_aliases);
}

int qd_collection_aliases(struct qd_call *c)
{
	return list(c, "aliases", put_aliases);
}

static int read_alias_change(struct qd_call *c, yyjson_val *v, struct objects_alias_change *ret)
{
	static const struct {
		const char *action, *alias, *name;
		enum objects_alias_change_kind kind;
	} actions[] = {
		{"create_alias", "alias_name", "collection_name", OBJECTS_ALIAS_CREATE},
		{"delete_alias", "alias_name", NULL, OBJECTS_ALIAS_DELETE},
		{"rename_alias", "old_alias_name", "new_alias_name", OBJECTS_ALIAS_RENAME},
	};

	for (size_t i = 0; i < SL_ARRAY_SIZE(actions); i++) {
		yyjson_val *action = qd_member(v, actions[i].action);
		int err;

		if (!action)
			continue;
		*ret = (struct objects_alias_change){.kind = actions[i].kind};
		err = qd_get_string(c, action, actions[i].alias, &ret->alias);
		if (!err && actions[i].name)
			err = qd_get_string(c, action, actions[i].name, &ret->name);
		if (!err && (!ret->alias || (actions[i].name && !ret->name)))
			err = qd_format_error(c, "%s: a name is missing", actions[i].action);
		return err;
	}
	return qd_format_error(c, "actions: expected create_alias, delete_alias or rename_alias");
}

int qd_aliases_change(struct qd_call *c)
{
	yyjson_val *actions = qd_member(c->body, "actions"), *v;
	struct objects_alias_change *changes =
		http_arena_array(&c->arena, struct objects_alias_change, yyjson_arr_size(actions));
	char why[200] = "";
	yyjson_arr_iter iter;
	uint32_t n = 0;
	int err = 0;

	if (!changes)
		return -ENOMEM;
	if (!yyjson_is_arr(actions))
		return qd_format_error(c, "missing field `actions`");
	yyjson_arr_iter_init(actions, &iter);
	while (!err && (v = yyjson_arr_iter_next(&iter)))
		err = read_alias_change(c, v, &changes[n++]);
	if (err)
		return err;
	if (n)
		err = objects_alias(c->o, changes, n, why, sizeof(why), c->deadline);
	if (err == -ENOENT && *why)
		return qd_wrong(c, 404, "Not found: %s", why);
	if ((err == -EEXIST || err == -EINVAL) && *why)
		return qd_wrong(c, err == -EEXIST ? 409 : 400, "Wrong input: %s", why);
	return put_true(c, err);
}

/* ---- indexes ---------------------------------------------------------------------------- */

int qd_index_create(struct qd_call *c)
{
	struct sl_objects_conf conf;
	const char *path = NULL;
	int err = qd_get_string(c, c->body, "field_name", &path);

	if (!err && !path)
		err = qd_format_error(c, "missing field `field_name`");
	if (!err)
		err = qd_conf_index(c, path, qd_member(c->body, "field_schema"), &conf);
	if (!err)
		err = change(c, &conf);
	if (!err)
		qd_put_written(c, c->collection->generation + 1);
	return err;
}

int qd_index_delete(struct qd_call *c)
{
	struct sl_objects_conf conf;
	bool changed = false;
	const char *path;
	int err = qd_path_name(c, 1, &path);

	if (!err)
		err = qd_conf_unindex(c, path, &conf, &changed);
	if (!err && changed)
		err = change(c, &conf);
	if (!err)
		qd_put_written(c, c->collection->generation + changed);
	return err;
}
