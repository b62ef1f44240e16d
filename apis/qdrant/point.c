// SPDX-License-Identifier: Apache-2.0
/*
 * Points as they are told: which parts of them, and these as JSON.
 *
 * Interface: the points' part of qdrant_pvt.h. Payloads are selected by paths of names; a list on
 * the way is gone through, whatever brackets the path has for it.
 *
 * Order of parts: paths; selections; payloads; vectors; points.
 */
#include <errno.h>
#include <string.h>

#include <sluice/bytes.h>

#include "qdrant_pvt.h"

/* ---- paths ------------------------------------------------------------------------------ */

/* The next name of the path at @p; @ret_next is where the one after it begins, NULL: none. */
static int read_path_name(struct qd_call *c, const char *p, const char **ret_name,
			  const char **ret_next)
{
	bool quoted = *p == '"';
	size_t n = quoted ? strcspn(p + 1, "\"") : strcspn(p, ".[");
	const char *behind = quoted ? p + 1 + n : p + n;

	if (quoted && *behind != '"')
		return qd_wrong(c, 400, "Wrong input: in the path \"%.100s\" a quote is not closed",
				p);
	*ret_name = http_arena_text(&c->arena, quoted ? p + 1 : p, n);
	if (!*ret_name)
		return -ENOMEM;
	behind += quoted;
	behind += strcspn(behind, ".");
	*ret_next = *behind ? behind + 1 : NULL;
	return 0;
}

static int read_path(struct qd_call *c, const char *text, struct qd_path *ret)
{
	size_t n = 1;
	int err = 0;

	for (const char *p = text; *p; p++)
		n += *p == '.';
	ret->names = http_arena_array(&c->arena, const char *, n);
	if (!ret->names)
		return -ENOMEM;
	while (!err && text) {
		SL_ASSERT(ret->n < n);
		err = read_path_name(c, text, &ret->names[ret->n++], &text);
	}
	return err;
}

static int read_paths(struct qd_call *c, yyjson_val *list, struct qd_select *ret)
{
	yyjson_arr_iter iter;
	yyjson_val *v;
	int err = 0;

	if (!yyjson_is_arr(list))
		return qd_format_error(c, "with_payload: expected a list of paths");
	ret->payload = true;
	ret->paths_n = 0;
	ret->paths = http_arena_array(&c->arena, struct qd_path, yyjson_arr_size(list));
	if (!ret->paths)
		return -ENOMEM;
	yyjson_arr_iter_init(list, &iter);
	while (!err && (v = yyjson_arr_iter_next(&iter))) {
		if (!yyjson_is_str(v))
			return qd_format_error(c, "with_payload: expected a list of paths");
		err = read_path(c, yyjson_get_str(v), &ret->paths[ret->paths_n++]);
	}
	return err;
}

/* ---- selections ------------------------------------------------------------------------- */

static int select_payload(struct qd_call *c, yyjson_val *v, struct qd_select *ret)
{
	yyjson_val *list;

	if (!v)
		return 0;
	ret->paths = NULL;
	ret->exclude = false;
	if (yyjson_is_bool(v)) {
		ret->payload = yyjson_get_bool(v);
		return 0;
	}
	if (yyjson_is_arr(v))
		return read_paths(c, v, ret);
	if ((list = qd_member(v, "include")))
		return read_paths(c, list, ret);
	if ((list = qd_member(v, "exclude"))) {
		ret->exclude = true;
		return read_paths(c, list, ret);
	}
	return qd_format_error(c, "with_payload: expected true, false, a list of paths, include or "
				  "exclude");
}

static int select_vectors(struct qd_call *c, yyjson_val *v, struct qd_select *ret)
{
	yyjson_arr_iter iter = {0};
	yyjson_val *item;

	if (!v)
		return 0;
	ret->names = NULL;
	if (yyjson_is_bool(v)) {
		ret->vectors = yyjson_get_bool(v);
		return 0;
	}
	ret->names_n = 0;
	ret->names = http_arena_array(&c->arena, const char *, qd_many(v));
	if (!ret->names)
		return -ENOMEM;
	ret->vectors = true;
	while ((item = qd_many_at(v, &iter))) {
		if (!yyjson_is_str(item))
			return qd_format_error(c, "with_vector: expected true, false or names");
		ret->names[ret->names_n++] = yyjson_get_str(item);
	}
	return 0;
}

int qd_select(struct qd_call *c, yyjson_val *map, struct qd_select *ret)
{
	yyjson_val *vectors = qd_member(map, "with_vector");
	int err = select_payload(c, qd_member(map, "with_payload"), ret);

	if (err)
		return err;
	return select_vectors(c, vectors ? vectors : qd_member(map, "with_vectors"), ret);
}

/* ---- payloads --------------------------------------------------------------------------- */

/* Paths that are still followed at some depth; of more, the others are not. */
enum { FOLLOWED_MAX = 64 };

/**
 * struct follow - what of the selection's paths leads to a value.
 * @whole: one of them ends here. @paths: those that lead on, @n of them, by their next name @depth.
 */
struct follow {
	bool whole;
	uint32_t n, depth;
	const struct qd_path *paths[FOLLOWED_MAX];
};

static void follow_into(const struct follow *from, const char *name, size_t n, struct follow *ret)
{
	ret->whole = false;
	ret->n = 0;
	ret->depth = from->depth + 1;
	for (uint32_t i = 0; i < from->n; i++) {
		const struct qd_path *path = from->paths[i];
		const char *want = path->names[from->depth];

		if (strlen(want) != n || memcmp(want, name, n))
			continue;
		if (path->n == ret->depth)
			ret->whole = true;
		else
			ret->paths[ret->n++] = path;
	}
}

static void put_selected(struct http_json *j, const struct sl_value *v, const struct follow *from,
			 bool exclude);

static void put_selected_map(struct http_json *j, const struct sl_value *v,
			     const struct follow *from, bool exclude)
{
	http_json_open(j, '{');
	for (uint32_t i = 0; i < sl_value_count(v); i++) {
		const struct sl_value *child = sl_value_at(v, i);
		struct follow into;
		size_t n;
		const char *name = sl_value_name(child, &n);

		follow_into(from, name, n, &into);
		if (exclude ? into.whole : !into.whole && !into.n)
			continue;
		http_json_key_n(j, name, n);
		if (into.n && !into.whole)
			put_selected(j, child, &into, exclude);
		else
			http_json_value(j, SL_JSON_POINT, child);
	}
	http_json_close(j, '}');
}

/* Recurses as deep as paths are long, and lists within lists. */
static void put_selected(struct http_json *j, const struct sl_value *v, const struct follow *from,
			 bool exclude)
{
	if (sl_value_type(v) == SL_VALUE_MAP) {
		put_selected_map(j, v, from, exclude);
		return;
	}
	if (sl_value_type(v) != SL_VALUE_LIST) {
		http_json_value(j, SL_JSON_POINT, v);
		return;
	}
	http_json_open(j, '[');
	for (uint32_t i = 0; i < sl_value_count(v); i++)
		put_selected(j, sl_value_at(v, i), from, exclude);
	http_json_close(j, ']');
}

static void put_payload(struct http_json *j, const struct sl_object *o, const struct qd_select *s)
{
	struct follow all = {0};

	http_json_key(j, "payload");
	if (!s->paths) {
		http_json_value(j, SL_JSON_POINT, sl_object_properties(o));
		return;
	}
	for (uint32_t i = 0; i < s->paths_n && i < FOLLOWED_MAX; i++)
		all.paths[all.n++] = &s->paths[i];
	put_selected(j, sl_object_properties(o), &all, s->exclude);
}

/* ---- vectors ---------------------------------------------------------------------------- */

static bool selects_vector(const struct qd_select *s, const char *name, size_t n)
{
	if (!s->names)
		return true;
	for (uint32_t i = 0; i < s->names_n; i++)
		if (strlen(s->names[i]) == n && !memcmp(s->names[i], name, n))
			return true;
	return false;
}

/* One without a name stands alone, unless names were asked for. */
static void put_vectors(struct http_json *j, const struct sl_object *o, const struct qd_select *s)
{
	uint32_t n = sl_object_vector_count(o), dim;
	enum sl_vector_type type;
	const char *name;
	const void *data;
	size_t name_n;

	http_json_key(j, "vector");
	if (n == 1 && !s->names) {
		data = sl_object_vector_at(o, 0, &name, &name_n, &type, &dim);
		if (!name_n) {
			http_json_vector(j, type, data, dim);
			return;
		}
	}
	http_json_open(j, '{');
	for (uint32_t i = 0; i < n; i++) {
		data = sl_object_vector_at(o, i, &name, &name_n, &type, &dim);
		if (!selects_vector(s, name, name_n))
			continue;
		http_json_key_n(j, name, name_n);
		http_json_vector(j, type, data, dim);
	}
	http_json_close(j, '}');
}

/* ---- points ----------------------------------------------------------------------------- */

void qd_put_id(struct http_json *j, const struct sl_filter_key *key)
{
	if (key->kind == SL_KEY_INTEGER)
		http_json_uint(j, sl_load_le64(key->key));
	else
		http_json_uuid(j, key->key);
}

void qd_put_parts(struct http_json *j, const struct sl_object *o, const struct qd_select *s)
{
	if (o && s->payload)
		put_payload(j, o, s);
	if (o && s->vectors)
		put_vectors(j, o, s);
}

void qd_put_hit(struct http_json *j, const struct objects_hit *hit, const struct qd_select *s,
		bool scored)
{
	http_json_open(j, '{');
	http_json_key(j, "id");
	qd_put_id(j, &hit->key);
	if (scored) {
		http_json_key(j, "version");
		http_json_uint(j, hit->version);
		http_json_key(j, "score");
		http_json_float(j, hit->score);
	}
	qd_put_parts(j, hit->object, s);
	http_json_close(j, '}');
}
