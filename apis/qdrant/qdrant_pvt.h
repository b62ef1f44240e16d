/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this folder share.
 *
 * Order of parts: a call; what is wrong; members of JSON; points as JSON; filters; collections;
 * searches; the handlers.
 */
#ifndef APIS_QDRANT_QDRANT_PVT_H
#define APIS_QDRANT_QDRANT_PVT_H

#include "qdrant.h"

/* ---- a call ----------------------------------------------------------------------------- */

/* What a request can make the server hold: its tree and objects, and its answer. */
#define QD_ARENA_BYTES (512 * SL_MIB)
#define QD_ANSWER_BYTES (256 * SL_MIB)
#define QD_BODY_BYTES (15 * SL_MIB) /* of one that is parsed as a whole */

#define QD_LIMIT_MAX 100000u /* hits of one search */
#define QD_WHY_BYTES 400

/**
 * struct qd_call - one request being answered, on its fiber's stack.
 * @name: of the collection in the path, decoded; NULL: there is none.
 * @collection: of that name or alias, as @view shows it. @body: the tree of the body.
 * @j: the answer; what is written there is its "result".
 * @status: 0, or that of the error that @why tells; see qd_wrong().
 */
struct qd_call {
	struct http_request *rq;
	struct http_response *rs;
	struct objects *o;
	int64_t deadline, began;
	const char *name;
	struct objects_view *view;
	const struct objects_collection *collection;
	yyjson_val *body;
	struct http_arena arena;
	struct http_json j;
	bool sent;
	int status;
	char why[QD_WHY_BYTES];
};

enum qd_need {
	QD_PLAIN,
	QD_BODY = 1, /* a body of JSON; without it: an empty one */
	QD_COLLECTION = 2, /* the collection exists */
	QD_COLLECTION_BODY = QD_BODY | QD_COLLECTION
};

/* Answers @rq by @fn, which writes the "result", or fills in @rs itself and says c->sent. */
int qd_serve(struct http_request *rq, struct http_response *rs, int64_t deadline, enum qd_need need,
	     int (*fn)(struct qd_call *c));

/* What the path has for the @i-th "{}", percent-decoded, in the arena. -EILSEQ: it is no name. */
int qd_path_name(struct qd_call *c, uint32_t i, const char **ret_name);

/* ---- what is wrong ---------------------------------------------------------------------- */

/* Of a handler: the answer is c->status and c->why. */
#define QD_ANSWERED (-EBADE)

/* Return: QD_ANSWERED, with which a handler ends. */
__attribute__((format(printf, 3, 4))) int qd_wrong(struct qd_call *c, int status, const char *fmt,
						   ...);

/* The body is JSON, but not what it should be. */
__attribute__((format(printf, 2, 3))) int qd_format_error(struct qd_call *c, const char *fmt, ...);

/* errmap.c: sets c->status and c->why for an errno of the store or of a body. */
void qd_errno(struct qd_call *c, int err);

/* The collection @name does not exist. */
int qd_no_collection(struct qd_call *c, const char *name);

/* What is wrong with a vector: @fault, of the vector @conf (may be NULL). */
int qd_fault(struct qd_call *c, enum sl_objects_fault fault, const struct sl_objects_vector *conf,
	     const char *name, uint32_t dim);

/* ---- members of JSON -------------------------------------------------------------------- */

/* Of a member that may be missing or null, in which case *ret is left as it is. */
int qd_get_uint(struct qd_call *c, yyjson_val *map, const char *name, uint64_t max, uint64_t *ret);
int qd_get_bool(struct qd_call *c, yyjson_val *map, const char *name, bool *ret);
int qd_get_number(struct qd_call *c, yyjson_val *map, const char *name, double *ret);
int qd_get_string(struct qd_call *c, yyjson_val *map, const char *name, const char **ret);

/* The member, if it is there and not null. */
yyjson_val *qd_member(yyjson_val *map, const char *name);

/* An item, or the items of a list: "one or many" as Qdrant takes it. */
size_t qd_many(yyjson_val *v);
yyjson_val *qd_many_at(yyjson_val *v, yyjson_arr_iter *iter);

/* The id of a point. */
int qd_id(struct qd_call *c, yyjson_val *v, struct sl_filter_key *ret_key);
int qd_ids(struct qd_call *c, yyjson_val *list, struct sl_filter_key **ret_keys, uint32_t *ret_n);
bool qd_id_text(const char *p, size_t n, struct sl_filter_key *ret_key);

/* Numbers of a list into the arena; -ERANGE and the like are told as Qdrant does. */
int qd_vector(struct qd_call *c, yyjson_val *list, const float **ret_vector, uint32_t *ret_dim);

/* ---- points as JSON --------------------------------------------------------------------- */

/* A path of names, as payloads are selected by. */
struct qd_path {
	const char **names;
	uint32_t n;
};

/**
 * struct qd_select - which parts of a point are told.
 * @payload: any; @paths: only these, or, with @exclude, all but these.
 * @vectors: any; @names: only these.
 */
struct qd_select {
	bool payload, exclude, vectors;
	struct qd_path *paths;
	uint32_t paths_n;
	const char **names;
	uint32_t names_n;
};

/* "with_payload" and "with_vector" (or "with_vectors") of @map; missing ones are as *ret says. */
int qd_select(struct qd_call *c, yyjson_val *map, struct qd_select *ret);

static inline bool qd_selects(const struct qd_select *s)
{
	return s->payload || s->vectors;
}

void qd_put_id(struct http_json *j, const struct sl_filter_key *key);

/* "payload" and "vector" of an object. */
void qd_put_parts(struct http_json *j, const struct sl_object *o, const struct qd_select *s);

/* {id, payload, vector}, and with @scored version and score. */
void qd_put_hit(struct http_json *j, const struct objects_hit *hit, const struct qd_select *s,
		bool scored);

/* ---- filters ---------------------------------------------------------------------------- */

/* The filter that the JSON @v is, in the arena; NULL or null: *ret is NULL. */
int qd_filter(struct qd_call *c, yyjson_val *v, const struct sl_filter **ret);

/* Those for which both hold (each may be NULL). */
int qd_filter_both(struct qd_call *c, const struct sl_filter *a, const struct sl_filter *b,
		   const struct sl_filter **ret);

/* Those with one of @keys; or with none of them. */
int qd_filter_keys(struct qd_call *c, const struct sl_filter_key *keys, uint32_t n, bool none,
		   const struct sl_filter **ret);

/* "order_by": a path, or a map; in what order @ret is to be. */
int qd_order(struct qd_call *c, yyjson_val *v, struct sl_objects_scroll *ret);

/* ---- collections ------------------------------------------------------------------------ */

/* config_vector.c: of that name; NULL: there is none. */
const struct sl_objects_vector *qd_vector_conf(const struct objects_collection *collection,
					       const char *name);

/* config.c: the conf that the body of a creation asks for, in the arena. */
int qd_conf_of(struct qd_call *c, yyjson_val *body, struct sl_objects_conf *ret_conf);

/* That of the collection, changed as the body says. */
int qd_conf_change(struct qd_call *c, yyjson_val *body, struct sl_objects_conf *ret_conf);

/* The same with one more vector, which @body describes. */
int qd_conf_vector(struct qd_call *c, const char *name, yyjson_val *body,
		   struct sl_objects_conf *ret_conf);

/* config_index.c: the same with one more index, or one less. *ret_changed: there is something to
 * do. */
int qd_conf_index(struct qd_call *c, const char *path, yyjson_val *schema,
		  struct sl_objects_conf *ret_conf);
int qd_conf_unindex(struct qd_call *c, const char *path, struct sl_objects_conf *ret_conf,
		    bool *ret_changed);

/* config_meta.c: "config" and "payload_schema" of the collection. */
int qd_put_conf(struct qd_call *c, uint64_t points);

/* ---- writes ----------------------------------------------------------------------------- */

/* {"operation_id": …, "status": …} of what was written. */
void qd_put_written(struct qd_call *c, uint64_t version);

/* One operation of the body of a batch, or of a request of its own. */
int qd_upsert(struct qd_call *c, yyjson_val *body, uint64_t *ret_version);

/* ---- searches --------------------------------------------------------------------------- */

enum qd_query_kind {
	QD_NEAREST, /* by q's vector, or the point that q is to be like */
	QD_WEIGHED, /* by q's function */
	QD_SAMPLE, /* any: a function too, and no score */
	QD_SCROLL, /* by id */
	QD_ORDERED, /* in the order of @scroll */
	QD_RRF,
	QD_DBSF
};

/**
 * struct qd_query - a search as it was asked for, then what was found.
 * @q: what the store is asked, of the first four kinds. @scroll: in what order, of QD_ORDERED.
 * @limit, @offset: of what is answered.
 * @diversify: the answer is chosen among q.k candidates, by @diversity from 0 to 1.
 * @prefetch: what this one chooses among, @prefetch_n of them, or all points.
 * @rrf_k, @weights: of QD_RRF; @weights NULL: all are 1.
 * @hits, @n: what was found; held by q, by @list or by the prefetches: see qd_query_done().
 */
struct qd_query {
	enum qd_query_kind kind;
	bool diversify;
	struct objects_query q;
	struct sl_objects_scroll scroll;
	uint32_t limit, offset;
	double diversity, rrf_k;
	const float *weights;
	uint32_t weights_n;
	struct qd_query *prefetch;
	uint32_t prefetch_n;
	struct qd_select select;
	struct objects_list list;
	struct objects_hit *hits;
	uint32_t n;
};

/* How a request words its search. */
enum qd_dialect { QD_QUERY, QD_SEARCH, QD_RECOMMEND, QD_DISCOVER };

/* query.c: what the JSON @body asks for. */
int qd_query_parse(struct qd_call *c, yyjson_val *body, enum qd_dialect dialect,
		   struct qd_query *ret);

/* examples.c: a search by examples, for which @ret->q has the name of a vector and a filter.
 * @lookup: "lookup_from", where the examples are, or NULL. @v: the map with positive, negative, …
 * or with target, context. */
int qd_nearest(struct qd_call *c, yyjson_val *v, yyjson_val *lookup, struct qd_query *ret);
int qd_recommend(struct qd_call *c, yyjson_val *v, yyjson_val *lookup, struct qd_query *ret);
int qd_discover(struct qd_call *c, yyjson_val *v, yyjson_val *lookup, struct qd_query *ret);
int qd_sample(struct qd_call *c, struct qd_query *ret);

/* run.c: finds. What @queries hold is to be given to qd_query_done(), whatever is returned. */
int qd_run(struct qd_call *c, struct qd_query *queries, uint32_t n);
void qd_query_done(struct qd_query *query);

/* fuse.c: the best of the prefetches' hits; the most different of the candidates. */
int qd_fuse(struct qd_call *c, struct qd_query *query);
int qd_diversify(struct qd_call *c, struct qd_query *query);

/* ---- the handlers ----------------------------------------------------------------------- */

#define Q(methods, path, handler, need, flags) int qd_##handler(struct qd_call *c);
#include "routes.def"

#endif
