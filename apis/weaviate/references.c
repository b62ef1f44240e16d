// SPDX-License-Identifier: Apache-2.0
/*
 * References of objects to others: added, replaced, removed.
 *
 * Interface: handlers of "/v1/objects/…/references/{property}" and "/v1/batch/references" in
 * routes.h.
 *
 * Order of parts: changes; one object; many.
 */
#include <errno.h>
#include <string.h>

#include "routes.h"
#include "weaviate_pvt.h"

/* ---- changes ---------------------------------------------------------------------------- */

enum reference_change { REFERENCES_ADD, REFERENCES_REPLACE, REFERENCES_REMOVE };

/* Where one leads. @target: the class, zero-ended. */
struct goal {
	const char *target;
	uint8_t uuid[SL_OBJECT_UUID_BYTES];
};

/**
 * struct change - what is done on the collection's core, while the call waits. @a: of the call, for
 * what has to stay until the object is built.
 */
struct change {
	enum reference_change kind;
	const char *name;
	const struct goal *goals;
	uint32_t goals_n;
	struct http_arena *a;
	int64_t now_ms;
};

static bool is_goal(const struct change *ch, const uint8_t *uuid)
{
	for (uint32_t i = 0; i < ch->goals_n; i++)
		if (!memcmp(ch->goals[i].uuid, uuid, SL_OBJECT_UUID_BYTES))
			return true;
	return false;
}

/* Those of the name that stay are put again. */
static int put_others(const struct change *ch, const struct sl_object *old,
		      struct sl_object_builder *b)
{
	int err = 0;

	for (uint32_t i = 0; i < sl_object_reference_count(old) && !err; i++) {
		const char *name, *target;
		size_t name_n, target_n;
		const uint8_t *uuid =
			sl_object_reference_at(old, i, &name, &name_n, &target, &target_n);

		if (strncmp(ch->name, name, name_n) || ch->name[name_n] || is_goal(ch, uuid))
			continue;
		target = http_arena_text(ch->a, target, target_n);
		err = target ? sl_object_put_reference(b, ch->name, target, uuid) : -ENOMEM;
	}
	return err;
}

static int carry_out(void *arg, const struct sl_object *old, struct sl_object_builder *b)
{
	const struct change *ch = arg;
	int err = 0;

	sl_object_put_times(b, sl_object_created_ms(old), ch->now_ms);
	if (ch->kind != REFERENCES_ADD)
		sl_object_remove_references(b, ch->name);
	if (ch->kind == REFERENCES_REMOVE)
		return put_others(ch, old, b);
	for (uint32_t i = 0; i < ch->goals_n && !err; i++)
		err = sl_object_put_reference(b, ch->name, ch->goals[i].target, ch->goals[i].uuid);
	return err;
}

/* The class that references of the property lead to if they do not say. */
static const char *usual_target(const struct wv_property *p)
{
	return yyjson_get_str(yyjson_arr_get_first(yyjson_obj_get(p->json, "dataType")));
}

/* Return: 0; -EINVAL: no beacon; -ENOMEM. */
static int read_goal(struct wv_call *c, const struct wv_property *p, yyjson_val *beacon,
		     struct goal *ret)
{
	struct http_str text = {yyjson_get_str(beacon), yyjson_get_len(beacon)};
	struct wv_beacon b;

	if (!text.p || !wv_beacon_parse(text, false, &b))
		return -EINVAL;
	memcpy(ret->uuid, b.uuid, sizeof(ret->uuid));
	ret->target = b.class.n ? wv_class_name(c, b.class.p, b.class.n) : usual_target(p);
	return ret->target ? 0 : -ENOMEM;
}

static const struct wv_property *reference_property(const struct wv_class *k, const char *name,
						    size_t n)
{
	const struct wv_property *p = wv_class_property(k, name, n);

	return p && p->type == DATA_REFERENCE ? p : NULL;
}

/* ---- one object ------------------------------------------------------------------------- */

/* The body: one beacon, or with @list a list of them. */
static int read_goals(struct wv_call *c, const struct wv_property *p, yyjson_val *body, bool list,
		      struct change *ch)
{
	size_t n = list ? yyjson_arr_size(body) : 1;
	struct goal *goals = http_arena_array(&c->arena, struct goal, n);
	yyjson_arr_iter iter;
	int err = goals ? 0 : -ENOMEM;

	if (list && !yyjson_is_arr(body))
		return wv_refuse(c, 422, "a list of {\"beacon\": ...} is expected");
	yyjson_arr_iter_init(body, &iter);
	for (size_t i = 0; i < n && !err; i++) {
		yyjson_val *v = list ? yyjson_arr_iter_next(&iter) : body;

		err = read_goal(c, p, yyjson_obj_get(v, "beacon"), &goals[i]);
	}
	if (err == -EINVAL)
		return wv_refuse(c, 422,
				 "invalid reference: {\"beacon\": "
				 "\"weaviate://localhost/Class/id\"} is expected");
	ch->goals = goals;
	ch->goals_n = (uint32_t)n;
	return err;
}

/* Of which object: the path may lack the class. */
static int find_from(struct wv_call *c, const struct wv_class **ret_class, uint8_t *ret_uuid,
		     const char **ret_property)
{
	bool alone = !c->rq->params[2].n;
	struct objects_hit hit;
	const char *name;
	int res = wv_object_path(c, alone, &name, ret_uuid);

	if (!res)
		res = wv_call_param(c, alone ? 1 : 2, ret_property);
	if (!res)
		res = wv_object_find(c, name, ret_uuid, ret_class, &hit);
	if (!res)
		objects_release(&hit, 1);
	return res;
}

static int change_one(struct wv_call *c, enum reference_change kind)
{
	struct change ch = {.kind = kind, .a = &c->arena, .now_ms = sl_wall_clock_ns() / SL_MSEC};
	struct sl_objects_op op = {.kind = SL_OBJECTS_CHANGE, .change = carry_out, .arg = &ch};
	uint8_t uuid[SL_OBJECT_UUID_BYTES];
	const struct wv_property *p;
	const struct wv_class *k;
	const char *property;
	yyjson_val *body;
	int res = wv_call_body(c, &body);

	if (!res)
		res = find_from(c, &k, uuid, &property);
	if (res)
		return res;
	p = reference_property(k, property, strlen(property));
	if (!p)
		return wv_refuse(c, 422, "property '%.64s' of class '%.64s' is no reference",
				 property, k->name);
	ch.name = p->name;
	res = read_goals(c, p, body, kind == REFERENCES_REPLACE, &ch);
	if (res)
		return res;
	op.key = objects_key_uuid(uuid);
	res = objects_write(c->objects, k->collection->name, &op, 1, false, NULL, c->deadline);
	return res ? wv_failed(c, res, "") : wv_write_refused(c, k, &op);
}

int wv_references_post(struct wv_call *c)
{
	return change_one(c, REFERENCES_ADD);
}

int wv_references_put(struct wv_call *c)
{
	return change_one(c, REFERENCES_REPLACE);
}

int wv_references_delete(struct wv_call *c)
{
	int res = change_one(c, REFERENCES_REMOVE);

	if (!res)
		c->rs->status = 204;
	return res;
}

/* ---- many ------------------------------------------------------------------------------- */

/* @k: of the object that refers; @why: not NULL: why it cannot. */
struct entry {
	yyjson_val *json;
	const struct wv_class *k;
	struct change change;
	struct goal goal;
	struct sl_objects_op op;
	const char *why;
	bool done;
};

/* Whether @k is the class @name as it is for @tenant (NULL: none). */
static bool is_that(const struct wv_class *k, const char *name, const char *tenant)
{
	return k && !strcmp(k->name, name) &&
	       !strcmp(k->tenant ? k->tenant : "", tenant ? tenant : "");
}

/* Most are of the same class as the one before. -EINVAL with @why: there is no such tenant. */
static int find_class(struct wv_call *c, const char *name, const char *tenant,
		      const struct entry *before, const struct wv_class **ret_class,
		      char why[FAULT_BYTES])
{
	int res;

	if (before && is_that(before->k, name, tenant)) {
		*ret_class = before->k;
		return 0;
	}
	res = wv_class_find(c, name, ret_class);
	return res || !*ret_class ? res : wv_tenant_find(c, *ret_class, tenant, ret_class, why);
}

/* @before: the entry before this one, or NULL. */
static int read_entry(struct wv_call *c, struct entry *e, const struct entry *before)
{
	yyjson_val *from = yyjson_obj_get(e->json, "from");
	struct http_str text = {yyjson_get_str(from), yyjson_get_len(from)};
	const char *tenant = yyjson_get_str(yyjson_obj_get(e->json, "tenant")), *name;
	const struct wv_property *p;
	char why[FAULT_BYTES];
	struct wv_beacon b;
	int err;

	if (!text.p || !wv_beacon_parse(text, true, &b) || !b.class.n) {
		e->why = "from: \"weaviate://localhost/Class/id/property\" is expected";
		return 0;
	}
	name = wv_class_name(c, b.class.p, b.class.n);
	err = name ? find_class(c, name, tenant, before, &e->k, why) : -ENOMEM;
	if (err == -EINVAL) {
		e->k = NULL;
		e->why = http_arena_text(&c->arena, why, strlen(why));
		return e->why ? 0 : -ENOMEM;
	}
	if (err)
		return err;
	p = e->k ? reference_property(e->k, b.property.p, b.property.n) : NULL;
	if (!p) {
		e->why = "from: there is no such class, or it has no such reference";
		return 0;
	}
	err = read_goal(c, p, yyjson_obj_get(e->json, "to"), &e->goal);
	if (err == -EINVAL) {
		e->why = "to: \"weaviate://localhost/Class/id\" is expected";
		return 0;
	}
	e->change = (struct change){.kind = REFERENCES_ADD,
				    .name = p->name,
				    .goals = &e->goal,
				    .goals_n = 1,
				    .a = &c->arena,
				    .now_ms = sl_wall_clock_ns() / SL_MSEC};
	e->op = (struct sl_objects_op){.kind = SL_OBJECTS_CHANGE,
				       .key = objects_key_uuid(b.uuid),
				       .change = carry_out,
				       .arg = &e->change};
	return err;
}

static const char *why_not(const struct sl_objects_op *op)
{
	if (op->result >= 0)
		return NULL;
	return op->result == -ENOENT ? "from: there is no object with that id"
				     : "the reference could not be stored";
}

/* All entries from @first on of the same class and tenant are written together. */
static int write_class(struct wv_call *c, struct entry *entries, size_t n, size_t first)
{
	const struct wv_class *k = entries[first].k;
	struct sl_objects_op *ops = http_arena_array(&c->arena, struct sl_objects_op, n - first);
	uint32_t ops_n = 0, at = 0;
	int err;

	if (!ops)
		return -ENOMEM;
	for (size_t i = first; i < n; i++) {
		if (entries[i].why || entries[i].done || !is_that(entries[i].k, k->name, k->tenant))
			continue;
		ops[ops_n++] = entries[i].op;
	}
	err = objects_write(c->objects, k->collection->name, ops, ops_n, false, NULL, c->deadline);
	if (err)
		return err;
	for (size_t i = first; i < n; i++) {
		if (entries[i].why || entries[i].done || !is_that(entries[i].k, k->name, k->tenant))
			continue;
		entries[i].why = why_not(&ops[at++]);
		entries[i].done = true;
	}
	return 0;
}

static void put_entry(struct http_json *j, const struct entry *e)
{
	yyjson_val *from = yyjson_obj_get(e->json, "from"), *to = yyjson_obj_get(e->json, "to");

	http_json_open(j, '{');
	http_json_key(j, "from");
	http_json_text(j, yyjson_is_str(from) ? yyjson_get_str(from) : "", yyjson_get_len(from));
	http_json_key(j, "to");
	http_json_text(j, yyjson_is_str(to) ? yyjson_get_str(to) : "", yyjson_get_len(to));
	wv_result_members(j, e->why);
	http_json_close(j, '}');
}

int wv_batch_references_post(struct wv_call *c)
{
	struct entry *entries;
	yyjson_arr_iter iter;
	yyjson_val *body;
	size_t n;
	int res = wv_call_body(c, &body);

	if (res)
		return res;
	if (!yyjson_is_arr(body))
		return wv_refuse(c, 422, "a list of {\"from\": ..., \"to\": ...} is expected");
	n = yyjson_arr_size(body);
	entries = http_arena_array(&c->arena, struct entry, n);
	if (!entries)
		return -ENOMEM;
	yyjson_arr_iter_init(body, &iter);
	for (size_t i = 0; i < n && !res; i++) {
		entries[i].json = yyjson_arr_iter_next(&iter);
		res = read_entry(c, &entries[i], i ? &entries[i - 1] : NULL);
	}
	for (size_t i = 0; i < n && !res; i++)
		if (!entries[i].why && !entries[i].done)
			res = write_class(c, entries, n, i);
	if (res)
		return res < 0 ? wv_failed(c, res, "") : res;
	http_json_open(&c->json, '[');
	for (size_t i = 0; i < n; i++)
		put_entry(&c->json, &entries[i]);
	http_json_close(&c->json, ']');
	return 0;
}
