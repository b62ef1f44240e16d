// SPDX-License-Identifier: Apache-2.0
/*
 * Changes of points that are there: their payloads, their vectors, and their end.
 *
 * Interface: handlers of qdrant_pvt.h. Each is one function that changes the object at hand, called
 * on the collection's core for each id, or for all that a filter means; what it reads lies in the
 * request's memory, which stays until the write has returned. A request by ids is one write.
 *
 * Order of parts: results; which points; payloads; vectors; deletion; handlers; batches.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/bytes.h>

#include "qdrant_pvt.h"

/* ---- results ---------------------------------------------------------------------------- */

void qd_put_written(struct qd_call *c, uint64_t version)
{
	struct http_str wait;
	bool waits = http_request_param(c->rq, "wait", &wait) && wait.n == 4 &&
		     !memcmp(wait.p, "true", 4);

	http_json_open(&c->j, '{');
	http_json_key(&c->j, "operation_id");
	http_json_uint(&c->j, version);
	http_json_key(&c->j, "status");
	http_json_string(&c->j, waits ? "completed" : "acknowledged");
	http_json_close(&c->j, '}');
}

/* ---- which points ----------------------------------------------------------------------- */

/* Of the first one that the store refused; 0: there is none. */
static int refused(struct qd_call *c, const struct sl_objects_op *ops, uint32_t n)
{
	const struct sl_objects_conf *conf = &c->collection->conf;

	for (uint32_t i = 0; i < n; i++) {
		const struct sl_objects_vector *v =
			ops[i].vector < conf->vectors_n ? &conf->vectors[ops[i].vector] : NULL;

		if (ops[i].result == -EINVAL)
			return qd_fault(c, ops[i].fault, v, v ? v->name : "", ops[i].dim);
	}
	return 0;
}

static int no_point(struct qd_call *c, const struct sl_filter_key *key)
{
	char uuid[SL_UUID_TEXT_BYTES + 1] = "";

	if (key->kind == SL_KEY_INTEGER)
		return qd_wrong(c, 404, "Not found: No point with id %llu found",
				(unsigned long long)sl_load_le64(key->key));
	sl_uuid_print(key->key, uuid);
	return qd_wrong(c, 404, "Not found: No point with id %s found", uuid);
}

/* @ops that are all told. @must_exist: an id that is not there is an error, after the others. */
static int write_ops(struct qd_call *c, struct sl_objects_op *ops, uint32_t n, bool must_exist,
		     uint64_t *ret_version)
{
	int err;

	*ret_version = 0;
	if (!n)
		return 0;
	err = objects_write(c->o, c->name, ops, n, true, ret_version, c->deadline);
	if (!err || err == -EINVAL)
		err = sl_min(err, refused(c, ops, n));
	for (uint32_t i = 0; !err && must_exist && i < n; i++)
		if (ops[i].result == -ENOENT)
			err = no_point(c, &ops[i].key);
	return err;
}

/* @op for all that @selector means: {"points": [id, …]}, {"filter": …}; once a list of ids. */
static int write_selected(struct qd_call *c, yyjson_val *selector, const struct sl_objects_op *op,
			  bool must_exist, uint64_t *ret_version)
{
	yyjson_val *ids = yyjson_is_arr(selector) ? selector : qd_member(selector, "points");
	const struct sl_filter *filter;
	struct sl_filter_key *keys;
	struct sl_objects_op *ops;
	uint32_t n;
	int err;

	if (!ids) {
		if (!qd_member(selector, "filter"))
			return qd_format_error(c, "expected points or a filter");
		err = qd_filter(c, qd_member(selector, "filter"), &filter);
		return err ? err
			   : objects_write_matching(c->o, c->name, filter, op, UINT64_MAX, NULL,
						    ret_version, c->deadline);
	}
	err = qd_ids(c, ids, &keys, &n);
	if (err)
		return err;
	ops = http_arena_array(&c->arena, struct sl_objects_op, n);
	if (!ops)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		ops[i] = *op;
		ops[i].key = keys[i];
	}
	return write_ops(c, ops, n, must_exist, ret_version);
}

/* ---- payloads --------------------------------------------------------------------------- */

/**
 * struct payload_change - @json: of @n bytes, what is put into the map at @path. @whole: what was
 * there goes first. @gone: paths of what goes, @gone_n of them.
 */
struct payload_change {
	const char *path, *json;
	size_t n;
	bool whole;
	const char **gone;
	uint32_t gone_n;
};

static int remove_at(struct sl_object_builder *b, const char *path)
{
	int err = sl_object_remove(b, path);

	return err == -ENOENT ? 0 : err;
}

/* On the collection's core, as the others that are an operation's change. */
static int change_payload(void *arg, const struct sl_object *old, struct sl_object_builder *b)
{
	const struct payload_change *p = arg;
	int err = p->whole ? remove_at(b, p->path) : 0;

	for (uint32_t i = 0; !err && i < p->gone_n; i++)
		err = remove_at(b, p->gone[i]);
	if (err || !p->json)
		return err;
	return sl_object_merge_json(b, SL_JSON_POINT, p->path, p->json, p->n, NULL, 0, NULL, 0);
}

static int write_payload(struct qd_call *c, yyjson_val *body, struct payload_change *p,
			 bool must_exist, uint64_t *ret_version)
{
	struct sl_objects_op op = {.kind = SL_OBJECTS_CHANGE, .change = change_payload, .arg = p};

	return write_selected(c, body, &op, must_exist, ret_version);
}

/* The text that merging parses, for each point anew. */
static int put_payload(struct qd_call *c, yyjson_val *body, bool whole, uint64_t *ret_version)
{
	yyjson_val *payload = qd_member(body, "payload");
	struct payload_change p = {.path = "", .whole = whole};
	char *json;
	int err = qd_get_string(c, body, "key", &p.path);

	if (err)
		return err;
	if (!yyjson_is_obj(payload))
		return qd_format_error(c, "missing field `payload`");
	json = yyjson_val_write(payload, YYJSON_WRITE_NOFLAG, &p.n);
	if (!json)
		return -ENOMEM;
	p.json = json;
	err = write_payload(c, body, &p, true, ret_version);
	free(json);
	return err;
}

static int set(struct qd_call *c, yyjson_val *body, uint64_t *ret_version)
{
	return put_payload(c, body, false, ret_version);
}

static int overwrite(struct qd_call *c, yyjson_val *body, uint64_t *ret_version)
{
	return put_payload(c, body, true, ret_version);
}

static int delete_keys(struct qd_call *c, yyjson_val *body, uint64_t *ret_version)
{
	yyjson_val *keys = qd_member(body, "keys"), *key;
	struct payload_change p = {.path = ""};
	yyjson_arr_iter iter;

	if (!yyjson_is_arr(keys))
		return qd_format_error(c, "missing field `keys`");
	p.gone = http_arena_array(&c->arena, const char *, yyjson_arr_size(keys));
	if (!p.gone)
		return -ENOMEM;
	yyjson_arr_iter_init(keys, &iter);
	while ((key = yyjson_arr_iter_next(&iter))) {
		if (!yyjson_is_str(key) || !yyjson_get_len(key))
			return qd_format_error(c, "keys: expected a list of paths");
		p.gone[p.gone_n++] = yyjson_get_str(key);
	}
	return write_payload(c, body, &p, true, ret_version);
}

static int clear(struct qd_call *c, yyjson_val *body, uint64_t *ret_version)
{
	struct payload_change p = {.path = "", .whole = true};

	return write_payload(c, body, &p, false, ret_version);
}

/* ---- vectors ---------------------------------------------------------------------------- */

struct new_vector {
	const char *name;
	const float *data;
	uint32_t dim;
};

/* @vectors: that are put. @gone: names of those that go. @filter: only what it means (or NULL). */
struct vectors_change {
	struct new_vector *vectors;
	uint32_t n;
	const char **gone;
	uint32_t gone_n;
	const struct sl_filter *filter;
};

static int change_vectors(void *arg, const struct sl_object *old, struct sl_object_builder *b)
{
	const struct vectors_change *v = arg;
	int err = 0;

	if (v->filter && !sl_filter_matches(v->filter, old))
		return 1;
	for (uint32_t i = 0; !err && i < v->gone_n; i++) {
		err = sl_object_remove_vector(b, v->gone[i]);
		err = err == -ENOENT ? 0 : err;
	}
	for (uint32_t i = 0; !err && i < v->n; i++)
		err = sl_object_put_vector(b, v->vectors[i].name, SL_VECTOR_F32, v->vectors[i].data,
					   v->vectors[i].dim);
	return err;
}

static int read_new_vector(struct qd_call *c, const char *name, yyjson_val *v,
			   struct new_vector *ret)
{
	ret->name = name;
	if (!qd_vector_conf(c->collection, name))
		return qd_fault(c, SL_OBJECTS_UNKNOWN_VECTOR, NULL, name, 0);
	if (!yyjson_is_arr(v) || yyjson_is_arr(yyjson_arr_get_first(v)))
		return qd_wrong(c, 400,
				"Wrong input: vector \"%.100s\" is not a list of numbers: "
				"sparse vectors and multivectors are not supported",
				name);
	return qd_vector(c, v, &ret->data, &ret->dim);
}

static int read_new_vectors(struct qd_call *c, yyjson_val *v, struct vectors_change *ret)
{
	yyjson_obj_iter iter;
	yyjson_val *name;
	int err = 0;

	ret->vectors = http_arena_array(&c->arena, struct new_vector,
					sl_max(yyjson_obj_size(v), (size_t)1));
	if (!ret->vectors)
		return -ENOMEM;
	if (!yyjson_is_obj(v))
		return read_new_vector(c, "", v, &ret->vectors[ret->n++]);
	yyjson_obj_iter_init(v, &iter);
	while (!err && (name = yyjson_obj_iter_next(&iter)))
		err = read_new_vector(c, yyjson_get_str(name), yyjson_obj_iter_get_val(name),
				      &ret->vectors[ret->n++]);
	return err;
}

static int update_vectors(struct qd_call *c, yyjson_val *body, uint64_t *ret_version)
{
	yyjson_val *points = qd_member(body, "points"), *point;
	size_t n = yyjson_arr_size(points), i = 0;
	struct sl_objects_op *ops = http_arena_array(&c->arena, struct sl_objects_op, n);
	struct vectors_change *vs = http_arena_array(&c->arena, struct vectors_change, n);
	const struct sl_filter *filter;
	yyjson_arr_iter iter;
	int err;

	if (!ops || !vs)
		return -ENOMEM;
	if (!yyjson_is_arr(points))
		return qd_format_error(c, "missing field `points`");
	err = qd_filter(c, qd_member(body, "update_filter"), &filter);
	yyjson_arr_iter_init(points, &iter);
	for (; !err && (point = yyjson_arr_iter_next(&iter)); i++) {
		vs[i].filter = filter;
		ops[i] = (struct sl_objects_op){
			.kind = SL_OBJECTS_CHANGE, .change = change_vectors, .arg = &vs[i]};
		err = qd_id(c, yyjson_obj_get(point, "id"), &ops[i].key);
		if (!err)
			err = read_new_vectors(c, yyjson_obj_get(point, "vector"), &vs[i]);
	}
	return err ? err : write_ops(c, ops, (uint32_t)n, true, ret_version);
}

static int delete_vectors(struct qd_call *c, yyjson_val *body, uint64_t *ret_version)
{
	yyjson_val *names = qd_member(body, "vector"), *name;
	struct vectors_change v = {0};
	struct sl_objects_op op = {.kind = SL_OBJECTS_CHANGE, .change = change_vectors, .arg = &v};
	yyjson_arr_iter iter;

	if (!yyjson_is_arr(names))
		return qd_format_error(c, "missing field `vector`");
	v.gone = http_arena_array(&c->arena, const char *, yyjson_arr_size(names));
	if (!v.gone)
		return -ENOMEM;
	yyjson_arr_iter_init(names, &iter);
	while ((name = yyjson_arr_iter_next(&iter))) {
		if (!yyjson_is_str(name))
			return qd_format_error(c, "vector: expected a list of names");
		if (!qd_vector_conf(c->collection, yyjson_get_str(name)))
			return qd_fault(c, SL_OBJECTS_UNKNOWN_VECTOR, NULL, yyjson_get_str(name),
					0);
		v.gone[v.gone_n++] = yyjson_get_str(name);
	}
	return write_selected(c, body, &op, false, ret_version);
}

/* ---- deletion --------------------------------------------------------------------------- */

static int delete_points(struct qd_call *c, yyjson_val *body, uint64_t *ret_version)
{
	struct sl_objects_op op = {.kind = SL_OBJECTS_DELETE};

	return write_selected(c, body, &op, false, ret_version);
}

/* ---- handlers --------------------------------------------------------------------------- */

static int answer(struct qd_call *c,
		  int (*carry_out)(struct qd_call *c, yyjson_val *body, uint64_t *ret_version))
{
	uint64_t version = 0;
	int err = carry_out(c, c->body, &version);

	if (!err)
		qd_put_written(c, version);
	return err;
}

int qd_points_delete(struct qd_call *c)
{
	return answer(c, delete_points);
}

int qd_payload_set(struct qd_call *c)
{
	return answer(c, set);
}

int qd_payload_overwrite(struct qd_call *c)
{
	return answer(c, overwrite);
}

int qd_payload_delete(struct qd_call *c)
{
	return answer(c, delete_keys);
}

int qd_payload_clear(struct qd_call *c)
{
	return answer(c, clear);
}

int qd_vectors_update(struct qd_call *c)
{
	return answer(c, update_vectors);
}

int qd_vectors_delete(struct qd_call *c)
{
	return answer(c, delete_vectors);
}

/* ---- batches ---------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*carry_out)(struct qd_call *c, yyjson_val *body, uint64_t *ret_version);
} operations[] = {
	{"upsert", qd_upsert},
	{"delete", delete_points},
	{"set_payload", set},
	{"overwrite_payload", overwrite},
	{"delete_payload", delete_keys},
	{"clear_payload", clear},
	{"update_vectors", update_vectors},
	{"delete_vectors", delete_vectors},
};

static int write_operation(struct qd_call *c, yyjson_val *v)
{
	for (size_t i = 0; i < SL_ARRAY_SIZE(operations); i++) {
		yyjson_val *body = qd_member(v, operations[i].name);
		uint64_t version = 0;
		int err;

		if (!body)
			continue;
		err = operations[i].carry_out(c, body, &version);
		if (!err)
			qd_put_written(c, version);
		return err;
	}
	return qd_format_error(c, "operations: unknown operation");
}

/* One after the other; what was done before a failure stays. */
int qd_points_batch(struct qd_call *c)
{
	yyjson_val *list = qd_member(c->body, "operations"), *v;
	yyjson_arr_iter iter;
	int err = 0;

	if (!yyjson_is_arr(list))
		return qd_format_error(c, "missing field `operations`");
	http_json_open(&c->j, '[');
	yyjson_arr_iter_init(list, &iter);
	while (!err && (v = yyjson_arr_iter_next(&iter)))
		err = write_operation(c, v);
	http_json_close(&c->j, ']');
	return err;
}
