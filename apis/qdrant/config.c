// SPDX-License-Identifier: Apache-2.0
/*
 * How a collection is kept: between Qdrant's configuration and the store's.
 *
 * Interface: the collections' part of qdrant_pvt.h. The store is told what it can act on; Qdrant's
 * words for all of it, as clients read it back, are the collection's meta: a JSON object with
 * "config" and "payload_schema" as GET answers them. A collection that another API made has no such
 * meta: then these are made of what the store tells. Invariant: what meta says of vectors and
 * indexes is what the store keeps.
 *
 * Order of parts: names of things; vectors; making meta; reading meta; indexes; changes; answering.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant_pvt.h"

/* ---- names of things -------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum sl_metric metric;
} distances[] = {
	{"Cosine", SL_METRIC_COSINE},
	{"Euclid", SL_METRIC_L2},
	{"Dot", SL_METRIC_DOT},
	{"Manhattan", SL_METRIC_MANHATTAN},
};

/* Numbers up to 255 are the same in 16 bits of floating point. */
static const struct {
	const char *name;
	enum sl_component component;
} datatypes[] = {
	{"float32", SL_F32},
	{"float16", SL_F16},
	{"uint8", SL_F16},
};

static const struct {
	const char *name;
	enum sl_payload_type type;
} schemas[] = {
	{"keyword", SL_PAYLOAD_KEYWORD}, {"integer", SL_PAYLOAD_INTEGER},
	{"float", SL_PAYLOAD_NUMBER},	 {"bool", SL_PAYLOAD_BOOLEAN},
	{"datetime", SL_PAYLOAD_DATE},	 {"uuid", SL_PAYLOAD_UUID},
	{"geo", SL_PAYLOAD_GEO},	 {"text", SL_PAYLOAD_TEXT},
};

static const char *distance_name(enum sl_metric metric)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(distances); i++)
		if (distances[i].metric == metric)
			return distances[i].name;
	return "Hamming";
}

static const char *schema_name(enum sl_payload_type type)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(schemas); i++)
		if (schemas[i].type == type)
			return schemas[i].name;
	return "keyword";
}

/* ---- vectors ---------------------------------------------------------------------------- */

/* Qdrant's defaults, which leave the choice to the store. */
enum { LINKS = 16, EFFORT_ADD = 100 };

/* @hnsw: a difference to what is in *ret. m = 0 means that there is no graph. */
static int read_hnsw(struct qd_call *c, yyjson_val *hnsw, struct sl_index_conf *ret)
{
	uint64_t m = ret->links ? ret->links : LINKS;
	uint64_t effort = ret->effort_add ? ret->effort_add : EFFORT_ADD;
	int err;

	if (ret->kind == SL_INDEX_FLAT)
		m = 0;
	err = qd_get_uint(c, hnsw, "m", 64, &m);
	if (!err)
		err = qd_get_uint(c, hnsw, "ef_construct", 100000, &effort);
	if (err)
		return err;
	ret->kind = m ? SL_INDEX_HNSW : SL_INDEX_FLAT;
	ret->links = m && m != LINKS ? (uint32_t)sl_max(m, (uint64_t)2) : 0;
	ret->effort_add = effort != EFFORT_ADD ? (uint32_t)effort : 0;
	return 0;
}

/* Which codes stand for vectors while a search chooses among them; the index's own choice if
 * nothing is said. @v: "quantization_config", or NULL: *ret stays. */
static int read_quantiser(struct qd_call *c, yyjson_val *v, struct sl_index_conf *ret)
{
	yyjson_val *product = qd_member(v, "product"), *compression;

	if (!v)
		return 0;
	compression = yyjson_obj_get(product, "compression");
	if (yyjson_equals_str(v, "Disabled"))
		ret->quantiser = SL_QUANTISER_DEFAULT;
	else if (qd_member(v, "scalar"))
		ret->quantiser = SL_QUANTISER_SQ8;
	else if (product) /* a byte for four components is x16 */
		ret->quantiser = yyjson_equals_str(compression, "x4") ||
						 yyjson_equals_str(compression, "x8")
					 ? SL_QUANTISER_SQ8
					 : SL_QUANTISER_PQ8;
	else if (qd_member(v, "binary"))
		ret->quantiser = SL_QUANTISER_BINARY;
	else
		return qd_wrong(c, 400,
				"Wrong input: quantization_config: scalar, product, binary "
				"and Disabled are supported");
	return 0;
}

/* What the index cannot do is done as it would by itself. */
static void settle_quantiser(struct sl_objects_vector *v)
{
	if (!sl_quantiser_can(v->index.quantiser, v->component, v->metric))
		v->index.quantiser = SL_QUANTISER_DEFAULT;
}

static int read_metric(struct qd_call *c, yyjson_val *v, enum sl_metric *ret)
{
	const char *name = "";
	int err = qd_get_string(c, v, "distance", &name);

	if (err)
		return err;
	for (size_t i = 0; i < SL_ARRAY_SIZE(distances); i++) {
		if (!strcmp(distances[i].name, name)) {
			*ret = distances[i].metric;
			return 0;
		}
	}
	return qd_format_error(c,
			       "vectors: unknown distance \"%.40s\", expected one of Cosine, "
			       "Euclid, Dot, Manhattan",
			       name);
}

static int read_component(struct qd_call *c, yyjson_val *v, enum sl_component *ret)
{
	const char *name = "float32";
	int err = qd_get_string(c, v, "datatype", &name);

	if (err)
		return err;
	for (size_t i = 0; i < SL_ARRAY_SIZE(datatypes); i++) {
		if (!strcmp(datatypes[i].name, name)) {
			*ret = datatypes[i].component;
			return 0;
		}
	}
	return qd_wrong(c, 400,
			"Wrong input: datatype %.40s is not supported: float32, float16 and "
			"uint8 are",
			name);
}

static int read_vector(struct qd_call *c, const char *name, yyjson_val *v, yyjson_val *hnsw,
		       yyjson_val *quantization, struct sl_objects_vector *ret)
{
	yyjson_val *own = qd_member(v, "quantization_config");
	uint64_t size = 0;
	int err = qd_get_uint(c, v, "size", SL_DIM_MAX, &size);

	if (err)
		return err;
	if (!size)
		return qd_wrong(c, 422,
				"Validation error in JSON body: [vectors.size: value 0 "
				"invalid, must be from 1 to %d]",
				SL_DIM_MAX);
	if (qd_member(v, "multivector_config"))
		return qd_wrong(c, 400,
				"Wrong input: multivectors are not supported: vector "
				"\"%.100s\"",
				name);
	*ret = (struct sl_objects_vector){
		.name = name,
		.dim = (uint32_t)size,
		.automatic = true,
		.index = {.kind = SL_INDEX_HNSW},
	};
	err = read_metric(c, v, &ret->metric);
	if (!err)
		err = read_component(c, v, &ret->component);
	if (!err)
		err = qd_get_bool(c, v, "on_disk", &ret->on_disk);
	if (!err)
		err = read_hnsw(c, hnsw, &ret->index);
	if (!err)
		err = read_hnsw(c, qd_member(v, "hnsw_config"), &ret->index);
	if (!err)
		err = read_quantiser(c, own ? own : quantization, &ret->index);
	settle_quantiser(ret);
	return err;
}

/* {size, distance}, or a map of them by name. @body: of the collection. */
static int read_vectors(struct qd_call *c, yyjson_val *v, yyjson_val *body,
			struct sl_objects_conf *ret)
{
	yyjson_val *hnsw = qd_member(body, "hnsw_config");
	yyjson_val *quantization = qd_member(body, "quantization_config");
	struct sl_objects_vector *vectors;
	yyjson_obj_iter iter;
	yyjson_val *name;
	uint32_t n = 0;
	int err = 0;

	if (!v)
		return 0;
	if (!yyjson_is_obj(v))
		return qd_format_error(c, "vectors: expected a map");
	if (yyjson_obj_size(v) > SL_OBJECTS_VECTORS_MAX)
		return qd_wrong(c, 400, "Wrong input: more than %u vectors",
				SL_OBJECTS_VECTORS_MAX);
	vectors = http_arena_array(&c->arena, struct sl_objects_vector, SL_OBJECTS_VECTORS_MAX);
	if (!vectors)
		return -ENOMEM;
	ret->vectors = vectors;
	if (yyjson_is_uint(yyjson_obj_get(v, "size"))) {
		ret->vectors_n = 1;
		return read_vector(c, "", v, hnsw, quantization, vectors);
	}
	yyjson_obj_iter_init(v, &iter);
	while (!err && (name = yyjson_obj_iter_next(&iter)))
		err = read_vector(c, yyjson_get_str(name), yyjson_obj_iter_get_val(name), hnsw,
				  quantization, &vectors[n++]);
	ret->vectors_n = n;
	return err;
}

const struct sl_objects_vector *qd_vector_conf(const struct objects_collection *collection,
					       const char *name)
{
	for (uint32_t i = 0; i < collection->conf.vectors_n; i++)
		if (!strcmp(collection->conf.vectors[i].name, name))
			return &collection->conf.vectors[i];
	return NULL;
}

/* ---- making meta ------------------------------------------------------------------------ */

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

/**
 * struct meta - what clients read back, while it changes.
 * @doc: in the arena, and not freed. @config, @params, @schema: parts of it.
 */
struct meta {
	yyjson_mut_doc *doc;
	yyjson_mut_val *config, *params, *schema;
};

static int meta_read(struct qd_call *c, const char *text, size_t n, struct meta *ret)
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

static int meta_write(struct qd_call *c, const struct meta *meta, struct sl_objects_conf *ret)
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

/* Puts @v under @name, in place of what is there. */
static int put(struct meta *meta, yyjson_mut_val *map, const char *name, yyjson_val *v)
{
	yyjson_mut_val *copy = yyjson_val_mut_copy(meta->doc, v);
	yyjson_mut_val *key = yyjson_mut_strcpy(meta->doc, name);

	return copy && key && yyjson_mut_obj_put(map, key, copy) ? 0 : -ENOMEM;
}

/* Puts what the map @diff has into the map @name of @map; maps within are merged alike. */
static int merge(struct meta *meta, yyjson_mut_val *map, const char *name, yyjson_val *diff)
{
	yyjson_mut_val *into = yyjson_mut_obj_get(map, name);
	yyjson_obj_iter iter;
	yyjson_val *key;
	int err = 0;

	if (!diff)
		return 0;
	if (!yyjson_is_obj(diff) || !yyjson_mut_is_obj(into))
		return put(meta, map, name, diff);
	yyjson_obj_iter_init(diff, &iter);
	while (!err && (key = yyjson_obj_iter_next(&iter))) {
		yyjson_val *v = yyjson_obj_iter_get_val(key);

		if (!yyjson_is_null(v))
			err = put(meta, into, yyjson_get_str(key), v);
	}
	return err;
}

/* Of a request that creates or changes. */
static int merge_parts(struct qd_call *c, struct meta *meta, yyjson_val *body)
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
		err = put(meta, meta->config, "quantization_config", quantization);
	for (size_t i = 0; !err && i < SL_ARRAY_SIZE(parts); i++)
		err = merge(meta, meta->config, parts[i].to, qd_member(body, parts[i].from));
	if (yyjson_equals_str(quantization, "Disabled") && !err)
		yyjson_mut_obj_remove_key(meta->config, "quantization_config");
	return err;
}

int qd_conf_of(struct qd_call *c, yyjson_val *body, struct sl_objects_conf *ret_conf)
{
	static const char *const params[] = {"vectors", "shard_number", "replication_factor",
					     "write_consistency_factor", "on_disk_payload"};
	yyjson_val *sparse = qd_member(body, "sparse_vectors");
	struct meta meta;
	int err;

	if (yyjson_obj_size(sparse))
		return qd_wrong(c, 400, "Wrong input: sparse vectors are not supported");
	*ret_conf = (struct sl_objects_conf){.strict = true};
	err = read_vectors(c, qd_member(body, "vectors"), body, ret_conf);
	if (!err)
		err = meta_read(c, DEFAULTS, sizeof(DEFAULTS) - 1, &meta);
	if (!err)
		err = merge_parts(c, &meta, body);
	for (size_t i = 0; !err && i < SL_ARRAY_SIZE(params); i++) {
		yyjson_val *v = qd_member(body, params[i]);

		if (v)
			err = put(&meta, meta.params, params[i], v);
	}
	if (!err && !qd_member(body, "vectors"))
		err = yyjson_mut_obj_add_obj(meta.doc, meta.params, "vectors") ? 0 : -ENOMEM;
	return err ? err : meta_write(c, &meta, ret_conf);
}

/* ---- reading meta ----------------------------------------------------------------------- */

/* What the store tells, in Qdrant's words. */
static int meta_add_vectors(struct meta *meta, const struct objects_collection *collection)
{
	yyjson_mut_doc *doc = meta->doc;
	yyjson_mut_val *all = yyjson_mut_obj(doc);

	for (uint32_t i = 0; i < collection->conf.vectors_n; i++) {
		const struct sl_objects_vector *v = &collection->conf.vectors[i];
		yyjson_mut_val *one = yyjson_mut_obj(doc);

		if (!yyjson_mut_obj_add_uint(doc, one, "size", v->dim) ||
		    !yyjson_mut_obj_add_str(doc, one, "distance", distance_name(v->metric)))
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

static int meta_add_schema(struct meta *meta, const char *path, enum sl_payload_type type)
{
	yyjson_mut_val *one = yyjson_mut_obj(meta->doc);
	yyjson_mut_val *key = yyjson_mut_strcpy(meta->doc, path);

	return key && yyjson_mut_obj_add_str(meta->doc, one, "data_type", schema_name(type)) &&
			       yyjson_mut_obj_put(meta->schema, key, one)
		       ? 0
		       : -ENOMEM;
}

/* That of the collection, or one for what another API has made. */
static int meta_of(struct qd_call *c, struct meta *ret)
{
	const struct sl_objects_conf *conf = &c->collection->conf;
	int err = meta_read(c, conf->meta, conf->meta_n, ret);

	if (!err)
		return 0;
	err = meta_read(c, DEFAULTS, sizeof(DEFAULTS) - 1, ret);
	if (!err)
		err = meta_add_vectors(ret, c->collection);
	for (uint32_t i = 0; !err && i < conf->indexes_n; i++)
		err = meta_add_schema(ret, conf->indexes[i].path, conf->indexes[i].type);
	return err;
}

/* Whether the collection's meta is of this folder's making, and may be written. */
static int check_own(struct qd_call *c)
{
	struct meta meta;

	if (c->collection->conf.meta_n &&
	    meta_read(c, c->collection->conf.meta, c->collection->conf.meta_n, &meta))
		return qd_wrong(c, 403, "Forbidden: another API made `%.255s`: change it there",
				c->collection->name);
	return 0;
}

/* ---- indexes ---------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum sl_tokens kind;
} tokenisers[] = {
	{"word", SL_TOKENS_WORD},
	{"whitespace", SL_TOKENS_SPACE},
	{"prefix", SL_TOKENS_PREFIX},
	{"multilingual", SL_TOKENS_WORD},
};

static int read_tokeniser(struct qd_call *c, yyjson_val *v, struct sl_tokeniser *ret)
{
	uint64_t min = 0, max = 0;
	const char *name = "word";
	bool lowercase = true;
	int err = qd_get_string(c, v, "tokenizer", &name);

	if (!err)
		err = qd_get_bool(c, v, "lowercase", &lowercase);
	if (!err)
		err = qd_get_uint(c, v, "min_token_len", UINT32_MAX, &min);
	if (!err)
		err = qd_get_uint(c, v, "max_token_len", UINT32_MAX, &max);
	if (err)
		return err;
	*ret = (struct sl_tokeniser){
		.keep_case = !lowercase, .min = (uint32_t)min, .max = (uint32_t)max};
	for (size_t i = 0; i < SL_ARRAY_SIZE(tokenisers); i++) {
		if (!strcmp(tokenisers[i].name, name)) {
			ret->kind = tokenisers[i].kind;
			return 0;
		}
	}
	return qd_format_error(c, "tokenizer: expected word, whitespace, prefix or multilingual");
}

/* "keyword", or {"type": "keyword", …}. */
static int read_schema(struct qd_call *c, yyjson_val *v, struct sl_payload_conf *ret)
{
	const char *name = yyjson_is_str(v) ? yyjson_get_str(v)
					    : yyjson_get_str(yyjson_obj_get(v, "type"));

	for (size_t i = 0; name && i < SL_ARRAY_SIZE(schemas); i++) {
		if (!strcmp(schemas[i].name, name)) {
			ret->type = schemas[i].type;
			return ret->type == SL_PAYLOAD_TEXT ? read_tokeniser(c, v, &ret->tokeniser)
							    : 0;
		}
	}
	return qd_format_error(c, "field_schema: expected keyword, integer, float, bool, datetime, "
				  "uuid, geo or text");
}

/* All indexes but those of @path, with room for one more. */
static int copy_indexes(struct qd_call *c, const char *path, struct sl_payload_conf **ret,
			uint32_t *ret_n)
{
	const struct sl_objects_conf *conf = &c->collection->conf;

	*ret_n = 0;
	*ret = http_arena_array(&c->arena, struct sl_payload_conf, conf->indexes_n + 1);
	if (!*ret)
		return -ENOMEM;
	for (uint32_t i = 0; i < conf->indexes_n; i++)
		if (strcmp(conf->indexes[i].path, path))
			(*ret)[(*ret_n)++] = conf->indexes[i];
	return 0;
}

int qd_conf_index(struct qd_call *c, const char *path, yyjson_val *schema,
		  struct sl_objects_conf *ret_conf)
{
	struct sl_payload_conf *indexes, index = {.path = path};
	struct meta meta;
	uint32_t n;
	int err = check_own(c);

	if (!err)
		err = read_schema(c, schema, &index);
	if (!err)
		err = copy_indexes(c, path, &indexes, &n);
	if (!err)
		err = meta_of(c, &meta);
	if (!err)
		err = meta_add_schema(&meta, path, index.type);
	if (!err && yyjson_is_obj(schema))
		err = put(&meta, yyjson_mut_obj_get(meta.schema, path), "params", schema);
	*ret_conf = c->collection->conf;
	if (!err)
		err = meta_write(c, &meta, ret_conf);
	if (err)
		return err;
	indexes[n++] = index;
	ret_conf->indexes = indexes;
	ret_conf->indexes_n = n;
	return 0;
}

int qd_conf_unindex(struct qd_call *c, const char *path, struct sl_objects_conf *ret_conf,
		    bool *ret_changed)
{
	struct sl_payload_conf *indexes;
	struct meta meta;
	uint32_t n;
	int err = check_own(c);

	if (!err)
		err = copy_indexes(c, path, &indexes, &n);
	if (!err)
		err = meta_of(c, &meta);
	if (err)
		return err;
	yyjson_mut_obj_remove_key(meta.schema, path);
	*ret_changed = n != c->collection->conf.indexes_n;
	*ret_conf = c->collection->conf;
	ret_conf->indexes = indexes;
	ret_conf->indexes_n = n;
	return meta_write(c, &meta, ret_conf);
}

/* ---- changes ---------------------------------------------------------------------------- */

/* @diff: {"name": {"hnsw_config": …}}. */
static int change_vector(struct qd_call *c, struct meta *meta, yyjson_val *diff,
			 struct sl_objects_vector *v)
{
	yyjson_mut_val *vectors = yyjson_mut_obj_get(meta->params, "vectors");
	yyjson_val *mine = qd_member(diff, v->name);
	int err;

	if (!mine)
		return 0;
	err = qd_get_bool(c, mine, "on_disk", &v->on_disk);
	if (!err)
		err = read_hnsw(c, qd_member(mine, "hnsw_config"), &v->index);
	if (!err)
		err = read_quantiser(c, qd_member(mine, "quantization_config"), &v->index);
	if (err)
		return err;
	return *v->name ? merge(meta, vectors, v->name, mine)
			: merge(meta, meta->params, "vectors", mine);
}

static int change_vectors(struct qd_call *c, struct meta *meta, yyjson_val *body,
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
		err = read_hnsw(c, qd_member(body, "hnsw_config"), &vectors[i].index);
		if (!err)
			err = read_quantiser(c, qd_member(body, "quantization_config"),
					     &vectors[i].index);
		if (!err)
			err = change_vector(c, meta, diff, &vectors[i]);
		settle_quantiser(&vectors[i]);
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
	int err = check_own(c);

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
	struct meta meta;
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
	err = read_vector(c, name, dense, hnsw, quantization, &vectors[old->vectors_n]);
	if (!err)
		err = meta_of(c, &meta);
	if (!err)
		err = put(&meta, yyjson_mut_obj_get(meta.params, "vectors"), name, dense);
	*ret_conf = *old;
	ret_conf->vectors = vectors;
	ret_conf->vectors_n++;
	return err ? err : meta_write(c, &meta, ret_conf);
}

int qd_conf_change(struct qd_call *c, yyjson_val *body, struct sl_objects_conf *ret_conf)
{
	struct meta meta;
	int err = check_own(c);

	if (!err)
		err = meta_of(c, &meta);
	if (!err)
		err = merge_parts(c, &meta, body);
	if (!err)
		err = merge(&meta, meta.config, "params", qd_member(body, "params"));
	*ret_conf = c->collection->conf;
	if (!err)
		err = change_vectors(c, &meta, body, ret_conf);
	return err ? err : meta_write(c, &meta, ret_conf);
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
	struct meta meta;
	int err = meta_of(c, &meta);

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
