// SPDX-License-Identifier: Apache-2.0
/*
 * Tenants: a class whose objects are kept apart by whose they are.
 *
 * Interface: the part "tenants" of weaviate_pvt.h; handlers of "/v1/schema/{class}/tenants" in
 * routes.h. A tenant is a collection of its own, "weaviate:Class.tenant", so that one which nobody
 * asks for takes no memory; the class's own collection has what the class is, and no objects.
 * Invariants: a tenant's collection is kept as the class was when it was written to last; it
 * follows before the next write. Its meta says of which generation of the class it is, and whether
 * it may be asked for.
 *
 * Order of parts: names; collections; finding; writing; statuses; handlers.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "routes.h"
#include "weaviate_pvt.h"

/* ---- names ------------------------------------------------------------------------------ */

enum { TENANT_NAME_MAX = 64 };

static bool name_is_good(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return n && n <= TENANT_NAME_MAX && !name[n];
}

const char *wv_tenant_name_of(const struct objects_collection *col, const struct wv_class *k)
{
	size_t n = strlen(k->stored->name);

	return strncmp(col->name, k->stored->name, n) || col->name[n] != TENANT_SEPARATOR
		       ? NULL
		       : col->name + n + 1;
}

/* The collection's name; NULL: out of memory. */
static const char *collection_name(struct wv_call *c, const struct wv_class *k, const char *tenant)
{
	size_t room = strlen(k->stored->name) + strlen(tenant) + 2;
	char *name = http_arena_alloc(&c->arena, room, 1);

	if (name)
		snprintf(name, room, "%s%c%s", k->stored->name, TENANT_SEPARATOR, tenant);
	return name;
}

/* ---- collections ------------------------------------------------------------------------ */

#define META_BYTES 64

/* What a tenant's meta says. @generation: of the class. */
struct meta {
	uint64_t generation;
	bool cold;
};

static void meta_read(const struct objects_collection *col, struct meta *ret)
{
	yyjson_doc *doc = yyjson_read(col->conf.meta, col->conf.meta_n, YYJSON_READ_NOFLAG);
	yyjson_val *root = yyjson_doc_get_root(doc);

	ret->generation = yyjson_get_uint(yyjson_obj_get(root, "class"));
	ret->cold = yyjson_is_true(yyjson_obj_get(root, "cold"));
	yyjson_doc_free(doc);
}

/* The class's conf, with the tenant's meta; @text: for that. */
static int tenant_conf(struct wv_call *c, const struct wv_class *k, bool cold,
		       char text[META_BYTES], struct sl_objects_conf *ret_conf)
{
	int n = snprintf(text, META_BYTES, "{\"class\":%llu,\"cold\":%s}",
			 (unsigned long long)k->stored->generation, cold ? "true" : "false");
	int err = wv_class_conf(c, k, ret_conf);

	ret_conf->meta = text;
	ret_conf->meta_n = (size_t)n;
	return err;
}

/* Return: 0; -EEXIST; 1; -errno. */
static int create(struct wv_call *c, const struct wv_class *k, const char *tenant, bool cold)
{
	const char *name = collection_name(c, k, tenant);
	struct sl_objects_conf conf;
	char text[META_BYTES], why[200] = "";
	int err = name ? tenant_conf(c, k, cold, text, &conf) : -ENOMEM;

	if (!err && strlen(name) > SL_OBJECTS_NAME_BYTES_MAX)
		return wv_refuse(c, 422,
				 "tenant %.64s: its name and that of its class are %d characters "
				 "too long together",
				 tenant, (int)(strlen(name) - SL_OBJECTS_NAME_BYTES_MAX));
	if (!err)
		err = objects_create(c->objects, name, &conf, why, sizeof(why), c->deadline);
	return err < 0 && err != -EEXIST ? wv_failed(c, err, why) : err;
}

/* Gives @col what the class has now. Return: 0; -EAGAIN: somebody else was faster; 1; -errno. */
static int follow(struct wv_call *c, const struct wv_class *k,
		  const struct objects_collection *col, bool cold)
{
	struct sl_objects_conf conf;
	char text[META_BYTES], why[200] = "";
	int err = tenant_conf(c, k, cold, text, &conf);

	if (!err)
		err = objects_change(c->objects, col->name, col->generation, &conf, why,
				     sizeof(why), c->deadline);
	return err < 0 && err != -EAGAIN ? wv_failed(c, err, why) : err;
}

/* ---- finding ---------------------------------------------------------------------------- */

static int __attribute__((format(printf, 2, 3)))
wrong(char why[FAULT_BYTES], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, FAULT_BYTES, fmt, args);
	va_end(args);
	return -EINVAL;
}

static int disabled(char why[FAULT_BYTES], const char *class)
{
	return wrong(why, "class %.100s has multi-tenancy disabled, but request was with tenant",
		     class);
}

/* @ret_col: NULL: there is none of that name. -EINVAL: none has to be told, or one has to be. */
static int look_up(struct wv_call *c, const struct wv_class *k, const char *tenant,
		   const struct objects_collection **ret_col, char why[FAULT_BYTES])
{
	const char *name;

	*ret_col = NULL;
	if (!tenant || !*tenant)
		return wrong(why,
			     "class %.100s has multi-tenancy enabled, but request was without "
			     "tenant", k->name);
	name = collection_name(c, k, tenant);
	if (!name)
		return -ENOMEM;
	*ret_col = objects_view_find(c->view, name);
	return 0;
}

static int as_of(struct wv_call *c, const struct wv_class *k, const char *tenant,
		 const struct objects_collection *col, const struct wv_class **ret_class)
{
	struct wv_class *own = http_arena_new(&c->arena, struct wv_class);
	struct wv_class_vector *vectors =
		http_arena_array(&c->arena, struct wv_class_vector, k->vectors_n);

	if (!own || !vectors)
		return -ENOMEM;
	memcpy(vectors, k->vectors, k->vectors_n * sizeof(*vectors));
	*own = *k;
	own->tenant = tenant;
	own->collection = col;
	own->vectors = vectors;
	wv_class_read_dims(own);
	*ret_class = own;
	return 0;
}

int wv_tenant_find(struct wv_call *c, const struct wv_class *k, const char *tenant,
		   const struct wv_class **ret_class, char why[FAULT_BYTES])
{
	const struct objects_collection *col;
	struct meta meta;
	int err;

	*why = 0;
	if (!k->tenancy.on) {
		*ret_class = k;
		return tenant && *tenant ? disabled(why, k->name) : 0;
	}
	err = look_up(c, k, tenant, &col, why);
	if (err)
		return err;
	if (!col)
		return wrong(why, "class %.100s: tenant not found: \"%.64s\"", k->name, tenant);
	meta_read(col, &meta);
	if (meta.cold && !k->tenancy.activates)
		return wrong(why, "class %.100s: tenant not active: '%.64s'", k->name, tenant);
	return as_of(c, k, tenant, col, ret_class);
}

int wv_class_need_for(struct wv_call *c, const char *name, const char *tenant,
		      const struct wv_class **ret_class)
{
	char why[FAULT_BYTES];
	int res = wv_class_need(c, name, ret_class);

	if (!res)
		res = wv_tenant_find(c, *ret_class, tenant, ret_class, why);
	return res == -EINVAL ? wv_refuse(c, 422, "%s", why) : res;
}

/* ---- writing ---------------------------------------------------------------------------- */

int wv_tenant_admit(struct wv_call *c, const struct wv_class *k, const char *name,
		    const char *tenant, char why[FAULT_BYTES])
{
	const struct objects_collection *col;
	const struct wv_class *own;
	struct meta meta;
	int res;

	if (!k || !k->tenancy.on)
		return tenant && *tenant ? disabled(why, name) : 0;
	res = look_up(c, k, tenant, &col, why);
	if (!res && !col && k->tenancy.creates && name_is_good(tenant)) {
		res = create(c, k, tenant, false);
		return res && res != -EEXIST ? res : -EAGAIN;
	}
	if (!res && col) {
		meta_read(col, &meta);
		if (meta.cold && k->tenancy.activates) {
			res = follow(c, k, col, false);
			return res ? res : -EAGAIN;
		}
	}
	return res ? res : wv_tenant_find(c, k, tenant, &own, why);
}

int wv_tenant_follow(struct wv_call *c, const struct wv_class *k, const char *tenant,
		     const struct wv_class **ret_class)
{
	const struct objects_collection *col;
	char why[FAULT_BYTES];
	struct meta meta;
	int res;

	*ret_class = k;
	if (!k->tenancy.on)
		return 0;
	res = look_up(c, k, tenant, &col, why);
	if (res || !col)
		return res ? res : -EAGAIN;
	meta_read(col, &meta);
	if (meta.generation == k->stored->generation)
		return as_of(c, k, tenant, col, ret_class);
	res = follow(c, k, col, meta.cold);
	return res ? res : -EAGAIN;
}

int wv_tenants_drop(struct wv_call *c, const struct wv_class *k)
{
	int err = 0;

	for (uint32_t i = 0; i < objects_view_count(c->view) && !err; i++) {
		const struct objects_collection *col = objects_view_at(c->view, i);

		if (wv_tenant_name_of(col, k))
			err = objects_delete(c->objects, col->name, c->deadline);
		err = err == -ENOENT ? 0 : err;
	}
	return err;
}

/* ---- statuses --------------------------------------------------------------------------- */

static const struct {
	const char *name;
	bool cold;
} statuses[] = {
	{"HOT", false}, {"ACTIVE", false}, {"COLD", true}, {"INACTIVE", true},
};

static int read_status(struct wv_call *c, yyjson_val *tenant, bool *ret_cold)
{
	const char *given = yyjson_get_str(yyjson_obj_get(tenant, "activityStatus"));

	*ret_cold = false;
	if (!given || !*given)
		return 0;
	for (size_t i = 0; i < SL_ARRAY_SIZE(statuses); i++) {
		if (strcmp(statuses[i].name, given))
			continue;
		*ret_cold = statuses[i].cold;
		return 0;
	}
	return wv_refuse(c, 422,
			 "invalid activity status '%.40s': HOT (or ACTIVE) and COLD (or INACTIVE) "
			 "are served; there is nowhere to offload a tenant to", given);
}

static void put_tenant(struct http_json *j, const char *name, bool cold)
{
	http_json_open(j, '{');
	http_json_key(j, "activityStatus");
	http_json_string(j, cold ? "COLD" : "HOT");
	http_json_key(j, "name");
	http_json_string(j, name);
	http_json_close(j, '}');
}

/* ---- handlers --------------------------------------------------------------------------- */

/* The class that the path names, which has tenants. */
static int path_class(struct wv_call *c, const struct wv_class **ret_class)
{
	int res = wv_class_of_path(c, ret_class);

	if (!res && !(*ret_class)->tenancy.on)
		return wv_refuse(c, 422, "multi-tenancy is not enabled for class \"%.100s\"",
				 (*ret_class)->name);
	return res;
}

/* The class, and the list that is the body. */
static int read_request(struct wv_call *c, const struct wv_class **ret_class, yyjson_val **ret_list)
{
	int res = path_class(c, ret_class);

	if (!res)
		res = wv_call_body(c, ret_list);
	if (!res && !yyjson_is_arr(*ret_list))
		return wv_refuse(c, 422, "a list of tenants is expected");
	return res;
}

/* One of the list [{"name": ..., "activityStatus": ...}]. */
static int read_tenant(struct wv_call *c, yyjson_val *v, const char **ret_name, bool *ret_cold)
{
	const char *name = yyjson_get_str(yyjson_obj_get(v, "name"));

	if (!name || !name_is_good(name))
		return wv_refuse(c, 422,
				 "tenant name '%.100s': 1 to %d letters, digits, _ and - are "
				 "expected", name ? name : "", TENANT_NAME_MAX);
	*ret_name = name;
	return read_status(c, v, ret_cold);
}

/* Calls @each for each of the list, once all of it was looked at; answers with the list. */
static int for_each(struct wv_call *c, int (*each)(struct wv_call *c, const struct wv_class *k,
						   const char *name, bool cold, bool really))
{
	const struct wv_class *k;
	yyjson_val *list, *v;
	const char *name;
	size_t i, n;
	bool cold;
	int res = read_request(c, &k, &list);

	for (int really = 0; really < 2 && !res; really++) {
		yyjson_arr_foreach(list, i, n, v) {
			res = res ? res : read_tenant(c, v, &name, &cold);
			res = res ? res : each(c, k, name, cold, really);
		}
	}
	if (res)
		return res;
	http_json_open(&c->json, '[');
	yyjson_arr_foreach(list, i, n, v) {
		read_tenant(c, v, &name, &cold);
		put_tenant(&c->json, name, cold);
	}
	http_json_close(&c->json, ']');
	return 0;
}

/* One that is there stays as it is. */
static int make_one(struct wv_call *c, const struct wv_class *k, const char *name, bool cold,
		    bool really)
{
	int res = really ? create(c, k, name, cold) : 0;

	return res == -EEXIST ? 0 : res;
}

int wv_tenants_post(struct wv_call *c)
{
	return for_each(c, make_one);
}

static int change_one(struct wv_call *c, const struct wv_class *k, const char *name, bool cold,
		      bool really)
{
	const struct objects_collection *col;
	char why[FAULT_BYTES];
	int res;

	do {
		res = really ? wv_call_look_again(c) : 0;
		if (!res)
			res = wv_class_need(c, k->name, &k);
		if (!res)
			res = look_up(c, k, name, &col, why);
		if (!res && !col)
			return wv_refuse(c, 422, "tenant not found: \"%.64s\"", name);
		if (!res && really)
			res = follow(c, k, col, cold);
	} while (res == -EAGAIN && sl_now() < c->deadline);
	return res == -EAGAIN ? wv_failed(c, -ETIME, "") : res;
}

int wv_tenants_put(struct wv_call *c)
{
	return for_each(c, change_one);
}

int wv_tenants_get(struct wv_call *c)
{
	const struct wv_class *k;
	struct meta meta;
	int res = path_class(c, &k);

	if (res)
		return res;
	http_json_open(&c->json, '[');
	for (uint32_t i = 0; i < objects_view_count(c->view); i++) {
		const struct objects_collection *col = objects_view_at(c->view, i);
		const char *name = wv_tenant_name_of(col, k);

		if (!name)
			continue;
		meta_read(col, &meta);
		put_tenant(&c->json, name, meta.cold);
	}
	http_json_close(&c->json, ']');
	return 0;
}

/* What is gone is gone, whether or not it was there. */
int wv_tenants_delete(struct wv_call *c)
{
	const struct wv_class *k;
	yyjson_val *list, *v;
	size_t i, n;
	int res = read_request(c, &k, &list);

	if (res)
		return res;
	yyjson_arr_foreach(list, i, n, v) {
		const char *tenant = yyjson_get_str(v), *name;

		if (res)
			break;
		if (!tenant)
			return wv_refuse(c, 422, "a list of names of tenants is expected");
		name = collection_name(c, k, tenant);
		res = name ? objects_delete(c->objects, name, c->deadline) : -ENOMEM;
		res = res == -ENOENT ? 0 : res;
	}
	return res < 0 ? wv_failed(c, res, "") : res;
}

int wv_tenant_get(struct wv_call *c)
{
	const struct objects_collection *col = NULL;
	const struct wv_class *k;
	char why[FAULT_BYTES];
	const char *name;
	struct meta meta;
	int res = path_class(c, &k);

	if (!res)
		res = wv_call_param(c, 1, &name);
	if (!res)
		res = look_up(c, k, name, &col, why);
	if (res)
		return res;
	if (!col)
		return wv_refuse(c, 404, "tenant not found: \"%.64s\"", name);
	meta_read(col, &meta);
	put_tenant(&c->json, name, meta.cold);
	return 0;
}
