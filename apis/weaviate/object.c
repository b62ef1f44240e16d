// SPDX-License-Identifier: Apache-2.0
/*
 * Objects from JSON and to JSON, as their class has them.
 *
 * Interface: the part "objects" of weaviate_pvt.h. What a client sends is first held against the
 * class, by names and shapes; values are read by vectors/, for which the class gives the hints.
 *
 * Order of parts: hints; looking; putting; making; beacons; printing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "weaviate_pvt.h"

/* ---- hints ------------------------------------------------------------------------------ */

static const uint8_t value_types[DATA_LAST] = {
	[DATA_TEXT] = SL_VALUE_TEXT,	  [DATA_INT] = SL_VALUE_INTEGER,
	[DATA_NUMBER] = SL_VALUE_NUMBER,  [DATA_BOOLEAN] = SL_VALUE_BOOLEAN,
	[DATA_DATE] = SL_VALUE_DATE,	  [DATA_UUID] = SL_VALUE_UUID,
	[DATA_GEO] = SL_VALUE_GEO,	  [DATA_PHONE] = SL_VALUE_NULL,
	[DATA_BLOB] = SL_VALUE_BLOB,	  [DATA_OBJECT] = SL_VALUE_NULL,
	[DATA_REFERENCE] = SL_VALUE_NULL,
};

/* Objects within objects within a property. */
enum { NESTING_MAX = 16 };

struct hints {
	struct sl_object_hint *v;
	size_t n, room;
};

static int add_hint(struct wv_call *c, struct hints *h, const char *path, enum sl_value_type type)
{
	if (h->n == h->room) {
		struct sl_object_hint *more;

		h->room = sl_max(2 * h->room, (size_t)16);
		more = http_arena_array(&c->arena, struct sl_object_hint, h->room);
		if (!more)
			return -ENOMEM;
		if (h->n)
			memcpy(more, h->v, h->n * sizeof(*more));
		h->v = more;
	}
	h->v[h->n++] = (struct sl_object_hint){path, type};
	return 0;
}

static const char *join(struct wv_call *c, const char *path, const char *name)
{
	size_t path_n = strlen(path), name_n = strlen(name);
	char *text = http_arena_alloc(&c->arena, path_n + name_n + 2, 1);

	if (!text)
		return NULL;
	memcpy(text, path, path_n);
	text[path_n] = '.';
	memcpy(text + path_n + 1, name, name_n + 1);
	return text;
}

static int add_hints(struct wv_call *c, struct hints *h, const char *path,
		     const struct wv_property *properties, uint32_t n, uint32_t depth)
{
	int err = 0;

	for (uint32_t i = 0; i < n && !err; i++) {
		const struct wv_property *p = &properties[i];
		const char *at = path ? join(c, path, p->name) : p->name;
		struct wv_property *nested;
		uint32_t nested_n;

		if (!at)
			return -ENOMEM;
		if (value_types[p->type] != SL_VALUE_NULL)
			err = add_hint(c, h, at, (enum sl_value_type)value_types[p->type]);
		if (err || p->type != DATA_OBJECT || depth == NESTING_MAX)
			continue;
		err = wv_properties_read(c, yyjson_obj_get(p->json, "nestedProperties"), &nested,
					 &nested_n);
		if (!err)
			err = add_hints(c, h, at, nested, nested_n, depth + 1);
	}
	return err;
}

int wv_object_form_init(struct wv_call *c, const struct wv_class *k,
			struct wv_object_form *ret_form)
{
	struct hints h = {0};
	int err = add_hints(c, &h, NULL, k->properties, k->properties_n, 0);

	*ret_form = (struct wv_object_form){.k = k, .hints = h.v, .hints_n = h.n};
	return err;
}

/* ---- looking ---------------------------------------------------------------------------- */

static int __attribute__((format(printf, 2, 3))) wrong(char why[FAULT_BYTES], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, FAULT_BYTES, fmt, args);
	va_end(args);
	return -EINVAL;
}

static const char *kind_of(yyjson_val *v)
{
	return yyjson_is_arr(v) ? "array" : yyjson_get_type_desc(v);
}

static bool is_beacon(yyjson_val *v)
{
	return yyjson_is_str(yyjson_obj_get(v, "beacon"));
}

static int look_at_references(const struct wv_object_form *f, const struct wv_property *p,
			      yyjson_val *v, char why[FAULT_BYTES])
{
	yyjson_arr_iter iter;
	yyjson_val *item;
	bool good = yyjson_is_arr(v);

	yyjson_arr_iter_init(v, &iter);
	while (good && (item = yyjson_arr_iter_next(&iter)))
		good = is_beacon(item);
	return good ? 0
		    : wrong(why,
			    "class '%.64s' with property '%.64s' requires a list of "
			    "{\"beacon\": \"weaviate://localhost/Class/id\"}, but '%s' was "
			    "given",
			    f->k->name, p->name, kind_of(v));
}

/* Values are looked at where they are read; here, whether there is one or a list of them. */
static int look_at_property(const struct wv_object_form *f, const char *name, size_t n,
			    yyjson_val *v, char why[FAULT_BYTES])
{
	const struct wv_property *p = wv_class_property(f->k, name, n);

	if (yyjson_is_null(v))
		return 0;
	if (!p && yyjson_is_arr(v) && !yyjson_arr_size(v))
		return 0;
	if (!p)
		return wrong(why,
			     "no such prop with name '%.64s' found in class '%.64s' in the "
			     "schema. Check your schema files for which properties in this class "
			     "are available",
			     name, f->k->name);
	if (p->type == DATA_REFERENCE)
		return look_at_references(f, p, v, why);
	if (p->list != yyjson_is_arr(v))
		return wrong(why, "invalid %s%s property '%.64s' on class '%.64s': not %s, but %s",
			     wv_data_type_name(p->type), p->list ? "[]" : "", p->name, f->k->name,
			     p->list ? "an array" : "a single value", kind_of(v));
	return 0;
}

static int look_at_vectors(const struct wv_object_form *f, yyjson_val *json, char why[FAULT_BYTES])
{
	yyjson_val *vector = yyjson_obj_get(json, "vector"), *name;
	yyjson_val *vectors = yyjson_obj_get(json, "vectors");
	yyjson_obj_iter iter;

	if (vectors && !yyjson_is_null(vectors) && !yyjson_is_obj(vectors))
		return wrong(why, "vectors: an object of lists of numbers is expected");
	if (vector && !yyjson_is_null(vector) && !wv_class_vector(f->k, wv_class_only_vector(f->k)))
		return wrong(why,
			     "class '%.64s' has named vectors: vectors by their names are "
			     "expected",
			     f->k->name);
	yyjson_obj_iter_init(vectors, &iter);
	while ((name = yyjson_obj_iter_next(&iter)))
		if (!wv_class_vector(f->k, yyjson_get_str(name)) || !f->k->named)
			return wrong(why, "class '%.64s' has no vector '%.64s'", f->k->name,
				     yyjson_get_str(name));
	return 0;
}

int wv_object_look(const struct wv_object_form *f, yyjson_val *json, char why[FAULT_BYTES])
{
	yyjson_val *properties = yyjson_obj_get(json, "properties"), *name;
	yyjson_obj_iter iter;
	int err = 0;

	if (!yyjson_is_obj(json))
		return wrong(why, "an object is expected");
	if (properties && !yyjson_is_null(properties) && !yyjson_is_obj(properties))
		return wrong(why, "properties: an object is expected");
	yyjson_obj_iter_init(properties, &iter);
	while (!err && (name = yyjson_obj_iter_next(&iter)))
		err = look_at_property(f, yyjson_get_str(name), yyjson_get_len(name),
				       yyjson_obj_iter_get_val(name), why);
	return err ? err : look_at_vectors(f, json, why);
}

/* ---- putting ---------------------------------------------------------------------------- */

/* What is null is not kept. References of a name are replaced as a whole. */
static void drop_nulls(struct sl_object_builder *b, yyjson_val *json)
{
	yyjson_obj_iter iter;
	yyjson_val *name;

	yyjson_obj_iter_init(yyjson_obj_get(json, "properties"), &iter);
	while ((name = yyjson_obj_iter_next(&iter))) {
		yyjson_val *v = yyjson_obj_iter_get_val(name);

		if (yyjson_is_null(v))
			sl_object_remove(b, yyjson_get_str(name));
	}
}

static void drop_references(const struct wv_object_form *f, struct sl_object_builder *b,
			    yyjson_val *json)
{
	yyjson_obj_iter iter;
	yyjson_val *name;

	yyjson_obj_iter_init(yyjson_obj_get(json, "properties"), &iter);
	while ((name = yyjson_obj_iter_next(&iter))) {
		const struct wv_property *p =
			wv_class_property(f->k, yyjson_get_str(name), yyjson_get_len(name));

		if (p && p->type == DATA_REFERENCE)
			sl_object_remove_references(b, p->name);
	}
}

/* The vector without a name is the only one that the class has: @values has its numbers. */
static int name_vector(const struct wv_object_form *f, struct sl_object_builder *b,
		       yyjson_val *json, const float *values)
{
	size_t dim = yyjson_arr_size(yyjson_obj_get(json, "vector"));

	if (!values || sl_object_remove_vector(b, ""))
		return 0;
	return sl_object_put_vector(b, wv_class_only_vector(f->k), SL_VECTOR_F32, values,
				    (uint32_t)dim);
}

int wv_object_put(const struct wv_object_form *f, struct sl_object_builder *b, yyjson_val *json,
		  const float *values, char why[FAULT_BYTES])
{
	int err;

	drop_references(f, b, json);
	err = sl_object_put_json_value(b, SL_JSON_OBJECT, json, f->hints, f->hints_n, why,
				       FAULT_BYTES);
	if (err)
		return err;
	drop_nulls(b, json);
	return name_vector(f, b, json, values);
}

int wv_object_values(struct wv_call *c, const struct wv_object_form *f, yyjson_val *json,
		     const float **ret_values)
{
	yyjson_val *list = yyjson_obj_get(json, "vector"), *v;
	yyjson_arr_iter iter;
	float *values;
	size_t n = 0;

	*ret_values = NULL;
	if (!*wv_class_only_vector(f->k) || !yyjson_arr_size(list))
		return 0;
	values = http_arena_array(&c->arena, float, yyjson_arr_size(list));
	if (!values)
		return -ENOMEM;
	yyjson_arr_iter_init(list, &iter);
	while ((v = yyjson_arr_iter_next(&iter)))
		values[n++] = (float)yyjson_get_num(v);
	*ret_values = values;
	return 0;
}

/* ---- making ----------------------------------------------------------------------------- */

/* RFC 9562, version 4. */
static void random_uuid(uint8_t ret_uuid[SL_OBJECT_UUID_BYTES])
{
	sl_random(ret_uuid, SL_OBJECT_UUID_BYTES);
	ret_uuid[6] = (uint8_t)((ret_uuid[6] & 0x0f) | 0x40);
	ret_uuid[8] = (uint8_t)((ret_uuid[8] & 0x3f) | 0x80);
}

int wv_object_make(struct wv_call *c, const struct wv_object_form *f, struct sl_object_builder *b,
		   yyjson_val *json, const struct sl_object **ret_object, char why[FAULT_BYTES])
{
	int64_t now_ms = sl_wall_clock_ns() / SL_MSEC;
	uint8_t uuid[SL_OBJECT_UUID_BYTES], *bytes;
	const float *values;
	size_t n;
	int err = wv_object_look(f, json, why);

	if (!err)
		err = wv_object_values(c, f, json, &values);
	if (err)
		return err;
	sl_object_builder_reset(b);
	random_uuid(uuid);
	sl_object_put_key_uuid(b, uuid);
	err = wv_object_put(f, b, json, values, why);
	if (err)
		return err;
	sl_object_put_times(b, now_ms, now_ms);
	err = sl_object_build_bytes(b, &n);
	if (err || n > HTTP_ARENA_PIECE_MAX)
		return err && err != -EFBIG ? err : wrong(why, "the object is larger than 16 MiB");
	bytes = http_arena_alloc(&c->arena, n, SL_OBJECT_ALIGN);
	if (!bytes)
		return -ENOMEM;
	err = sl_object_build(b, bytes, n);
	return err ? err : sl_object_open(bytes, n, ret_object);
}

/* ---- beacons ---------------------------------------------------------------------------- */

/* Its parts, from the last one on: an id, a class, or a property, an id and a class. */
static bool cut_last(struct http_str *s, struct http_str *ret_part)
{
	size_t n = s->n;

	while (n && s->p[n - 1] != '/')
		n--;
	*ret_part = (struct http_str){s->p + n, s->n - n};
	s->n = n ? n - 1 : 0;
	return ret_part->n > 0;
}

bool wv_beacon_parse(struct http_str s, bool with_property, struct wv_beacon *ret)
{
	static const char front[] = "weaviate://";
	struct http_str id;

	*ret = (struct wv_beacon){0};
	if (s.n < sizeof(front) || memcmp(s.p, front, sizeof(front) - 1))
		return false;
	s = (struct http_str){s.p + sizeof(front) - 1, s.n - (sizeof(front) - 1)};
	if (with_property && !cut_last(&s, &ret->property))
		return false;
	if (!cut_last(&s, &id) || !sl_uuid_parse(id.p, id.n, ret->uuid))
		return false;
	/* What is left is the host, and a class unless it comes from long ago. */
	if (s.n && memchr(s.p, '/', s.n))
		cut_last(&s, &ret->class);
	return true;
}

/* ---- printing --------------------------------------------------------------------------- */

void wv_beacon_print(struct http_json *j, const char *target, size_t target_n, const uint8_t *uuid)
{
	static const char front[] = "weaviate://localhost/";
	char text[sizeof(front) + SL_OBJECTS_NAME_BYTES_MAX + 1 + SL_UUID_TEXT_BYTES];
	size_t n = sizeof(front) - 1;

	target_n = sl_min(target_n, (size_t)SL_OBJECTS_NAME_BYTES_MAX);
	memcpy(text, front, n);
	memcpy(text + n, target, target_n);
	n += target_n;
	if (target_n)
		text[n++] = '/';
	sl_uuid_print(uuid, text + n);
	http_json_text(j, text, n + SL_UUID_TEXT_BYTES);
}

static void print_href(struct http_json *j, const char *target, size_t target_n,
		       const uint8_t *uuid)
{
	char text[16 + SL_OBJECTS_NAME_BYTES_MAX + 1 + SL_UUID_TEXT_BYTES], id[SL_UUID_TEXT_BYTES];

	sl_uuid_print(uuid, id);
	snprintf(text, sizeof(text), "/v1/objects/%.*s%s%.*s",
		 (int)sl_min(target_n, (size_t)SL_OBJECTS_NAME_BYTES_MAX), target,
		 target_n ? "/" : "", SL_UUID_TEXT_BYTES, id);
	http_json_string(j, text);
}

/* All of the references of the name that the @i-th one has. Return: where the next name is. */
static uint32_t print_references(struct http_json *j, const struct sl_object *o, uint32_t i)
{
	const char *name, *other, *target;
	size_t n, other_n, target_n;

	sl_object_reference_at(o, i, &name, &n, NULL, NULL);
	http_json_key_n(j, name, n);
	http_json_open(j, '[');
	for (; i < sl_object_reference_count(o); i++) {
		const uint8_t *uuid =
			sl_object_reference_at(o, i, &other, &other_n, &target, &target_n);

		if (other_n != n || memcmp(other, name, n))
			break;
		http_json_open(j, '{');
		http_json_key(j, "beacon");
		wv_beacon_print(j, target, target_n, uuid);
		http_json_key(j, "href");
		print_href(j, target, target_n, uuid);
		http_json_close(j, '}');
	}
	http_json_close(j, ']');
	return i;
}

static void print_properties(struct http_json *j, const struct sl_object *o)
{
	const struct sl_value *map = sl_object_properties(o);

	http_json_open(j, '{');
	for (uint32_t i = 0; i < sl_value_count(map); i++) {
		const struct sl_value *v = sl_value_at(map, i);
		size_t n;
		const char *name = sl_value_name(v, &n);

		http_json_key_n(j, name, n);
		http_json_value(j, SL_JSON_OBJECT, v);
	}
	for (uint32_t i = 0; i < sl_object_reference_count(o);)
		i = print_references(j, o, i);
	http_json_close(j, '}');
}

void wv_vector_print(struct http_json *j, const struct sl_object *o, const char *name)
{
	enum sl_vector_type type;
	uint32_t dim;
	const void *data = sl_object_vector(o, name, &type, &dim);

	if (data)
		http_json_vector(j, type, data, dim);
	else
		http_json_null(j);
}

static void print_vectors(struct http_json *j, const struct sl_object *o)
{
	http_json_open(j, '{');
	for (uint32_t i = 0; i < sl_object_vector_count(o); i++) {
		enum sl_vector_type type;
		const char *name;
		uint32_t dim;
		size_t n;
		const void *data = sl_object_vector_at(o, i, &name, &n, &type, &dim);

		http_json_key_n(j, name, n);
		http_json_vector(j, type, data, dim);
	}
	http_json_close(j, '}');
}

void wv_object_members(struct http_json *j, const struct wv_class *k, const struct sl_object *o,
		       bool with_vectors)
{
	const uint8_t *key;

	sl_object_key(o, &key);
	http_json_key(j, "class");
	http_json_string(j, k->name);
	http_json_key(j, "creationTimeUnix");
	http_json_int(j, sl_object_created_ms(o));
	http_json_key(j, "id");
	http_json_uuid(j, key);
	http_json_key(j, "lastUpdateTimeUnix");
	http_json_int(j, sl_object_updated_ms(o));
	http_json_key(j, "properties");
	print_properties(j, o);
	if (k->tenant) {
		http_json_key(j, "tenant");
		http_json_string(j, k->tenant);
	}
	if (with_vectors && k->named) {
		http_json_key(j, "vectors");
		print_vectors(j, o);
	} else if (with_vectors && sl_object_vector(o, "", NULL, NULL)) {
		http_json_key(j, "vector");
		wv_vector_print(j, o, "");
	}
	http_json_key(j, "vectorWeights");
	http_json_null(j);
}
