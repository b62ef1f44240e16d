// SPDX-License-Identifier: Apache-2.0
/*
 * Classes as they are kept: the JSON in a collection's meta, read for one call.
 *
 * Interface: the part "classes" of weaviate_pvt.h. What is read here was written by define.c, which
 * refuses what is not sound; whatever else a file may hold is passed over or takes its default.
 *
 * Order of parts: names; properties; vectors; classes; finding.
 */
#include <errno.h>
#include <string.h>

#include "weaviate_pvt.h"

/* ---- names ------------------------------------------------------------------------------ */

enum { PREFIX_BYTES = sizeof(COLLECTION_PREFIX) - 1 };

const char *wv_class_name_of(const struct objects_collection *col)
{
	if (strncmp(col->name, COLLECTION_PREFIX, PREFIX_BYTES) ||
	    strchr(col->name + PREFIX_BYTES, TENANT_SEPARATOR))
		return NULL;
	return col->name + PREFIX_BYTES;
}

const char *wv_class_name(struct wv_call *c, const char *name, size_t n)
{
	char *text = http_arena_text(&c->arena, name, n);

	if (text && *text >= 'a' && *text <= 'z')
		*text -= 'a' - 'A';
	return text;
}

const char *wv_class_collection(struct wv_call *c, const char *name)
{
	size_t n = strlen(name);
	char *text = http_arena_alloc(&c->arena, PREFIX_BYTES + n + 1, 1);

	if (!text)
		return NULL;
	memcpy(text, COLLECTION_PREFIX, PREFIX_BYTES);
	memcpy(text + PREFIX_BYTES, name, n + 1);
	return text;
}

/* ---- properties ------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum wv_data_type type;
} data_types[] = {
	{"text", DATA_TEXT},	     {"string", DATA_TEXT}, /* as it was called before 1.19 */
	{"int", DATA_INT},	     {"number", DATA_NUMBER}, {"boolean", DATA_BOOLEAN},
	{"date", DATA_DATE},	     {"uuid", DATA_UUID},     {"geoCoordinates", DATA_GEO},
	{"phoneNumber", DATA_PHONE}, {"blob", DATA_BLOB},     {"object", DATA_OBJECT},
};

const char *wv_data_type_name(enum wv_data_type type)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(data_types); i++)
		if (data_types[i].type == type)
			return data_types[i].name;
	return "cref";
}

bool wv_data_type_parse(const char *name, enum wv_data_type *ret_type, bool *ret_list)
{
	size_t n = strlen(name);
	bool list = n > 2 && !strcmp(name + n - 2, "[]");

	n -= list ? 2 : 0;
	*ret_list = list;
	for (size_t i = 0; i < SL_ARRAY_SIZE(data_types); i++) {
		if (strlen(data_types[i].name) != n || memcmp(data_types[i].name, name, n))
			continue;
		*ret_type = data_types[i].type;
		return true;
	}
	*ret_type = DATA_REFERENCE;
	return !list && *name >= 'A' && *name <= 'Z';
}

static const struct {
	const char *name;
	struct sl_tokeniser tokeniser;
} tokenisers[] = {
	{"word", {.kind = SL_TOKENS_WORD}},
	{"lowercase", {.kind = SL_TOKENS_SPACE}},
	{"whitespace", {.kind = SL_TOKENS_SPACE, .keep_case = true}},
	{"field", {.kind = SL_TOKENS_FIELD, .keep_case = true}},
};

bool wv_tokeniser_parse(const char *name, struct sl_tokeniser *ret_tokeniser)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(tokenisers); i++) {
		if (strcmp(tokenisers[i].name, name))
			continue;
		*ret_tokeniser = tokenisers[i].tokeniser;
		return true;
	}
	return false;
}

/* "" if it is no text, or not there. */
static const char *text_of(yyjson_val *map, const char *name)
{
	const char *text = yyjson_get_str(yyjson_obj_get(map, name));

	return text ? text : "";
}

static void read_property(yyjson_val *json, struct wv_property *ret)
{
	yyjson_val *filterable = yyjson_obj_get(json, "indexFilterable");
	const char *type = yyjson_get_str(yyjson_arr_get_first(yyjson_obj_get(json, "dataType")));

	*ret = (struct wv_property){.name = text_of(json, "name"), .json = json};
	if (!type || !wv_data_type_parse(type, &ret->type, &ret->list))
		ret->type = DATA_TEXT;
	wv_tokeniser_parse(text_of(json, "tokenization"), &ret->tokeniser);
	ret->filterable = !yyjson_is_false(filterable);
}

int wv_properties_read(struct wv_call *c, yyjson_val *list, struct wv_property **ret_properties,
		       uint32_t *ret_n)
{
	size_t n = yyjson_arr_size(list);
	struct wv_property *properties = http_arena_array(&c->arena, struct wv_property, n);
	yyjson_arr_iter iter;

	if (!properties)
		return -ENOMEM;
	yyjson_arr_iter_init(list, &iter);
	for (size_t i = 0; i < n; i++)
		read_property(yyjson_arr_iter_next(&iter), &properties[i]);
	*ret_properties = properties;
	*ret_n = (uint32_t)n;
	return 0;
}

const struct wv_property *wv_class_property(const struct wv_class *k, const char *name, size_t n)
{
	for (uint32_t i = 0; i < k->properties_n; i++) {
		const char *own = k->properties[i].name;

		if (!strncmp(own, name, n) && !own[n])
			return &k->properties[i];
	}
	return NULL;
}

/* ---- vectors ---------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum sl_metric metric;
} metrics[] = {
	{"cosine", SL_METRIC_COSINE},	{"dot", SL_METRIC_DOT},
	{"l2-squared", SL_METRIC_L2},	{"manhattan", SL_METRIC_MANHATTAN},
	{"hamming", SL_METRIC_HAMMING},
};

bool wv_metric_parse(const char *name, enum sl_metric *ret_metric)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(metrics); i++) {
		if (strcmp(metrics[i].name, name))
			continue;
		*ret_metric = metrics[i].metric;
		return true;
	}
	return false;
}

static uint32_t number_of(yyjson_val *map, const char *name, uint32_t max)
{
	yyjson_val *v = yyjson_obj_get(map, name);

	return yyjson_is_uint(v) ? (uint32_t)sl_min(yyjson_get_uint(v), (uint64_t)max) : 0;
}

/* Weaviate's own defaults leave the choice to the index. */
enum { LINKS_DEFAULT = 32, LINKS_MAX = 64, EFFORT_ADD_DEFAULT = 128, EFFORT_MAX = 4096 };

static void read_graph(yyjson_val *conf, struct wv_class_vector *v)
{
	uint32_t links = number_of(conf, "maxConnections", LINKS_MAX);
	uint32_t effort_add = number_of(conf, "efConstruction", EFFORT_MAX);

	v->index.links = links == LINKS_DEFAULT ? 0 : links;
	v->index.effort_add = effort_add == EFFORT_ADD_DEFAULT ? 0 : effort_add;
	v->effort = number_of(conf, "ef", EFFORT_MAX);
}

static const struct {
	const char *name;
	enum sl_quantiser quantiser;
} quantisers[] = {
	{"pq", SL_QUANTISER_PQ8},
	{"bq", SL_QUANTISER_BINARY},
	{"sq", SL_QUANTISER_SQ8},
	{"rq", SL_QUANTISER_RABITQ},
};

/* The codes that are enabled, if the vectors can have them; else the index's own choice. */
static void read_quantiser(yyjson_val *conf, struct wv_class_vector *v)
{
	enum { BITS_MAX = 8 };

	for (size_t i = 0; i < SL_ARRAY_SIZE(quantisers); i++) {
		enum sl_quantiser quantiser = quantisers[i].quantiser;
		yyjson_val *own = yyjson_obj_get(conf, quantisers[i].name);

		if (!yyjson_is_true(yyjson_obj_get(own, "enabled")) ||
		    !sl_quantiser_can(quantiser, SL_F32, v->metric))
			continue;
		v->index.quantiser = quantiser;
		if (quantiser == SL_QUANTISER_RABITQ)
			v->index.quantiser_bits = number_of(own, "bits", BITS_MAX);
	}
}

/* @json: of the class, or of one member of its vectorConfig. */
static void read_vector(yyjson_val *json, struct wv_class_vector *v)
{
	yyjson_val *conf = yyjson_obj_get(json, "vectorIndexConfig");
	const char *type = text_of(json, "vectorIndexType");
	bool flat = !strcmp(type, "flat");

	wv_metric_parse(text_of(conf, "distance"), &v->metric);
	v->skip = yyjson_is_true(yyjson_obj_get(conf, "skip"));
	v->automatic = !flat;
	v->index.kind = flat ? SL_INDEX_FLAT : SL_INDEX_HNSW;
	if (!strcmp(type, "dynamic"))
		conf = yyjson_obj_get(conf, "hnsw");
	if (!flat) {
		read_graph(conf, v);
		read_quantiser(conf, v);
	}
}

static int read_vectors(struct wv_call *c, struct wv_class *k)
{
	yyjson_val *named = yyjson_obj_get(k->json, "vectorConfig");
	size_t n = yyjson_obj_size(named);
	yyjson_obj_iter iter;

	k->named = n > 0;
	k->vectors_n = k->named ? (uint32_t)n : 1;
	k->vectors = http_arena_array(&c->arena, struct wv_class_vector, k->vectors_n);
	if (!k->vectors)
		return -ENOMEM;
	for (uint32_t i = 0; i < k->vectors_n; i++)
		k->vectors[i] = (struct wv_class_vector){.name = "", .metric = SL_METRIC_COSINE};
	if (!k->named) {
		read_vector(k->json, &k->vectors[0]);
		return 0;
	}
	yyjson_obj_iter_init(named, &iter);
	for (uint32_t i = 0; i < n; i++) {
		yyjson_val *name = yyjson_obj_iter_next(&iter);

		k->vectors[i].name = yyjson_get_str(name);
		read_vector(yyjson_obj_iter_get_val(name), &k->vectors[i]);
	}
	return 0;
}

/* How long vectors are is only known once one was stored. */
void wv_class_read_dims(struct wv_class *k)
{
	const struct sl_objects_conf *conf = &k->collection->conf;

	for (uint32_t i = 0; i < conf->vectors_n; i++) {
		struct wv_class_vector *v = wv_class_vector(k, conf->vectors[i].name);

		if (v)
			v->dim = conf->vectors[i].dim;
	}
}

struct wv_class_vector *wv_class_vector(const struct wv_class *k, const char *name)
{
	for (uint32_t i = 0; i < k->vectors_n; i++)
		if (!strcmp(k->vectors[i].name, name))
			return &k->vectors[i];
	return NULL;
}

const char *wv_class_only_vector(const struct wv_class *k)
{
	return k->named && k->vectors_n == 1 ? k->vectors[0].name : "";
}

/* ---- classes ---------------------------------------------------------------------------- */

static void read_tenancy(struct wv_class *k)
{
	yyjson_val *conf = yyjson_obj_get(k->json, "multiTenancyConfig");

	k->tenancy.on = yyjson_is_true(yyjson_obj_get(conf, "enabled"));
	k->tenancy.creates = yyjson_is_true(yyjson_obj_get(conf, "autoTenantCreation"));
	k->tenancy.activates = yyjson_is_true(yyjson_obj_get(conf, "autoTenantActivation"));
}

int wv_class_read(struct wv_call *c, const char *text, size_t n, struct wv_class **ret_class)
{
	struct wv_class *k = http_arena_new(&c->arena, struct wv_class);
	char *copy = http_arena_alloc(&c->arena, n + YYJSON_PADDING_SIZE, 16);
	struct http_json_error error;
	int err;

	if (!k || !copy)
		return -ENOMEM;
	memcpy(copy, text, n);
	k->text = (struct http_str){text, n};
	err = http_json_parse(&c->arena, copy, n, &k->json, &error);
	if (err)
		return err == -EPROTO ? -EBADMSG : err;
	k->name = text_of(k->json, "class");
	read_tenancy(k);
	err = wv_properties_read(c, yyjson_obj_get(k->json, "properties"), &k->properties,
				 &k->properties_n);
	if (!err)
		err = read_vectors(c, k);
	if (!err)
		*ret_class = k;
	return err;
}

/* ---- finding ---------------------------------------------------------------------------- */

int wv_class_find(struct wv_call *c, const char *name, const struct wv_class **ret_class)
{
	const char *collection = wv_class_collection(c, name);
	const struct objects_collection *col;
	struct wv_class *k;
	int err;

	if (!collection)
		return -ENOMEM;
	*ret_class = NULL;
	col = objects_view_find(c->view, collection);
	if (!col)
		return 0;
	err = wv_class_read(c, col->conf.meta, col->conf.meta_n, &k);
	if (err)
		return wv_failed(c, err, "");
	k->stored = k->collection = col;
	wv_class_read_dims(k);
	*ret_class = k;
	return 0;
}

int wv_class_need(struct wv_call *c, const char *name, const struct wv_class **ret_class)
{
	int res = wv_class_find(c, name, ret_class);

	if (!res && !*ret_class)
		return wv_refuse(c, 404, "could not find class %.100s in schema", name);
	return res;
}

int wv_class_of_path(struct wv_call *c, const struct wv_class **ret_class)
{
	const char *name;
	int res = wv_call_param(c, 0, &name);

	if (res)
		return res;
	name = wv_class_name(c, name, strlen(name));
	return name ? wv_class_need(c, name, ret_class) : -ENOMEM;
}
