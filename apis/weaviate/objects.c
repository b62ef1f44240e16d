// SPDX-License-Identifier: Apache-2.0
/*
 * Objects by REST: one at a time, and lists of them.
 *
 * Interface: handlers of "/v1/objects…" in routes.h. An object is asked for by its class and its
 * id, or, as long ago, by its id alone, and is then looked for in all classes.
 *
 * Order of parts: what the path names; answers; lists; new objects; reading; changing; deleting.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "routes.h"
#include "weaviate_pvt.h"

/* ---- what the path names ---------------------------------------------------------------- */

int wv_object_path(struct wv_call *c, bool alone, const char **ret_class, uint8_t *ret_uuid)
{
	const char *id, *class = NULL;
	int res = 0;

	if (!alone)
		res = wv_call_param(c, 0, &class);
	if (!res)
		res = wv_call_param(c, alone ? 0 : 1, &id);
	if (res)
		return res;
	if (!sl_uuid_parse(id, strlen(id), ret_uuid))
		return wv_refuse(c, 422, "id in path must be of type uuid: \"%.60s\"", id);
	*ret_class = class ? wv_class_name(c, class, strlen(class)) : NULL;
	return class && !*ret_class ? -ENOMEM : 0;
}

/* @ret_class: NULL: the path has none. */
static int read_path(struct wv_call *c, const char **ret_class, uint8_t *ret_uuid)
{
	return wv_object_path(c, !c->rq->params[1].n, ret_class, ret_uuid);
}

/* Looks for the object in all classes but those with tenants. @ret_class: NULL: it is in none. */
static int find_anywhere(struct wv_call *c, const uint8_t *uuid, const struct wv_class **ret_class,
			 struct objects_hit *ret_hit)
{
	int res = 0;

	*ret_class = NULL;
	for (uint32_t i = 0; i < objects_view_count(c->view) && !res; i++) {
		const char *name = wv_class_name_of(objects_view_at(c->view, i));
		const struct wv_class *k = NULL;

		res = name ? wv_class_find(c, name, &k) : 0;
		if (res || !k || k->tenancy.on)
			continue;
		res = wv_find_object(c, k, uuid, ret_hit);
		if (!res) {
			*ret_class = k;
			return 0;
		}
		res = res == -ENOENT ? 0 : res;
	}
	return res;
}

int wv_object_find(struct wv_call *c, const char *name, const uint8_t *uuid,
		   const struct wv_class **ret_class, struct objects_hit *ret_hit)
{
	const char *tenant;
	int res = wv_call_query(c, "tenant", &tenant);

	if (res)
		return res;
	if (!name) {
		res = find_anywhere(c, uuid, ret_class, ret_hit);
		if (!res && !*ret_class)
			res = -ENOENT;
	} else {
		res = wv_class_need_for(c, name, tenant, ret_class);
		if (!res)
			res = wv_find_object(c, *ret_class, uuid, ret_hit);
	}
	if (res == -ENOENT)
		return wv_refuse(c, 404, "no object with that id");
	return res < 0 ? wv_failed(c, res, "") : res;
}

static int find_by_path(struct wv_call *c, const struct wv_class **ret_class,
			struct objects_hit *ret_hit)
{
	uint8_t uuid[SL_OBJECT_UUID_BYTES];
	const char *name;
	int res = read_path(c, &name, uuid);

	return res ? res : wv_object_find(c, name, uuid, ret_class, ret_hit);
}

/* ---- answers ---------------------------------------------------------------------------- */

static int put_object(struct wv_call *c, const struct wv_class *k, const struct sl_object *o,
		      bool with_vectors)
{
	http_json_open(&c->json, '{');
	wv_object_members(&c->json, k, o, with_vectors);
	http_json_close(&c->json, '}');
	return 0;
}

/* Whether "include" names vectors. */
static int read_include(struct wv_call *c, bool *ret_with_vectors)
{
	const char *include;
	int res = wv_call_query(c, "include", &include);

	*ret_with_vectors = !res && include && strstr(include, "vector");
	return res;
}

int wv_write_refused(struct wv_call *c, const struct wv_class *k, const struct sl_objects_op *op)
{
	char text[FAULT_BYTES];

	switch (op->result) {
	case -EEXIST:
		return wv_refuse(c, 422, "id already exists");
	case -ENOENT:
		return wv_refuse(c, 404, "no object with that id");
	case -EINVAL:
		wv_fault_text(k->collection, op->fault, op->vector, op->dim, text);
		/* As Weaviate has it: only its index finds that out. */
		return wv_refuse(c, op->fault == SL_OBJECTS_WRONG_DIM ? 500 : 422, "%s", text);
	default:
		return op->result < 0 ? wv_failed(c, op->result, "") : 0;
	}
}

/* ---- lists ------------------------------------------------------------------------------ */

struct listing {
	uint64_t limit, offset;
	bool with_vectors;
	struct sl_filter_key after;
	struct wv_sort_key sort;
	bool sorted;
};

static int read_sort(struct wv_call *c, const struct wv_class *k, struct listing *l)
{
	const char *sort, *order;
	int res = wv_call_query(c, "sort", &sort);

	if (!res)
		res = wv_call_query(c, "order", &order);
	if (res || !sort || !*sort)
		return res;
	l->sorted = k && wv_sort_key_of(k, sort, order ? order : "asc", &l->sort);
	return l->sorted ? 0
			 : wv_refuse(c, 422,
				     "sort: the name of one property of a class is "
				     "expected, not '%.64s'",
				     sort);
}

static int read_listing(struct wv_call *c, const struct wv_class *k, struct listing *l)
{
	uint8_t uuid[SL_OBJECT_UUID_BYTES];
	const char *after;
	int res;

	*l = (struct listing){.limit = LIMIT_DEFAULT};
	res = wv_call_query_number(c, "limit", RESULTS_MAX, &l->limit);
	if (!res)
		res = wv_call_query_number(c, "offset", RESULTS_MAX, &l->offset);
	if (!res)
		res = read_include(c, &l->with_vectors);
	if (!res)
		res = wv_call_query(c, "after", &after);
	if (res)
		return res;
	if (after && *after) {
		if (!k || l->offset || !sl_uuid_parse(after, strlen(after), uuid))
			return wv_refuse(c, 422,
					 "after: the id of an object of a class is expected, and "
					 "no offset beside it");
		l->after = objects_key_uuid(uuid);
	}
	if (l->limit + l->offset > RESULTS_MAX)
		return wv_refuse(c, 422,
				 "query maximum results exceeded: offset and limit together "
				 "are at most %d",
				 RESULTS_MAX);
	return read_sort(c, k, l);
}

/* Objects of one class; what of limit and offset is left is for the next. */
static int list_class(struct wv_call *c, const struct wv_class *k, struct listing *l,
		      uint64_t *total)
{
	struct wv_finding f = {
		.k = k,
		.after = l->after,
		.sort = &l->sort,
		.sort_n = l->sorted,
		.limit = (uint32_t)l->limit,
		.offset = (uint32_t)l->offset,
		.with_objects = true,
	};
	char why[FAULT_BYTES];
	int err = wv_find(c, &f, why);

	if (err)
		return wv_failed(c, err, why);
	for (uint32_t i = 0; i < f.n; i++)
		put_object(c, k, f.hits[i].object, l->with_vectors);
	l->limit -= f.n;
	*total += f.n;
	wv_find_done(&f);
	return 0;
}

/* All classes, one behind the other. */
static int list_all(struct wv_call *c, struct listing *l, uint64_t *total)
{
	int res = 0;

	for (uint32_t i = 0; i < objects_view_count(c->view) && l->limit && !res; i++) {
		const char *name = wv_class_name_of(objects_view_at(c->view, i));
		const struct wv_class *k = NULL;
		uint64_t n = 0;

		res = name ? wv_class_find(c, name, &k) : 0;
		if (!res && k && !k->tenancy.on && l->offset)
			res = objects_count(c->objects, k->collection->name, NULL, true, &n,
					    c->deadline);
		if (res < 0)
			return wv_failed(c, res, "");
		if (res || !k || k->tenancy.on)
			continue;
		res = list_class(c, k, l, total);
		l->offset -= sl_min(n, l->offset);
	}
	return res;
}

int wv_objects_list(struct wv_call *c)
{
	struct http_json *j = &c->json;
	const struct wv_class *k = NULL;
	uint64_t total = 0;
	struct listing l;
	const char *name, *tenant;
	int res = wv_call_query(c, "class", &name);

	if (!res)
		res = wv_call_query(c, "tenant", &tenant);
	if (!res && name) {
		name = wv_class_name(c, name, strlen(name));
		res = name ? wv_class_need_for(c, name, tenant, &k) : -ENOMEM;
	}
	if (!res)
		res = read_listing(c, k, &l);
	if (res)
		return res;
	http_json_open(j, '{');
	http_json_key(j, "deprecations");
	http_json_open(j, '[');
	http_json_close(j, ']');
	http_json_key(j, "objects");
	http_json_open(j, '[');
	res = k ? list_class(c, k, &l, &total) : list_all(c, &l, &total);
	if (res)
		return res;
	http_json_close(j, ']');
	http_json_key(j, "totalResults");
	http_json_uint(j, total);
	http_json_close(j, '}');
	return 0;
}

/* ---- new objects ------------------------------------------------------------------------ */

/* The class that the object names. */
static int body_class(struct wv_call *c, yyjson_val *body, const char **ret_name)
{
	yyjson_val *class = yyjson_obj_get(body, "class");

	if (!yyjson_is_obj(body))
		return wv_refuse(c, 422, "invalid object: an object is expected");
	if (!yyjson_get_len(class))
		return wv_refuse(c, 422, "invalid object: the given class is empty");
	*ret_name = wv_class_name(c, yyjson_get_str(class), yyjson_get_len(class));
	return *ret_name ? 0 : -ENOMEM;
}

/* Learns from the body, whose objects are those of the tenant that it names. */
static int learn(struct wv_call *c, const char *name, yyjson_val *body,
		 const struct wv_class **ret_class)
{
	const char *tenant = yyjson_get_str(yyjson_obj_get(body, "tenant"));
	char why[FAULT_BYTES];
	int res = wv_class_learn(c, name, tenant, &body, 1, ret_class, why);

	return res == -EINVAL ? wv_refuse(c, 422, "%s", why) : res;
}

static int insert(struct wv_call *c, const struct wv_class *k, const struct sl_object *o)
{
	struct sl_objects_op op = {.kind = SL_OBJECTS_INSERT, .object = o};
	int err = objects_write(c->objects, k->collection->name, &op, 1, false, NULL, c->deadline);

	return err ? wv_failed(c, err, "") : wv_write_refused(c, k, &op);
}

/* @validate: see whether it could be stored. */
static int make(struct wv_call *c, bool validate)
{
	struct wv_object_form form;
	struct sl_object_builder *b;
	const struct sl_object *o;
	const struct wv_class *k;
	char why[FAULT_BYTES] = "";
	const char *name;
	yyjson_val *body;
	int res = wv_call_body(c, &body);

	if (!res)
		res = body_class(c, body, &name);
	if (!res)
		res = learn(c, name, body, &k);
	if (!res)
		res = wv_object_form_init(c, k, &form);
	if (!res)
		res = sl_object_builder_new(&b);
	if (res)
		return res;
	res = wv_object_make(c, &form, b, body, &o, why);
	sl_object_builder_free(b);
	if (res)
		return *why ? wv_refuse(c, 422, "invalid object: %s", why) : wv_failed(c, res, "");
	if (validate)
		return 0;
	res = insert(c, k, o);
	return res ? res : put_object(c, k, o, true);
}

int wv_objects_post(struct wv_call *c)
{
	return make(c, false);
}

int wv_objects_validate(struct wv_call *c)
{
	return make(c, true);
}

/* ---- reading ---------------------------------------------------------------------------- */

int wv_object_get(struct wv_call *c)
{
	const struct wv_class *k;
	struct objects_hit hit;
	bool with_vectors;
	int res = read_include(c, &with_vectors);

	if (!res)
		res = find_by_path(c, &k, &hit);
	if (res)
		return res;
	put_object(c, k, hit.object, with_vectors);
	objects_release(&hit, 1);
	return 0;
}

int wv_object_head(struct wv_call *c)
{
	const struct wv_class *k;
	struct objects_hit hit;
	int res = find_by_path(c, &k, &hit);

	if (res)
		return res;
	objects_release(&hit, 1);
	c->rs->status = 204;
	return 0;
}

/* ---- changing --------------------------------------------------------------------------- */

/* What is done on the collection's core. @merge: in addition to what is there. */
struct change {
	struct wv_object_form form;
	yyjson_val *json;
	const float *values;
	int64_t now_ms;
	uint8_t uuid[SL_OBJECT_UUID_BYTES];
	bool merge;
	char why[FAULT_BYTES];
};

static int carry_out(void *arg, const struct sl_object *old, struct sl_object_builder *b)
{
	struct change *ch = arg;
	int err;

	if (!ch->merge)
		sl_object_builder_reset(b);
	sl_object_put_key_uuid(b, ch->uuid);
	err = wv_object_put(&ch->form, b, ch->json, ch->values, ch->why);
	sl_object_put_times(b, sl_object_created_ms(old), ch->now_ms);
	return err;
}

/* What the body says of id and class has to be what the path says. */
static int same_as_path(struct wv_call *c, yyjson_val *body, const char *name, const uint8_t *uuid)
{
	yyjson_val *id = yyjson_obj_get(body, "id"), *class = yyjson_obj_get(body, "class");
	const char *text = yyjson_get_str(class);
	uint8_t own[SL_OBJECT_UUID_BYTES];

	if (id && !yyjson_is_null(id) &&
	    (!yyjson_is_str(id) || !sl_uuid_parse(yyjson_get_str(id), yyjson_get_len(id), own) ||
	     memcmp(own, uuid, sizeof(own))))
		return wv_refuse(c, 422, "invalid update: field 'id' is immutable");
	if (name && text && strcasecmp(name, text))
		return wv_refuse(c, 422, "invalid update: field 'class' is immutable");
	return 0;
}

static int begin_change(struct wv_call *c, struct change *ch, const struct wv_class **ret_class)
{
	const char *name = NULL;
	yyjson_val *body;
	int res = wv_call_body(c, &body);

	if (!res)
		res = read_path(c, &name, ch->uuid);
	if (!res)
		res = same_as_path(c, body, name, ch->uuid);
	if (!res && !name)
		res = body_class(c, body, &name);
	/* A change makes no class. */
	if (!res)
		res = wv_class_need(c, name, ret_class);
	if (!res)
		res = learn(c, name, body, ret_class);
	if (!res)
		res = wv_object_form_init(c, *ret_class, &ch->form);
	if (!res)
		res = wv_object_look(&ch->form, body, ch->why);
	if (!res)
		res = wv_object_values(c, &ch->form, body, &ch->values);
	ch->json = body;
	ch->now_ms = sl_wall_clock_ns() / SL_MSEC;
	return res == -EINVAL ? wv_refuse(c, 422, "invalid object: %s", ch->why) : res;
}

static int change(struct wv_call *c, struct change *ch, const struct wv_class **ret_class)
{
	struct sl_objects_op op = {.kind = SL_OBJECTS_CHANGE, .change = carry_out, .arg = ch};
	int res = begin_change(c, ch, ret_class);

	if (res)
		return res;
	op.key = objects_key_uuid(ch->uuid);
	res = objects_write(c->objects, (*ret_class)->collection->name, &op, 1, false, NULL,
			    c->deadline);
	if (res)
		return wv_failed(c, res, "");
	if (op.result < 0 && *ch->why)
		return wv_refuse(c, 422, "invalid object: %s", ch->why);
	return wv_write_refused(c, *ret_class, &op);
}

int wv_object_replace(struct wv_call *c)
{
	struct change ch = {.merge = false};
	const struct wv_class *k;
	struct objects_hit hit;
	int res = change(c, &ch, &k);

	if (!res)
		res = wv_find_object(c, k, ch.uuid, &hit);
	if (res)
		return res < 0 ? wv_failed(c, res, "") : res;
	put_object(c, k, hit.object, true);
	objects_release(&hit, 1);
	return 0;
}

int wv_object_patch(struct wv_call *c)
{
	struct change ch = {.merge = true};
	const struct wv_class *k;
	int res = change(c, &ch, &k);

	if (!res)
		c->rs->status = 204;
	return res;
}

/* ---- deleting --------------------------------------------------------------------------- */

static int delete_from(struct wv_call *c, const struct wv_class *k, const uint8_t *uuid)
{
	struct sl_objects_op op = {.kind = SL_OBJECTS_DELETE, .key = objects_key_uuid(uuid)};
	int err = objects_write(c->objects, k->collection->name, &op, 1, false, NULL, c->deadline);

	if (err)
		return wv_failed(c, err, "");
	return op.result && op.result != -ENOENT ? wv_write_refused(c, k, &op) : 0;
}

/* What is gone is gone, whether or not it was there. */
int wv_object_delete(struct wv_call *c)
{
	uint8_t uuid[SL_OBJECT_UUID_BYTES];
	const struct wv_class *k = NULL;
	struct objects_hit hit;
	const char *name, *tenant;
	int res = read_path(c, &name, uuid);

	if (!res)
		res = wv_call_query(c, "tenant", &tenant);
	if (!res && name)
		res = wv_class_need_for(c, name, tenant, &k);
	else if (!res)
		res = find_anywhere(c, uuid, &k, &hit);
	if (res)
		return res < 0 ? wv_failed(c, res, "") : res;
	if (k && !name)
		objects_release(&hit, 1);
	if (k)
		res = delete_from(c, k, uuid);
	if (!res)
		c->rs->status = 204;
	return res;
}
