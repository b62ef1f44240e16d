// SPDX-License-Identifier: Apache-2.0
/*
 * Points read by id, listed, counted, and their values.
 *
 * Interface: handlers of qdrant_pvt.h.
 * Order of parts: by id; lists; counts; values.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/bytes.h>

#include "qdrant_pvt.h"

/* ---- by id ------------------------------------------------------------------------------ */

int qd_points_get(struct qd_call *c)
{
	struct qd_select select = {.payload = true};
	struct sl_filter_key *keys;
	struct objects_hit *hits;
	uint32_t n;
	int err = qd_ids(c, qd_member(c->body, "ids"), &keys, &n);

	if (!err)
		err = qd_select(c, c->body, &select);
	if (err)
		return err;
	hits = http_arena_array(&c->arena, struct objects_hit, n);
	if (!hits)
		return -ENOMEM;
	err = n ? objects_get(c->o, c->name, keys, n, hits, c->deadline) : 0;
	if (err)
		return err;
	http_json_open(&c->j, '[');
	for (uint32_t i = 0; i < n; i++)
		if (hits[i].object)
			qd_put_hit(&c->j, &hits[i], &select, false);
	http_json_close(&c->j, ']');
	objects_release(hits, n);
	return 0;
}

/* The id in the path: a number or a UUID. */
static bool read_path_id(struct http_str s, struct sl_filter_key *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return qd_id_text(s.p, s.n, ret);
	}
	*ret = objects_key_integer(v);
	return true;
}

int qd_point_get(struct qd_call *c)
{
	static const struct qd_select all = {.payload = true, .vectors = true};
	struct http_str s = c->rq->params[1];
	struct sl_filter_key key;
	struct objects_hit hit = {0};
	int err;

	if (!read_path_id(s, &key))
		return qd_wrong(c, 400, "Wrong input: Can not recognize \"%.*s\" as point id",
				(int)sl_min(s.n, (size_t)100), s.p);
	err = objects_get(c->o, c->name, &key, 1, &hit, c->deadline);
	if (err)
		return err;
	if (!hit.object)
		return qd_wrong(c, 404, "Not found: Point with id %.*s does not exists!",
				(int)sl_min(s.n, (size_t)100), s.p);
	qd_put_hit(&c->j, &hit, &all, false);
	objects_release(&hit, 1);
	return 0;
}

/* ---- lists ------------------------------------------------------------------------------ */

static int read_scroll(struct qd_call *c, struct sl_objects_scroll *ret)
{
	yyjson_val *order_by = qd_member(c->body, "order_by");
	yyjson_val *offset = qd_member(c->body, "offset");
	uint64_t limit = 10;
	int err = qd_get_uint(c, c->body, "limit", SL_OBJECTS_LIMIT_MAX, &limit);

	if (!err && !limit)
		err = qd_wrong(c, 422,
			       "Validation error in JSON body: [limit: value 0 invalid, must "
			       "be 1 or larger]");
	if (!err)
		err = qd_filter(c, qd_member(c->body, "filter"), &ret->filter);
	if (!err && offset)
		err = qd_id(c, offset, &ret->from);
	if (!err && order_by)
		err = qd_order(c, order_by, ret);
	if (!err && order_by && offset)
		err = qd_wrong(c, 400,
			       "Wrong input: Cannot use an `offset` when using `order_by`. "
			       "The alternative for paging is to use `order_by.start_from` and a "
			       "filter to exclude the IDs that you've already seen for the "
			       "`order_by.start_from` value");
	ret->limit = (uint32_t)limit;
	return err;
}

/* What it stands at in the order, or NULL. */
static const struct sl_value *order_value(const struct objects_hit *hit, const char *order_by)
{
	const struct sl_value *v = sl_value_find(sl_object_properties(hit->object), order_by);

	if (v && sl_value_type(v) == SL_VALUE_LIST)
		v = sl_value_count(v) ? sl_value_at(v, 0) : NULL;
	return v;
}

static void put_order_value(struct qd_call *c, const struct objects_hit *hit, const char *order_by)
{
	const struct sl_value *v = order_value(hit, order_by);
	int64_t us;
	size_t n;
	const char *text;

	if (!v)
		return;
	http_json_key(&c->j, "order_value");
	if (sl_value_type(v) != SL_VALUE_TEXT) {
		http_json_value(&c->j, SL_JSON_POINT, v);
		return;
	}
	text = sl_value_text(v, &n);
	if (sl_date_parse(text, n, &us))
		http_json_int(&c->j, us);
	else
		http_json_null(&c->j);
}

static void put_list(struct qd_call *c, const struct objects_list *list,
		     const struct qd_select *select, const char *order_by)
{
	http_json_open(&c->j, '{');
	http_json_key(&c->j, "points");
	http_json_open(&c->j, '[');
	for (uint32_t i = 0; i < list->n; i++) {
		http_json_open(&c->j, '{');
		http_json_key(&c->j, "id");
		qd_put_id(&c->j, &list->hits[i].key);
		if (order_by && list->hits[i].object)
			put_order_value(c, &list->hits[i], order_by);
		qd_put_parts(&c->j, list->hits[i].object, select);
		http_json_close(&c->j, '}');
	}
	http_json_close(&c->j, ']');
	http_json_key(&c->j, "next_page_offset");
	if (list->next.kind == SL_KEY_NONE || order_by)
		http_json_null(&c->j);
	else
		qd_put_id(&c->j, &list->next);
	http_json_close(&c->j, '}');
}

int qd_points_scroll(struct qd_call *c)
{
	struct qd_select select = {.payload = true};
	struct sl_objects_scroll scroll = {0};
	struct objects_list list;
	int err = read_scroll(c, &scroll);

	if (!err)
		err = qd_select(c, c->body, &select);
	if (err)
		return err;
	scroll.with_objects = qd_selects(&select) || scroll.order_by;
	err = objects_scroll(c->o, c->name, &scroll, &list, c->deadline);
	if (err)
		return err;
	put_list(c, &list, &select, scroll.order_by);
	objects_list_done(&list);
	return 0;
}

/* ---- counts ----------------------------------------------------------------------------- */

int qd_points_count(struct qd_call *c)
{
	const struct sl_filter *filter;
	bool exact = true;
	uint64_t n;
	int err = qd_filter(c, qd_member(c->body, "filter"), &filter);

	if (!err)
		err = qd_get_bool(c, c->body, "exact", &exact);
	if (!err)
		err = objects_count(c->o, c->name, filter, exact, &n, c->deadline);
	if (err)
		return err;
	http_json_open(&c->j, '{');
	http_json_key(&c->j, "count");
	http_json_uint(&c->j, n);
	http_json_close(&c->j, '}');
	return 0;
}

/* ---- values ----------------------------------------------------------------------------- */

static int read_facet(struct qd_call *c, const char **ret_key, const struct sl_filter **ret_filter,
		      uint64_t *ret_limit)
{
	int err = qd_get_string(c, c->body, "key", ret_key);

	if (!err && !*ret_key)
		err = qd_format_error(c, "missing field `key`");
	if (!err)
		err = qd_get_uint(c, c->body, "limit", QD_LIMIT_MAX, ret_limit);
	return err ? err : qd_filter(c, qd_member(c->body, "filter"), ret_filter);
}

static void put_operand(struct http_json *j, const struct sl_operand *v)
{
	if (v->type == SL_VALUE_BOOLEAN)
		http_json_bool(j, v->boolean);
	else if (v->type == SL_VALUE_INTEGER)
		http_json_int(j, v->integer);
	else if (v->type == SL_VALUE_UUID)
		http_json_uuid(j, v->uuid);
	else
		http_json_text(j, v->text.p, v->text.n);
}

int qd_points_facet(struct qd_call *c)
{
	const struct sl_filter *filter;
	struct sl_objects_facet *facets;
	const char *key = NULL;
	uint64_t limit = 10;
	uint32_t n;
	int err = read_facet(c, &key, &filter, &limit);

	if (!err)
		err = objects_facet(c->o, c->name, filter, key, (uint32_t)limit, &facets, &n,
				    c->deadline);
	if (err)
		return err;
	http_json_open(&c->j, '{');
	http_json_key(&c->j, "hits");
	http_json_open(&c->j, '[');
	for (uint32_t i = 0; i < n; i++) {
		http_json_open(&c->j, '{');
		http_json_key(&c->j, "value");
		put_operand(&c->j, &facets[i].value);
		http_json_key(&c->j, "count");
		http_json_uint(&c->j, facets[i].n);
		http_json_close(&c->j, '}');
	}
	http_json_close(&c->j, ']');
	http_json_close(&c->j, '}');
	free(facets);
	return 0;
}
