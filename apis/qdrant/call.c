// SPDX-License-Identifier: Apache-2.0
/*
 * A request from its route to its answer: the collection, the body, the envelope around the result.
 *
 * Interface: the first three parts of qdrant_pvt.h but the errnos. Invariant: what a handler wrote
 * before it failed is dropped, and the error is told in its place.
 *
 * Order of parts: names in the path; how long it may take; errors; members; answering.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant_pvt.h"

/* ---- names in the path ------------------------------------------------------------------ */

int qd_path_name(struct qd_call *c, uint32_t i, const char **ret_name)
{
	const char *name;
	ssize_t n = http_percent_text(c->rq->params[i], &c->arena, &name);

	if (n < 0)
		return (int)n;
	if (strlen(name) != (size_t)n)
		return -EILSEQ;
	*ret_name = name;
	return 0;
}

static int find_collection(struct qd_call *c, enum qd_need need)
{
	if (!c->name)
		return 0;
	c->view = objects_view(c->o);
	c->collection = objects_view_find(c->view, c->name);
	if (!c->collection && need & QD_COLLECTION)
		return qd_no_collection(c, c->name);
	return 0;
}

/* ---- how long it may take --------------------------------------------------------------- */

/* How long the client waits, in seconds, is how long is worked for it. */
static void read_timeout(struct qd_call *c)
{
	struct http_str v;
	uint64_t s = 0;

	if (!http_request_param(c->rq, "timeout", &v) || !v.n || v.n > 9)
		return;
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return;
		s = s * 10 + (uint64_t)(v.p[i] - '0');
	}
	if (s)
		c->deadline = sl_min(c->deadline, c->began + (int64_t)s * SL_SEC);
}

/* ---- errors ----------------------------------------------------------------------------- */

static int say(struct qd_call *c, int status, const char *before, const char *fmt, va_list args)
{
	size_t n = strlen(before);

	c->status = status;
	memcpy(c->why, before, n);
	vsnprintf(c->why + n, sizeof(c->why) - n, fmt, args);
	return QD_ANSWERED;
}

int qd_wrong(struct qd_call *c, int status, const char *fmt, ...)
{
	va_list args;
	int ret;

	va_start(args, fmt);
	ret = say(c, status, "", fmt, args);
	va_end(args);
	return ret;
}

int qd_format_error(struct qd_call *c, const char *fmt, ...)
{
	va_list args;
	int ret;

	va_start(args, fmt);
	ret = say(c, 400, "Format error in JSON body: ", fmt, args);
	va_end(args);
	return ret;
}

int qd_no_collection(struct qd_call *c, const char *name)
{
	return qd_wrong(c, 404, "Not found: Collection `%.255s` doesn't exist!", name);
}

/* ---- members ---------------------------------------------------------------------------- */

yyjson_val *qd_member(yyjson_val *map, const char *name)
{
	yyjson_val *v = yyjson_obj_get(map, name);

	return yyjson_is_null(v) ? NULL : v;
}

int qd_get_uint(struct qd_call *c, yyjson_val *map, const char *name, uint64_t max, uint64_t *ret)
{
	yyjson_val *v = qd_member(map, name);

	if (!v)
		return 0;
	if (!yyjson_is_uint(v))
		return qd_format_error(c, "%s: expected an integer from 0 on", name);
	if (yyjson_get_uint(v) > max)
		return qd_wrong(c, 422,
				"Validation error in JSON body: [%s: value %llu invalid, must be "
				"%llu or smaller]",
				name, (unsigned long long)yyjson_get_uint(v),
				(unsigned long long)max);
	*ret = yyjson_get_uint(v);
	return 0;
}

int qd_get_bool(struct qd_call *c, yyjson_val *map, const char *name, bool *ret)
{
	yyjson_val *v = qd_member(map, name);

	if (v && !yyjson_is_bool(v))
		return qd_format_error(c, "%s: expected true or false", name);
	if (v)
		*ret = yyjson_get_bool(v);
	return 0;
}

int qd_get_number(struct qd_call *c, yyjson_val *map, const char *name, double *ret)
{
	yyjson_val *v = qd_member(map, name);

	if (v && !yyjson_is_num(v))
		return qd_format_error(c, "%s: expected a number", name);
	if (v)
		*ret = yyjson_get_num(v);
	return 0;
}

int qd_get_string(struct qd_call *c, yyjson_val *map, const char *name, const char **ret)
{
	yyjson_val *v = qd_member(map, name);

	if (!v)
		return 0;
	if (!yyjson_is_str(v) || strlen(yyjson_get_str(v)) != yyjson_get_len(v))
		return qd_format_error(c, "%s: expected a string", name);
	*ret = yyjson_get_str(v);
	return 0;
}

size_t qd_many(yyjson_val *v)
{
	return !v ? 0 : yyjson_is_arr(v) ? yyjson_arr_size(v) : 1;
}

/* The first time @iter is zeroed. */
yyjson_val *qd_many_at(yyjson_val *v, yyjson_arr_iter *iter)
{
	if (!yyjson_is_arr(v)) {
		bool first = !iter->cur;

		iter->cur = v;
		return first ? v : NULL;
	}
	if (!iter->cur)
		yyjson_arr_iter_init(v, iter);
	return yyjson_arr_iter_next(iter);
}

bool qd_id_text(const char *p, size_t n, struct sl_filter_key *ret_key)
{
	uint8_t uuid[SL_OBJECT_UUID_BYTES];

	if (!sl_uuid_parse(p, n, uuid))
		return false;
	*ret_key = objects_key_uuid(uuid);
	return true;
}

int qd_id(struct qd_call *c, yyjson_val *v, struct sl_filter_key *ret_key)
{
	if (yyjson_is_uint(v)) {
		*ret_key = objects_key_integer(yyjson_get_uint(v));
		return 0;
	}
	if (yyjson_is_str(v) && qd_id_text(yyjson_get_str(v), yyjson_get_len(v), ret_key))
		return 0;
	if (yyjson_is_str(v))
		return qd_format_error(c,
				       "value %.100s is not a valid point ID, valid values are "
				       "either an unsigned integer or a UUID",
				       yyjson_get_str(v));
	return qd_format_error(c, "a point ID is missing, or neither an unsigned integer nor a "
				  "UUID");
}

int qd_ids(struct qd_call *c, yyjson_val *list, struct sl_filter_key **ret_keys, uint32_t *ret_n)
{
	struct sl_filter_key *keys;
	yyjson_arr_iter iter;
	yyjson_val *v;
	uint32_t n = 0;
	int err = 0;

	if (!yyjson_is_arr(list))
		return qd_format_error(c, "expected a list of point IDs");
	keys = http_arena_array(&c->arena, struct sl_filter_key, yyjson_arr_size(list));
	if (!keys)
		return -ENOMEM;
	yyjson_arr_iter_init(list, &iter);
	while (!err && (v = yyjson_arr_iter_next(&iter)))
		err = qd_id(c, v, &keys[n++]);
	if (err)
		return err;
	*ret_keys = keys;
	*ret_n = n;
	return 0;
}

int qd_vector(struct qd_call *c, yyjson_val *list, const float **ret_vector, uint32_t *ret_dim)
{
	size_t dim = yyjson_arr_size(list), n = 0;
	yyjson_arr_iter iter;
	yyjson_val *v;
	float *vector;

	if (dim > SL_DIM_MAX)
		return qd_wrong(c, 400,
				"Wrong input: a vector of %zu numbers: at most %u are taken", dim,
				SL_DIM_MAX);
	vector = http_arena_alloc(&c->arena, sl_max(dim, (size_t)1) * sizeof(*vector), 64);
	if (!vector)
		return -ENOMEM;
	yyjson_arr_iter_init(list, &iter);
	while ((v = yyjson_arr_iter_next(&iter))) {
		vector[n] = (float)yyjson_get_num(v);
		if (!yyjson_is_num(v) || !isfinite(vector[n]))
			return qd_format_error(c, "item %zu of a vector is no number, or too large",
					       n);
		n++;
	}
	*ret_vector = vector;
	*ret_dim = (uint32_t)dim;
	return 0;
}

/* ---- answering -------------------------------------------------------------------------- */

static int parse_body(struct qd_call *c)
{
	struct http_json_error error;
	char *text;
	size_t n;
	int err = http_body_text(c->rq, &c->arena, QD_BODY_BYTES, &text, &n, c->deadline);

	if (err)
		return err;
	err = http_json_parse(&c->arena, text, n, &c->body, &error);
	if (err == -EPROTO)
		return qd_format_error(c, "%s at byte %zu", error.text, error.at);
	if (!err && !yyjson_is_obj(c->body))
		return qd_format_error(c, "expected a JSON object");
	return err;
}

static int run(struct qd_call *c, enum qd_need need, int (*fn)(struct qd_call *c))
{
	int err = c->rq->params[0].n ? qd_path_name(c, 0, &c->name) : 0;

	if (!err)
		err = find_collection(c, need);
	if (!err && need & QD_BODY)
		err = parse_body(c);
	if (err)
		return err;
	http_json_open(&c->j, '{');
	http_json_key(&c->j, "result");
	err = fn(c);
	return err ? err : c->j.err;
}

static void put_time(struct qd_call *c)
{
	http_json_key(&c->j, "time");
	http_json_double(&c->j, (double)(sl_now() - c->began) / 1e9);
	http_json_close(&c->j, '}');
}

static void put_error(struct qd_call *c)
{
	http_json_done(&c->j);
	http_json_init(&c->j, QD_ANSWER_BYTES);
	http_json_open(&c->j, '{');
	http_json_key(&c->j, "status");
	http_json_open(&c->j, '{');
	http_json_key(&c->j, "error");
	http_json_string(&c->j, c->why);
	http_json_close(&c->j, '}');
	put_time(c);
	c->rs->status = c->status;
}

static int answer(struct qd_call *c, int err)
{
	if (c->sent && !err)
		return 0;
	if (err == -ECONNRESET || c->rq->out.begun)
		return err;
	if (err && err != QD_ANSWERED)
		qd_errno(c, err);
	if (err) {
		put_error(c);
	} else {
		http_json_key(&c->j, "status");
		http_json_raw(&c->j, "\"ok\"", 4);
		put_time(c);
	}
	return http_json_send(&c->j, c->rs);
}

int qd_serve(struct http_request *rq, struct http_response *rs, int64_t deadline, enum qd_need need,
	     int (*fn)(struct qd_call *c))
{
	struct qd_call c = {
		.rq = rq, .rs = rs, .o = rq->api_arg, .deadline = deadline, .began = sl_now()};
	int err;

	http_arena_init(&c.arena, QD_ARENA_BYTES);
	http_json_init(&c.j, QD_ANSWER_BYTES);
	read_timeout(&c);
	err = answer(&c, run(&c, need, fn));
	http_json_done(&c.j);
	http_arena_done(&c.arena);
	if (c.view)
		objects_view_release(c.view);
	return err;
}
