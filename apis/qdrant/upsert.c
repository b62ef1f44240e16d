// SPDX-License-Identifier: Apache-2.0
/*
 * Points on their way in.
 *
 * Interface: qd_points_upsert() and qd_upsert() of qdrant_pvt.h. A body of any length is read value
 * by value: each point is parsed, and becomes an object in the request's memory, with its vectors
 * in their place, before the next one is looked at. They are written together when all of the body
 * was understood: a body with a fault in it changes nothing. Of equal ids the last counts.
 *
 * Order of parts: objects; modes; writing; columns; bodies; handlers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant_pvt.h"
#include "scan.h"

/* ---- objects ---------------------------------------------------------------------------- */

/**
 * struct upsert - the points so far. @scratch: the tree of the point at hand.
 */
struct upsert {
	struct qd_call *c;
	struct sl_object_builder *builder;
	struct http_arena scratch;
	const struct sl_object **objects;
	uint32_t n, room;
};

static int upsert_init(struct upsert *u, struct qd_call *c)
{
	*u = (struct upsert){.c = c};
	http_arena_init(&u->scratch, QD_ARENA_BYTES);
	return sl_object_builder_new(&u->builder);
}

static void upsert_done(struct upsert *u)
{
	sl_object_builder_free(u->builder);
	http_arena_done(&u->scratch);
}

static int keep(struct upsert *u, const struct sl_object *o)
{
	if (u->n == u->room) {
		uint32_t room = sl_max(64u, 2 * u->room);
		const struct sl_object **larger =
			http_arena_alloc(&u->c->arena, room * sizeof(*larger), 16);

		if (!larger)
			return -ENOMEM;
		if (u->n)
			memcpy(larger, u->objects, u->n * sizeof(*larger));
		u->objects = larger;
		u->room = room;
	}
	u->objects[u->n++] = o;
	return 0;
}

/* Kinds of vectors that the store has none of are told by name. */
static int check_vectors(struct qd_call *c, yyjson_val *v)
{
	yyjson_obj_iter iter;
	yyjson_val *name;

	if (yyjson_is_arr(yyjson_arr_get_first(v)))
		return qd_wrong(c, 400, "Wrong input: multivectors are not supported");
	if (!yyjson_is_obj(v))
		return 0;
	if (yyjson_obj_get(v, "text") && yyjson_obj_get(v, "model"))
		return qd_wrong(c, 400, "Wrong input: inference is not supported: send vectors");
	yyjson_obj_iter_init(v, &iter);
	while ((name = yyjson_obj_iter_next(&iter))) {
		yyjson_val *one = yyjson_obj_iter_get_val(name);

		if (yyjson_is_obj(one))
			return qd_wrong(c, 400,
					"Wrong input: sparse vectors and inference are not "
					"supported: vector \"%.100s\"",
					yyjson_get_str(name));
		if (yyjson_is_arr(yyjson_arr_get_first(one)))
			return qd_wrong(c, 400,
					"Wrong input: multivectors are not supported: vector "
					"\"%.100s\"",
					yyjson_get_str(name));
	}
	return 0;
}

/* One more point, of the tree @v. */
static int add_point(struct upsert *u, yyjson_val *v)
{
	struct qd_call *c = u->c;
	const struct sl_object *o;
	struct sl_filter_key key;
	char why[200] = "";
	size_t n;
	void *buf;
	int err;

	if (!yyjson_is_obj(v))
		return qd_format_error(c, "points: expected a JSON object");
	if (!yyjson_obj_get(v, "id"))
		return qd_format_error(c, "missing field `id`");
	err = qd_id(c, yyjson_obj_get(v, "id"), &key);
	if (!err)
		err = check_vectors(c, yyjson_obj_get(v, "vector"));
	if (err)
		return err;
	sl_object_builder_reset(u->builder);
	err = sl_object_put_json_value(u->builder, SL_JSON_POINT, v, NULL, 0, why, sizeof(why));
	if (err && err != -ENOMEM && *why)
		return qd_format_error(c, "%s", why);
	if (!err)
		err = sl_object_build_bytes(u->builder, &n);
	if (err)
		return err;
	if (n > HTTP_ARENA_PIECE_MAX)
		return qd_wrong(c, 413,
				"Payload error: a point of %zu bytes: at most 16 MiB are taken", n);
	buf = http_arena_alloc(&c->arena, n, SL_OBJECT_ALIGN);
	err = buf ? sl_object_build(u->builder, buf, n) : -ENOMEM;
	if (!err)
		err = sl_object_open(buf, n, &o);
	return err ? err : keep(u, o);
}

/* ---- modes ------------------------------------------------------------------------------ */

enum mode { UPSERT, INSERT_ONLY, UPDATE_ONLY };

static int read_mode(struct qd_call *c, yyjson_val *v, enum mode *ret)
{
	static const char *const names[] = {
		[UPSERT] = "upsert", [INSERT_ONLY] = "insert_only", [UPDATE_ONLY] = "update_only"};

	if (!v || yyjson_is_null(v))
		return 0;
	for (size_t i = 0; i < SL_ARRAY_SIZE(names); i++) {
		if (yyjson_equals_str(v, names[i])) {
			*ret = (enum mode)i;
			return 0;
		}
	}
	return qd_format_error(c, "update_mode: expected upsert, insert_only or update_only");
}

/* ---- writing ---------------------------------------------------------------------------- */

/* What replaces a point that is there, if @filter (may be NULL) means it. */
struct replacement {
	const struct sl_object *o;
	const struct sl_filter *filter;
};

/* On the collection's core. */
static int replace(void *arg, const struct sl_object *old, struct sl_object_builder *b)
{
	const struct replacement *r = arg;

	if (r->filter && !sl_filter_matches(r->filter, old))
		return 1;
	sl_object_builder_reset(b);
	return sl_object_load(b, r->o);
}

static struct sl_filter_key key_of(const struct sl_object *o)
{
	const uint8_t *bytes;
	struct sl_filter_key key = {.kind = sl_object_key(o, &bytes)};

	memcpy(key.key, bytes, sizeof(key.key));
	return key;
}

/* What is there is replaced if it matches; what is not is put, unless only updates are wanted. */
static int replacing_ops(struct upsert *u, enum mode mode, const struct sl_filter *filter,
			 struct sl_objects_op *ops, uint32_t *ret_n)
{
	struct replacement *rs = http_arena_array(&u->c->arena, struct replacement, u->n);
	uint32_t n = 0;

	if (!rs)
		return -ENOMEM;
	for (uint32_t i = 0; i < u->n; i++) {
		rs[i] = (struct replacement){u->objects[i], filter};
		if (mode == UPSERT)
			ops[n++] = (struct sl_objects_op){.kind = SL_OBJECTS_INSERT,
							  .object = u->objects[i]};
		ops[n++] = (struct sl_objects_op){
			.kind = SL_OBJECTS_CHANGE,
			.key = key_of(u->objects[i]),
			.change = replace,
			.arg = &rs[i],
		};
	}
	*ret_n = n;
	return 0;
}

/* The first of its vectors that the collection does not have. */
static const char *unknown_vector(struct qd_call *c, const struct sl_object *o)
{
	for (uint32_t i = 0; i < sl_object_vector_count(o); i++) {
		const char *p, *name;
		size_t n;

		sl_object_vector_at(o, i, &p, &n, NULL, NULL);
		name = http_arena_text(&c->arena, p, n);
		if (!name || !qd_vector_conf(c->collection, name))
			return name;
	}
	return NULL;
}

/* What the first one is told that the store refused; 0: there is none. */
static int refused(struct qd_call *c, const struct sl_objects_op *ops, uint32_t n)
{
	const struct sl_objects_conf *conf = &c->collection->conf;

	for (uint32_t i = 0; i < n; i++) {
		const struct sl_objects_op *op = &ops[i];
		const struct replacement *r = op->arg;
		const char *name;

		if (op->result != -EINVAL)
			continue;
		name = unknown_vector(c, r ? r->o : op->object);
		return qd_fault(c, op->fault,
				op->vector < conf->vectors_n ? &conf->vectors[op->vector] : NULL,
				name ? name : "", op->dim);
	}
	return 0;
}

static int write_points(struct upsert *u, enum mode mode, const struct sl_filter *filter,
			uint64_t *ret_version)
{
	struct qd_call *c = u->c;
	struct sl_objects_op *ops =
		http_arena_array(&c->arena, struct sl_objects_op, 2 * (size_t)u->n);
	uint32_t n = u->n;
	int err;

	*ret_version = 0;
	if (!u->n)
		return qd_wrong(c, 400, "Bad request: Empty update request");
	if (!ops)
		return -ENOMEM;
	for (uint32_t i = 0; i < u->n; i++)
		ops[i] = (struct sl_objects_op){
			.kind = mode == INSERT_ONLY ? SL_OBJECTS_INSERT : SL_OBJECTS_PUT,
			.object = u->objects[i],
		};
	if (mode == UPDATE_ONLY || (mode == UPSERT && filter)) {
		err = replacing_ops(u, mode, filter, ops, &n);
		if (err)
			return err;
	}
	err = objects_write(c->o, c->name, ops, n, true, ret_version, c->deadline);
	if (!err || err == -EINVAL)
		err = sl_min(err, refused(c, ops, n));
	return err;
}

/* ---- columns ---------------------------------------------------------------------------- */

/* One column of the points: their ids, payloads, or vectors of one name. */
struct column {
	struct qd_scan scan;
	char name[256];
	bool first;
};

enum { COLUMNS_MAX = SL_OBJECTS_VECTORS_MAX };

/**
 * struct columns - {"ids": […], "vectors": […] or {"name": […]}, "payloads": […]}.
 * @named: vectors have names, @vectors_n of them.
 */
struct columns {
	struct column ids, payloads, *vectors;
	uint32_t vectors_n;
	bool named, has_ids, has_payloads;
};

static int open_column(struct upsert *u, struct qd_scan *from, struct column *ret)
{
	char *text;
	size_t n;
	int err = qd_scan_keep(from, &text, &n);

	if (err)
		return err;
	qd_scan_text(&ret->scan, u->c, text, n);
	ret->first = true;
	err = qd_scan_take(&ret->scan, "[");
	return err < 0 ? err : 0;
}

static int open_vectors(struct upsert *u, struct qd_scan *from, struct columns *cols)
{
	int c = qd_scan_peek(from);
	bool first = true;

	cols->vectors = http_arena_array(&u->c->arena, struct column, COLUMNS_MAX);
	cols->vectors_n = 0;
	cols->named = false;
	if (!cols->vectors)
		return -ENOMEM;
	if (c != '{') {
		cols->vectors_n = 1;
		return open_column(u, from, &cols->vectors[0]);
	}
	c = qd_scan_take(from, "{");
	cols->named = true;
	while (c > 0) {
		struct column *col = &cols->vectors[cols->vectors_n];

		if (cols->vectors_n == COLUMNS_MAX)
			return qd_wrong(u->c, 400, "Wrong input: more than %d vectors",
					COLUMNS_MAX);
		c = qd_scan_member(from, &first, col->name, sizeof(col->name));
		if (c <= 0)
			break;
		cols->vectors_n++;
		c = open_column(u, from, col);
		if (c < 0)
			break;
		c = 1;
	}
	return sl_min(c, 0);
}

static int open_columns(struct upsert *u, struct qd_scan *s, struct columns *cols)
{
	bool first = true;
	char name[32];
	int c = qd_scan_take(s, "{"), err = 0;

	if (c < 0)
		return c;
	while (!err && (c = qd_scan_member(s, &first, name, sizeof(name))) > 0) {
		char *waste;
		size_t n;

		if (!strcmp(name, "ids")) {
			cols->has_ids = true;
			err = open_column(u, s, &cols->ids);
		} else if (!strcmp(name, "vectors")) {
			err = open_vectors(u, s, cols);
		} else if (!strcmp(name, "payloads") && qd_scan_peek(s) == '[') {
			cols->has_payloads = true;
			err = open_column(u, s, &cols->payloads);
		} else {
			err = qd_scan_value(s, &waste, &n);
		}
	}
	if (err || c < 0)
		return err ? err : c;
	if (!cols->has_ids)
		return qd_format_error(u->c, "batch: missing field `ids`");
	return 0;
}

/* A point as text, of a piece of each column. */
struct joined {
	char *p;
	size_t n, room;
};

static int join(struct upsert *u, struct joined *to, const char *p, size_t n)
{
	if (!n)
		return 0;
	if (n > to->room - to->n) {
		size_t room = 2 * (to->n + n) + 256;
		char *larger = http_arena_alloc(&u->scratch, room + YYJSON_PADDING_SIZE, 16);

		if (!larger)
			return -ENOMEM;
		to->p = to->n ? memcpy(larger, to->p, to->n) : larger;
		to->room = room;
	}
	memcpy(to->p + to->n, p, n);
	to->n += n;
	return 0;
}

static int join_text(struct upsert *u, struct joined *to, const char *text)
{
	return join(u, to, text, strlen(text));
}

/* The next item of @col, behind @before. Return: 1; 0: there is none; -errno. */
static int join_item(struct upsert *u, struct joined *to, const char *before, struct column *col)
{
	char *text;
	size_t n;
	int more = qd_scan_item(&col->scan, &col->first), err;

	if (more <= 0)
		return more;
	err = qd_scan_value(&col->scan, &text, &n);
	if (!err)
		err = join_text(u, to, before);
	if (!err)
		err = join(u, to, text, n);
	return err ? err : 1;
}

static int short_column(struct upsert *u)
{
	return qd_wrong(u->c, 400,
			"Wrong input: batch: ids, vectors and payloads are not equally many");
}

static int join_vectors(struct upsert *u, struct joined *to, struct columns *cols)
{
	int err = join_text(u, to, cols->named ? ",\"vector\":{" : "");

	for (uint32_t i = 0; !err && i < cols->vectors_n; i++) {
		if (cols->named) {
			err = join_text(u, to, i ? ",\"" : "\"");
			if (!err)
				err = join_text(u, to, cols->vectors[i].name);
		}
		if (!err)
			err = join_item(u, to,
					cols->named ? "\":" : ",\"vector\":", &cols->vectors[i]);
		if (!err)
			return short_column(u);
		err = sl_min(err, 0);
	}
	return err ? err : join_text(u, to, cols->named ? "}" : "");
}

/* Return: 1: a point; 0: there are no more; -errno. */
static int add_row(struct upsert *u, struct columns *cols)
{
	struct joined row = {0};
	struct qd_scan s;
	yyjson_val *v;
	int more, err;

	http_arena_clear(&u->scratch);
	more = join_item(u, &row, "{\"id\":", &cols->ids);
	if (more <= 0)
		return more;
	err = join_vectors(u, &row, cols);
	if (!err && cols->has_payloads) {
		more = join_item(u, &row, ",\"payload\":", &cols->payloads);
		err = more > 0 ? 0 : more < 0 ? more : short_column(u);
	}
	if (!err)
		err = join_text(u, &row, "}");
	if (err)
		return err;
	qd_scan_text(&s, u->c, row.p, row.n);
	s.w.at = row.n;
	err = qd_scan_parse(&s, &u->scratch, row.p, row.n, &v);
	if (!err)
		err = add_point(u, v);
	return err ? err : 1;
}

static int add_columns(struct upsert *u, struct qd_scan *s)
{
	struct columns *cols = http_arena_new(&u->c->arena, struct columns);
	struct joined waste = {0};
	int more;

	if (!cols)
		return -ENOMEM;
	more = open_columns(u, s, cols);
	if (more)
		return more;
	do {
		more = add_row(u, cols);
	} while (more > 0);
	for (uint32_t i = 0; !more && i < cols->vectors_n; i++)
		more = join_item(u, &waste, "", &cols->vectors[i]);
	return more > 0 ? short_column(u) : more;
}

/* ---- bodies ----------------------------------------------------------------------------- */

static int add_items(struct upsert *u, struct qd_scan *s)
{
	bool first = true;
	int more = qd_scan_take(s, "[");

	while (more > 0 && (more = qd_scan_item(s, &first)) > 0) {
		yyjson_val *v;
		char *text;
		size_t n;
		int err = qd_scan_value(s, &text, &n);

		http_arena_clear(&u->scratch);
		if (!err)
			err = qd_scan_parse(s, &u->scratch, text, n, &v);
		if (!err)
			err = add_point(u, v);
		more = err ? err : 1;
	}
	return more;
}

/* Everything but the points. */
struct options {
	yyjson_val *mode, *filter;
};

static int read_option(struct upsert *u, struct qd_scan *s, const char *name, struct options *ret)
{
	yyjson_val *v;
	char *text;
	size_t n;
	int err = qd_scan_keep(s, &text, &n);

	if (!err)
		err = qd_scan_parse(s, &u->c->arena, text, n, &v);
	if (err)
		return err;
	if (!strcmp(name, "update_mode"))
		ret->mode = v;
	else if (!strcmp(name, "update_filter"))
		ret->filter = v;
	return 0;
}

static int read_body(struct upsert *u, struct options *ret)
{
	struct qd_scan s;
	bool first = true;
	char name[32];
	int err = qd_scan_body(&s, u->c), c;

	if (err)
		return err;
	c = qd_scan_take(&s, "{");
	if (c < 0)
		return c;
	while (!err && (c = qd_scan_member(&s, &first, name, sizeof(name))) > 0) {
		if (!strcmp(name, "points"))
			err = add_items(u, &s);
		else if (!strcmp(name, "batch"))
			err = add_columns(u, &s);
		else
			err = read_option(u, &s, name, ret);
	}
	if (!err && !c)
		err = qd_scan_end(&s);
	return err ? err : c;
}

/* ---- handlers --------------------------------------------------------------------------- */

static int finish(struct upsert *u, const struct options *options, uint64_t *ret_version)
{
	const struct sl_filter *filter;
	enum mode mode = UPSERT;
	int err = read_mode(u->c, options->mode, &mode);

	if (!err)
		err = qd_filter(u->c, options->filter, &filter);
	return err ? err : write_points(u, mode, filter, ret_version);
}

int qd_points_upsert(struct qd_call *c)
{
	struct options options = {0};
	uint64_t version;
	struct upsert u;
	int err = upsert_init(&u, c);

	if (!err)
		err = read_body(&u, &options);
	if (!err)
		err = finish(&u, &options, &version);
	upsert_done(&u);
	if (!err)
		qd_put_written(c, version);
	return err;
}

/* The tree of a batch as text again, which columns are read from. */
static int add_tree_of_columns(struct upsert *u, yyjson_val *batch)
{
	struct qd_scan s;
	size_t n;
	char *text = yyjson_val_write(batch, YYJSON_WRITE_NOFLAG, &n), *copy;

	if (!text)
		return -ENOMEM;
	copy = http_arena_alloc(&u->c->arena, n + YYJSON_PADDING_SIZE, 16);
	if (copy)
		memcpy(copy, text, n);
	free(text);
	if (!copy)
		return -ENOMEM;
	qd_scan_text(&s, u->c, copy, n);
	return add_columns(u, &s);
}

int qd_upsert(struct qd_call *c, yyjson_val *body, uint64_t *ret_version)
{
	struct options options = {yyjson_obj_get(body, "update_mode"),
				  yyjson_obj_get(body, "update_filter")};
	yyjson_val *points = qd_member(body, "points"), *batch = qd_member(body, "batch"), *v;
	yyjson_arr_iter iter;
	struct upsert u;
	int err = upsert_init(&u, c);

	yyjson_arr_iter_init(points, &iter);
	while (!err && (v = yyjson_arr_iter_next(&iter)))
		err = add_point(&u, v);
	if (!err && batch)
		err = add_tree_of_columns(&u, batch);
	if (!err)
		err = finish(&u, &options, ret_version);
	upsert_done(&u);
	return err;
}
