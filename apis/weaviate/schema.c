// SPDX-License-Identifier: Apache-2.0
/*
 * The schema: classes and their properties.
 *
 * Interface: handlers of "/v1/schema…" in routes.h.
 *
 * Order of parts: all classes; one class; changing it; its properties; its shards.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "routes.h"
#include "weaviate_pvt.h"

/* ---- all classes ------------------------------------------------------------------------ */

int wv_schema_get(struct wv_call *c)
{
	struct http_json *j = &c->json;

	http_json_open(j, '{');
	http_json_key(j, "classes");
	http_json_open(j, '[');
	for (uint32_t i = 0; i < objects_view_count(c->view); i++) {
		const struct objects_collection *col = objects_view_at(c->view, i);

		if (wv_class_name_of(col))
			http_json_raw(j, col->conf.meta, col->conf.meta_n);
	}
	http_json_close(j, ']');
	http_json_close(j, '}');
	return 0;
}

static int put_class(struct wv_call *c, const struct wv_class *k)
{
	http_json_raw(&c->json, k->text.p, k->text.n);
	return 0;
}

int wv_schema_post(struct wv_call *c)
{
	struct wv_class *k;
	yyjson_val *body;
	int res = wv_call_body(c, &body);

	if (!res)
		res = wv_class_define(c, body, NULL, &k);
	if (!res)
		res = wv_class_create(c, k);
	if (res == -EEXIST)
		return wv_refuse(c, 422, "class name %.100s already exists", k->name);
	return res ? res : put_class(c, k);
}

/* ---- one class -------------------------------------------------------------------------- */

int wv_class_get(struct wv_call *c)
{
	const struct wv_class *k;
	int res = wv_class_of_path(c, &k);

	return res ? res : put_class(c, k);
}

/* What is gone is gone, whether or not it was there. */
int wv_class_delete(struct wv_call *c)
{
	const struct wv_class *k;
	const char *name;
	int res = wv_call_param(c, 0, &name);

	if (res)
		return res;
	name = wv_class_name(c, name, strlen(name));
	res = name ? wv_class_find(c, name, &k) : -ENOMEM;
	if (res || !k)
		return res;
	/* Tenants first: of what is cut short, the class is left. */
	res = wv_tenants_drop(c, k);
	if (!res)
		res = objects_delete(c->objects, k->stored->name, c->deadline);
	return res && res != -ENOENT ? wv_failed(c, res, "") : 0;
}

/* ---- changing it ------------------------------------------------------------------------ */

static int same_properties(struct wv_call *c, const struct wv_class *k, const struct wv_class *old)
{
	bool same = k->properties_n == old->properties_n;

	for (uint32_t i = 0; same && i < k->properties_n; i++) {
		const struct wv_property *p = &k->properties[i];
		const struct wv_property *was = wv_class_property(old, p->name, strlen(p->name));

		same = was && was->type == p->type && was->list == p->list &&
		       !memcmp(&was->tokeniser, &p->tokeniser, sizeof(p->tokeniser));
	}
	return same ? 0
		    : wv_refuse(c, 422,
				"properties cannot be updated through updating the class. "
				"Use the add property feature (e.g. POST "
				"/v1/schema/{className}/properties) to add additional properties");
}

static int same_vectors(struct wv_call *c, const struct wv_class *k, const struct wv_class *old)
{
	for (uint32_t i = 0; i < old->vectors_n; i++) {
		const struct wv_class_vector *was = &old->vectors[i];
		const struct wv_class_vector *v = wv_class_vector(k, was->name);

		if (!v)
			return wv_refuse(c, 422, "vector '%.64s' cannot be removed from a class",
					 was->name);
		if (v->metric != was->metric || v->index.kind != was->index.kind ||
		    v->skip != was->skip)
			return wv_refuse(c, 422,
					 "vector index: the kind, the distance and skip are "
					 "immutable");
	}
	return 0;
}

static int change_class(struct wv_call *c, const struct wv_class *old, yyjson_val *body)
{
	struct wv_class *k;
	int res = wv_class_define(c, body, old, &k);

	if (!res && strcmp(k->name, old->name))
		res = wv_refuse(c, 422,
				"class name is immutable: attempted change from \"%.100s\" to "
				"\"%.100s\"",
				old->name, k->name);
	if (!res && k->tenancy.on != old->tenancy.on)
		res = wv_refuse(c, 422, "%s multi-tenancy for an existing class is not supported",
				k->tenancy.on ? "enabling" : "disabling");
	if (!res)
		res = same_properties(c, k, old);
	if (!res)
		res = same_vectors(c, k, old);
	if (!res)
		res = wv_class_replace(c, k, old);
	return res ? res : put_class(c, k);
}

/* Carries out @change on the class that the path names as long as somebody else is faster. */
static int changing(struct wv_call *c, yyjson_val *body,
		    int (*change)(struct wv_call *c, const struct wv_class *old, yyjson_val *body))
{
	const struct wv_class *old;
	int res;

	do {
		res = wv_call_look_again(c);
		if (!res)
			res = wv_class_of_path(c, &old);
		if (!res)
			res = change(c, old, body);
	} while (res == -EAGAIN && sl_now() < c->deadline);
	return res == -EAGAIN ? wv_failed(c, -ETIME, "") : res;
}

int wv_class_put(struct wv_call *c)
{
	yyjson_val *body;
	int res = wv_call_body(c, &body);

	return res ? res : changing(c, body, change_class);
}

/* ---- its properties --------------------------------------------------------------------- */

static int add_property(struct wv_call *c, const struct wv_class *old, yyjson_val *body)
{
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	yyjson_mut_val *root = doc ? yyjson_val_mut_copy(doc, old->json) : NULL;
	yyjson_doc *read;
	struct wv_class *k;
	size_t n;
	char *text;
	int res;

	if (!root) {
		yyjson_mut_doc_free(doc);
		return -ENOMEM;
	}
	yyjson_mut_doc_set_root(doc, root);
	yyjson_mut_arr_append(yyjson_mut_obj_get(root, "properties"),
			      yyjson_val_mut_copy(doc, body));
	read = yyjson_mut_doc_imut_copy(doc, NULL);
	yyjson_mut_doc_free(doc);
	res = read ? wv_class_define(c, yyjson_doc_get_root(read), old, &k) : -ENOMEM;
	yyjson_doc_free(read);
	if (!res)
		res = wv_class_replace(c, k, old);
	if (res)
		return res;
	text = yyjson_val_write(k->properties[k->properties_n - 1].json, YYJSON_WRITE_NOFLAG, &n);
	if (!text)
		return -ENOMEM;
	http_json_raw(&c->json, text, n);
	free(text);
	return 0;
}

int wv_properties_post(struct wv_call *c)
{
	yyjson_val *body;
	int res = wv_call_body(c, &body);

	if (!res)
		res = wv_class_check_depth(c, body);
	if (!res && !yyjson_is_obj(body))
		return wv_refuse(c, 422,
				 "a property is expected: {\"name\": ..., \"dataType\": [...]}");
	return res ? res : changing(c, body, add_property);
}

/* ---- its shards ------------------------------------------------------------------------- */

uint64_t wv_queue(const struct sl_objects_info *info)
{
	return info->indexing ? info->vectors - sl_min(info->indexed, info->vectors) : 0;
}

static int put_shard(struct wv_call *c, const struct objects_collection *col, const char *name)
{
	struct http_json *j = &c->json;
	struct sl_objects_info info;
	int err = objects_info(c->objects, col->name, &info, c->deadline);

	if (err)
		return err;
	http_json_open(j, '{');
	http_json_key(j, "name");
	http_json_string(j, name);
	http_json_key(j, "status");
	http_json_string(j, info.failed ? "READONLY" : wv_queue(&info) ? "INDEXING" : "READY");
	http_json_key(j, "vectorQueueSize");
	http_json_uint(j, wv_queue(&info));
	http_json_close(j, '}');
	return 0;
}

static int put_tenants(struct wv_call *c, const struct wv_class *k)
{
	int err = 0;

	for (uint32_t i = 0; i < objects_view_count(c->view) && !err; i++) {
		const struct objects_collection *col = objects_view_at(c->view, i);
		const char *name = wv_tenant_name_of(col, k);

		err = name ? put_shard(c, col, name) : 0;
		err = err == -ENOENT ? 0 : err;
	}
	return err;
}

/* A class is one shard here, or each of its tenants is. */
int wv_shards_get(struct wv_call *c)
{
	const struct wv_class *k;
	int res = wv_class_of_path(c, &k);

	if (res)
		return res;
	http_json_open(&c->json, '[');
	res = k->tenancy.on ? put_tenants(c, k) : put_shard(c, k->collection, SHARD_NAME);
	http_json_close(&c->json, ']');
	return res < 0 ? wv_failed(c, res, "") : res;
}
