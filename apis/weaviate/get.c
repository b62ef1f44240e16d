// SPDX-License-Identifier: Apache-2.0
/*
 * GraphQL's Get: objects, and of each what is selected.
 *
 * Interface: wv_get_plan() and wv_get_run() of weaviate_pvt.h. What is selected is held against the
 * class once, and is a tree of fields then; each object is written by walking it.
 *
 * Order of parts: fields; what is about an object; selecting; values; references; objects; calls.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "weaviate_pvt.h"

/* ---- fields ----------------------------------------------------------------------------- */

enum field_kind {
	FIELD_VALUE, /* a property, or a member of one */
	FIELD_REFERENCE,
	FIELD_ADDITIONAL, /* "_additional", and what is below it */
	FIELD_TYPE, /* "__typename" */
};

struct wv_fields;

/* Fields of the objects of one class that a reference may lead to. */
struct target {
	const struct wv_class *k;
	const struct wv_fields *fields;
};

struct shown;

/**
 * struct field - @selection: its name and alias. @sub: what is selected of a map, and of what is
 * about an object; NULL: all of it. @shown: one thing about an object.
 */
struct field {
	enum field_kind kind;
	const struct gql_selection *selection;
	const struct wv_fields *sub;
	const struct target *targets;
	uint32_t targets_n;
	const struct shown *shown;
};

struct wv_fields {
	uint32_t n;
	struct field v[];
};

static struct wv_fields *new_fields(struct wv_query *q, uint32_t n)
{
	struct wv_fields *f = http_arena_zero(&q->c->arena, 1, sizeof(*f) + n * sizeof(f->v[0]));

	if (f)
		f->n = n;
	return f;
}

/* ---- what is about an object ------------------------------------------------------------ */

/* An object that is written. @f: what it was found by; @hit: NULL: it was referred to. */
struct about {
	struct wv_query *q;
	const struct wv_class *k;
	const struct wv_finding *f;
	const struct objects_hit *hit;
	const struct sl_object *o;
};

static bool has_distance(const struct about *a)
{
	return a->hit && a->f->vector;
}

static float distance(const struct about *a)
{
	return wv_distance_of(a->f->vector->metric, a->hit->score);
}

static void show_id(struct http_json *j, const struct about *a, const struct field *f)
{
	const uint8_t *uuid;

	sl_object_key(a->o, &uuid);
	http_json_uuid(j, uuid);
}

static void show_vector(struct http_json *j, const struct about *a, const struct field *f)
{
	wv_vector_print(j, a->o, wv_class_only_vector(a->k));
}

static void show_vectors(struct http_json *j, const struct about *a, const struct field *f)
{
	http_json_open(j, '{');
	for (uint32_t i = 0; f->sub && i < f->sub->n; i++) {
		const struct gql_selection *s = f->sub->v[i].selection;
		const char *name = http_arena_text(&a->q->c->arena, s->name.p, s->name.n);

		http_json_key_n(j, s->alias.p, s->alias.n);
		if (name)
			wv_vector_print(j, a->o, name);
		else
			http_json_null(j);
	}
	http_json_close(j, '}');
}

static void show_distance(struct http_json *j, const struct about *a, const struct field *f)
{
	if (has_distance(a))
		http_json_float(j, distance(a));
	else
		http_json_null(j);
}

static void show_certainty(struct http_json *j, const struct about *a, const struct field *f)
{
	if (has_distance(a) && a->f->vector->metric == SL_METRIC_COSINE)
		http_json_float(j, 1 - distance(a) / 2);
	else
		http_json_null(j);
}

/* Times are texts there. */
static void show_ms(struct http_json *j, int64_t ms)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, ms);
	http_json_string(j, text);
}

static void show_created(struct http_json *j, const struct about *a, const struct field *f)
{
	show_ms(j, sl_object_created_ms(a->o));
}

static void show_updated(struct http_json *j, const struct about *a, const struct field *f)
{
	show_ms(j, sl_object_updated_ms(a->o));
}

/* Of searches by words, which are not served. */
static void show_null(struct http_json *j, const struct about *a, const struct field *f)
{
	http_json_null(j);
}

static void show_consistent(struct http_json *j, const struct about *a, const struct field *f)
{
	http_json_bool(j, true);
}

struct shown {
	const char *name;
	void (*show)(struct http_json *j, const struct about *a, const struct field *f);
};

static const struct shown shown[] = {
	{"id", show_id},
	{"vector", show_vector},
	{"vectors", show_vectors},
	{"distance", show_distance},
	{"certainty", show_certainty},
	{"creationTimeUnix", show_created},
	{"lastUpdateTimeUnix", show_updated},
	{"score", show_null},
	{"explainScore", show_null},
	{"isConsistent", show_consistent},
};

static const struct shown *find_shown(const struct gql_selection *s)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(shown); i++)
		if (gql_name_is(s, shown[i].name))
			return &shown[i];
	return NULL;
}

/* ---- selecting -------------------------------------------------------------------------- */

static int select_class(struct wv_query *q, const struct wv_class *k,
			const struct gql_selection *first, const struct wv_fields **ret_fields);

/* Members of a map, by any names. */
static int select_members(struct wv_query *q, const struct gql_selection *first,
			  const struct wv_fields **ret_fields)
{
	const struct gql_selection *const *fields;
	struct wv_fields *f;
	uint32_t n;
	int err = wv_query_flatten(q, first, "", &fields, &n);

	if (err)
		return err;
	f = new_fields(q, n);
	if (!f)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && !err; i++) {
		f->v[i].selection = fields[i];
		if (fields[i]->first)
			err = select_members(q, fields[i]->first, &f->v[i].sub);
	}
	*ret_fields = f;
	return err;
}

static int select_additional(struct wv_query *q, const struct wv_class *k,
			     const struct gql_selection *first, const struct wv_fields **ret_fields)
{
	struct wv_fields *f;
	int err = select_members(q, first, ret_fields);

	f = (struct wv_fields *)*ret_fields;
	for (uint32_t i = 0; !err && i < f->n; i++) {
		const struct gql_selection *s = f->v[i].selection;

		f->v[i].shown = find_shown(s);
		if (!f->v[i].shown)
			err = wv_query_wrong(q,
					     "Cannot query field \"%.*s\" on type "
					     "\"%.64sAdditional\"",
					     (int)sl_min(s->name.n, (size_t)64), s->name.p,
					     k->name);
	}
	return err;
}

static int select_target(struct wv_query *q, const struct gql_selection *s, struct target *ret)
{
	const char *name = http_arena_text(&q->c->arena, s->name.p, s->name.n);
	char why[FAULT_BYTES];
	int err = name ? wv_class_find(q->c, name, &ret->k) : -ENOMEM;

	if (err)
		return err;
	if (!ret->k)
		return wv_query_wrong(q, "Unknown type \"%.64s\"", name);
	/* Of another tenancy nothing is found. */
	if (ret->k->tenancy.on) {
		err = wv_tenant_find(q->c, ret->k, q->tenant, &ret->k, why);
		if (err && err != -EINVAL)
			return err;
	}
	return select_class(q, ret->k, s->first, &ret->fields);
}

/* What is selected by "... on Class". */
static int select_targets(struct wv_query *q, const struct gql_selection *first, struct field *f)
{
	struct target *targets;
	uint32_t n = 0;
	int err = 0;

	for (const struct gql_selection *s = first; s; s = s->next)
		n++;
	targets = http_arena_array(&q->c->arena, struct target, n);
	if (!targets)
		return -ENOMEM;
	f->targets = targets;
	for (const struct gql_selection *s = first; s && !err; s = s->next) {
		if (!s->fragment && gql_name_is(s, "__typename"))
			continue;
		if (!s->fragment || !s->name.n)
			return wv_query_wrong(q,
					      "Of a reference fields are selected by ... on Class");
		err = select_target(q, s, &targets[f->targets_n++]);
	}
	return err;
}

static int select_field(struct wv_query *q, const struct wv_class *k, struct field *f)
{
	const struct gql_selection *s = f->selection;
	const struct wv_property *p = wv_class_property(k, s->name.p, s->name.n);

	if (gql_name_is(s, "_additional")) {
		f->kind = FIELD_ADDITIONAL;
		return select_additional(q, k, s->first, &f->sub);
	}
	if (gql_name_is(s, "__typename")) {
		f->kind = FIELD_TYPE;
		return 0;
	}
	if (!p)
		return wv_query_wrong(q, "Cannot query field \"%.*s\" on type \"%.64s\"",
				      (int)sl_min(s->name.n, (size_t)64), s->name.p, k->name);
	if (p->type == DATA_REFERENCE) {
		f->kind = FIELD_REFERENCE;
		return select_targets(q, s->first, f);
	}
	f->kind = FIELD_VALUE;
	return s->first ? select_members(q, s->first, &f->sub) : 0;
}

static int select_class(struct wv_query *q, const struct wv_class *k,
			const struct gql_selection *first, const struct wv_fields **ret_fields)
{
	const struct gql_selection *const *fields;
	struct wv_fields *f;
	uint32_t n;
	int err = wv_query_flatten(q, first, k->name, &fields, &n);

	if (err)
		return err;
	f = new_fields(q, n);
	if (!f)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && !err; i++) {
		f->v[i].selection = fields[i];
		err = select_field(q, k, &f->v[i]);
	}
	*ret_fields = f;
	return err;
}

/* ---- values ----------------------------------------------------------------------------- */

static void put_value(struct http_json *j, const struct sl_value *v, const struct wv_fields *sub);

static void put_place(struct http_json *j, const struct sl_value *v, const struct wv_fields *sub)
{
	double latitude, longitude;

	sl_value_geo(v, &latitude, &longitude);
	http_json_open(j, '{');
	for (uint32_t i = 0; i < sub->n; i++) {
		const struct gql_selection *s = sub->v[i].selection;

		http_json_key_n(j, s->alias.p, s->alias.n);
		if (gql_name_is(s, "latitude"))
			http_json_double(j, latitude);
		else if (gql_name_is(s, "longitude"))
			http_json_double(j, longitude);
		else
			http_json_null(j);
	}
	http_json_close(j, '}');
}

static void put_map(struct http_json *j, const struct sl_value *v, const struct wv_fields *sub)
{
	http_json_open(j, '{');
	for (uint32_t i = 0; i < sub->n; i++) {
		const struct gql_selection *s = sub->v[i].selection;

		http_json_key_n(j, s->alias.p, s->alias.n);
		put_value(j, sl_value_get(v, s->name.p, s->name.n), sub->v[i].sub);
	}
	http_json_close(j, '}');
}

static void put_list(struct http_json *j, const struct sl_value *v, const struct wv_fields *sub)
{
	http_json_open(j, '[');
	for (uint32_t i = 0; i < sl_value_count(v); i++)
		put_value(j, sl_value_at(v, i), sub);
	http_json_close(j, ']');
}

/* @v: NULL: there is none. @sub: NULL: all of it. */
static void put_value(struct http_json *j, const struct sl_value *v, const struct wv_fields *sub)
{
	if (!v)
		http_json_null(j);
	else if (sub && sl_value_type(v) == SL_VALUE_GEO)
		put_place(j, v, sub);
	else if (sub && sl_value_type(v) == SL_VALUE_MAP)
		put_map(j, v, sub);
	else if (sub && sl_value_type(v) == SL_VALUE_LIST)
		put_list(j, v, sub);
	else
		http_json_value(j, SL_JSON_OBJECT, v);
}

/* ---- references ------------------------------------------------------------------------- */

static int put_object(const struct about *a, const struct wv_fields *fields);

static const struct target *target_of(const struct field *f, const char *name, size_t n)
{
	for (uint32_t i = 0; i < f->targets_n; i++)
		if (!strncmp(f->targets[i].k->name, name, n) && !f->targets[i].k->name[n])
			return &f->targets[i];
	/* From long ago, when beacons had no class. */
	return !n && f->targets_n == 1 ? &f->targets[0] : NULL;
}

/* One object that is referred to, unless it is gone. */
static int put_referred(const struct about *from, const struct target *t, const uint8_t *uuid)
{
	struct objects_hit hit;
	struct about a = {.q = from->q, .k = t->k};
	int err = wv_find_object(from->q->c, t->k, uuid, &hit);

	if (err)
		return err == -ENOENT ? 0 : err;
	a.o = hit.object;
	err = put_object(&a, t->fields);
	objects_release(&hit, 1);
	return err;
}

static int put_references(const struct about *a, const struct field *f)
{
	struct http_json *j = &a->q->c->json;
	const struct gql_selection *s = f->selection;
	uint32_t n = 0;
	int err = 0;

	for (uint32_t i = 0; i < sl_object_reference_count(a->o) && !err; i++) {
		const struct target *t;
		const char *name, *target;
		size_t name_n, target_n;
		const uint8_t *uuid =
			sl_object_reference_at(a->o, i, &name, &name_n, &target, &target_n);

		if (name_n != s->name.n || memcmp(name, s->name.p, name_n))
			continue;
		if (!n++)
			http_json_open(j, '[');
		t = target_of(f, target, target_n);
		err = t ? put_referred(a, t, uuid) : 0;
	}
	if (n)
		http_json_close(j, ']');
	else
		http_json_null(j);
	return err;
}

/* ---- objects ---------------------------------------------------------------------------- */

static void put_additional(const struct about *a, const struct wv_fields *sub)
{
	struct http_json *j = &a->q->c->json;

	http_json_open(j, '{');
	for (uint32_t i = 0; i < sub->n; i++) {
		const struct field *f = &sub->v[i];

		http_json_key_n(j, f->selection->alias.p, f->selection->alias.n);
		f->shown->show(j, a, f);
	}
	http_json_close(j, '}');
}

static int put_field(const struct about *a, const struct field *f)
{
	struct http_json *j = &a->q->c->json;
	const struct gql_selection *s = f->selection;

	http_json_key_n(j, s->alias.p, s->alias.n);
	switch (f->kind) {
	case FIELD_REFERENCE:
		return put_references(a, f);
	case FIELD_ADDITIONAL:
		put_additional(a, f->sub);
		return 0;
	case FIELD_TYPE:
		http_json_string(j, a->k->name);
		return 0;
	default:
		put_value(j, sl_value_get(sl_object_properties(a->o), s->name.p, s->name.n),
			  f->sub);
		return 0;
	}
}

static int put_object(const struct about *a, const struct wv_fields *fields)
{
	int err = 0;

	http_json_open(&a->q->c->json, '{');
	for (uint32_t i = 0; i < fields->n && !err; i++)
		err = put_field(a, &fields->v[i]);
	http_json_close(&a->q->c->json, '}');
	return err;
}

/* ---- calls ------------------------------------------------------------------------------ */

int wv_get_plan(struct wv_query *q, struct wv_plan *p)
{
	if (!p->selection->first)
		return wv_query_wrong(
			q,
			"Field \"%.64s\" of type \"[%.64s]\" must have a selection of "
			"subfields",
			p->f.k->name, p->f.k->name);
	p->f.with_objects = true;
	return select_class(q, p->f.k, p->selection->first, &p->get);
}

int wv_get_run(struct wv_query *q, struct wv_plan *p)
{
	struct about a = {.q = q, .k = p->f.k, .f = &p->f};
	struct http_json *j = &q->c->json;
	int err = wv_find(q->c, &p->f, p->why);

	if (err)
		return err;
	http_json_open(j, '[');
	for (uint32_t i = 0; i < p->f.n && !err; i++) {
		a.hit = &p->f.hits[i];
		a.o = a.hit->object;
		err = put_object(&a, p->get);
	}
	http_json_close(j, ']');
	wv_find_done(&p->f);
	return err;
}
