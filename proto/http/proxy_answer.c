/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of the proxy, from wherever their bodies come.
 *
 * Interface: "answers" of proxy.h. A body that fits one window is sent as one reply with its head;
 * a larger one leaves in pieces.
 *
 * Order of parts: fields; conditions and ranges; sending; the call.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "condition.h"
#include "date.h"
#include "proxy.h"
#include "range.h"

/* ---- fields ----------------------------------------------------------------------------- */

static int put_how(struct http_response *rs, const struct http_cache_status *how)
{
	char text[HTTP_CACHE_STATUS_BYTES];

	http_cache_status_format(how, text);
	return http_response_field(rs, "Cache-Status", text);
}

static int put_lines(struct http_response *rs, struct http_lines fields, bool but_content)
{
	struct http_line line;
	int err = 0;

	while (!err && http_lines_next(&fields, &line)) {
		struct http_str start = {line.name.p, sl_min(line.name.n, (size_t)8)};

		if (but_content && http_str_is(start, "Content-") &&
		    !http_str_is(line.name, "Content-Location"))
			continue;
		err = http_response_field_str(rs, line.name, line.value);
	}
	return err;
}

int proxy_put_fields(struct http_response *rs, struct http_lines fields,
		     const struct http_cache_status *how)
{
	int err;

	rs->forwarded = true;
	err = put_lines(rs, fields, false);
	if (!err)
		err = http_response_field(rs, "Via", "1.1 sluice");
	return err ? err : put_how(rs, how);
}

static int put_age(struct http_response *rs, const struct proxy_answer *a)
{
	char text[24];
	int64_t age;

	if (!a->caching)
		return 0;
	age = http_age_s(a->caching, proxy_now_ms());
	if (!age && !a->how.hit)
		return 0;
	snprintf(text, sizeof(text), "%" PRId64, age);
	return http_response_field(rs, "Age", text);
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

/* What of the body is sent. Return: 0; 304, 412 or 416 instead. */
static int choose(const struct http_request *rq, const struct proxy_answer *a,
		  struct http_range *ret_range)
{
	struct http_range ranges[HTTP_RANGES_MAX];
	char etag[ETAG_BYTES];
	struct http_validators v;
	struct http_str value;
	int status, n;

	*ret_range = (struct http_range){0, a->bytes};
	if (a->status != 200)
		return 0;
	find_validators(a, etag, &v);
	status = http_condition_check(rq, &v);
	if (status)
		return status;
	if (rq->method != HTTP_M_GET || a->bytes == HTTP_BYTES_UNKNOWN || a->once ||
	    !http_request_field(rq, "Range", &value) || !http_condition_range(rq, &v))
		return 0;
	n = http_range_parse(value, a->bytes, ranges);
	if (n < 0)
		return 416;
	/* Several at once are a client's wish, not its due: it gets the whole. */
	if (n == 1) {
		*ret_range = ranges[0];
		return 206;
	}
	return 0;
}

static int answer_without_body(struct http_response *rs, const struct proxy_answer *a, int status)
{
	char text[48];
	int err;

	rs->forwarded = true;
	if (status == 412) {
		http_response_error(rs, 412, "the response is not what the request says it is");
		return put_how(rs, &a->how);
	}
	if (status == 416) {
		http_response_error(rs, 416, "the response has none of these bytes");
		snprintf(text, sizeof(text), "bytes */%" PRIu64, a->bytes);
		err = http_response_field(rs, "Content-Range", text);
		return err ? err : put_how(rs, &a->how);
	}
	rs->status = 304;
	err = put_lines(rs, a->fields, true);
	if (!err)
		err = put_age(rs, a);
	if (!err)
		err = http_response_field(rs, "Via", "1.1 sluice");
	return err ? err : put_how(rs, &a->how);
}

static int put_head(struct http_response *rs, const struct proxy_answer *a, int status,
		    const struct http_range *r)
{
	char text[80];
	int err = proxy_put_fields(rs, a->fields, &a->how);

	rs->status = (int)a->status;
	if (!err)
		err = put_age(rs, a);
	if (err || status != 206)
		return err;
	rs->status = 206;
	snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, r->off,
		 r->off + r->len - 1, a->bytes);
	return http_response_field(rs, "Content-Range", text);
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
static int send_rest(struct http_request *rq, const struct proxy_answer *a, uint64_t off,
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
	return http_stream_end(rq, deadline);
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

/* ---- the call --------------------------------------------------------------------------- */

int proxy_answer(struct http_request *rq, struct http_response *rs, const struct proxy_answer *a,
		 int64_t deadline)
{
	struct http_range r;
	int status = choose(rq, a, &r), err;

	if (status && status != 206)
		return answer_without_body(rs, a, status);
	err = put_head(rs, a, status, &r);
	if (err)
		return err;
	if (rq->method == HTTP_M_HEAD || http_status_ends_head(rs->status)) {
		err = http_stream_begin(rq, rs, r.len, deadline);
		return err ? err : http_stream_end(rq, deadline);
	}
	if (a->eager) {
		err = send_eager(rq, rs, a, &r, deadline);
		if ((err == -EBADMSG || err == -ESTALE) && !rq->out.begun) {
			http_response_done(rs);
			return err;
		}
		return err;
	}
	err = http_stream_begin(rq, rs, r.len, deadline);
	return err ? err
		   : send_rest(rq, a, r.off, r.len == HTTP_BYTES_UNKNOWN ? r.len : r.off + r.len,
			       deadline);
}
