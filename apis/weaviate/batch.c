// SPDX-License-Identifier: Apache-2.0
/*
 * Many objects at once: stored, or deleted by a filter.
 *
 * Interface: handlers of "/v1/batch/objects" in routes.h; wv_result_members() of weaviate_pvt.h.
 * Objects are taken from the body a thousand at a time, and those of a class are written together;
 * one that cannot be stored is told by itself.
 * Invariants: of a body of any length no more than a window of its text and a group of its objects
 * are held; nothing that was parsed moves before it is stored.
 *
 * Order of parts: results; storing; the body; deleting.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "routes.h"
#include "weaviate_pvt.h"

/* ---- results ---------------------------------------------------------------------------- */

void wv_result_members(struct http_json *j, const char *why)
{
	http_json_key(j, "result");
	http_json_open(j, '{');
	if (why) {
		http_json_key(j, "errors");
		http_json_open(j, '{');
		http_json_key(j, "error");
		http_json_open(j, '[');
		http_json_open(j, '{');
		http_json_key(j, "message");
		http_json_string(j, why);
		http_json_close(j, '}');
		http_json_close(j, ']');
		http_json_close(j, '}');
	}
	http_json_key(j, "status");
	http_json_string(j, why ? "FAILED" : "SUCCESS");
	http_json_close(j, '}');
}

/* ---- storing ---------------------------------------------------------------------------- */

/* @class: NULL with @why: it has none. @tenant: "": none is told. @k, @o: once it was seen
 * through; @why: why it is not stored. */
struct item {
	yyjson_val *json;
	const char *class, *tenant;
	const struct wv_class *k;
	const struct sl_object *o;
	const char *why;
};

static int read_item(struct wv_call *c, struct item *item)
{
	yyjson_val *class = yyjson_obj_get(item->json, "class");
	const char *tenant = yyjson_get_str(yyjson_obj_get(item->json, "tenant"));

	item->tenant = tenant ? tenant : "";
	if (!yyjson_get_len(class)) {
		item->why = "invalid object: the given class is empty";
		return 0;
	}
	item->class = wv_class_name(c, yyjson_get_str(class), yyjson_get_len(class));
	if (!item->class)
		return -ENOMEM;
	if (!wv_class_name_is_good(item->class))
		item->why = "invalid object: that is no name of a class";
	return 0;
}

static int make_item(struct wv_call *c, const struct wv_object_form *form,
		     struct sl_object_builder *b, struct item *item)
{
	char why[FAULT_BYTES] = "";
	int err = wv_object_make(c, form, b, item->json, &item->o, why);

	if (!err || !*why)
		return err;
	item->why = http_arena_text(&c->arena, why, strlen(why));
	return item->why ? 0 : -ENOMEM;
}

/* What became of the @n items at @items whose operations are @ops. */
static int take_results(struct wv_call *c, struct item **items, const struct sl_objects_op *ops,
			uint32_t n)
{
	char text[FAULT_BYTES];

	for (uint32_t i = 0; i < n; i++) {
		struct item *item = items[i];

		if (ops[i].result >= 0)
			continue;
		wv_fault_text(item->k->collection, ops[i].fault, ops[i].vector, ops[i].dim, text);
		item->why = http_arena_text(&c->arena, text, strlen(text));
		if (!item->why)
			return -ENOMEM;
	}
	return 0;
}

/* Writes those of @n items that were made. */
static int write_items(struct wv_call *c, const struct wv_class *k, struct item **items, uint32_t n)
{
	struct sl_objects_op *ops = http_arena_array(&c->arena, struct sl_objects_op, n);
	uint32_t made = 0;
	int err;

	if (!ops)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		if (items[i]->why)
			continue;
		ops[made] = (struct sl_objects_op){.kind = SL_OBJECTS_PUT, .object = items[i]->o};
		items[made++] = items[i];
	}
	if (!made)
		return 0;
	err = objects_write(c->objects, k->collection->name, ops, made, false, NULL, c->deadline);
	return err ? err : take_results(c, items, ops, made);
}

/* None of @items can be stored. */
static int refuse_all(struct wv_call *c, struct item **items, uint32_t n, const char *why)
{
	const char *text = http_arena_text(&c->arena, why, strlen(why));

	for (uint32_t i = 0; i < n; i++)
		items[i]->why = text;
	return text ? 0 : -ENOMEM;
}

/* Learns, makes and writes @items, all of the class @name and of one tenant. */
static int store_class(struct wv_call *c, const char *name, struct item **items, uint32_t n)
{
	char why[FAULT_BYTES];
	yyjson_val **objects = http_arena_array(&c->arena, yyjson_val *, n);
	struct sl_object_builder *b;
	struct wv_object_form form;
	const struct wv_class *k;
	int res = objects ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < n && !res; i++)
		objects[i] = items[i]->json;
	if (!res)
		res = wv_class_learn(c, name, items[0]->tenant, objects, n, &k, why);
	if (res == -EINVAL)
		return refuse_all(c, items, n, why);
	if (!res)
		res = wv_object_form_init(c, k, &form);
	if (!res)
		res = sl_object_builder_new(&b);
	if (res)
		return res;
	for (uint32_t i = 0; i < n && !res; i++) {
		items[i]->k = k;
		res = make_item(c, &form, b, items[i]);
	}
	sl_object_builder_free(b);
	return res ? res : write_items(c, k, items, n);
}

/* The first item that was not looked at, and all others of its class and tenant. */
static int store_next(struct wv_call *c, struct item *items, size_t n, size_t first)
{
	const char *name = items[first].class, *tenant = items[first].tenant;
	struct item **same = http_arena_array(&c->arena, struct item *, n - first);
	uint32_t same_n = 0;

	if (!same)
		return -ENOMEM;
	for (size_t i = first; i < n; i++)
		if (!items[i].why && !items[i].k && !strcmp(items[i].class, name) &&
		    !strcmp(items[i].tenant, tenant))
			same[same_n++] = &items[i];
	return store_class(c, name, same, same_n);
}

/* One that was not stored is told as it came. */
static int put_refused(struct wv_call *c, const struct item *item)
{
	struct http_json *j = &c->json;
	yyjson_val *properties = yyjson_obj_get(item->json, "properties");
	yyjson_val *id = yyjson_obj_get(item->json, "id");
	char *text = properties ? yyjson_val_write(properties, YYJSON_WRITE_NOFLAG, NULL) : NULL;

	http_json_open(j, '{');
	http_json_key(j, "class");
	http_json_string(j, item->class ? item->class : "");
	if (yyjson_is_str(id)) {
		http_json_key(j, "id");
		http_json_text(j, yyjson_get_str(id), yyjson_get_len(id));
	}
	if (text) {
		http_json_key(j, "properties");
		http_json_raw(j, text, strlen(text));
	}
	free(text);
	wv_result_members(j, item->why);
	http_json_close(j, '}');
	return 0;
}

static int put_item(struct wv_call *c, const struct item *item)
{
	struct http_json *j = &c->json;

	if (item->why)
		return put_refused(c, item);
	http_json_open(j, '{');
	wv_object_members(j, item->k, item->o, false);
	http_json_key(j, "deprecations");
	http_json_null(j);
	wv_result_members(j, NULL);
	http_json_close(j, '}');
	return 0;
}

/* All that is in @items, told behind what was told before; then they are forgotten. */
static int store_group(struct wv_call *c, struct item *items, size_t n)
{
	int res = 0;

	for (size_t i = 0; i < n && !res; i++)
		res = read_item(c, &items[i]);
	for (size_t i = 0; i < n && !res; i++)
		if (!items[i].why && !items[i].k)
			res = store_next(c, items, n, i);
	for (size_t i = 0; i < n && !res; i++)
		put_item(c, &items[i]);
	return res;
}

/* ---- the body --------------------------------------------------------------------------- */

/* Objects that are written together, at the most; and so much of a body is held at a time. */
enum { GROUP_MAX = 1000 };
#define WINDOW_BYTES (8 * SL_MIB)

/**
 * struct batch - @text: of the body. @stored: how many objects were told of. @behind: of the list
 * of objects: its last item was taken, and a comma or the end follows. @begun: there was one.
 * @done: the end was taken.
 */
struct batch {
	struct wv_call *c;
	struct http_window text;
	size_t stored;
	bool begun, behind, done;
};

static int broken(struct batch *b)
{
	return wv_refuse(b->c, 400, "the body is no JSON: {\"objects\": [...]} is expected, of "
			 "objects below %u MiB each", (unsigned)(WINDOW_BYTES / SL_MIB));
}

/* The next character, which has to be @wanted, and is taken. */
static int take(struct batch *b, char wanted)
{
	int c = http_window_peek(&b->text);

	if (c < 0)
		return c;
	if (c != wanted)
		return broken(b);
	b->text.at++;
	return 0;
}

/* The text of the next value, which is taken. */
static int take_value(struct batch *b, char **ret_text, size_t *ret_n)
{
	int found = http_window_value(&b->text, ret_text, ret_n);

	if (!found || found == -ENOBUFS)
		return broken(b);
	return sl_min(found, 0);
}

/* What stands between items, or the end of the list: then b->done is set. */
static int take_comma(struct batch *b)
{
	int c;

	if (b->begun && !b->behind)
		return 0;
	c = http_window_peek(&b->text);
	if (c < 0)
		return c;
	b->done = c == ']';
	if (b->begun && c != ',' && c != ']')
		return broken(b);
	b->text.at += b->begun || b->done;
	b->begun = true;
	b->behind = false;
	return 0;
}

/* Parses objects up to the end of the list, of the window, or of a group. */
static int take_group(struct batch *b, struct item *items, size_t *ret_n)
{
	struct http_json_error error;
	char *text;
	size_t n;
	int res = 0;

	for (*ret_n = 0; *ret_n < GROUP_MAX; ++*ret_n) {
		b->text.held = *ret_n > 0;
		res = take_comma(b);
		if (!res && !b->done)
			res = take_value(b, &text, &n);
		if (res || b->done)
			break;
		b->behind = true;
		res = http_json_parse(&b->c->arena, text, n, &items[*ret_n].json, &error);
		if (res)
			return res == -EPROTO ? broken(b) : res;
	}
	b->text.held = false;
	return res == -EAGAIN ? 0 : res;
}

/* The memory of a group is given back before the next one. */
static int take_and_store(struct batch *b)
{
	struct wv_call *c = b->c;
	struct http_arena outer = c->arena;
	struct item *items;
	size_t n = 0;
	int res;

	http_arena_init(&c->arena, CALL_BYTES_MAX);
	items = http_arena_array(&c->arena, struct item, GROUP_MAX);
	res = items ? take_group(b, items, &n) : -ENOMEM;
	if (!res)
		res = store_group(c, items, n);
	b->stored += n;
	http_arena_done(&c->arena);
	c->arena = outer;
	return res;
}

/* The members of the body: the list of objects, and others that are passed over. */
static int take_members(struct batch *b)
{
	int res = take(b, '{'), c = ',';
	char *text;
	size_t n;

	while (!res && c == ',') {
		bool objects;

		res = take_value(b, &text, &n);
		objects = !res && n == 9 && !memcmp(text, "\"objects\"", n);
		if (!res)
			res = take(b, ':');
		if (!res && objects && !b->begun)
			res = take(b, '[');
		else if (!res)
			res = take_value(b, &text, &n);
		while (!res && objects && !b->done)
			res = take_and_store(b);
		if (!res)
			c = http_window_peek(&b->text);
		b->text.at++;
	}
	if (res || c < 0)
		return res ? res : c;
	return c == '}' ? 0 : broken(b);
}

int wv_batch_objects_post(struct wv_call *c)
{
	struct batch b = {.c = c};
	int res = http_window_body(&b.text, c->rq, &c->arena, WINDOW_BYTES, WINDOW_BYTES,
				   c->deadline);

	if (res)
		return res;
	http_json_open(&c->json, '[');
	res = take_members(&b);
	if (!res && !b.stored)
		return wv_refuse(c, 422, "invalid param 'objects': cannot be empty, need at least "
				 "one object for batching");
	if (res)
		return res < 0 ? wv_failed(c, res, "") : res;
	http_json_close(&c->json, ']');
	return 0;
}

/* ---- deleting --------------------------------------------------------------------------- */

/* @list: the first of those that match, as many as are deleted at once. */
struct deleting {
	const struct wv_class *k;
	const struct sl_filter *filter;
	yyjson_val *match;
	bool dry, verbose;
	uint64_t matches, failed;
	struct objects_list list;
	struct sl_objects_op *ops;
};

static int read_deleting(struct wv_call *c, yyjson_val *body, struct deleting *d)
{
	yyjson_val *match = yyjson_obj_get(body, "match");
	yyjson_val *class = yyjson_obj_get(match, "class");
	const char *output = yyjson_get_str(yyjson_obj_get(body, "output")), *name, *tenant;
	char why[FAULT_BYTES];
	struct gql_value where;
	int res;

	if (!yyjson_get_len(class) || !yyjson_is_obj(yyjson_obj_get(match, "where")))
		return wv_refuse(c, 422,
				 "invalid param 'match': {\"class\": ..., \"where\": {...}} is "
				 "expected");
	d->match = match;
	d->dry = yyjson_is_true(yyjson_obj_get(body, "dryRun"));
	d->verbose = output && !strcmp(output, "verbose");
	name = wv_class_name(c, yyjson_get_str(class), yyjson_get_len(class));
	res = name ? wv_call_query(c, "tenant", &tenant) : -ENOMEM;
	if (!res)
		res = wv_class_need_for(c, name, tenant, &d->k);
	if (!res)
		res = gql_of_json(&c->arena, yyjson_obj_get(match, "where"), &where);
	if (res == -EMSGSIZE)
		return wv_refuse(c, 422, "where: filters are more than %d deep", GQL_DEPTH_MAX);
	if (res)
		return res;
	res = wv_where_build(c, d->k, &where, &d->filter, why);
	return res == -EINVAL ? wv_refuse(c, 422, "invalid where filter: %s", why) : res;
}

static int delete_listed(struct wv_call *c, struct deleting *d)
{
	int err;

	d->ops = http_arena_array(&c->arena, struct sl_objects_op, d->list.n);
	if (!d->ops)
		return -ENOMEM;
	if (d->dry || !d->list.n)
		return 0;
	for (uint32_t i = 0; i < d->list.n; i++)
		d->ops[i] = (struct sl_objects_op){.kind = SL_OBJECTS_DELETE,
						   .key = d->list.hits[i].key};
	err = objects_write(c->objects, d->k->collection->name, d->ops, d->list.n, false, NULL,
			    c->deadline);
	for (uint32_t i = 0; i < d->list.n && !err; i++)
		d->failed += d->ops[i].result < 0 && d->ops[i].result != -ENOENT;
	return err;
}

static int find_and_delete(struct wv_call *c, struct deleting *d)
{
	const char *collection = d->k->collection->name;
	struct sl_objects_scroll scroll = {.filter = d->filter, .limit = RESULTS_MAX};
	int err = objects_count(c->objects, collection, d->filter, true, &d->matches, c->deadline);

	if (!err)
		err = objects_scroll(c->objects, collection, &scroll, &d->list, c->deadline);
	return err ? err : delete_listed(c, d);
}

static void put_deleted(struct http_json *j, const struct deleting *d)
{
	http_json_open(j, '[');
	for (uint32_t i = 0; i < d->list.n; i++) {
		bool good = !d->ops[i].result || d->ops[i].result == -ENOENT;

		http_json_open(j, '{');
		http_json_key(j, "id");
		http_json_uuid(j, d->list.hits[i].key.key);
		http_json_key(j, "status");
		http_json_string(j, d->dry ? "DRYRUN" : good ? "SUCCESS" : "FAILED");
		http_json_close(j, '}');
	}
	http_json_close(j, ']');
}

static int put_deleting(struct wv_call *c, const struct deleting *d)
{
	struct http_json *j = &c->json;
	char *match = yyjson_val_write(d->match, YYJSON_WRITE_NOFLAG, NULL);

	if (!match)
		return -ENOMEM;
	http_json_open(j, '{');
	http_json_key(j, "dryRun");
	http_json_bool(j, d->dry);
	http_json_key(j, "match");
	http_json_raw(j, match, strlen(match));
	http_json_key(j, "output");
	http_json_string(j, d->verbose ? "verbose" : "minimal");
	http_json_key(j, "results");
	http_json_open(j, '{');
	http_json_key(j, "failed");
	http_json_uint(j, d->failed);
	http_json_key(j, "limit");
	http_json_uint(j, RESULTS_MAX);
	http_json_key(j, "matches");
	http_json_uint(j, d->matches);
	http_json_key(j, "objects");
	if (d->verbose)
		put_deleted(j, d);
	else
		http_json_null(j);
	http_json_key(j, "successful");
	http_json_uint(j, d->dry ? 0 : d->list.n - d->failed);
	http_json_close(j, '}');
	http_json_close(j, '}');
	free(match);
	return 0;
}

int wv_batch_objects_delete(struct wv_call *c)
{
	struct deleting d = {0};
	yyjson_val *body;
	int res = wv_call_body(c, &body);

	if (!res)
		res = read_deleting(c, body, &d);
	if (res)
		return res;
	res = find_and_delete(c, &d);
	if (!res)
		res = put_deleting(c, &d);
	if (d.list.hits)
		objects_list_done(&d.list);
	return res < 0 ? wv_failed(c, res, "") : res;
}
