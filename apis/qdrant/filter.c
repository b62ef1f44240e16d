// SPDX-License-Identifier: Apache-2.0
/*
 * Filters: from Qdrant's JSON to a tree of struct sl_filter in the request's memory.
 *
 * Interface: the filters' part of qdrant_pvt.h, and filter.h for filter_field.c, which has the
 * conditions of a field. A condition that cannot be understood is an error: one that was passed
 * over would find, or delete, what was not meant. Texts and paths stay in the body.
 * Invariant: what is returned has passed sl_filter_check().
 *
 * Order of parts: making; conditions; groups of conditions; filters; orders.
 */
#include <errno.h>
#include <string.h>

#include "filter.h"

/* ---- making ----------------------------------------------------------------------------- */

struct sl_filter *qd_filter_new(struct qd_call *c, enum sl_filter_kind kind, const char *path)
{
	struct sl_filter *f = http_arena_new(&c->arena, struct sl_filter);

	if (!f)
		return NULL;
	f->kind = kind;
	f->path = path;
	return f;
}

int qd_filter_over(struct qd_call *c, enum sl_filter_kind kind, const struct sl_filter **of,
		   uint32_t n, struct sl_filter **ret)
{
	struct sl_filter *f = qd_filter_new(c, kind, NULL);

	if (!f)
		return -ENOMEM;
	f->of = of;
	f->of_n = n;
	*ret = f;
	return 0;
}

int qd_filter_path(struct qd_call *c, yyjson_val *map, const char **ret_path)
{
	const char *path = NULL;
	int err = qd_get_string(c, map, "key", &path);

	if (err)
		return err;
	if (!path)
		return qd_format_error(c, "a condition lacks its key");
	*ret_path = path;
	return 0;
}

/* ---- conditions ------------------------------------------------------------------------- */

/* @depth: filters within one another, so far. */
struct reading {
	struct qd_call *c;
	uint32_t depth;
};

static int has_id(struct qd_call *c, yyjson_val *v, struct sl_filter **ret)
{
	struct sl_filter_key *keys;
	const struct sl_filter *f;
	uint32_t n;
	int err = qd_ids(c, v, &keys, &n);

	if (!err)
		err = qd_filter_keys(c, keys, n, false, &f);
	if (!err)
		*ret = (struct sl_filter *)f;
	return err;
}

static int has_vector(struct qd_call *c, yyjson_val *v, struct sl_filter **ret)
{
	struct sl_filter *f = qd_filter_new(c, SL_FILTER_HAS_VECTOR, NULL);

	if (!yyjson_is_str(v))
		return qd_format_error(c, "has_vector: expected the name of a vector");
	if (!f)
		return -ENOMEM;
	f->vector = yyjson_get_str(v);
	*ret = f;
	return 0;
}

/* {"is_null": {"key": …}} */
static int flag_of_key(struct qd_call *c, enum sl_filter_kind kind, yyjson_val *v,
		       struct sl_filter **ret)
{
	const char *path = NULL;
	int err = qd_filter_path(c, v, &path);

	if (err)
		return err;
	*ret = qd_filter_new(c, kind, path);
	return *ret ? 0 : -ENOMEM;
}

static int filter(struct reading *r, yyjson_val *v, struct sl_filter **ret);

static int nested(struct reading *r, yyjson_val *v, struct sl_filter **ret)
{
	const struct sl_filter **of = http_arena_array(&r->c->arena, const struct sl_filter *, 1);
	struct sl_filter *inner;
	const char *path = NULL;
	int err = qd_filter_path(r->c, v, &path);

	if (!err)
		err = of ? filter(r, yyjson_obj_get(v, "filter"), &inner) : -ENOMEM;
	if (err)
		return err;
	of[0] = inner;
	err = qd_filter_over(r->c, SL_FILTER_NESTED, of, 1, ret);
	if (!err)
		(*ret)->path = path;
	return err;
}

static int condition(struct reading *r, yyjson_val *v, struct sl_filter **ret)
{
	yyjson_val *told;

	if (!yyjson_is_obj(v))
		return qd_format_error(r->c, "a condition is not a JSON object");
	if (qd_member(v, "key"))
		return qd_filter_field(r->c, v, ret);
	if ((told = qd_member(v, "has_id")))
		return has_id(r->c, told, ret);
	if ((told = qd_member(v, "has_vector")))
		return has_vector(r->c, told, ret);
	if ((told = qd_member(v, "is_null")))
		return flag_of_key(r->c, SL_FILTER_IS_NULL, told, ret);
	if ((told = qd_member(v, "is_empty")))
		return flag_of_key(r->c, SL_FILTER_IS_EMPTY, told, ret);
	if ((told = qd_member(v, "nested")))
		return nested(r, told, ret);
	return filter(r, v, ret);
}

/* ---- groups of conditions --------------------------------------------------------------- */

static int conditions(struct reading *r, yyjson_val *v, const struct sl_filter ***ret_of,
		      uint32_t *ret_n)
{
	const struct sl_filter **of =
		http_arena_array(&r->c->arena, const struct sl_filter *, qd_many(v));
	yyjson_arr_iter iter = {0};
	yyjson_val *item;
	uint32_t n = 0;
	int err = 0;

	if (!of)
		return -ENOMEM;
	while (!err && (item = qd_many_at(v, &iter))) {
		struct sl_filter *f = NULL;

		err = condition(r, item, &f);
		of[n++] = f;
	}
	*ret_of = of;
	*ret_n = n;
	return err;
}

/* A group that is empty says nothing: *ret is left as it is. */
static int group(struct reading *r, enum sl_filter_kind kind, yyjson_val *v, uint64_t at_least,
		 struct sl_filter **ret)
{
	const struct sl_filter **of;
	uint32_t n;
	int err = v ? conditions(r, v, &of, &n) : 0;

	if (err || !v || (!n && at_least <= 1))
		return err;
	err = qd_filter_over(r->c, kind, of, n, ret);
	if (!err)
		(*ret)->at_least = (uint32_t)sl_min(at_least, (uint64_t)UINT32_MAX);
	return err;
}

static int min_should(struct reading *r, yyjson_val *v, struct sl_filter **ret)
{
	yyjson_val *list = qd_member(v, "conditions");
	uint64_t count = 0;
	int err = qd_get_uint(r->c, v, "min_count", UINT64_MAX, &count);

	if (!err && v && !list)
		err = qd_format_error(r->c, "min_should: missing field `conditions`");
	if (err || !count)
		return err;
	return group(r, SL_FILTER_ANY, list, count, ret);
}

/* ---- filters ---------------------------------------------------------------------------- */

static bool is_filter(yyjson_val *v)
{
	static const char *const names[] = {"must", "should", "must_not", "min_should"};

	for (size_t i = 0; i < SL_ARRAY_SIZE(names); i++)
		if (yyjson_obj_get(v, names[i]))
			return true;
	return yyjson_is_obj(v) && !yyjson_obj_size(v);
}

static int filter(struct reading *r, yyjson_val *v, struct sl_filter **ret)
{
	struct sl_filter *groups[4] = {0};
	const struct sl_filter **of;
	uint32_t n = 0;
	int err = 0;

	if (!is_filter(v))
		return qd_format_error(r->c, "a filter or condition is none that is known");
	if (++r->depth > SL_FILTER_DEPTH_MAX / 4)
		return qd_format_error(r->c, "filters are nested too deeply");
	err = group(r, SL_FILTER_ALL, qd_member(v, "must"), 0, &groups[0]);
	if (!err)
		err = group(r, SL_FILTER_ANY, qd_member(v, "should"), 1, &groups[1]);
	if (!err)
		err = group(r, SL_FILTER_NONE, qd_member(v, "must_not"), 0, &groups[2]);
	if (!err)
		err = min_should(r, qd_member(v, "min_should"), &groups[3]);
	r->depth--;
	if (err)
		return err;
	of = http_arena_array(&r->c->arena, const struct sl_filter *, SL_ARRAY_SIZE(groups));
	if (!of)
		return -ENOMEM;
	for (size_t i = 0; i < SL_ARRAY_SIZE(groups); i++)
		if (groups[i])
			of[n++] = groups[i];
	if (n == 1) {
		*ret = (struct sl_filter *)of[0];
		return 0;
	}
	return qd_filter_over(r->c, SL_FILTER_ALL, of, n, ret);
}

int qd_filter(struct qd_call *c, yyjson_val *v, const struct sl_filter **ret)
{
	struct reading r = {.c = c};
	struct sl_filter *f;
	char why[200] = "";
	int err;

	*ret = NULL;
	if (!v || yyjson_is_null(v))
		return 0;
	err = filter(&r, v, &f);
	if (err)
		return err;
	err = sl_filter_check(f, why, sizeof(why));
	if (err)
		return qd_wrong(c, 400, "Wrong input: filter: %s", why);
	*ret = f;
	return 0;
}

int qd_filter_both(struct qd_call *c, const struct sl_filter *a, const struct sl_filter *b,
		   const struct sl_filter **ret)
{
	const struct sl_filter **of = http_arena_array(&c->arena, const struct sl_filter *, 2);
	struct sl_filter *f;
	int err;

	*ret = a ? a : b;
	if (!a || !b)
		return 0;
	if (!of)
		return -ENOMEM;
	of[0] = a;
	of[1] = b;
	err = qd_filter_over(c, SL_FILTER_ALL, of, 2, &f);
	if (!err)
		*ret = f;
	return err;
}

int qd_filter_keys(struct qd_call *c, const struct sl_filter_key *keys, uint32_t n, bool none,
		   const struct sl_filter **ret)
{
	struct sl_filter *f = qd_filter_new(c, SL_FILTER_HAS_KEY, NULL);
	struct sl_filter_key *copies = http_arena_array(&c->arena, struct sl_filter_key, n);
	const struct sl_filter **of = http_arena_array(&c->arena, const struct sl_filter *, 1);
	int err = 0;

	if (!f || !copies || !of)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		copies[i] = keys[i];
	f->keys = copies;
	f->key_n = n;
	of[0] = f;
	if (none)
		err = qd_filter_over(c, SL_FILTER_NONE, of, 1, &f);
	*ret = f;
	return err;
}

/* ---- orders ----------------------------------------------------------------------------- */

static int start_from(struct qd_call *c, yyjson_val *v, struct sl_objects_scroll *ret)
{
	struct sl_operand *from = http_arena_new(&c->arena, struct sl_operand);

	if (!from)
		return -ENOMEM;
	ret->order_from = from;
	return qd_filter_bound(c, v, ret->order_by, from);
}

int qd_order(struct qd_call *c, yyjson_val *v, struct sl_objects_scroll *ret)
{
	const char *direction = "asc";
	yyjson_val *from;
	int err;

	if (yyjson_is_str(v)) {
		ret->order_by = yyjson_get_str(v);
		return 0;
	}
	err = qd_get_string(c, v, "key", &ret->order_by);
	if (!err)
		err = qd_get_string(c, v, "direction", &direction);
	if (err)
		return err;
	if (!ret->order_by)
		return qd_format_error(c, "order_by: missing field `key`");
	if (strcmp(direction, "asc") && strcmp(direction, "desc"))
		return qd_format_error(c, "order_by: direction is asc or desc");
	ret->descending = !strcmp(direction, "desc");
	from = qd_member(v, "start_from");
	return from ? start_from(c, from, ret) : 0;
}
