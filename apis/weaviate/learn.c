// SPDX-License-Identifier: Apache-2.0
/*
 * What a class does not know yet of the objects that come: classes, properties and the dimensions
 * of vectors are made by the first object that has them, as Weaviate does.
 *
 * Interface: wv_class_learn() of weaviate_pvt.h. What makes no sense is left alone here; the object
 * that brought it is refused afterwards, by itself.
 *
 * Order of parts: the types of values; news of properties; news of vectors; the class with them;
 * calls.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "weaviate_pvt.h"

/* @doc, @list: the new properties, made when there is one. @dims: of the class's vectors, 0: no
 * news. @changed: there is something new. */
struct news {
	struct wv_call *c;
	const struct wv_class *k;
	yyjson_mut_doc *doc;
	yyjson_mut_val *list;
	uint32_t *dims;
	bool changed;
};

/* ---- the types of values ---------------------------------------------------------------- */

static const char *text_type(yyjson_val *v, bool list)
{
	const char *p = yyjson_get_str(v);
	size_t n = yyjson_get_len(v);
	uint8_t uuid[SL_OBJECT_UUID_BYTES];
	int64_t us;

	if (sl_uuid_parse(p, n, uuid))
		return list ? "uuid[]" : "uuid";
	/* A date alone is too often something else. */
	if (n > 10 && sl_date_parse(p, n, &us))
		return list ? "date[]" : "date";
	return list ? "text[]" : "text";
}

static const char *map_type(yyjson_val *v, bool list)
{
	if (yyjson_is_num(yyjson_obj_get(v, "latitude")) &&
	    yyjson_is_num(yyjson_obj_get(v, "longitude")))
		return list ? NULL : "geoCoordinates";
	if (yyjson_is_str(yyjson_obj_get(v, "input")))
		return list ? NULL : "phoneNumber";
	return list ? "object[]" : "object";
}

/* Of one value, or one of a list. NULL: it tells nothing. */
static const char *scalar_type(yyjson_val *v, bool list)
{
	if (yyjson_is_str(v))
		return text_type(v, list);
	if (yyjson_is_num(v))
		return list ? "number[]" : "number";
	if (yyjson_is_bool(v))
		return list ? "boolean[]" : "boolean";
	return yyjson_is_obj(v) ? map_type(v, list) : NULL;
}

/* "weaviate://localhost/Class/…": the class; of no characters if there is none. */
static struct http_str beacon_class(yyjson_val *beacon)
{
	static const char front[] = "weaviate://";
	const char *p = yyjson_get_str(beacon), *slash;

	if (!p || strncmp(p, front, sizeof(front) - 1))
		return (struct http_str){0};
	p = strchr(p + sizeof(front) - 1, '/');
	slash = p ? strchr(p + 1, '/') : NULL;
	return slash ? (struct http_str){p + 1, (size_t)(slash - p - 1)} : (struct http_str){0};
}

static bool put_type(struct news *w, yyjson_mut_val *types, yyjson_val *v)
{
	bool list = yyjson_is_arr(v);
	yyjson_val *first = list ? yyjson_arr_get_first(v) : v;
	struct http_str target = beacon_class(yyjson_obj_get(first, "beacon"));
	const char *type = NULL;

	if (list && target.n)
		type = wv_class_name(w->c, target.p, target.n);
	else if (!list || !yyjson_is_str(yyjson_obj_get(first, "beacon")))
		type = scalar_type(first, list);
	return type && yyjson_mut_arr_add_strcpy(w->doc, types, type);
}

/* ---- news of properties ----------------------------------------------------------------- */

/* Objects within objects that are described. */
enum { NESTING_MAX = 16 };

static void put_properties(struct news *w, yyjson_mut_val *list, yyjson_val *map, uint32_t depth);

/* @v: a map, or a list of maps, of which the first one counts. */
static void put_nested(struct news *w, yyjson_mut_val *p, yyjson_val *v, uint32_t depth)
{
	v = yyjson_is_arr(v) ? yyjson_arr_get_first(v) : v;
	if (depth < NESTING_MAX)
		put_properties(w, yyjson_mut_obj_add_arr(w->doc, p, "nestedProperties"), v, depth);
}

static void put_property(struct news *w, yyjson_mut_val *list, const char *name, yyjson_val *v,
			 uint32_t depth)
{
	yyjson_mut_val *types = yyjson_mut_arr(w->doc), *p;
	const char *type;

	if (!wv_property_name_is_good(name) || !put_type(w, types, v))
		return;
	p = yyjson_mut_arr_add_obj(w->doc, list);
	yyjson_mut_obj_add_strcpy(w->doc, p, "name", name);
	type = yyjson_mut_get_str(yyjson_mut_arr_get_first(types));
	yyjson_mut_obj_add_val(w->doc, p, "dataType", types);
	if (!strncmp(type, "object", 6))
		put_nested(w, p, v, depth + 1);
}

static void put_properties(struct news *w, yyjson_mut_val *list, yyjson_val *map, uint32_t depth)
{
	yyjson_obj_iter iter;
	yyjson_val *name;

	yyjson_obj_iter_init(map, &iter);
	while ((name = yyjson_obj_iter_next(&iter)))
		put_property(w, list, yyjson_get_str(name), yyjson_obj_iter_get_val(name), depth);
}

/* Properties begin with a small letter: the text is the call's own, and is put right. */
static void put_right(yyjson_val *name)
{
	char *p = (char *)yyjson_get_str(name);

	if (*p >= 'A' && *p <= 'Z')
		*p += 'a' - 'A';
}

static bool is_new(const struct news *w, const char *name)
{
	yyjson_mut_arr_iter iter;
	yyjson_mut_val *p;

	/* Names that differ by capitals alone are no two properties. */
	for (uint32_t i = 0; w->k && i < w->k->properties_n; i++)
		if (!strcasecmp(w->k->properties[i].name, name))
			return false;
	yyjson_mut_arr_iter_init(w->list, &iter);
	while ((p = yyjson_mut_arr_iter_next(&iter)))
		if (!strcasecmp(yyjson_mut_get_str(yyjson_mut_obj_get(p, "name")), name))
			return false;
	return true;
}

static int look_at_properties(struct news *w, yyjson_val *map)
{
	yyjson_obj_iter iter;
	yyjson_val *name;

	yyjson_obj_iter_init(map, &iter);
	while ((name = yyjson_obj_iter_next(&iter))) {
		put_right(name);
		if (!is_new(w, yyjson_get_str(name)))
			continue;
		w->doc = w->doc ? w->doc : yyjson_mut_doc_new(NULL);
		w->list = w->list ? w->list : yyjson_mut_arr(w->doc);
		if (!w->list)
			return -ENOMEM;
		put_property(w, w->list, yyjson_get_str(name), yyjson_obj_iter_get_val(name), 0);
		w->changed |= yyjson_mut_arr_size(w->list) > 0;
	}
	return 0;
}

/* ---- news of vectors -------------------------------------------------------------------- */

static void look_at_vector(struct news *w, const char *name, yyjson_val *list)
{
	size_t dim = yyjson_arr_size(list);
	const struct wv_class_vector *v = wv_class_vector(w->k, name);

	if (!dim || dim > SL_DIM_MAX || !v || v->dim || v->skip || w->dims[v - w->k->vectors])
		return;
	w->dims[v - w->k->vectors] = (uint32_t)dim;
	w->changed = true;
}

static void look_at_vectors(struct news *w, yyjson_val *object)
{
	yyjson_val *vectors = yyjson_obj_get(object, "vectors");
	yyjson_obj_iter iter;
	yyjson_val *name;

	look_at_vector(w, wv_class_only_vector(w->k), yyjson_obj_get(object, "vector"));
	yyjson_obj_iter_init(vectors, &iter);
	while ((name = yyjson_obj_iter_next(&iter)))
		look_at_vector(w, yyjson_get_str(name), yyjson_obj_iter_get_val(name));
}

/* ---- the class with them ---------------------------------------------------------------- */

/* What is known, and the new properties behind it. */
static int define(struct news *w, const char *name, struct wv_class **ret_class)
{
	yyjson_val *known = w->k ? yyjson_obj_get(w->k->json, "properties") : NULL, *v;
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	yyjson_mut_val *root, *list = NULL, *p;
	yyjson_mut_arr_iter news;
	yyjson_arr_iter iter;
	yyjson_doc *read = NULL;
	int err = doc ? 0 : -ENOMEM;

	if (err)
		return err;
	root = w->k ? yyjson_val_mut_copy(doc, w->k->json) : yyjson_mut_obj(doc);
	yyjson_mut_doc_set_root(doc, root);
	yyjson_mut_obj_remove_key(root, "properties");
	yyjson_mut_obj_remove_key(root, "class");
	yyjson_mut_obj_add_str(doc, root, "class", name);
	list = yyjson_mut_obj_add_arr(doc, root, "properties");
	yyjson_arr_iter_init(known, &iter);
	while ((v = yyjson_arr_iter_next(&iter)))
		yyjson_mut_arr_append(list, yyjson_val_mut_copy(doc, v));
	yyjson_mut_arr_iter_init(w->list, &news);
	while ((p = yyjson_mut_arr_iter_next(&news)))
		yyjson_mut_arr_append(list, yyjson_mut_val_mut_copy(doc, p));
	read = yyjson_mut_doc_imut_copy(doc, NULL);
	yyjson_mut_doc_free(doc);
	err = read ? wv_class_define(w->c, yyjson_doc_get_root(read), w->k, ret_class) : -ENOMEM;
	yyjson_doc_free(read);
	return err;
}

/* Return: 0: stored; -EAGAIN: somebody else was faster; 1; -errno. */
static int store(struct news *w, const char *name)
{
	struct wv_class *k;
	int res = define(w, name, &k);

	if (res)
		return res;
	for (uint32_t i = 0; w->k && i < w->k->vectors_n; i++)
		if (w->dims[i])
			k->vectors[i].dim = w->dims[i];
	res = w->k ? wv_class_replace(w->c, k, w->k) : wv_class_create(w->c, k);
	return res == -EEXIST ? -EAGAIN : res;
}

/* ---- calls ------------------------------------------------------------------------------ */

/* What objects are of. */
struct whose {
	const char *class, *tenant;
};

/* One look at everything. Return: 0: nothing was new; -EAGAIN: look again; -EINVAL with @why; 1;
 * -errno. */
static int look(struct wv_call *c, const struct whose *of, yyjson_val *const *objects, size_t n,
		const struct wv_class **ret_class, char why[FAULT_BYTES])
{
	struct news w = {.c = c};
	int res = wv_class_find(c, of->class, &w.k);

	if (!res)
		res = wv_tenant_admit(c, w.k, of->class, of->tenant, why);
	if (res)
		return res;
	w.changed = !w.k;
	w.dims = http_arena_array(&c->arena, uint32_t, w.k ? w.k->vectors_n : 0);
	if (!w.dims)
		return -ENOMEM;
	for (size_t i = 0; i < n && !res; i++) {
		res = look_at_properties(&w, yyjson_obj_get(objects[i], "properties"));
		if (!res && w.k)
			look_at_vectors(&w, objects[i]);
	}
	if (!res && w.changed)
		res = store(&w, of->class);
	yyjson_mut_doc_free(w.doc);
	if (res)
		return res;
	return w.changed ? -EAGAIN : wv_tenant_follow(c, w.k, of->tenant, ret_class);
}

int wv_class_learn(struct wv_call *c, const char *name, const char *tenant,
		   yyjson_val *const *objects, size_t n, const struct wv_class **ret_class,
		   char why[FAULT_BYTES])
{
	const struct whose of = {name, tenant};
	int res;

	while ((res = look(c, &of, objects, n, ret_class, why)) == -EAGAIN) {
		res = wv_call_look_again(c);
		if (res)
			return res;
		if (sl_now() > c->deadline)
			return wv_failed(c, -ETIME, "");
	}
	return res;
}
