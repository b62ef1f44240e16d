/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of apis/weaviate share.
 *
 * Handlers and most calls return 0: the answer is in c->json or c->rs; 1: wv_refuse() has made
 * another answer; or -errno, which errmap.c answers.
 *
 * Order of parts: a call; answers; classes; tenants; changing classes; objects; filters; finding;
 * objects by their path; queries.
 */
#ifndef APIS_WEAVIATE_WEAVIATE_PVT_H
#define APIS_WEAVIATE_WEAVIATE_PVT_H

#include "graphql.h"
#include "proto/http/route.h"
#include "stores/objects/objects.h"
#include "weaviate.h"

/* ---- a call ----------------------------------------------------------------------------- */

/* The longest body, and what a call may need beside it. */
#define BODY_BYTES_MAX HTTP_ARENA_PIECE_MAX
#define CALL_BYTES_MAX (UINT64_C(512) << 20)
#define ANSWER_BYTES_MAX (UINT64_C(256) << 20)

/* Weaviate's: without a limit so many are given; offset and limit together are at most this. */
#define LIMIT_DEFAULT 10
#define RESULTS_MAX 10000

/**
 * struct wv_call - one request, on its fiber's stack.
 * @views: held until its end, the newest is the one that is looked at. @json: the answer; sent if
 *	something was written.
 */
struct wv_call {
	struct http_request *rq;
	struct http_response *rs;
	struct objects *objects;
	int64_t deadline;
	struct objects_view *view;
	struct http_arena arena;
	struct http_json json;
};

typedef int (*wv_call_fn)(struct wv_call *c);

/* What every row of routes.c does around its handler @fn. */
int wv_call_run(struct http_request *rq, struct http_response *rs, int64_t deadline, wv_call_fn fn);

/* The body as JSON; its texts and the tree stay as long as the call. */
int wv_call_body(struct wv_call *c, yyjson_val **ret_root);

/* What the path has for the @i-th "{}", percent-decoded, zero-ended. */
int wv_call_param(struct wv_call *c, uint32_t i, const char **ret_text);

/* The same of "name=value" in the query; *ret_text is NULL if it is not there. */
int wv_call_query(struct wv_call *c, const char *name, const char **ret_text);

/* A number of the query; *ret_n is left alone if it is not there. */
int wv_call_query_number(struct wv_call *c, const char *name, uint64_t max, uint64_t *ret_n);

/* Takes the view of now. */
int wv_call_look_again(struct wv_call *c);

/* ---- answers ---------------------------------------------------------------------------- */

/* The answer is {"error": [{"message": ...}]}. Return: 1. */
int __attribute__((format(printf, 3, 4)))
wv_refuse(struct wv_call *c, int status, const char *fmt, ...);

/* What the store could not do. @why: "" or its line. Return: 1, or @err for errmap.c. */
int wv_failed(struct wv_call *c, int err, const char *why);

/* The sentence for what is wrong with an object or a query, into @ret_text. */
#define FAULT_BYTES 256
void wv_fault_text(const struct objects_collection *col, enum sl_objects_fault fault,
		   uint32_t vector, uint32_t dim, char ret_text[FAULT_BYTES]);

/* ---- classes ---------------------------------------------------------------------------- */

enum wv_data_type {
	DATA_TEXT,
	DATA_INT,
	DATA_NUMBER,
	DATA_BOOLEAN,
	DATA_DATE,
	DATA_UUID,
	DATA_GEO,
	DATA_PHONE,
	DATA_BLOB,
	DATA_OBJECT,
	DATA_REFERENCE, /* to other classes */
	DATA_LAST
};

/* "text"; DATA_REFERENCE: "cref". */
const char *wv_data_type_name(enum wv_data_type type);

/* "text[]" is a list of DATA_TEXT. Return: whether it is a type; a name in capitals is a class. */
bool wv_data_type_parse(const char *name, enum wv_data_type *ret_type, bool *ret_list);

/* Return: false, and nothing is set: it is none. */
bool wv_tokeniser_parse(const char *name, struct sl_tokeniser *ret_tokeniser);
bool wv_metric_parse(const char *name, enum sl_metric *ret_metric);

/* A property; @json: all that the class says of it. */
struct wv_property {
	const char *name;
	enum wv_data_type type;
	bool list, filterable;
	struct sl_tokeniser tokeniser;
	yyjson_val *json;
};

/**
 * struct wv_class_vector - one of a class's vectors.
 * @dim: 0: none was stored yet. @skip: it is stored and not searched. @effort: of searches, 0: the
 *	index's own choice.
 */
struct wv_class_vector {
	const char *name;
	enum sl_metric metric;
	uint32_t dim;
	struct sl_index_conf index;
	bool automatic, skip;
	uint32_t effort;
};

/**
 * struct wv_class - a class as the call's view shows it, or to be stored; in the call's memory.
 * @stored: the class's own collection; NULL: it is not stored yet. @collection: where its objects
 * are: the same, or that of @tenant. @tenancy: objects are each of a tenant, which the first object
 * makes, or a request makes active again. @text: its JSON. @named: its vectors have names.
 */
struct wv_class {
	const char *name, *tenant;
	const struct objects_collection *stored, *collection;
	struct {
		bool on, creates, activates;
	} tenancy;
	struct http_str text;
	yyjson_val *json;
	struct wv_property *properties;
	uint32_t properties_n;
	struct wv_class_vector *vectors;
	uint32_t vectors_n;
	bool named;
};

/* "weaviate:" and the class's name; a name that no other API can give. */
#define COLLECTION_PREFIX "weaviate:"

/* Between that and the name of a tenant. It is before all that names of classes are made of, so
 * that tenants come behind their class. */
#define TENANT_SEPARATOR '.'

/* The class's name of a collection; NULL: it is no class, or a tenant's. */
const char *wv_class_name_of(const struct objects_collection *col);

/* With its first letter in capitals, as classes are called; NULL: out of memory. */
const char *wv_class_name(struct wv_call *c, const char *name, size_t n);

/* The collection's name. */
const char *wv_class_collection(struct wv_call *c, const char *name);

/* The properties in a JSON list. */
int wv_properties_read(struct wv_call *c, yyjson_val *list, struct wv_property **ret_properties,
		       uint32_t *ret_n);

/* The class whose JSON is @text, as of no collection. -EBADMSG: it is no JSON. */
int wv_class_read(struct wv_call *c, const char *text, size_t n, struct wv_class **ret_class);

/* The class @name. Return: 0, with *ret_class NULL if there is none; 1; -errno. */
int wv_class_find(struct wv_call *c, const char *name, const struct wv_class **ret_class);

/* The same; one that is missing is refused by 404. */
int wv_class_need(struct wv_call *c, const char *name, const struct wv_class **ret_class);

/* The same of the one that the path names. */
int wv_class_of_path(struct wv_call *c, const struct wv_class **ret_class);

/* Takes the dimensions of vectors that k->collection has. */
void wv_class_read_dims(struct wv_class *k);

const struct wv_property *wv_class_property(const struct wv_class *k, const char *name, size_t n);
struct wv_class_vector *wv_class_vector(const struct wv_class *k, const char *name);

/* Which vector is meant where none is named: the only one. */
const char *wv_class_only_vector(const struct wv_class *k);

/* Vectors that are still to be indexed. */
uint64_t wv_queue(const struct sl_objects_info *info);

/* ---- tenants ---------------------------------------------------------------------------- */

/* The name of the tenant of @k whose collection @col is, or NULL. */
const char *wv_tenant_name_of(const struct objects_collection *col, const struct wv_class *k);

/**
 * wv_tenant_find() - @k as it is for @tenant (NULL or "": none is told), where its objects are.
 * Return: 0; -EINVAL with @why: it has no such tenant, or no tenants at all, or that one may not be
 * asked for; -ENOMEM.
 */
int wv_tenant_find(struct wv_call *c, const struct wv_class *k, const char *tenant,
		   const struct wv_class **ret_class, char why[FAULT_BYTES]);

/* wv_class_need(), then that; refused by 422. */
int wv_class_need_for(struct wv_call *c, const char *name, const char *tenant,
		      const struct wv_class **ret_class);

/**
 * wv_tenant_admit() - before an object of @tenant is written to the class @name, which is @k (NULL:
 * there is none). Makes the tenant, or makes it active, where the class says so.
 * Return: 0; -EINVAL with @why; -EAGAIN: look again; 1; -errno.
 */
int wv_tenant_admit(struct wv_call *c, const struct wv_class *k, const char *name,
		    const char *tenant, char why[FAULT_BYTES]);

/* Then: *ret_class is @k as it is for it, which has what the class has. -EAGAIN: look again. */
int wv_tenant_follow(struct wv_call *c, const struct wv_class *k, const char *tenant,
		     const struct wv_class **ret_class);

/* Deletes all of them. */
int wv_tenants_drop(struct wv_call *c, const struct wv_class *k);

/* ---- changing classes ------------------------------------------------------------------- */

/**
 * wv_class_define() - the class that @json describes, all that it leaves out filled in and checked.
 * @old: what it is to replace, or NULL. Return: 0; 1; -errno.
 */
int wv_class_define(struct wv_call *c, yyjson_val *json, const struct wv_class *old,
		    struct wv_class **ret_class);

/* Whether it is shallow enough to be a class's, or a part of it. Return: 0; 1. */
int wv_class_check_depth(struct wv_call *c, yyjson_val *json);

/* Whether a class, or a property, may be called so. */
bool wv_class_name_is_good(const char *name);
bool wv_property_name_is_good(const char *name);

/* Stores it: as a new one, or in place of the @old that it was made from. -EAGAIN: that is not
 * what there is any more; -EEXIST. */
int wv_class_create(struct wv_call *c, const struct wv_class *k);
int wv_class_replace(struct wv_call *c, const struct wv_class *k, const struct wv_class *old);

/* How the store is to keep it. */
int wv_class_conf(struct wv_call *c, const struct wv_class *k, struct sl_objects_conf *ret_conf);

/**
 * wv_class_learn() - make @name, and what the objects @objects of it have that it does not know:
 * properties, by their values, and the dimensions of vectors. Names of properties are put right.
 * @tenant: whose they are; NULL: none is told. @ret_class: as it is then, for the tenant.
 * Return: 0; -EINVAL with @why: there can be no such objects; 1; -errno.
 */
int wv_class_learn(struct wv_call *c, const char *name, const char *tenant,
		   yyjson_val *const *objects, size_t n, const struct wv_class **ret_class,
		   char why[FAULT_BYTES]);

/* ---- objects ---------------------------------------------------------------------------- */

/* How objects of a class are read from JSON. */
struct wv_object_form {
	const struct wv_class *k;
	const struct sl_object_hint *hints;
	size_t hints_n;
};

int wv_object_form_init(struct wv_call *c, const struct wv_class *k,
			struct wv_object_form *ret_form);

/* Whether @json is an object of the class, but for its values. Return: 0; -EINVAL with @why. */
int wv_object_look(const struct wv_object_form *f, yyjson_val *json, char why[FAULT_BYTES]);

/* The numbers of a vector that is to get a name; NULL: there is no such vector. 0 or -ENOMEM. */
int wv_object_values(struct wv_call *c, const struct wv_object_form *f, yyjson_val *json,
		     const float **ret_values);

/**
 * wv_object_put() - what @json says, which wv_object_look() has seen, in addition to what @b has or
 * in place of it. Needs no call, and may be made on any core. @values: of wv_object_values().
 * Return: 0; -EINVAL and the like with @why; -ENOMEM.
 */
int wv_object_put(const struct wv_object_form *f, struct sl_object_builder *b, yyjson_val *json,
		  const float *values, char why[FAULT_BYTES]);

/* A new object, of now, with an id of its own if there is none; in the call's memory. As above. */
int wv_object_make(struct wv_call *c, const struct wv_object_form *f, struct sl_object_builder *b,
		   yyjson_val *json, const struct sl_object **ret_object, char why[FAULT_BYTES]);

/* Where a reference leads: "weaviate://localhost/Class/id", or where it comes from: with
 * "/property" behind it. @class: of no characters if it is not told. */
struct wv_beacon {
	struct http_str class, property;
	uint8_t uuid[SL_OBJECT_UUID_BYTES];
};

bool wv_beacon_parse(struct http_str text, bool with_property, struct wv_beacon *ret_beacon);

void wv_beacon_print(struct http_json *j, const char *target, size_t target_n, const uint8_t *uuid);

/* The vector @name, or null. */
void wv_vector_print(struct http_json *j, const struct sl_object *o, const char *name);

/* All members of an object as REST has it, without the brackets. */
void wv_object_members(struct http_json *j, const struct wv_class *k, const struct sl_object *o,
		       bool with_vectors);

/* "result" of one of many; @why: NULL: it is done. */
void wv_result_members(struct http_json *j, const char *why);

/* ---- filters ---------------------------------------------------------------------------- */

/* What @where means for objects of the class. Return: 0; -EINVAL with @why; -ENOMEM. */
int wv_where_build(struct wv_call *c, const struct wv_class *k, const struct gql_value *where,
		   const struct sl_filter **ret_filter, char why[FAULT_BYTES]);

/* ---- finding ---------------------------------------------------------------------------- */

enum sort_by { SORT_BY_PROPERTY, SORT_BY_ID, SORT_BY_CREATED, SORT_BY_UPDATED };

struct wv_sort_key {
	enum sort_by by;
	const char *name; /* of the property */
	bool descending;
};

/* By the property @name, or "id" and the like; @order: "asc" or "desc". Return: false: none. */
bool wv_sort_key_of(const struct wv_class *k, const char *name, const char *order,
		    struct wv_sort_key *ret_key);

/**
 * struct wv_finding - what to find, then what was found.
 * @vector: the nearest of it to the @dim numbers at @values, if @bounded not further away than
 *	@distance_max; NULL: all that @filter means, by their ids, behind @after if that is a key.
 * @hits, @n: with their objects if @with_objects. The rest is wv_find()'s.
 */
struct wv_finding {
	const struct wv_class *k;
	const struct sl_filter *filter;
	const struct wv_class_vector *vector;
	const float *values;
	uint32_t dim;
	bool bounded;
	float distance_max;
	struct sl_filter_key after;
	const struct wv_sort_key *sort;
	uint32_t sort_n;
	uint32_t limit, offset;
	bool with_objects;

	struct objects_hit *hits;
	uint32_t n;
	bool searched;
	struct objects_query query;
	struct objects_list list;
};

/* Weaviate's distance, of the store's score. */
float wv_distance_of(enum sl_metric metric, float score);

/* Return: 0, and wv_find_done() is to follow; -EINVAL with @why; other -errno. */
int wv_find(struct wv_call *c, struct wv_finding *f, char why[FAULT_BYTES]);

/* Accepts what wv_find() failed with. */
void wv_find_done(struct wv_finding *f);

/* sort.c: those of them that f->sort puts there; what was found, in that order. */
int wv_find_sorted(struct wv_call *c, struct wv_finding *f);
int wv_sort_hits(struct wv_call *c, struct wv_finding *f);

/* Calls @each for all that @filter means, until it returns other than 0, which is then returned. */
int wv_find_each(struct wv_call *c, const struct wv_class *k, const struct sl_filter *filter,
		 int (*each)(void *arg, const struct sl_object *o), void *arg);

/* The object @uuid; to be released. Return: 0; -ENOENT; other -errno. */
int wv_find_object(struct wv_call *c, const struct wv_class *k, const uint8_t *uuid,
		   struct objects_hit *ret_hit);

/* ---- objects by their path -------------------------------------------------------------- */

/* The class and the id in the path; @alone: there is only the id, and *ret_class is NULL. */
int wv_object_path(struct wv_call *c, bool alone, const char **ret_class, uint8_t *ret_uuid);

/* The object @uuid of the class @name, or of any (NULL); to be released. 404 if there is none. */
int wv_object_find(struct wv_call *c, const char *name, const uint8_t *uuid,
		   const struct wv_class **ret_class, struct objects_hit *ret_hit);

/* The answer to what the store made of a single operation. Return: 0: it is done; 1; -errno. */
int wv_write_refused(struct wv_call *c, const struct wv_class *k, const struct sl_objects_op *op);

/* ---- queries ---------------------------------------------------------------------------- */

struct wv_fields;
struct wv_aggregation;

/**
 * struct wv_plan - one class of a query, seen through before anything is answered.
 * @selection: its name, alias and arguments. @f: what its arguments ask for; @limited: "limit" is
 *	among them. @get, @aggregate: what is to be told of it. @why: not empty: why it cannot be.
 */
struct wv_plan {
	const struct gql_selection *selection;
	struct wv_finding f;
	bool limited;
	const struct wv_fields *get;
	const struct wv_aggregation *aggregate;
	char why[FAULT_BYTES];
	struct wv_plan *next;
};

/**
 * struct wv_query - one query of GraphQL.
 * @error: what is wrong with all of it. @tenant: of the class that is planned, or NULL.
 */
struct wv_query {
	struct wv_call *c;
	const char *tenant;
	struct gql_error error;
};

/* The query as a whole is refused. Return: -EPROTO. */
int __attribute__((format(printf, 2, 3))) wv_query_wrong(struct wv_query *q, const char *fmt, ...);

/**
 * wv_query_flatten() - the fields of @first, those in fragments on @type among them.
 * Return: 0 or -ENOMEM.
 */
int wv_query_flatten(struct wv_query *q, const struct gql_selection *first, const char *type,
		     const struct gql_selection *const **ret_fields, uint32_t *ret_n);

static inline bool gql_name_is(const struct gql_selection *s, const char *name)
{
	return !strncmp(s->name.p, name, s->name.n) && !name[s->name.n];
}

/* get.c, aggregate.c: what is selected of the class, in @p->get or @p->aggregate. 0; -EPROTO;
 * -ENOMEM. */
int wv_get_plan(struct wv_query *q, struct wv_plan *p);
int wv_aggregate_plan(struct wv_query *q, struct wv_plan *p);

/* Writes the class's value. Return: 0; -EINVAL with p->why, and nothing was written; -errno. */
int wv_get_run(struct wv_query *q, struct wv_plan *p);
int wv_aggregate_run(struct wv_query *q, struct wv_plan *p);

#endif
