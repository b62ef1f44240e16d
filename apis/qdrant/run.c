// SPDX-License-Identifier: Apache-2.0
/*
 * Searches carried out.
 *
 * Interface: qd_run() and qd_query_done() of qdrant_pvt.h, and the handlers of searches. All
 * searches of a request that need no others' hits go to the store in one call, which may answer
 * them together. One that chooses among the hits of others has these looked for first; then it is
 * asked of exactly these.
 *
 * Order of parts: lists; the store; prefetches; queries; answers; handlers.
 */
#include <errno.h>
#include <string.h>

#include "qdrant_pvt.h"

/* ---- lists ------------------------------------------------------------------------------ */

/* By id, or by a value; there is no score. */
static int run_list(struct qd_call *c, struct qd_query *q)
{
	int err;

	q->scroll.filter = q->q.filter;
	q->scroll.skip = q->offset;
	q->scroll.limit = q->limit;
	q->scroll.with_objects = q->q.with_objects;
	err = objects_scroll(c->o, c->name, &q->scroll, &q->list, c->deadline);
	if (err)
		return err;
	q->hits = q->list.hits;
	q->n = q->list.n;
	return 0;
}

/* ---- the store -------------------------------------------------------------------------- */

static bool asks_store(const struct qd_query *q)
{
	return q->kind == QD_NEAREST || q->kind == QD_WEIGHED || q->kind == QD_SAMPLE;
}

static int take_result(struct qd_call *c, struct qd_query *q)
{
	const struct sl_objects_vector *conf;

	if (q->q.result == -EINVAL) {
		conf = qd_vector_conf(c->collection, q->q.vector_name);
		return qd_fault(c, q->q.fault, conf, q->q.vector_name, q->q.dim);
	}
	if (q->q.result)
		return q->q.result;
	q->hits = q->q.hits;
	q->n = q->q.n;
	for (uint32_t i = 0; q->kind == QD_SAMPLE && i < q->n; i++)
		q->hits[i].score = 0;
	return q->diversify ? qd_diversify(c, q) : 0;
}

/* Those of @queries that ask the store, in one call. */
static int run_searches(struct qd_call *c, struct qd_query *queries, uint32_t n)
{
	struct objects_query *qs = http_arena_array(&c->arena, struct objects_query, n);
	uint32_t k = 0;
	int err;

	if (!qs)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		struct qd_query *q = &queries[i];

		if (!asks_store(q))
			continue;
		if (!q->diversify) {
			q->q.k = q->limit;
			q->q.offset = q->offset;
		}
		qs[k++] = q->q;
	}
	err = k ? objects_search(c->o, c->name, qs, k, c->deadline) : 0;
	if (err)
		return err;
	k = 0;
	for (uint32_t i = 0; i < n; i++)
		if (asks_store(&queries[i]))
			queries[i].q = qs[k++];
	for (uint32_t i = 0; !err && i < n; i++)
		if (asks_store(&queries[i]))
			err = take_result(c, &queries[i]);
	return err;
}

/* ---- prefetches ------------------------------------------------------------------------- */

/* What @q may choose among: the points that its prefetches have found. */
static int restrict_to_found(struct qd_call *c, struct qd_query *q)
{
	const struct sl_filter *found;
	struct sl_filter_key *keys;
	size_t n = 0;
	int err;

	for (uint32_t i = 0; i < q->prefetch_n; i++)
		n += q->prefetch[i].n;
	keys = http_arena_array(&c->arena, struct sl_filter_key, n);
	if (!keys)
		return -ENOMEM;
	n = 0;
	for (uint32_t i = 0; i < q->prefetch_n; i++)
		for (uint32_t k = 0; k < q->prefetch[i].n; k++)
			keys[n++] = q->prefetch[i].hits[k].key;
	err = qd_filter_keys(c, keys, (uint32_t)n, false, &found);
	if (!err)
		err = qd_filter_both(c, q->q.filter, found, &q->q.filter);
	q->q.exact = true;
	return err;
}

static int run_prefetches(struct qd_call *c, struct qd_query *q)
{
	bool fuses = q->kind == QD_RRF || q->kind == QD_DBSF;
	int err;

	for (uint32_t i = 0; i < q->prefetch_n; i++) {
		struct qd_query *p = &q->prefetch[i];

		p->q.with_objects = fuses && q->q.with_objects;
		err = qd_filter_both(c, p->q.filter, q->q.filter, &p->q.filter);
		if (err)
			return err;
	}
	err = qd_run(c, q->prefetch, q->prefetch_n);
	if (err)
		return err;
	return fuses ? qd_fuse(c, q) : restrict_to_found(c, q);
}

/* ---- queries ---------------------------------------------------------------------------- */

int qd_run(struct qd_call *c, struct qd_query *queries, uint32_t n)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < n; i++)
		if (queries[i].prefetch_n)
			err = run_prefetches(c, &queries[i]);
	if (!err)
		err = run_searches(c, queries, n);
	for (uint32_t i = 0; !err && i < n; i++)
		if (queries[i].kind == QD_SCROLL || queries[i].kind == QD_ORDERED)
			err = run_list(c, &queries[i]);
	return err;
}

void qd_query_done(struct qd_query *q)
{
	for (uint32_t i = 0; i < q->prefetch_n; i++)
		qd_query_done(&q->prefetch[i]);
	if (asks_store(q))
		objects_queries_done(&q->q, 1);
	objects_list_done(&q->list);
	q->hits = NULL;
	q->n = 0;
}

/* ---- answers ---------------------------------------------------------------------------- */

/* Lists of an order tell their values by their place only, as a score would. */
static void put_hits(struct qd_call *c, const struct qd_query *q, bool in_map)
{
	if (in_map) {
		http_json_open(&c->j, '{');
		http_json_key(&c->j, "points");
	}
	http_json_open(&c->j, '[');
	for (uint32_t i = 0; i < q->n; i++)
		qd_put_hit(&c->j, &q->hits[i], &q->select, true);
	http_json_close(&c->j, ']');
	if (in_map)
		http_json_close(&c->j, '}');
}

static int answer(struct qd_call *c, enum qd_dialect dialect)
{
	struct qd_query *q = http_arena_new(&c->arena, struct qd_query);
	int err = q ? qd_query_parse(c, c->body, dialect, q) : -ENOMEM;

	if (err)
		return err;
	q->q.with_objects = qd_selects(&q->select) || q->diversify;
	err = qd_run(c, q, 1);
	if (!err)
		put_hits(c, q, dialect == QD_QUERY);
	qd_query_done(q);
	return err;
}

enum { SEARCHES_MAX = 10000 };

static int answer_all(struct qd_call *c, enum qd_dialect dialect)
{
	yyjson_val *list = qd_member(c->body, "searches"), *v;
	struct qd_query *qs = http_arena_array(&c->arena, struct qd_query, yyjson_arr_size(list));
	yyjson_arr_iter iter;
	uint32_t n = 0;
	int err = 0;

	if (!qs)
		return -ENOMEM;
	if (!yyjson_is_arr(list))
		return qd_format_error(c, "missing field `searches`");
	if (yyjson_arr_size(list) > SEARCHES_MAX)
		return qd_wrong(c, 400, "Wrong input: more than %d searches at once", SEARCHES_MAX);
	yyjson_arr_iter_init(list, &iter);
	for (; !err && (v = yyjson_arr_iter_next(&iter)); n++) {
		err = qd_query_parse(c, v, dialect, &qs[n]);
		qs[n].q.with_objects = qd_selects(&qs[n].select) || qs[n].diversify;
	}
	if (err)
		return err;
	err = qd_run(c, qs, n);
	http_json_open(&c->j, '[');
	for (uint32_t i = 0; i < n; i++) {
		if (!err)
			put_hits(c, &qs[i], dialect == QD_QUERY);
		qd_query_done(&qs[i]);
	}
	http_json_close(&c->j, ']');
	return err;
}

/* ---- handlers --------------------------------------------------------------------------- */

int qd_query(struct qd_call *c)
{
	return answer(c, QD_QUERY);
}

int qd_query_batch(struct qd_call *c)
{
	return answer_all(c, QD_QUERY);
}

int qd_search(struct qd_call *c)
{
	return answer(c, QD_SEARCH);
}

int qd_search_batch(struct qd_call *c)
{
	return answer_all(c, QD_SEARCH);
}

int qd_recommend_points(struct qd_call *c)
{
	return answer(c, QD_RECOMMEND);
}

int qd_recommend_batch(struct qd_call *c)
{
	return answer_all(c, QD_RECOMMEND);
}

int qd_discover_points(struct qd_call *c)
{
	return answer(c, QD_DISCOVER);
}

int qd_discover_batch(struct qd_call *c)
{
	return answer_all(c, QD_DISCOVER);
}
