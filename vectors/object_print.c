/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects to JSON.
 *
 * Interface: sl_object_to_json() of object.h. Names and texts are taken from the object where they
 * lie; yyjson writes them.
 *
 * Order of parts: values; vectors; references; whole objects.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "half.h"
#include "object_pvt.h"

/* Where memory is used up, values are NULL, and adding them fails. */
struct printing {
	yyjson_mut_doc *doc;
	enum sl_object_json form;
	bool failed;
};

static void add(struct printing *p, yyjson_mut_val *map, const char *name, size_t n,
		yyjson_mut_val *v)
{
	if (!yyjson_mut_obj_add(map, yyjson_mut_strn(p->doc, name, n), v))
		p->failed = true;
}

static void append(struct printing *p, yyjson_mut_val *list, yyjson_mut_val *v)
{
	if (!yyjson_mut_arr_append(list, v))
		p->failed = true;
}

/* ---- values ----------------------------------------------------------------------------- */

static yyjson_mut_val *print_value(struct printing *p, const struct sl_value *v);

static yyjson_mut_val *print_text(struct printing *p, const struct sl_value *v)
{
	size_t n;
	const char *text = sl_value_text(v, &n);

	return yyjson_mut_strn(p->doc, text, n);
}

static yyjson_mut_val *print_date(struct printing *p, const struct sl_value *v)
{
	char text[SL_DATE_TEXT_BYTES];

	return yyjson_mut_strncpy(p->doc, text, sl_date_print(sl_value_date(v), text));
}

static yyjson_mut_val *print_uuid(struct printing *p, const uint8_t *uuid)
{
	char text[SL_UUID_TEXT_BYTES];

	sl_uuid_print(uuid, text);
	return yyjson_mut_strncpy(p->doc, text, sizeof(text));
}

static yyjson_mut_val *print_geo(struct printing *p, const struct sl_value *v)
{
	bool point = p->form == SL_JSON_POINT;
	yyjson_mut_val *map = yyjson_mut_obj(p->doc);
	double latitude, longitude;

	sl_value_geo(v, &latitude, &longitude);
	if (!yyjson_mut_obj_add_real(p->doc, map, point ? "lat" : "latitude", latitude) ||
	    !yyjson_mut_obj_add_real(p->doc, map, point ? "lon" : "longitude", longitude))
		p->failed = true;
	return map;
}

static yyjson_mut_val *print_blob(struct printing *p, const struct sl_value *v)
{
	yyjson_mut_val *val;
	size_t n;
	const void *data = sl_value_blob(v, &n);
	char *text = malloc(n / 3 * 4 + 4);

	if (!text)
		return NULL;
	val = yyjson_mut_strncpy(p->doc, text, sl_base64_print(data, n, text));
	free(text);
	return val;
}

static yyjson_mut_val *print_list(struct printing *p, const struct sl_value *v)
{
	yyjson_mut_val *list = yyjson_mut_arr(p->doc);

	for (uint32_t i = 0; i < sl_value_count(v); i++)
		append(p, list, print_value(p, sl_value_at(v, i)));
	return list;
}

static yyjson_mut_val *print_map(struct printing *p, const struct sl_value *v)
{
	yyjson_mut_val *map = yyjson_mut_obj(p->doc);

	for (uint32_t i = 0; i < sl_value_count(v); i++) {
		const struct sl_value *child = sl_value_at(v, i);
		size_t n;
		const char *name = sl_value_name(child, &n);

		add(p, map, name, n, print_value(p, child));
	}
	return map;
}

static yyjson_mut_val *print_value(struct printing *p, const struct sl_value *v)
{
	switch (sl_value_type(v)) {
	case SL_VALUE_BOOLEAN:
		return yyjson_mut_bool(p->doc, sl_value_boolean(v));
	case SL_VALUE_INTEGER:
		return yyjson_mut_sint(p->doc, sl_value_integer(v));
	case SL_VALUE_NUMBER:
		return yyjson_mut_real(p->doc, sl_value_number(v));
	case SL_VALUE_TEXT:
		return print_text(p, v);
	case SL_VALUE_DATE:
		return print_date(p, v);
	case SL_VALUE_UUID:
		return print_uuid(p, sl_value_uuid(v));
	case SL_VALUE_GEO:
		return print_geo(p, v);
	case SL_VALUE_BLOB:
		return print_blob(p, v);
	case SL_VALUE_LIST:
		return print_list(p, v);
	case SL_VALUE_MAP:
		return print_map(p, v);
	default:
		return yyjson_mut_null(p->doc);
	}
}

/* ---- vectors ---------------------------------------------------------------------------- */

/* Of those that are not finite, which a builder takes from nobody, JSON has null. */
static double component(enum sl_vector_type type, const uint8_t *data, uint32_t i)
{
	float f;

	switch (type) {
	case SL_VECTOR_F32:
		memcpy(&f, data + i * sizeof(f), sizeof(f));
		return f;
	case SL_VECTOR_F16:
		return sl_half_float(sl_load_le16(data + i * 2));
	case SL_VECTOR_I8:
		return (int8_t)data[i];
	default:
		return data[i / 8] >> i % 8 & 1;
	}
}

static yyjson_mut_val *print_vector(struct printing *p, enum sl_vector_type type,
				    const uint8_t *data, uint32_t dim)
{
	yyjson_mut_val *list = yyjson_mut_arr(p->doc);

	for (uint32_t i = 0; i < dim; i++) {
		double v = component(type, data, i);

		append(p, list,
		       !isfinite(v) ? yyjson_mut_null(p->doc)
		       : type == SL_VECTOR_F32 || type == SL_VECTOR_F16
			       ? yyjson_mut_real(p->doc, v)
			       : yyjson_mut_sint(p->doc, (int64_t)v));
	}
	return list;
}

/* That without a name stands alone: of a point if there is no other. */
static void print_vectors(struct printing *p, const struct sl_object *o, yyjson_mut_val *root)
{
	bool point = p->form == SL_JSON_POINT;
	uint32_t n = sl_object_vector_count(o), dim;
	yyjson_mut_val *named = NULL, *list;
	enum sl_vector_type type;
	const char *name;
	size_t name_n;

	for (uint32_t i = 0; i < n; i++) {
		const void *data = sl_object_vector_at(o, i, &name, &name_n, &type, &dim);

		list = print_vector(p, type, data, dim);
		if (!name_n && (n == 1 || !point)) {
			add(p, root, "vector", 6, list);
			continue;
		}
		named = named ? named : yyjson_mut_obj(p->doc);
		add(p, named, name, name_n, list);
	}
	if (named)
		add(p, root, point ? "vector" : "vectors", point ? 6 : 7, named);
}

/* ---- references ------------------------------------------------------------------------- */

static yyjson_mut_val *print_beacon(struct printing *p, const char *target, size_t n,
				    const uint8_t *uuid)
{
	static const char head[] = "weaviate://localhost/";
	size_t len = sizeof(head) - 1 + n + 1 + SL_UUID_TEXT_BYTES, at = sizeof(head) - 1;
	char *text = malloc(len);
	yyjson_mut_val *map = yyjson_mut_obj(p->doc);

	if (!text)
		return NULL;
	memcpy(text, head, at);
	memcpy(text + at, target, n);
	at += n;
	if (n)
		text[at++] = '/';
	sl_uuid_print(uuid, text + at);
	if (!yyjson_mut_obj_add_strncpy(p->doc, map, "beacon", text, at + SL_UUID_TEXT_BYTES))
		p->failed = true;
	free(text);
	return map;
}

static void print_references(struct printing *p, const struct sl_object *o, yyjson_mut_val *map)
{
	const char *name, *before = NULL, *target;
	size_t n, before_n = 0, target_n;
	yyjson_mut_val *list = NULL;

	for (uint32_t i = 0; i < sl_object_reference_count(o); i++) {
		const uint8_t *uuid = sl_object_reference_at(o, i, &name, &n, &target, &target_n);

		if (!before || object_names_compare(before, before_n, name, n)) {
			list = yyjson_mut_arr(p->doc);
			add(p, map, name, n, list);
		}
		append(p, list, print_beacon(p, target, target_n, uuid));
		before = name;
		before_n = n;
	}
}

/* ---- whole objects ---------------------------------------------------------------------- */

static void print_id(struct printing *p, const struct sl_object *o, yyjson_mut_val *root)
{
	const uint8_t *key;
	enum sl_key_kind kind = sl_object_key(o, &key);

	if (kind == SL_KEY_INTEGER)
		add(p, root, "id", 2, yyjson_mut_uint(p->doc, sl_load_le64(key)));
	else if (kind == SL_KEY_UUID)
		add(p, root, "id", 2, print_uuid(p, key));
}

static yyjson_mut_val *print_object(struct printing *p, const struct sl_object *o)
{
	yyjson_mut_val *root = yyjson_mut_obj(p->doc);
	yyjson_mut_val *properties = print_map(p, sl_object_properties(o));

	print_id(p, o, root);
	if (p->form == SL_JSON_POINT) {
		add(p, root, "payload", 7, properties);
	} else {
		print_references(p, o, properties);
		add(p, root, "properties", 10, properties);
		add(p, root, "creationTimeUnix", 16,
		    yyjson_mut_sint(p->doc, sl_object_created_ms(o)));
		add(p, root, "lastUpdateTimeUnix", 18,
		    yyjson_mut_sint(p->doc, sl_object_updated_ms(o)));
	}
	print_vectors(p, o, root);
	return root;
}

int sl_object_to_json(const struct sl_object *o, enum sl_object_json form, char **ret_text,
		      size_t *ret_n)
{
	struct printing p = {.doc = yyjson_mut_doc_new(NULL), .form = form};
	char *text = NULL;
	size_t n = 0;

	SL_ASSERT(form < SL_JSON_LAST);
	if (!p.doc)
		return -ENOMEM;
	yyjson_mut_doc_set_root(p.doc, print_object(&p, o));
	if (!p.failed)
		text = yyjson_mut_write(p.doc, YYJSON_WRITE_NOFLAG, &n);
	yyjson_mut_doc_free(p.doc);
	if (!text)
		return -ENOMEM;
	*ret_text = text;
	*ret_n = n;
	return 0;
}
