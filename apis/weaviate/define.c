// SPDX-License-Identifier: Apache-2.0
/*
 * Classes as they are asked for: what is left out is filled in as Weaviate does, so that clients
 * that read all of a class find it; what cannot be is refused. Then they are stored.
 *
 * Interface: wv_class_define() and the calls behind it of weaviate_pvt.h.
 *
 * Order of parts: what is filled in; names; properties; vectors; classes; storing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "weaviate_pvt.h"

/* ---- what is filled in ------------------------------------------------------------------ */

#define CACHE "\"vectorCacheMaxObjects\": 1000000000000"
#define PQ                                                                                         \
	"\"pq\": {\"enabled\": false, \"bitCompression\": false, \"segments\": 0, "                \
	"\"centroids\": 256, \"trainingLimit\": 100000, "                                          \
	"\"encoder\": {\"type\": \"kmeans\", \"distribution\": \"log-normal\"}}"
#define BQ "\"bq\": {\"enabled\": false}"
#define RQ "\"rq\": {\"enabled\": false, \"bits\": 8, \"rescoreLimit\": 20}"
#define SQ "\"sq\": {\"enabled\": false, \"trainingLimit\": 100000, \"rescoreLimit\": 20}"
#define HNSW                                                                                       \
	"{\"skip\": false, \"cleanupIntervalSeconds\": 300, \"maxConnections\": 32, "              \
	"\"efConstruction\": 128, \"ef\": -1, \"dynamicEfMin\": 100, \"dynamicEfMax\": 500, "      \
	"\"dynamicEfFactor\": 8, " CACHE ", \"flatSearchCutoff\": 40000, "                         \
	"\"distance\": \"cosine\", \"filterStrategy\": \"sweeping\", " PQ ", " BQ ", " SQ ", " RQ  \
	", \"multivector\": {\"enabled\": false, \"aggregation\": \"maxSim\"}}"
#define FLAT "{\"distance\": \"cosine\", " CACHE ", " PQ ", " BQ ", " SQ ", " RQ "}"

static const struct {
	const char *type, *text;
} index_defaults[] = {
	{"hnsw", HNSW},
	{"flat", FLAT},
	{"dynamic", "{\"distance\": \"cosine\", \"threshold\": 10000, \"hnsw\": " HNSW
		    ", \"flat\": " FLAT "}"},
};

static const struct {
	const char *name, *text;
} class_defaults[] = {
	{"invertedIndexConfig",
	 "{\"bm25\": {\"b\": 0.75, \"k1\": 1.2}, \"cleanupIntervalSeconds\": 60, "
	 "\"stopwords\": {\"preset\": \"en\", \"additions\": null, \"removals\": null}}"},
	{"multiTenancyConfig", "{\"enabled\": false, \"autoTenantActivation\": false, "
			       "\"autoTenantCreation\": false}"},
	{"replicationConfig", "{\"factor\": 1, \"asyncEnabled\": false, "
			      "\"deletionStrategy\": \"NoAutomatedResolution\"}"},
	{"shardingConfig",
	 "{\"virtualPerPhysical\": 128, \"desiredCount\": 1, \"actualCount\": 1, "
	 "\"desiredVirtualCount\": 128, \"actualVirtualCount\": 128, \"key\": \"_id\", "
	 "\"strategy\": \"hash\", \"function\": \"murmur3\"}"},
};

/* What @given says, and of @defaults what it does not. */
static yyjson_mut_val *merged(yyjson_mut_doc *doc, yyjson_val *defaults, yyjson_val *given)
{
	yyjson_mut_val *map = yyjson_mut_obj(doc);
	yyjson_obj_iter iter;
	yyjson_val *name;

	yyjson_obj_iter_init(defaults, &iter);
	while ((name = yyjson_obj_iter_next(&iter))) {
		yyjson_val *v = yyjson_obj_iter_get_val(name);
		yyjson_val *own =
			yyjson_obj_getn(given, yyjson_get_str(name), yyjson_get_len(name));

		yyjson_mut_obj_add(map, yyjson_val_mut_copy(doc, name),
				   yyjson_is_obj(v) && yyjson_is_obj(own)
					   ? merged(doc, v, own)
					   : yyjson_val_mut_copy(doc, own ? own : v));
	}
	yyjson_obj_iter_init(given, &iter);
	while ((name = yyjson_obj_iter_next(&iter)))
		if (!yyjson_obj_getn(defaults, yyjson_get_str(name), yyjson_get_len(name)))
			yyjson_mut_obj_add(map, yyjson_val_mut_copy(doc, name),
					   yyjson_val_mut_copy(doc, yyjson_obj_iter_get_val(name)));
	return map;
}

/* As a member of @in. Return: 0 or -ENOMEM. */
static int put_merged(yyjson_mut_doc *doc, yyjson_mut_val *in, const char *name,
		      const char *defaults, yyjson_val *given)
{
	yyjson_doc *parsed = yyjson_read(defaults, strlen(defaults), YYJSON_READ_NOFLAG);
	bool done;

	if (!parsed)
		return -ENOMEM;
	done = yyjson_mut_obj_add_val(doc, in, name,
				      merged(doc, yyjson_doc_get_root(parsed), given));
	yyjson_doc_free(parsed);
	return done ? 0 : -ENOMEM;
}

/* ---- names ------------------------------------------------------------------------------ */

static bool is_word(const char *name, size_t max)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++) {
		char c = name[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

		if (!letter && (!i || c < '0' || c > '9'))
			return false;
	}
	return n && n <= max;
}

enum { CLASS_NAME_MAX = 230, PROPERTY_NAME_MAX = 231, VECTOR_NAME_MAX = 230 };

bool wv_class_name_is_good(const char *name)
{
	return is_word(name, CLASS_NAME_MAX) && *name != '_';
}

bool wv_property_name_is_good(const char *name)
{
	return is_word(name, PROPERTY_NAME_MAX) && strcmp(name, "id") && strcmp(name, "_id") &&
	       strcmp(name, "_additional");
}

/* ---- properties ------------------------------------------------------------------------- */

static bool put_flag(yyjson_mut_doc *doc, yyjson_mut_val *in, const char *name, yyjson_val *given,
		     bool usual)
{
	return yyjson_mut_obj_add_bool(doc, in, name,
				       yyjson_is_bool(given) ? yyjson_get_bool(given) : usual);
}

/* "string" is what "text" was called; "word" then meant what stands between white space. */
static const char *tokenization_of(yyjson_val *json, bool old)
{
	const char *given = yyjson_get_str(yyjson_obj_get(json, "tokenization"));

	if (!given || !*given)
		return old ? "whitespace" : "word";
	return old && !strcmp(given, "word") ? "whitespace" : given;
}

static int put_text_property(struct wv_call *c, yyjson_mut_doc *doc, yyjson_mut_val *p,
			     yyjson_val *json, const char *type)
{
	const char *tokenization = tokenization_of(json, !strncmp(type, "string", 6));
	struct sl_tokeniser tokeniser;

	if (!wv_tokeniser_parse(tokenization, &tokeniser))
		return wv_refuse(c, 422,
				 "tokenization '%.40s' is not allowed: word, lowercase, "
				 "whitespace and field are",
				 tokenization);
	return yyjson_mut_obj_add_strcpy(doc, p, "tokenization", tokenization) ? 0 : -ENOMEM;
}

/* The types of @json, as they are called today. */
static yyjson_mut_val *types_of(yyjson_mut_doc *doc, yyjson_val *list)
{
	yyjson_mut_val *types = yyjson_mut_arr(doc);
	yyjson_arr_iter iter;
	yyjson_val *v;

	yyjson_arr_iter_init(list, &iter);
	while ((v = yyjson_arr_iter_next(&iter))) {
		const char *type = yyjson_get_str(v);

		if (!strcmp(type, "string"))
			type = "text";
		else if (!strcmp(type, "string[]"))
			type = "text[]";
		yyjson_mut_arr_add_strcpy(doc, types, type);
	}
	return types;
}

static int check_types(struct wv_call *c, yyjson_val *list, const char *name,
		       enum wv_data_type *ret_type)
{
	size_t n = yyjson_arr_size(list);
	yyjson_arr_iter iter;
	yyjson_val *v;
	bool is_list;

	yyjson_arr_iter_init(list, &iter);
	while ((v = yyjson_arr_iter_next(&iter))) {
		const char *type = yyjson_get_str(v);

		if (!type || !wv_data_type_parse(type, ret_type, &is_list))
			return wv_refuse(c, 422,
					 "property '%.100s': invalid dataType: unknown "
					 "primitive data type '%.40s'",
					 name, type ? type : "");
		if (n > 1 && *ret_type != DATA_REFERENCE)
			return wv_refuse(c, 422,
					 "property '%.100s': invalid dataType: several types "
					 "that are not all classes",
					 name);
	}
	return n ? 0
		 : wv_refuse(c, 422, "property '%.100s': invalid dataType: there is none", name);
}

/* A name with a small letter first, as properties are called. */
static const char *property_name(struct wv_call *c, yyjson_val *json)
{
	const char *given = yyjson_get_str(json);
	char *name = http_arena_text(&c->arena, given ? given : "", given ? strlen(given) : 0);

	if (name && *name >= 'A' && *name <= 'Z')
		*name += 'a' - 'A';
	return name;
}

static int put_property(struct wv_call *c, yyjson_mut_doc *doc, yyjson_mut_val *list,
			yyjson_val *json)
{
	static const char *const copied[] = {"description", "nestedProperties", "moduleConfig"};
	yyjson_val *types = yyjson_obj_get(json, "dataType");
	const char *name = property_name(c, yyjson_obj_get(json, "name"));
	yyjson_mut_val *p = yyjson_mut_arr_add_obj(doc, list);
	enum wv_data_type type;
	yyjson_val *v;
	int err = 0;

	if (!name || !p)
		return -ENOMEM;
	if (!wv_property_name_is_good(name))
		return wv_refuse(c, 422,
				 "'%.100s' is not a valid property name: letters, digits and "
				 "_ are, but not id, _id and _additional",
				 name);
	err = check_types(c, types, name, &type);
	if (err)
		return err;
	yyjson_mut_obj_add_strcpy(doc, p, "name", name);
	yyjson_mut_obj_add_val(doc, p, "dataType", types_of(doc, types));
	v = yyjson_obj_get(json, "indexFilterable");
	put_flag(doc, p, "indexFilterable", v ? v : yyjson_obj_get(json, "indexInverted"), true);
	put_flag(doc, p, "indexSearchable", yyjson_obj_get(json, "indexSearchable"),
		 type == DATA_TEXT);
	put_flag(doc, p, "indexRangeFilters", yyjson_obj_get(json, "indexRangeFilters"), false);
	if (type == DATA_TEXT)
		err = put_text_property(c, doc, p, json,
					yyjson_get_str(yyjson_arr_get_first(types)));
	for (size_t i = 0; i < SL_ARRAY_SIZE(copied) && !err; i++)
		if ((v = yyjson_obj_get(json, copied[i])) && !yyjson_is_null(v))
			yyjson_mut_obj_add_val(doc, p, copied[i], yyjson_val_mut_copy(doc, v));
	return err;
}

static int put_properties(struct wv_call *c, yyjson_mut_doc *doc, yyjson_mut_val *root,
			  yyjson_val *given)
{
	yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, root, "properties");
	yyjson_arr_iter iter;
	yyjson_val *v;
	int err = list ? 0 : -ENOMEM;

	if (given && !yyjson_is_null(given) && !yyjson_is_arr(given))
		return wv_refuse(c, 422, "properties: a list is expected");
	yyjson_arr_iter_init(given, &iter);
	while (!err && (v = yyjson_arr_iter_next(&iter)))
		err = put_property(c, doc, list, v);
	return err;
}

/* ---- vectors ---------------------------------------------------------------------------- */

static int check_vectorizer(struct wv_call *c, const char *name)
{
	if (!name || !*name || !strcmp(name, "none"))
		return 0;
	return wv_refuse(c, 422,
			 "vectorizer: no module with name \"%.100s\" present: vectors come "
			 "with the objects here, so the vectorizer has to be \"none\"",
			 name);
}

static int check_index(struct wv_call *c, yyjson_val *conf)
{
	const char *distance = yyjson_get_str(yyjson_obj_get(conf, "distance"));
	yyjson_val *multi = yyjson_obj_get(conf, "multivector");
	enum sl_metric metric;

	if (conf && !yyjson_is_null(conf) && !yyjson_is_obj(conf))
		return wv_refuse(c, 422, "vectorIndexConfig: an object is expected");
	if (distance && *distance && !wv_metric_parse(distance, &metric))
		return wv_refuse(c, 422,
				 "parse vector index config: unrecognized distance metric "
				 "\"%.40s\", choose one of [\"cosine\", \"dot\", \"l2-squared\", "
				 "\"manhattan\", \"hamming\"]",
				 distance);
	if (yyjson_is_true(yyjson_obj_get(multi, "enabled")))
		return wv_refuse(c, 422,
				 "parse vector index config: several vectors under one name "
				 "are not served");
	return 0;
}

/* @json: of the class or of one of its named vectors; @in: where it goes. */
static int put_index(struct wv_call *c, yyjson_mut_doc *doc, yyjson_mut_val *in, yyjson_val *json)
{
	const char *type = yyjson_get_str(yyjson_obj_get(json, "vectorIndexType"));
	yyjson_val *conf = yyjson_obj_get(json, "vectorIndexConfig");
	int err = check_index(c, conf);

	if (err)
		return err;
	type = type && *type ? type : "hnsw";
	for (size_t i = 0; i < SL_ARRAY_SIZE(index_defaults); i++) {
		if (strcmp(index_defaults[i].type, type))
			continue;
		yyjson_mut_obj_add_str(doc, in, "vectorIndexType", index_defaults[i].type);
		return put_merged(doc, in, "vectorIndexConfig", index_defaults[i].text, conf);
	}
	return wv_refuse(c, 422,
			 "unrecognized or unsupported vectorIndexType \"%.40s\": hnsw, flat "
			 "and dynamic are served",
			 type);
}

static int put_named_vector(struct wv_call *c, yyjson_mut_doc *doc, yyjson_mut_val *map,
			    yyjson_val *name, yyjson_val *json)
{
	yyjson_val *vectorizer = yyjson_obj_get(json, "vectorizer");
	yyjson_mut_val *v;
	yyjson_obj_iter iter;
	yyjson_val *module;
	int err = 0;

	if (!is_word(yyjson_get_str(name), VECTOR_NAME_MAX))
		return wv_refuse(c, 422,
				 "'%.100s' is not a valid name of a vector: letters, digits "
				 "and _ are",
				 yyjson_get_str(name));
	yyjson_obj_iter_init(vectorizer, &iter);
	while (!err && (module = yyjson_obj_iter_next(&iter)))
		err = check_vectorizer(c, yyjson_get_str(module));
	if (!err)
		err = check_vectorizer(c, yyjson_get_str(vectorizer));
	if (err)
		return err;
	v = yyjson_mut_obj_add_obj(doc, map, yyjson_get_str(name));
	if (!v || !put_merged(doc, v, "vectorizer", "{\"none\": {}}", NULL))
		return v ? put_index(c, doc, v, json) : -ENOMEM;
	return -ENOMEM;
}

static int put_vectors(struct wv_call *c, yyjson_mut_doc *doc, yyjson_mut_val *root,
		       yyjson_val *json)
{
	yyjson_val *named = yyjson_obj_get(json, "vectorConfig"), *name;
	const char *vectorizer = yyjson_get_str(yyjson_obj_get(json, "vectorizer"));
	yyjson_mut_val *map;
	yyjson_obj_iter iter;
	int err = check_vectorizer(c, vectorizer);

	if (err)
		return err;
	if (!yyjson_obj_size(named)) {
		yyjson_mut_obj_add_str(doc, root, "vectorizer", "none");
		return put_index(c, doc, root, json);
	}
	if (yyjson_obj_size(named) > SL_OBJECTS_VECTORS_MAX)
		return wv_refuse(c, 422, "vectorConfig: more than %u vectors",
				 SL_OBJECTS_VECTORS_MAX);
	map = yyjson_mut_obj_add_obj(doc, root, "vectorConfig");
	yyjson_obj_iter_init(named, &iter);
	while (!err && (name = yyjson_obj_iter_next(&iter)))
		err = put_named_vector(c, doc, map, name, yyjson_obj_iter_get_val(name));
	return err;
}

/* ---- classes ---------------------------------------------------------------------------- */

static int put_class(struct wv_call *c, yyjson_mut_doc *doc, yyjson_val *json)
{
	const char *given = yyjson_get_str(yyjson_obj_get(json, "class")), *name;
	yyjson_mut_val *root = yyjson_mut_obj(doc);
	yyjson_val *v;
	int err = 0;

	if (!given || !wv_class_name_is_good(given))
		return wv_refuse(c, 422,
				 "'%.100s' is not a valid class name: a letter and then "
				 "letters, digits and _ are",
				 given ? given : "");
	name = wv_class_name(c, given, strlen(given));
	if (!name || !root)
		return -ENOMEM;
	yyjson_mut_doc_set_root(doc, root);
	yyjson_mut_obj_add_strcpy(doc, root, "class", name);
	v = yyjson_obj_get(json, "description");
	if (yyjson_is_str(v))
		yyjson_mut_obj_add_val(doc, root, "description", yyjson_val_mut_copy(doc, v));
	for (size_t i = 0; i < SL_ARRAY_SIZE(class_defaults) && !err; i++)
		err = put_merged(doc, root, class_defaults[i].name, class_defaults[i].text,
				 yyjson_obj_get(json, class_defaults[i].name));
	if (!err)
		err = put_properties(c, doc, root, yyjson_obj_get(json, "properties"));
	return err ? err : put_vectors(c, doc, root, json);
}

static int no_twins(struct wv_call *c, const struct wv_class *k)
{
	for (uint32_t i = 1; i < k->properties_n; i++)
		for (uint32_t j = 0; j < i; j++)
			if (!strcasecmp(k->properties[i].name, k->properties[j].name))
				return wv_refuse(
					c, 422,
					"class %.100s: conflict for property "
					"'%.100s': already in use or provided multiple times",
					k->name, k->properties[i].name);
	return 0;
}

/* What @doc says, as a class. */
static int read_back(struct wv_call *c, const yyjson_mut_doc *doc, struct wv_class **ret_class)
{
	size_t n;
	char *text = yyjson_mut_write(doc, YYJSON_WRITE_NOFLAG, &n);
	char *copy = text ? http_arena_text(&c->arena, text, n) : NULL;

	free(text);
	return copy ? wv_class_read(c, copy, n, ret_class) : -ENOMEM;
}

enum { CLASS_DEPTH_MAX = 48 };

/* Whether values lie more than @left deep in @v: not all that copies them is good for that. */
static bool is_deep(yyjson_val *v, uint32_t left)
{
	yyjson_arr_iter items;
	yyjson_obj_iter members;
	yyjson_val *child;
	bool deep = !left && yyjson_is_ctn(v);

	yyjson_arr_iter_init(v, &items);
	while (!deep && (child = yyjson_arr_iter_next(&items)))
		deep = is_deep(child, left - 1);
	yyjson_obj_iter_init(v, &members);
	while (!deep && (child = yyjson_obj_iter_next(&members)))
		deep = is_deep(yyjson_obj_iter_get_val(child), left - 1);
	return deep;
}

int wv_class_check_depth(struct wv_call *c, yyjson_val *json)
{
	return is_deep(json, CLASS_DEPTH_MAX)
		       ? wv_refuse(c, 422, "a class whose JSON is more than %d deep",
				   CLASS_DEPTH_MAX)
		       : 0;
}

int wv_class_define(struct wv_call *c, yyjson_val *json, const struct wv_class *old,
		    struct wv_class **ret_class)
{
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	struct wv_class *k = NULL;
	int err = wv_class_check_depth(c, json);

	if (!doc || err) {
		yyjson_mut_doc_free(doc);
		return err ? err : -ENOMEM;
	}
	err = put_class(c, doc, json);
	if (!err)
		err = read_back(c, doc, &k);
	if (!err)
		err = no_twins(c, k);
	yyjson_mut_doc_free(doc);
	for (uint32_t i = 0; !err && old && i < old->vectors_n; i++) {
		struct wv_class_vector *v = wv_class_vector(k, old->vectors[i].name);

		if (v)
			v->dim = old->vectors[i].dim;
	}
	if (!err)
		*ret_class = k;
	return err;
}

/* ---- storing ---------------------------------------------------------------------------- */

static const int8_t payload_types[DATA_LAST] = {
	[DATA_TEXT] = SL_PAYLOAD_TEXT,
	[DATA_INT] = SL_PAYLOAD_INTEGER,
	[DATA_NUMBER] = SL_PAYLOAD_NUMBER,
	[DATA_BOOLEAN] = SL_PAYLOAD_BOOLEAN,
	[DATA_DATE] = SL_PAYLOAD_DATE,
	[DATA_UUID] = SL_PAYLOAD_UUID,
	[DATA_GEO] = SL_PAYLOAD_GEO,
	[DATA_PHONE] = -1,
	[DATA_BLOB] = -1,
	[DATA_OBJECT] = -1,
	[DATA_REFERENCE] = -1,
};

/* A text that is one token is looked for as it is. */
static int payload_type_of(const struct wv_property *p)
{
	if (!p->filterable)
		return -1;
	return p->type == DATA_TEXT && p->tokeniser.kind == SL_TOKENS_FIELD
		       ? SL_PAYLOAD_KEYWORD
		       : payload_types[p->type];
}

static int make_indexes(struct wv_call *c, const struct wv_class *k, struct sl_objects_conf *conf)
{
	struct sl_payload_conf *indexes =
		http_arena_array(&c->arena, struct sl_payload_conf, k->properties_n);

	if (!indexes)
		return -ENOMEM;
	conf->indexes = indexes;
	for (uint32_t i = 0; i < k->properties_n && conf->indexes_n < SL_OBJECTS_INDEXES_MAX; i++) {
		int type = payload_type_of(&k->properties[i]);

		if (type >= 0)
			indexes[conf->indexes_n++] =
				(struct sl_payload_conf){.path = k->properties[i].name,
							 .type = (enum sl_payload_type)type,
							 .tokeniser = k->properties[i].tokeniser};
	}
	return 0;
}

static int make_vectors(struct wv_call *c, const struct wv_class *k, struct sl_objects_conf *conf)
{
	struct sl_objects_vector *vectors =
		http_arena_array(&c->arena, struct sl_objects_vector, k->vectors_n);

	if (!vectors)
		return -ENOMEM;
	conf->vectors = vectors;
	for (uint32_t i = 0; i < k->vectors_n; i++) {
		const struct wv_class_vector *v = &k->vectors[i];

		if (!v->dim || v->skip)
			continue;
		vectors[conf->vectors_n++] = (struct sl_objects_vector){
			.name = v->name,
			.dim = v->dim,
			.metric = v->metric,
			.component = SL_F32,
			.index = v->index,
			.automatic = v->automatic,
		};
	}
	return 0;
}

int wv_class_conf(struct wv_call *c, const struct wv_class *k, struct sl_objects_conf *ret_conf)
{
	int err;

	*ret_conf =
		(struct sl_objects_conf){.as_given = true, .meta = k->text.p, .meta_n = k->text.n};
	err = make_indexes(c, k, ret_conf);
	return err ? err : make_vectors(c, k, ret_conf);
}

int wv_class_create(struct wv_call *c, const struct wv_class *k)
{
	const char *collection = wv_class_collection(c, k->name);
	struct sl_objects_conf conf;
	char why[200] = "";
	int err = collection ? wv_class_conf(c, k, &conf) : -ENOMEM;

	if (!err)
		err = objects_create(c->objects, collection, &conf, why, sizeof(why), c->deadline);
	return err < 0 && err != -EEXIST ? wv_failed(c, err, why) : err;
}

int wv_class_replace(struct wv_call *c, const struct wv_class *k, const struct wv_class *old)
{
	const char *collection = wv_class_collection(c, k->name);
	struct sl_objects_conf conf;
	char why[200] = "";
	int err = collection ? wv_class_conf(c, k, &conf) : -ENOMEM;

	if (!err)
		err = objects_change(c->objects, collection, old->stored->generation, &conf,
				     why, sizeof(why), c->deadline);
	return err < 0 && err != -EAGAIN ? wv_failed(c, err, why) : err;
}
