// SPDX-License-Identifier: Apache-2.0
/*
 * Searches: from their JSON, in four dialects, to a struct qd_query.
 *
 * Interface: qd_query_parse() of qdrant_pvt.h. "query" can say everything; "search", "recommend"
 * and "discover" are older words for parts of it. Examples that are points are looked up here, so
 * that what is run knows vectors only.
 *
 * Order of parts: parameters; kinds of queries; prefetches; dialects.
 */
#include <errno.h>
#include <string.h>

#include "qdrant_pvt.h"

/* ---- parameters ------------------------------------------------------------------------- */

/* Searches that feed one another, and their inputs. */
enum { PREFETCH_DEPTH_MAX = 4, PREFETCH_MAX = 64, OFFSET_MAX = 1000000 };

/* Candidates for each hit where codes are to be ignored: their order hardly matters then. */
enum { IGNORE_TIMES = 8 };

static int read_quantization(struct qd_call *c, yyjson_val *v, struct objects_query *ret)
{
	bool ignore = false, rescore = true;
	double oversampling = 0;
	int err = qd_get_bool(c, v, "ignore", &ignore);

	if (!err)
		err = qd_get_bool(c, v, "rescore", &rescore);
	if (!err)
		err = qd_get_number(c, v, "oversampling", &oversampling);
	if (err)
		return err;
	if (qd_member(v, "oversampling") && !(oversampling >= 1))
		return qd_wrong(c, 422,
				"Validation error in JSON body: [params.quantization.oversampling: "
				"value %g invalid, must be 1.0 or larger]",
				oversampling);
	ret->oversampling =
		(float)(ignore ? sl_max(oversampling, (double)IGNORE_TIMES) : oversampling);
	ret->estimates = !rescore && !ignore;
	return 0;
}

static int read_params(struct qd_call *c, yyjson_val *params, struct objects_query *ret)
{
	uint64_t effort = 0;
	int err = qd_get_uint(c, params, "hnsw_ef", UINT32_MAX, &effort);

	if (!err)
		err = qd_get_bool(c, params, "exact", &ret->exact);
	if (!err)
		err = read_quantization(c, qd_member(params, "quantization"), ret);
	ret->effort = (uint32_t)sl_min(effort, (uint64_t)QD_LIMIT_MAX);
	return err;
}

static int read_common(struct qd_call *c, yyjson_val *body, struct qd_query *ret)
{
	uint64_t limit = 10, offset = 0;
	double threshold = 0;
	const char *using = "";
	int err = qd_get_uint(c, body, "limit", QD_LIMIT_MAX, &limit);

	if (!err && !limit)
		err = qd_wrong(c, 422,
			       "Validation error in JSON body: [limit: value 0 invalid, must "
			       "be 1 or larger]");
	if (!err)
		err = qd_get_uint(c, body, "offset", OFFSET_MAX, &offset);
	if (!err)
		err = qd_get_number(c, body, "score_threshold", &threshold);
	if (!err)
		err = qd_get_string(c, body, "using", &using);
	if (!err)
		err = qd_filter(c, qd_member(body, "filter"), &ret->q.filter);
	if (!err)
		err = read_params(c, qd_member(body, "params"), &ret->q);
	if (!err)
		err = qd_select(c, body, &ret->select);
	ret->limit = (uint32_t)limit;
	ret->offset = (uint32_t)offset;
	ret->q.bounded = qd_member(body, "score_threshold");
	ret->q.bound = (float)threshold;
	ret->q.vector_name = using;
	return err;
}

/* Before examples are read, which need its metric. */
static int check_using(struct qd_call *c, const struct qd_query *q)
{
	if (qd_vector_conf(c->collection, q->q.vector_name))
		return 0;
	return qd_fault(c, SL_OBJECTS_UNKNOWN_VECTOR, NULL, q->q.vector_name, 0);
}

/* ---- kinds of queries ------------------------------------------------------------------- */

static int read_nearest(struct qd_call *c, yyjson_val *v, yyjson_val *lookup, struct qd_query *ret)
{
	yyjson_val *mmr = qd_member(v, "mmr");
	uint64_t candidates = 0;
	int err;

	if (!mmr)
		return qd_nearest(c, yyjson_obj_get(v, "nearest"), lookup, ret);
	ret->diversify = true;
	ret->diversity = 0.5;
	err = qd_get_number(c, mmr, "diversity", &ret->diversity);
	if (!err)
		err = qd_get_uint(c, mmr, "candidates_limit", 16384, &candidates);
	if (!err && !(ret->diversity >= 0 && ret->diversity <= 1))
		err = qd_wrong(c, 422,
			       "Validation error in JSON body: [diversity: must be from 0 to 1]");
	if (!err)
		err = qd_nearest(c, yyjson_obj_get(v, "nearest"), lookup, ret);
	ret->q.k = (uint32_t)sl_max(candidates, (uint64_t)ret->limit + ret->offset);
	return err;
}

static int read_fusion(struct qd_call *c, yyjson_val *v, yyjson_val *lookup, struct qd_query *ret)
{
	yyjson_val *name = yyjson_obj_get(v, "fusion");

	ret->kind = yyjson_equals_str(name, "dbsf") ? QD_DBSF : QD_RRF;
	if (ret->kind == QD_RRF && !yyjson_equals_str(name, "rrf"))
		return qd_format_error(c, "fusion: expected rrf or dbsf");
	return 0;
}

static int read_rrf(struct qd_call *c, yyjson_val *v, yyjson_val *lookup, struct qd_query *ret)
{
	yyjson_val *rrf = yyjson_obj_get(v, "rrf"), *weights = qd_member(rrf, "weights");
	uint64_t k = 2;
	int err = qd_get_uint(c, rrf, "k", 1000000, &k);

	ret->kind = QD_RRF;
	if (!err && !k)
		err = qd_wrong(c, 422,
			       "Validation error in JSON body: [k: value 0 invalid, must be 1 "
			       "or larger]");
	ret->rrf_k = (double)k;
	return err || !weights ? err : qd_vector(c, weights, &ret->weights, &ret->weights_n);
}

static int read_order(struct qd_call *c, yyjson_val *v, yyjson_val *lookup, struct qd_query *ret)
{
	ret->kind = QD_ORDERED;
	return qd_order(c, yyjson_obj_get(v, "order_by"), &ret->scroll);
}

static int read_recommend(struct qd_call *c, yyjson_val *v, yyjson_val *lookup,
			  struct qd_query *ret)
{
	return qd_recommend(c, yyjson_obj_get(v, "recommend"), lookup, ret);
}

static int read_discover(struct qd_call *c, yyjson_val *v, yyjson_val *lookup, struct qd_query *ret)
{
	return qd_discover(c, yyjson_obj_get(v, "discover"), lookup, ret);
}

static int read_sample(struct qd_call *c, yyjson_val *v, yyjson_val *lookup, struct qd_query *ret)
{
	if (!yyjson_equals_str(yyjson_obj_get(v, "sample"), "random"))
		return qd_format_error(c, "sample: expected random");
	return qd_sample(c, ret);
}

/* @vectors: it asks for vectors, so the name after "using" must be one. */
static const struct {
	const char *name;
	int (*read)(struct qd_call *c, yyjson_val *v, yyjson_val *lookup, struct qd_query *ret);
	bool vectors;
} queries[] = {
	{"nearest", read_nearest, true},   {"recommend", read_recommend, true},
	{"discover", read_discover, true}, {"context", qd_discover, true},
	{"order_by", read_order, false},   {"fusion", read_fusion, false},
	{"rrf", read_rrf, false},	   {"sample", read_sample, false},
};

static int unknown_query(struct qd_call *c, yyjson_val *v)
{
	if (yyjson_obj_get(v, "indices"))
		return qd_wrong(c, 400, "Wrong input: sparse vectors are not supported");
	if (yyjson_obj_get(v, "formula") || yyjson_obj_get(v, "relevance_feedback"))
		return qd_wrong(c, 400,
				"Wrong input: queries by formula or feedback are not supported");
	if (yyjson_obj_get(v, "text") || yyjson_obj_get(v, "image"))
		return qd_wrong(c, 400, "Wrong input: inference is not supported: send vectors");
	return qd_format_error(c, "query: expected a vector, a point ID, or one of nearest, "
				  "recommend, discover, context, order_by, fusion, rrf, sample");
}

static int read_query(struct qd_call *c, yyjson_val *v, yyjson_val *lookup, struct qd_query *ret)
{
	int err;

	if (!yyjson_is_obj(v)) {
		err = check_using(c, ret);
		return err ? err : qd_nearest(c, v, lookup, ret);
	}
	for (size_t i = 0; i < SL_ARRAY_SIZE(queries); i++) {
		if (!yyjson_obj_get(v, queries[i].name))
			continue;
		err = queries[i].vectors ? check_using(c, ret) : 0;
		return err ? err : queries[i].read(c, v, lookup, ret);
	}
	return unknown_query(c, v);
}

/* ---- prefetches ------------------------------------------------------------------------- */

static int parse_query(struct qd_call *c, yyjson_val *body, struct qd_query *ret, uint32_t depth);

static int read_prefetches(struct qd_call *c, yyjson_val *v, struct qd_query *ret, uint32_t depth)
{
	size_t n = qd_many(v);
	yyjson_arr_iter iter = {0};
	yyjson_val *item;
	int err = 0;

	if (n > PREFETCH_MAX)
		return qd_wrong(c, 400, "Wrong input: more than %d prefetches", PREFETCH_MAX);
	if (depth == PREFETCH_DEPTH_MAX)
		return qd_wrong(c, 400, "Wrong input: prefetches are nested more than %d deep",
				PREFETCH_DEPTH_MAX);
	ret->prefetch = http_arena_array(&c->arena, struct qd_query, n);
	if (!ret->prefetch)
		return -ENOMEM;
	while (!err && (item = qd_many_at(v, &iter)))
		err = parse_query(c, item, &ret->prefetch[ret->prefetch_n++], depth + 1);
	return err;
}

static int parse_query(struct qd_call *c, yyjson_val *body, struct qd_query *ret, uint32_t depth)
{
	yyjson_val *query = qd_member(body, "query"), *prefetch = qd_member(body, "prefetch");
	int err;

	if (!yyjson_is_obj(body))
		return qd_format_error(c, "a query is not a JSON object");
	*ret = (struct qd_query){.kind = QD_SCROLL, .rrf_k = 2};
	err = read_common(c, body, ret);
	if (!err && query)
		err = read_query(c, query, qd_member(body, "lookup_from"), ret);
	if (!err && prefetch)
		err = read_prefetches(c, prefetch, ret, depth);
	if (err)
		return err;
	if (ret->prefetch_n && !query)
		return qd_wrong(c, 400,
				"Bad request: A query is needed to merge the prefetches. Can't "
				"have prefetches without defining a query.");
	if (!ret->prefetch_n && (ret->kind == QD_RRF || ret->kind == QD_DBSF))
		return qd_wrong(c, 400, "Bad request: fusion needs prefetches to fuse");
	return 0;
}

/* ---- dialects --------------------------------------------------------------------------- */

/* "vector": […], or {"name": …, "vector": […]}. */
static int parse_search(struct qd_call *c, yyjson_val *body, struct qd_query *ret)
{
	yyjson_val *v = qd_member(body, "vector");
	int err = 0;

	if (yyjson_is_obj(v)) {
		err = qd_get_string(c, v, "name", &ret->q.vector_name);
		v = yyjson_obj_get(v, "vector");
	}
	if (!err)
		err = check_using(c, ret);
	if (!err && yyjson_is_obj(v))
		return unknown_query(c, v);
	if (!err && !yyjson_is_arr(v))
		return qd_format_error(c, "missing field `vector`");
	return err ? err : qd_nearest(c, v, NULL, ret);
}

/* "using" of the older dialects may be {"name": …}. */
static int old_using(struct qd_call *c, yyjson_val *body, struct qd_query *ret)
{
	yyjson_val *using = qd_member(body, "using");

	if (yyjson_is_obj(using))
		return qd_get_string(c, using, "name", &ret->q.vector_name);
	return 0;
}

int qd_query_parse(struct qd_call *c, yyjson_val *body, enum qd_dialect dialect,
		   struct qd_query *ret)
{
	yyjson_val *lookup = qd_member(body, "lookup_from");
	int err;

	if (dialect == QD_QUERY)
		return parse_query(c, body, ret, 0);
	if (!yyjson_is_obj(body))
		return qd_format_error(c, "a search is not a JSON object");
	*ret = (struct qd_query){.kind = QD_NEAREST};
	err = read_common(c, body, ret);
	if (err)
		return err;
	if (dialect == QD_SEARCH)
		return parse_search(c, body, ret);
	err = old_using(c, body, ret);
	if (!err)
		err = check_using(c, ret);
	if (err)
		return err;
	return dialect == QD_RECOMMEND ? qd_recommend(c, body, lookup, ret)
				       : qd_discover(c, body, lookup, ret);
}
