/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects from JSON, as yyjson parses it. Texts and numbers stay in its document until the object
 * is built; the numbers of a vector go from there to their place.
 *
 * Interface: object.h.
 *
 * Order of parts: what is wrong; typed values; values; references; vectors; whole objects; calls.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "object.h"
#include "object_pvt.h"

/**
 * struct reading - one call.
 * @path: of the value that is being read, for hints and for @why; cut where it does not fit.
 */
struct reading {
	struct sl_object_builder *b;
	enum sl_object_json form;
	const struct sl_object_hint *hints;
	size_t hint_n;
	char *why;
	size_t why_len;
	char path[512];
	size_t path_n;
};

/* ---- what is wrong ---------------------------------------------------------------------- */

static int __attribute__((format(printf, 3, 4)))
wrong(struct reading *r, int err, const char *fmt, ...)
{
	va_list args;

	if (!r->why_len)
		return err;
	va_start(args, fmt);
	vsnprintf(r->why, r->why_len, fmt, args);
	va_end(args);
	return err;
}

/* One more name; gives what @leave() takes. */
static size_t enter(struct reading *r, const char *name, size_t n)
{
	size_t before = r->path_n;

	if (before + n + 2 > sizeof(r->path))
		return before;
	if (before)
		r->path[r->path_n++] = '.';
	memcpy(r->path + r->path_n, name, n);
	r->path_n += n;
	r->path[r->path_n] = '\0';
	return before;
}

static void leave(struct reading *r, size_t before)
{
	r->path_n = before;
	r->path[before] = '\0';
}

/* ---- typed values ----------------------------------------------------------------------- */

static const char *const wanted[SL_VALUE_LAST] = {
	[SL_VALUE_BOOLEAN] = "true or false",
	[SL_VALUE_INTEGER] = "an integer of 64 bits",
	[SL_VALUE_NUMBER] = "a number",
	[SL_VALUE_TEXT] = "a text",
	[SL_VALUE_DATE] = "a date such as \"2024-02-29T12:00:00Z\"",
	[SL_VALUE_UUID] = "a UUID such as \"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\"",
	[SL_VALUE_GEO] = "a place such as {\"lat\": 52.5, \"lon\": 13.4}, in degrees",
	[SL_VALUE_BLOB] = "a text in Base64",
};

static bool fits_integer(yyjson_val *v)
{
	return yyjson_is_sint(v) || (yyjson_is_uint(v) && yyjson_get_uint(v) <= INT64_MAX);
}

static bool read_geo(yyjson_val *v, struct node *node)
{
	yyjson_val *lat = yyjson_obj_get(v, "lat"), *lon = yyjson_obj_get(v, "lon");

	lat = lat ? lat : yyjson_obj_get(v, "latitude");
	lon = lon ? lon : yyjson_obj_get(v, "longitude");
	if (!yyjson_is_num(lat) || !yyjson_is_num(lon))
		return false;
	node->geo[0] = object_number(lat);
	node->geo[1] = object_number(lon);
	node->n = sizeof(node->geo);
	return object_is_geo(node->geo[0], node->geo[1]);
}

/* Return: 1, 0: it is none; -ENOMEM. */
static int read_blob(struct reading *r, yyjson_val *v, struct node *node)
{
	size_t n = yyjson_get_len(v);
	struct held *held;

	if (!yyjson_is_str(v))
		return 0;
	held = object_hold(r->b, NULL, n / 4 * 3 + 3);
	if (!held)
		return -ENOMEM;
	if (!object_base64_parse(yyjson_get_str(v), n, held->bytes, &n))
		return 0;
	node->p = held->bytes;
	node->n = (uint32_t)n;
	return 1;
}

static bool is_text(yyjson_val *v, struct node *node)
{
	node->p = yyjson_get_str(v);
	node->n = (uint32_t)yyjson_get_len(v);
	return yyjson_is_str(v);
}

/* As the type that a hint gives it; @node has it. Return: 1; 0: it is no such value; -errno. */
static int read_typed(struct reading *r, yyjson_val *v, struct node *node)
{
	switch (node->type) {
	case SL_VALUE_BOOLEAN:
		node->integer = yyjson_get_bool(v);
		return yyjson_is_bool(v);
	case SL_VALUE_INTEGER:
		node->integer = yyjson_get_sint(v);
		return fits_integer(v);
	case SL_VALUE_NUMBER:
		node->number = object_number(v);
		return yyjson_is_num(v);
	case SL_VALUE_TEXT:
		return is_text(v, node);
	case SL_VALUE_DATE:
		return yyjson_is_str(v) &&
		       sl_date_parse(yyjson_get_str(v), yyjson_get_len(v), &node->integer);
	case SL_VALUE_UUID:
		node->n = sizeof(node->uuid);
		return yyjson_is_str(v) &&
		       sl_uuid_parse(yyjson_get_str(v), yyjson_get_len(v), node->uuid);
	case SL_VALUE_GEO:
		return read_geo(v, node);
	default:
		return read_blob(r, v, node);
	}
}

/* SL_VALUE_NULL: there is no hint. */
static enum sl_value_type hint_of(const struct reading *r)
{
	for (size_t i = 0; i < r->hint_n; i++)
		if (!strcmp(r->hints[i].path, r->path))
			return r->hints[i].type;
	return SL_VALUE_NULL;
}

/* ---- values ----------------------------------------------------------------------------- */

static void read_plain(yyjson_val *v, struct node *node)
{
	node->type = SL_VALUE_NULL;
	if (yyjson_is_bool(v)) {
		node->type = SL_VALUE_BOOLEAN;
		node->integer = yyjson_get_bool(v);
	} else if (fits_integer(v)) {
		node->type = SL_VALUE_INTEGER;
		node->integer = yyjson_get_sint(v);
	} else if (yyjson_is_num(v)) {
		node->type = SL_VALUE_NUMBER;
		node->number = object_number(v);
	} else if (is_text(v, node)) {
		node->type = SL_VALUE_TEXT;
	}
}

static int put_value(struct reading *r, uint32_t in, struct node node, yyjson_val *v);

static int put_items(struct reading *r, uint32_t in, yyjson_val *list)
{
	yyjson_arr_iter iter;
	yyjson_val *v;
	int err = 0;

	yyjson_arr_iter_init(list, &iter);
	while (!err && (v = yyjson_arr_iter_next(&iter)))
		err = put_value(r, in, (struct node){0}, v);
	return err;
}

static int put_member(struct reading *r, uint32_t in, yyjson_val *name, yyjson_val *v)
{
	struct node node = {.name = yyjson_get_str(name)};
	size_t n = yyjson_get_len(name), before;
	int err;

	if (n > SL_OBJECT_NAME_BYTES_MAX)
		return wrong(r, -EMSGSIZE, "a name of %zu bytes: at most %d are allowed", n,
			     SL_OBJECT_NAME_BYTES_MAX);
	node.name_n = (uint16_t)n;
	before = enter(r, node.name, n);
	err = put_value(r, in, node, v);
	leave(r, before);
	return err;
}

static int put_members(struct reading *r, uint32_t in, yyjson_val *map)
{
	yyjson_obj_iter iter;
	yyjson_val *name;
	int err = 0;

	yyjson_obj_iter_init(map, &iter);
	while (!err && (name = yyjson_obj_iter_next(&iter)))
		err = put_member(r, in, name, yyjson_obj_iter_get_val(name));
	return err;
}

static int put_container(struct reading *r, uint32_t in, struct node node, yyjson_val *v)
{
	uint32_t as;
	int err;

	node.type = yyjson_is_arr(v) ? SL_VALUE_LIST : SL_VALUE_MAP;
	err = object_put(r->b, in, node, &as);
	if (err == -EMSGSIZE)
		return wrong(r, err, "%s: more than %d lists and maps within one another", r->path,
			     SL_OBJECT_DEPTH_MAX);
	if (err)
		return err;
	return yyjson_is_arr(v) ? put_items(r, as, v) : put_members(r, as, v);
}

/* @node has the name. */
static int put_value(struct reading *r, uint32_t in, struct node node, yyjson_val *v)
{
	enum sl_value_type hint = yyjson_is_null(v) ? SL_VALUE_NULL : hint_of(r);
	int ret;

	if (yyjson_is_arr(v))
		return put_container(r, in, node, v);
	if (hint != SL_VALUE_NULL && hint < SL_VALUE_LIST) {
		node.type = (uint8_t)hint;
		ret = read_typed(r, v, &node);
		if (ret < 0)
			return ret;
		if (!ret)
			return wrong(r, -EINVAL, "%s: not %s", r->path, wanted[hint]);
		return object_put(r->b, in, node, NULL);
	}
	if (yyjson_is_obj(v))
		return put_container(r, in, node, v);
	read_plain(v, &node);
	return object_put(r->b, in, node, NULL);
}

/* ---- references ------------------------------------------------------------------------- */

#define BEACON "weaviate://"

/* weaviate://localhost/Target/UUID, or without a target. */
static bool read_beacon(const char *p, size_t n, struct reference *ret)
{
	const char *end = p + n, *slash;

	if (n < sizeof(BEACON) || memcmp(p, BEACON, sizeof(BEACON) - 1))
		return false;
	p = memchr(p + sizeof(BEACON) - 1, '/', n - (sizeof(BEACON) - 1));
	if (!p)
		return false;
	p++;
	slash = memchr(p, '/', (size_t)(end - p));
	ret->target = p;
	ret->target_n = slash ? (uint32_t)(slash - p) : 0;
	p = slash ? slash + 1 : p;
	return sl_uuid_parse(p, (size_t)(end - p), ret->uuid);
}

/* A list of nothing but maps with a beacon. */
static bool is_references(yyjson_val *list)
{
	yyjson_arr_iter iter;
	yyjson_val *v;

	if (!yyjson_is_arr(list) || !yyjson_arr_size(list))
		return false;
	yyjson_arr_iter_init(list, &iter);
	while ((v = yyjson_arr_iter_next(&iter)))
		if (!yyjson_is_str(yyjson_obj_get(v, "beacon")))
			return false;
	return true;
}

static int put_references(struct reading *r, yyjson_val *name, yyjson_val *list)
{
	struct reference ref = {.name = yyjson_get_str(name)};
	size_t n = yyjson_get_len(name);
	yyjson_arr_iter iter;
	yyjson_val *v;
	int err = 0;

	if (n > SL_OBJECT_NAME_BYTES_MAX)
		return wrong(r, -EMSGSIZE, "a name of %zu bytes: at most %d are allowed", n,
			     SL_OBJECT_NAME_BYTES_MAX);
	ref.name_n = (uint16_t)n;
	yyjson_arr_iter_init(list, &iter);
	while (!err && (v = yyjson_arr_iter_next(&iter))) {
		yyjson_val *beacon = yyjson_obj_get(v, "beacon");

		if (!read_beacon(yyjson_get_str(beacon), yyjson_get_len(beacon), &ref))
			return wrong(r, -EINVAL,
				     "%s: \"%s\" is no beacon such as " BEACON
				     "localhost/Target/UUID",
				     ref.name, yyjson_get_str(beacon));
		err = object_put_reference(r->b, ref);
	}
	return err;
}

static int put_properties(struct reading *r, yyjson_val *map)
{
	yyjson_obj_iter iter;
	yyjson_val *name, *v;
	int err = 0;

	yyjson_obj_iter_init(map, &iter);
	while (!err && (name = yyjson_obj_iter_next(&iter))) {
		v = yyjson_obj_iter_get_val(name);
		if (r->form == SL_JSON_OBJECT && is_references(v))
			err = put_references(r, name, v);
		else
			err = put_member(r, SL_OBJECT_PROPERTIES, name, v);
	}
	return err;
}

/* ---- vectors ---------------------------------------------------------------------------- */

static int put_vector(struct reading *r, const char *name, size_t n, yyjson_val *list)
{
	size_t dim = yyjson_arr_size(list);
	yyjson_arr_iter iter;
	yyjson_val *v;

	if (n > SL_OBJECT_NAME_BYTES_MAX)
		return wrong(r, -EMSGSIZE, "a vector's name of %zu bytes: at most %d are allowed",
			     n, SL_OBJECT_NAME_BYTES_MAX);
	if (!yyjson_is_arr(list))
		return wrong(r, -EINVAL, "vector \"%s\": not a list of numbers", name);
	if (!dim || dim > SL_OBJECT_DIM_MAX)
		return wrong(r, -ERANGE, "vector \"%s\": %zu numbers: 1 to %d are allowed", name,
			     dim, SL_OBJECT_DIM_MAX);
	yyjson_arr_iter_init(list, &iter);
	for (size_t i = 0; (v = yyjson_arr_iter_next(&iter)); i++) {
		if (!yyjson_is_num(v))
			return wrong(r, -EINVAL, "vector \"%s\": item %zu is not a number", name,
				     i);
		if (!isfinite((float)object_number(v)))
			return wrong(r, -ERANGE, "vector \"%s\": item %zu is too large", name, i);
	}
	return object_put_vector(r->b, (struct vector){.name = name,
						       .name_n = (uint16_t)n,
						       .type = SL_VECTOR_F32,
						       .dim = (uint32_t)dim,
						       .json = list});
}

static int put_vectors(struct reading *r, yyjson_val *v)
{
	yyjson_obj_iter iter;
	yyjson_val *name;
	int err = 0;

	if (!v || yyjson_is_null(v))
		return 0;
	if (!yyjson_is_obj(v))
		return put_vector(r, "", 0, v);
	yyjson_obj_iter_init(v, &iter);
	while (!err && (name = yyjson_obj_iter_next(&iter)))
		err = put_vector(r, yyjson_get_str(name), yyjson_get_len(name),
				 yyjson_obj_iter_get_val(name));
	return err;
}

/* ---- whole objects ---------------------------------------------------------------------- */

static int put_id(struct reading *r, yyjson_val *v)
{
	uint8_t uuid[SL_OBJECT_UUID_BYTES];

	if (!v)
		return 0;
	if (yyjson_is_uint(v) && r->form == SL_JSON_POINT) {
		sl_object_put_key_integer(r->b, yyjson_get_uint(v));
		return 0;
	}
	if (!yyjson_is_str(v) || !sl_uuid_parse(yyjson_get_str(v), yyjson_get_len(v), uuid))
		return wrong(r, -EINVAL, "id: neither a UUID%s",
			     r->form == SL_JSON_POINT ? " nor an integer from 0 to 2^64 - 1"
						      : " nor absent");
	sl_object_put_key_uuid(r->b, uuid);
	return 0;
}

static void put_times(struct reading *r, yyjson_val *v)
{
	yyjson_val *created = yyjson_obj_get(v, "creationTimeUnix");
	yyjson_val *updated = yyjson_obj_get(v, "lastUpdateTimeUnix");

	if (fits_integer(created))
		r->b->created_ms = yyjson_get_sint(created);
	if (fits_integer(updated))
		r->b->updated_ms = yyjson_get_sint(updated);
}

static int put_object(struct reading *r, yyjson_val *v)
{
	const char *member = r->form == SL_JSON_POINT ? "payload" : "properties";
	yyjson_val *properties = yyjson_obj_get(v, member);
	int err;

	if (!yyjson_is_obj(v))
		return wrong(r, -EINVAL, "not a JSON object");
	err = put_id(r, yyjson_obj_get(v, "id"));
	if (err)
		return err;
	if (r->form == SL_JSON_OBJECT)
		put_times(r, v);
	if (properties && !yyjson_is_null(properties) && !yyjson_is_obj(properties))
		return wrong(r, -EINVAL, "%s: not a JSON object", member);
	err = put_properties(r, properties);
	if (!err)
		err = put_vectors(r, yyjson_obj_get(v, "vector"));
	if (!err && r->form == SL_JSON_OBJECT)
		err = put_vectors(r, yyjson_obj_get(v, "vectors"));
	return err;
}

/* ---- calls ------------------------------------------------------------------------------ */

static struct reading reading_of(struct sl_object_builder *b, enum sl_object_json form,
				 const struct sl_object_hint *hints, size_t hint_n, char *why,
				 size_t why_len)
{
	SL_ASSERT(form < SL_JSON_LAST);
	return (struct reading){
		.b = b,
		.form = form,
		.hints = hints,
		.hint_n = hint_n,
		.why = why,
		.why_len = why ? why_len : 0,
	};
}

/* The document is the builder's until it is reset. */
static int parse(struct reading *r, const char *text, size_t n, yyjson_val **ret_root)
{
	struct held *held = object_hold(r->b, NULL, 0);
	yyjson_read_err err;

	if (!held)
		return -ENOMEM;
	held->doc = yyjson_read_opts((char *)text, n, YYJSON_READ_NOFLAG, NULL, &err);
	if (!held->doc) {
		if (err.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
			return -ENOMEM;
		return wrong(r, -EINVAL, "no JSON: %s at byte %zu", err.msg, err.pos);
	}
	*ret_root = yyjson_doc_get_root(held->doc);
	return 0;
}

int sl_object_put_json_value(struct sl_object_builder *b, enum sl_object_json form,
			     struct yyjson_val *value, const struct sl_object_hint *hints,
			     size_t hint_n, char *why, size_t why_len)
{
	struct reading r = reading_of(b, form, hints, hint_n, why, why_len);

	return put_object(&r, value);
}

int sl_object_put_json(struct sl_object_builder *b, enum sl_object_json form, const char *text,
		       size_t n, const struct sl_object_hint *hints, size_t hint_n, char *why,
		       size_t why_len)
{
	struct reading r = reading_of(b, form, hints, hint_n, why, why_len);
	yyjson_val *root;
	int err = parse(&r, text, n, &root);

	return err ? err : put_object(&r, root);
}

/* The map at @path, of names only; made as far as it is missing. */
static int map_at(struct reading *r, const char *path, uint32_t *ret_in)
{
	uint32_t in = SL_OBJECT_PROPERTIES, child;
	struct step s;
	int err;

	while ((s = object_path_step(&path)).kind == STEP_NAME) {
		if (s.name_n > SL_OBJECT_NAME_BYTES_MAX || !object_is_utf8(s.name, s.name_n))
			return wrong(r, -EINVAL, "path: a name in it is too long, or not UTF-8");
		enter(r, s.name, s.name_n);
		child = object_child(r->b, in, s.name, s.name_n);
		if (child == NODE_NONE || r->b->nodes[child].type != SL_VALUE_MAP) {
			struct node node = {
				.type = SL_VALUE_MAP, .name = s.name, .name_n = (uint16_t)s.name_n};

			err = object_put(r->b, in, node, &child);
			if (err)
				return err;
		}
		in = child;
	}
	if (s.kind != STEP_END)
		return wrong(r, -EINVAL, "path: not names with dots between them");
	*ret_in = in;
	return 0;
}

int sl_object_merge_json(struct sl_object_builder *b, enum sl_object_json form, const char *path,
			 const char *text, size_t n, const struct sl_object_hint *hints,
			 size_t hint_n, char *why, size_t why_len)
{
	struct reading r = reading_of(b, form, hints, hint_n, why, why_len);
	struct held *names = object_hold(b, NULL, strlen(path) + 1);
	uint32_t in = SL_OBJECT_PROPERTIES;
	yyjson_val *root;
	int err;

	if (!names)
		return -ENOMEM;
	memcpy(names->bytes, path, strlen(path) + 1);
	err = parse(&r, text, n, &root);
	if (err)
		return err;
	if (!yyjson_is_obj(root))
		return wrong(&r, -EINVAL, "not a JSON object");
	if (!*path)
		return put_properties(&r, root);
	err = map_at(&r, (const char *)names->bytes, &in);
	return err ? err : put_members(&r, in, root);
}
