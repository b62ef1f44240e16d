// SPDX-License-Identifier: Apache-2.0
/*
 * Weaviate's where filters as vectors/filter.h has them.
 *
 * Interface: wv_where_build() of weaviate_pvt.h. A filter comes as a value of GraphQL, also where
 * REST brought it as JSON. What a text is compared by are its tokens, as its property says; a
 * property of one token for the whole text is compared as it is.
 *
 * Order of parts: filters; operands; one condition; ids; equality; ranges; several values; places;
 * operators.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "weaviate_pvt.h"

/* @value_name: "valueText" and the like, without "Array" or "List". */
struct where {
	struct wv_call *c;
	const struct wv_class *k;
	char *why;
	const struct wv_property *p; /* of the condition that is read; NULL: the object's id */
	const struct gql_value *value;
	struct http_str value_name;
};

static int __attribute__((format(printf, 2, 3))) wrong(struct where *w, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(w->why, FAULT_BYTES, fmt, args);
	va_end(args);
	return -EINVAL;
}

/* ---- filters ---------------------------------------------------------------------------- */

static struct sl_filter *new_filter(struct where *w, enum sl_filter_kind kind)
{
	struct sl_filter *f = http_arena_new(&w->c->arena, struct sl_filter);

	if (f) {
		f->kind = kind;
		f->path = w->p ? w->p->name : NULL;
	}
	return f;
}

/* One of @kind over @n others. */
static struct sl_filter *over(struct where *w, enum sl_filter_kind kind,
			      const struct sl_filter *const *of, uint32_t n)
{
	struct sl_filter *f = new_filter(w, kind);

	if (f) {
		f->path = NULL;
		f->of = of;
		f->of_n = n;
	}
	return f;
}

static struct sl_filter *over_one(struct where *w, enum sl_filter_kind kind,
				  const struct sl_filter *one)
{
	const struct sl_filter **of = http_arena_array(&w->c->arena, const struct sl_filter *, 1);

	if (!of)
		return NULL;
	of[0] = one;
	return over(w, kind, of, 1);
}

/* ---- operands --------------------------------------------------------------------------- */

static const char *const value_names[DATA_LAST] = {
	[DATA_TEXT] = "valueText",    [DATA_INT] = "valueInt",	 [DATA_NUMBER] = "valueNumber",
	[DATA_DATE] = "valueDate",    [DATA_UUID] = "valueText", [DATA_BOOLEAN] = "valueBoolean",
	[DATA_GEO] = "valueGeoRange",
};

/* Return: 0; -EINVAL: the property's type takes other values. */
static int check_value_name(struct where *w)
{
	const char *wanted = value_names[w->p->type];
	bool text = http_str_is(w->value_name, "valueText") ||
		    http_str_is(w->value_name, "valueString");

	if (!wanted)
		return wrong(w, "property '%.64s' of type %s cannot be filtered by its value",
			     w->p->name, wv_data_type_name(w->p->type));
	if (http_str_is(w->value_name, wanted) ||
	    (text &&
	     (w->p->type == DATA_TEXT || w->p->type == DATA_UUID || w->p->type == DATA_DATE)))
		return 0;
	return wrong(w, "data type filter cannot use \"%.*s\" on type \"%s\", use \"%s\" instead",
		     (int)sl_min(w->value_name.n, (size_t)40), w->value_name.p,
		     wv_data_type_name(w->p->type), wanted);
}

static int read_text_operand(struct where *w, const struct gql_value *v, struct sl_operand *ret)
{
	uint8_t uuid[SL_OBJECT_UUID_BYTES] = {0};

	if (v->kind != GQL_STRING)
		return wrong(w, "property '%.64s': a text is expected", w->p->name);
	ret->text.p = v->text;
	ret->text.n = v->n;
	if (w->p->type == DATA_UUID) {
		ret->type = SL_VALUE_UUID;
		if (!sl_uuid_parse(v->text, v->n, uuid))
			return wrong(w, "property '%.64s': '%.40s' is no UUID", w->p->name,
				     v->text);
		memcpy(ret->uuid, uuid, sizeof(uuid));
	} else if (w->p->type == DATA_DATE) {
		ret->type = SL_VALUE_DATE;
		if (!sl_date_parse(v->text, v->n, &ret->date))
			return wrong(w,
				     "property '%.64s': '%.40s' is no date such as "
				     "2024-02-29T12:00:00Z",
				     w->p->name, v->text);
	}
	return 0;
}

static int read_operand(struct where *w, const struct gql_value *v, struct sl_operand *ret)
{
	*ret = (struct sl_operand){.type = SL_VALUE_TEXT};
	if (w->p->type == DATA_BOOLEAN) {
		if (v->kind != GQL_BOOLEAN)
			return wrong(w, "property '%.64s': true or false is expected", w->p->name);
		*ret = (struct sl_operand){.type = SL_VALUE_BOOLEAN, .boolean = v->boolean};
		return 0;
	}
	if (w->p->type != DATA_INT && w->p->type != DATA_NUMBER)
		return read_text_operand(w, v, ret);
	if (!gql_is_number(v))
		return wrong(w, "property '%.64s': a number is expected", w->p->name);
	if (v->kind == GQL_INTEGER)
		*ret = (struct sl_operand){.type = SL_VALUE_INTEGER, .integer = v->integer};
	else
		*ret = (struct sl_operand){.type = SL_VALUE_NUMBER, .number = v->number};
	return 0;
}

/* ---- one condition ---------------------------------------------------------------------- */

static bool by_tokens(const struct wv_property *p)
{
	return p->type == DATA_TEXT && p->tokeniser.kind != SL_TOKENS_FIELD;
}

/* Equal to the @n operands at @operands: one of them, or all, as @kind says. */
static int match(struct where *w, enum sl_filter_kind kind, const struct gql_value *values,
		 uint32_t n, const struct sl_filter **ret)
{
	struct sl_operand *operands = http_arena_array(&w->c->arena, struct sl_operand, n);
	struct sl_filter *f = new_filter(w, kind);
	int err = operands && f ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < n && !err; i++)
		err = read_operand(w, &values[i], &operands[i]);
	if (err)
		return err;
	f->operands = operands;
	f->operand_n = n;
	*ret = f;
	return 0;
}

static int tokens(struct where *w, enum sl_filter_kind kind, const struct gql_value *v,
		  const struct sl_filter **ret)
{
	struct sl_filter *f = new_filter(w, kind);

	if (!f)
		return -ENOMEM;
	if (v->kind != GQL_STRING)
		return wrong(w, "property '%.64s': a text is expected", w->p->name);
	f->text = v->text;
	f->text_n = v->n;
	f->tokeniser = w->p->tokeniser;
	*ret = f;
	return 0;
}

/* ---- ids -------------------------------------------------------------------------------- */

static int ids(struct where *w, const struct gql_value *values, uint32_t n,
	       const struct sl_filter **ret)
{
	struct sl_filter_key *keys = http_arena_array(&w->c->arena, struct sl_filter_key, n);
	struct sl_filter *f = new_filter(w, SL_FILTER_HAS_KEY);

	if (!keys || !f)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		keys[i].kind = SL_KEY_UUID;
		if (values[i].kind != GQL_STRING ||
		    !sl_uuid_parse(values[i].text, values[i].n, keys[i].key))
			return wrong(w, "id: UUIDs are expected, as texts");
	}
	f->keys = keys;
	f->key_n = n;
	*ret = f;
	return 0;
}

/* ---- equality --------------------------------------------------------------------------- */

static int equal(struct where *w, const struct gql_value *v, const struct sl_filter **ret)
{
	int err;

	if (!w->p)
		return ids(w, v, 1, ret);
	err = check_value_name(w);
	if (err)
		return err;
	if (by_tokens(w->p))
		return tokens(w, SL_FILTER_WORDS, v, ret);
	return match(w, SL_FILTER_MATCH, v, 1, ret);
}

static int op_equal(struct where *w, const struct sl_filter **ret)
{
	if (w->value->kind == GQL_LIST)
		return wrong(w, "Equal takes one value; ContainsAny and ContainsAll take several");
	return equal(w, w->value, ret);
}

static int op_like(struct where *w, const struct sl_filter **ret)
{
	if (!w->p || w->p->type != DATA_TEXT)
		return wrong(w, "Like is for properties of type text");
	return tokens(w, SL_FILTER_LIKE, w->value, ret);
}

static int op_is_null(struct where *w, const struct sl_filter **ret)
{
	struct sl_filter *f = new_filter(w, SL_FILTER_IS_EMPTY);

	if (!w->p || w->value->kind != GQL_BOOLEAN)
		return wrong(w, "IsNull takes a property, and valueBoolean");
	*ret = f && !w->value->boolean ? over_one(w, SL_FILTER_NONE, f) : f;
	return *ret ? 0 : -ENOMEM;
}

/* ---- ranges ----------------------------------------------------------------------------- */

static int range(struct where *w, bool high, bool open, const struct sl_filter **ret)
{
	struct sl_filter *f = new_filter(w, SL_FILTER_RANGE);
	struct sl_operand *bound;
	int err;

	if (!w->p || w->p->type == DATA_BOOLEAN || w->p->type == DATA_UUID)
		return wrong(w, "GreaterThan and LessThan are for numbers, dates and texts");
	err = f ? check_value_name(w) : -ENOMEM;
	if (err)
		return err;
	bound = high ? &f->range.high : &f->range.low;
	f->range.high_open = high && open;
	f->range.low_open = !high && open;
	*ret = f;
	return read_operand(w, w->value, bound);
}

static int op_greater(struct where *w, const struct sl_filter **ret)
{
	return range(w, false, true, ret);
}

static int op_greater_equal(struct where *w, const struct sl_filter **ret)
{
	return range(w, false, false, ret);
}

static int op_less(struct where *w, const struct sl_filter **ret)
{
	return range(w, true, true, ret);
}

static int op_less_equal(struct where *w, const struct sl_filter **ret)
{
	return range(w, true, false, ret);
}

/* ---- several values --------------------------------------------------------------------- */

/* A filter for each of the values, under one of @kind. */
static int each(struct where *w, enum sl_filter_kind kind, const struct gql_value *values,
		uint32_t n, const struct sl_filter **ret)
{
	const struct sl_filter **of = http_arena_array(&w->c->arena, const struct sl_filter *, n);
	int err = of ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < n && !err; i++)
		err = equal(w, &values[i], &of[i]);
	if (err)
		return err;
	*ret = over(w, kind, of, n);
	return *ret ? 0 : -ENOMEM;
}

static int contains(struct where *w, bool all, const struct sl_filter **ret)
{
	bool list = w->value->kind == GQL_LIST;
	const struct gql_value *values = list ? w->value->items : w->value;
	uint32_t n = list ? w->value->n : 1;
	int err;

	if (!n)
		return wrong(w, "ContainsAny, ContainsAll and ContainsNone take a list of values "
				"that is not empty");
	if (!w->p)
		return all && n > 1 ? each(w, SL_FILTER_ALL, values, n, ret)
				    : ids(w, values, n, ret);
	err = check_value_name(w);
	if (err)
		return err;
	if (by_tokens(w->p))
		return each(w, all ? SL_FILTER_ALL : SL_FILTER_ANY, values, n, ret);
	return match(w, all ? SL_FILTER_CONTAINS_ALL : SL_FILTER_MATCH, values, n, ret);
}

static int op_contains_any(struct where *w, const struct sl_filter **ret)
{
	return contains(w, false, ret);
}

static int op_contains_all(struct where *w, const struct sl_filter **ret)
{
	return contains(w, true, ret);
}

/* ---- places ----------------------------------------------------------------------------- */

static int op_geo(struct where *w, const struct sl_filter **ret)
{
	const struct gql_value *at = gql_get(w->value, "geoCoordinates");
	const struct gql_value *distance = gql_get(w->value, "distance");
	const struct gql_value *latitude = at ? gql_get(at, "latitude") : NULL;
	const struct gql_value *longitude = at ? gql_get(at, "longitude") : NULL;
	const struct gql_value *max = distance ? gql_get(distance, "max") : NULL;
	struct sl_filter *f = new_filter(w, SL_FILTER_RADIUS);

	if (!w->p || w->p->type != DATA_GEO)
		return wrong(w, "WithinGeoRange is for properties of type geoCoordinates");
	if (!latitude || !longitude || !max || !gql_is_number(latitude) ||
	    !gql_is_number(longitude) || !gql_is_number(max))
		return wrong(w, "valueGeoRange: {geoCoordinates: {latitude, longitude}, distance: "
				"{max}} is expected, with numbers");
	if (!f)
		return -ENOMEM;
	f->radius.centre = (struct sl_place){gql_number(latitude), gql_number(longitude)};
	f->radius.radius_m = gql_number(max);
	*ret = f;
	return 0;
}

/* ---- operators -------------------------------------------------------------------------- */

/* @negated: what the handler gives is what is not meant. */
static const struct {
	const char *name;
	int (*fn)(struct where *w, const struct sl_filter **ret);
	bool negated;
} operators[] = {
	{"Equal", op_equal, false},
	{"NotEqual", op_equal, true},
	{"GreaterThan", op_greater, false},
	{"GreaterThanEqual", op_greater_equal, false},
	{"LessThan", op_less, false},
	{"LessThanEqual", op_less_equal, false},
	{"Like", op_like, false},
	{"IsNull", op_is_null, false},
	{"ContainsAny", op_contains_any, false},
	{"ContainsAll", op_contains_all, false},
	{"ContainsNone", op_contains_any, true},
	{"WithinGeoRange", op_geo, false},
};

/* The property that "path" names, in w->p. */
static int find_property(struct where *w, const struct gql_value *where)
{
	const struct gql_value *path = gql_get(where, "path");
	const struct gql_value *name =
		path && path->kind == GQL_LIST && path->n == 1 ? &path->items[0] : path;

	if (path && path->kind == GQL_LIST && path->n > 1)
		return wrong(w, "path: filters over references are not served: it has to be one "
				"property of the class");
	if (!name || !gql_is_text(name))
		return wrong(w, "path: a list with the name of a property is expected");
	w->p = NULL;
	if (!strcmp(name->text, "id") || !strcmp(name->text, "_id"))
		return 0;
	w->p = wv_class_property(w->k, name->text, name->n);
	if (w->p)
		return 0;
	return wrong(w,
		     "no such prop with name '%.64s' found in class '%.64s' in the schema. "
		     "Check your schema files for which properties in this class are available",
		     name->text, w->k->name);
}

static void cut_end(struct http_str *s, const char *end)
{
	size_t n = strlen(end);

	if (s->n > n && !memcmp(s->p + s->n - n, end, n))
		s->n -= n;
}

/* The one member whose name begins with "value". */
static int find_value(struct where *w, const struct gql_value *where)
{
	w->value = NULL;
	for (uint32_t i = 0; i < where->n; i++) {
		const struct gql_member *m = &where->members[i];

		if (m->name.n < 6 || memcmp(m->name.p, "value", 5) || m->value.kind == GQL_NULL)
			continue;
		if (w->value)
			return wrong(w, "several values in one filter: one is expected");
		w->value = &m->value;
		w->value_name = m->name;
		cut_end(&w->value_name, "Array");
		cut_end(&w->value_name, "List");
	}
	return w->value ? 0
			: wrong(w, "got operator with no value: valueText, valueInt, … is "
				   "expected");
}

static int build(struct where *w, const struct gql_value *where, uint32_t depth,
		 const struct sl_filter **ret);

/* And, Or, Not. */
static int build_several(struct where *w, enum sl_filter_kind kind, const struct gql_value *where,
			 uint32_t depth, const struct sl_filter **ret)
{
	const struct gql_value *operands = gql_get(where, "operands");
	bool list = operands && operands->kind == GQL_LIST;
	const struct gql_value *items = list ? operands->items : operands;
	uint32_t n = list ? operands->n : operands ? 1 : 0;
	const struct sl_filter **of = http_arena_array(&w->c->arena, const struct sl_filter *, n);
	int err = of ? 0 : -ENOMEM;

	if (!n)
		return wrong(w, "And, Or and Not need operands");
	for (uint32_t i = 0; i < n && !err; i++)
		err = build(w, &items[i], depth + 1, &of[i]);
	if (err)
		return err;
	*ret = over(w, kind, of, n);
	return *ret ? 0 : -ENOMEM;
}

static int build_one(struct where *w, const char *operator, const struct gql_value * where,
		     const struct sl_filter **ret)
{
	int err = find_property(w, where);

	if (!err)
		err = find_value(w, where);
	for (size_t i = 0; i < SL_ARRAY_SIZE(operators) && !err; i++) {
		if (strcmp(operators[i].name, operator))
			continue;
		err = operators[i].fn(w, ret);
		if (!err && operators[i].negated)
			*ret = over_one(w, SL_FILTER_NONE, *ret);
		return err || *ret ? err : -ENOMEM;
	}
	return err ? err : wrong(w, "unrecognized operator: %.40s", operator);
}

static int build(struct where *w, const struct gql_value *where, uint32_t depth,
		 const struct sl_filter **ret)
{
	const struct gql_value *operator= gql_get(where, "operator");

	if (depth == GQL_DEPTH_MAX)
		return wrong(w, "where: filters are more than %d deep", GQL_DEPTH_MAX);
	if (where->kind != GQL_OBJECT || !operator|| !gql_is_text(operator))
		return wrong(w, "where: an object with an operator is expected");
	if (!strcmp(operator->text, "And"))
		return build_several(w, SL_FILTER_ALL, where, depth, ret);
	if (!strcmp(operator->text, "Or"))
		return build_several(w, SL_FILTER_ANY, where, depth, ret);
	if (!strcmp(operator->text, "Not"))
		return build_several(w, SL_FILTER_NONE, where, depth, ret);
	return build_one(w, operator->text, where, ret);
}

int wv_where_build(struct wv_call *c, const struct wv_class *k, const struct gql_value *where,
		   const struct sl_filter **ret_filter, char why[FAULT_BYTES])
{
	struct where w = {.c = c, .k = k, .why = why};
	int err = build(&w, where, 0, ret_filter);

	return err ? err : sl_filter_check(*ret_filter, why, FAULT_BYTES);
}
