// SPDX-License-Identifier: Apache-2.0
/*
 * GraphQL: queries of Get and Aggregate.
 *
 * Interface: the handlers of "/v1/graphql" and "/v1/graphql/batch"; what get.c and aggregate.c
 * share. A query is seen through first: what it names must be there, or all of it is refused. Then
 * its classes are answered one after the other; one that cannot be is null, with its error behind
 * all.
 *
 * Order of parts: what is wrong; fields; numbers; being near; sorting; arguments; plans; answers;
 * handlers.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "routes.h"
#include "weaviate_pvt.h"

/* ---- what is wrong ---------------------------------------------------------------------- */

int wv_query_wrong(struct wv_query *q, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(q->error.text, sizeof(q->error.text), fmt, args);
	va_end(args);
	q->error.line = q->error.column = 0;
	return -EPROTO;
}

/* This class cannot be answered, others may. */
static int __attribute__((format(printf, 2, 3))) plan_wrong(struct wv_plan *p, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, args);
	va_end(args);
	return 0;
}

#define STR(s) (int)sl_min((s).n, (size_t)64), (s).p

/* ---- fields ----------------------------------------------------------------------------- */

static uint32_t count_fields(const struct gql_selection *s)
{
	uint32_t n = 0;

	for (; s; s = s->next)
		n += s->fragment ? count_fields(s->first) : 1;
	return n;
}

static uint32_t flatten(const struct gql_selection *s, const char *type,
			const struct gql_selection **fields)
{
	uint32_t n = 0;

	for (; s; s = s->next) {
		if (!s->fragment)
			fields[n++] = s;
		else if (!s->name.n || gql_name_is(s, type))
			n += flatten(s->first, type, fields + n);
	}
	return n;
}

int wv_query_flatten(struct wv_query *q, const struct gql_selection *first, const char *type,
		     const struct gql_selection *const **ret_fields, uint32_t *ret_n)
{
	const struct gql_selection **fields =
		http_arena_array(&q->c->arena, const struct gql_selection *, count_fields(first));

	if (!fields)
		return -ENOMEM;
	*ret_fields = fields;
	*ret_n = flatten(first, type, fields);
	return 0;
}

/* ---- numbers ---------------------------------------------------------------------------- */

static int read_count(struct wv_query *q, const struct gql_member *m, uint32_t *ret_n)
{
	const struct gql_value *v = &m->value;

	if (v->kind != GQL_INTEGER || v->integer < 0)
		return wv_query_wrong(q,
				      "Argument \"%.*s\" has invalid value: a number that is not "
				      "negative is expected",
				      STR(m->name));
	*ret_n = (uint32_t)sl_min(v->integer, (int64_t)UINT32_MAX);
	return 0;
}

static int read_limit(struct wv_query *q, struct wv_plan *p, const struct gql_member *m)
{
	p->limited = true;
	return read_count(q, m, &p->f.limit);
}

static int read_offset(struct wv_query *q, struct wv_plan *p, const struct gql_member *m)
{
	return read_count(q, m, &p->f.offset);
}

static int read_after(struct wv_query *q, struct wv_plan *p, const struct gql_member *m)
{
	const struct gql_value *v = &m->value;
	uint8_t uuid[SL_OBJECT_UUID_BYTES];

	if (v->kind == GQL_STRING && !v->n)
		return 0;
	if (v->kind != GQL_STRING || !sl_uuid_parse(v->text, v->n, uuid))
		return wv_query_wrong(q, "Argument \"after\" has invalid value: an id is expected");
	p->f.after = objects_key_uuid(uuid);
	return 0;
}

/* ---- being near ------------------------------------------------------------------------- */

/* "distance", or "certainty" as is said where the distance is of cosine. */
static int read_bound(struct wv_plan *p, const struct gql_value *near)
{
	const struct gql_value *distance = gql_get(near, "distance");
	const struct gql_value *certainty = gql_get(near, "certainty");
	const struct gql_value *given = distance ? distance : certainty;

	if (!given)
		return 0;
	if (distance && certainty)
		return plan_wrong(p, "near: certainty and distance together: one is expected");
	if (!gql_is_number(given))
		return plan_wrong(p, "near: %s: a number is expected",
				  distance ? "distance" : "certainty");
	if (certainty && p->f.vector->metric != SL_METRIC_COSINE)
		return plan_wrong(p, "near: certainty is for the distance cosine; set distance");
	p->f.bounded = true;
	p->f.distance_max = (float)(distance ? gql_number(given) : 2 * (1 - gql_number(given)));
	return 0;
}

/* "targetVectors": which of the class's vectors. */
static int read_target(struct wv_plan *p, const struct gql_value *near)
{
	const struct gql_value *targets = gql_get(near, "targetVectors");
	const char *name = wv_class_only_vector(p->f.k);

	if (targets && targets->kind == GQL_LIST && targets->n > 1)
		return plan_wrong(p, "targetVectors: several vectors at once are not served");
	if (targets && targets->kind == GQL_LIST)
		targets = targets->n ? targets->items : NULL;
	if (targets && !gql_is_text(targets))
		return plan_wrong(p, "targetVectors: a list with the name of a vector is expected");
	name = targets ? targets->text : name;
	p->f.vector = wv_class_vector(p->f.k, name);
	if (p->f.vector)
		return 0;
	return plan_wrong(p,
			  *name ? "class %.64s has no vector '%.64s'"
				: "class %.64s has several vectors: set targetVectors%.0s",
			  p->f.k->name, name);
}

static int read_values(struct wv_query *q, struct wv_plan *p, const struct gql_value *vector)
{
	float *values = http_arena_array(&q->c->arena, float, vector->n);

	if (!values)
		return -ENOMEM;
	for (uint32_t i = 0; i < vector->n; i++) {
		if (!gql_is_number(&vector->items[i]))
			return plan_wrong(p, "nearVector: vector: numbers are expected");
		values[i] = (float)gql_number(&vector->items[i]);
	}
	p->f.values = values;
	p->f.dim = vector->n;
	return 0;
}

static int read_near_vector(struct wv_query *q, struct wv_plan *p, const struct gql_member *m)
{
	const struct gql_value *vector = gql_get(&m->value, "vector");
	int err = read_target(p, &m->value);

	if (!err && !*p->why)
		err = read_bound(p, &m->value);
	if (err || *p->why)
		return err;
	if (!vector || vector->kind != GQL_LIST || !vector->n)
		return plan_wrong(p, "nearVector: vector: a list of numbers is expected");
	return read_values(q, p, vector);
}

/* The object's own vector; it is copied, for what holds it ends. */
static int take_vector(struct wv_query *q, struct wv_plan *p, const struct sl_object *o)
{
	enum sl_vector_type type;
	uint32_t dim;
	const void *data = sl_object_vector(o, p->f.vector->name, &type, &dim);
	float *values;

	if (!data || type != SL_VECTOR_F32)
		return plan_wrong(p, "vector search: nearObject: the object has no vector");
	values = http_arena_array(&q->c->arena, float, dim);
	if (!values)
		return -ENOMEM;
	memcpy(values, data, dim * sizeof(*values));
	p->f.values = values;
	p->f.dim = dim;
	return 0;
}

static int look_up(struct wv_query *q, struct wv_plan *p, const struct wv_class *k,
		   const uint8_t *uuid)
{
	struct objects_hit hit;
	int err = wv_find_object(q->c, k, uuid, &hit);

	if (err == -ENOENT)
		return plan_wrong(p, "vector search: nearObject: vector not found");
	if (err)
		return err;
	err = take_vector(q, p, hit.object);
	objects_release(&hit, 1);
	return err;
}

/* "id", or "beacon", which may be of another class. */
static int read_near_object(struct wv_query *q, struct wv_plan *p, const struct gql_member *m)
{
	const struct gql_value *id = gql_get(&m->value, "id");
	const struct gql_value *text = gql_get(&m->value, "beacon");
	const struct wv_class *k = p->f.k;
	struct wv_beacon beacon = {0};
	int err = read_target(p, &m->value);

	if (!err && !*p->why)
		err = read_bound(p, &m->value);
	if (err || *p->why)
		return err;
	text = text ? text : id;
	if (!text || text->kind != GQL_STRING ||
	    !(text == id ? sl_uuid_parse(text->text, text->n, beacon.uuid)
			 : wv_beacon_parse((struct http_str){text->text, text->n}, false, &beacon)))
		return plan_wrong(p, "nearObject: id: a UUID is expected");
	if (beacon.class.n) {
		const char *name = wv_class_name(q->c, beacon.class.p, beacon.class.n);

		err = name ? wv_class_find(q->c, name, &k) : -ENOMEM;
		if (err || !k)
			return err ? err : plan_wrong(p, "nearObject: there is no such class");
		err = k->tenancy.on ? wv_tenant_find(q->c, k, q->tenant, &k, p->why) : 0;
		if (err)
			return err == -EINVAL ? 0 : err;
	}
	return look_up(q, p, k, beacon.uuid);
}

/* ---- sorting ---------------------------------------------------------------------------- */

static int read_sort_key(struct wv_plan *p, const struct gql_value *v, struct wv_sort_key *ret_key)
{
	const struct gql_value *path = gql_get(v, "path"), *order = gql_get(v, "order");

	if (path && path->kind == GQL_LIST)
		path = path->n == 1 ? path->items : NULL;
	if (!path || !gql_is_text(path) || (order && !gql_is_text(order)))
		return plan_wrong(p, "sort: [{path: [\"property\"], order: asc}] is expected");
	if (!wv_sort_key_of(p->f.k, path->text, order ? order->text : "asc", ret_key))
		return plan_wrong(p, "sort: no such prop with name '%.64s' found in class '%.64s'",
				  path->text, p->f.k->name);
	return 0;
}

static int read_sort(struct wv_query *q, struct wv_plan *p, const struct gql_member *m)
{
	bool list = m->value.kind == GQL_LIST;
	const struct gql_value *items = list ? m->value.items : &m->value;
	uint32_t n = list ? m->value.n : 1;
	struct wv_sort_key *keys = http_arena_array(&q->c->arena, struct wv_sort_key, n);
	int err = keys ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < n && !err; i++)
		err = read_sort_key(p, &items[i], &keys[i]);
	p->f.sort = keys;
	p->f.sort_n = n;
	return err;
}

/* ---- arguments -------------------------------------------------------------------------- */

static int read_where(struct wv_query *q, struct wv_plan *p, const struct gql_member *m)
{
	int err = wv_where_build(q->c, p->f.k, &m->value, &p->f.filter, p->why);

	return err == -EINVAL ? 0 : err;
}

static int pass_over(struct wv_query *q, struct wv_plan *p, const struct gql_member *m)
{
	return 0;
}

/* What plan_class() and aggregate.c read by themselves is passed over here. @get, @aggregate: where
 * it may stand. */
static const struct {
	const char *name;
	int (*read)(struct wv_query *q, struct wv_plan *p, const struct gql_member *m);
	bool get, aggregate;
} arguments[] = {
	{"where", read_where, true, true},
	{"nearVector", read_near_vector, true, true},
	{"nearObject", read_near_object, true, true},
	{"limit", read_limit, true, true},
	{"tenant", pass_over, true, true},
	{"offset", read_offset, true, false},
	{"after", read_after, true, false},
	{"sort", read_sort, true, false},
	{"consistencyLevel", pass_over, true, false},
	{"objectLimit", pass_over, false, true},
	{"groupBy", pass_over, false, true},
};

static int read_argument(struct wv_query *q, struct wv_plan *p, const struct gql_member *m,
			 bool get)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(arguments); i++) {
		if (strlen(arguments[i].name) != m->name.n ||
		    memcmp(arguments[i].name, m->name.p, m->name.n) ||
		    !(get ? arguments[i].get : arguments[i].aggregate))
			continue;
		if (m->value.kind == GQL_NULL || *p->why)
			return 0;
		return arguments[i].read(q, p, m);
	}
	return wv_query_wrong(q,
			      "Argument \"%.*s\" on field \"%.64s\" is not served here: where, "
			      "nearVector, nearObject and limit are, and docs/weaviate.md has all",
			      STR(m->name), p->f.k->name);
}

/* A search that is bounded by a distance alone gives all that is so near. */
static int check_limits(struct wv_plan *p, bool get)
{
	struct wv_finding *f = &p->f;

	if (!get || *p->why)
		return 0;
	if (!p->limited)
		f->limit = f->bounded ? RESULTS_MAX - sl_min(f->offset, (uint32_t)RESULTS_MAX)
				      : LIMIT_DEFAULT;
	if ((uint64_t)f->limit + f->offset > RESULTS_MAX)
		return plan_wrong(p,
				  "query maximum results exceeded: offset and limit together "
				  "are at most %d",
				  RESULTS_MAX);
	if (f->after.kind != SL_KEY_NONE && (f->vector || f->sort_n || f->offset || f->filter))
		return plan_wrong(p, "after: cannot be combined with where, sort, offset and near");
	return 0;
}

static int read_arguments(struct wv_query *q, struct wv_plan *p, bool get)
{
	const struct gql_value *args = &p->selection->args;
	int err = 0;

	for (uint32_t i = 0; i < args->n && !err; i++)
		err = read_argument(q, p, &args->members[i], get);
	return err ? err : check_limits(p, get);
}

/* ---- plans ------------------------------------------------------------------------------ */

static const struct operation {
	const char *name, *type;
	int (*plan)(struct wv_query *q, struct wv_plan *p);
	int (*run)(struct wv_query *q, struct wv_plan *p);
	bool get;
} operations[] = {
	{"Get", "GetObjectsObj", wv_get_plan, wv_get_run, true},
	{"Aggregate", "AggregateObjectsObj", wv_aggregate_plan, wv_aggregate_run, false},
};

/* One field of the query, with a plan for each class. */
struct part {
	const struct operation *op;
	const struct gql_selection *selection;
	struct wv_plan *plans;
	struct part *next;
};

/* p->f.k as it is for the "tenant" of the arguments; what it refers to is looked for there, too. */
static int take_tenant(struct wv_query *q, struct wv_plan *p)
{
	const struct gql_value *v = gql_get(&p->selection->args, "tenant");
	int err;

	q->tenant = v && v->kind == GQL_STRING ? v->text : NULL;
	err = wv_tenant_find(q->c, p->f.k, q->tenant, &p->f.k, p->why);
	return err == -EINVAL ? 0 : err;
}

static int plan_class(struct wv_query *q, const struct operation *op, const struct gql_selection *s,
		      struct wv_plan **ret_plan)
{
	struct wv_plan *p = http_arena_new(&q->c->arena, struct wv_plan);
	const char *name = http_arena_text(&q->c->arena, s->name.p, s->name.n);
	int err = p && name ? wv_class_find(q->c, name, &p->f.k) : -ENOMEM;

	if (err)
		return err;
	if (!p->f.k)
		return wv_query_wrong(q, "Cannot query field \"%.64s\" on type \"%s\"", name,
				      op->type);
	p->selection = s;
	err = take_tenant(q, p);
	if (!err)
		err = op->plan(q, p);
	if (!err)
		err = read_arguments(q, p, op->get);
	*ret_plan = p;
	return err;
}

static int plan_part(struct wv_query *q, const struct gql_selection *s, struct part **ret_part)
{
	struct part *part = http_arena_new(&q->c->arena, struct part);
	const struct gql_selection *const *fields;
	struct wv_plan **last;
	uint32_t n;
	int err = part ? 0 : -ENOMEM;

	if (err)
		return err;
	*part = (struct part){.selection = s};
	last = &part->plans;
	for (size_t i = 0; i < SL_ARRAY_SIZE(operations); i++)
		if (gql_name_is(s, operations[i].name))
			part->op = &operations[i];
	if (!part->op)
		return wv_query_wrong(q,
				      "Cannot query field \"%.*s\" on type \"WeaviateObj\": Get "
				      "and Aggregate are served",
				      STR(s->name));
	err = wv_query_flatten(q, s->first, part->op->type, &fields, &n);
	for (uint32_t i = 0; i < n && !err; i++) {
		err = plan_class(q, part->op, fields[i], last);
		last = err ? last : &(*last)->next;
	}
	*ret_part = part;
	return err;
}

static int plan_query(struct wv_query *q, const struct gql_selection *first,
		      struct part **ret_parts)
{
	const struct gql_selection *const *fields;
	struct part **last = ret_parts;
	uint32_t n;
	int err = wv_query_flatten(q, first, "WeaviateObj", &fields, &n);

	for (uint32_t i = 0; i < n && !err; i++) {
		err = plan_part(q, fields[i], last);
		last = err ? last : &(*last)->next;
	}
	return err;
}

/* ---- answers ---------------------------------------------------------------------------- */

static void put_message(struct http_json *j, const char *text, uint32_t line, uint32_t column)
{
	http_json_key(j, "message");
	http_json_string(j, text);
	http_json_key(j, "locations");
	http_json_open(j, '[');
	if (line) {
		http_json_open(j, '{');
		http_json_key(j, "line");
		http_json_uint(j, line);
		http_json_key(j, "column");
		http_json_uint(j, column);
		http_json_close(j, '}');
	}
	http_json_close(j, ']');
	http_json_key(j, "path");
}

static void put_refusal(struct wv_call *c, const struct gql_error *e)
{
	struct http_json *j = &c->json;

	c->rs->wrong = true;
	http_json_open(j, '{');
	http_json_key(j, "data");
	http_json_null(j);
	http_json_key(j, "errors");
	http_json_open(j, '[');
	http_json_open(j, '{');
	put_message(j, e->text, e->line, e->column);
	http_json_null(j);
	http_json_close(j, '}');
	http_json_close(j, ']');
	http_json_close(j, '}');
}

static int put_part(struct wv_query *q, struct part *part)
{
	struct http_json *j = &q->c->json;
	int err = 0;

	http_json_key_n(j, part->selection->alias.p, part->selection->alias.n);
	http_json_open(j, '{');
	for (struct wv_plan *p = part->plans; p && !err; p = p->next) {
		http_json_key_n(j, p->selection->alias.p, p->selection->alias.n);
		err = *p->why ? -EINVAL : part->op->run(q, p);
		if (err == -EINVAL) {
			http_json_null(j);
			err = 0;
		}
	}
	http_json_close(j, '}');
	return err;
}

static void put_errors(struct wv_call *c, const struct part *parts)
{
	struct http_json *j = &c->json;
	bool any = false;

	for (const struct part *part = parts; part; part = part->next) {
		for (const struct wv_plan *p = part->plans; p; p = p->next) {
			if (!*p->why)
				continue;
			if (!any) {
				http_json_key(j, "errors");
				http_json_open(j, '[');
			}
			any = true;
			http_json_open(j, '{');
			put_message(j, p->why, 0, 0);
			http_json_open(j, '[');
			http_json_text(j, part->selection->alias.p, part->selection->alias.n);
			http_json_text(j, p->selection->alias.p, p->selection->alias.n);
			http_json_close(j, ']');
			http_json_close(j, '}');
		}
	}
	c->rs->wrong |= any;
	if (any)
		http_json_close(j, ']');
}

static int put_answer(struct wv_query *q, struct part *parts)
{
	struct http_json *j = &q->c->json;
	int err = 0;

	http_json_open(j, '{');
	http_json_key(j, "data");
	http_json_open(j, '{');
	for (struct part *part = parts; part && !err; part = part->next)
		err = put_part(q, part);
	http_json_close(j, '}');
	put_errors(q->c, parts);
	http_json_close(j, '}');
	return err;
}

/* ---- handlers --------------------------------------------------------------------------- */

/* One query; @json: as clients send it. */
static int answer_query(struct wv_call *c, yyjson_val *json)
{
	yyjson_val *text = yyjson_obj_get(json, "query");
	yyjson_val *name = yyjson_obj_get(json, "operationName");
	struct http_str operation = {yyjson_get_str(name), yyjson_get_len(name)};
	const struct gql_selection *first;
	struct part *parts = NULL;
	struct wv_query q = {.c = c};
	int err;

	if (!yyjson_is_str(text))
		err = wv_query_wrong(&q,
				     "query: a text is expected: {\"query\": \"{ Get { ... } }\"}");
	else
		err = gql_parse(&c->arena, (char *)yyjson_get_str(text), yyjson_get_len(text),
				operation, yyjson_obj_get(json, "variables"), &first, &q.error);
	if (!err)
		err = plan_query(&q, first, &parts);
	if (err == -EPROTO) {
		put_refusal(c, &q.error);
		return 0;
	}
	if (!err)
		err = put_answer(&q, parts);
	return err < 0 ? wv_failed(c, err, "") : err;
}

int wv_graphql_post(struct wv_call *c)
{
	yyjson_val *body;
	int res = wv_call_body(c, &body);

	return res ? res : answer_query(c, body);
}

int wv_graphql_batch_post(struct wv_call *c)
{
	yyjson_arr_iter iter;
	yyjson_val *body, *v;
	int res = wv_call_body(c, &body);

	if (res)
		return res;
	if (!yyjson_is_arr(body))
		return wv_refuse(c, 422, "a list of queries is expected");
	http_json_open(&c->json, '[');
	yyjson_arr_iter_init(body, &iter);
	while (!res && (v = yyjson_arr_iter_next(&iter)))
		res = answer_query(c, v);
	if (!res)
		http_json_close(&c->json, ']');
	return res;
}
