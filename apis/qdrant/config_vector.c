// SPDX-License-Identifier: Apache-2.0
/*
 * How a collection's vectors are kept: from Qdrant's words to the store's.
 *
 * Interface: "vectors" of config_pvt.h, qd_vector_conf().
 *
 * Order of parts: names of things; indexes; vectors.
 */
#include <errno.h>
#include <string.h>

#include "config_pvt.h"

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

const char *qd_distance_name(enum sl_metric metric)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(distances); i++)
		if (distances[i].metric == metric)
			return distances[i].name;
	return "Hamming";
}

/* ---- indexes ---------------------------------------------------------------------------- */

/* Qdrant's defaults, which leave the choice to the store. */
enum { LINKS = 16, EFFORT_ADD = 100 };

int qd_read_hnsw(struct qd_call *c, yyjson_val *hnsw, struct sl_index_conf *ret)
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

int qd_read_quantiser(struct qd_call *c, yyjson_val *v, struct sl_index_conf *ret)
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

void qd_settle_quantiser(struct sl_objects_vector *v)
{
	if (!sl_quantiser_can(v->index.quantiser, v->component, v->metric))
		v->index.quantiser = SL_QUANTISER_DEFAULT;
}

/* ---- vectors ---------------------------------------------------------------------------- */

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

int qd_read_vector(struct qd_call *c, const char *name, yyjson_val *v, yyjson_val *hnsw,
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
		err = qd_read_hnsw(c, hnsw, &ret->index);
	if (!err)
		err = qd_read_hnsw(c, qd_member(v, "hnsw_config"), &ret->index);
	if (!err)
		err = qd_read_quantiser(c, own ? own : quantization, &ret->index);
	qd_settle_quantiser(ret);
	return err;
}

int qd_read_vectors(struct qd_call *c, yyjson_val *v, yyjson_val *body, struct sl_objects_conf *ret)
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
		return qd_read_vector(c, "", v, hnsw, quantization, vectors);
	}
	yyjson_obj_iter_init(v, &iter);
	while (!err && (name = yyjson_obj_iter_next(&iter)))
		err = qd_read_vector(c, yyjson_get_str(name), yyjson_obj_iter_get_val(name), hnsw,
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
