// SPDX-License-Identifier: Apache-2.0
/*
 * Filters: from Qdrant's JSON to a tree of struct sl_filter in the request's memory.
 *
 * Interface: the filters' part of qdrant_pvt.h. A condition that cannot be understood is an error:
 * one that was passed over would find, or delete, what was not meant. Texts and paths stay in the
 * body. Invariant: what is returned has passed sl_filter_check().
 *
 * Order of parts: making; operands; matches; ranges; places; conditions of a field; others; groups
 * of conditions; filters; orders.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "qdrant_pvt.h"

/* ---- making ----------------------------------------------------------------------------- */

/* @depth: filters within one another, so far. */
struct reading {
	struct qd_call *c;
	uint32_t depth;
};

static struct sl_filter *make(struct qd_call *c, enum sl_filter_kind kind, const char *path)
{
	struct sl_filter *f = http_arena_new(&c->arena, struct sl_filter);

	if (!f)
		return NULL;
	f->kind = kind;
	f->path = path;
	return f;
}

/* One of @kind over @of. */
static int make_over(struct qd_call *c, enum sl_filter_kind kind, const struct sl_filter **of,
		     uint32_t n, struct sl_filter **ret)
{
	struct sl_filter *f = make(c, kind, NULL);

	if (!f)
		return -ENOMEM;
	f->of = of;
	f->of_n = n;
	*ret = f;
	return 0;
}

static int path_of(struct qd_call *c, yyjson_val *map, const char **ret_path)
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

/* ---- operands --------------------------------------------------------------------------- */

/* Return: false: nothing that values can be equal to. */
static bool operand_of(yyjson_val *v, struct sl_operand *ret)
{
	*ret = (struct sl_operand){0};
	if (yyjson_is_bool(v)) {
		ret->type = SL_VALUE_BOOLEAN;
		ret->boolean = yyjson_get_bool(v);
	} else if (yyjson_is_str(v)) {
		ret->type = SL_VALUE_TEXT;
		ret->text.p = yyjson_get_str(v);
		ret->text.n = yyjson_get_len(v);
	} else if (yyjson_is_sint(v) || (yyjson_is_uint(v) && yyjson_get_uint(v) <= INT64_MAX)) {
		ret->type = SL_VALUE_INTEGER;
		ret->integer = yyjson_get_sint(v);
	} else if (yyjson_is_num(v)) {
		ret->type = SL_VALUE_NUMBER;
		ret->number = yyjson_get_num(v);
	} else {
		return false;
	}
	return true;
}

/* One value, or a list of them. */
static int operands_of(struct qd_call *c, yyjson_val *v, struct sl_filter *f)
{
	struct sl_operand *operands = http_arena_array(&c->arena, struct sl_operand, qd_many(v));
	yyjson_arr_iter iter = {0};
	yyjson_val *item;
	uint32_t n = 0;

	if (!operands)
		return -ENOMEM;
	while ((item = qd_many_at(v, &iter)))
		if (!operand_of(item, &operands[n++]))
			return qd_format_error(c,
					       "match of \"%.100s\": expected a string, an integer "
					       "or a boolean",
					       f->path);
	f->operands = operands;
	f->operand_n = n;
	return 0;
}

/* ---- matches ---------------------------------------------------------------------------- */

/* The index of words at the path, or NULL. */
static const struct sl_payload_conf *text_index(const struct qd_call *c, const char *path)
{
	const struct objects_collection_conf *conf = &c->collection->conf;

	for (uint32_t i = 0; i < conf->indexes_n; i++)
		if (conf->indexes[i].type == SL_PAYLOAD_TEXT &&
		    !strcmp(conf->indexes[i].path, path))
			return &conf->indexes[i];
	return NULL;
}

/* Words as the path's index has them; a "text" without one means its bytes. */
static int match_text(struct qd_call *c, yyjson_val *v, enum sl_filter_kind kind,
		      struct sl_filter *f)
{
	const struct sl_payload_conf *index = text_index(c, f->path);

	if (!yyjson_is_str(v))
		return qd_format_error(c, "match of \"%.100s\": expected a string", f->path);
	f->kind = index || kind != SL_FILTER_WORDS ? kind : SL_FILTER_SUBSTRING;
	f->text = yyjson_get_str(v);
	f->text_n = yyjson_get_len(v);
	if (index)
		f->tokeniser = index->tokeniser;
	return 0;
}

static int match_substring(struct qd_call *c, yyjson_val *v, struct sl_filter *f)
{
	if (!yyjson_is_str(v))
		return qd_format_error(c, "match of \"%.100s\": expected a string", f->path);
	f->kind = SL_FILTER_SUBSTRING;
	f->text = yyjson_get_str(v);
	f->text_n = yyjson_get_len(v);
	return 0;
}

/* From the prefix on, up to what no longer begins with it. */
static int match_prefix(struct qd_call *c, yyjson_val *v, struct sl_filter *f)
{
	size_t n = yyjson_get_len(v);
	struct sl_operand low = {.type = SL_VALUE_TEXT}, high = {.type = SL_VALUE_TEXT};
	char *beyond;

	if (!yyjson_is_str(v))
		return qd_format_error(c, "match of \"%.100s\": expected a string", f->path);
	beyond = http_arena_text(&c->arena, yyjson_get_str(v), n);
	if (!beyond)
		return -ENOMEM;
	f->kind = SL_FILTER_RANGE;
	low.text.p = yyjson_get_str(v);
	low.text.n = n;
	f->range.low = low;
	while (n && (unsigned char)beyond[n - 1] == 0xff)
		n--;
	if (!n)
		return 0;
	beyond[n - 1]++;
	high.text.p = beyond;
	high.text.n = n;
	f->range.high = high;
	f->range.high_open = true;
	return 0;
}

static int match(struct qd_call *c, yyjson_val *m, const char *path, struct sl_filter **ret)
{
	struct sl_filter *f = make(c, SL_FILTER_MATCH, path);
	yyjson_val *v;

	if (!f)
		return -ENOMEM;
	*ret = f;
	if ((v = qd_member(m, "value")))
		return yyjson_is_ctn(v)
			       ? qd_format_error(c, "match of \"%.100s\": expected one value", path)
			       : operands_of(c, v, f);
	if ((v = qd_member(m, "any")))
		return operands_of(c, v, f);
	if ((v = qd_member(m, "except"))) {
		f->kind = SL_FILTER_EXCEPT;
		return operands_of(c, v, f);
	}
	if ((v = qd_member(m, "text")))
		return match_text(c, v, SL_FILTER_WORDS, f);
	if ((v = qd_member(m, "text_any")))
		return match_text(c, v, SL_FILTER_WORDS_ANY, f);
	if ((v = qd_member(m, "phrase")))
		return match_text(c, v, SL_FILTER_PHRASE, f);
	if ((v = qd_member(m, "substring")))
		return match_substring(c, v, f);
	if ((v = qd_member(m, "prefix")))
		return match_prefix(c, v, f);
	return qd_format_error(c,
			       "match of \"%.100s\": none of value, any, except, text, text_any, "
			       "phrase, prefix, substring",
			       path);
}

/* ---- ranges ----------------------------------------------------------------------------- */

/* A number, or a date. */
static int bound(struct qd_call *c, yyjson_val *v, const char *path, struct sl_operand *ret)
{
	int64_t us;

	if (yyjson_is_num(v) && operand_of(v, ret))
		return 0;
	if (yyjson_is_str(v) && sl_date_parse(yyjson_get_str(v), yyjson_get_len(v), &us)) {
		*ret = (struct sl_operand){.type = SL_VALUE_DATE, .date = us};
		return 0;
	}
	return qd_format_error(c,
			       "range of \"%.100s\": expected numbers, or dates such as "
			       "2024-02-29T12:00:00Z",
			       path);
}

static int range(struct qd_call *c, yyjson_val *m, const char *path, struct sl_filter **ret)
{
	struct sl_filter *f = make(c, SL_FILTER_RANGE, path);
	static const struct {
		const char *name;
		bool high, open;
	} bounds[] = {{"gt", false, true},
		      {"gte", false, false},
		      {"lt", true, true},
		      {"lte", true, false}};
	int err = 0;

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; !err && i < SL_ARRAY_SIZE(bounds); i++) {
		yyjson_val *v = qd_member(m, bounds[i].name);

		if (!v)
			continue;
		err = bound(c, v, path, bounds[i].high ? &f->range.high : &f->range.low);
		if (bounds[i].high)
			f->range.high_open = bounds[i].open;
		else
			f->range.low_open = bounds[i].open;
	}
	*ret = f;
	return err;
}

static int values_count(struct qd_call *c, yyjson_val *m, const char *path, struct sl_filter **ret)
{
	struct sl_filter *f = make(c, SL_FILTER_COUNT, path);
	uint64_t gt = UINT64_MAX, gte = 0, lt = UINT64_MAX, lte = UINT64_MAX;
	int err;

	if (!f)
		return -ENOMEM;
	err = qd_get_uint(c, m, "gt", UINT64_MAX - 1, &gt);
	if (!err)
		err = qd_get_uint(c, m, "gte", UINT64_MAX, &gte);
	if (!err)
		err = qd_get_uint(c, m, "lt", UINT64_MAX, &lt);
	if (!err)
		err = qd_get_uint(c, m, "lte", UINT64_MAX, &lte);
	f->count.min = gt == UINT64_MAX ? gte : sl_max(gte, gt + 1);
	f->count.max = lt == UINT64_MAX ? lte : sl_min(lte, lt - 1);
	if (!lt) { /* fewer than none: no count is between these */
		f->count.min = 1;
		f->count.max = 0;
	}
	*ret = f;
	return err;
}

/* ---- places ----------------------------------------------------------------------------- */

static int place(struct qd_call *c, yyjson_val *v, const char *path, struct sl_place *ret)
{
	yyjson_val *lat = yyjson_obj_get(v, "lat"), *lon = yyjson_obj_get(v, "lon");

	if (!yyjson_is_num(lat) || !yyjson_is_num(lon))
		return qd_format_error(c,
				       "condition on \"%.100s\": expected a place such as "
				       "{\"lon\": 13.4, \"lat\": 52.5}",
				       path);
	*ret = (struct sl_place){yyjson_get_num(lat), yyjson_get_num(lon)};
	return 0;
}

static int geo_radius(struct qd_call *c, yyjson_val *m, const char *path, struct sl_filter **ret)
{
	struct sl_filter *f = make(c, SL_FILTER_RADIUS, path);
	yyjson_val *radius = yyjson_obj_get(m, "radius");
	int err;

	if (!f)
		return -ENOMEM;
	err = place(c, yyjson_obj_get(m, "center"), path, &f->radius.centre);
	if (!err && !yyjson_is_num(radius))
		err = qd_format_error(c, "geo_radius of \"%.100s\": expected a radius in metres",
				      path);
	f->radius.radius_m = yyjson_get_num(radius);
	*ret = f;
	return err;
}

static int geo_box(struct qd_call *c, yyjson_val *m, const char *path, struct sl_filter **ret)
{
	struct sl_filter *f = make(c, SL_FILTER_BOX, path);
	int err;

	if (!f)
		return -ENOMEM;
	err = place(c, yyjson_obj_get(m, "top_left"), path, &f->box.top_left);
	if (!err)
		err = place(c, yyjson_obj_get(m, "bottom_right"), path, &f->box.bottom_right);
	*ret = f;
	return err;
}

/* Qdrant's rings end where they begin. */
static int ring(struct qd_call *c, yyjson_val *v, const char *path, struct sl_ring *ret)
{
	yyjson_val *points = yyjson_obj_get(v, "points"), *point;
	struct sl_place *places =
		http_arena_array(&c->arena, struct sl_place, yyjson_arr_size(points));
	yyjson_arr_iter iter;
	uint32_t n = 0;
	int err = 0;

	if (!places)
		return -ENOMEM;
	if (yyjson_arr_size(points) < 4)
		return qd_format_error(c,
				       "geo_polygon of \"%.100s\": a ring has at least 4 points, "
				       "of which the last is the first",
				       path);
	yyjson_arr_iter_init(points, &iter);
	while (!err && (point = yyjson_arr_iter_next(&iter)))
		err = place(c, point, path, &places[n++]);
	if (!err && memcmp(&places[0], &places[n - 1], sizeof(places[0])))
		err = qd_format_error(c,
				      "geo_polygon of \"%.100s\": the last point of a ring is not "
				      "the first",
				      path);
	*ret = (struct sl_ring){places, n - 1};
	return err;
}

static int geo_polygon(struct qd_call *c, yyjson_val *m, const char *path, struct sl_filter **ret)
{
	yyjson_val *holes = qd_member(m, "interiors"), *hole;
	struct sl_filter *f = make(c, SL_FILTER_POLYGON, path);
	struct sl_ring *rings =
		http_arena_array(&c->arena, struct sl_ring, 1 + yyjson_arr_size(holes));
	yyjson_arr_iter iter;
	uint32_t n = 1;
	int err;

	if (!f || !rings)
		return -ENOMEM;
	err = ring(c, yyjson_obj_get(m, "exterior"), path, &rings[0]);
	yyjson_arr_iter_init(holes, &iter);
	while (!err && (hole = yyjson_arr_iter_next(&iter)))
		err = ring(c, hole, path, &rings[n++]);
	f->rings = rings;
	f->ring_n = n;
	*ret = f;
	return err;
}

/* ---- conditions of a field -------------------------------------------------------------- */

/* {"is_null": false} means what has a value. */
static int flag(struct qd_call *c, enum sl_filter_kind kind, yyjson_val *v, const char *path,
		struct sl_filter **ret)
{
	struct sl_filter *f = make(c, kind, path);
	const struct sl_filter **of;

	if (!yyjson_is_bool(v))
		return qd_format_error(c, "condition on \"%.100s\": expected true or false", path);
	if (!f)
		return -ENOMEM;
	*ret = f;
	if (yyjson_get_bool(v))
		return 0;
	of = http_arena_array(&c->arena, const struct sl_filter *, 1);
	if (!of)
		return -ENOMEM;
	of[0] = f;
	return make_over(c, SL_FILTER_NONE, of, 1, ret);
}

static int is_null(struct qd_call *c, yyjson_val *v, const char *path, struct sl_filter **ret)
{
	return flag(c, SL_FILTER_IS_NULL, v, path, ret);
}

static int is_empty(struct qd_call *c, yyjson_val *v, const char *path, struct sl_filter **ret)
{
	return flag(c, SL_FILTER_IS_EMPTY, v, path, ret);
}

static const struct {
	const char *name;
	int (*read)(struct qd_call *c, yyjson_val *v, const char *path, struct sl_filter **ret);
} field_conditions[] = {
	{"match", match},
	{"range", range},
	{"geo_radius", geo_radius},
	{"geo_bounding_box", geo_box},
	{"geo_polygon", geo_polygon},
	{"values_count", values_count},
	{"is_null", is_null},
	{"is_empty", is_empty},
};

/* All of those that are told of the field hold. */
static int field(struct qd_call *c, yyjson_val *v, struct sl_filter **ret)
{
	const struct sl_filter *of[SL_ARRAY_SIZE(field_conditions)], **kept;
	struct sl_filter *one = NULL;
	const char *path = NULL;
	uint32_t n = 0;
	int err = path_of(c, v, &path);

	for (size_t i = 0; !err && i < SL_ARRAY_SIZE(field_conditions); i++) {
		yyjson_val *told = qd_member(v, field_conditions[i].name);

		if (!told)
			continue;
		err = field_conditions[i].read(c, told, path, &one);
		of[n++] = one;
	}
	if (err)
		return err;
	if (!n)
		return qd_format_error(c, "the condition on \"%.100s\" says nothing", path);
	*ret = one;
	if (n == 1)
		return 0;
	kept = http_arena_array(&c->arena, const struct sl_filter *, n);
	if (!kept)
		return -ENOMEM;
	memcpy(kept, of, n * sizeof(*of));
	return make_over(c, SL_FILTER_ALL, kept, n, ret);
}

/* ---- others ----------------------------------------------------------------------------- */

static int has_id(struct qd_call *c, yyjson_val *v, struct sl_filter **ret)
{
	struct objects_key *keys;
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
	struct sl_filter *f = make(c, SL_FILTER_HAS_VECTOR, NULL);

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
	int err = path_of(c, v, &path);

	if (err)
		return err;
	*ret = make(c, kind, path);
	return *ret ? 0 : -ENOMEM;
}

static int filter(struct reading *r, yyjson_val *v, struct sl_filter **ret);

static int nested(struct reading *r, yyjson_val *v, struct sl_filter **ret)
{
	const struct sl_filter **of = http_arena_array(&r->c->arena, const struct sl_filter *, 1);
	struct sl_filter *inner;
	const char *path = NULL;
	int err = path_of(r->c, v, &path);

	if (!err)
		err = of ? filter(r, yyjson_obj_get(v, "filter"), &inner) : -ENOMEM;
	if (err)
		return err;
	of[0] = inner;
	err = make_over(r->c, SL_FILTER_NESTED, of, 1, ret);
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
		return field(r->c, v, ret);
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
	err = make_over(r->c, kind, of, n, ret);
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
	return make_over(r->c, SL_FILTER_ALL, of, n, ret);
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
	err = make_over(c, SL_FILTER_ALL, of, 2, &f);
	if (!err)
		*ret = f;
	return err;
}

int qd_filter_keys(struct qd_call *c, const struct objects_key *keys, uint32_t n, bool none,
		   const struct sl_filter **ret)
{
	struct sl_filter *f = make(c, SL_FILTER_HAS_KEY, NULL);
	struct sl_filter_key *copies = http_arena_array(&c->arena, struct sl_filter_key, n);
	const struct sl_filter **of = http_arena_array(&c->arena, const struct sl_filter *, 1);
	int err = 0;

	if (!f || !copies || !of)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		copies[i].kind = keys[i].kind;
		memcpy(copies[i].key, keys[i].bytes, sizeof(copies[i].key));
	}
	f->keys = copies;
	f->key_n = n;
	of[0] = f;
	if (none)
		err = make_over(c, SL_FILTER_NONE, of, 1, &f);
	*ret = f;
	return err;
}

/* ---- orders ----------------------------------------------------------------------------- */

static int start_from(struct qd_call *c, yyjson_val *v, struct objects_order *ret)
{
	struct sl_operand *from = http_arena_new(&c->arena, struct sl_operand);

	if (!from)
		return -ENOMEM;
	ret->from = from;
	return bound(c, v, ret->path, from);
}

int qd_order(struct qd_call *c, yyjson_val *v, struct objects_order *ret)
{
	const char *direction = "asc";
	yyjson_val *from;
	int err;

	*ret = (struct objects_order){0};
	if (yyjson_is_str(v)) {
		ret->path = yyjson_get_str(v);
		return 0;
	}
	err = qd_get_string(c, v, "key", &ret->path);
	if (!err)
		err = qd_get_string(c, v, "direction", &direction);
	if (err)
		return err;
	if (!ret->path)
		return qd_format_error(c, "order_by: missing field `key`");
	if (strcmp(direction, "asc") && strcmp(direction, "desc"))
		return qd_format_error(c, "order_by: direction is asc or desc");
	ret->descending = !strcmp(direction, "desc");
	from = qd_member(v, "start_from");
	return from ? start_from(c, from, ret) : 0;
}
