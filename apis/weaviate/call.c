// SPDX-License-Identifier: Apache-2.0
/*
 * Around every handler: what a request brings, and answers that say no.
 *
 * Interface: the parts "a call" and "answers" of weaviate_pvt.h; the one place of this folder where
 * an errno or a fault of the store becomes Weaviate's error object.
 *
 * Order of parts: a call; what the request brings; refusals; the store's failures; faults.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weaviate_pvt.h"

/* ---- a call ----------------------------------------------------------------------------- */

int wv_call_look_again(struct wv_call *c)
{
	if (c->view)
		objects_view_release(c->view);
	c->view = objects_view(c->objects);
	return c->view ? 0 : -ENOMEM;
}

/* 1 and 0 are the same to who called the handler. */
static int finish(struct wv_call *c, int res)
{
	if (res >= 0 && c->json.buf)
		res = http_json_send(&c->json, c->rs);
	return sl_min(res, 0);
}

int wv_call_run(struct http_request *rq, struct http_response *rs, int64_t deadline, wv_call_fn fn)
{
	struct wv_call c = {.rq = rq, .rs = rs, .objects = rq->api_arg, .deadline = deadline};
	int res;

	http_arena_init(&c.arena, CALL_BYTES_MAX);
	http_json_init(&c.json, ANSWER_BYTES_MAX);
	res = wv_call_look_again(&c);
	if (!res)
		res = fn(&c);
	res = finish(&c, res);
	http_json_done(&c.json);
	http_arena_done(&c.arena);
	if (c.view)
		objects_view_release(c.view);
	return res;
}

/* ---- what the request brings ------------------------------------------------------------ */

int wv_call_body(struct wv_call *c, yyjson_val **ret_root)
{
	struct http_json_error error = {0};
	char *text;
	size_t n;
	int err = http_body_text(c->rq, &c->arena, BODY_BYTES_MAX - YYJSON_PADDING_SIZE, &text, &n,
				 c->deadline);

	if (err)
		return err;
	err = http_json_parse(&c->arena, text, n, ret_root, &error);
	if (err == -EPROTO)
		return wv_refuse(c, 400, "the body is no JSON: %s at byte %zu", error.text,
				 error.at);
	return err;
}

static int decode(struct wv_call *c, struct http_str s, const char **ret_text)
{
	const char *text;
	ssize_t n = http_percent_text(s, &c->arena, &text);

	if (n < 0)
		return (int)n;
	if (strlen(text) != (size_t)n)
		return wv_refuse(c, 400, "a NUL in the request's path or query");
	*ret_text = text;
	return 0;
}

int wv_call_param(struct wv_call *c, uint32_t i, const char **ret_text)
{
	SL_ASSERT(i < HTTP_PARAMS_MAX);
	return decode(c, c->rq->params[i], ret_text);
}

int wv_call_query(struct wv_call *c, const char *name, const char **ret_text)
{
	struct http_str value;

	*ret_text = NULL;
	return http_request_param(c->rq, name, &value) ? decode(c, value, ret_text) : 0;
}

int wv_call_query_number(struct wv_call *c, const char *name, uint64_t max, uint64_t *ret_n)
{
	const char *text;
	char *end;
	unsigned long long v;
	int err = wv_call_query(c, name, &text);

	if (err || !text)
		return err;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || v > max)
		return wv_refuse(c, 422,
				 "%s in query: a number from 0 to %llu is expected, not '%.40s'",
				 name, (unsigned long long)max, text);
	*ret_n = v;
	return 0;
}

/* ---- refusals --------------------------------------------------------------------------- */

int wv_refuse(struct wv_call *c, int status, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	http_json_done(&c->json);
	http_json_init(&c->json, ANSWER_BYTES_MAX);
	http_response_done(c->rs);
	http_json_open(&c->json, '{');
	http_json_key(&c->json, "error");
	http_json_open(&c->json, '[');
	http_json_open(&c->json, '{');
	http_json_key(&c->json, "message");
	http_json_string(&c->json, text);
	http_json_close(&c->json, '}');
	http_json_close(&c->json, ']');
	http_json_close(&c->json, '}');
	c->rs->status = status;
	return 1;
}

/* ---- the store's failures --------------------------------------------------------------- */

static const struct {
	int err, status;
	const char *text;
} failures[] = {
	{EINVAL, 422, "not what the store takes"},
	{EFBIG, 422, "an object is too large"},
	{ENOENT, 404, "not found"},
	{ENOSPC, 507, "the disk is full: nothing is written until there is room"},
	{EDQUOT, 507, "the disk is full: nothing is written until there is room"},
	{EIO, 500, "the disk failed: what lies on it is not written to any more"},
	{EBADMSG, 500, "what was read from the disk does not verify"},
	{EROFS, 500, "the disk is read-only"},
	{ESHUTDOWN, 503, "the server is stopping"},
	{ETIME, 503, "the store took too long"},
};

int wv_failed(struct wv_call *c, int err, const char *why)
{
	SL_ASSERT(err < 0);
	for (size_t i = 0; i < SL_ARRAY_SIZE(failures); i++)
		if (failures[i].err == -err)
			return wv_refuse(c, failures[i].status, "%s",
					 *why ? why : failures[i].text);
	return err;
}

/* ---- faults ----------------------------------------------------------------------------- */

void wv_fault_text(const struct objects_collection *col, enum sl_objects_fault fault,
		   uint32_t vector, uint32_t dim, char ret_text[FAULT_BYTES])
{
	static const char *const texts[SL_OBJECTS_FAULT_LAST] = {
		[SL_OBJECTS_FINE] = "not what the store takes",
		[SL_OBJECTS_NO_KEY] = "the object has no id",
		[SL_OBJECTS_BAD_OBJECT] = "the object cannot be stored",
		[SL_OBJECTS_UNKNOWN_VECTOR] = "the class has no vector of that name",
		[SL_OBJECTS_WRONG_TYPE] = "the vector's components are of another type",
		[SL_OBJECTS_BAD_QUERY] =
			"a vector of finite numbers, or an object that has one, and a "
			"limit below a million are needed",
		[SL_OBJECTS_NO_OBJECT] =
			"the object to be near to does not exist, or has no vector",
	};

	if (fault == SL_OBJECTS_WRONG_DIM && vector < col->conf.vectors_n)
		snprintf(ret_text, FAULT_BYTES,
			 "new node has a vector with length %u. Existing nodes have vectors with "
			 "length %u",
			 dim, col->conf.vectors[vector].dim);
	else
		snprintf(ret_text, FAULT_BYTES, "%s", texts[fault] ? texts[fault] : texts[0]);
}
