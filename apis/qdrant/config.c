// SPDX-License-Identifier: Apache-2.0
/*
 * How a collection is kept: between Qdrant's configuration and the store's.
 *
 * Interface: qd_conf_of(), qd_conf_change(), qd_conf_vector() of qdrant_pvt.h. The store is told
 * what it can act on (config_vector.c, config_index.c); Qdrant's words for all of it are the
 * collection's meta (config_meta.c). Invariant: what meta says of vectors and indexes is what the
 * store keeps.
 *
 * Order of parts: making; changes.
 */
#include <errno.h>
#include <string.h>

#include "config_pvt.h"

/* ---- making ----------------------------------------------------------------------------- */

/* Of a request that creates or changes. */
static int merge_parts(struct qd_call *c, struct qd_meta *meta, yyjson_val *body)
{
	static const struct {
		const char *from, *to;
	} parts[] = {
		{"hnsw_config", "hnsw_config"},
		{"optimizers_config", "optimizer_config"},
		{"wal_config", "wal_config"},
		{"quantization_config", "quantization_config"},
		{"strict_mode_config", "strict_mode_config"},
		{"metadata", "metadata"},
	};
	yyjson_val *quantization = qd_member(body, "quantization_config");
	int err = 0;

	if (quantization) /* one kind takes the place of another */
		err = qd_meta_put(meta, meta->config, "quantization_config", quantization);
	for (size_t i = 0; !err && i < SL_ARRAY_SIZE(parts); i++)
		err = qd_meta_merge(meta, meta->config, parts[i].to,
				    qd_member(body, parts[i].from));
	if (yyjson_equals_str(quantization, "Disabled") && !err)
		yyjson_mut_obj_remove_key(meta->config, "quantization_config");
	return err;
}

int qd_conf_of(struct qd_call *c, yyjson_val *body, struct sl_objects_conf *ret_conf)
{
	static const char *const params[] = {"vectors", "shard_number", "replication_factor",
					     "write_consistency_factor", "on_disk_payload"};
	yyjson_val *sparse = qd_member(body, "sparse_vectors");
	struct qd_meta meta;
	int err;

	if (yyjson_obj_size(sparse))
		return qd_wrong(c, 400, "Wrong input: sparse vectors are not supported");
	*ret_conf = (struct sl_objects_conf){.strict = true};
	err = qd_read_vectors(c, qd_member(body, "vectors"), body, ret_conf);
	if (!err)
		err = qd_meta_default(c, &meta);
	if (!err)
		err = merge_parts(c, &meta, body);
	for (size_t i = 0; !err && i < SL_ARRAY_SIZE(params); i++) {
		yyjson_val *v = qd_member(body, params[i]);

		if (v)
			err = qd_meta_put(&meta, meta.params, params[i], v);
	}
	if (!err && !qd_member(body, "vectors"))
		err = yyjson_mut_obj_add_obj(meta.doc, meta.params, "vectors") ? 0 : -ENOMEM;
	return err ? err : qd_meta_write(c, &meta, ret_conf);
}

/* ---- changes ---------------------------------------------------------------------------- */

/* @diff: {"name": {"hnsw_config": …}}. */
static int change_vector(struct qd_call *c, struct qd_meta *meta, yyjson_val *diff,
			 struct sl_objects_vector *v)
{
	yyjson_mut_val *vectors = yyjson_mut_obj_get(meta->params, "vectors");
	yyjson_val *mine = qd_member(diff, v->name);
	int err;

	if (!mine)
		return 0;
	err = qd_get_bool(c, mine, "on_disk", &v->on_disk);
	if (!err)
		err = qd_read_hnsw(c, qd_member(mine, "hnsw_config"), &v->index);
	if (!err)
		err = qd_read_quantiser(c, qd_member(mine, "quantization_config"), &v->index);
	if (err)
		return err;
	return *v->name ? qd_meta_merge(meta, vectors, v->name, mine)
			: qd_meta_merge(meta, meta->params, "vectors", mine);
}

static int change_vectors(struct qd_call *c, struct qd_meta *meta, yyjson_val *body,
			  struct sl_objects_conf *conf)
{
	struct sl_objects_vector *vectors =
		http_arena_array(&c->arena, struct sl_objects_vector, conf->vectors_n);
	yyjson_val *diff = qd_member(body, "vectors"), *name;
	yyjson_obj_iter iter;
	int err = 0;

	if (!vectors)
		return -ENOMEM;
	yyjson_obj_iter_init(diff, &iter);
	while ((name = yyjson_obj_iter_next(&iter)))
		if (!qd_vector_conf(c->collection, yyjson_get_str(name)))
			return qd_fault(c, SL_OBJECTS_UNKNOWN_VECTOR, NULL, yyjson_get_str(name),
					0);
	for (uint32_t i = 0; !err && i < conf->vectors_n; i++) {
		vectors[i] = conf->vectors[i];
		err = qd_read_hnsw(c, qd_member(body, "hnsw_config"), &vectors[i].index);
		if (!err)
			err = qd_read_quantiser(c, qd_member(body, "quantization_config"),
						&vectors[i].index);
		if (!err)
			err = change_vector(c, meta, diff, &vectors[i]);
		qd_settle_quantiser(&vectors[i]);
	}
	conf->vectors = vectors;
	return err;
}

/* What all vectors of the collection have that say nothing else. */
static int usual_of(struct qd_call *c, yyjson_val **ret_hnsw, yyjson_val **ret_quantization)
{
	const struct sl_objects_conf *conf = &c->collection->conf;
	yyjson_alc alc = http_json_alc(&c->arena);
	yyjson_doc *doc = yyjson_read_opts((char *)conf->meta, conf->meta_n, YYJSON_READ_NOFLAG,
					   &alc, NULL);
	yyjson_val *config = yyjson_obj_get(yyjson_doc_get_root(doc), "config");

	*ret_hnsw = qd_member(config, "hnsw_config");
	*ret_quantization = qd_member(config, "quantization_config");
	return doc ? 0 : -ENOMEM;
}

static int check_new_vector(struct qd_call *c, const char *name, yyjson_val *body)
{
	int err = qd_meta_check_own(c);

	if (err)
		return err;
	if (qd_member(body, "sparse"))
		return qd_wrong(c, 400, "Wrong input: sparse vectors are not supported");
	if (!qd_member(body, "dense"))
		return qd_format_error(c, "missing field `dense`");
	if (qd_vector_conf(c->collection, name))
		return qd_wrong(c, 409, "Wrong input: Vector `%.200s` already exists!", name);
	if (qd_vector_conf(c->collection, ""))
		return qd_wrong(c, 400,
				"Wrong input: a collection whose vector has no name takes no "
				"others");
	if (c->collection->conf.vectors_n == SL_OBJECTS_VECTORS_MAX)
		return qd_wrong(c, 400, "Wrong input: more than %u vectors",
				SL_OBJECTS_VECTORS_MAX);
	return 0;
}

int qd_conf_vector(struct qd_call *c, const char *name, yyjson_val *body,
		   struct sl_objects_conf *ret_conf)
{
	const struct sl_objects_conf *old = &c->collection->conf;
	yyjson_val *dense = qd_member(body, "dense"), *hnsw, *quantization;
	struct sl_objects_vector *vectors;
	struct qd_meta meta;
	int err = check_new_vector(c, name, body);

	if (!err)
		err = usual_of(c, &hnsw, &quantization);
	if (err)
		return err;
	vectors = http_arena_array(&c->arena, struct sl_objects_vector, old->vectors_n + 1);
	if (!vectors)
		return -ENOMEM;
	for (uint32_t i = 0; i < old->vectors_n; i++)
		vectors[i] = old->vectors[i];
	err = qd_read_vector(c, name, dense, hnsw, quantization, &vectors[old->vectors_n]);
	if (!err)
		err = qd_meta_of(c, &meta);
	if (!err)
		err = qd_meta_put(&meta, yyjson_mut_obj_get(meta.params, "vectors"), name, dense);
	*ret_conf = *old;
	ret_conf->vectors = vectors;
	ret_conf->vectors_n++;
	return err ? err : qd_meta_write(c, &meta, ret_conf);
}

int qd_conf_change(struct qd_call *c, yyjson_val *body, struct sl_objects_conf *ret_conf)
{
	struct qd_meta meta;
	int err = qd_meta_check_own(c);

	if (!err)
		err = qd_meta_of(c, &meta);
	if (!err)
		err = merge_parts(c, &meta, body);
	if (!err)
		err = qd_meta_merge(&meta, meta.config, "params", qd_member(body, "params"));
	*ret_conf = c->collection->conf;
	if (!err)
		err = change_vectors(c, &meta, body, ret_conf);
	return err ? err : qd_meta_write(c, &meta, ret_conf);
}
