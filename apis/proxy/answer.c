/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of the proxy, from wherever their bodies come.
 *
 * Interface: "answers" of proxy_pvt.h. A body that fits one window is sent as one reply with its
 * head; a larger one leaves in pieces, and so do several ranges.
 *
 * Order of parts: fields; conditions and ranges; sending; several ranges; the call.
 */
#include <errno.h>
#include <string.h>

#include "proxy_pvt.h"

/* ---- fields ----------------------------------------------------------------------------- */

static int put_how(struct http_response *rs, const struct http_cache_status *how)
{
	static const char name[] = "Cache-Status: ";
	char line[sizeof(name) + HTTP_CACHE_STATUS_BYTES + 2], *value = line + sizeof(name) - 1;
	size_t n;

	memcpy(line, name, sizeof(name) - 1);
	http_cache_status_format(how, value);
	n = strlen(value);
	memcpy(value + n, "\r\n", 2);
	return http_response_lines(rs, line, sizeof(name) - 1 + n + 2);
}

/* What tells of a body that a 304 does not have. */
static bool is_of_body(struct http_str name)
{
	struct http_str start = {name.p, sl_min(name.n, (size_t)8)};

	return http_str_is(start, "Content-") && !http_str_is(name, "Content-Location");
}

/* Of several ranges each has the type, and the whole one of its own. */
static bool is_of_part(struct http_str name)
{
	return http_str_is(name, "Content-Type");
}

static int put_lines(struct http_response *rs, struct http_lines fields,
		     bool (*is_left_out)(struct http_str name))
{
	struct http_line line;
	int err = 0;

	while (!err && http_lines_next(&fields, &line))
		if (!is_left_out(line.name))
			err = http_response_field_str(rs, line.name, line.value);
	return err;
}

static int put_via(struct http_response *rs, const struct http_cache_status *how)
{
	static const char via[] = "Via: 1.1 sluice\r\n";
	int err = http_response_lines(rs, via, sizeof(via) - 1);

	return err ? err : put_how(rs, how);
}

int proxy_put_fields(struct http_response *rs, struct http_lines fields,
		     const struct http_cache_status *how)
{
	int err;

	rs->forwarded = true;
	err = http_response_lines(rs, fields.p, fields.n);
	return err ? err : put_via(rs, how);
}

static int put_age(struct http_response *rs, const struct proxy_answer *a)
{
	char line[32] = "Age: ", *p;
	int64_t age;

	if (!a->caching)
		return 0;
	age = http_age_s(a->caching, a->now_ms ? a->now_ms : proxy_now_ms());
	if (!age && !a->how.hit)
		return 0;
	p = sl_digits_put(line + 5, (uint64_t)age);
	memcpy(p, "\r\n", 2);
	return http_response_lines(rs, line, (size_t)(p + 2 - line));
}

/* ---- conditions and ranges -------------------------------------------------------------- */

enum { ETAG_BYTES = 512 };

static void find_validators(const struct proxy_answer *a, char *etag_text,
			    struct http_validators *ret_v)
{
	struct http_str v;

	*ret_v = (struct http_validators){.changed_s = HTTP_CHANGED_UNKNOWN};
	if (http_lines_find(a->fields, "ETag", &v) && v.n < ETAG_BYTES) {
		ret_v->weak = v.n > 2 && v.p[0] == 'W' && v.p[1] == '/';
		memcpy(etag_text, v.p, v.n);
		etag_text[v.n] = 0;
		ret_v->etag = etag_text + (ret_v->weak ? 2 : 0);
	}
	if (http_lines_find(a->fields, "Last-Modified", &v) &&
	    !http_date_parse(v, &ret_v->changed_s))
		return;
	/* RFC 9111, 4.3.2: what has no date of its own was as it is when it was sent. */
	if (http_lines_find(a->fields, "Date", &v) && !http_date_parse(v, &ret_v->changed_s))
		ret_v->guessed = true;
}

/* Whether there may be a condition, by which validators are asked for, and whether a range. */
static void asks_for_less(const struct http_request *rq, bool *ret_condition, bool *ret_range)
{
	*ret_condition = *ret_range = false;
	for (uint32_t i = 0; i < rq->fields_n; i++) {
		struct http_str name = http_request_str(rq, rq->fields[i].name);

		*ret_condition |= name.n > 3 && (name.p[0] | 0x20) == 'i' && name.p[2] == '-';
		*ret_range |= name.n == 5 && (name.p[0] | 0x20) == 'r';
	}
}

struct choice {
	int n; /* 0: the whole, which is then ranges[0] */
	struct http_range ranges[HTTP_RANGES_MAX];
};

/* What of the body is sent. Return: 0; 304, 412 or 416 instead. */
static int choose(const struct http_request *rq, const struct proxy_answer *a,
		  struct choice *ret_choice)
{
	char etag[ETAG_BYTES];
	struct http_validators v = {.changed_s = HTTP_CHANGED_UNKNOWN};
	bool condition, range;
	int status = 0;

	ret_choice->n = 0;
	ret_choice->ranges[0] = (struct http_range){0, a->bytes};
	asks_for_less(rq, &condition, &range);
	if (a->status != 200 || (!condition && !range))
		return 0;
	if (condition) {
		find_validators(a, etag, &v);
		status = http_condition_check(rq, &v);
	}
	if (status || !range || a->bytes == HTTP_BYTES_UNKNOWN || a->once)
		return status;
	ret_choice->n = http_partial_choose(rq, &v, a->bytes, ret_choice->ranges);
	if (!ret_choice->n)
		ret_choice->ranges[0] = (struct http_range){0, a->bytes};
	return ret_choice->n < 0 ? 416 : 0;
}

static int answer_without_body(struct http_response *rs, const struct proxy_answer *a, int status)
{
	int err;

	rs->forwarded = true;
	if (status == 412) {
		http_response_error(rs, 412, "the response is not what the request says it is");
		return put_how(rs, &a->how);
	}
	if (status == 416) {
		err = http_partial_none(rs, "response", a->bytes);
		return err ? err : put_how(rs, &a->how);
	}
	rs->status = 304;
	err = put_lines(rs, a->fields, is_of_body);
	if (!err)
		err = put_age(rs, a);
	return err ? err : put_via(rs, &a->how);
}

static int put_head(struct http_response *rs, const struct proxy_answer *a, const struct choice *c)
{
	int err = proxy_put_fields(rs, a->fields, &a->how);

	rs->status = (int)a->status;
	if (!err)
		err = put_age(rs, a);
	return err || !c->n ? err : http_partial_one(rs, &c->ranges[0], a->bytes);
}

/* ---- sending ---------------------------------------------------------------------------- */

static uint64_t bytes_of(const struct sl_part *parts, int n)
{
	uint64_t bytes = 0;

	for (int i = 0; i < n; i++)
		bytes += sl_part_len(&parts[i]);
	return bytes;
}

/* The rest of [@off, @end) in windows. */
static int send_windows(struct http_request *rq, const struct proxy_answer *a, uint64_t off,
		     uint64_t end, int64_t deadline)
{
	struct sl_part parts[CACHE_PARTS_MAX];

	while (off < end) {
		int n = a->parts(a->arg, off, end - off, parts, SL_ARRAY_SIZE(parts), deadline);
		int err;

		if (n < 0)
			return n;
		if (!n)
			break;
		off += bytes_of(parts, n);
		err = http_stream_send(rq, parts, (uint32_t)n, deadline);
		if (err)
			return err;
	}
	return 0;
}

static int send_rest(struct http_request *rq, const struct proxy_answer *a, uint64_t off,
		     uint64_t end, int64_t deadline)
{
	int err = send_windows(rq, a, off, end, deadline);

	return err ? err : http_stream_end(rq, deadline);
}

/* The first window: alone it is the whole reply. */
static int send_eager(struct http_request *rq, struct http_response *rs,
		      const struct proxy_answer *a, const struct http_range *r, int64_t deadline)
{
	struct sl_part parts[CACHE_PARTS_MAX];
	int n = 0, err;
	uint64_t got;

	if (r->len)
		n = a->parts(a->arg, r->off, r->len, parts, SL_ARRAY_SIZE(parts), deadline);
	if (n < 0)
		return n;
	got = bytes_of(parts, n);
	if (got == r->len) {
		memcpy(rs->parts, parts, (size_t)n * sizeof(parts[0]));
		rs->n = (uint32_t)n;
		return 0;
	}
	err = http_stream_begin(rq, rs, r->len, deadline);
	if (err) {
		for (int i = 0; i < n; i++)
			sl_part_release(&parts[i]);
		return err;
	}
	err = http_stream_send(rq, parts, (uint32_t)n, deadline);
	return err ? err : send_rest(rq, a, r->off + got, r->off + r->len, deadline);
}

_Static_assert(CACHE_PARTS_MAX <= HTTP_PARTS_MAX, "a window is one reply");

/* ---- several ranges --------------------------------------------------------------------- */

/* Before the head leaves: so can a failure be told. */
static int try_first(const struct proxy_answer *a, const struct http_range *r, int64_t deadline)
{
	struct sl_part parts[CACHE_PARTS_MAX];
	int n = a->parts(a->arg, r->off, r->len, parts, SL_ARRAY_SIZE(parts), deadline);

	for (int i = 0; i < n; i++)
		sl_part_release(&parts[i]);
	return sl_min(n, 0);
}

static int put_several(struct http_response *rs, const struct proxy_answer *a,
		       const struct choice *c, struct http_multipart *ret_m)
{
	struct http_str type;
	int err = put_lines(rs, a->fields, is_of_part);

	rs->forwarded = true;
	if (!http_lines_find(a->fields, "Content-Type", &type))
		type = http_str_of("application/octet-stream");
	if (!err)
		err = put_age(rs, a);
	if (!err)
		err = put_via(rs, &a->how);
	return err ? err : http_multipart_make(rs, type, a->bytes, c->ranges, c->n, ret_m);
}

static int send_several(struct http_request *rq, struct http_response *rs,
			const struct proxy_answer *a, const struct choice *c, int64_t deadline)
{
	struct http_multipart m;
	int err = a->eager ? try_first(a, &c->ranges[0], deadline) : 0;

	if (!err)
		err = put_several(rs, a, c, &m);
	if (err)
		return err;
	err = http_stream_begin(rq, rs, m.bytes, deadline);
	for (int i = 0; i <= c->n && !err; i++) {
		const struct http_range *r = &c->ranges[i];
		struct sl_part head = http_multipart_take(&m, i);

		err = http_stream_send(rq, &head, 1, deadline);
		if (!err && i < c->n)
			err = send_windows(rq, a, r->off, r->off + r->len, deadline);
	}
	http_multipart_done(&m);
	return err ? err : http_stream_end(rq, deadline);
}

/* ---- the call --------------------------------------------------------------------------- */

/* What was found to be of no use before anything left is as if it had never been there. */
static int untold(struct http_request *rq, struct http_response *rs, int err)
{
	if ((err == -EBADMSG || err == -ESTALE) && !rq->out.begun)
		http_response_done(rs);
	return err;
}

int proxy_answer(struct http_request *rq, struct http_response *rs, struct proxy_answer *a,
		 int64_t deadline)
{
	struct choice c;
	int status = choose(rq, a, &c), err = 0;
	struct http_range r = c.ranges[0];

	if (a->ready && !status && r.len && rq->method != HTTP_M_HEAD)
		err = a->ready(a, r.off, deadline);
	if (err)
		return err;
	rq->cache = http_cache_status_word(&a->how);
	if (status)
		return answer_without_body(rs, a, status);
	if (c.n > 1)
		return untold(rq, rs, send_several(rq, rs, a, &c, deadline));
	err = put_head(rs, a, &c);
	if (err)
		return err;
	if (rq->method == HTTP_M_HEAD || http_status_ends_head(rs->status)) {
		err = http_stream_begin(rq, rs, r.len, deadline);
		return err ? err : http_stream_end(rq, deadline);
	}
	if (a->eager)
		return untold(rq, rs, send_eager(rq, rs, a, &r, deadline));
	err = http_stream_begin(rq, rs, r.len, deadline);
	return err ? err
		   : send_rest(rq, a, r.off, r.len == HTTP_BYTES_UNKNOWN ? r.len : r.off + r.len,
			       deadline);
}
