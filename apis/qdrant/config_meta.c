// SPDX-License-Identifier: Apache-2.0
/*
 * A collection's meta: its configuration in Qdrant's words, as clients read it back.
 *
 * Interface: "meta" of config_pvt.h, qd_put_conf(). It is a JSON object with "config" and
 * "payload_schema" as GET answers them. A collection that another API made has no such meta: then
 * these are made of what the store tells.
 *
 * Order of parts: types of properties; reading; changing; writing; answering.
 */
#include <errno.h>
#include <string.h>

#include "config_pvt.h"

/* ---- types of properties ---------------------------------------------------------------- */

static const struct {
	const char *name;
	enum sl_payload_type type;
} schemas[] = {
	{"keyword", SL_PAYLOAD_KEYWORD}, {"integer", SL_PAYLOAD_INTEGER},
	{"float", SL_PAYLOAD_NUMBER},	 {"bool", SL_PAYLOAD_BOOLEAN},
	{"datetime", SL_PAYLOAD_DATE},	 {"uuid", SL_PAYLOAD_UUID},
	{"geo", SL_PAYLOAD_GEO},	 {"text", SL_PAYLOAD_TEXT},
};

static const char *schema_name(enum sl_payload_type type)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(schemas); i++)
		if (schemas[i].type == type)
			return schemas[i].name;
	return "keyword";
}

bool qd_schema_find(const char *name, enum sl_payload_type *ret_type)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(schemas); i++) {
		if (!strcmp(schemas[i].name, name)) {
			*ret_type = schemas[i].type;
			return true;
		}
	}
	return false;
}

/* ---- reading ---------------------------------------------------------------------------- */

#define DEFAULTS                                                                                   \
	"{\"config\":{\"params\":{\"shard_number\":1,\"replication_factor\":1,"                    \
	"\"write_consistency_factor\":1,\"on_disk_payload\":true},"                                \
	"\"hnsw_config\":{\"m\":16,\"ef_construct\":100,\"full_scan_threshold\":10000,"            \
	"\"max_indexing_threads\":0,\"on_disk\":false},"                                           \
	"\"optimizer_config\":{\"deleted_threshold\":0.2,\"vacuum_min_vector_number\":1000,"       \
	"\"default_segment_number\":0,\"max_segment_size\":null,\"memmap_threshold\":null,"        \
	"\"indexing_threshold\":10000,\"flush_interval_sec\":5,"                                   \
	"\"max_optimization_threads\":null},"                                                      \
	"\"wal_config\":{\"wal_capacity_mb\":32,\"wal_segments_ahead\":0,"                         \
	"\"wal_retain_closed\":1},"                                                                \
	"\"quantization_config\":null},\"payload_schema\":{}}"

static int meta_read(struct qd_call *c, const char *text, size_t n, struct qd_meta *ret)
{
	yyjson_alc alc = http_json_alc(&c->arena);
	yyjson_doc *doc = yyjson_read_opts((char *)text, n, YYJSON_READ_NOFLAG, &alc, NULL);
	yyjson_mut_val *root;

	ret->doc = doc ? yyjson_doc_mut_copy(doc, &alc) : NULL;
	if (!ret->doc)
		return -ENOMEM;
	root = yyjson_mut_doc_get_root(ret->doc);
	ret->config = yyjson_mut_obj_get(root, "config");
	ret->params = yyjson_mut_obj_get(ret->config, "params");
	ret->schema = yyjson_mut_obj_get(root, "payload_schema");
	return ret->params && ret->schema ? 0 : -EINVAL;
}

int qd_meta_default(struct qd_call *c, struct qd_meta *ret)
{
	return meta_read(c, DEFAULTS, sizeof(DEFAULTS) - 1, ret);
}

/* What the store tells, in Qdrant's words. */
static int meta_add_vectors(struct qd_meta *meta, const struct objects_collection *collection)
{
	yyjson_mut_doc *doc = meta->doc;
	yyjson_mut_val *all = yyjson_mut_obj(doc);

	for (uint32_t i = 0; i < collection->conf.vectors_n; i++) {
		const struct sl_objects_vector *v = &collection->conf.vectors[i];
		yyjson_mut_val *one = yyjson_mut_obj(doc);

		if (!yyjson_mut_obj_add_uint(doc, one, "size", v->dim) ||
		    !yyjson_mut_obj_add_str(doc, one, "distance", qd_distance_name(v->metric)))
			return -ENOMEM;
		if (!*v->name && collection->conf.vectors_n == 1) {
			all = one;
			break;
		}
		if (!yyjson_mut_obj_add_val(doc, all, v->name, one))
			return -ENOMEM;
	}
	return yyjson_mut_obj_add_val(doc, meta->params, "vectors", all) ? 0 : -ENOMEM;
}

int qd_meta_add_index(struct qd_meta *meta, const char *path, enum sl_payload_type type)
{
	yyjson_mut_val *one = yyjson_mut_obj(meta->doc);
	yyjson_mut_val *key = yyjson_mut_strcpy(meta->doc, path);

	return key && yyjson_mut_obj_add_str(meta->doc, one, "data_type", schema_name(type)) &&
			       yyjson_mut_obj_put(meta->schema, key, one)
		       ? 0
		       : -ENOMEM;
}

int qd_meta_of(struct qd_call *c, struct qd_meta *ret)
{
	const struct sl_objects_conf *conf = &c->collection->conf;
	int err = meta_read(c, conf->meta, conf->meta_n, ret);

	if (!err)
		return 0;
	err = qd_meta_default(c, ret);
	if (!err)
		err = meta_add_vectors(ret, c->collection);
	for (uint32_t i = 0; !err && i < conf->indexes_n; i++)
		err = qd_meta_add_index(ret, conf->indexes[i].path, conf->indexes[i].type);
	return err;
}

int qd_meta_check_own(struct qd_call *c)
{
	struct qd_meta meta;

	if (c->collection->conf.meta_n &&
	    meta_read(c, c->collection->conf.meta, c->collection->conf.meta_n, &meta))
		return qd_wrong(c, 403, "Forbidden: another API made `%.255s`: change it there",
				c->collection->name);
	return 0;
}

/* ---- changing --------------------------------------------------------------------------- */

int qd_meta_put(struct qd_meta *meta, yyjson_mut_val *map, const char *name, yyjson_val *v)
{
	yyjson_mut_val *copy = yyjson_val_mut_copy(meta->doc, v);
	yyjson_mut_val *key = yyjson_mut_strcpy(meta->doc, name);

	return copy && key && yyjson_mut_obj_put(map, key, copy) ? 0 : -ENOMEM;
}

int qd_meta_merge(struct qd_meta *meta, yyjson_mut_val *map, const char *name, yyjson_val *diff)
{
	yyjson_mut_val *into = yyjson_mut_obj_get(map, name);
	yyjson_obj_iter iter;
	yyjson_val *key;
	int err = 0;

	if (!diff)
		return 0;
	if (!yyjson_is_obj(diff) || !yyjson_mut_is_obj(into))
		return qd_meta_put(meta, map, name, diff);
	yyjson_obj_iter_init(diff, &iter);
	while (!err && (key = yyjson_obj_iter_next(&iter))) {
		yyjson_val *v = yyjson_obj_iter_get_val(key);

		if (!yyjson_is_null(v))
			err = qd_meta_put(meta, into, yyjson_get_str(key), v);
	}
	return err;
}

/* ---- writing ---------------------------------------------------------------------------- */

int qd_meta_write(struct qd_call *c, const struct qd_meta *meta, struct sl_objects_conf *ret)
{
	yyjson_alc alc = http_json_alc(&c->arena);
	size_t n;
	char *text = yyjson_mut_write_opts(meta->doc, YYJSON_WRITE_NOFLAG, &alc, &n, NULL);

	if (!text)
		return -ENOMEM;
	if (n > SL_OBJECTS_META_BYTES_MAX)
		return qd_wrong(c, 400, "Wrong input: the configuration is too long");
	ret->meta = text;
	ret->meta_n = n;
	return 0;
}

/* ---- answering -------------------------------------------------------------------------- */

static int put_part(struct qd_call *c, const char *name, yyjson_mut_val *v)
{
	yyjson_alc alc = http_json_alc(&c->arena);
	size_t n;
	char *text = yyjson_mut_val_write_opts(v, YYJSON_WRITE_NOFLAG, &alc, &n, NULL);

	if (!text)
		return -ENOMEM;
	http_json_key(&c->j, name);
	http_json_raw(&c->j, text, n);
	return 0;
}

int qd_put_conf(struct qd_call *c, uint64_t points)
{
	yyjson_mut_obj_iter iter;
	yyjson_mut_val *key;
	struct qd_meta meta;
	int err = qd_meta_of(c, &meta);

	if (err)
		return err;
	yyjson_mut_obj_iter_init(meta.schema, &iter);
	while ((key = yyjson_mut_obj_iter_next(&iter)))
		if (!yyjson_mut_obj_add_uint(meta.doc, yyjson_mut_obj_iter_get_val(key), "points",
					     points))
			return -ENOMEM;
	err = put_part(c, "config", meta.config);
	return err ? err : put_part(c, "payload_schema", meta.schema);
}
