/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache by HTTP: what is sent. A body leaves as the engine's parts, in windows of some MiB,
 * each verified before it leaves. Invariants: what does not verify is not there; a response that
 * has begun is either sent whole or cut off.
 *
 * Interface: http_cache_get() of cache_pvt.h. Order of parts: fields; bodies; the handler.
 */
#include "cache_pvt.h"

/* ---- fields ----------------------------------------------------------------------------- */

static int put_kept(struct http_response *rs, const struct http_cache_found *f, enum http_kept k)
{
	const char *name = http_kept_name(k);

	if (!f->kept[k].n)
		return 0;
	return http_response_field_str(rs, (struct http_str){name, strlen(name)}, f->kept[k]);
}

static char *append(char *p, const void *data, size_t n)
{
	memcpy(p, data, n);
	return p + n;
}

#define APPEND(p, text) append(p, text, sizeof(text) - 1)

/* What every answer has: at once, for it is all sound. */
static int put_own(struct http_response *rs, const struct http_cache_found *f)
{
	char lines[ETAG_ROOM + HTTP_DATE_BYTES + SL_DIGITS_MAX + 80], *p = lines;
	int64_t age_ms = sl_wall_clock_ns() / SL_MSEC - f->o->stored_ms;

	p = APPEND(p, "ETag: ");
	p = append(p, f->etag, strlen(f->etag));
	if (http_date_can(f->v.changed_s)) {
		p = APPEND(p, "\r\nLast-Modified: ");
		http_date_format(f->v.changed_s, p);
		p += HTTP_DATE_BYTES - 1;
	}
	p = APPEND(p, "\r\nAge: ");
	p = sl_digits_put(p, age_ms > 0 ? (uint64_t)age_ms / 1000 : 0);
	p = APPEND(p, "\r\nAccept-Ranges: bytes\r\n");
	return http_response_lines(rs, lines, (size_t)(p - lines));
}

/* What is said of an object also where its body is not sent: all but its type. */
static int put_fields(struct http_response *rs, const struct http_cache_found *f)
{
	int err = put_own(rs, f);

	for (int k = HTTP_KEPT_CONTENT_TYPE + 1; k <= HTTP_KEPT_CACHE_CONTROL && !err; k++)
		err = put_kept(rs, f, (enum http_kept)k);
	return err;
}

static struct http_str type_of(const struct http_cache_found *f)
{
	static const char unknown[] = "application/octet-stream";

	return f->kept[HTTP_KEPT_CONTENT_TYPE].n ? f->kept[HTTP_KEPT_CONTENT_TYPE]
						 : (struct http_str){unknown, sizeof(unknown) - 1};
}

static int put_type(struct http_response *rs, const struct http_cache_found *f)
{
	static const char name[] = "Content-Type";

	return http_response_field_str(rs, (struct http_str){name, sizeof(name) - 1}, type_of(f));
}

/* ---- bodies ----------------------------------------------------------------------------- */

/* What is sent at once of a large body: the client takes some while the next is verified. */
#define WINDOW_BYTES (4 * SL_MIB)

_Static_assert(CACHE_PARTS_MAX <= HTTP_PARTS_MAX, "a window is a response");
_Static_assert(WINDOW_BYTES <= CACHE_WINDOW_BYTES, "a window is one call of the engine");

/* So much of a range as is taken at a time; the parts are sent or dropped. */
struct window {
	uint64_t bytes;
	uint32_t n;
	struct sl_part parts[CACHE_PARTS_MAX];
};

/* What lies behind the first @done bytes of @r. */
static int window_take(struct window *w, const struct http_cache_found *f,
		       const struct http_range *r, uint64_t done, int64_t deadline)
{
	int n;

	w->bytes = sl_min(r->len - done, WINDOW_BYTES);
	n = cache_parts(f->o, r->off + done, w->bytes, w->parts, CACHE_PARTS_MAX, deadline);
	w->n = n > 0 ? (uint32_t)n : 0;
	return sl_min(n, 0);
}

static void window_drop(struct window *w)
{
	while (w->n)
		sl_part_release(&w->parts[--w->n]);
}

/* Sends a range of the body, window by window, of which @w is the first. */
static int send_range(struct http_request *rq, const struct http_cache_found *f,
		      const struct http_range *r, struct window *w, int64_t deadline)
{
	uint64_t done = 0;
	int err = 0;

	while (!err) {
		err = http_stream_send(rq, w->parts, w->n, deadline);
		w->n = 0;
		done += w->bytes;
		if (done == r->len)
			break;
		if (!err)
			err = window_take(w, f, r, done, deadline);
	}
	return err;
}

/*
 * One stretch of the body: whole in the response, or in pieces behind its head. Before the head
 * leaves, the first window is taken: what does not even begin as it should is a miss.
 */
static int send_one(struct http_request *rq, struct http_response *rs,
		    const struct http_cache_found *f, const struct http_range *r, int64_t deadline)
{
	bool head_only = rq->method == HTTP_M_HEAD;
	struct window w;
	int n, err = put_type(rs, f);

	if (err)
		return err;
	w.n = 0;
	if (r->len <= WINDOW_BYTES && !head_only) {
		n = cache_parts(f->o, r->off, r->len, rs->parts, HTTP_PARTS_MAX, deadline);
		rs->n = n > 0 ? (uint32_t)n : 0;
		return sl_min(n, 0);
	}
	if (!head_only)
		err = window_take(&w, f, r, 0, deadline);
	if (!err)
		err = http_stream_begin(rq, rs, r->len, deadline);
	if (!err && !head_only)
		err = send_range(rq, f, r, &w, deadline);
	window_drop(&w);
	return err ? err : http_stream_end(rq, deadline);
}

static int send_several(struct http_request *rq, struct http_response *rs,
			const struct http_cache_found *f, const struct http_range *ranges, int n,
			int64_t deadline)
{
	struct http_multipart m;
	struct window w;
	int err = window_take(&w, f, &ranges[0], 0, deadline);

	if (!err)
		err = http_multipart_make(rs, type_of(f), f->o->bytes, ranges, n, &m);
	if (err) {
		window_drop(&w);
		return err;
	}
	err = http_stream_begin(rq, rs, m.bytes, deadline);
	for (int i = 0; i <= n && !err; i++) {
		struct sl_part head = http_multipart_take(&m, i);

		err = http_stream_send(rq, &head, 1, deadline);
		if (!err && i && i < n)
			err = window_take(&w, f, &ranges[i], 0, deadline);
		if (!err && i < n)
			err = send_range(rq, f, &ranges[i], &w, deadline);
	}
	window_drop(&w);
	http_multipart_done(&m);
	return err ? err : http_stream_end(rq, deadline);
}

static int send_body(struct http_request *rq, struct http_response *rs,
		     const struct http_cache_found *f, int64_t deadline)
{
	struct http_range ranges[HTTP_RANGES_MAX] = {{0}};
	int n = http_partial_choose(rq, &f->v, f->o->bytes, ranges), err = 0;

	if (n < 0)
		return http_partial_none(rs, "object", f->o->bytes);
	if (n > 1)
		return send_several(rq, rs, f, ranges, n, deadline);
	if (n)
		err = http_partial_one(rs, &ranges[0], f->o->bytes);
	else
		ranges[0].len = f->o->bytes;
	return err ? err : send_one(rq, rs, f, &ranges[0], deadline);
}

/* ---- the handler ------------------------------------------------------------------------ */

static int get_found(struct http_request *rq, struct http_response *rs,
		     const struct http_cache_found *f, int64_t deadline)
{
	int err = put_fields(rs, f), status;

	if (err)
		return err;
	status = http_condition_check(rq, &f->v);
	if (status == 412)
		return http_cache_answered(rs, status,
					   "the object is not what the request says it is");
	if (status) {
		rs->status = status;
		return 0;
	}
	err = send_body(rq, rs, f, deadline);
	if (err != -EBADMSG || rq->out.begun)
		return err;
	/* What was said of it holds no longer. */
	http_response_done(rs);
	return http_cache_failed(rs, -ENOENT);
}

int http_cache_get(struct http_request *rq, struct http_response *rs, int64_t deadline)
{
	struct cache *c;
	struct http_cache_name name;
	struct http_cache_found f;
	int res = http_cache_find_key(rq, rs, &c, &name);

	if (!res) {
		res = http_cache_look_up(c, &name, &f, deadline);
		if (res)
			return http_cache_outcome(http_cache_failed(rs, res));
		res = get_found(rq, rs, &f, deadline);
		cache_release(f.o);
	}
	return http_cache_outcome(res);
}
