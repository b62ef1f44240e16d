// SPDX-License-Identifier: Apache-2.0
/*
 * Conditions of a field: from Qdrant's JSON to what the values at a path must be.
 *
 * Interface: filter.h. Texts and paths stay in the body.
 *
 * Order of parts: operands; matches; ranges; places; conditions.
 */
#include <errno.h>
#include <string.h>

#include "filter.h"

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
	const struct sl_objects_conf *conf = &c->collection->conf;

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
	struct sl_filter *f = qd_filter_new(c, SL_FILTER_MATCH, path);
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

int qd_filter_bound(struct qd_call *c, yyjson_val *v, const char *path, struct sl_operand *ret)
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
	struct sl_filter *f = qd_filter_new(c, SL_FILTER_RANGE, path);
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
		err = qd_filter_bound(c, v, path, bounds[i].high ? &f->range.high : &f->range.low);
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
	struct sl_filter *f = qd_filter_new(c, SL_FILTER_COUNT, path);
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
	struct sl_filter *f = qd_filter_new(c, SL_FILTER_RADIUS, path);
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
	struct sl_filter *f = qd_filter_new(c, SL_FILTER_BOX, path);
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
	struct sl_filter *f = qd_filter_new(c, SL_FILTER_POLYGON, path);
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

/* ---- conditions ------------------------------------------------------------------------- */

/* {"is_null": false} means what has a value. */
static int flag(struct qd_call *c, enum sl_filter_kind kind, yyjson_val *v, const char *path,
		struct sl_filter **ret)
{
	struct sl_filter *f = qd_filter_new(c, kind, path);
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
	return qd_filter_over(c, SL_FILTER_NONE, of, 1, ret);
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

int qd_filter_field(struct qd_call *c, yyjson_val *v, struct sl_filter **ret)
{
	const struct sl_filter *of[SL_ARRAY_SIZE(field_conditions)], **kept;
	struct sl_filter *one = NULL;
	const char *path = NULL;
	uint32_t n = 0;
	int err = qd_filter_path(c, v, &path);

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
	return qd_filter_over(c, SL_FILTER_ALL, kept, n, ret);
}
